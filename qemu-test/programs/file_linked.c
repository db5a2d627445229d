/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind file: open and mapped files that have lost the name by which they were opened, but have another one, are those of that name; on the
 * file system of the working directory and on that of /var/tmp. So are files of O_TMPFILE that have got a name since.
 */
#include "family.h"

#include <sys/stat.h>

struct linked {
	char dir[64], name[96];
	int fd, temporary;
	char *mapped;
};

static void make(struct linked *l, const char *dir)
{
	char first[96], path[32];

	snprintf(l->dir, sizeof(l->dir), "%s", dir);
	snprintf(first, sizeof(first), "%s/first", dir);
	snprintf(l->name, sizeof(l->name), "%s/below/second", dir);
	CHECK(mkdir(dir, 0700) == 0);
	l->fd = open(first, O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(l->fd >= 0 && ftruncate(l->fd, PAGE) == 0);
	l->mapped = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, l->fd, 0);
	CHECK(l->mapped != MAP_FAILED);
	snprintf(first, sizeof(first), "%s/below", dir);
	CHECK(mkdir(first, 0700) == 0);
	snprintf(first, sizeof(first), "%s/first", dir);
	CHECK(link(first, l->name) == 0 && unlink(first) == 0);
	l->temporary = open(dir, O_RDWR | O_TMPFILE, 0600);
	CHECK(l->temporary >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", l->temporary);
	snprintf(first, sizeof(first), "%s/third", dir);
	CHECK(linkat(AT_FDCWD, path, AT_FDCWD, first, AT_SYMLINK_FOLLOW) == 0);
	CHECK_EQ(lseek(l->fd, 1234, SEEK_SET), 1234);
	CHECK_EQ(write(l->temporary, "third", 5), 5);
}

static void is_named(int fd, const char *name)
{
	struct stat by_fd, by_name;

	CHECK(fstat(fd, &by_fd) == 0 && stat(name, &by_name) == 0);
	CHECK_EQ(by_fd.st_ino, by_name.st_ino);
	CHECK_EQ(by_fd.st_dev, by_name.st_dev);
	CHECK_EQ(by_fd.st_nlink, 1);
}

static void check(struct linked *l)
{
	char other[96], text[8];

	is_named(l->fd, l->name);
	CHECK_EQ(lseek(l->fd, 0, SEEK_CUR), 1234);
	l->mapped[7] = 'm';
	CHECK_EQ(pread(l->fd, text, 1, 7), 1);
	CHECK_EQ(text[0], 'm');
	snprintf(other, sizeof(other), "%s/first", l->dir);
	CHECK(access(other, F_OK) == -1 && errno == ENOENT);
	snprintf(other, sizeof(other), "%s/third", l->dir);
	is_named(l->temporary, other);
	CHECK_EQ(pread(l->temporary, text, sizeof(text), 0), 5);
	CHECK(memcmp(text, "third", 5) == 0);
	CHECK(unlink(other) == 0 && unlink(l->name) == 0);
	snprintf(other, sizeof(other), "%s/below", l->dir);
	CHECK(rmdir(other) == 0 && rmdir(l->dir) == 0);
}

int main(void)
{
	struct linked here, disk;
	char dir[64];

	make(&here, "linked");
	snprintf(dir, sizeof(dir), "/var/tmp/file_linked.%d", getpid());
	make(&disk, dir);
	ready();
	wait_go();
	check(&here);
	check(&disk);
	pass();
}
