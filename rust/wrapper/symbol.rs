// SPDX-License-Identifier: GPL-2.0

//! Unexported kernel functions: resolved once, at load. The list is `helpers/symbol.h`.

use super::bindings;
use kernel::prelude::*;

/// Resolves every symbol, or fails with `ENOENT` and says in the kernel log which one is missing.
pub(crate) fn resolve() -> Result {
    let mut missing = core::ptr::null();
    // SAFETY: called once, from module init, before anything else can call the static calls that it updates.
    let ret = unsafe { bindings::ckpt_resolve_symbols(&mut missing) };
    if ret != 0 {
        if missing.is_null() {
            pr_err!("cannot resolve kernel symbols\n");
        } else {
            // SAFETY: the helper leaves a pointer to a string literal.
            let name = unsafe { CStr::from_char_ptr(missing) };
            pr_err!("this kernel has no function {}: not loaded\n", name);
        }
        return Err(Error::from_errno(ret));
    }
    Ok(())
}

/// Functions that a `restart_block` can name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RestartFn {
    /// `hrtimer_nanosleep_restart`
    Nanosleep,
    /// `posix_cpu_nsleep_restart`
    CpuNanosleep,
    /// `do_restart_poll`
    Poll,
    /// `futex_wait_restart`
    Futex,
}

const RESTART_FNS: [(RestartFn, u32); 4] = [
    (
        RestartFn::Nanosleep,
        bindings::ckpt_address_index_CKPT_ADDRESS_hrtimer_nanosleep_restart,
    ),
    (
        RestartFn::CpuNanosleep,
        bindings::ckpt_address_index_CKPT_ADDRESS_posix_cpu_nsleep_restart,
    ),
    (
        RestartFn::Poll,
        bindings::ckpt_address_index_CKPT_ADDRESS_do_restart_poll,
    ),
    (
        RestartFn::Futex,
        bindings::ckpt_address_index_CKPT_ADDRESS_futex_wait_restart,
    ),
];

impl RestartFn {
    /// Address of the function.
    pub(super) fn address(self) -> usize {
        RESTART_FNS
            .iter()
            .find(|(f, _)| *f == self)
            // SAFETY: the array is written by module init only, and the index is one of its enum.
            .map_or(0, |(_, i)| unsafe { bindings::ckpt_address[*i as usize] })
    }

    /// The function with this address, if it is one of them.
    pub(super) fn from_address(address: usize) -> Option<Self> {
        RESTART_FNS.iter().map(|(f, _)| *f).find(|f| f.address() == address)
    }
}

/// Drivers of open files that no path leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operations {
    /// eventfd(2)
    Eventfd = bindings::ckpt_address_index_CKPT_ADDRESS_eventfd_fops as isize,
    /// epoll_create(2)
    Epoll = bindings::ckpt_address_index_CKPT_ADDRESS_eventpoll_fops as isize,
    /// signalfd(2)
    Signalfd = bindings::ckpt_address_index_CKPT_ADDRESS_signalfd_fops as isize,
    /// mq_open(3)
    Mqueue = bindings::ckpt_address_index_CKPT_ADDRESS_mqueue_file_operations as isize,
    /// shmat(2)
    Shm = bindings::ckpt_address_index_CKPT_ADDRESS_shm_file_operations as isize,
    /// shmat(2) of huge pages
    ShmHuge = bindings::ckpt_address_index_CKPT_ADDRESS_shm_file_operations_huge as isize,
    /// fanotify_init(2)
    Fanotify = bindings::ckpt_address_index_CKPT_ADDRESS_fanotify_fops as isize,
    /// inotify_init(2)
    Inotify = bindings::ckpt_address_index_CKPT_ADDRESS_inotify_fops as isize,
    /// io_uring_setup(2)
    Uring = bindings::ckpt_address_index_CKPT_ADDRESS_io_uring_fops as isize,
    /// A file of /proc/PID/ns.
    Namespace = bindings::ckpt_address_index_CKPT_ADDRESS_ns_file_operations as isize,
    /// userfaultfd(2)
    Userfaultfd = bindings::ckpt_address_index_CKPT_ADDRESS_userfaultfd_fops as isize,
    /// timerfd_create(2)
    Timerfd = bindings::ckpt_address_index_CKPT_ADDRESS_timerfd_fops as isize,
}

impl Operations {
    /// Address of the `struct file_operations`: [`File::ops`](super::file::File::ops) of each such file.
    pub(crate) fn address(self) -> usize {
        // SAFETY: the array is written by module init only, and the index is one of its enum.
        unsafe { bindings::ckpt_address[self as usize] }
    }
}
