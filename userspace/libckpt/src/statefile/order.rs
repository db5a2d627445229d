// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The order of records (`uapi/STATEFILE.md`, "Order of records"), and what records say about each other.

use super::{Body, Problem};
use ckpt_uapi::record::aio::{self, Aio};
use ckpt_uapi::record::event::{Eventfd, Signalfd, Timerfd};
use ckpt_uapi::record::file::{self, File};
use ckpt_uapi::record::landlock::{self, LAYERS_MAX};
use ckpt_uapi::record::lock::{self, Locks};
use ckpt_uapi::record::mm::{vma_kind, Extent, Mm, Vma};
use ckpt_uapi::record::nameless;
use ckpt_uapi::record::net::peer;
use ckpt_uapi::record::pidfd::{self, Pidfd};
use ckpt_uapi::record::proc;
use ckpt_uapi::record::sem::SemAdjustment;
use ckpt_uapi::record::socket::{self, name, pair};
use ckpt_uapi::record::task::Task;
use ckpt_uapi::record::tree::{flags, Tree};
use ckpt_uapi::record::{mqueue, msg};
use std::collections::{HashMap, HashSet};

/// Kinds of shared objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Object {
    File,
    Pipe,
    Pty,
    Nameless,
    /// Contents of a file that has a name.
    Contents,
    /// One end of a pair, the other one of which comes next.
    FirstSocket,
    Socket,
    /// One that has not been accepted yet, or is closed: no descriptor refers to it.
    HiddenSocket,
    Shmem,
    Segment,
    Sem,
    Msg,
    Mqueue,
    Undo,
    Mm,
    Files,
    Fs,
    Handlers,
    LandlockLayer,
    Filter,
    Namespace(Namespace),
    Nsproxy,
    Filesystem,
}

/// Kinds of namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Namespace {
    Uts,
    Ipc,
    Mnt,
    Net,
    Cgroup,
    Time,
}

/// What processes may share, in the order in which a task record numbers it.
const SHARED: [Object; 4] = [Object::Mm, Object::Files, Object::Fs, Object::Handlers];

/// Numbers of what a task uses, as [`SHARED`].
type Numbers = [u32; 4];

fn numbers(task: &Task) -> Numbers {
    [task.mm, task.files, task.fs, task.handlers]
}

/// A task that has exited uses nothing.
const NOTHING: Numbers = [0; 4];

/// What may stand next. Each state is named after the record that it waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Header,
    Tree,
    /// Of nested pid namespaces. The tree is complete.
    Pids,
    PrologueEnd,
    Task,
    /// Objects of the address space before it; page records of the shared memory with this objref may follow.
    Mm(Option<u32>),
    Vma,
    Aio,
    VmaName,
    VmaPolicy,
    Pages,
    /// Files and pipes of the descriptor table before it.
    Fd,
    MoreFd,
    Fs,
    SignalAction,
    Itimer,
    Rlimit,
    /// Layers of the Landlock domains of all threads before it, then sets of semaphores and what is undone at exit.
    LeaderSched,
    Sched,
    Prctl,
    Mempolicy,
    Landlock,
    Filters,
    Cred,
    PosixTimer,
    MorePosixTimers,
    SignalMask,
    SharedPending,
    Pending,
    Regs,
    RestartBlock,
    /// Of a task that has exited.
    LastCred,
    TaskEnd,
    Complete,
}

impl State {
    fn expects(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Tree => "tree, pids, user-ns or prologue-end",
            Self::Pids => "pids, user-ns or prologue-end",
            Self::PrologueEnd => "prologue-end",
            Self::Task => "task or trailer",
            Self::Mm(None) => "file, pipe, pty, pty-file, nameless, nameless-data, shmem, shm or mm",
            Self::Mm(Some(_)) => "pages of the shmem or shm, file, pipe, nameless, shmem, shm or mm",
            Self::Vma => "vma, aio, vma-name, vma-policy, pages or mm-end",
            Self::Aio => "aio, vma-name, vma-policy, pages or mm-end",
            Self::VmaName => "vma-name, vma-policy, pages or mm-end",
            Self::VmaPolicy => "vma-policy, pages or mm-end",
            Self::Pages => "pages or mm-end",
            Self::Fd => {
                "ctty, file, pipe, pty, pty-file, nameless, nameless-data, socket, socket-message, socket-options, mqd, an event or fd"
            }
            Self::MoreFd => "fd",
            Self::Fs => "fs",
            Self::SignalAction => "signal-action",
            Self::Itimer => "itimer",
            Self::Rlimit => "rlimit",
            Self::LeaderSched => "landlock-layer, sem, sem-undo or sched",
            Self::Sched => "sem, sem-undo or sched",
            Self::Prctl => "prctl",
            Self::Mempolicy => "mempolicy, landlock, seccomp-filter, seccomp or cred",
            Self::Landlock => "landlock, seccomp-filter, seccomp or cred",
            Self::Filters => "seccomp-filter, seccomp or cred",
            Self::Cred | Self::LastCred => "cred",
            Self::PosixTimer => "posix-timer",
            Self::MorePosixTimers => "posix-timer or signal-mask",
            Self::SignalMask => "signal-mask",
            Self::SharedPending => "signal-pending or fpu",
            Self::Pending => "signal-pending of the thread or fpu",
            Self::Regs => "regs",
            Self::RestartBlock => "restart-block or task-end",
            Self::TaskEnd => "task-end",
            Self::Complete => "nothing",
        }
    }
}

