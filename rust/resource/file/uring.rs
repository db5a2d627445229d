// SPDX-License-Identifier: GPL-2.0

//! Rings of io_uring.
//!
//! Saved: sizes and setup flags, contents with their indices (completions that have not been read, entries that have not been submitted,
//! completions for which there was no room), mappings; files and buffers that are registered, with their tags and empty slots, also files
//! for which there is no descriptor any more; the eventfd, the limits of workers, the clock of waits, which task is the only one that
//! submits; that a ring takes no requests yet.
//! Not saved: for whom its memory counts (RLIMIT_MEMLOCK): the restarter, if it has counted for somebody. Which process has made it: the
//! first that has it. On which processors the workers of a task run (IORING_REGISTER_IOWQ_AFF), and how many there are. What is left of the
//! time of a wait, which begins anew. A wait that has submitted something: it says so at once after a restart, as if a signal had come.
//! Completions of a ring that leaves them until its task asks for them (IORING_SETUP_DEFER_TASKRUN) are there when it goes on. A wait goes
//! on for the ring that its descriptor names then, also if another thread has put another ring there meanwhile. Where a seccomp filter has
//! io_uring_enter(2) or io_uring_register(2) say ENOSYS to a task that is just stopped there, that looks like a wait: it may see another
//! result, or be refused.
//! Refused: requests that do not complete in time; those that only others complete (accept, receive, poll, waitid, futex) get half a
//! second. A wait for a ring that its descriptor does not name any more; rings that a process outside of the target holds, too; a ring
//! whose completions are polled for, that a thread of the kernel submits to (IORING_SETUP_SQPOLL), that shares the workers of another
//! one or lies in the program's own memory; restrictions, credentials (IORING_REGISTER_PERSONALITY), buffers to choose from
//! (IORING_REGISTER_PBUF_RING, IORING_OP_PROVIDE_BUFFERS), more than 65,536 completions without room, zero copy receive, regions for
//! parameters, BPF, NAPI; a buffer whose memory is mapped there no more, or of a process that has no descriptor of the ring; an eventfd
//! for which there is no descriptor; a mapping of only a part of a ring, a private one, or one from before the ring was resized.
//! Shown by: file/keeps_io_uring, file/keeps_a_wait_for_io_uring, file/waits_for_requests_of_io_uring,
//! file/requests_of_io_uring_are_refused, mm/request_of_io_uring_is_refused, program/node, refuse/io_uring, hostile/values_of_io_uring.
//!
//! Records: [`ckpt_uapi::record::uring`].  C sources: `io_uring/`

use super::{
    super::allow_descriptor, add_refusal, census::each_fd, dump_file, has, refuse, share, Dump, FrozenTask, Late,
    Obstacles, Resource, Restore, Scope, Target, Whole,
};
use crate::{
    error::{Context, Fault, Result},
    freeze::{FrozenTree, Process},
    objects::{Keeper, Object},
    wrapper::{
        file::{take_fd, with_fd, File},
        mm::{map, vm, Mm, Vma as Area},
        syscall::{nr, CurrentTask},
        task::{fatal_signal_pending, sleep_killable, Task},
        time::monotonic_ns,
        uring::{
            event_of, kept_by_wait, name_of, operations, refused, register, registered, run_own_work, State, Uring,
            ENDLESS, IORING_CQE_F_32, IORING_OFF_CQ_RING, IORING_OFF_SQES, IORING_OFF_SQ_RING,
            IORING_RSRC_REGISTER_SPARSE, IORING_SETUP_CQE32, IORING_SETUP_CQE_MIXED, IORING_SETUP_CQSIZE, REGIONS,
        }, //
    },
};
use ckpt_uapi::record::{
    mm::Vma,
    uring::{
        state, Buffer, Buffers, Cqe, Data, Files, Overflow, Slot, Task as TaskRecord, Uring as Record, DATA_MAX,
        DISABLED, FLAGS, PLACES, SETUP, SINGLE_ISSUER, SUBMITTER,
    },
    Record as _, RecordType,
};
use kernel::prelude::*;

/// Entries of one record.
const ENTRIES: usize = 4096;

