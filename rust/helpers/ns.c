// SPDX-License-Identifier: GPL-2.0

#include <linux/cred.h>
#include <linux/fs_struct.h>
#include <linux/ipc_namespace.h>
#include <linux/mnt_namespace.h>
#include <linux/msg.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
#include <linux/key.h>
#include <linux/proc_ns.h>
#include <linux/sched/signal.h>
#include <linux/securebits.h>
#include <linux/time_namespace.h>
#include <linux/user_namespace.h>
#include <linux/utsname.h>
#include <net/net_namespace.h>

#include "ipc/util.h"

#include "helpers.h"
#include "mount.h"
#include "symbol.h"

/* The namespaces that the task lives in, with a reference; NULL when it has exited. */
struct nsproxy *ckpt_get_nsproxy(struct task_struct *t)
{
	struct nsproxy *ns;

	task_lock(t);
	ns = t->nsproxy;
	if (ns)
		get_nsproxy(ns);
	task_unlock(t);
	return ns;
}

void ckpt_put_nsproxy(struct nsproxy *ns)
{
	if (refcount_dec_and_test(&ns->count))
		ckpt_deactivate_nsproxy(ns);
}

/* One namespace of the set. */
const void *ckpt_namespace(struct nsproxy *ns, enum ckpt_ns_kind kind)
{
	switch (kind) {
	case CKPT_NS_UTS:
		return ns->uts_ns;
	case CKPT_NS_IPC:
		return ns->ipc_ns;
	case CKPT_NS_MNT:
		return ns->mnt_ns;
	case CKPT_NS_NET:
		return ns->net_ns;
	case CKPT_NS_CGROUP:
		return ns->cgroup_ns;
	case CKPT_NS_TIME:
		return ns->time_ns;
	case CKPT_NS_TIME_FOR_CHILDREN:
		return ns->time_ns_for_children;
	case CKPT_NS_PID_FOR_CHILDREN:
		return ns->pid_ns_for_children;
	default:
		return NULL;
	}
}

static bool lives_in(struct task_struct *t, const void *namespace, enum ckpt_ns_kind kind)
{
	bool lives;

	if (kind == CKPT_NS_USER)
		return !t->exit_state && __task_cred(t)->user_ns == namespace;
	task_lock(t);
	lives = t->nsproxy && ckpt_namespace(t->nsproxy, kind) == namespace;
	task_unlock(t);
	return lives;
}

/*
 * Number of threads on the machine that live in a namespace; with @inside, without those of a process outside of that pid namespace that
 * has a child in it.
 */
unsigned int ckpt_threads_in(const void *namespace, enum ckpt_ns_kind kind, struct pid_namespace *inside)
{
	struct task_struct *p, *t;
	unsigned int n = 0;

	rcu_read_lock();
	for_each_process_thread(p, t)
		if (lives_in(t, namespace, kind) && !(inside && ckpt_has_child_inside(p, inside)))
			n++;
	rcu_read_unlock();
	return n;
}

/* The user namespace whose root may change a namespace of the set. */
const void *ckpt_namespace_owner(struct nsproxy *ns, enum ckpt_ns_kind kind)
{
	switch (kind) {
	case CKPT_NS_UTS:
		return ns->uts_ns->user_ns;
	case CKPT_NS_IPC:
		return ns->ipc_ns->user_ns;
	case CKPT_NS_MNT:
		return ns->mnt_ns->user_ns;
	case CKPT_NS_NET:
		return ns->net_ns->user_ns;
	case CKPT_NS_CGROUP:
		return ns->cgroup_ns->user_ns;
	case CKPT_NS_TIME:
		return ns->time_ns->user_ns;
	case CKPT_NS_TIME_FOR_CHILDREN:
		return ns->time_ns_for_children->user_ns;
	default:
		return NULL;
	}
}

struct user_namespace *ckpt_get_user_ns(struct user_namespace *ns)
{
	return get_user_ns(ns);
}

void ckpt_put_user_ns(struct user_namespace *ns)
{
	put_user_ns(ns);
}

/* The user namespace that a file of nsfs stands for, with a reference; NULL when it stands for another kind. */
struct user_namespace *ckpt_user_ns_of_file(struct file *f)
{
	struct ns_common *common = get_proc_ns(file_inode(f));

	return common->ns_type == CLONE_NEWUSER ? get_user_ns(container_of(common, struct user_namespace, ns)) : NULL;
}

