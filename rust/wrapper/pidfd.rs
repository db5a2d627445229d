// SPDX-License-Identifier: GPL-2.0

//! pidfds.
//!
//! C source: `fs/pidfs.c`

use super::{bindings, file::File, task::Task};
use core::ptr;
use kernel::prelude::*;

/// An open file that is a pidfd.
///
/// # Invariants
///
/// The file's operations are those of pidfs.
pub(crate) struct Pidfd<'a>(&'a File);

impl<'a> Pidfd<'a> {
    /// This file, if it is a pidfd.
    pub(crate) fn of(file: &'a File) -> Option<Self> {
        // SAFETY: alive; the function gives an error for what is no pidfd.
        let pid = unsafe { bindings::ckpt_pidfd_pid(file.as_ptr()) };
        // INVARIANT: just looked at.
        kernel::error::from_err_ptr(pid).ok().map(|_| Self(file))
    }

    /// Address of what the process is known by: the same for two pidfds of one process.
    pub(crate) fn address(&self) -> usize {
        // SAFETY: a pidfd, by the invariant; its inode keeps what is returned.
        unsafe { bindings::ckpt_pidfd_pid(self.0.as_ptr()) as usize }
    }

    /// The task; `None` when it has been reaped.
    pub(crate) fn task(&self) -> Option<Task> {
        // SAFETY: a pidfd, by the invariant; the helper gives NULL or a reference.
        unsafe { Task::from_raw(bindings::ckpt_pidfd_task(self.0.as_ptr())) }
    }

    /// How the task has ended, as wait(2) returns it.
    pub(crate) fn exit_status(&self) -> Option<u32> {
        let mut status = 0;
        // SAFETY: a pidfd, by the invariant: its process is registered with pidfs for as long as there is one.
        unsafe { bindings::ckpt_pidfd_status(self.0.as_ptr(), &mut status) }.then_some(status)
    }

    /// Whether it has extended attributes.
    pub(crate) fn has_xattrs(&self) -> bool {
        // SAFETY: as above; the head of a list is looked at, not followed.
        unsafe { bindings::ckpt_pidfd_has_xattrs(self.0.as_ptr()) }
    }

    /// Another one of the same process, which may have been reaped.
    pub(crate) fn again(&self, flags: u32) -> Result<File> {
        // SAFETY: a pidfd, by the invariant; the helper gives a reference or an error.
        unsafe { File::from_raw(bindings::ckpt_pidfd_again(self.0.as_ptr(), flags)) }
    }
}

/// One of a task, as pidfd_open(2) makes it. `ENOENT` for a thread without PIDFD_THREAD.
pub(crate) fn open(task: &Task, flags: u32) -> Result<File> {
    // SAFETY: the task is alive; the helper gives a reference or an error.
    unsafe { File::from_raw(bindings::ckpt_pidfd_open(task.as_ptr(), flags)) }
}

/// One of a process that has been reaped, and that nobody else has one of. `status` is how it ended, if that is known.
pub(crate) fn open_reaped(status: Option<u32>, flags: u32) -> Result<File> {
    let status = status.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the status is NULL or lives until the call is over; the helper gives a reference or an error.
    unsafe { File::from_raw(bindings::ckpt_pidfd_reaped(status, flags)) }
}
