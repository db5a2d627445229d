// SPDX-License-Identifier: GPL-2.0

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/idr.h>
#include <linux/ipc_namespace.h>
#include <linux/mm.h>
#include <linux/msg.h>
#include <linux/nsproxy.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched/task.h>
#include <linux/sem.h>
#include <linux/shm.h>
#include <linux/shmem_fs.h>
#include <linux/user_namespace.h>

#include "ipc/util.h"

#include "helpers.h"
#include "symbol.h"

/* As in ipc/sem.c, ipc/shm.c, ipc/msg.c, ipc/msgutil.c. */
#include "rust/helpers/sem_array.h"
#include "rust/helpers/shmid_kernel.h"
#include "rust/helpers/msg_queue.h"
#include "rust/helpers/msg_msgseg.h"

/* As in ipc/sem.c: how many operations take the lock of the set before they may do without again. */
#define USE_GLOBAL_LOCK_HYSTERESIS 10
/* As in ipc/shm.c. */
#define SHM_DEST 01000
#define SHM_LOCKED 02000

static_assert(CKPT_IPC_SEM == IPC_SEM_IDS && CKPT_IPC_MSG == IPC_MSG_IDS && CKPT_IPC_SHM == IPC_SHM_IDS);

static struct sem_array *to_sem(struct kern_ipc_perm *perm)
{
	return container_of(perm, struct sem_array, sem_perm);
}

static struct shmid_kernel *to_shm(struct kern_ipc_perm *perm)
{
	return container_of(perm, struct shmid_kernel, shm_perm);
}

static struct msg_queue *to_msg(struct kern_ipc_perm *perm)
{
	return container_of(perm, struct msg_queue, q_perm);
}

/* Locks a set of semaphores as a whole: sem_lock(sma, NULL, -1). Operations on one semaphore wait, too. */
static void lock_set(struct sem_array *sma)
{
	bool entered = sma->use_global_lock > 0;
	int i;

	WRITE_ONCE(sma->use_global_lock, USE_GLOBAL_LOCK_HYSTERESIS);
	for (i = 0; !entered && i < sma->sem_nsems; i++) {
		spin_lock(&sma->sems[i].lock);
		spin_unlock(&sma->sems[i].lock);
	}
}

/* Locks an object that the caller has found under the rwsem of its ids; false when it has been removed. */
static bool lock_object(enum ckpt_ipc_kind kind, struct kern_ipc_perm *perm)
{
	spin_lock(&perm->lock);
	if (perm->deleted) {
		spin_unlock(&perm->lock);
		return false;
	}
	if (kind == CKPT_IPC_SEM)
		lock_set(to_sem(perm));
	return true;
}

/* The object with this identifier, with the rwsem of its ids held. It may have been removed, but stays while RCU is locked. */
static struct kern_ipc_perm *find(struct ipc_ids *ids, int id)
{
	struct kern_ipc_perm *perm = ckpt_ipc_obtain_object_idr(ids, id);

	return IS_ERR(perm) || perm->id != id ? NULL : perm;
}

