// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Open files.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Values of [`File::kind`].
pub mod kind {
    /// A regular file, by path.
    pub const REGULAR: u32 = 1;
    /// A directory, by path.
    pub const DIRECTORY: u32 = 2;
    /// A device without state (/dev/null, zero, full, random, urandom), by path.
    pub const DEVICE: u32 = 3;
    /// A terminal or pipe that the target inherited: becomes the restarter's descriptor `stdio`.
    pub const STDIO: u32 = 4;
    /// A session of /dev/ckpt; comes back as a new, unattached session.
    pub const SESSION: u32 = 5;
    /// An end of the pipe object `pipe`; the access mode in `flags` says which.
    pub const PIPE: u32 = 6;
    /// The regular file `nameless`, which cannot be opened by a path.
    pub const NAMELESS: u32 = 7;
    /// What is at a path (O_PATH): a file of any type, not opened.
    pub const PATH: u32 = 8;
    /// One that could not be saved, and was not to be refused: whatever is done with the descriptor says EBADF.
    pub const CLOSED: u32 = 16;
    /// Another file in the place of one that could not be saved, by path.
    pub const REPLACED: u32 = 17;
}

/// Values of [`File::advice`].
pub mod advice {
    /// POSIX_FADV_RANDOM
    pub const RANDOM: u32 = 1 << 0;
    /// POSIX_FADV_SEQUENTIAL
    pub const SEQUENTIAL: u32 = 1 << 1;
    /// POSIX_FADV_NOREUSE
    pub const NOREUSE: u32 = 1 << 2;
    /// All known ones.
    pub const ALL: u32 = RANDOM | SEQUENTIAL | NOREUSE;
}

/// Values of [`File::denied`]: LANDLOCK_ACCESS_FS_*.
pub mod denied {
    /// To truncate a regular file.
    pub const TRUNCATE: u64 = 1 << 14;
    /// To use most ioctls of a device.
    pub const IOCTL_DEV: u64 = 1 << 15;
}

/// Fixed part of a file record. The variable part is the path, seen from the root directory of whoever saved: files are
/// opened before the task changes its own root directory.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct File {
    /// Number of the object.
    pub objref: u32,
    /// [`kind`].
    pub kind: u32,
    /// O_* flags, as fcntl(F_GETFL).
    pub flags: u32,
    /// File type and permissions, as `st_mode`.
    pub mode: u32,
    /// Offset in bytes.
    pub pos: u64,
    /// As `st_size`.
    pub size: u64,
    /// Modification time in nanoseconds since the epoch.
    pub mtime_ns: u64,
    /// As `st_ino`.
    pub ino: u64,
    /// As `st_dev`.
    pub dev: u64,
    /// As `st_rdev`.
    pub rdev: u64,
    /// For STDIO: the lowest of descriptors 0, 1, 2 that refers to it.
    pub stdio: u32,
    /// Length of the path in bytes.
    pub path_len: u32,
    /// Lock of flock(2) that the open file holds: LOCK_SH (1), LOCK_EX (2) or 0.
    pub lock: u32,
    /// For PIPE: objref of the pipe.
    pub pipe: u32,
    /// Rights that Landlock denied when it was opened: [`denied::TRUNCATE`] for REGULAR and NAMELESS, [`denied::IOCTL_DEV`] for DEVICE and
    /// SESSION.
    pub denied: u64,
    /// 1 for a file that was opened in the mounts of the restarter, not in those of the task.
    pub outside: u32,
    /// For NAMELESS: objref of the file without a name. For REGULAR: that of its contents, if they travel, or 0.
    pub nameless: u32,
    /// As posix_fadvise(2): [`advice`].
    pub advice: u32,
    /// Generation of the inode, where the file system has one, else 0: it tells a new inode with an old number.
    pub generation: u32,
}
record!(File, File, 104, 80);
