// SPDX-License-Identifier: GPL-2.0

#include <asm/vdso.h>
#include <linux/bvec.h>
#include <linux/highmem.h>
#include <linux/hugetlb.h>
#include <linux/kthread.h>
#include <linux/leafops.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/mmap_lock.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/oom.h>
#include <linux/pagemap.h>
#include <linux/pagewalk.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/shmem_fs.h>
#include <linux/swap.h>
#include <linux/userfaultfd_k.h>

#include "helpers.h"
#include "symbol.h"

void ckpt_mmap_read_lock(struct mm_struct *mm)
{
	mmap_read_lock(mm);
}

void ckpt_mmap_read_unlock(struct mm_struct *mm)
{
	mmap_read_unlock(mm);
}

bool ckpt_mm_flag(struct mm_struct *mm, int bit)
{
	return mm_flags_test(bit, mm);
}

u32 ckpt_mm_coredump_filter(struct mm_struct *mm)
{
	u32 filter = 0;
	int i;

	for (i = 0; i < MMF_DUMP_FILTER_BITS; i++)
		if (mm_flags_test(MMF_DUMP_FILTER_SHIFT + i, mm))
			filter |= 1 << i;
	return filter;
}

void ckpt_mm_set_coredump_filter(struct mm_struct *mm, u32 filter)
{
	int i;

	for (i = 0; i < MMF_DUMP_FILTER_BITS; i++) {
		if (filter & (1 << i))
			mm_flags_set(MMF_DUMP_FILTER_SHIFT + i, mm);
		else
			mm_flags_clear(MMF_DUMP_FILTER_SHIFT + i, mm);
	}
}

/* Pages that could be had without swapping. */
unsigned long ckpt_available_pages(void)
{
	return max(si_mem_available(), 0L);
}

unsigned long ckpt_mm_anon_pages(struct mm_struct *mm)
{
	return get_mm_counter(mm, MM_ANONPAGES);
}

/*
 * A copy of the address space as fork() makes it, sharing all pages copy-on-write; belongs to no task. VM_DONTCOPY areas are
 * missing in it, VM_WIPEONFORK ones are empty. Process context; the pages are charged as by a fork.
 */
struct mm_struct *ckpt_mm_snapshot(struct mm_struct *oldmm)
{
	struct mm_struct *mm = ckpt_mm_alloc();
	int ret;

	if (!mm)
		return ERR_PTR(-ENOMEM);
	ckpt_uprobe_start_dup_mmap();
	ret = ckpt_dup_mmap(mm, oldmm);
	ckpt_uprobe_end_dup_mmap();
	if (ret) {
		mmput(mm);
		return ERR_PTR(ret);
	}
	return mm;
}

static int ckpt_mmput_thread(void *mm)
{
	set_user_nice(current, 10);
	mmput(mm);
	module_put_and_kthread_exit(0);
}

/*
 * mmput() that nobody waits for: behind those who have something to do, but not so far that they would wait for the locks of
 * mappings that both have (anon_vma, i_mmap).
 */
void ckpt_mmput_idle(struct mm_struct *mm)
{
	struct task_struct *t;

	__module_get(THIS_MODULE);
	t = kthread_run(ckpt_mmput_thread, mm, "ckpt_mmput");
	if (IS_ERR(t)) {
		module_put(THIS_MODULE);
		mmput_async(mm);
	}
}

const char *ckpt_vma_anon_name(struct vm_area_struct *vma)
{
	struct anon_vma_name *name = anon_vma_name(vma);

	return name ? name->name : NULL;
}

const char *ckpt_vma_ops_name(struct vm_area_struct *vma)
{
	if (!vma->vm_ops || !vma->vm_ops->name)
		return NULL;
	return vma->vm_ops->name(vma);
}

/* Size of the pages of an area of hugetlbfs, as a power of two; 0 for other areas. */
unsigned int ckpt_vma_huge_shift(struct vm_area_struct *vma)
{
	return is_vm_hugetlb_page(vma) ? huge_page_shift(hstate_vma(vma)) : 0;
}

bool ckpt_vma_has_userfaultfd(struct vm_area_struct *vma)
{
	return vma->vm_userfaultfd_ctx.ctx != NULL;
}

