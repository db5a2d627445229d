// SPDX-License-Identifier: GPL-2.0

#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/tty.h>
#include <linux/tty_buffer.h>
#include <linux/tty_driver.h>
#include <linux/tty_flip.h>
#include <linux/tty_ldisc.h>
#include <linux/workqueue.h>

#include "helpers.h"
#include "symbol.h"

/* struct n_tty_data, as in drivers/tty/n_tty.c. */
#define N_TTY_BUF_SIZE 4096
#include "rust/helpers/n_tty_data.h"

/* Unix98 pairs; the others (BSD) are gone from distributions. */
static bool is_end(const struct tty_struct *tty, int major, int subtype)
{
	return tty->driver->type == TTY_DRIVER_TYPE_PTY && tty->driver->subtype == subtype &&
	       tty->driver->major == major;
}

static bool is_master(const struct tty_struct *tty)
{
	return is_end(tty, UNIX98_PTY_MASTER_MAJOR, PTY_TYPE_MASTER);
}

static bool is_slave(const struct tty_struct *tty)
{
	return is_end(tty, UNIX98_PTY_SLAVE_MAJOR, PTY_TYPE_SLAVE);
}

/* The terminal behind an open file, which keeps it; NULL for everything else. */
static struct tty_struct *tty_of(const struct file *f)
{
	static const enum ckpt_address_index drivers[] = {
		CKPT_ADDRESS_tty_fops, CKPT_ADDRESS_ptmx_fops, CKPT_ADDRESS_console_fops, CKPT_ADDRESS_hung_up_tty_fops,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(drivers); i++)
		if ((unsigned long)f->f_op == ckpt_address[drivers[i]])
			return ((struct tty_file_private *)f->private_data)->tty;
	return NULL;
}

/* Whether it has the line discipline that all begin with, and none of its settings is locked. A hung-up one has none. */
static bool is_plain(struct tty_struct *tty)
{
	struct tty_ldisc *ldisc = tty_ldisc_ref(tty);
	bool plain = !ldisc || ldisc->ops->num == N_TTY;

	if (ldisc)
		tty_ldisc_deref(ldisc);
	return plain && !memchr_inv(&tty->termios_locked, 0, sizeof(tty->termios_locked));
}

/* False for what is no terminal. */
bool ckpt_tty(struct file *f, struct ckpt_tty *out)
{
	struct tty_struct *tty = tty_of(f), *master, *slave;

	if (!tty)
		return false;
	*out = (struct ckpt_tty){ .address = (unsigned long)tty };
	out->hung_up = (unsigned long)f->f_op == ckpt_address[CKPT_ADDRESS_hung_up_tty_fops];
	out->master = is_master(tty);
	if (!out->master && !is_slave(tty))
		return true;
	/* Each keeps the other. */
	master = out->master ? tty : tty->link;
	slave = master->link;
	out->pair = (unsigned long)master;
	out->index = tty->index;
	out->masters = master->count;
	/* The master counts as one. */
	out->slaves = slave->count - (master->count > 0);
	out->plain = is_plain(master) && is_plain(slave);
	return true;
}

/* The session of the slave of a master, as its number in @ns; 0 without one. */
int ckpt_pty_session(struct file *master, struct pid_namespace *ns)
{
	struct tty_struct *slave = tty_of(master)->link;
	int session;

	spin_lock_irq(&slave->ctrl.lock);
	session = slave->ctrl.session ? pid_nr_ns(slave->ctrl.session, ns) ?: -1 : 0;
	spin_unlock_irq(&slave->ctrl.lock);
	return session;
}

/* The controlling terminal of a task; false when it has none. */
bool ckpt_task_tty(struct task_struct *t, struct ckpt_task_tty *out)
{
	struct tty_struct *tty = NULL;
	unsigned long flags;

	*out = (struct ckpt_task_tty){};
	if (!ckpt_lock_task_sighand(t, &flags))
		return false;
	tty = tty_kref_get(t->signal->tty);
	if (tty) {
		spin_lock(&tty->ctrl.lock);
		out->foreground = tty->ctrl.pgrp && tty->ctrl.pgrp == task_pgrp(t);
		out->of_session = tty->ctrl.session && tty->ctrl.session == task_session(t);
		spin_unlock(&tty->ctrl.lock);
		/* As long as the session has it, the other end has not been released. */
		if (is_slave(tty) && tty->link->count > 0)
			out->pair = (unsigned long)tty->link;
		scnprintf(out->name, sizeof(out->name), "tty:%s", tty->name);
	}
	unlock_task_sighand(t, &flags);
	if (!tty)
		return false;
	tty_kref_put(tty);
	return true;
}

