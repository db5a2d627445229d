// SPDX-License-Identifier: GPL-2.0

//! The uts namespace.
//!
//! Saved: host name and domain name.
//! Shown by: ns/keeps_uts, hostile/values_of_namespaces.

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
use ckpt_uapi::record::ns::UtsNs;
use kernel::prelude::*;
use zerocopy::FromZeros;

pub(super) fn dump(ns: &Nsproxy, objref: u32, dump: &mut Dump<'_>) -> Result {
    let mut r = UtsNs::new_zeroed();
    r.objref = objref;
    (r.nodename, r.domainname) = ns.uts_names();
    dump.out.record(&r)
}

pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let r: UtsNs = restore.input.only()?;
    let length = |name: &[u8]| name.iter().position(|b| *b == 0).unwrap_or(name.len());
    let (node, domain) = (length(&r.nodename), length(&r.domainname));
    let padded = |name: &[u8], length: usize| name[length..].iter().all(|b| *b == 0);
    if r.objref != restore.made.next()
        || r.reserved != 0
        || !padded(&r.nodename, node)
        || !padded(&r.domainname, domain)
    {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a uts namespace record")));
    }
    let me = restore.me;
    unshare(me, Kind::Uts)?;
    let at = me.put(&r.nodename)?;
    me.call(nr::__NR_sethostname, &[at, node as u64])
        .context(format_args!("cannot set the host name"))?;
    let at = me.put(&r.domainname)?;
    me.call(nr::__NR_setdomainname, &[at, domain as u64])
        .context(format_args!("cannot set the domain name"))?;
    made(me, Kind::Uts)
}
