// cflags: -O1
/* SPDX-License-Identifier: GPL-2.0 */
/* Kind mm: 1 TiB of address space with five pages in it costs five pages. */
#include "target.h"

static const unsigned long places[5] = { 0, 1UL << 21, (1UL << 30) + PAGE, 777UL << 30, (1UL << 40) - PAGE };

int main(void)
{
	char *memory = map(1UL << 40, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);

	CHECK(madvise(memory, 1UL << 40, MADV_NOHUGEPAGE) == 0 || errno == EINVAL);
	for (int i = 0; i < 5; i++)
		fill(memory + places[i], PAGE, i + 1);
	ready();
	if (disturbed())
		CHECK(madvise(memory + places[3], PAGE, MADV_DONTNEED) == 0);
	wait_go();
	for (int i = 0; i < 5; i++)
		CHECK_FILLED(memory + places[i], PAGE, i + 1);
	CHECK_EQ(memory[1UL << 39], 0);
	pass();
}
