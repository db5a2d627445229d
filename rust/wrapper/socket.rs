// SPDX-License-Identifier: GPL-2.0

//! Unix sockets.
//!
//! C header: [`include/net/af_unix.h`](srctree/include/net/af_unix.h)

use super::{
    bindings,
    cred::Cred,
    file::File,
    path::{Fs, PathBuf},
    pid::PidNs,
    task::Task,
    to_result, //
};
use core::ptr::NonNull;
use kernel::prelude::*;

/// A Unix socket.
///
/// # Invariants
///
/// `0` is a socket of that family, one reference to which is owned.
pub(crate) struct Unix(NonNull<bindings::sock>);

// SAFETY: a counted reference to a shared kernel object.
unsafe impl Send for Unix {}

impl Clone for Unix {
    fn clone(&self) -> Self {
        // SAFETY: alive, by the type's invariant.
        unsafe { bindings::ckpt_sock_hold(self.0.as_ptr()) };
        // INVARIANT: the reference has just been taken.
        Self(self.0)
    }
}

impl Drop for Unix {
    fn drop(&mut self) {
        // SAFETY: owned, by the type's invariant.
        unsafe { bindings::ckpt_sock_put(self.0.as_ptr()) }
    }
}

/// What a socket is like now.
pub(crate) struct State {
    /// What the helper found; the file is not to be used.
    raw: bindings::ckpt_unix,
    /// The open file of the other end.
    pub(crate) peer_file: Option<File>,
    /// That of the socket at which the other end waits to be accepted.
    pub(crate) waits_at: Option<File>,
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: the helper took the reference, or left it empty.
        unsafe { bindings::ckpt_unix_put_path(&mut self.raw.path) }
    }
}

impl State {
    /// `sun_path` of its address.
    pub(crate) fn name(&self) -> &[u8] {
        self.raw.name.get(..self.raw.name_len as usize).unwrap_or(&[])
    }

    /// Whether it is bound to a path.
    pub(crate) fn has_path(&self) -> bool {
        !self.raw.path.dentry.is_null()
    }

    /// What it is bound to, opened with O_PATH: not what is at that path by now. `ENOENT` when it has no path.
    pub(crate) fn open(&self) -> Result<File> {
        if !self.has_path() {
            return Err(ENOENT);
        }
        // SAFETY: a reference to the path is ours, the caller's credentials are alive; the function returns a reference or an error
        // pointer.
        unsafe {
            let flags = bindings::O_PATH as i32;
            File::from_raw(bindings::dentry_open(
                &self.raw.path,
                flags,
                bindings::ckpt_current_cred(),
            ))
        }
    }

    /// The path that it is bound to as seen from the root of `fs`; false when it cannot be reached from there.
    pub(crate) fn print_path(&self, fs: &Fs, out: &mut PathBuf) -> Result<bool> {
        out.print(&self.raw.path, fs.root())
    }
}

impl core::ops::Deref for State {
    type Target = bindings::ckpt_unix;

    fn deref(&self) -> &bindings::ckpt_unix {
        &self.raw
    }
}

/// A message that waits.
pub(crate) struct Message {
    /// What the helper found; the file is not to be used.
    raw: bindings::ckpt_message,
    /// The open file of the socket that it was sent from.
    pub(crate) sender_file: Option<File>,
}

impl Message {
    /// `sun_path` of its sender's address.
    pub(crate) fn name(&self) -> &[u8] {
        self.raw.name.get(..self.raw.name_len as usize).unwrap_or(&[])
    }
}

impl core::ops::Deref for Message {
    type Target = bindings::ckpt_message;

    fn deref(&self) -> &bindings::ckpt_message {
        &self.raw
    }
}

/// Most descriptors in a message: `SCM_MAX_FD`.
pub(crate) const FILES_MAX: usize = 253;

/// A message that is to be sent again.
pub(crate) struct Sending<'a> {
    pub(crate) bytes: &'a [u8],
    /// Who has sent it, if it says so; process 0 is one that is gone.
    pub(crate) sender: Option<Sender>,
    /// Descriptors of the caller.
    pub(crate) fds: &'a [i32],
    /// Whether its last byte is out-of-band data.
    pub(crate) oob: bool,
}

