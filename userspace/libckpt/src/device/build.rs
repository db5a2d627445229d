// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Builds the processes that are to become the saved ones: a tree of them, each with its thread ids.
//!
//! The caller creates the root process, or a small init of ours does, which then creates orphans beside it; each process creates its
//! child processes, then its threads, and enters CKPT_RESTART_TASK. Processes that had entered the pid namespace of the root are children
//! of a keeper of ours, outside of it. All plans are made before the first process: the new ones run on a copy of a possibly
//! multi-threaded process, so that they may make system calls only.
//!
//! Each process has the parent-death signal SIGKILL until the module gives it its own: the death of any one, and of
//! the caller, takes all below it along.

use super::init::{adopt_orphans, init_main, InitKind};
use super::nested;
use super::user_ns::{Ids, NestedUserNs, SavedUserNs};
use super::{ignore, last_errno, sized, BlockedSignals, EXIT_NOT_RESTORED};
use ckpt_uapi::ioctl;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use rustix::io::Errno;
use rustix::net::{self, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use rustix::pipe::{pipe_with, PipeFlags};
use rustix::process::{
    chdir, getpid, getppid, getrlimit, pidfd_open, pidfd_send_signal, set_parent_process_death_signal, setpgid,
    setrlimit, setsid, wait, waitid, Pid, PidfdFlags, Resource, Rlimit, Signal, WaitId, WaitIdOptions, WaitOptions,
};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use rustix::thread::{
    move_into_thread_name_spaces, set_name, set_thread_groups, set_thread_res_gid, set_thread_res_uid, Gid,
    ThreadNameSpaceType, Uid,
};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use std::ptr;
use std::time::{Duration, Instant};
use zerocopy::IntoBytes;

/// What the new root process does about its session and process group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Stays in the caller's.
    Inherit,
    /// Leads a process group of its own.
    Own,
    /// Leads a session of its own.
    Session,
}

/// What a new task has of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Make {
    /// Everything.
    Process,
    /// Not the memory: that is its creator's. It creates nobody itself.
    Sharer {
        /// Its parent is its creator's parent, not its creator.
        sibling: bool,
        /// The signal handlers are its creator's as well.
        handlers: bool,
    },
    /// It is a thread of its creator.
    Thread,
}

/// The pid namespace of a new task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Namespace {
    /// Its creator's.
    Same,
    /// A new one, whose first process it is. It belongs to the user namespace of the root, or to that with this number.
    New {
        /// 0, or the number of a nested user namespace.
        owner: u32,
    },
    /// That of an earlier child process of its creator; its pid is as the creator sees it.
    Of(i32),
    /// The root's, which is the first process of it; its parent is outside.
    Entered,
    /// The root's, whose parent is its own, too: a small init of ours.
    Beside,
}

/// One task that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// Index of the process that creates it; its own for the root, and for one whose parent is not in the tree.
    pub creator: u32,
    /// What it has of its own.
    pub make: Make,
    /// Its pid namespace.
    pub namespace: Namespace,
    /// Signal for its parent when it exits.
    pub exit_signal: i32,
    /// Pid of its parent as it sees it, or 0 when it cannot see it. Nothing for the root.
    pub parent: i32,
    /// Its thread ids, innermost pid namespace first; the last is that in the root's. Never empty.
    pub pids: Vec<i32>,
}

/// Step of building a tree that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Step {
    /// Creating a process.
    Process = 1,
    /// Tying its life to its parent's.
    DeathSignal = 2,
    /// Making the session or process group of the root.
    Group = 3,
    /// Taking the standard descriptors.
    Stdio = 4,
    /// Creating a thread.
    Thread = 5,
    /// Entering a pid namespace for a child process.
    Namespace = 6,
    /// Giving the new user namespace its ids.
    UserNamespace = 7,
    /// It died on the way.
    Died = 8,
    /// Executing the command of a job.
    Execute = 9,
    /// Making a user namespace below that of the root; the index is its number.
    NestedUserNamespace = 10,
}

/// What a process that has created all that it has to create reports instead of a [`Step`].
const BUILT: i32 = 0;

impl Step {
    fn from_number(number: i32) -> Self {
        match number {
            2 => Self::DeathSignal,
            3 => Self::Group,
            4 => Self::Stdio,
            5 => Self::Thread,
            6 => Self::Namespace,
            7 => Self::UserNamespace,
            8 => Self::Died,
            9 => Self::Execute,
            10 => Self::NestedUserNamespace,
            _ => Self::Process,
        }
    }
}

/// Why a tree could not be built.
#[derive(Debug)]
pub(crate) struct BuildError {
    /// The step that failed.
    pub step: Step,
    /// Index of the task in the tree.
    pub index: u32,
    /// Why.
    pub source: io::Error,
}

impl BuildError {
    pub(super) fn new(step: Step, source: impl Into<io::Error>) -> Self {
        Self {
            step,
            index: 0,
            source: source.into(),
        }
    }
}

/// A fresh pid namespace to build in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewNamespaces {
    /// The root is the first process of it. Else a small init of ours is, with the root as its child.
    pub root_is_init: bool,
    /// A user namespace owns it, in which the caller's user and group are themselves, unless the plan has another. It takes no
    /// privilege.
    pub user: bool,
}

/// A tree that is to become a saved one.
pub(crate) struct Plan<'a> {
    /// The session of the restart.
    pub session: BorrowedFd<'a>,
    /// All tasks. A task's creator comes before it; the first is the root process.
    pub tasks: &'a [Task],
    /// What becomes descriptors 0, 1 and 2; `None` leaves the caller's.
    pub stdio: [Option<BorrowedFd<'a>>; 3],
    /// Session and process group of the root.
    pub group: Group,
    /// Where to build, if not in the caller's pid namespace.
    pub namespaces: Option<NewNamespaces>,
    /// The root's parent is a small init of ours, who adopts orphans, also in the caller's pid namespace.
    pub init: bool,
    /// A small init of ours ends with the caller.
    pub tied: bool,
    /// What the user namespace of the new pid namespace is to be, if there is to be one.
    pub user_ns: Option<&'a SavedUserNs>,
    /// The user namespaces below that of the root.
    pub nested_user_ns: &'a [NestedUserNs],
}

/// The small init that is the parent of a tree, and adopts its orphans. It ends as the root process does, and a pid namespace that was
/// made for the tree with it.
#[derive(Debug)]
pub(crate) struct Init {
    /// Its pidfd; it is a child of the caller.
    pub pidfd: OwnedFd,
    /// Says how the state of the root process changes: one word each, as wait(2) returns it. Never blocks.
    pub status: UnixStream,
}

/// A tree that has been built. Until [`Built::let_go`] it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Built {
    /// Pid of the root process, as the caller sees it.
    pub pid: Pid,
    /// Its pidfd.
    pub pidfd: OwnedFd,
    /// Its parent, if that is not the caller.
    pub init: Option<Init>,
    /// What the first process of a new namespace reads from. That it ends is the end of an init that still waits.
    go: Option<OwnedFd>,
    keeper: Option<Keeper>,
    bound: bool,
}

/// The parent of those that have entered a pid namespace from outside. It takes leave of them, without which the namespace could not end,
/// and ends when there are none any more.
#[derive(Debug)]
struct Keeper {
    process: OwnedFd,
    /// That it is told nothing is the end of it. It does not listen any more when one of them has not been restored.
    go: OwnedFd,
}

