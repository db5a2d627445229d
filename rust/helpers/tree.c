// SPDX-License-Identifier: GPL-2.0

#include <linux/cred.h>
#include <linux/fdtable.h>
#include <linux/fs_struct.h>
#include <linux/kallsyms.h>
#include <linux/mm_types.h>
#include <linux/pagemap.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/tty.h>

#include "helpers.h"
#include "symbol.h"

/* tasklist_lock, which modules do not see. */
static rwlock_t *task_list(void)
{
	return (rwlock_t *)ckpt_address[CKPT_ADDRESS_tasklist_lock];
}

/* The leader of the process of t's parent, with a reference. */
struct task_struct *ckpt_parent(struct task_struct *t)
{
	struct task_struct *parent;

	rcu_read_lock();
	parent = get_task_struct(rcu_dereference(t->real_parent)->group_leader);
	rcu_read_unlock();
	return parent;
}

/*
 * The children of all threads of leader's process, zombies too, each with a reference, in the order of the lists. Returns how
 * many there are; those that do not fit into @max are not stored.
 */
unsigned int ckpt_children(struct task_struct *leader, struct task_struct **out, unsigned int max)
{
	struct task_struct *t, *child;
	unsigned int n = 0;

	read_lock(task_list());
	for_each_thread(leader, t) {
		list_for_each_entry(child, &t->children, sibling) {
			if (child->exit_state == EXIT_DEAD)
				continue;
			if (n < max)
				out[n] = get_task_struct(child);
			n++;
		}
	}
	read_unlock(task_list());
	return n;
}

/*
 * Whether the process of t has a child with this number, in the pid namespace that is so many levels above its own, that has not
 * exited.
 */
bool ckpt_has_live_child(struct task_struct *t, pid_t number, unsigned int levels)
{
	struct pid_namespace *ns;
	struct task_struct *child;
	bool found = false;

	rcu_read_lock();
	ns = task_active_pid_ns(t);
	while (ns && levels--)
		ns = ns->parent;
	child = ns ? pid_task(find_pid_ns(number, ns), PIDTYPE_TGID) : NULL;
	if (child)
		found = same_thread_group(rcu_dereference(child->real_parent), t) && !(child->flags & PF_EXITING);
	rcu_read_unlock();
	return found;
}

/* Whether the process of t lives in ns or below, and its parent does not. Under task_list(). */
static bool ckpt_has_entered(struct task_struct *t, struct pid_namespace *ns)
{
	struct task_struct *parent = rcu_dereference_protected(t->real_parent, lockdep_is_held(task_list()));

	return task_pid_nr_ns(t, ns) && !task_pid_nr_ns(parent, ns) && t->exit_state != EXIT_DEAD;
}

/*
 * The processes of a pid namespace whose parent lives outside of it, zombies too, but not its init: they have entered it (setns). Each
 * with a reference. Returns how many there are; those that do not fit into @max are not stored.
 */
unsigned int ckpt_entered(struct pid_namespace *ns, struct task_struct **out, unsigned int max)
{
	struct task_struct *p;
	unsigned int n = 0;

	read_lock(task_list());
	for_each_process(p) {
		if (same_thread_group(p, ns->child_reaper) || !ckpt_has_entered(p, ns))
			continue;
		if (n < max)
			out[n] = get_task_struct(p);
		n++;
	}
	read_unlock(task_list());
	return n;
}

/* Whether the process of t has a child that lives in a pid namespace, and does not live there itself. Under the RCU lock. */
bool ckpt_has_child_inside(struct task_struct *t, struct pid_namespace *ns)
{
	struct task_struct *thread, *child;
	bool found = false;

	if (task_pid_nr_ns(t, ns))
		return false;
	read_lock(task_list());
	for_each_thread(t, thread) {
		list_for_each_entry(child, &thread->children, sibling) {
			found = task_pid_nr_ns(child, ns);
			if (found)
				goto out;
		}
	}
out:
	read_unlock(task_list());
	return found;
}

/* Who is farther below a root is not of a target: that many tasks are more than a statefile has. */
enum { CKPT_DEPTH = 65536 };

