/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind pty: a session with a controlling terminal, whose master is another process's: its leader, the foreground group, a group in
 * the background, an orphan that was adopted by somebody who comes earlier, a process that has given it up, and one without any
 * descriptor for it.
 *
 * "own": the session is the root process's, which has the terminal and its master.
 */
#include "family.h"

#include <sys/ioctl.h>
#include <termios.h>

static struct gate gate;
static int master, number;
static pid_t root, leader;
static volatile sig_atomic_t interrupted, hung_up;

static void on_signal(int sig)
{
	if (sig == SIGINT)
		interrupted++;
	else
		hung_up++;
}

static void catch(int sig)
{
	struct sigaction action = { .sa_handler = on_signal };

	CHECK_EQ(sigaction(sig, &action, NULL), 0);
}

/* Pids that everybody knows. */
static struct shared {
	pid_t front, orphan;
	/* How many have seen that all is right. */
	int checked;
} *shared;

enum { ALL = 5 };

static void all_checked(void)
{
	while (__atomic_load_n(&shared->checked, __ATOMIC_SEQ_CST) < ALL)
		sleep_ms(5);
}

static void checked(void)
{
	__atomic_add_fetch(&shared->checked, 1, __ATOMIC_SEQ_CST);
}

static void wait_for(volatile sig_atomic_t *count)
{
	for (int i = 0; i < 6000 && !*count; i++)
		sleep_ms(5);
	CHECK_EQ(*count, 1);
}

/* It is the terminal of the session, by the name that has always stood for it. */
static void check_terminal(int tty)
{
	int got = -1, own = open("/dev/tty", O_RDWR | O_NONBLOCK);

	CHECK(own >= 0);
	CHECK_EQ(ioctl(own, TIOCGSID, &got), 0);
	CHECK_EQ(got, leader);
	CHECK_EQ(tcgetpgrp(own), shared->front);
	close(own);
	if (tty >= 0) {
		CHECK(strcmp(ttyname(tty), "/dev/tty") == 0);
		CHECK_EQ(tcgetpgrp(tty), shared->front);
	}
}

__attribute__((noreturn)) static void front(int tty)
{
	catch(SIGINT);
	prepared(&gate);
	wait_go();
	check_terminal(tty);
	wait_for(&interrupted);
	CHECK_EQ(write(tty, "front\n", 6), 6);
	checked();
	pass_on();
}

__attribute__((noreturn)) static void back(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	char byte;

	catch(SIGINT);
	CHECK_EQ(sigaction(SIGTTIN, &ignore, NULL), 0);
	prepared(&gate);
	wait_go();
	check_terminal(-1);
	/* Who is in the background may not read. */
	int own = open("/dev/tty", O_RDWR);
	CHECK_EQ(read(own, &byte, 1), -1);
	CHECK_EQ(errno, EIO);
	checked();
	all_checked();
	CHECK_EQ(interrupted, 0);
	pass_on();
}

__attribute__((noreturn)) static void without(void)
{
	int own = open("/dev/tty", O_RDWR);

	CHECK_EQ(ioctl(own, TIOCNOTTY), 0);
	close(own);
	prepared(&gate);
	wait_go();
	CHECK_EQ(open("/dev/tty", O_RDWR), -1);
	CHECK_EQ(errno, ENXIO);
	checked();
	pass_on();
}

__attribute__((noreturn)) static void orphan(void)
{
	while (getppid() != root)
		sleep_ms(1);
	CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
	shared->orphan = getpid();
	prepared(&gate);
	wait_go();
	check_terminal(-1);
	checked();
	pass_on();
}

__attribute__((noreturn)) static void lead(void)
{
	pid_t children[3], passing;
	char name[32];
	int tty, slave;

	leader = getpid();
	CHECK_EQ(setsid(), leader);
	catch(SIGHUP);
	snprintf(name, sizeof(name), "/dev/pts/%d", number);
	/* Without O_NOCTTY: it becomes the session's. */
	slave = open(name, O_RDWR);
	CHECK(slave >= 0);
	tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
	CHECK(tty >= 0);
	CHECK_EQ(close(master), 0);
	CHECK_EQ(close(slave), 0);
	passing = fork();
	CHECK(passing >= 0);
	if (passing == 0) {
		close(tty);
		if (fork() == 0)
			orphan();
		_exit(0);
	}
	CHECK_EQ(waitpid(passing, NULL, 0), passing);
	while (!shared->orphan)
		sleep_ms(1);
	for (int i = 0; i < 3; i++) {
		children[i] = fork_child();
		if (children[i] == 0) {
			CHECK_EQ(setpgid(0, 0), 0);
			if (i == 0)
				front(tty);
			close(tty);
			if (i == 1)
				back();
			without();
		}
		CHECK(setpgid(children[i], children[i]) == 0 || errno == EACCES);
	}
	shared->front = children[0];
	CHECK_EQ(tcsetpgrp(tty, shared->front), 0);
	prepared(&gate);
	wait_go();
	check_terminal(tty);
	checked();
	wait_for(&hung_up);
	CHECK_EQ(open("/dev/tty", O_RDWR), -1);
	CHECK_EQ(read(tty, name, 1), 0);
	for (int i = 0; i < 3; i++)
		end_of(children[i]);
	pass_on();
}

static void expect(const char *text)
{
	char got[64] = "";
	size_t done = 0;

	while (done < strlen(text)) {
		ssize_t n = read(master, got + done, strlen(text) - done);

		CHECK(n > 0);
		done += n;
		if (memcmp(got, text, done))
			fail("got \"%s\", not \"%s\"", got, text);
	}
}

/* The root process leads the session, and a group of it has the terminal. */
__attribute__((noreturn)) static void own(void)
{
	char name[32];
	pid_t child;
	int tty;

	CHECK(getsid(0) == getpid() || setsid() > 0);
	leader = getpid();
	catch(SIGINT);
	snprintf(name, sizeof(name), "/dev/pts/%d", number);
	tty = open(name, O_RDWR);
	CHECK(tty >= 0);
	open_gate(&gate);
	child = fork_child();
	if (child == 0) {
		CHECK_EQ(setpgid(0, 0), 0);
		catch(SIGINT);
		prepared(&gate);
		wait_for(&interrupted);
		CHECK_EQ(getsid(0), leader);
		pass_on();
	}
	CHECK(setpgid(child, child) == 0 || errno == EACCES);
	shared->front = child;
	CHECK_EQ(tcsetpgrp(tty, child), 0);
	wait_prepared(&gate);
	ready();
	wait_go();
	CHECK_EQ(getsid(0), leader);
	check_terminal(-1);
	CHECK_EQ(write(master, disturbed() ? "\032" : "\003", 1), 1);
	expect("^C");
	end_of(child);
	CHECK_EQ(interrupted, 0);
	pass();
}

int main(int argc, char **argv)
{
	pid_t child;

	shared = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
	root = getpid();
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	CHECK(master >= 0);
	CHECK_EQ(unlockpt(master), 0);
	CHECK_EQ(ioctl(master, TIOCGPTN, &number), 0);
	if (argc > 1 && strcmp(argv[1], "own") == 0)
		own();
	open_gate(&gate);
	child = fork_child();
	if (child == 0)
		lead();
	leader = child;
	wait_prepared(&gate);
	ready();
	wait_go();
	CHECK_EQ(write(master, disturbed() ? "\032" : "\003", 1), 1);
	expect("^Cfront\r\n");
	all_checked();
	end_of(shared->orphan);
	CHECK_EQ(close(master), 0);
	end_of(child);
	no_child_is_left();
	pass();
}
