// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! What is in a statefile, for people (`summary/text.rs`) and for machines (`summary/json.rs`).

mod json;
mod text;

use crate::text::until_nul;
use libckpt::statefile::{type_name, Body, Record};
use libckpt::uapi::record::aio::Aio;
use libckpt::uapi::record::cred::Cred;
use libckpt::uapi::record::event::{Epoll, EpollItem, Eventfd, Signalfd, Timerfd};
use libckpt::uapi::record::fanotify::{self, Fanotify};
use libckpt::uapi::record::fd::Fd;
use libckpt::uapi::record::file::{self, File};
use libckpt::uapi::record::file_signals::{lease, owner, FileSignals};
use libckpt::uapi::record::fpu::Fpu;
use libckpt::uapi::record::header::Header;
use libckpt::uapi::record::inotify::{self, Inotify};
use libckpt::uapi::record::itimer::Itimers;
use libckpt::uapi::record::landlock::{self, Landlock};
use libckpt::uapi::record::lock::{self, Lock};
use libckpt::uapi::record::mempolicy::{Mempolicy, VmaPolicy};
use libckpt::uapi::record::mm::{extent_flags, vma_flags, vma_kind, Mm, Vma};
use libckpt::uapi::record::mqueue::{MqNotify, Mqd, Mqueue};
use libckpt::uapi::record::msg::Msg;
use libckpt::uapi::record::nameless::Nameless;
use libckpt::uapi::record::net::{NetAddress, NetDevice, NetNeighbour, NetRoute};
use libckpt::uapi::record::ns::{user_flags, IdExtent, IpcNs, NestedUserNs, Nsproxy, TimeNs, UserNs, UtsNs};
use libckpt::uapi::record::nsfd::NsFd;
use libckpt::uapi::record::pidfd::{self, Pidfd};
use libckpt::uapi::record::pipe::Pipe;
use libckpt::uapi::record::posix_timer::{self, PosixTimer};
use libckpt::uapi::record::prctl::{self, Prctl};
use libckpt::uapi::record::proc::{self, ProcFile};
use libckpt::uapi::record::pty::{self, Ctty, Pty, PtyFile};
use libckpt::uapi::record::regs::Regs;
use libckpt::uapi::record::restart_block::{self, RestartBlock};
use libckpt::uapi::record::rlimit::Rlimits;
use libckpt::uapi::record::sched::Sched;
use libckpt::uapi::record::seccomp::{self, Seccomp, SeccompFilter};
use libckpt::uapi::record::sem::{Sem, SemAdjustment, SemUndo, SemValue};
use libckpt::uapi::record::shm::Shm;
use libckpt::uapi::record::shmem::Shmem;
use libckpt::uapi::record::signal::{Actions, Mask};
use libckpt::uapi::record::socket::{self, Socket, SocketOptions};
use libckpt::uapi::record::task::Task;
use libckpt::uapi::record::tree::{flags as tree_flags, Tree};
use libckpt::uapi::record::uring::{self, Uring};
use libckpt::uapi::record::userfaultfd::Userfaultfd;
use libckpt::uapi::statefile::Prefix;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

/// What is in a statefile, without the contents of memory.
pub struct Summary {
    prefix: Prefix,
    header: Option<Box<Header>>,
    tree: Vec<Tree>,
    /// Thread ids in nested pid namespaces, by the index of the task.
    nested: BTreeMap<u32, Vec<u32>>,
    /// The user namespace of all tasks, with its maps of users and of groups.
    user_ns: Option<(UserNs, [Vec<IdExtent>; 2])>,
    nested_user_ns: Vec<(NestedUserNs, [Vec<IdExtent>; 2])>,
    tasks: Vec<TaskSummary>,
    /// Indexes of the processes whose records have come.
    with_process: BTreeSet<u32>,
    /// Pid of the process with which the records of something shared stand, by its objref.
    owners: BTreeMap<u32, u32>,
    objects: BTreeMap<u32, Object>,
    /// Of fcntl(F_OFD_SETLK), by objref of the open file.
    locks: BTreeMap<u32, Vec<Lock>>,
    /// Objref of the mount namespace that mounts belong to.
    mounts: u32,
    /// Objref of the network namespace that devices belong to.
    network: u32,
    /// What a restart has to be told.
    external: Vec<Vec<u8>>,
    record_count: u64,
    payload: u64,
    /// Every record, if asked for.
    records: Option<Vec<RecordLine>>,
    /// Length in bytes.
    pub bytes: u64,
}

