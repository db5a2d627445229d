// SPDX-License-Identifier: GPL-2.0

//! Network devices: the loopback device, and ends of veth pairs.

use super::{
    message::{ask, byte_at, padded, text, word_at, Attributes, Message},
    Refuse, //
};
use crate::{
    error::{Context, Fault, Result},
    objects::Object,
    resource::{
        ns::Kind,
        Restore,
        Whole, //
    },
    wrapper::{
        cred::Cred,
        file::{with_fd, File},
        net::rt,
        ns::Nsproxy,
        syscall::{nr, CurrentTask}, //
    },
};
use ckpt_uapi::record::net::{
    device_flags, device_kind, peer, NetDevice, ADDR_GEN_MODE_MAX, ALIAS_MAX, DEVICES_MAX, NO_INET6, PARKED,
};
use core::fmt::Write;
use kernel::prelude::*;
use zerocopy::FromZeros;

/// Index of the loopback device of every network namespace.
const LOOPBACK: u32 = 1;
/// As `IN6_ADDR_GEN_MODE_NONE`.
const NO_ADDRESSES: u32 = 1;
/// `IFLA_ADDRESS` of what has one at all.
const HARDWARE: usize = 6;
const AF_INET6: u32 = super::message::AF_INET6;

/// A device, and its alias.
pub(super) type Device = (NetDevice, KVec<u8>);

/// Whether a thread of the target lives in a network namespace.
fn has(whole: &Whole<'_>, namespace: usize) -> bool {
    let threads = whole.processes.iter().flat_map(|p| p.threads.iter());
    threads
        .filter_map(|t| Nsproxy::of(t).ok())
        .any(|n| n.address(Kind::Net) == namespace)
}

/// All devices of the network namespace by their indexes. Without their peers, which are known when it is written.
pub(super) fn collect(whole: &Whole<'_>, ns: &Nsproxy, refuse: &mut Refuse<'_>) -> Result<KVVec<Device>> {
    let mut devices: KVVec<Device> = KVVec::new();
    ask(ns, rt::RTM_GETLINK, 0, |body| {
        let attributes = Attributes::after(body, 16);
        let name = text(attributes.find(rt::IFLA_IFNAME).unwrap_or(&[]));
        if devices.len() >= DEVICES_MAX as usize {
            return Err(Fault::new(
                E2BIG,
                format_args!("a network namespace has more than {DEVICES_MAX} devices"),
            ));
        }
        match device(whole, ns, body, attributes)? {
            Ok(device) => devices.push(device, GFP_KERNEL_ACCOUNT)?,
            Err(what) => refuse(format_args!("device {name} of its network namespace {what}")),
        }
        Ok(())
    })?;
    devices.sort_unstable_by_key(|(d, _)| d.ifindex);
    Ok(devices)
}

