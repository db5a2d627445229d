// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/* Kind regs: the bases of fs (thread-local storage) and gs are those of each thread. */
#include "target.h"

#include <asm/prctl.h>
#include <pthread.h>

static __thread uint64_t local;
static pthread_barrier_t barrier;

static uint64_t gs_word(void)
{
	uint64_t word;

	__asm__ volatile("mov %%gs:8, %0" : "=r"(word));
	return word;
}

static void check(uint64_t seed)
{
	uint64_t block[2] = { seed, seed * 1000 + 1 }, base = 0;

	local = seed;
	CHECK(syscall(SYS_arch_prctl, ARCH_SET_GS, block) == 0);
	pthread_barrier_wait(&barrier);
	if (seed == 1)
		ready();
	if (disturbed() && seed == 2)
		CHECK(syscall(SYS_arch_prctl, ARCH_SET_GS, &block[1]) == 0);
	wait_go();
	CHECK_EQ(local, seed);
	CHECK(syscall(SYS_arch_prctl, ARCH_GET_GS, &base) == 0);
	CHECK_EQ(base, (uintptr_t)block);
	CHECK_EQ(gs_word(), seed * 1000 + 1);
	CHECK(syscall(SYS_arch_prctl, ARCH_GET_FS, &base) == 0);
	CHECK_EQ(base, (uintptr_t)pthread_self());
}

static void *thread_main(void *argument)
{
	check((uintptr_t)argument);
	return NULL;
}

int main(void)
{
	pthread_t threads[3];

	pthread_barrier_init(&barrier, NULL, 4);
	for (uintptr_t i = 0; i < 3; i++)
		CHECK(pthread_create(&threads[i], NULL, thread_main, (void *)(i + 2)) == 0);
	check(1);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	pass();
}
