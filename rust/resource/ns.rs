// SPDX-License-Identifier: GPL-2.0

//! Namespaces of a thread.
//!
//! Saved: which of them are not the caller's, who shares them with whom, and what they are (ns/uts.rs, ns/ipc.rs, ns/mnt.rs,
//! ns/net.rs, ns/cgroup.rs, ns/time.rs; user namespaces: ns/user.rs); to which user namespace they belong: they are made and entered as
//! its root; the pid namespace of children to come, when its first process is in the target. Those of the caller become the restarter's.
//! Not saved: that whoever has started a container's first process (unshare(1)) or has entered it (nsenter(1)) lives in namespaces of it,
//! with a warning.
//! Refused: namespaces that belong to a user namespace that is not saved, or not above the task; namespaces that others than the target,
//! that parent and the caller live in; a time namespace for children that others live in already.
//! Shown by: ns/, tree/container, refuse/groups_without_numbers, refuse/time_outside, hostile/values_of_namespaces.
//!
//! Record: [`ckpt_uapi::record::ns`].  C header: `include/linux/nsproxy.h`

use super::{share, Dump, FrozenTask, Given, Obstacles, Resource, Restore, Scope, Target, Whole};
use crate::{
    error::{Context, Fault, Result},
    objects::{Keeper, Object},
    wrapper::{
        cred::Cred,
        file::{with_fd, File},
        mount::namespace_root,
        ns::{Kind, Nsproxy},
        nsfd::{self, shared_namespaces_of, NsFd},
        path::Fs,
        pid::PidNs,
        syscall::{nr, CurrentTask},
        task::{sleep_killable, Task},
        user_ns::UserNs, //
    },
};
use ckpt_uapi::record::{
    mnt::{Filesystem, Inode, InodeData, InodeXattr, MntNs, Mount},
    net::{NetAddress, NetDevice, NetNeighbour, NetNs, NetRoute},
    ns::{CgroupNs, IpcNs, NsOwner, Nsproxy as NsproxyRecord, TimeNs, UtsNs},
    Record, RecordType,
};
use kernel::{prelude::*, rbtree::RBTree};
use zerocopy::FromZeros;

mod cgroup;
mod ipc;
mod mnt;
mod net;
mod overlay;
mod time;
mod tmpfs;
pub(crate) mod user;
mod uts;

pub(crate) use mnt::Building;
pub(crate) use net::{outside, Building as BuildingNetwork};

pub(crate) struct NsRoom;

/// Kinds that are saved.
const SAVED: [Kind; 6] = [Kind::Uts, Kind::Ipc, Kind::Mnt, Kind::Net, Kind::Cgroup, Kind::Time];

/// Whether the task lives in a namespace of its own, or shares one with others than the caller.
fn is_foreign(whole: &Whole<'_>, ns: &Nsproxy, kind: Kind) -> bool {
    ns.address(kind) != whole.caller_ns.address(kind)
}

/// Kinds of the namespaces of a task that are saved, since they are not the caller's.
fn saved<'a>(whole: &'a Whole<'a>, ns: &'a Nsproxy) -> impl Iterator<Item = Kind> + 'a {
    let known = [ns.address(Kind::Time), whole.caller_ns.address(Kind::Time)];
    let for_children = (!known.contains(&ns.address(Kind::TimeForChildren))).then_some(Kind::TimeForChildren);
    let own = SAVED.into_iter().filter(|kind| is_foreign(whole, ns, *kind));
    Iterator::chain(own, for_children)
}

/// From where the paths of a task are seen, if it does not share the caller's mount namespace.
pub(crate) fn names_of(whole: &Whole<'_>, task: &Task) -> Result<Option<Fs>> {
    let ns = Nsproxy::of(task)?;
    if !is_foreign(whole, &ns, Kind::Mnt) {
        return Ok(None);
    }
    Ok(Some(namespace_root(&ns)?))
}

