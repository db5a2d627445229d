// SPDX-License-Identifier: GPL-2.0

//! Stops a process tree and lets it go. It stands still exactly as long as its [`FrozenTree`] lives.

use crate::{
    error::{Fault, Result},
    wrapper::{
        completion::Waited,
        park::{Errand, Park, State},
        pid::PidNs,
        task::{fatal_signal_pending, sleep_killable, Task},
        time, //
    },
};
use ckpt_uapi::record::RecordType;
use kernel::{prelude::*, rbtree::RBTree, sync::Arc};

/// How long tasks get to stop unless the caller says otherwise, in milliseconds.
const TIMEOUT_MS: u32 = 10_000;
/// How often a task that does not park is looked at.
const SLICE_MS: u32 = 20;

/// Which processes belong to a target.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// One process.
    Process,
    /// A process with its descendants.
    Tree,
    /// All processes of a pid namespace.
    Container,
    /// A process with its siblings, and the descendants of all: orphans have become such.
    Job,
}

/// A target: its root process, and what belongs to it.
#[derive(Clone)]
pub(crate) struct Root {
    /// The leader of the root process; of a container, its init. It may have exited while others of its threads live.
    pub(crate) leader: Task,
    /// What belongs to it.
    pub(crate) scope: Scope,
    /// The parent of the root process, of a job: it is not part of that.
    pub(crate) above: Option<Task>,
}

/// One process of a target.
pub(crate) struct Process {
    /// Its leader.
    pub(crate) leader: Task,
    /// Its live threads, the leader first unless that has exited; none when the process has exited and waits to be reaped.
    pub(crate) threads: KVVec<Task>,
    /// Index of its parent in the target; its own for the root, for one that has entered a container, and for an orphan of a job.
    pub(crate) parent: usize,
}

impl Process {
    /// Its leader, if that has exited: alone, or with the process.
    pub(crate) fn exited_leader(&self) -> Option<&Task> {
        (self.threads.first() != Some(&self.leader)).then_some(&self.leader)
    }

    /// One that takes signals for the process: a leader that has exited alone does not.
    pub(crate) fn any_thread(&self) -> &Task {
        self.threads.first().unwrap_or(&self.leader)
    }

    /// Its tasks as the statefile has them: a leader that has exited is one.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = &Task> {
        Iterator::chain(self.exited_leader().into_iter(), &self.threads)
    }

    /// How many these are.
    pub(crate) fn nr_tasks(&self) -> usize {
        self.threads.len() + usize::from(self.exited_leader().is_some())
    }
}

/// Where tasks stand in the tree of a statefile.
pub(crate) struct Places(RBTree<usize, u32>);

