// SPDX-License-Identifier: GPL-2.0

//! The network namespace.
//!
//! Saved: the loopback device and veth pairs, whose other end is in the target or in the caller's network namespace: name, index,
//! hardware address, MTU, queue length, group, flags, alias, how link-local addresses are made; addresses with what is left of their
//! lifetimes; routes of all tables that the kernel has not made itself, with metrics; permanent neighbours. An other end in the caller's
//! network namespace is made anew in the restarter's, by the name that the restarter gives it (`--external`): down, without addresses.
//! Not saved: sysctls (net.*; with a warning where forwarding, disable_ipv6, rp_filter, proxy_arp or route_localnet are not those of a
//! new namespace), offloads and numbers of queues, neighbours that are not permanent, proxy neighbours, that a route made by
//! the kernel is gone, routes that routers announce (they come again), MPLS routes, nexthops that no route uses, tokens and secrets of
//! IPv6 addresses, labels of addresses (ip-addrlabel(8)), nftables' tables and sets without a chain that packets come by, sets of
//! ipset(8), connections that conntrack knows, ipvs, multicast memberships, ids of peer namespaces. IPv6 addresses are not looked for on
//! the link again (nodad).
//! Refused: other devices (bridges, macvlan, tun, ...), devices that belong to one, with a queueing discipline, filters of tc(8), an XDP
//! program or alternative names; a pair whose other end is in a third network namespace, or outside of a user namespace; routes with
//! several next hops, nexthop objects, realms or encapsulation; rules that a namespace is not born with; a loopback device that lacks an
//! address that it gets when it is brought up; packet filters of any family and of a device, IPsec policies and states, BPF programs of
//! the namespace.
//! Shown by: ns/keeps_a_loopback, ns/keeps_veth, ns/keeps_a_veth, ns/warns_of_network, refuse/network, hostile/pairs_of_network.

use super::{is_first, is_foreign, made, unshare};
use crate::{
    error::{Fault, Result},
    objects::Object,
    resource::{Dump, Obstacles, Restore, Whole},
    wrapper::{
        ns::{Kind, Nsproxy},
        task::sleep_killable, //
    },
};
use ckpt_uapi::record::{
    net::{device_flags, device_kind, peer, NetAddress, NetNeighbour, NetNs, NetRoute, DEVICES_MAX, NO_INET6},
    RecordType,
};
use kernel::prelude::*;
use message::{text, AF_INET, AF_INET6};

mod address;
mod device;
mod message;
mod neighbour;
mod route;

/// Takes what speaks against saving.
type Refuse<'a> = dyn FnMut(core::fmt::Arguments<'_>) + 'a;

/// Most addresses, routes or neighbours of a network namespace.
const ENTRIES_MAX: usize = 16 * 1024;

/// What is in a network namespace.
struct Network {
    devices: KVVec<device::Device>,
    addresses: KVVec<NetAddress>,
    routes: KVVec<NetRoute>,
    neighbours: KVVec<NetNeighbour>,
}

/// Adds an entry. `EOPNOTSUPP` when there are too many: the rest, which may be a million routes, is not asked for.
fn push<T>(list: &mut KVVec<T>, entry: T, what: &str) -> Result {
    if list.len() < ENTRIES_MAX {
        return Ok(list.push(entry, GFP_KERNEL_ACCOUNT)?);
    }
    Err(Fault::new(
        EOPNOTSUPP,
        format_args!("its network namespace has more than {ENTRIES_MAX} {what}"),
    )
    .kind(RecordType::NetNs))
}

fn collect(whole: &Whole<'_>, ns: &Nsproxy, refuse: &mut Refuse<'_>) -> Result<Network> {
    let mut network = Network {
        devices: device::collect(whole, ns, refuse)?,
        addresses: address::collect(ns)?,
        routes: route::collect(ns, refuse)?,
        neighbours: neighbour::collect(ns, refuse)?,
    };
    route::check_rules(ns, refuse)?;
    forget_born(&mut network, ns, refuse);
    Ok(network)
}

/// Whether it is an address that a loopback device gets when it is brought up.
fn is_born(loopback: u32, a: &NetAddress) -> bool {
    let inet6 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let inet = a.family == AF_INET && a.local.starts_with(&[127, 0, 0, 1]) && a.prefix_len == 8;
    a.ifindex == loopback && (inet || (a.family == AF_INET6 && a.local == inet6 && a.prefix_len == 128))
}

/// Forgets the addresses that a loopback device gets when it is brought up, and names it when it lacks one.
fn forget_born(network: &mut Network, ns: &Nsproxy, refuse: &mut Refuse<'_>) {
    let up = |r: &&device::Device| r.0.kind == device_kind::LOOPBACK && r.0.flags & device_flags::UP != 0;
    let Some((loopback, _)) = network.devices.iter().find(up) else {
        return;
    };
    let wanted = if loopback.addr_gen_mode == NO_INET6 { 1 } else { 2 };
    let all = network.addresses.len();
    network.addresses.retain(|a| !is_born(loopback.ifindex, a));
    if all - network.addresses.len() != wanted {
        let why = if wanted == 2 && ns.lacks_inet6(loopback.ifindex) {
            ": IPv6 is disabled there (disable_ipv6)"
        } else {
            ""
        };
        refuse(format_args!(
            "device {} of its network namespace lacks an address that a loopback device has{why}",
            text(&loopback.name)
        ));
    }
}

