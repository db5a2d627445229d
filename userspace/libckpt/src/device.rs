// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! `/dev/ckpt`, one method per ioctl, and the raw system calls of a restart. The only unsafe code of user space.
#![allow(
    unsafe_code,
    reason = "ioctl, clone3, prctl and signal masks have no safe form; each use argues"
)]

use crate::error::{Error, Failure, Result};
use crate::message::Message;
use crate::tree::taken_pids;
use ckpt_uapi::ioctl;
use ckpt_uapi::record::tree::Tree;
use ckpt_uapi::status::MESSAGE_MAX;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;
use std::io;
use std::ptr;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

pub use libc::{SIGHUP, SIGINT, SIGTERM};

/// Exit status of a task that could not become a saved one.
pub const EXIT_NOT_RESTORED: i32 = 70;

/// An ioctl argument: a plain struct that begins with its own size, as `ckpt_uapi::ioctl` has them.
trait Argument: FromBytes + IntoBytes {
    /// The ioctl that takes it.
    const REQUEST: u32;
}

macro_rules! arguments {
    ($($t:ident = $request:ident;)*) => {$(
        impl Argument for ioctl::$t {
            const REQUEST: u32 = ioctl::$request;
        }
    )*};
}
arguments! {
    Info = CKPT_INFO;
    Attach = CKPT_ATTACH;
    Check = CKPT_CHECK;
    Freeze = CKPT_FREEZE;
    Thaw = CKPT_THAW;
    Kill = CKPT_KILL;
    Checkpoint = CKPT_CHECKPOINT;
    RestartBegin = CKPT_RESTART_BEGIN;
    RestartTask = CKPT_RESTART_TASK;
    RestartEnd = CKPT_RESTART_END;
}

/// A zeroed argument with its size set. Every type here begins with `size: u32`, little-endian as x86-64 is.
fn sized<T: Argument>() -> T {
    let mut arg = T::new_zeroed();
    let size = size_of::<T>() as u32;
    arg.as_mut_bytes()[..4].copy_from_slice(&size.to_ne_bytes());
    arg
}

/// One open `/dev/ckpt`: one checkpoint or one restart. Dropping it thaws what it froze, and kills a half-built restart.
#[derive(Debug)]
pub struct Session {
    fd: OwnedFd,
}

