// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Descriptors that stand for a namespace, as files of /proc/PID/ns: each is an object; descriptors refer to it.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// O_* flags that such an open file keeps: O_NONBLOCK and O_LARGEFILE.
pub const FLAGS: u32 = 0o4000 | 0o100_000;

/// Kinds of namespaces, as CLONE_NEW* of clone(2): time, mount, cgroup, uts, ipc, user, pid, network.
pub const KINDS: [u32; 8] = [
    0x80,
    0x2_0000,
    0x200_0000,
    0x400_0000,
    0x800_0000,
    USER,
    PID,
    0x4000_0000,
];
/// CLONE_NEWUSER.
pub const USER: u32 = 0x1000_0000;
/// CLONE_NEWPID.
pub const PID: u32 = 0x2000_0000;

/// An open file that stands for a namespace.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct NsFd {
    /// Number of the object.
    pub objref: u32,
    /// O_* flags: [`FLAGS`].
    pub flags: u32,
    /// One of [`KINDS`].
    pub kind: u32,
    /// Index of a task that lives in it. Other ones than user and pid namespaces are made by a task's section: no later one than this.
    pub task: u32,
}
record!(NsFd, NsFd, 16);
