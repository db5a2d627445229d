// SPDX-License-Identifier: GPL-2.0

//! Rings of io_uring.
//!
//! C sources: `io_uring/`

use super::{
    bindings,
    file::{collect_fds, File},
    mm::{vm_mmap, Mm},
    park::ERESTARTNOHAND_RET,
    symbol::Operations,
    task::Task,
    to_result, //
};
use kernel::prelude::*;

/// Setup flags, offsets of mmap(2), flags.
pub(crate) use bindings::{
    IORING_CQE_F_32, IORING_OFF_CQ_RING, IORING_OFF_SQES, IORING_OFF_SQ_RING, IORING_RSRC_REGISTER_SPARSE,
    IORING_SETUP_CQE32, IORING_SETUP_CQE_MIXED, IORING_SETUP_CQSIZE,
};

/// What io_uring_register(2) is asked for.
pub(crate) mod register {
    pub(crate) use ckpt_bindings::{
        io_uring_register_op_IORING_REGISTER_BUFFERS2 as BUFFERS2,
        io_uring_register_op_IORING_REGISTER_BUFFERS_UPDATE as BUFFERS_UPDATE,
        io_uring_register_op_IORING_REGISTER_CLOCK as CLOCK,
        io_uring_register_op_IORING_REGISTER_ENABLE_RINGS as ENABLE_RINGS,
        io_uring_register_op_IORING_REGISTER_EVENTFD as EVENTFD,
        io_uring_register_op_IORING_REGISTER_EVENTFD_ASYNC as EVENTFD_ASYNC,
        io_uring_register_op_IORING_REGISTER_FILES2 as FILES2,
        io_uring_register_op_IORING_REGISTER_FILES_UPDATE2 as FILES_UPDATE2,
        io_uring_register_op_IORING_REGISTER_FILE_ALLOC_RANGE as FILE_ALLOC_RANGE,
        io_uring_register_op_IORING_REGISTER_IOWQ_MAX_WORKERS as IOWQ_MAX_WORKERS,
        io_uring_register_op_IORING_REGISTER_RING_FDS as RING_FDS,
    };
}

/// Operations that wait for what others do.
pub(crate) const ENDLESS: [bindings::io_uring_op; 9] = [
    bindings::io_uring_op_IORING_OP_ACCEPT,
    bindings::io_uring_op_IORING_OP_EPOLL_WAIT,
    bindings::io_uring_op_IORING_OP_FUTEX_WAIT,
    bindings::io_uring_op_IORING_OP_FUTEX_WAITV,
    bindings::io_uring_op_IORING_OP_POLL_ADD,
    bindings::io_uring_op_IORING_OP_READ_MULTISHOT,
    bindings::io_uring_op_IORING_OP_RECV,
    bindings::io_uring_op_IORING_OP_RECVMSG,
    bindings::io_uring_op_IORING_OP_WAITID,
];

/// An open file that is a ring.
///
/// # Invariants
///
/// The file's operations are those of io_uring.
pub(crate) struct Uring<'a>(&'a File);

/// What a ring is, and what it remembers.
pub(crate) type State = bindings::ckpt_uring;

/// A buffer that a ring keeps.
pub(crate) type Buffer = bindings::ckpt_uring_buffer;

/// A file that a ring keeps.
pub(crate) struct Slot {
    /// Number of its slot.
    pub(crate) slot: u32,
    /// What completes when the kernel lets it go, or 0.
    pub(crate) tag: u64,
    /// The open file.
    pub(crate) file: File,
}

/// The two parts of a ring that are mapped, by their numbers: offsets of mmap(2), and how a mapping of a part is known.
pub(crate) const REGIONS: usize = 2;

/// What a ring has that is not saved, as words.
pub(crate) fn refused(state: &State) -> Option<&'static str> {
    // SAFETY: NULL or a string literal of the module.
    (!state.refused.is_null()).then(|| unsafe { CStr::from_char_ptr(state.refused) }.to_str().unwrap_or("?"))
}

/// The operations that have been found in flight.
pub(crate) fn operations(state: &State) -> impl Iterator<Item = bindings::io_uring_op> + '_ {
    let is_there = |op: &u32| state.opcodes[*op as usize / 64] >> (op % 64) & 1 != 0;
    (0..=u32::from(u8::MAX)).filter(is_there)
}

/// The name of an operation.
pub(crate) fn name_of(op: bindings::io_uring_op) -> &'static str {
    // SAFETY: the function takes any number, and gives string literals of the kernel.
    let name = unsafe { CStr::from_char_ptr(bindings::ckpt_io_uring_get_opcode(op as u8)) };
    name.to_str().unwrap_or("?")
}

impl<'a> Uring<'a> {
    /// This file, if it is a ring.
    pub(crate) fn of(file: &'a File) -> Option<Self> {
        // INVARIANT: just looked at.
        (file.ops() == Operations::Uring.address()).then_some(Self(file))
    }

