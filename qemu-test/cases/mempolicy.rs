// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind mempolicy: NUMA policies of threads and mappings.

use super::quiet;
use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        quiet("mempolicy_kept", &[]).case("mempolicy/keeps_policies_of_threads_and_mappings"),
        quiet("mempolicy_kept", &["child"]).case("mempolicy/of_a_child"),
    ]
}
