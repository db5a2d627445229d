// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kinds msg and mqueue: queues in an ipc namespace of its own with more messages, and more text, than are looked at at once keep all of
 * them in their order.
 */
#include "target.h"

#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/resource.h>

enum { SHORT = 90000, LONG = 40, LENGTH = 245753, POSIX = 40000 };

struct message {
	long type;
	char text[LENGTH + 7];
};

/* The namespace's own limit of a message. */
static void allow_long(void)
{
	int fd = open("/proc/sys/kernel/msgmax", O_WRONLY);

	CHECK(fd >= 0 && write(fd, "262144", 6) == 6);
	CHECK(close(fd) == 0);
}

int main(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	struct mq_attr attr = { .mq_maxmsg = POSIX, .mq_msgsize = 16 };
	static struct message message;
	unsigned int priority;
	struct msqid_ds ds;
	mqd_t posix, one;
	int queue;

	CHECK(setrlimit(RLIMIT_MSGQUEUE, &limit) == 0);
	if (unshare(CLONE_NEWIPC) == -1)
		skip("unshare: errno %d", errno);
	allow_long();
	queue = msgget(IPC_PRIVATE, 0600);
	CHECK(msgctl(queue, IPC_STAT, &ds) == 0);
	ds.msg_qbytes = 16 << 20;
	CHECK(msgctl(queue, IPC_SET, &ds) == 0);
	for (int i = 0; i < SHORT; i++) {
		message.type = 1 + i % 3;
		memcpy(message.text, &i, sizeof(i));
		CHECK(msgsnd(queue, &message, i % 2 ? 5 : 4, IPC_NOWAIT) == 0);
	}
	for (int i = 0; i < LONG; i++) {
		message.type = 4;
		fill(message.text, (LENGTH + 7) / 8 * 8, i);
		CHECK(msgsnd(queue, &message, LENGTH, IPC_NOWAIT) == 0);
	}
	posix = mq_open("/many", O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attr);
	CHECK(posix >= 0);
	for (int i = 0; i < POSIX; i++)
		CHECK(mq_send(posix, (char *)&i, sizeof(i), i & 1) == 0);
	attr = (struct mq_attr) { .mq_maxmsg = 1, .mq_msgsize = LENGTH };
	one = mq_open("/one", O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attr);
	CHECK(one >= 0);
	CHECK(mq_send(one, message.text, LENGTH, 1) == 0);
	ready();
	wait_go();
	for (int i = 0; i < SHORT; i++) {
		CHECK_EQ(msgrcv(queue, &message, LENGTH, 0, IPC_NOWAIT), i % 2 ? 5 : 4);
		CHECK_EQ(message.type, 1 + i % 3);
		CHECK_EQ(memcmp(message.text, &i, sizeof(i)), 0);
	}
	for (int i = 0; i < LONG; i++) {
		CHECK_EQ(msgrcv(queue, &message, LENGTH, 0, IPC_NOWAIT), LENGTH);
		CHECK_FILLED(message.text, LENGTH / 8 * 8, i);
	}
	for (int i = 0; i < POSIX; i++) {
		int seen, expected = i < POSIX / 2 ? 2 * i + 1 : 2 * (i - POSIX / 2);

		CHECK_EQ(mq_receive(posix, message.text, 16, &priority), sizeof(seen));
		memcpy(&seen, message.text, sizeof(seen));
		CHECK_EQ(seen, expected);
		CHECK_EQ(priority, expected & 1);
	}
	CHECK_EQ(mq_receive(posix, message.text, 16, NULL), -1);
	CHECK_EQ(mq_receive(one, message.text, LENGTH, NULL), LENGTH);
	CHECK_FILLED(message.text, LENGTH / 8 * 8, LONG - 1);
	CHECK(msgctl(queue, IPC_RMID, NULL) == 0);
	pass();
}
