// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Makes the user namespaces below that of the root process, before that has children or threads, and hands them to the restart.
//!
//! For each, a helper goes to the parent, where it may write the maps as far as user_namespaces(7) lets it; a child of the helper becomes
//! the owner, makes the namespace, and stays until the helper has opened it. All of this is done by ordinary system calls of whoever
//! restarts: it takes the rights that making them took. New processes make system calls only.

use super::build::{leave, spawn, wait_for_go, Built, FORK};
use super::sized;
use super::user_ns::NestedUserNs;
use ckpt_uapi::ioctl::{self, restart_user_ns_flags::OWNS_CHILDREN};
use ckpt_uapi::record::ns::NESTED_MAX;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use rustix::fs::{open, Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::{pipe_with, PipeFlags};
use rustix::process::{pidfd_send_signal, set_parent_process_death_signal, waitid, Signal, WaitId, WaitIdOptions};
use rustix::thread::{
    move_into_link_name_space, set_thread_res_gid, set_thread_res_uid, unshare_unsafe, Gid, LinkNameSpaceType, Uid,
    UnshareFlags,
};
use std::ffi::CStr;

/// As many bytes as a process has for its name in /proc, or for an error.
const NAME: usize = 16;

/// How long an owner may take.
const PATIENCE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// How the helpers begin: they say nothing when they end.
const HELPER: libc::clone_args = libc::clone_args { exit_signal: 0, ..FORK };

/// Makes all of them. The number of the one that fails, and why.
pub(super) fn make_all(session: BorrowedFd<'_>, wanted: &[NestedUserNs]) -> Result<(), (usize, Errno)> {
    let mut made = [const { None::<OwnedFd> }; NESTED_MAX as usize];
    for (index, one) in wanted.iter().enumerate() {
        let number = index + 1;
        let failed = |errno| (number, errno);
        let parent = match one.parent {
            0 => None,
            above => made.get(above as usize - 1).and_then(Option::as_ref),
        };
        let namespace = make(session, number as u32, one, parent).map_err(failed)?;
        *made.get_mut(index).ok_or((number, Errno::TOOBIG))? = Some(namespace);
    }
    Ok(())
}

/// Has the next child processes live in a new pid namespace, which belongs to a user namespace that the restart has.
pub(super) fn own_children(session: BorrowedFd<'_>, number: u32) -> Result<(), Errno> {
    tell(session, number, OWNS_CHILDREN, -1)
}

fn tell(session: BorrowedFd<'_>, number: u32, flags: u32, fd: RawFd) -> Result<(), Errno> {
    let arg = ioctl::RestartUserNs {
        flags,
        number,
        fd,
        ..sized()
    };
    // SAFETY: the argument is a live struct of the size that it names, and the ioctl only reads it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_ioctl,
            session.as_raw_fd(),
            ioctl::CKPT_RESTART_USER_NS,
            &raw const arg,
        )
    };
    checked(result).map(drop)
}

fn checked(result: libc::c_long) -> Result<libc::c_long, Errno> {
    if result >= 0 {
        return Ok(result);
    }
    let errno = std::io::Error::last_os_error().raw_os_error();
    Err(Errno::from_raw_os_error(errno.unwrap_or(libc::EINVAL)))
}

