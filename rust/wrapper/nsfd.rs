// SPDX-License-Identifier: GPL-2.0

//! Files that stand for namespaces.
//!
//! C source: `fs/nsfs.c`

use super::{bindings, file::File, symbol::Operations, task::Task};
use kernel::prelude::*;

/// An open file that stands for a namespace.
///
/// # Invariants
///
/// The file's operations are those of nsfs.
pub(crate) struct NsFd<'a>(&'a File);

impl<'a> NsFd<'a> {
    /// This file, if it is one.
    pub(crate) fn of(file: &'a File) -> Option<Self> {
        // INVARIANT: just looked at.
        (file.ops() == Operations::Namespace.address()).then_some(Self(file))
    }

    /// The file.
    pub(crate) fn file(&self) -> &File {
        self.0
    }

    /// CLONE_NEW*.
    pub(crate) fn kind(&self) -> u32 {
        // SAFETY: of nsfs, by the invariant: the inode keeps the namespace, whose kind never changes.
        unsafe { bindings::ckpt_nsfd_kind(self.0.as_ptr()) }
    }

    /// Address of the namespace.
    pub(crate) fn namespace(&self) -> usize {
        // SAFETY: of nsfs, by the invariant: the inode keeps the namespace.
        unsafe { bindings::ckpt_nsfd_namespace(self.0.as_ptr()) as usize }
    }
}

/// Addresses of the namespaces that a task lives in; 0 for one that has exited and has none any more.
pub(crate) fn namespaces_of(task: &Task) -> [usize; bindings::CKPT_NAMESPACES as usize] {
    let mut out = [0; bindings::CKPT_NAMESPACES as usize];
    // SAFETY: the task is alive; the array has an entry for each kind; the helper gives back what it takes.
    unsafe { bindings::ckpt_task_namespaces(task.as_ptr(), out.as_mut_ptr()) };
    out
}

/// The same without user and pid namespace, which tasks that share the rest (nsproxy) need not have in common.
pub(crate) fn shared_namespaces_of(task: &Task) -> [usize; 6] {
    let [time, mnt, cgroup, uts, ipc, _user, _pid, net] = namespaces_of(task);
    [time, mnt, cgroup, uts, ipc, net]
}

/// One of the namespace of this kind that a task lives in, with O_NONBLOCK and O_LARGEFILE of `flags`.
pub(crate) fn open(task: &Task, kind: u32, flags: u32) -> Result<File> {
    // SAFETY: the task is alive; the helper gives a reference or an error.
    unsafe { File::from_raw(bindings::ckpt_nsfd_open(task.as_ptr(), kind, flags)) }
}
