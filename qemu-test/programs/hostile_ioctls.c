// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bad calls of /dev/ckpt: one defect each, with the errno that ckpt.h promises. Every difference is printed; the last
 * line is OK or FAIL. Usage: hostile_ioctls PID STATEFILE (PID: a program that may be frozen)
 */
#include "target.h"

#include "ckpt.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

static int wrong, checked;

/* What one ioctl returned: 0 or more, or minus errno. */
static int call(int fd, unsigned long request, void *argument)
{
	int result = ioctl(fd, request, argument);

	return result < 0 ? -errno : result;
}

static void want_at(int line, const char *what, int got, int want)
{
	checked++;
	if (got != want) {
		wrong++;
		say("line %d: %s: %d, not %d", line, what, got, want);
	}
}

#define WANT(call, want) want_at(__LINE__, #call, call, want)

/* The result is one of two: where the contract leaves the order of checks open. */
static void either_at(int line, const char *what, int got, int one, int other)
{
	want_at(line, what, got == other ? one : got, one);
}

#define EITHER(call, one, other) either_at(__LINE__, #call, call, one, other)

static int session(void)
{
	int fd = open(CKPT_DEVICE, O_RDWR | O_CLOEXEC);

	CHECK(fd >= 0);
	return fd;
}

static const struct {
	unsigned long request;
	unsigned size;
	const char *name;
	bool early; /* allowed in a new session, or refused for another reason than the stage */
} calls[] = {
	{ CKPT_INFO, sizeof(struct ckpt_info), "INFO", true },
	{ CKPT_ATTACH, sizeof(struct ckpt_attach), "ATTACH", true },
	{ CKPT_CHECK, sizeof(struct ckpt_check), "CHECK", false },
	{ CKPT_FREEZE, sizeof(struct ckpt_freeze), "FREEZE", false },
	{ CKPT_THAW, sizeof(struct ckpt_thaw), "THAW", false },
	{ CKPT_KILL, sizeof(struct ckpt_kill), "KILL", false },
	{ CKPT_CHECKPOINT, sizeof(struct ckpt_checkpoint), "CHECKPOINT", true },
	{ CKPT_POLICIES, sizeof(struct ckpt_policies), "POLICIES", true },
	{ CKPT_RESTART_BEGIN, sizeof(struct ckpt_restart_begin), "RESTART_BEGIN", true },
	{ CKPT_RESTART_PROLOGUE, sizeof(struct ckpt_restart_prologue), "RESTART_PROLOGUE", false },
	{ CKPT_RESTART_TASK, sizeof(struct ckpt_restart_task), "RESTART_TASK", false },
	{ CKPT_RESTART_END, sizeof(struct ckpt_restart_end), "RESTART_END", false },
	{ CKPT_RESTART_USER_NS, sizeof(struct ckpt_restart_user_ns), "RESTART_USER_NS", false },
};

enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

static void unknown_numbers(void)
{
	uint64_t argument[512] = { 8 };
	int fd = session();

	for (unsigned nr = 0; nr < 256; nr++) {
		bool known = false;

		for (int i = 0; i < CALLS; i++)
			known |= calls[i].request == _IO(CKPT_IOC_TYPE, nr);
		if (!known)
			WANT(call(fd, _IO(CKPT_IOC_TYPE, nr), argument), -ENOTTY);
	}
	WANT(call(fd, _IO(0xc4, 0), argument), -ENOTTY);
	WANT(call(fd, _IOWR(CKPT_IOC_TYPE, 0, struct ckpt_info), argument), -ENOTTY);
	WANT(call(fd, CKPT_INFO | 1UL << 31, argument), -ENOTTY);
	WANT(call(fd, TCGETS, argument), -ENOTTY);
	close(fd);
}

