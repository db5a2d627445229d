// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Trees seen and handled from outside.

use harness::case::During;
use harness::ckptctl::{self, exit, After};
use harness::process::{self, descendants, wait_until, PATIENCE};
use harness::{ensure, fail, Context, Program, Result, Target};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::ffi::OsStr;

fn family(context: &Context) -> Result<Target> {
    let mut target = Program::own(context, "tree_family").args(&["3", "2"]).start()?;
    target.wait_ready()?;
    ensure!(descendants(target.pid).len() == 9, "the family is not complete");
    Ok(target)
}

/// The last line that each process has printed about itself: parent, group, session, counter.
fn states(context: &Context, target: &Target) -> Result<BTreeMap<i32, Vec<u64>>> {
    let mut pids = descendants(target.pid);
    pids.push(target.pid);
    let read = |pid: i32| std::fs::read_to_string(context.path(&format!("state.{pid}"))).unwrap_or_default();
    let mut states = BTreeMap::new();
    for pid in pids {
        let before = read(pid).lines().count();
        process::signal(pid, Signal::USR1)?;
        let line = wait_until(PATIENCE, || {
            let text = read(pid);
            (text.ends_with('\n') && text.lines().count() > before).then(|| text.lines().last().map(str::to_owned))?
        });
        let Some(line) = line else {
            fail!("process {pid} does not answer: {}", process::describe(pid))
        };
        states.insert(pid, line.split(' ').filter_map(|word| word.parse().ok()).collect());
    }
    Ok(states)
}

/// Every process answers a signal, before and after a restart, as what it was, and has gone on counting.
pub fn prints_its_state(context: &Context) -> Result {
    let file = context.path("family.ckpt");
    let mut target = family(context)?;
    let before = states(context, &target)?;
    target.checkpoint_kill(&file)?;
    target.restart(&file)?;
    let after = states(context, &target)?;
    ensure!(
        before.len() == 10 && before.keys().eq(after.keys()),
        "{before:?}, then {after:?}"
    );
    for (pid, old) in &before {
        let new = &after[pid];
        ensure!(
            old.len() == 5 && new.len() == 5 && old[0] == new[0] && old[4] < new[4],
            "{old:?}, then {new:?}"
        );
        ensure!(
            *pid == target.pid || old[1] == new[1],
            "the parent of {pid}: {old:?}, then {new:?}"
        );
    }
    target.finish()
}

/// With --process, children are an obstacle.
pub fn alone(context: &Context) -> Result {
    let mut target = family(context)?;
    let pid = target.pid.to_string();
    let file = context.path("family.ckpt");
    for command in [
        &["check", &pid, "--process"][..],
        &["checkpoint", &pid, "--process", "-o", &file.to_string_lossy()],
    ] {
        ckptctl::run(command)?.expect(exit::REFUSED)?.names(&["child"])?;
    }
    ensure!(!file.exists(), "there is a statefile");
    target.finish()
}

/// `checkpoint --stop` stops every process; each goes on at SIGCONT.
pub fn stopped(context: &Context) -> Result {
    let file = context.path("family.ckpt");
    let mut target = family(context)?;
    ckptctl::checkpoint(target.pid, &file, After::Stop)?;
    let mut pids = descendants(target.pid);
    pids.push(target.pid);
    for pid in &pids {
        let stopped = wait_until(PATIENCE, || (process::state(*pid) == Some('T')).then_some(()));
        ensure!(stopped.is_some(), "{pid} is not stopped: {}", process::describe(*pid));
    }
    for pid in &pids {
        process::signal(*pid, Signal::CONT)?;
    }
    target.finish()
}

/// `checkpoint --kill` leaves nobody.
pub fn killed(context: &Context) -> Result {
    let file = context.path("family.ckpt");
    let mut target = family(context)?;
    let pids = descendants(target.pid);
    target.checkpoint_kill(&file)?;
    let gone = wait_until(PATIENCE, || pids.iter().all(|pid| !process::alive(*pid)).then_some(()));
    ensure!(gone.is_some(), "somebody has survived");
    target.restart(&file).during("restart")?;
    ensure!(descendants(target.pid) == pids, "other processes have come back");
    target.finish()
}

/// A restart beside the living family is refused, and names every process of it.
pub fn names_who_has_the_pid_of_a_child(context: &Context) -> Result {
    let file = context.path("family.ckpt");
    let mut target = family(context)?;
    target.checkpoint(&file)?;
    let mut words: Vec<String> = descendants(target.pid).iter().map(i32::to_string).collect();
    words.push("tree_family".into());
    let done = ckptctl::run(&[OsStr::new("restart"), file.as_os_str()])?.expect(exit::PID_IN_USE)?;
    done.names(&words)?;
    target.finish()
}
