// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Makes the user namespaces below that of the root process, before that has children or threads, and hands them to the restart.
//!
//! For each, a helper goes to the parent, where it may write the maps as far as user_namespaces(7) lets it; a child of the helper becomes
//! the owner, makes the namespace, and stays until the helper has opened it. All of this is done by ordinary system calls of whoever
//! restarts: it takes the rights that making them took. New processes make system calls only.

use super::build::{leave, spawn, wait_for_end, wait_for_go, Built, FORK};
use super::user_ns::{unshare_user_namespace, NestedUserNs};
use super::{control, raw_ioctl, sized};
use ckpt_uapi::ioctl::{self, restart_user_ns_flags::OWNS_CHILDREN};
use ckpt_uapi::record::ns::NESTED_MAX;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use rustix::fs::{open, readlinkat_raw, Mode, OFlags, CWD};
use rustix::io::Errno;
use rustix::pipe::{pipe_with, PipeFlags};
use rustix::process::{pidfd_send_signal, set_parent_process_death_signal, Signal, WaitIdOptions};
use rustix::thread::{move_into_link_name_space, set_thread_res_gid, set_thread_res_uid, Gid, LinkNameSpaceType, Uid};
use std::ffi::CStr;
use std::ptr;

/// What an owner says of itself: what it is called in /proc, ended by zeroes; or zeroes, and in the last bytes why it is none.
#[derive(Clone, Copy)]
struct Said([u8; Said::LENGTH]);

impl Said {
    /// As long as a pid with a zero, and an errno.
    const LENGTH: usize = 16;
    const ERRNO: usize = Self::LENGTH - size_of::<i32>();

    fn of(name: Result<[u8; Self::ERRNO], Errno>) -> Self {
        let mut bytes = [0; Self::LENGTH];
        let (start, end) = bytes.split_at_mut(Self::ERRNO);
        match name {
            Ok(name) => start.copy_from_slice(&name),
            Err(errno) => end.copy_from_slice(&errno.raw_os_error().to_ne_bytes()),
        }
        Self(bytes)
    }

    fn name(&self) -> Result<&[u8], Errno> {
        let (start, end) = self.0.split_at(Self::ERRNO);
        match start.split(|byte| *byte == 0).next() {
            Some(name @ [_, ..]) => Ok(name),
            _ => Err(end
                .try_into()
                .map_or(Errno::SRCH, |end| Errno::from_raw_os_error(i32::from_ne_bytes(end)))),
        }
    }
}

/// How long an owner may take.
const PATIENCE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// How the helpers begin: they say nothing when they end.
const HELPER: libc::clone_args = libc::clone_args { exit_signal: 0, ..FORK };

/// One that is to be made.
#[derive(Clone, Copy)]
struct Order<'a> {
    session: BorrowedFd<'a>,
    number: u32,
    wanted: &'a NestedUserNs,
    /// Nothing when that is the caller's.
    parent: Option<BorrowedFd<'a>>,
}

/// Makes all of them. The number of the one that fails, and why.
pub(super) fn make_all(session: BorrowedFd<'_>, wanted: &[NestedUserNs]) -> Result<(), (usize, Errno)> {
    let mut made = [const { None::<OwnedFd> }; NESTED_MAX as usize];
    for (index, wanted) in wanted.iter().enumerate() {
        let number = index + 1;
        let parent = match wanted.parent {
            0 => None,
            above => made.get(above as usize - 1).and_then(Option::as_ref),
        };
        let order = Order {
            session,
            number: number as u32,
            wanted,
            parent: parent.map(AsFd::as_fd),
        };
        let namespace = make(order).map_err(|errno| (number, errno))?;
        *made.get_mut(index).ok_or((number, Errno::TOOBIG))? = Some(namespace);
    }
    Ok(())
}

/// Has the next child processes live in a new pid namespace, which belongs to a user namespace that the restart has.
pub(super) fn own_children(session: BorrowedFd<'_>, number: u32) -> Result<(), Errno> {
    tell(session, number, OWNS_CHILDREN, -1)
}

fn tell(session: BorrowedFd<'_>, number: u32, flags: u32, fd: RawFd) -> Result<(), Errno> {
    let mut arg = ioctl::RestartUserNs {
        flags,
        number,
        fd,
        ..sized()
    };
    control(session, &mut arg).map(drop)
}

/// Makes one, by a helper with this process's descriptors.
fn make(order: Order<'_>) -> Result<OwnedFd, Errno> {
    let (answer, answer_end) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut args = HELPER;
    args.flags = libc::CLONE_FILES as u64;
    let helper = spawn_helper(args, || {
        let word = helper_main(order).map_or_else(|errno| -errno.raw_os_error(), IntoRawFd::into_raw_fd);
        let _ = rustix::io::write(&answer_end, &word.to_ne_bytes());
        leave();
    })?;
    wait(helper);
    drop(answer_end);
    let mut word = [0; 4];
    if rustix::io::read(&answer, &mut word)? != word.len() {
        return Err(Errno::SRCH);
    }
    let word = i32::from_ne_bytes(word);
    if word < 0 {
        return Err(Errno::from_raw_os_error(-word));
    }
    // SAFETY: the helper, which had this process's descriptors, has opened it and gone; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(word) })
}

