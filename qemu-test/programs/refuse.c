// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Holds one thing that cannot be saved, chosen by name, and says in lines "expect WORD" what a refusal has to name
 * ("a|b": one of them). It goes on when it is told to and checks that the thing still works. Usage: refuse KIND
 */
#include "unix_socket.h"
#include "uring.h"

#include <arpa/inet.h>
#include <grp.h>
#include <linux/fuse.h>
#include <linux/aio_abi.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <mqueue.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>

#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self 446
#endif

static void expect_fd(int fd)
{
	if (fd < 0)
		skip("cannot be made here: errno %d", errno);
	say("expect fd %d", fd);
}

static void expect_address(const void *address)
{
	if (address == MAP_FAILED)
		skip("cannot be made here: errno %d", errno);
	say("expect %lx", (unsigned long)address);
}

static void hold(void)
{
	ready();
	wait_go();
}

static void socket_listening(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0), backlog;

	CHECK(bind(fd, (void *)&address, sizeof(address)) == 0 && listen(fd, 5) == 0);
	say("expect socket");
	expect_fd(fd);
	hold();
	socklen_t length = sizeof(backlog);
	CHECK(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &backlog, &length) == 0);
	CHECK_EQ(backlog, 1);
}

/*
 * Somebody outside of the target: a sibling that ends when told, or with SIGKILL. It closes a descriptor (-1: none), and says so by
 * the pipe @done, if there is one.
 */
static pid_t outsider_of(uint64_t flags, int close_fd, const int *done)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
	} arguments = { .flags = CLONE_PARENT | flags };
	pid_t sibling = syscall(SYS_clone3, &arguments, sizeof(arguments));

	CHECK(sibling >= 0);
	if (sibling == 0) {
		if (close_fd >= 0)
			close(close_fd);
		if (done)
			CHECK(write(done[1], "x", 1) == 1 && close(done[0]) == 0 && close(done[1]) == 0);
		while (!go_given())
			sleep_ms(20);
		_exit(0);
	}
	return sibling;
}

static pid_t outsider(uint64_t flags)
{
	return outsider_of(flags, -1, NULL);
}

static pid_t outsider_with(int close_fd, const int *done)
{
	return outsider_of(0, close_fd, done);
}

/* Ends it, and waits until it has: it is nobody's child here. */
static void end_outsider(pid_t sibling)
{
	struct pollfd ended = { .fd = syscall(SYS_pidfd_open, sibling, 0), .events = POLLIN };

	CHECK(kill(sibling, SIGKILL) == 0);
	CHECK_EQ(poll(&ended, 1, 10000), 1);
	close(ended.fd);
}

static void socket_held_by_another(void)
{
	int fds[2];
	char byte;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	pid_t sibling = outsider(0);
	say("expect Unix socket that another process holds");
	expect_fd(fds[0]);
	expect_fd(fds[1]);
	hold();
	CHECK(write(fds[0], "x", 1) == 1 && read(fds[1], &byte, 1) == 1);
	end_outsider(sibling);
}

static void socket_peer_outside(void)
{
	int fds[2], done[2];
	char byte;

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) == 0 && pipe(done) == 0);
	pid_t sibling = outsider_with(fds[0], done);
	CHECK(close(fds[1]) == 0 && close(done[1]) == 0 && read(done[0], &byte, 1) == 1 && close(done[0]) == 0);
	say("expect Unix socket whose peer is outside");
	expect_fd(fds[0]);
	hold();
	/* It goes when it is told to, as well. */
	CHECK(send(fds[0], "x", 1, MSG_NOSIGNAL) == 1 || errno == EPIPE);
	end_outsider(sibling);
}

/* An address, and a socket that is bound to it; of the outsider, which keeps the first one of the pair for messages. */
static int outsiders_socket(const char *path, int type, int connects)
{
	struct name at = name(path);
	int done[2], fd = -1;
	char byte;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, done) == 0);
	if (connects) {
		fd = listen_at(&at, type, 5);
	}
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
	} arguments = { .flags = CLONE_PARENT };
	pid_t sibling = syscall(SYS_clone3, &arguments, sizeof(arguments));
	CHECK(sibling >= 0);
	if (sibling == 0) {
		if (connects) {
			close(fd);
			connect_to(&at, type);
		} else {
			fd = bound_at(&at, type);
			if (type != SOCK_DGRAM)
				CHECK(listen(fd, 5) == 0);
		}
		CHECK_EQ(write(done[1], "x", 1), 1);
		close(done[0]), close(done[1]);
		while (!go_given())
			sleep_ms(20);
		_exit(0);
	}
	close(done[1]);
	CHECK_EQ(read(done[0], &byte, 1), 1);
	close(done[0]);
	return connects ? fd : connect_to(&at, type);
}

static void socket_server_outside(void)
{
	int fd = outsiders_socket("outside", SOCK_STREAM, 0);

	say("expect Unix socket whose peer is outside");
	expect_fd(fd);
	hold();
	struct name outside = name("outside");
	check_name(fd, 1, &outside);
}

static void socket_client_outside(void)
{
	int fd = outsiders_socket("inside", SOCK_STREAM, 1);

	say("expect Unix socket at which somebody outside");
	expect_fd(fd);
	hold();
	CHECK(accept(fd, NULL, NULL) >= 0);
}

static void socket_datagrams_outside(void)
{
	int fd = outsiders_socket("outside", SOCK_DGRAM, 0);

	say("expect Unix socket whose peer is outside");
	expect_fd(fd);
	hold();
	struct name outside = name("outside");
	check_name(fd, 1, &outside);
}

static void socket_carries_another_family(void)
{
	int fds[2], other = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	give_files(fds[0], "other", &other, 1);
	close(other);
	say("expect socket of another family");
	expect_fd(fds[1]);
	hold();
	take_files(fds[1], "other", &other, 1);
	CHECK(listen(other, 1) == 0);
}

static void socket_carries_what_another_holds(void)
{
	int fds[2], ends[2], got;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0 && pipe(ends) == 0);
	pid_t sibling = outsider_with(fds[1], NULL);
	give_files(fds[0], "end", &ends[1], 1);
	close(ends[1]);
	close(fds[0]);
	say("expect pipe that another process holds");
	expect_fd(fds[1]);
	expect_fd(ends[0]);
	hold();
	take_files(fds[1], "end", &got, 1);
	end_outsider(sibling);
}

static void fifo(void)
{
	pid_t sibling;
	int fd;

	CHECK(mkfifo("fifo", 0600) == 0);
	fd = open("fifo", O_RDWR);
	sibling = outsider(0);
	say("expect fifo|pipe");
	expect_fd(fd);
	hold();
	CHECK(write(fd, "x", 1) == 1);
	CHECK(kill(sibling, SIGKILL) == 0);
}

/* Somebody outside of the target has the file, too. */
static void shared_outside(int fd, const char *name)
{
	pid_t sibling;

	CHECK(fd >= 0);
	sibling = outsider(0);
	say("expect %s", name);
	expect_fd(fd);
	hold();
	CHECK(kill(sibling, SIGKILL) == 0);
}

static void epoll(void)
{
	shared_outside(epoll_create1(0), "epoll");
}

static void event_fd(void)
{
	shared_outside(eventfd(7, 0), "eventfd");
}

static void timer_fd(void)
{
	shared_outside(timerfd_create(CLOCK_MONOTONIC, 0), "timerfd");
}

static void signal_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	shared_outside(signalfd(-1, &set, 0), "signalfd");
}

/* Of a child of somebody else, in a namespace of its own. */
static void namespace_fd(void)
{
	char path[64];
	pid_t sibling = outsider(CLONE_NEWUTS);
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/uts", sibling);
	fd = open(path, O_RDONLY);
	say("expect namespace in which no process of the target lives");
	expect_fd(fd);
	hold();
	CHECK(fcntl(fd, F_GETFD) >= 0);
}

static void file_of_proc(void)
{
	char path[64], text[16];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", getppid());
	fd = open(path, O_RDONLY);
	say("expect file of /proc of a process outside");
	expect_fd(fd);
	hold();
	CHECK(read(fd, text, sizeof(text)) > 0);
}

