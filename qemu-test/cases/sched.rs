// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind sched: scheduling attributes.

use super::quiet;
use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![quiet("sched_attributes", &[]).case("sched/keeps_attributes_of_threads")]
}