/* Size, flags and addresses, the same for every call. */
static void common_rules(void)
{
	union {
		uint32_t words[2048];
		uint8_t bytes[8192];
	} argument;
	char *edge = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS) + PAGE;

	CHECK(mprotect(edge, PAGE, PROT_NONE) == 0);
	for (int i = 0; i < CALLS; i++) {
		int fd = session(), result;

		say("# %s", calls[i].name);
		WANT(call(fd, calls[i].request, NULL), -EFAULT);
		WANT(call(fd, calls[i].request, (void *)~0xfffUL), -EFAULT);
		WANT(call(fd, calls[i].request, edge), -EFAULT);
		for (unsigned size = 0; size < 4; size++) {
			memset(&argument, 0, sizeof(argument));
			argument.words[0] = size;
			WANT(call(fd, calls[i].request, &argument), -EINVAL);
		}
		/* The size reaches into memory that cannot be read. */
		*(uint32_t *)(edge - 8) = calls[i].size + 64;
		*(uint32_t *)(edge - 4) = 0;
		WANT(call(fd, calls[i].request, edge - 8), -EFAULT);
		/* A tail that is not zero, near and far. */
		memset(&argument, 0, sizeof(argument));
		argument.words[0] = calls[i].size + 8;
		argument.bytes[calls[i].size + 7] = 1;
		WANT(call(fd, calls[i].request, &argument), -E2BIG);
		argument.bytes[calls[i].size + 7] = 0;
		argument.words[0] = 4096;
		argument.bytes[4095] = 1;
		WANT(call(fd, calls[i].request, &argument), -E2BIG);
		argument.words[0] = 0xffffffff;
		EITHER(call(fd, calls[i].request, &argument), -E2BIG, -EFAULT);
		/* Every unknown flag. */
		int known = calls[i].request == CKPT_CHECKPOINT ? 4 : 2;
		for (int bit = known; bit < 32; bit++) {
			memset(&argument, 0, sizeof(argument));
			argument.words[0] = calls[i].size;
			argument.words[1] = 1u << bit;
			result = call(fd, calls[i].request, &argument);
			/* A call that the stage does not allow may say that first. */
			if (calls[i].early)
				WANT(result, -EINVAL);
			else
				EITHER(result, -EINVAL, -EBUSY);
		}
		/* In a new session nothing but these is allowed. */
		memset(&argument, 0, sizeof(argument));
		argument.words[0] = calls[i].size;
		if (!calls[i].early)
			WANT(call(fd, calls[i].request, &argument), -EBUSY);
		close(fd);
	}
	struct {
		struct ckpt_info info;
		uint8_t tail[512];
	} longer = { .info.size = sizeof(longer) };
	int fd = session();

	WANT(call(fd, CKPT_INFO, &longer), 0);
	WANT(longer.info.abi_version, CKPT_ABI_VERSION);
	WANT(longer.info.page_size, (int)PAGE);
	/* Shorter than the first version. */
	uint32_t shorter[4] = { 12, 0, 0, 0x55555555 };

	WANT(call(fd, CKPT_INFO, shorter), -EINVAL);
	WANT(shorter[2], 0);
	close(fd);
}

static struct ckpt_attach attach_to(pid_t pid)
{
	return (struct ckpt_attach){ .size = sizeof(struct ckpt_attach), .pidfd = -1, .pid = pid };
}

static void attaching(pid_t pid)
{
	int fd = session(), file = open("/dev/null", O_RDWR);
	struct ckpt_attach attach;

	attach = attach_to(2); /* kthreadd */
	WANT(call(fd, CKPT_ATTACH, &attach), -EINVAL);
	attach = attach_to(getpid());
	WANT(call(fd, CKPT_ATTACH, &attach), -EINVAL);
	attach = attach_to(4194303);
	WANT(call(fd, CKPT_ATTACH, &attach), -ESRCH);
	attach = attach_to(0x7fffffff);
	WANT(call(fd, CKPT_ATTACH, &attach), -ESRCH);
	attach = attach_to(-5);
	EITHER(call(fd, CKPT_ATTACH, &attach), -ESRCH, -EINVAL);
	attach = attach_to(0);
	EITHER(call(fd, CKPT_ATTACH, &attach), -ESRCH, -EINVAL);
	attach = attach_to(pid);
	attach.scope = 77;
	WANT(call(fd, CKPT_ATTACH, &attach), -EINVAL);
	attach = attach_to(pid);
	attach.reserved = 1;
	WANT(call(fd, CKPT_ATTACH, &attach), -EINVAL);
	attach = attach_to(0);
	attach.pidfd = file; /* no pidfd */
	WANT(call(fd, CKPT_ATTACH, &attach), -EBADF);
	attach.pidfd = 999;
	WANT(call(fd, CKPT_ATTACH, &attach), -EBADF);
	attach.pidfd = fd;
	WANT(call(fd, CKPT_ATTACH, &attach), -EBADF);
	/* The failures have left the session as it was. */
	attach = attach_to(pid);
	WANT(call(fd, CKPT_ATTACH, &attach), 0);
	WANT(call(fd, CKPT_ATTACH, &attach), -EBUSY);
	struct ckpt_thaw thaw = { .size = sizeof(thaw) };
	struct ckpt_restart_begin begin = { .size = sizeof(begin), .fd = file };
	struct ckpt_checkpoint checkpoint = { .size = sizeof(checkpoint), .fd = file, .pidfd = -1, .pid = pid };
	struct ckpt_freeze freeze = { .size = sizeof(freeze) };

	WANT(call(fd, CKPT_THAW, &thaw), -EBUSY);
	WANT(call(fd, CKPT_RESTART_BEGIN, &begin), -EBUSY);
	EITHER(call(fd, CKPT_CHECKPOINT, &checkpoint), -EINVAL, -EBUSY);
	/* Twice in a row, frozen in one session and tried in another. */
	WANT(call(fd, CKPT_FREEZE, &freeze), 0);
	WANT(call(fd, CKPT_FREEZE, &freeze), -EBUSY);
	WANT(call(fd, CKPT_THAW, &thaw), 0);
	WANT(call(fd, CKPT_THAW, &thaw), -EBUSY);
	WANT(call(fd, CKPT_FREEZE, &freeze), 0);
	close(fd);
	close(file);
}

