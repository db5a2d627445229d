// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Resource limits of a process.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Number of limits (RLIM_NLIMITS).
pub const LIMITS: usize = 16;

/// One limit, as prlimit(2). RLIM_INFINITY is all ones.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Rlimit {
    /// Soft limit.
    pub cur: u64,
    /// Hard limit.
    pub max: u64,
}

/// Body of a resource limits record.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Rlimits {
    /// Indexed by RLIMIT_*.
    pub limits: [Rlimit; LIMITS],
}
record!(Rlimits, Rlimit, 256);
