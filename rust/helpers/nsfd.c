// SPDX-License-Identifier: GPL-2.0

#include <linux/cgroup_namespace.h>
#include <linux/cred.h>
#include <linux/ipc_namespace.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
#include <linux/proc_ns.h>
#include <linux/time_namespace.h>
#include <linux/user_namespace.h>
#include <linux/utsname.h>
#include <net/net_namespace.h>

#include "helpers.h"
#include "mount.h"
#include "symbol.h"

/* Kind of the namespace that a file stands for: CLONE_NEW*. */
unsigned int ckpt_nsfd_kind(struct file *f)
{
	return get_proc_ns(file_inode(f))->ns_type;
}

/* Address of the namespace that a file stands for. */
unsigned long ckpt_nsfd_namespace(struct file *f)
{
	return (unsigned long)get_proc_ns(file_inode(f));
}

/* The user namespace that the namespace of a file belongs to; NULL for the initial one of all. */
struct user_namespace *ckpt_nsfd_owner(struct file *f)
{
	struct ns_common *ns = get_proc_ns(file_inode(f));

	return ns->ops->owner(ns);
}

/* What a kind of namespaces can do is known by that of the caller; NULL when there is no such kind. */
static const struct proc_ns_operations *ckpt_ns_operations(unsigned int kind)
{
	struct nsproxy *ns = current->nsproxy;

	switch (kind) {
	case CLONE_NEWTIME:
		return ns->time_ns->ns.ops;
	case CLONE_NEWNS:
		return ns->mnt_ns->ns.ops;
	case CLONE_NEWCGROUP:
		return ns->cgroup_ns->ns.ops;
	case CLONE_NEWUTS:
		return ns->uts_ns->ns.ops;
	case CLONE_NEWIPC:
		return ns->ipc_ns->ns.ops;
	case CLONE_NEWUSER:
		return current_user_ns()->ns.ops;
	case CLONE_NEWPID:
		return task_active_pid_ns(current)->ns.ops;
	case CLONE_NEWNET:
		return ns->net_ns->ns.ops;
	default:
		return NULL;
	}
}

/* Addresses of the namespaces that a task lives in; 0 where it has none any more. */
void ckpt_task_namespaces(struct task_struct *t, unsigned long out[CKPT_NAMESPACES])
{
	static const unsigned int kinds[CKPT_NAMESPACES] = {
		CLONE_NEWTIME, CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET,
	};
	unsigned int i;

	for (i = 0; i < CKPT_NAMESPACES; i++) {
		const struct proc_ns_operations *ops = ckpt_ns_operations(kinds[i]);
		struct ns_common *ns = ops->get(t);

		out[i] = (unsigned long)ns;
		if (ns)
			ops->put(ns);
	}
}

/* A file that stands for the namespace of this kind that a task lives in. Of @flags, those that open(2) and fcntl(2) set count. */
struct file *ckpt_nsfd_open(struct task_struct *t, unsigned int kind, unsigned int flags)
{
	const struct proc_ns_operations *ops = ckpt_ns_operations(kind);
	struct ns_common *ns;
	struct file *f;

	if (!ops)
		return ERR_PTR(-EINVAL);
	ns = ops->get(t);
	/* Takes the reference. */
	f = ns ? ckpt_open_namespace_file(ns) : ERR_PTR(-ESRCH);
	if (!IS_ERR(f))
		f->f_flags |= flags & (O_NONBLOCK | O_LARGEFILE);
	return f;
}
