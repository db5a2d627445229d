// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! System V semaphores.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{entry, ipc::Perm, record};

/// Most semaphores of a set.
pub const SEMS_MAX: u32 = 32_000;
/// Largest value of a semaphore.
pub const VALUE_MAX: u32 = 32_767;
/// Most adjustments in one record.
pub const ADJUSTMENTS_MAX: u32 = 16_384;

/// Values of [`Sem::flags`].
pub mod flags {
    /// It belongs to a namespace that the target has in common with others: whoever restarts may find it still there.
    pub const SHARED: u32 = 1 << 3;
    /// All known flags.
    pub const ALL: u32 = SHARED;
}

/// Fixed part of a set of semaphores; [`SemValue`] entries follow.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Sem {
    /// Number of the object.
    pub objref: u32,
    /// [`flags`].
    pub flags: u32,
    /// Its identifier, key, owners.
    pub perm: Perm,
    /// When semop(2) was done last, in seconds since the epoch; 0 for never.
    pub otime: u64,
    /// When it was made or changed.
    pub ctime: u64,
    /// Number of semaphores.
    pub count: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(Sem, Sem, 64);

/// A semaphore.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SemValue {
    /// Its value.
    pub value: u32,
    /// Process that has changed it last (GETPID), 0 for one that has no number in the pid namespace of the root task.
    pub pid: u32,
}
entry!(SemValue, 8);

/// Fixed part of an undo list (SEM_UNDO), which tasks may share (CLONE_SYSVSEM); [`SemAdjustment`] entries follow. A list that an
/// earlier task has too has that one's number, and no entries. A thread without this record has the list of its leader.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SemUndo {
    /// Number of the list.
    pub objref: u32,
    /// Number of entries.
    pub count: u32,
}
record!(SemUndo, SemUndo, 8);

/// What is added to a semaphore when the last task that has the list exits.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SemAdjustment {
    /// Objref of the set.
    pub set: u32,
    /// Number of the semaphore.
    pub number: u32,
    /// What is added.
    pub adjust: i32,
}
entry!(SemAdjustment, 12);
