// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind mm: shared memory of huge pages (MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB) stays one object for parent and child and in all
 * mappings, with its holes; a second object of the same size stays another one, also without a reservation.
 */
#include "family.h"

#define HUGE (2UL << 20)

static char *map_huge(unsigned pages, int how)
{
	return map(pages * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | 21 << 26 | how);
}

static bool present(char *memory)
{
	unsigned char there;

	CHECK(mincore(memory, PAGE, &there) == 0);
	return there & 1;
}

int main(void)
{
	char *one = map_huge(4, 0), *other = map_huge(4, 0), *sparse = map_huge(1 << 15, MAP_NORESERVE), *again;
	struct gate gate;
	pid_t child;

	fill(one, HUGE, 1);
	fill(one + 3 * HUGE, HUGE, 3);
	fill(other, HUGE, 9);
	fill(sparse + (1UL << 14) * HUGE, HUGE, 7);
	child = fork_waiting(&gate);
	if (child == 0) {
		CHECK_FILLED(one, HUGE, 11);
		fill(one + HUGE, HUGE, 12);
		CHECK_FILLED(sparse + (1UL << 14) * HUGE, HUGE, 7);
		sparse[5] = 5;
		pass_on();
	}
	/* The rest of it is the child's. */
	CHECK(munmap(one + 3 * HUGE, HUGE) == 0);
	CHECK(mprotect(other, 2 * HUGE, PROT_READ) == 0);
	ready();
	if (disturbed()) /* the same contents, but no longer the same object */
		CHECK(mmap(one, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == one);
	wait_go();
	CHECK(!present(one + HUGE) && !present(one + 2 * HUGE) && !present(other + HUGE) && !present(sparse));
	if (!disturbed())
		CHECK_FILLED(one, HUGE, 1);
	fill(one, HUGE, 11);
	again = mremap(other, 0, 4 * HUGE, MREMAP_MAYMOVE);
	CHECK(again == MAP_FAILED || unfilled(again, HUGE, 9) < 0);
	go_on(&gate);
	end_of(child);
	CHECK_FILLED(one + HUGE, HUGE, 12);
	CHECK_FILLED(other, HUGE, 9);
	CHECK_EQ(sparse[5], 5);
	pass();
}
