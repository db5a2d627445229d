// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Waiting for a restarted program, as a shell waits for the program in the foreground.

use crate::device::{set_foreground, Built, Init, Signals};
use crate::error::{Error, Result};
use rustix::event::{poll, PollFd, PollFlags};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::process::{
    getpgrp, kill_current_process_group, kill_process, kill_process_group, pidfd_send_signal, waitid, Pid, Signal,
    WaitId, WaitIdOptions,
};
use rustix::stdio::stdin;
use rustix::termios::{isatty, tcgetpgrp};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It exited with this status.
    Exited(i32),
    /// This signal ended it.
    Signaled(i32),
}

impl Ended {
    /// The status that a shell shows: 128 and the signal for a death by signal.
    pub fn shell_status(self) -> i32 {
        match self {
            Self::Exited(status) => status,
            Self::Signaled(signal) => 128 + signal,
        }
    }
}

/// The terminal of standard input, lent to another process group until this is dropped.
#[derive(Debug)]
pub(crate) struct Terminal {
    owner: Pid,
    borrower: Pid,
}

impl Terminal {
    /// Lends it, if the caller has it.
    pub fn give_to(borrower: Pid) -> Option<Self> {
        let owner = getpgrp();
        if !isatty(stdin()) || tcgetpgrp(stdin()) != Ok(owner) {
            return None;
        }
        set_foreground(stdin(), borrower).ok()?;
        Some(Self { owner, borrower })
    }

    fn take_back(&self) {
        let _ = set_foreground(stdin(), self.owner);
    }

    fn give_again(&self) {
        let _ = set_foreground(stdin(), self.borrower);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if tcgetpgrp(stdin()) == Ok(self.borrower) {
            self.take_back();
        }
    }
}

/// How one learns what becomes of a program.
#[derive(Clone, Copy)]
pub(crate) enum Watched<'a> {
    /// It is a child with this pidfd.
    Child(BorrowedFd<'a>),
    /// It is a child of this one, which says so.
    Through(&'a Init),
}

impl<'a> Watched<'a> {
    pub fn of(process: &'a Built) -> Self {
        match &process.init {
            Some(init) => Self::Through(init),
            None => Self::Child(process.pidfd.as_fd()),
        }
    }

    /// Readable when there may be news.
    pub fn news(&self) -> BorrowedFd<'a> {
        match self {
            Self::Child(pidfd) => *pidfd,
            Self::Through(init) => init.status.as_fd(),
        }
    }

    /// What has happened since the last time, without waiting for it.
    pub fn change(&self) -> Result<Change> {
        let flags = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
        match self {
            Self::Child(pidfd) => wait_once(*pidfd, flags),
            Self::Through(init) => {
                let mut word = [0; 4];
                match rustix::io::read(&init.status, &mut word) {
                    Ok(4) => {
                        let change = Change::of(ExitStatus::from_raw(i32::from_ne_bytes(word)));
                        if let Change::Ended(_) = change {
                            // It follows, when all others of its namespace have ended.
                            while let Change::None = wait_once(init.pidfd.as_fd(), WaitIdOptions::EXITED)? {}
                        }
                        Ok(change)
                    }
                    Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(Change::None),
                    // It has gone without a word: somebody killed it, and the namespace with it.
                    _ => wait_once(init.pidfd.as_fd(), WaitIdOptions::EXITED),
                }
            }
        }
    }
}

/// What has become of a program.
pub(crate) enum Change {
    Ended(Ended),
    Stopped(i32),
    None,
}

impl Change {
    fn of(status: ExitStatus) -> Self {
        if let Some(code) = status.code() {
            Self::Ended(Ended::Exited(code))
        } else if let Some(signal) = status.signal() {
            Self::Ended(Ended::Signaled(signal))
        } else if let Some(signal) = status.stopped_signal() {
            Self::Stopped(signal)
        } else {
            Self::None
        }
    }
}

/// Waits until the program ends.
pub(crate) fn wait(program: Watched<'_>) -> Result<Ended> {
    loop {
        match program {
            Watched::Child(pidfd) => {
                if let Change::Ended(ended) = wait_once(pidfd, WaitIdOptions::EXITED)? {
                    return Ok(ended);
                }
            }
            Watched::Through(_) => {
                wait_for_news(&mut [PollFd::from_borrowed_fd(program.news(), PollFlags::IN)])?;
                if let Change::Ended(ended) = program.change()? {
                    return Ok(ended);
                }
            }
        }
    }
}