impl AsFd for Session {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Session {
    /// Opens the device.
    pub fn open() -> Result<Self> {
        rustix::fs::open(ioctl::DEVICE, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
            .map(|fd| Self { fd })
            .map_err(|errno| Error::NoDevice(errno.into()))
    }

    /// What the module is and can do on this kernel.
    pub fn info(&self) -> Result<ioctl::Info> {
        let mut arg = sized::<ioctl::Info>();
        self.call(&mut arg, Error::Info)?;
        Ok(arg)
    }

    /// Chooses one process with all its threads as the target.
    pub fn attach(&self, pidfd: BorrowedFd<'_>) -> Result<()> {
        let mut arg = ioctl::Attach {
            pidfd: pidfd.as_raw_fd(),
            scope: ioctl::scope::PROCESS,
            ..sized()
        };
        self.call(&mut arg, Error::Attach).map(drop)
    }

    /// Looks for obstacles without touching the target; each obstacle is a message.
    pub fn check(&self) -> Result<ioctl::Check> {
        let mut arg = sized::<ioctl::Check>();
        self.call(&mut arg, Error::Check)?;
        Ok(arg)
    }

    /// Stops the target and returns the number of tasks. 0 is the module's own time limit.
    pub fn freeze(&self, timeout_ms: u32) -> Result<u32> {
        let mut arg = ioctl::Freeze { timeout_ms, ..sized() };
        self.call(&mut arg, Error::Freeze)?;
        Ok(arg.tasks)
    }

    /// Lets the target go on.
    pub fn thaw(&self) -> Result<()> {
        self.call(&mut sized::<ioctl::Thaw>(), Error::Thaw).map(drop)
    }

    /// Kills the target.
    pub fn kill(&self) -> Result<()> {
        self.call(&mut sized::<ioctl::Kill>(), Error::Kill).map(drop)
    }

    /// Writes the attached target into `file`.
    pub fn checkpoint(&self, file: BorrowedFd<'_>, timeout_ms: u32) -> Result<ioctl::Checkpoint> {
        let mut arg = ioctl::Checkpoint {
            fd: file.as_raw_fd(),
            pidfd: -1,
            timeout_ms,
            ..sized()
        };
        self.call(&mut arg, Error::Checkpoint)?;
        Ok(arg)
    }

    /// Writes the calling process into `file`. The flag is false at once, and true in the process that wakes up restarted.
    pub fn checkpoint_self(&self, file: BorrowedFd<'_>, timeout_ms: u32) -> Result<(ioctl::Checkpoint, bool)> {
        // The same ioctl as for an attached target: in a fresh session, no pid means the caller.
        let mut arg = ioctl::Checkpoint {
            fd: file.as_raw_fd(),
            pidfd: -1,
            timeout_ms,
            ..sized()
        };
        let restarted = self.call(&mut arg, Error::Checkpoint)? != 0;
        Ok((arg, restarted))
    }

    /// Reads and verifies the prologue of the statefile, and returns the number of tasks.
    pub fn restart_begin(&self, file: BorrowedFd<'_>, flags: u32) -> Result<u32> {
        let mut arg = ioctl::RestartBegin {
            fd: file.as_raw_fd(),
            flags,
            ..sized()
        };
        self.call(&mut arg, Error::Begin)?;
        Ok(arg.tasks)
    }

    /// The tree that has to be built, `tasks` entries as [`Session::restart_begin`] said.
    pub fn restart_prologue(&self, tasks: u32) -> Result<Vec<Tree>> {
        let mut tree = vec![Tree::new_zeroed(); tasks.min(ckpt_uapi::statefile::TASKS_MAX) as usize];
        let mut arg = ioctl::RestartPrologue {
            size: size_of::<ioctl::RestartPrologue>() as u32,
            flags: 0,
            tree: tree.as_mut_ptr() as u64,
            capacity: tree.len() as u32,
            tasks: 0,
        };
        // SAFETY: `arg` is a live struct of the size that it names, and `arg.tree` is a live array of `arg.capacity`
        // entries that nothing else refers to; the kernel writes within both, and every bit pattern is a `Tree`.
        let result = unsafe { raw_ioctl(self.fd.as_raw_fd(), ioctl::CKPT_RESTART_PROLOGUE, (&raw mut arg).cast()) };
        result.map_err(|errno| Error::Begin(self.failure(errno)))?;
        tree.truncate(arg.tasks as usize);
        Ok(tree)
    }

    /// Waits until every task is restored, and lets them go.
    pub fn restart_end(&self) -> Result<ioctl::RestartEnd> {
        let mut arg = sized::<ioctl::RestartEnd>();
        self.call(&mut arg, Error::Restart)?;
        Ok(arg)
    }

    /// Kills what has been built.
    pub fn restart_abort(&self) -> Result<()> {
        let mut arg = ioctl::RestartEnd {
            flags: ioctl::restart_end_flags::ABORT,
            ..sized()
        };
        self.call(&mut arg, Error::Restart).map(drop)
    }

    /// Takes the messages that the session holds.
    pub fn messages(&self) -> Vec<Message> {
        let mut messages = Vec::new();
        let mut buffer = [0; 16 * MESSAGE_MAX];
        while let Ok(length @ 1..) = rustix::io::read(&self.fd, &mut buffer) {
            messages.extend(Message::parse_all(&buffer[..length]));
        }
        messages
    }

    /// The reason of a failed ioctl.
    fn failure(&self, error: io::Error) -> Failure {
        Failure {
            errno: error.raw_os_error().unwrap_or(0),
            messages: self.messages(),
        }
    }

    fn call<T: Argument>(&self, arg: &mut T, stage: fn(Failure) -> Error) -> Result<u32> {
        // SAFETY: `arg` is exclusively borrowed, begins with its true size (`sized`), and every bit pattern that the
        // kernel may write is a `T`. None of these ioctls keeps the address or follows a pointer inside of it.
        unsafe { raw_ioctl(self.fd.as_raw_fd(), T::REQUEST, ptr::from_mut(arg).cast()) }
            .map_err(|errno| stage(self.failure(errno)))
    }
}

/// # Safety
///
/// `arg` must be what `request` reads and writes.
unsafe fn raw_ioctl(fd: RawFd, request: u32, arg: *mut libc::c_void) -> io::Result<u32> {
    // SAFETY: the caller vouches for `arg`; an fd number that is not open is an error, not undefined.
    let result = unsafe { libc::ioctl(fd, request as libc::Ioctl, arg) };
    u32::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// A pidfd of a process.
pub fn pidfd_open(pid: u32) -> Result<OwnedFd> {
    let result = match i32::try_from(pid).ok().and_then(Pid::from_raw) {
        Some(pid) => rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()),
        None => Err(rustix::io::Errno::SRCH),
    };
    result.map_err(|errno| match taken_pids([pid]).first() {
        Some(task) if task.tgid != pid => Error::NotAProcess {
            tid: pid,
            pid: task.tgid,
        },
        _ => Error::Attach(Failure {
            errno: errno.raw_os_error(),
            messages: Vec::new(),
        }),
    })
}

/// Makes a process group the foreground one of a terminal, also from the background.
pub fn set_foreground(terminal: BorrowedFd<'_>, group: Pid) -> io::Result<()> {
    // A caller in the background would get SIGTTOU and stop.
    let blocked = BlockedSignals::only(&[libc::SIGTTOU])?;
    let result = rustix::termios::tcsetpgrp(terminal, group);
    drop(blocked);
    Ok(result?)
}

/// Signals that are blocked in the calling thread until the value is dropped.
struct BlockedSignals {
    before: libc::sigset_t,
}

impl BlockedSignals {
    fn all() -> io::Result<Self> {
        let mut set = empty_set();
        // SAFETY: `set` is a live, initialised signal set.
        unsafe { libc::sigfillset(&raw mut set) };
        Self::set(&set)
    }

