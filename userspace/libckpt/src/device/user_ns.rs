// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! User namespaces for new processes: whose they are, and what they call users and groups.

use ckpt_uapi::record::ns::{user_flags, IdExtent, NestedUserNs as Record, UserNs};
use rustix::process::{
    dumpable_behavior, getegid, geteuid, getgroups, getpid, getppid, kill_process, parent_process_death_signal,
    set_dumpable_behavior, set_parent_process_death_signal, DumpableBehavior, Gid, Pid, Signal, Uid,
};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid, unshare_unsafe, UnshareFlags};
use std::io;
use std::process::{Command, Stdio};
use zerocopy::FromBytes;

/// The user namespace of a saved program.
#[derive(Debug)]
pub(crate) struct SavedUserNs {
    fixed: UserNs,
    uids: Vec<IdExtent>,
    gids: Vec<IdExtent>,
    groups: Vec<u32>,
}

/// The ids of the first new process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ids<'a> {
    /// Those of the caller, in its user namespace.
    Callers,
    /// This user and group, in a user namespace where there are no others.
    Own(u32, u32),
    /// Those of a user namespace as this one was.
    Saved(&'a SavedUserNs),
}

impl Ids<'_> {
    /// The caller's user and group, and no others.
    pub(super) fn own() -> Self {
        Self::Own(geteuid().as_raw(), getegid().as_raw())
    }

    /// Whether there is a user namespace to be made.
    pub(super) fn are_new(self) -> bool {
        !matches!(self, Self::Callers)
    }

    /// Runs `make`, which makes a process in a new user namespace, as its owner: the calling thread alone becomes that, and goes back.
    pub(super) fn as_owner<T>(self, make: impl FnOnce() -> T) -> io::Result<T> {
        let Self::Saved(saved) = self else { return Ok(make()) };
        let (user, group) = (geteuid(), getegid());
        let groups = getgroups()?;
        let owners_groups = saved.groups();
        let owner = Uid::from_raw_unchecked(saved.fixed.owner);
        let owners_group = Gid::from_raw_unchecked(saved.fixed.group);
        if (owner, owners_group) == (user, group) {
            // Without the right to, the groups of the caller have to do.
            let changed = sorted(&groups) != sorted(&owners_groups) && set_thread_groups(&owners_groups).is_ok();
            let made = make();
            if changed {
                set_thread_groups(&groups)?;
            }
            return Ok(made);
        }
        let lost = Lost::note()?;
        set_thread_groups(&owners_groups)?;
        let made = set_effective_group(owners_group)
            .and_then(|()| set_effective_user(owner))
            .map(|()| make());
        let back = set_effective_user(user)
            .and_then(|()| set_effective_group(group))
            .and_then(|()| set_thread_groups(&groups))
            .and_then(|()| lost.restore());
        if back.is_err() {
            // It would go on as somebody else.
            std::process::abort();
        }
        Ok(made?)
    }

    /// Gives the user namespace of a process its ids.
    pub(super) fn map(self, pid: &str) -> io::Result<()> {
        match self {
            Self::Callers => Ok(()),
            Self::Own(user, group) => {
                let same = |id| {
                    [IdExtent {
                        first: id,
                        outside: id,
                        count: 1,
                    }]
                };
                // Whoever may not set groups may map one only after it has given up on them.
                deny_groups(pid)?;
                write_map(pid, "uid_map", &same(user))?;
                write_map(pid, "gid_map", &same(group))
            }
            Self::Saved(saved) => {
                if saved.fixed.flags & user_flags::NO_SETGROUPS != 0 {
                    deny_groups(pid)?;
                }
                map_with(pid, "uid_map", "newuidmap", &saved.uids)?;
                map_with(pid, "gid_map", "newgidmap", &saved.gids)
            }
        }
    }
}

