// SPDX-License-Identifier: GPL-2.0

#include <linux/bsearch.h>
#include <linux/dcache.h>
#include <linux/exportfs.h>
#include <linux/fs.h>
#include <linux/fsnotify_backend.h>
#include <linux/idr.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include "fs/notify/inotify/inotify.h"

#include "helpers.h"
#include "mount.h"
#include "notify.h"
#include "symbol.h"

static void describe_watch(struct fsnotify_mark *mark, struct ckpt_mark *out)
{
	out->wd = container_of(mark, struct inotify_inode_mark, fsn_mark)->wd;
	out->mask = inotify_mark_user_mask(mark);
}

/* What an inotify watches: see ckpt_marks(). */
unsigned int ckpt_inotify_marks(struct file *f, struct ckpt_mark *out, unsigned int max)
{
	return ckpt_marks(f, out, max, describe_watch);
}

/* Number that the next new watch gets, if it is free. */
unsigned int ckpt_inotify_next(struct file *f)
{
	struct inotify_group_private_data *data = &((struct fsnotify_group *)f->private_data)->inotify_data;
	unsigned int next;

	spin_lock(&data->idr_lock);
	next = idr_get_cursor(&data->idr);
	spin_unlock(&data->idr_lock);
	return next;
}

/* Number of events that nobody has read yet. */
unsigned int ckpt_inotify_queued(struct file *f)
{
	return READ_ONCE(((struct fsnotify_group *)f->private_data)->q_len);
}

/*
 * The events that nobody has read yet but the first @from, as read(2) returns them, as far as there is room; their number. The bytes that
 * they have go to @used.
 */
unsigned int ckpt_inotify_events(struct file *f, unsigned int from, char *buf, unsigned int size, unsigned int *used)
{
	struct fsnotify_group *group = f->private_data;
	struct fsnotify_event *fse;
	unsigned int n = 0;

	*used = 0;
	spin_lock(&group->notification_lock);
	list_for_each_entry(fse, &group->notification_list, list) {
		struct inotify_event_info *event = INOTIFY_E(fse);
		struct inotify_event *out = (struct inotify_event *)(buf + *used);
		unsigned int length = event->name_len ? roundup(event->name_len + 1, sizeof(*out)) : 0;

		if (from) {
			from--;
			continue;
		}
		if (sizeof(*out) + length > size - *used)
			break;
		out->wd = event->wd;
		out->mask = event->mask & (IN_ALL_EVENTS | IN_ISDIR | IN_UNMOUNT | IN_IGNORED | IN_Q_OVERFLOW);
		out->cookie = event->sync_cookie;
		out->len = length;
		memset(out->name, 0, length);
		memcpy(out->name, event->name, event->name_len);
		*used += sizeof(*out) + length;
		n++;
	}
	spin_unlock(&group->notification_lock);
	return n;
}

/* Queues an event, or that some were lost when there are too many: as inotify_handle_inode_event(), also of a watch that is gone. */
int ckpt_inotify_queue(struct file *f, const struct inotify_event *from, const char *name, unsigned int length)
{
	struct fsnotify_group *group = f->private_data;
	struct inotify_event_info *event;

	if (from->mask & IN_Q_OVERFLOW) {
		ckpt_fsnotify_insert_event(group, group->overflow_event, NULL, NULL);
		return 0;
	}
	event = kmalloc(sizeof(*event) + (length ? length + 1 : 0), GFP_KERNEL_ACCOUNT);
	if (!event)
		return -ENOMEM;
	fsnotify_init_event(&event->fse);
	event->mask = from->mask;
	event->wd = from->wd;
	event->sync_cookie = from->cookie;
	event->name_len = length;
	if (length) {
		memcpy(event->name, name, length);
		event->name[length] = '\0';
	}
	if (ckpt_fsnotify_insert_event(group, &event->fse, NULL, NULL))
		ckpt_fsnotify_destroy_event(group, &event->fse);
	return 0;
}

static int ckpt_inotify_cmp(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return x < y ? -1 : x > y;
}

/*
 * Forgets all events behind the first @events, and lets the watches @oneshot, which ascend, tell once only. The number of watches that are
 * there.
 */
