// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Statefiles without the kernel: read and verify, front to back.
//!
//! ```no_run
//! use libckpt::statefile::Reader;
//!
//! # fn main() -> Result<(), libckpt::statefile::Error> {
//! let file = std::fs::File::open("job.ckpt").expect("a statefile");
//! let mut reader = Reader::new(file)?;
//! while let Some(record) = reader.next_record()? {
//!     println!("{:#x}: {} bytes of {}", record.offset, record.body_bytes.len(), record.name());
//! }
//! reader.finish()
//! # }
//! ```
//!
//! [`Reader::next_record`] returns a record only after its checksums, bounds, place and values have been checked; the
//! last one, the trailer, only after the counts and the checksum of the whole. It holds one record at a time, and no
//! more memory than bytes that are really there. `uapi/STATEFILE.md` is the specification.

mod body;
mod network;
mod order;

pub use body::Body;

use ckpt_uapi::record::RecordType;
use ckpt_uapi::statefile::{
    padding, record_flags, HeaderError, Prefix, RecordHeader, HASH_SEED, PAGE_ALIGN, RECORD_ALIGN,
};
use order::Order;
use std::hash::Hasher;
use std::io::{self, Read};
use twox_hash::XxHash64;
use zerocopy::{FromZeros, IntoBytes};

/// What is wrong with a statefile, and where.
#[derive(Debug, thiserror::Error)]
#[error("offset {offset:#x}, {}: {problem}", place(*.record, *.kind))]
pub struct Error {
    /// Offset of the record (or of the damage inside of it), from the first byte of the statefile.
    pub offset: u64,
    /// Number of the record; `None` in the prefix.
    pub record: Option<u64>,
    /// Type number of the record, once it is known.
    pub kind: Option<u16>,
    /// What is wrong.
    #[source]
    pub problem: Problem,
}

/// What is wrong with a statefile.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Reading failed.
    #[error("cannot read: {0}")]
    Io(#[source] io::Error),
    /// The first bytes are not those of a statefile.
    #[error("not a statefile")]
    NotAStatefile,
    /// The format version is not one that this library reads.
    #[error("format {format} (readable from {oldest} on) is not one that this version reads")]
    Format {
        /// Version of the writer.
        format: u32,
        /// Oldest version that may read it.
        oldest: u32,
    },
    /// It ends too early.
    #[error("the statefile ends here, too early")]
    Truncated,
    /// A record header is impossible.
    #[error("{}", .0.text())]
    Header(HeaderError),
    /// The checksum of a record does not match.
    #[error("wrong checksum")]
    Hash,
    /// The checksum of a payload does not match.
    #[error("wrong checksum of the payload")]
    PayloadHash,
    /// Padding is not zero.
    #[error("padding is not zero")]
    Padding,
    /// An unknown record that may not be skipped.
    #[error("unknown record type {0:#x}, written by a newer version")]
    UnknownType(u16),
    /// An unknown version of a record that may not be skipped.
    #[error("version {0} of this record is not known, written by a newer version")]
    UnknownVersion(u16),
    /// The fixed part is shorter than the first version of the record.
    #[error("fixed part of {fixed} bytes is shorter than {least}")]
    Short {
        /// Its length.
        fixed: u32,
        /// Length in the first version.
        least: usize,
    },
    /// A record that may not stand here.
    #[error("out of order: {0} expected")]
    Order(&'static str),
    /// A value is impossible.
    #[error("{0}")]
    Value(&'static str),
    /// Bytes follow the trailer.
    #[error("data after the trailer")]
    TrailingData,
}

impl Problem {
    /// Whether the bytes are not those that were written: no reader can think otherwise, as it can of what they mean.
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Truncated | Self::Header(_) | Self::Hash | Self::PayloadHash | Self::Padding
        )
    }
}

/// Result of reading a statefile.
pub type Result<T> = std::result::Result<T, Error>;

fn place(record: Option<u64>, kind: Option<u16>) -> String {
    match (record, kind) {
        (None, _) => "prefix".into(),
        (Some(record), None) => format!("record {record}"),
        (Some(record), Some(kind)) => format!("record {record} ({})", type_name(kind)),
    }
}

/// Name of a record type, also of one that is not known.
pub fn type_name(kind: u16) -> String {
    RecordType::from_number(kind).map_or_else(|| format!("type {kind:#x}"), |kind| kind.name().into())
}

/// One verified record.
#[derive(Debug)]
pub struct Record<'a> {
    /// Offset of its header, from the first byte of the statefile.
    pub offset: u64,
    /// Its header.
    pub header: RecordHeader,
    /// The bytes of its body.
    pub body_bytes: &'a [u8],
    /// Its values.
    pub body: Body,
    /// Its payload.
    pub payload: &'a [u8],
}

impl Record<'_> {
    /// Name of its type.
    pub fn name(&self) -> String {
        type_name(self.header.kind)
    }
}

/// Reads and verifies a statefile.
pub struct Reader<R> {
    inner: R,
    prefix: Prefix,
    offset: u64,
    sequence: u64,
    payload_total: u64,
    hashes: XxHash64,
    order: Order,
    body: Vec<u8>,
    payload: Vec<u8>,
    broken: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the prefix. Small reads follow: give a buffered reader where that matters.
    pub fn new(inner: R) -> Result<Self> {
        let mut reader = Self {
            inner,
            prefix: Prefix::new_zeroed(),
            offset: 0,
            sequence: 0,
            payload_total: 0,
            hashes: XxHash64::with_seed(HASH_SEED),
            order: Order::default(),
            body: Vec::new(),
            payload: Vec::new(),
            broken: false,
        };
        let mut prefix = Prefix::new_zeroed();
        reader.fill(prefix.as_mut_bytes()).map_err(|problem| Error {
            offset: 0,
            record: None,
            kind: None,
            problem,
        })?;
        let problem = if !prefix.is_statefile() {
            Problem::NotAStatefile
        } else if !prefix.is_readable() {
            Problem::Format {
                format: prefix.format,
                oldest: prefix.oldest,
            }
        } else {
            reader.hashes.write(prefix.as_bytes());
            reader.prefix = prefix;
            return Ok(reader);
        };
        Err(Error {
            offset: 0,
            record: None,
            kind: None,
            problem,
        })
    }

