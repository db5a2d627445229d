// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! `/dev/ckpt`, one method per ioctl, and the raw system calls of a restart. The only unsafe code of user space.
#![allow(
    unsafe_code,
    reason = "ioctl, clone3, prctl and signal masks have no safe form; each use argues"
)]

mod build;
mod init;
mod job;
mod nested;
mod user_ns;

pub(crate) use build::{build, BuildError, Built, Group, Init, Make, Namespace, NewNamespaces, Plan, Step, Task};
pub(crate) use job::{start, Witness};
pub(crate) use user_ns::{enter_new_user_namespace, NestedUserNs, SavedUserNs};

use crate::checkpoint::Scope;
use crate::error::{Error, Failure, Result};
use crate::message::Message;
use crate::policy::{self, Policy};
use crate::tree::taken_pids;
use ckpt_uapi::ioctl;
use ckpt_uapi::record::ns::NESTED_MAX;
use ckpt_uapi::record::tree::Tree;
use ckpt_uapi::statefile::{BODY_MAX, LEVELS_MAX, TASKS_MAX};
use ckpt_uapi::status::MESSAGE_MAX;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{setrlimit, Pid, Resource, Rlimit};
use std::io;
use std::ptr;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

pub use libc::{SIGCHLD, SIGHUP, SIGINT, SIGKILL, SIGTERM};

/// Exit status of a task that could not become a saved one.
pub const EXIT_NOT_RESTORED: i32 = 70;

/// An ioctl argument: a plain struct that begins with its own size, as `ckpt_uapi::ioctl` has them.
trait Argument: FromBytes + IntoBytes {
    /// The ioctl that takes it.
    const REQUEST: u32;
}

macro_rules! arguments {
    ($($t:ident = $request:ident;)*) => {$(
        impl Argument for ioctl::$t {
            const REQUEST: u32 = ioctl::$request;
        }
    )*};
}
arguments! {
    Info = CKPT_INFO;
    Attach = CKPT_ATTACH;
    Check = CKPT_CHECK;
    Freeze = CKPT_FREEZE;
    Thaw = CKPT_THAW;
    Kill = CKPT_KILL;
    Checkpoint = CKPT_CHECKPOINT;
    Policies = CKPT_POLICIES;
    RestartBegin = CKPT_RESTART_BEGIN;
    RestartTask = CKPT_RESTART_TASK;
    RestartUserNs = CKPT_RESTART_USER_NS;
    RestartEnd = CKPT_RESTART_END;
}

/// The tree of a statefile, thread ids in nested pid namespaces, and the records of its user namespace and of those below that.
pub(crate) type Prologue = (Vec<Tree>, Vec<u32>, [Vec<u8>; 2]);

/// A zeroed argument with its size set. Every type here begins with `size: u32`, little-endian as x86-64 is.
fn sized<T: Argument>() -> T {
    let mut arg = T::new_zeroed();
    let size = size_of::<T>() as u32;
    arg.as_mut_bytes()[..4].copy_from_slice(&size.to_ne_bytes());
    arg
}

/// One open `/dev/ckpt`: one checkpoint or one restart. Dropping it thaws what it froze, and kills a half-built restart.
#[derive(Debug)]
pub struct Session {
    fd: OwnedFd,
}

