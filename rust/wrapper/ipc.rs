// SPDX-License-Identifier: GPL-2.0

//! System V objects.
//!
//! C header: [`include/linux/ipc_namespace.h`](srctree/include/linux/ipc_namespace.h)

use super::{
    bindings,
    cred::Cred,
    file::File,
    mount::Tree,
    ns::Nsproxy,
    path::Fs,
    pid::PidNs,
    symbol::Operations,
    syscall::{nr, CurrentTask},
    task::{fatal_signal_pending, Task},
    to_result, //
};
use core::ptr::NonNull;
use kernel::prelude::*;

/// Kind of a System V object.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Kind {
    /// Set of semaphores.
    Sem = bindings::ckpt_ipc_kind_CKPT_IPC_SEM,
    /// Message queue.
    Msg = bindings::ckpt_ipc_kind_CKPT_IPC_MSG,
    /// Segment of shared memory.
    Shm = bindings::ckpt_ipc_kind_CKPT_IPC_SHM,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Shm, Self::Sem, Self::Msg];

    /// Name for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sem => "semaphore set",
            Self::Msg => "message queue",
            Self::Shm => "shared memory segment",
        }
    }
}

/// What an object is. The file of a segment is [`Object::file`].
pub(crate) type Fields = bindings::ckpt_ipc_object;

/// An object as it was when it was looked at.
pub(crate) struct Object {
    /// What it is.
    pub(crate) fields: Fields,
    /// The file that the kernel keeps behind a segment.
    pub(crate) file: Option<File>,
}

/// What access is asked for: S_IRUGO, S_IWUGO.
pub(crate) mod access {
    /// To read.
    pub(crate) const READ: u16 = 0o444;
    /// To change.
    pub(crate) const WRITE: u16 = 0o222;
}

/// A semaphore: its value, and who has changed it last.
pub(crate) type Sem = bindings::ckpt_sem;

/// What an undo list has for a semaphore; before that comes one with -1 as the number.
pub(crate) type Undo = bindings::ckpt_undo;

/// As whom objects are looked at: users as these credentials call them, processes by their numbers in this pid namespace.
pub(crate) struct Viewer<'a> {
    /// Whose names for users.
    pub(crate) cred: &'a Cred,
    /// Whose numbers for processes.
    pub(crate) pids: &'a PidNs,
}

impl Object {
    /// # Safety
    ///
    /// `fields` must come from a helper that has taken a reference to the file, if there is one.
    unsafe fn from_raw(fields: Fields) -> Result<Self> {
        let file = match fields.file {
            0 => None,
            // SAFETY: by the contract of this function.
            file => Some(unsafe { File::from_raw(file as *mut bindings::file)? }),
        };
        Ok(Self { fields, file })
    }
}

/// Bytes that are copied at once from a queue.
const LOT: usize = 1 << 20;

/// Looks at type (or priority) and text of a message.
pub(crate) type Look<'a, E> = dyn FnMut(i64, &[u8]) -> Result<(), E> + 'a;

/// Calls `look` with each message of a queue, of which `fill` puts as many into a lot as fit, behind those that have been looked at; says
/// how many there are.
fn each_message<E: From<Error>>(
    fill: &mut dyn FnMut(&mut bindings::ckpt_lot) -> core::ffi::c_int,
    look: &mut Look<'_, E>,
) -> Result<u64, E> {
    const HEAD: usize = size_of::<bindings::ckpt_queued>();
    let mut buffer = KVVec::zeroed(LOT, GFP_KERNEL_ACCOUNT).map_err(Error::from)?;
    let mut seen = 0;
    loop {
        if fatal_signal_pending() {
            return Err(EINTR.into());
        }
        let mut lot = bindings::ckpt_lot {
            out: buffer.as_mut_ptr(),
            size: buffer.len(),
            used: 0,
            skip: seen,
        };
        kernel::error::to_result(fill(&mut lot))?;
        let mut rest = buffer.get(..lot.used).ok_or(EOVERFLOW)?;
        if rest.is_empty() {
            return Ok(seen as u64);
        }
        while let Some((head, behind)) = rest.split_at_checked(HEAD) {
            let word = |at: usize| head[at..at + 8].iter().rev().fold(0u64, |w, b| w << 8 | u64::from(*b));
            let text = behind.get(..word(8) as usize).ok_or(EOVERFLOW)?;
            look(word(0) as i64, text)?;
            rest = behind.get(text.len().next_multiple_of(8)..).unwrap_or_default();
            seen += 1;
        }
    }
}

impl Nsproxy {
    fn ipc(&self) -> *mut bindings::ipc_namespace {
        // SAFETY: alive; its namespaces never change.
        unsafe { bindings::ckpt_ipc_of(self.as_ptr()) }
    }

