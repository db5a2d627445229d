// SPDX-License-Identifier: GPL-2.0

//! Parking: a task stops itself at the edge to user mode and waits there.
//!
//! A `task_work` with TWA_SIGNAL takes the task out of interruptible sleeps without a signal that anybody could see; its
//! callback runs in the task, in `get_signal()`, before a signal is taken from the queue.
//!
//! C header: [`include/linux/task_work.h`](srctree/include/linux/task_work.h)

use super::{
    bindings,
    completion::{Completion, Waited},
    task::Task,
    uring, //
};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use kernel::{
    new_spinlock,
    prelude::*,
    sync::{Arc, SpinLock},
    types::Opaque, //
};

/// Where a task is on its way into the park.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The request is queued.
    Queued,
    /// The task stands still.
    Parked,
    /// The task was where it must not stand still: it is to be asked again.
    Bounced,
    /// The task was on its way out, and will not park.
    Exited,
}

/// What a parked task can be sent for.
pub(crate) type Errand = fn();

const QUEUED: u32 = 0;
const PARKED: u32 = 1;
const EXITED: u32 = 2;
/// The request was taken back while the callback was about to run: it returns at once.
const CANCELLED: u32 = 3;
const BOUNCED: u32 = 4;

/// A request to one task to park.
///
/// # Invariants
///
/// While the work is queued or its callback runs, the task owns one reference to this value.
#[pin_data]
pub(crate) struct Park {
    work: Opaque<bindings::callback_head>,
    state: AtomicU32,
    #[pin]
    parked: Completion,
    #[pin]
    go: Completion,
    /// What the task is to do before it stands still again.
    #[pin]
    errand: SpinLock<Option<Errand>>,
    /// It stands still inside of a system call that will go on.
    inside: AtomicBool,
    task: Task,
}

// SAFETY: `work` is touched by the kernel's task_work functions only; the rest is Send and Sync.
unsafe impl Send for Park {}
// SAFETY: as above.
unsafe impl Sync for Park {}

impl Park {
    /// Asks `task` to park. `ESRCH` when it is exiting.
    pub(crate) fn request(task: Task) -> Result<Arc<Self>> {
        let park = Arc::pin_init(
            pin_init!(Self {
                work: Opaque::zeroed(),
                state: AtomicU32::new(QUEUED),
                parked <- Completion::new(),
                go <- Completion::new(),
                errand <- new_spinlock!(None),
                inside: AtomicBool::new(false),
                task,
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        park.queue()?;
        Ok(park)
    }

    /// Asks the task again, if it was where it must not stand still. `ESRCH` when it is exiting.
    pub(crate) fn ask_again(self: &Arc<Self>) -> Result {
        let was = self
            .state
            .compare_exchange(BOUNCED, QUEUED, Ordering::AcqRel, Ordering::Acquire);
        was.map_or(Ok(()), |_| self.queue())
    }

    /// Queues the work, with the task's reference.
    fn queue(self: &Arc<Self>) -> Result {
        let park = self;
        let theirs = Arc::into_raw(park.clone());
        // The callback is code of the module, and may run long after the session is closed (behind other task works).
        // SAFETY: the caller holds the module by an open file.
        unsafe { bindings::ckpt_module_get() };
        // SAFETY: `work` is ours until it is queued.
        unsafe { (*park.work.get()).func = Some(callback) };
        // SAFETY: the task is alive, and the work lives until its callback has run, since the task owns `theirs`.
        let ret = unsafe {
            bindings::task_work_add(
                park.task.as_ptr(),
                park.work.get(),
                bindings::task_work_notify_mode_TWA_SIGNAL,
            )
        };
        if ret != 0 {
            // SAFETY: the work was not queued, so both references came back to us.
            unsafe {
                drop(Arc::from_raw(theirs));
                bindings::ckpt_module_put();
            }
            return Err(ESRCH);
        }
        Ok(())
    }

    /// The task.
    pub(crate) fn task(&self) -> &Task {
        &self.task
    }

    /// Where the task is.
    pub(crate) fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            QUEUED => State::Queued,
            PARKED => State::Parked,
            BOUNCED => State::Bounced,
            _ => State::Exited,
        }
    }

    /// Waits at most `ms` milliseconds for the task to park or to exit.
    pub(crate) fn wait(&self, ms: u32) -> Waited {
        self.parked.wait_killable(ms)
    }

    /// Whether it stands still inside of a system call that will go on.
    pub(crate) fn is_inside(&self) -> bool {
        self.inside.load(Ordering::Acquire)
    }

    /// Has a parked task do something, in its own context and outside of all locks, unless it does so already.
    pub(crate) fn send(&self, errand: Errand) {
        // Each errand wakes it once: without one it takes that for the end.
        if self.state() == State::Parked && self.errand.lock().replace(errand).is_none() {
            self.go.complete();
        }
    }

    /// Whether it still does what it was sent for. Who is killed may never do it.
    pub(crate) fn runs_errand(&self) -> bool {
        self.errand.lock().is_some() && !self.task.is_dying()
    }

    /// Stands still until it is let go, or killed.
    fn stand(&self) {
        loop {
            self.go.wait_parked();
            let Some(errand) = *self.errand.lock() else { return };
            errand();
            *self.errand.lock() = None;
        }
    }

    /// Lets the task go, or takes the request back.
    pub(crate) fn release(&self) {
        // SAFETY: the task is alive; the work is this value's.
        let cancelled = unsafe { bindings::ckpt_task_work_cancel(self.task.as_ptr(), self.work.get()) };
        if cancelled {
            // SAFETY: the work was taken off the queue, so the task's references came back to us. `self` is a second one.
            unsafe {
                drop(Arc::from_raw(core::ptr::from_ref(self)));
                bindings::ckpt_module_put();
            }
            return;
        }
        let _ = self
            .state
            .compare_exchange(QUEUED, CANCELLED, Ordering::AcqRel, Ordering::Acquire);
        self.go.complete_all();
    }
}

/// Runs in the task that is to park.
///
/// # Safety
///
/// Called by `task_work_run` with the work of a [`Park`] whose second reference the task owns.
unsafe extern "C" fn callback(work: *mut bindings::callback_head) {
    let offset = core::mem::offset_of!(Park, work);
    // SAFETY: `work` is the field of a live `Park`, and this call takes over the task's reference.
    let park = unsafe { Arc::from_raw(work.cast::<u8>().sub(offset).cast::<Park>().cast_const()) };
    // Older works come after this one: a restored task gets its registers by one. Queue up behind them, without a signal:
    // `task_work_run` goes on until its list is empty, and what runs before must not look interrupted.
    // SAFETY: `task_work_run` reads `next` before it calls, so the work is ours now.
    if unsafe { !(*work).next.is_null() } && park.state() == State::Queued {
        let theirs = Arc::into_raw(park);
        // SAFETY: the current task is alive; its references to the park and the module stay with the queued work.
        let ret = unsafe {
            bindings::task_work_add(bindings::ckpt_current(), work, bindings::task_work_notify_mode_TWA_NONE)
        };
        if ret == 0 {
            return;
        }
        // On its way out.
        // SAFETY: the work was not queued: the references are ours again.
        unsafe {
            let park = Arc::from_raw(theirs);
            park.state.store(EXITED, Ordering::Release);
            park.parked.complete_all();
            drop(park);
            bindings::ckpt_module_put();
        }
        return;
    }

    let place = place();
    let next = match place {
        _ if park.task.is_exiting() => EXITED,
        Place::Cancel => BOUNCED,
        _ => PARKED,
    };
    if next == PARKED && place == Place::Edge {
        fix_interrupted();
    }
    let was = park
        .state
        .compare_exchange(QUEUED, next, Ordering::AcqRel, Ordering::Acquire);
    match place {
        Place::Wait(seen) if was.is_ok() && next == PARKED => stand_inside(&park, seen),
        _ => {
            if next != BOUNCED {
                park.parked.complete_all();
            }
            if was.is_ok() && next == PARKED {
                park.stand();
            }
        }
    }
    drop(park);
    // SAFETY: the reference that `request` took; unloading waits for tasks in these last instructions.
    unsafe { bindings::ckpt_module_put() };
}

/// Where a callback runs in its task.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the edge to user mode.
    Edge,
    /// In a system call that does what is queued while it waits, as those of io_uring. The result that the task would have if a signal
    /// came.
    Wait(u64),
    /// In execve(2) or on its way out, with locks.
    Cancel,
}

