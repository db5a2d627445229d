// cflags: -O2
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Real program: sums that live in AVX registers across rounds, a thread-local counter, a growing heap list and a
 * signal handler. Each round prints a line; at the end everything is computed again from scratch.
 */
#include "target.h"

#include <immintrin.h>
#include <signal.h>

struct node {
	struct node *next;
	uint64_t round;
};

static __thread uint64_t tls_rounds;
static volatile sig_atomic_t signals;

static void on_signal(int number)
{
	(void)number;
	signals++;
}

/* Adds `steps` times the step vector; sum and step stay in ymm registers while it runs. */
__attribute__((target("avx"), noinline)) static __m256d add_avx(__m256d sum, __m256d step, long steps)
{
	__asm__ volatile("1: vaddpd %[step], %[sum], %[sum]\n\tdec %[n]\n\tjnz 1b"
			 : [sum] "+x"(sum), [n] "+r"(steps)
			 : [step] "x"(step)
			 : "cc");
	return sum;
}

__attribute__((target("avx"))) static void run(void)
{
	const long steps = 200000;
	__m256d sum = _mm256_setzero_pd(), step = _mm256_set_pd(4, 3, 2, 1);
	struct node *list = NULL;
	uint64_t round = 0;
	double lanes[4];

	while (round < 20 || !go_given()) {
		struct node *node = malloc(sizeof(*node));

		CHECK(node);
		node->next = list;
		node->round = ++round;
		list = node;
		tls_rounds++;
		if (round % 8 == 0)
			raise(SIGUSR1);
		sum = add_avx(sum, step, steps);
		_mm256_storeu_pd(lanes, sum);
		say("round %llu sum %.0f %.0f %.0f %.0f", (unsigned long long)round, lanes[0], lanes[1], lanes[2], lanes[3]);
		if (round == 1)
			ready();
		if (disturbed() && round == 5)
			sum = _mm256_add_pd(sum, step);
	}
	for (int i = 0; i < 4; i++)
		if (lanes[i] != (double)(i + 1) * steps * round)
			fail("lane %d is %f after %llu rounds", i, lanes[i], (unsigned long long)round);
	for (uint64_t n = round; list; list = list->next, n--)
		CHECK_EQ(list->round, n);
	CHECK_EQ(tls_rounds, round);
	CHECK_EQ(signals, round / 8);
}

int main(void)
{
	if (!__builtin_cpu_supports("avx"))
		skip("no AVX");
	signal(SIGUSR1, on_signal);
	run();
	pass();
}
