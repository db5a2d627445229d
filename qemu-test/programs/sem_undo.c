// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind sem: values of semaphores, who has changed them last, times; who waits goes on waiting; what is undone when a process, the last
 * of several that share a list (CLONE_SYSVSEM), or a thread with a list of its own exits. With "own" in an ipc namespace of its own,
 * where also a set is kept that nobody has anything to undo for.
 */
#include "family.h"

#include <pthread.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/sem.h>

enum { KEY = 0x5e3a, SEMS = 8 };

/* What the semaphores of the set are for. */
enum { BY_MAIN, BY_CHILD, BY_SHARERS, BY_THREAD, BY_LONER, WAITED, TIMED, UNTOUCHED };

static int set, other = -1;
static struct gate gate;
static pthread_barrier_t made, leave, left;

static void operate(int number, int value, int flags)
{
	struct sembuf operation = { .sem_num = number, .sem_op = value, .sem_flg = flags };

	if (semop(set, &operation, 1) == -1)
		fail("semop %d on %d: errno %d", value, number, errno);
}

static int value_of(int number)
{
	return semctl(set, number, GETVAL);
}

static void *thread(void *alone)
{
	if (alone)
		CHECK(unshare(CLONE_SYSVSEM) == 0);
	operate(alone ? BY_LONER : BY_THREAD, -3, SEM_UNDO);
	pthread_barrier_wait(&made);
	pthread_barrier_wait(&leave);
	return NULL;
}

static void waiter(int number)
{
	struct sembuf operation = { .sem_num = number, .sem_op = -1, .sem_flg = SEM_UNDO };
	struct timespec long_time = { .tv_sec = 600 };
	int64_t start = monotonic_ns();

	prepared(&gate);
	CHECK(semtimedop(set, &operation, 1, number == TIMED ? &long_time : NULL) == 0);
	CHECK(monotonic_ns() > start);
	pass_on();
}

static void holder(int number)
{
	operate(number, -4, SEM_UNDO);
	prepared(&gate);
	wait_go();
	/* Told to leave by a semaphore. */
	operate(UNTOUCHED, -1, 0);
	pass_on();
}

/* A process that shares its parent's list. */
static pid_t clone_sharer(void)
{
	pid_t pid = syscall(SYS_clone, CLONE_SYSVSEM | SIGCHLD, NULL, NULL, NULL, NULL);

	CHECK(pid >= 0);
	if (pid == 0)
		CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
	return pid;
}

int main(int argc, char **argv)
{
	unsigned short values[SEMS] = { 10, 10, 10, 10, 10, 0, 0, 0 }, before[SEMS], now[SEMS];
	pid_t waiting, timed, child, sharer, second;
	struct semid_ds ds, ds_now;
	pthread_t threads[2];
	int pids[SEMS];

	if (argc > 1 && !strcmp(argv[1], "own")) {
		if (unshare(CLONE_NEWIPC) == -1)
			skip("unshare: errno %d", errno);
		other = semget(IPC_PRIVATE, 300, 0600);
		for (int i = 0; i < 300; i++)
			CHECK(semctl(other, i, SETVAL, i) == 0);
	}
	set = semget(KEY, SEMS, IPC_CREAT | IPC_EXCL | 0600);
	if (set < 0)
		fail("semget: errno %d", errno);
	CHECK(semctl(set, 0, SETALL, values) == 0);
	open_gate(&gate);
	operate(BY_MAIN, -1, SEM_UNDO);
	waiting = fork_child();
	if (waiting == 0)
		waiter(WAITED);
	timed = fork_child();
	if (timed == 0)
		waiter(TIMED);
	child = fork_child();
	if (child == 0)
		holder(BY_CHILD);
	/* Two that share a list, and not with the main process. */
	sharer = fork_child();
	if (sharer == 0) {
		second = clone_sharer();
		if (second == 0)
			holder(BY_SHARERS);
		prepared(&gate);
		wait_go();
		end_of(second);
		/* Its undo waits for the last one. */
		CHECK_EQ(value_of(BY_SHARERS), 6);
		pass_on();
	}
	wait_prepared(&gate);
	/* They are about to wait. */
	while (semctl(set, WAITED, GETNCNT) != 1 || semctl(set, TIMED, GETNCNT) != 1)
		sleep_ms(1);
	CHECK(pthread_barrier_init(&made, NULL, 3) == 0 && pthread_barrier_init(&leave, NULL, 3) == 0);
	CHECK(pthread_create(&threads[0], NULL, thread, NULL) == 0);
	CHECK(pthread_create(&threads[1], NULL, thread, &left) == 0);
	pthread_barrier_wait(&made);
	CHECK(semctl(set, 0, GETALL, before) == 0);
	for (int i = 0; i < SEMS; i++)
		pids[i] = semctl(set, i, GETPID);
	CHECK(semctl(set, 0, IPC_STAT, &ds) == 0);
	ready();
	if (disturbed())
		operate(BY_MAIN, 1, 0);
	wait_go();

	CHECK(semctl(set, 0, GETALL, now) == 0);
	CHECK(memcmp(before, now, sizeof(before)) == 0);
	for (int i = 0; i < SEMS; i++)
		CHECK_EQ(semctl(set, i, GETPID), pids[i]);
	CHECK(semctl(set, 0, IPC_STAT, &ds_now) == 0);
	CHECK_EQ(ds_now.sem_otime, ds.sem_otime);
	CHECK_EQ(ds_now.sem_ctime, ds.sem_ctime);
	CHECK_EQ(ds_now.sem_perm.mode, ds.sem_perm.mode);
	CHECK_EQ(ds_now.sem_nsems, SEMS);
	CHECK_EQ(semget(KEY, 0, 0), set);
	if (other >= 0)
		for (int i = 0; i < 300; i++)
			CHECK_EQ(semctl(other, i, GETVAL), i);

	/* Who waited goes on. */
	all_are_there();
	while (semctl(set, WAITED, GETNCNT) != 1 || semctl(set, TIMED, GETNCNT) != 1)
		sleep_ms(1);
	operate(WAITED, 1, 0);
	end_of(waiting);
	operate(TIMED, 1, 0);
	end_of(timed);
	/* What they took is given back at their end. */
	CHECK_EQ(value_of(WAITED), 1);
	CHECK_EQ(value_of(TIMED), 1);

	/* A thread that exits leaves what it shares with the others; one with a list of its own does not. */
	CHECK_EQ(value_of(BY_THREAD), 7);
	CHECK_EQ(value_of(BY_LONER), 7);
	pthread_barrier_wait(&leave);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	/* The thread has been joined before the kernel is done with it. */
	for (int i = 0; i < 1000 && value_of(BY_LONER) != 10; i++)
		sleep_ms(2);
	CHECK_EQ(value_of(BY_LONER), 10);
	CHECK_EQ(value_of(BY_THREAD), 7);

	CHECK_EQ(value_of(BY_CHILD), 6);
	CHECK_EQ(value_of(BY_SHARERS), 6);
	operate(UNTOUCHED, 2, 0);
	end_of(child);
	CHECK_EQ(value_of(BY_CHILD), 10);
	end_of(sharer);
	CHECK_EQ(value_of(BY_SHARERS), 10);
	CHECK_EQ(value_of(BY_MAIN), 9);
	CHECK(semctl(set, 0, IPC_RMID) == 0);
	pass();
}