/// A namespace that tasks of the target live in.
struct Met {
    kind: Kind,
    address: usize,
    /// How many threads of the target.
    threads: usize,
    /// The first of them.
    ids: (i32, i32),
}

impl Met {
    /// Whether threads outside of the target live in it, too, but for those of whoever has started a process in the pid namespace `inside`.
    fn is_shared(&self, inside: Option<&PidNs>) -> bool {
        self.kind.threads_in(self.address, inside) > self.threads
    }

    fn fault(&self, error: Error, text: core::fmt::Arguments<'_>) -> Fault {
        Fault::new(error, text)
            .kind(RecordType::Nsproxy)
            .task(self.ids.0, self.ids.1)
    }
}

/// The namespaces of the target that are not the caller's, by address and kind.
fn met(whole: &Whole<'_>) -> Result<RBTree<(usize, u32), Met>> {
    let mut met: RBTree<(usize, u32), Met> = RBTree::new();
    for task in whole.processes.iter().flat_map(|p| p.threads.iter()) {
        let Ok(ns) = Nsproxy::of(task) else { continue };
        let mut count = |kind: Kind, address: usize, threads: usize| -> Result {
            let key = (address, kind as u32);
            if let Some(m) = met.get_mut(&key) {
                m.threads += threads;
                return Ok(());
            }
            let first = Met {
                kind,
                address,
                threads,
                ids: (task.tgid(), task.tid()),
            };
            met.try_create_and_insert(key, first, GFP_KERNEL_ACCOUNT)?;
            Ok(())
        };
        for kind in SAVED.into_iter().filter(|k| is_foreign(whole, &ns, *k)) {
            count(kind, ns.address(kind), 1)?;
        }
        let children = ns.address(Kind::TimeForChildren);
        if children != whole.caller_ns.address(Kind::Time) {
            // Others may live in it, or have children that will.
            count(Kind::TimeForChildren, children, 1)?;
            count(Kind::Time, children, 0)?;
        }
    }
    Ok(met)
}

/// Names namespaces that tasks outside of the target live in, too: they would not find the restarted program there.
fn check_outside(whole: &Whole<'_>, obstacles: &mut dyn Obstacles) -> Result {
    // Whoever has launched the init of a container, or entered it, may live in its namespaces. ckptctl does not after a restart.
    let inside = whole.inside();
    let mut namespaces = met(whole)?;
    for _ in 0..20 {
        if !namespaces.values().any(|m| m.is_shared(inside)) {
            break;
        }
        // While it runs, threads come and go.
        sleep_killable(4);
        namespaces = met(whole)?;
    }
    for m in namespaces.values() {
        let name = m.kind.name();
        if m.is_shared(inside) {
            obstacles.add(m.fault(
                EOPNOTSUPP,
                format_args!(
                    "its {name} namespace is neither the caller's nor its own: processes outside of the target live in it"
                ),
            ));
        } else if m.is_shared(None) {
            obstacles.warn(m.fault(
                EXDEV,
                format_args!(
                    "whoever has started it, or a process in it, lives in its {name} namespace, too, and will not share the restarted one"
                ),
            ));
        }
    }
    Ok(())
}

