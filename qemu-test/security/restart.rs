// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Becoming by a restart what the restarter could not have become.

use super::{device_for_all, mode, not_permitted};
use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::process::{self, descendants, exists, wait_end, wait_until, PATIENCE};
use harness::user::{through, CHOOSES_PIDS, NOBODY, USER};
use harness::{ensure, fail, Context, Program, Result, Target, CKPTCTL, PROGRAMS};
use rustix::process::Signal;
use std::fs;
use std::path::Path;
use std::process::Command;

const NO: &[&str] = &["permi|EPERM|EACCES|not allowed|may not"];

/// ckptctl restart, run by others.
fn restart_by(words: &[&[&str]], file: &Path) -> Command {
    let mut command = through(words, &[CKPTCTL, "restart", "--detach"]);
    command.arg(file);
    command
}

/// Saved and killed, with nothing in the way of a restart by somebody else but what the case is about.
fn saved(context: &Context, program: Program) -> Result<Target> {
    device_for_all()?;
    let mut target = program.start()?;
    target.wait_ready()?;
    let file = context.path("saved.ckpt");
    target.checkpoint_kill(&file)?;
    for name in [&file, target.output_file(), &context.path("err")] {
        mode(name, 0o666)?;
    }
    Ok(target)
}

/// The restart is refused, and leaves nothing.
fn refused(target: &Target, command: &mut Command, names: &[&str]) -> Result {
    not_permitted(command, names)?;
    ensure!(!exists(target.pid), "a failed restart has left a process");
    Ok(())
}

/// This one has the right.
fn revived(target: &mut Target, command: &mut Command) -> Result {
    let pid = ckptctl::detached(command)?;
    target.revived();
    ensure!(pid == target.pid, "restarted as {pid}, not as {}", target.pid);
    Ok(())
}

/// Neither nobody nor root without CAP_SETUID becomes a user; the user does.
pub fn as_another_user(context: &Context) -> Result {
    let file = context.path("saved.ckpt");
    let mut target = saved(context, Program::own(context, "tick").through(USER))?;
    refused(&target, &mut restart_by(&[NOBODY, CHOOSES_PIDS], &file), NO).during("nobody")?;
    let no_setuid: &[&str] = &["setpriv", "--bounding-set=-setuid"];
    refused(&target, &mut restart_by(&[no_setuid], &file), NO).during("without CAP_SETUID")?;
    // In a user namespace of its own nobody has every capability, but is nobody else.
    let mut command = restart_by(&[NOBODY], &file);
    not_permitted(
        command.arg("--new-pidns"),
        &["EINVAL|permi|EPERM|credential|user id|uid"],
    )
    .during("in a user namespace")?;
    revived(&mut target, &mut restart_by(&[USER, CHOOSES_PIDS], &file)).during("the user")?;
    target.finish()
}

/// A program with a capability comes back only for whoever has it.
pub fn with_capabilities(context: &Context) -> Result {
    const ADMIN: &[&str] = &["--inh-caps=+net_admin", "--ambient-caps=+net_admin"];
    const BOTH: &[&str] = &[
        "--inh-caps=+net_admin,+checkpoint_restore",
        "--ambient-caps=+net_admin,+checkpoint_restore",
    ];
    let file = context.path("saved.ckpt");
    let words: Vec<&str> = [NOBODY, ADMIN].concat();
    let mut target = saved(context, Program::own(context, "tick").through(&words))?;
    refused(&target, &mut restart_by(&[NOBODY, CHOOSES_PIDS], &file), NO)?;
    revived(&mut target, &mut restart_by(&[NOBODY, BOTH], &file)).during("with the capability")?;
    let effective = process::status_field(target.pid, "CapEff").unwrap_or_default();
    // CAP_NET_ADMIN is number 12. What the restarter has beyond that is gone.
    ensure!(
        effective == format!("{:016x}", 1 << 12),
        "its capabilities are {effective}"
    );
    target.finish()
}

/// A file that the program was handed open has to be one that the restarter may open.
pub fn opens_a_file(context: &Context) -> Result {
    let file = context.path("saved.ckpt");
    let secret = context.path("secret");
    fs::write(&secret, "secret")?;
    mode(&secret, 0o600)?;
    let name = secret.display().to_string();
    let script = ["sh", "-c", "exec 5<\"$0\"; exec \"$@\"", &name];
    let words: Vec<&str> = [&script[..], NOBODY].concat();
    let mut target = saved(context, Program::own(context, "tick").through(&words))?;
    let names = [NO[0], "secret"];
    refused(&target, &mut restart_by(&[NOBODY, CHOOSES_PIDS], &file), &names)?;
    mode(&secret, 0o644)?;
    revived(&mut target, &mut restart_by(&[NOBODY, CHOOSES_PIDS], &file)).during("with the right")?;
    ensure!(
        fs::read_link(format!("/proc/{}/fd/5", target.pid))? == secret,
        "it does not have the file"
    );
    target.finish()
}

