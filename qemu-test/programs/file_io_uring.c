// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind io_uring: rings in which nothing is in flight, each with something else to keep. The argument: which.
 */
#include "uring.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

/*
 * Completions that have not been read, and an entry that has not been submitted; a child has the ring too; indices are not at zero. One that
 * can be made longer has been.
 */
static void keeps_queues(unsigned flags)
{
	struct gate gate;
	struct ring r;
	char *hole;
	pid_t child;

	make_ring(&r, 8, flags, 32);
	map_ring(&r);
	for (unsigned i = 0; i < 50; i++)
		try_ring(&r, 1000 + i);
	if (flags & IORING_SETUP_DEFER_TASKRUN) {
		CHECK(munmap(r.rings, r.size) == 0 && munmap(r.sqes, r.sqes_size) == 0);
		resize_ring(&r, 256);
	}
	for (unsigned i = 0; i < 5; i++)
		put_nop(&r, i);
	CHECK_EQ(enter(&r, 5, 5), 5);
	CHECK_EQ(take_cqe(&r, 0), 0);
	CHECK_EQ(take_cqe(&r, 1), 0);
	put_nop(&r, 5);
	put_nop(&r, 6);
	CHECK(mprotect(r.sqes, r.sqes_size, PROT_READ) == 0);
	hole = mmap(NULL, r.size, PROT_READ, MAP_SHARED, r.fd, IORING_OFF_CQ_RING);
	CHECK(hole != MAP_FAILED);
	child = fork_waiting(&gate);
	if (child == 0) {
		CHECK_EQ(unread(&r), 3);
		CHECK_EQ(memcmp(hole, r.rings, 64), 0);
		if (!(flags & IORING_SETUP_SINGLE_ISSUER)) {
			CHECK_EQ(enter(&r, 1, 4), 1);
			CHECK_EQ(unread(&r), 4);
		}
		pass_on();
	}
	close(gate.ends[0]);
	ready();
	wait_go();
	if (disturbed())
		*in_ring(&r, r.p.cq_off.head) += 1;
	go_on(&gate);
	end_of(child);
	CHECK_EQ(memcmp(hole, r.rings, 64), 0);
	CHECK_EQ(take_cqe(&r, 2), 0);
	CHECK_EQ(take_cqe(&r, 3), 0);
	CHECK_EQ(take_cqe(&r, 4), 0);
	if (flags & IORING_SETUP_SINGLE_ISSUER)
		CHECK_EQ(enter(&r, 1, 1), 1);
	CHECK_EQ(take_cqe(&r, 5), 0);
	CHECK_EQ(unread(&r), 0);
	CHECK_EQ(enter(&r, 1, 1), 1);
	CHECK_EQ(take_cqe(&r, 6), 0);
	CHECK(mprotect(r.sqes, r.sqes_size, PROT_READ | PROT_WRITE) == 0);
	for (unsigned i = 0; i < 50; i++)
		try_ring(&r, i);
	pass();
}

