// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/* Kind signal: the alternate signal stack of each thread is kept, also with SS_AUTODISARM, and is used. */
#include "target.h"

#include <pthread.h>
#include <signal.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

enum { SIZE = 65536 };

static __thread uintptr_t handler_sp;
static pthread_barrier_t barrier;

static void on_signal(int number)
{
	handler_sp = (uintptr_t)&number;
}

static void check(unsigned me)
{
	stack_t stack = { .ss_sp = malloc(SIZE), .ss_size = SIZE, .ss_flags = me == 1 ? (int)SS_AUTODISARM : 0 }, now;

	CHECK(sigaltstack(&stack, NULL) == 0);
	pthread_barrier_wait(&barrier);
	if (me == 0)
		ready();
	if (disturbed() && me == 1)
		CHECK(sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL) == 0);
	wait_go();
	CHECK(sigaltstack(NULL, &now) == 0);
	CHECK_EQ((uintptr_t)now.ss_sp, (uintptr_t)stack.ss_sp);
	CHECK_EQ(now.ss_size, SIZE);
	CHECK_EQ((unsigned)now.ss_flags, (unsigned)stack.ss_flags);
	pthread_kill(pthread_self(), SIGUSR1);
	if (handler_sp < (uintptr_t)stack.ss_sp || handler_sp >= (uintptr_t)stack.ss_sp + SIZE)
		fail("thread %u: the handler ran on %#lx", me, handler_sp);
}

static void *thread_main(void *argument)
{
	check((uintptr_t)argument);
	return NULL;
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
	pthread_t threads[2];

	sigaction(SIGUSR1, &action, NULL);
	pthread_barrier_init(&barrier, NULL, 3);
	for (uintptr_t i = 0; i < 2; i++)
		CHECK(pthread_create(&threads[i], NULL, thread_main, (void *)(i + 1)) == 0);
	check(0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	pass();
}
