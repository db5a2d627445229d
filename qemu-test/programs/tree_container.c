/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind tree: the first process of a container, with a host name of its own, services that have child processes, an orphan that it
 * has adopted, and a child that has exited and waits. It ends with the status that is given. Usage: tree_container STATUS
 */
#include "family.h"

#include <dirent.h>
#include <sys/utsname.h>

enum { SERVICES = 3, MEMBERS_MAX = 64, STATUS_ORPHAN = 21, STATUS_ZOMBIE = 9 };

static sigset_t usr1;

static pid_t fork_here(void)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	return pid;
}

/* All that /proc shows, in its order, which is that of the numbers. */
static int members(pid_t *pids)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int count = 0;

	CHECK(proc);
	while ((entry = readdir(proc)))
		if (atoi(entry->d_name) > 0) {
			CHECK(count < MEMBERS_MAX);
			pids[count++] = atoi(entry->d_name);
		}
	closedir(proc);
	return count;
}

static void check_names(void)
{
	struct utsname names;

	CHECK(uname(&names) == 0);
	CHECK(strcmp(names.nodename, "box") == 0 && strcmp(names.domainname, "container") == 0);
}

static void service(struct gate *gate)
{
	pid_t child = fork_here();
	int number;

	prepared(gate);
	wait_go();
	check_names();
	if (child == 0)
		pass_on();
	/* Nobody goes before the first process has counted. */
	CHECK(sigwait(&usr1, &number) == 0);
	end_of(child);
	no_child_is_left();
	pass_on();
}

/* Its parent ends at once: the first process of the namespace is its parent then. */
static void make_orphan(struct gate *gate)
{
	pid_t middle = fork_here();
	int status;

	if (middle == 0) {
		if (fork_here())
			_exit(0);
		CHECK(setsid() == getpid());
		while (getppid() != 1)
			sleep_ms(1);
		prepared(gate);
		wait_go();
		CHECK_EQ(getppid(), 1);
		CHECK_EQ(getsid(0), getpid());
		_exit(STATUS_ORPHAN);
	}
	CHECK_EQ(waitpid(middle, &status, 0), middle);
	CHECK_EQ(status, 0);
}

static pid_t make_zombie(void)
{
	siginfo_t info;
	pid_t zombie = fork_here();

	if (zombie == 0)
		_exit(STATUS_ZOMBIE);
	CHECK(waitid(P_PID, zombie, &info, WEXITED | WNOWAIT) == 0);
	return zombie;
}

int main(int argc, char **argv)
{
	int count, status, right = 0, orphans = 0, zombies = 0;
	pid_t before[MEMBERS_MAX], after[MEMBERS_MAX], zombie, ended;
	struct gate gate;

	CHECK(argc == 2);
	CHECK_EQ(getpid(), 1);
	CHECK(sethostname("box", 3) == 0 && setdomainname("container", 9) == 0);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, &usr1, NULL) == 0);
	open_gate(&gate);
	for (int i = 0; i < SERVICES; i++)
		if (fork_here() == 0)
			service(&gate);
	make_orphan(&gate);
	wait_prepared(&gate);
	zombie = make_zombie();
	count = members(before);
	CHECK_EQ(count, 1 + 2 * SERVICES + 1 + 1);
	ready();
	wait_go();
	if (disturbed())
		CHECK(sethostname("other", 5) == 0);
	CHECK_EQ(getpid(), 1);
	check_names();
	/* Nobody has to be there any more but for those who were; who has ended waits for this process. */
	CHECK_EQ(members(after), count);
	CHECK(memcmp(before, after, count * sizeof(*before)) == 0);
	CHECK_EQ(kill(-1, SIGUSR1), 0);
	while ((ended = waitpid(-1, &status, __WALL)) > 0) {
		CHECK(WIFEXITED(status));
		right += WEXITSTATUS(status) == RIGHT;
		orphans += WEXITSTATUS(status) == STATUS_ORPHAN;
		zombies += WEXITSTATUS(status) == STATUS_ZOMBIE && ended == zombie;
	}
	CHECK_EQ(errno, ECHILD);
	CHECK_EQ(right, SERVICES);
	CHECK_EQ(orphans, 1);
	CHECK_EQ(zombies, 1);
	say("OK");
	return atoi(argv[1]);
}
