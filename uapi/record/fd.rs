// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Descriptor table.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{entry, record};

/// Fixed part of a descriptor table record; [`Fd`] entries follow, by number. A large table has several records.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Fds {
    /// Number of entries in this record.
    pub count: u32,
    /// 1 when another record of the same table follows.
    pub more: u32,
}
record!(Fds, Fd, 8);

/// Values of [`Fd::flags`].
pub mod flags {
    /// FD_CLOEXEC.
    pub const CLOEXEC: u32 = 1 << 0;
    /// All known flags.
    pub const ALL: u32 = CLOEXEC;
}

/// One descriptor.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Fd {
    /// Its number.
    pub fd: u32,
    /// [`flags`].
    pub flags: u32,
    /// The open file.
    pub objref: u32,
    /// Must be zero.
    pub reserved: u32,
}
entry!(Fd, 16);
