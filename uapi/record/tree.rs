// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The task tree: what user space has to build before the tasks restore themselves.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{entry, record};

/// Fixed part of a tree record.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Head {
    /// Index of the first entry of this record in the whole tree.
    pub first: u32,
    /// Number of entries in this record.
    pub count: u32,
}
record!(Head, Tree, 8);

/// Values of [`Tree::flags`].
pub mod flags {
    /// The task is the leader of its thread group; its `pid` and `tgid` are equal.
    pub const LEADER: u32 = 1 << 0;
    /// The task was stopped by a job control signal.
    pub const STOPPED: u32 = 1 << 1;
    /// The task led its session.
    pub const SESSION_LEADER: u32 = 1 << 2;
    /// The task led its process group.
    pub const GROUP_LEADER: u32 = 1 << 3;
    /// The task has exited and waits for its parent to take its status (a zombie). Only a leader without threads.
    pub const ZOMBIE: u32 = 1 << 4;
    /// The main thread has exited while other threads of its process live. Only a leader with threads.
    pub const EXITED: u32 = 1 << 5;
    /// The process shares its signal handlers with the process whose address space it shares (CLONE_SIGHAND).
    pub const SHARES_HANDLERS: u32 = 1 << 6;
    /// The task is the first of a pid namespace below that of its parent (CLONE_NEWPID).
    pub const PIDNS_INIT: u32 = 1 << 7;
    /// Not all threads of the task had stopped yet, and its parent has not been told of the stop. Only with `STOPPED`.
    pub const STOPPING: u32 = 1 << 8;
    /// All known flags.
    pub const ALL: u32 =
        LEADER | STOPPED | SESSION_LEADER | GROUP_LEADER | ZOMBIE | EXITED | SHARES_HANDLERS | PIDNS_INIT | STOPPING;
}

/// One task. A leader comes before its threads, a parent before its children, and a process whose address space others
/// share before those.
///
/// All pids are in the pid namespace of the root task; 0 means outside of it. A process group or session that is also
/// the root task's is the one that the restarted root task lives in; another one whose number no task has lost its leader
/// before the checkpoint.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Tree {
    /// Thread id.
    pub pid: u32,
    /// Process id.
    pub tgid: u32,
    /// Process id of the parent: of a process of the tree, or, for the root task, of one outside of it, 0 when that lives outside of
    /// the pid namespace. 0 for another process with a parent outside of the tree: one that has entered the pid namespace, if the root
    /// task is the first of that; else an orphan, whom the parent of the root task has adopted.
    pub ppid: u32,
    /// Process group.
    pub pgid: u32,
    /// Session.
    pub sid: u32,
    /// Signal for the parent when the task exits.
    pub exit_signal: u32,
    /// [`flags`].
    pub flags: u32,
    /// Index of the entry whose address space, files, fs and signal handlers a thread shares: its leader's.
    /// A leader has its own index here.
    pub leader: u32,
    /// Command name, NUL-terminated.
    pub comm: [u8; 16],
    /// Index of the leader whose address space this process shares (CLONE_VM): its own when it shares none. That
    /// process is its parent, or a child of the same parent. A thread has its leader's.
    pub vm: u32,
    /// Pid namespaces between the root task's and its own: 0 when they are the same. The numbers that it has in those
    /// stand in [`super::pids`].
    pub level: u32,
    /// Signal of the stop that nobody has asked for by wait(2) yet; 0 when the parent has. Only of a stopped leader.
    pub stop_signal: u32,
    /// Number of the user namespace ([`super::ns::NestedUserNs`]) that owns the pid namespace whose first task this is; 0 for the one
    /// that owns the pid namespace of the first task of all.
    pub owner: u32,
}

impl Tree {
    /// Whether its flags and its stop signal fit each other.
    #[must_use]
    pub const fn has_possible_stop(&self) -> bool {
        match self.flags & (flags::STOPPED | flags::STOPPING) {
            0 => self.stop_signal == 0,
            flags::STOPPED => self.stop_signal <= 64,
            flags::STOPPING => false,
            _ => self.stop_signal >= 1 && self.stop_signal <= 64,
        }
    }
}
entry!(Tree, 64);