    fn only(signals: &[i32]) -> io::Result<Self> {
        Self::set(&signal_set(signals))
    }

    fn set(set: &libc::sigset_t) -> io::Result<Self> {
        let mut before = empty_set();
        // SAFETY: both sets are live for the call; the mask is the calling thread's own.
        match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, set, &raw mut before) } {
            0 => Ok(Self { before }),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: `before` was filled by the kernel in `set`; the old mask is not asked for.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut()) };
    }
}

fn empty_set() -> libc::sigset_t {
    // SAFETY: `sigset_t` is an array of integers, for which zero is a value: the empty set.
    unsafe { std::mem::zeroed() }
}

fn signal_set(signals: &[i32]) -> libc::sigset_t {
    let mut set = empty_set();
    for &signal in signals {
        // SAFETY: `set` is a live, initialised signal set; a number that is no signal is an error, not undefined.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    set
}

/// A signal that [`Signals`] took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its number.
    pub signal: i32,
    /// The kernel sent it (a terminal, a timer), not a process.
    pub from_kernel: bool,
}

/// Signals of the calling thread that are read from a descriptor instead of being delivered, until this is dropped. Those
/// that have arrived by then are gone, read or not: what they asked for has been done.
pub struct Signals {
    fd: OwnedFd,
    _blocked: BlockedSignals,
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Signals {
    /// Takes over these signals.
    pub fn take(signals: &[i32]) -> io::Result<Self> {
        let blocked = BlockedSignals::only(signals)?;
        let set = signal_set(signals);
        // SAFETY: `set` is live for the call; -1 asks for a new descriptor.
        let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: signalfd just returned this descriptor, and nobody else knows it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd, _blocked: blocked })
    }

    /// The next signal that has arrived, if any.
    pub fn next_signal(&self) -> Option<Received> {
        const SIGNO: usize = std::mem::offset_of!(libc::signalfd_siginfo, ssi_signo);
        const CODE: usize = std::mem::offset_of!(libc::signalfd_siginfo, ssi_code);
        let mut info = [0u8; size_of::<libc::signalfd_siginfo>()];
        match rustix::io::read(&self.fd, &mut info) {
            Ok(length) if length == info.len() => {
                let word = |at: usize| i32::from_ne_bytes([info[at], info[at + 1], info[at + 2], info[at + 3]]);
                Some(Received {
                    signal: word(SIGNO),
                    from_kernel: word(CODE) > 0,
                })
            }
            _ => None,
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // The fields go after this: the mask is still in place.
        while self.next_signal().is_some() {}
    }
}

