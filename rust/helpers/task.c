// SPDX-License-Identifier: GPL-2.0

#include <asm/fpu/xcr.h>
#include <asm/fpu/xstate.h>
#include <asm/processor.h>
#include <asm/shstk.h>
#include <uapi/asm/prctl.h>
#include <linux/cred.h>
#include <linux/io_uring_types.h>
#include <linux/iocontext.h>
#include <linux/lsm_hooks.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/percpu_counter.h>
#include <linux/prctl.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/uaccess.h>
#include <linux/sched/mm.h>
#include <linux/seccomp.h>
#include <linux/security.h>
#include <linux/time_namespace.h>
#include <linux/timekeeping.h>
#include <linux/utsname.h>

#include "helpers.h"
#include "symbol.h"

void ckpt_task_lock(struct task_struct *t)
{
	task_lock(t);
}

void ckpt_task_unlock(struct task_struct *t)
{
	task_unlock(t);
}

void ckpt_unlock_task_sighand(struct task_struct *t, unsigned long *flags)
{
	unlock_task_sighand(t, flags);
}

struct task_struct *ckpt_get_task_struct(struct task_struct *t)
{
	return get_task_struct(t);
}

void ckpt_put_task_struct(struct task_struct *t)
{
	put_task_struct(t);
}

struct task_struct *ckpt_current(void)
{
	return current;
}

/*
 * The next thread of the group with a reference, NULL at the end; prev NULL starts. Drops prev's reference. -EAGAIN when prev
 * has been reaped meanwhile, so that its place in the list is lost.
 */
struct task_struct *ckpt_next_thread(struct task_struct *leader, struct task_struct *prev)
{
	struct task_struct *next = NULL;

	rcu_read_lock();
	if (prev && !pid_alive(prev)) {
		/* Without its leader nobody is left, or an execve has replaced it. */
		bool gone = prev == leader;

		rcu_read_unlock();
		put_task_struct(prev);
		return gone ? NULL : ERR_PTR(-EAGAIN);
	}
	next = prev ? __next_thread(prev) : leader;
	if (next)
		get_task_struct(next);
	rcu_read_unlock();
	if (prev)
		put_task_struct(prev);
	return next;
}

/* The leader of t's thread group, with a reference. */
struct task_struct *ckpt_group_leader(struct task_struct *t)
{
	struct task_struct *leader;

	rcu_read_lock();
	leader = t->group_leader;
	get_task_struct(leader);
	rcu_read_unlock();
	return leader;
}

pid_t ckpt_task_tgid_of_parent(struct task_struct *t, struct pid_namespace *ns)
{
	pid_t pid;

	rcu_read_lock();
	pid = task_tgid_nr_ns(rcu_dereference(t->real_parent), ns);
	rcu_read_unlock();
	return pid;
}

struct pid_namespace *ckpt_task_active_pid_ns(struct task_struct *t)
{
	return task_active_pid_ns(t);
}

struct pt_regs *ckpt_task_pt_regs(struct task_struct *t)
{
	return task_pt_regs(t);
}

/* Keeps the kernel stack, on which the user registers are; false when the task has given it up. */
bool ckpt_try_get_task_stack(struct task_struct *t)
{
	return try_get_task_stack(t) != NULL;
}

/* Number of the system call that the task is in, -1 without one. */
long ckpt_task_orig_ax(struct task_struct *t)
{
	long nr = -1;

	if (try_get_task_stack(t)) {
		nr = READ_ONCE(task_pt_regs(t)->orig_ax);
		ckpt_put_task_stack(t);
	}
	return nr;
}

bool ckpt_task_sigpending(void)
{
	return task_sigpending(current);
}

bool ckpt_signal_pending(void)
{
	return signal_pending(current);
}

bool ckpt_fatal_signal_pending(void)
{
	return fatal_signal_pending(current);
}

void ckpt_set_sigpending(void)
{
	set_thread_flag(TIF_SIGPENDING);
}

bool ckpt_test_restore_sigmask(struct task_struct *t)
{
	return test_tsk_restore_sigmask(t);
}

bool ckpt_is_ia32(struct task_struct *t)
{
	return test_tsk_thread_flag(t, TIF_ADDR32);
}

