// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! inotify: an instance is an object; descriptors refer to it. What it has not told yet and what it watches stand behind it.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// O_* flags that such an open file keeps: O_NONBLOCK.
pub const FLAGS: u32 = 0o4000;

/// IN_* bits of a watch: events, IN_EXCL_UNLINK and IN_ONESHOT.
pub const WATCH_MASK: u32 = 0xfff | (1 << 26) | ONESHOT;
/// IN_ONESHOT.
pub const ONESHOT: u32 = 1 << 31;
/// IN_* bits of an event: events, IN_UNMOUNT, IN_Q_OVERFLOW, IN_IGNORED and IN_ISDIR.
pub const EVENT_MASK: u32 = 0xfff | (1 << 13) | Q_OVERFLOW | (1 << 15) | (1 << 30);
/// IN_Q_OVERFLOW.
pub const Q_OVERFLOW: u32 = 1 << 14;

/// An inotify_init1(2).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Inotify {
    /// Number of the object.
    pub objref: u32,
    /// O_* flags: [`FLAGS`].
    pub flags: u32,
    /// Number of [`Watch`] records that follow.
    pub watches: u32,
    /// Number that the next new watch gets, if it is free: as INOTIFY_IOC_SETNEXTWD.
    pub next_wd: u32,
}
record!(Inotify, Inotify, 16);

/// Events that nobody has read yet; `length` bytes follow, as read(2) returns them. They stand before the watches.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Events {
    /// Objref of the inotify.
    pub inotify: u32,
    /// Length of the events in bytes.
    pub length: u32,
}
record!(Events, InotifyEvents, 8);

/// One watch; the path follows. The numbers of an inotify ascend.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Watch {
    /// Objref of the inotify.
    pub inotify: u32,
    /// Watch descriptor.
    pub wd: u32,
    /// IN_* bits: [`WATCH_MASK`].
    pub mask: u32,
    /// Length of the path in bytes.
    pub path_len: u32,
}
record!(Watch, InotifyWatch, 16);
