// SPDX-License-Identifier: GPL-2.0

//! The task tree of a statefile: what user space builds with clone3(2) before the tasks restore themselves.
//!
//! Saved: pids, also those in pid namespaces below the root task's (any number of levels), parents, process groups, sessions (also
//! those whose leader has gone), exit signals, who is stopped, zombies, main threads that have exited while others live, processes
//! that share an address space; of a container, those that have entered it from outside (setns): their parent is outside again; of a
//! job (`ckptctl run`), orphans: they have the parent of the root process again.
//! Sessions and process groups that are outside of the root task's pid namespace become the restarter's.
//! Not saved: who has entered a container, or is an orphan of a job, and has exited since: that is the parent's affair, who is outside.
//! Refused: a process that entered a pid namespace below the root task's from outside of the target, or whose parent has not made that
//! namespace, or several; a nested pid namespace that processes outside of the target live in, or that belongs to a user namespace that
//! is not saved; a process group or session without leader in a nested pid namespace; an address space shared by others than parent and
//! child or siblings.
//! Shown by: tree/, refuse/pid_namespace, hostile/values_of_trees, hostile/values_of_who_has_entered, hostile/pid_namespaces_of_children,
//! hostile/groups_of_two_sessions.
//!
//! Records: [`ckpt_uapi::record::tree`], [`ckpt_uapi::record::pids`].

use super::{Obstacles, TaskOf, Whole};
use crate::{
    error::{Context, Fault, Result},
    freeze::{tasks, Process},
    statefile::{Reader, Writer},
    wrapper::{
        pid::{Job, Join, Pid, PidNs},
        syscall::CurrentTask,
        task::Task, //
    },
};
use ckpt_uapi::{
    record::{
        pids::Pids,
        tree::{flags, Head, Tree},
        RecordType,
    },
    statefile::{LEVELS_MAX, TASKS_MAX}, //
};
use kernel::{prelude::*, rbtree::RBTree};
use zerocopy::FromZeros;

/// Entries of one record.
const ENTRIES: usize = 4000;

/// Index of the process whose address space each process shares: the first that has it.
fn first_with_same_mm(whole: &Whole<'_>) -> Result<KVVec<usize>> {
    let mut first: RBTree<usize, usize> = RBTree::new();
    let mut out = KVVec::with_capacity(whole.processes.len(), GFP_KERNEL_ACCOUNT)?;
    for (i, p) in whole.processes.iter().enumerate() {
        let mm = p.threads.first().map_or(0, |t| t.shared().mm);
        let found = first.get(&mm).copied();
        if found.is_none() && mm != 0 {
            first.try_create_and_insert(mm, i, GFP_KERNEL_ACCOUNT)?;
        }
        out.push(if mm == 0 { i } else { found.unwrap_or(i) }, GFP_KERNEL_ACCOUNT)?;
    }
    Ok(out)
}

/// How a process came to the pid namespace that it lives in.
#[derive(PartialEq, Eq)]
enum Origin {
    /// It is that of its parent.
    Inherited,
    /// It was made with it (CLONE_NEWPID).
    First,
    /// Its parent had entered it (setns).
    Entered,
    /// Its parent, which had entered it or made it, is outside of the target.
    Outside,
}

/// Its pid namespace; `None` when it has been reaped meanwhile, which happens while the target runs.
fn pid_ns_of(p: &Process) -> Result<Option<PidNs>> {
    match PidNs::of(&p.leader) {
        Err(e) if e == ESRCH => Ok(None),
        ns => Ok(Some(ns?)),
    }
}

fn origin(whole: &Whole<'_>, p: &Process, ns: &PidNs) -> Result<Origin> {
    let parent = whole.processes.get(p.parent).filter(|parent| parent.leader != p.leader);
    Ok(match parent {
        None if *ns == whole.pid_ns => Origin::Inherited,
        None => Origin::Outside,
        Some(parent) if pid_ns_of(parent)?.is_none_or(|above| above == *ns) => Origin::Inherited,
        Some(_) if p.leader.numbers_in(ns)[1] == 1 => Origin::First,
        Some(_) => Origin::Entered,
    })
}

