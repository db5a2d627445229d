// SPDX-License-Identifier: GPL-2.0

//! What a kind of kernel state must be able to do, and the list of all kinds.
//!
//! The drivers walk [`ROOMS`] and name no kind. A new kind is a record file, a room, a line in the list and its cases.

use crate::{
    error::{Fault, Result},
    freeze::{FrozenTree, Places, Process, Root, Scope as Extent},
    objects::{Made, Remains, Seen},
    statefile::{Reader, Writer},
    wrapper::{
        cred::Cred,
        file::File,
        mm::Mm,
        ns::{IpcLimits, Nsproxy},
        path::Fs,
        pid::PidNs,
        syscall::CurrentTask,
        task::{Restart, Task},
        timer::PosixTimer,
        tty::Master, //
    },
};
use ckpt_uapi::record::{event::Timerfd, mqueue::MqNotify, tree::Tree, uring::Task as RingOf, RecordType};
use core::cell::RefCell;
use external::External;
use kernel::prelude::*;

mod cgroup;
mod cred;
mod ctty;
pub(crate) mod external;
mod fd;
mod file;
mod fpu;
mod fs;
mod ipc;
mod itimer;
mod landlock;
mod mempolicy;
mod mm;
mod ns;
pub(crate) mod policy;
mod posix_timer;
mod prctl;
pub(crate) mod prologue;
mod regs;
mod restart_block;
mod rlimit;
mod sched;
mod seccomp;
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

/// What the caller of a checkpoint asks for, and by which kind of file.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    /// File operations of the session.
    pub(crate) ops: usize,
    /// What the caller wants of what cannot be saved.
    pub(crate) policies: &'a policy::Policies,
    /// [`ckpt_uapi::ioctl::checkpoint_flags`].
    pub(crate) flags: u32,
}

/// What the rooms need to know about the whole target.
pub(crate) struct Whole<'a> {
    /// What belongs to it.
    pub(crate) root: &'a Root,
    /// Its processes, parents before children.
    pub(crate) processes: &'a [Process],
    /// Where each task stands in the tree.
    pub(crate) places: Places,
    /// The pid namespace of the root task: numbers in the statefile are of it.
    pub(crate) pid_ns: PidNs,
    /// Who has which open file.
    pub(crate) census: Census,
    /// Who uses what tasks may share.
    pub(crate) users: Users,
    /// Mappings of shared memory that have been met.
    pub(crate) mappings: RefCell<Mappings>,
    /// System V shared memory that has been met.
    pub(crate) segments: RefCell<Segments>,
    /// What is undone at exit, as it was when all was looked at.
    pub(crate) undos: RefCell<Undos>,
    /// The user namespaces of its tasks and namespaces.
    pub(crate) user_nss: UserNamespaces,
    /// Files without a name that have been met.
    pub(crate) holders: RefCell<Holders>,
    /// Who lives in which namespace.
    pub(crate) inhabited: RefCell<Inhabited>,
    /// Root and working directory of the caller.
    pub(crate) caller_fs: Fs,
    /// Namespaces of the caller: what the target has in common with it stays the restarter's.
    pub(crate) caller_ns: Nsproxy,
    /// File operations of the session: how a session is told from other files.
    pub(crate) session_ops: usize,
    /// CLOCK_MONOTONIC when the target stood still, in nanoseconds; 0 while it runs.
    pub(crate) stopped_ns: u64,
    /// CLOCK_MONOTONIC until which what the kernel does for the target may come to its end, in nanoseconds; 0 while the target runs.
    pub(crate) deadline_ns: u64,
    /// Address of the open file that is the statefile; 0 when nothing is to be written.
    pub(crate) statefile: usize,
    /// What becomes of files that cannot be saved.
    pub(crate) decisions: policy::Decisions<'a>,
    /// [`ckpt_uapi::ioctl::checkpoint_flags`].
    pub(crate) flags: u32,
}

