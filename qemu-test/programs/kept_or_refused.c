// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Holds one rarely used attribute, chosen by name, and checks that it is still there. A checkpoint has to keep it or to
 * refuse the process; to lose it in silence is wrong. Usage: kept_or_refused KIND
 */
#include "target.h"

#include <asm/ldt.h>
#include <asm/prctl.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <signal.h>
#include <sys/io.h>
#include <sys/prctl.h>

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static long read_number(const char *path, int base)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY);

	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return strtol(text, NULL, base);
}

/* Each sets (and may skip) when `set`, and checks otherwise. */

static void oom_score(bool set)
{
	if (set)
		write_file("/proc/self/oom_score_adj", "321");
	else
		CHECK_EQ(read_number("/proc/self/oom_score_adj", 10), 321);
}

static void coredump_filter(bool set)
{
	if (set)
		write_file("/proc/self/coredump_filter", "0x7f");
	else
		CHECK_EQ(read_number("/proc/self/coredump_filter", 16), 0x7f);
}

static void io_priority(bool set)
{
	if (set)
		CHECK(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6) == 0);
	else
		CHECK_EQ(syscall(SYS_ioprio_get, 1, 0), 2 << 13 | 6);
}

static void memory_policy(bool set)
{
	unsigned long mask = 1;
	int mode = -1;

	if (set) {
		if (syscall(SYS_set_mempolicy, 2 /* MPOL_BIND */, &mask, 8) == -1)
			skip("set_mempolicy: errno %d", errno);
	} else {
		CHECK(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) == 0);
		CHECK_EQ(mode, 2);
	}
}

static char *bound;

static void mapping_policy(bool set)
{
	unsigned long mask = 1;
	int mode = -1;

	if (set) {
		bound = map_private(4 * PAGE);
		fill(bound, 4 * PAGE, 1);
		if (syscall(SYS_mbind, bound, 4 * PAGE, 2, &mask, 8, 0) == -1)
			skip("mbind: errno %d", errno);
	} else {
		CHECK(syscall(SYS_get_mempolicy, &mode, NULL, 0, bound, 2 /* MPOL_F_ADDR */) == 0);
		CHECK_EQ(mode, 2);
	}
}

static void subreaper(bool set)
{
	int value = 0;

	if (set) {
		CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	} else {
		CHECK(prctl(PR_GET_CHILD_SUBREAPER, &value) == 0);
		CHECK_EQ(value, 1);
	}
}

static void deny_write_execute(bool set)
{
	if (set) {
		if (prctl(65 /* PR_SET_MDWE */, 1, 0, 0, 0) == -1)
			skip("PR_SET_MDWE: errno %d", errno);
	} else {
		CHECK_EQ(prctl(66 /* PR_GET_MDWE */, 0, 0, 0, 0), 1);
	}
}

static void time_stamp_counter(bool set)
{
	int value = 0;

	if (set) {
		CHECK(prctl(PR_SET_TSC, PR_TSC_SIGSEGV) == 0);
	} else {
		CHECK(prctl(PR_GET_TSC, &value) == 0);
		CHECK_EQ(value, PR_TSC_SIGSEGV);
	}
}

static void no_huge_pages(bool set)
{
	if (set)
		CHECK(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0);
	else
		CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
}

static void memory_merge(bool set)
{
	if (set) {
		if (prctl(67 /* PR_SET_MEMORY_MERGE */, 1, 0, 0, 0) == -1)
			skip("PR_SET_MEMORY_MERGE: errno %d", errno);
	} else {
		CHECK_EQ(prctl(68 /* PR_GET_MEMORY_MERGE */, 0, 0, 0, 0), 1);
	}
}

static void io_flusher(bool set)
{
	if (set)
		CHECK(prctl(57 /* PR_SET_IO_FLUSHER */, 1, 0, 0, 0) == 0);
	else
		CHECK_EQ(prctl(58 /* PR_GET_IO_FLUSHER */, 0, 0, 0, 0), 1);
}

static void membarrier_registered(bool set)
{
	if (set)
		CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0);
	else
		CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
}

static volatile char selector;
static volatile int dispatched;

static void on_dispatch(int number)
{
	(void)number;
	selector = 0; /* SYSCALL_DISPATCH_FILTER_ALLOW */
	dispatched++;
}

