// SPDX-License-Identifier: GPL-2.0

//! Mappings.
//!
//! Saved: private and shared file mappings, private and shared anonymous memory, stack growth, protection, madvise(2)
//! advice, NUMA policies (mbind) with their home node, mlock(2), MAP_NORESERVE, MAP_DROPPABLE (without its contents: it may be dropped
//! at any time, and random number state must not be used twice), names, seals; the vdso and its data pages by place; attachments of
//! System V shared memory (shmat(2)), also in parts: the segments are ipc/shm.rs; memory of huge pages (MAP_HUGETLB), private and shared,
//! and of memfds and files of hugetlbfs, with the size of its pages. The restart needs as many huge pages as it has, and as are to be
//! reserved for it: what is lacking is said.
//! Refused: attached segments of huge pages (SHM_HUGETLB), device memory, protection keys, shadow stacks,
//! userfaultfd, NUMA policies of shared memory, anonymous memory shared with a process outside of the target.
//! Shown by: mm/, shmem/, refuse/device_mapped, refuse/memory_mapped_outside, refuse/huge_memory_mapped_outside,
//! hostile/values_of_huge_pages.

use super::{
    super::{dump_segment, policy::Action, Target},
    aio, check_mapped, check_ring_mapping, count_mapped, dump_file, is_sealed_for_writers, nodes, place_ring,
    put_nodes, refuse_device, Dump, Obstacles, Restore, Whole,
};
use crate::{
    error::{Context, Fault, Result},
    freeze::Scope as Extent,
    objects::{Keeper, Made, Object, Segment},
    statefile::Writer,
    wrapper::{
        file::File,
        ipc::{attached, Kind as IpcKind},
        mm::{map, prot, task_size, vm, vm_mmap, Batch, Vma as Area, Walked},
        path::PathBuf,
        pid::PidNs,
        syscall::{nr, CurrentTask},
        task::{fatal_signal_pending, sleep_killable, Task},
        uring::Uring, //
    },
};
use ckpt_uapi::{
    ioctl::restart_flags,
    record::{
        mempolicy::{VmaPolicy, WORDS_MAX},
        mm::{vma_flags, vma_kind, Vma, VmaName, Vmas},
        shmem::Shmem,
        RecordType,
    },
};
use kernel::{prelude::*, rbtree::RBTree};
use zerocopy::FromZeros;

/// Kernel flag, our flag.
const FLAGS: [(u64, u64); 14] = [
    (vm::GROWSDOWN, vma_flags::GROWSDOWN),
    (vm::LOCKED, vma_flags::LOCKED),
    (vm::LOCKONFAULT, vma_flags::LOCK_ONFAULT),
    (vm::NORESERVE, vma_flags::NORESERVE),
    (vm::DROPPABLE, vma_flags::DROPPABLE),
    (vm::HUGEPAGE, vma_flags::HUGEPAGE),
    (vm::NOHUGEPAGE, vma_flags::NOHUGEPAGE),
    (vm::DONTCOPY, vma_flags::DONTFORK),
    (vm::WIPEONFORK, vma_flags::WIPEONFORK),
    (vm::DONTDUMP, vma_flags::DONTDUMP),
    (vm::MERGEABLE, vma_flags::MERGEABLE),
    (vm::SEQ_READ, vma_flags::SEQUENTIAL),
    (vm::RAND_READ, vma_flags::RANDOM),
    (vm::SEALED, vma_flags::SEALED),
];

/// Our flag, advice of madvise(2) that sets it.
const ADVICE: [(u64, u32); 8] = [
    (vma_flags::HUGEPAGE, nr::MADV_HUGEPAGE),
    (vma_flags::NOHUGEPAGE, nr::MADV_NOHUGEPAGE),
    (vma_flags::DONTFORK, nr::MADV_DONTFORK),
    (vma_flags::WIPEONFORK, nr::MADV_WIPEONFORK),
    (vma_flags::DONTDUMP, nr::MADV_DONTDUMP),
    (vma_flags::MERGEABLE, nr::MADV_MERGEABLE),
    (vma_flags::SEQUENTIAL, nr::MADV_SEQUENTIAL),
    (vma_flags::RANDOM, nr::MADV_RANDOM),
];

fn is_vdso(area: &Area) -> bool {
    area.special
        .as_ref()
        .is_some_and(|(name, n)| name[..*n] == *b"[vdso]" || name[..*n].starts_with(b"[vvar"))
}