/* Owner and permissions of /dev/pts/N. The master, which is open, keeps it. */
void ckpt_pty_node(struct file *master, const struct cred *viewer, struct ckpt_pty_node *out)
{
	const struct inode *inode = d_inode((struct dentry *)tty_of(master)->link->driver_data);

	out->mode = inode->i_mode & S_IALLUGO;
	out->uid = from_kuid(viewer->user_ns, inode->i_uid);
	out->gid = from_kgid(viewer->user_ns, inode->i_gid);
}

/* What is written next, and what is read next. */
struct cursor {
	u8 *at;
	u8 *end;
};

static int put(struct cursor *out, const void *bytes, size_t n)
{
	if (n > out->end - out->at)
		return -E2BIG;
	memcpy(out->at, bytes, n);
	out->at += n;
	return 0;
}

/* What the line discipline has not given to a reader yet; the number of bytes. */
static int save_read(const struct n_tty_data *n_tty, struct cursor *out)
{
	size_t count = min_t(size_t, n_tty->read_head - n_tty->read_tail, N_TTY_BUF_SIZE);
	size_t tail = n_tty->read_tail % N_TTY_BUF_SIZE, first = min(count, N_TTY_BUF_SIZE - tail);

	if (put(out, n_tty->read_buf + tail, first) || put(out, n_tty->read_buf, count - first))
		return -E2BIG;
	return count;
}

static int save_marks(const struct n_tty_data *n_tty, unsigned int count, struct cursor *out)
{
	unsigned int i;

	if (DIV_ROUND_UP(count, 8) > out->end - out->at)
		return -E2BIG;
	memset(out->at, 0, DIV_ROUND_UP(count, 8));
	for (i = 0; i < count; i++)
		if (test_bit((n_tty->read_tail + i) % N_TTY_BUF_SIZE, n_tty->read_flags))
			out->at[i / 8] |= 1 << i % 8;
	out->at += DIV_ROUND_UP(count, 8);
	return 0;
}

/* What the line discipline has no room for; with the lock of the buffers held. */
static int save_flip(const struct tty_port *port, struct cursor *out)
{
	const struct tty_buffer *b;
	int count = 0;

	for (b = port->buf.head; b; b = b->next) {
		if (put(out, b->data + b->read, b->commit - b->read))
			return -E2BIG;
		count += b->commit - b->read;
	}
	return count;
}

/* With output_lock held. The oldest that would not fit is lost to the kernel itself. */
static int save_echo(const struct n_tty_data *n_tty, struct ckpt_pty *state, struct cursor *out)
{
	size_t tail = n_tty->echo_tail, i;

	if (n_tty->echo_head - tail >= N_TTY_BUF_SIZE)
		tail = n_tty->echo_head - N_TTY_BUF_SIZE + 1;
	state->echo = n_tty->echo_head - tail;
	state->echo_commit = n_tty->echo_commit - tail > state->echo ? 0 : n_tty->echo_commit - tail;
	state->echo_mark = n_tty->echo_mark - tail > state->echo ? 0 : n_tty->echo_mark - tail;
	for (i = tail; i != n_tty->echo_head; i++)
		if (put(out, n_tty->echo_buf + i % N_TTY_BUF_SIZE, 1))
			return -E2BIG;
	return 0;
}

