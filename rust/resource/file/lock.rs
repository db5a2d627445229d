// SPDX-License-Identifier: GPL-2.0

//! Locks of flock(2) and fcntl(2) on regular files and directories.
//!
//! Saved: the lock of flock(2) of an open file; locks of fcntl(F_OFD_SETLK), which belong to the open file, and of fcntl(F_SETLK),
//! which belong to the process, or to all that share its descriptor table: type and range. Whoever waits for one goes on waiting; no
//! task runs before all locks of all tasks are there.
//! Not saved: which of several processes that share a descriptor table has taken a lock (`l_pid`); locks that only the server of a
//! FUSE file system knows; who has waited longest.
//! Refused: locks of fcntl(2) on what is neither a regular file nor a directory; any lock on a socket, a message queue, or what stands
//! for events.
//! Shown by: file/keeps_locks, file/lock_of, refuse/locked, hostile/values_of_locks.
//!
//! At restart a lock that somebody else has taken in the meantime is an error.
//!
//! Record: [`ckpt_uapi::record::lock`].  C header: `include/linux/filelock.h`

use super::{is_left_out, mode, owner, Dump, Restore, Target};
use crate::{
    error::{Context, Fault, Result},
    wrapper::{
        file::{with_fd, File},
        lock::{ranges, Locks, Range},
        path::PathBuf,
        syscall::{nr, CurrentTask}, //
    },
};
use ckpt_uapi::record::lock::{holder, kind, Lock, Locks as Record};
use core::fmt;
use kernel::{prelude::*, rbtree::RBTree};

/// Entries of one record.
const ENTRIES: usize = 8192;

/// Commands of fcntl(2), as in `asm-generic/fcntl.h`.
const F_GETLK: u64 = 5;
const F_SETLK: u64 = 6;
const F_OFD_GETLK: u64 = 36;
const F_OFD_SETLK: u64 = 37;
/// Type of no lock.
const F_UNLCK: u32 = 2;

/// Why what is held through a file cannot be saved, if it cannot. POSIX locks are those of the descriptor table of the leader.
pub(super) fn check(target: &Target<'_>, file: &File) -> Option<&'static str> {
    let locks = Locks::of(file, target.leader);
    let format = file.mode() & mode::FMT;
    let is_queue = file.queue(None).is_some();
    let on_file = matches!(format, mode::REGULAR | mode::DIRECTORY) && !is_queue;
    // Those of flock(2) are kept also of devices, pipes and pseudoterminals, which have a place for it in their records.
    let has_flock = locks.flock != 0 && (is_queue || matches!(format, 0 | mode::SOCKET));
    if has_flock || locks.of_file + locks.of_table > 0 && !on_file {
        return Some("lock on what is no file");
    }
    owner::check_lease(target, file, locks.lease?)
}

/// Writes the locks of an open file that has just been written.
pub(super) fn dump_of_file(file: &File, objref: u32, locks: &Locks, dump: &mut Dump<'_>) -> Result {
    if locks.of_file == 0 {
        return Ok(());
    }
    write(holder::OPEN_FILE, objref, &ranges(file, None)?, dump)
}

/// Descriptors by which a process holds locks, one for each open file.
pub(crate) struct Holding<'a> {
    target: &'a Target<'a>,
    by: KVVec<(u32, File)>,
    known: RBTree<usize, ()>,
}

impl<'a> Holding<'a> {
    /// None yet of the descriptor table of the leader.
    pub(crate) fn by(target: &'a Target<'a>) -> Self {
        Self {
            target,
            by: KVVec::new(),
            known: RBTree::new(),
        }
    }

    /// Looks at one more descriptor.
    pub(crate) fn look_at(&mut self, fd: u32, file: &File) -> Result {
        let holds = !is_left_out(self.target, file) && Locks::of(file, self.target.leader).of_table > 0;
        if holds && self.known.get(&file.address()).is_none() {
            self.known
                .try_create_and_insert(file.address(), (), GFP_KERNEL_ACCOUNT)?;
            self.by.push((fd, file.clone()), GFP_KERNEL_ACCOUNT)?;
        }
        Ok(())
    }

    /// Writes the locks, behind the descriptor table.
    pub(crate) fn dump(&self, dump: &mut Dump<'_>) -> Result {
        for (fd, file) in &self.by {
            let ranges = ranges(file, Some(self.target.leader))?;
            write(holder::TABLE, *fd, &ranges, dump).map_err(|f| f.fd(*fd))?;
        }
        Ok(())
    }
}

