// SPDX-License-Identifier: GPL-2.0

#include <linux/fs.h>
#include <linux/userfaultfd_k.h>
#include <linux/wait.h>

#include "helpers.h"

/* As UFFD_FEATURE_INITIALIZED in mm/userfaultfd.c. */
#define CKPT_UFFD_INITIALIZED (1u << 31)

/* Address of the address space that a userfaultfd watches. */
unsigned long ckpt_userfaultfd_mm(struct file *f)
{
	return (unsigned long)((struct userfaultfd_ctx *)f->private_data)->mm;
}

/* Whether a fault or an event waits to be read or answered. */
bool ckpt_userfaultfd_busy(struct file *f)
{
	struct userfaultfd_ctx *ctx = f->private_data;

	return waitqueue_active(&ctx->fault_pending_wqh) || waitqueue_active(&ctx->fault_wqh) ||
	       waitqueue_active(&ctx->event_wqh) || atomic_read(&ctx->mmap_changing);
}

/* What userfaultfd(2) was called with. */
unsigned int ckpt_userfaultfd_flags(struct file *f)
{
	return ((struct userfaultfd_ctx *)f->private_data)->flags;
}

/* What UFFDIO_API was called with; false when it was not. */
bool ckpt_userfaultfd_features(struct file *f, unsigned int *features)
{
	unsigned int now = READ_ONCE(((struct userfaultfd_ctx *)f->private_data)->features);

	*features = now & ~CKPT_UFFD_INITIALIZED;
	return now & CKPT_UFFD_INITIALIZED;
}
