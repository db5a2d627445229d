// cflags: -O1 -static -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind ns: a mount namespace of its own, with a root directory that it has pivoted to: a tmpfs with files of all kinds, proc, devpts, a bind
 * mount from outside and one from inside, attributes, peers, slaves. Its thread lives there too. What nobody reads is read by nobody.
 */
#include "target.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static char mounts[2][16384], files[2][16384];
static pthread_barrier_t made, checked;

static void add(char *out, size_t size, const char *format, ...)
{
	size_t used = strlen(out);
	va_list args;

	va_start(args, format);
	vsnprintf(out + used, size - used, format, args);
	va_end(args);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All mounts without their numbers, sorted: the kernel lists them by number. */
static void list_mounts(char *out, size_t size)
{
	static char text[16384];
	char *lines[64], *line, *rest = text;
	size_t n = 0;
	int fd = open("/proc/thread-self/mountinfo", O_RDONLY);
	ssize_t length = read(fd, text, sizeof(text) - 1);

	CHECK(length > 0);
	close(fd);
	text[length] = 0;
	out[0] = 0;
	while (n < 64 && (line = strsep(&rest, "\n")) && *line) {
		for (int i = 0; i < 3; i++)
			line = strchr(line, ' ') + 1;
		lines[n++] = line;
	}
	qsort(lines, n, sizeof(lines[0]), compare);
	for (size_t i = 0; i < n; i++)
		add(out, size, "%s\n", lines[i]);
}

static const char *const notes[3] = { "trusted.note", "security.capability", "system.posix_acl_access" };

static void list_files(char *out, size_t size, const char *path)
{
	struct dirent **names;
	char below[512], text[256];
	struct stat st;
	int n;

	CHECK(lstat(path, &st) == 0);
	add(out, size, "%s %o %u:%u %ld %ld %u:%u %ld.%09ld\n", path, st.st_mode, st.st_uid, st.st_gid,
	    S_ISDIR(st.st_mode) ? 0 : (long)st.st_size, S_ISDIR(st.st_mode) ? 0 : (long)st.st_blocks, major(st.st_rdev),
	    minor(st.st_rdev), st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	for (int i = 0; i < 3; i++) {
		n = lgetxattr(path, notes[i], text, sizeof(text));
		if (n >= 0)
			add(out, size, "  %s", notes[i]);
		for (int j = 0; j < n; j++)
			add(out, size, j + 1 < n ? " %02x" : " %02x\n", (unsigned char)text[j]);
	}
	if (S_ISLNK(st.st_mode)) {
		n = readlink(path, text, sizeof(text));
		add(out, size, "  to %.*s\n", n, text);
	} else if (S_ISREG(st.st_mode)) {
		unsigned long sum = 0;
		int fd = open(path, O_RDONLY | O_NOATIME);

		while ((n = read(fd, text, sizeof(text))) > 0)
			for (int i = 0; i < n; i++)
				sum = sum * 31 + (unsigned char)text[i];
		close(fd);
		add(out, size, "  sum %lx, %lu names\n", sum, (unsigned long)st.st_nlink);
	} else if (S_ISDIR(st.st_mode)) {
		n = scandir(path, &names, NULL, alphasort);
		CHECK(n >= 2);
		for (int i = 0; i < n; i++) {
			if (strcmp(names[i]->d_name, ".") && strcmp(names[i]->d_name, "..")) {
				snprintf(below, sizeof(below), "%s/%s", path, names[i]->d_name);
				list_files(out, size, below);
			}
			free(names[i]);
		}
		free(names);
	}
}

static void *shares(void *unused)
{
	static char after[16384];

	pthread_barrier_wait(&made);
	pthread_barrier_wait(&checked);
	list_mounts(after, sizeof(after));
	if (strcmp(after, mounts[0]))
		fail("the thread sees other mounts: %s", after);
	return NULL;
}

static void write_file(const char *path, const char *text, off_t at)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	CHECK(fd >= 0 && pwrite(fd, text, strlen(text), at) == (ssize_t)strlen(text));
	close(fd);
}

/* CAP_NET_RAW, effective (struct vfs_cap_data); read for user 12, a mask (struct posix_acl_xattr_entry). */
static const unsigned int capability[5] = { 0x02000001, 1 << 13 };
static const unsigned int acl[] = {
	2, 6 << 16 | 0x01, -1, 4 << 16 | 0x02, 12, 4 << 16 | 0x04, -1, 4 << 16 | 0x10, -1, 0 << 16 | 0x20, -1,
};
static const struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };

static void check_unread(const char *path)
{
	struct stat st;

	CHECK(lstat(path, &st) == 0);
	if (st.st_atime != 1000)
		fail("%s was read: %ld", path, st.st_atime);
}

