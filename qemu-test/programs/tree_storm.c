// cflags: -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind tree: processes that fork, exec, exit and make threads all the time. Every end is the one that was asked for, and none is
 * lost or seen twice. Usage: tree_storm N; "tree_storm leaf S" ends with status S.
 */
#include "family.h"

#include <pthread.h>

static void *add(void *argument)
{
	__atomic_add_fetch((int *)argument, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* One short life. It ends with this status. */
__attribute__((noreturn)) static void leaf(int kind, int status)
{
	pthread_t threads[3];
	int count = 0, inner = 0;
	char text[16];
	pid_t pid;

	switch (kind) {
	case 0:
		break;
	case 1:
		snprintf(text, sizeof(text), "%d", status);
		execl("/proc/self/exe", "tree_storm", "leaf", text, NULL);
		_exit(111);
	case 2:
		for (int i = 0; i < 3; i++)
			if (pthread_create(&threads[i], NULL, add, &count))
				_exit(112);
		for (int i = 0; i < 3; i++)
			pthread_join(threads[i], NULL);
		if (count != 3)
			_exit(113);
		break;
	case 3:
		pid = fork();
		if (pid == 0)
			_exit(status ^ 0x40);
		if (waitpid(pid, &inner, 0) != pid || !WIFEXITED(inner) || WEXITSTATUS(inner) != (status ^ 0x40))
			_exit(114);
		break;
	}
	_exit(status);
}

static void work(uint64_t seed, uint64_t *lives)
{
	while (!go_given()) {
		int kind = next_random(&seed) % 4, wanted = next_random(&seed) % 64, status = -1;
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0)
			leaf(kind, wanted);
		if (disturbed())
			wanted++;
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != wanted)
			fail("a life of kind %d ended with %#x, not %d", kind, status, wanted);
		no_child_is_left();
		__atomic_add_fetch(lives, 1, __ATOMIC_SEQ_CST);
	}
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 4;
	pid_t children[64];
	uint64_t *lives;

	if (argc > 2 && !strcmp(argv[1], "leaf"))
		_exit(atoi(argv[2]));
	CHECK(count > 0 && count <= 64);
	lives = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
	for (int i = 0; i < count; i++) {
		children[i] = fork_child();
		if (children[i] == 0) {
			work(i + 1, &lives[i]);
			pass_on();
		}
	}
	for (int i = 0; i < count; i++)
		while (__atomic_load_n(&lives[i], __ATOMIC_SEQ_CST) < 3) {
			all_are_there();
			sleep_ms(1);
		}
	ready();
	wait_go();
	for (int i = 0; i < count; i++)
		end_of(children[i]);
	no_child_is_left();
	pass();
}
