// SPDX-License-Identifier: GPL-2.0

//! User namespaces.
//!
//! Saved: that of the first process, if it was made in the caller's: its maps, owner, and whether setgroups(2) is denied; any number of
//! levels below that or below the caller's, with the same, and the namespaces that belong to them, pid namespaces too; supplementary
//! groups that a user namespace has no numbers for: those that the one of the first process knows, else those of whoever made that, the
//! same for all tasks. User space makes that of the first process, and the pid namespace with it; the maps are written to
//! /proc/PID/uid_map and gid_map by the restarter, who needs the right to. The first process of a restart makes those below before there
//! are others, and each task enters its own with its credentials.
//! Not saved: limits below /proc/sys/user; that the owner of memory is this user namespace (who may trace a task that is not dumpable).
//! Refused: one that is not the caller's or below it, or, of a container, not just below; one that others live in, too (but for the
//! parents of a container's init and of those that have entered it); one without ids, or with ids that its parent or the caller does not
//! know; project ids; more than 256; namespaces that belong to one in which, or below which, the task does not live; a task with
//! supplementary groups without numbers that are not those of the first process, or that the caller has no number for either.
//! A restart fails for whoever may not make them: nested ones with more ids than its own want CAP_SETUID and CAP_SETGID in their parent
//! (newuidmap(1) is not asked), and root cannot restart those in a container of somebody else, but that user can.
//! Shown by: ns/keeps_a_rootless, ns/keeps_nested, ns/keeps_a_sandbox, ns/keeps_a_container, ns/names_who, refuse/user_namespace,
//! hostile/who_lives_outside, hostile/values_of_a_user_namespace, hostile/values_of_nested.
//!
//! Records: [`ckpt_uapi::record::ns::UserNs`], [`ckpt_uapi::record::ns::NestedUserNs`], [`ckpt_uapi::record::ns::NsOwner`].

use crate::{
    error::{Context, Fault, Result},
    freeze::{Process, Scope},
    resource::{Obstacles, Whole},
    statefile::{Reader, Writer},
    wrapper::{
        cred::{Cred, NO_NUMBER},
        file::File,
        ns::{Kind, Nsproxy},
        pid::PidNs,
        syscall::{nr, CurrentTask},
        task::Task,
        user_ns::{UserNs, UserNsState}, //
    },
};
use ckpt_uapi::record::{
    ns::{user_flags, IdExtent, NestedUserNs, UserNs as UserNsRecord, EXTENTS_MAX, NESTED_MAX},
    RecordType,
};
use kernel::prelude::*;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// As many as a task may have.
const GROUPS_MAX: u32 = 65_536;

/// The user namespaces that a target lives in, or that its namespaces belong to.
pub(crate) struct UserNamespaces {
    /// That of the first process, if it is the caller's or was made in that, and the others live in it or below; else the caller's.
    own: UserNs,
    /// Those below that, parents before children: their numbers begin with 1.
    nested: KVec<UserNs>,
}

impl UserNamespaces {
    /// Those of these processes, of which `leader` leads the first.
    pub(crate) fn of(leader: &Task, processes: &[Process]) -> Result<Self> {
        let (first, callers) = (UserNs::of(&Cred::of(leader)), UserNs::of(&Cred::current()));
        let tasks = || processes.iter().flat_map(Process::tasks);
        let is_deeper = first.is_within(callers.address())
            && first != callers
            && (first.parent().is_some_and(|parent| parent != callers)
                || tasks().any(|task| !UserNs::of(&Cred::of(task)).is_within(first.address())));
        let mut all = Self {
            own: if is_deeper { callers } else { first },
            nested: KVec::new(),
        };
        let mut set = 0;
        for task in tasks() {
            all.add(&UserNs::of(&Cred::of(task)))?;
            let mut pids = PidNs::of(task).ok();
            while let Some(ns) = pids {
                let Some(owner) = ns.owner_ns().filter(|owner| *owner != all.own) else {
                    break;
                };
                all.add(&owner)?;
                pids = ns.above(1);
            }
            let Ok(ns) = Nsproxy::of(task) else { continue };
            if core::mem::replace(&mut set, ns.set()) == ns.set() {
                continue;
            }
            for owner in super::SAVED.into_iter().filter_map(|kind| ns.owner_ns(kind)) {
                all.add(&owner)?;
            }
        }
        Ok(all)
    }

