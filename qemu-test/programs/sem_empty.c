// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind sem: a thread in an ipc namespace of its own shares its list of what is undone at exit with its process, also if there was
 * nothing in it.
 */
#include "target.h"

#include <pthread.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/sem.h>

static int set;
static pthread_barrier_t barrier;

static void *thread(void *unused)
{
	struct sembuf take = { .sem_op = -1, .sem_flg = SEM_UNDO };

	(void)unused;
	pthread_barrier_wait(&barrier);
	CHECK(semop(set, &take, 1) == 0);
	return NULL;
}

/* A thread has been joined before the kernel is done with it. */
static bool is_alone(void)
{
	char line[256];
	int threads = 0;
	FILE *f = fopen("/proc/self/status", "re");

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "Threads: %d", &threads);
	CHECK(fclose(f) == 0);
	return threads == 1;
}

int main(void)
{
	pthread_t id;

	if (unshare(CLONE_NEWIPC) == -1)
		skip("unshare: errno %d", errno);
	set = semget(IPC_PRIVATE, 1, 0600);
	CHECK(set >= 0 && semctl(set, 0, SETVAL, 5) == 0);
	CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
	CHECK(pthread_create(&id, NULL, thread, NULL) == 0);
	ready();
	wait_go();
	pthread_barrier_wait(&barrier);
	CHECK(pthread_join(id, NULL) == 0);
	while (!is_alone())
		sleep_ms(1);
	sleep_ms(50);
	/* It will be undone with the process. */
	CHECK_EQ(semctl(set, 0, GETVAL), 4);
	CHECK(semctl(set, 0, IPC_RMID) == 0);
	pass();
}
