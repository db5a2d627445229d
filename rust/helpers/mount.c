// SPDX-License-Identifier: GPL-2.0

#include <linux/cred.h>
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/fs_struct.h>
#include <linux/kdev_t.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/nsproxy.h>
#include <linux/seq_file.h>
#include <linux/xattr.h>
#include <uapi/linux/mount.h>

#include "helpers.h"
#include "mount.h"
#include "symbol.h"

/* In fs/namespace.c, which keeps it to itself. */
static struct rw_semaphore *mounts_lock(void)
{
	return (struct rw_semaphore *)ckpt_address[CKPT_ADDRESS_namespace_sem];
}

/* The mount after @m in the tree below @root: parents before children, those in the order in which they were attached. */
static struct mount *after(struct mount *m, struct mount *root)
{
	struct list_head *next = m->mnt_mounts.next;

	if (next == &m->mnt_mounts) {
		while (1) {
			if (m == root)
				return NULL;
			next = m->mnt_child.next;
			if (next != &m->mnt_parent->mnt_mounts)
				break;
			m = m->mnt_parent;
		}
	}
	return list_entry(next, struct mount, mnt_child);
}

/* What is mounted topmost at the root of the namespace: what is below it nobody reaches. */
static struct mount *top(struct mnt_namespace *ns)
{
	struct mount *m = ns->root;

	while (m && m->overmount)
		m = m->overmount;
	return m;
}

static unsigned int attributes(int flags)
{
	unsigned int attr = 0;

	attr |= flags & MNT_READONLY ? MOUNT_ATTR_RDONLY : 0;
	attr |= flags & MNT_NOSUID ? MOUNT_ATTR_NOSUID : 0;
	attr |= flags & MNT_NODEV ? MOUNT_ATTR_NODEV : 0;
	attr |= flags & MNT_NOEXEC ? MOUNT_ATTR_NOEXEC : 0;
	attr |= flags & MNT_NODIRATIME ? MOUNT_ATTR_NODIRATIME : 0;
	attr |= flags & MNT_NOSYMFOLLOW ? MOUNT_ATTR_NOSYMFOLLOW : 0;
	if (flags & MNT_NOATIME)
		attr |= MOUNT_ATTR_NOATIME;
	else if (!(flags & MNT_RELATIME))
		attr |= MOUNT_ATTR_STRICTATIME;
	return attr;
}

static void propagation(struct mount *m, struct ckpt_mount *out)
{
	struct mount *peer;

	out->unbindable = IS_MNT_UNBINDABLE(m);
	if (IS_MNT_SHARED(m)) {
		out->group = m->mnt_group_id;
		list_for_each_entry(peer, &m->mnt_share, mnt_share)
			out->shared_outside |= peer->mnt_ns != m->mnt_ns;
	}
	if (IS_MNT_SLAVE(m)) {
		out->master = m->mnt_master->mnt_group_id;
		out->slave_outside = m->mnt_master->mnt_ns != m->mnt_ns;
	}
}

/*
 * The mounts of the mount namespace, parents before children; each is to be given back with ckpt_put_mount(). Returns how many there
 * are; those that do not fit into @max are not stored.
 */
unsigned int ckpt_collect_mounts(struct nsproxy *ns, struct ckpt_mount *out, unsigned int max)
{
	struct mount *root, *m;
	unsigned int n = 0, i;

	down_read(mounts_lock());
	root = top(ns->mnt_ns);
	for (m = root; m; m = after(m, root)) {
		struct ckpt_mount *c = &out[n];

		if (n++ >= max)
			continue;
		memset(c, 0, sizeof(*c));
		c->path.mnt = mntget(&m->mnt);
		c->path.dentry = dget(m->mnt.mnt_root);
		c->parent = n - 1;
		if (m != root) {
			c->mountpoint = dget(m->mnt_mountpoint);
			for (i = n - 1; i-- > 0;)
				if (out[i].path.mnt == &m->mnt_parent->mnt) {
					c->parent = i;
					break;
				}
		}
		c->attributes = attributes(m->mnt.mnt_flags);
		propagation(m, c);
	}
	up_read(mounts_lock());
	return n;
}

void ckpt_put_mount(struct ckpt_mount *m)
{
	dput(m->mountpoint);
	path_put(&m->path);
}

/* What the task would see at "/" without a root directory of its own, with a reference: the top of what is mounted there. */
int ckpt_namespace_root(struct nsproxy *ns, struct path *out)
{
	struct mount *m;

	down_read(mounts_lock());
	m = top(ns->mnt_ns);
	if (m) {
		out->mnt = mntget(&m->mnt);
		out->dentry = dget(m->mnt.mnt_root);
	}
	up_read(mounts_lock());
	return m ? 0 : -ENOENT;
}

void ckpt_superblock(const struct ckpt_mount *m, struct ckpt_superblock *out)
{
	struct super_block *sb = m->path.dentry->d_sb;

	out->address = sb;
	out->type = sb->s_type->name;
	out->source = real_mount(m->path.mnt)->mnt_devname;
	out->flags = (sb->s_flags & SB_RDONLY ? CKPT_SB_RDONLY : 0) | (sb->s_flags & SB_SYNCHRONOUS ? CKPT_SB_SYNC : 0) |
		     (sb->s_flags & SB_DIRSYNC ? CKPT_SB_DIRSYNC : 0) | (sb->s_flags & SB_LAZYTIME ? CKPT_SB_LAZYTIME : 0);
}

