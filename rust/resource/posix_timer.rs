// SPDX-License-Identifier: GPL-2.0

//! POSIX timers of a process (timer_create). Their time stands still between checkpoint and restart, except that a timer that
//! was set to a time of CLOCK_REALTIME (TIMER_ABSTIME) keeps that time: one that is past fires at once.
//!
//! Saved: number, clock (CPU clocks too), signal or thread to notify, value, period, time left, overrun counts, a signal that
//! has not been taken yet, the number that the next timer gets, prctl(PR_TIMER_CREATE_RESTORE_IDS).
//! Not saved: the place of a timer's signal among others of the same number; that a timer on CLOCK_TAI or an alarm clock was
//! set to an absolute time (it keeps the time left, as on CLOCK_MONOTONIC).
//! Refused: a timer that notifies or counts the time of a thread that has exited, or counts that of another process; a timer on an alarm
//! clock of a process without CAP_WAKE_ALARM.
//! Shown by: posix_timer/, refuse/posix_timer.
//!
//! Record: [`ckpt_uapi::record::posix_timer`].  C header: `include/linux/posix-timers.h`

use super::{Dump, FrozenTask, Late, Obstacles, Resource, Restore, Scope, Target};
use crate::{
    error::{Context, Fault, Result},
    wrapper::{
        cred::Cred,
        pid::PidNs,
        syscall::{nr, CurrentTask},
        task::{sleep_killable, Task},
        timer::{numbering, posix_timers, PosixTimer}, //
    },
};
use ckpt_uapi::record::{
    posix_timer::{flags, timers_flags, PosixTimer as Entry, PosixTimers},
    Record, RecordType,
};
use kernel::prelude::*;

pub(crate) struct PosixTimerRoom;

/// Entries of one record.
const ENTRIES: usize = 2048;
/// Longest time: that of the kernel's own.
const TIME_MAX: u64 = i64::MAX as u64;
/// Highest count of overruns: it is added to.
const OVERRUN_MAX: u64 = u64::MAX / 4;
const CLOCK_REALTIME_ALARM: i32 = 8;
const CLOCK_BOOTTIME_ALARM: i32 = 9;
const CAP_WAKE_ALARM: u64 = 1 << 35;
const TIMER_ABSTIME: u64 = 1;
const NSEC_PER_SEC: u64 = 1_000_000_000;
/// Where in the scratch mapping a `struct itimerspec` is put.
const SPEC_AT: usize = 40 * 1024;

impl Resource for PosixTimerRoom {
    const RECORDS: &'static [RecordType] = &[PosixTimers::TYPE];
    const SCOPE: Scope = Scope::Process;
    const REPEATS: bool = true;

    fn check(_target: &Target<'_>, task: &Task, obstacles: &mut dyn Obstacles) -> Result {
        let [_, _, effective, ..] = Cred::of(task).caps();
        for t in posix_timers(task, &PidNs::of(task)?)? {
            let why = if t.dead {
                "needs a thread that has exited"
            } else if t.foreign {
                "counts the time of another process"
            } else if [CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM].contains(&t.clock) && effective & CAP_WAKE_ALARM == 0
            {
                "is on an alarm clock, and the process has no CAP_WAKE_ALARM any more"
            } else {
                continue;
            };
            obstacles
                .add(Fault::new(EOPNOTSUPP, format_args!("POSIX timer {} {why}", t.id)).kind(RecordType::PosixTimer));
        }
        Ok(())
    }

    fn dump(target: &Target<'_>, _task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let timers = posix_timers(target.leader, &PidNs::of(target.leader)?)?;
        let (next_id, restore_ids) = numbering(target.leader);
        let mut entries = KVVec::with_capacity(timers.len(), GFP_KERNEL_ACCOUNT)?;
        for t in &timers {
            let entry = Entry {
                id: t.id as u32,
                clock: t.clock,
                notify: t.notify,
                signo: t.signo,
                thread: t.thread,
                clock_owner: t.clock_owner,
                flags: if t.pending { flags::PENDING } else { 0 } | if t.absolute { flags::ABSOLUTE } else { 0 },
                overrun_last: t.overrun_last,
                sigval: t.sigval,
                interval_ns: t.interval_ns.min(TIME_MAX),
                value_ns: t.value_ns.min(TIME_MAX),
                overrun: t.overrun.min(OVERRUN_MAX),
            };
            entries.push(entry, GFP_KERNEL_ACCOUNT)?;
        }
        let mut left = &entries[..];
        loop {
            let (lot, rest) = left.split_at(left.len().min(ENTRIES));
            let fixed = PosixTimers {
                count: lot.len() as u32,
                next_id,
                flags: if restore_ids { timers_flags::RESTORE_IDS } else { 0 },
                reserved: 0,
            };
            dump.out.record_with(&fixed, lot)?;
            left = rest;
            if left.is_empty() {
                return Ok(());
            }
        }
    }

