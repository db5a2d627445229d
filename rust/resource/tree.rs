// SPDX-License-Identifier: GPL-2.0

//! The task tree of a statefile: what user space builds with clone3(2) before the tasks restore themselves.
//!
//! Saved: pids, parents, process groups, sessions (also those whose leader has gone), exit signals, who is stopped, zombies,
//! processes that share an address space.
//! Refused: a main thread that has exited while others live (by the freezer), nested pid namespaces, processes that entered
//! a container from outside, an address space shared by others than parent and child or siblings.
//!
//! Record: [`ckpt_uapi::record::tree`].

use super::{Obstacles, Whole};
use crate::{
    error::{Context, Fault, Result},
    freeze::{tasks, Scope},
    statefile::{Reader, Writer},
    wrapper::{
        pid::{Job, Join, Pid, PidNs},
        syscall::CurrentTask,
        task::Task, //
    },
};
use ckpt_uapi::{
    record::{
        tree::{flags, Head, Tree},
        RecordType,
    },
    statefile::TASKS_MAX, //
};
use kernel::{prelude::*, rbtree::RBTree};
use zerocopy::FromZeros;

/// Entries of one record.
const ENTRIES: usize = 4000;

/// Index of the process whose address space each process shares: the first that has it.
fn first_with_same_mm(whole: &Whole<'_>) -> Result<KVVec<usize>> {
    let mut first: RBTree<usize, usize> = RBTree::new();
    let mut out = KVVec::with_capacity(whole.processes.len(), GFP_KERNEL)?;
    for (i, p) in whole.processes.iter().enumerate() {
        let mm = if p.threads.is_empty() { 0 } else { p.leader.shared().mm };
        let found = first.get(&mm).copied();
        if found.is_none() && mm != 0 {
            first.try_create_and_insert(mm, i, GFP_KERNEL)?;
        }
        out.push(if mm == 0 { i } else { found.unwrap_or(i) }, GFP_KERNEL)?;
    }
    Ok(out)
}

/// Names what user space could not build again.
pub(crate) fn check(whole: &Whole<'_>, obstacles: &mut dyn Obstacles) -> Result {
    let mut refuse = |task: Option<&Task>, text: core::fmt::Arguments<'_>| {
        let fault = Fault::new(EOPNOTSUPP, text).kind(RecordType::Tree);
        obstacles.add(match task {
            Some(t) => fault.task(t.tgid(), t.tid()),
            None => fault,
        });
    };
    if tasks(whole.processes) > TASKS_MAX as usize {
        refuse(None, format_args!("it has more than {TASKS_MAX} tasks"));
    }
    if whole.root.scope == Scope::Container && whole.pid_ns.processes() > whole.processes.len() {
        refuse(
            None,
            format_args!("a process has entered the pid namespace from outside: its parent does not belong to it"),
        );
    }
    let first = first_with_same_mm(whole)?;
    for ((i, p), vm) in whole.processes.iter().enumerate().zip(first.iter()) {
        if PidNs::of(&p.leader).is_ok_and(|ns| ns != whole.pid_ns) {
            refuse(Some(&p.leader), format_args!("it lives in a nested pid namespace"));
        }
        let Some(owner) = whole.processes.get(*vm).filter(|_| *vm != i) else {
            continue;
        };
        if p.parent != *vm && p.parent != owner.parent {
            refuse(
                Some(&p.leader),
                format_args!(
                    "it shares its address space with process {}, which is neither its parent nor its sibling",
                    owner.leader.tgid()
                ),
            );
        } else if p.threads.len() > 1 || whole.processes.iter().any(|child| child.parent == i) {
            refuse(
                Some(&p.leader),
                format_args!("it shares its address space with another process, and has threads or children"),
            );
        }
    }
    Ok(())
}

/// Index of a process's leader in the tree.
pub(crate) fn index_of(whole: &Whole<'_>, leader: &Task) -> Option<u32> {
    let before = whole.processes.iter().position(|p| p.leader == *leader)?;
    Some(tasks(&whole.processes[..before]) as u32)
}