    /// The next object of a kind; `index` is where to look, and goes behind it.
    pub(crate) fn next_ipc(&self, kind: Kind, index: &mut i32, viewer: &Viewer<'_>) -> Result<Option<Object>> {
        let mut fields = Fields::default();
        // SAFETY: all are alive; the helper locks, and takes a reference to the file of a segment.
        unsafe {
            let (cred, pids) = (viewer.cred.as_ptr(), viewer.pids.as_ptr());
            if bindings::ckpt_ipc_next(self.ipc(), kind as u32, index, cred, pids, &mut fields) == 0 {
                return Ok(None);
            }
            Object::from_raw(fields).map(Some)
        }
    }

    /// The object with this identifier: `ENOENT`.
    pub(crate) fn ipc_object(&self, kind: Kind, id: i32, viewer: &Viewer<'_>) -> Result<Object> {
        let mut fields = Fields::default();
        // SAFETY: as above.
        unsafe {
            let (cred, pids) = (viewer.cred.as_ptr(), viewer.pids.as_ptr());
            let ret = bindings::ckpt_ipc_get(self.ipc(), kind as u32, id, cred, pids, &mut fields);
            kernel::error::to_result(ret)?;
            Object::from_raw(fields)
        }
    }

    /// Whether these credentials may have access to an object, as the kernel would look: `EACCES`, `ENOENT`.
    pub(crate) fn may_access_ipc(&self, kind: Kind, id: i32, cred: &Cred, access: u16) -> Result {
        // SAFETY: all are alive; the helper locks.
        kernel::error::to_result(unsafe { bindings::ckpt_ipc_may(self.ipc(), kind as u32, id, cred.as_ptr(), access) })
    }

    /// Values of a set of `n` semaphores.
    pub(crate) fn sem_values(&self, id: i32, n: usize, viewer: &Viewer<'_>) -> Result<KVVec<Sem>> {
        let mut out = KVVec::from_elem(Sem::default(), n, GFP_KERNEL_ACCOUNT)?;
        // SAFETY: all are alive, the array has `n` entries; the helper locks.
        let ret =
            unsafe { bindings::ckpt_sem_values(self.ipc(), id, viewer.pids.as_ptr(), out.as_mut_ptr(), n as u32) };
        kernel::error::to_result(ret).map(|()| out)
    }

    /// What undo lists ([`Task::undo_list`]), whose addresses are in order, have for a set. `E2BIG` when that is more than `max`, or when
    /// more than sixteen times as many adjustments have to be looked at, most of which are nothing.
    pub(crate) fn sem_undos(&self, id: i32, lists: &[usize], max: usize) -> Result<KVVec<Undo>> {
        let mut room = 64;
        loop {
            let mut out = KVVec::from_elem(Undo::default(), room, GFP_KERNEL_ACCOUNT)?;
            // SAFETY: alive, the arrays have that many entries; the helper locks, and compares the addresses only.
            let found = to_result(unsafe {
                let count = u32::try_from(lists.len())?;
                bindings::ckpt_sem_undos(self.ipc(), id, lists.as_ptr(), count, out.as_mut_ptr(), room, max * 16)
            })?;
            if found <= room {
                out.truncate(found);
                return Ok(out);
            }
            if found > max {
                return Err(E2BIG);
            }
            if fatal_signal_pending() {
                return Err(EINTR);
            }
            // While it runs, it may have more the next time.
            room = found;
        }
    }

    /// Calls `look` with type and text of each message of a queue, and says how many there are. `ENOENT`, `EMSGSIZE` for one that does
    /// not fit a lot, `EINTR`, and what `look` says.
    pub(crate) fn messages<E: From<Error>>(&self, id: i32, look: &mut Look<'_, E>) -> Result<u64, E> {
        // SAFETY: alive; the helper locks, and fills the lot, which stands for a buffer of that size.
        each_message(&mut |lot| unsafe { bindings::ckpt_msg_lot(self.ipc(), id, lot) }, look)
    }

    /// Length of the longest message of a queue: `ENOENT`, `E2BIG` with more than `max` messages.
    pub(crate) fn longest_message(&self, id: i32, max: u32) -> Result<usize> {
        // SAFETY: alive; the helper locks.
        to_result(unsafe { bindings::ckpt_msg_longest(self.ipc(), id, max as usize) })
    }

    /// Where the kernel goes on with identifiers of a kind: sequence number, index given last (-1 for none), index tried next.
    pub(crate) fn ipc_ids(&self, kind: Kind) -> (u32, i32, u32) {
        let (mut seq, mut last, mut cursor) = (0, 0, 0);
        // SAFETY: alive; the helper locks.
        unsafe { bindings::ckpt_ipc_ids(self.ipc(), kind as u32, &mut seq, &mut last, &mut cursor) };
        (seq, last, cursor)
    }
}

