// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Credentials and capabilities, in the user namespace of the task.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Values of [`Cred::flags`].
pub mod cred_flags {
    /// Supplementary groups are in the numbers of the first task's user namespace. Only in one below that.
    pub const GROUPS_OUTSIDE: u16 = 1 << 0;
    /// All known flags.
    pub const ALL: u16 = GROUPS_OUTSIDE;
}

/// Fixed part of a credentials record. The variable part is the supplementary groups (`u32` each).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Cred {
    /// Real user id.
    pub uid: u32,
    /// Real group id.
    pub gid: u32,
    /// Effective user id.
    pub euid: u32,
    /// Effective group id.
    pub egid: u32,
    /// Saved user id.
    pub suid: u32,
    /// Saved group id.
    pub sgid: u32,
    /// File system user id.
    pub fsuid: u32,
    /// File system group id.
    pub fsgid: u32,
    /// As prctl(PR_GET_SECUREBITS).
    pub securebits: u32,
    /// As prctl(PR_GET_NO_NEW_PRIVS).
    pub no_new_privs: u32,
    /// Number of supplementary groups.
    pub groups: u32,
    /// Number of the user namespace ([`super::ns::NestedUserNs`]); 0 for that of the first task.
    pub user_ns: u16,
    /// [`cred_flags`].
    pub flags: u16,
    /// Inheritable capabilities.
    pub cap_inheritable: u64,
    /// Permitted capabilities.
    pub cap_permitted: u64,
    /// Effective capabilities.
    pub cap_effective: u64,
    /// Bounding set.
    pub cap_bounding: u64,
    /// Ambient capabilities.
    pub cap_ambient: u64,
}
record!(Cred, Cred, 88);

impl Cred {
    /// Whether all users and groups have numbers in the user namespace of the task. Only supplementary groups may lack one.
    pub fn has_numbers(&self) -> bool {
        [
            self.uid, self.euid, self.suid, self.fsuid, self.gid, self.egid, self.sgid, self.fsgid,
        ]
        .iter()
        .all(|id| *id != u32::MAX)
    }
}
