// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind mqueue: open POSIX message queues, that somebody is told of messages (mq_notify), watched by an epoll; who waits for a message or
 * for room goes on waiting. With "own" in an ipc namespace of its own: the queues come back with their messages, priorities, limits and
 * owners, also those that nobody has open.
 */
#include "family.h"

#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/stat.h>

enum { LONGEST = 5000 };

static volatile sig_atomic_t told;
static volatile int told_value;

static void on_message(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	told_value = info->si_value.sival_int;
	told = info->si_code == SI_MESGQ;
}

static mqd_t make(const char *name, int flags, long maxmsg, long size)
{
	struct mq_attr attr = { .mq_maxmsg = maxmsg, .mq_msgsize = size };
	mqd_t queue;

	mq_unlink(name);
	queue = mq_open(name, flags | O_CREAT | O_EXCL, 0640, &attr);
	if (queue < 0)
		fail("mq_open %s: errno %d", name, errno);
	return queue;
}

static void send(mqd_t queue, int priority, size_t length, uint64_t seed)
{
	static char text[LONGEST + 8];

	fill(text, (length + 7) / 8 * 8, seed);
	CHECK(mq_send(queue, text, length, priority) == 0);
}

static void expect(mqd_t queue, unsigned int priority, size_t length, uint64_t seed)
{
	static char text[LONGEST + 8];
	unsigned int got = 0;

	CHECK_EQ(mq_receive(queue, text, LONGEST, &got), length);
	CHECK_EQ(got, priority);
	CHECK_FILLED(text, length / 8 * 8, seed);
}

static void expect_attr(mqd_t queue, long flags, long maxmsg, long size, long messages)
{
	struct mq_attr attr;

	CHECK(mq_getattr(queue, &attr) == 0);
	CHECK_EQ(attr.mq_flags, flags);
	CHECK_EQ(attr.mq_maxmsg, maxmsg);
	CHECK_EQ(attr.mq_msgsize, size);
	CHECK_EQ(attr.mq_curmsgs, messages);
}

int main(int argc, char **argv)
{
	bool own = argc > 1 && !strcmp(argv[1], "own");
	struct sigaction action = { .sa_sigaction = on_message, .sa_flags = SA_SIGINFO };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 4711 };
	struct epoll_event watch = { .events = EPOLLIN };
	mqd_t filled, reader, telling, full, wanted;
	int epoll = epoll_create1(0);
	struct stat then, now;
	pid_t sender, receiver;
	struct gate gate;

	if (own && unshare(CLONE_NEWIPC) == -1)
		skip("unshare: errno %d", errno);
	filled = make("/ckpt-filled", O_RDWR, 9, LONGEST);
	send(filled, 1, 100, 1);
	send(filled, 30000, LONGEST, 2);
	send(filled, 1, 0, 3);
	send(filled, 5, 16, 4);
	CHECK(fchmod(filled, 0604) == 0 && (!own || fchown(filled, 1000, 1001) == 0));
	CHECK(fstat(filled, &then) == 0);
	reader = mq_open("/ckpt-filled", O_RDONLY | O_NONBLOCK);
	CHECK(reader >= 0);
	if (own) {
		mqd_t queue = make("/ckpt-closed", O_RDWR, 3, 64);

		send(queue, 7, 64, 9);
		CHECK(mq_close(queue) == 0);
	}
	telling = make("/ckpt-telling", O_RDWR | O_NONBLOCK, 2, 8);
	CHECK(sigaction(SIGUSR2, &action, NULL) == 0);
	CHECK(mq_notify(telling, &event) == 0);
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, telling, &watch) == 0);

	full = make("/ckpt-full", O_RDWR, 1, 32);
	wanted = make("/ckpt-wanted", O_RDWR, 1, LONGEST);
	send(full, 3, 32, 11);
	open_gate(&gate);
	sender = fork_child();
	if (sender == 0) {
		prepared(&gate);
		send(full, 4, 8, 12);
		pass_on();
	}
	receiver = fork_child();
	if (receiver == 0) {
		prepared(&gate);
		expect(wanted, 6, 24, 13);
		pass_on();
	}
	wait_prepared(&gate);
	sleep_ms(20);
	ready();
	if (disturbed())
		send(filled, 2, 16, 4);
	wait_go();

	all_are_there();
	expect_attr(filled, 0, 9, LONGEST, 4);
	expect_attr(reader, O_NONBLOCK, 9, LONGEST, 4);
	CHECK_EQ(fcntl(reader, F_GETFL) & O_ACCMODE, O_RDONLY);
	CHECK_EQ(fcntl(reader, F_GETFD), FD_CLOEXEC);
	CHECK(fstat(filled, &now) == 0);
	CHECK_EQ(now.st_mode, then.st_mode);
	CHECK_EQ(now.st_uid, then.st_uid);
	CHECK_EQ(now.st_gid, then.st_gid);
	CHECK_EQ(now.st_mtime, then.st_mtime);
	/* By priority, and as they were sent. */
	expect(filled, 30000, LONGEST, 2);
	expect(reader, 5, 16, 4);
	expect(filled, 1, 100, 1);
	expect(reader, 1, 0, 3);
	CHECK_EQ(mq_receive(reader, (char[LONGEST]){ 0 }, LONGEST, NULL), -1);
	CHECK_EQ(errno, EAGAIN);
	if (own) {
		mqd_t queue = mq_open("/ckpt-closed", O_RDWR);

		expect_attr(queue, 0, 3, 64, 1);
		CHECK_EQ(mq_receive(queue, (char[64]){ 0 }, 64, NULL), 64);
	}
	CHECK_EQ(epoll_wait(epoll, &watch, 1, 0), 0);
	CHECK_EQ(told, 0);
	send(telling, 0, 8, 20);
	CHECK_EQ(told, 1);
	CHECK_EQ(told_value, 4711);
	CHECK_EQ(epoll_wait(epoll, &watch, 1, 0), 1);

	send(wanted, 6, 24, 13);
	end_of(receiver);
	expect_attr(full, 0, 1, 32, 1);
	CHECK_EQ(mq_receive(full, (char[32]){ 0 }, 32, NULL), 32);
	end_of(sender);
	expect_attr(full, 0, 1, 32, 1);
	for (int i = 0; i < 4; i++)
		CHECK(mq_unlink((const char *[]){ "/ckpt-filled", "/ckpt-telling", "/ckpt-full", "/ckpt-wanted" }[i]) == 0);
	pass();
}
