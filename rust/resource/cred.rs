// SPDX-License-Identifier: GPL-2.0

//! Credentials of a thread: taken by the thread's own system calls, so never more than it could have asked for; what
//! comes out is compared with what was saved.
//!
//! Saved: the user namespace, if it is below that of the first process (ns/user.rs); user and group ids, supplementary groups, all five
//! capability sets, securebits, no_new_privs.
//! Not saved: the session keyring, with a warning: the restarted program has the restarter's, or, if it has another user than that, one
//! with nothing in it; the default keyring of request_key(2).
//! Refused: keyrings of the thread or process; user and group ids that its user namespace has no number for.
//! Shown by: cred/, security/.
//!
//! Record: [`ckpt_uapi::record::cred`].  C header: `include/linux/cred.h`

use super::{Dump, FrozenTask, Late, Obstacles, Resource, Restore, Scope, Target, Whole};
use crate::{
    error::{Context, Fault, Result},
    wrapper::{
        cred::Cred,
        syscall::{nr, CurrentTask},
        task::Task, //
    },
};
use ckpt_uapi::record::{
    cred::{cred_flags, Cred as CredRecord},
    Record, RecordType,
};
use kernel::prelude::*;
use zerocopy::{FromZeros, IntoBytes};

pub(crate) struct CredRoom;

const SECBIT_KEEP_CAPS: u32 = 1 << 4;
/// As many as the scratch mapping takes.
const GROUPS_MAX: u32 = 16_000;

fn collect(task: &Task) -> Result<(CredRecord, KVec<u32>)> {
    let cred = Cred::of(task);
    let mut r = CredRecord::new_zeroed();
    [r.uid, r.euid, r.suid, r.fsuid] = cred.uids();
    [r.gid, r.egid, r.sgid, r.fsgid] = cred.gids();
    [
        r.cap_inheritable,
        r.cap_permitted,
        r.cap_effective,
        r.cap_bounding,
        r.cap_ambient,
    ] = cred.caps();
    r.securebits = cred.securebits();
    r.no_new_privs = u32::from(task.no_new_privs());
    let groups = cred.groups()?;
    r.groups = groups.len() as u32;
    Ok((r, groups))
}

impl Resource for CredRoom {
    const RECORDS: &'static [RecordType] = &[CredRecord::TYPE];
    const SCOPE: Scope = Scope::Task;
    const EXITED: bool = true;

    fn check(_target: &Target<'_>, task: &Task, obstacles: &mut dyn Obstacles) -> Result {
        if Cred::of(task).has_private_keyring() {
            obstacles.add(Fault::new(EOPNOTSUPP, format_args!("it has a keyring of its own")).kind(RecordType::Cred));
        }
        if task.has_other_session_keyring() {
            obstacles.warn(
                Fault::new(
                    ENOKEY,
                    format_args!("its session keyring is not saved: it gets the restarter's, or an empty one"),
                )
                .kind(RecordType::Cred),
            );
        }
        Self::check_exited(task, obstacles)
    }

    fn check_exited(task: &Task, obstacles: &mut dyn Obstacles) -> Result {
        if !collect(task)?.0.has_numbers() {
            obstacles.add(
                Fault::new(
                    EOPNOTSUPP,
                    format_args!("it has a user or group that its user namespace has no number for"),
                )
                .kind(RecordType::Cred),
            );
        }
        if Cred::of(task).groups()?.len() > GROUPS_MAX as usize {
            obstacles.add(
                Fault::new(
                    EOPNOTSUPP,
                    format_args!("it has more than {GROUPS_MAX} supplementary groups"),
                )
                .kind(RecordType::Cred),
            );
        }
        Ok(())
    }

    fn dump_exited(whole: &Whole<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let (mut r, mut groups) = collect(task.task)?;
        let cred = Cred::of(task.task);
        let number = whole.user_nss.number(cred.user_ns()).ok_or(EINVAL)?;
        r.user_ns = u16::try_from(number).map_err(|_| EINVAL)?;
        if whole.user_nss.has_groups_of_outside(&cred)? {
            r.flags = cred_flags::GROUPS_OUTSIDE;
            groups = cred.groups_seen_by(&whole.user_nss.viewer()?)?;
        }
        dump.out.record_with(&r, &groups[..])
    }

