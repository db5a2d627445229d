// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/* Kind task: the restartable sequences area that libc registered is still registered, in each thread, and is served. */
#include "target.h"

#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/rseq.h>

static pthread_barrier_t barrier;

static struct rseq *area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

static void check(unsigned me)
{
	pthread_barrier_wait(&barrier);
	if (me == 0)
		ready();
	if (disturbed() && me == 1)
		CHECK(syscall(SYS_rseq, area(), 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG) == 0);
	wait_go();
	/* A second registration of the same area is refused with EBUSY, one of another with EINVAL. */
	CHECK(syscall(SYS_rseq, area(), __rseq_size < 32 ? 32 : __rseq_size, 0, RSEQ_SIG) == -1);
	CHECK_EQ(errno, EBUSY);
	/* The kernel writes the number of the CPU on the next return to user mode after a preemption. */
	area()->cpu_id_start = area()->cpu_id_start;
	sched_yield();
	sleep_ms(5);
	CHECK((int)area()->cpu_id >= 0);
	CHECK_EQ(area()->cpu_id, area()->cpu_id_start);
	CHECK_EQ(sched_getcpu() >= 0, true);
}

static void *thread_main(void *argument)
{
	check((uintptr_t)argument);
	return NULL;
}

int main(void)
{
	pthread_t threads[2];

	if (__rseq_size == 0)
		skip("libc registers no rseq area");
	pthread_barrier_init(&barrier, NULL, 3);
	for (uintptr_t i = 0; i < 2; i++)
		CHECK(pthread_create(&threads[i], NULL, thread_main, (void *)(i + 1)) == 0);
	check(0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	pass();
}
