// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Interval timers of a process.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// One interval timer, as getitimer(2), in nanoseconds.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Itimer {
    /// Period; 0 when it fires once.
    pub interval_ns: u64,
    /// Time until it fires; 0 when it is not armed.
    pub value_ns: u64,
}

/// Body of an interval timer record.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Itimers {
    /// ITIMER_REAL.
    pub real: Itimer,
    /// ITIMER_VIRTUAL.
    pub virt: Itimer,
    /// ITIMER_PROF.
    pub prof: Itimer,
}
record!(Itimers, Itimer, 48);
