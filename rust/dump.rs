// SPDX-License-Identifier: GPL-2.0

//! The dump driver: check everything, then write header, tree, each kind in the order of the list, trailer. It knows no kind.

use crate::{
    error::{Fault, Result},
    freeze::FrozenTree,
    objects::Seen,
    resource::{post_dump, tree, Dump, FrozenTask, Obstacles, Scope, Snapshot, Target, ROOMS},
    statefile::Writer,
    wrapper::{
        file::File,
        path::Fs,
        regset,
        task::{fatal_signal_pending, sleep_killable, Task},
        time, //
    },
};
use ckpt_uapi::{
    record::{
        header::{Header, ARCH_X86_64},
        RecordType,
    },
    status::severity,
};
use kernel::prelude::*;
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
    leader: &Task,
    threads: &[Task],
    session_ops: usize,
    sink: &mut dyn FnMut(u16, Fault),
) -> Result<u32> {
    let whole = Whole::new(leader, threads, session_ops, 0)?;
    whole.check(sink)
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

/// Saves a process whose threads (but the caller) stand still. With `may_snapshot` much of the memory is left to
/// [`PostDump::finish`].
pub(crate) fn dump(
    leader: &Task,
    frozen: &FrozenTree,
    file: File,
    session_ops: usize,
    may_snapshot: bool,
    sink: &mut dyn FnMut(u16, Fault),
) -> Result<PostDump> {
    let whole = Whole::new(leader, frozen.threads(), session_ops, frozen.since_ns)?;
    let obstacles = whole.check(sink)?;
    if obstacles > 0 {
        return Err(EOPNOTSUPP.into());
    }
    whole.not_shared()?;
    whole.write(file, may_snapshot)
}

/// The target with the references that the rooms borrow.
struct Whole<'a> {
    leader: &'a Task,
    threads: &'a [Task],
    mm: crate::wrapper::mm::Mm,
    fs: Fs,
    caller_fs: Fs,
    session_ops: usize,
    stopped_ns: u64,
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

impl<'a> Whole<'a> {
    fn new(leader: &'a Task, threads: &'a [Task], session_ops: usize, stopped_ns: u64) -> Result<Self> {
        Ok(Self {
            leader,
            threads,
            mm: leader
                .mm()
                .ok_or_else(|| Fault::new(ESRCH, format_args!("the process has exited")))?,
            fs: Fs::of(leader)?,
            caller_fs: Fs::of(&Task::current())?,
            session_ops,
            stopped_ns,
        })
    }

    fn target(&self) -> Target<'_> {
        Target {
            leader: self.leader,
            threads: self.threads,
            mm: &self.mm,
            fs: &self.fs,
            caller_fs: &self.caller_fs,
            session_ops: self.session_ops,
            stopped_ns: self.stopped_ns,
            myself: self.threads.iter().any(Task::is_current),
        }
    }

    fn check(&self, sink: &mut dyn FnMut(u16, Fault)) -> Result<u32> {
        let target = self.target();
        let mut collector = Collector {
            sink,
            count: 0,
            ids: (0, 0),
        };
        for task in self.threads {
            collector.ids = (task.tgid(), task.tid());
            for room in ROOMS.iter().filter(|r| concerns(r.scope, task, self.leader)) {
                (room.check)(&target, task, &mut collector)
                    .map_err(|f| f.kind(room.records[0]).task(task.tgid(), task.tid()))?;
            }
        }
        Ok(collector.count)
    }

    /// The address space has no other users than the threads. Somebody who looks at it (ps) counts for a moment.
    fn not_shared(&self) -> Result {
        for _ in 0..50 {
            // One reference is ours.
            if self.mm.users() <= self.threads.len() as i32 + 1 {
                return Ok(());
            }
            sleep_killable(4);
        }
        Err(Fault::new(
            EOPNOTSUPP,
            format_args!("its address space is shared with another process"),
        )
        .kind(RecordType::Mm)
        .task(self.leader.tgid(), self.leader.tid()))
    }

    fn write(&self, file: File, may_snapshot: bool) -> Result<PostDump> {
        let target = self.target();
        let mut out = Writer::new(file)?;
        let mut seen = Seen::new();
        let mut snapshot = None;
        out.record(&self.header())?;
        tree::dump(&target, &mut out)?;
        out.empty(RecordType::PrologueEnd)?;
        for (index, task) in self.threads.iter().enumerate() {
            let frozen = FrozenTask {
                task,
                index: index as u32,
            };
            for room in ROOMS.iter().filter(|r| concerns(r.scope, task, self.leader)) {
                let mut dump = Dump {
                    out: &mut out,
                    seen: &mut seen,
                    may_snapshot,
                    snapshot: &mut snapshot,
                };
                (room.dump)(&target, &frozen, &mut dump)
                    .map_err(|f| f.kind(room.records[0]).task(task.tgid(), task.tid()))?;
                if fatal_signal_pending() {
                    return Err(EINTR.into());
                }
                // A task that was killed while it stood still has lost what would have been written.
                if task.is_exiting() {
                    return Err(Fault::new(ESRCH, format_args!("it was killed during the checkpoint"))
                        .task(task.tgid(), task.tid()));
                }
            }
            out.empty(RecordType::TaskEnd)?;
        }
        Ok(PostDump {
            out,
            snapshot,
            objects: seen.len(),
            tasks: self.threads.len() as u32,
        })
    }

    fn header(&self) -> Header {
        let mut h = Header::new_zeroed();
        h.arch = ARCH_X86_64;
        h.page_size = crate::wrapper::mm::PAGE_SIZE as u32;
        h.tasks = self.threads.len() as u32;
        h.xfeatures = regset::xcr0();
        h.realtime_ns = time::realtime_ns();
        h.monotonic_ns = self.stopped_ns;
        h.boottime_ns = time::boottime_ns();
        time::random(&mut h.uuid);
        time::kernel_release(&mut h.release);
        time::nodename(&mut h.nodename);
        h
    }
}

/// Whether a kind has to be looked at for this task.
fn concerns(scope: Scope, task: &Task, leader: &Task) -> bool {
    scope == Scope::Task || task == leader
}