static void inotify(void)
{
	int fd = inotify_init1(0), file = open("removed", O_RDWR | O_CREAT, 0600);

	CHECK(inotify_add_watch(fd, "removed", IN_MODIFY) >= 0);
	CHECK(unlink("removed") == 0);
	say("expect inotify that watches a file without a name");
	expect_fd(fd);
	hold();
	CHECK(write(file, "x", 1) == 1);
	char buffer[256];
	CHECK(read(fd, buffer, sizeof(buffer)) > 0);
}

static void inotify_shared(void)
{
	shared_outside(inotify_init1(0), "inotify that another process holds");
}

/* The server of a file system with one file, names in which it wants to be asked for each time. */
__attribute__((noreturn)) static void serve(int fd)
{
	static char request[64 * 1024];
	const struct fuse_in_header *in = (void *)request;

	for (;;) {
		struct {
			struct fuse_out_header head;
			union {
				struct fuse_init_out init;
				struct fuse_entry_out entry;
				struct fuse_attr_out attr;
			};
		} out = {};
		const struct fuse_attr root = { .ino = FUSE_ROOT_ID, .mode = S_IFDIR | 0755, .nlink = 2 };
		const struct fuse_attr file = { .ino = 2, .mode = S_IFREG | 0644, .nlink = 1 };
		ssize_t n = read(fd, request, sizeof(request));

		if (n < 0 && (errno == EINTR || errno == ENOENT))
			continue;
		if (n < 0)
			_exit(0);
		out.head = (struct fuse_out_header){ .unique = in->unique, .len = sizeof(out.head) };
		switch (in->opcode) {
		case FUSE_INIT:
			out.init = (struct fuse_init_out){ .major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION };
			out.init.max_write = PAGE;
			out.head.len += sizeof(out.init);
			break;
		case FUSE_LOOKUP:
			out.entry.nodeid = file.ino;
			out.entry.attr = file;
			out.head.len += sizeof(out.entry);
			break;
		case FUSE_GETATTR:
			out.attr.attr = in->nodeid == FUSE_ROOT_ID ? root : file;
			out.head.len += sizeof(out.attr);
			break;
		case FUSE_FORGET:
		case FUSE_BATCH_FORGET:
		case FUSE_INTERRUPT:
			continue;
		default:
			out.head.error = -ENOSYS;
		}
		CHECK(write(fd, &out, out.head.len) > 0 || errno == ENOENT);
	}
}

/* The target's own server stands still when the target does: nobody must ask it then. */
static pid_t serve_in(const char *directory)
{
	int device = open("/dev/fuse", O_RDWR);
	char options[64];
	pid_t server;

	CHECK(device >= 0);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
	CHECK(mount("own", directory, "fuse", MS_NOSUID | MS_NODEV, options) == 0);
	server = fork();
	CHECK(server >= 0);
	if (server == 0)
		serve(device);
	say("expect device|/dev/fuse");
	expect_fd(device);
	return server;
}

static void end_server(pid_t server, const char *directory)
{
	CHECK(umount2(directory, MNT_DETACH) == 0);
	CHECK(kill(server, SIGKILL) == 0 && waitpid(server, NULL, 0) == server);
}

static void inotify_of_own_server(void)
{
	int fd = inotify_init1(0);
	pid_t server;

	CHECK(mkdir("served", 0700) == 0);
	server = serve_in("served");
	CHECK(inotify_add_watch(fd, "served/file", IN_MODIFY) >= 0);
	hold();
	CHECK(access("served/file", F_OK) == 0);
	end_server(server, "served");
}

/* A fanotify that watches a file. */
static int fanotify_of(unsigned int flags, const char *file, unsigned int how, uint64_t mask)
{
	int fd = fanotify_init(flags, O_RDONLY), made = open(file, O_RDWR | O_CREAT, 0600);

	if (fd < 0)
		skip("fanotify: errno %d", errno);
	CHECK(made >= 0 && close(made) == 0 && fanotify_mark(fd, FAN_MARK_ADD | how, mask, AT_FDCWD, file) == 0);
	return fd;
}

static void fanotify_refused(int fd, const char *why)
{
	int file = open("file", O_WRONLY);
	char buffer[512];

	say("expect %s", why);
	expect_fd(fd);
	hold();
	CHECK(file >= 0 && write(file, "x", 1) == 1 && read(fd, buffer, sizeof(buffer)) > 0);
}

static void fanotify_with_events(void)
{
	int fd = fanotify_of(FAN_REPORT_FID, "file", 0, FAN_MODIFY);

	CHECK(truncate("file", 2) == 0);
	fanotify_refused(fd, "fanotify with events that wait");
}

static void fanotify_of_descriptors(void)
{
	fanotify_refused(fanotify_of(FAN_CLASS_NOTIF, "file", 0, FAN_MODIFY), "fanotify of a kind that takes privileges");
}

static void fanotify_of_a_mount(void)
{
	int fd = fanotify_of(FAN_REPORT_FID, "file", 0, FAN_MODIFY);

	CHECK(mkdir("mounted", 0700) == 0 && mount("none", "mounted", "tmpfs", 0, NULL) == 0);
	CHECK(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_CLOSE_WRITE, AT_FDCWD, "mounted") == 0);
	fanotify_refused(fd, "fanotify with a mark of a mount or file system");
	CHECK(umount2("mounted", MNT_DETACH) == 0);
}

static void fanotify_that_forgets(void)
{
	int fd = fanotify_of(FAN_REPORT_FID, "file", 0, FAN_MODIFY);

	CHECK(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_ATTRIB, AT_FDCWD, "file") == 0);
	fanotify_refused(fd, "fanotify with an ignored mask that a modification ends");
}

static void fanotify_of_a_removed_file(void)
{
	int fd = fanotify_of(FAN_REPORT_FID, "file", 0, FAN_MODIFY), file;

	file = open("removed", O_RDWR | O_CREAT, 0600);
	CHECK(file >= 0 && fanotify_mark(fd, FAN_MARK_ADD, FAN_MODIFY, AT_FDCWD, "removed") == 0 && unlink("removed") == 0);
	fanotify_refused(fd, "fanotify that watches a file without a name");
	CHECK(close(file) == 0);
}

static void fanotify_shared(void)
{
	shared_outside(fanotify_of(FAN_REPORT_FID, "file", 0, FAN_MODIFY), "fanotify that another process holds");
}

static void covered_by_own_server(void)
{
	pid_t server;
	int fd;

	CHECK(mkdir("below", 0700) == 0);
	fd = open("below/file", O_RDWR | O_CREAT, 0600);
	server = serve_in("below");
	CHECK(access("below/file", F_OK) == 0);
	say("expect elsewhere");
	expect_fd(fd);
	hold();
	end_server(server, "below");
}

/* So many that it would take long to look at each of them again and again. */
static void many_shared(void)
{
	for (int i = 0; i < 400; i++)
		CHECK(eventfd(i, 0) >= 0);
	shared_outside(eventfd(7, 0), "eventfd");
}

static void memfd(void)
{
	shared_outside(memfd_create("ours", 0), "memfd");
}

/* Somebody outside of the target has the memory of a file (-1: of none), of which there is no descriptor any more, too. */
static void mapped_outside(int fd, int how, const char *name)
{
	const int flags = (fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED) | how;
	pid_t sibling;
	char *memory;

	memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
	CHECK(memory != MAP_FAILED);
	close(fd);
	strcpy(memory, "data");
	sibling = outsider(0);
	say("expect %s", name);
	hold();
	CHECK(strcmp(memory, "data") == 0);
	CHECK(kill(sibling, SIGKILL) == 0);
}

static void memfd_mapped(void)
{
	int fd = memfd_create("ours", 0);

	CHECK(ftruncate(fd, PAGE) == 0);
	mapped_outside(fd, 0, "memfd that another process");
}

static void memory_mapped(void)
{
	mapped_outside(-1, 0, "anonymous memory");
}

static void huge_memory_mapped(void)
{
	mapped_outside(-1, MAP_HUGETLB, "anonymous memory");
}

