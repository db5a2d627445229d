// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A wait with a time limit goes on with the time that was left: it does not end early, fail, or start over.

use super::system_call_numbers as numbers;
use harness::case::During;
use harness::{ensure, fail, Case, Context, Program, Result};
use rustix::time::{clock_gettime, ClockId};

const CALLS: &[&str] = &[
    "nanosleep",
    "clock_nanosleep",
    "clock_nanosleep_abs",
    "poll",
    "ppoll",
    "select",
    "pselect",
    "futex",
    "futex_abs",
    "sigtimedwait",
];

/// How long the program waits in all, and how long before it is saved.
const WHOLE_MS: i64 = 3500;
const BEFORE_MS: i64 = 2000;
/// sigtimedwait has no remaining time in the kernel: it starts over, as DESIGN.md section 5 has it for SA_RESTART.
const STARTS_OVER: &[&str] = &["sigtimedwait"];
/// A late wake-up on a loaded machine looks like a start over; three in a row do not.
const TRIES: usize = 3;

/// One for each system call, and one for each that is only saved.
pub fn cases() -> Vec<Case> {
    let restarted = |call: &&'static str| {
        let call = *call;
        Case::new(
            format!("restart_block/keeps_remaining_time_of_{call}"),
            move |context| keeps(context, call),
        )
    };
    let left = |call: &&'static str| {
        let call = *call;
        Case::new(
            format!("restart_block/left_running_ends_in_time_{call}"),
            move |context| left_running(context, call),
        )
    };
    CALLS
        .iter()
        .map(restarted)
        .chain(["nanosleep", "futex_abs"].iter().map(left))
        .collect()
}

fn now() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// The number behind a word at the start of a line.
fn stamp(lines: &[String], word: &str) -> Option<i64> {
    lines
        .iter()
        .find_map(|line| line.strip_prefix(word)?.trim().parse().ok())
}

fn keeps(context: &Context, call: &str) -> Result {
    let mut why = String::new();
    for _ in 0..TRIES {
        match attempt(context, call)? {
            None => return Ok(()),
            Some(late) => why = late,
        }
    }
    fail!("{why}")
}

/// One run; gives a text when the wait took as long as if it had started over.
fn attempt(context: &Context, call: &str) -> Result<Option<String>> {
    let whole = WHOLE_MS * 1_000_000;
    let mut target = Program::own(context, "syscall_timed")
        .args(&[call, &WHOLE_MS.to_string()])
        .start()?;
    target.wait_ready()?;
    let start = target.wait_output("start", |lines| stamp(lines, "start"))?;
    target.wait_system_call(numbers(call))?;
    while now() < start + BEFORE_MS * 1_000_000 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let file = context.path("timed.ckpt");
    target.checkpoint_kill(&file)?;
    let saved = now();
    // Long enough that a clock that went on in the meantime would be noticed: the whole limit has passed.
    while call != "clock_nanosleep_abs" && call != "futex_abs" && now() < start + whole {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let restarted = now();
    target.restart(&file)?;
    target.wait_good_end().during("after the restart")?;
    let end = target.wait_output("end", |lines| stamp(lines, "end"))?;
    if call.ends_with("_abs") {
        return Ok(None);
    }
    let left = whole - (saved - start);
    ensure!(
        end >= restarted + left,
        "{call} ended {} ms too early",
        (restarted + left - end) / 1_000_000
    );
    let started_over = end - restarted >= whole && !STARTS_OVER.contains(&call);
    Ok(started_over.then(|| {
        format!(
            "{call} took {} ms after the restart, with {} ms left",
            (end - restarted) / 1_000_000,
            left / 1_000_000
        )
    }))
}

fn left_running(context: &Context, call: &str) -> Result {
    let mut target = Program::own(context, "syscall_timed").args(&[call, "2500"]).start()?;
    target.wait_ready()?;
    target.wait_system_call(numbers(call))?;
    for turn in 0..3 {
        target.checkpoint(&context.path(&format!("left{turn}.ckpt")))?;
    }
    target.wait_good_end()
}
