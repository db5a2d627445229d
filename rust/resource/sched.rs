// SPDX-License-Identifier: GPL-2.0

//! Scheduling attributes of a thread.
//!
//! Saved: policy, nice value, static priority, reset-on-fork, utilization clamps, a time slice of its own, timer slack, CPU
//! affinity as sched_setaffinity(2) was asked for it. Who has not asked runs where the restarter may.
//! Not saved: autogroup; the slack that prctl(PR_SET_TIMERSLACK, 0) goes back to.
//! Refused: SCHED_DEADLINE and SCHED_EXT; a core scheduling cookie (by the task room).
//! Shown by: sched/, refuse/deadline.
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
const SCHED_FLAG_UTIL_CLAMP_MIN: u32 = 0x20;
const SCHED_FLAG_UTIL_CLAMP_MAX: u32 = 0x40;
const UTIL_CLAMP: [u32; 2] = [SCHED_FLAG_UTIL_CLAMP_MIN, SCHED_FLAG_UTIL_CLAMP_MAX];
/// `struct sched_attr` with utilization clamps: SCHED_ATTR_SIZE_VER1.
const ATTR_SIZE: u64 = 56;
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
        for ((value, clamp), flag) in [&mut r.util_min, &mut r.util_max]
            .into_iter()
            .zip(attr.util_clamp)
            .zip(UTIL_CLAMP)
        {
            if clamp >= 0 {
                r.flags |= flag;
                *value = clamp as u32;
            }
        }
        r.slice_ns = attr.slice_ns;
        r.timer_slack_ns = attr.timer_slack_ns;
        r.affinity = words as u32;
        dump.out.record_with(&r, &mask[..words])
    }

    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let r: Sched = restore.input.fixed()?;
        if !POLICIES.contains(&r.policy)
            || r.flags & !(SCHED_FLAG_RESET_ON_FORK | UTIL_CLAMP[0] | UTIL_CLAMP[1]) != 0
            || r.affinity as usize > MASK_WORDS
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
        if words != 0 && want != have {
            let at = me.put_words(&want[..words])?;
            me.call(nr::__NR_sched_setaffinity, &[0, words as u64 * 8, at])
                .context(format_args!("cannot set the CPU affinity"))?;
        }
        let now = me.task().sched();
        let reset_on_fork = r.flags & SCHED_FLAG_RESET_ON_FORK != 0;
        let clamps = [(r.util_min, UTIL_CLAMP[0]), (r.util_max, UTIL_CLAMP[1])].map(|(value, flag)| {
            if r.flags & flag != 0 {
                value as i32
            } else {
                -1
            }
        });
        if (r.policy, r.nice, r.priority, reset_on_fork, clamps, r.slice_ns)
            != (
                now.policy,
                now.nice,
                now.priority,
                now.reset_on_fork,
                now.util_clamp,
                now.slice_ns,
            )
        {
            // A clamp of -1 is taken back.
            let change = if clamps == now.util_clamp {
                0
            } else {
                UTIL_CLAMP[0] | UTIL_CLAMP[1]
            };
            let attr = [
                ATTR_SIZE | u64::from(r.policy) << 32,
                u64::from(r.flags & SCHED_FLAG_RESET_ON_FORK | change),
                u64::from(r.nice as u32) | u64::from(r.priority) << 32,
                r.slice_ns,
                0,
                0,
                u64::from(clamps[0] as u32) | u64::from(clamps[1] as u32) << 32,
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
