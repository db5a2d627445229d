// SPDX-License-Identifier: GPL-2.0

//! Reads records front to back, and believes nothing: every length is bounded before it is used, every byte is under
//! a checksum, and a record is only handed out when its header, order and hash are right.

use crate::{
    error::{Fault, Result},
    wrapper::{
        file::{mode, File},
        hash::Xxh64,
        mm::{Mm, PageInput, PAGE_SIZE}, //
    },
};
use ckpt_uapi::{
    record::{mm::Extent, Entry, Record, RecordType},
    statefile::{padding, record_flags, Prefix, RecordHeader, HASH_SEED, PAGE_ALIGN, RECORD_ALIGN},
};
use kernel::prelude::*;
use zerocopy::{FromZeros, IntoBytes};

/// How many bytes of a file with an offset are read at once: most records are much smaller.
const AHEAD: usize = 8192;

/// The one ear of a restart.
pub(crate) struct Reader {
    file: File,
    /// Offset of what is read next, in a file that has one.
    pos: Option<i64>,
    /// What has been read can be read again: not so of a terminal or a tape, which have an offset all the same.
    repeats: bool,
    /// Bytes of the file: those from `taken` to `got` stand at `pos`.
    ahead: KVVec<u8>,
    taken: usize,
    got: usize,
    offset: u64,
    sequence: u64,
    chain: Xxh64,
    payload_total: u64,
    header: RecordHeader,
    /// Where the current record starts.
    start: u64,
    /// It begins with the body of the current record, and is as long as the longest so far.
    body: KVVec<u8>,
    /// Payload of the current record that has not been read yet.
    payload: u64,
    input: PageInput,
}

impl Reader {
    /// Reads the prefix.
    pub(crate) fn new(file: File) -> Result<Self> {
        if !file.is_readable() {
            return Err(Fault::new(
                EBADF,
                format_args!("the descriptor for the statefile is not open for reading"),
            ));
        }
        let pos = (!file.is_stream()).then(|| file.pos());
        let repeats = [mode::REGULAR, mode::BLOCK].contains(&(file.mode() & mode::FMT));
        let mut reader = Self {
            file,
            pos,
            repeats,
            ahead: KVVec::new(),
            taken: 0,
            got: 0,
            offset: 0,
            sequence: 0,
            chain: Xxh64::new(HASH_SEED),
            payload_total: 0,
            header: RecordHeader::new_zeroed(),
            start: 0,
            body: KVVec::new(),
            payload: 0,
            input: PageInput::new()?,
        };
        let mut prefix = Prefix::new_zeroed();
        reader.bytes(prefix.as_mut_bytes())?;
        reader.chain.update(prefix.as_bytes());
        if !prefix.is_statefile() {
            return Err(reader.bad(EBADMSG, format_args!("this is not a statefile")));
        }
        if !prefix.is_readable() {
            return Err(reader.bad(
                EPROTONOSUPPORT,
                format_args!(
                    "the statefile has format {} (readable from {} on); this module reads {} to {}",
                    prefix.format,
                    prefix.oldest,
                    ckpt_uapi::FORMAT_OLDEST,
                    ckpt_uapi::FORMAT_VERSION
                ),
            ));
        }
        Ok(reader)
    }

    /// Bytes read so far.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Where the current record starts.
    pub(crate) fn record_offset(&self) -> u64 {
        self.start.max(1)
    }

    /// A fault at the current record.
    pub(crate) fn bad(&self, errno: Error, text: core::fmt::Arguments<'_>) -> Fault {
        let fault = Fault::new(errno, text).offset(self.start.max(1));
        match RecordType::from_number(self.header.kind) {
            Some(kind) => fault.kind(kind),
            None => fault,
        }
    }

    fn bytes(&mut self, out: &mut [u8]) -> Result {
        let got = self.read(out).map_err(|e| {
            let e = if (-516..=-512).contains(&e.to_errno()) {
                EINTR
            } else {
                e
            };
            Fault::new(e, format_args!("cannot read the statefile")).offset(self.offset)
        })?;
        self.offset += got as u64;
        if got < out.len() {
            return Err(Fault::new(
                ENODATA,
                format_args!(
                    "the statefile ends in the middle: {} bytes are missing",
                    out.len() - got
                ),
            )
            .offset(self.offset));
        }
        Ok(())
    }

