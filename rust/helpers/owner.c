// SPDX-License-Identifier: GPL-2.0

#include <linux/cred.h>
#include <linux/dnotify.h>
#include <linux/fs.h>
#include <linux/fsnotify_backend.h>
#include <linux/pid_namespace.h>

#include "rust/helpers/dnotify.h"

#include "helpers.h"
#include "symbol.h"

/*
 * Whom signals of this open file are sent to. Whether they are sent with the rights of the task as it is now is said by
 * out->own_rights; out->pid is a number in @ns, 0 when the owner has none there.
 */
void ckpt_file_owner(struct file *f, struct task_struct *t, struct pid_namespace *ns, struct ckpt_file_owner *out)
{
	struct fown_struct *owner = file_f_owner(f);

	*out = (struct ckpt_file_owner){ .async = f->f_flags & FASYNC && f->f_op->fasync, .own_rights = true };
	if (!owner)
		return;
	read_lock_irq(&owner->lock);
	rcu_read_lock();
	out->signal = owner->signum;
	/* As F_GETOWN: one that is gone is none. */
	if (pid_task(owner->pid, owner->pid_type)) {
		const struct cred *cred = __task_cred(t);

		out->exists = true;
		out->type = owner->pid_type;
		out->pid = pid_nr_ns(owner->pid, ns);
		out->own_rights = uid_eq(owner->uid, cred->uid) && uid_eq(owner->euid, cred->euid);
	}
	rcu_read_unlock();
	read_unlock_irq(&owner->lock);
}

/* Whether this open file has asked for F_NOTIFY; if that cannot be known, whether it may have. */
bool ckpt_file_is_notified(struct file *f)
{
	struct fsnotify_group **group = (struct fsnotify_group **)ckpt_address[CKPT_ADDRESS_dnotify_group];
	struct fsnotify_mark *mark;
	struct dnotify_struct *dn;
	bool found = false;

	if (!S_ISDIR(file_inode(f)->i_mode) || !file_f_owner(f))
		return false;
	if (!group)
		return IS_ENABLED(CONFIG_DNOTIFY);
	mark = fsnotify_find_inode_mark(file_inode(f), *group);
	if (!mark)
		return false;
	fsnotify_group_lock(*group);
	for (dn = container_of(mark, struct dnotify_mark, fsn_mark)->dn; dn; dn = dn->dn_next)
		found |= dn->dn_filp == f;
	fsnotify_group_unlock(*group);
	fsnotify_put_mark(mark);
	return found;
}