/* A user namespace, which is not the initial one, as its parent sees it. */
void ckpt_user_ns(struct user_namespace *ns, struct ckpt_user_ns *out)
{
	out->owner = from_kuid(ns->parent, ns->owner);
	out->group = from_kgid(ns->parent, ns->group);
	out->uids = READ_ONCE(ns->uid_map.nr_extents);
	out->gids = READ_ONCE(ns->gid_map.nr_extents);
	out->projids = READ_ONCE(ns->projid_map.nr_extents);
	out->setgroups = READ_ONCE(ns->flags) & USERNS_SETGROUPS_ALLOWED;
}

/* An extent of its maps, which do not change once they have been set; what it is outside, in its parent. */
void ckpt_user_ns_extent(struct user_namespace *ns, bool group, unsigned int i, u32 *first, u32 *outside, u32 *count)
{
	struct uid_gid_map *map = group ? &ns->gid_map : &ns->uid_map;
	unsigned int n = READ_ONCE(map->nr_extents);
	const struct uid_gid_extent *e;

	/* The extents are written before their number. */
	smp_rmb();
	e = n <= UID_GID_MAP_MAX_BASE_EXTENTS ? &map->extent[i] : &map->forward[i];
	*first = e->first;
	*count = e->count;
	if (group)
		*outside = from_kgid(ns->parent, KGIDT_INIT(e->lower_first));
	else
		*outside = from_kuid(ns->parent, KUIDT_INIT(e->lower_first));
}

/*
 * Credentials of the calling task in a user namespace, as setns(2) gives them, with its permission: -EPERM without CAP_SYS_ADMIN there.
 * That a task lives in the same as its threads, and as whoever shares its root directory, is left to ckpt_shares_across_user_ns().
 */
static struct cred *cred_in(struct user_namespace *ns)
{
	struct cred *new;
	int ret;

	if (!ns_capable(ns, CAP_SYS_ADMIN))
		return ERR_PTR(-EPERM);
	new = prepare_creds();
	if (!new)
		return ERR_PTR(-ENOMEM);
	/* As set_cred_user_ns() in kernel/user_namespace.c. */
	new->securebits = SECUREBITS_DEFAULT |
		(new->securebits & (SECURE_ALL_UNPRIVILEGED | SECURE_ALL_UNPRIVILEGED << 1));
	new->cap_inheritable = CAP_EMPTY_SET;
	new->cap_permitted = CAP_FULL_SET;
	new->cap_effective = CAP_FULL_SET;
	new->cap_ambient = CAP_EMPTY_SET;
	new->cap_bset = CAP_FULL_SET;
#ifdef CONFIG_KEYS
	key_put(new->request_key_auth);
	new->request_key_auth = NULL;
#endif
	put_user_ns(new->user_ns);
	new->user_ns = get_user_ns(ns);
	ret = ckpt_set_cred_ucounts(new);
	if (ret) {
		abort_creds(new);
		return ERR_PTR(ret);
	}
	return new;
}

/* Puts the calling task into a user namespace for good. Nothing happens if it lives there: nobody gets capabilities back that way. */
int ckpt_enter_user_ns(struct user_namespace *ns)
{
	struct cred *new;

	/* Who acts with others for a moment may commit none: the kernel would stop. */
	if (current_cred() != current_real_cred())
		return -EBUSY;
	if (ns == current_user_ns())
		return 0;
	new = cred_in(ns);
	return IS_ERR(new) ? PTR_ERR(new) : commit_creds(new);
}

/* What a map calls 0, or else the first of its numbers. */
static u32 first_number(const struct uid_gid_map *map)
{
	unsigned int n = READ_ONCE(map->nr_extents);

	smp_rmb();
	return n <= UID_GID_MAP_MAX_BASE_EXTENTS ? map->extent[0].first : map->forward[0].first;
}

/*
 * Effective ids that the user namespace has numbers for: without, files cannot be made there. With all capabilities there, setresuid(2)
 * and setresgid(2) would do the same.
 */
static void take_ids(struct cred *new)
{
	struct user_namespace *ns = new->user_ns;
	kuid_t uid = make_kuid(ns, 0);
	kgid_t gid = make_kgid(ns, 0);

	if (!uid_valid(uid))
		uid = make_kuid(ns, first_number(&ns->uid_map));
	if (!gid_valid(gid))
		gid = make_kgid(ns, first_number(&ns->gid_map));
	if (uid_valid(uid))
		new->euid = new->fsuid = uid;
	if (gid_valid(gid))
		new->egid = new->fsgid = gid;
}