/* With the object locked. */
static void describe(enum ckpt_ipc_kind kind, struct kern_ipc_perm *perm, const struct cred *viewer,
		     struct pid_namespace *pids, struct ckpt_ipc_object *out)
{
	memset(out, 0, sizeof(*out));
	out->address = (unsigned long)perm;
	out->id = perm->id;
	out->key = perm->key;
	out->uid = from_kuid(viewer->user_ns, perm->uid);
	out->gid = from_kgid(viewer->user_ns, perm->gid);
	out->cuid = from_kuid(viewer->user_ns, perm->cuid);
	out->cgid = from_kgid(viewer->user_ns, perm->cgid);
	out->mode = perm->mode & S_IRWXUGO;
	if (kind == CKPT_IPC_SHM) {
		struct shmid_kernel *shp = to_shm(perm);

		out->size = shp->shm_segsz;
		out->times[0] = shp->shm_atim;
		out->times[1] = shp->shm_dtim;
		out->times[2] = shp->shm_ctim;
		out->pids[0] = pid_nr_ns(shp->shm_cprid, pids);
		out->pids[1] = pid_nr_ns(shp->shm_lprid, pids);
		out->used = shp->shm_nattch;
		out->removed = perm->mode & SHM_DEST;
		out->locked = perm->mode & SHM_LOCKED;
		out->huge = is_file_hugepages(shp->shm_file);
		out->noreserve = !out->huge && SHMEM_I(file_inode(shp->shm_file))->flags & SHMEM_F_NORESERVE;
#ifdef CONFIG_NUMA
		out->policy = !out->huge && !RB_EMPTY_ROOT(&SHMEM_I(file_inode(shp->shm_file))->policy.root);
#endif
		out->creator = list_empty(&shp->shm_clist) ? 0 : (unsigned long)shp->shm_creator;
		/* The name in /proc/PID/maps keeps the key that it was made with. */
		if (out->removed && kstrtouint(shp->shm_file->f_path.dentry->d_name.name + 4, 16, &out->key))
			out->key = 0;
		out->file = (unsigned long)get_file(shp->shm_file);
	} else if (kind == CKPT_IPC_SEM) {
		struct sem_array *sma = to_sem(perm);
		int i;

		out->size = sma->sem_nsems;
		for (i = 0; i < sma->sem_nsems; i++)
			out->times[0] = max(out->times[0], sma->sems[i].sem_otime);
		out->times[2] = sma->sem_ctime;
		out->used = sma->complex_count || !list_empty(&sma->pending_alter) || !list_empty(&sma->list_id);
		for (i = 0; i < sma->sem_nsems; i++)
			out->used |= !list_empty(&sma->sems[i].pending_alter) || !list_empty(&sma->sems[i].pending_const);
	} else {
		struct msg_queue *q = to_msg(perm);

		out->size = q->q_qbytes;
		out->times[0] = q->q_stime;
		out->times[1] = q->q_rtime;
		out->times[2] = q->q_ctime;
		out->pids[0] = pid_nr_ns(q->q_lspid, pids);
		out->pids[1] = pid_nr_ns(q->q_lrpid, pids);
		out->used = q->q_qnum;
	}
}

/*
 * The first object of a kind whose index is not below *@index, which becomes the one behind it: 1, or 0 when there is none. A segment
 * comes with a reference to its file.
 */
int ckpt_ipc_next(struct ipc_namespace *ns, enum ckpt_ipc_kind kind, int *index, const struct cred *viewer,
		  struct pid_namespace *pids, struct ckpt_ipc_object *out)
{
	struct ipc_ids *ids = &ns->ids[kind];
	struct kern_ipc_perm *perm;
	int found = 0;

	down_read(&ids->rwsem);
	rcu_read_lock();
	while (!found && (perm = idr_get_next(&ids->ipcs_idr, index))) {
		(*index)++;
		if (!lock_object(kind, perm))
			continue;
		describe(kind, perm, viewer, pids, out);
		spin_unlock(&perm->lock);
		found = 1;
	}
	rcu_read_unlock();
	up_read(&ids->rwsem);
	return found;
}

/* The object with this identifier: -ENOENT. */
int ckpt_ipc_get(struct ipc_namespace *ns, enum ckpt_ipc_kind kind, int id, const struct cred *viewer,
		 struct pid_namespace *pids, struct ckpt_ipc_object *out)
{
	struct ipc_ids *ids = &ns->ids[kind];
	struct kern_ipc_perm *perm;
	int ret = -ENOENT;

	down_read(&ids->rwsem);
	rcu_read_lock();
	perm = find(ids, id);
	if (perm && lock_object(kind, perm)) {
		describe(kind, perm, viewer, pids, out);
		spin_unlock(&perm->lock);
		ret = 0;
	}
	rcu_read_unlock();
	up_read(&ids->rwsem);
	return ret;
}

/*
 * Whether somebody may have access (S_IRUGO, S_IWUGO) to the object with this identifier, as the kernel would look when he asks for it:
 * -EACCES, -ENOENT.
 */
