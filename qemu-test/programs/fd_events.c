/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind event: eventfd, signalfd, timerfd and epoll come back as they were: counters, masks, time left, expirations that nobody has
 * read, and what an epoll watches, also by descriptors that are closed by now and items that have fired. A child shares one of each.
 */
#include "family.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>

enum { ITEMS = 6, FAR = 100000 };

static int counter, semaphore, signals, period, expired, unread, daytime, pipes[2], inner, outer, kept, fired, hangup[2];

static struct itimerspec in_seconds(time_t value, time_t interval)
{
	return (struct itimerspec){ .it_value.tv_sec = value, .it_interval.tv_sec = interval };
}

static void control(int epoll, int operation, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	CHECK_EQ(epoll_ctl(epoll, operation, fd, &event), 0);
}

static void watch(int epoll, int fd, uint32_t events, uint64_t data)
{
	control(epoll, EPOLL_CTL_ADD, fd, events, data);
}

static void watch_again(int epoll, int fd, uint32_t events, uint64_t data)
{
	control(epoll, EPOLL_CTL_MOD, fd, events, data);
}

static uint64_t count_of(int fd)
{
	uint64_t value = 0;

	CHECK_EQ(read(fd, &value, sizeof(value)), sizeof(value));
	return value;
}

static void add(int fd, uint64_t value)
{
	CHECK_EQ(write(fd, &value, sizeof(value)), sizeof(value));
}

static bool is_ready(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1;
}

/* Takes what is ready: the data of all, in any order, as a sum. */
static uint64_t taken(int epoll, int *count)
{
	struct epoll_event events[16];
	uint64_t sum = 0;

	*count = epoll_wait(epoll, events, 16, 0);
	CHECK(*count >= 0);
	for (int i = 0; i < *count; i++)
		sum += events[i].data.u64;
	return sum;
}

static void prepare(time_t *target)
{
	struct itimerspec time;
	struct timespec now;
	sigset_t mask;
	int closed;

	counter = eventfd(5, EFD_CLOEXEC);
	semaphore = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGRTMAX);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &mask, NULL), 0);
	signals = signalfd(-1, &mask, SFD_NONBLOCK);
	CHECK(counter >= 0 && semaphore >= 0 && signals >= 0);

	period = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	time = in_seconds(FAR, 7);
	CHECK_EQ(timerfd_settime(period, 0, &time, NULL), 0);
	expired = timerfd_create(CLOCK_BOOTTIME, 0);
	time = (struct itimerspec){ .it_value.tv_nsec = 1 };
	CHECK_EQ(timerfd_settime(expired, 0, &time, NULL), 0);
	/* Has expired, and goes on when that is read. */
	unread = timerfd_create(CLOCK_MONOTONIC, 0);
	time = in_seconds(0, FAR);
	time.it_value.tv_nsec = 1;
	CHECK_EQ(timerfd_settime(unread, 0, &time, NULL), 0);
	daytime = timerfd_create(CLOCK_REALTIME, 0);
	CHECK_EQ(clock_gettime(CLOCK_REALTIME, &now), 0);
	*target = now.tv_sec + FAR;
	time = in_seconds(*target, 0);
	CHECK_EQ(timerfd_settime(daytime, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &time, NULL), 0);
	while (!is_ready(expired) || !is_ready(unread))
		sleep_ms(1);

	CHECK_EQ(pipe(pipes), 0);
	inner = epoll_create1(EPOLL_CLOEXEC);
	outer = epoll_create1(0);
	CHECK(inner >= 0 && outer >= 0);
	watch(inner, counter, EPOLLIN, 0x1122334455667788);
	watch(inner, pipes[0], EPOLLIN | EPOLLET, 2);
	watch(outer, inner, EPOLLIN, 3);
	watch(outer, semaphore, EPOLLIN | EPOLLONESHOT, 4);
	/* Known by a number that is closed by now; and another file by the same number. */
	closed = eventfd(0, 0);
	watch(outer, closed, EPOLLIN, 5);
	kept = fcntl(closed, F_DUPFD, 100);
	CHECK_EQ(kept, 100);
	CHECK_EQ(dup2(signals, closed), closed);
	watch(outer, closed, EPOLLIN, 6);
	CHECK_EQ(close(closed), 0);
	/* Has told what it was armed for. */
	CHECK_EQ(pipe(hangup), 0);
	fired = epoll_create1(0);
	CHECK(fired >= 0);
	watch(fired, hangup[0], EPOLLIN | EPOLLONESHOT, 7);
	CHECK_EQ(write(hangup[1], "x", 1), 1);
	CHECK_EQ(taken(fired, &closed), 7);
}

