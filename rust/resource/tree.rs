// SPDX-License-Identifier: GPL-2.0

//! The task tree of a statefile: what user space builds with clone3(2) before the tasks restore themselves.
//!
//! Saved: pids, parents, process groups, sessions, exit signals, who is stopped.
//! Refused: a main thread that has exited while others live (by the freezer).
//!
//! Record: [`ckpt_uapi::record::tree`].

use super::Target;
use crate::{
    error::Result,
    statefile::{Reader, Writer}, //
};
use ckpt_uapi::{
    record::tree::{flags, Head, Tree},
    statefile::TASKS_MAX, //
};
use kernel::prelude::*;
use zerocopy::FromZeros;

/// Entries of one record.
const ENTRIES: usize = 4000;
const SIGCHLD: u32 = 17;

/// Writes the tree of the target.
pub(crate) fn dump(target: &Target<'_>, out: &mut Writer) -> Result {
    let mut entries = KVVec::with_capacity(target.threads.len(), GFP_KERNEL)?;
    let leader = target.leader;
    for t in target.threads {
        let mut e = Tree::new_zeroed();
        let is_leader = t == leader;
        e.pid = t.tid() as u32;
        e.tgid = t.tgid() as u32;
        e.ppid = leader.ppid() as u32;
        e.pgid = t.pgid() as u32;
        e.sid = t.sid() as u32;
        e.exit_signal = if is_leader { t.exit_signal() } else { 0 };
        e.comm = t.comm();
        if is_leader {
            e.flags |= flags::LEADER;
            if leader.group_stopped() {
                e.flags |= flags::STOPPED;
            }
            if leader.is_session_leader() {
                e.flags |= flags::SESSION_LEADER;
            }
            if e.pgid == e.tgid {
                e.flags |= flags::GROUP_LEADER;
            }
        }
        entries.push(e, GFP_KERNEL)?;
    }
    for (i, lot) in entries.chunks(ENTRIES).enumerate() {
        let head = Head {
            first: (i * ENTRIES) as u32,
            count: lot.len() as u32,
        };
        out.record_with(&head, lot)?;
    }
    Ok(())
}

/// Adds the entries of the current tree record, and checks that they fit what came before.
pub(crate) fn restore(input: &Reader, tasks: u32, tree: &mut KVVec<Tree>) -> Result {
    let head: Head = input.fixed()?;
    let bad = |what: &str| Err(input.bad(EBADMSG, format_args!("{what}")));
    if head.first as usize != tree.len()
        || head.count == 0
        || tree.len() as u64 + u64::from(head.count) > u64::from(tasks.min(TASKS_MAX))
    {
        return bad("part of the task tree is missing or repeated");
    }
    for e in input.entries::<Tree>(head.count)? {
        let index = tree.len() as u32;
        let is_leader = e.flags & flags::LEADER != 0;
        if e.flags & !flags::ALL != 0 || e.exit_signal > 64 || e.reserved != [0; 4] || e.comm[15] != 0 {
            return bad("wrong values in the task tree");
        }
        if e.pid == 0 || e.pid > i32::MAX as u32 || e.tgid > i32::MAX as u32 || is_leader != (e.pid == e.tgid) {
            return bad("impossible pid in the task tree");
        }
        if is_leader {
            if e.leader != index || e.exit_signal != SIGCHLD {
                return bad("wrong leader in the task tree");
            }
        } else {
            let fits = tree
                .get(e.leader as usize)
                .is_some_and(|l| l.flags & flags::LEADER != 0 && l.tgid == e.tgid);
            if !fits {
                return bad("thread without its leader in the task tree");
            }
        }
        tree.push(e, GFP_KERNEL)?;
    }
    Ok(())
}
