// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind file: locks of fcntl(2), of a process (F_SETLK) and of an open file (F_OFD_SETLK), on files with and without a name, with type
 * and range; a process that shares the descriptor table has them too, one that was forked does not; who waits for one gets it when it
 * is released, not before. Usage: file_locks [MANY]
 */
#include "target.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

static struct shared {
	volatile bool released;
	volatile bool asked, answered;
} *shared;

static int set(int fd, int command, short type, off_t start, off_t length)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };

	return fcntl(fd, command, &lock);
}

/* What keeps somebody else from a lock for writing at this byte. */
static struct flock seen(int fd, int command, off_t at)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };

	CHECK(fcntl(fd, command, &lock) == 0);
	return lock;
}

#define CHECK_LOCK(lock, type, start, length, pid)   \
	do {                                         \
		struct flock lock_ = lock;           \
		CHECK_EQ(lock_.l_type, type);        \
		CHECK_EQ(lock_.l_start, start);      \
		CHECK_EQ(lock_.l_len, length);       \
		CHECK_EQ(lock_.l_pid, pid);          \
	} while (0)

static pid_t waiter(const char *name, int command)
{
	pid_t child = fork();
	char path[64], text[16];
	int fd;

	CHECK(child >= 0);
	if (child == 0) {
		CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
		fd = open(name, O_RDWR);
		CHECK(set(fd, command, F_WRLCK, 7, 1) == 0);
		CHECK(shared->released);
		_exit(0);
	}
	/* Until it waits. */
	snprintf(path, sizeof(path), "/proc/%d/syscall", child);
	do {
		sleep_ms(5);
		fd = open(path, O_RDONLY);
		CHECK(fd >= 0 && read(fd, text, sizeof(text)) > 3 && close(fd) == 0);
	} while (strncmp(text, "72 ", 3) != 0);
	return child;
}

/* It has the same descriptors, and the same locks. */
static int sharer(void *argument)
{
	int fd = *(int *)argument;

	while (!shared->asked)
		sleep_ms(10);
	CHECK_EQ(seen(fd, F_GETLK, 7).l_type, F_UNLCK);
	CHECK_EQ(seen(fd, F_GETLK, 200).l_type, F_UNLCK);
	shared->answered = true;
	_exit(0);
}

static void wait_good(pid_t child)
{
	int status;

	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
}

int main(int argc, char **argv)
{
	int fd = open("locks", O_RDWR | O_CREAT, 0600), again = open("locks", O_RDONLY), ofd = open("ofd", O_RDWR | O_CREAT, 0600);
	int gone = open("gone", O_RDWR | O_CREAT, 0600), directory = open(".", O_RDONLY | O_DIRECTORY), other;
	int many = argc > 1 ? atoi(argv[1]) : 300;
	pid_t children[4], self = getpid(), child;

	shared = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
	CHECK(set(fd, F_SETLK, F_WRLCK, 5, 10) == 0 && set(fd, F_SETLK, F_RDLCK, 100, 0) == 0);
	CHECK(set(again, F_SETLK, F_RDLCK, 60, 1) == 0);
	for (int i = 0; i < many; i++)
		CHECK(set(fd, F_SETLK, F_WRLCK, 1000000 + 2 * i, 1) == 0);
	CHECK(set(ofd, F_OFD_SETLK, F_WRLCK, 0, 50) == 0 && set(ofd, F_OFD_SETLK, F_RDLCK, 50, 5) == 0);
	CHECK(set(gone, F_SETLK, F_WRLCK, 0, 0) == 0 && set(gone, F_OFD_SETLK, F_WRLCK, 1, 1) == -1);
	CHECK(unlink("gone") == 0);
	CHECK(set(directory, F_OFD_SETLK, F_RDLCK, 3, 4) == 0);
	children[0] = waiter("locks", F_SETLKW);
	children[1] = waiter("ofd", F_OFD_SETLKW);
	children[2] = waiter("ofd", F_SETLKW);
	children[3] = clone(sharer, (char *)map_private(16 * PAGE) + 16 * PAGE, CLONE_FILES | SIGCHLD, &fd);
	CHECK(children[3] > 0);
	/* The open file is another process's, too: with its lock, which is that one's as well. */
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
		wait_go();
		CHECK(set(ofd, F_OFD_SETLK, F_WRLCK, 0, 10) == 0);
		_exit(0);
	}
	ready();
	if (disturbed())
		CHECK(set(fd, F_SETLK, F_UNLCK, 200, 1) == 0);
	wait_go();
	shared->asked = true;
	while (!shared->answered)
		sleep_ms(10);
	wait_good(child);
	wait_good(children[3]);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		CHECK_LOCK(seen(fd, F_GETLK, 7), F_WRLCK, 5, 10, self);
		CHECK_LOCK(seen(fd, F_GETLK, 60), F_RDLCK, 60, 1, self);
		CHECK_LOCK(seen(fd, F_GETLK, 900000), F_RDLCK, 100, 999900, self);
		CHECK_LOCK(seen(fd, F_GETLK, 1000000), F_WRLCK, 1000000, 1, self);
		CHECK_LOCK(seen(fd, F_GETLK, 999999 + 2 * many), F_RDLCK, 999999 + 2 * many, 0, self);
		CHECK_EQ(seen(fd, F_GETLK, 20).l_type, F_UNLCK);
		CHECK_LOCK(seen(gone, F_GETLK, 200), F_WRLCK, 0, 0, self);
		other = open("ofd", O_RDWR);
		CHECK_LOCK(seen(other, F_GETLK, 7), F_WRLCK, 0, 50, -1);
		CHECK_LOCK(seen(other, F_OFD_GETLK, 52), F_RDLCK, 50, 5, -1);
		other = open(".", O_RDONLY | O_DIRECTORY);
		CHECK_LOCK(seen(other, F_OFD_GETLK, 4), F_RDLCK, 3, 4, -1);
		_exit(0);
	}
	wait_good(child);
	for (int i = 0; i < 3; i++)
		CHECK(waitpid(children[i], NULL, WNOHANG) == 0);
	shared->released = true;
	CHECK(set(fd, F_SETLK, F_UNLCK, 0, 0) == 0 && set(ofd, F_OFD_SETLK, F_UNLCK, 0, 0) == 0);
	for (int i = 0; i < 3; i++)
		wait_good(children[i]);
	pass();
}
