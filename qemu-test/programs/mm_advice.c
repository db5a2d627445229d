// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind mm: advice (madvise), locks, names, growing-down and droppable mappings. The harness compares their flags in
 * /proc/PID/smaps; this program checks contents and behaviour. One argument: lockall, or nothing.
 */
#include "target.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

enum { PAGES = 8 };

static const int advice[] = { MADV_DONTFORK, MADV_DONTDUMP,   MADV_WIPEONFORK, MADV_HUGEPAGE,
			      MADV_NOHUGEPAGE, MADV_MERGEABLE, MADV_SEQUENTIAL, MADV_RANDOM };

enum { ADVICE = sizeof(advice) / sizeof(advice[0]) };

static void check_child(char **advised)
{
	int status;
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0) {
		unsigned char present[PAGES];
		bool gone = mincore(advised[0], PAGES * PAGE, present) == -1 && errno == ENOMEM;

		for (unsigned long i = 0; i < PAGES * PAGE; i++)
			if (advised[2][i])
				_exit(2);
		_exit(gone ? 0 : 1);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
}

int main(int argc, char **argv)
{
	char *advised[ADVICE], *named, *locked, *on_fault, *grows, *droppable;
	bool all = argc > 1 && strcmp(argv[1], "lockall") == 0;

	for (int i = 0; i < ADVICE; i++) {
		advised[i] = map_private(PAGES * PAGE);
		/* A mapping between them keeps the kernel from merging. */
		map(PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
		fill(advised[i], PAGES * PAGE, i + 1);
		CHECK(madvise(advised[i], PAGES * PAGE, advice[i]) == 0 || errno == EINVAL);
	}
	named = map_private(PAGES * PAGE);
	fill(named, PAGES * PAGE, 50);
	/* Without CONFIG_ANON_VMA_NAME there are no names, and nothing to compare. */
	if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, named, PAGES * PAGE, "a name of ours") == 0)
		CHECK(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, named + 2 * PAGE, PAGE, "another") == 0);
	locked = map_private(PAGES * PAGE);
	CHECK(mlock(locked + PAGE, 2 * PAGE) == 0);
	fill(locked, PAGES * PAGE, 51);
	on_fault = map_private(PAGES * PAGE);
	CHECK(mlock2(on_fault, PAGES * PAGE, MLOCK_ONFAULT) == 0);
	fill(on_fault + PAGE, PAGE, 52);
	droppable = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_DROPPABLE | MAP_ANONYMOUS, -1, 0);
	if (droppable != MAP_FAILED)
		memset(droppable, 1, PAGES * PAGE);
	/* It grows only while 256 pages below it are free: nothing may be mapped into the hole after this. */
	grows = map(1024 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
	CHECK(munmap(grows, 1024 * PAGE) == 0);
	grows = mmap(grows + 1018 * PAGE, 6 * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK(grows != MAP_FAILED);
	fill(grows, 6 * PAGE, 53);
	grows[-3 * (long)PAGE] = 77;
	if (all)
		CHECK(mlockall(MCL_FUTURE | MCL_ONFAULT) == 0);
	ready();
	if (disturbed())
		CHECK(madvise(advised[2], PAGES * PAGE, MADV_KEEPONFORK) == 0);
	wait_go();
	for (int i = 0; i < ADVICE; i++)
		CHECK_FILLED(advised[i], PAGES * PAGE, i + 1);
	CHECK_FILLED(named, PAGES * PAGE, 50);
	CHECK_FILLED(locked, PAGES * PAGE, 51);
	CHECK_FILLED(on_fault + PAGE, PAGE, 52);
	CHECK_EQ(on_fault[5 * PAGE], 0);
	CHECK_FILLED(grows, 6 * PAGE, 53);
	CHECK_EQ(grows[-3 * (long)PAGE], 77);
	grows[-20 * (long)PAGE] = 78;
	CHECK_EQ(grows[-20 * (long)PAGE], 78);
	if (droppable != MAP_FAILED)
		for (unsigned long i = 0; i < PAGES * PAGE; i++)
			CHECK(droppable[i] == 0 || droppable[i] == 1);
	check_child(advised);
	pass();
}