static void check_timers(time_t target)
{
	struct itimerspec time;
	struct timespec now;

	CHECK_EQ(timerfd_gettime(period, &time), 0);
	CHECK(time.it_value.tv_sec <= FAR && time.it_value.tv_sec > FAR - 1000);
	CHECK_EQ(time.it_interval.tv_sec, 7);
	CHECK_EQ(count_of(expired), 1);
	CHECK_EQ(timerfd_gettime(expired, &time), 0);
	CHECK(time.it_value.tv_sec == 0 && time.it_value.tv_nsec == 0);
	CHECK_EQ(count_of(unread), 1);
	CHECK_EQ(timerfd_gettime(unread, &time), 0);
	CHECK(time.it_value.tv_sec <= FAR && time.it_value.tv_sec > FAR - 1000);
	CHECK_EQ(time.it_interval.tv_sec, FAR);
	CHECK_EQ(clock_gettime(CLOCK_REALTIME, &now), 0);
	CHECK_EQ(timerfd_gettime(daytime, &time), 0);
	CHECK(labs(now.tv_sec + time.it_value.tv_sec - target) <= 2);
}

static void check_epolls(void)
{
	int count;

	/* The counter is 5; the pipe is empty. */
	CHECK_EQ(taken(inner, &count), 0x1122334455667788);
	CHECK_EQ(count, 1);
	/* Inner is ready, and the semaphore, once. */
	CHECK_EQ(taken(outer, &count), 3 + 4);
	CHECK_EQ(taken(outer, &count), 3);
	CHECK_EQ(count_of(counter), 5);
	CHECK_EQ(taken(outer, &count), 0);
	add(kept, 1);
	CHECK_EQ(taken(outer, &count), 5);
	CHECK_EQ(raise(SIGRTMAX), 0);
	CHECK_EQ(taken(outer, &count), 5 + 6);
	/* Edge: told once. */
	CHECK_EQ(write(pipes[1], "x", 1), 1);
	CHECK_EQ(taken(inner, &count), 2);
	CHECK_EQ(taken(inner, &count), 0);
	/* Who serves a one-shot item is alone with it: not even a hangup is told to another. */
	CHECK_EQ(close(hangup[1]), 0);
	CHECK_EQ(taken(fired, &count), 0);
	watch_again(fired, hangup[0], EPOLLIN | EPOLLONESHOT, 8);
	CHECK_EQ(taken(fired, &count), 8);
}

int main(void)
{
	struct signalfd_siginfo info;
	struct gate gate;
	time_t target;
	pid_t child;

	prepare(&target);
	/* The child waits for the parent by what both have. */
	int shared = eventfd(0, 0);
	CHECK(shared >= 0);
	open_gate(&gate);
	child = fork_child();
	if (child == 0) {
		prepared(&gate);
		CHECK_EQ(count_of(shared), 77);
		CHECK_EQ(count_of(semaphore), 1);
		pass_on();
	}
	wait_prepared(&gate);
	ready();
	wait_go();
	if (disturbed())
		add(counter, 1);
	check_timers(target);
	check_epolls();
	CHECK_EQ(read(signals, &info, sizeof(info)), sizeof(info));
	CHECK_EQ(info.ssi_signo, SIGRTMAX);
	CHECK_EQ(read(signals, &info, sizeof(info)), -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(count_of(semaphore), 1);
	add(shared, 77);
	end_of(child);
	CHECK_EQ(count_of(semaphore), 1);
	CHECK_EQ(read(semaphore, &info, 8), -1);
	CHECK_EQ(errno, EAGAIN);
	pass();
}