#ifdef CONFIG_NUMA
/* As its user set it: the nodes that were meant, not those that are in use. */
static bool copy_policy(const struct mempolicy *policy, struct ckpt_policy *out)
{
	const nodemask_t *nodes;

	BUILD_BUG_ON(MAX_NUMNODES > CKPT_NODE_WORDS * 64);
	if (!policy)
		return false;
	memset(out, 0, sizeof(*out));
	out->mode = policy->mode | (policy->flags & MPOL_MODE_FLAGS);
	out->home_node = policy->home_node;
	nodes = policy->flags & MPOL_USER_NODEMASK_FLAGS ? &policy->w.user_nodemask : &policy->nodes;
	if (policy->mode != MPOL_LOCAL) {
		bitmap_to_arr64(out->nodes, nodes_addr(*nodes), MAX_NUMNODES);
		out->words = DIV_ROUND_UP(MAX_NUMNODES, 64);
	}
	return true;
}

bool ckpt_vma_policy(struct vm_area_struct *vma, struct ckpt_policy *out)
{
	return copy_policy(vma->vm_policy, out);
}

/* Whether shared memory has a policy of its own, which all who map it have. */
bool ckpt_vma_has_shared_policy(struct vm_area_struct *vma)
{
	return ckpt_vma_is_shmem(vma) && !RB_EMPTY_ROOT(&SHMEM_I(file_inode(vma->vm_file))->policy.root);
}

bool ckpt_task_policy(struct task_struct *t, struct ckpt_policy *out)
{
	bool found;

	task_lock(t);
	found = copy_policy(t->mempolicy, out);
	task_unlock(t);
	return found;
}
#else
bool ckpt_vma_policy(struct vm_area_struct *vma, struct ckpt_policy *out)
{
	return false;
}

bool ckpt_vma_has_shared_policy(struct vm_area_struct *vma)
{
	return false;
}

bool ckpt_task_policy(struct task_struct *t, struct ckpt_policy *out)
{
	return false;
}
#endif

unsigned long ckpt_task_size_max(void)
{
	return TASK_SIZE_MAX;
}

bool ckpt_mm_has_ldt(struct mm_struct *mm)
{
	return mm->context.ldt != NULL;
}

unsigned long ckpt_mm_vdso(struct mm_struct *mm)
{
	return (unsigned long)mm->context.vdso;
}

const void *ckpt_mm_vdso_image(struct mm_struct *mm, size_t *size)
{
	const struct vdso_image *image = mm->context.vdso_image;

	if (!image)
		return NULL;
	*size = image->size;
	return image->data;
}

void *ckpt_page_address(struct page *page)
{
	return page_address(page);
}

void ckpt_put_page(struct page *page)
{
	put_page(page);
}

/* Adds a run of pages of one folio; false when the batch is full. */
static bool ckpt_walk_add(struct ckpt_walk *w, unsigned long addr, struct page *page, unsigned int pages)
{
	struct bio_vec *last = w->bvecs ? &w->bvec[w->bvecs - 1] : NULL;
	struct ckpt_extent *ext = w->extents ? &w->extent[w->extents - 1] : NULL;
	bool grow_bvec, grow_ext;

	if (w->pages + pages > w->max_pages)
		return false;
	grow_bvec = last && page_folio(last->bv_page) == page_folio(page) &&
		    page_address(last->bv_page) + last->bv_offset + last->bv_len == page_address(page);
	grow_ext = ext && !ext->flags && ext->address + ((u64)ext->pages << PAGE_SHIFT) == addr;
	if ((!grow_bvec && w->bvecs == w->max_bvecs) || (!grow_ext && w->extents == w->max_extents))
		return false;

	if (grow_bvec) {
		last->bv_len += pages << PAGE_SHIFT;
	} else {
		/* One reference for the whole run: it stays within one folio. */
		folio_get(page_folio(page));
		bvec_set_page(&w->bvec[w->bvecs++], page, pages << PAGE_SHIFT, 0);
	}
	if (grow_ext) {
		ext->pages += pages;
	} else {
		w->extent[w->extents].address = addr;
		w->extent[w->extents].pages = pages;
		w->extent[w->extents++].flags = 0;
	}
	w->pages += pages;
	return true;
}

