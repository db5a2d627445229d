// SPDX-License-Identifier: GPL-2.0

//! eventfd, signalfd, timerfd and epoll.
//!
//! Saved: the counter of an eventfd and whether it is a semaphore; the signals of a signalfd; clock, period, time left and expirations not
//! read of a timerfd (one that was set to a time of CLOCK_REALTIME keeps that time); what an epoll watches, also by descriptors
//! that are closed by now, and epolls in epolls.
//! Not saved: of a periodic timerfd that has expired and that nobody has read since, how often it would have done so again meanwhile, and
//! what is left of its period, which begins anew; which events an edge-triggered item has reported already (it reports what is ready
//! once more); EPIOCSPARAMS (busy polling).
//! Refused: such a file that a process outside of the target holds, too; an epoll that watches a file for which nobody in the target has
//! a descriptor.
//! Shown by: file/keeps_event_descriptors, fd/keeps_a_large_epoll, refuse/eventfd, refuse/signalfd, refuse/timerfd, refuse/epoll,
//! hostile/values_of_events.
//!
//! Records: [`ckpt_uapi::record::event`].  C sources: `fs/eventfd.c`, `fs/signalfd.c`, `fs/timerfd.c`, `fs/eventpoll.c`

use super::{census::is_only_of, dump_file, Dump, Restore, Target};
use crate::{
    error::{Context, Fault, Result},
    objects::{Keeper, Object},
    wrapper::{
        epoll,
        file::{take_fd, with_fd, File, Info},
        symbol::Operations,
        syscall::{nr, CurrentTask},
        time, //
    },
};
use ckpt_uapi::record::{
    event::{settime, Epoll, EpollItem, EpollItems, Eventfd, Signalfd, Timerfd, FLAGS},
    RecordType,
};
use kernel::prelude::*;

/// What stands for events.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Eventfd,
    Signalfd,
    Timerfd,
    Epoll,
}

/// Entries of one record.
const ENTRIES: usize = 8192;
/// More than a time of a clock may be, so that sums do not overflow.
const TIME_MAX: u64 = i64::MAX as u64;
const CLOCK_REALTIME: u32 = 0;
const CLOCK_REALTIME_ALARM: u32 = 8;

impl Kind {
    /// What an open file is, if it is one of these.
    pub(super) fn of(file: &File) -> Option<Self> {
        let ops = file.ops();
        [
            (Operations::Eventfd, Self::Eventfd),
            (Operations::Signalfd, Self::Signalfd),
            (Operations::Timerfd, Self::Timerfd),
            (Operations::Epoll, Self::Epoll),
        ]
        .into_iter()
        .find_map(|(of, kind)| (of.address() == ops).then_some(kind))
    }

    /// Why it cannot be saved, if it cannot. `held` is the number of references to the file that the caller has.
    pub(super) fn check(self, target: &Target<'_>, file: &File, held: usize) -> Result<Option<&'static str>> {
        if !is_only_of(target.whole, file, held) {
            return Ok(Some(match self {
                Self::Eventfd => "eventfd that another process holds",
                Self::Signalfd => "signalfd that another process holds",
                Self::Timerfd => "timerfd that another process holds",
                Self::Epoll => "epoll that another process holds",
            }));
        }
        if self == Self::Epoll && target.whole.census.is_first_look(file)? {
            let has_none = |item: &epoll::Item| target.whole.census.descriptors(&item.file) == 0;
            if watched(file)?.iter().any(has_none) {
                return Ok(Some("epoll that watches a file without a descriptor"));
            }
        }
        Ok(None)
    }

    /// Writes the object; its objref.
    pub(super) fn dump(self, target: &Target<'_>, file: &File, dump: &mut Dump<'_>) -> Result<u32> {
        let objref = dump.seen.add(file.address(), Keeper::File(file.clone()))?;
        let flags = file.flags() & FLAGS;
        match self {
            Self::Eventfd => {
                let info = file.info()?;
                dump.out.record(&Eventfd {
                    objref,
                    flags,
                    count: info.number("eventfd-count", 16)?,
                    semaphore: info.number("eventfd-semaphore", 10)? as u32,
                    reserved: 0,
                })?;
            }
            Self::Signalfd => {
                let mask = file.info()?.number("sigmask", 16)?;
                dump.out.record(&Signalfd { objref, flags, mask })?;
            }
            Self::Timerfd => dump.out.record(&timerfd(objref, flags, file)?)?,
            Self::Epoll => dump_epoll(target, file, objref, flags, dump)?,
        }
        Ok(objref)
    }
}

/// A `(seconds, nanoseconds)` of the text.
fn nanoseconds(info: &Info, name: &str) -> Result<u64> {
    let pair = info.text(name)?.strip_prefix('(').and_then(|t| t.strip_suffix(')'));
    let (seconds, rest) = pair.and_then(|t| t.split_once(", ")).ok_or(EINVAL)?;
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| EINVAL);
    let ns = number(seconds)?
        .saturating_mul(1_000_000_000)
        .saturating_add(number(rest)?);
    Ok(ns.min(TIME_MAX))
}

