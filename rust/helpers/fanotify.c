// SPDX-License-Identifier: GPL-2.0

#include <linux/cred.h>
#include <linux/fanotify.h>
#include <linux/fs.h>
#include <linux/fsnotify_backend.h>
#include "fs/notify/fanotify/fanotify.h"

#include "helpers.h"
#include "notify.h"

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

static void describe_mark(struct fsnotify_mark *mark, struct ckpt_mark *out)
{
	out->mask = mark->mask;
	out->ignored = mark->ignore_mask;
	out->flags = fanotify_mark_user_flags(mark);
	out->is_directory = out->inode && S_ISDIR(out->inode->i_mode);
}

/* What is watched, or not: see ckpt_marks(). */
unsigned int ckpt_fanotify_marks(struct file *f, struct ckpt_mark *out, unsigned int max)
{
	return ckpt_marks(f, out, max, describe_mark);
}

/* Has it be one that somebody without privileges has made. */
void ckpt_fanotify_unprivileged(struct file *f)
{
	((struct fsnotify_group *)f->private_data)->fanotify_data.flags |= FANOTIFY_UNPRIV;
}

static void forget_event(struct fsnotify_event *event)
{
	if (fanotify_is_hashed_event(FANOTIFY_E(event)->mask))
		hlist_del_init(&FANOTIFY_E(event)->merge_list);
}

/* Forgets all events, as if they had been read. */
void ckpt_fanotify_begin(struct file *f)
{
	ckpt_forget_events(f->private_data, 0, forget_event);
}
