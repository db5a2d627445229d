// SPDX-License-Identifier: GPL-2.0

//! POSIX message queues.
//!
//! Saved: of an ipc namespace that is not the caller's, every queue: name, owner, permissions, limits, messages with their priorities,
//! times. Those of the caller's namespace stay where they are, as files do.
//! Not saved: inode numbers, the time of the last change of attributes (ctime); in what order tasks wait in mq_send(3) or mq_receive(3);
//! whose RLIMIT_MSGQUEUE a queue counts for: it is the restarter's.
//! Refused: messages of more than 245,760 bytes; an owner without a number in the target's user namespace; queues that the caller may not
//! read. A restart is when the restarter's RLIMIT_MSGQUEUE has no room for a queue.
//! Open queues, and who is told of messages: file/mqueue.rs.
//! Shown by: ipc/keeps_all_posix_queues, ipc/keeps_queues_with_many_messages, refuse/mqueue_too_long, hostile/queues_with.
//!
//! Record: [`ckpt_uapi::record::mqueue`].  C source: `ipc/mqueue.c`

use super::*;
use crate::wrapper::{
    fcntl::{O_CREAT, O_DIRECTORY, O_EXCL, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR},
    file::{take_fd, with_fd, File}, //
};
use ckpt_uapi::record::mqueue::{NAME_MAX, PRIORITY_MAX, TEXT_MAX};

const PERMISSIONS: u32 = 0o7777;

fn refuse(name: &[u8], why: impl Display) -> Fault {
    let name = core::str::from_utf8(name).unwrap_or("(not UTF-8)");
    Fault::new(
        EOPNOTSUPP,
        format_args!("POSIX message queue /{name} cannot be saved: {why}"),
    )
    .kind(RecordType::Mqueue)
}

/// Calls `look` with each queue of a namespace: its record, name, and the file with the messages.
fn each_queue(ns: &Nsproxy, cred: Cred, look: &mut dyn FnMut(Mqueue, &[u8], &File) -> Result) -> Result {
    let tree = ns.queues(cred);
    let root = tree.open(b"", O_RDONLY | O_DIRECTORY)?;
    loop {
        let lot = root.names()?;
        if lot.is_empty() {
            return Ok(());
        }
        if fatal_signal_pending() {
            return Err(EINTR.into());
        }
        for name in lot.split(|b| *b == 0).filter(|name| !name.is_empty()) {
            let file = match tree.open(name, O_PATH) {
                // While the target runs, queues come and go.
                Err(ENOENT) => continue,
                other => other?,
            };
            let Some(queue) = file.queue(None) else { continue };
            let stat = tree.stat(&file)?;
            if stat.uid == u32::MAX || stat.gid == u32::MAX {
                return Err(refuse(
                    name,
                    "its owner has no number in the user namespace of the target",
                ));
            }
            if !file.may_read() {
                return Err(refuse(name, "the caller may not read it"));
            }
            let small = |n: u64| u32::try_from(n).map_err(|_| EOVERFLOW);
            let r = Mqueue {
                objref: 0,
                mode: stat.mode & PERMISSIONS,
                uid: stat.uid,
                gid: stat.gid,
                maxmsg: small(queue.maxmsg)?,
                msgsize: small(queue.msgsize)?,
                messages: small(queue.messages)?,
                name_len: name.len() as u32,
                atime_ns: stat.atime_ns as u64,
                mtime_ns: stat.mtime_ns as u64,
            };
            look(r, name, &file)?;
        }
    }
}

/// Says whether each message has room in a record.
fn check_messages(name: &[u8], file: &File) -> Result {
    if file.longest_queue_message()? > TEXT_MAX as usize {
        return Err(refuse(
            name,
            format_args!("it has a message of more than {TEXT_MAX} bytes"),
        ));
    }
    Ok(())
}

/// Names what cannot be saved.
pub(super) fn check(ns: &Nsproxy, viewer: Cred) -> Result {
    each_queue(ns, viewer, &mut |_, name, file| check_messages(name, file))
}

