// SPDX-License-Identifier: GPL-2.0

//! Rings of io_uring.
//!
//! C sources: `io_uring/`

use super::{
    bindings,
    file::File,
    mm::Mm,
    symbol::Operations,
    task::Task,
    to_result, //
};
use kernel::prelude::*;

/// An open file that is a ring.
///
/// # Invariants
///
/// The file's operations are those of io_uring.
pub(crate) struct Uring<'a>(&'a File);

/// What a ring is, and what it remembers.
pub(crate) type State = bindings::ckpt_uring;

/// A buffer that a ring keeps.
pub(crate) type Buffer = bindings::ckpt_uring_buffer;

/// A file that a ring keeps.
pub(crate) struct Slot {
    /// Number of its slot.
    pub(crate) slot: u32,
    /// What completes when the kernel lets it go, or 0.
    pub(crate) tag: u64,
    /// The open file.
    pub(crate) file: File,
}

/// The two parts of a ring that are mapped, by their numbers: offsets of mmap(2), and how a mapping of a part is known.
pub(crate) const REGIONS: usize = 2;

/// What a ring has that is not saved, as words.
pub(crate) fn refused(state: &State) -> Option<&'static str> {
    // SAFETY: NULL or a string literal of the module.
    (!state.refused.is_null()).then(|| unsafe { CStr::from_char_ptr(state.refused) }.to_str().unwrap_or("?"))
}

/// Names of the operations that have been found in flight.
pub(crate) fn operations(state: &State) -> impl Iterator<Item = &'static str> + '_ {
    (0..=u8::MAX).filter_map(|op| {
        let is_there = state.opcodes[usize::from(op) / 64] >> (op % 64) & 1 != 0;
        is_there.then(|| {
            // SAFETY: the function takes any number, and gives string literals of the kernel.
            let name = unsafe { CStr::from_char_ptr(bindings::ckpt_io_uring_get_opcode(op)) };
            name.to_str().unwrap_or("?")
        })
    })
}

impl<'a> Uring<'a> {
    /// This file, if it is a ring.
    pub(crate) fn of(file: &'a File) -> Option<Self> {
        // INVARIANT: just looked at.
        (file.ops() == Operations::Uring.address()).then_some(Self(file))
    }

    /// Describes it. `EINTR` on a fatal signal.
    pub(crate) fn state(&self) -> Result<State> {
        let mut state = State::default();
        // SAFETY: a ring, by the invariant; the helper locks.
        kernel::error::to_result(unsafe { bindings::ckpt_uring_describe(self.0.as_ptr(), &mut state) })?;
        Ok(state)
    }

    /// Copies contents of a region. `EINVAL` when it is not that long, `EINTR` on a fatal signal.
    pub(crate) fn read(&self, region: usize, offset: u64, out: &mut [u8]) -> Result {
        // SAFETY: a ring, by the invariant; the buffer has that many bytes; the helper locks and checks.
        kernel::error::to_result(unsafe {
            bindings::ckpt_uring_read(
                self.0.as_ptr(),
                region as u32,
                offset,
                out.as_mut_ptr().cast(),
                out.len(),
            )
        })
    }

    /// Writes contents of a region, as the program could. `EINVAL` when it is not that long, `EINTR` on a fatal signal.
    pub(crate) fn write(&self, region: usize, offset: u64, bytes: &[u8]) -> Result {
        // SAFETY: a ring, by the invariant; the buffer has that many bytes; the helper locks and checks.
        kernel::error::to_result(unsafe {
            bindings::ckpt_uring_write(
                self.0.as_ptr(),
                region as u32,
                offset,
                bytes.as_ptr().cast(),
                bytes.len(),
            )
        })
    }

    /// Lets a ring that has never been used go on with these indices and this state. `EINVAL` for what no ring has, `EINTR` on a fatal
    /// signal.
    pub(crate) fn set(&self, state: &State) -> Result {
        // SAFETY: a ring, by the invariant; the helper locks and checks.
        kernel::error::to_result(unsafe { bindings::ckpt_uring_set(self.0.as_ptr(), state) })
    }

    /// Where the next file looks for its slot first. `EINVAL` when there is no such slot, `EINTR` on a fatal signal.
    pub(crate) fn set_file_hint(&self, hint: u32) -> Result {
        // SAFETY: a ring, by the invariant; the helper locks and checks.
        kernel::error::to_result(unsafe { bindings::ckpt_uring_set_file_hint(self.0.as_ptr(), hint) })
    }

