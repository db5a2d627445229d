// SPDX-License-Identifier: GPL-2.0

//! Paths and the fs_struct of a task.
//!
//! C header: [`include/linux/path.h`](srctree/include/linux/path.h)

use super::{
    bindings,
    task::Task, //
};
use kernel::{ffi, prelude::*};

/// A page-sized buffer that a path is printed into, from its end.
pub(crate) struct PathBuf {
    buf: KVec<u8>,
    start: usize,
}

const SIZE: usize = 4096;

impl PathBuf {
    /// An empty one.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            buf: KVec::zeroed(SIZE, GFP_KERNEL_ACCOUNT)?,
            start: SIZE - 1,
        })
    }

    /// The path without a terminating NUL.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.buf.get(self.start..SIZE - 1).unwrap_or(&[])
    }

    /// For messages.
    pub(crate) fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or("(not UTF-8)")
    }

    /// Makes it empty.
    pub(crate) fn clear(&mut self) {
        self.start = SIZE - 1;
    }

    /// Replaces it by a path that is shorter than the buffer.
    pub(crate) fn set(&mut self, path: &[u8]) {
        if let Some(start) = (SIZE - 1).checked_sub(path.len()) {
            self.buf[start..SIZE - 1].copy_from_slice(path);
            self.start = start;
        }
    }

    fn take(&mut self, p: *mut ffi::c_char) -> Result<bool> {
        let p = kernel::error::from_err_ptr(p)?;
        if p.is_null() {
            return Ok(false);
        }
        self.start = p as usize - self.buf.as_ptr() as usize;
        Ok(true)
    }

    /// Prints `path` as seen from `root`; false when it cannot be reached from there.
    pub(super) fn print(&mut self, path: *const bindings::path, root: *const bindings::path) -> Result<bool> {
        // SAFETY: callers hold references to both paths; the buffer has SIZE bytes.
        let p = unsafe { bindings::ckpt___d_path(path, root, self.buf.as_mut_ptr().cast(), SIZE as i32) };
        self.take(p)
    }

    /// Takes what a function prints into the buffer: a pointer into it, NULL when there is nothing to print.
    pub(super) fn fill(&mut self, print: impl FnOnce(*mut ffi::c_char, i32) -> *mut ffi::c_char) -> Result<bool> {
        let p = print(self.buf.as_mut_ptr().cast(), SIZE as i32);
        self.take(p)
    }

    /// Prints `path` for messages, as /proc does.
    pub(super) fn print_any(&mut self, path: *const bindings::path) -> Result {
        // SAFETY: callers hold a reference to the path; the buffer has SIZE bytes.
        let p = unsafe { bindings::d_path(path, self.buf.as_mut_ptr().cast(), SIZE as i32) };
        self.take(p).map(|_| ())
    }
}

/// Root, working directory and umask of a task.
///
/// # Invariants
///
/// Owns a reference to each path.
pub(crate) struct Fs {
    root: bindings::path,
    pwd: bindings::path,
    /// As umask(2).
    pub(crate) umask: u32,
}

// SAFETY: paths are counted references to shared kernel objects.
unsafe impl Send for Fs {}
// SAFETY: as above; nothing changes them.
unsafe impl Sync for Fs {}

impl Drop for Fs {
    fn drop(&mut self) {
        // SAFETY: owned, by the type's invariant.
        unsafe {
            bindings::path_put(&self.root);
            bindings::path_put(&self.pwd);
        }
    }
}

impl Fs {
    /// Those of `task`.
    pub(crate) fn of(task: &Task) -> Result<Self> {
        let (mut root, mut pwd, mut umask) = (bindings::path::default(), bindings::path::default(), 0);
        // SAFETY: the task is alive; the helper locks and takes references.
        let ret = unsafe { bindings::ckpt_get_fs(task.as_ptr(), &mut root, &mut pwd, &mut umask) };
        kernel::error::to_result(ret)?;
        // INVARIANT: the helper took both references.
        Ok(Self {
            root,
            pwd,
            umask: umask as u32,
        })
    }

    /// A root directory, which is the working directory too.
    ///
    /// # Safety
    ///
    /// The caller gives a reference to `root` away.
    pub(super) unsafe fn at(root: bindings::path) -> Self {
        // SAFETY: alive by the contract of this function.
        unsafe { bindings::path_get(&root) };
        // INVARIANT: one reference is the caller's, one has just been taken.
        Self {
            root,
            pwd: root,
            umask: 0,
        }
    }

    pub(super) fn root(&self) -> *const bindings::path {
        &self.root
    }

    /// The working directory as seen from the root; false when it cannot be reached from there.
    pub(crate) fn print_pwd(&self, out: &mut PathBuf) -> Result<bool> {
        out.print(&self.pwd, &self.root)
    }

    /// The root directory as seen from the root of `other`.
    pub(crate) fn print_root(&self, other: &Fs, out: &mut PathBuf) -> Result<bool> {
        out.print(&self.root, &other.root)
    }

    /// Whether the working directory has been removed.
    pub(crate) fn pwd_unlinked(&self) -> bool {
        // SAFETY: a reference is held.
        unsafe { bindings::ckpt_path_unlinked(&self.pwd) }
    }
}
