// SPDX-License-Identifier: GPL-2.0

//! Credentials.
//!
//! C header: [`include/linux/cred.h`](srctree/include/linux/cred.h)

use super::{
    bindings,
    syscall::CurrentTask,
    task::Task,
    user_ns::UserNs, //
};
use kernel::prelude::*;

/// In place of the number of a user or group that a user namespace has none for.
pub(crate) const NO_NUMBER: u32 = u32::MAX;

/// Credentials of a task with a counted reference.
///
/// # Invariants
///
/// `0` is a cred on which this value owns a reference; its fields never change (credentials are copied to be changed).
pub(crate) struct Cred(*const bindings::cred);

// SAFETY: credentials do not change, and their reference may be dropped anywhere.
unsafe impl Send for Cred {}
// SAFETY: as above.
unsafe impl Sync for Cred {}

impl Drop for Cred {
    fn drop(&mut self) {
        // SAFETY: `put_cred()` is an inline function: drop one count, free at zero.
        unsafe { bindings::ckpt_put_cred(self.0) }
    }
}

impl Cred {
    /// The objective credentials of `task`.
    pub(crate) fn of(task: &Task) -> Self {
        // SAFETY: the task is alive; the function takes a reference.
        // INVARIANT: as above.
        Self(unsafe { bindings::get_task_cred(task.as_ptr()) })
    }

    /// The credentials in force of the calling task.
    pub(crate) fn current() -> Self {
        // SAFETY: the helper takes a reference.
        // INVARIANT: as above.
        Self(unsafe { bindings::ckpt_get_current_cred() })
    }

    /// Credentials that nobody has, in a user namespace: for those who ask what that calls a user or group.
    pub(crate) fn viewer_in(ns: &UserNs) -> Result<Self> {
        // SAFETY: the namespace is alive; the helper gives new credentials or NULL.
        let cred = unsafe { bindings::ckpt_viewer_in(ns.as_ptr()) };
        if cred.is_null() {
            return Err(ENOMEM);
        }
        // INVARIANT: the helper made it, and nobody else knows it.
        Ok(Self(cred))
    }

    /// The raw pointer, for other wrappers.
    pub(super) fn as_ptr(&self) -> *const bindings::cred {
        self.0
    }

    /// Real, effective, saved, file system user id, in the user namespace of the task.
    pub(crate) fn uids(&self) -> [u32; 4] {
        // SAFETY: the reference keeps the cred and its namespace.
        unsafe {
            let c = &*self.0;
            [c.uid, c.euid, c.suid, c.fsuid].map(|k| bindings::from_kuid(c.user_ns, k))
        }
    }

    /// Real, effective, saved, file system group id, in the user namespace of the task.
    pub(crate) fn gids(&self) -> [u32; 4] {
        // SAFETY: the reference keeps the cred and its namespace.
        unsafe {
            let c = &*self.0;
            [c.gid, c.egid, c.sgid, c.fsgid].map(|k| bindings::from_kgid(c.user_ns, k))
        }
    }

    /// Supplementary groups, in the user namespace of the task.
    pub(crate) fn groups(&self) -> Result<KVec<u32>> {
        self.groups_seen_by(self)
    }

    /// Supplementary groups, in the user namespace of `viewer`: [`NO_NUMBER`] for those that it does not know.
    pub(crate) fn groups_seen_by(&self, viewer: &Self) -> Result<KVec<u32>> {
        // SAFETY: the references keep the creds, the namespace of the one, and the groups of the other.
        unsafe {
            let info = (*self.0).group_info;
            let n = (*info).ngroups as usize;
            let groups = (*info).gid.as_slice(n);
            let mut out = KVec::with_capacity(n, GFP_KERNEL_ACCOUNT)?;
            for g in groups {
                out.push(bindings::from_kgid((*viewer.0).user_ns, *g), GFP_KERNEL_ACCOUNT)?;
            }
            Ok(out)
        }
    }

    /// Address of the user namespace.
    pub(crate) fn user_ns(&self) -> usize {
        // SAFETY: the reference keeps the cred.
        unsafe { (*self.0).user_ns as usize }
    }

