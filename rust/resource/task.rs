// SPDX-License-Identifier: GPL-2.0

//! One thread: what has no room of its own.
//!
//! Saved: what it shares with other processes and threads (address space, descriptor table, directories, signal handlers); status of a
//! process that has exited and waits to be reaped; name, personality, parent-death signal, set_tid_address, robust list, rseq registration,
//! oom_score_adj (by way of /proc), I/O priority, prctl(PR_SET_TSC, PR_SET_IO_FLUSHER).
//! Not saved: accounting (times, I/O counters),
//! LSM label (only a program with the caller's own is saved; the restarted task has the restarter's); how many threads work for rings of
//! io_uring, and on which processors, if it has said so by a ring that is closed by now.
//! Refused: being traced (ptrace); what [`Task::unsupported`] lists (32-bit programs, shadow stacks, ...), kernel helper threads;
//! requests of io_uring that have not completed, restrictions of a task there (a ring itself is a descriptor);
//! sharing with a process outside of the target; a wait of clone(2) with CLONE_VFORK for a task that is not its child.
//! Shown by: task/, refuse/io_uring, refuse/traced, refuse/perf_event, hostile/values_of_task_state.
//!
//! Record: [`ckpt_uapi::record::task`].

use super::{share, Dump, FrozenTask, Late, Obstacles, Resource, Restore, Scope, Target, Whole};
use crate::{
    error::{Context, Fault, Result},
    freeze::{Process, Scope as Extent},
    objects::{Keeper, Object},
    wrapper::{
        fcntl::O_WRONLY,
        syscall::{nr, CurrentTask},
        task::{sleep_killable, Task}, //
    },
};
use ckpt_uapi::{
    ioctl::restart_flags,
    record::{
        task::{flags, Task as TaskRecord},
        tree::flags as tree_flags,
        Record, RecordType,
    },
};
use kernel::{prelude::*, rbtree::RBTree};
use zerocopy::FromZeros;

pub(crate) struct TaskRoom;

/// Size of `struct robust_list_head`, the only length that set_robust_list(2) takes.
const ROBUST_LEN: u64 = 24;

/// There is no system call for it: the task writes to its own file in /proc.
fn set_oom_score_adj(me: &CurrentTask, value: i32) -> kernel::error::Result {
    struct Digits([u8; 16], usize);
    impl core::fmt::Write for Digits {
        fn write_str(&mut self, s: &str) -> core::fmt::Result {
            let end = self.1 + s.len();
            self.0
                .get_mut(self.1..end)
                .ok_or(core::fmt::Error)?
                .copy_from_slice(s.as_bytes());
            self.1 = end;
            Ok(())
        }
    }
    let mut digits = Digits([0; 16], 0);
    core::fmt::Write::write_fmt(&mut digits, format_args!("{value}")).map_err(|_| EINVAL)?;
    let at = me.put_path(b"/proc/self/oom_score_adj")?;
    let fd = me.call(nr::__NR_open, &[at, u64::from(O_WRONLY)])? as u64;
    let written = me
        .put(&digits.0[..digits.1])
        .and_then(|at| me.call(nr::__NR_write, &[fd, at, digits.1 as u64]));
    me.call(nr::__NR_close, &[fd])?;
    written.map(|_| ())
}

/// How many tasks of the target use what tasks may share, by its address.
pub(crate) struct Users(RBTree<usize, i32>);

impl Users {
    /// Counts them, once for all processes.
    pub(crate) fn of(processes: &[Process]) -> Result<Self> {
        let mut users = Self(RBTree::new());
        for p in processes.iter().filter(|p| !p.threads.is_empty()) {
            // All that a thread keeps when it has exited.
            if let Some(leader) = p.exited_leader() {
                users.add(leader.shared().handlers, 1)?;
            }
            // While it runs, new threads come, which share what their leader has.
            let newer = (p.leader.nr_threads() - p.nr_tasks() as i32).max(0);
            for (i, t) in p.threads.iter().enumerate() {
                let s = t.shared();
                for address in [s.mm, s.files, s.fs, s.handlers] {
                    users.add(address, if i == 0 { 1 + newer } else { 1 })?;
                }
            }
        }
        Ok(users)
    }

    fn add(&mut self, address: usize, count: i32) -> Result {
        match self.0.get_mut(&address) {
            Some(n) => *n += count,
            None => {
                self.0.try_create_and_insert(address, count, GFP_KERNEL_ACCOUNT)?;
            }
        }
        Ok(())
    }

    /// The users of what is at this address.
    pub(crate) fn at(&self, address: usize) -> i32 {
        self.0.get(&address).copied().unwrap_or(0)
    }

    /// What else uses descriptor table, directories or handlers of the task, as words; `None` when nobody does.
    fn stranger(&self, task: &Task) -> Option<&'static str> {
        let (mine, sharing) = (task.shared(), task.sharing());
        [
            (sharing.files, mine.files, "descriptor table is"),
            (sharing.fs, mine.fs, "working directory is"),
            (sharing.sighand, mine.handlers, "signal handlers are"),
        ]
        .into_iter()
        .find_map(|(users, address, what)| (users > self.at(address)).then_some(what))
    }
}

