// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The restarter in the foreground, and stopped programs.

use harness::case::During;
use harness::ckptctl::{self, After};
use harness::process::{self, wait_until, PATIENCE};
use harness::{ensure, fail, Context, Program, Result};
use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

/// `ckptctl restart` exits with the program's status.
pub fn exit_status(context: &Context) -> Result {
    let file = context.path("tick.ckpt");
    let mut target = Program::own(context, "tick").args(&["43"]).start()?;
    target.wait_ready()?;
    target.checkpoint_kill(&file)?;
    let mut restart = ckptctl::restart_foreground(&file, &[])?;
    target.wait_more_lines_of_other_process(2)?;
    target.go()?;
    let status = wait_until(PATIENCE, || restart.try_wait().ok().flatten());
    ensure!(
        status.and_then(|s| s.code()) == Some(43),
        "ckptctl restart ended with {status:?}"
    );
    Ok(())
}

/// SIGTERM to `ckptctl restart` goes on to the program; ckptctl then ends in the same way.
pub fn forwards_signals(context: &Context) -> Result {
    let file = context.path("tick.ckpt");
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    target.checkpoint_kill(&file)?;
    let mut restart = ckptctl::restart_foreground(&file, &[])?;
    target.wait_more_lines_of_other_process(2)?;
    process::signal(restart.id() as i32, Signal::TERM)?;
    let status = wait_until(PATIENCE, || restart.try_wait().ok().flatten());
    let signal = status.and_then(|status| status.signal());
    ensure!(signal == Some(libc::SIGTERM), "ckptctl restart ended with {status:?}");
    ensure!(!process::exists(target.pid), "the program is still there");
    Ok(())
}

/// `checkpoint --stop` leaves the target stopped; SIGCONT lets it go on; its statefile restarts.
pub fn stopped(context: &Context) -> Result {
    let file = context.path("stopped.ckpt");
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    ckptctl::checkpoint(target.pid, &file, After::Stop)?;
    let state = || (process::state(target.pid) == Some('T')).then_some(());
    if wait_until(PATIENCE, state).is_none() {
        fail!("the target is not stopped: {}", process::describe(target.pid));
    }
    process::signal(target.pid, Signal::CONT)?;
    target.wait_more_lines(2).during("after SIGCONT")?;
    target.kill()?;
    target.restart(&file)?;
    target.wait_more_lines(2).during("after the restart")?;
    target.finish()
}

/// A program that was stopped when it was saved is stopped when it comes back.
pub fn saved_while_stopped(context: &Context) -> Result {
    let file = context.path("stopped.ckpt");
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    process::signal(target.pid, Signal::STOP)?;
    let stopped = |pid: i32| wait_until(PATIENCE, || (process::state(pid) == Some('T')).then_some(()));
    ensure!(stopped(target.pid).is_some(), "SIGSTOP did not stop it");
    target.checkpoint(&file)?;
    ensure!(process::state(target.pid) == Some('T'), "a checkpoint has let it go on");
    target.kill()?;
    target.restart(&file)?;
    ensure!(
        stopped(target.pid).is_some(),
        "it is not stopped: {}",
        process::describe(target.pid)
    );
    process::signal(target.pid, Signal::CONT)?;
    target.wait_more_lines(2).during("after SIGCONT")?;
    target.finish()
}

/// Of a program that comes back stopped, no thread runs on before it stops.
pub fn no_thread_runs_while_stopped(context: &Context) -> Result {
    let file = context.path("stopped.ckpt");
    let counted = context.path("counted");
    let mut target = Program::own(context, "tree_stopped_threads")
        .args(&[&counted])
        .start()?;
    target.wait_ready()?;
    let stopped = |pid: i32| wait_until(PATIENCE, || (process::state(pid) == Some('T')).then_some(()));
    for turn in 0..3 {
        process::signal(target.pid, Signal::STOP)?;
        ensure!(stopped(target.pid).is_some(), "SIGSTOP did not stop it");
        target.checkpoint(&file)?;
        target.kill()?;
        let before = std::fs::read(&counted)?;
        target.restart(&file)?;
        ensure!(
            stopped(target.pid).is_some(),
            "it is not stopped: {}",
            process::describe(target.pid)
        );
        ensure!(std::fs::read(&counted)? == before, "threads have run in turn {turn}");
        process::signal(target.pid, Signal::CONT)?;
        std::fs::remove_file(&file)?;
    }
    target.finish()
}

/// A terminal has no past: what has been read of it is gone, and what has not been sent does not come.
pub fn from_a_terminal(context: &Context) -> Result {
    let (file, terminal) = (context.path("sent.ckpt"), context.path("terminal"));
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    target.checkpoint_kill(&file)?;
    let mut sender = Command::new("socat")
        .args(["-u", &format!("OPEN:{},ignoreeof", file.display())])
        .arg(format!("PTY,link={},raw,echo=0,wait-slave", terminal.display()))
        .spawn()?;
    let there = wait_until(PATIENCE, || terminal.exists().then_some(()));
    let back = there.map_or(Ok(()), |()| target.restart(&terminal));
    sender.kill()?;
    sender.wait()?;
    ensure!(there.is_some(), "socat makes no terminal");
    back?;
    target.wait_more_lines(2).during("after the restart")?;
    target.finish()
}