impl Built {
    /// A new child process.
    pub(super) fn new(pid: Pid, pidfd: OwnedFd) -> Self {
        Self {
            pid,
            pidfd,
            init: None,
            go: None,
            keeper: None,
            bound: true,
        }
    }

    /// Its pid, as a number.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// From now on it lives on without this value.
    pub fn let_go(&mut self) {
        self.bound = false;
        if let (Some(go), Some(_)) = (self.go.take(), &self.init) {
            let _ = rustix::io::write(&go, &[GO]);
        }
        if let Some(keeper) = &self.keeper {
            let _ = rustix::io::write(&keeper.go, &[GO]);
        }
    }

    /// Descriptors with events when it has ended, or cannot be restored any more.
    pub fn ends(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let keeper = self.keeper.as_ref().map(|keeper| keeper.go.as_fd());
        [Some(self.pidfd.as_fd()), keeper].into_iter().flatten()
    }
}

impl Drop for Built {
    fn drop(&mut self) {
        // An init that still waits kills its children, and takes leave of them.
        drop(self.go.take());
        match &self.init {
            // Its end is that of its namespace, once the keeper has taken leave.
            Some(init) if self.bound => {
                let _ = poll(&mut [PollFd::new(&init.pidfd, PollFlags::IN)], Some(&LAST_WORDS));
                kill(&init.pidfd);
            }
            None if self.bound => kill(&self.pidfd),
            _ => {}
        }
        let Some(Keeper { process, go }) = self.keeper.take() else {
            return;
        };
        drop(go);
        if self.bound {
            wait_for_end(&process, WaitIdOptions::EXITED);
        } else {
            // If it lives on, nobody needs to wait for it.
            wait_for_end(&process, WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        }
    }
}

fn kill(child: &OwnedFd) {
    let _ = pidfd_send_signal(child, Signal::KILL);
    wait_for_end(child, WaitIdOptions::EXITED);
}

/// Waits until a child has ended, and takes leave of it.
pub(super) fn wait_for_end(child: &OwnedFd, options: WaitIdOptions) {
    while let Err(Errno::INTR) = waitid(WaitId::PidFd(child.as_fd()), options) {}
}

/// Address space of a new thread's stack. Nothing uses it; clone3 wants to know one, and a stray push must hit no other.
#[repr(align(4096))]
struct Stack {
    _room: [u8; STACK],
}

const STACK: usize = 4096;

/// The system call that makes the caller a saved task. In the unit tests, where no session is one, it waits for a connection
/// instead: that ends as suddenly, and not before it shall.
const ENTER: libc::c_long = if cfg!(test) { libc::SYS_accept } else { libc::SYS_ioctl };

/// What the caller writes to the first process of a new namespace: that it may begin, and that it is on its own.
const GO: u8 = 1;

/// What is known of a task when it is made. Plain numbers only.
struct Node {
    make: Make,
    namespace: Namespace,
    exit_signal: i32,
    parent: i32,
    /// Its part of [`Blueprint::pids`].
    first_pid: usize,
    pids: usize,
    /// Its part of [`Blueprint::order`]: whom it creates.
    first: usize,
    count: usize,
    /// Which stack of its creator it gets.
    stack: usize,
}

/// What the new processes need, made before the first exists: they may not allocate.
struct Blueprint<'a> {
    /// User and group that the first process takes in its new user namespace, which has no other numbers for those that it is born with.
    take: Option<(u32, u32)>,
    /// Supplementary groups of those that enter a user namespace.
    groups: Option<Vec<Gid>>,
    session: BorrowedFd<'a>,
    report: BorrowedFd<'a>,
    nested_user_ns: &'a [NestedUserNs],
    group: Group,
    stdio: [Option<BorrowedFd<'a>>; 3],
    place: Place<'a>,
    /// The first new process is the first of a pid namespace.
    new_pidns: bool,
    nodes: Vec<Node>,
    /// Indexes of tasks that have a creator, together those that have the same.
    order: Vec<usize>,
    /// Indexes of those that enter the pid namespace of the root from outside.
    entered: Vec<usize>,
    /// Indexes of those that have the root's parent.
    beside: Vec<usize>,
    pids: Vec<libc::pid_t>,
    arguments: Vec<ioctl::RestartTask>,
    /// One for each task that one process creates; of each new process, a copy. Only their addresses are used.
    stacks: Vec<Stack>,
}

/// Where the root process is.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// In the caller's pid namespace.
    Here,
    /// The first of a new pid namespace: the descriptor to wait on, and the caller's end of it.
    First { go: BorrowedFd<'a>, go_end: BorrowedFd<'a> },
    /// A child of the first, which is a small init: also where it shows itself to the caller, and where the first says what becomes of it.
    Second {
        go: BorrowedFd<'a>,
        go_end: BorrowedFd<'a>,
        birth: BorrowedFd<'a>,
        status: BorrowedFd<'a>,
        init: InitKind,
    },
}

/// Ends of pipes that the caller and the first process of a new namespace hold.
pub(super) struct Strings {
    go: OwnedFd,
    go_end: OwnedFd,
    birth: (UnixStream, UnixStream),
    status: (UnixStream, UnixStream),
}

impl Strings {
    pub(super) fn new() -> io::Result<Self> {
        let (go, go_end) = pipe_with(PipeFlags::CLOEXEC)?;
        let (birth, status) = (UnixStream::pair()?, UnixStream::pair()?);
        status.0.set_nonblocking(true)?;
        // Of those who write to the other end.
        net::sockopt::set_socket_passcred(&birth.0, true)?;
        Ok(Self {
            go,
            go_end,
            birth,
            status,
        })
    }

    pub(super) fn place(&self, root_is_init: bool, init: InitKind) -> Place<'_> {
        let (go, go_end) = (self.go.as_fd(), self.go_end.as_fd());
        if root_is_init {
            return Place::First { go, go_end };
        }
        Place::Second {
            go,
            go_end,
            birth: self.birth.1.as_fd(),
            status: self.status.1.as_fd(),
            init,
        }
    }
}

impl<'a> Blueprint<'a> {
    fn new(plan: &Plan<'a>, report: BorrowedFd<'a>, place: Place<'a>) -> io::Result<Self> {
        let count = plan.tasks.len();
        let is = |namespace| move |index: &usize| plan.tasks[*index].namespace == namespace;
        let (entered, others): (Vec<usize>, Vec<usize>) = (1..count).partition(is(Namespace::Entered));
        let (beside, mut order): (Vec<usize>, Vec<usize>) = others.into_iter().partition(is(Namespace::Beside));
        // Stable: in the order of the tree, but processes before threads. A process with one thread is easier to copy.
        order.sort_by_key(|&index| (plan.tasks[index].creator, plan.tasks[index].make == Make::Thread));
        let mut pids = Vec::with_capacity(count);
        let mut nodes: Vec<Node> = Vec::with_capacity(count);
        for task in plan.tasks {
            nodes.push(Node {
                make: task.make,
                namespace: task.namespace,
                exit_signal: task.exit_signal,
                parent: task.parent,
                first_pid: pids.len(),
                pids: task.pids.len(),
                first: 0,
                count: 0,
                stack: 0,
            });
            pids.extend_from_slice(&task.pids);
        }
        nodes[0].parent = match place {
            Place::Here => Pid::as_raw(Some(getpid())),
            Place::First { .. } => 0,
            // The first process knows it when it is there.
            Place::Second { .. } => -1,
        };
        let mut most = 0;
        for (at, &index) in order.iter().enumerate() {
            let creator = plan.tasks[index].creator as usize;
            if nodes[creator].count == 0 {
                nodes[creator].first = at;
            }
            nodes[index].stack = nodes[creator].count;
            nodes[creator].count += 1;
            most = most.max(nodes[creator].count);
        }
        let mut stacks = Vec::new();
        stacks.try_reserve_exact(most)?;
        Ok(Self {
            take: plan.user_ns.map(SavedUserNs::first_ids),
            groups: plan.user_ns.map(SavedUserNs::groups),
            session: plan.session,
            report,
            nested_user_ns: plan.nested_user_ns,
            group: plan.group,
            stdio: plan.stdio,
            place,
            new_pidns: plan.namespaces.is_some(),
            nodes,
            order,
            entered,
            beside,
            pids,
            arguments: (0..count as u32)
                .map(|index| ioctl::RestartTask { index, ..sized() })
                .collect(),
            stacks,
        })
    }
}