    /// Adds one that is below that of the first process, and those between.
    fn add(&mut self, ns: &UserNs) -> Result {
        // More are not saved, and each of them is looked for among the others.
        let is_full = self.nested.len() > NESTED_MAX as usize;
        if is_full || self.number(ns.address()).is_some() || !ns.is_within(self.own.address()) {
            return Ok(());
        }
        let at = self.nested.len();
        let mut next = Some(ns.clone());
        while let Some(ns) = next.filter(|ns| self.number(ns.address()).is_none()) {
            next = ns.parent();
            // The kernel makes 32 levels at most.
            self.nested.push(ns, GFP_KERNEL_ACCOUNT)?;
        }
        self.nested[at..].reverse();
        Ok(())
    }

    /// Who is asked for numbers outside of those below.
    pub(crate) fn viewer(&self) -> Result<Cred> {
        Ok(Cred::viewer_in(&self.own)?)
    }

    /// The number of that at an address: 0 for that of the first process; `None` for one that is neither that nor below it.
    pub(crate) fn number(&self, address: usize) -> Option<u32> {
        if address == self.own.address() {
            return Some(0);
        }
        let at = self.nested.iter().position(|ns| ns.address() == address)?;
        Some(at as u32 + 1)
    }

    /// Whether supplementary groups of a task cannot be set within its user namespace, but only by somebody outside.
    pub(crate) fn has_groups_of_outside(&self, cred: &Cred) -> Result<bool> {
        let ns = UserNs::of(cred);
        Ok(ns != self.own && (!ns.state()?.setgroups || cred.groups()?.contains(&NO_NUMBER)))
    }
}

/// Names a task of a user namespace that is not saved; the user namespace which it lives in.
pub(super) fn check(
    whole: &Whole<'_>,
    task: &Task,
    refuse: &mut dyn FnMut(core::fmt::Arguments<'_>),
) -> Result<UserNs> {
    let cred = Cred::of(task);
    if whole.user_nss.number(cred.user_ns()).is_none() {
        refuse(format_args!(
            "it lives in a user namespace that is neither that of the first process nor below it"
        ));
    }
    check_groups(whole, &cred, refuse)?;
    Ok(UserNs::of(&cred))
}

/// Names supplementary groups that a restart could not tell from others: without a number one is like the other.
fn check_groups(whole: &Whole<'_>, cred: &Cred, refuse: &mut dyn FnMut(core::fmt::Arguments<'_>)) -> Result {
    let first = Cred::of(&whole.root.leader);
    if !cred.groups_seen_by(&whole.user_nss.viewer()?)?.contains(&NO_NUMBER) {
        return Ok(());
    }
    let caller = Cred::current();
    let groups = cred.groups_seen_by(&caller)?;
    if groups.contains(&NO_NUMBER) {
        refuse(format_args!(
            "it has a supplementary group that neither its user namespace nor the caller's has a number for"
        ));
    } else if groups[..] != first.groups_seen_by(&caller)?[..] {
        refuse(format_args!(
            "it has supplementary groups that its user namespace has no numbers for, and not those of the first process"
        ));
    }
    Ok(())
}

/// Names what is unusual about the user namespaces of all of them.
pub(super) fn check_whole(whole: &Whole<'_>, obstacles: &mut dyn Obstacles) -> Result {
    check_nested(whole, obstacles)?;
    let own = &whole.user_nss.own;
    let mut refuse = |text: &str| {
        obstacles.add(Fault::new(EOPNOTSUPP, format_args!("its user namespace {text}")).kind(RecordType::UserNs));
    };
    let callers = UserNs::of(&Cred::current());
    if *own == callers {
        if whole.root.scope == Scope::Container && Cred::of(&whole.root.leader).user_ns() != own.address() {
            refuse("is not the caller's, and was not made in that");
        }
        return Ok(());
    }
    if own.parent().is_none_or(|parent| parent != callers) {
        refuse("is not the caller's, and was not made in that");
        return Ok(());
    }
    check_ids(own, "the caller", &mut refuse)?;
    if whole.root.scope == Scope::Container && whole.pid_ns.owner() != own.address() {
        refuse("is not that which its pid namespace belongs to");
    }
    if is_shared(whole, own) {
        refuse("is shared with processes outside of the target");
    }
    Ok(())
}

/// The same of those below that of the first process.
fn check_nested(whole: &Whole<'_>, obstacles: &mut dyn Obstacles) -> Result {
    let nested = &whole.user_nss.nested;
    let mut refuse = |text: core::fmt::Arguments<'_>| {
        obstacles.add(Fault::new(EOPNOTSUPP, text).kind(RecordType::NestedUserNs));
    };
    if nested.len() > NESTED_MAX as usize {
        refuse(format_args!("it has more than {NESTED_MAX} nested user namespaces"));
        return Ok(());
    }
    for ns in nested {
        let state = ns.state()?;
        let mut refuse = |text: &str| {
            refuse(format_args!(
                "a user namespace below that of the first process, which user {} in its parent has made, {text}",
                state.owner as i32
            ));
        };
        check_ids(ns, "its parent", &mut refuse)?;
        if is_shared(whole, ns) {
            refuse("is shared with processes outside of the target");
        }
    }
    Ok(())
}

