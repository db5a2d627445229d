// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The target does something at the very moment when it is saved.

use harness::ckptctl::{self, exit};
use harness::process::{end_children, wait_end, PATIENCE};
use harness::{ensure, Context, Program, Result};
use std::fs;
use std::process::{Command, Stdio};

/// Two checkpoints of one target: each has a whole statefile, or says that the other was there; one has it.
pub fn two_at_once(context: &Context) -> Result {
    let mut target = Program::own(context, "tick").args(&["0", "8"]).start()?;
    target.wait_ready()?;
    let pid = target.pid.to_string();
    for _ in 0..5 {
        let names = [context.path("one.ckpt"), context.path("two.ckpt")];
        let spawn = |file| {
            let mut command = ckptctl::command(&["checkpoint", &pid, "-o"]);
            command.arg(file).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
        };
        let children = [spawn(&names[0])?, spawn(&names[1])?];
        let mut good = 0;
        for (child, name) in children.into_iter().zip(&names) {
            let output = child.wait_with_output()?;
            match output.status.code() {
                Some(exit::DONE) => {
                    ckptctl::run(&["inspect", &name.display().to_string()])?.expect(exit::DONE)?;
                    fs::remove_file(name)?;
                    good += 1;
                }
                Some(exit::REFUSED | exit::FAILED) => ensure!(!name.exists(), "a failed checkpoint has left a file"),
                code => harness::fail!("exit status {code:?}: {}", String::from_utf8_lossy(&output.stderr)),
            }
        }
        ensure!(good > 0, "neither has saved it");
        target.is_unharmed()?;
        target.wait_more_lines(1)?;
    }
    target.finish()
}

/// The result of a checkpoint of something that changes: any of these, but nothing between.
fn plausible(done: &ckptctl::Done, file: &std::path::Path) -> Result {
    match done.code {
        exit::DONE => {
            ckptctl::run(&["inspect", &file.display().to_string()])?.expect(exit::DONE)?;
            fs::remove_file(file)?;
        }
        exit::REFUSED | exit::FAILED => ensure!(!file.exists(), "a failed checkpoint has left a file"),
        code => harness::fail!("exit status {code}: {}", done.err),
    }
    Ok(())
}

pub fn target_ends(context: &Context) -> Result {
    let file = context.path("ending.ckpt");
    for turn in 0..20 {
        let seconds = format!("0.{:02}", turn * 3);
        // Reaped at the end of the case: the pid stays that of this one.
        #[allow(clippy::zombie_processes)]
        let child = Command::new("sleep").arg(&seconds).spawn()?;
        let pid = child.id().to_string();
        let done = ckptctl::run(&["checkpoint", &pid, "-o", &file.display().to_string()])?;
        plausible(&done, &file)?;
        wait_end(child.id() as i32, PATIENCE)?;
    }
    ensure!(end_children().is_empty(), "something is left");
    Ok(())
}

pub fn target_executes(context: &Context) -> Result {
    let file = context.path("executing.ckpt");
    let mut target = Program::own(context, "exec_loop").start()?;
    target.wait_ready()?;
    for _ in 0..20 {
        let done = ckptctl::run(&["checkpoint", &target.pid.to_string(), "-o", &file.display().to_string()])?;
        plausible(&done, &file)?;
        target.is_unharmed()?;
    }
    target.checkpoint_kill(&file)?;
    target.restart(&file)?;
    target.finish()
}

pub fn threads_come_and_go(context: &Context) -> Result {
    let file = context.path("storm.ckpt");
    let mut target = Program::own(context, "storm").start()?;
    target.wait_ready()?;
    for _ in 0..15 {
        target.checkpoint(&file)?;
    }
    for _ in 0..5 {
        target.checkpoint_kill(&file)?;
        target.restart(&file)?;
    }
    target.finish()
}
