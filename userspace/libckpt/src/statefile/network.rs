// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Records of what is in a network namespace, and of what a restart has to be told about the world outside.

use super::body::{check, known, objref, text, zero, Body, Parts};
use super::Problem;
use ckpt_uapi::record::external::{External, EXTERNALS_MAX};
use ckpt_uapi::record::net::{
    address_flags, device_flags, device_kind, peer, route_flags, NetAddress, NetDevice, NetNeighbour, NetNs, NetRoute,
    ADDR_GEN_MODE_MAX, ALIAS_MAX, DEVICES_MAX, NO_INET6, PARKED,
};
use ckpt_uapi::record::RecordType;

type Result<T> = std::result::Result<T, Problem>;

const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;

fn family(number: u32) -> Result<()> {
    check([AF_INET, AF_INET6].contains(&number), "an unknown address family")
}

/// An address of the family, in the first of 16 bytes.
fn address(family: u32, bytes: &[u8; 16]) -> Result<()> {
    check(
        family != AF_INET || bytes[4..] == [0; 12],
        "an address is longer than those of its family",
    )
}

fn prefix(family: u32, length: u32) -> Result<()> {
    check(
        length <= if family == AF_INET { 32 } else { 128 },
        "a prefix is longer than an address",
    )
}

/// A name, with NULs behind it.
fn name(bytes: &[u8; 16]) -> Result<()> {
    let length = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    check(
        length < bytes.len() && bytes[length..].iter().all(|b| *b == 0),
        "a name is not padded with NULs",
    )
}

fn hardware(bytes: &[u8; 8]) -> Result<()> {
    check(bytes[6..] == [0; 2], "a hardware address is too long")
}

fn device(r: &NetDevice) -> Result<()> {
    name(&r.name)?;
    hardware(&r.address)?;
    zero(r.reserved)?;
    known(r.flags, device_flags::ALL)?;
    let loopback = r.kind == device_kind::LOOPBACK;
    let by_number = r.peer == peer::KNOWN;
    check(loopback || r.kind == device_kind::VETH, "an unknown kind of device")?;
    check(
        loopback == (r.ifindex == 1) && loopback == (r.peer == peer::NONE) && r.peer <= peer::KNOWN,
        "a device is both a loopback device and a pair",
    )?;
    check(
        by_number == (r.peer_ns != 0) && by_number == (r.peer_ifindex != 0),
        "the other end of a pair is both known and not",
    )?;
    check(
        r.name[0] != 0 && r.ifindex < PARKED && r.peer_ifindex < PARKED,
        "a device has no name, or too large an index",
    )?;
    check(
        r.addr_gen_mode == NO_INET6 || r.addr_gen_mode <= ADDR_GEN_MODE_MAX,
        "an unknown way of making addresses",
    )
}

fn net_address(r: &NetAddress) -> Result<()> {
    family(r.family)?;
    prefix(r.family, r.prefix_len)?;
    [r.local, r.peer, r.broadcast]
        .iter()
        .try_for_each(|a| address(r.family, a))?;
    name(&r.label)?;
    zero(r.reserved)?;
    known(r.flags, address_flags::ALL)?;
    check(
        r.scope <= 255 && r.protocol <= 255 && r.valid != 0 && r.preferred <= r.valid,
        "a number of an address is out of range",
    )
}

fn route(r: &NetRoute) -> Result<()> {
    family(r.family)?;
    prefix(r.family, r.dst_len)?;
    prefix(r.family, r.src_len)?;
    [r.dst, r.src, r.prefsrc]
        .iter()
        .try_for_each(|a| address(r.family, a))?;
    match r.gateway_family {
        0 => check(r.gateway == [0; 16], "a gateway of no family")?,
        number => {
            family(number)?;
            address(number, &r.gateway)?;
        }
    }
    zero(r.reserved)?;
    known(r.flags, route_flags::ALL)?;
    check(
        [r.protocol, r.scope, r.kind, r.tos, r.preference]
            .iter()
            .all(|n| *n <= 255),
        "a number of a route is out of range",
    )
}

impl Body {
    pub(super) fn parse_network(kind: RecordType, parts: &Parts<'_>) -> Result<Self> {
        Ok(match kind {
            RecordType::External => {
                let fixed: External = parts.fixed()?;
                zero(fixed.reserved)?;
                check(fixed.length <= EXTERNALS_MAX, "too many names")?;
                let names: Vec<u8> = parts.entries(fixed.length)?;
                check(names.last() == Some(&0), "a name has no end")?;
                let names = names[..names.len() - 1].split(|b| *b == 0);
                Self::External(names.map(<[u8]>::to_vec).collect())
            }
            RecordType::NetNs => {
                let fixed: NetNs = parts.alone()?;
                objref(fixed.objref)?;
                check(
                    (1..=DEVICES_MAX).contains(&fixed.devices),
                    "the number of devices is out of range",
                )?;
                Self::NetNs(fixed)
            }
            RecordType::NetDevice => {
                let fixed: NetDevice = parts.fixed()?;
                device(&fixed)?;
                let alias: Vec<u8> = parts.entries(fixed.alias_len)?;
                Self::NetDevice(Box::new(fixed), text(&alias, fixed.alias_len, ALIAS_MAX as usize)?)
            }
            RecordType::NetAddress => {
                let fixed: NetAddress = parts.alone()?;
                net_address(&fixed)?;
                Self::NetAddress(Box::new(fixed))
            }
            RecordType::NetRoute => {
                let fixed: NetRoute = parts.alone()?;
                route(&fixed)?;
                Self::NetRoute(Box::new(fixed))
            }
            _ => {
                let fixed: NetNeighbour = parts.alone()?;
                family(fixed.family)?;
                address(fixed.family, &fixed.address)?;
                hardware(&fixed.hardware)?;
                Self::NetNeighbour(fixed)
            }
        })
    }
}
