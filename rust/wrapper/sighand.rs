// SPDX-License-Identifier: GPL-2.0

//! Signal actions, masks, pending queues and interval timers.
//!
//! C header: [`include/linux/sched/signal.h`](srctree/include/linux/sched/signal.h)

use super::{
    bindings,
    task::Task, //
};
use kernel::prelude::*;

/// As `struct kernel_sigaction`: handler, flags, restorer, mask.
pub(crate) type Action = [u64; 4];

/// `siginfo_t`.
pub(crate) type Siginfo = [u8; 128];

/// Blocked signals and alternate stack of a thread.
pub(crate) struct Mask {
    /// Signals that are blocked when the thread is back in user mode.
    pub(crate) blocked: u64,
    /// Base address, size, SS_* flags.
    pub(crate) altstack: (u64, u64, u32),
}

/// Mask in which everything is blocked that can be: not SIGKILL and SIGSTOP.
pub(crate) const BLOCKABLE: u64 = !(1 << 8 | 1 << 18);

/// One interval timer: period and time left, in nanoseconds.
#[derive(Clone, Copy, Default)]
pub(crate) struct Itimer {
    /// Period.
    pub(crate) interval_ns: u64,
    /// Time left, 0 when it is not armed.
    pub(crate) value_ns: u64,
}

/// `sighand->siglock` of a task.
///
/// # Invariants
///
/// The lock is held, and the task's `sighand` and `signal` do not go away.
struct Siglock<'a> {
    task: &'a Task,
    flags: usize,
}

impl<'a> Siglock<'a> {
    /// `ESRCH` when the task has been reaped.
    fn lock(task: &'a Task) -> Result<Self> {
        let mut flags = 0;
        // SAFETY: the task is alive.
        let sighand = unsafe { bindings::ckpt_lock_task_sighand(task.as_ptr(), &mut flags) };
        if sighand.is_null() {
            return Err(ESRCH);
        }
        // INVARIANT: the function returned with the lock held.
        Ok(Self { task, flags })
    }
}

impl Drop for Siglock<'_> {
    fn drop(&mut self) {
        // SAFETY: held, by the type's invariant.
        unsafe { bindings::ckpt_unlock_task_sighand(self.task.as_ptr(), &mut self.flags) }
    }
}

/// All 64 signal actions of the process.
pub(crate) fn actions(task: &Task) -> Result<KVec<Action>> {
    let mut out = KVec::zeroed(64, GFP_KERNEL_ACCOUNT)?;
    let lock = Siglock::lock(task)?;
    // SAFETY: the lock is held, so the array is there and does not change.
    unsafe {
        let sighand = (*lock.task.as_ptr()).sighand;
        for (o, a) in out.iter_mut().zip((*sighand).action.iter()) {
            *o = [
                a.sa.sa_handler.map_or(0, |h| h as usize as u64),
                a.sa.sa_flags as u64,
                a.sa.sa_restorer.map_or(0, |h| h as usize as u64),
                a.sa.sa_mask.sig[0] as u64,
            ];
        }
    }
    Ok(out)
}

/// Blocked signals and alternate stack of the (stopped) thread.
pub(crate) fn mask(task: &Task) -> Mask {
    let t = task.as_ptr();
    // SAFETY: the task is alive and stopped (or the caller), so nobody changes the words.
    unsafe {
        // In ppoll(2), sigsuspend(2), ... the temporary mask is in `blocked`; the restarted call installs it again.
        let blocked = if bindings::ckpt_test_restore_sigmask(t) {
            (*t).saved_sigmask.sig[0]
        } else {
            (*t).blocked.sig[0]
        };
        Mask {
            blocked: blocked as u64,
            altstack: ((*t).sas_ss_sp as u64, (*t).sas_ss_size as u64, (*t).sas_ss_flags),
        }
    }
}

