// SPDX-License-Identifier: GPL-2.0

//! Process numbers and pid namespaces.
//!
//! C header: [`include/linux/pid.h`](srctree/include/linux/pid.h)

use super::{
    bindings,
    syscall::CurrentTask,
    task::{listed, Task},
    user_ns::UserNs, //
};
use core::ptr::NonNull;
use kernel::prelude::*;

/// A pid namespace with a counted reference.
///
/// # Invariants
///
/// `0` points to a namespace on which this value owns one reference.
pub(crate) struct PidNs(NonNull<bindings::pid_namespace>);

// SAFETY: references may be dropped anywhere; the namespace is only passed to functions that lock.
unsafe impl Send for PidNs {}
// SAFETY: as above.
unsafe impl Sync for PidNs {}

impl Drop for PidNs {
    fn drop(&mut self) {
        // SAFETY: owned, by the type's invariant.
        unsafe { bindings::put_pid_ns(self.0.as_ptr()) }
    }
}

impl PartialEq for PidNs {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl PidNs {
    /// The one that the task lives in; `ESRCH` when it has been reaped.
    pub(crate) fn of(task: &Task) -> Result<Self> {
        // SAFETY: the task is alive; the helper returns NULL or a reference.
        let ns = unsafe { bindings::ckpt_get_task_pid_ns(task.as_ptr()) };
        // INVARIANT: the helper took the reference.
        NonNull::new(ns).map(Self).ok_or(ESRCH)
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::pid_namespace {
        self.0.as_ptr()
    }

    /// Address of the kernel object: the same for the same namespace.
    pub(crate) fn address(&self) -> usize {
        self.0.as_ptr() as usize
    }

    /// Number of namespaces above it.
    pub(crate) fn level(&self) -> u32 {
        // SAFETY: alive; set once.
        unsafe { (*self.as_ptr()).level }
    }

    /// The namespace that is so many levels above it.
    pub(crate) fn above(&self, levels: u32) -> Option<Self> {
        let mut ns = self.as_ptr();
        for _ in 0..levels {
            // SAFETY: a namespace keeps the one above it alive; the first has none.
            ns = NonNull::new(unsafe { (*ns).parent })?.as_ptr();
        }
        // SAFETY: alive, as `self` is, or kept by it.
        unsafe { bindings::ckpt_get_pid_ns(ns) };
        // INVARIANT: the reference was just taken.
        NonNull::new(ns).map(Self)
    }

    /// Address of the user namespace that owns it.
    pub(crate) fn owner(&self) -> usize {
        // SAFETY: alive; set once.
        unsafe { (*self.as_ptr()).user_ns as usize }
    }

    /// The user namespace that owns it.
    pub(crate) fn owner_ns(&self) -> Option<UserNs> {
        // SAFETY: alive; it keeps its owner.
        unsafe { UserNs::from_borrowed((*self.as_ptr()).user_ns) }
    }

    /// Its init, `ESRCH` when it is going away.
    pub(crate) fn init(&self) -> Result<Task> {
        // SAFETY: alive; the helper locks and returns NULL or a reference.
        unsafe { Task::from_raw(bindings::ckpt_child_reaper(self.as_ptr())) }.ok_or(ESRCH)
    }

    /// The task with this number in it.
    pub(crate) fn task(&self, number: u32) -> Option<Task> {
        let number = i32::try_from(number).ok()?;
        // SAFETY: alive; the helper gives NULL or a reference.
        unsafe { Task::from_raw(bindings::ckpt_task_in(self.as_ptr(), number)) }
    }

    /// The processes in it whose parent lives outside of it, zombies too, but not its init: they have entered it (setns).
    pub(crate) fn entered(&self) -> Result<KVVec<Task>> {
        // SAFETY: alive, the array has that many entries; the helper locks and takes references.
        unsafe { listed(|out, max| bindings::ckpt_entered(self.as_ptr(), out, max)) }
    }

    /// Number of processes that have a number in it, zombies too.
    pub(crate) fn processes(&self) -> usize {
        // SAFETY: alive; the helper holds the RCU lock.
        unsafe { bindings::ckpt_processes_in(self.as_ptr()) as usize }
    }
}

/// A `struct pid`: what a process, a process group or a session is known by. With a counted reference.
///
/// # Invariants
///
/// `0` points to a `struct pid` on which this value owns one reference.
pub(crate) struct Pid(NonNull<bindings::pid>);

// SAFETY: references may be dropped anywhere; it is only passed to functions that lock.
unsafe impl Send for Pid {}
// SAFETY: as above.
unsafe impl Sync for Pid {}

impl Drop for Pid {
    fn drop(&mut self) {
        // SAFETY: owned, by the type's invariant.
        unsafe { bindings::put_pid(self.0.as_ptr()) }
    }
}

impl Clone for Pid {
    fn clone(&self) -> Self {
        // SAFETY: alive, since `self` owns a reference.
        unsafe { bindings::ckpt_get_pid(self.0.as_ptr()) };
        // INVARIANT: the reference was just taken.
        Self(self.0)
    }
}

/// The session and the process group of a task.
pub(crate) struct Job {
    /// The session.
    pub(crate) session: Pid,
    /// The process group.
    pub(crate) group: Pid,
}

impl Job {
    /// Those of the task; `ESRCH` when it has been reaped.
    pub(crate) fn of(task: &Task) -> Result<Self> {
        let (mut session, mut group) = (core::ptr::null_mut(), core::ptr::null_mut());
        // SAFETY: the task is alive; the helper stores NULL or references.
        unsafe { bindings::ckpt_get_job(task.as_ptr(), &mut session, &mut group) };
        // INVARIANT: the helper took the references.
        let (session, group) = (NonNull::new(session).map(Pid), NonNull::new(group).map(Pid));
        Ok(Self {
            session: session.ok_or(ESRCH)?,
            group: group.ok_or(ESRCH)?,
        })
    }
}

impl Pid {
    /// That of the task's process; `ESRCH` when it has been reaped.
    pub(crate) fn of(task: &Task) -> Result<Self> {
        // SAFETY: the task is alive; the helper returns NULL or a reference.
        let pid = unsafe { bindings::ckpt_get_tgid(task.as_ptr()) };
        // INVARIANT: the helper took the reference.
        NonNull::new(pid).map(Self).ok_or(ESRCH)
    }
}

impl PartialEq for Pid {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// A number that no task has yet: freed when it is dropped before it has a member.
pub(crate) struct NewPid(Pid, bool);

impl Drop for NewPid {
    fn drop(&mut self) {
        if !self.1 {
            // SAFETY: made by `new_pid`, and never anybody's: it is freed here and nowhere else.
            unsafe { bindings::ckpt_free_unused_pid(self.0 .0.as_ptr()) }
        }
    }
}

/// A session or process group to be joined.
pub(crate) enum Join {
    /// One that has members.
    Known(Pid),
    /// A new number.
    New(NewPid),
}

impl Join {
    fn parts(&self) -> (*mut bindings::pid, bool) {
        match self {
            Self::Known(pid) => (pid.0.as_ptr(), false),
            Self::New(new) => (new.0 .0.as_ptr(), true),
        }
    }