/// Builds a tree. Each of its tasks enters CKPT_RESTART_TASK and does not come back. The root process dies with the calling
/// thread until the module has restored its own parent-death signal.
///
/// Returns when every task exists. After an error none is left.
pub(crate) fn build(plan: &Plan<'_>) -> Result<Built, BuildError> {
    let failed = |source: io::Error| BuildError::new(Step::Process, source);
    let (report, report_end) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
    let has_first = plan.init || plan.namespaces.is_some();
    let strings = has_first.then(Strings::new).transpose().map_err(failed)?;
    let init = InitKind {
        session: plan.group == Group::Session,
        tied: plan.tied,
    };
    let root_is_init = plan.namespaces.is_some_and(|namespaces| namespaces.root_is_init);
    let place = strings
        .as_ref()
        .map_or(Place::Here, |strings| strings.place(root_is_init, init));
    let blueprint = Blueprint::new(plan, report_end.as_fd(), place).map_err(failed)?;
    let ids = match (plan.user_ns, plan.namespaces) {
        (Some(saved), Some(_)) => Ids::Saved(saved),
        (_, Some(NewNamespaces { user: true, .. })) => Ids::own(),
        _ => Ids::Callers,
    };
    let second = matches!(place, Place::Second { .. });
    let result = ids
        .as_owner(|| spawn(first_args(&blueprint, ids.are_new()), || first_main(&blueprint)))
        .map_err(|error| BuildError::new(Step::UserNamespace, error));
    let result = result.and_then(|first| first.map_err(failed)).and_then(|mut first| {
        ids.map(&first.pid().to_string())
            .map_err(|error| BuildError::new(Step::UserNamespace, error))?;
        if !blueprint.entered.is_empty() {
            first.keeper = Some(keep(&blueprint, first.pidfd.as_fd(), ids.are_new()).map_err(failed)?);
        }
        Ok(first)
    });
    drop(blueprint);
    let result = result.and_then(|first| begin(first, second, strings));
    drop(report_end);
    let expected = if result.is_ok() { plan.tasks } else { &[] };
    match listen(&report, expected) {
        Ok(()) => result,
        // It knows better than what followed from it.
        Err(error) => {
            drop(result);
            wait_for_silence(&report);
            Err(error)
        }
    }
}

/// Creates the keeper, and those that enter the namespaces of `first`, which waits: nobody has changed it, so that others may look at it.
fn keep(plan: &Blueprint<'_>, first: BorrowedFd<'_>, user: bool) -> io::Result<Keeper> {
    let (go, go_end) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut keeper = spawn(FORK, || keeper_main(plan, first, user, go.as_fd(), go_end.as_fd()))?;
    keeper.bound = false;
    let process = keeper.pidfd.try_clone();
    Ok(Keeper {
        process: process?,
        go: go_end,
    })
}

/// Lets the first process of a new namespace begin, and finds the root process: it, or its child, the second.
pub(super) fn begin(mut first: Built, second: bool, strings: Option<Strings>) -> Result<Built, BuildError> {
    let Some(strings) = strings else { return Ok(first) };
    let Strings {
        go,
        go_end,
        birth: (birth, birth_end),
        status: (status, status_end),
    } = strings;
    drop((go, birth_end, status_end));
    rustix::io::write(&go_end, &[GO]).map_err(|errno| BuildError::new(Step::Process, errno))?;
    first.go = Some(go_end);
    if !second {
        return Ok(first);
    }
    let died = |source: io::Error| BuildError::new(Step::Died, source);
    let pid = sender(&birth)
        .map_err(died)?
        .ok_or_else(|| died(io::Error::from_raw_os_error(libc::ESRCH)))?;
    let root = pidfd_open(pid, PidfdFlags::empty()).map_err(|errno| died(errno.into()))?;
    first.pid = pid;
    first.init = Some(Init {
        pidfd: std::mem::replace(&mut first.pidfd, root),
        status,
    });
    Ok(first)
}

/// Reads reports until nobody is left who could send one: every process has created all it had to create, has failed, or
/// has died.
pub(super) fn listen(report: &OwnedFd, expected: &[Task]) -> Result<(), BuildError> {
    const WORD: usize = 4;
    const LENGTH: usize = 3 * WORD;
    /// How long reports may lie there: not each of them is worth a turn of the scheduler.
    const PAUSE: Timespec = Timespec {
        tv_sec: 0,
        tv_nsec: 10_000_000,
    };
    let mut missing: Vec<bool> = expected.iter().map(|task| task.make == Make::Process).collect();
    let mut buffer = [0u8; 256 * LENGTH];
    let mut length = 0;
    loop {
        // Without events it ends early only if there is nobody left who could report.
        let _ = poll(&mut [PollFd::new(report, PollFlags::empty())], Some(&PAUSE));
        match rustix::io::read(report, &mut buffer[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(BuildError::new(Step::Process, errno)),
        }
        let whole = length - length % LENGTH;
        for words in buffer[..whole].chunks_exact(LENGTH) {
            let word = |at: usize| i32::from_ne_bytes([words[at], words[at + 1], words[at + 2], words[at + 3]]);
            let (step, index) = (word(0), word(WORD) as u32);
            if step != BUILT {
                return Err(BuildError {
                    step: Step::from_number(step),
                    index,
                    source: io::Error::from_raw_os_error(word(2 * WORD)),
                });
            }
            if let Some(missing) = missing.get_mut(index as usize) {
                *missing = false;
            }
        }
        buffer.copy_within(whole..length, 0);
        length -= whole;
    }
    match missing.iter().position(|missing| *missing) {
        None => Ok(()),
        Some(index) => Err(BuildError {
            step: Step::Died,
            index: index as u32,
            source: io::Error::from_raw_os_error(libc::ESRCH),
        }),
    }
}

/// Waits until the processes of a tree whose root has been killed are gone as well, one after the other. Those that
/// have entered the module do not count: they are the session's.
fn wait_for_silence(report: &OwnedFd) {
    const PATIENCE: Duration = Duration::from_secs(2);
    let end = Instant::now() + PATIENCE;
    let mut buffer = [0; 4096];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let Ok(left) = Timespec::try_from(left) else { return };
        match poll(&mut [PollFd::new(report, PollFlags::IN)], Some(&left)) {
            Err(Errno::INTR) => continue,
            Ok(1..) => {}
            _ => return,
        }
        if !matches!(rustix::io::read(report, &mut buffer), Ok(1..)) {
            return;
        }
    }
}

