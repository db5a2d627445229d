// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The view from outside: what /proc says about a process and its threads, and what of it may change.
//!
//! Everything that is read is compared, except for [`EXCEPTIONS`]; docs/TRANSPARENCY.md explains the same list to people.

use crate::process::{self, wait_until};
use crate::{fail, Result};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// When something may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// After every checkpoint.
    Always,
    /// After a restart, not in a target that goes on.
    Restarted,
    /// After a restart with --detach, which makes a session.
    Detached,
    /// While the program computes.
    Busy,
}

/// What may differ before and after: the end of a key of [`Snapshot`], and why.
pub const EXCEPTIONS: &[(&str, When, &str)] = &[
    ("status/State", When::Always, "running or sleeping is chance"),
    (
        "status/voluntary_ctxt_switches",
        When::Always,
        "counts what the process did",
    ),
    (
        "status/nonvoluntary_ctxt_switches",
        When::Always,
        "counts what the process did",
    ),
    ("status/VmPeak", When::Always, "a maximum of the past"),
    ("status/VmHWM", When::Always, "a maximum of the past"),
    (
        "status/VmRSS",
        When::Always,
        "which file pages are present is up to the page cache",
    ),
    (
        "status/RssAnon",
        When::Always,
        "pages that hold only zeroes need not be present",
    ),
    (
        "status/RssFile",
        When::Always,
        "which file pages are present is up to the page cache",
    ),
    (
        "status/RssShmem",
        When::Always,
        "which shared pages are present is up to the page cache",
    ),
    (
        "status/HugetlbPages",
        When::Always,
        "shared huge pages are mapped when they are touched",
    ),
    ("status/VmSwap", When::Always, "swapped pages come back as present ones"),
    (
        "status/VmPTE",
        When::Always,
        "page tables are made when they are needed",
    ),
    (
        "status/SigQ",
        When::Always,
        "counts the signals of all processes of the user",
    ),
    (
        "fdinfo/it_value",
        When::Always,
        "the time that a timer has left goes by",
    ),
    ("status/PPid", When::Restarted, "the parent is the restarter"),
    (
        "status/FDSize",
        When::Restarted,
        "the descriptor table is as large as it has to be, not as it once was",
    ),
    ("status/NSpgid", When::Detached, "--detach makes a session"),
    ("status/NSsid", When::Detached, "--detach makes a session"),
    ("stat/pgrp", When::Detached, "--detach makes a session"),
    ("stat/session", When::Detached, "--detach makes a session"),
    ("stat/tty_nr", When::Detached, "--detach makes a session"),
    ("maps", When::Busy, "a computing program maps and unmaps"),
    ("smaps", When::Busy, "a computing program maps and unmaps"),
    ("status/VmSize", When::Busy, "a computing program maps and unmaps"),
    ("status/VmData", When::Busy, "a computing program maps and unmaps"),
    ("status/VmStk", When::Busy, "a stack grows"),
    ("status/SigPnd", When::Busy, "signals come and go"),
    ("status/ShdPnd", When::Busy, "signals come and go"),
    ("status/SigBlk", When::Busy, "a program blocks signals for a moment"),
    ("fdinfo/eventfd-id", When::Restarted, "a number that the kernel gives"),
    ("fdinfo/pos", When::Busy, "a program reads and writes"),
];

/// Flags in the VmFlags line of smaps that may differ: "sd" (soft-dirty) marks what was written since a moment that only
/// its user knows.
const FREE_VM_FLAGS: &[&str] = &["sd"];

/// How links to descriptors of namespaces begin; the number behind that is chance.
const KINDS_OF_NAMESPACES: &[&str] = &[
    "uts:[", "ipc:[", "mnt:[", "net:[", "cgroup:[", "time:[", "pid:[", "user:[",
];

/// What to compare.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope {
    /// The program does not wait while it is looked at.
    pub busy: bool,
    /// It has been restarted in between.
    pub restarted: bool,
    /// Its last restart was with --detach.
    pub detached: bool,
    /// It opens and closes files all the time: what is open says nothing.
    pub opens: bool,
}

