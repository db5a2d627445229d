// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/* Makes and joins threads without pause (never more than a handful at once), until the file CKPT_GO exists. */
#include "target.h"

#include <pthread.h>

static void *thread_main(void *argument)
{
	if ((uintptr_t)argument % 3 == 0)
		sleep_ms(1);
	return (void *)((uintptr_t)argument + 1);
}

int main(void)
{
	uint64_t made = 0;

	ready();
	while (!go_given()) {
		pthread_t threads[6];

		for (uintptr_t i = 0; i < 6; i++)
			CHECK(pthread_create(&threads[i], NULL, thread_main, (void *)(made + i)) == 0);
		for (uintptr_t i = 0; i < 6; i++) {
			void *result;

			CHECK(pthread_join(threads[i], &result) == 0);
			CHECK_EQ((uintptr_t)result, made + i + 1 + (disturbed() && made > 60));
		}
		made += 6;
	}
	say("%llu threads", (unsigned long long)made);
	pass();
}
