// SPDX-License-Identifier: GPL-2.0

//! fanotify of the kind that anybody may make.
//!
//! Saved: one that names files by handles (FAN_REPORT_FID and its kin), that watches files and directories, and has nothing to tell: what
//! it was made with; its marks by paths that lead there, their masks, ignored masks and flags; that who has made it had no privileges.
//! Not saved: as of inotify (file/inotify.rs): whose fs.fanotify.max_user_groups and max_user_marks it counts for (those of the
//! restarter, in the user namespace of the process), how many events may wait (fs.fanotify.max_queued_events at restart).
//! Refused: one with events that wait; permission events, and whatever else takes privileges to make (descriptors, pidfds or thread ids in
//! events, limits taken away, audit); marks of mounts, file systems and mount namespaces, of files without a name, or to which no path is
//! known; ignored masks that a modification ends; a mark that says only FAN_EVENT_ON_CHILD, and of no event; one of another user namespace
//! than its process; one that a process outside of the target holds, too.
//! Shown by: file/keeps_fanotify, refuse/fanotify, hostile/values_of_fanotify.
//!
//! One that somebody with privileges has made needs them to be restarted: it names the processes of others.
//!
//! Records: [`ckpt_uapi::record::fanotify`].  C sources: `fs/notify/fanotify/`

use super::{
    super::in_announced,
    census::is_only_of,
    inotify::{print_path, Lost},
    Dump,
    Restore,
    Target, //
};
use crate::{
    error::{Context, Fault, Result},
    objects::{Keeper, Object},
    wrapper::{
        fanotify::{Fanotify, Mark, State},
        file::{take_fd, with_fd, File},
        path::PathBuf,
        syscall::nr, //
    },
};
use ckpt_uapi::{
    record::{
        fanotify::{mark, Fanotify as Record, Mark as MarkRecord, FLAGS, MADE, MASK, REPORT},
        RecordType,
    },
    statefile::PATH_MAX,
};
use kernel::prelude::*;

/// `AT_FDCWD`
const CWD: u64 = -100_i64 as u64;
/// `FAN_MARK_ADD` and `FAN_MARK_DONT_FOLLOW` of linux/fanotify.h.
const ADD: u32 = 0x1 | 0x4;
/// `FAN_MARK_IGNORED_MASK`
const IGNORED_MASK: u32 = 0x20;
/// `FAN_EVENT_ON_CHILD`
const ON_CHILD: u32 = 0x0800_0000;

const LOST: Lost = [
    "fanotify that watches a file without a name",
    "fanotify that watches a file to which no path is known",
];

/// One that is to begin when everybody has all that he needs: what is done until then tells it nothing.
pub(crate) struct Building {
    objref: u32,
    file: File,
    /// Marks that have not come.
    missing: u32,
    /// Those that have, but what may go by itself.
    lasting: usize,
}

impl Building {
    /// Whether it watches all that it should.
    pub(crate) fn is_done(&self) -> bool {
        self.missing == 0
    }
}

/// Why one of this kind cannot be saved, if it cannot.
fn check_state(state: &State) -> Option<&'static str> {
    if state.flags & !MADE != 0 || state.flags & REPORT == 0 {
        Some("fanotify of a kind that takes privileges")
    } else if !state.own_namespace {
        Some("fanotify of another user namespace")
    } else if state.queued != 0 {
        Some("fanotify with events that wait")
    } else {
        None
    }
}

/// Finds a path to what is marked; why the mark cannot be saved, if it cannot.
fn check_mark(target: &Target<'_>, mark: &Mark, out: &mut PathBuf) -> Result<Option<&'static str>> {
    let Some(inode) = &mark.inode else {
        return Ok(Some("fanotify with a mark of a mount or file system"));
    };
    let is_odd = (mark.mask | mark.ignored) & !MASK != 0
        || (mark.mask | mark.ignored) & !ON_CHILD == 0
        || mark.flags & !mark::ALL != 0
        || (mark.ignored == 0 && mark.flags & (mark::SURVIVES | mark::IGNORE) != 0);
    if is_odd {
        return Ok(Some("fanotify with an unusual mark"));
    }
    if mark.ignored != 0 && mark.flags & mark::SURVIVES == 0 {
        return Ok(Some("fanotify with an ignored mask that a modification ends"));
    }
    print_path(target, inode, LOST, out)
}

/// Why it cannot be saved, if it cannot. `held` is the number of references to the file that the caller has.
pub(super) fn check(
    target: &Target<'_>,
    file: &File,
    fanotify: &Fanotify<'_>,
    held: usize,
) -> Result<Option<&'static str>> {
    if !is_only_of(target.whole, file, held) {
        return Ok(Some("fanotify that another process holds"));
    }
    if !target.whole.census.is_first_look(file)? {
        return Ok(None);
    }
    if let Some(what) = check_state(&fanotify.state(target.leader)) {
        return Ok(Some(what));
    }
    let mut path = PathBuf::new()?;
    for mark in fanotify.marks()? {
        if let Some(what) = check_mark(target, &mark, &mut path)? {
            return Ok(Some(what));
        }
    }
    Ok(None)
}

