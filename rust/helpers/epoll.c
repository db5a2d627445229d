// SPDX-License-Identifier: GPL-2.0

#include <linux/eventpoll.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>

#include "rust/helpers/eventpoll.h"

#include "helpers.h"
#include "symbol.h"

/*
 * What an epoll watches, in its order, with a reference on each file (NULL for one that is just being closed), of which at most @max are
 * given; the number of all. The kernel's own way to a watched file, get_epoll_tfile_raw_ptr(), looks through all items for each of them.
 */
unsigned int ckpt_epoll_items(struct file *epoll, struct ckpt_epoll_item *out, unsigned int max)
{
	struct eventpoll *ep = epoll->private_data;
	struct rb_node *node;
	unsigned int n = 0;

	mutex_lock(&ep->mtx);
	for (node = rb_first_cached(&ep->rbr); node; node = rb_next(node), n++) {
		struct epitem *item = rb_entry(node, struct epitem, rbn);
		struct file *file = item->ffd.file;

		if (n >= max)
			continue;
		out[n].fd = item->ffd.fd;
		out[n].events = (__force u32)item->event.events;
		out[n].data = item->event.data;
		out[n].file = file_ref_get(&file->f_ref) ? file : NULL;
	}
	mutex_unlock(&ep->mtx);
	return n;
}

/* The order of fs/eventpoll.c: ep_cmp_ffd(). */
static int ckpt_epoll_cmp(const void *key, const struct rb_node *node)
{
	const struct epoll_key *a = key, *b = &rb_entry(node, struct epitem, rbn)->ffd;

	if (a->file != b->file)
		return a->file > b->file ? 1 : -1;
	return a->fd - b->fd;
}

/* epoll_ctl(EPOLL_CTL_ADD) of a file that need not be at its descriptor any more. */
int ckpt_epoll_add(struct file *epoll, const struct ckpt_epoll_item *item)
{
	struct epoll_event event = { .events = (__force __poll_t)item->events, .data = item->data };
	struct epoll_key key = { .file = item->file, .fd = item->fd };
	struct eventpoll *ep = epoll->private_data;
	struct rb_node *node;
	int ret;

	ret = ckpt_do_epoll_ctl_file(epoll, EPOLL_CTL_ADD, &key, &event, false);
	if (ret || item->events & (__force u32)(EPOLLERR | EPOLLHUP))
		return ret;
	/* A one-shot item that has fired: not even errors are reported until it is armed again. */
	mutex_lock(&ep->mtx);
	node = rb_find(&key, &ep->rbr.rb_root, ckpt_epoll_cmp);
	if (node)
		rb_entry(node, struct epitem, rbn)->event.events = (__force __poll_t)item->events;
	mutex_unlock(&ep->mtx);
	return 0;
}
