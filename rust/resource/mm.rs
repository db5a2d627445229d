// SPDX-License-Identifier: GPL-2.0

//! Address space of a process.
//!
//! Saved: mappings (mm/vma.rs), contents (mm/pages.rs), contexts of asynchronous I/O (mm/aio.rs), brk, command line, environment, auxiliary
//! vector, /proc/PID/exe, coredump filter, dumpable, mlockall(MCL_FUTURE), prctl(PR_SET_THP_DISABLE, PR_SET_MDWE, PR_SET_MEMORY_MERGE),
//! membarrier(2) registrations, vdso and its place.
//! Not saved: statistics and high-water marks.
//! Refused: an address space shared with another process, modify_ldt(2), uprobes.
//! Shown by: mm/, refuse/aio, silent/.
//!
//! Record: [`ckpt_uapi::record::mm`].  C header: `include/linux/mm_types.h`

use super::{
    check_mapped, check_ring_mapping, count_mapped, dump_file, is_sealed_for_writers, nodes, place_ring, put_nodes,
    refuse_device, share, Dump, FrozenTask, Obstacles, Resource, Restore, Scope, Target, Whole,
};
use crate::{
    error::{Context, Fault, Result},
    objects::Object,
    wrapper::{
        mm::{task_size, vm, Mm, MmFlag},
        syscall::nr,
        task::{sleep_killable, Task}, //
    },
};
use ckpt_uapi::{
    record::{
        aio::Aio,
        mempolicy::VmaPolicy,
        mm::{mm_flags, Mm as MmRecord, Pages, Vma, VmaName, Vmas},
        Record, RecordType,
    },
    statefile::HASH_SEED,
};
use kernel::prelude::*;
use zerocopy::FromZeros;

mod aio;
mod pages;
mod vma;

pub(crate) use pages::{post_dump, Snapshot};
pub(crate) use vma::{dump_shmem_pages, lacks_huge_pages, no_huge_pages, Mappings};

pub(crate) struct MmRoom;

/// An address space that is being rebuilt.
pub(crate) struct Building {
    /// The fields, set when all mappings are there.
    fields: MmRecord,
    auxv: KVec<u64>,
    /// The mappings so far.
    vmas: KVVec<Vma>,
    /// The (new) address space.
    mm: Mm,
    /// Rings of asynchronous I/O among them.
    rings: u32,
    /// How many of those are there.
    contexts: u32,
    /// Address and index of the last of them.
    context: Option<(u64, u32)>,
    /// Parts of attached segments for which there is only room so far.
    parts: KVVec<Vma>,
    /// The address space whose pages it shares.
    parent: Option<Mm>,
    /// Its areas have been made children of the parent's.
    inherits: bool,
    /// Position in [`MmRoom::RECORDS`] of the last record.
    order: usize,
    done: bool,
}

impl Building {
    /// Whether its end has been read.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// The mapping that begins at an address.
    fn mapping_at(&self, address: u64) -> Option<&Vma> {
        let at = self.vmas.binary_search_by_key(&address, |v| v.start).ok()?;
        self.vmas.get(at)
    }

    /// The mapping in which an address lies.
    fn mapping_of(&self, address: u64) -> Option<&Vma> {
        let at = self.vmas.partition_point(|v| v.end <= address);
        self.vmas.get(at).filter(|v| v.start <= address)
    }

    /// Whether all of its memory may be merged unless it is told otherwise: prctl(PR_SET_MEMORY_MERGE).
    fn merges_any(&self) -> bool {
        self.fields.flags & mm_flags::MERGE_ANY != 0
    }
}

/// membarrier(2): command that registers, and the bit that the kernel keeps (`MEMBARRIER_STATE_*`).
const MEMBARRIER: [(u32, u32); 4] = [(1 << 2, 1 << 3), (1 << 4, 1 << 1), (1 << 6, 1 << 5), (1 << 8, 1 << 7)];

/// Bits of /proc/PID/coredump_filter (core(5)).
const COREDUMP_FILTER_ALL: u32 = 0x1ff;

/// Longest auxiliary vector in words.
const AUXV_MAX: usize = 128;

