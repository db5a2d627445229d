// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind rlimit: resource limits.

use super::quiet;
use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![quiet("rlimit_all", &[]).case("rlimit/keeps_limits_below_what_is_used")]
}