static void memfd_huge_ends_within(void)
{
	int fd = memfd_create("huge", MFD_HUGETLB);

	CHECK(fd >= 0 && fallocate(fd, 0, 0, PAGE) == 0);
	say("expect file of huge pages that ends within one");
	expect_fd(fd);
	hold();
	CHECK_EQ(lseek(fd, 0, SEEK_END), PAGE);
}

static void memfd_huge(void)
{
	shared_outside(memfd_create("ours", MFD_HUGETLB), "memfd");
}

/* Whoever has mapped it for writing may go on to write, and nobody else may begin. */
static void memfd_sealed(void)
{
	int fd = memfd_create("ours", MFD_ALLOW_SEALING);
	char *memory;

	CHECK(ftruncate(fd, PAGE) == 0);
	memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(memory != MAP_FAILED && fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0);
	say("expect F_SEAL_FUTURE_WRITE");
	expect_address(memory);
	hold();
	strcpy(memory, "data");
}

static void secret_memory(void)
{
	int fd = syscall(SYS_memfd_secret, 0);

	say("expect secret");
	expect_fd(fd);
	hold();
	CHECK(fcntl(fd, F_GETFD) >= 0);
}

static int make_deleted(void)
{
	int fd = open("deleted", O_RDWR | O_CREAT, 0600);

	CHECK(write(fd, "data", 4) == 4 && unlink("deleted") == 0);
	return fd;
}

static void deleted_file(void)
{
	shared_outside(make_deleted(), "deleted|unlinked");
}

/* An outsider has another open file of it, and not this one. */
static void deleted_reopened(void)
{
	int fd = make_deleted(), other, done[2];
	char path[32], byte;
	pid_t sibling;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = open(path, O_RDONLY);
	CHECK(other >= 0 && pipe(done) == 0);
	sibling = outsider_with(fd, done);
	close(done[1]);
	CHECK_EQ(read(done[0], &byte, 1), 1);
	close(done[0]);
	close(other);
	say("expect deleted|unlinked");
	say("expect another process");
	hold();
	CHECK_EQ(lseek(fd, 0, SEEK_END), 4);
	CHECK(kill(sibling, SIGKILL) == 0);
}

static void forget_names(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	CHECK(fd >= 0 && write(fd, "2", 1) == 1 && close(fd) == 0);
}

static void deleted_linked(void)
{
	int fd;

	char name[64], other[80];

	/* On a disk, where names are forgotten. */
	snprintf(name, sizeof(name), "/var/tmp/refuse.%d", getpid());
	snprintf(other, sizeof(other), "%s.other", name);
	fd = open(name, O_RDWR | O_CREAT, 0600);
	CHECK(link(name, other) == 0 && unlink(name) == 0);
	/* One that has been used is left alone the first time. */
	for (int i = 0; i < 3; i++)
		forget_names();
	say("expect deleted|unlinked");
	say("expect another name");
	expect_fd(fd);
	hold();
	CHECK_EQ(write(fd, "data", 4), 4);
	CHECK_EQ(unlink(other), 0);
}

static void deleted_homeless(void)
{
	int fd;

	CHECK(mkdir("home", 0700) == 0);
	fd = open("home/deleted", O_RDWR | O_CREAT, 0600);
	CHECK(unlink("home/deleted") == 0 && rmdir("home") == 0);
	say("expect deleted directory");
	expect_fd(fd);
	hold();
	CHECK_EQ(write(fd, "data", 4), 4);
}

/* Of a file system that makes no files without a name. */
static void deleted_queue(void)
{
	int fd = syscall(SYS_mq_open, "ckpt-deleted", O_RDWR | O_CREAT, 0600, NULL);

	if (fd < 0)
		skip("mq_open: errno %d", errno);
	CHECK(syscall(SYS_mq_unlink, "ckpt-deleted") == 0);
	say("expect deleted");
	expect_fd(fd);
	hold();
	CHECK(fcntl(fd, F_GETFD) >= 0);
}

static void deleted_directory(void)
{
	int fd;

	CHECK(mkdir("home", 0700) == 0);
	fd = open("home", O_RDONLY | O_DIRECTORY);
	CHECK(rmdir("home") == 0);
	say("expect deleted directory");
	expect_fd(fd);
	hold();
	CHECK(fcntl(fd, F_GETFD) >= 0);
}

static void path_of_a_deleted_file(void)
{
	int fd = open("gone", O_RDWR | O_CREAT, 0600);

	CHECK(fd >= 0 && close(fd) == 0);
	fd = open("gone", O_PATH);
	CHECK(unlink("gone") == 0);
	say("expect deleted");
	expect_fd(fd);
	hold();
	CHECK(fcntl(fd, F_GETFD) >= 0);
}

/* A mount that came later hides the file; the path leads to another one. */
static void covered_file(void)
{
	int fd;

	CHECK(mkdir("below", 0700) == 0);
	fd = open("below/file", O_RDWR | O_CREAT, 0600);
	CHECK(mount("over", "below", "tmpfs", 0, NULL) == 0);
	CHECK(close(open("below/file", O_RDWR | O_CREAT, 0600)) == 0);
	say("expect elsewhere");
	expect_fd(fd);
	hold();
	CHECK(umount2("below", MNT_DETACH) == 0 && access("below/file", F_OK) == 0);
}

static void covered_mapping(void)
{
	void *memory;
	int fd;

	CHECK(mkdir("below", 0700) == 0);
	fd = open("below/file", O_RDWR | O_CREAT, 0600);
	CHECK(ftruncate(fd, PAGE) == 0);
	memory = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(close(fd) == 0 && mount("over", "below", "tmpfs", 0, NULL) == 0);
	say("expect elsewhere");
	expect_address(memory);
	hold();
	CHECK(umount2("below", MNT_DETACH) == 0);
}

/* A ring with what is not saved. */
static struct ring refused_ring(unsigned flags, const char *what)
{
	struct ring r;

	make_ring(&r, 4, flags, 0);
	say("expect %s", what);
	expect_fd(r.fd);
	return r;
}

static void hold_ring(struct ring *r)
{
	hold();
	CHECK(fcntl(r->fd, F_GETFD) >= 0);
}

static void io_uring(void)
{
	struct ring r = refused_ring(IORING_SETUP_IOPOLL, "completions are polled for");

	hold_ring(&r);
}

static void io_uring_thread(void)
{
	struct ring r = refused_ring(IORING_SETUP_SQPOLL, "a thread of the kernel submits");

	map_ring(&r);
	hold();
	put_nop(&r, 3);
	CHECK_EQ(syscall(SYS_io_uring_enter, r.fd, 1, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP, NULL, 0), 1);
	CHECK_EQ(take_cqe(&r, 3), 0);
}

static void io_uring_credentials(void)
{
	struct ring r = refused_ring(0, "IORING_REGISTER_PERSONALITY");

	CHECK(enroll(&r, IORING_REGISTER_PERSONALITY, NULL, 0) >= 0);
	hold_ring(&r);
}

static void io_uring_chooses_buffers(void)
{
	struct ring r = refused_ring(0, "IORING_REGISTER_PBUF_RING");
	struct io_uring_buf_reg buffers = { .ring_addr = (uintptr_t)map_private(PAGE), .ring_entries = 4, .bgid = 1 };

	CHECK_EQ(enroll(&r, IORING_REGISTER_PBUF_RING, &buffers, 1), 0);
	hold_ring(&r);
}

