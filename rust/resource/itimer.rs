// SPDX-License-Identifier: GPL-2.0

//! Interval timers of a process. Their time stands still between checkpoint and restart.
//!
//! Saved: ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF: period and time left (to the microsecond, as setitimer(2)).
//!
//! Record: [`ckpt_uapi::record::itimer`].

use super::{Dump, FrozenTask, Resource, Restore, Scope, Target};
use crate::{error::Result, wrapper::sighand};
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
}
