/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Keys of whoever restarts are not for another user's program. Usage:
 *   security_keyring                 becomes nobody, with a child; afterwards neither finds the key, and both have one keyring
 *   security_keyring with COMMAND... runs a command with a session keyring that has the key in it
 */
#include "family.h"

#include <linux/keyctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define NOBODY 65534
#define NAME "ckpt-secret"

static long keyctl(int how, long a, long b, long c, long d)
{
	return syscall(SYS_keyctl, how, a, b, c, d);
}

static long session(void)
{
	return keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 0, 0);
}

static long secret(void)
{
	return keyctl(KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, (long)"user", (long)NAME, 0);
}

int main(int argc, char **argv)
{
	struct gate gate;
	long *childs;
	pid_t child;

	if (argc > 2) {
		CHECK(keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0) > 0);
		CHECK(syscall(SYS_add_key, "user", NAME, "secret", 6, KEY_SPEC_SESSION_KEYRING) > 0);
		execv(argv[2], argv + 2);
		fail("%s: errno %d", argv[2], errno);
	}
	CHECK_EQ(setresuid(NOBODY, NOBODY, NOBODY), 0);
	childs = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(childs != MAP_FAILED);
	open_gate(&gate);
	child = fork_child();
	if (child == 0) {
		prepared(&gate);
		wait_go();
		*childs = session();
		CHECK_EQ(secret(), -1);
		pass_on();
	}
	wait_prepared(&gate);
	ready();
	wait_go();
	CHECK_EQ(secret(), -1);
	CHECK(session() > 0);
	end_of(child);
	CHECK_EQ(*childs, session());
	pass();
}
