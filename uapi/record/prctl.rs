// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! What prctl(2) sets for a thread, or for its process, and no other record has.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Values of [`Prctl::flags`].
pub mod flags {
    /// PR_SET_CHILD_SUBREAPER; of the process, in its leader's record.
    pub const CHILD_SUBREAPER: u32 = 1 << 0;
    /// PR_SET_SYSCALL_USER_DISPATCH: the `dispatch` fields are valid.
    pub const USER_DISPATCH: u32 = 1 << 1;
    /// All known flags.
    pub const ALL: u32 = CHILD_SUBREAPER | USER_DISPATCH;
}

/// Body of a prctl record.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Prctl {
    /// [`flags`].
    pub flags: u32,
    /// As PR_MCE_KILL_GET.
    pub mce_kill: u32,
    /// As PR_GET_SPECULATION_CTRL of PR_SPEC_STORE_BYPASS.
    pub store_bypass: u32,
    /// As PR_GET_SPECULATION_CTRL of PR_SPEC_INDIRECT_BRANCH.
    pub indirect_branch: u32,
    /// As PR_GET_SPECULATION_CTRL of PR_SPEC_L1D_FLUSH.
    pub l1d_flush: u32,
    /// Must be zero.
    pub reserved: u32,
    /// Address of the selector of PR_SET_SYSCALL_USER_DISPATCH; 0 without one.
    pub dispatch_selector: u64,
    /// First address whose system calls are never dispatched (with wrap-around, where only a range is).
    pub dispatch_offset: u64,
    /// Length of that range.
    pub dispatch_len: u64,
}
record!(Prctl, Prctl, 48);