/// Follows the records of one statefile.
#[derive(Debug, Default)]
pub(super) struct Order {
    state: State,
    tasks: u32,
    tree: Vec<Tree>,
    /// Pids of the tree, and those of its processes.
    pids: HashSet<u32>,
    processes: HashMap<u32, u32>,
    /// Index of the first task whose pids in nested namespaces have not come.
    named: usize,
    /// Tasks that are complete.
    done: u32,
    /// Object N+1 is entry N.
    objects: Vec<Object>,
    /// What each process uses, by the index of its leader.
    uses: HashMap<u32, Numbers>,
    /// Which of [`SHARED`] the records of the current task describe, and whether also what is of its process alone.
    parts: [bool; 4],
    has_process: bool,
    /// The descriptor table of the task is complete.
    has_table: bool,
    /// Sizes of shared memory and of files without a name, by objref.
    sizes: HashMap<u32, u64>,
    /// Objrefs of those open files that are epolls.
    epolls: HashSet<u32>,
    /// The last inotify: its objref, how many watches have not come, and the number of the last that has.
    inotify: (u32, u32, u32),
    /// The last message of a socket: its objref, and how many bytes have not come.
    message: (u32, u32),
    /// The last fanotify: its objref, and how many marks have not come.
    fanotify: (u32, u32),
    /// Slots for files and for buffers of those open files that are rings of io_uring.
    urings: HashMap<u32, (u32, u32)>,
    /// Objrefs of pidfds of processes that have been reaped.
    reaped: HashSet<u32>,
    /// How many layers there are up to a layer of a Landlock domain, by objref.
    layers: HashMap<u32, usize>,
    /// Mappings of the current task, and how many are to come.
    vmas: Vec<Vma>,
    vmas_left: u32,
    /// Rings of asynchronous I/O among them for which no context has come.
    rings: u32,
    /// The last of those that has: its address, the slot where its next event would stand, and for how many there is room.
    context: Option<(u64, u64, u64)>,
    /// Lowest descriptor number that may come next.
    next_fd: u32,
    /// The controlling terminal of the current process may still come.
    before_descriptors: bool,
    /// User namespaces below that of the first task.
    user_nss: u32,
    /// Namespaces of the current task may still come.
    before_namespaces: bool,
    /// The cgroup of the current task may come.
    before_cgroup: bool,
    /// Mounts of the mount namespace that have come, and how many are still to come.
    mounts: u32,
    mounts_left: u32,
    /// The network namespace whose devices, addresses and so on may come.
    network: Option<Network>,
    /// Ends of veth pairs (network namespace and index) whose other end has not come.
    ends: HashSet<(u32, u32)>,
    /// What a restart has to be told has come.
    external: bool,
    /// The objects of the ipc namespace that the current task has made may come, and those of the segment with this objref.
    ipc: bool,
    segment: Option<u32>,
    /// How many messages of a queue are still to come, by objref.
    messages: HashMap<u32, u32>,
    /// The undo list of the current task.
    undo: u32,
}

/// A network namespace while its records come.
#[derive(Clone, Copy, Debug)]
struct Network {
    objref: u32,
    devices_left: u32,
    /// Least index of the next device.
    least: u32,
}

type Result<T> = std::result::Result<T, Problem>;

fn check(right: bool, otherwise: &'static str) -> Result<()> {
    if right {
        Ok(())
    } else {
        Err(Problem::Value(otherwise))
    }
}

/// Address after an extent, whose own bounds have been checked.
fn end(extent: &Extent) -> u64 {
    extent.address.saturating_add(u64::from(extent.pages) * 4096)
}

impl Order {
    /// Whether the trailer has come.
    pub fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// Takes the next record, or says why it may not stand here.
    pub fn accept(&mut self, body: &Body) -> Result<()> {
        self.check_complete(body)?;
        self.state = match (self.state, body) {
            (State::Header, Body::Header(header)) => {
                self.tasks = header.tasks;
                State::Tree
            }
            // Not before the header: a reader wants to know the machine first.
            (state, Body::Unknown) if state != State::Header => state,

            (State::Tree, Body::Tree(head, entries)) => {
                check(
                    head.first as usize == self.tree.len(),
                    "a part of the tree is missing or repeated",
                )?;
                check(
                    self.tree.len() + entries.len() <= self.tasks as usize,
                    "the tree has too many tasks",
                )?;
                for entry in entries {
                    self.add_task(entry)?;
                }
                State::Tree
            }
            (State::Tree | State::Pids, Body::Pids(head, pids)) => {
                check(self.tree.len() == self.tasks as usize, "the tree has too few tasks")?;
                self.skip_named();
                check(
                    head.index as usize == self.named,
                    "pids are not those of the next task that has some",
                )?;
                let level = self.tree.get(self.named).map_or(0, |entry| entry.level);
                check(
                    pids.len() == level as usize,
                    "a task has pids in other namespaces than it is in",
                )?;
                self.named += 1;
                State::Pids
            }
            (
                State::Tree | State::Pids,
                Body::UserNs(..) | Body::NestedUserNs(..) | Body::External(..) | Body::PrologueEnd,
            ) => {
                check(self.tree.len() == self.tasks as usize, "the tree has too few tasks")?;
                self.skip_named();
                check(
                    self.named == self.tree.len(),
                    "a task lacks its pids in nested namespaces",
                )?;
                self.external = matches!(body, Body::External(..));
                self.accept_user_ns(body)?;
                if matches!(body, Body::PrologueEnd) {
                    State::Task
                } else {
                    State::PrologueEnd
                }
            }
            (State::PrologueEnd, Body::NestedUserNs(..)) if !self.external => {
                self.accept_user_ns(body)?;
                State::PrologueEnd
            }
            (State::PrologueEnd, Body::External(..)) if !self.external => {
                self.external = true;
                State::PrologueEnd
            }
            (State::PrologueEnd, Body::PrologueEnd) => State::Task,

            (State::Task, Body::Task(task)) => {
                self.before_namespaces = true;
                self.before_cgroup = true;
                self.begin_task(task)?
            }
            (State::Task, Body::Trailer(trailer)) if self.done == self.tasks => {
                check(trailer.tasks == self.tasks, "the trailer counts other tasks than these")?;
                check(
                    trailer.objects as usize == self.objects.len(),
                    "the trailer counts other objects than these",
                )?;
                check(self.ends.is_empty(), "the other end of a pair has not come")?;
                State::Complete
            }
            (state, body) => self.accept_in_task(state, body)?,
        };
        Ok(())
    }

    /// What consists of several records is not left in the middle.
    fn check_complete(&self, next: &Body) -> Result<()> {
        check(
            self.message.1 == 0 || matches!(next, Body::SocketData(..) | Body::Unknown),
            "a message is longer than what there is of it",
        )?;
        check(
            self.inotify.1 == 0 || matches!(next, Body::InotifyEvents(..) | Body::InotifyWatch(..) | Body::Unknown),
            "an inotify lacks watches",
        )?;
        check(
            self.fanotify.1 == 0 || matches!(next, Body::FanotifyMark(..) | Body::Unknown),
            "a fanotify lacks marks",
        )
    }

