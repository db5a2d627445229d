// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind task: what a thread has that no other kind has.

use super::quiet;
use harness::{Case, Mode};

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        quiet("task_join", &[]).case("task/keeps_tid_address_and_robust_list"),
        quiet("task_rseq", &[]).case("task/keeps_rseq_registration"),
        quiet("task_io_uring", &[]).case("task/keeps_threads_that_have_used_io_uring"),
        quiet("task_unshared", &[]).case("task/keeps_descriptors_and_directories_of_threads"),
        quiet("task_unshared", &["child"]).case("task/keeps_descriptors_and_directories_of_threads_of_a_child"),
        quiet("task_attributes", &["1"]).case("task/keeps_names_personality_and_flags"),
        quiet("task_attributes", &["0"]).case("task/keeps_undumpable"),
    ];
    // With --detach the new parent, ckptctl, ends at once.
    let with_signal = quiet("task_attributes", &["1", "12"]);
    cases.extend(with_signal.cases("task/keeps_death_signal_of_parent", &[Mode::LeftRunning, Mode::Restart]));
    cases
}
