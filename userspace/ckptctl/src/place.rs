// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Where a statefile goes, so that there is never half of one under its name.
//!
//! A new file has no name (O_TMPFILE) until it is complete and safe; then it gets a temporary one, and takes the
//! wanted one by rename. Where the file system has no O_TMPFILE it has a temporary name from the start. Temporary files
//! are locked; those whose lock is free were left behind and are removed.

use crate::exit::Failed;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    flock, fsync, linkat, open, openat, renameat, statat, unlinkat, AtFlags, Dir, FileType, FlockOperation, Mode,
    OFlags, CWD,
};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Where a statefile goes.
pub enum Place {
    /// Standard output.
    Stdout,
    /// Something that exists and is no regular file: a device, a named pipe.
    Existing(OwnedFd),
    /// A new regular file.
    New(NewFile),
}

impl Place {
    /// Opens the place; `-` is standard output.
    pub fn open(path: &Path) -> Result<Self, Failed> {
        if path.as_os_str() == "-" {
            if rustix::termios::isatty(rustix::stdio::stdout()) {
                return Err(Failed::Usage("will not write a statefile to a terminal".into()));
            }
            enlarge_pipe(rustix::stdio::stdout());
            return Ok(Self::Stdout);
        }
        let failed = |errno: Errno| Failed::io(format!("cannot write {}", path.display()), errno);
        match statat(CWD, path, AtFlags::empty()) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => Err(failed(Errno::ISDIR)),
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile => {
                let fd =
                    open(path, OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty()).map_err(failed)?;
                enlarge_pipe(fd.as_fd());
                Ok(Self::Existing(fd))
            }
            Ok(_) => {
                // The file behind a symbolic link is to be replaced, not the link.
                let real = path
                    .canonicalize()
                    .map_err(|error| Failed::io(path.display().to_string(), error))?;
                NewFile::create(&real).map(Self::New).map_err(failed)
            }
            Err(Errno::NOENT) => NewFile::create(path).map(Self::New).map_err(failed),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// Whether it has no name yet, not even a temporary one.
    pub fn is_nameless(&self) -> bool {
        matches!(self, Self::New(file) if file.temporary.is_none())
    }

    /// Makes the complete statefile safe, and gives it its name.
    pub fn commit(self) -> Result<(), Failed> {
        match self {
            Self::New(file) => file
                .commit()
                .map_err(|errno| Failed::io("cannot make the statefile safe", errno)),
            Self::Stdout => check_reader(rustix::stdio::stdout()),
            Self::Existing(fd) => {
                check_reader(fd.as_fd())?;
                // Not everything can be synced; what can is.
                match fsync(&fd) {
                    Err(errno) if errno == Errno::IO || errno == Errno::NOSPC => {
                        Err(Failed::io("cannot make the statefile safe", errno))
                    }
                    _ => Ok(()),
                }
            }
        }
    }
}

impl AsFd for Place {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Stdout => rustix::stdio::stdout(),
            Self::Existing(fd) => fd.as_fd(),
            Self::New(file) => file.file.as_fd(),
        }
    }
}

fn enlarge_pipe(fd: BorrowedFd<'_>) {
    // Fails when it is no pipe, or when the user has too many large ones: then it stays as it is.
    let _ = rustix::pipe::fcntl_setpipe_size(fd, 1 << 20);
}

/// A pipe or socket whose reader has gone has kept nothing.
fn check_reader(fd: BorrowedFd<'_>) -> Result<(), Failed> {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::empty())];
    match poll(&mut fds, Some(&Timespec::default())) {
        Ok(1..) if fds[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) => {
            Err(Failed::io("the reader of the statefile has gone", Errno::PIPE))
        }
        _ => Ok(()),
    }
}

/// A regular file on its way to its name.
pub struct NewFile {
    directory: OwnedFd,
    name: OsString,
    file: OwnedFd,
    /// The temporary name, while there is one.
    temporary: Option<OsString>,
}

const MODE: Mode = Mode::RUSR.union(Mode::WUSR);

impl NewFile {
    fn create(path: &Path) -> Result<Self, Errno> {
        let name = path.file_name().ok_or(Errno::ISDIR)?.to_owned();
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let directory = open(
            &directory,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        remove_stale(&directory, &name);
        let (file, temporary) = match openat(&directory, ".", OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, MODE) {
            Ok(file) => (file, None),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => {
                let (file, temporary) = create_named(&directory, &name)?;
                (file, Some(temporary))
            }
            Err(errno) => return Err(errno),
        };
        let new = Self {
            directory,
            name,
            file,
            temporary,
        };
        flock(&new.file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(new)
    }

    fn commit(mut self) -> Result<(), Errno> {
        fsync(&self.file)?;
        let temporary = match self.temporary.take() {
            Some(temporary) => temporary,
            None => self.link()?,
        };
        let renamed = renameat(&self.directory, &temporary, &self.directory, &self.name);
        if renamed.is_err() {
            self.temporary = Some(temporary);
        }
        renamed?;
        fsync(&self.directory)
    }

    /// Gives the nameless file a temporary name.
    fn link(&self) -> Result<OsString, Errno> {
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        attempt(&self.name, |temporary| {
            match linkat(CWD, &path, &self.directory, temporary, AtFlags::SYMLINK_FOLLOW) {
                // Without /proc.
                Err(Errno::NOENT) => linkat(&self.file, "", &self.directory, temporary, AtFlags::EMPTY_PATH),
                result => result,
            }
        })
        .map(|((), temporary)| temporary)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = unlinkat(&self.directory, temporary, AtFlags::empty());
        }
    }
}

fn create_named(directory: &OwnedFd, name: &OsStr) -> Result<(OwnedFd, OsString), Errno> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
    attempt(name, |temporary| openat(directory, temporary, flags, MODE))
}

