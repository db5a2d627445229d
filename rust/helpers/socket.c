// SPDX-License-Identifier: GPL-2.0

#include <linux/net.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/security.h>
#include <linux/skbuff.h>
#include <linux/socket.h>
#include <linux/user_namespace.h>
#include <net/af_unix.h>
#include <net/scm.h>
#include <net/sock.h>
#include <net/tcp_states.h>
#include "net/unix/af_unix.h"

#include "helpers.h"
#include "symbol.h"

/* The socket behind an open file, or NULL. */
struct sock *ckpt_file_sock(struct file *f)
{
	struct socket *sock = sock_from_file(f);

	return sock ? sock->sk : NULL;
}

unsigned int ckpt_sock_family(const struct sock *sk)
{
	return sk->sk_family;
}

/* Time in microseconds as SO_RCVTIMEO and SO_SNDTIMEO count it; 0: waits for ever, U64_MAX: never waits. */
static u64 timeout_us(long timeout)
{
	if (timeout == MAX_SCHEDULE_TIMEOUT)
		return 0;
	return timeout ? mul_u64_u32_div(min(timeout, LONG_MAX / USEC_PER_SEC), USEC_PER_SEC, HZ) : U64_MAX;
}

static bool takes_stamps(struct sock *sk)
{
	return sock_flag(sk, SOCK_RCVTSTAMP) || sock_flag(sk, SOCK_RCVTSTAMPNS) || sock_flag(sk, SOCK_TSTAMP_NEW) ||
	       READ_ONCE(sk->sk_tsflags);
}

/* Whether a message lies there that has been read whole, and is kept for the out-of-band byte that came before it. */
static bool is_read(struct sock *sk, struct sk_buff *skb)
{
	return sk->sk_type == SOCK_STREAM && skb->len == UNIXCB(skb).consumed;
}

/* A reference to the open file of a socket, whose state is locked, or NULL. */
static struct file *get_file_of(struct sock *sk)
{
	/* A file that is about to be closed has a socket until that is an orphan, under the same lock. */
	if (sk->sk_socket && sk->sk_socket->file && file_ref_get(&sk->sk_socket->file->f_ref))
		return sk->sk_socket->file;
	return NULL;
}

/* sun_path of an address without the NUL at the end of a path, which may be the 109th byte: its length. */
static u32 copy_name(const struct unix_address *addr, u8 *out, size_t size)
{
	size_t len = addr->len - offsetof(struct sockaddr_un, sun_path);

	if (len && addr->name->sun_path[0])
		len = strnlen(addr->name->sun_path, min(len, size));
	memcpy(out, addr->name->sun_path, min(len, size));
	return len;
}

/* Its address. Its state is locked, under which a close takes the path away. */
static void read_address(struct sock *sk, const struct cred *viewer, struct ckpt_unix *out)
{
	const struct unix_address *addr = smp_load_acquire(&unix_sk(sk)->addr);
	struct path *path = &unix_sk(sk)->path;
	struct inode *inode;

	if (!addr)
		return;
	out->address = addr;
	out->name_len = copy_name(addr, out->name, sizeof(out->name));
	/* Names of their own are in the upper half of the table, or known by their inodes. */
	out->own_address = path->dentry ? !hlist_unhashed(&sk->sk_bind_node) : sk->sk_hash > UNIX_HASH_MOD;
	if (!path->dentry)
		return;
	out->path = *path;
	path_get(&out->path);
	out->unlinked = d_unlinked(out->path.dentry);
	inode = d_backing_inode(out->path.dentry);
	out->mode = inode->i_mode;
	out->uid = from_kuid(viewer->user_ns, inode->i_uid);
	out->gid = from_kgid(viewer->user_ns, inode->i_gid);
}

void ckpt_unix_put_path(struct path *path)
{
	path_put(path);
}

/* Address of the address that it listens at, or NULL. */
const void *ckpt_unix_listens_at(struct sock *sk)
{
	return READ_ONCE(sk->sk_state) == TCP_LISTEN ? smp_load_acquire(&unix_sk(sk)->addr) : NULL;
}

/* An address that nobody finds any more. */
struct late_address {
	struct rcu_head head;
	struct unix_address *addr;
};

static void free_late(struct rcu_head *head)
{
	struct late_address *late = container_of(head, struct late_address, head);

	kfree(late->addr);
	kfree(late);
}

