// SPDX-License-Identifier: GPL-2.0

//! Tasks.
//!
//! C header: [`include/linux/sched.h`](srctree/include/linux/sched.h)

use super::{
    bindings,
    mm::{Mm, Policy},
    pid::PidNs,
    symbol::RestartFn,
    time::clock, //
};
use core::ptr::NonNull;
use kernel::prelude::*;

pub(crate) const SIGSTOP: i32 = 19;

/// A task with a counted reference.
///
/// # Invariants
///
/// `0` points to a task on which this value owns one `get_task_struct` reference.
pub(crate) struct Task(NonNull<bindings::task_struct>);

// SAFETY: a task's reference may be dropped in any context, and all accessors lock or read single words.
unsafe impl Send for Task {}
// SAFETY: as above.
unsafe impl Sync for Task {}

impl Drop for Task {
    fn drop(&mut self) {
        // SAFETY: the reference is owned, by the type's invariant.
        unsafe { bindings::ckpt_put_task_struct(self.0.as_ptr()) }
    }
}

impl Clone for Task {
    fn clone(&self) -> Self {
        // SAFETY: the task is alive, since `self` owns a reference.
        unsafe { bindings::ckpt_get_task_struct(self.0.as_ptr()) };
        // INVARIANT: the reference was just taken.
        Self(self.0)
    }
}

impl PartialEq for Task {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// Counts of who uses what a task may share; 0 when the task has lost it.
pub(crate) struct Sharing {
    /// Users of the descriptor table.
    pub(crate) files: i32,
    /// Users of root, working directory and umask.
    pub(crate) fs: i32,
    /// Users of the signal handlers.
    pub(crate) sighand: i32,
}

/// What a task may share with others, as addresses: equal for those who share, 0 when the task has lost it.
pub(crate) struct Shared {
    /// Address space.
    pub(crate) mm: usize,
    /// Descriptor table.
    pub(crate) files: usize,
    /// Root, working directory and umask.
    pub(crate) fs: usize,
    /// Signal handlers.
    pub(crate) handlers: usize,
}

/// Scheduling attributes.
pub(crate) struct SchedAttr {
    /// SCHED_*.
    pub(crate) policy: u32,
    /// Nice value.
    pub(crate) nice: i32,
    /// Static priority.
    pub(crate) priority: u32,
    /// SCHED_FLAG_RESET_ON_FORK is set.
    pub(crate) reset_on_fork: bool,
    /// In nanoseconds.
    pub(crate) timer_slack_ns: u64,
    /// Time slice that was asked for, in nanoseconds; 0 for the scheduler's own.
    pub(crate) slice_ns: u64,
    /// Lower and upper utilization clamp; -1 when it is not set.
    pub(crate) util_clamp: [i32; 2],
}

/// What the thread has registered with the kernel by address.
pub(crate) struct Registered {
    /// set_tid_address(2).
    pub(crate) clear_child_tid: u64,
    /// set_robust_list(2).
    pub(crate) robust_list: u64,
    /// rseq(2): address, length, signature; address 0 without one.
    pub(crate) rseq: (u64, u32, u32),
}

/// Remains of an interrupted system call.
pub(crate) enum Restart {
    /// nanosleep and clock_nanosleep: clock, layout and address of the remaining time, expiry in nanoseconds.
    Sleep(RestartFn, i32, u32, u64, u64),
    /// poll: array, length, expiry in nanoseconds of CLOCK_MONOTONIC.
    Poll(u64, u32, Option<u64>),
    /// futex wait: address, value, flags, bitset, expiry in nanoseconds.
    Futex(u64, u32, u32, u32, u64),
}

impl Restart {
    /// Turns relative times into times of their clock, counted from now.
    pub(crate) fn counted_from_now(self) -> Self {
        let at = |c: i32, left: u64| clock::now(c).unwrap_or(0).saturating_add(left);
        match self {
            Self::Sleep(f, c, layout, rmtp, left) => Self::Sleep(f, c, layout, rmtp, at(c, left)),
            Self::Poll(ufds, nfds, left) => Self::Poll(ufds, nfds, left.map(|l| at(clock::MONOTONIC, l))),
            Self::Futex(uaddr, val, flags, bitset, left) => {
                // FLAGS_CLOCKRT
                let c = if flags & 0x20 != 0 {
                    clock::REALTIME
                } else {
                    clock::MONOTONIC
                };
                Self::Futex(uaddr, val, flags, bitset, at(c, left))
            }
        }
    }
}

/// All that a helper lists.
///
/// # Safety
///
/// `list` must store no more tasks than it is told, each with a reference, at the address that it gets, and return how many there are.
pub(super) unsafe fn listed(list: impl Fn(*mut *mut bindings::task_struct, u32) -> u32) -> Result<KVVec<Task>> {
    let mut room = 8usize;
    loop {
        let mut raw: KVVec<*mut bindings::task_struct> = KVVec::with_capacity(room, GFP_KERNEL_ACCOUNT)?;
        let mut out = KVVec::with_capacity(room, GFP_KERNEL_ACCOUNT)?;
        let n = list(raw.as_mut_ptr(), room as u32) as usize;
        for i in 0..n.min(room) {
            // SAFETY: that many tasks have been stored, with a reference on each.
            if let Some(t) = unsafe { Task::from_raw(*raw.as_ptr().add(i)) } {
                out.push(t, GFP_KERNEL_ACCOUNT)?;
            }
        }
        if n <= room {
            return Ok(out);
        }
        // Some more may come meanwhile.
        room = n.saturating_add(16);
    }
}

impl Task {
    /// The calling task.
    pub(crate) fn current() -> Self {
        // SAFETY: `current` is alive while it runs.
        let t = unsafe { bindings::ckpt_get_task_struct(bindings::ckpt_current()) };
        // SAFETY: `current` is never NULL.
        // INVARIANT: the reference was just taken.
        Self(unsafe { NonNull::new_unchecked(t) })
    }

