// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind fd: the descriptor table.

use super::quiet;
use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        quiet("fd_table", &[]).case("fd/keeps_table_and_open_files"),
        quiet("fd_many", &["3000"]).case("fd/keeps_thousands").limit(240),
        quiet("fd_mass", &["files", "9000"])
            .case("fd/keeps_more_files_than_a_record_holds")
            .limit(240),
        quiet("fd_mass", &["epoll", "9000"])
            .case("fd/keeps_a_large_epoll")
            .limit(240),
    ]
}
