// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind signal: actions, masks, alternate stacks, frames on the stack, pending signals.

use super::quiet;
use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        quiet("signal_actions", &[]).case("signal/keeps_actions"),
        quiet("signal_mask", &[]).case("signal/keeps_masks_of_threads"),
        quiet("signal_altstack", &[]).case("signal/keeps_alternate_stacks"),
        quiet("signal_in_handler", &[]).case("signal/returns_from_nested_handlers"),
        quiet("signal_pending", &[]).case("signal/keeps_pending_signals"),
    ]
}
