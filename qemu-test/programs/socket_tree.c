/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind socket: pairs between processes, whose ends are inherited: a parent that has closed its children's ends, children that talk
 * to each other, a child whose user is another one's, and a peer that has exited.
 */
#include "target.h"

#include <sys/socket.h>
#include <sys/wait.h>

static void check_peer(int fd, pid_t pid, uid_t uid)
{
	struct ucred peer = { 0 };
	socklen_t length = sizeof(peer);

	CHECK(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0);
	CHECK_EQ(peer.pid, pid);
	CHECK_EQ(peer.uid, uid);
}

static void child(int to_parent, int to_sibling, const char *word)
{
	char got[16] = "";

	CHECK_EQ(read(to_parent, got, sizeof(got)), 2);
	CHECK(memcmp(got, "go", 2) == 0);
	CHECK_EQ(write(to_sibling, word, 3), 3);
	CHECK_EQ(read(to_sibling, got, 3), 3);
	CHECK_EQ(write(to_parent, got, 3), 3);
	_exit(0);
}

int main(void)
{
	int up[2][2], siblings[2], gone[2], status;
	static const char *words[] = { "one", "two" };
	pid_t children[2], parent = getpid();
	char got[32];

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, siblings) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, gone) == 0);
	pid_t exited = fork();
	CHECK(exited >= 0);
	if (exited == 0) {
		CHECK_EQ(write(gone[1], "farewell", 8), 8);
		_exit(0);
	}
	CHECK_EQ(waitpid(exited, &status, 0), exited);
	close(gone[1]);
	for (int i = 0; i < 2; i++) {
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, up[i]) == 0);
		children[i] = fork();
		CHECK(children[i] >= 0);
		if (children[i] == 0) {
			close(up[i][0]);
			close(siblings[!i]);
			child(up[i][1], siblings[i], words[i]);
		}
		close(up[i][1]);
	}
	close(siblings[0]);
	close(siblings[1]);
	sleep_ms(50);
	ready();
	if (disturbed())
		CHECK_EQ(write(up[0][0], "no", 2), 2);
	wait_go();
	CHECK_EQ(read(gone[0], got, sizeof(got)), 8);
	CHECK_EQ(read(gone[0], got, sizeof(got)), 0);
	check_peer(gone[0], parent, geteuid());
	for (int i = 0; i < 2; i++) {
		check_peer(up[i][0], parent, geteuid());
		CHECK_EQ(write(up[i][0], "go", 2), 2);
	}
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(read(up[i][0], got, sizeof(got)), 3);
		CHECK(memcmp(got, words[!i], 3) == 0);
		CHECK_EQ(waitpid(children[i], &status, 0), children[i]);
		CHECK_EQ(status, 0);
	}
	pass();
}
