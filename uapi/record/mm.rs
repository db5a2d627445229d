// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Address space: fields, mappings, contents.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{entry, record};

/// Values of [`Mm::flags`].
pub mod mm_flags {
    /// New mappings are locked: mlockall(MCL_FUTURE).
    pub const LOCK_FUTURE: u32 = 1 << 0;
    /// With LOCK_FUTURE: mlockall(MCL_FUTURE | MCL_ONFAULT).
    pub const LOCK_ONFAULT: u32 = 1 << 1;
    /// prctl(PR_SET_THP_DISABLE).
    pub const THP_DISABLE: u32 = 1 << 2;
    /// With THP_DISABLE: PR_THP_DISABLE_EXCEPT_ADVISED.
    pub const THP_EXCEPT_ADVISED: u32 = 1 << 3;
    /// prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN).
    pub const MDWE: u32 = 1 << 4;
    /// With MDWE: PR_MDWE_NO_INHERIT.
    pub const MDWE_NO_INHERIT: u32 = 1 << 5;
    /// prctl(PR_SET_MEMORY_MERGE).
    pub const MERGE_ANY: u32 = 1 << 6;
    /// All known flags.
    pub const ALL: u32 = (1 << 7) - 1;
}

/// Fixed part of an address space record. The variable part is the auxiliary vector (`u64` words).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Mm {
    /// As prctl(PR_SET_MM_MAP): code.
    pub start_code: u64,
    /// End of code.
    pub end_code: u64,
    /// Initialised data.
    pub start_data: u64,
    /// End of initialised data.
    pub end_data: u64,
    /// Start of the heap.
    pub start_brk: u64,
    /// End of the heap.
    pub brk: u64,
    /// Bottom of the main stack.
    pub start_stack: u64,
    /// Command line.
    pub arg_start: u64,
    /// End of the command line.
    pub arg_end: u64,
    /// Environment.
    pub env_start: u64,
    /// End of the environment.
    pub env_end: u64,
    /// Address of the vdso text, 0 without one.
    pub vdso: u64,
    /// Lowest address of the vdso's data pages, 0 without them.
    pub vvar: u64,
    /// Size of the vdso text in bytes.
    pub vdso_size: u64,
    /// XXH64 of the vdso text: it restarts only where the vdso is the same.
    pub vdso_hash: u64,
    /// Objref of the file that /proc/PID/exe names, 0 without one.
    pub exe: u32,
    /// As prctl(PR_GET_DUMPABLE).
    pub dumpable: u32,
    /// [`mm_flags`].
    pub flags: u32,
    /// Number of mappings.
    pub vmas: u32,
    /// Words of the auxiliary vector.
    pub auxv: u32,
    /// Registrations of membarrier(2): bit N is the command `1 << N`.
    pub membarrier: u32,
    /// As /proc/PID/coredump_filter.
    pub coredump_filter: u32,
    /// Objref of the address space that pages with [`extent_flags::SAME`] are taken from, 0 without any.
    pub parent: u32,
}
record!(Mm, Mm, 152);

/// Fixed part of a mappings record; [`Vma`] entries follow, by address.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Vmas {
    /// Number of entries.
    pub count: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(Vmas, Vma, 8);

/// Values of [`Vma::kind`].
pub mod vma_kind {
    /// Private anonymous memory.
    pub const ANON: u32 = 1;
    /// Private mapping of a file.
    pub const FILE_PRIVATE: u32 = 2;
    /// Shared mapping of a file.
    pub const FILE_SHARED: u32 = 3;
    /// Shared anonymous memory: `objref` is a shmem object.
    pub const SHMEM: u32 = 4;
    /// Part of the vdso or of its data; made by the kernel.
    pub const SPECIAL: u32 = 5;
    /// Part of a System V shared memory segment that is attached (shmat(2)): `objref` is the segment. Parts that began at the same
    /// address are of one attachment.
    pub const SYSV: u32 = 6;
    /// The ring of a context of asynchronous I/O (io_setup(2)), whose record follows.
    pub const AIO: u32 = 7;
    /// Private anonymous memory of huge pages (MAP_HUGETLB): a private mapping of a shmem object of huge pages, `objref`.
    pub const HUGE: u32 = 8;
}