/// Who has sent a message: process, user, group.
pub(crate) type Sender = [u32; 3];

impl Unix {
    /// The socket behind `file`, if it is one of this family.
    pub(crate) fn of(file: &File) -> Option<Self> {
        // SAFETY: alive; the helper returns NULL for what is no socket, and the file keeps the socket until we do.
        unsafe {
            let sock = NonNull::new(bindings::ckpt_file_sock(file.as_ptr()))?;
            if bindings::ckpt_sock_family(sock.as_ptr()) != bindings::AF_UNIX {
                return None;
            }
            bindings::ckpt_sock_hold(sock.as_ptr());
            // INVARIANT: the reference has just been taken, and the family is right.
            Some(Self(sock))
        }
    }

    /// The other end, if there is one; it may have been closed.
    pub(crate) fn peer(&self) -> Option<Self> {
        // SAFETY: alive; the helper locks, and returns a reference or NULL.
        let peer = unsafe { bindings::ckpt_unix_peer(self.0.as_ptr()) };
        // INVARIANT: the reference is ours, and peers are of one family.
        NonNull::new(peer).map(Self)
    }

    /// Open files on their way in its messages, or in those of the sockets that wait at it.
    pub(crate) fn flying(&self) -> u32 {
        // SAFETY: alive; the helper locks.
        unsafe { bindings::ckpt_unix_flying(self.0.as_ptr()) }
    }

    /// The socket at a place of the queue of a listening one.
    pub(crate) fn waiting(&self, nth: u32) -> Option<Self> {
        // SAFETY: alive; the helper locks, and returns a reference or NULL.
        let sock = unsafe { bindings::ckpt_unix_waiting(self.0.as_ptr(), nth) };
        // INVARIANT: the reference is ours, and what waits is of the same family.
        NonNull::new(sock).map(Self)
    }

    /// Whether it waits at that one to be accepted.
    pub(crate) fn waits_at(&self, listener: &Unix) -> bool {
        // SAFETY: both are alive; the helper locks.
        unsafe { bindings::ckpt_unix_waits_at(self.0.as_ptr(), listener.0.as_ptr()) }
    }

    /// Where it is in memory: as `peer` of another one, and `sender` of a message, have it.
    pub(crate) fn address(&self) -> usize {
        self.0.as_ptr() as usize
    }

