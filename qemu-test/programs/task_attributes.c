// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind task: name of each thread, personality, dumpable, no_new_privs; with a second argument the signal at the death
 * of the parent. Usage: task_attributes [DUMPABLE [SIGNAL]]
 */
#include "target.h"

#include <pthread.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>

static pthread_barrier_t barrier;

static void check(unsigned me)
{
	static const char *const names[3] = { "the leader", "fifteen letters", "\x01 odd (name) )" };
	char name[17] = "";

	CHECK(prctl(PR_SET_NAME, names[me]) == 0);
	pthread_barrier_wait(&barrier);
	if (me == 0)
		ready();
	if (disturbed() && me == 1)
		CHECK(prctl(PR_SET_NAME, "other") == 0);
	wait_go();
	CHECK(prctl(PR_GET_NAME, name) == 0);
	if (strcmp(name, names[me]))
		fail("thread %u is named %s", me, name);
}

static void *thread_main(void *argument)
{
	check((uintptr_t)argument);
	return NULL;
}

int main(int argc, char **argv)
{
	int dumpable = argc > 1 ? atoi(argv[1]) : 1, signal = argc > 2 ? atoi(argv[2]) : 0, now = 0;
	pthread_t threads[2];

	CHECK(personality(ADDR_NO_RANDOMIZE | UNAME26) != -1);
	CHECK(prctl(PR_SET_DUMPABLE, dumpable) == 0);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_PDEATHSIG, signal) == 0);
	pthread_barrier_init(&barrier, NULL, 3);
	for (uintptr_t i = 0; i < 2; i++)
		CHECK(pthread_create(&threads[i], NULL, thread_main, (void *)(i + 1)) == 0);
	check(0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE | UNAME26);
	CHECK_EQ(prctl(PR_GET_DUMPABLE), dumpable);
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	CHECK(prctl(PR_GET_PDEATHSIG, &now) == 0);
	CHECK_EQ(now, signal);
	pass();
}
