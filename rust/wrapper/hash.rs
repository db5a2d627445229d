// SPDX-License-Identifier: GPL-2.0

//! XXH64, the checksum of the statefile.
//!
//! C header: [`include/linux/xxhash.h`](srctree/include/linux/xxhash.h)

use super::bindings;

/// A running XXH64.
pub(crate) struct Xxh64(bindings::xxh64_state);

impl Xxh64 {
    /// A hash over nothing.
    pub(crate) fn new(seed: u64) -> Self {
        let mut state = bindings::xxh64_state::default();
        // SAFETY: the state is ours and large enough; the function initialises it.
        unsafe { bindings::xxh64_reset(&mut state, seed) };
        Self(state)
    }

    /// Adds bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        // SAFETY: the state is initialised by `new`, the slice is readable for its length.
        unsafe { bindings::xxh64_update(&mut self.0, bytes.as_ptr().cast(), bytes.len()) };
    }

    /// The hash of all that was added.
    pub(crate) fn digest(&self) -> u64 {
        // SAFETY: the state is initialised by `new`.
        unsafe { bindings::xxh64_digest(&self.0) }
    }
}

/// XXH64 of one slice.
pub(crate) fn xxh64(bytes: &[u8], seed: u64) -> u64 {
    // SAFETY: the slice is readable for its length.
    unsafe { bindings::xxh64(bytes.as_ptr().cast(), bytes.len(), seed) }
}
