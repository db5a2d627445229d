// cflags: -O1 -static
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind ns: the init of a rootless container, with a child process, a tmpfs and namespaces of its own. With "many" it makes the container
 * itself, as root, with two ranges of ids and a child of another user; otherwise it is started in one (unshare(1)) that has one id.
 */
#include "target.h"

#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static const char users[] = "         0     100000        500\n       500     200000        500\n";
static char state[2][4096];

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void append(char *out, const char *path)
{
	size_t used = strlen(out);
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, out + used, sizeof(state[0]) - used - 1);

	CHECK(n >= 0);
	out[used + n] = 0;
	close(fd);
}

/* What must not change: maps, ids and capabilities, names, files. */
static void look(char *out)
{
	char status[4096] = "", *line, *rest = status;
	struct utsname names;
	struct stat st;
	gid_t groups[8];
	int n = getgroups(8, groups);

	append(out, "/proc/self/uid_map");
	append(out, "/proc/self/gid_map");
	append(out, "/proc/self/setgroups");
	append(status, "/proc/self/status");
	while ((line = strsep(&rest, "\n")))
		if (!strncmp(line, "Uid:", 4) || !strncmp(line, "Gid:", 4) || !strncmp(line, "Cap", 3))
			strcat(strcat(out, line), "\n");
	for (int i = 0; i < n; i++)
		sprintf(out + strlen(out), "group %u\n", groups[i]);
	CHECK(uname(&names) == 0 && stat("mnt/file", &st) == 0);
	sprintf(out + strlen(out), "%s, pid %d, %o %u:%u %ld\n", names.nodename, getpid(), st.st_mode, st.st_uid, st.st_gid,
		(long)st.st_size);
}

/* A user namespace with a pid namespace, as newuidmap(1) would make it; its init goes on. */
static void make_container(void)
{
	int made[2], mapped[2], status;
	char path[64], c;
	pid_t child;

	CHECK(pipe(made) == 0 && pipe(mapped) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child > 0) {
		close(made[1]);
		if (read(made[0], &c, 1) != 1)
			skip("no user namespace");
		sprintf(path, "/proc/%d/uid_map", child);
		write_text(path, users);
		sprintf(path, "/proc/%d/gid_map", child);
		write_text(path, users);
		CHECK(write(mapped[1], "", 1) == 1 && waitpid(child, &status, 0) == child);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS) == -1)
		_exit(0);
	CHECK(write(made[1], "", 1) == 1 && read(mapped[0], &c, 1) == 1);
	CHECK(setgroups(2, (gid_t[]){ 5, 700 }) == 0 && setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0);
	for (int i = 0; i < 2; i++) {
		close(made[i]);
		close(mapped[i]);
	}
	child = fork();
	CHECK(child >= 0);
	if (child > 0) {
		waitpid(child, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	CHECK(mount("proc", "/proc", "proc", 0, NULL) == 0);
}

int main(int argc, char **argv)
{
	bool many = argc > 1 && strcmp(argv[1], "many") == 0;
	int status;
	pid_t child;

	if (many)
		make_container();
	CHECK_EQ(getpid(), 1);
	CHECK(unshare(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET) == 0 && sethostname("rootless", 8) == 0);
	CHECK(mount("own", "mnt", "tmpfs", 0, "mode=755,uid=0") == 0);
	write_text("mnt/file", "some text");
	CHECK(setxattr("mnt/file", "user.note", "n", 1, 0) == 0);
	if (many)
		CHECK(chown("mnt/file", 501, 502) == 0);
	CHECK(chmod("mnt/file", 04751) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0 && many)
		CHECK(setgroups(0, NULL) == 0 && setresgid(502, 502, 502) == 0 && setresuid(501, 501, 501) == 0);
	look(state[0]);
	if (child > 0)
		ready();
	wait_go();
	look(state[1]);
	if (strcmp(state[0], state[1]))
		fail("was\n%s\nis\n%s", state[0], state[1]);
	if (child == 0)
		_exit(0);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	/* It still is root of all it has. */
	CHECK(sethostname("again", 5) == 0 && mount("own", "mnt", "tmpfs", 0, NULL) == 0 && umount("mnt") == 0);
	CHECK(mount("proc", "/proc", "proc", 0, NULL) == 0 && access("/proc/1/status", R_OK) == 0);
	pass();
}
