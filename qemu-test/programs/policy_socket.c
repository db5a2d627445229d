/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind policy: sockets that cannot be saved (they have timestamps) are closed, as their other ends, what they have accepted and what
 * waits at them are told: an end of a pair, a server, a client that waits, a receiver of datagrams.
 */
#include "unix_socket.h"

static void is_gone(int fd)
{
	char byte;

	CHECK_EQ(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	CHECK_EQ(errno, EBADF);
}

static void has_ended(int fd)
{
	char byte;

	CHECK_EQ(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
}

int main(void)
{
	const struct name lost = name("@ckpt lost"), path = name("lost"), kept = name("@ckpt kept"), mail = name("@ckpt mail");
	int pair[2], servers[3], accepted[2], clients[2], waiting, late, mailbox, sender;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	give(pair[1], "last words");
	set_option(pair[1], SO_TIMESTAMP, 1);
	/* The servers go, what they have accepted stays. */
	servers[0] = listen_at(&lost, SOCK_STREAM, 4);
	servers[1] = listen_at(&path, SOCK_STREAM, 4);
	for (int i = 0; i < 2; i++) {
		clients[i] = connect_to(i ? &path : &lost, SOCK_STREAM);
		accepted[i] = accept(servers[i], NULL, NULL);
		CHECK(accepted[i] >= 0);
		set_option(servers[i], SO_TIMESTAMP, 1);
	}
	waiting = connect_to(&lost, SOCK_STREAM);
	/* The client goes, the server stays. */
	servers[2] = listen_at(&kept, SOCK_STREAM, 4);
	late = connect_to(&kept, SOCK_STREAM);
	give(late, "late");
	set_option(late, SO_TIMESTAMP, 1);
	mailbox = bound_at(&mail, SOCK_DGRAM);
	sender = connect_to(&mail, SOCK_DGRAM);
	set_option(mailbox, SO_TIMESTAMP, 1);
	ready();
	wait_go();
	is_gone(pair[1]);
	take(pair[0], "last words");
	has_ended(pair[0]);
	for (int i = 0; i < 2; i++) {
		is_gone(servers[i]);
		check_name(accepted[i], 0, i ? &path : &lost);
		check_name(clients[i], 1, i ? &path : &lost);
		talk(clients[i], accepted[i], "to and");
		talk(accepted[i], clients[i], "fro");
	}
	has_ended(waiting);
	is_gone(late);
	late = accept(servers[2], NULL, NULL);
	CHECK(late >= 0);
	take(late, "late");
	has_ended(late);
	is_gone(mailbox);
	CHECK_EQ(write(sender, "x", 1), -1);
	CHECK_EQ(errno, ECONNREFUSED);
	pass();
}
