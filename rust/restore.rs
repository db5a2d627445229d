// SPDX-License-Identifier: GPL-2.0

//! The restore driver. Each task restores itself, in the order of the statefile: a turn goes from task to task. At the
//! barrier all wait until the whole statefile has been read and verified; then all go on, or all are killed. It knows no
//! kind.

use crate::{
    error::{Fault, Result},
    objects::{Made, Remains},
    resource::{
        external::External,
        prepare,
        prologue::Prologue,
        raise_limits, release, set_name, share,
        tree::{self, Ghosts},
        Given, Late, Restore, Scope, ROOMS,
    },
    statefile::Reader,
    wrapper::{
        completion::{Completion, Waited},
        cred::Cred,
        file::File,
        mm::PAGE_SIZE,
        path::Fs,
        sighand,
        syscall::{nr, CurrentTask, Exit},
        task::{fatal_signal_pending, signal_pending, sleep_killable, Task, SIGSTOP},
        time, //
    },
};
use ckpt_uapi::{
    record::{
        header::{flags as target, Header, ARCH_X86_64},
        tree::{flags, Tree},
        RecordType,
    },
    statefile::TASKS_MAX,
};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{Arc, Mutex}, //
};

/// How often a waiting task looks whether its coordinator is alive, in milliseconds: thousands of tasks may wait.
const SLICE_MS: u32 = 2000;
/// How often the coordinator looks whether its tasks are alive, in milliseconds.
const LOOK_MS: u32 = 100;

/// No index of a task.
const NOBODY: u32 = u32::MAX;

/// The statefile and what has been made from it: touched by the task whose turn it is.
struct Stream {
    reader: Reader,
    made: Made,
    remains: Remains,
    ghosts: Ghosts,
    /// See [`Restore::keyring`].
    keyring: Option<Task>,
    /// See [`Restore::warnings`].
    warnings: KVVec<Fault>,
}

/// What the tasks of a restart wait for.
struct Gate {
    /// This task's turn has come.
    turn: Pin<KBox<Completion>>,
    /// All tasks that run in the address space that this task replaces have come in.
    gathered: Pin<KBox<Completion>>,
    /// How many of them are missing.
    missing: AtomicU32,
    /// How many they are.
    users: i32,
    /// Threads of the process that this task leads.
    threads: i32,
    /// This task has come in.
    entered: AtomicBool,
    /// This task can go on, and needs nothing of the coordinator any more: what happens to it now is its own business.
    started: AtomicBool,
    /// The child for which this task waits in vfork(2) has executed a program or exited.
    vfork: Pin<KBox<Completion>>,
    /// Index of the task that waits in vfork(2) for this one, if any.
    vfork_parent: AtomicU32,
    /// Its signal at the death of the parent: armed for all tasks at once when they are let go.
    pdeath_signal: AtomicU32,
}

/// A wait in vfork(2). Dropped, nobody wakes it any more: the child must not complete what has gone with the restart.
struct Vfork<'a> {
    waiter: &'a Gate,
    child: &'a Gate,
    child_task: Task,
    /// Orders this against the child's look at who waits for it.
    tasks: &'a Mutex<KVVec<Option<Task>>>,
}

impl Drop for Vfork<'_> {
    fn drop(&mut self) {
        let _ordered = self.tasks.lock();
        self.child.vfork_parent.store(NOBODY, Ordering::Release);
        self.waiter.vfork.forget_vfork(&self.child_task);
    }
}

/// Whether a process of the tree was stopped by job control.
fn is_stopped(entry: &Tree) -> bool {
    entry.flags & (flags::STOPPED | flags::ZOMBIE) == flags::STOPPED
}

/// One restart, shared by the session and the tasks.
#[pin_data]
pub(crate) struct Restart {
    prologue: Prologue,
    gates: KVVec<Gate>,
    flags: u32,
    /// Flags of the header.
    target: u32,
    session_ops: usize,
    coordinator: Task,
    restarter_fs: Fs,
    restarter: Cred,
    since_ns: u64,
    #[pin]
    stream: Mutex<Stream>,
    /// Who has come in, by index.
    #[pin]
    tasks: Mutex<KVVec<Option<Task>>>,
    /// Tasks that have not come in yet.
    missing: AtomicU32,
    /// User namespaces below that of the first task.
    #[pin]
    user_nss: Mutex<Given>,
    #[pin]
    first_fault: Mutex<Option<Fault>>,
    failed: AtomicBool,
    released: AtomicBool,
    /// The barrier is open, or about to be: what precedes that is done once.
    opened: AtomicBool,
    /// All tasks are at the barrier and the trailer is right.
    #[pin]
    complete: Completion,
    /// The barrier is open.
    #[pin]
    go: Completion,
    /// Tasks that have left the barrier.
    left: AtomicU32,
    /// All of them have.
    #[pin]
    all_left: Completion,
    /// Tasks that can go on.
    started: AtomicU32,
    /// All of them can: they run their own code from here on.
    #[pin]
    all_started: Completion,
    bytes: core::sync::atomic::AtomicU64,
}