static void io_uring_buffer_unmapped(void)
{
	char *memory = map_private(2 * PAGE);
	struct iovec buffer = { memory, 2 * PAGE };
	struct ring r;

	make_ring(&r, 4, 0, 0);
	memory[0] = memory[PAGE] = 1;
	CHECK_EQ(enroll(&r, IORING_REGISTER_BUFFERS, &buffer, 1), 0);
	CHECK(mmap(memory + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
	say("expect registered buffer 0");
	expect_address(memory);
	hold_ring(&r);
}

static void io_uring_mapped_in_part(void)
{
	struct ring r;

	make_ring(&r, 256, 0, 0);
	map_ring(&r);
	CHECK(munmap(r.sqes, PAGE) == 0);
	say("expect mapping of a part of a ring");
	expect_address((char *)r.sqes + PAGE);
	hold_ring(&r);
}

static void io_uring_mapped_before_resizing(void)
{
	struct ring r;
	void *rings;

	make_ring(&r, 4, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, 0);
	map_ring(&r);
	rings = r.rings;
	CHECK(munmap(r.sqes, r.sqes_size) == 0);
	resize_ring(&r, 64);
	say("expect mapping of what a ring of io_uring was before it was resized");
	expect_address(rings);
	hold_ring(&r);
}

static void io_uring_tells_nobody(void)
{
	struct ring r = refused_ring(0, "eventfd without a descriptor");
	int event = eventfd(0, 0);

	CHECK_EQ(enroll(&r, IORING_REGISTER_EVENTFD, &event, 1), 0);
	CHECK(close(event) == 0);
	hold_ring(&r);
}

static void io_uring_shared_outside(void)
{
	struct ring r;

	shared_outside(make_ring(&r, 4, 0, 0), "ring of io_uring that another process holds");
}

static void io_uring_restricted(void)
{
	/* struct io_uring_task_restriction, which is newer than the headers here. */
	struct {
		uint16_t flags, number;
		uint32_t reserved[3];
		struct io_uring_restriction allowed;
	} restriction = {
		.number = 1,
		.allowed = { .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_NOP },
	};

	if (syscall(SYS_io_uring_register, -1, IORING_REGISTER_RESTRICTIONS, &restriction, 1) == -1)
		skip("io_uring_register: errno %d", errno);
	say("expect io_uring are restricted");
	hold();
	CHECK(syscall(SYS_io_uring_register, -1, IORING_REGISTER_RESTRICTIONS, &restriction, 1) == -1 && errno == EPERM);
}

static aio_context_t aio(unsigned requests)
{
	aio_context_t context = 0;

	if (syscall(SYS_io_setup, requests, &context) == -1)
		skip("io_setup: errno %d", errno);
	say("expect aio|asynchronous I/O");
	expect_address((void *)context);
	return context;
}

static void aio_poll(void)
{
	aio_context_t context = aio(4);
	struct iocb request = { .aio_lio_opcode = IOCB_CMD_POLL, .aio_buf = POLLIN }, *requests[] = { &request };
	struct io_event event;
	int ends[2];

	CHECK(pipe(ends) == 0);
	request.aio_fildes = ends[0];
	CHECK(syscall(SYS_io_submit, context, 1L, requests) == 1);
	say("expect IOCB_CMD_POLL");
	hold();
	CHECK(syscall(SYS_io_getevents, context, 0L, 1L, &event, NULL) == 0);
	CHECK(write(ends[1], "x", 1) == 1);
	CHECK(syscall(SYS_io_getevents, context, 1L, 1L, &event, NULL) == 1 && (event.res & POLLIN));
}

static void aio_in_pieces(void)
{
	aio_context_t context = aio(200);

	CHECK(mprotect((void *)context, PAGE, PROT_READ) == 0);
	say("expect not mapped as a whole");
	hold();
	CHECK(mprotect((void *)context, PAGE, PROT_READ | PROT_WRITE) == 0 && syscall(SYS_io_destroy, context) == 0);
}

static void aio_written_over(void)
{
	aio_context_t context = aio(4);
	unsigned *tail = (unsigned *)context + 3;

	*tail = 5;
	say("expect written over");
	hold();
	CHECK(*tail == 5 && syscall(SYS_io_destroy, context) == 0);
}

static void posix_timer(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	struct itimerspec value = { .it_value = { 10000, 0 } };
	clockid_t clock;
	timer_t timer;

	CHECK(clock_getcpuclockid(getppid(), &clock) == 0);
	CHECK(timer_create(clock, &event, &timer) == 0 && timer_settime(timer, 0, &value, NULL) == 0);
	say("expect timer");
	say("expect another process");
	hold();
	CHECK(timer_gettime(timer, &value) == 0 && value.it_value.tv_sec > 9000);
}

static void *create_timer(void *argument)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL | SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };

	event._sigev_un._tid = syscall(SYS_gettid);
	CHECK(timer_create(CLOCK_MONOTONIC, &event, argument) == 0);
	return NULL;
}

static void posix_timer_thread(void)
{
	pthread_t thread;
	timer_t timer;

	CHECK(pthread_create(&thread, NULL, create_timer, &timer) == 0);
	pthread_join(thread, NULL);
	say("expect timer");
	say("expect thread that has exited");
	hold();
	CHECK(timer_delete(timer) == 0);
}

static void hold_segment(char *memory)
{
	expect_address(memory);
	strcpy(memory, "data");
	hold();
	CHECK(strcmp(memory, "data") == 0);
}

static void shm_outside(void)
{
	int id = shmget(IPC_PRIVATE, PAGE, 0600);
	char *memory = shmat(id, NULL, 0);
	pid_t sibling = outsider(0);

	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	say("expect segment %d", id);
	say("expect outside of the target");
	hold_segment(memory);
	CHECK(kill(sibling, SIGKILL) == 0);
}

static void shm_huge(void)
{
	int id = shmget(IPC_PRIVATE, 2 << 20, 0600 | SHM_HUGETLB);
	char *memory;

	if (id < 0)
		skip("SHM_HUGETLB: errno %d", errno);
	memory = shmat(id, NULL, 0);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	say("expect hugetlb");
	hold_segment(memory);
}

static void shm_namespace(void)
{
	int id = shmget(IPC_PRIVATE, PAGE, 0600);
	char *memory = shmat(id, NULL, 0);

	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	if (unshare(CLONE_NEWIPC) == -1)
		skip("unshare: errno %d", errno);
	say("expect another ipc namespace");
	hold_segment(memory);
}

static pthread_barrier_t inside;

static void *lives_elsewhere(void *id)
{
	if (unshare(CLONE_NEWIPC) == 0)
		*(int *)id = shmget(IPC_PRIVATE, PAGE, 0600);
	pthread_barrier_wait(&inside);
	wait_go();
	return NULL;
}

static void shm_thread(void)
{
	pthread_t thread;
	int id = -1;

	CHECK(pthread_barrier_init(&inside, NULL, 2) == 0);
	CHECK(pthread_create(&thread, NULL, lives_elsewhere, &id) == 0);
	pthread_barrier_wait(&inside);
	if (id < 0)
		skip("unshare: errno %d", errno);
	say("expect segment %d", id);
	say("expect thread");
	hold();
	CHECK(pthread_join(thread, NULL) == 0);
}

static void sem_outside(void)
{
	struct sembuf give = { .sem_num = 0, .sem_op = 1, .sem_flg = SEM_UNDO };
	int id = semget(IPC_PRIVATE, 1, 0600);
	pid_t sibling;

	CHECK(semop(id, &give, 1) == 0);
	sibling = outsider(CLONE_SYSVSEM);
	say("expect CLONE_SYSVSEM");
	hold();
	CHECK_EQ(semctl(id, 0, GETVAL), 1);
	CHECK(kill(sibling, SIGKILL) == 0);
	CHECK(semctl(id, 0, IPC_RMID) == 0);
}

static void sem_many(void)
{
	static struct sembuf add[500];
	int id = -1;

	if (unshare(CLONE_NEWIPC) == -1)
		skip("unshare: errno %d", errno);
	for (int set = 0; set < 33; set++) {
		id = semget(IPC_PRIVATE, 32000, 0600);
		CHECK(id >= 0);
		for (int from = 0; from < 32000; from += 500) {
			for (int i = 0; i < 500; i++)
				add[i] = (struct sembuf) { .sem_num = from + i, .sem_op = 1, .sem_flg = SEM_UNDO };
			CHECK(semop(id, add, 500) == 0);
		}
	}
	say("expect set %d", id);
	say("expect SEM_UNDO");
	hold();
}

static void msg_long(void)
{
	static struct {
		long type;
		char text[300000];
	} message = { .type = 1 };
	int id;

	if (unshare(CLONE_NEWIPC) == -1)
		skip("unshare: errno %d", errno);
	for (int i = 0; i < 2; i++) {
		int fd = open(i ? "/proc/sys/kernel/msgmax" : "/proc/sys/kernel/msgmnb", O_WRONLY);

		CHECK(write(fd, "400000", 6) == 6 && close(fd) == 0);
	}
	id = msgget(IPC_PRIVATE, 0600);
	CHECK(msgsnd(id, &message, sizeof(message.text), 0) == 0);
	say("expect queue %d", id);
	say("expect 245760");
	hold();
	CHECK_EQ(msgrcv(id, &message, sizeof(message.text), 0, IPC_NOWAIT), sizeof(message.text));
}