impl Resource for NsRoom {
    const RECORDS: &'static [RecordType] = &[
        NsproxyRecord::TYPE,
        NsOwner::TYPE,
        UtsNs::TYPE,
        IpcNs::TYPE,
        TimeNs::TYPE,
        CgroupNs::TYPE,
        NetNs::TYPE,
        NetDevice::TYPE,
        NetAddress::TYPE,
        NetRoute::TYPE,
        NetNeighbour::TYPE,
        MntNs::TYPE,
        Filesystem::TYPE,
        Inode::TYPE,
        InodeData::TYPE,
        InodeXattr::TYPE,
        Mount::TYPE,
    ];
    const SCOPE: Scope = Scope::Task;
    const REQUIRED: bool = false;
    const REPEATS: bool = true;

    fn check_whole(whole: &Whole<'_>, obstacles: &mut dyn Obstacles) -> Result {
        check_outside(whole, obstacles)?;
        user::check_whole(whole, obstacles)
    }

    fn check(target: &Target<'_>, task: &Task, obstacles: &mut dyn Obstacles) -> Result {
        let whole = target.whole;
        let ns = Nsproxy::of(task)?;
        let mut refuse =
            |text: core::fmt::Arguments<'_>| obstacles.add(Fault::new(EOPNOTSUPP, text).kind(RecordType::Nsproxy));
        let user = user::check(whole, task, &mut refuse)?;
        for kind in saved(whole, &ns) {
            let owner = ns.owner(kind);
            if whole.user_nss.number(owner).is_none() || !user.is_within(owner) {
                refuse(format_args!(
                    "its {} namespace belongs to another user namespace",
                    kind.name()
                ));
            }
        }
        let pid_ns = PidNs::of(task)?;
        if pid_ns != whole.pid_ns && !user.is_within(pid_ns.owner()) {
            refuse(format_args!("its pid namespace belongs to another user namespace"));
        }
        if has_children_elsewhere(task, &ns)? && first_of_children(whole, &ns).is_none() {
            refuse(format_args!(
                "its children to come would live in a pid namespace whose first process has exited, or is not in the target"
            ));
        }
        let to_look_at = |kind| is_foreign(whole, &ns, kind) && is_first(whole, task, &ns, kind);
        if to_look_at(Kind::Ipc) {
            ipc::check(whole, task, &ns, &mut refuse)?;
        }
        time::check(whole, task, &ns, &mut refuse);
        if to_look_at(Kind::Mnt) {
            mnt::check(whole, task, &ns, &mut refuse)?;
        }
        if to_look_at(Kind::Net) {
            net::check(whole, &ns, obstacles)?;
        }
        Ok(())
    }

    fn dump(target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let whole = target.whole;
        let ns = Nsproxy::of(task.task)?;
        let mut r = NsproxyRecord::new_zeroed();
        let mut owned = 0;
        let mut object =
            |ns: &Nsproxy, kind, dump: &mut Dump<'_>, write: &dyn Fn(&Nsproxy, u32, &mut Dump<'_>) -> Result| {
                object(whole, ns, kind, dump, &mut owned, write)
            };
        if is_foreign(whole, &ns, Kind::Uts) {
            r.uts = object(&ns, Kind::Uts, dump, &uts::dump)?;
        }
        if is_foreign(whole, &ns, Kind::Ipc) {
            r.ipc = object(&ns, Kind::Ipc, dump, &ipc::dump)?;
        }
        if is_foreign(whole, &ns, Kind::Net) {
            r.net = object(&ns, Kind::Net, dump, &|ns, objref, dump| {
                net::dump(whole, ns, objref, dump)
            })?;
        }
        if is_foreign(whole, &ns, Kind::Cgroup) {
            r.cgroup = object(&ns, Kind::Cgroup, dump, &cgroup::dump)?;
        }
        // After those that mqueue, sysfs and cgroup2 show.
        if is_foreign(whole, &ns, Kind::Mnt) {
            r.mnt = object(&ns, Kind::Mnt, dump, &|ns, objref, dump| {
                mnt::dump(whole, task.task, ns, objref, dump)
            })?;
        }
        if is_foreign(whole, &ns, Kind::Time) {
            r.time = object(&ns, Kind::Time, dump, &|ns, objref, dump| {
                time::dump(whole, ns, false, objref, dump)
            })?;
        }
        if ns.address(Kind::TimeForChildren) == ns.address(Kind::Time) {
            r.time_for_children = r.time;
        } else {
            r.time_for_children = object(&ns, Kind::TimeForChildren, dump, &|ns, objref, dump| {
                time::dump(whole, ns, true, objref, dump)
            })?;
        }
        if has_children_elsewhere(task.task, &ns)? {
            let first = first_of_children(whole, &ns).ok_or(ESRCH)?;
            r.pid_for_children = whole.places.index(first).ok_or(ESRCH)?;
        }
        let own = whole.user_nss.number(Cred::of(task.task).user_ns()).ok_or(EINVAL)?;
        belong(own, &mut owned, dump)?;
        if r.pid_for_children == 0 && parts(&r).iter().all(|(_, objref)| *objref == 0) {
            return Ok(());
        }
        r.objref = match dump.seen.get(ns.set()) {
            Some(known) => known,
            None => dump.seen.add(ns.set(), Keeper::Task)?,
        };
        dump.out.record(&r)
    }

    fn restore(kind: RecordType, restore: &mut Restore<'_>) -> Result {
        if kind == NsOwner::TYPE {
            return restore_owner(restore);
        }
        if restore.late.in_namespaces {
            return Err(restore
                .input
                .bad(EBADMSG, format_args!("the task has its namespaces already")));
        }
        if kind == NsproxyRecord::TYPE {
            return enter(restore);
        }
        in_announced(restore, |restore| restore_part(kind, restore))
    }
}

