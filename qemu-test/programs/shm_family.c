// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind shm: a segment that a family of processes has attached stays one object, at other addresses in each, with the right number of
 * attachments; it has been removed, and goes with the last of them.
 */
#include "family.h"

#include <sys/ipc.h>
#include <sys/shm.h>

enum { CHILDREN = 3, PAGES = 8 };

struct words {
	_Atomic int here[CHILDREN];
	_Atomic int turn;
};

static void child(int i, int id, struct gate *gate)
{
	/* Its own attachment, besides the one that it has from its parent. */
	struct words *words = shmat(id, NULL, i == 1 ? SHM_RDONLY : 0);
	char *second = shmat(id, NULL, 0);

	CHECK(words != (void *)-1 && second != (void *)-1);
	CHECK(i != 2 || munmap(second + 2 * PAGE, PAGE) == 0);
	prepared(gate);
	wait_go();
	while (words->turn != i)
		sleep_ms(2);
	CHECK_FILLED(second + PAGE, PAGE, 100 + i);
	fill(second + PAGE, PAGE, 101 + i);
	((struct words *)second)->here[i] = getpid();
	((struct words *)second)->turn = i + 1;
	pass_on();
}

int main(void)
{
	int id = shmget(IPC_PRIVATE, PAGES * PAGE, 0600);
	char *memory = shmat(id, NULL, 0);
	struct words *words = (struct words *)memory;
	struct shmid_ds before, now;
	pid_t pids[CHILDREN];
	struct gate gate;

	CHECK(memory != (void *)-1);
	words->turn = -1;
	fill(memory + PAGE, PAGE, 100);
	open_gate(&gate);
	for (int i = 0; i < CHILDREN; i++) {
		pids[i] = fork_child();
		if (pids[i] == 0)
			child(i, id, &gate);
	}
	wait_prepared(&gate);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	CHECK(shmctl(id, IPC_STAT, &before) == 0);
	CHECK_EQ(before.shm_nattch, 1 + 3 * CHILDREN + 1);
	ready();
	if (disturbed()) {
		char *other = mmap(memory + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

		fill(other, PAGE, 100);
	}
	wait_go();
	CHECK(shmctl(id, IPC_STAT, &now) == 0);
	CHECK_EQ(now.shm_nattch, before.shm_nattch);
	CHECK_EQ(now.shm_perm.mode, before.shm_perm.mode);
	words->turn = 0;
	for (int i = 0; i < CHILDREN; i++) {
		end_of(pids[i]);
		CHECK_EQ(words->here[i], pids[i]);
	}
	CHECK_FILLED(memory + PAGE, PAGE, 100 + CHILDREN);
	CHECK(shmctl(id, IPC_STAT, &now) == 0);
	CHECK_EQ(now.shm_nattch, 1);
	CHECK(shmdt(memory) == 0);
	CHECK_EQ(shmctl(id, IPC_STAT, &now), -1);
	pass();
}
