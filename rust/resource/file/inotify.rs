// SPDX-License-Identifier: GPL-2.0

//! inotify.
//!
//! Saved: what it watches, by a path that leads there; masks, numbers of watches and the number that the next one gets; events that nobody
//! has read yet.
//! Not saved: what becomes of watched files between checkpoint and restart: no event tells of it. By which of its names a file was
//! watched. That the server of a file system has another file by that name, and the kernel has not heard of it. Whose
//! fs.inotify.max_user_instances and max_user_watches it counts for: they are the restarter's. How many events may wait: as many as
//! fs.inotify.max_queued_events says at restart.
//! Refused: an inotify that a process outside of the target holds, too; one that watches a file that has no name any more, or to which no
//! path leads from the root directory of the mount namespace (or none that the kernel still knows, as of a directory of a FUSE or network
//! file system: naming the file once, as `ls` does, helps then).
//! Shown by: file/keeps_inotify, refuse/inotify, hostile/values_of_inotify.
//!
//! Records: [`ckpt_uapi::record::inotify`].  C sources: `fs/notify/inotify/`

use super::{census::is_only_of, Dump, Restore, Target};
use crate::{
    error::{Context, Fault, Result},
    objects::{Keeper, Object},
    wrapper::{
        file::{take_fd, with_fd, File},
        inotify::{Event, Inode, Inotify},
        path::PathBuf,
        syscall::nr, //
    },
};
use ckpt_uapi::{
    record::{
        inotify::{
            Events, Inotify as Record, Watch as WatchRecord, EVENT_MASK, FLAGS, ONESHOT, Q_OVERFLOW, WATCH_MASK,
        },
        RecordType,
    },
    statefile::PATH_MAX,
};
use kernel::prelude::*;

/// Bytes of events in one record.
const EVENTS: usize = 128 * 1024;
/// `sizeof(struct inotify_event)`.
const HEAD: usize = 16;
/// Longest name, as `NAME_MAX`.
const NAME_MAX: usize = 255;
/// `IN_DONT_FOLLOW`
const DONT_FOLLOW: u32 = 1 << 25;
/// `INOTIFY_IOC_SETNEXTWD` of linux/inotify.h.
const SETNEXTWD: u64 = 0x4004_4900;

/// One that is to begin when everybody has all that he needs: what is done until then tells it nothing.
pub(crate) struct Building {
    objref: u32,
    file: File,
    /// Watches, and those that have not come.
    watches: u32,
    missing: u32,
    /// The last watch that has come.
    last: u32,
    next_wd: u32,
    /// Events that were saved.
    queued: u32,
    /// Watches that tell once only.
    oneshot: KVVec<i32>,
}

impl Building {
    /// Whether it watches all that it should.
    pub(crate) fn is_done(&self) -> bool {
        self.missing == 0
    }
}

/// Why what is watched cannot be saved: it has no name, or no path that is known.
pub(super) type Lost = [&'static str; 2];

const LOST: Lost = [
    "inotify that watches a file without a name",
    "inotify that watches a file to which no path is known",
];

/// Finds a path to what is watched; why it cannot be saved, if there is none.
pub(super) fn print_path(
    target: &Target<'_>,
    inode: &Inode,
    [no_name, no_path]: Lost,
    out: &mut PathBuf,
) -> Result<Option<&'static str>> {
    if inode.is_nameless() {
        return Ok(Some(no_name));
    }
    let found = inode.print_path(target.names, out)?;
    Ok((!found).then_some(no_path))
}

/// Why it cannot be saved, if it cannot. `held` is the number of references to the file that the caller has.
pub(super) fn check(
    target: &Target<'_>,
    file: &File,
    inotify: &Inotify<'_>,
    held: usize,
) -> Result<Option<&'static str>> {
    if !is_only_of(target.whole, file, held) {
        return Ok(Some("inotify that another process holds"));
    }
    if target.whole.census.is_first_look(file)? {
        let mut path = PathBuf::new()?;
        for watch in inotify.watches()? {
            if let Some(what) = print_path(target, &watch.inode, LOST, &mut path)? {
                return Ok(Some(what));
            }
        }
    }
    Ok(None)
}

/// Writes the object; its objref.
pub(super) fn dump(target: &Target<'_>, file: &File, inotify: &Inotify<'_>, dump: &mut Dump<'_>) -> Result<u32> {
    let objref = dump.seen.add(file.address(), Keeper::File(file.clone()))?;
    let watches = inotify.watches()?;
    dump.out.record(&Record {
        objref,
        flags: file.flags() & FLAGS,
        watches: watches.len() as u32,
        // Behind the largest number comes the smallest again.
        next_wd: i32::try_from(inotify.next_wd()).map_or(1, |n| n.max(1)) as u32,
    })?;
    let mut from = 0;
    let mut bytes: KVVec<u8> = KVVec::zeroed(EVENTS, GFP_KERNEL_ACCOUNT)?;
    loop {
        let (n, used) = inotify.events(from, &mut bytes)?;
        if n == 0 {
            break;
        }
        from = from.saturating_add(n);
        let r = Events {
            inotify: objref,
            length: used as u32,
        };
        dump.out.record_with(&r, &bytes[..used])?;
    }
    let mut path = PathBuf::new()?;
    for watch in watches {
        if let Some(what) = print_path(target, &watch.inode, LOST, &mut path)? {
            return Err(Fault::new(EOPNOTSUPP, format_args!("{what}")).kind(RecordType::Inotify));
        }
        let r = WatchRecord {
            inotify: objref,
            wd: watch.wd,
            mask: watch.mask & WATCH_MASK,
            path_len: path.as_bytes().len() as u32,
        };
        dump.out.record_with(&r, path.as_bytes())?;
    }
    Ok(objref)
}

