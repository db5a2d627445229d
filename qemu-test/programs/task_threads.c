// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/* Kind tree: many threads; each comes back with its id, its stack and its own thread-local data. Usage: task_threads N */
#include "target.h"

#include <pthread.h>

static __thread uint64_t local;
static pthread_barrier_t barrier;
/* The more threads, the less often each looks whether it may go: a thousand would leave the processor to nobody else. */
static long period_ms = 100;

static void *thread_main(void *argument)
{
	uint64_t me = (uintptr_t)argument, stack[32];
	pid_t tid = syscall(SYS_gettid);

	local = me * 7;
	fill(stack, sizeof(stack), me);
	pthread_barrier_wait(&barrier);
	if (disturbed() && me == 5)
		local++;
	while (!go_given())
		sleep_ms(period_ms);
	CHECK_FILLED(stack, sizeof(stack), me);
	CHECK_EQ(local, me * 7);
	CHECK_EQ(syscall(SYS_gettid), tid);
	return NULL;
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 100;
	pthread_t threads[count];
	pthread_attr_t attributes;
	pid_t pid = getpid();

	if (period_ms < count)
		period_ms = count;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 65536);
	pthread_barrier_init(&barrier, NULL, count + 1);
	for (uintptr_t i = 0; i < (uintptr_t)count; i++)
		CHECK(pthread_create(&threads[i], &attributes, thread_main, (void *)(i + 1)) == 0);
	pthread_barrier_wait(&barrier);
	ready();
	wait_go();
	for (int i = 0; i < count; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK_EQ(getpid(), pid);
	pass();
}
