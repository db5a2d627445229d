// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Files that a statefile refers to and that are no longer what they were.

use harness::ckptctl::{self, exit};
use harness::process::exists;
use harness::{ensure, Context, Program, Result, Target};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

/// A copy of a small program that may be changed.
fn own_copy(context: &Context) -> Result<(PathBuf, Target)> {
    let copy = context.path("copy-of-tick");
    fs::copy("/ckpt/programs/tick", &copy)?;
    let mut target = Program::command(context, &[&copy]).start()?;
    target.wait_ready()?;
    Ok((copy, target))
}

/// A mapped file whose content changed is refused by name; --changed-files accepts it.
pub fn changed_file(context: &Context) -> Result {
    let file = context.path("tick.ckpt");
    let (copy, mut target) = own_copy(context)?;
    target.checkpoint_kill(&file)?;
    // The same size, another modification time: what cannot be seen from the size.
    let bytes = fs::read(&copy)?;
    let mut out = File::options().write(true).open(&copy)?;
    out.write_all(&bytes)?;
    drop(out);
    let done = ckptctl::run(&[OsStr::new("restart"), file.as_os_str(), OsStr::new("--detach")])?;
    ensure!(done.code != exit::DONE, "a changed program was accepted");
    done.names(&["copy-of-tick"])?;
    ensure!(!exists(target.pid), "a failed restart has left a process");
    let args = [
        OsStr::new("restart"),
        file.as_os_str(),
        OsStr::new("--detach"),
        OsStr::new("--changed-files"),
    ];
    let done = ckptctl::run(&args)?.expect(exit::DONE)?;
    ensure!(done.out.trim() == target.pid.to_string(), "restarted as {}", done.out);
    target.revived();
    target.wait_more_lines(2)?;
    target.finish()
}

/// A program that is gone at restart is named, and no process stays.
pub fn missing(context: &Context) -> Result {
    let file = context.path("tick.ckpt");
    let (copy, mut target) = own_copy(context)?;
    target.checkpoint_kill(&file)?;
    fs::remove_file(&copy)?;
    let done =
        ckptctl::run(&[OsStr::new("restart"), file.as_os_str(), OsStr::new("--detach")])?.expect(exit::FAILED)?;
    done.names(&["copy-of-tick"])?;
    ensure!(!exists(target.pid), "a failed restart has left a process");
    Ok(())
}

/// A program that is deleted while it runs is refused at checkpoint, and goes on.
pub fn deleted(context: &Context) -> Result {
    let file = context.path("tick.ckpt");
    let (copy, mut target) = own_copy(context)?;
    fs::remove_file(&copy)?;
    crate::refuse::refused(&mut target, &file, &["deleted|unlinked"])?;
    target.wait_more_lines(2)?;
    target.finish()
}
