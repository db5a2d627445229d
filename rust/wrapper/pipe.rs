// SPDX-License-Identifier: GPL-2.0

//! Pipes.
//!
//! C header: [`include/linux/pipe_fs_i.h`](srctree/include/linux/pipe_fs_i.h)

use super::{bindings, file::File, to_result};
use core::{marker::PhantomData, ptr::NonNull};
use kernel::prelude::*;

/// A pipe, anonymous or named.
///
/// # Invariants
///
/// `0` is the pipe behind an open file that is borrowed as long as this lives.
pub(crate) struct Pipe<'a>(NonNull<bindings::pipe_inode_info>, PhantomData<&'a File>);

/// What a pipe is like now.
pub(crate) struct State {
    /// Open files that read.
    pub(crate) readers: u32,
    /// Open files that write.
    pub(crate) writers: u32,
    /// Capacity in bytes.
    pub(crate) capacity: u32,
    /// Bytes that wait.
    pub(crate) content: usize,
    /// Whether it carries kernel notifications.
    pub(crate) watch_queue: bool,
}

impl<'a> Pipe<'a> {
    /// The pipe behind `file`, if it is one.
    pub(crate) fn of(file: &'a File) -> Option<Self> {
        // SAFETY: alive; the helper returns NULL for everything else.
        let pipe = unsafe { bindings::ckpt_file_pipe(file.as_ptr()) };
        // INVARIANT: the file is borrowed.
        NonNull::new(pipe).map(|p| Self(p, PhantomData))
    }

    /// Whether `file` is that of a FIFO, which has a name.
    pub(crate) fn is_named(file: &File) -> bool {
        // SAFETY: alive.
        unsafe { bindings::ckpt_file_is_named_pipe(file.as_ptr()) }
    }

    /// Address of the kernel object.
    pub(crate) fn address(&self) -> usize {
        self.0.as_ptr() as usize
    }

    /// What it is like.
    pub(crate) fn state(&self) -> Result<State> {
        let mut s = bindings::ckpt_pipe_state::default();
        // SAFETY: alive, by the type's invariant; the helper locks.
        kernel::error::to_result(unsafe { bindings::ckpt_pipe_state(self.0.as_ptr(), &mut s) })?;
        Ok(State {
            readers: s.readers,
            writers: s.writers,
            capacity: s.capacity,
            content: s.content,
            watch_queue: s.watch_queue,
        })
    }

    /// A copy of what waits, at most `max` bytes.
    pub(crate) fn copy_content(&self, max: usize) -> Result<KVVec<u8>> {
        let mut out = KVVec::<u8>::zeroed(self.state()?.content.min(max), GFP_KERNEL_ACCOUNT)?;
        // SAFETY: alive; the buffer is as long as we say; the helper locks.
        let n = unsafe { bindings::ckpt_pipe_copy(self.0.as_ptr(), out.as_mut_ptr().cast(), out.len()) };
        let n = to_result(n)?;
        if n != out.len() {
            return Err(EAGAIN);
        }
        Ok(out)
    }
}
