/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind tree: a process with child processes that have child processes. Each counts, and comes back with its pid, parent,
 * process group, session, memory and handler; on SIGUSR1 it appends these to its own file. Usage: tree_family N M
 *
 * The larger the family, the less often each of it looks whether it may go: a thousand that look every ten milliseconds
 * leave the processor to nobody else.
 */
#include "family.h"

#define MOST 64

static pid_t root;
static long period_ms;
static volatile sig_atomic_t asked;

struct state {
	pid_t pid, parent;
	int count;
	pid_t children[MOST];
	uint64_t memory[512];
};

static void on_usr1(int signal)
{
	asked = 1;
}

static void print_state(const struct state *state, uint64_t counter)
{
	char path[64], line[128];
	int fd, length;

	snprintf(path, sizeof(path), "state.%d", state->pid);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	CHECK(fd >= 0);
	length = snprintf(line, sizeof(line), "%d %d %d %d %llu\n", getpid(), getppid(), getpgrp(), getsid(0),
			  (unsigned long long)counter);
	CHECK_EQ(write(fd, line, length), length);
	close(fd);
}

/* Everything that a process knows about itself and its children. */
static void check_state(const struct state *state)
{
	CHECK_EQ(getpid(), state->pid);
	CHECK_EQ(syscall(SYS_gettid), state->pid);
	if (state->pid != root)
		CHECK_EQ(getppid(), state->parent);
	/* A restart may give the root another group and session; all have the same, as before. */
	CHECK_EQ(getpgrp(), getpgid(root));
	CHECK_EQ(getsid(0), getsid(root));
	CHECK_FILLED(state->memory, sizeof(state->memory), state->pid);
	for (int i = 0; i < state->count; i++)
		CHECK_EQ(kill(state->children[i], 0), 0);
}

/* Has the children, prepares, counts until it may go. */
static void live(const int *counts, struct gate *gate)
{
	struct state *state = malloc(sizeof(*state));
	volatile uint64_t counter = 0, check = 0;

	state->pid = getpid();
	state->parent = getppid();
	state->count = *counts;
	for (int i = 0; i < state->count; i++) {
		pid_t child = fork_child();

		if (child == 0) {
			live(counts + 1, gate);
			pass_on();
		}
		state->children[i] = child;
	}
	fill(state->memory, sizeof(state->memory), state->pid);
	if (state->pid == root) {
		wait_prepared(gate);
		ready();
	} else {
		prepared(gate);
	}
	while (!go_given()) {
		counter++;
		check += 3;
		if (asked) {
			asked = 0;
			print_state(state, counter);
		}
		if (state->pid == root)
			check_state(state);
		sleep_ms(period_ms);
	}
	/* The deepest first one. */
	if (disturbed() && !*counts)
		state->memory[7]++;
	CHECK_EQ(check, counter * 3);
	check_state(state);
	for (int i = 0; i < state->count; i++)
		end_of(state->children[i]);
	no_child_is_left();
}

int main(int argc, char **argv)
{
	int counts[3] = { argc > 1 ? atoi(argv[1]) : 3, argc > 2 ? atoi(argv[2]) : 2, 0 };
	struct sigaction action = { .sa_handler = on_usr1, .sa_flags = SA_RESTART };
	struct gate gate;

	CHECK(counts[0] <= MOST && counts[1] <= MOST);
	root = getpid();
	period_ms = 1 + counts[0] + counts[0] * counts[1];
	if (period_ms < 10)
		period_ms = 10;
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	open_gate(&gate);
	live(counts, &gate);
	pass();
}