/// Root's living program has the numbers of a statefile that nobody restarts: it is neither replaced nor killed.
pub fn names_living_tasks(context: &Context) -> Result {
    device_for_all()?;
    let file = context.path("living.ckpt");
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    target.checkpoint(&file)?;
    mode(&file, 0o644)?;
    let mut command = restart_by(&[NOBODY, CHOOSES_PIDS], &file);
    ckptctl::finish(&mut command)?.expect(exit::PID_IN_USE)?;
    let doors = format!("{PROGRAMS}/security_doors");
    let mut command = through(&[NOBODY], &[doors.as_str(), "restart"]);
    ckptctl::finish(command.arg(&file))?.expect(0)?;
    target.is_unharmed()?;
    target.wait_more_lines(2)?;
    target.finish()
}

/// Session ids of a tree which none of its processes leads.
fn sessions_without_leader(target: &Target) -> Vec<i32> {
    let mut pids = descendants(target.pid);
    pids.push(target.pid);
    let session = |pid: &i32| -> Option<i32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat[stat.rfind(')')? + 1..].split_whitespace().nth(3)?.parse().ok()
    };
    let own = session(&target.pid);
    let mut found: Vec<i32> = pids.iter().filter_map(session).collect();
    found.retain(|sid| !pids.contains(sid) && Some(*sid) != own);
    found
}

/// The number of a session in the tree is now that of somebody else's: the restart does not get in there.
pub fn joins_a_session(context: &Context) -> Result {
    let file = context.path("saved.ckpt");
    let mut target = Program::own(context, "tree_sessions").start()?;
    target.wait_ready()?;
    let Some(sid) = sessions_without_leader(&target).first().copied() else {
        fail!("the tree has no session without its leader")
    };
    target.checkpoint_kill(&file)?;
    // The next process that is made gets the number; another one may be quicker.
    let mut other = None;
    let led = wait_until(PATIENCE, || {
        fs::write("/proc/sys/kernel/ns_last_pid", (sid - 1).to_string()).ok()?;
        let words = [&["setsid"], NOBODY].concat();
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .args(["sleep", "1000"])
            .spawn()
            .ok()?;
        if child.id() as i32 != sid {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        other = Some(child);
        Some(())
    });
    let (Some(()), Some(mut other)) = (led, other) else {
        fail!("no process gets the number {sid}")
    };
    // Not to have a number of the tree oneself.
    let far = || fs::write("/proc/sys/kernel/ns_last_pid", (sid + 1000).to_string());
    far()?;
    let tried = ckptctl::run(&["restart", &file.display().to_string(), "--detach"]);
    let harmed = other.try_wait()?.is_some();
    let _ = other.kill();
    wait_end(sid, PATIENCE)?;
    let done = tried?.expect(exit::PID_IN_USE)?;
    done.names(&[sid.to_string()])?;
    ensure!(!harmed && !exists(target.pid), "a failed restart has done harm");
    target.restart(&file)?;
    for pid in descendants(target.pid) {
        let _ = process::signal(pid, Signal::KILL);
    }
    target.kill()
}

/// A sandbox with access to the device: the module's calls would pass by its filter.
pub fn under_seccomp(context: &Context) -> Result {
    let file = context.path("saved.ckpt");
    let mut target = saved(context, Program::own(context, "tick"))?;
    let doors = format!("{PROGRAMS}/security_doors");
    refused(&target, &mut restart_by(&[&[&doors, "seccomp"]], &file), &["seccomp"])?;
    target.restart(&file)?;
    target.finish()
}

/// Whoever has given up new privileges does not get them back by a program that has not.
pub fn drops_no_new_privs(context: &Context) -> Result {
    let file = context.path("saved.ckpt");
    let mut target = saved(context, Program::own(context, "tick").through(NOBODY))?;
    let restricted: &[&str] = &["--no-new-privs"];
    let mut command = restart_by(&[NOBODY, CHOOSES_PIDS, restricted], &file);
    let done = ckptctl::finish(&mut command)?;
    match done.code {
        exit::DONE => {
            target.revived();
            let kept = process::status_field(target.pid, "NoNewPrivs");
            ensure!(kept.as_deref() == Some("1"), "it has lost no_new_privs: {kept:?}");
        }
        _ => {
            done.names(&["no_new_privs|permi|EPERM|credential"])?;
            ensure!(!exists(target.pid), "a failed restart has left a process");
            target.restart(&file)?;
        }
    }
    target.finish()
}

/// A hard limit of the program above that of the restarter.
pub fn raises_a_limit(context: &Context) -> Result {
    let file = context.path("saved.ckpt");
    let mut target = saved(context, Program::own(context, "tick").through(NOBODY))?;
    let limited: &[&str] = &["prlimit", "--core=0:0"];
    refused(&target, &mut restart_by(&[limited, NOBODY, CHOOSES_PIDS], &file), NO)?;
    revived(&mut target, &mut restart_by(&[NOBODY, CHOOSES_PIDS], &file)).during("with the right")?;
    target.finish()
}

/// Root restarts a program of nobody, and has a key.
pub fn takes_no_keys_along(context: &Context) -> Result {
    let program = format!("{PROGRAMS}/security_keyring");
    let mut target = saved(context, Program::own(context, "security_keyring"))?;
    mode(context.dir(), 0o755)?;
    let mut command = restart_by(&[&[&program, "with"]], &context.path("saved.ckpt"));
    revived(&mut target, &mut command)?;
    target.finish()
}
