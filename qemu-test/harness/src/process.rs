// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Processes as the harness sees them: waiting with a limit, signals, what /proc says.

use crate::{fail, Result};
use rustix::process::{kill_process, waitpid, Pid, Signal, WaitOptions, WaitStatus};
use std::fs;
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(10);
/// How long a condition may take that takes milliseconds on a real machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the condition gives something; `None` when it did not in time.
pub fn wait_until<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = condition() {
            return Some(value);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(STEP);
    }
}

/// The typed form of a process id.
pub fn pid_of(pid: i32) -> Result<Pid> {
    match Pid::from_raw(pid) {
        Some(pid) if pid.as_raw_nonzero().get() > 0 => Ok(pid),
        _ => fail!("{pid} is no process id"),
    }
}

/// Sends a signal.
pub fn signal(pid: i32, signal: Signal) -> Result {
    Ok(kill_process(pid_of(pid)?, signal)?)
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It exited with this status.
    Exited(i32),
    /// This signal ended it.
    Signaled(i32),
}

impl Ended {
    fn from_status(status: WaitStatus) -> Self {
        match status.exit_status() {
            Some(code) => Self::Exited(code),
            None => Self::Signaled(status.terminating_signal().unwrap_or(0)),
        }
    }
}

/// Whether a child has ended, without waiting. A process that is no child (any more) has not.
pub fn ended(pid: i32) -> Option<Ended> {
    match waitpid(Some(Pid::from_raw(pid)?), WaitOptions::NOHANG) {
        Ok(Some((_, status))) => Some(Ended::from_status(status)),
        _ => None,
    }
}

/// Waits for the end of a child (or of an orphan that has become one).
pub fn wait_end(pid: i32, limit: Duration) -> Result<Ended> {
    match wait_until(limit, || ended(pid)) {
        Some(ended) => Ok(ended),
        None => fail!("process {pid} has not ended after {limit:?}: {}", describe(pid)),
    }
}

/// Waits until these are gone, whose parents have ended: here they have become children, or somebody else's. All at once: the first
/// process of a pid namespace waits until the others have been waited for.
pub fn reap_orphans(pids: &[i32]) -> Result {
    let mut left = pids.to_vec();
    wait_until(PATIENCE, || {
        left.retain(|&pid| ended(pid).is_none() && exists(pid));
        left.is_empty().then_some(())
    });
    match left.first() {
        None => Ok(()),
        Some(pid) => fail!("process {pid} is left: {}", describe(*pid)),
    }
}

/// Takes the status of every child that has ended.
pub fn reap_zombies() {
    for pid in children(std::process::id() as i32) {
        let _ = ended(pid);
    }
}

/// Whether a process (not a zombie) has this id.
pub fn alive(pid: i32) -> bool {
    state(pid).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// Whether anything has this id.
pub fn exists(pid: i32) -> bool {
    fs::exists(format!("/proc/{pid}")).unwrap_or(false)
}

/// The state letter of a process.
pub fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat[stat.rfind(')')? + 1..].trim_start().chars().next()
}

/// Number of threads; the first one counts also when it has ended before the others.
pub fn threads(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count)
}

/// CPU time in user mode, in ticks.
pub fn cpu_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat[stat.rfind(')')? + 1..].split_whitespace().nth(11)?.parse().ok()
}

/// A field of /proc/PID/status.
pub fn status_field(pid: i32, field: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status
        .lines()
        .find_map(|line| Some(line.strip_prefix(field)?.strip_prefix(':')?.trim().to_owned()))
}

/// Number of the system call in which a thread waits.
pub fn system_call(pid: i32, tid: i32) -> Option<i64> {
    let line = fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")).ok()?;
    line.split_whitespace().next()?.parse().ok()
}

/// For messages: name, state and waiting place of a process.
pub fn describe(pid: i32) -> String {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    if !exists(pid) {
        return "it is gone".into();
    }
    format!(
        "name {}, state {}, wchan {}, syscall {}, stack:\n{}",
        read("comm").trim_end(),
        state(pid).unwrap_or('?'),
        read("wchan"),
        read("syscall").trim_end(),
        read("stack")
    )
}

/// Every process below `root`, each after its parent.
pub fn descendants(root: i32) -> Vec<i32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        // Any thread may be the one that forked.
        for tid in fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let list = fs::read_to_string(tid.path().join("children")).unwrap_or_default();
            found.extend(list.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        }
        next += 1;
    }
    found.remove(0);
    found
}

/// Every process whose parent is `parent`.
pub fn children(parent: i32) -> Vec<i32> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir("/proc") else {
        return found;
    };
    for entry in entries.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A name need not be UTF-8.
        let stat = fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
        let stat = String::from_utf8_lossy(&stat);
        let Some(end) = stat.rfind(')') else { continue };
        if stat[end + 1..]
            .split_whitespace()
            .nth(1)
            .and_then(|ppid| ppid.parse().ok())
            == Some(parent)
        {
            found.push(pid);
        }
    }
    found
}

/// Kills and reaps every child, also those that appear while others end. Returns those that had not ended by themselves.
pub fn end_children() -> Vec<String> {
    let own = std::process::id() as i32;
    let mut strays = Vec::new();
    wait_until(PATIENCE, || {
        let left = children(own);
        for &pid in &left {
            if alive(pid) {
                strays.push(format!("{pid} ({})", describe(pid).lines().next().unwrap_or("")));
                let _ = signal(pid, Signal::KILL);
            }
            let _ = wait_end(pid, Duration::from_secs(10));
        }
        left.is_empty().then_some(())
    });
    strays
}
