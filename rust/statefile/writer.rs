// SPDX-License-Identifier: GPL-2.0

//! Writes records front to back, into a file, a pipe or a socket.

use crate::{
    error::{Context, Fault, Result},
    wrapper::{
        file::File,
        hash::Xxh64,
        mm::Batch, //
    },
};
use ckpt_uapi::{
    record::{mm::Extent, mm::Pages, trailer::Trailer, Entry, Record, RecordType},
    statefile::{
        padding,
        Prefix,
        RecordHeader,
        BODY_MAX,
        HASH_SEED,
        PAGE_ALIGN,
        RECORD_ALIGN, //
    },
};
use kernel::prelude::*;
use zerocopy::{FromZeros, IntoBytes};

/// Records are gathered up to this many bytes before they are written.
const BUFFER: usize = 128 * 1024;

const ZEROES: [u8; PAGE_ALIGN as usize] = [0; PAGE_ALIGN as usize];

/// The one mouth of a checkpoint.
pub(crate) struct Writer {
    file: File,
    pos: Option<i64>,
    /// Bytes since the prefix, those in `buffer` included.
    offset: u64,
    buffer: KVVec<u8>,
    sequence: u64,
    chain: Xxh64,
    payload: u64,
    pages: u64,
    /// Records that have to wait for others before them.
    deferred: Option<KVVec<Deferred>>,
}

/// A record without its place in the statefile.
pub(crate) struct Deferred {
    kind: RecordType,
    version: u16,
    fixed: usize,
    body: KVVec<u8>,
}

impl Writer {
    /// Starts a statefile at the file's current offset: nothing is written before the first lot is full.
    pub(crate) fn new(file: File) -> Result<Self> {
        if !file.is_writable() {
            return Err(Fault::new(
                EBADF,
                format_args!("the descriptor for the statefile is not open for writing"),
            ));
        }
        let pos = (!file.is_stream()).then(|| file.pos());
        let mut writer = Self {
            file,
            pos,
            offset: 0,
            buffer: KVVec::with_capacity(BUFFER, GFP_KERNEL_ACCOUNT)?,
            sequence: 0,
            chain: Xxh64::new(HASH_SEED),
            payload: 0,
            pages: 0,
            deferred: None,
        };
        writer.chain.update(Prefix::CURRENT.as_bytes());
        writer.bytes(Prefix::CURRENT.as_bytes())?;
        Ok(writer)
    }

    /// Bytes written so far.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Records written so far.
    pub(crate) fn records(&self) -> u64 {
        self.sequence
    }

    /// Pages written so far.
    pub(crate) fn pages(&self) -> u64 {
        self.pages
    }

    fn flush(&mut self) -> Result {
        let (file, pos, offset) = (&self.file, self.pos.as_mut(), self.offset);
        file.write_all(&self.buffer, pos)
            .map_err(interrupted)
            .context(format_args!("cannot write the statefile"))
            .map_err(|f| f.offset(offset))?;
        self.buffer.clear();
        Ok(())
    }

