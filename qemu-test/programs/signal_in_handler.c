// cflags: -O1 -mno-red-zone
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind signal: saved inside a nested handler on the alternate stack. The handlers return to a loop that holds values
 * in general and vector registers: the frames on the stack bring them back, with the mask of each level.
 */
#include "target.h"

#include <signal.h>

enum { SIZE = 65536 };

static volatile int depth, done;
volatile uint64_t handled_both; /* named in assembly */
static char *stack;

static void inner(int number, siginfo_t *info, void *context)
{
	sigset_t mask;
	stack_t now;

	(void)context;
	depth++;
	CHECK_EQ(number, SIGUSR2);
	ready();
	wait_go();
	CHECK((char *)&mask >= stack && (char *)&mask < stack + SIZE);
	CHECK(sigaltstack(NULL, &now) == 0);
	CHECK_EQ(now.ss_flags, SS_ONSTACK);
	CHECK_EQ((uintptr_t)now.ss_sp, (uintptr_t)stack);
	CHECK_EQ(info->si_value.sival_int, 4711);
	sigprocmask(SIG_BLOCK, NULL, &mask);
	CHECK_EQ(sigismember(&mask, SIGUSR1), 1);
	CHECK_EQ(sigismember(&mask, SIGUSR2), 1);
	CHECK_EQ(sigismember(&mask, SIGWINCH), 1);
	done++;
}

static void outer(int number, siginfo_t *info, void *context)
{
	char local[64];

	(void)number;
	(void)info;
	memset(local, 0x5a, sizeof(local));
	depth++;
	sigqueue(getpid(), SIGUSR2, (union sigval){ .sival_int = 4711 });
	CHECK_EQ(depth, 2);
	for (size_t i = 0; i < sizeof(local); i++)
		CHECK_EQ(local[i], 0x5a);
	if (disturbed())
		((ucontext_t *)context)->uc_mcontext.fpregs->_xmm[3].element[1] ^= 1;
	done++;
	handled_both = 1;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = inner, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	uint64_t in[4] __attribute__((aligned(16))) = { 11, 22, 33, 44 }, got[4] __attribute__((aligned(16)));
	uint64_t general;
	stack_t alternate;
	sigset_t mask;

	stack = map_private(SIZE);
	alternate = (stack_t){ .ss_sp = stack, .ss_size = SIZE };
	CHECK(sigaltstack(&alternate, NULL) == 0);
	sigaddset(&action.sa_mask, SIGWINCH);
	sigaction(SIGUSR2, &action, NULL);
	action.sa_sigaction = outer;
	sigaction(SIGUSR1, &action, NULL);
	/* tgkill from within the registers' lifetime: the handlers run inside this block. */
	__asm__ volatile("movaps %[in0], %%xmm3\n\tmovaps %[in1], %%xmm12\n\tmovabs $0x123456789abcdef, %%rbx\n\t"
			 "mov $39, %%eax\n\tsyscall\n\tmov %%eax, %%edi\n\tmov $10, %%esi\n\tmov $62, %%eax\n\tsyscall\n\t"
			 "1: cmpq $0, handled_both(%%rip)\n\tje 1b\n\t"
			 "movaps %%xmm3, %[got0]\n\tmovaps %%xmm12, %[got1]\n\tmov %%rbx, %[general]"
			 : [got0] "=m"(got[0]), [got1] "=m"(got[2]), [general] "=m"(general)
			 : [in0] "m"(in[0]), [in1] "m"(in[2])
			 : "rax", "rbx", "rcx", "rdi", "rsi", "r11", "xmm3", "xmm12", "memory", "cc");
	CHECK_EQ(done, 2);
	CHECK_EQ(general, 0x123456789abcdef);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(got[i], in[i]);
	sigprocmask(SIG_BLOCK, NULL, &mask);
	CHECK_EQ(sigismember(&mask, SIGUSR1), 0);
	CHECK_EQ(sigismember(&mask, SIGWINCH), 0);
	pass();
}
