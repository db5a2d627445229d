// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind landlock: what a program has denied itself stays denied, and nothing else is. Usage: landlock_kept VARIANT
 * Variants: layers (two with different masks, files opened before and between them), threads (without a domain, with one in
 * common, with one of their own on top of that), dropped (enforced with CAP_SYS_ADMIN, which is gone), limit (no descriptor
 * free), log (only the log is off), deepest (sixteen layers), exec (enforced before an execve).
 * Another use: landlock_kept within COMMAND... enforces a layer and runs the command.
 */
#include "target.h"

#include <arpa/inet.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* What the C library's headers may not have yet. */
#define FS_MAKE_DIR (1ULL << 7)
#define FS_MAKE_SOCK (1ULL << 9)
#define FS_READ_FILE (1ULL << 2)
#define FS_READ_DIR (1ULL << 3)
#define FS_TRUNCATE (1ULL << 14)
#define NET_BIND_TCP (1ULL << 0)
#define SCOPE_ABSTRACT (1ULL << 0)
#define SCOPE_SIGNAL (1ULL << 1)
#define LOG_SUBDOMAINS_OFF (1U << 2)

static long restrict_self(int ruleset, unsigned flags)
{
	return syscall(SYS_landlock_restrict_self, ruleset, flags);
}

static void enforce(uint64_t fs, uint64_t net, uint64_t scoped, unsigned flags)
{
	uint64_t attribute[3] = { fs, net, scoped };
	int ruleset = syscall(SYS_landlock_create_ruleset, attribute, sizeof(attribute), 0);

	if (ruleset < 0)
		skip("no landlock: errno %d", errno);
	CHECK(restrict_self(ruleset, flags) == 0);
	close(ruleset);
}

static void no_new_privs(void)
{
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
}

/* Errno of an attempt, 0 when it succeeds. */
static int opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int binds(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), error;

	CHECK(fd >= 0);
	error = bind(fd, (void *)&address, sizeof(address)) == 0 ? 0 : errno;
	close(fd);
	return error;
}

static int makes_directory(void)
{
	if (mkdir("made", 0700) == -1)
		return errno;
	CHECK(rmdir("made") == 0);
	return 0;
}

static int signals_parent(void)
{
	return kill(getppid(), 0) == 0 ? 0 : errno;
}

static int truncates(int fd)
{
	return ftruncate(fd, 0) == 0 ? 0 : errno;
}

/* Nobody has the last layer for a directory: a layer more is noticed. */
static void disturb(void)
{
	if (disturbed())
		enforce(FS_MAKE_DIR, 0, 0, 0);
}

static void layers(void)
{
	int before = open("before", O_RDWR | O_CREAT | O_CLOEXEC, 0600), between, null;

	CHECK(before >= 0);
	no_new_privs();
	enforce(FS_READ_DIR | FS_TRUNCATE | 1ULL << 15 /* IOCTL_DEV */, NET_BIND_TCP, 0, 0);
	between = open("between", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	CHECK(between >= 0 && null >= 0);
	enforce(FS_READ_FILE, 0, SCOPE_SIGNAL, 1 << 1 /* LOG_NEW_EXEC_ON */);
	ready();
	for (int turn = 0; turn < 2; turn++) {
		if (turn == 1) {
			wait_go();
			disturb();
		}
		CHECK_EQ(opens("before", O_RDONLY), EACCES);
		CHECK_EQ(opens("before", O_WRONLY), 0);
		CHECK_EQ(opens(".", O_RDONLY | O_DIRECTORY), EACCES);
		CHECK_EQ(binds(), EACCES);
		CHECK_EQ(makes_directory(), 0);
		CHECK_EQ(signals_parent(), EPERM);
		CHECK_EQ(kill(getpid(), 0), 0);
		/* Who was open before it all may be truncated; who was opened under the first layer may not. */
		CHECK_EQ(truncates(before), 0);
		CHECK_EQ(truncates(between), EACCES);
		CHECK_EQ(write(between, "x", 1), 1);
		/* An ioctl that reaches the driver says ENOTTY. */
		CHECK(ioctl(null, 0x4711) == -1);
		CHECK_EQ(errno, EACCES);
		CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	}
	pass();
}

/* Sockets with abstract names: who may connect to whom says who is in whose domain. */
enum { FREE, FIRST, SECOND, NESTED, WHO };
static pthread_barrier_t barrier;
static int listeners[WHO];

static void address_of(struct sockaddr_un *address, int who)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1, "landlock-%d-%d", getpid(), who);
}

static int connects(int who)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), error;

	CHECK(fd >= 0);
	address_of(&address, who);
	error = connect(fd, (void *)&address, sizeof(address)) == 0 ? 0 : errno;
	close(fd);
	return error;
}

