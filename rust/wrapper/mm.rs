// SPDX-License-Identifier: GPL-2.0

//! Address spaces: mappings, page walk, page input and output.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use super::{
    bindings,
    file::File,
    hash::Xxh64,
    to_result, //
};
use core::{mem::ManuallyDrop, ptr::NonNull};
use kernel::prelude::*;

/// Bytes of a page.
pub(crate) const PAGE_SIZE: usize = 4096;

/// An address space with a counted user reference (`mmget`): it keeps its mappings while this lives.
///
/// # Invariants
///
/// `0` is an mm on which this value owns one `mm_users` reference.
pub(crate) struct Mm(NonNull<bindings::mm_struct>);

// SAFETY: references may be dropped in any process context; the accessors lock.
unsafe impl Send for Mm {}
// SAFETY: as above.
unsafe impl Sync for Mm {}

impl Drop for Mm {
    fn drop(&mut self) {
        // SAFETY: owned, by the type's invariant.
        unsafe { bindings::mmput(self.0.as_ptr()) }
    }
}

/// A copy of an address space that nobody runs in. Its page tables are torn down by a kernel thread, since nobody waits for
/// that.
pub(crate) struct Copied(ManuallyDrop<Mm>);

impl core::ops::Deref for Copied {
    type Target = Mm;

    fn deref(&self) -> &Mm {
        &self.0
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        // SAFETY: the reference is owned, and given up here instead of by the drop of `Mm`, which does not happen.
        unsafe { bindings::ckpt_mmput_idle(self.0 .0.as_ptr()) }
    }
}

/// `mmap_lock`, held for reading.
struct MmapRead<'a>(&'a Mm);

impl Drop for MmapRead<'_> {
    fn drop(&mut self) {
        // SAFETY: taken by `Mm::read_lock`.
        unsafe { bindings::ckpt_mmap_read_unlock(self.0 .0.as_ptr()) }
    }
}

/// Plain fields of an mm, with the meaning of prctl(PR_SET_MM_MAP).
#[derive(Default)]
pub(crate) struct Fields {
    pub(crate) start_code: u64,
    pub(crate) end_code: u64,
    pub(crate) start_data: u64,
    pub(crate) end_data: u64,
    pub(crate) start_brk: u64,
    pub(crate) brk: u64,
    pub(crate) start_stack: u64,
    pub(crate) arg_start: u64,
    pub(crate) arg_end: u64,
    pub(crate) env_start: u64,
    pub(crate) env_end: u64,
    /// Address of the vdso text.
    pub(crate) vdso: u64,
    /// membarrier(2) registrations as the kernel keeps them.
    pub(crate) membarrier: u32,
    /// VM_LOCKED, VM_LOCKONFAULT of mlockall(2).
    pub(crate) def_flags: u64,
}

/// One mapping, copied under the lock.
pub(crate) struct Vma {
    /// First address.
    pub(crate) start: u64,
    /// Address after the last byte.
    pub(crate) end: u64,
    /// Offset in bytes; meaningful with a file.
    pub(crate) offset: u64,
    /// VM_* flags.
    pub(crate) flags: u64,
    /// The mapped file.
    pub(crate) file: Option<File>,
    /// Whether it may have anonymous pages.
    pub(crate) has_anon: bool,
    /// Whether the kernel made it (vdso, vvar): it has a name of its own.
    pub(crate) special: Option<([u8; 16], usize)>,
    /// Whether the file lives in shared memory.
    pub(crate) shmem: bool,
    /// Size of its pages as a power of two if they are of hugetlbfs, or 0.
    pub(crate) huge_shift: u32,
    /// Whether a userfaultfd watches it.
    pub(crate) userfaultfd: bool,
    /// NUMA policy of the mapping.
    pub(crate) policy: Option<KBox<Policy>>,
    /// Whether the shared memory behind it has a NUMA policy.
    pub(crate) shared_policy: bool,
    /// Name of anonymous memory.
    pub(crate) name: Option<([u8; 80], usize)>,
}

