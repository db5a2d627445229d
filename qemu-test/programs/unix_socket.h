/* SPDX-License-Identifier: GPL-2.0 */
/* What the targets with Unix sockets have in common: addresses, and messages that carry open files. */
#pragma once

#include "target.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#define NAME_AT offsetof(struct sockaddr_un, sun_path)

struct name {
	struct sockaddr_un address;
	socklen_t length;
};

static inline struct name name_of(const char *text, size_t length)
{
	struct name n = { .address = { .sun_family = AF_UNIX }, .length = NAME_AT + length };

	memcpy(n.address.sun_path, text, length);
	return n;
}

/* A path; with an @ in front of it an abstract name. */
static inline struct name name(const char *text)
{
	struct name n = name_of(text, strlen(text));

	if (text[0] == '@')
		n.address.sun_path[0] = 0;
	return n;
}

static inline int new_socket(int type)
{
	int fd = socket(AF_UNIX, type, 0);

	CHECK(fd >= 0);
	return fd;
}

static inline int bound_at(const struct name *n, int type)
{
	int fd = new_socket(type);

	CHECK(bind(fd, (void *)&n->address, n->length) == 0);
	return fd;
}

static inline int listen_at(const struct name *n, int type, int backlog)
{
	int fd = bound_at(n, type);

	CHECK(listen(fd, backlog) == 0);
	return fd;
}

static inline int connect_to(const struct name *n, int type)
{
	int fd = new_socket(type);

	CHECK(connect(fd, (void *)&n->address, n->length) == 0);
	return fd;
}

/* An address is this one; NULL: none. */
static inline void check_address(const struct name *is, const struct name *want)
{
	if (!want) {
		CHECK(is->length == 0 || is->length == NAME_AT);
		return;
	}
	/* A path has a NUL at its end. */
	CHECK_EQ(is->length, want->length + (want->address.sun_path[0] != 0));
	CHECK(memcmp(&is->address, &want->address, want->length) == 0);
}

/* Own or the peer's address. */
static inline void check_name(int fd, int peer, const struct name *want)
{
	struct name is = { .length = sizeof(is.address) };

	CHECK((peer ? getpeername : getsockname)(fd, (void *)&is.address, &is.length) == 0);
	check_address(&is, want);
}

static inline void give(int fd, const char *text)
{
	CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static inline void take(int fd, const char *text)
{
	char got[64] = "";

	CHECK_EQ(read(fd, got, sizeof(got) - 1), (ssize_t)strlen(text));
	CHECK(strcmp(got, text) == 0);
}

/* The same of a part of what waits in a stream. */
static inline void take_part(int fd, const char *text)
{
	char got[64] = "";

	CHECK_EQ(read(fd, got, strlen(text)), (ssize_t)strlen(text));
	CHECK(strcmp(got, text) == 0);
}

/* The next message is this one, from that address. */
static inline void take_from(int fd, const char *text, const struct name *from)
{
	struct name is = { .length = sizeof(is.address) };
	char got[64] = "";

	CHECK_EQ(recvfrom(fd, got, sizeof(got) - 1, 0, (void *)&is.address, &is.length), (ssize_t)strlen(text));
	CHECK(strcmp(got, text) == 0);
	check_address(&is, from);
}

static inline void talk(int from, int to, const char *text)
{
	give(from, text);
	take(to, text);
}

/* Sends open files with a text. */
static inline void give_files(int fd, const char *text, const int *fds, int count)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(8 * sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct iovec vec = { .iov_base = (void *)text, .iov_len = strlen(text) };
	struct msghdr message = { .msg_iov = &vec, .msg_iovlen = 1, .msg_control = &control,
				  .msg_controllen = CMSG_SPACE(count * sizeof(int)) };

	memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	CHECK_EQ(sendmsg(fd, &message, 0), (ssize_t)strlen(text));
}

/* Receives a text with so many open files. */
static inline void take_files(int fd, const char *text, int *fds, int count)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(8 * sizeof(int))];
	} control;
	char got[64] = "";
	struct iovec vec = { .iov_base = got, .iov_len = sizeof(got) - 1 };
	struct msghdr message = { .msg_iov = &vec, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };

	CHECK_EQ(recvmsg(fd, &message, 0), (ssize_t)strlen(text));
	CHECK(strcmp(got, text) == 0);
	CHECK(message.msg_controllen > 0);
	CHECK_EQ(control.header.cmsg_type, SCM_RIGHTS);
	CHECK_EQ(control.header.cmsg_len, CMSG_LEN(count * sizeof(int)));
	memcpy(fds, CMSG_DATA(&control.header), count * sizeof(int));
}

static inline void set_option(int fd, int option, int value)
{
	CHECK(setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value)) == 0);
}

/* The credentials of the next message, and its text. */
static inline struct ucred take_sender(int fd, const char *text)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	char got[64] = "";
	struct iovec vec = { .iov_base = got, .iov_len = sizeof(got) - 1 };
	struct msghdr message = { .msg_iov = &vec, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct ucred sender;

	CHECK_EQ(recvmsg(fd, &message, 0), (ssize_t)strlen(text));
	CHECK(strcmp(got, text) == 0);
	CHECK(message.msg_controllen > 0);
	CHECK_EQ(control.header.cmsg_type, SCM_CREDENTIALS);
	memcpy(&sender, CMSG_DATA(&control.header), sizeof(sender));
	return sender;
}