static void msg_many(void)
{
	struct { long type; char text[1]; } message = { .type = 1 };
	struct msqid_ds ds;
	int id;

	if (unshare(CLONE_NEWIPC) == -1)
		skip("unshare: errno %d", errno);
	id = msgget(IPC_PRIVATE, 0600);
	CHECK(msgctl(id, IPC_STAT, &ds) == 0);
	ds.msg_qbytes = 1 << 20;
	CHECK(msgctl(id, IPC_SET, &ds) == 0);
	for (int i = 0; i <= 262144; i++)
		CHECK(msgsnd(id, &message, 0, IPC_NOWAIT) == 0);
	say("expect queue %d", id);
	say("expect 262144");
	hold();
	CHECK(msgctl(id, IPC_RMID, NULL) == 0);
}

static void queue_long(void)
{
	enum { LONGEST = 240 * 1024 };
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = LONGEST + 1 };
	static char text[LONGEST + 1];
	mqd_t queue;

	if (unshare(CLONE_NEWIPC) == -1)
		skip("unshare: errno %d", errno);
	queue = mq_open("/long", O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attr);
	CHECK(queue >= 0 && mq_send(queue, text, sizeof(text), 0) == 0);
	say("expect message queue /long");
	say("expect %d", LONGEST);
	hold();
	CHECK_EQ(mq_receive(queue, text, sizeof(text), NULL), sizeof(text));
}

static void told(union sigval value)
{
	(void)value;
}

static void queue_thread(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = told };
	mqd_t queue = mq_open("/ckpt-refuse", O_RDWR | O_CREAT, 0600, NULL);

	if (queue < 0 || mq_notify(queue, &event) == -1)
		skip("mq_notify: errno %d", errno);
	CHECK(mq_unlink("/ckpt-refuse") == 0);
	say("expect SIGEV_THREAD");
	expect_fd(queue);
	hold();
	CHECK(mq_send(queue, "x", 1, 0) == 0);
}

static void shared_policy(void)
{
	char *memory = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned long nodes = 1;

	strcpy(memory, "data");
	if (syscall(SYS_mbind, memory, PAGE, 2 /* MPOL_BIND */, &nodes, 64, 0) == -1)
		skip("mbind: errno %d", errno);
	say("expect NUMA");
	expect_address(memory);
	hold();
	CHECK(strcmp(memory, "data") == 0);
}

static void deadline(void)
{
	struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t runtime, deadline, period; }
		attributes = { 48, 6, 0, 0, 0, 10000000, 50000000, 100000000 };

	if (syscall(SYS_sched_setattr, 0, &attributes, 0) == -1)
		skip("SCHED_DEADLINE: errno %d", errno);
	say("expect policy 6|SCHED_DEADLINE");
	hold();
	CHECK_EQ(sched_getscheduler(0), 6);
}

static void device_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);

	say("expect device|/dev/kmsg");
	expect_fd(fd);
	hold();
	CHECK(fcntl(fd, F_GETFD) >= 0);
}

static void device_mapped(void)
{
	int fd = open("/dev/mem", O_RDONLY);
	volatile char *memory;

	if (fd < 0)
		skip("no /dev/mem: errno %d", errno);
	memory = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0xf0000);
	close(fd);
	say("expect device|/dev/mem");
	expect_address((void *)memory);
	hold();
	(void)*memory;
}

/* A pair of pseudoterminals whose slave is open. */
static void open_pty(int *master, int *slave)
{
	char name[32];
	int number;

	*master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	CHECK(*master >= 0 && unlockpt(*master) == 0 && ioctl(*master, TIOCGPTN, &number) == 0);
	snprintf(name, sizeof(name), "/dev/pts/%d", number);
	*slave = open(name, O_RDWR | O_NOCTTY);
	CHECK(*slave >= 0);
}

/* An outsider has one end, and the target the other. */
static void pty_apart(int ours, int theirs, const char *name)
{
	pid_t sibling;
	int done[2];
	char byte;

	CHECK(pipe(done) == 0);
	sibling = outsider_with(ours, done);
	CHECK(read(done[0], &byte, 1) == 1 && close(done[0]) == 0 && close(done[1]) == 0);
	CHECK_EQ(close(theirs), 0);
	say("expect %s", name);
	expect_fd(ours);
	hold();
	CHECK_EQ(fcntl(ours, F_GETFD), 0);
	CHECK(kill(sibling, SIGKILL) == 0 || errno == ESRCH);
}

static void pty_slave_outside(void)
{
	int master, slave;

	open_pty(&master, &slave);
	pty_apart(master, slave, "pty that another process holds");
}

static void pty_master_outside(void)
{
	int master, slave;

	open_pty(&master, &slave);
	pty_apart(slave, master, "terminal");
}

/* Nobody else has an open file of it, but a session outside of the target has it as controlling terminal. */
static void pty_session_outside(void)
{
	int master, slave, done[2];
	pid_t sibling;
	char byte;

	open_pty(&master, &slave);
	CHECK(pipe(done) == 0);
	sibling = syscall(SYS_clone, CLONE_PARENT, 0, 0, 0, 0);
	CHECK(sibling >= 0);
	if (sibling == 0) {
		CHECK(setsid() > 0 && ioctl(slave, TIOCSCTTY, 0) == 0);
		CHECK(close(slave) == 0 && close(master) == 0 && close(done[0]) == 0);
		CHECK(write(done[1], "x", 1) == 1 && close(done[1]) == 0);
		while (!go_given())
			sleep_ms(20);
		_exit(0);
	}
	CHECK(read(done[0], &byte, 1) == 1 && close(done[0]) == 0 && close(done[1]) == 0);
	say("expect controlling terminal of another session");
	expect_fd(master);
	expect_fd(slave);
	hold();
	CHECK_EQ(fcntl(master, F_GETFD), 0);
}

static void pty_line_discipline(void)
{
	int master, slave, discipline = 27; /* N_NULL */

	open_pty(&master, &slave);
	if (ioctl(slave, TIOCSETD, &discipline) == -1)
		skip("no N_NULL: errno %d", errno);
	say("expect line discipline");
	expect_fd(master);
	expect_fd(slave);
	hold();
	CHECK_EQ(fcntl(master, F_GETFD), 0);
}

static void pty_hung_up(void)
{
	int master, slave;

	open_pty(&master, &slave);
	CHECK_EQ(ioctl(slave, TIOCVHANGUP), 0);
	say("expect hung up");
	expect_fd(slave);
	hold();
	CHECK_EQ(fcntl(master, F_GETFD), 0);
}

static void locked_pipe(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 10 };
	int ends[2];

	CHECK(pipe(ends) == 0 && fcntl(ends[1], F_SETLK, &lock) == 0);
	say("expect lock");
	expect_fd(ends[1]);
	hold();
	CHECK(fcntl(ends[1], F_SETLK, &lock) == 0);
}

static void lease_broken(void)
{
	int fd = open("leased", O_RDWR | O_CREAT, 0600);
	pid_t sibling;

	signal(SIGIO, SIG_IGN);
	CHECK(fcntl(fd, F_SETLEASE, F_WRLCK) == 0);
	sibling = fork();
	CHECK(sibling >= 0);
	if (sibling == 0)
		_exit(open("leased", O_RDONLY | O_NONBLOCK) >= 0 || errno != EWOULDBLOCK);
	CHECK(waitpid(sibling, NULL, 0) == sibling);
	say("expect lease");
	expect_fd(fd);
	hold();
	CHECK_EQ(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
}

static void notified_directory(void)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY);

	CHECK(fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT) == 0);
	signal(SIGIO, SIG_IGN);
	say("expect F_NOTIFY");
	expect_fd(fd);
	hold();
}

/* Somebody else uses the descriptor table. */
static void shared_table(void)
{
	pid_t sibling = outsider(CLONE_FILES | CLONE_FS);

	say("expect shared");
	hold();
	CHECK(kill(sibling, SIGKILL) == 0);
}

