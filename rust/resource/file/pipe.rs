// SPDX-License-Identifier: GPL-2.0

//! Pipes both ends of which belong to the target.
//!
//! Saved: content, capacity, O_NONBLOCK; an end that is closed stays closed.
//! Not saved: who waits (blocked readers and writers restart their system calls).
//! Refused: ends outside of the target (but for inherited stdio, which is relinked), several open files of one end, named
//! FIFOs, notification pipes (`watch_queue`), packet mode (O_DIRECT), more content than a record holds.
//!
//! Record: [`ckpt_uapi::record::pipe`].  C header: `include/linux/pipe_fs_i.h`

use super::{Dump, Restore, Target};
use crate::{
    error::{Context, Result},
    objects::{Keeper, Object},
    wrapper::{
        file::{collect_fds, mode, File},
        pipe::Pipe,
        syscall::nr,
        task::{fatal_signal_pending, sleep_killable}, //
    },
};
use ckpt_uapi::record::pipe::{Pipe as PipeRecord, CONTENT_MAX};
use kernel::prelude::*;

const O_DIRECT: u32 = 0o40000;
const O_CLOEXEC: u64 = 0o2000000;
const F_SETPIPE_SZ: u64 = 1031;
/// Largest capacity that a statefile may ask for: what the kernel itself allows at most.
const CAPACITY_MAX: u32 = 1 << 31;

/// Whether all open files of the pipe are descriptors of the target.
pub(super) fn is_inside(target: &Target<'_>, pipe: &Pipe<'_>) -> Result<bool> {
    let (mut readers, mut writers) = (0, 0);
    let mut seen: KVec<usize> = KVec::new();
    let mut from = Some(0);
    loop {
        for fd in collect_fds(target.leader, &mut from)?.iter() {
            let address = fd.file.address();
            if fd.file.mode() & mode::FMT != mode::FIFO || seen.contains(&address) {
                continue;
            }
            if Pipe::of(&fd.file).is_some_and(|p| p.address() == pipe.address()) {
                seen.push(address, GFP_KERNEL)?;
                readers += u32::from(fd.file.is_readable());
                writers += u32::from(fd.file.is_writable());
            }
        }
        if fatal_signal_pending() {
            return Err(EINTR.into());
        }
        if from.is_none() {
            break;
        }
    }
    let state = pipe.state()?;
    Ok((state.readers, state.writers) == (readers, writers))
}

/// Whether the open file is the target's alone, not shared by fork with another process. `held` references are ours; who looks
/// at it (/proc/PID/fd) has one for a moment.
pub(super) fn is_own(target: &Target<'_>, file: &File, held: usize) -> bool {
    // A running thread of several that waits in a read holds one more (a single one only borrows the descriptor's).
    let threads = target.threads.len();
    let held = held
        + if target.stopped_ns == 0 && threads > 1 {
            threads
        } else {
            0
        };
    for _ in 0..20 {
        if fatal_signal_pending() {
            return false;
        }
        if file.references() <= file.descriptors_of(target.leader) + held {
            return true;
        }
        sleep_killable(4);
    }
    false
}

/// Why a pipe that is inside cannot be saved, if it cannot.
pub(super) fn check(file: &File, pipe: &Pipe<'_>) -> core::result::Result<(), &'static str> {
    let Ok(state) = pipe.state() else {
        return Err("pipe that is busy");
    };
    if state.readers > 1 || state.writers > 1 || (file.is_readable() && file.is_writable()) {
        return Err("pipe with several open files of one end");
    }
    if state.watch_queue {
        return Err("notification pipe");
    }
    if file.flags() & O_DIRECT != 0 {
        return Err("pipe in packet mode");
    }
    if state.content > (CONTENT_MAX as usize).min(state.capacity as usize) {
        return Err("pipe with that much content");
    }
    Ok(())
}

/// The objref of the pipe behind an open file; it is written when first met.
pub(super) fn dump(file: &File, pipe: &Pipe<'_>, dump: &mut Dump<'_>) -> Result<u32> {
    if let Some(objref) = dump.seen.get(pipe.address()) {
        return Ok(objref);
    }
    let content = pipe.copy_content(CONTENT_MAX as usize)?;
    // The file keeps the pipe, and so its address.
    let objref = dump.seen.add(pipe.address(), Keeper::File(file.clone()))?;
    let fixed = PipeRecord {
        objref,
        capacity: pipe.state()?.capacity,
        content: content.len() as u32,
        reserved: 0,
    };
    dump.out.record_with(&fixed, &content[..])?;
    Ok(objref)
}

pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let r: PipeRecord = restore.input.fixed()?;
    let content = restore.input.variable();
    if r.objref != restore.made.next()
        || content.len() != r.content as usize
        || r.content > CONTENT_MAX
        || r.content > r.capacity
        || r.capacity > CAPACITY_MAX
        || r.reserved != 0
    {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a pipe record")));
    }
    let me = restore.me;
    let at = me.put_words(&[0])?;
    me.call(nr::__NR_pipe2, &[at, O_CLOEXEC])
        .context(format_args!("cannot make a pipe"))?;
    let [read_fd, write_fd] = me.get_pair(at)?;
    let made = (|| -> Result<Object> {
        me.call(
            nr::__NR_fcntl,
            &[u64::from(read_fd), F_SETPIPE_SZ, u64::from(r.capacity)],
        )
        .context(format_args!("cannot give a pipe {} bytes", r.capacity))?;
        let (read, write) = (File::from_fd(read_fd as i32)?, File::from_fd(write_fd as i32)?);
        // It fits: the capacity is at least the content, and whole pages are filled. Never wait if it does not.
        write.set_nonblock(true);
        write
            .write_all(content, None)
            .context(format_args!("cannot fill a pipe"))?;
        write.set_nonblock(false);
        Ok(Object::Pipe(read, write))
    })();
    for fd in [read_fd, write_fd] {
        me.call(nr::__NR_close, &[u64::from(fd)])?;
    }
    made
}

/// An end of a pipe that has been made.
pub(super) fn end(restore: &Restore<'_>, objref: u32, flags: u32) -> Result<File> {
    const O_ACCMODE: u32 = 3;
    const O_NONBLOCK: u32 = 0o4000;
    let Some(Object::Pipe(read, write)) = restore.made.get(objref) else {
        return Err(restore.input.bad(EBADMSG, format_args!("object {objref} is no pipe")));
    };
    let file = match flags & O_ACCMODE {
        0 => read,
        1 => write,
        _ => return Err(restore.input.bad(EBADMSG, format_args!("wrong access mode of a pipe"))),
    };
    file.set_nonblock(flags & O_NONBLOCK != 0);
    Ok(file.clone())
}