/// As [`Users::stranger`]. A thread that is on its way out, or that has just come, counts for a moment.
fn settled_stranger(whole: &Whole<'_>, task: &Task) -> Result<Option<&'static str>> {
    let mut found = whole.users.stranger(task);
    for _ in 0..50 {
        if found.is_none() {
            break;
        }
        sleep_killable(4);
        found = Users::of(whole.processes)?.stranger(task);
    }
    Ok(found)
}

/// A number that no object has yet is the task's own, and its records follow; another one is what an earlier task has.
fn share_or_own(restore: &mut Restore<'_>, objref: u32, bit: u32) -> Result {
    let (me, entry, keeps) = (restore.me, restore.entry, restore.keeps_process);
    if bit == share::MM && (objref == restore.made.next()) != (keeps && entry.vm == entry.leader) {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("the address space does not fit the tree")));
    }
    if objref == restore.made.next() && (keeps || bit & (share::FILES | share::FS) != 0) {
        const CLONE_FILES: u64 = 0x400;
        const CLONE_FS: u64 = 0x200;
        // A thread was made to share its leader's; that may share with somebody who runs.
        match bit {
            share::FILES => drop(me.call(nr::__NR_unshare, &[CLONE_FILES])?),
            share::FS => drop(me.call(nr::__NR_unshare, &[CLONE_FS])?),
            _ => {}
        }
        restore.late.new |= bit;
        return restore.made.add(Object::Shared(bit, me.task().clone()));
    }
    let owner = match restore.made.get(objref) {
        Some(Object::Shared(what, owner)) if *what == bit => owner.clone(),
        _ => {
            return Err(restore.input.bad(
                EBADMSG,
                format_args!("object {objref} cannot be shared as the task does"),
            ))
        }
    };
    let (mine, theirs) = (me.task().shared(), owner.shared());
    match bit {
        share::FILES if mine.files != theirs.files => me.adopt_files(&owner)?,
        share::FS => {
            if mine.fs != theirs.fs {
                me.adopt_fs(&owner)?;
            }
            restore.late.fs_owner = Some(owner);
        }
        share::MM if mine.mm != theirs.mm => {
            return Err(Fault::new(
                EINVAL,
                format_args!("it was not built to share the address space of another process"),
            ))
        }
        share::HANDLERS if mine.handlers != theirs.handlers => {
            return Err(Fault::new(
                EINVAL,
                format_args!("it was not built to share the signal handlers of another process"),
            ))
        }
        _ => {}
    }
    Ok(())
}

impl Resource for TaskRoom {
    const RECORDS: &'static [RecordType] = &[TaskRecord::TYPE];
    const SCOPE: Scope = Scope::Task;
    const EXITED: bool = true;