static void seccomp_listener(void)
{
	struct sock_filter instructions[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog program = { 1, instructions };
	int fd;

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	say("expect seccomp");
	say("expect listener");
	expect_fd(fd);
	hold();
	CHECK(fcntl(fd, F_GETFD) >= 0);
}

/* Enforces a layer with one rule: reading below / (1), or connecting to port 80 (2). */
static void landlock_rule(int type)
{
	uint64_t attribute[2] = { 1 << 2 /* read a file */, 1 << 1 /* connect */ };
	struct {
		uint64_t allowed;
		int32_t parent;
	} __attribute__((packed)) path = { 1 << 2, open("/", O_PATH | O_CLOEXEC) };
	uint64_t port[2] = { 1 << 1, 80 };
	int fd = syscall(SYS_landlock_create_ruleset, attribute, sizeof(attribute), 0);

	if (fd < 0)
		skip("no landlock: errno %d", errno);
	CHECK(syscall(SYS_landlock_add_rule, fd, type, type == 1 ? (void *)&path : port, 0) == 0);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(syscall(SYS_landlock_restrict_self, fd, 0) == 0);
	close(fd);
	close(path.parent);
}

static void landlock_path(void)
{
	landlock_rule(1);
	say("expect landlock");
	say("expect rules");
	hold();
}

static void landlock_port(void)
{
	landlock_rule(2);
	say("expect landlock");
	say("expect rules");
	hold();
}

static void *landlocked(void *argument)
{
	landlock_rule(1);
	*(pid_t *)argument = syscall(SYS_gettid);
	for (;;)
		pause();
	return NULL;
}

/* Another thread only. */
static void landlock_thread(void)
{
	volatile pid_t tid = 0;
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, landlocked, (void *)&tid) == 0);
	while (!tid)
		sleep_ms(5);
	say("expect landlock");
	say("expect %d", tid);
	hold();
}

static void namespace_of(int flag, const char *name)
{
	if (unshare(flag) == -1)
		skip("unshare: errno %d", errno);
	say("expect namespace");
	say("expect %s", name);
	hold();
}

/* The pid namespace of a process is that of its birth: only the one for its children differs. */
static void pid_namespace(void)
{
	if (unshare(CLONE_NEWPID) == -1)
		skip("unshare: errno %d", errno);
	say("expect namespace");
	say("expect pid");
	hold();
}

/* A time namespace for children, and then a user namespace, to which that does not belong. */
static void time_outside_of_user_namespace(void)
{
	const int new_time = 0x80;

	if (unshare(new_time) == -1 || unshare(CLONE_NEWUSER) == -1)
		skip("unshare: errno %d", errno);
	say("expect time (for children) namespace belongs to another user namespace");
	hold();
}

/* A network namespace with something in it, made by ip(8). */
static void network(const char *script, const char *expected)
{
	if (unshare(CLONE_NEWNET) == -1)
		skip("unshare: errno %d", errno);
	if (system(script))
		skip("%s", script);
	say("expect network namespace");
	say("expect %s", expected);
	hold();
}

static void network_bridge(void)
{
	network("ip link add br0 type bridge", "device br0|bridge");
}

static void network_macvlan(void)
{
	network("ip link add v0 type veth && ip link add mac0 link v0 type macvlan", "device mac0|macvlan");
}

static void network_tun(void)
{
	network("modprobe tun; ip tuntap add dev tun0 mode tun", "device tun0|tun");
}

static void network_bridge_port(void)
{
	network("ip link add v0 type veth && ip link add br0 type bridge && ip link set v0 master br0", "device v0");
}

static void network_queueing(void)
{
	network("ip link add v0 type veth && tc qdisc add dev v0 root tbf rate 1mbit burst 32kbit latency 400ms", "queueing");
}

static void network_rule(void)
{
	network("ip rule add from 10.0.0.0/8 table 77", "rules");
}

static void network_next_hops(void)
{
	network("ip link set lo up && ip link add v0 type veth peer name v1 && ip addr add 10.0.0.1/24 dev v0 && ip link set v0 up &&"
		" ip route add 10.9.0.0/16 nexthop via 10.0.0.2 nexthop via 10.0.0.3", "route");
}

static void network_third(void)
{
	network("ip netns add ckpt3 && ip link add v0 type veth peer name v1 netns ckpt3", "device v0|other end");
}

static void network_outside_of_user_namespace(void)
{
	pid_t target = getpid(), helper;
	char script[128], byte = 0;
	int go[2], status;

	snprintf(script, sizeof(script), "ip link add v0 netns %d type veth peer name ckpth7", target);
	CHECK(pipe(go) == 0);
	helper = fork();
	if (!helper)
		_exit(read(go[0], &byte, 1) != 1 || system(script));
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) == -1)
		skip("unshare: errno %d", errno);
	CHECK(write(go[1], "", 1) == 1 && waitpid(helper, &status, 0) == helper);
	CHECK_EQ(status, 0);
	close(go[0]);
	close(go[1]);
	say("expect device v0|user namespace");
	say("expect other end");
	hold();
}

static void network_filter_inet(void)
{
	network("nft 'add table inet t; add chain inet t c { type filter hook input priority 0; }'", "nft_do_chain_inet");
}

static void network_filter_arp(void)
{
	network("nft 'add table arp t; add chain arp t c { type filter hook input priority 0; }'", "nft_do_chain_arp");
}

static void network_filter_netdev(void)
{
	network("nft 'add table netdev t; add chain netdev t c { type filter hook ingress device lo priority 0; }'",
		"nft_do_chain_netdev");
}

static void network_filter_egress(void)
{
	network("ip link add v0 type veth &&"
		" nft 'add table netdev t; add chain netdev t c { type filter hook egress device v0 priority 0; }'",
		"nft_do_chain_netdev");
}

static void network_traffic_control(void)
{
	network("ip link add v0 type veth && tc qdisc add dev v0 clsact", "traffic control|device v0");
}

static void network_lacks_address(void)
{
	network("ip link set lo up && ip addr del 127.0.0.1/8 dev lo", "device lo");
}

static void network_many_routes(void)
{
	network("i=0; while [ $i -lt 16500 ]; do echo route add unreachable 10.$((i / 256)).$((i % 256)).0/24; i=$((i + 1));"
		" done | ip -batch -", "more than 16384 routes");
}

static void network_without_inet6(void)
{
	network("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; ip link set lo up", "disable_ipv6");
}

/* A mount namespace of its own, and in it a tmpfs on the working directory. */
static void own_tmpfs(void)
{
	if (unshare(CLONE_NEWNS) == -1)
		skip("unshare: errno %d", errno);
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mkdir("mnt", 0700) == 0 || errno == EEXIST);
	CHECK(mount("own", "mnt", "tmpfs", 0, NULL) == 0);
	close(open("mnt/file", O_WRONLY | O_CREAT, 0600));
}

static void mount_overlay(void)
{
	own_tmpfs();
	CHECK(mkdir("mnt/a", 0700) == 0 && mkdir("mnt/b", 0700) == 0);
	if (mount("over", "mnt/b", "overlay", 0, "lowerdir=mnt/a:mnt/b") == -1)
		skip("overlay: errno %d", errno);
	say("expect overlay");
	hold();
}

static void mount_overlay_volatile(void)
{
	static const char *const dirs[] = { "low", "up", "work", "over" };

	for (int i = 0; i < 4; i++)
		CHECK(mkdir(dirs[i], 0700) == 0 || errno == EEXIST);
	if (unshare(CLONE_NEWNS) == -1)
		skip("unshare: errno %d", errno);
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	if (mount("over", "over", "overlay", 0, "lowerdir=low,upperdir=up,workdir=work,volatile") == -1)
		skip("overlay: errno %d", errno);
	say("expect volatile");
	hold();
}