/*
 * Whether @t is of a target: lives in the pid namespace @inside, if there is one; else is of the process of @root or, with @below, of a
 * descendant of it. Under task_list().
 */
static bool ckpt_belongs(struct task_struct *t, struct task_struct *root, bool below, struct pid_namespace *inside)
{
	struct task_struct *parent;
	unsigned int left = CKPT_DEPTH;

	if (inside)
		return task_pid_nr_ns(t, inside);
	while (!same_thread_group(t, root)) {
		parent = rcu_dereference_protected(t->group_leader->real_parent, lockdep_is_held(task_list()));
		if (!below || parent == t || !left--)
			return false;
		t = parent;
	}
	return true;
}

#ifdef CONFIG_MEMCG
/* Whether an address space, which is there as long as its mapping is, is of nobody whom ckpt_belongs() knows. */
static bool ckpt_mm_is_outside(struct mm_struct *mm, struct task_struct *root, bool below, struct pid_namespace *inside)
{
	struct task_struct *owner;
	bool outside = false;

	rcu_read_lock();
	read_lock(task_list());
	owner = rcu_dereference(mm->owner);
	/* While it is in no list, its parent need not be alive. */
	if (owner && atomic_read(&mm->mm_users) && !list_empty(&owner->group_leader->sibling))
		outside = !ckpt_belongs(owner, root, below, inside);
	read_unlock(task_list());
	rcu_read_unlock();
	return outside;
}
#endif

/*
 * Whether somebody has the file mapped who is not of the target that ckpt_belongs() means. Address spaces that a fork has not finished,
 * or an exit has begun to take down, do not count.
 */
bool ckpt_mapped_outside(struct file *f, struct task_struct *root, bool below, struct pid_namespace *inside)
{
#ifdef CONFIG_MEMCG
	struct address_space *mapping = f->f_mapping;
	struct mm_struct *mm, *last = NULL;
	bool outside = false;
	struct rb_node *node;

	/* No other lock for the whole of it: a library has a mapping in every process, or thousands in one. */
	i_mmap_lock_read(mapping);
	for (node = rb_first_cached(&mapping->i_mmap); node && !outside; node = rb_next(node)) {
		mm = rb_entry(node, struct vm_area_struct, shared.rb)->vm_mm;
		if (mm != last)
			outside = fatal_signal_pending(current) || ckpt_mm_is_outside(mm, root, below, inside);
		last = mm;
		cond_resched();
	}
	i_mmap_unlock_read(mapping);
	return outside;
#else
	return true;
#endif
}

/* A number of t in the pid namespace that is so many levels above its own; 0 when there is none. */
pid_t ckpt_nr_above(struct task_struct *t, enum pid_type type, unsigned int levels)
{
	struct pid *pid;
	pid_t nr = 0;

	rcu_read_lock();
	pid = type == PIDTYPE_PID ? task_pid(t) : task_tgid(t);
	if (pid && levels <= pid->level)
		nr = pid->numbers[pid->level - levels].nr;
	rcu_read_unlock();
	return nr;
}

/* The child for whose exec or exit t waits in vfork(2), with a reference; NULL without one. */
struct task_struct *ckpt_vfork_child(struct task_struct *t)
{
	struct task_struct *child, *found = NULL;

	read_lock(task_list());
	list_for_each_entry(child, &t->children, sibling) {
		if (READ_ONCE(child->vfork_done)) {
			found = get_task_struct(child);
			break;
		}
	}
	read_unlock(task_list());
	return found;
}

/* Whether the exec or exit of the task lets t go, which waits in kernel_clone(): the completion is a local variable there. */
static bool lets_go(struct task_struct *task, struct task_struct *t)
{
	unsigned long done = (unsigned long)READ_ONCE(task->vfork_done);
	unsigned long stack = (unsigned long)task_stack_page(t);

	/* Without a stack nobody waits on it. */
	return stack && done >= stack && done < stack + THREAD_SIZE;
}