    /// Those of an open file stand behind it, those of a process behind its descriptor table.
    fn check_locks(&self, state: State, locks: &Locks) -> Result<()> {
        if locks.holder == lock::holder::TABLE {
            check(
                self.has_table && locks.of < self.next_fd,
                "locks are of a descriptor that is not there",
            )
        } else {
            check(
                matches!(state, State::Mm(_) | State::Fd) && self.object(locks.of) == Some(Object::File),
                "locks are of an object that is no file",
            )
        }
    }

    /// Slots for files and for buffers of a ring of io_uring.
    fn uring(&self, objref: u32) -> Result<(u32, u32)> {
        let ring = self.urings.get(&objref).copied();
        ring.ok_or(Problem::Value("a part of a ring belongs to none"))
    }

    fn accept_in_task(&mut self, state: State, body: &Body) -> Result<State> {
        // Before all else of a process that lives.
        if let (Body::Cgroup(..), true) = (body, std::mem::take(&mut self.before_cgroup)) {
            return Ok(state);
        }
        if self.accept_namespace(body)? {
            return Ok(state);
        }
        self.before_namespaces = false;
        if self.accept_ipc(body)? {
            return Ok(state);
        }
        self.before_descriptors &= !matches!(
            body,
            Body::Fd(..) | Body::Fs(..) | Body::SignalAction(_) | Body::Itimer(_)
        );
        if let Body::Locks(locks, _) = body {
            self.check_locks(state, locks)?;
            return Ok(state);
        }
        Ok(match (state, body) {
            (State::Mm(_), Body::File(file, _)) => {
                self.add_file(file)?;
                State::Mm(None)
            }
            (State::Mm(_), Body::Pipe(pipe, _)) => {
                self.add_object(pipe.objref, Object::Pipe)?;
                State::Mm(None)
            }
            (State::Mm(_), Body::Pty(..) | Body::PtyFile(..)) => {
                self.accept_terminal(body)?;
                State::Mm(None)
            }
            (State::Mm(_), Body::Nameless(..) | Body::NamelessData(..)) => {
                self.accept_nameless(body)?;
                State::Mm(None)
            }
            // What a ring that is mapped keeps.
            (
                State::Mm(_),
                Body::Uring(_)
                | Body::UringData(..)
                | Body::UringOverflow(..)
                | Body::UringFiles(..)
                | Body::Eventfd(_)
                | Body::Signalfd(_)
                | Body::Timerfd(_)
                | Body::Epoll(_)
                | Body::EpollItems(..)
                | Body::Pidfd(_)
                | Body::NsFd(_)
                | Body::ProcFile(..)
                | Body::Inotify(_)
                | Body::InotifyEvents(..)
                | Body::InotifyWatch(..)
                | Body::Fanotify(_)
                | Body::FanotifyMark(..)
                | Body::Userfaultfd(_)
                | Body::Mqd(..)
                | Body::Socket(..),
            ) => {
                self.accept_in_task(State::Fd, body)?;
                State::Mm(None)
            }
            (State::Fd, Body::Uring(ring)) => {
                let told = ring.event == 0 || self.object(ring.event) == Some(Object::File);
                check(told, "a ring tells what is no eventfd")?;
                self.add_object(ring.objref, Object::File)?;
                self.urings.insert(ring.objref, (ring.files, ring.buffers));
                State::Fd
            }
            (State::Fd, Body::UringData(data, _)) => {
                self.uring(data.ring)?;
                State::Fd
            }
            (State::Fd, Body::UringOverflow(overflow, _)) => {
                self.uring(overflow.ring)?;
                State::Fd
            }
            (State::Fd, Body::UringFiles(files, entries)) => {
                let (slots, _) = self.uring(files.ring)?;
                check(
                    entries
                        .iter()
                        .all(|e| e.slot < slots && self.is_open_file(e.file) && !self.urings.contains_key(&e.file)),
                    "a ring keeps what is no file, or in no slot",
                )?;
                State::Fd
            }
            (State::LeaderSched | State::Sched, Body::UringBuffers(buffers, entries)) => {
                let (_, slots) = self.uring(buffers.ring)?;
                check(entries.iter().all(|e| e.slot < slots), "a ring keeps memory in no slot")?;
                State::Sched
            }
            (State::LeaderSched | State::Sched, Body::UringTask(task)) => {
                self.uring(task.ring)?;
                State::Sched
            }
            (State::Fd, Body::Socket(..) | Body::SocketMessage(..) | Body::SocketData(..) | Body::SocketOptions(_)) => {
                self.accept_socket(body)?;
                state
            }
            (State::Mm(_), Body::Shmem(shmem)) => {
                self.add_object(shmem.objref, Object::Shmem)?;
                self.sizes.insert(shmem.objref, shmem.size);
                State::Mm(Some(shmem.objref))
            }
            (State::Mm(_), Body::Shm(shm)) => {
                self.add_object(shm.objref, Object::Segment)?;
                self.sizes.insert(shm.objref, shm.size.div_ceil(4096) * 4096);
                State::Mm(Some(shm.objref))
            }
            (State::Mm(Some(shmem)), Body::Pages(pages, extents)) if pages.objref == shmem => {
                self.check_shmem(shmem, extents)?;
                state
            }
            (State::Mm(_), Body::Mm(mm, _)) => {
                self.check_mm(mm)?;
                check(
                    mm.parent == 0 || self.object(mm.parent) == Some(Object::Mm),
                    "an address space takes pages from an object that is none",
                )?;
                self.vmas_left = mm.vmas;
                State::Vma
            }
            (State::Vma, Body::Vma(_, entries)) => {
                for vma in entries {
                    self.add_vma(vma)?;
                }
                State::Vma
            }
            (State::Vma | State::Aio, Body::Aio(aio, events)) if self.vmas_left == 0 => {
                self.add_context(aio, events.len() as u64)?;
                State::Aio
            }
            (State::Vma | State::Aio | State::VmaName, Body::VmaName(name, _)) if self.has_mappings() => {
                check(
                    self.is_mapped(name.start, name.end),
                    "a name is for memory that is not mapped",
                )?;
                State::VmaName
            }
            (State::Vma | State::Aio | State::VmaName | State::VmaPolicy, Body::VmaPolicy(policy, _))
                if self.has_mappings() =>
            {
                check(
                    self.is_mapped(policy.start, policy.end),
                    "a policy is for memory that is not mapped",
                )?;
                State::VmaPolicy
            }
            (
                State::Vma | State::Aio | State::VmaName | State::VmaPolicy | State::Pages,
                Body::Pages(pages, extents),
            ) if self.has_mappings() && pages.objref == 0 => {
                for extent in extents {
                    check(
                        self.is_mapped(extent.address, end(extent)),
                        "pages are for memory that is not mapped",
                    )?;
                }
                State::Pages
            }
            (State::Vma | State::Aio | State::VmaName | State::VmaPolicy | State::Pages, Body::MmEnd)
                if self.has_mappings() =>
            {
                self.part(1)
            }

            (State::Fd, Body::File(file, _)) => {
                self.add_file(file)?;
                State::Fd
            }
            (State::Fd | State::Fs | State::SignalAction | State::Itimer, Body::Pty(..) | Body::Ctty(_))
                if self.before_descriptors =>
            {
                self.accept_terminal(body)?;
                state
            }
            (State::Fd, Body::Pty(..) | Body::PtyFile(..)) => {
                self.accept_terminal(body)?;
                State::Fd
            }
            (State::Fd, Body::Nameless(..) | Body::NamelessData(..)) => {
                self.accept_nameless(body)?;
                State::Fd
            }
            (State::Fd, Body::Mqd(mqd, _)) => {
                self.add_object(mqd.objref, Object::File)?;
                State::Fd
            }
            (State::Fd, Body::Pipe(pipe, _)) => {
                self.add_object(pipe.objref, Object::Pipe)?;
                State::Fd
            }
            (
                State::Fd,
                Body::Eventfd(Eventfd { objref, .. })
                | Body::Signalfd(Signalfd { objref, .. })
                | Body::Timerfd(Timerfd { objref, .. }),
            ) => {
                self.add_object(*objref, Object::File)?;
                State::Fd
            }
            (State::Fd, Body::Pidfd(pidfd)) => {
                self.add_pidfd(pidfd)?;
                State::Fd
            }
            (State::Fd, Body::NsFd(namespace)) => {
                check(
                    (namespace.task as usize) < self.tree.len(),
                    "a namespace is of a task that the tree does not have",
                )?;
                self.add_object(namespace.objref, Object::File)?;
                State::Fd
            }
            (State::Fd, Body::ProcFile(file, ..)) => {
                check(
                    (file.process as usize) < self.tree.len()
                        && (file.thread == proc::PROCESS || (file.thread as usize) < self.tree.len()),
                    "a file of /proc is of a task that the tree does not have",
                )?;
                self.add_object(file.objref, Object::File)?;
                State::Fd
            }
            (State::Fd, Body::Userfaultfd(userfaultfd)) => {
                self.add_object(userfaultfd.objref, Object::File)?;
                State::Fd
            }
            (State::Fd, Body::Inotify(inotify)) => {
                self.inotify = (inotify.objref, inotify.watches, 0);
                self.add_object(inotify.objref, Object::File)?;
                State::Fd
            }
            (State::Fd, Body::InotifyEvents(events, _)) => {
                check(
                    self.inotify.0 == events.inotify && self.inotify.2 == 0,
                    "events stand behind no inotify",
                )?;
                State::Fd
            }
            (State::Fd, Body::InotifyWatch(watch, _)) => {
                let (objref, missing, last) = self.inotify;
                check(
                    objref == watch.inotify && missing > 0 && watch.wd > last,
                    "a watch stands behind no inotify that lacks it",
                )?;
                self.inotify = (objref, missing - 1, watch.wd);
                State::Fd
            }
            (State::Fd, Body::Fanotify(fanotify)) => {
                self.fanotify = (fanotify.objref, fanotify.marks);
                self.add_object(fanotify.objref, Object::File)?;
                State::Fd
            }
            (State::Fd, Body::FanotifyMark(mark, _)) => {
                let (objref, missing) = self.fanotify;
                check(
                    objref == mark.fanotify && missing > 0,
                    "a mark stands behind no fanotify that lacks it",
                )?;
                self.fanotify = (objref, missing - 1);
                State::Fd
            }
            (State::Fd, Body::Epoll(epoll)) => {
                self.add_object(epoll.objref, Object::File)?;
                self.epolls.insert(epoll.objref);
                State::Fd
            }
            (State::Fd, Body::EpollItems(items, entries)) => {
                check(
                    self.epolls.contains(&items.epoll),
                    "what is watched belongs to no epoll",
                )?;
                check(
                    entries.iter().all(|item| self.object(item.file) == Some(Object::File)),
                    "an epoll watches what is no file",
                )?;
                State::Fd
            }
            (State::Fd | State::MoreFd, Body::Fd(table, entries)) => {
                for fd in entries {
                    check(
                        fd.fd >= self.next_fd,
                        "descriptors are not in the order of their numbers",
                    )?;
                    check(self.is_open_file(fd.objref), "a descriptor refers to no file")?;
                    self.next_fd = fd.fd.saturating_add(1);
                }
                if table.more == 1 {
                    State::MoreFd
                } else {
                    self.has_table = true;
                    self.part(2)
                }
            }
            (State::Fs, Body::Fs(..)) => self.part(3),

            (State::SignalAction, Body::SignalAction(_)) => self.part(4),
            (State::LeaderSched, Body::MqNotify(_)) => state,
            (State::Itimer, Body::Itimer(_)) => State::Rlimit,
            (State::Rlimit, Body::Rlimit(_)) => State::LeaderSched,
            (State::LeaderSched, Body::LandlockLayer(layer)) => {
                self.add_layer(layer)?;
                State::LeaderSched
            }
            (State::LeaderSched | State::Sched, Body::Sem(sem, _)) => {
                self.add_object(sem.objref, Object::Sem)?;
                State::Sched
            }
            (State::LeaderSched | State::Sched, Body::SemUndo(list, entries)) => {
                self.add_undo(list.objref, entries)?;
                State::Sched
            }
            (State::LeaderSched | State::Sched, Body::Sched(..)) => {
                self.undo = 0;
                State::Prctl
            }
            (State::Prctl, Body::Prctl(_)) => State::Mempolicy,
            (State::Mempolicy, Body::Mempolicy(..)) => State::Landlock,
            (State::Mempolicy | State::Landlock, Body::Landlock(landlock)) => {
                check(
                    landlock.domain == 0 || self.object(landlock.domain) == Some(Object::LandlockLayer),
                    "a Landlock domain refers to no layer",
                )?;
                State::Filters
            }
            (State::Mempolicy | State::Landlock | State::Filters, Body::SeccompFilter(filter, _)) => {
                check(
                    filter.prev == 0 || self.object(filter.prev) == Some(Object::Filter),
                    "a seccomp filter is behind none",
                )?;
                self.add_object(filter.objref, Object::Filter)?;
                State::Filters
            }
            (State::Mempolicy | State::Landlock | State::Filters, Body::Seccomp(seccomp)) => {
                check(
                    seccomp.filter == 0 || self.object(seccomp.filter) == Some(Object::Filter),
                    "seccomp refers to no filter",
                )?;
                State::Cred
            }
            (State::Mempolicy | State::Landlock | State::Filters | State::Cred, Body::Cred(..)) => {
                if self.has_process {
                    State::PosixTimer
                } else {
                    State::SignalMask
                }
            }
            (State::PosixTimer | State::SignalMask, Body::FileSignals(signals)) if self.has_table => {
                check(
                    signals.fd < self.next_fd,
                    "signals are of a descriptor that is not there",
                )?;
                state
            }
            (State::PosixTimer | State::MorePosixTimers, Body::PosixTimer(..)) => State::MorePosixTimers,
            (State::SignalMask | State::MorePosixTimers, Body::SignalMask(_)) => State::SharedPending,
            (State::SharedPending, Body::SignalPending(pending, _)) if pending.shared == 1 && self.has_process => state,
            (State::SharedPending | State::Pending, Body::SignalPending(pending, _)) if pending.shared == 0 => {
                State::Pending
            }
            (State::SharedPending | State::Pending, Body::Fpu(..)) => State::Regs,
            (State::Regs, Body::Regs(_)) => State::RestartBlock,
            (State::RestartBlock, Body::RestartBlock(_)) => State::TaskEnd,
            (State::LastCred, Body::Cred(..)) => State::TaskEnd,
            (State::RestartBlock | State::TaskEnd, Body::TaskEnd) => {
                self.done += 1;
                State::Task
            }
            (state, _) => return Err(Problem::Order(state.expects())),
        })
    }