/// Writes the tree of the target.
pub(crate) fn dump(whole: &Whole<'_>, out: &mut Writer) -> Result {
    let mut entries: KVVec<Tree> = KVVec::with_capacity(tasks(whole.processes), GFP_KERNEL)?;
    let first = first_with_same_mm(whole)?;
    // Index of the leader of each process.
    let mut leaders: KVVec<u32> = KVVec::with_capacity(whole.processes.len(), GFP_KERNEL)?;
    for (p, vm) in whole.processes.iter().zip(first.iter()) {
        let index = entries.len() as u32;
        leaders.push(index, GFP_KERNEL)?;
        let leader = &p.leader;
        let owner = leaders.get(*vm).copied().unwrap_or(index);
        let ppid = match whole.processes.get(p.parent) {
            Some(parent) if index != 0 => parent.leader.numbers_in(&whole.pid_ns)[1],
            _ => leader.ppid_in(&whole.pid_ns),
        };
        let mut e = Tree::new_zeroed();
        e.ppid = ppid;
        e.leader = index;
        e.vm = owner;
        [e.pid, e.tgid, e.pgid, e.sid] = leader.numbers_in(&whole.pid_ns);
        e.comm = leader.comm();
        e.exit_signal = leader.exit_signal();
        e.flags = flags::LEADER;
        if p.threads.is_empty() {
            e.flags |= flags::ZOMBIE;
        } else if leader.group_stopped() {
            e.flags |= flags::STOPPED;
        }
        if leader.is_session_leader() {
            e.flags |= flags::SESSION_LEADER;
        }
        if e.pgid == e.tgid {
            e.flags |= flags::GROUP_LEADER;
        }
        let handlers = whole.processes.get(*vm).map(|o| o.leader.shared().handlers);
        if owner != index && handlers == Some(leader.shared().handlers) {
            e.flags |= flags::SHARES_HANDLERS;
        }
        entries.push(e, GFP_KERNEL)?;
        (e.flags, e.exit_signal) = (0, 0);
        for t in p.threads.iter().skip(1) {
            [e.pid, e.tgid, e.pgid, e.sid] = t.numbers_in(&whole.pid_ns);
            e.comm = t.comm();
            entries.push(e, GFP_KERNEL)?;
        }
    }
    for (i, lot) in entries.chunks(ENTRIES).enumerate() {
        let head = Head {
            first: (i * ENTRIES) as u32,
            count: lot.len() as u32,
        };
        out.record_with(&head, lot)?;
    }
    Ok(())
}

/// Adds the entries of the current tree record, and checks that they fit what came before.
pub(crate) fn restore(input: &Reader, tasks: u32, tree: &mut KVVec<Tree>) -> Result {
    let head: Head = input.fixed()?;
    let bad = |what: &str| Err(input.bad(EBADMSG, format_args!("{what}")));
    if head.first as usize != tree.len()
        || head.count == 0
        || tree.len() as u64 + u64::from(head.count) > u64::from(tasks.min(TASKS_MAX))
    {
        return bad("part of the task tree is missing or repeated");
    }
    for e in input.entries::<Tree>(head.count)? {
        let index = tree.len() as u32;
        let is_leader = e.flags & flags::LEADER != 0;
        if e.flags & !flags::ALL != 0 || e.exit_signal > 64 || e.reserved != [0; 2] || e.comm[15] != 0 {
            return bad("wrong values in the task tree");
        }
        if [e.pid, e.tgid, e.ppid, e.pgid, e.sid]
            .iter()
            .any(|n| *n > i32::MAX as u32)
            || e.pid == 0
            || is_leader != (e.pid == e.tgid)
        {
            return bad("impossible pid in the task tree");
        }
        if e.flags & flags::SESSION_LEADER != 0 && e.sid != e.pid {
            return bad("a session leader without its session in the task tree");
        }
        if e.level != 0 || e.flags & (flags::EXITED | flags::PIDNS_INIT) != 0 {
            return Err(input.bad(
                EPROTONOSUPPORT,
                format_args!("nested pid namespaces and exited main threads cannot be restored"),
            ));
        }
        let leader = tree.get(e.leader as usize);
        if is_leader {
            let vm = tree.get(e.vm as usize);
            let shares = e.vm != index;
            if e.leader != index
                || (shares && !vm.is_some_and(|v| v.flags & flags::LEADER != 0 && v.vm == e.vm))
                || (shares && e.flags & flags::ZOMBIE != 0)
                || (!shares && e.flags & flags::SHARES_HANDLERS != 0)
            {
                return bad("wrong leader in the task tree");
            }
        } else {
            let fits = leader.is_some_and(|l| {
                l.flags & (flags::LEADER | flags::ZOMBIE) == flags::LEADER && (l.tgid, l.vm) == (e.tgid, e.vm)
            });
            if !fits || e.flags != 0 {
                return bad("thread without its leader in the task tree");
            }
        }
        tree.push(e, GFP_KERNEL)?;
    }
    Ok(())
}

