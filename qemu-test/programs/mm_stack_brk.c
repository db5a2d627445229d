// cflags: -O0
/* SPDX-License-Identifier: GPL-2.0 */
/* Kind mm: a deep stack and the heap keep their contents, and both grow on afterwards. */
#include "target.h"

static char *heap;

static uint64_t descend(unsigned depth)
{
	uint64_t local[128];
	uint64_t below;

	fill(local, sizeof(local), depth);
	if (depth == 1500) {
		ready();
		if (disturbed())
			heap[100000]++;
		wait_go();
		below = 0;
	} else if (depth == 3000) {
		return 0;
	} else {
		below = descend(depth + 1);
	}
	if (depth == 1500)
		below = descend(depth + 1); /* deeper than before */
	CHECK_FILLED(local, sizeof(local), depth);
	return below + depth;
}

int main(void)
{
	char *start = sbrk(0), *end;

	heap = sbrk(1 << 20);
	CHECK(heap == start);
	fill(heap, 1 << 20, 5);
	CHECK(sbrk(-65536) != (void *)-1);
	end = sbrk(0);
	CHECK_EQ(descend(0), 2999ULL * 3000 / 2);
	CHECK(sbrk(0) == end);
	CHECK_FILLED(heap, (1 << 20) - 65536, 5);
	CHECK(sbrk(131072) == end);
	for (int i = 0; i < 131072; i++)
		CHECK_EQ(end[i], 0);
	fill(end, 131072, 6);
	CHECK_FILLED(end, 131072, 6);
	pass();
}
