// cflags: -O1 -static -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/* A process and a thread with timers, filters and policies. For hostile cases, which change its statefile. */
#include "target.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

static pthread_barrier_t barrier;

static void filter(unsigned int flags)
{
	struct sock_filter allow[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog program = { 1, allow };

	CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0);
}

static void timer(clockid_t clock, int flags, long seconds, long interval_ns)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	struct itimerspec value = { { 0, interval_ns }, { seconds, 1 } };
	int id;

	CHECK(syscall(SYS_timer_create, clock, &event, &id) == 0);
	CHECK(syscall(SYS_timer_settime, id, flags, &value, NULL) == 0);
}

static void *thread_main(void *argument)
{
	(void)argument;
	filter(0);
	CHECK(unshare(CLONE_FILES | CLONE_FS) == 0);
	pthread_barrier_wait(&barrier);
	wait_go();
	return NULL;
}

int main(void)
{
	unsigned long nodes = 1;
	pthread_t thread;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	pthread_barrier_init(&barrier, NULL, 2);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	filter(SECCOMP_FILTER_FLAG_LOG);
	CHECK(pthread_create(&thread, NULL, thread_main, NULL) == 0);
	timer(CLOCK_MONOTONIC, 0, 0, 1000000);
	timer(CLOCK_REALTIME, TIMER_ABSTIME, 4000000000, 0);
	timer(CLOCK_PROCESS_CPUTIME_ID, 0, 5000, 1);
	timer(CLOCK_THREAD_CPUTIME_ID, 0, 0, 1);
	if (syscall(SYS_set_mempolicy, 2, &nodes, 64) == 0)
		CHECK(syscall(SYS_mbind, map_private(PAGE), PAGE, 2, &nodes, 64, 0) == 0);
	CHECK(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0) == 0);
	pthread_barrier_wait(&barrier);
	ready();
	wait_go();
	pass();
}
