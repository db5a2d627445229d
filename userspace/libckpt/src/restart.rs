// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Restart: build the processes, let each task restore itself, let them go.

use crate::device::{self, Built, Group, NestedUserNs, NewNamespaces, Plan, SavedUserNs, Session, Step};
use crate::error::{Error, Result, TakenPid};
use crate::external::{self, External};
use crate::foreground::{self, Ended, Terminal, Watched};
use crate::message::Message;
use crate::statefile;
use crate::tree::TaskTree;
use ckpt_uapi::ioctl::{restart_flags, RestartBegin, RestartEnd};
use ckpt_uapi::record::header;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{tell, Mode, OFlags};
use rustix::pipe::{pipe_with, PipeFlags};
use rustix::thread::{capabilities, CapabilitySet};
use std::io::{self, BufReader, Read};
use std::path::PathBuf;
use std::time::Duration;

/// What becomes the program's descriptors 0, 1 and 2 where they were an inherited terminal or pipe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stdio {
    /// The caller's own.
    #[default]
    Inherit,
    /// The caller's own, but /dev/null as standard input: for a statefile that comes from standard input.
    InheritOutput,
    /// /dev/null.
    Null,
    /// /dev/null as standard input, and this file (appended to) as standard output and standard error.
    File(PathBuf),
}

/// Where the program lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// In the caller's session. A program that led a process group leads one again; if the caller has the terminal of
    /// its standard input, that group gets it, until [`Restarted::wait_in_foreground`] or dropping takes it back.
    #[default]
    Foreground,
    /// In a session of its own.
    Detached,
}

/// What to do with files that have been replaced, or have another size or modification time, since they were saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChangedFiles {
    /// Refuse those that are mapped, warn of open ones.
    #[default]
    Warn,
    /// Refuse both. Open files that the program writes may change.
    Refuse,
    /// Accept both.
    Ignore,
}

/// How to restart.
#[derive(Clone, Debug, Default)]
pub struct RestartOptions {
    /// Standard descriptors.
    pub stdio: Stdio,
    /// Session and process group.
    pub placement: Placement,
    /// What to do with files that are not what they were.
    pub changed_files: ChangedFiles,
    /// Restart in a fresh pid namespace, where all the saved pids are free. It ends with the program. What was saved as a whole
    /// pid namespace always is. The program keeps the caller's mounts, so that /proc has the pids of the caller's namespace.
    pub new_pidns: bool,
    /// The fresh pid namespace (this implies it) belongs to a fresh user namespace, in which the caller's user and group are
    /// themselves, and no other exists. That takes no privilege; whoever lacks CAP_SYS_ADMIN gets it with a pid
    /// namespace in any case.
    pub new_userns: bool,
    /// The program is a job: its parent is a small init, which adopts its orphans, and ends with the caller.
    pub job: bool,
    /// Do not read a whole statefile that has contents of files, to see whether it is damaged, before any file is written to.
    pub unverified: bool,
    /// What takes the place of things outside that the program had to do with.
    pub external: Vec<External>,
}

/// A program that runs again. Dropping the value does not end the program.
#[derive(Debug)]
pub struct Restarted {
    pub(crate) process: Built,
    pub(crate) terminal: Option<Terminal>,
    /// Bytes read from the statefile.
    pub bytes: u64,
    /// Tasks restored.
    pub tasks: u32,
    /// How long it took in the kernel.
    pub duration: Duration,
    /// What the kernel has to say about it.
    pub warnings: Vec<Message>,
}

impl Restarted {
    /// Its process id: the saved one, unless it is in a fresh pid namespace. There it has the saved one, and this is how
    /// the caller's namespace calls it.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its pidfd. The program is a child of the caller, or of the init of its fresh pid namespace, which is a child of the
    /// caller.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.process.pidfd.as_fd()
    }

    /// Waits until it ends.
    pub fn wait(&mut self) -> Result<Ended> {
        foreground::wait(Watched::of(&self.process))
    }

    /// Waits until it ends, as a shell does for a program in the foreground: signals to the caller go on to it, and when
    /// it stops for job control, the caller stops too.
    pub fn wait_in_foreground(&mut self) -> Result<Ended> {
        let process = &self.process;
        let ended = foreground::wait_in_foreground(
            process.pid,
            process.pidfd.as_fd(),
            Watched::of(process),
            self.terminal.as_ref(),
        );
        self.terminal = None;
        ended
    }
}

