// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind tree: a stop by job control that is under way. The main thread of a child has stopped, the other cannot, since it waits for what
 * it has made by vfork(2). The parent is told of the stop when that has ended, not before, and not never.
 */
#include "family.h"

#include <pthread.h>

static struct gate begin, end;

static void *have_child(void *argument)
{
	pid_t child = vfork();
	char byte;

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		go_on(&begin);
		if (read(end.ends[0], &byte, 1) != 1)
			_exit(1);
		_exit(RIGHT);
	}
	CHECK(child > 0);
	end_of(child);
	return argument;
}

static pid_t stopping_child(void)
{
	pid_t child = fork_child();
	pthread_t thread;

	if (child == 0) {
		/* A job of its own: SIGTSTP stops nobody in an orphaned process group. */
		CHECK_EQ(setpgid(0, 0), 0);
		CHECK_EQ(pthread_create(&thread, NULL, have_child, NULL), 0);
		CHECK_EQ(pthread_join(thread, NULL), 0);
		pass_on();
	}
	return child;
}

static char state_of(pid_t pid)
{
	char path[64], line[256] = "", *state;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0 && read(fd, line, sizeof(line) - 1) > 0);
	close(fd);
	state = strrchr(line, ')');
	CHECK(state);
	return state[2];
}

static void is_untold(pid_t child)
{
	siginfo_t info = { 0 };

	CHECK_EQ(waitid(P_PID, child, &info, WSTOPPED | WNOHANG), 0);
	CHECK_EQ(info.si_pid, 0);
}

int main(void)
{
	siginfo_t info = { 0 };
	pid_t child;
	char byte;

	open_gate(&begin);
	open_gate(&end);
	child = stopping_child();
	CHECK_EQ(read(begin.ends[0], &byte, 1), 1);
	CHECK_EQ(kill(child, SIGTSTP), 0);
	while (state_of(child) != 'T')
		sleep_ms(1);
	is_untold(child);
	ready();
	wait_go();
	if (disturbed())
		CHECK_EQ(kill(child, SIGCONT), 0);
	is_untold(child);
	go_on(&end);
	CHECK_EQ(waitid(P_PID, child, &info, WSTOPPED | WEXITED | WNOWAIT), 0);
	CHECK_EQ(info.si_code, CLD_STOPPED);
	CHECK_EQ(info.si_status, SIGTSTP);
	CHECK_EQ(kill(child, SIGCONT), 0);
	end_of(child);
	no_child_is_left();
	pass();
}