impl SavedUserNs {
    /// Takes the body of a record apart; `None` when it contradicts itself.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let (fixed, mut rest) = UserNs::read_from_prefix(body).ok()?;
        let saved = Self {
            fixed,
            uids: part(&mut rest, fixed.uids)?,
            gids: part(&mut rest, fixed.gids)?,
            groups: part(&mut rest, fixed.groups)?,
        };
        rest.is_empty().then_some(saved)
    }

    /// A user and a group that it has numbers for: root, as a rule.
    pub(super) fn first_ids(&self) -> (u32, u32) {
        let first = |map: &[IdExtent]| map.iter().map(|e| e.first).min().unwrap_or(0);
        (first(&self.uids), first(&self.gids))
    }

    /// The supplementary groups of whoever made it.
    pub(super) fn groups(&self) -> Vec<Gid> {
        self.groups.iter().copied().map(Gid::from_raw_unchecked).collect()
    }

    /// Who has made it.
    pub(crate) fn owner(&self) -> u32 {
        self.fixed.owner
    }
}

/// A user namespace below that of the saved program's first process: what has to be written to make it, which is done where no memory can
/// be allocated.
#[derive(Debug)]
pub(crate) struct NestedUserNs {
    /// Number of its parent, from 1 on; 0 for that of the first process.
    pub(super) parent: u32,
    /// User that makes it, in its parent.
    pub(super) owner: u32,
    /// Group of that.
    pub(super) group: u32,
    pub(super) denies_groups: bool,
    /// What its uid_map is to be.
    pub(super) uid_map: Vec<u8>,
    /// What its gid_map is to be.
    pub(super) gid_map: Vec<u8>,
}

impl NestedUserNs {
    /// Takes the bodies of all records apart; `None` when they contradict themselves.
    pub(crate) fn parse_all(mut bodies: &[u8]) -> Option<Vec<Self>> {
        let mut all = Vec::new();
        while !bodies.is_empty() {
            let (fixed, rest) = Record::read_from_prefix(bodies).ok()?;
            bodies = rest;
            let (uids, gids) = (part(&mut bodies, fixed.uids)?, part(&mut bodies, fixed.gids)?);
            if fixed.parent as usize > all.len() {
                return None;
            }
            all.push(Self {
                parent: fixed.parent,
                owner: fixed.owner,
                group: fixed.group,
                denies_groups: fixed.flags & user_flags::NO_SETGROUPS != 0,
                uid_map: lines(&uids).into_bytes(),
                gid_map: lines(&gids).into_bytes(),
            });
        }
        Some(all)
    }
}

/// Puts the caller into a new user namespace, in which its user and group are themselves and it has all capabilities.
pub(crate) fn enter_new_user_namespace() -> io::Result<()> {
    // What the caller is called before; in the new namespace it is nobody at first.
    let own = Ids::own();
    unshare_user_namespace()?;
    own.map("self")
}

/// Puts the caller into a new user namespace without ids.
pub(super) fn unshare_user_namespace() -> rustix::io::Result<()> {
    // SAFETY: no descriptor table is unshared; with CLONE_NEWUSER it changes the credentials of this thread only, and fails if
    // there is another one.
    unsafe { unshare_unsafe(UnshareFlags::NEWUSER) }
}

/// The next `count` values of a body.
fn part<T: FromBytes>(body: &mut &[u8], count: u32) -> Option<Vec<T>> {
    let mut next = || {
        let (value, rest) = T::read_from_prefix(body).ok()?;
        *body = rest;
        Some(value)
    };
    (0..count).map(|_| next()).collect()
}

/// What a change of the effective user or group takes away from the caller.
struct Lost {
    /// The signal that ends this thread with its parent.
    signal: Option<Signal>,
    parent: Option<Pid>,
    dumpable: DumpableBehavior,
}

impl Lost {
    fn note() -> rustix::io::Result<Self> {
        // First: if it dies after this, either the signal comes, or another parent is found.
        let parent = getppid();
        Ok(Self {
            signal: parent_process_death_signal()?,
            parent,
            dumpable: dumpable_behavior()?,
        })
    }

    /// Puts it back. The credentials are those of before.
    fn restore(self) -> rustix::io::Result<()> {
        // What only root could read was set by the kernel, which lets nobody ask for it.
        if self.dumpable != DumpableBehavior::DumpableReadableOnlyByRoot {
            set_dumpable_behavior(self.dumpable)?;
        }
        let Some(signal) = self.signal else { return Ok(()) };
        set_parent_process_death_signal(Some(signal))?;
        if getppid() != self.parent {
            kill_process(getpid(), signal)?;
        }
        Ok(())
    }
}