    fn dump(target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        Self::dump_exited(target.whole, task, dump)
    }

    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let want: CredRecord = restore.input.fixed()?;
        // Without numbers there may be other users than those that were saved.
        if want.groups > GROUPS_MAX
            || want.no_new_privs > 1
            || !want.has_numbers()
            || want.flags & !cred_flags::ALL != 0
            || (want.flags != 0 && want.user_ns == 0)
        {
            return Err(restore
                .input
                .bad(EBADMSG, format_args!("wrong values in a credentials record")));
        }
        let mut groups = KVec::new();
        for g in restore.input.entries::<u32>(want.groups)? {
            groups.push(g, GFP_KERNEL_ACCOUNT)?;
        }
        if want.user_ns == 0 {
            become_as(restore.me, &want, &groups)?;
        } else {
            enter(restore, &want, &groups)?;
        }
        keep_keys(restore)
    }

    fn join(me: &CurrentTask, _late: &mut Late) -> Result {
        // All have their credentials, and nobody runs its own code yet.
        if me.shares_across_user_ns() {
            return Err(Fault::new(
                EPERM,
                format_args!("threads, or processes that share a root directory, live in different user namespaces"),
            ));
        }
        Ok(())
    }
}

/// Enters a user namespace below that of the first task, and takes the saved credentials there.
fn enter(restore: &Restore<'_>, want: &CredRecord, groups: &[u32]) -> Result {
    let me = restore.me;
    let ns = restore.user_nss.get(u32::from(want.user_ns)).ok_or_else(|| {
        restore
            .input
            .bad(EBADMSG, format_args!("there is no user namespace {}", want.user_ns))
    })?;
    let outside = want.flags & cred_flags::GROUPS_OUTSIDE != 0;
    if outside && Cred::current().groups()?[..] != groups[..] {
        set_groups(me, groups)?;
    }
    me.enter_user_ns(ns)
        .context(format_args!("cannot enter user namespace {}", want.user_ns))?;
    let want = CredRecord {
        user_ns: 0,
        flags: 0,
        ..*want
    };
    if outside {
        let (have, own) = collect(me.task())?;
        return become_as(
            me,
            &CredRecord {
                groups: have.groups,
                ..want
            },
            &own,
        );
    }
    become_as(me, &want, groups)
}

fn set_groups(me: &CurrentTask, groups: &[u32]) -> Result {
    let at = if groups.is_empty() {
        0
    } else {
        me.put(groups.as_bytes())?
    };
    me.call(nr::__NR_setgroups, &[groups.len() as u64, at])
        .context(format_args!("cannot set the supplementary groups"))?;
    Ok(())
}

/// Takes the saved credentials, if the caller may.
fn become_as(me: &CurrentTask, want: &CredRecord, groups: &[u32]) -> Result {
    let (have, have_groups) = collect(me.task())?;
    if have.as_bytes() == want.as_bytes() && have_groups[..] == groups[..] {
        return Ok(());
    }
    change(me, &have, want, groups, have_groups[..] != groups[..])?;
    let (now, now_groups) = collect(me.task())?;
    if now.no_new_privs > want.no_new_privs {
        return Err(Fault::new(
            EPERM,
            format_args!("no_new_privs is set, which the program had not: the restarter has it"),
        ));
    }
    if now.as_bytes() != want.as_bytes() || now_groups[..] != groups[..] {
        return Err(Fault::new(
            EPERM,
            format_args!(
                "the restarter cannot take the saved credentials (uid {}, permitted capabilities {:#x}, bounding set {:#x}, \
                 securebits {:#x})",
                want.uid, want.cap_permitted, want.cap_bounding, want.securebits
            ),
        ));
    }
    Ok(())
}

/// Keys of the restarter are for its own user: somebody else gets a session keyring with nothing in it, the same in all tasks.
fn keep_keys(restore: &mut Restore<'_>) -> Result {
    const KEYCTL_JOIN_SESSION_KEYRING: u64 = 1;
    let me = restore.me;
    let own = Cred::of(me.task());
    if own.is_only_user_of(restore.restarter) || !own.has_session_keyring_of(restore.restarter) {
        return Ok(());
    }
    if let Some(holder) = restore.keyring.as_ref() {
        return me
            .share_session_keyring(holder)
            .context(format_args!("cannot take the session keyring of another task"));
    }
    me.call(nr::__NR_keyctl, &[KEYCTL_JOIN_SESSION_KEYRING, 0])
        .context(format_args!("cannot make a session keyring"))?;
    *restore.keyring = Some(me.task().clone());
    Ok(())
}

const CAPABILITY_VERSION_3: u64 = 0x2008_0522;

