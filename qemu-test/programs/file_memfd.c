// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind file: memfds keep name, content, holes, size, mode, seals, offsets and flags of each open file; mappings of several
 * processes stay of one memory.
 */
#include "family.h"

#include <sys/stat.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#define MFD_EXEC 0x10U
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif

#define SIZE (64UL << 20)

enum { FULL, SEALED, NOEXEC, PLAIN, KINDS };

static const int seals[KINDS] = {
	[FULL] = 0,
	[SEALED] = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE,
	[NOEXEC] = F_SEAL_EXEC | F_SEAL_FUTURE_WRITE,
	[PLAIN] = F_SEAL_SEAL,
};

static const char *const name[KINDS] = { "full", "a name (deleted)", "", "plain/with a slash" };

static mode_t mode_of(int fd)
{
	struct stat status;

	CHECK(fstat(fd, &status) == 0);
	return status.st_mode;
}

int main(void)
{
	const unsigned flags[KINDS] = {
		[FULL] = MFD_ALLOW_SEALING,
		[SEALED] = MFD_ALLOW_SEALING | MFD_EXEC,
		[NOEXEC] = MFD_NOEXEC_SEAL,
		[PLAIN] = 0,
	};
	char path[64], link[300], want[300], page[PAGE], *shared, *other, *sealed, *private;
	int fds[KINDS], reader, closed;
	struct stat before;
	mode_t modes[KINDS];
	struct gate gate;
	pid_t child;

	for (int i = 0; i < KINDS; i++) {
		fds[i] = memfd_create(name[i], flags[i]);
		CHECK(fds[i] >= 0);
		CHECK_EQ(write(fds[i], name[i], strlen(name[i]) + 1), strlen(name[i]) + 1);
		if (seals[i] & ~(F_SEAL_SEAL | F_SEAL_EXEC) && i != NOEXEC)
			CHECK(fcntl(fds[i], F_ADD_SEALS, seals[i]) == 0);
	}
	CHECK(fchmod(fds[FULL], 0640) == 0);
	CHECK(fcntl(fds[NOEXEC], F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0);
	for (int i = 0; i < KINDS; i++) {
		CHECK_EQ(fcntl(fds[i], F_GET_SEALS), seals[i]);
		modes[i] = mode_of(fds[i]);
	}
	CHECK(ftruncate(fds[FULL], SIZE + 100) == 0);
	shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fds[FULL], 0);
	fill(shared + (20 << 20), 3 * PAGE, 20);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[FULL]);
	reader = open(path, O_RDONLY);
	CHECK_EQ(lseek(reader, 777, SEEK_SET), 777);
	CHECK_EQ(lseek(fds[FULL], 888, SEEK_SET), 888);
	sealed = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fds[SEALED], 0);
	private = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fds[SEALED], 0);
	CHECK(sealed != MAP_FAILED && private != MAP_FAILED);
	private[1] = '!';
	/* Memory of which there is no descriptor any more. */
	closed = memfd_create("closed", 0);
	CHECK(ftruncate(closed, 2 * PAGE) == 0);
	other = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, closed, 0);
	close(closed);
	strcpy(other + PAGE, "closed");
	CHECK(fstat(fds[FULL], &before) == 0);
	child = fork_waiting(&gate);
	if (child == 0) {
		CHECK_EQ(shared[9], 99);
		shared[10] = 100;
		CHECK(strcmp(other + PAGE, "closed") == 0);
		strcpy(other + PAGE, "child");
		pass_on();
	}
	ready();
	if (disturbed())
		shared[20 << 20]++;
	wait_go();
	for (int i = 0; i < KINDS; i++) {
		ssize_t length;

		CHECK_EQ(fcntl(fds[i], F_GET_SEALS), seals[i]);
		CHECK_EQ(mode_of(fds[i]), modes[i]);
		CHECK_EQ(pread(fds[i], page, PAGE, 0) > (ssize_t)strlen(name[i]), 1);
		CHECK(strcmp(page, name[i]) == 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[i]);
		length = readlink(path, link, sizeof(link) - 1);
		CHECK(length > 0);
		link[length] = 0;
		snprintf(want, sizeof(want), "/memfd:%s (deleted)", name[i]);
		CHECK(strcmp(link, want) == 0);
	}
	CHECK_EQ(lseek(reader, 0, SEEK_CUR), 777);
	CHECK_EQ(lseek(fds[FULL], 0, SEEK_CUR), 888);
	CHECK_EQ(fcntl(reader, F_GETFL) & O_ACCMODE, O_RDONLY);
	CHECK_EQ(lseek(reader, 0, SEEK_END), SIZE + 100);
	CHECK_EQ(fstat(fds[FULL], &before), 0);
	CHECK(before.st_blocks * 512 < 8 << 20);
	CHECK_FILLED(shared + (20 << 20), 3 * PAGE, 20);
	CHECK(strcmp(sealed, name[SEALED]) == 0 && private[1] == '!');
	CHECK_EQ(write(fds[SEALED], "x", 1), -1);
	CHECK_EQ(errno, EPERM);
	CHECK(mprotect(sealed, PAGE, PROT_READ | PROT_WRITE) == -1);
	CHECK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fds[NOEXEC], 0) == MAP_FAILED);
	CHECK(fchmod(fds[NOEXEC], 0777) == -1);
	shared[9] = 99;
	CHECK_EQ(pread(reader, page, 10, 0), 10);
	CHECK_EQ(page[9], 99);
	go_on(&gate);
	end_of(child);
	CHECK_EQ(shared[10], 100);
	CHECK(strcmp(other + PAGE, "child") == 0);
	CHECK_EQ(fcntl(fds[FULL], F_ADD_SEALS, F_SEAL_SHRINK), 0);
	pass();
}
