// cflags: -O1 -pthread -mno-red-zone
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind regs: every general purpose register and the arithmetic flags keep their values while a loop that touches
 * none of them (but rcx, which reads the way out) runs.
 */
#include "target.h"

#include <pthread.h>

volatile uint64_t out; /* named in assembly, as are the next */
uint64_t got[16], got_flags;

/* jrcxz leaves the flags alone, so they live across the loop: carry, parity, adjust, zero, sign, direction, overflow. */
__attribute__((noinline)) static void hold(uint64_t flags)
{
	__asm__ volatile(
		"push %%rbx\n\tpush %%rbp\n\tpush %%r12\n\tpush %%r13\n\tpush %%r14\n\tpush %%r15\n\t"
		"pushfq\n\tpush %[flags]\n\tpopfq\n\t"
		"movabs $0x1111000000000001, %%rax\n\tmovabs $0x2222000000000002, %%rbx\n\t"
		"movabs $0x4444000000000004, %%rdx\n\tmovabs $0x5555000000000005, %%rsi\n\t"
		"movabs $0x6666000000000006, %%rdi\n\tmovabs $0x7777000000000007, %%rbp\n\t"
		"movabs $0x8888000000000008, %%r8\n\tmovabs $0x9999000000000009, %%r9\n\t"
		"movabs $0xaaaa00000000000a, %%r10\n\tmovabs $0xbbbb00000000000b, %%r11\n\t"
		"movabs $0xcccc00000000000c, %%r12\n\tmovabs $0xdddd00000000000d, %%r13\n\t"
		"movabs $0xeeee00000000000e, %%r14\n\tmovabs $0xffff00000000000f, %%r15\n\t"
		"1: mov out(%%rip), %%rcx\n\tjrcxz 1b\n\t"
		"mov %%rax, got+0(%%rip)\n\tmov %%rbx, got+8(%%rip)\n\tmov %%rdx, got+24(%%rip)\n\t"
		"mov %%rsi, got+32(%%rip)\n\tmov %%rdi, got+40(%%rip)\n\tmov %%rbp, got+48(%%rip)\n\t"
		"mov %%r8, got+56(%%rip)\n\tmov %%r9, got+64(%%rip)\n\tmov %%r10, got+72(%%rip)\n\t"
		"mov %%r11, got+80(%%rip)\n\tmov %%r12, got+88(%%rip)\n\tmov %%r13, got+96(%%rip)\n\t"
		"mov %%r14, got+104(%%rip)\n\tmov %%r15, got+112(%%rip)\n\t"
		"pushfq\n\tpop %%rax\n\tmov %%rax, got_flags(%%rip)\n\tpopfq\n\t"
		"pop %%r15\n\tpop %%r14\n\tpop %%r13\n\tpop %%r12\n\tpop %%rbp\n\tpop %%rbx\n\t"
		:
		: [flags] "r"(flags)
		: "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
}

static void *watch(void *argument)
{
	(void)argument;
	ready();
	wait_go();
	out = 1;
	return NULL;
}

int main(void)
{
	const uint64_t flags = 0x246 | 0x1 | 0x10 | 0x80 | 0x400 | 0x800; /* all arithmetic flags, DF, IF */
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, watch, NULL) == 0);
	hold(flags);
	for (int i = 0; i < 15; i++) {
		uint64_t n = i + 1;

		if (n != 3)
			CHECK_EQ(got[i] ^ (disturbed() && n == 9), n << 60 | n << 56 | n << 52 | n << 48 | n);
	}
	CHECK_EQ(got_flags & 0xcd5, flags & 0xcd5);
	pthread_join(thread, NULL);
	pass();
}