struct RecordLine {
    number: u64,
    offset: u64,
    kind: String,
    version: u16,
    flags: u32,
    fixed: u32,
    length: u32,
    payload: u64,
}

/// What waits in a socket.
#[derive(Default)]
struct Waiting {
    messages: u64,
    bytes: u64,
    /// Objrefs of open files.
    files: Vec<u32>,
}

enum Object {
    File(File, Vec<u8>),
    Pipe(Pipe),
    /// The path of its master.
    Pty(Box<Pty>, Vec<u8>),
    PtyFile(PtyFile),
    Eventfd(Eventfd),
    Signalfd(Signalfd),
    Timerfd(Timerfd),
    Epoll(Epoll, Vec<EpollItem>),
    Pidfd(Pidfd),
    NsFd(NsFd),
    Userfaultfd(Userfaultfd),
    /// The path of /proc, and that below the number.
    ProcFile(ProcFile, Vec<u8>, Vec<u8>),
    /// Its watches with their paths, and bytes of events that nobody has read.
    Inotify(Inotify, Vec<(inotify::Watch, Vec<u8>)>, u64),
    /// Its marks with their paths.
    Fanotify(Fanotify, Vec<(fanotify::Mark, Vec<u8>)>),
    /// The files and the buffers that it keeps.
    Uring(Box<Uring>, Vec<uring::Slot>, Vec<uring::Buffer>),
    /// The path or name, and bytes of content.
    Nameless(Nameless, Vec<u8>, u64),
    /// What it is, its address, its options, and what waits in it.
    Socket(Socket, Vec<u8>, Option<SocketOptions>, Waiting),
    Shmem {
        shmem: Shmem,
        pages: u64,
    },
    Shm {
        shm: Box<Shm>,
        pages: u64,
    },
    Sem(Sem, Vec<SemValue>),
    Msg(Box<Msg>),
    Mqueue(Mqueue, Vec<u8>),
    Mqd(Mqd, Vec<u8>),
    UtsNs(Box<UtsNs>),
    IpcNs(IpcNs),
    TimeNs(TimeNs),
    CgroupNs,
    NetNs(Network),
    /// Where the mounts come from and where they are.
    MntNs(Vec<(Vec<u8>, Vec<u8>)>),
    /// Its type.
    Filesystem(Vec<u8>),
    LandlockLayer(landlock::Layer),
    Filter(SeccompFilter),
}

/// What is in a network namespace.
#[derive(Default)]
struct Network {
    devices: Vec<NetDevice>,
    addresses: Vec<NetAddress>,
    routes: Vec<NetRoute>,
    neighbours: Vec<NetNeighbour>,
}

impl Network {
    /// Name of a device.
    fn device(&self, ifindex: u32) -> String {
        let found = self.devices.iter().find(|device| device.ifindex == ifindex);
        found.map_or_else(|| ifindex.to_string(), |device| until_nul(&device.name))
    }
}

/// An address of IPv4 or IPv6, as people write it.
fn address(family: u32, bytes: &[u8; 16]) -> String {
    const AF_INET: u32 = 2;
    match bytes.first_chunk::<4>() {
        Some(first) if family == AF_INET => Ipv4Addr::from(*first).to_string(),
        _ => Ipv6Addr::from(*bytes).to_string(),
    }
}

