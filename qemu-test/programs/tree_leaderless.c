// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind tree: a process whose main thread has exited while two others live. These keep their ids and share memory, descriptors and
 * handlers as before; a child that the main thread had made is still the process's, and its parent waits for all of it.
 */
#include "family.h"

#include <pthread.h>
#include <sys/syscall.h>

static struct gate gate;
static volatile pid_t tids[2];
static uint64_t memory[512];
static volatile sig_atomic_t signals;
static pid_t older;
static int file;

static void on_usr1(int signal)
{
	signals++;
}

static char state_of(pid_t tid)
{
	char path[64], line[256], state = '?';
	FILE *status;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	status = fopen(path, "re");
	CHECK(status);
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "State: %c", &state) == 1)
			break;
	fclose(status);
	return state;
}

static void *second(void *arg)
{
	tids[1] = syscall(SYS_gettid);
	wait_go();
	CHECK_EQ(syscall(SYS_gettid), tids[1]);
	CHECK_FILLED(memory, sizeof(memory), tids[0]);
	return NULL;
}

/* What is left of the process: waits for the main thread's end, prepares, and looks when it may. */
static void *first(void *arg)
{
	pthread_t thread;
	pid_t pid = getpid(), younger;

	tids[0] = syscall(SYS_gettid);
	fill(memory, sizeof(memory), tids[0]);
	CHECK(pthread_create(&thread, NULL, second, NULL) == 0);
	while (!tids[1] || state_of(pid) != 'Z')
		sleep_ms(1);
	younger = fork_child();
	if (younger == 0) {
		prepared(&gate);
		wait_go();
		CHECK_EQ(getppid(), pid);
		pass_on();
	}
	prepared(&gate);
	wait_go();
	CHECK_EQ(getpid(), pid);
	CHECK_EQ(syscall(SYS_gettid), tids[0]);
	CHECK_EQ(state_of(pid), 'Z');
	CHECK_EQ(lseek(file, 0, SEEK_CUR), 1);
	CHECK_EQ(kill(pid, SIGUSR1), 0);
	while (!signals)
		sleep_ms(1);
	CHECK(pthread_join(thread, NULL) == 0);
	end_of(older);
	end_of(younger);
	no_child_is_left();
	pass_on();
}

__attribute__((noreturn)) static void leaderless(void)
{
	pid_t pid = getpid();
	pthread_t thread;

	CHECK(signal(SIGUSR1, on_usr1) != SIG_ERR);
	file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	CHECK(file >= 0);
	CHECK_EQ(lseek(file, 1, SEEK_SET), 1);
	older = fork();
	CHECK(older >= 0);
	if (older == 0) {
		prepared(&gate);
		wait_go();
		CHECK_EQ(getppid(), pid);
		pass_on();
	}
	CHECK(pthread_create(&thread, NULL, first, NULL) == 0);
	/* Only this thread, and with nothing of what the library would do. */
	syscall(SYS_exit, 5);
	_exit(98);
}

int main(void)
{
	pid_t child;

	open_gate(&gate);
	child = fork_child();
	if (child == 0)
		leaderless();
	wait_prepared(&gate);
	ready();
	wait_go();
	if (disturbed())
		CHECK_EQ(kill(child, SIGKILL), 0);
	end_of(child);
	no_child_is_left();
	pass();
}