/*
 * Gives a socket the text of an address. One that is bound to a path gets another text for it: relative, or by a symbolic link; it is
 * found by its inode. One that has no address is as if it had been bound: nobody finds it by the text. Nobody else may have the socket
 * yet.
 */
int ckpt_unix_set_name(struct sock *sk, const char *name, size_t len)
{
	struct unix_sock *u = unix_sk(sk);
	struct unix_address *addr, *old;
	struct late_address *late;
	size_t end = len && name[0];

	if (!len || len > sizeof(addr->name->sun_path))
		return -EINVAL;
	late = kmalloc_obj(*late);
	addr = kzalloc(sizeof(*addr) + offsetof(struct sockaddr_un, sun_path) + len + 1, GFP_KERNEL_ACCOUNT);
	if (!late || !addr) {
		kfree(late);
		kfree(addr);
		return -ENOMEM;
	}
	refcount_set(&addr->refcnt, 1);
	addr->len = offsetof(struct sockaddr_un, sun_path) + len + end;
	addr->name->sun_family = AF_UNIX;
	unsafe_memcpy(addr->name->sun_path, name, len, /* one more than sun_path was allocated */);
	mutex_lock(&u->bindlock);
	old = u->addr;
	if (old && !(u->path.dentry && end)) {
		mutex_unlock(&u->bindlock);
		kfree(late);
		kfree(addr);
		return -EINVAL;
	}
	unix_state_lock(sk);
	smp_store_release(&u->addr, addr);
	unix_state_unlock(sk);
	mutex_unlock(&u->bindlock);
	/* Who lists all sockets reads it without a lock, for a moment: let that pass, but do not wait for it. */
	if (old && refcount_dec_and_test(&old->refcnt)) {
		late->addr = old;
		call_rcu_tasks(&late->head, free_late);
	} else {
		kfree(late);
	}
	return 0;
}

/* Gives a connected socket without an address that of a listening one, as accept(2) does. Nobody else may have the first yet. */
int ckpt_unix_share_address(struct sock *sk, struct sock *listener)
{
	struct unix_sock *u = unix_sk(sk), *from = unix_sk(listener);
	int ret = -EINVAL;

	if (sk == listener)
		return ret;
	mutex_lock(&u->bindlock);
	/* What listens has an address for good. */
	if (!u->addr && unix_peer(sk) && READ_ONCE(listener->sk_state) == TCP_LISTEN) {
		struct unix_address *addr = smp_load_acquire(&from->addr);

		if (from->path.dentry) {
			path_get(&from->path);
			u->path = from->path;
		}
		refcount_inc(&addr->refcnt);
		smp_store_release(&u->addr, addr);
		ret = 0;
	}
	mutex_unlock(&u->bindlock);
	return ret;
}

/*
 * What a Unix socket is like. Process ids are of @pids, users and groups those that @viewer knows. out->peer_file and
 * out->waits_at are references, or NULL; so is out->path.
 */
