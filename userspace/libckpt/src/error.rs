// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! What can go wrong: one variant per stage, each with the messages of the kernel.

use crate::message::Message;
use crate::statefile;
use std::fmt;
use std::io;

/// Result of this library.
pub type Result<T> = std::result::Result<T, Error>;

/// What the kernel said no to.
#[derive(Debug)]
pub struct Failure {
    /// Positive errno of the ioctl.
    pub errno: i32,
    /// Every message of the session, oldest first.
    pub messages: Vec<Message>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.messages.iter().find(|message| message.is_error()) {
            Some(message) => f.write_str(&message.text),
            None => write!(f, "{}", io::Error::from_raw_os_error(self.errno)),
        }
    }
}

/// A pid that a restart needs and that somebody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenPid {
    /// The pid (or thread id).
    pub pid: u32,
    /// Process that it belongs to; 0 when it only names a process group or session.
    pub tgid: u32,
    /// Command name of the task that has it; empty when it only names a process group or session.
    pub comm: String,
}

impl fmt::Display for TakenPid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, tgid, comm } = self;
        match *tgid {
            0 => write!(f, "pid {pid} is in use as a process group or session"),
            tgid if tgid == *pid => write!(f, "pid {pid} is in use by {comm}"),
            tgid => write!(f, "pid {pid} is in use by a thread of {comm} (process {tgid})"),
        }
    }
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The device cannot be opened: the module is not loaded, or the caller may not use it.
    #[error("cannot open /dev/ckpt: {0}")]
    NoDevice(#[source] io::Error),
    /// The module does not answer.
    #[error("cannot ask the module: {0}")]
    Info(Failure),
    /// The target cannot be chosen.
    #[error("cannot attach: {0}")]
    Attach(Failure),
    /// The target is a thread.
    #[error("{tid} is a thread of process {pid}: name the process")]
    NotAProcess {
        /// What was named.
        tid: u32,
        /// Its process.
        pid: u32,
    },
    /// Looking for obstacles failed.
    #[error("cannot check: {0}")]
    Check(Failure),
    /// The target does not stop.
    #[error("cannot freeze: {0}")]
    Freeze(Failure),
    /// The target cannot be let go.
    #[error("cannot thaw: {0}")]
    Thaw(Failure),
    /// The target cannot be killed.
    #[error("cannot kill: {0}")]
    Kill(Failure),
    /// The target cannot be written.
    #[error("cannot checkpoint: {0}")]
    Checkpoint(Failure),
    /// The prologue of the statefile is refused.
    #[error("cannot begin the restart: {0}")]
    Begin(Failure),
    /// A task cannot be restored.
    #[error("cannot restart: {0}")]
    Restart(Failure),
    /// The statefile is damaged, found without the kernel.
    #[error(transparent)]
    Statefile(#[from] statefile::Error),
    /// The saved tree is not one that this library can build.
    #[error("cannot build the process tree: {0}")]
    Tree(String),
    /// Pids of the saved tasks are in use.
    #[error("{}", .0.iter().map(TakenPid::to_string).collect::<Vec<_>>().join("; "))]
    PidsInUse(Vec<TakenPid>),
    /// The new process died (somebody killed it) before it was a saved one.
    #[error("the new process {0} died before it was restored")]
    Died(u32),
    /// The caller may not choose pids.
    #[error("may not choose the pid of a new process: run as root or with CAP_CHECKPOINT_RESTORE, or restart in a new pid namespace")]
    MayNotChoosePids,
    /// A command cannot be executed.
    #[error("cannot execute {command}: {source}")]
    Execute {
        /// Its name.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// A system call of this library failed.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl Error {
    /// An [`Error::Io`].
    pub fn io(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io {
            what: what.into(),
            source: source.into(),
        }
    }

    /// What the kernel said, when the kernel said it.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Info(failure)
            | Self::Attach(failure)
            | Self::Check(failure)
            | Self::Freeze(failure)
            | Self::Thaw(failure)
            | Self::Kill(failure)
            | Self::Checkpoint(failure)
            | Self::Begin(failure)
            | Self::Restart(failure) => Some(failure),
            _ => None,
        }
    }

    /// Positive errno, where there is one.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::NoDevice(source) | Self::Io { source, .. } => source.raw_os_error(),
            Self::PidsInUse(_) => Some(libc::EEXIST),
            Self::MayNotChoosePids => Some(libc::EPERM),
            _ => self.failure().map(|failure| failure.errno),
        }
    }
}
