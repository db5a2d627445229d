// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind socket: pairs inside the process keep data and the boundaries of messages, which side is shut or closed, options, and who
 * their peer is. One thread waits in a read of an empty socket, one in a write to a full one; both go on.
 */
#include "blocked.h"
#include "unix_socket.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/wait.h>

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif

static int option(int fd, int name)
{
	socklen_t length = sizeof(int);
	int value = -1;

	CHECK(getsockopt(fd, SOL_SOCKET, name, &value, &length) == 0);
	return value;
}

static void check_peer(int fd)
{
	struct ucred peer = { 0 };
	socklen_t length = sizeof(peer);

	CHECK(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0);
	CHECK_EQ(peer.pid, getpid());
	CHECK_EQ(peer.uid, geteuid());
	CHECK_EQ(peer.gid, getegid());
}

/* A process that is gone by now has sent a message. */
static pid_t sent_by_another(int fd, const char *text)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (child == 0) {
		give(fd, text);
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	return child;
}

int main(void)
{
	int text[2], packets[2], datagrams[2], shut[2], closed[2], reset[2], big[2], named[2], peeked[2], urgent[2], alone, shared;
	char *data = map_private(200 * 1024), *got = map_private(200 * 1024), line[64];
	struct timeval second = { .tv_sec = 1, .tv_usec = 500000 };
	int kind, length;

	signal(SIGPIPE, SIG_IGN);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, text) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, packets) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, datagrams) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, shut) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, closed) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, reset) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, big) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, named) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, peeked) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, empty) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, full) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, urgent) == 0);
	alone = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	CHECK(alone >= 0);

	/* Two messages, the first of which is read in part; both directions. */
	CHECK_EQ(write(text[1], "unread bytes", 12), 12);
	CHECK_EQ(write(text[1], ", more", 6), 6);
	CHECK_EQ(read(text[0], line, 3), 3);
	CHECK_EQ(write(text[0], "back", 4), 4);
	shared = dup(text[0]);
	CHECK_EQ(write(packets[0], "one", 3), 3);
	CHECK_EQ(write(packets[0], "", 0), 0);
	CHECK_EQ(write(packets[0], "three", 5), 5);
	CHECK_EQ(write(datagrams[0], "first", 5), 5);
	CHECK_EQ(write(datagrams[0], "second", 6), 6);
	CHECK_EQ(write(datagrams[1], "third", 5), 5);
	CHECK_EQ(write(shut[0], "before", 6), 6);
	CHECK(shutdown(shut[0], SHUT_WR) == 0);
	CHECK_EQ(write(closed[1], "the end", 7), 7);
	close(closed[1]);
	CHECK_EQ(write(reset[0], "never read", 10), 10);
	close(reset[1]);
	fill(data, 190 * 1024, 5);
	CHECK_EQ(write(big[1], data, 190 * 1024), 190 * 1024);
	set_option(named[0], SO_PASSCRED, 1);
	give(named[1], "who");
	pid_t gone = sent_by_another(named[1], "gone");
	give(urgent[1], "ab");
	CHECK_EQ(send(urgent[1], "!", 1, MSG_OOB), 1);
	give(urgent[1], "cd");
	set_option(urgent[1], SO_OOBINLINE, 1);
	CHECK_EQ(write(peeked[1], "abcdef", 6), 6);
	set_option(peeked[0], SO_PEEK_OFF, 0);
	CHECK_EQ(recv(peeked[0], line, 2, MSG_PEEK), 2);

	set_option(text[0], SO_SNDBUF, 30000);
	set_option(text[1], SO_RCVBUF, 40000);
	set_option(text[1], SO_RCVLOWAT, 3);
	set_option(packets[1], SO_PASSPIDFD, 1);
	CHECK(setsockopt(packets[0], SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)) == 0);
	set_option(full[1], SO_SNDBUF, 20000);
	block_threads(data, 1000);
	ready();
	if (disturbed())
		CHECK_EQ(read(text[0], line, 1), 1);
	wait_go();

	CHECK_EQ(read(shared, line, 20), 15);
	CHECK(memcmp(line, "ead bytes, more", 15) == 0);
	CHECK_EQ(read(text[1], line, 20), 4);
	CHECK(memcmp(line, "back", 4) == 0);
	CHECK_EQ(write(text[1], "again", 5), 5);
	CHECK_EQ(read(text[0], line, 20), 5);
	CHECK_EQ(option(text[0], SO_SNDBUF), 60000);
	CHECK_EQ(option(text[1], SO_RCVBUF), 80000);
	CHECK_EQ(option(text[1], SO_RCVLOWAT), 3);
	check_peer(text[0]);
	check_peer(text[1]);

	CHECK_EQ(fcntl(packets[0], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(read(packets[1], line, 20), 3);
	CHECK(memcmp(line, "one", 3) == 0);
	CHECK_EQ(read(packets[1], line, 20), 0);
	CHECK_EQ(read(packets[1], line, 20), 5);
	CHECK(memcmp(line, "three", 5) == 0);
	CHECK_EQ(option(packets[1], SO_PASSPIDFD), 1);
	memset(&second, 0, sizeof(second));
	length = sizeof(second);
	CHECK(getsockopt(packets[0], SOL_SOCKET, SO_RCVTIMEO, &second, (socklen_t *)&length) == 0);
	CHECK_EQ(second.tv_sec, 1);
	CHECK_EQ(second.tv_usec, 500000);

	CHECK_EQ(fcntl(datagrams[0], F_GETFL), O_RDWR | O_NONBLOCK);
	CHECK_EQ(read(datagrams[1], line, 20), 5);
	CHECK_EQ(read(datagrams[1], line, 20), 6);
	CHECK(memcmp(line, "second", 6) == 0);
	CHECK_EQ(read(datagrams[1], line, 20), -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(read(datagrams[0], line, 20), 5);
	CHECK(memcmp(line, "third", 5) == 0);

	CHECK_EQ(write(shut[0], "x", 1), -1);
	CHECK_EQ(errno, EPIPE);
	CHECK_EQ(write(shut[1], "answer", 6), 6);
	CHECK_EQ(read(shut[0], line, 20), 6);
	CHECK_EQ(read(shut[1], line, 20), 6);
	CHECK_EQ(read(shut[1], line, 20), 0);

	CHECK_EQ(read(closed[0], line, 20), 7);
	CHECK_EQ(read(closed[0], line, 20), 0);
	CHECK_EQ(write(closed[0], "x", 1), -1);
	CHECK_EQ(errno, EPIPE);
	struct pollfd hung = { .fd = closed[0], .events = POLLIN };
	CHECK_EQ(poll(&hung, 1, 0), 1);
	CHECK(hung.revents & POLLHUP);
	CHECK_EQ(read(reset[0], line, 20), -1);
	CHECK_EQ(errno, ECONNRESET);
	CHECK_EQ(read(reset[0], line, 20), 0);

	CHECK_EQ(read(big[0], got, 200 * 1024), 190 * 1024);
	CHECK_FILLED(got, 190 * 1024, 5);
	CHECK_EQ(option(named[0], SO_PASSCRED), 1);
	struct ucred sender = take_sender(named[0], "who");
	CHECK_EQ(sender.pid, getpid());
	CHECK_EQ(sender.uid, getuid());
	CHECK_EQ(sender.gid, getgid());
	sender = take_sender(named[0], "gone");
	/* After a restart its number may be another process's. */
	CHECK(sender.pid == gone || sender.pid == 0);
	CHECK_EQ(sender.uid, getuid());
	take(urgent[0], "ab");
	CHECK_EQ(recv(urgent[0], line, 1, MSG_OOB), 1);
	CHECK_EQ(line[0], '!');
	take(urgent[0], "cd");
	CHECK_EQ(option(urgent[1], SO_OOBINLINE), 1);
	CHECK_EQ(option(urgent[0], SO_OOBINLINE), 0);
	CHECK_EQ(option(peeked[0], SO_PEEK_OFF), 2);
	CHECK_EQ(recv(peeked[0], line, 20, MSG_PEEK), 4);
	CHECK(memcmp(line, "cdef", 4) == 0);
	CHECK_EQ(option(text[0], SO_PEEK_OFF), -1);

	kind = option(alone, SO_TYPE);
	CHECK_EQ(kind, SOCK_SEQPACKET);
	CHECK_EQ(write(alone, "x", 1), -1);
	CHECK_EQ(errno, ENOTCONN);

	unblock_threads(data, got);
	CHECK_EQ(option(full[1], SO_SNDBUF), 40000);
	pass();
}