/// One task.
struct TaskSummary {
    task: Task,
    process: Option<Box<Process>>,
    regs: Option<Box<Regs>>,
    fpu: Option<Fpu>,
    cred: Option<(Cred, Vec<u32>)>,
    sched: Option<(Sched, Vec<u64>)>,
    landlock: Option<Landlock>,
    prctl: Option<Prctl>,
    /// From the root task's on.
    cgroup: Option<Vec<u8>>,
    policy: Option<(Mempolicy, Vec<u64>)>,
    seccomp: Option<Seccomp>,
    mask: Option<Mask>,
    pending: Vec<u32>,
    restart_block: Option<RestartBlock>,
    namespaces: Option<Nsproxy>,
    undo: Option<(SemUndo, Vec<SemAdjustment>)>,
}

/// What a process has for all its threads. What another process has as well stands with the first of them only.
#[derive(Default)]
struct Process {
    mm: Option<Box<Mm>>,
    auxv: Vec<u64>,
    vmas: Vec<Vma>,
    names: Vec<(u64, u64, Vec<u8>)>,
    policies: Vec<(VmaPolicy, Vec<u64>)>,
    /// Contexts of asynchronous I/O, by address, with the number of unread events.
    contexts: BTreeMap<u64, (Aio, u64)>,
    /// Pages saved of the address space.
    pages: u64,
    guard_pages: u64,
    directories: Option<Directories>,
    fds: Option<Vec<Fd>>,
    /// Of fcntl(F_SETLK), by descriptor.
    locks: BTreeMap<u32, Vec<Lock>>,
    signals: Vec<FileSignals>,
    actions: Option<Box<Actions>>,
    itimers: Option<Itimers>,
    terminal: Option<Ctty>,
    timers: Vec<PosixTimer>,
    notified: Vec<MqNotify>,
    rlimits: Option<Box<Rlimits>>,
    pending: Vec<u32>,
}

struct Directories {
    cwd: Vec<u8>,
    root: Vec<u8>,
    umask: u32,
}

impl Summary {
    pub fn new(prefix: Prefix, records: bool) -> Self {
        Self {
            prefix,
            header: None,
            tree: Vec::new(),
            user_ns: None,
            nested_user_ns: Vec::new(),
            nested: BTreeMap::new(),
            tasks: Vec::new(),
            with_process: BTreeSet::new(),
            owners: BTreeMap::new(),
            objects: BTreeMap::new(),
            locks: BTreeMap::new(),
            mounts: 0,
            network: 0,
            external: Vec::new(),
            record_count: 0,
            payload: 0,
            records: records.then(Vec::new),
            bytes: 0,
        }
    }

