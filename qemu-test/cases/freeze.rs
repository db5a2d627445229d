// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Stopping a target and letting it go, without a dump: nothing shows, whatever it waits in.

mod system_calls;

use harness::Case;

/// The cases of this group.
pub fn cases() -> Vec<Case> {
    system_calls::cases()
}
