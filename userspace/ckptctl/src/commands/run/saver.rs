// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The command that saves a job: `ckptctl checkpoint`, as a child that can be killed at any time without harm.

use super::Wanted;
use crate::cli::Run;
use crate::exit::Failed;
use crate::output::Output;
use libckpt::device::pidfd_open;
use libckpt::Files;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Whether there is a new statefile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    Yes,
    No,
}

/// A checkpoint on its way.
pub struct Saver {
    child: Child,
    pidfd: OwnedFd,
    file: PathBuf,
    /// What had the name of the statefile before.
    before: Option<(u64, u64)>,
    /// What is asked of it.
    pub wanted: Wanted,
}

impl Saver {
    pub fn start(pid: u32, file: &Path, wanted: Wanted, args: &Run, output: &Output) -> Result<Self, Failed> {
        // Also when the binary has been replaced. All signals are blocked in it, as they are here.
        let mut command = Command::new("/proc/self/exe");
        command
            .arg(if output.is_verbose() { "--verbose" } else { "--quiet" })
            .args(["checkpoint", "--tied", &std::process::id().to_string()])
            .args(["--job", &pid.to_string()])
            .args(["--timeout", &args.timeout.as_secs_f64().to_string()])
            .args(args.policies.arguments())
            .args(
                args.hook
                    .iter()
                    .flat_map(|hook| [OsStr::new("--hook"), hook.as_os_str()]),
            )
            .arg("-o")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if wanted.stop {
            command.arg("--kill");
        }
        match args.with_files {
            Some(Files::Written) => drop(command.arg("--with-files")),
            Some(Files::All) => drop(command.arg("--with-files=all")),
            _ => {}
        }
        let before = identity(file);
        let mut child = command
            .spawn()
            .map_err(|error| Failed::io("cannot start a checkpoint", error))?;
        let pidfd = match pidfd_open(child.id()) {
            Ok(pidfd) => pidfd,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error.into());
            }
        };
        Ok(Self {
            child,
            pidfd,
            file: file.into(),
            before,
            wanted,
        })
    }

    /// Readable when it has ended.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// How it has ended, if it has.
    pub fn ended(&mut self) -> Option<Saved> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) if status.success() => Some(Saved::Yes),
            _ => Some(Saved::No),
        }
    }

    /// Whether the statefile has its name, so that the rest takes no time.
    pub fn is_safe(&self) -> bool {
        identity(&self.file).is_some_and(|now| Some(now) != self.before)
    }

    /// Whether the statefile has its name, on the disk as well. The last word when it has ended.
    pub fn make_safe(&self) -> bool {
        let directory = match self.file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        self.is_safe() && File::open(directory).is_ok_and(|directory| directory.sync_all().is_ok())
    }

    /// Waits for its end; whether there is a new statefile.
    pub fn wait(mut self) -> bool {
        self.child.wait().is_ok_and(|status| status.success()) || self.make_safe()
    }

    /// Ends it. Whether there is a new statefile all the same; if not, the job goes on.
    pub fn kill(mut self) -> bool {
        let _ = self.child.kill();
        self.wait()
    }
}

/// Which file has a name.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let data = fs::metadata(path).ok()?;
    Some((data.dev(), data.ino()))
}