    /// Describes it. `EINTR` on a fatal signal.
    pub(crate) fn state(&self) -> Result<State> {
        let mut state = State::default();
        // SAFETY: a ring, by the invariant; the helper locks.
        kernel::error::to_result(unsafe { bindings::ckpt_uring_describe(self.0.as_ptr(), &mut state) })?;
        Ok(state)
    }

    /// Copies contents of a region. `EINVAL` when it is not that long, `EINTR` on a fatal signal.
    pub(crate) fn read(&self, region: usize, offset: u64, out: &mut [u8]) -> Result {
        let (at, n) = (out.as_mut_ptr().cast(), out.len());
        // SAFETY: a ring, by the invariant; the buffer has that many bytes; the helper locks and checks.
        let done = unsafe { bindings::ckpt_uring_copy(self.0.as_ptr(), region as u32, offset, at, n, false) };
        kernel::error::to_result(done)
    }

    /// Writes contents of a region, as the program could. `EINVAL` when it is not that long, `EINTR` on a fatal signal.
    pub(crate) fn write(&self, region: usize, offset: u64, bytes: &[u8]) -> Result {
        let (at, n) = (bytes.as_ptr().cast_mut().cast(), bytes.len());
        // SAFETY: a ring, by the invariant; the buffer has that many bytes, which the helper only reads; it locks and checks.
        let done = unsafe { bindings::ckpt_uring_copy(self.0.as_ptr(), region as u32, offset, at, n, true) };
        kernel::error::to_result(done)
    }

    /// Lets a ring that has never been used go on with these indices and this state. `EINVAL` for what no ring has, `EINTR` on a fatal
    /// signal.
    pub(crate) fn set(&self, state: &State) -> Result {
        // SAFETY: a ring, by the invariant; the helper locks and checks.
        kernel::error::to_result(unsafe { bindings::ckpt_uring_set(self.0.as_ptr(), state) })
    }

    /// Where the next file looks for its slot first. `EINVAL` when there is no such slot, `EINTR` on a fatal signal.
    pub(crate) fn set_file_hint(&self, hint: u32) -> Result {
        // SAFETY: a ring, by the invariant; the helper locks and checks.
        kernel::error::to_result(unsafe { bindings::ckpt_uring_set_file_hint(self.0.as_ptr(), hint) })
    }

    /// The files that it keeps, by slot. `EINTR` on a fatal signal.
    pub(crate) fn files(&self) -> Result<KVVec<Slot>> {
        let mut out = KVVec::new();
        let (mut slot, mut file, mut tag) = (0, core::ptr::null_mut(), 0);
        loop {
            // SAFETY: a ring, by the invariant; the helper locks and takes a reference.
            kernel::error::to_result(unsafe {
                bindings::ckpt_uring_next_file(self.0.as_ptr(), &mut slot, &mut file, &mut tag)
            })?;
            // SAFETY: the helper took a reference, or gave NULL.
            let Ok(file) = (unsafe { File::from_raw(file) }) else {
                return Ok(out);
            };
            out.push(Slot { slot, tag, file }, GFP_KERNEL_ACCOUNT)?;
            slot += 1;
        }
    }

    /// The buffers that it keeps, with their slots; with an address space also whether they are what is mapped there. `EINTR` on a fatal
    /// signal.
    pub(crate) fn buffers(&self, mm: Option<&Mm>) -> Result<KVVec<(u32, Buffer)>> {
        let mut out = KVVec::new();
        let (mut slot, mut buffer) = (0, Buffer::default());
        let mm = mm.map_or(core::ptr::null_mut(), Mm::as_ptr);
        loop {
            // SAFETY: a ring, by the invariant; NULL or a live mm; the helper locks.
            let found = unsafe { bindings::ckpt_uring_next_buffer(self.0.as_ptr(), mm, &mut slot, &mut buffer) };
            if to_result(found as isize)? == 0 {
                return Ok(out);
            }
            out.push((slot, buffer), GFP_KERNEL_ACCOUNT)?;
            slot += 1;
        }
    }

    /// Copies completions for which there was no room, but the first `from`, as far as there are: their number. `EINTR` on a fatal signal.
    pub(crate) fn overflow(&self, from: u32, out: &mut [[u64; 4]]) -> Result<usize> {
        // SAFETY: a ring, by the invariant; the buffer has that many entries of four words; the helper locks.
        let n =
            unsafe { bindings::ckpt_uring_overflow(self.0.as_ptr(), from, out.as_mut_ptr().cast(), out.len() as u32) };
        to_result(n as isize)
    }

    /// Adds a completion for which there is no room.
    pub(crate) fn add_overflow(&self, words: &[u64; 4]) -> Result {
        // SAFETY: a ring, by the invariant; the array is as long as the longest.
        kernel::error::to_result(unsafe { bindings::ckpt_uring_add_overflow(self.0.as_ptr(), words.as_ptr()) })
    }

    /// Whether what an address space has at an address, mapped with this offset, is what the ring has now. `EINTR` on a fatal signal.
    pub(crate) fn is_mapped(&self, mm: &Mm, at: u64, offset: u64) -> Result<bool> {
        // SAFETY: a ring, by the invariant; a live mm; the helper locks both.
        let found = unsafe { bindings::ckpt_uring_is_mapped(self.0.as_ptr(), mm.as_ptr(), at as usize, offset) };
        to_result(found as isize).map(|yes| yes != 0)
    }

