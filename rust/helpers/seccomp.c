// SPDX-License-Identifier: GPL-2.0

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/filter.h>
#include <linux/nospec.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/seccomp.h>
#include <linux/syscalls.h>

#include "helpers.h"
#include "symbol.h"

struct notification;
/* struct seccomp_filter and struct action_cache, as in kernel/seccomp.c. */
#include "rust/helpers/seccomp_filter.h"

unsigned int ckpt_seccomp_mode(struct task_struct *t)
{
	return t->seccomp.mode;
}

/* Whether the caller may read the filters of others, as for ptrace(PTRACE_SECCOMP_GET_FILTER). */
bool ckpt_may_read_filters(void)
{
	return capable(CAP_SYS_ADMIN) && current->seccomp.mode == SECCOMP_MODE_DISABLED;
}

/*
 * The addresses of a task's filters, newest first; their number. Those that do not fit into @max are not stored. Compared, and
 * looked for in the chains of tasks that live, but never followed.
 */
unsigned int ckpt_seccomp_chain(struct task_struct *t, const void **out, unsigned int max)
{
	struct seccomp_filter *f;
	unsigned long flags;
	unsigned int n = 0;

	if (!ckpt_lock_task_sighand(t, &flags))
		return 0;
	for (f = t->seccomp.filter; f; f = f->prev) {
		if (n < max)
			out[n] = f;
		n++;
	}
	unlock_task_sighand(t, &flags);
	return n;
}

/* The filter at this address in the task's chain, with the lock held. */
static struct seccomp_filter *in_chain(struct task_struct *t, const void *address)
{
	struct seccomp_filter *f;

	for (f = t->seccomp.filter; f && f != address; f = f->prev)
		;
	return f;
}

/*
 * Copies the program of one of a task's filters as user space gave it; its length. -ESRCH when the task does not have that filter,
 * -EMEDIUMTYPE when it has no such program.
 */
int ckpt_seccomp_copy(struct task_struct *t, const void *address, u64 *out, unsigned int max, struct ckpt_filter *info)
{
	struct sock_fprog_kern *program;
	struct seccomp_filter *f;
	unsigned long flags;
	int ret = -ESRCH;

	BUILD_BUG_ON(sizeof(*program->filter) != sizeof(*out));
	if (!ckpt_lock_task_sighand(t, &flags))
		return ret;
	f = in_chain(t, address);
	if (f) {
		program = f->prog->orig_prog;
		info->log = f->log;
		info->listener = f->notif != NULL;
		ret = program ? program->len : -EMEDIUMTYPE;
		if (ret > 0)
			memcpy(out, program->filter, min_t(unsigned int, ret, max) * sizeof(*out));
	}
	unlock_task_sighand(t, &flags);
	return ret;
}

/*
 * Puts the calling task under a filter that another task has, with all that came before it, as SECCOMP_FILTER_FLAG_TSYNC does for
 * threads. What the caller has must be part of it: filters are only added. Permission as for a new filter.
 */
int ckpt_seccomp_adopt(struct task_struct *from, const void *address)
{
	struct seccomp_filter *f, *node, *old = current->seccomp.filter;
	unsigned long flags;
	int count = 0, ret;

	if (!task_no_new_privs(current) && !ns_capable_noaudit(current_user_ns(), CAP_SYS_ADMIN))
		return -EACCES;
	if (current->seccomp.mode == SECCOMP_MODE_STRICT)
		return -EINVAL;
	if (!ckpt_lock_task_sighand(from, &flags))
		return -ESRCH;
	f = in_chain(from, address);
	ret = f ? 0 : -ESRCH;
	for (node = f; node; node = node->prev)
		count++;
	for (node = f; node && node != old; node = node->prev)
		;
	/* Nobody but the caller changes its own filter: the other threads are in a restart, too. */
	if (f && old && !node)
		ret = -EINVAL;
	if (!ret && f != old) {
		refcount_inc(&f->refs);
		refcount_inc(&f->users);
	}
	unlock_task_sighand(from, &flags);
	if (ret || f == old)
		return ret;

	spin_lock_irq(&current->sighand->siglock);
	smp_store_release(&current->seccomp.filter, f);
	atomic_set(&current->seccomp.filter_count, count);
	current->seccomp.mode = SECCOMP_MODE_FILTER;
	/* The mode must be seen before the work is. */
	smp_mb__before_atomic();
	ckpt_arch_seccomp_spec_mitigate(current);
	set_task_syscall_work(current, SECCOMP);
	spin_unlock_irq(&current->sighand->siglock);
	if (old) {
		/* The new chain holds it, too. */
		refcount_dec(&old->users);
		refcount_dec(&old->refs);
	}
	return 0;
}