/* Adds a run that is only named: there is nothing to be written. */
static bool ckpt_walk_name(struct ckpt_walk *w, unsigned long addr, unsigned int pages, unsigned int flag)
{
	struct ckpt_extent *ext = w->extents ? &w->extent[w->extents - 1] : NULL;

	if (ext && ext->flags == flag && ext->address + ((u64)ext->pages << PAGE_SHIFT) == addr) {
		ext->pages += pages;
		return true;
	}
	if (w->extents == w->max_extents)
		return false;
	w->extent[w->extents].address = addr;
	w->extent[w->extents].pages = pages;
	w->extent[w->extents++].flags = flag;
	return true;
}

/* As mm_find_pmd(), which takes a page of 1 GiB for a page table. */
static pmd_t *find_pmd(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud;

	if (!pgd_present(*pgd))
		return NULL;
	p4d = p4d_offset(pgd, addr);
	if (!p4d_present(*p4d) || p4d_leaf(*p4d))
		return NULL;
	pud = pud_offset(p4d, addr);
	if (!pud_present(*pud) || pud_leaf(*pud))
		return NULL;
	return pmd_offset(pud, addr);
}

/* Whether a page that may be shared by fork is the one that the parent has at the same address. */
static bool ckpt_walk_is_same(struct ckpt_walk *w, unsigned long addr, struct page *page)
{
	bool same = false;
	spinlock_t *ptl;
	pmd_t *pmd, huge;
	pte_t *pte;

	if (!w->parent)
		return false;
	pmd = find_pmd(w->parent, addr);
	if (!pmd)
		return false;
	huge = pmdp_get(pmd);
	if (pmd_is_huge(huge))
		return pmd_present(huge) && pmd_page(huge) + ((addr & ~PMD_MASK) >> PAGE_SHIFT) == page;
	/* Inside the lock of the child's page table. Nobody takes two of them the other way round. */
	pte = ckpt_pte_offset_map_lock(w->parent, pmd, addr, &ptl);
	if (pte) {
		pte_t ptent = ptep_get(pte);

		same = pte_present(ptent) && pte_pfn(ptent) == page_to_pfn(page);
		pte_unmap_unlock(pte, ptl);
	}
	return same;
}

enum { CKPT_WALK_STOP = 1 };

/* Adds the pages of [addr, end), which are of one folio and begin with @page, as far as there is room. */
static int ckpt_walk_add_run(struct ckpt_walk *w, unsigned long addr, unsigned long end, struct page *page)
{
	while (addr < end) {
		unsigned int room = w->max_pages - w->pages;
		unsigned int pages = min_t(unsigned long, (end - addr) >> PAGE_SHIFT, room);

		if (!pages || !ckpt_walk_add(w, addr, page, pages)) {
			w->next = addr;
			return CKPT_WALK_STOP;
		}
		addr += (unsigned long)pages << PAGE_SHIFT;
		page += pages;
	}
	return 0;
}

static int ckpt_walk_pmd(pmd_t *pmd, unsigned long addr, unsigned long end, struct mm_walk *walk)
{
	struct ckpt_walk *w = walk->private;
	struct vm_area_struct *vma = walk->vma;
	spinlock_t *ptl;
	pte_t *start, *pte;
	int ret = 0;

	/* pmd_trans_huge_lock(), whose inline half calls what is not exported. */
	ptl = pmd_is_huge(*pmd) ? ckpt___pmd_trans_huge_lock(pmd, vma) : NULL;
	if (ptl) {
		if (pmd_present(*pmd)) {
			struct page *page = ckpt_vm_normal_page_pmd(vma, addr, *pmd);

			if (page && PageAnon(page)) {
				bool shared = !PageAnonExclusive(page);

				page += (addr & ~PMD_MASK) >> PAGE_SHIFT;
				if (shared && ckpt_walk_is_same(w, addr, page)) {
					if (!ckpt_walk_name(w, addr, (end - addr) >> PAGE_SHIFT, CKPT_EXTENT_SAME)) {
						w->next = addr;
						ret = CKPT_WALK_STOP;
					}
					addr = end;
				}
				if (!ret)
					ret = ckpt_walk_add_run(w, addr, end, page);
			}
		} else {
			/* Being migrated: the caller faults it in, which waits. */
			w->next = addr;
			w->fault = true;
			ret = CKPT_WALK_STOP;
		}
		spin_unlock(ptl);
		return ret;
	}

	start = pte = ckpt_pte_offset_map_lock(walk->mm, pmd, addr, &ptl);
	if (!pte) {
		walk->action = ACTION_AGAIN;
		return 0;
	}
	for (; addr < end; addr += PAGE_SIZE, pte++) {
		pte_t ptent = ptep_get(pte);

		if (pte_none(ptent))
			continue;
		if (pte_present(ptent)) {
			struct page *page = ckpt_vm_normal_page(vma, addr, ptent);

			if (!page || !PageAnon(page))
				continue;
			if (!PageAnonExclusive(page) && ckpt_walk_is_same(w, addr, page)) {
				if (ckpt_walk_name(w, addr, 1, CKPT_EXTENT_SAME))
					continue;
			} else if (ckpt_walk_add(w, addr, page, 1)) {
				continue;
			}
		} else {
			softleaf_t entry = softleaf_from_pte(ptent);

			if (softleaf_is_guard_marker(entry)) {
				if (ckpt_walk_name(w, addr, 1, CKPT_EXTENT_GUARD))
					continue;
			} else if (softleaf_is_marker(entry) && !softleaf_is_poison_marker(entry)) {
				continue;
			} else {
				/* Swapped out or being migrated. Poison makes the caller's fault fail, as it must. */
				w->fault = true;
			}
		}
		w->next = addr;
		ret = CKPT_WALK_STOP;
		break;
	}
	pte_unmap_unlock(start, ptl);
	cond_resched();
	return ret;
}