/* Files and buffers, empty slots between them; a file that nothing else refers to. */
static void keeps_files_and_buffers(void)
{
	static const char text[] = "what the ring reads";
	struct io_uring_rsrc_register sparse = { .nr = 9, .flags = IORING_RSRC_REGISTER_SPARSE };
	struct io_uring_file_index_range range = { .off = 4, .len = 5 };
	char *memory = map_private(64 * PAGE), *small;
	struct io_uring_rsrc_update2 update = {};
	struct iovec buffer;
	uint64_t tag = 77, told = 0;
	int fd, event, event_again;
	struct ring r, plain;

	make_ring(&plain, 1, 0, 0);
	make_ring(&r, 4, 0, 0);
	map_ring(&r);
	fill(memory, 64 * PAGE, 5);
	fd = open("kept-by-ring", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0 && write(fd, text, sizeof(text)) == sizeof(text));
	CHECK_EQ(enroll(&r, IORING_REGISTER_FILES2, &sparse, sizeof(sparse)), 0);
	update = (struct io_uring_rsrc_update2){ .offset = 2, .data = (uintptr_t)&fd, .tags = (uintptr_t)&tag, .nr = 1 };
	CHECK_EQ(enroll(&r, IORING_REGISTER_FILES_UPDATE2, &update, sizeof(update)), 1);
	CHECK_EQ(enroll(&r, IORING_REGISTER_FILE_ALLOC_RANGE, &range, 0), 0);
	/* The next file goes behind that which came last. */
	for (unsigned slot = 7; slot >= 4; slot -= 3) {
		update = (struct io_uring_rsrc_update2){ .offset = slot, .data = (uintptr_t)&fd, .nr = 1 };
		CHECK_EQ(enroll(&r, IORING_REGISTER_FILES_UPDATE2, &update, sizeof(update)), 1);
	}
	CHECK(close(fd) == 0);
	CHECK_EQ(enroll(&r, IORING_REGISTER_BUFFERS2, &sparse, sizeof(sparse)), 0);
	for (unsigned i = 0; i < 2; i++) {
		buffer = i ? (struct iovec){ memory + 16 * PAGE + 100, 40 * PAGE } : (struct iovec){ memory + 10, 100 };
		update = (struct io_uring_rsrc_update2){ .offset = 1 + 5 * i, .data = (uintptr_t)&buffer, .nr = 1 };
		CHECK_EQ(enroll(&r, IORING_REGISTER_BUFFERS_UPDATE, &update, sizeof(update)), 1);
	}
	event = eventfd(0, EFD_NONBLOCK);
	CHECK(event >= 0 && (event_again = dup(event)) >= 0);
	CHECK_EQ(enroll(&r, IORING_REGISTER_EVENTFD, &event, 1), 0);
	CHECK(close(event) == 0);
	ready();
	wait_go();
	if (disturbed())
		CHECK_EQ(enroll(&r, IORING_UNREGISTER_BUFFERS, NULL, 0), 0);
	CHECK_EQ(unfilled(memory, 64 * PAGE, 5), -1);
	CHECK_EQ(read(event_again, &told, sizeof(told)), -1);
	for (unsigned i = 0; i < 2; i++) {
		small = i ? memory + 16 * PAGE + 100 + 30 * PAGE : memory + 10;
		memset(small, 0, sizeof(text));
		put_sqe(&r, &(struct io_uring_sqe){ .opcode = IORING_OP_READ_FIXED, .flags = IOSQE_FIXED_FILE, .fd = 2,
						    .addr = (uintptr_t)small, .len = sizeof(text), .buf_index = 1 + 5 * i,
						    .user_data = i });
		CHECK_EQ(enter(&r, 1, 1), 1);
		CHECK_EQ(take_cqe(&r, i), sizeof(text));
		CHECK_EQ(memcmp(small, text, sizeof(text)), 0);
	}
	CHECK_EQ(read(event_again, &told, sizeof(told)), sizeof(told));
	CHECK(told != 0);
	/* The kernel chooses a slot from the range. */
	put_sqe(&r, &(struct io_uring_sqe){ .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t)"kept-by-ring",
					    .file_index = IORING_FILE_INDEX_ALLOC, .user_data = 3 });
	CHECK_EQ(enter(&r, 1, 1), 1);
	CHECK_EQ(take_cqe(&r, 3), 5);
	/* It says when it lets the first file go. */
	fd = -1;
	update = (struct io_uring_rsrc_update2){ .offset = 2, .data = (uintptr_t)&fd, .nr = 1 };
	CHECK_EQ(enroll(&r, IORING_REGISTER_FILES_UPDATE2, &update, sizeof(update)), 1);
	CHECK_EQ(enter(&r, 0, 1), 0);
	CHECK_EQ(take_cqe(&r, tag), 0);
	map_ring(&plain);
	try_ring(&plain, 8);
	pass();
}

/* More completions than there is room for. */
static void keeps_overflow(void)
{
	struct ring r;

	make_ring(&r, 4, 0, 4);
	map_ring(&r);
	for (unsigned i = 0; i < 13; i++) {
		put_nop(&r, i);
		CHECK_EQ(syscall(SYS_io_uring_enter, r.fd, 1, 0, 0, NULL, 0), 1);
	}
	CHECK_EQ(unread(&r), 4);
	ready();
	wait_go();
	if (disturbed())
		*in_ring(&r, r.p.cq_off.head) += 1;
	CHECK(*in_ring(&r, r.p.sq_off.flags) & IORING_SQ_CQ_OVERFLOW);
	for (unsigned i = 0; i < 13; i++) {
		if (!unread(&r))
			CHECK_EQ(enter(&r, 0, 1), 0);
		CHECK_EQ(take_cqe(&r, i), 0);
	}
	CHECK(!(*in_ring(&r, r.p.sq_off.flags) & IORING_SQ_CQ_OVERFLOW));
	try_ring(&r, 99);
	pass();
}

