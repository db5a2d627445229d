// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind mm: file mappings. Private: pages that were changed keep the change, the others follow the file. Shared: what
 * is written reaches the file, read-only maps stay so, and offsets are kept. The file is made in the working directory.
 */
#include "target.h"

enum { PAGES = 32 };

static char *map_file(int fd, int prot, int flags, int page, int pages)
{
	char *memory = mmap(NULL, pages * PAGE, prot, flags, fd, page * PAGE);

	CHECK(memory != MAP_FAILED);
	return memory;
}

int main(void)
{
	int fd = open("mapped-file", O_RDWR | O_CREAT | O_TRUNC, 0644), read_only;
	char *private, *shared, *part, *protected, *locked, page[PAGE];

	CHECK(fd >= 0);
	for (int i = 0; i < PAGES; i++) {
		fill(page, PAGE, i + 1);
		CHECK_EQ(write(fd, page, PAGE), PAGE);
	}
	CHECK_EQ(write(fd, "tail", 4), 4);
	read_only = open("mapped-file", O_RDONLY);
	CHECK(read_only >= 0);
	private = map_file(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0, PAGES + 1);
	shared = map_file(fd, PROT_READ | PROT_WRITE, MAP_SHARED, 0, PAGES);
	part = map_file(fd, PROT_READ, MAP_SHARED, 20, 3);
	protected = map_file(read_only, PROT_READ, MAP_SHARED, 5, 2);
	locked = map_file(read_only, PROT_READ | PROT_WRITE, MAP_PRIVATE, 7, 2);
	close(read_only);
	close(fd);
	fill(private + 3 * PAGE, PAGE, 103);
	fill(private + 10 * PAGE, 2 * PAGE, 110);
	CHECK(mprotect(private + 10 * PAGE, PAGE, PROT_READ) == 0);
	memcpy(private + PAGES * PAGE + 100, "beyond the end", 14);
	fill(shared + 21 * PAGE, PAGE, 121);
	fill(locked + PAGE, PAGE, 108);
	ready();
	if (disturbed())
		private[3 * PAGE + 4000]++;
	wait_go();
	for (int i = 0; i < PAGES; i++) {
		if (i == 3)
			CHECK_FILLED(private + i * PAGE, PAGE, 103);
		else if (i == 10)
			CHECK_FILLED(private + i * PAGE, 2 * PAGE, 110);
		else if (i != 11 && i != 21)
			CHECK_FILLED(private + i * PAGE, PAGE, i + 1);
		if (i == 21)
			CHECK_FILLED(shared + i * PAGE, PAGE, 121);
		else
			CHECK_FILLED(shared + i * PAGE, PAGE, i + 1);
	}
	CHECK(memcmp(private + PAGES * PAGE, "tail", 4) == 0);
	CHECK(memcmp(private + PAGES * PAGE + 100, "beyond the end", 14) == 0);
	CHECK_FILLED(part, PAGE, 21);
	CHECK_FILLED(part + PAGE, PAGE, 121);
	CHECK_FILLED(protected, PAGE, 6);
	CHECK_FILLED(locked, PAGE, 8);
	CHECK_FILLED(locked + PAGE, PAGE, 108);
	/* The mappings are live: shared memory and the file are the same, a private page is not. */
	fill(shared + 22 * PAGE, PAGE, 222);
	CHECK_FILLED(part + 2 * PAGE, PAGE, 222);
	CHECK_FILLED(private + 22 * PAGE, PAGE, 222);
	fill(private + 23 * PAGE, PAGE, 223);
	fd = open("mapped-file", O_RDONLY);
	CHECK_EQ(pread(fd, page, PAGE, 22 * PAGE), PAGE);
	CHECK_FILLED(page, PAGE, 222);
	CHECK_EQ(pread(fd, page, PAGE, 21 * PAGE), PAGE);
	CHECK_FILLED(page, PAGE, 121);
	CHECK_EQ(pread(fd, page, PAGE, 23 * PAGE), PAGE);
	CHECK_FILLED(page, PAGE, 24);
	CHECK_EQ(pread(fd, page, PAGE, 3 * PAGE), PAGE);
	CHECK_FILLED(page, PAGE, 4);
	CHECK(mprotect(protected, PAGE, PROT_READ | PROT_WRITE) == -1);
	pass();
}
