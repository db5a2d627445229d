/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind socket: a server and a mailbox that anybody can reach. "socket_open" has them, and so much in a file without a name that what is
 * written before them fills any pipe. "socket_open connect", "file" and "long" are outsiders: they connect to the server, or send an
 * open file that they keep, or a message of a size that is not saved, to the mailbox.
 */
#include "unix_socket.h"

#include <sys/eventfd.h>

enum { SIZE = 16 << 20, LONG = 300 << 10 };

static int to_mailbox(const struct name *mailbox)
{
	int fd = connect_to(mailbox, SOCK_DGRAM);

	set_option(fd, SO_SNDBUFFORCE, 4 * LONG);
	return fd;
}

int main(int argc, char **argv)
{
	const struct name server = name("server"), mailbox = name("mailbox");
	static char data[SIZE];
	unsigned number = 0;

	memset(data, 'x', sizeof(data));
	if (argc == 1) {
		int memory = memfd_create("much", 0);

		CHECK_EQ(write(memory, data, SIZE), SIZE);
		listen_at(&server, SOCK_STREAM, 4);
		bound_at(&mailbox, SOCK_DGRAM);
	} else if (strcmp(argv[1], "connect") == 0) {
		connect_to(&server, SOCK_STREAM);
	} else if (strcmp(argv[1], "file") == 0) {
		give_files(to_mailbox(&mailbox), "event", (int[]){ eventfd(0, 0) }, 1);
	} else {
		CHECK_EQ(write(to_mailbox(&mailbox), data, LONG), LONG);
	}
	ready();
	while (!go_given()) {
		say("%u", ++number);
		sleep_ms(50);
	}
	pass();
}
