// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind tree: threads that count in a file, without a pause. While the process is stopped, the file stands still. Many timers
 * keep the main thread busy at the end of a restart. Usage: tree_stopped_threads FILE
 */
#include "target.h"

#include <pthread.h>
#include <signal.h>

enum { THREADS = 4, TIMERS = 1000 };

static unsigned long *counter;

static void *count(void *argument)
{
	for (;;)
		__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
	return argument;
}

int main(int argc, char **argv)
{
	struct itimerspec in_an_hour = { .it_value.tv_sec = 3600 };
	struct sigevent silent = { .sigev_notify = SIGEV_NONE };
	int fd = open(argv[argc - 1], O_RDWR | O_CREAT, 0600);
	pthread_t thread;
	timer_t timer;

	CHECK(fd >= 0 && ftruncate(fd, PAGE) == 0);
	counter = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(counter != MAP_FAILED);
	for (int i = 0; i < TIMERS; i++) {
		CHECK(timer_create(CLOCK_MONOTONIC, &silent, &timer) == 0);
		CHECK(timer_settime(timer, 0, &in_an_hour, NULL) == 0);
	}
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&thread, NULL, count, NULL) == 0);
	ready();
	wait_go();
	pass();
}