impl Places {
    /// Those of the tasks of these processes, which keep them.
    pub(crate) fn of(processes: &[Process]) -> Result<Self> {
        let mut places = RBTree::new();
        for (index, task) in (0..).zip(processes.iter().flat_map(Process::tasks)) {
            places.try_create_and_insert(task.address(), index, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(Self(places))
    }

    /// The index of a task, if it is one of them.
    pub(crate) fn index(&self, task: &Task) -> Option<u32> {
        self.0.get(&task.address()).copied()
    }
}

/// The processes of a target, parents before children, that are there now. Nothing is stopped.
pub(crate) fn processes_of(root: &Root) -> Result<KVVec<Process>> {
    let mut found: KVVec<Process> = KVVec::new();
    found.push(process(root.leader.clone(), 0)?, GFP_KERNEL_ACCOUNT)?;
    if root.scope == Scope::Process {
        return Ok(found);
    }
    if root.scope == Scope::Container {
        for leader in PidNs::of(&root.leader)?.entered()? {
            match process(leader, found.len()) {
                // Who has exited is its parent's affair, who is outside.
                Ok(p) if p.threads.is_empty() => {}
                other => push_unless_gone(&mut found, other)?,
            }
        }
    }
    let mut parent = 0;
    loop {
        while let Some(leader) = found.get(parent).map(|p| p.leader.clone()) {
            for child in leader.children()? {
                push_unless_gone(&mut found, process(child, parent))?;
            }
            parent += 1;
        }
        // Who has lost its parent since is among the siblings of the root.
        let known = found.len();
        if let Some(above) = &root.above {
            push_siblings(&mut found, root, above)?;
        }
        if found.len() == known {
            return Ok(found);
        }
    }
}

/// Adds the siblings of a root that are not there yet.
fn push_siblings(found: &mut KVVec<Process>, root: &Root, above: &Task) -> Result {
    let children = above.children()?;
    if !children.contains(&root.leader) {
        let text = format_args!("the parent of its first process has ended");
        return Err(Fault::new(ESRCH, text).task(root.leader.tgid(), root.leader.tid()));
    }
    if children.len() == 1 {
        return Ok(());
    }
    let known = Places::of(found)?;
    for leader in children {
        if known.index(&leader).is_some() {
            continue;
        }
        match process(leader, found.len()) {
            // Who has exited is its parent's affair, who does not belong to it.
            Ok(p) if p.threads.is_empty() => {}
            other => push_unless_gone(found, other)?,
        }
    }
    Ok(())
}

/// Adds a process, if it is not gone meanwhile.
fn push_unless_gone(found: &mut KVVec<Process>, process: Result<Process>) -> Result {
    match process {
        Ok(p) => Ok(found.push(p, GFP_KERNEL_ACCOUNT)?),
        Err(fault) if fault.errno() == ESRCH => Ok(()),
        Err(fault) => Err(fault),
    }
}

fn process(leader: Task, parent: usize) -> Result<Process> {
    // The last thread of a process that exits is a zombie some moments after it has lost its memory.
    for _ in 0..500 {
        if leader.is_zombie() && leader.has_exited() {
            return Ok(Process {
                leader,
                threads: KVVec::new(),
                parent,
            });
        }
        match threads_of(&leader) {
            Err(fault) if fault.errno() == ESRCH && !leader.is_dead() && !fatal_signal_pending() => sleep_killable(4),
            other => {
                return Ok(Process {
                    threads: other?,
                    leader,
                    parent,
                })
            }
        }
    }
    Err(Fault::new(EBUSY, format_args!("it exits, and does not come to an end")).task(leader.tgid(), leader.tid()))
}

/// A target all of whose threads stand still. Dropping it lets them go.
pub(crate) struct FrozenTree {
    parks: KVVec<Arc<Park>>,
    /// Address of a task: its place in `parks`.
    asked: RBTree<usize, usize>,
    processes: KVVec<Process>,
    /// CLOCK_MONOTONIC when the last thread stood still, in nanoseconds.
    pub(crate) since_ns: u64,
    /// Until when what the kernel still does for the target may come to its end.
    pub(crate) deadline_ns: u64,
}

impl Drop for FrozenTree {
    fn drop(&mut self) {
        for park in &self.parks {
            park.release();
        }
    }
}

impl FrozenTree {
    /// Stops all threads of the target but the caller itself.
    ///
    /// Stopped (SIGSTOP) tasks and vfork parents are taken as they are: the request stays queued, so they park when they
    /// would go on. Zombies are left alone.
    ///
    /// A task that has been asked to park cannot fork any more: the kernel sees a signal. So each round finds only what
    /// those made that had not been asked, until a round finds nothing.
    pub(crate) fn freeze(root: &Root, timeout_ms: u32) -> Result<Self> {
        let timeout_ms = if timeout_ms == 0 { TIMEOUT_MS } else { timeout_ms };
        let deadline = time::monotonic_ns() + u64::from(timeout_ms) * 1_000_000;
        let mut tree = Self {
            parks: KVVec::new(),
            asked: RBTree::new(),
            processes: KVVec::new(),
            since_ns: 0,
            deadline_ns: deadline,
        };
        loop {
            let known = tree.parks.len();
            let processes = processes_of(root)?;
            let mut all = true;
            for p in processes.iter().filter(|p| !p.threads.is_empty()) {
                all &= tree.request_new(&p.leader)?;
            }
            if all && tree.parks.len() == known {
                // Who was killed before does not stay in the park: what is left of it is a zombie soon.
                let mut threads = processes.iter().flat_map(|p| p.threads.iter());
                if !threads.any(|t| !t.is_current() && t.is_dying()) {
                    tree.processes = processes;
                    break;
                }
                sleep_killable(1);
            }
            for park in &tree.parks[known..] {
                wait(park, deadline)?;
            }
            if fatal_signal_pending() {
                return Err(EINTR.into());
            }
            if time::monotonic_ns() > deadline {
                return Err(Fault::new(
                    EBUSY,
                    format_args!("did not stop in time: it makes tasks faster than they can be stopped"),
                )
                .task(root.leader.tgid(), root.leader.tgid()));
            }
        }
        tree.since_ns = time::monotonic_ns();
        tree.look()?;
        Ok(tree)
    }

    fn park_of(&self, task: &Task) -> Option<&Arc<Park>> {
        self.parks
            .get(*self.asked.get(&task.address())?)
            .filter(|park| park.task() == task)
    }

    /// Asks every thread to park that has not been asked yet; false when some may not have been seen.
    fn request_new(&mut self, leader: &Task) -> Result<bool> {
        let seen = leader.for_each_thread(|t| {
            // Who works for io_uring does so until nothing is left to be done, and must not see a signal meanwhile.
            if t.is_current() || t.is_exiting() || t.is_io_worker() || self.asked.get(&t.address()).is_some() {
                return Ok(());
            }
            // Nobody is held up who may not be, not even for a moment: execve of a setuid program may have come meanwhile.
            if !t.may_attach() {
                return Err(EPERM);
            }
            let address = t.address();
            // Room first: a request without a place in the list could not be taken back.
            self.parks.reserve(1, GFP_KERNEL_ACCOUNT)?;
            self.asked
                .try_create_and_insert(t.address(), self.parks.len(), GFP_KERNEL_ACCOUNT)?;
            match Park::request(t) {
                Ok(park) => Ok(self.parks.push(park, GFP_KERNEL_ACCOUNT)?),
                // On its way out: nothing to save. Another task may get its address.
                Err(e) if e == ESRCH => {
                    self.asked.remove(&address);
                    Ok(())
                }
                Err(e) => Err(e),
            }
        });
        match seen {
            Err(e) if e == EAGAIN && !fatal_signal_pending() => {
                sleep_killable(1);
                Ok(false)
            }
            other => Ok(other.map(|()| true)?),
        }
    }

    /// Nobody is left who could make tasks: whoever is there stands still.
    fn look(&self) -> Result {
        for t in self.processes.iter().flat_map(|p| p.threads.iter()) {
            if t.is_current() {
                continue;
            }
            let park = self.park_of(t);
            let state = park.map(|p| p.state());
            let stands = matches!(state, Some(State::Parked | State::Exited)) || t.is_stopped() || t.is_vfork_parent();
            if !stands && !t.is_exiting() {
                let text = match state {
                    Some(State::Bounced) => {
                        "it is in the middle of execve(2) or of its exit, and does not come to an end"
                    }
                    _ => "it was made while the target was being stopped",
                };
                return Err(Fault::new(EBUSY, format_args!("{text}")).task(t.tgid(), t.tid()));
            }
            t.wait_inactive();
        }
        Ok(())
    }

    /// Has all tasks for which `is_for` do something, the caller, too, if it is one of them. Who still does something is not sent again.
    pub(crate) fn send(&self, errand: Errand, is_for: impl Fn(&Task) -> bool) {
        let parks = self.parks.iter().filter(|park| is_for(park.task()));
        parks.for_each(|park| park.send(errand));
        let mut tasks = self.processes.iter().flat_map(|p| &p.threads);
        if tasks.any(|t| t.is_current() && is_for(t)) {
            errand();
        }
    }

    /// One that has not come back from what it was sent for.
    pub(crate) fn sent(&self) -> Option<&Task> {
        self.parks
            .iter()
            .find(|park| park.runs_errand())
            .map(|park| park.task())
    }

    /// Waits until those stand still who have come back.
    pub(crate) fn wait_inactive(&self) {
        let parked = self.parks.iter().filter(|park| park.state() == State::Parked);
        parked.for_each(|park| park.task().wait_inactive());
    }

    /// Tasks that stand still inside of a system call that will go on.
    pub(crate) fn inside(&self) -> impl Iterator<Item = &Task> {
        let parks = self.parks.iter().filter(|park| park.is_inside());
        parks.map(|park| park.task())
    }

    /// The processes, parents before children.
    pub(crate) fn processes(&self) -> &[Process] {
        &self.processes
    }

    /// Number of tasks, zombies included.
    pub(crate) fn tasks(&self) -> usize {
        tasks(&self.processes)
    }
}

/// Number of tasks, zombies included.
pub(crate) fn tasks(processes: &[Process]) -> usize {
    processes.iter().map(Process::nr_tasks).sum()
}

/// The live threads of a process, the leader first unless it has exited alone. `ESRCH` when there is none, or the leader is about
/// to exit.
fn threads_of(leader: &Task) -> Result<KVVec<Task>> {
    let mut threads = KVVec::new();
    loop {
        threads.clear();
        let listed = leader.for_each_thread(|t| {
            if !t.is_exiting() && !t.is_io_worker() {
                threads.push(t, GFP_KERNEL_ACCOUNT)?;
            }
            Ok(())
        });
        match listed {
            Err(e) if e == EAGAIN && !fatal_signal_pending() => sleep_killable(1),
            other => break other?,
        }
    }
    match threads.first() {
        None => Err(Fault::new(ESRCH, format_args!("the process has exited"))),
        Some(first) if first != leader && !leader.is_zombie() => {
            Err(Fault::new(ESRCH, format_args!("its main thread is about to exit")))
        }
        Some(_) => Ok(threads),
    }
}

fn wait(park: &Arc<Park>, deadline: u64) -> Result {
    loop {
        match park.state() {
            State::Queued => {}
            // On its way out, it is not asked any more.
            State::Bounced if park.ask_again().is_ok() => {}
            _ => return Ok(()),
        }
        let task = park.task();
        if task.is_stopped() || task.is_vfork_parent() || task.is_exiting() {
            return Ok(());
        }
        if park.wait(SLICE_MS) == Waited::Killed {
            return Err(EINTR.into());
        }
        // Who bounces is asked again each time, so that it is queued for moments only.
        if time::monotonic_ns() > deadline && matches!(park.state(), State::Queued | State::Bounced) {
            let place = task.in_syscall();
            let channel = task.wait_channel()?;
            return Err(Fault::new(
                EBUSY,
                format_args!(
                    "did not stop in time: scheduler state {:#x}, in {}, waits in {}",
                    task.state(),
                    Place(place),
                    core::str::from_utf8(&channel).unwrap_or("?")
                ),
            )
            .task(task.tgid(), task.tid())
            .kind(RecordType::Task));
        }
    }
}

/// Where a task is, for messages.
struct Place(Option<u32>);

impl core::fmt::Display for Place {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Some(nr) => write!(f, "system call {nr}"),
            None => f.write_str("user mode"),
        }
    }
}
