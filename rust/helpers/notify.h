/* SPDX-License-Identifier: GPL-2.0 */

/* What inotify and fanotify have in common. */

#ifndef CKPT_NOTIFY_H
#define CKPT_NOTIFY_H

#include <linux/fsnotify_backend.h>

struct ckpt_mark;

typedef void ckpt_describe_mark(struct fsnotify_mark *mark, struct ckpt_mark *out);

unsigned int ckpt_marks(struct file *f, struct ckpt_mark *out, unsigned int max, ckpt_describe_mark *describe);
void ckpt_forget_events(struct fsnotify_group *group, unsigned int keep, void (*forget)(struct fsnotify_event *event));

#endif
