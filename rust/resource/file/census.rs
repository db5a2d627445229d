// SPDX-License-Identifier: GPL-2.0

//! Who has which open file: counted once for the whole target, so that a file or a pipe that somebody outside of it has too is
//! seen before the first byte is written.

use super::{uring, Whole, STDIO};
use crate::{
    error::Result,
    freeze::{FrozenTree, Process},
    wrapper::{
        file::{collect_fds, mode, File},
        pipe::Pipe,
        socket::Unix,
        task::{fatal_signal_pending, sleep_killable},
        tty::{Master, Tty},
        uring::{event_of, registered, Uring}, //
    },
};
use core::cell::{Cell, RefCell};
use kernel::{prelude::*, rbtree::RBTree};

/// Open ends of a pipe.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Ends {
    readers: u32,
    writers: u32,
}

/// Open files of a pseudoterminal.
#[derive(Clone, Copy, Default)]
struct Pair {
    masters: u32,
    slaves: u32,
    /// Address of an open file of the master.
    master: usize,
}

/// Where an open file is found.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// By a descriptor of a thread of a process.
    Descriptor { process: usize, thread: usize, fd: u32 },
    /// In a message: its place among [`Census::flying`].
    Message(usize),
}

/// Who has an open file.
struct Entry {
    /// Descriptors that refer to it, messages, and ourselves for those.
    references: u32,
    /// The same without descriptors.
    messages: u32,
    /// Where it was met first.
    place: Place,
}

/// How often all together look again at a file that somebody outside has too, who may have it for a moment only.
const LOOKS: u32 = 100;
/// How often the same file is looked at.
const LOOKS_OF_ONE: u32 = 20;
/// Between two looks, in milliseconds.
const LOOK_MS: u32 = 4;

/// A ring of io_uring.
pub(super) struct Ring {
    /// The open file.
    pub(super) file: File,
    /// Address of the only task that may submit, or 0.
    pub(super) submitter: usize,
    /// Address of the address space in which its registered buffers are, or 0.
    pub(super) keeper: usize,
}

/// All open files of a target.
pub(crate) struct Census {
    /// By the address of an open file.
    files: RBTree<usize, Entry>,
    /// Address of a pipe: its ends.
    pipes: RBTree<usize, Ends>,
    /// Address of an address at which a Unix socket listens: its open file.
    listeners: RBTree<usize, usize>,
    /// Open files on their way in messages of Unix sockets (SCM_RIGHTS), and those that rings of io_uring keep.
    flying: KVVec<File>,
    /// Address of what an eventfd is: its open file.
    events: RBTree<usize, usize>,
    /// Rings of io_uring, and how many of their requests are in flight: each may keep a file.
    rings: KVVec<Ring>,
    requests: usize,
    /// Address of the master of a pseudoterminal: its open files.
    pairs: RBTree<usize, Pair>,
    /// Descriptors 0, 1 and 2 that may be relinked to those of the restarter, of the first process that has such a one: by the address
    /// of the open file, and by that of the terminal.
    standard: RBTree<usize, u32>,
    terminals: RBTree<usize, u32>,
    /// Addresses of open files that have been looked at, of those that it is enough to look at once.
    looked_at: RefCell<RBTree<usize, ()>>,
    /// The same of those with signals of which it has been checked, and has been written, who gets them.
    checked: RefCell<RBTree<usize, ()>>,
    told: RefCell<RBTree<usize, ()>>,
    /// How many of [`LOOKS`] are left: the target stands still meanwhile.
    looks: Cell<u32>,
}

/// Whether something was not in a set, to which it is added.
fn is_new(set: &RefCell<RBTree<usize, ()>>, address: usize) -> Result<bool> {
    let mut set = set.borrow_mut();
    Ok(set.get(&address).is_none() && set.try_create_and_insert(address, (), GFP_KERNEL_ACCOUNT)?.is_none())
}

/// Adds what is not there yet.
fn insert_first(map: &mut RBTree<usize, u32>, key: usize, value: u32) -> Result {
    if map.get(&key).is_none() {
        map.try_create_and_insert(key, value, GFP_KERNEL_ACCOUNT)?;
    }
    Ok(())
}

