// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Prints a number after the other, a few in a second, until the file CKPT_GO exists. The smallest program with
 * something to lose: robustness and benchmark cases use it. Usage: tick [EXIT_STATUS [MEGABYTES]]
 */
#include "target.h"

int main(int argc, char **argv)
{
	size_t size = (argc > 2 ? atoi(argv[2]) : 0) * 1048576UL;
	char *memory = size ? map_private(size) : NULL;
	unsigned number = 0;

	if (size)
		fill(memory, size, 1);
	ready();
	while (!go_given()) {
		say("%u", ++number);
		sleep_ms(50);
	}
	if (size)
		CHECK_FILLED(memory, size, 1);
	say("OK");
	return argc > 1 ? atoi(argv[1]) : 0;
}
