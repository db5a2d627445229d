// SPDX-License-Identifier: GPL-2.0

#include <linux/cred.h>
#include <linux/ipc_namespace.h>
#include <linux/mnt_namespace.h>
#include <linux/msg.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
#include <linux/proc_ns.h>
#include <linux/sched/signal.h>
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

/* The user namespace of the credentials, which is not the initial one, as its parent sees it. */
void ckpt_user_ns(const struct cred *c, struct ckpt_user_ns *out)
{
	struct user_namespace *ns = c->user_ns;

	out->owner = from_kuid(ns->parent, ns->owner);
	out->group = from_kgid(ns->parent, ns->group);
	out->uids = READ_ONCE(ns->uid_map.nr_extents);
	out->gids = READ_ONCE(ns->gid_map.nr_extents);
	out->projids = READ_ONCE(ns->projid_map.nr_extents);
	out->setgroups = READ_ONCE(ns->flags) & USERNS_SETGROUPS_ALLOWED;
}

/* An extent of its maps, which do not change once they have been set; what it is outside, in its parent. */
void ckpt_user_ns_extent(const struct cred *c, bool group, unsigned int i, u32 *first, u32 *outside, u32 *count)
{
	struct user_namespace *ns = c->user_ns;
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
 * Makes the calling task live in the namespaces of another one, as if that one had created it: -EPERM unless both have the same
 * user namespace. Its root and working directory are the caller's business.
 */
int ckpt_adopt_nsproxy(struct task_struct *from)
{
	struct nsproxy *ns, *old;
	bool same;

	rcu_read_lock();
	same = __task_cred(from)->user_ns == current_user_ns();
	rcu_read_unlock();
	if (!same || !ns_capable(current_user_ns(), CAP_SYS_ADMIN))
		return -EPERM;
	ns = ckpt_get_nsproxy(from);
	if (!ns)
		return -ESRCH;
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

/* What @viewer calls a user or group of the initial user namespace; -1 when it has no name for that. */
u32 ckpt_id_seen(const struct cred *viewer, u32 id, bool group)
{
	if (group)
		return from_kgid(viewer->user_ns, KGIDT_INIT(id));
	return from_kuid(viewer->user_ns, KUIDT_INIT(id));
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
