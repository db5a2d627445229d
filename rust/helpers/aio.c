// SPDX-License-Identifier: GPL-2.0

#include <linux/aio_abi.h>
#include <linux/mm.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/percpu-refcount.h>
#include <linux/rcupdate.h>

#include "rust/helpers/percpu_count.h"
#include "rust/helpers/kioctx.h"

#include "helpers.h"

/*
 * The first context of an address space whose index is not below @*index, which becomes its own; NULL when there is none. It comes
 * with a reference, which keeps it as lookup_ioctx() does, whatever becomes of it meanwhile.
 */
static struct kioctx *next_ioctx(struct mm_struct *mm, unsigned int *index)
{
	struct kioctx_table *table;
	struct kioctx *ctx = NULL;

	rcu_read_lock();
	table = rcu_dereference(mm->ioctx_table);
	for (; table && *index < table->nr; (*index)++) {
		ctx = rcu_dereference(table->table[*index]);
		if (ctx && percpu_ref_tryget_live(&ctx->users))
			break;
		ctx = NULL;
	}
	rcu_read_unlock();
	return ctx;
}

/* The context with that index, with a reference, or NULL. */
static struct kioctx *get_ioctx(struct mm_struct *mm, unsigned int index)
{
	unsigned int found = index;
	struct kioctx *ctx = next_ioctx(mm, &found);

	if (ctx && found != index) {
		percpu_ref_put(&ctx->users);
		return NULL;
	}
	return ctx;
}

/*
 * How many requests are under way, those included whose end somebody is being told of (an eventfd) although their event is there.
 * Each holds one reference, and the context two. Exact when nothing is being submitted.
 */
static unsigned long requests_under_way(struct kioctx *ctx)
{
	unsigned long ptr = READ_ONCE(ctx->reqs.percpu_count_ptr);
	unsigned long sum = atomic_long_read(&ctx->reqs.data->count) - PERCPU_COUNT_BIAS - 2;
	int cpu;

	/* Nobody has asked for anything else while somebody uses the context. */
	if (WARN_ON_ONCE(ptr & __PERCPU_REF_ATOMIC_DEAD))
		return 0;
	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr((unsigned long __percpu *)ptr, cpu));
	/* One that is submitted meanwhile here and completes there has been seen once. */
	return max((long)sum, 0L);
}

/* The place of an event: ctx->ring_lock or ctx->completion_lock must be held, which keep the pages. */
static struct io_event *slot(struct kioctx *ctx, unsigned int number)
{
	unsigned int pos = number + AIO_EVENTS_OFFSET;
	struct io_event *events = folio_address(ctx->ring_folios[pos / AIO_EVENTS_PER_PAGE]);

	return events + pos % AIO_EVENTS_PER_PAGE;
}

static void describe_ioctx(struct kioctx *ctx, struct ckpt_aio *out)
{
	struct aio_ring *ring;

	*out = (struct ckpt_aio) {
		.index = ctx->id,
		.address = READ_ONCE(ctx->user_id),
		.bytes = ctx->mmap_size,
		.file = (unsigned long)ctx->aio_ring_file,
		.requests = ctx->max_reqs,
		.slots = ctx->nr_events,
		.under_way = requests_under_way(ctx),
	};
	spin_lock_irq(&ctx->ctx_lock);
	out->waits = !list_empty(&ctx->active_reqs);
	spin_unlock_irq(&ctx->ctx_lock);

	spin_lock_irq(&ctx->completion_lock);
	ring = folio_address(ctx->ring_folios[0]);
	out->head = READ_ONCE(ring->head);
	out->tail = ctx->tail;
	out->intact = READ_ONCE(ring->id) == ctx->id && READ_ONCE(ring->nr) == ctx->nr_events &&
		      READ_ONCE(ring->tail) == ctx->tail && READ_ONCE(ring->magic) == AIO_RING_MAGIC &&
		      READ_ONCE(ring->compat_features) == AIO_RING_COMPAT_FEATURES &&
		      READ_ONCE(ring->incompat_features) == AIO_RING_INCOMPAT_FEATURES &&
		      READ_ONCE(ring->header_length) == sizeof(struct aio_ring) && out->head < ctx->nr_events;
	spin_unlock_irq(&ctx->completion_lock);
}

