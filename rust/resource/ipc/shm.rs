// SPDX-License-Identifier: GPL-2.0

//! System V shared memory.
//!
//! Saved: contents with their holes, size, SHM_LOCK, SHM_NORESERVE, IPC_RMID while attached (SHM_DEST), which task has made it
//! (kernel.shm_rmid_forced), the last process to attach or detach it, times. Who has it attached: mm/vma.rs.
//! Not saved: whether huge pages are behind it (THP); whose RLIMIT_MEMLOCK a locked segment counts for: it is the restarter's.
//! Refused: segments on hugetlbfs (SHM_HUGETLB), segments that a process outside of the target has attached, too, or that are of
//! another ipc namespace than the one that the process lives in; NUMA policies of segments (mbind).
//! Shown by: ipc/keeps_attached, ipc/keeps_all_segments, ipc/keeps_a_segment, ipc/leaves_a_segment, refuse/shm.
//!
//! Record: [`ckpt_uapi::record::shm`].  C source: `ipc/shm.c`

use super::*;
use ckpt_uapi::record::shm::flags;
use zerocopy::FromZeros;

const SHM_NORESERVE: u64 = 0o10000;
const SHM_LOCK: u64 = 11;
const MADV_REMOVE: u64 = 9;

/// Attachments by the target: when all have been counted, nobody else may have one.
pub(crate) struct Segments(RBTree<(usize, i32), Attached>);

struct Attached {
    ns: Nsproxy,
    count: u64,
    ids: (i32, i32),
    address: u64,
    foreign: bool,
    /// Credentials of the processes that have it.
    creds: KVVec<Cred>,
}

impl Segments {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self(RBTree::new())
    }

    /// Counts one, of the segment with this identifier in the ipc namespace at an address.
    pub(crate) fn count(&mut self, target: &Target<'_>, id: i32, ns: usize, address: u64) -> Result {
        let cred = Cred::of(target.leader);
        if let Some(a) = self.0.get_mut(&(ns, id)) {
            a.count += 1;
            a.creds.push(cred, GFP_KERNEL_ACCOUNT)?;
            return Ok(());
        }
        let mut creds = KVVec::new();
        creds.push(cred, GFP_KERNEL_ACCOUNT)?;
        let own = Nsproxy::of(target.leader)?;
        let attached = Attached {
            foreign: own.address(NsKind::Ipc) != ns,
            ns: own,
            count: 1,
            ids: (target.leader.tgid(), target.leader.tid()),
            address,
            creds,
        };
        self.0.try_create_and_insert((ns, id), attached, GFP_KERNEL_ACCOUNT)?;
        Ok(())
    }

    /// Whether the target has it attached.
    pub(super) fn has(&self, ns: usize, id: i32) -> bool {
        self.0.get(&(ns, id)).is_some()
    }
}

pub(super) fn check(f: &Fields) -> Result {
    if f.huge {
        return Err(refuse(Kind::Shm, f.id, "it is memory of hugetlbfs (SHM_HUGETLB)"));
    }
    if f.policy {
        return Err(refuse(Kind::Shm, f.id, "it has a NUMA memory policy"));
    }
    Ok(())
}

/// Names attached segments that cannot be saved.
pub(super) fn check_attached(whole: &Whole<'_>, obstacles: &mut dyn Obstacles) -> Result {
    for ((_, id), a) in whole.segments.borrow().0.iter() {
        let mut add = |fault: Fault| obstacles.add(fault.task(a.ids.0, a.ids.1).address(a.address));
        if a.foreign {
            add(refuse(
                Kind::Shm,
                *id,
                "it is in another ipc namespace than the process",
            ));
            continue;
        }
        let cred = Cred::current();
        let viewer = Viewer {
            cred: &cred,
            pids: &whole.pid_ns,
        };
        // While the target runs, it attaches and detaches.
        let mut tries = if whole.stopped_ns == 0 { 20 } else { 1 };
        let strange = loop {
            let Ok(found) = a.ns.ipc_object(Kind::Shm, *id, &viewer) else {
                break false;
            };
            let callers = a.ns.address(NsKind::Ipc) == whole.caller_ns.address(NsKind::Ipc);
            // Those of another namespace have been looked at.
            let sound = || {
                super::check(&a.ns, Kind::Shm, &found.fields)?;
                let mut own = a.creds.iter().map(|cred| check_own(&a.ns, Kind::Shm, *id, cred));
                // One that may is enough: what it may write, the others may find there.
                match own.next() {
                    Some(Err(fault)) if !own.any(|own| own.is_ok()) => Err(fault),
                    _ => Ok(()),
                }
            };
            if let Err(fault) = if callers { sound() } else { Ok(()) } {
                add(fault);
                break false;
            }
            if found.fields.used <= a.count {
                break false;
            }
            tries -= 1;
            if tries == 0 {
                break true;
            }
            sleep_killable(4);
        };
        if strange {
            add(refuse(
                Kind::Shm,
                *id,
                "a process outside of the target has it attached",
            ));
        }
    }
    Ok(())
}

