// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind proc: files of /proc lead to the same process or thread as before: the program itself, a thread of it, its child, and for that its
 * parent. Files of /proc and /sys that belong to no process are there, too.
 */
#include "family.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/prctl.h>

/* An address in the upper half. */
#define HIGH 0xffffffffff600000ULL

static char text[4096];
static pid_t tid;

static int open_format(const char *format, ...)
{
	char path[128];
	va_list args;
	int fd;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	return fd;
}

/* What is in a file from where it stands. */
static const char *rest_of(int fd)
{
	ssize_t n = read(fd, text, sizeof(text) - 1);

	CHECK(n >= 0);
	text[n] = '\0';
	return text;
}

static const char *content(int fd)
{
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	return rest_of(fd);
}

static bool has_descriptor(int directory, int fd)
{
	DIR *listing = fdopendir(dup(directory));
	struct dirent *entry;
	bool found = false;

	CHECK(listing != NULL);
	rewinddir(listing);
	while ((entry = readdir(listing)))
		found |= atoi(entry->d_name) == fd && entry->d_name[0] != '.';
	closedir(listing);
	return found;
}

static void *wait_as_thread(void *ready)
{
	CHECK_EQ(prctl(PR_SET_NAME, "the-thread"), 0);
	tid = gettid();
	CHECK_EQ(write(*(int *)ready, "x", 1), 1);
	sleep_ms(1000000);
	return NULL;
}

int main(void)
{
	int stat, directory, self, thread, of_child, environment, maps, memory, global, system, late, fds[2];
	struct gate gate;
	pthread_t pthread;
	pid_t child;
	char byte;

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(pthread_create(&pthread, NULL, wait_as_thread, &fds[1]), 0);
	CHECK_EQ(read(fds[0], &byte, 1), 1);
	CHECK_EQ(prctl(PR_SET_NAME, "the-program"), 0);
	stat = open_format("/proc/self/stat");
	directory = open_format("/proc/self/fd");
	self = open_format("/proc/self/comm");
	CHECK(read(self, text, 4) == 4);
	thread = open_format("/proc/self/task/%d/comm", tid);
	maps = open_format("/proc/self/maps");
	memory = open_format("/proc/self/mem");
	/* An address, which lseek(2) takes as it is. */
	CHECK_EQ(lseek(memory, (off_t)HIGH, SEEK_SET), (off_t)HIGH);
	global = open_format("/proc/uptime");
	system = open_format("/sys/kernel/mm/transparent_hugepage/enabled");
	open_gate(&gate);
	child = fork_child();
	if (child == 0) {
		int status = open_format("/proc/%d/comm", getppid()), own = open_format("/proc/self");
		int parents_maps = open_format("/proc/%d/maps", getppid());

		CHECK_EQ(prctl(PR_SET_NAME, "the-child"), 0);
		prepared(&gate);
		while (!go_given())
			sleep_ms(20);
		CHECK(!strcmp(content(status), "the-program\n"));
		CHECK(strstr(content(parents_maps), "file_proc"));
		CHECK(atoi(content(openat(own, "stat", O_RDONLY))) == getpid());
		CHECK_EQ(atoi(content(stat)), getppid());
		pass_on();
	}
	of_child = open_format("/proc/%d/comm", child);
	environment = open_format("/proc/%d/task/%d/stat", getpid(), getpid());
	wait_prepared(&gate);
	ready();
	wait_go();
	if (disturbed())
		CHECK_EQ(prctl(PR_SET_NAME, "another"), 0);
	CHECK_EQ(lseek(self, 0, SEEK_CUR), 4);
	CHECK(!strcmp(rest_of(self), "program\n"));
	CHECK_EQ(atoi(content(stat)), getpid());
	CHECK(strstr(text, "(the-program)"));
	CHECK(!strcmp(content(thread), "the-thread\n"));
	CHECK(!strcmp(content(of_child), "the-child\n"));
	CHECK_EQ(atoi(content(environment)), getpid());
	CHECK(strstr(content(maps), "file_proc"));
	CHECK_EQ(lseek(memory, 0, SEEK_CUR), (off_t)HIGH);
	late = dup2(stat, 77);
	CHECK(has_descriptor(directory, late) && !has_descriptor(directory, 78));
	CHECK(atof(content(global)) > 0);
	CHECK(strstr(content(system), "never"));
	end_of(child);
	pass();
}
