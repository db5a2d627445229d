/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind socket: names that nobody finds a socket by any more, because the path has been removed, replaced or renamed, or the socket that has
 * accepted it has been closed; and one in a directory that is not the working directory any more, or below another
 * root. What is at a path now is left alone.
 */
#include "unix_socket.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* A process that has another root is found at a path below that. */
static pid_t start_jailed(void)
{
	struct name inside = name("/inside");
	pid_t child;

	CHECK(mkdir("jail", 0700) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
		CHECK(chroot("jail") == 0 && chdir("/") == 0);
		int fd = bound_at(&inside, SOCK_DGRAM);

		take(fd, "go");
		check_name(fd, 0, &inside);
		_exit(0);
	}
	while (access("jail/inside", F_OK) != 0)
		sleep_ms(10);
	return child;
}

int main(void)
{
	struct name removed = name("removed"), replaced = name("replaced"), renamed = name("renamed"), server = name("server");
	struct name relative = name("below"), away = name("file");
	pid_t jailed = start_jailed();
	char got[16];
	int status;

	/* The path is gone; the connections are not. */
	int listener = listen_at(&removed, SOCK_STREAM, 3), client = connect_to(&removed, SOCK_STREAM);
	int taken = accept(listener, NULL, NULL);
	CHECK(taken >= 0 && unlink("removed") == 0);
	/* Another one has it, and a file. */
	int old = bound_at(&replaced, SOCK_DGRAM), old_peer = connect_to(&replaced, SOCK_DGRAM);
	CHECK(unlink("replaced") == 0);
	int new = bound_at(&replaced, SOCK_DGRAM);
	int covered = bound_at(&away, SOCK_DGRAM);
	CHECK(unlink("file") == 0);
	int file = open("file", O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK_EQ(write(file, "content", 7), 7);
	/* Another path. */
	int moved = listen_at(&renamed, SOCK_STREAM, 3);
	CHECK(rename("renamed", "elsewhere") == 0);
	/* Accepted by one that is closed. */
	int closed = listen_at(&server, SOCK_SEQPACKET, 3), left = connect_to(&server, SOCK_SEQPACKET);
	int right = accept(closed, NULL, NULL);
	CHECK(right >= 0 && close(closed) == 0);
	/* Bound elsewhere. */
	CHECK(mkdir("deep", 0700) == 0 && chdir("deep") == 0);
	int inside = bound_at(&relative, SOCK_DGRAM);
	CHECK(chmod("below", 0640) == 0 && chdir("..") == 0);
	ready();
	if (disturbed())
		CHECK(chmod("deep/below", 0600) == 0);
	wait_go();

	check_name(listener, 0, &removed);
	check_name(taken, 0, &removed);
	check_name(client, 1, &removed);
	talk(client, taken, "still");
	CHECK_EQ(access("removed", F_OK), -1);
	CHECK_EQ(accept4(listener, NULL, NULL, 0 * fcntl(listener, F_SETFL, O_NONBLOCK)), -1);
	CHECK_EQ(errno, EAGAIN);
	/* Its name is taken for good. */
	struct name another = name("another");
	CHECK_EQ(bind(listener, (void *)&another.address, another.length), -1);
	CHECK_EQ(errno, EINVAL);

	check_name(old, 0, &replaced);
	check_name(new, 0, &replaced);
	check_name(old_peer, 1, &replaced);
	talk(old_peer, old, "old");
	int late = connect_to(&replaced, SOCK_DGRAM);
	talk(late, new, "new");
	check_name(covered, 0, &away);
	CHECK_EQ(pread(file, got, sizeof(got), 0), 7);
	struct stat is;
	CHECK(stat("file", &is) == 0 && S_ISREG(is.st_mode));

	check_name(moved, 0, &renamed);
	struct name elsewhere = name("elsewhere"), below = name("deep/below");
	late = connect_to(&elsewhere, SOCK_STREAM);
	check_name(late, 1, &renamed);
	CHECK_EQ(access("renamed", F_OK), -1);

	check_name(right, 0, &server);
	check_name(left, 1, &server);
	talk(left, right, "closed");

	check_name(inside, 0, &relative);
	struct name cell = name("jail/inside");
	late = connect_to(&cell, SOCK_DGRAM);
	give(late, "go");
	CHECK_EQ(waitpid(jailed, &status, 0), jailed);
	CHECK_EQ(status, 0);
	late = connect_to(&below, SOCK_DGRAM);
	talk(late, inside, "below");
	CHECK(stat("deep/below", &is) == 0);
	CHECK_EQ(is.st_mode, S_IFSOCK | 0640);
	pass();
}
