// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Starts a job: a command as it would have been started without ckpt between, but for its end with its starter.

use super::build::{
    begin, clone3, close_all_but, init_main, is_held, leave, listen, wait_for_go, BuildError, Built, InitKind, Place,
    Step, Strings,
};
use super::user_ns::Ids;
use super::{empty_set, BlockedSignals, Inherited, LAST_SIGNAL};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use rustix::pipe::{pipe_with, PipeFlags};
use rustix::process::Pid;
use std::ffi::CString;
use std::io;
use std::ptr;
use std::time::{Duration, Instant};

/// What the new processes need, made before the first exists.
struct Plan<'a> {
    words: Vec<*const libc::c_char>,
    signals: &'a Inherited,
    report: RawFd,
    place: Place,
    parent: libc::pid_t,
}

/// Starts a command, found by PATH. It has the caller's process group and descriptors, its signals are `signals`, and it dies with
/// the calling thread: by its parent-death signal, or as a member of a pid namespace whose init does.
///
/// Returns when the command has been executed. After an error nobody is left.
pub(crate) fn start(command: &[CString], pidns: bool, signals: &Inherited) -> Result<Built, BuildError> {
    let failed = |source: io::Error| BuildError::new(Step::Process, source);
    let (report, report_end) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
    let strings = pidns.then(Strings::new).transpose().map_err(failed)?;
    let init = InitKind {
        session: false,
        tied: true,
    };
    let words = command.iter().map(|word| word.as_ptr()).chain([ptr::null()]);
    let plan = Plan {
        words: words.collect(),
        signals,
        report: report_end.as_raw_fd(),
        place: strings
            .as_ref()
            .map_or(Place::Here, |strings| strings.place(false, init)),
        parent: rustix::process::getpid().as_raw_nonzero().get(),
    };
    let namespace = if pidns { libc::CLONE_NEWPID } else { 0 };
    let result = spawn(namespace, || first_main(&plan))
        .map_err(failed)
        .and_then(|first| begin(first, &plan.place, strings, Ids::Callers));
    drop(report_end);
    // What a new process reports is better than what followed from it.
    listen(&report, &[])?;
    let mut job = result?;
    job.let_go();
    Ok(job)
}

/// Creates a child process that runs `main`.
fn spawn(flags: libc::c_int, main: impl FnOnce()) -> io::Result<Built> {
    let mut pidfd: RawFd = -1;
    // SAFETY: `clone_args` is a struct of integers, for which zero is a value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = (flags | libc::CLONE_PIDFD) as u64;
    args.pidfd = (&raw mut pidfd) as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    // No handler of this process may run in the new one.
    let blocked = BlockedSignals::all()?;
    // SAFETY: the flags (of this file) share no memory, `pidfd` is live. `main` (of this file) makes system calls only and does
    // not return.
    let pid = unsafe { clone3(&args) };
    if pid == 0 {
        main();
        leave();
    }
    drop(blocked);
    let pid = Pid::from_raw(pid.max(0)).ok_or_else(|| io::Error::from_raw_os_error(-pid))?;
    // SAFETY: with CLONE_PIDFD a successful clone3 stored a new descriptor in `pidfd`; nobody else knows it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Built::new(pid, pidfd))
}

/// The first new process is the job, or the init of its namespace.
fn first_main(plan: &Plan<'_>) -> ! {
    let Place::Second {
        go,
        go_end,
        birth,
        status,
        init,
    } = plan.place
    else {
        job_main(plan, plan.parent)
    };
    wait_for_go(go, go_end);
    // SAFETY: `clone_args` is a struct of integers, for which zero is a value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: no memory is shared. Both processes go on in functions that make system calls only and do not return.
    let root = unsafe { clone3(&args) };
    if root > 0 {
        init_main(init, root, go, status);
    }
    if root < 0 {
        give_up(plan, Step::Process, -root);
    }
    let byte = 0u8;
    // SAFETY: `byte` is one live byte. Nobody who reads it is as good as nobody who wants it.
    unsafe { libc::write(birth, (&raw const byte).cast(), 1) };
    if !is_held(go) {
        leave();
    }
    job_main(plan, 1)
}