/// A NUMA policy as mbind(2) takes it: mode, home node, node mask.
pub(crate) type Policy = bindings::ckpt_policy;

/// VM_* flags that the rooms look at.
pub(crate) mod vm {
    use super::bindings as b;
    pub(crate) const READ: u64 = b::VM_READ as u64;
    pub(crate) const WRITE: u64 = b::VM_WRITE as u64;
    pub(crate) const EXEC: u64 = b::VM_EXEC as u64;
    pub(crate) const SHARED: u64 = b::VM_SHARED as u64;
    pub(crate) const MAYSHARE: u64 = b::VM_MAYSHARE as u64;
    pub(crate) const MAYWRITE: u64 = b::VM_MAYWRITE as u64;
    pub(crate) const GROWSDOWN: u64 = b::VM_GROWSDOWN as u64;
    pub(crate) const LOCKED: u64 = b::VM_LOCKED as u64;
    pub(crate) const LOCKONFAULT: u64 = b::VM_LOCKONFAULT as u64;
    pub(crate) const NORESERVE: u64 = b::VM_NORESERVE as u64;
    pub(crate) const DROPPABLE: u64 = b::VM_DROPPABLE as u64;
    pub(crate) const HUGEPAGE: u64 = b::VM_HUGEPAGE as u64;
    pub(crate) const NOHUGEPAGE: u64 = b::VM_NOHUGEPAGE as u64;
    pub(crate) const DONTCOPY: u64 = b::VM_DONTCOPY as u64;
    pub(crate) const WIPEONFORK: u64 = b::VM_WIPEONFORK as u64;
    pub(crate) const DONTDUMP: u64 = b::VM_DONTDUMP as u64;
    pub(crate) const MERGEABLE: u64 = b::VM_MERGEABLE as u64;
    pub(crate) const SEQ_READ: u64 = b::VM_SEQ_READ as u64;
    pub(crate) const RAND_READ: u64 = b::VM_RAND_READ as u64;
    pub(crate) const SEALED: u64 = b::VM_SEALED as u64;
    /// Flags that come from somewhere else than the program's wishes, or that say nothing about contents.
    pub(crate) const IGNORED: u64 =
        (b::VM_MAYREAD | b::VM_MAYWRITE | b::VM_MAYEXEC | b::VM_MAYSHARE | b::VM_ACCOUNT | b::VM_SOFTDIRTY) as u64;
    /// Charged to the limit of committed memory.
    pub(crate) const ACCOUNT: u64 = b::VM_ACCOUNT as u64;
    /// Protection and bookkeeping: a mapping that has nothing else needs no further look.
    pub(crate) const ORDINARY: u64 = READ | WRITE | EXEC | IGNORED;
    /// There may be guard regions.
    pub(crate) const MAYBE_GUARD: u64 = b::VM_MAYBE_GUARD as u64;
    /// Memory of a device; huge pages of hugetlbfs have the last.
    pub(crate) const PFNMAP: u64 = b::VM_PFNMAP as u64;
    pub(crate) const MIXEDMAP: u64 = b::VM_MIXEDMAP as u64;
    pub(crate) const IO: u64 = b::VM_IO as u64;
    pub(crate) const HUGETLB: u64 = b::VM_HUGETLB as u64;
    pub(crate) const DONTEXPAND: u64 = b::VM_DONTEXPAND as u64;
}

/// Protection of a mapping, as mmap(2).
pub(crate) mod prot {
    use super::bindings as b;
    pub(crate) const READ: u32 = b::PROT_READ;
    pub(crate) const WRITE: u32 = b::PROT_WRITE;
    pub(crate) const EXEC: u32 = b::PROT_EXEC;
}