    /// # Safety
    ///
    /// `t` must be NULL, or a task with a reference that the caller gives away.
    pub(super) unsafe fn from_raw(t: *mut bindings::task_struct) -> Option<Self> {
        // INVARIANT: by the contract of this function.
        NonNull::new(t).map(Self)
    }

    /// The leader of the process with this number in the caller's pid namespace.
    pub(crate) fn from_vpid(pid: i32) -> Result<Self> {
        // SAFETY: no preconditions; the returned reference is put below.
        let p = unsafe { bindings::find_get_pid(pid) };
        // SAFETY: NULL or referenced; the function takes a reference on the task that it returns.
        let t = unsafe { bindings::get_pid_task(p, bindings::pid_type_PIDTYPE_TGID) };
        // SAFETY: NULL or the reference taken above.
        unsafe { bindings::put_pid(p) };
        // INVARIANT: `get_pid_task` took the reference.
        NonNull::new(t).map(Self).ok_or(ESRCH)
    }

    /// The leader of the process that a pidfd of the caller refers to.
    pub(crate) fn from_pidfd(pidfd: i32) -> Result<Self> {
        let mut flags = 0;
        // SAFETY: the flags pointer is valid; the function returns a reference or an error pointer.
        let t = unsafe { bindings::ckpt_pidfd_get_task(pidfd, &mut flags) };
        let t = kernel::error::from_err_ptr(t)?;
        // INVARIANT: `pidfd_get_task` took the reference.
        let task = NonNull::new(t).map(Self).ok_or(ESRCH)?;
        Ok(task.leader())
    }

    /// The raw pointer, for other wrappers.
    pub(super) fn as_ptr(&self) -> *mut bindings::task_struct {
        self.0.as_ptr()
    }

    /// Address of the kernel object: the same for the same task.
    pub(crate) fn address(&self) -> usize {
        self.0.as_ptr() as usize
    }

    /// Whether this is the calling task.
    pub(crate) fn is_current(&self) -> bool {
        // SAFETY: no preconditions.
        self.as_ptr() == unsafe { bindings::ckpt_current() }
    }

    /// The leader of its thread group.
    pub(crate) fn leader(&self) -> Self {
        // SAFETY: the task is alive; the helper returns a reference.
        let t = unsafe { bindings::ckpt_group_leader(self.as_ptr()) };
        // SAFETY: a task always has a leader.
        // INVARIANT: the helper took the reference.
        Self(unsafe { NonNull::new_unchecked(t) })
    }

    /// Calls `f` for every thread of the group that this leader leads. `EAGAIN` when a thread went away in the middle: not
    /// all have been seen then.
    pub(crate) fn for_each_thread(&self, mut f: impl FnMut(Task) -> Result) -> Result {
        let mut prev = core::ptr::null_mut();
        loop {
            // SAFETY: the leader is alive; `prev` is NULL or carries a reference, which the helper takes over.
            let next = unsafe { bindings::ckpt_next_thread(self.as_ptr(), prev) };
            prev = kernel::error::from_err_ptr(next)?;
            let Some(t) = NonNull::new(prev) else {
                return Ok(());
            };
            // SAFETY: `prev` carries a reference, so it is alive.
            unsafe { bindings::ckpt_get_task_struct(prev) };
            // INVARIANT: the reference was just taken.
            if let Err(e) = f(Task(t)) {
                // SAFETY: the reference that the helper gave and that it will not take over any more.
                unsafe { bindings::ckpt_put_task_struct(prev) };
                return Err(e);
            }
        }
    }

