// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/* Kind fd: a descriptor table so large that it needs several records; each open file has its own position. */
#include "target.h"

#include <sys/resource.h>

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 3000;
	struct rlimit limit = { count + 100, count + 100 };
	int first;

	CHECK(close_range(3, ~0U, 0) == 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	first = open("data", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(first >= 0 && ftruncate(first, count + 1) == 0);
	for (int i = 1; i < count; i++) {
		int fd = i % 8 ? open("data", O_RDONLY) : dup(first);

		CHECK_EQ(fd, first + i);
		if (i % 8)
			CHECK_EQ(lseek(fd, i, SEEK_SET), i);
	}
	CHECK_EQ(lseek(first, count, SEEK_SET), count);
	ready();
	if (disturbed())
		lseek(first + 9, 3, SEEK_SET);
	wait_go();
	for (int i = 1; i < count; i++)
		CHECK_EQ(lseek(first + i, 0, SEEK_CUR), i % 8 ? i : count);
	CHECK_EQ(fcntl(first + count, F_GETFD), -1);
	pass();
}