static int save_slave(struct tty_struct *slave, struct n_tty_data *n_tty, struct ckpt_pty *state, struct cursor *out)
{
	int ret = n_tty ? save_read(n_tty, out) : 0;

	if (ret < 0)
		return ret;
	state->slave_read = ret;
	if (n_tty && save_marks(n_tty, ret, out))
		return -E2BIG;
	ret = save_flip(slave->port, out);
	if (ret < 0)
		return ret;
	state->slave_flip = ret;
	if (!n_tty)
		return 0;
	state->lookahead = min_t(size_t, n_tty->lookahead_count, ret);
	if (n_tty->icanon)
		state->canon_head = min_t(size_t, n_tty->canon_head - n_tty->read_tail, state->slave_read);
	state->flags |= (n_tty->lnext ? CKPT_PTY_LITERAL_NEXT : 0) | (n_tty->erasing ? CKPT_PTY_ERASING : 0) |
			(n_tty->push ? CKPT_PTY_PUSHED : 0);
	guard(mutex)(&n_tty->output_lock);
	state->column = n_tty->column;
	state->canon_column = n_tty->canon_column;
	return save_echo(n_tty, state, out);
}

static void save_settings(struct tty_struct *master, struct tty_struct *slave, struct ckpt_pty *state)
{
	const struct {
		bool set;
		unsigned int flag;
	} flags[] = {
		{ test_bit(TTY_PTY_LOCK, &master->flags), CKPT_PTY_LOCKED },
		{ master->ctrl.packet, CKPT_PTY_PACKET },
		{ test_bit(TTY_EXCLUSIVE, &master->flags), CKPT_PTY_MASTER_EXCLUSIVE },
		{ test_bit(TTY_EXCLUSIVE, &slave->flags), CKPT_PTY_SLAVE_EXCLUSIVE },
		{ master->flow.stopped, CKPT_PTY_MASTER_STOPPED },
		{ master->flow.tco_stopped, CKPT_PTY_MASTER_OFF },
		{ slave->flow.stopped, CKPT_PTY_SLAVE_STOPPED },
		{ slave->flow.tco_stopped, CKPT_PTY_SLAVE_OFF },
		{ test_bit(TTY_OTHER_CLOSED, &master->flags), CKPT_PTY_SLAVE_CLOSED },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].set)
			state->flags |= flags[i].flag;
	state->packet_status = slave->ctrl.pktstatus;
	state->winsize = slave->winsize;
	state->termios = slave->termios;
}

/*
 * The pair of a master, and in @buf what struct pty of the statefile has behind its path; its length. Nobody may read or write
 * it. What can be taken by the line disciplines is, before.
 */
int ckpt_pty_save(struct file *f, struct ckpt_pty *state, u8 *buf, size_t size)
{
	struct tty_struct *master = tty_of(f), *slave = master->link;
	struct cursor out = { buf, buf + size };
	struct tty_ldisc *of_master, *of_slave;
	int ret = -EIO;

	*state = (struct ckpt_pty){ .index = master->index };
	/* What the slave takes may be echoed to the master. */
	flush_work(&slave->port->buf.work);
	flush_work(&master->port->buf.work);
	of_slave = tty_ldisc_ref_wait(slave);
	of_master = tty_ldisc_ref_wait(master);
	if (of_master && of_master->ops->num == N_TTY && (!of_slave || of_slave->ops->num == N_TTY)) {
		/* As the kernel nests them: an interrupt character flushes the other end. */
		guard(mutex)(&slave->port->buf.lock);
		guard(mutex)(&master->port->buf.lock);
		guard(rwsem_read)(&slave->termios_rwsem);
		guard(rwsem_read)(&master->termios_rwsem);
		save_settings(master, slave, state);
		ret = save_read(master->disc_data, &out);
		state->master_read = ret;
		ret = ret < 0 ? ret : save_flip(master->port, &out);
		state->master_flip = ret;
		ret = ret < 0 ? ret : save_slave(slave, of_slave ? slave->disc_data : NULL, state, &out);
	}
	if (of_master)
		tty_ldisc_deref(of_master);
	if (of_slave)
		tty_ldisc_deref(of_slave);
	return ret < 0 ? ret : out.at - buf;
}

/* What save_read() has taken. */
static void fill_read(struct n_tty_data *n_tty, const u8 *bytes, unsigned int count)
{
	memcpy(n_tty->read_buf, bytes, count);
	n_tty->read_tail = 0;
	n_tty->line_start = 0;
	n_tty->read_head = count;
	n_tty->commit_head = count;
}