static void enter_root(void)
{
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mkdir("root", 0755) == 0 && mount("the-root", "root", "tmpfs", 0, "size=4m,mode=750") == 0);
	CHECK(chdir("root") == 0);
	for (const char *const *d = (const char *const[]){ "proc", "pts", "bound", "old", "mnt", "data", "empty", "peer", "slave",
							    "second", "third", NULL };
	     *d; d++)
		CHECK(mkdir(*d, 0755) == 0);
	CHECK(mount("proc", "proc", "proc", MS_NOSUID, "hidepid=0") == 0);
	CHECK(mount("pts", "pts", "devpts", MS_NOEXEC, "newinstance,gid=5,mode=600") == 0);
	CHECK(mount("..", "bound", NULL, MS_BIND, NULL) == 0);
	CHECK(mount(NULL, "bound", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV | MS_NOATIME, NULL) == 0);
	CHECK(syscall(SYS_pivot_root, ".", "old") == 0);
	CHECK(chdir("/") == 0);
	write_file("data/holes", "end", 1 << 20);
	write_file("data/holes", "begin", 0);
	CHECK(ftruncate(open("data/holes", O_WRONLY), 2 << 20) == 0);
	write_file("data/owned", "some text", 0);
	CHECK(chown("data/owned", 12, 34) == 0 && chmod("data/owned", 06751) == 0);
	CHECK(link("data/owned", "data/again") == 0);
	CHECK(symlink("../no/where", "data/link") == 0 && lchown("data/link", 7, 8) == 0 && link("data/link", "data/link2") == 0);
	write_file("data/capable", "a program", 0);
	CHECK(setxattr("data/capable", "security.capability", capability, sizeof(capability), 0) == 0);
	write_file("data/listed", "for some", 0);
	CHECK(setxattr("data/listed", "system.posix_acl_access", acl, sizeof(acl), 0) == 0);
	CHECK(mkfifo("data/fifo", 0620) == 0 && mknod("data/null", S_IFCHR | 0666, makedev(1, 3)) == 0);
	CHECK(mkdir("data/dir", 01777) == 0 && mkdir("data/dir/below", 0700) == 0);
	write_file("data/dir/below/deep", "some text", 0);
	CHECK(link("data/dir/below/deep", "data/dir/below/deeper") == 0);
	CHECK(setxattr("data/dir", "trusted.note", "a value", 7, 0) == 0);
	CHECK(mount("data", "peer", NULL, MS_BIND, NULL) == 0 && mount(NULL, "peer", NULL, MS_SHARED, NULL) == 0);
	CHECK(mount("peer", "slave", NULL, MS_BIND, NULL) == 0 && mount(NULL, "slave", NULL, MS_SLAVE, NULL) == 0);
	/* A master that is a slave itself and comes after its slave. */
	CHECK(mount(NULL, "slave", NULL, MS_SHARED, NULL) == 0 && mount("slave", "third", NULL, MS_BIND, NULL) == 0);
	CHECK(mount(NULL, "third", NULL, MS_SLAVE, NULL) == 0 && mount("slave", "second", NULL, MS_MOVE, NULL) == 0);
	CHECK(mount("ro", "empty", "tmpfs", MS_RDONLY, NULL) == 0);
	CHECK(umount2("old", MNT_DETACH) == 0 && rmdir("old") == 0);
	CHECK(mkdir("quiet", 0755) == 0);
	write_file("quiet/file", "unread", 0);
	CHECK(utimensat(AT_FDCWD, "quiet/file", old, 0) == 0 && utimensat(AT_FDCWD, "quiet", old, 0) == 0);
	CHECK(utimensat(AT_FDCWD, "data/dir", (struct timespec[]){ { 1, 2 }, { 1000000000, 5 } }, 0) == 0);
}

int main(void)
{
	char here[256], word[8] = "";
	pthread_t thread;
	int open_file;

	if (unshare(CLONE_NEWNS) == -1)
		skip("unshare: errno %d", errno);
	enter_root();
	open_file = open("/data/dir/open", O_RDWR | O_CREAT, 0600);
	CHECK(open_file >= 0 && write(open_file, "hello", 5) == 5);
	CHECK(chdir("/data/dir/below") == 0);
	CHECK(pthread_barrier_init(&made, NULL, 2) == 0 && pthread_barrier_init(&checked, NULL, 2) == 0);
	CHECK(pthread_create(&thread, NULL, shares, NULL) == 0);
	pthread_barrier_wait(&made);
	list_mounts(mounts[0], sizeof(mounts[0]));
	list_files(files[0], sizeof(files[0]), "/data");
	ready();
	if (disturbed())
		CHECK(unlink("/data/fifo") == 0);
	wait_go();
	pthread_barrier_wait(&checked);
	CHECK(pthread_join(thread, NULL) == 0);
	list_mounts(mounts[1], sizeof(mounts[1]));
	list_files(files[1], sizeof(files[1]), "/data");
	if (strcmp(mounts[0], mounts[1]))
		fail("mounts were\n%s\nare\n%s", mounts[0], mounts[1]);
	if (strcmp(files[0], files[1]))
		fail("files were\n%s\nare\n%s", files[0], files[1]);
	CHECK(getcwd(here, sizeof(here)) && strcmp(here, "/data/dir/below") == 0);
	CHECK(pread(open_file, word, 5, 0) == 5 && strcmp(word, "hello") == 0);
	CHECK(access("/second/owned", F_OK) == 0 && access("/third/owned", F_OK) == 0);
	check_unread("/quiet");
	check_unread("/quiet/file");
	CHECK(getxattr("/data/capable", "security.capability", word, sizeof(word)) == -1 && errno == ERANGE);
	pass();
}
