// SPDX-License-Identifier: GPL-2.0

//! POSIX timers.
//!
//! C header: [`include/linux/posix-timers.h`](srctree/include/linux/posix-timers.h)

use super::{
    bindings,
    pid::PidNs,
    syscall::CurrentTask,
    task::Task, //
};
use kernel::prelude::*;

/// One timer.
#[derive(Clone, Copy)]
pub(crate) struct PosixTimer {
    /// Its number.
    pub(crate) id: i32,
    /// Its clock.
    pub(crate) clock: i32,
    /// SIGEV_*.
    pub(crate) notify: u32,
    /// Its signal.
    pub(crate) signo: i32,
    /// Thread that gets the signal, 0 for the process.
    pub(crate) thread: u32,
    /// Thread or process whose time a CPU clock counts.
    pub(crate) clock_owner: u32,
    /// It has expired, and its signal has not been taken.
    pub(crate) pending: bool,
    /// `value_ns` is a time of CLOCK_REALTIME.
    pub(crate) absolute: bool,
    /// The thread that it needs has exited.
    pub(crate) dead: bool,
    /// It counts the time of another process.
    pub(crate) foreign: bool,
    /// `sigev_value`.
    pub(crate) sigval: u64,
    /// Period.
    pub(crate) interval_ns: u64,
    /// Time left, 0 when it is not armed.
    pub(crate) value_ns: u64,
    /// Expirations since the pending signal was queued.
    pub(crate) overrun: u64,
    /// As timer_getoverrun(2).
    pub(crate) overrun_last: u32,
}

/// Timers that are looked at in one go.
const LOT: usize = 64;

/// All timers of the process, oldest first.
pub(crate) fn posix_timers(task: &Task, ns: &PidNs) -> Result<KVVec<PosixTimer>> {
    let mut out = KVVec::new();
    loop {
        let mut lot: KVec<bindings::ckpt_timer> = KVec::with_capacity(LOT, GFP_KERNEL_ACCOUNT)?;
        // SAFETY: task and namespace are alive, so is the signal struct; the array has `LOT` entries; the helper locks.
        let n = unsafe {
            bindings::ckpt_timers(
                task.as_ptr(),
                ns.as_ptr(),
                out.len() as u32,
                lot.as_mut_ptr(),
                LOT as u32,
            )
        } as usize;
        for i in 0..n.min(LOT) {
            // SAFETY: the helper has filled that many entries of the array.
            let t = unsafe { core::ptr::read(lot.as_ptr().add(i)) };
            out.push(
                PosixTimer {
                    id: t.id,
                    clock: t.clock,
                    notify: t.notify as u32,
                    signo: t.signo,
                    thread: t.thread,
                    clock_owner: t.clock_owner,
                    pending: t.pending,
                    absolute: t.absolute,
                    dead: t.dead,
                    foreign: t.foreign,
                    sigval: t.sigval,
                    interval_ns: t.interval_ns,
                    value_ns: t.value_ns,
                    overrun: t.overrun,
                    overrun_last: t.overrun_last,
                },
                GFP_KERNEL_ACCOUNT,
            )?;
        }
        if n < LOT {
            out.reverse();
            return Ok(out);
        }
    }
}

/// Number that the next timer gets, and whether timer_create(2) takes it from the caller.
pub(crate) fn numbering(task: &Task) -> (u32, bool) {
    // SAFETY: the task is alive, so is its signal struct; single words.
    unsafe {
        (
            bindings::ckpt_next_timer_id(task.as_ptr()),
            bindings::ckpt_timer_restore_ids(task.as_ptr()),
        )
    }
}

impl CurrentTask {
    /// Lets the caller's next timer have this number, which is not negative.
    pub(crate) fn set_next_timer_id(&self, next: u32) {
        // SAFETY: the caller's own signal struct; an atomic word, which timer_create(2) takes for a number after a check.
        unsafe { bindings::ckpt_set_next_timer_id(next & i32::MAX as u32) }
    }

    /// Ends the restore of one of the caller's timers: counters and expiry that no system call sets. `cpu_now` is the time of
    /// a CPU clock. `EAGAIN` when its signal should be pending, and is not.
    pub(crate) fn finish_timer(&self, t: &PosixTimer, cpu_now: u64) -> Result {
        let want = bindings::ckpt_timer {
            id: t.id,
            clock: t.clock,
            pending: t.pending,
            absolute: t.absolute,
            value_ns: t.value_ns,
            overrun: t.overrun,
            overrun_last: t.overrun_last,
            ..Default::default()
        };
        // SAFETY: the caller's own timers; the helper locks, and changes only the timer with that number.
        kernel::error::to_result(unsafe { bindings::ckpt_timer_finish(&want, cpu_now) })
    }
}
