// SPDX-License-Identifier: GPL-2.0

//! What a kind of kernel state must be able to do, and the list of all kinds.
//!
//! The drivers walk [`ROOMS`] and name no kind. A new kind is a record file, a room, a line in the list and its cases.

use crate::{
    error::{Fault, Result},
    objects::{Made, Seen},
    statefile::{Reader, Writer},
    wrapper::{
        mm::Mm,
        path::Fs,
        syscall::CurrentTask,
        task::{Restart, Task}, //
    },
};
use ckpt_uapi::record::{tree::Tree, RecordType};
use kernel::prelude::*;

mod cred;
mod fd;
mod file;
mod fpu;
mod fs;
mod itimer;
mod landlock;
mod mm;
mod regs;
mod restart_block;
mod rlimit;
mod sched;
mod signal;
mod task;
pub(crate) mod tree;

/// Takes what stands in the way of a checkpoint.
pub(crate) trait Obstacles {
    /// One obstacle.
    fn add(&mut self, fault: Fault);

    /// Something that the restarted program will not find as it was, and that is no reason to refuse.
    fn warn(&mut self, fault: Fault);
}

/// What the rooms need to know while they check and dump a process.
pub(crate) struct Target<'a> {
    /// The leader.
    pub(crate) leader: &'a Task,
    /// All threads, the leader first.
    pub(crate) threads: &'a [Task],
    /// The address space.
    pub(crate) mm: &'a Mm,
    /// Root and working directory of the target.
    pub(crate) fs: &'a Fs,
    /// Those of the caller.
    pub(crate) caller_fs: &'a Fs,
    /// File operations of the session: how a session is told from other files.
    pub(crate) session_ops: usize,
    /// CLOCK_MONOTONIC when the target stood still, in nanoseconds.
    pub(crate) stopped_ns: u64,
    /// The caller saves itself: its registers are those of the system call it is in.
    pub(crate) myself: bool,
}

/// The state of a dump: the mouth and the shared objects.
pub(crate) struct Dump<'a> {
    /// Where records go.
    pub(crate) out: &'a mut Writer,
    /// Objects written so far.
    pub(crate) seen: &'a mut Seen,
    /// Whether memory may be written after the target goes on.
    pub(crate) may_snapshot: bool,
    /// Memory that is left for then.
    pub(crate) snapshot: &'a mut Option<Snapshot>,
}

/// A task that stands still: exists only while its tree is frozen, or for the caller itself.
pub(crate) struct FrozenTask<'a> {
    /// The task.
    pub(crate) task: &'a Task,
    /// Its index in the tree.
    pub(crate) index: u32,
}

/// The state of the restore of one task.
pub(crate) struct Restore<'a> {
    /// The right to change the caller.
    pub(crate) me: &'a CurrentTask,
    /// Where records come from, at the record that is to be restored.
    pub(crate) input: &'a mut Reader,
    /// Objects made so far.
    pub(crate) made: &'a mut Made,
    /// The task's entry in the tree.
    pub(crate) entry: &'a Tree,
    /// Its index in the tree.
    pub(crate) index: u32,
    /// [`ckpt_uapi::ioctl::restart_flags`].
    pub(crate) flags: u32,
    /// File operations of the session.
    pub(crate) session_ops: usize,
    /// What can only be set when everything else is in place.
    pub(crate) late: &'a mut Late,
}

/// What a task takes on at the very end, when nothing can be refused any more.
#[derive(Default)]
pub(crate) struct Late {
    /// General registers.
    pub(crate) regs: Option<[u64; 27]>,
    /// Xstate and its features.
    pub(crate) xstate: Option<(KVec<u8>, u64)>,
    /// Blocked signals, and the alternate stack.
    pub(crate) mask: Option<(u64, (u64, u64, u32))>,
    /// How the interrupted system call goes on. Its times are relative: they count from the moment the task is let go.
    pub(crate) restart: Option<Restart>,
    /// How much of the descriptor table is there: its last record said that this was all of it.
    pub(crate) fds: Option<bool>,
    /// As prctl(PR_SET_DUMPABLE); credentials reset it.
    pub(crate) dumpable: Option<u32>,
    /// Command name: set by an address in user memory, so after the old memory has gone.
    pub(crate) comm: Option<[u8; 16]>,
    /// rseq area: address, length, signature; the kernel looks at it at every return to user mode.
    pub(crate) rseq: Option<(u64, u32, u32)>,
    /// As prctl(PR_SET_PDEATHSIG); guards the half-built task until then.
    pub(crate) pdeath_signal: u32,
    /// Interval timers: they run from the moment the task is let go.
    pub(crate) itimers: Option<[(u64, u64); 3]>,
    /// As prctl(PR_SET_TSC, PR_TSC_SIGSEGV).
    pub(crate) tsc_off: bool,
    /// mlockall(2) flags for new mappings.
    pub(crate) lock_future: u32,
    /// The address space while it is being built.
    pub(crate) mm: Option<mm::Building>,
}