int ckpt_ipc_may(struct ipc_namespace *ns, enum ckpt_ipc_kind kind, int id, const struct cred *as, unsigned short access)
{
	const struct cred *own = override_creds(as);
	struct kern_ipc_perm *perm;
	int ret = -ENOENT;

	down_read(&ns->ids[kind].rwsem);
	scoped_guard(rcu) {
		perm = find(&ns->ids[kind], id);
		if (perm)
			ret = ckpt_ipcperms(ns, perm, access) ? -EACCES : 0;
	}
	up_read(&ns->ids[kind].rwsem);
	revert_creds(own);
	return ret;
}

/* Number and address of the segment that a file of shmat(2) is of. */
void ckpt_shm_of_file(struct file *f, int *id, const void **ns)
{
	struct shm_file_data *sfd = f->private_data;

	*id = sfd->id;
	*ns = sfd->ns;
}

/* Values and processes of a set of @n semaphores: -ENOENT when there is none such. */
int ckpt_sem_values(struct ipc_namespace *ns, int id, struct pid_namespace *pids, struct ckpt_sem *out, unsigned int n)
{
	struct ipc_ids *ids = &ns->ids[IPC_SEM_IDS];
	struct kern_ipc_perm *perm;
	int ret = -ENOENT;
	unsigned int i;

	down_read(&ids->rwsem);
	rcu_read_lock();
	perm = find(ids, id);
	if (perm && lock_object(CKPT_IPC_SEM, perm)) {
		struct sem_array *sma = to_sem(perm);

		if (sma->sem_nsems == n) {
			for (i = 0; i < n; i++) {
				out[i].value = sma->sems[i].semval;
				out[i].pid = pid_nr_ns(sma->sems[i].sempid, pids);
			}
			ret = 0;
		}
		spin_unlock(&perm->lock);
	}
	rcu_read_unlock();
	up_read(&ids->rwsem);
	return ret;
}

/* Address of the undo list of a task; compared only. */
const void *ckpt_undo_list(struct task_struct *t)
{
	return READ_ONCE(t->sysvsem.undo_list);
}

/* Whether an address is among those, which are in order. */
static bool is_among(const void *address, const unsigned long *of, unsigned int n)
{
	unsigned int from = 0, to = n;

	while (from < to) {
		unsigned int middle = from + (to - from) / 2;

		if (of[middle] == (unsigned long)address)
			return true;
		if (of[middle] < (unsigned long)address)
			from = middle + 1;
		else
			to = middle;
	}
	return false;
}

/*
 * What the undo lists at @count addresses, which are in order, have for a set: how many entries, of which @n at most are written; -E2BIG
 * when that means to look at more than @max adjustments. The lists are found by the set, whose lock keeps them; that of a task may go
 * with the task.
 */
long ckpt_sem_undos(struct ipc_namespace *ns, int id, const unsigned long *lists, unsigned int count, struct ckpt_undo *out,
		    unsigned long n, unsigned long max)
{
	struct ipc_ids *ids = &ns->ids[IPC_SEM_IDS];
	struct kern_ipc_perm *perm;
	unsigned long left = max;
	struct sem_undo *un;
	long found = 0;
	int i, last;

	down_read(&ids->rwsem);
	rcu_read_lock();
	perm = find(ids, id);
	if (perm && lock_object(CKPT_IPC_SEM, perm)) {
		struct sem_array *sma = to_sem(perm);

		list_for_each_entry(un, &sma->list_id, list_id) {
			if (!is_among(un->ulp, lists, count))
				continue;
			if (left < sma->sem_nsems) {
				found = -E2BIG;
				break;
			}
			left -= sma->sem_nsems;
			/* Who has nothing to undo is known by the list alone. */
			last = memchr_inv(un->semadj, 0, sma->sem_nsems * sizeof(*un->semadj)) ? sma->sem_nsems : 0;
			for (i = -1; i < last; i++) {
				if (i >= 0 && !un->semadj[i])
					continue;
				if (found++ < n)
					*out++ = (struct ckpt_undo) {
						.list = (unsigned long)un->ulp,
						.users = refcount_read(&un->ulp->refcnt),
						.number = i,
						.adjust = i < 0 ? 0 : un->semadj[i],
					};
			}
		}
		spin_unlock(&perm->lock);
	}
	rcu_read_unlock();
	up_read(&ids->rwsem);
	return found;
}