    /// Takes the next record.
    pub fn add(&mut self, record: Record<'_>) {
        self.record_count += 1;
        self.payload += record.header.payload;
        if let Some(records) = &mut self.records {
            records.push(RecordLine {
                number: record.header.sequence,
                offset: record.offset,
                kind: type_name(record.header.kind),
                version: record.header.version,
                flags: record.header.flags,
                fixed: record.header.fixed,
                length: record.header.length,
                payload: record.header.payload,
            });
        }
        match record.body {
            Body::Header(header) => self.header = Some(header),
            Body::Tree(_, entries) => self.tree.extend(entries),
            Body::UserNs(fixed, maps, _) => self.user_ns = Some((fixed, maps)),
            Body::NestedUserNs(fixed, maps) => self.nested_user_ns.push((fixed, maps)),
            Body::NsOwner(_) => {}
            Body::Pids(head, pids) => {
                self.nested.insert(head.index, pids);
            }
            Body::Task(task) => self.add_task(task),
            Body::File(file, path) => {
                self.objects.insert(file.objref, Object::File(file, path));
            }
            Body::Pipe(pipe, _) => {
                self.objects.insert(pipe.objref, Object::Pipe(pipe));
            }
            Body::Pty(pty, path) => {
                self.objects.insert(pty.objref, Object::Pty(pty, path));
            }
            Body::PtyFile(file, _) => {
                self.objects.insert(file.objref, Object::PtyFile(file));
            }
            Body::Eventfd(eventfd) => {
                self.objects.insert(eventfd.objref, Object::Eventfd(eventfd));
            }
            Body::Signalfd(signalfd) => {
                self.objects.insert(signalfd.objref, Object::Signalfd(signalfd));
            }
            Body::Timerfd(timerfd) => {
                self.objects.insert(timerfd.objref, Object::Timerfd(timerfd));
            }
            Body::Epoll(epoll) => {
                self.objects.insert(epoll.objref, Object::Epoll(epoll, Vec::new()));
            }
            Body::EpollItems(items, entries) => {
                if let Some(Object::Epoll(_, all)) = self.objects.get_mut(&items.epoll) {
                    all.extend(entries);
                }
            }
            Body::Pidfd(pidfd) => {
                self.objects.insert(pidfd.objref, Object::Pidfd(pidfd));
            }
            Body::NsFd(namespace) => {
                self.objects.insert(namespace.objref, Object::NsFd(namespace));
            }
            Body::Userfaultfd(userfaultfd) => {
                self.objects
                    .insert(userfaultfd.objref, Object::Userfaultfd(userfaultfd));
            }
            Body::ProcFile(file, root, path) => {
                self.objects.insert(file.objref, Object::ProcFile(file, root, path));
            }
            Body::Inotify(inotify) => {
                self.objects
                    .insert(inotify.objref, Object::Inotify(inotify, Vec::new(), 0));
            }
            Body::InotifyEvents(events, _) => {
                if let Some(Object::Inotify(_, _, waiting)) = self.objects.get_mut(&events.inotify) {
                    *waiting += u64::from(events.length);
                }
            }
            Body::InotifyWatch(watch, path) => {
                if let Some(Object::Inotify(_, watches, _)) = self.objects.get_mut(&watch.inotify) {
                    watches.push((watch, path));
                }
            }
            Body::Fanotify(fanotify) => {
                self.objects
                    .insert(fanotify.objref, Object::Fanotify(fanotify, Vec::new()));
            }
            Body::FanotifyMark(mark, path) => {
                if let Some(Object::Fanotify(_, marks)) = self.objects.get_mut(&mark.fanotify) {
                    marks.push((mark, path));
                }
            }
            Body::Uring(ring) => {
                self.objects
                    .insert(ring.objref, Object::Uring(ring, Vec::new(), Vec::new()));
            }
            Body::UringFiles(files, entries) => {
                if let Some(Object::Uring(_, all, _)) = self.objects.get_mut(&files.ring) {
                    all.extend(entries);
                }
            }
            Body::UringBuffers(buffers, entries) => {
                if let Some(Object::Uring(_, _, all)) = self.objects.get_mut(&buffers.ring) {
                    all.extend(entries);
                }
            }
            Body::Locks(locks, entries) if locks.holder == lock::holder::OPEN_FILE => {
                self.locks.entry(locks.of).or_default().extend(entries);
            }
            Body::Nameless(file, path) => {
                self.objects.insert(file.objref, Object::Nameless(file, path, 0));
            }
            Body::NamelessData(data, _) => {
                if let Some(Object::Nameless(_, _, content)) = self.objects.get_mut(&data.objref) {
                    *content += u64::from(data.length);
                }
            }
            Body::Socket(socket, name, _) => {
                self.objects
                    .insert(socket.objref, Object::Socket(socket, name, None, Waiting::default()));
            }
            Body::SocketMessage(message, files, _) => {
                if let Some(Object::Socket(_, _, _, waiting)) = self.objects.get_mut(&message.socket) {
                    waiting.messages += 1;
                    waiting.bytes += u64::from(message.length);
                    waiting.files.extend(files);
                }
            }
            Body::SocketOptions(set) => {
                if let Some(Object::Socket(_, _, options, _)) = self.objects.get_mut(&set.socket) {
                    *options = Some(set);
                }
            }
            Body::LandlockLayer(layer) => {
                self.objects.insert(layer.objref, Object::LandlockLayer(layer));
            }
            Body::SeccompFilter(filter, _) => {
                self.objects.insert(filter.objref, Object::Filter(filter));
            }
            Body::Shmem(shmem) => {
                self.objects.insert(shmem.objref, Object::Shmem { shmem, pages: 0 });
            }
            Body::Shm(shm) => {
                self.objects.insert(shm.objref, Object::Shm { shm, pages: 0 });
            }
            Body::Sem(sem, values) => {
                self.objects.insert(sem.objref, Object::Sem(sem, values));
            }
            Body::Msg(msg) => {
                self.objects.insert(msg.objref, Object::Msg(msg));
            }
            Body::Mqueue(queue, name) => {
                self.objects.insert(queue.objref, Object::Mqueue(queue, name));
            }
            Body::Mqd(mqd, name) => {
                self.objects.insert(mqd.objref, Object::Mqd(mqd, name));
            }
            Body::UtsNs(uts) => {
                self.objects.insert(uts.objref, Object::UtsNs(uts));
            }
            Body::IpcNs(ipc) => {
                self.objects.insert(ipc.objref, Object::IpcNs(ipc));
            }
            Body::TimeNs(time) => {
                self.objects.insert(time.objref, Object::TimeNs(time));
            }
            Body::CgroupNs(cgroup) => {
                self.objects.insert(cgroup.objref, Object::CgroupNs);
            }
            Body::NetNs(net) => {
                self.objects.insert(net.objref, Object::NetNs(Network::default()));
                self.network = net.objref;
            }
            Body::NetDevice(device, _) => self.network(|network| network.devices.push(*device)),
            Body::NetAddress(address) => self.network(|network| network.addresses.push(*address)),
            Body::NetRoute(route) => self.network(|network| network.routes.push(*route)),
            Body::NetNeighbour(neighbour) => self.network(|network| network.neighbours.push(neighbour)),
            Body::External(names) => self.external = names,
            Body::MntNs(mnt) => {
                self.objects.insert(mnt.objref, Object::MntNs(Vec::new()));
                self.mounts = mnt.objref;
            }
            Body::Filesystem(filesystem, [kind, ..]) => {
                self.objects.insert(filesystem.objref, Object::Filesystem(kind));
            }
            Body::Mount(mount, root, point) => {
                let kind = match self.objects.get(&mount.filesystem) {
                    Some(Object::Filesystem(kind)) => [kind, &b":"[..], &root].concat(),
                    _ => root,
                };
                if let Some(Object::MntNs(mounts)) = self.objects.get_mut(&self.mounts) {
                    mounts.push((kind, if point.is_empty() { b"/".to_vec() } else { point }));
                }
            }
            Body::Pages(pages, extents) => {
                let count = |guard: u32| {
                    let chosen = extents.iter().filter(|extent| extent.flags == guard);
                    chosen.map(|extent| u64::from(extent.pages)).sum::<u64>()
                };
                if let Some(Object::Shmem { pages: total, .. } | Object::Shm { pages: total, .. }) =
                    self.objects.get_mut(&pages.objref)
                {
                    *total += count(0);
                } else if let Some(process) = self.process() {
                    process.pages += count(0);
                    process.guard_pages += count(extent_flags::GUARD);
                }
            }
            body => {
                if let Some(task) = self.tasks.last_mut() {
                    task.add(body);
                }
            }
        }
    }

