// SPDX-License-Identifier: GPL-2.0

//! System V semaphores.
//!
//! Saved: values, who has changed each last, times; lists of what is undone at exit (SEM_UNDO), also those that tasks share
//! (CLONE_SYSVSEM). Who waits in semop(2) goes on waiting.
//! Not saved: how much of its time semtimedop(2) has used: it waits with all of it again; in what order tasks wait: of several, another
//! one may be the first to get on.
//! Refused: sets of more than 32,000 semaphores; a list that is shared with a process outside of the target; more than 1,048,576
//! adjustments in all lists, or 16,777,216, most of them zero, for one set.
//! Shown by: ipc/keeps_semaphores, ipc/keeps_all_semaphores, ipc/keeps_many_lists, ipc/keeps_an_empty_list, ipc/leaves_a_set, refuse/sem.
//!
//! Record: [`ckpt_uapi::record::sem`].  C source: `ipc/sem.c`

use super::*;
use crate::{
    freeze::Process,
    wrapper::ipc::{Sem as Value, Undo}, //
};
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
    super::check(ns, Kind::Sem, f)?;
    let values = ns.sem_values(f.id, f.size as usize, viewer)?;
    let mut entries: KVVec<SemValue> = KVVec::with_capacity(values.len(), GFP_KERNEL_ACCOUNT)?;
    for v in values.iter() {
        let entry = SemValue {
            value: v.value,
            pid: v.pid,
        };
        entries.push(entry, GFP_KERNEL_ACCOUNT)?;
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
    let mut words: KVVec<u8> = KVVec::with_capacity(count * 2, GFP_KERNEL_ACCOUNT)?;
    let mut values: KVVec<Value> = KVVec::with_capacity(count, GFP_KERNEL_ACCOUNT)?;
    for v in restore.input.entries::<SemValue>(r.count)? {
        if v.value > VALUE_MAX {
            return Err(bad(restore));
        }
        words.extend_from_slice(&(v.value as u16).to_ne_bytes(), GFP_KERNEL_ACCOUNT)?;
        let value = Value {
            value: v.value,
            pid: v.pid,
        };
        values.push(value, GFP_KERNEL_ACCOUNT)?;
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
    Ok(Object::Sem(KBox::new(fields, GFP_KERNEL_ACCOUNT)?))
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

/// Adjustments that the target may have: all of them are held in memory while it stands still.
const UNDOS_MAX: usize = 1 << 20;

/// The undo lists of the target, and the sets for which they have something. Found once, by the sets, of which each has a list of them.
pub(crate) struct Undos {
    /// By their addresses.
    lists: RBTree<usize, List>,
    /// Addresses of the sets.
    sets: RBTree<usize, ()>,
}

/// An undo list.
struct List {
    /// How many tasks of the target have it, and the first of them.
    tasks: u32,
    first: Task,
    /// Another process has it, too.
    of_many: bool,
    /// How many tasks have it in all, if it has something.
    users: u32,
    /// What it has: identifier and address of the set.
    undos: KVVec<(i32, usize, Undo)>,
}

impl Undos {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self {
            lists: RBTree::new(),
            sets: RBTree::new(),
        }
    }

    /// Whether a list of the target has something for the set at an address.
    pub(super) fn has(&self, set: usize) -> bool {
        self.sets.get(&set).is_some()
    }

    /// Counts who has which list.
    fn count(&mut self, task: &Task) -> Result {
        let address = task.undo_list();
        if address == 0 {
            return Ok(());
        }
        if let Some(list) = self.lists.get_mut(&address) {
            list.tasks += 1;
            list.of_many |= list.first.tgid() != task.tgid();
            return Ok(());
        }
        let list = List {
            tasks: 1,
            first: task.clone(),
            of_many: false,
            users: 0,
            undos: KVVec::new(),
        };
        self.lists.try_create_and_insert(address, list, GFP_KERNEL_ACCOUNT)?;
        Ok(())
    }

    /// Notes what the lists have for a set. Of nothing it takes no notice: whoever cannot even read a set gets as far as that.
    fn note(&mut self, f: &Fields, undos: &[Undo]) -> Result {
        for undo in undos {
            let Some(list) = self.lists.get_mut(&undo.list) else {
                continue;
            };
            list.users = undo.users;
            if undo.number >= 0 {
                list.undos.push((f.id, f.address, *undo), GFP_KERNEL_ACCOUNT)?;
                self.sets.try_create_and_insert(f.address, (), GFP_KERNEL_ACCOUNT)?;
            }
        }
        Ok(())
    }
}

/// Writes a list, and the sets in it that have not been met.
fn dump_list(target: &Target<'_>, task: &Task, address: usize, dump: &mut Dump<'_>) -> Result {
    let ns = Nsproxy::of(task)?;
    let cred = viewer_of(target.whole, &ns, NsKind::Ipc)?;
    let viewer = Viewer {
        cred: &cred,
        pids: &target.whole.pid_ns,
    };
    let known = target.whole.undos.borrow();
    let list = known.lists.get(&address);
    let mut entries: KVVec<SemAdjustment> = KVVec::new();
    for (id, address, undo) in list.map_or(&[][..], |list| &list.undos[..]) {
        let entry = SemAdjustment {
            set: dump_set(&ns, &viewer, *id, *address, dump)?,
            number: undo.number as u32,
            adjust: undo.adjust,
        };
        entries.push(entry, GFP_KERNEL_ACCOUNT)?;
    }
    // A process whose list is empty gets a new one when it needs one, unless others have the same.
    let alone = task == target.leader && !list.is_some_and(|list| is_shared(target.whole, list, &ns));
    if entries.is_empty() && alone {
        return Ok(());
    }
    // A task without a list has one of its own: it would else be that of the leader.
    let key = if address == 0 { task.address() + 1 } else { address };
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

/// The objref of a set at an address: one of the caller's namespace is the target's now, those of others have been written.
fn dump_set(ns: &Nsproxy, viewer: &Viewer<'_>, id: i32, address: usize, out: &mut Dump<'_>) -> Result<u32> {
    if let Some(objref) = out.seen.get(address) {
        return Ok(objref);
    }
    match ns.ipc_object(Kind::Sem, id, viewer) {
        Ok(found) if found.fields.address == address => dump(ns, viewer, &found.fields, true, out),
        _ => Err(Fault::new(ENOENT, format_args!("semaphore set {id} has gone"))),
    }
}

/// Whether who makes a new list when it needs one would not share it as this one is shared. The threads of a process share theirs from
/// their creation on, unless the process enters a namespace after that.
fn is_shared(whole: &Whole<'_>, list: &List, ns: &Nsproxy) -> bool {
    list.of_many || (list.tasks > 1 && ns.address(NsKind::Ipc) != whole.caller_ns.address(NsKind::Ipc))
}

/// Names lists that tasks outside of the target have, too, and sets in them that cannot be saved.
pub(super) fn check_lists(whole: &Whole<'_>, obstacles: &mut dyn Obstacles) -> Result {
    let mut known = Undos::new();
    let mut namespaces: RBTree<usize, (Nsproxy, &Task)> = RBTree::new();
    for task in whole.processes.iter().flat_map(|p| p.threads.iter()) {
        known.count(task)?;
        match Nsproxy::of(task) {
            Ok(ns) if task.undo_list() != 0 && namespaces.get(&ns.address(NsKind::Ipc)).is_none() => {
                namespaces.try_create_and_insert(ns.address(NsKind::Ipc), (ns, task), GFP_KERNEL_ACCOUNT)?;
            }
            _ => {}
        }
    }
    let mut lists: KVVec<usize> = KVVec::new();
    for address in known.lists.keys() {
        lists.push(*address, GFP_KERNEL_ACCOUNT)?;
    }
    let mut left = UNDOS_MAX;
    for (ns, task) in namespaces.values() {
        look_at_sets(whole, ns, task, &lists, &mut left, &mut known, obstacles)?;
    }
    for list in known.lists.values() {
        // While it runs, threads come and go: those that have come since would look like strangers.
        if list.users > list.tasks && (whole.stopped_ns != 0 || is_complete(whole)) {
            obstacles.add(
                Fault::new(
                    EOPNOTSUPP,
                    format_args!(
                        "its semaphore adjustments (SEM_UNDO) are shared with a process outside of the target (CLONE_SYSVSEM)"
                    ),
                )
                .kind(RecordType::SemUndo)
                .task(list.first.tgid(), list.first.tid()),
            );
        }
    }
    *whole.undos.borrow_mut() = known;
    Ok(())
}

/// Notes what `lists` have for the sets of a namespace, in which `task` lives, and names sets that cannot be saved.
fn look_at_sets(
    whole: &Whole<'_>,
    ns: &Nsproxy,
    task: &Task,
    lists: &[usize],
    left: &mut usize,
    known: &mut Undos,
    obstacles: &mut dyn Obstacles,
) -> Result {
    let cred = viewer_of(whole, ns, NsKind::Ipc)?;
    let viewer = Viewer {
        cred: &cred,
        pids: &whole.pid_ns,
    };
    let callers = ns.address(NsKind::Ipc) == whole.caller_ns.address(NsKind::Ipc);
    each(ns, Kind::Sem, &viewer, &mut |found| {
        let f = &found.fields;
        if f.used == 0 {
            return Ok(());
        }
        let undos = match ns.sem_undos(f.id, lists, UNDOS_MAX) {
            Ok(undos) if undos.len() <= *left => undos,
            Err(e) if e != E2BIG => return Err(e.into()),
            _ => {
                let fault = refuse(Kind::Sem, f.id, "there is too much to undo at exit (SEM_UNDO)");
                obstacles.add(fault.task(task.tgid(), task.tid()));
                return Ok(());
            }
        };
        *left -= undos.len();
        known.note(f, &undos)?;
        // Those of another namespace have been looked at.
        if callers && known.has(f.address) {
            if let Err(fault) = super::check(ns, Kind::Sem, f) {
                obstacles.add(fault.task(task.tgid(), task.tid()));
            }
            check_owners(ns, f, &undos, known, obstacles)?;
        }
        Ok(())
    })
}

/// Names the tasks that have something to undo on a set, and may not change it.
fn check_owners(ns: &Nsproxy, f: &Fields, undos: &[Undo], known: &Undos, obstacles: &mut dyn Obstacles) -> Result {
    let mut last = 0;
    for undo in undos.iter().filter(|undo| undo.number >= 0) {
        let Some(list) = known.lists.get(&undo.list).filter(|_| undo.list != last) else {
            continue;
        };
        last = undo.list;
        match check_own(ns, Kind::Sem, f.id, &Cred::of(&list.first)) {
            Err(fault) if fault.errno() == EOPNOTSUPP => {
                obstacles.add(fault.task(list.first.tgid(), list.first.tid()));
            }
            other => other?,
        }
    }
    Ok(())
}

/// Whether no thread has come or gone since the target was looked at.
fn is_complete(whole: &Whole<'_>) -> bool {
    let same = |p: &Process| {
        p.threads
            .first()
            .is_none_or(|_| p.leader.nr_own_threads() == Ok(p.nr_tasks()))
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

/// Has the caller's list have something for a set, if only nothing. The kernel gets that far before it sees that no set has a semaphore
/// with that number: neither a value changes nor who is said to have changed one, or when.
fn begin(me: &CurrentTask, set: &Fields) -> kernel::error::Result {
    const NUMBER: u16 = u16::MAX;
    const _: () = assert!(SEMS_MAX < NUMBER as u32);
    let mut operation = [0u8; 6];
    operation[..2].copy_from_slice(&NUMBER.to_ne_bytes());
    operation[4..].copy_from_slice(&(SEM_UNDO | IPC_NOWAIT).to_ne_bytes());
    let at = me.put(&operation)?;
    match me.call(nr::__NR_semop, &[set.id as u64, at, 1]) {
        Err(e) if e == EFBIG => Ok(()),
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