/* Copies the text of a message. */
static void copy_text(struct msg_msg *msg, u8 *out)
{
	size_t left = msg->m_ts, part = min(left, PAGE_SIZE - sizeof(*msg));
	struct msg_msgseg *seg;

	memcpy(out, msg + 1, part);
	for (seg = msg->next; seg; seg = seg->next) {
		out += part;
		left -= part;
		part = min(left, PAGE_SIZE - sizeof(*seg));
		memcpy(out, seg + 1, part);
	}
}

/* Puts a message into a lot, unless it is to be skipped; false when it does not fit. Also for the POSIX queues. */
bool ckpt_lot_add(struct ckpt_lot *lot, struct msg_msg *msg, s64 type)
{
	struct ckpt_queued head = { .type = type, .length = msg->m_ts };
	size_t room = lot->size - lot->used, padded;

	if (lot->skip) {
		lot->skip--;
		return true;
	}
	if (room < sizeof(head) || room - sizeof(head) < msg->m_ts)
		return false;
	memcpy(lot->out + lot->used, &head, sizeof(head));
	copy_text(msg, lot->out + lot->used + sizeof(head));
	padded = round_up(msg->m_ts, 8);
	lot->used += sizeof(head) + min(padded, room - sizeof(head));
	return true;
}

/* The queue with this identifier, locked, with the rwsem of the ids and RCU, which unlock_queue() gives back; NULL when there is none. */
static struct msg_queue *lock_queue(struct ipc_namespace *ns, int id)
{
	struct ipc_ids *ids = &ns->ids[IPC_MSG_IDS];
	struct kern_ipc_perm *perm;

	down_read(&ids->rwsem);
	rcu_read_lock();
	perm = find(ids, id);
	if (perm && lock_object(CKPT_IPC_MSG, perm))
		return to_msg(perm);
	rcu_read_unlock();
	up_read(&ids->rwsem);
	return NULL;
}

static void unlock_queue(struct ipc_namespace *ns, struct msg_queue *q)
{
	spin_unlock(&q->q_perm.lock);
	rcu_read_unlock();
	up_read(&ns->ids[IPC_MSG_IDS].rwsem);
}

/* Fills a lot with messages of a queue: nothing when there are no more; -ENOENT without the queue, -EMSGSIZE when the first is too long. */
int ckpt_msg_lot(struct ipc_namespace *ns, int id, struct ckpt_lot *lot)
{
	struct msg_queue *q = lock_queue(ns, id);
	struct msg_msg *msg;
	bool all = true;

	if (!q)
		return -ENOENT;
	list_for_each_entry(msg, &q->q_messages, m_list) {
		all = ckpt_lot_add(lot, msg, msg->m_type);
		if (!all)
			break;
	}
	unlock_queue(ns, q);
	return all || lot->used ? 0 : -EMSGSIZE;
}

/* Length of the longest message of a queue: -ENOENT without the queue, -E2BIG with more than @max messages. */
ssize_t ckpt_msg_longest(struct ipc_namespace *ns, int id, unsigned long max)
{
	struct msg_queue *q = lock_queue(ns, id);
	struct msg_msg *msg;
	ssize_t longest = 0;

	if (!q)
		return -ENOENT;
	if (q->q_qnum > max) {
		longest = -E2BIG;
	} else {
		list_for_each_entry(msg, &q->q_messages, m_list)
			longest = max_t(ssize_t, longest, msg->m_ts);
	}
	unlock_queue(ns, q);
	return longest;
}

/* Sequence number, index given last and index tried next of a kind. */
void ckpt_ipc_ids(struct ipc_namespace *ns, enum ckpt_ipc_kind kind, u32 *seq, int *last, u32 *cursor)
{
	struct ipc_ids *ids = &ns->ids[kind];

	down_read(&ids->rwsem);
	*seq = ids->seq;
	*last = ids->last_idx;
	*cursor = idr_get_cursor(&ids->ipcs_idr);
	up_read(&ids->rwsem);
}

