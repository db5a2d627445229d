// SPDX-License-Identifier: GPL-2.0

//! Terminals and pseudoterminals.
//!
//! C headers: [`include/linux/tty.h`](srctree/include/linux/tty.h), `drivers/tty/n_tty.c`

use super::{bindings, cred::Cred, file::File, pid::PidNs, syscall::CurrentTask, task::Task, to_result};
use kernel::prelude::*;

/// What a pair is like, without the bytes.
pub(crate) type PtyState = bindings::ckpt_pty;

/// Owner and permissions of /dev/pts/N.
pub(crate) type PtyNode = bindings::ckpt_pty_node;

/// The controlling terminal of a task.
pub(crate) type TaskTty = bindings::ckpt_task_tty;

/// All bits of [`PtyState`]'s flags.
pub(crate) const FLAGS: u32 = bindings::CKPT_PTY_LOCKED
    | bindings::CKPT_PTY_PACKET
    | bindings::CKPT_PTY_MASTER_EXCLUSIVE
    | bindings::CKPT_PTY_SLAVE_EXCLUSIVE
    | bindings::CKPT_PTY_MASTER_STOPPED
    | bindings::CKPT_PTY_MASTER_OFF
    | bindings::CKPT_PTY_SLAVE_STOPPED
    | bindings::CKPT_PTY_SLAVE_OFF
    | bindings::CKPT_PTY_SLAVE_CLOSED
    | bindings::CKPT_PTY_LITERAL_NEXT
    | bindings::CKPT_PTY_ERASING
    | bindings::CKPT_PTY_PUSHED;

/// The terminal behind an open file.
pub(crate) struct Tty(bindings::ckpt_tty);

impl Tty {
    /// That of `file`, if it is of one.
    pub(crate) fn of(file: &File) -> Option<Self> {
        let mut out = bindings::ckpt_tty::default();
        // SAFETY: alive; the helper returns false for everything else.
        unsafe { bindings::ckpt_tty(file.as_ptr(), &mut out) }.then_some(Self(out))
    }

    /// Address of the kernel object: the same for two open files of one terminal.
    pub(crate) fn address(&self) -> usize {
        self.0.address
    }

    /// The pseudoterminal that it is an end of: address of the master.
    pub(crate) fn pair(&self) -> Option<usize> {
        (self.0.pair != 0).then_some(self.0.pair)
    }

    /// Number of the pair.
    pub(crate) fn index(&self) -> u32 {
        self.0.index
    }

    /// Whether it is the master of a pair.
    pub(crate) fn is_master(&self) -> bool {
        self.0.master
    }

    /// Whether the terminal has been hung up since the file was opened.
    pub(crate) fn is_hung_up(&self) -> bool {
        self.0.hung_up
    }

    /// Whether both ends have the usual line discipline, and no locked settings.
    pub(crate) fn is_plain(&self) -> bool {
        self.0.plain
    }

    /// Open files of the master and of the slave.
    pub(crate) fn open_files(&self) -> (u32, u32) {
        let count = |n: i32| u32::try_from(n).unwrap_or(0);
        (count(self.0.masters), count(self.0.slaves))
    }
}

impl Task {
    /// Its controlling terminal.
    pub(crate) fn tty(&self) -> Option<TaskTty> {
        let mut out = TaskTty::default();
        // SAFETY: alive; the helper locks.
        unsafe { bindings::ckpt_task_tty(self.as_ptr(), &mut out) }.then_some(out)
    }
}

/// kernel.pty.max: no pseudoterminal has this number or a larger one.
pub(crate) fn limit() -> u32 {
    // SAFETY: reads one word of the kernel's.
    u32::try_from(unsafe { bindings::ckpt_pty_limit() }).unwrap_or(0)
}

/// The open file of a master.
///
/// # Invariants
///
/// `0` is of the master of a pair, which stays open, and its slave with it, for as long as this lives.
#[derive(Clone)]
pub(crate) struct Master(File);

impl Master {
    /// The master that `file` is of, if it is of one.
    pub(crate) fn of(file: &File) -> Option<Self> {
        let tty = Tty::of(file)?;
        // INVARIANT: just looked at.
        (tty.is_master() && !tty.is_hung_up()).then(|| Self(file.clone()))
    }

