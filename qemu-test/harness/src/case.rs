// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A case, what it gets, and how it ends.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a case did not pass.
#[derive(Debug)]
pub enum Outcome {
    /// Something is wrong.
    Fail(String),
    /// The machine lacks what the case needs; the reason is reported.
    Skip(String),
}

/// The end of a case, or of a step of one.
pub type Result<T = ()> = std::result::Result<T, Outcome>;

impl Outcome {
    /// The same, with what was being done in front.
    #[must_use]
    pub fn during(self, what: impl fmt::Display) -> Self {
        match self {
            Self::Fail(why) => Self::Fail(format!("{what}: {why}")),
            Self::Skip(why) => Self::Skip(why),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail(why) => write!(f, "{why}"),
            Self::Skip(why) => write!(f, "SKIP {why}"),
        }
    }
}

impl From<std::io::Error> for Outcome {
    fn from(error: std::io::Error) -> Self {
        Self::Fail(error.to_string())
    }
}

impl From<rustix::io::Errno> for Outcome {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Fail(errno.to_string())
    }
}

impl From<libckpt::Error> for Outcome {
    fn from(error: libckpt::Error) -> Self {
        Self::Fail(format!("{error:?}"))
    }
}

/// Ends the case with a failure.
#[macro_export]
macro_rules! fail {
    ($($text:tt)*) => { return Err($crate::Outcome::Fail(format!($($text)*))) };
}

/// Ends the case with a failure unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($text:tt)*) => { if !$condition { $crate::fail!($($text)*) } };
}

/// Ends the case: it cannot be run here.
#[macro_export]
macro_rules! skip {
    ($($text:tt)*) => { return Err($crate::Outcome::Skip(format!($($text)*))) };
}

/// Says where in the case something went wrong.
pub trait During<T> {
    /// With what was being done in front.
    fn during(self, what: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<Outcome>> During<T> for std::result::Result<T, E> {
    fn during(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| error.into().during(what))
    }
}

/// What a case gets.
#[derive(Debug)]
pub struct Context {
    name: String,
    dir: PathBuf,
}

impl Context {
    /// A context with an existing directory.
    pub fn new(name: &str, dir: &Path) -> Self {
        Self {
            name: name.to_owned(),
            dir: dir.to_owned(),
        }
    }

    /// Name of the case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its own empty directory, which everybody may write to.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A file in its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

type Body = Box<dyn Fn(&Context) -> Result>;

/// One test.
pub struct Case {
    /// Kind and behaviour: `mm/keeps_guard_regions`, perhaps with a mode behind it.
    pub name: String,
    /// After this it has failed.
    pub limit: Duration,
    body: Body,
}

impl Case {
    /// A case with the usual time limit.
    pub fn new(name: impl Into<String>, body: impl Fn(&Context) -> Result + 'static) -> Self {
        Self {
            name: name.into(),
            limit: Duration::from_secs(120),
            body: Box::new(body),
        }
    }

    /// With another time limit.
    #[must_use]
    pub fn limit(mut self, seconds: u64) -> Self {
        self.limit = Duration::from_secs(seconds);
        self
    }

    /// Runs it, in this process.
    pub fn run(&self, context: &Context) -> Result {
        (self.body)(context)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}