impl<'a> Whole<'a> {
    /// A target of these processes, which stand still if it is `frozen`. `statefile` is the address of what will be written, or 0.
    pub(crate) fn of(
        root: &'a Root,
        processes: &'a [Process],
        request: Request<'a>,
        frozen: Option<&FrozenTree>,
        statefile: usize,
    ) -> Result<Self> {
        Ok(Self {
            root,
            processes,
            places: Places::of(processes)?,
            pid_ns: PidNs::of(&root.leader)?,
            user_nss: UserNamespaces::of(&root.leader, processes)?,
            census: Census::of(processes, frozen)?,
            users: Users::of(processes)?,
            mappings: RefCell::new(Mappings::new()),
            segments: RefCell::new(Segments::new()),
            undos: RefCell::new(Undos::new()),
            holders: RefCell::new(Holders::new()),
            inhabited: RefCell::new(Inhabited::new()),
            caller_fs: Fs::of(&Task::current())?,
            caller_ns: Nsproxy::of(&Task::current())?,
            session_ops: request.ops,
            stopped_ns: frozen.map_or(0, |f| f.since_ns),
            deadline_ns: frozen.map_or(0, |f| f.deadline_ns),
            statefile,
            decisions: policy::Decisions::new(request.policies),
            flags: request.flags,
        })
    }

    /// The task with this number in a pid namespace, and its index in the tree, if it belongs to the target.
    pub(crate) fn task_in(&self, ns: &PidNs, number: u32) -> Option<(u32, Task)> {
        let task = ns.task(number)?;
        Some((self.places.index(&task)?, task))
    }

    /// The pid namespace that the target is all of; `None` for a process or a tree.
    pub(crate) fn inside(&self) -> Option<&PidNs> {
        (self.root.scope == Extent::Container).then_some(&self.pid_ns)
    }
}

/// What the rooms need to know while they check and dump a process.
pub(crate) struct Target<'a> {
    /// All of them.
    pub(crate) whole: &'a Whole<'a>,
    /// The leader; or the first live thread, when that has exited alone.
    pub(crate) leader: &'a Task,
    /// All live threads, that one first.
    pub(crate) threads: &'a [Task],
    /// The leader of its parent, if that is one of the target's and alive.
    pub(crate) parent: Option<&'a Task>,
    /// The address space.
    pub(crate) mm: &'a Mm,
    /// From where paths are seen: the root of its mount namespace, or of the caller, if that lives in the same.
    pub(crate) names: &'a Fs,
}

impl<'a> Target<'a> {
    /// As it is for a thread that has a descriptor table of its own.
    pub(crate) fn seen_by(&self, task: &'a Task) -> Self {
        Self { leader: task, ..*self }
    }
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
    /// What the task has that has not been written yet ([`share`] bits).
    pub(crate) new: &'a mut u32,
}

