// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! System V shared memory.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{ipc::Perm, record};

/// Values of [`Shm::flags`].
pub mod flags {
    /// It has been removed, and goes with the last who has it attached (SHM_DEST).
    pub const DEST: u32 = 1 << 0;
    /// Locked in memory by SHM_LOCK.
    pub const LOCKED: u32 = 1 << 1;
    /// Made with SHM_NORESERVE.
    pub const NORESERVE: u32 = 1 << 2;
    /// It belongs to a namespace that the target has in common with others: whoever restarts may find it still there.
    pub const SHARED: u32 = 1 << 3;
    /// All known flags.
    pub const ALL: u32 = (1 << 4) - 1;
}

/// A segment of System V shared memory. [`Pages`](super::mm::Pages) records with its objref follow.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Shm {
    /// Number of the object.
    pub objref: u32,
    /// [`flags`].
    pub flags: u32,
    /// Its identifier, key, owners. With [`flags::DEST`] the key is the one that it had.
    pub perm: Perm,
    /// Size in bytes, as in shmget(2).
    pub size: u64,
    /// When it was attached last, in seconds since the epoch; 0 for never. So for the others.
    pub atime: u64,
    /// When it was detached last.
    pub dtime: u64,
    /// When it was made or changed.
    pub ctime: u64,
    /// Process that has made it, 0 for one that has no number in the pid namespace of the root task.
    pub cpid: u32,
    /// Process that has attached or detached it last.
    pub lpid: u32,
    /// Task that has made it, if that lives: its index in the tree plus one.
    pub creator: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(Shm, Shm, 88);
