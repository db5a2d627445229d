// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/* Kind mm: pages that are swapped out, private and shared, keep their contents. The harness provides the swap. */
#include "target.h"

enum { SIZE = 2 << 20 };

static long swapped_kb(void)
{
	char line[256];
	long kb, sum = 0;
	FILE *file = fopen("/proc/self/smaps", "r");

	CHECK(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Swap: %ld kB", &kb) == 1)
			sum += kb;
	fclose(file);
	return sum;
}

int main(void)
{
	char *private = map_private(SIZE), *shared = map(SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);

	fill(private, SIZE, 1);
	fill(shared, SIZE, 2);
	for (int i = 0; i < 100 && swapped_kb() < SIZE / 1024; i++) {
		CHECK(madvise(private, SIZE, MADV_PAGEOUT) == 0);
		CHECK(madvise(shared, SIZE, MADV_PAGEOUT) == 0);
		sleep_ms(10);
	}
	if (swapped_kb() < 1024)
		skip("only %ld kB went to the swap", swapped_kb());
	say("swapped %ld kB", swapped_kb());
	ready();
	if (disturbed())
		private[SIZE - 1]++;
	wait_go();
	CHECK_FILLED(private, SIZE, 1);
	CHECK_FILLED(shared, SIZE, 2);
	pass();
}