/* An area of huge pages may be very long, and have few. */
static int ckpt_walk_hole(unsigned long addr, unsigned long end, int depth, struct mm_walk *walk)
{
	cond_resched();
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/* One huge page of hugetlbfs, or a part of it. Those that a parent has, too, are written for each. */
static int ckpt_walk_hugetlb(pte_t *pte, unsigned long hmask, unsigned long addr, unsigned long end,
			     struct mm_walk *walk)
{
	struct ckpt_walk *w = walk->private;
	softleaf_t entry;
	spinlock_t *ptl;
	pte_t ptent;
	int ret = 0;

	ret = ckpt_walk_hole(addr, end, 0, walk);
	if (ret)
		return ret;
	ptl = huge_pte_lock(hstate_vma(walk->vma), walk->mm, pte);
	ptent = huge_ptep_get(walk->mm, addr & hmask, pte);
	if (pte_present(ptent)) {
		struct page *page = pte_page(ptent) + ((addr & ~hmask) >> PAGE_SHIFT);

		/* The others are a file's. */
		if (PageAnon(page))
			ret = ckpt_walk_add_run(w, addr, end, page);
	} else if (!huge_pte_none(ptent)) {
		entry = softleaf_from_pte(ptent);
		if (!softleaf_is_marker(entry) || softleaf_is_poison_marker(entry)) {
			/* Being migrated, or broken: the caller's fault waits, or fails. */
			w->next = addr;
			w->fault = true;
			ret = CKPT_WALK_STOP;
		}
	}
	spin_unlock(ptl);
	return ret;
}

/* Only areas that the caller has chosen are walked, also those that have no fault handler of their own. */
static int ckpt_walk_test(unsigned long start, unsigned long end, struct mm_walk *walk)
{
	return 0;
}

static const struct mm_walk_ops ckpt_walk_ops = {
	.pmd_entry = ckpt_walk_pmd,
	.pte_hole = ckpt_walk_hole,
	.hugetlb_entry = ckpt_walk_hugetlb,
	.test_walk = ckpt_walk_test,
	.walk_lock = PGWALK_RDLOCK,
};

/*
 * Collects anonymous pages of [start, end), which lies in one VMA, with references. Call with mmap_lock held for reading.
 * 0: the range is done; 1: stopped at w->next because the batch is full, or, with w->fault, because the page there has to be
 * faulted in first.
 */
int ckpt_walk_anon(struct mm_struct *mm, unsigned long start, unsigned long end, struct ckpt_walk *w)
{
	w->fault = false;
	w->next = end;
	return ckpt_walk_page_range(mm, start, end, &ckpt_walk_ops, w);
}

void ckpt_put_bvecs(struct bio_vec *bvec, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		folio_put(page_folio(bvec[i].bv_page));
}

/* As ckpt_put_bvecs(), for pages that were written to: reclaim may have cleaned them since they were got. */
void ckpt_put_dirty_bvecs(struct bio_vec *bvec, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		struct folio *folio = page_folio(bvec[i].bv_page);

		/* The lock keeps a file's mapping in place, which anonymous memory does not have. */
		if (folio_test_anon(folio))
			folio_set_dirty(folio);
		else
			set_page_dirty_lock(bvec[i].bv_page);
		folio_put(folio);
	}
}