static void checkpointing(pid_t pid)
{
	struct ckpt_checkpoint good = { .size = sizeof(good), .fd = -1, .pidfd = -1, .pid = pid, .timeout_ms = 2000 }, c;
	int read_only = open("/dev/null", O_RDONLY), write_only = open("/dev/null", O_WRONLY), pipes[2], fd;
	int path = open("/", O_PATH);

	CHECK(pipe(pipes) == 0);
	fd = session();
	c = good;
	WANT(call(fd, CKPT_CHECKPOINT, &c), -EBADF);
	c.fd = 999;
	WANT(call(fd, CKPT_CHECKPOINT, &c), -EBADF);
	c.fd = read_only;
	WANT(call(fd, CKPT_CHECKPOINT, &c), -EBADF);
	c.fd = path;
	WANT(call(fd, CKPT_CHECKPOINT, &c), -EBADF);
	c.fd = pipes[0];
	WANT(call(fd, CKPT_CHECKPOINT, &c), -EBADF);
	c = good;
	c.fd = write_only;
	c.flags = CKPT_CHECKPOINT_KILL | CKPT_CHECKPOINT_STOP;
	WANT(call(fd, CKPT_CHECKPOINT, &c), -EINVAL);
	c = good;
	c.fd = write_only;
	c.scope = 77;
	WANT(call(fd, CKPT_CHECKPOINT, &c), -EINVAL);
	/* The session itself: it has no write. */
	c = good;
	c.fd = fd;
	WANT(call(fd, CKPT_CHECKPOINT, &c) < 0, 1);
	close(fd);
	/* A pipe without a reader. */
	signal(SIGPIPE, SIG_IGN);
	close(pipes[0]);
	fd = session();
	c = good;
	c.fd = pipes[1];
	WANT(call(fd, CKPT_CHECKPOINT, &c), -EPIPE);
	close(fd);
	close(pipes[1]);
	/* A pipe that nobody empties, without blocking. */
	CHECK(pipe(pipes) == 0 && fcntl(pipes[1], F_SETFL, O_NONBLOCK) == 0);
	fd = session();
	c.fd = pipes[1];
	WANT(call(fd, CKPT_CHECKPOINT, &c), -EAGAIN);
	close(fd);
	close(pipes[0]);
	close(pipes[1]);
	/* Exactly what a good call does. */
	fd = session();
	c = good;
	c.fd = memfd_create("statefile", 0);
	WANT(call(fd, CKPT_CHECKPOINT, &c), 0);
	WANT(c.bytes > 1000 && c.pages > 0 && c.tasks == 1, 1);
	WANT(lseek(c.fd, 0, SEEK_CUR), (int)c.bytes);
	close(c.fd);
	close(fd);
	close(read_only);
	close(write_only);
	close(path);
}

/* No policies, some without a NUL at the end; the last one is one. */
#define POLICY(text) { text, sizeof(text) - 1 }
static const struct {
	const char *text;
	uint32_t size;
} policies[] = {
	POLICY("\0"), POLICY("a=close"), POLICY("a=close\0\0"), POLICY("=close\0"), POLICY("close\0"), POLICY("a=shut\0"),
	POLICY("a=replace:\0"), POLICY("a=replace:b\0"), POLICY("a=close\0b\0"), POLICY("a=\0"), POLICY("*=close\0b=replace:/c\0"),
};

