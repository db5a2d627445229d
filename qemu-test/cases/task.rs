// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind task: what a thread has that no other kind has.

use super::quiet;
use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        quiet("task_join", &[]).case("task/keeps_tid_address_and_robust_list"),
        quiet("task_rseq", &[]).case("task/keeps_rseq_registration"),
        quiet("task_attributes", &["dumpable", "1"]).case("task/keeps_names_personality_and_flags"),
        quiet("task_attributes", &["dumpable", "0"]).case("task/keeps_undumpable"),
    ]
}
