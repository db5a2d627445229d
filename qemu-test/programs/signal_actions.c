// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/* Kind signal: the actions of all 64 signals (handler, flags, mask, restorer) are kept. */
#include "target.h"

#include <signal.h>

struct kernel_sigaction {
	uintptr_t handler;
	unsigned long flags;
	uintptr_t restorer;
	uint64_t mask;
};

static volatile int last;

static void handler_a(int number)
{
	last = number;
}

static void handler_b(int number, siginfo_t *info, void *context)
{
	(void)info;
	(void)context;
	last = number + 1000;
}

static void get(int number, struct kernel_sigaction *action)
{
	CHECK(syscall(SYS_rt_sigaction, number, NULL, action, 8) == 0);
}

int main(void)
{
	struct kernel_sigaction before[65], now;
	struct sigaction action;

	for (int n = 1; n <= 64; n++) {
		if (n == SIGKILL || n == SIGSTOP || n == 32 || n == 33)
			continue;
		memset(&action, 0, sizeof(action));
		sigemptyset(&action.sa_mask);
		sigaddset(&action.sa_mask, n % 30 + 1);
		sigaddset(&action.sa_mask, 64 - n % 20);
		switch (n % 4) {
		case 0:
			action.sa_handler = SIG_IGN;
			break;
		case 1:
			action.sa_handler = handler_a;
			action.sa_flags = SA_RESTART | (n % 8 == 1 ? SA_NODEFER : SA_ONSTACK);
			break;
		case 2:
			action.sa_sigaction = handler_b;
			action.sa_flags = SA_SIGINFO | (n % 8 == 2 ? SA_RESETHAND : 0);
			break;
		case 3:
			action.sa_handler = SIG_DFL;
			action.sa_flags = n == SIGCHLD ? SA_NOCLDWAIT | SA_NOCLDSTOP : 0;
			break;
		}
		CHECK(sigaction(n, &action, NULL) == 0);
	}
	for (int n = 1; n <= 64; n++)
		get(n, &before[n]);
	ready();
	if (disturbed())
		signal(SIGUSR1, SIG_DFL);
	wait_go();
	for (int n = 1; n <= 64; n++) {
		get(n, &now);
		if (memcmp(&now, &before[n], sizeof(now)))
			fail("signal %d: handler %#lx flags %#lx mask %#llx, not %#lx %#lx %#llx", n, now.handler, now.flags,
			     (unsigned long long)now.mask, before[n].handler, before[n].flags,
			     (unsigned long long)before[n].mask);
	}
	raise(5);
	CHECK_EQ(last, 5);
	raise(SIGRTMIN + 8); /* 42 */
	CHECK_EQ(last, 1042);
	raise(40);
	CHECK_EQ(last, 1042);
	pass();
}