/*
 * The first context whose index is not below @*index, which becomes the one behind it: 1, or 0 when there is none; -EINTR when a fatal
 * signal came: a reader may sit on the lock in a page fault for long.
 */
int ckpt_aio_next(struct mm_struct *mm, unsigned int *index, struct ckpt_aio *out)
{
	struct kioctx *ctx = next_ioctx(mm, index);
	int ret;

	if (!ctx)
		return 0;
	(*index)++;
	ret = mutex_lock_killable(&ctx->ring_lock);
	if (!ret) {
		describe_ioctx(ctx, out);
		mutex_unlock(&ctx->ring_lock);
		ret = 1;
	}
	percpu_ref_put(&ctx->users);
	return ret;
}

/* Copies @n events of a context, from slot @first: -ENOENT, -EINTR. */
int ckpt_aio_events(struct mm_struct *mm, unsigned int index, unsigned int first, struct io_event *out, unsigned int n)
{
	struct kioctx *ctx = get_ioctx(mm, index);
	unsigned int i;
	int ret;

	if (!ctx)
		return -ENOENT;
	ret = mutex_lock_killable(&ctx->ring_lock);
	if (!ret) {
		for (i = 0; i < n; i++)
			out[i] = *slot(ctx, (first + i) % ctx->nr_events);
		mutex_unlock(&ctx->ring_lock);
	}
	percpu_ref_put(&ctx->users);
	return ret;
}

/* A context that has never been used goes on from this slot, as if events had come and gone: -ENOENT, -EINVAL. */
int ckpt_aio_start_at(struct mm_struct *mm, unsigned int index, unsigned int first)
{
	struct kioctx *ctx = get_ioctx(mm, index);
	struct aio_ring *ring;
	int ret = -EINVAL;

	if (!ctx)
		return -ENOENT;
	mutex_lock(&ctx->ring_lock);
	spin_lock_irq(&ctx->completion_lock);
	ring = folio_address(ctx->ring_folios[0]);
	if (first < ctx->nr_events && !ctx->tail && !ctx->completed_events) {
		ctx->tail = first;
		ring->head = first;
		ring->tail = first;
		ret = 0;
	}
	spin_unlock_irq(&ctx->completion_lock);
	mutex_unlock(&ctx->ring_lock);
	percpu_ref_put(&ctx->users);
	return ret;
}

/*
 * Puts events into the ring, as if that many requests had been submitted and completed (get_reqs_available(), aio_complete()): -ENOENT,
 * -EINVAL when they are more than there is room for, or do not go on at slot @first.
 */
int ckpt_aio_complete(struct mm_struct *mm, unsigned int index, unsigned int first, const struct io_event *events,
		      unsigned int n)
{
	struct kioctx *ctx = get_ioctx(mm, index);
	struct aio_ring *ring;
	unsigned int i;
	int ret = -EINVAL;

	if (!ctx)
		return -ENOENT;
	mutex_lock(&ctx->ring_lock);
	spin_lock_irq(&ctx->completion_lock);
	ring = folio_address(ctx->ring_folios[0]);
	if (ctx->tail == first && n <= INT_MAX && atomic_read(&ctx->reqs_available) >= (int)n) {
		for (i = 0; i < n; i++) {
			*slot(ctx, ctx->tail) = events[i];
			ctx->tail = (ctx->tail + 1) % ctx->nr_events;
		}
		atomic_sub(n, &ctx->reqs_available);
		ctx->completed_events += n;
		ring->tail = ctx->tail;
		ret = 0;
	}
	spin_unlock_irq(&ctx->completion_lock);
	mutex_unlock(&ctx->ring_lock);
	percpu_ref_put(&ctx->users);
	return ret;
}