impl AsFd for Session {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Session {
    /// Opens the device.
    pub fn open() -> Result<Self> {
        rustix::fs::open(ioctl::DEVICE, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
            .map(|fd| Self { fd })
            .map_err(|errno| Error::NoDevice(errno.into()))
    }

    /// What the module is and can do on this kernel.
    pub fn info(&self) -> Result<ioctl::Info> {
        let mut arg = sized::<ioctl::Info>();
        self.call(&mut arg, Error::Info)?;
        Ok(arg)
    }

    /// Chooses a process, and what belongs to it, as the target.
    pub fn attach(&self, pidfd: BorrowedFd<'_>, scope: Scope) -> Result<()> {
        let mut arg = ioctl::Attach {
            pidfd: pidfd.as_raw_fd(),
            scope: scope.number(),
            ..sized()
        };
        self.call(&mut arg, Error::Attach).map(drop)
    }

    /// Looks for obstacles without touching the target; each obstacle is a message.
    pub fn check(&self) -> Result<ioctl::Check> {
        let mut arg = sized::<ioctl::Check>();
        self.call(&mut arg, Error::Check)?;
        Ok(arg)
    }

    /// Says what becomes of what cannot be saved, from the next check or checkpoint on.
    pub fn set_policies(&self, policies: &[Policy]) -> Result<()> {
        let texts = policy::texts(policies);
        let mut arg = ioctl::Policies {
            texts_size: u32::try_from(texts.len()).unwrap_or(u32::MAX),
            texts: texts.as_ptr() as u64,
            ..sized()
        };
        self.call(&mut arg, Error::Check).map(drop)
    }

    /// Stops the target and returns the number of tasks. 0 is the module's own time limit.
    pub fn freeze(&self, timeout_ms: u32) -> Result<u32> {
        let mut arg = ioctl::Freeze { timeout_ms, ..sized() };
        self.call(&mut arg, Error::Freeze)?;
        Ok(arg.tasks)
    }

    /// Lets the target go on.
    pub fn thaw(&self) -> Result<()> {
        self.call(&mut sized::<ioctl::Thaw>(), Error::Thaw).map(drop)
    }

    /// Kills the target.
    pub fn kill(&self) -> Result<()> {
        self.call(&mut sized::<ioctl::Kill>(), Error::Kill).map(drop)
    }

    /// Writes the attached target into `file`. `flags` is as [`ioctl::Checkpoint::flags`] wants it.
    pub fn checkpoint(&self, file: BorrowedFd<'_>, flags: u32, timeout_ms: u32) -> Result<ioctl::Checkpoint> {
        let mut arg = ioctl::Checkpoint {
            fd: file.as_raw_fd(),
            flags,
            pidfd: -1,
            timeout_ms,
            ..sized()
        };
        self.call(&mut arg, Error::Checkpoint)?;
        Ok(arg)
    }

    /// Writes the calling process, and what belongs to it, into `file`. The flag is false at once, and true in the process that wakes up
    /// restarted.
    pub fn checkpoint_self(
        &self,
        file: BorrowedFd<'_>,
        flags: u32,
        scope: Scope,
        timeout_ms: u32,
    ) -> Result<(ioctl::Checkpoint, bool)> {
        // The same ioctl as for an attached target: in a fresh session, no pid means the caller.
        let mut arg = ioctl::Checkpoint {
            fd: file.as_raw_fd(),
            flags,
            pidfd: -1,
            timeout_ms,
            scope: scope.number(),
            ..sized()
        };
        let restarted = self.call(&mut arg, Error::Checkpoint)? != 0;
        Ok((arg, restarted))
    }

    /// Reads and verifies the prologue of the statefile, and returns how large the tree is. `external` is as
    /// [`ioctl::RestartBegin::external`] wants it.
    pub fn restart_begin(&self, file: BorrowedFd<'_>, flags: u32, external: &[u8]) -> Result<ioctl::RestartBegin> {
        let mut arg = ioctl::RestartBegin {
            fd: file.as_raw_fd(),
            flags,
            external_size: u32::try_from(external.len()).unwrap_or(u32::MAX),
            external: external.as_ptr() as u64,
            ..sized()
        };
        self.call(&mut arg, Error::Begin)?;
        Ok(arg)
    }

    /// The tree that has to be built, as large as [`Session::restart_begin`] said, the thread ids of its tasks in nested
    /// pid namespaces, the body of the record of its user namespace, empty without one, and those of user namespaces below that.
    pub fn restart_prologue(&self, begun: &ioctl::RestartBegin) -> Result<Prologue> {
        let tasks = begun.tasks.min(TASKS_MAX);
        let mut tree = vec![Tree::new_zeroed(); tasks as usize];
        let mut pids = vec![0u32; begun.pids.min(tasks * LEVELS_MAX) as usize];
        let mut user_ns = vec![0u8; begun.user_ns.min(BODY_MAX) as usize];
        // Longest: two full maps.
        let mut nested_user_ns = vec![0u8; begun.nested_user_ns.min(NESTED_MAX * 8192) as usize];
        let mut arg = ioctl::RestartPrologue {
            size: size_of::<ioctl::RestartPrologue>() as u32,
            flags: 0,
            tree: tree.as_mut_ptr() as u64,
            capacity: tree.len() as u32,
            tasks: 0,
            pids: pids.as_mut_ptr() as u64,
            pids_capacity: pids.len() as u32,
            pids_count: 0,
            user_ns: user_ns.as_mut_ptr() as u64,
            user_ns_capacity: user_ns.len() as u32,
            user_ns_size: 0,
            nested_user_ns: nested_user_ns.as_mut_ptr() as u64,
            nested_user_ns_capacity: nested_user_ns.len() as u32,
            nested_user_ns_size: 0,
        };
        // SAFETY: `arg` is a live struct of the size that it names; `arg.tree`, `arg.pids`, `arg.user_ns` and `arg.nested_user_ns` are
        // live arrays of as many entries, words and bytes as their capacities say, that nothing else refers to. The
        // kernel writes within these, and every bit pattern is a `Tree`, a word or a byte.
        let result = unsafe { raw_ioctl(self.fd.as_raw_fd(), ioctl::CKPT_RESTART_PROLOGUE, (&raw mut arg).cast()) };
        result.map_err(|errno| Error::Begin(self.failure(errno)))?;
        tree.truncate(arg.tasks as usize);
        pids.truncate(arg.pids_count as usize);
        user_ns.truncate(arg.user_ns_size as usize);
        nested_user_ns.truncate(arg.nested_user_ns_size as usize);
        Ok((tree, pids, [user_ns, nested_user_ns]))
    }

    /// Waits until every task is restored, and lets them go.
    pub fn restart_end(&self) -> Result<ioctl::RestartEnd> {
        let mut arg = sized::<ioctl::RestartEnd>();
        self.call(&mut arg, Error::Restart)?;
        Ok(arg)
    }

    /// Kills what has been built.
    pub fn restart_abort(&self) -> Result<()> {
        let mut arg = ioctl::RestartEnd {
            flags: ioctl::restart_end_flags::ABORT,
            ..sized()
        };
        self.call(&mut arg, Error::Restart).map(drop)
    }

    /// Takes the messages that the session holds.
    pub fn messages(&self) -> Vec<Message> {
        let mut messages = Vec::new();
        let mut buffer = [0; 16 * MESSAGE_MAX];
        while let Ok(length @ 1..) = rustix::io::read(&self.fd, &mut buffer) {
            messages.extend(Message::parse_all(&buffer[..length]));
        }
        messages
    }

    /// The reason of a failed ioctl.
    fn failure(&self, errno: Errno) -> Failure {
        Failure {
            errno: errno.raw_os_error(),
            messages: self.messages(),
        }
    }

    fn call<T: Argument>(&self, arg: &mut T, stage: fn(Failure) -> Error) -> Result<u32> {
        control(self.as_fd(), arg).map_err(|errno| stage(self.failure(errno)))
    }
}

/// The ioctl of a session that takes such an argument.
fn control<T: Argument>(session: BorrowedFd<'_>, arg: &mut T) -> rustix::io::Result<u32> {
    // SAFETY: `arg` is exclusively borrowed, begins with its true size (`sized`), and every bit pattern that the
    // kernel may write is a `T`. None of these ioctls keeps the address; what a pointer inside of it leads to is only read.
    unsafe { raw_ioctl(session.as_raw_fd(), T::REQUEST, ptr::from_mut(arg).cast()) }
}

/// # Safety
///
/// `arg` must be what `request` reads and writes, or the number that it takes.
unsafe fn raw_ioctl(fd: RawFd, request: u32, arg: *mut libc::c_void) -> rustix::io::Result<u32> {
    // SAFETY: the caller vouches for `arg`; an fd number that is not open is an error, not undefined.
    let result = unsafe { libc::ioctl(fd, request as libc::Ioctl, arg) };
    u32::try_from(result).map_err(|_| last_errno())
}

/// Why the last call of the C library failed.
fn last_errno() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

/// Process id of the first process of the pid namespace that a file of `/proc/PID/ns` stands for, in the caller's.
pub fn init_of_pid_namespace(namespace: BorrowedFd<'_>) -> Result<u32> {
    /// `NS_GET_TGID_FROM_PIDNS` of linux/nsfs.h: the argument is a number, not an address.
    const NS_GET_TGID_FROM_PIDNS: u32 = 0x8004_b707;
    // SAFETY: the call takes two numbers, and touches no memory; whatever else the descriptor is refuses the request.
    unsafe {
        raw_ioctl(
            namespace.as_raw_fd(),
            NS_GET_TGID_FROM_PIDNS,
            ptr::without_provenance_mut(1),
        )
    }
    .map_err(|errno| Error::io("no pid namespace with a process", errno))
}

/// A pidfd of a process.
pub fn pidfd_open(pid: u32) -> Result<OwnedFd> {
    let result = match i32::try_from(pid).ok().and_then(Pid::from_raw) {
        Some(pid) => rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()),
        None => Err(Errno::SRCH),
    };
    result.map_err(|errno| match taken_pids([pid]).first() {
        Some(task) if task.tgid != pid => Error::NotAProcess {
            tid: pid,
            pid: task.tgid,
        },
        _ => Error::Attach(Failure {
            errno: errno.raw_os_error(),
            messages: Vec::new(),
        }),
    })
}

/// Makes a process group the foreground one of a terminal, also from the background.
pub fn set_foreground(terminal: BorrowedFd<'_>, group: Pid) -> io::Result<()> {
    // A caller in the background would get SIGTTOU and stop.
    let blocked = BlockedSignals::only(&[libc::SIGTTOU])?;
    let result = rustix::termios::tcsetpgrp(terminal, group);
    drop(blocked);
    Ok(result?)
}

/// Signals that are blocked in the calling thread until the value is dropped.
struct BlockedSignals {
    before: libc::sigset_t,
}

impl BlockedSignals {
    fn all() -> io::Result<Self> {
        Self::set(&full_set())
    }

