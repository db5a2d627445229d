// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind aio: a request that is in flight, of a device that takes its time (/dev/nbd0, see block_held.c) and whose descriptor is closed by
 * now. Its event comes once, and what was read is there.
 */
#include "target.h"

#include <linux/aio_abi.h>

int main(void)
{
	struct timespec patience = { .tv_sec = 20 };
	int fd = open("/dev/nbd0", O_RDONLY | O_DIRECT);
	struct iocb request = { .aio_data = 4711, .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = fd, .aio_nbytes = PAGE };
	struct iocb *requests[] = { &request };
	aio_context_t context = 0;
	struct io_event event;
	char *page = map_private(PAGE);

	CHECK(fd >= 0);
	request.aio_buf = (uintptr_t)page;
	if (syscall(SYS_io_setup, 4, &context) == -1)
		skip("io_setup: errno %d", errno);
	CHECK_EQ(syscall(SYS_io_submit, context, 1L, requests), 1);
	CHECK(close(fd) == 0);
	say("expect aio|asynchronous I/O");
	say("expect 1 of its requests");
	say("expect %lx", (unsigned long)context);
	ready();
	wait_go();
	CHECK_EQ(syscall(SYS_io_getevents, context, 1L, 1L, &event, &patience), 1);
	CHECK_EQ(event.data, 4711);
	CHECK_EQ(event.obj, (uintptr_t)&request);
	CHECK_EQ(event.res, PAGE);
	for (unsigned i = 0; i < PAGE; i++)
		CHECK_EQ(page[i], 0x5a);
	CHECK_EQ(syscall(SYS_io_getevents, context, 0L, 1L, &event, NULL), 0);
	pass();
}
