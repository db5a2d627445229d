// SPDX-License-Identifier: GPL-2.0

//! Namespaces.
//!
//! C header: [`include/linux/nsproxy.h`](srctree/include/linux/nsproxy.h)

use super::{
    bindings,
    file::File,
    pid::PidNs,
    syscall::CurrentTask,
    task::Task,
    user_ns::UserNs, //
};
use core::ptr::NonNull;
use kernel::prelude::*;

/// Kind of a namespace that a task refers to by its nsproxy.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Kind {
    /// Names of the machine.
    Uts = bindings::ckpt_ns_kind_CKPT_NS_UTS,
    /// System V objects and POSIX message queues.
    Ipc = bindings::ckpt_ns_kind_CKPT_NS_IPC,
    /// Mounts.
    Mnt = bindings::ckpt_ns_kind_CKPT_NS_MNT,
    /// Network.
    Net = bindings::ckpt_ns_kind_CKPT_NS_NET,
    /// Root of the cgroups.
    Cgroup = bindings::ckpt_ns_kind_CKPT_NS_CGROUP,
    /// Clocks.
    Time = bindings::ckpt_ns_kind_CKPT_NS_TIME,
    /// Clocks of child processes that are to come.
    TimeForChildren = bindings::ckpt_ns_kind_CKPT_NS_TIME_FOR_CHILDREN,
    /// Pids of child processes that are to come.
    PidForChildren = bindings::ckpt_ns_kind_CKPT_NS_PID_FOR_CHILDREN,
    /// Users and groups. Not of the nsproxy, but of the credentials.
    User = bindings::ckpt_ns_kind_CKPT_NS_USER,
}

impl Kind {
    /// Its flag for unshare(2) and setns(2).
    pub(crate) fn clone_flag(self) -> u64 {
        u64::from(match self {
            Self::Uts => bindings::CLONE_NEWUTS,
            Self::Ipc => bindings::CLONE_NEWIPC,
            Self::Mnt => bindings::CLONE_NEWNS,
            Self::Net => bindings::CLONE_NEWNET,
            Self::Cgroup => bindings::CLONE_NEWCGROUP,
            Self::Time | Self::TimeForChildren => bindings::CLONE_NEWTIME,
            Self::PidForChildren => bindings::CLONE_NEWPID,
            Self::User => bindings::CLONE_NEWUSER,
        })
    }

    /// Name for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uts => "uts",
            Self::Ipc => "ipc",
            Self::Mnt => "mount",
            Self::Net => "network",
            Self::Cgroup => "cgroup",
            Self::Time => "time",
            Self::TimeForChildren => "time (for children)",
            Self::PidForChildren => "pid (for children)",
            Self::User => "user",
        }
    }

    /// A file that stands for the namespace of this kind that the calling task lives in, as one of /proc/PID/ns.
    pub(crate) fn open_own(self) -> Result<File> {
        // SAFETY: the caller's own namespaces live while it runs; the helper returns a reference or an error pointer.
        unsafe { File::from_raw(bindings::ckpt_open_own_namespace(self as u32)) }
    }

    /// Number of threads of the whole machine that live in the namespace at this address; without those of whoever is outside of the pid
    /// namespace `inside` and has a child in it.
    pub(crate) fn threads_in(self, address: usize, inside: Option<&PidNs>) -> usize {
        let inside = inside.map_or(core::ptr::null_mut(), PidNs::as_ptr);
        // SAFETY: the address is compared only, the pid namespace is alive or NULL; the helper holds the RCU lock.
        unsafe { bindings::ckpt_threads_in(address as *const _, self as u32, inside) as usize }
    }
}

/// Limits of an ipc namespace, by the names that they have below /proc/sys.
pub(crate) type IpcLimits = bindings::ckpt_ipc_limits;

/// The namespaces of a task with a counted reference.
///
/// # Invariants
///
/// `0` points to an nsproxy on which this value owns one reference. That one owns a reference to each namespace.
pub(crate) struct Nsproxy(NonNull<bindings::nsproxy>);

// SAFETY: references may be dropped anywhere that may sleep; the fields never change.
unsafe impl Send for Nsproxy {}

impl Drop for Nsproxy {
    fn drop(&mut self) {
        // SAFETY: owned, by the type's invariant.
        unsafe { bindings::ckpt_put_nsproxy(self.0.as_ptr()) }
    }
}

