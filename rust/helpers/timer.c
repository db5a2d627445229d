// SPDX-License-Identifier: GPL-2.0

#include <linux/alarmtimer.h>
#include <linux/hrtimer.h>
#include <linux/hrtimer_bases.h>
#include <linux/pid_namespace.h>
#include <linux/posix-timers.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/time64.h>
#include "kernel/time/posix-timers.h"
#include "rust/helpers/timerfd_ctx.h"

#include "helpers.h"

static bool is_alarm(const struct k_itimer *tmr)
{
	return tmr->it_clock == CLOCK_REALTIME_ALARM || tmr->it_clock == CLOCK_BOOTTIME_ALARM;
}

/* The timer's expiry and signal, with it_lock held. Asks the timer as timer_gettime() does. */
static void timer_state(struct k_itimer *tmr, struct ckpt_timer *out)
{
	struct itimerspec64 now = {};

	tmr->kclock->timer_get(tmr, &now);
	out->interval_ns = tmr->it_interval;
	out->value_ns = timespec64_to_ns(&now.it_value);
	/* A signal of before the last timer_settime() is dropped when it is taken. */
	out->pending = (tmr->it_interval && tmr->it_status == POSIX_TIMER_REQUEUE_PENDING) ||
		       (!list_empty(&tmr->sigq.list) && tmr->it_signal_seq == tmr->it_sigqueue_seq);
	if (out->pending && tmr->it_interval)
		/* timer_get() has moved the expiry behind now, and counted. */
		out->overrun = max(tmr->it_overrun, 0LL);
	out->overrun_last = clamp_t(s64, tmr->it_overrun_last, 0, INT_MAX);
	/* A relative timer on CLOCK_REALTIME is one on CLOCK_MONOTONIC. */
	if (tmr->it_clock == CLOCK_REALTIME && out->value_ns && tmr->it.real.timer.base->clockid == CLOCK_REALTIME) {
		out->absolute = true;
		out->value_ns = max(ktime_to_ns(hrtimer_get_expires(&tmr->it.real.timer)), 1LL);
	}
}

/*
 * The POSIX timers of a process from the one with index @from on, newest first; their number. Those that do not fit into @max
 * are not stored.
 */
unsigned int ckpt_timers(struct task_struct *t, struct pid_namespace *ns, unsigned int from, struct ckpt_timer *out,
			 unsigned int max)
{
	unsigned int n = 0, stored = 0;
	struct k_itimer *tmr;

	rcu_read_lock();
	hlist_for_each_entry_rcu(tmr, &t->signal->posix_timers, list) {
		struct ckpt_timer *o = &out[stored];

		if (n++ < from || stored == max)
			continue;
		spin_lock_irq(&tmr->it_lock);
		if (posixtimer_valid(tmr)) {
			memset(o, 0, sizeof(*o));
			o->id = tmr->it_id;
			o->clock = tmr->it_clock;
			o->notify = tmr->it_sigev_notify;
			o->signo = tmr->sigq.info.si_signo;
			o->sigval = (unsigned long)tmr->sigq.info.si_value.sival_ptr;
			if (tmr->it_pid_type == PIDTYPE_PID) {
				o->thread = pid_nr_ns(tmr->it_pid, ns);
				o->dead = !pid_task(tmr->it_pid, PIDTYPE_PID);
			}
			if (tmr->it_clock < 0) {
				bool thread = CPUCLOCK_PERTHREAD(tmr->it_clock);
				struct task_struct *p =
					pid_task(tmr->it.cpu.pid, thread ? PIDTYPE_PID : PIDTYPE_TGID);

				o->clock_owner = pid_nr_ns(tmr->it.cpu.pid, ns);
				o->dead |= !p;
				o->foreign = p && !same_thread_group(p, t);
			}
			timer_state(tmr, o);
			stored++;
		}
		spin_unlock_irq(&tmr->it_lock);
	}
	rcu_read_unlock();
	return stored;
}

