// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Runs cases one after the other and reports in KTAP.
//!
//! Each case is a process of its own: a session leader, and the reaper of every orphan below it. What survives it is a
//! stray task. Usage: `cases [--smp | --pm | --part K/N] [--list] [PATTERN]`; the groups `smp/` and `pm/`, which want guests of their
//! own, run only with `--smp` and `--pm`; `--part` takes every Nth case, from the Kth on.

use crate::klog::KernelLog;
use crate::process::{end_children, wait_until};
use crate::{Case, Context, Outcome};
use rustix::process::{set_child_subreaper, setsid, Pid};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const WORK: &str = "/tmp/ckpt-cases";
const FAILED: u8 = 1;
const SKIPPED: u8 = 77;
/// Most lines of a case's own output that are shown.
const SHOWN: usize = 80;

/// The whole program.
pub fn main(cases: Vec<Case>) -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let (group, part, words) = match words.as_slice() {
        ["--smp", rest @ ..] => (Some("smp/"), Some((1, 1)), rest),
        ["--pm", rest @ ..] => (Some("pm/"), Some((1, 1)), rest),
        ["--part", part, rest @ ..] => (None, part_of(part), rest),
        rest => (None, Some((1, 1)), rest),
    };
    let Some((part, parts)) = part else {
        return usage();
    };
    let chosen = |pattern: &str| {
        let matching = cases
            .iter()
            .filter(|case| in_group(case, group) && case.name.contains(pattern));
        matching.skip(part - 1).step_by(parts).collect()
    };
    match words {
        ["--run", name] => run_one(&cases, name),
        ["--list"] => {
            cases.iter().for_each(|case| println!("{}", case.name));
            ExitCode::SUCCESS
        }
        [] => run_all(chosen("")),
        [pattern] => run_all(chosen(pattern)),
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: cases [--smp | --pm | --part K/N] [--list] [PATTERN]");
    ExitCode::from(2)
}

/// `K/N`, both from 1 on.
fn part_of(text: &str) -> Option<(usize, usize)> {
    let (part, parts) = text.split_once('/')?;
    let (part, parts) = (part.parse().ok()?, parts.parse().ok()?);
    (1..=parts).contains(&part).then_some((part, parts))
}

/// Whether a case is of a group that runs by itself, or of none of them.
fn in_group(case: &Case, group: Option<&str>) -> bool {
    match group {
        Some(group) => case.name.starts_with(group),
        None => !["smp/", "pm/"].iter().any(|alone| case.name.starts_with(alone)),
    }
}

/// The child: one case, whose verdict is the exit status and whose reason is the output.
fn run_one(cases: &[Case], name: &str) -> ExitCode {
    let Some(case) = cases.iter().find(|case| case.name == name) else {
        println!("no such case");
        return ExitCode::from(FAILED);
    };
    // A leader of a session already, when a person calls it.
    let _ = setsid();
    if let Err(errno) = set_child_subreaper(Some(Pid::INIT)) {
        println!("cannot become a reaper: {errno}");
        return ExitCode::from(FAILED);
    }
    let context = Context::new(name, &work_dir(name));
    match case.run(&context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Outcome::Fail(why)) => {
            println!("{why}");
            ExitCode::from(FAILED)
        }
        Err(Outcome::Skip(why)) => {
            println!("{why}");
            ExitCode::from(SKIPPED)
        }
    }
}

fn work_dir(name: &str) -> PathBuf {
    Path::new(WORK).join(name.replace('/', "."))
}

/// What a case came to.
enum Verdict {
    Passed,
    Failed,
    Skipped(String),
}

fn run_all(cases: Vec<&Case>) -> ExitCode {
    println!("KTAP version 1");
    println!("1..{}", cases.len());
    let _ = set_child_subreaper(Some(Pid::INIT));
    let mut failed = 0;
    for (index, case) in cases.iter().enumerate() {
        let number = index + 1;
        let start = Instant::now();
        let mut notes = Vec::new();
        let verdict = supervise(case, &mut notes);
        for note in notes {
            println!("# {note}");
        }
        println!("# {} ms", start.elapsed().as_millis());
        match verdict {
            Verdict::Passed => println!("ok {number} {}", case.name),
            Verdict::Skipped(reason) => println!("ok {number} {} # SKIP {reason}", case.name),
            Verdict::Failed => {
                failed += 1;
                println!("not ok {number} {}", case.name);
            }
        }
        let _ = std::io::stdout().flush();
    }
    ExitCode::from(u8::from(failed > 0))
}

/// Runs a case in a child and looks at what it leaves.
fn supervise(case: &Case, notes: &mut Vec<String>) -> Verdict {
    let dir = work_dir(&case.name);
    let log = dir.with_extension("log");
    let mut kernel = match prepare(&dir) {
        Ok(kernel) => kernel,
        Err(error) => {
            notes.push(format!("cannot prepare: {error}"));
            return Verdict::Failed;
        }
    };
    let verdict = run_child(case, &log, notes);
    let strays = end_children();
    let mut clean = strays.is_empty() || matches!(verdict, Verdict::Failed);
    notes.extend(strays.iter().map(|stray| format!("stray task: {stray}")));
    if wait_until(Duration::from_secs(10), || (references() == Some(0)).then_some(())).is_none() {
        notes.push(format!("references to the module: {:?}", references()));
        clean = false;
    }
    for complaint in kernel.complaints() {
        notes.push(format!("kernel: {complaint}"));
        clean = false;
    }
    if clean && !matches!(verdict, Verdict::Failed) {
        let _ = fs::remove_dir_all(&dir);
        let _ = fs::remove_file(&log);
        return verdict;
    }
    Verdict::Failed
}

fn prepare(dir: &Path) -> std::io::Result<KernelLog> {
    let _ = fs::remove_dir_all(dir);
    fs::create_dir_all(dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o1777))?;
    KernelLog::open()
}

fn run_child(case: &Case, log: &Path, notes: &mut Vec<String>) -> Verdict {
    let spawn = || {
        let out = File::create(log)?;
        let own = std::env::current_exe()?;
        let mut command = Command::new(own);
        command
            .args(["--run", &case.name])
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out);
        command.spawn()
    };
    let mut child = match spawn() {
        Ok(child) => child,
        Err(error) => {
            notes.push(format!("cannot start: {error}"));
            return Verdict::Failed;
        }
    };
    let status = wait_until(case.limit, || child.try_wait().ok().flatten());
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let text = String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned();
    match status.map(|status| status.code()) {
        Some(Some(0)) => Verdict::Passed,
        Some(Some(code)) if code == i32::from(SKIPPED) => {
            Verdict::Skipped(text.lines().last().unwrap_or("no reason given").to_owned())
        }
        ended => {
            let lines: Vec<&str> = text.lines().collect();
            notes.extend(
                lines[lines.len().saturating_sub(SHOWN)..]
                    .iter()
                    .map(|line| (*line).to_owned()),
            );
            match ended {
                None => notes.push(format!("time limit of {} s reached", case.limit.as_secs())),
                Some(None) => notes.push("the case was killed by a signal".into()),
                Some(Some(_)) => {}
            }
            Verdict::Failed
        }
    }
}

/// Use count of the module.
pub fn references() -> Option<u32> {
    let modules = fs::read_to_string("/proc/modules").ok()?;
    modules
        .lines()
        .find_map(|line| line.strip_prefix("ckpt ")?.split(' ').nth(1)?.parse().ok())
}
