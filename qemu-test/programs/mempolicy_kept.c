// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind mempolicy: NUMA policies of two threads, and of mappings and parts of mappings. An argument: all of it in a child.
 */
#include "target.h"

#include <linux/mempolicy.h>
#include <pthread.h>

#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif

static pthread_barrier_t barrier;

static void set(int mode, unsigned long nodes)
{
	CHECK(syscall(SYS_set_mempolicy, mode, nodes ? &nodes : NULL, 64) == 0);
}

/* The policy of the thread, or of the memory at an address. */
static void check(const void *address, int mode, unsigned long nodes)
{
	unsigned long mask[16] = { 0 };
	int now = -1;

	CHECK(syscall(SYS_get_mempolicy, &now, mask, 1024, address, address ? MPOL_F_ADDR : 0) == 0);
	CHECK_EQ(now, mode);
	CHECK_EQ(mask[0], nodes);
}

static void bind_to(void *memory, size_t length, int mode, unsigned long nodes)
{
	CHECK(syscall(SYS_mbind, memory, length, mode, nodes ? &nodes : NULL, 64, 0) == 0);
}

static void *thread_main(void *argument)
{
	(void)argument;
	set(MPOL_BIND | MPOL_F_STATIC_NODES, 1);
	pthread_barrier_wait(&barrier);
	wait_go();
	check(NULL, MPOL_BIND | MPOL_F_STATIC_NODES, 1);
	return NULL;
}

int main(int argc, char **argv)
{
	enum { LENGTH = 16 * PAGE };
	char *memory, *file;
	pthread_t thread;
	int fd;

	(void)argv;
	if (syscall(SYS_get_mempolicy, NULL, NULL, 0, NULL, 0) == -1)
		skip("no NUMA: errno %d", errno);
	if (argc > 1)
		go_on_in_child();
	pthread_barrier_init(&barrier, NULL, 2);
	CHECK(pthread_create(&thread, NULL, thread_main, NULL) == 0);
	memory = map_private(LENGTH);
	fill(memory, LENGTH, 1);
	fd = open("/proc/self/exe", O_RDONLY);
	file = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(file != MAP_FAILED);
	close(fd);
	file[0] = 77;
	set(MPOL_INTERLEAVE, 1);
	bind_to(memory, 4 * PAGE, MPOL_BIND, 1);
	CHECK(syscall(SYS_set_mempolicy_home_node, memory, 4 * PAGE, 0, 0) == 0);
	bind_to(memory + 4 * PAGE, 2 * PAGE, MPOL_PREFERRED | MPOL_F_RELATIVE_NODES, 1);
	bind_to(memory + 8 * PAGE, 2 * PAGE, MPOL_LOCAL, 0);
	bind_to(file, PAGE, MPOL_PREFERRED_MANY, 1);
	pthread_barrier_wait(&barrier);
	ready();
	if (disturbed())
		bind_to(memory, PAGE, MPOL_DEFAULT, 0);
	wait_go();
	pthread_join(thread, NULL);
	check(NULL, MPOL_INTERLEAVE, 1);
	check(memory, MPOL_BIND, 1);
	check(memory + 3 * PAGE, MPOL_BIND, 1);
	check(memory + 5 * PAGE, MPOL_PREFERRED | MPOL_F_RELATIVE_NODES, 1);
	check(memory + 6 * PAGE, MPOL_DEFAULT, 0);
	check(memory + 8 * PAGE, MPOL_LOCAL, 0);
	check(file, MPOL_PREFERRED_MANY, 1);
	CHECK_EQ(file[0], 77);
	CHECK_FILLED(memory, LENGTH, 1);
	pass();
}