unsigned int ckpt_next_timer_id(struct task_struct *t)
{
	return (unsigned int)atomic_read(&t->signal->next_posix_timer_id) & INT_MAX;
}

void ckpt_set_next_timer_id(unsigned int next)
{
	atomic_set(&current->signal->next_posix_timer_id, next);
}

bool ckpt_timer_restore_ids(struct task_struct *t)
{
	return t->signal->timer_create_restore_ids;
}

/* Whether a queued signal is a timer's own; it is part of the timer. */
bool ckpt_is_timer_signal(const struct sigqueue *q)
{
	return (q->flags & SIGQUEUE_PREALLOC) && q->info.si_code == SI_TIMER;
}

/*
 * Ends the restore of a timer of the calling process: what no system call sets, and nothing but that timer's own counters
 * depends on. @cpu_now is the time of a CPU clock. -EAGAIN when it should have expired, and has not yet.
 */
int ckpt_timer_finish(const struct ckpt_timer *want, u64 cpu_now)
{
	struct k_itimer *tmr;
	int ret = -ESRCH;

	rcu_read_lock();
	hlist_for_each_entry_rcu(tmr, &current->signal->posix_timers, list) {
		if (tmr->it_id != want->id)
			continue;
		spin_lock_irq(&tmr->it_lock);
		ret = posixtimer_valid(tmr) ? 0 : -ESRCH;
		/* Which thread or process it counts is fixed: only the number shows who was named when it was made. */
		if (!ret && tmr->it_clock < 0 && (tmr->it_clock & CLOCKFD_MASK) == (want->clock & CLOCKFD_MASK))
			tmr->it_clock = want->clock;
		if (!ret && !tmr->it_overrun_last)
			tmr->it_overrun_last = want->overrun_last;
		if (!ret && want->pending && tmr->it_interval) {
			if (tmr->it_status != POSIX_TIMER_REQUEUE_PENDING) {
				ret = -EAGAIN;
			} else {
				/* Nobody has armed it: it waits for its signal to be taken. */
				ktime_t next = want->value_ns;

				if (!want->absolute)
					next = ktime_add_safe(next, tmr->it_clock < 0 ?
									    cpu_now :
									    tmr->kclock->clock_get_ktime(tmr->it_clock));
				if (tmr->it_clock < 0)
					tmr->it.cpu.node.expires = next;
				else if (is_alarm(tmr))
					tmr->it.alarm.alarmtimer.node.expires = next;
				else
					hrtimer_set_expires(&tmr->it.real.timer, next);
				tmr->it_overrun = want->overrun;
			}
		}
		spin_unlock_irq(&tmr->it_lock);
		break;
	}
	rcu_read_unlock();
	return ret;
}

/*
 * How often a timerfd has expired that nobody has read, and how long until it expires, at least one nanosecond; 0 when it does not. fdinfo
 * shows them one after the other, and no time left of a timer whose callback has yet to run.
 */
void ckpt_timerfd(struct file *f, u64 *ticks, u64 *left_ns)
{
	struct timerfd_ctx *ctx = f->private_data;
	bool alarm = ctx->clockid == CLOCK_REALTIME_ALARM || ctx->clockid == CLOCK_BOOTTIME_ALARM;
	struct hrtimer *timer = alarm ? &ctx->t.alarm.timer : &ctx->t.tmr;
	s64 left = 0;

	spin_lock_irq(&ctx->wqh.lock);
	*ticks = ctx->ticks;
	/* The callback takes the lock to count; the timer is active until it is done. */
	if (!ctx->expired && hrtimer_active(timer)) {
		left = alarm ? alarm_expires_remaining(&ctx->t.alarm) : hrtimer_expires_remaining_adjusted(timer);
		left = max_t(s64, left, 1);
	}
	spin_unlock_irq(&ctx->wqh.lock);
	*left_ns = left;
}