/// What processes may share: written with the first that has it.
pub(crate) mod share {
    /// Address space.
    pub(crate) const MM: u32 = 1 << 0;
    /// Descriptor table.
    pub(crate) const FILES: u32 = 1 << 1;
    /// Root and working directory, umask.
    pub(crate) const FS: u32 = 1 << 2;
    /// Signal handlers.
    pub(crate) const HANDLERS: u32 = 1 << 3;
    /// Namespaces. Not among what a section may lack: every task says which it has.
    pub(crate) const NSPROXY: u32 = 1 << 4;
    /// Objects of an ipc namespace that has just been met.
    pub(crate) const IPC: u32 = 1 << 5;
    /// Everything that is not shared: always there.
    pub(crate) const NOTHING: u32 = 1 << 31;
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
    /// Those of them that outlive the tasks.
    pub(crate) remains: &'a mut Remains,
    /// The task's entry in the tree.
    pub(crate) entry: &'a Tree,
    /// Its index in the tree.
    pub(crate) index: u32,
    /// What the whole process has is in its section: it is the leader, or the first thread when that has exited alone.
    pub(crate) keeps_process: bool,
    /// [`ckpt_uapi::ioctl::restart_flags`].
    pub(crate) flags: u32,
    /// File operations of the session.
    pub(crate) session_ops: usize,
    /// Root directory of the restarter.
    pub(crate) restarter_fs: &'a Fs,
    /// Credentials of the restarter.
    pub(crate) restarter: &'a Cred,
    /// Who has made the session keyring of those that may not have the restarter's.
    pub(crate) keyring: &'a mut Option<Task>,
    /// What the restarted program does not find as it was, and that is no reason to fail.
    pub(crate) warnings: &'a mut KVVec<Fault>,
    /// What the restarter has said about the world outside.
    pub(crate) external: &'a External,
    /// The user namespaces below that of the first task.
    pub(crate) user_nss: &'a Given,
    /// A task of the tree, when it has come in.
    pub(crate) task_at: &'a TaskOf<'a>,
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
    /// As prctl(PR_SET_PDEATHSIG).
    pub(crate) pdeath_signal: u32,
    /// Objref of the newest seccomp filter that the task has.
    pub(crate) filter: u32,
    /// The seccomp record has been read.
    pub(crate) seccomp: bool,
    /// Interval timers: they run from the moment the task is let go.
    pub(crate) itimers: Option<[(u64, u64); 3]>,
    /// POSIX timers, likewise.
    pub(crate) posix_timers: KVVec<PosixTimer>,
    /// Armed timerfds, and those with expirations that nobody has read, likewise.
    pub(crate) timerfds: KVVec<(File, Timerfd)>,
    /// How the process is told of messages in POSIX queues, likewise.
    pub(crate) notified: KVVec<MqNotify>,
    /// Rings of io_uring to which the task is something.
    pub(crate) rings: KVVec<(File, RingOf)>,
    /// Where a ring looks for room for the next file.
    pub(crate) file_hints: KVVec<(File, u32)>,
    /// What is to be told by inotify.
    pub(crate) inotifies: KVVec<BuildingInotify>,
    /// The same of fanotify.
    pub(crate) fanotifies: KVVec<BuildingFanotify>,
    /// A message of a socket of which parts are still to come.
    pub(crate) arriving: Option<Arriving>,
    /// As prctl(PR_SET_TSC, PR_TSC_SIGSEGV).
    pub(crate) tsc_off: bool,
    /// The process has had what cannot be saved, and is killed before it runs.
    pub(crate) kill: bool,
    /// mlockall(2) flags for new mappings.
    pub(crate) lock_future: u32,
    /// The address space while it is being built.
    pub(crate) mm: Option<mm::Building>,
    /// What the section has the records of ([`share`] bits).
    pub(crate) new: u32,
    /// Index of the child for whose exec or exit the task waits in vfork(2), or 0.
    pub(crate) vfork_child: u32,
    /// Status of a task that has exited, as wait(2) returns it.
    pub(crate) exit_status: Option<u32>,
    /// Whose root and working directory the task shares.
    pub(crate) fs_owner: Option<Task>,
    /// Its controlling terminal, and whether its process group is the foreground one.
    pub(crate) ctty: Option<(Master, bool)>,
    /// Pseudoterminals that it has made, their flags and packet events.
    pub(crate) ptys: KVVec<(Master, u32, u32)>,
    /// Number of the user namespace that namespaces belong to; when the task is in its namespaces, of that in which it will live.
    pub(crate) ns_owner: u32,
    /// The task is in its namespaces.
    pub(crate) in_namespaces: bool,
    /// Limits of the ipc namespace, while its objects are still to come.
    pub(crate) ipc_limits: Option<IpcLimits>,
    /// The mount namespace while it is being built.
    pub(crate) mounts: Option<ns::Building>,
    /// The network namespace while it is being built.
    pub(crate) network: Option<ns::BuildingNetwork>,
}

impl Late {
    /// Whether everything that was begun has been ended.
    pub(crate) fn is_complete(&self) -> bool {
        (self.new & share::MM == 0 || self.mm.as_ref().is_some_and(mm::Building::is_done))
            && (self.new & share::FILES == 0 || self.fds == Some(true))
            && self.inotifies.last().is_none_or(BuildingInotify::is_done)
            && self.fanotifies.last().is_none_or(BuildingFanotify::is_done)
            && self.arriving.is_none()
            && self.has_all_mounts()
            && self.has_all_devices()
            && self.ipc_limits.is_none()
    }
}