void ckpt_unix_state(struct sock *sk, struct pid_namespace *pids, const struct cred *viewer, struct ckpt_unix *out)
{
	struct unix_sock *u = unix_sk(sk);
	struct sk_buff *skb;
	struct sock *peer, *listener = NULL;

	memset(out, 0, sizeof(*out));
	unix_state_lock(sk);
	out->type = sk->sk_type;
	out->listening = sk->sk_state == TCP_LISTEN;
	out->shutdown = sk->sk_shutdown;
	out->error = sk->sk_err;
	out->sndbuf = sk->sk_sndbuf;
	out->rcvbuf = sk->sk_rcvbuf;
	out->rcvlowat = sk->sk_rcvlowat;
	out->peek_off = sk->sk_peek_off;
	out->rcvtimeo_us = timeout_us(sk->sk_rcvtimeo);
	out->sndtimeo_us = timeout_us(sk->sk_sndtimeo);
	out->options = (sk->sk_scm_credentials ? CKPT_UNIX_PASSCRED : 0) |
		       (sk->sk_scm_security ? CKPT_UNIX_PASSSEC : 0) |
		       (sk->sk_scm_pidfd ? CKPT_UNIX_PASSPIDFD : 0) |
		       (sk->sk_scm_rights ? CKPT_UNIX_PASSRIGHTS : 0) |
		       (u->recvmsg_inq ? CKPT_UNIX_INQ : 0) |
		       (u->scm_rights_notrunc ? CKPT_UNIX_RIGHTS_NOTRUNC : 0) |
		       (sock_flag(sk, SOCK_URGINLINE) ? CKPT_UNIX_OOBINLINE : 0);
	out->backlog = sk->sk_max_ack_backlog;
	out->unusual = rcu_access_pointer(sk->sk_filter) || sk->sk_user_data || takes_stamps(sk);
	out->net = sock_net(sk);
	peer = unix_peer(sk);
	if (peer)
		sock_hold(peer);
	read_address(sk, viewer, out);
	unix_state_unlock(sk);

	spin_lock(&sk->sk_receive_queue.lock);
	skb_queue_walk(&sk->sk_receive_queue, skb)
		out->messages += out->listening || !is_read(sk, skb);
	spin_unlock(&sk->sk_receive_queue.lock);

	spin_lock(&sk->sk_peer_lock);
	out->peer_pid = pid_nr_ns(sk->sk_peer_pid, pids);
	out->peer_uid = sk->sk_peer_cred ? from_kuid(viewer->user_ns, sk->sk_peer_cred->euid) : -1;
	out->peer_gid = sk->sk_peer_cred ? from_kgid(viewer->user_ns, sk->sk_peer_cred->egid) : -1;
	spin_unlock(&sk->sk_peer_lock);

	if (!peer)
		return;
	out->peer = peer;
	unix_state_lock(peer);
	out->peer_closed = sock_flag(peer, SOCK_DEAD);
	out->mutual = unix_peer(peer) == sk;
	out->peer_file = get_file_of(peer);
	/* It waits there to be accepted: the queue of that, which is emptied under this lock, keeps both. */
	if (!out->peer_closed && !peer->sk_socket)
		listener = unix_sk(peer)->listener;
	if (listener)
		sock_hold(listener);
	unix_state_unlock(peer);
	if (listener) {
		unix_state_lock(listener);
		out->waits_at = get_file_of(listener);
		unix_state_unlock(listener);
		sock_put(listener);
	}
	sock_put(peer);
}

/* The message at a place of the queue with a reference, or NULL. */
static struct sk_buff *get_message(struct sock *sk, unsigned int nth)
{
	struct sk_buff *skb, *found = NULL;

	spin_lock(&sk->sk_receive_queue.lock);
	skb_queue_walk(&sk->sk_receive_queue, skb)
		if (!is_read(sk, skb) && !nth--) {
			found = skb_get(skb);
			break;
		}
	spin_unlock(&sk->sk_receive_queue.lock);
	return found;
}

/*
 * What waits at a place of the queue; up to @size bytes of it go to @buf. Process ids, users and groups are those that @viewer
 * knows. -ENOENT behind the last.
 */
int ckpt_unix_message(struct sock *sk, unsigned int nth, struct task_struct *viewer, void *buf, size_t size,
		      struct ckpt_message *out)
{
	struct sk_buff *skb = get_message(sk, nth);
	unsigned int from;
	int ret = 0;

	memset(out, 0, sizeof(*out));
	if (!skb)
		return -ENOENT;
	from = sk->sk_type == SOCK_STREAM ? UNIXCB(skb).consumed : 0;
	out->sender = skb->sk;
	/* What it has sent keeps the memory of a socket, also of a closed one. */
	if (skb->sk) {
		const struct unix_address *addr = smp_load_acquire(&unix_sk(skb->sk)->addr);

		if (addr)
			out->name_len = copy_name(addr, out->name, sizeof(out->name));
		unix_state_lock(skb->sk);
		out->sender_file = get_file_of(skb->sk);
		unix_state_unlock(skb->sk);
	}
#if IS_ENABLED(CONFIG_AF_UNIX_OOB)
	out->oob = READ_ONCE(unix_sk(sk)->oob_skb) == skb;
#endif
	out->length = skb->len - from;
	/* Those of a process that nobody knows have no pid. */
	if (UNIXCB(skb).pid || uid_valid(UNIXCB(skb).uid)) {
		const struct cred *cred = get_task_cred(viewer);
		struct pid_namespace *pids;

		out->has_cred = true;
		rcu_read_lock();
		pids = task_active_pid_ns(viewer);
		out->pid = pids ? pid_nr_ns(UNIXCB(skb).pid, pids) : 0;
		rcu_read_unlock();
		out->uid = from_kuid(cred->user_ns, UNIXCB(skb).uid);
		out->gid = from_kgid(cred->user_ns, UNIXCB(skb).gid);
		put_cred(cred);
	}
	if (size)
		ret = skb_copy_bits(skb, from, buf, min_t(size_t, size, out->length));
	consume_skb(skb);
	return ret;
}

