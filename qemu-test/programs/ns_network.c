// cflags: -O1 -static
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind ns: network namespaces with veth pairs. "outside OUTER": the other end is OUTER in the namespace of pid 1; when it goes on, it
 * sends a datagram to 10.9.0.1. "alone": so is the other end. "pair": two processes in two namespaces, a pair between them and one inside of the first.
 */
#include "target.h"

#include <arpa/inet.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define PICTURE 65536

/* What may differ: states that come and go with the other end, its index, what is left of a lifetime, that nobody looks for an address. */
#define SHOW                                                                                                      \
	"{ ip -o link | sed -E 's/@(if)?[^:]*:/:/; s/ (state|qdisc|mode) [a-zA-Z_]+//g; s/ link-netns[a-z]* [^ ]+//;" \
	" s/,?(NO-CARRIER|LOWER_UP|M-DOWN),?/,/g; s/,+>/>/; s/<,/</; s/,,+/,/g';"                                       \
	" ip -o addr | sed -E 's/ (tentative|nodad)//g; s/ (valid|preferred)_lft [0-9]+sec//g';"                        \
	" ip -4 route show table all | sed 's/ linkdown//';"                                                            \
	" ip -6 route show table all | sed -E 's/ linkdown//; s/ expires [0-9]+sec//' | sort;"                           \
	" ip neigh show nud permanent; } 2>&1"

static void run(const char *script)
{
	if (system(script))
		fail("%s", script);
}

static char *picture(void)
{
	char *text = calloc(1, PICTURE);
	FILE *p = popen(SHOW, "r");

	CHECK(p && fread(text, 1, PICTURE - 1, p) > 200);
	CHECK(pclose(p) == 0);
	return text;
}

static void expect_picture(const char *before)
{
	char *now = picture();
	size_t at = 0;

	/* The kernel ends by itself what it does with an address of IPv6. */
	for (int tries = 0; strcmp(before, now) && tries < 20; tries++) {
		sleep_ms(100);
		free(now);
		now = picture();
	}
	while (before[at] && before[at] == now[at])
		at++;
	if (before[at] != now[at]) {
		while (at && before[at - 1] != '\n')
			at--;
		fail("'%.*s' instead of '%.*s'", (int)strcspn(now + at, "\n"), now + at, (int)strcspn(before + at, "\n"), before + at);
	}
	free(now);
}

static int udp(const char *address, int port, bool listen)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval patience = { .tv_sec = 10 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK(inet_pton(AF_INET, address, &to.sin_addr) == 1);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
	CHECK((listen ? bind : connect)(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
	return fd;
}

/* eth0, its other end, and what belongs to them. @place says where the other end is and @as how commands run there. */
static void world(const char *outer, const char *place, const char *as)
{
	char script[4096];

	snprintf(script, sizeof(script),
		 "set -e; ip link set lo up;"
		 "ip link add eth0 index 7 address 02:00:00:00:07:02 mtu 1400 txqueuelen 77 type veth peer name %s %s;"
		 "ip link set eth0 alias uplink group 5; ip link set eth0 up;"
		 "%s ip addr add 10.9.0.1/24 dev %s; %s ip link set %s up;"
		 "ip addr add 10.9.0.2/24 brd + dev eth0; ip addr add 10.9.0.3/24 label eth0:x dev eth0;"
		 "ip addr add 10.8.0.1 peer 10.8.0.2/32 dev eth0 metric 7; ip addr add 127.0.0.9/8 dev lo;"
		 "ip addr add fd09::2/64 dev eth0 nodad; ip addr add fd09::77/64 dev eth0 valid_lft 5000 preferred_lft 4000 nodad;"
		 "ip route add 169.254.7.7 dev eth0 scope link; ip route add default via 10.9.0.1 metric 10 mtu 1300;"
		 "ip route add 10.200.0.0/16 via 169.254.7.7; ip route add 192.168.0.0/16 dev eth0 table 777 proto static;"
		 "ip route add blackhole 10.66.0.0/16; ip route add local 10.77.0.0/16 dev lo;"
		 "ip route add 10.99.0.0/16 via 10.44.0.1 dev eth0 onlink src 10.9.0.3; ip route add 10.98.0.0/16 via inet6 fd09::1;"
		 "ip -6 route add default via fd09::1 metric 3; ip -6 route add fd66::/32 dev eth0 metric 5; ip -6 route add unreachable fd67::/32;"
		 "ip neigh add 10.9.0.9 lladdr 02:00:00:00:00:09 dev eth0 nud permanent; sleep 2",
		 outer, place, as, outer, as, outer);
	run(script);
}

static void keep(bool talk)
{
	char *before;
	int fd;

	before = picture();
	ready();
	if (disturbed())
		*before ^= 1;
	wait_go();
	expect_picture(before);
	if (!talk)
		pass();
	fd = udp("10.9.0.1", 4712, false);
	CHECK(write(fd, "hello", 5) == 5);
	pass();
}

static void in_child(int told, int tell)
{
	char *before, byte;
	int fd;

	CHECK(unshare(CLONE_NEWNET) == 0);
	CHECK(write(tell, "1", 1) == 1 && read(told, &byte, 1) == 1);
	run("ip link set lo up; ip addr add 10.5.0.2/24 dev b0; ip link set b0 up; ip route add default via 10.5.0.1; sleep 2");
	before = picture();
	CHECK(write(tell, "2", 1) == 1);
	wait_go();
	expect_picture(before);
	fd = udp("10.5.0.2", 4711, true);
	CHECK(read(fd, &byte, 1) == 1);
	_exit(0);
}

static void pair(void)
{
	int up[2], down[2], fd, status;
	char script[512], *before, byte;
	pid_t child;

	CHECK(unshare(CLONE_NEWNET) == 0);
	CHECK(pipe(up) == 0 && pipe(down) == 0);
	child = fork();
	if (!child)
		in_child(down[0], up[1]);
	CHECK(read(up[0], &byte, 1) == 1);
	snprintf(script, sizeof(script),
		 "set -e; ip link add a0 index 5 type veth peer name b0 index 9 netns %d; ip addr add 10.5.0.1/24 dev a0; ip link set a0 up;"
		 "ip link add y0 index 12 type veth peer name x0 index 11; ip link set x0 up; ip link set y0 up arp off;"
		 "ip addr add 10.6.0.1/24 dev x0; ip route add 10.7.0.0/16 via 10.5.0.2",
		 child);
	run(script);
	CHECK(write(down[1], "1", 1) == 1 && read(up[0], &byte, 1) == 1);
	before = picture();
	ready();
	if (disturbed())
		*before ^= 1;
	wait_go();
	expect_picture(before);
	fd = udp("10.5.0.2", 4711, false);
	while (waitpid(child, &status, WNOHANG) == 0) {
		/* Nobody may listen yet. */
		(void)!write(fd, "x", 1);
		sleep_ms(20);
	}
	CHECK_EQ(status, 0);
	pass();
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "pair") == 0)
		pair();
	CHECK(unshare(CLONE_NEWNET) == 0);
	if (argc > 2)
		world(argv[2], "netns 1", "nsenter -t 1 -n");
	else
		world("h0", "", "");
	keep(argc > 2);
}
