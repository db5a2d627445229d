// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! What a session has to say: obstacles, the first error, warnings.
//!
//! `read(2)` on the session returns whole messages, oldest first, and 0 when there are none; `EINVAL` when the
//! buffer is too short for the next one ([`MESSAGE_MAX`] always suffices). A message is a [`Message`] followed
//! by `text_len` bytes of UTF-8 text without a terminating NUL, padded with zeroes to [`Message::size`].

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Largest size of one message in bytes, text included.
pub const MESSAGE_MAX: usize = 512;

/// Stage of the session in which a message arose: [`Message::stage`].
pub mod stage {
    /// Choosing the target, checking the right to touch it.
    pub const ATTACH: u16 = 1;
    /// Looking for obstacles.
    pub const CHECK: u16 = 2;
    /// Stopping the target.
    pub const FREEZE: u16 = 3;
    /// Writing the statefile.
    pub const DUMP: u16 = 4;
    /// Reading the prologue of a statefile.
    pub const BEGIN: u16 = 5;
    /// Restoring a task.
    pub const RESTORE: u16 = 6;
    /// Waiting for all tasks, letting them go.
    pub const END: u16 = 7;
}

/// Weight of a message: [`Message::severity`].
pub mod severity {
    /// The operation failed, or will fail, because of this.
    pub const ERROR: u16 = 1;
    /// The operation goes on.
    pub const WARNING: u16 = 2;
}

/// Fixed part of a message.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Message {
    /// Size of the whole message with text and padding, a multiple of 8.
    pub size: u32,
    /// [`stage`].
    pub stage: u16,
    /// [`severity`].
    pub severity: u16,
    /// Record type ([`crate::record::RecordType`]) of the kind that is concerned, or 0.
    pub kind: u32,
    /// Positive errno.
    pub errno: i32,
    /// Process id in the reader's pid namespace, or 0.
    pub pid: i32,
    /// Thread id in the reader's pid namespace, or 0.
    pub tid: i32,
    /// Descriptor number, or -1.
    pub fd: i32,
    /// Length of the text in bytes.
    pub text_len: u32,
    /// User address, or 0.
    pub address: u64,
    /// Offset in the statefile, or 0.
    pub offset: u64,
}

const _: () = assert!(size_of::<Message>() == 48);
