// SPDX-License-Identifier: GPL-2.0

//! Descriptors of namespaces (open files of /proc/PID/ns).
//!
//! Saved: which namespace it is, by a process that lives in it.
//! Refused: user namespaces below that of the first process; namespaces in which no process of the target lives, or only those that are
//! restored later than who has the descriptor.
//! Shown by: file/keeps_descriptors_of_namespaces, refuse/namespace_of, hostile/values_of_descriptors_of_namespaces.
//!
//! Record: [`ckpt_uapi::record::nsfd`].  C source: `fs/nsfs.c`

use super::{Dump, Restore, Target};
use crate::{
    error::{Context, Fault, Result},
    freeze::Process,
    objects::{Keeper, Object},
    wrapper::{
        file::File,
        nsfd::{self, NsFd},
        user_ns::UserNs, //
    },
};
use ckpt_uapi::record::{
    nsfd::{NsFd as Record, FLAGS, KINDS, PID, USER},
    RecordType,
};
use kernel::{prelude::*, rbtree::RBTree};

/// Whether such namespaces are there before any task is restored.
fn is_made_before(kind: u32) -> bool {
    [PID, USER].contains(&kind)
}

/// Address of a namespace: index of the first task that lives in it. Filled when the first descriptor of a namespace is met.
pub(crate) struct Inhabited(RBTree<usize, u32>);

impl Inhabited {
    /// Nobody has asked yet.
    pub(crate) fn new() -> Self {
        Self(RBTree::new())
    }

    fn first(&mut self, processes: &[Process], namespace: &NsFd<'_>) -> Result<Option<u32>> {
        if self.0.is_empty() {
            for (index, task) in (0..).zip(processes.iter().flat_map(Process::tasks)) {
                for address in nsfd::namespaces_of(task) {
                    if self.0.get(&address).is_none() {
                        self.0.try_create_and_insert(address, index, GFP_KERNEL_ACCOUNT)?;
                    }
                }
            }
        }
        Ok(self.0.get(&namespace.namespace()).copied())
    }
}

/// Index of the first task that lives in it; or why it cannot be saved.
fn find(target: &Target<'_>, namespace: &NsFd<'_>) -> Result<core::result::Result<u32, &'static str>> {
    let whole = target.whole;
    let Some(found) = whole.inhabited.borrow_mut().first(whole.processes, namespace)? else {
        return Ok(Err("namespace in which no process of the target lives"));
    };
    if UserNs::of_file(namespace.file()).is_some_and(|ns| whole.user_nss.number(ns.address()) != Some(0)) {
        return Ok(Err("user namespace below that of the first process"));
    }
    let own = whole.places.index(target.leader);
    if !is_made_before(namespace.kind()) && own.is_none_or(|own| own < found) {
        return Ok(Err("namespace of a process that is restored later"));
    }
    Ok(Ok(found))
}

/// Why it cannot be saved, if it cannot.
pub(super) fn check(target: &Target<'_>, namespace: &NsFd<'_>) -> Result<Option<&'static str>> {
    Ok(find(target, namespace)?.err())
}

/// Writes the object; its objref.
pub(super) fn dump(target: &Target<'_>, file: &File, namespace: &NsFd<'_>, dump: &mut Dump<'_>) -> Result<u32> {
    let refused = |what: &str| Fault::new(EOPNOTSUPP, format_args!("{what}")).kind(RecordType::NsFd);
    let r = Record {
        task: find(target, namespace)?.map_err(refused)?,
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
