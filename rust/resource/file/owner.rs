// SPDX-License-Identifier: GPL-2.0

//! Signals of open files: owners and leases.
//!
//! Saved: the owner that gets them (F_SETOWN, F_SETOWN_EX: a thread, a process or a group of the target), the signal (F_SETSIG), O_ASYNC;
//! leases of regular files (F_SETLEASE).
//! Not saved: which of several descriptors is named in the signal (the lowest will be); an owner that has gone.
//! Refused: an owner outside of the target, or a group whose leader is not in it; one that was set with other user ids than the task
//! has that restores it, the first of the target that has the file; owners of inherited files, and of those that are
//! only on their way in a message; a lease that is being broken, on a
//! file without a name or without a descriptor, or in a mount namespace of the target; delegations; directory notification (F_NOTIFY).
//! Shown by: file/keeps_signals_and_leases, refuse/owner, refuse/lease, hostile/values_of_file_signals.
//!
//! Record: [`ckpt_uapi::record::file_signals`].  C sources: `fs/fcntl.c`, `fs/locks.c`

use super::{is_left_out, mode, Census};
use crate::{
    error::{Context, Fault, Result},
    resource::{share, Dump, FrozenTask, Resource, Restore, Scope, Target, Whole},
    wrapper::{
        fcntl::O_ASYNC,
        file::{collect_fds, File, Nameless as Name},
        lock::{Lease, Locks},
        owner::{Kind, Owner},
        pid::PidNs,
        syscall::{nr, CurrentTask},
        task::Task, //
    },
};
use ckpt_uapi::record::{
    file_signals::{lease, owner, FileSignals},
    Record, RecordType,
};
use kernel::prelude::*;

pub(crate) struct OwnerRoom;

/// Commands of fcntl(2), as in `asm-generic/fcntl.h` and `linux/fcntl.h`.
const F_GETFL: u64 = 3;
const F_SETFL: u64 = 4;
const F_SETSIG: u64 = 10;
const F_SETOWN_EX: u64 = 15;
const F_SETLEASE: u64 = 1024;
const F_WRLCK: u64 = 1;
const F_RDLCK: u64 = 0;
const SIGNAL_MAX: u32 = 64;

/// Whether this owner, known by its number in the pid namespace of the root task, is one of the target.
fn is_inside(whole: &Whole<'_>, kind: Kind, number: u32) -> bool {
    let Some((_, task)) = whole.task_in(&whole.pid_ns, number) else {
        return false;
    };
    let numbers = task.numbers_in(&whole.pid_ns);
    match kind {
        Kind::Thread => true,
        Kind::Process => numbers[1] == number,
        Kind::Group => numbers[1] == number && numbers[2] == number,
    }
}

