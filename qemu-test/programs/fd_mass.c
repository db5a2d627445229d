/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind fd: many descriptors. `fd_mass files N`: N open files, each at an offset of its own; `fd_mass epoll N`: an epoll that watches
 * N eventfds.
 */
#include "target.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { MARGIN = 64 };

static int first;

static void allow(int count)
{
	const struct rlimit limit = { count + MARGIN, count + MARGIN };

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void name_of(int i, char name[32])
{
	snprintf(name, 32, "many/%d", i);
}

static void open_files(int count)
{
	char name[32];

	CHECK(mkdir("many", 0755) == 0 || errno == EEXIST);
	for (int i = 0; i < count; i++) {
		name_of(i, name);
		int fd = open(name, O_RDWR | O_CREAT, 0644);

		if (i == 0)
			first = fd;
		CHECK_EQ(fd, first + i);
		CHECK_EQ(lseek(fd, i, SEEK_SET), i);
	}
}

static void check_files(int count)
{
	struct stat by_name, by_fd;
	char name[32];

	for (int i = 0; i < count; i++) {
		name_of(i, name);
		CHECK_EQ(lseek(first + i, 0, SEEK_CUR), i);
		CHECK_EQ(stat(name, &by_name), 0);
		CHECK_EQ(fstat(first + i, &by_fd), 0);
		CHECK_EQ(by_fd.st_ino, by_name.st_ino);
	}
}

static int watch_all(int count)
{
	int epoll = epoll_create1(0);

	CHECK(epoll >= 0);
	first = epoll + 1;
	for (int i = 0; i < count; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };

		CHECK_EQ(eventfd(i % 2, EFD_NONBLOCK), first + i);
		CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, first + i, &event), 0);
	}
	return epoll;
}

/* Every second one is ready. */
static void check_watched(int epoll, int count)
{
	struct epoll_event event;
	uint64_t value;

	for (int i = 0; i < count / 2; i++) {
		CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 1);
		CHECK_EQ(event.data.u32 % 2, 1);
		CHECK_EQ(read(first + event.data.u32, &value, sizeof(value)), sizeof(value));
	}
	CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
}

int main(int argc, char **argv)
{
	bool is_epoll = argc > 1 && strcmp(argv[1], "epoll") == 0;
	int count = argc > 2 ? atoi(argv[2]) : 100, epoll = -1;

	allow(count);
	if (is_epoll)
		epoll = watch_all(count);
	else
		open_files(count);
	ready();
	wait_go();
	if (disturbed())
		CHECK_EQ(dup2(0, first + count - 1), first + count - 1);
	if (is_epoll)
		check_watched(epoll, count);
	else
		check_files(count);
	pass();
}
