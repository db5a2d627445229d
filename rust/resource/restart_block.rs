// SPDX-License-Identifier: GPL-2.0

//! How an interrupted system call goes on: with its remaining time.
//!
//! Saved: nanosleep, clock_nanosleep (relative), poll, futex wait with a time limit. Other calls are restarted with their
//! own arguments and need nothing here; those with an absolute time keep it.
//! Refused: sleeps on a CPU clock, unknown kinds.
//! Shown by: restart_block/, freeze/.
//!
//! Record: [`ckpt_uapi::record::restart_block`].  C header: `include/linux/restart_block.h`

use super::{Dump, FrozenTask, Resource, Restore, Scope, Target};
use crate::{
    error::{Fault, Result},
    wrapper::{
        regset,
        symbol::RestartFn,
        task::Restart,
        time::clock, //
    },
};
use ckpt_uapi::record::{
    restart_block::{kind, RestartBlock},
    Record, RecordType,
};
use kernel::prelude::*;
use zerocopy::FromZeros;

pub(crate) struct RestartBlockRoom;

const ORIG_AX: usize = 15;
const AX: usize = 10;
const ERESTART_RESTARTBLOCK: i64 = -516;
/// Number of restart_syscall(2).
const RESTART_SYSCALL: u64 = 219;
/// FLAGS_SIZE_32, FLAGS_SHARED, FLAGS_CLOCKRT, FLAGS_HAS_TIMEOUT of `kernel/futex/futex.h`: what a restarted futex wait can
/// have.
const FUTEX_FLAGS: u64 = 0x02 | 0x10 | 0x20 | 0x40;
/// Longest time that is taken for one, in nanoseconds (about 146 years): sums with a clock must not overflow.
const TIME_MAX: u64 = u64::MAX / 4;

impl Resource for RestartBlockRoom {
    const RECORDS: &'static [RecordType] = &[RestartBlock::TYPE];
    const SCOPE: Scope = Scope::Task;
    const REQUIRED: bool = false;

    fn dump(target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let regs = regset::general(task.task)?;
        let interrupted = regs[ORIG_AX] != u64::MAX && regs[AX] as i64 == ERESTART_RESTARTBLOCK;
        // On its way into restart_syscall(2), after a signal or a freeze: the next instruction asks for the block.
        let restarting = regs[ORIG_AX] == u64::MAX && regs[AX] == RESTART_SYSCALL && task.task.restart().is_ok();
        if task.task.is_current() || !(interrupted || restarting) {
            return Ok(());
        }
        let restart = task.task.restart().map_err(|_| {
            Fault::new(
                EOPNOTSUPP,
                format_args!("system call {} cannot be continued", regs[ORIG_AX]),
            )
        })?;
        let mut r = RestartBlock::new_zeroed();
        // A few microseconds have passed since the target stopped; on CLOCK_MONOTONIC they are not counted.
        let left = |expires: u64, clock: i32| {
            let now = if clock == clock::MONOTONIC {
                Some(target.whole.stopped_ns)
            } else {
                clock::now(clock)
            };
            now.map(|now| expires.saturating_sub(now).min(TIME_MAX))
                .ok_or_else(|| Fault::new(EOPNOTSUPP, format_args!("sleep on clock {clock} cannot be continued")))
        };
        match restart {
            Restart::Sleep(f, clock, layout, rmtp, expires) => {
                if f != RestartFn::Nanosleep {
                    return Err(Fault::new(
                        EOPNOTSUPP,
                        format_args!("sleep on a CPU clock cannot be continued"),
                    ));
                }
                r.kind = kind::NANOSLEEP;
                r.clock = clock;
                r.timed = 1;
                r.remaining_ns = left(expires, clock)?;
                r.args = [rmtp, u64::from(layout), 0, 0];
            }
            Restart::Poll(ufds, nfds, end) => {
                r.kind = kind::POLL;
                r.clock = clock::MONOTONIC;
                r.timed = u32::from(end.is_some());
                r.remaining_ns = end.map_or(Ok(0), |end| left(end, clock::MONOTONIC))?;
                r.args = [ufds, u64::from(nfds), 0, 0];
            }
            Restart::Futex(uaddr, val, flags, bitset, time) => {
                r.kind = kind::FUTEX;
                r.clock = if flags & 0x20 != 0 {
                    clock::REALTIME
                } else {
                    clock::MONOTONIC
                };
                r.timed = 1;
                r.remaining_ns = left(time, r.clock)?;
                r.args = [uaddr, u64::from(val), u64::from(flags), u64::from(bitset)];
            }
        }
        dump.out.record(&r)
    }

    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let r: RestartBlock = restore.input.only()?;
        let bad = |what: &str| Err(restore.input.bad(EBADMSG, format_args!("{what}")));
        if r.timed > 1 || r.remaining_ns > TIME_MAX {
            return bad("wrong time of an interrupted system call");
        }
        restore.late.restart = Some(match r.kind {
            kind::NANOSLEEP => {
                if !clock::SLEEP.contains(&r.clock) || r.args[1] > 1 {
                    return bad("wrong clock of an interrupted sleep");
                }
                Restart::Sleep(
                    RestartFn::Nanosleep,
                    r.clock,
                    r.args[1] as u32,
                    r.args[0],
                    r.remaining_ns,
                )
            }
            kind::POLL => match u32::try_from(r.args[1]) {
                Ok(nfds) if nfds <= i32::MAX as u32 => {
                    Restart::Poll(r.args[0], nfds, (r.timed == 1).then_some(r.remaining_ns))
                }
                _ => return bad("wrong number of polled descriptors"),
            },
            kind::FUTEX => {
                let [uaddr, val, flags, bitset] = r.args;
                match (u32::try_from(val), u32::try_from(bitset)) {
                    (Ok(val), Ok(bitset)) if flags & !FUTEX_FLAGS == 0 && flags & 3 == 2 && bitset != 0 => {
                        Restart::Futex(uaddr, val, flags as u32, bitset, r.remaining_ns)
                    }
                    _ => return bad("wrong values of an interrupted futex wait"),
                }
            }
            _ => return bad("unknown kind of interrupted system call"),
        });
        Ok(())
    }
}