/// Pid, in this process's namespace, of who writes next to the other end; `None` when there is nobody.
fn sender(socket: &UnixStream) -> io::Result<Option<Pid>> {
    let mut byte = [0u8];
    // Credentials come with the end of the stream, too: those of pid 0, which `Pid` does not have. So the end is told first.
    let (_, length) = rustix::io::retry_on_intr(|| net::recv(socket, &mut byte, RecvFlags::PEEK))?;
    if length == 0 {
        return Ok(None);
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    rustix::io::retry_on_intr(|| {
        let mut data = [IoSliceMut::new(&mut byte)];
        net::recvmsg(socket, &mut data, &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    Ok(control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmCredentials(credentials) => Some(credentials.pid),
        _ => None,
    }))
}

/// Creates a child process in which `main` runs. That makes system calls only, takes no lock and does not return.
pub(super) fn spawn(mut args: libc::clone_args, main: impl FnOnce()) -> io::Result<Built> {
    let mut pidfd: RawFd = -1;
    args.flags |= libc::CLONE_PIDFD as u64;
    args.pidfd = (&raw mut pidfd) as u64;
    // No handler of this process may run in the new ones.
    let blocked = BlockedSignals::all()?;
    let created = fork(&args, main);
    drop(blocked);
    let pid = created?;
    // SAFETY: with CLONE_PIDFD a successful clone3 stored a new descriptor in `pidfd`; nobody else knows it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Built::new(pid, pidfd))
}

/// The same of a process whose signals are blocked already. Gives the pid of the child.
pub(super) fn fork(args: &libc::clone_args, main: impl FnOnce()) -> rustix::io::Result<Pid> {
    // SAFETY: `args` (of this module and those beside it) share no memory, and what they name is live. The new process calls only `main`, which
    // takes no lock and allocates nothing, and ends.
    if let Some(pid) = unsafe { clone3(args) }? {
        return Ok(pid);
    }
    main();
    leave()
}

/// What clone3 wants to know to make the first process.
fn first_args(plan: &Blueprint<'_>, user: bool) -> libc::clone_args {
    let (mut args, _) = clone_args(plan, 0);
    args.flags = 0;
    if plan.new_pidns {
        args.flags |= libc::CLONE_NEWPID as u64;
    }
    if user {
        args.flags |= libc::CLONE_NEWUSER as u64;
    }
    if matches!(plan.place, Place::Second { .. }) {
        // It is not the root.
        (args.set_tid, args.set_tid_size) = (0, 0);
    }
    args
}

/// What fork(2) asks of clone3.
pub(super) const FORK: libc::clone_args = libc::clone_args {
    flags: 0,
    pidfd: 0,
    child_tid: 0,
    parent_tid: 0,
    exit_signal: libc::SIGCHLD as u64,
    stack: 0,
    stack_size: 0,
    tls: 0,
    set_tid: 0,
    set_tid_size: 0,
    cgroup: 0,
};

/// What clone3 wants to know to make a task, but for the stack.
fn clone_args<'a>(plan: &'a Blueprint<'_>, index: usize) -> (libc::clone_args, &'a Node) {
    let node = &plan.nodes[index];
    let mut args = FORK;
    args.flags = match node.make {
        Make::Process => 0,
        Make::Sharer { sibling, handlers } => {
            libc::CLONE_VM
                | if sibling { libc::CLONE_PARENT } else { 0 }
                | if handlers { libc::CLONE_SIGHAND } else { 0 }
        }
        Make::Thread => {
            libc::CLONE_VM
                | libc::CLONE_FS
                | libc::CLONE_FILES
                | libc::CLONE_SIGHAND
                | libc::CLONE_THREAD
                | libc::CLONE_SYSVSEM
        }
    } as u64;
    if node.namespace == (Namespace::New { owner: 0 }) {
        args.flags |= libc::CLONE_NEWPID as u64;
    }
    // A sibling has its creator's, whatever one says.
    let takes_signal = !matches!(node.make, Make::Thread | Make::Sharer { sibling: true, .. });
    if node.namespace == Namespace::Entered {
        args.flags |= libc::CLONE_PARENT as u64;
    }
    args.exit_signal = if takes_signal { node.exit_signal as u64 } else { 0 };
    args.set_tid = plan.pids[node.first_pid..][..node.pids].as_ptr() as u64;
    args.set_tid_size = node.pids as u64;
    (args, node)
}

/// fork(2) with arguments: nothing in the new process, in the caller its pid.
///
/// # Safety
///
/// `args` may not ask for shared memory, and what it names must be live. The new process must not return from the caller of
/// this function, and must not take locks or allocate if this process has other threads.
unsafe fn clone3(args: &libc::clone_args) -> rustix::io::Result<Option<Pid>> {
    // SAFETY: without CLONE_VM the new process runs on copies of this stack and of this thread's TLS, with this thread
    // alone; the caller argues for the rest.
    let result = unsafe { libc::syscall(libc::SYS_clone3, ptr::from_ref(args), size_of_val(args)) };
    match result {
        0.. => Ok(Pid::from_raw(result as i32)),
        _ => Err(last_errno()),
    }
}

/// What the first new process does: it is the root of the tree, or the init of its namespace.
fn first_main(plan: &Blueprint<'_>) -> ! {
    match plan.place {
        Place::Here => {}
        Place::First { go, go_end } => {
            wait_for_go(go, go_end);
            take_ids(plan);
            // Its parent is out of sight: instead of asking for its pid it looks whether somebody still holds the pipe.
            die_with_parent(plan, 0);
            if !is_held(go) {
                leave();
            }
            close(go);
        }
        Place::Second {
            go,
            go_end,
            birth,
            status,
            init,
        } => {
            wait_for_go(go, go_end);
            adopt_orphans();
            take_ids(plan);
            let own = Pid::as_raw(Some(getpid()));
            let (args, _) = clone_args(plan, 0);
            // SAFETY: `args` names one pid and asks for no shared memory, since the root is a `Make::Process`. The new
            // process goes on to `process_main`, which takes no lock, allocates nothing and does not return.
            match unsafe { clone3(&args) } {
                Ok(Some(root)) => {
                    if let Some(index) = plan.beside.iter().copied().find(|&index| create(plan, index)) {
                        close(go);
                        close(status);
                        close(birth);
                        tie_to(plan, index, own);
                        spare();
                        place_stdio(plan);
                        process_main(plan, index)
                    }
                    let others = plan.beside.iter().map(|&index| plan.pids[plan.nodes[index].first_pid]);
                    init_main(init, root, go, status, others)
                }
                Ok(None) => {}
                Err(errno) => give_up(plan, Step::Process, 0, errno),
            }
            close(go);
            close(status);
            tie_to(plan, 0, own);
            // Nobody who reads it is as good as nobody who wants it.
            let _ = rustix::io::write(birth, &[GO]);
            close(birth);
        }
    }
    if matches!(plan.place, Place::Here) {
        tie_to_parent(plan, 0);
    }
    settle(plan);
    if let Err((number, errno)) = nested::make_all(plan.session, plan.nested_user_ns) {
        give_up(plan, Step::NestedUserNamespace, number, errno);
    }
    process_main(plan, 0)
}

/// What the keeper does: it has a child of its own enter the namespaces of `first` and create there what are then children of the keeper.
/// It takes leave of them, and ends with the last one; also if it is not told to go on, and they with it. All signals are blocked.
fn keeper_main(
    plan: &Blueprint<'_>,
    first: BorrowedFd<'_>,
    user: bool,
    go: BorrowedFd<'_>,
    go_end: BorrowedFd<'_>,
) -> ! {
    let _ = set_name(c"ckpt-keeper");
    close(go_end);
    // What is ignored could not be waited for.
    ignore(libc::SIGCHLD, false);
    if plan.group == Group::Session {
        let _ = setsid();
    }
    let entering = fork(&FORK, || {
        close(go);
        enter_main(plan, first, user)
    });
    let entering = entering.unwrap_or_else(|errno| give_up(plan, Step::Process, plan.entered[0], errno));
    let _ = chdir(c"/");
    close_all_but(go, go);
    let all = WaitOptions::from_bits_retain(libc::__WALL as u32);
    let told = wait_unless(go, || loop {
        let Ok(Some((pid, state))) = wait(all | WaitOptions::NOHANG) else {
            break false;
        };
        // One that has not been restored, or not been made. The caller ends the namespace.
        if state.exit_status() == Some(EXIT_NOT_RESTORED) || (pid == entering && state.exit_status() != Some(0)) {
            break true;
        }
    });
    if told.is_some_and(|told| told.is_err()) {
        leave();
    }
    close(go);
    while !matches!(wait(all), Err(Errno::CHILD)) {}
    exit(0)
}

/// How long an init may take leave of what it has.
const LAST_WORDS: Timespec = Timespec { tv_sec: 12, tv_nsec: 0 };

/// How long it may take until the end of a child is noted.
pub(super) const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 10_000_000,
};

