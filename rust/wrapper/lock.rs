// SPDX-License-Identifier: GPL-2.0

//! Locks and leases of files.
//!
//! C header: [`include/linux/filelock.h`](srctree/include/linux/filelock.h)

use super::{bindings, file::File, task::Task};
use kernel::prelude::*;

/// A lock of fcntl(2): what `struct flock` says of it.
pub(crate) type Range = bindings::ckpt_lock_range;

/// A lease of fcntl(F_SETLEASE).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lease {
    /// F_RDLCK
    Read,
    /// F_WRLCK
    Write,
    /// Somebody waits for the holder to give it back.
    Breaking,
    /// A delegation, or a layout of pNFS.
    Other,
}

/// What is held through an open file.
pub(crate) struct Locks {
    /// Its lock of flock(2): LOCK_SH, LOCK_EX or 0.
    pub(crate) flock: u32,
    /// Its lease.
    pub(crate) lease: Option<Lease>,
    /// How many locks of fcntl(F_OFD_SETLK) it has.
    pub(crate) of_file: usize,
    /// How many locks of fcntl(F_SETLK) the descriptor table has taken through it.
    pub(crate) of_table: usize,
}

impl Locks {
    /// Those of the open file, and of the descriptor table of `task`.
    pub(crate) fn of(file: &File, task: &Task) -> Self {
        let mut raw = bindings::ckpt_file_locks::default();
        // SAFETY: both are alive; the helper locks.
        unsafe { bindings::ckpt_file_locks(file.as_ptr(), task.as_ptr(), &mut raw) };
        Self {
            flock: raw.flock,
            lease: match raw.lease {
                bindings::ckpt_lease_CKPT_LEASE_NONE => None,
                bindings::ckpt_lease_CKPT_LEASE_READ => Some(Lease::Read),
                bindings::ckpt_lease_CKPT_LEASE_WRITE => Some(Lease::Write),
                bindings::ckpt_lease_CKPT_LEASE_BREAKING => Some(Lease::Breaking),
                _ => Some(Lease::Other),
            },
            of_file: raw.of_file as usize,
            of_table: raw.of_table as usize,
        }
    }
}

/// Ranges of the locks that the open file has; with a task, of those that its descriptor table has taken through the file. Who holds them
/// must stand still.
pub(crate) fn ranges(file: &File, table_of: Option<&Task>) -> Result<KVVec<Range>> {
    let task = table_of.map_or(core::ptr::null_mut(), Task::as_ptr);
    let mut out: KVVec<Range> = KVVec::new();
    loop {
        let max = u32::try_from(out.len())?;
        // SAFETY: the file is alive, the task too or NULL; the buffer has `max` entries; the helper locks.
        let found = unsafe { bindings::ckpt_lock_ranges(file.as_ptr(), task, out.as_mut_ptr(), max) } as usize;
        if found <= out.len() {
            out.truncate(found);
            return Ok(out);
        }
        out = KVVec::from_elem(Range::default(), found, GFP_KERNEL_ACCOUNT)?;
    }
}
