// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A family that works by shared memory, semaphores and message queues, System V and POSIX, at full load in an ipc namespace of its own.
 * Workers take orders from a message queue, do them on accounts in shared memory under a semaphore (SEM_UNDO: whoever holds it and dies
 * lets it go), and answer by a POSIX queue. At any time the accounts add up, each order is answered once, in order for each
 * customer, and nothing waits for ever.
 */
#include "family.h"

#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

enum { WORKERS = 3, ACCOUNTS = 64, FUNDS = 1000, AHEAD = 8 };

/* Of the set: one for each half of the accounts, and how many orders are under way. */
enum { FIRST_HALF, SECOND_HALF, UNDER_WAY, SEMS };

struct bank {
	int64_t account[ACCOUNTS];
	uint64_t done[WORKERS];
	int busy[2];
};

struct order {
	long worker; /* its number plus one: the type of the message */
	uint64_t number;
	uint32_t from, to, amount;
};

#define ORDER_SIZE (sizeof(struct order) - sizeof(long))

static int shm, sem, orders;
static mqd_t answers;

/* Both halves at once: a complex operation. */
static void lock(int by)
{
	struct sembuf both[2] = { { FIRST_HALF, by, SEM_UNDO }, { SECOND_HALF, by, SEM_UNDO } };

	while (semop(sem, both, 2) == -1)
		CHECK_EQ(errno, EINTR);
}

static void count(int by)
{
	struct sembuf one = { UNDER_WAY, by, 0 };

	while (semop(sem, &one, 1) == -1)
		CHECK_EQ(errno, EINTR);
}

static int64_t sum(const struct bank *bank)
{
	int64_t all = 0;

	for (int i = 0; i < ACCOUNTS; i++)
		all += bank->account[i];
	return all;
}

static void work(int me)
{
	struct bank *bank = shmat(shm, NULL, 0);
	uint64_t next = 0;
	struct order order;

	CHECK(bank != (void *)-1);
	for (;;) {
		if (msgrcv(orders, &order, ORDER_SIZE, me + 1, 0) == -1) {
			CHECK_EQ(errno, EINTR);
			continue;
		}
		if (order.amount == 0)
			break;
		CHECK_EQ(order.number, next++);
		lock(-1);
		CHECK_EQ(bank->busy[0]++ + bank->busy[1]++, 0);
		CHECK_EQ(sum(bank), (int64_t)ACCOUNTS * FUNDS);
		bank->account[order.from] -= order.amount;
		bank->account[order.to] += order.amount;
		bank->done[me]++;
		bank->busy[0]--;
		bank->busy[1]--;
		lock(1);
		while (mq_send(answers, (char *)&order, sizeof(order), order.worker) == -1)
			CHECK_EQ(errno, EINTR);
	}
	CHECK(shmdt(bank) == 0);
	pass_on();
}

static void give(int worker, uint64_t number, uint64_t *random)
{
	struct order order = { .worker = worker + 1, .number = number };

	order.from = next_random(random) % ACCOUNTS;
	order.to = next_random(random) % ACCOUNTS;
	order.amount = 1 + next_random(random) % 9;
	while (msgsnd(orders, &order, ORDER_SIZE, 0) == -1)
		CHECK_EQ(errno, EINTR);
	count(1);
}

int main(void)
{
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = sizeof(struct order) };
	uint64_t given[WORKERS] = { 0 }, answered[WORKERS] = { 0 }, random = 4711, all = 0;
	unsigned short values[SEMS] = { 1, 1, 0 };
	pid_t workers[WORKERS];
	struct order order;
	struct bank *bank;

	if (unshare(CLONE_NEWIPC) == -1)
		skip("unshare: errno %d", errno);
	shm = shmget(0x10ad, sizeof(struct bank), IPC_CREAT | 0600);
	sem = semget(0x10ad, SEMS, IPC_CREAT | 0600);
	orders = msgget(0x10ad, IPC_CREAT | 0600);
	answers = mq_open("/load", O_RDWR | O_CREAT, 0600, &attr);
	bank = shmat(shm, NULL, 0);
	CHECK(bank != (void *)-1 && sem >= 0 && orders >= 0 && answers >= 0);
	CHECK(semctl(sem, 0, SETALL, values) == 0);
	for (int i = 0; i < ACCOUNTS; i++)
		bank->account[i] = FUNDS;
	for (int i = 0; i < WORKERS; i++) {
		workers[i] = fork_child();
		if (workers[i] == 0)
			work(i);
	}
	for (int i = 0; i < WORKERS * AHEAD; i++)
		give(i % WORKERS, given[i % WORKERS]++, &random);
	ready();
	while (!go_given()) {
		int from;

		if (mq_receive(answers, (char *)&order, sizeof(order), NULL) == -1) {
			CHECK_EQ(errno, EINTR);
			continue;
		}
		count(-1);
		from = order.worker - 1;
		CHECK_EQ(order.number, answered[from]++);
		if (disturbed() && all == 100)
			bank->account[0]++;
		give(from, given[from]++, &random);
		if (++all % 500 == 0)
			say("%llu orders", (unsigned long long)all);
	}
	for (int i = 0; i < WORKERS; i++)
		for (; answered[i] < given[i];) {
			CHECK(mq_receive(answers, (char *)&order, sizeof(order), NULL) > 0);
			count(-1);
			CHECK_EQ(order.number, answered[order.worker - 1]++);
		}
	CHECK_EQ(semctl(sem, UNDER_WAY, GETVAL), 0);
	for (int i = 0; i < WORKERS; i++) {
		struct order end = { .worker = i + 1 };

		CHECK_EQ(bank->done[i], given[i]);
		CHECK(msgsnd(orders, &end, ORDER_SIZE, 0) == 0);
		end_of(workers[i]);
	}
	CHECK_EQ(sum(bank), (int64_t)ACCOUNTS * FUNDS);
	CHECK_EQ(semctl(sem, FIRST_HALF, GETVAL), 1);
	CHECK_EQ(semctl(sem, SECOND_HALF, GETVAL), 1);
	CHECK(mq_unlink("/load") == 0);
	pass();
}