impl Scope {
    fn excuses(self, when: When) -> bool {
        match when {
            When::Always => true,
            When::Restarted => self.restarted,
            When::Detached => self.detached,
            When::Busy => self.busy,
        }
    }
}

/// What /proc says about a process: a key for each fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    facts: BTreeMap<String, String>,
}

impl Snapshot {
    /// Looks at a process.
    pub fn of(pid: i32) -> Result<Self> {
        let mut facts = BTreeMap::new();
        let root = format!("/proc/{pid}");
        let mut put = |key: String, value: String| {
            facts.insert(key, value);
        };
        for link in ["exe", "cwd", "root"] {
            let path = read_link(Path::new(&format!("{root}/{link}")));
            put(link.into(), normal_deleted(&path));
        }
        for file in [
            "cmdline",
            "environ",
            "auxv",
            "limits",
            "personality",
            "cgroup",
            "timers",
            "oom_score_adj",
            "coredump_filter",
        ] {
            let bytes = fs::read(format!("{root}/{file}")).unwrap_or_default();
            put(file.into(), bytes.escape_ascii().to_string());
        }
        put("maps".into(), normal_maps(&fs::read_to_string(format!("{root}/maps"))?));
        put("smaps".into(), vm_flags(&fs::read_to_string(format!("{root}/smaps"))?));
        for name in list(&format!("{root}/ns")) {
            // The number of a namespace that is made anew is chance.
            let of = |root: &str| read_link(Path::new(&format!("{root}/ns/{name}")));
            let (own, harness) = (of(&root), of("/proc/self"));
            put(
                format!("ns/{name}"),
                if own == harness { own } else { "another one".into() },
            );
        }
        let mut numbered = Vec::new();
        let names = list(&format!("{root}/fd"));
        let mut fds: Vec<u32> = names.iter().filter_map(|fd| fd.parse().ok()).collect();
        fds.sort_unstable();
        for fd in fds {
            let link = read_link(Path::new(&format!("{root}/fd/{fd}")));
            let is_numbered = is_numbered(&link);
            // The kernel numbers processes, too, which pidfds show, and userfaultfds; and each ring has an inode of its own.
            let has_own = ["anon_inode:[pidfd]", "anon_inode:[userfaultfd]", RING].contains(&link.as_str());
            let is_proc = link.starts_with("/proc/");
            let is_namespace = link.ends_with(']') && KINDS_OF_NAMESPACES.iter().any(|kind| link.starts_with(kind));
            let is_deleted = link.ends_with(DELETED);
            let shown = if is_namespace {
                link.split(':').next().unwrap_or_default().to_owned()
            } else {
                normal_link(normal_deleted(&link), &mut numbered)
            };
            put(format!("fd/{fd}"), shown);
            let info = fs::read_to_string(format!("{root}/fdinfo/{fd}")).unwrap_or_default();
            let lines = info.lines().filter_map(|line| line.split_once(':'));
            for (name, value) in lines.filter(|(name, _)| {
                let of_inode = ["ino", "lock"].contains(name);
                !((is_numbered || has_own || is_proc || is_namespace || is_deleted) && of_inode
                    || *name == "tfd"
                    || OF_POLLER.contains(name))
            }) {
                put(format!("fd/{fd}/fdinfo/{name}"), value.trim().into());
            }
            put(format!("fd/{fd}/watched"), watched(&info));
        }
        for tid in list(&format!("{root}/task")) {
            let task = format!("{root}/task/{tid}");
            let read = |name: &str| fs::read_to_string(format!("{task}/{name}")).unwrap_or_default();
            for (name, value) in read("status").lines().filter_map(|line| line.split_once(':')) {
                put(format!("task/{tid}/status/{name}"), value.trim().into());
            }
            for (name, value) in stat_fields(&read("stat")) {
                put(format!("task/{tid}/stat/{name}"), value);
            }
            put(format!("task/{tid}/comm"), read("comm").escape_default().to_string());
            // The file in task/ is missing on some kernels; every thread also has a directory of its own in /proc.
            let slack = fs::read_to_string(format!("/proc/{tid}/timerslack_ns")).unwrap_or_default();
            put(format!("task/{tid}/timerslack_ns"), slack);
        }
        Ok(Self { facts })
    }

