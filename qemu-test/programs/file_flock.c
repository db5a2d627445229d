// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/* Kind file: locks of flock(2) belong to the open file, shared by duplicates, and still keep others out. */
#include "target.h"

#include <sys/file.h>

int main(void)
{
	int exclusive = open("exclusive", O_RDWR | O_CREAT, 0600), shared = open("shared", O_RDWR | O_CREAT, 0600);
	int same, other, other_shared;

	CHECK(flock(exclusive, LOCK_EX) == 0 && flock(shared, LOCK_SH) == 0);
	same = dup(exclusive);
	other = open("exclusive", O_RDONLY);
	other_shared = open("shared", O_RDONLY);
	ready();
	if (disturbed())
		CHECK(flock(exclusive, LOCK_UN) == 0);
	wait_go();
	CHECK_EQ(flock(other, LOCK_SH | LOCK_NB), -1);
	CHECK_EQ(errno, EWOULDBLOCK);
	CHECK_EQ(flock(other_shared, LOCK_EX | LOCK_NB), -1);
	CHECK_EQ(flock(other_shared, LOCK_SH | LOCK_NB), 0);
	CHECK_EQ(flock(same, LOCK_UN), 0);
	CHECK_EQ(flock(other, LOCK_EX | LOCK_NB), 0);
	pass();
}