/// Ends the calling process by a signal, as its default action does, so that the parent sees that death. Returns only
/// when the signal's default action does not end a process.
pub fn die_by(signal: i32) {
    // A core dump of this process would say nothing about the program.
    let no_core = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `no_core` is live for the call.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const no_core) };
    // SAFETY: SIG_DFL installs no handler, so no code of ours can run in signal context.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    let set = signal_set(&[signal]);
    // SAFETY: raise sends a signal to the calling thread; it has no memory effect of its own.
    unsafe { libc::raise(signal) };
    // SAFETY: `set` is live for the call; the mask is the calling thread's own.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut()) };
}

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

/// Step of building a process that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Step {
    /// Creating the process.
    Process = 1,
    /// Tying its life to the caller's.
    DeathSignal = 2,
    /// Making its session or process group.
    Group = 3,
    /// Taking its standard descriptors.
    Stdio = 4,
    /// Creating a thread.
    Thread = 5,
}

impl Step {
    fn from_number(number: i32) -> Self {
        match number {
            2 => Self::DeathSignal,
            3 => Self::Group,
            4 => Self::Stdio,
            5 => Self::Thread,
            _ => Self::Process,
        }
    }
}

/// Why a process could not be built.
#[derive(Debug)]
pub(crate) struct BuildError {
    /// The step that failed.
    pub step: Step,
    /// Index of the task in the tree.
    pub index: u32,
    /// Why.
    pub source: io::Error,
}

/// One process that is to become a saved one.
pub(crate) struct Plan<'a> {
    /// The session of the restart.
    pub session: BorrowedFd<'a>,
    /// Index in the tree and thread id of each task; the leader first.
    pub tasks: Vec<(u32, u32)>,
    /// What becomes its descriptors 0, 1 and 2; `None` leaves the caller's.
    pub stdio: [Option<BorrowedFd<'a>>; 3],
    /// Its session and process group.
    pub group: Group,
}

/// A process that has been built. Until [`Built::let_go`] it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Built {
    /// Its pid.
    pub pid: Pid,
    /// Its pidfd.
    pub pidfd: OwnedFd,
    bound: bool,
}

impl Built {
    /// Its pid, as a number.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// From now on it lives on without this value.
    pub fn let_go(&mut self) {
        self.bound = false;
    }
}

impl Drop for Built {
    fn drop(&mut self) {
        if self.bound {
            let _ = rustix::process::pidfd_send_signal(&self.pidfd, rustix::process::Signal::KILL);
            let _ = rustix::process::waitid(
                rustix::process::WaitId::PidFd(self.pidfd.as_fd()),
                rustix::process::WaitIdOptions::EXITED,
            );
        }
    }
}

/// What the new process needs, made before it exists: it may not allocate. Plain numbers only.
struct Child {
    session: RawFd,
    report: RawFd,
    parent: i32,
    group: Group,
    stdio: [Option<RawFd>; 3],
    arguments: Vec<ioctl::RestartTask>,
    tids: Vec<libc::pid_t>,
    stacks: *mut u8,
}

/// Address space of a new thread's stack. Nothing uses it; clone3 wants to know one, and a stray push must hit no other.
const STACK: usize = 4096;