static void deciding(pid_t pid)
{
	struct ckpt_policies good = { .size = sizeof(good) }, p;
	const unsigned count = sizeof(policies) / sizeof(policies[0]);
	int fd = session();
	char *stars;

	(void)pid;
	WANT(call(fd, CKPT_POLICIES, &good), 0);
	for (unsigned i = 0; i < count; i++) {
		p = good;
		p.texts = (uintptr_t)policies[i].text;
		p.texts_size = policies[i].size;
		WANT(call(fd, CKPT_POLICIES, &p), i == count - 1 ? 0 : -EINVAL);
	}
	p.flags = 1;
	WANT(call(fd, CKPT_POLICIES, &p), -EINVAL);
	p = good;
	p.reserved = 1;
	WANT(call(fd, CKPT_POLICIES, &p), -EINVAL);
	p = good;
	p.texts_size = CKPT_POLICIES_MAX + 1;
	WANT(call(fd, CKPT_POLICIES, &p), -EINVAL);
	p.texts_size = 8;
	p.texts = 8;
	WANT(call(fd, CKPT_POLICIES, &p), -EFAULT);
	/* As many as there may be, each hard to fit. */
	stars = malloc(CKPT_POLICIES_MAX);
	CHECK(stars);
	memset(stars, '*', CKPT_POLICIES_MAX);
	for (unsigned at = 4000; at <= CKPT_POLICIES_MAX; at += 4000)
		memcpy(stars + at - 7, "x=close", 8);
	p.texts = (uintptr_t)stars;
	p.texts_size = CKPT_POLICIES_MAX / 4000 * 4000 + 1;
	WANT(call(fd, CKPT_POLICIES, &p), 0);
	free(stars);
	close(fd);
}

static void reading(pid_t pid)
{
	struct ckpt_attach attach = attach_to(4194303);
	struct ckpt_message *message;
	char buffer[CKPT_MESSAGE_MAX];
	struct pollfd poll_fd;
	int fd = session();
	ssize_t length;

	(void)pid;
	WANT(read(fd, buffer, sizeof(buffer)), 0);
	WANT(call(fd, CKPT_ATTACH, &attach), -ESRCH);
	WANT(read(fd, buffer, 8) < 0 ? -errno : 0, -EINVAL);
	length = read(fd, buffer, sizeof(buffer));
	message = (void *)buffer;
	WANT(length >= (ssize_t)sizeof(*message), 1);
	if (length >= (ssize_t)sizeof(*message)) {
		WANT(message->stage, CKPT_STAGE_ATTACH);
		WANT(message->severity, CKPT_SEVERITY_ERROR);
		WANT(message->error, ESRCH);
		WANT(message->size % 8 == 0 && message->size <= length && message->text_len > 3, 1);
	}
	WANT(read(fd, buffer, sizeof(buffer)), 0);
	WANT(syscall(SYS_read, fd, NULL, sizeof(buffer)) <= 0, 1);
	WANT(write(fd, buffer, 10), -1);
	WANT(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED, 1);
	poll_fd = (struct pollfd){ .fd = fd, .events = POLLIN };
	poll(&poll_fd, 1, 0);
	close(fd);
}

/* No answers to anything, some without a NUL at the end. */
#define EXTERNAL(text) { text, sizeof(text) - 1 }
static const struct {
	const char *text;
	uint32_t size;
} externals[] = {
	EXTERNAL("\0"), EXTERNAL("veth[a]=b"), EXTERNAL("veth[a]=\0"), EXTERNAL("veth[a]=a/b\0"), EXTERNAL("veth[a]=%d\0"),
	EXTERNAL("veth[a]=sixteen_letters_\0"), EXTERNAL("mnt[a]=/b\0"), EXTERNAL("mnt[/a]=b\0"), EXTERNAL("veth[a]=b\0dev[a]=b\0"),
	EXTERNAL("veth[a]=b\0\0"), EXTERNAL("veth[a]=..\0"), EXTERNAL("veth[a=b\0"), EXTERNAL("veth[a]=b\0"),
};

