// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Gives statefiles to the kernel and judges what it says.

use harness::process::{children, descendants, exists, reap_zombies, wait_until, PATIENCE};
use harness::{ensure, fail, Context, Program, Result};
use libckpt::{restart, Error, Placement, RestartOptions, Session, Stdio};
use rustix::fd::AsFd;
use rustix::fs::{ftruncate, memfd_create, seek, MemfdFlags, SeekFrom};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

/// A good statefile, and where mutated ones are put.
pub struct Feeder {
    good: Vec<u8>,
    pid: i32,
    place: File,
    accepted: usize,
    refused: BTreeMap<i32, usize>,
}

/// Identifiers of what there is of System V IPC.
fn ipc_objects() -> Vec<String> {
    let ids = |kind| {
        let text = fs::read_to_string(format!("/proc/sysvipc/{kind}")).unwrap_or_default();
        let id = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
        text.lines().skip(1).filter_map(id).collect::<Vec<_>>()
    };
    ["shm", "sem", "msg"].into_iter().flat_map(ids).collect()
}

/// What the kernel made of a statefile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was restarted (and killed).
    Accepted,
    /// It was refused with this errno.
    Refused(i32),
}

/// Every errno that the contract knows for a statefile or for what it asks for, and what the kernel's own calls say to a
/// task that asks for too much.
const KNOWN: &[i32] = &[
    libc::EBADMSG,
    libc::ENODATA,
    libc::EPROTONOSUPPORT,
    libc::EPERM,
    libc::EACCES,
    libc::EINVAL,
    libc::ENOMEM,
    libc::ENOENT,
    libc::ENOTDIR,
    libc::EISDIR,
    libc::ELOOP,
    libc::ENXIO,
    libc::EEXIST,
    libc::EFAULT,
    libc::EAGAIN,
    libc::EMFILE,
    libc::EBADF,
    libc::EOVERFLOW,
    libc::EOPNOTSUPP,
    libc::ENAMETOOLONG,
    libc::ESTALE,
    libc::ETXTBSY,
    libc::ENODEV,
    libc::E2BIG,
    libc::ERANGE,
    libc::EBUSY,
    libc::ESRCH,
    libc::EFBIG,
    libc::ENOEXEC,
    libc::EROFS,
    libc::EIO,
    libc::ENOSPC,
    libc::EUSERS,
    libc::EADDRINUSE,
    // What the kernel answers to a request of rtnetlink(7).
    libc::EADDRNOTAVAIL,
    libc::EAFNOSUPPORT,
    libc::EHOSTUNREACH,
    libc::ENETDOWN,
    libc::ENETUNREACH,
];

impl Feeder {
    /// Saves a program.
    pub fn of(context: &Context, program: &str, args: &[&str]) -> Result<Self> {
        let file = context.path("good.ckpt");
        let program = Program::own(context, program).args(args).cwd(context.dir());
        let mut target = program.start()?;
        target.wait_ready()?;
        std::thread::sleep(std::time::Duration::from_millis(200));
        target.checkpoint_kill(&file)?;
        nobody_is_left()?;
        Self::from(&file, target.pid)
    }

    /// Takes a program that has been saved and killed.
    pub fn from(file: &Path, pid: i32) -> Result<Self> {
        Ok(Self {
            good: fs::read(file)?,
            pid,
            place: File::from(memfd_create("statefile", MemfdFlags::CLOEXEC)?),
            accepted: 0,
            refused: BTreeMap::new(),
        })
    }

    /// The good statefile.
    pub fn good(&self) -> &[u8] {
        &self.good
    }

    /// How many statefiles were fed.
    pub fn count(&self) -> usize {
        self.accepted + self.refused.values().sum::<usize>()
    }

    fn put(&self, bytes: &[u8]) -> Result {
        ftruncate(&self.place, bytes.len() as u64)?;
        self.place.write_all_at(bytes, 0)?;
        seek(&self.place, SeekFrom::Start(0))?;
        Ok(())
    }

    /// Only the prologue: no task is made.
    pub fn begin(&mut self, bytes: &[u8]) -> Result<Answer> {
        self.put(bytes)?;
        let session = Session::open()?;
        let answer = match session.restart_begin(self.place.as_fd(), 0, &[]) {
            Ok(_) => Answer::Accepted,
            Err(error) => Answer::Refused(judge(&error)?),
        };
        self.note(answer);
        Ok(answer)
    }

    /// A whole restart. What comes to life is killed.
    pub fn restart(&mut self, bytes: &[u8]) -> Result<Answer> {
        self.put(bytes)?;
        let options = RestartOptions {
            stdio: Stdio::Null,
            placement: Placement::Detached,
            unverified: true,
            ..RestartOptions::default()
        };
        let objects = ipc_objects();
        let answer = match restart(&self.place, &options) {
            Ok(program) => {
                let mut family = descendants(program.pid() as i32);
                family.push(program.pid() as i32);
                for pid in family {
                    let _ = harness::process::signal(pid, Signal::KILL);
                }
                Answer::Accepted
            }
            Err(Error::Tree(_) | Error::PidsInUse(_)) => Answer::Refused(libc::EEXIST),
            Err(error) => Answer::Refused(judge(&error)?),
        };
        nobody_is_left()?;
        ensure!(
            !exists(self.pid),
            "a task is left: {}",
            harness::process::describe(self.pid)
        );
        let now = ipc_objects();
        ensure!(
            answer == Answer::Accepted || now == objects,
            "a refused statefile has left objects of System V IPC"
        );
        if answer == Answer::Accepted && !now.is_empty() {
            // They outlive the program, and would be in the way of the next one.
            Command::new("ipcrm").arg("--all").status()?;
        }
        self.note(answer);
        Ok(answer)
    }

    fn note(&mut self, answer: Answer) {
        match answer {
            Answer::Accepted => self.accepted += 1,
            Answer::Refused(errno) => *self.refused.entry(errno).or_default() += 1,
        }
    }

    /// For the log.
    pub fn summary(&self) -> String {
        format!(
            "{} statefiles: {} accepted, refused by errno: {:?}",
            self.count(),
            self.accepted,
            self.refused
        )
    }
}

/// All that were built have ended, and nobody waits for them any more: their numbers are free.
fn nobody_is_left() -> Result {
    let own = std::process::id() as i32;
    let gone = wait_until(PATIENCE, || {
        reap_zombies();
        children(own).is_empty().then_some(())
    });
    match children(own).first() {
        Some(pid) if gone.is_none() => fail!("a task is left: {}", harness::process::describe(*pid)),
        _ => Ok(()),
    }
}

/// A refusal has an errno of the contract, and a message with a sentence.
fn judge(error: &Error) -> Result<i32> {
    let Some(errno) = error.errno() else {
        fail!("no errno: {error:?}")
    };
    ensure!(
        KNOWN.contains(&errno),
        "errno {errno} is not in the contract: {error:?}"
    );
    if let Some(failure) = error.failure() {
        let told = failure
            .messages
            .iter()
            .any(|message| message.is_error() && message.text.len() > 5);
        ensure!(told, "errno {errno} without a message: {error:?}");
    }
    Ok(errno)
}
