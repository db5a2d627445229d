// SPDX-License-Identifier: GPL-2.0

//! System V semaphores.
//!
//! Saved: values, who has changed each last, times; lists of what is undone at exit (SEM_UNDO), also those that tasks share
//! (CLONE_SYSVSEM). Who waits in semop(2) goes on waiting, semtimedop(2) with its whole time.
//! Refused: sets of more than 32,000 semaphores; a list that is shared with a process outside of the target.
//!
//! Record: [`ckpt_uapi::record::sem`].  C source: `ipc/sem.c`

use super::*;
use crate::{freeze::Process, wrapper::ipc::Sem as Value};
use ckpt_uapi::record::sem::{flags, SemAdjustment, SemUndo, SemValue, ADJUSTMENTS_MAX, SEMS_MAX, VALUE_MAX};
use zerocopy::FromZeros;

const SETALL: u64 = 17;
const SEM_UNDO: u16 = 0x1000;
const IPC_NOWAIT: u16 = 0o4000;

pub(super) fn check(f: &Fields) -> Result {
    if f.size > u64::from(SEMS_MAX) {
        return Err(refuse(Kind::Sem, f.id, "it has more than 32000 semaphores"));
    }
    Ok(())
}

/// The objref of a set; it is written when first met.
pub(super) fn dump(ns: &Nsproxy, viewer: &Viewer<'_>, f: &Fields, shared: bool, dump: &mut Dump<'_>) -> Result<u32> {
    if let Some(objref) = dump.seen.get(f.address) {
        return Ok(objref);
    }
    super::check(Kind::Sem, f)?;
    let values = ns.sem_values(f.id, f.size as usize, viewer)?;
    let mut entries: KVVec<SemValue> = KVVec::with_capacity(values.len(), GFP_KERNEL)?;
    for v in values.iter() {
        let entry = SemValue {
            value: v.value,
            pid: v.pid,
        };
        entries.push(entry, GFP_KERNEL)?;
    }
    let mut r = Sem::new_zeroed();
    r.objref = dump.seen.add(f.address, Keeper::Task)?;
    r.flags = if shared { flags::SHARED } else { 0 };
    r.perm = perm(f);
    [r.otime, _, r.ctime] = f.times.map(|t| t as u64);
    r.count = entries.len() as u32;
    dump.out.record_with(&r, &entries[..])?;
    Ok(r.objref)
}

pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let r: Sem = restore.input.fixed()?;
    let bad = |restore: &Restore<'_>| {
        restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a semaphore set record"))
    };
    if r.objref != restore.made.next()
        || r.flags & !flags::ALL != 0
        || !is_sound(&r.perm)
        || !(1..=SEMS_MAX).contains(&r.count)
        || r.reserved != 0
    {
        return Err(bad(restore));
    }
    let count = r.count as usize;
    let mut words: KVVec<u8> = KVVec::with_capacity(count * 2, GFP_KERNEL)?;
    let mut values: KVVec<Value> = KVVec::with_capacity(count, GFP_KERNEL)?;
    for v in restore.input.entries::<SemValue>(r.count)? {
        if v.value > VALUE_MAX {
            return Err(bad(restore));
        }
        words.extend_from_slice(&(v.value as u16).to_ne_bytes(), GFP_KERNEL)?;
        let value = Value {
            value: v.value,
            pid: v.pid,
        };
        values.push(value, GFP_KERNEL)?;
    }
    let want = wanted(&r.perm, u64::from(r.count), [r.otime, 0, r.ctime], [0; 2]);
    let obtained = obtain(
        restore,
        Kind::Sem,
        &want,
        r.flags & flags::SHARED != 0,
        &|me, key, how| me.call(nr::__NR_semget, &[key, u64::from(r.count), how]),
    )?;
    let me = restore.me;
    let at = me.put(&words)?;
    me.call(nr::__NR_semctl, &[u64::from(r.perm.id), 0, SETALL, at])
        .context(format_args!("cannot set the values of semaphore set {}", r.perm.id))?;
    me.set_sem_pids(&obtained.found.fields, &values, &root_pids(restore)?)?;
    let fields = settle(restore, Kind::Sem, &obtained.found.fields, &want)?;
    Ok(Object::Sem(fields))
}

/// What is undone at exit.
pub(crate) struct UndoRoom;