/// Signals that wait for the thread (or, with `shared`, for the process), in the order of the queue.
pub(crate) fn pending(task: &Task, shared: bool) -> Result<KVVec<Siginfo>> {
    // RLIMIT_SIGPENDING bounds the queue, not us: count first, then copy, until the count holds.
    let mut room = 16;
    loop {
        let mut out: KVVec<Siginfo> = KVVec::with_capacity(room, GFP_KERNEL_ACCOUNT)?;
        let lock = Siglock::lock(task)?;
        let t = lock.task.as_ptr();
        // SAFETY: the lock is held, so the queue and the signal struct are there.
        let pending = unsafe {
            if shared {
                &raw const (*(*t).signal).shared_pending
            } else {
                &raw const (*t).pending
            }
        };
        // SAFETY: the lock keeps the list and the set as they are.
        let (found, complete) = unsafe { copy_queue(pending, &mut out) };
        drop(lock);
        if complete {
            return Ok(out);
        }
        room = found + 16;
    }
}

/// # Safety
///
/// The siglock that protects `pending` must be held.
unsafe fn copy_queue(pending: *const bindings::sigpending, out: &mut KVVec<Siginfo>) -> (usize, bool) {
    // SAFETY: no preconditions.
    let len = unsafe { bindings::ckpt_siginfo_len() }.min(128);
    // SAFETY: the lock is held.
    let (head, mut set) = unsafe { (&raw const (*pending).list, (*pending).signal.sig[0] as u64) };
    let mut found = 0;
    let mut complete = true;
    let mut add = |info: Siginfo| {
        found += 1;
        complete &= out.push_within_capacity(info).is_ok();
    };
    // SAFETY: the lock is held; entries of the list are `struct sigqueue`, whose first field is the list node.
    unsafe {
        let mut node = (*head).next.cast_const();
        while node != head {
            let q = node.cast::<bindings::sigqueue>();
            let mut info = [0u8; 128];
            core::ptr::copy_nonoverlapping((&raw const (*q).info).cast::<u8>(), info.as_mut_ptr(), len);
            let signo = i32::from_ne_bytes([info[0], info[1], info[2], info[3]]);
            if (1..=64).contains(&signo) {
                set &= !(1 << (signo - 1));
            }
            // The signal of a POSIX timer is part of the timer.
            if !bindings::ckpt_is_timer_signal(q) {
                add(info);
            }
            node = (*node).next.cast_const();
        }
    }
    // A signal without a queue entry (the queue was full) is delivered as SI_USER from nobody.
    for signo in 1..=64u32 {
        if set & (1 << (signo - 1)) != 0 {
            let mut info = [0u8; 128];
            info[..4].copy_from_slice(&signo.to_ne_bytes());
            add(info);
        }
    }
    (found, complete)
}

/// ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF of the process.
pub(crate) fn itimers(task: &Task) -> Result<[Itimer; 3]> {
    let mut cputime = bindings::task_cputime::default();
    // SAFETY: the task is alive.
    unsafe { bindings::ckpt_thread_group_cputime(task.as_ptr(), &mut cputime) };
    let lock = Siglock::lock(task)?;
    let mut out = [Itimer::default(); 3];
    // SAFETY: the lock is held, so the signal struct is there and the timers do not change.
    unsafe {
        let signal = (*lock.task.as_ptr()).signal;
        let interval_ns = (*signal).it_real_incr as u64;
        let left = bindings::ckpt_hrtimer_remaining_ns(&raw const (*signal).real_timer);
        out[0] = Itimer {
            interval_ns,
            // A periodic one that has fired is armed again when its signal is taken, which a stopped task does not do.
            value_ns: if left == 0 { interval_ns } else { left },
        };
        // CPUCLOCK_PROF counts user and system time, CPUCLOCK_VIRT user time.
        let used = [cputime.utime, cputime.utime + cputime.stime];
        for (i, used) in used.into_iter().enumerate() {
            // signal->it[]: CPUCLOCK_PROF is 0, CPUCLOCK_VIRT is 1.
            let it = &(*signal).it[1 - i];
            out[1 + i] = Itimer {
                interval_ns: it.incr,
                value_ns: if it.expires == 0 {
                    0
                } else {
                    it.expires.saturating_sub(used).max(1)
                },
            };
        }
    }
    Ok(out)
}
