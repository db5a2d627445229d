// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind pidfd: a pidfd leads to the same process or thread as before: the program itself, a child, one that waits to be reaped, a thread,
 * and one that has been reaped, of which two pidfds are alike. A child shares some of them.
 */
#include "family.h"

#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#define PIDFD_THREAD O_EXCL
#define MY_P_PIDFD 3

/* struct pidfd_info of linux/pidfd.h. */
struct info {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ids[8];
	int32_t exit_code;
};
_Static_assert(sizeof(struct info) == 64, "first version");
#define GET_INFO _IOWR(0xff, 11, struct info)
#define INFO_EXIT (1 << 3)

static pid_t tid;

static int pidfd_of(pid_t pid, unsigned int flags)
{
	int fd = syscall(SYS_pidfd_open, pid, flags);

	CHECK(fd >= 0);
	return fd;
}

static int events_of(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	CHECK(poll(&poll_fd, 1, 0) >= 0);
	return poll_fd.revents;
}

static bool is_alike(int a, int b)
{
	struct stat first, second;

	CHECK(fstat(a, &first) == 0 && fstat(b, &second) == 0);
	return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

static int signal_by(int fd, int signal)
{
	return syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0);
}

static pid_t pid_of(int fd)
{
	struct info info = { .mask = 1 };

	CHECK_EQ(ioctl(fd, GET_INFO, &info), 0);
	return info.pid;
}

static void *wait_as_thread(void *ready)
{
	tid = gettid();
	CHECK_EQ(write(*(int *)ready, "x", 1), 1);
	while (!go_given())
		sleep_ms(20);
	sleep_ms(100000);
	return NULL;
}

static int ended(int status)
{
	pid_t child = fork_child();
	int fd;

	if (child == 0) {
		sleep_ms(50);
		_exit(status);
	}
	fd = pidfd_of(child, 0);
	while (!events_of(fd))
		sleep_ms(5);
	return fd;
}

int main(void)
{
	int itself, other, zombie, thread, reaped, again, unblocked, fds[2];
	struct gate gate, child_gate;
	struct info info = { .mask = INFO_EXIT };
	siginfo_t told = {};
	pthread_t pthread;
	pid_t child, grandchild;
	char byte;

	itself = pidfd_of(getpid(), 0);
	zombie = ended(7);
	reaped = ended(9);
	again = pidfd_of(pid_of(reaped), O_NONBLOCK);
	CHECK_EQ(waitid(MY_P_PIDFD, reaped, &told, WEXITED), 0);
	unblocked = ended(11);
	CHECK_EQ(waitid(MY_P_PIDFD, unblocked, &told, WEXITED), 0);
	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(pthread_create(&pthread, NULL, wait_as_thread, &fds[1]), 0);
	CHECK_EQ(read(fds[0], &byte, 1), 1);
	thread = pidfd_of(tid, PIDFD_THREAD);
	child = fork_waiting(&child_gate);
	if (child == 0) {
		/* Of its parent, by what it has inherited. */
		CHECK_EQ(pid_of(itself), getppid());
		CHECK(is_alike(reaped, again) && !is_alike(reaped, unblocked));
		CHECK_EQ(events_of(zombie), POLLIN | POLLHUP);
		pass_on();
	}
	close(child_gate.ends[0]);
	other = pidfd_of(child, O_NONBLOCK);
	/* Saved before its process: a sibling of the child has one of it, and of itself. */
	open_gate(&gate);
	grandchild = fork_child();
	if (grandchild == 0) {
		int own = pidfd_of(getpid(), 0);

		close(child_gate.ends[1]);
		prepared(&gate);
		while (!go_given())
			sleep_ms(20);
		CHECK_EQ(pid_of(own), getpid());
		CHECK_EQ(pid_of(itself), getppid());
		pass_on();
	}
	wait_prepared(&gate);
	ready();
	wait_go();
	if (disturbed())
		CHECK_EQ(dup2(itself, other), other);
	CHECK_EQ(pid_of(itself), getpid());
	CHECK_EQ(signal_by(itself, 0), 0);
	CHECK_EQ(pid_of(other), child);
	CHECK_EQ(fcntl(other, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	CHECK_EQ(events_of(other), 0);
	CHECK(!is_alike(itself, other));
	CHECK_EQ(pid_of(thread), tid);
	CHECK_EQ(fcntl(thread, F_GETFL) & PIDFD_THREAD, PIDFD_THREAD);
	CHECK_EQ(signal_by(thread, 0), 0);
	/* Has exited, and waits to be reaped. */
	CHECK_EQ(events_of(zombie), POLLIN);
	memset(&told, 0, sizeof(told));
	CHECK_EQ(waitid(MY_P_PIDFD, zombie, &told, WEXITED), 0);
	CHECK_EQ(told.si_status, 7);
	CHECK_EQ(events_of(zombie), POLLIN | POLLHUP);
	/* Has been reaped. */
	CHECK_EQ(events_of(reaped), POLLIN | POLLHUP);
	CHECK_EQ(signal_by(reaped, 0), -1);
	CHECK_EQ(errno, ESRCH);
	CHECK(is_alike(reaped, again) && !is_alike(reaped, unblocked));
	CHECK_EQ(fcntl(reaped, F_GETFL) & O_NONBLOCK, 0);
	CHECK_EQ(fcntl(again, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	CHECK_EQ(ioctl(again, GET_INFO, &info), 0);
	CHECK((info.mask & INFO_EXIT) && WEXITSTATUS(info.exit_code) == 9);
	CHECK_EQ(ioctl(unblocked, GET_INFO, &info), 0);
	CHECK((info.mask & INFO_EXIT) && WEXITSTATUS(info.exit_code) == 11);
	go_on(&child_gate);
	memset(&told, 0, sizeof(told));
	while (!events_of(other))
		sleep_ms(5);
	CHECK_EQ(waitid(MY_P_PIDFD, other, &told, WEXITED), 0);
	CHECK_EQ(told.si_status, RIGHT);
	end_of(grandchild);
	no_child_is_left();
	pass();
}