fn write(holder: u32, of: u32, ranges: &[Range], dump: &mut Dump<'_>) -> Result {
    for lot in ranges.chunks(ENTRIES) {
        let mut entries: KVVec<Lock> = KVVec::with_capacity(lot.len(), GFP_KERNEL_ACCOUNT)?;
        for range in lot {
            let entry = Lock {
                start: range.start,
                len: range.len,
                kind: range.type_,
                reserved: 0,
            };
            entries.push(entry, GFP_KERNEL_ACCOUNT)?;
        }
        let fixed = Record {
            holder,
            of,
            count: lot.len() as u32,
            reserved: 0,
        };
        dump.out.record_with(&fixed, &entries[..])?;
    }
    Ok(())
}

/// Takes the locks of a record: those of a process by its own descriptor, so that they go with it.
pub(super) fn restore(restore: &mut Restore<'_>) -> Result {
    let r: Record = restore.input.fixed()?;
    let bad = |what: core::fmt::Arguments<'_>| restore.input.bad(EBADMSG, what);
    if r.reserved != 0 {
        return Err(bad(format_args!("wrong values in a locks record")));
    }
    let me = restore.me;
    let entries = restore.input.entries::<Lock>(r.count)?;
    match r.holder {
        holder::TABLE => {
            // Before that the descriptor is the restarter's, or will be closed.
            if restore.late.fds != Some(true) {
                return Err(bad(format_args!("locks of a process before its descriptor table")));
            }
            let fd = i32::try_from(r.of).map_err(|_| bad(format_args!("descriptor {} cannot be", r.of)))?;
            let file = File::from_fd(fd).context(format_args!("descriptor {fd} has locks and is not open"))?;
            let commands = (F_SETLK, F_GETLK);
            take_all(me, &file, r.of.into(), commands, entries).map_err(|f| f.fd(r.of))
        }
        holder::OPEN_FILE => {
            let Some(file) = restore.made.file(r.of) else {
                return Err(bad(format_args!("locks of object {}, which is no file", r.of)));
            };
            let commands = (F_OFD_SETLK, F_OFD_GETLK);
            with_fd(me, file, |fd| take_all(me, file, fd, commands, entries))
        }
        _ => Err(bad(format_args!("unknown holder of locks {}", r.holder))),
    }
}

fn take_all(
    me: &CurrentTask,
    file: &File,
    fd: u64,
    (set, get): (u64, u64),
    entries: impl Iterator<Item = Lock>,
) -> Result {
    for e in entries {
        if ![kind::READ, kind::WRITE].contains(&e.kind) || e.reserved != 0 {
            return Err(Fault::new(EBADMSG, format_args!("unknown kind of lock {}", e.kind)));
        }
        let flock = [u64::from(e.kind), e.start, e.len, 0];
        let at = me.put_words(&flock)?;
        let Err(error) = me.call(nr::__NR_fcntl, &[fd, set, at]) else {
            continue;
        };
        let mut name = PathBuf::new()?;
        file.print_any(&mut name)?;
        // The type comes back in the low half of its word; the process behind the length.
        let found = me.call(nr::__NR_fcntl, &[fd, get, at]).is_ok() && me.get_word(at)? as u16 != F_UNLCK as u16;
        let pid = if found { me.get_word(at + 24)? as i32 } else { 0 };
        return Err(describe(error, name.as_str(), &e, pid));
    }
    Ok(())
}

/// The part of a file that a lock is on, as words.
struct Part<'a>(&'a Lock);

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lock { start, len, .. } = self.0;
        match len.checked_sub(1) {
            None => write!(f, "bytes {start} and more"),
            Some(more) => write!(f, "bytes {start} to {}", start.saturating_add(more)),
        }
    }
}

/// Says which lock is not to be had, and who has it: a process, or -1 for an open file.
fn describe(error: Error, name: &str, e: &Lock, pid: i32) -> Fault {
    let part = Part(e);
    match pid {
        1.. => Fault::new(
            error,
            format_args!("cannot lock {part} of {name} again: process {pid} has a lock there"),
        ),
        -1 => Fault::new(
            error,
            format_args!("cannot lock {part} of {name} again: another open file has a lock there"),
        ),
        _ => Fault::new(error, format_args!("cannot lock {part} of {name} again")),
    }
}

/// Takes a lock as flock(2) does, which wants a descriptor; it belongs to the open file and outlives that.
pub(super) fn flock(me: &CurrentTask, file: &File, operation: u32) -> kernel::error::Result {
    const LOCK_NB: u32 = 4;
    if operation > 2 {
        return Err(EBADMSG);
    }
    with_fd(me, file, |fd| {
        me.call(nr::__NR_flock, &[fd, u64::from(operation | LOCK_NB)])
    })
    .map(|_| ())
}
