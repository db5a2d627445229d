// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind sem: many threads with lists of their own of what is undone at exit (SEM_UNDO), and many sets in an ipc namespace of its own.
 * Whoever looks at each set for each list is not done in time.
 */
#include "target.h"

#include <pthread.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/sem.h>

enum { THREADS = 500, SETS = 12000, EACH = 4 };

static int sets[SETS];
static pthread_barrier_t made, leave;

static void *thread(void *first)
{
	struct sembuf add = { .sem_num = 1, .sem_op = 2, .sem_flg = SEM_UNDO };

	CHECK(unshare(CLONE_SYSVSEM) == 0);
	for (int i = 0; i < EACH; i++)
		CHECK(semop(sets[(long)first + i], &add, 1) == 0);
	pthread_barrier_wait(&made);
	pthread_barrier_wait(&leave);
	return NULL;
}

/* Who has added something to a set: threads that stand next to each other have sets in common. */
static int adders(int number)
{
	int from = number - EACH + 1 < 0 ? 0 : number - EACH + 1, to = number < THREADS ? number : THREADS - 1;

	return to < from ? 0 : to - from + 1;
}

int main(void)
{
	static pthread_t threads[THREADS];
	pthread_attr_t attr;

	if (unshare(CLONE_NEWIPC) == -1)
		skip("unshare: errno %d", errno);
	for (int i = 0; i < SETS; i++)
		CHECK((sets[i] = semget(IPC_PRIVATE, 2, 0600)) >= 0);
	CHECK(pthread_attr_init(&attr) == 0 && pthread_attr_setstacksize(&attr, 64 << 10) == 0);
	CHECK(pthread_barrier_init(&made, NULL, THREADS + 1) == 0 && pthread_barrier_init(&leave, NULL, THREADS + 1) == 0);
	for (long i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], &attr, thread, (void *)i) == 0);
	pthread_barrier_wait(&made);
	ready();
	wait_go();
	for (int i = 0; i < SETS; i++) {
		CHECK_EQ(semctl(sets[i], 1, GETVAL), 2 * adders(i));
		/* Nobody has ever touched it. */
		CHECK_EQ(semctl(sets[i], 0, GETPID), 0);
	}
	pthread_barrier_wait(&leave);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	/* Threads have been joined before the kernel is done with them. */
	for (int i = 0; i < SETS; i++) {
		for (int n = 0; n < 1000 && semctl(sets[i], 1, GETVAL); n++)
			sleep_ms(2);
		CHECK_EQ(semctl(sets[i], 1, GETVAL), 0);
	}
	pass();
}
