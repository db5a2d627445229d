// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! System V message queues.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{ipc::Perm, record};

/// Longest message in bytes.
pub const TEXT_MAX: u32 = 240 * 1024;

/// A message queue. [`MsgText`] records with its objref follow.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Msg {
    /// Number of the object.
    pub objref: u32,
    /// Number of messages.
    pub messages: u32,
    /// Its identifier, key, owners.
    pub perm: Perm,
    /// Most bytes that it may hold.
    pub qbytes: u64,
    /// When a message was sent last, in seconds since the epoch; 0 for never. So for the others.
    pub stime: u64,
    /// When a message was received last.
    pub rtime: u64,
    /// When it was made or changed.
    pub ctime: u64,
    /// Process that has sent last, 0 for one that has no number in the pid namespace of the root task.
    pub lspid: u32,
    /// Process that has received last.
    pub lrpid: u32,
}
record!(Msg, Msg, 80);

/// Fixed part of a message; its bytes follow. Messages stand in the order in which they were sent.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct MsgText {
    /// Objref of the queue.
    pub queue: u32,
    /// Number of bytes.
    pub length: u32,
    /// Type of the message, above 0.
    pub mtype: u64,
}
record!(MsgText, MsgText, 16);
