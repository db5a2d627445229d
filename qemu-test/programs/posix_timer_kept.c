// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind posix_timer: timers of timer_create(2) keep number, clock, notification, interval and remaining time, and fire only
 * afterwards. "armed": nothing fires. "fires": they fire. "pending": their signals wait, with counts of overruns.
 * "thread": of a thread other than the leader. "huge": periods of a lifetime, and the longest there is. "many": more than one record holds. A second argument: all of it in a child.
 */
#include "target.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>

#ifndef PR_TIMER_CREATE_RESTORE_IDS
#define PR_TIMER_CREATE_RESTORE_IDS 77
#endif

typedef int kernel_timer;

#define SECOND 1000000000LL

static int create(clockid_t clock, int notify, int signo, long value, pid_t tid)
{
	struct sigevent event = { .sigev_notify = notify, .sigev_signo = signo, .sigev_value.sival_ptr = (void *)value };
	kernel_timer id = -1;

	event._sigev_un._tid = tid;
	CHECK(syscall(SYS_timer_create, clock, &event, &id) == 0);
	return id;
}

static int create_at(int id)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };

	CHECK(prctl(PR_TIMER_CREATE_RESTORE_IDS, 1, 0, 0, 0) == 0);
	CHECK(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id) == 0);
	CHECK(prctl(PR_TIMER_CREATE_RESTORE_IDS, 0, 0, 0, 0) == 0);
	return id;
}

static void set(int id, int flags, long long value_ns, long long interval_ns)
{
	struct itimerspec value = { { interval_ns / SECOND, interval_ns % SECOND }, { value_ns / SECOND, value_ns % SECOND } };

	CHECK(syscall(SYS_timer_settime, id, flags, &value, NULL) == 0);
}

static long long left(int id, long long *interval_ns)
{
	struct itimerspec value;

	CHECK(syscall(SYS_timer_gettime, id, &value) == 0);
	if (interval_ns)
		*interval_ns = value.it_interval.tv_sec * SECOND + value.it_interval.tv_nsec;
	return value.it_value.tv_sec * SECOND + value.it_value.tv_nsec;
}

static int overrun(int id)
{
	return syscall(SYS_timer_getoverrun, id);
}

static long long now(clockid_t clock)
{
	struct timespec ts;

	CHECK(clock_gettime(clock, &ts) == 0);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

static pid_t gettid_(void)
{
	return syscall(SYS_gettid);
}

static sigset_t block_all(void)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	return old;
}

/* The next signal of this number, and its siginfo; false when there is none within the time. */
static bool take(int signo, siginfo_t *info, long ms)
{
	struct timespec limit = { ms / 1000, ms % 1000 * 1000000 };
	sigset_t set;
	int got;

	sigemptyset(&set);
	sigaddset(&set, signo);
	while ((got = sigtimedwait(&set, info, &limit)) == -1 && errno == EINTR)
		;
	return got == signo;
}

static void armed(void)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI,
					    CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID };
	enum { CLOCKS = sizeof(clocks) / sizeof(clocks[0]) };
	long long at = now(CLOCK_REALTIME) + 7000 * SECOND, interval;
	int ids[CLOCKS], absolute, none, next, chosen, disarmed, thread;
	kernel_timer plain = -1;

	block_all();
	for (int i = 0; i < CLOCKS; i++) {
		ids[i] = create(clocks[i], SIGEV_SIGNAL, SIGRTMIN + i, 0x1234567890L + i, 0);
		set(ids[i], 0, (5000 + i) * SECOND, (7 + i) * SECOND + 250000001);
	}
	absolute = create(CLOCK_REALTIME, SIGEV_SIGNAL, SIGUSR1, 0, 0);
	set(absolute, TIMER_ABSTIME, at, 0);
	none = create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 0);
	set(none, 0, 6000 * SECOND, 0);
	thread = create(CLOCK_MONOTONIC, SIGEV_SIGNAL | SIGEV_THREAD_ID, SIGUSR2, 99, gettid_());
	set(thread, 0, 6500 * SECOND, 0);
	disarmed = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR2, 0, 0);
	CHECK(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &plain) == 0);
	chosen = create_at(4711);
	/* One that has gone: the numbers go on behind it. */
	next = create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 0);
	CHECK(syscall(SYS_timer_delete, next) == 0);
	ready();
	if (disturbed())
		set(ids[1], 0, 0, 0);
	wait_go();
	for (int i = 0; i < CLOCKS; i++) {
		long long rest = left(ids[i], &interval);

		CHECK_EQ(interval, (7 + i) * SECOND + 250000001);
		CHECK(rest <= (5000 + i) * SECOND && rest > 4000 * SECOND);
		CHECK_EQ(overrun(ids[i]), 0);
	}
	long long rest = left(absolute, &interval);
	CHECK_EQ(interval, 0);
	/* To the millisecond: it is a time of that clock. */
	CHECK(llabs(rest + now(CLOCK_REALTIME) - at) < SECOND / 1000);
	CHECK(left(none, NULL) > 5000 * SECOND && left(thread, NULL) > 5500 * SECOND);
	CHECK_EQ(left(disarmed, &interval), 0);
	CHECK_EQ(interval, 0);
	CHECK_EQ(left(plain, NULL), 0);
	CHECK_EQ(left(chosen, NULL), 0);
	CHECK_EQ(create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 0), next + 1);
	siginfo_t info;
	CHECK(!take(SIGRTMIN, &info, 0) && !take(SIGUSR1, &info, 0));
	/* Its notification is still its own. */
	set(thread, 0, 1, 0);
	CHECK(take(SIGUSR2, &info, 5000));
	CHECK_EQ(info.si_code, SI_TIMER);
	CHECK_EQ(info.si_timerid, thread);
	CHECK_EQ(info.si_value.sival_int, 99);
	set(plain, 0, 1, 0);
	CHECK(take(SIGALRM, &info, 5000));
	CHECK_EQ(info.si_value.sival_int, plain);
}

