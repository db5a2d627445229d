// SPDX-License-Identifier: GPL-2.0

#include <linux/kprobes.h>
#include <linux/static_call.h>
#include <linux/uprobes.h>
#include "fs/internal.h"
#include "io_uring/io_uring.h"
#include "ipc/util.h"
#include "mm/internal.h"

#include "symbol.h"

/* NULL until ckpt_resolve_symbols(); the load of the module fails before anybody can call. */
#define CKPT_DEFINE(ret, name, params, args)                                                                           \
	DEFINE_STATIC_CALL_NULL(ckpt_sc_##name, name);                                                                  \
	ret ckpt_##name params                                                                                          \
	{                                                                                                               \
		return static_call(ckpt_sc_##name) args;                                                                \
	}
CKPT_SYMBOLS(CKPT_DEFINE)
#undef CKPT_DEFINE

unsigned long ckpt_address[CKPT_ADDRESS_COUNT];

typedef unsigned long (*ckpt_lookup_t)(const char *name);
static unsigned long ckpt_lookup_none(const char *name)
{
	return 0;
}
DEFINE_STATIC_CALL(ckpt_sc_lookup, ckpt_lookup_none);

int ckpt_resolve_symbols(const char **missing)
{
	struct kprobe kp = { .symbol_name = "kallsyms_lookup_name" };
	unsigned long address;
	int ret;

	/* kp.addr may be 4 bytes after the start (behind the ENDBR): harmless for a direct call. */
	*missing = kp.symbol_name;
	ret = register_kprobe(&kp);
	if (ret)
		return ret;
	address = (unsigned long)kp.addr;
	unregister_kprobe(&kp);
	__static_call_update(&STATIC_CALL_KEY(ckpt_sc_lookup), STATIC_CALL_TRAMP_ADDR(ckpt_sc_lookup),
			     (void *)address);

#define CKPT_RESOLVE(ret, name, params, args)                                                                          \
	*missing = #name;                                                                                               \
	address = static_call(ckpt_sc_lookup)(#name);                                                                   \
	if (!address)                                                                                                   \
		return -ENOENT;                                                                                         \
	__static_call_update(&STATIC_CALL_KEY(ckpt_sc_##name), STATIC_CALL_TRAMP_ADDR(ckpt_sc_##name),                  \
			     (void *)address);
	CKPT_SYMBOLS(CKPT_RESOLVE)
#undef CKPT_RESOLVE

#define CKPT_RESOLVE_ADDRESS(name)                                                                                     \
	*missing = #name;                                                                                               \
	ckpt_address[CKPT_ADDRESS_##name] = static_call(ckpt_sc_lookup)(#name);                                         \
	if (!ckpt_address[CKPT_ADDRESS_##name])                                                                         \
		return -ENOENT;
	CKPT_ADDRESSES(CKPT_RESOLVE_ADDRESS)
#undef CKPT_RESOLVE_ADDRESS

#define CKPT_RESOLVE_OPTIONAL(name) ckpt_address[CKPT_ADDRESS_##name] = static_call(ckpt_sc_lookup)(#name);
	CKPT_OPTIONAL(CKPT_RESOLVE_OPTIONAL)
#undef CKPT_RESOLVE_OPTIONAL

	*missing = NULL;
	return 0;
}
