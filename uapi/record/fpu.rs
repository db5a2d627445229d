// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Extended processor state (x87, SSE, AVX, ...).

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Fixed part of an FPU record. The variable part is the state in the standard (non-compacted) XSAVE format, as
/// ptrace(PTRACE_GETREGSET, NT_X86_XSTATE) returns it.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Fpu {
    /// XSAVE features (XCR0 bits) that are present in the state.
    pub xfeatures: u64,
    /// Length of the state in bytes.
    pub size: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(Fpu, Fpu, 16);
/// Largest state in bytes that a reader accepts.
pub const SIZE_MAX: u32 = 16 * 1024;
