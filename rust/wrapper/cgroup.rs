// SPDX-License-Identifier: GPL-2.0

//! Cgroups of the second version.
//!
//! C header: [`include/linux/cgroup.h`](srctree/include/linux/cgroup.h)

use super::{bindings, file::File, syscall::CurrentTask, task::Task, to_result};
use kernel::{ffi, prelude::*};

/// Room for a path.
const PATH: usize = 4096;

/// What a helper prints: it returns the length, or an error.
fn printed(print: impl FnOnce(*mut ffi::c_char, i32) -> i32) -> Result<KVec<u8>> {
    let mut buf = KVec::<u8>::zeroed(PATH, GFP_KERNEL_ACCOUNT)?;
    let n = to_result(print(buf.as_mut_ptr().cast(), PATH as i32) as isize)?;
    buf.truncate(n);
    Ok(buf)
}

impl Task {
    /// Path of its cgroup from that of another task: empty when it is the same, `None` when it is not below.
    pub(crate) fn cgroup_below(&self, root: &Task) -> Result<Option<KVec<u8>>> {
        // SAFETY: both are alive, the buffer has that many bytes; the helper holds the RCU lock.
        let path = printed(|buf, size| unsafe { bindings::ckpt_cgroup_below(self.as_ptr(), root.as_ptr(), buf, size) });
        match path {
            Err(EXDEV) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Whether both live in one cgroup.
    pub(crate) fn shares_cgroup(&self, other: &Task) -> bool {
        // SAFETY: both are alive; the helper holds the RCU lock.
        unsafe { bindings::ckpt_same_cgroup(self.as_ptr(), other.as_ptr()) }
    }
}

impl CurrentTask {
    /// Path of its cgroup as its cgroup namespace sees it.
    pub(crate) fn cgroup(&self) -> Result<KVec<u8>> {
        // SAFETY: the buffer has that many bytes; the helper holds a reference.
        printed(|buf, size| unsafe { bindings::ckpt_own_cgroup(buf, size) })
    }
}

impl File {
    /// Whether it is the directory of the caller's cgroup.
    pub(crate) fn is_own_cgroup(&self) -> bool {
        // SAFETY: alive; addresses are compared only.
        unsafe { bindings::ckpt_is_own_cgroup(self.as_ptr()) }
    }
}
