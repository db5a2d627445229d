// SPDX-License-Identifier: GPL-2.0
/*
 * The first program of the test guest: mounts, loads ckpt.ko, runs one command (or a shell), passes its output and exit status
 * to the host, switches the machine off. Static, so that it runs in the initramfs and stays pid 1 in the real root.
 *
 * What to do stands in files that the runner packs next to it into the initramfs:
 *   /cmd    the shell command; absent: an interactive shell on the console
 *   /conf   lines "share" (mount the host's directory at /host), "nomodule", "tty ROWS COLS TERM"
 * The command's output goes to the virtio port "out" and "exit STATUS" to "status", so neither mixes with the kernel log on ttyS0.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int out = -1, status = -1; /* the two ports */
static char *cmd, *conf;

static void put(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return;
		p += w;
		n -= w;
	}
}

/* To the kernel log and, once it is open, to the command's output. */
__attribute__((format(printf, 1, 2))) static void say(const char *fmt, ...)
{
	char buf[512];
	va_list ap;
	int n, fd;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(buf))
		n = sizeof(buf) - 1;
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		put(fd, buf, n);
		close(fd);
	}
	if (out >= 0)
		put(out, buf, n);
}

__attribute__((noreturn)) static void off(int code)
{
	char buf[32];

	if (status >= 0)
		put(status, buf, snprintf(buf, sizeof(buf), "exit %d\n", code));
	/* The disks are thrown away; only the host's directory keeps what was written. */
	int fd = open("/host", O_RDONLY | O_DIRECTORY);

	if (fd >= 0)
		syncfs(fd);
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

__attribute__((noreturn)) static void die(const char *what)
{
	say("init: %s: %s\n", what, strerror(errno));
	off(125);
}

static char *slurp(const char *path)
{
	size_t size = 0, room = 1 << 20;
	char *p = malloc(room);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0 || !p)
		return NULL;
	while ((n = read(fd, p + size, room - 1 - size)) > 0)
		size += n;
	p[size] = 0;
	close(fd);
	return p;
}

static void mnt(const char *type, const char *dir, const char *opts, unsigned long flags)
{
	mkdir(dir, 0755);
	if (mount(type, dir, type, flags, opts))
		say("init: mount %s on %s: %s\n", type, dir, strerror(errno));
}

static int insmod(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return errno;
	if (syscall(SYS_finit_module, fd, "", 0))
		err = errno;
	close(fd);
	return err;
}

/* The value of a line "KEY VALUE" of /conf, or NULL. */
static const char *setting(const char *key)
{
	size_t n = strlen(key);

	for (const char *p = conf; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (!strncmp(p, key, n) && (p[n] == ' ' || p[n] == '\n' || !p[n]))
			return p + n;
	return NULL;
}

static void wait_for(const char *dev)
{
	for (int i = 0; i < 2000; i++) {
		if (!access(dev, F_OK))
			return;
		usleep(5000);
	}
	die(dev);
}

/* Opens the port that QEMU calls NAME. Ports are announced by messages, some time after their device is there. */
static int port(const char *name)
{
	for (int i = 0; i < 2000; i++) {
		glob_t g;

		if (!glob("/sys/class/virtio-ports/*/name", 0, NULL, &g)) {
			for (size_t n = 0; n < g.gl_pathc; n++) {
				char *have = slurp(g.gl_pathv[n]), dev[64];
				int match = have && !strncmp(have, name, strlen(name)) && have[strlen(name)] == '\n';

				free(have);
				if (!match)
					continue;
				/* /sys/class/virtio-ports/vport0p1/name */
				sscanf(g.gl_pathv[n], "/sys/class/virtio-ports/%40[^/]", dev + snprintf(dev, sizeof(dev), "/dev/"));
				globfree(&g);
				return open(dev, O_WRONLY | O_CLOEXEC);
			}
			globfree(&g);
		}
		usleep(5000);
	}
	errno = ENODEV;
	die(name);
}

static void to_real_root(void)
{
	mnt("devtmpfs", "/dev", NULL, 0);
	cmd = slurp("/cmd");
	conf = slurp("/conf");
	int err = insmod("/virtio_blk.ko");

	if (err && err != EEXIST && err != ENOENT)
		die("insmod virtio_blk.ko");
	wait_for("/dev/vda");
	mkdir("/newroot", 0755);
	if (mount("/dev/vda", "/newroot", "ext4", MS_NOATIME, NULL))
		die("mount /dev/vda");
	if (chdir("/newroot") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		die("switch to the real root");
}

static void mounts(void)
{
	mnt("devtmpfs", "/dev", NULL, MS_NOSUID);
	mnt("proc", "/proc", NULL, 0);
	mnt("sysfs", "/sys", NULL, 0);
	mnt("devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=666", 0);
	mnt("tmpfs", "/dev/shm", "mode=1777,size=90%", 0);
	mnt("mqueue", "/dev/mqueue", NULL, 0);
	mnt("hugetlbfs", "/dev/hugepages", NULL, 0);
	mnt("tmpfs", "/tmp", "mode=1777,size=90%", 0);
	mnt("tmpfs", "/run", "mode=755", 0);
	mnt("cgroup2", "/sys/fs/cgroup", NULL, 0);
	mnt("debugfs", "/sys/kernel/debug", NULL, 0);
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
	if (!access("/dev/vdb", F_OK) && mount("/dev/vdb", "/ckpt", "ext4", MS_NOATIME, NULL))
		say("init: mount /ckpt: %s\n", strerror(errno));
	if (setting("share") && mount("host", "/host", "virtiofs", 0, NULL))
		say("init: mount /host: %s\n", strerror(errno));
}

static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s < 0)
		return;
	ioctl(s, SIOCGIFFLAGS, &ifr);
	ifr.ifr_flags |= IFF_UP;
	ioctl(s, SIOCSIFFLAGS, &ifr);
	close(s);
}

