// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A job: a command that this process starts, or brings back, and stands for.
//!
//! Whoever started this process sees the job through it. What the job is to see of this process is as little as possible.

use crate::checkpoint::{children, parent, Scope};
use crate::device::{self, pass_on, Built, Inherited, Received, Session, Step, Witness};
use crate::error::{Error, Result};
use crate::foreground::{follow_stop, Change, Ended, Terminal, Watched};
use crate::message::Message;
use crate::restart::{restart, RestartOptions};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::process::{getpgid, getpgrp, pidfd_send_signal, set_child_subreaper, wait, Pid, Signal, WaitOptions};
use rustix::thread::{capabilities, move_into_thread_name_spaces, CapabilitySet, ThreadNameSpaceType};
use std::ffi::{CString, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

/// A running job. It dies with the thread that has started it.
pub struct Job {
    process: Built,
    terminal: Option<Terminal>,
    witness: Option<Witness>,
}

/// What has become of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobChange {
    /// It is over.
    Ended(Ended),
    /// This signal has stopped it.
    Stopped(i32),
}

impl Job {
    /// Starts a command, found by PATH, with the caller's process group, descriptors, and signals as `signals` says, below a small
    /// init, which becomes the parent of orphans.
    ///
    /// With `pidns` it runs in a pid namespace of its own (which takes CAP_SYS_ADMIN).
    pub fn start(command: &[OsString], pidns: bool, signals: &Inherited) -> Result<Self> {
        let name = || {
            command
                .first()
                .map_or_else(String::new, |word| word.to_string_lossy().into_owned())
        };
        let execute = |source| Error::Execute {
            command: name(),
            source,
        };
        let words: std::result::Result<Vec<CString>, _> =
            command.iter().map(|word| CString::new(word.as_bytes())).collect();
        let words = words.map_err(|error| execute(error.into()))?;
        if words.is_empty() {
            return Err(execute(std::io::ErrorKind::NotFound.into()));
        }
        adopt_orphans()?;
        let process = device::start(&words, pidns, signals).map_err(|error| match error.step {
            Step::Execute => execute(error.source),
            _ => Error::Io {
                what: "cannot start the job".into(),
                source: error.source,
            },
        })?;
        Ok(Self::new(process, None))
    }

    /// Brings back a saved job, and stands for it. With it comes what the kernel has to say about it.
    pub fn restart(file: &impl AsFd, options: &RestartOptions) -> Result<(Self, Vec<Message>)> {
        adopt_orphans()?;
        let program = restart(file, options)?;
        Ok((Self::new(program.process, program.terminal), program.warnings))
    }

    fn new(process: Built, terminal: Option<Terminal>) -> Self {
        let shares_group = getpgid(Some(process.pid)) == Ok(getpgrp());
        // Without a witness, what is sent to the group arrives twice.
        let witness = if shares_group { Witness::new().ok() } else { None };
        Self {
            process,
            terminal,
            witness,
        }
    }

    /// Pid of its first process, as the caller sees it.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Pidfd of its first process.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.process.pidfd.as_fd()
    }

    /// Readable when there may be news; SIGCHLD may also mean some.
    pub fn news(&self) -> BorrowedFd<'_> {
        Watched::of(&self.process).news()
    }

    /// What has become of it since the last time.
    pub fn change(&self) -> Result<Option<JobChange>> {
        Ok(match Watched::of(&self.process).change()? {
            Change::Ended(ended) => Some(JobChange::Ended(ended)),
            Change::Stopped(signal) => Some(JobChange::Stopped(signal)),
            Change::None => None,
        })
    }

    /// Whether the job has not had a signal that this process has got: it was sent to this process alone, not to the group of
    /// both.
    pub fn lacks(&mut self, received: Received) -> bool {
        let shares_group = getpgid(Some(self.process.pid)) == Ok(getpgrp());
        match &mut self.witness {
            _ if !shares_group => true,
            // A key or a hang-up.
            _ if received.from_kernel => false,
            Some(witness) => !witness.has_heard(received.signal),
            None => true,
        }
    }

    /// Sends it a signal that this process has got.
    pub fn pass_on(&self, received: Received) {
        // If it has just ended, the signal is late.
        let _ = pass_on(self.pidfd(), received);
    }

    /// Kills all of it.
    pub fn kill(&self) -> Result<()> {
        let session = Session::open()?;
        session.attach(self.pidfd(), Scope::Job)?;
        session.kill()
    }

    /// Waits until all of a job that has been killed has ended, so that its process ids are free. Its init ends with its first process.
    pub fn take_leave(&self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        let witness = self.witness.as_ref().map(Witness::pid);
        let end = Instant::now() + PATIENCE;
        loop {
            while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
            let left = children(std::process::id());
            if left.iter().all(|pid| Some(*pid) == witness) || Instant::now() > end {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(self.pidfd(), signal);
    }

    /// It has been stopped by a signal. When that came by way of this process, whoever started this process is to see it.
    pub fn follow_stop(&self, signal: i32) {
        if self.terminal.is_some() {
            let own_group = getpgid(Some(self.process.pid)) == Ok(self.process.pid);
            follow_stop(self.process.pid, signal, own_group, self.terminal.as_ref());
        } else if matches!(signal, libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU) {
            let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::STOP);
        }
    }
}

fn adopt_orphans() -> Result<()> {
    // Any pid but none.
    set_child_subreaper(Some(Pid::INIT)).map_err(|errno| Error::io("cannot become the parent of orphans", errno))
}

/// Whether a process is the first one of a job: the first child of the init of that, and no orphan that this has adopted.
pub fn is_job(pid: u32) -> bool {
    let is_init = |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "ckpt-init\n");
    parent(pid).is_some_and(|parent| is_init(parent) && children(parent).first() == Some(&pid))
}

/// Puts the caller into a user namespace of its own, if it needs one to make pid namespaces and choose pids in them. The caller
/// must have one thread only.
pub fn enter_namespace_for_pids() -> Result<()> {
    if capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN)) {
        return Ok(());
    }
    device::enter_new_user_namespace().map_err(|error| Error::io("cannot make a user namespace", error))
}

/// Puts the caller into the user namespace of a process, if that is another one and the caller may: a part of what lives in a user
/// namespace is saved from inside of it. A container is saved with its user namespace, from outside. The caller must have one
/// thread only.
pub fn enter_user_namespace_of(pid: u32, pidfd: BorrowedFd<'_>, scope: Scope) {
    if scope == Scope::Container {
        return;
    }
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/user")).ok();
    // Root's own namespace is the one to look from: what else a process lives in is saved with it, or the module says why not.
    if !rustix::process::geteuid().is_root() && namespace("self") != namespace(&pid.to_string()) {
        // If it may not, the module says why the process cannot be saved.
        let _ = move_into_thread_name_spaces(pidfd, ThreadNameSpaceType::USER);
    }
}
