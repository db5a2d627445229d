// cflags: -O2 -fopenmp
/* SPDX-License-Identifier: GPL-2.0 */
/* Real program: an OpenMP loop with four threads, a reduction and a thread-private array, round after round. */
#include "target.h"

#include <omp.h>

enum { N = 20000 };

static double values[N];

static double once(uint64_t round)
{
	double sum = 0;

#pragma omp parallel for reduction(+ : sum) schedule(static) num_threads(4)
	for (int i = 0; i < N; i++) {
		values[i] += (double)((i + round) % 7);
		sum += values[i];
	}
	return sum;
}

int main(void)
{
	static uint64_t want[N];
	uint64_t round = 0, expected = 0;
	double sum = 0;
	int threads = 0;

	omp_set_dynamic(0);
#pragma omp parallel num_threads(4)
#pragma omp single
	threads = omp_get_num_threads();
	CHECK_EQ(threads, 4);
	while (round < 10 || !go_given()) {
		sum = once(++round);
		say("round %llu sum %.0f", (unsigned long long)round, sum);
		if (round == 1)
			ready();
		if (disturbed() && round == 3)
			values[17] += 1;
	}
	for (uint64_t r = 1; r <= round; r++)
		for (int i = 0; i < N; i++)
			want[i] += (i + r) % 7;
	for (int i = 0; i < N; i++)
		expected += want[i];
	if (sum != (double)expected)
		fail("sum %f, not %llu", sum, (unsigned long long)expected);
	pass();
}
