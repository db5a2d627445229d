// SPDX-License-Identifier: GPL-2.0

//! System V message queues.
//!
//! Saved: messages with their types, how much may be in the queue, who has sent and received last, times. Who waits in msgsnd(2) or
//! msgrcv(2) goes on waiting.
//! Not saved: in what order tasks wait: of several, another one may get the next message; security labels of messages.
//! Refused: messages of more than 245,760 bytes, more than 262,144 messages in a queue.
//! Shown by: ipc/keeps_message_queues, refuse/msg, hostile/queues_with.
//!
//! Record: [`ckpt_uapi::record::msg`].  C source: `ipc/msg.c`

use super::*;
use ckpt_uapi::record::msg::TEXT_MAX;
use zerocopy::FromZeros;

const IPC_NOWAIT: u64 = 0o4000;

/// Messages that a queue may have: every lot of them is found from the head of the queue on, with its lock held.
const MESSAGES_MAX: u32 = 1 << 18;

pub(super) fn check(ns: &Nsproxy, f: &Fields) -> Result {
    if f.used == 0 {
        return Ok(());
    }
    match ns.longest_message(f.id, MESSAGES_MAX) {
        Ok(longest) if longest > TEXT_MAX as usize => Err(refuse(
            Kind::Msg,
            f.id,
            format_args!("it has a message of more than {TEXT_MAX} bytes"),
        )),
        Err(e) if e == E2BIG => Err(refuse(
            Kind::Msg,
            f.id,
            format_args!("it has more than {MESSAGES_MAX} messages"),
        )),
        // While the target runs, it may have removed it.
        Err(e) if e != ENOENT => Err(e.into()),
        _ => Ok(()),
    }
}

pub(super) fn dump(ns: &Nsproxy, f: &Fields, dump: &mut Dump<'_>) -> Result {
    super::check(ns, Kind::Msg, f)?;
    check(ns, f)?;
    let mut r = Msg::new_zeroed();
    r.objref = dump.seen.add(f.address, Keeper::Task)?;
    r.messages = u32::try_from(f.used).map_err(|_| EOVERFLOW)?;
    r.perm = perm(f);
    r.qbytes = f.size;
    [r.stime, r.rtime, r.ctime] = f.times.map(|t| t as u64);
    [r.lspid, r.lrpid] = f.pids;
    dump.out.record(&r)?;
    if r.messages == 0 {
        return Ok(());
    }
    let written = ns.messages(f.id, &mut |mtype, text| {
        let fixed = MsgText {
            queue: r.objref,
            length: text.len() as u32,
            mtype: mtype as u64,
        };
        dump.out.record_with(&fixed, text)
    })?;
    if written != u64::from(r.messages) {
        return Err(refuse(Kind::Msg, f.id, "a process outside of the target uses it"));
    }
    Ok(())
}

pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let r: Msg = restore.input.only()?;
    if r.objref != restore.made.next() || !is_sound(&r.perm) {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a message queue record")));
    }
    let want = wanted(&r.perm, r.qbytes, [r.stime, r.rtime, r.ctime], [r.lspid, r.lrpid]);
    let obtained = obtain(restore, Kind::Msg, &want, false, &|me, key, how| {
        me.call(nr::__NR_msgget, &[key, how])
    })?;
    let mut found = obtained.found.fields;
    if r.messages == 0 {
        let fields = settle(restore, Kind::Msg, &found, &want)?;
        return Ok(Object::Msg(KBox::new(fields, GFP_KERNEL_ACCOUNT)?, 0));
    }
    // Its messages may need more room than the namespace gives to a new queue.
    if want.size > found.size {
        let wide = Fields {
            size: want.size,
            ..found
        };
        change(restore.me, Kind::Msg, &wide)?;
    }
    // The rest is set when the messages are there: sending one leaves its traces.
    (found.uid, found.gid) = (want.uid, want.gid);
    let fields = Fields {
        address: found.address,
        ..want
    };
    Ok(Object::Msg(KBox::new(fields, GFP_KERNEL_ACCOUNT)?, r.messages))
}

/// Sends a message by the task's own system call.
pub(super) fn restore_text(restore: &mut Restore<'_>) -> Result {
    let r: MsgText = restore.input.fixed()?;
    let (me, input) = (restore.me, &*restore.input);
    let text = input.variable();
    let bad = || input.bad(EBADMSG, format_args!("wrong values in a message record"));
    let Some(Object::Msg(fields, left)) = restore.made.get_mut(r.queue) else {
        return Err(bad());
    };
    if text.len() != r.length as usize || r.length > TEXT_MAX || *left == 0 || r.mtype > i64::MAX as u64 {
        return Err(bad());
    }
    *left -= 1;
    let (want, left) = (**fields, *left);
    let at = me.put(&r.mtype.to_ne_bytes())?;
    me.put_at(8, text)?;
    me.call(nr::__NR_msgsnd, &[want.id as u64, at, u64::from(r.length), IPC_NOWAIT])
        .context(format_args!("cannot send a message to queue {}", want.id))?;
    if left == 0 {
        // Nothing of it is as it was made but the address.
        let found = Fields { uid: u32::MAX, ..want };
        settle(restore, Kind::Msg, &found, &want)?;
    }
    Ok(())
}