    /// Maps it in the caller's address space, as mmap(2) does for the caller, but at the place that is wanted.
    pub(crate) fn map(&self, address: u64, len: u64, prot: u32, flags: u32, offset: u64) -> Result<u64> {
        // SAFETY: a ring, by the invariant. It outlives the stand-in, of which a mapping keeps nothing.
        let stand_in = unsafe { File::from_raw(bindings::ckpt_uring_stand_in(self.0.as_ptr())) }?;
        vm_mmap(Some(&stand_in), address, len, prot, flags, offset)
    }
}

/// The rings that a thread has registered, with their places.
pub(crate) fn registered(task: &Task) -> Result<KVec<(u32, File)>> {
    let mut out = KVec::new();
    let mut place = 0;
    loop {
        // SAFETY: the task is alive; the helper locks and takes a reference.
        let file = unsafe { bindings::ckpt_task_ring(task.as_ptr(), &mut place) };
        // SAFETY: the helper took a reference, or gave NULL.
        let Ok(file) = (unsafe { File::from_raw(file) }) else {
            return Ok(out);
        };
        out.push((place, file), GFP_KERNEL_ACCOUNT)?;
        place += 1;
    }
}

/// How a system call of io_uring knows its ring.
enum Known {
    ByDescriptor(u32),
    ByPlace(u32),
}

impl Known {
    /// In the system call in which these registers were saved, if it is one of io_uring.
    fn of(regs: &bindings::pt_regs) -> Option<Self> {
        let by_place = match u32::try_from(regs.orig_ax) {
            Ok(bindings::__NR_io_uring_enter) => regs.r10 as u32 & bindings::IORING_ENTER_REGISTERED_RING,
            Ok(bindings::__NR_io_uring_register) => {
                regs.si as u32 & bindings::io_uring_register_op_IORING_REGISTER_USE_REGISTERED_RING
            }
            _ => return None,
        };
        Some(match by_place {
            0 => Self::ByDescriptor(regs.di as u32),
            _ => Self::ByPlace(regs.di as u32),
        })
    }
}

/// What the system call in which these registers were saved would return if a signal came, if it is one of io_uring that is not over: those
/// do what is queued for their task while they wait. What their descriptors refer to is looked at later: another thread may have closed the
/// ring, which the system call keeps. Where seccomp has them say ENOSYS they look the same.
pub(super) fn interrupted(regs: &bindings::pt_regs) -> Option<u64> {
    /// A system call that is not over has no result yet.
    const NOT_OVER: u64 = -38_i64 as u64;
    if regs.ax as u64 != NOT_OVER {
        return None;
    }
    Known::of(regs)?;
    Some(match u32::try_from(regs.orig_ax) {
        // It waits when it has submitted all that it was to.
        Ok(bindings::__NR_io_uring_enter) if regs.si as u32 != 0 => u64::from(regs.si as u32),
        _ => ERESTARTNOHAND_RET,
    })
}

/// The ring for which a task waits in a system call that will go on, and which that keeps meanwhile. `EBADFD` when what the system call was
/// given is no ring any more: another thread has closed it. The task stands still inside of a system call.
pub(crate) fn kept_by_wait(task: &Task) -> Result<Option<File>> {
    // SAFETY: the task stands still, and its registers with it.
    let regs = unsafe { &*bindings::ckpt_task_pt_regs(task.as_ptr()) };
    let there = match Known::of(regs) {
        Some(Known::ByDescriptor(number)) => ring_at(task, number)?.map(Some),
        // The list keeps it, not the system call.
        Some(Known::ByPlace(place)) => {
            let has = registered(task)?.iter().any(|(at, _)| *at == place);
            has.then_some(None)
        }
        None => Some(None),
    };
    there.ok_or(EBADFD)
}

/// The ring for which a task has this descriptor.
fn ring_at(task: &Task, number: u32) -> Result<Option<File>> {
    let found = collect_fds(task, &mut Some(number))?.into_iter().next();
    let ring = found.filter(|fd| fd.fd == number && Uring::of(&fd.file).is_some());
    Ok(ring.map(|fd| fd.file))
}

/// Whether the calling task waits, with locks, until its requests are cancelled: in execve(2), or on its way out.
pub(super) fn is_cancelling() -> bool {
    // SAFETY: the current task's own.
    unsafe { bindings::ckpt_uring_cancels() }
}

/// Has the calling task do what io_uring has left to it.
pub(crate) fn run_own_work() {
    // SAFETY: the current task, outside of everything that io_uring locks.
    unsafe { bindings::ckpt_uring_run_work() };
}

/// Address of what stands behind a file, if that is an eventfd: several files may have it in common, and a ring knows it by it.
pub(crate) fn event_of(file: &File) -> Option<usize> {
    // SAFETY: alive, and an eventfd.
    (file.ops() == Operations::Eventfd.address()).then(|| unsafe { bindings::ckpt_eventfd_context(file.as_ptr()) })
}
