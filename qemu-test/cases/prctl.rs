// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind prctl: what prctl(2) sets for a process and its threads.

use super::quiet;
use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        quiet("prctl_kept", &[]).case("prctl/keeps_attributes_of_process_and_threads"),
        quiet("prctl_kept", &["child"]).case("prctl/of_a_child"),
    ]
}
