// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Prints a number after the other, a few in a second, until the file CKPT_GO exists. The smallest program with
 * something to lose: robustness and benchmark cases use it. Exit status: the argument, or 0.
 */
#include "target.h"

int main(int argc, char **argv)
{
	unsigned number = 0;

	ready();
	while (!go_given()) {
		say("%u", ++number);
		sleep_ms(50);
	}
	say("OK");
	return argc > 1 ? atoi(argv[1]) : 0;
}
