/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind tree: processes that have exited and that nobody has waited for come back as such, in their order, with status, signal and
 * user; so do those of a child process. Their SIGCHLD was before: none comes again.
 */
#include "family.h"

#include <sys/resource.h>

static const struct end {
	int code, status;
	uid_t uid;
} ends[] = {
	{ CLD_EXITED, 0, 0 },	    { CLD_EXITED, 7, 0 },	{ CLD_EXITED, 255, 65534 },
	{ CLD_KILLED, SIGKILL, 0 }, { CLD_KILLED, SIGTERM, 0 }, { CLD_KILLED, SIGSEGV, 0 },
	{ CLD_EXITED, 1, 0 },
};

#define COUNT (sizeof(ends) / sizeof(ends[0]))

static void end_as(const struct end *end)
{
	struct rlimit none = { 0, 0 };

	if (end->uid && setuid(end->uid))
		_exit(99);
	if (end->code == CLD_EXITED)
		_exit(end->status);
	setrlimit(RLIMIT_CORE, &none);
	signal(end->status, SIG_DFL);
	kill(getpid(), end->status);
	_exit(98);
}

/* Child processes that have ended, and are waited for later. */
static void make_zombies(pid_t *pids)
{
	siginfo_t info;

	for (size_t i = 0; i < COUNT; i++) {
		pids[i] = fork();
		CHECK(pids[i] >= 0);
		if (pids[i] == 0)
			end_as(&ends[i]);
		CHECK(waitid(P_PID, pids[i], &info, WEXITED | WNOWAIT) == 0);
	}
}

static void take_zombies(const pid_t *pids, uid_t own)
{
	for (size_t i = 0; i < COUNT; i++) {
		siginfo_t info = { 0 };

		CHECK(waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0);
		say("zombie: pid %d code %d status %d uid %d", info.si_pid, info.si_code, info.si_status, info.si_uid);
		CHECK_EQ(info.si_signo, SIGCHLD);
		CHECK_EQ(info.si_pid, pids[i]);
		CHECK_EQ(info.si_code, ends[i].code);
		CHECK_EQ(info.si_status, ends[i].status);
		CHECK_EQ(info.si_uid, ends[i].uid ? ends[i].uid : own);
	}
}

int main(void)
{
	pid_t pids[COUNT], inner[COUNT], child;
	struct gate gate;
	sigset_t usr1;
	int number;

	if (getuid() != 0)
		skip("needs root");
	count_chld();
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, &usr1, NULL) == 0);
	make_zombies(pids);
	open_gate(&gate);
	child = fork_child();
	if (child == 0) {
		make_zombies(inner);
		prepared(&gate);
		/* Not before its parent has counted signals: its own end is one. */
		CHECK(sigwait(&usr1, &number) == 0);
		take_zombies(inner, getuid());
		no_child_is_left();
		pass_on();
	}
	be_saved_untold(&gate);
	if (disturbed())
		CHECK_EQ(waitpid(pids[1], NULL, 0), pids[1]);
	take_zombies(pids, getuid());
	CHECK_EQ(kill(child, SIGUSR1), 0);
	end_of(child);
	no_child_is_left();
	pass();
}
