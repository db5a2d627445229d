// SPDX-License-Identifier: GPL-2.0

//! Landlock domains.
//!
//! C header: [`security/landlock/domain.h`](srctree/security/landlock/domain.h)

use super::{
    bindings,
    cred::Cred,
    file::File,
    syscall::CurrentTask,
    to_result, //
};
use kernel::prelude::*;

/// Most layers of a domain.
pub(crate) const LAYERS_MAX: usize = bindings::CKPT_LANDLOCK_LAYERS as usize;

/// One layer of a domain.
#[derive(Clone, Copy)]
pub(crate) struct Layer {
    /// As `struct landlock_ruleset_attr`.
    pub(crate) attr: [u64; 6],
    /// As landlock_restrict_self(2).
    pub(crate) flags: u32,
    /// LANDLOCK_RESTRICT_SELF_LOG_SUBDOMAINS_OFF was in force when it was enforced.
    pub(crate) subdomains_off: bool,
}

impl Cred {
    /// The layers of the Landlock domain, the oldest first, each with the address of what two domains that share it have in
    /// common. `EUCLEAN` when the kernel's structures are not as they should be.
    pub(crate) fn landlock_layers(&self) -> Result<KVec<(usize, Layer)>> {
        let mut raw = [bindings::ckpt_landlock_layer::default(); LAYERS_MAX];
        // SAFETY: the reference keeps the cred and its domain; the array has as many elements as a domain has layers.
        let n = unsafe { bindings::ckpt_landlock_layers(self.as_ptr(), raw.as_mut_ptr()) };
        let n = to_result(n as isize)?;
        let mut layers = KVec::with_capacity(n, GFP_KERNEL_ACCOUNT)?;
        for r in raw.iter().take(n) {
            let layer = Layer {
                attr: [
                    r.handled_access_fs,
                    r.handled_access_net,
                    r.scoped,
                    r.quiet_access_fs,
                    r.quiet_access_net,
                    r.quiet_scoped,
                ],
                flags: r.flags,
                subdomains_off: r.subdomains_off != 0,
            };
            layers.push((r.node as usize, layer), GFP_KERNEL_ACCOUNT)?;
        }
        Ok(layers)
    }

    /// Whether the Landlock domain has rules.
    pub(crate) fn landlock_has_rules(&self) -> bool {
        // SAFETY: the reference keeps the cred and its domain.
        unsafe { bindings::ckpt_landlock_has_rules(self.as_ptr()) }
    }

    /// Whether LANDLOCK_RESTRICT_SELF_LOG_SUBDOMAINS_OFF is in force.
    pub(crate) fn landlock_subdomains_off(&self) -> bool {
        // SAFETY: the reference keeps the cred.
        unsafe { bindings::ckpt_landlock_subdomains_off(self.as_ptr()) }
    }
}

impl File {
    /// LANDLOCK_ACCESS_FS_TRUNCATE and _IOCTL_DEV, as far as they mean something for the open file and Landlock denied them when
    /// it was opened.
    pub(crate) fn landlock_denied(&self) -> u64 {
        // SAFETY: alive; one word that is set at open.
        unsafe { bindings::ckpt_landlock_denied(self.as_ptr()) }
    }
}

impl CurrentTask {
    /// Takes the Landlock domain of `theirs` in place of the task's own, if that is the same once more: its youngest layer
    /// enforced again on the very same domain with the same masks. Otherwise the task keeps its own. As
    /// LANDLOCK_RESTRICT_SELF_TSYNC gives all threads one domain; here the task has been restricted already.
    pub(crate) fn share_landlock(&self, theirs: &Cred) -> Result {
        // SAFETY: the reference keeps the cred and its domain; process context of the task itself, whose credentials nobody
        // overrides.
        let ret = unsafe { bindings::ckpt_landlock_share(theirs.as_ptr()) };
        to_result(ret as isize).map(|_| ())
    }

    /// Runs `f`, then gives the task back the credentials that it has now, whatever `f` has made of them.
    pub(crate) fn keeping_credentials<T>(&self, f: impl FnOnce() -> T) -> T {
        let before = Cred::current();
        let result = f();
        // SAFETY: process context of the task itself, which had these credentials a moment ago and has run no program code
        // since; nobody overrides them.
        unsafe { bindings::ckpt_revert_creds(before.as_ptr()) };
        result
    }
}
