// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! io_uring: a ring is an object, an open file; descriptors and mappings refer to it. What it keeps of files and memory comes behind those.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{entry, record};

/// O_* flags that such an open file keeps: O_NONBLOCK.
pub const FLAGS: u32 = 0o4000;
/// IORING_SETUP_* flags of rings that are saved.
pub const SETUP: u32 = 0x1d_3fd8;
/// IORING_SETUP_R_DISABLED: the ring takes no requests yet.
pub const DISABLED: u32 = 1 << 6;
/// IORING_SETUP_SINGLE_ISSUER: one task submits, which [`Task`] names.
pub const SINGLE_ISSUER: u32 = 1 << 12;
/// Most bytes of one [`Data`] record.
pub const DATA_MAX: u32 = 128 * 1024;
/// Most entries of a submission queue.
pub const ENTRIES_MAX: u32 = 32768;

/// Most slots for files (`IORING_MAX_FIXED_FILES`), and for buffers (`IORING_MAX_REG_BUFFERS`).
pub const FILES_MAX: u32 = 1 << 20;
/// See [`FILES_MAX`].
pub const BUFFERS_MAX: u32 = 1 << 14;

/// Bits of [`Uring::state`].
pub mod state {
    /// IO_RING_F_DRAIN_NEXT, IO_RING_F_DRAIN_ACTIVE, IO_RING_F_DRAIN_DISABLED: what is remembered of IOSQE_IO_DRAIN.
    pub const DRAIN: u32 = (1 << 0) | (1 << 4) | (1 << 10);
    /// Completions have got lost, and nobody has been told.
    pub const DROPPED: u32 = 1 << 16;
    /// The eventfd is told only of completions that are not immediate.
    pub const EVENT_ASYNC: u32 = 1 << 17;
    /// The numbers of workers have been set.
    pub const WORKERS: u32 = 1 << 18;
    /// Its memory counts for nobody's RLIMIT_MEMLOCK: whoever made it had CAP_IPC_LOCK.
    pub const UNCOUNTED: u32 = 1 << 19;
    /// All of these.
    pub const ALL: u32 = DRAIN | DROPPED | EVENT_ASYNC | WORKERS | UNCOUNTED;
}

/// An io_uring_setup(2).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Uring {
    /// Number of the object.
    pub objref: u32,
    /// O_* flags: [`FLAGS`].
    pub flags: u32,
    /// IORING_SETUP_* flags: [`SETUP`].
    pub setup: u32,
    /// What is remembered: [`state`].
    pub state: u32,
    /// Entries of the submission queue, a power of two.
    pub sq_entries: u32,
    /// Entries of the completion queue, a power of two, and not fewer.
    pub cq_entries: u32,
    /// Index of the next entry that is submitted.
    pub sq_head: u32,
    /// Index of the next completion.
    pub cq_tail: u32,
    /// Bytes of the mapping of the rings.
    pub ring_bytes: u32,
    /// Bytes of the mapping of the submission queue's entries.
    pub sqe_bytes: u32,
    /// CLOCK_MONOTONIC or CLOCK_BOOTTIME: of timeouts of waits.
    pub clock: u32,
    /// Objref of the eventfd that is told of completions, or 0.
    pub event: u32,
    /// Most workers, bounded and unbounded, 0 for no limit of this ring's own.
    pub workers: [u32; 2],
    /// Slots for files.
    pub files: u32,
    /// Where the next file looks for its slot first.
    pub file_hint: u32,
    /// Slots from which the kernel chooses: the first, and the one behind the last.
    pub file_range: [u32; 2],
    /// Slots for buffers.
    pub buffers: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(Uring, IoUring, 80);

impl Uring {
    /// Whether there may be such queues and tables.
    pub fn has_possible_sizes(&self) -> bool {
        let [first, end] = self.file_range;
        self.sq_entries.is_power_of_two()
            && self.cq_entries.is_power_of_two()
            && self.sq_entries <= ENTRIES_MAX
            && (self.sq_entries..=2 * ENTRIES_MAX).contains(&self.cq_entries)
            && self.files <= FILES_MAX
            && first <= end
            && end <= self.files
            && self.file_hint <= self.files
            && self.buffers <= BUFFERS_MAX
    }
}

/// Contents of a ring; `length` bytes follow. What is in no such record is zero.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Data {
    /// Objref of the ring.
    pub ring: u32,
    /// 0: the rings, 1: the entries of the submission queue.
    pub region: u32,
    /// Offset in the region.
    pub offset: u32,
    /// Number of bytes: at most [`DATA_MAX`].
    pub length: u32,
}
record!(Data, IoUringData, 16);

/// Completions for which there was no room, in their order; [`Cqe`] entries follow.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Overflow {
    /// Objref of the ring.
    pub ring: u32,
    /// Number of entries.
    pub count: u32,
}
record!(Overflow, IoUringOverflow, 8);

/// A completion: `struct io_uring_cqe` with its two further words, which a short one leaves zero.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Cqe {
    /// The words.
    pub words: [u64; 4],
}
entry!(Cqe, 32);

/// Files that a ring keeps; [`Slot`] entries follow. Slots ascend.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Files {
    /// Objref of the ring.
    pub ring: u32,
    /// Number of entries.
    pub count: u32,
}
record!(Files, IoUringFiles, 8);

/// A slot with a file.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Slot {
    /// Number of the slot.
    pub slot: u32,
    /// Objref of the open file.
    pub file: u32,
    /// What completes when the kernel lets it go, or 0.
    pub tag: u64,
}
entry!(Slot, 16);

/// Memory that a ring keeps, of the address space of this section; [`Buffer`] entries follow. Slots ascend.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Buffers {
    /// Objref of the ring.
    pub ring: u32,
    /// Number of entries.
    pub count: u32,
}
record!(Buffers, IoUringBuffers, 8);

/// A slot with a buffer.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Buffer {
    /// Number of the slot.
    pub slot: u32,
    /// Must be zero.
    pub reserved: u32,
    /// Where it begins.
    pub address: u64,
    /// Its length in bytes.
    pub length: u64,
    /// What completes when the kernel lets it go, or 0.
    pub tag: u64,
}
entry!(Buffer, 32);

/// What this task is to a ring.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Task {
    /// Objref of the ring.
    pub ring: u32,
    /// The place at which it has registered the ring (IORING_REGISTER_RING_FDS), or [`SUBMITTER`]: it is the only one that submits to it.
    pub place: u32,
}
record!(Task, IoUringTask, 8);

/// [`Task::place`] of the only task that submits to a ring.
pub const SUBMITTER: u32 = u32::MAX;
/// Places of a task for registered rings.
pub const PLACES: u32 = 16;