/*
 * References to the open files that are on their way in the message at a place of the queue, up to @max; how many. -ENOENT behind the
 * last.
 */
int ckpt_unix_files(struct sock *sk, unsigned int nth, struct file **out, int max)
{
	struct sk_buff *skb = get_message(sk, nth);
	struct scm_fp_list *fp;
	int ret;

	if (!skb)
		return -ENOENT;
	/* Who takes the files from a message of a stream does so under this lock. */
	ret = mutex_lock_killable(&unix_sk(sk)->iolock);
	if (!ret) {
		fp = UNIXCB(skb).fp;
		for (; fp && ret < fp->count && ret < max; ret++)
			out[ret] = get_file(fp->fp[ret]);
		mutex_unlock(&unix_sk(sk)->iolock);
	}
	consume_skb(skb);
	return ret;
}

/* Open files on their way in the messages of a socket, or of those that wait at it to be accepted. */
unsigned int ckpt_unix_flying(struct sock *sk)
{
	unsigned int count = atomic_read(&unix_sk(sk)->scm_stat.nr_fds);
	struct sk_buff *skb;

	if (READ_ONCE(sk->sk_state) != TCP_LISTEN)
		return count;
	spin_lock(&sk->sk_receive_queue.lock);
	skb_queue_walk(&sk->sk_receive_queue, skb)
		count += atomic_read(&unix_sk(skb->sk)->scm_stat.nr_fds);
	spin_unlock(&sk->sk_receive_queue.lock);
	return count;
}

/* A reference to the socket that waits at a place of the queue of a listening one to be accepted, or NULL. */
struct sock *ckpt_unix_waiting(struct sock *sk, unsigned int nth)
{
	struct sock *found = NULL;
	struct sk_buff *skb;

	if (READ_ONCE(sk->sk_state) != TCP_LISTEN)
		return NULL;
	spin_lock(&sk->sk_receive_queue.lock);
	skb_queue_walk(&sk->sk_receive_queue, skb)
		if (!nth--) {
			found = skb->sk;
			sock_hold(found);
			break;
		}
	spin_unlock(&sk->sk_receive_queue.lock);
	return found;
}

/* A reference to the other end, or NULL. */
struct sock *ckpt_unix_peer(struct sock *sk)
{
	return unix_peer_get(sk);
}

/* Whether a socket waits at that one to be accepted. */
bool ckpt_unix_waits_at(struct sock *sk, struct sock *listener)
{
	bool ret;

	/* accept(2) takes it away under this lock. */
	unix_state_lock(sk);
	ret = unix_sk(sk)->listener == listener;
	unix_state_unlock(sk);
	return ret;
}

void ckpt_sock_hold(struct sock *sk)
{
	sock_hold(sk);
}

void ckpt_sock_put(struct sock *sk)
{
	sock_put(sk);
}

/* As the kernel does when a datagram socket gets another peer: it does not wait for room at the old one any more. */
static void forget_room(struct sock *sk, struct sock *old)
{
	struct unix_sock *u = unix_sk(sk), *from = unix_sk(old);

	spin_lock(&from->peer_wait.lock);
	if (u->peer_wake.private == old) {
		__remove_wait_queue(&from->peer_wait, &u->peer_wake);
		u->peer_wake.private = NULL;
	}
	spin_unlock(&from->peer_wait.lock);
}

/* Has a datagram socket send to @other, or to nobody: the peer that it had, with its reference. */
static struct sock *point(struct sock *sk, struct sock *other)
{
	struct sock *old;

	if (other)
		sock_hold(other);
	unix_state_lock(sk);
	old = unix_peer(sk);
	if (old && old != other && sk->sk_type == SOCK_DGRAM)
		forget_room(sk, old);
	unix_peer(sk) = other;
	unix_state_unlock(sk);
	return old;
}

