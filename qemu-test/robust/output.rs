// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The statefile cannot be written: the target goes on, and nothing lies under the wanted name.

use harness::ckptctl::{self, exit};
use harness::process::wait_until;
use harness::{ensure, skip, Context, Program, Result, CKPTCTL};
use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A small file system, for as long as this lives.
struct Small(PathBuf);

impl Small {
    fn mount(dir: PathBuf) -> Result<Self> {
        fs::create_dir(&dir)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=128k", "tmpfs"])
            .arg(&dir)
            .status()?;
        if !mounted.success() {
            skip!("tmpfs cannot be mounted");
        }
        Ok(Self(dir))
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

pub fn full_file_system(context: &Context) -> Result {
    let small = Small::mount(context.path("small"))?;
    let mut target = Program::own(context, "tick").args(&["0", "2"]).start()?;
    target.wait_ready()?;
    for extra in [&[][..], &["--kill"], &["--stop"]] {
        let pid = target.pid.to_string();
        let mut command = ckptctl::command(&["checkpoint", &pid, "-o"]);
        let done = ckptctl::finish(command.arg(small.0.join("x.ckpt")).args(extra))?.expect(exit::FAILED)?;
        done.names(&["ENOSPC|no space"])?;
        ensure!(small.names().is_empty(), "there is {:?}", small.names());
        target.is_unharmed()?;
        target.wait_more_lines(2)?;
    }
    target.finish()
}

/// Runs a checkpoint --kill into a pipe that the reader leaves after `bytes`.
fn leave_after(target_pid: i32, bytes: usize) -> Result<()> {
    let mut child = Command::new(CKPTCTL)
        .args(["checkpoint", &target_pid.to_string(), "-o", "-", "--kill"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut reader = child.stdout.take();
    let mut left = bytes;
    let mut buffer = [0; 4096];
    while let (Some(pipe), true) = (reader.as_mut(), left > 0) {
        let wanted = left.min(buffer.len());
        left -= pipe.read(&mut buffer[..wanted])?.max(1);
    }
    drop(reader);
    let status = wait_until(Duration::from_secs(60), || child.try_wait().ok().flatten());
    let Some(status) = status else {
        harness::fail!("ckptctl does not end")
    };
    let failed = status.code().is_some_and(|code| code == exit::FAILED) || status.signal() == Some(libc::SIGPIPE);
    ensure!(failed, "ckptctl ended with {status}");
    Ok(())
}

pub fn closed_pipe(context: &Context) -> Result {
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    leave_after(target.pid, 0)?;
    target.is_unharmed()?;
    target.wait_more_lines(2)?;
    target.finish()
}

/// The reader has taken a part: the target is not killed, as nobody has its statefile.
pub fn reader_goes_away(context: &Context) -> Result {
    let mut target = Program::own(context, "tick").args(&["0", "4"]).start()?;
    target.wait_ready()?;
    for bytes in [1, 5000, 300_000, 2_000_000] {
        leave_after(target.pid, bytes)?;
        target.is_unharmed()?;
        target.wait_more_lines(1)?;
    }
    target.finish()
}