static void syscall_dispatch(bool set)
{
	if (set) {
		signal(SIGSYS, on_dispatch);
		if (prctl(59 /* PR_SET_SYSCALL_USER_DISPATCH */, 1, 0, 0, &selector) == -1)
			skip("PR_SET_SYSCALL_USER_DISPATCH: errno %d", errno);
	} else {
		selector = 1; /* SYSCALL_DISPATCH_FILTER_BLOCK */
		syscall(SYS_getppid);
		selector = 0;
		CHECK_EQ(dispatched, 1);
	}
}

static void deadline(bool set)
{
	struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t runtime, deadline, period; }
		attributes = { 48, 6, 0, 0, 0, 10000000, 50000000, 100000000 };

	if (set) {
		if (syscall(SYS_sched_setattr, 0, &attributes, 0) == -1)
			skip("SCHED_DEADLINE: errno %d", errno);
	} else {
		memset(&attributes, 0, sizeof(attributes));
		CHECK(syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) == 0);
		CHECK_EQ(attributes.policy, 6);
		CHECK_EQ(attributes.runtime, 10000000);
		CHECK_EQ(attributes.period, 100000000);
	}
}

static void port_permission(bool set)
{
	if (set) {
		if (ioperm(0x80, 1, 1) == -1)
			skip("ioperm: errno %d", errno);
	} else {
		outb(0, 0x80);
	}
}

static void local_descriptor_table(bool set)
{
	struct user_desc entry = { .entry_number = 3, .base_addr = 0x12340000, .limit = 0xfff, .seg_32bit = 1, .useable = 1 };
	uint64_t table[8] = { 0 }, before;

	if (set) {
		if (syscall(SYS_modify_ldt, 1, &entry, sizeof(entry)) == -1)
			skip("modify_ldt: errno %d", errno);
	} else {
		CHECK(syscall(SYS_modify_ldt, 0, table, sizeof(table)) >= 32);
		before = table[3];
		CHECK(before != 0);
	}
}

static void thread_local_segment(bool set)
{
	struct user_desc entry = { .entry_number = 12, .base_addr = 0x12340000, .limit = 0xfff, .seg_32bit = 1, .useable = 1 };

	if (set) {
		if (syscall(SYS_set_thread_area, &entry) == -1)
			skip("set_thread_area: errno %d", errno);
	} else {
		memset(&entry, 0, sizeof(entry));
		entry.entry_number = 12;
		CHECK(syscall(SYS_get_thread_area, &entry) == 0);
		CHECK_EQ(entry.base_addr, 0x12340000);
	}
}

static void session_keyring(bool set)
{
	static long before;

	if (set) {
		if (syscall(SYS_keyctl, 1 /* JOIN_SESSION_KEYRING */, "ours") == -1)
			skip("keyctl: errno %d", errno);
		before = syscall(SYS_keyctl, 0 /* GET_KEYRING_ID */, -3, 0);
	} else {
		CHECK_EQ(syscall(SYS_keyctl, 0, -3, 0), before);
	}
}

static void cpuid_fault(bool set)
{
	if (set) {
		if (syscall(SYS_arch_prctl, 0x1012 /* ARCH_SET_CPUID */, 0) == -1)
			skip("ARCH_SET_CPUID: errno %d", errno);
	} else {
		CHECK_EQ(syscall(SYS_arch_prctl, 0x1011 /* ARCH_GET_CPUID */, 0), 0);
	}
}

static const struct {
	const char *name;
	void (*handle)(bool set);
} kinds[] = {
	{ "oom_score_adj", oom_score },
	{ "coredump_filter", coredump_filter },
	{ "io_priority", io_priority },
	{ "memory_policy", memory_policy },
	{ "mapping_policy", mapping_policy },
	{ "subreaper", subreaper },
	{ "deny_write_execute", deny_write_execute },
	{ "time_stamp_counter", time_stamp_counter },
	{ "no_huge_pages", no_huge_pages },
	{ "memory_merge", memory_merge },
	{ "io_flusher", io_flusher },
	{ "membarrier", membarrier_registered },
	{ "syscall_dispatch", syscall_dispatch },
	{ "deadline", deadline },
	{ "port_permission", port_permission },
	{ "local_descriptor_table", local_descriptor_table },
	{ "thread_local_segment", thread_local_segment },
	{ "session_keyring", session_keyring },
	{ "cpuid_fault", cpuid_fault },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(argv[1], kinds[i].name))
			continue;
		kinds[i].handle(true);
		ready();
		wait_go();
		kinds[i].handle(false);
		pass();
	}
	fail("unknown kind");
}
