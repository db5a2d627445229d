// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Checkpoint: of another process, and of the caller.

use crate::device::{pidfd_open, Session};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::policy::Policy;
use ckpt_uapi::ioctl;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::process::{kill_process, pidfd_send_signal, Pid, Signal};
use std::collections::HashSet;
use std::fs;
use std::time::{Duration, Instant};

/// What is to be saved.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// The process with this id, and what belongs to it: [`CheckpointOptions::scope`].
    Pid(u32),
    /// The process that this pidfd names, and what belongs to it.
    PidFd(BorrowedFd<'a>),
}

/// What belongs to the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// One process with all its threads. Children are an obstacle.
    Process,
    /// The process with all its descendants.
    #[default]
    Tree,
    /// All processes of the pid namespace that the process is a member of. They restart in a pid namespace of their own.
    Container,
    /// The process with all its descendants, and its siblings with theirs: a job with its orphans, whom its init has adopted.
    Job,
}

impl Scope {
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Process => ioctl::scope::PROCESS,
            Self::Tree => ioctl::scope::TREE,
            Self::Container => ioctl::scope::CONTAINER,
            Self::Job => ioctl::scope::JOB,
        }
    }
}

/// What becomes of the target when the statefile is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum After {
    /// It goes on.
    #[default]
    Resume,
    /// It stays stopped, as by SIGSTOP.
    Stop,
    /// It is killed without running again.
    Kill,
}

/// How to save.
#[derive(Clone, Debug, Default)]
pub struct CheckpointOptions {
    /// What belongs to the target.
    pub scope: Scope,
    /// What becomes of the target.
    pub after: After,
    /// How long to wait for the target to stop; `None` is the module's own limit of ten seconds.
    pub timeout: Option<Duration>,
    /// Whose contents the statefile carries.
    pub files: Files,
    /// What becomes of what cannot be saved; without one that fits, the checkpoint does not take place.
    pub policies: Vec<Policy>,
}

/// Open regular files whose contents a statefile carries: a restart puts them back, whatever has become of the files since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Files {
    /// None: files stay as they are. (Those without a name always travel.)
    #[default]
    None,
    /// Those that are open for writing.
    Written,
    /// All of them.
    All,
}

impl Files {
    /// As [`ioctl::Checkpoint::flags`] wants it.
    fn flags(self) -> u32 {
        match self {
            Files::None => 0,
            Files::Written => ioctl::checkpoint_flags::WRITTEN_FILES,
            Files::All => ioctl::checkpoint_flags::FILES,
        }
    }
}

/// A complete checkpoint.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Checkpointed {
    /// Bytes written.
    pub bytes: u64,
    /// Records written.
    pub records: u64,
    /// Pages of memory written.
    pub pages: u64,
    /// Tasks saved.
    pub tasks: u32,
    /// How long the target stood still: until it went on, or until the statefile was complete if it does not go on.
    pub frozen: Duration,
    /// How long the kernel wrote.
    pub dump: Duration,
    /// What the kernel has to say about it.
    pub warnings: Vec<Message>,
}

impl Checkpointed {
    fn new(result: &ioctl::Checkpoint, frozen: Duration, warnings: Vec<Message>) -> Self {
        Self {
            bytes: result.bytes,
            records: result.records,
            pages: result.pages,
            tasks: result.tasks,
            frozen,
            dump: Duration::from_nanos(result.dump_ns),
            warnings,
        }
    }
}

/// On which side of the statefile [`checkpoint_self`] returns.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The statefile is complete; this is the program that wrote it.
    Saved(Checkpointed),
    /// This is the program that came back from the statefile.
    Restarted,
}

/// Saves a target into `file`, from the current position of `file` on.
///
/// With [`After::Kill`] the target is killed as soon as the kernel has written the statefile: use [`checkpoint_with`]
/// to make the statefile safe first.
pub fn checkpoint(target: Target<'_>, file: &impl AsFd, options: &CheckpointOptions) -> Result<Checkpointed> {
    checkpoint_with(target, file, options, |_| Ok(()))
}