static void restarting(const char *statefile)
{
	struct ckpt_restart_begin begin = { .size = sizeof(begin) }, b;
	struct ckpt_restart_prologue prologue = { .size = sizeof(prologue) };
	struct ckpt_restart_user_ns user_ns = { .size = sizeof(user_ns) };
	struct ckpt_restart_task task = { .size = sizeof(task), .index = 5 };
	struct ckpt_restart_end end = { .size = sizeof(end), .flags = CKPT_RESTART_END_ABORT };
	int file = open(statefile, O_RDONLY), write_only = open("/dev/null", O_WRONLY), empty = memfd_create("empty", 0);
	int directory = open("/", O_RDONLY), fd = session(), status;
	struct ckpt_tree tree[4];
	pid_t child;

	CHECK(file >= 0);
	b = begin;
	b.fd = file;
	b.external_size = 1 << 20;
	WANT(call(fd, CKPT_RESTART_BEGIN, &b), -EINVAL);
	b.external_size = 10;
	b.external = 8;
	WANT(call(fd, CKPT_RESTART_BEGIN, &b), -EFAULT);
	for (size_t i = 0; i < sizeof(externals) / sizeof(externals[0]); i++) {
		b.external = (uintptr_t)externals[i].text;
		b.external_size = externals[i].size;
		WANT(call(fd, CKPT_RESTART_BEGIN, &b), -EINVAL);
	}
	b = begin;
	b.fd = -1;
	WANT(call(fd, CKPT_RESTART_BEGIN, &b), -EBADF);
	b.fd = write_only;
	WANT(call(fd, CKPT_RESTART_BEGIN, &b), -EBADF);
	close(fd);
	fd = session();
	b.fd = empty;
	WANT(call(fd, CKPT_RESTART_BEGIN, &b), -ENODATA);
	close(fd);
	fd = session();
	b.fd = directory;
	WANT(call(fd, CKPT_RESTART_BEGIN, &b) < 0, 1);
	close(fd);
	fd = session();
	b.fd = fd; /* the session itself: no messages, so it ends at once */
	WANT(call(fd, CKPT_RESTART_BEGIN, &b) < 0, 1);
	close(fd);

	fd = session();
	b.fd = file;
	WANT(call(fd, CKPT_RESTART_BEGIN, &b), 0);
	WANT(b.tasks, 1);
	WANT(call(fd, CKPT_RESTART_BEGIN, &b), -EBUSY);
	prologue.tree = 0;
	prologue.capacity = 4;
	WANT(call(fd, CKPT_RESTART_PROLOGUE, &prologue), -EFAULT);
	prologue.tree = (uintptr_t)tree;
	prologue.capacity = 0;
	WANT(call(fd, CKPT_RESTART_PROLOGUE, &prologue), -EINVAL);
	prologue.capacity = 4;
	WANT(call(fd, CKPT_RESTART_PROLOGUE, &prologue), 0);
	WANT(prologue.tasks, 1);
	WANT(tree[0].pid > 1 && (tree[0].flags & CKPT_TREE_LEADER), 1);
	/* User namespaces that the statefile does not have, or that are none. */
	user_ns.number = 1;
	user_ns.fd = open("/proc/self/ns/user", O_RDONLY);
	WANT(call(fd, CKPT_RESTART_USER_NS, &user_ns), -EINVAL);
	user_ns.number = 0;
	WANT(call(fd, CKPT_RESTART_USER_NS, &user_ns), -EINVAL);
	user_ns.flags = ~0u;
	WANT(call(fd, CKPT_RESTART_USER_NS, &user_ns), -EINVAL);
	user_ns.flags = CKPT_RESTART_USER_NS_OWNS_CHILDREN;
	WANT(call(fd, CKPT_RESTART_USER_NS, &user_ns), -EINVAL);
	close(user_ns.fd);
	for (user_ns.fd = -1; user_ns.number < 2; user_ns.number++)
		WANT(call(fd, CKPT_RESTART_USER_NS, &user_ns), -EINVAL);
	user_ns.flags = 0;
	WANT(call(fd, CKPT_RESTART_USER_NS, &user_ns), -EBADF);
	/* A task that does not exist, and one that is not the caller's: refused before anything changes. */
	child = fork();
	if (child == 0) {
		int result = call(fd, CKPT_RESTART_TASK, &task);

		if (result >= 0)
			_exit(1);
		task.index = 0;
		_exit(call(fd, CKPT_RESTART_TASK, &task) < 0 ? 0 : 2);
	}
	CHECK(waitpid(child, &status, 0) == child);
	/* The wrong pid may also be noticed too late to return. */
	WANT(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL), 1);
	WANT(call(fd, CKPT_RESTART_END, &end) <= 0, 1);
	close(fd);

	/* Somebody waits for tasks that never come, and is killed; then the session is closed under nobody. */
	CHECK(lseek(file, 0, SEEK_SET) == 0);
	fd = session();
	WANT(call(fd, CKPT_RESTART_BEGIN, &b), 0);
	child = fork();
	if (child == 0) {
		end.flags = 0;
		_exit(call(fd, CKPT_RESTART_END, &end) < 0 ? 0 : 1);
	}
	sleep_ms(100);
	kill(child, SIGKILL);
	CHECK(waitpid(child, &status, 0) == child);
	WANT(WIFSIGNALED(status) || status == 0, 1);
	close(fd);
	close(file);
	close(write_only);
	close(empty);
	close(directory);
}