    fn check(target: &Target<'_>, task: &Task, obstacles: &mut dyn Obstacles) -> Result {
        let mut refuse = |text: core::fmt::Arguments<'_>| {
            obstacles.add(Fault::new(EOPNOTSUPP, text).kind(RecordType::Task));
        };
        if task.is_kernel_thread() {
            refuse(format_args!("it is a kernel thread"));
            return Ok(());
        }
        if task.is_user_worker() {
            refuse(format_args!("it is a helper thread of the kernel (io_uring or vhost)"));
        }
        match task.tracer() {
            None => {}
            Some(pid) if pid > 0 => refuse(format_args!("it is traced (ptrace) by process {pid}")),
            Some(_) => refuse(format_args!("it is traced (ptrace) from another pid namespace")),
        }
        task.unsupported(|what| refuse(format_args!("{what}")));
        if task.has_uring_requests(target.whole.stopped_ns != 0)? {
            refuse(format_args!("requests of io_uring are in flight"));
        }
        if task.waits_for_no_child() {
            refuse(format_args!("it waits as in vfork(2) for a task that is not its child"));
        }
        if target.whole.root.scope == Extent::Process {
            if let Some(child) = task.first_child() {
                refuse(format_args!("it has child processes ({child} is one)"));
            }
        }
        let (mine, leaders) = (task.shared(), target.leader.shared());
        if task == target.leader || mine.files != leaders.files || mine.fs != leaders.fs {
            if let Some(what) = settled_stranger(target.whole, task)? {
                refuse(format_args!("its {what} shared with a process outside of the target"));
            }
        }
        Ok(())
    }

    fn dump_exited(_whole: &Whole<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let mut r = TaskRecord::new_zeroed();
        r.index = task.index;
        r.comm = task.task.comm();
        r.exit_status = task.task.exit_status();
        if !task.task.has_exited() {
            // A main thread that has exited keeps it for its process.
            r.pdeath_signal = task.task.pdeath_signal();
        }
        dump.out.record(&r)
    }

    fn dump(target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let t = task.task;
        let registered = t.registered();
        let mut r = TaskRecord::new_zeroed();
        r.index = task.index;
        let shared = t.shared();
        for (objref, address, bit) in [
            (&mut r.mm, shared.mm, share::MM),
            (&mut r.files, shared.files, share::FILES),
            (&mut r.fs, shared.fs, share::FS),
            (&mut r.handlers, shared.handlers, share::HANDLERS),
        ] {
            if address == 0 {
                return Err(Fault::new(ESRCH, format_args!("it was killed during the checkpoint")));
            }
            *objref = match dump.seen.get(address) {
                Some(known) => known,
                None => {
                    *dump.new |= bit;
                    dump.seen.add(address, Keeper::Task)?
                }
            };
        }
        r.personality = t.personality();
        r.pdeath_signal = t.pdeath_signal();
        r.comm = t.comm();
        r.clear_child_tid = registered.clear_child_tid;
        r.robust_list = registered.robust_list;
        r.robust_list_len = if registered.robust_list == 0 { 0 } else { ROBUST_LEN };
        if registered.rseq.0 != 0 {
            r.flags |= flags::RSEQ;
            (r.rseq, r.rseq_len, r.rseq_sig) = registered.rseq;
        }
        if let Some(child) = t.vfork_child() {
            let gone = || Fault::new(ESRCH, format_args!("the child that it waits for is gone"));
            r.vfork_child = target.whole.places.index(&child).ok_or_else(gone)?;
        }
        r.oom_score_adj = t.oom_score_adj();
        r.io_priority = t.io_priority();
        if t.tsc_is_off() {
            r.flags |= flags::TSC_SIGSEGV;
        }
        if t.is_io_flusher() {
            r.flags |= flags::IO_FLUSHER;
        }
        if t == target.leader && target.whole.decisions.dooms(t) {
            r.flags |= flags::KILLED;
        }
        dump.out.record(&r)
    }

    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let r: TaskRecord = restore.input.only()?;
        let exited = restore.entry.flags & (tree_flags::ZOMBIE | tree_flags::EXITED) != 0;
        let shared = [r.mm, r.files, r.fs, r.handlers];
        if r.index != restore.index
            || r.flags & !flags::ALL != 0
            || r.pdeath_signal > 64
            || (exited && (shared != [0; 4] || r.vfork_child != 0))
            || (!exited && r.exit_status != 0)
            || (r.flags & flags::KILLED != 0 && (exited || !restore.keeps_process))
            || r.exit_status > u32::from(u16::MAX)
        {
            return Err(restore
                .input
                .bad(EBADMSG, format_args!("task record does not fit the tree")));
        }
        let me = restore.me;
        restore.late.comm = Some(r.comm);
        restore.late.vfork_child = r.vfork_child;
        // A restarter that leaves on purpose is not a parent that dies.
        if restore.flags & restart_flags::DETACHED == 0 || restore.entry.leader != 0 {
            restore.late.pdeath_signal = r.pdeath_signal;
        }
        if exited {
            restore.late.exit_status = Some(r.exit_status);
            return Ok(());
        }
        let bits = [share::MM, share::FILES, share::FS, share::HANDLERS];
        for (objref, bit) in shared.into_iter().zip(bits) {
            share_or_own(restore, objref, bit)?;
        }
        if r.oom_score_adj != me.task().oom_score_adj() && restore.keeps_process {
            set_oom_score_adj(me, r.oom_score_adj)
                .context(format_args!("cannot set oom_score_adj to {}", r.oom_score_adj))?;
        }
        if r.io_priority != me.task().io_priority() {
            const IOPRIO_WHO_PROCESS: u64 = 1;
            me.call(nr::__NR_ioprio_set, &[IOPRIO_WHO_PROCESS, 0, u64::from(r.io_priority)])
                .context(format_args!("cannot set I/O priority {:#x}", r.io_priority))?;
        }
        let io_flusher = r.flags & flags::IO_FLUSHER != 0;
        if io_flusher != me.task().is_io_flusher() {
            me.call(
                nr::__NR_prctl,
                &[u64::from(nr::PR_SET_IO_FLUSHER), u64::from(io_flusher), 0, 0, 0],
            )
            .context(format_args!("cannot set PR_SET_IO_FLUSHER"))?;
        }
        restore.late.kill = r.flags & flags::KILLED != 0;
        restore.late.tsc_off = r.flags & flags::TSC_SIGSEGV != 0;
        me.call(nr::__NR_personality, &[u64::from(r.personality)])
            .context(format_args!("cannot set the personality"))?;
        me.call(nr::__NR_set_tid_address, &[r.clear_child_tid])?;
        let robust_len = if r.robust_list == 0 {
            ROBUST_LEN
        } else {
            r.robust_list_len
        };
        me.call(nr::__NR_set_robust_list, &[r.robust_list, robust_len])
            .context(format_args!("cannot register the robust list"))?;
        restore.late.rseq = (r.flags & flags::RSEQ != 0).then_some((r.rseq, r.rseq_len, r.rseq_sig));
        Ok(())
    }

    fn start(me: &CurrentTask, late: &Late) -> Result {
        if late.kill {
            me.task().kill();
        }
        Ok(())
    }
}