/// Whether it is memory that a driver manages.
pub(super) fn is_of_device(area: &Area) -> bool {
    area.huge_shift == 0 && area.flags & (vm::PFNMAP | vm::MIXEDMAP | vm::IO | vm::DONTEXPAND) != 0
}

/// Whether it is memory that `mmap(MAP_SHARED | MAP_ANONYMOUS)` made.
fn is_shared_anon(area: &Area) -> Result<bool> {
    let Some(file) = area.file.as_ref().filter(|_| area.flags & vm::SHARED != 0) else {
        return Ok(false);
    };
    if !area.shmem {
        return Ok(file.is_anon_huge());
    }
    let mut name = PathBuf::new()?;
    file.print_any(&mut name)?;
    Ok(name.as_bytes() == b"/dev/zero (deleted)" && !file.is_unlinked())
}

/// Whether it is memory that `mmap(MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB)` made.
fn is_private_huge(area: &Area) -> bool {
    is_private(area) && area.file.as_ref().is_some_and(File::is_anon_huge)
}

/// A shared mapping of a file opened for reading only has no VM_SHARED.
fn is_private(area: &Area) -> bool {
    area.flags & (vm::SHARED | vm::MAYSHARE) == 0
}

/// Address of the vdso text, and of the lowest of its mappings.
pub(super) fn vdso_place(areas: &[Area], vdso: u64) -> (u64, u64) {
    let lowest = areas.iter().filter(|a| is_vdso(a)).map(|a| a.start).min();
    match lowest {
        Some(vvar) => (vdso, vvar),
        None => (0, 0),
    }
}

/// Mappings of shared memory by the target: when all have been counted, nobody else may have one.
pub(crate) struct Mappings(RBTree<usize, Mapped>);

struct Mapped {
    file: File,
    count: usize,
    ids: (i32, i32),
}

impl Mapped {
    /// Whether somebody else has it. While the target runs, forks and exits hold references that no count can follow: then it is
    /// asked whose the mappings are, too.
    fn is_shared(&self, whole: &Whole<'_>) -> bool {
        let root = &whole.root;
        let below = root.scope != Extent::Process;
        let top = root.above.as_ref().unwrap_or(&root.leader);
        // Each mapping holds one reference, and we another one.
        self.file.references() > self.count + 1
            && (whole.stopped_ns != 0 || self.file.is_mapped_outside(top, below, whole.inside()))
    }
}

impl Mappings {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self(RBTree::new())
    }

    fn count(&mut self, area: &Area, leader: &Task) -> Result {
        let Some(file) = &area.file else { return Ok(()) };
        if let Some(m) = self.0.get_mut(&file.address()) {
            m.count += 1;
            return Ok(());
        }
        if !is_shared_anon(area)? {
            return Ok(());
        }
        let mapped = Mapped {
            file: file.clone(),
            count: 1,
            ids: (leader.tgid(), leader.tid()),
        };
        self.0
            .try_create_and_insert(file.address(), mapped, GFP_KERNEL_ACCOUNT)?;
        Ok(())
    }

    /// Names what others have, too. Who looks at a file (khugepaged) has it for a moment.
    pub(super) fn check(&self, whole: &Whole<'_>, obstacles: &mut dyn Obstacles) -> Result {
        let mut shared: KVVec<&Mapped> = KVVec::new();
        for m in self.0.values().filter(|m| m.is_shared(whole)) {
            shared.push(m, GFP_KERNEL_ACCOUNT)?;
        }
        for _ in 0..20 {
            if shared.is_empty() || fatal_signal_pending() {
                break;
            }
            sleep_killable(4);
            shared.retain(|m| m.is_shared(whole));
        }
        for m in shared {
            obstacles.add(
                Fault::new(
                    EOPNOTSUPP,
                    format_args!("anonymous memory is shared with a process outside of the target"),
                )
                .kind(RecordType::Shmem)
                .task(m.ids.0, m.ids.1),
            );
        }
        Ok(())
    }
}

