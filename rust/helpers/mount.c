// SPDX-License-Identifier: GPL-2.0

#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/fs_struct.h>
#include <linux/kdev_t.h>
#include <linux/kernfs.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/nsproxy.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/xattr.h>
#include <net/net_namespace.h>
#include <uapi/linux/mount.h>

#include "fs/overlayfs/ovl_entry.h"

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

/* Peers and slaves that one collection may look at: the lock is held meanwhile, and whoever may mount can make very many. */
#define CKPT_RELATIONS_MAX (1U << 20)

/* What is known about one peer group. */
struct group {
	int id;
	bool inside, outside, callers;
};

/* What a collection of mounts with their relations goes by. */
struct relations {
	unsigned int left;
	/* The one that was looked at last: most have it from their neighbour. */
	struct group last;
};

static bool spend(struct relations *r)
{
	return r->left && r->left--;
}

/*
 * Where @m and its peers are: in @ns, outside of it, in the namespace of the caller. Whoever is both inside and outside is looked at no
 * further: then it does not matter whether the caller has one. False when there are too many.
 */
static bool look_at_group(struct mount *m, const struct mnt_namespace *ns, struct relations *r)
{
	struct mount *peer = m;
	struct group g = { .id = m->mnt_group_id };

	if (g.id && g.id == r->last.id)
		return true;
	do {
		if (!spend(r))
			return false;
		*(peer->mnt_ns == ns ? &g.inside : &g.outside) = true;
		g.callers |= peer->mnt_ns == current->nsproxy->mnt_ns;
		peer = list_entry(peer->mnt_share.next, struct mount, mnt_share);
	} while (peer != m && !(g.inside && g.outside));
	r->last = g;
	return true;
}

/* False when there are too many peers or slaves. */
static bool propagation(struct mount *m, struct ckpt_mount *out, struct relations *r)
{
	struct mount *other;

	out->unbindable = IS_MNT_UNBINDABLE(m);
	if (IS_MNT_SHARED(m)) {
		if (!look_at_group(m, m->mnt_ns, r))
			return false;
		out->group = m->mnt_group_id;
		out->shared_outside = r->last.outside;
	}
	hlist_for_each_entry(other, &m->mnt_slave_list, mnt_slave) {
		if (!spend(r))
			return false;
		out->slaves_outside = other->mnt_ns != m->mnt_ns;
		if (out->slaves_outside)
			break;
	}
	if (IS_MNT_SLAVE(m)) {
		if (!look_at_group(m->mnt_master, m->mnt_ns, r))
			return false;
		out->master = m->mnt_master->mnt_group_id;
		out->master_outside = !r->last.inside;
		out->master_callers = r->last.callers;
	}
	return true;
}

/*
 * Index of the parent of the last of @n mounts: the one before it, or one that this is below. No mount is climbed over twice, since what
 * has been left does not come again.
 */
static unsigned int parent_of(struct mount *m, const struct ckpt_mount *out, unsigned int n)
{
	unsigned int i = n - 2;

	while (out[i].path.mnt != &m->mnt_parent->mnt && out[i].parent != i)
		i = out[i].parent;
	return i;
}

/*
 * The mounts of the mount namespace, parents before children; each is to be given back with ckpt_put_mount(). Returns how many there
 * are; those that do not fit into @max are not stored. Parents, peers and masters are looked for with @relations; -EMLINK when those are too
 * many: none is to be given back then.
 */
int ckpt_collect_mounts(struct nsproxy *ns, struct ckpt_mount *out, unsigned int max, bool relations)
{
	struct relations left = { .left = CKPT_RELATIONS_MAX };
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
		if (m != root)
			c->mountpoint = dget(m->mnt_mountpoint);
		c->attributes = attributes(m->mnt.mnt_flags);
		c->idmapped = is_idmapped_mnt(&m->mnt);
		if (!relations)
			continue;
		c->parent = m == root ? 0 : parent_of(m, out, n);
		if (!propagation(m, c, &left))
			goto too_many;
	}
	up_read(mounts_lock());
	return n;

too_many:
	up_read(mounts_lock());
	for (i = 0; i < n; i++)
		ckpt_put_mount(&out[i]);
	return -EMLINK;
}

/* Number of mounts of the caller's mount namespace that can be reached. */
unsigned int ckpt_count_own_mounts(void)
{
	struct mount *root, *m;
	unsigned int n = 0;

	down_read(mounts_lock());
	root = top(current->nsproxy->mnt_ns);
	for (m = root; m; m = after(m, root))
		n++;
	up_read(mounts_lock());
	return n;
}

