// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The cgroup of a process.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Fixed part of a cgroup record: the process lives in a cgroup below that of the root task. The variable part is the path from there,
/// with a slash before each name.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Cgroup {
    /// Length of the path in bytes.
    pub path_len: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(Cgroup, Cgroup, 8);

impl Cgroup {
    /// Whether a path is one that a record may have: it leads below.
    #[must_use]
    pub fn may_have(path: &[u8]) -> bool {
        path.strip_prefix(b"/").is_some_and(|rest| {
            rest.split(|b| *b == b'/')
                .all(|name| !matches!(name, b"" | b"." | b".."))
        })
    }
}
