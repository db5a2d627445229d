// SPDX-License-Identifier: GPL-2.0

#include <linux/backing-dev.h>
#include <linux/bvec.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/freezer.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/hugetlb.h>
#include <linux/kdev_t.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/path.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/shmem_fs.h>
#include <linux/uio.h>

#include "helpers.h"
#include "mount.h"
#include "symbol.h"

/* The name of its operations, as `kmsg_fops` or `fb_fops [fb]`: that is its driver. Printed to the end of the buffer; where it begins. */
char *ckpt_file_driver(const struct file *f, char *buf, int size)
{
	char name[KSYM_SYMBOL_LEN];
	int length = snprintf(name, sizeof(name), "%ps", f->f_op);

	if (length >= (int)sizeof(name) || length >= size)
		return ERR_PTR(-ENAMETOOLONG);
	return memcpy(buf + size - length - 1, name, length + 1);
}

/*
 * What /proc/PID/fdinfo says about the file besides what it says about every file. Returns the number of bytes, @size when they
 * do not fit.
 */
size_t ckpt_fdinfo(struct file *f, char *out, size_t size)
{
	struct seq_file m = { .buf = out, .size = size };

	if (f->f_op->show_fdinfo)
		f->f_op->show_fdinfo(&m, f);
	return m.count;
}

struct file *ckpt_get_file(struct file *f)
{
	return get_file(f);
}

/*
 * Collects open descriptors from number @from on into @out, at most @max of them, each with a reference to its file.
 * Returns how many; *next is where to go on, or 0 at the end of the table. -ESRCH when the task has no table any more.
 */
int ckpt_collect_fds(struct task_struct *t, unsigned int from, struct ckpt_fd *out, unsigned int max,
		     unsigned int *next)
{
	struct files_struct *files;
	struct fdtable *fdt;
	unsigned int fd;
	int n = 0;

	*next = 0;
	task_lock(t);
	files = t->files;
	if (!files) {
		task_unlock(t);
		return -ESRCH;
	}
	spin_lock(&files->file_lock);
	fdt = files_fdtable(files);
	for (fd = from; fd < fdt->max_fds; fd++) {
		struct file *file = rcu_dereference_check_fdtable(files, fdt->fd[fd]);

		if (!file)
			continue;
		if (n == max) {
			*next = fd;
			break;
		}
		out[n].fd = fd;
		out[n].cloexec = close_on_exec(fd, files);
		out[n].file = get_file(file);
		n++;
	}
	spin_unlock(&files->file_lock);
	task_unlock(t);
	return n;
}

/* Who else uses the descriptor table, the fs_struct or the address space: counts, 0 when it is gone. */
void ckpt_sharing(struct task_struct *t, struct ckpt_sharing *out)
{
	task_lock(t);
	out->files = t->files ? atomic_read(&t->files->count) : 0;
	out->fs = t->fs ? t->fs->users : 0;
	out->sighand = 0;
	rcu_read_lock();
	if (rcu_dereference(t->sighand))
		out->sighand = refcount_read(&rcu_dereference(t->sighand)->count);
	rcu_read_unlock();
	task_unlock(t);
}

/* Exchanges the caller's working directory, with its reference. Unlike fchdir(2) it can always be had back. */
void ckpt_swap_pwd(struct path *path)
{
	struct fs_struct *fs = current->fs;

	write_seqlock(&fs->seq);
	swap(fs->pwd, *path);
	write_sequnlock(&fs->seq);
}

int ckpt_get_fs(struct task_struct *t, struct path *root, struct path *pwd, int *umask)
{
	int ret = -ESRCH;

	task_lock(t);
	if (t->fs) {
		read_seqlock_excl(&t->fs->seq);
		*root = t->fs->root;
		path_get(root);
		*pwd = t->fs->pwd;
		path_get(pwd);
		*umask = t->fs->umask;
		read_sequnlock_excl(&t->fs->seq);
		ret = 0;
	}
	task_unlock(t);
	return ret;
}

/* As whoever has it mapped has opened it: what is mapped of an overlay is a file of a layer. */
const struct path *ckpt_file_path(const struct file *f)
{
	return file_user_path(f);
}

/* The same for its flags; those of a layer are opened with one more. */
unsigned int ckpt_file_flags(const struct file *f)
{
	return f->f_mode & FMODE_BACKING ? f->f_flags & ~O_NOATIME : f->f_flags;
}

bool ckpt_path_unlinked(const struct path *p)
{
	return d_unlinked(p->dentry);
}

