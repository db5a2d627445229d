// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! What System V objects have in common, and the end of the objects of an ipc namespace.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Largest identifier.
pub const ID_MAX: u32 = i32::MAX as u32;
/// Permissions of an object.
pub const MODE: u32 = 0o777;

/// What every System V object has: as `struct ipc_perm`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Perm {
    /// Identifier.
    pub id: u32,
    /// Key; 0 for IPC_PRIVATE.
    pub key: u32,
    /// Owner in the user namespace of the task.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Who has made it.
    pub cuid: u32,
    /// Group of that.
    pub cgid: u32,
    /// Permissions.
    pub mode: u32,
    /// Must be zero.
    pub reserved: u32,
}

/// Where the kernel goes on when it gives an identifier to a new object.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Ids {
    /// Sequence number, the upper part of an identifier.
    pub seq: u32,
    /// Index, the lower part, that was given last, plus one; 0 for none.
    pub last: u32,
    /// Index that is tried next.
    pub cursor: u32,
}

/// All objects of the ipc namespace that the task has just made are there.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct IpcEnd {
    /// Identifiers of semaphore sets.
    pub sem: Ids,
    /// Identifiers of message queues.
    pub msg: Ids,
    /// Identifiers of shared memory segments.
    pub shm: Ids,
    /// Must be zero.
    pub reserved: u32,
}
record!(IpcEnd, IpcEnd, 40);