/// Number of the user namespace that a pid namespace below the root task's belongs to.
fn owner_of(whole: &Whole<'_>, ns: &PidNs) -> Option<u32> {
    if ns.owner() == whole.pid_ns.owner() {
        return Some(0);
    }
    whole.user_nss.number(ns.owner())
}

/// Names what user space could not build again of pid namespaces below the root task's.
fn check_nested(whole: &Whole<'_>, refuse: &mut dyn FnMut(Option<&Task>, core::fmt::Arguments<'_>)) -> Result {
    // Of each namespace, the number of its processes and of those below it.
    let mut inhabitants: RBTree<usize, usize> = RBTree::new();
    let mut numbers: RBTree<u32, ()> = RBTree::new();
    // The namespace that each process has made, if there is one and only one.
    let mut made: RBTree<usize, Option<usize>> = RBTree::new();
    for p in whole.processes {
        numbers.try_create_and_insert(p.leader.numbers_in(&whole.pid_ns)[1], (), GFP_KERNEL_ACCOUNT)?;
        let mut ns = pid_ns_of(p)?;
        while let Some(inner) = ns.filter(|ns| *ns != whole.pid_ns) {
            match inhabitants.get_mut(&inner.address()) {
                Some(n) => *n += 1,
                None => {
                    inhabitants.try_create_and_insert(inner.address(), 1, GFP_KERNEL_ACCOUNT)?;
                }
            }
            ns = inner.above(1);
        }
    }
    let [_, _, group, session] = whole.root.leader.numbers_in(&whole.pid_ns);
    for p in whole.processes {
        let Some(ns) = pid_ns_of(p)?.filter(|ns| *ns != whole.pid_ns) else {
            continue;
        };
        let who = Some(&p.leader);
        match origin(whole, p, &ns)? {
            Origin::Inherited => {}
            Origin::Outside => refuse(
                who,
                format_args!(
                    "it has entered a pid namespace below that of the target, and its parent does not belong to it"
                ),
            ),
            Origin::First => {
                match made.get_mut(&p.parent) {
                    Some(several) => *several = None,
                    None => {
                        made.try_create_and_insert(p.parent, Some(ns.address()), GFP_KERNEL_ACCOUNT)?;
                    }
                }
                if ns.level() - whole.pid_ns.level() > LEVELS_MAX {
                    refuse(
                        who,
                        format_args!("its pid namespace is too many levels below that of the target"),
                    );
                }
                let outer = whole.pid_ns.owner();
                if owner_of(whole, &ns).is_none() || (ns.owner() == outer && whole.user_nss.number(outer) != Some(0)) {
                    refuse(
                        who,
                        format_args!(
                            "its pid namespace belongs to a user namespace that is not the target's or below it"
                        ),
                    );
                }
                if ns.processes() > inhabitants.get(&ns.address()).copied().unwrap_or(0) {
                    refuse(
                        who,
                        format_args!("a process outside of the target lives in its pid namespace"),
                    );
                }
            }
            Origin::Entered if made.get(&p.parent).copied().flatten() == Some(ns.address()) => {}
            Origin::Entered => refuse(
                who,
                format_args!(
                    "its parent has entered a pid namespace (setns) that it has not made, or has made others too"
                ),
            ),
        }
        let [_, _, pgid, sid] = p.leader.numbers_in(&whole.pid_ns);
        let leaderless = |number: u32, roots: u32| number != 0 && number != roots && numbers.get(&number).is_none();
        if leaderless(pgid, group) || leaderless(sid, session) {
            refuse(
                who,
                format_args!("its process group or session has no leader any more, in a nested pid namespace"),
            );
        }
    }
    Ok(())
}

fn has_children(whole: &Whole<'_>, index: usize) -> bool {
    let mut others = whole.processes.iter().enumerate().filter(|(i, _)| *i != index);
    others.any(|(_, p)| p.parent == index)
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
    if let Some(ns) = whole.inside() {
        let exited = ns.entered()?.iter().filter(|p| p.is_zombie() && p.has_exited()).count();
        // While it runs, processes come and go.
        if whole.stopped_ns != 0 && ns.processes().saturating_sub(exited) > whole.processes.len() {
            refuse(
                None,
                format_args!("a process has entered the pid namespace while it was being stopped"),
            );
        }
    }
    check_nested(whole, &mut refuse)?;
    let first = first_with_same_mm(whole)?;
    for ((i, p), vm) in whole.processes.iter().enumerate().zip(first.iter()) {
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
        } else if p.nr_tasks() > 1 || has_children(whole, i) {
            refuse(
                Some(&p.leader),
                format_args!("it shares its address space with another process, and has threads or children"),
            );
        }
    }
    Ok(())
}

