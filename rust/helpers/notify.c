// SPDX-License-Identifier: GPL-2.0

#include <linux/fs.h>
#include <linux/fsnotify_backend.h>

#include "helpers.h"
#include "notify.h"

/*
 * The marks with a reference on each inode, of which at most @max are given; the number of all. One of something else than an inode has
 * none; one whose inode is just going is left out.
 */
unsigned int ckpt_marks(struct file *f, struct ckpt_mark *out, unsigned int max, ckpt_describe_mark *describe)
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
		out[n] = (struct ckpt_mark) { .inode = inode };
		describe(mark, &out[n]);
		n++;
	}
	fsnotify_group_unlock(group);
	return n;
}

/* Forgets all events behind the first @keep; each is told to @forget, if that is not NULL, with the lock of the events. */
void ckpt_forget_events(struct fsnotify_group *group, unsigned int keep, void (*forget)(struct fsnotify_event *event))
{
	struct fsnotify_event *event, *next;
	LIST_HEAD(dropped);

	spin_lock(&group->notification_lock);
	while (group->q_len > keep) {
		event = list_last_entry(&group->notification_list, struct fsnotify_event, list);
		list_del_init(&event->list);
		group->q_len--;
		if (forget)
			forget(event);
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
