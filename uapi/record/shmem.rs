// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Shared anonymous memory (`mmap(MAP_SHARED | MAP_ANONYMOUS)`), and what the kernel keeps behind private memory of huge pages.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Body of a shared memory record. Its contents follow in page records with the same objref.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Shmem {
    /// Number of the object.
    pub objref: u32,
    /// 1 when the memory was made with MAP_NORESERVE.
    pub noreserve: u16,
    /// Size of its huge pages (MAP_HUGETLB) as a power of two, or 0.
    pub page_shift: u16,
    /// Size in bytes.
    pub size: u64,
}
record!(Shmem, Shmem, 16);
