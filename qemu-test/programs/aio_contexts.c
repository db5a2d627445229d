// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind aio: contexts of io_setup(2), for few requests and for many, with events that nobody has read, at the end of the ring and at its
 * start again, as many as there is room for, in a ring that was moved, in one that may only be read, and one that a thread waits at. What is
 * in the rings is as it was, slot by slot; each context takes and tells of as many requests as before. A child has contexts of its own.
 */
#include "family.h"

#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

enum { BLOCK = 512, BLOCKS = 64, SPACE = 20000 };

/* As the kernel keeps it at the address of a context (fs/aio.c). */
struct ring {
	unsigned id, nr, head, tail, magic, compat_features, incompat_features, header_length;
	struct io_event events[];
};

struct context {
	aio_context_t id;
	unsigned requests;
	/* Numbers of the requests submitted and of the events read so far. */
	unsigned submitted, read;
};

static struct context small, wrapped, full, large, moved, readable, waited, unused;
static struct ring *copies[8];
static int file, counter;
static char buffer[BLOCK];
static pthread_t waiter;

static void make(struct context *c, unsigned requests)
{
	*c = (struct context){ .requests = requests };
	if (syscall(SYS_io_setup, requests, &c->id) == -1)
		skip("io_setup: errno %d", errno);
}

static struct ring *ring_of(const struct context *c)
{
	return (struct ring *)c->id;
}

static unsigned unread(const struct context *c)
{
	const struct ring *ring = ring_of(c);

	return (ring->tail + ring->nr - ring->head) % ring->nr;
}

/* One request: a block is read. False when the context takes no more. */
static bool submit(struct context *c, bool told)
{
	static struct iocb requests[SPACE];
	struct iocb *r = &requests[c->submitted % SPACE];

	*r = (struct iocb){
		.aio_data = c->submitted * 3UL + c->requests,
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = file,
		.aio_buf = (uintptr_t)buffer,
		.aio_nbytes = BLOCK - c->submitted % 100,
		.aio_offset = c->submitted % BLOCKS * BLOCK,
		.aio_flags = told ? IOCB_FLAG_RESFD : 0,
		.aio_resfd = told ? counter : 0,
	};
	memset(buffer, 0, sizeof(buffer));
	if (syscall(SYS_io_submit, c->id, 1L, &r) != 1) {
		CHECK_EQ(errno, EAGAIN);
		return false;
	}
	/* The block that was asked for. */
	CHECK_EQ(buffer[0], (char)(c->submitted % BLOCKS + 1));
	c->submitted++;
	return true;
}

static void submit_many(struct context *c, unsigned n)
{
	while (n--)
		CHECK(submit(c, false));
}

static unsigned submit_all(struct context *c)
{
	unsigned n = 0;

	while (submit(c, false))
		n++;
	return n;
}

static void expect_next(struct context *c, const struct io_event *event)
{
	CHECK_EQ(event->data, c->read * 3UL + c->requests);
	CHECK_EQ(event->res, BLOCK - c->read % 100);
	CHECK_EQ(event->res2, 0);
	c->read++;
}

/* Reads @n events by the system call. */
static void read_events(struct context *c, unsigned n)
{
	struct timespec none = { 0 };
	struct io_event events[64];

	while (n) {
		unsigned lot = n < 64 ? n : 64;

		CHECK_EQ(syscall(SYS_io_getevents, c->id, (long)lot, (long)lot, events, &none), lot);
		for (unsigned i = 0; i < lot; i++)
			expect_next(c, &events[i]);
		n -= lot;
	}
}

/* Reads @n events as libraries do: without a system call. */
static void take_events(struct context *c, unsigned n)
{
	struct ring *ring = ring_of(c);

	while (n--) {
		CHECK(ring->head != ring->tail);
		expect_next(c, &ring->events[ring->head]);
		ring->head = (ring->head + 1) % ring->nr;
	}
}

static void is_empty(struct context *c)
{
	struct timespec none = { 0 };
	struct io_event event;

	CHECK_EQ(syscall(SYS_io_getevents, c->id, 0L, 1L, &event, &none), 0);
	CHECK_EQ(c->read, c->submitted);
	CHECK_EQ(unread(c), 0);
}

static void *wait_for_one(void *argument)
{
	struct io_event event;

	CHECK_EQ(syscall(SYS_io_getevents, waited.id, 1L, 1L, &event, NULL), 1);
	expect_next(&waited, &event);
	return NULL;
}

static struct context *const all[] = { &small, &wrapped, &full, &large, &moved, &readable, &waited, &unused };
enum { ALL = sizeof(all) / sizeof(all[0]) };

static size_t ring_bytes(const struct ring *ring)
{
	return ((sizeof(*ring) + ring->nr * sizeof(ring->events[0])) + PAGE - 1) & -PAGE;
}

static void copy_rings(void)
{
	for (int i = 0; i < ALL; i++) {
		size_t bytes = ring_bytes(ring_of(all[i]));

		copies[i] = map_private(bytes);
		memcpy(copies[i], ring_of(all[i]), bytes);
	}
}

static void expect_rings(void)
{
	for (int i = 0; i < ALL; i++) {
		const struct ring *now = ring_of(all[i]), *then = copies[i];

		CHECK_EQ(now->nr, then->nr);
		CHECK_EQ(now->head, then->head);
		CHECK_EQ(now->tail, then->tail);
		CHECK_EQ(now->magic, then->magic);
		CHECK_EQ(now->compat_features, then->compat_features);
		CHECK_EQ(now->incompat_features, then->incompat_features);
		CHECK_EQ(now->header_length, then->header_length);
		for (unsigned slot = then->head; slot != then->tail; slot = (slot + 1) % then->nr)
			CHECK(!memcmp(&now->events[slot], &then->events[slot], sizeof(now->events[slot])));
	}
}