static void mount_idmapped(void)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };
	int ready_pipe[2], end_pipe[2], fd;
	char path[64], c;
	pid_t child;

	CHECK(pipe(ready_pipe) == 0 && pipe(end_pipe) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		close(end_pipe[1]);
		if (unshare(CLONE_NEWUSER) == 0)
			CHECK(write(ready_pipe[1], "", 1) == 1);
		_exit(read(end_pipe[0], &c, 1) != 0);
	}
	close(ready_pipe[1]);
	if (read(ready_pipe[0], &c, 1) != 1)
		skip("no user namespace");
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s_map", child, i ? "gid" : "uid");
		fd = open(path, O_WRONLY);
		CHECK(fd >= 0 && write(fd, "0 1000 10", 9) == 9);
		close(fd);
	}
	snprintf(path, sizeof(path), "/proc/%d/ns/user", child);
	attr.userns_fd = open(path, O_RDONLY);
	own_tmpfs();
	CHECK(mkdir("mnt/a", 0700) == 0);
	fd = syscall(SYS_open_tree, AT_FDCWD, "mnt", OPEN_TREE_CLONE);
	CHECK(fd >= 0 && syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0);
	CHECK(syscall(SYS_move_mount, fd, "", AT_FDCWD, "mnt/a", MOVE_MOUNT_F_EMPTY_PATH) == 0);
	close(fd);
	close(attr.userns_fd);
	close(ready_pipe[0]);
	close(end_pipe[0]);
	close(end_pipe[1]);
	CHECK(waitpid(child, NULL, 0) == child);
	say("expect id mapping");
	hold();
}

static void mount_mqueue(void)
{
	own_tmpfs();
	CHECK(unshare(CLONE_NEWIPC) == 0 && mkdir("mnt/a", 0700) == 0);
	if (mount("queues", "mnt/a", "mqueue", 0, NULL) == -1)
		skip("mqueue: errno %d", errno);
	CHECK(unshare(CLONE_NEWIPC) == 0);
	say("expect mqueue");
	say("expect namespace that is not there");
	hold();
}

static void mount_removed(void)
{
	own_tmpfs();
	close(open("mnt/gone", O_WRONLY | O_CREAT, 0600));
	CHECK(mount("mnt/gone", "mnt/file", NULL, MS_BIND, NULL) == 0 && unlink("mnt/gone") == 0);
	say("expect its root has no path");
	hold();
}

/* Two large peer groups by turns, so that each mount has to be asked for its own: 1.2 million questions. */
static void mount_with_many_peers(void)
{
	enum { PEERS = 776 };
	char from[16], to[32];

	own_tmpfs();
	for (int i = 0; i < 2 * PEERS; i++) {
		snprintf(from, sizeof(from), "mnt/%c", 'a' + i % 2);
		snprintf(to, sizeof(to), i < 2 ? "%s" : "%s%d", from, i);
		close(open(to, O_WRONLY | O_CREAT, 0600));
		CHECK(mount(from, to, NULL, MS_BIND, NULL) == 0);
		if (i < 2)
			CHECK(mount(NULL, to, NULL, MS_SHARED, NULL) == 0);
	}
	say("expect too many peers");
	hold();
}

static void immutable_file(void)
{
	/* linux/fs.h cannot be included together with sys/mount.h. */
	int immutable = 0x10, fd;

	own_tmpfs();
	fd = open("mnt/file", O_RDONLY);
	if (ioctl(fd, _IOW('f', 2, long), &immutable) == -1)
		skip("chattr: errno %d", errno);
	close(fd);
	say("expect immutable");
	hold();
}

/* Its child has stayed in the one above. */
static void user_namespace_without_child(void)
{
	int end[2];
	pid_t child;
	char c;

	CHECK(pipe(end) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		close(end[1]);
		_exit(read(end[0], &c, 1) != 0);
	}
	if (unshare(CLONE_NEWUSER) == -1)
		skip("unshare: errno %d", errno);
	say("expect has no ids");
	hold();
	close(end[1]);
	CHECK(waitpid(child, NULL, 0) == child);
}

static void *until_end(void *fd)
{
	char c;

	return read(*(int *)fd, &c, 1) ? fd : NULL;
}

/* A user namespace with one id. A thread keeps a group that has no number there, the first one gives it up. */
static void groups_without_numbers(void)
{
	pid_t target = getpid(), helper;
	char script[160], byte = 0;
	int go[2], end[2], status;
	pthread_t thread;

	CHECK(setgroups(1, (gid_t[]){ 1010 }) == 0);
	snprintf(script, sizeof(script), "echo 0 0 1 >/proc/%d/uid_map && echo 0 0 1 >/proc/%d/gid_map", target, target);
	CHECK(pipe(go) == 0);
	helper = fork();
	if (!helper)
		_exit(read(go[0], &byte, 1) != 1 || system(script));
	if (unshare(CLONE_NEWUSER) == -1)
		skip("unshare: errno %d", errno);
	CHECK(write(go[1], "", 1) == 1 && waitpid(helper, &status, 0) == helper);
	CHECK_EQ(status, 0);
	close(go[0]);
	close(go[1]);
	CHECK(pipe(end) == 0 && pthread_create(&thread, NULL, until_end, &end[0]) == 0);
	/* That of the C library is for all threads. */
	CHECK(syscall(SYS_setgroups, 0, NULL) == 0);
	say("expect supplementary groups");
	hold();
	close(end[1]);
	CHECK(pthread_join(thread, NULL) == 0);
}

static void pid_fd(void)
{
	int fd = syscall(SYS_pidfd_open, getppid(), 0);

	say("expect pidfd of a process outside");
	expect_fd(fd);
	hold();
	CHECK(fcntl(fd, F_GETFD) >= 0);
}

static int userfaultfd_of(void *memory)
{
	struct uffdio_register range = { .range = { (uintptr_t)memory, PAGE }, .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		skip("userfaultfd: errno %d", errno);
	CHECK(ioctl(fd, UFFDIO_API, &api) == 0);
	CHECK(!memory || ioctl(fd, UFFDIO_REGISTER, &range) == 0);
	return fd;
}

static void userfaultfd_armed(void)
{
	char *memory = map_private(PAGE);
	int fd = userfaultfd_of(memory);
	struct uffdio_zeropage zero = { .range = { (uintptr_t)memory, PAGE } };

	say("expect memory watched by a userfaultfd");
	expect_address(memory);
	hold();
	CHECK(ioctl(fd, UFFDIO_ZEROPAGE, &zero) == 0 && memory[0] == 0);
}

static void userfaultfd_shared(void)
{
	shared_outside(userfaultfd_of(NULL), "userfaultfd that another process holds");
}

/* A child has sent it. */
static void userfaultfd_of_child(void)
{
	int ends[2], fd, status;
	pid_t child;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		fd = userfaultfd_of(NULL);
		give_files(ends[1], "x", &fd, 1);
		close(fd);
		while (!go_given())
			sleep_ms(20);
		_exit(0);
	}
	take_files(ends[0], "x", &fd, 1);
	say("expect userfaultfd of the memory of another process");
	expect_fd(fd);
	hold();
	CHECK(fcntl(fd, F_GETFD) >= 0);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void perf_event(void)
{
	struct perf_event_attr attribute = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(attribute), .config = PERF_COUNT_SW_PAGE_FAULTS };
	int fd = syscall(SYS_perf_event_open, &attribute, 0, -1, -1, 0);

	say("expect perf");
	expect_fd(fd);
	hold();
	uint64_t value;
	CHECK_EQ(read(fd, &value, 8), 8);
}

static void protection_key(void)
{
	char *memory = map_private(PAGE);
	int key = syscall(SYS_pkey_alloc, 0, 0);

	if (key < 0)
		skip("no protection keys: errno %d", errno);
	strcpy(memory, "data");
	CHECK(syscall(SYS_pkey_mprotect, memory, PAGE, PROT_READ | PROT_WRITE, key) == 0);
	say("expect key|pkey");
	expect_address(memory);
	hold();
	CHECK(strcmp(memory, "data") == 0);
}

static void owner_outside(void)
{
	int ends[2], parent = getppid();

	CHECK(pipe(ends) == 0 && fcntl(ends[0], F_SETOWN, parent) == 0);
	say("expect owner");
	expect_fd(ends[0]);
	hold();
	CHECK_EQ(fcntl(ends[0], F_GETOWN), parent);
}