fn wait_for_news(fds: &mut [PollFd<'_>]) -> Result<()> {
    match poll(fds, None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(errno) => Err(Error::io("cannot wait for the program", errno)),
    }
}

fn wait_once(pidfd: BorrowedFd<'_>, options: WaitIdOptions) -> Result<Change> {
    let status = match waitid(WaitId::PidFd(pidfd), options) {
        Ok(status) => status,
        Err(rustix::io::Errno::INTR) => return Ok(Change::None),
        Err(errno) => return Err(Error::io("cannot wait for the program", errno)),
    };
    let Some(status) = status else { return Ok(Change::None) };
    Ok(if let Some(code) = status.exit_status() {
        Change::Ended(Ended::Exited(code))
    } else if let Some(signal) = status.terminating_signal() {
        Change::Ended(Ended::Signaled(signal))
    } else if let Some(signal) = status.stopping_signal() {
        Change::Stopped(signal)
    } else {
        Change::None
    })
}

/// Signals that go on to the program.
const FORWARDED: [i32; 9] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGWINCH,
    libc::SIGCONT,
];

/// Waits until the program ends; forwards signals, follows job control.
///
/// A signal that the kernel sent (a key, a hang-up, a new window size) went to the whole process group: it is
/// forwarded only to a program in another group.
pub(crate) fn wait_in_foreground(
    pid: Pid,
    pidfd: BorrowedFd<'_>,
    program: Watched<'_>,
    terminal: Option<&Terminal>,
) -> Result<Ended> {
    let mut taken = FORWARDED.to_vec();
    taken.push(libc::SIGCHLD);
    let signals = Signals::take(&taken).map_err(|error| Error::io("cannot take over signals", error))?;
    let own_group = rustix::process::getpgid(Some(pid)) == Ok(pid);
    loop {
        match program.change()? {
            Change::Ended(ended) => return Ok(ended),
            Change::Stopped(signal) => follow_stop(pid, signal, own_group, terminal),
            Change::None => wait_for_news(&mut [
                PollFd::new(&signals, PollFlags::IN),
                PollFd::from_borrowed_fd(program.news(), PollFlags::IN),
            ])?,
        }
        while let Some(received) = signals.next_signal() {
            let forwarded = received.signal != libc::SIGCHLD && (own_group || !received.from_kernel);
            if let (true, Some(signal)) = (forwarded, Signal::from_named_raw(received.signal)) {
                let _ = pidfd_send_signal(pidfd, signal);
            }
        }
    }
}

/// The program has stopped. From a terminal, this process gives the shell its turn, and goes on when the shell says so.
pub(crate) fn follow_stop(pid: Pid, signal: i32, own_group: bool, terminal: Option<&Terminal>) {
    let from_terminal = matches!(signal, libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU);
    let Some(terminal) = terminal.filter(|_| from_terminal) else {
        return;
    };
    terminal.take_back();
    // As the key would have done, had this process been in the group: the whole job of the shell stops.
    let _ = kill_current_process_group(Signal::STOP);
    terminal.give_again();
    let _ = if own_group {
        kill_process_group(pid, Signal::CONT)
    } else {
        kill_process(pid, Signal::CONT)
    };
}

#[cfg(test)]
#[allow(clippy::zombie_processes, reason = "the tests wait through the pidfd")]
mod tests {
    use super::*;
    use crate::device::pidfd_open;
    use std::process::{Child, Command};

    fn shell(script: &str) -> Child {
        Command::new("/bin/sh").args(["-c", script]).spawn().unwrap()
    }

    fn wait_for(child: &Child) -> Ended {
        let pidfd = pidfd_open(child.id()).unwrap();
        wait(Watched::Child(pidfd.as_fd())).unwrap()
    }

    #[test]
    fn tells_how_a_program_ended() {
        assert_eq!(wait_for(&shell("exit 7")), Ended::Exited(7));
        let ended = wait_for(&shell("kill -TERM $$"));
        assert_eq!(ended, Ended::Signaled(libc::SIGTERM));
        assert_eq!(ended.shell_status(), 143);
    }

    #[test]
    fn waits_in_the_foreground_without_a_terminal() {
        let child = shell("exit 3");
        let pid = Pid::from_child(&child);
        let pidfd = pidfd_open(child.id()).unwrap();
        let ended = wait_in_foreground(pid, pidfd.as_fd(), Watched::Child(pidfd.as_fd()), None);
        assert_eq!(ended.unwrap(), Ended::Exited(3));
    }
}