/// Identifier of the segment that a file is an attachment of, and the address of its ipc namespace; `None` for other files.
pub(crate) fn attached(file: &File) -> Option<(i32, usize)> {
    if ![Operations::Shm.address(), Operations::ShmHuge.address()].contains(&file.ops()) {
        return None;
    }
    let (mut id, mut ns) = (0, core::ptr::null());
    // SAFETY: alive, and made by shmat(2), as its operations say.
    unsafe { bindings::ckpt_shm_of_file(file.as_ptr(), &mut id, &mut ns) };
    Some((id, ns as usize))
}

impl Task {
    /// Address of its list of what is undone at exit (SEM_UNDO): the same for tasks that share it, 0 without one.
    pub(crate) fn undo_list(&self) -> usize {
        // SAFETY: alive; one word.
        unsafe { bindings::ckpt_undo_list(self.as_ptr()) as usize }
    }
}

/// An object that a restart has made: it is removed again unless the restart comes to its end.
///
/// # Invariants
///
/// `ns` is an ipc namespace on which this value owns one reference.
pub(crate) struct Created {
    ns: NonNull<bindings::ipc_namespace>,
    kind: Kind,
    id: i32,
    address: usize,
    kept: bool,
}

// SAFETY: references may be dropped anywhere that may sleep; the address is compared only.
unsafe impl Send for Created {}

impl Created {
    /// It stays.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Created {
    fn drop(&mut self) {
        // SAFETY: the reference is owned, by the type's invariant, and given up here. The helper locks, and removes nothing but the
        // object with both this identifier and this address.
        unsafe {
            if !self.kept {
                bindings::ckpt_ipc_remove(self.ns.as_ptr(), self.kind as u32, self.id, self.address);
            }
            bindings::ckpt_put_ipc_ns(self.ns.as_ptr());
        }
    }
}

impl CurrentTask {
    /// Has the next new object of the caller's ipc namespace get this identifier, while `make` makes it. `EPERM` for who may not
    /// choose.
    pub(crate) fn with_next_id(&self, kind: Kind, id: i32, make: impl FnOnce() -> Result<usize>) -> Result<usize> {
        // SAFETY: the caller's own namespace; the helper checks and locks.
        kernel::error::to_result(unsafe { bindings::ckpt_ipc_set_next_id(kind as u32, id) })?;
        let made = make();
        if made.is_err() {
            // SAFETY: as above; any identifier may be had by everybody.
            unsafe { bindings::ckpt_ipc_set_next_id(kind as u32, -1) };
        }
        made
    }

    /// Says whether the caller may do with the object at the address in `fields` what IPC_SET does: `EPERM`, `EIDRM`.
    pub(crate) fn may_change_ipc(&self, kind: Kind, fields: &Fields) -> Result {
        // SAFETY: the caller's own namespace; the helper locks, and compares the address only.
        kernel::error::to_result(unsafe { bindings::ckpt_ipc_may_change(kind as u32, fields.id, fields.address) })
    }

    /// What stands for an object that the caller has just made in its ipc namespace.
    pub(crate) fn created(&self, kind: Kind, fields: &Fields) -> Result<Created> {
        // SAFETY: the caller's own namespace, which lives; the helper takes a reference.
        let ns = NonNull::new(unsafe { bindings::ckpt_get_own_ipc() }).ok_or(EINVAL)?;
        // INVARIANT: the helper took the reference.
        Ok(Created {
            ns,
            kind,
            id: fields.id,
            address: fields.address,
            kept: false,
        })
    }

    /// Gives the object at the address in `fields` its times and processes; with `whole` also its makers, and that it has been removed.
    pub(crate) fn set_ipc(&self, kind: Kind, fields: &Fields, whole: bool, pids: &PidNs) -> Result {
        // SAFETY: all are alive; the helper locks, checks, and compares the address.
        kernel::error::to_result(unsafe { bindings::ckpt_ipc_set(kind as u32, fields, whole, pids.as_ptr()) })
    }

    /// Makes a task the maker of a segment that the caller has made.
    pub(crate) fn set_shm_creator(&self, fields: &Fields, creator: Option<&Task>) {
        let creator = creator.map_or(core::ptr::null_mut(), Task::as_ptr);
        // SAFETY: the task is alive or NULL; the helper locks.
        unsafe { bindings::ckpt_shm_set_creator(fields.id, fields.address, creator) };
    }