/// Writes the tree of the target.
pub(crate) fn dump(whole: &Whole<'_>, out: &mut Writer) -> Result {
    let mut entries: KVVec<Tree> = KVVec::with_capacity(tasks(whole.processes), GFP_KERNEL_ACCOUNT)?;
    let first = first_with_same_mm(whole)?;
    // Index of the leader of each process.
    let mut leaders: KVVec<u32> = KVVec::with_capacity(whole.processes.len(), GFP_KERNEL_ACCOUNT)?;
    for (p, vm) in whole.processes.iter().zip(first.iter()) {
        let index = entries.len() as u32;
        leaders.push(index, GFP_KERNEL_ACCOUNT)?;
        let leader = &p.leader;
        let owner = leaders.get(*vm).copied().unwrap_or(index);
        let ppid = match whole.processes.get(p.parent) {
            Some(parent) if parent.leader != *leader => parent.leader.numbers_in(&whole.pid_ns)[1],
            _ if index == 0 => leader.ppid_in(&whole.pid_ns),
            _ => 0,
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
        } else if let Some((signal, stopping)) = leader.group_stop() {
            e.flags |= flags::STOPPED;
            if stopping {
                e.flags |= flags::STOPPING;
            }
            e.stop_signal = signal;
        }
        if !p.threads.is_empty() && p.exited_leader().is_some() {
            e.flags |= flags::EXITED;
        }
        if leader.is_session_leader() {
            e.flags |= flags::SESSION_LEADER;
        }
        if e.pgid == e.tgid {
            e.flags |= flags::GROUP_LEADER;
        }
        let handlers = |p: &Process| p.threads.first().map(|t| t.shared().handlers);
        if owner != index && whole.processes.get(*vm).and_then(handlers) == handlers(p) {
            e.flags |= flags::SHARES_HANDLERS;
        }
        let ns = PidNs::of(leader)?;
        e.level = ns.level().saturating_sub(whole.pid_ns.level());
        if origin(whole, p, &ns)? == Origin::First {
            e.flags |= flags::PIDNS_INIT;
            e.owner = owner_of(whole, &ns).ok_or(EINVAL)?;
        }
        entries.push(e, GFP_KERNEL_ACCOUNT)?;
        (e.flags, e.exit_signal, e.stop_signal, e.owner) = (0, 0, 0, 0);
        for t in p.tasks().skip(1) {
            [e.pid, e.tgid, e.pgid, e.sid] = t.numbers_in(&whole.pid_ns);
            e.comm = t.comm();
            entries.push(e, GFP_KERNEL_ACCOUNT)?;
        }
    }
    for (i, lot) in entries.chunks(ENTRIES).enumerate() {
        let head = Head {
            first: (i * ENTRIES) as u32,
            count: lot.len() as u32,
        };
        out.record_with(&head, lot)?;
    }
    let tasks = whole.processes.iter().flat_map(Process::tasks);
    for ((index, e), task) in (0..).zip(&entries).zip(tasks).filter(|((_, e), _)| e.level != 0) {
        let mut ids: KVec<u32> = KVec::with_capacity(e.level as usize, GFP_KERNEL_ACCOUNT)?;
        for levels in (0..e.level).rev() {
            ids.push(task.numbers_above(levels)[0], GFP_KERNEL_ACCOUNT)?;
        }
        out.record_with(&Pids { index, count: e.level }, &ids)?;
    }
    Ok(())
}

/// Thread ids in nested pid namespaces, for each task as many as its level.
pub(crate) struct Nested {
    ids: KVVec<u32>,
    /// Where those of each task begin.
    starts: KVVec<usize>,
}