    fn add_task(&mut self, task: Task) {
        let Some(entry) = self.tree.get(self.tasks.len()) else {
            return;
        };
        // A thread comes after the task that has the records of its process: the leader, if that has not exited.
        let has_process = task.mm != 0 && self.with_process.insert(entry.leader);
        if has_process {
            for objref in [task.mm, task.files, task.fs, task.handlers] {
                self.owners.entry(objref).or_insert(entry.tgid);
            }
        }
        self.tasks.push(TaskSummary::new(task, has_process.then(Box::default)));
    }

    /// Whether all of a pid namespace was saved.
    fn is_container(&self) -> bool {
        let flags = self.header.as_ref().map_or(0, |header| header.flags);
        flags & libckpt::uapi::record::header::flags::CONTAINER != 0
    }

    /// Changes the network namespace that the records belong to.
    fn network(&mut self, change: impl FnOnce(&mut Network)) {
        if let Some(Object::NetNs(network)) = self.objects.get_mut(&self.network) {
            change(network);
        }
    }

    fn process(&mut self) -> Option<&mut Process> {
        self.tasks.last_mut()?.process.as_deref_mut()
    }
}

impl TaskSummary {
    fn new(task: Task, process: Option<Box<Process>>) -> Self {
        Self {
            task,
            process,
            regs: None,
            fpu: None,
            cred: None,
            sched: None,
            landlock: None,
            prctl: None,
            cgroup: None,
            policy: None,
            seccomp: None,
            mask: None,
            pending: Vec::new(),
            restart_block: None,
            namespaces: None,
            undo: None,
        }
    }

