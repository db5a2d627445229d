// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Mount namespaces: their mounts, and file systems that live in memory.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Most mounts of a namespace.
pub const MOUNTS_MAX: u32 = 4096;
/// Most bytes of file content in one record.
pub const DATA_MAX: u32 = 192 * 1024;
/// Most bytes of an extended attribute.
pub const XATTR_MAX: u32 = 32 * 1024;

/// Most bytes of the options of a file system.
pub const OPTIONS_MAX: u32 = 64 * 1024;

/// A mount namespace. As many [`Mount`] records follow as it says, each after the file systems that it needs.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct MntNs {
    /// Number of the object.
    pub objref: u32,
    /// Number of mounts.
    pub mounts: u32,
}
record!(MntNs, MntNs, 8);

/// Values of [`Filesystem::flags`].
pub mod fs_flags {
    /// Read-only.
    pub const RDONLY: u32 = 1 << 0;
    /// Writes are synchronous.
    pub const SYNC: u32 = 1 << 1;
    /// Changes of directories are synchronous.
    pub const DIRSYNC: u32 = 1 << 2;
    /// Times are written late.
    pub const LAZYTIME: u32 = 1 << 3;
    /// All known flags.
    pub const ALL: u32 = RDONLY | SYNC | DIRSYNC | LAZYTIME;
}

/// Fixed part of a file system record. The variable part is type, source and options. The contents of a tmpfs follow.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Filesystem {
    /// Number of the object.
    pub objref: u32,
    /// [`fs_flags`].
    pub flags: u32,
    /// Length of the type in bytes.
    pub type_len: u32,
    /// Length of the source in bytes.
    pub source_len: u32,
    /// Length of the options in bytes.
    pub options_len: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(Filesystem, Filesystem, 24);

/// Values of [`Inode::flags`].
pub mod inode_flags {
    /// Another name of a file that has been there: the target is its path.
    pub const LINK: u32 = 1 << 0;
    /// A directory that has been there, with all that is in it: only its times.
    pub const TIMES: u32 = 1 << 1;
    /// All known flags.
    pub const ALL: u32 = LINK | TIMES;
}

/// Fixed part of an inode record: a file, directory, symbolic link, FIFO, socket or device of the file system before it. The variable
/// part is its path from the root of the file system (empty for that), without a leading slash, and then the target of a link.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Inode {
    /// [`inode_flags`].
    pub flags: u32,
    /// File type and permissions, as `st_mode`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// As `st_size`.
    pub size: u64,
    /// As `st_rdev`.
    pub rdev: u64,
    /// Access time in nanoseconds since the epoch.
    pub atime_ns: u64,
    /// Modification time in nanoseconds since the epoch.
    pub mtime_ns: u64,
    /// Length of the path in bytes.
    pub path_len: u32,
    /// Length of the target in bytes.
    pub target_len: u32,
}
record!(Inode, Inode, 56);

/// Fixed part of a content record; the bytes follow. They belong to the regular file before it.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct InodeData {
    /// Offset in bytes.
    pub offset: u64,
    /// Number of bytes.
    pub length: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(InodeData, InodeData, 16);

/// Fixed part of an extended attribute of the inode before it, after its content; name and value follow.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct InodeXattr {
    /// Length of the name in bytes.
    pub name_len: u32,
    /// Length of the value in bytes.
    pub value_len: u32,
}
record!(InodeXattr, InodeXattr, 8);

/// Values of [`Mount::flags`].
pub mod mount_flags {
    /// Mounts and unmounts go on to peers and slaves.
    pub const SHARED: u32 = 1 << 0;
    /// It takes part in the mounts and unmounts of its master.
    pub const SLAVE: u32 = 1 << 1;
    /// It cannot be bind mounted.
    pub const UNBINDABLE: u32 = 1 << 2;
    /// All known flags.
    pub const ALL: u32 = SHARED | SLAVE | UNBINDABLE;
}

/// Fixed part of a mount record, parents before children. The variable part is where it comes from, and where it is mounted, seen
/// from the root of its parent.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Mount {
    /// Number of the mount in its namespace that this one is on; its own for the root.
    pub parent: u32,
    /// Objref of the file system, inside of which it begins; 0 when it comes from the restarter's mount namespace.
    pub filesystem: u32,
    /// MOUNT_ATTR_*, as mount_setattr(2).
    pub attributes: u32,
    /// [`mount_flags`].
    pub flags: u32,
    /// With SHARED: the peer group, a number that means nothing but "the same".
    pub group: u32,
    /// With SLAVE: the peer group of its master, one of this namespace.
    pub master: u32,
    /// Length of the path where it comes from, in bytes.
    pub root_len: u32,
    /// Length of the path where it is mounted, in bytes.
    pub point_len: u32,
}
record!(Mount, Mount, 32);
