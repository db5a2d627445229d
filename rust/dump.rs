// SPDX-License-Identifier: GPL-2.0

//! The dump driver: check everything, then write header, tree, and for each task each kind in the order of the list, then the
//! trailer. It knows no kind.

use crate::{
    error::{Fault, Result},
    freeze::{tasks, FrozenTree, Process, Root},
    objects::Seen,
    resource::{
        names_of, post_dump, prologue, share, tree, Dump, FrozenTask, Obstacles, Request, Room, Scope, Snapshot,
        Target, Whole, ROOMS,
    },
    statefile::Writer,
    wrapper::{
        file::File,
        mm::Mm,
        path::Fs,
        regset,
        task::{fatal_signal_pending, Task},
        time, //
    },
};
use ckpt_uapi::{
    ioctl::checkpoint_flags,
    record::{
        header::{flags, Header, ARCH_X86_64},
        RecordType,
    },
    status::severity,
};
use kernel::{prelude::*, rbtree::RBTree};
use zerocopy::FromZeros;

/// What a checkpoint was, for the caller.
pub(crate) struct Report {
    /// Bytes written.
    pub(crate) bytes: u64,
    /// Records written.
    pub(crate) records: u64,
    /// Pages written.
    pub(crate) pages: u64,
    /// Tasks saved.
    pub(crate) tasks: u32,
}

/// Looks for obstacles; the target may be running. Their number.
pub(crate) fn check(
    root: &Root,
    processes: &[Process],
    request: Request<'_>,
    sink: &mut dyn FnMut(u16, Fault),
) -> Result<u32> {
    look(&Whole::of(root, processes, request, None, 0)?, sink)
}

/// A dump for which the target need not stand still any more.
pub(crate) struct PostDump {
    out: Writer,
    snapshot: Option<Snapshot>,
    objects: u32,
    tasks: u32,
}

impl PostDump {
    /// Writes the rest.
    pub(crate) fn finish(mut self) -> Result<Report> {
        let deferred = self.out.take_deferred();
        if let Some(snapshot) = self.snapshot.take() {
            post_dump(&snapshot, &mut self.out)?;
        }
        if let Some(deferred) = deferred {
            self.out.replay(deferred)?;
        }
        self.out
            .finish(self.objects, self.tasks)
            .map_err(|f| f.kind(RecordType::Trailer))?;
        Ok(Report {
            bytes: self.out.offset(),
            records: self.out.records(),
            pages: self.out.pages(),
            tasks: self.tasks,
        })
    }
}

/// Saves a target whose tasks (but the caller) stand still. With `may_snapshot` much of the memory is left to
/// [`PostDump::finish`].
pub(crate) fn dump(
    root: &Root,
    frozen: &FrozenTree,
    file: File,
    request: Request<'_>,
    may_snapshot: bool,
    sink: &mut dyn FnMut(u16, Fault),
) -> Result<PostDump> {
    for room in ROOMS {
        (room.settle)(frozen)?;
    }
    let whole = Whole::of(root, frozen.processes(), request, Some(frozen), file.address())?;
    if look(&whole, sink)? > 0 {
        return Err(EOPNOTSUPP.into());
    }
    write(&whole, file, may_snapshot)
}

/// A live process with the references that the rooms borrow.
struct Live<'a> {
    process: &'a Process,
    /// See [`Target::leader`].
    leader: &'a Task,
    mm: Mm,
    /// Root of its mount namespace, if that is not the caller's.
    names: Option<Fs>,
}

impl<'a> Live<'a> {
    /// `None` for a process that has exited.
    fn of(whole: &Whole<'_>, process: &'a Process) -> Result<Option<Self>> {
        let Some(leader) = process.threads.first() else {
            return Ok(None);
        };
        let gone = || Fault::new(ESRCH, format_args!("the process has exited")).task(leader.tgid(), leader.tid());
        Ok(Some(Self {
            process,
            leader,
            mm: leader.mm().ok_or_else(gone)?,
            names: names_of(whole, leader)?,
        }))
    }

    fn target(&'a self, whole: &'a Whole<'a>) -> Target<'a> {
        Target {
            whole,
            leader: self.leader,
            threads: &self.process.threads,
            parent: whole
                .processes
                .get(self.process.parent)
                .map(|p| &p.leader)
                .filter(|p| **p != self.process.leader && !p.is_exiting()),
            mm: &self.mm,
            names: self.names.as_ref().unwrap_or(&whole.caller_fs),
        }
    }
}

/// Adds the task that is being looked at to each obstacle.
struct Collector<'a> {
    sink: &'a mut dyn FnMut(u16, Fault),
    count: u32,
    ids: (i32, i32),
}

impl Obstacles for Collector<'_> {
    fn add(&mut self, fault: Fault) {
        self.count += 1;
        (self.sink)(severity::ERROR, fault.task(self.ids.0, self.ids.1));
    }

    fn warn(&mut self, fault: Fault) {
        (self.sink)(severity::WARNING, fault.task(self.ids.0, self.ids.1));
    }
}

/// What a task has that none before it has ([`share`] bits).
fn new_shares(known: &mut RBTree<usize, ()>, task: &Task) -> Result<u32> {
    let shared = task.shared();
    let mut new = share::NOTHING;
    for (address, bit) in [
        (shared.mm, share::MM),
        (shared.files, share::FILES),
        (shared.fs, share::FS),
        (shared.handlers, share::HANDLERS),
    ] {
        if known.get(&address).is_none() {
            known.try_create_and_insert(address, (), GFP_KERNEL_ACCOUNT)?;
            new |= bit;
        }
    }
    Ok(new)
}