const CAP_IPC_LOCK: u32 = 14;
const CLOCK_MONOTONIC: u32 = 1;
const CLOCK_BOOTTIME: u32 = 7;

/// Counts a ring, to which a descriptor (0) or a mapping (1) refers.
pub(super) fn count(target: &Target<'_>, file: &File, mapped: usize) -> Result {
    let mut holders = target.whole.holders.borrow_mut();
    holders.add(
        file,
        mapped,
        target.leader,
        "ring of io_uring that another process holds",
    )
}

/// Why a ring cannot be saved, if it cannot. What is in flight is looked at when all rings are known.
pub(super) fn check(target: &Target<'_>, file: &File, ring: &Uring<'_>) -> Result<Option<&'static str>> {
    let whole = target.whole;
    count(target, file, 0)?;
    let found = ring.state()?;
    if let Some(what) = refused(&found) {
        return Ok(Some(what));
    }
    let mut tasks = whole.processes.iter().flat_map(|p| p.threads.iter());
    Ok(if found.event != 0 && whole.census.event(found.event).is_none() {
        Some("ring of io_uring that tells an eventfd without a descriptor")
    } else if found.submitter != 0 && !tasks.any(|t| t.address() == found.submitter) {
        Some("ring of io_uring to which only a task submits that is not in the target")
    } else if found.buffers != 0 && whole.users.at(found.mm) == 0 {
        Some("ring of io_uring with buffers of an address space that is not in the target")
    } else {
        None
    })
}

/// How long requests that do not complete by themselves get to do so all the same: what completes them may be on its way.
const GRACE_NS: u64 = 500_000_000;

/// What is in flight.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flight {
    Nothing,
    /// Only what does not complete by itself.
    Endless,
    Something,
}

impl Flight {
    /// That of all tasks.
    fn of(frozen: &FrozenTree, rings: &[File]) -> Result<Self> {
        let mut flight = Self::Nothing;
        for ring in rings.iter().filter_map(Uring::of) {
            let found = ring.state()?;
            if found.requests == 0 {
                continue;
            }
            let others = operations(&found).any(|op| !ENDLESS.contains(&op));
            if others || found.named != found.requests {
                return Ok(Self::Something);
            }
            flight = Self::Endless;
        }
        if flight == Self::Nothing {
            // Of rings that are closed.
            for task in frozen.processes().iter().flat_map(|p| p.threads.iter()) {
                if task.has_uring_requests(true)? {
                    return Ok(Self::Something);
                }
            }
        }
        Ok(flight)
    }
}

/// Rings that the target can have requests by: those for which tasks have descriptors, or places.
fn rings_of(processes: &[Process]) -> Result<KVVec<File>> {
    let mut rings = KVVec::new();
    each_fd(processes, |_, file| {
        if Uring::of(file).is_some() {
            rings.push(file.clone(), GFP_KERNEL_ACCOUNT)?;
        }
        Ok(())
    })?;
    for task in processes.iter().flat_map(|p| p.threads.iter()) {
        for (_, ring) in registered(task)? {
            rings.push(ring, GFP_KERNEL_ACCOUNT)?;
        }
    }
    Ok(rings)
}

