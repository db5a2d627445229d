// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! fanotify of the kind that anybody may make: it watches files and directories, and names them by file handles. Each is an object;
//! descriptors refer to it. Its marks follow.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// O_* flags that such an open file keeps: O_NONBLOCK.
pub const FLAGS: u32 = 0o4000;
/// Flags of fanotify_init(2) that are saved: FAN_CLOEXEC, FAN_NONBLOCK, and [`REPORT`].
pub const MADE: u32 = 3 | REPORT;
/// Of these, what it reports: FAN_REPORT_FID, FAN_REPORT_DIR_FID, FAN_REPORT_NAME, FAN_REPORT_TARGET_FID. One of them is set.
pub const REPORT: u32 = 0x1e00;
/// FAN_* bits of a mark: events, FAN_EVENT_ON_CHILD, FAN_ONDIR.
pub const MASK: u32 = 0x5800_1fff;

/// Bits of [`Mark::flags`], as those of fanotify_mark(2).
pub mod mark {
    /// FAN_MARK_IGNORED_SURV_MODIFY
    pub const SURVIVES: u32 = 0x40;
    /// FAN_MARK_EVICTABLE
    pub const EVICTABLE: u32 = 0x200;
    /// FAN_MARK_IGNORE
    pub const IGNORE: u32 = 0x400;
    /// All known bits.
    pub const ALL: u32 = SURVIVES | EVICTABLE | IGNORE;
}

/// A fanotify_init(2).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Fanotify {
    /// Number of the object.
    pub objref: u32,
    /// O_* flags: [`FLAGS`].
    pub flags: u32,
    /// What it was made with: [`MADE`].
    pub made: u32,
    /// O_* flags of what it would open.
    pub event_flags: u32,
    /// 1 when somebody without privileges has made it, whom it tells of no other processes.
    pub unprivileged: u32,
    /// Number of marks that follow.
    pub marks: u32,
}
record!(Fanotify, Fanotify, 24);

/// Fixed part of a fanotify-mark record; an absolute path follows.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Mark {
    /// Objref of the fanotify.
    pub fanotify: u32,
    /// Events that it tells of: [`MASK`].
    pub mask: u32,
    /// Events that it does not tell of.
    pub ignored: u32,
    /// [`mark`] bits.
    pub flags: u32,
    /// Length of the path in bytes.
    pub path_len: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(Mark, FanotifyMark, 24);
