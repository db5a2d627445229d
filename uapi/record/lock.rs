// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Locks and leases of files.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{entry, record};

/// Values of [`Locks::holder`].
pub mod holder {
    /// The descriptor table: fcntl(F_SETLK) by the descriptor `of`.
    pub const TABLE: u32 = 1;
    /// The open file with the objref `of`: fcntl(F_OFD_SETLK).
    pub const OPEN_FILE: u32 = 2;
}

/// Values of [`Lock::kind`]: as `l_type`.
pub mod kind {
    /// A lock for reading (F_RDLCK).
    pub const READ: u32 = 0;
    /// A lock for writing (F_WRLCK).
    pub const WRITE: u32 = 1;
}

/// Fixed part of a locks record; [`Lock`] entries follow.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Locks {
    /// [`holder`].
    pub holder: u32,
    /// A descriptor or an objref: see [`holder`].
    pub of: u32,
    /// Number of entries.
    pub count: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(Locks, Locks, 16);

/// A lock on a part of a file.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Lock {
    /// Its first byte.
    pub start: u64,
    /// Bytes; 0 up to the end of the file, wherever that will be.
    pub len: u64,
    /// [`kind`].
    pub kind: u32,
    /// Must be zero.
    pub reserved: u32,
}
entry!(Lock, 24);
