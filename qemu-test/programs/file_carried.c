// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind file: a file with a name whose contents travel is again what it was, with its hole, size and modification time, for those who have
 * it open for reading, and for appending; so is one that is open for reading only, with the argument "all". A file of sysfs has no
 * contents that could travel.
 */
#include "target.h"

#include <sys/stat.h>

static struct stat status(int fd)
{
	struct stat now;

	CHECK(fstat(fd, &now) == 0);
	return now;
}

static void check_same(int fd, const struct stat *before)
{
	struct stat now = status(fd);

	CHECK_EQ(now.st_size, before->st_size);
	CHECK_EQ(now.st_mode, before->st_mode);
	CHECK_EQ(now.st_uid, before->st_uid);
	CHECK_EQ(now.st_mtim.tv_sec, before->st_mtim.tv_sec);
	CHECK_EQ(now.st_mtim.tv_nsec, before->st_mtim.tv_nsec);
}

static void check_text(int fd, off_t at, const char *text)
{
	char got[16] = "";

	CHECK_EQ(pread(fd, got, strlen(text), at), (ssize_t)strlen(text));
	CHECK(memcmp(got, text, strlen(text)) == 0);
}

int main(int argc, char **argv)
{
	int all = argc > 1 && strcmp(argv[1], "all") == 0;
	int journal = open("journal", O_RDWR | O_CREAT | O_APPEND, 0640);
	int made = open("input", O_WRONLY | O_CREAT, 0604);

	CHECK(journal >= 0 && made >= 0);
	CHECK_EQ(write(made, "question", 8), 8);
	close(made);
	int input = open("input", O_RDONLY), reader = open("journal", O_RDONLY);
	int attribute = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY);
	CHECK(input >= 0 && reader >= 0 && attribute >= 0);
	CHECK_EQ(write(journal, "begin", 5), 5);
	CHECK(ftruncate(journal, 1 << 20) == 0);
	CHECK_EQ(write(journal, "end", 3), 3);
	CHECK_EQ(lseek(input, 4, SEEK_SET), 4);
	struct stat of_journal = status(journal), of_input = status(input);
	ready();
	wait_go();
	check_same(journal, &of_journal);
	check_same(reader, &of_journal);
	CHECK_EQ(status(journal).st_ino, status(reader).st_ino);
	CHECK(status(journal).st_blocks < 1024);
	check_text(reader, 0, "begin");
	check_text(reader, 1 << 20, "end");
	check_text(journal, 1 << 19, "\0\0\0");
	if (all) {
		check_same(input, &of_input);
		check_text(input, 0, "question");
	}
	CHECK_EQ(lseek(input, 0, SEEK_CUR), 4);
	char first;
	CHECK_EQ(read(attribute, &first, 1), 1);
	CHECK_EQ(write(journal, "more", 4), 4);
	check_text(reader, (1 << 20) + 3, "more");
	say("OK");
	return 0;
}
