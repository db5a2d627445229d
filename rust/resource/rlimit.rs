// SPDX-License-Identifier: GPL-2.0

//! Resource limits of a process.
//!
//! Saved: all 16. A hard limit above the restarter's own needs CAP_SYS_RESOURCE, as prlimit(2) does.
//! Shown by: rlimit/.
//!
//! Record: [`ckpt_uapi::record::rlimit`].

use super::{Dump, FrozenTask, Resource, Restore, Scope, Target};
use crate::{
    error::{Context, Result},
    wrapper::syscall::{nr, CurrentTask}, //
};
use ckpt_uapi::record::{
    rlimit::{Rlimit, Rlimits},
    Record, RecordType,
};

pub(crate) struct RlimitRoom;

const RLIMIT_NOFILE: usize = 7;
const RLIMIT_MEMLOCK: usize = 8;

/// Raises the soft limits that a restore can run into to the hard ones; the saved ones are set later.
pub(crate) fn raise(me: &CurrentTask) -> Result {
    let now = me.task().rlimits();
    for i in [RLIMIT_NOFILE, RLIMIT_MEMLOCK] {
        let (soft, hard) = now[i];
        if soft == hard {
            continue;
        }
        let at = me.put_words(&[hard, hard])?;
        me.call(nr::__NR_prlimit64, &[0, i as u64, at, 0])
            .context(format_args!("cannot raise resource limit {i}"))?;
    }
    Ok(())
}

/// Raises the hard limit, too, if a descriptor needs it: the program may have had a higher one, or have lowered it since.
pub(crate) fn allow_descriptor(me: &CurrentTask, fd: u32) -> Result {
    let (_, hard) = me.task().rlimits()[RLIMIT_NOFILE];
    let wanted = u64::from(fd) + 1;
    if wanted <= hard {
        return Ok(());
    }
    let at = me.put_words(&[wanted, wanted])?;
    me.call(nr::__NR_prlimit64, &[0, RLIMIT_NOFILE as u64, at, 0])
        .context(format_args!(
            "descriptor {fd} is beyond the restarter's hard limit of {hard} open files"
        ))?;
    Ok(())
}

impl Resource for RlimitRoom {
    const RECORDS: &'static [RecordType] = &[Rlimits::TYPE];
    const SCOPE: Scope = Scope::Process;

    fn dump(target: &Target<'_>, _task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let limits = target.leader.rlimits().map(|(cur, max)| Rlimit { cur, max });
        dump.out.record(&Rlimits { limits })
    }

    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let r: Rlimits = restore.input.only()?;
        let me = restore.me;
        let now = me.task().rlimits();
        for (i, (want, have)) in r.limits.iter().zip(now).enumerate() {
            if (want.cur, want.max) == have {
                continue;
            }
            let at = me.put_words(&[want.cur, want.max])?;
            me.call(nr::__NR_prlimit64, &[0, i as u64, at, 0])
                .context(format_args!(
                    "cannot set resource limit {i} to {} (hard {}; the restarter has {}, hard {})",
                    want.cur as i64, want.max as i64, have.0 as i64, have.1 as i64
                ))?;
        }
        Ok(())
    }
}
