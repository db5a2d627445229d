/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind pty: pairs of pseudoterminals in all states: lines half typed, lines and end-of-file marks that nobody has read, output that
 * waits, echo that waits, stopped output, packet mode, locked, exclusive, never opened, closed on one side.
 *
 * "private": in a devpts of its own.
 */
#include "target.h"

#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <termios.h>

struct pair {
	int master, slave, number;
	char name[32];
};

static int number_of(int master)
{
	int number = -1;

	CHECK_EQ(ioctl(master, TIOCGPTN, &number), 0);
	return number;
}

static struct pair new_pair(void)
{
	struct pair p = { .master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), .slave = -1 };

	CHECK(p.master >= 0);
	p.number = number_of(p.master);
	snprintf(p.name, sizeof(p.name), "/dev/pts/%d", p.number);
	return p;
}

static struct pair open_pair(void)
{
	struct pair p = new_pair();

	CHECK_EQ(unlockpt(p.master), 0);
	p.slave = open(p.name, O_RDWR | O_NOCTTY | O_NONBLOCK);
	CHECK(p.slave >= 0);
	CHECK_EQ(fcntl(p.master, F_SETFL, O_RDWR | O_NONBLOCK), 0);
	return p;
}

static void make_raw(int fd)
{
	struct termios t;

	CHECK_EQ(tcgetattr(fd, &t), 0);
	cfmakeraw(&t);
	CHECK_EQ(tcsetattr(fd, TCSANOW, &t), 0);
}

static void type(int fd, const char *text)
{
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
}

/* What the line discipline has to do is done by a worker. */
static ssize_t read_soon(int fd, void *buf, size_t size)
{
	for (int i = 0; i < 1000; i++) {
		ssize_t n = read(fd, buf, size);

		if (n >= 0 || errno != EAGAIN)
			return n;
		sleep_ms(5);
	}
	return -1;
}

static void expect(int fd, const char *text)
{
	size_t length = strlen(text), done = 0;
	char got[256];

	while (done < length) {
		ssize_t n = read_soon(fd, got + done, length - done);

		if (n <= 0)
			fail("read returned %zd (errno %d) after %zu of \"%s\"", n, errno, done, text);
		done += n;
	}
	got[length] = 0;
	if (memcmp(got, text, length))
		fail("got \"%s\", not \"%s\"", got, text);
}

static void expect_nothing(int fd)
{
	char byte;

	sleep_ms(50);
	CHECK_EQ(read(fd, &byte, 1), -1);
	CHECK_EQ(errno, EAGAIN);
}

static void settle(void)
{
	sleep_ms(200);
}

/* Canonical: two lines, an end-of-file mark behind half a line, an empty one, and a line half typed with a tab in it. */
static struct pair lines;
static struct stat node;

static void prepare_lines(void)
{
	struct winsize size = { 33, 111, 5, 6 };
	struct termios t;

	lines = open_pair();
	CHECK_EQ(tcgetattr(lines.slave, &t), 0);
	t.c_cc[VEOL] = '#';
	t.c_cc[VKILL] = 'K';
	cfsetspeed(&t, B9600);
	CHECK_EQ(tcsetattr(lines.slave, TCSANOW, &t), 0);
	CHECK_EQ(ioctl(lines.master, TIOCSWINSZ, &size), 0);
	type(lines.master, "first\nsecond#mark\004\004abcd\tx");
	settle();
	expect(lines.slave, "fi");
	expect(lines.master, "first\r\nse");
	CHECK_EQ(fchmod(lines.slave, 0642), 0);
	CHECK_EQ(fstat(lines.slave, &node), 0);
}