fn capset(me: &CurrentTask, effective: u64, permitted: u64, inheritable: u64) -> Result {
    let half = |set: u64, i: u32| (set >> (32 * i)) & u64::from(u32::MAX);
    // struct __user_cap_header_struct, then two of struct __user_cap_data_struct.
    let words = [
        CAPABILITY_VERSION_3,
        half(effective, 0) | half(permitted, 0) << 32,
        half(inheritable, 0) | half(effective, 1) << 32,
        half(permitted, 1) | half(inheritable, 1) << 32,
    ];
    let at = me.put_words(&words)?;
    me.call(nr::__NR_capset, &[at, at + 8])
        .context(format_args!("cannot set the capabilities"))?;
    Ok(())
}

fn change(me: &CurrentTask, have: &CredRecord, want: &CredRecord, groups: &[u32], new_groups: bool) -> Result {
    let prctl = |option: u32, args: [u64; 4], what: &str| -> Result {
        me.call(nr::__NR_prctl, &[u64::from(option), args[0], args[1], args[2], args[3]])
            .context(format_args!("cannot set {what}"))?;
        Ok(())
    };
    // The bounding set first: dropping from it needs CAP_SETPCAP, which the change of ids takes away.
    for cap in 0..64 {
        if have.cap_bounding & !want.cap_bounding & (1 << cap) != 0 {
            prctl(nr::PR_CAPBSET_DROP, [cap, 0, 0, 0], "the capability bounding set")?;
        }
    }
    if new_groups {
        set_groups(me, groups)?;
    }
    if [have.gid, have.egid, have.sgid] != [want.gid, want.egid, want.sgid] {
        let ids = [want.gid, want.egid, want.sgid].map(u64::from);
        me.call(nr::__NR_setresgid, &ids)
            .context(format_args!("cannot become group {}", want.gid))?;
    }
    let same_uids = [have.uid, have.euid, have.suid, have.fsuid] == [want.uid, want.euid, want.suid, want.fsuid];
    if !same_uids {
        // Keep the permitted capabilities over the change, to set the saved ones afterwards.
        prctl(nr::PR_SET_KEEPCAPS, [1, 0, 0, 0], "PR_SET_KEEPCAPS")?;
        let ids = [want.uid, want.euid, want.suid].map(u64::from);
        me.call(nr::__NR_setresuid, &ids)
            .context(format_args!("cannot become user {}", want.uid))?;
        // The change took the effective set; what is permitted may be made effective again.
        let (now, _) = collect(me.task())?;
        capset(me, now.cap_permitted, now.cap_permitted, now.cap_inheritable)?;
    }
    me.call(nr::__NR_setfsuid, &[u64::from(want.fsuid)])?;
    me.call(nr::__NR_setfsgid, &[u64::from(want.fsgid)])?;
    let (now, _) = collect(me.task())?;
    if now.cap_ambient != want.cap_ambient {
        // Before the securebits, which may forbid it; what is permitted now is cut to the saved sets below, and with it these.
        capset(me, now.cap_effective, now.cap_permitted, want.cap_inheritable)?;
        let ambient = nr::PR_CAP_AMBIENT;
        prctl(
            ambient,
            [nr::PR_CAP_AMBIENT_CLEAR_ALL.into(), 0, 0, 0],
            "the ambient capabilities",
        )?;
        for cap in (0..64).filter(|cap| want.cap_ambient & (1 << cap) != 0) {
            prctl(
                ambient,
                [nr::PR_CAP_AMBIENT_RAISE.into(), cap, 0, 0],
                "the ambient capabilities",
            )?;
        }
    }
    let (now, _) = collect(me.task())?;
    if now.securebits ^ want.securebits == SECBIT_KEEP_CAPS {
        // The one that takes no capability.
        let keep = u64::from(want.securebits & SECBIT_KEEP_CAPS != 0);
        prctl(nr::PR_SET_KEEPCAPS, [keep, 0, 0, 0], "PR_SET_KEEPCAPS")?;
    } else if now.securebits != want.securebits {
        prctl(
            nr::PR_SET_SECUREBITS,
            [want.securebits.into(), 0, 0, 0],
            "the securebits",
        )?;
    }
    let sets = |r: &CredRecord| (r.cap_effective, r.cap_permitted, r.cap_inheritable);
    let (now, _) = collect(me.task())?;
    if sets(&now) != sets(want) {
        capset(me, want.cap_effective, want.cap_permitted, want.cap_inheritable)?;
    }
    if want.no_new_privs == 1 {
        prctl(nr::PR_SET_NO_NEW_PRIVS, [1, 0, 0, 0], "no_new_privs")?;
    }
    Ok(())
}