/// Whether threads outside of the target live in it, but for those of whoever has started or entered a container.
fn is_shared(whole: &Whole<'_>, ns: &UserNs) -> bool {
    let threads = whole.processes.iter().flat_map(|p| p.threads.iter());
    let lives = |t: &&Task| Cred::of(t).user_ns() == ns.address();
    Kind::User.threads_in(ns.address(), whole.inside()) > threads.filter(lives).count()
}

/// Names ids that cannot be mapped again by `viewer`, who lives in the parent.
fn check_ids(ns: &UserNs, viewer: &str, refuse: &mut dyn FnMut(&str)) -> Result {
    let state = ns.state()?;
    if state.uids == 0 || state.gids == 0 {
        refuse("has no ids");
    }
    if extents_of(ns, &state)?.iter().any(|e| e.outside == NO_NUMBER)
        || state.owner == NO_NUMBER
        || state.group == NO_NUMBER
    {
        let text = kernel::str::CString::try_from_fmt(fmt!("has ids that {viewer} does not know"))?;
        refuse(text.to_str().unwrap_or("has unknown ids"));
    }
    if state.projids {
        refuse("has project ids");
    }
    Ok(())
}

fn extents_of(ns: &UserNs, state: &UserNsState) -> Result<KVec<IdExtent>> {
    let mut extents = KVec::new();
    for (group, count) in [(false, state.uids), (true, state.gids)] {
        for i in 0..count {
            let [first, outside, count] = ns.extent(group, i);
            extents.push(IdExtent { first, outside, count }, GFP_KERNEL_ACCOUNT)?;
        }
    }
    Ok(extents)
}

fn flags_of(state: &UserNsState) -> u32 {
    if state.setgroups {
        0
    } else {
        user_flags::NO_SETGROUPS
    }
}

fn collect(ns: &UserNs) -> Result<(UserNsRecord, KVec<IdExtent>)> {
    let state = ns.state()?;
    let mut r = UserNsRecord::new_zeroed();
    (r.owner, r.group) = (state.owner, state.group);
    r.flags = flags_of(&state);
    (r.uids, r.gids) = (state.uids, state.gids);
    Ok((r, extents_of(ns, &state)?))
}

fn collect_nested(ns: &UserNs, parent: u32) -> Result<(NestedUserNs, KVec<IdExtent>)> {
    let state = ns.state()?;
    let r = NestedUserNs {
        parent,
        owner: state.owner,
        group: state.group,
        flags: flags_of(&state),
        uids: state.uids,
        gids: state.gids,
    };
    Ok((r, extents_of(ns, &state)?))
}

/// Writes the user namespaces below that of the first process.
pub(crate) fn dump_nested(whole: &Whole<'_>, out: &mut Writer) -> Result {
    for ns in &whole.user_nss.nested {
        let parent = ns.parent().and_then(|parent| whole.user_nss.number(parent.address()));
        let (r, extents) = collect_nested(ns, parent.ok_or(EINVAL)?)?;
        out.record_with(&r, &extents[..])?;
    }
    Ok(())
}

/// Writes the user namespace of the target, if it has one of its own.
pub(crate) fn dump(whole: &Whole<'_>, out: &mut Writer) -> Result {
    let cred = Cred::of(&whole.root.leader);
    if whole.user_nss.own.address() == Cred::current().user_ns() {
        return Ok(());
    }
    let (mut r, extents) = collect(&whole.user_nss.own)?;
    let mut groups = cred.groups_seen_by(&Cred::current())?;
    groups.retain(|group| *group != NO_NUMBER);
    r.groups = groups.len() as u32;
    let mut rest = KVec::new();
    rest.extend_from_slice(extents.as_bytes(), GFP_KERNEL_ACCOUNT)?;
    rest.extend_from_slice(groups.as_bytes(), GFP_KERNEL_ACCOUNT)?;
    out.record_with(&r, &rest[..])
}

/// A user namespace in which the tasks have to live.
pub(crate) struct Wanted {
    body: KVec<u8>,
    restarter: Cred,
}

