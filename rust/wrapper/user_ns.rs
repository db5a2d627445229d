// SPDX-License-Identifier: GPL-2.0

//! User namespaces.
//!
//! C header: [`include/linux/user_namespace.h`](srctree/include/linux/user_namespace.h)

use super::{
    bindings,
    cred::{Acting, Cred},
    file::File,
    nsfd::NsFd,
    syscall::CurrentTask, //
};
use core::ptr::NonNull;
use kernel::{error::to_result, prelude::*};

/// What is known of a user namespace: who has made it, and how many extents its maps have.
pub(crate) type UserNsState = bindings::ckpt_user_ns;

/// A user namespace with a counted reference.
///
/// # Invariants
///
/// `0` points to a user namespace on which this value owns one reference.
pub(crate) struct UserNs(NonNull<bindings::user_namespace>);

// SAFETY: references may be dropped anywhere; maps and owner are set once.
unsafe impl Send for UserNs {}
// SAFETY: as above.
unsafe impl Sync for UserNs {}

impl Drop for UserNs {
    fn drop(&mut self) {
        // SAFETY: owned, by the type's invariant.
        unsafe { bindings::ckpt_put_user_ns(self.0.as_ptr()) }
    }
}

impl Clone for UserNs {
    fn clone(&self) -> Self {
        // SAFETY: alive, since `self` owns a reference.
        unsafe { Self::of_live(self.0) }
    }
}

impl PartialEq for UserNs {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl UserNs {
    /// A reference of its own.
    ///
    /// # Safety
    ///
    /// The namespace is alive.
    unsafe fn of_live(ns: NonNull<bindings::user_namespace>) -> Self {
        // SAFETY: as the caller says.
        unsafe { bindings::ckpt_get_user_ns(ns.as_ptr()) };
        // INVARIANT: the reference was just taken.
        Self(ns)
    }

    /// That at an address; `None` for NULL.
    ///
    /// # Safety
    ///
    /// It is alive, or NULL.
    pub(super) unsafe fn from_borrowed(ns: *mut bindings::user_namespace) -> Option<Self> {
        // SAFETY: alive, as the caller says.
        NonNull::new(ns).map(|ns| unsafe { Self::of_live(ns) })
    }

    /// That of these credentials.
    pub(crate) fn of(cred: &Cred) -> Self {
        // SAFETY: the credentials keep it; they always have one.
        unsafe { Self::of_live(NonNull::new_unchecked(cred.user_ns() as *mut bindings::user_namespace)) }
    }

    /// That which a file of nsfs stands for, if it stands for one.
    pub(crate) fn of_file(file: &File) -> Option<Self> {
        NsFd::of(file)?;
        // SAFETY: the file is alive, and of nsfs; the helper gives a reference or NULL.
        let ns = unsafe { bindings::ckpt_user_ns_of_file(file.as_ptr()) };
        // INVARIANT: the helper took the reference.
        NonNull::new(ns).map(Self)
    }

    /// That which the namespace belongs to that a file of nsfs stands for.
    pub(crate) fn owner_of(file: &File) -> Option<Self> {
        NsFd::of(file)?;
        // SAFETY: the file is alive, and of nsfs: it keeps the namespace, and that its owner.
        unsafe { Self::from_borrowed(bindings::ckpt_nsfd_owner(file.as_ptr())) }
    }

    /// That in which it was made; none for the initial one.
    pub(crate) fn parent(&self) -> Option<Self> {
        // SAFETY: alive; it keeps its parent, which never changes.
        unsafe { Self::from_borrowed((*self.0.as_ptr()).parent) }
    }

    /// The raw pointer, for other wrappers.
    pub(super) fn as_ptr(&self) -> *mut bindings::user_namespace {
        self.0.as_ptr()
    }

    /// Address of the kernel object: the same for the same namespace.
    pub(crate) fn address(&self) -> usize {
        self.0.as_ptr() as usize
    }

    /// Whether this is the namespace at an address, or was made below it.
    pub(crate) fn is_within(&self, address: usize) -> bool {
        let mut ns = self.0.as_ptr();
        while !ns.is_null() {
            if ns as usize == address {
                return true;
            }
            // SAFETY: a namespace keeps its parent alive.
            ns = unsafe { (*ns).parent };
        }
        false
    }

    /// As its parent sees it; `EINVAL` for the initial one.
    pub(crate) fn state(&self) -> Result<UserNsState> {
        self.parent().ok_or(EINVAL)?;
        let mut out = UserNsState::default();
        // SAFETY: alive, and it has a parent, which it keeps.
        unsafe { bindings::ckpt_user_ns(self.0.as_ptr(), &mut out) };
        Ok(out)
    }

    /// An extent of its maps: first id inside, outside in its parent, and how many. `i` is below the number in [`Self::state`].
    pub(crate) fn extent(&self, group: bool, i: u32) -> [u32; 3] {
        let (mut first, mut outside, mut count) = (0, 0, 0);
        // SAFETY: alive; there is such an extent, since maps are set once.
        unsafe {
            bindings::ckpt_user_ns_extent(self.0.as_ptr(), group, i, &mut first, &mut outside, &mut count);
        }
        [first, outside, count]
    }
}

impl CurrentTask {
    /// Has the caller live in a user namespace, with all capabilities there, as setns(2) does; `EPERM` without CAP_SYS_ADMIN in it.
    /// Nothing changes if it lives there.
    pub(crate) fn enter_user_ns(&self, ns: &UserNs) -> Result {
        // SAFETY: alive; the helper changes the caller's credentials only.
        to_result(unsafe { bindings::ckpt_enter_user_ns(ns.0.as_ptr()) })
    }

    /// Does something with the credentials that the caller would have if it entered a user namespace: `EPERM` without CAP_SYS_ADMIN in
    /// it. Nothing in there may change the caller's credentials.
    pub(crate) fn in_user_ns<T>(
        &self,
        ns: &UserNs,
        act: impl FnOnce() -> crate::error::Result<T>,
    ) -> crate::error::Result<T> {
        // SAFETY: alive; the helper gives NULL, credentials, or an error pointer.
        let old = kernel::error::from_err_ptr(unsafe { bindings::ckpt_act_in_user_ns(ns.0.as_ptr()) }.cast_mut())?;
        // SAFETY: the helper has just put others in the place of these, unless there was no need to.
        let _acting = (!old.is_null()).then(|| unsafe { Acting::instead_of(old) });
        act()
    }

    /// Whether all namespaces of the caller, and the mounts that its root and working directory are in, belong to its user namespace or to
    /// one above that.
    pub(crate) fn lives_below_owners(&self) -> bool {
        // SAFETY: looks at the caller, which has namespaces and directories, since it runs.
        unsafe { bindings::ckpt_lives_below_owners() }
    }

    /// Whether the caller has CAP_SYS_ADMIN in the user namespace that it lives in.
    pub(crate) fn may_administer_own(&self) -> bool {
        // SAFETY: looks at the caller.
        unsafe { bindings::ckpt_may_administer_own() }
    }

    /// Whether a thread of the caller's, or somebody who shares its root directory, lives in another user namespace.
    pub(crate) fn shares_across_user_ns(&self) -> bool {
        // SAFETY: looks at the caller, and at others under the RCU lock.
        unsafe { bindings::ckpt_shares_across_user_ns() }
    }
}