    /// What it calls a user or group of the initial user namespace, if it knows that.
    pub(crate) fn name_of(&self, id: u32, group: bool) -> Option<u32> {
        // SAFETY: the reference keeps the cred and its namespace.
        let name = unsafe { bindings::ckpt_id_seen(self.0, id, group) };
        (name != u32::MAX).then_some(name)
    }

    /// Inheritable, permitted, effective, bounding, ambient capabilities.
    pub(crate) fn caps(&self) -> [u64; 5] {
        // SAFETY: the reference keeps the cred.
        let c = unsafe { &*self.0 };
        [
            c.cap_inheritable,
            c.cap_permitted,
            c.cap_effective,
            c.cap_bset,
            c.cap_ambient,
        ]
        .map(|k| k.val)
    }

    /// Whether CAP_SYS_ADMIN is effective.
    pub(crate) fn is_admin(&self) -> bool {
        const CAP_SYS_ADMIN: u32 = 21;
        let [_, _, effective, ..] = self.caps();
        effective & (1 << CAP_SYS_ADMIN) != 0
    }

    /// As prctl(PR_GET_SECUREBITS).
    pub(crate) fn securebits(&self) -> u32 {
        // SAFETY: the reference keeps the cred.
        unsafe { (*self.0).securebits }
    }

    /// User ids as the kernel has them, whatever a user namespace calls them.
    fn kuids(&self) -> [u32; 4] {
        // SAFETY: alive; credentials do not change.
        let c = unsafe { &*self.0 };
        [c.uid.val, c.euid.val, c.suid.val, c.fsuid.val]
    }

    /// Whether all its user ids are one, which is the other's, too.
    pub(crate) fn is_only_user_of(&self, other: &Self) -> bool {
        let user = other.kuids()[1];
        self.kuids().iter().all(|id| *id == user)
    }

    /// Whether it has a session keyring, and the other has the same.
    pub(crate) fn has_session_keyring_of(&self, other: &Self) -> bool {
        // SAFETY: both are alive; credentials do not change, and the addresses are compared only.
        unsafe {
            !(*self.0).session_keyring.is_null() && core::ptr::eq((*self.0).session_keyring, (*other.0).session_keyring)
        }
    }

    /// Whether it has a keyring of its thread or process.
    pub(crate) fn has_private_keyring(&self) -> bool {
        // SAFETY: the reference keeps the cred.
        unsafe { !(*self.0).process_keyring.is_null() || !(*self.0).thread_keyring.is_null() }
    }
}

/// The caller acts with other credentials than its own while this value lives.
///
/// # Invariants
///
/// `0` is what `override_creds()` returned when it put others in the place of these, in the same task.
pub(super) struct Acting(*const bindings::cred);

impl Acting {
    /// What ends it.
    ///
    /// # Safety
    ///
    /// The calling task has these back from `override_creds()`, and drops the value before any that it had earlier.
    pub(super) unsafe fn instead_of(old: *const bindings::cred) -> Self {
        // INVARIANT: as the caller says.
        Self(old)
    }
}

impl Drop for Acting {
    fn drop(&mut self) {
        // SAFETY: by the type's invariant, and a raw pointer is not sent to another task.
        unsafe { bindings::ckpt_act_as_before(self.0) }
    }
}

impl CurrentTask {
    /// Does something without a capability, as a bit number of capabilities(7). Nothing in there may change the caller's credentials.
    pub(crate) fn without_capability<T>(
        &self,
        capability: u32,
        act: impl FnOnce() -> crate::error::Result<T>,
    ) -> crate::error::Result<T> {
        // SAFETY: changes what the caller acts with; the number is one of the kernel's.
        let old = unsafe { bindings::ckpt_act_without(capability as i32) };
        if old.is_null() {
            return Err(ENOMEM.into());
        }
        // SAFETY: the helper has just put others in the place of these.
        let _acting = unsafe { Acting::instead_of(old) };
        act()
    }

    /// Has the session keyring that another task of the same restart has made.
    pub(crate) fn share_session_keyring(&self, holder: &Task) -> Result {
        // SAFETY: the holder is alive; the helper changes the caller's credentials only.
        kernel::error::to_result(unsafe { bindings::ckpt_share_session_keyring(holder.as_ptr()) })
    }
}
