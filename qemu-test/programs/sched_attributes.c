// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/* Kind sched: policy, priority, nice, affinity and timer slack of each thread. */
#include "target.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#ifndef SCHED_RESET_ON_FORK
#define SCHED_RESET_ON_FORK 0x40000000
#endif

static const struct {
	int policy, priority, nice;
	unsigned long slack;
} wanted[] = {
	{ SCHED_OTHER, 0, 3, 50000 },
	{ SCHED_FIFO, 7, 0, 50000 },
	{ SCHED_RR | SCHED_RESET_ON_FORK, 3, 0, 50000 },
	{ SCHED_BATCH, 0, 11, 123456 },
	{ SCHED_IDLE, 0, 0, 1000000000 },
	{ SCHED_OTHER, 0, -5, 1 },
};

enum { THREADS = sizeof(wanted) / sizeof(wanted[0]) };

static pthread_barrier_t barrier;

static void check(unsigned me)
{
	struct sched_param parameters = { wanted[me].priority };
	bool real_time = wanted[me].priority > 0;
	pid_t tid = syscall(SYS_gettid);
	cpu_set_t one, now;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (wanted[me].nice)
		CHECK(setpriority(PRIO_PROCESS, tid, wanted[me].nice) == 0);
	CHECK(sched_setscheduler(tid, wanted[me].policy, &parameters) == 0);
	if (me & 1)
		CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	if (!real_time)
		CHECK(prctl(PR_SET_TIMERSLACK, wanted[me].slack) == 0);
	CHECK(sched_getaffinity(0, sizeof(one), &one) > 0 || true);
	pthread_barrier_wait(&barrier);
	if (me == 0)
		ready();
	if (disturbed() && me == 3)
		CHECK(setpriority(PRIO_PROCESS, tid, 12) == 0);
	wait_go();
	CHECK_EQ(sched_getscheduler(tid), wanted[me].policy);
	CHECK(sched_getparam(tid, &parameters) == 0);
	CHECK_EQ(parameters.sched_priority, wanted[me].priority);
	CHECK_EQ(getpriority(PRIO_PROCESS, tid), wanted[me].nice);
	CHECK_EQ(sched_getaffinity(0, sizeof(now), &now), 0);
	CHECK(CPU_EQUAL(&now, &one));
	if (!real_time)
		CHECK_EQ(prctl(PR_GET_TIMERSLACK), wanted[me].slack);
}

static void *thread_main(void *argument)
{
	check((uintptr_t)argument);
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (uintptr_t i = 1; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, thread_main, (void *)i) == 0);
	check(0);
	for (int i = 1; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pass();
}
