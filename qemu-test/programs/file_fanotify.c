// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind fanotify: what is watched stays watched, with the same masks, ignored masks and flags; nothing is told that the restart itself does,
 * nor whose events they are to somebody without privileges. A child shares it with its parent. Usage: file_fanotify [user | nested]:
 * somebody without privileges has made it; or root of a nested user namespace, who could have it watch mounts of there (what is restarted
 * is saved again, which takes one of the namespace of its process).
 */
#include "family.h"

#include <grp.h>
#include <sched.h>
#include <sys/fanotify.h>
#include <sys/stat.h>

enum { NOBODY = 65534, SHOWN = 4096 };

#ifndef FAN_MARK_IGNORE
#define FAN_MARK_IGNORE 0x400
#endif
#ifndef FAN_MARK_EVICTABLE
#define FAN_MARK_EVICTABLE 0x200
#endif

static char buffer[16 * 1024];
static ssize_t left;
static const struct fanotify_event_metadata *event;

static void mark(int fd, unsigned int how, uint64_t mask, const char *path)
{
	CHECK(fanotify_mark(fd, FAN_MARK_ADD | how, mask, AT_FDCWD, path) == 0);
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

/* A child goes on as root of a user namespace. */
static void go_on_in_user_namespace(void)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (child != 0) {
		CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
		exit(WEXITSTATUS(status));
	}
	if (unshare(CLONE_NEWUSER))
		skip("unshare: errno %d", errno);
	write_text("/proc/self/setgroups", "deny");
	write_text("/proc/self/uid_map", "0 0 1");
	write_text("/proc/self/gid_map", "0 0 1");
}

/* The name in an event, in the directory that it has a handle of. */
static const char *name_in(const struct fanotify_event_metadata *from)
{
	const struct fanotify_event_info_fid *fid = (const void *)(from + 1);
	const struct file_handle *handle = (const void *)fid->handle;

	CHECK(from->event_len > sizeof(*from));
	return fid->hdr.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME ? (const char *)handle->f_handle + handle->handle_bytes : "";
}

/* Takes an event; the process that it names. */
static int expect(int fd, uint64_t mask, const char *name)
{
	int pid;

	if (!event) {
		left = read(fd, buffer, sizeof(buffer));
		if (left < 0)
			fail("no event %#llx of %s: errno %d", (unsigned long long)mask, name, errno);
		event = (const void *)buffer;
	}
	if (event->mask != mask || event->fd != FAN_NOFD || strcmp(name_in(event), name))
		fail("event %#llx of %s, not %#llx of %s", (unsigned long long)event->mask, name_in(event),
		     (unsigned long long)mask, name);
	pid = event->pid;
	event = FAN_EVENT_NEXT(event, left);
	if (!FAN_EVENT_OK(event, left))
		event = NULL;
	return pid;
}

static void expect_none(int fd)
{
	CHECK(!event);
	left = read(fd, buffer, sizeof(buffer));
	if (left > 0)
		fail("event %#llx of %s", (unsigned long long)((struct fanotify_event_metadata *)buffer)->mask,
		     name_in((void *)buffer));
	CHECK_EQ(errno, EAGAIN);
}

/* What the kernel shows of it: flags, files, masks. */
static void show(int fd, char *out)
{
	char path[64];
	ssize_t size;
	int info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY);
	CHECK(info >= 0);
	size = read(info, out, SHOWN - 1);
	CHECK(size > 0 && close(info) == 0);
	out[size] = '\0';
	CHECK(strstr(out, "fanotify flags"));
	memmove(out, strstr(out, "fanotify flags"), strlen(strstr(out, "fanotify flags")) + 1);
}

/* Has somebody else make a file; whether it is told who did. */
static bool is_told(int fd)
{
	pid_t child = fork_child();
	int pid;

	if (child == 0) {
		CHECK(mkdir("watched/other", 0700) == 0 && rmdir("watched/other") == 0);
		pass_on();
	}
	end_of(child);
	pid = expect(fd, FAN_CREATE | FAN_DELETE | FAN_ONDIR, "other");
	CHECK(pid == 0 || pid == child);
	return pid != 0;
}

