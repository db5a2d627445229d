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
    /// All known flags.
    pub const ALL: u32 = LEADER | STOPPED | SESSION_LEADER | GROUP_LEADER;
}

/// One task. A leader comes before its threads, a parent before its children.
///
/// All pids are in the pid namespace of the root task; 0 means outside of it or of the tree.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Tree {
    /// Thread id.
    pub pid: u32,
    /// Process id.
    pub tgid: u32,
    /// Process id of the parent.
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
    /// Must be zero.
    pub reserved: [u32; 4],
}
entry!(Tree, 64);