/// Tries temporary names until one is free.
fn attempt<T>(name: &OsStr, mut make: impl FnMut(&OsStr) -> Result<T, Errno>) -> Result<(T, OsString), Errno> {
    let mut number = 0;
    loop {
        let mut temporary = prefix(name);
        temporary.push(format!("{}-{number}", std::process::id()));
        match make(&temporary) {
            Err(Errno::EXIST) if number < 1000 => number += 1,
            result => return result.map(|made| (made, temporary)),
        }
    }
}

/// How the temporary names of a file begin.
fn prefix(name: &OsStr) -> OsString {
    const LONGEST: usize = 200;
    let name = &name.as_bytes()[..name.len().min(LONGEST)];
    OsString::from_vec([b".", name, b".ckptctl-"].concat())
}

/// Removes temporary files that a killed ckptctl left behind.
fn remove_stale(directory: &OwnedFd, name: &OsStr) {
    let prefix = prefix(name);
    let Ok(entries) = Dir::read_from(directory) else { return };
    for entry in entries.flatten() {
        let found = entry.file_name();
        if !found.to_bytes().starts_with(prefix.as_bytes()) {
            continue;
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = openat(directory, found, flags, Mode::empty()) else {
            continue;
        };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = unlinkat(directory, found, AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("ckptctl-place-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn names(&self) -> Vec<String> {
            let mut names: Vec<_> = fs::read_dir(&self.0)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_name_appears_with_the_whole_file() {
        let scratch = Scratch::new("whole");
        let path = scratch.0.join("x.ckpt");
        fs::write(&path, "old").unwrap();
        let place = Place::open(&path).unwrap();
        rustix::io::write(&place, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        place.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(scratch.names(), ["x.ckpt"]);
    }

    #[test]
    fn nothing_stays_when_it_is_given_up() {
        let scratch = Scratch::new("none");
        drop(Place::open(&scratch.0.join("x.ckpt")).unwrap());
        let directory = open(&scratch.0, OFlags::RDONLY, Mode::empty()).unwrap();
        let (file, temporary) = create_named(&directory, OsStr::new("x.ckpt")).unwrap();
        assert_eq!(scratch.names().len(), 1);
        drop(NewFile {
            directory,
            name: "x.ckpt".into(),
            file,
            temporary: Some(temporary),
        });
        assert!(scratch.names().is_empty());
    }

    #[test]
    fn a_named_temporary_file_takes_its_name_too() {
        let scratch = Scratch::new("named");
        let directory = open(&scratch.0, OFlags::RDONLY, Mode::empty()).unwrap();
        let (file, temporary) = create_named(&directory, OsStr::new("x.ckpt")).unwrap();
        NewFile {
            directory,
            name: "x.ckpt".into(),
            file,
            temporary: Some(temporary),
        }
        .commit()
        .unwrap();
        assert_eq!(scratch.names(), ["x.ckpt"]);
    }

    #[test]
    fn removes_what_a_killed_command_left_but_not_what_is_in_use() {
        let scratch = Scratch::new("stale");
        fs::write(scratch.0.join(".x.ckpt.ckptctl-1-0"), "left").unwrap();
        fs::write(scratch.0.join(".y.ckpt.ckptctl-1-0"), "of another").unwrap();
        let used = fs::File::create(scratch.0.join(".x.ckpt.ckptctl-2-0")).unwrap();
        flock(&used, FlockOperation::LockExclusive).unwrap();
        Place::open(&scratch.0.join("x.ckpt")).unwrap().commit().unwrap();
        assert_eq!(
            scratch.names(),
            [".x.ckpt.ckptctl-2-0", ".y.ckpt.ckptctl-1-0", "x.ckpt"]
        );
    }

    #[test]
    fn a_pipe_needs_its_reader_to_the_end() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        check_reader(writer.as_fd()).unwrap();
        drop(reader);
        Place::Existing(writer).commit().unwrap_err();
    }

    #[test]
    fn devices_are_written_to_and_links_followed() {
        assert!(matches!(
            Place::open(Path::new("/dev/null")).unwrap(),
            Place::Existing(_)
        ));
        let scratch = Scratch::new("link");
        fs::write(scratch.0.join("real"), "old").unwrap();
        std::os::unix::fs::symlink("real", scratch.0.join("link")).unwrap();
        let place = Place::open(&scratch.0.join("link")).unwrap();
        rustix::io::write(&place, b"new").unwrap();
        place.commit().unwrap();
        assert_eq!(fs::read(scratch.0.join("real")).unwrap(), b"new");
        assert!(scratch.0.join("link").is_symlink());
    }
}
