// SPDX-License-Identifier: GPL-2.0

//! fanotify.
//!
//! C sources: `fs/notify/fanotify/`

use super::{
    bindings,
    file::File,
    inotify::{marks, Inode},
    symbol::Operations,
    task::Task, //
};
use kernel::prelude::*;

/// An open file that is a fanotify.
///
/// # Invariants
///
/// The file's operations are those of fanotify.
pub(crate) struct Fanotify<'a>(&'a File);

/// What it was made with, and what waits.
pub(crate) type State = bindings::ckpt_fanotify;

/// What is watched, or not.
pub(crate) struct Mark {
    /// FAN_* bits.
    pub(crate) mask: u32,
    /// FAN_* bits that are ignored.
    pub(crate) ignored: u32,
    /// FAN_MARK_* bits.
    pub(crate) flags: u32,
    /// Whether it is one of a directory.
    pub(crate) is_directory: bool,
    /// The file; `None` for a mark of something else.
    pub(crate) inode: Option<Inode>,
}

impl<'a> Fanotify<'a> {
    /// This file, if it is a fanotify.
    pub(crate) fn of(file: &'a File) -> Option<Self> {
        // INVARIANT: just looked at.
        (file.ops() == Operations::Fanotify.address()).then_some(Self(file))
    }

    /// What it is like, for a task.
    pub(crate) fn state(&self, viewer: &Task) -> State {
        let mut state = State::default();
        // SAFETY: a fanotify, by the invariant; the task is alive.
        unsafe { bindings::ckpt_fanotify_read(self.0.as_ptr(), viewer.as_ptr(), &mut state) };
        state
    }

    /// Its marks.
    pub(crate) fn marks(&self) -> Result<KVVec<Mark>> {
        // SAFETY: a fanotify, by the invariant; the buffer has that many entries.
        let found = marks(|out, max| unsafe { bindings::ckpt_fanotify_marks(self.0.as_ptr(), out, max) })?;
        let mut marks = KVVec::with_capacity(found.len(), GFP_KERNEL_ACCOUNT)?;
        for (raw, inode) in found {
            let mark = Mark {
                mask: raw.mask,
                ignored: raw.ignored,
                flags: raw.flags,
                is_directory: raw.is_directory,
                inode,
            };
            marks.push(mark, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(marks)
    }

    /// Takes from a new one what somebody without privileges would not get.
    pub(crate) fn make_unprivileged(&self) {
        // SAFETY: a fanotify, by the invariant; nobody else has it yet.
        unsafe { bindings::ckpt_fanotify_unprivileged(self.0.as_ptr()) }
    }

    /// Forgets all events.
    pub(crate) fn begin(&self) {
        // SAFETY: a fanotify, by the invariant; the helper locks.
        unsafe { bindings::ckpt_fanotify_begin(self.0.as_ptr()) }
    }
}
