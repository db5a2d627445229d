// SPDX-License-Identifier: GPL-2.0

#include <linux/fs.h>
#include <linux/ipc_namespace.h>
#include <linux/mount.h>
#include <linux/mqueue.h>
#include <linux/msg.h>
#include <linux/nsproxy.h>
#include <linux/path.h>
#include <linux/rbtree.h>

#include "helpers.h"
#include "symbol.h"

/* As in ipc/mqueue.c. */
#include "rust/helpers/mqueue_inode.h"

static struct mqueue_inode_info *to_queue(struct file *f)
{
	return container_of(file_inode(f), struct mqueue_inode_info, vfs_inode);
}

/* The root of the file system with the POSIX queues of an ipc namespace, with references. */
void ckpt_mqueue_root(struct nsproxy *ns, struct path *out)
{
	out->mnt = ns->ipc_ns->mq_mnt;
	out->dentry = out->mnt->mnt_root;
	path_get(out);
}

/* The file operations that an inode gives to its open files. */
const void *ckpt_inode_ops(struct file *f)
{
	return file_inode(f)->i_fop;
}

/* What a queue is; the file is one of a queue. */
void ckpt_mqueue(struct file *f, struct task_struct *t, struct ckpt_mqueue *out)
{
	struct mqueue_inode_info *info = to_queue(f);

	memset(out, 0, sizeof(*out));
	out->inode = (unsigned long)file_inode(f);
	out->ns = (unsigned long)file_inode(f)->i_sb->s_fs_info;
	spin_lock(&info->lock);
	out->maxmsg = info->attr.mq_maxmsg;
	out->msgsize = info->attr.mq_msgsize;
	out->messages = info->attr.mq_curmsgs;
	rcu_read_lock();
	out->tells = t && info->notify_owner && info->notify_owner == task_tgid(t);
	rcu_read_unlock();
	if (out->tells) {
		out->notify = info->notify.sigev_notify;
		if (out->notify == SIGEV_SIGNAL) {
			out->signal = info->notify.sigev_signo;
			out->value = (unsigned long)info->notify.sigev_value.sival_ptr;
		}
	}
	spin_unlock(&info->lock);
}

/* The @nth message of a queue, in the order in which they are received: its length; -ENOENT, -EMSGSIZE. */
ssize_t ckpt_mqueue_text(struct file *f, unsigned long nth, u32 *priority, u8 *out, size_t size)
{
	struct mqueue_inode_info *info = to_queue(f);
	struct posix_msg_tree_node *leaf;
	ssize_t ret = -ENOENT;
	struct rb_node *node;
	struct msg_msg *msg;

	spin_lock(&info->lock);
	for (node = info->msg_tree_rightmost; node && ret == -ENOENT; node = rb_prev(node)) {
		leaf = rb_entry(node, struct posix_msg_tree_node, rb_node);
		list_for_each_entry(msg, &leaf->msg_list, m_list) {
			if (nth--)
				continue;
			*priority = leaf->priority;
			ret = ckpt_copy_message(msg, out, size) ? msg->m_ts : -EMSGSIZE;
			break;
		}
	}
	spin_unlock(&info->lock);
	return ret;
}
