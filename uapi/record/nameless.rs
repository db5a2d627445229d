// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Regular files whose contents travel: those that have no name (deleted ones, those made by O_TMPFILE, memfds), and those whose
//! contents the caller wants to travel.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Most bytes of content in one record.
pub const DATA_MAX: u32 = 192 * 1024;
/// Longest name of a memfd in bytes.
pub const MEMFD_NAME_MAX: usize = 249;

/// Values of [`Nameless::flags`].
pub mod flags {
    /// Made by memfd_create(2).
    pub const MEMFD: u32 = 1 << 0;
    /// Made by O_TMPFILE without O_EXCL: linkat(2) may give it a name.
    pub const LINKABLE: u32 = 1 << 1;
    /// The path is one in the mounts of the restarter, not in those of the task.
    pub const OUTSIDE: u32 = 1 << 2;
    /// It has a name, the path: a restart puts the contents back there.
    pub const NAMED: u32 = 1 << 3;
    /// All known flags.
    pub const ALL: u32 = MEMFD | LINKABLE | OUTSIDE | NAMED;
}

/// Values of [`Nameless::seals`].
pub mod seals {
    /// F_SEAL_EXEC.
    pub const EXEC: u32 = 1 << 5;
    /// All known seals: F_SEAL_SEAL to F_SEAL_EXEC.
    pub const ALL: u32 = 0x3f;
}

/// Fixed part of a record of a file without a name; open files of it refer to it. The variable part is the path that it had,
/// of which the directory counts, or the name of a memfd, or the path that it has. Its content follows in [`NamelessData`] records;
/// what has none is a hole.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Nameless {
    /// Number of the object.
    pub objref: u32,
    /// [`flags`].
    pub flags: u32,
    /// File type and permissions, as `st_mode`.
    pub mode: u32,
    /// As fcntl(F_GET_SEALS), of a memfd: [`seals`].
    pub seals: u32,
    /// Owner in the user namespace of the task; -1 when it has no number there.
    pub uid: u32,
    /// Group, likewise.
    pub gid: u32,
    /// Size in bytes.
    pub size: u64,
    /// Access time in nanoseconds since the epoch.
    pub atime_ns: u64,
    /// Modification time in nanoseconds since the epoch.
    pub mtime_ns: u64,
    /// Length of the path or name in bytes.
    pub path_len: u32,
    /// Size of its pages as a power of two if it is of hugetlbfs (MFD_HUGETLB), or 0.
    pub page_shift: u32,
}
record!(Nameless, Nameless, 56);

/// Fixed part of a content record; the bytes follow. They belong to the newest object, which is a file without a name.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct NamelessData {
    /// Number of the object.
    pub objref: u32,
    /// Number of bytes.
    pub length: u32,
    /// Offset in bytes.
    pub offset: u64,
}
record!(NamelessData, NamelessData, 16);