    /// Thread id in the caller's pid namespace; 0 when it is not in it, or gone.
    pub(crate) fn tid(&self) -> i32 {
        self.nr(bindings::pid_type_PIDTYPE_PID)
    }

    /// Process id in the caller's pid namespace.
    pub(crate) fn tgid(&self) -> i32 {
        self.nr(bindings::pid_type_PIDTYPE_TGID)
    }

    fn nr(&self, kind: bindings::pid_type) -> i32 {
        // SAFETY: the task is alive; a NULL namespace means the caller's.
        unsafe { bindings::__task_pid_nr_ns(self.as_ptr(), kind, core::ptr::null_mut()) }
    }

    /// Thread id, process id, process group and session in a pid namespace; 0 when it, or that, is not in it.
    pub(crate) fn numbers_in(&self, ns: &PidNs) -> [u32; 4] {
        [
            bindings::pid_type_PIDTYPE_PID,
            bindings::pid_type_PIDTYPE_TGID,
            bindings::pid_type_PIDTYPE_PGID,
            bindings::pid_type_PIDTYPE_SID,
        ]
        // SAFETY: both are alive.
        .map(|kind| unsafe { bindings::__task_pid_nr_ns(self.as_ptr(), kind, ns.as_ptr()) } as u32)
    }

    /// Thread id and process id in the pid namespace that is so many levels above its own; 0 when there is none.
    pub(crate) fn numbers_above(&self, levels: u32) -> [u32; 2] {
        [bindings::pid_type_PIDTYPE_PID, bindings::pid_type_PIDTYPE_TGID]
            // SAFETY: the task is alive; the helper holds the RCU lock.
            .map(|kind| unsafe { bindings::ckpt_nr_above(self.as_ptr(), kind, levels) } as u32)
    }

    /// The leader of its parent's process. That may end meanwhile.
    pub(crate) fn parent(&self) -> Self {
        // SAFETY: the task is alive; the helper holds the RCU lock, and gives a task with a reference.
        unsafe { Self::from_raw(bindings::ckpt_parent(self.as_ptr())) }.unwrap_or_else(|| self.clone())
    }

    /// The children of its process, zombies too, in the order in which they came.
    pub(crate) fn children(&self) -> Result<KVVec<Task>> {
        // SAFETY: the task is alive, the array has that many entries; the helper locks and takes references.
        unsafe { listed(|out, max| bindings::ckpt_children(self.as_ptr(), out, max)) }
    }

    /// Whether its process has a child with this number, in the pid namespace so many levels above its own, that has not
    /// exited.
    pub(crate) fn has_live_child(&self, number: u32, levels: u32) -> bool {
        // SAFETY: the task is alive; the helper holds the RCU lock, and stops at the first pid namespace.
        unsafe { bindings::ckpt_has_live_child(self.as_ptr(), number as i32, levels) }
    }

    /// Whether it has exited, and waits for its parent to take its status.
    pub(crate) fn is_zombie(&self) -> bool {
        // SAFETY: the task is alive.
        unsafe { bindings::ckpt_exit_state(self.as_ptr()) as u32 & bindings::EXIT_ZOMBIE != 0 }
    }

    /// Whether it is on its way out, or will be when it runs next.
    pub(crate) fn is_dying(&self) -> bool {
        // SAFETY: the task is alive; single words.
        self.is_exiting() || unsafe { bindings::ckpt_is_killed(self.as_ptr()) }
    }

    /// Whether all threads of the process that it leads have ended.
    pub(crate) fn has_exited(&self) -> bool {
        (self.is_zombie() && self.nr_threads() <= 1) || self.is_dead()
    }

    /// Whether it has been reaped, or is being reaped: it is in no list any more.
    pub(crate) fn is_dead(&self) -> bool {
        // SAFETY: the task is alive.
        unsafe { bindings::ckpt_exit_state(self.as_ptr()) as u32 == bindings::EXIT_DEAD }
    }

    /// Status of a process that has exited, as wait(2) returns it.
    pub(crate) fn exit_status(&self) -> u32 {
        // SAFETY: the task is alive, so is its signal struct.
        unsafe { bindings::ckpt_exit_status(self.as_ptr()) as u32 }
    }