fn sorted(groups: &[Gid]) -> Vec<u32> {
    let mut groups: Vec<u32> = groups.iter().map(|group| group.as_raw()).collect();
    groups.sort_unstable();
    groups
}

fn deny_groups(pid: &str) -> io::Result<()> {
    std::fs::write(format!("/proc/{pid}/setgroups"), "deny")
}

fn write_map(pid: &str, name: &str, extents: &[IdExtent]) -> io::Result<()> {
    std::fs::write(format!("/proc/{pid}/{name}"), lines(extents))
}

fn lines(extents: &[IdExtent]) -> String {
    let each = extents
        .iter()
        .map(|e| format!("{} {} {}\n", e.first, e.outside, e.count));
    each.collect::<Vec<_>>().concat()
}

/// The same, by the program of shadow-utils for those who may not themselves: /etc/subuid and /etc/subgid say which ids they have.
fn map_with(pid: &str, name: &str, helper: &str, extents: &[IdExtent]) -> io::Result<()> {
    match write_map(pid, name, extents) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let numbers = extents.iter().flat_map(|e| [e.first, e.outside, e.count]);
            let mut command = Command::new(helper);
            command.arg(pid).args(numbers.map(|number| number.to_string()));
            match command.stdin(Stdio::null()).status() {
                Ok(status) if status.success() => Ok(()),
                _ => Err(error),
            }
        }
        result => result,
    }
}

/// Of this thread only.
fn set_effective_user(user: Uid) -> rustix::io::Result<()> {
    set_thread_res_uid(None, user, None)
}

/// Of this thread only.
fn set_effective_group(group: Gid) -> rustix::io::Result<()> {
    set_thread_res_gid(None, group, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::thread::{capabilities, CapabilitySet};
    use zerocopy::IntoBytes;

    /// As the kernel writes it.
    fn body() -> Vec<u8> {
        let extent = |first| IdExtent {
            first,
            outside: 100_000 + first,
            count: 1,
        };
        let fixed = UserNs {
            uids: 1,
            gids: 2,
            groups: 2,
            owner: 4321,
            group: 4322,
            flags: 0,
        };
        let mut body = fixed.as_bytes().to_vec();
        body.extend([extent(0), extent(7), extent(9)].as_bytes());
        body.extend([5u32, 6].as_bytes());
        body
    }

    fn saved() -> SavedUserNs {
        SavedUserNs::parse(&body()).unwrap()
    }

    #[test]
    fn reads_what_the_kernel_says() {
        let saved = saved();
        assert_eq!(saved.owner(), 4321);
        assert_eq!(saved.first_ids(), (0, 7));
        assert_eq!(saved.gids[1].outside, 100_009);
        assert_eq!(saved.groups, [5, 6]);
    }

    #[test]
    fn refuses_another_length() {
        let mut body = body();
        for length in 0..body.len() {
            assert!(SavedUserNs::parse(&body[..length]).is_none(), "{length}");
        }
        body.push(0);
        assert!(SavedUserNs::parse(&body).is_none());
    }

    /// All that a thread is, and the process by its credentials.
    fn state() -> (Uid, Gid, Vec<Gid>, Option<Signal>, DumpableBehavior) {
        (
            geteuid(),
            getegid(),
            getgroups().unwrap(),
            parent_process_death_signal().unwrap(),
            dumpable_behavior().unwrap(),
        )
    }

    #[test]
    fn whoever_has_been_the_owner_is_as_before() {
        let may = capabilities(None).unwrap().effective;
        if !may.contains(CapabilitySet::SETUID | CapabilitySet::SETGID) {
            return;
        }
        set_parent_process_death_signal(Some(Signal::USR1)).unwrap();
        let before = state();
        assert_eq!(before.4, DumpableBehavior::Dumpable);
        let during = Ids::Saved(&saved()).as_owner(state).unwrap();
        assert_eq!((during.0.as_raw(), during.1.as_raw()), (4321, 4322));
        assert_eq!(sorted(&during.2), [5, 6]);
        assert_eq!((during.3, during.4 == DumpableBehavior::Dumpable), (None, false));
        assert_eq!(state(), before);
        set_parent_process_death_signal(None).unwrap();
    }
}