static void prepare(void)
{
	void *place;
	size_t bytes;

	make(&small, 1);
	submit_many(&small, 10);
	read_events(&small, 5);

	make(&wrapped, 10);
	submit_many(&wrapped, ring_of(&wrapped)->nr - 7);
	read_events(&wrapped, 30);
	take_events(&wrapped, wrapped.submitted - 30);
	submit_many(&wrapped, 20);
	CHECK(ring_of(&wrapped)->tail < ring_of(&wrapped)->head);
	take_events(&wrapped, 3);

	make(&full, 20);
	submit_many(&full, 33);
	read_events(&full, 33);
	CHECK(submit_all(&full) >= full.requests);

	/* More events than one record holds. */
	make(&large, 6000);
	submit_many(&large, 10000);
	read_events(&large, 4700);

	make(&moved, 300);
	submit_many(&moved, 40);
	bytes = ring_bytes(ring_of(&moved));
	place = map(bytes + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
	CHECK(mremap((void *)moved.id, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, place + PAGE) == place + PAGE);
	moved.id = (aio_context_t)(place + PAGE);
	read_events(&moved, 20);

	make(&readable, 4);
	submit_many(&readable, 9);
	CHECK(mprotect((void *)readable.id, ring_bytes(ring_of(&readable)), PROT_READ) == 0);
	read_events(&readable, 2);

	make(&waited, 2);
	make(&unused, 100);
	for (int i = 0; i < 3; i++)
		CHECK(submit(&small, true));
}

static void check(void)
{
	struct pollfd told = { .fd = counter, .events = POLLIN };
	struct context fresh;
	uint64_t times;

	expect_rings();
	CHECK_EQ(poll(&told, 1, 0), 1);
	CHECK_EQ(read(counter, &times, sizeof(times)), sizeof(times));
	CHECK_EQ(times, 3);

	read_events(&small, 2);
	take_events(&small, 2);
	submit_many(&small, 4);
	read_events(&small, 8);
	take_events(&wrapped, 8);
	read_events(&wrapped, 9);

	/* There is no room for one more, and for that of one event that has been read, in lots that the kernel hands out. */
	CHECK(!submit(&full, false));
	read_events(&full, 15);
	CHECK(submit_all(&full) <= 15);
	read_events(&full, unread(&full));
	for (int i = 0; i < 3; i++) {
		unsigned room = submit_all(&full);

		CHECK(room >= full.requests && room < ring_of(&full)->nr);
		read_events(&full, room);
	}

	read_events(&large, 2000);
	take_events(&large, 300);
	read_events(&large, 3000);
	CHECK(submit_all(&large) >= large.requests);
	read_events(&large, unread(&large));
	read_events(&moved, 10);
	take_events(&moved, 10);
	read_events(&readable, 7);
	CHECK(mprotect((void *)readable.id, ring_bytes(ring_of(&readable)), PROT_READ | PROT_WRITE) == 0);
	CHECK(submit_all(&readable) >= readable.requests);
	take_events(&readable, unread(&readable));

	CHECK(submit(&waited, false));
	CHECK(pthread_join(waiter, NULL) == 0);
	CHECK(submit_all(&unused) >= unused.requests);
	read_events(&unused, unread(&unused));

	make(&fresh, 3);
	submit_many(&fresh, 3);
	read_events(&fresh, 3);
	CHECK(syscall(SYS_io_destroy, fresh.id) == 0);
	for (int i = 0; i < ALL; i++) {
		is_empty(all[i]);
		CHECK(syscall(SYS_io_destroy, all[i]->id) == 0);
		CHECK(syscall(SYS_io_destroy, all[i]->id) == -1 && errno == EINVAL);
		CHECK(msync((void *)all[i]->id, PAGE, MS_ASYNC) == -1 && errno == ENOMEM);
	}
}

int main(void)
{
	struct context first, of_child;
	struct gate gate;
	pid_t child;

	file = open("blocks", O_RDWR | O_CREAT | O_TRUNC, 0600);
	counter = eventfd(0, 0);
	CHECK(file >= 0 && counter >= 0);
	for (int i = 0; i < BLOCKS; i++) {
		memset(buffer, i + 1, sizeof(buffer));
		CHECK_EQ(write(file, buffer, sizeof(buffer)), sizeof(buffer));
	}

	/* Not the first index of the table. */
	make(&first, 1);
	prepare();
	CHECK(syscall(SYS_io_destroy, first.id) == 0);
	open_gate(&gate);
	child = fork_child();
	if (child == 0) {
		struct io_event event;

		CHECK(syscall(SYS_io_getevents, small.id, 0L, 1L, &event, NULL) == -1 && errno == EINVAL);
		make(&of_child, 50);
		submit_many(&of_child, 12);
		take_events(&of_child, 7);
		prepared(&gate);
		wait_go();
		read_events(&of_child, 5);
		is_empty(&of_child);
		CHECK(submit_all(&of_child) >= of_child.requests);
		pass_on();
	}
	wait_prepared(&gate);
	CHECK(pthread_create(&waiter, NULL, wait_for_one, NULL) == 0);
	copy_rings();
	sleep_ms(50);
	ready();
	wait_go();
	if (disturbed())
		ring_of(&wrapped)->head++;
	check();
	end_of(child);
	pass();
}
