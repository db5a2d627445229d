// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/* Kind mm: the vdso stands where the auxiliary vector says and tells the same time as the kernel, without a system call. */
#include "target.h"

#include <link.h>
#include <sched.h>
#include <sys/auxv.h>

typedef int (*gettime_fn)(clockid_t, struct timespec *);

/* The function __vdso_clock_gettime, found through the vdso's own dynamic section. */
static gettime_fn find(uintptr_t base)
{
	const ElfW(Ehdr) *header = (void *)base;
	const ElfW(Phdr) *segment = (void *)(base + header->e_phoff);
	const ElfW(Sym) *symbols = NULL;
	const uint32_t *hash = NULL;
	const char *strings = NULL;
	uintptr_t bias = 0;

	CHECK(memcmp(header->e_ident, ELFMAG, SELFMAG) == 0);
	for (int i = 0; i < header->e_phnum; i++)
		if (segment[i].p_type == PT_LOAD)
			bias = base + segment[i].p_offset - segment[i].p_vaddr;
	for (int i = 0; i < header->e_phnum; i++) {
		if (segment[i].p_type != PT_DYNAMIC)
			continue;
		for (const ElfW(Dyn) *d = (void *)(bias + segment[i].p_vaddr); d->d_tag; d++) {
			if (d->d_tag == DT_SYMTAB)
				symbols = (void *)(bias + d->d_un.d_ptr);
			if (d->d_tag == DT_STRTAB)
				strings = (void *)(bias + d->d_un.d_ptr);
			if (d->d_tag == DT_HASH)
				hash = (void *)(bias + d->d_un.d_ptr);
		}
	}
	CHECK(symbols && strings);
	/* The symbol table ends where the strings begin when there is no classic hash table. */
	size_t count = hash ? hash[1] : ((uintptr_t)strings - (uintptr_t)symbols) / sizeof(*symbols);

	for (size_t i = 0; i < count; i++)
		if (strcmp(strings + symbols[i].st_name, "__vdso_clock_gettime") == 0)
			return (gettime_fn)(bias + symbols[i].st_value);
	fail("the vdso has no clock_gettime");
}

static int64_t ns(const struct timespec *ts)
{
	return ts->tv_sec * 1000000000LL + ts->tv_nsec;
}

int main(void)
{
	uintptr_t base = getauxval(AT_SYSINFO_EHDR);
	struct timespec before, now, kernel, after;
	gettime_fn gettime;

	CHECK(base);
	gettime = find(base);
	CHECK(gettime(CLOCK_MONOTONIC, &before) == 0);
	ready();
	wait_go();
	CHECK_EQ(getauxval(AT_SYSINFO_EHDR), base + disturbed());
	CHECK(find(base) == gettime);
	for (int clock = 0; clock < 2; clock++) {
		CHECK(gettime(clock, &now) == 0);
		CHECK(syscall(SYS_clock_gettime, clock, &kernel) == 0);
		CHECK(gettime(clock, &after) == 0);
		CHECK(ns(&now) <= ns(&kernel) && ns(&kernel) <= ns(&after));
	}
	CHECK(ns(&before) < ns(&after));
	CHECK(sched_getcpu() >= 0);
	CHECK(time(NULL) > 0);
	pass();
}