/* Sets them for the caller's ipc namespace; the permission is that to ask for an identifier. */
int ckpt_ipc_set_ids(enum ckpt_ipc_kind kind, u32 seq, int last, u32 cursor)
{
	struct ipc_namespace *ns = current->nsproxy->ipc_ns;
	struct ipc_ids *ids = &ns->ids[kind];

	if (!checkpoint_restore_ns_capable(ns->user_ns))
		return -EPERM;
	if (seq > USHRT_MAX || last < -1 || last >= IPCMNI || cursor > IPCMNI)
		return -EINVAL;
	down_write(&ids->rwsem);
	ids->seq = seq;
	ids->last_idx = last;
	idr_set_cursor(&ids->ipcs_idr, cursor);
	up_write(&ids->rwsem);
	return 0;
}

/*
 * Says which identifier the next object of the caller's ipc namespace is to have, as a write to /proc/sys/kernel/{sem,msg,shm}_next_id
 * does, with its permission; -1 for any.
 */
int ckpt_ipc_set_next_id(enum ckpt_ipc_kind kind, int id)
{
	struct ipc_namespace *ns = current->nsproxy->ipc_ns;
	struct ipc_ids *ids = &ns->ids[kind];

	if (id >= 0 && !checkpoint_restore_ns_capable(ns->user_ns))
		return -EPERM;
	down_write(&ids->rwsem);
	ids->next_id = id;
	up_write(&ids->rwsem);
	return 0;
}

/*
 * Whether the caller may change an object of its ipc namespace, as ipcctl_obtain_check() has it: -EPERM; -EIDRM when there is another
 * one.
 */
int ckpt_ipc_may_change(enum ckpt_ipc_kind kind, int id, unsigned long address)
{
	struct ipc_namespace *ns = current->nsproxy->ipc_ns;
	struct ipc_ids *ids = &ns->ids[kind];
	struct kern_ipc_perm *perm;
	int ret = -EIDRM;

	down_read(&ids->rwsem);
	rcu_read_lock();
	perm = find(ids, id);
	if (perm && (unsigned long)perm == address)
		ret = uid_eq(current_euid(), perm->cuid) || uid_eq(current_euid(), perm->uid) ? 0 : -EPERM;
	rcu_read_unlock();
	up_read(&ids->rwsem);
	return ret == -EPERM && ns_capable(ns->user_ns, CAP_SYS_ADMIN) ? 0 : ret;
}

/* The process with a number in @pids, with a reference; NULL when there is none. */
static struct pid *pid_of(u32 number, struct pid_namespace *pids)
{
	struct pid *pid;

	rcu_read_lock();
	pid = number ? get_pid(find_pid_ns(number, pids)) : NULL;
	rcu_read_unlock();
	return pid;
}

/* Whose object it is becomes what @want says. Who may not change users may not give it to another maker. */
static int set_makers(struct ipc_namespace *ns, struct kern_ipc_perm *perm, const struct ckpt_ipc_object *want)
{
	kuid_t cuid = make_kuid(current_user_ns(), want->cuid);
	kgid_t cgid = make_kgid(current_user_ns(), want->cgid);

	if (!uid_valid(cuid) || !gid_valid(cgid))
		return -EINVAL;
	if (!uid_eq(perm->cuid, cuid) && !ns_capable(ns->user_ns, CAP_SETUID))
		return -EPERM;
	if (!gid_eq(perm->cgid, cgid) && !ns_capable(ns->user_ns, CAP_SETGID))
		return -EPERM;
	perm->cuid = cuid;
	perm->cgid = cgid;
	return 0;
}

