// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Files of /proc that belong to a process: each is an object; descriptors refer to it.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Value of [`ProcFile::thread`] for a file of the process.
pub const PROCESS: u32 = u32::MAX;

/// An open file below /proc/PID, or /proc/PID/task/TID; the path of /proc and that below the number follow. The numbers themselves are those
/// that the tasks have when it is opened again.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ProcFile {
    /// Number of the object.
    pub objref: u32,
    /// O_* flags: those of [`File`](super::file::File).
    pub flags: u32,
    /// Index of the task whose number stands below /proc.
    pub process: u32,
    /// Index of the task whose number stands below `task`, or [`PROCESS`].
    pub thread: u32,
    /// Offset.
    pub pos: u64,
    /// Length of the path of /proc in bytes.
    pub proc_len: u32,
    /// Length of the path below the number in bytes: 0, or it begins with a slash.
    pub path_len: u32,
}
record!(ProcFile, ProcFile, 32);
