// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind mm: guard regions (MADV_GUARD_INSTALL) between pages with contents still fault and can still be removed;
 * sealed mappings (mseal) stay sealed. Usage: mm_guard_seal guard|seal
 */
#include "target.h"

#include <setjmp.h>
#include <signal.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif

enum { PAGES = 16 };

static sigjmp_buf escape;

static void on_fault(int number)
{
	(void)number;
	siglongjmp(escape, 1);
}

static bool faults(volatile char *address)
{
	if (sigsetjmp(escape, 1))
		return true;
	*address = *address;
	return false;
}

static void guard(void)
{
	char *memory = map_private(PAGES * PAGE), *shared;

	shared = map(PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
	fill(memory, PAGES * PAGE, 1);
	if (madvise(memory + 4 * PAGE, 2 * PAGE, MADV_GUARD_INSTALL) == -1)
		skip("the kernel has no guard regions");
	CHECK(madvise(memory + 15 * PAGE, PAGE, MADV_GUARD_INSTALL) == 0);
	fill(shared, PAGES * PAGE, 2);
	CHECK(madvise(shared + 8 * PAGE, PAGE, MADV_GUARD_INSTALL) == 0);
	ready();
	if (disturbed())
		CHECK(madvise(memory + 5 * PAGE, PAGE, MADV_GUARD_REMOVE) == 0);
	wait_go();
	for (int i = 0; i < PAGES; i++)
		CHECK_EQ(faults(memory + i * PAGE), i == 4 || i == 5 || i == 15);
	for (int i = 0; i < PAGES; i++)
		CHECK_EQ(faults(shared + i * PAGE), i == 8);
	CHECK_FILLED(memory, 4 * PAGE, 1);
	CHECK_FILLED(shared, 8 * PAGE, 2);
	CHECK(madvise(memory + 4 * PAGE, 2 * PAGE, MADV_GUARD_REMOVE) == 0);
	for (unsigned long i = 0; i < 2 * PAGE; i++)
		CHECK_EQ(memory[4 * PAGE + i], 0);
	CHECK(madvise(shared + 8 * PAGE, PAGE, MADV_GUARD_REMOVE) == 0);
	CHECK_FILLED(shared, PAGES * PAGE, 2);
}

static void seal(void)
{
	char *memory = map_private(PAGES * PAGE);

	fill(memory, PAGES * PAGE, 3);
	CHECK(mprotect(memory + 4 * PAGE, 4 * PAGE, PROT_READ) == 0);
	if (syscall(SYS_mseal, memory + 4 * PAGE, 4 * PAGE, 0) == -1)
		skip("the kernel has no mseal");
	ready();
	wait_go();
	CHECK_FILLED(memory, PAGES * PAGE, 3);
	if (!disturbed())
		CHECK(mprotect(memory + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE) == -1 && errno == EPERM);
	else
		CHECK(mprotect(memory + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK(munmap(memory + 6 * PAGE, PAGE) == -1);
	CHECK(munmap(memory, 4 * PAGE) == 0);
}

int main(int argc, char **argv)
{
	signal(SIGSEGV, on_fault);
	if (argc > 1 && strcmp(argv[1], "seal") == 0)
		seal();
	else
		guard();
	pass();
}