/// Gives `keep` each ring that a system call keeps in which a task waits.
pub(super) fn kept_by_waits(frozen: &FrozenTree, mut keep: impl FnMut(&File)) -> Result {
    for task in frozen.inside() {
        match kept_by_wait(task) {
            Ok(ring) => ring.iter().for_each(&mut keep),
            Err(e) if e == EBADFD => {
                let text = "waits in io_uring_enter(2) for a ring that its descriptor does not name any more";
                let fault = Fault::new(EOPNOTSUPP, format_args!("{text}"));
                return Err(fault.task(task.tgid(), task.tid()).kind(RecordType::IoUring));
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// Operations in flight, for messages.
struct Operations<'a>(&'a State);

impl core::fmt::Display for Operations<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (i, op) in operations(self.0).enumerate() {
            let name = name_of(op);
            write!(f, "{}{name}", if i == 0 { " (" } else { ", " })?;
        }
        if self.0.named == 0 {
            return Ok(());
        }
        f.write_str(if self.0.named < self.0.requests {
            " and others)"
        } else {
            ")"
        })
    }
}

/// Names the requests of rings that have not completed. Those of a target that runs are no obstacle: a checkpoint waits for them.
pub(super) fn check_whole(whole: &Whole<'_>, obstacles: &mut dyn Obstacles) -> Result {
    for file in whole.census.rings().iter().map(|ring| &ring.file) {
        // What has not been met has its own refusal, or something else stands for it.
        let Some(ids) = whole.holders.borrow().ids_of(file) else {
            continue;
        };
        if let Some(ring) = kept(whole, file) {
            check_requests(&ring, whole.stopped_ns == 0, ids, obstacles)?;
        }
    }
    Ok(())
}

fn check_requests(ring: &Uring<'_>, runs: bool, ids: (i32, i32), obstacles: &mut dyn Obstacles) -> Result {
    let found = ring.state()?;
    if found.requests == 0 {
        return Ok(());
    }
    let (n, operations) = (found.requests, Operations(&found));
    let what = if runs {
        "a checkpoint waits for them"
    } else {
        "they have not completed in time"
    };
    let fault = Fault::new(
        EOPNOTSUPP,
        format_args!("io_uring: {n} requests are in flight{operations}: {what}"),
    );
    let fault = fault.kind(RecordType::IoUring).task(ids.0, ids.1);
    if runs {
        obstacles.warn(fault);
    } else {
        obstacles.add(fault);
    }
    Ok(())
}

/// Why a mapping of a ring cannot be saved, if it cannot.
pub(crate) fn check_mapping(ring: &Uring<'_>, area: &Area, mm: &Mm) -> Result<Option<&'static str>> {
    let len = area.end - area.start;
    Ok(if area.flags & (vm::SHARED | vm::MAYSHARE) == 0 {
        Some("private mapping of a ring of io_uring")
    } else if !is_whole(area.offset) || (area.offset == u64::from(IORING_OFF_SQES) && len < ring.state()?.regions[1]) {
        Some("mapping of a part of a ring of io_uring")
    } else if !ring.is_mapped(mm, area.start, area.offset)? {
        Some("mapping of what a ring of io_uring was before it was resized (IORING_REGISTER_RESIZE_RINGS)")
    } else {
        None
    })
}

/// Whether a region is mapped from its beginning.
fn is_whole(from: u64) -> bool {
    [IORING_OFF_SQ_RING, IORING_OFF_CQ_RING, IORING_OFF_SQES]
        .map(u64::from)
        .contains(&from)
}

/// Maps a ring at its place.
pub(crate) fn place(ring: &Uring<'_>, v: &Vma, prot: u32, how: u32) -> Result {
    if !is_whole(v.offset) || how & map::SHARED == 0 {
        return Err(Fault::new(EBADMSG, format_args!("a ring of io_uring is not mapped so")));
    }
    let len = v.end - v.start;
    ring.map(v.start, len, prot, how, v.offset)
        .context(format_args!("cannot map {len} bytes of a ring of io_uring"))?;
    Ok(())
}

/// Writes the object; its objref.
pub(super) fn dump(target: &Target<'_>, file: &File, ring: &Uring<'_>, dump: &mut Dump<'_>) -> Result<u32> {
    let found = ring.state()?;
    if found.requests != 0 {
        return Err(Fault::new(EBUSY, format_args!("requests of io_uring are in flight")).kind(RecordType::IoUring));
    }
    let event = match found.event {
        0 => 0,
        at => {
            let gone = || Fault::new(EBUSY, format_args!("the eventfd of a ring of io_uring is gone"));
            let address = target.whole.census.event(at).ok_or_else(gone)?;
            let event = target
                .whole
                .census
                .find(target.whole.processes, address)?
                .ok_or_else(gone)?;
            dump_file(target, &event, usize::MAX / 2, dump)?
        }
    };
    let objref = dump.seen.add(file.address(), Keeper::File(file.clone()))?;
    let mut remembered = found.state;
    for (is_set, bit) in [
        (found.dropped, state::DROPPED),
        (found.event_async, state::EVENT_ASYNC),
        (found.has_workers, state::WORKERS),
        (!found.accounted, state::UNCOUNTED),
    ] {
        remembered |= if is_set { bit } else { 0 };
    }
    dump.out.record(&Record {
        objref,
        flags: file.flags() & FLAGS,
        setup: found.setup,
        state: remembered,
        sq_entries: found.sq_entries,
        cq_entries: found.cq_entries,
        sq_head: found.sq_head,
        cq_tail: found.cq_tail,
        ring_bytes: found.regions[0] as u32,
        sqe_bytes: found.regions[1] as u32,
        clock: found.clock,
        event,
        workers: found.workers,
        files: found.files,
        file_hint: found.file_hint,
        file_range: found.file_range,
        buffers: found.buffers,
        reserved: 0,
    })?;
    for (region, bytes) in found.regions.iter().enumerate() {
        dump_region(ring, objref, region, *bytes, dump)?;
    }
    dump_overflow(ring, objref, dump)?;
    dump_files(target, ring, objref, dump)?;
    Ok(objref)
}

/// Bytes that are written, or left out, together.
const PAGE: usize = 4096;

/// Writes what is not zero.
fn dump_region(ring: &Uring<'_>, objref: u32, region: usize, bytes: u64, dump: &mut Dump<'_>) -> Result {
    let mut buf: KVVec<u8> = KVVec::zeroed(DATA_MAX as usize, GFP_KERNEL_ACCOUNT)?;
    let mut at = 0;
    while at < bytes {
        let n = (bytes - at).min(u64::from(DATA_MAX)) as usize;
        ring.read(region, at, &mut buf[..n])?;
        let mut rest = &buf[..n];
        while !rest.is_empty() {
            let is_zero = |page: &&[u8]| page.iter().all(|b| *b == 0);
            let pages = |wanted: bool| rest.chunks(PAGE).take_while(|page| is_zero(page) == wanted).count();
            let (zeros, written) = (pages(true), pages(false));
            let (now, later) = rest.split_at(((zeros + written) * PAGE).min(rest.len()));
            if written > 0 {
                let r = Data {
                    ring: objref,
                    region: region as u32,
                    offset: at as u32,
                    length: now.len() as u32,
                };
                dump.out.record_with(&r, now)?;
            }
            at += now.len() as u64;
            rest = later;
        }
    }
    Ok(())
}

fn dump_overflow(ring: &Uring<'_>, objref: u32, dump: &mut Dump<'_>) -> Result {
    let mut words: KVVec<[u64; 4]> = KVVec::from_elem([0; 4], ENTRIES, GFP_KERNEL_ACCOUNT)?;
    let mut from = 0;
    loop {
        let n = ring.overflow(from, &mut words)?;
        if n == 0 {
            return Ok(());
        }
        let mut entries = KVVec::with_capacity(n, GFP_KERNEL_ACCOUNT)?;
        for words in &words[..n] {
            entries.push(Cqe { words: *words }, GFP_KERNEL_ACCOUNT)?;
        }
        let fixed = Overflow {
            ring: objref,
            count: n as u32,
        };
        dump.out.record_with(&fixed, &entries[..])?;
        from += n as u32;
    }
}

fn dump_files(target: &Target<'_>, ring: &Uring<'_>, objref: u32, dump: &mut Dump<'_>) -> Result {
    let mut entries: KVVec<Slot> = KVVec::new();
    for slot in ring.files()? {
        let entry = Slot {
            slot: slot.slot,
            // How many references are ours was counted when it was checked.
            file: dump_file(target, &slot.file, usize::MAX / 2, dump)?,
            tag: slot.tag,
        };
        entries.push(entry, GFP_KERNEL_ACCOUNT)?;
    }
    for lot in entries.chunks(ENTRIES) {
        let fixed = Files {
            ring: objref,
            count: lot.len() as u32,
        };
        dump.out.record_with(&fixed, lot)?;
    }
    Ok(())
}

fn bad_values(restore: &Restore<'_>) -> Fault {
    let input = &*restore.input;
    input.bad(EBADMSG, format_args!("wrong values in a record of io_uring"))
}

fn is_right(r: &Record) -> bool {
    let known = r.flags & !FLAGS == 0 && r.setup & !SETUP == 0 && r.state & !state::ALL == 0 && r.reserved == 0;
    let said = matches!(r.clock, CLOCK_MONOTONIC | CLOCK_BOOTTIME)
        && (r.state & state::EVENT_ASYNC == 0 || r.event != 0)
        && r.workers.iter().all(|n| i32::try_from(*n).is_ok())
        && (r.state & state::WORKERS != 0 || r.workers == [0; 2]);
    known && r.has_possible_sizes() && said
}

/// One io_uring_register(2).
fn register(me: &CurrentTask, fd: u64, what: u32, arg: u64, n: u64) -> kernel::error::Result<usize> {
    me.call(nr::__NR_io_uring_register, &[fd, u64::from(what), arg, n])
}

/// Makes the object, without files and memory.
pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let r: Record = restore.input.only()?;
    let event = match r.event {
        0 => None,
        objref => restore
            .made
            .file(objref)
            .filter(|file| event_of(file).is_some())
            .cloned(),
    };
    if r.objref != restore.made.next() || !is_right(&r) || event.is_some() != (r.event != 0) {
        return Err(bad_values(restore));
    }
    let me = restore.me;
    let mut setup = r.setup | IORING_SETUP_CQSIZE;
    if r.setup & SINGLE_ISSUER != 0 {
        // Until the one who submits is there.
        setup |= DISABLED;
    }
    // struct io_uring_params: both sizes, flags, and what the kernel fills in.
    let mut params = [0; 15];
    params[0] = u64::from(r.cq_entries) << 32;
    params[1] = u64::from(setup);
    let at = me.put_words(&params)?;
    let make = || {
        me.call(nr::__NR_io_uring_setup, &[u64::from(r.sq_entries), at])
            .context(format_args!(
                "cannot make a ring of io_uring with setup flags {setup:#x}"
            ))
    };
    // Who may lock memory without limit makes rings that may, too, whoever has them then.
    let fd = if r.state & state::UNCOUNTED != 0 {
        make()?
    } else {
        me.without_capability(CAP_IPC_LOCK, make)?
    };
    let file = take_fd(me, fd)?;
    file.set_nonblock(r.flags != 0);
    let ring = Uring::of(&file).ok_or(EINVAL)?;
    let made = ring.state()?;
    let sizes = (u64::from(r.ring_bytes), u64::from(r.sqe_bytes));
    if (made.sq_entries, made.cq_entries) != (r.sq_entries, r.cq_entries) || (made.regions[0], made.regions[1]) != sizes
    {
        return Err(restore
            .input
            .bad(EPROTONOSUPPORT, format_args!("a ring of io_uring has other sizes here")));
    }
    ring.set(&State {
        state: r.state & state::DRAIN,
        sq_head: r.sq_head,
        cq_tail: r.cq_tail,
        dropped: r.state & state::DROPPED != 0,
        ..Default::default()
    })?;
    allow_descriptor(me, r.files)?;
    with_fd(me, &file, |fd| tell(me, fd, &r, event.as_ref()))
        .context(format_args!("cannot set up a ring of io_uring"))?;
    if r.files != 0 {
        // When the files are there, which change it.
        restore
            .late
            .file_hints
            .push((file.clone(), r.file_hint), GFP_KERNEL_ACCOUNT)?;
    }
    Ok(Object::File(file, 0, 0))
}

/// Registers all but files and memory.
fn tell(me: &CurrentTask, fd: u64, r: &Record, event: Option<&File>) -> kernel::error::Result {
    /// `sizeof(struct io_uring_rsrc_register)`
    const TABLE: u64 = 32;
    let sparse = |slots: u32| u64::from(slots) | u64::from(IORING_RSRC_REGISTER_SPARSE) << 32;
    if let Some(event) = event {
        let how = if r.state & state::EVENT_ASYNC != 0 {
            register::EVENTFD_ASYNC
        } else {
            register::EVENTFD
        };
        with_fd(me, event, |event| register(me, fd, how, me.put_words(&[event])?, 1))?;
    }
    if r.clock != CLOCK_MONOTONIC {
        register(me, fd, register::CLOCK, me.put_words(&[u64::from(r.clock), 0])?, 0)?;
    }
    if r.state & state::WORKERS != 0 {
        let [bounded, unbounded] = r.workers.map(u64::from);
        let at = me.put_words(&[bounded | unbounded << 32])?;
        register(me, fd, register::IOWQ_MAX_WORKERS, at, 2)?;
    }
    if r.files != 0 {
        let at = me.put_words(&[sparse(r.files), 0, 0, 0])?;
        register(me, fd, register::FILES2, at, TABLE)?;
        let [first, end] = r.file_range;
        let at = me.put_words(&[u64::from(first) | u64::from(end - first) << 32, 0])?;
        register(me, fd, register::FILE_ALLOC_RANGE, at, 0)?;
    }
    if r.buffers != 0 {
        let at = me.put_words(&[sparse(r.buffers), 0, 0, 0])?;
        register(me, fd, register::BUFFERS2, at, TABLE)?;
    }
    Ok(())
}

/// Puts something into one slot: where it is described, and what completes when the kernel lets it go.
fn fill(me: &CurrentTask, ring: u64, what: u32, slot: u32, words: &[u64], tag: u64) -> kernel::error::Result {
    /// `sizeof(struct io_uring_rsrc_update2)`, which stands behind what it describes.
    const UPDATE: u64 = 32;
    /// Where it stands.
    const TAG_AT: usize = 16;
    const UPDATE_AT: usize = 24;
    let data = me.put_words(words)?;
    let tag = me.put_at(TAG_AT, &tag.to_ne_bytes())?;
    let mut at = 0;
    for (i, word) in [u64::from(slot), data, tag, 1].iter().enumerate() {
        let put = me.put_at(UPDATE_AT + 8 * i, &word.to_ne_bytes())?;
        at = if i == 0 { put } else { at };
    }
    match register(me, ring, what, at, UPDATE)? {
        1 => Ok(()),
        _ => Err(EINVAL),
    }
}

/// The ring of a record, by its objref.
fn ring_file(restore: &Restore<'_>, objref: u32) -> Result<File> {
    let file = restore.made.file(objref).filter(|file| Uring::of(file).is_some());
    let bad = || {
        restore
            .input
            .bad(EBADMSG, format_args!("object {objref} is no ring of io_uring"))
    };
    file.cloned().ok_or_else(bad)
}

/// Writes contents.
pub(super) fn restore_data(restore: &mut Restore<'_>) -> Result {
    let r: Data = restore.input.fixed()?;
    let file = ring_file(restore, r.ring)?;
    let bytes = restore.input.variable();
    let ring = Uring::of(&file).ok_or(EINVAL)?;
    if bytes.len() != r.length as usize || r.region as usize >= REGIONS || r.length > DATA_MAX {
        return Err(bad_values(restore));
    }
    let written = ring.write(r.region as usize, u64::from(r.offset), bytes);
    written.map_err(|_| bad_values(restore))
}

/// Adds completions for which there was no room.
pub(super) fn restore_overflow(restore: &mut Restore<'_>) -> Result {
    let r: Overflow = restore.input.fixed()?;
    let file = ring_file(restore, r.ring)?;
    let ring = Uring::of(&file).ok_or(EINVAL)?;
    let setup = ring.state()?.setup;
    for e in restore.input.entries::<Cqe>(r.count)? {
        let marked = (e.words[1] >> 32) as u32 & IORING_CQE_F_32 != 0;
        let long = setup & IORING_SETUP_CQE32 != 0 || marked;
        if (marked && setup & IORING_SETUP_CQE_MIXED == 0) || (!long && e.words[2..] != [0, 0]) {
            return Err(bad_values(restore));
        }
        ring.add_overflow(&e.words)?;
    }
    Ok(())
}

/// Registers files.
pub(super) fn restore_files(restore: &mut Restore<'_>) -> Result {
    let r: Files = restore.input.fixed()?;
    let ring = ring_file(restore, r.ring)?;
    let me = restore.me;
    for e in restore.input.entries::<Slot>(r.count)? {
        let Some(file) = restore.made.file(e.file) else {
            return Err(restore.input.bad(
                EBADMSG,
                format_args!("a ring of io_uring keeps object {}, which is no file", e.file),
            ));
        };
        with_fd(me, &ring, |ring| {
            with_fd(me, file, |fd| {
                fill(me, ring, register::FILES_UPDATE2, e.slot, &[fd], e.tag)
            })
        })
        .context(format_args!("a ring of io_uring cannot keep a file in slot {}", e.slot))
        .map_err(|f| f.kind(RecordType::IoUringFiles))?;
    }
    Ok(())
}

/// The ring, unless something else stands for it in the statefile.
fn kept<'a>(whole: &Whole<'_>, file: &'a File) -> Option<Uring<'a>> {
    Uring::of(file).filter(|_| whole.decisions.of(file).is_none())
}

/// Whether a task has a descriptor of a ring, or has registered it.
fn knows(task: &Task, file: &File) -> Result<bool> {
    let is_same = |other: &(u32, File)| other.1.address() == file.address();
    Ok(has(task, file)? || registered(task)?.iter().any(is_same))
}

/// Says why a ring that a task has registered cannot be saved: for it there need be no descriptor.
fn check_registered(target: &Target<'_>, file: &File, obstacles: &mut dyn Obstacles) -> Result {
    if target.whole.census.has_descriptor(file) {
        return Ok(());
    }
    let ring = Uring::of(file).ok_or(EINVAL)?;
    if let Some(what) = check(target, file, &ring)? {
        obstacles.add(refuse(file, what));
    }
    Ok(())
}

/// What a ring has of tasks and their memory.
pub(crate) struct UringRoom;

impl Resource for UringRoom {
    const RECORDS: &'static [RecordType] = &[Buffers::TYPE, TaskRecord::TYPE];
    const SCOPE: Scope = Scope::Task;
    const REQUIRED: bool = false;
    const REPEATS: bool = true;

    /// Those requests that need their tasks to come to their end get them. What is left then is refused.
    fn settle(frozen: &FrozenTree) -> Result {
        let rings = rings_of(frozen.processes())?;
        let patience = monotonic_ns().saturating_add(GRACE_NS);
        loop {
            // In this order: who is not back may submit more.
            let sent = frozen.sent();
            let flight = Flight::of(frozen, &rings)?;
            if fatal_signal_pending() {
                return Err(EINTR.into());
            }
            let now = monotonic_ns();
            let is_over = now > frozen.deadline_ns
                || match flight {
                    Flight::Nothing => true,
                    Flight::Endless => now > patience,
                    Flight::Something => false,
                };
            match sent {
                None if is_over => break,
                None => frozen.send(run_own_work, Task::uses_io_uring),
                Some(task) if now > frozen.deadline_ns => {
                    let text = "it works for requests of io_uring, and does not come to an end in time";
                    return Err(Fault::new(EBUSY, format_args!("{text}"))
                        .kind(RecordType::IoUring)
                        .task(task.tgid(), task.tid()));
                }
                Some(_) => {}
            }
            sleep_killable(4);
        }
        frozen.wait_inactive();
        Ok(())
    }

    fn check(target: &Target<'_>, task: &Task, obstacles: &mut dyn Obstacles) -> Result {
        for (_, file) in registered(task)? {
            check_registered(target, &file, obstacles)?;
        }
        for known in target.whole.census.rings() {
            let file = &known.file;
            let keeps = task == target.leader && known.keeper == target.mm.address();
            if !keeps && known.submitter != task.address() {
                continue;
            }
            let Some(ring) = kept(target.whole, file) else { continue };
            if !knows(task, file)? {
                let what = "ring of io_uring of a task that has no descriptor of it";
                add_refusal(target, file, refuse(file, what), obstacles);
            }
            if !keeps {
                continue;
            }
            for (slot, buffer) in ring.buffers(Some(target.mm))? {
                if !buffer.is_mapped {
                    obstacles.add(
                        Fault::new(
                            EOPNOTSUPP,
                            format_args!("io_uring: the memory of registered buffer {slot} is mapped there no more"),
                        )
                        .kind(RecordType::IoUringBuffers)
                        .address(buffer.address),
                    );
                }
                if fatal_signal_pending() {
                    return Err(EINTR.into());
                }
            }
        }
        Ok(())
    }

    fn dump(target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        for (place, file) in registered(task.task)? {
            if kept(target.whole, &file).is_none() {
                continue;
            }
            let r = TaskRecord {
                ring: ring_objref(&file, dump)?,
                place,
            };
            dump.out.record(&r)?;
        }
        let writes_memory = task.task == target.leader && *dump.new & share::MM != 0;
        for known in target.whole.census.rings() {
            let file = &known.file;
            if writes_memory && known.keeper == target.mm.address() {
                if let Some(ring) = kept(target.whole, file) {
                    dump_buffers(file, &ring, dump)?;
                }
            }
            if known.submitter == task.task.address() && kept(target.whole, file).is_some() {
                let r = TaskRecord {
                    ring: ring_objref(file, dump)?,
                    place: SUBMITTER,
                };
                dump.out.record(&r)?;
            }
        }
        Ok(())
    }

    fn restore(kind: RecordType, restore: &mut Restore<'_>) -> Result {
        match kind {
            RecordType::IoUringBuffers => restore_buffers(restore),
            _ => {
                let r: TaskRecord = restore.input.only()?;
                if r.place != SUBMITTER && r.place >= PLACES {
                    return Err(bad_values(restore));
                }
                let file = ring_file(restore, r.ring)?;
                Ok(restore.late.rings.push((file, r), GFP_KERNEL_ACCOUNT)?)
            }
        }
    }

    fn start(me: &CurrentTask, late: &Late) -> Result {
        for (file, hint) in late.file_hints.iter() {
            Uring::of(file).ok_or(EINVAL)?.set_file_hint(*hint)?;
        }
        for (file, r) in late.rings.iter() {
            let done = with_fd(me, file, |fd| match r.place {
                // It has one already, or was never to be enabled so.
                SUBMITTER => register(me, fd, register::ENABLE_RINGS, 0, 0).map_err(|_| EBADMSG),
                place => register(me, fd, register::RING_FDS, me.put_words(&[u64::from(place), fd])?, 1),
            });
            done.context(format_args!("a ring of io_uring cannot become what it was to the task"))
                .map_err(|f| f.kind(RecordType::IoUringTask))?;
        }
        Ok(())
    }
}

/// The objref of a ring, which has been written with a descriptor or a mapping.
fn ring_objref(file: &File, dump: &Dump<'_>) -> Result<u32> {
    dump.seen.get(file.address()).ok_or_else(|| {
        let what = "ring of io_uring that is neither mapped nor known by a descriptor";
        refuse(file, what).kind(RecordType::IoUringTask)
    })
}

fn dump_buffers(file: &File, ring: &Uring<'_>, dump: &mut Dump<'_>) -> Result {
    let mut entries: KVVec<Buffer> = KVVec::new();
    for (slot, buffer) in ring.buffers(None)? {
        let entry = Buffer {
            slot,
            reserved: 0,
            address: buffer.address,
            length: buffer.length,
            tag: buffer.tag,
        };
        entries.push(entry, GFP_KERNEL_ACCOUNT)?;
    }
    if entries.is_empty() {
        return Ok(());
    }
    let objref = ring_objref(file, dump)?;
    for lot in entries.chunks(ENTRIES) {
        let fixed = Buffers {
            ring: objref,
            count: lot.len() as u32,
        };
        dump.out.record_with(&fixed, lot)?;
    }
    Ok(())
}

/// Registers memory, which is there by now.
fn restore_buffers(restore: &mut Restore<'_>) -> Result {
    let r: Buffers = restore.input.fixed()?;
    let ring = ring_file(restore, r.ring)?;
    let me = restore.me;
    with_fd(me, &ring, |ring| -> Result {
        for e in restore.input.entries::<Buffer>(r.count)? {
            if e.reserved != 0 || e.address == 0 {
                return Err(bad_values(restore));
            }
            fill(
                me,
                ring,
                register::BUFFERS_UPDATE,
                e.slot,
                &[e.address, e.length],
                e.tag,
            )
            .context(format_args!(
                "a ring of io_uring cannot keep a buffer in slot {}",
                e.slot
            ))
            .map_err(|f| f.kind(RecordType::IoUringBuffers).address(e.address))?;
        }
        Ok(())
    })
}