    fn add_task(&mut self, entry: &Tree) -> Result<()> {
        let index = self.tree.len() as u32;
        let has = |flag| entry.flags & flag != 0;
        let is_leader = has(flags::LEADER);
        let has_pid = i32::try_from(entry.pid).is_ok_and(|pid| pid > 0);
        check(has_pid, "a pid is out of range")?;
        check(self.pids.insert(entry.pid), "a pid is there twice")?;
        check(
            is_leader == (entry.leader == index),
            "a task is its own leader, or it is not",
        )?;
        check(
            is_leader == (entry.pid == entry.tgid),
            "a leader's pid is its tgid, a thread's is not",
        )?;
        check(
            !has(flags::ZOMBIE | flags::EXITED) || is_leader && !(has(flags::ZOMBIE) && has(flags::EXITED)),
            "only a leader has exited, with its process or without",
        )?;
        if is_leader {
            self.add_process(entry, index)?;
        } else {
            let leader = self.tree.get(entry.leader as usize);
            let right = leader.is_some_and(|leader| leader.tgid == entry.tgid && leader.flags & flags::LEADER != 0);
            check(right, "a thread does not follow its leader")?;
            let right = leader.is_some_and(|leader| {
                leader.flags & flags::ZOMBIE == 0 && (leader.level, leader.vm) == (entry.level, entry.vm)
            });
            check(right, "a thread is not where its process is")?;
        }
        self.tree.push(*entry);
        Ok(())
    }