/*
 * Whether something may be mounted over the file or over a directory on the way to it: one of them is a mount point, apart from those
 * of the mounts that the way itself goes through. Costs much less than to look the path up. Of a file that has another name only, the way
 * is not known.
 */
bool ckpt_may_be_covered(struct file *f)
{
	struct dentry *dentry = file_user_path(f)->dentry;
	struct mount *mnt = real_mount(file_user_path(f)->mnt);
	bool found = false;

	if (d_unlinked(dentry))
		return true;
	rcu_read_lock();
	while (!(found = d_mountpoint(dentry))) {
		while (dentry == mnt->mnt.mnt_root) {
			struct mount *parent = READ_ONCE(mnt->mnt_parent);

			if (parent == mnt)
				goto out;
			/* What it is mounted on is a mount point because of it. */
			dentry = READ_ONCE(mnt->mnt_mountpoint);
			mnt = parent;
		}
		if (IS_ROOT(dentry))
			break;
		dentry = READ_ONCE(dentry->d_parent);
	}
out:
	rcu_read_unlock();
	return found;
}

/*
 * What a path, as __d_path() prints it, leads to from @root by the names and mounts that the kernel knows, with references; false when
 * it leads to nothing. No file system is asked: its server may be a task that stands still.
 */
bool ckpt_find_known(const struct path *root, const char *name, struct path *found)
{
	*found = *root;
	path_get(found);
	while (*(name += strspn(name, "/"))) {
		struct qstr part = QSTR_INIT(name, strcspn(name, "/"));
		struct dentry *next = ckpt_d_hash_and_lookup(found->dentry, &part);

		if (IS_ERR_OR_NULL(next)) {
			path_put(found);
			return false;
		}
		dput(found->dentry);
		found->dentry = next;
		while (follow_down_one(found))
			;
		name += part.len;
	}
	return true;
}

/* Whether the name is, from @root, that of something else than the file, since a mount covers it. */
bool ckpt_leads_elsewhere(const struct path *root, const char *name, struct file *f)
{
	struct path found;
	bool other;

	if (!ckpt_find_known(root, name, &found))
		return true;
	other = d_inode(found.dentry) != file_user_inode(f);
	path_put(&found);
	return other;
}

/* As posix_fadvise(2) has set it. */
unsigned int ckpt_file_advice(struct file *f)
{
	unsigned int ra = inode_to_bdi(f->f_mapping->host)->ra_pages;

	return (f->f_mode & FMODE_RANDOM ? CKPT_ADVICE_RANDOM : 0) |
	       (f->f_mode & FMODE_NOREUSE ? CKPT_ADVICE_NOREUSE : 0) |
	       (ra && f->f_ra.ra_pages == 2 * ra ? CKPT_ADVICE_SEQUENTIAL : 0);
}

u32 ckpt_file_generation(struct file *f)
{
	return file_user_inode(f)->i_generation;
}

/* What has no directory at all: the kernel's own tmpfs, and its like. */
static enum ckpt_nameless ckpt_nowhere(struct file *f)
{
	struct super_block *sb = file_inode(f)->i_sb;
	bool memfd = !strncmp(f->f_path.dentry->d_name.name, "memfd:", 6);

	if (sb->s_magic == SECRETMEM_MAGIC)
		return CKPT_NAMELESS_SECRET;
	/* Users cannot mount it, so the name is the kernel's. What is mounted of hugetlbfs has only files that are in a directory. */
	if (memfd && (is_file_hugepages(f) || (shmem_file(f) && sb->s_flags & SB_NOUSER)))
		return CKPT_NAMELESS_MEMFD;
	return CKPT_NAMELESS_NOT;
}

/*
 * Whether a name that the kernel remembers is true: no server, and no other machine, can have changed it meanwhile. A name that is to be asked
 * for again at each use is none.
 */
static bool is_true_name(const struct dentry *dentry)
{
	struct super_block *sb = dentry->d_sb;

	switch (sb->s_magic) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
		return true;
	case FUSE_SUPER_MAGIC:
		return false;
	default:
		return sb->s_type->fs_flags & FS_REQUIRES_DEV && !(dentry->d_flags & DCACHE_OP_REVALIDATE);
	}
}

/* Size of the pages of a file of hugetlbfs, as a power of two; 0 for other files. */
unsigned int ckpt_file_huge_shift(struct file *f)
{
	return is_file_hugepages(f) ? huge_page_shift(hstate_file(f)) : 0;
}

