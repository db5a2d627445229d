/* SPDX-License-Identifier: GPL-2.0 */
/* A ring of io_uring, by its bare system calls. */
#ifndef URING_H
#define URING_H

#include "family.h"

#include <linux/io_uring.h>
#include <sys/uio.h>

struct ring {
	int fd;
	struct io_uring_params p;
	char *rings;
	size_t size;
	struct io_uring_sqe *sqes;
	size_t sqes_size;
};

/* How much of it there is to map. */
static inline void measure_ring(struct ring *r)
{
	r->size = r->p.cq_off.cqes + (r->p.cq_entries * sizeof(struct io_uring_cqe) << !!(r->p.flags & IORING_SETUP_CQE32));
	if (!(r->p.flags & IORING_SETUP_NO_SQARRAY))
		r->size = r->p.sq_off.array + r->p.sq_entries * sizeof(uint32_t);
	r->sqes_size = r->p.sq_entries * sizeof(struct io_uring_sqe) << !!(r->p.flags & IORING_SETUP_SQE128);
}

static inline int make_ring(struct ring *r, unsigned entries, unsigned flags, unsigned cq_entries)
{
	memset(r, 0, sizeof(*r));
	r->p.flags = flags | (cq_entries ? IORING_SETUP_CQSIZE : 0);
	r->p.cq_entries = cq_entries;
	r->fd = syscall(SYS_io_uring_setup, entries, &r->p);
	if (r->fd < 0)
		skip("io_uring_setup with flags %#x: errno %d", flags, errno);
	measure_ring(r);
	return r->fd;
}

static inline void map_ring(struct ring *r)
{
	r->rings = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQ_RING);
	r->sqes = mmap(NULL, r->sqes_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES);
	CHECK(r->rings != MAP_FAILED && r->sqes != MAP_FAILED);
}

static inline uint32_t *in_ring(struct ring *r, unsigned offset)
{
	return (uint32_t *)(r->rings + offset);
}

/* Writes an entry that is not submitted yet. */
static inline void put_sqe(struct ring *r, const struct io_uring_sqe *sqe)
{
	uint32_t tail = *in_ring(r, r->p.sq_off.tail), at = tail & (r->p.sq_entries - 1);

	memcpy((char *)r->sqes + (at * sizeof(*sqe) << !!(r->p.flags & IORING_SETUP_SQE128)), sqe, sizeof(*sqe));
	if (!(r->p.flags & IORING_SETUP_NO_SQARRAY))
		in_ring(r, r->p.sq_off.array)[at] = at;
	__atomic_store_n(in_ring(r, r->p.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
}

static inline int enter(struct ring *r, unsigned submit, unsigned wait)
{
	return syscall(SYS_io_uring_enter, r->fd, submit, wait, IORING_ENTER_GETEVENTS, NULL, 0);
}

static inline void put_nop(struct ring *r, uint64_t user_data)
{
	put_sqe(r, &(struct io_uring_sqe){ .opcode = IORING_OP_NOP, .user_data = user_data });
}

static inline unsigned unread(struct ring *r)
{
	return __atomic_load_n(in_ring(r, r->p.cq_off.tail), __ATOMIC_ACQUIRE) - *in_ring(r, r->p.cq_off.head);
}

/* Reads a completion, which must be there. */
static inline int64_t take_cqe(struct ring *r, uint64_t user_data)
{
	uint32_t head = *in_ring(r, r->p.cq_off.head);
	struct io_uring_cqe *cqe = (struct io_uring_cqe *)(r->rings + r->p.cq_off.cqes);
	int64_t result;

	CHECK(unread(r) != 0);
	cqe += (head & (r->p.cq_entries - 1)) << !!(r->p.flags & IORING_SETUP_CQE32);
	CHECK_EQ(cqe->user_data, user_data);
	result = cqe->res;
	__atomic_store_n(in_ring(r, r->p.cq_off.head), head + 1, __ATOMIC_RELEASE);
	return result;
}

static inline int enroll(struct ring *r, unsigned what, void *arg, unsigned n)
{
	return syscall(SYS_io_uring_register, r->fd, what, arg, n);
}

/* Makes it longer, and maps what it is now; what it was stays mapped. */
static inline void resize_ring(struct ring *r, unsigned entries)
{
	enum { RESIZE_RINGS = 33 };

	r->p = (struct io_uring_params){ .flags = IORING_SETUP_CQSIZE, .sq_entries = entries, .cq_entries = 2 * entries };
	CHECK_EQ(enroll(r, RESIZE_RINGS, &r->p, 1), 0);
	measure_ring(r);
	map_ring(r);
}

/* A ring that works: a request goes through it. */
static inline void try_ring(struct ring *r, uint64_t user_data)
{
	put_nop(r, user_data);
	CHECK_EQ(enter(r, 1, 1), 1);
	CHECK_EQ(take_cqe(r, user_data), 0);
}

#endif
