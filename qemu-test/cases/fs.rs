// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind fs: working directory, root directory, umask.

mod chroot;

use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        Case::new("fs/keeps_working_directory_and_umask", chroot::plain),
        Case::new("fs/keeps_root_directory", chroot::jailed),
    ]
}