/* Where the first page is that a file of hugetlbfs has in [start, end), as SEEK_DATA; -ENXIO without one. */
long ckpt_file_huge_data(struct file *f, u64 start, u64 end)
{
	pgoff_t index = start >> PAGE_SHIFT;
	struct folio_batch found;
	unsigned int i, n;
	long data = -ENXIO;

	folio_batch_init(&found);
	n = filemap_get_folios(f->f_mapping, &index, (end - 1) >> PAGE_SHIFT, &found);
	if (n)
		data = max_t(u64, start, folio_pos(found.folios[0]));
	for (i = 0; i < n; i++)
		folio_put(found.folios[i]);
	return data;
}

/*
 * Whether it is what mmap(MAP_ANONYMOUS | MAP_HUGETLB) has made. It is in no directory, so the name is the kernel's; that of a memfd or
 * of a System V segment begins otherwise.
 */
bool ckpt_file_is_anon_huge(struct file *f)
{
	struct dentry *dentry = f->f_path.dentry;

	return is_file_hugepages(f) && IS_ROOT(dentry) && !strcmp(dentry->d_name.name, HUGETLB_ANON_FILE);
}

/*
 * Another name of a file whose own has been removed, if the kernel remembers it, as it does for a while after it has been used: sem_open(3)
 * links what it has made to its name. With references.
 */
bool ckpt_other_name(struct file *f, struct path *out)
{
	struct inode *inode = f->f_inode;
	struct dentry *alias;

	if (f->f_mode & FMODE_BACKING || !S_ISREG(inode->i_mode) || !inode->i_nlink || !d_unlinked(f->f_path.dentry))
		return false;
	alias = d_find_alias(inode);
	if (!alias)
		return false;
	if (d_unlinked(alias) || !is_true_name(alias)) {
		dput(alias);
		return false;
	}
	out->mnt = mntget(f->f_path.mnt);
	out->dentry = alias;
	return true;
}

/* Whether a regular file has other names, but not that by which it was opened. */
bool ckpt_lost_name(struct file *f)
{
	return S_ISREG(file_user_inode(f)->i_mode) && file_user_inode(f)->i_nlink && d_unlinked(file_user_path(f)->dentry);
}

/* Of a regular file. */
static bool has_other_name(struct file *f)
{
	struct path path;
	bool has = ckpt_other_name(f, &path);

	if (has)
		path_put(&path);
	return has;
}

enum ckpt_nameless ckpt_file_nameless(struct file *f)
{
	struct dentry *dentry = f->f_path.dentry, *parent;
	enum ckpt_nameless found = CKPT_NAMELESS_DELETED;
	struct inode *inode = file_inode(f);

	if (!S_ISREG(inode->i_mode))
		return CKPT_NAMELESS_NOT;
	if (f->f_mode & FMODE_BACKING)
		return d_unlinked(file_user_path(f)->dentry) ? CKPT_NAMELESS_LAYER : CKPT_NAMELESS_NOT;
	/* Its name does not change, since it is in no directory. */
	if (IS_ROOT(dentry))
		return ckpt_nowhere(f);
	if (dentry->d_flags & DCACHE_NFSFS_RENAMED)
		return CKPT_NAMELESS_RENAMED;
	if (!d_unlinked(dentry))
		return CKPT_NAMELESS_NOT;
	if (inode->i_nlink)
		return has_other_name(f) ? CKPT_NAMELESS_NOT : CKPT_NAMELESS_LINKED;
	if (inode_state_read_once(inode) & I_LINKABLE)
		found = CKPT_NAMELESS_LINKABLE;
	parent = dget_parent(dentry);
	if (d_unlinked(parent))
		found = CKPT_NAMELESS_HOMELESS;
	else if (!d_inode(parent)->i_op->tmpfile)
		found = CKPT_NAMELESS_UNIQUE;
	dput(parent);
	return found;
}

/* Open files of the inode of a file without a name, each of which holds its dentry; who looks at one counts for a moment. */
unsigned long ckpt_inode_users(struct file *f)
{
	struct inode *inode = file_inode(f);
	struct dentry *dentry;
	unsigned long sum = 0;

	spin_lock(&inode->i_lock);
	for_each_alias(dentry, inode)
		sum += d_count(dentry);
	spin_unlock(&inode->i_lock);
	return sum;
}

/* As fcntl(F_GET_SEALS), of a memfd. */
unsigned int ckpt_memfd_seals(struct file *f)
{
#ifdef CONFIG_HUGETLBFS
	if (is_file_hugepages(f))
		return READ_ONCE(HUGETLBFS_I(file_inode(f))->seals);
#endif
	return READ_ONCE(SHMEM_I(file_inode(f))->seals);
}

/* Whether the caller may open it for reading by /proc. */
bool ckpt_file_may_read(struct file *f)
{
	return !file_permission(f, MAY_READ);
}

