// SPDX-License-Identifier: GPL-2.0

//! What went wrong, and where: an errno is not an explanation.

use ckpt_uapi::record::RecordType;
use core::fmt;
use kernel::{alloc::AllocError, prelude::*};

/// Longest text of a message in bytes.
const TEXT: usize = 240;

/// A bounded text.
pub(crate) struct Text {
    bytes: [u8; TEXT],
    len: usize,
}

impl Text {
    const fn new() -> Self {
        Self {
            bytes: [0; TEXT],
            len: 0,
        }
    }

    /// Its bytes, valid UTF-8.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let mut n = s.len().min(TEXT - self.len);
        while !s.is_char_boundary(n) {
            n -= 1;
        }
        self.bytes[self.len..self.len + n].copy_from_slice(&s.as_bytes()[..n]);
        self.len += n;
        Ok(())
    }
}

/// Everything about a fault but its errno.
pub(crate) struct Detail {
    /// Kind of state that is concerned.
    pub(crate) kind: Option<RecordType>,
    /// Process id.
    pub(crate) pid: i32,
    /// Thread id.
    pub(crate) tid: i32,
    /// Descriptor.
    pub(crate) fd: i32,
    /// User address.
    pub(crate) address: u64,
    /// Offset in the statefile.
    pub(crate) offset: u64,
    /// The sentence.
    pub(crate) text: Text,
}

/// A failure with its place and a sentence. Small, since it travels in every `Result`.
pub(crate) struct Fault {
    errno: Error,
    detail: Option<KBox<Detail>>,
}

/// A result whose error says where.
pub(crate) type Result<T = (), E = Fault> = core::result::Result<T, E>;

impl Fault {
    /// A fault with a sentence. Without memory for the sentence the errno remains.
    pub(crate) fn new(errno: Error, text: fmt::Arguments<'_>) -> Self {
        let detail = KBox::new(
            Detail {
                kind: None,
                pid: 0,
                tid: 0,
                fd: -1,
                address: 0,
                offset: 0,
                text: Text::new(),
            },
            GFP_KERNEL_ACCOUNT,
        );
        let mut detail = detail.ok();
        if let Some(d) = detail.as_mut() {
            let _ = fmt::Write::write_fmt(&mut d.text, text);
        }
        Self { errno, detail }
    }

    /// The errno.
    pub(crate) fn errno(&self) -> Error {
        self.errno
    }

    /// The rest.
    pub(crate) fn detail(&self) -> Option<&Detail> {
        self.detail.as_deref()
    }

    fn set(mut self, f: impl FnOnce(&mut Detail)) -> Self {
        if self.detail.is_none() {
            self = Self::new(self.errno, format_args!("failed"));
        }
        if let Some(d) = self.detail.as_mut() {
            f(d);
        }
        self
    }

    /// Names the task, unless it is named already.
    pub(crate) fn task(self, pid: i32, tid: i32) -> Self {
        self.set(|d| {
            if d.tid == 0 {
                (d.pid, d.tid) = (pid, tid);
            }
        })
    }

    /// Names the kind of state, unless it is named already.
    pub(crate) fn kind(self, kind: RecordType) -> Self {
        self.set(|d| d.kind = d.kind.or(Some(kind)))
    }

    /// Names the descriptor.
    pub(crate) fn fd(self, fd: u32) -> Self {
        self.set(|d| d.fd = fd as i32)
    }

    /// Names the user address.
    pub(crate) fn address(self, address: u64) -> Self {
        self.set(|d| d.address = address)
    }

    /// Adds what follows from it to the sentence.
    pub(crate) fn and(self, what: &str) -> Self {
        self.set(|d| {
            let _ = fmt::Write::write_fmt(&mut d.text, format_args!(" ({what})"));
        })
    }

    /// Names the place in the statefile, unless it is named already.
    pub(crate) fn offset(self, offset: u64) -> Self {
        self.set(|d| {
            if d.offset == 0 {
                d.offset = offset;
            }
        })
    }
}

impl From<Error> for Fault {
    fn from(errno: Error) -> Self {
        Self { errno, detail: None }
    }
}

impl From<AllocError> for Fault {
    fn from(_: AllocError) -> Self {
        ENOMEM.into()
    }
}

/// Adds a sentence to a bare errno.
pub(crate) trait Context<T> {
    /// `what` says what was being done: "cannot open /etc/passwd".
    fn context(self, what: fmt::Arguments<'_>) -> Result<T>;
}

impl<T> Context<T> for core::result::Result<T, Error> {
    fn context(self, what: fmt::Arguments<'_>) -> Result<T> {
        self.map_err(|e| Fault::new(e, what))
    }
}
