// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind landlock: what a program has denied itself.

mod restricted;

use super::quiet;
use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    let kept = |variant: &'static str, name: &str| {
        let args: &'static [&'static str] = Vec::leak(vec![variant]);
        quiet("landlock_kept", args).case(name)
    };
    vec![
        kept("layers", "landlock/keeps_layers_and_rights_of_open_files"),
        kept("threads", "landlock/keeps_which_threads_share_a_domain"),
        kept("dropped", "landlock/keeps_domain_after_capabilities_went"),
        kept("limit", "landlock/keeps_domain_without_a_free_descriptor"),
        kept("log", "landlock/keeps_log_off"),
        kept("exec", "landlock/keeps_domain_from_before_execve"),
        kept("deepest", "landlock/keeps_as_many_layers_as_there_may_be"),
        Case::new("landlock/shows_layers", restricted::shows),
        Case::new("landlock/adds_to_the_restarters_domain", restricted::adds),
        Case::new("landlock/refuses_more_layers_than_there_may_be", restricted::too_many),
        Case::new("landlock/needs_privilege_or_none_for_good", restricted::needs_privilege),
    ]
}