    /// The prefix.
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// Bytes read so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next record; `None` after the trailer. After an error nothing more is read.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>> {
        if self.order.is_complete() {
            return Ok(None);
        }
        let offset = self.offset;
        let record = Some(self.sequence);
        if self.broken {
            return Err(Error {
                offset,
                record,
                kind: None,
                problem: Problem::Truncated,
            });
        }
        let mut header = RecordHeader::new_zeroed();
        match self.read_record(&mut header) {
            Ok(body) => Ok(Some(Record {
                offset,
                header,
                body_bytes: &self.body,
                body,
                payload: &self.payload,
            })),
            Err(problem) => {
                self.broken = true;
                let inside = matches!(problem, Problem::Truncated | Problem::Io(_) | Problem::Padding);
                let kind = (header.kind != 0).then_some(header.kind);
                Err(Error {
                    offset: if inside { self.offset } else { offset },
                    record,
                    kind,
                    problem,
                })
            }
        }
    }

    /// Checks that the statefile is complete and that nothing follows it, and reads to the end of the input for that.
    pub fn finish(mut self) -> Result<()> {
        let (offset, record) = (self.offset, Some(self.sequence));
        let error = |problem| {
            Err(Error {
                offset,
                record,
                kind: None,
                problem,
            })
        };
        if !self.order.is_complete() {
            return error(Problem::Truncated);
        }
        match self.fill(&mut [0]) {
            Err(Problem::Truncated) => Ok(()),
            Err(problem) => error(problem),
            Ok(()) => error(Problem::TrailingData),
        }
    }

    fn read_record(&mut self, header: &mut RecordHeader) -> std::result::Result<Body, Problem> {
        self.fill(header.as_mut_bytes())?;
        header.validate(self.sequence).map_err(Problem::Header)?;
        self.fill_body(header.length)?;
        let mut hash = XxHash64::with_seed(HASH_SEED);
        hash.write(RecordHeader { hash: 0, ..*header }.as_bytes());
        hash.write(&self.body);
        if hash.finish() != header.hash {
            return Err(Problem::Hash);
        }
        self.payload.clear();
        if header.payload != 0 {
            self.skip_padding(PAGE_ALIGN)?;
            self.fill_payload(header.payload)?;
        }
        let payload_hash = if header.payload == 0 {
            0
        } else {
            XxHash64::oneshot(HASH_SEED, &self.payload)
        };
        if payload_hash != header.payload_hash {
            return Err(Problem::PayloadHash);
        }
        self.skip_padding(RECORD_ALIGN)?;

        let optional = header.flags & record_flags::OPTIONAL != 0;
        let body = Body::parse(header, &self.body, optional)?;
        self.payload_total += header.payload;
        self.sequence += 1;
        if let Body::Trailer(trailer) = &body {
            if trailer.records != self.sequence || trailer.payload != self.payload_total {
                return Err(Problem::Value("the trailer counts other records than these"));
            }
            if trailer.hash != self.hashes.finish() {
                return Err(Problem::Value(
                    "the trailer has the checksum of other records than these",
                ));
            }
        }
        self.order.accept(&body)?;
        self.hashes.write(&header.hash.to_le_bytes());
        Ok(body)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> std::result::Result<(), Problem> {
        let mut done = 0;
        while done < buffer.len() {
            match self.inner.read(&mut buffer[done..]) {
                Ok(0) => return Err(Problem::Truncated),
                Ok(length) => {
                    done += length;
                    self.offset += length as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Problem::Io(error)),
            }
        }
        Ok(())
    }

    fn fill_body(&mut self, length: u32) -> std::result::Result<(), Problem> {
        self.body.clear();
        take(&mut self.inner, &mut self.offset, &mut self.body, length.into())
    }

    fn fill_payload(&mut self, length: u64) -> std::result::Result<(), Problem> {
        take(&mut self.inner, &mut self.offset, &mut self.payload, length)
    }

    fn skip_padding(&mut self, align: u64) -> std::result::Result<(), Problem> {
        const LONGEST: usize = PAGE_ALIGN as usize;
        let mut zeroes = [0; LONGEST];
        let length = padding(self.offset, align) as usize;
        let offset = self.offset;
        self.fill(&mut zeroes[..length])?;
        match zeroes[..length].iter().position(|&byte| byte != 0) {
            None => Ok(()),
            Some(at) => {
                self.offset = offset + at as u64;
                Err(Problem::Padding)
            }
        }
    }
}

/// Appends exactly `length` bytes. The vector grows with what is there, not with what is announced.
fn take(inner: &mut impl Read, offset: &mut u64, bytes: &mut Vec<u8>, length: u64) -> std::result::Result<(), Problem> {
    let result = inner.by_ref().take(length).read_to_end(bytes);
    *offset += bytes.len() as u64;
    result.map_err(Problem::Io)?;
    if (bytes.len() as u64) < length {
        return Err(Problem::Truncated);
    }
    Ok(())
}

/// Reads a whole statefile and says whether it is sound: every byte counts, nothing follows it.
pub fn verify(inner: impl Read) -> Result<()> {
    let mut reader = Reader::new(inner)?;
    while reader.next_record()?.is_some() {}
    reader.finish()
}

#[cfg(test)]
mod tests;