/// One device, or what speaks against it.
fn device(
    whole: &Whole<'_>,
    ns: &Nsproxy,
    body: &[u8],
    attributes: Attributes<'_>,
) -> Result<core::result::Result<Device, &'static str>> {
    let kind = attributes.nested(rt::IFLA_LINKINFO).find(rt::IFLA_INFO_KIND);
    let kind = kind.map(|kind| kind.split(|b| *b == 0).next().unwrap_or(kind));
    let mut r = NetDevice::new_zeroed();
    (r.ifindex, r.flags) = (word_at(body, 4), word_at(body, 8) & device_flags::ALL);
    r.kind = match kind {
        None if r.ifindex == LOOPBACK => device_kind::LOOPBACK,
        Some(b"veth") => device_kind::VETH,
        Some(b"bridge") => return Ok(Err("is a bridge")),
        Some(b"macvlan") => return Ok(Err("is of kind macvlan")),
        Some(b"ipvlan") => return Ok(Err("is of kind ipvlan")),
        Some(b"vlan") => return Ok(Err("is of kind vlan")),
        Some(b"tun") => return Ok(Err("is of kind tun")),
        Some(b"dummy") => return Ok(Err("is of kind dummy")),
        _ => return Ok(Err("is neither a loopback device nor a veth pair")),
    };
    let plain = |name: &[u8]| core::str::from_utf8(name).is_ok();
    if !attributes.find(rt::IFLA_IFNAME).is_some_and(plain) {
        return Ok(Err("has a name that is not UTF-8"));
    }
    let queueing = attributes.find(rt::IFLA_QDISC).map_or("", text);
    let xdp = attributes.nested(rt::IFLA_XDP).find(rt::IFLA_XDP_ATTACHED);
    if attributes.find(rt::IFLA_MASTER).is_some() {
        return Ok(Err("belongs to another one"));
    }
    if !["", "noqueue", "noop"].contains(&queueing) {
        return Ok(Err("has a queueing discipline"));
    }
    if xdp.is_some_and(|how| byte_at(how, 0) != 0) {
        return Ok(Err("runs an XDP program"));
    }
    if attributes.find(rt::IFLA_PROP_LIST).is_some() {
        return Ok(Err("has alternative names"));
    }
    if r.ifindex >= PARKED {
        return Ok(Err("has too large an index"));
    }
    r.mtu = attributes.word(rt::IFLA_MTU);
    r.txqlen = attributes.word(rt::IFLA_TXQLEN);
    r.group = attributes.word(rt::IFLA_GROUP);
    let inet6 = attributes.nested(rt::IFLA_AF_SPEC).nested(AF_INET6);
    r.addr_gen_mode = inet6
        .find(rt::IFLA_INET6_ADDR_GEN_MODE)
        .map_or(NO_INET6, |mode| byte_at(mode, 0));
    r.address = padded(attributes.find(rt::IFLA_ADDRESS).unwrap_or(&[]));
    r.name = padded(attributes.find(rt::IFLA_IFNAME).unwrap_or(&[]));
    if r.kind == device_kind::VETH {
        // Where it is: its objref is not known yet.
        r.peer = match ns.net_peer(r.ifindex) {
            Some((net, _)) if net == whole.caller_ns.address(Kind::Net) => {
                if ns.owner(Kind::Net) != Cred::current().user_ns() {
                    return Ok(Err(
                        "has its other end outside, where a program in a user namespace of its own cannot make it again",
                    ));
                }
                peer::OUTSIDE
            }
            Some((net, _)) if has(whole, net) => peer::LATER,
            Some(_) => {
                return Ok(Err(
                    "has its other end in a network namespace that is neither the target's nor the caller's",
                ))
            }
            None => return Ok(Err("has no other end")),
        };
    }
    let alias = attributes.find(rt::IFLA_IFALIAS).unwrap_or(&[]);
    let alias = alias.split(|b| *b == 0).next().unwrap_or(&[]);
    let mut text = KVec::new();
    text.extend_from_slice(alias, GFP_KERNEL_ACCOUNT)?;
    r.alias_len = text.len() as u32;
    Ok(Ok((r, text)))
}

/// Says where the other end is; `written` knows the objref of a namespace that has been written, this one among them.
pub(super) fn find_peer(r: &mut NetDevice, ns: &Nsproxy, written: impl Fn(usize) -> Option<u32>) -> Result {
    if r.peer != peer::LATER {
        return Ok(());
    }
    let (net, ifindex) = ns.net_peer(r.ifindex).ok_or(ENODEV)?;
    if let Some(objref) = written(net) {
        (r.peer, r.peer_ns, r.peer_ifindex) = (peer::KNOWN, objref, ifindex);
    }
    Ok(())
}

