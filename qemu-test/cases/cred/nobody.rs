// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! What an unprivileged user may do.

use harness::ckptctl::{self, exit};
use harness::process::exists;
use harness::user::{through, CHOOSES_PIDS, NOBODY};
use harness::{ensure, Context, Program, Result, CKPTCTL};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// ckptctl, run by nobody.
fn ckptctl(args: &[&str]) -> Command {
    let mut command = through(&[NOBODY], &[CKPTCTL]);
    command.args(args);
    command
}

fn device_for_all() -> Result {
    let device = libckpt::uapi::ioctl::DEVICE;
    Ok(fs::set_permissions(device, fs::Permissions::from_mode(0o666))?)
}

/// The kernel's ptrace check refuses it; the target does not notice, no file appears.
pub fn not_roots(context: &Context) -> Result {
    device_for_all()?;
    let file = context.path("stolen.ckpt");
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    let pid = target.pid.to_string();
    let done = ckptctl::finish(&mut ckptctl(&["checkpoint", &pid, "-o", &file.display().to_string()]))?;
    ensure!(
        done.code == exit::FAILED || done.code == exit::REFUSED,
        "exit status {}: {}",
        done.code,
        done.err
    );
    done.names(&["permi|EPERM|not allowed|may not"])?;
    ensure!(!file.exists(), "there is a statefile");
    let check = ckptctl::finish(&mut ckptctl(&["check", &pid]))?;
    ensure!(check.code != exit::DONE, "nobody may check root's process");
    target.is_unharmed()?;
    target.wait_more_lines(2)?;
    target.finish()
}

/// A user saves a process of their own; to choose its pid, the restart is root's.
pub fn own(context: &Context) -> Result {
    device_for_all()?;
    let file = context.path("own.ckpt");
    let name = file.display().to_string();
    let mut target = Program::own(context, "tick").through(NOBODY).start()?;
    target.wait_ready()?;
    let pid = target.pid.to_string();
    ckptctl::finish(&mut ckptctl(&["checkpoint", &pid, "-o", &name, "--kill"]))?.expect(exit::DONE)?;
    target.was_killed()?;
    let refused = ckptctl::finish(&mut ckptctl(&["restart", &name, "--detach"]))?;
    ensure!(
        refused.code == exit::FAILED || refused.code == exit::REFUSED,
        "nobody chose a pid: exit status {}: {}",
        refused.code,
        refused.err
    );
    ensure!(!exists(target.pid), "a failed restart has left a process");
    target.restart(&file)?;
    target.wait_more_lines(2)?;
    target.finish()
}

/// A statefile of root's process does not make a user root.
pub fn does_not_raise(context: &Context) -> Result {
    device_for_all()?;
    let file = context.path("root.ckpt");
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    target.checkpoint_kill(&file)?;
    // Nothing but the credentials stands in the way.
    for name in [&file, target.output_file(), &context.path("err")] {
        fs::set_permissions(name, fs::Permissions::from_mode(0o666))?;
    }
    // With the one capability that choosing pids needs, and no other.
    let mut command = through(
        &[NOBODY, CHOOSES_PIDS],
        &[CKPTCTL, "restart", &file.display().to_string(), "--detach"],
    );
    let done = ckptctl::finish(&mut command)?;
    ensure!(
        done.code == exit::FAILED || done.code == exit::REFUSED,
        "exit status {}: {}{}",
        done.code,
        done.out,
        done.err
    );
    done.names(&["permi|EPERM|not allowed|may not|credential|user id|uid"])?;
    ensure!(!exists(target.pid), "a failed restart has left a process");
    Ok(())
}
