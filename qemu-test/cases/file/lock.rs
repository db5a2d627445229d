// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Locks when somebody else has taken them in the meantime.

use harness::ckptctl::{self, exit};
use harness::process::exists;
use harness::{ensure, Context, Program, Result};
use rustix::fs::{flock, FlockOperation};
use std::ffi::OsStr;
use std::fs::File;

/// The restart is refused, names the file and leaves nothing; without the other it works.
pub fn taken_meanwhile(context: &Context) -> Result {
    let file = context.path("lock.ckpt");
    let mut target = Program::own(context, "file_flock").start()?;
    target.wait_ready()?;
    target.checkpoint_kill(&file)?;
    let other = File::open(context.path("exclusive"))?;
    flock(&other, FlockOperation::NonBlockingLockExclusive)?;
    let args = [OsStr::new("restart"), file.as_os_str(), OsStr::new("--detach")];
    let done = ckptctl::run(&args)?.expect(exit::FAILED)?;
    done.names(&["exclusive", "lock"])?;
    ensure!(!exists(target.pid), "a failed restart has left a process");
    drop(other);
    target.restart(&file)?;
    target.finish()
}
