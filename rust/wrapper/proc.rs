// SPDX-License-Identifier: GPL-2.0

//! Files of /proc.
//!
//! C sources: `fs/proc/`

use super::{
    bindings,
    file::File,
    path::{Fs, PathBuf},
    task::Task, //
};
use kernel::prelude::*;

/// An open file of /proc.
///
/// # Invariants
///
/// The file system is a proc.
pub(crate) struct Proc<'a>(&'a File);

impl<'a> Proc<'a> {
    /// This file, if it is one of /proc.
    pub(crate) fn of(file: &'a File) -> Option<Self> {
        // INVARIANT: just looked at.
        // SAFETY: alive; set once at mount.
        unsafe { bindings::ckpt_is_proc(file.as_ptr()) }.then_some(Self(file))
    }

    /// Its path below /proc; false when only a part of that is mounted there.
    pub(crate) fn print_path(&self, out: &mut PathBuf) -> Result<bool> {
        // SAFETY: alive; the buffer has that many bytes.
        out.fill(|buf, size| unsafe { bindings::ckpt_proc_path(self.0.as_ptr(), buf, size) })
    }

    /// The path of /proc as seen from the root of `fs`; false when it cannot be reached from there.
    pub(crate) fn print_root(&self, fs: &Fs, out: &mut PathBuf) -> Result<bool> {
        // SAFETY: alive; the buffer has that many bytes.
        out.fill(|buf, size| unsafe { bindings::ckpt_proc_root(self.0.as_ptr(), fs.root(), buf, size) })
    }

    /// The task that has this number there.
    pub(crate) fn task(&self, number: u32) -> Option<Task> {
        let number = i32::try_from(number).ok()?;
        // SAFETY: a proc, by the invariant; the helper gives NULL or a reference.
        unsafe { Task::from_raw(bindings::ckpt_proc_task(self.0.as_ptr(), number)) }
    }

    /// The number that a task has there, if it has one.
    pub(crate) fn number(&self, task: &Task) -> Option<u32> {
        // SAFETY: a proc, by the invariant; the task is alive.
        let number = unsafe { bindings::ckpt_proc_number(self.0.as_ptr(), task.as_ptr()) };
        u32::try_from(number).ok().filter(|n| *n != 0)
    }

    /// Whether it belongs to no task, or to this one.
    pub(crate) fn is_of(&self, task: &Task) -> bool {
        // SAFETY: a proc, by the invariant; the task is alive.
        unsafe { bindings::ckpt_proc_is_of(self.0.as_ptr(), task.as_ptr()) }
    }
}
