/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind tree: a server that has prepared memory, and child processes that have it from fork(2) and have written to a twentieth of
 * it, each to another one. Usage: tree_prefork CHILDREN MIB
 */
#include "family.h"

static uint64_t *memory;
static size_t pages;

static bool own(size_t page, int child)
{
	return child && page % 20 == (size_t)(child % 20);
}

static void write_page(size_t page, int child)
{
	fill(memory + page * (PAGE / 8), PAGE, page + 1 + (own(page, child) ? child * 1000003ULL : 0));
}

static uint64_t sum(void)
{
	uint64_t total = 0;

	for (size_t i = 0; i < pages * PAGE / 8; i++)
		total = total * 31 + memory[i];
	return total;
}

static void check_memory(int child)
{
	for (size_t page = 0; page < pages; page++)
		CHECK_FILLED(memory + page * (PAGE / 8), PAGE, page + 1 + (own(page, child) ? child * 1000003ULL : 0));
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 50;
	pid_t children[256];
	struct gate gate;
	uint64_t before;

	CHECK(count > 0 && count <= 256);
	pages = (argc > 2 ? atoi(argv[2]) : 64) * 256UL;
	memory = map_private(pages * PAGE);
	for (size_t page = 0; page < pages; page++)
		write_page(page, 0);
	open_gate(&gate);
	for (int child = 1; child <= count; child++) {
		children[child - 1] = fork_child();
		if (children[child - 1])
			continue;
		for (size_t page = 0; page < pages; page++)
			if (own(page, child))
				write_page(page, child);
		before = sum();
		prepared(&gate);
		wait_go();
		if (disturbed() && child == count)
			memory[pages * PAGE / 8 - 1]++;
		check_memory(child);
		CHECK_EQ(sum(), before);
		pass_on();
	}
	wait_prepared(&gate);
	before = sum();
	say("sum %016llx", (unsigned long long)before);
	ready();
	wait_go();
	check_memory(0);
	CHECK_EQ(sum(), before);
	for (int i = 0; i < count; i++)
		end_of(children[i]);
	no_child_is_left();
	pass();
}
