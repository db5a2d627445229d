// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * POSIX shared memory and semaphores by name, in a container with a /dev/shm of its own: files of a tmpfs, which come back with it, and
 * stay one object for the processes that have mapped them.
 */
#include "family.h"

#include <sched.h>
#include <semaphore.h>
#include <sys/mount.h>

int main(void)
{
	struct gate gate;
	char *memory;
	sem_t *sem;
	pid_t child;
	int fd;

	if (unshare(CLONE_NEWNS | CLONE_NEWIPC) == -1)
		skip("unshare: errno %d", errno);
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mount("own", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "size=4m") == 0);
	fd = shm_open("/ckpt-memory", O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0 && ftruncate(fd, 8 * PAGE) == 0);
	memory = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(memory != MAP_FAILED);
	fill(memory, 4 * PAGE, 1);
	sem = sem_open("/ckpt-sem", O_CREAT | O_EXCL, 0600, 0);
	CHECK(sem != SEM_FAILED);
	open_gate(&gate);
	child = fork_child();
	if (child == 0) {
		prepared(&gate);
		while (sem_wait(sem) == -1)
			CHECK_EQ(errno, EINTR);
		CHECK_FILLED(memory, 4 * PAGE, 2);
		fill(memory + 5 * PAGE, PAGE, 3);
		pass_on();
	}
	wait_prepared(&gate);
	sleep_ms(20);
	ready();
	if (disturbed())
		fill(memory, PAGE, 9);
	wait_go();
	all_are_there();
	CHECK_FILLED(memory, 4 * PAGE, 1);
	fill(memory, 4 * PAGE, 2);
	CHECK(sem_post(sem) == 0);
	end_of(child);
	CHECK_FILLED(memory + 5 * PAGE, PAGE, 3);
	/* By its name, too. */
	fd = shm_open("/ckpt-memory", O_RDWR, 0);
	memory = mmap(NULL, 8 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(memory != MAP_FAILED);
	CHECK_FILLED(memory + 5 * PAGE, PAGE, 3);
	CHECK(sem_post(sem_open("/ckpt-sem", 0)) == 0);
	CHECK(sem_trywait(sem) == 0);
	pass();
}
