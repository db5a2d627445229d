// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Unix sockets both ends of which belong to the target. Each is an object; descriptors refer to it.
//!
//! The two records of a pair follow each other, those of the connections that wait to be accepted that of the listening socket. When all
//! files of a descriptor table are there, the messages follow that wait in its sockets, then the options.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// O_* flags that a socket keeps: O_NONBLOCK.
pub const FLAGS: u32 = 0o4000;

/// Largest message in bytes: the kernel makes none that long.
pub const MESSAGE_MAX: u32 = 8 * 1024 * 1024;
/// What is longer than this comes in parts of this length, the last of which may be shorter.
pub const PART_MAX: u32 = 240 * 1024;

/// Values of [`Socket::kind`]: as the types of socket(2).
pub mod kind {
    /// SOCK_STREAM
    pub const STREAM: u32 = 1;
    /// SOCK_DGRAM
    pub const DGRAM: u32 = 2;
    /// SOCK_SEQPACKET
    pub const SEQPACKET: u32 = 5;
}

/// Values of [`Socket::pair`].
pub mod pair {
    /// Not connected.
    pub const ALONE: u32 = 0;
    /// One end of a socketpair(2); the next object is the other one.
    pub const FIRST: u32 = 1;
    /// The other end.
    pub const SECOND: u32 = 2;
    /// The end of a connection that has not been accepted yet: it waits at [`listener`](super::Socket::listener), and was made by
    /// [`client`](super::Socket::client).
    pub const WAITING: u32 = 3;
}

/// Values of [`Socket::name`].
pub mod name {
    /// None of its own.
    pub const NONE: u32 = 0;
    /// It is bound to it.
    pub const BOUND: u32 = 1;
    /// Nobody finds it by that: the path has been removed, or the socket is closed that has accepted it.
    pub const TEXT: u32 = 2;
    /// Its own, if it has one, until it is closed: nobody in the target has it, it is only a peer or the sender of messages.
    pub const CLOSED: u32 = 3;
}

/// Longest address in bytes.
pub const NAME_MAX: u32 = 108;

/// Fixed part of a socket record; its address follows, then the path of its file.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Socket {
    /// Number of the object.
    pub objref: u32,
    /// O_* flags: [`FLAGS`].
    pub flags: u32,
    /// [`kind`] value.
    pub kind: u32,
    /// [`pair`] value.
    pub pair: u32,
    /// Objref of the listening socket that has accepted it, or will, whose address it has; 0 when it has none, or one of its own.
    pub listener: u32,
    /// 1 when it listens.
    pub listening: u32,
    /// As given to listen(2).
    pub backlog: u32,
    /// Length of its address: `sun_path`, of a path without the NUL at its end; 0 when it has none of its own.
    pub name_len: u32,
    /// Length of the path of its file, or 0 when its address is abstract.
    pub path_len: u32,
    /// Permissions of that file.
    pub mode: u32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// [`mod@name`] value.
    pub name: u32,
    /// Objref of the socket that has made a connection which waits to be accepted; 0 else.
    pub client: u32,
}
record!(Socket, Socket, 56);

/// Most descriptors in a message.
pub const FILES_MAX: u32 = 253;

/// Fixed part of a socket-message record; the objrefs of the open files that it carries follow, then its bytes, at most [`PART_MAX`] of
/// them; the others are in the [`SocketData`] right behind it. In the order in which they are received; of a stream, what one system call
/// has sent and nobody has read yet.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SocketMessage {
    /// Objref of the socket that it waits in.
    pub socket: u32,
    /// Objref of the socket that it was sent from.
    pub sender: u32,
    /// Length of the message.
    pub length: u32,
    /// 1 when it carries credentials (SCM_CREDENTIALS): the next three fields, which are zero else.
    pub credentials: u32,
    /// Process that sent it, as the task knows it; 0 for one that does not belong to the target.
    pub pid: u32,
    /// User of that.
    pub uid: u32,
    /// Group of that.
    pub gid: u32,
    /// Number of open files (SCM_RIGHTS).
    pub files: u32,
    /// 1 when its last byte is out-of-band data.
    pub oob: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(SocketMessage, SocketMessage, 40);

/// Fixed part of a socket-data record; the next bytes of the message follow.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SocketData {
    /// Objref of the socket that the message waits in.
    pub socket: u32,
    /// How many bytes.
    pub length: u32,
}
record!(SocketData, SocketData, 8);

/// Bits of [`SocketOptions::shutdown`].
pub mod shutdown {
    /// SHUT_RD
    pub const RECEIVE: u32 = 1 << 0;
    /// SHUT_WR
    pub const SEND: u32 = 1 << 1;
    /// All known bits.
    pub const ALL: u32 = RECEIVE | SEND;
}

/// Bits of [`SocketOptions::options`].
pub mod options {
    /// SO_PASSCRED
    pub const PASSCRED: u32 = 1 << 0;
    /// SO_PASSSEC
    pub const PASSSEC: u32 = 1 << 1;
    /// SO_PASSPIDFD
    pub const PASSPIDFD: u32 = 1 << 2;
    /// SO_PASSRIGHTS
    pub const PASSRIGHTS: u32 = 1 << 3;
    /// SO_INQ
    pub const INQ: u32 = 1 << 4;
    /// SO_RIGHTS_NOTRUNC
    pub const RIGHTS_NOTRUNC: u32 = 1 << 5;
    /// SO_OOBINLINE
    pub const OOBINLINE: u32 = 1 << 6;
    /// All known bits.
    pub const ALL: u32 = PASSCRED | PASSSEC | PASSPIDFD | PASSRIGHTS | INQ | RIGHTS_NOTRUNC | OOBINLINE;
}

/// Options of a socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SocketOptions {
    /// Objref of the socket.
    pub socket: u32,
    /// 1 when it has been closed and only its peer lives; all other fields are zero then.
    pub closed: u32,
    /// [`shutdown`] bits.
    pub shutdown: u32,
    /// [`options`] bits.
    pub options: u32,
    /// SO_SNDBUF, as getsockopt(2) returns it.
    pub sndbuf: u32,
    /// SO_RCVBUF, likewise.
    pub rcvbuf: u32,
    /// SO_RCVLOWAT
    pub rcvlowat: u32,
    /// SO_PEEK_OFF; -1 when it is off.
    pub peek_off: i32,
    /// SO_RCVTIMEO in microseconds; 0 for none, all ones for one that has run out before it begins.
    pub rcvtimeo_us: u64,
    /// SO_SNDTIMEO, likewise.
    pub sndtimeo_us: u64,
    /// SO_ERROR: 0 or ECONNRESET.
    pub error: u32,
    /// SO_PEERCRED: the process, in the pid namespace of the root task.
    pub peer_pid: u32,
    /// SO_PEERCRED: the user.
    pub peer_uid: u32,
    /// SO_PEERCRED: the group.
    pub peer_gid: u32,
    /// Objref of the socket that a datagram socket is connected to, which is not connected to it; 0 when there is none.
    pub peer: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(SocketOptions, SocketOptions, 72);