impl Nested {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self {
            ids: KVVec::new(),
            starts: KVVec::new(),
        }
    }

    /// All of them, in the order of the tree.
    pub(crate) fn all(&self) -> &[u32] {
        &self.ids
    }

    /// Those of a task, outermost first.
    pub(crate) fn of(&self, index: u32, entry: &Tree) -> &[u32] {
        let start = self.starts.get(index as usize).copied().unwrap_or(0);
        self.ids.get(start..start + entry.level as usize).unwrap_or(&[])
    }

    /// Passes over the tasks that live in the root task's namespace.
    fn skip(&mut self, tree: &[Tree]) -> Result {
        while tree.get(self.starts.len()).is_some_and(|e| e.level == 0) {
            self.starts.push(self.ids.len(), GFP_KERNEL_ACCOUNT)?;
        }
        Ok(())
    }

    /// Adds the thread ids of the current pids record, which must be those of the next task that has some.
    pub(crate) fn restore(&mut self, input: &Reader, tree: &[Tree]) -> Result {
        self.skip(tree)?;
        let head: Pids = input.fixed()?;
        let next = tree.get(self.starts.len());
        if head.index as usize != self.starts.len() || next.is_none_or(|e| e.level != head.count) {
            return Err(input.bad(EBADMSG, format_args!("thread ids that the tree does not have")));
        }
        self.starts.push(self.ids.len(), GFP_KERNEL_ACCOUNT)?;
        for id in input.entries::<u32>(head.count)? {
            if id == 0 || id > i32::MAX as u32 {
                return Err(input.bad(EBADMSG, format_args!("impossible thread id in a nested pid namespace")));
            }
            self.ids.push(id, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(())
    }

    /// Checks that every task has its own.
    fn check(&mut self, input: &Reader, tree: &[Tree]) -> Result {
        self.skip(tree)?;
        if self.starts.len() != tree.len() {
            return Err(input.bad(
                EBADMSG,
                format_args!("a task lacks its thread ids in nested pid namespaces"),
            ));
        }
        Ok(())
    }
}

/// Whether the caller has the thread ids of the task that it wants to become, whatever namespaces they are of.
pub(crate) fn has_numbers(me: &CurrentTask, entry: &Tree, nested: &[u32]) -> bool {
    let own = (0..entry.level).rev().map(|levels| me.task().numbers_above(levels)[0]);
    me.task().numbers_above(entry.level) == [entry.pid, entry.tgid] && own.eq(nested.iter().copied())
}

/// Whether the caller's pid namespace is so many levels below that of the root task as the tree says.
pub(crate) fn is_below(me: &CurrentTask, entry: &Tree, root: &Task) -> Result<bool> {
    Ok(PidNs::of(me.task())?.above(entry.level) == Some(PidNs::of(root)?))
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
        if e.flags & !flags::ALL != 0 || e.exit_signal > 64 || e.comm[15] != 0 {
            return bad("wrong values in the task tree");
        }
        if e.owner != 0 && e.flags & flags::PIDNS_INIT == 0 {
            return bad("a task that is no first one of a pid namespace has an owner of that in the task tree");
        }
        if !e.has_possible_stop() {
            return bad("impossible stop in the task tree");
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
        if e.level > LEVELS_MAX || (index == 0 && e.level != 0) {
            return bad("impossible level of a pid namespace in the task tree");
        }
        let leader = tree.get(e.leader as usize);
        if is_leader {
            let vm = tree.get(e.vm as usize);
            let shares = e.vm != index;
            if e.leader != index
                || (shares && !vm.is_some_and(|v| v.flags & flags::LEADER != 0 && v.vm == e.vm))
                || (shares && e.flags & (flags::ZOMBIE | flags::EXITED) != 0)
                || (e.flags & flags::ZOMBIE != 0 && e.flags & flags::EXITED != 0)
                || (!shares && e.flags & flags::SHARES_HANDLERS != 0)
            {
                return bad("wrong leader in the task tree");
            }
        } else {
            let fits = leader.is_some_and(|l| {
                l.flags & (flags::LEADER | flags::ZOMBIE) == flags::LEADER
                    && (l.tgid, l.vm, l.level) == (e.tgid, e.vm, e.level)
            });
            if !fits || e.flags != 0 {
                return bad("thread without its leader in the task tree");
            }
        }
        tree.push(e, GFP_KERNEL_ACCOUNT)?;
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

/// Checks that each process group is of one session, which is that of the group with its number: a process can join no other. One
/// outside has no number.
fn check_jobs(input: &Reader, tree: &[Tree]) -> Result {
    // The session of each group.
    let mut sessions: RBTree<u32, u32> = RBTree::new();
    sessions.try_create_and_insert(0, 0, GFP_KERNEL_ACCOUNT)?;
    for (index, e) in tree.iter().enumerate().filter(|(_, e)| e.flags & flags::LEADER != 0) {
        for group in [e.pgid, e.sid] {
            match sessions.get(&group) {
                None => drop(sessions.try_create_and_insert(group, e.sid, GFP_KERNEL_ACCOUNT)?),
                Some(same) if *same == e.sid => {}
                Some(_) => {
                    return Err(input.bad(
                        EBADMSG,
                        format_args!(
                            "a process group of two sessions in the task tree: task {index}, pid {}",
                            e.pid
                        ),
                    ))
                }
            }
        }
    }
    Ok(())
}

/// Whether this is a process with a parent outside of the tree, beside the root: it has entered the pid namespace, or is an orphan.
pub(crate) fn is_beside_root(index: u32, e: &Tree) -> bool {
    index != 0 && e.flags & flags::LEADER != 0 && e.ppid == 0
}

/// Checks the whole tree: no number twice, every parent before its children, no pid namespace above its parent's.
pub(crate) fn check_whole(input: &Reader, tree: &[Tree], nested: &mut Nested) -> Result<Numbers> {
    nested.check(input, tree)?;
    check_jobs(input, tree)?;
    let mut numbers: RBTree<u32, u32> = RBTree::new();
    // Whether the first process of the newest pid namespace that a parent has made is a zombie.
    let mut ended: RBTree<u32, bool> = RBTree::new();
    for (index, e) in tree.iter().enumerate() {
        let bad = |what: &str| Err(input.bad(EBADMSG, format_args!("{what}: task {index}, pid {}", e.pid)));
        if numbers.get(&e.pid).is_some() {
            return bad("two tasks have one pid in the task tree");
        }
        if index == 0 && e.flags & (flags::LEADER | flags::ZOMBIE) != flags::LEADER {
            return bad("the root of the task tree is no live process");
        }
        let parent = numbers.get(&e.ppid).and_then(|i| tree.get(*i as usize));
        let is_beside_root = is_beside_root(index as u32, e);
        if is_beside_root
            && ((e.level, e.vm) != (0, index as u32) || e.flags & (flags::ZOMBIE | flags::PIDNS_INIT) != 0)
        {
            return bad("a process with a parent outside that it cannot have, in the task tree");
        }
        let is_child = e.flags & flags::LEADER != 0 && index != 0 && !is_beside_root;
        if is_child && parent.is_none_or(|p| p.flags & (flags::LEADER | flags::ZOMBIE) != flags::LEADER) {
            return bad("a process without its parent in the task tree");
        }
        if e.flags & flags::EXITED != 0 && tree.get(index + 1).is_none_or(|next| next.leader as usize != index) {
            return bad("a main thread that has exited, and no other one, in the task tree");
        }
        let above = parent.filter(|_| is_child).map_or(e.level, |p| p.level);
        let is_first = e.flags & flags::PIDNS_INIT != 0;
        if e.level < above || (is_first && e.level != above + 1) {
            return bad("a process in an impossible pid namespace in the task tree");
        }
        // Such a namespace has ended: its first process would wait for one that waits for it.
        if e.level > above && !is_first && ended.get(&e.ppid) == Some(&true) {
            return bad("a process in a pid namespace whose first process has exited, in the task tree");
        }
        if is_first && is_child {
            ended.try_create_and_insert(e.ppid, e.flags & flags::ZOMBIE != 0, GFP_KERNEL_ACCOUNT)?;
        }
        numbers.try_create_and_insert(e.pid, index as u32, GFP_KERNEL_ACCOUNT)?;
    }
    Ok(Numbers(numbers))
}

/// Whether what the whole process has is in the section of this task: the leader's, or the first thread's when that has exited
/// alone.
pub(crate) fn keeps_process(tree: &[Tree], index: u32) -> bool {
    let exited = |at: u32| tree.get(at as usize).is_some_and(|e| e.flags & flags::EXITED != 0);
    match tree.get(index as usize) {
        Some(e) if e.leader == index => !exited(index),
        Some(e) => exited(e.leader) && index == e.leader + 1,
        None => false,
    }
}

/// Numbers of sessions and process groups without a leader that a restart has made again.
pub(crate) struct Ghosts(RBTree<u32, Pid>);

impl Ghosts {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self(RBTree::new())
    }

    /// What a session or process group is known by: a task of the tree, or its number alone.
    fn known_as(&self, number: u32, level: u32, me: &CurrentTask, task_of: &TaskOf<'_>) -> Result<Join> {
        if let Some(task) = task_of(number) {
            return Ok(Join::Known(Pid::of(&task)?));
        }
        if let Some(pid) = self.0.get(&number) {
            return Ok(Join::Known(pid.clone()));
        }
        // It would get the number in the inner namespace, whose first process waits for the end of all that has one there: for
        // ever, if that is its own group.
        if level != 0 {
            return Err(Fault::new(
                EBADMSG,
                format_args!("session or process group {number} has no leader, in a nested pid namespace"),
            ));
        }
        let pid = me
            .new_pid(number)
            .context(format_args!("cannot make session or process group {number} again"))?;
        Ok(Join::New(pid))
    }

    fn keep(&mut self, number: u32, join: &Join) -> Result {
        if let Join::New(_) = join {
            self.0
                .try_create_and_insert(number, join.pid().clone(), GFP_KERNEL_ACCOUNT)?;
        }
        Ok(())
    }
}

/// Moves the caller's process to its session and process group. Those of the root task, and those without a number, are whatever user
/// space has put the task in; another one is a task's, or has no leader any more. All tasks have come in.
pub(crate) fn join(tree: &[Tree], entry: &Tree, me: &CurrentTask, ghosts: &mut Ghosts, task_of: &TaskOf<'_>) -> Result {
    let Some(root) = tree.first().filter(|root| root.pid != entry.pid) else {
        return Ok(());
    };
    let of_root = Job::of(&task_of(root.pid).ok_or(ESRCH)?)?;
    let own = Job::of(me.task())?;
    let is_known = entry.sid == root.sid || entry.sid == 0;
    let is_own = entry.sid != root.sid || own.session == of_root.session;
    let mut session = if entry.sid == root.sid {
        Join::Known(of_root.session)
    } else if entry.sid == 0 {
        Join::Known(own.session)
    } else {
        ghosts.known_as(entry.sid, entry.level, me, task_of)?
    };
    let mut group = if entry.pgid == root.pgid || (entry.pgid == 0 && !is_own) {
        Some(Join::Known(of_root.group))
    } else if entry.pgid == 0 {
        Some(Join::Known(own.group))
    } else if entry.pgid == entry.sid && !is_known {
        // One number for both, which may be new.
        None
    } else {
        Some(ghosts.known_as(entry.pgid, entry.level, me, task_of)?)
    };
    me.set_job(&mut session, group.as_mut(), entry.flags & flags::SESSION_LEADER != 0)
        .context(format_args!(
            "cannot join session {} and process group {}",
            entry.sid, entry.pgid
        ))?;
    ghosts.keep(entry.sid, &session)?;
    group.map_or(Ok(()), |group| ghosts.keep(entry.pgid, &group))
}

/// Sets the signal that the parent gets when the process exits: the parent that the tree says, and nobody else. A parent outside of the
/// tree is not to be signalled at the wish of a statefile.
pub(crate) fn set_exit_signal(index: u32, task: &Task, entry: &Tree, task_of: &TaskOf<'_>) -> Result {
    if index == 0 || is_beside_root(index, entry) {
        return Ok(());
    }
    task.set_exit_signal(&task_of(entry.ppid).ok_or(ESRCH)?, entry.exit_signal)
        .context(format_args!("it is no child of process {}", entry.ppid))
}
