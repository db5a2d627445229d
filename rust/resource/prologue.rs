// SPDX-License-Identifier: GPL-2.0

//! The prologue of a statefile: what must be known before the first task is made, by whoever makes them.

use super::{
    external::{self, External},
    ns::user::{self, Wanted, WantedNested},
    tree::{self, Nested, Numbers},
    Whole, //
};
use crate::{
    error::{Fault, Result},
    statefile::{Reader, Writer},
    wrapper::syscall::CurrentTask,
};
use ckpt_uapi::record::{tree::Tree, RecordType};
use kernel::prelude::*;

/// Writes all of it but the header.
pub(crate) fn dump(whole: &Whole<'_>, out: &mut Writer) -> Result {
    tree::dump(whole, out)?;
    user::dump(whole, out)?;
    user::dump_nested(whole, out)?;
    external::dump(whole, out)?;
    out.empty(RecordType::PrologueEnd)
}

/// What a statefile wants to have made, and what the restarter has said to it.
pub(crate) struct Prologue {
    /// The tasks.
    pub(crate) tree: KVVec<Tree>,
    nested: Nested,
    numbers: Numbers,
    user_ns: Option<Wanted>,
    nested_user_ns: WantedNested,
    external: External,
}

impl Prologue {
    /// Reads all of it but the header, which says that there are so many tasks.
    pub(crate) fn read(reader: &mut Reader, tasks: u32, external: External) -> Result<Self> {
        let mut tree = KVVec::new();
        let mut nested = Nested::new();
        let mut user_ns = None;
        let mut nested_user_ns = WantedNested::new();
        let mut asked = false;
        loop {
            match reader.next()? {
                RecordType::Tree if nested.all().is_empty() => tree::restore(reader, tasks, &mut tree)?,
                RecordType::Pids => nested.restore(reader, &tree)?,
                RecordType::UserNs if user_ns.is_none() => user_ns = Some(user::restore(reader)?),
                RecordType::NestedUserNs => nested_user_ns.restore(reader)?,
                RecordType::External if !asked => {
                    external.has_all(reader)?;
                    asked = true;
                }
                RecordType::PrologueEnd => break,
                _ => return Err(reader.bad(EBADMSG, format_args!("record is not part of the prologue"))),
            }
        }
        reader.no_body()?;
        if !asked {
            external.has_none()?;
        }
        if tree.len() != tasks as usize {
            return Err(reader.bad(
                EBADMSG,
                format_args!("{} tasks in the tree instead of {tasks}", tree.len()),
            ));
        }
        if tree.iter().any(|e| e.owner > nested_user_ns.count()) {
            return Err(reader.bad(
                EBADMSG,
                format_args!("a pid namespace belongs to no user namespace that there is"),
            ));
        }
        let numbers = tree::check_whole(reader, &tree, &mut nested)?;
        Ok(Self {
            tree,
            nested,
            numbers,
            user_ns,
            nested_user_ns,
            external,
        })
    }

    /// Thread ids in nested pid namespaces, in the order of the tree.
    pub(crate) fn nested(&self) -> &[u32] {
        self.nested.all()
    }

    /// Record of the user namespace that user space has to make; empty without one.
    pub(crate) fn user_ns(&self) -> &[u8] {
        self.user_ns.as_ref().map_or(&[], Wanted::body)
    }

    /// The user namespaces below that of the first task.
    pub(crate) fn nested_user_ns(&self) -> &WantedNested {
        &self.nested_user_ns
    }

    /// What the restarter has said.
    pub(crate) fn external(&self) -> &External {
        &self.external
    }

    /// Where the task with this number in the root task's pid namespace stands.
    pub(crate) fn index(&self, number: u32) -> Option<usize> {
        self.numbers.index(number)
    }

    /// Whether the caller was made to become this task: has its numbers, in all pid namespaces.
    pub(crate) fn has_numbers(&self, me: &CurrentTask, index: u32, entry: &Tree) -> Result {
        if tree::has_numbers(me, entry, self.nested.of(index, entry)) {
            return Ok(());
        }
        Err(Fault::new(
            EINVAL,
            format_args!(
                "task {index} is thread {} of process {}, at level {} of the pid namespaces, the caller is thread {} of {}",
                entry.pid,
                entry.tgid,
                entry.level,
                me.task().tid(),
                me.task().tgid()
            ),
        ))
    }

    /// Whether the caller lives in the user namespace that its ids are of.
    pub(crate) fn has_user_ns(&self, me: &CurrentTask) -> Result {
        self.user_ns
            .as_ref()
            .map_or(Ok(()), |user_ns| user_ns.is_that_of(me.task()))
    }

    /// Whether what the whole process has is in the section of this task.
    pub(crate) fn keeps_process(&self, index: u32) -> bool {
        tree::keeps_process(&self.tree, index)
    }
}
