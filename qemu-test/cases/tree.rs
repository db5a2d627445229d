// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind tree: the threads, process group and session that a restart builds.

mod busy_pid;
mod session;

use super::quiet;
use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        quiet("task_threads", &["1"]).case("tree/one_thread_beside_the_leader"),
        quiet("task_threads", &["100"])
            .case("tree/a_hundred_threads")
            .limit(300),
        Case::new("tree/names_who_has_the_pid", busy_pid::names_who_has_the_pid),
        Case::new("tree/foreground_passes_the_exit_status", session::exit_status),
        Case::new("tree/foreground_forwards_signals", session::forwards_signals),
        Case::new("tree/stop_leaves_it_stopped", session::stopped),
        Case::new("tree/stopped_program_is_saved", session::saved_while_stopped),
    ]
}
