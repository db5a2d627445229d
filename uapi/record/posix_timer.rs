// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! POSIX timers of a process (timer_create(2)).

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{entry, record};

/// Values of [`PosixTimers::flags`].
pub mod timers_flags {
    /// timer_create(2) takes the number of the new timer: prctl(PR_TIMER_CREATE_RESTORE_IDS).
    pub const RESTORE_IDS: u32 = 1 << 0;
    /// All known flags.
    pub const ALL: u32 = RESTORE_IDS;
}

/// Values of [`PosixTimer::flags`].
pub mod flags {
    /// It has expired, and its signal has not been taken yet (or is ignored).
    pub const PENDING: u32 = 1 << 0;
    /// It was set to a time of CLOCK_REALTIME (TIMER_ABSTIME): `value_ns` is one.
    pub const ABSOLUTE: u32 = 1 << 1;
    /// All known flags.
    pub const ALL: u32 = PENDING | ABSOLUTE;
}

/// Fixed part of a POSIX timer record; [`PosixTimer`] entries follow, oldest first.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct PosixTimers {
    /// Number of entries.
    pub count: u32,
    /// Number that the next timer gets.
    pub next_id: u32,
    /// [`timers_flags`].
    pub flags: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(PosixTimers, PosixTimer, 16);

/// One timer.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct PosixTimer {
    /// Its number, as timer_create(2) returns it.
    pub id: u32,
    /// Its clock, as /proc/PID/timers shows it: negative for CPU clocks.
    pub clock: i32,
    /// As `sigev_notify` of `struct sigevent`.
    pub notify: u32,
    /// As `sigev_signo`.
    pub signo: i32,
    /// Thread id that gets the signal, with SIGEV_THREAD_ID; otherwise 0.
    pub thread: u32,
    /// Thread or process id whose time a CPU clock counts; 0 for other clocks.
    pub clock_owner: u32,
    /// [`flags`].
    pub flags: u32,
    /// As timer_getoverrun(2).
    pub overrun_last: u32,
    /// As `sigev_value`.
    pub sigval: u64,
    /// Period; 0 when it fires once.
    pub interval_ns: u64,
    /// Time until it fires, with ABSOLUTE the time at which; 0 when it is not armed.
    pub value_ns: u64,
    /// With PENDING, of a periodic timer: how often it has expired since its signal was queued.
    pub overrun: u64,
}
entry!(PosixTimer, 64);
