// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Rings of io_uring for which the kernel works while their program is being saved.

use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::{ensure, Context, Program, Result, Target};
use std::time::{Duration, Instant};

fn start(context: &Context, which: &str) -> Result<Target> {
    let mut target = Program::own(context, "file_io_uring").args(&[which]).start()?;
    target.wait_ready()?;
    Ok(target)
}

fn save_and_restart(context: &Context, which: &str) -> Result {
    let file = context.path(&format!("{which}.ckpt"));
    let dir = context.path(which);
    std::fs::create_dir(&dir)?;
    let mut target = start(&Context::new(which, &dir), which)?;
    target.checkpoint_kill(&file)?;
    target.restart(&file)?;
    target.finish()
}

/// A time that is over while the program stands still, which has to take notice of that itself.
pub fn is_waited_for(context: &Context) -> Result {
    for which in ["timeout", "deferred_timeout"] {
        save_and_restart(context, which).during(which)?;
    }
    Ok(())
}

/// The kernel's threads are still there, and none of the program's.
pub fn with_workers(context: &Context) -> Result {
    save_and_restart(context, "workers")
}

/// A wait that has submitted something says that at once after a restart, and goes on where the program does.
pub fn that_submits(context: &Context) -> Result {
    let mut target = start(context, "submitting")?;
    let file = context.path("submitting.ckpt");
    let command = ckptctl::command(&["checkpoint", &target.pid.to_string(), "-o"])
        .arg(&file)
        .status()?;
    ensure!(command.success(), "it was not saved");
    target.is_unharmed()?;
    target.kill()?;
    target.restart(&file)?;
    target.finish()
}

/// Files, buffers, an eventfd, limits and completions without room, of one ring.
pub fn with_all(context: &Context) -> Result {
    save_and_restart(context, "all")
}

/// What does not come to its end is named, and goes on; a check says that it would be waited for.
pub fn is_refused(context: &Context) -> Result {
    let mut target = start(context, "poll")?;
    let (pid, file) = (target.pid.to_string(), context.path("refused.ckpt"));
    let names = ["POLL_ADD", "in flight"];
    ckptctl::run(&["check", &pid])?.expect(exit::DONE)?.names(&names)?;
    let mut short = ckptctl::command(&["checkpoint", &pid, "--timeout", "1", "-o"]);
    let refused = ckptctl::finish(short.arg(&file))?.expect(exit::REFUSED)?;
    refused.names(&names)?;
    ensure!(!file.exists(), "there is a statefile");
    target.is_unharmed()?;
    target.finish()
}

/// A wait for a ring that its descriptor does not name any more could not go on after a restart.
pub fn without_descriptor(context: &Context) -> Result {
    for which in ["closed", "covered"] {
        let dir = context.path(which);
        std::fs::create_dir(&dir)?;
        let mut target = start(&Context::new(which, &dir), which)?;
        let (pid, file) = (target.pid.to_string(), context.path("refused.ckpt"));
        let refused =
            ckptctl::finish(ckptctl::command(&["checkpoint", &pid, "-o"]).arg(&file))?.expect(exit::REFUSED)?;
        refused
            .names(&[pid.as_str(), "a ring that its descriptor does not name"])
            .during(which)?;
        ensure!(!file.exists(), "there is a statefile");
        target.is_unharmed()?;
        target.finish().during(which)?;
    }
    Ok(())
}

/// What cannot complete while the program stands still is refused long before the time is over.
pub fn that_waits_for_others(context: &Context) -> Result {
    let mut target = start(context, "only_polls")?;
    let (pid, file) = (target.pid.to_string(), context.path("refused.ckpt"));
    let begin = Instant::now();
    let mut long = ckptctl::command(&["checkpoint", &pid, "--timeout", "60", "-o"]);
    let refused = ckptctl::finish(long.arg(&file))?.expect(exit::REFUSED)?;
    ensure!(begin.elapsed() < Duration::from_secs(30), "it was waited for");
    refused.names(&["POLL_ADD", "in flight"])?;
    target.is_unharmed()?;
    target.finish()
}