/*
 * Has the calling task act as root of a user namespace until ckpt_act_as_before(), which takes what this returns: NULL when it lives
 * there. No credentials may be committed meanwhile.
 */
const struct cred *ckpt_act_in_user_ns(struct user_namespace *ns)
{
	struct cred *new;

	if (ns == current_user_ns())
		return NULL;
	new = cred_in(ns);
	if (IS_ERR(new))
		return new;
	take_ids(new);
	return override_creds(new);
}

/* Whether @own is the user namespace at @above, or lies below it. That one is compared only: it may be gone. */
static bool is_within(const struct user_namespace *above, const struct user_namespace *own)
{
	while (own && own != above)
		own = own->parent;
	return own;
}

/* The same of the mount namespace that a path leads into; false when its mount is in none. */
static bool leads_within(const struct path *path, const struct user_namespace *own)
{
	const struct mnt_namespace *ns;

	/* Its last reference is not that of its mounts, but it is freed after a grace period. */
	guard(rcu)();
	ns = READ_ONCE(real_mount(path->mnt)->mnt_ns);
	return !IS_ERR_OR_NULL(ns) && is_within(ns->user_ns, own);
}

/* The same of root and working directory, which need not be in the mount namespace of the task: others may share them. */
static bool fs_leads_within(struct fs_struct *fs, const struct user_namespace *own)
{
	struct path root __free(path_put) = {};
	struct path pwd __free(path_put) = {};

	get_fs_root(fs, &root);
	get_fs_pwd(fs, &pwd);
	return leads_within(&root, own) && leads_within(&pwd, own);
}

/*
 * Whether every namespace of the calling task belongs to its user namespace or one above, and so do its root and working directory. That is
 * the kernel's own rule: setns(2) and unshare(2) want CAP_SYS_ADMIN in the user namespace that the caller lives in, too. Who lived outside
 * of that which they belong to would run setuid programs in what somebody else has made.
 */
bool ckpt_lives_below_owners(void)
{
	const struct user_namespace *own = current_user_ns();
	struct nsproxy *ns = current->nsproxy;
	enum ckpt_ns_kind kind;

	for (kind = CKPT_NS_UTS; kind <= CKPT_NS_TIME_FOR_CHILDREN; kind++)
		if (!is_within(ckpt_namespace_owner(ns, kind), own))
			return false;
	return is_within(ns->pid_ns_for_children->user_ns, own) &&
	       is_within(task_active_pid_ns(current)->user_ns, own) && fs_leads_within(current->fs, own);
}

/* Whether the calling task has CAP_SYS_ADMIN in the user namespace that it lives in. */
bool ckpt_may_administer_own(void)
{
	return ns_capable(current_user_ns(), CAP_SYS_ADMIN);
}

/*
 * Whether a thread of the calling process lives in another user namespace, or a task that shares the caller's root directory does: one
 * that is root in the one could choose what the other one takes for the root directory.
 */
bool ckpt_shares_across_user_ns(void)
{
	struct user_namespace *own = current_user_ns();
	struct fs_struct *fs = current->fs;
	struct task_struct *p, *t;
	int sharers = 0, users;
	bool found = false;

	rcu_read_lock();
	for_each_thread(current, t) {
		found |= !t->exit_state && __task_cred(t)->user_ns != own;
		sharers += READ_ONCE(t->fs) == fs;
	}
	rcu_read_unlock();
	read_seqlock_excl(&fs->seq);
	users = fs->users;
	read_sequnlock_excl(&fs->seq);
	if (found || users <= sharers)
		return found;
	rcu_read_lock();
	for_each_process_thread(p, t)
		found |= READ_ONCE(t->fs) == fs && __task_cred(t)->user_ns != own;
	rcu_read_unlock();
	return found;
}

/* Whether setns(2) would let the calling task enter the namespaces of a set that it does not live in. */
static bool may_enter(struct nsproxy *ns)
{
	struct nsproxy *own = current->nsproxy;
	enum ckpt_ns_kind kind;

	for (kind = CKPT_NS_UTS; kind <= CKPT_NS_TIME_FOR_CHILDREN; kind++)
		if (ckpt_namespace(ns, kind) != ckpt_namespace(own, kind) &&
		    !ns_capable((struct user_namespace *)ckpt_namespace_owner(ns, kind), CAP_SYS_ADMIN))
			return false;
	return ns_capable(current_user_ns(), CAP_SYS_ADMIN) &&
	       (ns->mnt_ns == own->mnt_ns || ns_capable(current_user_ns(), CAP_SYS_CHROOT));
}

