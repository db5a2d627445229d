// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind signal: pending signals stay pending where they were: one for the process, one for each of two threads.
 * Queued real-time signals keep number, order and data.
 */
#include "target.h"

#include <pthread.h>
#include <signal.h>

enum { QUEUED = 5 };

static pthread_barrier_t barrier;
static pthread_t threads[2];
static int taken[64], count;
static int values[64], codes[64];
static pid_t senders[64];
static uid_t users[64];

static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)context;
	taken[count] = number;
	values[count] = info->si_value.sival_int;
	codes[count] = info->si_code;
	senders[count] = info->si_pid;
	users[count] = info->si_uid;
	count++;
}

static uint64_t thread_pending(void)
{
	char line[128], path[64];
	unsigned long long mask = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%ld/status", syscall(SYS_gettid));
	file = fopen(path, "r");
	CHECK(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "SigPnd: %llx", &mask) == 1)
			break;
	fclose(file);
	return mask;
}

static void *thread_main(void *argument)
{
	int number = SIGURG + (uintptr_t)argument; /* SIGXCPU, SIGXFSZ */

	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	wait_go();
	CHECK_EQ(thread_pending(), 1ULL << (number - 1));
	return NULL;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	sigset_t all, pending;
	int low = SIGRTMIN + 1, high = SIGRTMIN + 3;

	sigfillset(&all);
	sigfillset(&action.sa_mask);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	sigaction(low, &action, NULL);
	sigaction(high, &action, NULL);
	sigaction(SIGXCPU, &action, NULL);
	sigaction(SIGXFSZ, &action, NULL);
	pthread_barrier_init(&barrier, NULL, 3);
	for (uintptr_t i = 0; i < 2; i++)
		CHECK(pthread_create(&threads[i], NULL, thread_main, (void *)(i + 1)) == 0);
	pthread_barrier_wait(&barrier);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR1); /* standard signals do not queue */
	pthread_kill(pthread_self(), SIGUSR2);
	for (int i = 0; i < QUEUED; i++) {
		CHECK(sigqueue(getpid(), high, (union sigval){ .sival_int = 100 + i }) == 0);
		CHECK(sigqueue(getpid(), low, (union sigval){ .sival_int = 200 + i }) == 0);
	}
	pthread_kill(threads[0], SIGXCPU);
	pthread_kill(threads[1], SIGXFSZ);
	pthread_barrier_wait(&barrier);
	ready();
	if (disturbed()) {
		struct timespec zero = { 0, 0 };

		sigemptyset(&pending);
		sigaddset(&pending, low);
		CHECK(sigtimedwait(&pending, NULL, &zero) == low);
	}
	wait_go();
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	CHECK(sigpending(&pending) == 0);
	CHECK_EQ(sigismember(&pending, SIGUSR1), 1);
	CHECK_EQ(sigismember(&pending, SIGUSR2), 1);
	CHECK_EQ(sigismember(&pending, SIGXCPU), 0);
	CHECK_EQ(sigismember(&pending, SIGTERM), 0);
	CHECK_EQ(thread_pending(), 1ULL << (SIGUSR2 - 1));
	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	CHECK_EQ(count, 2 + 2 * QUEUED);
	for (int i = 0; i < count; i++) {
		CHECK_EQ(senders[i], getpid());
		CHECK_EQ(users[i], getuid());
	}
	/* Each handler runs to its end (full sa_mask): lower real-time signals come first, each kind in order. */
	int seen_usr1 = 0, seen_usr2 = 0, next_low = 200, next_high = 100;

	for (int i = 0; i < count; i++) {
		if (taken[i] == SIGUSR1) {
			CHECK_EQ(codes[i], SI_USER);
			seen_usr1++;
		} else if (taken[i] == SIGUSR2) {
			CHECK_EQ(codes[i], SI_TKILL);
			seen_usr2++;
		} else if (taken[i] == low) {
			CHECK_EQ(codes[i], SI_QUEUE);
			CHECK_EQ(values[i], next_low++);
		} else {
			CHECK_EQ(taken[i], high);
			CHECK_EQ(values[i], next_high++);
			CHECK_EQ(next_low, 200 + QUEUED);
		}
	}
	CHECK_EQ(seen_usr1, 1);
	CHECK_EQ(seen_usr2, 1);
	pass();
}
