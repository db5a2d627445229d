// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! pidfds: descriptors that stand for a process or a thread. Each is an object; descriptors refer to it.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// O_* flags that such an open file keeps: O_NONBLOCK (PIDFD_NONBLOCK) and O_EXCL (PIDFD_THREAD).
pub const FLAGS: u32 = 0o4000 | 0o200;
/// PIDFD_THREAD.
pub const THREAD: u32 = 0o200;

/// Values of [`Pidfd::task`] that are no index.
pub mod task {
    /// The process has been reaped.
    pub const REAPED: u32 = u32::MAX;
}

/// A pidfd_open(2).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Pidfd {
    /// Number of the object.
    pub objref: u32,
    /// O_* flags: [`FLAGS`].
    pub flags: u32,
    /// Index of the task in the tree, or [`task::REAPED`].
    pub task: u32,
    /// Of one that has been reaped: objref of another pidfd of the same one; 0 for the first.
    pub same: u32,
    /// Of the first of one that has been reaped: how it ended, as wait(2) returns it.
    pub status: u32,
    /// 1 when `status` is known.
    pub has_status: u32,
}
record!(Pidfd, Pidfd, 24);
