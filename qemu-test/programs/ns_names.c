// cflags: -O1 -static -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind ns: a uts and an ipc namespace of its own, which one thread shares; another thread has a uts namespace of its own.
 */
#include "target.h"

#include <pthread.h>
#include <sched.h>
#include <sys/utsname.h>

static const char *const limits[][2] = {
	{ "/proc/sys/kernel/shmmax", "1234567" }, { "/proc/sys/kernel/shmall", "7654" },
	{ "/proc/sys/kernel/shmmni", "123" },	  { "/proc/sys/kernel/shm_rmid_forced", "1" },
	{ "/proc/sys/kernel/msgmax", "12345" },	  { "/proc/sys/kernel/msgmnb", "54321" },
	{ "/proc/sys/kernel/msgmni", "77" },	  { "/proc/sys/kernel/sem", "100\t2000\t50\t66" },
	{ "/proc/sys/fs/mqueue/queues_max", "9" }, { "/proc/sys/fs/mqueue/msg_max", "20" },
	{ "/proc/sys/fs/mqueue/msgsize_max", "4096" }, { "/proc/sys/fs/mqueue/msg_default", "5" },
	{ "/proc/sys/fs/mqueue/msgsize_default", "512" },
};

static pthread_barrier_t made, checked;

static void expect_names(const char *who, const char *node, const char *domain)
{
	struct utsname now;

	CHECK(uname(&now) == 0);
	if (strcmp(now.nodename, node) || strcmp(now.domainname, domain))
		fail("%s: host %s, domain %s", who, now.nodename, now.domainname);
}

static void *shares(void *unused)
{
	pthread_barrier_wait(&made);
	pthread_barrier_wait(&checked);
	expect_names("the thread that shares", "inside", "a.domain");
	return NULL;
}

static void *has_own(void *unused)
{
	CHECK(unshare(CLONE_NEWUTS) == 0);
	CHECK(sethostname("thread", 6) == 0);
	pthread_barrier_wait(&made);
	pthread_barrier_wait(&checked);
	expect_names("the thread with its own", "thread", "a.domain");
	return NULL;
}

int main(void)
{
	pthread_t threads[2];
	char text[64];

	if (unshare(CLONE_NEWUTS | CLONE_NEWIPC) == -1)
		skip("unshare: errno %d", errno);
	CHECK(sethostname("a-longer-name-before", 20) == 0 && sethostname("inside", 6) == 0);
	CHECK(setdomainname("a.domain", 8) == 0);
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		int fd = open(limits[i][0], O_WRONLY);

		if (fd < 0 || write(fd, limits[i][1], strlen(limits[i][1])) < 0)
			fail("%s: errno %d", limits[i][0], errno);
		close(fd);
	}
	CHECK(pthread_barrier_init(&made, NULL, 3) == 0 && pthread_barrier_init(&checked, NULL, 3) == 0);
	CHECK(pthread_create(&threads[0], NULL, shares, NULL) == 0);
	CHECK(pthread_create(&threads[1], NULL, has_own, NULL) == 0);
	pthread_barrier_wait(&made);
	ready();
	if (disturbed())
		CHECK(sethostname("other", 5) == 0);
	wait_go();
	pthread_barrier_wait(&checked);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	expect_names("the main thread", "inside", "a.domain");
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		int fd = open(limits[i][0], O_RDONLY);
		ssize_t n = read(fd, text, sizeof(text) - 1);

		close(fd);
		text[n > 0 ? n - 1 : 0] = 0;
		if (strcmp(text, limits[i][1]))
			fail("%s is %s", limits[i][0], text);
	}
	pass();
}
