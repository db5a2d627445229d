// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind cred: ids, groups, capabilities.

mod nobody;

use super::quiet;
use harness::{Case, Program, Recipe};

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    let as_nobody = |context: &harness::Context| {
        let setpriv = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"];
        Ok(Program::own(context, "cred_all").args(&["plain"]).through(&setpriv))
    };
    vec![
        quiet("cred_all", &["plain"]).case("cred/keeps_root"),
        Recipe::quiet(as_nobody).case("cred/keeps_nobody"),
        quiet("cred_all", &["mixed_ids"]).case("cred/keeps_ids_that_differ"),
        quiet("cred_all", &["subset"]).case("cred/keeps_subset_of_capabilities"),
        quiet("cred_all", &["ambient"]).case("cred/keeps_ambient_capabilities_and_securebits"),
        quiet("cred_all", &["threads"]).case("cred/keeps_ids_of_threads"),
        Case::new("cred/nobody_may_not_save_roots_process", nobody::not_roots),
        Case::new("cred/nobody_saves_and_restarts_own_process", nobody::own),
        Case::new("cred/restart_does_not_raise", nobody::does_not_raise),
    ]
}
