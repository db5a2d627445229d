// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The end of a statefile.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Body of the trailer.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Trailer {
    /// Number of records, the trailer included.
    pub records: u64,
    /// Sum of all payloads in bytes.
    pub payload: u64,
    /// Number of shared objects.
    pub objects: u32,
    /// Number of tasks.
    pub tasks: u32,
    /// XXH64 of the prefix and the `hash` fields of all records before the trailer, in order.
    pub hash: u64,
}
record!(Trailer, Trailer, 32);