pub(super) fn check(target: &Target<'_>, obstacles: &mut dyn Obstacles) -> Result {
    let (areas, contexts) = aio::settled(target)?;
    aio::check(target, &contexts, &areas, obstacles);
    let mut last = None;
    for area in areas.iter().filter(|area| !contexts.have_ring(area)) {
        target.whole.mappings.borrow_mut().count(area, target.leader)?;
        if let Some((id, ns)) = area.file.as_ref().and_then(attached) {
            target.whole.segments.borrow_mut().count(target, id, ns, area.start)?;
        } else if let Some(file) = &area.file {
            count_mapped(target, file)?;
        }
        // Parts of one file stand side by side: once is enough.
        let file = area.file.as_ref().map(File::address);
        let repeated = file.is_some() && file == last && area.flags & !vm::ORDINARY == 0;
        last = file;
        if repeated {
            continue;
        }
        if let Err(fault) = check_area(target, area) {
            if fault.errno() != EOPNOTSUPP {
                return Err(fault.address(area.start));
            }
            let fault = fault.address(area.start).kind(RecordType::Vma);
            let Some(file) = &area.file else {
                obstacles.add(fault);
                continue;
            };
            match target.whole.decisions.decide(target.leader, file, fault) {
                Ok(decided) => obstacles.warn(decided),
                Err(fault) => obstacles.add(fault),
            }
        }
    }
    Ok(())
}

fn check_area(target: &Target<'_>, area: &Area) -> Result {
    let refuse = |what: &str| Err(Fault::new(EOPNOTSUPP, format_args!("{what} cannot be saved")));
    if is_vdso(area) {
        return Ok(());
    }
    if let Some((name, n)) = &area.special {
        return Err(Fault::new(
            EOPNOTSUPP,
            format_args!(
                "special mapping {} cannot be saved",
                core::str::from_utf8(&name[..*n]).unwrap_or("?")
            ),
        ));
    }
    if area.huge_shift != 0 && area.file.as_ref().and_then(attached).is_some() {
        return refuse("memory of hugetlbfs (SHM_HUGETLB)");
    }
    let ring = area.file.as_ref().and_then(Uring::of);
    if let Some(what) = ring
        .as_ref()
        .map_or(Ok(None), |ring| check_ring_mapping(ring, area, target.mm))?
    {
        return refuse(what);
    }
    if is_of_device(area) && ring.is_none() {
        return match &area.file {
            Some(file) => Err(refuse_device(file, "memory of a device")),
            None => refuse("memory of a device"),
        };
    }
    if area.userfaultfd {
        return refuse("memory watched by a userfaultfd");
    }
    if area.shared_policy {
        return refuse("a NUMA memory policy of shared memory");
    }
    let known = FLAGS.iter().fold(
        vm::READ | vm::WRITE | vm::EXEC | vm::SHARED | vm::IGNORED | vm::MAYBE_GUARD,
        |sum, (kernel, _)| sum | kernel,
    );
    // Those of a ring come with its pages, and of huge pages with their size.
    let implied = if ring.is_some() {
        vm::MIXEDMAP | vm::DONTEXPAND
    } else if area.huge_shift != 0 {
        vm::HUGETLB | vm::DONTEXPAND
    } else {
        0
    };
    if area.flags & !(known | implied) != 0 {
        return Err(Fault::new(
            EOPNOTSUPP,
            format_args!(
                "a mapping with kernel flags {:#x} (protection key, shadow stack or the like) cannot be saved",
                area.flags & !known
            ),
        ));
    }
    let Some(file) = &area.file else {
        return Ok(());
    };
    if is_shared_anon(area)? || is_private_huge(area) || attached(file).is_some() {
        return Ok(());
    }
    let written = vm::SHARED | vm::MAYWRITE;
    if area.flags & written == written && is_sealed_for_writers(file) {
        return refuse("memory that may be written although its memfd is sealed (F_SEAL_FUTURE_WRITE)");
    }
    check_mapped(target, file)
}