size_t ckpt_file_references(struct file *f)
{
	return file_count(f);
}

/* As prctl(PR_SET_MM_EXE_FILE) checks it. */
bool ckpt_file_may_execute(struct file *f)
{
	return S_ISREG(file_inode(f)->i_mode) && !(f->f_path.mnt->mnt_flags & MNT_NOEXEC) &&
	       !file_permission(f, MAY_EXEC);
}

unsigned int ckpt_file_mode(struct file *f)
{
	return file_inode(f)->i_mode;
}

/* Encodes a kernel dev_t as stat(2) returns it. */
u64 ckpt_encode_dev(dev_t dev)
{
	return new_encode_dev(dev);
}

loff_t ckpt_file_pos(struct file *f)
{
	return f->f_pos;
}

void ckpt_set_file_pos(struct file *f, loff_t pos)
{
	f->f_pos = pos;
}

/* Whether lseek(2) or pread(2) can get to an offset. */
bool ckpt_can_have_pos(struct file *f, loff_t pos)
{
	if (pos < 0)
		return f->f_op->fop_flags & FOP_UNSIGNED_OFFSET;
	/* No other call takes one of a directory, and not every directory looks at what it gets. */
	return !S_ISDIR(file_inode(f)->i_mode) || pos <= file_inode(f)->i_sb->s_maxbytes;
}

/*
 * Whether a regular file has contents: those of proc, sysfs and their kin are made when they are read. Sysfs, the cgroups and configfs
 * have the operations of ramfs, although nothing is in their page cache.
 */
bool ckpt_file_has_contents(struct file *f)
{
	const struct address_space_operations *ops = f->f_mapping->a_ops;

	return ops != &empty_aops && (ops != &ram_aops || file_inode(f)->i_sb->s_magic == RAMFS_MAGIC);
}

/* Whether read(2) and write(2) exist for it: hugetlbfs is only mapped. */
bool ckpt_file_transfers(struct file *f)
{
	const struct file_operations *ops = f->f_op;

	return (ops->read_iter || ops->read) && (ops->write_iter || ops->write);
}

bool ckpt_file_is_stream(struct file *f)
{
	return f->f_mode & FMODE_STREAM || S_ISFIFO(file_inode(f)->i_mode) || S_ISSOCK(file_inode(f)->i_mode);
}

unsigned int ckpt_file_fmode(struct file *f)
{
	return (__force unsigned int)f->f_mode;
}

/*
 * Whether a transfer that ended with @ret is to be tried again: the freezer of a suspend has interrupted it, not a signal. Sleeps for as
 * long as the system does. What says that by itself, as the server of a file system can, would say it for ever.
 */
static bool only_slept(ssize_t ret)
{
	if (ret != -EINTR && !(ret <= -ERESTARTSYS && ret >= -ERESTART_RESTARTBLOCK))
		return false;
	if (!signal_pending(current))
		return false;
	try_to_freeze();
	spin_lock_irq(&current->sighand->siglock);
	recalc_sigpending();
	spin_unlock_irq(&current->sighand->siglock);
	return !signal_pending(current);
}

/* As kernel_write(), also for files that have both kinds of write operations (/dev/null). pos NULL: a stream. */
ssize_t ckpt_write(struct file *f, const void *bytes, size_t len, loff_t *pos)
{
	struct kvec kvec = { .iov_base = (void *)bytes, .iov_len = len };
	struct iov_iter iter;
	ssize_t ret;

	do {
		iov_iter_kvec(&iter, ITER_SOURCE, &kvec, 1, len);
		ret = vfs_iter_write(f, &iter, pos, 0);
	} while (only_slept(ret));
	return ret;
}

ssize_t ckpt_read(struct file *f, void *bytes, size_t len, loff_t *pos)
{
	ssize_t ret;

	do {
		ret = kernel_read(f, bytes, len, pos);
	} while (only_slept(ret));
	return ret;
}

/* Writes (or reads) all of the vector; a short count is the caller's business. pos NULL: a stream. */
ssize_t ckpt_iter_bvec(struct file *f, bool write, struct bio_vec *bvec, unsigned long nr, size_t len, loff_t *pos)
{
	struct iov_iter iter;
	ssize_t ret;

	do {
		iov_iter_bvec(&iter, write ? ITER_SOURCE : ITER_DEST, bvec, nr, len);
		ret = write ? vfs_iter_write(f, &iter, pos, 0) : vfs_iter_read(f, &iter, pos, 0);
	} while (only_slept(ret));
	return ret;
}
