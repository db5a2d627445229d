// SPDX-License-Identifier: GPL-2.0

//! The ipc namespace.
//!
//! Saved: its limits (kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.*).
//! Its objects: ipc.rs.
//! Refused: one that may have more than 32,768 objects of a kind.
//! Shown by: ns/keeps_uts_and_ipc, ipc/.

use super::{made, unshare};
use crate::{
    error::{Context, Result},
    objects::Object,
    resource::{check_objects, share, Dump, Restore, Whole},
    wrapper::{
        ns::{IpcLimits, Kind, Nsproxy},
        task::Task, //
    },
};
use ckpt_uapi::record::ns::IpcNs;
use kernel::prelude::*;
use zerocopy::FromZeros;

/// As in a kernel that was started without `ipcmni_extend`.
const IPCMNI: u32 = 32768;

pub(super) fn check(
    whole: &Whole<'_>,
    task: &Task,
    ns: &Nsproxy,
    refuse: &mut dyn FnMut(core::fmt::Arguments<'_>),
) -> Result {
    let l = ns.ipc_limits();
    if [l.shmmni, l.msgmni, l.sem[3]].iter().any(|n| *n > IPCMNI) {
        refuse(format_args!(
            "its ipc namespace may have more than {IPCMNI} objects of a kind"
        ));
    }
    check_objects(whole, task, ns, refuse)
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
    *dump.new |= share::IPC;
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
    // What is there may be more than could be made now.
    let mut wide = Nsproxy::of(me.task())?.ipc_limits();
    wide.shmmax = wide.shmmax.max(limits.shmmax);
    wide.shmall = wide.shmall.max(limits.shmall);
    wide.shmmni = wide.shmmni.max(limits.shmmni);
    wide.msgmax = wide.msgmax.max(limits.msgmax);
    wide.msgmnb = wide.msgmnb.max(limits.msgmnb);
    wide.msgmni = wide.msgmni.max(limits.msgmni);
    for (wide, limit) in wide.sem.iter_mut().zip(limits.sem) {
        *wide = (*wide).max(limit);
    }
    wide.mq_queues_max = wide.mq_queues_max.max(limits.mq_queues_max);
    wide.mq_msg_max = wide.mq_msg_max.max(limits.mq_msg_max);
    wide.mq_msgsize_max = wide.mq_msgsize_max.max(limits.mq_msgsize_max);
    me.set_ipc_limits(&wide)
        .context(format_args!("cannot set the limits of the ipc namespace"))?;
    restore.late.ipc_limits = Some(limits);
    made(me, Kind::Ipc)
}