    fn add_process(&mut self, entry: &Tree, index: u32) -> Result<()> {
        let has = |flag| entry.flags & flag != 0;
        let lives = |process: &Tree| process.flags & flags::LEADER != 0 && process.flags & flags::ZOMBIE == 0;
        let mut above = 0;
        if index != 0 && entry.ppid != 0 {
            let parent = self
                .processes
                .get(&entry.ppid)
                .and_then(|parent| self.tree.get(*parent as usize));
            check(parent.is_some_and(lives), "a process does not follow its parent")?;
            above = parent.map_or(0, |parent| parent.level);
        }
        check(
            if index == 0 {
                entry.level == 0
            } else {
                entry.level >= above
            },
            "a process is in a pid namespace above that of its parent",
        )?;
        check(
            !has(flags::PIDNS_INIT) || entry.level == above + 1,
            "the first process of a pid namespace is not just below its parent's",
        )?;
        if entry.vm != index {
            let owner = self.tree.get(entry.vm as usize);
            check(
                owner.is_some_and(|owner| lives(owner) && owner.vm == entry.vm) && !has(flags::ZOMBIE),
                "a process does not follow the one whose memory it shares",
            )?;
        }
        check(
            !has(flags::SHARES_HANDLERS) || entry.vm != index,
            "a process shares signal handlers, but no memory",
        )?;
        self.processes.insert(entry.pid, index);
        Ok(())
    }

    /// Goes to the next task that is in a nested pid namespace.
    fn skip_named(&mut self) {
        while self.tree.get(self.named).is_some_and(|entry| entry.level == 0) {
            self.named += 1;
        }
    }

    /// The task record of the next task: which records have to follow.
    fn begin_task(&mut self, task: &Task) -> Result<State> {
        let Some(&entry) = self.tree.get(self.done as usize) else {
            return Err(Problem::Order("trailer"));
        };
        check(task.index == self.done, "the task is not the next one of the tree")?;
        let numbers = numbers(task);
        let has_exited = entry.flags & (flags::ZOMBIE | flags::EXITED) != 0;
        check(
            has_exited || task.exit_status == 0,
            "a task that lives has the status of one that has exited",
        )?;
        (self.parts, self.has_process, self.has_table) = ([false; 4], false, false);
        self.before_descriptors = false;
        if entry.flags & flags::ZOMBIE != 0 || entry.flags & flags::EXITED != 0 && numbers == NOTHING {
            check(numbers == NOTHING, "a task that has exited uses something")?;
            return Ok(State::LastCred);
        }
        // The first task that lives has the process with it: the leader, if that has not exited.
        if let Some(process) = self.uses.get(&entry.leader) {
            // It may have descriptors and directories of its own, by unshare(2).
            check(
                (numbers[0], numbers[3]) == (process[0], process[3]),
                "a thread uses something else than its process",
            )?;
            self.find_parts(numbers)?;
            return Ok(self.part(0));
        }
        (self.has_process, self.before_descriptors) = (true, true);
        self.find_parts(numbers)?;
        let owner = self.uses.get(&entry.vm);
        let shares = |at: usize| owner.is_some_and(|owner| owner[at] == numbers[at]);
        check(
            if entry.vm == entry.leader {
                self.parts[0]
            } else {
                shares(0)
            },
            "a process shares its memory with another one than the tree says",
        )?;
        check(
            entry.flags & flags::SHARES_HANDLERS == 0 || shares(3),
            "a process shares its signal handlers with another one than the tree says",
        )?;
        self.uses.insert(entry.leader, numbers);
        Ok(self.part(0))
    }

