// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Rings of io_uring for which the kernel works while their program is being saved.

use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::{ensure, Context, Program, Result, Target};

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
