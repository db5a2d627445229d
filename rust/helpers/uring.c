// SPDX-License-Identifier: GPL-2.0

#include <linux/anon_inodes.h>
#include <linux/bvec.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/io_uring_types.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "io_uring/filetable.h"
#include "io_uring/io_uring.h"
#include "io_uring/rsrc.h"
#include "io_uring/tctx.h"

#include "rust/helpers/io_ev_fd.h"
#include "rust/helpers/io_timeout.h"
#include "rust/helpers/io_worker.h"

#include "helpers.h"
#include "symbol.h"

/* More completions without room than these are not saved, and no more requests are looked at: both take a lock. */
enum { CKPT_URING_LOOKED_AT = 65536 };

/* What a ring remembers besides its indices. */
#define CKPT_URING_STATE (IO_RING_F_DRAIN_NEXT | IO_RING_F_DRAIN_ACTIVE | IO_RING_F_DRAIN_DISABLED)

static struct io_ring_ctx *ring_of(struct file *f)
{
	return f->private_data;
}

static u64 io_region_bytes(const struct io_mapped_region *region)
{
	return (u64)region->nr_pages << PAGE_SHIFT;
}

/*
 * Locks a ring: -EINTR when a fatal signal came. Nobody sleeps with the lock who stands still, but somebody outside may submit what takes
 * its time.
 */
static int lock_ring(struct io_ring_ctx *ctx)
{
	return mutex_lock_killable(&ctx->uring_lock);
}

static void found_request(struct ckpt_uring *out, const struct io_kiocb *req)
{
	out->named++;
	__set_bit(READ_ONCE(req->opcode), (unsigned long *)out->opcodes);
}

/*
 * Counts the requests that have not completed: those that have been allocated and are not free. Those that wait for something are found by
 * what they wait for, and give their operation; those that somebody works on are not among them.
 */
static void look_for_requests(struct io_ring_ctx *ctx, struct ckpt_uring *out)
{
	const struct io_wq_work_node *node;
	struct io_timeout *timeout;
	struct io_kiocb *req;
	unsigned int i;

	BUILD_BUG_ON(sizeof(out->opcodes) * BITS_PER_BYTE < 256);
	out->requests = ctx->nr_req_allocated;
	for (node = ctx->submit_state.free_list.next; node; node = node->next)
		out->requests--;
	if (!out->requests)
		return;
	for (i = 0; i < 1U << ctx->cancel_table.hash_bits; i++)
		hlist_for_each_entry(req, &ctx->cancel_table.hbs[i].list, hash_node)
			found_request(out, req);
	hlist_for_each_entry(req, &ctx->waitid_list, hash_node)
		found_request(out, req);
#ifdef CONFIG_FUTEX
	hlist_for_each_entry(req, &ctx->futex_list, hash_node)
		found_request(out, req);
#endif
	raw_spin_lock_irq(&ctx->timeout_lock);
	list_for_each_entry(timeout, &ctx->timeout_list, list) {
		found_request(out, cmd_to_io_kiocb(timeout));
		if (out->named > CKPT_URING_LOOKED_AT)
			break;
	}
	raw_spin_unlock_irq(&ctx->timeout_lock);
}

