// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind pty: pseudoterminals, and controlling terminals.

use super::quiet;
use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        quiet("pty_kept", &[]).case("pty/keeps_pairs"),
        quiet("pty_session", &[]).case("pty/keeps_sessions"),
    ]
}
