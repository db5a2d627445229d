// SPDX-License-Identifier: GPL-2.0

//! epoll.
//!
//! C source: `fs/eventpoll.c`

use super::{bindings, file::File, symbol::Operations, to_result};
use kernel::prelude::*;

/// An open file that is an epoll.
///
/// # Invariants
///
/// The file's operations are those of epoll.
pub(crate) struct Epoll<'a>(&'a File);

/// What an epoll watches.
pub(crate) struct Item {
    /// The descriptor by which it was given.
    pub(crate) fd: u32,
    /// EPOLL*
    pub(crate) events: u32,
    /// What is told with an event.
    pub(crate) data: u64,
    /// The open file; an item goes with the last descriptor of it.
    pub(crate) file: File,
}

impl<'a> Epoll<'a> {
    /// This file, if it is an epoll.
    pub(crate) fn of(file: &'a File) -> Option<Self> {
        // INVARIANT: just looked at.
        (file.ops() == Operations::Epoll.address()).then_some(Self(file))
    }

    /// What it watches, in the order of its tree. Takes its mutex.
    pub(crate) fn items(&self) -> Result<KVVec<Item>> {
        let mut raw: KVVec<bindings::ckpt_epoll_item> = KVVec::new();
        loop {
            // A target that runs may add some meanwhile.
            let room = self.read(&mut raw)?.saturating_add(16);
            raw = KVVec::from_elem(Default::default(), room, GFP_KERNEL_ACCOUNT)?;
            let mut items = KVVec::with_capacity(room, GFP_KERNEL_ACCOUNT)?;
            let found = self.read(&mut raw)?;
            for item in raw.drain_all().take(found) {
                // SAFETY: the helper took a reference, or gave NULL.
                if let Ok(file) = unsafe { File::from_raw(item.file) } {
                    let (fd, events, data) = (item.fd, item.events, item.data);
                    items.push(Item { fd, events, data, file }, GFP_KERNEL_ACCOUNT)?;
                }
            }
            if found <= room {
                return Ok(items);
            }
        }
    }

    /// Fills the buffer as far as it goes; the number of all.
    fn read(&self, out: &mut [bindings::ckpt_epoll_item]) -> Result<usize> {
        let max = u32::try_from(out.len())?;
        // SAFETY: an epoll, by the invariant; the buffer has `max` entries.
        Ok(unsafe { bindings::ckpt_epoll_items(self.0.as_ptr(), out.as_mut_ptr(), max) } as usize)
    }

    /// Has it watch a file as epoll_ctl(EPOLL_CTL_ADD) does; the file need not be at that descriptor.
    pub(crate) fn add(&self, item: &Item) -> Result {
        let raw = bindings::ckpt_epoll_item {
            fd: item.fd,
            events: item.events,
            data: item.data,
            file: item.file.as_ptr(),
        };
        // SAFETY: an epoll, by the invariant; the file is borrowed, and an item does not outlive the file that it is of.
        to_result(unsafe { bindings::ckpt_epoll_add(self.0.as_ptr(), &raw) } as isize).map(|_| ())
    }
}