static volatile sig_atomic_t fired[65];
static volatile sig_atomic_t wrong;
static pid_t receiver;

static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (info->si_code != SI_TIMER || (receiver && gettid_() != receiver))
		wrong = 1;
	fired[number]++;
}

static void burn(void)
{
	for (volatile int i = 0; i < 100000; i++)
		;
}

static void fires(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };
	sigset_t old;
	int once, periodic, cpu, thread_cpu, absolute;

	for (int i = 0; i < 6; i++)
		sigaction(SIGRTMIN + i, &action, NULL);
	old = block_all();
	once = create(CLOCK_REALTIME, SIGEV_SIGNAL, SIGRTMIN, 0, 0);
	periodic = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 1, 0, 0);
	cpu = create(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGRTMIN + 2, 0, 0);
	thread_cpu = create(CLOCK_THREAD_CPUTIME_ID, SIGEV_SIGNAL | SIGEV_THREAD_ID, SIGRTMIN + 3, 0, gettid_());
	absolute = create(CLOCK_REALTIME, SIGEV_SIGNAL, SIGRTMIN + 4, 0, 0);
	set(once, 0, SECOND, 0);
	set(periodic, 0, SECOND, SECOND / 50);
	set(cpu, 0, SECOND / 10, SECOND / 20);
	set(thread_cpu, 0, SECOND / 10, SECOND / 20);
	set(absolute, TIMER_ABSTIME, now(CLOCK_REALTIME) + SECOND, 0);
	ready();
	if (disturbed())
		set(periodic, 0, 0, 0);
	wait_go();
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	for (int64_t end = monotonic_ns() + 30 * SECOND; monotonic_ns() < end; burn())
		if (fired[SIGRTMIN] && fired[SIGRTMIN + 1] > 3 && fired[SIGRTMIN + 2] > 1 && fired[SIGRTMIN + 3] > 1 &&
		    fired[SIGRTMIN + 4])
			break;
	CHECK_EQ(fired[SIGRTMIN], 1);
	CHECK(fired[SIGRTMIN + 1] > 3);
	CHECK(fired[SIGRTMIN + 2] > 1);
	CHECK(fired[SIGRTMIN + 3] > 1);
	CHECK_EQ(fired[SIGRTMIN + 4], 1);
	CHECK_EQ(wrong, 0);
}

/* Every expiration is in exactly one signal or in its count of overruns. */
static void check_pending(clockid_t clock, int id, int signo, long long begin, long long interval)
{
	siginfo_t info;
	long long elapsed, count;
	int first;

	CHECK(take(signo, &info, 0));
	elapsed = now(clock) - begin;
	CHECK_EQ(info.si_code, SI_TIMER);
	CHECK_EQ(info.si_timerid, id);
	first = info.si_overrun;
	CHECK_EQ(overrun(id), first);
	/* More than at the checkpoint; not more than there has been time for. */
	CHECK(first >= 2);
	count = elapsed / interval;
	CHECK(first <= count);
	/* It goes on from where it was: the rest of the period, then whole ones. */
	CHECK(take(signo, &info, 20000));
	CHECK_EQ(info.si_overrun, 0);
	set(id, 0, 0, 0);
	CHECK(!take(signo, &info, 0));
}

