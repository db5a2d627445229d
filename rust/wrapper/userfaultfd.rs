// SPDX-License-Identifier: GPL-2.0

//! userfaultfd.
//!
//! C source: `mm/userfaultfd.c`

use super::{bindings, file::File, symbol::Operations};

/// An open file that is a userfaultfd.
///
/// # Invariants
///
/// The file's operations are those of userfaultfd.
pub(crate) struct Userfaultfd<'a>(&'a File);

impl<'a> Userfaultfd<'a> {
    /// This file, if it is a userfaultfd.
    pub(crate) fn of(file: &'a File) -> Option<Self> {
        // INVARIANT: just looked at.
        (file.ops() == Operations::Userfaultfd.address()).then_some(Self(file))
    }

    /// Address of the address space that it watches, which may be nobody's any more.
    pub(crate) fn mm(&self) -> usize {
        // SAFETY: a userfaultfd, by the invariant; a word that does not change.
        unsafe { bindings::ckpt_userfaultfd_mm(self.0.as_ptr()) as usize }
    }

    /// Whether a fault or an event waits to be read or answered.
    pub(crate) fn is_busy(&self) -> bool {
        // SAFETY: a userfaultfd, by the invariant; heads of lists are looked at, not followed.
        unsafe { bindings::ckpt_userfaultfd_busy(self.0.as_ptr()) }
    }

    /// What userfaultfd(2) was called with.
    pub(crate) fn made_with(&self) -> u32 {
        // SAFETY: a userfaultfd, by the invariant; a word that does not change.
        unsafe { bindings::ckpt_userfaultfd_flags(self.0.as_ptr()) }
    }

    /// What UFFDIO_API was called with; `None` when it was not.
    pub(crate) fn features(&self) -> Option<u64> {
        let mut features = 0;
        // SAFETY: a userfaultfd, by the invariant; one word.
        unsafe { bindings::ckpt_userfaultfd_features(self.0.as_ptr(), &mut features) }.then_some(u64::from(features))
    }
}
