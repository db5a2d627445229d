// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Asynchronous I/O: what io_setup(2) makes.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{entry, record};

/// Bytes of a ring before its first slot (`struct aio_ring`).
pub const HEAD: u64 = 32;

/// Slots of a ring of that many bytes. One of them is never in use.
pub const fn slots(bytes: u64) -> u64 {
    bytes.saturating_sub(HEAD) / size_of::<AioEvent>() as u64
}

/// Fixed part of a record of a context of asynchronous I/O; [`AioEvent`] entries follow: completed requests of which the program has not
/// read yet. A further record of the same address has further events.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Aio {
    /// The context, as io_setup(2) returned it: the address of its ring, which is a mapping of its own.
    pub address: u64,
    /// Number of requests that io_setup(2) was asked for.
    pub requests: u32,
    /// Slot of the ring where the first event stands; the others follow, from the last slot on to the first.
    pub first: u32,
    /// Number of entries.
    pub count: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(Aio, Aio, 24);

/// An event, as io_getevents(2) returns it.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct AioEvent {
    /// What the program has put into the request.
    pub data: u64,
    /// Address of the request.
    pub obj: u64,
    /// What came of it: a number of bytes, or a negative error number.
    pub res: i64,
    /// A second value of that kind.
    pub res2: i64,
}
entry!(AioEvent, 32);
