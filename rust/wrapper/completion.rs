// SPDX-License-Identifier: GPL-2.0

//! Completions with a killable wait, which `kernel::sync::Completion` lacks.
//!
//! C header: [`include/linux/completion.h`](srctree/include/linux/completion.h)

use super::{bindings, task::Task};
use kernel::{prelude::*, types::Opaque};

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// The completion is done.
    Done,
    /// The time is over.
    Timeout,
    /// A fatal signal came.
    Killed,
}

/// `struct completion`.
///
/// # Invariants
///
/// Initialised, and pinned while anybody waits (it lives in a heap allocation that is never moved out of).
#[pin_data]
pub(crate) struct Completion {
    #[pin]
    inner: Opaque<bindings::completion>,
}

// SAFETY: a completion is made to be shared; its functions lock inside.
unsafe impl Send for Completion {}
// SAFETY: as above.
unsafe impl Sync for Completion {}

impl Completion {
    /// A completion that is not done.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: the slot is valid for writes, and the function initialises all of it.
            inner <- Opaque::ffi_init(|slot| unsafe { bindings::ckpt_init_completion(slot) }),
        })
    }

    /// Lets all waiters go, now and later.
    pub(crate) fn complete_all(&self) {
        // SAFETY: initialised, by the type's invariant.
        unsafe { bindings::complete_all(self.inner.get()) }
    }

    /// Lets one waiter go, now or later.
    pub(crate) fn complete(&self) {
        // SAFETY: initialised, by the type's invariant.
        unsafe { bindings::complete(self.inner.get()) }
    }

    /// Waits at most `ms` milliseconds; only a fatal signal interrupts.
    pub(crate) fn wait_killable(&self, ms: u32) -> Waited {
        let jiffies = (u64::from(ms) * u64::from(bindings::HZ)).div_ceil(1000) as usize;
        // SAFETY: initialised, by the type's invariant; callers are in process context without locks.
        match unsafe { bindings::wait_for_completion_killable_timeout(self.inner.get(), jiffies) } {
            0 => Waited::Timeout,
            n if n < 0 => Waited::Killed,
            _ => Waited::Done,
        }
    }

    /// Waits for good, as a parent in vfork(2) does: killable, freezable by suspend.
    pub(crate) fn wait_vfork(&self) {
        // SAFETY: initialised, by the type's invariant; callers are in process context without locks.
        unsafe {
            bindings::wait_for_completion_state(self.inner.get(), bindings::TASK_KILLABLE | bindings::TASK_FREEZABLE)
        };
    }

    /// The exec or exit of the calling task completes it. Whoever owns it calls [`Self::forget_vfork`] before it goes.
    pub(crate) fn complete_at_exec(&self) {
        // SAFETY: initialised; it lives until `forget_vfork`, by the contract above.
        unsafe { bindings::ckpt_set_vfork_done(self.inner.get()) }
    }

    /// Takes back what `child` did by [`Self::complete_at_exec`].
    pub(crate) fn forget_vfork(&self, child: &Task) {
        // SAFETY: the task is alive; the helper locks.
        unsafe { bindings::ckpt_clear_vfork_done(child.as_ptr(), self.inner.get()) }
    }

    /// Waits for good, as a parked task does: killable, freezable by suspend, not counted in the load average.
    pub(crate) fn wait_parked(&self) {
        let state = bindings::TASK_KILLABLE | bindings::TASK_NOLOAD | bindings::TASK_FREEZABLE;
        // SAFETY: initialised, by the type's invariant; callers are in process context without locks.
        unsafe { bindings::wait_for_completion_state(self.inner.get(), state) };
    }
}
