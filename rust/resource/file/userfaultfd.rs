// SPDX-License-Identifier: GPL-2.0

//! userfaultfd.
//!
//! Saved: one with which no memory is registered: what it was made with, UFFDIO_API and its features.
//! Refused: memory that is registered (mm/vma.rs); one with faults or events that wait to be read or answered; one that watches the
//! memory of another process than that which restores it (the first that has it), or of a program that has been replaced by execve(2);
//! one that a process outside of the target holds, too.
//! Shown by: file/keeps_userfaultfds, refuse/userfaultfd_of_a_child, hostile/values_of_userfaultfds.
//!
//! One that was made by /dev/userfaultfd is made by it again where userfaultfd(2) is not allowed.
//!
//! Record: [`ckpt_uapi::record::userfaultfd`].  C source: `mm/userfaultfd.c`

use super::{census::is_only_of, Dump, Restore, Target};
use crate::{
    error::{Context, Fault, Result},
    objects::{Keeper, Object},
    wrapper::{
        fcntl::O_RDWR,
        file::{take_fd, with_fd, File},
        syscall::{nr, CurrentTask},
        userfaultfd::Userfaultfd, //
    },
};
use ckpt_uapi::record::{
    userfaultfd::{Userfaultfd as Record, FLAGS, MADE},
    RecordType,
};
use kernel::prelude::*;

/// `UFFD_API` of linux/userfaultfd.h.
const API: u64 = 0xaa;
/// `UFFDIO_API`
const IOC_API: u64 = 0xc018_aa3f;
/// `USERFAULTFD_IOC_NEW`
const IOC_NEW: u64 = 0xaa00;

/// Why it cannot be saved although nobody else has it, if it cannot.
fn find_obstacle(target: &Target<'_>, userfaultfd: &Userfaultfd<'_>) -> Option<&'static str> {
    if userfaultfd.mm() != target.leader.shared().mm {
        Some("userfaultfd of the memory of another process")
    } else if userfaultfd.is_busy() {
        Some("userfaultfd with faults or events that wait")
    } else {
        None
    }
}

/// Why it cannot be saved, if it cannot. `held` is the number of references to the file that the caller has.
pub(super) fn check(
    target: &Target<'_>,
    file: &File,
    userfaultfd: &Userfaultfd<'_>,
    held: usize,
) -> Result<Option<&'static str>> {
    if !is_only_of(target.whole, file, held) {
        return Ok(Some("userfaultfd that another process holds"));
    }
    // The first that has it is the one who writes it, and makes it again.
    let is_first = target.whole.census.is_first_look(file)?;
    Ok(find_obstacle(target, userfaultfd).filter(|_| is_first))
}

/// Writes the object; its objref.
pub(super) fn dump(
    target: &Target<'_>,
    file: &File,
    userfaultfd: &Userfaultfd<'_>,
    dump: &mut Dump<'_>,
) -> Result<u32> {
    if let Some(what) = find_obstacle(target, userfaultfd) {
        return Err(Fault::new(EOPNOTSUPP, format_args!("{what}")).kind(RecordType::Userfaultfd));
    }
    let features = userfaultfd.features();
    let r = Record {
        objref: dump.seen.add(file.address(), Keeper::File(file.clone()))?,
        flags: file.flags() & FLAGS,
        made: userfaultfd.made_with() & MADE,
        api: u32::from(features.is_some()),
        features: features.unwrap_or(0),
    };
    dump.out.record(&r)?;
    Ok(r.objref)
}

/// As userfaultfd(2), or, where that is not allowed, by the device that whoever may open it can use.
fn make(me: &CurrentTask, made: u32) -> kernel::error::Result<File> {
    let fd = me.call(nr::__NR_userfaultfd, &[u64::from(made)]).or_else(|e| {
        if e != EPERM {
            return Err(e);
        }
        let device = File::open(b"/dev/userfaultfd", O_RDWR).map_err(|_| e)?;
        with_fd(me, &device, |fd| {
            me.call(nr::__NR_ioctl, &[fd, IOC_NEW, u64::from(made)])
        })
    })?;
    take_fd(me, fd)
}

/// Makes the object.
pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let r: Record = restore.input.only()?;
    if r.objref != restore.made.next()
        || r.flags & !FLAGS != 0
        || r.made & !MADE != 0
        || r.api > 1
        || (r.api == 0 && r.features != 0)
    {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a userfaultfd record")));
    }
    let me = restore.me;
    let file = make(me, r.made).context(format_args!("cannot make a userfaultfd"))?;
    if r.api == 1 {
        with_fd(me, &file, |fd| {
            let at = me.put_words(&[API, r.features, 0])?;
            me.call(nr::__NR_ioctl, &[fd, IOC_API, at])
        })
        .context(format_args!("cannot give a userfaultfd its features {:#x}", r.features))?;
    }
    file.set_nonblock(r.flags != 0);
    Ok(Object::File(file, 0, 0))
}
