// cflags: -O1 -static
/* SPDX-License-Identifier: GPL-2.0 */
/* The smallest statefile: no libraries, nothing to lose but a counter. For hostile cases, which change its statefile. */
#include "target.h"

int main(void)
{
	volatile uint64_t turns = 0;

	ready();
	while (!go_given())
		turns++, sleep_ms(50);
	pass();
}