    /// Fills `out` as far as the file goes. More may be read ahead where that takes nothing from others who read, and nothing is
    /// waited for that may not come: not from a pipe.
    fn read(&mut self, out: &mut [u8]) -> kernel::error::Result<usize> {
        let Some(pos) = &mut self.pos else {
            return self.file.read_full(out, None);
        };
        if out.len() > self.got - self.taken {
            (self.taken, self.got) = (0, 0);
            if out.len() >= AHEAD || !self.repeats {
                return self.file.read_full(out, Some(pos));
            }
            if self.ahead.is_empty() {
                self.ahead.resize(AHEAD, 0, GFP_KERNEL_ACCOUNT)?;
            }
            self.got = self.file.read_full(&mut self.ahead, Some(&mut pos.clone()))?;
        }
        let ahead = &self.ahead[self.taken..self.got];
        let got = out.len().min(ahead.len());
        out[..got].copy_from_slice(&ahead[..got]);
        self.taken += got;
        *pos += got as i64;
        Ok(got)
    }

    fn zeroes(&mut self, align: u64) -> Result {
        // Most often a few bytes are missing, or none: what is copied here is copied for every record.
        const ZEROES: [u8; 64] = [0; 64];
        let mut pad = ZEROES;
        let mut left = padding(self.offset, align) as usize;
        while left > 0 {
            let n = left.min(pad.len());
            self.bytes(&mut pad[..n])?;
            if pad[..n] != ZEROES[..n] {
                return Err(self.bad(EBADMSG, format_args!("padding is not zero")));
            }
            left -= n;
        }
        Ok(())
    }

    /// Goes to the next record, and checks it. Optional records that are unknown are skipped.
    pub(crate) fn next(&mut self) -> Result<RecordType> {
        loop {
            if self.payload != 0 {
                return Err(self.bad(EBADMSG, format_args!("record has a payload that it must not have")));
            }
            self.zeroes(RECORD_ALIGN)?;
            self.start = self.offset;
            let mut header = RecordHeader::new_zeroed();
            self.bytes(header.as_mut_bytes())?;
            self.header = header;
            header
                .validate(self.sequence)
                .map_err(|e| self.bad(EBADMSG, format_args!("{}", e.text())))?;

            let length = header.length as usize;
            let mut body = core::mem::take(&mut self.body);
            if body.len() < length {
                body.resize(length, 0, GFP_KERNEL_ACCOUNT)?;
            }
            let ret = self.bytes(&mut body[..length]);
            self.body = body;
            ret?;

            let mut hash = Xxh64::new(HASH_SEED);
            let mut bare = header;
            bare.hash = 0;
            hash.update(bare.as_bytes());
            hash.update(&self.body[..length]);
            if hash.digest() != header.hash {
                return Err(self.bad(EBADMSG, format_args!("checksum of the record is wrong")));
            }
            if header.kind != RecordType::Trailer.number() {
                self.chain.update(&header.hash.to_le_bytes());
            }
            self.sequence += 1;
            self.payload = header.payload;
            self.payload_total = self.payload_total.wrapping_add(header.payload);

            let optional = header.flags & record_flags::OPTIONAL != 0;
            match RecordType::from_number(header.kind) {
                Some(kind) if header.version == 1 => return Ok(kind),
                _ if optional => self.skip_payload()?,
                Some(kind) => {
                    return Err(self.bad(
                        EPROTONOSUPPORT,
                        format_args!("version {} of record {} is not known here", header.version, kind.name()),
                    ))
                }
                None => {
                    return Err(self.bad(
                        EPROTONOSUPPORT,
                        format_args!("record type {:#x} is not known here", header.kind),
                    ))
                }
            }
        }
    }

    fn skip_payload(&mut self) -> Result {
        if self.payload == 0 {
            return Ok(());
        }
        self.zeroes(PAGE_ALIGN)?;
        let mut page = KVVec::<u8>::zeroed(PAGE_SIZE, GFP_KERNEL_ACCOUNT)?;
        let mut hash = Xxh64::new(HASH_SEED);
        while self.payload > 0 {
            let n = self.payload.min(PAGE_SIZE as u64);
            self.bytes(&mut page[..n as usize])?;
            hash.update(&page[..n as usize]);
            self.payload -= n;
        }
        self.check_payload(&hash)
    }

    fn check_payload(&self, hash: &Xxh64) -> Result {
        if hash.digest() != self.header.payload_hash {
            return Err(self.bad(EBADMSG, format_args!("checksum of the pages is wrong")));
        }
        Ok(())
    }