impl Resource for MmRoom {
    const RECORDS: &'static [RecordType] = &[
        MmRecord::TYPE,
        Vmas::TYPE,
        // Before what is said about mappings: a ring comes to its place here.
        Aio::TYPE,
        VmaName::TYPE,
        VmaPolicy::TYPE,
        Pages::TYPE,
        RecordType::MmEnd,
    ];
    const SCOPE: Scope = Scope::Process;
    const REPEATS: bool = true;
    const SHARE: u32 = share::MM;

    fn check(target: &Target<'_>, _task: &Task, obstacles: &mut dyn Obstacles) -> Result {
        let mm = target.mm;
        let mut refuse =
            |what: &str| obstacles.add(Fault::new(EOPNOTSUPP, format_args!("{what}")).kind(RecordType::Mm));
        if mm.has_ldt() {
            refuse("it uses a local descriptor table (modify_ldt)");
        }
        if mm.flag(MmFlag::Uprobes) {
            refuse("it is probed (uprobes)");
        }
        if target.whole.stopped_ns != 0 && has_strangers(target) {
            refuse("its address space is shared with a process outside of the target");
        }
        match mm.exe_file() {
            None => refuse("it has no executable file"),
            Some(exe) => match check_mapped(target, &exe) {
                Ok(()) => count_mapped(target, &exe)?,
                Err(fault) if fault.errno() == EOPNOTSUPP => obstacles.add(fault),
                Err(fault) => return Err(fault),
            },
        }
        vma::check(target, obstacles)
    }

    fn check_whole(whole: &Whole<'_>, obstacles: &mut dyn Obstacles) -> Result {
        whole.mappings.borrow().check(whole, obstacles)
    }

    fn dump(target: &Target<'_>, _task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let mm = target.mm;
        let vmas = mm.vmas()?;
        let exe = mm
            .exe_file()
            .ok_or_else(|| Fault::new(ESRCH, format_args!("the address space is gone")))?;
        let exe = dump_file(target, &exe, 1, dump)?;
        let contexts = aio::Contexts::of(mm)?;
        let entries = vma::entries(target, &vmas, &contexts, dump)?;

        let f = mm.fields();
        let auxv = mm.auxv()?;
        let mut r = MmRecord::new_zeroed();
        r.start_code = f.start_code;
        r.end_code = f.end_code;
        r.start_data = f.start_data;
        r.end_data = f.end_data;
        r.start_brk = f.start_brk;
        r.brk = f.brk;
        r.start_stack = f.start_stack;
        r.arg_start = f.arg_start;
        r.arg_end = f.arg_end;
        r.env_start = f.env_start;
        r.env_end = f.env_end;
        (r.vdso, r.vvar) = vma::vdso_place(&vmas, f.vdso);
        if r.vdso != 0 {
            (r.vdso_size, r.vdso_hash) = mm.vdso(HASH_SEED).unwrap_or((0, 0));
        }
        r.exe = exe;
        r.dumpable = target.leader.dumpable();
        if f.def_flags & vm::LOCKED != 0 {
            r.flags |= mm_flags::LOCK_FUTURE;
        }
        if f.def_flags & vm::LOCKONFAULT != 0 {
            r.flags |= mm_flags::LOCK_ONFAULT;
        }
        for (flag, bits) in [
            (MmFlag::ThpDisable, mm_flags::THP_DISABLE),
            (
                MmFlag::ThpDisableExceptAdvised,
                mm_flags::THP_DISABLE | mm_flags::THP_EXCEPT_ADVISED,
            ),
            (MmFlag::Mdwe, mm_flags::MDWE),
            (MmFlag::MdweNoInherit, mm_flags::MDWE_NO_INHERIT),
            (MmFlag::MergeAny, mm_flags::MERGE_ANY),
        ] {
            if mm.flag(flag) {
                r.flags |= bits;
            }
        }
        for (command, state) in MEMBARRIER {
            if f.membarrier & state != 0 {
                r.membarrier |= command;
            }
        }
        r.coredump_filter = mm.coredump_filter();
        let parent = target
            .parent
            .and_then(Task::mm)
            .filter(|p| p.address() != mm.address() && mm.is_related(p));
        r.parent = parent.as_ref().and_then(|p| dump.seen.get(p.address())).unwrap_or(0);
        let parent = parent.filter(|_| r.parent != 0);
        r.vmas = entries.len() as u32;
        r.auxv = auxv.len() as u32;
        dump.out.record_with(&r, &auxv[..])?;
        vma::dump_mappings(&entries, dump)?;
        aio::dump(mm, &contexts, dump)?;
        vma::dump_attributes(&vmas, dump)?;
        pages::dump(mm, parent.as_ref(), &vmas, dump)?;
        dump.out.empty(RecordType::MmEnd)
    }

    fn restore(kind: RecordType, restore: &mut Restore<'_>) -> Result {
        if let Some(building) = &mut restore.late.mm {
            let order = Self::RECORDS.iter().position(|k| *k == kind).unwrap_or(0);
            if building.done || order < building.order {
                return Err(restore.input.bad(EBADMSG, format_args!("record is in the wrong place")));
            }
            building.order = order;
        }
        match kind {
            RecordType::Mm => begin(restore),
            RecordType::Vma => vma::restore(restore),
            RecordType::VmaName => vma::restore_name(restore),
            RecordType::VmaPolicy => vma::restore_policy(restore),
            RecordType::Aio => aio::restore(restore),
            RecordType::Pages => pages::restore(restore),
            _ => finish(restore),
        }
    }
}