fn timerfd(objref: u32, flags: u32, file: &File) -> Result<Timerfd> {
    let info = file.info()?;
    let clock = info.number("clockid", 10)? as u32;
    let settime = info.number("settime flags", 8)? as u32 & settime::ALL;
    let interval_ns = nanoseconds(&info, "it_interval")?;
    let (ticks, mut value_ns) = file.timerfd()?;
    // The kernel sets a periodic timer again only when somebody reads that it has expired.
    if value_ns == 0 && ticks != 0 {
        value_ns = interval_ns;
    }
    value_ns = value_ns.min(TIME_MAX);
    if value_ns != 0 && keeps_its_time(clock, settime) {
        value_ns = value_ns.saturating_add(time::realtime_ns()).min(TIME_MAX);
    }
    Ok(Timerfd {
        objref,
        flags,
        clock,
        settime,
        ticks,
        value_ns,
        interval_ns,
    })
}

/// Whether a timer is set to a time of day, which does not stand still between checkpoint and restart.
fn keeps_its_time(clock: u32, flags: u32) -> bool {
    [CLOCK_REALTIME, CLOCK_REALTIME_ALARM].contains(&clock) && flags & settime::ABSTIME != 0
}

fn dump_epoll(target: &Target<'_>, file: &File, objref: u32, flags: u32, dump: &mut Dump<'_>) -> Result {
    dump.out.record(&Epoll { objref, flags })?;
    let mut entries: KVVec<EpollItem> = KVVec::new();
    for item in watched(file)? {
        // What is closed is not watched, and what stands for a file is another one.
        if target.whole.decisions.of(&item.file).is_some() {
            continue;
        }
        let entry = EpollItem {
            fd: item.fd,
            // How many references are ours was counted when it was checked.
            file: dump_file(target, &item.file, usize::MAX / 2, dump)?,
            events: item.events,
            reserved: 0,
            data: item.data,
        };
        entries.push(entry, GFP_KERNEL_ACCOUNT)?;
    }
    for lot in entries.chunks(ENTRIES) {
        let fixed = EpollItems {
            epoll: objref,
            count: lot.len() as u32,
        };
        dump.out.record_with(&fixed, lot)?;
    }
    Ok(())
}

fn watched(epoll: &File) -> Result<KVVec<epoll::Item>> {
    Ok(epoll::Epoll::of(epoll).ok_or(EINVAL)?.items()?)
}

