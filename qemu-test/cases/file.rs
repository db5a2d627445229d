// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kinds file and pipe: open files; here locks, pipes, the standard descriptors and sessions of the device (the others:
//! kind fd).

pub mod carried;
mod changed;
mod itself;
mod linked;
mod lock;
mod stdio;
mod uring;

use super::{ns::rootless, quiet};
use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        quiet("file_pipe", &[]).case("file/keeps_pipes_inside"),
        quiet("fd_events", &[]).case("file/keeps_event_descriptors"),
        quiet("file_pidfd", &[]).case("file/keeps_pidfds"),
        quiet("file_inotify", &[]).case("file/keeps_inotify").limit(240),
        quiet("file_fanotify", &[]).case("file/keeps_fanotify"),
        quiet("file_fanotify", &["user"]).case("file/keeps_fanotify_of_a_user"),
        quiet("file_fanotify", &["nested"]).case("file/keeps_fanotify_of_a_nested_user_namespace"),
        Case::new("file/keeps_fanotify_of_a_rootless_container", |context| {
            rootless::program_by_user(context, "file_fanotify")
        })
        .limit(180),
        quiet("file_proc", &[]).case("file/keeps_files_of_proc"),
        quiet("file_namespace", &[]).case("file/keeps_descriptors_of_namespaces"),
        quiet("file_userfaultfd", &[]).case("file/keeps_userfaultfds"),
        quiet("file_flock", &[]).case("file/keeps_locks_of_flock"),
        quiet("file_locks", &[]).case("file/keeps_locks_of_fcntl"),
        quiet("file_signals", &[]).case("file/keeps_signals_and_leases"),
        quiet("file_io_uring", &["queues"]).case("file/keeps_io_uring_with_its_queues"),
        quiet("file_io_uring", &["long"]).case("file/keeps_io_uring_with_long_entries"),
        quiet("file_io_uring", &["deferred"]).case("file/keeps_io_uring_of_one_task"),
        quiet("file_io_uring", &["kept"]).case("file/keeps_io_uring_with_files_and_buffers"),
        quiet("file_io_uring", &["overflow"]).case("file/keeps_io_uring_that_overflows"),
        quiet("file_io_uring", &["disabled"]).case("file/keeps_io_uring_that_is_disabled"),
        quiet("file_io_uring", &["waiting"]).case("file/keeps_a_wait_for_io_uring"),
        quiet("file_io_uring", &["registered"]).case("file/keeps_io_uring_that_is_registered"),
        Case::new("file/waits_for_requests_of_io_uring", uring::is_waited_for),
        Case::new("file/requests_of_io_uring_are_refused", uring::is_refused),
        Case::new("file/keeps_a_wait_for_io_uring_that_submits", uring::that_submits),
        Case::new(
            "file/wait_for_io_uring_without_descriptor_is_refused",
            uring::without_descriptor,
        ),
        Case::new(
            "file/endless_requests_of_io_uring_are_refused_at_once",
            uring::that_waits_for_others,
        ),
        Case::new("file/keeps_io_uring_with_all_at_once", uring::with_all),
        Case::new("file/keeps_io_uring_with_workers", uring::with_workers),
        quiet("file_path", &[]).case("file/keeps_paths_advice_and_positions"),
        quiet("file_deleted", &[]).case("file/keeps_deleted_files"),
        Case::new("file/keeps_files_that_have_another_name", linked::are_reopened),
        quiet("file_memfd", &[]).case("file/keeps_memfds"),
        Case::new("file/keeps_files_of_huge_pages", super::mm::huge::of_files).limit(240),
        Case::new("file/lock_of_another_refuses_the_restart", lock::taken_meanwhile),
        Case::new(
            "file/lock_of_fcntl_of_another_refuses_the_restart",
            lock::range_taken_meanwhile,
        ),
        Case::new("file/replaced_file_is_named", changed::replaced),
        Case::new("file/contents_are_put_back", carried::put_back),
        Case::new("file/contents_are_not_lost_to_a_damaged_statefile", carried::damaged),
        Case::new("file/contents_of_written_files_are_put_back", carried::only_written),
        Case::new("file/contents_of_programs_are_left_alone", carried::not_of_programs),
        Case::new("file/contents_are_put_into_no_foreign_file", carried::foreign),
        Case::new("file/stdio_pipes_become_the_restarters", stdio::pipes),
        Case::new("file/stdio_terminal_becomes_the_restarters", stdio::terminal),
        Case::new("file/stdio_null", stdio::null),
        Case::new("file/stdio_file", stdio::file),
        Case::new("file/stdio_file_redirection_is_kept", stdio::redirected),
        Case::new("file/program_saves_itself", itself::alone),
        Case::new("file/program_with_threads_saves_itself", itself::threads),
    ]
}
