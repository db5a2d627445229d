// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Namespaces: which ones a task lives in, and what they are.
//!
//! A namespace that the task shares with the restarter has no object: it is the restarter's own after a restart too.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{entry, record};

/// The namespaces of a task. A task without this record lives in those of the restarter.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Nsproxy {
    /// Number of this set of namespaces. One that an earlier task has too has that one's number, and the same fields.
    pub objref: u32,
    /// Objref of the uts namespace; 0 for the restarter's. So for the others.
    pub uts: u32,
    /// Ipc namespace.
    pub ipc: u32,
    /// Mount namespace.
    pub mnt: u32,
    /// Network namespace.
    pub net: u32,
    /// Cgroup namespace.
    pub cgroup: u32,
    /// Time namespace.
    pub time: u32,
    /// Time namespace of child processes that are to come.
    pub time_for_children: u32,
    /// Pid namespace of child processes that are to come: index in the tree of its first process; 0 for the task's own.
    pub pid_for_children: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(Nsproxy, Nsproxy, 40);

/// A uts namespace.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct UtsNs {
    /// Number of the object.
    pub objref: u32,
    /// Must be zero.
    pub reserved: u32,
    /// As sethostname(2), padded with NULs.
    pub nodename: [u8; 64],
    /// As setdomainname(2), padded with NULs.
    pub domainname: [u8; 64],
}
record!(UtsNs, UtsNs, 136);

/// An ipc namespace. Its objects stand behind the nsproxy of the same task, up to an [`IpcEnd`](super::ipc::IpcEnd). Limits by the names
/// that they have below /proc/sys/kernel and /proc/sys/fs/mqueue.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct IpcNs {
    /// Number of the object.
    pub objref: u32,
    /// shm_rmid_forced, 0 or 1.
    pub shm_rmid_forced: u32,
    /// shmmax.
    pub shmmax: u64,
    /// shmall.
    pub shmall: u64,
    /// shmmni.
    pub shmmni: u32,
    /// msgmax.
    pub msgmax: u32,
    /// msgmnb.
    pub msgmnb: u32,
    /// msgmni.
    pub msgmni: u32,
    /// sem: semmsl, semmns, semopm, semmni.
    pub sem: [u32; 4],
    /// mqueue/queues_max.
    pub mq_queues_max: u32,
    /// mqueue/msg_max.
    pub mq_msg_max: u32,
    /// mqueue/msgsize_max.
    pub mq_msgsize_max: u32,
    /// mqueue/msg_default.
    pub mq_msg_default: u32,
    /// mqueue/msgsize_default.
    pub mq_msgsize_default: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(IpcNs, IpcNs, 80);

/// Values of [`TimeNs::flags`].
pub mod time_flags {
    /// Only child processes that are to come live in it, not the task itself.
    pub const FOR_CHILDREN: u32 = 1 << 0;
    /// All known flags.
    pub const ALL: u32 = FOR_CHILDREN;
}

/// A time namespace. Its clocks go on from here.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct TimeNs {
    /// Number of the object.
    pub objref: u32,
    /// [`time_flags`].
    pub flags: u32,
    /// CLOCK_MONOTONIC inside of it when the target stood still, in nanoseconds.
    pub monotonic_ns: u64,
    /// CLOCK_BOOTTIME inside of it when the target stood still, in nanoseconds.
    pub boottime_ns: u64,
}
record!(TimeNs, TimeNs, 24);

/// A cgroup namespace. Its root is the cgroup of the restarter.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct CgroupNs {
    /// Number of the object.
    pub objref: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(CgroupNs, CgroupNs, 8);

/// Most extents of a map of ids.
pub const EXTENTS_MAX: u32 = 340;

/// Values of [`UserNs::flags`].
pub mod user_flags {
    /// setgroups(2) is denied.
    pub const NO_SETGROUPS: u32 = 1 << 0;
    /// All known flags.
    pub const ALL: u32 = NO_SETGROUPS;
}

/// Fixed part of the user namespace of all tasks, which stands before their pid namespace. Its parent is that of whoever saved; ids
/// outside of it are those of the parent. [`IdExtent`] entries for users and then for groups follow, then supplementary groups of the
/// first task.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct UserNs {
    /// User that made it, outside of it.
    pub owner: u32,
    /// Group of that.
    pub group: u32,
    /// [`user_flags`].
    pub flags: u32,
    /// Number of extents for users.
    pub uids: u32,
    /// Number of extents for groups.
    pub gids: u32,
    /// Number of supplementary groups.
    pub groups: u32,
}
record!(UserNs, UserNs, 24);

/// Ids of a user namespace, one after the other: a line of /proc/PID/uid_map.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct IdExtent {
    /// First id inside.
    pub first: u32,
    /// What that is outside.
    pub outside: u32,
    /// How many.
    pub count: u32,
}
entry!(IdExtent, 12);

/// Most user namespaces below that of the first task.
pub const NESTED_MAX: u32 = 256;

/// Fixed part of a user namespace below that of the first task, which stands in the prologue behind its parent. They are numbered from 1
/// on. Ids outside of it are those of its parent. [`IdExtent`] entries for users and then for groups follow.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct NestedUserNs {
    /// Number of its parent; 0 for the user namespace of the first task.
    pub parent: u32,
    /// User that made it, in its parent.
    pub owner: u32,
    /// Group of that.
    pub group: u32,
    /// [`user_flags`].
    pub flags: u32,
    /// Number of extents for users; 0 when it has no users.
    pub uids: u32,
    /// Number of extents for groups.
    pub gids: u32,
}
record!(NestedUserNs, NestedUserNs, 24);

/// To which user namespace the namespaces belong that follow in the section of the task, until the next such record. Without it that is
/// the user namespace of the first task.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct NsOwner {
    /// Number of the user namespace ([`NestedUserNs`]), or 0 for that of the first task.
    pub user_ns: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(NsOwner, NsOwner, 8);
