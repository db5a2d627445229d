// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Messages of a session, as the kernel reports them.

use ckpt_uapi::record::RecordType;
use ckpt_uapi::status;
use zerocopy::FromBytes;

/// Weight of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The operation failed, or will fail, because of this.
    Error,
    /// The operation goes on.
    Warning,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Number of the stage ([`status::stage`]).
    pub stage: u16,
    /// Weight.
    pub severity: Severity,
    /// Kind of kernel state that is concerned.
    pub kind: Option<RecordType>,
    /// Positive errno, 0 without one.
    pub errno: i32,
    /// Process that is concerned.
    pub pid: Option<u32>,
    /// Thread that is concerned.
    pub tid: Option<u32>,
    /// Descriptor that is concerned.
    pub fd: Option<u32>,
    /// User address that is concerned.
    pub address: Option<u64>,
    /// Offset in the statefile.
    pub offset: Option<u64>,
    /// A sentence for people.
    pub text: String,
}

impl Message {
    /// Whether the operation failed because of it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Whether its process is one of a restart: its pid is the saved one, which in a fresh pid namespace is another
    /// process's outside.
    pub fn is_of_restart(&self) -> bool {
        matches!(
            self.stage,
            status::stage::BEGIN | status::stage::RESTORE | status::stage::END
        )
    }

    /// Name of the stage.
    pub fn stage_name(&self) -> &'static str {
        match self.stage {
            status::stage::ATTACH => "attach",
            status::stage::CHECK => "check",
            status::stage::FREEZE => "freeze",
            status::stage::DUMP => "dump",
            status::stage::BEGIN => "begin",
            status::stage::RESTORE => "restore",
            status::stage::END => "end",
            _ => "unknown",
        }
    }

    /// Takes the messages out of what `read(2)` on a session returned. Stops at the first one that makes no sense.
    pub fn parse_all(mut bytes: &[u8]) -> Vec<Self> {
        let mut messages = Vec::new();
        while let Some((message, rest)) = Self::parse(bytes) {
            messages.push(message);
            bytes = rest;
        }
        messages
    }

    fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (fixed, tail) = status::Message::read_from_prefix(bytes).ok()?;
        let size = usize::try_from(fixed.size).ok()?;
        let text = tail.get(..usize::try_from(fixed.text_len).ok()?)?;
        if size < size_of::<status::Message>() + text.len() || size > bytes.len() {
            return None;
        }
        let message = Self {
            stage: fixed.stage,
            severity: if fixed.severity == status::severity::WARNING {
                Severity::Warning
            } else {
                Severity::Error
            },
            kind: u16::try_from(fixed.kind).ok().and_then(RecordType::from_number),
            errno: fixed.errno,
            pid: positive(fixed.pid),
            tid: positive(fixed.tid),
            fd: u32::try_from(fixed.fd).ok(),
            address: (fixed.address != 0).then_some(fixed.address),
            offset: (fixed.offset != 0).then_some(fixed.offset),
            text: String::from_utf8_lossy(text).into_owned(),
        };
        Some((message, &bytes[size..]))
    }
}

fn positive(number: i32) -> Option<u32> {
    u32::try_from(number).ok().filter(|number| *number != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::IntoBytes;

    fn encode(text: &str, fd: i32) -> Vec<u8> {
        let size = (size_of::<status::Message>() + text.len()).next_multiple_of(8);
        let fixed = status::Message {
            size: size as u32,
            stage: status::stage::CHECK,
            severity: status::severity::ERROR,
            kind: 0x40,
            errno: 95,
            pid: 7,
            tid: 0,
            fd,
            text_len: text.len() as u32,
            address: 0,
            offset: 0,
        };
        let mut bytes = fixed.as_bytes().to_vec();
        bytes.extend_from_slice(text.as_bytes());
        bytes.resize(size, 0);
        bytes
    }

    #[test]
    fn reads_several_messages() {
        let mut bytes = encode("a socket", 5);
        bytes.extend(encode("an epoll instance", -1));
        let messages = Message::parse_all(&bytes);
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0].text, "a socket");
        assert_eq!(messages[0].fd, Some(5));
        assert_eq!(messages[0].kind, Some(RecordType::File));
        assert_eq!(messages[1].fd, None);
        assert_eq!(messages[1].tid, None);
    }

    #[test]
    fn stops_at_nonsense() {
        let mut bytes = encode("a socket", 5);
        let length = bytes.len();
        bytes.extend(encode("cut", 1));
        bytes.truncate(length + 40);
        assert_eq!(Message::parse_all(&bytes).len(), 1);
        let mut zero = encode("x", 1);
        zero[0..4].fill(0);
        assert!(Message::parse_all(&zero).is_empty());
    }
}
