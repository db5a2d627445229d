// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind task: threads with descriptors and directories of their own (unshare(CLONE_FILES), unshare(CLONE_FS)), one that shares them
 * with another thread, one that has only one of both. An argument: all of it in a child.
 */
#include "target.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>

static pthread_barrier_t barrier, late;
static int common, both[2];

static void check_cwd(const char *end)
{
	char path[4096];
	size_t length;

	CHECK(getcwd(path, sizeof(path)));
	length = strlen(path);
	CHECK(length >= strlen(end) && strcmp(path + length - strlen(end), end) == 0);
}

/* Whether a file is open, and at which offset. */
static void check_offset(int fd, off_t offset)
{
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), offset);
}

static int mine_a, theirs_a;

/* Shares all with `first`, which has made it. */
static void *second(void *argument)
{
	(void)argument;
	pthread_barrier_wait(&barrier);
	wait_go();
	check_cwd("/inner");
	check_offset(mine_a, 3);
	CHECK(fcntl(common, F_GETFD) == -1 && errno == EBADF);
	/* One table: the other thread sees it go. */
	CHECK(close(mine_a) == 0);
	CHECK(chdir("..") == 0);
	pthread_barrier_wait(&late);
	return NULL;
}

static void *first(void *argument)
{
	pthread_t thread;

	(void)argument;
	CHECK(unshare(CLONE_FILES | CLONE_FS) == 0);
	CHECK(chdir("inner") == 0);
	umask(077);
	mine_a = open("a", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(mine_a >= 0 && write(mine_a, "abcdef", 6) == 6);
	check_offset(mine_a, 6);
	CHECK(lseek(mine_a, 3, SEEK_SET) == 3);
	CHECK(close(common) == 0);
	CHECK(pthread_create(&thread, NULL, second, NULL) == 0);
	pthread_barrier_wait(&barrier);
	wait_go();
	pthread_barrier_wait(&late);
	CHECK(fcntl(mine_a, F_GETFD) == -1 && errno == EBADF);
	CHECK_EQ(umask(0), 077);
	pthread_join(thread, NULL);
	return NULL;
}

/* Its own descriptors, and the directories of the process. One end of a pipe is only here. */
static void *third(void *argument)
{
	char byte = 0;

	(void)argument;
	CHECK(unshare(CLONE_FILES) == 0);
	theirs_a = open("/dev/null", O_RDWR);
	CHECK(close(both[1]) == 0);
	pthread_barrier_wait(&barrier);
	wait_go();
	CHECK(fcntl(theirs_a, F_GETFD) == 0);
	CHECK(fcntl(both[1], F_GETFD) == -1);
	/* The same open file as the main thread's. */
	CHECK(read(both[0], &byte, 1) == 1 && byte == 'q');
	check_offset(common, 11);
	CHECK_EQ(lseek(common, 20, SEEK_SET), 20);
	pthread_barrier_wait(&late);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[2];

	(void)argv;
	CHECK(mkdir("inner", 0700) == 0);
	umask(022);
	if (argc > 1)
		go_on_in_child();
	common = open("common", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(write(common, "hello world", 11) == 11);
	CHECK(pipe(both) == 0);
	pthread_barrier_init(&barrier, NULL, 4);
	pthread_barrier_init(&late, NULL, 4);
	CHECK(pthread_create(&threads[0], NULL, first, NULL) == 0);
	CHECK(pthread_create(&threads[1], NULL, third, NULL) == 0);
	pthread_barrier_wait(&barrier);
	CHECK(write(both[1], "q", 1) == 1);
	ready();
	if (disturbed())
		CHECK(chdir("inner") == 0);
	wait_go();
	CHECK(fcntl(both[1], F_GETFD) == 0);
	pthread_barrier_wait(&late);
	check_offset(common, 20);
	CHECK_EQ(umask(0), 022);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	/* Nobody but `first` and `second` has moved. */
	CHECK(access("inner", F_OK) == 0);
	pass();
}
