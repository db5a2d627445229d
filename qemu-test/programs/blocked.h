/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One thread that waits in a read of an empty pipe or socket, and one in a write to a full one. Both go on after the restart.
 */
#ifndef BLOCKED_H
#define BLOCKED_H

#include "target.h"

#include <fcntl.h>
#include <pthread.h>

/* Made by the target: [0] is read from, [1] written to. */
static int empty[2], full[2];
static size_t full_size;
static pthread_t blocked[2];

static void *reader(void *argument)
{
	char text[16] = "";

	(void)argument;
	CHECK_EQ(read(empty[0], text, sizeof(text)), 5);
	CHECK(memcmp(text, "later", 5) == 0);
	return NULL;
}

static void *writer(void *argument)
{
	char page[PAGE];

	(void)argument;
	memset(page, 'w', sizeof(page));
	CHECK_EQ(write(full[1], page, sizeof(page)), PAGE);
	return NULL;
}

/* Fills the full one with data, step by step, and lets both threads wait. */
static void block_threads(const char *data, size_t step)
{
	CHECK(fcntl(full[1], F_SETFL, O_NONBLOCK) == 0);
	for (ssize_t n; (n = write(full[1], data + full_size, step)) > 0;)
		full_size += n;
	CHECK(fcntl(full[1], F_SETFL, 0) == 0);
	CHECK(pthread_create(&blocked[0], NULL, reader, NULL) == 0);
	CHECK(pthread_create(&blocked[1], NULL, writer, NULL) == 0);
	sleep_ms(50);
}

/* Both end as they should; got has room for what was written. */
static void unblock_threads(const char *data, char *got)
{
	CHECK_EQ(write(empty[1], "later", 5), 5);
	CHECK(pthread_join(blocked[0], NULL) == 0);
	for (size_t n = 0; n < full_size;) {
		ssize_t count = read(full[0], got, full_size - n);

		CHECK(count > 0);
		CHECK(memcmp(got, data + n, count) == 0);
		n += count;
	}
	CHECK(pthread_join(blocked[1], NULL) == 0);
}

#endif
