/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind tree: process groups and sessions, also those whose leader is gone, and orphans that a subreaper in the tree has
 * adopted. Everybody comes back with parent, group and session, and still gets the signals of its group.
 */
#include "family.h"

static pid_t root;
static struct gate gate;
static sigset_t usr1;

/* What a process has to come back with; 0 for a group or session that is the root's. */
struct place {
	pid_t parent, group, session;
};

static struct place here(void)
{
	struct place place = {
		.parent = getppid(),
		.group = getpgrp() == getpgid(root) ? 0 : getpgrp(),
		.session = getsid(0) == getsid(root) ? 0 : getsid(0),
	};

	return place;
}

/* Waits, compares, and takes the signal that every group but the root's is sent. `child` is there, or 0. */
__attribute__((noreturn)) static void stay(pid_t child)
{
	struct place before = here(), now;
	struct timespec patience = { 30, 0 };

	prepared(&gate);
	wait_go();
	now = here();
	CHECK_EQ(now.parent, before.parent);
	CHECK_EQ(now.group, before.group);
	CHECK_EQ(now.session, before.session);
	if (now.group)
		CHECK_EQ(sigtimedwait(&usr1, NULL, &patience), SIGUSR1);
	if (child)
		end_of(child);
	no_child_is_left();
	pass_on();
}

/* An orphan: its parent ends, and the root takes it. */
__attribute__((noreturn)) static void be_adopted(void)
{
	while (getppid() != root)
		sleep_ms(1);
	CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
	stay(0);
}

/* In a new session or group, with another process in it. */
static void lead(bool session)
{
	pid_t child;

	CHECK(session ? setsid() == getpid() : setpgid(0, 0) == 0);
	child = fork_child();
	stay(child);
}

/* Leaves a new session or group behind, with a process that says its pid, and one in a group of its own. */
static void leave(bool session, const int *told)
{
	CHECK(session ? setsid() == getpid() : setpgid(0, 0) == 0);
	for (int own = 0; own <= session; own++) {
		pid_t child = fork();

		CHECK(child >= 0);
		if (child == 0) {
			pid_t pid = getpid();

			CHECK(!own || setpgid(0, 0) == 0);
			CHECK_EQ(write(told[1], &pid, sizeof(pid)), sizeof(pid));
			close(told[0]);
			close(told[1]);
			be_adopted();
		}
	}
	_exit(0);
}

int main(void)
{
	pid_t leader[2], left[2], orphans[3], plain;
	int told[2], status;

	root = getpid();
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, &usr1, NULL) == 0);
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	open_gate(&gate);
	CHECK(pipe(told) == 0);
	plain = fork_child();
	if (plain == 0) {
		close(told[0]);
		close(told[1]);
		stay(0);
	}
	for (int session = 0; session < 2; session++) {
		leader[session] = fork_child();
		if (leader[session] == 0) {
			close(told[0]);
			close(told[1]);
			lead(session);
		}
		left[session] = fork();
		CHECK(left[session] >= 0);
		if (left[session] == 0)
			leave(session, told);
		CHECK_EQ(waitpid(left[session], &status, 0), left[session]);
		CHECK_EQ(status, 0);
		/* Before the next ones: those of the lost session are the last two. */
		for (int i = session; i <= 2 * session; i++)
			CHECK_EQ(read(told[0], &orphans[i], sizeof(pid_t)), sizeof(pid_t));
	}
	close(told[0]);
	close(told[1]);
	wait_prepared(&gate);
	ready();
	wait_go();
	CHECK_EQ(getpid(), root);
	for (int session = 0; session < 2; session++) {
		/* A disturbed one looks for a group that nobody is in. */
		CHECK_EQ(kill(-leader[session], SIGUSR1), 0);
		CHECK_EQ(kill(-(disturbed() ? plain : left[session]), SIGUSR1), 0);
	}
	/* Those of the lost session came in any order: one is alone in its group. */
	for (int i = 1; i < 3; i++) {
		CHECK_EQ(getsid(orphans[i]), left[1]);
		if (getpgid(orphans[i]) == orphans[i])
			CHECK_EQ(kill(-orphans[i], SIGUSR1), 0);
	}
	end_of(plain);
	for (int i = 0; i < 2; i++)
		end_of(leader[i]);
	for (int i = 0; i < 3; i++)
		end_of(orphans[i]);
	no_child_is_left();
	pass();
}