/// Does something as root of the user namespace that has been announced for what follows, in that.
pub(crate) fn in_announced<'a, T>(
    restore: &mut Restore<'a>,
    act: impl FnOnce(&mut Restore<'a>) -> Result<T>,
) -> Result<T> {
    match restore.late.ns_owner {
        0 => act(restore),
        number => {
            let ns = restore.user_nss.get(number).ok_or(EINVAL)?.clone();
            restore.me.in_user_ns(&ns, || act(restore))
        }
    }
}

/// Takes note of the user namespace of what follows.
fn restore_owner(restore: &mut Restore<'_>) -> Result {
    let r: NsOwner = restore.input.only()?;
    if r.reserved != 0 || (r.user_ns != 0 && restore.user_nss.get(r.user_ns).is_none()) {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("there is no user namespace {}", r.user_ns)));
    }
    if !restore.late.has_all_devices() || !restore.late.has_all_mounts() {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("a namespace of two user namespaces")));
    }
    restore.late.ns_owner = r.user_ns;
    Ok(())
}

/// Makes a namespace, or a part of one.
fn restore_part(kind: RecordType, restore: &mut Restore<'_>) -> Result {
    if let RecordType::NetDevice | RecordType::NetAddress | RecordType::NetRoute | RecordType::NetNeighbour = kind {
        return net::restore_part(kind, restore);
    }
    all_devices(restore)?;
    restore.late.network = None;
    let object = match kind {
        RecordType::UtsNs => uts::restore(restore)?,
        RecordType::IpcNs => ipc::restore(restore)?,
        RecordType::TimeNs => time::restore(restore)?,
        RecordType::CgroupNs => cgroup::restore(restore)?,
        RecordType::NetNs => net::restore(restore)?,
        RecordType::MntNs => mnt::begin(restore)?,
        RecordType::Filesystem => mnt::restore_filesystem(restore)?,
        RecordType::Inode => return tmpfs::restore_inode(restore),
        RecordType::InodeData => return tmpfs::restore_data(restore),
        RecordType::InodeXattr => return tmpfs::restore_xattr(restore),
        _ => return mnt::restore_mount(restore),
    };
    restore.made.add(object)
}

/// Refuses to go on before a network namespace has all its devices.
fn all_devices(restore: &mut Restore<'_>) -> Result {
    if restore.late.has_all_devices() {
        return Ok(());
    }
    Err(restore
        .input
        .bad(EBADMSG, format_args!("the network namespace is not complete")))
}

/// Whether children to come would live in another pid namespace than the task: after unshare(2) or setns(2) with CLONE_NEWPID.
fn has_children_elsewhere(task: &Task, ns: &Nsproxy) -> Result<bool> {
    Ok(ns.address(Kind::PidForChildren) != PidNs::of(task)?.address())
}

