// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/* Kind rlimit: soft and hard limits are kept, also those that are below what is in use. */
#include "target.h"

#include <sys/resource.h>

int main(void)
{
	struct rlimit before[RLIM_NLIMITS], now;
	int high = fcntl(1, F_DUPFD, 200);

	CHECK_EQ(high, 200);
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		CHECK(getrlimit(i, &now) == 0);
		switch (i) {
		case RLIMIT_NOFILE:
			now = (struct rlimit){ 64, 4096 }; /* below descriptor 200 */
			break;
		case RLIMIT_AS:
			now = (struct rlimit){ 1UL << 20, 1UL << 40 }; /* below what is mapped */
			break;
		case RLIMIT_FSIZE:
			now = (struct rlimit){ 1UL << 20, RLIM_INFINITY };
			break;
		case RLIMIT_STACK:
			now = (struct rlimit){ 3UL << 20, 9UL << 20 };
			break;
		case RLIMIT_CORE:
			now = (struct rlimit){ 0, 12345 };
			break;
		case RLIMIT_CPU:
			now = (struct rlimit){ 5000, 6000 };
			break;
		case RLIMIT_DATA:
			now = (struct rlimit){ 4096, 1UL << 40 }; /* below what is used */
			break;
		case RLIMIT_MEMLOCK:
			now = (struct rlimit){ 65536, 131072 };
			break;
		case RLIMIT_SIGPENDING:
			now.rlim_cur = 33;
			break;
		case RLIMIT_RTTIME:
			now = (struct rlimit){ 1000000, 2000000 };
			break;
		case RLIMIT_NICE:
		case RLIMIT_RTPRIO:
			now = (struct rlimit){ 5, 9 };
			break;
		}
		before[i] = now;
		CHECK(setrlimit(i, &now) == 0);
	}
	ready();
	if (disturbed())
		CHECK(setrlimit(RLIMIT_CORE, &(struct rlimit){ 1, 12345 }) == 0);
	wait_go();
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		CHECK(getrlimit(i, &now) == 0);
		if (now.rlim_cur != before[i].rlim_cur || now.rlim_max != before[i].rlim_max)
			fail("limit %d is %lu %lu, not %lu %lu", i, (long)now.rlim_cur, (long)now.rlim_max,
			     (long)before[i].rlim_cur, (long)before[i].rlim_max);
	}
	CHECK(fcntl(high, F_GETFD) == 0);
	pass();
}