impl Late {
    /// Whether everything that was begun has been ended.
    pub(crate) fn is_complete(&self) -> bool {
        self.mm.as_ref().is_some_and(mm::Building::is_done) && self.fds == Some(true)
    }
}

/// How often a kind occurs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Once for each process, in the leader's section.
    Process,
    /// Once for each thread.
    Task,
}

/// One kind of kernel state.
pub(crate) trait Resource {
    /// Its record types. The first names it in messages and must occur exactly once if [`Self::REQUIRED`].
    const RECORDS: &'static [RecordType];
    /// How often it occurs.
    const SCOPE: Scope;
    /// Whether a section without it is damaged.
    const REQUIRED: bool = true;
    /// Whether it has several records; the room looks after their order.
    const REPEATS: bool = false;

    /// Names everything that cannot be saved. The target may be running.
    fn check(_target: &Target<'_>, _task: &Task, _obstacles: &mut dyn Obstacles) -> Result {
        Ok(())
    }

    /// Writes its records.
    fn dump(target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result;

    /// Restores one record, which is the current one of `restore.input`.
    fn restore(kind: RecordType, restore: &mut Restore<'_>) -> Result;
}

/// A kind as the drivers see it.
pub(crate) struct Room {
    /// Its record types.
    pub(crate) records: &'static [RecordType],
    /// How often it occurs.
    pub(crate) scope: Scope,
    /// Whether a section without it is damaged.
    pub(crate) required: bool,
    /// Whether it has several records.
    pub(crate) repeats: bool,
    /// [`Resource::check`]
    pub(crate) check: fn(&Target<'_>, &Task, &mut dyn Obstacles) -> Result,
    /// [`Resource::dump`]
    pub(crate) dump: fn(&Target<'_>, &FrozenTask<'_>, &mut Dump<'_>) -> Result,
    /// [`Resource::restore`]
    pub(crate) restore: fn(RecordType, &mut Restore<'_>) -> Result,
}

const fn room<R: Resource>() -> Room {
    Room {
        records: R::RECORDS,
        scope: R::SCOPE,
        required: R::REQUIRED,
        repeats: R::REPEATS,
        check: R::check,
        dump: R::dump,
        restore: R::restore,
    }
}

/// All kinds, in the order of their records in a task's section. The order of restoring is the same: memory before
/// anything that lies in it, files before the root directory is changed, Landlock and credentials last, since they take rights
/// away. Landlock before credentials: to be restricted, a task may need a capability that those take.
pub(crate) const ROOMS: &[Room] = &[
    room::<task::TaskRoom>(),
    room::<file::FileRoom>(),
    room::<mm::MmRoom>(),
    room::<fd::FdRoom>(),
    room::<fs::FsRoom>(),
    room::<signal::ActionRoom>(),
    room::<itimer::ItimerRoom>(),
    room::<rlimit::RlimitRoom>(),
    room::<landlock::LayerRoom>(),
    room::<sched::SchedRoom>(),
    room::<landlock::LandlockRoom>(),
    room::<cred::CredRoom>(),
    room::<signal::MaskRoom>(),
    room::<signal::PendingRoom>(),
    room::<fpu::FpuRoom>(),
    room::<regs::RegsRoom>(),
    room::<restart_block::RestartBlockRoom>(),
];

/// Where rooms meet: what one room refers to by objref, another one writes and makes.
pub(crate) use mm::{post_dump, Snapshot};

pub(crate) use file::{check_mapped, dump_file, held, restore_shmem_pages};

pub(crate) use landlock::open_denied;

pub(crate) use rlimit::raise as raise_limits;

/// Sets what was kept for the end. The task must go straight to user mode afterwards.
pub(crate) use regs::{prepare, release};
