// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind mm: what prctl(2) sets for an address space: memory merging with a mapping that is left out, huge pages only where advised,
 * no memory that becomes executable. An argument: all of it in a child.
 */
#include "target.h"

#include <sys/prctl.h>

int main(int argc, char **argv)
{
	char *merged, *separate, *code;

	(void)argv;
	if (argc > 1)
		go_on_in_child();
	/* Apart from what else there is: neighbours that the kernel has not merged would become one. */
	merged = map(64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS) + 32 * PAGE;
	separate = merged + 4 * PAGE;
	CHECK(mprotect(merged, 8 * PAGE, PROT_READ | PROT_WRITE) == 0);
	code = map(PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS);
	if (prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0) == -1)
		skip("PR_SET_MEMORY_MERGE: errno %d", errno);
	CHECK(madvise(separate, 4 * PAGE, MADV_UNMERGEABLE) == 0);
	memset(merged, 7, 4 * PAGE);
	memset(separate, 7, 4 * PAGE);
	CHECK(prctl(PR_SET_THP_DISABLE, 1, 2 /* PR_THP_DISABLE_EXCEPT_ADVISED */, 0, 0) == 0);
	CHECK(prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN | PR_MDWE_NO_INHERIT, 0, 0, 0) == 0);
	ready();
	if (disturbed())
		CHECK(prctl(PR_SET_MEMORY_MERGE, 0, 0, 0, 0) == 0);
	wait_go();
	/* What is separate is seen from outside: the flags of the mappings. */
	CHECK_EQ(prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0), 1);
	CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 3);
	CHECK_EQ(prctl(PR_GET_MDWE, 0, 0, 0, 0), PR_MDWE_REFUSE_EXEC_GAIN | PR_MDWE_NO_INHERIT);
	CHECK(mprotect(merged, PAGE, PROT_READ | PROT_EXEC) == -1 && errno == EACCES);
	CHECK(mprotect(code, PAGE, PROT_READ) == 0);
	CHECK(mprotect(code, PAGE, PROT_READ | PROT_EXEC) == -1 && errno == EACCES);
	CHECK(merged[PAGE] == 7 && separate[3 * PAGE] == 7);
	pass();
}
