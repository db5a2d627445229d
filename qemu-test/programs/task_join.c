// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind task: the address that a thread clears at its end is kept (pthread_join works), and so is the list of robust
 * mutexes: a thread that ends with one held leaves EOWNERDEAD.
 */
#include "target.h"

#include <linux/futex.h>
#include <pthread.h>

static pthread_mutex_t robust;
static pthread_barrier_t barrier;

static void *holder(void *argument)
{
	(void)argument;
	if (!disturbed())
		CHECK(pthread_mutex_lock(&robust) == 0);
	pthread_barrier_wait(&barrier);
	wait_go();
	return (void *)42;
}

static void *quitter(void *argument)
{
	pthread_barrier_wait(&barrier);
	wait_go();
	return argument;
}

int main(void)
{
	pthread_mutexattr_t attributes;
	pthread_t threads[4];
	void *head_before, *head_now, *result;
	size_t length;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust, &attributes);
	pthread_barrier_init(&barrier, NULL, 5);
	CHECK(pthread_create(&threads[0], NULL, holder, NULL) == 0);
	for (uintptr_t i = 1; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, quitter, (void *)i) == 0);
	CHECK(syscall(SYS_get_robust_list, 0, &head_before, &length) == 0);
	pthread_barrier_wait(&barrier);
	ready();
	wait_go();
	CHECK(syscall(SYS_get_robust_list, 0, &head_now, &length) == 0);
	CHECK_EQ((uintptr_t)head_now, (uintptr_t)head_before);
	CHECK_EQ(length, sizeof(struct robust_list_head));
	CHECK_EQ(pthread_mutex_lock(&robust), EOWNERDEAD);
	CHECK(pthread_mutex_consistent(&robust) == 0);
	CHECK(pthread_mutex_unlock(&robust) == 0);
	for (uintptr_t i = 0; i < 4; i++) {
		CHECK(pthread_join(threads[i], &result) == 0);
		CHECK_EQ((uintptr_t)result, i ? i : 42);
	}
	pass();
}
