// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind file: deleted files and files of O_TMPFILE keep content, holes, size, permissions, times, offsets, flags and locks.
 * Open files and mappings of one file stay of one file, in several processes; and nothing of it appears in the directory.
 */
#include "family.h"

#include <dirent.h>
#include <sys/file.h>
#include <sys/stat.h>

#define SIZE (64UL << 20)

static int names(void)
{
	DIR *dir = opendir("nest");
	int found = 0;

	CHECK(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		found += entry->d_name[0] != '.';
	closedir(dir);
	return found;
}

static int reopen(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags);
}

static ino_t inode(int fd)
{
	struct stat status;

	CHECK(fstat(fd, &status) == 0);
	CHECK_EQ(status.st_nlink, 0);
	return status.st_ino;
}

/* What is behind a hole stands in the middle of it and at the end. */
static void check_content(int fd, uint64_t seed)
{
	char page[PAGE];

	CHECK_EQ(lseek(fd, 0, SEEK_END), SIZE + 5);
	CHECK_EQ(pread(fd, page, PAGE, 1 << 20), PAGE);
	CHECK_FILLED(page, PAGE, seed);
	CHECK_EQ(pread(fd, page, PAGE, SIZE), 5);
	CHECK(memcmp(page, "tail\n", 5) == 0);
	CHECK_EQ(pread(fd, page, PAGE, 2 << 20), PAGE);
	for (unsigned i = 0; i < PAGE; i++)
		CHECK_EQ(page[i], 0);
}

static void write_content(int fd, uint64_t seed)
{
	char page[PAGE];

	fill(page, PAGE, seed);
	CHECK_EQ(pwrite(fd, page, PAGE, 1 << 20), PAGE);
	CHECK_EQ(pwrite(fd, "tail\n", 5, SIZE), 5);
}

int main(void)
{
	struct timespec times[2] = { { 1000000000, 123456789 }, { 1100000000, 987654321 } };
	int deleted, reader, appender, temporary, unlinkable, replaced;
	char *shared, *private, *deep, page[PAGE];
	struct stat before, after;
	struct gate gate;
	pid_t child;

	umask(0);
	CHECK(mkdir("nest", 0700) == 0);
	deleted = open("nest/deleted", O_RDWR | O_CREAT | O_EXCL, 0640);
	CHECK(deleted >= 0);
	write_content(deleted, 1);
	reader = open("nest/deleted", O_RDONLY);
	CHECK(unlink("nest/deleted") == 0);
	appender = reopen(deleted, O_WRONLY | O_APPEND);
	CHECK(reader >= 0 && appender >= 0);
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, deleted, 8 << 20);
	private = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, reader, 1 << 20);
	/* Of a file that has no descriptor any more, and a name that belongs to another file by now. */
	replaced = open("nest/replaced", O_RDWR | O_CREAT, 0755);
	CHECK(ftruncate(replaced, 3 * PAGE) == 0);
	deep = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, replaced, PAGE);
	CHECK(shared != MAP_FAILED && private != MAP_FAILED && deep != MAP_FAILED);
	close(replaced);
	replaced = open("nest/new", O_RDWR | O_CREAT, 0600);
	CHECK(rename("nest/new", "nest/replaced") == 0 && close(replaced) == 0);
	fill(deep + PAGE, PAGE, 3);
	private[PAGE + 7] = 77;
	shared[5] = 55;
	temporary = open("nest", O_RDWR | O_TMPFILE, 0600);
	unlinkable = open("nest", O_RDWR | O_TMPFILE | O_EXCL, 0600);
	CHECK(temporary >= 0 && unlinkable >= 0);
	write_content(temporary, 2);
	CHECK_EQ(lseek(deleted, 12345, SEEK_SET), 12345);
	CHECK_EQ(lseek(reader, 54321, SEEK_SET), 54321);
	CHECK(flock(reader, LOCK_SH) == 0);
	CHECK(futimens(temporary, times) == 0 && fstat(temporary, &before) == 0);
	CHECK_EQ(names(), 1);
	child = fork_waiting(&gate);
	if (child == 0) {
		/* It has the very same files. */
		CHECK_EQ(shared[5], 56);
		shared[6] = 66;
		CHECK_EQ(lseek(deleted, 1, SEEK_CUR), 12346);
		pass_on();
	}
	ready();
	if (disturbed())
		CHECK(pwrite(deleted, "x", 1, (1 << 20) + 17) == 1);
	wait_go();
	CHECK(fstat(temporary, &after) == 0);
	CHECK_EQ(after.st_mode, before.st_mode);
	CHECK_EQ(after.st_mtim.tv_sec, times[1].tv_sec);
	CHECK_EQ(after.st_mtim.tv_nsec, times[1].tv_nsec);
	CHECK(after.st_blocks * 512 < 1 << 20);
	CHECK_EQ(names(), 1);
	CHECK_EQ(lseek(deleted, 0, SEEK_CUR), 12345);
	CHECK_EQ(lseek(reader, 0, SEEK_CUR), 54321);
	CHECK_EQ(fcntl(deleted, F_GETFL) & (O_ACCMODE | O_APPEND), O_RDWR);
	CHECK_EQ(fcntl(reader, F_GETFL) & (O_ACCMODE | O_APPEND), O_RDONLY);
	CHECK_EQ(fcntl(appender, F_GETFL) & (O_ACCMODE | O_APPEND), O_WRONLY | O_APPEND);
	CHECK_EQ(fcntl(temporary, F_GETFL) & O_TMPFILE, O_TMPFILE);
	CHECK_EQ(inode(deleted), inode(reader));
	CHECK_EQ(inode(deleted), inode(appender));
	CHECK(inode(deleted) != inode(temporary));
	CHECK_EQ(flock(appender, LOCK_EX | LOCK_NB), -1);
	CHECK_EQ(errno, EWOULDBLOCK);
	CHECK_EQ(shared[5], 55);
	CHECK_EQ(pread(deleted, page, 6, 8 << 20), 6);
	CHECK_EQ(page[5], 55);
	shared[5]++;
	go_on(&gate);
	end_of(child);
	CHECK_EQ(shared[6], 66);
	CHECK_EQ(pread(reader, page, PAGE, 8 << 20), PAGE);
	CHECK_EQ(page[6], 66);
	CHECK_EQ(lseek(deleted, 0, SEEK_CUR), 12346);
	CHECK_EQ(private[PAGE + 7], 77);
	CHECK_FILLED(private, PAGE, 1);
	CHECK_FILLED(deep + PAGE, PAGE, 3);
	check_content(deleted, 1);
	check_content(temporary, 2);
	CHECK_EQ(write(appender, "more", 4), 4);
	CHECK_EQ(lseek(reader, 0, SEEK_END), SIZE + 9);
	/* What could get a name can, and what could not cannot. */
	snprintf(page, PAGE, "/proc/self/fd/%d", temporary);
	CHECK_EQ(linkat(AT_FDCWD, page, AT_FDCWD, "nest/linked", AT_SYMLINK_FOLLOW), 0);
	CHECK_EQ(names(), 2);
	for (int i = 0; i < 2; i++) {
		snprintf(page, PAGE, "/proc/self/fd/%d", i ? unlinkable : deleted);
		CHECK_EQ(linkat(AT_FDCWD, page, AT_FDCWD, "nest/other", AT_SYMLINK_FOLLOW), -1);
	}
	pass();
}