/// The entries of the statefile; files and shared memory behind them are written on the way.
pub(super) fn entries(
    target: &Target<'_>,
    areas: &[Area],
    contexts: &aio::Contexts,
    dump: &mut Dump<'_>,
) -> Result<KVVec<Vma>> {
    let mut out = KVVec::with_capacity(areas.len(), GFP_KERNEL_ACCOUNT)?;
    for area in areas {
        let mut v = Vma::new_zeroed();
        v.start = area.start;
        v.end = area.end;
        v.prot = [(vm::READ, prot::READ), (vm::WRITE, prot::WRITE), (vm::EXEC, prot::EXEC)]
            .iter()
            .fold(0, |sum, (k, p)| if area.flags & k != 0 { sum | p } else { sum });
        let decided = area.file.as_ref().and_then(|file| target.whole.decisions.of(file));
        if is_vdso(area) {
            v.kind = vma_kind::SPECIAL;
        } else if matches!(decided, Some(Action::Close | Action::Kill)) {
            (v.kind, v.prot, v.flags) = (vma_kind::ANON, 0, vma_flags::NORESERVE);
        } else {
            v.flags = FLAGS
                .iter()
                .fold(0, |sum, (k, f)| if area.flags & k != 0 { sum | f } else { sum });
            v.page_shift = area.huge_shift;
            let private = is_private(area);
            if private && area.flags & vm::ACCOUNT != 0 && area.flags & vm::WRITE == 0 {
                v.flags |= vma_flags::CHARGED;
            }
            if contexts.have_ring(area) {
                // The kernel does not let go a ring to a child.
                v.flags &= !vma_flags::DONTFORK;
                v.kind = vma_kind::AIO;
            } else if let Some(file) = &area.file {
                v.offset = area.offset;
                if is_private_huge(area) {
                    v.kind = vma_kind::HUGE;
                    v.objref = dump_shmem(file, area, dump)?;
                } else if is_shared_anon(area)? {
                    v.kind = vma_kind::SHMEM;
                    v.objref = dump_shmem(file, area, dump)?;
                } else if let Some((id, _)) = attached(file) {
                    v.kind = vma_kind::SYSV;
                    v.objref = dump_segment(target, id, dump).map_err(|f| f.address(area.start))?;
                    if !file.is_writable() {
                        v.flags |= vma_flags::ATTACHED_READ_ONLY;
                    }
                } else {
                    v.kind = if private {
                        vma_kind::FILE_PRIVATE
                    } else {
                        vma_kind::FILE_SHARED
                    };
                    v.objref = dump_file(target, file, 1, dump).map_err(|f| f.address(area.start))?;
                }
            } else {
                v.kind = vma_kind::ANON;
            }
        }
        out.push(v, GFP_KERNEL_ACCOUNT)?;
    }
    Ok(out)
}

/// Writes a shared memory object and its contents when first met.
fn dump_shmem(file: &File, area: &Area, dump: &mut Dump<'_>) -> Result<u32> {
    if let Some(objref) = dump.seen.get(file.address()) {
        return Ok(objref);
    }
    let objref = dump.seen.add(file.address(), Keeper::File(file.clone()))?;
    let size = file.stat()?.size;
    dump.out.record(&Shmem {
        objref,
        noreserve: u16::from(area.flags & vm::NORESERVE != 0 && area.huge_shift == 0),
        page_shift: area.huge_shift as u16,
        size,
    })?;
    if area.huge_shift == 0 {
        dump_shmem_pages(file, objref, size, dump.out)?;
    } else {
        dump_huge_pages(file, objref, size, dump.out)?;
    }
    Ok(objref)
}

const SEEK_DATA: i32 = 3;
const SEEK_HOLE: i32 = 4;

/// Only what is there: holes stay holes.
pub(crate) fn dump_shmem_pages(file: &File, objref: u32, size: u64, out: &mut Writer) -> Result {
    let mut batch = Batch::new(1024, 1024)?;
    let mut at = 0i64;
    while (at as u64) < size {
        let start = match file.seek(at, SEEK_DATA) {
            Ok(start) => start,
            // Nothing but a hole up to the end.
            Err(e) if e == ENXIO => break,
            Err(e) => return Err(e.into()),
        };
        let end = file.seek(start, SEEK_HOLE)?;
        let mut index = start as u64 / 4096;
        let last = (end as u64).div_ceil(4096);
        while index < last {
            let next = batch
                .add_shmem(file, index, last)
                .context(format_args!("cannot read shared memory"))?;
            if next < last {
                out.batch(objref, &mut batch)?;
                batch.clear();
            }
            index = next;
        }
        at = end;
    }
    if !batch.is_empty() {
        out.batch(objref, &mut batch)?;
    }
    Ok(())
}

/// The same for a file of hugetlbfs, which knows no SEEK_HOLE.
fn dump_huge_pages(file: &File, objref: u32, size: u64, out: &mut Writer) -> Result {
    // A restart maps what one record tells of: that lies side by side.
    let mut batch = Batch::new(1024, 1)?;
    let mut at = 0;
    while at < size {
        at = match batch
            .walk_huge_file(file, at, size)
            .context(format_args!("cannot read huge pages"))?
        {
            Walked::Done => size,
            Walked::Full(next) => next,
        };
        if !batch.is_empty() {
            out.batch(objref, &mut batch)?;
            batch.clear();
        }
    }
    Ok(())
}