    /// The open file.
    pub(crate) fn into_file(self) -> File {
        self.0
    }

    /// The same, lent.
    pub(crate) fn file(&self) -> &File {
        &self.0
    }

    /// Number of the session that has the slave as controlling terminal; `None` without one, `Some(0)` when it has no number in that
    /// namespace.
    pub(crate) fn session(&self, ns: &PidNs) -> Option<u32> {
        // SAFETY: by the type's invariant; the namespace is alive; the helper locks.
        match unsafe { bindings::ckpt_pty_session(self.0.as_ptr(), ns.as_ptr()) } {
            0 => None,
            number => Some(u32::try_from(number).unwrap_or(0)),
        }
    }

    /// Owner and permissions of the slave, with the ids that `viewer` gives them.
    pub(crate) fn node(&self, viewer: &Cred) -> PtyNode {
        let mut out = PtyNode::default();
        // SAFETY: by the type's invariant: the master is open, and keeps the node.
        unsafe { bindings::ckpt_pty_node(self.0.as_ptr(), viewer.as_ptr(), &mut out) };
        out
    }

    /// What the pair is like, and what has not been read: bytes of the master's line discipline, those that wait for room there,
    /// the same of the slave with a bit for each byte that ends a line between the two, and the echo.
    pub(crate) fn save(&self) -> Result<(PtyState, KVVec<u8>)> {
        /// More than the buffers of a pair may take.
        const MOST: usize = 256 * 1024;
        let mut state = PtyState::default();
        let mut bytes = KVVec::from_elem(0u8, MOST, GFP_KERNEL_ACCOUNT)?;
        // SAFETY: by the type's invariant; the buffer is as long as we say; the helper locks.
        let n = unsafe { bindings::ckpt_pty_save(self.0.as_ptr(), &mut state, bytes.as_mut_ptr(), bytes.len()) };
        bytes.truncate(to_result(n as isize)?);
        Ok((state, bytes))
    }

    /// Fills a pair that has just been made. `EINVAL` when the bytes are not those of the state.
    pub(crate) fn fill(&self, state: &PtyState, bytes: &[u8]) -> Result {
        // SAFETY: by the type's invariant; the helper checks every number, and locks.
        let ret = unsafe { bindings::ckpt_pty_fill(self.0.as_ptr(), state, bytes.as_ptr(), bytes.len()) };
        kernel::error::to_result(ret)
    }

    /// Sets what would be in the way of those who open the pair.
    pub(crate) fn finish(&self, flags: u32, packet_status: u32) {
        // SAFETY: by the type's invariant; the helper locks.
        unsafe { bindings::ckpt_pty_finish(self.0.as_ptr(), flags, packet_status) }
    }

    /// Opens /dev/tty as if the slave were the caller's controlling terminal.
    pub(crate) fn open_tty(&self, _me: &CurrentTask, path: &[u8], flags: u32) -> Result<File> {
        let mut text = KVec::with_capacity(path.len() + 1, GFP_KERNEL_ACCOUNT)?;
        text.extend_from_slice(path, GFP_KERNEL_ACCOUNT)?;
        text.push(0, GFP_KERNEL_ACCOUNT)?;
        let path = CStr::from_bytes_with_nul(&text).map_err(|_| EINVAL)?;
        // SAFETY: by the type's invariant; a NUL-terminated path; the helper returns a reference or an error pointer.
        unsafe {
            File::from_raw(bindings::ckpt_open_tty(
                self.0.as_ptr(),
                path.as_char_ptr(),
                flags as i32,
            ))
        }
    }
}

impl CurrentTask {
    /// Takes the slave as controlling terminal, as fork(2) would have; its process group may become the foreground one. `EPERM` when
    /// it is not that of the caller's session, or the caller has another one.
    pub(crate) fn adopt_tty(&self, master: &Master, foreground: bool) -> Result {
        // SAFETY: by the type's invariant; the helper locks.
        kernel::error::to_result(unsafe { bindings::ckpt_adopt_tty(master.0.as_ptr(), foreground) })
    }
}
