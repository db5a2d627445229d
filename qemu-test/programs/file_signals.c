// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind file: who gets the signals of an open file (a process, a thread, a group, a child), which signal, O_ASYNC, and leases, which
 * still tell their holder of somebody who opens the file. Also of a socket and of a pseudoterminal.
 */
#include "target.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define ASYNC_SIGNAL (SIGRTMIN + 3)

static void own(int fd, int type, pid_t pid, int signal, bool on)
{
	struct f_owner_ex owner = { .type = type, .pid = pid };

	CHECK(fcntl(fd, F_SETOWN_EX, &owner) == 0 && fcntl(fd, F_SETSIG, signal) == 0);
	if (on)
		CHECK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC) == 0);
}

static void check_own(int fd, int type, pid_t pid, int signal, bool on)
{
	struct f_owner_ex owner;

	CHECK(fcntl(fd, F_GETOWN_EX, &owner) == 0);
	CHECK_EQ(owner.type, type);
	CHECK_EQ(owner.pid, pid);
	CHECK_EQ(fcntl(fd, F_GETSIG), signal);
	CHECK_EQ(!!(fcntl(fd, F_GETFL) & O_ASYNC), on);
}

/* The signal that comes within a second; 0 without one. */
static int next(const sigset_t *set, int fd)
{
	struct timespec second = { 1, 0 };
	siginfo_t info;
	int got = sigtimedwait(set, &info, &second);

	if (got == ASYNC_SIGNAL)
		CHECK_EQ(info.si_fd, fd);
	return got > 0 ? got : 0;
}

/* Somebody else opens the file and may not, at once. */
static void broken(const char *name, int flags)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (child == 0)
		_exit(open(name, flags | O_NONBLOCK) >= 0 ? 1 : errno != EWOULDBLOCK);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
}

int main(void)
{
	int process[2], thread[2], group[2], other[2], plain, write_lease, read_lease, sockets[2], master, slave;
	pid_t self = getpid(), child;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, ASYNC_SIGNAL);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK(setpgid(0, 0) == 0);
	CHECK(pipe(process) == 0 && pipe(thread) == 0 && pipe(group) == 0 && pipe(other) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
		/* Its signal, through an open file that both have. */
		while (next(&set, other[0]) == 0)
			;
		_exit(0);
	}
	own(process[0], F_OWNER_PID, self, ASYNC_SIGNAL, true);
	own(thread[0], F_OWNER_TID, self, 0, true);
	own(group[0], F_OWNER_PGRP, self, ASYNC_SIGNAL, true);
	own(other[0], F_OWNER_PID, child, ASYNC_SIGNAL, true);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
	own(sockets[0], F_OWNER_PID, self, ASYNC_SIGNAL, true);
	master = posix_openpt(O_RDWR | O_NOCTTY);
	CHECK(master >= 0 && unlockpt(master) == 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	CHECK(slave >= 0);
	own(slave, F_OWNER_TID, self, ASYNC_SIGNAL, true);
	plain = open("plain", O_RDWR | O_CREAT, 0600);
	own(plain, F_OWNER_PID, self, SIGUSR1, false);
	write_lease = open("written", O_RDWR | O_CREAT, 0600);
	close(open("read", O_RDWR | O_CREAT, 0600));
	read_lease = open("read", O_RDONLY);
	CHECK(fcntl(write_lease, F_SETLEASE, F_WRLCK) == 0 && fcntl(read_lease, F_SETLEASE, F_RDLCK) == 0);
	CHECK(fcntl(read_lease, F_SETSIG, ASYNC_SIGNAL) == 0);
	ready();
	if (disturbed())
		own(process[0], F_OWNER_PID, 0, 0, false), own(sockets[0], F_OWNER_PID, 0, 0, false);
	wait_go();
	check_own(process[0], F_OWNER_PID, self, ASYNC_SIGNAL, true);
	check_own(thread[0], F_OWNER_TID, self, 0, true);
	check_own(group[0], F_OWNER_PGRP, self, ASYNC_SIGNAL, true);
	check_own(other[0], F_OWNER_PID, child, ASYNC_SIGNAL, true);
	check_own(sockets[0], F_OWNER_PID, self, ASYNC_SIGNAL, true);
	check_own(slave, F_OWNER_TID, self, ASYNC_SIGNAL, true);
	check_own(plain, F_OWNER_PID, self, SIGUSR1, false);
	check_own(write_lease, F_OWNER_PID, self, 0, true);
	check_own(read_lease, F_OWNER_PID, self, ASYNC_SIGNAL, true);
	CHECK_EQ(next(&set, 0), 0);
	CHECK(write(process[1], "x", 1) == 1);
	CHECK_EQ(next(&set, process[0]), ASYNC_SIGNAL);
	CHECK(write(sockets[1], "x", 1) == 1);
	CHECK_EQ(next(&set, sockets[0]), ASYNC_SIGNAL);
	CHECK(write(master, "x\n", 2) == 2);
	CHECK_EQ(next(&set, slave), ASYNC_SIGNAL);
	CHECK(write(thread[1], "x", 1) == 1);
	CHECK_EQ(next(&set, thread[0]), SIGIO);
	CHECK(write(other[1], "x", 1) == 1);
	CHECK(waitpid(child, NULL, 0) == child);
	CHECK(write(group[1], "x", 1) == 1);
	CHECK_EQ(next(&set, group[0]), ASYNC_SIGNAL);
	CHECK_EQ(fcntl(write_lease, F_GETLEASE), F_WRLCK);
	CHECK_EQ(fcntl(read_lease, F_GETLEASE), F_RDLCK);
	broken("written", O_RDONLY);
	CHECK_EQ(next(&set, write_lease), SIGIO);
	broken("read", O_WRONLY);
	CHECK_EQ(next(&set, read_lease), ASYNC_SIGNAL);
	CHECK(fcntl(write_lease, F_SETLEASE, F_UNLCK) == 0);
	pass();
}