/*
 * Makes the calling task live in the namespaces of another one, as if that one had created it: -EPERM unless it could enter each of
 * them. Its root and working directory are the caller's business.
 */
int ckpt_adopt_nsproxy(struct task_struct *from)
{
	struct nsproxy *ns, *old;

	ns = ckpt_get_nsproxy(from);
	if (!ns)
		return -ESRCH;
	if (!may_enter(ns)) {
		ckpt_put_nsproxy(ns);
		return -EPERM;
	}
	/* The caller has set it before: where children to come are born must not change. */
	if (ns->pid_ns_for_children != current->nsproxy->pid_ns_for_children) {
		ckpt_put_nsproxy(ns);
		return -EINVAL;
	}
	/* As setns(2) does: what is undone at exit is of the old one. */
	if (ns->ipc_ns != current->nsproxy->ipc_ns)
		ckpt_exit_sem(current);
	task_lock(current);
	old = current->nsproxy;
	current->nsproxy = ns;
	task_unlock(current);
	ckpt_put_nsproxy(old);
	return 0;
}

/* A file that stands for a namespace of the caller, as one of /proc/PID/ns does. */
struct file *ckpt_open_own_namespace(enum ckpt_ns_kind kind)
{
	struct nsproxy *ns = current->nsproxy;
	struct ns_common *common;

	switch (kind) {
	case CKPT_NS_UTS:
		get_uts_ns(ns->uts_ns);
		common = &ns->uts_ns->ns;
		break;
	case CKPT_NS_IPC:
		get_ipc_ns(ns->ipc_ns);
		common = &ns->ipc_ns->ns;
		break;
	case CKPT_NS_MNT:
		get_mnt_ns(ns->mnt_ns);
		common = &ns->mnt_ns->ns;
		break;
	case CKPT_NS_NET:
		get_net(ns->net_ns);
		common = &ns->net_ns->ns;
		break;
	case CKPT_NS_CGROUP:
		get_cgroup_ns(ns->cgroup_ns);
		common = &ns->cgroup_ns->ns;
		break;
	case CKPT_NS_TIME:
		get_time_ns(ns->time_ns);
		common = &ns->time_ns->ns;
		break;
	case CKPT_NS_TIME_FOR_CHILDREN:
		get_time_ns(ns->time_ns_for_children);
		common = &ns->time_ns_for_children->ns;
		break;
	default:
		return ERR_PTR(-EINVAL);
	}
	/* Takes the reference. */
	return ckpt_open_namespace_file(common);
}

/* Whether a file of ckpt_open_own_namespace() stands for the namespace that the caller lives in. */
bool ckpt_is_own_namespace(struct file *f, enum ckpt_ns_kind kind)
{
	struct ns_common *common = get_proc_ns(file_inode(f));
	struct nsproxy *ns = current->nsproxy;

	switch (kind) {
	case CKPT_NS_UTS:
		return common == &ns->uts_ns->ns;
	case CKPT_NS_IPC:
		return common == &ns->ipc_ns->ns;
	case CKPT_NS_MNT:
		return common == &ns->mnt_ns->ns;
	case CKPT_NS_NET:
		return common == &ns->net_ns->ns;
	case CKPT_NS_CGROUP:
		return common == &ns->cgroup_ns->ns;
	case CKPT_NS_TIME:
		return common == &ns->time_ns->ns;
	case CKPT_NS_TIME_FOR_CHILDREN:
		return common == &ns->time_ns_for_children->ns;
	default:
		return false;
	}
}

/* Both names, each with room for 64 bytes, without a terminating NUL when it is as long as that. */
void ckpt_uts_names(struct nsproxy *ns, char *nodename, char *domainname)
{
	struct rw_semaphore *sem = (void *)ckpt_address[CKPT_ADDRESS_uts_sem];

	down_read(sem);
	memcpy(nodename, ns->uts_ns->name.nodename, __NEW_UTS_LEN);
	memcpy(domainname, ns->uts_ns->name.domainname, __NEW_UTS_LEN);
	up_read(sem);
}

