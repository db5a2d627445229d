// SPDX-License-Identifier: GPL-2.0
//! bindgen's output for the kernel structures that `kernel::bindings` lacks. Used by `wrapper/` only.
#![allow(
    clippy::all,
    unused_imports,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    improper_ctypes,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]

use kernel::ffi;

type __kernel_size_t = usize;
type __kernel_ssize_t = isize;
type __kernel_ptrdiff_t = isize;

include!(concat!(env!("CKPT_OBJ"), "/rust/bindings/bindings_generated.rs"));
