// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Restarts by somebody who is restricted too, or may not restrict; what a statefile says about a domain.

use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::process::exists;
use harness::{ensure, fail, Context, Program, Result, Target, CKPTCTL, PROGRAMS};
use libckpt::testing::Statefile;
use libckpt::uapi::record::{cred::Cred, landlock::Landlock, RecordType};
use std::fs;
use std::mem::offset_of;
use std::path::Path;
use std::process::Command;

/// Root without the capability that makes no_new_privs unnecessary.
const NO_ADMIN: [&str; 2] = ["setpriv", "--bounding-set=-sys_admin"];

fn started(context: &Context, variant: &str, through: &[&str]) -> Result<Target> {
    let program = Program::own(context, "landlock_kept").args(&[variant]);
    let mut target = program.through(through).start()?;
    target.wait_ready()?;
    Ok(target)
}

/// ckptctl restart, run by another command.
fn restart_through(words: &[&str], file: &Path) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args([CKPTCTL, "restart"]);
    command.arg(file).arg("--detach");
    command
}

/// ckptctl restart, run under a Landlock domain of its own.
fn restart_within(file: &Path) -> Command {
    restart_through(&[&format!("{PROGRAMS}/landlock_kept"), "within"], file)
}

fn revived_by(target: &mut Target, command: &mut Command) -> Result {
    let pid = ckptctl::detached(command)?;
    target.revived();
    ensure!(pid == target.pid, "restarted as {pid}, not as {}", target.pid);
    Ok(())
}

fn refused(target: &Target, command: &mut Command, names: &[&str]) -> Result {
    let done = ckptctl::finish(command)?;
    ensure!(
        done.code == exit::FAILED || done.code == exit::REFUSED,
        "exit status {}: {}{}",
        done.code,
        done.out,
        done.err
    );
    done.names(names)?;
    ensure!(!exists(target.pid), "a failed restart has left a process");
    Ok(())
}

fn inspected(file: &Path, names: &[&str]) -> Result {
    let name = file.display().to_string();
    let shown = ckptctl::run(&["inspect", name.as_str()])?.expect(exit::DONE)?;
    shown.names(names)
}

/// What inspect prints.
pub fn shows(context: &Context) -> Result {
    let file = context.path("layers.ckpt");
    let mut target = started(context, "layers", &[])?;
    target.checkpoint(&file)?;
    inspected(
        &file,
        &[
            "Landlock: 2 layers",
            "files 0xe008, network 0x1, scopes 0x0",
            "files 0x2004, network 0x0, scopes 0x2",
            "no truncate",
            "no ioctl_dev",
        ],
    )?;
    let name = file.display().to_string();
    let json = ckptctl::run(&["inspect", name.as_str(), "--json"])?.expect(exit::DONE)?;
    json.names(&["landlock-layer", "\"denied\""])?;
    target.finish()
}

/// The saved layers come on top of those of the restarter.
pub fn adds(context: &Context) -> Result {
    let file = context.path("exec.ckpt");
    let mut target = started(context, "exec", &[])?;
    target.checkpoint_kill(&file)?;
    inspected(&file, &["Landlock: 4 layers"])?;
    revived_by(&mut target, &mut restart_within(&file))?;
    let again = context.path("again.ckpt");
    target.checkpoint_kill(&again)?;
    inspected(&again, &["Landlock: 5 layers"])?;
    target.restart(&again)?;
    target.finish()
}

/// Sixteen layers have no place under a restarter with one.
pub fn too_many(context: &Context) -> Result {
    let file = context.path("deepest.ckpt");
    let mut target = started(context, "deepest", &[])?;
    target.checkpoint_kill(&file)?;
    refused(
        &target,
        &mut restart_within(&file),
        &["landlock", "E2BIG|too long|too big", "16 layers"],
    )?;
    target.restart(&file)?;
    target.finish()
}

/// A restarter without CAP_SYS_ADMIN restricts a program that has no_new_privs, and no other one.
pub fn needs_privilege(context: &Context) -> Result {
    let file = context.path("layers.ckpt");
    let mut target = started(context, "layers", &NO_ADMIN)?;
    target.checkpoint_kill(&file)?;
    let mut changed = match Statefile::parse(&fs::read(&file)?) {
        Some(statefile) => statefile,
        None => fail!("the statefile cannot be taken apart"),
    };
    for (kind, offset) in [
        (RecordType::Landlock, offset_of!(Landlock, no_new_privs)),
        (RecordType::Cred, offset_of!(Cred, no_new_privs)),
    ] {
        let part = changed.records.iter_mut().find(|part| part.kind == kind.number());
        let Some(part) = part else {
            fail!("no {} record", kind.name())
        };
        ensure!(part.body[offset] == 1, "no_new_privs is not set");
        part.body[offset] = 0;
    }
    // Its open files need the right too, and are first; without them the domain does.
    let without = context.path("without.ckpt");
    fs::write(&without, changed.encode())?;
    refused(&target, &mut restart_through(&NO_ADMIN, &without), &["EPERM|permi"]).during("without no_new_privs")?;
    revived_by(&mut target, &mut restart_through(&NO_ADMIN, &file)).during("with no_new_privs")?;
    target.finish()
}
