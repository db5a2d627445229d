// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! `ckptctl freeze`: stop processes until this command ends.
//!
//! The freeze lives in the open session of this command. A small locked file says which command that is, so that
//! `ckptctl thaw` can end it.

use crate::cli::Freeze;
use crate::exit::{Exit, Failed};
use crate::jobs::runtime_directory;
use crate::output::{comm, Output};
use crate::text::count;
use libckpt::device::{pidfd_open, Signals};
use libckpt::Session;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::AsFd;
use rustix::fs::{flock, FlockOperation};
use rustix::io::Errno;
use serde_json::json;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

pub fn run(args: &Freeze, output: &Output) -> Result<Exit, Failed> {
    let pid = args.who.pid()?;
    let signals = Signals::take(&[
        libckpt::device::SIGINT,
        libckpt::device::SIGTERM,
        libckpt::device::SIGHUP,
    ])
    .map_err(|error| Failed::io("cannot take over signals", error))?;
    let pidfd = pidfd_open(pid)?;
    libckpt::enter_user_namespace_of(pid, pidfd.as_fd(), args.target.scope(&args.who));
    let session = Session::open()?;
    session.attach(pidfd.as_fd(), args.target.scope(&args.who))?;
    let timeout = u32::try_from(args.timeout.as_millis()).unwrap_or(u32::MAX).max(1);
    let tasks = session.freeze(timeout)?;
    // Without the file everything works but thaw.
    let holder = Holder::register(pid);
    if let Err(failed) = &holder {
        output.say(&format!("warning: ckptctl thaw will not find this: {failed}"));
    }
    if output.is_json() {
        output.result(true, json!({"pid": pid, "comm": comm(pid), "tasks": tasks}))?;
    }
    output.say(&format!("{} {}: frozen ({})", pid, comm(pid), count(tasks, "task")));

    let limit = args.hold.and_then(|hold| Timespec::try_from(hold).ok());
    let mut fds = [PollFd::new(&signals, PollFlags::IN), PollFd::new(&pidfd, PollFlags::IN)];
    while let Err(Errno::INTR) = poll(&mut fds, limit.as_ref()) {}
    let died = !fds[1].revents().is_empty();
    drop(holder);
    if died {
        output.say(&format!("{}: has died while it was frozen", pid));
        return Ok(Exit::Done);
    }
    session.thaw()?;
    output.say(&format!("{} {}: goes on", pid, comm(pid)));
    Ok(Exit::Done)
}

/// The file that says who holds the freeze of a process.
pub fn holder_file(pid: u32) -> PathBuf {
    runtime_directory()
        .unwrap_or_else(|| "/run".into())
        .join(format!("ckpt-freeze-{pid}"))
}

/// The locked file; removed when the freeze ends.
struct Holder {
    path: PathBuf,
    _lock: File,
}

impl Holder {
    fn register(pid: u32) -> Result<Self, Failed> {
        let path = holder_file(pid);
        let failed = |error| Failed::io(format!("cannot write {}", path.display()), error);
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .create(true)
            .write(true)
            .truncate(false)
            .mode(0o644)
            .open(&path)
            .map_err(failed)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|errno| failed(errno.into()))?;
        file.set_len(0).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { path, _lock: file })
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