static void load_module(void)
{
	int err;

	if (setting("nomodule"))
		return;
	err = insmod("/ckpt/ckpt.ko");
	if (err)
		say("init: insmod /ckpt/ckpt.ko: %s (the kernel log says more)\n", strerror(err));
	/* What may be done is decided per task by the module, not by the node's mode. */
	chmod("/dev/ckpt", 0666);
}

__attribute__((noreturn)) static void child(int tty, int pipe_out)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (tty >= 0) {
		int rows = 0, cols = 0;
		char term[64] = "linux";
		const char *t = setting("tty");

		if (t && sscanf(t, "%d %d %63s", &rows, &cols, term) >= 2) {
			struct winsize ws = { .ws_row = rows, .ws_col = cols };

			ioctl(tty, TIOCSWINSZ, &ws);
		}
		setenv("TERM", term, 1);
		ioctl(tty, TIOCSCTTY, 0);
		dup2(tty, 0);
		dup2(tty, 1);
		dup2(tty, 2);
	} else {
		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(pipe_out, 1);
		dup2(pipe_out, 2);
		setenv("TERM", "dumb", 1);
	}
	close_range(3, ~0U, 0);
	setenv("PATH", "/ckpt:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("LANG", "C.UTF-8", 1);
	if (chdir("/root"))
		chdir("/");
	if (cmd)
		execl("/bin/bash", "bash", "-c", cmd, NULL);
	else
		execl("/bin/bash", "bash", "-i", NULL);
	_exit(127);
}

/* Copies what is there now; false at end of file. */
static int relay(int from)
{
	static char buf[65536];
	ssize_t n = read(from, buf, sizeof(buf));

	if (n > 0)
		put(out, buf, n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

int main(void)
{
	int p[2] = { -1, -1 }, tty = -1, code = -1;
	sigset_t chld;
	pid_t main_child;

	to_real_root();
	mounts();
	out = port("out");
	status = port("status");
	sethostname("guest", 5);
	loopback_up();
	klogctl(8, NULL, 8); /* SYSLOG_ACTION_CONSOLE_LEVEL: the boot was quiet, from here the log is complete */
	load_module();

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	int sig = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);

	if (!cmd) {
		tty = open("/dev/hvc0", O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (tty < 0)
			die("/dev/hvc0");
	} else if (pipe2(p, O_CLOEXEC)) {
		die("pipe");
	}
	main_child = fork();
	if (main_child < 0)
		die("fork");
	if (!main_child)
		child(tty, p[1]);
	if (cmd) {
		close(p[1]);
		fcntl(p[0], F_SETFL, O_NONBLOCK);
	}
	while (code < 0) {
		struct pollfd fds[] = { { .fd = sig, .events = POLLIN }, { .fd = p[0], .events = POLLIN } };
		struct signalfd_siginfo si;
		int st;
		pid_t pid;

		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents && !relay(p[0])) {
			close(p[0]);
			p[0] = -1;
		}
		while (read(sig, &si, sizeof(si)) > 0)
			;
		while ((pid = waitpid(-1, &st, WNOHANG)) > 0)
			if (pid == main_child)
				code = WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
	}
	/* What the command wrote is in the pipe; programs that it left behind may keep the other end open. */
	for (int left = 64; p[0] >= 0 && left; left--) {
		struct pollfd fd = { .fd = p[0], .events = POLLIN };

		if (poll(&fd, 1, 0) <= 0 || !relay(p[0]))
			break;
	}
	off(code);
}