/// Makes one, by a helper with this process's descriptors.
fn make(session: BorrowedFd<'_>, number: u32, one: &NestedUserNs, parent: Option<&OwnedFd>) -> Result<OwnedFd, Errno> {
    let (answer, answer_end) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut args = HELPER;
    args.flags = libc::CLONE_FILES as u64;
    let helper = spawn_helper(args, || {
        let made = helper_main(session, number, one, parent.map(AsFd::as_fd));
        let word = made.map_or_else(|errno| -errno.raw_os_error(), IntoRawFd::into_raw_fd);
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
    while let Err(Errno::INTR) = waitid(WaitId::PidFd(helper.pidfd.as_fd()), all) {}
    helper.let_go();
}

/// Makes the namespace, and gives it to the restart.
fn helper_main(
    session: BorrowedFd<'_>,
    number: u32,
    one: &NestedUserNs,
    parent: Option<BorrowedFd<'_>>,
) -> Result<OwnedFd, Errno> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if let Some(parent) = parent {
        move_into_link_name_space(parent, Some(LinkNameSpaceType::User))?;
        // Other credentials take it away.
        set_parent_process_death_signal(Some(Signal::KILL))?;
    }
    let (go, go_end) = pipe_with(PipeFlags::CLOEXEC)?;
    let (name, name_end) = pipe_with(PipeFlags::CLOEXEC)?;
    let owner = spawn_helper(HELPER, || owner_main(one, go.as_fd(), go_end.as_fd(), name_end.as_fd()))?;
    drop(name_end);
    let made = look_after(session, number, one, &owner, name.as_fd());
    drop(go_end);
    // Another user, whom it has become, may have stopped it.
    let _ = pidfd_send_signal(owner.pidfd.as_fd(), Signal::KILL);
    wait(owner);
    made
}

/// Writes the maps, and opens the namespace, while its owner waits.
fn look_after(
    session: BorrowedFd<'_>,
    number: u32,
    one: &NestedUserNs,
    owner: &Built,
    name: BorrowedFd<'_>,
) -> Result<OwnedFd, Errno> {
    /// _IO(PIDFS_IOCTL_MAGIC, 9)
    const PIDFD_GET_USER_NAMESPACE: libc::c_ulong = 0xff09;
    // Another user, whom it has become, may stop it.
    if poll(&mut [PollFd::from_borrowed_fd(name, PollFlags::IN)], Some(&PATIENCE))? == 0 {
        return Err(Errno::TIMEDOUT);
    }
    let mut bytes = [0; NAME];
    if rustix::io::read(name, &mut bytes)? != bytes.len() {
        return Err(Errno::SRCH);
    }
    if bytes[0] == 0 {
        return Err(Errno::from_raw_os_error(i32::from_ne_bytes([
            bytes[4], bytes[5], bytes[6], bytes[7],
        ])));
    }
    // Whoever may not set groups may map one only after they have been given up.
    if one.denies_groups {
        write(&bytes, b"/setgroups", b"deny")?;
    }
    write(&bytes, b"/uid_map", &one.uid_map)?;
    write(&bytes, b"/gid_map", &one.gid_map)?;
    // SAFETY: the ioctl takes no argument, and gives a new descriptor or an error.
    let fd = unsafe { libc::syscall(libc::SYS_ioctl, owner.pidfd.as_raw_fd(), PIDFD_GET_USER_NAMESPACE, 0) };
    // SAFETY: just made; nobody else knows it.
    let namespace = unsafe { OwnedFd::from_raw_fd(checked(fd)? as RawFd) };
    tell(session, number, 0, namespace.as_raw_fd())?;
    Ok(namespace)
}

/// Writes a file of a process in /proc, in one go.
fn write(process: &[u8; NAME], file: &[u8], text: &[u8]) -> Result<(), Errno> {
    let mut path = [0u8; 64];
    let process = process.split(|byte| *byte == 0).next().unwrap_or_default();
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
fn owner_main(one: &NestedUserNs, go: BorrowedFd<'_>, go_end: BorrowedFd<'_>, name: BorrowedFd<'_>) -> ! {
    let mut bytes = [0u8; NAME];
    if let Err(errno) = own(one, &mut bytes) {
        bytes = [0; NAME];
        bytes[4..8].copy_from_slice(&errno.raw_os_error().to_ne_bytes());
    }
    let _ = rustix::io::write(name, &bytes);
    wait_for_go(go, go_end);
    leave()
}

fn own(one: &NestedUserNs, name: &mut [u8; NAME]) -> Result<(), Errno> {
    let (user, group) = (Uid::from_raw(one.owner), Gid::from_raw(one.group));
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    // Another user may not trace what is still a copy of the restarter: it stays as little dumpable as this has made it.
    // SAFETY: no descriptor table is unshared; it changes the credentials of this thread only, which is alone.
    unsafe { unshare_unsafe(UnshareFlags::NEWUSER) }?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // SAFETY: the path is a live string, the buffer has room for one byte less than it is long.
    let length = unsafe { libc::readlink(c"/proc/self".as_ptr(), name.as_mut_ptr().cast(), NAME - 1) };
    checked(length as libc::c_long).map(drop)
}
