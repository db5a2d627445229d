// SPDX-License-Identifier: GPL-2.0

//! seccomp.
//!
//! C header: [`include/linux/seccomp.h`](srctree/include/linux/seccomp.h)

use super::{
    bindings,
    syscall::CurrentTask,
    task::Task, //
};
use kernel::{ffi, prelude::*};

/// Longest program of a filter (BPF_MAXINSNS).
pub(crate) const PROGRAM_MAX: usize = 4096;

/// A filter that a task has.
pub(crate) struct Filter {
    /// SECCOMP_FILTER_FLAG_LOG.
    pub(crate) log: bool,
    /// Somebody is told of system calls (SECCOMP_RET_USER_NOTIF).
    pub(crate) listener: bool,
    /// Its program: `struct sock_filter` as words.
    pub(crate) program: KVVec<u64>,
}

/// SECCOMP_MODE_*.
pub(crate) fn mode(task: &Task) -> u32 {
    // SAFETY: the task is alive; one word.
    unsafe { bindings::ckpt_seccomp_mode(task.as_ptr()) }
}

/// Whether the caller may read the filters of others.
pub(crate) fn may_read() -> bool {
    // SAFETY: no preconditions.
    unsafe { bindings::ckpt_may_read_filters() }
}

/// Addresses of the task's filters, oldest first.
pub(crate) fn chain(task: &Task) -> Result<KVVec<usize>> {
    let mut room = 8usize;
    loop {
        let mut raw: KVVec<*const ffi::c_void> = KVVec::with_capacity(room, GFP_KERNEL_ACCOUNT)?;
        // SAFETY: the task is alive, the array has `room` entries; the helper locks.
        let n = unsafe { bindings::ckpt_seccomp_chain(task.as_ptr(), raw.as_mut_ptr(), room as u32) } as usize;
        if n <= room {
            let mut out = KVVec::with_capacity(n, GFP_KERNEL_ACCOUNT)?;
            for i in (0..n).rev() {
                // SAFETY: the helper has stored that many.
                out.push(unsafe { *raw.as_ptr().add(i) } as usize, GFP_KERNEL_ACCOUNT)?;
            }
            return Ok(out);
        }
        room = n;
    }
}

/// Address of the task's newest filter, 0 without one.
pub(crate) fn newest(task: &Task) -> usize {
    let mut address = core::ptr::null();
    // SAFETY: the task is alive, the array has one entry; the helper locks.
    unsafe { bindings::ckpt_seccomp_chain(task.as_ptr(), &mut address, 1) };
    address as usize
}

/// One of the task's filters; `ESRCH` when it has no filter at this address, `EMEDIUMTYPE` for one without a program of user
/// space.
pub(crate) fn filter(task: &Task, address: usize) -> Result<Filter> {
    let mut program = KVVec::zeroed(PROGRAM_MAX, GFP_KERNEL_ACCOUNT)?;
    let mut info = bindings::ckpt_filter::default();
    // SAFETY: the task is alive, the array has `PROGRAM_MAX` entries; the helper locks, and looks for the address in the task's
    // own chain before it uses it.
    let len = unsafe {
        bindings::ckpt_seccomp_copy(
            task.as_ptr(),
            address as *const ffi::c_void,
            program.as_mut_ptr(),
            PROGRAM_MAX as u32,
            &mut info,
        )
    };
    let len = super::to_result(len as isize)?;
    if len > PROGRAM_MAX {
        return Err(E2BIG);
    }
    program.truncate(len);
    Ok(Filter {
        log: info.log,
        listener: info.listener,
        program,
    })
}

impl CurrentTask {
    /// Puts the caller under a filter that `from` has, and all before it. The caller's own must be among those (`EINVAL`).
    pub(crate) fn adopt_filter(&self, from: &Task, address: usize) -> Result {
        // SAFETY: `from` is alive; the helper locks, and looks for the address in its chain before it uses it.
        kernel::error::to_result(unsafe { bindings::ckpt_seccomp_adopt(from.as_ptr(), address as *const ffi::c_void) })
    }
}