/// Why the signals of an open file cannot be saved, if they cannot. `first` when the leader's is the first descriptor table that has it.
pub(super) fn check(target: &Target<'_>, file: &File, first: bool, inherited: bool) -> Result<Option<&'static str>> {
    let whole = target.whole;
    if Owner::is_notified(file) {
        return Ok(Some("directory that notifies of changes (F_NOTIFY)"));
    }
    let owner = Owner::of(file, target.leader, &whole.pid_ns);
    if owner.is_none() {
        return Ok(None);
    }
    if inherited {
        return Ok(Some("owner (F_SETOWN, O_ASYNC) of an inherited file"));
    }
    let Some((kind, number)) = owner.who else {
        return Ok(None);
    };
    if !is_inside(whole, kind, number) {
        return Ok(Some("owner (F_SETOWN) outside of the target"));
    }
    if first && Owner::of(file, target.leader, &PidNs::of(target.leader)?).who == Some((kind, 0)) {
        return Ok(Some("owner (F_SETOWN) in another pid namespace"));
    }
    Ok((first && !owner.own_rights).then_some("owner (F_SETOWN) that was set with other user ids"))
}

/// Why the signals of an open file that is on its way in a message cannot be saved, if they cannot. They are by a descriptor of it.
pub(super) fn check_flying(target: &Target<'_>, file: &File) -> Option<&'static str> {
    if !Owner::is_any(file) || target.whole.census.has_descriptor(file) {
        return None;
    }
    let owner = Owner::of(file, target.leader, &target.whole.pid_ns);
    (!owner.is_none()).then_some("owner (F_SETOWN, O_ASYNC) of a file without a descriptor")
}

/// Why a lease cannot be saved, if it cannot.
pub(super) fn check_lease(target: &Target<'_>, file: &File, lease: Lease) -> Option<&'static str> {
    match lease {
        Lease::Breaking => Some("lease that is being broken"),
        Lease::Other => Some("delegation"),
        Lease::Read | Lease::Write => {
            if file.mode() & mode::FMT != mode::REGULAR || file.nameless() != Name::Not {
                Some("lease on a file without a name")
            } else if !target.whole.census.has_descriptor(file) {
                Some("lease on a file without a descriptor")
            } else if !core::ptr::eq(target.names, &target.whole.caller_fs) {
                // What is in its file systems may have to be read, which would break the lease.
                Some("lease in another mount namespace")
            } else {
                None
            }
        }
    }
}

/// What there is to be written of an open file, if anything.
fn record_of(fd: u32, file: &File, task: &Task, ns: &PidNs) -> Result<Option<FileSignals>> {
    // A lease has an owner, too.
    if !Owner::is_any(file) {
        return Ok(None);
    }
    let found = Owner::of(file, task, ns);
    let lease = match Locks::of(file, task).lease {
        None => lease::NONE,
        Some(Lease::Read) => lease::READ,
        Some(Lease::Write) => lease::WRITE,
        // Since it was checked.
        Some(_) => {
            return Err(Fault::new(EBUSY, format_args!("a lease is being broken"))
                .kind(RecordType::FileSignals)
                .fd(fd))
        }
    };
    if found.is_none() && lease == lease::NONE {
        return Ok(None);
    }
    let (owner, pid) = match found.who {
        None => (owner::NONE, 0),
        Some((Kind::Thread, pid)) => (owner::THREAD, pid),
        Some((Kind::Process, pid)) => (owner::PROCESS, pid),
        Some((Kind::Group, pid)) => (owner::GROUP, pid),
    };
    Ok(Some(FileSignals {
        fd,
        owner,
        pid,
        signal: found.signal,
        on: u32::from(found.on),
        lease,
    }))
}

impl Resource for OwnerRoom {
    const RECORDS: &'static [RecordType] = &[FileSignals::TYPE];
    const SCOPE: Scope = Scope::Task;
    const REQUIRED: bool = false;
    const REPEATS: bool = true;
    const SHARE: u32 = share::FILES;

    fn dump(target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let seen = target.seen_by(task.task);
        let census: &Census = &target.whole.census;
        let ns = PidNs::of(task.task)?;
        let mut from = Some(0);
        while from.is_some() {
            for fd in collect_fds(task.task, &mut from)?.iter() {
                if is_left_out(&seen, &fd.file) {
                    continue;
                }
                if let Some(record) = record_of(fd.fd, &fd.file, task.task, &ns)? {
                    if census.is_first_told(&fd.file)? {
                        dump.out.record(&record)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// With the credentials of the program, which the kernel keeps for when it sends a signal.
    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let r: FileSignals = restore.input.only()?;
        let has_pid = i32::try_from(r.pid).is_ok_and(|pid| pid > 0);
        if restore.late.fds != Some(true)
            || r.owner > owner::GROUP
            || (r.owner == owner::NONE && r.pid != 0)
            || (r.owner != owner::NONE && !has_pid)
            || r.signal > SIGNAL_MAX
            || r.on > 1
            || r.lease > lease::WRITE
        {
            return Err(restore
                .input
                .bad(EBADMSG, format_args!("wrong values in a file-signals record"))
                .fd(r.fd));
        }
        if r.owner != owner::NONE && !is_of_tree(restore, r.pid, r.owner == owner::THREAD)? {
            return Err(restore
                .input
                .bad(EBADMSG, format_args!("owner {} of a file is not in the tree", r.pid))
                .fd(r.fd));
        }
        set(restore.me, &r).map_err(|f| f.fd(r.fd))
    }
}

/// Whether a task of the tree has this number in the pid namespace of the caller: a process, or any thread.
fn is_of_tree(restore: &Restore<'_>, number: u32, thread: bool) -> Result<bool> {
    let ns = PidNs::of(restore.me.task())?;
    let mut tasks = (0..).map_while(|index| (restore.task_at)(index));
    Ok(tasks.any(|task| {
        let [tid, tgid, ..] = task.numbers_in(&ns);
        tid == number && (thread || tgid == number)
    }))
}

fn set(me: &CurrentTask, r: &FileSignals) -> Result {
    let fd = u64::from(r.fd);
    let fcntl = |command: u64, argument: u64| me.call(nr::__NR_fcntl, &[fd, command, argument]);
    if r.lease != lease::NONE {
        // It makes the caller the owner.
        let kind = if r.lease == lease::WRITE { F_WRLCK } else { F_RDLCK };
        fcntl(F_SETLEASE, kind).context(format_args!(
            "cannot take a lease again: somebody else has the file open"
        ))?;
    }
    // struct f_owner_ex; nobody is a thread with the number 0.
    let kind = u64::from(r.owner.saturating_sub(owner::THREAD));
    let at = me.put_words(&[kind | u64::from(r.pid) << 32])?;
    fcntl(F_SETOWN_EX, at).context(format_args!("cannot make {} the owner of a file", r.pid))?;
    fcntl(F_SETSIG, r.signal.into()).context(format_args!("cannot choose signal {} for a file", r.signal))?;
    if r.on == 1 {
        let flags = fcntl(F_GETFL, 0)? as u64;
        fcntl(F_SETFL, flags | u64::from(O_ASYNC))
            .context(format_args!("cannot have a file send signals (O_ASYNC)"))?;
    }
    Ok(())
}
