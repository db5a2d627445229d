// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind seccomp: filters and the strict mode.

use super::{busy, quiet};
use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        quiet("seccomp_kept", &["filters"]).case("seccomp/keeps_filters"),
        quiet("seccomp_kept", &["forbids"]).case("seccomp/filter_forbids_what_a_restore_does"),
        quiet("seccomp_kept", &["tree"]).case("seccomp/threads_share_filters"),
        quiet("seccomp_kept", &["strict"]).case("seccomp/strict_mode_of_a_thread"),
        quiet("seccomp_kept", &["privileged"]).case("seccomp/filter_of_dropped_privileges"),
        busy("seccomp_kept", &["child"]).case("seccomp/of_children"),
    ]
}
