// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! What only shows with several CPUs: run by `cases --smp` in a guest with four.

mod affinity;

use crate::{cases, robust};
use harness::{Case, Mode, Program, Recipe};

/// Cases of other groups once more, and the programs with threads.
pub fn all() -> Vec<Case> {
    let printing = |program: &'static str| Recipe::busy(move |context| Ok(Program::own(context, program)));
    [
        printing("pthreads").cases("smp/pthreads", &[Mode::LeftRunning, Mode::Twice]),
        printing("openmp").cases("smp/openmp", &[Mode::LeftRunning, Mode::Twice]),
        vec![
            cases::busy("fpu_registers", &["loop"]).case("smp/keeps_registers_in_user_mode"),
            cases::quiet("task_threads", &["100"])
                .case("smp/a_hundred_threads")
                .limit(300),
            cases::quiet("sched_attributes", &[]).case("smp/keeps_scheduling_attributes"),
            Case::new("smp/keeps_affinity_within_a_cpuset", affinity::kept),
            Case::new("smp/restart_of_a_family_killed_100_times", robust::killed_family).limit(300),
            Case::new("smp/freeze_and_thaw_in_a_storm_of_threads", robust::storm).limit(240),
            Case::new("smp/threads_come_and_go_meanwhile", robust::threads_come_and_go).limit(240),
            Case::new("smp/restart_killed_at_50_moments", robust::killed_restart).limit(400),
        ],
    ]
    .into_iter()
    .flatten()
    .collect()
}
