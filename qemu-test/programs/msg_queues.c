// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind msg: message queues in an ipc namespace of its own keep their messages with types and order, their limit, owners, times, and who
 * has sent and received last; who waits for a message, or for room, goes on waiting.
 */
#include "family.h"

#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>

enum { KEY = 0x3a6, LONGEST = 8192 };

struct message {
	long type;
	char text[LONGEST];
};

static int queue, full;
static struct gate gate;

static void send(int id, long type, size_t length, uint64_t seed)
{
	static struct message message;

	message.type = type;
	fill(message.text, (length + 7) / 8 * 8, seed);
	if (msgsnd(id, &message, length, IPC_NOWAIT) == -1)
		fail("msgsnd: errno %d", errno);
}

static void expect(int id, long wanted, long type, size_t length, uint64_t seed)
{
	static struct message message;

	CHECK_EQ(msgrcv(id, &message, LONGEST, wanted, IPC_NOWAIT), length);
	CHECK_EQ(message.type, type);
	CHECK_FILLED(message.text, length / 8 * 8, seed);
}

static void expect_same(int id, const struct msqid_ds *then)
{
	struct msqid_ds now;

	CHECK(msgctl(id, IPC_STAT, &now) == 0);
	CHECK_EQ(now.msg_perm.__key, then->msg_perm.__key);
	CHECK_EQ(now.msg_perm.uid, then->msg_perm.uid);
	CHECK_EQ(now.msg_perm.cuid, then->msg_perm.cuid);
	CHECK_EQ(now.msg_perm.mode, then->msg_perm.mode);
	CHECK_EQ(now.msg_stime, then->msg_stime);
	CHECK_EQ(now.msg_rtime, then->msg_rtime);
	CHECK_EQ(now.msg_ctime, then->msg_ctime);
	CHECK_EQ(now.__msg_cbytes, then->__msg_cbytes);
	CHECK_EQ(now.msg_qnum, then->msg_qnum);
	CHECK_EQ(now.msg_qbytes, then->msg_qbytes);
	CHECK_EQ(now.msg_lspid, then->msg_lspid);
	CHECK_EQ(now.msg_lrpid, then->msg_lrpid);
}

int main(void)
{
	static struct message message;
	struct msqid_ds ds, ds_full;
	pid_t receiver, sender;

	if (unshare(CLONE_NEWIPC) == -1)
		skip("unshare: errno %d", errno);
	CHECK(msgctl(msgget(IPC_PRIVATE, 0600), IPC_RMID, NULL) == 0);
	queue = msgget(KEY, IPC_CREAT | IPC_EXCL | 0622);
	full = msgget(IPC_PRIVATE, 0600);
	CHECK(queue >= 0 && full >= 0);
	open_gate(&gate);
	receiver = fork_child();
	if (receiver == 0) {
		prepared(&gate);
		CHECK_EQ(msgrcv(queue, &message, LONGEST, 99, 0), 16);
		CHECK_FILLED(message.text, 16, 99);
		pass_on();
	}
	CHECK(msgctl(full, IPC_STAT, &ds_full) == 0);
	ds_full.msg_qbytes = 1000;
	CHECK(msgctl(full, IPC_SET, &ds_full) == 0);
	send(full, 1, 900, 1);
	sender = fork_child();
	if (sender == 0) {
		prepared(&gate);
		message.type = 2;
		fill(message.text, 800, 2);
		CHECK(msgsnd(full, &message, 800, 0) == 0);
		pass_on();
	}
	send(queue, 5, 0, 0);
	send(queue, 7, LONGEST, 3);
	send(queue, 5, 1001, 4);
	send(queue, 6, 8, 5);
	send(queue, 1L << 40, 5, 6);
	expect(queue, 6, 6, 8, 5);
	CHECK(msgctl(queue, IPC_STAT, &ds) == 0);
	ds.msg_perm.gid = 12;
	CHECK(msgctl(queue, IPC_SET, &ds) == 0);
	wait_prepared(&gate);
	CHECK(msgctl(queue, IPC_STAT, &ds) == 0);
	CHECK(msgctl(full, IPC_STAT, &ds_full) == 0);
	sleep_ms(20);
	ready();
	if (disturbed())
		send(queue, 6, 8, 5);
	wait_go();
	expect_same(queue, &ds);
	expect_same(full, &ds_full);
	CHECK_EQ(msgget(KEY, 0), queue);
	all_are_there();
	/* The first of the queue, then by type. */
	expect(queue, 0, 5, 0, 0);
	expect(queue, 5, 5, 1001, 4);
	expect(queue, -8, 7, LONGEST, 3);
	send(queue, 99, 16, 99);
	end_of(receiver);
	expect(queue, 0, 1L << 40, 5, 6);
	CHECK_EQ(msgrcv(queue, &message, LONGEST, 0, IPC_NOWAIT), -1);
	expect(full, 0, 1, 900, 1);
	end_of(sender);
	expect(full, 0, 2, 800, 2);
	pass();
}
