// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Saves itself through the C header: the ioctl returns 0, and 1 in the program that wakes up restarted. A second thread
 * computes meanwhile, a third waits. The first life ends after the save; the second checks everything.
 * Usage: self_checkpoint STATEFILE [threads]
 */
#include "target.h"

#include "ckpt.h"
#include <pthread.h>
#include <sys/ioctl.h>

static volatile uint64_t computed;
static volatile bool enough;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static bool woken;

static void *compute(void *argument)
{
	uint64_t state = (uintptr_t)argument, turns = 0, again = (uintptr_t)argument;

	while (!enough) {
		next_random(&state);
		turns++;
		computed = turns;
	}
	for (uint64_t i = 0; i < turns; i++)
		next_random(&again);
	CHECK_EQ(state, again);
	return NULL;
}

static void *wait_woken(void *argument)
{
	pthread_mutex_lock(&lock);
	while (!woken)
		pthread_cond_wait(&wake, &lock);
	pthread_mutex_unlock(&lock);
	return argument;
}

int main(int argc, char **argv)
{
	struct ckpt_checkpoint checkpoint = { .size = sizeof(checkpoint), .pidfd = -1 };
	bool threaded = argc > 2 && strcmp(argv[2], "threads") == 0;
	char *memory = map_private(16 * PAGE), local[256];
	uint64_t before = 0;
	pthread_t threads[2];
	pid_t pid = getpid();
	void *result;
	int device, file, life;

	CHECK(argc > 1);
	fill(memory, 16 * PAGE, 9);
	fill(local, sizeof(local), 10);
	if (threaded) {
		CHECK(pthread_create(&threads[0], NULL, compute, (void *)12345) == 0);
		CHECK(pthread_create(&threads[1], NULL, wait_woken, (void *)99) == 0);
		while (computed < 1000)
			sleep_ms(1);
		before = computed;
	}
	device = open(CKPT_DEVICE, O_RDWR | O_CLOEXEC);
	if (device < 0)
		fail("open %s: errno %d", CKPT_DEVICE, errno);
	file = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(file >= 0);
	checkpoint.fd = file;
	life = ioctl(device, CKPT_CHECKPOINT, &checkpoint);
	if (life < 0) {
		struct { char text[4096]; } messages = { { 0 } };
		ssize_t length = read(device, &messages, sizeof(messages));

		fail("CKPT_CHECKPOINT: errno %d, %zd bytes of messages: %s", errno, length, messages.text + 48);
	}
	say("life %d", life);
	/* Both lives have all of this. */
	CHECK_EQ(getpid(), pid);
	CHECK_FILLED(memory, 16 * PAGE, 9);
	CHECK_FILLED(local, sizeof(local), 10);
	CHECK(fcntl(device, F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(file, F_GETFD) == FD_CLOEXEC);
	if (threaded) {
		CHECK(computed >= before);
		before = computed;
		while (computed == before)
			sleep_ms(1);
		enough = true;
		pthread_mutex_lock(&lock);
		woken = true;
		pthread_cond_signal(&wake);
		pthread_mutex_unlock(&lock);
		CHECK(pthread_join(threads[0], NULL) == 0);
		CHECK(pthread_join(threads[1], &result) == 0);
		CHECK_EQ((uintptr_t)result, 99);
	}
	if (life == 0) {
		CHECK(checkpoint.bytes > 0 && checkpoint.records > 0 && checkpoint.pages > 0);
		CHECK_EQ(checkpoint.tasks, threaded ? 3 : 1);
		say("saved");
		return 0;
	}
	CHECK_EQ(life, 1);
	/* The device is a new session, which is of use. */
	struct ckpt_info info = { .size = sizeof(info) };

	CHECK(ioctl(device, CKPT_INFO, &info) == 0);
	CHECK_EQ(info.format_version, CKPT_FORMAT_VERSION);
	pass();
}