/* Whether @mounted is the root of a mount that a bind mount of @from would give. */
bool ckpt_same_place(struct file *mounted, struct file *from)
{
	return mounted->f_path.dentry == mounted->f_path.mnt->mnt_root && mounted->f_path.dentry == from->f_path.dentry;
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

/* What a superblock of a type that belongs to a namespace shows; NULL for others. To be compared, never to be followed. */
static const void *shown_by(struct super_block *sb)
{
	const char *type = sb->s_type->name;

	if (!strcmp(type, "mqueue"))
		return READ_ONCE(sb->s_fs_info);
	if (!strcmp(type, "proc"))
		return proc_sb_info(sb)->pid_ns;
	if (!strcmp(type, "sysfs"))
		return container_of(ckpt_kernfs_super_ns(sb), struct net, ns);
	return NULL;
}

void ckpt_superblock(const struct ckpt_mount *m, struct ckpt_superblock *out)
{
	struct super_block *sb = m->path.dentry->d_sb;

	out->address = sb;
	out->type = sb->s_type->name;
	out->source = real_mount(m->path.mnt)->mnt_devname;
	out->shows = shown_by(sb);
	out->encoded = sb_has_encoding(sb);
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

/* Path of the root of a mount inside of its file system; a pointer into buf, NULL when it has been removed. */
char *ckpt_mount_root(const struct ckpt_mount *m, char *buf, int size)
{
	if (d_unlinked(m->path.dentry))
		return NULL;
	return dentry_path_raw(m->path.dentry, buf, size);
}

/*
 * Path of the cgroup (version 2) of @t from that of @root, with a slash before each name; its length, 0 when it is the same, -EXDEV when it
 * is not below.
 */
int ckpt_cgroup_below(struct task_struct *t, struct task_struct *root, char *buf, int size)
{
	struct cgroup *top, *cgrp;
	int ret = 0;

	rcu_read_lock();
	top = task_dfl_cgroup(root);
	cgrp = task_dfl_cgroup(t);
	if (!cgroup_is_descendant(cgrp, top))
		ret = -EXDEV;
	else if (cgrp != top)
		ret = kernfs_path_from_node(cgrp->kn, top->kn, buf, size);
	rcu_read_unlock();
	return ret;
}

bool ckpt_same_cgroup(struct task_struct *a, struct task_struct *b)
{
	bool same;

	rcu_read_lock();
	same = task_dfl_cgroup(a) == task_dfl_cgroup(b);
	rcu_read_unlock();
	return same;
}

/* Path of the caller's cgroup (version 2), as the caller's cgroup namespace sees it; its length. */
int ckpt_own_cgroup(char *buf, int size)
{
	struct cgroup *cgrp;
	int ret;

	rcu_read_lock();
	cgrp = task_dfl_cgroup(current);
	/* A cgroup without tasks may go; this one has the caller. */
	cgroup_get(cgrp);
	rcu_read_unlock();
	ret = cgroup_path_ns(cgrp, buf, size, current->nsproxy->cgroup_ns);
	cgroup_put(cgrp);
	return ret;
}

/* Whether it is the directory of the caller's cgroup. */
bool ckpt_is_own_cgroup(struct file *dir)
{
	bool own;

	if (file_inode(dir)->i_sb->s_magic != CGROUP2_SUPER_MAGIC)
		return false;
	rcu_read_lock();
	own = file_inode(dir)->i_private == task_dfl_cgroup(current)->kn;
	rcu_read_unlock();
	return own;
}

/* Whether the mount of a cgroup2 begins where the cgroup namespace does. */
bool ckpt_is_cgroup_root(const struct ckpt_mount *m, struct nsproxy *ns)
{
	return d_inode(m->path.dentry)->i_private == ns->cgroup_ns->root_cset->dfl_cgrp->kn;
}

/* Whether @m begins in the same file system as @wide, at the same place or below. */
bool ckpt_is_narrower(const struct ckpt_mount *m, const struct ckpt_mount *wide)
{
	return m->path.dentry->d_sb == wide->path.dentry->d_sb && is_subdir(m->path.dentry, wide->path.dentry);
}

/* Whether @over is mounted, on the same parent, at the place where @m is, or above: nobody gets to @m then. */
bool ckpt_is_covered(const struct ckpt_mount *m, const struct ckpt_mount *over)
{
	return m->mountpoint && over->mountpoint && is_subdir(m->mountpoint, over->mountpoint);
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
	if (!ckpt_find_known(root, p, &found))
		return NULL;
	same = found.dentry == m->path.dentry;
	path_put(&found);
	return same ? p : NULL;
}

/*
 * One of the layers of an overlay, the upper one and the work directory last; to be given back with ckpt_put_mount(). False when there
 * are not so many.
 */
bool ckpt_overlay_layer(const struct ckpt_mount *m, unsigned int i, struct ckpt_mount *out, enum ckpt_layer *kind)
{
	struct ovl_fs *ofs = OVL_FS(m->path.dentry->d_sb);
	unsigned int lower = ofs->numlayer - 1;
	struct vfsmount *mnt = i < lower ? ofs->layers[i + 1].mnt : ovl_upper_mnt(ofs);
	struct dentry *root;

	if (i > lower + 1 || !mnt)
		return false;
	root = i > lower ? ofs->workbasedir : mnt->mnt_root;
	if (!root)
		return false;
	if (i < lower)
		*kind = i < lower - ofs->numdatalayer ? CKPT_LAYER_LOWER : CKPT_LAYER_DATA;
	else
		*kind = i == lower ? CKPT_LAYER_UPPER : CKPT_LAYER_WORK;
	memset(out, 0, sizeof(*out));
	out->path.mnt = mntget(mnt);
	out->path.dentry = dget(root);
	out->idmapped = is_idmapped_mnt(mnt);
	return true;
}

/* Whether an overlay was mounted from the user namespace of @maker, and acts as whoever has mounted it. */
bool ckpt_is_overlay_of(const struct ckpt_mount *m, const struct cred *maker)
{
	struct super_block *sb = m->path.dentry->d_sb;
	const struct cred *creator = OVL_FS(sb)->creator_cred;

	return sb->s_user_ns == maker->user_ns && creator && creator->user_ns == maker->user_ns;
}

/* Whether a directory is the upper layer or the work directory of an overlay. */
bool ckpt_in_use_by_overlay(struct file *dir)
{
	return inode_state_read_once(file_inode(dir)) & I_OVL_INUSE;
}

/* Whether the caller may see all of the file system, as whoever may mount it. */
bool ckpt_may_see_all(const struct ckpt_mount *m)
{
	return ns_capable(m->path.dentry->d_sb->s_user_ns, CAP_SYS_ADMIN);
}

/* Whether it begins at the root of the file system. */
bool ckpt_begins_at_root(const struct ckpt_mount *m)
{
	return m->path.dentry == m->path.dentry->d_sb->s_root;
}

/*
 * A mount of the whole file system that nobody else sees, with nothing mounted on it: for whom ckpt_may_see_all(), or for what some mount
 * shows as a whole.
 */
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
	/* To look does not change anything. */
	mnt->mnt_flags |= MNT_NOATIME | MNT_NODIRATIME;
	out->mnt = mnt;
	out->dentry = dget(sb->s_root);
	return 0;
}

/*
 * Opens a directory or a regular file of ckpt_private_mount() for reading, or anything with O_PATH, without telling those who watch it.
 * What the lookup does not do for an open is done here: permission, and no waiting for a FIFO or a device.
 */
struct file *ckpt_open_unnoticed(const struct path *root, const char *name, int flags)
{
	struct path path;
	struct file *f;
	int ret = vfs_path_lookup(root->dentry, root->mnt, name, 0, &path);

	if (ret)
		return ERR_PTR(ret);
	if (!(flags & O_PATH)) {
		if (flags & O_DIRECTORY ? !d_is_dir(path.dentry) : !d_is_reg(path.dentry))
			ret = -ENOTDIR;
		else
			ret = path_permission(&path, MAY_READ);
	}
	f = ret ? ERR_PTR(ret) : ckpt_dentry_open_nonotify(&path, flags, current_cred());
	path_put(&path);
	return f;
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

/* As fstat(2), with ids of @viewer's user namespace. */
int ckpt_inode_stat(struct file *f, const struct cred *viewer, struct ckpt_inode_stat *out)
{
	struct kstat k;
	int ret = vfs_getattr(&f->f_path, &k, STATX_BASIC_STATS, 0);

	if (ret)
		return ret;
	out->mode = k.mode;
	out->uid = from_kuid(viewer->user_ns, k.uid);
	out->gid = from_kgid(viewer->user_ns, k.gid);
	out->guarded = file_inode(f)->i_flags & (S_IMMUTABLE | S_APPEND);
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

static ssize_t get_acl(struct file *f, const struct cred *viewer, const char *name, void *buf, size_t size)
{
	struct posix_acl *acl = vfs_get_acl(file_mnt_idmap(f), f->f_path.dentry, name);
	size_t length;
	void *text;

	if (IS_ERR_OR_NULL(acl))
		return acl ? PTR_ERR(acl) : -ENODATA;
	text = posix_acl_to_xattr(viewer->user_ns, acl, &length, GFP_KERNEL);
	posix_acl_release(acl);
	if (!text)
		return -ENOMEM;
	if (length <= size)
		memcpy(buf, text, length);
	kfree(text);
	return length <= size ? length : -ERANGE;
}

ssize_t ckpt_get_xattr(struct file *f, const struct cred *viewer, const char *name, void *buf, size_t size)
{
	if (is_posix_acl_xattr(name))
		return get_acl(f, viewer, name, buf, size);
	return vfs_getxattr(file_mnt_idmap(f), f->f_path.dentry, name, buf, size);
}
