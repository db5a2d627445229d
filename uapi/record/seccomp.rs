// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! seccomp: the mode of a thread, and filters, which threads and processes share.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Most instructions of a filter.
pub const PROGRAM_MAX: u32 = 4096;

/// Values of [`Seccomp::mode`].
pub mod mode {
    /// No seccomp: there is no record then.
    pub const NONE: u32 = 0;
    /// SECCOMP_MODE_STRICT.
    pub const STRICT: u32 = 1;
    /// SECCOMP_MODE_FILTER.
    pub const FILTER: u32 = 2;
}

/// Values of [`Seccomp::flags`].
pub mod flags {
    /// The thread has no_new_privs, as its credentials say too: that lets it have a filter.
    pub const NO_NEW_PRIVS: u32 = 1 << 0;
    /// All known flags.
    pub const ALL: u32 = NO_NEW_PRIVS;
}

/// Body of a seccomp record (per thread).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Seccomp {
    /// [`mode`].
    pub mode: u32,
    /// Objref of the newest filter; 0 in strict mode.
    pub filter: u32,
    /// [`flags`].
    pub flags: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(Seccomp, Seccomp, 16);

/// Values of [`SeccompFilter::flags`].
pub mod filter_flags {
    /// SECCOMP_FILTER_FLAG_LOG.
    pub const LOG: u32 = 1 << 0;
    /// As [`super::flags::NO_NEW_PRIVS`], of the thread in whose section it stands.
    pub const NO_NEW_PRIVS: u32 = 1 << 1;
    /// All known flags.
    pub const ALL: u32 = LOG | NO_NEW_PRIVS;
}

/// Fixed part of a seccomp filter record. The variable part is the program as seccomp(2) takes it: `struct sock_filter` of
/// 8 bytes each.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SeccompFilter {
    /// Number of the object.
    pub objref: u32,
    /// Objref of the filter that was there before it; 0 without one.
    pub prev: u32,
    /// Number of instructions.
    pub count: u32,
    /// [`filter_flags`].
    pub flags: u32,
}
record!(SeccompFilter, SeccompFilter, 16);
