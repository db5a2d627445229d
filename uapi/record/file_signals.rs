// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Who is told by a signal what happens to an open file.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Values of [`FileSignals::owner`].
pub mod owner {
    /// Nobody.
    pub const NONE: u32 = 0;
    /// A thread (F_OWNER_TID).
    pub const THREAD: u32 = 1;
    /// A process (F_OWNER_PID).
    pub const PROCESS: u32 = 2;
    /// A process group (F_OWNER_PGRP).
    pub const GROUP: u32 = 3;
}

/// Values of [`FileSignals::lease`].
pub mod lease {
    /// None.
    pub const NONE: u32 = 0;
    /// F_RDLCK
    pub const READ: u32 = 1;
    /// F_WRLCK
    pub const WRITE: u32 = 2;
}

/// Body of a file-signals record.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct FileSignals {
    /// A descriptor of the open file.
    pub fd: u32,
    /// [`owner`], as fcntl(F_SETOWN_EX).
    pub owner: u32,
    /// Number of the owner in the pid namespace of the task; 0 for nobody.
    pub pid: u32,
    /// As fcntl(F_SETSIG): a signal, or 0 for SIGIO without information.
    pub signal: u32,
    /// 1 with O_ASYNC.
    pub on: u32,
    /// [`lease`], as fcntl(F_SETLEASE).
    pub lease: u32,
}
record!(FileSignals, FileSignals, 24);
