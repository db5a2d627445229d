// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A target that waits in a system call is frozen and thawed: the call neither fails with EINTR nor ends early, also
//! those that cannot be saved yet (epoll) or that the kernel would interrupt (sigtimedwait, semtimedop).

use crate::cases::restart_block::system_call_numbers;
use harness::ckptctl::{self, exit};
use harness::process::{wait_until, PATIENCE};
use harness::{ensure, fail, Case, Context, Program, Result, Target};
use std::io::Read;
use std::process::{Child, Stdio};

const BLOCKED: &[&str] = &[
    "pause",
    "sigsuspend",
    "ppoll",
    "nanosleep",
    "sigtimedwait",
    "epoll_wait",
    "futex",
];
const TIMED: &[&str] = &[
    "nanosleep",
    "poll",
    "select",
    "futex",
    "sigtimedwait",
    "epoll_wait",
    "epoll_pwait2",
    "semtimedop",
];
const TURNS: usize = 4;

/// The cases of this group.
pub fn cases() -> Vec<Case> {
    let blocked = |call: &&'static str| {
        let call = *call;
        Case::new(format!("freeze/goes_on_waiting_in_{call}"), move |context| {
            waits_on(context, call)
        })
    };
    let timed = |call: &&'static str| {
        let call = *call;
        Case::new(format!("freeze/ends_in_time_{call}"), move |context| {
            ends_in_time(context, call)
        })
    };
    let mut cases: Vec<Case> = BLOCKED.iter().map(blocked).chain(TIMED.iter().map(timed)).collect();
    cases.push(Case::new("freeze/stands_still_until_thawed", stands_still));
    cases.push(Case::new(
        "freeze/thaw_ends_the_freeze_of_another_command",
        thawed_by_command,
    ));
    cases
}

/// Starts `ckptctl freeze` and waits until the target is frozen.
fn freeze(target: &Target) -> Result<Child> {
    let pid = target.pid.to_string();
    let mut child = ckptctl::command(&["freeze", "--json", &pid])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut byte = [0];
    let Some(out) = child.stdout.as_mut() else {
        fail!("no pipe")
    };
    let got = out.read(&mut byte)?;
    if got == 0 {
        let status = child.wait()?;
        fail!("ckptctl freeze ended with {status}");
    }
    Ok(child)
}

/// Ends `ckptctl freeze` as a key would.
fn thaw(mut child: Child) -> Result {
    harness::process::signal(child.id() as i32, rustix::process::Signal::INT)?;
    let status = wait_until(PATIENCE, || child.try_wait().ok().flatten());
    ensure!(
        status.and_then(|s| s.code()) == Some(exit::DONE),
        "ckptctl freeze ended with {status:?}"
    );
    Ok(())
}

fn waits_on(context: &Context, call: &str) -> Result {
    let mut target = Program::own(context, "syscall_blocked").args(&[call]).start()?;
    target.wait_ready()?;
    for _ in 0..TURNS {
        target.wait_system_call(system_call_numbers(call))?;
        thaw(freeze(&target)?)?;
    }
    target.wait_system_call(system_call_numbers(call))?;
    target.finish()
}

fn ends_in_time(context: &Context, call: &str) -> Result {
    let mut target = Program::own(context, "syscall_timed").args(&[call, "2000"]).start()?;
    target.wait_ready()?;
    target.wait_system_call(system_call_numbers(call))?;
    for _ in 0..TURNS {
        thaw(freeze(&target)?)?;
    }
    target.wait_good_end()
}

/// A frozen target does nothing.
fn stands_still(context: &Context) -> Result {
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    let freezer = freeze(&target)?;
    let before = target.output();
    std::thread::sleep(std::time::Duration::from_millis(500));
    ensure!(target.output() == before, "a frozen target has printed something");
    thaw(freezer)?;
    target.wait_more_lines(2)?;
    target.finish()
}

fn thawed_by_command(context: &Context) -> Result {
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    let mut freezer = freeze(&target)?;
    ckptctl::run(&["thaw", &target.pid.to_string()])?.expect(exit::DONE)?;
    let status = wait_until(PATIENCE, || freezer.try_wait().ok().flatten());
    ensure!(
        status.and_then(|s| s.code()) == Some(exit::DONE),
        "ckptctl freeze ended with {status:?}"
    );
    target.wait_more_lines(2)?;
    target.finish()
}
