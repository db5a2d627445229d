// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Bad calls and bad statefiles: refused with a reason; no complaint of the kernel, no stray task, no leak.

mod feed;
mod ioctls;
mod mutations;
mod statefiles;

use harness::Case;

/// Every case below this.
pub fn all() -> Vec<Case> {
    vec![
        Case::new("hostile/bad_ioctls", ioctls::bad_ioctls).limit(240),
        Case::new("hostile/restart_end_again", ioctls::end_again),
        Case::new("hostile/good_changes_are_accepted", statefiles::good_changes),
        Case::new("hostile/damaged_prologues", statefiles::damaged_prologues).limit(600),
        Case::new("hostile/truncated", statefiles::truncated).limit(600),
        Case::new("hostile/flipped_bits", statefiles::flipped_bits).limit(600),
        Case::new("hostile/moved_records", statefiles::moved_records).limit(600),
        Case::new("hostile/values_with_right_checksums", statefiles::values).limit(900),
        Case::new(
            "hostile/pid_namespaces_of_children",
            statefiles::pid_namespaces_of_children,
        ),
        Case::new("hostile/values_of_landlock", statefiles::values_of_landlock).limit(600),
        Case::new("hostile/external_records", statefiles::external_records),
        Case::new(
            "hostile/pairs_of_network_devices_with_one_end",
            statefiles::pairs_with_one_end,
        ),
        Case::new("hostile/groups_of_two_sessions", statefiles::groups_of_two_sessions),
        Case::new("hostile/offsets_in_files_of_proc", statefiles::offsets_in_files_of_proc),
        Case::new("hostile/numbers_of_terminals", statefiles::numbers_of_terminals),
        Case::new("hostile/values_of_namespaces", statefiles::values_of_namespaces).limit(900),
        Case::new(
            "hostile/values_of_a_user_namespace",
            statefiles::values_of_a_user_namespace,
        )
        .limit(600),
        Case::new(
            "hostile/values_of_nested_user_namespaces",
            statefiles::values_of_nested_user_namespaces,
        )
        .limit(600),
        Case::new(
            "hostile/who_lives_outside_of_his_namespaces",
            statefiles::who_lives_outside_of_his_namespaces,
        ),
        Case::new(
            "hostile/who_lives_outside_of_his_root_directory",
            statefiles::who_lives_outside_of_his_root_directory,
        ),
        Case::new(
            "hostile/values_of_asynchronous_io",
            statefiles::values_of_asynchronous_io,
        )
        .limit(600),
        Case::new("hostile/values_of_locks", statefiles::values_of_locks).limit(600),
        Case::new("hostile/values_of_file_signals", statefiles::values_of_file_signals).limit(600),
        Case::new("hostile/values_of_files", statefiles::values_of_files).limit(900),
        Case::new("hostile/values_of_events", statefiles::values_of_events).limit(600),
        Case::new("hostile/values_of_ipc", statefiles::values_of_ipc).limit(900),
        Case::new(
            "hostile/queues_with_fewer_messages_than_announced",
            statefiles::queues_with_fewer_messages,
        ),
        Case::new("hostile/values_of_terminals", statefiles::values_of_terminals).limit(900),
        Case::new("hostile/values_of_pidfds", statefiles::values_of_pidfds).limit(600),
        Case::new("hostile/values_of_io_uring", statefiles::values_of_io_uring).limit(600),
        Case::new("hostile/values_of_inotify", statefiles::values_of_inotify).limit(600),
        Case::new("hostile/values_of_fanotify", statefiles::values_of_fanotify).limit(600),
        Case::new("hostile/values_of_long_messages", statefiles::values_of_long_messages).limit(600),
        Case::new("hostile/values_of_files_of_proc", statefiles::values_of_files_of_proc).limit(600),
        Case::new(
            "hostile/values_of_descriptors_of_namespaces",
            statefiles::values_of_descriptors_of_namespaces,
        )
        .limit(600),
        Case::new("hostile/values_of_userfaultfds", statefiles::values_of_userfaultfds).limit(600),
        Case::new("hostile/values_of_trees", statefiles::values_of_trees).limit(900),
        Case::new("hostile/values_of_cgroups", statefiles::values_of_cgroups).limit(600),
        Case::new("hostile/values_of_overlays", statefiles::values_of_overlays).limit(600),
        Case::new(
            "hostile/values_of_who_has_entered",
            statefiles::values_of_who_has_entered,
        )
        .limit(600),
        Case::new("hostile/values_of_decided_files", statefiles::values_of_decided_files).limit(600),
        Case::new("hostile/child_of_huge_pages", statefiles::child_of_huge_pages),
        Case::new("hostile/values_of_huge_pages", statefiles::values_of_huge_pages).limit(600),
        Case::new(
            "hostile/values_of_files_without_a_name",
            statefiles::values_of_files_without_a_name,
        )
        .limit(600),
        Case::new("hostile/values_of_carried_files", statefiles::values_of_carried_files).limit(600),
        Case::new("hostile/values_of_sockets", statefiles::values_of_sockets).limit(600),
        Case::new("hostile/pairs_of_sockets_of_two_types", statefiles::types_of_pairs),
        Case::new("hostile/values_of_socket_queues", statefiles::values_of_socket_queues).limit(600),
        Case::new("hostile/values_of_task_state", statefiles::values_of_task_state).limit(600),
        Case::new(
            "hostile/values_of_a_program_with_threads",
            statefiles::values_of_threads,
        )
        .limit(600),
    ]
}
