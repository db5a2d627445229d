// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind socket: Unix sockets inside the target.

mod outsiders;
mod path;
mod user;

use super::quiet;
use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        quiet("socket_pair", &[]).case("socket/keeps_pairs"),
        quiet("socket_tree", &[]).case("socket/keeps_pairs_of_several_processes"),
        quiet("socket_named", &[]).case("socket/keeps_a_server_and_its_clients"),
        quiet("socket_waiting", &[]).case("socket/keeps_connections_that_wait"),
        quiet("socket_rights", &[]).case("socket/keeps_open_files_on_their_way"),
        quiet("socket_datagrams", &[]).case("socket/keeps_datagrams_of_many"),
        quiet("socket_long", &[]).case("socket/keeps_long_messages"),
        quiet("socket_names", &[]).case("socket/keeps_names_that_are_gone"),
        Case::new("socket/refuses_what_comes_after_the_check", outsiders::refused),
        Case::new("socket/puts_only_its_own_file_at_a_path", path::comes_back),
        Case::new("socket/restarts_for_a_user", user::restarts).limit(120),
    ]
}