/* What it has that is not saved. */
static const char *other_state(struct io_ring_ctx *ctx)
{
	static const struct {
		unsigned int flags;
		const char *what;
	} setup[] = {
		{ IORING_SETUP_IOPOLL | IORING_SETUP_HYBRID_IOPOLL, "completions are polled for (IORING_SETUP_IOPOLL)" },
		{ IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF, "a thread of the kernel submits for it (IORING_SETUP_SQPOLL)" },
		{ IORING_SETUP_ATTACH_WQ, "it shares the workers of another one (IORING_SETUP_ATTACH_WQ)" },
		{ IORING_SETUP_NO_MMAP, "it lies in the program's own memory (IORING_SETUP_NO_MMAP)" },
		{ ~CKPT_URING_SETUP, "unknown setup flags" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(setup); i++)
		if (READ_ONCE(ctx->flags) & setup[i].flags)
			return setup[i].what;
	if (ctx->int_flags & IO_RING_F_COMPAT)
		return "a 32-bit program has made it";
	if (ctx->int_flags & (IO_RING_F_OP_RESTRICTED | IO_RING_F_REG_RESTRICTED) ||
	    ctx->restrictions.op_registered || ctx->restrictions.reg_registered || ctx->restrictions.bpf_filters)
		return "it is restricted (IORING_REGISTER_RESTRICTIONS, IORING_REGISTER_BPF_FILTER)";
	if (!xa_empty(&ctx->personalities))
		return "it has credentials (IORING_REGISTER_PERSONALITY)";
	if (!xa_empty(&ctx->io_bl_xa))
		return "it has buffers to choose from (IORING_REGISTER_PBUF_RING, IORING_OP_PROVIDE_BUFFERS)";
	if (!xa_empty(&ctx->zcrx_ctxs))
		return "it receives without copying (IORING_REGISTER_ZCRX_IFQ)";
	if (ctx->param_region.pages)
		return "it has a region for parameters (IORING_REGISTER_MEM_REGION)";
	if (ctx->bpf_ops || ctx->loop_step)
		return "a BPF program drives it";
#ifdef CONFIG_NET_RX_BUSY_POLL
	if (ctx->napi_track_mode != IO_URING_NAPI_TRACKING_INACTIVE || !list_empty(&ctx->napi_list) ||
	    ctx->napi_busy_poll_dt || ctx->napi_prefer_busy_poll)
		return "it polls network devices (IORING_REGISTER_NAPI)";
#endif
	if ((ctx->flags & (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_R_DISABLED)) == IORING_SETUP_SINGLE_ISSUER &&
	    !ctx->submitter_task)
		return "nobody may submit to it";
	return NULL;
}

/* Describes a ring; -EINTR when a fatal signal came. The addresses in it are compared only. */
int ckpt_uring_describe(struct file *f, struct ckpt_uring *out)
{
	struct io_ring_ctx *ctx = ring_of(f);
	struct io_overflow_cqe *cqe;
	struct io_ev_fd *event;

	*out = (struct ckpt_uring) {};
	if (lock_ring(ctx))
		return -EINTR;
	out->setup = ctx->flags;
	out->state = ctx->int_flags & CKPT_URING_STATE;
	out->sq_entries = ctx->sq_entries;
	out->cq_entries = ctx->cq_entries;
	out->sq_head = ctx->cached_sq_head;
	out->clock = ctx->clockid;
	out->regions[0] = io_region_bytes(&ctx->ring_region);
	out->regions[1] = io_region_bytes(&ctx->sq_region);
	out->files = ctx->file_table.data.nr;
	out->file_range[0] = ctx->file_alloc_start;
	out->file_range[1] = ctx->file_alloc_end;
	out->file_hint = ctx->file_table.alloc_hint;
	out->buffers = ctx->buf_table.nr;
	memcpy(out->workers, ctx->iowq_limits, sizeof(out->workers));
	out->has_workers = ctx->int_flags & IO_RING_F_IOWQ_LIMITS_SET;
	out->submitter = (unsigned long)ctx->submitter_task;
	out->mm = (unsigned long)ctx->mm_account;
	out->refused = other_state(ctx);
	event = rcu_dereference_protected(ctx->io_ev_fd, lockdep_is_held(&ctx->uring_lock));
	if (event) {
		out->event = (unsigned long)event->cq_ev_fd;
		out->event_async = event->eventfd_async;
	}
	out->accounted = ctx->user;
	look_for_requests(ctx, out);
	/* The eventfd is still to be told, after a grace period of RCU. */
	if (event && atomic_read(&event->ops))
		out->requests++;
	spin_lock(&ctx->completion_lock);
	out->cq_tail = ctx->cached_cq_tail;
	out->dropped = test_bit(IO_CHECK_CQ_DROPPED_BIT, &ctx->check_cq);
	list_for_each_entry(cqe, &ctx->cq_overflow_list, list)
		if (out->overflow++ == CKPT_URING_LOOKED_AT)
			break;
	spin_unlock(&ctx->completion_lock);
	mutex_unlock(&ctx->uring_lock);
	if (out->overflow > CKPT_URING_LOOKED_AT && !out->refused)
		out->refused = "it has more than 65536 completions for which there is no room";
	return 0;
}

/* The part of a region (0: rings, 1: entries of the submission queue) at @offset; NULL when it is not that long. */
static void *region_at(struct io_ring_ctx *ctx, unsigned int region, u64 offset, size_t n)
{
	struct io_mapped_region *r = region ? &ctx->sq_region : &ctx->ring_region;
	u64 end;

	if (!r->ptr || check_add_overflow(offset, n, &end) || end > io_region_bytes(r))
		return NULL;
	return r->ptr + offset;
}

/*
 * Copies contents of a region, or writes them, as the program could by its mapping: the kernel takes nothing of it for granted. -EINVAL when
 * it is not that long, -EINTR.
 */
int ckpt_uring_copy(struct file *f, unsigned int region, u64 offset, void *buf, size_t n, bool write)
{
	struct io_ring_ctx *ctx = ring_of(f);
	void *at;

	if (lock_ring(ctx))
		return -EINTR;
	at = region_at(ctx, region, offset, n);
	if (at && write)
		memcpy(at, buf, n);
	else if (at)
		memcpy(buf, at, n);
	mutex_unlock(&ctx->uring_lock);
	return at ? 0 : -EINVAL;
}

/*
 * Sets what the kernel remembers of a ring that has never been used. Any index will do, since the kernel masks them. -EINVAL for what no ring
 * has, -EINTR.
 */
int ckpt_uring_set(struct file *f, const struct ckpt_uring *from)
{
	struct io_ring_ctx *ctx = ring_of(f);
	int ret = -EINVAL;

	if (lock_ring(ctx))
		return -EINTR;
	spin_lock(&ctx->completion_lock);
	if (!(from->state & ~CKPT_URING_STATE) && !ctx->nr_req_allocated) {
		ctx->int_flags |= from->state;
		ctx->cached_sq_head = from->sq_head;
		ctx->cached_cq_tail = from->cq_tail;
		ctx->cqe_cached = NULL;
		ctx->cqe_sentinel = NULL;
		if (from->dropped)
			set_bit(IO_CHECK_CQ_DROPPED_BIT, &ctx->check_cq);
		ret = 0;
	}
	spin_unlock(&ctx->completion_lock);
	mutex_unlock(&ctx->uring_lock);
	return ret;
}

/* From where on the next file gets its slot: -EINVAL behind the last one, -EINTR. */
int ckpt_uring_set_file_hint(struct file *f, unsigned int hint)
{
	struct io_ring_ctx *ctx = ring_of(f);
	int ret = -EINVAL;

	if (lock_ring(ctx))
		return -EINTR;
	if (hint <= ctx->file_table.data.nr) {
		ctx->file_table.alloc_hint = hint;
		ret = 0;
	}
	mutex_unlock(&ctx->uring_lock);
	return ret;
}

/* The file in the first slot that is not below @*slot, which becomes its own, with a reference; NULL when there is none. -EINTR. */
int ckpt_uring_next_file(struct file *f, unsigned int *slot, struct file **out, u64 *tag)
{
	struct io_ring_ctx *ctx = ring_of(f);

	*out = NULL;
	if (lock_ring(ctx))
		return -EINTR;
	for (; *slot < ctx->file_table.data.nr; (*slot)++) {
		struct io_rsrc_node *node = ctx->file_table.data.nodes[*slot];

		if (node) {
			*out = get_file(io_slot_file(node));
			*tag = node->tag;
			break;
		}
	}
	mutex_unlock(&ctx->uring_lock);
	return 0;
}

/* How many pages are looked at at once. */
enum { CKPT_URING_PAGES = 32 };

/* Whether this many bytes, of one folio, are what is mapped at an address. The mm's lock must be held. @how: flags of GUP. */
static bool is_mapped_at(struct mm_struct *mm, unsigned long at, phys_addr_t phys, unsigned long len, unsigned int how)
{
	struct page *pages[CKPT_URING_PAGES];
	unsigned long left = DIV_ROUND_UP(offset_in_page(at) + len, PAGE_SIZE);
	unsigned long pfn = PHYS_PFN(phys);

	if (offset_in_page(at) != offset_in_page(phys))
		return false;
	for (at &= PAGE_MASK; left; cond_resched()) {
		/* It does not fault anything in: what is pinned, and mapped yet, is there. A fault could wait for the target itself. */
		long i, n = get_user_pages_remote(mm, at, min(left, CKPT_URING_PAGES), how | FOLL_NOFAULT, pages, NULL);
		bool same = n > 0;

		for (i = 0; i < n; i++) {
			same &= page_to_pfn(pages[i]) == pfn++;
			put_page(pages[i]);
		}
		if (!same || fatal_signal_pending(current))
			return false;
		left -= n;
		at += n << PAGE_SHIFT;
	}
	return true;
}

/* Whether the pages of a buffer are those that are mapped where it was. The mm's lock must be held. */
static bool is_mapped_yet(struct mm_struct *mm, const struct io_mapped_ubuf *buf)
{
	unsigned long at = buf->ubuf, left = buf->len;
	unsigned int i;

	for (i = 0; i < buf->nr_bvecs && left; i++) {
		unsigned long n = min_t(unsigned long, buf->bvec[i].bv_len, left);

		if (!is_mapped_at(mm, at, bvec_phys(&buf->bvec[i]), n, 0))
			return false;
		at += n;
		left -= n;
	}
	return !left;
}

/* The part of a ring that is mapped at an offset of mmap(2) now. */
static struct io_mapped_region *region_of(struct io_ring_ctx *ctx, u64 offset)
{
	return offset == IORING_OFF_SQES ? &ctx->sq_region : &ctx->ring_region;
}

/*
 * Whether what is mapped at an address, with this offset, is what the ring has now: 1 or 0. It is not in a mapping from before the ring was
 * resized. -EINTR.
 */
int ckpt_uring_is_mapped(struct file *f, struct mm_struct *mm, unsigned long at, u64 offset)
{
	struct io_ring_ctx *ctx = ring_of(f);
	struct io_mapped_region *region;
	int ret = -EINTR;

	if (lock_ring(ctx))
		return ret;
	region = region_of(ctx, offset);
	if (!mmap_read_lock_killable(mm)) {
		/* Also where the program may not read. */
		ret = region->pages && is_mapped_at(mm, at, page_to_phys(region->pages[0]), PAGE_SIZE, FOLL_FORCE);
		mmap_read_unlock(mm);
	}
	mutex_unlock(&ctx->uring_lock);
	return ret;
}

/*
 * The buffer in the first slot that is not below @*slot, which becomes its own: 1, or 0 when there is none; -EINTR. With @mm it is said, too,
 * whether it still is what is mapped there.
 */
int ckpt_uring_next_buffer(struct file *f, struct mm_struct *mm, unsigned int *slot, struct ckpt_uring_buffer *out)
{
	struct io_ring_ctx *ctx = ring_of(f);
	int ret = 0;

	/* In this order, as the kernel does when it registers one. */
	if (lock_ring(ctx))
		return -EINTR;
	for (; *slot < ctx->buf_table.nr; (*slot)++) {
		struct io_rsrc_node *node = ctx->buf_table.nodes[*slot];

		if (!node)
			continue;
		*out = (struct ckpt_uring_buffer) {
			.address = node->buf->ubuf,
			.length = node->buf->len,
			.tag = node->tag,
		};
		ret = 1;
		if (mm && !(node->buf->flags & IO_REGBUF_F_KBUF)) {
			if (mmap_read_lock_killable(mm)) {
				ret = -EINTR;
				break;
			}
			out->is_mapped = is_mapped_yet(mm, node->buf);
			mmap_read_unlock(mm);
		}
		break;
	}
	mutex_unlock(&ctx->uring_lock);
	return ret;
}

static bool is_long(const struct io_ring_ctx *ctx, const struct io_uring_cqe *cqe)
{
	return ctx->flags & IORING_SETUP_CQE32 || cqe->flags & IORING_CQE_F_32;
}

/* At most @max of the completions for which there was no room but the first @from, four words each: their number, or -EINTR. */
int ckpt_uring_overflow(struct file *f, unsigned int from, u64 *out, unsigned int max)
{
	struct io_ring_ctx *ctx = ring_of(f);
	struct io_overflow_cqe *cqe;
	unsigned int nth = 0, n = 0;

	if (lock_ring(ctx))
		return -EINTR;
	spin_lock(&ctx->completion_lock);
	list_for_each_entry(cqe, &ctx->cq_overflow_list, list) {
		if (nth++ < from)
			continue;
		if (n == max)
			break;
		memset(out + 4 * n, 0, 4 * sizeof(*out));
		memcpy(out + 4 * n, &cqe->cqe, sizeof(cqe->cqe) << is_long(ctx, &cqe->cqe));
		n++;
	}
	spin_unlock(&ctx->completion_lock);
	mutex_unlock(&ctx->uring_lock);
	return n;
}

/* Adds a completion for which there is no room, as io_cqring_add_overflow(): -ENOMEM, -EINTR. */
int ckpt_uring_add_overflow(struct file *f, const u64 *words)
{
	struct io_ring_ctx *ctx = ring_of(f);
	struct io_uring_cqe short_one;
	struct io_overflow_cqe *cqe;
	size_t size;

	memcpy(&short_one, words, sizeof(short_one));
	size = sizeof(short_one) << is_long(ctx, &short_one);
	cqe = kzalloc(offsetof(struct io_overflow_cqe, cqe) + size, GFP_KERNEL_ACCOUNT);
	if (!cqe)
		return -ENOMEM;
	memcpy(&cqe->cqe, words, size);
	if (lock_ring(ctx)) {
		kfree(cqe);
		return -EINTR;
	}
	spin_lock(&ctx->completion_lock);
	set_bit(IO_CHECK_CQ_OVERFLOW_BIT, &ctx->check_cq);
	atomic_or(IORING_SQ_CQ_OVERFLOW, &ctx->rings->sq_flags);
	list_add_tail(&cqe->list, &ctx->cq_overflow_list);
	spin_unlock(&ctx->completion_lock);
	mutex_unlock(&ctx->uring_lock);
	return 0;
}

/*
 * Does what is queued for the current task to do for its requests, as on its way to user mode, and as it would by io_uring_enter() for rings
 * that leave it until then. A ring goes only when the task has taken it off its list.
 */
void ckpt_uring_run_work(void)
{
	struct io_uring_task *tctx = current->io_uring;
	struct io_tctx_node *node;
	unsigned int count = 0;
	unsigned long index;

	if (!tctx)
		return;
	ckpt_tctx_task_work_run(tctx, UINT_MAX, &count);
	xa_for_each(&tctx->xa, index, node) {
		struct io_ring_ctx *ctx = node->ctx;

		if (ctx->flags & IORING_SETUP_DEFER_TASKRUN && ctx->submitter_task == current && io_local_work_pending(ctx))
			ckpt_io_run_local_work(ctx, INT_MAX, INT_MAX);
	}
}

/*
 * The ring that a thread has registered at the first place that is not below @*place, which becomes its own, with a reference; NULL when there
 * is none, also when the thread runs another program meanwhile.
 */
struct file *ckpt_task_ring(struct task_struct *t, unsigned int *place)
{
	struct file *f = NULL;

	if (!READ_ONCE(t->io_uring) || mutex_lock_killable(&t->signal->cred_guard_mutex))
		return NULL;
	for (; !f && t->io_uring && *place < IO_RINGFD_REG_MAX; (*place)++) {
		f = get_file_rcu((struct file __rcu **)&t->io_uring->registered_rings[*place]);
		if (f)
			break;
	}
	mutex_unlock(&t->signal->cred_guard_mutex);
	return f;
}

/* Address of what an eventfd is; compared only. */
unsigned long ckpt_eventfd_context(struct file *f)
{
	return (unsigned long)f->private_data;
}

/* Maps the ring that stands behind the file: the mapping is the ring's own from then on. */
static int place_mmap(struct file *f, struct vm_area_struct *vma)
{
	struct file *ring = f->private_data;

	vma_set_file(vma, ring);
	return ring->f_op->mmap(ring, vma);
}

/* Unlike a ring's own it leaves it to the caller where the mapping goes. */
static const struct file_operations place_fops = {
	.owner = THIS_MODULE,
	.mmap = place_mmap,
};

/* A file to map instead of a ring, at a place that the caller chooses, which must have the ring as long as it has the file. */
struct file *ckpt_uring_stand_in(struct file *ring)
{
	return anon_inode_getfile("[ckpt]", &place_fops, ring, O_RDWR);
}

/* Whether the current task waits until its requests are cancelled: in execve(), or before PF_EXITING is set in do_exit(). */
bool ckpt_uring_cancels(void)
{
	return current->io_uring && atomic_read(&current->io_uring->in_cancel);
}
