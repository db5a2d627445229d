// cflags: -O1 -static -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind ns: user namespaces below that of the first process. One with namespaces of every kind and a thread, another below it with ids of
 * its own, and one beside them that owns a pid and a time namespace, which only its child lives in. As for rights: root in one of them is
 * root there only.
 */
#include "target.h"

#include <linux/nsfs.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

enum { OWNER, BELOW, BESIDE, PEOPLE, MEMORY = 100 };

static struct {
	_Atomic int ready[PEOPLE], checked[PEOPLE];
} *shared;

static char texts[PEOPLE][4][128];

static void take(const char *path, char *out)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, out, 127);

	if (n < 0)
		fail("%s: errno %d", path, errno);
	out[n] = 0;
	close(fd);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail("%s: errno %d", path, errno);
	close(fd);
}

static void map_ids(unsigned int inside, unsigned int uid, unsigned int gid)
{
	char text[64];

	put("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "%u %u 1", inside, uid);
	put("/proc/self/uid_map", text);
	snprintf(text, sizeof(text), "%u %u 1", inside, gid);
	put("/proc/self/gid_map", text);
}

/* What a process can say of its user namespace. */
static void look(char out[4][128])
{
	take("/proc/self/uid_map", out[0]);
	take("/proc/self/gid_map", out[1]);
	take("/proc/self/setgroups", out[2]);
	snprintf(out[3], 128, "%u %u %u %u", getuid(), geteuid(), getgid(), getegid());
}

static void caps(uint64_t *effective)
{
	uint32_t header[2] = { 0x20080522, 0 }, data[6];

	CHECK(syscall(SYS_capget, header, data) == 0);
	*effective = data[0] | (uint64_t)data[3] << 32;
}

static void wait_for(_Atomic int *words)
{
	for (int i = 0; i < PEOPLE; i++)
		while (!words[i])
			sleep_ms(5);
}

/* Stays until all have been told to go on, and finds itself as it was. */
static void stay(int who, uint64_t wanted)
{
	char now[4][128];
	uint64_t effective;

	look(texts[who]);
	caps(&effective);
	CHECK_EQ(effective & wanted, wanted);
	shared->ready[who] = 1;
	wait_go();
	look(now);
	for (int i = 0; i < 4; i++)
		if (strcmp(now[i], texts[who][i]))
			fail("%d: %s is %s", who, texts[who][i], now[i]);
	caps(&wanted);
	CHECK_EQ(wanted, effective);
}

/* The user namespace that a namespace of this process belongs to is its own. */
static void expect_owned(const char *kind)
{
	struct stat found, wanted;
	char path[64];
	int ns, owner;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	ns = open(path, O_RDONLY);
	owner = ns < 0 ? -1 : ioctl(ns, NS_GET_USERNS);
	if (owner < 0)
		fail("owner of the %s namespace: errno %d", kind, errno);
	CHECK(fstat(owner, &found) == 0 && stat("/proc/self/ns/user", &wanted) == 0);
	CHECK_EQ(found.st_ino, wanted.st_ino);
	close(owner);
	close(ns);
}

static void *thread(void *unused)
{
	wait_go();
	/* All threads live in one user namespace. */
	CHECK(sethostname("by-thread", 9) == 0);
	return NULL;
}

static void below(void)
{
	CHECK(unshare(CLONE_NEWUSER) == 0);
	map_ids(1234, 0, 0);
	stay(BELOW, ~0ULL >> 23);
	CHECK(sethostname("x", 1) == -1 && errno == EPERM);
	/* What was made above it stays that one's. */
	CHECK(mount("x", "mnt", "tmpfs", 0, NULL) == -1 && errno == EPERM);
	shared->checked[BELOW] = 1;
	_exit(0);
}

static const char *const kinds[] = { "uts", "ipc", "mnt", "net", "cgroup", "time" };

static void owner(unsigned int uid, unsigned int gid)
{
	char program[4096] = "";

	CHECK(unshare(CLONE_NEWUSER) == 0);
	map_ids(0, uid, gid);
	CHECK(unshare(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_NEWTIME) == 0);
	/* Its program is to be a file of the new mounts; it lives in the time namespace from then on. */
	CHECK(readlink("/proc/self/exe", program, sizeof(program) - 1) > 0);
	execl(program, "ns_nested", "owner", NULL);
	fail("execl: errno %d", errno);
}

static void owner_main(void)
{
	struct utsname names;
	struct stat st;
	pthread_t t;
	pid_t child;
	int status;

	CHECK(sethostname("nested", 6) == 0);
	CHECK(mount("nested", "mnt", "tmpfs", 0, "mode=0700") == 0);
	CHECK(mkdir("mnt/dir", 0751) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0)
		below();
	CHECK(pthread_create(&t, NULL, thread, NULL) == 0);
	if (disturbed())
		CHECK(unshare(CLONE_NEWUTS) == 0);
	stay(OWNER, ~0ULL >> 23);
	CHECK(pthread_join(t, NULL) == 0);
	CHECK(uname(&names) == 0 && strcmp(names.nodename, "by-thread") == 0);
	CHECK(stat("mnt/dir", &st) == 0 && st.st_uid == 0 && (st.st_mode & 0777) == 0751);
	CHECK(mount("x", "mnt/dir", "tmpfs", 0, NULL) == 0);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		expect_owned(kinds[i]);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	shared->checked[OWNER] = 1;
	_exit(0);
}

static void beside(unsigned int uid, unsigned int gid)
{
	struct utsname names;
	pid_t child;
	int status;

	CHECK(unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWTIME) == 0);
	map_ids(7, uid, gid);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		stay(BESIDE, 0);
		CHECK_EQ(getpid(), 1);
		CHECK(uname(&names) == 0 && strcmp(names.nodename, "nested") != 0);
		CHECK(sethostname("x", 1) == -1 && errno == EPERM);
		expect_owned("time");
		shared->checked[BESIDE] = 1;
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	/* Which is for its children only. */
	expect_owned("time_for_children");
	_exit(0);
}

int main(int argc, char **argv)
{
	unsigned int uid = getuid(), gid = getgid();
	char map_of_first[128];
	pid_t children[2];
	int status;

	if (argc < 2) {
		int fd = memfd_create("shared", 0);

		CHECK(fd >= 0 && ftruncate(fd, 4096) == 0 && dup2(fd, MEMORY) == MEMORY);
		close(fd);
	}
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, MEMORY, 0);
	CHECK(shared != MAP_FAILED);
	if (argc > 1)
		owner_main();
	if (mkdir("mnt", 0755) == -1 && errno != EEXIST)
		fail("mkdir: errno %d", errno);
	take("/proc/self/uid_map", map_of_first);
	for (int i = 0; i < 2; i++) {
		children[i] = fork();
		CHECK(children[i] >= 0);
		if (children[i] == 0)
			(i ? beside : owner)(uid, gid);
	}
	wait_for(shared->ready);
	ready();
	wait_go();
	take("/proc/self/uid_map", texts[0][0]);
	CHECK(strcmp(texts[0][0], map_of_first) == 0);
	for (int i = 0; i < 2; i++) {
		CHECK(waitpid(children[i], &status, 0) == children[i]);
		CHECK_EQ(status, 0);
	}
	wait_for(shared->checked);
	pass();
}