/// Waits until it is told to go on. Nothing when it has lost somebody before; an error when the caller has given up or died.
pub(super) fn wait_unless(go: BorrowedFd<'_>, lost: impl Fn() -> bool) -> Option<rustix::io::Result<()>> {
    while !lost() {
        let mut fds = [PollFd::from_borrowed_fd(go, PollFlags::IN)];
        if matches!(poll(&mut fds, Some(&PAUSE)), Ok(0) | Err(Errno::INTR)) {
            continue;
        }
        return Some(match rustix::io::read(go, &mut [0]) {
            Ok(1) => Ok(()),
            _ => Err(Errno::PIPE),
        });
    }
    None
}

/// What the child of the keeper does.
fn enter_main(plan: &Blueprint<'_>, first: BorrowedFd<'_>, user: bool) -> ! {
    let index = plan.entered[0];
    die_with_parent(plan, index);
    if let Some(groups) = &plan.groups {
        // Without the right to, those of the caller have to do.
        let _ = set_thread_groups(groups);
    }
    let mut kinds = ThreadNameSpaceType::PROCESS_ID;
    if user {
        kinds |= ThreadNameSpaceType::USER;
    }
    if let Err(errno) = move_into_thread_name_spaces(first, kinds) {
        give_up(plan, Step::Namespace, index, errno);
    }
    take_ids(plan);
    spare();
    place_stdio(plan);
    for &index in &plan.entered {
        if create(plan, index) {
            tie_to_parent(plan, index);
            process_main(plan, index);
        }
    }
    exit(0)
}

/// Takes ids that the new user namespace has numbers for: without, files cannot be made in it.
fn take_ids(plan: &Blueprint<'_>) {
    let Some((user, group)) = plan.take else { return };
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
    let taken = set_thread_res_gid(group, group, group).and_then(|()| set_thread_res_uid(user, user, user));
    if let Err(errno) = taken {
        give_up(plan, Step::UserNamespace, 0, errno);
    }
}

/// Waits until the caller has prepared the namespace. Its death ends the wait, and this process.
pub(super) fn wait_for_go(go: BorrowedFd<'_>, go_end: BorrowedFd<'_>) {
    close(go_end);
    if rustix::io::read(go, &mut [0]) != Ok(1) {
        leave();
    }
}

/// Whether somebody can still write into this pipe.
pub(super) fn is_held(pipe: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(pipe, PollFlags::empty())];
    poll(&mut fds, Some(&Timespec::default())) == Ok(0)
}

pub(super) fn close(fd: BorrowedFd<'_>) {
    // SAFETY: it is this process's own copy of a descriptor, and the callers do not use it afterwards.
    unsafe { rustix::io::close(fd.as_raw_fd()) };
}

/// What each new process does. The new processes that it creates come out of `create` in here, too.
fn process_main(plan: &Blueprint<'_>, mut index: usize) -> ! {
    'born: loop {
        let node = &plan.nodes[index];
        for &task in &plan.order[node.first..][..node.count] {
            if create(plan, task) {
                index = task;
                tie_to_parent(plan, index);
                continue 'born;
            }
        }
        report(plan.report, BUILT, index, 0);
        close(plan.report);
        let argument = &raw const plan.arguments[index];
        // SAFETY: the argument is a live `RestartTask` that the ioctl only reads. If it succeeds it does not return; if the
        // module replaces this address space first, it does not return either.
        unsafe { libc::syscall(ENTER, plan.session.as_raw_fd(), ioctl::CKPT_RESTART_TASK, argument) };
        leave();
    }
}

/// Makes the parent's death its own.
fn die_with_parent(plan: &Blueprint<'_>, index: usize) {
    if let Err(errno) = set_parent_process_death_signal(Some(Signal::KILL)) {
        give_up(plan, Step::DeathSignal, index, errno);
    }
}

fn tie_to_parent(plan: &Blueprint<'_>, index: usize) {
    tie_to(plan, index, plan.nodes[index].parent);
}

fn tie_to(plan: &Blueprint<'_>, index: usize, parent: libc::pid_t) {
    die_with_parent(plan, index);
    // A parent in another pid namespace is 0, dead or alive. If it died before the death signal was set, this process goes
    // on to the module, which sends it away.
    if Pid::as_raw(getppid()) != parent {
        leave();
    }
}

/// Gives the root its session or process group, and its standard descriptors; all others inherit them.
fn settle(plan: &Blueprint<'_>) {
    spare();
    let grouped = match plan.group {
        Group::Inherit => Ok(()),
        Group::Own => setpgid(None, None),
        // A new process leads no group, so it is allowed.
        Group::Session => setsid().map(drop),
    };
    if let Err(errno) = grouped {
        give_up(plan, Step::Group, 0, errno);
    }
    place_stdio(plan);
}

/// Takes the standard descriptors.
fn place_stdio(plan: &Blueprint<'_>) {
    // The descriptors that are replaced (0 to 2) are used by nothing in here: those of the plan are above 2 (`Plan` is made
    // so by `restart.rs`).
    let [input, output, error] = plan.stdio;
    let placed = [input.map(dup2_stdin), output.map(dup2_stdout), error.map(dup2_stderr)];
    if let Some(errno) = placed.into_iter().flatten().find_map(Result::err) {
        give_up(plan, Step::Stdio, 0, errno);
    }
}

