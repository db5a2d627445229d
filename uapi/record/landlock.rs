// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Landlock domains without rules.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Most layers of a domain.
pub const LAYERS_MAX: usize = 16;

/// Values of [`Layer::flags`], as landlock_restrict_self(2).
pub mod flags {
    /// LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF.
    pub const LOG_SAME_EXEC_OFF: u32 = 1 << 0;
    /// LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON.
    pub const LOG_NEW_EXEC_ON: u32 = 1 << 1;
    /// All of them.
    pub const ALL: u32 = LOG_SAME_EXEC_OFF | LOG_NEW_EXEC_ON;
}

/// Body of a Landlock layer record: a ruleset without rules, and how it was enforced.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Layer {
    /// Number of the object.
    pub objref: u32,
    /// Objref of the layer that was enforced before it, 0 for the first one of a domain.
    pub below: u32,
    /// As in `struct landlock_ruleset_attr`.
    pub handled_access_fs: u64,
    /// As in `struct landlock_ruleset_attr`.
    pub handled_access_net: u64,
    /// As in `struct landlock_ruleset_attr`.
    pub scoped: u64,
    /// As in `struct landlock_ruleset_attr`.
    pub quiet_access_fs: u64,
    /// As in `struct landlock_ruleset_attr`.
    pub quiet_access_net: u64,
    /// As in `struct landlock_ruleset_attr`.
    pub quiet_scoped: u64,
    /// [`flags`].
    pub flags: u32,
    /// 1 when LANDLOCK_RESTRICT_SELF_LOG_SUBDOMAINS_OFF was in force before it was enforced.
    pub subdomains_off: u32,
}
record!(Layer, LandlockLayer, 64);

/// Body of a Landlock record: the domain of a thread.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Landlock {
    /// Objref of the youngest layer; 0 without a domain.
    pub domain: u32,
    /// 1 when LANDLOCK_RESTRICT_SELF_LOG_SUBDOMAINS_OFF is in force for layers to come.
    pub subdomains_off: u32,
    /// As prctl(PR_GET_NO_NEW_PRIVS): with it, and without CAP_SYS_ADMIN, a domain may be enforced.
    pub no_new_privs: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(Landlock, Landlock, 16);
