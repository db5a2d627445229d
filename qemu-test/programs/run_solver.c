// cflags: -O2 -fopenmp
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A solver such as batch systems run: OpenMP, a few megabytes of state, one line of output per step, the same lines in every
 * run. Usage: run_solver STEPS [PAUSE_MS]; OMP_NUM_THREADS chooses the threads. The result does not depend on them.
 */
#include "target.h"

#include <omp.h>

enum { N = 1 << 19 };

static uint64_t now[N], next[N];

int main(int argc, char **argv)
{
	int steps = argc > 1 ? atoi(argv[1]) : 10, pause = argc > 2 ? atoi(argv[2]) : 0;

	for (int i = 0; i < N; i++)
		now[i] = (i + 1) * 0x9e3779b97f4a7c15ULL;
	for (int step = 1; step <= steps; step++) {
		uint64_t sum = 0;

#pragma omp parallel for reduction(+ : sum)
		for (int i = 0; i < N; i++) {
			uint64_t x = now[i] ^ now[(i + 1) % N] >> 7 ^ now[(i + N - 1) % N] << 9;

			next[i] = x * 6364136223846793005ULL + step;
			sum += next[i];
		}
		memcpy(now, next, sizeof(now));
		say("step %d %016llx", step, (unsigned long long)sum);
		if (pause)
			sleep_ms(pause);
	}
	say("result %016llx", (unsigned long long)(now[17] ^ now[N - 5]));
	return 0;
}
