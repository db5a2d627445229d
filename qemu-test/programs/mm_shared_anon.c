// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind shmem: shared anonymous memory that is mapped several times, with other offsets and protections, stays one
 * object; a second object of the same size stays another one; parts that nobody maps any more are kept.
 */
#include "target.h"

enum { PAGES = 32 };

/* Another mapping of the same object: mremap with an old size of zero. */
static char *again(char *memory, int pages)
{
	char *other = mremap(memory, 0, pages * PAGE, MREMAP_MAYMOVE);

	CHECK(other != MAP_FAILED);
	return other;
}

int main(void)
{
	char *one = map(PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS), *two, *three;
	char *other = map(PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
	char *sparse = map(1UL << 36, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE);

	for (int i = 0; i < PAGES; i += 2)
		fill(one + i * PAGE, PAGE, i + 1);
	fill(other, PAGE, 99);
	fill(sparse + (1UL << 35), PAGE, 98);
	two = again(one, PAGES);
	three = again(one + 8 * PAGE, 4);
	CHECK(mprotect(two, PAGES * PAGE, PROT_READ) == 0);
	/* Pages 16 to 19 are now mapped nowhere except read-only in `two`, which loses 24 to 27 as well. */
	CHECK(munmap(one + 16 * PAGE, 12 * PAGE) == 0);
	CHECK(munmap(two + 24 * PAGE, 4 * PAGE) == 0);
	ready();
	if (disturbed()) /* the same contents, but no longer the same object */
		CHECK(mmap(three, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == three);
	wait_go();
	for (int i = 0; i < 24; i += 2)
		CHECK_FILLED(two + i * PAGE, PAGE, i + 1);
	for (unsigned long i = 0; i < PAGE; i++)
		CHECK_EQ(two[PAGE + i], 0);
	fill(one + 9 * PAGE, PAGE, 209);
	CHECK_FILLED(two + 9 * PAGE, PAGE, 209);
	CHECK_FILLED(three + PAGE, PAGE, 209);
	fill(three + 3 * PAGE, PAGE, 211);
	CHECK_FILLED(one + 11 * PAGE, PAGE, 211);
	CHECK_FILLED(three + 2 * PAGE, PAGE, 11);
	CHECK_FILLED(other, PAGE, 99);
	fill(other, PAGE, 299);
	CHECK_FILLED(one, PAGE, 1);
	CHECK_FILLED(sparse + (1UL << 35), PAGE, 98);
	CHECK_EQ(sparse[1UL << 34], 0);
	/* What was mapped nowhere (24 to 27) is still in the object. */
	two = again(one, PAGES);
	CHECK_FILLED(two + 24 * PAGE, PAGE, 25);
	CHECK_FILLED(two + 30 * PAGE, PAGE, 31);
	pass();
}