    /// What it is known by.
    pub(crate) fn pid(&self) -> &Pid {
        match self {
            Self::Known(pid) => pid,
            Self::New(new) => &new.0,
        }
    }

    fn has_a_member(&mut self) {
        if let Self::New(new) = self {
            new.1 = true;
        }
    }
}

impl CurrentTask {
    /// Moves the caller's process to a session and a process group (`None`: the session's own number). A leader is one as by setsid(2).
    /// `ESRCH` when one has lost its last member; `EPERM` when the process leads another session.
    pub(crate) fn set_job(&self, session: &mut Join, group: Option<&mut Join>, leader: bool) -> Result {
        let (s, s_new) = session.parts();
        let (g, g_new) = group.as_ref().map_or((s, s_new), |g| g.parts());
        // SAFETY: both are alive, and new ones have no member; the helper locks.
        kernel::error::to_result(unsafe { bindings::ckpt_set_job(s, s_new, g, g_new, leader) })?;
        session.has_a_member();
        if let Some(group) = group {
            group.has_a_member();
        }
        Ok(())
    }

    /// A number that no task has, in the caller's pid namespace: what is left of a session or group whose leader has gone.
    /// Permissions as for clone3(2) with `set_tid`; `EEXIST` when it is in use.
    pub(crate) fn new_pid(&self, number: u32) -> Result<NewPid> {
        let mut number = i32::try_from(number).map_err(|_| EINVAL)?;
        // SAFETY: the caller's own namespace is alive; one number.
        let pid = unsafe {
            bindings::ckpt_alloc_pid(
                bindings::ckpt_task_active_pid_ns(bindings::ckpt_current()),
                &mut number,
                1,
            )
        };
        let pid = kernel::error::from_err_ptr(pid)?;
        // The reference that it is born with belongs to its number.
        // SAFETY: alive: nobody can have freed it.
        unsafe { bindings::ckpt_get_pid(pid) };
        // INVARIANT: the reference was just taken.
        NonNull::new(pid).map(|pid| NewPid(Pid(pid), false)).ok_or(ENOMEM)
    }
}
