// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! What the target has to do with the world outside, and a restart has to be told anew.

use super::record;
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Most bytes of names, here and in what a restart is told.
pub const EXTERNALS_MAX: u32 = 32 * 1024;

/// Fixed part. Names follow, each with a NUL at its end: `veth[NAME]` for a network device NAME whose other end is in the network
/// namespace of whoever saved.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct External {
    /// Length of the names in bytes.
    pub length: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(External, External, 8);
