// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! What was saved, when and where.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// ELF machine number of x86-64 (`EM_X86_64`): [`Header::arch`].
pub const ARCH_X86_64: u32 = 62;

/// Values of [`Header::flags`].
pub mod flags {
    /// All tasks of a pid namespace were saved: the root task was its init.
    pub const CONTAINER: u32 = 1 << 0;
    /// Contents of files that have a name may be there, which a restart puts back.
    pub const CONTENTS: u32 = 1 << 1;
    /// All known flags.
    pub const ALL: u32 = CONTAINER | CONTENTS;
}

/// Body of a header record.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Header {
    /// Machine: [`ARCH_X86_64`].
    pub arch: u32,
    /// Page size in bytes.
    pub page_size: u32,
    /// Number of tasks in the tree.
    pub tasks: u32,
    /// [`flags`].
    pub flags: u32,
    /// XSAVE features (XCR0 bits) that user space of the saving machine may use.
    pub xfeatures: u64,
    /// CLOCK_REALTIME when the target stood still, in nanoseconds.
    pub realtime_ns: u64,
    /// CLOCK_MONOTONIC when the target stood still, in nanoseconds.
    pub monotonic_ns: u64,
    /// CLOCK_BOOTTIME when the target stood still, in nanoseconds.
    pub boottime_ns: u64,
    /// Random identity of the statefile.
    pub uuid: [u8; 16],
    /// Kernel release of the saving machine, NUL-terminated.
    pub release: [u8; 64],
    /// Node name of the saving machine (in the uts namespace of the caller), NUL-terminated.
    pub nodename: [u8; 64],
}
record!(Header, Header, 192);
