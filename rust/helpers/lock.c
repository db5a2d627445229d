// SPDX-License-Identifier: GPL-2.0

#include <linux/file.h>
#include <linux/filelock.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/sched/task.h>

#include "helpers.h"

static const struct files_struct *table_of(struct task_struct *t)
{
	const struct files_struct *files;

	task_lock(t);
	files = t->files;
	task_unlock(t);
	return files;
}

/* A lock of fcntl(2) that this open file holds (F_OFD_SETLK), or that was taken through it for the table (F_SETLK). */
static bool is_held(const struct file_lock_core *flc, const struct file *f, const struct files_struct *files)
{
	return flc->flc_file == f && (files ? flc->flc_owner == files : flc->flc_owner == f);
}

static unsigned int lock_type(const struct file_lock_core *flc)
{
	return flc->flc_type == F_WRLCK ? F_WRLCK : F_RDLCK;
}

/* What is held through this open file, or through it by the descriptor table of the task. */
void ckpt_file_locks(struct file *f, struct task_struct *t, struct ckpt_file_locks *out)
{
	struct file_lock_context *ctx = locks_inode_context(file_inode(f));
	const struct files_struct *files;
	struct file_lock_core *flc;

	*out = (struct ckpt_file_locks){};
	if (!ctx)
		return;
	files = table_of(t);
	spin_lock(&ctx->flc_lock);
	list_for_each_entry(flc, &ctx->flc_flock, flc_list)
		if (flc->flc_file == f)
			out->flock = flc->flc_type == F_WRLCK ? LOCK_EX : LOCK_SH;
	list_for_each_entry(flc, &ctx->flc_posix, flc_list) {
		out->of_file += is_held(flc, f, NULL);
		out->of_table += files && is_held(flc, f, files);
	}
	list_for_each_entry(flc, &ctx->flc_lease, flc_list) {
		if (flc->flc_file != f)
			continue;
		if (!(flc->flc_flags & FL_LEASE))
			out->lease = CKPT_LEASE_OTHER;
		else if (flc->flc_flags & (FL_UNLOCK_PENDING | FL_DOWNGRADE_PENDING))
			out->lease = CKPT_LEASE_BREAKING;
		else
			out->lease = flc->flc_type == F_WRLCK ? CKPT_LEASE_WRITE : CKPT_LEASE_READ;
	}
	spin_unlock(&ctx->flc_lock);
}

/*
 * Ranges of the locks of fcntl(2) that the open file holds; with a task, those that its descriptor table holds through the file. At
 * most @max are stored; returns how many there are.
 */
unsigned int ckpt_lock_ranges(struct file *f, struct task_struct *t, struct ckpt_lock_range *out, unsigned int max)
{
	struct file_lock_context *ctx = locks_inode_context(file_inode(f));
	const struct files_struct *files = NULL;
	struct file_lock *fl;
	unsigned int n = 0;

	if (t)
		files = table_of(t);
	if (!ctx || (t && !files))
		return 0;
	spin_lock(&ctx->flc_lock);
	list_for_each_entry(fl, &ctx->flc_posix, c.flc_list) {
		if (!is_held(&fl->c, f, files))
			continue;
		if (n < max) {
			out[n].start = fl->fl_start;
			/* As fcntl(2) has it: 0 up to the end, however far that moves. */
			out[n].len = fl->fl_end == OFFSET_MAX ? 0 : fl->fl_end - fl->fl_start + 1;
			out[n].type = lock_type(&fl->c);
		}
		n++;
	}
	spin_unlock(&ctx->flc_lock);
	return n;
}

/* Takes a descriptor of the caller away without close(2), which would release the locks that its table has on the file. */
void ckpt_take_fd_away(unsigned int fd)
{
	struct file *f = file_close_fd(fd);

	if (f)
		fput(f);
}