/// All segments of a namespace: removed ones first, since others may have their keys by now.
pub(super) fn dump_all(whole: &Whole<'_>, ns: &Nsproxy, viewer: &Viewer<'_>, dump: &mut Dump<'_>) -> Result {
    for removed in [true, false] {
        each(ns, Kind::Shm, viewer, &mut |found| {
            if found.fields.removed == removed {
                one(whole, ns, &found, 0, dump)?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// The objref of a segment that a process has attached; it is written when first met.
pub(crate) fn dump_segment(target: &Target<'_>, id: i32, dump: &mut Dump<'_>) -> Result<u32> {
    let ns = Nsproxy::of(target.leader)?;
    let cred = viewer_of(target.whole, &ns, NsKind::Ipc)?;
    let viewer = Viewer {
        cred: &cred,
        pids: &target.whole.pid_ns,
    };
    let found = ns
        .ipc_object(Kind::Shm, id, &viewer)
        .context(format_args!("shared memory segment {id} has gone"))?;
    one(target.whole, &ns, &found, flags::SHARED, dump)
}

fn one(whole: &Whole<'_>, ns: &Nsproxy, found: &Found, shared: u32, dump: &mut Dump<'_>) -> Result<u32> {
    let f = &found.fields;
    if let Some(objref) = dump.seen.get(f.address) {
        return Ok(objref);
    }
    super::check(ns, Kind::Shm, f)?;
    let file = found.file.as_ref().ok_or(EINVAL)?;
    let mut r = Shm::new_zeroed();
    r.objref = dump.seen.add(f.address, Keeper::File(file.clone()))?;
    r.flags = shared;
    for (is, flag) in [
        (f.removed, flags::DEST),
        (f.locked, flags::LOCKED),
        (f.noreserve, flags::NORESERVE),
    ] {
        if is {
            r.flags |= flag;
        }
    }
    r.perm = perm(f);
    r.size = f.size;
    [r.atime, r.dtime, r.ctime] = f.times.map(|t| t as u64);
    [r.cpid, r.lpid] = f.pids;
    r.creator = creator(whole, f.creator).map_or(0, |index| index + 1);
    dump.out.record(&r)?;
    dump_shmem_pages(file, r.objref, f.size, dump.out)?;
    Ok(r.objref)
}

/// Index of the task at an address.
fn creator(whole: &Whole<'_>, address: usize) -> Option<u32> {
    let mut tasks = whole.processes.iter().flat_map(|p| p.tasks());
    tasks.position(|t| t.address() == address).map(|index| index as u32)
}

pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let r: Shm = restore.input.only()?;
    if r.objref != restore.made.next()
        || r.flags & !flags::ALL != 0
        || !is_sound(&r.perm)
        || r.size == 0
        || r.size > i64::MAX as u64 / 2
        || r.reserved != 0
    {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a shared memory segment record")));
    }
    let has = |flag| r.flags & flag != 0;
    let mut want = wanted(&r.perm, r.size, [r.atime, r.dtime, r.ctime], [r.cpid, r.lpid]);
    want.removed = has(flags::DEST);
    let noreserve = if has(flags::NORESERVE) { SHM_NORESERVE } else { 0 };
    let obtained = obtain(restore, Kind::Shm, &want, has(flags::SHARED), &|me, key, how| {
        me.call(nr::__NR_shmget, &[key, r.size, how | noreserve])
    })?;
    let me = restore.me;
    let file = obtained.found.file.ok_or(EINVAL)?;
    if obtained.taken_over {
        empty(me, r.perm.id as i32, r.size.div_ceil(4096) * 4096)
            .context(format_args!("cannot write to shared memory segment {}", r.perm.id))?;
    } else {
        let creator = match r.creator.checked_sub(1) {
            Some(index) => Some((restore.task_at)(index).ok_or_else(|| {
                restore
                    .input
                    .bad(EBADMSG, format_args!("there is no task {index} in the tree"))
            })?),
            None => None,
        };
        me.set_shm_creator(&obtained.found.fields, creator.as_ref());
    }
    if has(flags::LOCKED) && !obtained.found.fields.locked {
        me.call(nr::__NR_shmctl, &[u64::from(r.perm.id), SHM_LOCK, 0])
            .context(format_args!("cannot lock shared memory segment {}", r.perm.id))?;
    }
    let fields = settle(restore, Kind::Shm, &obtained.found.fields, &want)?;
    Ok(Object::Segment(KBox::new(
        Segment { file, fields },
        GFP_KERNEL_ACCOUNT,
    )?))
}

/// Drops old contents, with the permission that it takes to write there.
fn empty(me: &CurrentTask, id: i32, size: u64) -> kernel::error::Result {
    let at = me.shmat(id, 0, false)?;
    let emptied = me.call(nr::__NR_madvise, &[at, size, MADV_REMOVE]);
    me.call(nr::__NR_munmap, &[at, size])?;
    emptied.map(|_| ())
}