/// Calls `each` with what every descriptor refers to, and where that is. A table that several tasks have is one.
pub(super) fn each_fd(processes: &[Process], mut each: impl FnMut(Place, &File) -> Result) -> Result {
    let mut tables: RBTree<usize, ()> = RBTree::new();
    let threads = |(process, p): (usize, &'_ Process)| (0..p.threads.len()).map(move |thread| (process, thread));
    for (process, thread) in processes.iter().enumerate().flat_map(threads) {
        let task = &processes[process].threads[thread];
        let table = task.shared().files;
        if table == 0 || tables.get(&table).is_some() {
            continue;
        }
        tables.try_create_and_insert(table, (), GFP_KERNEL_ACCOUNT)?;
        let mut from = Some(0);
        while from.is_some() {
            for fd in collect_fds(task, &mut from)?.iter() {
                let place = Place::Descriptor {
                    process,
                    thread,
                    fd: fd.fd,
                };
                each(place, &fd.file)?;
            }
            if fatal_signal_pending() {
                return Err(EINTR.into());
            }
        }
    }
    Ok(())
}

impl Census {
    /// Counts. When the target is `frozen`, so is what its system calls keep.
    pub(crate) fn of(processes: &[Process], frozen: Option<&FrozenTree>) -> Result<Self> {
        let mut census = Self {
            files: RBTree::new(),
            pipes: RBTree::new(),
            listeners: RBTree::new(),
            flying: KVVec::new(),
            events: RBTree::new(),
            rings: KVVec::new(),
            requests: 0,
            pairs: RBTree::new(),
            standard: RBTree::new(),
            terminals: RBTree::new(),
            looked_at: RefCell::new(RBTree::new()),
            checked: RefCell::new(RBTree::new()),
            told: RefCell::new(RBTree::new()),
            looks: Cell::new(LOOKS),
        };
        let mut carriers: KVVec<File> = KVVec::new();
        each_fd(processes, |place, file| {
            if census.count(place, file)? && carries(file) {
                carriers.push(file.clone(), GFP_KERNEL_ACCOUNT)?;
            }
            Ok(())
        })?;
        // A thread may know a ring by its place only.
        for task in processes.iter().flat_map(|p| p.threads.iter()) {
            for (_, ring) in registered(task)? {
                let place = Place::Message(census.flying.len());
                if census.count(place, &ring)? {
                    carriers.push(ring.clone(), GFP_KERNEL_ACCOUNT)?;
                }
                // The thread has a reference, and so have we.
                census.count(place, &ring)?;
                census.flying.push(ring, GFP_KERNEL_ACCOUNT)?;
            }
        }
        while let Some(carrier) = carriers.pop() {
            for file in flying(&carrier)? {
                // The message has a reference, and so have we.
                let place = Place::Message(census.flying.len());
                let is_new = census.count(place, &file)?;
                census.count(place, &file)?;
                if is_new && carries(&file) {
                    carriers.push(file.clone(), GFP_KERNEL_ACCOUNT)?;
                }
                census.flying.push(file, GFP_KERNEL_ACCOUNT)?;
            }
            if let Some(ring) = Uring::of(&carrier) {
                let found = ring.state()?;
                census.requests += found.requests as usize;
                census.count_use(&carrier);
                let ring = Ring {
                    submitter: found.submitter,
                    keeper: if found.buffers == 0 { 0 } else { found.mm },
                    file: carrier,
                };
                census.rings.push(ring, GFP_KERNEL_ACCOUNT)?;
            }
            if fatal_signal_pending() {
                return Err(EINTR.into());
            }
        }
        if let Some(frozen) = frozen {
            uring::kept_by_waits(frozen, |ring| census.count_use(ring))?;
        }
        Ok(census)
    }

    /// Rings of io_uring that the target has.
    pub(super) fn rings(&self) -> &[Ring] {
        &self.rings
    }

    /// Address of the open file of an eventfd, by the address of what that is.
    pub(super) fn event(&self, at: usize) -> Option<usize> {
        self.events.get(&at).copied()
    }

    /// Adds a reference that is ours, or of a system call in which a task stands still.
    fn count_use(&mut self, file: &File) {
        if let Some(entry) = self.files.get_mut(&file.address()) {
            entry.references += 1;
            entry.messages += 1;
        }
    }

    /// Open files that are on their way in messages, or that rings of io_uring keep.
    pub(super) fn flying(&self) -> &[File] {
        &self.flying
    }

    /// The open file at an address, by any descriptor of the target, or on its way to one.
    pub(crate) fn find(&self, processes: &[Process], address: usize) -> Result<Option<File>> {
        let Some(entry) = self.files.get(&address) else {
            return Ok(None);
        };
        match entry.place {
            Place::Message(nth) => return Ok(self.flying.get(nth).cloned()),
            Place::Descriptor { process, thread, fd } => {
                let lot = match processes.get(process).and_then(|p| p.threads.get(thread)) {
                    Some(task) => collect_fds(task, &mut Some(fd))?,
                    None => KVec::new(),
                };
                let found = lot.into_iter().next().filter(|fd| fd.file.address() == address);
                if let Some(found) = found {
                    return Ok(Some(found.file));
                }
            }
        }
        // A target that runs has it by another descriptor, perhaps.
        for task in processes.iter().flat_map(|p| p.threads.iter()) {
            let mut from = Some(0);
            while from.is_some() {
                let mut lot = collect_fds(task, &mut from)?.into_iter();
                if let Some(found) = lot.find(|fd| fd.file.address() == address) {
                    return Ok(Some(found.file));
                }
            }
        }
        Ok(None)
    }

    /// Counts a descriptor; whether it is the first one of that open file.
    fn count(&mut self, place: Place, file: &File) -> Result<bool> {
        let address = file.address();
        let format = file.mode() & mode::FMT;
        let tty = Tty::of(file);
        if let Place::Descriptor {
            fd: number @ 0..STDIO, ..
        } = place
        {
            if matches!(format, mode::FIFO | mode::CHAR) {
                insert_first(&mut self.standard, address, number)?;
                if let Some(tty) = &tty {
                    insert_first(&mut self.terminals, tty.address(), number)?;
                }
            }
        }
        let is_message = matches!(place, Place::Message(_));
        if let Some(entry) = self.files.get_mut(&address) {
            entry.references += 1;
            entry.messages += u32::from(is_message);
            return Ok(false);
        }
        let entry = Entry {
            references: 1,
            messages: u32::from(is_message),
            place,
        };
        self.files.try_create_and_insert(address, entry, GFP_KERNEL_ACCOUNT)?;
        match Unix::of(file).map(|socket| socket.listens_at()) {
            None | Some(0) => {}
            Some(at) => drop(self.listeners.try_create_and_insert(at, address, GFP_KERNEL_ACCOUNT)?),
        }
        if let Some(at) = event_of(file) {
            self.events.try_create_and_insert(at, address, GFP_KERNEL_ACCOUNT)?;
        }
        if let Some(pipe) = Pipe::of(file) {
            let mut ends = self.pipes.get(&pipe.address()).copied().unwrap_or_default();
            ends.readers += u32::from(file.is_readable());
            ends.writers += u32::from(file.is_writable());
            self.pipes
                .try_create_and_insert(pipe.address(), ends, GFP_KERNEL_ACCOUNT)?;
        }
        if let Some((tty, at)) = tty.and_then(|tty| tty.pair().map(|at| (tty, at))) {
            let mut pair = self.pairs.get(&at).copied().unwrap_or_default();
            if tty.is_master() {
                pair.masters += 1;
                pair.master = address;
            } else {
                pair.slaves += 1;
            }
            self.pairs.try_create_and_insert(at, pair, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(true)
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

    /// Number of descriptors of the target that refer to this open file, and of references by messages, and by us.
    pub(super) fn descriptors(&self, file: &File) -> usize {
        self.files.get(&file.address()).map_or(0, |h| h.references as usize)
    }

    /// Whether the target has a descriptor for this open file, which need not be for one that is on its way in a message.
    pub(super) fn has_descriptor(&self, file: &File) -> bool {
        self.files
            .get(&file.address())
            .is_some_and(|h| h.references > h.messages)
    }

    /// Address of the open file of the Unix socket that listens at this address.
    pub(super) fn listener(&self, at: usize) -> Option<usize> {
        self.listeners.get(&at).copied()
    }

    /// Whether all open files of a pipe with that many of them are the target's.
    pub(super) fn has_all_ends(&self, pipe: &Pipe<'_>, readers: u32, writers: u32) -> bool {
        self.pipes.get(&pipe.address()) == Some(&Ends { readers, writers })
    }

    /// Whether the target has the master of a pseudoterminal.
    pub(crate) fn has_master(&self, pair: usize) -> bool {
        self.pairs.get(&pair).is_some_and(|pair| pair.masters > 0)
    }

    /// Whether all open files of a pseudoterminal, so many of the master and of the slave, are the target's.
    pub(super) fn has_all_of(&self, pair: usize, (masters, slaves): (u32, u32)) -> bool {
        let ours = self.pairs.get(&pair);
        ours.is_some_and(|ours| (ours.masters, ours.slaves) == (masters, slaves))
    }

    /// The master of a pseudoterminal, if the target has it.
    pub(super) fn master(&self, processes: &[Process], pair: usize) -> Result<Option<Master>> {
        let Some(pair) = self.pairs.get(&pair).filter(|pair| pair.masters > 0) else {
            return Ok(None);
        };
        Ok(self.find(processes, pair.master)?.and_then(|file| Master::of(&file)))
    }

    /// The standard descriptor of the restarter that stands for an inherited file: the one that this open file has, or
    /// another open file of the same terminal, as a shell keeps it.
    pub(super) fn standard(&self, file: &File) -> Result<Option<u32>> {
        let format = file.mode() & mode::FMT;
        if !matches!(format, mode::FIFO | mode::CHAR) {
            return Ok(None);
        }
        if let Some(number) = self.standard.get(&file.address()) {
            return Ok(Some(*number));
        }
        if format == mode::FIFO {
            return Ok(None);
        }
        // Also one of /dev/tty.
        let Some(tty) = Tty::of(file) else {
            return Ok(None);
        };
        Ok(self.terminals.get(&tty.address()).copied())
    }
}

/// Whether open files can be in what another one is.
fn carries(file: &File) -> bool {
    Unix::of(file).is_some() || Uring::of(file).is_some()
}

/// The open files in the messages of a Unix socket, or of the connections that wait at it; those that a ring of io_uring keeps.
pub(super) fn flying(file: &File) -> Result<KVVec<File>> {
    let mut files = KVVec::new();
    if let Some(ring) = Uring::of(file) {
        for slot in ring.files()? {
            files.push(slot.file, GFP_KERNEL_ACCOUNT)?;
        }
        return Ok(files);
    }
    let Some(socket) = Unix::of(file).filter(|socket| socket.flying() > 0) else {
        return Ok(files);
    };
    for nth in 0.. {
        let Some(waiting) = socket.waiting(nth) else {
            break;
        };
        add_flying(&waiting, &mut files)?;
    }
    add_flying(&socket, &mut files)?;
    Ok(files)
}

fn add_flying(socket: &Unix, files: &mut KVVec<File>) -> Result {
    for nth in 0.. {
        match socket.files(nth) {
            Ok(of_message) => {
                for file in of_message {
                    files.push(file, GFP_KERNEL_ACCOUNT)?;
                }
            }
            Err(e) if e == ENOENT => break,
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// Whether the open file is the target's alone, not shared by fork with another process, or on its way to one. `held` references are
/// ours or of mappings; who looks at it (/proc/PID/fd) has one for a moment.
pub(super) fn is_only_of(whole: &Whole<'_>, file: &File, held: usize) -> bool {
    // A running thread of several that waits in a read holds one more (a single one only borrows the descriptor's).
    let waiting = |p: &Process| if p.threads.len() > 1 { p.threads.len() } else { 0 };
    let running = whole.stopped_ns == 0;
    let held = held
        + whole.census.requests
        + if running {
            whole.processes.iter().map(waiting).sum()
        } else {
            0
        };
    for _ in 0..LOOKS_OF_ONE {
        if fatal_signal_pending() {
            return false;
        }
        if file.references() <= whole.census.descriptors(file) + held {
            return true;
        }
        // Many such files are one obstacle, for which nothing is to stand still long.
        match whole.census.looks.get().checked_sub(1) {
            Some(left) => whole.census.looks.set(left),
            None => return false,
        }
        sleep_killable(LOOK_MS);
    }
    false
}