/* Options of the file system as in /proc/mounts; their length, or -E2BIG. */
int ckpt_superblock_options(const struct ckpt_mount *m, char *buf, unsigned int size)
{
	struct super_block *sb = m->path.dentry->d_sb;
	struct file opener = { .f_cred = current_cred() };
	struct seq_file seq = { .buf = buf, .size = size, .file = &opener };
	int ret = 0;

	mutex_init(&seq.lock);
	if (sb->s_op->show_options)
		ret = sb->s_op->show_options(&seq, sb->s_root);
	if (ret)
		return ret < 0 ? ret : -EIO;
	return seq_has_overflowed(&seq) ? -E2BIG : (int)seq.count;
}

/* Path of the root of a mount inside of its file system; a pointer into buf. */
char *ckpt_mount_root(const struct ckpt_mount *m, char *buf, int size)
{
	return dentry_path_raw(m->path.dentry, buf, size);
}

/* Path of the place where it is mounted, seen from the root of its parent; a pointer into buf. */
char *ckpt_mount_point(const struct ckpt_mount *m, const struct ckpt_mount *parent, char *buf, int size)
{
	struct path point = { .mnt = parent->path.mnt, .dentry = m->mountpoint };

	return ckpt___d_path(&point, &parent->path, buf, size);
}

/*
 * Where the root of @m is found by way of @other, as the caller sees it: a pointer into buf, NULL when it is not there.
 */
char *ckpt_mount_elsewhere(const struct ckpt_mount *m, const struct ckpt_mount *other, const struct path *root, char *buf,
			   int size)
{
	struct path there = { .mnt = other->path.mnt, .dentry = m->path.dentry };
	struct path found;
	bool same;
	char *p;

	if (m->path.dentry->d_sb != other->path.dentry->d_sb || !is_subdir(m->path.dentry, other->path.dentry))
		return NULL;
	p = ckpt___d_path(&there, root, buf, size);
	if (IS_ERR_OR_NULL(p) || d_unlinked(m->path.dentry))
		return NULL;
	/* Something else may be mounted over it. */
	if (kern_path(p, 0, &found))
		return NULL;
	same = found.dentry == m->path.dentry;
	path_put(&found);
	return same ? p : NULL;
}

/* A mount of the whole file system that nobody else sees, with nothing mounted on it. */
int ckpt_private_mount(const struct ckpt_mount *m, struct path *out)
{
	struct super_block *sb = m->path.dentry->d_sb;
	struct fs_context *fc = ckpt_fs_context_for_reconfigure(sb->s_root, 0, 0);
	struct vfsmount *mnt;

	if (IS_ERR(fc))
		return PTR_ERR(fc);
	mnt = vfs_create_mount(fc);
	put_fs_context(fc);
	if (IS_ERR(mnt))
		return PTR_ERR(mnt);
	out->mnt = mnt;
	out->dentry = dget(sb->s_root);
	return 0;
}

struct file *ckpt_open_below(const struct path *root, const char *name, int flags)
{
	return file_open_root(root, name, flags, 0);
}

struct ckpt_names {
	struct dir_context ctx;
	char *buf;
	unsigned int size, used;
};

static bool add_name(struct dir_context *ctx, const char *name, int len, loff_t pos, u64 ino, unsigned int type)
{
	struct ckpt_names *names = container_of(ctx, struct ckpt_names, ctx);

	if ((len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.'))
		return true;
	if (names->size - names->used < (unsigned int)len + 1)
		return false;
	memcpy(names->buf + names->used, name, len);
	names->buf[names->used + len] = 0;
	names->used += len + 1;
	return true;
}

/* The next names in an open directory, each with a NUL, as many as fit; 0 bytes at the end. */
int ckpt_read_names(struct file *dir, char *buf, unsigned int size)
{
	struct ckpt_names names = { .ctx.actor = add_name, .ctx.count = INT_MAX, .buf = buf, .size = size };
	int ret = iterate_dir(dir, &names.ctx);

	return ret < 0 ? ret : names.used;
}

int ckpt_inode_stat(struct file *f, struct ckpt_inode_stat *out)
{
	struct kstat k;
	int ret = vfs_getattr(&f->f_path, &k, STATX_BASIC_STATS, 0);

	if (ret)
		return ret;
	out->mode = k.mode;
	out->uid = from_kuid_munged(current_user_ns(), k.uid);
	out->gid = from_kgid_munged(current_user_ns(), k.gid);
	out->nlink = k.nlink;
	out->ino = k.ino;
	out->size = k.size;
	out->rdev = new_encode_dev(k.rdev);
	out->atime_ns = timespec64_to_ns(&k.atime);
	out->mtime_ns = timespec64_to_ns(&k.mtime);
	return 0;
}

/* Text of a symbolic link that was opened with O_PATH; its length, or -E2BIG. */
int ckpt_read_link(struct file *f, char *buf, unsigned int size)
{
	DEFINE_DELAYED_CALL(done);
	const char *text = vfs_get_link(f->f_path.dentry, &done);
	size_t len;

	if (IS_ERR(text))
		return PTR_ERR(text);
	len = strlen(text);
	if (len <= size)
		memcpy(buf, text, len);
	do_delayed_call(&done);
	return len <= size ? len : -E2BIG;
}

ssize_t ckpt_list_xattrs(struct file *f, char *buf, size_t size)
{
	return vfs_listxattr(f->f_path.dentry, buf, size);
}

ssize_t ckpt_get_xattr(struct file *f, const char *name, void *buf, size_t size)
{
	return vfs_getxattr(file_mnt_idmap(f), f->f_path.dentry, name, buf, size);
}
