// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind pty: pseudoterminals, and controlling terminals.

mod restart;

use super::quiet;
use harness::user::NOBODY;
use harness::{Case, Program, Recipe};

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    let as_nobody = |context: &harness::Context| Ok(Program::own(context, "pty_kept").through(NOBODY));
    vec![
        quiet("pty_kept", &[]).case("pty/keeps_pairs"),
        Case::new("pty/keeps_pairs_of_a_private_devpts", restart::private_devpts),
        Recipe::quiet(as_nobody).case("pty/keeps_pairs_of_nobody"),
        quiet("pty_session", &[]).case("pty/keeps_sessions"),
        quiet("pty_session", &["own"]).case("pty/keeps_the_terminal_of_the_root"),
        Case::new("pty/terminal_of_the_root_wants_a_session", restart::in_the_foreground),
        Case::new("pty/number_in_use_refuses_the_restart", restart::number_in_use),
        Case::new("pty/nobody_restarts_own_session", restart::by_nobody),
    ]
}
