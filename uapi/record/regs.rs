// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! User registers of x86-64, in the order of `struct user_regs_struct` (`sys/user.h`).

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Body of a register record.
///
/// `orig_ax` is the number of the interrupted system call, or -1. A negative `ax` of the `-ERESTART*` family
/// together with it means that the call goes on after the restart.
#[allow(missing_docs, reason = "the names are those of the processor")]
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Regs {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub bp: u64,
    pub bx: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub ax: u64,
    pub cx: u64,
    pub dx: u64,
    pub si: u64,
    pub di: u64,
    pub orig_ax: u64,
    pub ip: u64,
    pub cs: u64,
    pub flags: u64,
    pub sp: u64,
    pub ss: u64,
    pub fs_base: u64,
    pub gs_base: u64,
    pub ds: u64,
    pub es: u64,
    pub fs: u64,
    pub gs: u64,
}
record!(Regs, Regs, 216);
