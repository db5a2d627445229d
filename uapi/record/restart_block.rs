// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! How an interrupted system call goes on (`restart_syscall(2)`).

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Values of [`RestartBlock::kind`].
pub mod kind {
    /// nanosleep(2), clock_nanosleep(2) on a clock with a timer queue: `args[0]` is the address of the remaining time
    /// (or 0), `args[1]` its layout (1: 64-bit).
    pub const NANOSLEEP: u32 = 1;
    /// poll(2): `args[0]` is the array, `args[1]` its length.
    pub const POLL: u32 = 2;
    /// futex(2) wait: `args[0]` address, `args[1]` value, `args[2]` kernel flags of the wait, `args[3]` bitset.
    pub const FUTEX: u32 = 3;
    /// clock_nanosleep(2) on a CPU clock: as NANOSLEEP.
    pub const CPU_NANOSLEEP: u32 = 4;
}

/// Body of a restart block record.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RestartBlock {
    /// [`kind`].
    pub kind: u32,
    /// Clock of the sleep (CLOCK_*).
    pub clock: i32,
    /// 1 when there is a time limit.
    pub timed: u32,
    /// Must be zero.
    pub reserved: u32,
    /// Time left when the target stood still, in nanoseconds.
    pub remaining_ns: u64,
    /// By kind.
    pub args: [u64; 4],
}
record!(RestartBlock, RestartBlock, 56);
