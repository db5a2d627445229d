// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind shm: segments of System V shared memory that are attached, in parts, twice, for reading only, removed, locked. Identifiers, keys,
 * owners, times, counts and places are as they were, and the attachments are real ones. With "own" in an ipc namespace of its own,
 * where also a segment that nobody has attached is kept, and one whose key has been used again.
 */
#include "family.h"

#include <sched.h>
#include <sys/ipc.h>
#include <sys/shm.h>

enum { PAGES = 16, KEY = 0x4711c0de };

static bool own;

struct seen {
	int id;
	struct shmid_ds ds;
};

static struct seen all[8];
static int n;

static int make(key_t key, size_t size, int flags)
{
	int id = shmget(key, size, IPC_CREAT | IPC_EXCL | flags);

	if (id < 0)
		fail("shmget: errno %d", errno);
	all[n++].id = id;
	return id;
}

static char *attach(int id, int flags)
{
	char *at = shmat(id, NULL, flags);

	CHECK(at != (void *)-1);
	return at;
}

/* Lines of /proc/self/maps with System V segments. */
static void read_maps(char *out, size_t size)
{
	FILE *file = fopen("/proc/self/maps", "r");
	char line[512];

	CHECK(file);
	*out = 0;
	while (fgets(line, sizeof(line), file))
		if (strstr(line, "/SYSV")) {
			CHECK(strlen(out) + strlen(line) < size);
			strcat(out, line);
		}
	fclose(file);
}

static void expect_same(const struct seen *then)
{
	struct shmid_ds now;

	CHECK(shmctl(then->id, IPC_STAT, &now) == 0);
	CHECK_EQ(now.shm_perm.__key, then->ds.shm_perm.__key);
	CHECK_EQ(now.shm_perm.uid, then->ds.shm_perm.uid);
	CHECK_EQ(now.shm_perm.gid, then->ds.shm_perm.gid);
	CHECK_EQ(now.shm_perm.cuid, then->ds.shm_perm.cuid);
	CHECK_EQ(now.shm_perm.cgid, then->ds.shm_perm.cgid);
	CHECK_EQ(now.shm_perm.mode, then->ds.shm_perm.mode);
	CHECK_EQ(now.shm_segsz, then->ds.shm_segsz);
	CHECK_EQ(now.shm_atime, then->ds.shm_atime);
	CHECK_EQ(now.shm_dtime, then->ds.shm_dtime);
	CHECK_EQ(now.shm_ctime, then->ds.shm_ctime);
	CHECK_EQ(now.shm_cpid, then->ds.shm_cpid);
	CHECK_EQ(now.shm_lpid, then->ds.shm_lpid);
	CHECK_EQ(now.shm_nattch, then->ds.shm_nattch);
}

