// cflags: -O1 -static
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind fs: working directory, root directory and umask. With the argument "chroot" it runs inside a root directory of
 * its own, where the harness has put it (statically linked, so that all it maps is inside).
 */
#include "target.h"

#include <sys/stat.h>

int main(int argc, char **argv)
{
	char before[4096], now[4096];
	bool jailed = argc > 1 && strcmp(argv[1], "chroot") == 0;
	struct stat root, here;
	int fd;

	CHECK(mkdir("sub", 0755) == 0);
	CHECK(mkdir("sub/with space\n", 0755) == 0);
	CHECK(chdir("sub/with space\n") == 0);
	CHECK(getcwd(before, sizeof(before)));
	CHECK(stat("/", &root) == 0 && stat(".", &here) == 0);
	if (jailed)
		CHECK(access("/proc/self", F_OK) == -1);
	umask(0137);
	ready();
	if (disturbed())
		umask(0022);
	wait_go();
	CHECK(getcwd(now, sizeof(now)));
	if (strcmp(before, now))
		fail("working directory is %s", now);
	fd = open("made", O_WRONLY | O_CREAT, 0777);
	CHECK(fd >= 0);
	struct stat now_root, now_here, made;

	CHECK(fstat(fd, &made) == 0);
	CHECK_EQ(made.st_mode & 07777, 0640);
	CHECK(stat("/", &now_root) == 0 && stat(".", &now_here) == 0);
	CHECK_EQ(now_root.st_ino, root.st_ino);
	CHECK_EQ(now_here.st_ino, here.st_ino);
	CHECK(unlink("made") == 0);
	pass();
}
