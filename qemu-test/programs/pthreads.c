// cflags: -O2 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Real program: eight threads pass a token around with mutexes and condition variables, sleep, and make and join
 * threads of their own. The order of the token's stations is fixed, so a lost or repeated wake-up shows.
 */
#include "target.h"

#include <pthread.h>

enum { THREADS = 8 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed[THREADS];
static unsigned turn;
static uint64_t rounds, visits[THREADS], hash;
static bool stop;

static void *helper(void *argument)
{
	return (void *)((uintptr_t)argument * 3 + 1);
}

static void *station(void *argument)
{
	unsigned me = (uintptr_t)argument;
	uint64_t mine = 0;

	for (;;) {
		pthread_t thread;
		void *result;

		pthread_mutex_lock(&lock);
		while (turn != me && !stop)
			pthread_cond_wait(&turn_changed[me], &lock);
		if (stop) {
			pthread_mutex_unlock(&lock);
			break;
		}
		mine++;
		visits[me]++;
		hash = hash * 31 + me;
		if (me == 0) {
			rounds++;
			say("round %llu", (unsigned long long)rounds);
			if (rounds == 2)
				ready();
			if (disturbed() && rounds == 3)
				hash++;
			if (rounds >= 10 && go_given()) {
				stop = true;
				for (int i = 0; i < THREADS; i++)
					pthread_cond_signal(&turn_changed[i]);
				pthread_mutex_unlock(&lock);
				break;
			}
		}
		pthread_mutex_unlock(&lock);
		if (me == 3)
			sleep_ms(20);
		if (me == 5) {
			CHECK(pthread_create(&thread, NULL, helper, (void *)(uintptr_t)mine) == 0);
			CHECK(pthread_join(thread, &result) == 0);
			CHECK_EQ(result, mine * 3 + 1);
		}
		pthread_mutex_lock(&lock);
		turn = (me + 1) % THREADS;
		pthread_cond_signal(&turn_changed[turn]);
		pthread_mutex_unlock(&lock);
	}
	return (void *)(uintptr_t)mine;
}

int main(void)
{
	pthread_t threads[THREADS];
	uint64_t want = 0;

	for (int i = 0; i < THREADS; i++)
		pthread_cond_init(&turn_changed[i], NULL);
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, station, (void *)i) == 0);
	for (int i = 0; i < THREADS; i++) {
		void *mine;

		CHECK(pthread_join(threads[i], &mine) == 0);
		CHECK_EQ(mine, visits[i]);
		CHECK_EQ(visits[i], rounds - (i != 0));
	}
	for (uint64_t r = 1; r < rounds; r++)
		for (int i = 0; i < THREADS; i++)
			want = want * 31 + i;
	CHECK_EQ(hash, want * 31);
	pass();
}