    /// The fixed part of the current record; what an older writer did not write is zero.
    pub(crate) fn fixed<T: Record>(&self) -> Result<T> {
        let have = &self.body[..self.header.fixed as usize];
        if have.len() < T::MIN_LEN {
            return Err(self.bad(EBADMSG, format_args!("record is too short")));
        }
        let mut out = T::new_zeroed();
        let known = out.as_mut_bytes();
        let n = have.len().min(known.len());
        known[..n].copy_from_slice(&have[..n]);
        Ok(out)
    }

    /// The fixed part of a record that has no variable part.
    pub(crate) fn only<T: Record>(&self) -> Result<T> {
        if self.header.length != self.header.fixed {
            return Err(self.bad(EBADMSG, format_args!("record is longer than its contents")));
        }
        self.fixed()
    }

    /// The record has no body.
    pub(crate) fn no_body(&self) -> Result {
        if self.header.length != 0 {
            return Err(self.bad(EBADMSG, format_args!("record has a body that it must not have")));
        }
        Ok(())
    }

    /// The bytes of the variable part.
    pub(crate) fn variable(&self) -> &[u8] {
        &self.body[self.header.fixed as usize..self.header.length as usize]
    }

    /// The variable part as exactly `count` entries.
    pub(crate) fn entries<E: Entry>(&self, count: u32) -> Result<Entries<'_, E>> {
        let bytes = self.variable();
        if bytes.len() as u64 != u64::from(count) * size_of::<E>() as u64 {
            return Err(self.bad(EBADMSG, format_args!("record does not hold {} entries", count)));
        }
        Ok(Entries {
            bytes,
            kind: core::marker::PhantomData,
        })
    }

    /// Reads the payload of a page record into the memory of `mm`. `place` maps an extent to the address where its
    /// pages go, or refuses it.
    pub(crate) fn pages_into(&mut self, mm: &Mm, count: u32, mut place: impl FnMut(&Extent) -> Result<u64>) -> Result {
        let mut sum = 0u64;
        for e in self.entries::<Extent>(count)? {
            if e.flags == 0 {
                sum = sum.saturating_add(u64::from(e.pages) * PAGE_SIZE as u64);
            }
        }
        if sum != self.payload {
            return Err(self.bad(EBADMSG, format_args!("payload and extents differ in size")));
        }
        if sum == 0 {
            return Ok(());
        }
        self.zeroes(PAGE_ALIGN)?;
        // What has been read ahead of it is read again.
        self.taken = self.got;
        let mut hash = Xxh64::new(HASH_SEED);
        let body = core::mem::take(&mut self.body);
        let bytes = &body[self.header.fixed as usize..self.header.length as usize];
        let entries = Entries::<Extent> {
            bytes,
            kind: core::marker::PhantomData,
        };
        let mut result = Ok(());
        for e in entries {
            if e.flags != 0 {
                continue;
            }
            result = place(&e).and_then(|address| {
                self.input
                    .read_into(mm, address, e.pages, &self.file, self.pos.as_mut(), &mut hash)
                    .map_err(|err| Fault::new(err, format_args!("cannot read pages into memory")).address(e.address))
            });
            if result.is_err() {
                break;
            }
        }
        self.body = body;
        let start = self.start;
        result.map_err(|f| f.offset(start))?;
        self.offset += sum;
        self.payload = 0;
        self.check_payload(&hash)
    }

    /// Compares the trailer with what was read; nothing may follow that belongs to the statefile.
    pub(crate) fn check_trailer(&mut self, objects: u32, tasks: u32) -> Result {
        let t: ckpt_uapi::record::trailer::Trailer = self.only()?;
        if t.records != self.sequence
            || t.payload != self.payload_total
            || t.objects != objects
            || t.tasks != tasks
            || t.hash != self.chain.digest()
        {
            return Err(self.bad(EBADMSG, format_args!("the trailer does not fit what came before it")));
        }
        self.zeroes(RECORD_ALIGN)?;
        if let Some(pos) = self.pos {
            self.file.set_pos(pos);
        }
        Ok(())
    }
}

/// Entries of a variable part, copied one by one (they may be unaligned).
pub(crate) struct Entries<'a, E> {
    bytes: &'a [u8],
    kind: core::marker::PhantomData<E>,
}

impl<E: Entry> Iterator for Entries<'_, E> {
    type Item = E;

    fn next(&mut self) -> Option<E> {
        let (entry, rest) = E::read_from_prefix(self.bytes).ok()?;
        self.bytes = rest;
        Some(entry)
    }
}