    fn only(signals: &[i32]) -> io::Result<Self> {
        Self::set(&signal_set(signals))
    }

    fn set(set: &libc::sigset_t) -> io::Result<Self> {
        let before = change_mask(libc::SIG_BLOCK, set)?;
        Ok(Self { before })
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // It can only fail for want of sense in the arguments.
        let _ = change_mask(libc::SIG_SETMASK, &self.before);
    }
}

fn empty_set() -> libc::sigset_t {
    // SAFETY: `sigset_t` is an array of integers, for which zero is a value: the empty set.
    unsafe { std::mem::zeroed() }
}

fn full_set() -> libc::sigset_t {
    let mut set = empty_set();
    // SAFETY: `set` is a live, initialised signal set.
    unsafe { libc::sigfillset(&raw mut set) };
    set
}

/// Changes the mask of the calling thread. Gives what it was.
fn change_mask(how: libc::c_int, set: &libc::sigset_t) -> io::Result<libc::sigset_t> {
    let mut before = empty_set();
    // SAFETY: both sets are live for the call; the mask is the calling thread's own.
    match unsafe { libc::pthread_sigmask(how, set, &raw mut before) } {
        0 => Ok(before),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Has a signal ignored, or do what it does by default. Whether it was ignored; what cannot be set stays.
fn ignore(signal: i32, ignored: bool) -> bool {
    let action = if ignored { libc::SIG_IGN } else { libc::SIG_DFL };
    // SAFETY: neither action is a handler, so that no code of ours can run in signal context.
    unsafe { libc::signal(signal, action) == libc::SIG_IGN }
}

/// Waits for a signal of a set, all of which are blocked: its number and code, or 0 and 0.
fn wait_for_signal(set: &libc::sigset_t) -> (i32, i32) {
    // SAFETY: `siginfo_t` is plain data, for which zero is a value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: both are live for the call.
    let signal = unsafe { libc::sigwaitinfo(set, &raw mut info) };
    (signal.max(0), info.si_code)
}

fn signal_set(signals: &[i32]) -> libc::sigset_t {
    let mut set = empty_set();
    for &signal in signals {
        // SAFETY: `set` is a live, initialised signal set; a number that is no signal is an error, not undefined.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    set
}

/// A signal that [`Signals`] took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its number.
    pub signal: i32,
    /// The kernel sent it (a terminal, a timer), not a process.
    pub from_kernel: bool,
    /// What came with it, if sigqueue(3) sent it.
    pub value: Option<u64>,
}

/// Signals of the calling thread that are read from a descriptor instead of being delivered, until this is dropped. Those
/// that have arrived by then are gone, read or not: what they asked for has been done.
pub struct Signals {
    fd: OwnedFd,
    _blocked: BlockedSignals,
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Signals {
    /// Takes over these signals.
    pub fn take(signals: &[i32]) -> io::Result<Self> {
        let blocked = BlockedSignals::only(signals)?;
        Self::read_from(&signal_set(signals), blocked)
    }

    fn read_from(set: &libc::sigset_t, blocked: BlockedSignals) -> io::Result<Self> {
        // SAFETY: `set` is live for the call; -1 asks for a new descriptor.
        let fd = unsafe { libc::signalfd(-1, set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: signalfd just returned this descriptor, and nobody else knows it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd, _blocked: blocked })
    }

    /// Takes over all signals. What the caller of this program had chosen for them is for a program that it starts; here
    /// none is ignored from now on.
    pub fn take_all() -> io::Result<(Self, Inherited)> {
        let mut inherited = Inherited {
            mask: empty_set(),
            ignored: 0,
        };
        let blocked = BlockedSignals::all()?;
        inherited.mask = blocked.before;
        for signal in 1..=LAST_SIGNAL {
            // SIGPIPE is ignored by the Rust runtime.
            if ignore(signal, false) && signal != libc::SIGPIPE {
                inherited.ignored |= 1 << (signal - 1);
            }
        }
        Ok((Self::read_from(&full_set(), blocked)?, inherited))
    }

    /// The next signal that has arrived, if any.
    pub fn next_signal(&self) -> Option<Received> {
        const SIGNO: usize = std::mem::offset_of!(libc::signalfd_siginfo, ssi_signo);
        const CODE: usize = std::mem::offset_of!(libc::signalfd_siginfo, ssi_code);
        const VALUE: usize = std::mem::offset_of!(libc::signalfd_siginfo, ssi_ptr);
        let mut info = [0u8; size_of::<libc::signalfd_siginfo>()];
        match rustix::io::read(&self.fd, &mut info) {
            Ok(length) if length == info.len() => {
                let word = |at: usize| i32::from_ne_bytes([info[at], info[at + 1], info[at + 2], info[at + 3]]);
                Some(Received {
                    signal: word(SIGNO),
                    from_kernel: word(CODE) > 0,
                    value: (word(CODE) == libc::SI_QUEUE)
                        .then(|| (word(VALUE) as u32 as u64) | ((word(VALUE + 4) as u32 as u64) << 32)),
                })
            }
            _ => None,
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // The fields go after this: the mask is still in place.
        while self.next_signal().is_some() {}
    }
}

/// The highest signal number.
const LAST_SIGNAL: i32 = 64;

/// Signals as whoever started this program had set them.
pub struct Inherited {
    mask: libc::sigset_t,
    /// One bit for each that was ignored.
    ignored: u64,
}

/// Sends a signal on, with what came with it.
pub fn pass_on(pidfd: BorrowedFd<'_>, received: Received) -> io::Result<()> {
    // SAFETY: `siginfo_t` is plain data, for which zero is a value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let mut with = ptr::null_mut();
    if let Some(value) = received.value {
        // pid and uid (of the sender, which this process may name freely with SI_QUEUE) stand before the value.
        const VALUE: usize = 24;
        info.si_signo = received.signal;
        info.si_code = libc::SI_QUEUE;
        // SAFETY: `siginfo_t` is 128 bytes long, on x86-64 with the union at 16: pid, uid, value.
        let at = unsafe { ptr::from_mut(&mut info).cast::<u8>().add(VALUE) };
        // SAFETY: eight bytes inside of `info`, aligned as that is.
        unsafe { at.cast::<u64>().write(value) };
        with = &raw mut info;
    }
    // SAFETY: `with` is NULL or a live `siginfo_t`; a bad descriptor or number is an error.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), received.signal, with, 0) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Ends the calling process by a signal, as its default action does, so that the parent sees that death. Returns only
/// when the signal's default action does not end a process.
pub fn die_by(signal: i32) {
    // A core dump of this process would say nothing about the program.
    let no_core = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = setrlimit(Resource::Core, no_core);
    ignore(signal, false);
    let set = signal_set(&[signal]);
    // SAFETY: raise sends a signal to the calling thread; it has no memory effect of its own.
    unsafe { libc::raise(signal) };
    let _ = change_mask(libc::SIG_UNBLOCK, &set);
}

#[cfg(test)]
#[allow(clippy::zombie_processes, reason = "the tests wait through the pidfd")]
mod tests {
    use super::*;
    use rustix::process::{waitid, WaitId, WaitIdOptions};
    use std::process::Command;

    #[test]
    fn an_argument_begins_with_its_size() {
        assert_eq!(sized::<ioctl::Checkpoint>().size, 72);
        assert_eq!(sized::<ioctl::Thaw>().size, 8);
    }

    #[test]
    fn signals_are_read_instead_of_delivered() {
        let signals = Signals::take(&[libc::SIGUSR1]).unwrap();
        assert_eq!(signals.next_signal(), None);
        // SAFETY: raise sends a signal to the calling thread, which blocks it.
        unsafe { libc::raise(libc::SIGUSR1) };
        assert_eq!(
            signals.next_signal(),
            Some(Received {
                signal: libc::SIGUSR1,
                from_kernel: false,
                value: None,
            })
        );
    }

    #[test]
    fn signals_that_nobody_read_are_not_delivered_later() {
        let signals = Signals::take(&[libc::SIGUSR1, libc::SIGUSR2]).unwrap();
        for signal in [libc::SIGUSR1, libc::SIGUSR2] {
            // SAFETY: raise sends a signal to the calling thread, which blocks it.
            unsafe { libc::raise(signal) };
        }
        // Their default action would end this process.
        drop(signals);
        let signals = Signals::take(&[libc::SIGUSR1, libc::SIGUSR2]).unwrap();
        assert_eq!(signals.next_signal(), None);
    }

    #[test]
    fn a_pidfd_is_one_of_a_process() {
        let child = Command::new("/bin/true").spawn().unwrap();
        let pidfd = pidfd_open(child.id()).unwrap();
        assert!(waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED)
            .unwrap()
            .is_some());
        assert!(matches!(pidfd_open(0x3fff_fff0), Err(Error::Attach(_))));
        let own = std::process::id();
        let thread = std::thread::spawn(|| pidfd_open(rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()));
        assert!(matches!(thread.join(), Ok(Err(Error::NotAProcess { pid, .. })) if pid == own));
    }
}
