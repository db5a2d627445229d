// SPDX-License-Identifier: GPL-2.0

//! Clocks, random bytes and the names of the machine.

use super::bindings;

/// CLOCK_MONOTONIC in nanoseconds.
pub(crate) fn monotonic_ns() -> u64 {
    // SAFETY: no preconditions.
    unsafe { bindings::ckpt_ktime_get_ns() }
}

/// CLOCK_BOOTTIME in nanoseconds.
pub(crate) fn boottime_ns() -> u64 {
    // SAFETY: no preconditions.
    unsafe { bindings::ckpt_ktime_get_boottime_ns() }
}

/// CLOCK_REALTIME in nanoseconds.
pub(crate) fn realtime_ns() -> u64 {
    // SAFETY: no preconditions.
    unsafe { bindings::ckpt_ktime_get_real_ns() }
}

/// Fills `out` with random bytes.
pub(crate) fn random(out: &mut [u8]) {
    // SAFETY: the slice is writable for its length.
    unsafe { bindings::get_random_bytes(out.as_mut_ptr().cast(), out.len()) }
}

/// Release of the running kernel; the rest of `out` stays as it is, the last byte too.
pub(crate) fn kernel_release(out: &mut [u8]) {
    let n = out.len() - 1;
    // SAFETY: the helper returns a NUL-terminated string that lives as long as the kernel.
    unsafe { super::copy_c_str(bindings::ckpt_utsname_release(), &mut out[..n]) };
}

/// Node name in the caller's uts namespace; the rest of `out` stays as it is, the last byte too.
pub(crate) fn nodename(out: &mut [u8]) {
    let n = out.len() - 1;
    // SAFETY: the helper returns a NUL-terminated array of the caller's uts namespace, which lives while the caller does.
    unsafe { super::copy_c_str(bindings::ckpt_utsname_nodename(), &mut out[..n]) };
}

/// Clocks by number (`uapi/linux/time.h`).
pub(crate) mod clock {
    /// CLOCK_REALTIME.
    pub(crate) const REALTIME: i32 = 0;
    /// CLOCK_MONOTONIC.
    pub(crate) const MONOTONIC: i32 = 1;
    /// CLOCK_BOOTTIME.
    pub(crate) const BOOTTIME: i32 = 7;
    /// Clocks that a sleep may be on. The kernel indexes a table with the number: it must be one of these.
    pub(crate) const SLEEP: [i32; 3] = [REALTIME, MONOTONIC, BOOTTIME];

    /// What the clock says, in nanoseconds.
    pub(crate) fn now(clock: i32) -> Option<u64> {
        match clock {
            REALTIME => Some(super::realtime_ns()),
            MONOTONIC => Some(super::monotonic_ns()),
            BOOTTIME => Some(super::boottime_ns()),
            _ => None,
        }
    }
}
