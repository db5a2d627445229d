// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Prints every signal that it gets, with what came with it: "signal NUMBER VALUE". Ends when the file CKPT_GO exists.
 * With an argument, a child does the same and prints "child" in front.
 */
#include "target.h"

#include <signal.h>
#include <sys/prctl.h>

static const char *who = "signal";

static void print(int signal, siginfo_t *info, void *context)
{
	(void)context;
	say("%s %d %d", who, signal, info->si_code == SI_QUEUE ? info->si_value.sival_int : 0);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = print, .sa_flags = SA_SIGINFO | SA_RESTART };
	pid_t child = 1;

	(void)argv;
	/* One line after the other. */
	sigfillset(&action.sa_mask);
	for (int signal = 1; signal <= 64; signal++)
		if (signal != SIGCHLD)
			sigaction(signal, &action, NULL);
	if (argc > 1)
		child = fork();
	if (child == 0) {
		who = "child";
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	}
	ready();
	wait_go();
	return 0;
}
