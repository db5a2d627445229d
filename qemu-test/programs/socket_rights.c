/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind socket: open files that are on their way in messages (SCM_RIGHTS) and that nobody has a descriptor for: a file, an end of a pipe, a
 * memfd, an eventfd, sockets that carry sockets, one that is on its way to itself, one in a connection that is not accepted yet.
 */
#include "unix_socket.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>

static void pair(int type, int fds[2])
{
	CHECK(socketpair(AF_UNIX, type, 0, fds) == 0);
}

static void give_file(int fd, const char *text, int file)
{
	give_files(fd, text, &file, 1);
	close(file);
}

static int take_file(int fd, const char *text)
{
	int file;

	take_files(fd, text, &file, 1);
	return file;
}

int main(int argc, char **argv)
{
	int kinds[2], nested[2], middle[2], inner[2], self[2], shared[2], client, got[4], status, ends[2];
	struct name at = name("@ckpt rights");
	char text[16] = "";
	uint64_t count;

	/* Four kinds in one message; also one that a descriptor refers to. */
	pair(SOCK_STREAM, kinds);
	CHECK(pipe(ends) == 0);
	int file = open("carried", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK_EQ(write(file, "abcdef", 6), 6);
	CHECK_EQ(lseek(file, 2, SEEK_SET), 2);
	int memory = memfd_create("carried", 0), events = eventfd(41, 0);
	CHECK_EQ(write(memory, "memory", 6), 6);
	give(kinds[0], "before");
	give_files(kinds[0], "four", (int[]){ file, ends[1], memory, events }, 4);
	give(kinds[0], "after");
	close(file), close(ends[1]), close(memory);
	/* A socket that carries a socket that carries a socket with data. */
	pair(SOCK_SEQPACKET, nested);
	pair(SOCK_DGRAM, middle);
	pair(SOCK_STREAM, inner);
	give(inner[0], "deep");
	give_file(middle[0], "inner", inner[1]);
	give_file(nested[0], "middle", middle[1]);
	/* One that is on its way to itself, and its other end. */
	pair(SOCK_STREAM, self);
	give_files(self[0], "self", &self[1], 1);
	give_file(self[0], "other", self[0]);
	/* Who accepts it gets one more. */
	int listener = listen_at(&at, SOCK_STREAM, 3);
	client = connect_to(&at, SOCK_STREAM);
	give_file(client, "waits", open("carried", O_RDONLY));
	/* Who feeds hostile statefiles wants one process. */
	int alone = argc > 1 && strcmp(argv[1], "alone") == 0;
	pair(SOCK_STREAM, shared);
	pid_t child = alone ? -1 : fork();
	CHECK(alone || child >= 0);
	if (child == 0) {
		for (int fd = 3; fd < shared[1]; fd++)
			close(fd);
		take(shared[1], "go");
		int carried = take_file(shared[1], "for you");
		give(carried, "from the child");
		_exit(0);
	}
	int answer[2];
	CHECK(pipe(answer) == 0);
	if (!alone) {
		sleep_ms(50);
		CHECK(close(shared[1]) == 0);
	}
	give(shared[0], "go");
	sleep_ms(50);
	ready();
	if (disturbed())
		take_part(kinds[1], "before");
	wait_go();

	take_part(kinds[1], "before");
	take_files(kinds[1], "four", got, 4);
	take(kinds[1], "after");
	CHECK_EQ(read(got[0], text, sizeof(text)), 4);
	CHECK(memcmp(text, "cdef", 4) == 0);
	CHECK_EQ(fcntl(got[0], F_GETFL) & O_ACCMODE, O_RDWR);
	talk(got[1], ends[0], "pipe");
	close(got[1]);
	CHECK_EQ(read(ends[0], text, sizeof(text)), 0);
	CHECK_EQ(pread(got[2], text, 6, 0), 6);
	CHECK(memcmp(text, "memory", 6) == 0);
	CHECK_EQ(read(got[3], &count, 8), 8);
	CHECK_EQ(count, 41);
	/* It is the same open file. */
	count = 5;
	CHECK_EQ(write(got[3], &count, 8), 8);
	CHECK_EQ(read(events, &count, 8), 8);
	CHECK_EQ(count, 5);

	middle[1] = take_file(nested[1], "middle");
	inner[1] = take_file(middle[1], "inner");
	take(inner[1], "deep");
	talk(inner[1], inner[0], "back");
	talk(middle[1], middle[0], "back");

	int same = take_file(self[1], "self");
	int other = take_file(self[1], "other");
	talk(other, same, "through");

	int taken = accept(listener, NULL, NULL);
	CHECK(taken >= 0);
	file = take_file(taken, "waits");
	CHECK_EQ(read(file, text, sizeof(text)), 6);
	if (!alone) {
		give_file(shared[0], "for you", answer[1]);
		take(answer[0], "from the child");
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(status, 0);
	}
	pass();
}
