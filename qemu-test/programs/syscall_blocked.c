// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind restart_block: a system call without a time limit, chosen by name, that is saved while it waits. It must not
 * return before a second thread wakes it, and then with the right result. Usage: syscall_blocked CALL
 */
#include "target.h"

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>

static pthread_t waiter;
static volatile sig_atomic_t handled;
static volatile bool allowed;
static uint32_t word;
static bool wake_by_futex;

static void on_signal(int number)
{
	(void)number;
	handled++;
}

static void *waker(void *argument)
{
	(void)argument;
	ready();
	if (!disturbed())
		wait_go();
	else
		sleep_ms(100);
	allowed = go_given();
	if (wake_by_futex) {
		__atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
		syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1);
	} else {
		pthread_kill(waiter, SIGUSR1);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const char *call = argc > 1 ? argv[1] : "";
	struct sigaction action = { .sa_handler = on_signal };
	struct timespec long_time = { 100000, 0 };
	sigset_t usr1, empty, now;
	pthread_t thread;
	int result, want_handled = 1;

	sigemptyset(&empty);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigaction(SIGUSR1, &action, NULL);
	waiter = pthread_self();
	wake_by_futex = strncmp(call, "futex", 5) == 0;
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	CHECK(pthread_create(&thread, NULL, waker, NULL) == 0);
	if (strcmp(call, "pause") == 0) {
		pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
		result = pause();
		CHECK(result == -1 && errno == EINTR);
		pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	} else if (strcmp(call, "sigsuspend") == 0) {
		result = sigsuspend(&empty);
		CHECK(result == -1 && errno == EINTR);
	} else if (strcmp(call, "ppoll") == 0) {
		result = ppoll(NULL, 0, NULL, &empty);
		CHECK(result == -1 && errno == EINTR);
	} else if (strcmp(call, "poll") == 0) {
		pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
		result = poll(NULL, 0, -1);
		CHECK(result == -1 && errno == EINTR);
		pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	} else if (strcmp(call, "nanosleep") == 0) {
		pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
		result = nanosleep(&long_time, &long_time);
		CHECK(result == -1 && errno == EINTR);
		CHECK(long_time.tv_sec > 90000);
		pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	} else if (strcmp(call, "sigwaitinfo") == 0) {
		siginfo_t info;

		result = sigwaitinfo(&usr1, &info);
		CHECK_EQ(result, SIGUSR1);
		CHECK_EQ(info.si_pid, getpid());
		want_handled = 0;
	} else if (strcmp(call, "sigtimedwait") == 0) {
		result = sigtimedwait(&usr1, NULL, &long_time);
		CHECK_EQ(result, SIGUSR1);
		want_handled = 0;
	} else if (strcmp(call, "epoll_wait") == 0) {
		struct epoll_event event;

		pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
		result = epoll_wait(epoll_create1(0), &event, 1, -1);
		CHECK(result == -1 && errno == EINTR);
		pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	} else if (strcmp(call, "futex") == 0) {
		result = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL);
		CHECK_EQ(result, 0);
		want_handled = 0;
	} else if (strcmp(call, "futex_bitset") == 0) {
		result = syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 0xffff);
		CHECK_EQ(result, 0);
		want_handled = 0;
	} else {
		fail("unknown call %s", call);
	}
	if (!allowed)
		fail("%s returned %d before its time", call, result);
	CHECK_EQ(handled, want_handled);
	CHECK(pthread_sigmask(SIG_BLOCK, NULL, &now) == 0);
	CHECK_EQ(sigismember(&now, SIGUSR1), 1);
	CHECK_EQ(sigismember(&now, SIGUSR2), 0);
	pthread_join(thread, NULL);
	pass();
}
