/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every target program shares.
 *
 * A target prepares a state, says `ready()`, waits in `wait_go()` until the harness creates the file that the
 * environment variable CKPT_GO names, checks itself, and says `pass()` or `fail()`. With CKPT_DISTURB=1 it damages
 * its own state while it waits (`disturbed()`), and then has to fail: that is how the suite tests its own targets.
 *
 * Output goes to descriptor 1 by write(2), so that nothing is left in a buffer when the target is saved.
 */
#ifndef TARGET_H
#define TARGET_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL

static inline void say(const char *format, ...)
{
	char line[512];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (length > (int)sizeof(line) - 2)
		length = sizeof(line) - 2;
	line[length++] = '\n';
	if (write(1, line, length) != length)
		_exit(3);
}

__attribute__((noreturn)) static inline void pass(void)
{
	say("OK");
	_exit(0);
}

#define fail(...)                       \
	do {                            \
		say("FAIL " __VA_ARGS__); \
		_exit(1);               \
	} while (0)

/* Exit status 77: the machine lacks what the target needs; the reason is printed. */
#define skip(...)                       \
	do {                            \
		say("SKIP " __VA_ARGS__); \
		_exit(77);              \
	} while (0)

#define CHECK(condition)                                                                            \
	do {                                                                                        \
		if (!(condition))                                                                   \
			fail("%s:%d: %s (errno %d)", __FILE__, __LINE__, #condition, errno);        \
	} while (0)

/* The two values are equal, as numbers; both are printed when they are not. */
#define CHECK_EQ(got, want)                                                                         \
	do {                                                                                        \
		uint64_t got_ = (uint64_t)(got), want_ = (uint64_t)(want);                          \
		if (got_ != want_)                                                                  \
			fail("%s:%d: %s is %#llx, not %#llx", __FILE__, __LINE__, #got,             \
			     (unsigned long long)got_, (unsigned long long)want_);                  \
	} while (0)

/* True when the target has to damage its own state. */
static inline bool disturbed(void)
{
	const char *value = getenv("CKPT_DISTURB");

	return value && *value == '1';
}

static inline void sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

static inline bool go_given(void)
{
	static const char *path;

	if (!path)
		path = getenv("CKPT_GO");
	return !path || access(path, F_OK) == 0;
}

static inline void wait_go(void)
{
	while (!go_given())
		sleep_ms(10);
}

static inline void ready(void)
{
	say("ready");
}

/* Goes on in a child; the parent waits for it, and ends as it does. */
static inline void go_on_in_child(void)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (child == 0)
		return;
	while (waitpid(child, &status, 0) != child)
		CHECK(errno == EINTR);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
}

static inline int64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static inline uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/* Fills memory with a pattern that depends on the seed and on the place. */
static inline void fill(void *memory, size_t length, uint64_t seed)
{
	uint64_t *words = memory, state = seed * 0x9e3779b97f4a7c15ULL | 1;

	for (size_t i = 0; i < length / 8; i++)
		words[i] = next_random(&state);
}

/* Offset of the first word that `fill` would have written otherwise, or -1. */
static inline long unfilled(const void *memory, size_t length, uint64_t seed)
{
	const volatile uint64_t *words = memory;
	uint64_t state = seed * 0x9e3779b97f4a7c15ULL | 1;

	for (size_t i = 0; i < length / 8; i++)
		if (words[i] != next_random(&state))
			return i * 8;
	return -1;
}

#define CHECK_FILLED(memory, length, seed)                                                          \
	do {                                                                                        \
		long at_ = unfilled(memory, length, seed);                                          \
		if (at_ >= 0)                                                                       \
			fail("%s:%d: %s differs at byte %ld", __FILE__, __LINE__, #memory, at_);    \
	} while (0)

static inline void *map(size_t length, int prot, int flags)
{
	void *memory = mmap(NULL, length, prot, flags, -1, 0);

	CHECK(memory != MAP_FAILED);
	return memory;
}

static inline void *map_private(size_t length)
{
	return map(length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
}

#endif
