// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind inotify: what is watched stays watched, by the same numbers and masks; events that nobody has read are told once, in their order, and
 * nothing that the restart itself does. A child shares an inotify with its parent. Usage: file_inotify [few]: of which none was lost.
 */
#include "family.h"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>

enum { MANY = 40 };

static char buffer[64 * 1024];
static size_t filled, taken;

static int watch(int fd, const char *path, uint32_t mask)
{
	int wd = inotify_add_watch(fd, path, mask);

	CHECK(wd > 0);
	return wd;
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
}

/* The next event, in any number of reads; NULL when there is none. */
static const struct inotify_event *next(int fd)
{
	const struct inotify_event *event;

	if (taken == filled) {
		ssize_t n = read(fd, buffer, sizeof(buffer));

		if (n < 0) {
			CHECK_EQ(errno, EAGAIN);
			return NULL;
		}
		filled = n;
		taken = 0;
	}
	event = (const struct inotify_event *)(buffer + taken);
	taken += sizeof(*event) + event->len;
	CHECK(taken <= filled);
	return event;
}

static uint32_t expect(int fd, int wd, uint32_t mask, const char *name)
{
	const struct inotify_event *event = next(fd);

	if (!event)
		fail("no event %#x of watch %d", mask, wd);
	if (event->wd != wd || event->mask != mask || strcmp(event->len ? event->name : "", name))
		fail("event %#x of watch %d, name %s, not %#x of %d, %s", event->mask, event->wd,
		     event->len ? event->name : "", mask, wd, name);
	return event->cookie;
}

static void expect_none(int fd)
{
	const struct inotify_event *event = next(fd);

	if (event)
		fail("event %#x of watch %d", event->mask, event->wd);
}

int main(int argc, char **argv)
{
	int fd, quiet, full, removed, directory, file, first, once, link, excluded, held, wds[MANY];
	uint32_t cookie;
	struct gate gate;
	pid_t child;
	char name[64];

	fd = inotify_init1(IN_NONBLOCK);
	quiet = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	full = inotify_init1(IN_NONBLOCK);
	CHECK(fd >= 0 && quiet >= 0 && full >= 0);
	CHECK(mkdir("watched", 0700) == 0 && mkdir("other", 0700) == 0 && mkdir("full", 0700) == 0 && mkdir("held", 0700) == 0);
	touch("one");
	touch("two");
	touch("removed");
	CHECK(symlink("one", "link") == 0);
	directory = watch(fd, "watched", IN_CREATE | IN_DELETE | IN_MOVE | IN_ONLYDIR);
	removed = watch(fd, "removed", IN_ALL_EVENTS);
	file = watch(fd, "one", IN_ALL_EVENTS);
	/* What a restart opens must not end it. */
	held = open("held/file", O_RDWR | O_CREAT, 0600);
	CHECK(held >= 0);
	first = watch(fd, "held", IN_ALL_EVENTS | IN_ONESHOT);
	link = watch(fd, "link", IN_ATTRIB | IN_DONT_FOLLOW);
	excluded = watch(fd, "other", IN_MODIFY | IN_EXCL_UNLINK);
	/* Gaps in the numbers stay gaps. */
	CHECK_EQ(inotify_rm_watch(fd, link), 0);
	expect(fd, link, IN_IGNORED, "");
	link = watch(fd, "link", IN_ATTRIB | IN_DONT_FOLLOW);
	CHECK_EQ(link, 7);
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "watched/%d", i);
		CHECK_EQ(mkdir(name, 0700), 0);
		wds[i] = watch(quiet, name, IN_CREATE);
		expect(fd, directory, IN_CREATE | IN_ISDIR, name + 8);
	}
	/* Not read yet. */
	touch("watched/a file with a name");
	CHECK_EQ(rename("watched/a file with a name", "watched/new"), 0);
	touch("one");
	/* Ends the watch. */
	CHECK_EQ(unlink("removed"), 0);
	/* More than is kept. */
	watch(full, "full", IN_CREATE | IN_DELETE);
	for (int i = 0; i < (argc > 1 ? 2 : 9000); i++) {
		int made = open("full/x", O_WRONLY | O_CREAT, 0600);

		CHECK(made >= 0 && close(made) == 0 && unlink("full/x") == 0);
	}
	once = watch(fd, "two", IN_ATTRIB | IN_ONESHOT);
	open_gate(&gate);
	child = fork_child();
	if (child == 0) {
		prepared(&gate);
		while (!go_given())
			sleep_ms(20);
		while (access("told", F_OK))
			sleep_ms(20);
		CHECK_EQ(mkdir("watched/0/by_child", 0700), 0);
		expect(quiet, wds[0], IN_CREATE | IN_ISDIR, "by_child");
		pass_on();
	}
	wait_prepared(&gate);
	ready();
	wait_go();
	if (disturbed())
		CHECK_EQ(inotify_rm_watch(fd, directory), 0);
	expect(fd, directory, IN_CREATE, "a file with a name");
	cookie = expect(fd, directory, IN_MOVED_FROM, "a file with a name");
	CHECK(cookie != 0);
	CHECK_EQ(expect(fd, directory, IN_MOVED_TO, "new"), cookie);
	expect(fd, file, IN_OPEN, "");
	expect(fd, file, IN_MODIFY, "");
	expect(fd, file, IN_CLOSE_WRITE, "");
	expect(fd, removed, IN_ATTRIB, "");
	expect(fd, removed, IN_DELETE_SELF, "");
	expect(fd, removed, IN_IGNORED, "");
	expect_none(fd);
	expect_none(quiet);
	/* New ones. */
	touch("watched/last");
	expect(fd, directory, IN_CREATE, "last");
	touch("one");
	expect(fd, file, IN_OPEN, "");
	expect(fd, file, IN_MODIFY, "");
	expect(fd, file, IN_CLOSE_WRITE, "");
	CHECK_EQ(write(held, "xy", 2), 2);
	expect(fd, first, IN_MODIFY, "file");
	expect(fd, first, IN_IGNORED, "");
	touch("other/file");
	expect(fd, excluded, IN_MODIFY, "file");
	CHECK_EQ(fchmodat(AT_FDCWD, "two", 0640, 0), 0);
	expect(fd, once, IN_ATTRIB, "");
	expect(fd, once, IN_IGNORED, "");
	CHECK_EQ(fchmodat(AT_FDCWD, "two", 0600, 0), 0);
	expect_none(fd);
	CHECK_EQ(rename("link", "renamed"), 0);
	CHECK_EQ(fchownat(AT_FDCWD, "renamed", getuid(), getgid(), AT_SYMLINK_NOFOLLOW), 0);
	expect(fd, link, IN_ATTRIB, "");
	/* The number that comes next. */
	CHECK_EQ(watch(fd, "full", IN_CREATE), once + 1);
	for (int i = 0; i < (argc > 1 ? 4 : 16384); i++)
		expect(full, 1, i % 2 ? IN_DELETE : IN_CREATE, "x");
	if (argc == 1)
		expect(full, -1, IN_Q_OVERFLOW, "");
	expect_none(full);
	touch("told");
	end_of(child);
	pass();
}