    /// What the task uses that no task before it does.
    fn find_parts(&mut self, numbers: Numbers) -> Result<()> {
        for ((part, number), kind) in self.parts.iter_mut().zip(numbers).zip(SHARED) {
            if number as usize == self.objects.len() + 1 {
                self.objects.push(kind);
                *part = true;
            } else {
                let known = (number as usize).checked_sub(1).and_then(|at| self.objects.get(at));
                check(known == Some(&kind), "a task shares what is not there")?;
            }
        }
        Ok(())
    }

    /// Where the records of a task go on: with the part of this number, or the next one that it has.
    fn part(&mut self, from: usize) -> State {
        match (from..SHARED.len()).find(|at| self.parts[*at]) {
            Some(0) => {
                self.vmas.clear();
                self.context = None;
                State::Mm(None)
            }
            Some(1) => {
                self.next_fd = 0;
                State::Fd
            }
            Some(2) => State::Fs,
            Some(_) => State::SignalAction,
            None if self.has_process => State::Itimer,
            None => State::Sched,
        }
    }

    /// What is in a network namespace stands behind its record: devices first.
    fn accept_network(&mut self, body: &Body) -> Result<bool> {
        let is_device = matches!(body, Body::NetDevice(..));
        if !is_device && !matches!(body, Body::NetAddress(_) | Body::NetRoute(_) | Body::NetNeighbour(_)) {
            check(
                self.network.is_none_or(|network| network.devices_left == 0),
                "a network namespace lacks devices",
            )?;
            self.network = None;
            return Ok(false);
        }
        let network = self.network.filter(|n| is_device == (n.devices_left > 0));
        let mut network = network.ok_or(Problem::Value("record is not part of a network namespace"))?;
        if let Body::NetDevice(device, _) = body {
            check(
                device.ifindex >= network.least,
                "devices are not in the order of their indexes",
            )?;
            let there = device.peer_ns == 0
                || device.peer_ns == network.objref
                || self.object(device.peer_ns) == Some(Object::Namespace(Namespace::Net));
            check(there, "the other end of a pair is in no network namespace")?;
            let first = device.peer == peer::LATER
                || (device.peer_ns == network.objref && device.peer_ifindex > device.ifindex);
            if first {
                self.ends.insert((network.objref, device.ifindex));
            } else if device.peer == peer::KNOWN {
                let came = self.ends.remove(&(device.peer_ns, device.peer_ifindex));
                check(came, "the other end of a pair has not come before it")?;
            }
            network.least = device.ifindex + 1;
            network.devices_left -= 1;
        }
        self.network = Some(network);
        Ok(true)
    }

    /// Namespaces stand between the task record and what comes next, whatever that is.
    fn accept_namespace(&mut self, body: &Body) -> Result<bool> {
        if self.accept_network(body)? {
            return Ok(true);
        }
        let (objref, namespace) = match body {
            Body::NsOwner(fixed) if self.before_namespaces && self.mounts_left == 0 => {
                check(fixed.user_ns <= self.user_nss, "there is no such user namespace")?;
                return Ok(true);
            }
            Body::UtsNs(fixed) => (fixed.objref, Namespace::Uts),
            Body::IpcNs(fixed) => {
                self.ipc |= self.before_namespaces;
                (fixed.objref, Namespace::Ipc)
            }
            Body::TimeNs(fixed) => (fixed.objref, Namespace::Time),
            Body::CgroupNs(fixed) => (fixed.objref, Namespace::Cgroup),
            Body::NetNs(fixed) => {
                self.network = Some(Network {
                    objref: fixed.objref,
                    devices_left: fixed.devices,
                    least: 1,
                });
                (fixed.objref, Namespace::Net)
            }
            Body::MntNs(fixed) if self.before_namespaces && self.mounts_left == 0 => {
                (self.mounts, self.mounts_left) = (0, fixed.mounts);
                (fixed.objref, Namespace::Mnt)
            }
            Body::Filesystem(fixed, _) if self.before_namespaces && self.mounts_left > 0 => {
                self.add_object(fixed.objref, Object::Filesystem)?;
                return Ok(true);
            }
            Body::Inode(..) | Body::InodeData(..) | Body::InodeXattr(..)
                if self.before_namespaces && self.mounts_left > 0 =>
            {
                return Ok(true);
            }
            Body::Mount(fixed, ..) if self.before_namespaces && self.mounts_left > 0 => {
                check(
                    fixed.parent < self.mounts || (fixed.parent == 0 && self.mounts == 0),
                    "a mount does not follow its parent",
                )?;
                check(
                    fixed.filesystem == 0 || self.object(fixed.filesystem) == Some(Object::Filesystem),
                    "a mount refers to no file system",
                )?;
                self.mounts += 1;
                self.mounts_left -= 1;
                return Ok(true);
            }
            Body::Nsproxy(fixed) if self.before_namespaces && self.mounts_left == 0 => {
                let parts = [
                    (fixed.uts, Some(Namespace::Uts)),
                    (fixed.ipc, Some(Namespace::Ipc)),
                    (fixed.mnt, Some(Namespace::Mnt)),
                    (fixed.net, Some(Namespace::Net)),
                    (fixed.cgroup, Some(Namespace::Cgroup)),
                    (fixed.time, Some(Namespace::Time)),
                    (fixed.time_for_children, Some(Namespace::Time)),
                ];
                let right = |(objref, wanted): &(u32, Option<Namespace>)| {
                    *objref == 0 || (wanted.is_some() && self.object(*objref) == wanted.map(Object::Namespace))
                };
                check(
                    parts.iter().all(right),
                    "a task refers to a namespace of another kind, or to none",
                )?;
                let first = self.tree.get(fixed.pid_for_children as usize);
                check(
                    fixed.pid_for_children == 0 || first.is_some_and(|first| first.flags & flags::PIDNS_INIT != 0),
                    "a task refers to the pid namespace of one that is not the first in its own",
                )?;
                if self.object(fixed.objref) != Some(Object::Nsproxy) {
                    self.add_object(fixed.objref, Object::Nsproxy)?;
                }
                self.before_namespaces = false;
                return Ok(true);
            }
            _ => return Ok(false),
        };
        if !self.before_namespaces {
            return Ok(false);
        }
        self.add_object(objref, Object::Namespace(namespace))?;
        Ok(true)
    }

