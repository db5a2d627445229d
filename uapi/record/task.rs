// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! One task (a thread): what has no room of its own.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Values of [`Task::flags`].
pub mod flags {
    /// `rseq` fields are valid.
    pub const RSEQ: u32 = 1 << 0;
    /// prctl(PR_SET_TSC, PR_TSC_SIGSEGV).
    pub const TSC_SIGSEGV: u32 = 1 << 1;
    /// prctl(PR_SET_IO_FLUSHER).
    pub const IO_FLUSHER: u32 = 1 << 2;
    /// The process is to be killed by SIGKILL when all are restored, before it runs: it had something that cannot be saved. Only of the
    /// task that keeps a process.
    pub const KILLED: u32 = 1 << 3;
    /// All known flags.
    pub const ALL: u32 = RSEQ | TSC_SIGSEGV | IO_FLUSHER | KILLED;
}

/// Body of a task record.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Task {
    /// Index of the task in the tree.
    pub index: u32,
    /// [`flags`].
    pub flags: u32,
    /// Execution domain, as personality(2).
    pub personality: u32,
    /// Signal at the death of the parent, as prctl(PR_GET_PDEATHSIG).
    pub pdeath_signal: u32,
    /// Command name, NUL-terminated, as prctl(PR_GET_NAME).
    pub comm: [u8; 16],
    /// Address that is cleared and woken when the thread exits, as set_tid_address(2).
    pub clear_child_tid: u64,
    /// Head of the robust futex list, as get_robust_list(2).
    pub robust_list: u64,
    /// Length of the robust list head in bytes; 0 without one.
    pub robust_list_len: u64,
    /// Address of the rseq area, as rseq(2).
    pub rseq: u64,
    /// Length of the rseq area in bytes.
    pub rseq_len: u32,
    /// Signature of the rseq area.
    pub rseq_sig: u32,
    /// As /proc/PID/oom_score_adj; of the process, in its leader's record.
    pub oom_score_adj: i32,
    /// As ioprio_get(2).
    pub io_priority: u32,
    /// Objref of the address space; 0 for a task that has exited. A number that no object has yet is a new one, and its
    /// records follow in this section; so for the next three.
    pub mm: u32,
    /// Objref of the descriptor table.
    pub files: u32,
    /// Objref of root and working directory and umask.
    pub fs: u32,
    /// Objref of the signal handlers.
    pub handlers: u32,
    /// Status of a task that has exited, as wait(2) returns it.
    pub exit_status: u32,
    /// Index of the child for whose exec or exit the task waits in vfork(2); 0 when it does not.
    pub vfork_child: u32,
}
record!(Task, Task, 104);