impl Late {
    /// Whether the mount namespace, if one was begun, has been ended.
    pub(crate) fn has_all_mounts(&self) -> bool {
        self.mounts.as_ref().is_none_or(ns::Building::is_done)
    }

    /// Whether the network namespace, if one was begun, has its devices.
    pub(crate) fn has_all_devices(&self) -> bool {
        self.network.as_ref().is_none_or(ns::BuildingNetwork::is_done)
    }
}

/// How often a kind occurs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Once for each process, in the section of the leader, or of the first thread when that has exited alone.
    Process,
    /// Once for each thread.
    Task,
}

/// The task with an index in the tree of a restart.
pub(crate) type TaskOf<'a> = dyn Fn(u32) -> Option<Task> + 'a;

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
    /// What processes may share: its records stand in the section of the first that has it.
    const SHARE: u32 = share::NOTHING;
    /// Whether a task that has exited still has it.
    const EXITED: bool = false;
    /// Whether its records are objects, which stand before whatever refers to them first.
    const OBJECTS: bool = false;

    /// Waits until the kernel has done what it still does for the target, as long as there is time; before anything is looked at.
    fn settle(_frozen: &FrozenTree) -> Result {
        Ok(())
    }

    /// Names everything that cannot be saved. The target may be running.
    fn check(_target: &Target<'_>, _task: &Task, _obstacles: &mut dyn Obstacles) -> Result {
        Ok(())
    }

    /// Names everything that cannot be saved of a task that has exited.
    fn check_exited(_task: &Task, _obstacles: &mut dyn Obstacles) -> Result {
        Ok(())
    }

    /// Names what only the whole target shows, when each task has been looked at.
    fn check_whole(_whole: &Whole<'_>, _obstacles: &mut dyn Obstacles) -> Result {
        Ok(())
    }

    /// Writes its records for a task that has exited.
    fn dump_exited(_whole: &Whole<'_>, _task: &FrozenTask<'_>, _dump: &mut Dump<'_>) -> Result {
        Ok(())
    }

    /// Writes its records.
    fn dump(target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result;

    /// Restores one record, which is the current one of `restore.input`.
    fn restore(kind: RecordType, restore: &mut Restore<'_>) -> Result;

    /// Does what has to wait until the last record of all has been read: every task has its credentials. `task_of` knows a task by its
    /// number, `root` is the first one.
    fn finish(_made: &mut Made, _task_of: &TaskOf<'_>, _root: Option<&Task>) {}

    /// Does what has to wait until all tasks are there and have opened their files, before any of them goes on.
    fn join(_me: &CurrentTask, _late: &mut Late) -> Result {
        Ok(())
    }

    /// Does what has to wait until all tasks have joined: times begin to count. No task runs its own code before all have done it; when one
    /// fails, so does the restart.
    fn start(_me: &CurrentTask, _late: &Late) -> Result {
        Ok(())
    }
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
    /// What it may be shared as.
    pub(crate) share: u32,
    /// Whether a task that has exited still has it.
    pub(crate) exited: bool,
    /// Whether its records are objects.
    pub(crate) objects: bool,
    /// [`Resource::settle`]
    pub(crate) settle: fn(&FrozenTree) -> Result,
    /// [`Resource::check`]
    pub(crate) check: fn(&Target<'_>, &Task, &mut dyn Obstacles) -> Result,
    /// [`Resource::check_exited`]
    pub(crate) check_exited: fn(&Task, &mut dyn Obstacles) -> Result,
    /// [`Resource::check_whole`]
    pub(crate) check_whole: fn(&Whole<'_>, &mut dyn Obstacles) -> Result,
    /// [`Resource::dump_exited`]
    pub(crate) dump_exited: fn(&Whole<'_>, &FrozenTask<'_>, &mut Dump<'_>) -> Result,
    /// [`Resource::dump`]
    pub(crate) dump: fn(&Target<'_>, &FrozenTask<'_>, &mut Dump<'_>) -> Result,
    /// [`Resource::restore`]
    pub(crate) restore: fn(RecordType, &mut Restore<'_>) -> Result,
    /// [`Resource::finish`]
    pub(crate) finish: fn(&mut Made, &TaskOf<'_>, Option<&Task>),
    /// [`Resource::join`]
    pub(crate) join: fn(&CurrentTask, &mut Late) -> Result,
    /// [`Resource::start`]
    pub(crate) start: fn(&CurrentTask, &Late) -> Result,
}

const fn room<R: Resource>() -> Room {
    Room {
        records: R::RECORDS,
        scope: R::SCOPE,
        required: R::REQUIRED,
        repeats: R::REPEATS,
        share: R::SHARE,
        exited: R::EXITED,
        objects: R::OBJECTS,
        settle: R::settle,
        check: R::check,
        check_exited: R::check_exited,
        check_whole: R::check_whole,
        dump_exited: R::dump_exited,
        dump: R::dump,
        restore: R::restore,
        finish: R::finish,
        join: R::join,
        start: R::start,
    }
}

/// All kinds, in the order of their records in a task's section. The order of restoring is the same: memory before
/// anything that lies in it, namespaces before files, files before the root directory is changed, Landlock and credentials
/// last, since they take rights away. Landlock before credentials: to be restricted, a task may need a capability that those
/// take.
pub(crate) const ROOMS: &[Room] = &[
    room::<task::TaskRoom>(),
    room::<cgroup::CgroupRoom>(),
    room::<ns::NsRoom>(),
    room::<ipc::IpcRoom>(),
    room::<file::FileRoom>(),
    room::<mm::MmRoom>(),
    room::<ctty::CttyRoom>(),
    room::<fd::FdRoom>(),
    room::<fs::FsRoom>(),
    room::<signal::ActionRoom>(),
    room::<itimer::ItimerRoom>(),
    room::<rlimit::RlimitRoom>(),
    room::<landlock::LayerRoom>(),
    room::<file::NotifyRoom>(),
    room::<ipc::UndoRoom>(),
    room::<file::UringRoom>(),
    room::<sched::SchedRoom>(),
    room::<prctl::PrctlRoom>(),
    room::<mempolicy::MempolicyRoom>(),
    room::<landlock::LandlockRoom>(),
    room::<seccomp::SeccompRoom>(),
    room::<cred::CredRoom>(),
    room::<file::OwnerRoom>(),
    room::<posix_timer::PosixTimerRoom>(),
    room::<signal::MaskRoom>(),
    room::<signal::PendingRoom>(),
    room::<fpu::FpuRoom>(),
    room::<regs::RegsRoom>(),
    room::<restart_block::RestartBlockRoom>(),
];

/// Most warnings of a restart.
const WARNINGS: usize = 100;

/// Where rooms meet: what one room refers to by objref, another one writes and makes.
pub(crate) use mm::{dump_shmem_pages, lacks_huge_pages, no_huge_pages, post_dump, Mappings, Snapshot};

pub(crate) use file::{
    check_mapped, check_pair, check_ring_mapping, count_mapped, dump_file, dump_pair, each_extent, finish_ptys,
    finish_sockets, held, is_sealed_for_writers, place_ring, refuse_device, restore_shmem_pages, Arriving,
    BuildingFanotify, BuildingInotify, Census, Holders, Holding, Inhabited,
};

pub(crate) use ipc::{check_objects, dump_segment, Segments, Undos};

pub(crate) use landlock::open_denied;
pub(crate) use mempolicy::{nodes, put_nodes};

pub(crate) use ns::{
    as_owner, in_announced, names_of,
    user::{Given, UserNamespaces},
    viewer_of,
};

pub(crate) use rlimit::{allow_descriptor, raise as raise_limits};

pub(crate) use task::Users;

/// Sets what was kept for the end. The task must go straight to user mode afterwards.
pub(crate) use regs::{prepare, release, set_name};