/// Saves a target into `file`; `commit` makes the complete statefile safe (syncs it, gives it its name).
///
/// A target that is to go on does so before `commit`, so that it stands still for a short time only. One that is to be
/// killed or stopped is so only after `commit` has succeeded; if `commit` fails, the target goes on.
pub fn checkpoint_with<E: From<Error>>(
    target: Target<'_>,
    file: &impl AsFd,
    options: &CheckpointOptions,
    commit: impl FnOnce(&Checkpointed) -> std::result::Result<(), E>,
) -> std::result::Result<Checkpointed, E> {
    checkpoint_frozen(target, file, options, None::<fn() -> _>, commit)
}

/// As [`checkpoint_with`]; `frozen`, if there is one, is called when the target stands still and nothing is written yet. If it fails,
/// the target goes on. The target stands still until the statefile is complete then.
pub fn checkpoint_frozen<E: From<Error>>(
    target: Target<'_>,
    file: &impl AsFd,
    options: &CheckpointOptions,
    frozen: Option<impl FnOnce() -> std::result::Result<(), E>>,
    commit: impl FnOnce(&Checkpointed) -> std::result::Result<(), E>,
) -> std::result::Result<Checkpointed, E> {
    let own: OwnedFd;
    let pidfd = match target {
        Target::PidFd(pidfd) => pidfd,
        Target::Pid(pid) => {
            own = pidfd_open(pid)?;
            own.as_fd()
        }
    };
    let timeout_ms = milliseconds(options.timeout);
    let session = Session::open()?;
    session.attach(pidfd, options.scope)?;
    if !options.policies.is_empty() {
        session.set_policies(&options.policies)?;
    }
    if options.after == After::Resume && frozen.is_none() {
        // One call: the module lets the target go on as soon as it has what it needs.
        let result = session.checkpoint(file.as_fd(), options.files.flags(), timeout_ms)?;
        let done = Checkpointed::new(&result, Duration::from_nanos(result.frozen_ns), session.messages());
        commit(&done)?;
        return Ok(done);
    }
    let start = Instant::now();
    session.freeze(timeout_ms)?;
    if let Some(frozen) = frozen {
        frozen()?;
    }
    let result = session.checkpoint(file.as_fd(), options.files.flags(), timeout_ms)?;
    if options.after == After::Resume {
        session.thaw()?;
    }
    let done = Checkpointed::new(&result, start.elapsed(), session.messages());
    commit(&done)?;
    match options.after {
        After::Resume => {}
        After::Stop => {
            // The signal waits in the frozen target and stops it before it runs its own code again.
            pidfd_send_signal(pidfd, Signal::STOP).map_err(|errno| Error::io("cannot stop the target", errno))?;
            for pid in members(pidfd, options.scope) {
                // One that has exited cannot be stopped, and need not.
                let _ = kill_process(pid, Signal::STOP);
            }
            session.thaw()?;
        }
        After::Kill => session.kill()?,
    }
    Ok(done)
}

/// The processes of a frozen target besides the named one. Nobody comes or goes while it is frozen.
fn members(pidfd: BorrowedFd<'_>, scope: Scope) -> Vec<Pid> {
    let Some(named) = pid_of(pidfd) else { return Vec::new() };
    let mut found = match scope {
        Scope::Process => return Vec::new(),
        Scope::Tree => vec![named],
        Scope::Container => members_of_namespace(named),
        Scope::Job => siblings(named),
    };
    let mut known: HashSet<u32> = found.iter().copied().collect();
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children(*pid).into_iter().filter(|child| known.insert(*child)));
        next += 1;
    }
    found.retain(|pid| *pid != named);
    found
        .into_iter()
        .filter_map(|pid| i32::try_from(pid).ok().and_then(Pid::from_raw))
        .collect()
}

/// Pid behind a pidfd.
fn pid_of(pidfd: BorrowedFd<'_>) -> Option<u32> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).ok()?;
    info.lines()
        .find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok())
}

/// Parent of a process.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in front of it may have anything in it.
    stat.rsplit(") ").next()?.split(' ').nth(1)?.parse().ok()
}

/// A process with all others that have its parent.
fn siblings(named: u32) -> Vec<u32> {
    let mut found = parent(named).map_or_else(Vec::new, children);
    if !found.contains(&named) {
        found.push(named);
    }
    found
}