impl Resource for UndoRoom {
    const RECORDS: &'static [RecordType] = &[SemUndo::TYPE];
    const SCOPE: Scope = Scope::Task;
    const REQUIRED: bool = false;
    const REPEATS: bool = true;

    fn dump(target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let list = task.task.undo_list();
        let of_leader = task.task != target.leader && list == target.leader.undo_list() && list != 0;
        if let Some(objref) = dump.seen.get(list).filter(|_| list != 0) {
            return dump.out.record(&SemUndo { objref, count: 0 });
        }
        if of_leader || (list == 0 && task.task == target.leader) {
            return Ok(());
        }
        dump_list(target, task.task, list, dump)
    }

    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        restore_list(restore)
    }
}

/// Writes a list, and the sets in it that have not been met.
fn dump_list(target: &Target<'_>, task: &Task, list: usize, dump: &mut Dump<'_>) -> Result {
    let ns = Nsproxy::of(task)?;
    let cred = Cred::of(task);
    let viewer = Viewer {
        cred: &cred,
        pids: &target.whole.pid_ns,
    };
    let mut entries: KVVec<SemAdjustment> = KVVec::new();
    each(&ns, Kind::Sem, &viewer, &mut |found| {
        let f = &found.fields;
        let Some((adjustments, _)) = adjustments(&ns, f, list)? else {
            return Ok(());
        };
        let set = dump_set(&ns, &viewer, f, dump)?;
        for (number, adjust) in adjustments.iter().enumerate().filter(|(_, a)| **a != 0) {
            let entry = SemAdjustment {
                set,
                number: number as u32,
                adjust: i32::from(*adjust),
            };
            entries.push(entry, GFP_KERNEL)?;
        }
        Ok(())
    })?;
    // A process whose list is empty gets a new one when it needs one, unless others have the same.
    let alone = task == target.leader && !is_shared(target.whole, list, task);
    if entries.is_empty() && alone {
        return Ok(());
    }
    // A task without a list has one of its own: it would else be that of the leader.
    let key = if list == 0 { task.address() + 1 } else { list };
    let objref = dump.seen.add(key, Keeper::Task)?;
    let mut rest = &entries[..];
    loop {
        let (now, later) = rest.split_at(rest.len().min(ADJUSTMENTS_MAX as usize));
        let count = now.len() as u32;
        dump.out.record_with(&SemUndo { objref, count }, now)?;
        rest = later;
        if rest.is_empty() {
            return Ok(());
        }
    }
}

/// A set of the caller's namespace is the target's now; those of others have been written.
fn dump_set(ns: &Nsproxy, viewer: &Viewer<'_>, f: &Fields, out: &mut Dump<'_>) -> Result<u32> {
    dump(ns, viewer, f, true, out)
}

/// What a list has for a set, and how many tasks have the list.
fn adjustments(ns: &Nsproxy, f: &Fields, list: usize) -> Result<Option<(KVVec<i16>, u32)>> {
    if list == 0 || f.used == 0 {
        return Ok(None);
    }
    Ok(ns.sem_adjustments(f.id, list, f.size as usize)?)
}

/// Whether another process has the list.
fn is_shared(whole: &Whole<'_>, list: usize, task: &Task) -> bool {
    let mut others = whole.processes.iter().flat_map(|p| p.threads.iter());
    list != 0 && others.any(|t| t.tgid() != task.tgid() && t.undo_list() == list)
}

