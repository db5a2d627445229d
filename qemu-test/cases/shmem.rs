// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind shmem: shared anonymous memory.

use super::quiet;
use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![quiet("mm_shared_anon", &[]).case("shmem/stays_one_object_in_all_mappings")]
}