/// Reads the current record.
pub(crate) fn restore(input: &Reader) -> Result<Wanted> {
    let r: UserNsRecord = input.fixed()?;
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
    body.extend_from_slice(r.as_bytes(), GFP_KERNEL_ACCOUNT)?;
    body.extend_from_slice(rest, GFP_KERNEL_ACCOUNT)?;
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
        let ns = UserNs::of(cred);
        if ns.parent().is_none_or(|parent| parent != UserNs::of(&self.restarter)) {
            return Ok(None);
        }
        let (mut have, extents) = collect(&ns)?;
        let Ok((want, rest)) = UserNsRecord::read_from_prefix(&self.body) else {
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
            groups.push(u32::read_from_bytes(word).map_err(|_| EINVAL)?, GFP_KERNEL_ACCOUNT)?;
        }
        if groups.iter().all(|group| inside(*group)) {
            groups.clear();
        }
        Ok(Some(groups))
    }
}

/// The user namespaces below that of the first task that a statefile wants.
pub(crate) struct WantedNested {
    wanted: KVec<(NestedUserNs, KVec<IdExtent>)>,
    /// The records, one after the other.
    bodies: KVVec<u8>,
}

impl WantedNested {
    /// Whether there is one with this number, from 1 on.
    pub(crate) fn has(&self, number: u32) -> bool {
        (1..=self.wanted.len()).contains(&(number as usize))
    }

    /// None yet.
    pub(crate) fn new() -> Self {
        Self {
            wanted: KVec::new(),
            bodies: KVVec::new(),
        }
    }

    /// The records, for whoever makes the namespaces.
    pub(crate) fn bodies(&self) -> &[u8] {
        &self.bodies
    }

    /// How many they are.
    pub(crate) fn count(&self) -> u32 {
        self.wanted.len() as u32
    }

    /// Reads the current record.
    pub(crate) fn restore(&mut self, input: &Reader) -> Result {
        let r: NestedUserNs = input.fixed()?;
        if r.flags & !user_flags::ALL != 0
            || [r.owner, r.group].contains(&NO_NUMBER)
            || [r.uids, r.gids].iter().any(|n| *n == 0 || *n > EXTENTS_MAX)
            || r.parent > self.count()
            || self.count() >= NESTED_MAX
        {
            return Err(input.bad(
                EBADMSG,
                format_args!("wrong values in a record of a nested user namespace"),
            ));
        }
        let mut extents = KVec::new();
        for extent in input.entries::<IdExtent>(r.uids.saturating_add(r.gids))? {
            extents.push(extent, GFP_KERNEL_ACCOUNT)?;
        }
        self.bodies.extend_from_slice(r.as_bytes(), GFP_KERNEL_ACCOUNT)?;
        self.bodies.extend_from_slice(extents.as_bytes(), GFP_KERNEL_ACCOUNT)?;
        self.wanted.push((r, extents), GFP_KERNEL_ACCOUNT)?;
        Ok(())
    }
}

/// The user namespaces below that of the first task that a restart has been given.
pub(crate) struct Given(KVec<UserNs>);

impl Given {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self(KVec::new())
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// That with a number from 1 on.
    pub(crate) fn get(&self, number: u32) -> Option<&UserNs> {
        self.0.get((number as usize).checked_sub(1)?)
    }

    /// That at an address.
    pub(crate) fn at(&self, address: usize) -> Option<&UserNs> {
        self.0.iter().find(|ns| ns.address() == address)
    }

    /// Takes the next one, which is to be like the saved one. The caller lives in that of the first task.
    pub(crate) fn take(&mut self, number: u32, file: &File, wanted: &WantedNested) -> Result {
        let Some((want, extents)) = wanted
            .wanted
            .get(self.0.len())
            .filter(|_| number as usize == self.0.len() + 1)
        else {
            return Err(Fault::new(
                EINVAL,
                format_args!("user namespace {number} is not the next one"),
            ));
        };
        let ns = UserNs::of_file(file).ok_or(EINVAL)?;
        let parent = match want.parent {
            0 => Some(UserNs::of(&Cred::current())),
            above => self.get(above).cloned(),
        };
        let (have, have_extents) = collect_nested(&ns, want.parent)?;
        if parent.is_none() || ns.parent() != parent || have != *want || have_extents[..] != extents[..] {
            return Err(Fault::new(
                EPERM,
                format_args!("user namespace {number} is not like that of the saved program"),
            ));
        }
        self.0.push(ns, GFP_KERNEL_ACCOUNT)?;
        Ok(())
    }

    /// Has the next child processes of the caller live in a new pid namespace that belongs to one of them.
    pub(crate) fn own_children(&self, number: u32, me: &CurrentTask) -> Result {
        let ns = self.get(number).ok_or(EINVAL)?;
        me.in_user_ns(ns, || {
            me.call(nr::__NR_unshare, &[Kind::PidForChildren.clone_flag()])
                .context(format_args!("cannot make a pid namespace in user namespace {number}"))?;
            Ok(())
        })
    }
}