bool ckpt_has_shadow_stack(struct task_struct *t)
{
	return t->thread.features & ARCH_SHSTK_SHSTK;
}

bool ckpt_has_io_bitmap(struct task_struct *t)
{
	return t->thread.io_bitmap || t->thread.iopl_emul;
}

bool ckpt_has_breakpoints(struct task_struct *t)
{
	int i;

	for (i = 0; i < HBP_NUM; i++)
		if (t->thread.ptrace_bps[i])
			return true;
	return false;
}

bool ckpt_has_user_dispatch(struct task_struct *t)
{
	return test_task_syscall_work(t, SYSCALL_USER_DISPATCH);
}

bool ckpt_tsc_is_off(struct task_struct *t)
{
	return test_tsk_thread_flag(t, TIF_NOTSC);
}

bool ckpt_is_io_flusher(struct task_struct *t)
{
	return (t->flags & (PF_MEMALLOC_NOIO | PF_LOCAL_THROTTLE)) == (PF_MEMALLOC_NOIO | PF_LOCAL_THROTTLE);
}

unsigned int ckpt_io_priority(struct task_struct *t)
{
	unsigned int ioprio = 0;

	task_lock(t);
	if (t->io_context)
		ioprio = t->io_context->ioprio;
	task_unlock(t);
	return ioprio;
}

/* Whether the session keyring is another one than the caller's. */
bool ckpt_has_other_session_keyring(struct task_struct *t)
{
	bool other;

	rcu_read_lock();
	other = __task_cred(t)->session_keyring != current_cred()->session_keyring;
	rcu_read_unlock();
	return other;
}

/* Whether it must not share a core with others. */
bool ckpt_has_core_cookie(struct task_struct *t)
{
#ifdef CONFIG_SCHED_CORE
	return t->core_cookie != 0;
#else
	return false;
#endif
}

/*
 * Whether a thread that stands still has requests of io_uring that have not completed. What the kernel keeps for its next request is there for
 * good once it has made a ring, and is nothing to save. -EINTR when a fatal signal came.
 */
int ckpt_task_uring_requests(struct task_struct *t)
{
	struct io_uring_task *tctx;
	int ret = 0;

	if (!READ_ONCE(t->io_uring))
		return 0;
	/* execve() frees it: io_uring_task_cancel(). Otherwise it goes with the task. */
	if (mutex_lock_killable(&t->signal->cred_guard_mutex))
		return -EINTR;
	tctx = READ_ONCE(t->io_uring);
	/* It counts those that could be submitted at once, too; both change while the task runs. */
	if (tctx)
		ret = percpu_counter_sum(&tctx->inflight) != READ_ONCE(tctx->cached_refs);
	mutex_unlock(&t->signal->cred_guard_mutex);
	return ret;
}

/* As prctl(PR_MCE_KILL_GET). */
unsigned int ckpt_mce_kill(struct task_struct *t)
{
	if (t->flags & PF_MCE_PROCESS)
		return t->flags & PF_MCE_EARLY ? PR_MCE_KILL_EARLY : PR_MCE_KILL_LATE;
	return PR_MCE_KILL_DEFAULT;
}

/* Utilization clamps; those that the user did not set are -1. */
void ckpt_util_clamp(struct task_struct *t, int *min, int *max)
{
	*min = *max = -1;
#ifdef CONFIG_UCLAMP_TASK
	if (t->uclamp_req[UCLAMP_MIN].user_defined)
		*min = t->uclamp_req[UCLAMP_MIN].value;
	if (t->uclamp_req[UCLAMP_MAX].user_defined)
		*max = t->uclamp_req[UCLAMP_MAX].value;
#endif
}

/* Process id of whoever traces it in the caller's pid namespace, 0 without one, -1 when it is not in that namespace. */
pid_t ckpt_tracer(struct task_struct *t)
{
	struct task_struct *tracer;
	pid_t pid = 0;

	rcu_read_lock();
	tracer = ptrace_parent(t);
	if (tracer)
		pid = task_tgid_vnr(tracer) ?: -1;
	rcu_read_unlock();
	return pid;
}

bool ckpt_is_subreaper(struct task_struct *t)
{
	return t->signal->is_child_subreaper;
}

