// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Restarts that cannot have the terminal, one by an ordinary user, and with terminals of its own mounts.

use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::process::{descendants, reap_orphans};
use harness::user::{through, CHOOSES_PIDS, NOBODY};
use harness::{ensure, Context, Program, Result, Target, CKPTCTL};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A restart fails with a message, and leaves none of the processes that were saved.
fn refused(saved: &[i32], file: &Path, code: i32, names: &[&str]) -> Result {
    let done = ckptctl::run(&[OsStr::new("restart"), file.as_os_str()])?.expect(code)?;
    done.names(names)?;
    reap_orphans(saved).during("a failed restart")
}

/// The process and its descendants.
fn family(target: &Target) -> Vec<i32> {
    [descendants(target.pid), vec![target.pid]].concat()
}

/// In the foreground the root process is in ckptctl's session, and cannot have a terminal of its own.
pub fn in_the_foreground(context: &Context) -> Result {
    let file = context.path("own.ckpt");
    let mut target = Program::own(context, "pty_session").args(&["own"]).start()?;
    target.wait_ready()?;
    let saved = family(&target);
    target.checkpoint_kill(&file)?;
    refused(&saved, &file, exit::REFUSED, &["controlling terminal", "--detach"])?;
    target.restart(&file)?;
    target.finish()
}

/// Programs remember the names of their terminals: another number would not do.
pub fn number_in_use(context: &Context) -> Result {
    let file = context.path("number.ckpt");
    let mut target = Program::own(context, "pty_session").start()?;
    target.wait_ready()?;
    let saved = family(&target);
    target.checkpoint_kill(&file)?;
    let dir = context.path("other");
    fs::create_dir(&dir)?;
    let other = harness::Context::new("other", &dir);
    let mut other = Program::own(&other, "pty_session").start()?;
    other.wait_ready()?;
    refused(&saved, &file, exit::FAILED, &["/dev/pts/", "in use"])?;
    other.is_unharmed()?;
    other.finish()?;
    target.restart(&file)?;
    target.finish()
}

/// Saved and restarted by the one whose it is.
pub fn by_nobody(context: &Context) -> Result {
    let device = libckpt::uapi::ioctl::DEVICE;
    fs::set_permissions(device, fs::Permissions::from_mode(0o666))?;
    fs::set_permissions(context.dir(), fs::Permissions::from_mode(0o777))?;
    let file = context.path("own.ckpt");
    let name = file.display().to_string();
    let mut target = Program::own(context, "pty_session").through(NOBODY).start()?;
    target.wait_ready()?;
    let (pid, saved) = (target.pid.to_string(), family(&target));
    let mut save = through(&[NOBODY], &[CKPTCTL, "checkpoint", &pid, "-o", &name, "--kill"]);
    ckptctl::finish(&mut save)?.expect(exit::DONE)?;
    target.was_killed()?;
    reap_orphans(&saved)?;
    for name in [&file, target.output_file(), &context.path("err")] {
        fs::set_permissions(name, fs::Permissions::from_mode(0o666))?;
    }
    let mut restart = through(&[NOBODY, CHOOSES_PIDS], &[CKPTCTL, "restart", &name, "--detach"]);
    let back = ckptctl::detached(&mut restart).during("restart")?;
    ensure!(back == target.pid, "restarted as {back}, not as {}", target.pid);
    target.revived();
    target.finish()
}

/// Not by a table: seen from outside, its mounts have other numbers.
pub fn private_devpts(context: &Context) -> Result {
    let file = context.path("private.ckpt");
    let mut target = Program::own(context, "pty_kept").args(&["private"]).start()?;
    target.wait_ready()?;
    target.checkpoint(&file)?;
    for _ in 0..2 {
        target.checkpoint_kill(&file)?;
        target.restart(&file)?;
    }
    target.finish()
}
