// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind file: descriptors that only stand for a path (O_PATH) of any type, also as a place to open from; readahead advice; directories
 * that have been read half, on the file system of the working directory and on that of /var/tmp.
 */
#include "target.h"

#include <sys/stat.h>

enum { ENTRIES = 400, WINDOW = 16 };

struct entry {
	uint64_t inode;
	int64_t offset;
	unsigned short length;
	unsigned char type;
	char name[];
};

static unsigned char seen[2][ENTRIES];

/* Reads a part of a directory; whether there was something. */
static bool read_part(int fd, int which)
{
	char buffer[2048];
	long length = syscall(SYS_getdents64, fd, buffer, sizeof(buffer));

	CHECK(length >= 0);
	for (long at = 0; at < length; at += ((struct entry *)(buffer + at))->length) {
		const char *name = ((struct entry *)(buffer + at))->name;

		if (*name != '.')
			CHECK_EQ(seen[which][atoi(name)]++, 0);
	}
	return length > 0;
}

static int half_read(const char *name, int which)
{
	char path[256];
	int fd;

	CHECK(mkdir(name, 0700) == 0);
	for (int i = 0; i < ENTRIES; i++) {
		snprintf(path, sizeof(path), "%s/%d", name, i);
		fd = open(path, O_WRONLY | O_CREAT, 0600);
		CHECK(fd >= 0 && close(fd) == 0);
	}
	fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	for (int i = 0; i < 3; i++)
		CHECK(read_part(fd, which));
	return fd;
}

static void read_rest(int fd, const char *name, int which)
{
	char path[256];

	while (read_part(fd, which))
		;
	for (int i = 0; i < ENTRIES; i++) {
		CHECK_EQ(seen[which][i], 1);
		snprintf(path, sizeof(path), "%s/%d", name, i);
		CHECK(unlink(path) == 0);
	}
	CHECK(rmdir(name) == 0);
}

/* Pages of the file in the cache after the first byte has been read. */
static int read_ahead(int fd)
{
	unsigned char there[WINDOW];
	void *memory = mmap(NULL, WINDOW * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	int sum = 0;
	char byte;

	CHECK(memory != MAP_FAILED && fsync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	CHECK(mincore(memory, WINDOW * PAGE, there) == 0);
	for (int i = 0; i < WINDOW; i++)
		CHECK_EQ(there[i] & 1, 0);
	CHECK(pread(fd, &byte, 1, 0) == 1 && mincore(memory, WINDOW * PAGE, there) == 0);
	for (int i = 0; i < WINDOW; i++)
		sum += there[i] & 1;
	CHECK(munmap(memory, WINDOW * PAGE) == 0);
	return sum;
}

static void check_path(int fd, int type, int flags)
{
	struct stat st;

	CHECK(fstat(fd, &st) == 0);
	CHECK_EQ(st.st_mode & S_IFMT, type);
	CHECK_EQ(fcntl(fd, F_GETFL) & ~O_CLOEXEC, O_PATH | flags);
	CHECK(read(fd, &st, 1) == -1 && errno == EBADF);
}

int main(void)
{
	char disk[64], disk_half[80], text[80];
	int file, directory, link, fifo, device, plain, advised, halves[2];

	/* The working directory may be a tmpfs, which has no readahead. */
	snprintf(disk, sizeof(disk), "/var/tmp/file_path.%d", getpid());
	CHECK(mkdir(disk, 0700) == 0);
	snprintf(disk_half, sizeof(disk_half), "%s/half", disk);
	snprintf(text, sizeof(text), "%s/plain", disk);
	plain = open(text, O_RDWR | O_CREAT, 0600);
	snprintf(text, sizeof(text), "%s/advised", disk);
	advised = open(text, O_RDWR | O_CREAT, 0600);
	CHECK(close(open("file", O_RDWR | O_CREAT, 0600)) == 0);
	CHECK(ftruncate(plain, 64 * PAGE) == 0 && fallocate(advised, 0, 0, 64 * PAGE) == 0 && fallocate(plain, 0, 0, 64 * PAGE) == 0);
	CHECK(posix_fadvise(advised, 0, 0, POSIX_FADV_RANDOM) == 0);
	CHECK(mkdir("directory", 0700) == 0 && mkfifo("fifo", 0600) == 0 && symlink("nowhere", "link") == 0);
	file = open("file", O_PATH);
	directory = open("directory", O_PATH | O_DIRECTORY);
	link = open("link", O_PATH | O_NOFOLLOW);
	fifo = open("fifo", O_PATH);
	device = open("/dev/tty", O_PATH | O_CLOEXEC);
	halves[0] = half_read("half", 0);
	halves[1] = half_read(disk_half, 1);
	ready();
	if (disturbed())
		CHECK(posix_fadvise(advised, 0, 0, POSIX_FADV_NORMAL) == 0);
	wait_go();
	check_path(file, S_IFREG, 0);
	check_path(directory, S_IFDIR, O_DIRECTORY);
	check_path(link, S_IFLNK, O_NOFOLLOW);
	check_path(fifo, S_IFIFO, 0);
	check_path(device, S_IFCHR, 0);
	CHECK(openat(directory, "inside", O_WRONLY | O_CREAT, 0600) >= 0 && access("directory/inside", F_OK) == 0);
	CHECK_EQ(readlinkat(link, "", text, sizeof(text)), 7);
	snprintf(text, sizeof(text), "/proc/self/fd/%d", file);
	CHECK(open(text, O_RDWR) >= 0);
	CHECK(fcntl(halves[0], F_GETFL) & O_NOFOLLOW);
	read_rest(halves[0], "half", 0);
	read_rest(halves[1], disk_half, 1);
	CHECK(read_ahead(plain) > 1);
	CHECK_EQ(read_ahead(advised), 1);
	pass();
}