static void pending(void)
{
	enum { MONOTONIC, RELATIVE, ABSOLUTE, CPU, ONCE, STALE, IGNORED, COUNT };
	const long long interval = SECOND / 5;
	long long begin_mono, begin_real, begin_cpu;
	int id[COUNT];
	siginfo_t info;
	int taken;

	block_all();
	signal(SIGRTMIN + IGNORED, SIG_IGN);
	for (int i = 0; i < COUNT; i++)
		id[i] = create(i == CPU ? CLOCK_PROCESS_CPUTIME_ID : i == RELATIVE || i == ABSOLUTE ? CLOCK_REALTIME : CLOCK_MONOTONIC,
			       SIGEV_SIGNAL, SIGRTMIN + i, i, 0);
	/* A count from before. */
	taken = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + COUNT, 0, 0);
	set(taken, 0, 1, 10000);
	sleep_ms(5);
	CHECK(take(SIGRTMIN + COUNT, &info, 1000));
	int before = overrun(taken);
	CHECK(before > 50);

	begin_mono = now(CLOCK_MONOTONIC);
	begin_real = now(CLOCK_REALTIME);
	begin_cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	set(id[MONOTONIC], 0, interval, interval);
	set(id[RELATIVE], 0, interval, interval);
	set(id[ABSOLUTE], TIMER_ABSTIME, begin_real + interval, interval);
	set(id[CPU], 0, SECOND / 100, SECOND / 100);
	set(id[ONCE], 0, 1, 0);
	set(id[STALE], 0, 1, 0);
	set(id[IGNORED], 0, 1, SECOND / 100);
	while (now(CLOCK_PROCESS_CPUTIME_ID) - begin_cpu < SECOND / 5)
		burn();
	sleep_ms(800);
	/* Its signal is in the queue and is not valid any more. */
	set(id[STALE], 0, 5000 * SECOND, 0);
	/* The expirations of a timer that nobody takes would pile up while the harness looks. */
	ready();
	if (disturbed())
		CHECK(take(SIGRTMIN + ONCE, &info, 0));
	wait_go();
	check_pending(CLOCK_MONOTONIC, id[MONOTONIC], SIGRTMIN + MONOTONIC, begin_mono, interval);
	check_pending(CLOCK_MONOTONIC, id[RELATIVE], SIGRTMIN + RELATIVE, begin_mono, interval);
	check_pending(CLOCK_REALTIME, id[ABSOLUTE], SIGRTMIN + ABSOLUTE, begin_real, interval);
	CHECK(take(SIGRTMIN + CPU, &info, 0));
	CHECK(info.si_overrun >= 5 && info.si_overrun < 100000);
	CHECK(take(SIGRTMIN + ONCE, &info, 0));
	CHECK_EQ(info.si_timerid, id[ONCE]);
	CHECK(!take(SIGRTMIN + ONCE, &info, 0));
	CHECK_EQ(left(id[ONCE], NULL), 0);
	CHECK(!take(SIGRTMIN + STALE, &info, 0));
	CHECK(left(id[STALE], NULL) > 4000 * SECOND);
	/* Blocked signals are queued even when they are ignored. */
	CHECK(take(SIGRTMIN + IGNORED, &info, 1000));
	CHECK(take(SIGRTMIN + IGNORED, &info, 1000));
	set(taken, 0, 0, 0);
}

/* Ignored and not blocked: nothing shows, and it goes on when a handler is set. */
static void ignored(void)
{
	int id = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN, 0, 0);
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };

	signal(SIGRTMIN, SIG_IGN);
	set(id, 0, 1, SECOND / 100);
	sleep_ms(100);
	ready();
	if (disturbed())
		set(id, 0, 0, 0);
	wait_go();
	sigaction(SIGRTMIN, &action, NULL);
	for (int64_t end = monotonic_ns() + 10 * SECOND; monotonic_ns() < end && fired[SIGRTMIN] < 3;)
		sleep_ms(1);
	CHECK(fired[SIGRTMIN] >= 3);
}

static pthread_barrier_t barrier;