/// Child processes of all threads of a process; of each thread, in the order in which they have become its.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let threads = numbers_in(&format!("/proc/{pid}/task"));
    let lists = threads
        .iter()
        .filter_map(|tid| fs::read_to_string(format!("/proc/{pid}/task/{tid}/children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Whether the caller lives in the pid namespace of a process: then it is part of that container.
pub fn is_in_namespace_of(pidfd: BorrowedFd<'_>) -> bool {
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    // The number is as /proc has it, whosever that is.
    let target = pid_of(pidfd).and_then(|pid| namespace(&pid.to_string()));
    target.is_some() && target == namespace("self")
}

/// All members of the pid namespace of a process.
fn members_of_namespace(named: u32) -> Vec<u32> {
    let namespace = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let Some(wanted) = namespace(named) else {
        return vec![named];
    };
    let mut found = numbers_in("/proc");
    found.retain(|pid| namespace(*pid).as_ref() == Some(&wanted));
    found
}

/// Entries of a directory that are numbers.
fn numbers_in(directory: &str) -> Vec<u32> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Saves the calling process, with all its threads, into `file`.
///
/// Returns [`Outcome::Saved`] when the statefile is complete, and [`Outcome::Restarted`] in the process that a restart
/// of it brings back: there `file` is open as it was, at the offset that it had when the save began.
pub fn checkpoint_self(file: &impl AsFd) -> Result<Outcome> {
    let options = CheckpointOptions {
        scope: Scope::Process,
        ..CheckpointOptions::default()
    };
    checkpoint_own(file, &options)
}

/// Saves what the calling process belongs to: with [`Scope::Container`] its pid namespace, with [`Scope::Tree`] itself and its
/// descendants. Returns twice, as [`checkpoint_self`] does; all others go on without noticing, whatever `options.after` says.
///
/// In the restarted program a `file` without a name (O_TMPFILE) is /dev/null.
pub fn checkpoint_own(file: &impl AsFd, options: &CheckpointOptions) -> Result<Outcome> {
    let session = Session::open()?;
    if !options.policies.is_empty() {
        session.set_policies(&options.policies)?;
    }
    let timeout_ms = milliseconds(options.timeout);
    let (result, restarted) =
        session.checkpoint_self(file.as_fd(), options.files.flags(), options.scope, timeout_ms)?;
    if restarted {
        return Ok(Outcome::Restarted);
    }
    let frozen = Duration::from_nanos(result.frozen_ns);
    Ok(Outcome::Saved(Checkpointed::new(&result, frozen, session.messages())))
}

/// A time limit as an ioctl takes it, where 0 means the default.
fn milliseconds(timeout: Option<Duration>) -> u32 {
    timeout.map_or(0, |timeout| {
        u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX).max(1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    #[test]
    fn finds_the_descendants_of_a_target() {
        let script = "sleep 60 & (sleep 60 & echo; wait) & wait";
        let mut shell = Command::new("/bin/sh")
            .args(["-c", script])
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        // All are there when the deepest has said so.
        shell.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let pidfd = pidfd_open(shell.id()).unwrap();
        let counts = [Scope::Process, Scope::Tree].map(|scope| members(pidfd.as_fd(), scope).len());
        let everybody = members(pidfd.as_fd(), Scope::Container);
        let _ = rustix::process::kill_process_group(Pid::from_child(&shell), Signal::KILL);
        shell.wait().unwrap();
        assert_eq!(counts, [0, 3]);
        let own = i32::try_from(std::process::id()).ok().and_then(Pid::from_raw);
        assert!(everybody.contains(&own.unwrap()) && !everybody.contains(&Pid::from_child(&shell)));
    }

    #[test]
    fn a_time_limit_is_never_the_default_by_accident() {
        assert_eq!(milliseconds(None), 0);
        assert_eq!(milliseconds(Some(Duration::from_micros(10))), 1);
        assert_eq!(milliseconds(Some(Duration::from_secs(3))), 3000);
        assert_eq!(milliseconds(Some(Duration::MAX)), u32::MAX);
    }
}