    fn add(&mut self, body: Body) {
        match body {
            Body::Regs(regs) => self.regs = Some(regs),
            Body::Fpu(fpu, _) => self.fpu = Some(fpu),
            Body::Cred(cred, groups) => self.cred = Some((cred, groups)),
            Body::Sched(sched, affinity) => self.sched = Some((sched, affinity)),
            Body::Landlock(landlock) => self.landlock = Some(landlock),
            Body::Prctl(prctl) => self.prctl = Some(prctl),
            Body::Cgroup(_, path) => self.cgroup = Some(path),
            Body::Mempolicy(policy, nodes) => self.policy = Some((policy, nodes)),
            Body::Seccomp(seccomp) => self.seccomp = Some(seccomp),
            Body::SignalMask(mask) => self.mask = Some(mask),
            Body::RestartBlock(block) => self.restart_block = Some(block),
            Body::Nsproxy(namespaces) => self.namespaces = Some(namespaces),
            Body::SemUndo(list, entries) => {
                self.undo.get_or_insert((list, Vec::new())).1.extend(entries);
            }
            Body::SignalPending(pending, infos) => {
                // The signal's number is the first word of siginfo_t.
                let numbers = infos.iter().map(|info| {
                    let [a, b, c, d, ..] = info.siginfo;
                    u32::from_le_bytes([a, b, c, d])
                });
                match &mut self.process {
                    Some(process) if pending.shared == 1 => process.pending.extend(numbers),
                    _ => self.pending.extend(numbers),
                }
            }
            body => {
                if let Some(process) = &mut self.process {
                    process.add(body);
                }
            }
        }
    }
}

impl Process {
    fn add(&mut self, body: Body) {
        match body {
            Body::Mm(mm, auxv) => {
                self.mm = Some(mm);
                self.auxv = auxv;
            }
            Body::Vma(_, vmas) => self.vmas.extend(vmas),
            Body::VmaName(range, name) => self.names.push((range.start, range.end, name)),
            Body::VmaPolicy(policy, nodes) => self.policies.push((policy, nodes)),
            Body::Aio(aio, events) => self.contexts.entry(aio.address).or_insert((aio, 0)).1 += events.len() as u64,
            Body::Fs(fs, cwd, root) => {
                let umask = fs.umask;
                self.directories = Some(Directories { cwd, root, umask });
            }
            Body::Fd(_, fds) => self.fds.get_or_insert_default().extend(fds),
            Body::SignalAction(actions) => self.actions = Some(actions),
            Body::Itimer(itimers) => self.itimers = Some(itimers),
            Body::Ctty(ctty) => self.terminal = Some(ctty),
            Body::PosixTimer(_, timers) => self.timers.extend(timers),
            Body::MqNotify(notify) => self.notified.push(notify),
            Body::FileSignals(signals) => self.signals.push(signals),
            Body::Locks(locks, entries) => self.locks.entry(locks.of).or_default().extend(entries),
            Body::Rlimit(rlimits) => self.rlimits = Some(rlimits),
            _ => {}
        }
    }

    /// Name of an anonymous mapping.
    fn vma_name(&self, vma: &Vma) -> Option<&[u8]> {
        let named = |(start, end, _): &&(u64, u64, Vec<u8>)| *start <= vma.start && vma.end <= *end;
        self.names.iter().find(named).map(|(_, _, name)| name.as_slice())
    }
}

