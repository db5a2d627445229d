// SPDX-License-Identifier: GPL-2.0

//! Open POSIX message queues (mq_open(3)).
//!
//! Saved: which queue, O_* flags; that the process is told of a message in an empty queue (mq_notify(3)), by a signal or not at all.
//! Not saved: that a process outside of the target is told of a message in a queue of the target's namespace.
//! Refused: queues whose names have been removed, or of another ipc namespace than the process's; being told by a thread
//! (SIGEV_THREAD).
//! Shown by: ipc/keeps_open_posix_queues, refuse/mqueue, refuse/deleted_message_queue, hostile/values_of_ipc.
//!
//! Record: [`ckpt_uapi::record::mqueue`].  C source: `ipc/mqueue.c`

use super::{Dump, FrozenTask, Late, Obstacles, Resource, Restore, Scope, Target};
use crate::{
    error::{Context, Fault, Result},
    objects::{Keeper, Object},
    wrapper::{
        file::{collect_fds, take_fd, File},
        ns::{Kind, Nsproxy},
        path::PathBuf,
        syscall::{nr, CurrentTask},
        task::Task, //
    },
};
use ckpt_uapi::record::{
    mqueue::{notify, MqNotify, Mqd, FLAGS, NAME_MAX},
    Record, RecordType,
};
use kernel::prelude::*;

/// Whether it was opened by mq_open(3), and not by a path in a mounted file system.
pub(super) fn is_queue(target: &Target<'_>, file: &File) -> Result<bool> {
    // Asked of every file, and hardly one is.
    if file.queue(None).is_none() {
        return Ok(false);
    }
    let mut path = PathBuf::new()?;
    Ok(!file.print_path(target.names, &mut path)? && !file.print_path(&target.whole.caller_fs, &mut path)?)
}

/// Why it cannot be saved, if it cannot.
pub(super) fn check(target: &Target<'_>, file: &File) -> Result<Option<&'static str>> {
    let ns = Nsproxy::of(target.leader)?.address(Kind::Ipc);
    Ok(match file.queue(None) {
        _ if file.is_unlinked() => Some("deleted message queue"),
        Some(queue) if queue.ns != ns => Some("message queue of another ipc namespace"),
        _ => None,
    })
}

/// Writes the object; its objref.
pub(super) fn dump(target: &Target<'_>, file: &File, dump: &mut Dump<'_>) -> Result<u32> {
    if let Some(what) = check(target, file)? {
        return Err(super::refuse(file, what));
    }
    let mut path = PathBuf::new()?;
    file.print_any(&mut path)?;
    let name = path.as_bytes().strip_prefix(b"/").ok_or(EINVAL)?;
    let objref = dump.seen.add(file.address(), Keeper::File(file.clone()))?;
    let fixed = Mqd {
        objref,
        flags: file.flags() & FLAGS,
        name_len: name.len() as u32,
        reserved: 0,
    };
    dump.out.record_with(&fixed, name)?;
    Ok(objref)
}

/// Opens a queue by the task's own system call.
pub(super) fn restore(restore: &Restore<'_>) -> Result<Object> {
    let r: Mqd = restore.input.fixed()?;
    let (me, input) = (restore.me, &*restore.input);
    let name = input.variable();
    if r.objref != restore.made.next()
        || r.flags & !FLAGS != 0
        || r.reserved != 0
        || name.len() != r.name_len as usize
        || name.is_empty()
        || name.len() > NAME_MAX
        || name.iter().any(|b| matches!(b, 0 | b'/'))
    {
        return Err(input.bad(
            EBADMSG,
            format_args!("wrong values in a record of an open message queue"),
        ));
    }
    let shown = core::str::from_utf8(name).unwrap_or("(not UTF-8)");
    let at = me.put_path(name)?;
    let fd = me
        .call(nr::__NR_mq_open, &[at, u64::from(r.flags)])
        .context(format_args!("cannot open message queue /{shown}"))?;
    let file = take_fd(me, fd)?;
    let now = file.stat()?;
    Ok(Object::File(file, now.size, now.mtime_ns))
}

/// Who is told of messages.
pub(crate) struct NotifyRoom;

/// Calls `look` with a descriptor of each queue that tells the process of messages: how.
fn each(leader: &Task, look: &mut dyn FnMut(MqNotify) -> Result) -> Result {
    let mut met: KVec<usize> = KVec::new();
    let mut from = Some(0);
    while from.is_some() {
        for fd in collect_fds(leader, &mut from)?.iter() {
            let Some(queue) = fd
                .file
                .queue(Some(leader))
                .filter(|queue| queue.tells && !fd.file.is_path())
            else {
                continue;
            };
            if met.contains(&queue.inode) {
                continue;
            }
            met.push(queue.inode, GFP_KERNEL_ACCOUNT)?;
            look(MqNotify {
                fd: fd.fd,
                notify: queue.notify,
                signal: queue.signal,
                reserved: 0,
                value: queue.value,
            })?;
        }
    }
    Ok(())
}

fn is_known(r: &MqNotify) -> bool {
    match r.notify {
        notify::SIGNAL => (1..=64).contains(&r.signal),
        notify::NONE => r.signal == 0 && r.value == 0,
        _ => false,
    }
}

impl Resource for NotifyRoom {
    const RECORDS: &'static [RecordType] = &[MqNotify::TYPE];
    const SCOPE: Scope = Scope::Process;
    const REQUIRED: bool = false;
    const REPEATS: bool = true;

    fn check(target: &Target<'_>, _task: &Task, obstacles: &mut dyn Obstacles) -> Result {
        each(target.leader, &mut |r| {
            if !is_known(&r) {
                obstacles.add(
                    Fault::new(
                        EOPNOTSUPP,
                        format_args!(
                            "being told of messages by a thread (mq_notify with SIGEV_THREAD) cannot be saved"
                        ),
                    )
                    .kind(RecordType::MqNotify)
                    .fd(r.fd),
                );
            }
            Ok(())
        })
    }

    fn dump(target: &Target<'_>, _task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        each(target.leader, &mut |r| dump.out.record(&r))
    }

    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let r: MqNotify = restore.input.only()?;
        if !is_known(&r) || r.reserved != 0 {
            return Err(restore.input.bad(
                EBADMSG,
                format_args!("wrong values in a record of who is told of messages"),
            ));
        }
        Ok(restore.late.notified.push(r, GFP_KERNEL_ACCOUNT)?)
    }

    /// Not before: who closes a descriptor of the queue, as threads do with descriptors that are not theirs, is told no more.
    fn start(me: &CurrentTask, late: &Late) -> Result {
        for r in &late.notified {
            // struct sigevent: value, signal, how.
            let how = u64::from(r.signal) | u64::from(r.notify) << 32;
            let at = me.put_words(&[r.value, how, 0, 0, 0, 0, 0, 0])?;
            me.call(nr::__NR_mq_notify, &[u64::from(r.fd), at])
                .context(format_args!("cannot be told of messages again"))
                .map_err(|f| f.fd(r.fd))?;
        }
        Ok(())
    }
}