/* What save_flip() has taken, of which @lookahead bytes have been searched for flow control. */
static int fill_flip(struct tty_port *port, const u8 *bytes, size_t count, size_t lookahead)
{
	int limit = port->buf.mem_limit;
	struct tty_buffer *b;
	size_t done;

	if (!count)
		return 0;
	scoped_guard(mutex, &port->buf.lock) {
		guard(spinlock_irqsave)(&port->lock);
		/* It was less while the bytes came in other parts. */
		tty_buffer_set_limit(port, SZ_256K);
		done = tty_insert_flip_string(port, bytes, count);
		tty_buffer_set_limit(port, limit);
		for (b = port->buf.head; b && lookahead; b = b->next) {
			size_t n = min_t(size_t, lookahead, b->used - b->read);

			b->lookahead = b->read + n;
			lookahead -= n;
		}
		tty_flip_buffer_push(port);
	}
	return done == count ? 0 : -ENOMEM;
}

static void fill_slave(struct n_tty_data *n_tty, const struct ckpt_pty *state, const u8 *bytes, const u8 *marks,
		       const u8 *echo)
{
	unsigned int i;

	fill_read(n_tty, bytes, state->slave_read);
	for (i = 0; i < state->slave_read; i++)
		if (marks[i / 8] & 1 << i % 8)
			set_bit(i, n_tty->read_flags);
	n_tty->canon_head = n_tty->icanon ? state->canon_head : 0;
	n_tty->lookahead_count = state->lookahead;
	n_tty->lnext = !!(state->flags & CKPT_PTY_LITERAL_NEXT);
	n_tty->erasing = !!(state->flags & CKPT_PTY_ERASING);
	n_tty->push = !!(state->flags & CKPT_PTY_PUSHED);
	guard(mutex)(&n_tty->output_lock);
	n_tty->column = state->column;
	n_tty->canon_column = state->canon_column;
	memcpy(n_tty->echo_buf, echo, state->echo);
	n_tty->echo_tail = 0;
	n_tty->echo_head = state->echo;
	n_tty->echo_commit = state->echo_commit;
	n_tty->echo_mark = state->echo_mark;
}

static void stop(struct tty_struct *tty, bool stopped, bool off)
{
	if (stopped)
		stop_tty(tty);
	if (off) {
		guard(spinlock_irq)(&tty->flow.lock);
		tty->flow.tco_stopped = true;
	}
}

/* Fills a new pair, the settings of which are there, with what ckpt_pty_save() has taken. -EINVAL when it does not fit together. */
int ckpt_pty_fill(struct file *f, const struct ckpt_pty *state, const u8 *bytes, size_t size)
{
	size_t marks = DIV_ROUND_UP(state->slave_read, 8);
	struct tty_struct *master = tty_of(f), *slave;
	struct tty_ldisc *of_master, *of_slave;
	const u8 *at[6] = { bytes };
	int ret = -EIO;

	if (!master || !is_master(master))
		return -EINVAL;
	slave = master->link;
	if (state->master_read > N_TTY_BUF_SIZE || state->slave_read > N_TTY_BUF_SIZE || state->echo >= N_TTY_BUF_SIZE ||
	    state->echo_commit > state->echo || state->echo_mark > state->echo || state->canon_head > state->slave_read ||
	    state->lookahead > state->slave_flip || state->master_flip > SZ_64K || state->slave_flip > SZ_64K ||
	    size != (size_t)state->master_read + state->master_flip + state->slave_read + marks + state->slave_flip +
			    state->echo)
		return -EINVAL;
	at[1] = at[0] + state->master_read;
	at[2] = at[1] + state->master_flip;
	at[3] = at[2] + state->slave_read;
	at[4] = at[3] + marks;
	at[5] = at[4] + state->slave_flip;

	of_slave = tty_ldisc_ref_wait(slave);
	of_master = tty_ldisc_ref_wait(master);
	if (of_master && of_slave && of_master->ops->num == N_TTY && of_slave->ops->num == N_TTY) {
		scoped_guard(rwsem_write, &master->termios_rwsem)
			fill_read(master->disc_data, at[0], state->master_read);
		scoped_guard(rwsem_write, &slave->termios_rwsem)
			fill_slave(slave->disc_data, state, at[2], at[3], at[5]);
		stop(master, state->flags & CKPT_PTY_MASTER_STOPPED, state->flags & CKPT_PTY_MASTER_OFF);
		stop(slave, state->flags & CKPT_PTY_SLAVE_STOPPED, state->flags & CKPT_PTY_SLAVE_OFF);
		ret = fill_flip(master->port, at[1], state->master_flip, 0);
		ret = ret ?: fill_flip(slave->port, at[4], state->slave_flip, state->lookahead);
	}
	if (of_master)
		tty_ldisc_deref(of_master);
	if (of_slave)
		tty_ldisc_deref(of_slave);
	return ret;
}

