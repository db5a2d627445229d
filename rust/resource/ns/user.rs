// SPDX-License-Identifier: GPL-2.0

//! The user namespace.
//!
//! Saved: one for all tasks, just below the caller's, which their pid namespace belongs to: its maps, owner, and whether setgroups(2) is
//! denied. User space makes it, and the pid namespace with it; the maps are written to /proc/PID/uid_map and gid_map by the restarter,
//! who needs the right to.
//! Not saved: limits below /proc/sys/user; that the owner of memory is this user namespace (who may trace a task that is not dumpable).
//! Refused: other user namespaces beside or below it, one that is not just below the caller's, one that others live in, too (but for the
//! parent of a container's init); one without ids, or with ids that the caller does not know; project ids.
//!
//! Record: [`ckpt_uapi::record::ns::UserNs`].

use super::threads_of_parent;
use crate::{
    error::{Fault, Result},
    freeze::Scope,
    resource::{Obstacles, Whole},
    statefile::{Reader, Writer},
    wrapper::{
        cred::Cred,
        ns::Kind,
        task::Task, //
    },
};
use ckpt_uapi::record::{
    ns::{user_flags, IdExtent, UserNs, EXTENTS_MAX},
    RecordType,
};
use kernel::prelude::*;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// As many as a task may have.
const GROUPS_MAX: u32 = 65_536;

/// Names a task of another user namespace; the address of that which it lives in.
pub(super) fn check(whole: &Whole<'_>, task: &Task, refuse: &mut dyn FnMut(core::fmt::Arguments<'_>)) -> usize {
    let user = Cred::of(task).user_ns();
    if user != Cred::of(&whole.root.leader).user_ns() {
        refuse(format_args!(
            "it lives in another user namespace than the first process"
        ));
    }
    user
}

/// Names what is unusual about the user namespace of all of them.
pub(super) fn check_whole(whole: &Whole<'_>, obstacles: &mut dyn Obstacles) -> Result {
    let cred = Cred::of(&whole.root.leader);
    let mut refuse = |text: &str| {
        obstacles.add(Fault::new(EOPNOTSUPP, format_args!("its user namespace {text}")).kind(RecordType::UserNs));
    };
    if cred.user_ns() == Cred::current().user_ns() {
        return Ok(());
    }
    if !cred.is_just_below(&Cred::current()) {
        refuse("is not the caller's, and was not made in that");
        return Ok(());
    }
    let (state, extents) = collect(&cred)?;
    if state.uids == 0 || state.gids == 0 {
        refuse("has no ids");
    }
    if extents.iter().any(|e| e.outside == u32::MAX) || state.owner == u32::MAX || state.group == u32::MAX {
        refuse("has ids that the caller does not know");
    }
    if cred.user_ns_state()?.projids {
        refuse("has project ids");
    }
    if whole.root.scope == Scope::Container && whole.pid_ns.owner() != cred.user_ns() {
        refuse("is not that which its pid namespace belongs to");
    }
    let lives = |t: &&Task| Cred::of(t).user_ns() == cred.user_ns();
    let threads = whole
        .processes
        .iter()
        .flat_map(|p| p.threads.iter())
        .filter(lives)
        .count();
    let of_parent = threads_of_parent(whole, Kind::User, cred.user_ns());
    if Kind::User.threads_in(cred.user_ns()) > threads.saturating_add(of_parent) {
        refuse("is shared with processes outside of the target");
    }
    Ok(())
}

fn collect(cred: &Cred) -> Result<(UserNs, KVec<IdExtent>)> {
    let state = cred.user_ns_state()?;
    let mut extents = KVec::new();
    for (group, count) in [(false, state.uids), (true, state.gids)] {
        for i in 0..count {
            let [first, outside, count] = cred.user_ns_extent(group, i);
            extents.push(IdExtent { first, outside, count }, GFP_KERNEL)?;
        }
    }
    let mut r = UserNs::new_zeroed();
    (r.owner, r.group) = (state.owner, state.group);
    r.flags = if state.setgroups { 0 } else { user_flags::NO_SETGROUPS };
    (r.uids, r.gids) = (state.uids, state.gids);
    Ok((r, extents))
}

/// Writes the user namespace of the target, if it has one of its own.
pub(crate) fn dump(whole: &Whole<'_>, out: &mut Writer) -> Result {
    let cred = Cred::of(&whole.root.leader);
    if cred.user_ns() == Cred::current().user_ns() {
        return Ok(());
    }
    let (mut r, extents) = collect(&cred)?;
    let groups = cred.groups_outside()?;
    r.groups = groups.len() as u32;
    let mut rest = KVec::new();
    rest.extend_from_slice(extents.as_bytes(), GFP_KERNEL)?;
    rest.extend_from_slice(groups.as_bytes(), GFP_KERNEL)?;
    out.record_with(&r, &rest[..])
}

/// A user namespace in which the tasks have to live.
pub(crate) struct Wanted {
    body: KVec<u8>,
    restarter: Cred,
}

/// Reads the current record.
pub(crate) fn restore(input: &Reader) -> Result<Wanted> {
    let r: UserNs = input.fixed()?;
    let rest = input.variable();
    let maps = [r.uids, r.gids];
    let length = u64::from(r.uids) + u64::from(r.gids);
    let length = length * size_of::<IdExtent>() as u64 + u64::from(r.groups) * size_of::<u32>() as u64;
    if r.flags & !user_flags::ALL != 0
        || [r.owner, r.group].contains(&u32::MAX)
        || maps.iter().any(|n| *n == 0 || *n > EXTENTS_MAX)
        || r.groups > GROUPS_MAX
        || length != rest.len() as u64
    {
        return Err(input.bad(EBADMSG, format_args!("wrong values in a user namespace record")));
    }
    let mut body = KVec::new();
    body.extend_from_slice(r.as_bytes(), GFP_KERNEL)?;
    body.extend_from_slice(rest, GFP_KERNEL)?;
    Ok(Wanted {
        body,
        restarter: Cred::current(),
    })
}

impl Wanted {
    /// The record, for whoever makes the namespace.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether the task lives in such a namespace, just below that of the restarter: ids of the statefile mean others elsewhere.
    pub(crate) fn is_that_of(&self, task: &Task) -> Result {
        let cred = Cred::of(task);
        let same = || -> Result<bool> {
            if !cred.is_just_below(&self.restarter) {
                return Ok(false);
            }
            let (mut have, extents) = collect(&cred)?;
            let Ok((want, rest)) = UserNs::read_from_prefix(&self.body) else {
                return Ok(false);
            };
            have.groups = want.groups;
            Ok(have == want && rest.starts_with(extents.as_bytes()))
        };
        if !same()? {
            return Err(Fault::new(
                EPERM,
                format_args!("the task does not live in a user namespace like that of the saved program"),
            ));
        }
        Ok(())
    }
}
