// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Descriptors by which a process is told of its page faults. Each is an object; descriptors refer to it.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// O_* flags that such an open file keeps: O_NONBLOCK.
pub const FLAGS: u32 = 0o4000;
/// Flags that userfaultfd(2) takes: O_NONBLOCK, O_CLOEXEC and UFFD_USER_MODE_ONLY.
pub const MADE: u32 = 0o4000 | 0o2_000_000 | 1;

/// A userfaultfd(2) with which no memory is registered.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Userfaultfd {
    /// Number of the object.
    pub objref: u32,
    /// O_* flags: [`FLAGS`].
    pub flags: u32,
    /// What it was made with: [`MADE`].
    pub made: u32,
    /// 1 when UFFDIO_API has been called.
    pub api: u32,
    /// UFFD_FEATURE_* bits that UFFDIO_API has been called with.
    pub features: u64,
}
record!(Userfaultfd, Userfaultfd, 24);