static void meet(int me)
{
	static const int expected[WHO][WHO] = {
		[FREE] = { 0, 0, 0, 0 },
		[FIRST] = { EPERM, 0, 0, 0 },
		[SECOND] = { EPERM, 0, 0, 0 },
		[NESTED] = { EPERM, EPERM, EPERM, 0 },
	};
	struct sockaddr_un address;

	pthread_barrier_wait(&barrier);
	if (me == FREE)
		ready();
	wait_go();
	if (me == FREE)
		disturb();
	listeners[me] = socket(AF_UNIX, SOCK_STREAM, 0);
	address_of(&address, me);
	CHECK(bind(listeners[me], (void *)&address, sizeof(address)) == 0 && listen(listeners[me], 9) == 0);
	pthread_barrier_wait(&barrier);
	for (int who = 0; who < WHO; who++) {
		int error = connects(who);

		if (error != expected[me][who])
			fail("thread %d to %d: errno %d, not %d", me, who, error, expected[me][who]);
	}
	CHECK_EQ(opens("/proc/self/status", O_RDONLY), me == FREE ? 0 : EACCES);
	CHECK_EQ(opens(".", O_RDONLY | O_DIRECTORY), me == NESTED ? EACCES : 0);
	CHECK_EQ(signals_parent(), me == NESTED ? EPERM : 0);
	if (me == FREE)
		CHECK_EQ(makes_directory(), 0);
	/* Within one process, signals pass. */
	CHECK_EQ(kill(getpid(), 0), 0);
	pthread_barrier_wait(&barrier);
}

static void *second(void *argument)
{
	meet((uintptr_t)argument);
	return NULL;
}

static void *first(void *argument)
{
	pthread_t threads[2];

	no_new_privs();
	enforce(FS_READ_FILE, 0, SCOPE_ABSTRACT, 0);
	CHECK(pthread_create(&threads[0], NULL, second, (void *)(uintptr_t)SECOND) == 0);
	CHECK(pthread_create(&threads[1], NULL, argument, NULL) == 0);
	meet(FIRST);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return NULL;
}

static void *nested(void *argument)
{
	(void)argument;
	enforce(FS_READ_DIR, 0, SCOPE_ABSTRACT | SCOPE_SIGNAL, 0);
	meet(NESTED);
	return NULL;
}

static void threads(void)
{
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, WHO);
	CHECK(pthread_create(&thread, NULL, first, nested) == 0);
	meet(FREE);
	pthread_join(thread, NULL);
	pass();
}

/* Denies itself reading, waits, looks. */
static void simple(void)
{
	ready();
	wait_go();
	disturb();
	CHECK_EQ(opens("/etc/passwd", O_RDONLY), EACCES);
	CHECK_EQ(makes_directory(), 0);
	pass();
}

static void dropped(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	uint32_t caps[6] = { 0 };

	enforce(FS_READ_FILE, 0, 0, 0);
	CHECK(syscall(SYS_capset, &header, caps) == 0);
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	simple();
}

static void limit(void)
{
	struct rlimit none = { 0, 0 };

	no_new_privs();
	enforce(FS_READ_FILE, 0, 0, 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
	ready();
	wait_go();
	disturb();
	CHECK_EQ(opens("/etc/passwd", O_RDONLY), EMFILE);
	CHECK(getrlimit(RLIMIT_NOFILE, &none) == 0);
	CHECK_EQ(none.rlim_cur | none.rlim_max, 0);
	CHECK_EQ(makes_directory(), 0);
	pass();
}

static void log_off(void)
{
	no_new_privs();
	CHECK(restrict_self(-1, LOG_SUBDOMAINS_OFF) == 0);
	ready();
	wait_go();
	disturb();
	CHECK_EQ(makes_directory(), 0);
	pass();
}

static void deepest(void)
{
	no_new_privs();
	for (int i = 0; i < 16; i++)
		enforce(FS_READ_FILE, 0, 0, 0);
	simple();
}

int main(int argc, char **argv)
{
	const char *variant = argc > 1 ? argv[1] : "";

	if (strcmp(variant, "within") == 0) {
		enforce(FS_MAKE_SOCK, 0, 0, 0);
		execvp(argv[2], argv + 2);
		fail("execvp: errno %d", errno);
	}
	if (strcmp(variant, "exec") == 0) {
		no_new_privs();
		enforce(FS_READ_DIR, 0, 0, 0);
		enforce(FS_READ_DIR, 0, 0, 1 << 1 /* LOG_NEW_EXEC_ON */);
		execl("/proc/self/exe", argv[0], "after", NULL);
		fail("execl: errno %d", errno);
	}
	if (strcmp(variant, "after") == 0) {
		enforce(FS_READ_FILE, 0, 0, LOG_SUBDOMAINS_OFF);
		enforce(FS_READ_FILE, 0, 0, 0);
		simple();
	}
	if (strcmp(variant, "layers") == 0)
		layers();
	if (strcmp(variant, "threads") == 0)
		threads();
	if (strcmp(variant, "dropped") == 0)
		dropped();
	if (strcmp(variant, "limit") == 0)
		limit();
	if (strcmp(variant, "log") == 0)
		log_off();
	if (strcmp(variant, "deepest") == 0)
		deepest();
	fail("unknown variant");
}
