// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind task: threads that have used io_uring, and have closed their rings. Nothing of them is left to be saved; the next ring works as the first.
 */
#include "family.h"

#include <linux/io_uring.h>
#include <pthread.h>

/* One request through a ring of its own. */
static void use_ring(void)
{
	struct io_uring_params p = { 0 };
	int fd = syscall(SYS_io_uring_setup, 4, &p);
	size_t size = p.sq_off.array + p.sq_entries * sizeof(uint32_t);
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	char *rings;

	if (fd < 0)
		skip("io_uring_setup: errno %d", errno);
	rings = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
	sqe = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQES);
	CHECK(rings != MAP_FAILED && sqe != MAP_FAILED);
	*sqe = (struct io_uring_sqe){ .opcode = IORING_OP_NOP, .user_data = 4711 };
	*(uint32_t *)(rings + p.sq_off.array) = 0;
	__atomic_store_n((uint32_t *)(rings + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	CHECK_EQ(syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0), 1);
	CHECK_EQ(*(uint32_t *)(rings + p.cq_off.tail), 1);
	cqe = (struct io_uring_cqe *)(rings + p.cq_off.cqes);
	CHECK_EQ(cqe->user_data, 4711);
	CHECK_EQ(cqe->res, 0);
	CHECK(munmap(rings, size) == 0 && munmap(sqe, PAGE) == 0 && close(fd) == 0);
}

static void *thread(void *argument)
{
	use_ring();
	prepared(argument);
	wait_go();
	use_ring();
	return NULL;
}

int main(void)
{
	struct gate gate;
	pthread_t other;

	use_ring();
	open_gate(&gate);
	/* The thread shares the descriptors: it is the one that closes them. */
	CHECK(pthread_create(&other, NULL, thread, &gate) == 0);
	while (fcntl(gate.ends[0], F_GETFD) >= 0 || fcntl(gate.ends[1], F_GETFD) >= 0)
		sleep_ms(1);
	ready();
	wait_go();
	use_ring();
	CHECK(pthread_join(other, NULL) == 0);
	pass();
}