int main(int argc, char **argv)
{
	static char before[8192], after[8192];
	struct shmid_ds ds;
	int keyed, removed, locked, sparse, alone = -1, again = -1;
	char *one, *two, *reader, *gone, *fixed, *wide, *reused = NULL;

	own = argc > 1 && !strcmp(argv[1], "own");
	if (own && unshare(CLONE_NEWIPC) == -1)
		skip("unshare: errno %d", errno);
	/* Not the first identifiers. */
	for (int i = 0; i < 3; i++)
		CHECK(shmctl(shmget(IPC_PRIVATE, PAGE, 0600), IPC_RMID, NULL) == 0);

	keyed = make(KEY, PAGES * PAGE - 100, 0640);
	one = attach(keyed, 0);
	for (int i = 0; i < PAGES - 1; i += 2)
		fill(one + i * PAGE, PAGE, i + 1);
	two = attach(keyed, 0);
	reader = attach(keyed, SHM_RDONLY);
	/* Pieces: with a hole in which something else is, and a part that may only be read. */
	CHECK(munmap(one + 3 * PAGE, 2 * PAGE) == 0);
	fixed = mmap(one + 3 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK(fixed == one + 3 * PAGE);
	fill(fixed, PAGE, 77);
	CHECK(mprotect(one + 8 * PAGE, 2 * PAGE, PROT_READ) == 0);
	CHECK(munmap(two, PAGE) == 0);
	CHECK(madvise(two + PAGE, PAGE, MADV_DONTFORK) == 0);

	removed = make(IPC_PRIVATE, 2 * PAGE, 0600);
	gone = attach(removed, 0);
	fill(gone, 2 * PAGE, 5);
	CHECK(shmctl(removed, IPC_RMID, NULL) == 0);

	locked = make(IPC_PRIVATE, PAGE, 0600);
	fill(attach(locked, 0), PAGE, 6);
	if (shmctl(locked, SHM_LOCK, NULL) == -1)
		CHECK_EQ(errno, EPERM);

	sparse = make(IPC_PRIVATE, 1UL << 30, 0600 | SHM_NORESERVE);
	wide = attach(sparse, 0);
	fill(wide + (1 << 29), PAGE, 8);

	if (own) {
		alone = make(KEY + 1, PAGE, 0600);
		char *at = attach(alone, 0);
		fill(at, PAGE, 9);
		CHECK(shmdt(at) == 0);
		CHECK(shmctl(alone, IPC_STAT, &ds) == 0);
		ds.shm_perm.uid = 1000;
		ds.shm_perm.mode = 0604;
		CHECK(shmctl(alone, IPC_SET, &ds) == 0);
		/* A key that belonged to one that is removed, but still attached. */
		reused = attach(make(KEY + 2, PAGE, 0600), 0);
		fill(reused, PAGE, 10);
		CHECK(shmctl(all[n - 1].id, IPC_RMID, NULL) == 0);
		again = make(KEY + 2, 3 * PAGE, 0666);
	}
	for (int i = 0; i < n; i++)
		CHECK(shmctl(all[i].id, IPC_STAT, &all[i].ds) == 0);
	read_maps(before, sizeof(before));
	ready();
	if (disturbed())
		fill(one, PAGE, 1000);
	wait_go();

	read_maps(after, sizeof(after));
	if (strcmp(before, after))
		fail("maps:\n%s", after);
	for (int i = 0; i < n; i++)
		expect_same(&all[i]);
	CHECK_EQ(shmget(KEY, 0, 0), keyed);
	for (int i = 0; i < PAGES - 1; i += 2) {
		if (i != 4)
			CHECK_FILLED(one + i * PAGE, PAGE, i + 1);
		if (i)
			CHECK_FILLED(two + i * PAGE, PAGE, i + 1);
		CHECK_FILLED(reader + i * PAGE, PAGE, i + 1);
	}
	CHECK_FILLED(fixed, PAGE, 77);
	/* One object. */
	fill(one + 5 * PAGE, PAGE, 500);
	CHECK_FILLED(two + 5 * PAGE, PAGE, 500);
	CHECK_FILLED(reader + 5 * PAGE, PAGE, 500);
	CHECK_EQ(mprotect(reader, PAGE, PROT_READ | PROT_WRITE), -1);
	CHECK_EQ(errno, EACCES);
	CHECK_FILLED(gone, 2 * PAGE, 5);
	CHECK_FILLED(wide + (1 << 29), PAGE, 8);
	CHECK_EQ(wide[0], 0);
	if (own) {
		char *at = attach(alone, 0);

		CHECK_FILLED(at, PAGE, 9);
		CHECK_FILLED(reused, PAGE, 10);
		CHECK_EQ(shmget(KEY + 2, 0, 0), again);
	}
	/* Attachments can be undone as a whole, what is left of them. */
	CHECK(shmdt(one) == 0);
	CHECK(shmdt(reader) == 0);
	CHECK_FILLED(fixed, PAGE, 77);
	CHECK(shmctl(keyed, IPC_STAT, &ds) == 0);
	CHECK_EQ(ds.shm_nattch, 2);
	CHECK(shmdt(gone) == 0);
	CHECK_EQ(shmctl(removed, IPC_STAT, &ds), -1);
	CHECK(shmctl(keyed, IPC_RMID, NULL) == 0);
	CHECK(shmctl(locked, IPC_RMID, NULL) == 0);
	CHECK(shmctl(sparse, IPC_RMID, NULL) == 0);
	/* Identifiers go on where they were. */
	if (own)
		CHECK(shmget(IPC_PRIVATE, PAGE, 0600) != all[0].id - 1);
	pass();
}
