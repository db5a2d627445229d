// SPDX-License-Identifier: GPL-2.0

//! Routes that the kernel has not made itself, and the rules that choose a table of them.

use super::message::{address_len, ask, byte_at, is_address, padded, word_at, Attributes, Message, AF_INET, AF_INET6};
use super::{push, Refuse};
use crate::{
    error::{Context, Result},
    resource::Restore,
    wrapper::{net::rt, ns::Nsproxy},
};
use ckpt_uapi::record::net::{route_flags, NetRoute, METRICS};
use kernel::prelude::*;
use zerocopy::FromZeros;

/// Protocols of routes that the kernel makes: by itself, by ICMP redirects, and by what routers announce.
const KERNELS: [u32; 3] = [2, 1, 9];
/// As `RTM_F_CLONED`.
const CLONED: u32 = 0x200;
/// RTAX_CC_ALGO, which is a text.
const CC_ALGO: u32 = 16;
/// How often the kernel counts in a second of `rta_expires`.
const USER_HZ: u32 = 100;

/// All routes of the network namespace, in an order in which they can be set again: those to gateways after those.
pub(super) fn collect(ns: &Nsproxy, refuse: &mut Refuse<'_>) -> Result<KVVec<NetRoute>> {
    let mut routes = KVVec::new();
    for family in [AF_INET, AF_INET6] {
        ask(ns, rt::RTM_GETROUTE, family, |body| {
            let (protocol, flags) = (byte_at(body, 5), word_at(body, 8));
            if KERNELS.contains(&protocol) || flags & CLONED != 0 {
                return Ok(());
            }
            match route(family, body) {
                Ok(r) => push(&mut routes, r, "routes"),
                Err(attribute) => {
                    refuse(format_args!(
                        "a route of its network namespace has attribute {attribute} of rtnetlink(7)"
                    ));
                    Ok(())
                }
            }
        })?;
    }
    // Of those to gateways, that to a gateway's own network is longer. Sorting keeps the order of others by this number.
    for (place, r) in routes.iter_mut().enumerate() {
        r.reserved = place as u32;
    }
    routes.sort_unstable_by_key(|r| {
        let gateway = r.gateway_family != 0;
        (gateway, if gateway { 128 - r.dst_len.min(128) } else { 0 }, r.reserved)
    });
    for r in routes.iter_mut() {
        r.reserved = 0;
    }
    Ok(routes)
}

/// A route, or the attribute of it that is not known here.
fn route(family: u32, body: &[u8]) -> core::result::Result<NetRoute, u32> {
    let mut r = NetRoute::new_zeroed();
    r.family = family;
    (r.dst_len, r.src_len, r.tos) = (byte_at(body, 1), byte_at(body, 2), byte_at(body, 3));
    (r.table, r.protocol, r.scope, r.kind) = (byte_at(body, 4), byte_at(body, 5), byte_at(body, 6), byte_at(body, 7));
    r.flags = word_at(body, 8) & route_flags::ALL;
    for (kind, value) in Attributes::after(body, 12) {
        match kind {
            rt::RTA_DST => r.dst = padded(value),
            rt::RTA_SRC => r.src = padded(value),
            rt::RTA_PREFSRC => r.prefsrc = padded(value),
            rt::RTA_GATEWAY => (r.gateway_family, r.gateway) = (family, padded(value)),
            rt::RTA_VIA => {
                let head = value.first_chunk::<2>().ok_or(kind)?;
                r.gateway_family = u32::from(u16::from_ne_bytes(*head));
                r.gateway = padded(value.get(2..).unwrap_or(&[]));
            }
            rt::RTA_TABLE => r.table = word_at(value, 0),
            rt::RTA_PRIORITY => r.priority = word_at(value, 0),
            rt::RTA_OIF => r.ifindex = word_at(value, 0),
            rt::RTA_PREF => r.preference = byte_at(value, 0),
            rt::RTA_METRICS => {
                for (metric, value) in Attributes::after(value, 0) {
                    let place = r.metrics.get_mut((metric as usize).wrapping_sub(1)).ok_or(kind)?;
                    if metric == CC_ALGO {
                        return Err(kind);
                    }
                    *place = word_at(value, 0);
                }
            }
            // `struct rta_cacheinfo`: rta_expires.
            rt::RTA_CACHEINFO => match word_at(value, 8) {
                0 => {}
                ticks => r.expires = (ticks / USER_HZ).max(1),
            },
            _ => return Err(kind),
        }
    }
    Ok(r)
}