fn is_leader(task: &Tree) -> bool {
    task.flags & tree_flags::LEADER != 0
}

fn has_exited(task: &Tree) -> bool {
    task.flags & (tree_flags::ZOMBIE | tree_flags::EXITED) != 0
}

/// Bytes that have been written to a pty, and that nobody has read: for the reader of the master, and of the slave.
fn waiting(pty: &Pty) -> (u64, u64) {
    let sum = |a: u32, b: u32| u64::from(a) + u64::from(b);
    (
        sum(pty.master_read, pty.master_flip),
        sum(pty.slave_read, pty.slave_flip),
    )
}

fn pty_end(file: &PtyFile) -> &'static str {
    match file.end {
        pty::end::MASTER => "master",
        pty::end::SLAVE => "slave",
        pty::end::TTY => "/dev/tty",
        _ => "hung-up slave",
    }
}

fn file_kind(kind: u32) -> &'static str {
    match kind {
        file::kind::REGULAR => "regular",
        file::kind::DIRECTORY => "directory",
        file::kind::DEVICE => "device",
        file::kind::STDIO => "stdio",
        file::kind::SESSION => "session",
        file::kind::PIPE => "pipe",
        file::kind::NAMELESS => "nameless",
        file::kind::PATH => "path",
        file::kind::CLOSED => "closed",
        file::kind::REPLACED => "replaced",
        _ => "unknown",
    }
}

/// Which end of a pipe an open file is.
fn pipe_end(file: &File) -> &'static str {
    match file.flags & 3 {
        0 => "read",
        _ => "write",
    }
}

/// Type of a socket.
fn socket_kind(kind: u32) -> &'static str {
    match kind {
        socket::kind::STREAM => "stream",
        socket::kind::DGRAM => "datagram",
        socket::kind::SEQPACKET => "seqpacket",
        _ => "unknown",
    }
}

/// Objref of the other end.
fn socket_peer(socket: &Socket, options: Option<&SocketOptions>) -> Option<u32> {
    match socket.pair {
        socket::pair::FIRST => socket.objref.checked_add(1),
        socket::pair::SECOND => socket.objref.checked_sub(1),
        socket::pair::WAITING => Some(socket.client),
        _ => options.map(|options| options.peer).filter(|peer| *peer != 0),
    }
}

/// Lock of flock(2) that an open file holds.
fn lock_kind(lock: u32) -> Option<&'static str> {
    match lock {
        0 => None,
        1 => Some("shared"),
        2 => Some("exclusive"),
        _ => Some("unknown"),
    }
}

/// The right that Landlock denied to an open file; each kind of file has at most one.
fn denied(file: &File) -> Option<&'static str> {
    match file.denied {
        0 => None,
        file::denied::TRUNCATE => Some("truncate"),
        file::denied::IOCTL_DEV => Some("ioctl_dev"),
        _ => Some("unknown"),
    }
}

fn mapping_kind(kind: u32) -> &'static str {
    match kind {
        vma_kind::ANON => "anon",
        vma_kind::FILE_PRIVATE => "file-private",
        vma_kind::FILE_SHARED => "file-shared",
        vma_kind::SHMEM => "shmem",
        vma_kind::SPECIAL => "special",
        vma_kind::SYSV => "sysv",
        vma_kind::AIO => "aio",
        vma_kind::HUGE => "huge",
        _ => "unknown",
    }
}

fn call_kind(kind: u32) -> &'static str {
    match kind {
        restart_block::kind::NANOSLEEP => "nanosleep",
        restart_block::kind::POLL => "poll",
        restart_block::kind::FUTEX => "futex",
        restart_block::kind::CPU_NANOSLEEP => "cpu-nanosleep",
        _ => "unknown",
    }
}

/// As in /proc/PID/maps.
fn protection(vma: &Vma) -> String {
    let bit = |bit: u32, letter: char| if vma.prot & bit != 0 { letter } else { '-' };
    let shared = matches!(vma.kind, vma_kind::FILE_SHARED | vma_kind::SHMEM | vma_kind::AIO);
    [bit(1, 'r'), bit(2, 'w'), bit(4, 'x'), if shared { 's' } else { 'p' }]
        .iter()
        .collect()
}