fn spawn_helper(args: libc::clone_args, main: impl FnOnce()) -> Result<Built, Errno> {
    spawn(args, main).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::CHILD))
}

fn wait(mut helper: Built) {
    let all = WaitIdOptions::EXITED | WaitIdOptions::from_bits_retain(libc::__WALL as u32);
    wait_for_end(&helper.pidfd, all);
    helper.let_go();
}

/// Makes the namespace, and gives it to the restart.
fn helper_main(order: Order<'_>) -> Result<OwnedFd, Errno> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if let Some(parent) = order.parent {
        move_into_link_name_space(parent, Some(LinkNameSpaceType::User))?;
        // Other credentials take it away.
        set_parent_process_death_signal(Some(Signal::KILL))?;
    }
    let (go, go_end) = pipe_with(PipeFlags::CLOEXEC)?;
    let (said, said_end) = pipe_with(PipeFlags::CLOEXEC)?;
    let owner = spawn_helper(HELPER, || {
        owner_main(order.wanted, go.as_fd(), go_end.as_fd(), said_end.as_fd())
    })?;
    drop(said_end);
    let made = look_after(order, &owner, said.as_fd());
    drop(go_end);
    // Another user, whom it has become, may have stopped it.
    let _ = pidfd_send_signal(owner.pidfd.as_fd(), Signal::KILL);
    wait(owner);
    made
}

/// Writes the maps, and opens the namespace, while its owner waits.
fn look_after(order: Order<'_>, owner: &Built, pipe: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    /// _IO(PIDFS_IOCTL_MAGIC, 9)
    const PIDFD_GET_USER_NAMESPACE: u32 = 0xff09;
    // Another user, whom it has become, may stop it.
    if poll(&mut [PollFd::from_borrowed_fd(pipe, PollFlags::IN)], Some(&PATIENCE))? == 0 {
        return Err(Errno::TIMEDOUT);
    }
    let mut said = Said([0; Said::LENGTH]);
    if rustix::io::read(pipe, &mut said.0)? != Said::LENGTH {
        return Err(Errno::SRCH);
    }
    let name = said.name()?;
    // Whoever may not set groups may map one only after they have been given up.
    if order.wanted.denies_groups {
        write(name, b"/setgroups", b"deny")?;
    }
    write(name, b"/uid_map", &order.wanted.uid_map)?;
    write(name, b"/gid_map", &order.wanted.gid_map)?;
    // SAFETY: the ioctl takes no argument, and gives a new descriptor or an error.
    let fd = unsafe { raw_ioctl(owner.pidfd.as_raw_fd(), PIDFD_GET_USER_NAMESPACE, ptr::null_mut()) }?;
    // SAFETY: just made; nobody else knows it.
    let namespace = unsafe { OwnedFd::from_raw_fd(fd as RawFd) };
    tell(order.session, order.number, 0, namespace.as_raw_fd())?;
    Ok(namespace)
}

/// Writes a file of a process in /proc, in one go.
fn write(process: &[u8], file: &[u8], text: &[u8]) -> Result<(), Errno> {
    let mut path = [0u8; 64];
    let mut at = 0;
    for part in [b"/proc/".as_slice(), process, file] {
        path.get_mut(at..at + part.len())
            .ok_or(Errno::NAMETOOLONG)?
            .copy_from_slice(part);
        at += part.len();
    }
    let path = CStr::from_bytes_until_nul(&path).map_err(|_| Errno::NAMETOOLONG)?;
    let file = open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    match rustix::io::write(&file, text)? {
        written if written == text.len() => Ok(()),
        _ => Err(Errno::IO),
    }
}

/// Becomes the owner, makes the namespace, and says what this process is called in /proc.
fn owner_main(wanted: &NestedUserNs, go: BorrowedFd<'_>, go_end: BorrowedFd<'_>, pipe: BorrowedFd<'_>) -> ! {
    let _ = rustix::io::write(pipe, &Said::of(own(wanted)).0);
    wait_for_go(go, go_end);
    leave()
}

fn own(wanted: &NestedUserNs) -> Result<[u8; Said::ERRNO], Errno> {
    let (user, group) = (Uid::from_raw(wanted.owner), Gid::from_raw(wanted.group));
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    // Another user may not trace what is still a copy of the restarter: it stays as little dumpable as this has made it.
    unshare_user_namespace()?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut name = [0; Said::ERRNO];
    // The last byte stays zero.
    readlinkat_raw(CWD, c"/proc/self", &mut name[..Said::ERRNO - 1])?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_says_its_name_or_why_it_has_none() {
        assert_eq!(Said::of(Ok(*b"4194304\0\0\0\0\0")).name(), Ok(&b"4194304"[..]));
        assert_eq!(Said::of(Err(Errno::PERM)).name(), Err(Errno::PERM));
    }
}
