// cflags: -O1 -static
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Many objects of System V IPC, for the benchmarks: N sets of ten semaphores, or N segments of 64 KiB that are attached, in an ipc
 * namespace of its own. Usage: ipc_many sem|shm N
 */
#include "target.h"

#include <sched.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/shm.h>

enum { SEMS = 10, SIZE = 16 * PAGE };

int main(int argc, char **argv)
{
	bool sem = argc > 1 && !strcmp(argv[1], "sem");
	int n = argc > 2 ? atoi(argv[2]) : 0;
	int ids[4096];
	char *at[4096];

	CHECK(n > 0 && n <= 4096);
	if (unshare(CLONE_NEWIPC) == -1)
		skip("unshare: errno %d", errno);
	for (int i = 0; i < n; i++) {
		if (sem) {
			unsigned short values[SEMS] = { i, 1, 2, 3, 4, 5, 6, 7, 8, 9 };

			ids[i] = semget(1000 + i, SEMS, IPC_CREAT | 0600);
			CHECK(semctl(ids[i], 0, SETALL, values) == 0);
		} else {
			ids[i] = shmget(1000 + i, SIZE, IPC_CREAT | 0600);
			at[i] = shmat(ids[i], NULL, 0);
			CHECK(at[i] != (void *)-1);
			fill(at[i], SIZE, i + 1);
		}
	}
	ready();
	if (disturbed()) {
		if (sem)
			semctl(ids[0], 1, SETVAL, 7);
		else
			fill(at[0], PAGE, 1000);
	}
	wait_go();
	for (int i = 0; i < n; i++) {
		if (sem) {
			CHECK_EQ(semget(1000 + i, 0, 0), ids[i]);
			CHECK_EQ(semctl(ids[i], 0, GETVAL), i);
			CHECK_EQ(semctl(ids[i], 1, GETVAL), 1);
		} else {
			CHECK_EQ(shmget(1000 + i, 0, 0), ids[i]);
			CHECK_FILLED(at[i], SIZE, i + 1);
		}
	}
	pass();
}