pub(super) fn check(whole: &Whole<'_>, ns: &Nsproxy, obstacles: &mut dyn Obstacles) -> Result {
    let mut next = 0;
    while let Some(setting) = ns.changed_setting(&mut next) {
        let fault = Fault::new(
            EOPNOTSUPP,
            format_args!(
                "net.{} is not what it is in a new network namespace, and will be that",
                text(&setting)
            ),
        );
        obstacles.warn(fault.kind(RecordType::NetNs));
    }
    let mut refuse = |text: core::fmt::Arguments<'_>| {
        obstacles.add(Fault::new(EOPNOTSUPP, text).kind(RecordType::NetNs));
    };
    if let Some(filter) = ns.packet_filter() {
        refuse(format_args!(
            "packets of its network namespace are filtered ({})",
            text(&filter)
        ));
    }
    match steady(|| collect(whole, ns, &mut refuse)) {
        Err(fault) if fault.errno() == EOPNOTSUPP => {
            obstacles.add(fault);
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Looks again when it has changed meanwhile.
fn steady<T>(mut look: impl FnMut() -> Result<T>) -> Result<T> {
    let mut tries = 20;
    loop {
        match look() {
            Err(fault) if fault.errno() == EAGAIN && tries > 0 => {
                tries -= 1;
                sleep_killable(4);
            }
            other => return other,
        }
    }
}

/// The network namespace as it is written: nothing may speak against it any more.
fn accepted(whole: &Whole<'_>, ns: &Nsproxy) -> Result<Network> {
    steady(|| {
        let mut refused = None;
        let network = collect(whole, ns, &mut |text| {
            refused.get_or_insert_with(|| Fault::new(EOPNOTSUPP, text).kind(RecordType::NetNs));
        })?;
        refused.map_or(Ok(network), Err)
    })
}

/// Names of the devices whose other end is outside, as [`ckpt_uapi::record::external`] has them.
pub(crate) fn outside(whole: &Whole<'_>) -> Result<KVec<u8>> {
    let mut names = KVec::new();
    for task in whole.processes.iter().flat_map(|p| p.threads.iter()) {
        let Ok(ns) = Nsproxy::of(task) else { continue };
        if !is_foreign(whole, &ns, Kind::Net) || !is_first(whole, task, &ns, Kind::Net) {
            continue;
        }
        for (device, _) in accepted(whole, &ns)?.devices {
            if device.peer == peer::OUTSIDE {
                for part in [b"veth[", text(&device.name).as_bytes(), b"]\0"] {
                    names.extend_from_slice(part, GFP_KERNEL_ACCOUNT)?;
                }
            }
        }
    }
    Ok(names)
}

pub(super) fn dump(whole: &Whole<'_>, ns: &Nsproxy, objref: u32, dump: &mut Dump<'_>) -> Result {
    let mut network = accepted(whole, ns)?;
    let devices = network.devices.len() as u32;
    dump.out.record(&NetNs { objref, devices })?;
    for (device, alias) in network.devices.iter_mut() {
        device::find_peer(device, ns, |namespace| dump.seen.get(namespace))?;
        dump.out.record_with(device, &alias[..])?;
    }
    for address in &network.addresses {
        dump.out.record(address)?;
    }
    for route in &network.routes {
        dump.out.record(route)?;
    }
    for neighbour in &network.neighbours {
        dump.out.record(neighbour)?;
    }
    Ok(())
}

/// A network namespace that is being built: the calling task lives in it.
#[derive(Clone, Copy)]
pub(crate) struct Building {
    objref: u32,
    /// Devices that are still to come.
    left: u32,
    /// Least index of the next one.
    least: u32,
    entries: usize,
}

impl Building {
    /// Whether all devices are there.
    pub(crate) fn is_done(&self) -> bool {
        self.left == 0
    }
}

pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let r: NetNs = restore.input.only()?;
    if r.objref != restore.made.next() || r.devices == 0 || r.devices > DEVICES_MAX {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a network namespace record")));
    }
    let me = restore.me;
    unshare(me, Kind::Net)?;
    restore.late.network = Some(Building {
        objref: r.objref,
        left: r.devices,
        least: 1,
        entries: 0,
    });
    made(me, Kind::Net)
}

/// Restores a part of the network namespace before it.
pub(super) fn restore_part(kind: RecordType, restore: &mut Restore<'_>) -> Result {
    let is_device = kind == RecordType::NetDevice;
    let Some(mut b) = restore.late.network.filter(|b| is_device != b.is_done()) else {
        return Err(restore.input.bad(
            EBADMSG,
            format_args!("record is not part of a network namespace, or has its place elsewhere in it"),
        ));
    };
    if is_device {
        b.least = device::restore(restore, b.objref, b.least)? + 1;
        b.left -= 1;
    } else {
        b.entries += 1;
        if b.entries > 3 * ENTRIES_MAX {
            return Err(restore
                .input
                .bad(E2BIG, format_args!("a network namespace has too many entries")));
        }
        match kind {
            RecordType::NetAddress => address::restore(restore)?,
            RecordType::NetRoute => route::restore(restore)?,
            _ => neighbour::restore(restore)?,
        }
    }
    restore.late.network = Some(b);
    Ok(())
}