    /// Makes the timers. Those whose signal is pending expire now, while all signals are blocked; the others are armed when the
    /// process is let go.
    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let r: PosixTimers = restore.input.fixed()?;
        let (me, input) = (restore.me, &*restore.input);
        if r.reserved != 0 || r.flags & !timers_flags::ALL != 0 || r.next_id > i32::MAX as u32 {
            return Err(input.bad(EBADMSG, format_args!("wrong values in a POSIX timer record")));
        }
        number(me, true)?;
        for e in input.entries::<Entry>(r.count)? {
            let bad = e.flags & !flags::ALL != 0
                || e.interval_ns > TIME_MAX
                || e.value_ns > TIME_MAX
                || e.overrun > OVERRUN_MAX
                || (e.flags & flags::ABSOLUTE != 0 && e.clock != 0);
            let (Ok(id), false, Ok(overrun_last)) = (
                i32::try_from(e.id),
                bad,
                i32::try_from(e.overrun_last).map(|n| n as u32),
            ) else {
                return Err(input.bad(EBADMSG, format_args!("wrong values of POSIX timer {}", e.id)));
            };
            let t = PosixTimer {
                id,
                clock: e.clock,
                notify: e.notify,
                signo: e.signo,
                thread: e.thread,
                clock_owner: e.clock_owner,
                pending: e.flags & flags::PENDING != 0,
                absolute: e.flags & flags::ABSOLUTE != 0,
                dead: false,
                foreign: false,
                sigval: e.sigval,
                interval_ns: e.interval_ns,
                value_ns: e.value_ns,
                overrun: e.overrun,
                overrun_last,
            };
            create(me, &t, u64::from(t.notify)).context(format_args!("cannot make POSIX timer {id}"))?;
            if t.pending {
                expire(me, &t).context(format_args!("cannot queue the signal of POSIX timer {id}"))?;
            }
            restore.late.posix_timers.push(t, GFP_KERNEL_ACCOUNT)?;
        }
        me.set_next_timer_id(r.next_id);
        number(me, r.flags & timers_flags::RESTORE_IDS != 0)
    }

    fn start(me: &CurrentTask, late: &Late) -> Result {
        for t in &late.posix_timers {
            if !t.pending && t.value_ns != 0 {
                settime(me, t, t.absolute, t.value_ns).context(format_args!("cannot set POSIX timer {}", t.id))?;
            }
            match finish(me, t) {
                // It has expired already.
                Err(e) if e == EAGAIN => {}
                other => other.context(format_args!("cannot set POSIX timer {}", t.id))?,
            }
        }
        Ok(())
    }
}

/// Whether timer_create(2) takes the number of the new timer from the caller.
fn number(me: &CurrentTask, chosen: bool) -> Result {
    me.call(
        nr::__NR_prctl,
        &[u64::from(nr::PR_TIMER_CREATE_RESTORE_IDS), u64::from(chosen), 0, 0, 0],
    )
    .context(format_args!("this kernel does not let timers have chosen numbers"))?;
    Ok(())
}

/// The clock as its maker can name it: a CPU clock of this process, or of one of its threads.
fn named_clock(t: &PosixTimer) -> i32 {
    const PER_THREAD: i32 = 4;
    if t.clock >= 0 {
        return t.clock;
    }
    let owner = if t.clock & PER_THREAD != 0 {
        t.clock_owner as i32
    } else {
        0
    };
    (!owner).wrapping_shl(3) | (t.clock & 7)
}

fn create(me: &CurrentTask, t: &PosixTimer, notify: u64) -> kernel::error::Result {
    let event = [
        t.sigval,
        u64::from(t.signo as u32) | notify << 32,
        u64::from(t.thread),
        0,
        0,
        0,
        0,
        0,
    ];
    let at = me.put_words(&event)?;
    let id = me.put_at(SPEC_AT, &t.id.to_ne_bytes())?;
    me.call(nr::__NR_timer_create, &[named_clock(t) as u64, at, id])
        .map(|_| ())
}

fn settime(me: &CurrentTask, t: &PosixTimer, absolute: bool, value_ns: u64) -> kernel::error::Result {
    let spec = [t.interval_ns, value_ns].map(|ns| [ns / NSEC_PER_SEC, ns % NSEC_PER_SEC]);
    for (i, word) in spec.as_flattened().iter().enumerate() {
        me.put_at(SPEC_AT + i * 8, &word.to_ne_bytes())?;
    }
    let at = me.scratch()? + SPEC_AT as u64;
    let flags = if absolute { TIMER_ABSTIME } else { 0 };
    me.call(nr::__NR_timer_settime, &[t.id as u64, flags, at, 0])
        .map(|_| ())
}

fn finish(me: &CurrentTask, t: &PosixTimer) -> kernel::error::Result {
    let mut cpu_now = 0;
    if t.clock < 0 && t.pending {
        let at = me.put_at(SPEC_AT, &[0; 16])?;
        me.call(nr::__NR_clock_gettime, &[named_clock(t) as u64, at])?;
        let (s, ns) = (me.get_word(at)?, me.get_word(at + 8)?);
        cpu_now = s.saturating_mul(NSEC_PER_SEC).saturating_add(ns).min(TIME_MAX);
    }
    me.finish_timer(t, cpu_now)
}

/// Lets the timer expire now, with its signal; then it waits, as the saved one did, for the signal to be taken.
fn expire(me: &CurrentTask, t: &PosixTimer) -> kernel::error::Result {
    // A time in the past for CPU clocks, which do not advance here.
    settime(me, t, t.absolute || t.clock < 0, 1)?;
    let mut tries = 100;
    loop {
        match finish(me, t) {
            Err(e) if e == EAGAIN && tries > 0 => {
                tries -= 1;
                sleep_killable(1);
            }
            other => return other,
        }
    }
}
