// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Thread ids of a task in pid namespaces below that of the root task.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Fixed part of a pids record. The thread ids (u32) follow: first that in the namespace just below the root task's, last that
/// in the task's own.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Pids {
    /// Index of the task in the tree.
    pub index: u32,
    /// Number of thread ids: [`super::tree::Tree::level`].
    pub count: u32,
}
record!(Pids, Pids, 8);