    /// What it may share.
    pub(crate) fn shared(&self) -> Shared {
        let mut s = bindings::ckpt_shared::default();
        // SAFETY: the task is alive; the helper locks.
        unsafe { bindings::ckpt_shared(self.as_ptr(), &mut s) };
        Shared {
            mm: s.mm as usize,
            files: s.files as usize,
            fs: s.fs as usize,
            handlers: s.handlers as usize,
        }
    }

    /// Sets the signal that `parent` gets when the process exits; `EPERM` when that is not its parent.
    pub(crate) fn set_exit_signal(&self, parent: &Task, signal: u32) -> Result {
        // SAFETY: both are alive; the helper locks.
        kernel::error::to_result(unsafe {
            bindings::ckpt_set_exit_signal(self.as_ptr(), parent.as_ptr(), signal as i32)
        })
    }

    /// The parent gets no signal when the process exits.
    pub(crate) fn exit_silently(&self) {
        // SAFETY: the task is alive; the helper locks, and takes NULL for any parent.
        unsafe { bindings::ckpt_set_exit_signal(self.as_ptr(), core::ptr::null_mut(), 0) };
    }

    /// As the kernel does it for a thread that exits: its children become those of another thread of its process. `EPERM` when that
    /// is none, `ESRCH` when it has exited.
    pub(crate) fn hand_over_children_to(&self, thread: &Task) -> Result {
        // SAFETY: both are alive; the helper locks.
        kernel::error::to_result(unsafe { bindings::ckpt_hand_over_children(self.as_ptr(), thread.as_ptr()) })
    }

    /// Makes a child of its process its own, as if this thread had made it. `EPERM` when it is none.
    pub(crate) fn take_child(&self, child: &Task) -> Result {
        // SAFETY: both are alive; the helper locks.
        kernel::error::to_result(unsafe { bindings::ckpt_take_child(self.as_ptr(), child.as_ptr()) })
    }

    /// Process id of the parent in a pid namespace; 0 when it is not in it.
    pub(crate) fn ppid_in(&self, ns: &PidNs) -> u32 {
        // SAFETY: both are alive; the helper takes the RCU lock for the parent.
        unsafe { bindings::ckpt_task_tgid_of_parent(self.as_ptr(), ns.as_ptr()) as u32 }
    }

    /// Command name.
    pub(crate) fn comm(&self) -> [u8; 16] {
        // SAFETY: the array is part of the task; a concurrent change tears at worst, and the last byte is always NUL.
        unsafe { core::ptr::read_volatile(&raw const (*self.as_ptr()).comm) }
    }

    /// Whether the caller may ptrace-attach to it (the kernel's own check).
    pub(crate) fn may_attach(&self) -> bool {
        // SAFETY: the task is alive.
        unsafe { bindings::ckpt_ptrace_may_access(self.as_ptr(), bindings::PTRACE_MODE_ATTACH_REALCREDS) }
    }

    fn flags(&self) -> u32 {
        // SAFETY: the task is alive; one word.
        unsafe { core::ptr::read_volatile(&raw const (*self.as_ptr()).flags) }
    }

    /// Whether it is a kernel thread.
    pub(crate) fn is_kernel_thread(&self) -> bool {
        self.flags() & bindings::PF_KTHREAD != 0
    }

    /// Whether it works for io_uring on requests of other threads, which it does not submit itself (IORING_SETUP_SQPOLL).
    pub(crate) fn is_io_worker(&self) -> bool {
        self.flags() & bindings::PF_IO_WORKER != 0 && !self.uses_io_uring()
    }

    /// Number of threads of its process, but those of the kernel that work for them.
    pub(crate) fn nr_own_threads(&self) -> Result<usize> {
        let mut own = self.nr_threads() as usize;
        self.for_each_thread(|t| {
            own = own.saturating_sub(usize::from(t.is_io_worker()));
            Ok(())
        })?;
        Ok(own)
    }

    /// Whether it has ever used io_uring.
    pub(crate) fn uses_io_uring(&self) -> bool {
        // SAFETY: the task is alive; one word, compared with NULL only.
        unsafe { !core::ptr::read_volatile(&raw const (*self.as_ptr()).io_uring).is_null() }
    }

    /// Whether it is a helper thread of the kernel inside the process (io_uring, vhost).
    pub(crate) fn is_user_worker(&self) -> bool {
        self.flags() & bindings::PF_USER_WORKER != 0
    }

    /// Whether it is on its way out or gone.
    pub(crate) fn is_exiting(&self) -> bool {
        // SAFETY: the task is alive; one word.
        let exit_state = unsafe { core::ptr::read_volatile(&raw const (*self.as_ptr()).exit_state) };
        self.flags() & bindings::PF_EXITING != 0 || exit_state != 0
    }

