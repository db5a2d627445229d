// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A wait without a time limit does not return because of a checkpoint or a restart, and its wake-up still works.

use super::system_call_numbers as numbers;
use harness::{Case, Program, Recipe};

const CALLS: &[&str] = &[
    "pause",
    "sigsuspend",
    "ppoll",
    "poll",
    "nanosleep",
    "sigwaitinfo",
    "sigtimedwait",
    "futex",
    "futex_bitset",
];

/// One for each system call.
pub fn cases() -> Vec<Case> {
    let case = |call: &&'static str| {
        let call = *call;
        let inside = move |target: &mut harness::Target| {
            target.wait_ready()?;
            target.wait_system_call(numbers(call))
        };
        Recipe::quiet(move |context| Ok(Program::own(context, "syscall_blocked").args(&[call])))
            .waits(inside)
            .goes_on(move |target| target.wait_system_call(numbers(call)))
            .case(&format!("restart_block/goes_on_waiting_in_{call}"))
    };
    CALLS.iter().map(case).collect()
}