/* Sets what would be in the way of those who open the pair, and what others who change it would change. */
void ckpt_pty_finish(struct file *f, unsigned int flags, unsigned int packet_status)
{
	struct tty_struct *master = tty_of(f), *slave = master->link;

	if (flags & CKPT_PTY_MASTER_EXCLUSIVE)
		set_bit(TTY_EXCLUSIVE, &master->flags);
	if (flags & CKPT_PTY_SLAVE_EXCLUSIVE)
		set_bit(TTY_EXCLUSIVE, &slave->flags);
	if (flags & CKPT_PTY_LOCKED)
		set_bit(TTY_PTY_LOCK, &master->flags);
	scoped_guard(spinlock_irq, &slave->ctrl.lock)
		slave->ctrl.pktstatus = packet_status;
	scoped_guard(spinlock_irq, &master->ctrl.lock)
		master->ctrl.packet = !!(flags & CKPT_PTY_PACKET);
}

/*
 * As fork() would have: the slave of @master becomes the controlling terminal of the caller, whose session has it. Its process
 * group is of that session, and may be the foreground one: TIOCSPGRP would need a free descriptor.
 */
int ckpt_adopt_tty(struct file *master, bool foreground)
{
	struct tty_struct *slave = tty_of(master)->link;
	int ret = -EPERM;

	spin_lock_irq(&current->sighand->siglock);
	spin_lock(&slave->ctrl.lock);
	if (current->signal->tty == slave) {
		ret = 0;
	} else if (!current->signal->tty && slave->ctrl.session && slave->ctrl.session == task_session(current)) {
		current->signal->tty = tty_kref_get(slave);
		ret = 0;
	}
	if (!ret && foreground) {
		put_pid(slave->ctrl.pgrp);
		slave->ctrl.pgrp = get_pid(task_pgrp(current));
	}
	spin_unlock(&slave->ctrl.lock);
	spin_unlock_irq(&current->sighand->siglock);
	return ret;
}

static bool is_of_own_session(struct tty_struct *tty)
{
	bool own;

	spin_lock(&tty->ctrl.lock);
	own = tty->ctrl.session && tty->ctrl.session == task_session(current);
	spin_unlock(&tty->ctrl.lock);
	return own;
}

/* Opens /dev/tty as if the slave of @master were the caller's controlling terminal, which it need not be yet. */
struct file *ckpt_open_tty(struct file *master, const char *path, int flags)
{
	struct tty_struct *slave = tty_of(master)->link, *before;
	struct file *f;

	spin_lock_irq(&current->sighand->siglock);
	before = current->signal->tty;
	current->signal->tty = tty_kref_get(slave);
	spin_unlock_irq(&current->sighand->siglock);

	f = filp_open(path, flags | O_NOCTTY, 0);

	spin_lock_irq(&current->sighand->siglock);
	/*
	 * Somebody who hangs up the terminal of the session takes away what is there; and who has hung up the one before has not found it
	 * here.
	 */
	if (current->signal->tty == slave) {
		current->signal->tty = before && is_of_own_session(before) ? before : NULL;
		if (current->signal->tty)
			before = slave;
		else
			tty_kref_put(slave);
	}
	spin_unlock_irq(&current->sighand->siglock);
	tty_kref_put(before);
	return f;
}

/* kernel.pty.max: no pseudoterminal has this number or a larger one. */
int ckpt_pty_limit(void)
{
	return READ_ONCE(*(int *)ckpt_address[CKPT_ADDRESS_pty_limit]);
}
