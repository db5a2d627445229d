// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Not saved itself: serves the block device /dev/nbd0, and answers what is read from it only when the file exists that its argument names.
 */
#include "target.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/nbd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static void get(int fd, void *out, size_t length)
{
	CHECK_EQ(recv(fd, out, length, MSG_WAITALL), length);
}

static void serve(int fd, const char *answer)
{
	static char data[1 << 16];
	struct nbd_request request;
	struct nbd_reply reply;

	memset(data, 0x5a, sizeof(data));
	for (;;) {
		get(fd, &request, sizeof(request));
		CHECK_EQ(ntohl(request.magic), NBD_REQUEST_MAGIC);
		CHECK_EQ(ntohl(request.type), NBD_CMD_READ);
		CHECK(ntohl(request.len) <= sizeof(data));
		while (access(answer, F_OK) != 0)
			sleep_ms(10);
		reply = (struct nbd_reply){ .magic = htonl(NBD_REPLY_MAGIC) };
		memcpy(&reply.cookie, &request.cookie, sizeof(reply.cookie));
		CHECK_EQ(send(fd, &reply, sizeof(reply), 0), sizeof(reply));
		CHECK_EQ(send(fd, data, ntohl(request.len), 0), ntohl(request.len));
	}
}

int main(int argc, char **argv)
{
	int ends[2], device;

	CHECK(argc == 2);
	if (system("modprobe nbd max_part=0") != 0)
		skip("there is no module nbd");
	device = open("/dev/nbd0", O_RDWR);
	CHECK(device >= 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	CHECK(ioctl(device, NBD_SET_BLKSIZE, PAGE) == 0 && ioctl(device, NBD_SET_SIZE_BLOCKS, 16UL) == 0);
	CHECK(ioctl(device, NBD_SET_SOCK, ends[0]) == 0);
	if (fork() == 0) {
		CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
		ioctl(device, NBD_DO_IT);
		_exit(0);
	}
	/* The device is there when it may be read from. */
	while (access("/sys/block/nbd0/pid", F_OK) != 0)
		sleep_ms(10);
	ready();
	serve(ends[1], argv[1]);
}