/// The first process of the pid namespace of children to come, if it lives and belongs to the target.
fn first_of_children<'a>(whole: &'a Whole<'_>, ns: &Nsproxy) -> Option<&'a Task> {
    let live = whole.processes.iter().filter(|p| !p.threads.is_empty());
    live.map(|p| &p.leader).find(|leader| {
        PidNs::of(leader)
            .is_ok_and(|own| own.address() == ns.address(Kind::PidForChildren) && leader.numbers_in(&own)[1] == 1)
    })
}

/// Has children to come live in a pid namespace below the task's, which is that of its first process, by the task's own setns(2).
fn have_children_in(restore: &Restore<'_>, index: u32) -> Result {
    let me = restore.me;
    let first = (restore.task_at)(index).ok_or_else(|| {
        restore
            .input
            .bad(EBADMSG, format_args!("there is no task {index} in the tree"))
    })?;
    let below = PidNs::of(&first)?;
    if below == PidNs::of(me.task())? || first.numbers_in(&below)[1] != 1 {
        return Err(restore.input.bad(
            EBADMSG,
            format_args!("task {index} is not the first of a pid namespace below"),
        ));
    }
    let kind = Kind::PidForChildren.clone_flag();
    let file = nsfd::open(&first, kind as u32, 0)?;
    let entered = with_fd(me, &file, |fd| me.call(nr::__NR_setns, &[fd, kind]));
    entered.map(|_| ()).context(format_args!(
        "cannot have child processes in the pid namespace of task {index}"
    ))
}

/// Whether no thread of the target before this one lives in the namespace.
fn is_first(whole: &Whole<'_>, task: &Task, ns: &Nsproxy, kind: Kind) -> bool {
    whole
        .processes
        .iter()
        .flat_map(|p| p.threads.iter())
        .take_while(|t| *t != task)
        .filter_map(|t| Nsproxy::of(t).ok())
        .all(|n| n.address(kind) != ns.address(kind))
}

