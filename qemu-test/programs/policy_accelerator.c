/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind policy: a program with a device whose state only its driver's tools can save, as an accelerator's. SIGUSR1 has it put the device
 * away, SIGUSR2 has it take it again; both are told by a file. Usage: policy_accelerator AWAY BACK
 */
#include "target.h"

#include <signal.h>

static const char *away, *back;
static volatile sig_atomic_t device = -1, turns;

static void tell(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0644);

	CHECK(fd >= 0);
	close(fd);
}

static void take(void)
{
	device = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	CHECK(device >= 0);
}

static void put_away(int signal)
{
	close(device);
	device = -1;
	tell(away);
}

static void take_again(int signal)
{
	take();
	turns++;
	tell(back);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = put_away };
	char byte;

	CHECK_EQ(argc, 3);
	away = argv[1];
	back = argv[2];
	take();
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	action.sa_handler = take_again;
	CHECK_EQ(sigaction(SIGUSR2, &action, NULL), 0);
	ready();
	wait_go();
	CHECK(device >= 0 && turns > 0);
	CHECK_EQ(read(device, &byte, 1), -1);
	CHECK(errno != EBADF);
	pass();
}