/// Entries of one record.
const ENTRIES: usize = 4096;

pub(super) fn dump_mappings(entries: &[Vma], dump: &mut Dump<'_>) -> Result {
    for lot in entries.chunks(ENTRIES) {
        let fixed = Vmas {
            count: lot.len() as u32,
            reserved: 0,
        };
        dump.out.record_with(&fixed, lot)?;
    }
    Ok(())
}

/// Names and policies.
pub(super) fn dump_attributes(areas: &[Area], dump: &mut Dump<'_>) -> Result {
    for area in areas {
        if let Some((name, n)) = &area.name {
            let fixed = VmaName {
                start: area.start,
                end: area.end,
            };
            dump.out.record_with(&fixed, &name[..*n])?;
        }
    }
    for area in areas {
        if let Some(policy) = &area.policy {
            let nodes = nodes(policy);
            let fixed = VmaPolicy {
                start: area.start,
                end: area.end,
                mode: policy.mode,
                words: nodes.len() as u32,
                home_node: policy.home_node,
                reserved: 0,
            };
            dump.out.record_with(&fixed, nodes)?;
        }
    }
    Ok(())
}

pub(super) fn restore(restore: &mut Restore<'_>) -> Result {
    let fixed: Vmas = restore.input.fixed()?;
    let Some(building) = restore.late.mm.as_mut().filter(|b| !b.done) else {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("mapping outside of an address space")));
    };
    if building.vmas.len() as u64 + u64::from(fixed.count) > u64::from(building.fields.vmas) {
        return Err(restore.input.bad(EBADMSG, format_args!("more mappings than announced")));
    }
    for v in restore.input.entries::<Vma>(fixed.count)? {
        let bad = v.start >= v.end
            || v.end > task_size()
            || (v.start | v.end | v.offset) % 4096 != 0
            || v.flags & !vma_flags::ALL != 0
            || v.prot & !(prot::READ | prot::WRITE | prot::EXEC) != 0
            || !has_sound_pages(&v)
            || building.vmas.last().is_some_and(|last| last.end > v.start);
        if bad {
            return Err(restore
                .input
                .bad(EBADMSG, format_args!("wrong values in a mapping"))
                .address(v.start));
        }
        let object = match v.kind {
            vma_kind::ANON | vma_kind::SPECIAL | vma_kind::AIO => None,
            _ => Some(restore.made.get(v.objref).ok_or_else(|| {
                restore.input.bad(
                    EBADMSG,
                    format_args!("mapping of object {}, which is not there", v.objref),
                )
            })?),
        };
        building.rings += u32::from(v.kind == vma_kind::AIO);
        let merge_any = building.merges_any();
        restore_area(restore.me, &v, object, restore.flags, merge_any).map_err(|f| f.address(v.start))?;
        building.vmas.push(v, GFP_KERNEL_ACCOUNT)?;
        if let Some(segment) = is_part(&v, object) {
            check_part(&v, segment)
                .map_err(|text| restore.input.bad(EBADMSG, format_args!("{text}")).address(v.start))?;
            building.parts.push(v, GFP_KERNEL_ACCOUNT)?;
        }
    }
    if building.vmas.len() == building.fields.vmas as usize {
        let merge_any = building.merges_any();
        let parts = core::mem::take(&mut building.parts);
        place_parts(restore.me, parts, restore.made, merge_any)?;
    }
    Ok(())
}

/// Whether the size of its huge pages, if it has them, is one that its place allows. That it is the size of those of its object is looked
/// at later.
fn has_sound_pages(v: &Vma) -> bool {
    match v.page_shift {
        0 => v.kind != vma_kind::HUGE,
        shift => {
            let aligned = (v.start | v.end | v.offset).trailing_zeros() >= shift;
            let without = [vma_kind::ANON, vma_kind::SPECIAL, vma_kind::SYSV, vma_kind::AIO];
            aligned && !without.contains(&v.kind)
        }
    }
}

/// The segment of which a mapping is only a part.
fn is_part<'a>(v: &Vma, object: Option<&'a Object>) -> Option<&'a Segment> {
    match object {
        Some(Object::Segment(s)) if v.offset != 0 || v.end - v.start != s.bytes() => Some(s),
        _ => None,
    }
}

fn check_part(v: &Vma, segment: &Segment) -> core::result::Result<(), &'static str> {
    match v.offset.checked_add(v.end - v.start) {
        Some(end) if end <= segment.bytes() => Ok(()),
        _ => Err("a mapping ends behind the segment"),
    }
}