/// Builds one process with its threads. Each of them enters `CKPT_RESTART_TASK` and does not come back. The process dies
/// with the calling thread until the module has restored its own parent-death signal.
///
/// Returns when every thread exists.
pub(crate) fn build(plan: &Plan<'_>) -> std::result::Result<Built, BuildError> {
    let failed = |source: io::Error| BuildError {
        step: Step::Process,
        index: 0,
        source,
    };
    let (report, report_end) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
    let threads = plan.tasks.len().saturating_sub(1);
    let stacks = Stacks::map(threads).map_err(failed)?;
    let child = Child {
        session: plan.session.as_raw_fd(),
        report: report_end.as_raw_fd(),
        parent: rustix::process::getpid().as_raw_nonzero().get(),
        group: plan.group,
        stdio: plan.stdio.map(|fd| fd.map(|fd| fd.as_raw_fd())),
        arguments: plan
            .tasks
            .iter()
            .map(|&(index, _)| ioctl::RestartTask { index, ..sized() })
            .collect(),
        tids: plan.tasks.iter().map(|&(_, tid)| tid as libc::pid_t).collect(),
        stacks: stacks.start,
    };
    let built = spawn(&child).map_err(failed)?;
    drop(report_end);

    // The new process closes its end when all threads exist, or first says what failed.
    let mut words = [0u8; 12];
    let mut length = 0;
    while length < words.len() {
        match rustix::io::read(&report, &mut words[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(failed(errno.into())),
        }
    }
    if length < words.len() {
        return Ok(built);
    }
    let word = |at: usize| i32::from_ne_bytes([words[at], words[at + 1], words[at + 2], words[at + 3]]);
    Err(BuildError {
        step: Step::from_number(word(0)),
        index: word(4) as u32,
        source: io::Error::from_raw_os_error(word(8)),
    })
}

/// Creates the process; in it, [`child_main`] runs and never returns.
fn spawn(child: &Child) -> io::Result<Built> {
    let mut pidfd: RawFd = -1;
    // SAFETY: `clone_args` is a struct of integers, for which zero is a value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = libc::CLONE_PIDFD as u64;
    args.pidfd = (&raw mut pidfd) as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    args.set_tid = child.tids.as_ptr() as u64;
    args.set_tid_size = 1;

    // No handler of this process may run in the new one.
    let blocked = BlockedSignals::all()?;
    // SAFETY: without CLONE_VM this is fork(2): the new process runs on copies of this stack and of this thread's TLS,
    // with this thread alone. `args` and what it names are live: `pidfd` is one int, `set_tid` one pid
    // (`tids` is never empty: a plan has a leader). The new process calls only `child_main`, which takes no lock,
    // allocates nothing and does not return.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of_val(&args)) };
    if pid == 0 {
        child_main(child);
    }
    let error = io::Error::last_os_error();
    drop(blocked);
    let Some(pid) = i32::try_from(pid).ok().filter(|pid| *pid > 0).and_then(Pid::from_raw) else {
        return Err(error);
    };
    // SAFETY: with CLONE_PIDFD a successful clone3 stored a new descriptor in `pidfd`; nobody else knows it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Built {
        pid,
        pidfd,
        bound: true,
    })
}

/// What the new process does. It runs on a copy of a possibly multi-threaded process: system calls only.
fn child_main(child: &Child) -> ! {
    // SAFETY: PR_SET_PDEATHSIG takes a number and touches no memory.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0, 0, 0) } != 0 {
        give_up(child, Step::DeathSignal, 0);
    }
    // SAFETY: getppid has no arguments and cannot fail.
    if unsafe { libc::getppid() } != child.parent {
        // The parent died before the death signal was set.
        leave();
    }
    let grouped = match child.group {
        Group::Inherit => 0,
        // SAFETY: setpgid takes numbers; 0, 0 is the calling process.
        Group::Own => unsafe { libc::setpgid(0, 0) },
        // SAFETY: setsid has no arguments. A new process leads no group, so it is allowed.
        Group::Session => unsafe { libc::setsid() },
    };
    if grouped < 0 {
        give_up(child, Step::Group, 0);
    }
    for (number, fd) in child.stdio.iter().enumerate() {
        if let Some(fd) = fd {
            // SAFETY: dup2 changes this process's own descriptor table only. The descriptors that it replaces (0 to 2)
            // are used by nothing in here: those of the plan are above 2 (`Plan` is made so by `restart.rs`).
            if unsafe { libc::dup2(*fd, number as RawFd) } < 0 {
                give_up(child, Step::Stdio, 0);
            }
        }
    }
    for index in 1..child.tids.len() {
        // SAFETY: the arrays of `child` have one entry for each task, and `stacks` one stack for each thread; `child`
        // lives until the module replaces the address space, which it does when every thread is inside of its ioctl.
        let created = unsafe { spawn_thread(child, index) };
        if created < 0 {
            set_errno(-created);
            give_up(child, Step::Thread, child.arguments[index].index);
        }
    }
    // SAFETY: `report` is this process's own copy; nothing uses it afterwards but `leave`, which does not.
    unsafe { libc::close(child.report) };
    let argument = ptr::from_ref(&child.arguments[0]).cast_mut().cast();
    // SAFETY: the argument is a live `RestartTask` that the ioctl only reads. If it succeeds it does not return; if the
    // module replaces this address space first, it does not return either.
    let _ = unsafe { raw_ioctl(child.session, ioctl::CKPT_RESTART_TASK, argument) };
    leave();
}