static void check_lines(void)
{
	struct winsize size;
	struct termios t;
	struct stat st;
	char byte;

	CHECK_EQ(tcgetattr(lines.slave, &t), 0);
	CHECK(t.c_cc[VEOL] == '#' && t.c_cc[VKILL] == 'K' && cfgetospeed(&t) == B9600);
	CHECK(t.c_lflag & ICANON && t.c_lflag & ECHO);
	CHECK_EQ(ioctl(lines.slave, TIOCGWINSZ, &size), 0);
	CHECK(size.ws_row == 33 && size.ws_col == 111 && size.ws_xpixel == 5 && size.ws_ypixel == 6);
	CHECK_EQ(fstat(lines.slave, &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0642);
	CHECK(st.st_uid == node.st_uid && st.st_gid == node.st_gid && st.st_rdev == node.st_rdev);
	CHECK(strcmp(ttyname(lines.slave), lines.name) == 0);
	CHECK_EQ(number_of(lines.master), lines.number);
	/* Not one read for two lines. */
	char buf[64];
	CHECK_EQ(read_soon(lines.slave, buf, sizeof(buf)), 4);
	CHECK(memcmp(buf, "rst\n", 4) == 0);
	CHECK_EQ(read_soon(lines.slave, buf, sizeof(buf)), 7);
	CHECK(memcmp(buf, "second#", 7) == 0);
	CHECK_EQ(read_soon(lines.slave, buf, sizeof(buf)), 4);
	CHECK(memcmp(buf, "mark", 4) == 0);
	CHECK_EQ(read_soon(lines.slave, &byte, 1), 0);
	expect_nothing(lines.slave);
	expect(lines.master, "cond#markabcd\tx");
	/* Erased: the x, and the tab, which is as wide as the columns say: the line begins in column 11, the tab in 15. */
	type(lines.master, disturbed() ? "\177" : "\177\177y\n");
	settle();
	expect(lines.master, "\b \b\b");
	expect(lines.master, "y\r\n");
	expect(lines.slave, "abcdy\n");
	expect_nothing(lines.slave);
	expect_nothing(lines.master);
	type(lines.slave, "out\n");
	expect(lines.master, "out\r\n");
}

/* Raw, full in both directions: what the line disciplines have no room for waits behind. */
enum { LOT = 64 * 1024 };
static struct pair full;
static size_t down, up;

static unsigned char pattern(size_t at, int seed)
{
	return (at * 31 + at / 251 + seed) & 0xff;
}

static size_t fill_up(int fd, int seed)
{
	size_t done = 0;

	for (int tries = 0; tries < 20; tries++) {
		unsigned char bytes[500];

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = pattern(done + i, seed);
		ssize_t n = write(fd, bytes, sizeof(bytes));

		if (n < 0) {
			CHECK_EQ(errno, EAGAIN);
			sleep_ms(10);
			continue;
		}
		tries = 0;
		done += n;
	}
	CHECK(done > 8000);
	return done;
}

static void drain(int fd, int seed, size_t length)
{
	unsigned char bytes[LOT];
	size_t done = 0;

	CHECK(length < sizeof(bytes));
	while (done < length) {
		ssize_t n = read_soon(fd, bytes + done, length - done);

		if (n <= 0)
			fail("%zu of %zu bytes are there", done, length);
		done += n;
	}
	for (size_t i = 0; i < length; i++)
		if (bytes[i] != pattern(i, seed))
			fail("byte %zu of %zu differs", i, length);
	expect_nothing(fd);
}

static void prepare_full(void)
{
	full = open_pair();
	make_raw(full.slave);
	down = fill_up(full.master, 1);
	up = fill_up(full.slave, 2);
}

static void check_full(void)
{
	drain(full.slave, 1, down);
	drain(full.master, 2, up);
	type(full.master, "down");
	expect(full.slave, "down");
}

/* Stopped by ^S, with echo that waits, in packet mode with an event that nobody has read. */
static struct pair stopped;

static void prepare_stopped(void)
{
	int on = 1;

	stopped = open_pair();
	CHECK_EQ(ioctl(stopped.master, TIOCPKT, &on), 0);
	type(stopped.master, "\023typed\n");
	settle();
}

static void check_stopped(void)
{
	char packet[64];
	int on = 0;

	CHECK_EQ(ioctl(stopped.master, TIOCGPKT, &on), 0);
	CHECK_EQ(on, 1);
	CHECK_EQ(write(stopped.slave, "x", 1), -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(read_soon(stopped.master, packet, sizeof(packet)), 1);
	CHECK_EQ(packet[0], TIOCPKT_STOP);
	expect_nothing(stopped.master);
	expect(stopped.slave, "typed\n");
	type(stopped.master, "\021");
	settle();
	CHECK_EQ(read_soon(stopped.master, packet, sizeof(packet)), 1);
	CHECK_EQ(packet[0], TIOCPKT_START);
	CHECK_EQ(read_soon(stopped.master, packet, sizeof(packet)), 8);
	CHECK(memcmp(packet, "\0typed\r\n", 8) == 0);
}

/* Stopped by tcflow(3), both ends; exclusive; ^V was typed. */
static struct pair off;

static void prepare_off(void)
{
	off = open_pair();
	CHECK_EQ(tcflow(off.slave, TCOOFF), 0);
	type(off.master, "\026");
	settle();
	CHECK_EQ(ioctl(off.master, TCXONC, TCOOFF), 0);
	CHECK_EQ(ioctl(off.slave, TIOCEXCL), 0);
	CHECK_EQ(ioctl(off.master, TIOCEXCL), 0);
}

static void check_off(void)
{
	int exclusive = 0;

	CHECK_EQ(ioctl(off.slave, TIOCGEXCL, &exclusive), 0);
	CHECK_EQ(exclusive, 1);
	exclusive = 0;
	CHECK_EQ(ioctl(off.master, TIOCGEXCL, &exclusive), 0);
	CHECK_EQ(exclusive, 1);
	CHECK_EQ(write(off.master, "x", 1), -1);
	CHECK_EQ(write(off.slave, "x", 1), -1);
	CHECK_EQ(ioctl(off.master, TCXONC, TCOON), 0);
	/* Not an end-of-file mark. */
	type(off.master, "\004\n");
	expect(off.slave, "\004\n");
	expect_nothing(off.master);
	CHECK_EQ(tcflow(off.slave, TCOON), 0);
	type(off.slave, "on");
	expect(off.master, "^\b^D\r\non");
}

/* Never opened and locked; opened and closed; its master closed; with several open files. */
static struct pair locked, closed, orphan, many;
static int second, reader;

static void prepare_sides(void)
{
	int lock = 1;

	locked = new_pair();
	CHECK_EQ(fcntl(locked.master, F_SETFL, O_RDWR | O_NONBLOCK), 0);
	closed = open_pair();
	CHECK_EQ(close(closed.slave), 0);
	orphan = open_pair();
	CHECK_EQ(close(orphan.master), 0);
	many = open_pair();
	second = open(many.name, O_WRONLY | O_NOCTTY);
	reader = open(many.name, O_RDONLY | O_NOCTTY | O_NONBLOCK);
	CHECK(second >= 0 && reader >= 0);
	CHECK_EQ(ioctl(many.master, TIOCSPTLCK, &lock), 0);
}

static void check_sides(void)
{
	struct pollfd polled = { .fd = locked.master, .events = POLLIN };
	int lock = 0;
	char byte;

	CHECK_EQ(ioctl(locked.master, TIOCGPTLCK, &lock), 0);
	CHECK_EQ(lock, 1);
	CHECK_EQ(poll(&polled, 1, 0), 0);
	CHECK_EQ(open(locked.name, O_RDWR | O_NOCTTY), -1);
	CHECK_EQ(errno, EIO);
	expect_nothing(locked.master);

	CHECK_EQ(read(closed.master, &byte, 1), -1);
	CHECK_EQ(errno, EIO);
	closed.slave = open(closed.name, O_RDWR | O_NOCTTY);
	CHECK(closed.slave >= 0);
	type(closed.slave, "again");
	expect(closed.master, "again");

	CHECK_EQ(read(orphan.slave, &byte, 1), 0);
	CHECK_EQ(write(orphan.slave, "x", 1), -1);
	CHECK_EQ(errno, EIO);
	CHECK_EQ(fcntl(orphan.slave, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR | O_NONBLOCK);

	CHECK_EQ(ioctl(many.master, TIOCGPTLCK, &lock), 0);
	CHECK_EQ(lock, 1);
	CHECK_EQ(fcntl(second, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_WRONLY);
	CHECK_EQ(fcntl(reader, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDONLY | O_NONBLOCK);
	type(second, "a");
	expect(many.master, "a");
	type(many.master, "b\n");
	expect(reader, "b\n");
	CHECK_EQ(close(many.slave), 0);
	CHECK_EQ(close(second), 0);
	CHECK_EQ(close(reader), 0);
	expect(many.master, "b\r\n");
	CHECK_EQ(read(many.master, &byte, 1), -1);
	CHECK_EQ(errno, EIO);
}

static void enter_private(void)
{
	CHECK_EQ(unshare(CLONE_NEWNS), 0);
	CHECK_EQ(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	CHECK_EQ(mount("pts", "/dev/pts", "devpts", MS_NOEXEC, "newinstance,gid=5,mode=620,ptmxmode=666"), 0);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "private") == 0)
		enter_private();
	/* Numbers below those of the pairs are free when they are made again. */
	struct pair first = new_pair(), other = new_pair();

	prepare_lines();
	CHECK_EQ(close(first.master), 0);
	prepare_full();
	prepare_stopped();
	prepare_off();
	prepare_sides();
	CHECK_EQ(close(other.master), 0);
	ready();
	wait_go();
	check_lines();
	check_full();
	check_stopped();
	check_off();
	check_sides();
	pass();
}