/// What the module does in each task before anything else, done once: all others inherit it. It does what fails here.
fn spare() {
    let all = u64::MAX;
    // SAFETY: the mask is a live word of the length that is given; the old one is not asked for. The C library's call would
    // leave out its own signals.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const all,
            ptr::null_mut::<u64>(),
            size_of_val(&all),
        )
    };
    let none = libc::stack_t {
        ss_sp: ptr::null_mut(),
        ss_flags: libc::SS_DISABLE,
        ss_size: 0,
    };
    // SAFETY: `none` is live. All signals are blocked, so nobody runs on the stack that is given up.
    unsafe { libc::sigaltstack(&raw const none, ptr::null_mut()) };
    for resource in [Resource::Nofile, Resource::Memlock] {
        let limit = getrlimit(resource);
        let raised = Rlimit {
            current: limit.maximum,
            ..limit
        };
        let _ = setrlimit(resource, raised);
    }
}

/// Creates one task. Whether this is it: a process goes on here, a thread and a sharer of memory never come back.
fn create(plan: &Blueprint<'_>, index: usize) -> bool {
    let (mut args, node) = clone_args(plan, index);
    match node.namespace {
        Namespace::Of(pid) => enter_pid_namespace(plan, index, Pid::from_raw(pid)),
        Namespace::New { owner } if owner != 0 => {
            if let Err(errno) = nested::own_children(plan.session, owner) {
                give_up(plan, Step::Namespace, index, errno);
            }
        }
        _ => {}
    }
    let created = if node.make == Make::Process {
        // SAFETY: the arguments ask for no shared memory and name a live array of pids. The new process goes on in
        // `process_main`, which takes no lock, allocates nothing and does not return.
        unsafe { clone3(&args) }
    } else {
        args.stack = (plan.stacks.as_ptr() as usize + node.stack * STACK) as u64;
        args.stack_size = STACK as u64;
        // SAFETY: the arguments give the new task a stack; the blueprint lives until the module replaces the address space,
        // which it does when all that share it are inside of their ioctl.
        unsafe { spawn_sharer(plan, &mut args, index) }
    };
    match created {
        Ok(None) => return true,
        Ok(Some(_)) => {}
        Err(errno) if node.make == Make::Thread => give_up(plan, Step::Thread, index, errno),
        Err(errno) => give_up(plan, Step::Process, index, errno),
    }
    if matches!(node.namespace, Namespace::Of(_) | Namespace::New { owner: 1.. }) {
        enter_pid_namespace(plan, index, Some(getpid()));
    }
    false
}

/// Has the next new process live in the pid namespace of this one.
fn enter_pid_namespace(plan: &Blueprint<'_>, index: usize, pid: Option<Pid>) {
    let entered = pid
        .ok_or(Errno::SRCH)
        .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()))
        .and_then(|pidfd| move_into_thread_name_spaces(pidfd.as_fd(), ThreadNameSpaceType::PROCESS_ID));
    if let Err(errno) = entered {
        give_up(plan, Step::Namespace, index, errno);
    }
}

/// Creates a task in this address space, whose only action is CKPT_RESTART_TASK. Gives its tid.
///
/// # Safety
///
/// `args` must give it a stack, `index` must be one of the plan, and `plan` must stay where it is until the address space goes.
unsafe fn spawn_sharer(
    plan: &Blueprint<'_>,
    args: &mut libc::clone_args,
    index: usize,
) -> rustix::io::Result<Option<Pid>> {
    // A thread has the descriptors and the life of its process. Another process dies with its parent, and has a copy of the
    // report pipe to close.
    let report = if plan.nodes[index].make == Make::Thread {
        -1
    } else {
        plan.report.as_raw_fd()
    };
    let result: i64;
    // SAFETY: in the calling thread this is one system call, which clobbers rax, rcx and r11 and reads the live `args`.
    // The new task starts after the same instruction with rax 0 and a stack pointer of its own; it uses no stack, no
    // TLS and no code but the few instructions here: prctl(PR_SET_PDEATHSIG, SIGKILL) and close(report) if it is a process,
    // ioctl(session, CKPT_RESTART_TASK, argument), and exit_group when that returns. It never reaches the end of the block,
    // so Rust code runs in one thread only.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "test r15d, r15d",
            "js 3f",
            "mov eax, {prctl}",
            "mov edi, {pdeathsig}",
            "mov esi, {sigkill}",
            "xor edx, edx",
            "xor r10d, r10d",
            "xor r8d, r8d",
            "syscall",
            "mov eax, {close}",
            "mov edi, r15d",
            "syscall",
            "3:",
            "mov eax, {enter}",
            "mov edi, r12d",
            "mov esi, r13d",
            "mov rdx, r14",
            "syscall",
            "mov eax, {exit_group}",
            "mov edi, {status}",
            "syscall",
            "ud2",
            "2:",
            prctl = const libc::SYS_prctl,
            pdeathsig = const libc::PR_SET_PDEATHSIG,
            sigkill = const libc::SIGKILL,
            close = const libc::SYS_close,
            enter = const ENTER,
            exit_group = const libc::SYS_exit_group,
            status = const EXIT_NOT_RESTORED,
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") ptr::from_mut(args),
            in("rsi") size_of_val(args),
            in("r12") plan.session.as_raw_fd(),
            in("r13") ioctl::CKPT_RESTART_TASK,
            in("r14") &raw const plan.arguments[index],
            in("r15") report,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    match result as i32 {
        tid @ 1.. => Ok(Pid::from_raw(tid)),
        errno => Err(Errno::from_raw_os_error(-errno)),
    }
}

pub(super) fn close_all_but(one: BorrowedFd<'_>, other: BorrowedFd<'_>) {
    let (one, other) = (one.as_raw_fd(), other.as_raw_fd());
    let (low, high) = (one.min(other), one.max(other));
    let mut from = 0;
    for to in [low, high, RawFd::MAX] {
        if from < to {
            let last = if to == RawFd::MAX { to } else { to - 1 };
            // SAFETY: close_range takes numbers; what it closes is this process's own, and is not used any more.
            unsafe { libc::syscall(libc::SYS_close_range, from, last, 0) };
        }
        from = to.saturating_add(1);
    }
}

/// Reports an error to the caller of [`build`] and ends the process.
fn give_up(plan: &Blueprint<'_>, step: Step, index: usize, errno: Errno) -> ! {
    report(plan.report, step as i32, index, errno.raw_os_error());
    leave();
}

/// A pipe takes so few bytes at once.
pub(super) fn report(pipe: BorrowedFd<'_>, step: i32, index: usize, errno: i32) {
    let _ = rustix::io::write(pipe, [step, index as i32, errno].as_bytes());
}

/// Ends the new process with all its threads.
pub(super) fn leave() -> ! {
    exit(EXIT_NOT_RESTORED)
}

