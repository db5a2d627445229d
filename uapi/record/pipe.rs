// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Pipes and named FIFOs both ends of which belong to the target.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Largest content of a pipe record in bytes.
pub const CONTENT_MAX: u32 = 192 * 1024;

/// Fixed part of a pipe record. The variable part is what has been written and not yet read, then the path of a named FIFO.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Pipe {
    /// Number of the object.
    pub objref: u32,
    /// Capacity in bytes, as fcntl(F_GETPIPE_SZ).
    pub capacity: u32,
    /// Bytes of content.
    pub content: u32,
    /// Length of the path of a named FIFO in bytes; 0 for an anonymous pipe.
    pub path_len: u32,
}
record!(Pipe, Pipe, 16);
