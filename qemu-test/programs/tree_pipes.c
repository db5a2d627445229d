/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind tree: a pipeline of four processes. The first makes random data, in pieces of random length; two change it; the last
 * compares every byte with what it has to be. At the end the first one says how much there was.
 */
#include "family.h"

#define LONGEST 90000
#define FIRST_SEED 99

/* A stream of bytes that both ends can make. */
struct stream {
	uint64_t state, word;
	int left;
};

static uint8_t next_byte(struct stream *stream)
{
	uint8_t byte;

	if (!stream->left) {
		stream->word = next_random(&stream->state);
		stream->left = 8;
	}
	byte = stream->word;
	stream->word >>= 8;
	stream->left--;
	return byte;
}

static void write_all(int fd, const uint8_t *bytes, size_t length)
{
	while (length) {
		ssize_t done = write(fd, bytes, length);

		CHECK(done > 0);
		bytes += done;
		length -= done;
	}
}

static void make(int out, uint64_t *total)
{
	static uint8_t bytes[LONGEST];
	struct stream stream = { .state = FIRST_SEED };
	uint64_t lengths = 5;

	while (!go_given()) {
		size_t length = next_random(&lengths) % LONGEST + 1;

		for (size_t i = 0; i < length; i++)
			bytes[i] = next_byte(&stream);
		/* Behind the back of those who know what has to come. */
		if (disturbed())
			bytes[length / 2]++;
		write_all(out, bytes, length);
		__atomic_add_fetch(total, length, __ATOMIC_SEQ_CST);
		sleep_ms(1);
	}
}

static void change(int in, int out, uint8_t key)
{
	static uint8_t bytes[5000];
	ssize_t length;

	while ((length = read(in, bytes, sizeof(bytes))) > 0) {
		for (ssize_t i = 0; i < length; i++)
			bytes[i] ^= key;
		write_all(out, bytes, length);
	}
	CHECK_EQ(length, 0);
}

static void compare(int in, const uint64_t *total)
{
	static uint8_t bytes[7777];
	struct stream stream = { .state = FIRST_SEED };
	uint64_t seen = 0;
	ssize_t length;

	while ((length = read(in, bytes, sizeof(bytes))) > 0) {
		for (ssize_t i = 0; i < length; i++, seen++)
			if (bytes[i] != (uint8_t)(next_byte(&stream) ^ 0x5a ^ 0x33))
				fail("byte %llu of the pipeline is wrong", (unsigned long long)seen);
	}
	CHECK_EQ(length, 0);
	/* The first one has said it before it closed the pipe. */
	CHECK_EQ(seen, __atomic_load_n(total, __ATOMIC_SEQ_CST));
	say("bytes %llu", (unsigned long long)seen);
}

int main(void)
{
	uint64_t *total = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
	int pipes[3][2];
	pid_t children[4];

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 3; i++)
		CHECK(pipe(pipes[i]) == 0);
	for (int stage = 0; stage < 4; stage++) {
		children[stage] = fork_child();
		if (children[stage])
			continue;
		/* Only its own ends stay open. */
		for (int i = 0; i < 3; i++) {
			if (i != stage - 1)
				close(pipes[i][0]);
			if (i != stage)
				close(pipes[i][1]);
		}
		if (stage == 0)
			make(pipes[0][1], total);
		else if (stage == 3)
			compare(pipes[2][0], total);
		else
			change(pipes[stage - 1][0], pipes[stage][1], stage == 1 ? 0x5a : 0x33);
		pass_on();
	}
	for (int i = 0; i < 3; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
	while (__atomic_load_n(total, __ATOMIC_SEQ_CST) < 200000) {
		all_are_there();
		sleep_ms(1);
	}
	ready();
	wait_go();
	/* From the end: who finds something wrong is the reason for what happens before it. */
	for (int stage = 3; stage >= 0; stage--)
		end_of(children[stage]);
	no_child_is_left();
	pass();
}
