// SPDX-License-Identifier: GPL-2.0

//! The cgroup namespace.
//!
//! Saved: that there is one, and who lives in it. Its root is the cgroup that the restarter lives in.
//! Not saved: the cgroup that was its root.
//! Shown by: ns/, hostile/values_of_namespaces.

use super::{made, unshare};
use crate::{
    error::Result,
    objects::Object,
    resource::{Dump, Restore},
    wrapper::ns::{Kind, Nsproxy},
};
use ckpt_uapi::record::ns::CgroupNs;
use kernel::prelude::*;

pub(super) fn dump(_ns: &Nsproxy, objref: u32, dump: &mut Dump<'_>) -> Result {
    dump.out.record(&CgroupNs { objref, reserved: 0 })
}

pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let r: CgroupNs = restore.input.only()?;
    if r.objref != restore.made.next() || r.reserved != 0 {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a cgroup namespace record")));
    }
    unshare(restore.me, Kind::Cgroup)?;
    made(restore.me, Kind::Cgroup)
}
