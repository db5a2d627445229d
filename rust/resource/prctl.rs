// SPDX-License-Identifier: GPL-2.0

//! What prctl(2) sets and no other room has.
//!
//! Saved: PR_SET_CHILD_SUBREAPER; per thread PR_MCE_KILL, PR_SET_SPECULATION_CTRL, PR_SET_SYSCALL_USER_DISPATCH. A mitigation of
//! speculation that the thread had must be there after the restart: a machine that cannot give it refuses. One that is in force for
//! the restarter and cannot be taken back stays.
//! Not saved: what the kernel's command line mitigates for all; the tracer that PR_SET_PTRACER (Yama) allows; the size of the
//! private futex hash (PR_FUTEX_HASH).
//! Shown by: prctl/, silent/.
//!
//! Record: [`ckpt_uapi::record::prctl`].  C header: `include/uapi/linux/prctl.h`

use super::{Dump, FrozenTask, Resource, Restore, Scope, Target};
use crate::{
    error::{Context, Fault, Result},
    wrapper::syscall::{nr, CurrentTask}, //
};
use ckpt_uapi::record::{
    prctl::{flags, Prctl},
    Record, RecordType,
};
use kernel::prelude::*;
use zerocopy::FromZeros;

pub(crate) struct PrctlRoom;

const PR_SPEC_STORE_BYPASS: u32 = 0;
const PR_SPEC_INDIRECT_BRANCH: u32 = 1;
const PR_SPEC_L1D_FLUSH: u32 = 2;
const PR_SPEC_NOT_AFFECTED: u32 = 0;
const PR_SPEC_PRCTL: u32 = 1 << 0;
const PR_SPEC_ENABLE: u32 = 1 << 1;
const PR_SPEC_DISABLE: u32 = 1 << 2;
const PR_SPEC_FORCE_DISABLE: u32 = 1 << 3;
const PR_SPEC_DISABLE_NOEXEC: u32 = 1 << 4;

impl Resource for PrctlRoom {
    const RECORDS: &'static [RecordType] = &[Prctl::TYPE];
    const SCOPE: Scope = Scope::Task;

    fn dump(target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let t = task.task;
        let mut r = Prctl::new_zeroed();
        if t == target.leader && t.is_subreaper() {
            r.flags |= flags::CHILD_SUBREAPER;
        }
        r.mce_kill = t.mce_kill();
        r.store_bypass = t.speculation(PR_SPEC_STORE_BYPASS);
        r.indirect_branch = t.speculation(PR_SPEC_INDIRECT_BRANCH);
        r.l1d_flush = t.speculation(PR_SPEC_L1D_FLUSH);
        if let Some(dispatch) = t.user_dispatch() {
            r.flags |= flags::USER_DISPATCH;
            [r.dispatch_selector, r.dispatch_offset, r.dispatch_len] = dispatch;
        }
        dump.out.record(&r)
    }

    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let r: Prctl = restore.input.only()?;
        let leads = restore.keeps_process;
        if r.flags & !flags::ALL != 0
            || r.reserved != 0
            || r.mce_kill > nr::PR_MCE_KILL_DEFAULT
            || (!leads && r.flags & flags::CHILD_SUBREAPER != 0)
        {
            return Err(restore
                .input
                .bad(EBADMSG, format_args!("wrong values in a prctl record")));
        }
        let me = restore.me;
        let subreaper = r.flags & flags::CHILD_SUBREAPER != 0;
        if leads && subreaper != me.task().is_subreaper() {
            me.call(
                nr::__NR_prctl,
                &[u64::from(nr::PR_SET_CHILD_SUBREAPER), u64::from(subreaper), 0, 0, 0],
            )
            .context(format_args!("cannot set PR_SET_CHILD_SUBREAPER"))?;
        }
        if r.mce_kill != me.task().mce_kill() {
            let how = if r.mce_kill == nr::PR_MCE_KILL_DEFAULT {
                [nr::PR_MCE_KILL_CLEAR, 0]
            } else {
                [nr::PR_MCE_KILL_SET, r.mce_kill]
            };
            me.call(
                nr::__NR_prctl,
                &[u64::from(nr::PR_MCE_KILL), u64::from(how[0]), u64::from(how[1]), 0, 0],
            )
            .context(format_args!("cannot set PR_MCE_KILL"))?;
        }
        for (which, name, want) in [
            (PR_SPEC_STORE_BYPASS, "PR_SPEC_STORE_BYPASS", r.store_bypass),
            (PR_SPEC_INDIRECT_BRANCH, "PR_SPEC_INDIRECT_BRANCH", r.indirect_branch),
            (PR_SPEC_L1D_FLUSH, "PR_SPEC_L1D_FLUSH", r.l1d_flush),
        ] {
            set_speculation(me, which, name, want)?;
        }
        if r.flags & flags::USER_DISPATCH != 0 {
            set_dispatch(me, r.dispatch_selector, r.dispatch_offset, r.dispatch_len)?;
        }
        Ok(())
    }
}

/// Whether a state is the one with the mitigation. Flushing the cache is one, unlike the other things that can be enabled.
fn is_mitigated(which: u32, state: u32) -> bool {
    if which == PR_SPEC_L1D_FLUSH {
        state & PR_SPEC_ENABLE != 0
    } else {
        state & (PR_SPEC_DISABLE | PR_SPEC_FORCE_DISABLE | PR_SPEC_DISABLE_NOEXEC) != 0
    }
}

fn set_speculation(me: &CurrentTask, which: u32, name: &str, want: u32) -> Result {
    let have = me.task().speculation(which);
    // Without PR_SPEC_PRCTL it is the machine's state, and not the thread's.
    if want == have || want & PR_SPEC_PRCTL == 0 {
        return Ok(());
    }
    let fails = |errno| {
        Fault::new(
            errno,
            format_args!("cannot set {name} to {want:#x}: here it is {have:#x}"),
        )
    };
    if have & PR_SPEC_PRCTL == 0 {
        let unaffected = have == PR_SPEC_NOT_AFFECTED && which != PR_SPEC_L1D_FLUSH;
        return if !is_mitigated(which, want) || unaffected || is_mitigated(which, have) {
            Ok(())
        } else {
            Err(fails(EPERM))
        };
    }
    let state = want & !PR_SPEC_PRCTL;
    if have & PR_SPEC_FORCE_DISABLE != 0 && state.is_power_of_two() && state <= PR_SPEC_DISABLE_NOEXEC {
        // More than was asked for, and for good.
        return Ok(());
    }
    me.call(
        nr::__NR_prctl,
        &[
            u64::from(nr::PR_SET_SPECULATION_CTRL),
            u64::from(which),
            u64::from(state),
            0,
            0,
        ],
    )
    .map_err(fails)?;
    Ok(())
}

/// The kernel keeps a range from which calls are dispatched alone as the rest of the addresses.
fn set_dispatch(me: &CurrentTask, selector: u64, offset: u64, len: u64) -> Result {
    let end = offset.wrapping_add(len);
    let (mode, offset, len) = if offset != 0 && end <= offset {
        (nr::PR_SYS_DISPATCH_INCLUSIVE_ON, end, len.wrapping_neg())
    } else {
        (nr::PR_SYS_DISPATCH_EXCLUSIVE_ON, offset, len)
    };
    me.call(
        nr::__NR_prctl,
        &[
            u64::from(nr::PR_SET_SYSCALL_USER_DISPATCH),
            u64::from(mode),
            offset,
            len,
            selector,
        ],
    )
    .context(format_args!("cannot set PR_SET_SYSCALL_USER_DISPATCH"))
    .map_err(|f| f.address(selector))?;
    Ok(())
}
