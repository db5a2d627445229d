// SPDX-License-Identifier: GPL-2.0

//! System V IPC: what its objects have in common.
//!
//! Saved: of an ipc namespace that is not the caller's, every object, with its identifier, key, owners, permissions and times, and where
//! the kernel goes on with identifiers. Of the caller's, which the restarted program shares with the restarter again, what is known
//! to be the target's: segments that it has attached, and sets of semaphores for which it has something to undo (SEM_UNDO), if it may
//! read and change them.
//! Such an object may still be there at restart, as the program that was killed has left it: with the same key, size, maker and
//! times, it is taken over and gets its contents back. The restart fails before a task runs if somebody uses it, if it belongs to
//! another user than the restarter (without CAP_SYS_ADMIN, which IPC_SET wants, too), or if another object has the identifier or key.
//! Not saved: other objects of the caller's ipc namespace, with a warning where a process of the target has made or used them;
//! in what order tasks wait for one; the numbers of processes that are nobody's at restart (they become 0); /proc/sys/kernel/*_next_id.
//! Refused: owners without a number in the target's user namespace; objects that the caller may not read; attached segments, and sets with
//! something to undo, of the caller's namespace that the process may not read and change.
//! A restart wants CAP_CHECKPOINT_RESTORE over the user namespace of the ipc namespace, as /proc/sys/kernel/*_next_id does: root
//! has it, and whoever restarts a container of their own.
//! Shown by: ipc/, hostile/values_of_ipc.
//!
//! Record: [`ckpt_uapi::record::ipc`].  C header: `include/linux/ipc_namespace.h`

use super::{
    as_owner, dump_shmem_pages, share, viewer_of, Dump, FrozenTask, Obstacles, Resource, Restore, Scope, Target, Whole,
};
use crate::{
    error::{Context, Fault, Result},
    objects::{Keeper, Object, Segment},
    wrapper::{
        cred::Cred,
        ipc::{access, Fields, Kind, Object as Found, Viewer},
        ns::{Kind as NsKind, Nsproxy},
        pid::PidNs,
        syscall::{nr, CurrentTask},
        task::{fatal_signal_pending, sleep_killable, Task}, //
    },
};
use ckpt_uapi::record::{
    ipc::{Ids, IpcEnd, Perm, ID_MAX, MODE},
    mqueue::{Mqueue, MqueueText},
    msg::{Msg, MsgText},
    sem::Sem,
    shm::Shm,
    Record, RecordType,
};
use core::fmt::Display;
use kernel::{prelude::*, rbtree::RBTree};

mod mqueue;
mod msg;
mod sem;
mod shm;

pub(crate) use sem::{UndoRoom, Undos};
pub(crate) use shm::{dump_segment, Segments};

/// The objects: those of a namespace stand in the section of the first task that lives in it, others before what refers to them.
pub(crate) struct IpcRoom;

const IPC_CREAT: u64 = 0o1000;
const IPC_EXCL: u64 = 0o2000;
const IPC_RMID: u64 = 0;
const IPC_SET: u64 = 1;

/// Says that an object cannot be saved.
fn refuse(kind: Kind, id: i32, why: impl Display) -> Fault {
    let record = match kind {
        Kind::Shm => RecordType::Shm,
        Kind::Sem => RecordType::Sem,
        Kind::Msg => RecordType::Msg,
    };
    Fault::new(
        EOPNOTSUPP,
        format_args!("System V {} {id} cannot be saved: {why}", kind.name()),
    )
    .kind(record)
}

/// Why an object cannot be saved. Who asks for a checkpoint gets what is in it.
fn check(ns: &Nsproxy, kind: Kind, f: &Fields) -> Result {
    match ns.may_access_ipc(kind, f.id, &Cred::current(), access::READ) {
        Err(EACCES) => return Err(refuse(kind, f.id, "the caller may not read it")),
        // While the target runs, somebody may have removed it.
        Ok(()) | Err(ENOENT) => {}
        Err(e) => return Err(e.into()),
    }

    if [f.uid, f.gid, f.cuid, f.cgid].contains(&u32::MAX) {
        return Err(refuse(
            kind,
            f.id,
            "its owner has no number in the user namespace of the target",
        ));
    }
    match kind {
        Kind::Shm => shm::check(f),
        Kind::Sem => sem::check(f),
        Kind::Msg => Ok(()),
    }
}