    /// A user namespace below that of the first task stands behind its parent.
    fn accept_user_ns(&mut self, body: &Body) -> Result<()> {
        if let Body::NestedUserNs(fixed, _) = body {
            check(
                fixed.parent <= self.user_nss,
                "a user namespace does not follow its parent",
            )?;
            self.user_nss += 1;
        }
        Ok(())
    }

    /// The objects of a new ipc namespace stand between the nsproxy record and what comes next, whatever that is.
    fn accept_ipc(&mut self, body: &Body) -> Result<bool> {
        if !self.ipc {
            return Ok(false);
        }
        let segment = self.segment;
        match body {
            Body::Pages(pages, extents) if segment == Some(pages.objref) => {
                self.check_shmem(pages.objref, extents)?;
                return Ok(true);
            }
            Body::Shm(shm) => {
                self.add_object(shm.objref, Object::Segment)?;
                self.sizes.insert(shm.objref, shm.size.div_ceil(4096) * 4096);
                self.segment = Some(shm.objref);
                return Ok(true);
            }
            Body::Sem(sem, _) => self.add_object(sem.objref, Object::Sem)?,
            Body::Msg(msg) => {
                self.add_object(msg.objref, Object::Msg)?;
                self.messages.insert(msg.objref, msg.messages);
            }
            Body::Mqueue(queue, _) => {
                self.add_object(queue.objref, Object::Mqueue)?;
                self.messages.insert(queue.objref, queue.messages);
            }
            Body::MsgText(msg::MsgText { queue, .. }, _) | Body::MqueueText(mqueue::MqueueText { queue, .. }, _) => {
                let wanted = if matches!(body, Body::MsgText(..)) {
                    Object::Msg
                } else {
                    Object::Mqueue
                };
                let left = self.messages.get(queue).copied().unwrap_or(0);
                check(
                    left > 0 && self.object(*queue) == Some(wanted),
                    "a message does not belong to a queue",
                )?;
                self.messages.insert(*queue, left - 1);
            }
            Body::IpcEnd(_) => {
                check(self.messages.values().all(|left| *left == 0), "a queue lacks messages")?;
                self.ipc = false;
            }
            _ => {
                return Err(Problem::Order(
                    "shm, pages of it, sem, msg, msg-text, mqueue, mqueue-text or ipc-end",
                ))
            }
        }
        self.segment = None;
        Ok(true)
    }

    fn add_undo(&mut self, objref: u32, entries: &[SemAdjustment]) -> Result<()> {
        if objref as usize == self.objects.len() + 1 {
            check(self.undo == 0, "a task has two lists of adjustments")?;
            self.add_object(objref, Object::Undo)?;
            self.undo = objref;
        } else if self.undo != objref {
            check(
                self.object(objref) == Some(Object::Undo) && entries.is_empty() && self.undo == 0,
                "a task shares adjustments that are not there",
            )?;
        }
        check(
            entries.iter().all(|entry| self.object(entry.set) == Some(Object::Sem)),
            "an adjustment is for no set of semaphores",
        )
    }

    fn is_open_file(&self, objref: u32) -> bool {
        matches!(
            self.object(objref),
            Some(Object::File | Object::FirstSocket | Object::Socket)
        )
    }

    fn accept_socket(&mut self, body: &Body) -> Result<()> {
        let is_socket = |objref| {
            matches!(
                self.object(objref),
                Some(Object::Socket | Object::FirstSocket | Object::HiddenSocket)
            )
        };
        match body {
            Body::Socket(socket, ..) => {
                check(
                    socket.listener == 0 || is_socket(socket.listener),
                    "a socket was accepted by what is no socket",
                )?;
                check(
                    socket.client == 0 || is_socket(socket.client),
                    "a connection was made by what is no socket",
                )?;
                check(
                    (self.objects.last() == Some(&Object::FirstSocket)) == (socket.pair == pair::SECOND),
                    "the two sockets of a pair do not follow each other",
                )?;
                let object = match socket.pair {
                    pair::FIRST => Object::FirstSocket,
                    pair::WAITING => Object::HiddenSocket,
                    _ if socket.name == name::CLOSED => Object::HiddenSocket,
                    _ => Object::Socket,
                };
                self.add_object(socket.objref, object)
            }
            Body::SocketMessage(message, files, _) => {
                check(
                    is_socket(message.socket) && is_socket(message.sender),
                    "a message is not from a socket to a socket",
                )?;
                check(
                    files.iter().all(|file| self.is_open_file(*file)),
                    "a message carries what is no open file",
                )?;
                let parts = message.length.saturating_sub(socket::PART_MAX);
                self.message = (message.socket, parts);
                Ok(())
            }
            Body::SocketData(part, _) => {
                let (socket, missing) = self.message;
                check(
                    socket == part.socket && part.length == missing.min(socket::PART_MAX) && missing > 0,
                    "a part stands behind no message that lacks it",
                )?;
                self.message.1 = missing - part.length;
                Ok(())
            }
            Body::SocketOptions(options) => check(
                is_socket(options.socket) && (options.peer == 0 || is_socket(options.peer)),
                "options are those of no socket",
            ),
            _ => Ok(()),
        }
    }

    fn add_object(&mut self, objref: u32, object: Object) -> Result<()> {
        check(
            objref as usize == self.objects.len() + 1,
            "an object has not the next number",
        )?;
        self.objects.push(object);
        Ok(())
    }

    fn add_file(&mut self, file: &File) -> Result<()> {
        check(
            file.kind != file::kind::PIPE || self.object(file.pipe) == Some(Object::Pipe),
            "an end of a pipe refers to no pipe",
        )?;
        check(
            file.kind != file::kind::NAMELESS || self.object(file.nameless) == Some(Object::Nameless),
            "an open file refers to no file without a name",
        )?;
        check(
            file.kind != file::kind::REGULAR
                || file.nameless == 0
                || self.object(file.nameless) == Some(Object::Contents),
            "an open file refers to no contents",
        )?;
        self.add_object(file.objref, Object::File)
    }

