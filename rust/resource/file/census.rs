// SPDX-License-Identifier: GPL-2.0

//! Who has which open file: counted once for the whole target, so that a file or a pipe that somebody outside of it has too is
//! seen before the first byte is written.

use super::{is_terminal, major, Whole, STDIO};
use crate::{
    error::Result,
    freeze::Process,
    wrapper::{
        file::{collect_fds, mode, File},
        pipe::Pipe,
        task::{fatal_signal_pending, sleep_killable}, //
    },
};
use core::cell::RefCell;
use kernel::{prelude::*, rbtree::RBTree};

/// Open ends of a pipe.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Ends {
    readers: u32,
    writers: u32,
}

/// A descriptor 0, 1 or 2 that may be relinked to that of the restarter.
struct Standard {
    number: u32,
    address: usize,
    /// Device number of a terminal, 0 for something else.
    terminal: u64,
}

/// All open files of a target.
pub(crate) struct Census {
    /// Address of an open file: descriptors that refer to it.
    descriptors: RBTree<usize, u32>,
    /// Address of a pipe: its ends.
    pipes: RBTree<usize, Ends>,
    /// In the order of the processes: the root's come first.
    standard: KVVec<Standard>,
    /// Addresses of open files that have been looked at, of those that it is enough to look at once.
    looked_at: RefCell<RBTree<usize, ()>>,
    /// The same of those with signals of which it has been checked, and has been written, who gets them.
    checked: RefCell<RBTree<usize, ()>>,
    told: RefCell<RBTree<usize, ()>>,
}

/// Whether something was not in a set, to which it is added.
fn is_new(set: &RefCell<RBTree<usize, ()>>, address: usize) -> Result<bool> {
    let mut set = set.borrow_mut();
    Ok(set.get(&address).is_none() && set.try_create_and_insert(address, (), GFP_KERNEL)?.is_none())
}

impl Census {
    /// Counts.
    pub(crate) fn of(processes: &[Process]) -> Result<Self> {
        let mut census = Self {
            descriptors: RBTree::new(),
            pipes: RBTree::new(),
            standard: KVVec::new(),
            looked_at: RefCell::new(RBTree::new()),
            checked: RefCell::new(RBTree::new()),
            told: RefCell::new(RBTree::new()),
        };
        let mut tables: RBTree<usize, ()> = RBTree::new();
        for task in processes.iter().flat_map(|p| p.threads.iter()) {
            let table = task.shared().files;
            if table == 0 || tables.get(&table).is_some() {
                continue;
            }
            tables.try_create_and_insert(table, (), GFP_KERNEL)?;
            let mut from = Some(0);
            while from.is_some() {
                for fd in collect_fds(task, &mut from)?.iter() {
                    census.count(fd.fd, &fd.file)?;
                }
                if fatal_signal_pending() {
                    return Err(EINTR.into());
                }
            }
        }
        Ok(census)
    }

    fn count(&mut self, number: u32, file: &File) -> Result {
        let address = file.address();
        let format = file.mode() & mode::FMT;
        if number < STDIO && matches!(format, mode::FIFO | mode::CHAR) {
            let rdev = if format == mode::CHAR { file.stat()?.rdev } else { 0 };
            let standard = Standard {
                number,
                address,
                terminal: if is_terminal(rdev) { rdev } else { 0 },
            };
            self.standard.push(standard, GFP_KERNEL)?;
        }
        if let Some(n) = self.descriptors.get_mut(&address) {
            *n += 1;
            return Ok(());
        }
        self.descriptors.try_create_and_insert(address, 1, GFP_KERNEL)?;
        if let Some(pipe) = Pipe::of(file) {
            let mut ends = self.pipes.get(&pipe.address()).copied().unwrap_or_default();
            ends.readers += u32::from(file.is_readable());
            ends.writers += u32::from(file.is_writable());
            self.pipes.try_create_and_insert(pipe.address(), ends, GFP_KERNEL)?;
        }
        Ok(())
    }

    /// Whether nobody has asked for this open file before: others of the target may have it, too.
    pub(super) fn is_first_look(&self, file: &File) -> Result<bool> {
        is_new(&self.looked_at, file.address())
    }

    /// The same for who gets its signals: a table that comes later need not be able to set that.
    pub(super) fn is_first_checked(&self, file: &File) -> Result<bool> {
        is_new(&self.checked, file.address())
    }

    /// The same when that is written.
    pub(super) fn is_first_told(&self, file: &File) -> Result<bool> {
        is_new(&self.told, file.address())
    }

    /// Number of descriptors of the target that refer to this open file.
    pub(super) fn descriptors(&self, file: &File) -> usize {
        self.descriptors.get(&file.address()).map_or(0, |n| *n as usize)
    }

    /// Whether all open files of a pipe with that many of them are the target's.
    pub(super) fn has_all_ends(&self, pipe: &Pipe<'_>, readers: u32, writers: u32) -> bool {
        self.pipes.get(&pipe.address()) == Some(&Ends { readers, writers })
    }

    /// The standard descriptor of the restarter that stands for an inherited file: the one that this open file has, or
    /// another open file of the same terminal, as a shell keeps it.
    pub(super) fn standard(&self, file: &File) -> Result<Option<u32>> {
        let format = file.mode() & mode::FMT;
        if !matches!(format, mode::FIFO | mode::CHAR) {
            return Ok(None);
        }
        if let Some(s) = self.standard.iter().find(|s| s.address == file.address()) {
            return Ok(Some(s.number));
        }
        if format == mode::FIFO {
            return Ok(None);
        }
        let rdev = file.stat()?.rdev;
        // /dev/tty (5:0) is whatever the controlling terminal is.
        let found = self
            .standard
            .iter()
            .find(|s| s.terminal != 0 && (s.terminal == rdev || (major(rdev) == 5 && is_terminal(rdev))));
        Ok(found.map(|s| s.number))
    }
}

/// Whether the open file is the target's alone, not shared by fork with another process, or on its way to one. `held` references are
/// ours or of mappings; who looks at it (/proc/PID/fd) has one for a moment.
pub(super) fn is_only_of(whole: &Whole<'_>, file: &File, held: usize) -> bool {
    // A running thread of several that waits in a read holds one more (a single one only borrows the descriptor's).
    let waiting = |p: &Process| if p.threads.len() > 1 { p.threads.len() } else { 0 };
    let running = whole.stopped_ns == 0;
    let held = held
        + if running {
            whole.processes.iter().map(waiting).sum()
        } else {
            0
        };
    for _ in 0..20 {
        if fatal_signal_pending() {
            return false;
        }
        if file.references() <= whole.census.descriptors(file) + held {
            return true;
        }
        sleep_killable(4);
    }
    false
}
