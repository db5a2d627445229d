/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tries doors that have to be shut, with ioctls of its own. Usage:
 *   security_doors setuid PROGRAM        a session is attached to a child before that executes a setuid program
 *   security_doors handed-over PID       a session of root, with a target, comes into the hands of nobody
 *   security_doors restart STATEFILE     a restart names the tasks of somebody else
 *   security_doors seccomp COMMAND...    runs a command under a filter that allows everything
 */
#include "target.h"

#include "ckpt.h"
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>

#define NOBODY 65534

static int session(void)
{
	int fd = open(CKPT_DEVICE, O_RDWR);

	CHECK(fd >= 0);
	return fd;
}

static int call(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, request, argument) < 0 ? -errno : 0;
}

static int attach(int fd, pid_t pid)
{
	struct ckpt_attach argument = { .size = sizeof(argument), .pidfd = -1, .pid = pid };

	return call(fd, CKPT_ATTACH, &argument);
}

static int freeze(int fd)
{
	struct ckpt_freeze argument = { .size = sizeof(argument), .timeout_ms = 5000 };

	return call(fd, CKPT_FREEZE, &argument);
}

/* All that a session with a target can do is refused, and nothing comes out of it. */
static void all_is_shut(int fd)
{
	struct ckpt_check check = { .size = sizeof(check) };
	struct ckpt_kill kill = { .size = sizeof(kill) };
	struct ckpt_checkpoint checkpoint = { .size = sizeof(checkpoint), .pidfd = -1 };

	CHECK_EQ(call(fd, CKPT_CHECK, &check), -EPERM);
	CHECK_EQ(call(fd, CKPT_KILL, &kill), -EPERM);
	checkpoint.fd = memfd_create("stolen", 0);
	CHECK_EQ(call(fd, CKPT_CHECKPOINT, &checkpoint), -EPERM);
	CHECK_EQ(lseek(checkpoint.fd, 0, SEEK_END), 0);
	close(checkpoint.fd);
}

static void setuid_meanwhile(const char *program)
{
	int fd = session(), pipes[2];
	char byte = 0;
	pid_t child;

	CHECK(pipe(pipes) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		CHECK_EQ(read(pipes[0], &byte, 1), 1);
		execl(program, program, NULL);
		_exit(5);
	}
	CHECK_EQ(attach(fd, child), 0);
	CHECK_EQ(write(pipes[1], &byte, 1), 1);
	/* The program is there when it may no longer be looked at. */
	for (int tries = 0; tries < 1000; tries++) {
		struct ckpt_check check = { .size = sizeof(check) };

		if (call(fd, CKPT_CHECK, &check) == -EPERM)
			break;
		sleep_ms(10);
	}
	CHECK_EQ(freeze(fd), -EPERM);
	all_is_shut(fd);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	close(fd);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	say("shut");
	CHECK_EQ(waitpid(child, NULL, 0), child);
}

static void become_nobody(void)
{
	CHECK(setgroups(0, NULL) == 0);
	CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

/* A session that is only attached, then one with a frozen target. */
static void handed_over(pid_t pid)
{
	for (int frozen = 0; frozen <= 1; frozen++) {
		int fd = session(), status;
		pid_t child;

		CHECK_EQ(attach(fd, pid), 0);
		if (frozen)
			CHECK_EQ(freeze(fd), 0);
		child = fork();
		CHECK(child >= 0);
		if (child == 0) {
			become_nobody();
			all_is_shut(fd);
			if (!frozen)
				CHECK_EQ(freeze(fd), -EPERM);
			_exit(0);
		}
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(status, 0);
		close(fd);
	}
}

static void restart(const char *statefile)
{
	struct ckpt_restart_begin begin = { .size = sizeof(begin) };
	struct ckpt_restart_task task = { .size = sizeof(task) };
	struct ckpt_restart_end end = { .size = sizeof(end), .flags = CKPT_RESTART_END_ABORT };
	int fd = session();

	begin.fd = open(statefile, O_RDONLY);
	CHECK(begin.fd >= 0);
	CHECK_EQ(call(fd, CKPT_RESTART_BEGIN, &begin), 0);
	/* Whoever has the number of a saved task is not taken for it. */
	CHECK_EQ(call(fd, CKPT_RESTART_TASK, &task), -EINVAL);
	CHECK_EQ(call(fd, CKPT_RESTART_END, &end), 0);
	close(fd);
}

static void under_filter(char **command)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { 1, &allow };

	CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
	execv(command[0], command);
	fail("%s: errno %d", command[0], errno);
}

int main(int argc, char **argv)
{
	CHECK(argc >= 3);
	if (strcmp(argv[1], "setuid") == 0)
		setuid_meanwhile(argv[2]);
	else if (strcmp(argv[1], "handed-over") == 0)
		handed_over(atoi(argv[2]));
	else if (strcmp(argv[1], "restart") == 0)
		restart(argv[2]);
	else if (strcmp(argv[1], "seccomp") == 0)
		under_filter(argv + 2);
	pass();
}
