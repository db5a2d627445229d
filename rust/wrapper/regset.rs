// SPDX-License-Identifier: GPL-2.0

//! Registers and extended processor state of a stopped task.
//!
//! C header: [`include/linux/regset.h`](srctree/include/linux/regset.h)

use super::{
    bindings,
    task::Task, //
};
use kernel::prelude::*;

/// Index of the general registers and of the xstate in the x86-64 view (`enum x86_regset_64`).
const GENERAL: usize = 0;
const XSTATE: u32 = 0x202;

/// Offset of the mask of features in the xstate's software-reserved bytes.
const XFEATURES_OFFSET: usize = 464;

fn view(task: &Task) -> &'static [bindings::user_regset] {
    // SAFETY: the task is alive; views are constants of the kernel.
    unsafe {
        let view = bindings::task_user_regset_view(task.as_ptr());
        core::slice::from_raw_parts((*view).regsets, (*view).n as usize)
    }
}

fn get(task: &Task, set: &bindings::user_regset, out: &mut [u8]) -> Result {
    // The registers are on the kernel stack, which goes when the task is killed.
    // SAFETY: the task is alive.
    if !unsafe { bindings::ckpt_try_get_task_stack(task.as_ptr()) } {
        return Err(ESRCH);
    }
    // SAFETY: the task is alive and stopped (or the caller), its stack is held until the next line; the buffer is as long as
    // we say.
    let n = unsafe {
        let n = bindings::regset_get(task.as_ptr(), set, out.len() as u32, out.as_mut_ptr().cast());
        bindings::ckpt_put_task_stack(task.as_ptr());
        n
    };
    let n = super::to_result(n as isize)?;
    if n == out.len() {
        Ok(())
    } else {
        Err(EIO)
    }
}

/// General registers as `struct user_regs_struct`.
pub(crate) fn general(task: &Task) -> Result<[u64; 27]> {
    let mut bytes = [0u8; 27 * 8];
    get(task, view(task).get(GENERAL).ok_or(ENODEV)?, &mut bytes)?;
    let mut out = [0; 27];
    for (o, b) in out.iter_mut().zip(bytes.chunks_exact(8)) {
        let mut w = [0; 8];
        w.copy_from_slice(b);
        *o = u64::from_ne_bytes(w);
    }
    Ok(out)
}

/// The xstate in the standard format, and the features that it may hold.
pub(crate) fn xstate(task: &Task) -> Result<(KVec<u8>, u64)> {
    let set = view(task).iter().find(|s| s.core_note_type == XSTATE).ok_or(ENODEV)?;
    let mut out = KVec::zeroed(set.n as usize * set.size as usize, GFP_KERNEL_ACCOUNT)?;
    get(task, set, &mut out)?;
    let mut w = [0; 8];
    w.copy_from_slice(out.get(XFEATURES_OFFSET..XFEATURES_OFFSET + 8).ok_or(EIO)?);
    Ok((out, u64::from_ne_bytes(w)))
}

/// XCR0: the features that the system has enabled.
pub(crate) fn xcr0() -> u64 {
    // SAFETY: no preconditions.
    unsafe { bindings::ckpt_xcr0() }
}

/// Bytes of xstate that rt_sigreturn(2) takes from the caller.
pub(crate) fn sigframe_size() -> usize {
    // SAFETY: no preconditions.
    unsafe { bindings::ckpt_xstate_user_size() as usize }
}

/// Size of the caller's xstate in bytes.
pub(crate) fn xstate_size() -> u32 {
    view(&Task::current())
        .iter()
        .find(|s| s.core_note_type == XSTATE)
        .map_or(0, |s| s.n * s.size)
}
