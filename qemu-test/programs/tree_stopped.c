/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind tree: child processes that job control has stopped come back stopped, with all their threads. The parent is told about
 * a stop once: not again about one that it has waited for, and still about one that it has not.
 */
#include "family.h"

static pid_t stopped_child(struct gate *gate)
{
	pid_t child = fork_child();
	siginfo_t info;

	if (child == 0) {
		prepared(gate);
		raise(SIGSTOP);
		pass_on();
	}
	CHECK(waitid(P_PID, child, &info, WSTOPPED | WNOWAIT) == 0);
	CHECK_EQ(info.si_status, SIGSTOP);
	return child;
}

static void goes_on(pid_t child)
{
	siginfo_t info;

	CHECK_EQ(kill(child, SIGCONT), 0);
	CHECK(waitid(P_PID, child, &info, WCONTINUED | WEXITED | WNOWAIT) == 0);
	end_of(child);
}

int main(void)
{
	siginfo_t info = { 0 };
	pid_t known, unknown;
	struct gate gate;

	count_chld();
	open_gate(&gate);
	known = stopped_child(&gate);
	unknown = stopped_child(&gate);
	CHECK(waitid(P_PID, known, &info, WSTOPPED) == 0);
	be_saved_untold(&gate);
	if (disturbed())
		CHECK(waitid(P_PID, unknown, &info, WSTOPPED) == 0);
	info.si_pid = 0;
	CHECK(waitid(P_PID, known, &info, WSTOPPED | WNOHANG) == 0);
	CHECK_EQ(info.si_pid, 0);
	CHECK(waitid(P_PID, unknown, &info, WSTOPPED | WNOHANG) == 0);
	CHECK_EQ(info.si_pid, unknown);
	CHECK_EQ(info.si_code, CLD_STOPPED);
	CHECK_EQ(info.si_status, SIGSTOP);
	goes_on(known);
	goes_on(unknown);
	no_child_is_left();
	pass();
}