void ckpt_ipc_limits(struct nsproxy *ns, struct ckpt_ipc_limits *out)
{
	struct ipc_namespace *ipc = ns->ipc_ns;
	unsigned int i;

	out->shmmax = ipc->shm_ctlmax;
	out->shmall = ipc->shm_ctlall;
	out->shmmni = ipc->shm_ctlmni;
	out->shm_rmid_forced = ipc->shm_rmid_forced;
	out->msgmax = ipc->msg_ctlmax;
	out->msgmnb = ipc->msg_ctlmnb;
	out->msgmni = ipc->msg_ctlmni;
	for (i = 0; i < ARRAY_SIZE(out->sem); i++)
		out->sem[i] = ipc->sem_ctls[i];
	out->mq_queues_max = ipc->mq_queues_max;
	out->mq_msg_max = ipc->mq_msg_max;
	out->mq_msgsize_max = ipc->mq_msgsize_max;
	out->mq_msg_default = ipc->mq_msg_default;
	out->mq_msgsize_default = ipc->mq_msgsize_default;
}

/*
 * Sets the limits of the caller's ipc namespace: what writes to its files in /proc/sys do, with their permission (root of the
 * namespace) and their bounds. To leave them as they are takes no permission. -EPERM, -EINVAL.
 */
int ckpt_set_ipc_limits(const struct ckpt_ipc_limits *in)
{
	struct ipc_namespace *ipc = current->nsproxy->ipc_ns;
	struct ckpt_ipc_limits now = {};
	unsigned int i;

	ckpt_ipc_limits(current->nsproxy, &now);
	if (!memcmp(&now, in, sizeof(now)))
		return 0;
	if (!uid_eq(current_euid(), make_kuid(ipc->user_ns, 0)))
		return -EPERM;
	if (in->shmmni > IPCMNI || in->msgmni > IPCMNI || in->shm_rmid_forced > 1 || in->msgmax > INT_MAX ||
	    in->msgmnb > INT_MAX || in->sem[3] > IPCMNI)
		return -EINVAL;
	if (in->mq_msg_max < MIN_MSGMAX || in->mq_msg_max > HARD_MSGMAX || in->mq_msg_default < MIN_MSGMAX ||
	    in->mq_msg_default > HARD_MSGMAX)
		return -EINVAL;
	if (in->mq_msgsize_max < MIN_MSGSIZEMAX || in->mq_msgsize_max > HARD_MSGSIZEMAX ||
	    in->mq_msgsize_default < MIN_MSGSIZEMAX || in->mq_msgsize_default > HARD_MSGSIZEMAX)
		return -EINVAL;
	ipc->shm_ctlmax = in->shmmax;
	ipc->shm_ctlall = in->shmall;
	ipc->shm_ctlmni = in->shmmni;
	ipc->shm_rmid_forced = in->shm_rmid_forced;
	ipc->msg_ctlmax = in->msgmax;
	ipc->msg_ctlmnb = in->msgmnb;
	ipc->msg_ctlmni = in->msgmni;
	for (i = 0; i < ARRAY_SIZE(in->sem); i++)
		ipc->sem_ctls[i] = in->sem[i];
	ipc->mq_queues_max = in->mq_queues_max;
	ipc->mq_msg_max = in->mq_msg_max;
	ipc->mq_msgsize_max = in->mq_msgsize_max;
	ipc->mq_msg_default = in->mq_msg_default;
	ipc->mq_msgsize_default = in->mq_msgsize_default;
	return 0;
}

/* What a time namespace (that of the set, or that of its children) adds to CLOCK_MONOTONIC and CLOCK_BOOTTIME, in nanoseconds. */
void ckpt_time_offsets(struct nsproxy *ns, bool children, s64 *monotonic, s64 *boottime)
{
	struct time_namespace *time = children ? ns->time_ns_for_children : ns->time_ns;

	*monotonic = timespec64_to_ns(&time->offsets.monotonic);
	*boottime = timespec64_to_ns(&time->offsets.boottime);
}

/* Sets what the time namespace of the caller's children adds to the clocks, in nanoseconds. @f says who asks. */
int ckpt_set_time_offsets(struct file *f, s64 monotonic, s64 boottime)
{
	struct proc_timens_offset offsets[2] = {
		{ .clockid = CLOCK_MONOTONIC, .val = ns_to_timespec64(monotonic) },
		{ .clockid = CLOCK_BOOTTIME, .val = ns_to_timespec64(boottime) },
	};

	return ckpt_proc_timens_set_offset(f, current, offsets, ARRAY_SIZE(offsets));
}