/* Bytes of xstate that a signal frame of the caller may have. */
unsigned int ckpt_xstate_user_size(void)
{
	return ckpt_x86_task_fpu(current)->fpstate->user_size;
}

bool ckpt_has_seccomp(struct task_struct *t)
{
	return t->seccomp.mode != SECCOMP_MODE_DISABLED;
}

/*
 * Lets a task that is on its way into a wait get there. Without that, wait_task_inactive() finds it on the run queue of the
 * only processor and sleeps a whole tick.
 */
void ckpt_let_sleep(struct task_struct *t)
{
	int i;

	for (i = 0; i < 8 && READ_ONCE(t->on_rq); i++)
		yield();
}

/* Keeps the module loaded; only while a reference is held anyway (an open file of its device). */
void ckpt_module_get(void)
{
	__module_get(THIS_MODULE);
}

void ckpt_module_put(void)
{
	module_put(THIS_MODULE);
}

/* Process id of the first child of any of the process's threads in the caller's pid namespace; 0 without one. */
pid_t ckpt_first_child(struct task_struct *t)
{
	struct task_struct *child;
	pid_t pid = 0;

	rcu_read_lock();
	child = list_first_or_null_rcu(&t->children, struct task_struct, sibling);
	if (child)
		pid = task_tgid_vnr(child);
	rcu_read_unlock();
	return pid;
}

/* Whether an LSM (SELinux, Smack, AppArmor) gives the task another label than the caller. */
bool ckpt_has_other_label(struct task_struct *t)
{
	struct lsm_prop mine = {}, theirs = {};

	security_current_getlsmprop_subj(&mine);
	security_task_getlsmprop_obj(t, &theirs);
	return memcmp(&mine, &theirs, sizeof(mine)) != 0;
}

unsigned int ckpt_task_state(struct task_struct *t)
{
	return READ_ONCE(t->__state);
}

int ckpt_task_nice(struct task_struct *t)
{
	return task_nice(t);
}

unsigned long ckpt_no_new_privs(struct task_struct *t)
{
	return task_no_new_privs(t);
}

bool ckpt_sched_reset_on_fork(struct task_struct *t)
{
	return t->sched_reset_on_fork;
}

u64 ckpt_ktime_get_ns(void)
{
	return ktime_get_ns();
}

u64 ckpt_ktime_get_boottime_ns(void)
{
	return ktime_get_boottime_ns();
}

u64 ckpt_ktime_get_real_ns(void)
{
	return ktime_get_real_ns();
}

/* Remaining time of an armed hrtimer in nanoseconds (at least 1), 0 when it is not armed. */
u64 ckpt_hrtimer_remaining_ns(const struct hrtimer *timer)
{
	s64 left;

	if (!hrtimer_active(timer))
		return 0;
	left = ktime_to_ns(hrtimer_get_remaining(timer));
	return left > 0 ? left : 1;
}

u64 ckpt_xcr0(void)
{
	return boot_cpu_has(X86_FEATURE_OSXSAVE) ? xgetbv(XCR_XFEATURE_ENABLED_MASK) : XFEATURE_MASK_FPSSE;
}

size_t ckpt_siginfo_len(void)
{
	return sizeof(struct kernel_siginfo);
}

const char *ckpt_utsname_release(void)
{
	return init_uts_ns.name.release;
}

const char *ckpt_utsname_nodename(void)
{
	return utsname()->nodename;
}

/* CPU affinity as sched_setaffinity() was asked for it; the number of words, 0 when nobody has asked. */
unsigned int ckpt_user_affinity(struct task_struct *t, u64 *out, unsigned int words)
{
	unsigned int n = 0;
	unsigned long flags;

	raw_spin_lock_irqsave(&t->pi_lock, flags);
	if (t->user_cpus_ptr) {
		n = min_t(unsigned int, words, sizeof(cpumask_t) / sizeof(u64));
		memcpy(out, t->user_cpus_ptr, n * sizeof(u64));
	}
	raw_spin_unlock_irqrestore(&t->pi_lock, flags);
	return n;
}

/* Time slice as sched_setattr() was asked for it (sched_runtime), in nanoseconds; 0 for the scheduler's own. */
u64 ckpt_custom_slice(struct task_struct *t)
{
	return t->se.custom_slice ? t->se.slice : 0;
}
