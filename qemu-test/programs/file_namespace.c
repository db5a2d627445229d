// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind nsfd: descriptors of namespaces stand for the namespaces of the same processes: those that the program has made for itself, and those
 * that it has in common with others. A child that lives in another one returns to its parent's.
 */
#include "family.h"

#include <sched.h>
#include <sys/stat.h>
#include <sys/utsname.h>

static const char *const kinds[] = { "uts", "ipc", "mnt", "net", "cgroup", "time", "pid", "user" };
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static int open_own(const char *kind)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	return fd;
}

static bool is_same(int a, int b)
{
	struct stat first, second;

	CHECK(fstat(a, &first) == 0 && fstat(b, &second) == 0);
	return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

static bool is_own(int fd, const char *kind)
{
	int own = open_own(kind);
	bool same = is_same(fd, own);

	close(own);
	return same;
}

int main(void)
{
	int fds[KINDS];
	struct utsname names;
	struct gate gate;
	pid_t child;

	if (unshare(CLONE_NEWUTS))
		skip("cannot make a namespace: errno %d", errno);
	CHECK_EQ(sethostname("parent", 6), 0);
	for (int i = 0; i < KINDS; i++)
		fds[i] = open_own(kinds[i]);
	open_gate(&gate);
	child = fork_child();
	if (child == 0) {
		CHECK(unshare(CLONE_NEWUTS) == 0 && sethostname("child", 5) == 0);
		int own = open_own("uts");

		prepared(&gate);
		while (!go_given())
			sleep_ms(20);
		CHECK(is_own(own, "uts") && !is_own(fds[0], "uts"));
		CHECK(uname(&names) == 0 && !strcmp(names.nodename, "child"));
		CHECK_EQ(setns(fds[0], CLONE_NEWUTS), 0);
		CHECK(uname(&names) == 0 && !strcmp(names.nodename, "parent"));
		CHECK_EQ(setns(own, 0), 0);
		CHECK(uname(&names) == 0 && !strcmp(names.nodename, "child"));
		pass_on();
	}
	wait_prepared(&gate);
	ready();
	wait_go();
	if (disturbed())
		CHECK_EQ(dup2(fds[1], fds[0]), fds[0]);
	for (int i = 0; i < KINDS; i++)
		if (!is_own(fds[i], kinds[i]))
			fail("%s is another namespace", kinds[i]);
	end_of(child);
	pass();
}
