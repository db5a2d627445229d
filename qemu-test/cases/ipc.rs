// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kinds shm, sem, msg and mqueue: System V IPC and POSIX message queues.

use super::quiet;
use harness::Case;

/// The cases of these kinds.
pub fn cases() -> Vec<Case> {
    vec![
        quiet("shm_attached", &[]).case("ipc/keeps_attached_segments"),
        quiet("shm_attached", &["own"]).case("ipc/keeps_all_segments_of_a_namespace"),
        quiet("shm_family", &[]).case("ipc/keeps_a_segment_of_a_family"),
        quiet("sem_undo", &[]).case("ipc/keeps_semaphores_with_something_to_undo"),
        quiet("sem_undo", &["own"]).case("ipc/keeps_all_semaphores_of_a_namespace"),
        quiet("msg_queues", &[]).case("ipc/keeps_message_queues_of_a_namespace"),
    ]
}
