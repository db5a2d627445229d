// SPDX-License-Identifier: GPL-2.0

//! User registers of x86-64, and the last steps of a restore, which end in them.
//!
//! Saved: all general registers, flags, instruction and stack pointer, fs and gs base, the interrupted system call.
//! Not saved: the selectors ds, es, fs, gs, which 64-bit programs do not use; debug registers (refused by the task room).
//! Shown by: regs/.
//!
//! Record: [`ckpt_uapi::record::regs`].  C header: `include/linux/regset.h`

use super::{Dump, FrozenTask, Late, Resource, Restore, Scope, Target};
use crate::{
    error::{Context, Fault, Result},
    wrapper::{
        regset,
        sighand,
        syscall::{nr, CurrentTask}, //
    },
};
use ckpt_uapi::record::{regs::Regs, Record, RecordType};
use kernel::prelude::*;
use zerocopy::{FromBytes, IntoBytes};

pub(crate) struct RegsRoom;

/// Indices in `struct user_regs_struct`.
const AX: usize = 10;
const ORIG_AX: usize = 15;
const CS: usize = 17;
const FS_BASE: usize = 21;
const GS_BASE: usize = 22;
/// `__USER_CS`: 64-bit user code.
const USER_CS: u64 = 0x33;
/// Offset of `rseq_cs` in `struct rseq`.
const RSEQ_CS: u64 = 8;
/// No system call was interrupted.
const NO_SYSCALL: u64 = u64::MAX;
/// -512 to -516: the interrupted system call goes on.
const RESTARTS: core::ops::RangeInclusive<i64> = -516..=-512;

impl Resource for RegsRoom {
    const RECORDS: &'static [RecordType] = &[Regs::TYPE];
    const SCOPE: Scope = Scope::Task;

    fn dump(_target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let mut words = regset::general(task.task)?;
        if task.task.is_current() {
            // The program that wakes up restarted sees its ioctl return 1.
            words[AX] = 1;
            words[ORIG_AX] = NO_SYSCALL;
        }
        if let Some(child) = task.task.vfork_child() {
            // What the call returns when the child lets it go.
            words[AX] = u64::from(child.tgid_for(task.task)?);
            words[ORIG_AX] = NO_SYSCALL;
        }
        let regs = Regs::read_from_bytes(words.as_bytes()).map_err(|_| EINVAL)?;
        dump.out.record(&regs)
    }

    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let r: Regs = restore.input.only()?;
        let mut words = [0; 27];
        words.as_mut_bytes().copy_from_slice(r.as_bytes());
        if words[CS] != USER_CS {
            return Err(restore.input.bad(
                EPROTONOSUPPORT,
                format_args!("code segment {:#x} is not that of a 64-bit program", words[CS]),
            ));
        }
        restore.late.regs = Some(words);
        Ok(())
    }
}

/// Sets the command name, which the kernel reads from the task's memory.
pub(crate) fn set_name(me: &CurrentTask, late: &Late) -> Result {
    if let Some(comm) = late.comm {
        let at = me.put(&comm)?;
        me.call(nr::__NR_prctl, &[u64::from(nr::PR_SET_NAME), at, 0, 0, 0])
            .context(format_args!("cannot set the name"))?;
    }
    Ok(())
}

/// Everything that can still fail; afterwards the task only waits for the others.
pub(crate) fn prepare(me: &CurrentTask, late: &mut Late) -> Result {
    let missing = || Fault::new(EBADMSG, format_args!("a task without registers"));
    let regs = late.regs.as_ref().ok_or_else(missing)?;
    let (xstate, xfeatures) = late.xstate.as_ref().ok_or_else(missing)?;
    let (blocked, altstack) = late.mask.ok_or_else(missing)?;

    set_name(me, late)?;
    if let Some((address, len, sig)) = late.rseq {
        let rseq_cs = address.checked_add(RSEQ_CS).ok_or(EFAULT)?;
        // Registering clears rseq_cs; put back, it aborts a critical section in whose middle the thread was saved.
        let section = me.get_word(rseq_cs).unwrap_or(0);
        me.call(nr::__NR_rseq, &[address, u64::from(len), 0, u64::from(sig)])
            .context(format_args!("cannot register rseq"))
            .map_err(|f| f.address(address))?;
        if section != 0 {
            me.set_word(rseq_cs, section)?;
        }
    }
    for (code, base) in [(nr::ARCH_SET_FS, regs[FS_BASE]), (nr::ARCH_SET_GS, regs[GS_BASE])] {
        me.call(nr::__NR_arch_prctl, &[u64::from(code), base])
            .context(format_args!("cannot set a segment base"))
            .map_err(|f| f.address(base))?;
    }
    me.sigreturn(regs, xstate, *xfeatures, blocked, altstack)
        .context(format_args!("cannot set the registers"))?;
    let now = sighand::mask(me.task());
    if (now.blocked, now.altstack.0, now.altstack.1) != (blocked, altstack.0, altstack.1) {
        return Err(Fault::new(
            EINVAL,
            format_args!("the kernel does not take the signal mask or the alternate stack"),
        )
        .address(altstack.0));
    }
    Ok(())
}

/// The task is let go, when all others have come so far: what may still fail.
pub(crate) fn release(me: &CurrentTask, late: &mut Late) -> Result {
    let regs = late.regs.as_ref().ok_or(EINVAL)?;
    if late.lock_future != 0 {
        me.call(nr::__NR_mlockall, &[u64::from(late.lock_future)])
            .context(format_args!("cannot lock future memory"))?;
    }
    if let Some(restart) = late.restart.take() {
        me.set_restart(&restart.counted_from_now());
    }
    if let Some(dumpable) = late.dumpable {
        // Behind the barrier, since every thread's change of credentials resets it for all. 2 (readable by root only) comes
        // from the kernel alone; 0 is the nearest that may be asked for.
        me.call(
            nr::__NR_prctl,
            &[u64::from(nr::PR_SET_DUMPABLE), u64::from(dumpable == 1), 0, 0, 0],
        )
        .context(format_args!("cannot set dumpable"))?;
    }
    let tsc = if late.tsc_off {
        nr::PR_TSC_SIGSEGV
    } else {
        nr::PR_TSC_ENABLE
    };
    me.call(nr::__NR_prctl, &[u64::from(nr::PR_SET_TSC), u64::from(tsc), 0, 0, 0])?;
    let ax = regs[AX];
    let goes_on = regs[ORIG_AX] != NO_SYSCALL && RESTARTS.contains(&(ax as i64));
    Ok(me.resume_with(goes_on.then_some(regs[ORIG_AX]), ax)?)
}
