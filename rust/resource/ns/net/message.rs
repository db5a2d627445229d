// SPDX-License-Identifier: GPL-2.0

//! Messages of rtnetlink(7): putting together and taking apart.

use crate::{
    error::{Fault, Result},
    wrapper::{
        net::{rt, RouteSocket},
        ns::Nsproxy,
        syscall::{nr, CurrentTask},
        task::fatal_signal_pending, //
    },
};
use kernel::prelude::*;

pub(super) const AF_INET: u32 = 2;
pub(super) const AF_INET6: u32 = 10;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `struct nlmsghdr`.
const HEAD: usize = 16;
/// `struct nlattr`.
const ATTRIBUTE: usize = 4;
/// Flags in the type of an attribute.
const ATTRIBUTE_FLAGS: u16 = 0xc000;
const NESTED: u16 = 0x8000;

/// A message for the kernel.
pub(super) struct Message(KVec<u8>);

impl Message {
    /// One with an answer to be waited for. `head` is what follows `struct nlmsghdr`.
    pub(super) fn new(kind: u32, flags: u32, head: &[u8]) -> Result<Self> {
        let mut message = Self(KVec::new());
        let flags = (rt::NLM_F_REQUEST | flags) as u16;
        message.push(&0u32.to_ne_bytes())?;
        message.push(&(kind as u16).to_ne_bytes())?;
        message.push(&flags.to_ne_bytes())?;
        message.push(&[0; 8])?;
        message.push(head)?;
        Ok(message)
    }

    fn push(&mut self, bytes: &[u8]) -> Result {
        Ok(self.0.extend_from_slice(bytes, GFP_KERNEL_ACCOUNT)?)
    }

    fn pad(&mut self) -> Result {
        let padding = self.0.len().wrapping_neg() % 4;
        self.push(&[0; 3][..padding])
    }

    /// Adds an attribute.
    pub(super) fn bytes(&mut self, kind: u32, value: &[u8]) -> Result {
        self.push(&((ATTRIBUTE + value.len()) as u16).to_ne_bytes())?;
        self.push(&(kind as u16).to_ne_bytes())?;
        self.push(value)?;
        self.pad()
    }

    /// Adds a number.
    pub(super) fn word(&mut self, kind: u32, value: u32) -> Result {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// Adds a number, unless it is zero.
    pub(super) fn word_if(&mut self, kind: u32, value: u32) -> Result {
        if value == 0 {
            return Ok(());
        }
        self.word(kind, value)
    }

    /// Adds an attribute with attributes, after `head`.
    pub(super) fn nest(&mut self, kind: u32, head: &[u8], fill: impl FnOnce(&mut Self) -> Result) -> Result {
        let start = self.0.len();
        self.bytes(kind | u32::from(NESTED), head)?;
        fill(self)?;
        let length = (self.0.len() - start) as u16;
        if let Some(place) = self.0.get_mut(start..start + 2) {
            place.copy_from_slice(&length.to_ne_bytes());
        }
        Ok(())
    }

    fn finish(mut self) -> KVec<u8> {
        let length = self.0.len() as u32;
        if let Some(place) = self.0.get_mut(..4) {
            place.copy_from_slice(&length.to_ne_bytes());
        }
        self.0
    }

    /// The calling task sends it in its network namespace, by its own system calls; the kernel's answer.
    pub(super) fn send_by(self, me: &CurrentTask) -> kernel::error::Result {
        const PF_NETLINK: u64 = 16;
        const SOCK_RAW_CLOEXEC: u64 = 0o2000003;
        const NETLINK_ROUTE: u64 = 0;
        /// The request is repeated behind the answer: that may be cut off.
        const ANSWER: u64 = 4096;
        let bytes = self.finish();
        let socket = me.call(nr::__NR_socket, &[PF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE])? as u64;
        let answer = || -> kernel::error::Result {
            let at = me.put(&bytes)?;
            me.call(nr::__NR_sendto, &[socket, at, bytes.len() as u64, 0, 0, 0])?;
            let got = me.call(nr::__NR_recvfrom, &[socket, at, ANSWER, 0, 0, 0])?;
            if got < HEAD + 4 || me.get_pair(at)?[1] as u16 != NLMSG_ERROR {
                return Err(EBADMSG);
            }
            kernel::error::to_result(me.get_pair(at + HEAD as u64)?[0] as i32)
        };
        let answer = answer();
        me.call(nr::__NR_close, &[socket])?;
        answer
    }
}

/// The attributes behind a head.
#[derive(Clone, Copy)]
pub(super) struct Attributes<'a>(&'a [u8]);

