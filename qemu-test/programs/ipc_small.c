// cflags: -O1 -static
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A little of each kind of System V and POSIX IPC in a namespace of its own, or with "shared" of what is kept in the caller's. Usage:
 * ipc_small [shared]
 */
#include "target.h"

#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

int main(int argc, char **argv)
{
	bool shared = argc > 1 && !strcmp(argv[1], "shared");
	struct sembuf take = { .sem_num = 1, .sem_op = -2, .sem_flg = SEM_UNDO };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };
	struct mq_attr attr = { .mq_maxmsg = 2, .mq_msgsize = 16 };
	struct { long type; char text[16]; } message = { 5, "message" };
	unsigned short values[2] = { 3, 4 };
	int shm, sem, msg = -1;
	mqd_t queue = -1;
	char *memory;

	if (!shared && unshare(CLONE_NEWIPC) == -1)
		skip("unshare: errno %d", errno);
	shm = shmget(IPC_PRIVATE, 3 * PAGE, 0600);
	memory = shmat(shm, NULL, 0);
	CHECK(memory != (void *)-1);
	fill(memory + 2 * PAGE, PAGE, 1);
	CHECK(munmap(memory + PAGE, PAGE) == 0);
	sem = semget(IPC_PRIVATE, 2, 0600);
	CHECK(semctl(sem, 0, SETALL, values) == 0);
	CHECK(semop(sem, &take, 1) == 0);
	if (!shared) {
		msg = msgget(IPC_PRIVATE, 0600);
		CHECK(msgsnd(msg, &message, 8, 0) == 0);
		queue = mq_open("/small", O_RDWR | O_CREAT, 0600, &attr);
		CHECK(queue >= 0 && mq_send(queue, "text", 5, 3) == 0);
		CHECK(signal(SIGUSR2, SIG_IGN) != SIG_ERR && mq_notify(queue, &event) == 0);
	} else {
		CHECK(shmctl(shm, IPC_RMID, NULL) == 0);
	}
	ready();
	wait_go();
	CHECK_FILLED(memory + 2 * PAGE, PAGE, 1);
	CHECK_EQ(semctl(sem, 1, GETVAL), 2);
	if (!shared) {
		CHECK_EQ(msgrcv(msg, &message, 8, 5, IPC_NOWAIT), 8);
		CHECK_EQ(mq_receive(queue, message.text, 16, NULL), 5);
	}
	CHECK(semctl(sem, 0, IPC_RMID) == 0);
	pass();
}