/* Whether t waits in clone(2) for one that is no child of it: a sibling (CLONE_PARENT), or a thread of the same process. */
bool ckpt_waits_for_no_child(struct task_struct *t)
{
	struct task_struct *parent, *p;
	bool found = false;

	read_lock(task_list());
	parent = rcu_dereference_protected(t->real_parent, lockdep_is_held(task_list()));
	for_each_thread(t, p)
		found |= lets_go(p, t);
	list_for_each_entry(p, &parent->children, sibling)
		found |= lets_go(p, t);
	read_unlock(task_list());
	return found;
}

/* From now on the exec or exit of the calling task completes x. */
void ckpt_set_vfork_done(struct completion *x)
{
	task_lock(current);
	current->vfork_done = x;
	task_unlock(current);
}

/* Nobody waits for x any more. */
void ckpt_clear_vfork_done(struct task_struct *child, struct completion *x)
{
	task_lock(child);
	if (child->vfork_done == x)
		child->vfork_done = NULL;
	task_unlock(child);
}

/* Number of processes that have a pid in ns. */
unsigned int ckpt_processes_in(struct pid_namespace *ns)
{
	struct task_struct *p;
	unsigned int n = 0;

	rcu_read_lock();
	for_each_process(p)
		if (task_pid_nr_ns(p, ns) && p->exit_state != EXIT_DEAD)
			n++;
	rcu_read_unlock();
	return n;
}

/* The pid namespace that the task lives in, with a reference; NULL when it has been reaped. */
struct pid_namespace *ckpt_get_task_pid_ns(struct task_struct *t)
{
	struct pid_namespace *ns;

	rcu_read_lock();
	ns = task_active_pid_ns(t);
	if (ns)
		get_pid_ns(ns);
	rcu_read_unlock();
	return ns;
}

void ckpt_get_pid_ns(struct pid_namespace *ns)
{
	get_pid_ns(ns);
}

/* The init of a pid namespace with a reference; NULL when it has none any more. */
struct task_struct *ckpt_child_reaper(struct pid_namespace *ns)
{
	struct task_struct *t;

	read_lock(task_list());
	/* It is never cleared; without PIDNS_ADDING it is on its way out, or gone. */
	t = READ_ONCE(ns->pid_allocated) & PIDNS_ADDING ? ns->child_reaper : NULL;
	if (t)
		get_task_struct(t);
	read_unlock(task_list());
	return t;
}

/* The task with this number in a pid namespace, with a reference; NULL when there is none. */
struct task_struct *ckpt_task_in(struct pid_namespace *ns, int number)
{
	struct task_struct *t;

	rcu_read_lock();
	t = pid_task(find_pid_ns(number, ns), PIDTYPE_PID);
	if (t)
		get_task_struct(t);
	rcu_read_unlock();
	return t;
}

/* Status of a process that has exited, as wait(2) returns it. */
int ckpt_exit_status(struct task_struct *leader)
{
	return leader->signal->flags & SIGNAL_GROUP_EXIT ? leader->signal->group_exit_code : leader->exit_code;
}

/* Whether SIGKILL waits for the task. */
bool ckpt_is_killed(struct task_struct *t)
{
	return __fatal_signal_pending(t);
}

/* Name of the function that the task sleeps in, "0" when it does not; @out has KSYM_SYMBOL_LEN bytes. */
void ckpt_wchan(struct task_struct *t, char *out)
{
	unsigned long address = ckpt_get_wchan(t);

	BUILD_BUG_ON(KSYM_SYMBOL_LEN > CKPT_SYMBOL_LEN);
	if (address)
		sprint_symbol_no_offset(out, address);
	else
		strscpy(out, "0", KSYM_SYMBOL_LEN);
}

int ckpt_exit_state(struct task_struct *t)
{
	return READ_ONCE(t->exit_state);
}

/*
 * Sets the signal for the parent; also of a zombie, whose parent looks at it when it waits. -EPERM when the parent is not a thread of
 * @parent's process: nobody else is to be signalled, or to wait in vain. Without @parent only 0 makes sense.
 */