/// Flags of a mapping, as mmap(2).
pub(crate) mod map {
    use super::bindings as b;
    pub(crate) const SHARED: u32 = b::MAP_SHARED;
    pub(crate) const PRIVATE: u32 = b::MAP_PRIVATE;
    pub(crate) const ANONYMOUS: u32 = b::MAP_ANONYMOUS;
    pub(crate) const GROWSDOWN: u32 = b::MAP_GROWSDOWN;
    pub(crate) const NORESERVE: u32 = b::MAP_NORESERVE;
    pub(crate) const DROPPABLE: u32 = b::MAP_DROPPABLE;
    pub(crate) const FIXED_NOREPLACE: u32 = b::MAP_FIXED_NOREPLACE;
    pub(crate) const HUGETLB: u32 = b::MAP_HUGETLB;
    /// Where the size of the pages stands, with [`HUGETLB`].
    pub(crate) const HUGE_SHIFT: u32 = b::MAP_HUGE_SHIFT;
}

/// Flags of an mm that the rooms look at.
#[derive(Clone, Copy)]
pub(crate) enum MmFlag {
    /// prctl(PR_SET_THP_DISABLE).
    ThpDisable,
    /// prctl(PR_SET_THP_DISABLE, PR_THP_DISABLE_EXCEPT_ADVISED).
    ThpDisableExceptAdvised,
    /// prctl(PR_SET_MDWE).
    Mdwe,
    /// prctl(PR_SET_MDWE, PR_MDWE_NO_INHERIT).
    MdweNoInherit,
    /// prctl(PR_SET_MEMORY_MERGE).
    MergeAny,
    /// uprobes.
    Uprobes,
}

impl Mm {
    /// # Safety
    ///
    /// `mm` must be NULL, or carry a user reference that the caller gives away.
    pub(super) unsafe fn from_raw(mm: *mut bindings::mm_struct) -> Option<Self> {
        // INVARIANT: by the contract of this function.
        NonNull::new(mm).map(Self)
    }

    /// The C pointer, for use within the wrapper room.
    pub(super) fn as_ptr(&self) -> *mut bindings::mm_struct {
        self.0.as_ptr()
    }

