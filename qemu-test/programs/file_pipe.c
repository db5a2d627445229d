// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind pipe: pipes inside the process keep contents, capacity, flags and which ends are open. One thread waits in a read
 * of an empty pipe, one in a write to a full one; both go on.
 */
#include "blocked.h"

#include <signal.h>
#include <sys/ioctl.h>

static int queued(int fd)
{
	int count = -1;

	CHECK(ioctl(fd, FIONREAD, &count) == 0);
	return count;
}

int main(void)
{
	int text[2], big[2], closed_reader[2], closed_writer[2], shared, high;
	char *data = map_private(200 * 1024), *got = map_private(200 * 1024), line[32];

	signal(SIGPIPE, SIG_IGN);
	CHECK(pipe(text) == 0 && pipe(closed_reader) == 0 && pipe(closed_writer) == 0 && pipe(empty) == 0 && pipe(full) == 0);
	CHECK(pipe2(big, O_NONBLOCK | O_CLOEXEC) == 0);
	CHECK_EQ(write(text[1], "unread bytes", 12), 12);
	CHECK_EQ(read(text[0], line, 3), 3);
	shared = dup(text[0]);
	high = fcntl(text[1], F_DUPFD_CLOEXEC, 300);
	CHECK_EQ(fcntl(big[1], F_SETPIPE_SZ, 262144), 262144);
	fill(data, 190 * 1024, 5);
	CHECK_EQ(write(big[1], data, 190 * 1024), 190 * 1024);
	close(closed_reader[0]);
	CHECK_EQ(write(closed_writer[1], "the end", 7), 7);
	close(closed_writer[1]);
	block_threads(data, PAGE);
	ready();
	if (disturbed())
		CHECK_EQ(read(text[0], line, 1), 1);
	wait_go();
	CHECK_EQ(queued(text[0]), 9);
	CHECK_EQ(read(shared, line, 20), 9);
	CHECK(memcmp(line, "ead bytes", 9) == 0);
	CHECK_EQ(write(high, "more", 4), 4);
	CHECK_EQ(read(text[0], line, 20), 4);
	CHECK_EQ(fcntl(high, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(big[0], F_GETPIPE_SZ), 262144);
	CHECK_EQ(fcntl(big[1], F_GETFL), O_WRONLY | O_NONBLOCK);
	CHECK_EQ(read(big[0], got, 200 * 1024), 190 * 1024);
	CHECK_FILLED(got, 190 * 1024, 5);
	CHECK_EQ(read(big[0], got, 1), -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(write(closed_reader[1], "x", 1), -1);
	CHECK_EQ(errno, EPIPE);
	CHECK_EQ(read(closed_writer[0], line, 20), 7);
	CHECK_EQ(read(closed_writer[0], line, 20), 0);
	unblock_threads(data, got);
	CHECK_EQ(queued(full[0]), (int)PAGE);
	pass();
}