/// Names rules that a network namespace is not born with.
pub(super) fn check_rules(ns: &Nsproxy, refuse: &mut Refuse<'_>) -> Result {
    /// Priority and table: local, main, default.
    const BORN: [(u32, u32); 3] = [(0, 255), (32766, 254), (32767, 253)];
    for (family, name, count) in [(AF_INET, "IPv4", 3), (AF_INET6, "IPv6", 2)] {
        let (mut born, mut strange) = (0, false);
        ask(ns, rt::RTM_GETRULE, family, |body| {
            let attributes = Attributes::after(body, 12);
            let key = (attributes.word(rt::FRA_PRIORITY), attributes.word(rt::FRA_TABLE));
            let plain = Attributes::after(body, 12).all(|(kind, value)| match kind {
                rt::FRA_PRIORITY | rt::FRA_TABLE | rt::FRA_PROTOCOL => true,
                rt::FRA_SUPPRESS_PREFIXLEN => word_at(value, 0) == u32::MAX,
                rt::FRA_FWMASK | rt::FRA_L3MDEV => word_at(value, 0) == 0,
                _ => false,
            });
            // No prefixes, no type of service; to a table, without more.
            let head = [1, 2, 3, 7].map(|at| byte_at(body, at)) == [0, 0, 0, 1] && word_at(body, 8) == 0;
            if plain && head && BORN.contains(&key) {
                born += 1;
            } else {
                strange = true;
            }
            Ok(())
        })?;
        // Without the family there are none.
        if strange || (born != count && born != 0) {
            refuse(format_args!(
                "its network namespace has other {name} routing rules than it was born with"
            ));
        }
    }
    Ok(())
}

pub(super) fn restore(restore: &mut Restore<'_>) -> Result {
    let r: NetRoute = restore.input.only()?;
    let bits = if r.family == AF_INET { 32 } else { 128 };
    if ![AF_INET, AF_INET6].contains(&r.family)
        || ![0, AF_INET, AF_INET6].contains(&r.gateway_family)
        || [r.protocol, r.scope, r.kind, r.tos, r.preference]
            .iter()
            .any(|byte| *byte > 255)
        || KERNELS.contains(&r.protocol)
        || r.flags & !route_flags::ALL != 0
        || r.dst_len > bits
        || r.src_len > bits
        || r.reserved != 0
        || r.metrics[CC_ALGO as usize - 1] != 0
        || ![r.dst, r.src, r.prefsrc].iter().all(|a| is_address(r.family, a))
        || (r.gateway_family == 0 && r.gateway != [0; 16])
        || !is_address(r.gateway_family.max(AF_INET), &r.gateway)
    {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a route record")));
    }
    message(&r)?
        .send_by(restore.me)
        .context(format_args!("cannot set a route in table {}", r.table))
}

fn message(r: &NetRoute) -> Result<Message> {
    let len = address_len(r.family);
    // The attribute has all of the number.
    let table = if r.table < 256 { r.table } else { 0 };
    let mut head = [0; 12];
    head[..8].copy_from_slice(
        &[
            r.family, r.dst_len, r.src_len, r.tos, table, r.protocol, r.scope, r.kind,
        ]
        .map(|n| n as u8),
    );
    head[8..].copy_from_slice(&r.flags.to_ne_bytes());
    // Of IPv4, routes that differ in their gateway only stand one behind the other.
    let how = if r.family == AF_INET {
        rt::NLM_F_APPEND
    } else {
        rt::NLM_F_EXCL
    };
    let mut m = Message::new(rt::RTM_NEWROUTE, rt::NLM_F_CREATE | rt::NLM_F_ACK | how, &head)?;
    if r.dst_len != 0 {
        m.bytes(rt::RTA_DST, &r.dst[..len])?;
    }
    if r.src_len != 0 {
        m.bytes(rt::RTA_SRC, &r.src[..len])?;
    }
    if r.prefsrc != [0; 16] {
        m.bytes(rt::RTA_PREFSRC, &r.prefsrc[..len])?;
    }
    if r.gateway_family == r.family {
        m.bytes(rt::RTA_GATEWAY, &r.gateway[..len])?;
    } else if r.gateway_family != 0 {
        let mut via = [0; 18];
        via[..2].copy_from_slice(&(r.gateway_family as u16).to_ne_bytes());
        via[2..].copy_from_slice(&r.gateway);
        m.bytes(rt::RTA_VIA, &via[..2 + address_len(r.gateway_family)])?;
    }
    m.word(rt::RTA_TABLE, r.table)?;
    m.word_if(rt::RTA_PRIORITY, r.priority)?;
    m.word_if(rt::RTA_OIF, r.ifindex)?;
    m.word_if(rt::RTA_EXPIRES, r.expires)?;
    if r.preference != 0 {
        m.bytes(rt::RTA_PREF, &[r.preference as u8])?;
    }
    if r.metrics != [0; METRICS] {
        m.nest(rt::RTA_METRICS, &[], |m| {
            for (i, value) in r.metrics.iter().enumerate() {
                m.word_if(i as u32 + 1, *value)?;
            }
            Ok(())
        })?;
    }
    Ok(m)
}