    fn read_lock(&self) -> MmapRead<'_> {
        // SAFETY: the mm is alive.
        unsafe { bindings::ckpt_mmap_read_lock(self.0.as_ptr()) };
        MmapRead(self)
    }

    /// Address of the kernel object: the same for tasks that share it.
    pub(crate) fn address(&self) -> usize {
        self.0.as_ptr() as usize
    }

    /// Whether it comes from a fork of `other`, or both of one.
    pub(crate) fn is_related(&self, other: &Self) -> bool {
        // SAFETY: both are alive; the helper locks.
        unsafe { bindings::ckpt_is_related(self.0.as_ptr(), other.0.as_ptr()) }
    }

    /// Makes its areas, which have no pages yet, children of those of `parent` at the same addresses.
    pub(crate) fn inherit_areas(&self, parent: &Self) -> Result {
        // SAFETY: both are alive; the helper locks.
        kernel::error::to_result(unsafe { bindings::ckpt_inherit_areas(self.0.as_ptr(), parent.0.as_ptr()) })
    }

    /// Lets it have the pages that `parent` has at an address, copy-on-write, after [`Self::inherit_areas`]. Nobody may run in
    /// either.
    pub(crate) fn inherit(&self, parent: &Self, address: u64, pages: u32) -> Result {
        // SAFETY: both are alive; the helper locks, and a bad address is an error.
        let ret =
            unsafe { bindings::ckpt_inherit(self.0.as_ptr(), parent.0.as_ptr(), address as usize, pages as usize) };
        to_result(ret).map(|_| ())
    }

    /// Number of users: threads, and everybody who looks at it now.
    pub(crate) fn users(&self) -> i32 {
        // SAFETY: the mm is alive; one word.
        unsafe { core::ptr::read_volatile(&raw const (*self.0.as_ptr()).__bindgen_anon_1.mm_users.counter) }
    }

    /// Number of anonymous pages that are present.
    pub(crate) fn anon_pages(&self) -> usize {
        // SAFETY: the mm is alive.
        unsafe { bindings::ckpt_mm_anon_pages(self.0.as_ptr()) }
    }

    /// A copy as fork(2) makes it, sharing all pages copy-on-write: without areas of [`vm::DONTCOPY`], with empty ones for
    /// [`vm::WIPEONFORK`]. Nobody runs in it.
    pub(crate) fn snapshot(&self) -> Result<Copied> {
        // SAFETY: the mm is alive; the helper returns a reference or an error pointer.
        unsafe {
            let mm = kernel::error::from_err_ptr(bindings::ckpt_mm_snapshot(self.0.as_ptr()))?;
            let mm = Self::from_raw(mm).ok_or(ENOMEM)?;
            Ok(Copied(ManuallyDrop::new(mm)))
        }
    }

    /// Plain fields.
    pub(crate) fn fields(&self) -> Fields {
        let _lock = self.read_lock();
        // SAFETY: the mm is alive; words, consistent since the program stands still.
        unsafe {
            let m = &(*self.0.as_ptr()).__bindgen_anon_1;
            Fields {
                start_code: m.start_code as u64,
                end_code: m.end_code as u64,
                start_data: m.start_data as u64,
                end_data: m.end_data as u64,
                start_brk: m.start_brk as u64,
                brk: m.brk as u64,
                start_stack: m.start_stack as u64,
                arg_start: m.arg_start as u64,
                arg_end: m.arg_end as u64,
                env_start: m.env_start as u64,
                env_end: m.env_end as u64,
                vdso: bindings::ckpt_mm_vdso(self.0.as_ptr()) as u64,
                membarrier: m.membarrier_state.counter as u32,
                def_flags: m.__bindgen_anon_2.def_flags as u64,
            }
        }
    }

    /// The auxiliary vector.
    pub(crate) fn auxv(&self) -> Result<KVec<u64>> {
        let mut out = KVec::new();
        // SAFETY: the mm is alive; the array is part of it.
        let auxv = unsafe { &(*self.0.as_ptr()).__bindgen_anon_1.saved_auxv };
        for w in auxv {
            out.push(*w as u64, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(out)
    }

    /// One flag.
    pub(crate) fn flag(&self, flag: MmFlag) -> bool {
        let bit = match flag {
            MmFlag::ThpDisable => bindings::MMF_DISABLE_THP_COMPLETELY,
            MmFlag::ThpDisableExceptAdvised => bindings::MMF_DISABLE_THP_EXCEPT_ADVISED,
            MmFlag::Mdwe => bindings::MMF_HAS_MDWE,
            MmFlag::MdweNoInherit => bindings::MMF_HAS_MDWE_NO_INHERIT,
            MmFlag::MergeAny => bindings::MMF_VM_MERGE_ANY,
            MmFlag::Uprobes => bindings::MMF_HAS_UPROBES,
        };
        // SAFETY: the mm is alive.
        unsafe { bindings::ckpt_mm_flag(self.0.as_ptr(), bit as i32) }
    }

    /// As /proc/PID/coredump_filter.
    pub(crate) fn coredump_filter(&self) -> u32 {
        // SAFETY: the mm is alive.
        unsafe { bindings::ckpt_mm_coredump_filter(self.0.as_ptr()) }
    }

    /// Sets /proc/PID/coredump_filter.
    pub(crate) fn set_coredump_filter(&self, filter: u32) {
        // SAFETY: the mm is alive; the helper sets the bits of the filter and no others.
        unsafe { bindings::ckpt_mm_set_coredump_filter(self.0.as_ptr(), filter) }
    }

    /// Whether modify_ldt(2) was used.
    pub(crate) fn has_ldt(&self) -> bool {
        // SAFETY: the mm is alive.
        unsafe { bindings::ckpt_mm_has_ldt(self.0.as_ptr()) }
    }

    /// The file that /proc/PID/exe names.
    pub(crate) fn exe_file(&self) -> Option<File> {
        // SAFETY: the mm is alive; the function takes a reference.
        unsafe { File::from_raw(bindings::ckpt_get_mm_exe_file(self.0.as_ptr())).ok() }
    }

    /// Sets what /proc/PID/exe names. The mm must be the caller's own, and the old file no longer mapped.
    pub(crate) fn replace_exe_file(&self, file: &File) -> Result {
        // SAFETY: both are alive; the function takes its own reference.
        let ret = unsafe { bindings::ckpt_replace_mm_exe_file(self.0.as_ptr(), file.as_ptr()) };
        kernel::error::to_result(ret)
    }

    /// All mappings, by address.
    pub(crate) fn vmas(&self) -> Result<KVVec<Vma>> {
        let mut out = KVVec::new();
        let _lock = self.read_lock();
        let mut at = 0;
        loop {
            // SAFETY: the mm is alive and locked for reading.
            let v = unsafe { bindings::find_vma(self.0.as_ptr(), at) };
            if v.is_null() {
                return Ok(out);
            }
            // SAFETY: the lock keeps the mapping and what hangs on it.
            let vma = unsafe { Self::copy_vma(v) }?;
            at = vma.end as usize;
            out.push(vma, GFP_KERNEL_ACCOUNT)?;
        }
    }

    /// # Safety
    ///
    /// The mmap lock must be held, and `v` found under it.
    unsafe fn copy_vma(v: *mut bindings::vm_area_struct) -> Result<Vma> {
        // SAFETY: by the contract of this function, everything read here is stable.
        unsafe {
            let area = &(*v).__bindgen_anon_1.__bindgen_anon_1;
            let file = (*v).vm_file;
            let mut special = [0; 16];
            let special = super::copy_c_str(bindings::ckpt_vma_ops_name(v), &mut special).map(|n| (special, n));
            let mut name = [0; 80];
            let name = super::copy_c_str(bindings::ckpt_vma_anon_name(v), &mut name).map(|n| (name, n));
            Ok(Vma {
                start: area.vm_start as u64,
                end: area.vm_end as u64,
                offset: ((*v).vm_pgoff as u64) << 12,
                flags: (*v).__bindgen_anon_2.vm_flags as u64,
                file: if file.is_null() {
                    None
                } else {
                    Some(File::from_raw(bindings::ckpt_get_file(file))?)
                },
                has_anon: !(*v).anon_vma.is_null(),
                special,
                shmem: bindings::ckpt_vma_is_shmem(v),
                huge_shift: bindings::ckpt_vma_huge_shift(v),
                userfaultfd: bindings::ckpt_vma_has_userfaultfd(v),
                policy: {
                    let mut policy = Policy::default();
                    if bindings::ckpt_vma_policy(v, &mut policy) {
                        Some(KBox::new(policy, GFP_KERNEL_ACCOUNT)?)
                    } else {
                        None
                    }
                },
                shared_policy: bindings::ckpt_vma_has_shared_policy(v),
                name,
            })
        }
    }

    /// The file that is mapped at an address.
    pub(crate) fn file_at(&self, address: u64) -> Option<File> {
        let _lock = self.read_lock();
        // SAFETY: the mm is alive and locked for reading, which keeps the mapping and its file; the helper takes a reference.
        unsafe {
            let v = bindings::find_vma(self.0.as_ptr(), address as usize);
            if v.is_null() || (*v).__bindgen_anon_1.__bindgen_anon_1.vm_start as u64 > address {
                return None;
            }
            let file = (*v).vm_file;
            (!file.is_null()).then(|| File::from_raw(bindings::ckpt_get_file(file)).ok())?
        }
    }

    /// The vdso that the kernel gave it: size in bytes and XXH64.
    pub(crate) fn vdso(&self, seed: u64) -> Option<(u64, u64)> {
        let mut size = 0;
        // SAFETY: the mm is alive; the helper returns NULL or a constant of the kernel of `size` bytes.
        unsafe {
            let data = bindings::ckpt_mm_vdso_image(self.0.as_ptr(), &mut size);
            if data.is_null() {
                return None;
            }
            let bytes = core::slice::from_raw_parts(data.cast::<u8>(), size);
            Some((size as u64, super::hash::xxh64(bytes, seed)))
        }
    }
}

/// A run of pages: user address or offset, number of pages, whether it is a guard region.
pub(crate) type Extent = bindings::ckpt_extent;

/// One lot of pages that leaves for the statefile: references to the pages, no copies.
///
/// # Invariants
///
/// The first `walk.bvecs` entries of `bvec` hold one folio reference each.
pub(crate) struct Batch {
    bvec: KVVec<bindings::bio_vec>,
    extents: KVVec<Extent>,
    walk: bindings::ckpt_walk,
}

/// Where a page walk stopped.
pub(crate) enum Walked {
    /// The range is done.
    Done,
    /// The batch is full; go on here.
    Full(u64),
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Batch {
    /// Room for `pages` pages in at most `extents` runs.
    pub(crate) fn new(pages: usize, extents: usize) -> Result<Self> {
        let mut bvec = KVVec::with_capacity(pages, GFP_KERNEL_ACCOUNT)?;
        let mut ext = KVVec::with_capacity(extents, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..pages {
            bvec.push(bindings::bio_vec::default(), GFP_KERNEL_ACCOUNT)?;
        }
        for _ in 0..extents {
            ext.push(Extent::default(), GFP_KERNEL_ACCOUNT)?;
        }
        let walk = bindings::ckpt_walk {
            bvec: bvec.as_mut_ptr(),
            extent: ext.as_mut_ptr(),
            max_bvecs: pages as u32,
            max_extents: extents as u32,
            max_pages: pages as u32,
            ..Default::default()
        };
        Ok(Self {
            bvec,
            extents: ext,
            walk,
        })
    }

    /// Gives the pages back.
    pub(crate) fn clear(&mut self) {
        // SAFETY: that many entries hold a reference, by the type's invariant.
        unsafe { bindings::ckpt_put_bvecs(self.bvec.as_mut_ptr(), self.walk.bvecs) };
        // INVARIANT: no entry holds a reference any more.
        self.walk.bvecs = 0;
        self.walk.extents = 0;
        self.walk.pages = 0;
    }

    /// Adds the anonymous pages of a range that lies in one mapping. Swapped pages are read in. Those that `parent` has at the
    /// same addresses are only named.
    pub(crate) fn walk(&mut self, mm: &Mm, parent: Option<&Mm>, start: u64, end: u64) -> Result<Walked> {
        let mut at = start as usize;
        loop {
            // The parent first, as everywhere where both are locked.
            let _parent_lock = parent.map(Mm::read_lock);
            let _lock = mm.read_lock();
            self.walk.parent = parent.map_or(core::ptr::null_mut(), |p| p.0.as_ptr());
            // SAFETY: the mm is alive and locked; the arrays are as long as `walk` says.
            let ret = unsafe { bindings::ckpt_walk_anon(mm.0.as_ptr(), at, end as usize, &mut self.walk) };
            match to_result(ret as isize)? {
                0 => return Ok(Walked::Done),
                _ if self.walk.fault => {
                    at = self.walk.next;
                    // SAFETY: the mm is alive and locked.
                    to_result(unsafe { bindings::ckpt_fault_in(mm.0.as_ptr(), at) })?;
                }
                _ => return Ok(Walked::Full(self.walk.next as u64)),
            }
            if super::task::fatal_signal_pending() {
                return Err(EINTR);
            }
        }
    }

    /// Adds pages `index..end` of a shared memory object; stops when it is full. The next index.
    pub(crate) fn add_shmem(&mut self, file: &File, mut index: u64, end: u64) -> Result<u64> {
        while index < end && self.walk.pages < self.walk.max_pages {
            let n = self.walk.extents as usize;
            let here = index << 12;
            let grow = n > 0 && {
                let e = &self.extents[n - 1];
                e.address + (u64::from(e.pages) << 12) == here
            };
            if !grow && self.walk.extents == self.walk.max_extents {
                break;
            }
            // SAFETY: the file is a live shmem file, as the caller's kind says.
            let page = unsafe { bindings::ckpt_shmem_page(file.as_ptr(), index as usize) };
            let page = kernel::error::from_err_ptr(page)?;
            let b = self.walk.bvecs as usize;
            self.bvec[b] = bindings::bio_vec {
                bv_page: page,
                bv_len: PAGE_SIZE as u32,
                bv_offset: 0,
            };
            // INVARIANT: the entry holds the reference that the helper took.
            self.walk.bvecs += 1;
            self.walk.pages += 1;
            if grow {
                self.extents[n - 1].pages += 1;
            } else {
                self.extents[n] = Extent {
                    address: here,
                    pages: 1,
                    flags: 0,
                };
                self.walk.extents += 1;
            }
            index += 1;
        }
        Ok(index)
    }

    /// Adds what a file of hugetlbfs has of a range.
    pub(crate) fn walk_huge_file(&mut self, file: &File, start: u64, end: u64) -> Result<Walked> {
        // SAFETY: the file is alive; the arrays are as long as `walk` says.
        let ret = unsafe { bindings::ckpt_walk_huge_file(file.as_ptr(), start, end, &mut self.walk) };
        Ok(match to_result(ret as isize)? {
            0 => Walked::Done,
            _ => Walked::Full(self.walk.next as u64),
        })
    }

    /// Whether nothing was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.walk.extents == 0
    }

    /// The runs.
    pub(crate) fn extents(&self) -> &[Extent] {
        &self.extents[..self.walk.extents as usize]
    }

    /// Number of pages, guard regions not counted.
    pub(crate) fn pages(&self) -> u32 {
        self.walk.pages
    }

    /// Bytes of the pages.
    pub(crate) fn bytes(&self) -> u64 {
        u64::from(self.walk.pages) << 12
    }

    /// Adds the contents to a hash.
    pub(crate) fn hash(&self, hash: &mut Xxh64) {
        for b in &self.bvec[..self.walk.bvecs as usize] {
            // SAFETY: a referenced page of the direct map; the run lies in one folio, so it is contiguous.
            hash.update(unsafe { page_bytes(b) });
        }
    }

    /// Writes the contents at `*pos` (`None`: a stream).
    pub(crate) fn write(&mut self, file: &File, pos: Option<&mut i64>) -> Result {
        let n = self.walk.bvecs as usize;
        let bytes = self.bytes() as usize;
        // `do_bvec` moves over the vector without changing the references it describes.
        do_bvec(file, true, &mut self.bvec[..n], bytes, pos)
    }
}

/// # Safety
///
/// `b` must describe a referenced, physically contiguous run of pages in the direct map.
unsafe fn page_bytes(b: &bindings::bio_vec) -> &[u8] {
    // SAFETY: by the contract of this function.
    unsafe {
        let p = bindings::ckpt_page_address(b.bv_page).cast::<u8>();
        core::slice::from_raw_parts(p.add(b.bv_offset as usize), b.bv_len as usize)
    }
}

/// Reads or writes a whole vector; a short transfer goes on where it stopped.
fn do_bvec(file: &File, write: bool, bvec: &mut [bindings::bio_vec], len: usize, mut pos: Option<&mut i64>) -> Result {
    let mut done = 0;
    let mut first = 0;
    // How far into bvec[first] the transfer has come.
    let mut skip = 0u32;
    while done < len {
        let p = pos.as_deref_mut().map_or(core::ptr::null_mut(), core::ptr::from_mut);
        let rest = &mut bvec[first..];
        let whole = rest[0];
        rest[0].bv_offset += skip;
        rest[0].bv_len -= skip;
        // SAFETY: the file is alive, the vector describes referenced pages of at least `len - done` bytes.
        let n = unsafe { bindings::ckpt_iter_bvec(file.as_ptr(), write, rest.as_mut_ptr(), rest.len(), len - done, p) };
        rest[0] = whole;
        let mut n = to_result(n)?;
        if n == 0 {
            return Err(if write { EIO } else { ENODATA });
        }
        done += n;
        n += skip as usize;
        while first < bvec.len() && n >= bvec[first].bv_len as usize {
            n -= bvec[first].bv_len as usize;
            first += 1;
        }
        skip = n as u32;
    }
    Ok(())
}

/// Buffers for reading pages straight into memory.
pub(crate) struct PageInput {
    pages: KVVec<*mut bindings::page>,
    bvec: KVVec<bindings::bio_vec>,
}

// SAFETY: the pointers are only meaningful inside one call of `read_into`.
unsafe impl Send for PageInput {}

/// Pages that are handled at once.
const LOT: usize = 512;

impl PageInput {
    /// With room for one lot.
    pub(crate) fn new() -> Result<Self> {
        let mut pages = KVVec::with_capacity(LOT, GFP_KERNEL_ACCOUNT)?;
        let mut bvec = KVVec::with_capacity(LOT, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..LOT {
            pages.push(core::ptr::null_mut(), GFP_KERNEL_ACCOUNT)?;
            bvec.push(bindings::bio_vec::default(), GFP_KERNEL_ACCOUNT)?;
        }
        Ok(Self { pages, bvec })
    }

    /// Reads `pages` pages into the memory of `mm` at `address`, and adds them to the hash.
    pub(crate) fn read_into(
        &mut self,
        mm: &Mm,
        mut address: u64,
        mut pages: u32,
        file: &File,
        mut pos: Option<&mut i64>,
        hash: &mut Xxh64,
    ) -> Result {
        while pages > 0 {
            let want = (pages as usize).min(LOT);
            let mut mapped = 0;
            // SAFETY: the mm is alive, the arrays have LOT entries; a bad address is an error.
            let got = unsafe {
                bindings::ckpt_get_bvecs(
                    mm.0.as_ptr(),
                    address as usize,
                    want,
                    self.pages.as_mut_ptr(),
                    self.bvec.as_mut_ptr(),
                    &mut mapped,
                )
            };
            let got = to_result(got)?;
            if got == 0 {
                return Err(EFAULT);
            }
            let bvec = &mut self.bvec[..got];
            let ret = do_bvec(file, false, bvec, got * PAGE_SIZE, pos.as_deref_mut());
            if ret.is_ok() {
                for b in bvec.iter() {
                    // SAFETY: one referenced page each.
                    hash.update(unsafe { page_bytes(b) });
                }
            }
            let (mapped, fresh) = bvec.split_at_mut(mapped);
            // SAFETY: each entry holds a reference, taken above, which is given up. The fresh ones are nobody else's yet, and as
            // a whole have been written to before they get to their places.
            let placed = unsafe {
                bindings::ckpt_put_dirty_bvecs(mapped.as_mut_ptr(), mapped.len() as u32);
                if ret.is_ok() {
                    let at = address as usize + mapped.len() * PAGE_SIZE;
                    bindings::ckpt_place_bvecs(mm.0.as_ptr(), at, fresh.len(), fresh.as_mut_ptr())
                } else {
                    bindings::ckpt_put_bvecs(fresh.as_mut_ptr(), fresh.len() as u32);
                    0
                }
            };
            ret?;
            to_result(placed)?;
            address += (got * PAGE_SIZE) as u64;
            pages -= got as u32;
            if super::task::fatal_signal_pending() {
                return Err(EINTR);
            }
        }
        Ok(())
    }
}

/// Maps a file (or anonymous memory) in the caller's address space, as mmap(2) does for the caller.
pub(crate) fn vm_mmap(file: Option<&File>, address: u64, len: u64, prot: u32, flags: u32, offset: u64) -> Result<u64> {
    let file = file.map_or(core::ptr::null_mut(), File::as_ptr);
    // SAFETY: NULL or a live file; all values are checked as those of mmap(2).
    let got = unsafe {
        bindings::vm_mmap(
            file,
            address as usize,
            len as usize,
            prot as usize,
            flags as usize,
            offset as usize,
        )
    };
    to_result(got as isize).map(|a| a as u64)
}

/// Pages that could be had without swapping.
pub(crate) fn available_pages() -> usize {
    // SAFETY: no preconditions.
    unsafe { bindings::ckpt_available_pages() }
}

/// One address after the last one that user space may use.
pub(crate) fn task_size() -> u64 {
    // SAFETY: no preconditions.
    unsafe { bindings::ckpt_task_size_max() as u64 }
}