static void owner_group_outside(void)
{
	int ends[2], group = getpgid(getppid());

	CHECK(pipe(ends) == 0 && setpgid(0, 0) == 0 && fcntl(ends[0], F_SETOWN, -group) == 0);
	say("expect owner");
	expect_fd(ends[0]);
	hold();
	CHECK_EQ(fcntl(ends[0], F_GETOWN), -group);
}

static void owner_with_other_rights(void)
{
	int ends[2];

	CHECK(pipe(ends) == 0 && fcntl(ends[0], F_SETOWN, getpid()) == 0);
	CHECK(setresuid(1000, 0, 0) == 0);
	say("expect owner");
	expect_fd(ends[0]);
	hold();
	CHECK_EQ(fcntl(ends[0], F_GETOWN), getpid());
}

/* Only waits; the harness does something to it (traces it, replaces its file). */
static void outside(void)
{
	hold();
}

static const struct {
	const char *name;
	void (*hold)(void);
} kinds[] = {
	{ "socket_listening", socket_listening },
	{ "socket_held_by_another", socket_held_by_another },
	{ "socket_peer_outside", socket_peer_outside },
	{ "socket_server_outside", socket_server_outside },
	{ "socket_client_outside", socket_client_outside },
	{ "socket_datagrams_outside", socket_datagrams_outside },
	{ "socket_carries_another_family", socket_carries_another_family },
	{ "socket_carries_what_another_holds", socket_carries_what_another_holds },
	{ "fifo", fifo },
	{ "epoll_shared_outside", epoll },
	{ "eventfd_shared_outside", event_fd },
	{ "timerfd_shared_outside", timer_fd },
	{ "signalfd_shared_outside", signal_fd },
	{ "namespace_of_a_process_outside", namespace_fd },
	{ "proc_of_a_process_outside", file_of_proc },
	{ "inotify_of_a_removed_file", inotify },
	{ "inotify_shared_outside", inotify_shared },
	{ "inotify_of_own_server", inotify_of_own_server },
	{ "fanotify_with_events", fanotify_with_events },
	{ "fanotify_of_descriptors", fanotify_of_descriptors },
	{ "fanotify_of_a_mount", fanotify_of_a_mount },
	{ "fanotify_that_forgets", fanotify_that_forgets },
	{ "fanotify_of_a_removed_file", fanotify_of_a_removed_file },
	{ "fanotify_shared_outside", fanotify_shared },
	{ "covered_by_own_server", covered_by_own_server },
	{ "many_shared_outside", many_shared },
	{ "memfd_shared_outside", memfd },
	{ "memfd_mapped_outside", memfd_mapped },
	{ "memory_mapped_outside", memory_mapped },
	{ "memfd_huge_shared_outside", memfd_huge },
	{ "memfd_huge_ends_within_a_page", memfd_huge_ends_within },
	{ "memfd_sealed_for_others", memfd_sealed },
	{ "memfd_secret", secret_memory },
	{ "deleted_file_shared_outside", deleted_file },
	{ "deleted_file_opened_outside", deleted_reopened },
	{ "deleted_file_with_another_name", deleted_linked },
	{ "deleted_file_of_a_deleted_directory", deleted_homeless },
	{ "deleted_directory", deleted_directory },
	{ "deleted_message_queue", deleted_queue },
	{ "path_of_a_deleted_file", path_of_a_deleted_file },
	{ "covered_file", covered_file },
	{ "covered_mapping", covered_mapping },
	{ "io_uring", io_uring },
	{ "io_uring_thread", io_uring_thread },
	{ "io_uring_credentials", io_uring_credentials },
	{ "io_uring_chooses_buffers", io_uring_chooses_buffers },
	{ "io_uring_buffer_unmapped", io_uring_buffer_unmapped },
	{ "io_uring_mapped_in_part", io_uring_mapped_in_part },
	{ "io_uring_mapped_before_resizing", io_uring_mapped_before_resizing },
	{ "io_uring_tells_nobody", io_uring_tells_nobody },
	{ "io_uring_shared_outside", io_uring_shared_outside },
	{ "io_uring_restricted", io_uring_restricted },
	{ "aio_poll", aio_poll },
	{ "aio_in_pieces", aio_in_pieces },
	{ "aio_written_over", aio_written_over },
	{ "posix_timer", posix_timer },
	{ "posix_timer_thread", posix_timer_thread },
	{ "shm_attached_outside", shm_outside },
	{ "shm_huge", shm_huge },
	{ "shm_of_another_namespace", shm_namespace },
	{ "shm_of_the_namespace_of_a_thread", shm_thread },
	{ "sem_undo_shared_outside", sem_outside },
	{ "sem_undo_too_much", sem_many },
	{ "msg_too_long", msg_long },
	{ "msg_too_many", msg_many },
	{ "mqueue_too_long", queue_long },
	{ "mqueue_thread", queue_thread },
	{ "shared_policy", shared_policy },
	{ "deadline", deadline },
	{ "huge_memory_mapped_outside", huge_memory_mapped },
	{ "device_open", device_open },
	{ "device_mapped", device_mapped },
	{ "pty_slave_outside", pty_slave_outside },
	{ "pty_master_outside", pty_master_outside },
	{ "pty_session_outside", pty_session_outside },
	{ "pty_line_discipline", pty_line_discipline },
	{ "pty_hung_up", pty_hung_up },
	{ "locked_pipe", locked_pipe },
	{ "lease_broken", lease_broken },
	{ "notified_directory", notified_directory },
	{ "shared_table", shared_table },
	{ "seccomp_listener", seccomp_listener },
	{ "landlock_path", landlock_path },
	{ "landlock_port", landlock_port },
	{ "landlock_thread", landlock_thread },
	{ "pid_namespace", pid_namespace },
	{ "network_bridge", network_bridge },
	{ "network_macvlan", network_macvlan },
	{ "network_tun", network_tun },
	{ "network_bridge_port", network_bridge_port },
	{ "network_queueing", network_queueing },
	{ "network_rule", network_rule },
	{ "network_next_hops", network_next_hops },
	{ "network_third", network_third },
	{ "network_filter_inet", network_filter_inet },
	{ "network_filter_arp", network_filter_arp },
	{ "network_filter_netdev", network_filter_netdev },
	{ "network_filter_egress", network_filter_egress },
	{ "network_traffic_control", network_traffic_control },
	{ "network_lacks_address", network_lacks_address },
	{ "network_many_routes", network_many_routes },
	{ "network_without_inet6", network_without_inet6 },
	{ "network_outside_of_user_namespace", network_outside_of_user_namespace },
	{ "time_outside_of_user_namespace", time_outside_of_user_namespace },
	{ "mount_overlay", mount_overlay },
	{ "mount_overlay_volatile", mount_overlay_volatile },
	{ "mount_idmapped", mount_idmapped },
	{ "mount_mqueue_of_another_namespace", mount_mqueue },
	{ "mount_removed_file", mount_removed },
	{ "mount_with_many_peers", mount_with_many_peers },
	{ "mount_immutable_file", immutable_file },
	{ "user_namespace_without_its_child", user_namespace_without_child },
	{ "groups_without_numbers", groups_without_numbers },
	{ "pidfd", pid_fd },
	{ "userfaultfd_armed", userfaultfd_armed },
	{ "userfaultfd_shared_outside", userfaultfd_shared },
	{ "userfaultfd_of_a_child", userfaultfd_of_child },
	{ "perf_event", perf_event },
	{ "protection_key", protection_key },
	{ "owner_outside", owner_outside },
	{ "owner_group_outside", owner_group_outside },
	{ "owner_with_other_rights", owner_with_other_rights },
	{ "outside", outside },
};

static const struct {
	const char *name, *kind;
	int flag;
} namespaces[] = {
	{ "user_namespace", "user", CLONE_NEWUSER },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(argv[1], kinds[i].name) == 0) {
			kinds[i].hold();
			pass();
		}
	}
	for (size_t i = 0; argc > 1 && i < sizeof(namespaces) / sizeof(namespaces[0]); i++) {
		if (strcmp(argv[1], namespaces[i].name) == 0) {
			namespace_of(namespaces[i].flag, namespaces[i].kind);
			pass();
		}
	}
	fail("unknown kind");
}