/// Kinds of namespaces that a task has an object for.
fn namespace_objects(namespaces: &Nsproxy) -> impl Iterator<Item = (&'static str, u32)> {
    let children = (namespaces.time_for_children != namespaces.time).then_some(namespaces.time_for_children);
    [
        ("uts", namespaces.uts),
        ("ipc", namespaces.ipc),
        ("mount", namespaces.mnt),
        ("network", namespaces.net),
        ("cgroup", namespaces.cgroup),
        ("time", namespaces.time),
        ("time for children", children.unwrap_or(0)),
    ]
    .into_iter()
    .filter(|(_, objref)| *objref != 0)
}

const VMA_FLAGS: &[(u64, &str)] = &[
    (vma_flags::GROWSDOWN, "growsdown"),
    (vma_flags::LOCKED, "locked"),
    (vma_flags::LOCK_ONFAULT, "lock-onfault"),
    (vma_flags::NORESERVE, "noreserve"),
    (vma_flags::DROPPABLE, "droppable"),
    (vma_flags::HUGEPAGE, "hugepage"),
    (vma_flags::NOHUGEPAGE, "nohugepage"),
    (vma_flags::DONTFORK, "dontfork"),
    (vma_flags::WIPEONFORK, "wipeonfork"),
    (vma_flags::DONTDUMP, "dontdump"),
    (vma_flags::MERGEABLE, "mergeable"),
    (vma_flags::SEQUENTIAL, "sequential"),
    (vma_flags::RANDOM, "random"),
    (vma_flags::SEALED, "sealed"),
    (vma_flags::CHARGED, "charged"),
    (vma_flags::ATTACHED_READ_ONLY, "attached-read-only"),
];

const TREE_FLAGS: &[(u64, &str)] = &[
    (tree_flags::LEADER as u64, "leader"),
    (tree_flags::STOPPED as u64, "stopped"),
    (tree_flags::STOPPING as u64, "stopping"),
    (tree_flags::SESSION_LEADER as u64, "session-leader"),
    (tree_flags::GROUP_LEADER as u64, "group-leader"),
    (tree_flags::ZOMBIE as u64, "zombie"),
    (tree_flags::EXITED as u64, "exited"),
    (tree_flags::SHARES_HANDLERS as u64, "shares-handlers"),
    (tree_flags::PIDNS_INIT as u64, "pidns-init"),
];

/// Names of RLIMIT_*, by number.
const RLIMITS: [&str; 16] = [
    "cpu",
    "fsize",
    "data",
    "stack",
    "core",
    "rss",
    "nproc",
    "nofile",
    "memlock",
    "as",
    "locks",
    "sigpending",
    "msgqueue",
    "nice",
    "rtprio",
    "rttime",
];

const REGISTERS: [&str; 27] = [
    "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi", "orig_rax",
    "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs",
];

/// Values in the order of [`REGISTERS`].
fn registers(regs: &Regs) -> [u64; 27] {
    [
        regs.r15,
        regs.r14,
        regs.r13,
        regs.r12,
        regs.bp,
        regs.bx,
        regs.r11,
        regs.r10,
        regs.r9,
        regs.r8,
        regs.ax,
        regs.cx,
        regs.dx,
        regs.si,
        regs.di,
        regs.orig_ax,
        regs.ip,
        regs.cs,
        regs.flags,
        regs.sp,
        regs.ss,
        regs.fs_base,
        regs.gs_base,
        regs.ds,
        regs.es,
        regs.fs,
        regs.gs,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_has_a_name() {
        let named = VMA_FLAGS.iter().fold(0, |sum, (bit, _)| sum | bit);
        assert_eq!(named, vma_flags::ALL);
        let named = TREE_FLAGS.iter().fold(0, |sum, (bit, _)| sum | bit);
        assert_eq!(named, u64::from(tree_flags::ALL));
    }
}