/*
 * Gets @nr pages at @start of @mm's memory with references, writable. FOLL_FORCE: private mappings that are read-only or
 * PROT_NONE have contents too. Returns the number of pages or a negative errno. Call with mmap_lock held for reading.
 */
static long ckpt_get_user_pages(struct mm_struct *mm, unsigned long start, unsigned long nr, struct page **pages)
{
	return get_user_pages_remote(mm, start, nr, FOLL_WRITE | FOLL_FORCE, pages, NULL);
}

/* Whether a page that is missing there may be put in without a fault: it would be a page of zeroes, and nobody is told. */
static bool ckpt_may_place(struct vm_area_struct *vma)
{
	return vma->anon_vma && vma_is_anonymous(vma) && !userfaultfd_armed(vma) &&
	       !(vma->vm_flags & (VM_SHARED | VM_DROPPABLE));
}

/*
 * Allocates @nr pages of undefined contents for @mm, and charges them to its memory cgroup, as faults would one by one. Fewer
 * when memory is short: then the faults that follow reclaim it, or fail as they must.
 */
static unsigned long ckpt_alloc_user_pages(struct mm_struct *mm, unsigned long nr, struct page **pages)
{
	int max_order = PMD_ORDER;
	unsigned long done = 0;

	while (done < nr) {
		int order = min(ilog2(nr - done), max_order), i;
		/* A large block is cheaper than the pages that it is split into. */
		gfp_t gfp = order ? GFP_TRANSHUGE_LIGHT & ~__GFP_COMP : GFP_HIGHUSER_MOVABLE;
		struct page *page = alloc_pages(gfp, order);

		if (!page && !order)
			break;
		if (!page) {
			max_order = 0;
			continue;
		}
		if (order)
			split_page(page, order);
		for (i = 0; i < 1 << order; i++) {
			if (!mem_cgroup_disabled() && ckpt___mem_cgroup_charge(page_folio(page + i), mm, GFP_KERNEL))
				break;
			__folio_mark_uptodate(page_folio(page + i));
			pages[done++] = page + i;
		}
		if (i < 1 << order) {
			for (; i < 1 << order; i++)
				put_page(page + i);
			break;
		}
	}
	return done;
}

/*
 * Gets up to @nr pages for the contents of @mm's memory at @start, into @bvec. The first *@mapped of them have been faulted in
 * and are there; the others are fresh, and get to their places in ckpt_place_bvecs(). Returns the number of pages or a negative
 * errno.
 *
 * The first page comes by a fault, which also makes the page table and decides about huge pages. Where that gives a small one,
 * its neighbours in the page table need no faults, and no zeroes that would be overwritten.
 */
long ckpt_get_bvecs(struct mm_struct *mm, unsigned long start, unsigned long nr, struct page **pages,
		    struct bio_vec *bvec, unsigned long *mapped)
{
	unsigned long fresh = 0;
	long i, got, more;

	mmap_read_lock(mm);
	got = ckpt_get_user_pages(mm, start, 1, pages);
	if (got == 1 && nr > 1) {
		struct vm_area_struct *vma = vma_lookup(mm, start);

		if (vma && ckpt_may_place(vma) && !folio_test_large(page_folio(pages[0]))) {
			fresh = min3(nr, PTRS_PER_PTE - pte_index(start), (vma->vm_end - start) >> PAGE_SHIFT) - 1;
		} else {
			more = ckpt_get_user_pages(mm, start + PAGE_SIZE, nr - 1, pages + 1);
			got += max(more, 0L);
		}
	}
	mmap_read_unlock(mm);
	if (got <= 0)
		return got;
	*mapped = got;
	got += ckpt_alloc_user_pages(mm, fresh, pages + got);
	for (i = 0; i < got; i++)
		bvec_set_page(&bvec[i], pages[i], PAGE_SIZE, 0);
	return got;
}

