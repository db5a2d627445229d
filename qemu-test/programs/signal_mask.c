// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/* Kind signal: each thread has its own blocked signals. */
#include "target.h"

#include <pthread.h>
#include <signal.h>

static pthread_barrier_t barrier;

static uint64_t mask_of(unsigned me)
{
	return me ? 0x0101010100000000ULL << me | 1ULL << (10 + me) : 0xfffffffe00000200ULL;
}

static void check(unsigned me)
{
	uint64_t mask = mask_of(me), now = 0;

	CHECK(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8) == 0);
	pthread_barrier_wait(&barrier);
	if (me == 0)
		ready();
	if (disturbed() && me == 2)
		mask++, syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8);
	wait_go();
	CHECK(syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &now, 8) == 0);
	CHECK_EQ(now, mask_of(me));
}

static void *thread_main(void *argument)
{
	check((uintptr_t)argument);
	return NULL;
}

int main(void)
{
	pthread_t threads[4];

	pthread_barrier_init(&barrier, NULL, 5);
	for (uintptr_t i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, thread_main, (void *)(i + 1)) == 0);
	check(0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	pass();
}
