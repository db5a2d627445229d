// SPDX-License-Identifier: GPL-2.0

#include <linux/cred.h>
#include <linux/lsm_hooks.h>

/*
 * Landlock's private structures, from the source that the running kernel was built from, with its configuration: a module
 * loads into that release only. A structure that changes breaks the build, or shows as a domain that contradicts itself
 * (-EUCLEAN below) or that is not the saved one after a restart.
 */
#include "security/landlock/cred.h"
#include "security/landlock/fs.h"

#include "helpers.h"
#include "symbol.h"

/* Where Landlock's part of a security blob begins; NULL where Landlock is not active. */
static const struct lsm_blob_sizes *ckpt_landlock_blobs(void)
{
	const bool *initialized = (void *)ckpt_address[CKPT_ADDRESS_landlock_initialized];

	if (!initialized || !*initialized)
		return NULL;
	return (void *)ckpt_address[CKPT_ADDRESS_landlock_blob_sizes];
}

static struct landlock_cred_security *ckpt_landlock_cred(const struct cred *cred)
{
	const struct lsm_blob_sizes *blobs = ckpt_landlock_blobs();

	return blobs && cred->security ? cred->security + blobs->lbs_cred : NULL;
}

/*
 * The layers of the domain of cred, the oldest first; their number. Domains do not change, and live as long as the cred.
 * -EUCLEAN when the domain is none that Landlock makes.
 */
int ckpt_landlock_layers(const struct cred *cred, struct ckpt_landlock_layer *out)
{
	const struct landlock_cred_security *subject = ckpt_landlock_cred(cred);
	const struct landlock_domain *domain = subject ? subject->domain : NULL;
	const struct landlock_hierarchy *node;
	unsigned int i;

	BUILD_BUG_ON(CKPT_LANDLOCK_LAYERS != LANDLOCK_MAX_NUM_LAYERS);
	if (!domain)
		return 0;
	if (domain->num_layers > LANDLOCK_MAX_NUM_LAYERS)
		return -EUCLEAN;
	i = domain->num_layers;
	for (node = domain->hierarchy; node && i > 0; node = node->parent) {
		const struct access_masks handled = domain->handled_masks[--i];
		struct ckpt_landlock_layer *layer = &out[i];

		*layer = (struct ckpt_landlock_layer){
			.node = (unsigned long)node,
			.handled_access_fs = handled.fs,
			.handled_access_net = handled.net,
			.scoped = handled.scope,
		};
#ifdef CONFIG_SECURITY_LANDLOCK_LOG
		layer->quiet_access_fs = node->quiet_masks.fs;
		layer->quiet_access_net = node->quiet_masks.net;
		layer->quiet_scoped = node->quiet_masks.scope;
		/*
		 * A layer from before the last execve logs by log_new_exec for good. Enforced again it counts as one of
		 * the program that runs, so that goes for both.
		 */
		if (!(subject->domain_exec & BIT(i) ? node->log_same_exec : node->log_new_exec))
			layer->flags |= LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF;
		if (node->log_new_exec)
			layer->flags |= LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON;
		layer->subdomains_off = READ_ONCE(node->log_status) == LANDLOCK_LOG_DISABLED &&
					(node->log_same_exec || node->log_new_exec);
#endif
	}
	return i || node ? -EUCLEAN : domain->num_layers;
}

/* Whether the domain of cred has rules: exceptions for paths or ports. */
bool ckpt_landlock_has_rules(const struct cred *cred)
{
	const struct landlock_cred_security *subject = ckpt_landlock_cred(cred);
	const struct landlock_domain *domain = subject ? subject->domain : NULL;

	if (!domain)
		return false;
#if IS_ENABLED(CONFIG_INET)
	if (!RB_EMPTY_ROOT(&domain->rules.root_net_port))
		return true;
#endif
	return domain->rules.num_rules || !RB_EMPTY_ROOT(&domain->rules.root_inode);
}

/* Whether denials by layers that are still to come will not be logged. */
bool ckpt_landlock_subdomains_off(const struct cred *cred)
{
#ifdef CONFIG_SECURITY_LANDLOCK_LOG
	const struct landlock_cred_security *subject = ckpt_landlock_cred(cred);

	return subject && subject->log_subdomains_off;
#else
	return false;
#endif
}

/*
 * Gives the caller the domain of theirs in place of its own, if its own is the same once more: the youngest layer enforced
 * again on the very domain that theirs was enforced on, with the same masks. Whether it was; -errno.
 */
int ckpt_landlock_share(const struct cred *theirs)
{
	const struct landlock_domain *domain, *other;
	struct landlock_cred_security *subject;
	struct cred *new;
	bool same = false;

	/* Who acts with others for a moment may commit none: the kernel would stop. */
	if (current_cred() != current_real_cred())
		return -EBUSY;
	new = prepare_creds();
	if (!new)
		return -ENOMEM;
	subject = ckpt_landlock_cred(new);
	domain = subject ? subject->domain : NULL;
	other = subject ? ckpt_landlock_cred(theirs)->domain : NULL;
	if (domain && other && domain != other)
		same = domain->hierarchy->parent == other->hierarchy->parent &&
		       domain->num_layers == other->num_layers &&
		       domain->rules.num_rules == other->rules.num_rules &&
		       !memcmp(domain->handled_masks, other->handled_masks,
			       flex_array_size(domain, handled_masks, domain->num_layers));
	if (!same) {
		abort_creds(new);
		return 0;
	}
	/* As landlock_cred_copy(). Not the last count of the own domain: the credentials in force have one. */
	refcount_inc(&ckpt_landlock_cred(theirs)->domain->usage);
	refcount_dec(&subject->domain->usage);
	subject->domain = ckpt_landlock_cred(theirs)->domain;
	commit_creds(new);
	return 1;
}

/* LANDLOCK_ACCESS_FS_TRUNCATE and _IOCTL_DEV, as far as Landlock denies them to an open file for which they mean something. */
u64 ckpt_landlock_denied(const struct file *f)
{
	const struct lsm_blob_sizes *blobs = ckpt_landlock_blobs();
	const struct landlock_file_security *file;
	umode_t mode = file_inode(f)->i_mode;
	u64 denied = 0;

	if (!blobs || !f->f_security)
		return 0;
	file = f->f_security + blobs->lbs_file;
	if (S_ISREG(mode) && f->f_mode & FMODE_WRITE)
		denied |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (S_ISCHR(mode) || S_ISBLK(mode))
		denied |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
	return denied & ~(u64)file->allowed_access;
}