pub(super) fn exit(code: libc::c_int) -> ! {
    // SAFETY: _exit runs no handlers and does not return.
    unsafe { libc::_exit(code) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foreground::{wait, Ended, Watched};
    use crate::tree::taken_pids;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    /// Thread ids are everybody's: one test at a time. Orphans become this process's.
    fn one_at_a_time() -> MutexGuard<'static, ()> {
        static TURN: Mutex<()> = Mutex::new(());
        adopt_orphans();
        TURN.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn task(creator: u32, make: Make, parent: u32, pid: u32) -> Task {
        Task {
            creator,
            make,
            namespace: Namespace::Same,
            exit_signal: libc::SIGCHLD,
            parent: parent as i32,
            pids: vec![pid as i32],
        }
    }

    /// What stands for a session: tasks enter it, and none becomes a saved one.
    struct Room(UnixListener);

    impl Room {
        fn new() -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let name = format!("ckpt-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
            let address = SocketAddr::from_abstract_name(name).unwrap();
            Self(UnixListener::bind_addr(&address).unwrap())
        }

        /// Sends everybody away who is in it or comes.
        fn close(&self) {
            net::shutdown(&self.0, net::Shutdown::Both).unwrap();
        }

        fn build(&self, tasks: &[Task], namespaces: Option<NewNamespaces>) -> Result<Built, BuildError> {
            build(&Plan {
                session: self.0.as_fd(),
                tasks,
                stdio: [None; 3],
                group: Group::Own,
                namespaces,
                init: tasks.iter().any(|task| task.namespace == Namespace::Beside),
                tied: false,
                user_ns: None,
                nested_user_ns: &[],
            })
        }
    }

    fn build_in(tasks: &[Task], namespaces: Option<NewNamespaces>) -> Result<Built, BuildError> {
        Room::new().build(tasks, namespaces)
    }

    /// One process with its threads.
    fn process(tids: &[u32]) -> Vec<Task> {
        let make = |at| if at == 0 { Make::Process } else { Make::Thread };
        (0..).zip(tids).map(|(at, tid)| task(0, make(at), 0, *tid)).collect()
    }

    fn exists(pid: u32) -> bool {
        !taken_pids([pid]).is_empty()
    }

    /// Thread ids that nobody has, or nothing where the caller may not choose any.
    fn free_tids(count: usize) -> Option<Vec<u32>> {
        let max: u32 = std::fs::read_to_string("/proc/sys/kernel/pid_max")
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        // The kernel counts up from about the own pid, for everybody: those below are the last that it comes to.
        let own = std::process::id().clamp(301, max);
        let tids = (301..own).rev().chain((own..max).rev());
        let tids: Vec<u32> = tids.filter(|tid| !exists(*tid)).take(count).collect();
        match build_in(&process(&tids[..1]), None) {
            Err(error) if error.source.raw_os_error() == Some(libc::EPERM) => {
                eprintln!("not tested: no CAP_CHECKPOINT_RESTORE");
                None
            }
            _ => Some(tids),
        }
    }

    fn exit_status(built: &Built) -> Option<i32> {
        let child = built.init.as_ref().map_or(&built.pidfd, |init| &init.pidfd);
        waitid(WaitId::PidFd(child.as_fd()), WaitIdOptions::EXITED)
            .unwrap()
            .unwrap()
            .exit_status()
    }

    /// Nothing is left but orphans that have ended: this process has adopted those.
    fn assert_gone(pids: &[u32]) {
        let end = Instant::now() + Duration::from_secs(10);
        while let Some(left) = pids.iter().find(|pid| exists(**pid)) {
            assert!(Instant::now() < end, "process {left} is left");
            for &pid in pids {
                let _ = waitid(WaitId::Pid(Pid::from_raw(pid as i32).unwrap()), ENDED);
            }
        }
    }

    const ENDED: WaitIdOptions = WaitIdOptions::EXITED.union(WaitIdOptions::NOHANG);

    #[test]
    fn builds_a_process_with_the_wanted_ids_that_cannot_become_a_task_here() {
        let _turn = one_at_a_time();
        let Some(tids) = free_tids(9) else { return };
        let room = Room::new();
        let mut built = room.build(&process(&tids), None).unwrap();
        assert_eq!(built.pid(), tids[0]);
        built.let_go();
        room.close();
        assert_eq!(exit_status(&built), Some(EXIT_NOT_RESTORED));
    }

    #[test]
    fn says_which_id_is_taken() {
        let _turn = one_at_a_time();
        let Some(free) = free_tids(1) else { return };
        let error = build_in(&process(&[1]), None).unwrap_err();
        assert_eq!(
            (error.step, error.source.raw_os_error()),
            (Step::Process, Some(libc::EEXIST))
        );
        let error = build_in(&process(&[free[0], 1]), None).unwrap_err();
        assert_eq!(
            (error.step, error.index, error.source.raw_os_error()),
            (Step::Thread, 1, Some(libc::EEXIST))
        );
        // The half-built process is gone: its pid is free again.
        build_in(&process(&free), None).unwrap();
    }

    /// A process with `children` child processes, each with a child process that has a thread.
    fn family(pids: &[u32]) -> Vec<Task> {
        let mut tasks = vec![task(0, Make::Process, 0, pids[0])];
        for three in pids[1..].chunks_exact(3) {
            let child = tasks.len() as u32;
            tasks.push(task(0, Make::Process, pids[0], three[0]));
            tasks.push(task(child, Make::Process, three[0], three[1]));
            tasks.push(task(child + 1, Make::Thread, 0, three[2]));
        }
        tasks
    }

    #[test]
    fn builds_a_tree() {
        let _turn = one_at_a_time();
        let Some(pids) = free_tids(31) else { return };
        let built = build_in(&family(&pids), None).unwrap();
        assert_eq!(built.pid(), pids[0]);
        drop(built);
        assert_gone(&pids);
    }

    #[test]
    fn says_what_fails_deep_in_a_tree_and_leaves_nothing() {
        let _turn = one_at_a_time();
        let Some(pids) = free_tids(31) else { return };
        let mut tasks = family(&pids);
        for (index, step) in [(30, Step::Thread), (29, Step::Process)] {
            tasks[index].pids = vec![1];
            let error = build_in(&tasks, None).unwrap_err();
            assert_eq!(
                (error.step, error.index, error.source.raw_os_error()),
                (step, index as u32, Some(libc::EEXIST))
            );
            assert_gone(&pids);
        }
    }

    #[test]
    fn notices_a_process_that_dies_on_the_way() {
        let _turn = one_at_a_time();
        let Some(pids) = free_tids(4) else { return };
        let mut tasks = family(&pids);
        // It finds another parent than it was told.
        tasks[2].parent = 1;
        let error = build_in(&tasks, None).unwrap_err();
        assert_eq!((error.step, error.index), (Step::Died, 2));
        assert_gone(&pids);
    }

    #[test]
    fn builds_processes_that_share_memory() {
        let _turn = one_at_a_time();
        let Some(pids) = free_tids(6) else { return };
        let sharer = |sibling, handlers| Make::Sharer { sibling, handlers };
        let tasks = [
            task(0, Make::Process, 0, pids[0]),
            task(0, Make::Process, pids[0], pids[1]),
            task(1, sharer(false, true), pids[1], pids[2]),
            task(1, sharer(true, false), pids[0], pids[3]),
            task(0, sharer(false, false), pids[0], pids[4]),
            task(1, Make::Thread, 0, pids[5]),
        ];
        drop(build_in(&tasks, None).unwrap());
        assert_gone(&pids);
    }

    const FRESH: Option<NewNamespaces> = Some(NewNamespaces {
        root_is_init: false,
        user: false,
    });
    const OWN_INIT: Option<NewNamespaces> = Some(NewNamespaces {
        root_is_init: true,
        user: false,
    });

    #[test]
    fn builds_in_a_fresh_pid_namespace() {
        let _turn = one_at_a_time();
        let Some(_) = free_tids(1) else { return };
        // Pids that somebody has outside.
        let pids: Vec<u32> = (2..33).collect();
        let room = Room::new();
        let mut built = room.build(&family(&pids), FRESH).unwrap();
        assert!(built.pid() > 1 && built.init.is_some());
        built.let_go();
        room.close();
        // As the root process, which can become no saved one here.
        assert_eq!(exit_status(&built), Some(EXIT_NOT_RESTORED));
        let error = build_in(&family(&[2, 3, 4, 3]), FRESH).unwrap_err();
        assert_eq!((error.step, error.index), (Step::Thread, 3));
    }

    #[test]
    fn an_init_says_how_its_program_ended() {
        let _turn = one_at_a_time();
        let Some(_) = free_tids(1) else { return };
        let room = Room::new();
        let mut built = room.build(&family(&[2, 3, 4, 5]), FRESH).unwrap();
        built.let_go();
        for signal in [Signal::STOP, Signal::CONT, Signal::KILL] {
            pidfd_send_signal(&built.pidfd, signal).unwrap();
        }
        assert_eq!(wait(Watched::of(&built)).unwrap(), Ended::Signaled(libc::SIGKILL));
        assert_gone(&[built.pid()]);
        // Without a word from it, its own end has to do.
        let mut built = room.build(&family(&[2, 3, 4, 5]), FRESH).unwrap();
        built.let_go();
        pidfd_send_signal(&built.init.as_ref().unwrap().pidfd, Signal::KILL).unwrap();
        assert_eq!(wait(Watched::of(&built)).unwrap(), Ended::Signaled(libc::SIGKILL));
        assert_gone(&[built.pid()]);
    }

    #[test]
    fn builds_an_init() {
        let _turn = one_at_a_time();
        let Some(_) = free_tids(1) else { return };
        let mut tasks = family(&[1, 20, 21, 22]);
        tasks[1].parent = 1;
        let room = Room::new();
        let mut built = room.build(&tasks, OWN_INIT).unwrap();
        assert!(built.init.is_none());
        built.let_go();
        room.close();
        assert_eq!(exit_status(&built), Some(EXIT_NOT_RESTORED));
    }

    #[test]
    fn has_processes_enter_from_outside() {
        let _turn = one_at_a_time();
        let Some(_) = free_tids(1) else { return };
        let entered = |index, pid| Task {
            namespace: Namespace::Entered,
            exit_signal: 0,
            ..task(index, Make::Process, 0, pid)
        };
        let mut tasks = family(&[1, 20, 21, 22]);
        tasks[1].parent = 1;
        tasks.push(entered(4, 30));
        tasks.push(task(4, Make::Process, 30, 31));
        tasks.push(task(5, Make::Thread, 0, 32));
        tasks.push(entered(7, 40));
        // Nobody can wait for the end of the namespace before the keeper has.
        drop(Room::new().build(&tasks, OWN_INIT).unwrap());
        let room = Room::new();
        let mut built = room.build(&tasks, OWN_INIT).unwrap();
        assert_eq!(built.ends().count(), 2);
        built.let_go();
        room.close();
        assert_eq!(exit_status(&built), Some(EXIT_NOT_RESTORED));
        tasks[7].pids = vec![20];
        let error = build_in(&tasks, OWN_INIT).unwrap_err();
        assert_eq!(
            (error.step, error.source.raw_os_error()),
            (Step::Process, Some(libc::EEXIST))
        );
        // The two are made at the same time: whoever comes second says so.
        assert!([1, 7].contains(&error.index), "{}", error.index);
    }

    #[test]
    fn builds_orphans_beside_the_root() {
        let _turn = one_at_a_time();
        let Some(pids) = free_tids(7) else { return };
        let orphan = |index: u32, pid| Task {
            namespace: Namespace::Beside,
            ..task(index, Make::Process, 0, pid)
        };
        let mut tasks = family(&pids[..4]);
        tasks.push(orphan(4, pids[4]));
        tasks.push(task(4, Make::Process, pids[4], pids[5]));
        tasks.push(orphan(6, pids[6]));
        drop(build_in(&tasks, None).unwrap());
        assert_gone(&pids);
        let room = Room::new();
        let mut built = room.build(&tasks, None).unwrap();
        let parent = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let parent = |pid: u32| {
            parent(pid)
                .rsplit(") ")
                .next()
                .unwrap()
                .split(' ')
                .nth(1)
                .unwrap()
                .to_owned()
        };
        let parents = [0, 4, 6].map(|at| parent(pids[at]));
        assert!(parents
            .iter()
            .all(|pid| *pid == parents[0] && *pid != std::process::id().to_string()));
        // Whoever is lost before all go on is the end of all.
        rustix::process::kill_process(Pid::from_raw(pids[4] as i32).unwrap(), Signal::KILL).unwrap();
        room.close();
        assert_eq!(exit_status(&built), Some(EXIT_NOT_RESTORED));
        built.let_go();
        drop(built);
        assert_gone(&pids);
        tasks[6].pids = vec![1];
        let error = build_in(&tasks, None).unwrap_err();
        assert_eq!(
            (error.step, error.index, error.source.raw_os_error()),
            (Step::Process, 6, Some(libc::EEXIST))
        );
        assert_gone(&pids);
    }

    #[test]
    fn builds_nested_pid_namespaces() {
        let _turn = one_at_a_time();
        let Some(pids) = free_tids(4) else { return };
        let nested = |creator, namespace, parent, pids: [u32; 2]| Task {
            namespace,
            pids: pids.map(|pid| pid as i32).to_vec(),
            ..task(creator, Make::Process, parent, 0)
        };
        let tasks = [
            task(0, Make::Process, 0, pids[0]),
            nested(0, Namespace::New { owner: 0 }, 0, [1, pids[1]]),
            nested(1, Namespace::Same, 1, [5, pids[2]]),
            nested(0, Namespace::Of(pids[1] as i32), 0, [9, pids[3]]),
        ];
        drop(build_in(&tasks, None).unwrap());
        assert_gone(&pids);
    }

    #[test]
    fn builds_in_a_user_namespace() {
        let _turn = one_at_a_time();
        let namespaces = Some(NewNamespaces {
            root_is_init: false,
            user: true,
        });
        match build_in(&family(&[2, 3, 4, 5]), namespaces) {
            Ok(built) => drop(built),
            // Where user namespaces are not allowed.
            Err(error) => assert_eq!(
                (error.step, error.source.raw_os_error()),
                (Step::Process, Some(libc::EPERM))
            ),
        }
    }

    #[test]
    fn builds_a_thousand_processes_in_little_time() {
        let _turn = one_at_a_time();
        let Some(pids) = free_tids(1000) else { return };
        let mut tasks = vec![task(0, Make::Process, 0, pids[0])];
        tasks.extend(pids[1..].iter().map(|pid| task(0, Make::Process, pids[0], *pid)));
        let start = Instant::now();
        let built = build_in(&tasks, None).unwrap();
        let took = start.elapsed();
        drop(built);
        assert_gone(&pids);
        // A chain: each is the child of the one before. The kernel's own fork(2) takes the square of its length.
        let chain: Vec<_> = (0..100u32)
            .map(|at| {
                let before = at.saturating_sub(1);
                task(before, Make::Process, pids[before as usize], pids[at as usize])
            })
            .collect();
        drop(build_in(&chain, None).unwrap());
        assert_gone(&pids);
        assert!(took < Duration::from_secs(20), "{took:?}");
    }
}
