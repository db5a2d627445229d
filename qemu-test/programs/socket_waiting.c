/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind socket: connections that wait to be accepted, of this process and of a child, some of which have sent data, have an address, have
 * shut their side or have been closed already, are accepted in their order and are those of their clients, of which there are pidfds also
 * when they have been reaped.
 */
#include "unix_socket.h"

#include <poll.h>
#include <sys/wait.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* The connections that wait at one socket. */
static void check_accepted(int listener, const struct name *at, const int *clients, const struct name *own)
{
	char got[16];
	int taken[5];

	for (int i = 0; i < 5; i++) {
		taken[i] = accept(listener, NULL, NULL);
		CHECK(taken[i] >= 0);
		check_name(taken[i], 0, at);
	}
	take(taken[0], "first");
	check_name(taken[0], 1, NULL);
	talk(clients[0], taken[0], "more");
	talk(taken[0], clients[0], "answer");
	check_name(taken[1], 1, own);
	CHECK_EQ(recv(taken[1], got, sizeof(got), MSG_DONTWAIT), -1);
	CHECK_EQ(errno, EAGAIN);
	talk(clients[1], taken[1], "second");
	/* Closed. */
	take(taken[2], "farewell");
	CHECK_EQ(read(taken[2], got, sizeof(got)), 0);
	take(taken[3], "shut");
	CHECK_EQ(read(taken[3], got, sizeof(got)), 0);
	talk(taken[3], clients[3], "half");
	struct ucred sender = take_sender(taken[4], "named");
	CHECK_EQ(sender.pid, getpid());
	CHECK_EQ(sender.uid, getuid());
	for (int i = 0; i < 5; i++)
		close(taken[i]);
}

/* A process that connects, may send a word, and ends when it has got an answer, or the parent ends. */
static pid_t start_client(const int *listeners, const struct name *at, int type, const char *word)
{
	pid_t child = fork();
	char line[8] = "";

	CHECK(child >= 0);
	if (child)
		return child;
	int fd = connect_to(at, type);

	for (int i = 0; i < 3; i++)
		close(listeners[i]);
	if (word[0])
		give(fd, word);
	CHECK_EQ(read(fd, line, sizeof(line)), 5);
	_exit(strcmp(line, "hello") == 0 ? 0 : 1);
}

static int accept_from(int listener, pid_t client)
{
	struct ucred peer = { 0 };
	socklen_t length = sizeof(peer);
	int taken = accept(listener, NULL, NULL);

	CHECK(taken >= 0);
	CHECK(getsockopt(taken, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0);
	CHECK_EQ(peer.pid, client);
	return taken;
}

/* There is a pidfd of it also when it has been reaped. */
static void end_client(int taken, pid_t client)
{
	struct pollfd reaped = { .events = POLLIN };
	socklen_t length = sizeof(reaped.fd);
	int status;

	give(taken, "hello");
	CHECK_EQ(waitpid(client, &status, 0), client);
	CHECK_EQ(status, 0);
	CHECK(getsockopt(taken, SOL_SOCKET, SO_PEERPIDFD, &reaped.fd, &length) == 0);
	CHECK_EQ(poll(&reaped, 1, 0), 1);
}

int main(int argc, char **argv)
{
	static const int types[3] = { SOCK_STREAM, SOCK_STREAM, SOCK_SEQPACKET };
	struct name names[3] = { name("@ckpt waits"), name("waiting"), name("packets") };
	struct name own[3] = { name("@ckpt client"), name("client0"), name("client1") };
	int listeners[3], clients[3][5];
	struct ucred peer = { 0 };
	socklen_t length = sizeof(peer);

	for (int i = 0; i < 3; i++) {
		listeners[i] = listen_at(&names[i], types[i], 7);
		for (int c = 0; c < 5; c++) {
			clients[i][c] = new_socket(types[i] | (c == 3 ? SOCK_NONBLOCK : 0));
			if (c == 1)
				CHECK(bind(clients[i][c], (void *)&own[i].address, own[i].length) == 0);
			/* What comes later inherits it. */
			if (c == 4)
				set_option(listeners[i], SO_PASSCRED, 1);
			CHECK(connect(clients[i][c], (void *)&names[i].address, names[i].length) == 0);
		}
		set_option(listeners[i], SO_PASSCRED, 0);
		give(clients[i][0], "first");
		give(clients[i][2], "farewell");
		close(clients[i][2]);
		give(clients[i][3], "shut");
		CHECK(shutdown(clients[i][3], SHUT_WR) == 0);
		give(clients[i][4], "named");
	}
	/* Who feeds hostile statefiles wants one process. */
	int alone = argc > 1 && strcmp(argv[1], "alone") == 0;
	pid_t child = alone ? -1 : start_client(listeners, &names[1], types[1], "child");
	pid_t silent = alone ? -1 : start_client(listeners, &names[2], types[2], "");
	sleep_ms(100);
	ready();
	if (disturbed())
		give(clients[0][0], "er");
	wait_go();
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(fcntl(clients[i][3], F_GETFL), O_RDWR | O_NONBLOCK);
		CHECK_EQ(fcntl(clients[i][0], F_GETFL), O_RDWR);
		CHECK(getsockopt(clients[i][0], SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0);
		CHECK_EQ(peer.pid, getpid());
		check_accepted(listeners[i], &names[i], clients[i], &own[i]);
	}
	if (!alone) {
		int taken = accept_from(listeners[1], child);

		/* What is sent before it is accepted always says by whom. */
		set_option(taken, SO_PASSCRED, 1);
		struct ucred sender = take_sender(taken, "child");
		CHECK_EQ(sender.pid, child);
		CHECK_EQ(sender.uid, getuid());
		end_client(taken, child);
		end_client(accept_from(listeners[2], silent), silent);
	}
	for (int i = 0; i < 3; i++) {
		/* Nothing else waits there, and the backlog is what it was. */
		CHECK(fcntl(listeners[i], F_SETFL, O_NONBLOCK) == 0);
		CHECK_EQ(accept(listeners[i], NULL, NULL), -1);
		CHECK_EQ(errno, EAGAIN);
		for (int n = 0; n < 8; n++)
			connect_to(&names[i], types[i]);
		int more = new_socket(types[i] | SOCK_NONBLOCK);
		CHECK_EQ(connect(more, (void *)&names[i].address, names[i].length), -1);
		CHECK_EQ(errno, EAGAIN);
	}
	pass();
}