pub(super) fn dump(ns: &Nsproxy, viewer: Cred, dump: &mut Dump<'_>) -> Result {
    each_queue(ns, viewer, &mut |mut r, name, file| {
        let inode = file.queue(None).ok_or(EINVAL)?.inode;
        r.objref = dump.seen.add(inode, Keeper::File(file.clone()))?;
        check_messages(name, file)?;
        dump.out.record_with(&r, name)?;
        if r.messages == 0 {
            return Ok(());
        }
        let written = file.queue_messages(&mut |priority, text| {
            let fixed = MqueueText {
                queue: r.objref,
                length: text.len() as u32,
                priority: priority as u32,
                reserved: 0,
            };
            dump.out.record_with(&fixed, text)
        })?;
        if written != u64::from(r.messages) {
            return Err(refuse(name, "a process outside of the target uses it"));
        }
        Ok(())
    })
}

/// Makes a queue by the task's own system call.
pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let r: Mqueue = restore.input.fixed()?;
    let (me, input) = (restore.me, &*restore.input);
    let name = input.variable();
    if r.objref != restore.made.next()
        || !is_name(name, r.name_len)
        || r.mode & !PERMISSIONS != 0
        || r.messages > r.maxmsg
        || restore.late.ipc_limits.is_none()
    {
        return Err(input.bad(EBADMSG, format_args!("wrong values in a message queue record")));
    }
    /// Behind the name.
    const ATTR_AT: usize = 4096;
    let mut attr = [0u8; 64];
    attr[8..16].copy_from_slice(&u64::from(r.maxmsg).to_ne_bytes());
    attr[16..24].copy_from_slice(&u64::from(r.msgsize).to_ne_bytes());
    let path = me.put_path(name)?;
    let attr = me.put_at(ATTR_AT, &attr)?;
    let how = u64::from(O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK);
    let shown = core::str::from_utf8(name).unwrap_or("(not UTF-8)");
    let fd = me
        .call(nr::__NR_mq_open, &[path, how, 0o600, attr])
        .context(format_args!("cannot make message queue /{shown}"))?;
    let file = take_fd(me, fd)?;
    if r.messages == 0 {
        settle(me, &file, &r)?;
    }
    Ok(Object::Mqueue(file, r.messages, KBox::new(r, GFP_KERNEL_ACCOUNT)?))
}

/// Whether these bytes can be the name of a queue.
fn is_name(name: &[u8], length: u32) -> bool {
    name.len() == length as usize
        && !name.is_empty()
        && name.len() <= NAME_MAX
        && !name.iter().any(|b| matches!(b, 0 | b'/'))
}

/// Sends a message by the task's own system call.
pub(super) fn restore_text(restore: &mut Restore<'_>) -> Result {
    let r: MqueueText = restore.input.fixed()?;
    let (me, input) = (restore.me, &*restore.input);
    let text = input.variable();
    let bad = || input.bad(EBADMSG, format_args!("wrong values in a message record"));
    let Some(Object::Mqueue(file, left, queue)) = restore.made.get_mut(r.queue) else {
        return Err(bad());
    };
    if text.len() != r.length as usize
        || r.length > TEXT_MAX
        || r.priority > PRIORITY_MAX
        || r.reserved != 0
        || *left == 0
    {
        return Err(bad());
    }
    *left -= 1;
    let at = me.put(text)?;
    with_fd(me, file, |fd| {
        let words = [fd, at, u64::from(r.length), u64::from(r.priority), 0];
        me.call(nr::__NR_mq_timedsend, &words)
    })
    .context(format_args!("cannot send a message"))?;
    if *left == 0 {
        settle(me, file, queue)?;
    }
    Ok(())
}

/// Gives a queue its owner, permissions and times.
fn settle(me: &CurrentTask, file: &File, r: &Mqueue) -> Result {
    const NS: u64 = 1_000_000_000;
    let [atime, mtime] = [r.atime_ns, r.mtime_ns];
    let times = me.put_words(&[atime / NS, atime % NS, mtime / NS, mtime % NS])?;
    with_fd(me, file, |fd| {
        me.call(nr::__NR_fchown, &[fd, u64::from(r.uid), u64::from(r.gid)])?;
        me.call(nr::__NR_fchmod, &[fd, u64::from(r.mode)])?;
        me.call(nr::__NR_utimensat, &[fd, 0, times, 0])
    })
    .map(|_| ())
    .context(format_args!(
        "cannot give a message queue its owner, permissions or times"
    ))
}