fn place() -> Place {
    if uring::is_cancelling() {
        return Place::Cancel;
    }
    // SAFETY: the callback runs in the current task with its user registers saved.
    let regs = unsafe { &*bindings::ckpt_task_pt_regs(bindings::ckpt_current()) };
    uring::interrupted(regs).map_or(Place::Edge, Place::Wait)
}

/// Stands still in a system call that will go on. Who looks at it meanwhile sees `result`.
fn stand_inside(park: &Park, result: u64) {
    // SAFETY: the callback runs in the current task with its user registers saved; nobody else changes them.
    let regs = unsafe { bindings::ckpt_task_pt_regs(bindings::ckpt_current()) };
    // SAFETY: as above.
    let before = unsafe { core::mem::replace(&mut (*regs).ax, result as usize) };
    park.inside.store(true, Ordering::Release);
    park.parked.complete_all();
    park.stand();
    // SAFETY: as above.
    unsafe { (*regs).ax = before };
}

/// System calls that return EINTR without a signal: they are to be restarted, so that the program sees nothing.
const RETURN_EINTR: [u32; 8] = [
    bindings::__NR_epoll_wait,
    bindings::__NR_epoll_pwait,
    bindings::__NR_epoll_pwait2,
    bindings::__NR_rt_sigtimedwait,
    bindings::__NR_semtimedop,
    bindings::__NR_semop,
    bindings::__NR_io_getevents,
    bindings::__NR_io_uring_enter,
];

const EINTR_RET: u64 = -4_i64 as u64;
/// What a system call returns that begins anew if no handler runs.
pub(super) const ERESTARTNOHAND_RET: u64 = -514_i64 as u64;

fn fix_interrupted() {
    // SAFETY: the callback runs in the current task with its user registers saved; nobody else touches them now.
    unsafe {
        let regs = bindings::ckpt_task_pt_regs(bindings::ckpt_current());
        if (*regs).ax as u64 == EINTR_RET
            && !bindings::ckpt_task_sigpending()
            && RETURN_EINTR.iter().any(|nr| (*regs).orig_ax as u64 == u64::from(*nr))
        {
            (*regs).ax = ERESTARTNOHAND_RET as usize;
        }
    }
}

/// Dropping it waits until no callback can be running in the module's text any more: every open file holds the module, so
/// nobody is parked when it is unloaded, but a task may still be on its way out of the callback. So may what is freed later.
pub(crate) struct Quiesce;

impl Drop for Quiesce {
    fn drop(&mut self) {
        // SAFETY: process context. A task leaves the callback without a voluntary switch once its wait is over.
        unsafe {
            bindings::synchronize_rcu_tasks();
            bindings::rcu_barrier_tasks();
        }
    }
}
