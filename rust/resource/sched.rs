// SPDX-License-Identifier: GPL-2.0

//! Scheduling attributes of a thread.
//!
//! Saved: policy, nice value, static priority, reset-on-fork, timer slack, CPU affinity.
//! Not saved: utilization clamps, autogroup.
//! Refused: SCHED_DEADLINE and SCHED_EXT.
//!
//! Record: [`ckpt_uapi::record::sched`].

use super::{Dump, FrozenTask, Obstacles, Resource, Restore, Scope, Target};
use crate::{
    error::{Context, Fault, Result},
    wrapper::{syscall::nr, task::Task}, //
};
use ckpt_uapi::record::{sched::Sched, Record, RecordType};
use kernel::prelude::*;
use zerocopy::FromZeros;

pub(crate) struct SchedRoom;

/// SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE.
const POLICIES: [u32; 5] = [0, 1, 2, 3, 5];
const SCHED_FLAG_RESET_ON_FORK: u32 = 1;
/// `struct sched_attr`, first version: SCHED_ATTR_SIZE_VER0.
const ATTR_SIZE: u64 = 48;
const MASK_WORDS: usize = 128;

impl Resource for SchedRoom {
    const RECORDS: &'static [RecordType] = &[Sched::TYPE];
    const SCOPE: Scope = Scope::Task;

    fn check(_target: &Target<'_>, task: &Task, obstacles: &mut dyn Obstacles) -> Result {
        let policy = task.sched().policy;
        if !POLICIES.contains(&policy) {
            obstacles.add(
                Fault::new(EOPNOTSUPP, format_args!("scheduling policy {policy} cannot be saved"))
                    .kind(RecordType::Sched),
            );
        }
        Ok(())
    }

    fn dump(_target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let attr = task.task.sched();
        let mut mask = [0; MASK_WORDS];
        let words = task.task.affinity(&mut mask);
        let mut r = Sched::new_zeroed();
        r.policy = attr.policy;
        r.nice = attr.nice;
        r.priority = attr.priority;
        r.flags = if attr.reset_on_fork {
            SCHED_FLAG_RESET_ON_FORK
        } else {
            0
        };
        r.timer_slack_ns = attr.timer_slack_ns;
        r.affinity = words as u32;
        dump.out.record_with(&r, &mask[..words])
    }

    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let r: Sched = restore.input.fixed()?;
        if !POLICIES.contains(&r.policy) || r.flags & !SCHED_FLAG_RESET_ON_FORK != 0 || r.affinity as usize > MASK_WORDS
        {
            return Err(restore.input.bad(EBADMSG, format_args!("wrong scheduling attributes")));
        }
        let me = restore.me;
        let mut want = [0; MASK_WORDS];
        let mut words = 0;
        for w in restore.input.entries::<u64>(r.affinity)? {
            want[words] = w;
            words += 1;
        }
        let mut have = [0; MASK_WORDS];
        me.task().affinity(&mut have);
        if want != have {
            let at = me.put_words(&want[..words])?;
            me.call(nr::__NR_sched_setaffinity, &[0, words as u64 * 8, at])
                .context(format_args!("cannot set the CPU affinity"))?;
        }
        let now = me.task().sched();
        if (r.policy, r.nice, r.priority, r.flags == 1) != (now.policy, now.nice, now.priority, now.reset_on_fork) {
            let attr = [
                ATTR_SIZE | u64::from(r.policy) << 32,
                u64::from(r.flags),
                u64::from(r.nice as u32) | u64::from(r.priority) << 32,
                0,
                0,
                0,
            ];
            let at = me.put_words(&attr)?;
            me.call(nr::__NR_sched_setattr, &[0, at, 0]).context(format_args!(
                "cannot set scheduling policy {} with nice {}",
                r.policy, r.nice
            ))?;
        }
        if r.timer_slack_ns != 0 {
            me.call(
                nr::__NR_prctl,
                &[u64::from(nr::PR_SET_TIMERSLACK), r.timer_slack_ns, 0, 0, 0],
            )?;
        }
        Ok(())
    }
}
