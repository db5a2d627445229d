/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A child has a page in common with its parent at SAME, and ordinary memory, of which it has touched nothing, at OTHER: there the parent has
 * a huge page.
 */
#include "family.h"

#define SAME ((char *)0x600000000000)
#define OTHER ((char *)0x610000000000)
#define HUGE_PAGE (2UL << 20)

static void map_at(char *at, size_t size, int how)
{
	CHECK(mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | how, -1, 0) == at);
}

int main(void)
{
	struct gate gate;
	pid_t child;

	map_at(SAME, PAGE, 0);
	map_at(OTHER, HUGE_PAGE, 0);
	fill(SAME, PAGE, 1);
	child = fork_waiting(&gate);
	if (child == 0) {
		CHECK_FILLED(SAME, PAGE, 1);
		pass_on();
	}
	CHECK(munmap(OTHER, HUGE_PAGE) == 0);
	map_at(OTHER, HUGE_PAGE, MAP_HUGETLB);
	fill(OTHER, HUGE_PAGE, 2);
	ready();
	wait_go();
	CHECK_FILLED(OTHER, HUGE_PAGE, 2);
	go_on(&gate);
	end_of(child);
	pass();
}
