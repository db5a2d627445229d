// SPDX-License-Identifier: GPL-2.0

//! Signals: actions, blocked mask, alternate stack, pending queues.
//!
//! Saved: all 64 actions; the mask to which the thread returns; the alternate stack; queued signals with their siginfo, of
//! the thread and of the process.
//! Not saved here: the signals of POSIX timers (they come back with the timer, behind others of the same number).
//! Shown by: signal/.
//!
//! Record: [`ckpt_uapi::record::signal`].  C header: `include/linux/sched/signal.h`

use super::{share, Dump, FrozenTask, Resource, Restore, Scope, Target};
use crate::{
    error::{Context, Result},
    wrapper::{sighand, syscall::nr, task::Task}, //
};
use ckpt_uapi::record::{
    signal::{Action, Actions, Info, Mask, Pending, SIGNALS},
    Record, RecordType,
};
use kernel::prelude::*;
use zerocopy::FromZeros;

const SIGKILL: u32 = 9;
const SIGSTOP: u32 = 19;
/// Size of the kernel's sigset in bytes, as rt_sigaction(2) wants it.
const SIGSET: u64 = 8;
const SS_AUTODISARM: u32 = 1 << 31;
const SS_DISABLE: u32 = 2;

pub(crate) struct ActionRoom;

impl Resource for ActionRoom {
    const RECORDS: &'static [RecordType] = &[Actions::TYPE];
    const SCOPE: Scope = Scope::Process;
    const SHARE: u32 = share::HANDLERS;

    fn dump(target: &Target<'_>, _task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let actions = sighand::actions(target.leader)?;
        let mut r = KBox::new(Actions::new_zeroed(), GFP_KERNEL_ACCOUNT)?;
        for (to, [handler, flags, restorer, mask]) in r.actions.iter_mut().zip(actions.iter().copied()) {
            *to = Action {
                handler,
                flags,
                restorer,
                mask,
            };
        }
        dump.out.record(&*r)
    }

    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let r: KBox<Actions> = KBox::new(restore.input.only()?, GFP_KERNEL_ACCOUNT)?;
        let me = restore.me;
        let now = sighand::actions(me.task())?;
        for ((signal, a), have) in (1..=SIGNALS as u32).zip(r.actions.iter()).zip(now.iter()) {
            let want = [a.handler, a.flags, a.restorer, a.mask];
            if signal == SIGKILL || signal == SIGSTOP || want == *have {
                continue;
            }
            let at = me.put_words(&want)?;
            me.call(nr::__NR_rt_sigaction, &[u64::from(signal), at, 0, SIGSET])
                .context(format_args!("cannot set the action of signal {signal}"))?;
        }
        Ok(())
    }
}

pub(crate) struct MaskRoom;

impl Resource for MaskRoom {
    const RECORDS: &'static [RecordType] = &[Mask::TYPE];
    const SCOPE: Scope = Scope::Task;

    fn dump(_target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let m = sighand::mask(task.task);
        let mut r = Mask::new_zeroed();
        r.blocked = m.blocked;
        (r.altstack_sp, r.altstack_size, r.altstack_flags) = m.altstack;
        dump.out.record(&r)
    }

    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let r: Mask = restore.input.only()?;
        let mut flags = r.altstack_flags & SS_AUTODISARM;
        if r.altstack_size == 0 {
            flags |= SS_DISABLE;
        }
        restore.late.mask = Some((r.blocked, (r.altstack_sp, r.altstack_size, flags)));
        Ok(())
    }
}

pub(crate) struct PendingRoom;

/// Entries of one record.
const ENTRIES: usize = 1024;

fn dump_queue(task: &Task, shared: bool, dump: &mut Dump<'_>) -> Result {
    let queue = sighand::pending(task, shared)?;
    for lot in queue.chunks(ENTRIES) {
        let mut infos = KVec::with_capacity(lot.len(), GFP_KERNEL_ACCOUNT)?;
        for siginfo in lot {
            infos.push(Info { siginfo: *siginfo }, GFP_KERNEL_ACCOUNT)?;
        }
        let fixed = Pending {
            shared: u32::from(shared),
            count: lot.len() as u32,
        };
        dump.out.record_with(&fixed, &infos[..])?;
    }
    Ok(())
}

impl Resource for PendingRoom {
    const RECORDS: &'static [RecordType] = &[Pending::TYPE];
    const SCOPE: Scope = Scope::Task;
    const REQUIRED: bool = false;
    const REPEATS: bool = true;

    fn dump(target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        if task.task == target.leader {
            dump_queue(task.task, true, dump)?;
        }
        dump_queue(task.task, false, dump)
    }

    /// All signals are blocked now, so they stay in the queue until the thread's own mask is set.
    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let r: Pending = restore.input.fixed()?;
        let (me, entry) = (restore.me, restore.entry);
        for info in restore.input.entries::<Info>(r.count)? {
            let [a, b, c, d, ..] = info.siginfo;
            let signal = u32::from_le_bytes([a, b, c, d]);
            if !(1..=SIGNALS as u32).contains(&signal) || signal == SIGKILL || signal == SIGSTOP || r.shared > 1 {
                return Err(restore
                    .input
                    .bad(EBADMSG, format_args!("signal {signal} cannot be pending")));
            }
            let at = me.put(&info.siginfo)?;
            let (tgid, tid) = (u64::from(entry.tgid), u64::from(entry.pid));
            if r.shared == 1 {
                me.call(nr::__NR_rt_sigqueueinfo, &[tgid, u64::from(signal), at])
            } else {
                me.call(nr::__NR_rt_tgsigqueueinfo, &[tgid, tid, u64::from(signal), at])
            }
            .context(format_args!("cannot queue signal {signal}"))?;
        }
        Ok(())
    }
}
