/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Restarts a stopped program of one task by the bare ioctls, has it go on, and calls RESTART_END again: that must not stop it once more, since
 * it may be somebody else's by then. Usage: restart_end_again STATEFILE
 */
#include "target.h"

#include "ckpt.h"

#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

static char state_of(pid_t pid)
{
	char path[32], text[256];
	int fd, n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	CHECK(n > 0);
	text[n] = 0;
	close(fd);
	return strrchr(text, ')')[2];
}

int main(int argc, char **argv)
{
	struct ckpt_restart_begin begin = { .size = sizeof(begin), .fd = open(argv[1], O_RDONLY) };
	struct ckpt_restart_prologue prologue = { .size = sizeof(prologue), .capacity = 4 };
	struct ckpt_restart_task task = { .size = sizeof(task) };
	struct ckpt_restart_end end = { .size = sizeof(end) };
	int fd = open("/dev/ckpt", O_RDWR | O_CLOEXEC), status;
	struct clone_args args = { .exit_signal = SIGCHLD, .set_tid_size = 1 };
	struct ckpt_tree tree[4];
	pid_t pid;

	CHECK(fd >= 0 && begin.fd >= 0);
	CHECK_EQ(ioctl(fd, CKPT_RESTART_BEGIN, &begin), 0);
	CHECK_EQ(begin.tasks, 1);
	prologue.tree = (uintptr_t)tree;
	CHECK_EQ(ioctl(fd, CKPT_RESTART_PROLOGUE, &prologue), 0);
	CHECK(tree[0].flags & CKPT_TREE_STOPPED);
	pid = tree[0].pid;
	args.set_tid = (uintptr_t)&pid;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	CHECK(pid >= 0);
	if (pid == 0) {
		ioctl(fd, CKPT_RESTART_TASK, &task);
		_exit(1);
	}
	CHECK_EQ(ioctl(fd, CKPT_RESTART_END, &end), 0);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK(kill(pid, SIGCONT) == 0);
	CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	CHECK(WIFCONTINUED(status));
	CHECK_EQ(ioctl(fd, CKPT_RESTART_END, &end), 0);
	/* It handles this one, and would see then that it is to stop. */
	CHECK(kill(pid, SIGUSR1) == 0);
	for (int i = 0; i < 50; i++) {
		CHECK(state_of(pid) != 'T');
		sleep_ms(10);
	}
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
	pass();
}
