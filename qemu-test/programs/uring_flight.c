// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind task: a request of io_uring that is in flight when its ring is closed, of a device that takes its time (/dev/nbd0, see
 * block_held.c). What was asked for is read all the same.
 * With "exec" it becomes another program meanwhile, which waits for the request.
 */
#include "target.h"

#include <linux/io_uring.h>

/* What waits until the request is done, with locks. */
static void leave(char **argv)
{
	say("expect did not stop in time");
	ready();
	execl("/proc/self/exe", argv[0], "after", NULL);
	fail("exec: errno %d", errno);
}

int main(int argc, char **argv)
{
	int fd = open("/dev/nbd0", O_RDONLY | O_DIRECT);
	struct io_uring_params p = { 0 };
	int ring = syscall(SYS_io_uring_setup, 4, &p);
	size_t size = p.sq_off.array + p.sq_entries * sizeof(uint32_t);
	volatile char *page = map_private(PAGE);
	struct io_uring_sqe *sqe;
	char *rings;

	if (argc > 1 && strcmp(argv[1], "after") == 0) {
		wait_go();
		pass();
	}
	CHECK(fd >= 0);
	if (ring < 0)
		skip("io_uring_setup: errno %d", errno);
	rings = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	sqe = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	CHECK(rings != MAP_FAILED && sqe != MAP_FAILED);
	*sqe = (struct io_uring_sqe){ .opcode = IORING_OP_READ, .fd = fd, .addr = (uintptr_t)page, .len = PAGE };
	*(uint32_t *)(rings + p.sq_off.array) = 0;
	__atomic_store_n((uint32_t *)(rings + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	CHECK_EQ(syscall(SYS_io_uring_enter, ring, 1, 0, 0, NULL, 0), 1);
	if (argc > 1)
		leave(argv);
	CHECK(munmap(rings, size) == 0 && munmap(sqe, PAGE) == 0 && close(ring) == 0 && close(fd) == 0);
	say("expect requests of io_uring are in flight");
	ready();
	while (page[PAGE - 1] != 0x5a)
		sleep_ms(10);
	/* The kernel is done with it some moments later. */
	sleep_ms(200);
	say("read");
	wait_go();
	for (unsigned i = 0; i < PAGE; i++)
		CHECK_EQ(page[i], 0x5a);
	pass();
}
