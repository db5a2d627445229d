// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Working directory, root directory and umask.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Fixed part of an fs record. The variable part is the working directory, seen from the root directory of the task, and
/// then that root directory, seen from the one of whoever saved.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Fs {
    /// As umask(2).
    pub umask: u32,
    /// Length of the working directory's path in bytes.
    pub cwd_len: u32,
    /// Length of the root directory's path in bytes.
    pub root_len: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(Fs, Fs, 16);
