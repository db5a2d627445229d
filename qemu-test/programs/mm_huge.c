// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind mm: private memory of huge pages (MAP_HUGETLB): contents with their holes, protections, parts of a mapping, memory without a
 * reservation, the size of the pages; what a child has since a fork.
 *
 * `private`: all of this. `reserved`, `unreserved`: only one mapping, with or without a reservation, and two pages in it. `memfd`: the same
 * of a memfd.
 */
#include "family.h"

#define HUGE (2UL << 20)
#define LARGE (1UL << 30)
#define MAP_HUGE_OF(log2) (MAP_HUGETLB | (log2) << 26)

static char *map_huge(unsigned pages, int how)
{
	return map(pages * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGE_OF(21) | how);
}

/* Whether the page of an address is there. */
static bool present(char *memory)
{
	unsigned char there;

	CHECK(mincore(memory, PAGE, &there) == 0);
	return there & 1;
}

/* A number of a mapping in /proc/self/smaps, in KiB. */
static long of_smaps(void *memory, const char *name)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	unsigned long start;
	bool inside = false;
	char line[512];
	long value = -1;

	CHECK(smaps);
	while (value < 0 && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-", &start) == 1 && strchr(line, '-') < strchr(line, ' '))
			inside = start == (unsigned long)memory;
		else if (inside && !strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			value = strtol(line + strlen(name) + 1, NULL, 10);
	}
	fclose(smaps);
	return value;
}

static char *map_memfd(void)
{
	int fd = memfd_create("lacking", MFD_HUGETLB | 21U << 26);
	char *memory;

	CHECK(fd >= 0 && ftruncate(fd, 4 * HUGE) == 0);
	memory = mmap(NULL, 4 * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(memory != MAP_FAILED && close(fd) == 0);
	return memory;
}

static void one(char *memory)
{
	fill(memory, HUGE, 1);
	fill(memory + 2 * HUGE, HUGE, 2);
	ready();
	if (disturbed())
		memory[77]++;
	wait_go();
	CHECK_FILLED(memory, HUGE, 1);
	CHECK_FILLED(memory + 2 * HUGE, HUGE, 2);
	CHECK(!present(memory + HUGE) && !present(memory + 3 * HUGE));
	pass();
}

int main(int argc, char **argv)
{
	char *holes, *only, *none, *split, *cut, *sparse, *advised, *large;
	struct gate gate;
	pid_t child;

	if (argc > 1 && !strcmp(argv[1], "memfd"))
		one(map_memfd());
	if (argc > 1 && strcmp(argv[1], "private"))
		one(map_huge(4, strcmp(argv[1], "unreserved") ? 0 : MAP_NORESERVE));
	holes = map_huge(4, 0);
	fill(holes, HUGE, 1);
	fill(holes + 2 * HUGE, HUGE, 2);
	only = map_huge(1, 0);
	fill(only, HUGE, 3);
	CHECK(mprotect(only, HUGE, PROT_READ) == 0);
	none = map_huge(1, 0);
	fill(none, HUGE, 4);
	CHECK(mprotect(none, HUGE, PROT_NONE) == 0);
	split = map_huge(3, 0);
	fill(split, 3 * HUGE, 5);
	CHECK(mprotect(split + HUGE, HUGE, PROT_READ) == 0);
	cut = map_huge(3, 0);
	fill(cut, 3 * HUGE, 6);
	CHECK(munmap(cut + HUGE, HUGE) == 0);
	/* More than there is: only what is touched has pages. */
	sparse = map_huge(1 << 15, MAP_NORESERVE);
	fill(sparse + (1UL << 14) * HUGE, HUGE, 7);
	advised = map_huge(1, 0);
	CHECK(madvise(advised, HUGE, MADV_DONTFORK) == 0);
	strcpy(advised, "not for the child");
	/* Without any page, so that there need not be one in the pool. */
	large = mmap(NULL, LARGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGE_OF(30) | MAP_NORESERVE, -1, 0);
	child = fork_waiting(&gate);
	if (child == 0) {
		CHECK_FILLED(holes, HUGE, 1);
		CHECK_FILLED(holes + 2 * HUGE, HUGE, 2);
		CHECK_FILLED(only, HUGE, 3);
		CHECK_FILLED(sparse + (1UL << 14) * HUGE, HUGE, 7);
		fill(holes, HUGE, 11);
		CHECK_FILLED(holes, HUGE, 11);
		pass_on();
	}
	/* What the child does not see. */
	strcpy(holes + 2 * HUGE, "of the parent");
	ready();
	if (disturbed())
		split[HUGE - 1]++;
	wait_go();
	go_on(&gate);
	end_of(child);
	CHECK_FILLED(holes, HUGE, 1);
	CHECK(strcmp(holes + 2 * HUGE, "of the parent") == 0);
	CHECK(present(holes) && !present(holes + HUGE) && present(holes + 2 * HUGE) && !present(holes + 3 * HUGE));
	CHECK_EQ(of_smaps(holes, "KernelPageSize"), HUGE >> 10);
	CHECK_FILLED(only, HUGE, 3);
	CHECK(mprotect(only, HUGE, PROT_READ | PROT_WRITE) == 0);
	only[9]++;
	CHECK(mprotect(none, HUGE, PROT_READ) == 0);
	CHECK_FILLED(none, HUGE, 4);
	CHECK_FILLED(split, 3 * HUGE, 5);
	split[0] = split[2 * HUGE] = 1;
	CHECK_EQ(of_smaps(split, "Size"), HUGE >> 10);
	CHECK(unfilled(cut, HUGE, 6) < 0);
	CHECK(mmap(cut + HUGE, HUGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == cut + HUGE);
	CHECK(!present(sparse) && present(sparse + (1UL << 14) * HUGE));
	CHECK_FILLED(sparse + (1UL << 14) * HUGE, HUGE, 7);
	CHECK(strcmp(advised, "not for the child") == 0);
	if (large != MAP_FAILED)
		CHECK_EQ(of_smaps(large, "KernelPageSize"), LARGE >> 10);
	pass();
}
