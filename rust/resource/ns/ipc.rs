// SPDX-License-Identifier: GPL-2.0

//! The ipc namespace.
//!
//! Saved: its limits (kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.*).
//! Refused: one with System V objects or POSIX message queues in it, or that may have more than 32,768 of a kind.

use super::{made, unshare};
use crate::{
    error::{Context, Result},
    objects::Object,
    resource::{Dump, Restore},
    wrapper::ns::{IpcLimits, Kind, Nsproxy},
};
use ckpt_uapi::record::ns::IpcNs;
use kernel::prelude::*;
use zerocopy::FromZeros;

/// As in a kernel that was started without `ipcmni_extend`.
const IPCMNI: u32 = 32768;

pub(super) fn check(ns: &Nsproxy, refuse: &mut dyn FnMut(core::fmt::Arguments<'_>)) {
    let objects = ns.ipc_objects();
    if objects > 0 {
        refuse(format_args!(
            "its ipc namespace holds {objects} System V objects or POSIX message queues"
        ));
    }
    let l = ns.ipc_limits();
    if [l.shmmni, l.msgmni, l.sem[3]].iter().any(|n| *n > IPCMNI) {
        refuse(format_args!(
            "its ipc namespace may have more than {IPCMNI} objects of a kind"
        ));
    }
}

pub(super) fn dump(ns: &Nsproxy, objref: u32, dump: &mut Dump<'_>) -> Result {
    let l = ns.ipc_limits();
    let mut r = IpcNs::new_zeroed();
    r.objref = objref;
    (r.shmmax, r.shmall, r.shmmni) = (l.shmmax, l.shmall, l.shmmni);
    r.shm_rmid_forced = l.shm_rmid_forced;
    (r.msgmax, r.msgmnb, r.msgmni) = (l.msgmax, l.msgmnb, l.msgmni);
    r.sem = l.sem;
    r.mq_queues_max = l.mq_queues_max;
    (r.mq_msg_max, r.mq_msgsize_max) = (l.mq_msg_max, l.mq_msgsize_max);
    (r.mq_msg_default, r.mq_msgsize_default) = (l.mq_msg_default, l.mq_msgsize_default);
    dump.out.record(&r)
}

pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let r: IpcNs = restore.input.only()?;
    if r.objref != restore.made.next() || r.reserved != 0 {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in an ipc namespace record")));
    }
    let me = restore.me;
    unshare(me, Kind::Ipc)?;
    let limits = IpcLimits {
        shmmax: r.shmmax,
        shmall: r.shmall,
        shmmni: r.shmmni,
        shm_rmid_forced: r.shm_rmid_forced,
        msgmax: r.msgmax,
        msgmnb: r.msgmnb,
        msgmni: r.msgmni,
        sem: r.sem,
        mq_queues_max: r.mq_queues_max,
        mq_msg_max: r.mq_msg_max,
        mq_msgsize_max: r.mq_msgsize_max,
        mq_msg_default: r.mq_msg_default,
        mq_msgsize_default: r.mq_msgsize_default,
    };
    me.set_ipc_limits(&limits)
        .context(format_args!("cannot set the limits of the ipc namespace"))?;
    made(me, Kind::Ipc)
}
