// SPDX-License-Identifier: GPL-2.0

//! inotify.
//!
//! C sources: `fs/notify/inotify/`

use super::{
    bindings,
    file::File,
    path::{Fs, PathBuf},
    symbol::Operations, //
};
use core::ptr::NonNull;
use kernel::prelude::*;

/// An open file that is an inotify.
///
/// # Invariants
///
/// The file's operations are those of inotify.
pub(crate) struct Inotify<'a>(&'a File);

/// What is watched.
///
/// # Invariants
///
/// `0` points to an inode on which this value owns one reference.
pub(crate) struct Inode(NonNull<bindings::inode>);

impl Drop for Inode {
    fn drop(&mut self) {
        // SAFETY: owned, by the type's invariant.
        unsafe { bindings::ckpt_iput(self.0.as_ptr()) }
    }
}

impl Inode {
    /// `None` for NULL.
    ///
    /// # Safety
    ///
    /// `inode` is NULL, or points to an inode on which the caller gives up one reference.
    pub(super) unsafe fn from_raw(inode: *mut bindings::inode) -> Option<Self> {
        // INVARIANT: by the precondition.
        NonNull::new(inode).map(Self)
    }

    /// Whether it has no name any more.
    pub(crate) fn is_nameless(&self) -> bool {
        // SAFETY: alive; words that change with the last name.
        unsafe { bindings::ckpt_inode_nameless(self.0.as_ptr()) }
    }

    /// A path that leads to it from the root of `fs`; false when there is none that the kernel knows.
    pub(crate) fn print_path(&self, fs: &Fs, out: &mut PathBuf) -> Result<bool> {
        // SAFETY: the inode and the root are alive; the buffer has that many bytes.
        out.fill(|buf, size| unsafe { bindings::ckpt_inode_path(self.0.as_ptr(), fs.root(), buf, size) })
    }
}

/// The marks that `list` gives into a buffer with so many entries, with their inodes; it returns how many there are.
pub(super) fn marks(
    mut list: impl FnMut(*mut bindings::ckpt_mark, u32) -> u32,
) -> Result<KVVec<(bindings::ckpt_mark, Option<Inode>)>> {
    let mut room = 16;
    loop {
        let mut raw: KVVec<bindings::ckpt_mark> = KVVec::from_elem(Default::default(), room, GFP_KERNEL_ACCOUNT)?;
        let mut marks = KVVec::with_capacity(room, GFP_KERNEL_ACCOUNT)?;
        let found = list(raw.as_mut_ptr(), room as u32) as usize;
        for mark in raw.iter().take(found) {
            // SAFETY: the helper took the reference, or left it empty.
            let inode = unsafe { Inode::from_raw(mark.inode) };
            marks.push((*mark, inode), GFP_KERNEL_ACCOUNT)?;
        }
        if found <= room {
            return Ok(marks);
        }
        // A target that runs may add some meanwhile.
        room = found + 16;
    }
}

/// One watch.
pub(crate) struct Watch {
    /// Its number.
    pub(crate) wd: u32,
    /// IN_* bits.
    pub(crate) mask: u32,
    /// What is watched.
    pub(crate) inode: Inode,
}

/// One event, but its name.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    /// Number of the watch; -1 for none.
    pub(crate) wd: i32,
    /// IN_* bits.
    pub(crate) mask: u32,
    /// What connects the two events of a rename.
    pub(crate) cookie: u32,
}

impl<'a> Inotify<'a> {
    /// This file, if it is an inotify.
    pub(crate) fn of(file: &'a File) -> Option<Self> {
        // INVARIANT: just looked at.
        (file.ops() == Operations::Inotify.address()).then_some(Self(file))
    }

    /// What it watches, by number.
    pub(crate) fn watches(&self) -> Result<KVVec<Watch>> {
        // SAFETY: an inotify, by the invariant; the buffer has that many entries.
        let marks = marks(|out, max| unsafe { bindings::ckpt_inotify_marks(self.0.as_ptr(), out, max) })?;
        let mut watches = KVVec::with_capacity(marks.len(), GFP_KERNEL_ACCOUNT)?;
        for (raw, inode) in marks {
            let watch = Watch {
                wd: raw.wd as u32,
                mask: raw.mask,
                inode: inode.ok_or(EINVAL)?,
            };
            watches.push(watch, GFP_KERNEL_ACCOUNT)?;
        }
        watches.sort_unstable_by_key(|w: &Watch| w.wd);
        Ok(watches)
    }

    /// Number that the next new watch gets, if it is free.
    pub(crate) fn next_wd(&self) -> u32 {
        // SAFETY: an inotify, by the invariant; the helper locks.
        unsafe { bindings::ckpt_inotify_next(self.0.as_ptr()) }
    }

    /// Number of events that nobody has read yet.
    pub(crate) fn queued(&self) -> u32 {
        // SAFETY: an inotify, by the invariant; one word.
        unsafe { bindings::ckpt_inotify_queued(self.0.as_ptr()) }
    }

    /// The events that nobody has read yet, but the first `from`, as read(2) returns them, as far as there is room: their number and their
    /// length.
    pub(crate) fn events(&self, from: u32, out: &mut [u8]) -> Result<(u32, usize)> {
        let (size, mut used) = (u32::try_from(out.len())?, 0);
        // SAFETY: an inotify, by the invariant; the buffer has `size` bytes.
        let n =
            unsafe { bindings::ckpt_inotify_events(self.0.as_ptr(), from, out.as_mut_ptr().cast(), size, &mut used) };
        Ok((n, used as usize))
    }

    /// Has it tell an event; or that some were lost, when there are too many.
    pub(crate) fn queue(&self, event: Event, name: &[u8]) -> Result {
        let raw = bindings::inotify_event {
            wd: event.wd,
            mask: event.mask,
            cookie: event.cookie,
            ..Default::default()
        };
        let length = u32::try_from(name.len())?;
        // SAFETY: an inotify, by the invariant; the name has that many bytes.
        kernel::error::to_result(unsafe {
            bindings::ckpt_inotify_queue(self.0.as_ptr(), &raw, name.as_ptr().cast(), length)
        })
    }

    /// Forgets all events behind the first `events`, and lets these watches, whose numbers ascend, tell once only. The number of watches
    /// that are there.
    pub(crate) fn begin(&self, events: u32, oneshot: &[i32]) -> u32 {
        // SAFETY: an inotify, by the invariant; the slice has that many entries; the helper locks.
        unsafe { bindings::ckpt_inotify_begin(self.0.as_ptr(), events, oneshot.as_ptr(), oneshot.len() as u32) }
    }
}
