// SPDX-License-Identifier: GPL-2.0

//! Descriptors of namespaces (open files of /proc/PID/ns).
//!
//! Saved: which namespace it is, by a process that lives in it.
//! Refused: namespaces in which no process of the target lives, or only those that are restored later than who has the descriptor.
//!
//! Record: [`ckpt_uapi::record::nsfd`].  C source: `fs/nsfs.c`

use super::{Dump, Restore, Target};
use crate::{
    error::{Context, Fault, Result},
    objects::{Keeper, Object},
    wrapper::{
        file::File,
        nsfd::{self, NsFd},
        task::Task, //
    },
};
use ckpt_uapi::record::{
    nsfd::{NsFd as Record, FLAGS, KINDS, PID, USER},
    RecordType,
};
use kernel::prelude::*;

/// Whether such namespaces are there before any task is restored.
fn is_made_before(kind: u32) -> bool {
    [PID, USER].contains(&kind)
}

/// Index of the first task that lives in it; or why it cannot be saved.
fn find(target: &Target<'_>, namespace: &NsFd<'_>) -> core::result::Result<u32, &'static str> {
    let tasks = || target.whole.processes.iter().flat_map(|process| process.tasks());
    let index = |is: &dyn Fn(&Task) -> bool| tasks().position(is);
    let Some(found) = index(&|task| namespace.is_of(task)) else {
        return Err("namespace in which no process of the target lives");
    };
    let own = index(&|task| task == target.leader);
    if !is_made_before(namespace.kind()) && own.is_none_or(|own| own < found) {
        return Err("namespace of a process that is restored later");
    }
    Ok(found as u32)
}

/// Why it cannot be saved, if it cannot.
pub(super) fn check(target: &Target<'_>, namespace: &NsFd<'_>) -> Option<&'static str> {
    find(target, namespace).err()
}

/// Writes the object; its objref.
pub(super) fn dump(target: &Target<'_>, file: &File, namespace: &NsFd<'_>, dump: &mut Dump<'_>) -> Result<u32> {
    let refused = |what: &str| Fault::new(EOPNOTSUPP, format_args!("{what}")).kind(RecordType::NsFd);
    let r = Record {
        task: find(target, namespace).map_err(refused)?,
        kind: namespace.kind(),
        flags: file.flags() & FLAGS,
        objref: dump.seen.add(file.address(), Keeper::File(file.clone()))?,
    };
    dump.out.record(&r)?;
    Ok(r.objref)
}

/// Makes the object.
pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let r: Record = restore.input.only()?;
    let is_there = is_made_before(r.kind) || r.task <= restore.index;
    let task = (restore.task_at)(r.task);
    let (Some(task), true) = (task, r.objref == restore.made.next() && r.flags & !FLAGS == 0) else {
        return Err(bad_values(restore));
    };
    if !KINDS.contains(&r.kind) || !is_there {
        return Err(bad_values(restore));
    }
    let file =
        nsfd::open(&task, r.kind, r.flags).context(format_args!("cannot open a namespace of task {}", r.task))?;
    Ok(Object::File(file, 0, 0))
}

fn bad_values(restore: &Restore<'_>) -> Fault {
    restore
        .input
        .bad(EBADMSG, format_args!("wrong values in a namespace-fd record"))
}