int ckpt_set_exit_signal(struct task_struct *leader, struct task_struct *parent, int signal)
{
	int ret = -EPERM;

	write_lock_irq(task_list());
	if (!parent || same_thread_group(rcu_access_pointer(leader->real_parent), parent)) {
		leader->exit_signal = signal;
		ret = 0;
	}
	write_unlock_irq(task_list());
	return ret;
}

static void give_child(struct task_struct *child, struct task_struct *to)
{
	struct task_struct *t;

	for_each_thread(child, t) {
		RCU_INIT_POINTER(t->real_parent, to);
		if (!t->ptrace)
			t->parent = to;
	}
}

/* Makes a child of the process the child of this thread of it, as if the thread had made it. */
int ckpt_take_child(struct task_struct *to, struct task_struct *child)
{
	int ret = -EPERM;

	write_lock_irq(task_list());
	if (same_thread_group(rcu_access_pointer(child->real_parent), to) && thread_group_leader(child) && pid_alive(child)) {
		give_child(child, to);
		list_move_tail(&child->sibling, &to->children);
		ret = 0;
	}
	write_unlock_irq(task_list());
	return ret;
}

/*
 * Gives the children of a thread to another one of its process, as forget_original_parent() does; but they are not told
 * (prctl(PR_SET_PDEATHSIG)).
 */
int ckpt_hand_over_children(struct task_struct *from, struct task_struct *to)
{
	struct task_struct *child;
	int ret = -EPERM;

	write_lock_irq(task_list());
	if (!same_thread_group(from, to))
		goto out;
	ret = -ESRCH;
	if (to->flags & PF_EXITING)
		goto out;
	list_for_each_entry(child, &from->children, sibling)
		give_child(child, to);
	list_splice_tail_init(&from->children, &to->children);
	ret = 0;
out:
	write_unlock_irq(task_list());
	return ret;
}

/*
 * Stops the process of t before any of its threads goes to user mode: each looks at it by ckpt_look_for_signals(). With @tell the last
 * one to stop tells the parent, as do_signal_stop() has it. Without, it is as if the process had been stopped long ago: nobody is told,
 * as by a thread that is new in a stopped process.
 */
void ckpt_set_group_stop(struct task_struct *t, int signal, bool tell)
{
	struct signal_struct *sig = t->signal;
	struct task_struct *thread;
	unsigned long flags;

	if (!ckpt_lock_task_sighand(t, &flags))
		return;
	if (!(sig->flags & SIGNAL_GROUP_EXIT)) {
		if (!tell)
			signal_set_stop_flags(sig, SIGNAL_STOP_STOPPED);
		sig->group_stop_count = 0;
		sig->group_exit_code = signal;
		for_each_thread(t, thread) {
			if (thread->flags & PF_EXITING)
				continue;
			/* Nobody counts for a stop that nobody is told of. */
			thread->jobctl &= ~JOBCTL_STOP_CONSUME;
			thread->jobctl |= SIGSTOP | JOBCTL_STOP_PENDING;
			if (tell) {
				thread->jobctl |= JOBCTL_STOP_CONSUME;
				sig->group_stop_count++;
			}
		}
	}
	unlock_task_sighand(t, &flags);
}

void ckpt_look_for_signals(void)
{
	spin_lock_irq(&current->sighand->siglock);
	recalc_sigpending();
	spin_unlock_irq(&current->sighand->siglock);
}

/* The session and the process group of a task, each with a reference. */
void ckpt_get_job(struct task_struct *t, struct pid **session, struct pid **group)
{
	rcu_read_lock();
	*session = get_pid(task_session(t));
	*group = get_pid(task_pgrp(t));
	rcu_read_unlock();
}

struct pid *ckpt_get_pid(struct pid *pid)
{
	return get_pid(pid);
}

/* The struct pid of a process with a reference. */
struct pid *ckpt_get_tgid(struct task_struct *t)
{
	struct pid *pid;

	rcu_read_lock();
	pid = get_pid(task_tgid(t));
	rcu_read_unlock();
	return pid;
}

/* Whether a number is anybody's: without members it has been freed, whatever references there are. */
static bool ckpt_pid_in_use(struct pid *pid)
{
	int type;

	for (type = 0; type < PIDTYPE_MAX; type++)
		if (pid_has_task(pid, type))
			return true;
	return false;
}