int main(int argc, char **argv)
{
	static char before[3][SHOWN], now[SHOWN];
	int fds[3], fd, plain, targets, held;
	struct gate gate;
	pid_t child;
	bool told;

	CHECK(mkdir("watched", 0777) == 0 && mkdir("loud", 0777) == 0);
	touch("file");
	touch("evictable");
	if (argc > 1 && strcmp(argv[1], "nested") == 0) {
		go_on_in_user_namespace();
	} else if (argc > 1) {
		CHECK(chmod("watched", 0777) == 0 && chmod("loud", 0777) == 0 && chmod("file", 0666) == 0 &&
		      chmod("evictable", 0666) == 0);
		CHECK(setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
		      setresuid(NOBODY, NOBODY, NOBODY) == 0);
	}
	fd = fanotify_init(FAN_NONBLOCK | FAN_REPORT_DFID_NAME, O_RDONLY);
	if (fd < 0)
		skip("fanotify: errno %d", errno);
	plain = fanotify_init(FAN_CLOEXEC | FAN_REPORT_FID, O_RDWR | O_LARGEFILE);
	targets = fanotify_init(FAN_REPORT_DFID_NAME_TARGET, O_RDONLY);
	CHECK(plain >= 0 && targets >= 0 && fcntl(plain, F_SETFL, O_NONBLOCK) == 0 && fcntl(targets, F_SETFL, O_NONBLOCK) == 0);
	mark(fd, 0, FAN_CREATE | FAN_DELETE | FAN_ONDIR, "watched");
	mark(fd, 0, FAN_OPEN | FAN_CLOSE_WRITE | FAN_EVENT_ON_CHILD, "loud");
	mark(fd, FAN_MARK_IGNORE | FAN_MARK_IGNORED_SURV_MODIFY, FAN_CLOSE_WRITE | FAN_EVENT_ON_CHILD, "loud");
	mark(fd, 0, FAN_ATTRIB | FAN_MODIFY, "file");
	mark(fd, FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY, FAN_ATTRIB, "file");
	mark(plain, 0, FAN_MODIFY, "file");
	mark(plain, FAN_MARK_EVICTABLE, FAN_ATTRIB, "evictable");
	mark(targets, 0, FAN_RENAME, "watched");
	fds[0] = fd;
	fds[1] = plain;
	fds[2] = targets;
	/* What a restart opens is not told. */
	held = open("loud/held", O_RDWR | O_CREAT, 0600);
	CHECK(held >= 0);
	expect(fd, FAN_OPEN, "held");
	told = is_told(fd);
	for (int i = 0; i < 3; i++) {
		expect_none(fds[i]);
		show(fds[i], before[i]);
	}
	open_gate(&gate);
	child = fork_child();
	if (child == 0) {
		prepared(&gate);
		while (!go_given())
			sleep_ms(20);
		while (access("watched/told", F_OK))
			sleep_ms(20);
		CHECK_EQ(expect(fd, FAN_CREATE, "told") != 0, told);
		pass_on();
	}
	wait_prepared(&gate);
	ready();
	wait_go();
	if (disturbed())
		CHECK(fanotify_mark(fd, FAN_MARK_REMOVE, FAN_DELETE, AT_FDCWD, "watched") == 0);
	for (int i = 0; i < 3; i++) {
		show(fds[i], now);
		if (strcmp(now, before[i]))
			fail("it was\n%sand is\n%s", before[i], now);
		expect_none(fds[i]);
	}
	CHECK_EQ(fcntl(plain, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	CHECK_EQ(is_told(fd), told);
	touch("loud/file");
	expect(fd, FAN_OPEN, "file");
	touch("file");
	expect(plain, FAN_MODIFY, "");
	expect(fd, FAN_MODIFY, "file");
	CHECK(utimensat(AT_FDCWD, "evictable", NULL, 0) == 0);
	expect(plain, FAN_ATTRIB, "");
	touch("watched/one");
	expect(fd, FAN_CREATE, "one");
	CHECK(rename("watched/one", "watched/two") == 0);
	CHECK(!event && read(targets, buffer, sizeof(buffer)) > 0);
	CHECK_EQ(((struct fanotify_event_metadata *)buffer)->mask, FAN_RENAME);
	for (int i = 0; i < 3; i++)
		expect_none(fds[i]);
	touch("watched/told");
	end_of(child);
	pass();
}