/// Calls `look` with each object of a kind.
fn each(ns: &Nsproxy, kind: Kind, viewer: &Viewer<'_>, look: &mut dyn FnMut(Found) -> Result) -> Result {
    let mut index = 0;
    while let Some(found) = ns.next_ipc(kind, &mut index, viewer)? {
        if fatal_signal_pending() {
            return Err(EINTR.into());
        }
        look(found)?;
    }
    Ok(())
}

/// Names the objects of a namespace that cannot be saved; `task` is the first of the target that lives in it.
pub(crate) fn check_objects(
    whole: &Whole<'_>,
    task: &Task,
    ns: &Nsproxy,
    say: &mut dyn FnMut(core::fmt::Arguments<'_>),
) -> Result {
    let cred = viewer_of(whole, ns, NsKind::Ipc)?;
    let viewer = Viewer {
        cred: &cred,
        pids: &whole.pid_ns,
    };
    let mut judge = |result: Result| match result {
        Err(fault) if fault.errno() == EOPNOTSUPP => {
            let text = fault.detail().map_or(&[][..], |d| d.text.as_bytes());
            say(format_args!("{}", core::str::from_utf8(text).unwrap_or("")));
            Ok(())
        }
        other => other,
    };
    let has_memory = has_own_memory(whole, task);
    for kind in Kind::ALL {
        each(ns, kind, &viewer, &mut |found| {
            judge(check(ns, kind, &found.fields).and_then(|()| match kind {
                Kind::Msg => msg::check(ns, &found.fields),
                // Its contents stand with the memory of a process.
                Kind::Shm if !has_memory => Err(refuse(
                    kind,
                    found.fields.id,
                    "the first task of its ipc namespace is a thread, or shares the memory of another process",
                )),
                _ => Ok(()),
            }))
        })?;
    }
    judge(mqueue::check(ns, viewer_of(whole, ns, NsKind::Ipc)?))
}

/// Whether the task keeps its process, which is the first with its address space.
fn has_own_memory(whole: &Whole<'_>, task: &Task) -> bool {
    let mm = task.shared().mm;
    let first = whole.processes.iter().filter_map(|p| p.threads.first());
    first.into_iter().find(|t| t.shared().mm == mm) == Some(task)
}

/// Why an object of the caller's ipc namespace is none of a task's that holds on to it, if it is none: a restart changes it.
fn check_own(ns: &Nsproxy, kind: Kind, id: i32, cred: &Cred) -> Result {
    match ns.may_access_ipc(kind, id, cred, access::READ | access::WRITE) {
        Err(EACCES) => Err(refuse(kind, id, "the process may not read and change it")),
        Ok(()) | Err(ENOENT) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

fn perm(f: &Fields) -> Perm {
    Perm {
        id: f.id as u32,
        key: f.key,
        uid: f.uid,
        gid: f.gid,
        cuid: f.cuid,
        cgid: f.cgid,
        mode: f.mode,
        reserved: 0,
    }
}

fn is_sound(p: &Perm) -> bool {
    p.id <= ID_MAX && p.mode & !MODE == 0 && p.reserved == 0
}

/// What an object is to be.
fn wanted(p: &Perm, size: u64, times: [u64; 3], pids: [u32; 2]) -> Fields {
    Fields {
        id: p.id as i32,
        key: p.key,
        uid: p.uid,
        gid: p.gid,
        cuid: p.cuid,
        cgid: p.cgid,
        mode: p.mode,
        size,
        times: times.map(|t| t as i64),
        pids,
        ..Fields::default()
    }
}

/// An object that is there for the records of a restart.
struct Obtained {
    found: Found,
    /// It was there already, and has old contents.
    taken_over: bool,
}

/// The pid namespace of the root task, whose numbers the statefile has.
fn root_pids(restore: &Restore<'_>) -> Result<PidNs> {
    Ok(PidNs::of(&(restore.task_at)(0).ok_or(ESRCH)?)?)
}

/// Makes an object with the wanted identifier and key by the task's own system call, or takes over what is left of it. `make` is that
/// call, with the key and flags.
fn obtain(
    restore: &mut Restore<'_>,
    kind: Kind,
    want: &Fields,
    shared: bool,
    make: &dyn Fn(&CurrentTask, u64, u64) -> kernel::error::Result<usize>,
) -> Result<Obtained> {
    let me = restore.me;
    let (name, id) = (kind.name(), want.id);
    let ns = Nsproxy::of(me.task())?;
    let cred = Cred::current();
    let pids = root_pids(restore)?;
    let viewer = Viewer {
        cred: &cred,
        pids: &pids,
    };
    let is_left = |f: &Fields| {
        (f.key, f.size, f.cuid, f.cgid, f.times[2]) == (want.key, want.size, want.cuid, want.cgid, want.times[2])
            && !f.removed
            && !want.removed
    };
    let taken = || {
        Fault::new(
            EBUSY,
            format_args!("the identifier {id} of a {name} is taken in the ipc namespace by another one"),
        )
    };
    match ns.ipc_object(kind, id, &viewer) {
        Ok(found) if shared && is_left(&found.fields) => {
            may_take_over(me, kind, &found.fields)?;
            return Ok(Obtained {
                found,
                taken_over: true,
            });
        }
        Ok(_) => return Err(taken()),
        Err(e) if e == ENOENT => {}
        Err(e) => return Err(e.into()),
    }
    // Whatever fails between the system call and what is kept here would leave the object behind.
    restore.remains.reserve()?;
    let flags = IPC_CREAT | IPC_EXCL | u64::from(want.mode);
    let with_key = |key: u32| me.with_next_id(kind, id, || make(me, u64::from(key), flags));
    let made = match with_key(want.key) {
        // Its key has been free for others since it was removed; only its name in /proc/PID/maps still had it.
        Err(e) if e == EEXIST && want.removed => with_key(0),
        other => other,
    };
    let made = made.map_err(|e| match e {
        EEXIST => Fault::new(
            EBUSY,
            format_args!("the key {:#x} of a {name} is taken in the ipc namespace", want.key),
        ),
        EPERM => Fault::new(
            e,
            format_args!(
                "cannot make {name} {id}: the restarter may not choose its identifier (CAP_CHECKPOINT_RESTORE)"
            ),
        ),
        _ => Fault::new(e, format_args!("cannot make {name} {id}")),
    })? as i32;
    let kept = ns.ipc_object(kind, made, &viewer).and_then(|found| {
        let created = me.created(kind, &found.fields)?;
        Ok((found, created))
    });
    let (found, created) = match kept {
        Ok(both) => both,
        Err(e) => {
            // Nobody knows of it yet; what became of it does not matter.
            let _ = control(me, kind, made, IPC_RMID, 0);
            return Err(e.into());
        }
    };
    restore.remains.add(created)?;
    if made != id {
        return Err(taken());
    }
    Ok(Obtained {
        found,
        taken_over: false,
    })
}

/// Whether what is left of an object may be emptied and filled again: it is the restarter's, and nobody uses it.
fn may_take_over(me: &CurrentTask, kind: Kind, f: &Fields) -> Result {
    let name = kind.name();
    me.may_change_ipc(kind, f).map_err(|e| match e {
        EPERM => Fault::new(
            e,
            format_args!(
                "{name} {} is still in the ipc namespace, and belongs to another user than the restarter",
                f.id
            ),
        ),
        _ => e.into(),
    })?;
    if f.used == 0 {
        return Ok(());
    }
    let how = match kind {
        Kind::Shm => "have it attached",
        Kind::Sem => "wait for it, or have something to undo on it (SEM_UNDO)",
        Kind::Msg => "have left messages in it",
    };
    Err(Fault::new(
        EBUSY,
        format_args!(
            "{name} {} is still in the ipc namespace, and in use: other processes {how}",
            f.id
        ),
    ))
}

/// Gives an object its owner, permissions and, to a message queue, the size by the task's own system call.
fn change(me: &CurrentTask, kind: Kind, want: &Fields) -> Result {
    // As `struct ipc64_perm` at the begin of `struct shmid64_ds` and its kin; the size of a message queue comes at 88.
    let words = [want.key, want.uid, want.gid, want.cuid, want.cgid, want.mode];
    let mut bytes = [0u8; 120];
    for (at, word) in bytes.chunks_exact_mut(4).zip(words) {
        at.copy_from_slice(&word.to_ne_bytes());
    }
    bytes[88..96].copy_from_slice(&want.size.to_ne_bytes());
    let at = me.put(&bytes)?;
    control(me, kind, want.id, IPC_SET, at).context(format_args!(
        "cannot give {} {} its owner, permissions or size",
        kind.name(),
        want.id
    ))
}

/// shmctl(2), semctl(2) or msgctl(2).
fn control(me: &CurrentTask, kind: Kind, id: i32, command: u64, at: u64) -> kernel::error::Result {
    let id = id as u64;
    match kind {
        Kind::Shm => me.call(nr::__NR_shmctl, &[id, command, at]),
        Kind::Sem => me.call(nr::__NR_semctl, &[id, 0, command, at]),
        Kind::Msg => me.call(nr::__NR_msgctl, &[id, command, at]),
    }
    .map(|_| ())
}

/// Gives an object its owner and permissions by the task's own system call, and the rest directly.
fn settle(restore: &Restore<'_>, kind: Kind, found: &Fields, want: &Fields) -> Result<Fields> {
    let me = restore.me;
    let differs = (found.uid, found.gid, found.mode) != (want.uid, want.gid, want.mode);
    if differs || (kind == Kind::Msg && found.size != want.size) {
        change(me, kind, want)?;
    }
    let fields = Fields {
        address: found.address,
        ..*want
    };
    me.set_ipc(kind, &fields, true, &root_pids(restore)?)
        .context(format_args!(
            "cannot give {} {} its maker, which the restarter is not",
            kind.name(),
            want.id
        ))?;
    Ok(fields)
}

impl Resource for IpcRoom {
    const RECORDS: &'static [RecordType] = &[
        Shm::TYPE,
        Sem::TYPE,
        Msg::TYPE,
        MsgText::TYPE,
        Mqueue::TYPE,
        MqueueText::TYPE,
        IpcEnd::TYPE,
    ];
    const SCOPE: Scope = Scope::Task;
    const REQUIRED: bool = false;
    const OBJECTS: bool = true;

    fn check_whole(whole: &Whole<'_>, obstacles: &mut dyn Obstacles) -> Result {
        shm::check_attached(whole, obstacles)?;
        sem::check_lists(whole, obstacles)?;
        warn_of_others(whole, obstacles)
    }

    fn dump(target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        if *dump.new & share::IPC == 0 {
            return Ok(());
        }
        let ns = Nsproxy::of(task.task)?;
        let cred = viewer_of(target.whole, &ns, NsKind::Ipc)?;
        let viewer = Viewer {
            cred: &cred,
            pids: &target.whole.pid_ns,
        };
        shm::dump_all(target.whole, &ns, &viewer, dump)?;
        each(&ns, Kind::Sem, &viewer, &mut |found| {
            sem::dump(&ns, &viewer, &found.fields, false, dump).map(|_| ())
        })?;
        each(&ns, Kind::Msg, &viewer, &mut |found| {
            msg::dump(&ns, &found.fields, dump)
        })?;
        mqueue::dump(&ns, cred, dump)?;
        let ids = |kind| {
            let (seq, last, cursor) = ns.ipc_ids(kind);
            Ids {
                seq,
                last: (last + 1) as u32,
                cursor,
            }
        };
        dump.out.record(&IpcEnd {
            sem: ids(Kind::Sem),
            msg: ids(Kind::Msg),
            shm: ids(Kind::Shm),
            reserved: 0,
        })
    }

    fn restore(kind: RecordType, restore: &mut Restore<'_>) -> Result {
        as_owner(restore, NsKind::Ipc, |restore| restore_one(kind, restore))
    }
}

fn restore_one(kind: RecordType, restore: &mut Restore<'_>) -> Result {
    let object = match kind {
        RecordType::Shm => shm::restore(restore)?,
        RecordType::Sem => sem::restore(restore)?,
        RecordType::Msg => msg::restore(restore)?,
        RecordType::MsgText => return msg::restore_text(restore),
        RecordType::Mqueue => mqueue::restore(restore)?,
        RecordType::MqueueText => return mqueue::restore_text(restore),
        _ => return end(restore),
    };
    restore.made.add(object)
}

/// All objects of the namespace are there.
fn end(restore: &mut Restore<'_>) -> Result {
    let r: IpcEnd = restore.input.only()?;
    let me = restore.me;
    let bad = || {
        restore
            .input
            .bad(EBADMSG, format_args!("wrong values at the end of an ipc namespace"))
    };
    let Some(limits) = restore.late.ipc_limits.filter(|_| r.reserved == 0) else {
        return Err(bad());
    };
    for (kind, ids) in [(Kind::Sem, r.sem), (Kind::Msg, r.msg), (Kind::Shm, r.shm)] {
        // A new namespace begins like that.
        if ids == Ids::default() {
            continue;
        }
        let last = i32::try_from(ids.last).map_err(|_| bad())? - 1;
        me.set_ipc_ids(kind, ids.seq, last, ids.cursor).context(format_args!(
            "cannot set where the kernel goes on with the identifier of a {} (CAP_CHECKPOINT_RESTORE)",
            kind.name()
        ))?;
    }
    restore.late.ipc_limits = None;
    me.set_ipc_limits(&limits)
        .context(format_args!("cannot set the limits of the ipc namespace"))
}

/// What lies in the caller's namespace, and is the target's only as far as its processes have made or used it, stays as it is.
fn warn_of_others(whole: &Whole<'_>, obstacles: &mut dyn Obstacles) -> Result {
    let callers = whole.caller_ns.address(NsKind::Ipc);
    let mut own: RBTree<u32, (i32, i32)> = RBTree::new();
    for task in whole.processes.iter().filter_map(|p| p.threads.first()) {
        if Nsproxy::of(task).is_ok_and(|ns| ns.address(NsKind::Ipc) == callers) {
            let number = task.numbers_in(&whole.pid_ns)[1];
            own.try_create_and_insert(number, (task.tgid(), task.tid()), GFP_KERNEL_ACCOUNT)?;
        }
    }
    if own.is_empty() {
        return Ok(());
    }
    let cred = Cred::current();
    let viewer = Viewer {
        cred: &cred,
        pids: &whole.pid_ns,
    };
    let ns = &whole.caller_ns;
    for kind in Kind::ALL {
        each(ns, kind, &viewer, &mut |found| {
            let f = &found.fields;
            let by = match kind {
                Kind::Shm if whole.segments.try_borrow().is_ok_and(|s| s.has(callers, f.id)) => None,
                Kind::Sem if whole.undos.try_borrow().is_ok_and(|u| u.has(f.address)) => None,
                Kind::Sem => {
                    let values = ns.sem_values(f.id, f.size as usize, &viewer);
                    let values = values.unwrap_or_default();
                    values.iter().find_map(|v| own.get(&v.pid).copied())
                }
                _ => f.pids.iter().find_map(|pid| own.get(pid).copied()),
            };
            if let Some((tgid, tid)) = by {
                obstacles.warn(
                    Fault::new(
                        EXDEV,
                        format_args!(
                            "System V {} {} is in an ipc namespace that it shares with the caller: it is not saved, and stays where it is",
                            kind.name(),
                            f.id
                        ),
                    )
                    .task(tgid, tid),
                );
            }
            Ok(())
        })?;
    }
    Ok(())
}
