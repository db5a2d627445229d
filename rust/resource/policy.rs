// SPDX-License-Identifier: GPL-2.0

//! What becomes of open files and mapped files that cannot be saved, as the caller wants it: devices, sockets with a peer outside, ...
//!
//! Saved: that a descriptor comes back closed, as another file, or that its process is killed when all are restored.
//! Refused: what no policy is about.
//! Shown by: policy/, hostile/values_of_decided_files.
//!
//! Records: [`ckpt_uapi::record::file`], [`ckpt_uapi::record::task`].

use crate::{
    error::{Fault, Result},
    wrapper::{file::File, path::PathBuf, task::Task},
};
use core::cell::RefCell;
use kernel::{prelude::*, rbtree::RBTree};

/// Longest pattern, and longest path.
const TEXT_MAX: usize = 4096;

/// What becomes of one that cannot be saved.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action<'a> {
    /// The checkpoint does not take place.
    Refuse,
    /// Its number stays taken, but whatever is done with it says EBADF; mapped memory cannot be accessed.
    Close,
    /// A file of this name is opened in its place.
    Replace(&'a [u8]),
    /// As [`Self::Close`], and the process is killed before it runs again.
    Kill,
}

/// The caller's policies. The first whose pattern fits decides.
pub(crate) struct Policies(KVVec<u8>);

impl Policies {
    /// No policy: everything that cannot be saved is refused.
    pub(crate) fn none() -> Self {
        Self(KVVec::new())
    }

    /// Texts `PATTERN=ACTION`, each with a NUL at its end. `EINVAL` for what is none.
    pub(crate) fn new(texts: KVVec<u8>) -> Result<Self> {
        let policies = Self(texts);
        let right = policies.0.is_empty() || policies.0.last() == Some(&0);
        if !right || policies.texts().any(|text| part(text).is_none()) {
            return Err(Fault::new(
                EINVAL,
                format_args!("invalid argument: a policy is PATTERN=refuse, close, kill or replace:/PATH"),
            ));
        }
        Ok(policies)
    }

    fn texts(&self) -> impl Iterator<Item = &[u8]> {
        let texts = self.0.strip_suffix(b"\0");
        texts.into_iter().flat_map(|texts| texts.split(|byte| *byte == 0))
    }

    /// Number and action of the first that is about a name.
    fn of(&self, name: &[u8]) -> Option<(usize, Action<'_>)> {
        for (i, text) in self.texts().enumerate() {
            match part(text) {
                Some((pattern, action)) if fits(pattern, name) => return Some((i, action)),
                _ => {}
            }
        }
        None
    }

    fn nth(&self, number: usize) -> Option<Action<'_>> {
        let text = self.texts().nth(number)?;
        part(text).map(|(_, action)| action)
    }
}

/// Pattern and action of a policy.
fn part(text: &[u8]) -> Option<(&[u8], Action<'_>)> {
    let at = text.iter().rposition(|byte| *byte == b'=')?;
    let action = match &text[at + 1..] {
        b"refuse" => Action::Refuse,
        b"close" => Action::Close,
        b"kill" => Action::Kill,
        other => Action::Replace(other.strip_prefix(b"replace:").filter(|p| p.first() == Some(&b'/'))?),
    };
    (at > 0 && text.len() <= TEXT_MAX).then_some((&text[..at], action))
}

/// Whether a name fits a pattern, in which `*` stands for any bytes. Where it does not fit, the last star takes a byte more: no other need
/// be tried, so that no pattern takes long.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(byte) if *byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, n) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// What has been decided in one operation, while it was looked for what cannot be saved.
pub(crate) struct Decisions<'a> {
    policies: &'a Policies,
    /// Address of an open file, number of a policy.
    files: RefCell<RBTree<usize, usize>>,
    /// Process ids.
    doomed: RefCell<RBTree<i32, ()>>,
}

impl<'a> Decisions<'a> {
    /// None yet.
    pub(crate) fn new(policies: &'a Policies) -> Self {
        Self {
            policies,
            files: RefCell::new(RBTree::new()),
            doomed: RefCell::new(RBTree::new()),
        }
    }

    /// What becomes of a file of `leader`'s process that cannot be saved for this reason: the reason again as the warning that tells it;
    /// or as an error when there is no policy.
    pub(crate) fn decide(&self, leader: &Task, file: &File, why: Fault) -> Result<Fault> {
        let mut name = PathBuf::new()?;
        file.print_any(&mut name)?;
        let (number, text) = match self.policies.of(name.as_bytes()) {
            None | Some((_, Action::Refuse)) => return Err(why),
            Some((number, Action::Close)) => (number, "it will be closed"),
            Some((number, Action::Replace(_))) => (number, "another file will stand for it"),
            Some((number, Action::Kill)) => (number, self.doom(leader)?),
        };
        self.files
            .borrow_mut()
            .try_create_and_insert(file.address(), number, GFP_KERNEL_ACCOUNT)?;
        Ok(why.and(text))
    }

    /// The same of the controlling terminal of `leader`'s process, which has no open file: its session has none after a restart.
    pub(crate) fn decide_terminal(&self, leader: &Task, name: &[u8], why: Fault) -> Result<Fault> {
        match self.policies.of(name) {
            None | Some((_, Action::Refuse)) => Err(why),
            Some((_, Action::Close | Action::Replace(_))) => Ok(why.and("it will have none")),
            Some((_, Action::Kill)) => Ok(why.and(self.doom(leader)?)),
        }
    }

    fn doom(&self, leader: &Task) -> Result<&'static str> {
        self.doomed
            .borrow_mut()
            .try_create_and_insert(leader.tgid(), (), GFP_KERNEL_ACCOUNT)?;
        Ok("the process will be killed at restart")
    }

    /// What has been decided about an open file.
    pub(crate) fn of(&self, file: &File) -> Option<Action<'a>> {
        self.at(file.address())
    }

    /// The same, of the open file at an address.
    pub(crate) fn at(&self, address: usize) -> Option<Action<'a>> {
        let number = self.files.try_borrow().ok()?.get(&address).copied()?;
        self.policies.nth(number)
    }

    /// Whether the process of this leader is to be killed.
    pub(crate) fn dooms(&self, leader: &Task) -> bool {
        self.doomed
            .try_borrow()
            .is_ok_and(|doomed| doomed.get(&leader.tgid()).is_some())
    }
}
