// SPDX-License-Identifier: GPL-2.0

//! Pipes and named FIFOs both ends of which belong to the target.
//!
//! Saved: content, capacity, O_NONBLOCK, any number of open files of each end; an end that is closed stays closed. A FIFO is
//! opened by its path.
//! Not saved: who waits (blocked readers and writers restart their system calls).
//! Refused: ends outside of the target (but for inherited stdio, which is relinked), FIFOs whose name has been removed,
//! notification pipes (`watch_queue`), packet mode (O_DIRECT), more content than a record holds.
//! Shown by: file/keeps_pipes_inside, tree/keeps_a_pipeline, refuse/pipe, refuse/locked_pipe.
//!
//! Record: [`ckpt_uapi::record::pipe`].  C header: `include/linux/pipe_fs_i.h`

use super::{Dump, Restore, Target};
use crate::{
    error::{Context, Fault, Result},
    objects::{Keeper, Made as Objects, Object, Pipe as Made},
    statefile::Reader,
    wrapper::{
        fcntl::{O_ACCMODE, O_CLOEXEC, O_DIRECT, O_NONBLOCK, O_RDWR},
        file::{with_fd, File},
        pipe::Pipe,
        syscall::{nr, CurrentTask},
    },
};
use ckpt_uapi::{
    record::pipe::{Pipe as PipeRecord, CONTENT_MAX},
    statefile::PATH_MAX, //
};
use kernel::prelude::*;

const F_SETPIPE_SZ: u64 = 1031;
/// Largest capacity that a statefile may ask for: what the kernel itself allows at most.
const CAPACITY_MAX: u32 = 1 << 31;

/// Whether all open files of the pipe are descriptors of the target.
pub(super) fn is_inside(target: &Target<'_>, pipe: &Pipe<'_>) -> Result<bool> {
    let state = pipe.state()?;
    Ok(target.whole.census.has_all_ends(pipe, state.readers, state.writers))
}

/// Why a pipe that is inside cannot be saved, if it cannot.
pub(super) fn check(file: &File, pipe: &Pipe<'_>) -> core::result::Result<(), &'static str> {
    let Ok(state) = pipe.state() else {
        return Err("pipe that is busy");
    };
    if state.watch_queue {
        return Err("notification pipe");
    }
    if file.flags() & O_DIRECT != 0 {
        return Err("pipe in packet mode");
    }
    if state.content > (CONTENT_MAX as usize).min(state.capacity as usize) {
        return Err("pipe with that much content");
    }
    if Pipe::is_named(file) && file.is_unlinked() {
        return Err("FIFO whose name has been removed");
    }
    Ok(())
}

/// The objref of the pipe behind an open file; it is written when first met. `path` is that of a named FIFO.
pub(super) fn dump(file: &File, pipe: &Pipe<'_>, path: &[u8], dump: &mut Dump<'_>) -> Result<u32> {
    if let Some(objref) = dump.seen.get(pipe.address()) {
        return Ok(objref);
    }
    let path = if Pipe::is_named(file) { path } else { &[] };
    let mut content = pipe.copy_content(CONTENT_MAX as usize)?;
    // The file keeps the pipe, and so its address.
    let objref = dump.seen.add(pipe.address(), Keeper::File(file.clone()))?;
    let fixed = PipeRecord {
        objref,
        capacity: pipe.state()?.capacity,
        content: content.len() as u32,
        path_len: path.len() as u32,
    };
    content.extend_from_slice(path, GFP_KERNEL_ACCOUNT)?;
    dump.out.record_with(&fixed, &content[..])?;
    Ok(objref)
}

pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let r: PipeRecord = restore.input.fixed()?;
    let body = restore.input.variable();
    let bad = |what: &str| restore.input.bad(EBADMSG, format_args!("{what}"));
    if r.objref != restore.made.next()
        || r.content > CONTENT_MAX
        || r.path_len as usize > PATH_MAX
        || body.len() as u64 != u64::from(r.content) + u64::from(r.path_len)
        || r.content > r.capacity
        || r.capacity > CAPACITY_MAX
    {
        return Err(bad("wrong values in a pipe record"));
    }
    let (content, path) = body.split_at(r.content as usize);
    if r.path_len != 0 {
        if path.first() != Some(&b'/') || path.contains(&0) {
            return Err(bad("not an absolute path"));
        }
        let name = core::str::from_utf8(path).unwrap_or("(not UTF-8)");
        let holder = File::open(path, O_RDWR | O_NONBLOCK).context(format_args!("cannot open {name}"))?;
        let Some(pipe) = Pipe::of(&holder) else {
            return Err(Fault::new(ESTALE, format_args!("{name} is no FIFO any more")));
        };
        // Somebody else's data must not get in between.
        let now = pipe.state()?;
        if (now.readers, now.writers, now.content) != (1, 1, 0) {
            return Err(Fault::new(EBUSY, format_args!("{name} is in use by another process")));
        }
        with_fd(restore.me, &holder, |fd| resize(restore.me, fd, r.capacity))?;
        fill(&holder, content)?;
        return Ok(Object::Pipe(Made {
            holder,
            ends: [None, None],
        }));
    }
    let me = restore.me;
    let at = me.put_words(&[0])?;
    me.call(nr::__NR_pipe2, &[at, u64::from(O_CLOEXEC)])
        .context(format_args!("cannot make a pipe"))?;
    let [read_fd, write_fd] = me.get_pair(at)?;
    let made = (|| -> Result<Object> {
        resize(me, u64::from(read_fd), r.capacity)?;
        let (read, write) = (File::from_fd(read_fd as i32)?, File::from_fd(write_fd as i32)?);
        fill(&write, content)?;
        Ok(Object::Pipe(Made {
            holder: read.clone(),
            ends: [Some(read), Some(write)],
        }))
    })();
    for fd in [read_fd, write_fd] {
        me.call(nr::__NR_close, &[u64::from(fd)])?;
    }
    made
}

fn resize(me: &CurrentTask, fd: u64, capacity: u32) -> Result {
    me.call(nr::__NR_fcntl, &[fd, F_SETPIPE_SZ, u64::from(capacity)])
        .context(format_args!("cannot give a pipe {capacity} bytes"))?;
    Ok(())
}

/// It fits: the capacity is at least the content, and whole pages are filled. Never wait if it does not.
fn fill(write: &File, content: &[u8]) -> Result {
    write.set_nonblock(true);
    write
        .write_all(content, None)
        .context(format_args!("cannot fill a pipe"))?;
    write.set_nonblock(false);
    Ok(())
}

/// Another open file of a pipe that has been made.
pub(super) fn end(made: &mut Objects, input: &Reader, objref: u32, flags: u32) -> Result<File> {
    let Some(pipe) = made.pipe(objref) else {
        return Err(input.bad(EBADMSG, format_args!("object {objref} is no pipe")));
    };
    let access = flags & O_ACCMODE;
    if access == O_ACCMODE {
        return Err(input.bad(EBADMSG, format_args!("wrong access mode of a pipe")));
    }
    let file = match pipe.ends.get_mut(access as usize).and_then(Option::take) {
        Some(file) => file,
        // Both ends are open: nobody has to be waited for.
        None => pipe
            .holder
            .reopen(flags | O_NONBLOCK)
            .context(format_args!("cannot open a pipe once more"))?,
    };
    file.set_nonblock(flags & O_NONBLOCK != 0);
    Ok(file)
}
