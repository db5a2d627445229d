// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Files that a statefile refers to and that are no longer what they were.

use harness::ckptctl::{self, exit};
use harness::process::exists;
use harness::user::{through, CHOOSES_PIDS, NOBODY};
use harness::{ensure, Context, Program, Result, Target, CKPTCTL};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

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

/// A program that is deleted, or replaced by another, while it runs comes back as it was.
pub fn deleted(context: &Context) -> Result {
    let file = context.path("tick.ckpt");
    let (copy, mut target) = own_copy(context)?;
    fs::remove_file(&copy)?;
    comes_back(&mut target, &file)?;
    fs::write(&copy, "another program")?;
    target.checkpoint_kill(&file)?;
    target.restart(&file)?;
    target.wait_more_lines(2)?;
    ensure!(fs::read(&copy)? == b"another program", "the new program was changed");
    target.finish()
}

/// Saves, kills and restarts; what it runs is a file without a name then, with the content of the program.
fn comes_back(target: &mut Target, file: &Path) -> Result {
    target.checkpoint_kill(file)?;
    target.restart(file)?;
    target.wait_more_lines(2)?;
    let exe = format!("/proc/{}/exe", target.pid);
    let name = fs::read_link(&exe)?.display().to_string();
    ensure!(name.ends_with(" (deleted)"), "it runs {name}");
    ensure!(
        fs::read(&exe)? == fs::read("/ckpt/programs/tick")?,
        "its program has another content"
    );
    Ok(())
}

/// A user's job outlives the upgrade of a program in a directory where that user may not make files.
pub fn upgraded(context: &Context) -> Result {
    let (copy, file) = (context.path("copy-of-tick"), context.path("tick.ckpt"));
    fs::copy("/ckpt/programs/tick", &copy)?;
    fs::set_permissions(context.dir(), fs::Permissions::from_mode(0o755))?;
    let mut target = Program::command(context, &[&copy]).through(NOBODY).start()?;
    target.wait_ready()?;
    fs::remove_file(&copy)?;
    target.checkpoint_kill(&file)?;
    for name in ["out", "err"] {
        fs::set_permissions(context.path(name), fs::Permissions::from_mode(0o666))?;
    }
    let mut restart = through(&[NOBODY, CHOOSES_PIDS], &[CKPTCTL]);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
    let device = libckpt::uapi::ioctl::DEVICE;
    fs::set_permissions(device, fs::Permissions::from_mode(0o666))?;
    let args = [OsStr::new("restart"), file.as_os_str(), OsStr::new("--detach")];
    ckptctl::finish(restart.args(args))?.expect(exit::DONE)?;
    target.revived();
    target.wait_more_lines(2)?;
    let name = fs::read_link(format!("/proc/{}/exe", target.pid))?
        .display()
        .to_string();
    ensure!(name == "/memfd:copy-of-tick (deleted)", "it runs {name}");
    target.finish()
}
