// SPDX-License-Identifier: GPL-2.0

//! The unsafe room: safe Rust over kernel objects.
//!
//! One file per C subsystem, with C names. A type says which reference it owns. Nothing in here knows a record, a
//! session or an ioctl. `bindings` is used here and nowhere else.
#![allow(unsafe_code, reason = "this is where unsafe lives")]

pub(crate) mod aio;
pub(crate) mod cgroup;
pub(crate) mod completion;
pub(crate) mod cred;
pub(crate) mod epoll;
pub(crate) mod fanotify;
pub(crate) mod fcntl;
pub(crate) mod file;
pub(crate) mod hash;
pub(crate) mod inotify;
pub(crate) mod ipc;
pub(crate) mod landlock;
pub(crate) mod lock;
pub(crate) mod mm;
pub(crate) mod mount;
pub(crate) mod net;
pub(crate) mod ns;
pub(crate) mod nsfd;
pub(crate) mod owner;
pub(crate) mod park;
pub(crate) mod path;
pub(crate) mod pid;
pub(crate) mod pidfd;
pub(crate) mod pipe;
pub(crate) mod proc;
pub(crate) mod regset;
pub(crate) mod seccomp;
pub(crate) mod sighand;
pub(crate) mod socket;
pub(crate) mod symbol;
pub(crate) mod syscall;
pub(crate) mod task;
pub(crate) mod time;
pub(crate) mod timer;
pub(crate) mod tty;
pub(crate) mod uring;
pub(crate) mod user_ns;
pub(crate) mod userfaultfd;

pub(crate) use ckpt_bindings as bindings;

use kernel::{ffi, prelude::*};

/// Turns the C convention (negative errno or a value) into a `Result`.
pub(crate) fn to_result(value: isize) -> Result<usize> {
    if value < 0 {
        Err(Error::from_errno(value as i32))
    } else {
        Ok(value as usize)
    }
}

/// Copies a C string that a helper returned into `out`; the number of bytes without the NUL.
///
/// # Safety
///
/// `text` must be NULL or a NUL-terminated string that lives during the call.
pub(crate) unsafe fn copy_c_str(text: *const ffi::c_char, out: &mut [u8]) -> Option<usize> {
    if text.is_null() {
        return None;
    }
    // SAFETY: NUL-terminated and alive, by the contract of this function.
    let bytes = unsafe { CStr::from_char_ptr(text) }.to_bytes();
    let n = bytes.len().min(out.len());
    out[..n].copy_from_slice(&bytes[..n]);
    Some(n)
}
