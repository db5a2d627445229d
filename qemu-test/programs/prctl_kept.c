// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind prctl: what prctl(2) and sched_setattr(2) set for a process and for each of two threads: subreaper, memory failures,
 * speculation, kept capabilities, system call user dispatch, utilization clamps. An argument: all of it in a child.
 */
#include "target.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#ifndef PR_SYS_DISPATCH_INCLUSIVE_ON
#define PR_SYS_DISPATCH_INCLUSIVE_ON 2
#endif

static pthread_barrier_t barrier;

struct clamps {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t min, max;
};

static void set_clamps(int min, int max)
{
	struct clamps attributes = { .size = sizeof(attributes), .flags = (min < 0 ? 0 : 0x20) | (max < 0 ? 0 : 0x40), .min = min, .max = max };

	CHECK(syscall(SYS_sched_setattr, 0, &attributes, 0) == 0);
}

static void check_clamps(unsigned min, unsigned max)
{
	struct clamps attributes = { 0 };

	CHECK(syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) == 0);
	CHECK_EQ(attributes.min, min);
	CHECK_EQ(attributes.max, max);
}

/* The wanted state of one kind of speculation, where a thread may choose. */
static int speculation(int which, int state)
{
	int now = prctl(PR_GET_SPECULATION_CTRL, which, 0, 0, 0);

	if (now < 0 || !(now & PR_SPEC_PRCTL))
		return now;
	CHECK(prctl(PR_SET_SPECULATION_CTRL, which, state, 0, 0) == 0);
	return PR_SPEC_PRCTL | state;
}

static volatile char selector[2];
static volatile int dispatched[2];
static __thread int me;

static void on_dispatch(int number)
{
	(void)number;
	selector[me] = 0;
	dispatched[me]++;
}

/* System calls from here are not dispatched. */
__attribute__((noinline, aligned(64))) static long from_here(long number)
{
	long result;

	asm volatile("syscall" : "=a"(result) : "a"(number) : "rcx", "r11", "memory");
	return result;
}

/* A call from elsewhere is dispatched, one from the range is not; with `inside`, the other way round. */
static void check_dispatch(bool inside)
{
	long pid = getpid();

	selector[me] = 1;
	if (inside)
		(void)from_here(SYS_getpid);
	else
		(void)syscall(SYS_getpid);
	CHECK_EQ(dispatched[me], 1);
	selector[me] = 1;
	long other = inside ? syscall(SYS_getpid) : from_here(SYS_getpid);
	selector[me] = 0;
	CHECK_EQ(other, pid);
	CHECK_EQ(dispatched[me], 1);
}

static void dispatch(int mode)
{
	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, mode, from_here, 64, &selector[me]) == -1)
		fail("dispatch mode %d: errno %d", mode, errno);
}

static void *thread_main(void *argument)
{
	int indirect, bypass;

	(void)argument;
	me = 1;
	CHECK(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_LATE, 0, 0) == 0);
	indirect = speculation(PR_SPEC_INDIRECT_BRANCH, PR_SPEC_FORCE_DISABLE);
	bypass = speculation(PR_SPEC_STORE_BYPASS, PR_SPEC_FORCE_DISABLE);
	set_clamps(100, 700);
	dispatch(PR_SYS_DISPATCH_INCLUSIVE_ON);
	pthread_barrier_wait(&barrier);
	wait_go();
	CHECK_EQ(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_LATE);
	CHECK_EQ(prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH, 0, 0, 0), indirect);
	CHECK_EQ(prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 0), bypass);
	CHECK_EQ(prctl(PR_GET_KEEPCAPS), 0);
	check_clamps(100, 700);
	check_dispatch(true);
	return NULL;
}

static void check_subreaper(void)
{
	int ends[2], status, value = 0;
	pid_t child, parent = 0;

	CHECK(prctl(PR_GET_CHILD_SUBREAPER, &value) == 0);
	CHECK_EQ(value, 1);
	CHECK(pipe(ends) == 0);
	child = fork();
	if (child == 0) {
		child = getpid();
		if (fork() == 0) {
			while (getppid() == child)
				sleep_ms(1);
			parent = getppid();
			_exit(write(ends[1], &parent, sizeof(parent)) != sizeof(parent));
		}
		_exit(0);
	}
	CHECK(read(ends[0], &parent, sizeof(parent)) == sizeof(parent));
	CHECK_EQ(parent, getpid());
	for (int i = 0; i < 2; i++)
		CHECK(wait(&status) > 0 && status == 0);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	int indirect, bypass;

	(void)argv;
	if (argc > 1)
		go_on_in_child();
	signal(SIGSYS, on_dispatch);
	pthread_barrier_init(&barrier, NULL, 2);
	CHECK(pthread_create(&thread, NULL, thread_main, NULL) == 0);
	pthread_barrier_wait(&barrier);
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	CHECK(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0) == 0);
	CHECK(prctl(PR_SET_KEEPCAPS, 1) == 0);
	indirect = speculation(PR_SPEC_INDIRECT_BRANCH, PR_SPEC_DISABLE);
	bypass = speculation(PR_SPEC_STORE_BYPASS, PR_SPEC_DISABLE);
	set_clamps(-1, 512);
	dispatch(1 /* PR_SYS_DISPATCH_EXCLUSIVE_ON */);
	ready();
	if (disturbed())
		CHECK(prctl(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0) == 0);
	wait_go();
	pthread_join(thread, NULL);
	CHECK_EQ(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_EARLY);
	CHECK_EQ(prctl(PR_GET_KEEPCAPS), 1);
	CHECK_EQ(prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH, 0, 0, 0), indirect);
	CHECK_EQ(prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 0), bypass);
	check_clamps(0, 512);
	check_dispatch(false);
	check_subreaper();
	pass();
}