fn bad_values(restore: &Restore<'_>) -> Fault {
    restore
        .input
        .bad(EBADMSG, format_args!("wrong values in an inotify record"))
}

/// Makes the object, which watches nothing yet.
pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let r: Record = restore.input.only()?;
    if r.objref != restore.made.next()
        || r.flags & !FLAGS != 0
        || !(1..=i32::MAX as u32).contains(&r.next_wd)
        || !restore.late.inotifies.last().is_none_or(Building::is_done)
    {
        return Err(bad_values(restore));
    }
    let me = restore.me;
    let fd = me
        .call(nr::__NR_inotify_init1, &[0])
        .context(format_args!("cannot make an inotify"))?;
    let file = take_fd(me, fd)?;
    file.set_nonblock(r.flags != 0);
    with_fd(me, &file, |fd| {
        me.call(nr::__NR_ioctl, &[fd, SETNEXTWD, u64::from(r.next_wd)])
    })?;
    let building = Building {
        objref: r.objref,
        file: file.clone(),
        watches: r.watches,
        missing: r.watches,
        last: 0,
        next_wd: r.next_wd,
        queued: 0,
        oneshot: KVVec::new(),
    };
    restore.late.inotifies.push(building, GFP_KERNEL_ACCOUNT)?;
    Ok(Object::File(file, 0, 0))
}

/// The next event, and what is behind it.
fn split_event(bytes: &[u8]) -> Option<(Event, &[u8], &[u8])> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let word = |i: usize| head.get(4 * i..4 * i + 4)?.try_into().ok().map(u32::from_ne_bytes);
    let (padded, rest) = rest.split_at_checked(word(3)? as usize)?;
    let length = padded.iter().position(|b| *b == 0).unwrap_or(padded.len());
    let event = Event {
        wd: word(0)? as i32,
        mask: word(1)?,
        cookie: word(2)?,
    };
    let is_overflow = event.mask & Q_OVERFLOW != 0;
    let is_right = event.mask & !EVENT_MASK == 0
        && length <= NAME_MAX
        && (length < padded.len() || padded.is_empty())
        && if is_overflow { event.wd == -1 } else { event.wd >= 1 };
    is_right.then_some((event, &padded[..length], rest))
}

/// Lets it tell what it had not told.
pub(super) fn restore_events(restore: &mut Restore<'_>) -> Result {
    let r: Events = restore.input.fixed()?;
    let mut bytes = restore.input.variable();
    let building = restore.late.inotifies.last_mut().filter(|b| b.objref == r.inotify);
    let (Some(building), true) = (building, bytes.len() == r.length as usize) else {
        return Err(bad_values(restore));
    };
    let inotify = Inotify::of(&building.file).ok_or(EINVAL)?;
    if building.last != 0 {
        return Err(bad_values(restore));
    }
    while !bytes.is_empty() {
        let Some((event, name, rest)) = split_event(bytes) else {
            return Err(bad_values(restore));
        };
        inotify.queue(event, name)?;
        bytes = rest;
    }
    building.queued = inotify.queued();
    Ok(())
}

/// Has it watch a file, with the right to do so that the restarter has. It may tell more than once, for now.
pub(super) fn restore_watch(restore: &mut Restore<'_>) -> Result {
    let r: WatchRecord = restore.input.fixed()?;
    let path = restore.input.variable();
    let building = restore.late.inotifies.last_mut().filter(|b| b.objref == r.inotify);
    let is_path = path.first() == Some(&b'/') && path.len() < PATH_MAX && !path.contains(&0);
    let is_right = |b: &&mut Building| b.missing != 0 && r.wd > b.last;
    let building = building.filter(is_right).filter(|_| {
        is_path && path.len() == r.path_len as usize && r.mask & !WATCH_MASK == 0 && i32::try_from(r.wd).is_ok()
    });
    let Some(building) = building else {
        return Err(bad_values(restore));
    };
    let me = restore.me;
    let name = core::str::from_utf8(path).unwrap_or("(not UTF-8)");
    let mask = r.mask & !ONESHOT | DONT_FOLLOW;
    let wd = with_fd(me, &building.file, |fd| -> kernel::error::Result<usize> {
        let at = me.put_path(path)?;
        me.call(nr::__NR_ioctl, &[fd, SETNEXTWD, u64::from(r.wd)])?;
        let wd = me.call(nr::__NR_inotify_add_watch, &[fd, at, u64::from(mask)])?;
        me.call(nr::__NR_ioctl, &[fd, SETNEXTWD, u64::from(building.next_wd)])?;
        Ok(wd)
    })
    .context(format_args!("cannot watch {name}"))?;
    if wd != r.wd as usize {
        return Err(Fault::new(
            ESTALE,
            format_args!("{name} is watched already, by another name that it had not before"),
        ));
    }
    building.last = r.wd;
    building.missing -= 1;
    if r.mask & ONESHOT != 0 {
        building.oneshot.push(r.wd as i32, GFP_KERNEL_ACCOUNT)?;
    }
    Ok(())
}

/// From now on it tells what happens.
pub(super) fn begin(building: &Building) -> Result {
    let inotify = Inotify::of(&building.file).ok_or(EINVAL)?;
    if inotify.begin(building.queued, &building.oneshot) != building.watches {
        return Err(Fault::new(
            ESTALE,
            format_args!("a file that an inotify watches has been removed during the restart"),
        )
        .kind(RecordType::Inotify));
    }
    Ok(())
}
