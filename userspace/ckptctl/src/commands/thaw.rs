// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! `ckptctl thaw`: end the `ckptctl freeze` that holds a process.

use super::freeze::holder_file;
use crate::cli::Thaw;
use crate::exit::{Exit, Failed};
use crate::output::{comm, Output};
use libckpt::device::pidfd_open;
use rustix::event::{poll, PollFd, PollFlags};
use rustix::fs::{flock, FlockOperation};
use rustix::io::Errno;
use rustix::process::{pidfd_send_signal, Signal};
use serde_json::json;
use std::fs::File;
use std::io::Read;

pub fn run(args: &Thaw, output: &Output) -> Result<Exit, Failed> {
    let pid = args.who.pid()?;
    let holder = holder(pid).ok_or_else(|| Failed::Refused(format!("no ckptctl freeze holds {}", pid)))?;
    let pidfd = pidfd_open(holder)?;
    pidfd_send_signal(&pidfd, Signal::TERM)
        .map_err(|errno| Failed::io(format!("cannot end ckptctl {holder}"), errno))?;
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    while let Err(Errno::INTR) = poll(&mut fds, None) {}
    if output.is_json() {
        output.result(true, json!({"pid": pid, "comm": comm(pid), "holder": holder}))?;
    }
    output.say(&format!("{} {}: goes on (ckptctl {holder} held it)", pid, comm(pid)));
    Ok(Exit::Done)
}

/// Pid of the command that holds the freeze. It holds the lock of the file as well: else the file was left behind.
fn holder(pid: u32) -> Option<u32> {
    let path = holder_file(pid);
    let mut file = File::open(path).ok()?;
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Err(Errno::WOULDBLOCK) => {}
        _ => return None,
    }
    let mut text = String::new();
    file.by_ref().take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
