// cflags: -O2
/* SPDX-License-Identifier: GPL-2.0 */
/* Holds memory for the benchmarks, and checks it at the end. Usage: memory MEGABYTES thp|4k */
#include "target.h"

int main(int argc, char **argv)
{
	size_t size = (argc > 1 ? atoi(argv[1]) : 64) * 1048576UL, huge = 2UL << 20;
	bool thp = argc > 2 && strcmp(argv[2], "thp") == 0;
	char *area = map_private(size + huge), *memory = (char *)(((uintptr_t)area + huge - 1) & ~(huge - 1));

	madvise(area, size + huge, thp ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	for (size_t at = 0; at < size; at += PAGE) {
		*(uint64_t *)(memory + at) = at * 0x9e3779b97f4a7c15ULL + 1;
		*(uint64_t *)(memory + at + 2048) = ~at;
	}
	ready();
	if (disturbed())
		memory[size / 2]++;
	while (!go_given())
		sleep_ms(20);
	for (size_t at = 0; at < size; at += PAGE) {
		CHECK_EQ(*(uint64_t *)(memory + at), at * 0x9e3779b97f4a7c15ULL + 1);
		CHECK_EQ(*(uint64_t *)(memory + at + 2048), ~at);
	}
	pass();
}
