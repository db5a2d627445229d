// cflags: -O1 -pthread
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kind fpu: x87 stack and control word, MXCSR, sixteen xmm registers and (with AVX) their upper halves hold their
 * values across a loop in user mode ("loop") or across a system call that sleeps ("sleep").
 */
#include "target.h"

#include <pthread.h>

volatile uint64_t out; /* named in assembly, as is the next */
struct timespec nap = { 0, 20000000 };

struct state {
	uint8_t ymm[16][32];
	uint64_t x87[3];
	uint32_t mxcsr;
	uint16_t control;
	bool avx, sleeps;
	uint64_t turns;
};

#define EACH(m) m(0) m(1) m(2) m(3) m(4) m(5) m(6) m(7) m(8) m(9) m(10) m(11) m(12) m(13) m(14) m(15)
#define LOAD(n) "vmovups " #n "*32(%%rbx), %%ymm" #n "\n\t"
#define STORE(n) "vmovups %%ymm" #n ", " #n "*32(%%rbx)\n\t"
#define LOAD_SSE(n) "movups " #n "*32(%%rbx), %%xmm" #n "\n\t"
#define STORE_SSE(n) "movups %%xmm" #n ", " #n "*32(%%rbx)\n\t"
#define ALL_XMM "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", \
		"xmm12", "xmm13", "xmm14", "xmm15"
/* Until `out` is set: nothing, or nanosleep(nap). rbx holds the state. */
#define WAIT_LOOP "1: cmpq $0, out(%%rip)\n\tje 1b\n\t"
#define WAIT_SLEEP                                                                           \
	"1: mov $35, %%eax\n\tlea nap(%%rip), %%rdi\n\txor %%esi, %%esi\n\tsyscall\n\t" \
	"cmpq $0, out(%%rip)\n\tje 1b\n\t"
#define HOLD(load, wait, store)                                                                                     \
	__asm__ volatile("mov %0, %%rbx\n\t" EACH(load) wait EACH(store)                                            \
			 :                                                                                          \
			 : "r"(s)                                                                                   \
			 : "rbx", "rax", "rcx", "r11", "rdi", "rsi", "memory", "cc", ALL_XMM)

static void hold(struct state *s)
{
	uint32_t old_mxcsr;
	uint16_t old_control;
	double back[3];

	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(old_mxcsr), "=m"(old_control));
	__asm__ volatile("fninit\n\tfldcw %0\n\tfldpi\n\tfldl2e\n\tfldln2" : : "m"(s->control));
	__asm__ volatile("ldmxcsr %0" : : "m"(s->mxcsr));
	if (s->avx && s->sleeps)
		HOLD(LOAD, WAIT_SLEEP, STORE);
	else if (s->avx)
		HOLD(LOAD, WAIT_LOOP, STORE);
	else if (s->sleeps)
		HOLD(LOAD_SSE, WAIT_SLEEP, STORE_SSE);
	else
		HOLD(LOAD_SSE, WAIT_LOOP, STORE_SSE);
	__asm__ volatile("fstpl %0\n\tfstpl %1\n\tfstpl %2" : "=m"(back[0]), "=m"(back[1]), "=m"(back[2]));
	__asm__ volatile("stmxcsr %0\n\tfnstcw %1\n\tfninit" : "=m"(s->mxcsr), "=m"(s->control));
	__asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(old_mxcsr), "m"(old_control));
	memcpy(s->x87, back, sizeof(back));
}

static void *watch(void *argument)
{
	(void)argument;
	sleep_ms(50);
	ready();
	wait_go();
	out = 1;
	return NULL;
}

static void *check(void *argument)
{
	uint64_t seed = (uintptr_t)argument;
	struct state s = { .control = seed & 1 ? 0x0f7f : 0x077f, .mxcsr = seed & 1 ? 0x7f80 : 0x3f80, .sleeps = seed & 2 };
	const double constants[3] = { 0.6931471805599453, 1.4426950408889634, 3.141592653589793 };
	uint16_t control = s.control;
	uint32_t mxcsr = s.mxcsr;

	s.avx = __builtin_cpu_supports("avx");
	fill(s.ymm, sizeof(s.ymm), seed);
	hold(&s);
	if (disturbed())
		s.ymm[7][20] ^= s.ymm[7][12] ^= 1;
	for (int i = 0; i < 16; i++) {
		uint8_t want[16][32];

		fill(want, sizeof(want), seed);
		if (memcmp(s.ymm[i], want[i], s.avx ? 32 : 16))
			fail("register %d of thread %d", i, (int)seed);
	}
	CHECK_EQ(s.mxcsr & ~0x3f, mxcsr & ~0x3f);
	CHECK_EQ(s.control, control);
	for (int i = 0; i < 3; i++) {
		double value;

		memcpy(&value, &s.x87[i], 8);
		if (value < constants[i] - 1e-15 || value > constants[i] + 1e-15)
			fail("x87 register %d is %.17g", i, value);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	uintptr_t first = argc > 1 && strcmp(argv[1], "sleep") == 0 ? 2 : 4;
	pthread_t threads[2];

	CHECK(pthread_create(&threads[0], NULL, check, (void *)(first + 1)) == 0);
	CHECK(pthread_create(&threads[1], NULL, watch, NULL) == 0);
	check((void *)first);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	pass();
}