/// Whether somebody else than the target's tasks uses the address space. Whoever looks at it (ps) counts for a moment.
fn has_strangers(target: &Target<'_>) -> bool {
    let own = target.whole.users.at(target.mm.address());
    for _ in 0..50 {
        // One reference is ours.
        if target.mm.users() <= own + 1 {
            return false;
        }
        sleep_killable(4);
    }
    true
}

/// Drops the restarter's address space and starts the new one: from here on there is no way back.
fn begin(restore: &mut Restore<'_>) -> Result {
    let fields: MmRecord = restore.input.fixed()?;
    let input = &*restore.input;
    if fields.auxv as usize > AUXV_MAX
        || fields.flags & !mm_flags::ALL != 0
        || fields.dumpable > 2
        || fields.coredump_filter & !COREDUMP_FILTER_ALL != 0
        || fields.vdso % 4096 != 0
        || fields.vvar % 4096 != 0
        || fields.vvar > fields.vdso
        || restore.late.mm.is_some()
    {
        return Err(input.bad(EBADMSG, format_args!("wrong values in an address space record")));
    }
    let mut auxv = KVec::new();
    for word in input.entries::<u64>(fields.auxv)? {
        auxv.push(word, GFP_KERNEL_ACCOUNT)?;
    }
    let me = restore.me;
    let mm = me.task().mm().ok_or(ESRCH)?;
    if fields.vdso != 0 && mm.vdso(HASH_SEED) != Some((fields.vdso_size, fields.vdso_hash)) {
        return Err(input.bad(
            EPROTONOSUPPORT,
            format_args!("the vdso of this kernel is another one: restart on the kernel release that saved"),
        ));
    }

    let parent = match restore.made.get(fields.parent) {
        None if fields.parent == 0 => None,
        Some(Object::Shared(share::MM, owner)) if *owner != *me.task() => Some(owner.mm().ok_or(ESRCH)?),
        _ => {
            return Err(input.bad(
                EBADMSG,
                format_args!("object {} is no other address space", fields.parent),
            ))
        }
    };
    if parent.as_ref().is_some_and(|p| p.address() == mm.address()) {
        return Err(input.bad(EBADMSG, format_args!("an address space is no parent of itself")));
    }
    let Some(exe) = restore.made.file(fields.exe) else {
        return Err(input.bad(EBADMSG, format_args!("object {} is no file", fields.exe)));
    };
    if !exe.may_execute() {
        return Err(Fault::new(
            EACCES,
            format_args!("the restarter may not execute the program's file"),
        ));
    }

    // The kernel looks at the rseq area at every return to user mode: it must be gone before its memory is.
    let (rseq, len, sig) = me.task().registered().rseq;
    if rseq != 0 {
        const RSEQ_FLAG_UNREGISTER: u64 = 1;
        me.call(
            nr::__NR_rseq,
            &[rseq, u64::from(len), RSEQ_FLAG_UNREGISTER, u64::from(sig)],
        )
        .context(format_args!("cannot unregister rseq"))?;
    }
    me.forget_scratch();
    me.call(nr::__NR_munmap, &[0, task_size()])
        .context(format_args!("cannot drop the restarter's memory"))?;
    // Now that nothing is mapped: the kernel refuses while the old one is, and it may be the same.
    mm.replace_exe_file(exe)
        .context(format_args!("cannot set the executable file"))?;

    if fields.vdso != 0 {
        me.call(nr::__NR_arch_prctl, &[u64::from(nr::ARCH_MAP_VDSO_64), fields.vvar])
            .context(format_args!("cannot map the vdso"))?;
        if mm.fields().vdso != fields.vdso {
            return Err(restore
                .input
                .bad(EBADMSG, format_args!("the vdso does not fit at its address"))
                .address(fields.vdso));
        }
    }
    let thp_disable = u64::from(fields.flags & mm_flags::THP_DISABLE != 0);
    let except = if fields.flags & mm_flags::THP_EXCEPT_ADVISED != 0 {
        u64::from(nr::PR_THP_DISABLE_EXCEPT_ADVISED)
    } else {
        0
    };
    me.call(
        nr::__NR_prctl,
        &[u64::from(nr::PR_SET_THP_DISABLE), thp_disable, except, 0, 0],
    )
    .context(format_args!("cannot set PR_SET_THP_DISABLE"))?;
    let merge_any = fields.flags & mm_flags::MERGE_ANY != 0;
    if merge_any != mm.flag(MmFlag::MergeAny) {
        // Before there is a mapping: it is for the new ones, too.
        me.call(
            nr::__NR_prctl,
            &[u64::from(nr::PR_SET_MEMORY_MERGE), u64::from(merge_any), 0, 0, 0],
        )
        .context(format_args!("cannot set PR_SET_MEMORY_MERGE"))?;
    }
    mm.set_coredump_filter(fields.coredump_filter);
    restore.late.dumpable = Some(fields.dumpable);
    restore.late.mm = Some(Building {
        fields,
        auxv,
        vmas: KVVec::new(),
        rings: 0,
        contexts: 0,
        context: None,
        parts: KVVec::new(),
        mm,
        parent,
        inherits: false,
        order: 0,
        done: false,
    });
    Ok(())
}