/* One that takes no requests yet. */
static void keeps_disabled(void)
{
	struct ring r;

	make_ring(&r, 4, IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER, 0);
	map_ring(&r);
	put_nop(&r, 1);
	ready();
	wait_go();
	if (disturbed())
		*in_ring(&r, r.p.sq_off.tail) += 1;
	CHECK(enter(&r, 1, 0) < 0 && errno == EBADFD);
	CHECK_EQ(enroll(&r, IORING_REGISTER_ENABLE_RINGS, NULL, 0), 0);
	CHECK_EQ(enter(&r, 1, 1), 1);
	CHECK_EQ(take_cqe(&r, 1), 0);
	CHECK_EQ(unread(&r), 0);
	CHECK_EQ(enter(&r, 1, 0), 0);
	pass();
}

/* A request that comes to its end while the program stands still, and that needs its task for that. */
static void waits_for_timeout(unsigned flags)
{
	struct __kernel_timespec second = { .tv_sec = 1 };
	struct ring r;

	make_ring(&r, 4, flags, 0);
	map_ring(&r);
	put_sqe(&r, &(struct io_uring_sqe){ .opcode = IORING_OP_TIMEOUT, .fd = -1, .addr = (uintptr_t)&second, .len = 1,
					    .user_data = 5 });
	CHECK_EQ(syscall(SYS_io_uring_enter, r.fd, 1, 0, 0, NULL, 0), 1);
	ready();
	wait_go();
	if (disturbed())
		*in_ring(&r, r.p.cq_off.head) += 1;
	CHECK(enter(&r, 0, 1) == 0);
	CHECK_EQ((int)take_cqe(&r, 5), -ETIME);
	try_ring(&r, 6);
	pass();
}

/* Requests that do not come to their end by themselves. */
static void holds_requests(void)
{
	struct ring r;
	int ends[2];
	char byte;

	make_ring(&r, 4, 0, 0);
	map_ring(&r);
	CHECK(pipe(ends) == 0);
	put_sqe(&r, &(struct io_uring_sqe){ .opcode = IORING_OP_POLL_ADD, .fd = ends[0], .poll32_events = POLLIN,
					    .user_data = 1 });
	put_sqe(&r, &(struct io_uring_sqe){ .opcode = IORING_OP_READ, .flags = IOSQE_ASYNC, .fd = ends[0],
					    .addr = (uintptr_t)&byte, .len = 1, .user_data = 2 });
	CHECK_EQ(syscall(SYS_io_uring_enter, r.fd, 2, 0, 0, NULL, 0), 2);
	ready();
	wait_go();
	CHECK_EQ(unread(&r), 0);
	CHECK_EQ(write(ends[1], "z", 1), 1);
	CHECK_EQ(enter(&r, 0, 2), 0);
	for (unsigned i = 0; i < 2; i++) {
		struct io_uring_cqe *cqe = (struct io_uring_cqe *)(r.rings + r.p.cq_off.cqes) + i;

		CHECK_EQ(cqe->res, cqe->user_data == 1 ? POLLIN : 1);
	}
	CHECK_EQ(byte, 'z');
	pass();
}

static void *wait_in_ring(void *argument)
{
	struct ring *r = argument;

	/* With nothing to submit it goes on waiting; with something it says that it has submitted that. */
	CHECK_EQ(enter(r, 0, 1), 0);
	CHECK_EQ(take_cqe(r, 7), 0);
	return NULL;
}

/* One that has submitted something says so, perhaps before all that it waits for is there. */
static void *submit_and_wait(void *argument)
{
	struct ring *r = argument;

	put_nop(r, 11);
	CHECK_EQ(enter(r, 1, 2), 1);
	CHECK_EQ(take_cqe(r, 11), 0);
	while (!unread(r))
		CHECK_EQ(enter(r, 0, 1), 0);
	CHECK_EQ(take_cqe(r, 12), 0);
	return NULL;
}

/* A thread that waits for completions, the last of which another one brings about. */
static void keeps_waiting(void *(*wait)(void *), uint64_t last)
{
	pthread_t waiter;
	struct ring r;

	make_ring(&r, 4, 0, 0);
	map_ring(&r);
	try_ring(&r, 1);
	CHECK(pthread_create(&waiter, NULL, wait, &r) == 0);
	sleep_ms(50);
	ready();
	wait_go();
	put_nop(&r, disturbed() ? 0 : last);
	CHECK_EQ(syscall(SYS_io_uring_enter, r.fd, 1, 0, 0, NULL, 0), 1);
	CHECK(pthread_join(waiter, NULL) == 0);
	pass();
}