static void *thread_main(void *argument)
{
	int real, cpu, other;
	pthread_t leader = *(pthread_t *)argument;
	clockid_t of_leader;
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };
	sigset_t old;

	for (int i = 0; i < 3; i++)
		sigaction(SIGRTMIN + i, &action, NULL);
	old = block_all();
	receiver = gettid_();
	CHECK(pthread_getcpuclockid(leader, &of_leader) == 0);
	real = create(CLOCK_MONOTONIC, SIGEV_SIGNAL | SIGEV_THREAD_ID, SIGRTMIN, 0, gettid_());
	cpu = create(CLOCK_THREAD_CPUTIME_ID, SIGEV_SIGNAL | SIGEV_THREAD_ID, SIGRTMIN + 1, 0, gettid_());
	other = create(of_leader, SIGEV_SIGNAL | SIGEV_THREAD_ID, SIGRTMIN + 2, 0, gettid_());
	/* One is pending for this thread, one counts this thread's time, one the leader's. */
	set(real, 0, 1, 0);
	set(cpu, 0, SECOND / 10, SECOND / 10);
	set(other, 0, 4000 * SECOND, 0);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	wait_go();
	CHECK(left(other, NULL) > 3000 * SECOND);
	set(other, 0, 0, 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	for (int64_t end = monotonic_ns() + 30 * SECOND; monotonic_ns() < end && fired[SIGRTMIN + 1] < 2;)
		burn();
	CHECK_EQ(fired[SIGRTMIN], 1);
	CHECK(fired[SIGRTMIN + 1] >= 2);
	CHECK_EQ(fired[SIGRTMIN + 2], 0);
	CHECK_EQ(wrong, 0);
	if (disturbed())
		fail("disturbed");
	return NULL;
}

static void of_thread(void)
{
	pthread_t thread, self = pthread_self();

	pthread_barrier_init(&barrier, NULL, 2);
	CHECK(pthread_create(&thread, NULL, thread_main, &self) == 0);
	pthread_barrier_wait(&barrier);
	ready();
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
}

/* The next expiry is a whole period away, at most; the longest period reaches to the end of time. */
static void check_far(int id, long long before, long long interval)
{
	long long got, rest = left(id, &got);

	CHECK_EQ(got, interval);
	CHECK(rest <= before && before - rest < 1000 * SECOND);
}

static void huge(void)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_PROCESS_CPUTIME_ID };
	/* 100, 200 and 292 years: what the clocks of the kernel hold. */
	static const long long periods[] = { 3155760000LL * SECOND + 1, 6311520000LL * SECOND + 1, INT64_MAX };
	enum { CLOCKS = 4, PERIODS = 3 };
	int armed[CLOCKS][PERIODS], pending[PERIODS];
	long long before[CLOCKS][PERIODS], of_pending[PERIODS], interval;
	siginfo_t info;

	block_all();
	for (int p = 0; p < PERIODS; p++) {
		for (int c = 0; c < CLOCKS; c++) {
			armed[c][p] = create(clocks[c], SIGEV_SIGNAL, SIGRTMIN, 0, 0);
			set(armed[c][p], 0, periods[p] / 2, periods[p]);
			before[c][p] = left(armed[c][p], &interval);
			CHECK_EQ(interval, periods[p]);
		}
		pending[p] = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 1 + p, 0, 0);
		set(pending[p], 0, 1, periods[p]);
	}
	sleep_ms(20);
	for (int p = 0; p < PERIODS; p++)
		of_pending[p] = left(pending[p], NULL);
	ready();
	if (disturbed())
		set(armed[1][1], 0, periods[1] / 2, periods[0]);
	wait_go();
	for (int p = 0; p < PERIODS; p++) {
		for (int c = 0; c < CLOCKS; c++)
			check_far(armed[c][p], before[c][p], periods[p]);
		check_far(pending[p], of_pending[p], periods[p]);
		CHECK(take(SIGRTMIN + 1 + p, &info, 0));
		CHECK_EQ(info.si_timerid, pending[p]);
		CHECK_EQ(info.si_overrun, 0);
		CHECK(!take(SIGRTMIN + 1 + p, &info, 0));
		check_far(pending[p], of_pending[p], periods[p]);
	}
	CHECK(!take(SIGRTMIN, &info, 0));
}

static void many(void)
{
	enum { MANY = 2500 };
	int first = create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 0);

	for (int i = 1; i < MANY; i++)
		CHECK_EQ(create(CLOCK_MONOTONIC, SIGEV_NONE, 0, i, 0), first + i);
	for (int i = 0; i < MANY; i++)
		set(first + i, 0, (3000 + i) * SECOND, 0);
	ready();
	if (disturbed())
		set(first + 2400, 0, 0, 0);
	wait_go();
	for (int i = 0; i < MANY; i++) {
		long long rest = left(first + i, NULL);

		CHECK(rest <= (3000 + i) * SECOND && rest > (2000 + i) * SECOND);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc > 2)
		go_on_in_child();
	if (strcmp(what, "fires") == 0)
		fires();
	else if (strcmp(what, "pending") == 0)
		pending();
	else if (strcmp(what, "ignored") == 0)
		ignored();
	else if (strcmp(what, "thread") == 0)
		of_thread();
	else if (strcmp(what, "huge") == 0)
		huge();
	else if (strcmp(what, "many") == 0)
		many();
	else
		armed();
	pass();
}