/// Which attachment a mapping is a part of: segment, address where that begins, whether it is for reading only.
fn attachment(v: &Vma) -> (u32, u64, bool) {
    let read_only = v.flags & vma_flags::ATTACHED_READ_ONLY != 0;
    (v.objref, v.start.wrapping_sub(v.offset), read_only)
}

/// Attaches segments of which only parts are mapped: each as a whole, wherever there is room, from where the parts move to their places.
/// There they have been kept free, and so they are of one attachment.
fn place_parts(me: &CurrentTask, parts: KVVec<Vma>, made: &Made, merge_any: bool) -> Result {
    const MREMAP_MAYMOVE: u64 = 1;
    const MREMAP_FIXED: u64 = 2;
    let mut sorted: RBTree<((u32, u64, bool), u64), &Vma> = RBTree::new();
    for v in &parts {
        sorted.try_create_and_insert((attachment(v), v.start), v, GFP_KERNEL_ACCOUNT)?;
    }
    // The one that is being taken apart: where it is, and how long.
    let mut whole: Option<((u32, u64, bool), u64, u64)> = None;
    for ((of, _), v) in sorted.iter() {
        let Some(Object::Segment(segment)) = made.get(v.objref) else {
            continue;
        };
        let id = segment.fields.id;
        let from = match whole.take() {
            Some((same, from, _)) if same == *of => from,
            other => {
                drop_rest(me, other)?;
                me.shmat(id, 0, of.2)
                    .context(format_args!("cannot attach shared memory segment {id}"))?
            }
        };
        whole = Some((*of, from, segment.bytes()));
        let len = v.end - v.start;
        let how = MREMAP_MAYMOVE | MREMAP_FIXED;
        me.call(nr::__NR_mremap, &[from + v.offset, len, len, how, v.start])
            .context(format_args!("cannot move a part of shared memory segment {id}"))
            .map_err(|f| f.address(v.start))?;
        protect_attached(me, v)?;
        advise(me, v, merge_any)?;
    }
    drop_rest(me, whole)
}

/// What is left of an attachment where its parts were taken from.
fn drop_rest(me: &CurrentTask, whole: Option<((u32, u64, bool), u64, u64)>) -> Result {
    if let Some((_, from, bytes)) = whole {
        me.call(nr::__NR_munmap, &[from, bytes])?;
    }
    Ok(())
}

/// Gives an attachment the protection that it had got by mprotect(2).
fn protect_attached(me: &CurrentTask, v: &Vma) -> Result {
    let born = if v.flags & vma_flags::ATTACHED_READ_ONLY != 0 {
        prot::READ
    } else {
        prot::READ | prot::WRITE
    };
    protect(me, v, born)
}

/// Gives a mapping that had another protection when it was made the one that it had got by mprotect(2).
pub(super) fn protect(me: &CurrentTask, v: &Vma, born: u32) -> Result {
    if v.prot != born {
        me.call(nr::__NR_mprotect, &[v.start, v.end - v.start, u64::from(v.prot)])
            .context(format_args!("cannot protect memory"))
            .map_err(|f| f.address(v.start))?;
    }
    Ok(())
}

/// Keeps a place free for what is moved there.
fn keep_room(v: &Vma) -> Result {
    let len = v.end - v.start;
    let how = map::PRIVATE | map::ANONYMOUS | map::NORESERVE | map::FIXED_NOREPLACE;
    vm_mmap(None, v.start, len, 0, how, 0).context(format_args!("cannot map {len} bytes"))?;
    Ok(())
}

fn attach(me: &CurrentTask, v: &Vma, segment: &Segment, merge_any: bool) -> Result {
    let len = v.end - v.start;
    if v.offset != 0 || len != segment.bytes() {
        return keep_room(v);
    }
    let (_, _, read_only) = attachment(v);
    let id = segment.fields.id;
    let at = me
        .shmat(id, v.start, read_only)
        .context(format_args!("cannot attach shared memory segment {id}"))?;
    if at != v.start {
        return Err(Fault::new(EBADMSG, format_args!("a segment cannot be attached there")));
    }
    protect_attached(me, v)?;
    advise(me, v, merge_any)
}

