// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! POSIX message queues.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Longest message in bytes.
pub const TEXT_MAX: u32 = 240 * 1024;
/// Longest name of a queue in bytes.
pub const NAME_MAX: usize = 255;
/// Largest priority.
pub const PRIORITY_MAX: u32 = 32_767;
/// O_* flags of a descriptor: the access mode and O_NONBLOCK.
pub const FLAGS: u32 = 0o4003;

/// Fixed part of a queue; its name without a slash follows, then [`MqueueText`] records with its objref.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Mqueue {
    /// Number of the object.
    pub objref: u32,
    /// Permissions, as `st_mode` without the file type.
    pub mode: u32,
    /// Owner in the user namespace of the task.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Most messages that it may hold.
    pub maxmsg: u32,
    /// Most bytes of a message.
    pub msgsize: u32,
    /// Number of messages.
    pub messages: u32,
    /// Length of the name in bytes.
    pub name_len: u32,
    /// Access time in nanoseconds since the epoch.
    pub atime_ns: u64,
    /// Modification time.
    pub mtime_ns: u64,
}
record!(Mqueue, Mqueue, 48);

/// Fixed part of a message; its bytes follow. Messages of one priority stand in the order in which they were sent.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct MqueueText {
    /// Objref of the queue.
    pub queue: u32,
    /// Number of bytes.
    pub length: u32,
    /// Priority.
    pub priority: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(MqueueText, MqueueText, 16);

/// Fixed part of an open queue, made by mq_open(3); the name of the queue without a slash follows.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Mqd {
    /// Number of the object.
    pub objref: u32,
    /// O_* flags: [`FLAGS`].
    pub flags: u32,
    /// Length of the name in bytes.
    pub name_len: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(Mqd, Mqd, 16);

/// Values of [`MqNotify::notify`]: as `sigev_notify`.
pub mod notify {
    /// SIGEV_SIGNAL.
    pub const SIGNAL: u32 = 0;
    /// SIGEV_NONE.
    pub const NONE: u32 = 1;
}

/// The process is told when a message comes into an empty queue: as mq_notify(3).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct MqNotify {
    /// A descriptor of the queue.
    pub fd: u32,
    /// [`notify`].
    pub notify: u32,
    /// Signal.
    pub signal: u32,
    /// Must be zero.
    pub reserved: u32,
    /// `sigev_value`.
    pub value: u64,
}
record!(MqNotify, MqNotify, 24);
