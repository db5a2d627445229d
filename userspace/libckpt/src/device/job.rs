// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Starts a job: a command as it would have been started without ckpt between, but for its end with its starter.

use super::build::{
    begin, close_all_but, fork, is_held, leave, listen, report, spawn, wait_for_go, BuildError, Built, Place, Step,
    Strings, FORK,
};
use super::init::{adopt_orphans, init_main, InitKind};
use super::{change_mask, full_set, ignore, last_errno, wait_for_signal, Inherited, LAST_SIGNAL};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::pipe::{pipe_with, PipeFlags};
use rustix::process::{chdir, getpid, getppid, set_parent_process_death_signal, Pid, Signal};
use rustix::thread::set_name;
use std::ffi::CString;
use std::io;
use std::ptr;
use std::time::{Duration, Instant};

/// What the new processes need, made before the first exists.
struct Plan<'a> {
    words: Vec<*const libc::c_char>,
    signals: &'a Inherited,
    report: BorrowedFd<'a>,
    place: Place<'a>,
}

/// Starts a command, found by PATH, below a small init, which adopts its orphans. It has the caller's process group and descriptors,
/// its signals are `signals`, and it dies with the init, and that with the calling thread.
///
/// Returns when the command has been executed. After an error nobody is left.
pub(crate) fn start(command: &[CString], pidns: bool, signals: &Inherited) -> Result<Built, BuildError> {
    let failed = |source: io::Error| BuildError::new(Step::Process, source);
    let (report, report_end) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
    let strings = Strings::new().map_err(failed)?;
    let init = InitKind {
        session: false,
        tied: true,
    };
    let words = command.iter().map(|word| word.as_ptr()).chain([ptr::null()]);
    let plan = Plan {
        words: words.collect(),
        signals,
        report: report_end.as_fd(),
        place: strings.place(false, init),
    };
    let mut args = FORK;
    if pidns {
        args.flags = libc::CLONE_NEWPID as u64;
    }
    let result = spawn(args, || first_main(&plan))
        .map_err(failed)
        .and_then(|first| begin(first, true, Some(strings)));
    drop(report_end);
    // What a new process reports is better than what followed from it.
    listen(&report, &[])?;
    let mut job = result?;
    job.let_go();
    Ok(job)
}

/// The first new process is the init.
fn first_main(plan: &Plan<'_>) -> ! {
    let Place::Second {
        go,
        go_end,
        birth,
        status,
        init,
    } = plan.place
    else {
        leave()
    };
    wait_for_go(go, go_end);
    adopt_orphans();
    let own = getpid();
    match fork(&FORK, || job_main(plan, own, go, birth)) {
        Ok(root) => init_main(init, root, go, status, std::iter::empty()),
        Err(errno) => give_up(plan, Step::Process, errno),
    }
}

/// Becomes the command.
fn job_main(plan: &Plan<'_>, parent: Pid, go: BorrowedFd<'_>, birth: BorrowedFd<'_>) -> ! {
    // Nobody who reads it is as good as nobody who wants it.
    let _ = rustix::io::write(birth, &[0]);
    if !is_held(go) || !dies_with(parent) {
        leave();
    }
    for signal in (1..=LAST_SIGNAL).filter(|signal| plan.signals.ignored & (1 << (signal - 1)) != 0) {
        ignore(signal, true);
    }
    // It can only fail for want of sense in the arguments.
    let _ = change_mask(libc::SIG_SETMASK, &plan.signals.mask);
    // SAFETY: the words are live strings, the last is NULL. The C library allocates nothing on the heap here.
    unsafe { libc::execvp(plan.words[0], plan.words.as_ptr()) };
    give_up(plan, Step::Execute, last_errno());
}

/// Makes the end of the parent that of the caller; false when it has come already.
fn dies_with(parent: Pid) -> bool {
    set_parent_process_death_signal(Some(Signal::KILL)).is_ok() && getppid() == Some(parent)
}

fn give_up(plan: &Plan<'_>, step: Step, errno: Errno) -> ! {
    report(plan.report, step as i32, 0, errno.raw_os_error());
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
        let parent = getpid();
        let process = spawn(FORK, || witness_main(tell.as_fd(), parent))?;
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

fn witness_main(tell: BorrowedFd<'_>, parent: Pid) -> ! {
    let _ = set_name(c"ckpt-witness");
    if !dies_with(parent) {
        leave();
    }
    let _ = chdir(c"/");
    close_all_but(tell, tell);
    let all = full_set();
    loop {
        let (signal, _) = wait_for_signal(&all);
        if signal > 0 {
            let _ = rustix::io::write(tell, &[signal as u8]);
        }
    }
}