    /// The open files in the message at a place of the queue. `ENOENT` behind the last.
    pub(crate) fn files(&self, nth: u32) -> Result<KVVec<File>> {
        let mut raw = KVec::from_elem(core::ptr::null_mut(), FILES_MAX, GFP_KERNEL_ACCOUNT)?;
        let mut files = KVVec::with_capacity(FILES_MAX, GFP_KERNEL_ACCOUNT)?;
        // SAFETY: alive, there is room for that many; the helper locks.
        let count = unsafe { bindings::ckpt_unix_files(self.0.as_ptr(), nth, raw.as_mut_ptr(), FILES_MAX as i32) };
        for at in raw.iter().take(to_result(count as isize)?) {
            // SAFETY: the helper took a reference, which is ours.
            let file = unsafe { File::from_raw(*at) }?;
            files.push(file, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(files)
    }

    /// What it is like. Processes are named as `pids` does, users and groups as `viewer` does.
    pub(crate) fn state(&self, pids: &PidNs, viewer: &Cred) -> State {
        let mut raw = bindings::ckpt_unix::default();
        // SAFETY: all are alive; the helper locks, and takes references on the files that it returns.
        let (peer_file, waits_at) = unsafe {
            bindings::ckpt_unix_state(self.0.as_ptr(), pids.as_ptr(), viewer.as_ptr(), &mut raw);
            (File::from_raw(raw.peer_file).ok(), File::from_raw(raw.waits_at).ok())
        };
        State {
            raw,
            peer_file,
            waits_at,
        }
    }

    /// The message at a place of the queue, and as many of its bytes as fit into `out`. `ENOENT` behind the last. The sender is
    /// named as `viewer` does.
    pub(crate) fn message(&self, nth: u32, viewer: &Task, out: &mut [u8]) -> Result<Message> {
        let mut raw = bindings::ckpt_message::default();
        // SAFETY: both are alive, the buffer is as long as we say; the helper locks.
        kernel::error::to_result(unsafe {
            let (at, size) = (out.as_mut_ptr().cast(), out.len());
            bindings::ckpt_unix_message(self.0.as_ptr(), nth, viewer.as_ptr(), at, size, &mut raw)
        })?;
        // SAFETY: the helper took the reference, or left it empty.
        let sender_file = unsafe { File::from_raw(raw.sender_file) }.ok();
        Ok(Message { raw, sender_file })
    }

    /// Address of the address that it listens at; 0 when it does not.
    pub(crate) fn listens_at(&self) -> usize {
        // SAFETY: alive.
        unsafe { bindings::ckpt_unix_listens_at(self.0.as_ptr()) as usize }
    }

    /// Gives it another text for the path that it is bound to, or the text of an address that nobody finds it by.
    pub(crate) fn set_name(&self, name: &[u8]) -> Result {
        // SAFETY: alive, the name is as long as we say; the helper locks.
        let ret = unsafe { bindings::ckpt_unix_set_name(self.0.as_ptr(), name.as_ptr().cast(), name.len()) };
        kernel::error::to_result(ret)
    }

    /// Gives it the address of a listening one, who has accepted it.
    pub(crate) fn share_address(&self, listener: &Unix) -> Result {
        // SAFETY: both are alive; the helper locks.
        kernel::error::to_result(unsafe { bindings::ckpt_unix_share_address(self.0.as_ptr(), listener.0.as_ptr()) })
    }

    /// Connects a datagram socket to another one.
    pub(crate) fn connect(&self, other: &Unix) -> Result {
        // SAFETY: both are alive; the helper locks.
        kernel::error::to_result(unsafe { bindings::ckpt_unix_connect(self.0.as_ptr(), other.0.as_ptr()) })
    }

    /// Sets the options of one that waits to be accepted.
    pub(crate) fn set_options(&self, options: u32) {
        // SAFETY: alive; the helper locks.
        unsafe { bindings::ckpt_unix_set_options(self.0.as_ptr(), options) }
    }

    /// Has it report an error once.
    pub(crate) fn set_error(&self, error: u32) {
        // SAFETY: alive; one word.
        unsafe { bindings::ckpt_unix_set_error(self.0.as_ptr(), error as i32) }
    }

    /// Has the message at a place of its queue say that the process of `task` has sent it, with the user and group that it has now; or
    /// nobody who is known.
    pub(crate) fn set_sender(&self, nth: u32, task: Option<&Task>) {
        let task = task.map_or(core::ptr::null_mut(), Task::as_ptr);
        // SAFETY: both are alive, or NULL; the helper locks.
        unsafe { bindings::ckpt_unix_set_sender(self.0.as_ptr(), nth, task) }
    }

    /// Has it say that its peer is the process of `peer`, with the credentials that the task `like` has now. It can be told nothing
    /// that is not true of tasks.
    pub(crate) fn set_peer(&self, peer: Option<&Task>, like: Option<&Task>) {
        let raw = |task: Option<&Task>| task.map_or(core::ptr::null_mut(), Task::as_ptr);
        // SAFETY: all are alive or NULL; the helper locks.
        unsafe { bindings::ckpt_unix_set_peer(self.0.as_ptr(), raw(peer), raw(like)) }
    }
}

/// Sends a message from one socket to another one, as the caller's sendmsg(2) without waiting. `EINVAL` when that one is neither the
/// peer, nor may become it.
pub(crate) fn send(from: &File, to: &Unix, what: &Sending<'_>) -> Result<usize> {
    let cred = what.sender.map(|[pid, uid, gid]| bindings::ucred { pid, uid, gid });
    let sending = bindings::ckpt_sending {
        bytes: what.bytes.as_ptr().cast(),
        len: what.bytes.len(),
        cred: cred.as_ref().map_or(core::ptr::null(), core::ptr::from_ref),
        unknown: what.sender.is_some_and(|[pid, ..]| pid == 0),
        oob: what.oob,
        fds: what.fds.as_ptr(),
        files: what.fds.len() as u32,
    };
    // SAFETY: both are alive; the kernel only reads the slices and the credentials, which are as long as we say.
    to_result(unsafe { bindings::ckpt_unix_send(from.as_ptr(), to.0.as_ptr(), &sending) })
}
