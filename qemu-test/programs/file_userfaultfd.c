// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind userfaultfd: one with which no memory is registered keeps what it was made with and its features, and watches the memory of the
 * process that made it, also in the hands of a child, which answers the faults of its parent.
 */
#include "family.h"

#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { SIZE = 4096 };

static int make(int flags)
{
	int fd = syscall(SYS_userfaultfd, flags);

	if (fd < 0)
		skip("userfaultfd: errno %d", errno);
	return fd;
}

static void begin(int fd, uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };

	CHECK_EQ(ioctl(fd, UFFDIO_API, &api), 0);
}

/* Its features, and that it has any, as the kernel says them. */
static unsigned int features_of(int fd)
{
	char path[64], line[128];
	unsigned int found = 0;
	bool is_there = false;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "r");
	CHECK(info != NULL);
	while (fgets(line, sizeof(line), info))
		is_there |= sscanf(line, "API:\taa:%x:", &found) == 1;
	fclose(info);
	CHECK(is_there);
	return found;
}

static void watch(int fd, void *memory)
{
	struct uffdio_register range = { .range = { (uintptr_t)memory, SIZE }, .mode = UFFDIO_REGISTER_MODE_MISSING };

	CHECK_EQ(ioctl(fd, UFFDIO_REGISTER, &range), 0);
}

/* Puts a page full of this byte into the memory that is watched. */
static void fill_page(int fd, void *at, char byte)
{
	static char page[SIZE];
	struct uffdio_copy copy = { .src = (uintptr_t)page, .dst = (uintptr_t)at & -SIZE, .len = SIZE };

	memset(page, byte, sizeof(page));
	CHECK_EQ(ioctl(fd, UFFDIO_COPY, &copy), 0);
}

/* Waits for a fault, and fills the page. */
static void answer(int fd, char byte)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	struct uffd_msg message;

	CHECK_EQ(poll(&poll_fd, 1, 60000), 1);
	CHECK_EQ(read(fd, &message, sizeof(message)), sizeof(message));
	CHECK_EQ(message.event, UFFD_EVENT_PAGEFAULT);
	fill_page(fd, (void *)(uintptr_t)message.arg.pagefault.address, byte);
}

int main(void)
{
	const uint64_t wanted = UFFD_FEATURE_THREAD_ID | UFFD_FEATURE_EVENT_UNMAP;
	int fd, fresh, late, flags;
	struct gate gate;
	char *memory;
	pid_t child;

	fd = make(O_NONBLOCK);
	fresh = make(UFFD_USER_MODE_ONLY | O_NONBLOCK | O_CLOEXEC);
	late = make(O_NONBLOCK);
	begin(fd, wanted);
	begin(late, 0);
	CHECK_EQ(fcntl(late, F_SETFL, 0), 0);
	flags = fcntl(fresh, F_GETFL);
	open_gate(&gate);
	child = fork_child();
	if (child == 0) {
		/* Of its own memory. */
		int own = make(O_NONBLOCK);
		begin(own, 0);
		prepared(&gate);
		while (!go_given())
			sleep_ms(20);
		answer(fd, 'c');
		memory = map_private(SIZE);
		watch(own, memory);
		fill_page(own, memory, 'o');
		CHECK_EQ(memory[SIZE - 1], 'o');
		pass_on();
	}
	wait_prepared(&gate);
	ready();
	wait_go();
	if (disturbed()) {
		close(late);
		late = make(O_NONBLOCK);
		begin(late, UFFD_FEATURE_SIGBUS);
	}
	CHECK_EQ(features_of(fd), wanted | 1u << 31);
	CHECK_EQ(features_of(late), 1u << 31);
	CHECK_EQ(features_of(fresh), 0);
	CHECK_EQ(fcntl(late, F_GETFL) & O_NONBLOCK, 0);
	CHECK_EQ(fcntl(fresh, F_GETFL), flags);
	CHECK_EQ(fcntl(fresh, F_GETFD), FD_CLOEXEC);
	/* Once only, and on one that has not begun. */
	CHECK_EQ(ioctl(fd, UFFDIO_API, &(struct uffdio_api){ .api = UFFD_API }), -1);
	CHECK_EQ(errno, EINVAL);
	begin(fresh, UFFD_FEATURE_SIGBUS);
	memory = map_private(SIZE);
	watch(fd, memory);
	CHECK_EQ(memory[7], 'c');
	CHECK_EQ(munmap(map_private(SIZE), SIZE), 0);
	end_of(child);
	pass();
}
