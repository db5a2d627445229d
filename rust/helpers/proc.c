// SPDX-License-Identifier: GPL-2.0

#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/pid.h>
#include <linux/proc_fs.h>
/* 0 in modules, which the private header does not expect of its readers. */
#define PROC_ENTRY_PERMANENT 1
#include "fs/proc/internal.h"
#undef PROC_ENTRY_PERMANENT

#include "helpers.h"
#include "symbol.h"

/* Whether a file is one of /proc. */
bool ckpt_is_proc(struct file *f)
{
	return file_inode(f)->i_sb->s_magic == PROC_SUPER_MAGIC;
}

/* The path of a file of /proc below that, in the mount in which it was opened. */
char *ckpt_proc_path(struct file *f, char *buf, int size)
{
	const struct path root = { .mnt = f->f_path.mnt, .dentry = f->f_path.mnt->mnt_sb->s_root };

	return root.mnt->mnt_root == root.dentry ? ckpt___d_path(&f->f_path, &root, buf, size) : NULL;
}

/* The path of /proc itself as seen from @from; NULL when it cannot be reached from there. */
char *ckpt_proc_root(struct file *f, const struct path *from, char *buf, int size)
{
	const struct path root = { .mnt = f->f_path.mnt, .dentry = f->f_path.mnt->mnt_root };

	return ckpt___d_path(&root, from, buf, size);
}

/* The task with this number in the pid namespace of a file of /proc, with a reference; NULL when there is none. */
struct task_struct *ckpt_proc_task(struct file *f, int number)
{
	return ckpt_task_in(proc_pid_ns(file_inode(f)->i_sb), number);
}

/* The number of a task in the pid namespace of a file of /proc; 0 when it has none there. */
int ckpt_proc_number(struct file *f, struct task_struct *t)
{
	return task_pid_nr_ns(t, proc_pid_ns(file_inode(f)->i_sb));
}

/* Whether a file of /proc belongs to no task, or to this one. */
bool ckpt_proc_is_of(struct file *f, struct task_struct *t)
{
	struct pid *pid = proc_pid(file_inode(f));
	bool is_of;

	rcu_read_lock();
	is_of = !pid || pid_task(pid, PIDTYPE_PID) == t;
	rcu_read_unlock();
	return is_of;
}