/// Makes or finds the device, and makes it what it was. `own` is the objref of the namespace that it belongs to.
pub(super) fn restore(restore: &mut Restore<'_>, own: u32, least: u32) -> Result<u32> {
    let r: NetDevice = restore.input.fixed()?;
    let alias = restore.input.variable();
    check(&r, alias, own, least).map_err(|()| {
        restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a network device record"))
    })?;
    let me = restore.me;
    let name = text(&r.name);
    let (made, ends) = match r.peer {
        peer::OUTSIDE => (make_with_outside(restore, &r), 0),
        peer::LATER => (make(me, &r, PARKED + r.ifindex, None), 1),
        peer::KNOWN if r.peer_ns != own => (fetch(restore, &r), -1),
        peer::KNOWN if r.peer_ifindex > r.ifindex => (make(me, &r, r.peer_ifindex, None), 1),
        // The second of a pair is there, or the next step fails.
        peer::KNOWN => (Ok(()), -1),
        // So is the loopback device.
        _ => (Ok(()), 0),
    };
    made.and_then(|()| configure(me, &r, alias)).map_err(|fault| {
        if fault.detail().is_some() {
            return fault;
        }
        Fault::new(
            fault.errno(),
            format_args!("cannot make network device {name} with index {}", r.ifindex),
        )
    })?;
    restore.made.ends = restore.made.ends.saturating_add_signed(ends);
    Ok(r.ifindex)
}

fn check(r: &NetDevice, alias: &[u8], own: u32, least: u32) -> core::result::Result<(), ()> {
    let name_len = r.name.iter().position(|b| *b == 0).ok_or(())?;
    let (name, rest) = r.name.split_at(name_len);
    let is_loopback = r.kind == device_kind::LOOPBACK;
    let peer_known = r.peer == peer::KNOWN;
    let right = rest.iter().all(|b| *b == 0)
        && !name.is_empty()
        && core::str::from_utf8(name).is_ok()
        && !name.contains(&b'%')
        && (is_loopback || r.kind == device_kind::VETH)
        && is_loopback == (r.ifindex == LOOPBACK)
        && is_loopback == (r.peer == peer::NONE)
        && r.peer <= peer::KNOWN
        && peer_known == (r.peer_ns != 0)
        && peer_known == (r.peer_ifindex != 0)
        && r.peer_ifindex < PARKED
        && !(r.peer_ns == own && r.peer_ifindex == r.ifindex)
        && (least..PARKED).contains(&r.ifindex)
        && r.flags & !device_flags::ALL == 0
        && (r.addr_gen_mode == NO_INET6 || r.addr_gen_mode <= ADDR_GEN_MODE_MAX)
        && r.address[HARDWARE..] == [0; 2]
        && r.reserved == 0
        && r.alias_len <= ALIAS_MAX
        && r.alias_len as usize == alias.len()
        && !alias.contains(&0);
    right.then_some(()).ok_or(())
}

/// `struct ifinfomsg`.
fn head(ifindex: u32, flags: u32, change: u32) -> [u8; 16] {
    let mut head = [0; 16];
    head[4..8].copy_from_slice(&ifindex.to_ne_bytes());
    head[8..12].copy_from_slice(&flags.to_ne_bytes());
    head[12..].copy_from_slice(&change.to_ne_bytes());
    head
}

/// A name that the other end has until its own record comes, with a NUL.
struct Waiting([u8; 16], usize);

impl Waiting {
    fn name(ifindex: u32) -> Self {
        let mut name = Self([0; 16], 0);
        // It fits: 5 + 8 bytes.
        let _ = write!(name, "~ckpt{ifindex:x}");
        name
    }
}

impl Write for Waiting {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for byte in text.bytes() {
            *self.0.get_mut(self.1).ok_or(core::fmt::Error)? = byte;
            self.1 += 1;
        }
        Ok(())
    }
}

/// Makes a pair. The other end gets an index and a name to wait under, or goes to another namespace under this name.
fn make(me: &CurrentTask, r: &NetDevice, peer_ifindex: u32, outside: Option<(&[u8], u64)>) -> Result {
    let flags = rt::NLM_F_CREATE | rt::NLM_F_EXCL | rt::NLM_F_ACK;
    let mut m = Message::new(rt::RTM_NEWLINK, flags, &head(r.ifindex, 0, 0))?;
    m.bytes(rt::IFLA_IFNAME, &r.name)?;
    m.nest(rt::IFLA_LINKINFO, &[], |m| {
        m.bytes(rt::IFLA_INFO_KIND, b"veth\0")?;
        m.nest(rt::IFLA_INFO_DATA, &[], |m| {
            m.nest(rt::VETH_INFO_PEER, &head(peer_ifindex, 0, 0), |m| match outside {
                Some((name, fd)) => {
                    m.bytes(rt::IFLA_IFNAME, &padded::<16>(name))?;
                    m.word(rt::IFLA_NET_NS_FD, fd as u32)
                }
                None => m.bytes(rt::IFLA_IFNAME, &Waiting::name(peer_ifindex).0),
            })
        })
    })?;
    Ok(m.send_by(me)?)
}