/// Becomes the command.
fn job_main(plan: &Plan<'_>, parent: libc::pid_t) -> ! {
    // SAFETY: PR_SET_PDEATHSIG takes a number and touches no memory.
    let tied = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0, 0, 0) };
    // SAFETY: getppid has no arguments and cannot fail.
    if tied != 0 || unsafe { libc::getppid() } != parent {
        leave();
    }
    for signal in (1..=LAST_SIGNAL).filter(|signal| plan.signals.ignored & (1 << (signal - 1)) != 0) {
        // SAFETY: SIG_IGN installs no handler.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    // SAFETY: the mask is live; the old one is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const plan.signals.mask, ptr::null_mut()) };
    // SAFETY: the words are live strings, the last is NULL. The C library allocates nothing on the heap here.
    unsafe { libc::execvp(plan.words[0], plan.words.as_ptr()) };
    let errno = io::Error::last_os_error().raw_os_error().unwrap_or(libc::ENOEXEC);
    give_up(plan, Step::Execute, errno);
}

fn give_up(plan: &Plan<'_>, step: Step, errno: i32) -> ! {
    let words: [i32; 3] = [step as i32, 0, errno];
    // SAFETY: `words` is live and as long as said; a pipe takes so few bytes at once.
    unsafe { libc::write(plan.report, words.as_ptr().cast(), size_of_val(&words)) };
    leave();
}

/// A process in the caller's process group that does nothing but hear signals: what it has heard too was not meant for the
/// caller alone. It ends with the caller.
#[derive(Debug)]
pub(crate) struct Witness {
    process: Built,
    heard: OwnedFd,
    /// What it has heard and nobody has asked for.
    recent: Vec<(i32, Instant)>,
}

impl Witness {
    /// Calls it.
    pub fn new() -> io::Result<Self> {
        let (heard, tell) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let (raw, parent) = (tell.as_raw_fd(), rustix::process::getpid().as_raw_nonzero().get());
        let process = spawn(0, || witness_main(raw, parent))?;
        Ok(Self {
            process,
            heard,
            recent: Vec::new(),
        })
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Whether it, too, has heard a signal that the caller has just got. Waits a moment for it.
    pub fn has_heard(&mut self, signal: i32) -> bool {
        // A group's members get a signal one right after the other; a busy machine needs a moment to let the witness say so.
        const PATIENCE: Duration = Duration::from_millis(50);
        const MEMORY: Duration = Duration::from_millis(500);
        let end = Instant::now() + PATIENCE;
        loop {
            self.listen();
            self.recent.retain(|(_, when)| when.elapsed() < MEMORY);
            if let Some(at) = self.recent.iter().position(|(heard, _)| *heard == signal) {
                self.recent.swap_remove(at);
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            let Some(left) = Timespec::try_from(left).ok().filter(|_| !left.is_zero()) else {
                return false;
            };
            let _ = poll(&mut [PollFd::new(&self.heard, PollFlags::IN)], Some(&left));
        }
    }

    fn listen(&mut self) {
        let mut bytes = [0; 64];
        while let Ok(length @ 1..) = rustix::io::read(self.heard.as_fd(), &mut bytes) {
            let now = Instant::now();
            self.recent
                .extend(bytes[..length].iter().map(|signal| (i32::from(*signal), now)));
        }
    }
}

fn witness_main(tell: RawFd, parent: libc::pid_t) -> ! {
    // SAFETY: the name is a live string, and is copied.
    unsafe { libc::prctl(libc::PR_SET_NAME, c"ckpt-witness".as_ptr()) };
    // SAFETY: PR_SET_PDEATHSIG takes a number and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0, 0, 0) };
    // SAFETY: getppid has no arguments and cannot fail.
    if unsafe { libc::getppid() } != parent {
        leave();
    }
    // SAFETY: the path is a live string.
    unsafe { libc::chdir(c"/".as_ptr()) };
    close_all_but(tell, tell);
    let mut all = empty_set();
    // SAFETY: `all` is a live, initialised signal set.
    unsafe { libc::sigfillset(&raw mut all) };
    loop {
        // SAFETY: `siginfo_t` is plain data, for which zero is a value.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: both are live for the call.
        let signal = unsafe { libc::sigwaitinfo(&raw const all, &raw mut info) };
        if signal > 0 {
            let byte = signal as u8;
            // SAFETY: `byte` is one live byte.
            unsafe { libc::write(tell, (&raw const byte).cast(), 1) };
        }
    }
}