/// Brings back the program of a statefile, which is read from the current position of `file` on.
///
/// The new process is a child of the caller. It dies with the calling thread until it is complete. The caller needs no
/// privilege but for its pids: they are the saved ones (CAP_CHECKPOINT_RESTORE, or [`RestartOptions::new_userns`]), and the
/// rest is asked for as the program.
pub fn restart(file: &impl AsFd, options: &RestartOptions) -> Result<Restarted> {
    let session = Session::open()?;
    let mut flags = 0;
    flags |= match options.changed_files {
        ChangedFiles::Warn => 0,
        ChangedFiles::Refuse => restart_flags::REFUSE_CHANGED_FILES,
        ChangedFiles::Ignore => restart_flags::CHANGED_FILES,
    };
    if options.placement == Placement::Detached {
        flags |= restart_flags::DETACHED;
    }
    let start = tell(file.as_fd()).ok().filter(|_| !options.unverified);
    let begun = session.restart_begin(file.as_fd(), flags, &external::texts(&options.external))?;
    if let Some(start) = start.filter(|_| begun.target & header::flags::CONTENTS != 0) {
        // The module finds damage when it comes to it: files would have been written to by then.
        let from = From {
            file: file.as_fd(),
            at: start,
        };
        statefile::verify(BufReader::with_capacity(1 << 20, from))?;
    }
    let (entries, nested, [user_ns, nested_user_ns]) = session.restart_prologue(&begun)?;
    let tree = TaskTree::new(entries, &nested)?;
    let user_ns = match &user_ns[..] {
        [] => None,
        body => Some(SavedUserNs::parse(body).ok_or_else(|| Error::Tree("its user namespace cannot be read".into()))?),
    };
    let nested_user_ns = NestedUserNs::parse_all(&nested_user_ns)
        .ok_or_else(|| Error::Tree("its nested user namespaces cannot be read".into()))?;
    let namespaces = namespaces(&begun, &tree, options, user_ns.is_some())?;
    if namespaces.is_none() {
        let taken = tree.taken();
        if !taken.is_empty() {
            return Err(Error::PidsInUse(taken));
        }
    }

    let files = open_stdio(&options.stdio)?;
    let group = match options.placement {
        Placement::Detached => Group::Session,
        Placement::Foreground if tree.leads_group() => Group::Own,
        Placement::Foreground => Group::Inherit,
    };
    let plan = Plan {
        session: session.as_fd(),
        tasks: tree.tasks(),
        stdio: [0, 1, 2].map(|number| files.get(number)),
        group,
        namespaces,
        init: options.job || tree.has_orphans(),
        tied: options.job,
        user_ns: user_ns.as_ref(),
        nested_user_ns: &nested_user_ns,
    };
    let mut process = device::build(&plan).map_err(|error| match reason(&session, &error) {
        Some(reason) => reason,
        None => explain(&tree, namespaces, user_ns.as_ref(), error),
    })?;
    let terminal = match group {
        Group::Own => Terminal::give_to(process.pid),
        Group::Inherit | Group::Session => None,
    };
    let end = end(&session, &process)?;
    process.let_go();
    Ok(Restarted {
        process,
        terminal,
        bytes: end.bytes,
        tasks: begun.tasks,
        duration: Duration::from_nanos(end.restart_ns),
        warnings: session.messages(),
    })
}

/// What can be read of a file without moving its position.
struct From<'a> {
    file: BorrowedFd<'a>,
    at: u64,
}

impl Read for From<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = rustix::io::retry_on_intr(|| rustix::io::pread(self.file, &mut *buffer, self.at))?;
        self.at += read as u64;
        Ok(read)
    }
}

/// The namespaces that a restart makes.
fn namespaces(
    begun: &RestartBegin,
    tree: &TaskTree,
    options: &RestartOptions,
    own_user_ns: bool,
) -> Result<Option<NewNamespaces>> {
    let container = begun.target & header::flags::CONTAINER != 0;
    let root_is_init = tree.pid(0) == 1;
    if container && !root_is_init {
        return Err(Error::Tree(
            "it is a whole pid namespace, but begins with no init".into(),
        ));
    }
    // Only a pid namespace that belongs to a user namespace can be built in by those who live in that.
    if !(container || options.new_pidns || options.new_userns || own_user_ns) {
        return Ok(None);
    }
    let may_make_pidns = || capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN));
    Ok(Some(NewNamespaces {
        root_is_init,
        user: own_user_ns || options.new_userns || !may_make_pidns(),
    }))
}

/// Waits until every task is restored. The kernel waits for tasks; one that died before it got there would be waited
/// for in vain, so a thread of ours looks at the process.
fn end(session: &Session, process: &Built) -> Result<RestartEnd> {
    const GRACE: Timespec = Timespec {
        tv_sec: 0,
        tv_nsec: 500_000_000,
    };
    let (stopped, stop) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno| Error::io("cannot make a pipe", errno))?;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut fds: Vec<PollFd<'_>> = process.ends().chain([stopped.as_fd()]).map(readable).collect();
            while let Err(rustix::io::Errno::INTR) = poll(&mut fds, None) {}
            // The kernel usually knows before we do, and has a better reason.
            let mut fds = [readable(stopped.as_fd())];
            if let Ok(0) = poll(&mut fds, Some(&GRACE)) {
                let _ = session.restart_abort();
            }
        });
        let result = loop {
            match session.restart_end() {
                Err(Error::Restart(failure)) if failure.errno == libc::EINTR && failure.messages.is_empty() => {
                    // A signal came first: the wait goes on, unless there is nobody to wait for.
                    if !is_alive(process) {
                        break Err(Error::Died(process.pid()));
                    }
                }
                result => break result,
            }
        };
        drop(stop);
        result
    })
}