/// Attaching and detaching has left its traces in the segments.
pub(super) fn refresh_segments(restore: &Restore<'_>) -> Result {
    let Some(building) = &restore.late.mm else {
        return Ok(());
    };
    let root = PidNs::of(&(restore.task_at)(0).ok_or(ESRCH)?)?;
    let mut last = 0;
    for v in building.vmas.iter().filter(|v| v.kind == vma_kind::SYSV) {
        if v.objref == last {
            continue;
        }
        last = v.objref;
        if let Some(Object::Segment(segment)) = restore.made.get(v.objref) {
            restore.me.set_ipc(IpcKind::Shm, &segment.fields, false, &root)?;
        }
    }
    Ok(())
}

fn restore_area(me: &CurrentTask, v: &Vma, object: Option<&Object>, flags: u32, merge_any: bool) -> Result {
    let (file, kind) = match (v.kind, object) {
        // The kernel has made it already.
        (vma_kind::SPECIAL, None) => return Ok(()),
        (vma_kind::AIO, None) => return keep_room(v),
        (vma_kind::ANON, None) => (None, map::ANONYMOUS),
        (vma_kind::FILE_PRIVATE, Some(Object::File(f, size, mtime_ns))) => {
            let now = f.stat()?;
            if (now.size, now.mtime_ns) != (*size, *mtime_ns) && flags & restart_flags::CHANGED_FILES == 0 {
                let mut name = PathBuf::new()?;
                f.print_any(&mut name)?;
                return Err(Fault::new(
                    ESTALE,
                    format_args!("mapped file {} has changed since it was saved", name.as_str()),
                ));
            }
            (Some(f), 0)
        }
        (vma_kind::FILE_SHARED, Some(Object::File(f, ..))) => (Some(f), map::SHARED),
        (vma_kind::SHMEM, Some(Object::Shmem(f, _))) => (Some(f), map::SHARED),
        (vma_kind::HUGE, Some(Object::Shmem(f, _))) => (Some(f), 0),
        (vma_kind::SYSV, Some(Object::Segment(segment))) => return attach(me, v, segment, merge_any),
        _ => return Err(Fault::new(EBADMSG, format_args!("mapping and object do not fit"))),
    };
    if file.map_or(0, File::huge_shift) != v.page_shift {
        return Err(Fault::new(
            EBADMSG,
            format_args!("a mapping has huge pages of another size than its object"),
        ));
    }
    let droppable = v.flags & vma_flags::DROPPABLE != 0;
    let mut how = kind | map::FIXED_NOREPLACE;
    if droppable {
        how |= map::DROPPABLE;
    } else if how & map::SHARED == 0 {
        how |= map::PRIVATE;
    }
    if v.flags & vma_flags::GROWSDOWN != 0 {
        how |= map::GROWSDOWN;
    }
    if v.flags & vma_flags::NORESERVE != 0 && !droppable {
        how |= map::NORESERVE;
    }
    let first = if how & map::SHARED == 0 && is_written_first(v) {
        v.prot | prot::WRITE
    } else {
        v.prot
    };
    match file.and_then(Uring::of) {
        Some(ring) => place_ring(&ring, v, first, how)?,
        None => {
            let len = v.end - v.start;
            let mapped = vm_mmap(file, v.start, len, first, how, v.offset);
            // What is not reserved now comes page by page.
            let reserved = v.page_shift != 0 && how & map::NORESERVE == 0;
            mapped.map_err(|e| match e {
                ENOMEM if reserved => lacks_huge_pages(len, v.page_shift),
                e => Fault::new(e, format_args!("cannot map {len} bytes")),
            })?;
        }
    }
    advise(me, v, merge_any)
}

/// There are not enough huge pages for so many bytes.
pub(crate) fn lacks_huge_pages(bytes: u64, page_shift: u32) -> Fault {
    let kib = kib(page_shift).max(1);
    let wanted = bytes.div_ceil(kib << 10);
    Fault::new(
        ENOMEM,
        format_args!("not enough huge pages of {kib} KiB are free: {wanted} wanted here"),
    )
}

/// The kernel has said by `errno` that there are no huge pages of this size.
pub(crate) fn no_huge_pages(errno: Error, page_shift: u32) -> Fault {
    let kib = kib(page_shift);
    Fault::new(errno, format_args!("this system has no huge pages of {kib} KiB"))
}

/// A size that is a power of two.
fn kib(shift: u32) -> u64 {
    1u64.checked_shl(shift).unwrap_or(0) >> 10
}

/// Whether a private mapping is made writable, and gets its protection when the contents are in: what has been writable once is charged,
/// and does not merge with what never was; and nothing but the program can write to huge pages that it could not write to.
fn is_written_first(v: &Vma) -> bool {
    v.flags & vma_flags::CHARGED != 0 || v.page_shift != 0
}