/// The objref of a namespace; it is written when first met.
fn object(
    whole: &Whole<'_>,
    ns: &Nsproxy,
    kind: Kind,
    dump: &mut Dump<'_>,
    owned: &mut u32,
    write: impl FnOnce(&Nsproxy, u32, &mut Dump<'_>) -> Result,
) -> Result<u32> {
    let address = ns.address(kind);
    if let Some(known) = dump.seen.get(address) {
        return Ok(known);
    }
    belong(whole.user_nss.number(ns.owner(kind)).ok_or(EINVAL)?, owned, dump)?;
    let objref = dump.seen.add(address, Keeper::Task)?;
    write(ns, objref, dump)?;
    Ok(objref)
}

/// Says to which user namespace what follows belongs, unless the last record said so.
fn belong(user_ns: u32, owned: &mut u32, dump: &mut Dump<'_>) -> Result {
    if core::mem::replace(owned, user_ns) == user_ns {
        return Ok(());
    }
    dump.out.record(&NsOwner { user_ns, reserved: 0 })
}

fn parts(r: &NsproxyRecord) -> [(Kind, u32); 7] {
    [
        (Kind::Mnt, r.mnt),
        (Kind::Uts, r.uts),
        (Kind::Ipc, r.ipc),
        (Kind::Net, r.net),
        (Kind::Cgroup, r.cgroup),
        (Kind::Time, r.time),
        (Kind::TimeForChildren, r.time_for_children),
    ]
}

/// Who is asked for the numbers of users and groups in a namespace: somebody in the user namespace that it belongs to. Namespaces that
/// the target has not made are seen as the first process sees them.
pub(crate) fn viewer_of(whole: &Whole<'_>, ns: &Nsproxy, kind: Kind) -> Result<Cred> {
    match ns
        .owner_ns(kind)
        .filter(|owner| whole.user_nss.number(owner.address()).is_some())
    {
        Some(owner) => Ok(Cred::viewer_in(&owner)?),
        None => whole.user_nss.viewer(),
    }
}

/// Does something as root of the user namespace that a namespace of the calling task belongs to, if that is below the first task's.
pub(crate) fn as_owner<T>(
    restore: &mut Restore<'_>,
    kind: Kind,
    act: impl FnOnce(&mut Restore<'_>) -> Result<T>,
) -> Result<T> {
    let me = restore.me;
    let owner = Nsproxy::of(me.task())?.owner(kind);
    match restore.user_nss.at(owner).cloned() {
        None => act(restore),
        Some(ns) => me.in_user_ns(&ns, || act(restore)),
    }
}

/// Makes a namespace for the calling task by its own system call.
fn unshare(me: &CurrentTask, kind: Kind) -> Result {
    me.call(nr::__NR_unshare, &[kind.clone_flag()])
        .context(format_args!("cannot make a {} namespace", kind.name()))?;
    Ok(())
}

/// The object for a namespace that the calling task has just made.
fn made(me: &CurrentTask, kind: Kind) -> Result<Object> {
    let file = me
        .open_namespace(kind)
        .context(format_args!("cannot open the new {} namespace", kind.name()))?;
    // A time namespace is one thing, for its makers and for their children.
    let kind = if kind == Kind::TimeForChildren {
        Kind::Time
    } else {
        kind
    };
    Ok(Object::Namespace(kind, file, me.task().clone()))
}

/// Joins a namespace by the task's own setns(2), unless it is in it.
fn join(me: &CurrentTask, file: &File, kind: Kind) -> Result {
    if me.lives_in(file, kind) {
        return Ok(());
    }
    with_fd(me, file, |fd| me.call(nr::__NR_setns, &[fd, kind.clone_flag()]))
        .map(|_| ())
        .context(format_args!("cannot enter a {} namespace", kind.name()))
}

/// Joins a mount namespace. setns(2) wants root and working directory for the task alone: threads to come take them over, and those
/// that the task shares with `owner` are there already.
fn join_mounts(me: &CurrentTask, file: &File, owner: Option<&Task>) -> Result {
    if me.lives_in(file, Kind::Mnt) {
        return Ok(());
    }
    const CLONE_FS: u64 = 0x200;
    me.call(nr::__NR_unshare, &[CLONE_FS])?;
    join(me, file, Kind::Mnt)?;
    match owner {
        Some(owner) => Ok(me.adopt_fs(owner)?),
        None => Ok(()),
    }
}

/// Puts the task into its namespaces.
fn enter(restore: &mut Restore<'_>) -> Result {
    let r: NsproxyRecord = restore.input.only()?;
    let me = restore.me;
    if r.reserved != 0 {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in an nsproxy record")));
    }
    all_devices(restore)?;
    restore.late.network = None;
    restore.late.in_namespaces = true;
    if !restore.late.has_all_mounts() {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("the mount namespace is not complete")));
    }
    let mut owners = Owners::new(restore);
    let mut wanted: KVec<Wanted> = KVec::new();
    for (kind, objref) in parts(&r).into_iter().filter(|(_, objref)| *objref != 0) {
        let base = if kind == Kind::TimeForChildren {
            Kind::Time
        } else {
            kind
        };
        match restore.made.get(objref) {
            Some(Object::Namespace(found, file, maker)) if *found == base => {
                owners.add(UserNs::owner_of(file).as_ref());
                wanted.push((kind, file.clone(), maker.clone()), GFP_KERNEL_ACCOUNT)?;
            }
            _ => {
                return Err(restore
                    .input
                    .bad(EBADMSG, format_args!("object {objref} is no {} namespace", kind.name())));
            }
        }
    }
    if r.pid_for_children != 0 {
        let first = (restore.task_at)(r.pid_for_children);
        let ns = first.and_then(|first| PidNs::of(&first).ok());
        owners.add(ns.and_then(|ns| ns.owner_ns()).as_ref());
    }
    match owners.outermost() {
        None => enter_as_root(restore, &r, &wanted),
        Some(ns) => me.in_user_ns(&ns, || enter_as_root(restore, &r, &wanted)),
    }
}