static void *wait_until_go(void *argument)
{
	CHECK_EQ(enter(argument, 0, 1), 0);
	return NULL;
}

/* Number of the thread that is not the first one. */
static int other_thread(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int tid = 0;

	CHECK(dir);
	while (!tid && (entry = readdir(dir)))
		tid = atoi(entry->d_name) == getpid() ? 0 : atoi(entry->d_name);
	closedir(dir);
	CHECK(tid);
	return tid;
}

/* A thread that waits for a ring, which has another descriptor only by then. */
static void loses_the_descriptor(bool is_covered)
{
	struct ring r, other;
	pthread_t waiter;
	char inside[8] = "";

	make_ring(&r, 4, 0, 0);
	map_ring(&r);
	other = r;
	other.fd = dup(r.fd);
	CHECK(other.fd >= 0 && pthread_create(&waiter, NULL, wait_until_go, &r) == 0);
	while (atoi(inside) != SYS_io_uring_enter) {
		char path[64];
		int fd;

		sleep_ms(10);
		snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", other_thread());
		fd = open(path, O_RDONLY);
		CHECK(fd >= 0 && read(fd, inside, sizeof(inside) - 1) > 0 && close(fd) == 0);
	}
	if (is_covered)
		CHECK_EQ(dup2(STDOUT_FILENO, r.fd), r.fd);
	else
		CHECK_EQ(close(r.fd), 0);
	ready();
	wait_go();
	put_nop(&other, 7);
	CHECK_EQ(syscall(SYS_io_uring_enter, other.fd, 1, 0, 0, NULL, 0), 1);
	CHECK(pthread_join(waiter, NULL) == 0);
	CHECK_EQ(take_cqe(&other, 7), 0);
	pass();
}

/* A request that only what comes from elsewhere completes. */
static void only_polls(void)
{
	struct ring r;
	int ends[2];

	make_ring(&r, 4, 0, 0);
	map_ring(&r);
	CHECK(pipe(ends) == 0);
	put_sqe(&r, &(struct io_uring_sqe){ .opcode = IORING_OP_POLL_ADD, .fd = ends[0], .poll32_events = POLLIN, .user_data = 1 });
	CHECK_EQ(syscall(SYS_io_uring_enter, r.fd, 1, 0, 0, NULL, 0), 1);
	ready();
	wait_go();
	CHECK_EQ(write(ends[1], "z", 1), 1);
	CHECK_EQ(enter(&r, 0, 1), 0);
	CHECK_EQ((int)take_cqe(&r, 1), POLLIN);
	pass();
}

/* The kernel's own threads, which have worked for a ring, are no part of the program. */
static void keeps_workers(void)
{
	struct ring r;
	char byte = 0;
	int ends[2];

	make_ring(&r, 4, 0, 0);
	map_ring(&r);
	CHECK(pipe(ends) == 0);
	put_sqe(&r, &(struct io_uring_sqe){ .opcode = IORING_OP_WRITE, .flags = IOSQE_ASYNC, .fd = ends[1],
					    .addr = (uintptr_t)"x", .len = 1, .user_data = 1 });
	CHECK_EQ(enter(&r, 1, 1), 1);
	CHECK_EQ(take_cqe(&r, 1), 1);
	ready();
	wait_go();
	CHECK(read(ends[0], &byte, 1) == 1 && byte == 'x');
	put_sqe(&r, &(struct io_uring_sqe){ .opcode = IORING_OP_WRITE, .flags = IOSQE_ASYNC, .fd = ends[1],
					    .addr = (uintptr_t)"y", .len = 1, .user_data = 2 });
	CHECK_EQ(enter(&r, 1, 1), 1);
	CHECK_EQ(take_cqe(&r, disturbed() ? 1 : 2), 1);
	CHECK(read(ends[0], &byte, 1) == 1 && byte == 'y');
	pass();
}