    /// Sets who has changed each semaphore of a set last.
    pub(crate) fn set_sem_pids(&self, fields: &Fields, values: &[Sem], pids: &PidNs) -> Result {
        // SAFETY: the array has that many entries; the helper locks.
        kernel::error::to_result(unsafe {
            let n = values.len() as u32;
            bindings::ckpt_sem_set_pids(fields.id, fields.address, values.as_ptr(), n, pids.as_ptr())
        })
    }

    /// Sets what the caller's undo list adds to a semaphore, after the attempt at a semop(2) with SEM_UNDO on its set.
    pub(crate) fn set_adjustment(&self, fields: &Fields, number: u32, adjust: i16) -> Result {
        // SAFETY: the helper locks, compares the addresses, and checks the number.
        kernel::error::to_result(unsafe {
            bindings::ckpt_sem_set_adjustment(fields.id, fields.address, number, adjust)
        })
    }

    /// Shares the undo list of a task of the same restart, which has been restored and waits in the kernel. `ESRCH` when that has
    /// none.
    ///
    /// The caller must hold the stream of the restart: a task that was killed meanwhile takes it on its way out, so the list stays.
    pub(crate) fn adopt_undo(&self, from: &Task) -> Result {
        // SAFETY: `from` is alive and, as said above, does not exit; the caller's own list is its own to give up.
        kernel::error::to_result(unsafe { bindings::ckpt_adopt_undo(from.as_ptr()) })
    }

    /// Sets where the kernel goes on with identifiers of the caller's ipc namespace: `EPERM`, `EINVAL`.
    pub(crate) fn set_ipc_ids(&self, kind: Kind, seq: u32, last: i32, cursor: u32) -> Result {
        // SAFETY: the helper locks and checks.
        kernel::error::to_result(unsafe { bindings::ckpt_ipc_set_ids(kind as u32, seq, last, cursor) })
    }

    /// shmat(2); the address.
    pub(crate) fn shmat(&self, id: i32, at: u64, read_only: bool) -> Result<u64> {
        const SHM_RDONLY: u64 = 0o10000;
        let flags = if read_only { SHM_RDONLY } else { 0 };
        self.call(nr::__NR_shmat, &[id as u64, at, flags]).map(|at| at as u64)
    }
}

/// What a POSIX message queue is.
pub(crate) type Mqueue = bindings::ckpt_mqueue;

impl Nsproxy {
    /// The file system with the POSIX message queues of the ipc namespace.
    pub(crate) fn queues(&self, viewer: Cred) -> Tree {
        let mut path = bindings::path::default();
        // SAFETY: alive; the helper returns references.
        let root = unsafe {
            bindings::ckpt_mqueue_root(self.as_ptr(), &mut path);
            Fs::at(path)
        };
        Tree::at(root, viewer)
    }
}

impl File {
    /// What the POSIX message queue is that it is an open file of, and how it tells the process of `task` of messages.
    pub(crate) fn queue(&self, task: Option<&Task>) -> Option<Mqueue> {
        if self.ops() != Operations::Mqueue.address() && !self.is_path_of_queue() {
            return None;
        }
        let mut out = Mqueue::default();
        let task = task.map_or(core::ptr::null_mut(), Task::as_ptr);
        // SAFETY: both are alive, and the inode is one of a queue; the helper locks.
        unsafe { bindings::ckpt_mqueue(self.as_ptr(), task, &mut out) };
        Some(out)
    }

    /// Whether it was opened with O_PATH, and is a queue.
    fn is_path_of_queue(&self) -> bool {
        // SAFETY: alive; the inode's operations are set once.
        self.is_path() && unsafe { bindings::ckpt_inode_ops(self.as_ptr()) as usize } == Operations::Mqueue.address()
    }

    /// Calls `look` with priority and text of each message of a queue, in the order in which they are received, and says how many there
    /// are. `EMSGSIZE` for one that does not fit a lot, `EINVAL` for what is no queue, `EINTR`, and what `look` says.
    pub(crate) fn queue_messages<E: From<Error>>(&self, look: &mut Look<'_, E>) -> Result<u64, E> {
        if self.queue(None).is_none() {
            return Err(EINVAL.into());
        }
        // SAFETY: alive, and the inode is one of a queue; the helper locks, and fills the lot, which stands for a buffer of that size.
        let mut fill = |lot: &mut bindings::ckpt_lot| unsafe { bindings::ckpt_mqueue_lot(self.as_ptr(), lot) };
        each_message(&mut fill, look)
    }

    /// Length of the longest message of a queue: `EINVAL` for what is no queue.
    pub(crate) fn longest_queue_message(&self) -> Result<usize> {
        if self.queue(None).is_none() {
            return Err(EINVAL);
        }
        // SAFETY: alive, and the inode is one of a queue; the helper locks.
        Ok(unsafe { bindings::ckpt_mqueue_longest(self.as_ptr()) })
    }
}