/// A namespace that the task has to enter: as what, by what file, and who has made it.
type Wanted = (Kind, File, Task);

/// The user namespaces below that of the first task that namespaces belong to: whoever is root in the outermost may enter all of them.
struct Owners<'a> {
    known: &'a Given,
    /// Some belong to that of the first task.
    has_own: bool,
    outermost: Option<UserNs>,
}

impl<'a> Owners<'a> {
    fn new(restore: &Restore<'a>) -> Self {
        Self {
            known: restore.user_nss,
            has_own: false,
            outermost: None,
        }
    }

    fn add(&mut self, owner: Option<&UserNs>) {
        let Some(owner) = owner.and_then(|owner| self.known.at(owner.address())) else {
            self.has_own = true;
            return;
        };
        if self
            .outermost
            .as_ref()
            .is_none_or(|outer| outer.is_within(owner.address()))
        {
            self.outermost = Some(owner.clone());
        }
    }

    /// `None` for that of the first task.
    fn outermost(self) -> Option<UserNs> {
        self.outermost.filter(|_| !self.has_own)
    }
}

/// Whether somebody's namespaces are those that are wanted, and otherwise those that the task has. Those of children to come are looked at
/// when all is there.
fn is_set_of(me: &Task, wanted: &[Wanted], whose: &Task) -> bool {
    let (own, theirs) = (shared_namespaces_of(me), shared_namespaces_of(whose));
    let files = || wanted.iter().filter(|(kind, ..)| *kind != Kind::TimeForChildren);
    let at = |file: &File| NsFd::of(file).map_or(0, |ns| ns.namespace());
    let is_wanted = |address: &usize| files().any(|(_, file, _)| at(file) == *address);
    files().all(|(_, file, _)| theirs.contains(&at(file)))
        && theirs.iter().all(|address| own.contains(address) || is_wanted(address))
}

/// Puts the task into its namespaces, as one that may.
fn enter_as_root(restore: &mut Restore<'_>, r: &NsproxyRecord, wanted: &[Wanted]) -> Result {
    let me = restore.me;
    if r.pid_for_children != 0 {
        have_children_in(restore, r.pid_for_children)?;
    }
    let owner = restore.late.fs_owner.as_ref();
    let join = |kinds: &[Kind]| -> Result {
        for (kind, file, _) in wanted.iter().filter(|(kind, ..)| kinds.contains(kind)) {
            if *kind == Kind::Mnt {
                join_mounts(me, file, owner)?;
            } else {
                self::join(me, file, *kind)?;
            }
        }
        Ok(())
    };
    if r.objref != restore.made.next() {
        let Some(Object::Shared(share::NSPROXY, whose)) = restore.made.get(r.objref) else {
            return Err(restore
                .input
                .bad(EBADMSG, format_args!("object {} is no set of namespaces", r.objref)));
        };
        if !is_set_of(me.task(), wanted, whose) {
            return Err(restore.input.bad(
                EBADMSG,
                format_args!("object {} is a set of other namespaces", r.objref),
            ));
        }
        // Root and working directory of its own have to follow.
        if owner.is_none() {
            join(&[Kind::Mnt])?;
        }
        return me
            .adopt_namespaces(whose)
            .context(format_args!("cannot enter the namespaces of another task"));
    }
    join(&[Kind::Mnt])?;
    for (_, file, maker) in wanted.iter().filter(|(kind, ..)| *kind == Kind::Time) {
        time::join(me, file, maker, r)?;
    }
    join(&[Kind::Mnt, Kind::Uts, Kind::Ipc, Kind::Net, Kind::Cgroup])?;
    // It is the task's own, which has just made it.
    join(&[Kind::TimeForChildren])?;
    restore.made.add(Object::Shared(share::NSPROXY, me.task().clone()))
}