static int shared_session;
static pid_t victim;
static volatile bool enough;

static void *hammer(void *argument)
{
	uint64_t state = (uintptr_t)argument * 77 + 1;
	struct ckpt_freeze freeze = { .size = sizeof(freeze), .timeout_ms = 1000 };
	struct ckpt_thaw thaw = { .size = sizeof(thaw) };
	struct ckpt_check check = { .size = sizeof(check) };
	struct ckpt_attach attach = attach_to(victim);
	struct ckpt_checkpoint checkpoint = { .size = sizeof(checkpoint), .pidfd = -1, .timeout_ms = 1000 };
	char buffer[CKPT_MESSAGE_MAX];
	int file = memfd_create("statefile", 0);

	checkpoint.fd = file;
	while (!enough) {
		switch (next_random(&state) % 6) {
		case 0:
			ioctl(shared_session, CKPT_FREEZE, &freeze);
			break;
		case 1:
			ioctl(shared_session, CKPT_THAW, &thaw);
			break;
		case 2:
			ioctl(shared_session, CKPT_CHECK, &check);
			break;
		case 3:
			ioctl(shared_session, CKPT_ATTACH, &attach);
			break;
		case 4:
			/* Only an attached session: with pid 0 this would save the caller. */
			checkpoint.pid = 0;
			ioctl(shared_session, CKPT_CHECKPOINT, &checkpoint);
			(void)!ftruncate(file, 0);
			lseek(file, 0, SEEK_SET);
			break;
		default:
			if (read(shared_session, buffer, sizeof(buffer)) < 0 && errno != EINVAL)
				wrong++;
		}
	}
	close(file);
	return NULL;
}

/* Four threads at one session, in no order; afterwards the target must be able to go on. */
static void many_threads(pid_t pid)
{
	struct ckpt_attach attach = attach_to(pid);
	pthread_t threads[4];

	victim = pid;
	shared_session = session();
	WANT(call(shared_session, CKPT_ATTACH, &attach), 0);
	for (uintptr_t i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, hammer, (void *)i) == 0);
	sleep_ms(1500);
	enough = true;
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	close(shared_session);
}

/* The freeze lives as long as the last descriptor of the session. */
static void inherited_session(pid_t pid)
{
	struct ckpt_attach attach = attach_to(pid);
	struct ckpt_freeze freeze = { .size = sizeof(freeze) };
	int fd = session(), pipes[2], status;
	pid_t child;
	char byte;

	CHECK(pipe(pipes) == 0);
	WANT(call(fd, CKPT_ATTACH, &attach), 0);
	WANT(call(fd, CKPT_FREEZE, &freeze), 0);
	child = fork();
	if (child == 0) {
		close(pipes[1]);
		_exit(read(pipes[0], &byte, 1) != 0);
	}
	close(fd);
	/* Still held by the child. */
	fd = session();
	WANT(call(fd, CKPT_ATTACH, &attach) == 0 ? call(fd, CKPT_FREEZE, &freeze) : -EBUSY, -EBUSY);
	close(fd);
	close(pipes[1]);
	close(pipes[0]);
	CHECK(waitpid(child, &status, 0) == child);
	WANT(status, 0);
	/* Free again. */
	fd = session();
	WANT(call(fd, CKPT_ATTACH, &attach), 0);
	WANT(call(fd, CKPT_FREEZE, &freeze), 0);
	close(fd);
}

int main(int argc, char **argv)
{
	pid_t pid;

	CHECK(argc == 3);
	pid = atoi(argv[1]);
	say("ready");
	unknown_numbers();
	common_rules();
	attaching(pid);
	reading(pid);
	deciding(pid);
	checkpointing(pid);
	restarting(argv[2]);
	inherited_session(pid);
	many_threads(pid);
	say("%d checks, %d wrong", checked, wrong);
	if (wrong)
		fail("%d answers differ from the contract", wrong);
	pass();
}