fn readable(fd: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::from_borrowed_fd(fd, PollFlags::IN)
}

fn is_alive(process: &Built) -> bool {
    let mut fds = [PollFd::new(&process.pidfd, PollFlags::IN)];
    matches!(poll(&mut fds, Some(&Timespec::default())), Ok(0))
}

/// Why a task died while the others were still being built, if the kernel sent it away.
fn reason(session: &Session, error: &device::BuildError) -> Option<Error> {
    if error.step != Step::Died || session.restart_abort().is_err() {
        return None;
    }
    // Of a restart that has failed, this says only why.
    match session.restart_end() {
        Err(Error::Restart(failure)) if !failure.messages.is_empty() => Some(Error::Restart(failure)),
        _ => None,
    }
}

/// Says in the user's words why a tree could not be built.
fn explain(
    tree: &TaskTree,
    namespaces: Option<NewNamespaces>,
    user_ns: Option<&SavedUserNs>,
    error: device::BuildError,
) -> Error {
    let pid = tree.pid(error.index);
    let creates = matches!(error.step, Step::Process | Step::Thread);
    match error.source.raw_os_error() {
        Some(libc::EEXIST) if creates => {
            let mut taken = if namespaces.is_none() { tree.taken() } else { Vec::new() };
            if !taken.iter().any(|other| other.pid == pid) {
                taken.push(TakenPid {
                    pid,
                    tgid: 0,
                    comm: String::new(),
                });
            }
            Error::PidsInUse(taken)
        }
        Some(libc::EPERM) if creates && namespaces.is_none() => Error::MayNotChoosePids,
        Some(libc::EINVAL) if creates => Error::Tree(format!(
            "the pid namespace has no pid {pid} (see kernel.pid_max), or it lacks an init process"
        )),
        _ => {
            let what = match error.step {
                Step::Died => return Error::Died(pid),
                Step::Process => format!("cannot create process {pid}"),
                Step::Thread => format!("cannot create thread {pid}"),
                Step::DeathSignal => format!("cannot tie the new process {pid} to its parent"),
                Step::Group => "cannot make the session or process group".into(),
                Step::Stdio => "cannot set up the standard descriptors".into(),
                Step::Namespace => format!("cannot enter the pid namespace of process {pid}"),
                Step::UserNamespace => match user_ns {
                    Some(saved) => format!(
                        "cannot set up the user namespace, which user {} had made",
                        saved.owner()
                    ),
                    None => "cannot set up the user namespace".into(),
                },
                Step::NestedUserNamespace => format!(
                    "cannot make user namespace {} again, below that of the first process",
                    error.index
                ),
                Step::Execute => "cannot execute the command".into(),
            };
            Error::Io {
                what,
                source: error.source,
            }
        }
    }
}

/// Files that become the standard descriptors.
struct StdioFiles {
    input: Option<OwnedFd>,
    output: Option<OwnedFd>,
}

impl StdioFiles {
    fn get(&self, number: usize) -> Option<BorrowedFd<'_>> {
        if number == 0 { &self.input } else { &self.output }
            .as_ref()
            .map(AsFd::as_fd)
    }
}

fn open_stdio(stdio: &Stdio) -> Result<StdioFiles> {
    let null = || open_high("/dev/null".into(), OFlags::RDWR);
    Ok(match stdio {
        Stdio::Inherit => StdioFiles {
            input: None,
            output: None,
        },
        Stdio::InheritOutput => StdioFiles {
            input: Some(null()?),
            output: None,
        },
        Stdio::Null => StdioFiles {
            input: Some(null()?),
            output: Some(null()?),
        },
        Stdio::File(path) => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND;
            StdioFiles {
                input: Some(null()?),
                output: Some(open_high(path.clone(), flags)?),
            }
        }
    })
}

/// Opens a file on a descriptor above the standard ones, so that [`device::build`] can put it there.
fn open_high(path: PathBuf, flags: OFlags) -> Result<OwnedFd> {
    let error = |errno: rustix::io::Errno| Error::io(format!("cannot open {}", path.display()), errno);
    let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY;
    let fd = rustix::fs::open(&path, flags, Mode::from_raw_mode(0o666)).map_err(error)?;
    rustix::io::fcntl_dupfd_cloexec(&fd, 3)
        .map_err(|errno| Error::io("cannot duplicate a descriptor", io::Error::from(errno)))
}
