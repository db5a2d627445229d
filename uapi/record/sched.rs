// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Scheduling attributes.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Fixed part of a scheduling record. The variable part is the affinity mask that sched_setaffinity(2) was asked for (`u64`
/// words); none when it was not asked.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Sched {
    /// SCHED_OTHER, SCHED_FIFO, ..., as sched_getattr(2).
    pub policy: u32,
    /// Nice value, -20 to 19.
    pub nice: i32,
    /// Static priority of SCHED_FIFO and SCHED_RR.
    pub priority: u32,
    /// SCHED_FLAG_RESET_ON_FORK, SCHED_FLAG_UTIL_CLAMP_MIN, SCHED_FLAG_UTIL_CLAMP_MAX.
    pub flags: u32,
    /// As prctl(PR_GET_TIMERSLACK), in nanoseconds.
    pub timer_slack_ns: u64,
    /// Number of words of the affinity mask.
    pub affinity: u32,
    /// Must be zero.
    pub reserved: u32,
    /// Lower utilization clamp, with SCHED_FLAG_UTIL_CLAMP_MIN; otherwise 0.
    pub util_min: u32,
    /// Upper utilization clamp, with SCHED_FLAG_UTIL_CLAMP_MAX; otherwise 0.
    pub util_max: u32,
    /// Time slice as `sched_runtime` of sched_setattr(2), in nanoseconds; 0 for the scheduler's own.
    pub slice_ns: u64,
}
record!(Sched, Sched, 48);
