// SPDX-License-Identifier: GPL-2.0

#include <linux/cred.h>
#include <linux/key.h>
#include <linux/user_namespace.h>

#include "helpers.h"

const struct cred *ckpt_current_cred(void)
{
	return current_cred();
}

const struct cred *ckpt_get_current_cred(void)
{
	return get_current_cred();
}

void ckpt_put_cred(const struct cred *cred)
{
	put_cred(cred);
}

/* Gives the caller back credentials that it had, both the objective and the subjective ones. */
void ckpt_revert_creds(const struct cred *cred)
{
	commit_creds((struct cred *)get_cred(cred));
}

/* Credentials that are never in force, to ask what a user namespace calls a user or group; NULL without memory. */
const struct cred *ckpt_viewer_in(struct user_namespace *ns)
{
	struct cred *new = prepare_creds();

	if (new) {
		put_user_ns(new->user_ns);
		new->user_ns = get_user_ns(ns);
	}
	return new;
}

/* What @viewer calls a user or group of the initial user namespace; -1 when it has no name for that. */
u32 ckpt_id_seen(const struct cred *viewer, u32 id, bool group)
{
	if (group)
		return from_kgid(viewer->user_ns, KGIDT_INIT(id));
	return from_kuid(viewer->user_ns, KUIDT_INIT(id));
}

/*
 * Gives the calling task the session keyring of another one of the same restart. No right is looked at: that one has made it, for
 * both.
 */
int ckpt_share_session_keyring(struct task_struct *from)
{
	struct cred *new;
	struct key *old;

	/* Who acts with others for a moment may commit none: the kernel would stop. */
	if (current_cred() != current_real_cred())
		return -EBUSY;
	new = prepare_creds();
	if (!new)
		return -ENOMEM;
	old = new->session_keyring;
	rcu_read_lock();
	new->session_keyring = key_get(__task_cred(from)->session_keyring);
	rcu_read_unlock();
	key_put(old);
	return commit_creds(new);
}

/*
 * Has the calling task act without a capability until ckpt_act_as_before(), which takes what this returns: NULL when there is no memory.
 * No credentials may be committed meanwhile.
 */
const struct cred *ckpt_act_without(int cap)
{
	struct cred *new = prepare_creds();

	if (!new)
		return NULL;
	cap_lower(new->cap_effective, cap);
	return override_creds(new);
}

/* Ends what ckpt_act_without() or ckpt_act_in_user_ns() has begun. */
void ckpt_act_as_before(const struct cred *old)
{
	put_cred(revert_creds(old));
}
