// SPDX-License-Identifier: GPL-2.0

//! Who has an open file that cannot be two: files without a name, and rings of io_uring.

use super::{census::is_only_of, refuse, Obstacles, Whole};
use crate::{
    error::Result,
    wrapper::{
        file::File,
        task::{fatal_signal_pending, sleep_killable, Task}, //
    },
};
use kernel::{prelude::*, rbtree::RBTree};

/// Open files that only the target may have: when all references to them have been met, nobody else may have one.
pub(crate) struct Holders {
    files: RBTree<usize, Holder>,
    /// Open files that have been met, by inode.
    inodes: RBTree<usize, usize>,
}

struct Holder {
    file: File,
    /// References of mappings and of /proc/PID/exe.
    mapped: usize,
    /// What it is if somebody else has it, too.
    what: &'static str,
    ids: (i32, i32),
    /// A descriptor for it.
    fd: Option<u32>,
}

impl Holders {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self {
            files: RBTree::new(),
            inodes: RBTree::new(),
        }
    }

    /// Takes an open file, to which a descriptor (0) or a mapping (1) refers; `what` it is if somebody else has it, too.
    pub(super) fn add(&mut self, file: &File, mapped: usize, leader: &Task, what: &'static str) -> Result {
        if let Some(holder) = self.files.get_mut(&file.address()) {
            holder.mapped += mapped;
            return Ok(());
        }
        let holder = Holder {
            file: file.clone(),
            mapped,
            what,
            ids: (leader.tgid(), leader.tid()),
            fd: None,
        };
        self.files
            .try_create_and_insert(file.address(), holder, GFP_KERNEL_ACCOUNT)?;
        match self.inodes.get_mut(&file.inode()) {
            Some(n) => *n += 1,
            None => {
                self.inodes.try_create_and_insert(file.inode(), 1, GFP_KERNEL_ACCOUNT)?;
            }
        }
        Ok(())
    }

    /// Says by which descriptor a file is open.
    pub(super) fn set_fd(&mut self, file: &File, fd: u32) {
        if let Some(holder) = self.files.get_mut(&file.address()) {
            holder.fd.get_or_insert(fd);
        }
    }

    /// Whether each open file of the same inode is one of the target's. Who looks at one counts for a moment.
    fn has_all(&self, file: &File) -> bool {
        let own = self.inodes.get(&file.inode()).copied().unwrap_or(0);
        for _ in 0..20 {
            if fatal_signal_pending() {
                return false;
            }
            if file.inode_users() <= own {
                return true;
            }
            sleep_killable(4);
        }
        false
    }

    /// The process that was the first to have a file, if it has been met.
    pub(super) fn ids_of(&self, file: &File) -> Option<(i32, i32)> {
        self.files.get(&file.address()).map(|holder| holder.ids)
    }

    /// Names the files that somebody else has, too.
    pub(super) fn check(&self, whole: &Whole<'_>, obstacles: &mut dyn Obstacles) {
        for holder in self.files.values() {
            // One reference is ours.
            if !is_only_of(whole, &holder.file, holder.mapped + 1) || !self.has_all(&holder.file) {
                let fault = refuse(&holder.file, holder.what).task(holder.ids.0, holder.ids.1);
                obstacles.add(match holder.fd {
                    Some(fd) => fault.fd(fd),
                    None => fault,
                });
            }
        }
    }
}
