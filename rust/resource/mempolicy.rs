// SPDX-License-Identifier: GPL-2.0

//! NUMA memory policy of a thread (set_mempolicy). Those of mappings are in mm/vma.rs.
//!
//! Saved: mode, mode flags, nodes as the program gave them.
//! Not saved: on which node pages are; where an interleaved allocation goes on.
//! Shown by: mempolicy/, refuse/shared_policy.
//!
//! Record: [`ckpt_uapi::record::mempolicy`].  C header: `include/linux/mempolicy.h`

use super::{Dump, FrozenTask, Resource, Restore, Scope, Target};
use crate::{
    error::{Context, Result},
    wrapper::{
        mm::Policy,
        syscall::{nr, CurrentTask}, //
    },
};
use ckpt_uapi::record::{
    mempolicy::{Mempolicy, WORDS_MAX},
    Record, RecordType,
};
use kernel::prelude::*;

pub(crate) struct MempolicyRoom;

/// The words that a policy's node mask has; none when it has no node, as for MPOL_LOCAL.
pub(crate) fn nodes(policy: &Policy) -> &[u64] {
    let words = &policy.nodes[..(policy.words as usize).min(policy.nodes.len())];
    if words.iter().all(|w| *w == 0) {
        &[]
    } else {
        words
    }
}

/// The address of a node mask in the scratch mapping, and the number of its bits as the system calls want it.
pub(crate) fn put_nodes(me: &CurrentTask, words: &[u64]) -> Result<(u64, u64)> {
    if words.is_empty() {
        return Ok((0, 0));
    }
    Ok((me.put_words(words)?, words.len() as u64 * 64 + 1))
}

impl Resource for MempolicyRoom {
    const RECORDS: &'static [RecordType] = &[Mempolicy::TYPE];
    const SCOPE: Scope = Scope::Task;
    const REQUIRED: bool = false;

    fn dump(_target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let Some(policy) = task.task.policy() else {
            return Ok(());
        };
        let nodes = nodes(&policy);
        let fixed = Mempolicy {
            mode: policy.mode,
            words: nodes.len() as u32,
        };
        dump.out.record_with(&fixed, nodes)
    }

    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let r: Mempolicy = restore.input.fixed()?;
        if r.words > WORDS_MAX {
            return Err(restore.input.bad(EBADMSG, format_args!("too long a node mask")));
        }
        let mut words = KVec::new();
        for w in restore.input.entries::<u64>(r.words)? {
            words.push(w, GFP_KERNEL_ACCOUNT)?;
        }
        let me = restore.me;
        let (at, bits) = put_nodes(me, &words)?;
        me.call(nr::__NR_set_mempolicy, &[u64::from(r.mode), at, bits])
            .context(format_args!("cannot set NUMA memory policy {:#x}", r.mode))?;
        Ok(())
    }
}
