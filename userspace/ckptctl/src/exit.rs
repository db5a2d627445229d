// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Exit statuses and what leads to them.

use libckpt::uapi::record::RecordType;
use libckpt::{statefile, Error};
use std::fmt;
use std::io;
use std::process::ExitCode;

/// Exit statuses of ckptctl. A restarted program in the foreground has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// The target cannot be saved, or the caller may not.
    Refused,
    /// The arguments are wrong.
    Usage,
    /// Something else failed.
    Failed,
    /// There is no device: the module is not loaded.
    NoDevice,
    /// The statefile is damaged, or this version does not know what it needs.
    BadStatefile,
    /// A pid that the restart needs is in use.
    PidInUse,
    /// A command cannot be executed.
    NotExecutable,
    /// There is no such command.
    NoCommand,
    /// What the restarted program says.
    Program(u8),
}

impl Exit {
    /// The number.
    pub fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Failed => 3,
            Self::NoDevice => 4,
            Self::BadStatefile => 5,
            Self::PidInUse => 6,
            Self::NotExecutable => 126,
            Self::NoCommand => 127,
            Self::Program(status) => status,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.number().into()
    }
}

/// Why a command failed.
#[derive(Debug)]
pub enum Failed {
    /// The library or the kernel said no; the pid is that of the target.
    Library(Error),
    /// A statefile is damaged.
    Statefile { name: String, error: statefile::Error },
    /// A system call of ckptctl failed.
    Io { what: String, source: io::Error },
    /// The arguments do not fit the circumstances.
    Usage(String),
    /// The circumstances do not allow it.
    Refused(String),
}

impl Failed {
    /// A [`Failed::Io`].
    pub fn io(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io {
            what: what.into(),
            source: source.into(),
        }
    }

    /// The status that ckptctl ends with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Library(error) => library(error),
            Self::Statefile { error, .. } => statefile(error),
            Self::Io { .. } => Exit::Failed,
            Self::Usage(_) => Exit::Usage,
            Self::Refused(_) => Exit::Refused,
        }
    }
}

fn statefile(error: &statefile::Error) -> Exit {
    match error.problem {
        statefile::Problem::Io(_) => Exit::Failed,
        _ => Exit::BadStatefile,
    }
}

/// Whether the kernel failed at this kind of state.
fn concerns(error: &Error, kind: RecordType) -> bool {
    let first = error
        .failure()
        .and_then(|failure| failure.messages.iter().find(|message| message.is_error()));
    first.is_some_and(|message| message.kind == Some(kind))
}

fn library(error: &Error) -> Exit {
    use rustix::io::Errno;
    let is = |errnos: &[Errno]| errnos.iter().any(|errno| error.errno() == Some(errno.raw_os_error()));
    match error {
        Error::NoDevice(_) => Exit::NoDevice,
        Error::PidsInUse(_) => Exit::PidInUse,
        Error::MayNotChoosePids | Error::Tree(_) | Error::NotAProcess { .. } => Exit::Refused,
        Error::Execute { source, .. } if source.kind() == io::ErrorKind::NotFound => Exit::NoCommand,
        Error::Execute { .. } => Exit::NotExecutable,
        Error::Statefile(error) => statefile(error),
        Error::Begin(_) | Error::Restart(_) if is(&[Errno::BADMSG, Errno::NODATA, Errno::PROTONOSUPPORT]) => {
            Exit::BadStatefile
        }
        Error::Begin(_) | Error::Restart(_) if is(&[Errno::EXIST]) && !concerns(error, RecordType::NetDevice) => {
            Exit::PidInUse
        }
        // A kernel thread, or a busy target: it cannot be saved, now or ever.
        Error::Attach(_) | Error::Freeze(_) if is(&[Errno::SRCH, Errno::INVAL, Errno::BUSY]) => Exit::Refused,
        _ if error.failure().is_some() && is(&[Errno::OPNOTSUPP, Errno::PERM, Errno::ACCESS]) => Exit::Refused,
        _ => Exit::Failed,
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Library(error @ Error::NoDevice(_)) => write!(f, "{error} (is the module loaded?)"),
            Self::Library(error) => error.fmt(f),
            Self::Statefile { name, error } => write!(f, "{name}: {error}"),
            Self::Io { what, source } => write!(f, "{what}: {source}"),
            Self::Usage(text) | Self::Refused(text) => f.write_str(text),
        }
    }
}