struct ckpt_place {
	unsigned long start;
	struct bio_vec *bvec;
};

static int ckpt_place_pmd(pmd_t *pmd, unsigned long addr, unsigned long end, struct mm_walk *walk)
{
	struct vm_area_struct *vma = walk->vma;
	struct mm_struct *mm = walk->mm;
	struct ckpt_place *p = walk->private;
	struct bio_vec *bvec = p->bvec + ((addr - p->start) >> PAGE_SHIFT);
	spinlock_t *ptl;
	pte_t *start, *pte;
	long n = 0;

	if (!ckpt_may_place(vma))
		return 0;
	start = pte = ckpt_pte_offset_map_lock(mm, pmd, addr, &ptl);
	if (!pte)
		return 0;
	for (; addr < end && !check_stable_address_space(mm); addr += PAGE_SIZE, pte++, bvec++) {
		struct folio *folio;
		pte_t entry;

		if (!pte_none(ptep_get(pte)))
			continue;
		/* As map_anon_folio_pte_nopf(), but dirty in any case: these are not zeroes. */
		folio = page_folio(bvec->bv_page);
		entry = pte_mkdirty(folio_mk_pte(folio, vma->vm_page_prot));
		if (vma->vm_flags & VM_WRITE)
			entry = pte_mkwrite_novma(entry);
		ckpt_folio_add_new_anon_rmap(folio, vma, addr, RMAP_EXCLUSIVE);
		ckpt_folio_add_lru_vma(folio, vma);
		set_pte_at(mm, addr, pte, entry);
		update_mmu_cache(vma, addr, pte);
		bvec->bv_page = NULL;
		n++;
	}
	/* add_mm_counter(), whose trace point is not exported. */
	percpu_counter_add(&mm->rss_stat[MM_ANONPAGES], n);
	pte_unmap_unlock(start, ptl);
	return 0;
}

static const struct mm_walk_ops ckpt_place_ops = {
	.pmd_entry = ckpt_place_pmd,
	.test_walk = ckpt_walk_test,
	.walk_lock = PGWALK_RDLOCK,
};

/*
 * Puts @nr fresh pages, which are given away, to @start. Where one cannot be put, since something is there already or the mapping
 * has changed meanwhile, its contents go into the page that is. 0 or a negative errno.
 */
long ckpt_place_bvecs(struct mm_struct *mm, unsigned long start, unsigned long nr, struct bio_vec *bvec)
{
	struct ckpt_place p = { .start = start, .bvec = bvec };
	unsigned long i;
	long ret = 0;

	if (!nr)
		return 0;
	mmap_read_lock(mm);
	ckpt_walk_page_range(mm, start, start + (nr << PAGE_SHIFT), &ckpt_place_ops, &p);
	for (i = 0; i < nr; i++) {
		struct page *page;
		long got;

		if (!bvec[i].bv_page)
			continue;
		if (!ret) {
			got = ckpt_get_user_pages(mm, start + (i << PAGE_SHIFT), 1, &page);
			if (got == 1) {
				copy_highpage(page, bvec[i].bv_page);
				set_page_dirty_lock(page);
				put_page(page);
			} else {
				ret = got < 0 ? got : -EFAULT;
			}
		}
		put_page(bvec[i].bv_page);
	}
	mmap_read_unlock(mm);
	return ret;
}

/* Whether one address space comes from a fork of the other, or both of one: some of their anonymous memory is of one family. */
bool ckpt_is_related(struct mm_struct *mm, struct mm_struct *parent)
{
	struct vm_area_struct *vma, *old;
	bool related = false;

	mmap_read_lock(parent);
	mmap_read_lock(mm);

	VMA_ITERATOR(vmi, mm, 0);

	for_each_vma(vmi, vma) {
		old = vma->anon_vma ? vma_lookup(parent, vma->vm_start) : NULL;
		if (old && old->anon_vma && old->anon_vma->root == vma->anon_vma->root) {
			related = true;
			break;
		}
	}
	mmap_read_unlock(mm);
	mmap_read_unlock(parent);
	return related;
}

/* Whether both may have anonymous pages in common. Those of hugetlbfs are nobody else's, and none that could be split. */
static bool may_inherit(const struct vm_area_struct *vma, const struct vm_area_struct *old)
{
	return !((vma->vm_flags | old->vm_flags) & (VM_SHARED | VM_SPECIAL | VM_HUGETLB));
}

