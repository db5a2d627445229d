// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind tree: the processes, threads, process groups and sessions that a restart builds.

mod busy_pid;
mod container;
mod family;
mod namespace;
mod prefork;
mod session;

use super::{busy, quiet};
use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        quiet("task_threads", &["1"]).case("tree/one_thread_beside_the_leader"),
        quiet("task_threads", &["100"])
            .case("tree/a_hundred_threads")
            .limit(300),
        quiet("tree_family", &["1", "0"]).case("tree/one_child"),
        quiet("tree_family", &["4", "3"])
            .case("tree/children_and_grandchildren")
            .limit(300),
        quiet("tree_zombies", &[]).case("tree/keeps_zombies"),
        quiet("tree_sessions", &[]).case("tree/keeps_groups_and_sessions"),
        quiet("tree_shared", &[]).case("tree/keeps_what_processes_share"),
        quiet("tree_vfork", &[]).case("tree/keeps_a_vfork_in_progress"),
        quiet("tree_stopped", &[]).case("tree/keeps_stopped_children"),
        quiet("tree_stopping", &[]).case("tree/keeps_a_stop_under_way"),
        quiet("tree_leaderless", &[]).case("tree/keeps_a_main_thread_that_has_exited"),
        quiet("tree_nested", &[])
            .case("tree/keeps_nested_pid_namespaces")
            .limit(300),
        busy("tree_pipes", &[]).case("tree/keeps_a_pipeline").limit(300),
        busy("tree_storm", &["4"])
            .case("tree/forks_and_execs_all_the_time")
            .limit(300),
        quiet("tree_prefork", &["8", "16"])
            .case("tree/keeps_memory_from_before_fork")
            .limit(300),
        Case::new("tree/fifty_children_keep_shared_memory_shared", prefork::stays_small).limit(240),
        Case::new("tree/a_family_prints_its_state", family::prints_its_state),
        Case::new("tree/process_alone_has_no_children", family::alone),
        Case::new("tree/stop_stops_all_of_it", family::stopped),
        Case::new("tree/kill_kills_all_of_it", family::killed),
        Case::new(
            "tree/names_who_has_the_pid_of_a_child",
            family::names_who_has_the_pid_of_a_child,
        ),
        Case::new("tree/copy_in_a_new_pid_namespace", namespace::copy),
        Case::new("tree/copy_as_an_ordinary_user", namespace::ordinary_user).limit(180),
        Case::new("tree/container_comes_back", container::comes_back).limit(180),
        Case::new("tree/keeps_who_has_entered_a_container", container::entered).limit(180),
        Case::new(
            "tree/a_session_does_without_a_terminal_from_outside",
            container::terminal_from_outside,
        ),
        Case::new("tree/names_who_has_entered_a_namespace_below", container::entered_below),
        Case::new("tree/init_passes_signals_and_status_on", namespace::signals_and_status),
        Case::new("tree/a_container_is_saved_from_inside", container::from_inside).limit(180),
        Case::new("tree/names_who_has_the_pid", busy_pid::names_who_has_the_pid),
        Case::new("tree/foreground_passes_the_exit_status", session::exit_status),
        Case::new("tree/foreground_forwards_signals", session::forwards_signals),
        Case::new("tree/stop_leaves_it_stopped", session::stopped),
        Case::new("tree/stopped_program_is_saved", session::saved_while_stopped),
        Case::new("tree/restart_from_a_terminal", session::from_a_terminal),
        Case::new(
            "tree/no_thread_of_a_stopped_program_runs",
            session::no_thread_runs_while_stopped,
        ),
    ]
}
