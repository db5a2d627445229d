// SPDX-License-Identifier: GPL-2.0

//! Flags of open(2), and what openat2(2) refuses on the way.
//!
//! C headers: [`include/uapi/asm-generic/fcntl.h`](srctree/include/uapi/asm-generic/fcntl.h),
//! [`include/uapi/linux/openat2.h`](srctree/include/uapi/linux/openat2.h)

pub(crate) use super::bindings::{
    FASYNC as O_ASYNC, O_ACCMODE, O_APPEND, O_CLOEXEC, O_CREAT, O_DIRECT, O_DIRECTORY, O_EXCL, O_LARGEFILE, O_NOATIME,
    O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_TMPFILE, O_WRONLY, RESOLVE_BENEATH,
    RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV,
};
