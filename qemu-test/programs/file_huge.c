// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind file: memfds of huge pages (MFD_HUGETLB) and deleted files of hugetlbfs keep name, content, holes, size, size of pages, mode,
 * seals, offsets; mappings of several processes stay of one memory, private ones keep what was written to them. A file of hugetlbfs
 * that has its name is the one that is there.
 */
#include "family.h"

#include <sys/stat.h>
#include <sys/vfs.h>

#define HUGE (2UL << 20)
#define MFD_OF_2MB (MFD_HUGETLB | 21U << 26)
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif

#define NAMED "/dev/hugepages/ckpt-named"

static char *map_file(int fd, unsigned pages, int how)
{
	char *memory = mmap(NULL, pages * HUGE, PROT_READ | PROT_WRITE, how, fd, 0);

	CHECK(memory != MAP_FAILED);
	return memory;
}

static int sized(int fd, unsigned pages)
{
	CHECK(fd >= 0 && ftruncate(fd, pages * HUGE) == 0);
	return fd;
}

static struct stat status_of(int fd)
{
	struct stat status;

	CHECK(fstat(fd, &status) == 0);
	return status;
}

static void check_filled(int fd, off_t offset, int seed)
{
	static char page[HUGE];

	CHECK_EQ(pread(fd, page, HUGE, offset), HUGE);
	CHECK_FILLED(page, HUGE, seed);
}

int main(void)
{
	int full, sealed, empty, closed, deleted, temporary, named, reader;
	char path[64], link[300], *shared, *private, *other, *of_deleted, *of_named, *its_private, *only;
	struct gate gate;
	struct statfs fs;
	pid_t child;

	if (statfs("/dev/hugepages", &fs) || fs.f_bsize != (long)HUGE)
		skip("no hugetlbfs at /dev/hugepages");
	full = sized(memfd_create("full of pages", MFD_OF_2MB | MFD_ALLOW_SEALING), 64);
	CHECK(fchmod(full, 0640) == 0);
	shared = map_file(full, 4, MAP_SHARED);
	fill(shared, HUGE, 1);
	fill(shared + 2 * HUGE, HUGE, 2);
	private = map_file(full, 4, MAP_PRIVATE);
	CHECK_FILLED(private, HUGE, 1);
	fill(private + 2 * HUGE, HUGE, 3);
	only = map_file(full, 1, MAP_PRIVATE);
	fill(only, HUGE, 4);
	CHECK(mprotect(only, HUGE, PROT_READ) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", full);
	reader = open(path, O_RDONLY);
	CHECK_EQ(lseek(reader, 777, SEEK_SET), 777);
	sealed = sized(memfd_create("sealed", MFD_OF_2MB | MFD_NOEXEC_SEAL), 2);
	other = map_file(sealed, 1, MAP_SHARED);
	fill(other, HUGE, 5);
	CHECK(munmap(other, HUGE) == 0);
	CHECK(fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_SEAL) == 0);
	empty = memfd_create("", MFD_HUGETLB);
	/* Memory of which there is no descriptor any more. */
	closed = sized(memfd_create("closed", MFD_OF_2MB), 2);
	other = map_file(closed, 2, MAP_SHARED);
	close(closed);
	strcpy(other + HUGE, "closed");
	deleted = sized(open("/dev/hugepages/ckpt-deleted", O_RDWR | O_CREAT | O_EXCL, 0600), 4);
	CHECK(unlink("/dev/hugepages/ckpt-deleted") == 0);
	of_deleted = map_file(deleted, 1, MAP_SHARED);
	fill(of_deleted, HUGE, 6);
	temporary = sized(open("/dev/hugepages", O_RDWR | O_TMPFILE, 0600), 1);
	unlink(NAMED);
	named = sized(open(NAMED, O_RDWR | O_CREAT | O_EXCL, 0600), 2);
	of_named = map_file(named, 2, MAP_SHARED);
	its_private = map_file(named, 2, MAP_PRIVATE);
	fill(of_named, HUGE, 7);
	fill(its_private + HUGE, HUGE, 8);
	child = fork_waiting(&gate);
	if (child == 0) {
		CHECK_EQ(shared[9], 99);
		shared[HUGE] = 100;
		CHECK(strcmp(other + HUGE, "closed") == 0);
		strcpy(other + HUGE, "child");
		CHECK_FILLED(private + 2 * HUGE, HUGE, 3);
		pass_on();
	}
	ready();
	if (disturbed())
		shared[2 * HUGE]++;
	wait_go();
	check_filled(full, 0, 1);
	CHECK_FILLED(shared, HUGE, 1);
	CHECK_FILLED(private + 2 * HUGE, HUGE, 3);
	CHECK_FILLED(shared + 2 * HUGE, HUGE, 2);
	CHECK_FILLED(only, HUGE, 4);
	CHECK(mprotect(only, HUGE, PROT_READ | PROT_WRITE) == 0);
	only[8] = 1;
	CHECK_EQ(status_of(full).st_size, 64 * HUGE);
	/* Its holes are not filled. */
	CHECK_EQ(status_of(full).st_blocks, 2 * HUGE / 512);
	CHECK_EQ(status_of(full).st_blksize, HUGE);
	CHECK_EQ(status_of(full).st_mode & 07777, 0640);
	CHECK_EQ(lseek(reader, 0, SEEK_CUR), 777);
	CHECK_EQ(readlink(path, link, sizeof(link)), strlen("/memfd:full of pages (deleted)"));
	check_filled(sealed, 0, 5);
	CHECK_EQ(fcntl(sealed, F_GET_SEALS), F_SEAL_EXEC | F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_SEAL);
	CHECK(mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, sealed, 0) == MAP_FAILED);
	CHECK_EQ(status_of(sealed).st_blocks, HUGE / 512);
	CHECK_EQ(status_of(empty).st_size, 0);
	CHECK_EQ(status_of(empty).st_blksize, HUGE);
	check_filled(deleted, 0, 6);
	of_deleted[0]++;
	CHECK_EQ(pread(deleted, link, 1, 0), 1);
	CHECK_EQ(link[0], of_deleted[0]);
	CHECK_EQ(status_of(deleted).st_size, 4 * HUGE);
	CHECK_EQ(status_of(temporary).st_blocks, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", temporary);
	CHECK(linkat(AT_FDCWD, path, AT_FDCWD, "/dev/hugepages/ckpt-linked", AT_SYMLINK_FOLLOW) == 0);
	CHECK(unlink("/dev/hugepages/ckpt-linked") == 0);
	CHECK_FILLED(of_named, HUGE, 7);
	CHECK_FILLED(its_private + HUGE, HUGE, 8);
	of_named[0]++;
	CHECK_EQ(pread(named, link, 1, 0), 1);
	CHECK_EQ(link[0], of_named[0]);
	CHECK_EQ(fcntl(named, F_GETFL) & O_ACCMODE, O_RDWR);
	CHECK(unlink(NAMED) == 0);
	shared[9] = 99;
	go_on(&gate);
	end_of(child);
	CHECK_EQ(shared[HUGE], 100);
	CHECK(strcmp(other + HUGE, "child") == 0);
	pass();
}
