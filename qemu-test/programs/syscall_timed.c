// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind restart_block: a system call with a time limit, chosen by name, that is saved while it waits. It has to time
 * out (not be interrupted), and not before its time. Usage: syscall_timed CALL MILLISECONDS
 */
#include "target.h"

#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/select.h>
#include <sys/sem.h>

static uint32_t word;

static struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){ ns / 1000000000, ns % 1000000000 };
}

/* Waits; true when the result is that of a time limit that has passed. */
static bool wait_for(const char *call, int64_t ns)
{
	int64_t deadline = monotonic_ns() + ns;
	struct timespec ts = timespec_of(ns), left = { -1, -1 };
	struct timeval tv = { ns / 1000000000, ns % 1000000000 / 1000 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	if (strcmp(call, "nanosleep") == 0)
		return nanosleep(&ts, &left) == 0;
	if (strcmp(call, "clock_nanosleep") == 0)
		return clock_nanosleep(CLOCK_BOOTTIME, 0, &ts, &left) == 0;
	if (strcmp(call, "clock_nanosleep_abs") == 0) {
		ts = timespec_of(deadline);
		return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == 0;
	}
	if (strcmp(call, "poll") == 0)
		return poll(NULL, 0, ns / 1000000) == 0;
	if (strcmp(call, "ppoll") == 0)
		return ppoll(NULL, 0, &ts, &set) == 0;
	if (strcmp(call, "select") == 0)
		return select(0, NULL, NULL, NULL, &tv) == 0;
	if (strcmp(call, "pselect") == 0)
		return pselect(0, NULL, NULL, NULL, &ts, &set) == 0;
	if (strcmp(call, "futex") == 0)
		return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &ts) == -1 && errno == ETIMEDOUT;
	if (strcmp(call, "futex_abs") == 0) {
		ts = timespec_of(deadline);
		return syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, &ts, NULL, FUTEX_BITSET_MATCH_ANY) == -1 &&
		       errno == ETIMEDOUT;
	}
	if (strcmp(call, "sigtimedwait") == 0) {
		sigprocmask(SIG_BLOCK, &set, NULL);
		return sigtimedwait(&set, NULL, &ts) == -1 && errno == EAGAIN;
	}
	if (strcmp(call, "epoll_wait") == 0) {
		struct epoll_event event;

		return epoll_wait(epoll_create1(0), &event, 1, ns / 1000000) == 0;
	}
	if (strcmp(call, "epoll_pwait2") == 0) {
		struct epoll_event event;

		return syscall(SYS_epoll_pwait2, epoll_create1(0), &event, 1, &ts, NULL, 8) == 0;
	}
	if (strcmp(call, "semtimedop") == 0) {
		struct sembuf take = { 0, -1, 0 };
		int id = semget(IPC_PRIVATE, 1, 0600), result;

		CHECK(id >= 0);
		result = semtimedop(id, &take, 1, &ts);
		int error = errno;
		semctl(id, 0, IPC_RMID);
		errno = error;
		return result == -1 && errno == EAGAIN;
	}
	fail("unknown call %s", call);
}

int main(int argc, char **argv)
{
	int64_t ns, start, end;

	CHECK(argc == 3);
	ns = atoll(argv[2]) * 1000000;
	start = monotonic_ns();
	say("start %lld", (long long)start);
	ready();
	if (!wait_for(argv[1], disturbed() ? ns / 2 : ns))
		fail("%s: errno %d", argv[1], errno);
	end = monotonic_ns();
	say("end %lld", (long long)end);
	if (end - start < ns)
		fail("%s ended %lld ns early", argv[1], (long long)(start + ns - end));
	pass();
}