/* With the object locked: times, and processes, which are exchanged for those that the object had. */
static void set_traces(enum ckpt_ipc_kind kind, struct kern_ipc_perm *perm, const struct ckpt_ipc_object *want,
		       struct pid *pid[2])
{
	if (kind == CKPT_IPC_SHM) {
		struct shmid_kernel *shp = to_shm(perm);

		shp->shm_atim = want->times[0];
		shp->shm_dtim = want->times[1];
		shp->shm_ctim = want->times[2];
		swap(shp->shm_cprid, pid[0]);
		swap(shp->shm_lprid, pid[1]);
	} else if (kind == CKPT_IPC_SEM) {
		struct sem_array *sma = to_sem(perm);
		int i;

		for (i = 0; i < sma->sem_nsems; i++)
			sma->sems[i].sem_otime = i ? 0 : want->times[0];
		sma->sem_ctime = want->times[2];
	} else {
		struct msg_queue *q = to_msg(perm);

		q->q_stime = want->times[0];
		q->q_rtime = want->times[1];
		q->q_ctime = want->times[2];
		swap(q->q_lspid, pid[0]);
		swap(q->q_lrpid, pid[1]);
	}
}

/*
 * Gives an object of the caller's ipc namespace, at the address that @want has, its times and processes, and with @whole its makers,
 * too, and whether it has been removed. -EIDRM when there is another one.
 */
int ckpt_ipc_set(enum ckpt_ipc_kind kind, const struct ckpt_ipc_object *want, bool whole, struct pid_namespace *pids)
{
	struct ipc_namespace *ns = current->nsproxy->ipc_ns;
	struct pid *pid[2] = { pid_of(want->pids[0], pids), pid_of(want->pids[1], pids) };
	struct ipc_ids *ids = &ns->ids[kind];
	struct kern_ipc_perm *perm;
	int ret = -EIDRM;

	down_write(&ids->rwsem);
	rcu_read_lock();
	perm = find(ids, want->id);
	if (perm && (unsigned long)perm == want->address && lock_object(kind, perm)) {
		ret = whole ? set_makers(ns, perm, want) : 0;
		if (!ret)
			set_traces(kind, perm, want, pid);
		if (!ret && whole && want->removed) {
			/* It goes with the last who detaches it: do_shm_rmid(). */
			perm->mode |= SHM_DEST;
			ckpt_ipc_set_key_private(ids, perm);
		}
		spin_unlock(&perm->lock);
	}
	rcu_read_unlock();
	up_write(&ids->rwsem);
	put_pid(pid[0]);
	put_pid(pid[1]);
	return ret;
}

/*
 * Makes a task that lives the one that has made a segment, with which it may go (shm_rmid_forced); NULL for one that is gone. The
 * caller has made the segment.
 */
void ckpt_shm_set_creator(int id, unsigned long address, struct task_struct *creator)
{
	struct ipc_namespace *ns = current->nsproxy->ipc_ns;
	struct ipc_ids *ids = &ns->ids[IPC_SHM_IDS];
	struct kern_ipc_perm *perm;

	down_write(&ids->rwsem);
	rcu_read_lock();
	perm = find(ids, id);
	if (perm && (unsigned long)perm == address && lock_object(CKPT_IPC_SHM, perm)) {
		struct shmid_kernel *shp = to_shm(perm);

		task_lock(current);
		if (!list_empty(&shp->shm_clist) && shp->shm_creator == current)
			list_del_init(&shp->shm_clist);
		task_unlock(current);
		if (creator && list_empty(&shp->shm_clist)) {
			shp->shm_creator = creator;
			task_lock(creator);
			/* One that exits has emptied its list, or is about to. */
			if (!(creator->flags & PF_EXITING))
				list_add(&shp->shm_clist, &creator->sysvshm.shm_clist);
			task_unlock(creator);
		}
		spin_unlock(&perm->lock);
	}
	rcu_read_unlock();
	up_write(&ids->rwsem);
}

