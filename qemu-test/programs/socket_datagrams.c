/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind socket: datagrams from several senders to one receiver, by path, abstract and automatic names, some of whom are closed by now or
 * belong to a child, keep their order and their addresses; so do connections that are not mutual.
 */
#include "unix_socket.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static void send_to(int fd, const struct name *n, const char *text)
{
	CHECK_EQ(sendto(fd, text, strlen(text), 0, (void *)&n->address, n->length), (ssize_t)strlen(text));
}

int main(int argc, char **argv)
{
	struct name box = name("box"), left = name("left"), right = name("@ckpt right"), gone = name("@ckpt gone"), full = name("@ckpt full");
	struct name links[3] = { name("@ckpt link 0"), name("@ckpt link 1"), name("link2") }, automatic = name("");
	struct name childs = name("childs"), echo = name("@ckpt echo");
	int receiver = bound_at(&box, SOCK_DGRAM), mutual[2], chain[3], auto_bound = new_socket(SOCK_DGRAM), status;
	char got[16];

	/* Many senders. */
	int named = bound_at(&left, SOCK_DGRAM), unnamed = new_socket(SOCK_DGRAM), closed = bound_at(&gone, SOCK_DGRAM);
	CHECK(bind(auto_bound, (void *)&automatic.address, sizeof(sa_family_t)) == 0);
	automatic.length = sizeof(automatic.address);
	CHECK(getsockname(auto_bound, (void *)&automatic.address, &automatic.length) == 0);
	send_to(named, &box, "from left");
	send_to(closed, &box, "from one that is gone");
	send_to(unnamed, &box, "from nobody");
	send_to(auto_bound, &box, "from automatic");
	send_to(named, &box, "from left again");
	close(closed);
	/* It sends there, and hears of others: connected one way. */
	CHECK(connect(unnamed, (void *)&box.address, box.length) == 0);
	int last = connect_to(&box, SOCK_DGRAM);
	/* Two that are connected to each other by their names. */
	mutual[0] = bound_at(&right, SOCK_DGRAM);
	mutual[1] = connect_to(&right, SOCK_DGRAM);
	struct name other = name("other");
	CHECK(bind(mutual[1], (void *)&other.address, other.length) == 0);
	CHECK(connect(mutual[0], (void *)&other.address, other.length) == 0);
	give(mutual[0], "one");
	give(mutual[1], "two");
	/* A chain, whose members hear of nobody else once they are connected themselves; and one that is its own peer. */
	for (int i = 0; i < 3; i++)
		chain[i] = bound_at(&links[i], SOCK_DGRAM);
	send_to(named, &links[0], "early");
	for (int i = 0; i < 2; i++) {
		CHECK(connect(chain[i], (void *)&links[i + 1].address, links[i + 1].length) == 0);
		give(chain[i], "on");
	}
	int self = bound_at(&echo, SOCK_DGRAM);
	CHECK(connect(self, (void *)&echo.address, echo.length) == 0);
	give(self, "to myself");
	/* More than a queue takes from others. */
	int crowded = bound_at(&full, SOCK_DGRAM), crowd = connect_to(&full, SOCK_DGRAM), letters = 0;
	CHECK(fcntl(crowd, F_SETFL, O_NONBLOCK) == 0);
	while (write(crowd, "letter", 6) == 6)
		letters++;
	CHECK_EQ(errno, EAGAIN);
	/* Connected to one that has been closed. */
	struct name late = name("@ckpt late");
	int dead = bound_at(&late, SOCK_DGRAM), orphan = connect_to(&late, SOCK_DGRAM);
	send_to(dead, &box, "last words");
	close(dead);
	/* Who feeds hostile statefiles wants one process. */
	int alone = argc > 1 && strcmp(argv[1], "alone") == 0;
	pid_t child = alone ? -1 : fork();
	CHECK(alone || child >= 0);
	if (child == 0) {
		CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
		for (int fd = 3; fd < 64; fd++)
			close(fd);
		int mine = bound_at(&childs, SOCK_DGRAM);

		send_to(mine, &box, "from the child");
		take(mine, "answer");
		_exit(0);
	}
	sleep_ms(100);
	ready();
	if (disturbed())
		take(receiver, "from left");
	wait_go();

	take_from(receiver, "from left", &left);
	take_from(receiver, "from one that is gone", &gone);
	take_from(receiver, "from nobody", NULL);
	take_from(receiver, "from automatic", &automatic);
	take_from(receiver, "from left again", &left);
	take_from(receiver, "last words", &late);
	check_name(auto_bound, 0, &automatic);
	check_name(unnamed, 1, &box);
	if (!alone) {
		take_from(receiver, "from the child", &childs);
		send_to(receiver, &childs, "answer");
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(status, 0);
	}
	talk(unnamed, receiver, "one way");
	talk(last, receiver, "one way");
	send_to(receiver, &left, "back");
	take_from(named, "back", &box);

	take_from(mutual[1], "one", &right);
	take_from(mutual[0], "two", &other);
	check_name(mutual[0], 1, &other);
	talk(mutual[0], mutual[1], "on");

	take_from(chain[0], "early", &left);
	take_from(chain[1], "on", &links[0]);
	take_from(chain[2], "on", &links[1]);
	talk(chain[1], chain[2], "again");
	check_name(chain[0], 1, &links[1]);
	/* As between those two, once one is connected elsewhere. */
	CHECK_EQ(write(chain[0], "x", 1), -1);
	CHECK_EQ(errno, EPERM);
	/* Only its peer may send to it. */
	CHECK_EQ(sendto(named, "x", 1, 0, (void *)&links[0].address, links[0].length), -1);
	CHECK_EQ(errno, EPERM);
	take_from(self, "to myself", &echo);
	talk(self, self, "myself");

	for (int i = 0; i < letters; i++)
		take(crowded, "letter");
	CHECK_EQ(recv(crowded, got, sizeof(got), MSG_DONTWAIT), -1);
	check_name(orphan, 1, &late);
	CHECK_EQ(write(orphan, "x", 1), -1);
	CHECK_EQ(errno, ECONNREFUSED);
	pass();
}