/*
 * Makes the areas of @mm, which have no pages yet, children of those of @parent at the same addresses, as fork(2) does: whoever looks
 * for the users of a page that both will have finds both. 0 or a negative errno.
 */
int ckpt_inherit_areas(struct mm_struct *mm, struct mm_struct *parent)
{
	struct vm_area_struct *vma, *old;
	int ret = 0;

	if (mm == parent)
		return -EINVAL;
	if (mmap_write_lock_killable(parent))
		return -EINTR;
	mmap_write_lock_nested(mm, SINGLE_DEPTH_NESTING);

	VMA_ITERATOR(vmi, mm, 0);

	for_each_vma(vmi, vma) {
		old = vma_lookup(parent, vma->vm_start);
		if (!old || !old->anon_vma || vma->anon_vma || !may_inherit(vma, old) ||
		    linear_page_index(old, vma->vm_start) != vma->vm_pgoff)
			continue;
		ret = ckpt_anon_vma_fork(vma, old);
		if (ret)
			break;
	}
	mmap_write_unlock(mm);
	mmap_write_unlock(parent);
	return ret;
}

/* Whether @vma is found by those who look for the users of the folio. */
static bool ckpt_reaches(struct vm_area_struct *vma, struct folio *folio)
{
	struct anon_vma_chain *avc;

	list_for_each_entry(avc, &vma->anon_vma_chain, same_vma)
		if ((unsigned long)folio->mapping == (unsigned long)avc->anon_vma + FOLIO_MAPPING_ANON)
			return true;
	return false;
}

/* One page, as copy_present_ptes() does it. False when it cannot be shared; then it has to be copied. */
static bool ckpt_inherit_page(struct vm_area_struct *vma, struct vm_area_struct *old, unsigned long addr)
{
	struct mm_struct *mm = vma->vm_mm, *parent = old->vm_mm;
	/* Who has been told of the parent's page (KVM) would write to it as before: it keeps its own. */
	pmd_t *pmd = mm_has_notifiers(parent) ? NULL : find_pmd(parent, addr);
	spinlock_t *ptl, *old_ptl;
	struct folio *folio;
	pte_t *pte, *old_pte, ptent;
	struct page *page;
	bool done = false;

	if (!pmd)
		return false;
	pte = ckpt_get_locked_pte(mm, addr, &ptl);
	if (!pte)
		return false;
	old_pte = ckpt_pte_offset_map_lock(parent, pmd, addr, &old_ptl);
	if (!old_pte)
		goto out;
	ptent = ptep_get(old_pte);
	if (!pte_none(ptep_get(pte)) || !pte_present(ptent))
		goto out_old;
	page = ckpt_vm_normal_page(old, addr, ptent);
	if (!page || !PageAnon(page))
		goto out_old;
	folio = page_folio(page);
	if (!ckpt_reaches(vma, folio) || linear_page_index(vma, addr) != linear_page_index(old, addr))
		goto out_old;
	folio_get(folio);
	if (folio_try_dup_anon_rmap_pte(folio, page, vma, old)) {
		folio_put(folio);
		goto out_old;
	}
	if (pte_write(ptent))
		ptep_set_wrprotect(parent, addr, old_pte);
	/* Of the page: a large folio has many. */
	set_pte_at(mm, addr, pte, pte_wrprotect(pte_mkdirty(pfn_pte(page_to_pfn(page), vma->vm_page_prot))));
	percpu_counter_add(&mm->rss_stat[MM_ANONPAGES], 1);
	done = true;
out_old:
	pte_unmap_unlock(old_pte, old_ptl);
out:
	pte_unmap_unlock(pte, ptl);
	return done;
}

/* A page that cannot be shared is copied. 0 or a negative errno. Call with mmap_lock of both held for reading at least. */
static long ckpt_inherit_copy(struct mm_struct *mm, struct mm_struct *parent, unsigned long addr)
{
	struct page *from, *to;
	long got;

	got = get_user_pages_remote(parent, addr, 1, FOLL_FORCE, &from, NULL);
	if (got != 1)
		return got < 0 ? got : -EFAULT;
	got = ckpt_get_user_pages(mm, addr, 1, &to);
	if (got == 1) {
		copy_highpage(to, from);
		set_page_dirty_lock(to);
		put_page(to);
	}
	put_page(from);
	return got == 1 ? 0 : got < 0 ? got : -EFAULT;
}

