/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind tree: a vfork(2) in progress. The child runs in its parent's memory, on its stack; the parent goes on when the child
 * has ended, not before, and finds what the child wrote.
 */
#include "family.h"

static volatile uint64_t written;
static volatile pid_t parent_seen;

__attribute__((noinline)) static pid_t have_child(void)
{
	pid_t child = vfork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		parent_seen = getppid();
		ready();
		wait_go();
		if (getppid() != parent_seen)
			_exit(5);
		written = disturbed() ? 1 : 0x1234567;
		_exit(RIGHT);
	}
	return child;
}

int main(void)
{
	pid_t pid = getpid(), child = have_child();

	CHECK(child > 0);
	/* It cannot be here before the child has seen the end. */
	CHECK(go_given());
	CHECK_EQ(written, 0x1234567);
	CHECK_EQ(parent_seen, pid);
	end_of(child);
	no_child_is_left();
	pass();
}