impl<'a> Attributes<'a> {
    /// Those after `head` bytes.
    pub(super) fn after(body: &'a [u8], head: usize) -> Self {
        Self(body.get(head..).unwrap_or(&[]))
    }

    /// The one of this kind.
    pub(super) fn find(self, kind: u32) -> Option<&'a [u8]> {
        let mut attributes = self;
        attributes.find_map(|(found, value)| (found == kind).then_some(value))
    }

    /// The number of this kind; 0 without one.
    pub(super) fn word(self, kind: u32) -> u32 {
        self.find(kind).map_or(0, |value| word_at(value, 0))
    }

    /// The attributes inside of the one of this kind.
    pub(super) fn nested(self, kind: u32) -> Self {
        Self(self.find(kind).unwrap_or(&[]))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let head = self.0.get(..ATTRIBUTE)?;
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let kind = u16::from_ne_bytes([head[2], head[3]]) & !ATTRIBUTE_FLAGS;
        let value = self.0.get(ATTRIBUTE..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((u32::from(kind), value))
    }
}

/// A number in a message; 0 behind its end.
pub(super) fn word_at(bytes: &[u8], at: usize) -> u32 {
    match bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        Some(word) => u32::from_ne_bytes(*word),
        None => 0,
    }
}

/// A byte of a message; 0 behind its end.
pub(super) fn byte_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at).copied().map_or(0, u32::from)
}

/// As many bytes as fit, and zeros.
pub(super) fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    let n = bytes.len().min(N);
    out[..n].copy_from_slice(&bytes[..n]);
    out
}

/// What stands before the first NUL.
pub(super) fn text(name: &[u8]) -> &str {
    let name = name.split(|b| *b == 0).next().unwrap_or(&[]);
    core::str::from_utf8(name).unwrap_or("?")
}

/// How many bytes an address has.
pub(super) fn address_len(family: u32) -> usize {
    if family == AF_INET {
        4
    } else {
        16
    }
}

/// Whether an address is one of the family: IPv4 leaves the rest zero.
pub(super) fn is_address(family: u32, address: &[u8; 16]) -> bool {
    address[address_len(family)..].iter().all(|b| *b == 0)
}

/// Asks the network namespace for all of a kind, and hands out the body of each message. `EAGAIN` when that has changed meanwhile.
/// A family that the kernel lacks has none.
pub(super) fn ask(ns: &Nsproxy, kind: u32, family: u32, mut each: impl FnMut(&[u8]) -> Result) -> Result {
    const BUFFER: usize = 32 * 1024;
    let socket = RouteSocket::of(ns)?;
    let mut head = [0u8; 16];
    head[0] = family as u8;
    let head = match kind {
        rt::RTM_GETLINK => &head[..],
        rt::RTM_GETADDR => &head[..8],
        _ => &head[..12],
    };
    socket.send(&Message::new(kind, rt::NLM_F_DUMP, head)?.finish())?;
    let mut buffer = KVVec::zeroed(BUFFER, GFP_KERNEL_ACCOUNT)?;
    loop {
        if fatal_signal_pending() {
            return Err(EINTR.into());
        }
        let size = socket.receive(&mut buffer)?;
        let mut rest = &buffer[..size];
        while let Some(head) = rest.get(..HEAD) {
            let length = word_at(head, 0) as usize;
            let (kind, flags) = (word_at(head, 4) as u16, word_at(head, 4) >> 16);
            let body = rest.get(HEAD..length).ok_or(EBADMSG)?;
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
            if flags & rt::NLM_F_DUMP_INTR != 0 {
                return Err(EAGAIN.into());
            }
            match kind {
                NLMSG_DONE | NLMSG_ERROR => {
                    let error = word_at(body, 0) as i32;
                    let lacking = [EAFNOSUPPORT, EOPNOTSUPP].map(|e| e.to_errno()).contains(&error);
                    return if error >= 0 || lacking {
                        Ok(())
                    } else {
                        Err(Fault::new(
                            Error::from_errno(error),
                            format_args!("cannot look into a network namespace"),
                        ))
                    };
                }
                _ if family == 0 || byte_at(body, 0) == family => each(body)?,
                // From a kernel without the family come all others.
                _ => {}
            }
        }
    }
}