/* Sets who has changed each of @n semaphores last. The caller has made the set, or taken it over. */
int ckpt_sem_set_pids(int id, unsigned long address, const struct ckpt_sem *values, unsigned int n, struct pid_namespace *pids)
{
	struct ipc_ids *ids = &current->nsproxy->ipc_ns->ids[IPC_SEM_IDS];
	struct kern_ipc_perm *perm;
	int ret = -EIDRM;
	unsigned int i;

	down_write(&ids->rwsem);
	rcu_read_lock();
	perm = find(ids, id);
	if (perm && (unsigned long)perm == address && lock_object(CKPT_IPC_SEM, perm)) {
		struct sem_array *sma = to_sem(perm);

		for (i = 0; i < n && i < sma->sem_nsems; i++) {
			struct pid *pid = pid_of(values[i].pid, pids);

			swap(sma->sems[i].sempid, pid);
			put_pid(pid);
		}
		spin_unlock(&perm->lock);
		ret = 0;
	}
	rcu_read_unlock();
	up_write(&ids->rwsem);
	return ret;
}

/*
 * What the caller's undo list adds to a semaphore when the last who has the list exits. The list has something for the set already, even
 * if it is nothing: the caller has tried a semop(2) with SEM_UNDO.
 */
int ckpt_sem_set_adjustment(int id, unsigned long address, unsigned int number, s16 adjust)
{
	struct ipc_ids *ids = &current->nsproxy->ipc_ns->ids[IPC_SEM_IDS];
	struct kern_ipc_perm *perm;
	struct sem_undo *un;
	int ret = -EIDRM;

	down_read(&ids->rwsem);
	rcu_read_lock();
	perm = find(ids, id);
	if (perm && (unsigned long)perm == address && lock_object(CKPT_IPC_SEM, perm)) {
		struct sem_array *sma = to_sem(perm);

		ret = number < sma->sem_nsems ? -ENOENT : -EFBIG;
		list_for_each_entry(un, &sma->list_id, list_id) {
			if (ret != -ENOENT)
				break;
			if (un->ulp != current->sysvsem.undo_list)
				continue;
			un->semadj[number] = adjust;
			ret = 0;
		}
		spin_unlock(&perm->lock);
	}
	rcu_read_unlock();
	up_read(&ids->rwsem);
	return ret;
}

/*
 * Makes the caller share the undo list of a task, which does not exit meanwhile. -ESRCH when that has none, -EINVAL when it lives in
 * another ipc namespace: a list is of one.
 */
int ckpt_adopt_undo(struct task_struct *from)
{
	struct sem_undo_list *list = from->sysvsem.undo_list;
	bool same;

	if (!list)
		return -ESRCH;
	task_lock(from);
	same = from->nsproxy && from->nsproxy->ipc_ns == current->nsproxy->ipc_ns;
	task_unlock(from);
	if (!same)
		return -EINVAL;
	if (list == current->sysvsem.undo_list)
		return 0;
	refcount_inc(&list->refcnt);
	/* Whatever the caller has of its own is undone, as at exit. */
	ckpt_exit_sem(current);
	current->sysvsem.undo_list = list;
	return 0;
}

/*
 * Removes the object at an address, as IPC_RMID does, from whatever context. Another one that has its identifier by now is left alone.
 */
void ckpt_ipc_remove(struct ipc_namespace *ns, enum ckpt_ipc_kind kind, int id, unsigned long address)
{
	struct ipc_ids *ids = &ns->ids[kind];
	struct kern_ipc_perm *perm;

	down_write(&ids->rwsem);
	rcu_read_lock();
	perm = find(ids, id);
	if (!perm || (unsigned long)perm != address || !lock_object(kind, perm)) {
		rcu_read_unlock();
		up_write(&ids->rwsem);
		return;
	}
	/* These unlock the object and RCU. */
	if (kind == CKPT_IPC_SHM)
		ckpt_do_shm_rmid(ns, perm);
	else if (kind == CKPT_IPC_SEM)
		ckpt_freeary(ns, perm);
	else
		ckpt_freeque(ns, perm);
	up_write(&ids->rwsem);
}

/* The ipc namespace of a set, and that of the caller with a reference. */
struct ipc_namespace *ckpt_ipc_of(struct nsproxy *ns)
{
	return ns->ipc_ns;
}

struct ipc_namespace *ckpt_get_own_ipc(void)
{
	return get_ipc_ns(current->nsproxy->ipc_ns);
}
