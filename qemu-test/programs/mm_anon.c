// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind mm: private anonymous memory: contents with every protection, holes, single pages, pages only read, pages
 * written and zeroed again, and a region that was split and merged by mprotect.
 */
#include "target.h"

#include <setjmp.h>
#include <signal.h>

enum { PAGES = 64 };

static sigjmp_buf escape;

static void on_fault(int number)
{
	(void)number;
	siglongjmp(escape, 1);
}

/* True when a one-byte access faults. */
static bool faults(volatile char *address, bool write)
{
	if (sigsetjmp(escape, 1))
		return true;
	if (write)
		*address = *address;
	else
		(void)*address;
	return false;
}

int main(void)
{
	char *holes = map_private(PAGES * PAGE), *none = map_private(4 * PAGE), *only = map_private(4 * PAGE);
	char *zeroed = map_private(4 * PAGE), *unread = map_private(16 * PAGE), *split = map_private(9 * PAGE);
	char *unmapped = map_private(3 * PAGE);
	int (*code)(void) = map(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS);
	static const unsigned char return_77[] = { 0xb8, 77, 0, 0, 0, 0xc3 };
	uint64_t sum = 0;

	signal(SIGSEGV, on_fault);
	for (int i = 0; i < PAGES; i += 3)
		fill(holes + i * PAGE, PAGE, i + 1);
	for (unsigned long i = 0; i < 16 * PAGE; i += PAGE)
		sum += unread[i];
	fill(none, 4 * PAGE, 1000);
	CHECK(mprotect(none, 4 * PAGE, PROT_NONE) == 0);
	fill(only, 4 * PAGE, 1001);
	CHECK(mprotect(only, 4 * PAGE, PROT_READ) == 0);
	fill(zeroed, 4 * PAGE, 1002);
	memset(zeroed, 0, 4 * PAGE);
	fill(split, 9 * PAGE, 1003);
	CHECK(mprotect(split + 3 * PAGE, 3 * PAGE, PROT_READ) == 0);
	CHECK(munmap(unmapped + PAGE, PAGE) == 0);
	fill(unmapped, PAGE, 1004);
	fill(unmapped + 2 * PAGE, PAGE, 1005);
	memcpy(code, return_77, sizeof(return_77));
	CHECK(mprotect(code, PAGE, PROT_READ | PROT_EXEC) == 0);
	ready();
	if (disturbed())
		holes[3 * PAGE + 8]++;
	wait_go();
	for (int i = 0; i < PAGES; i++) {
		if (i % 3 == 0)
			CHECK_FILLED(holes + i * PAGE, PAGE, i + 1);
		else
			for (unsigned long j = 0; j < PAGE; j++)
				CHECK_EQ(holes[i * PAGE + j], 0);
	}
	for (unsigned long i = 0; i < 16 * PAGE; i += PAGE)
		sum += unread[i];
	CHECK_EQ(sum, 0);
	CHECK(faults(none, false));
	CHECK(mprotect(none, 4 * PAGE, PROT_READ) == 0);
	CHECK_FILLED(none, 4 * PAGE, 1000);
	CHECK_FILLED(only, 4 * PAGE, 1001);
	CHECK(faults(only, true));
	for (unsigned long i = 0; i < 4 * PAGE; i++)
		CHECK_EQ(zeroed[i], 0);
	CHECK_FILLED(split, 9 * PAGE, 1003);
	CHECK(!faults(split, true) && faults(split + 3 * PAGE, true) && !faults(split + 6 * PAGE, true));
	CHECK_FILLED(unmapped, PAGE, 1004);
	CHECK_FILLED(unmapped + 2 * PAGE, PAGE, 1005);
	CHECK_EQ(code(), 77);
	pass();
}
