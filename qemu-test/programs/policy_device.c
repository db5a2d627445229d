/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind policy: what cannot be saved comes back as the caller has said. /dev/kmsg is closed, and its number is nobody else's;
 * /dev/cpu_dma_latency is another file; the memory of /dev/mem cannot be accessed; a child that has /dev/vga_arbiter has been killed.
 */
#include "family.h"

#include <fcntl.h>
#include <sys/epoll.h>

enum { LENGTH = 8 };

static pid_t child_with_graphics(struct gate *gate)
{
	pid_t child = fork_child();

	if (child == 0) {
		CHECK(open("/dev/vga_arbiter", O_RDONLY) >= 0);
		prepared(gate);
		for (;;)
			pause();
	}
	return child;
}

static pid_t child_that_lives(struct gate *gate, struct gate *end)
{
	pid_t child = fork_child();
	char byte;

	if (child == 0) {
		prepared(gate);
		CHECK_EQ(read(end->ends[0], &byte, 1), 1);
		pass_on();
	}
	return child;
}

static void is_closed(int fd, int epoll)
{
	struct epoll_event event;
	char byte;

	CHECK_EQ(read(fd, &byte, 1), -1);
	CHECK_EQ(errno, EBADF);
	CHECK(fcntl(fd, F_GETFD) >= 0);
	CHECK(dup(0) != fd);
	/* It is not watched any more, as what is closed is not. */
	CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
}

int main(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct gate gate, end;
	char zeros[LENGTH] = "full";
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK), latency = open("/dev/cpu_dma_latency", O_RDWR), epoll, status;
	int memory_fd = open("/dev/mem", O_RDONLY);
	pid_t doomed, living;
	void *memory;

	CHECK(log >= 0 && latency >= 0 && memory_fd >= 0);
	epoll = epoll_create1(0);
	CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, log, &event), 0);
	memory = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, memory_fd, 0xf0000);
	CHECK(memory != MAP_FAILED);
	close(memory_fd);
	open_gate(&gate);
	open_gate(&end);
	doomed = child_with_graphics(&gate);
	living = child_that_lives(&gate, &end);
	wait_prepared(&gate);
	ready();
	wait_go();
	is_closed(log, epoll);
	CHECK_EQ(read(latency, zeros, LENGTH), LENGTH);
	for (int i = 0; i < LENGTH; i++)
		CHECK_EQ(zeros[i], 0);
	/* The kernel reads it for us, and says that it cannot. */
	CHECK_EQ(write(end.ends[1], memory, 1), -1);
	CHECK_EQ(errno, EFAULT);
	CHECK_EQ(waitpid(doomed, &status, 0), doomed);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	go_on(&end);
	end_of(living);
	no_child_is_left();
	pass();
}
