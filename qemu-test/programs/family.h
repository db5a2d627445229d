/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What target programs of several processes share. A process of the family ends with `pass_on()` when all is right in it;
 * its parent looks for that with `end_of()`. One that finds something wrong says so, and ends with another status.
 */
#ifndef FAMILY_H
#define FAMILY_H

#include "target.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/*
 * The end of a pipe that everybody holds who has not prepared his state yet. Nobody holds it any more when the family
 * is saved.
 */
struct gate {
	int ends[2];
};

static inline void open_gate(struct gate *gate)
{
	CHECK(pipe(gate->ends) == 0);
}

/* Called by each process, but the one that waits. */
static inline void prepared(struct gate *gate)
{
	close(gate->ends[0]);
	close(gate->ends[1]);
}

static inline void wait_prepared(struct gate *gate)
{
	char byte;

	close(gate->ends[1]);
	CHECK_EQ(read(gate->ends[0], &byte, 1), 0);
	close(gate->ends[0]);
}

/* A new process; it dies with its parent, so that nothing is left of a target that fails. */
static inline pid_t fork_child(void)
{
	pid_t parent = getpid(), pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
		if (getppid() != parent)
			_exit(4);
	}
	return pid;
}

/* Exit status of a process in which all is right: not that of one which never came so far. */
#define RIGHT 42

__attribute__((noreturn)) static inline void pass_on(void)
{
	_exit(RIGHT);
}

/* Waits for a child process, and for the end that it should have. */
static inline void end_of(pid_t child)
{
	int status = -1;

	CHECK_EQ(waitpid(child, &status, __WALL), child);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != RIGHT)
		fail("process %d ended with status %#x", child, status);
}

/* A new process that waits until its parent says `go_on()`. */
static inline pid_t fork_waiting(struct gate *gate)
{
	pid_t child;
	char byte;

	open_gate(gate);
	child = fork_child();
	if (child == 0) {
		close(gate->ends[1]);
		if (read(gate->ends[0], &byte, 1) != 1)
			_exit(1);
	}
	return child;
}

static inline void go_on(struct gate *gate)
{
	CHECK_EQ(write(gate->ends[1], "x", 1), 1);
}

static volatile sig_atomic_t children_told;

static inline void on_chld(int signal)
{
	children_told++;
}

/* From now on the process counts what it is told about its child processes. */
static inline void count_chld(void)
{
	struct sigaction action = { .sa_handler = on_chld, .sa_flags = SA_RESTART };

	CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
}

/* Is saved when all are prepared. What has become of children before is told no second time. */
static inline void be_saved_untold(struct gate *gate)
{
	int before;

	wait_prepared(gate);
	before = children_told;
	ready();
	wait_go();
	CHECK_EQ(children_told, before);
}

/* No child has ended yet. */
static inline void all_are_there(void)
{
	CHECK_EQ(waitpid(-1, NULL, WNOHANG | __WALL), 0);
}

/* There is no other child. */
static inline void no_child_is_left(void)
{
	CHECK_EQ(waitpid(-1, NULL, WNOHANG | __WALL), -1);
	CHECK_EQ(errno, ECHILD);
}

#endif