/// Creates one thread, whose only action is `CKPT_RESTART_TASK`. Returns its tid or a negative errno.
///
/// # Safety
///
/// `index` must be an index of `child.tids` above 0, and `child` must stay where it is until the address space goes.
unsafe fn spawn_thread(child: &Child, index: usize) -> i32 {
    const FLAGS: i32 = libc::CLONE_VM
        | libc::CLONE_FS
        | libc::CLONE_FILES
        | libc::CLONE_SIGHAND
        | libc::CLONE_THREAD
        | libc::CLONE_SYSVSEM;
    // SAFETY: `clone_args` is a struct of integers, for which zero is a value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = FLAGS as u64;
    // SAFETY: the caller says that there is a stack for this index; the mapping has one for each thread.
    args.stack = unsafe { child.stacks.add((index - 1) * STACK) } as u64;
    args.stack_size = STACK as u64;
    args.set_tid = (&raw const child.tids[index]) as u64;
    args.set_tid_size = 1;

    let result: i64;
    // SAFETY: in the calling thread this is one system call, which clobbers rax, rcx and r11 and reads the live `args`.
    // The new thread starts after the same instruction with rax 0 and a stack pointer of its own; it uses no stack, no
    // TLS and no code but the few instructions here: ioctl(session, CKPT_RESTART_TASK, argument), and
    // exit_group when that returns. It never reaches the end of the block, so Rust code runs in one thread only.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov eax, {ioctl}",
            "mov edi, r12d",
            "mov esi, r13d",
            "mov rdx, r14",
            "syscall",
            "mov eax, {exit_group}",
            "mov edi, {status}",
            "syscall",
            "ud2",
            "2:",
            ioctl = const libc::SYS_ioctl,
            exit_group = const libc::SYS_exit_group,
            status = const EXIT_NOT_RESTORED,
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") &raw mut args,
            in("rsi") size_of_val(&args),
            in("r12") child.session,
            in("r13") ioctl::CKPT_RESTART_TASK,
            in("r14") &raw const child.arguments[index],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result as i32
}

/// Reports the last error to the parent and ends the process.
fn give_up(child: &Child, step: Step, index: u32) -> ! {
    let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
    let words: [i32; 3] = [step as i32, index as i32, errno];
    // SAFETY: `words` is live and as long as said; a pipe takes so few bytes at once.
    unsafe { libc::write(child.report, words.as_ptr().cast(), size_of_val(&words)) };
    leave();
}

/// Ends the new process with all its threads.
fn leave() -> ! {
    // SAFETY: _exit runs no handlers and does not return.
    unsafe { libc::_exit(EXIT_NOT_RESTORED) }
}

fn set_errno(errno: i32) {
    // SAFETY: this only asks where this thread's own errno is.
    let location = unsafe { libc::__errno_location() };
    // SAFETY: the location is always live, and no other thread knows it.
    unsafe { *location = errno };
}

/// Stacks of new threads, in the parent; the new process has a copy.
struct Stacks {
    start: *mut u8,
    length: usize,
}

impl Stacks {
    fn map(threads: usize) -> io::Result<Self> {
        let length = threads.max(1) * STACK;
        // SAFETY: a new private anonymous mapping anywhere replaces nothing.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            start: start.cast(),
            length,
        })
    }
}

impl Drop for Stacks {
    fn drop(&mut self) {
        // SAFETY: `map` made this mapping, and in this process nobody runs on it: the threads are the new process's.
        unsafe { libc::munmap(self.start.cast(), self.length) };
    }
}

#[cfg(test)]
#[allow(clippy::zombie_processes, reason = "the tests wait through the pidfd")]
mod tests {
    use super::*;
    use rustix::process::{waitid, WaitId, WaitIdOptions};
    use std::fs::File;
    use std::process::Command;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    /// Thread ids are everybody's: one test at a time.
    fn one_at_a_time() -> MutexGuard<'static, ()> {
        static TURN: Mutex<()> = Mutex::new(());
        TURN.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A plan whose session is no session: every CKPT_RESTART_TASK fails.
    fn plan(session: &File, tids: &[u32]) -> std::result::Result<Built, BuildError> {
        let tasks = (0..).zip(tids.iter().copied()).collect();
        build(&Plan {
            session: session.as_fd(),
            tasks,
            stdio: [None; 3],
            group: Group::Own,
        })
    }

