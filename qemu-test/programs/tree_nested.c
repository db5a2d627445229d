/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind tree: pid namespaces in pid namespaces, three levels of them. Every process keeps the numbers that it knows, its parent and its
 * threads; zombies, sessions and a timer that names a thread are of an inner one; one namespace has been made by unshare(2),
 * so that children to come still live in it, and has got a second process from outside.
 */
#include "family.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>

/* What a process knows about itself. */
struct self {
	pid_t pid, tid, parent, group, session;
};

static struct gate gate;
static sigset_t usr1;

static struct self look(void)
{
	return (struct self){ getpid(), syscall(SYS_gettid), getppid(), getpgrp(), getsid(0) };
}

static void same(const struct self *before)
{
	struct self now = look();

	say("pid %d tid %d parent %d group %d session %d", now.pid, now.tid, now.parent, now.group, now.session);
	CHECK_EQ(now.pid, before->pid);
	CHECK_EQ(now.tid, before->tid);
	CHECK_EQ(now.parent, before->parent);
	CHECK_EQ(now.group, before->group);
	CHECK_EQ(now.session, before->session);
}

/* A new process, in a new pid namespace if asked so. Which dies with its parent. */
static pid_t fork_with(unsigned long flags)
{
	pid_t pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);

	CHECK(pid >= 0);
	if (pid == 0)
		CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
	return pid;
}

static volatile bool may_end;

static void *other_thread(void *arg)
{
	pid_t *tid = arg;

	*tid = syscall(SYS_gettid);
	prepared(&gate);
	while (!may_end)
		sleep_ms(1);
	CHECK_EQ(syscall(SYS_gettid), *tid);
	return NULL;
}

/* A process of an inner namespace with a thread, and a timer that signals the thread. */
__attribute__((noreturn)) static void with_thread(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2 };
	struct itimerspec long_time = { .it_value.tv_sec = 100000 };
	struct self self = look();
	pthread_t thread;
	sigset_t usr2;
	timer_t timer;
	pid_t tid = 0;

	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	CHECK(sigprocmask(SIG_BLOCK, &usr2, NULL) == 0);
	/* Its thread says that both are prepared. */
	CHECK(pthread_create(&thread, NULL, other_thread, &tid) == 0);
	while (!*(volatile pid_t *)&tid)
		sleep_ms(1);
	event._sigev_un._tid = self.tid;
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	CHECK(timer_settime(timer, 0, &long_time, NULL) == 0);
	wait_go();
	same(&self);
	CHECK_EQ(syscall(SYS_tgkill, getpid(), tid, 0), 0);
	may_end = true;
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(timer_settime(timer, 0, &long_time, NULL) == 0);
	pass_on();
}

/* A process with nothing but its numbers; the leader of a session, if asked so. */
__attribute__((noreturn)) static void plain(bool leads)
{
	struct self self;

	if (leads)
		CHECK(setsid() == getpid());
	self = look();
	prepared(&gate);
	wait_go();
	same(&self);
	pass_on();
}

/* The first process of the innermost namespace. */
__attribute__((noreturn)) static void third_level(void)
{
	struct self self = look();
	pid_t child, zombie;
	siginfo_t info;

	CHECK_EQ(self.pid, 1);
	CHECK_EQ(self.parent, 0);
	zombie = fork_with(0);
	if (zombie == 0)
		_exit(7);
	CHECK(waitid(P_PID, zombie, &info, WEXITED | WNOWAIT) == 0);
	child = fork_with(0);
	if (child == 0)
		with_thread();
	prepared(&gate);
	wait_go();
	same(&self);
	info.si_pid = 0;
	CHECK(waitid(P_PID, zombie, &info, WEXITED | WNOHANG) == 0);
	CHECK_EQ(info.si_pid, zombie);
	CHECK_EQ(info.si_status, 7);
	end_of(child);
	no_child_is_left();
	pass_on();
}

/* The first process of the middle namespace. */
__attribute__((noreturn)) static void second_level(void)
{
	struct self self = look();
	pid_t leader, inner;
	int number;

	CHECK_EQ(self.pid, 1);
	CHECK_EQ(self.parent, 0);
	leader = fork_with(0);
	if (leader == 0)
		plain(true);
	inner = fork_with(CLONE_NEWPID);
	if (inner == 0)
		third_level();
	prepared(&gate);
	wait_go();
	same(&self);
	end_of(leader);
	end_of(inner);
	no_child_is_left();
	/* Not before the last process has come into its namespace. */
	CHECK(sigwait(&usr1, &number) == 0);
	pass_on();
}

int main(void)
{
	pid_t first, entered, late;
	struct self self = look();

	if (getuid() != 0)
		skip("needs root");
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, &usr1, NULL) == 0);
	open_gate(&gate);
	CHECK(unshare(CLONE_NEWPID) == 0);
	first = fork_with(0);
	if (first == 0)
		second_level();
	/* In the namespace of the first, but no child of it. */
	entered = fork_with(0);
	if (entered == 0)
		plain(false);
	wait_prepared(&gate);
	ready();
	wait_go();
	CHECK_EQ(getpid(), self.pid);
	CHECK_EQ(syscall(SYS_gettid), self.tid);
	/* Where those before live. */
	late = fork_with(0);
	if (late == 0)
		_exit(getppid() == 0 && getpid() > 1 ? RIGHT : 1);
	CHECK_EQ(kill(late, 0), 0);
	end_of(late);
	CHECK_EQ(kill(first, SIGUSR1), 0);
	if (disturbed())
		CHECK_EQ(kill(entered, SIGKILL), 0);
	end_of(entered);
	end_of(first);
	no_child_is_left();
	pass();
}
