// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The small init that is the parent of a tree or a job: it adopts orphans, passes signals on, and ends as the root process does. It makes
//! system calls only.

use super::build::{close, close_all_but, exit, leave, wait_unless, PAUSE};
use super::{full_set, ignore, wait_for_signal, EXIT_NOT_RESTORED};
use rustix::event::poll;
use rustix::fd::BorrowedFd;
use rustix::net::{self, SendFlags};
use rustix::process::{
    chdir, getpgid, kill_process, set_child_subreaper, set_parent_process_death_signal, setpgid, setsid, wait, waitid,
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions,
};
use rustix::thread::set_name;
use zerocopy::IntoBytes;

/// What a small init does besides its work.
#[derive(Clone, Copy)]
pub(super) struct InitKind {
    /// Leads a session of its own.
    pub session: bool,
    /// Dies with the thread that made it.
    pub tied: bool,
}

/// Makes the caller the parent of orphans, which it is as the first process of a pid namespace in any case.
pub(super) fn adopt_orphans() {
    // Any pid but none. It cannot fail.
    let _ = set_child_subreaper(Some(Pid::INIT));
}

/// What a small init does: it takes leave of who is gone, passes signals on to the root process, and
/// ends as that does. A first process cannot end by a signal of its own: it then exits with 128 and the signal, as
/// a shell says it. All signals are blocked. `others` are more children, which are being restored.
pub(super) fn init_main(
    kind: InitKind,
    root: Pid,
    go: BorrowedFd<'_>,
    status: BorrowedFd<'_>,
    others: impl Iterator<Item = libc::pid_t> + Clone,
) -> ! {
    // None of these steps can be missed so much that it would be better to have no init.
    let _ = set_name(c"ckpt-init");
    // What is ignored could not be waited for.
    ignore(libc::SIGCHLD, false);
    if kind.session {
        let _ = setsid();
    } else {
        // What is sent to the group of the root process reaches that one by itself.
        let _ = setpgid(None, None);
    }
    if kind.tied {
        // If the parent has died already, nobody writes the byte that is waited for below.
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
    }
    let _ = chdir(c"/");
    // Nothing stays open because of this process: not the session, not the pipe behind somebody's standard output.
    close_all_but(go, status);
    let waits_for_one = others.clone().next().is_none();
    let goes_on = if waits_for_one {
        rustix::io::read(go, &mut [0]) == Ok(1)
    } else {
        let lost = || others.clone().chain([Pid::as_raw(Some(root))]).any(is_lost);
        wait_unless(go, lost) == Some(Ok(()))
    };
    if !goes_on {
        // The restart has failed, or its caller has died.
        end_all(others.chain([Pid::as_raw(Some(root))]));
    }
    close(go);
    let all = full_set();
    loop {
        reap(root, status);
        let (signal, code) = wait_for_signal(&all);
        let own_group = getpgid(Some(root)) == Ok(root);
        // A key or a hang-up goes to a whole process group: the root process has had it, unless it is in another one.
        if signal > 0 && signal != libc::SIGCHLD && (own_group || code <= 0) {
            // SAFETY: kill takes numbers. The pid is the root's: it is not free before this process has waited for it.
            unsafe { libc::kill(Pid::as_raw(Some(root)), signal) };
        }
    }
}

/// Kills the children of an init, takes leave of them and of all that it inherits from them by that, and ends.
fn end_all(children: impl Iterator<Item = libc::pid_t>) -> ! {
    /// The end of each process below takes some; that they end is not for this process to wait for forever.
    const PAUSES: u32 = 1000;
    for child in children.filter_map(Pid::from_raw) {
        // The pid is not free before this process has waited for it.
        let _ = kill_process(child, Signal::KILL);
    }
    let any = WaitOptions::NOHANG | WaitOptions::from_bits_retain(libc::__WALL as u32);
    for _ in 0..PAUSES {
        loop {
            match wait(any) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => leave(),
            }
        }
        let _ = poll(&mut [], Some(&PAUSE));
    }
    leave()
}

/// Whether a child has ended that has not been restored. It can still be waited for.
fn is_lost(child: libc::pid_t) -> bool {
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let status = Pid::from_raw(child).and_then(|pid| waitid(WaitId::Pid(pid), ended).ok().flatten());
    status.is_some_and(|status| status.exit_status() == Some(EXIT_NOT_RESTORED))
}

/// Waits for who has ended or stopped. The end of the root process is the end.
fn reap(root: Pid, status: BorrowedFd<'_>) {
    // Also those that end with another signal than SIGCHLD.
    let all = WaitOptions::from_bits_retain(libc::__WALL as u32);
    let any = WaitOptions::NOHANG | WaitOptions::UNTRACED | WaitOptions::CONTINUED | all;
    loop {
        let Ok(Some((pid, state))) = wait(any) else { return };
        if pid != root {
            continue;
        }
        // If nobody reads it, nobody wants to know.
        let word = state.as_raw();
        let _ = net::send(status, word.as_bytes(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
        let killed = state.terminating_signal().map(|signal| 128 + signal);
        let Some(code) = state.exit_status().or(killed) else {
            continue;
        };
        exit(code);
    }
}
