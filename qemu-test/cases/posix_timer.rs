// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind posix_timer: timers of timer_create(2).

use super::{busy, quiet};
use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        quiet("posix_timer_kept", &["armed"]).case("posix_timer/keeps_numbers_clocks_and_time_left"),
        busy("posix_timer_kept", &["fires"]).case("posix_timer/fires_afterwards"),
        busy("posix_timer_kept", &["pending"]).case("posix_timer/keeps_pending_signals_and_overruns"),
        busy("posix_timer_kept", &["ignored"]).case("posix_timer/goes_on_when_no_longer_ignored"),
        busy("posix_timer_kept", &["thread"]).case("posix_timer/of_a_thread"),
        busy("posix_timer_kept", &["fires", "child"]).case("posix_timer/of_a_child"),
        quiet("posix_timer_kept", &["huge"]).case("posix_timer/keeps_the_longest_periods"),
        quiet("posix_timer_kept", &["many"]).case("posix_timer/many"),
    ]
}
