// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Signals: masks, alternate stack, actions, pending queues.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{entry, record};

/// Number of signals; signal N is bit N-1 of a mask and entry N-1 of the actions.
pub const SIGNALS: usize = 64;

/// Body of a signal mask record (per thread).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Mask {
    /// Blocked signals. For a task inside ppoll(2), sigsuspend(2) and the like: the mask it returns to.
    pub blocked: u64,
    /// Alternate stack: base address, as sigaltstack(2).
    pub altstack_sp: u64,
    /// Alternate stack: size in bytes.
    pub altstack_size: u64,
    /// Alternate stack: SS_DISABLE, SS_AUTODISARM.
    pub altstack_flags: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(Mask, SignalMask, 32);

/// One signal action, as rt_sigaction(2) takes it.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Action {
    /// Handler address, SIG_DFL (0) or SIG_IGN (1).
    pub handler: u64,
    /// SA_* flags.
    pub flags: u64,
    /// Address of the return trampoline.
    pub restorer: u64,
    /// Signals blocked while the handler runs.
    pub mask: u64,
}
entry!(Action, 32);

/// Body of a signal action record (per process).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Actions {
    /// Entry N-1 is the action of signal N.
    pub actions: [Action; SIGNALS],
}
record!(Actions, SignalAction, 2048);

/// Fixed part of a pending signals record; [`Info`] entries follow in queue order.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Pending {
    /// 0: of the thread; 1: of the whole process.
    pub shared: u32,
    /// Number of entries.
    pub count: u32,
}
record!(Pending, SignalPending, 8);

/// One queued signal: `siginfo_t` as rt_sigqueueinfo(2) takes it.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Info {
    /// The bytes of `siginfo_t`.
    pub siginfo: [u8; 128],
}
entry!(Info, 128);
