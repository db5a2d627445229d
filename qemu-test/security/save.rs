// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Saving, looking, holding, killing.

use super::{device_for_all, mode, not_permitted};
use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::process::{signal, state, wait_until, PATIENCE};
use harness::user::{through, NOBODY, USER};
use harness::{ensure, Context, Program, Result, Target, CKPTCTL, PROGRAMS};
use rustix::process::Signal;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

const NO: &[&str] = &["permi|EPERM|not allowed|may not"];

/// A copy of a program with these permissions, owned by root.
fn copy(context: &Context, program: &str, permissions: u32) -> Result<PathBuf> {
    let path = context.path(program);
    fs::copy(format!("{PROGRAMS}/{program}"), &path)?;
    mode(&path, permissions)?;
    Ok(path)
}

/// Whatever nobody does with the process is refused, leaves nothing, and does it no harm.
fn is_shut(context: &Context, target: &mut Target) -> Result {
    device_for_all()?;
    let file = context.path("stolen.ckpt");
    let (pid, name) = (target.pid.to_string(), file.display().to_string());
    for words in [
        &["check", &pid][..],
        &["freeze", &pid, "--hold", "1"],
        &["checkpoint", &pid, "-o", &name],
        &["checkpoint", &pid, "-o", &name, "--process"],
        &["checkpoint", &pid, "-o", &name, "--kill"],
        &["checkpoint", &pid, "-o", &name, "--stop"],
    ] {
        let mut command = through(&[NOBODY], &[CKPTCTL]);
        not_permitted(command.args(words), NO).during(format!("{words:?}"))?;
        ensure!(!file.exists(), "{words:?}: there is a statefile");
        target.is_unharmed()?;
        target.wait_more_lines(1)?;
    }
    Ok(())
}

pub fn another_users(context: &Context) -> Result {
    let mut target = Program::own(context, "tick").through(USER).start()?;
    target.wait_ready()?;
    is_shut(context, &mut target)?;
    // Its owner may.
    let mut command = through(&[USER], &[CKPTCTL, "check", &target.pid.to_string()]);
    ckptctl::finish(&mut command)?.expect(exit::DONE)?;
    target.finish()
}

/// Started by nobody, it has root's identity.
pub fn setuid(context: &Context) -> Result {
    let program = copy(context, "tick", 0o4755)?;
    let mut target = Program::command(context, &[program]).through(NOBODY).start()?;
    target.wait_ready()?;
    is_shut(context, &mut target)?;
    target.finish()
}

/// It may be executed, but not read: neither may its memory.
pub fn unreadable(context: &Context) -> Result {
    let program = copy(context, "tick", 0o711)?;
    // Not by setpriv itself, which has root's capabilities up to its execve.
    let words = [NOBODY, &["sh", "-c", "exec \"$0\""]].concat();
    let mut target = Program::command(context, &[program]).through(&words).start()?;
    target.wait_ready()?;
    is_shut(context, &mut target)?;
    target.finish()
}

/// Whoever had a session before finds it shut.
pub fn setuid_meanwhile(context: &Context) -> Result {
    device_for_all()?;
    let program = copy(context, "tick", 0o4755)?;
    let mut target = Program::own(context, "security_doors")
        .args(&["setuid"])
        .args(&[program])
        .through(NOBODY)
        .start()?;
    target.wait_output("shut", |lines| lines.iter().any(|line| line == "shut").then_some(()))?;
    target.finish()
}

/// A session of root in other hands reads and kills nothing.
pub fn handed_over(context: &Context) -> Result {
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    let inner = Context::new(context.name(), &context.path("doors"));
    fs::create_dir(inner.dir())?;
    let mut doors = Program::own(&inner, "security_doors")
        .args(&["handed-over", &target.pid.to_string()])
        .start()?;
    doors.wait_good_end()?;
    target.wait_more_lines(2)?;
    target.finish()
}

/// What root holds, nobody lets go.
pub fn thaws(context: &Context) -> Result {
    device_for_all()?;
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    let pid = target.pid.to_string();
    let mut freezer = ckptctl::command(&["freeze", "--json", &pid])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut byte = [0];
    let said = freezer.stdout.as_mut().map(|out| out.read(&mut byte));
    ensure!(matches!(said, Some(Ok(1))), "ckptctl freeze does not begin");
    let done = ckptctl::finish(&mut through(&[NOBODY], &[CKPTCTL, "thaw", &pid]))?;
    ensure!(done.code != exit::DONE, "nobody has thawed it");
    let lines = target.lines().len();
    std::thread::sleep(Duration::from_millis(300));
    ensure!(target.lines().len() == lines, "it goes on");
    signal(freezer.id() as i32, Signal::TERM)?;
    freezer.wait()?;
    target.wait_more_lines(2)?;
    target.finish()
}

/// Also while it is being written, and whatever the umask: it is its maker's only.
pub fn private(context: &Context) -> Result {
    let file = context.path("private.ckpt");
    let name = file.display().to_string();
    let mut target = Program::own(context, "tick").args(&["0", "64"]).start()?;
    target.wait_ready()?;
    let script = "umask 0; exec \"$@\"";
    let pid = target.pid.to_string();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, "sh", CKPTCTL, "checkpoint", &pid, "-o", &name]);
    let mut child = command.stdin(Stdio::null()).spawn()?;
    let own = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().contains("ckpt");
    let ended = wait_until(PATIENCE, || {
        for entry in fs::read_dir(context.dir()).into_iter().flatten().flatten().filter(own) {
            let open_to_others = entry
                .metadata()
                .is_ok_and(|data| data.permissions().mode() & 0o077 != 0);
            if open_to_others {
                return Some(Err(entry.file_name()));
            }
        }
        child.try_wait().ok().flatten().map(Ok)
    });
    match ended {
        Some(Ok(status)) => ensure!(status.success(), "ckptctl checkpoint ended with {status}"),
        other => harness::fail!("others may read: {other:?}"),
    }
    ensure!(file.exists() && state(target.pid).is_some(), "there is no statefile");
    let done = ckptctl::finish(&mut through(&[NOBODY], &[CKPTCTL, "inspect", &name]))?;
    ensure!(
        done.code != exit::DONE && done.out.is_empty(),
        "nobody reads it: {}",
        done.out
    );
    done.names(&["permi|EACCES"])?;
    target.finish()
}