    /// Looks at a process and all its descendants. Of those, parent, process group and session may never change.
    pub fn of_family(pid: i32) -> Result<Self> {
        let mut family = Self::of(pid)?;
        let place = |pid: i32| -> Option<[String; 3]> {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let mut fields = stat[stat.rfind(')')? + 1..]
                .split_whitespace()
                .skip(1)
                .map(str::to_owned);
            Some([fields.next()?, fields.next()?, fields.next()?])
        };
        let root = place(pid).unwrap_or_default();
        for child in process::descendants(pid) {
            let put =
                |facts: &mut BTreeMap<_, _>, key: &str, value| facts.insert(format!("process/{child}/{key}"), value);
            if !process::alive(child) {
                // A zombie has no memory to look at.
                put(&mut family.facts, "zombie", String::new());
            } else {
                for (key, value) in Self::of(child)?.facts {
                    put(&mut family.facts, &key, value);
                }
            }
            for ((key, own), root) in ["parent", "group", "session"]
                .iter()
                .zip(place(child).unwrap_or_default())
                .zip(&root)
            {
                // A restart may give the root another group or session, and those who share it.
                let value = if own == *root && *key != "parent" {
                    "that of the root".into()
                } else {
                    own
                };
                put(&mut family.facts, key, value);
            }
        }
        Ok(family)
    }

    /// What [`Snapshot::of_family`] sees of a tree that waits, and [`Snapshot::of`] of a process that computes.
    pub fn of_target(pid: i32, busy: bool) -> Result<Self> {
        if busy {
            Self::of(pid)
        } else {
            Self::of_family(pid)
        }
    }

    /// Facts that differ and may not.
    pub fn differences(&self, now: &Self, scope: Scope) -> String {
        let mut text = String::new();
        let excused = |key: &str| {
            if scope.opens && key.starts_with("fd/") {
                return true;
            }
            EXCEPTIONS.iter().any(|(end, when, _)| {
                let matches = key
                    .strip_suffix(end)
                    .is_some_and(|front| front.is_empty() || front.ends_with('/'));
                matches && scope.excuses(*when)
            })
        };
        for (state, thread) in self.missing(now) {
            let _ = writeln!(text, "{thread} is {state}");
        }
        let both = |key: &str| match thread_of(key) {
            Some(thread) => self.has(thread) && now.has(thread),
            None => true,
        };
        let keys = self
            .facts
            .keys()
            .chain(now.facts.keys().filter(|key| !self.facts.contains_key(*key)));
        for key in keys.filter(|key| !excused(key) && both(key)) {
            let (before, after) = (self.facts.get(key), now.facts.get(key));
            if before != after {
                let _ = write!(text, "{}", difference(key, before, after));
            }
        }
        text
    }

    /// Threads that are only in one of the two.
    fn missing(&self, now: &Self) -> Vec<(&'static str, String)> {
        let only = |one: &Self, other: &Self, text| {
            let mut threads: Vec<&str> = one.facts.keys().filter_map(|key| thread_of(key)).collect();
            threads.dedup();
            let gone = threads.into_iter().filter(|thread| !other.has(thread));
            gone.map(|thread| (text, thread.to_owned())).collect::<Vec<_>>()
        };
        [only(self, now, "gone"), only(now, self, "new")].concat()
    }

    fn has(&self, thread: &str) -> bool {
        let first = self.facts.range(format!("{thread}/")..).next();
        first.is_some_and(|(key, _)| thread_of(key) == Some(thread))
    }

    /// The process looks like this again, at once or soon: a restart ends a moment after its tasks appear.
    pub fn expect(&self, pid: i32, scope: Scope) -> Result {
        let mut last = String::new();
        let equal = wait_until(Duration::from_secs(10), || {
            match Self::of_target(pid, scope.busy) {
                Ok(now) => last = self.differences(&now, scope),
                Err(error) => last = error.to_string(),
            }
            last.is_empty().then_some(())
        });
        match equal {
            Some(()) => Ok(()),
            None => fail!("seen from outside, the process differs:\n{last}"),
        }
    }

