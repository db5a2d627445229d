// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind fd and file: a descriptor table with gaps and high numbers, close-on-exec, descriptors that share one open file
 * (and two that do not), append mode, status flags, a directory that has been read half, devices without state.
 */
#include "target.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { HIGH = 900, FILES = 200 };

static int flags_before[1024], flags_now[1024], status_before[1024], status_now[1024];

static void table(int *flags, int *status)
{
	for (int fd = 0; fd < 1024; fd++) {
		flags[fd] = fcntl(fd, F_GETFD);
		status[fd] = flags[fd] == -1 ? 0 : fcntl(fd, F_GETFL);
	}
}

static int open_checked(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	if (fd < 0)
		fail("open %s: errno %d", path, errno);
	return fd;
}

int main(void)
{
	struct rlimit limit = { 1024, 1024 };
	int data, same, high, apart, append, directory, null, zero, urandom, full, position, no_access, held;
	char text[64], name[32];
	bool seen[FILES] = { 0 };
	struct dirent *entry;
	int entries = 0;
	DIR *stream;

	CHECK(close_range(3, ~0U, 0) == 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK(mkdir("directory", 0755) == 0);
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "directory/%d", i);
		close(open_checked(name, O_CREAT | O_WRONLY));
	}
	data = open_checked("data", O_RDWR | O_CREAT | O_TRUNC);
	CHECK_EQ(write(data, "0123456789abcdefghij", 20), 20);
	CHECK_EQ(lseek(data, 5, SEEK_SET), 5);
	same = dup(data);
	high = fcntl(data, F_DUPFD_CLOEXEC, HIGH);
	CHECK_EQ(high, HIGH);
	apart = open_checked("data", O_RDONLY | O_NONBLOCK);
	append = open_checked("log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC);
	CHECK_EQ(write(append, "one\n", 4), 4);
	null = open_checked("/dev/null", O_RDWR);
	zero = open_checked("/dev/zero", O_RDONLY);
	urandom = open_checked("/dev/urandom", O_RDONLY);
	full = open_checked("/dev/full", O_WRONLY);
	no_access = open_checked("data", O_RDONLY | O_NOATIME | O_SYNC);
	directory = open_checked("directory", O_RDONLY | O_DIRECTORY);
	CHECK(dup2(directory, 333) == 333);
	CHECK(close(directory) == 0);
	stream = fdopendir(333);
	CHECK(stream);
	while (entries < FILES / 2 && (entry = readdir(stream)))
		if (entry->d_name[0] != '.') {
			seen[atoi(entry->d_name)] = true;
			entries++;
		}
	/* A descriptor between two gaps. */
	held = fcntl(null, F_DUPFD, 500);
	table(flags_before, status_before);
	ready();
	if (disturbed()) { /* the same place in the same file, but another open file */
		close(same);
		CHECK_EQ(open_checked("data", O_RDWR), same);
		lseek(same, 5, SEEK_SET);
	}
	wait_go();
	table(flags_now, status_now);
	for (int fd = 0; fd < 1024; fd++)
		if (flags_before[fd] != flags_now[fd] || status_before[fd] != status_now[fd])
			fail("descriptor %d: flags %d status %#o, not %d %#o", fd, flags_now[fd], status_now[fd],
			     flags_before[fd], status_before[fd]);
	/* One open file has one position. */
	CHECK_EQ(read(same, text, 3), 3);
	CHECK(memcmp(text, "567", 3) == 0);
	position = lseek(high, 0, SEEK_CUR);
	CHECK_EQ(position, 8);
	CHECK_EQ(read(data, text, 2), 2);
	CHECK(memcmp(text, "89", 2) == 0);
	CHECK_EQ(read(apart, text, 4), 4);
	CHECK(memcmp(text, "0123", 4) == 0);
	CHECK_EQ(lseek(data, 0, SEEK_CUR), 10);
	CHECK_EQ(write(data, "XY", 2), 2);
	CHECK_EQ(pread(apart, text, 20, 0), 20);
	CHECK(memcmp(text, "0123456789XYcdefghij", 20) == 0);
	/* Appending ignores the position. */
	CHECK_EQ(lseek(append, 0, SEEK_SET), 0);
	CHECK_EQ(write(append, "two\n", 4), 4);
	CHECK_EQ(lseek(append, 0, SEEK_CUR), 8);
	while ((entry = readdir(stream)))
		if (entry->d_name[0] != '.') {
			CHECK(!seen[atoi(entry->d_name)]);
			seen[atoi(entry->d_name)] = true;
			entries++;
		}
	CHECK_EQ(entries, FILES);
	CHECK_EQ(read(null, text, 10), 0);
	CHECK_EQ(write(null, text, 10), 10);
	CHECK_EQ(write(held, text, 10), 10);
	CHECK_EQ(read(zero, text, 10), 10);
	CHECK(memcmp(text, "\0\0\0\0\0\0\0\0\0\0", 10) == 0);
	CHECK_EQ(read(urandom, text, 10), 10);
	CHECK_EQ(write(full, text, 10), -1);
	CHECK_EQ(errno, ENOSPC);
	CHECK_EQ(read(no_access, text, 1), 1);
	CHECK(fchmod(333, 0755) == 0);
	pass();
}