/*
 * Moves the calling process to a session and a process group. Each is in use, or @..._is_new: made by ckpt_alloc_pid() and nobody's yet;
 * the kernel frees it with its last member. A leader is one as by setsid(2), of its own session. -ESRCH when one has gone meanwhile; -EPERM
 * when the process leads another session, which would keep its terminal.
 */
int ckpt_set_job(struct pid *session, bool session_is_new, struct pid *group, bool group_is_new, bool leader)
{
	struct task_struct *me = current->group_leader;
	struct pid *unused[PIDTYPE_MAX] = {};
	struct pid *unused_group[PIDTYPE_MAX] = {};
	int ret = 0;

	write_lock_irq(task_list());
	if ((!session_is_new && !ckpt_pid_in_use(session)) || (!group_is_new && !ckpt_pid_in_use(group))) {
		ret = -ESRCH;
	} else if ((me->signal->leader && task_session(me) != session) || (leader && task_pid(me) != session)) {
		ret = -EPERM;
	} else {
		if (task_session(me) != session) {
			ckpt_change_pid(unused, me, PIDTYPE_SID, session);
			ckpt_proc_clear_tty(me);
		}
		if (task_pgrp(me) != group)
			ckpt_change_pid(unused_group, me, PIDTYPE_PGID, group);
		if (leader)
			me->signal->leader = 1;
	}
	write_unlock_irq(task_list());
	ckpt_free_pids(unused);
	ckpt_free_pids(unused_group);
	return ret;
}

/* Frees a number of ckpt_alloc_pid() that has never had a member. */
void ckpt_free_unused_pid(struct pid *pid)
{
	struct pid *pids[PIDTYPE_MAX] = { pid };

	ckpt_free_pids(pids);
}

/* Makes the calling task use another one's descriptor table; its own goes. -ESRCH when the other one has none any more. */
int ckpt_adopt_files(struct task_struct *from)
{
	struct files_struct *files, *old;

	task_lock(from);
	files = from->files;
	if (files)
		atomic_inc(&files->count);
	task_unlock(from);
	if (!files)
		return -ESRCH;
	task_lock(current);
	old = current->files;
	current->files = files;
	task_unlock(current);
	ckpt_put_files_struct(old);
	return 0;
}

/*
 * Makes the calling task use another one's root, working directory and umask; its own go. -ESRCH as above. As clone(2)
 * has it, who may chroot in one user namespace must not do so for a task of another: -EPERM unless the other one lives in the same, or in
 * one below it, which the caller still has to enter; ckpt_shares_across_user_ns() shows whether it has.
 */
int ckpt_adopt_fs(struct task_struct *from)
{
	struct fs_struct *fs, *old;
	const struct user_namespace *ns;
	bool in_exec = false;

	rcu_read_lock();
	for (ns = __task_cred(from)->user_ns; ns && ns != current_user_ns(); ns = ns->parent)
		;
	rcu_read_unlock();
	if (!ns)
		return -EPERM;
	task_lock(from);
	fs = from->fs;
	if (fs) {
		read_seqlock_excl(&fs->seq);
		/* As copy_fs(): execve() has counted who shares it. */
		in_exec = fs->in_exec;
		if (!in_exec)
			fs->users++;
		read_sequnlock_excl(&fs->seq);
	}
	task_unlock(from);
	if (!fs)
		return -ESRCH;
	if (in_exec)
		return -EAGAIN;
	old = ckpt_switch_fs_struct(fs);
	if (old)
		ckpt_free_fs_struct(old);
	return 0;
}

/* What the task may share with others: addresses, NULL when it has lost it. To be compared, never to be followed. */
void ckpt_shared(struct task_struct *t, struct ckpt_shared *out)
{
	task_lock(t);
	out->mm = t->mm;
	out->files = t->files;
	out->fs = t->fs;
	rcu_read_lock();
	out->handlers = rcu_access_pointer(t->sighand);
	rcu_read_unlock();
	task_unlock(t);
}
