// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Open files that stand for events: eventfd, signalfd, timerfd and epoll. Each is an object; descriptors refer to it.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{entry, record};

/// O_* flags that such an open file keeps: O_NONBLOCK.
pub const FLAGS: u32 = 0o4000;

/// An eventfd(2).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Eventfd {
    /// Number of the object.
    pub objref: u32,
    /// O_* flags: [`FLAGS`].
    pub flags: u32,
    /// The counter.
    pub count: u64,
    /// 1 for EFD_SEMAPHORE.
    pub semaphore: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(Eventfd, Eventfd, 24);

/// A signalfd(2).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Signalfd {
    /// Number of the object.
    pub objref: u32,
    /// O_* flags: [`FLAGS`].
    pub flags: u32,
    /// Signals that it takes; bit 0 is signal 1.
    pub mask: u64,
}
record!(Signalfd, Signalfd, 16);

/// Values of [`Timerfd::settime`]: as the flags of timerfd_settime(2).
pub mod settime {
    /// The time is one of the clock (TFD_TIMER_ABSTIME), not from now on.
    pub const ABSTIME: u32 = 1 << 0;
    /// read(2) fails when the clock is set (TFD_TIMER_CANCEL_ON_SET).
    pub const CANCEL_ON_SET: u32 = 1 << 1;
    /// All known flags.
    pub const ALL: u32 = ABSTIME | CANCEL_ON_SET;
}

/// A timerfd_create(2).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Timerfd {
    /// Number of the object.
    pub objref: u32,
    /// O_* flags: [`FLAGS`].
    pub flags: u32,
    /// CLOCK_*.
    pub clock: u32,
    /// [`settime`] flags. With ABSTIME on a clock of real time `value_ns` is a time of that clock; else it is the time left.
    pub settime: u32,
    /// Expirations that nobody has read yet.
    pub ticks: u64,
    /// When it expires, in nanoseconds; 0 when it is not armed.
    pub value_ns: u64,
    /// Its period in nanoseconds, or 0.
    pub interval_ns: u64,
}
record!(Timerfd, Timerfd, 40);

/// An epoll_create(2). What it watches stands in [`EpollItems`].
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Epoll {
    /// Number of the object.
    pub objref: u32,
    /// O_* flags: [`FLAGS`].
    pub flags: u32,
}
record!(Epoll, Epoll, 8);

/// Fixed part of an epoll-items record; [`EpollItem`] entries follow.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct EpollItems {
    /// Objref of the epoll.
    pub epoll: u32,
    /// Number of entries.
    pub count: u32,
}
record!(EpollItems, EpollItems, 8);

/// What an epoll watches: an open file, known by the descriptor that it was added by.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct EpollItem {
    /// The descriptor; it may stand for something else, or for nothing, by now.
    pub fd: u32,
    /// Objref of the open file.
    pub file: u32,
    /// EPOLL* bits; those of a one-shot that has fired are gone.
    pub events: u32,
    /// Must be zero.
    pub reserved: u32,
    /// What epoll_wait(2) returns with it.
    pub data: u64,
}
entry!(EpollItem, 24);
