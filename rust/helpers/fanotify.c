// SPDX-License-Identifier: GPL-2.0

#include <linux/cred.h>
#include <linux/fanotify.h>
#include <linux/fs.h>
#include <linux/fsnotify_backend.h>
#include "fs/notify/fanotify/fanotify.h"

#include "helpers.h"
#include "symbol.h"

/* What fanotify_init(2) was called with, what waits, and whether @viewer lives in the user namespace of who called it. */
void ckpt_fanotify_read(struct file *f, struct task_struct *viewer, struct ckpt_fanotify *out)
{
	struct fsnotify_group *group = f->private_data;
	unsigned int flags = READ_ONCE(group->fanotify_data.flags);
	const struct cred *cred = get_task_cred(viewer);

	out->flags = flags & ~FANOTIFY_INTERNAL_GROUP_FLAGS;
	out->event_flags = group->fanotify_data.f_flags;
	out->unprivileged = flags & FANOTIFY_UNPRIV;
	out->own_namespace = group->user_ns == cred->user_ns;
	out->queued = READ_ONCE(group->q_len);
	put_cred(cred);
}

/*
 * The marks with a reference on each inode, of which at most @max are given; the number of all. One of something else than an inode has
 * none; one whose inode is just going is left out.
 */
unsigned int ckpt_fanotify_marks(struct file *f, struct ckpt_mark *out, unsigned int max)
{
	struct fsnotify_group *group = f->private_data;
	struct fsnotify_mark *mark;
	unsigned int n = 0;

	fsnotify_group_lock(group);
	list_for_each_entry(mark, &group->marks_list, g_list) {
		bool of_inode = mark->connector->type == FSNOTIFY_OBJ_TYPE_INODE;
		struct inode *inode = NULL;

		/* What is not given is not taken either: the last reference must not be dropped under this lock. */
		if (n >= max) {
			n++;
			continue;
		}
		if (of_inode) {
			inode = igrab(mark->connector->obj);
			if (!inode)
				continue;
		}
		out[n].mask = mark->mask;
		out[n].ignored = mark->ignore_mask;
		out[n].flags = fanotify_mark_user_flags(mark);
		out[n].is_directory = inode && S_ISDIR(inode->i_mode);
		out[n].inode = inode;
		n++;
	}
	fsnotify_group_unlock(group);
	return n;
}

/* Has it be one that somebody without privileges has made. */
void ckpt_fanotify_unprivileged(struct file *f)
{
	((struct fsnotify_group *)f->private_data)->fanotify_data.flags |= FANOTIFY_UNPRIV;
}

/* Forgets all events, as if they had been read. */
void ckpt_fanotify_begin(struct file *f)
{
	struct fsnotify_group *group = f->private_data;
	struct fsnotify_event *event, *next;
	LIST_HEAD(dropped);

	spin_lock(&group->notification_lock);
	list_for_each_entry_safe(event, next, &group->notification_list, list) {
		list_del_init(&event->list);
		group->q_len--;
		if (fanotify_is_hashed_event(FANOTIFY_E(event)->mask))
			hlist_del_init(&FANOTIFY_E(event)->merge_list);
		/* That of the group itself is not freed. */
		if (event != group->overflow_event)
			list_add(&event->list, &dropped);
	}
	spin_unlock(&group->notification_lock);
	list_for_each_entry_safe(event, next, &dropped, list) {
		list_del_init(&event->list);
		ckpt_fsnotify_destroy_event(group, event);
	}
}
