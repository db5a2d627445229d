// SPDX-License-Identifier: GPL-2.0

#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/pipe_fs_i.h>

#include "helpers.h"

struct pipe_inode_info *ckpt_file_pipe(struct file *f)
{
	struct inode *inode = file_inode(f);

	/* Without O_PATH an open file keeps it. */
	return S_ISFIFO(inode->i_mode) && !(f->f_mode & FMODE_PATH) ? inode->i_pipe : NULL;
}

/* Whether the pipe behind the file has a name in a file system. */
bool ckpt_file_is_named_pipe(struct file *f)
{
	return file_inode(f)->i_sb->s_magic != PIPEFS_MAGIC;
}

/* -EINTR when a fatal signal came: a writer may sit on the lock in a page fault for long. */
int ckpt_pipe_state(struct pipe_inode_info *pipe, struct ckpt_pipe_state *out)
{
	unsigned int i;

	if (mutex_lock_killable(&pipe->mutex))
		return -EINTR;
	out->readers = pipe->readers;
	out->writers = pipe->writers;
	out->capacity = pipe->max_usage << PAGE_SHIFT;
	out->watch_queue = pipe_has_watch_queue(pipe);
	out->content = 0;
	for (i = pipe->tail; i != pipe->head; i++)
		out->content += pipe_buf(pipe, i)->len;
	mutex_unlock(&pipe->mutex);
	return 0;
}

/* Copies what waits, without taking it out; the bytes copied, at most @len. */
ssize_t ckpt_pipe_copy(struct pipe_inode_info *pipe, void *out, size_t len)
{
	size_t done = 0;
	ssize_t ret = 0;
	unsigned int i;

	if (mutex_lock_killable(&pipe->mutex))
		return -EINTR;
	for (i = pipe->tail; i != pipe->head && done < len; i++) {
		struct pipe_buffer *buf = pipe_buf(pipe, i);
		size_t n = min_t(size_t, buf->len, len - done);

		ret = pipe_buf_confirm(pipe, buf);
		if (ret)
			break;
		/* Spliced from a socket, a buffer may be longer than its first page. */
		memcpy(out + done, page_address(buf->page) + buf->offset, n);
		done += n;
	}
	mutex_unlock(&pipe->mutex);
	return ret ?: done;
}
