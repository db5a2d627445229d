// SPDX-License-Identifier: GPL-2.0

//! Neighbours that somebody has made permanent.

use super::message::{address_len, ask, byte_at, is_address, padded, word_at, Attributes, Message, AF_INET, AF_INET6};
use super::{push, Refuse};
use crate::{
    error::{Context, Result},
    resource::Restore,
    wrapper::{net::rt, ns::Nsproxy},
};
use ckpt_uapi::record::net::NetNeighbour;
use kernel::prelude::*;
use zerocopy::FromZeros;

pub(super) fn collect(ns: &Nsproxy, refuse: &mut Refuse<'_>) -> Result<KVVec<NetNeighbour>> {
    let mut neighbours = KVVec::new();
    for family in [AF_INET, AF_INET6] {
        ask(ns, rt::RTM_GETNEIGH, family, |body| {
            let attributes = Attributes::after(body, 12);
            let state = word_at(body, 8) & 0xffff;
            if state & rt::NUD_PERMANENT == 0 {
                return Ok(());
            }
            let mut r = NetNeighbour::new_zeroed();
            (r.family, r.ifindex) = (family, word_at(body, 4));
            r.address = padded(attributes.find(rt::NDA_DST).unwrap_or(&[]));
            r.hardware = padded(attributes.find(rt::NDA_LLADDR).unwrap_or(&[]));
            if byte_at(body, 10) != 0 {
                refuse(format_args!("a neighbour in its network namespace has flags"));
            }
            push(&mut neighbours, r, "neighbours")
        })?;
    }
    Ok(neighbours)
}

pub(super) fn restore(restore: &mut Restore<'_>) -> Result {
    let r: NetNeighbour = restore.input.only()?;
    if ![AF_INET, AF_INET6].contains(&r.family) || !is_address(r.family, &r.address) || r.hardware[6..] != [0; 2] {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a neighbour record")));
    }
    let mut head = [0; 12];
    head[0] = r.family as u8;
    head[4..8].copy_from_slice(&r.ifindex.to_ne_bytes());
    head[8..10].copy_from_slice(&(rt::NUD_PERMANENT as u16).to_ne_bytes());
    let flags = rt::NLM_F_CREATE | rt::NLM_F_REPLACE | rt::NLM_F_ACK;
    let mut m = Message::new(rt::RTM_NEWNEIGH, flags, &head)?;
    m.bytes(rt::NDA_DST, &r.address[..address_len(r.family)])?;
    m.bytes(rt::NDA_LLADDR, &r.hardware[..6])?;
    m.send_by(restore.me)
        .context(format_args!("cannot give network device {} a neighbour", r.ifindex))
}