/// Writes the object; its objref.
pub(super) fn dump(target: &Target<'_>, file: &File, fanotify: &Fanotify<'_>, dump: &mut Dump<'_>) -> Result<u32> {
    let refused = |what: &str| Fault::new(EOPNOTSUPP, format_args!("{what}")).kind(RecordType::Fanotify);
    let state = fanotify.state(target.leader);
    if let Some(what) = check_state(&state) {
        return Err(refused(what));
    }
    let objref = dump.seen.add(file.address(), Keeper::File(file.clone()))?;
    let marks = fanotify.marks()?;
    dump.out.record(&Record {
        objref,
        flags: file.flags() & FLAGS,
        made: state.flags,
        event_flags: state.event_flags,
        unprivileged: u32::from(state.unprivileged),
        marks: marks.len() as u32,
    })?;
    let mut path = PathBuf::new()?;
    // The kernel has the newest first.
    for mark in marks.iter().rev() {
        if let Some(what) = check_mark(target, mark, &mut path)? {
            return Err(refused(what));
        }
        // What is no directory has it from the kernel, which does not take it from everybody.
        let kept = if mark.is_directory { MASK } else { MASK & !ON_CHILD };
        let r = MarkRecord {
            fanotify: objref,
            mask: mark.mask & kept,
            ignored: mark.ignored & kept,
            flags: mark.flags,
            path_len: path.as_bytes().len() as u32,
            reserved: 0,
        };
        dump.out.record_with(&r, path.as_bytes())?;
    }
    Ok(objref)
}

fn bad_values(restore: &Restore<'_>) -> Fault {
    restore
        .input
        .bad(EBADMSG, format_args!("wrong values in a fanotify record"))
}

/// Makes the object, which watches nothing yet.
pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let r: Record = restore.input.only()?;
    if r.objref != restore.made.next()
        || r.flags & !FLAGS != 0
        || r.made & !MADE != 0
        || r.made & REPORT == 0
        || r.unprivileged > 1
        || !restore.late.fanotifies.last().is_none_or(Building::is_done)
    {
        return Err(bad_values(restore));
    }
    let me = restore.me;
    // It belongs to the user namespace of who makes it: that in which the task will live.
    let fd = in_announced(restore, |restore| {
        let made = [u64::from(r.made), u64::from(r.event_flags)];
        restore
            .me
            .call(nr::__NR_fanotify_init, &made)
            .context(format_args!("cannot make a fanotify"))
    })?;
    let file = take_fd(me, fd)?;
    file.set_nonblock(r.flags != 0);
    let fanotify = Fanotify::of(&file).ok_or(EINVAL)?;
    match (r.unprivileged == 1, fanotify.state(me.task()).unprivileged) {
        (true, false) => fanotify.make_unprivileged(),
        (false, true) => {
            return Err(Fault::new(
                EPERM,
                format_args!("a fanotify made with CAP_SYS_ADMIN needs that to be restarted"),
            )
            .kind(RecordType::Fanotify))
        }
        _ => {}
    }
    let building = Building {
        objref: r.objref,
        file: file.clone(),
        missing: r.marks,
        lasting: 0,
    };
    restore.late.fanotifies.push(building, GFP_KERNEL_ACCOUNT)?;
    Ok(Object::File(file, 0, 0))
}

/// Has it watch a file, with the right to do so that the restarter has.
pub(super) fn restore_mark(restore: &mut Restore<'_>) -> Result {
    let r: MarkRecord = restore.input.fixed()?;
    let path = restore.input.variable();
    let building = restore.late.fanotifies.last_mut().filter(|b| b.objref == r.fanotify);
    let is_path = path.first() == Some(&b'/') && path.len() < PATH_MAX && !path.contains(&0);
    let is_right = is_path
        && path.len() == r.path_len as usize
        && (r.mask | r.ignored) & !MASK == 0
        && r.mask | r.ignored != 0
        && r.flags & !mark::ALL == 0
        && (r.ignored != 0) == (r.flags & mark::SURVIVES != 0)
        && (r.ignored != 0 || r.flags & mark::IGNORE == 0)
        && r.reserved == 0;
    let Some(building) = building.filter(|b| b.missing != 0 && is_right) else {
        return Err(bad_values(restore));
    };
    let me = restore.me;
    let name = core::str::from_utf8(path).unwrap_or("(not UTF-8)");
    let evictable = r.flags & mark::EVICTABLE;
    let ignore = match r.flags & mark::IGNORE {
        0 => IGNORED_MASK,
        ignore => ignore,
    };
    with_fd(me, &building.file, |fd| -> kernel::error::Result {
        let at = me.put_path(path)?;
        let add = |flags: u32, mask: u32| match mask {
            0 => Ok(0),
            mask => {
                let flags = u64::from(ADD | evictable | flags);
                me.call(nr::__NR_fanotify_mark, &[fd, flags, u64::from(mask), CWD, at])
            }
        };
        add(0, r.mask)?;
        add(ignore | mark::SURVIVES, r.ignored)?;
        Ok(())
    })
    .context(format_args!("cannot watch {name}"))?;
    building.missing -= 1;
    building.lasting += usize::from(evictable == 0);
    Ok(())
}

/// From now on it tells what happens.
pub(super) fn begin(building: &Building) -> Result {
    let fanotify = Fanotify::of(&building.file).ok_or(EINVAL)?;
    fanotify.begin();
    let lasting = |mark: &&Mark| mark.flags & mark::EVICTABLE == 0;
    // Also when two names lead to one file by now.
    if fanotify.marks()?.iter().filter(lasting).count() != building.lasting {
        return Err(Fault::new(
            ESTALE,
            format_args!("a file that a fanotify watches has been removed or replaced during the restart"),
        )
        .kind(RecordType::Fanotify));
    }
    Ok(())
}