unsigned int ckpt_inotify_begin(struct file *f, unsigned int events, const int *oneshot, unsigned int n)
{
	struct fsnotify_group *group = f->private_data;
	struct fsnotify_mark *mark;
	unsigned int watches = 0;

	fsnotify_group_lock(group);
	list_for_each_entry(mark, &group->marks_list, g_list) {
		int wd = container_of(mark, struct inotify_inode_mark, fsn_mark)->wd;

		watches++;
		if (!bsearch(&wd, oneshot, n, sizeof(wd), ckpt_inotify_cmp))
			continue;
		spin_lock(&mark->lock);
		mark->flags |= FSNOTIFY_MARK_FLAG_IN_ONESHOT;
		spin_unlock(&mark->lock);
	}
	fsnotify_group_unlock(group);

	ckpt_forget_events(group, events, NULL);
	return watches;
}

void ckpt_iput(struct inode *inode)
{
	iput(inode);
}

/* Whether an inode has no name any more. */
bool ckpt_inode_nameless(struct inode *inode)
{
	return !inode->i_nlink || inode->i_flags & S_DEAD;
}

static int ckpt_any_dentry(void *context, struct dentry *dentry)
{
	return 1;
}

/*
 * A directory that the cache of names has forgotten is looked for by its file handle. Only file systems on a device are asked: a server
 * may be a task that stands still.
 */
static struct dentry *ckpt_find_directory(struct inode *inode, struct vfsmount *mnt)
{
	u32 fid[MAX_HANDLE_SZ / sizeof(u32)];
	int words = ARRAY_SIZE(fid), type;
	struct dentry *dentry;

	if (!(inode->i_sb->s_type->fs_flags & FS_REQUIRES_DEV) || inode->i_sb->s_magic == FUSE_SUPER_MAGIC)
		return NULL;
	if (!S_ISDIR(inode->i_mode) || !exportfs_can_decode_fh(inode->i_sb->s_export_op))
		return NULL;
	type = exportfs_encode_inode_fh(inode, (struct fid *)fid, &words, NULL, 0);
	if (type < 0 || type == FILEID_INVALID)
		return NULL;
	dentry = exportfs_decode_fh(mnt, (struct fid *)fid, words, type, ckpt_any_dentry, NULL);
	return IS_ERR(dentry) ? NULL : dentry;
}

/* The mount of the inode's file system that comes behind @skip others in the mount namespace of @root, with a reference. */
static struct vfsmount *ckpt_nth_mount(struct inode *inode, const struct path *root, unsigned int skip)
{
	struct vfsmount *found = NULL;
	struct mount *first, *m;

	down_read(mounts_lock());
	first = real_mount(root->mnt)->mnt_ns ? top(real_mount(root->mnt)->mnt_ns) : NULL;
	for (m = first; m && !found; m = after(m, first))
		if (m->mnt.mnt_sb == inode->i_sb && !skip--)
			found = mntget(&m->mnt);
	up_read(mounts_lock());
	return found;
}

/* Prints a path that leads from @root to @inode; NULL when there is none that the kernel knows. */
char *ckpt_inode_path(struct inode *inode, const struct path *root, char *buf, int size)
{
	struct path path = { .dentry = d_find_alias(inode) };
	unsigned int skip;
	char *name = NULL;

	for (skip = 0; !name; skip++) {
		struct path found;

		path.mnt = ckpt_nth_mount(inode, root, skip);
		if (!path.mnt)
			break;
		if (!path.dentry)
			path.dentry = ckpt_find_directory(inode, path.mnt);
		if (path.dentry && is_subdir(path.dentry, path.mnt->mnt_root)) {
			name = ckpt___d_path(&path, root, buf, size);
			/* It may be covered by another mount, or just have been renamed. */
			if (IS_ERR_OR_NULL(name) || !ckpt_find_known(root, name, &found)) {
				name = NULL;
			} else {
				if (d_inode(found.dentry) != inode)
					name = NULL;
				path_put(&found);
			}
		}
		mntput(path.mnt);
	}
	dput(path.dentry);
	return name;
}
