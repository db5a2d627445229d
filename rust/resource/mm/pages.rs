// SPDX-License-Identifier: GPL-2.0

//! Contents of memory: the hot path. Pages travel by reference, from the page tables into the statefile and from the
//! statefile straight into fresh pages.
//!
//! Saved: anonymous pages (also of private file mappings, of PROT_NONE memory, and swapped ones), guard regions. Pages that a
//! process and its parent have had in common since fork(2) are written once, and are common again after the restart; but huge pages of
//! hugetlbfs are written for each, who has its own afterwards.
//! Not saved: clean pages of files; contents of MAP_DROPPABLE memory; zero pages, which come back as holes.
//! Shown by: mm/, shmem/, robust/a_thousand_cycles, hostile/values_with_right_checksums.

use super::{
    super::restore_shmem_pages,
    vma::{is_of_device, lacks_huge_pages},
    Dump, Restore,
};
use crate::{
    error::{Context, Fault, Result},
    statefile::Writer,
    wrapper::{
        mm::{available_pages, task_size, vm, Batch, Copied, Mm, Vma as Area, Walked},
        syscall::nr, //
    },
};
use ckpt_uapi::record::mm::{extent_flags, Extent, Pages};
use kernel::prelude::*;

/// Pages of one record: 4 MiB.
const PAGES: usize = 1024;

/// Below this, copying the page tables takes longer than writing the pages.
const SNAPSHOT_PAGES: usize = 4096;

/// Memory as it was when the target stood still.
pub(crate) struct Snapshot {
    mm: Copied,
    ranges: KVVec<(u64, u64)>,
}

/// Writes the contents, or, where it pays, leaves them to [`post_dump`].
///
/// Pages that `parent` has at the same addresses are not written again.
pub(super) fn dump(mm: &Mm, parent: Option<&Mm>, areas: &[Area], dump: &mut Dump<'_>) -> Result {
    let mut ranges = KVVec::new();
    // A copy of the address space lacks these.
    let mut not_copied = KVVec::new();
    for area in areas {
        // A driver's memory is there by the caller's policy only, and without contents.
        let contents = area.has_anon && area.flags & vm::DROPPABLE == 0 && !is_of_device(area);
        if area.special.is_some() || !(contents || area.flags & vm::MAYBE_GUARD != 0) {
            continue;
        }
        if area.flags & (vm::DONTCOPY | vm::WIPEONFORK) != 0 {
            not_copied.push((area.start, area.end), GFP_KERNEL_ACCOUNT)?;
        } else {
            ranges.push((area.start, area.end), GFP_KERNEL_ACCOUNT)?;
        }
    }
    dump_ranges(mm, parent, &not_copied, dump.out)?;
    // The target may write to all of it meanwhile, and each page written to is a page more. Of huge pages there may be none more: the
    // target would die.
    let huge = areas.iter().any(|area| area.huge_shift != 0);
    let worth = !huge && mm.anon_pages() >= SNAPSHOT_PAGES && mm.anon_pages() <= available_pages() / 2;
    if dump.may_snapshot && worth {
        match mm.snapshot() {
            Ok(copy) => {
                *dump.snapshot = Some(Snapshot { mm: copy, ranges });
                dump.out.defer();
                return Ok(());
            }
            Err(e) if e == EINTR => return Err(e.into()),
            // No memory for it, or not enough of what may be committed: the target waits.
            Err(_) => {}
        }
    }
    dump_ranges(mm, parent, &ranges, dump.out)
}

/// Writes what was left, while the target runs.
pub(crate) fn post_dump(snapshot: &Snapshot, out: &mut Writer) -> Result {
    dump_ranges(&snapshot.mm, None, &snapshot.ranges, out)
}

fn dump_ranges(mm: &Mm, parent: Option<&Mm>, ranges: &[(u64, u64)], out: &mut Writer) -> Result {
    if ranges.is_empty() {
        return Ok(());
    }
    let mut batch = Batch::new(PAGES, PAGES)?;
    for (start, end) in ranges {
        let mut at = *start;
        loop {
            let walked = batch
                .walk(mm, parent, at, *end)
                .context(format_args!("cannot walk the page tables"))
                .map_err(|f| f.address(at))?;
            match walked {
                Walked::Done => break,
                Walked::Full(next) => {
                    at = next;
                    out.batch(0, &mut batch)?;
                    batch.clear();
                }
            }
        }
    }
    if !batch.is_empty() {
        out.batch(0, &mut batch)?;
    }
    Ok(())
}

pub(super) fn restore(restore: &mut Restore<'_>) -> Result {
    let r: Pages = restore.input.fixed()?;
    if r.objref != 0 {
        let mm = restore.me.task().mm().ok_or(ESRCH)?;
        return restore_shmem_pages(restore, &mm, &r);
    }
    let Some(building) = restore.late.mm.as_mut().filter(|b| !b.done) else {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("pages outside of an address space")));
    };
    // Before the first page: it would give its area another family.
    if let Some(parent) = building.parent.as_ref().filter(|_| !building.inherits) {
        building
            .mm
            .inherit_areas(parent)
            .context(format_args!("cannot share memory with the parent"))?;
        building.inherits = true;
    }
    for e in restore.input.entries::<Extent>(r.extents)? {
        if e.flags & !extent_flags::ALL != 0 {
            return Err(restore
                .input
                .bad(EBADMSG, format_args!("unknown flags of pages"))
                .address(e.address));
        }
        let same = e.flags & extent_flags::SAME != 0;
        if same {
            let end = e.address.checked_add(u64::from(e.pages) << 12);
            let Some(parent) = building.parent.as_ref().filter(|_| {
                e.flags == extent_flags::SAME && e.address % 4096 == 0 && end.is_some_and(|end| end <= task_size())
            }) else {
                return Err(restore
                    .input
                    .bad(EBADMSG, format_args!("pages of a parent that there is not"))
                    .address(e.address));
            };
            building
                .mm
                .inherit(parent, e.address, e.pages)
                .context(format_args!("cannot take over the parent's pages"))
                .map_err(|f| f.address(e.address))?;
        }
        if e.flags & extent_flags::GUARD != 0 {
            restore
                .me
                .call(
                    nr::__NR_madvise,
                    &[e.address, u64::from(e.pages) << 12, u64::from(nr::MADV_GUARD_INSTALL)],
                )
                .context(format_args!("cannot install a guard region"))
                .map_err(|f| f.address(e.address))?;
        }
    }
    let mut last = None;
    let read = restore.input.pages_into(&building.mm, r.extents, |e| {
        let end = e.address.checked_add(u64::from(e.pages) << 12);
        if e.address % 4096 != 0 || end.is_none_or(|end| end > task_size()) {
            return Err(Fault::new(EBADMSG, format_args!("pages at an impossible address")).address(e.address));
        }
        last = Some(*e);
        Ok(e.address)
    });
    read.map_err(|fault| {
        let area = last.and_then(|e| Some((e, building.mapping_of(e.address)?)));
        match area.filter(|(_, v)| v.page_shift != 0 && fault.errno() == EFAULT) {
            // Without a reservation they come page by page.
            Some((e, v)) => lacks_huge_pages(u64::from(e.pages) << 12, v.page_shift).address(e.address),
            None => fault,
        }
    })
}
