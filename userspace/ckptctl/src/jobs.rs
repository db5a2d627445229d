// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Names of jobs. A name is a file that holds the pid of the job's first process; `ckptctl run` locks it while the job
//! runs.

use crate::exit::Failed;
use rustix::fs::{flock, FlockOperation};
use rustix::io::Errno;
use rustix::process::geteuid;
use std::fs::{self, DirBuilder, File};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::Duration;

/// Where files of the caller are until the machine goes down. A relative path does not count: so says the specification of
/// base directories.
pub fn runtime_directory() -> Option<PathBuf> {
    if geteuid().is_root() {
        return Some("/run".into());
    }
    let directory = PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR")?);
    directory.is_absolute().then_some(directory)
}

/// Where the names of the caller's jobs are.
fn directory() -> PathBuf {
    match runtime_directory() {
        Some(directory) => directory.join("ckpt"),
        None => PathBuf::from(format!("/tmp/ckpt-{}", geteuid().as_raw())),
    }
}

/// The directory, made if need be. Nobody else can write to it.
fn own_directory() -> Result<PathBuf, Failed> {
    let path = directory();
    let failed = |error| Failed::io(format!("cannot use {}", path.display()), error);
    let mode = if geteuid().is_root() { 0o755 } else { 0o700 };
    match DirBuilder::new().mode(mode).create(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let data = fs::symlink_metadata(&path).map_err(failed)?;
    if !data.is_dir() || data.uid() != geteuid().as_raw() || data.mode() & 0o022 != 0 {
        return Err(Failed::Refused(format!(
            "{} is not a directory of this user alone",
            path.display()
        )));
    }
    Ok(path)
}

/// The pid of the first process of a job.
pub fn find(name: &str) -> Result<u32, Failed> {
    let none = || Failed::Refused(format!("no job has the name {name}"));
    let file = File::open(own_directory()?.join(name)).map_err(|_| none())?;
    if flock(&file, FlockOperation::NonBlockingLockShared) != Err(Errno::WOULDBLOCK) {
        return Err(none());
    }
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).map_err(|_| none())?;
    text.trim().parse().map_err(|_| none())
}

/// Locks a name. Who looks a name up holds its lock for a moment, too: that moment is waited for.
fn lock(file: &File) -> rustix::io::Result<()> {
    const MOMENT: Duration = Duration::from_millis(10);
    const MOMENTS: u32 = 20;
    for _ in 1..MOMENTS {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => std::thread::sleep(MOMENT),
            result => return result,
        }
    }
    flock(file, FlockOperation::NonBlockingLockExclusive)
}

/// A name while its job runs. The file goes with this.
pub struct Name {
    path: PathBuf,
    file: File,
}

impl Name {
    /// Takes a name that no other job has.
    pub fn take(name: &str) -> Result<Self, Failed> {
        let path = own_directory()?.join(name);
        let failed = |error| Failed::io(format!("cannot write {}", path.display()), error);
        loop {
            let mut options = fs::OpenOptions::new();
            options.create(true).read(true).write(true).truncate(false).mode(0o644);
            let file = options.open(&path).map_err(failed)?;
            match lock(&file) {
                Err(Errno::WOULDBLOCK) => return Err(Failed::Refused(format!("another job has the name {name}"))),
                result => result.map_err(|errno| failed(errno.into()))?,
            }
            file.set_len(0).map_err(failed)?;
            // Its holder may have removed it between the two steps.
            let named =
                fs::metadata(&path).is_ok_and(|there| file.metadata().is_ok_and(|here| here.ino() == there.ino()));
            if named {
                return Ok(Self { path, file });
            }
        }
    }

    /// Says which process it is.
    pub fn set(&mut self, pid: u32) -> Result<(), Failed> {
        writeln!(self.file, "{pid}").map_err(|error| Failed::io(format!("cannot write {}", self.path.display()), error))
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_a_name_does_not_take_it() {
        let path = std::env::temp_dir().join(format!("ckptctl-name-{}", std::process::id()));
        let open = || File::create(&path).unwrap();
        let looker = open();
        flock(&looker, FlockOperation::LockShared).unwrap();
        let looks = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            drop(looker);
        });
        let holder = open();
        lock(&holder).unwrap();
        looks.join().unwrap();
        assert_eq!(lock(&open()), Err(Errno::WOULDBLOCK));
        fs::remove_file(&path).unwrap();
    }
}