/// Whether a list of the target has something for a set.
pub(super) fn is_in_a_list(whole: &Whole<'_>, ns: &Nsproxy, f: &Fields) -> Result<bool> {
    for task in whole.processes.iter().flat_map(|p| p.threads.iter()) {
        if adjustments(ns, f, task.undo_list())?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Names lists that tasks outside of the target have, too, and sets in them that cannot be saved.
pub(super) fn check_lists(whole: &Whole<'_>, obstacles: &mut dyn Obstacles) -> Result {
    let mut lists: RBTree<usize, (u32, &Task)> = RBTree::new();
    for task in whole.processes.iter().flat_map(|p| p.threads.iter()) {
        match (task.undo_list(), lists.get_mut(&task.undo_list())) {
            (0, _) => {}
            (_, Some((count, _))) => *count += 1,
            (list, None) => drop(lists.try_create_and_insert(list, (1, task), GFP_KERNEL)?),
        }
    }
    for (list, (count, task)) in lists.iter() {
        let (Ok(ns), cred) = (Nsproxy::of(task), Cred::of(task)) else {
            continue;
        };
        let viewer = Viewer {
            cred: &cred,
            pids: &whole.pid_ns,
        };
        let callers = ns.address(NsKind::Ipc) == whole.caller_ns.address(NsKind::Ipc);
        let mut strange = false;
        each(&ns, Kind::Sem, &viewer, &mut |found| {
            if let Some((_, users)) = adjustments(&ns, &found.fields, *list)? {
                strange |= users > *count;
                if callers {
                    if let Err(fault) = super::check(Kind::Sem, &found.fields) {
                        obstacles.add(fault.task(task.tgid(), task.tid()));
                    }
                }
            }
            Ok(())
        })?;
        // While it runs, threads come and go: those that have come since would look like strangers.
        if strange && (whole.stopped_ns != 0 || is_complete(whole)) {
            obstacles.add(
                Fault::new(
                    EOPNOTSUPP,
                    format_args!(
                        "its semaphore adjustments (SEM_UNDO) are shared with a process outside of the target (CLONE_SYSVSEM)"
                    ),
                )
                .kind(RecordType::SemUndo)
                .task(task.tgid(), task.tid()),
            );
        }
    }
    Ok(())
}

/// Whether no thread has come or gone since the target was looked at.
fn is_complete(whole: &Whole<'_>) -> bool {
    let same = |p: &Process| {
        p.threads
            .first()
            .is_none_or(|t| t.nr_threads() as usize == p.nr_tasks())
    };
    whole.processes.iter().all(same)
}

fn restore_list(restore: &mut Restore<'_>) -> Result {
    const CLONE_SYSVSEM: u64 = 0x40000;
    let r: SemUndo = restore.input.fixed()?;
    let me = restore.me;
    let bad = |restore: &Restore<'_>| {
        restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a semaphore undo record"))
    };
    if r.count > ADJUSTMENTS_MAX {
        return Err(bad(restore));
    }
    if r.objref == restore.made.next() {
        // Threads share that of their leader from their creation on.
        if restore.keeps_process {
            restore.made.add(Object::Undo(me.task().clone()))?;
        } else {
            me.call(nr::__NR_unshare, &[CLONE_SYSVSEM])?;
            restore.made.add(Object::Undo(me.task().clone()))?;
        }
    } else {
        match restore.made.get(r.objref) {
            Some(Object::Undo(own)) if *own == *me.task() => {}
            Some(Object::Undo(from)) if r.count == 0 => {
                return me
                    .adopt_undo(from)
                    .context(format_args!("cannot share semaphore adjustments"))
            }
            _ => return Err(bad(restore)),
        }
    }
    let mut set = 0;
    for e in restore.input.entries::<SemAdjustment>(r.count)? {
        let Some(Object::Sem(fields)) = restore.made.get(e.set) else {
            return Err(bad(restore));
        };
        let adjust = i16::try_from(e.adjust).map_err(|_| bad(restore))?;
        if e.set != set {
            set = e.set;
            begin(me, fields).context(format_args!("cannot undo operations on semaphore set {}", fields.id))?;
        }
        me.set_adjustment(fields, e.number, adjust)
            .context(format_args!("cannot undo operations on semaphore set {}", fields.id))?;
    }
    if r.count == 0 && me.task().undo_list() == 0 {
        // Another task may want to share it.
        return make_list(restore);
    }
    Ok(())
}

/// Has the caller's list have something for a set, if only nothing: waiting for zero changes no value.
fn begin(me: &CurrentTask, set: &Fields) -> kernel::error::Result {
    let mut operation = [0u8; 6];
    operation[4..].copy_from_slice(&(SEM_UNDO | IPC_NOWAIT).to_ne_bytes());
    let at = me.put(&operation)?;
    match me.call(nr::__NR_semop, &[set.id as u64, at, 1]) {
        Err(e) if e == EAGAIN => Ok(()),
        other => other.map(|_| ()),
    }
}

/// Makes an empty list: with a set that is not there, the kernel gets no further than that.
fn make_list(restore: &Restore<'_>) -> Result {
    let none = Fields {
        id: i32::MAX,
        ..Fields::default()
    };
    match begin(restore.me, &none) {
        Err(e) if e == EINVAL || e == EIDRM => Ok(()),
        other => Ok(other?),
    }
}
