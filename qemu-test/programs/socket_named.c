/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind socket: a server that listens at a path, a relative path and an abstract name, with clients of its own and of a child, keeps
 * its addresses, its backlog, its connections and the file, and is found by new clients.
 */
#include "unix_socket.h"

#include <sys/stat.h>
#include <sys/wait.h>

int main(int argc, char **argv)
{
	static const char hidden[] = "\0ckpt test\0name";
	char path[80], got[32] = "";
	struct name names[3], own = name("client");
	int listeners[3], clients[3], accepted[3], types[3] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_STREAM }, status;
	struct stat file;

	snprintf(path, sizeof(path), "/tmp/ckpt-socket-%d", getpid());
	names[0] = name(path);
	names[1] = name("relative");
	names[2] = name_of(hidden, sizeof(hidden) - 1);
	for (int i = 0; i < 3; i++) {
		listeners[i] = listen_at(&names[i], types[i], 3 + i);
		clients[i] = socket(AF_UNIX, types[i], 0);
		if (i == 1)
			CHECK(bind(clients[i], (void *)&own.address, own.length) == 0);
		CHECK(connect(clients[i], (void *)&names[i].address, names[i].length) == 0);
		accepted[i] = accept(listeners[i], NULL, NULL);
		CHECK(accepted[i] >= 0);
	}
	CHECK(chmod(path, 0620) == 0);
	CHECK_EQ(write(clients[0], "waiting", 7), 7);
	CHECK_EQ(write(accepted[2], "reply", 5), 5);
	int bound = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct name box = name("@ckpt box");
	CHECK(bind(bound, (void *)&box.address, box.length) == 0);
	/* Who feeds hostile statefiles wants one process. */
	int alone = argc > 1 && strcmp(argv[1], "alone") == 0;
	pid_t child = alone ? -1 : fork();
	CHECK(alone || child >= 0);
	if (child == 0) {
		for (int i = 0; i < 3; i++)
			close(listeners[i]), close(accepted[i]);
		CHECK_EQ(read(clients[2], got, 5), 5);
		CHECK_EQ(read(clients[2], got, 5), 5);
		_exit(memcmp(got, "child", 5) == 0 ? 0 : 1);
	}
	sleep_ms(50);
	ready();
	if (disturbed())
		CHECK(chmod(path, 0600) == 0);
	wait_go();
	for (int i = 0; i < 3; i++) {
		int value = 0;
		socklen_t length = sizeof(value);

		CHECK(getsockopt(listeners[i], SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0);
		CHECK_EQ(value, 1);
		check_name(listeners[i], 0, &names[i]);
		check_name(accepted[i], 0, &names[i]);
		check_name(clients[i], 1, &names[i]);
		check_name(clients[i], 0, i == 1 ? &own : NULL);
		check_name(accepted[i], 1, i == 1 ? &own : NULL);
	}
	CHECK_EQ(read(accepted[0], got, sizeof(got)), 7);
	CHECK(memcmp(got, "waiting", 7) == 0);
	talk(clients[0], accepted[0], "again");
	talk(accepted[1], clients[1], "packet");
	CHECK_EQ(write(accepted[2], "child", 5), 5);
	if (!alone) {
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(status, 0);
	}
	CHECK(stat(path, &file) == 0);
	CHECK_EQ(file.st_mode, S_IFSOCK | 0620);
	for (int i = 0; i < 3; i++) {
		int late = connect_to(&names[i], types[i]);
		int taken = accept(listeners[i], NULL, NULL);

		CHECK(taken >= 0);
		talk(late, taken, "hello");
		check_name(taken, 0, &names[i]);
		/* The backlog is the number of connections that wait, less one. */
		for (int n = 0; n < 4 + i; n++)
			connect_to(&names[i], types[i]);
		int more = socket(AF_UNIX, types[i] | SOCK_NONBLOCK, 0);
		CHECK_EQ(connect(more, (void *)&names[i].address, names[i].length), -1);
		CHECK_EQ(errno, EAGAIN);
	}
	int sender = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK_EQ(sendto(sender, "letter", 6, 0, (void *)&box.address, box.length), 6);
	CHECK_EQ(read(bound, got, sizeof(got)), 6);
	unlink(path);
	pass();
}