    /// Whether it stands still because of a job control signal.
    pub(crate) fn is_stopped(&self) -> bool {
        self.state() & bindings::TASK_STOPPED != 0
    }

    /// Whether it waits in vfork(2) for its child, or for another task as clone(2) can have it.
    pub(crate) fn is_vfork_parent(&self) -> bool {
        self.waits_killably() && (self.vfork_child().is_some() || self.waits_for_no_child())
    }

    fn waits_killably(&self) -> bool {
        self.state() & 0xffff & !bindings::TASK_FREEZABLE == bindings::TASK_KILLABLE
    }

    /// Whether it waits in clone(2) with CLONE_VFORK for a sibling or a thread of its own process.
    pub(crate) fn waits_for_no_child(&self) -> bool {
        // SAFETY: the task is alive; the helper locks.
        self.waits_killably() && unsafe { bindings::ckpt_waits_for_no_child(self.as_ptr()) }
    }

    /// The child for whose exec or exit it waits in vfork(2).
    pub(crate) fn vfork_child(&self) -> Option<Task> {
        // SAFETY: the task is alive; the helper locks and returns NULL or a reference.
        unsafe { Self::from_raw(bindings::ckpt_vfork_child(self.as_ptr())) }
    }

    /// Process id in the pid namespace of `other`.
    pub(crate) fn tgid_for(&self, other: &Task) -> Result<u32> {
        Ok(self.numbers_in(&PidNs::of(other)?)[1])
    }

    /// Scheduler state bits.
    pub(crate) fn state(&self) -> u32 {
        // SAFETY: the task is alive.
        unsafe { bindings::ckpt_task_state(self.as_ptr()) }
    }

    fn syscall_nr(&self) -> Option<u32> {
        // SAFETY: the task is alive; the helper looks whether its stack still is.
        let nr = unsafe { bindings::ckpt_task_orig_ax(self.as_ptr()) };
        u32::try_from(nr).ok()
    }

    /// Number of the system call that it is in, for messages.
    pub(crate) fn in_syscall(&self) -> Option<u32> {
        self.syscall_nr()
    }

    /// Name of the kernel function that it sleeps in, as /proc/PID/wchan; for messages.
    pub(crate) fn wait_channel(&self) -> Result<KVec<u8>> {
        let mut name = KVec::<u8>::zeroed(bindings::CKPT_SYMBOL_LEN as usize, GFP_KERNEL_ACCOUNT)?;
        // SAFETY: the task is alive; the buffer is as long as the helper wants it, and comes back NUL-terminated.
        unsafe { bindings::ckpt_wchan(self.as_ptr(), name.as_mut_ptr().cast()) };
        let length = name.iter().position(|b| *b == 0).unwrap_or(0);
        name.truncate(length);
        Ok(name)
    }

    /// Waits until it is off its processor, so that its registers are in memory.
    pub(crate) fn wait_inactive(&self) {
        if !self.is_current() {
            // SAFETY: the task is alive and not the caller; state 0 means any.
            unsafe {
                bindings::ckpt_let_sleep(self.as_ptr());
                bindings::ckpt_wait_task_inactive(self.as_ptr(), 0);
            }
        }
    }

    /// Sends SIGKILL to the process.
    pub(crate) fn kill(&self) {
        // SAFETY: the task is alive.
        unsafe { bindings::send_sig(9, self.as_ptr(), 1) };
    }

    /// Sends SIGSTOP to the process.
    pub(crate) fn stop(&self) {
        // SAFETY: the task is alive.
        unsafe { bindings::send_sig(SIGSTOP, self.as_ptr(), 1) };
    }

    /// The address space with a user reference, `None` when it has been given up.
    pub(crate) fn mm(&self) -> Option<Mm> {
        // SAFETY: the task is alive; the function takes a reference.
        unsafe { Mm::from_raw(bindings::get_task_mm(self.as_ptr())) }
    }

    /// Its first child, alive or waiting to be reaped: the process id.
    pub(crate) fn first_child(&self) -> Option<i32> {
        // SAFETY: the task is alive; the helper holds the RCU lock for the child.
        let pid = unsafe { bindings::ckpt_first_child(self.as_ptr()) };
        (pid != 0).then_some(pid)
    }

    /// Users of what it may share.
    pub(crate) fn sharing(&self) -> Sharing {
        let mut s = bindings::ckpt_sharing::default();
        // SAFETY: the task is alive; the helper locks.
        unsafe { bindings::ckpt_sharing(self.as_ptr(), &mut s) };
        Sharing {
            files: s.files,
            fs: s.fs,
            sighand: s.sighand,
        }
    }