static void point_back(struct sock *sk, struct sock *old)
{
	struct sock *other = point(sk, old);

	if (old)
		sock_put(old);
	if (other)
		sock_put(other);
}

/* Whether a socket may be made the peer of another one: as connect(2) asks. */
static int may_send(struct sock *sk, struct sock *other)
{
	if (sk->sk_type != SOCK_DGRAM || other->sk_type != SOCK_DGRAM || sock_net(sk) != sock_net(other) || !sk->sk_socket ||
	    !other->sk_socket)
		return -EINVAL;
	return security_unix_may_send(sk->sk_socket, other->sk_socket);
}

/*
 * Connects a datagram socket to another one, as connect(2) does by a name, which the other one need not have. Nobody else may have the
 * first yet.
 */
int ckpt_unix_connect(struct sock *sk, struct sock *other)
{
	int ret = may_send(sk, other);

	if (ret)
		return ret;
	unix_state_lock(other);
	WRITE_ONCE(other->sk_state, TCP_ESTABLISHED);
	unix_state_unlock(other);
	WRITE_ONCE(sk->sk_state, TCP_ESTABLISHED);
	other = point(sk, other);
	if (other)
		sock_put(other);
	return 0;
}

/*
 * One socket may send again as much as this, however little it may send later; for a caller who could not set it by SO_SNDBUFFORCE,
 * as much as anybody may set.
 */
#define SEND_MAX (256 << 20)

static int send_max(const struct sock *sk)
{
	if (ns_capable(sock_net(sk)->user_ns, CAP_NET_ADMIN))
		return SEND_MAX;
	/* What is set is doubled. */
	return 2 * min_t(u32, READ_ONCE(sysctl_wmem_max), SEND_MAX / 2);
}

/* What a socket is like while a message is sent again: with room, open, and without credentials that nobody asked for. */
struct plain {
	int sndbuf;
	u8 shutdown, recv_flags;
};

static struct plain make_plain(struct sock *sk)
{
	struct plain was = { sk->sk_sndbuf, sk->sk_shutdown, sk->sk_scm_recv_flags };

	WRITE_ONCE(sk->sk_sndbuf, max(was.sndbuf, send_max(sk)));
	WRITE_ONCE(sk->sk_shutdown, 0);
	sk->sk_scm_recv_flags = 0;
	sk->sk_scm_rights = 1;
	return was;
}

static void make_as_it_was(struct sock *sk, const struct plain *was)
{
	WRITE_ONCE(sk->sk_sndbuf, was->sndbuf);
	WRITE_ONCE(sk->sk_shutdown, was->shutdown);
	sk->sk_scm_recv_flags = was->recv_flags;
}

/* The last message is from a process that nobody knows. */
static void forget_sender(struct sock *from, struct sock *to)
{
	struct pid *pid = NULL;
	struct sk_buff *skb;

	spin_lock(&to->sk_receive_queue.lock);
	skb = skb_peek_tail(&to->sk_receive_queue);
	if (skb && skb->sk == from)
		swap(UNIXCB(skb).pid, pid);
	spin_unlock(&to->sk_receive_queue.lock);
	put_pid(pid);
}

static size_t put_control(void *at, int type, const void *data, size_t len)
{
	struct cmsghdr *header = at;

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = type;
	header->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(header), data, len);
	return CMSG_SPACE(len);
}

/*
 * Sends a message from one socket to another one, as sendmsg(2) of the caller does to the peer; a datagram may go to any. Nobody else may
 * use them yet.
 */