/*
 * Lets @mm have the pages that @parent has at @start, copy-on-write, after ckpt_inherit_areas(). 0 or a negative errno. Nobody runs in
 * either.
 */
long ckpt_inherit(struct mm_struct *mm, struct mm_struct *parent, unsigned long start, unsigned long nr)
{
	unsigned long addr, end = start + (nr << PAGE_SHIFT);
	struct vm_area_struct *vma = NULL, *old = NULL;
	long ret = 0;

	if (mm == parent)
		return -EINVAL;
	if (mmap_write_lock_killable(parent))
		return -EINTR;
	mmap_write_lock_nested(mm, SINGLE_DEPTH_NESTING);
	raw_write_seqcount_begin(&parent->write_protect_seq);
	for (addr = start; addr < end && !ret; addr += PAGE_SIZE) {
		pmd_t *pmd;

		if (!vma || addr >= vma->vm_end)
			vma = vma_lookup(mm, addr);
		if (!old || addr >= old->vm_end)
			old = vma_lookup(parent, addr);
		if (!vma || !old || !may_inherit(vma, old)) {
			ret = -EFAULT;
			break;
		}
		pmd = find_pmd(parent, addr);
		if (pmd && pmd_is_huge(pmdp_get(pmd)))
			ckpt_split_huge_pmd_address(old, addr, false);
		if (!ckpt_inherit_page(vma, old, addr)) {
			/* It allocates, and may fault the parent's page in again. */
			raw_write_seqcount_end(&parent->write_protect_seq);
			ret = ckpt_inherit_copy(mm, parent, addr);
			raw_write_seqcount_begin(&parent->write_protect_seq);
		}
		if (fatal_signal_pending(current))
			ret = -EINTR;
	}
	raw_write_seqcount_end(&parent->write_protect_seq);
	ckpt_flush_tlb_mm_range(parent, start, end, PAGE_SHIFT, false);
	mmap_write_unlock(mm);
	mmap_write_unlock(parent);
	return ret;
}

/*
 * Collects what a file of hugetlbfs has of [start, end), as ckpt_walk_anon() does: 0, 1 when the batch is full (go on at w->next), or a
 * negative errno.
 */
int ckpt_walk_huge_file(struct file *f, u64 start, u64 end, struct ckpt_walk *w)
{
	pgoff_t index = start >> PAGE_SHIFT, last = (end - 1) >> PAGE_SHIFT;
	struct folio_batch found;
	unsigned int i, n;
	int ret = 0;

	do {
		folio_batch_init(&found);
		n = filemap_get_folios(f->f_mapping, &index, last, &found);
		for (i = 0; i < n; i++) {
			struct folio *folio = found.folios[i];
			u64 from = max_t(u64, start, folio_pos(folio));
			u64 to = min_t(u64, end, folio_pos(folio) + folio_size(folio));

			if (!ret && folio_test_hwpoison(folio))
				ret = -EIO;
			if (!ret && from < to)
				ret = ckpt_walk_add_run(w, from, to, folio_page(folio, (from - folio_pos(folio)) >> PAGE_SHIFT));
			folio_put(folio);
		}
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		cond_resched();
	} while (n && !ret);
	return ret;
}

/* Faults one page in for reading; 0 or a negative errno. Call with mmap_lock held for reading. */
long ckpt_fault_in(struct mm_struct *mm, unsigned long addr)
{
	struct page *page;
	long got = get_user_pages_remote(mm, addr, 1, FOLL_FORCE, &page, NULL);

	if (got == 1)
		put_page(page);
	return got == 1 ? 0 : got < 0 ? got : -EFAULT;
}

/* The page of a shared memory object at @index with a reference (it is read from swap when it has to be). */
struct page *ckpt_shmem_page(struct file *f, unsigned long index)
{
	return shmem_read_mapping_page_gfp(f->f_mapping, index, GFP_KERNEL);
}

vma_flags_t ckpt_shmem_flags(bool noreserve)
{
	return legacy_to_vma_flags(noreserve ? VM_NORESERVE : 0);
}
