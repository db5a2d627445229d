// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/* Has a deleted file and a sealed memfd, a few bytes each, and nothing else: for mutated statefiles. */
#include "target.h"

int main(void)
{
	int deleted = open("deleted", O_RDWR | O_CREAT, 0600), memfd = memfd_create("ours", MFD_ALLOW_SEALING);
	char text[8];

	CHECK(deleted >= 0 && memfd >= 0 && unlink("deleted") == 0);
	CHECK(write(deleted, "deleted", 8) == 8 && write(memfd, "memfd", 6) == 6);
	CHECK(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE) == 0);
	ready();
	wait_go();
	CHECK(pread(deleted, text, 8, 0) == 8 && strcmp(text, "deleted") == 0);
	CHECK(pread(memfd, text, 6, 0) == 6 && strcmp(text, "memfd") == 0);
	pass();
}
