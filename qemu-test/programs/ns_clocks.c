// cflags: -O1 -static -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind ns: a time namespace that the process and its thread live in (by execve), and one that is for its children only. The
 * clocks go on where they were; an absolute sleep ends when it should.
 */
#include "target.h"

#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static time_t now(clockid_t clock)
{
	struct timespec t;

	CHECK(clock_gettime(clock, &t) == 0);
	return t.tv_sec;
}

static void set_offsets(long monotonic, long boottime)
{
	char text[128];
	int length, fd = open("/proc/self/timens_offsets", O_WRONLY);

	CHECK(unshare(CLONE_NEWTIME) == 0);
	length = snprintf(text, sizeof(text), "monotonic %ld 0\nboottime %ld 0\n", monotonic, boottime);
	CHECK(fd >= 0 && write(fd, text, length) == length);
	close(fd);
}

static void expect_clock(const char *who, clockid_t clock, time_t before)
{
	time_t after = now(clock);

	/* The harness takes less than that. */
	if (after < before || after > before + 500)
		fail("%s: clock %d went from %ld to %ld", who, (int)clock, (long)before, (long)after);
}

static time_t before[2];
static pthread_barrier_t checked;

static void *thread(void *unused)
{
	pthread_barrier_wait(&checked);
	expect_clock("the thread", CLOCK_MONOTONIC, before[0]);
	expect_clock("the thread", CLOCK_BOOTTIME, before[1]);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t;
	pid_t child;
	int status;

	if (argc < 2) {
		int fd = open("/proc/self/timens_offsets", O_RDONLY);

		if (fd < 0)
			skip("no time namespaces");
		close(fd);
		set_offsets(100000, 200000);
		execl("/proc/self/exe", argv[0], "inside", NULL);
		fail("execl: errno %d", errno);
	}
	set_offsets(300000, 400000);
	before[0] = now(CLOCK_MONOTONIC);
	before[1] = now(CLOCK_BOOTTIME);
	CHECK(before[0] > 100000 && before[0] < 200000 && before[1] > 200000 && before[1] < 300000);
	CHECK(pthread_barrier_init(&checked, NULL, 2) == 0);
	CHECK(pthread_create(&t, NULL, thread, NULL) == 0);
	ready();
	if (disturbed())
		before[0] += 1000;
	wait_go();
	pthread_barrier_wait(&checked);
	CHECK(pthread_join(t, NULL) == 0);
	expect_clock("the main thread", CLOCK_MONOTONIC, before[0]);
	expect_clock("the main thread", CLOCK_BOOTTIME, before[1]);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		expect_clock("the child", CLOCK_MONOTONIC, before[0] + 200000);
		expect_clock("the child", CLOCK_BOOTTIME, before[1] + 200000);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	pass();
}
