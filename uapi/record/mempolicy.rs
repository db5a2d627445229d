// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! NUMA memory policies, of a thread and of mappings.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Most words of a node mask.
pub const WORDS_MAX: u32 = 16;

/// Fixed part of a memory policy record (per thread). The variable part is the node mask (`u64` words).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Mempolicy {
    /// MPOL_* with the mode flags MPOL_F_*, as set_mempolicy(2).
    pub mode: u32,
    /// Words of the node mask.
    pub words: u32,
}
record!(Mempolicy, Mempolicy, 8);

/// Fixed part of a mapping policy record. The variable part is the node mask (`u64` words).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct VmaPolicy {
    /// First address.
    pub start: u64,
    /// Address after the last byte.
    pub end: u64,
    /// MPOL_* with the mode flags MPOL_F_*, as mbind(2).
    pub mode: u32,
    /// Words of the node mask.
    pub words: u32,
    /// As set_mempolicy_home_node(2); -1 without one.
    pub home_node: i32,
    /// Must be zero.
    pub reserved: u32,
}
record!(VmaPolicy, VmaPolicy, 32);
