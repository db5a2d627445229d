// SPDX-License-Identifier: GPL-2.0

//! Owners of open files: who gets their signals.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h), `struct fown_struct`

use super::{bindings, file::File, pid::PidNs, task::Task};

/// What an owner is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// F_OWNER_TID
    Thread,
    /// F_OWNER_PID
    Process,
    /// F_OWNER_PGRP
    Group,
}

/// What is known of an open file's signals.
pub(crate) struct Owner {
    /// Who gets them, and its number in a pid namespace: 0 when it has none there.
    pub(crate) who: Option<(Kind, u32)>,
    /// As fcntl(F_GETSIG).
    pub(crate) signal: u32,
    /// O_ASYNC.
    pub(crate) on: bool,
    /// They are sent with the rights that a task has now.
    pub(crate) own_rights: bool,
}

impl Owner {
    /// Of an open file, with numbers of this pid namespace and the rights of this task.
    pub(crate) fn of(file: &File, task: &Task, ns: &PidNs) -> Self {
        let mut raw = bindings::ckpt_file_owner::default();
        // SAFETY: all are alive; the helper locks.
        unsafe { bindings::ckpt_file_owner(file.as_ptr(), task.as_ptr(), ns.as_ptr(), &mut raw) };
        let kind = match raw.type_ {
            bindings::pid_type_PIDTYPE_PID => Kind::Thread,
            bindings::pid_type_PIDTYPE_TGID => Kind::Process,
            _ => Kind::Group,
        };
        Self {
            who: raw.exists.then_some((kind, raw.pid)),
            signal: raw.signal,
            on: raw.async_,
            own_rights: raw.own_rights,
        }
    }

    /// Whether somebody has ever asked for signals of the file. Most files cost no more than this.
    pub(crate) fn is_any(file: &File) -> bool {
        // SAFETY: alive; single words.
        unsafe { !(*file.as_ptr()).f_owner.is_null() || (*file.as_ptr()).f_flags & bindings::FASYNC != 0 }
    }

    /// Whether the open file, a directory, has asked to be told of changes: fcntl(F_NOTIFY).
    pub(crate) fn is_notified(file: &File) -> bool {
        // SAFETY: alive; the helper locks.
        unsafe { bindings::ckpt_file_is_notified(file.as_ptr()) }
    }

    /// Whether there is nothing to be known.
    pub(crate) fn is_none(&self) -> bool {
        self.who.is_none() && self.signal == 0 && !self.on
    }
}
