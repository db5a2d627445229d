/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind socket: a server and a mailbox that anybody can reach. "socket_open" has them, and so much in a file without a name that what is
 * written before them fills any pipe. "socket_open connect" and "file" are outsiders: they connect to the server, or send an open file
 * that they keep to the mailbox.
 */
#include "unix_socket.h"

#include <sys/eventfd.h>

enum { SIZE = 16 << 20 };

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
	} else {
		give_files(connect_to(&mailbox, SOCK_DGRAM), "event", (int[]){ eventfd(0, 0) }, 1);
	}
	ready();
	while (!go_given()) {
		say("%u", ++number);
		sleep_ms(50);
	}
	pass();
}
