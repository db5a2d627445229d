// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/* Kind mm: thousands of mappings with alternating protection (more than one record holds), and huge pages. */
#include "target.h"

#define HUGE (2UL << 20)

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 6000;
	char *memory = map_private(count * PAGE), *area = map_private(8 * HUGE);
	char *huge = (char *)(((uintptr_t)area + HUGE - 1) & ~(HUGE - 1));

	for (int i = 0; i < count; i += 2) {
		if (i % 6 == 0)
			fill(memory + i * PAGE, 64, i + 1);
		CHECK(mprotect(memory + i * PAGE, PAGE, PROT_READ) == 0);
	}
	madvise(huge, 4 * HUGE, MADV_HUGEPAGE);
	fill(huge, 2 * HUGE, 7);
	fill(huge + 3 * HUGE, PAGE, 8);
	CHECK(mprotect(huge + HUGE / 2, PAGE, PROT_READ) == 0);
	ready();
	if (disturbed())
		huge[2 * HUGE - 1]++;
	wait_go();
	for (int i = 0; i < count; i += 6)
		CHECK_FILLED(memory + i * PAGE, 64, i + 1);
	CHECK_FILLED(huge, 2 * HUGE, 7);
	CHECK_FILLED(huge + 3 * HUGE, PAGE, 8);
	pass();
}