/// Makes an object, by the task's own system calls.
pub(super) fn restore(kind: RecordType, restore: &mut Restore<'_>) -> Result<Object> {
    let me = restore.me;
    let (objref, flags, file) = match kind {
        RecordType::Eventfd => {
            let r: Eventfd = restore.input.only()?;
            if r.semaphore > 1 || r.reserved != 0 || r.count == u64::MAX {
                return Err(bad_values(restore));
            }
            const EFD_SEMAPHORE: u64 = 1;
            let how = if r.semaphore == 1 { EFD_SEMAPHORE } else { 0 };
            let fd = me
                .call(nr::__NR_eventfd2, &[0, how])
                .context(format_args!("cannot make an eventfd"))?;
            let filled = if r.count == 0 {
                Ok(0)
            } else {
                let at = me.put(&r.count.to_ne_bytes())?;
                me.call(nr::__NR_write, &[fd as u64, at, 8])
            };
            let file = take_fd(me, fd)?;
            filled.context(format_args!("cannot set the counter of an eventfd"))?;
            (r.objref, r.flags, file)
        }
        RecordType::Signalfd => {
            let r: Signalfd = restore.input.only()?;
            let at = me.put(&r.mask.to_ne_bytes())?;
            let none = u64::from(u32::MAX);
            let fd = me
                .call(nr::__NR_signalfd4, &[none, at, 8, 0])
                .context(format_args!("cannot make a signalfd"))?;
            (r.objref, r.flags, take_fd(me, fd)?)
        }
        RecordType::Timerfd => {
            let r: Timerfd = restore.input.only()?;
            if r.settime & !settime::ALL != 0 || r.value_ns > TIME_MAX || r.interval_ns > TIME_MAX {
                return Err(bad_values(restore));
            }
            let fd = me
                .call(nr::__NR_timerfd_create, &[u64::from(r.clock), 0])
                .context(format_args!("cannot make a timerfd of clock {}", r.clock))?;
            let file = take_fd(me, fd)?;
            if r.value_ns != 0 || r.ticks != 0 {
                restore.late.timerfds.push((file.clone(), r), GFP_KERNEL_ACCOUNT)?;
            }
            (r.objref, r.flags, file)
        }
        _ => {
            let r: Epoll = restore.input.only()?;
            let fd = me
                .call(nr::__NR_epoll_create1, &[0])
                .context(format_args!("cannot make an epoll"))?;
            (r.objref, r.flags, take_fd(me, fd)?)
        }
    };
    if objref != restore.made.next() || flags & !FLAGS != 0 {
        return Err(bad_values(restore));
    }
    file.set_nonblock(flags != 0);
    Ok(Object::File(file, 0, 0))
}

fn bad_values(restore: &Restore<'_>) -> Fault {
    restore
        .input
        .bad(EBADMSG, format_args!("wrong values in an event record"))
}

/// Has an epoll watch what it watched.
pub(super) fn restore_items(restore: &mut Restore<'_>) -> Result {
    let r: EpollItems = restore.input.fixed()?;
    let entries = restore.input.entries::<EpollItem>(r.count)?;
    let Some(epoll) = restore.made.file(r.epoll).and_then(epoll::Epoll::of) else {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("object {} is no epoll", r.epoll)));
    };
    for e in entries {
        let Some(file) = restore.made.file(e.file).filter(|_| e.reserved == 0) else {
            return Err(restore.input.bad(
                EBADMSG,
                format_args!("an epoll watches object {}, which is no file", e.file),
            ));
        };
        let item = epoll::Item {
            fd: e.fd,
            events: e.events,
            data: e.data,
            file: file.clone(),
        };
        epoll
            .add(&item)
            .context(format_args!(
                "the file of descriptor {} cannot be watched by an epoll any more",
                e.fd
            ))
            .map_err(|f| f.fd(e.fd))?;
    }
    Ok(())
}

/// Sets a timer, now that its time counts again.
pub(super) fn arm_timerfd(me: &CurrentTask, file: &File, r: &Timerfd) -> Result {
    /// `TFD_IOC_SET_TICKS` of linux/timerfd.h.
    const TFD_IOC_SET_TICKS: u64 = 0x4008_5400;
    let split = |ns: u64| [ns / 1_000_000_000, ns % 1_000_000_000];
    // A time of day is given as such, what is left of a period as that.
    let flags = if keeps_its_time(r.clock, r.settime) {
        r.settime
    } else {
        0
    };
    let ([i_s, i_ns], [v_s, v_ns]) = (split(r.interval_ns), split(r.value_ns));
    with_fd(me, file, |fd| -> kernel::error::Result {
        if r.value_ns != 0 {
            let at = me.put_words(&[i_s, i_ns, v_s, v_ns])?;
            me.call(nr::__NR_timerfd_settime, &[fd, u64::from(flags), at, 0])?;
        }
        if r.ticks != 0 {
            let at = me.put_words(&[r.ticks])?;
            me.call(nr::__NR_ioctl, &[fd, TFD_IOC_SET_TICKS, at])?;
        }
        Ok(())
    })
    .context(format_args!("cannot set a timerfd"))
}
