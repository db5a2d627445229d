// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind cred: ids, groups, capabilities, bounding set, ambient set and securebits. Usage: cred_all VARIANT
 * Variants: plain (as started), mixed_ids, subset (some capabilities), ambient, threads (each thread its own).
 */
#include "target.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

struct creds {
	uid_t ids[8];
	gid_t groups[32];
	int group_count;
	uint32_t caps[6];
	uint64_t bounding, ambient;
	int securebits;
};

static pthread_barrier_t barrier;

static void get(struct creds *c)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };

	memset(c, 0, sizeof(*c));
	CHECK(getresuid(&c->ids[0], &c->ids[1], &c->ids[2]) == 0);
	CHECK(getresgid(&c->ids[3], &c->ids[4], &c->ids[5]) == 0);
	c->ids[6] = syscall(SYS_setfsuid, -1);
	c->ids[7] = syscall(SYS_setfsgid, -1);
	c->group_count = getgroups(32, c->groups);
	CHECK(c->group_count >= 0);
	CHECK(syscall(SYS_capget, &header, c->caps) == 0);
	for (int i = 0; i < 64; i++) {
		if (prctl(PR_CAPBSET_READ, i) == 1)
			c->bounding |= 1ULL << i;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1)
			c->ambient |= 1ULL << i;
	}
	c->securebits = prctl(PR_GET_SECUREBITS);
}

static void set_caps(uint64_t permitted, uint64_t effective, uint64_t inheritable)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	uint32_t caps[6] = { effective, permitted, inheritable, effective >> 32, permitted >> 32, inheritable >> 32 };

	CHECK(syscall(SYS_capset, &header, caps) == 0);
}

static void check(unsigned me, bool apart)
{
	struct creds before, now;

	if (apart) {
		/* Raw calls: libc would change all threads. */
		CHECK(syscall(SYS_setresuid, 100 + me, 0, 200 + me) == 0);
		CHECK(syscall(SYS_setresgid, 300 + me, 0, 400 + me) == 0);
	}
	get(&before);
	if (apart)
		pthread_barrier_wait(&barrier);
	if (me == 0)
		ready();
	wait_go();
	get(&now);
	if (disturbed())
		now.ids[4]++;
	for (int i = 0; i < 8; i++)
		if (now.ids[i] != before.ids[i])
			fail("id %d of thread %u is %u, not %u", i, me, now.ids[i], before.ids[i]);
	if (memcmp(now.caps, before.caps, sizeof(now.caps)))
		fail("capabilities of thread %u", me);
	if (memcmp(now.groups, before.groups, sizeof(now.groups)) || now.group_count != before.group_count)
		fail("groups of thread %u", me);
	CHECK_EQ(now.bounding, before.bounding);
	CHECK_EQ(now.ambient, before.ambient);
	CHECK_EQ(now.securebits, before.securebits);
}

static void *thread_main(void *argument)
{
	check((uintptr_t)argument, true);
	return NULL;
}

int main(int argc, char **argv)
{
	const char *variant = argc > 1 ? argv[1] : "plain";
	const uint64_t some = 1ULL << CAP_CHOWN | 1ULL << CAP_SYS_NICE | 1ULL << CAP_AUDIT_READ;
	gid_t groups[3] = { 7, 1000, 65000 };
	pthread_t threads[2];

	if (strcmp(variant, "mixed_ids") == 0) {
		CHECK(setgroups(3, groups) == 0);
		CHECK(setresgid(11, 12, 13) == 0);
		setfsgid(14);
		CHECK(setresuid(21, 0, 23) == 0);
		setfsuid(24);
	} else if (strcmp(variant, "subset") == 0) {
		CHECK(prctl(PR_CAPBSET_DROP, CAP_SYS_MODULE) == 0);
		CHECK(prctl(PR_CAPBSET_DROP, CAP_MKNOD) == 0);
		set_caps(some | 1ULL << CAP_KILL, some, 1ULL << CAP_CHOWN);
	} else if (strcmp(variant, "ambient") == 0) {
		CHECK(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_NOROOT) == 0);
		CHECK(setgroups(0, NULL) == 0);
		CHECK(setresgid(1000, 1000, 1000) == 0);
		CHECK(setresuid(1000, 1000, 1000) == 0);
		set_caps(some, some, some);
		CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0) == 0);
	} else if (strcmp(variant, "threads") == 0) {
		pthread_barrier_init(&barrier, NULL, 3);
		for (uintptr_t i = 0; i < 2; i++)
			CHECK(pthread_create(&threads[i], NULL, thread_main, (void *)(i + 1)) == 0);
		check(0, true);
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		pass();
	} else {
		CHECK(strcmp(variant, "plain") == 0);
	}
	check(0, false);
	pass();
}
