// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind itimer: ITIMER_REAL, ITIMER_VIRTUAL and ITIMER_PROF keep interval and remaining time ("armed"), and fire
 * ("fires").
 */
#include "target.h"

#include <signal.h>
#include <sys/time.h>

static volatile sig_atomic_t fired[65];

static void on_signal(int number)
{
	fired[number]++;
}

static const int which[3] = { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF };
static const int signals[3] = { SIGALRM, SIGVTALRM, SIGPROF };

static void set(int timer, long value_s, long value_us, long interval_s, long interval_us)
{
	struct itimerval value = { { interval_s, interval_us }, { value_s, value_us } };

	CHECK(setitimer(which[timer], &value, NULL) == 0);
}

int main(int argc, char **argv)
{
	bool fires = argc > 1 && strcmp(argv[1], "fires") == 0;

	for (int i = 0; i < 3; i++)
		signal(signals[i], on_signal);
	if (fires) {
		sigset_t mask, old;

		set(0, 0, 300000, 0, 0);
		set(1, 0, 100000, 0, 50000);
		set(2, 0, 200000, 0, 70000);
		/* Nothing fires before the way is free, so that what fires has been brought back. */
		sigfillset(&mask);
		sigprocmask(SIG_BLOCK, &mask, &old);
		ready();
		if (disturbed())
			set(1, 0, 0, 0, 0);
		wait_go();
		sigprocmask(SIG_SETMASK, &old, NULL);
		for (int64_t end = monotonic_ns() + 30000000000LL; monotonic_ns() < end;)
			if (fired[SIGALRM] && fired[SIGVTALRM] > 1 && fired[SIGPROF] > 1)
				break;
		CHECK_EQ(fired[SIGALRM], 1);
		CHECK(fired[SIGVTALRM] > 1);
		CHECK(fired[SIGPROF] > 1);
		pass();
	}
	set(0, 5000, 0, 7, 250000);
	set(1, 6000, 0, 8, 0);
	set(2, 7000, 0, 0, 0);
	ready();
	if (disturbed())
		set(0, 5000, 0, 7, 0);
	wait_go();
	for (int i = 0; i < 3; i++) {
		static const long interval_s[3] = { 7, 8, 0 }, interval_us[3] = { 250000, 0, 0 };
		struct itimerval now;

		CHECK(getitimer(which[i], &now) == 0);
		CHECK_EQ(now.it_interval.tv_sec, interval_s[i]);
		CHECK_EQ(now.it_interval.tv_usec, interval_us[i]);
		CHECK(now.it_value.tv_sec <= 5000 + 1000 * i && now.it_value.tv_sec > 4000 + 1000 * i);
		CHECK_EQ(fired[signals[i]], 0);
	}
	pass();
}