    /// Everything about the thread that this version refuses, as words; calls `f` for each.
    pub(crate) fn unsupported(&self, mut f: impl FnMut(&'static str)) {
        let t = self.as_ptr();
        // SAFETY: the task is alive; the helpers and fields are single words read for a decision only. `signal` lives as
        // long as the task's reference (put in `__put_task_struct`).
        unsafe {
            if bindings::ckpt_has_other_label(t) {
                f("it has another security label (LSM) than the caller");
            }
            if bindings::ckpt_is_ia32(t) {
                f("it is a 32-bit program");
            }
            if bindings::ckpt_has_shadow_stack(t) {
                f("it has a user shadow stack");
            }
            if bindings::ckpt_has_io_bitmap(t) {
                f("it has permission for I/O ports");
            }
            if bindings::ckpt_has_breakpoints(t) {
                f("it has hardware breakpoints");
            }
            if bindings::ckpt_has_core_cookie(t) {
                f("it has a core scheduling cookie (PR_SCHED_CORE)");
            }
            if !(*t).io_uring_restrict.is_null() {
                f("its rings of io_uring are restricted (IORING_REGISTER_RESTRICTIONS or IORING_REGISTER_BPF_FILTER of a task)");
            }
            if !(*t).perf_event_ctxp.is_null() {
                f("it has perf events");
            }
        }
    }

    /// Whether it has requests of io_uring that have not completed, which can only be told of one that stands still. `EINTR` on a fatal
    /// signal.
    pub(crate) fn has_uring_requests(&self, stands: bool) -> Result<bool> {
        if !stands {
            return Ok(false);
        }
        // SAFETY: the task is alive, and with it its signal struct; the helper locks.
        let found = unsafe { bindings::ckpt_task_uring_requests(self.as_ptr()) };
        super::to_result(found as isize).map(|found| found != 0)
    }

    /// Whether prctl(PR_SET_TSC, PR_TSC_SIGSEGV) is set.
    pub(crate) fn tsc_is_off(&self) -> bool {
        // SAFETY: the task is alive; one bit.
        unsafe { bindings::ckpt_tsc_is_off(self.as_ptr()) }
    }

    /// Whether prctl(PR_SET_CHILD_SUBREAPER) is set for its process.
    pub(crate) fn is_subreaper(&self) -> bool {
        // SAFETY: the task is alive, so is its signal struct; one bit.
        unsafe { bindings::ckpt_is_subreaper(self.as_ptr()) }
    }

    /// As prctl(PR_MCE_KILL_GET).
    pub(crate) fn mce_kill(&self) -> u32 {
        // SAFETY: the task is alive; one word.
        unsafe { bindings::ckpt_mce_kill(self.as_ptr()) }
    }

    /// As prctl(PR_GET_SPECULATION_CTRL).
    pub(crate) fn speculation(&self, which: u32) -> u32 {
        // SAFETY: the task is alive; the function reads its flags, and says -ENODEV to a number that it does not know.
        let state = unsafe { bindings::ckpt_arch_prctl_spec_ctrl_get(self.as_ptr(), which as usize) };
        state.max(0) as u32
    }

    /// Selector, offset and length of prctl(PR_SET_SYSCALL_USER_DISPATCH).
    pub(crate) fn user_dispatch(&self) -> Option<[u64; 3]> {
        let t = self.as_ptr();
        // SAFETY: the task is alive; single words.
        unsafe {
            let d = &(*t).syscall_dispatch;
            bindings::ckpt_has_user_dispatch(t).then_some([d.selector as u64, d.offset as u64, d.len as u64])
        }
    }

    /// NUMA policy.
    pub(crate) fn policy(&self) -> Option<Policy> {
        let mut policy = Policy::default();
        // SAFETY: the task is alive; the helper locks.
        unsafe { bindings::ckpt_task_policy(self.as_ptr(), &mut policy) }.then_some(policy)
    }

    /// Whether prctl(PR_SET_IO_FLUSHER) is set.
    pub(crate) fn is_io_flusher(&self) -> bool {
        // SAFETY: the task is alive; one word.
        unsafe { bindings::ckpt_is_io_flusher(self.as_ptr()) }
    }

    /// As ioprio_get(2).
    pub(crate) fn io_priority(&self) -> u32 {
        // SAFETY: the task is alive; the helper locks.
        unsafe { bindings::ckpt_io_priority(self.as_ptr()) }
    }

    /// As /proc/PID/oom_score_adj.
    pub(crate) fn oom_score_adj(&self) -> i32 {
        // SAFETY: the task is alive, so is its signal struct; one word.
        unsafe { i32::from((*(*self.as_ptr()).signal).oom_score_adj) }
    }

    /// Whether its session keyring is another one than the caller's.
    pub(crate) fn has_other_session_keyring(&self) -> bool {
        // SAFETY: the task is alive; the helper holds the RCU lock.
        unsafe { bindings::ckpt_has_other_session_keyring(self.as_ptr()) }
    }

    /// Whether it has a seccomp filter or strict mode.
    pub(crate) fn has_seccomp(&self) -> bool {
        // SAFETY: the task is alive; one word.
        unsafe { bindings::ckpt_has_seccomp(self.as_ptr()) }
    }

    /// Process id of whoever traces it; -1 when that is in another pid namespace.
    pub(crate) fn tracer(&self) -> Option<i32> {
        // SAFETY: the task is alive; the helper holds the RCU lock for the tracer.
        let pid = unsafe { bindings::ckpt_tracer(self.as_ptr()) };
        (pid != 0).then_some(pid)
    }

    /// Whether it is traced.
    pub(crate) fn is_traced(&self) -> bool {
        // SAFETY: the task is alive; one word.
        unsafe { (*self.as_ptr()).ptrace != 0 }
    }

    /// Execution domain.
    pub(crate) fn personality(&self) -> u32 {
        // SAFETY: the task is alive; one word.
        unsafe { (*self.as_ptr()).personality }
    }

    /// Signal at the death of the parent.
    pub(crate) fn pdeath_signal(&self) -> u32 {
        // SAFETY: the task is alive; one word.
        unsafe { (*self.as_ptr()).pdeath_signal as u32 }
    }

    /// Sets the signal at the death of the parent, as prctl(PR_SET_PDEATHSIG) of the task itself: 0 or a number of a signal.
    pub(crate) fn set_pdeath_signal(&self, signal: u32) {
        // SAFETY: the task is alive; one word, which only the task itself changes but for this: it waits at the barrier, which
        // opens once. Any
        // value is a signal or none.
        unsafe { core::ptr::write_volatile(&raw mut (*self.as_ptr()).pdeath_signal, signal.min(64) as i32) }
    }

    /// Signal for the parent when it exits.
    pub(crate) fn exit_signal(&self) -> u32 {
        // SAFETY: the task is alive; one word.
        unsafe { (*self.as_ptr()).exit_signal as u32 }
    }

    /// Whether prctl(PR_SET_NO_NEW_PRIVS) is set.
    pub(crate) fn no_new_privs(&self) -> bool {
        // SAFETY: the task is alive.
        unsafe { bindings::ckpt_no_new_privs(self.as_ptr()) != 0 }
    }

    /// As prctl(PR_GET_DUMPABLE).
    pub(crate) fn dumpable(&self) -> u32 {
        // SAFETY: the task is alive.
        unsafe { bindings::ckpt_task_exec_state_get_dumpable(self.as_ptr()) as u32 }
    }

    /// Scheduling attributes.
    pub(crate) fn sched(&self) -> SchedAttr {
        let t = self.as_ptr();
        let [mut min, mut max] = [-1; 2];
        // SAFETY: the task is alive; single words.
        unsafe {
            bindings::ckpt_util_clamp(t, &mut min, &mut max);
            SchedAttr {
                util_clamp: [min, max],
                policy: (*t).policy,
                nice: bindings::ckpt_task_nice(t),
                priority: (*t).rt_priority,
                reset_on_fork: bindings::ckpt_sched_reset_on_fork(t),
                timer_slack_ns: (*t).timer_slack_ns,
                slice_ns: bindings::ckpt_custom_slice(t),
            }
        }
    }

    /// CPU affinity as it was asked for, in 64-bit words, at most as many as `out` holds; the number of words, 0 when nobody has
    /// asked: what a cpuset leaves of it is another matter.
    pub(crate) fn affinity(&self, out: &mut [u64]) -> usize {
        // SAFETY: the task is alive; the array is as long as we say; the helper locks.
        unsafe { bindings::ckpt_user_affinity(self.as_ptr(), out.as_mut_ptr(), out.len() as u32) as usize }
    }

    /// What it has registered by address.
    pub(crate) fn registered(&self) -> Registered {
        let t = self.as_ptr();
        // SAFETY: the task is alive; single words.
        unsafe {
            Registered {
                clear_child_tid: (*t).clear_child_tid as u64,
                robust_list: (*t).futex.robust_list as u64,
                rseq: ((*t).rseq.usrptr as u64, (*t).rseq.len, (*t).rseq.sig),
            }
        }
    }

    /// What is left of an interrupted system call; `Err` with the function's address when it is an unknown one.
    ///
    /// The task must be stopped or the caller.
    pub(crate) fn restart(&self) -> Result<Restart, usize> {
        // SAFETY: the task is alive and stopped, so its restart block does not change; the union's variant is known from
        // the function.
        unsafe {
            let block = &(*self.as_ptr()).restart_block;
            let address = block.fn_.map_or(0, |f| f as usize);
            let variant = RestartFn::from_address(address).ok_or(address)?;
            Ok(match variant {
                RestartFn::Nanosleep | RestartFn::CpuNanosleep => {
                    let n = &block.__bindgen_anon_1.nanosleep;
                    Restart::Sleep(
                        variant,
                        n.clockid,
                        n.type_,
                        n.__bindgen_anon_1.rmtp as u64,
                        n.expires as u64,
                    )
                }
                RestartFn::Poll => {
                    let p = &block.__bindgen_anon_1.poll;
                    // A timeout without end is as far away as seconds can be counted.
                    let end = (p.end_time.tv_sec as u64)
                        .saturating_mul(1_000_000_000)
                        .saturating_add(p.end_time.tv_nsec as u64);
                    Restart::Poll(p.ufds as u64, p.nfds as u32, (p.has_timeout != 0).then_some(end))
                }
                RestartFn::Futex => {
                    let f = &block.__bindgen_anon_1.futex;
                    Restart::Futex(f.uaddr as u64, f.val, f.flags, f.bitset, f.time as u64)
                }
            })
        }
    }

    /// Resource limits: soft and hard.
    pub(crate) fn rlimits(&self) -> [(u64, u64); 16] {
        let mut out = [(0, 0); 16];
        // SAFETY: the task is alive, so is its signal struct; words that are written under task_lock.
        unsafe {
            bindings::ckpt_task_lock(self.leader().as_ptr());
            for (o, r) in out.iter_mut().zip((*(*self.as_ptr()).signal).rlim.iter()) {
                *o = (r.rlim_cur as u64, r.rlim_max as u64);
            }
            bindings::ckpt_task_unlock(self.leader().as_ptr());
        }
        out
    }

    /// The stop of its process by job control: the signal, or 0 when the parent has waited for it; and whether some threads have yet to
    /// stop, and the parent has yet to be told. `None` when it is not stopped.
    pub(crate) fn group_stop(&self) -> Option<(u32, bool)> {
        // SAFETY: the task is alive, so is its signal struct; single words, which do not change while its threads are parked or stopped.
        unsafe {
            let signal = &*(*self.as_ptr()).signal;
            let stopping = signal.group_stop_count > 0;
            let stopped = stopping || signal.flags & bindings::SIGNAL_STOP_STOPPED != 0;
            stopped.then_some(((signal.group_exit_code & 0x7f) as u32, stopping))
        }
    }

    /// Its process is stopped by job control, as one was that [`Self::group_stop`] has said that of: its threads stop before they go
    /// to user mode, and nobody is told again.
    pub(crate) fn set_group_stop(&self, signal: u32) {
        // SAFETY: the task is alive; the helper locks.
        unsafe { bindings::ckpt_set_group_stop(self.as_ptr(), signal as i32, false) };
    }

    /// The same, and the last thread to stop tells the parent.
    pub(crate) fn begin_group_stop(&self, signal: u32) {
        // SAFETY: the task is alive; the helper locks.
        unsafe { bindings::ckpt_set_group_stop(self.as_ptr(), signal as i32, true) };
    }

    /// Whether its process leads its session.
    pub(crate) fn is_session_leader(&self) -> bool {
        // SAFETY: the task is alive, so is its signal struct; one word.
        unsafe { (*(*self.as_ptr()).signal).leader != 0 }
    }

    /// Number of threads of its process.
    pub(crate) fn nr_threads(&self) -> i32 {
        // SAFETY: the task is alive, so is its signal struct; one word.
        unsafe { core::ptr::read_volatile(&raw const (*(*self.as_ptr()).signal).nr_threads) }
    }
}

/// Whether a fatal signal is pending for the caller.
pub(crate) fn fatal_signal_pending() -> bool {
    // SAFETY: no preconditions.
    unsafe { bindings::ckpt_fatal_signal_pending() }
}

/// Whether any signal is pending for the caller.
pub(crate) fn signal_pending() -> bool {
    // SAFETY: no preconditions.
    unsafe { bindings::ckpt_signal_pending() }
}

/// Sleeps about `ms` milliseconds; a fatal signal ends it early.
pub(crate) fn sleep_killable(ms: u32) {
    let jiffies = (u64::from(ms) * u64::from(bindings::HZ)).div_ceil(1000) as isize;
    // SAFETY: process context, no locks held.
    unsafe { bindings::schedule_timeout_killable(jiffies) };
}
