// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The container: prefix, record headers, checksums, limits. `STATEFILE.md` has the picture.
//!
//! A statefile is a [`Prefix`] and then records, front to back. A record is a [`RecordHeader`], its body of
//! `length` bytes, and, when `payload` is not zero, zero bytes up to the next multiple of [`PAGE_ALIGN`] (counted
//! from the first byte of the prefix) and then `payload` bytes. The next record follows at the next multiple of 8.
//!
//! The body is a fixed struct of `fixed` bytes, which may grow in later versions, and a variable part (an array or a
//! text) of `length - fixed` bytes. A reader copies `min(fixed, size it knows)` bytes over zeroes.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// First bytes: a high bit, the name, and the line ends that a text transfer would damage.
pub const MAGIC: [u8; 8] = *b"\x89CKPT\r\n\x1a";
/// Payloads start at multiples of this, from the start of the statefile.
pub const PAGE_ALIGN: u64 = 4096;
/// Records start at multiples of this.
pub const RECORD_ALIGN: u64 = 8;
/// Largest body of a record in bytes.
pub const BODY_MAX: u32 = 256 * 1024;
/// Largest payload of a record in bytes.
pub const PAYLOAD_MAX: u64 = 4 * 1024 * 1024;
/// Largest number of tasks.
pub const TASKS_MAX: u32 = 65536;
/// Most pid namespaces below that of the root task: clone3(2) takes a number for each, and 32 numbers.
pub const LEVELS_MAX: u32 = 31;
/// Largest number of shared objects.
pub const OBJECTS_MAX: u32 = 1 << 20;
/// Longest path in bytes, without a terminating NUL (`PATH_MAX - 1`).
pub const PATH_MAX: usize = 4095;
/// Seed of every checksum (XXH64).
pub const HASH_SEED: u64 = 0;

/// First 16 bytes of a statefile.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Prefix {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// Format version of the writer: [`crate::FORMAT_VERSION`].
    pub format: u32,
    /// Oldest format version whose readers understand this statefile.
    pub oldest: u32,
}

/// Flags of [`RecordHeader::flags`].
pub mod record_flags {
    /// A reader that does not know the record's type or version may skip it.
    pub const OPTIONAL: u32 = 1 << 0;
    /// All known flags.
    pub const ALL: u32 = OPTIONAL;
}

/// Before each record.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RecordHeader {
    /// [`crate::record::RecordType`].
    pub kind: u16,
    /// Version of the record's meaning.
    pub version: u16,
    /// [`record_flags`].
    pub flags: u32,
    /// Bytes of body after this header, at most [`BODY_MAX`].
    pub length: u32,
    /// Bytes of the body that are the fixed struct.
    pub fixed: u32,
    /// Bytes of payload after the body, at most [`PAYLOAD_MAX`].
    pub payload: u64,
    /// XXH64 of the payload; 0 without one.
    pub payload_hash: u64,
    /// Number of the record, counted from 0.
    pub sequence: u64,
    /// XXH64 over this header with `hash` as zero, and the body.
    pub hash: u64,
}

const _: () = assert!(size_of::<Prefix>() == 16);
const _: () = assert!(size_of::<RecordHeader>() == 48);

/// What is wrong with a record header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// An unknown flag is set.
    Flags,
    /// The body is longer than [`BODY_MAX`].
    Length,
    /// The fixed part is longer than the body.
    Fixed,
    /// The payload is longer than [`PAYLOAD_MAX`].
    Payload,
    /// A record is missing, repeated or in the wrong place.
    Sequence,
}

impl HeaderError {
    /// A sentence for people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Flags => "unknown record flags",
            Self::Length => "record body is too long",
            Self::Fixed => "fixed part is longer than the record",
            Self::Payload => "record payload is too long",
            Self::Sequence => "record is missing, repeated or out of order",
        }
    }
}

impl RecordHeader {
    /// Checks every bound that needs no other knowledge than the number of the record.
    pub const fn validate(&self, sequence: u64) -> Result<(), HeaderError> {
        if self.flags & !record_flags::ALL != 0 {
            return Err(HeaderError::Flags);
        }
        if self.length > BODY_MAX {
            return Err(HeaderError::Length);
        }
        if self.fixed > self.length {
            return Err(HeaderError::Fixed);
        }
        if self.payload > PAYLOAD_MAX {
            return Err(HeaderError::Payload);
        }
        if self.sequence != sequence {
            return Err(HeaderError::Sequence);
        }
        Ok(())
    }
}

impl Prefix {
    /// The prefix that this crate writes.
    pub const CURRENT: Self = Self {
        magic: MAGIC,
        format: crate::FORMAT_VERSION,
        oldest: crate::FORMAT_OLDEST,
    };

    /// Whether the bytes are a statefile at all.
    pub fn is_statefile(&self) -> bool {
        self.magic == MAGIC
    }

    /// Whether a reader of this crate understands the statefile.
    pub const fn is_readable(&self) -> bool {
        self.oldest <= crate::FORMAT_VERSION && self.format >= crate::FORMAT_OLDEST && self.oldest <= self.format
    }
}

/// Bytes from `offset` to the next multiple of `align` (a power of two).
pub const fn padding(offset: u64, align: u64) -> u64 {
    offset.wrapping_neg() & (align - 1)
}
