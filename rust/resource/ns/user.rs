// SPDX-License-Identifier: GPL-2.0

//! The user namespace.
//!
//! Saved: one for all tasks, just below the caller's, which their pid namespace belongs to: its maps, owner, and whether setgroups(2) is
//! denied. User space makes it, and the pid namespace with it; the maps are written to /proc/PID/uid_map and gid_map by the restarter,
//! who needs the right to.
//! Saved: supplementary groups that it has no numbers for, which are those of whoever made it: the same for all tasks.
//! Not saved: limits below /proc/sys/user; that the owner of memory is this user namespace (who may trace a task that is not dumpable).
//! Refused: other user namespaces beside or below it, one that is not just below the caller's, one that others live in, too (but for the
//! parents of a container's init and of those that have entered it); one without ids, or with ids that the caller does not know; project
//! ids; a task with supplementary groups without numbers that are not those of the first process, or that the caller has no number for
//! either.
//! Shown by: ns/keeps_a_rootless, ns/keeps_a_container, ns/names_who, refuse/user_namespace, hostile/values_of_a_user_namespace.
//!
//! Record: [`ckpt_uapi::record::ns::UserNs`].

use crate::{
    error::{Fault, Result},
    freeze::Scope,
    resource::{Obstacles, Whole},
    statefile::{Reader, Writer},
    wrapper::{
        cred::{Cred, NO_NUMBER},
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
pub(super) fn check(whole: &Whole<'_>, task: &Task, refuse: &mut dyn FnMut(core::fmt::Arguments<'_>)) -> Result<usize> {
    let cred = Cred::of(task);
    if cred.user_ns() != Cred::of(&whole.root.leader).user_ns() {
        refuse(format_args!(
            "it lives in another user namespace than the first process"
        ));
    }
    check_groups(whole, &cred, refuse)?;
    Ok(cred.user_ns())
}

/// Names supplementary groups that a restart could not tell from others: without a number one is like the other.
fn check_groups(whole: &Whole<'_>, cred: &Cred, refuse: &mut dyn FnMut(core::fmt::Arguments<'_>)) -> Result {
    if !cred.groups()?.contains(&NO_NUMBER) {
        return Ok(());
    }
    let caller = Cred::current();
    let groups = cred.groups_seen_by(&caller)?;
    if groups.contains(&NO_NUMBER) {
        refuse(format_args!(
            "it has a supplementary group that neither its user namespace nor the caller's has a number for"
        ));
    } else if groups[..] != Cred::of(&whole.root.leader).groups_seen_by(&caller)?[..] {
        refuse(format_args!(
            "it has supplementary groups that its user namespace has no numbers for, and not those of the first process"
        ));
    }
    Ok(())
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
    if Kind::User.threads_in(cred.user_ns(), whole.inside()) > threads {
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
    let mut groups = cred.groups_seen_by(&Cred::current())?;
    groups.retain(|group| *group != NO_NUMBER);
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
        || [r.owner, r.group].contains(&NO_NUMBER)
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
        let Some(groups) = self.groups_like(&cred)? else {
            return Err(Fault::new(
                EPERM,
                format_args!("the task does not live in a user namespace like that of the saved program"),
            ));
        };
        if !groups.is_empty() && cred.groups_seen_by(&self.restarter)?[..] != groups[..] {
            return Err(Fault::new(
                EPERM,
                format_args!(
                    "the task has not the supplementary groups of the saved program, which its user namespace has no numbers for"
                ),
            ));
        }
        Ok(())
    }

    /// The supplementary groups that a task must have when it enters, in the kernel's order, if its user namespace is like the saved
    /// one: none when that has a number for each, since then the task takes its own by setgroups(2).
    fn groups_like(&self, cred: &Cred) -> Result<Option<KVec<u32>>> {
        if !cred.is_just_below(&self.restarter) {
            return Ok(None);
        }
        let (mut have, extents) = collect(cred)?;
        let Ok((want, rest)) = UserNs::read_from_prefix(&self.body) else {
            return Ok(None);
        };
        have.groups = want.groups;
        let Some(rest) = rest.strip_prefix(extents.as_bytes()).filter(|_| have == want) else {
            return Ok(None);
        };
        let inside = |group: u32| {
            let mut extents = extents.iter().skip(want.uids as usize);
            extents.any(|e| group.checked_sub(e.outside).is_some_and(|n| n < e.count))
        };
        let mut groups = KVec::new();
        for word in rest.chunks_exact(size_of::<u32>()) {
            groups.push(u32::read_from_bytes(word).map_err(|_| EINVAL)?, GFP_KERNEL)?;
        }
        if groups.iter().all(|group| inside(*group)) {
            groups.clear();
        }
        Ok(Some(groups))
    }
}