impl Nsproxy {
    /// Those that the task lives in; `ESRCH` when it has exited.
    pub(crate) fn of(task: &Task) -> Result<Self> {
        // SAFETY: the task is alive; the helper locks, and returns NULL or a reference.
        let ns = unsafe { bindings::ckpt_get_nsproxy(task.as_ptr()) };
        // INVARIANT: the helper took the reference.
        NonNull::new(ns).map(Self).ok_or(ESRCH)
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::nsproxy {
        self.0.as_ptr()
    }

    /// Address of a namespace: the same for those who share it.
    pub(crate) fn address(&self, kind: Kind) -> usize {
        // SAFETY: alive; its fields never change.
        unsafe { bindings::ckpt_namespace(self.0.as_ptr(), kind as u32) as usize }
    }

    /// Address of the user namespace whose root may change a namespace.
    pub(crate) fn owner(&self, kind: Kind) -> usize {
        // SAFETY: alive; the owner never changes.
        unsafe { bindings::ckpt_namespace_owner(self.0.as_ptr(), kind as u32) as usize }
    }

    /// The user namespace whose root may change a namespace; `None` where that is not known by the set.
    pub(crate) fn owner_ns(&self, kind: Kind) -> Option<UserNs> {
        // SAFETY: alive, and each of its namespaces keeps its owner.
        unsafe { UserNs::from_borrowed(self.owner(kind) as *mut bindings::user_namespace) }
    }

    /// Address of the whole set: the same for tasks that share all of it, but not only for those.
    pub(crate) fn set(&self) -> usize {
        self.0.as_ptr() as usize
    }

    /// Host name and domain name, padded with NULs.
    pub(crate) fn uts_names(&self) -> ([u8; 64], [u8; 64]) {
        let (mut node, mut domain) = ([0; 64], [0; 64]);
        // SAFETY: alive; both arrays have room for what the helper copies under the lock.
        unsafe { bindings::ckpt_uts_names(self.0.as_ptr(), node.as_mut_ptr().cast(), domain.as_mut_ptr().cast()) };
        for name in [&mut node, &mut domain] {
            // What is left of a longer name is nobody's business.
            let end = name.iter().position(|b| *b == 0).unwrap_or(name.len());
            name[end..].fill(0);
        }
        (node, domain)
    }

    /// Limits of the ipc namespace.
    pub(crate) fn ipc_limits(&self) -> IpcLimits {
        let mut out = IpcLimits::default();
        // SAFETY: alive; single words.
        unsafe { bindings::ckpt_ipc_limits(self.0.as_ptr(), &mut out) };
        out
    }

    /// What is added to CLOCK_MONOTONIC and CLOCK_BOOTTIME, in nanoseconds: for the task, or for its child processes.
    pub(crate) fn time_offsets(&self, children: bool) -> (i64, i64) {
        let (mut monotonic, mut boottime) = (0, 0);
        // SAFETY: alive; offsets do not change once somebody lives by them, and tear at worst before.
        unsafe { bindings::ckpt_time_offsets(self.0.as_ptr(), children, &mut monotonic, &mut boottime) };
        (monotonic, boottime)
    }
}

impl CurrentTask {
    /// A file that stands for a namespace of the caller, as one of /proc/PID/ns.
    pub(crate) fn open_namespace(&self, kind: Kind) -> Result<File> {
        kind.open_own()
    }

    /// Whether a file of [`Self::open_namespace`] stands for the namespace that the caller lives in.
    pub(crate) fn lives_in(&self, namespace: &File, kind: Kind) -> bool {
        // SAFETY: both are alive, and the file is one of a namespace.
        unsafe { bindings::ckpt_is_own_namespace(namespace.as_ptr(), kind as u32) }
    }

    /// Lives in the namespaces of another task of the same restart, as if that had created this one: `EPERM` unless it could enter each
    /// of them by setns(2).
    pub(crate) fn adopt_namespaces(&self, from: &Task) -> Result {
        // SAFETY: `from` is alive; the helper locks and takes a reference.
        kernel::error::to_result(unsafe { bindings::ckpt_adopt_nsproxy(from.as_ptr()) })
    }

    /// Enters the time namespace that is meant for the caller's children, as execve(2) does.
    pub(crate) fn enter_time_namespace(&self) -> Result {
        // SAFETY: process context; the function changes the caller only.
        kernel::error::to_result(unsafe { bindings::ckpt_exec_task_namespaces() })
    }

    /// Sets what the time namespace that is meant for the caller's children adds to CLOCK_MONOTONIC and CLOCK_BOOTTIME, in
    /// nanoseconds, as a write to /proc/self/timens_offsets does. `namespace` is a file of [`Self::open_namespace`].
    pub(crate) fn set_time_offsets(&self, namespace: &File, monotonic: i64, boottime: i64) -> Result {
        // SAFETY: the file is alive, and has the caller's credentials; the function locks and checks every value.
        kernel::error::to_result(unsafe { bindings::ckpt_set_time_offsets(namespace.as_ptr(), monotonic, boottime) })
    }

    /// Sets the limits of the caller's ipc namespace as writes below /proc/sys do: `EPERM` for others than its root,
    /// `EINVAL`.
    pub(crate) fn set_ipc_limits(&self, limits: &IpcLimits) -> Result {
        // SAFETY: the struct is alive; the helper checks every value.
        kernel::error::to_result(unsafe { bindings::ckpt_set_ipc_limits(limits) })
    }
}
