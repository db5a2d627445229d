// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Freezing when somebody dies, when the parent looks, and when threads come and go.

use harness::ckptctl;
use harness::process::{signal, wait_end, wait_until, Ended, PATIENCE};
use harness::{ensure, fail, Context, Program, Result, Target};
use libckpt::device::pidfd_open;
use libckpt::{Scope, Session};
use rustix::fd::AsFd;
use rustix::process::{waitpid, Pid, Signal, WaitOptions};
use std::io::Read;
use std::process::{Child, Stdio};

fn frozen(target: &Target) -> Result<Child> {
    let mut child = ckptctl::command(&["freeze", "--json", &target.pid.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut byte = [0];
    match child.stdout.as_mut().map(|out| out.read(&mut byte)) {
        Some(Ok(1)) => Ok(child),
        _ => fail!("ckptctl freeze ended with {}", child.wait()?),
    }
}

/// Closing the device thaws, also when the kernel closes it.
pub fn killed_freezer(context: &Context) -> Result {
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    for _ in 0..10 {
        let mut freezer = frozen(&target)?;
        freezer.kill()?;
        freezer.wait()?;
        target.wait_more_lines(1)?;
    }
    target.finish()
}

/// SIGKILL ends a frozen process at once, and the freezer notices.
pub fn killed_target(context: &Context) -> Result {
    for program in ["tick", "pthreads"] {
        let mut target = Program::own(context, program).start()?;
        target.wait_ready()?;
        let mut freezer = frozen(&target)?;
        signal(target.pid, Signal::KILL)?;
        let ended = wait_end(target.pid, PATIENCE)?;
        target.ended();
        ensure!(ended == Ended::Signaled(libc::SIGKILL), "it ended with {ended:?}");
        let status = wait_until(PATIENCE, || freezer.try_wait().ok().flatten());
        ensure!(status.is_some(), "ckptctl freeze does not notice the end of the target");
    }
    Ok(())
}

/// No stop, no continuation: waitpid has nothing to say during freezes and checkpoints.
pub fn parent_notices_nothing(context: &Context) -> Result {
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    let options = WaitOptions::NOHANG | WaitOptions::UNTRACED | WaitOptions::CONTINUED;
    for turn in 0..5 {
        let mut freezer = frozen(&target)?;
        let seen = waitpid(Pid::from_raw(target.pid), options)?;
        ensure!(seen.is_none(), "the parent sees {seen:?} while its child is frozen");
        signal(freezer.id() as i32, Signal::TERM)?;
        freezer.wait()?;
        target.checkpoint(&context.path(&format!("{turn}.ckpt")))?;
        let seen = waitpid(Pid::from_raw(target.pid), options)?;
        ensure!(seen.is_none(), "the parent sees {seen:?} afterwards");
    }
    target.finish()
}

/// A hundred quick freezes while threads are made and end.
pub fn storm(context: &Context) -> Result {
    let mut target = Program::own(context, "storm").start()?;
    target.wait_ready()?;
    let pidfd = pidfd_open(target.pid as u32)?;
    for turn in 0..100 {
        let session = Session::open()?;
        session.attach(pidfd.as_fd(), Scope::Tree)?;
        let tasks = session.freeze(10_000)?;
        ensure!(tasks >= 1, "freeze {turn}: {tasks} tasks");
        if turn % 3 != 0 {
            session.thaw()?;
        }
        // Else: dropping the session thaws.
    }
    target.finish()
}
