// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind socket: messages that are longer than a record of the statefile come back as one each, with the open files that they carry; so does
 * what a stream has in between. Usage: socket_long [few]
 */
#include "unix_socket.h"

enum { PART = 240 * 1024, LONGEST = 1024 * 1024 };

static void room_for(int fd, int length)
{
	int size = 2 * length;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		skip("SO_SNDBUFFORCE: errno %d", errno);
}

static void send_long(int fd, char *data, size_t length, uint64_t seed)
{
	fill(data, length, seed);
	CHECK_EQ(send(fd, data, length, 0), (ssize_t)length);
}

static void take_long(int fd, char *data, char *got, size_t length, uint64_t seed)
{
	fill(data, length, seed);
	memset(got, 0, length);
	/* The next one is not taken with it. */
	CHECK_EQ(recv(fd, got, LONGEST + 1, MSG_DONTWAIT), (ssize_t)length);
	/* What is filled. */
	CHECK(memcmp(got, data, length / 8 * 8) == 0);
}

int main(int argc, char **argv)
{
	const size_t lengths[] = { PART - 1, PART, PART + 1, 2 * PART, LONGEST };
	int count = argc > 1 ? 3 : 5, datagrams[2], packets[2], stream[2], held, taken;
	char *data = map_private(LONGEST + 1), *got = map_private(LONGEST + 1), byte;

	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams) == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packets) == 0 &&
	      socketpair(AF_UNIX, SOCK_STREAM, 0, stream) == 0);
	room_for(datagrams[0], 3 * LONGEST);
	room_for(packets[1], 3 * LONGEST);
	room_for(stream[0], LONGEST);
	for (int i = 0; i < count; i++) {
		send_long(datagrams[0], data, lengths[i], i);
		send_long(packets[1], data, lengths[i], 100 + i);
	}
	held = open("/dev/zero", O_RDONLY);
	CHECK(held >= 0);
	give_files(packets[1], "last", &held, 1);
	CHECK(close(held) == 0);
	send_long(stream[0], data, argc > 1 ? PART : LONGEST, 7);
	ready();
	wait_go();
	if (disturbed())
		CHECK_EQ(recv(datagrams[1], got, 1, 0), 1);
	for (int i = 0; i < count; i++) {
		take_long(datagrams[1], data, got, lengths[i], i);
		take_long(packets[0], data, got, lengths[i], 100 + i);
	}
	take_files(packets[0], "last", &taken, 1);
	CHECK(read(taken, &byte, 1) == 1 && byte == 0);
	fill(data, LONGEST, 7);
	for (size_t at = 0, length = argc > 1 ? PART : LONGEST; at < length;) {
		ssize_t n = recv(stream[1], got, LONGEST, MSG_DONTWAIT);

		CHECK(n > 0 && at + n <= length && memcmp(got, data + at, n) == 0);
		at += n;
	}
	CHECK(recv(datagrams[1], got, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
	CHECK(recv(packets[0], got, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
	pass();
}
