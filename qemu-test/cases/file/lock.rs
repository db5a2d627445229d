// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Locks when somebody else has taken them in the meantime.

use harness::ckptctl::{self, exit};
use harness::process::{children, exists, reap_zombies, wait_until, PATIENCE};
use harness::{ensure, Context, Program, Result};
use rustix::fs::{fcntl_lock, flock, FlockOperation};
use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;

/// A lock that somebody else has taken meanwhile: the restart is refused by these words and leaves nothing; without the other it works.
fn refused(
    context: &Context,
    program: &str,
    locked: &str,
    lock: impl FnOnce(&File) -> rustix::io::Result<()>,
    words: &[&str],
) -> Result {
    let file = context.path("lock.ckpt");
    let mut target = Program::own(context, program).start()?;
    target.wait_ready()?;
    target.checkpoint_kill(&file)?;
    let other = File::options().read(true).write(true).open(context.path(locked))?;
    lock(&other)?;
    restart_fails(&file, words)?;
    let gone = wait_until(PATIENCE, || {
        reap_zombies();
        (!exists(target.pid) && children(std::process::id() as i32).is_empty()).then_some(())
    });
    ensure!(gone.is_some(), "a failed restart has left a process");
    drop(other);
    target.restart(&file)?;
    target.finish()
}

fn restart_fails(file: &Path, words: &[&str]) -> Result {
    let args = [OsStr::new("restart"), file.as_os_str(), OsStr::new("--detach")];
    ckptctl::run(&args)?.expect(exit::FAILED)?.names(words)
}

/// A lock of flock(2).
pub fn taken_meanwhile(context: &Context) -> Result {
    let lock = |file: &File| flock(file, FlockOperation::NonBlockingLockExclusive);
    refused(context, "file_flock", "exclusive", lock, &["exclusive", "lock"])
}

/// A lock of fcntl(2): the whole file, so the first one of the program is in the way. Who has it is named.
pub fn range_taken_meanwhile(context: &Context) -> Result {
    let lock = |file: &File| fcntl_lock(file, FlockOperation::NonBlockingLockExclusive);
    let holder = std::process::id().to_string();
    let words = ["5", "14", "locks", "process", &holder];
    refused(context, "file_locks", "locks", lock, &words)
}
