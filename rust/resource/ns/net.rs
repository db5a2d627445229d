// SPDX-License-Identifier: GPL-2.0

//! The network namespace.
//!
//! Saved: whether the loopback device is up.
//! Not saved: traffic control, sysctls (net.*), neighbours, nexthops, rules and routes that do not come with an address, ipvs, multicast
//! memberships, ids of peer namespaces, aliases of the device.
//! Refused: devices other than the loopback device, and addresses that it is not born with or lacks; packet filters, IPsec policies and
//! states.

use super::{made, unshare};
use crate::{
    error::{Context, Result},
    objects::Object,
    resource::{Dump, Restore},
    wrapper::{
        ns::{Kind, Nsproxy},
        syscall::nr, //
    },
};
use ckpt_uapi::record::ns::{net_flags, NetNs};
use kernel::prelude::*;

pub(super) fn check(ns: &Nsproxy, refuse: &mut dyn FnMut(core::fmt::Arguments<'_>)) {
    let (_, other) = ns.loopback();
    let device = text(&other);
    if !device.is_empty() {
        refuse(format_args!(
            "device {device} of its network namespace is not a loopback device without further addresses"
        ));
    }
    if let Some(filter) = ns.packet_filter() {
        refuse(format_args!(
            "packets of its network namespace are filtered ({})",
            text(&filter)
        ));
    }
}

/// What stands before the first NUL.
fn text(name: &[u8]) -> &str {
    let name = name.split(|b| *b == 0).next().unwrap_or(&[]);
    core::str::from_utf8(name).unwrap_or("?")
}

pub(super) fn dump(ns: &Nsproxy, objref: u32, dump: &mut Dump<'_>) -> Result {
    let (up, _) = ns.loopback();
    let flags = if up { net_flags::LO_UP } else { 0 };
    dump.out.record(&NetNs { objref, flags })
}

pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let r: NetNs = restore.input.only()?;
    if r.objref != restore.made.next() || r.flags & !net_flags::ALL != 0 {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a network namespace record")));
    }
    let me = restore.me;
    unshare(me, Kind::Net)?;
    if r.flags & net_flags::LO_UP != 0 {
        const AF_UNIX: u64 = 1;
        const SOCK_DGRAM: u64 = 2;
        const SIOCSIFFLAGS: u64 = 0x8914;
        const IFF_UP: u16 = 1;
        const IFF_RUNNING: u16 = 1 << 6;
        // struct ifreq: a name of 16 bytes, then a union of 24.
        let mut request = [0u8; 40];
        request[..2].copy_from_slice(b"lo");
        request[16..18].copy_from_slice(&(IFF_UP | IFF_RUNNING).to_ne_bytes());
        let at = me.put(&request)?;
        let socket = me.call(nr::__NR_socket, &[AF_UNIX, SOCK_DGRAM, 0])? as u64;
        let done = me.call(nr::__NR_ioctl, &[socket, SIOCSIFFLAGS, at]);
        me.call(nr::__NR_close, &[socket])?;
        done.context(format_args!("cannot bring up the loopback device"))?;
    }
    made(me, Kind::Net)
}
