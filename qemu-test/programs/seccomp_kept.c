// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind seccomp: filters and the strict mode are still there, shared as before. "filters": two, one with the log flag.
 * "forbids": all that a restore needs is forbidden. "tree": threads share some of their filters. "strict": a thread in strict
 * mode. "privileged": installed by root without no_new_privs, which then drops its privileges. "child": a child has its parent's
 * and its own; the parent reads the programs by ptrace.
 */
#include "target.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define NUMBER offsetof(struct seccomp_data, nr)

/* One system call fails with an errno that it does not have. */
#define DENY(call, code)                                                                     \
	{                                                                                    \
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NUMBER),                                  \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),                             \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (code)),                       \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),                                \
	}

static struct sock_filter deny_ppid[] = DENY(SYS_getppid, 1001);
static struct sock_filter deny_pgrp[] = DENY(SYS_getpgrp, 1002);
static struct sock_filter deny_sid[] = DENY(SYS_getsid, 1003);
static struct sock_filter deny_uid[] = DENY(SYS_getuid, 1004);

static long install(struct sock_filter *filter, unsigned short length, unsigned int flags)
{
	struct sock_fprog program = { length, filter };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

#define INSTALL(filter, flags) install(filter, LENGTH(filter), flags)

static bool denied(long call, int code)
{
	errno = 0;
	return syscall(call, 0) == -1 && errno == code;
}

static void no_new_privs(void)
{
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
}

static void filters(void)
{
	no_new_privs();
	CHECK(INSTALL(deny_ppid, 0) == 0);
	if (!disturbed())
		CHECK(INSTALL(deny_pgrp, SECCOMP_FILTER_FLAG_LOG) == 0);
	ready();
	wait_go();
	CHECK_EQ(prctl(PR_GET_SECCOMP), 2);
	CHECK(denied(SYS_getppid, 1001));
	CHECK(denied(SYS_getpgrp, 1002));
	CHECK(!denied(SYS_getsid, 1003));
	CHECK(INSTALL(deny_sid, 0) == 0);
	CHECK(denied(SYS_getsid, 1003) && denied(SYS_getppid, 1001));
}

/* Only what the program itself does from here on; everything else ends it. */
static void forbids(void)
{
	static const int allowed[] = { SYS_write,  SYS_exit_group,   SYS_nanosleep, SYS_clock_nanosleep,
				       SYS_access, SYS_restart_syscall, SYS_faccessat2, SYS_getpgrp };
	struct sock_filter filter[LENGTH(allowed) + 3] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NUMBER) };
	unsigned int count = LENGTH(allowed);

	for (unsigned int i = 0; i < count; i++)
		filter[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], count - i, 0);
	filter[count + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	filter[count + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	no_new_privs();
	go_given();
	CHECK(INSTALL(deny_pgrp, 0) == 0);
	CHECK(INSTALL(filter, 0) == 0);
	ready();
	wait_go();
	CHECK(denied(SYS_getpgrp, 1002));
}

static pthread_barrier_t barrier;

static void *grandchild(void *argument)
{
	(void)argument;
	pthread_barrier_wait(&barrier);
	wait_go();
	CHECK(denied(SYS_getppid, 1001) && denied(SYS_getpgrp, 1002) && !denied(SYS_getsid, 1003));
	/* Until the main thread has filtered all. */
	while (!denied(SYS_getuid, 1004))
		sleep_ms(5);
	return NULL;
}

static pthread_barrier_t first_done, second_done;

static void *first(void *argument)
{
	pthread_t thread;

	(void)argument;
	CHECK(INSTALL(deny_pgrp, 0) == 0);
	CHECK(pthread_create(&thread, NULL, grandchild, NULL) == 0);
	pthread_barrier_wait(&barrier);
	wait_go();
	CHECK(denied(SYS_getppid, 1001) && denied(SYS_getpgrp, 1002) && !denied(SYS_getsid, 1003));
	pthread_barrier_wait(&second_done);
	/*
	 * The main thread's filter is the one below ours, and the same for the thread that we have made: all can be put under a new
	 * one, but only if the filters are the same objects.
	 */
	CHECK_EQ(INSTALL(deny_uid, SECCOMP_FILTER_FLAG_TSYNC), 0);
	pthread_barrier_wait(&first_done);
	pthread_join(thread, NULL);
	return NULL;
}

static pid_t second_tid;

static void *second(void *argument)
{
	(void)argument;
	second_tid = syscall(SYS_gettid);
	CHECK(INSTALL(deny_sid, 0) == 0);
	pthread_barrier_wait(&barrier);
	wait_go();
	CHECK(denied(SYS_getppid, 1001) && !denied(SYS_getpgrp, 1002) && denied(SYS_getsid, 1003));
	/* The others have filters that this one has not. */
	CHECK(INSTALL(deny_uid, SECCOMP_FILTER_FLAG_TSYNC) > 0);
	return NULL;
}

static void tree(void)
{
	pthread_t threads[2];

	no_new_privs();
	CHECK(INSTALL(deny_ppid, 0) == 0);
	pthread_barrier_init(&barrier, NULL, 4);
	pthread_barrier_init(&first_done, NULL, 2);
	pthread_barrier_init(&second_done, NULL, 2);
	CHECK(pthread_create(&threads[0], NULL, first, NULL) == 0);
	CHECK(pthread_create(&threads[1], NULL, second, NULL) == 0);
	pthread_barrier_wait(&barrier);
	ready();
	if (disturbed())
		INSTALL(deny_uid, 0);
	wait_go();
	CHECK(denied(SYS_getppid, 1001) && !denied(SYS_getpgrp, 1002) && !denied(SYS_getsid, 1003));
	pthread_join(threads[1], NULL);
	pthread_barrier_wait(&second_done);
	pthread_barrier_wait(&first_done);
	CHECK(denied(SYS_getpgrp, 1002) && denied(SYS_getuid, 1004));
	pthread_join(threads[0], NULL);
}

static int to_strict[2], from_strict[2];

static void *strict_thread(void *argument)
{
	char byte;

	(void)argument;
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
	CHECK(read(to_strict[0], &byte, 1) == 1);
	CHECK(write(from_strict[1], "y", 1) == 1);
	CHECK(read(to_strict[0], &byte, 1) == 1);
	/* Not allowed: this thread ends here. */
	syscall(SYS_getppid);
	CHECK(write(from_strict[1], "n", 1) == 1);
	for (;;)
		;
}

static void strict(void)
{
	struct timespec limit;
	pthread_t thread;
	char byte = 0;

	CHECK(pipe(to_strict) == 0 && pipe(from_strict) == 0);
	CHECK(pthread_create(&thread, NULL, strict_thread, NULL) == 0);
	sleep_ms(50);
	ready();
	wait_go();
	CHECK(write(to_strict[1], "x", 1) == 1);
	CHECK(read(from_strict[0], &byte, 1) == 1 && byte == 'y');
	CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
	if (disturbed())
		fail("disturbed");
	CHECK(write(to_strict[1], "x", 1) == 1);
	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += 20;
	/* SIGKILL to the thread alone: its descriptors stay open, so look at /proc. */
	for (int i = 0; i < 1000 && access("/proc/self/task", F_OK) == 0; i++) {
		char text[64];
		int fd = open("/proc/self/status", O_RDONLY), threads = 0;
		FILE *file = fdopen(fd, "r");

		while (fgets(text, sizeof(text), file))
			sscanf(text, "Threads: %d", &threads);
		fclose(file);
		if (threads == 1)
			return;
		sleep_ms(10);
	}
	fail("the thread in strict mode made a call that it may not make");
}

static void privileged(void)
{
	if (geteuid())
		skip("not root");
	CHECK(INSTALL(deny_ppid, 0) == 0);
	CHECK(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
	CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
	ready();
	wait_go();
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	CHECK(denied(SYS_getppid, 1001));
	CHECK(INSTALL(deny_pgrp, 0) == -1 && errno == EACCES);
	if (disturbed())
		fail("disturbed");
}

#ifndef PTRACE_SECCOMP_GET_METADATA
#define PTRACE_SECCOMP_GET_METADATA 0x420d
#endif

static void child(void)
{
	struct {
		uint64_t number, flags;
	} data;
	struct sock_filter program[64];
	siginfo_t info;
	pid_t pid;
	int ends[2], status;
	char byte;

	CHECK(pipe(ends) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		no_new_privs();
		CHECK(INSTALL(deny_ppid, 0) == 0);
		pid = fork();
		CHECK(pid >= 0);
		if (pid)
			/* The grandchild inherits the first; both end together. */
			CHECK(INSTALL(deny_pgrp, SECCOMP_FILTER_FLAG_LOG) == 0);
		else
			CHECK(INSTALL(deny_sid, 0) == 0);
		CHECK(write(ends[1], "x", 1) == 1);
		wait_go();
		CHECK(denied(SYS_getppid, 1001));
		if (pid == 0) {
			CHECK(denied(SYS_getsid, 1003) && !denied(SYS_getpgrp, 1002));
			_exit(0);
		}
		CHECK(denied(SYS_getpgrp, 1002) && !denied(SYS_getsid, 1003));
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
		/* Stopped until the parent has looked. */
		raise(SIGSTOP);
		_exit(0);
	}
	for (int i = 0; i < 2; i++)
		CHECK(read(ends[0], &byte, 1) == 1);
	ready();
	if (disturbed())
		kill(pid, SIGKILL);
	wait_go();
	CHECK(waitid(P_PID, pid, &info, WSTOPPED | WEXITED | WNOWAIT) == 0);
	CHECK_EQ(info.si_code, CLD_STOPPED);
	CHECK(ptrace(PTRACE_SEIZE, pid, 0, 0) == 0);
	CHECK(waitpid(pid, &status, WUNTRACED | __WALL) == pid);
	CHECK_EQ(ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, program), (long)LENGTH(deny_ppid));
	CHECK(memcmp(program, deny_ppid, sizeof(deny_ppid)) == 0);
	CHECK_EQ(ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 1, program), (long)LENGTH(deny_pgrp));
	CHECK(memcmp(program, deny_pgrp, sizeof(deny_pgrp)) == 0);
	CHECK_EQ(ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 2, program), -1);
	for (data.number = 0; data.number < 2; data.number++) {
		CHECK(ptrace(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(data), &data) == sizeof(data));
		CHECK_EQ(data.flags, data.number ? SECCOMP_FILTER_FLAG_LOG : 0);
	}
	CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
	CHECK(ptrace(PTRACE_DETACH, pid, 0, 0) == 0);
	CHECK(kill(pid, SIGCONT) == 0);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK_EQ(status, 0);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "forbids") == 0)
		forbids();
	else if (strcmp(what, "tree") == 0)
		tree();
	else if (strcmp(what, "strict") == 0)
		strict();
	else if (strcmp(what, "privileged") == 0)
		privileged();
	else if (strcmp(what, "child") == 0)
		child();
	else
		filters();
	pass();
}