/// Reads the prologue of a statefile.
pub(crate) fn begin(file: File, flags: u32, external: External, session_ops: usize) -> Result<Arc<Restart>> {
    let since_ns = time::monotonic_ns();
    let mut reader = Reader::new(file)?;
    if reader.next()? != RecordType::Header {
        return Err(reader.bad(EBADMSG, format_args!("the first record is no header")));
    }
    let header: Header = reader.only()?;
    if header.arch != ARCH_X86_64 || header.page_size as usize != PAGE_SIZE {
        return Err(reader.bad(
            EPROTONOSUPPORT,
            format_args!(
                "saved on another machine: ELF machine {}, pages of {} bytes",
                header.arch, header.page_size
            ),
        ));
    }
    if header.tasks == 0 || header.tasks > TASKS_MAX || header.flags & !target::ALL != 0 {
        return Err(reader.bad(EBADMSG, format_args!("wrong values in the header")));
    }
    let prologue = Prologue::read(&mut reader, header.tasks, external)?;
    let entries = &prologue.tree;
    let mut gates: KVVec<Gate> = KVVec::with_capacity(entries.len(), GFP_KERNEL_ACCOUNT)?;
    let mut tasks: KVVec<Option<Task>> = KVVec::with_capacity(entries.len(), GFP_KERNEL_ACCOUNT)?;
    for _ in 0..entries.len() {
        gates.push(
            Gate {
                turn: KBox::pin_init(Completion::new(), GFP_KERNEL_ACCOUNT)?,
                gathered: KBox::pin_init(Completion::new(), GFP_KERNEL_ACCOUNT)?,
                missing: AtomicU32::new(0),
                users: 0,
                threads: 0,
                entered: AtomicBool::new(false),
                vfork: KBox::pin_init(Completion::new(), GFP_KERNEL_ACCOUNT)?,
                vfork_parent: AtomicU32::new(NOBODY),
                pdeath_signal: AtomicU32::new(0),
                started: AtomicBool::new(false),
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        tasks.push(None, GFP_KERNEL_ACCOUNT)?;
    }
    for entry in entries {
        if let Some(gate) = gates.get_mut(entry.vm as usize) {
            gate.missing.fetch_add(1, Ordering::Relaxed);
            gate.users += 1;
        }
        if let Some(gate) = gates.get_mut(entry.leader as usize) {
            gate.threads += 1;
        }
    }
    let restarter_fs = Fs::of(&Task::current())?;
    let missing = entries.len() as u32;
    let stream = Stream {
        reader,
        made: Made::new(),
        remains: Remains::new(),
        ghosts: Ghosts::new(),
        keyring: None,
        warnings: KVVec::new(),
    };
    let restart = Arc::pin_init(
        pin_init!(Restart {
            prologue,
            gates,
            flags,
            target: header.flags,
            session_ops,
            coordinator: Task::current().leader(),
            restarter_fs,
            restarter: Cred::current(),
            since_ns,
            stream <- new_mutex!(stream),
            tasks <- new_mutex!(tasks),
            missing: AtomicU32::new(missing),
            user_nss <- new_mutex!(Given::new()),
            first_fault <- new_mutex!(None),
            failed: AtomicBool::new(false),
            released: AtomicBool::new(false),
            opened: AtomicBool::new(false),
            complete <- Completion::new(),
            go <- Completion::new(),
            left: AtomicU32::new(0),
            all_left <- Completion::new(),
            started: AtomicU32::new(0),
            all_started <- Completion::new(),
            bytes: core::sync::atomic::AtomicU64::new(0),
        }),
        GFP_KERNEL_ACCOUNT,
    )?;
    Ok(restart)
}

/// An interruption without a reason.
fn is_bare(fault: &Fault) -> bool {
    fault.errno() == EINTR && fault.detail().is_none()
}

/// A fault of the calling task.
fn of_task(fault: Fault, me: &CurrentTask) -> Fault {
    if is_bare(&fault) {
        fault
    } else {
        fault.task(me.task().tgid(), me.task().tid())
    }
}

/// The module's calls for a task pass by seccomp and ptrace: whoever is under one of them is not called for.
fn refuse_watched(me: &CurrentTask) -> Result {
    if me.task().has_seccomp() || me.task().is_traced() {
        return Err(Fault::new(
            EPERM,
            format_args!(
                "a task that is traced or under seccomp cannot become another one: the module's calls pass by both"
            ),
        ));
    }
    Ok(())
}

impl Restart {
    /// What user space has to build.
    pub(crate) fn prologue(&self) -> &Prologue {
        &self.prologue
    }

    /// Flags of the header.
    pub(crate) fn target(&self) -> u32 {
        self.target
    }

    /// Takes a user namespace below that of the first task, in which the caller lives.
    pub(crate) fn take_user_ns(&self, number: u32, file: &File) -> Result {
        self.with_user_nss(|given| given.take(number, file, self.prologue.nested_user_ns()))
    }

    /// Has the next child processes of the caller live in a new pid namespace that belongs to such a user namespace, when that has been
    /// given: who stands beside the root process is made while that gives them.
    pub(crate) fn own_children(&self, number: u32, me: &CurrentTask) -> Result {
        refuse_watched(me)?;
        if !self.prologue.nested_user_ns().has(number) {
            return Err(Fault::new(EINVAL, format_args!("there is no user namespace {number}")));
        }
        // As unshare(2) and setns(2) want it, besides the same in that one: the caller goes on in the user namespace that it lives in.
        if !me.may_administer_own() {
            return Err(Fault::new(
                EPERM,
                format_args!("the caller lacks CAP_SYS_ADMIN in the user namespace that it lives in"),
            ));
        }
        while self.with_user_nss(|given| Ok(given.get(number).is_none()))? {
            if self.failed.load(Ordering::Acquire) || fatal_signal_pending() {
                return Err(EINTR.into());
            }
            sleep_killable(1);
        }
        self.with_user_nss(|given| given.own_children(number, me))
    }

    /// A task holds them while it reads a record, which may be slow to come: the wait can be killed.
    fn with_user_nss<T>(&self, act: impl FnOnce(&mut Given) -> Result<T>) -> Result<T> {
        loop {
            if let Some(mut given) = self.user_nss.try_lock() {
                return act(&mut given);
            }
            if fatal_signal_pending() {
                return Err(EINTR.into());
            }
            sleep_killable(1);
        }
    }

    /// Kills every task that has come in, unless they have been let go already.
    pub(crate) fn abort(&self) {
        if self.released.load(Ordering::Acquire) || self.failed.swap(true, Ordering::AcqRel) {
            return;
        }
        self.kill_all();
        for gate in &self.gates {
            gate.turn.complete_all();
            gate.gathered.complete_all();
        }
        self.complete.complete_all();
        self.go.complete_all();
        self.all_left.complete_all();
        self.all_started.complete_all();
    }

    fn kill_all(&self) {
        for task in self.tasks.lock().iter().flatten() {
            task.kill();
        }
    }

    /// Ends the restart.
    fn fail(&self, fault: Fault) {
        self.blame(fault);
        self.abort();
    }

    /// Keeps the reason of a failure. A bare EINTR is none: whoever sees one has been killed for another. What goes wrong when
    /// the restart has failed already is none, either: the objects that a task looks for may have gone.
    fn blame(&self, fault: Fault) {
        if is_bare(&fault) {
            return;
        }
        let mut first = self.first_fault.lock();
        if first.is_none() && !self.failed.load(Ordering::Acquire) {
            *first = Some(fault);
        }
    }

    /// Waits; an error when the restart has failed meanwhile, or nobody is there any more who could end it.
    fn wait(&self, completion: &Completion) -> Result {
        loop {
            let waited = completion.wait_killable(SLICE_MS);
            if self.failed.load(Ordering::Acquire) || waited == Waited::Killed {
                return Err(EINTR.into());
            }
            if waited == Waited::Done {
                return Ok(());
            }
            // Its main thread may have exited while another one coordinates.
            if self.coordinator.has_exited() {
                return Err(Fault::new(
                    EINTR,
                    format_args!("the coordinator of the restart is gone"),
                ));
            }
        }
    }

    /// Turns the caller into task `index`. `Err` means that nothing has been changed; once it has, a failure kills the
    /// caller.
    pub(crate) fn become_task(&self, index: u32, me: &CurrentTask) -> Result {
        let (Some(entry), Some(gate)) = (self.prologue.tree.get(index as usize), self.gates.get(index as usize)) else {
            return Err(Fault::new(EINVAL, format_args!("there is no task {index} in the tree")));
        };
        refuse_watched(me)?;
        let ids = (me.task().tgid(), me.task().tid());
        self.prologue.has_numbers(me, index, entry)?;
        if let Err(fault) = self.prologue.has_user_ns(me) {
            // Nobody else will come in instead.
            self.fail(fault.task(ids.0, ids.1));
            return Err(EINTR.into());
        }
        {
            let mut tasks = self.tasks.lock();
            if self.failed.load(Ordering::Acquire) {
                return Err(EINTR.into());
            }
            let Some(slot) = tasks.get_mut(index as usize) else {
                return Err(EINVAL.into());
            };
            if gate.entered.swap(true, Ordering::AcqRel) {
                return Err(Fault::new(EBUSY, format_args!("task {index} is there already")));
            }
            *slot = Some(me.task().clone());
        }
        match self.rebuild(index, entry, gate, me) {
            Ok(()) => Ok(()),
            Err(fault) => {
                // Killed by somebody else: whatever it was doing then is not to blame, least of all the statefile.
                let fault = if fatal_signal_pending() {
                    Fault::new(ESRCH, format_args!("it was killed before it was restored"))
                } else {
                    fault
                };
                // Kills whoever holds the stream, too: a read from a silent pipe would last.
                self.fail(of_task(fault, me));
                me.task().kill();
                // Objects may refer to what holds the session; and what nobody will need is to be gone when the failure is known.
                let mut stream = self.stream.lock();
                stream.made = Made::new();
                stream.remains = Remains::new();
                Err(EINTR.into())
            }
        }
    }

    fn rebuild(&self, index: u32, entry: &Tree, gate: &Gate, me: &CurrentTask) -> Result {
        silence(me)?;
        self.gather(index, entry, gate)?;
        self.wait(&gate.turn)?;
        // A main thread that has exited goes before its memory is replaced.
        let replaces_memory = self.keeps_process(index) && entry.vm == entry.leader;
        if !replaces_memory && entry.flags & flags::EXITED == 0 {
            // Another task has replaced the memory that it was in.
            me.forget_scratch();
        }
        if !tree::is_below(me, entry, &self.task_at(0).ok_or(ESRCH)?)? {
            return Err(Fault::new(
                EINVAL,
                format_args!("it lives in another pid namespace than the tree says"),
            ));
        }
        if entry.flags & flags::LEADER != 0 {
            self.alone(index, entry, me)?;
            {
                let mut stream = self.stream.lock();
                let task_of = |number| self.task_of(number);
                tree::join(&self.prologue.tree, entry, me, &mut stream.ghosts, &task_of)?;
            }
            if entry.flags & flags::ZOMBIE != 0 {
                return self.exit(index, entry, gate, me);
            }
            tree::set_exit_signal(index, me.task(), entry, &|number| self.task_of(number))?;
            if entry.flags & flags::EXITED != 0 {
                return self.exit_alone(index, entry, gate, me);
            }
        }
        if self.keeps_process(index) {
            raise_limits(me)?;
        }

        let mut late = KBox::new(Late::default(), GFP_KERNEL_ACCOUNT)?;
        {
            let mut stream = self.stream.lock();
            let stream = &mut *stream;
            self.section(index, entry, me, stream, &mut late)?;
            prepare(me, &mut late)?;
            late.mm = None;
            self.end_of_turn(index, stream)?;
        }
        gate.pdeath_signal.store(late.pdeath_signal, Ordering::Release);
        let vfork = self.vfork(index, &late)?;
        {
            let _ordered = self.tasks.lock();
            if let Some(parent) = self.gates.get(gate.vfork_parent.load(Ordering::Acquire) as usize) {
                parent.vfork.complete_at_exec();
            }
        }
        self.next_turn(index);
        self.wait(&self.go)?;
        let joined = ROOMS
            .iter()
            .try_for_each(|room| (room.join)(me, &mut late).map_err(|f| f.kind(room.records[0])));
        let started = joined.and_then(|()| release(me, &mut late)).and_then(|()| {
            self.leave();
            self.wait_on_its_own(&self.all_left)?;
            self.check_owners(me)?;
            for room in ROOMS {
                (room.start)(me, &late).map_err(|f| f.kind(room.records[0]))?;
            }
            Ok(me.drop_scratch()?)
        });
        if let Err(fault) = started {
            self.blame(of_task(fault, me));
            self.fail_late();
            return Err(EINTR.into());
        }
        self.start(gate);
        // Nobody runs its own code before all can: what a program does then to others of its tree is no loss of a restart, and a restart
        // that fails has left no trace. Whoever is killed meanwhile, by a timer that has just been set, dies of its own.
        if let Err(fault) = self.wait_on_its_own(&self.all_started) {
            return match self.failed.load(Ordering::Acquire) {
                true => Err(fault),
                false => Ok(()),
            };
        }
        me.look_for_signals();
        if let Some(vfork) = &vfork {
            // A checkpoint or a suspend may come meanwhile: it stands as any parent in vfork(2) does.
            vfork.waiter.vfork.wait_vfork();
        }
        Ok(())
    }

    /// Says that a task would run its own code outside of the user namespace that one of its namespaces belongs to. Some have been made with
    /// the rights of that one; the statefile says for whom, and is not believed.
    fn check_owners(&self, me: &CurrentTask) -> Result {
        if self.with_user_nss(|given| Ok(given.is_empty()))? || me.lives_below_owners() {
            return Ok(());
        }
        Err(Fault::new(
            EPERM,
            format_args!("a namespace of it belongs to a user namespace that it does not live in or below"),
        ))
    }

    /// Waits for others that have been let go, too. The coordinator may be gone by now.
    fn wait_on_its_own(&self, completion: &Completion) -> Result {
        loop {
            let waited = completion.wait_killable(SLICE_MS);
            if self.failed.load(Ordering::Acquire) {
                return Err(EINTR.into());
            }
            match waited {
                Waited::Done => return Ok(()),
                Waited::Killed => return Err(EINTR.into()),
                Waited::Timeout if self.lost_a_task() => {
                    self.fail_late();
                    return Err(EINTR.into());
                }
                Waited::Timeout => {}
            }
        }
    }

    /// Too late for [`Self::abort`]: the tasks have been let go, but none of them has run its own code.
    fn fail_late(&self) {
        self.failed.store(true, Ordering::Release);
        self.kill_all();
        self.all_left.complete_all();
        self.all_started.complete_all();
    }

    /// The task waits in vfork(2): its child, whose turn comes later, is to wake it.
    fn vfork(&self, index: u32, late: &Late) -> Result<Option<Vfork<'_>>> {
        if late.vfork_child == 0 {
            return Ok(None);
        }
        let bad = || Fault::new(EBADMSG, format_args!("task {} cannot be waited for", late.vfork_child));
        let (Some(entry), Some(child)) = (
            self.prologue.tree.get(late.vfork_child as usize),
            self.gates.get(late.vfork_child as usize),
        ) else {
            return Err(bad());
        };
        let task = self.task_at(late.vfork_child as usize);
        let (Some(child_task), Some(waiter)) = (task, self.gates.get(index as usize)) else {
            return Err(bad());
        };
        let taken = child
            .vfork_parent
            .compare_exchange(NOBODY, index, Ordering::AcqRel, Ordering::Acquire);
        // Its turn must come later: it looks who waits for it then.
        if late.vfork_child <= index || entry.flags & (flags::LEADER | flags::ZOMBIE) != flags::LEADER || taken.is_err()
        {
            return Err(bad());
        }
        if let Some(me) = self.task_at(index as usize) {
            // By this a checkpoint knows whom it waits for: it is the thread that has made it.
            me.take_child(&child_task).map_err(|_| bad())?;
        }
        Ok(Some(Vfork {
            waiter,
            child,
            child_task,
            tasks: &self.tasks,
        }))
    }

    /// A task that has exited: takes what is left of one, and exits on its way to user mode. Its parent is told nothing, since
    /// it was told before; it sees it when it waits, once [`Self::end`] has given it its signal.
    fn exit(&self, index: u32, entry: &Tree, gate: &Gate, me: &CurrentTask) -> Result {
        let late = self.remains(index, entry, me)?;
        me.task().exit_silently();
        me.exit_with(late.exit_status.unwrap_or(0), Exit::Process)?;
        self.next_turn(index);
        self.leave();
        self.start(gate);
        Ok(())
    }

    /// A main thread that has exited while others live: the same. Its children become those of the thread that keeps the process, as
    /// they did then.
    fn exit_alone(&self, index: u32, entry: &Tree, gate: &Gate, me: &CurrentTask) -> Result {
        let late = self.remains(index, entry, me)?;
        gate.pdeath_signal.store(late.pdeath_signal, Ordering::Release);
        let keeper = self.task_at(index as usize + 1).ok_or(ESRCH)?;
        me.task().hand_over_children_to(&keeper)?;
        // It leaves the memory that another thread is about to replace, and must not write there.
        const ROBUST_LEN: u64 = 24;
        me.call(nr::__NR_set_tid_address, &[0])?;
        me.call(nr::__NR_set_robust_list, &[0, ROBUST_LEN])?;
        me.exit_with(late.exit_status.unwrap_or(0), Exit::Thread)?;
        self.next_turn(index);
        self.leave();
        self.start(gate);
        Ok(())
    }

    /// Takes on what is left of a task that has exited.
    fn remains(&self, index: u32, entry: &Tree, me: &CurrentTask) -> Result<KBox<Late>> {
        let mut late = KBox::new(Late::default(), GFP_KERNEL_ACCOUNT)?;
        {
            let mut stream = self.stream.lock();
            let stream = &mut *stream;
            self.section(index, entry, me, stream, &mut late)?;
            self.end_of_turn(index, stream)?;
        }
        set_name(me, &late)?;
        me.drop_scratch()?;
        Ok(late)
    }

    fn keeps_process(&self, index: u32) -> bool {
        self.prologue.keeps_process(index)
    }

    fn end_of_turn(&self, index: u32, stream: &mut Stream) -> Result {
        if index as usize + 1 == self.prologue.tree.len() {
            self.trailer(stream)?;
        }
        Ok(())
    }

    fn next_turn(&self, index: u32) {
        match self.gates.get(index as usize + 1) {
            Some(next) => next.turn.complete_all(),
            None => self.complete.complete_all(),
        }
    }

    /// The task has left the barrier.
    fn leave(&self) {
        if self.is_last(&self.left) {
            self.all_left.complete_all();
        }
    }

    /// The task can go on. The last one, and not the coordinator, which may be gone, sees to it that what the tree needs stays.
    fn start(&self, gate: &Gate) {
        gate.started.store(true, Ordering::Release);
        if self.is_last(&self.started) {
            self.stream.lock().remains.keep();
            self.all_started.complete_all();
        }
    }

    /// Counts one more task; whether it is the last one of the tree.
    fn is_last(&self, counter: &AtomicU32) -> bool {
        counter.fetch_add(1, Ordering::AcqRel) as usize + 1 == self.prologue.tree.len()
    }

    /// The task at this place of the tree, when it has come in.
    fn task_at(&self, index: usize) -> Option<Task> {
        self.tasks.lock().get(index)?.clone()
    }

    /// The task with this number in the pid namespace of the root task, when it has come in.
    fn task_of(&self, number: u32) -> Option<Task> {
        self.task_at(self.prologue.index(number)?)
    }

    /// The process is made of the tree's tasks and shares nothing with others, which a restart would tear from them.
    fn alone(&self, index: u32, entry: &Tree, me: &CurrentTask) -> Result {
        let task = me.task();
        let sharing = task.sharing();
        let mm = task.mm().ok_or(ESRCH)?;
        let gate = |at: u32| self.gates.get(at as usize).ok_or(EINVAL);
        let threads = gate(index)?.threads;
        let sharers = gate(entry.vm)?.users;
        let users = if entry.vm == index && entry.flags & flags::ZOMBIE == 0 {
            sharers
        } else {
            i32::MAX - 1
        };
        let shares_handlers = |e: &Tree| {
            let leader = self.prologue.tree.get(e.leader as usize);
            e.leader == index
                || leader.is_some_and(|l| {
                    l.vm == entry.vm && (l.flags & flags::SHARES_HANDLERS != 0 || e.leader == entry.vm)
                })
        };
        // Most processes have their memory for themselves, and so their handlers.
        let handlers = if sharers == threads {
            threads
        } else {
            self.prologue.tree.iter().filter(|e| shares_handlers(e)).count() as i32
        };
        if task.nr_threads() != threads || sharing.files > threads || sharing.fs > threads || sharing.sighand > handlers
        {
            return Err(Fault::new(
                EINVAL,
                format_args!("the process has other threads than those of the tree, or shares files or handlers"),
            ));
        }
        // Who looks at the memory (ps) counts for a moment; one reference is ours.
        for _ in 0..50 {
            if mm.users() <= users + 1 {
                return Ok(());
            }
            sleep_killable(4);
        }
        Err(Fault::new(
            EINVAL,
            format_args!("the process shares its memory with another one"),
        ))
    }

    /// Whoever replaces an address space waits until all that run in it are in the kernel; the first of the tree waits for
    /// everybody, since sessions and groups are known by their tasks.
    fn gather(&self, index: u32, entry: &Tree, gate: &Gate) -> Result {
        let owner = self.gates.get(entry.vm as usize).ok_or(EINVAL)?;
        if owner.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            owner.gathered.complete_all();
        }
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            if let Some(first) = self.gates.first() {
                first.turn.complete_all();
            }
        }
        if entry.vm == index {
            self.wait(&gate.gathered)?;
        }
        Ok(())
    }

    /// Restores the records of one task, up to its end.
    fn section(&self, index: u32, entry: &Tree, me: &CurrentTask, stream: &mut Stream, late: &mut Late) -> Result {
        let keeps_process = self.keeps_process(index);
        let exited = entry.flags & (flags::ZOMBIE | flags::EXITED) != 0;
        let mut order = None;
        let mut seen = 0u64;
        loop {
            let kind = stream.reader.next()?;
            if kind == RecordType::TaskEnd {
                break;
            }
            let Some((i, room)) = ROOMS.iter().enumerate().find(|(_, r)| r.records.contains(&kind)) else {
                return Err(stream.reader.bad(EBADMSG, format_args!("record is not part of a task")));
            };
            // Shared objects stand before whatever refers to them first.
            let shared = room.objects;
            let late_or_repeated = order.is_some_and(|order| i < order || (i == order && !room.repeats));
            let absent = room.share != share::NOTHING && late.new & room.share == 0;
            if (room.scope == Scope::Process && !keeps_process)
                || (!shared && late_or_repeated)
                || absent
                || (exited && !room.exited)
            {
                return Err(stream.reader.bad(EBADMSG, format_args!("record is in the wrong place")));
            }
            if !shared {
                order = Some(i);
                if kind == room.records[0] {
                    seen |= 1 << i;
                }
            }
            let user_nss = self.user_nss.lock();
            let mut restore = Restore {
                me,
                input: &mut stream.reader,
                made: &mut stream.made,
                remains: &mut stream.remains,
                entry,
                index,
                keeps_process,
                flags: self.flags,
                session_ops: self.session_ops,
                restarter_fs: &self.restarter_fs,
                restarter: &self.restarter,
                keyring: &mut stream.keyring,
                warnings: &mut stream.warnings,
                external: self.prologue.external(),
                task_at: &|index| self.task_at(index as usize),
                user_nss: &user_nss,
                late,
            };
            let result = (room.restore)(kind, &mut restore);
            result.map_err(|f| f.kind(kind).offset(stream.reader.record_offset()))?;
        }
        stream.reader.no_body()?;
        let there = late.new | share::NOTHING;
        let missing = ROOMS.iter().enumerate().find(|(i, room)| {
            room.required
                && (keeps_process || room.scope == Scope::Task)
                && room.share & there != 0
                && (room.exited || !exited)
                && seen & (1 << i) == 0
        });
        if let Some((_, room)) = missing {
            return Err(stream.reader.bad(
                EBADMSG,
                format_args!("the task has no {} record", room.records[0].name()),
            ));
        }
        if !late.is_complete() {
            return Err(stream.reader.bad(
                EBADMSG,
                format_args!("the address space or the descriptor table of the task does not end"),
            ));
        }
        Ok(())
    }

    fn trailer(&self, stream: &mut Stream) -> Result {
        if stream.reader.next()? != RecordType::Trailer {
            return Err(stream
                .reader
                .bad(EBADMSG, format_args!("the trailer does not come after the last task")));
        }
        stream
            .reader
            .check_trailer(stream.made.len(), self.prologue.tree.len() as u32)?;
        if let Some(what) = stream.made.awaits() {
            return Err(stream.reader.bad(EBADMSG, format_args!("{what} has not come")));
        }
        let root = self.task_at(0);
        for room in ROOMS {
            (room.finish)(&mut stream.made, &|number| self.task_of(number), root.as_ref());
        }
        // The tasks have their own references; an end of a pipe that nobody has must be closed.
        stream.made = Made::new();
        stream.keyring = None;
        self.bytes.store(stream.reader.offset(), Ordering::Release);
        Ok(())
    }

    /// Waits for all tasks, then opens the barrier: bytes read, and nanoseconds since the beginning. `EINTR` when a signal
    /// came first: the wait may be resumed.
    pub(crate) fn end(&self) -> Result<(u64, u64)> {
        loop {
            let waited = self.complete.wait_killable(LOOK_MS);
            if self.failed.load(Ordering::Acquire) {
                let first = self.first_fault.lock().take();
                return Err(first.unwrap_or_else(|| EINTR.into()));
            }
            match waited {
                Waited::Done => break,
                Waited::Killed => return Err(EINTR.into()),
                Waited::Timeout if signal_pending() => return Err(EINTR.into()),
                Waited::Timeout => {}
            }
            if self.lost_a_task() || self.lost_before_it_came() {
                self.fail(Fault::new(
                    ESRCH,
                    format_args!("a task of the tree died before it was restored"),
                ));
            }
        }
        let is_open = self.opened.load(Ordering::Acquire);
        if let Err(fault) = if is_open { Ok(()) } else { self.zombies() } {
            if is_bare(&fault) {
                return Err(fault);
            }
            self.fail(fault);
            let first = self.first_fault.lock().take();
            return Err(first.unwrap_or_else(|| EINTR.into()));
        }
        // Whoever calls again waits, and changes nothing: the tasks are on their own by then, and may have executed a setuid program.
        if !self.opened.swap(true, Ordering::AcqRel) {
            // From here on nobody dies with the coordinator: all of them go on, whatever becomes of it.
            self.arm_death_signals();
            self.stop();
            self.released.store(true, Ordering::Release);
            // A failure that came between the check above and here has killed the tasks; the barrier does no harm then.
            self.go.complete_all();
        }
        loop {
            match self.all_started.wait_killable(LOOK_MS) {
                Waited::Done => break,
                // Whoever is left decides without the coordinator.
                Waited::Killed => return Err(EINTR.into()),
                Waited::Timeout if self.lost_a_task() => self.fail_late(),
                Waited::Timeout => {}
            }
        }
        if self.failed.load(Ordering::Acquire) {
            // What nobody will need is to be gone when the failure is known.
            self.stream.lock().remains = Remains::new();
            let first = self.first_fault.lock().take();
            return Err(first.unwrap_or_else(|| {
                Fault::new(
                    ESRCH,
                    format_args!("a task of the tree died at the moment it was let go"),
                )
            }));
        }
        Ok((
            self.bytes.load(Ordering::Acquire),
            time::monotonic_ns().saturating_sub(self.since_ns),
        ))
    }

    /// What the restarted program does not find as it was, and that was no reason to fail. Taken once.
    pub(crate) fn take_warnings(&self) -> KVVec<Fault> {
        core::mem::replace(&mut self.stream.lock().warnings, KVVec::new())
    }

    /// Whether a task has ended that was not to. Whoever is on its own may end as soon as it likes: it has said so before.
    fn lost_a_task(&self) -> bool {
        let tasks = self.tasks.lock();
        let mut each = tasks.iter().zip(&self.gates);
        each.any(|(task, gate)| task.as_ref().is_some_and(Task::is_exiting) && !gate.started.load(Ordering::Acquire))
    }

    /// Until now each task had that of a half-built one, which dies with the coordinator.
    fn arm_death_signals(&self) {
        for (task, gate) in self.tasks.lock().iter().zip(&self.gates) {
            if let Some(task) = task {
                task.set_pdeath_signal(gate.pdeath_signal.load(Ordering::Acquire));
            }
        }
    }

    /// Whether a process has ended before it came in: its parent, which has come in after it was made, does not have it any
    /// more.
    fn lost_before_it_came(&self) -> bool {
        if self.missing.load(Ordering::Acquire) == 0 {
            return false;
        }
        for (i, entry) in self.prologue.tree.iter().enumerate().skip(1) {
            // A thread goes with its process; one that shares memory may be made by a sibling, later.
            if entry.flags & flags::LEADER == 0 || entry.vm as usize != i || self.task_of(entry.pid).is_some() {
                continue;
            }
            let above = self.prologue.index(entry.ppid);
            let Some((parent, level)) = above.and_then(|i| Some((self.task_at(i)?, self.prologue.tree.get(i)?.level)))
            else {
                continue;
            };
            // It may have come in between.
            if !parent.has_live_child(entry.pid, level) && self.task_of(entry.pid).is_none() {
                return true;
            }
        }
        false
    }

    /// Stops the processes that were stopped; their tasks wait at the barrier, and none of them is to run before.
    fn stop(&self) {
        for (i, entry) in self.prologue.tree.iter().enumerate().filter(|(_, e)| is_stopped(e)) {
            match self.task_at(i) {
                // The restarter is told: it may have a job control of its own.
                Some(task) if i == 0 => task.begin_group_stop(SIGSTOP as u32),
                Some(task) if entry.flags & flags::STOPPING != 0 => task.begin_group_stop(entry.stop_signal),
                Some(task) => task.set_group_stop(entry.stop_signal),
                None => {}
            }
        }
    }

    /// Waits until those that were to exit have done so, and gives them the signal that their parents wait for. A bare `EINTR` when a
    /// signal came first: it may be done again.
    fn zombies(&self) -> Result {
        for (i, entry) in self
            .prologue
            .tree
            .iter()
            .enumerate()
            .filter(|(_, e)| e.flags & (flags::ZOMBIE | flags::EXITED) != 0)
        {
            let Some(task) = self.task_at(i) else {
                return Err(ESRCH.into());
            };
            while !task.is_zombie() {
                if task.is_dead() {
                    return Err(Fault::new(
                        ESRCH,
                        format_args!("a task that had exited was reaped before its parent was restored"),
                    )
                    .task(entry.tgid as i32, entry.pid as i32));
                }
                if signal_pending() {
                    return Err(EINTR.into());
                }
                sleep_killable(1);
            }
            if entry.flags & flags::ZOMBIE != 0 {
                tree::set_exit_signal(i as u32, &task, entry, &|number| self.task_of(number))?;
            }
        }
        Ok(())
    }
}

/// Nothing must interrupt what follows, signals that come wait for the restored mask, and an alternate stack that the caller
/// has inherited would be in the way of the restored one. A call is made only where there is need: it would be the first to
/// write to memory that is dropped soon.
fn silence(me: &CurrentTask) -> Result {
    const SIG_SETMASK: u64 = 2;
    const SS_DISABLE: u64 = 2;
    let now = sighand::mask(me.task());
    if now.blocked != sighand::BLOCKABLE {
        let at = me.put_words(&[u64::MAX])?;
        me.call(nr::__NR_rt_sigprocmask, &[SIG_SETMASK, at, 0, 8])?;
    }
    let (_, size, _) = now.altstack;
    if size != 0 {
        let at = me.put_words(&[0, SS_DISABLE, 0])?;
        me.call(nr::__NR_sigaltstack, &[at, 0])?;
    }
    Ok(())
}