    /// One fact.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.facts.get(key).map(String::as_str)
    }
}

/// The front of a key that names a thread: "task/TID".
fn thread_of(key: &str) -> Option<&str> {
    let tid = key.strip_prefix("task/")?.split('/').next()?;
    Some(&key[.."task/".len() + tid.len()])
}

/// Both values; of values with many lines only the lines that differ.
fn difference(key: &str, before: Option<&String>, after: Option<&String>) -> String {
    let (Some(before), Some(after)) = (before, after) else {
        return format!("{key}: {before:?}, then {after:?}\n");
    };
    let mut text = format!("{key}:\n");
    if before.lines().count() < 2 && after.lines().count() < 2 {
        return format!("{key}: {before:?}, then {after:?}\n");
    }
    for line in before.lines().filter(|line| !after.lines().any(|other| other == *line)) {
        let _ = writeln!(text, "  - {line}");
    }
    for line in after.lines().filter(|line| !before.lines().any(|other| other == *line)) {
        let _ = writeln!(text, "  + {line}");
    }
    text
}

fn read_link(path: &Path) -> String {
    fs::read_link(path)
        .map(|target| target.display().to_string())
        .unwrap_or_default()
}

fn list(dir: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Whether it is a pipe or a socket, whose inode number is chance.
fn is_numbered(link: &str) -> bool {
    link.starts_with("pipe:[") || link.starts_with("socket:[")
}

/// Pipes and sockets are numbered by appearance, so that ends of one pipe still show as such.
fn normal_link(link: String, numbered: &mut Vec<String>) -> String {
    if !is_numbered(&link) {
        return link;
    }
    let kind = link.split(':').next().unwrap_or_default().to_owned();
    let number = numbered.iter().position(|other| *other == link).unwrap_or_else(|| {
        numbered.push(link);
        numbered.len() - 1
    });
    format!("{kind} number {number}")
}

/// What the thread that submits for a ring of io_uring does by itself.
const OF_POLLER: [&str; 3] = ["SqThreadCpu", "SqTotalTime", "SqWorkTime"];

/// What /proc shows of a ring of io_uring.
const RING: &str = "anon_inode:[io_uring]";

/// What /proc adds to the path of a file without a name.
const DELETED: &str = " (deleted)";

/// A deleted file is made anew without a name: only the directory is what it was. That of a memfd is kept.
fn normal_deleted(path: &str) -> String {
    let directory = path.strip_suffix(DELETED).and_then(|path| path.rsplit_once('/'));
    match directory {
        Some((directory, _)) if !path.starts_with("/memfd:") => format!("{directory}/...{DELETED}"),
        _ => path.into(),
    }
}

/// What an epoll watches: descriptor, events and data, without the inodes. The order is that of kernel addresses.
fn watched(info: &str) -> String {
    let items = info.lines().filter_map(|line| line.strip_prefix("tfd:"));
    let mut items: Vec<&str> = items
        .map(|item| item.split(" pos:").next().unwrap_or(item).trim())
        .collect();
    items.sort_unstable();
    items.join("; ")
}

/// Shared anonymous memory, memfds, rings of io_uring and deleted files have inode numbers that are chance: numbered by appearance, so that mappings
/// of one object still show as such.
fn normal_maps(maps: &str) -> String {
    let mut inodes: Vec<&str> = Vec::new();
    let mut text = String::new();
    for line in maps.lines() {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        if (line.ends_with(DELETED) || line.ends_with(RING)) && fields.len() > 5 {
            let known = inodes.iter().position(|inode| *inode == fields[4]);
            let number = known.unwrap_or_else(|| {
                inodes.push(fields[4]);
                inodes.len() - 1
            });
            let _ = writeln!(
                text,
                "{} {} {} {} object {number}",
                fields[0],
                fields[1],
                fields[2],
                normal_deleted(&fields[5..].join(" "))
            );
        } else {
            let _ = writeln!(text, "{}", fields.join(" "));
        }
    }
    text
}

/// The flags of each mapping.
fn vm_flags(smaps: &str) -> String {
    let mut text = String::new();
    let mut range = "";
    for line in smaps.lines() {
        if let Some(flags) = line.strip_prefix("VmFlags:") {
            let flags: Vec<&str> = flags
                .split_whitespace()
                .filter(|flag| !FREE_VM_FLAGS.contains(flag))
                .collect();
            let _ = writeln!(text, "{range} {}", flags.join(" "));
        } else if line.split(' ').next().is_some_and(|word| word.contains('-')) {
            range = line.split(' ').next().unwrap_or("");
        }
    }
    text
}

/// Fields of /proc/PID/stat that say something about what a process is (not about what it did), by proc_pid_stat(5).
fn stat_fields(stat: &str) -> Vec<(&'static str, String)> {
    const FIELDS: &[(&str, usize)] = &[
        ("pgrp", 5),
        ("session", 6),
        ("tty_nr", 7),
        ("priority", 18),
        ("nice", 19),
        ("num_threads", 20),
        ("startcode", 26),
        ("endcode", 27),
        ("startstack", 28),
        ("exit_signal", 38),
        ("rt_priority", 40),
        ("policy", 41),
        ("start_data", 45),
        ("end_data", 46),
        ("start_brk", 47),
        ("arg_start", 48),
        ("arg_end", 49),
        ("env_start", 50),
        ("env_end", 51),
    ];
    let Some(end) = stat.rfind(')') else { return Vec::new() };
    let rest: Vec<&str> = stat[end + 1..].split_whitespace().collect();
    // The first word behind the name is field 3.
    FIELDS
        .iter()
        .filter_map(|(name, number)| Some((*name, (*rest.get(number - 3)?).to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_equals_itself() {
        let own = std::process::id() as i32;
        let first = Snapshot::of(own).unwrap();
        assert_eq!(first.get("exe"), first.get("exe"));
        let mut second = first.clone();
        assert_eq!(first.differences(&second, Scope::default()), "");
        second.facts.insert("exe".into(), "other".into());
        assert!(first.differences(&second, Scope::default()).contains("exe"));
    }

    #[test]
    fn exceptions_apply_when_they_say() {
        let with = |key: &str, value: &str| Snapshot {
            facts: [(key.to_owned(), value.to_owned())].into(),
        };
        let (a, b) = (with("task/5/status/PPid", "1"), with("task/5/status/PPid", "2"));
        assert_ne!(a.differences(&b, Scope::default()), "");
        assert_eq!(
            a.differences(
                &b,
                Scope {
                    restarted: true,
                    ..Scope::default()
                }
            ),
            ""
        );
        let (a, b) = (with("task/5/status/Peak", "1"), with("task/5/status/Peak", "2"));
        assert_ne!(
            a.differences(
                &b,
                Scope {
                    restarted: true,
                    busy: true,
                    detached: true,
                    opens: false
                }
            ),
            ""
        );
    }

    #[test]
    fn a_missing_thread_is_one_line() {
        let with = |keys: &[&str]| Snapshot {
            facts: keys.iter().map(|key| ((*key).to_owned(), "x".to_owned())).collect(),
        };
        let (a, b) = (with(&["task/5/comm", "task/5/a", "task/56/a"]), with(&["task/56/a"]));
        assert_eq!(a.differences(&b, Scope::default()), "task/5 is gone\n");
        assert_eq!(b.differences(&a, Scope::default()), "task/5 is new\n");
    }

    #[test]
    fn shared_objects_are_numbered() {
        let maps = "1000-2000 rw-s 00000000 00:01 77 /dev/zero (deleted)\n\
                    3000-4000 rw-s 00000000 00:01 78 /dev/zero (deleted)\n\
                    5000-6000 r--s 00000000 00:01 77 /dev/zero (deleted)\n";
        let text = normal_maps(maps);
        let objects: Vec<&str> = text.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
        assert_eq!(objects, ["0", "1", "0"]);
    }

    #[test]
    fn the_exceptions_are_documented() {
        let text = include_str!("../../../docs/TRANSPARENCY.md");
        for (key, _, _) in EXCEPTIONS {
            let name = key.rsplit('/').next().unwrap();
            assert!(
                text.contains(&format!("`{name}`")),
                "docs/TRANSPARENCY.md does not explain {key}"
            );
        }
    }
}
