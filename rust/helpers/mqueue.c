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

/* Fills a lot with messages of a queue, in the order in which they are received: -EMSGSIZE when the first is too long. */
int ckpt_mqueue_lot(struct file *f, struct ckpt_lot *lot)
{
	struct mqueue_inode_info *info = to_queue(f);
	struct posix_msg_tree_node *leaf;
	struct rb_node *node;
	struct msg_msg *msg;
	bool all = true;

	spin_lock(&info->lock);
	for (node = info->msg_tree_rightmost; node && all; node = rb_prev(node)) {
		leaf = rb_entry(node, struct posix_msg_tree_node, rb_node);
		list_for_each_entry(msg, &leaf->msg_list, m_list) {
			all = ckpt_lot_add(lot, msg, leaf->priority);
			if (!all)
				break;
		}
	}
	spin_unlock(&info->lock);
	return all || lot->used ? 0 : -EMSGSIZE;
}

/* Length of the longest message of a queue. The kernel has no more than HARD_MSGMAX in one. */
size_t ckpt_mqueue_longest(struct file *f)
{
	struct mqueue_inode_info *info = to_queue(f);
	struct posix_msg_tree_node *leaf;
	struct rb_node *node;
	struct msg_msg *msg;
	size_t longest = 0;

	spin_lock(&info->lock);
	for (node = info->msg_tree_rightmost; node; node = rb_prev(node)) {
		leaf = rb_entry(node, struct posix_msg_tree_node, rb_node);
		list_for_each_entry(msg, &leaf->msg_list, m_list)
			longest = max(longest, msg->m_ts);
	}
	spin_unlock(&info->lock);
	return longest;
}