/* A ring that is known by its place among those that the thread has registered. */
static void keeps_registered(void)
{
	struct io_uring_rsrc_update place = { .offset = 3 };
	struct ring r;

	make_ring(&r, 4, 0, 0);
	map_ring(&r);
	place.data = r.fd;
	CHECK_EQ(enroll(&r, IORING_REGISTER_RING_FDS, &place, 1), 1);
	CHECK_EQ(place.offset, 3);
	CHECK(close(r.fd) == 0);
	ready();
	wait_go();
	put_nop(&r, 9);
	CHECK_EQ(syscall(SYS_io_uring_enter, disturbed() ? 2 : 3, 1, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_REGISTERED_RING,
			 NULL, 0), 1);
	CHECK_EQ(take_cqe(&r, 9), 0);
	pass();
}

/* One of all. */
static void keeps_all(void)
{
	struct io_uring_rsrc_register sparse = { .nr = 9, .flags = IORING_RSRC_REGISTER_SPARSE };
	struct io_uring_rsrc_update2 update = { .offset = 3, .nr = 1 };
	struct iovec buffer = { map_private(4 * PAGE), 4 * PAGE };
	uint32_t limits[2] = { 3, 5 };
	int event = eventfd(0, 0);
	struct ring r;

	make_ring(&r, 4, IORING_SETUP_SINGLE_ISSUER, 4);
	map_ring(&r);
	CHECK_EQ(enroll(&r, IORING_REGISTER_FILES2, &sparse, sizeof(sparse)), 0);
	CHECK_EQ(enroll(&r, IORING_REGISTER_BUFFERS2, &sparse, sizeof(sparse)), 0);
	update.data = (uintptr_t)&event;
	CHECK_EQ(enroll(&r, IORING_REGISTER_FILES_UPDATE2, &update, sizeof(update)), 1);
	update.data = (uintptr_t)&buffer;
	CHECK_EQ(enroll(&r, IORING_REGISTER_BUFFERS_UPDATE, &update, sizeof(update)), 1);
	CHECK_EQ(enroll(&r, IORING_REGISTER_EVENTFD_ASYNC, &event, 1), 0);
	CHECK_EQ(enroll(&r, IORING_REGISTER_IOWQ_MAX_WORKERS, limits, 2), 0);
	for (unsigned i = 0; i < 7; i++) {
		put_nop(&r, i);
		CHECK_EQ(syscall(SYS_io_uring_enter, r.fd, 1, 0, 0, NULL, 0), 1);
	}
	ready();
	wait_go();
	limits[0] = limits[1] = 0;
	CHECK_EQ(enroll(&r, IORING_REGISTER_IOWQ_MAX_WORKERS, limits, 2), 0);
	CHECK_EQ(limits[0], disturbed() ? 0 : 3);
	CHECK_EQ(limits[1], 5);
	for (unsigned i = 0; i < 7; i++) {
		if (!unread(&r))
			CHECK_EQ(enter(&r, 0, 1), 0);
		CHECK_EQ(take_cqe(&r, i), 0);
	}
	pass();
}

int main(int argc, char **argv)
{
	const char *which = argc > 1 ? argv[1] : "queues";

	if (strcmp(which, "queues") == 0)
		keeps_queues(0);
	else if (strcmp(which, "long") == 0)
		keeps_queues(IORING_SETUP_SQE128 | IORING_SETUP_CQE32 | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN);
	else if (strcmp(which, "deferred") == 0)
		keeps_queues(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_NO_SQARRAY);
	else if (strcmp(which, "kept") == 0)
		keeps_files_and_buffers();
	else if (strcmp(which, "overflow") == 0)
		keeps_overflow();
	else if (strcmp(which, "timeout") == 0)
		waits_for_timeout(0);
	else if (strcmp(which, "deferred_timeout") == 0)
		waits_for_timeout(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
	else if (strcmp(which, "poll") == 0)
		holds_requests();
	else if (strcmp(which, "waiting") == 0)
		keeps_waiting(wait_in_ring, 7);
	else if (strcmp(which, "submitting") == 0)
		keeps_waiting(submit_and_wait, 12);
	else if (strcmp(which, "closed") == 0)
		loses_the_descriptor(false);
	else if (strcmp(which, "covered") == 0)
		loses_the_descriptor(true);
	else if (strcmp(which, "only_polls") == 0)
		only_polls();
	else if (strcmp(which, "workers") == 0)
		keeps_workers();
	else if (strcmp(which, "all") == 0)
		keeps_all();
	else if (strcmp(which, "registered") == 0)
		keeps_registered();
	else
		keeps_disabled();
}
