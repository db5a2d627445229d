// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind file (stdio): reads lines from its standard input, counts them, and answers each. The line "quit" ends it with
 * the number of lines as its exit status.
 */
#include "target.h"

int main(void)
{
	char line[256];
	int lines = 0, length = 0;

	say("ready");
	for (;;) {
		ssize_t got = read(0, line + length, 1);

		if (got == 0)
			fail("end of input after %d lines", lines);
		CHECK(got == 1);
		if (line[length] != '\n' && length < 254) {
			length++;
			continue;
		}
		line[length] = 0;
		length = 0;
		lines++;
		say("line %d: %s", lines, line);
		dprintf(2, "error %d\n", lines);
		if (strcmp(line, "quit") == 0)
			return lines;
	}
}