    /// A file without a name, or content of it, which comes before the next object.
    fn accept_nameless(&mut self, body: &Body) -> Result<()> {
        match body {
            Body::Nameless(file, _) => {
                let named = file.flags & nameless::flags::NAMED != 0;
                let object = if named { Object::Contents } else { Object::Nameless };
                self.add_object(file.objref, object)?;
                self.sizes.insert(file.objref, file.size);
                Ok(())
            }
            Body::NamelessData(data, _) => {
                let newest = data.objref as usize == self.objects.len();
                check(
                    newest && matches!(self.object(data.objref), Some(Object::Nameless | Object::Contents)),
                    "content does not follow its file",
                )?;
                let size = self.sizes.get(&data.objref).copied().unwrap_or(0);
                let end = data.offset.checked_add(data.length.into());
                check(end.is_some_and(|end| end <= size), "content is outside of its file")
            }
            _ => Ok(()),
        }
    }

    /// A pair, an open file of one, or that one is the controlling terminal, which comes before the descriptors.
    fn accept_terminal(&mut self, body: &Body) -> Result<()> {
        match body {
            Body::Pty(pty, _) => self.add_object(pty.objref, Object::Pty),
            Body::PtyFile(file, _) => {
                check(
                    file.pty == 0 || self.object(file.pty) == Some(Object::Pty),
                    "an open file refers to no pty",
                )?;
                self.add_object(file.objref, Object::File)
            }
            Body::Ctty(ctty) => {
                self.before_descriptors = false;
                check(
                    self.object(ctty.pty) == Some(Object::Pty),
                    "a controlling terminal is no pty",
                )
            }
            _ => Ok(()),
        }
    }

    fn add_pidfd(&mut self, pidfd: &Pidfd) -> Result<()> {
        check(
            pidfd.task == pidfd::task::REAPED || (pidfd.task as usize) < self.tree.len(),
            "a pidfd is of a task that the tree does not have",
        )?;
        check(
            pidfd.same == 0 || self.reaped.contains(&pidfd.same),
            "a pidfd is of the same process as what is no pidfd",
        )?;
        if pidfd.task == pidfd::task::REAPED {
            self.reaped.insert(pidfd.objref);
        }
        self.add_object(pidfd.objref, Object::File)
    }

    fn add_layer(&mut self, layer: &landlock::Layer) -> Result<()> {
        let mut layers = 1;
        if layer.below != 0 {
            let below = self.layers.get(&layer.below);
            let Some(below) = below else {
                return Err(Problem::Value("a Landlock layer lies on no layer"));
            };
            layers += below;
        }
        check(layers <= LAYERS_MAX, "a Landlock domain has too many layers")?;
        self.layers.insert(layer.objref, layers);
        self.add_object(layer.objref, Object::LandlockLayer)
    }

    fn object(&self, objref: u32) -> Option<Object> {
        self.objects.get((objref as usize).checked_sub(1)?).copied()
    }

    fn check_mm(&self, mm: &Mm) -> Result<()> {
        check(
            mm.exe == 0 || self.object(mm.exe) == Some(Object::File),
            "the program refers to no file",
        )
    }

    fn check_shmem(&self, objref: u32, extents: &[Extent]) -> Result<()> {
        let size = self.sizes.get(&objref).copied().unwrap_or(0);
        check(
            extents.iter().all(|extent| end(extent) <= size),
            "pages are outside of the shared memory",
        )?;
        check(
            extents.iter().all(|extent| extent.flags == 0),
            "shared memory has no guard regions",
        )
    }

    fn add_vma(&mut self, vma: &Vma) -> Result<()> {
        check(self.vmas_left > 0, "there are more mappings than announced")?;
        let after = self.vmas.last().is_none_or(|last| last.end <= vma.start);
        check(after, "mappings overlap or are not in the order of their addresses")?;
        let wanted = match vma.kind {
            vma_kind::FILE_PRIVATE | vma_kind::FILE_SHARED => Some(Object::File),
            vma_kind::SHMEM | vma_kind::HUGE => Some(Object::Shmem),
            vma_kind::SYSV => Some(Object::Segment),
            _ => None,
        };
        let right = wanted.is_none() || self.object(vma.objref) == wanted;
        check(right, "a mapping refers to an object of another kind, or to none")?;
        self.rings += u32::from(vma.kind == vma_kind::AIO);
        self.vmas.push(*vma);
        self.vmas_left -= 1;
        Ok(())
    }

    /// Whether all mappings are there, and what hangs on them.
    fn has_mappings(&self) -> bool {
        self.vmas_left == 0 && self.rings == 0
    }

    fn add_context(&mut self, aio: &Aio, events: u64) -> Result<()> {
        let ring = self.vmas.binary_search_by_key(&aio.address, |vma| vma.start);
        let ring = ring
            .ok()
            .map(|at| &self.vmas[at])
            .filter(|vma| vma.kind == vma_kind::AIO);
        let Some(ring) = ring else {
            return Err(Problem::Value("a context of asynchronous I/O has no ring"));
        };
        let slots = aio::slots(ring.end - ring.start);
        let first = u64::from(aio.first);
        check(first < slots, "events of asynchronous I/O stand outside of their ring")?;
        let room = match self.context {
            Some((address, next, room)) if address == aio.address => {
                check(first == next, "events of asynchronous I/O do not follow each other")?;
                room
            }
            last => {
                check(
                    last.is_none_or(|(address, ..)| address < aio.address),
                    "contexts of asynchronous I/O are not in the order of their addresses",
                )?;
                self.rings -= 1;
                slots - 1
            }
        };
        check(events <= room, "a ring of asynchronous I/O has no room for its events")?;
        self.context = Some((aio.address, (first + events) % slots, room - events));
        Ok(())
    }

    /// Whether mappings cover all of a range.
    fn is_mapped(&self, mut start: u64, end: u64) -> bool {
        let first = self.vmas.partition_point(|vma| vma.end <= start);
        for vma in &self.vmas[first..] {
            if vma.start > start {
                return false;
            }
            start = vma.end;
            if start >= end {
                return true;
            }
        }
        false
    }
}