/// Values of [`Vma::flags`].
pub mod vma_flags {
    /// MAP_GROWSDOWN.
    pub const GROWSDOWN: u64 = 1 << 0;
    /// mlock(2).
    pub const LOCKED: u64 = 1 << 1;
    /// mlock2(MLOCK_ONFAULT), with LOCKED.
    pub const LOCK_ONFAULT: u64 = 1 << 2;
    /// MAP_NORESERVE.
    pub const NORESERVE: u64 = 1 << 3;
    /// MAP_DROPPABLE.
    pub const DROPPABLE: u64 = 1 << 4;
    /// madvise(MADV_HUGEPAGE).
    pub const HUGEPAGE: u64 = 1 << 5;
    /// madvise(MADV_NOHUGEPAGE).
    pub const NOHUGEPAGE: u64 = 1 << 6;
    /// madvise(MADV_DONTFORK).
    pub const DONTFORK: u64 = 1 << 7;
    /// madvise(MADV_WIPEONFORK).
    pub const WIPEONFORK: u64 = 1 << 8;
    /// madvise(MADV_DONTDUMP).
    pub const DONTDUMP: u64 = 1 << 9;
    /// madvise(MADV_MERGEABLE).
    pub const MERGEABLE: u64 = 1 << 10;
    /// madvise(MADV_SEQUENTIAL).
    pub const SEQUENTIAL: u64 = 1 << 11;
    /// madvise(MADV_RANDOM).
    pub const RANDOM: u64 = 1 << 12;
    /// mseal(2).
    pub const SEALED: u64 = 1 << 13;
    /// The memory is charged although it cannot be written: it has been writable once (the relocated part of a library).
    pub const CHARGED: u64 = 1 << 14;
    /// Attached with SHM_RDONLY.
    pub const ATTACHED_READ_ONLY: u64 = 1 << 15;
    /// All known flags.
    pub const ALL: u64 = (1 << 16) - 1;
}

/// One mapping.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Vma {
    /// First address.
    pub start: u64,
    /// Address after the last byte.
    pub end: u64,
    /// Offset in the file or object, in bytes.
    pub offset: u64,
    /// [`vma_flags`].
    pub flags: u64,
    /// [`vma_kind`].
    pub kind: u32,
    /// PROT_READ, PROT_WRITE, PROT_EXEC.
    pub prot: u32,
    /// Object that is mapped, 0 without one.
    pub objref: u32,
    /// Size of the pages of hugetlbfs as a power of two; 0 for other memory.
    pub page_shift: u32,
}
entry!(Vma, 48);

/// Fixed part of a mapping name record; the text follows. As prctl(PR_SET_VMA_ANON_NAME).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct VmaName {
    /// First address.
    pub start: u64,
    /// Address after the last byte.
    pub end: u64,
}
record!(VmaName, VmaName, 16);

/// Values of [`Extent::flags`].
pub mod extent_flags {
    /// A guard region (madvise(MADV_GUARD_INSTALL)); it has no pages in the payload.
    pub const GUARD: u32 = 1 << 0;
    /// The page that the address space [`Mm::parent`] has at the same address: one of both has not written to it since fork(2).
    /// It has no pages in the payload.
    pub const SAME: u32 = 1 << 1;
    /// All known flags.
    pub const ALL: u32 = GUARD | SAME;
}

/// Fixed part of a page record; [`Extent`] entries follow. The payload is the pages of all extents without flags, in order.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Pages {
    /// Object whose contents these are; 0: the address space.
    pub objref: u32,
    /// Number of extents.
    pub extents: u32,
}
record!(Pages, Pages, 8);

/// A run of pages.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Extent {
    /// User address, or offset in the object, in bytes.
    pub address: u64,
    /// Number of pages.
    pub pages: u32,
    /// [`extent_flags`].
    pub flags: u32,
}
entry!(Extent, 16);
