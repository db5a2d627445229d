// cflags: -O1 -static
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind ns: a network namespace whose loopback device is up ("up") or down ("down"), and a cgroup namespace.
 */
#include "target.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static short loopback(short set)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK(fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0);
	if (set) {
		request.ifr_flags |= set;
		CHECK(ioctl(fd, SIOCSIFFLAGS, &request) == 0);
	}
	close(fd);
	return request.ifr_flags & IFF_UP;
}

/* A datagram to itself by 127.0.0.1: errno, 0 when it has come back. */
static int talk(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(4711), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), result = 0;
	char word[4] = "";

	if (bind(fd, (struct sockaddr *)&to, sizeof(to)) || sendto(fd, "hi", 2, 0, (struct sockaddr *)&to, sizeof(to)) != 2)
		result = errno;
	else if (recv(fd, word, sizeof(word), 0) != 2)
		result = EIO;
	close(fd);
	return result;
}

static void expect_cgroup(void)
{
	char text[256] = "";
	int fd = open("/proc/self/cgroup", O_RDONLY);

	CHECK(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	if (!strstr(text, "::/\n"))
		fail("cgroup %s", text);
}

int main(int argc, char **argv)
{
	bool up = argc > 1 && strcmp(argv[1], "up") == 0;
	int before;

	if (unshare(CLONE_NEWNET | CLONE_NEWCGROUP) == -1)
		skip("unshare: errno %d", errno);
	if (up)
		loopback(IFF_UP);
	before = talk();
	CHECK_EQ(before == 0, up);
	expect_cgroup();
	ready();
	if (disturbed())
		up = !up;
	wait_go();
	CHECK_EQ(loopback(0) != 0, up);
	CHECK_EQ(talk(), before);
	expect_cgroup();
	pass();
}
