// SPDX-License-Identifier: GPL-2.0

#include <linux/cgroup.h>
#include <linux/llist.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/pidfs.h>
#include <uapi/linux/pidfd.h>

#include "rust/helpers/pidfs.h"

#include "helpers.h"
#include "symbol.h"

/* Of the anonymous enum of fs/pidfs.c. */
#define CKPT_PIDFS_ATTR_BIT_EXIT 0

/* The task of a pidfd, with a reference; NULL when it has been reaped. */
struct task_struct *ckpt_pidfd_task(struct file *f)
{
	return get_pid_task(ckpt_pidfd_pid(f), PIDTYPE_PID);
}

/* How the task of a pidfd ended; false when that is not known. */
bool ckpt_pidfd_status(struct file *f, unsigned int *status)
{
	struct pidfs_attr *attr = ckpt_pidfd_pid(f)->attr;

	if (!test_bit(CKPT_PIDFS_ATTR_BIT_EXIT, &attr->attr_mask))
		return false;
	/* As pidfd_info(): the bit is set last. */
	smp_rmb();
	*status = attr->exit_code;
	return true;
}

/* Whether a pidfd has extended attributes. */
bool ckpt_pidfd_has_xattrs(struct file *f)
{
	return !list_empty(&ckpt_pidfd_pid(f)->attr->xattrs);
}

/* A pidfd of a task, as pidfd_open(2) makes it; the task need not have a number in the caller's pid namespace. */
struct file *ckpt_pidfd_open(struct task_struct *t, unsigned int flags)
{
	struct pid *pid;
	struct file *f;

	if (!(flags & PIDFD_THREAD) && !thread_group_leader(t))
		return ERR_PTR(-ENOENT);
	pid = get_task_pid(t, PIDTYPE_PID);
	if (!pid)
		return ERR_PTR(-ESRCH);
	f = ckpt_pidfs_alloc_file(pid, flags);
	put_pid(pid);
	return f;
}

/* Another pidfd of what @of stands for, which may have been reaped. */
struct file *ckpt_pidfd_again(struct file *of, unsigned int flags)
{
	return ckpt_pidfs_alloc_file(ckpt_pidfd_pid(of), flags);
}

/*
 * A pidfd of a task that has been reaped: of a number that has never had one, and is free again. @status says how the task ended; NULL
 * when that is not known.
 */
struct file *ckpt_pidfd_reaped(const unsigned int *status, unsigned int flags)
{
	struct pid *pid = ckpt_alloc_pid(task_active_pid_ns(current), NULL, 0);
	struct file *f;

	if (IS_ERR(pid))
		return ERR_CAST(pid);
	f = ckpt_pidfs_alloc_file(pid, flags);
	if (!IS_ERR(f) && status) {
		/* As pidfs_exit(); nobody else has the pidfd yet. */
		struct pidfs_attr *attr = pid->attr;

		rcu_read_lock();
		attr->cgroupid = cgroup_id(task_dfl_cgroup(current));
		rcu_read_unlock();
		attr->exit_code = *status;
		smp_wmb();
		set_bit(CKPT_PIDFS_ATTR_BIT_EXIT, &attr->attr_mask);
	}
	ckpt_free_unused_pid(pid);
	return f;
}