fn look(whole: &Whole<'_>, sink: &mut dyn FnMut(u16, Fault)) -> Result<u32> {
    let mut collector = Collector {
        sink,
        count: 0,
        ids: (whole.root.leader.tgid(), whole.root.leader.tid()),
    };
    tree::check(whole, &mut collector)?;
    let mut known = RBTree::new();
    // While it runs, tasks come and go.
    let gone = |result: Result| match result {
        Err(fault) if fault.errno() == ESRCH && whole.stopped_ns == 0 => Ok(()),
        other => other,
    };
    for process in whole.processes {
        if let Some(task) = process.exited_leader() {
            collector.ids = (task.tgid(), task.tid());
            for room in ROOMS.iter().filter(|r| r.exited) {
                gone((room.check_exited)(task, &mut collector))
                    .map_err(|f| f.kind(room.records[0]).task(task.tgid(), task.tid()))?;
            }
        }
        let live = match Live::of(whole, process) {
            Ok(Some(live)) => live,
            Ok(None) => continue,
            // While it runs, one that has gone meanwhile is no obstacle.
            Err(fault) if fault.errno() == ESRCH && whole.stopped_ns == 0 => continue,
            Err(fault) => return Err(fault),
        };
        let target = live.target(whole);
        for task in target.threads {
            let new = new_shares(&mut known, task)?;
            collector.ids = (task.tgid(), task.tid());
            for room in rooms(task, target.leader, new) {
                gone((room.check)(&target, task, &mut collector))
                    .map_err(|f| f.kind(room.records[0]).task(task.tgid(), task.tid()))?;
            }
        }
        if fatal_signal_pending() {
            return Err(EINTR.into());
        }
    }
    collector.ids = (whole.root.leader.tgid(), whole.root.leader.tid());
    for room in ROOMS {
        (room.check_whole)(whole, &mut collector).map_err(|f| f.kind(room.records[0]))?;
    }
    Ok(collector.count)
}

fn write(whole: &Whole<'_>, file: File, may_snapshot: bool) -> Result<PostDump> {
    let mut out = Writer::new(file)?;
    let mut seen = Seen::new();
    let mut snapshot = None;
    // One address space can be written after its process goes on, several cannot yet.
    let may_snapshot = may_snapshot && whole.processes.len() == 1;
    out.record(&header(whole))?;
    prologue::dump(whole, &mut out)?;
    let mut index = 0;
    for process in whole.processes {
        let live = Live::of(whole, process)?;
        for task in process.tasks() {
            let frozen = FrozenTask { task, index };
            let mut new = share::NOTHING;
            let mut dump = Dump {
                out: &mut out,
                seen: &mut seen,
                may_snapshot,
                snapshot: &mut snapshot,
                new: &mut new,
            };
            match live.as_ref().filter(|_| process.exited_leader() != Some(task)) {
                Some(live) => section(&live.target(whole), &frozen, &mut dump)?,
                None => {
                    for room in ROOMS.iter().filter(|r| r.exited) {
                        (room.dump_exited)(whole, &frozen, &mut dump)
                            .map_err(|f| f.kind(room.records[0]).task(task.tgid(), task.tid()))?;
                    }
                }
            }
            out.empty(RecordType::TaskEnd)?;
            index += 1;
        }
    }
    Ok(PostDump {
        out,
        snapshot,
        objects: seen.len(),
        tasks: index,
    })
}

fn section(target: &Target<'_>, frozen: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
    let task = frozen.task;
    let is_leader = task == target.leader;
    for room in ROOMS.iter().filter(|r| is_leader || r.scope == Scope::Task) {
        // The first room says what is new.
        if *dump.new & room.share == 0 {
            continue;
        }
        (room.dump)(target, frozen, dump).map_err(|f| f.kind(room.records[0]).task(task.tgid(), task.tid()))?;
        if fatal_signal_pending() {
            return Err(EINTR.into());
        }
        // A task that was killed while it stood still has lost what would have been written.
        if task.is_exiting() {
            return Err(
                Fault::new(ESRCH, format_args!("it was killed during the checkpoint")).task(task.tgid(), task.tid())
            );
        }
    }
    Ok(())
}

fn header(whole: &Whole<'_>) -> Header {
    let mut h = Header::new_zeroed();
    h.arch = ARCH_X86_64;
    h.page_size = crate::wrapper::mm::PAGE_SIZE as u32;
    h.tasks = tasks(whole.processes) as u32;
    if whole.root.scope == crate::freeze::Scope::Container {
        h.flags |= flags::CONTAINER;
    }
    if whole.flags & (checkpoint_flags::WRITTEN_FILES | checkpoint_flags::READ_FILES) != 0 {
        h.flags |= flags::CONTENTS;
    }
    h.xfeatures = regset::xcr0();
    h.realtime_ns = time::realtime_ns();
    h.monotonic_ns = whole.stopped_ns;
    h.boottime_ns = time::boottime_ns();
    time::random(&mut h.uuid);
    time::kernel_release(&mut h.release);
    time::nodename(&mut h.nodename);
    h
}

/// The rooms to be looked at for this task.
fn rooms<'a>(task: &'a Task, leader: &'a Task, new: u32) -> impl Iterator<Item = &'static Room> + 'a {
    ROOMS
        .iter()
        .filter(move |r| (r.scope == Scope::Task || task == leader) && r.share & new != 0)
}
