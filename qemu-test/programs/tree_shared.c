/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind tree: what processes share that are no threads of each other. One child process each shares descriptors, directories,
 * memory, memory and signal handlers, or only what fork(2) leaves shared: open files with their offset, and shared memory.
 */
#include "family.h"

#include <linux/kcmp.h>
#include <sched.h>
#include <sys/stat.h>

#define STACK 65536

enum { FILES, FS, MEMORY, HANDLERS, FORKED, CHILDREN };

static const int flags[CHILDREN] = {
	[FILES] = CLONE_FILES,
	[FS] = CLONE_FS,
	[MEMORY] = CLONE_VM,
	[HANDLERS] = CLONE_VM | CLONE_SIGHAND,
	[FORKED] = 0,
};

/* What a child of each kind has in common with the root, of what kcmp(2) compares. */
static const struct {
	int type, flag;
	const char *name;
} compared[] = {
	{ KCMP_VM, CLONE_VM, "memory" },
	{ KCMP_FILES, CLONE_FILES, "descriptors" },
	{ KCMP_FS, CLONE_FS, "directories" },
	{ KCMP_SIGHAND, CLONE_SIGHAND, "handlers" },
};

struct shared {
	volatile uint64_t counter;
	volatile int stop;
};

static struct shared *shared;
static volatile int stop_sharers;
static pid_t root;

/* One that shares memory shares also errno and all else of the C library: it does without. */
static long raw(long number, long a, long b, long c)
{
	long result;

	asm volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

static int share_memory(void *argument)
{
	struct timespec ts = { 0, 10000000 };

	raw(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0);
	while (!stop_sharers)
		raw(SYS_nanosleep, (long)&ts, 0, 0);
	raw(SYS_exit_group, RIGHT, 0, 0);
	__builtin_unreachable();
}

static int share_other(void *argument)
{
	int kind = *(int *)argument;

	CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
	while (!shared->stop) {
		if (kind == FORKED)
			shared->counter++;
		sleep_ms(10);
	}
	if (kind == FORKED) {
		char byte;

		/* Of the open file that the root has as well. */
		CHECK_EQ(read(100, &byte, 1), 1);
		CHECK_EQ(byte, 'c');
	}
	if (kind == FILES)
		CHECK_EQ(dup2(100, 101), 101);
	if (kind == FS) {
		umask(0123);
		CHECK(chdir("/proc") == 0);
	}
	pass_on();
}

static long kcmp(pid_t a, pid_t b, int type, long x, long y)
{
	return syscall(SYS_kcmp, a, b, type, x, y);
}

static void compare(const pid_t *children)
{
	for (int kind = 0; kind < CHILDREN; kind++) {
		for (size_t i = 0; i < sizeof(compared) / sizeof(compared[0]); i++) {
			bool want = flags[kind] & compared[i].flag;
			long result = kcmp(root, children[kind], compared[i].type, 0, 0);

			CHECK(result >= 0);
			if ((result == 0) != want)
				fail("child %d: %s shared: %d", kind, compared[i].name, !want);
		}
		/* The open file is one in all of them. */
		CHECK_EQ(kcmp(root, children[kind], KCMP_FILE, 100, 100), 0);
	}
}

int main(void)
{
	static int kinds[CHILDREN] = { 0, 1, 2, 3, 4 };
	pid_t children[CHILDREN];
	uint64_t counted;
	char byte, path[64];
	int fd;

	root = getpid();
	if (kcmp(root, root, KCMP_VM, 0, 0) != 0)
		skip("no kcmp(2)");
	shared = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
	snprintf(path, sizeof(path), "shared.%d", root);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "abcdef", 6), 6);
	CHECK_EQ(lseek(fd, 1, SEEK_SET), 1);
	CHECK_EQ(dup2(fd, 100), 100);
	close(fd);
	for (int kind = 0; kind < CHILDREN; kind++) {
		char *stack = map_private(STACK);
		int (*run)(void *) = flags[kind] & CLONE_VM ? share_memory : share_other;

		children[kind] = clone(run, stack + STACK, flags[kind] | SIGCHLD, &kinds[kind]);
		CHECK(children[kind] > 0);
	}
	compare(children);
	counted = shared->counter;
	while (shared->counter == counted)
		sleep_ms(1);
	ready();
	wait_go();
	compare(children);
	counted = shared->counter;
	while (shared->counter == counted)
		sleep_ms(1);
	/* One byte here, the next in the child, the one after it here again. */
	CHECK_EQ(read(100, &byte, 1), 1);
	CHECK_EQ(byte, 'b');
	if (disturbed())
		CHECK_EQ(lseek(100, 0, SEEK_SET), 0);
	shared->stop = 1;
	stop_sharers = 1;
	for (int kind = 0; kind < CHILDREN; kind++)
		end_of(children[kind]);
	CHECK_EQ(read(100, &byte, 1), 1);
	CHECK_EQ(byte, 'd');
	CHECK_EQ(fcntl(101, F_GETFD), 0);
	CHECK_EQ(umask(0), 0123);
	CHECK(getcwd(path, sizeof(path)) && !strcmp(path, "/proc"));
	no_child_is_left();
	pass();
}