pub(super) fn advise(me: &CurrentTask, v: &Vma, merge_any: bool) -> Result {
    let droppable = v.flags & vma_flags::DROPPABLE != 0;
    for (flag, advice) in ADVICE {
        // MAP_DROPPABLE brings its own advice, and refuses to be told.
        let implied = droppable && flag & (vma_flags::WIPEONFORK | vma_flags::DONTDUMP) != 0;
        if v.flags & flag != 0 && !implied {
            me.call(nr::__NR_madvise, &[v.start, v.end - v.start, u64::from(advice)])
                .context(format_args!("cannot give advice {advice}"))?;
        }
    }
    if merge_any && v.flags & vma_flags::MERGEABLE == 0 {
        me.call(
            nr::__NR_madvise,
            &[v.start, v.end - v.start, u64::from(nr::MADV_UNMERGEABLE)],
        )
        .context(format_args!("cannot give advice {}", nr::MADV_UNMERGEABLE))?;
    }
    Ok(())
}

pub(super) fn restore_name(restore: &mut Restore<'_>) -> Result {
    let r: VmaName = restore.input.fixed()?;
    let name = restore.input.variable();
    if name.len() > 79 || name.contains(&0) || r.start > r.end {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in the name of a mapping")));
    }
    let me = restore.me;
    let at = me.put_path(name)?;
    me.call(
        nr::__NR_prctl,
        &[
            u64::from(nr::PR_SET_VMA),
            u64::from(nr::PR_SET_VMA_ANON_NAME),
            r.start,
            r.end - r.start,
            at,
        ],
    )
    .context(format_args!("cannot name a mapping"))
    .map_err(|f| f.address(r.start))?;
    Ok(())
}

pub(super) fn restore_policy(restore: &mut Restore<'_>) -> Result {
    let r: VmaPolicy = restore.input.fixed()?;
    if r.start >= r.end || r.words > WORDS_MAX || r.home_node < -1 || r.reserved != 0 {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in the policy of a mapping")));
    }
    let mut words = KVec::new();
    for w in restore.input.entries::<u64>(r.words)? {
        words.push(w, GFP_KERNEL_ACCOUNT)?;
    }
    let me = restore.me;
    let (at, bits) = put_nodes(me, &words)?;
    let (start, len) = (r.start, r.end - r.start);
    me.call(nr::__NR_mbind, &[start, len, u64::from(r.mode), at, bits, 0])
        .context(format_args!("cannot set NUMA memory policy {:#x}", r.mode))
        .map_err(|f| f.address(start))?;
    if r.home_node >= 0 {
        me.call(nr::__NR_set_mempolicy_home_node, &[start, len, r.home_node as u64, 0])
            .context(format_args!("cannot set home node {}", r.home_node))
            .map_err(|f| f.address(start))?;
    }
    Ok(())
}

/// Protects, locks and seals, when the contents are in.
pub(super) fn finish(me: &CurrentTask, vmas: &[Vma]) -> Result {
    const MLOCK_ONFAULT: u64 = 1;
    for v in vmas {
        let range = [v.start, v.end - v.start];
        // Not before it has contents: the kernel takes the charge back from memory that never had any.
        if is_written_first(v) && v.prot & prot::WRITE == 0 {
            me.call(nr::__NR_mprotect, &[range[0], range[1], u64::from(v.prot)])
                .context(format_args!("cannot protect memory"))
                .map_err(|f| f.address(v.start))?;
        }
        if v.flags & vma_flags::LOCKED != 0 {
            let on_fault = if v.flags & vma_flags::LOCK_ONFAULT != 0 {
                MLOCK_ONFAULT
            } else {
                0
            };
            let locked = me.call(nr::__NR_mlock2, &[range[0], range[1], on_fault]);
            // The lock is set before the memory is populated, which fails where it cannot be read.
            let unreadable = v.prot & prot::READ == 0 && locked == Err(ENOMEM);
            if !unreadable {
                locked
                    .context(format_args!("cannot lock memory"))
                    .map_err(|f| f.address(v.start))?;
            }
        }
        if v.flags & vma_flags::SEALED != 0 {
            me.call(nr::__NR_mseal, &[range[0], range[1], 0])
                .context(format_args!("cannot seal memory"))
                .map_err(|f| f.address(v.start))?;
        }
    }
    Ok(())
}
