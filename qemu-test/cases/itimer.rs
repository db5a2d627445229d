// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind itimer: interval timers.

use super::{busy, quiet};
use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        quiet("itimer_kept", &["armed"]).case("itimer/keeps_interval_and_remaining_time"),
        // Its timers become pending while it is looked at.
        busy("itimer_kept", &["fires"]).case("itimer/fires_afterwards"),
    ]
}
