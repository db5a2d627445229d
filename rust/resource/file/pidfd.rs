// SPDX-License-Identifier: GPL-2.0

//! pidfds.
//!
//! Saved: of which process or thread of the target it is, also of one that has exited and waits to be reaped; of one that has been
//! reaped (whoever that was) how it ended, and which pidfds are of the same one; PIDFD_THREAD, PIDFD_NONBLOCK.
//! Not saved: the cgroup and the core dump of one that has been reaped (PIDFD_GET_INFO).
//! Refused: a pidfd of a process outside of the target, one that kills its process when it is closed (CLONE_PIDFD_AUTOKILL), one
//! with extended attributes.
//! Shown by: file/keeps_pidfds, refuse/pidfd, hostile/values_of_pidfds.
//!
//! Record: [`ckpt_uapi::record::pidfd`].  C source: `fs/pidfs.c`

use super::{Dump, Restore, Target};
use crate::{
    error::{Context, Result},
    objects::{Keeper, Object},
    wrapper::{
        file::File,
        pidfd::{self, Pidfd},
        task::Task, //
    },
};
use ckpt_uapi::record::pidfd::{task::REAPED, Pidfd as Record, FLAGS};
use kernel::prelude::*;

/// `PIDFD_AUTOKILL` of linux/pidfd.h.
const AUTOKILL: u32 = 0o1000;

/// Why it cannot be saved, if it cannot.
pub(super) fn check(target: &Target<'_>, file: &File, pidfd: &Pidfd<'_>) -> Option<&'static str> {
    let outside = |task: Task| target.whole.places.index(&task).is_none();
    if pidfd.task().is_some_and(outside) {
        Some("pidfd of a process outside of the target")
    } else if file.flags() & AUTOKILL != 0 {
        Some("pidfd that kills its process when it is closed")
    } else if pidfd.has_xattrs() {
        Some("pidfd with extended attributes")
    } else {
        None
    }
}

/// Writes the object; its objref.
pub(super) fn dump(target: &Target<'_>, file: &File, pidfd: &Pidfd<'_>, dump: &mut Dump<'_>) -> Result<u32> {
    let mut r = Record {
        objref: dump.seen.add(file.address(), Keeper::File(file.clone()))?,
        flags: file.flags() & FLAGS,
        task: REAPED,
        same: 0,
        status: 0,
        has_status: 0,
    };
    if let Some(task) = pidfd.task() {
        r.task = target.whole.places.index(&task).ok_or(ESRCH)?;
    } else if let Some(same) = dump.seen.get(pidfd.address()) {
        r.same = same;
    } else {
        dump.seen.also(pidfd.address(), r.objref)?;
        let status = pidfd.exit_status();
        (r.status, r.has_status) = (status.unwrap_or(0), u32::from(status.is_some()));
    }
    dump.out.record(&r)?;
    Ok(r.objref)
}

/// Makes the object.
pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let r: Record = restore.input.only()?;
    let of_first = r.task == REAPED && r.same == 0;
    if r.objref != restore.made.next()
        || r.flags & !FLAGS != 0
        || (r.task != REAPED && r.same != 0)
        || r.has_status > u32::from(of_first)
        || (r.has_status == 0 && r.status != 0)
    {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a pidfd record")));
    }
    let file = if r.task != REAPED {
        let Some(task) = (restore.task_at)(r.task) else {
            return Err(restore.input.bad(
                EBADMSG,
                format_args!("a pidfd is of task {}, which the tree does not have", r.task),
            ));
        };
        pidfd::open(&task, r.flags).context(format_args!("cannot make a pidfd of task {}", r.task))?
    } else if of_first {
        pidfd::open_reaped((r.has_status == 1).then_some(r.status), r.flags)
            .context(format_args!("cannot make a pidfd of a process that has been reaped"))?
    } else {
        let reaped = |pidfd: &Pidfd<'_>| pidfd.task().is_none();
        let Some(same) = restore.made.file(r.same).and_then(Pidfd::of).filter(reaped) else {
            return Err(restore.input.bad(
                EBADMSG,
                format_args!("object {} is no pidfd of a process that has been reaped", r.same),
            ));
        };
        same.again(r.flags)?
    };
    Ok(Object::File(file, 0, 0))
}
