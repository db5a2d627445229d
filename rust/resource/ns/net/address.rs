// SPDX-License-Identifier: GPL-2.0

//! Addresses of network devices.

use super::message::{ask, byte_at, is_address, padded, word_at, Attributes, Message, AF_INET, AF_INET6};
use super::push;
use crate::{
    error::{Context, Result},
    resource::Restore,
    wrapper::{net::rt, ns::Nsproxy},
};
use ckpt_uapi::record::net::{address_flags, NetAddress};
use kernel::prelude::*;
use zerocopy::FromZeros;

/// As `IFA_F_TENTATIVE | IFA_F_DADFAILED`.
const UNSETTLED: u32 = 0x40 | 0x08;

/// All addresses of the network namespace, in an order in which they can be set again.
pub(super) fn collect(ns: &Nsproxy) -> Result<KVVec<NetAddress>> {
    let mut addresses = KVVec::new();
    for family in [AF_INET, AF_INET6] {
        ask(ns, rt::RTM_GETADDR, family, |body| {
            let attributes = Attributes::after(body, 8);
            let mut r = NetAddress::new_zeroed();
            r.family = family;
            (r.prefix_len, r.scope, r.ifindex) = (byte_at(body, 1), byte_at(body, 3), word_at(body, 4));
            let flags = attributes.word(rt::IFA_FLAGS);
            r.flags = flags & address_flags::ALL;
            if family == AF_INET6 && flags & UNSETTLED == 0 {
                // It has been looked for on the link, and must be there at once.
                r.flags |= address_flags::NODAD;
            }
            let address = attributes.find(rt::IFA_ADDRESS).unwrap_or(&[]);
            r.local = padded(attributes.find(rt::IFA_LOCAL).unwrap_or(address));
            r.peer = padded(address);
            r.broadcast = padded(attributes.find(rt::IFA_BROADCAST).unwrap_or(&[]));
            r.label = padded(attributes.find(rt::IFA_LABEL).unwrap_or(&[]));
            r.protocol = attributes.find(rt::IFA_PROTO).map_or(0, |p| byte_at(p, 0));
            r.priority = attributes.word(rt::IFA_RT_PRIORITY);
            let times = attributes.find(rt::IFA_CACHEINFO).unwrap_or(&[0xff; 8]);
            (r.preferred, r.valid) = (word_at(times, 0), word_at(times, 4));
            if r.valid == 0 {
                return Ok(());
            }
            push(&mut addresses, r, "addresses")
        })?;
    }
    Ok(addresses)
}

pub(super) fn restore(restore: &mut Restore<'_>) -> Result {
    let r: NetAddress = restore.input.only()?;
    let is_inet = r.family == AF_INET;
    let label_len = r.label.iter().position(|b| *b == 0);
    if !(is_inet || r.family == AF_INET6)
        || r.prefix_len > if is_inet { 32 } else { 128 }
        || r.scope > 255
        || r.flags & !address_flags::ALL != 0
        || r.protocol > 255
        || r.valid == 0
        || r.preferred > r.valid
        || r.reserved != 0
        || ![r.local, r.peer, r.broadcast].iter().all(|a| is_address(r.family, a))
        || label_len.is_none_or(|n| r.label[n..].iter().any(|b| *b != 0))
        || (!is_inet && (r.label[0] != 0 || r.broadcast != [0; 16]))
    {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a network address record")));
    }
    let len = super::message::address_len(r.family);
    let mut head = [0; 8];
    head[..4].copy_from_slice(&[r.family as u8, r.prefix_len as u8, 0, r.scope as u8]);
    head[4..].copy_from_slice(&r.ifindex.to_ne_bytes());
    let flags = rt::NLM_F_CREATE | rt::NLM_F_REPLACE | rt::NLM_F_ACK;
    let mut m = Message::new(rt::RTM_NEWADDR, flags, &head)?;
    m.bytes(rt::IFA_LOCAL, &r.local[..len])?;
    m.bytes(rt::IFA_ADDRESS, &r.peer[..len])?;
    if r.broadcast != [0; 16] {
        m.bytes(rt::IFA_BROADCAST, &r.broadcast[..len])?;
    }
    if r.label[0] != 0 {
        m.bytes(rt::IFA_LABEL, &r.label)?;
    }
    m.word_if(rt::IFA_FLAGS, r.flags)?;
    m.word_if(rt::IFA_RT_PRIORITY, r.priority)?;
    if r.protocol != 0 {
        m.bytes(rt::IFA_PROTO, &[r.protocol as u8])?;
    }
    let mut times = [0; 16];
    times[..4].copy_from_slice(&r.preferred.to_ne_bytes());
    times[4..8].copy_from_slice(&r.valid.to_ne_bytes());
    m.bytes(rt::IFA_CACHEINFO, &times)?;
    m.send_by(restore.me)
        .context(format_args!("cannot give network device {} an address", r.ifindex))
}