/// All mappings and contents are there: what remains is what could have stood in their way.
fn finish(restore: &mut Restore<'_>) -> Result {
    restore.input.no_body()?;
    let (me, input) = (restore.me, &*restore.input);
    let Some(building) = restore.late.mm.as_mut().filter(|b| !b.done) else {
        return Err(input.bad(EBADMSG, format_args!("address space ends before it begins")));
    };
    building.done = true;
    let f = &building.fields;
    if building.vmas.len() != f.vmas as usize {
        return Err(input.bad(
            EBADMSG,
            format_args!("{} mappings instead of {}", building.vmas.len(), f.vmas),
        ));
    }
    if building.contexts != building.rings {
        return Err(input.bad(
            EBADMSG,
            format_args!(
                "{} contexts of asynchronous I/O with {} rings",
                building.contexts, building.rings
            ),
        ));
    }
    vma::finish(me, &building.vmas)?;
    vma::refresh_segments(restore)?;
    let (me, input) = (restore.me, &*restore.input);
    let Some(building) = restore.late.mm.as_mut() else {
        return Err(input.bad(EBADMSG, format_args!("address space ends before it begins")));
    };
    let f = &building.fields;

    // struct prctl_mm_map: eleven addresses, the auxiliary vector, and no executable (set below).
    let auxv_at = 4096;
    for (i, word) in building.auxv.iter().enumerate() {
        me.put_at(auxv_at + i * 8, &word.to_ne_bytes())?;
    }
    let auxv_bytes = (building.auxv.len() * 8) as u64;
    let no_exe = u64::from(u32::MAX) << 32;
    let map = [
        f.start_code,
        f.end_code,
        f.start_data,
        f.end_data,
        f.start_brk,
        f.brk,
        f.start_stack,
        f.arg_start,
        f.arg_end,
        f.env_start,
        f.env_end,
        if auxv_bytes == 0 {
            0
        } else {
            me.scratch()? + auxv_at as u64
        },
        auxv_bytes | no_exe,
    ];
    let at = me.put_words(&map)?;
    me.call(
        nr::__NR_prctl,
        &[
            u64::from(nr::PR_SET_MM),
            u64::from(nr::PR_SET_MM_MAP),
            at,
            size_of_val(&map) as u64,
            0,
        ],
    )
    .context(format_args!("cannot set the fields of the address space"))?;

    // Now that everything executable is there.
    let mdwe = |flag: u32, bit: u32| if f.flags & flag != 0 { u64::from(bit) } else { 0 };
    let mdwe =
        mdwe(mm_flags::MDWE, nr::PR_MDWE_REFUSE_EXEC_GAIN) | mdwe(mm_flags::MDWE_NO_INHERIT, nr::PR_MDWE_NO_INHERIT);
    if mdwe != 0 {
        me.call(nr::__NR_prctl, &[u64::from(nr::PR_SET_MDWE), mdwe, 0, 0, 0])
            .context(format_args!("cannot set PR_SET_MDWE"))?;
    }
    for (command, _) in MEMBARRIER {
        if f.membarrier & command != 0 {
            me.call(nr::__NR_membarrier, &[u64::from(command), 0, 0])
                .context(format_args!("cannot register membarrier command {command:#x}"))?;
        }
    }
    const MCL_FUTURE: u32 = 2;
    const MCL_ONFAULT: u32 = 4;
    if f.flags & mm_flags::LOCK_FUTURE != 0 {
        restore.late.lock_future = MCL_FUTURE
            | if f.flags & mm_flags::LOCK_ONFAULT != 0 {
                MCL_ONFAULT
            } else {
                0
            };
    }
    Ok(())
}
