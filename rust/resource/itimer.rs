// SPDX-License-Identifier: GPL-2.0

//! Interval timers of a process. Their time stands still between checkpoint and restart.
//!
//! Saved: ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF: period and time left (to the microsecond, as setitimer(2)).
//! Shown by: itimer/.
//!
//! Record: [`ckpt_uapi::record::itimer`].

use super::{Dump, FrozenTask, Late, Resource, Restore, Scope, Target};
use crate::{
    error::{Context, Result},
    wrapper::{
        sighand,
        syscall::{nr, CurrentTask}, //
    },
};
use ckpt_uapi::record::{
    itimer::{Itimer, Itimers},
    Record, RecordType,
};

pub(crate) struct ItimerRoom;

impl Resource for ItimerRoom {
    const RECORDS: &'static [RecordType] = &[Itimers::TYPE];
    const SCOPE: Scope = Scope::Process;

    fn dump(target: &Target<'_>, _task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let [real, virt, prof] = sighand::itimers(target.leader)?.map(|t| Itimer {
            interval_ns: t.interval_ns,
            value_ns: t.value_ns,
        });
        dump.out.record(&Itimers { real, virt, prof })
    }

    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let r: Itimers = restore.input.only()?;
        restore.late.itimers = Some([r.real, r.virt, r.prof].map(|t| (t.interval_ns, t.value_ns)));
        Ok(())
    }

    /// Not earlier: one that is due kills a program that has no handler for it.
    fn start(me: &CurrentTask, late: &Late) -> Result {
        for (which, (interval, value)) in late.itimers.into_iter().flatten().enumerate() {
            let split = |ns: u64| [ns / 1_000_000_000, ns % 1_000_000_000 / 1000];
            // A timer that is armed must not become one that is not.
            let value = if value == 0 { 0 } else { value.max(1000) };
            let ([i_s, i_us], [v_s, v_us]) = (split(interval), split(value));
            let at = me.put_words(&[i_s, i_us, v_s, v_us])?;
            me.call(nr::__NR_setitimer, &[which as u64, at, 0])
                .context(format_args!("cannot set interval timer {which}"))?;
        }
        Ok(())
    }
}