    /// The files that it keeps, by slot. `EINTR` on a fatal signal.
    pub(crate) fn files(&self) -> Result<KVVec<Slot>> {
        let mut out = KVVec::new();
        let (mut slot, mut file, mut tag) = (0, core::ptr::null_mut(), 0);
        loop {
            // SAFETY: a ring, by the invariant; the helper locks and takes a reference.
            kernel::error::to_result(unsafe {
                bindings::ckpt_uring_next_file(self.0.as_ptr(), &mut slot, &mut file, &mut tag)
            })?;
            // SAFETY: the helper took a reference, or gave NULL.
            let Ok(file) = (unsafe { File::from_raw(file) }) else {
                return Ok(out);
            };
            out.push(Slot { slot, tag, file }, GFP_KERNEL)?;
            slot += 1;
        }
    }

    /// The buffers that it keeps, with their slots; with an address space also whether they are what is mapped there. `EINTR` on a fatal
    /// signal.
    pub(crate) fn buffers(&self, mm: Option<&Mm>) -> Result<KVVec<(u32, Buffer)>> {
        let mut out = KVVec::new();
        let (mut slot, mut buffer) = (0, Buffer::default());
        let mm = mm.map_or(core::ptr::null_mut(), Mm::as_ptr);
        loop {
            // SAFETY: a ring, by the invariant; NULL or a live mm; the helper locks.
            let found = unsafe { bindings::ckpt_uring_next_buffer(self.0.as_ptr(), mm, &mut slot, &mut buffer) };
            if to_result(found as isize)? == 0 {
                return Ok(out);
            }
            out.push((slot, buffer), GFP_KERNEL)?;
            slot += 1;
        }
    }

    /// Copies completions for which there was no room, but the first `from`, as far as there are: their number. `EINTR` on a fatal signal.
    pub(crate) fn overflow(&self, from: u32, out: &mut [[u64; 4]]) -> Result<usize> {
        // SAFETY: a ring, by the invariant; the buffer has that many entries of four words; the helper locks.
        let n =
            unsafe { bindings::ckpt_uring_overflow(self.0.as_ptr(), from, out.as_mut_ptr().cast(), out.len() as u32) };
        to_result(n as isize)
    }

    /// Adds a completion for which there is no room.
    pub(crate) fn add_overflow(&self, words: &[u64; 4]) -> Result {
        // SAFETY: a ring, by the invariant; the array is as long as the longest.
        kernel::error::to_result(unsafe { bindings::ckpt_uring_add_overflow(self.0.as_ptr(), words.as_ptr()) })
    }

    /// Maps it in the caller's address space, as mmap(2) does for the caller, but at the place that is wanted.
    pub(crate) fn map(&self, address: u64, len: u64, prot: u32, flags: u32, offset: u64) -> Result<u64> {
        // SAFETY: a ring, by the invariant; all values are checked as those of mmap(2).
        let got = unsafe {
            bindings::ckpt_uring_mmap(
                self.0.as_ptr(),
                address as usize,
                len as usize,
                prot as usize,
                flags as usize,
                offset as usize,
            )
        };
        to_result(got as isize).map(|a| a as u64)
    }
}

/// The rings that a thread has registered, with their places.
pub(crate) fn registered(task: &Task) -> Result<KVec<(u32, File)>> {
    let mut out = KVec::new();
    let mut place = 0;
    loop {
        // SAFETY: the task is alive; the helper locks and takes a reference.
        let file = unsafe { bindings::ckpt_task_ring(task.as_ptr(), &mut place) };
        // SAFETY: the helper took a reference, or gave NULL.
        let Ok(file) = (unsafe { File::from_raw(file) }) else {
            return Ok(out);
        };
        out.push((place, file), GFP_KERNEL)?;
        place += 1;
    }
}

/// Address of what stands behind a file, if that is an eventfd: several files may have it in common, and a ring knows it by it.
pub(crate) fn event_of(file: &File) -> Option<usize> {
    // SAFETY: alive, and an eventfd.
    (file.ops() == Operations::Eventfd.address()).then(|| unsafe { bindings::ckpt_eventfd_context(file.as_ptr()) })
}