ssize_t ckpt_unix_send(struct file *from, struct sock *to, const struct ckpt_sending *what)
{
	struct kvec vec = { .iov_base = (void *)what->bytes, .iov_len = what->len };
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL | (what->oob ? MSG_OOB : 0) };
	struct socket *sock = sock_from_file(from);
	struct sock *sk = sock ? sock->sk : NULL, *peer, *theirs = NULL;
	struct plain was, other;
	ssize_t ret;

	if (!sk || sk->sk_family != AF_UNIX || to->sk_family != AF_UNIX || what->files > SCM_MAX_FD)
		return -EINVAL;
	peer = unix_peer_get(sk);
	if (peer)
		sock_put(peer);
	if (peer != to) {
		ret = may_send(sk, to);
		if (ret)
			return ret;
	}
	msg.msg_control = kzalloc(CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(SCM_MAX_FD * sizeof(int)), GFP_KERNEL);
	if (!msg.msg_control)
		return -ENOMEM;
	if (what->cred) {
		struct ucred cred = *what->cred;

		if (what->unknown)
			cred.pid = task_tgid_vnr(current);
		msg.msg_controllen = put_control(msg.msg_control, SCM_CREDENTIALS, &cred, sizeof(cred));
	}
	if (what->files)
		msg.msg_controllen += put_control(msg.msg_control + msg.msg_controllen, SCM_RIGHTS, what->fds,
						  what->files * sizeof(*what->fds));
	/* Any length of the queue is right between two that are connected to each other. */
	if (sk->sk_type == SOCK_DGRAM) {
		peer = point(sk, to);
		if (to != sk)
			theirs = point(to, sk);
	}
	was = make_plain(sk);
	other = make_plain(to);
	ret = kernel_sendmsg(sock, &msg, &vec, 1, what->len);
	make_as_it_was(to, &other);
	make_as_it_was(sk, &was);
	if (sk->sk_type == SOCK_DGRAM) {
		if (to != sk)
			point_back(to, theirs);
		point_back(sk, peer);
	}
	if (ret >= 0 && what->cred && what->unknown)
		forget_sender(sk, to);
	kfree(msg.msg_control);
	return ret;
}

/* Has a socket that is not accepted yet take what comes with messages (CKPT_UNIX_*). */
void ckpt_unix_set_options(struct sock *sk, u32 options)
{
	unix_state_lock(sk);
	sk->sk_scm_credentials = !!(options & CKPT_UNIX_PASSCRED);
	sk->sk_scm_security = !!(options & CKPT_UNIX_PASSSEC);
	sk->sk_scm_pidfd = !!(options & CKPT_UNIX_PASSPIDFD);
	sk->sk_scm_rights = !!(options & CKPT_UNIX_PASSRIGHTS);
	unix_sk(sk)->scm_rights_notrunc = !!(options & CKPT_UNIX_RIGHTS_NOTRUNC);
	unix_state_unlock(sk);
}

/*
 * The number of a process for a socket or a message, or NULL: it is known to pidfs, as the kernel does, so that there is a pidfd of it
 * also when it has been reaped. Who has been reaped already is nobody known.
 */
static struct pid *get_known_pid(struct task_struct *task)
{
	struct pid *pid = task ? get_task_pid(task, PIDTYPE_TGID) : NULL;

	if (ckpt_pidfs_register_pid_gfp(pid, GFP_KERNEL | __GFP_NOFAIL)) {
		put_pid(pid);
		pid = NULL;
	}
	return pid;
}

/*
 * Has the message at a place of the queue say that the process of @task (or NULL: nobody known) has sent it, with the user and group that
 * it has now.
 */
void ckpt_unix_set_sender(struct sock *sk, unsigned int nth, struct task_struct *task)
{
	struct sk_buff *skb = get_message(sk, nth);
	struct pid *pid = get_known_pid(task);
	const struct cred *cred = task ? get_task_cred(task) : NULL;

	if (skb) {
		spin_lock(&sk->sk_receive_queue.lock);
		swap(UNIXCB(skb).pid, pid);
		UNIXCB(skb).uid = cred ? cred->uid : INVALID_UID;
		UNIXCB(skb).gid = cred ? cred->gid : INVALID_GID;
		spin_unlock(&sk->sk_receive_queue.lock);
		consume_skb(skb);
	}
	put_pid(pid);
	put_cred(cred);
}

/* An error that the socket reports once. */
void ckpt_unix_set_error(struct sock *sk, int error)
{
	WRITE_ONCE(sk->sk_err, error);
}

/*
 * Has the socket say that its peer is @pid (of that process, or NULL: nobody known) with the credentials of @as (or NULL: nobody).
 */
void ckpt_unix_set_peer(struct sock *sk, struct task_struct *peer, struct task_struct *as)
{
	struct pid *pid = get_known_pid(peer);
	const struct cred *cred = as ? get_task_cred(as) : NULL;

	spin_lock(&sk->sk_peer_lock);
	swap(sk->sk_peer_pid, pid);
	swap(sk->sk_peer_cred, cred);
	spin_unlock(&sk->sk_peer_lock);
	put_pid(pid);
	put_cred(cred);
}