/// Where the task with a number stands in the tree.
pub(crate) struct Numbers(RBTree<u32, u32>);

impl Numbers {
    /// Its index, if there is one.
    pub(crate) fn index(&self, number: u32) -> Option<usize> {
        self.0.get(&number).map(|index| *index as usize)
    }
}

/// Checks the whole tree: no number twice, every parent before its children.
pub(crate) fn check_whole(input: &Reader, tree: &[Tree]) -> Result<Numbers> {
    let mut numbers: RBTree<u32, u32> = RBTree::new();
    for (index, e) in tree.iter().enumerate() {
        let bad = |what: &str| Err(input.bad(EBADMSG, format_args!("{what}: task {index}, pid {}", e.pid)));
        if numbers.get(&e.pid).is_some() {
            return bad("two tasks have one pid in the task tree");
        }
        if index == 0 && e.flags & (flags::LEADER | flags::ZOMBIE) != flags::LEADER {
            return bad("the root of the task tree is no live process");
        }
        let parent = numbers.get(&e.ppid).and_then(|i| tree.get(*i as usize));
        let is_child = e.flags & flags::LEADER != 0 && index != 0;
        if is_child && parent.is_none_or(|p| p.flags & (flags::LEADER | flags::ZOMBIE) != flags::LEADER) {
            return bad("a process without its parent in the task tree");
        }
        numbers.try_create_and_insert(e.pid, index as u32, GFP_KERNEL)?;
    }
    Ok(Numbers(numbers))
}

/// Numbers of sessions and process groups without a leader that a restart has made again.
pub(crate) struct Ghosts(KVVec<(u32, Pid)>);

impl Ghosts {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self(KVVec::new())
    }

    /// What a session or process group is known by: a task of the tree, or its number alone.
    fn known_as(&self, number: u32, me: &CurrentTask, task_of: &dyn Fn(u32) -> Option<Task>) -> Result<Join> {
        if let Some(task) = task_of(number) {
            return Ok(Join::Known(Pid::of(&task)?));
        }
        if let Some((_, pid)) = self.0.iter().find(|(n, _)| *n == number) {
            return Ok(Join::Known(pid.clone()));
        }
        let pid = me
            .new_pid(number)
            .context(format_args!("cannot make session or process group {number} again"))?;
        Ok(Join::New(pid))
    }

    fn keep(&mut self, number: u32, join: &Join) -> Result {
        if let Join::New(_) = join {
            self.0.push((number, join.pid().clone()), GFP_KERNEL)?;
        }
        Ok(())
    }
}

/// Moves the caller's process to its session and process group. Those of the root task are whatever user space has put it in;
/// another one is a task's, or has no leader any more. All tasks have come in.
pub(crate) fn join(
    tree: &[Tree],
    entry: &Tree,
    me: &CurrentTask,
    ghosts: &mut Ghosts,
    task_of: &dyn Fn(u32) -> Option<Task>,
) -> Result {
    let Some(root) = tree.first().filter(|root| root.pid != entry.pid) else {
        return Ok(());
    };
    let of_root = Job::of(&task_of(root.pid).ok_or(ESRCH)?)?;
    let roots_session = entry.sid == root.sid || entry.sid == 0;
    let mut session = if roots_session {
        Join::Known(of_root.session)
    } else {
        ghosts.known_as(entry.sid, me, task_of)?
    };
    let mut group = if entry.pgid == root.pgid || entry.pgid == 0 {
        Some(Join::Known(of_root.group))
    } else if entry.pgid == entry.sid && !roots_session {
        // One number for both, which may be new.
        None
    } else {
        Some(ghosts.known_as(entry.pgid, me, task_of)?)
    };
    me.set_job(&mut session, group.as_mut(), entry.flags & flags::SESSION_LEADER != 0)
        .context(format_args!(
            "cannot join session {} and process group {}",
            entry.sid, entry.pgid
        ))?;
    ghosts.keep(entry.sid, &session)?;
    group.map_or(Ok(()), |group| ghosts.keep(entry.pgid, &group))
}

/// Sets the signal that the parent gets when the process exits: the parent that the tree says, and nobody else.
pub(crate) fn set_exit_signal(task: &Task, entry: &Tree, task_of: &dyn Fn(u32) -> Option<Task>) -> Result {
    task.set_exit_signal(&task_of(entry.ppid).ok_or(ESRCH)?, entry.exit_signal)
        .context(format_args!("it is no child of process {}", entry.ppid))
}
