// SPDX-License-Identifier: GPL-2.0

//! The time namespace.
//!
//! Saved: what CLOCK_MONOTONIC and CLOCK_BOOTTIME said inside of it. They go on from there: the time between checkpoint and
//! restart has not passed.
//! Refused: a namespace for children that others live in already.
//! Shown by: ns/keeps_clocks, hostile/values_of_namespaces.

use super::{made, parts, unshare};
use crate::{
    error::{Context, Fault, Result},
    objects::Object,
    resource::{Dump, Restore, Whole},
    wrapper::{
        file::File,
        ns::{Kind, Nsproxy},
        syscall::CurrentTask,
        task::Task,
        time, //
    },
};
use ckpt_uapi::record::ns::{time_flags, Nsproxy as NsproxyRecord, TimeNs};
use kernel::prelude::*;
use zerocopy::FromZeros;

pub(super) fn check(whole: &Whole<'_>, task: &Task, ns: &Nsproxy, refuse: &mut dyn FnMut(core::fmt::Arguments<'_>)) {
    let children = ns.address(Kind::TimeForChildren);
    if children == ns.address(Kind::Time) {
        return;
    }
    // It is made by the first that has it, and only then it can be for the children only.
    let lives_in = |n: &Nsproxy| {
        n.set() != ns.set() && (n.address(Kind::Time) == children || n.address(Kind::TimeForChildren) == children)
    };
    let mut earlier = whole
        .processes
        .iter()
        .flat_map(|p| p.threads.iter())
        .take_while(|t| *t != task)
        .filter_map(|t| Nsproxy::of(t).ok());
    if children == whole.caller_ns.address(Kind::Time) || earlier.any(|n| lives_in(&n)) {
        refuse(format_args!(
            "its children to come would live in a time namespace that others live in, and it does not"
        ));
    }
}

pub(super) fn dump(whole: &Whole<'_>, ns: &Nsproxy, children: bool, objref: u32, dump: &mut Dump<'_>) -> Result {
    let (monotonic, boottime) = ns.time_offsets(children);
    // CLOCK_BOOTTIME has no value of that moment.
    let since = time::monotonic_ns().saturating_sub(whole.stopped_ns);
    let stopped_boottime = time::boottime_ns().saturating_sub(since);
    let mut r = TimeNs::new_zeroed();
    r.objref = objref;
    r.flags = if children { time_flags::FOR_CHILDREN } else { 0 };
    r.monotonic_ns = whole.stopped_ns.saturating_add_signed(monotonic);
    r.boottime_ns = stopped_boottime.saturating_add_signed(boottime);
    dump.out.record(&r)
}

pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let r: TimeNs = restore.input.only()?;
    // The kernel's own limit is nearer.
    let offset = |saved: u64, now: u64| i64::try_from(saved).ok()?.checked_sub(i64::try_from(now).ok()?);
    let offsets = (
        offset(r.monotonic_ns, time::monotonic_ns()),
        offset(r.boottime_ns, time::boottime_ns()),
    );
    let (Some(monotonic), Some(boottime)) = offsets else {
        return Err(restore.input.bad(EBADMSG, format_args!("a clock is out of range")));
    };
    if r.objref != restore.made.next() || r.flags & !time_flags::ALL != 0 {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a time namespace record")));
    }
    let me = restore.me;
    unshare(me, Kind::TimeForChildren)?;
    let object = made(me, Kind::TimeForChildren)?;
    if let Object::Namespace(_, file, _) = &object {
        me.set_time_offsets(file, monotonic, boottime)
            .context(format_args!("cannot set the clocks of the time namespace"))?;
    }
    if r.flags & time_flags::FOR_CHILDREN == 0 {
        me.enter_time_namespace()
            .context(format_args!("cannot enter the new time namespace"))?;
    }
    Ok(object)
}

/// Joins a time namespace. setns(2) wants a process with one thread: instead the task takes all namespaces of the one that made it,
/// as if that had created it, and goes back to those that are not to be that one's.
pub(super) fn join(me: &CurrentTask, file: &File, maker: &Task, r: &NsproxyRecord) -> Result {
    if me.lives_in(file, Kind::Time) {
        return Ok(());
    }
    let mut own = KVec::new();
    for (kind, objref) in parts(r) {
        if objref == 0 && !matches!(kind, Kind::Time | Kind::TimeForChildren) {
            own.push((kind, me.open_namespace(kind)?), GFP_KERNEL_ACCOUNT)?;
        }
    }
    me.adopt_namespaces(maker)
        .context(format_args!("cannot enter the time namespace of another task"))?;
    // If its maker meant it for its children.
    me.enter_time_namespace()
        .context(format_args!("cannot enter a time namespace"))?;
    for (kind, file) in own {
        super::join(me, &file, kind)?;
    }
    if !me.lives_in(file, Kind::Time) {
        return Err(Fault::new(
            EINVAL,
            format_args!("the task that made the time namespace has left it"),
        ));
    }
    Ok(())
}