/// Makes a pair whose other end the restarter's network namespace gets.
fn make_with_outside(restore: &Restore<'_>, r: &NetDevice) -> Result {
    let name = text(&r.name);
    let outer = restore.external.veth(name.as_bytes()).ok_or_else(|| {
        Fault::new(
            ENOENT,
            format_args!("nobody has said what becomes the other end of network device {name}"),
        )
    })?;
    let me = restore.me;
    let made = with_fd(me, restore.external.network(), |fd| make(me, r, 0, Some((outer, fd))));
    made.map_err(|fault| {
        Fault::new(
            fault.errno(),
            format_args!(
                "cannot make network device {name} with its other end, {}, in the restarter's network namespace",
                text(outer)
            ),
        )
    })
}

/// Fetches the other end of a pair that an earlier namespace has made.
fn fetch(restore: &Restore<'_>, r: &NetDevice) -> Result {
    let me = restore.me;
    let Some(Object::Namespace(Kind::Net, from, _)) = restore.made.get(r.peer_ns) else {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("object {} is no network namespace", r.peer_ns)));
    };
    let here = me.open_namespace(Kind::Net)?;
    let mut m = Message::new(rt::RTM_NEWLINK, rt::NLM_F_ACK, &head(PARKED + r.peer_ifindex, 0, 0))?;
    m.word(rt::IFLA_NEW_IFINDEX, r.ifindex)?;
    with_fd(me, &here, |fd| {
        m.word(rt::IFLA_NET_NS_FD, fd as u32)?;
        in_namespace(me, from, &here, || Ok(m.send_by(me)?))
    })
}

/// Runs `f` in another network namespace, and comes back.
fn in_namespace(me: &CurrentTask, there: &File, here: &File, f: impl FnOnce() -> Result) -> Result {
    let enter = |namespace: &File| {
        with_fd(me, namespace, |fd| {
            me.call(nr::__NR_setns, &[fd, Kind::Net.clone_flag()])
        })
    };
    enter(there).context(format_args!("cannot enter a network namespace"))?;
    let done = f();
    enter(here).context(format_args!("cannot come back to a network namespace"))?;
    done
}

fn configure(me: &CurrentTask, r: &NetDevice, alias: &[u8]) -> Result {
    let change = |flags, change| Message::new(rt::RTM_NEWLINK, rt::NLM_F_ACK, &head(r.ifindex, flags, change));
    let addresses = |m: &mut Message, mode: u32| match r.addr_gen_mode {
        NO_INET6 => Ok(()),
        _ => m.nest(rt::IFLA_AF_SPEC, &[], |m| {
            m.nest(AF_INET6, &[], |m| m.bytes(rt::IFLA_INET6_ADDR_GEN_MODE, &[mode as u8]))
        }),
    };
    let mut m = change(0, 0)?;
    m.bytes(rt::IFLA_IFNAME, &r.name)?;
    m.word(rt::IFLA_MTU, r.mtu)?;
    m.word(rt::IFLA_TXQLEN, r.txqlen)?;
    m.word(rt::IFLA_GROUP, r.group)?;
    if r.kind == device_kind::VETH {
        m.bytes(rt::IFLA_ADDRESS, &r.address[..HARDWARE])?;
    }
    if !alias.is_empty() {
        m.bytes(rt::IFLA_IFALIAS, alias)?;
    }
    // Link-local addresses come with the others.
    addresses(&mut m, NO_ADDRESSES)?;
    m.send_by(me)?;
    change(r.flags, device_flags::ALL)?.send_by(me)?;
    if ![NO_INET6, NO_ADDRESSES].contains(&r.addr_gen_mode) {
        let mut m = change(0, 0)?;
        addresses(&mut m, r.addr_gen_mode)?;
        m.send_by(me)?;
    }
    Ok(())
}