    fn null() -> File {
        File::open("/dev/null").unwrap()
    }

    /// Thread ids that nobody has, or nothing where the caller may not choose any.
    fn free_tids<const N: usize>() -> Option<[u32; N]> {
        let max: u32 = std::fs::read_to_string("/proc/sys/kernel/pid_max")
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let mut free = (301..max)
            .rev()
            .filter(|tid| !std::path::Path::new(&format!("/proc/{tid}")).exists());
        let tids = std::array::from_fn(|_| free.next().unwrap());
        match plan(&null(), &tids[..1]) {
            Err(error) if error.source.raw_os_error() == Some(libc::EPERM) => {
                eprintln!("not tested: no CAP_CHECKPOINT_RESTORE");
                None
            }
            _ => Some(tids),
        }
    }

    fn exit_status(built: &Built) -> Option<i32> {
        waitid(WaitId::PidFd(built.pidfd.as_fd()), WaitIdOptions::EXITED)
            .unwrap()
            .unwrap()
            .exit_status()
    }

    #[test]
    fn builds_a_process_with_the_wanted_ids_that_cannot_become_a_task_here() {
        let _turn = one_at_a_time();
        let Some(tids) = free_tids::<9>() else { return };
        let mut built = plan(&null(), &tids).unwrap();
        assert_eq!(built.pid.as_raw_nonzero().get() as u32, tids[0]);
        built.let_go();
        assert_eq!(exit_status(&built), Some(EXIT_NOT_RESTORED));
    }

    #[test]
    fn says_which_id_is_taken() {
        let _turn = one_at_a_time();
        let Some([free]) = free_tids() else { return };
        let error = plan(&null(), &[1]).unwrap_err();
        assert_eq!(
            (error.step, error.source.raw_os_error()),
            (Step::Process, Some(libc::EEXIST))
        );
        let error = plan(&null(), &[free, 1]).unwrap_err();
        assert_eq!(
            (error.step, error.index, error.source.raw_os_error()),
            (Step::Thread, 1, Some(libc::EEXIST))
        );
        // The half-built process is gone: its pid is free again.
        plan(&null(), &[free]).unwrap();
    }

    #[test]
    fn an_argument_begins_with_its_size() {
        assert_eq!(sized::<ioctl::Checkpoint>().size, 72);
        assert_eq!(sized::<ioctl::Thaw>().size, 8);
    }

    #[test]
    fn signals_are_read_instead_of_delivered() {
        let signals = Signals::take(&[libc::SIGUSR1]).unwrap();
        assert_eq!(signals.next_signal(), None);
        // SAFETY: raise sends a signal to the calling thread, which blocks it.
        unsafe { libc::raise(libc::SIGUSR1) };
        assert_eq!(
            signals.next_signal(),
            Some(Received {
                signal: libc::SIGUSR1,
                from_kernel: false
            })
        );
    }

    #[test]
    fn signals_that_nobody_read_are_not_delivered_later() {
        let signals = Signals::take(&[libc::SIGUSR1, libc::SIGUSR2]).unwrap();
        for signal in [libc::SIGUSR1, libc::SIGUSR2] {
            // SAFETY: raise sends a signal to the calling thread, which blocks it.
            unsafe { libc::raise(signal) };
        }
        // Their default action would end this process.
        drop(signals);
        let signals = Signals::take(&[libc::SIGUSR1, libc::SIGUSR2]).unwrap();
        assert_eq!(signals.next_signal(), None);
    }

    #[test]
    fn a_pidfd_is_one_of_a_process() {
        let child = Command::new("/bin/true").spawn().unwrap();
        let pidfd = pidfd_open(child.id()).unwrap();
        assert!(waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED)
            .unwrap()
            .is_some());
        assert!(matches!(pidfd_open(0x3fff_fff0), Err(Error::Attach(_))));
        let own = std::process::id();
        let thread = std::thread::spawn(|| pidfd_open(rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()));
        assert!(matches!(thread.join(), Ok(Err(Error::NotAProcess { pid, .. })) if pid == own));
    }
}