    fn bytes(&mut self, mut bytes: &[u8]) -> Result {
        self.offset += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.buffer.len() == BUFFER {
                self.flush()?;
            }
            let n = bytes.len().min(BUFFER - self.buffer.len());
            self.buffer.extend_from_slice(&bytes[..n], GFP_KERNEL_ACCOUNT)?;
            bytes = &bytes[n..];
        }
        Ok(())
    }

    fn pad(&mut self, align: u64) -> Result {
        let n = padding(self.offset, align) as usize;
        self.bytes(&ZEROES[..n])
    }

    fn emit(&mut self, kind: RecordType, version: u16, body: [&[u8]; 2], payload: u64, payload_hash: u64) -> Result {
        let length = body[0].len() + body[1].len();
        if length > BODY_MAX as usize {
            return Err(Fault::new(E2BIG, format_args!("record is too long: {} bytes", length)).kind(kind));
        }
        if let Some(deferred) = &mut self.deferred {
            if payload != 0 {
                return Err(Fault::new(EINVAL, format_args!("pages cannot wait")).kind(kind));
            }
            let mut copy = KVVec::with_capacity(length, GFP_KERNEL_ACCOUNT)?;
            copy.extend_from_slice(body[0], GFP_KERNEL_ACCOUNT)?;
            copy.extend_from_slice(body[1], GFP_KERNEL_ACCOUNT)?;
            deferred.push(
                Deferred {
                    kind,
                    version,
                    fixed: body[0].len(),
                    body: copy,
                },
                GFP_KERNEL_ACCOUNT,
            )?;
            return Ok(());
        }
        self.pad(RECORD_ALIGN)?;
        let mut header = RecordHeader {
            kind: kind.number(),
            version,
            flags: 0,
            length: length as u32,
            fixed: body[0].len() as u32,
            payload,
            payload_hash,
            sequence: self.sequence,
            hash: 0,
        };
        let mut hash = Xxh64::new(HASH_SEED);
        hash.update(header.as_bytes());
        hash.update(body[0]);
        hash.update(body[1]);
        header.hash = hash.digest();
        self.chain.update(&header.hash.to_le_bytes());
        self.sequence += 1;
        self.bytes(header.as_bytes())?;
        self.bytes(body[0])?;
        self.bytes(body[1])
    }

    /// Keeps the records from now on, until [`Self::take_deferred`].
    pub(crate) fn defer(&mut self) {
        self.deferred = Some(KVVec::new());
    }

    /// The records that were kept; what is written now goes out at once.
    pub(crate) fn take_deferred(&mut self) -> Option<KVVec<Deferred>> {
        self.deferred.take()
    }

    /// Writes records that were kept.
    pub(crate) fn replay(&mut self, deferred: KVVec<Deferred>) -> Result {
        for d in deferred.iter() {
            let (fixed, variable) = d.body.split_at(d.fixed);
            self.emit(d.kind, d.version, [fixed, variable], 0, 0)?;
        }
        Ok(())
    }

    /// A record without a body.
    pub(crate) fn empty(&mut self, kind: RecordType) -> Result {
        self.emit(kind, 1, [&[], &[]], 0, 0)
    }

    /// A record that is one fixed struct.
    pub(crate) fn record<T: Record>(&mut self, fixed: &T) -> Result {
        self.emit(T::TYPE, T::VERSION, [fixed.as_bytes(), &[]], 0, 0)
    }

    /// A record with a variable part.
    pub(crate) fn record_with<T: Record, E: Entry>(&mut self, fixed: &T, entries: &[E]) -> Result {
        self.emit(T::TYPE, T::VERSION, [fixed.as_bytes(), entries.as_bytes()], 0, 0)
    }

    /// A page record: `objref` 0 is the address space.
    pub(crate) fn batch(&mut self, objref: u32, batch: &mut Batch) -> Result {
        let mut extents = KVVec::with_capacity(batch.extents().len(), GFP_KERNEL_ACCOUNT)?;
        for e in batch.extents() {
            extents.push(
                Extent {
                    address: e.address,
                    pages: e.pages,
                    flags: e.flags,
                },
                GFP_KERNEL_ACCOUNT,
            )?;
        }
        let fixed = Pages {
            objref,
            extents: extents.len() as u32,
        };
        let payload_hash = if batch.pages() == 0 {
            0
        } else {
            let mut hash = Xxh64::new(HASH_SEED);
            batch.hash(&mut hash);
            hash.digest()
        };
        self.emit(
            Pages::TYPE,
            Pages::VERSION,
            [fixed.as_bytes(), extents.as_bytes()],
            batch.bytes(),
            payload_hash,
        )?;
        if batch.pages() == 0 {
            return Ok(());
        }
        self.pad(PAGE_ALIGN)?;
        self.flush()?;
        let offset = self.offset;
        batch
            .write(&self.file, self.pos.as_mut())
            .map_err(interrupted)
            .context(format_args!("cannot write pages to the statefile"))
            .map_err(|f| f.offset(offset))?;
        self.offset += batch.bytes();
        self.payload += batch.bytes();
        self.pages += u64::from(batch.pages());
        Ok(())
    }

    /// The trailer; then everything is on its way to the file.
    pub(crate) fn finish(&mut self, objects: u32, tasks: u32) -> Result {
        let mut trailer = Trailer::new_zeroed();
        trailer.records = self.sequence + 1;
        trailer.payload = self.payload;
        trailer.objects = objects;
        trailer.tasks = tasks;
        trailer.hash = self.chain.digest();
        self.record(&trailer)?;
        self.pad(RECORD_ALIGN)?;
        self.flush()?;
        if let Some(pos) = self.pos {
            self.file.set_pos(pos);
        }
        Ok(())
    }
}

/// A write that a signal interrupted is not restarted: the session is over.
fn interrupted(e: Error) -> Error {
    if (-516..=-512).contains(&e.to_errno()) {
        EINTR
    } else {
        e
    }
}
