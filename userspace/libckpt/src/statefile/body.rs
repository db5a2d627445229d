// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Values of records: typed, their own bounds checked.

use super::Problem;
use ckpt_uapi::record::aio::{Aio, AioEvent};
use ckpt_uapi::record::cgroup::Cgroup;
use ckpt_uapi::record::cred::Cred;
use ckpt_uapi::record::event::{self, Epoll, EpollItem, EpollItems, Eventfd, Signalfd, Timerfd};
use ckpt_uapi::record::fanotify::{self, Fanotify};
use ckpt_uapi::record::fd::{Fd, Fds};
use ckpt_uapi::record::file::File;
use ckpt_uapi::record::file_signals::{self, FileSignals};
use ckpt_uapi::record::fpu::Fpu;
use ckpt_uapi::record::fs::Fs;
use ckpt_uapi::record::header::Header;
use ckpt_uapi::record::inotify::{self, Inotify};
use ckpt_uapi::record::ipc::{self, IpcEnd, Perm};
use ckpt_uapi::record::itimer::Itimers;
use ckpt_uapi::record::landlock::{self, Landlock};
use ckpt_uapi::record::lock::{self, Lock, Locks};
use ckpt_uapi::record::mempolicy::{self, Mempolicy, VmaPolicy};
use ckpt_uapi::record::mm::{Extent, Mm, Pages, Vma, VmaName, Vmas};
use ckpt_uapi::record::mnt::{self, Filesystem, Inode, InodeData, InodeXattr, MntNs, Mount};
use ckpt_uapi::record::mqueue::{self, MqNotify, Mqd, Mqueue, MqueueText};
use ckpt_uapi::record::msg::{self, Msg, MsgText};
use ckpt_uapi::record::nameless::{self, Nameless, NamelessData};
use ckpt_uapi::record::net::{NetAddress, NetDevice, NetNeighbour, NetNs, NetRoute};
use ckpt_uapi::record::ns::{CgroupNs, IdExtent, IpcNs, NestedUserNs, NsOwner, Nsproxy, TimeNs, UserNs, UtsNs};
use ckpt_uapi::record::nsfd::{self, NsFd};
use ckpt_uapi::record::pidfd::{self, Pidfd};
use ckpt_uapi::record::pids::Pids;
use ckpt_uapi::record::pipe::{self, Pipe};
use ckpt_uapi::record::posix_timer::{self, PosixTimer, PosixTimers};
use ckpt_uapi::record::prctl::{self, Prctl};
use ckpt_uapi::record::proc::ProcFile;
use ckpt_uapi::record::pty::{self, Ctty, Pty, PtyFile};
use ckpt_uapi::record::regs::Regs;
use ckpt_uapi::record::restart_block::RestartBlock;
use ckpt_uapi::record::rlimit::Rlimits;
use ckpt_uapi::record::sched::Sched;
use ckpt_uapi::record::seccomp::{self, Seccomp, SeccompFilter};
use ckpt_uapi::record::sem::{self, Sem, SemAdjustment, SemUndo, SemValue};
use ckpt_uapi::record::shm::{self, Shm};
use ckpt_uapi::record::shmem::Shmem;
use ckpt_uapi::record::signal::{self, Actions, Mask, Pending};
use ckpt_uapi::record::socket::{self, Socket, SocketData, SocketMessage, SocketOptions};
use ckpt_uapi::record::task::Task;
use ckpt_uapi::record::trailer::Trailer;
use ckpt_uapi::record::tree::{Head, Tree};
use ckpt_uapi::record::uring::{self, Uring};
use ckpt_uapi::record::userfaultfd::{self, Userfaultfd};
use ckpt_uapi::record::{self, Entry, RecordType};
use ckpt_uapi::statefile::{RecordHeader, LEVELS_MAX, OBJECTS_MAX, PATH_MAX, TASKS_MAX};

/// Values of one record. Where a record has a variable part, it is the second field.
#[allow(
    missing_docs,
    reason = "each variant is the record that ckpt_uapi::record documents under the same name"
)]
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Body {
    Header(Box<Header>),
    Tree(Head, Vec<Tree>),
    Pids(Pids, Vec<u32>),
    PrologueEnd,
    Trailer(Trailer),
    Task(Task),
    Regs(Box<Regs>),
    Fpu(Fpu, Vec<u8>),
    Cred(Cred, Vec<u32>),
    Sched(Sched, Vec<u64>),
    SignalMask(Mask),
    SignalPending(Pending, Vec<signal::Info>),
    RestartBlock(RestartBlock),
    Rlimit(Box<Rlimits>),
    SignalAction(Box<Actions>),
    Itimer(Itimers),
    PosixTimer(PosixTimers, Vec<PosixTimer>),
    Prctl(Prctl),
    Mempolicy(Mempolicy, Vec<u64>),
    Seccomp(Seccomp),
    SeccompFilter(SeccompFilter, Vec<u64>),
    TaskEnd,
    Mm(Box<Mm>, Vec<u64>),
    Vma(Vmas, Vec<Vma>),
    Pages(Pages, Vec<Extent>),
    VmaName(VmaName, Vec<u8>),
    VmaPolicy(VmaPolicy, Vec<u64>),
    Aio(Aio, Vec<AioEvent>),
    MmEnd,
    Shmem(Shmem),
    Fs(Fs, Vec<u8>, Vec<u8>),
    Fd(Fds, Vec<Fd>),
    File(File, Vec<u8>),
    Pipe(Pipe, Vec<u8>),
    /// The path of its master.
    Pty(Box<Pty>, Vec<u8>),
    /// The path of /dev/tty.
    PtyFile(PtyFile, Vec<u8>),
    Ctty(Ctty),
    Eventfd(Eventfd),
    Signalfd(Signalfd),
    Timerfd(Timerfd),
    Epoll(Epoll),
    EpollItems(EpollItems, Vec<EpollItem>),
    Pidfd(Pidfd),
    /// The path of /proc, and that below the number.
    ProcFile(ProcFile, Vec<u8>, Vec<u8>),
    NsFd(NsFd),
    Userfaultfd(Userfaultfd),
    Inotify(Inotify),
    InotifyEvents(inotify::Events, Vec<u8>),
    InotifyWatch(inotify::Watch, Vec<u8>),
    Fanotify(Fanotify),
    FanotifyMark(fanotify::Mark, Vec<u8>),
    Uring(Box<Uring>),
    UringData(uring::Data, Vec<u8>),
    UringOverflow(uring::Overflow, Vec<uring::Cqe>),
    UringFiles(uring::Files, Vec<uring::Slot>),
    UringBuffers(uring::Buffers, Vec<uring::Buffer>),
    UringTask(uring::Task),
    Locks(Locks, Vec<Lock>),
    FileSignals(FileSignals),
    Nameless(Nameless, Vec<u8>),
    NamelessData(NamelessData, Vec<u8>),
    /// Address, path of its file.
    Socket(Socket, Vec<u8>, Vec<u8>),
    /// Objrefs of open files, bytes up to the first part.
    SocketMessage(SocketMessage, Vec<u32>, Vec<u8>),
    SocketData(SocketData, Vec<u8>),
    SocketOptions(SocketOptions),
    Shm(Box<Shm>),
    Sem(Sem, Vec<SemValue>),
    SemUndo(SemUndo, Vec<SemAdjustment>),
    Msg(Box<Msg>),
    MsgText(MsgText, Vec<u8>),
    /// Its name.
    Mqueue(Mqueue, Vec<u8>),
    MqueueText(MqueueText, Vec<u8>),
    /// The name of the queue.
    Mqd(Mqd, Vec<u8>),
    MqNotify(MqNotify),
    IpcEnd(IpcEnd),
    Landlock(Landlock),
    LandlockLayer(landlock::Layer),
    Nsproxy(Nsproxy),
    UtsNs(Box<UtsNs>),
    IpcNs(IpcNs),
    TimeNs(TimeNs),
    CgroupNs(CgroupNs),
    NetNs(NetNs),
    /// Its alias.
    NetDevice(Box<NetDevice>, Vec<u8>),
    NetAddress(Box<NetAddress>),
    NetRoute(Box<NetRoute>),
    NetNeighbour(NetNeighbour),
    /// Its path.
    Cgroup(Cgroup, Vec<u8>),
    /// Names of what a restart has to be told.
    External(Vec<Vec<u8>>),
    /// Maps of users and of groups, supplementary groups.
    UserNs(UserNs, [Vec<IdExtent>; 2], Vec<u32>),
    /// A user namespace below that of the first task, and its maps: of users, of groups.
    NestedUserNs(NestedUserNs, [Vec<IdExtent>; 2]),
    /// To which user namespace namespaces belong.
    NsOwner(NsOwner),
    MntNs(MntNs),
    /// Type, source, options.
    Filesystem(Filesystem, [Vec<u8>; 3]),
    /// Path, target of a link.
    Inode(Inode, Vec<u8>, Vec<u8>),
    InodeData(InodeData, Vec<u8>),
    /// Name, value.
    InodeXattr(InodeXattr, Vec<u8>, Vec<u8>),
    /// Where it comes from, where it is mounted.
    Mount(Mount, Vec<u8>, Vec<u8>),
    /// A record that this version does not know and may skip.
    Unknown,
}

type Result<T> = std::result::Result<T, Problem>;

/// The two parts of a body.
pub(super) struct Parts<'a> {
    header: &'a RecordHeader,
    fixed: &'a [u8],
    variable: &'a [u8],
}

impl<'a> Parts<'a> {
    /// The fixed struct: as much of it as is there, over zeroes.
    pub(super) fn fixed<T: record::Record>(&self) -> Result<T> {
        if self.fixed.len() < T::MIN_LEN {
            return Err(Problem::Short {
                fixed: self.header.fixed,
                least: T::MIN_LEN,
            });
        }
        let mut value = T::new_zeroed();
        let known = self.fixed.len().min(size_of::<T>());
        value.as_mut_bytes()[..known].copy_from_slice(&self.fixed[..known]);
        Ok(value)
    }

    /// The fixed struct of a record without a variable part.
    pub(super) fn alone<T: record::Record>(&self) -> Result<T> {
        self.nothing()?;
        self.fixed()
    }

    /// Exactly `count` entries.
    pub(super) fn entries<T: Entry>(&self, count: u32) -> Result<Vec<T>> {
        if self.variable.len() as u64 != u64::from(count) * size_of::<T>() as u64 {
            return Err(Problem::Value(
                "the number of entries does not match the length of the record",
            ));
        }
        let read = |bytes| T::read_from_bytes(bytes).map_err(|_| Problem::Value("an entry is cut"));
        self.variable.chunks_exact(size_of::<T>()).map(read).collect()
    }

    /// Exactly `length` bytes of text without a NUL.
    fn text(&self, length: u32, longest: usize) -> Result<Vec<u8>> {
        text(self.variable, length, longest)
    }

    fn nothing(&self) -> Result<()> {
        check(self.variable.is_empty(), "the record has a variable part")
    }

    fn pair(&self, first: u32) -> Result<(&'a [u8], &'a [u8])> {
        let first = first as usize;
        self.variable
            .split_at_checked(first)
            .ok_or(Problem::Value("a length is longer than the record"))
    }
}

pub(super) fn text(bytes: &[u8], length: u32, longest: usize) -> Result<Vec<u8>> {
    check(
        bytes.len() as u64 == u64::from(length),
        "the length of a text does not match the length of the record",
    )?;
    check(bytes.len() <= longest, "a text is too long")?;
    check(!bytes.contains(&0), "a text has a NUL in it")?;
    Ok(bytes.to_vec())
}

pub(super) fn check(right: bool, otherwise: &'static str) -> Result<()> {
    if right {
        Ok(())
    } else {
        Err(Problem::Value(otherwise))
    }
}

pub(super) fn zero(reserved: impl Into<u64>) -> Result<()> {
    check(reserved.into() == 0, "a reserved field is not zero")
}

pub(super) fn known(flags: impl Into<u64>, all: impl Into<u64>) -> Result<()> {
    check(flags.into() & !all.into() == 0, "an unknown flag is set")
}

pub(super) fn objref(number: u32) -> Result<()> {
    check((1..=OBJECTS_MAX).contains(&number), "an object number is out of range")
}

const PAGE: u64 = 4096;
/// Largest capacity of a pipe that Linux allows.
const PIPE_MAX: u32 = 1 << 31;

fn page_aligned(address: u64) -> Result<()> {
    check(address % PAGE == 0, "an address is not on a page boundary")
}

fn range(start: u64, end: u64) -> Result<()> {
    page_aligned(start)?;
    page_aligned(end)?;
    check(start < end, "a range ends before it begins")
}

impl Body {
    /// Reads the body of a record whose checksums are right. Values that need other records to be judged are `Order`'s.
    pub(super) fn parse(header: &RecordHeader, bytes: &[u8], optional: bool) -> Result<Self> {
        let Some(kind) = RecordType::from_number(header.kind) else {
            return if optional {
                Ok(Self::Unknown)
            } else {
                Err(Problem::UnknownType(header.kind))
            };
        };
        if header.version != 1 {
            return if optional {
                Ok(Self::Unknown)
            } else {
                Err(Problem::UnknownVersion(header.version))
            };
        }
        let (fixed, variable) = bytes
            .split_at_checked(header.fixed as usize)
            .ok_or(Problem::Header(ckpt_uapi::statefile::HeaderError::Fixed))?;
        let parts = Parts {
            header,
            fixed,
            variable,
        };
        if kind != RecordType::Pages {
            check(header.payload == 0, "the record has a payload")?;
        }
        Self::parse_known(kind, &parts)
    }

    fn parse_known(kind: RecordType, parts: &Parts<'_>) -> Result<Self> {
        Ok(match kind {
            RecordType::Header => {
                let fixed: Header = parts.alone()?;
                known(fixed.flags, record::header::flags::ALL)?;
                check(fixed.arch == record::header::ARCH_X86_64, "it is for another machine")?;
                check(u64::from(fixed.page_size) == PAGE, "it has another page size")?;
                check(
                    (1..=TASKS_MAX).contains(&fixed.tasks),
                    "the number of tasks is out of range",
                )?;
                Self::Header(Box::new(fixed))
            }
            RecordType::Tree => {
                let fixed: Head = parts.fixed()?;
                let entries = parts.entries::<Tree>(fixed.count)?;
                check(fixed.count > 0, "a part of the tree is empty")?;
                for entry in &entries {
                    known(entry.flags, record::tree::flags::ALL)?;
                    check(
                        entry.exit_signal <= record::signal::SIGNALS as u32,
                        "a signal is out of range",
                    )?;
                    check(entry.comm.ends_with(&[0]), "a name does not end")?;
                    check(entry.level <= LEVELS_MAX, "there are too many pid namespaces")?;
                    check(
                        entry.owner == 0 || entry.flags & record::tree::flags::PIDNS_INIT != 0,
                        "a task that is no first one owns a pid namespace",
                    )?;
                    check(entry.has_possible_stop(), "a task cannot be stopped so")?;
                }
                Self::Tree(fixed, entries)
            }
            RecordType::Pids => {
                let fixed: Pids = parts.fixed()?;
                check(fixed.count > 0, "a task has no nested pid namespace")?;
                let pids = parts.entries::<u32>(fixed.count)?;
                check(
                    pids.iter().all(|pid| i32::try_from(*pid).is_ok_and(|pid| pid > 0)),
                    "a pid is out of range",
                )?;
                Self::Pids(fixed, pids)
            }
            RecordType::PrologueEnd => parts.nothing().map(|()| Self::PrologueEnd)?,
            RecordType::Trailer => Self::Trailer(parts.alone()?),
            RecordType::Task => {
                let fixed: Task = parts.alone()?;
                known(fixed.flags, record::task::flags::ALL)?;
                check(fixed.vfork_child < TASKS_MAX, "a task index is out of range")?;
                let numbers = [fixed.mm, fixed.files, fixed.fs, fixed.handlers];
                check(
                    numbers.iter().all(|number| *number <= OBJECTS_MAX),
                    "an object number is out of range",
                )?;
                check(
                    fixed.exit_status <= 0xffff,
                    "the status of an exited task is out of range",
                )?;
                Self::Task(fixed)
            }
            RecordType::Regs => Self::Regs(Box::new(parts.alone()?)),
            RecordType::Fpu => {
                let fixed: Fpu = parts.fixed()?;
                zero(fixed.reserved)?;
                check(fixed.size <= record::fpu::SIZE_MAX, "the processor state is too long")?;
                Self::Fpu(fixed, parts.entries(fixed.size)?)
            }
            RecordType::Cred => {
                let fixed: Cred = parts.fixed()?;
                known(u32::from(fixed.flags), u32::from(record::cred::cred_flags::ALL))?;
                check(
                    fixed.flags == 0 || fixed.user_ns != 0,
                    "groups outside of no user namespace",
                )?;
                Self::Cred(fixed, parts.entries(fixed.groups)?)
            }
            RecordType::Sched => {
                let fixed: Sched = parts.fixed()?;
                zero(fixed.reserved)?;
                Self::Sched(fixed, parts.entries(fixed.affinity)?)
            }
            RecordType::SignalMask => {
                let fixed: Mask = parts.alone()?;
                zero(fixed.reserved)?;
                Self::SignalMask(fixed)
            }
            RecordType::SignalPending => {
                let fixed: Pending = parts.fixed()?;
                check(fixed.shared <= 1, "a yes-or-no field is neither")?;
                Self::SignalPending(fixed, parts.entries(fixed.count)?)
            }
            RecordType::RestartBlock => {
                let fixed: RestartBlock = parts.alone()?;
                zero(fixed.reserved)?;
                check((1..=4).contains(&fixed.kind), "the kind of system call is not known")?;
                check(fixed.timed <= 1, "a yes-or-no field is neither")?;
                Self::RestartBlock(fixed)
            }
            RecordType::Rlimit => Self::Rlimit(Box::new(parts.alone()?)),
            RecordType::SignalAction => Self::SignalAction(Box::new(parts.alone()?)),
            RecordType::Itimer => Self::Itimer(parts.alone()?),
            RecordType::PosixTimer => {
                let fixed: PosixTimers = parts.fixed()?;
                known(fixed.flags, posix_timer::timers_flags::ALL)?;
                zero(fixed.reserved)?;
                let entries = parts.entries::<PosixTimer>(fixed.count)?;
                entries.iter().try_for_each(check_timer)?;
                Self::PosixTimer(fixed, entries)
            }
            RecordType::Prctl => {
                let fixed: Prctl = parts.alone()?;
                known(fixed.flags, prctl::flags::ALL)?;
                zero(fixed.reserved)?;
                Self::Prctl(fixed)
            }
            RecordType::Mempolicy => {
                let fixed: Mempolicy = parts.fixed()?;
                check(fixed.words <= mempolicy::WORDS_MAX, "a node mask is too long")?;
                Self::Mempolicy(fixed, parts.entries(fixed.words)?)
            }
            RecordType::Seccomp => {
                let fixed: Seccomp = parts.alone()?;
                known(fixed.flags, seccomp::flags::ALL)?;
                zero(fixed.reserved)?;
                match fixed.mode {
                    seccomp::mode::STRICT => check(fixed.filter == 0, "the strict mode of seccomp has no filter")?,
                    seccomp::mode::FILTER => objref(fixed.filter)?,
                    _ => check(false, "the mode of seccomp is not known")?,
                }
                Self::Seccomp(fixed)
            }
            RecordType::SeccompFilter => {
                let fixed: SeccompFilter = parts.fixed()?;
                objref(fixed.objref)?;
                known(fixed.flags, seccomp::filter_flags::ALL)?;
                check(
                    (1..=seccomp::PROGRAM_MAX).contains(&fixed.count),
                    "the length of a filter is out of range",
                )?;
                Self::SeccompFilter(fixed, parts.entries(fixed.count)?)
            }
            RecordType::TaskEnd => parts.nothing().map(|()| Self::TaskEnd)?,
            RecordType::Fs => {
                let fixed: Fs = parts.fixed()?;
                zero(fixed.reserved)?;
                let (cwd, root) = parts.pair(fixed.cwd_len)?;
                Self::Fs(
                    fixed,
                    text(cwd, fixed.cwd_len, PATH_MAX)?,
                    text(root, fixed.root_len, PATH_MAX)?,
                )
            }
            RecordType::Fd => {
                let fixed: Fds = parts.fixed()?;
                check(fixed.more <= 1, "a yes-or-no field is neither")?;
                let entries = parts.entries::<Fd>(fixed.count)?;
                for entry in &entries {
                    known(entry.flags, record::fd::flags::ALL)?;
                    zero(entry.reserved)?;
                    objref(entry.objref)?;
                }
                Self::Fd(fixed, entries)
            }
            RecordType::File => {
                let fixed: File = parts.fixed()?;
                objref(fixed.objref)?;
                check_file(&fixed)?;
                Self::File(fixed, parts.text(fixed.path_len, PATH_MAX)?)
            }
            RecordType::Pipe => {
                let fixed: Pipe = parts.fixed()?;
                objref(fixed.objref)?;
                check(fixed.content <= pipe::CONTENT_MAX, "the content of a pipe is too long")?;
                check(
                    (fixed.content..=PIPE_MAX).contains(&fixed.capacity),
                    "the capacity of a pipe is out of range",
                )?;
                let (content, path) = parts.pair(fixed.content)?;
                text(path, fixed.path_len, PATH_MAX)?;
                Self::Pipe(fixed, content.to_vec())
            }
            RecordType::Socket | RecordType::SocketMessage | RecordType::SocketData | RecordType::SocketOptions => {
                Self::parse_socket(kind, parts)?
            }
            RecordType::Pty | RecordType::PtyFile | RecordType::Ctty => Self::parse_terminal(kind, parts)?,
            RecordType::Eventfd
            | RecordType::Signalfd
            | RecordType::Timerfd
            | RecordType::Epoll
            | RecordType::EpollItems => Self::parse_event(kind, parts)?,
            RecordType::Pidfd => Self::parse_pidfd(parts)?,
            RecordType::Cgroup => {
                let fixed: Cgroup = parts.fixed()?;
                zero(fixed.reserved)?;
                let path = parts.text(fixed.path_len, PATH_MAX)?;
                check(Cgroup::may_have(&path), "a cgroup has no path that leads below")?;
                Self::Cgroup(fixed, path)
            }
            RecordType::NsFd => {
                let fixed: NsFd = parts.alone()?;
                objref(fixed.objref)?;
                known(fixed.flags, nsfd::FLAGS)?;
                check(nsfd::KINDS.contains(&fixed.kind), "a namespace of an unknown kind")?;
                Self::NsFd(fixed)
            }
            RecordType::Userfaultfd => {
                let fixed: Userfaultfd = parts.alone()?;
                objref(fixed.objref)?;
                known(fixed.flags, userfaultfd::FLAGS)?;
                known(fixed.made, userfaultfd::MADE)?;
                check(
                    fixed.api <= 1 && (fixed.api == 1 || fixed.features == 0),
                    "a userfaultfd has features before it has been told of any",
                )?;
                Self::Userfaultfd(fixed)
            }
            RecordType::ProcFile => {
                let fixed: ProcFile = parts.fixed()?;
                objref(fixed.objref)?;
                let (proc, path) = parts.pair(fixed.proc_len)?;
                check(
                    proc.first() == Some(&b'/') && (path.is_empty() || path.first() == Some(&b'/')),
                    "a file of /proc has no absolute path",
                )?;
                check(i64::try_from(fixed.pos).is_ok(), "an offset is negative")?;
                Self::ProcFile(
                    fixed,
                    text(proc, fixed.proc_len, PATH_MAX)?,
                    text(path, fixed.path_len, PATH_MAX)?,
                )
            }
            RecordType::Inotify => {
                let fixed: Inotify = parts.alone()?;
                objref(fixed.objref)?;
                known(fixed.flags, inotify::FLAGS)?;
                check(
                    i32::try_from(fixed.next_wd).is_ok_and(|wd| wd > 0),
                    "a watch has an impossible number",
                )?;
                Self::Inotify(fixed)
            }
            RecordType::InotifyEvents => {
                let fixed: inotify::Events = parts.fixed()?;
                objref(fixed.inotify)?;
                Self::InotifyEvents(fixed, parts.entries::<u8>(fixed.length)?)
            }
            RecordType::InotifyWatch => {
                let fixed: inotify::Watch = parts.fixed()?;
                objref(fixed.inotify)?;
                known(fixed.mask, inotify::WATCH_MASK)?;
                check(
                    i32::try_from(fixed.wd).is_ok_and(|wd| wd > 0),
                    "a watch has an impossible number",
                )?;
                let path = parts.text(fixed.path_len, PATH_MAX)?;
                check(path.first() == Some(&b'/'), "a watch has no absolute path")?;
                Self::InotifyWatch(fixed, path)
            }
            RecordType::Fanotify => {
                let fixed: Fanotify = parts.alone()?;
                objref(fixed.objref)?;
                known(fixed.flags, fanotify::FLAGS)?;
                known(fixed.made, fanotify::MADE)?;
                check(
                    fixed.made & fanotify::REPORT != 0 && fixed.unprivileged <= 1,
                    "a fanotify is of an unknown kind",
                )?;
                Self::Fanotify(fixed)
            }
            RecordType::FanotifyMark => {
                let fixed: fanotify::Mark = parts.fixed()?;
                objref(fixed.fanotify)?;
                known(fixed.mask | fixed.ignored, fanotify::MASK)?;
                known(fixed.flags, fanotify::mark::ALL)?;
                check(
                    fixed.mask | fixed.ignored != 0
                        && (fixed.ignored != 0) == (fixed.flags & fanotify::mark::SURVIVES != 0)
                        && (fixed.ignored != 0 || fixed.flags & fanotify::mark::IGNORE == 0)
                        && fixed.reserved == 0,
                    "a mark of a fanotify has impossible values",
                )?;
                let path = parts.text(fixed.path_len, PATH_MAX)?;
                check(path.first() == Some(&b'/'), "a mark has no absolute path")?;
                Self::FanotifyMark(fixed, path)
            }
            RecordType::IoUring
            | RecordType::IoUringData
            | RecordType::IoUringOverflow
            | RecordType::IoUringFiles
            | RecordType::IoUringBuffers
            | RecordType::IoUringTask => Self::parse_uring(kind, parts)?,
            RecordType::FileSignals => {
                let fixed: FileSignals = parts.alone()?;
                let owned = fixed.owner != file_signals::owner::NONE;
                check(
                    fixed.owner <= file_signals::owner::GROUP && owned == (fixed.pid != 0),
                    "unknown kind of owner of a file",
                )?;
                check(fixed.signal <= 64, "a signal is out of range")?;
                check(
                    fixed.on <= 1 && fixed.lease <= file_signals::lease::WRITE,
                    "unknown kind of lease",
                )?;
                Self::FileSignals(fixed)
            }
            RecordType::Locks => {
                let fixed: Locks = parts.fixed()?;
                zero(fixed.reserved)?;
                check(
                    [lock::holder::TABLE, lock::holder::OPEN_FILE].contains(&fixed.holder),
                    "unknown holder of locks",
                )?;
                let entries = parts.entries::<Lock>(fixed.count)?;
                for entry in &entries {
                    zero(entry.reserved)?;
                    check(entry.kind <= lock::kind::WRITE, "unknown kind of lock")?;
                }
                Self::Locks(fixed, entries)
            }
            RecordType::Nameless => {
                let fixed: Nameless = parts.fixed()?;
                objref(fixed.objref)?;
                check_nameless(&fixed)?;
                let path = parts.text(fixed.path_len, PATH_MAX)?;
                let right = if fixed.flags & nameless::flags::MEMFD != 0 {
                    path.len() <= nameless::MEMFD_NAME_MAX
                } else {
                    path.first() == Some(&b'/')
                };
                check(right, "a file without a name has an impossible path")?;
                Self::Nameless(fixed, path)
            }
            RecordType::NamelessData => {
                let fixed: NamelessData = parts.fixed()?;
                objref(fixed.objref)?;
                check(
                    fixed.length <= nameless::DATA_MAX,
                    "the content of a file is too long for a record",
                )?;
                Self::NamelessData(fixed, parts.entries(fixed.length)?)
            }
            RecordType::Shm
            | RecordType::Sem
            | RecordType::SemUndo
            | RecordType::Msg
            | RecordType::MsgText
            | RecordType::Mqueue
            | RecordType::MqueueText
            | RecordType::Mqd
            | RecordType::MqNotify
            | RecordType::IpcEnd => Self::parse_ipc(kind, parts)?,
            RecordType::Landlock => {
                let fixed: Landlock = parts.alone()?;
                zero(fixed.reserved)?;
                check(
                    fixed.subdomains_off <= 1 && fixed.no_new_privs <= 1,
                    "a yes-or-no field is neither",
                )?;
                Self::Landlock(fixed)
            }
            RecordType::LandlockLayer => {
                let fixed: landlock::Layer = parts.alone()?;
                objref(fixed.objref)?;
                check_layer(&fixed)?;
                Self::LandlockLayer(fixed)
            }
            RecordType::Nsproxy
            | RecordType::UtsNs
            | RecordType::IpcNs
            | RecordType::TimeNs
            | RecordType::CgroupNs
            | RecordType::UserNs
            | RecordType::NestedUserNs
            | RecordType::NsOwner => Self::parse_namespace(kind, parts)?,
            RecordType::External
            | RecordType::NetNs
            | RecordType::NetDevice
            | RecordType::NetAddress
            | RecordType::NetRoute
            | RecordType::NetNeighbour => Self::parse_network(kind, parts)?,
            RecordType::MntNs
            | RecordType::Filesystem
            | RecordType::Inode
            | RecordType::InodeData
            | RecordType::InodeXattr
            | RecordType::Mount => Self::parse_mounts(kind, parts)?,
            RecordType::Mm
            | RecordType::Vma
            | RecordType::Pages
            | RecordType::VmaName
            | RecordType::VmaPolicy
            | RecordType::Aio
            | RecordType::MmEnd
            | RecordType::Shmem => Self::parse_memory(kind, parts)?,
        })
    }

    fn parse_socket(kind: RecordType, parts: &Parts<'_>) -> Result<Self> {
        Ok(match kind {
            RecordType::Socket => {
                let fixed: Socket = parts.fixed()?;
                objref(fixed.objref)?;
                known(fixed.flags, socket::FLAGS)?;
                check(
                    [socket::kind::STREAM, socket::kind::DGRAM, socket::kind::SEQPACKET].contains(&fixed.kind),
                    "the kind of socket is not known",
                )?;
                check(
                    fixed.pair <= socket::pair::WAITING,
                    "how a socket is connected is not known",
                )?;
                check(fixed.listening <= 1, "a yes-or-no field is neither")?;
                check(
                    (fixed.client != 0) == (fixed.pair == socket::pair::WAITING),
                    "only what waits to be accepted has a client",
                )?;
                check(
                    fixed.client == 0 || (fixed.listener != 0 && fixed.listening == 0),
                    "what waits to be accepted waits nowhere",
                )?;
                check(
                    fixed.name <= socket::name::CLOSED,
                    "the kind of an address is not known",
                )?;
                check(
                    fixed.name == socket::name::CLOSED || (fixed.name == socket::name::NONE) == (fixed.name_len == 0),
                    "an address has no text",
                )?;
                check(
                    fixed.name == socket::name::NONE || fixed.listener == 0,
                    "a socket has two addresses",
                )?;
                check(
                    fixed.listening == 0 || fixed.name_len > 0,
                    "a socket listens without an address",
                )?;
                check(
                    fixed.name != socket::name::CLOSED || (fixed.listening == 0 && fixed.client == 0),
                    "a socket that is closed listens, or waits",
                )?;
                check(
                    fixed.name_len <= socket::NAME_MAX && fixed.path_len < socket::NAME_MAX,
                    "the address of a socket is too long",
                )?;
                check(i32::try_from(fixed.backlog).is_ok(), "a backlog is out of range")?;
                known(fixed.mode, 0o7777u32)?;
                let (name, path) = parts.pair(fixed.name_len)?;
                let is_abstract = name.first().is_none_or(|first| *first == 0);
                check(
                    (fixed.name == socket::name::BOUND && !is_abstract) != path.is_empty(),
                    "an address is neither abstract nor a path",
                )?;
                check(
                    path.is_empty() || path.first() == Some(&b'/'),
                    "the path of a socket is not absolute",
                )?;
                Self::Socket(fixed, name.to_vec(), text(path, fixed.path_len, PATH_MAX)?)
            }
            RecordType::SocketMessage => {
                let fixed: SocketMessage = parts.fixed()?;
                objref(fixed.socket)?;
                objref(fixed.sender)?;
                zero(fixed.reserved)?;
                check(fixed.credentials <= 1, "a yes-or-no field is neither")?;
                check(
                    fixed.credentials == 1 || (fixed.pid, fixed.uid, fixed.gid) == (0, 0, 0),
                    "a message without credentials has a sender",
                )?;
                check(fixed.length <= socket::MESSAGE_MAX, "a message is too long")?;
                check(fixed.files <= socket::FILES_MAX, "a message has too many open files")?;
                check(fixed.oob <= 1, "a yes-or-no field is neither")?;
                let body: Vec<u8> = parts.entries(fixed.length.min(socket::PART_MAX) + 4 * fixed.files)?;
                let (files, bytes) = body.split_at(4 * fixed.files as usize);
                let files = files
                    .chunks_exact(4)
                    .map(|file| u32::from_ne_bytes(file.try_into().unwrap_or_default()));
                Self::SocketMessage(fixed, files.collect(), bytes.to_vec())
            }
            RecordType::SocketData => {
                let fixed: SocketData = parts.fixed()?;
                objref(fixed.socket)?;
                check(
                    (1..=socket::PART_MAX).contains(&fixed.length),
                    "a part of a message is too long",
                )?;
                Self::SocketData(fixed, parts.entries(fixed.length)?)
            }
            _ => {
                const ECONNRESET: u32 = 104;
                let fixed: SocketOptions = parts.alone()?;
                objref(fixed.socket)?;
                check(fixed.closed <= 1, "a yes-or-no field is neither")?;
                zero(fixed.reserved)?;
                known(fixed.shutdown, socket::shutdown::ALL)?;
                known(fixed.options, socket::options::ALL)?;
                check(i32::try_from(fixed.rcvlowat).is_ok(), "SO_RCVLOWAT is out of range")?;
                check(
                    [0, ECONNRESET].contains(&fixed.error),
                    "the error of a socket is not known",
                )?;
                Self::SocketOptions(fixed)
            }
        })
    }

    fn parse_namespace(kind: RecordType, parts: &Parts<'_>) -> Result<Self> {
        let padded = |name: &[u8]| name.iter().skip_while(|byte| **byte != 0).all(|byte| *byte == 0);
        Ok(match kind {
            RecordType::UtsNs => {
                let fixed: UtsNs = parts.alone()?;
                objref(fixed.objref)?;
                zero(fixed.reserved)?;
                check(
                    padded(&fixed.nodename) && padded(&fixed.domainname),
                    "a name goes on after its end",
                )?;
                Self::UtsNs(Box::new(fixed))
            }
            RecordType::IpcNs => {
                let fixed: IpcNs = parts.alone()?;
                objref(fixed.objref)?;
                zero(fixed.reserved)?;
                check(fixed.shm_rmid_forced <= 1, "a yes-or-no field is neither")?;
                Self::IpcNs(fixed)
            }
            RecordType::TimeNs => {
                let fixed: TimeNs = parts.alone()?;
                objref(fixed.objref)?;
                known(fixed.flags, record::ns::time_flags::ALL)?;
                let now = i64::try_from(fixed.monotonic_ns).and(i64::try_from(fixed.boottime_ns));
                check(now.is_ok(), "a clock is out of range")?;
                Self::TimeNs(fixed)
            }
            RecordType::UserNs => {
                let fixed: UserNs = parts.fixed()?;
                known(fixed.flags, record::ns::user_flags::ALL)?;
                has_ids([fixed.uids, fixed.gids])?;
                let words =
                    parts.entries::<u32>((fixed.uids + fixed.gids).saturating_mul(3).saturating_add(fixed.groups))?;
                let (maps, groups) = words.split_at(3 * (fixed.uids + fixed.gids) as usize);
                Self::UserNs(fixed, id_maps(maps, fixed.uids), groups.to_vec())
            }
            RecordType::NestedUserNs => {
                let fixed: NestedUserNs = parts.fixed()?;
                known(fixed.flags, record::ns::user_flags::ALL)?;
                has_ids([fixed.uids, fixed.gids])?;
                let words = parts.entries::<u32>((fixed.uids + fixed.gids).saturating_mul(3))?;
                Self::NestedUserNs(fixed, id_maps(&words, fixed.uids))
            }
            RecordType::NsOwner => {
                let fixed: NsOwner = parts.alone()?;
                zero(fixed.reserved)?;
                Self::NsOwner(fixed)
            }
            RecordType::CgroupNs => {
                let fixed: CgroupNs = parts.alone()?;
                objref(fixed.objref)?;
                zero(fixed.reserved)?;
                Self::CgroupNs(fixed)
            }
            _ => {
                let fixed: Nsproxy = parts.alone()?;
                objref(fixed.objref)?;
                check(fixed.reserved == 0, "a reserved field is not zero")?;
                Self::Nsproxy(fixed)
            }
        })
    }

    fn parse_terminal(kind: RecordType, parts: &Parts<'_>) -> Result<Self> {
        Ok(match kind {
            RecordType::Pty => {
                let fixed: Pty = parts.fixed()?;
                objref(fixed.objref)?;
                check_pty(&fixed)?;
                let (path, content) = parts.pair(fixed.path_len)?;
                let path = text(path, fixed.path_len, PATH_MAX)?;
                check(path.first() == Some(&b'/'), "a pty has an impossible path")?;
                let sizes = [
                    fixed.master_read,
                    fixed.master_flip,
                    fixed.slave_read,
                    pty::mark_bytes(fixed.slave_read),
                    fixed.slave_flip,
                    fixed.echo,
                ];
                let length: u64 = sizes.into_iter().map(u64::from).sum();
                check(
                    content.len() as u64 == length,
                    "the content of a pty does not match its lengths",
                )?;
                Self::Pty(Box::new(fixed), path)
            }
            RecordType::PtyFile => {
                let fixed: PtyFile = parts.fixed()?;
                objref(fixed.objref)?;
                check(
                    (pty::end::MASTER..=pty::end::HUNG_UP).contains(&fixed.end),
                    "the end of a pty is not known",
                )?;
                check(
                    (fixed.pty == 0) == (fixed.end == pty::end::HUNG_UP),
                    "an open file of a pty has none, or a hung-up one has",
                )?;
                check(fixed.lock <= LOCK_EX, "the kind of lock is not known")?;
                let path = parts.text(fixed.path_len, PATH_MAX)?;
                let right = if fixed.end == pty::end::TTY {
                    path.first() == Some(&b'/')
                } else {
                    path.is_empty()
                };
                check(right, "an open file of a pty has an impossible path")?;
                Self::PtyFile(fixed, path)
            }
            _ => {
                let fixed: Ctty = parts.alone()?;
                objref(fixed.pty)?;
                check(fixed.foreground <= 1, "a yes-or-no field is neither")?;
                Self::Ctty(fixed)
            }
        })
    }

    fn parse_pidfd(parts: &Parts<'_>) -> Result<Self> {
        let fixed: Pidfd = parts.alone()?;
        objref(fixed.objref)?;
        known(fixed.flags, pidfd::FLAGS)?;
        let first_of_reaped = fixed.task == pidfd::task::REAPED && fixed.same == 0;
        check(
            (fixed.task == pidfd::task::REAPED || fixed.same == 0)
                && fixed.has_status <= u32::from(first_of_reaped)
                && (fixed.has_status == 1 || fixed.status == 0),
            "a pidfd has an impossible state",
        )?;
        Ok(Self::Pidfd(fixed))
    }

    fn parse_event(kind: RecordType, parts: &Parts<'_>) -> Result<Self> {
        let object = |number, flags| {
            objref(number)?;
            known(flags, event::FLAGS)
        };
        Ok(match kind {
            RecordType::Eventfd => {
                let fixed: Eventfd = parts.alone()?;
                object(fixed.objref, fixed.flags)?;
                check(
                    fixed.semaphore <= 1 && fixed.count < u64::MAX,
                    "an eventfd has an impossible state",
                )?;
                zero(fixed.reserved)?;
                Self::Eventfd(fixed)
            }
            RecordType::Signalfd => {
                let fixed: Signalfd = parts.alone()?;
                object(fixed.objref, fixed.flags)?;
                Self::Signalfd(fixed)
            }
            RecordType::Timerfd => {
                let fixed: Timerfd = parts.alone()?;
                object(fixed.objref, fixed.flags)?;
                known(fixed.settime, event::settime::ALL)?;
                let most = i64::MAX as u64;
                check(
                    fixed.value_ns <= most && fixed.interval_ns <= most,
                    "a time is out of range",
                )?;
                Self::Timerfd(fixed)
            }
            RecordType::Epoll => {
                let fixed: Epoll = parts.alone()?;
                object(fixed.objref, fixed.flags)?;
                Self::Epoll(fixed)
            }
            _ => {
                let fixed: EpollItems = parts.fixed()?;
                objref(fixed.epoll)?;
                let entries = parts.entries::<EpollItem>(fixed.count)?;
                for entry in &entries {
                    objref(entry.file)?;
                    zero(entry.reserved)?;
                }
                Self::EpollItems(fixed, entries)
            }
        })
    }

    fn parse_uring(kind: RecordType, parts: &Parts<'_>) -> Result<Self> {
        Ok(match kind {
            RecordType::IoUring => {
                let fixed: Uring = parts.alone()?;
                objref(fixed.objref)?;
                known(fixed.flags, uring::FLAGS)?;
                known(fixed.setup, uring::SETUP)?;
                known(fixed.state, uring::state::ALL)?;
                zero(fixed.reserved)?;
                check(fixed.has_possible_sizes(), "a ring has impossible sizes")?;
                Self::Uring(Box::new(fixed))
            }
            RecordType::IoUringData => {
                let fixed: uring::Data = parts.fixed()?;
                objref(fixed.ring)?;
                let bytes = if fixed.length > uring::DATA_MAX {
                    0
                } else {
                    fixed.length
                };
                check(fixed.region <= 1 && bytes != 0, "contents are of no part of a ring")?;
                Self::UringData(fixed, parts.entries::<u8>(fixed.length)?)
            }
            RecordType::IoUringOverflow => {
                let fixed: uring::Overflow = parts.fixed()?;
                objref(fixed.ring)?;
                Self::UringOverflow(fixed, parts.entries(fixed.count)?)
            }
            RecordType::IoUringFiles => {
                let fixed: uring::Files = parts.fixed()?;
                objref(fixed.ring)?;
                let entries = parts.entries::<uring::Slot>(fixed.count)?;
                for entry in &entries {
                    objref(entry.file)?;
                }
                Self::UringFiles(fixed, entries)
            }
            RecordType::IoUringBuffers => {
                let fixed: uring::Buffers = parts.fixed()?;
                objref(fixed.ring)?;
                let entries = parts.entries::<uring::Buffer>(fixed.count)?;
                for entry in &entries {
                    zero(entry.reserved)?;
                    check(entry.address != 0, "a ring keeps memory that is nowhere")?;
                }
                Self::UringBuffers(fixed, entries)
            }
            _ => {
                let fixed: uring::Task = parts.alone()?;
                objref(fixed.ring)?;
                check(
                    fixed.place == uring::SUBMITTER || fixed.place < uring::PLACES,
                    "a task has no such place for a ring",
                )?;
                Self::UringTask(fixed)
            }
        })
    }

    fn parse_ipc(kind: RecordType, parts: &Parts<'_>) -> Result<Self> {
        Ok(match kind {
            RecordType::Shm => {
                let fixed: Shm = parts.alone()?;
                object_of_ipc(fixed.objref, &fixed.perm)?;
                known(fixed.flags, shm::flags::ALL)?;
                check(
                    fixed.size > 0 && i64::try_from(fixed.size).is_ok(),
                    "the size of a segment is out of range",
                )?;
                zero(fixed.reserved)?;
                Self::Shm(Box::new(fixed))
            }
            RecordType::Sem => {
                let fixed: Sem = parts.fixed()?;
                object_of_ipc(fixed.objref, &fixed.perm)?;
                known(fixed.flags, sem::flags::ALL)?;
                zero(fixed.reserved)?;
                check(
                    (1..=sem::SEMS_MAX).contains(&fixed.count),
                    "the number of semaphores is out of range",
                )?;
                let values = parts.entries::<SemValue>(fixed.count)?;
                check(
                    values.iter().all(|sem| sem.value <= sem::VALUE_MAX),
                    "the value of a semaphore is out of range",
                )?;
                Self::Sem(fixed, values)
            }
            RecordType::SemUndo => {
                let fixed: SemUndo = parts.fixed()?;
                objref(fixed.objref)?;
                check(fixed.count <= sem::ADJUSTMENTS_MAX, "there are too many adjustments")?;
                let entries = parts.entries::<SemAdjustment>(fixed.count)?;
                check(
                    entries.iter().all(|entry| i16::try_from(entry.adjust).is_ok()),
                    "an adjustment is out of range",
                )?;
                Self::SemUndo(fixed, entries)
            }
            RecordType::Msg => {
                let fixed: Msg = parts.alone()?;
                object_of_ipc(fixed.objref, &fixed.perm)?;
                Self::Msg(Box::new(fixed))
            }
            RecordType::MsgText => {
                let fixed: MsgText = parts.fixed()?;
                check(fixed.length <= msg::TEXT_MAX, "a message is too long")?;
                check(
                    i64::try_from(fixed.mtype).is_ok_and(|mtype| mtype > 0),
                    "the type of a message is out of range",
                )?;
                Self::MsgText(fixed, parts.entries(fixed.length)?)
            }
            RecordType::Mqueue => {
                let fixed: Mqueue = parts.fixed()?;
                objref(fixed.objref)?;
                known(fixed.mode, 0o7777u32)?;
                check(
                    fixed.messages <= fixed.maxmsg,
                    "there are more messages than the queue may hold",
                )?;
                Self::Mqueue(fixed, queue_name(parts, fixed.name_len)?)
            }
            RecordType::MqueueText => {
                let fixed: MqueueText = parts.fixed()?;
                check(fixed.length <= mqueue::TEXT_MAX, "a message is too long")?;
                check(
                    fixed.priority <= mqueue::PRIORITY_MAX,
                    "the priority of a message is out of range",
                )?;
                zero(fixed.reserved)?;
                Self::MqueueText(fixed, parts.entries(fixed.length)?)
            }
            RecordType::Mqd => {
                let fixed: Mqd = parts.fixed()?;
                objref(fixed.objref)?;
                known(fixed.flags, mqueue::FLAGS)?;
                zero(fixed.reserved)?;
                Self::Mqd(fixed, queue_name(parts, fixed.name_len)?)
            }
            RecordType::MqNotify => {
                let fixed: MqNotify = parts.alone()?;
                zero(fixed.reserved)?;
                let right = match fixed.notify {
                    mqueue::notify::SIGNAL => (1..=64).contains(&fixed.signal),
                    mqueue::notify::NONE => fixed.signal == 0,
                    _ => false,
                };
                check(right, "nobody can be told of a message like that")?;
                Self::MqNotify(fixed)
            }
            _ => {
                let fixed: IpcEnd = parts.alone()?;
                zero(fixed.reserved)?;
                Self::IpcEnd(fixed)
            }
        })
    }

    fn parse_mounts(kind: RecordType, parts: &Parts<'_>) -> Result<Self> {
        Ok(match kind {
            RecordType::MntNs => {
                let fixed: MntNs = parts.alone()?;
                objref(fixed.objref)?;
                check(
                    (1..=mnt::MOUNTS_MAX).contains(&fixed.mounts),
                    "the number of mounts is out of range",
                )?;
                Self::MntNs(fixed)
            }
            RecordType::Filesystem => {
                let fixed: Filesystem = parts.fixed()?;
                objref(fixed.objref)?;
                zero(fixed.reserved)?;
                known(fixed.flags, mnt::fs_flags::ALL)?;
                let (kind, rest) = parts.pair(fixed.type_len)?;
                let (source, options) = rest
                    .split_at_checked(fixed.source_len as usize)
                    .ok_or(Problem::Value("a length is longer than the record"))?;
                let texts = [
                    text(kind, fixed.type_len, PATH_MAX)?,
                    text(source, fixed.source_len, PATH_MAX)?,
                    text(options, fixed.options_len, mnt::OPTIONS_MAX as usize)?,
                ];
                Self::Filesystem(fixed, texts)
            }
            RecordType::Inode => {
                let fixed: Inode = parts.fixed()?;
                known(fixed.flags, mnt::inode_flags::ALL)?;
                let (path, target) = parts.pair(fixed.path_len)?;
                Self::Inode(
                    fixed,
                    text(path, fixed.path_len, PATH_MAX)?,
                    text(target, fixed.target_len, PATH_MAX)?,
                )
            }
            RecordType::InodeData => {
                let fixed: InodeData = parts.fixed()?;
                zero(fixed.reserved)?;
                check(
                    fixed.length <= mnt::DATA_MAX,
                    "the content of a file is too long for a record",
                )?;
                Self::InodeData(fixed, parts.entries(fixed.length)?)
            }
            RecordType::InodeXattr => {
                let fixed: InodeXattr = parts.fixed()?;
                let (name, value) = parts.pair(fixed.name_len)?;
                check(
                    value.len() as u64 == u64::from(fixed.value_len),
                    "the length of a value does not match the length of the record",
                )?;
                Self::InodeXattr(fixed, text(name, fixed.name_len, 255)?, value.to_vec())
            }
            _ => {
                let fixed: Mount = parts.fixed()?;
                known(fixed.flags, mnt::mount_flags::ALL)?;
                let (root, point) = parts.pair(fixed.root_len)?;
                Self::Mount(
                    fixed,
                    text(root, fixed.root_len, PATH_MAX)?,
                    text(point, fixed.point_len, PATH_MAX)?,
                )
            }
        })
    }

    fn parse_memory(kind: RecordType, parts: &Parts<'_>) -> Result<Self> {
        Ok(match kind {
            RecordType::Mm => {
                let fixed: Mm = parts.fixed()?;
                known(fixed.flags, record::mm::mm_flags::ALL)?;
                Self::Mm(Box::new(fixed), parts.entries(fixed.auxv)?)
            }
            RecordType::Vma => {
                let fixed: Vmas = parts.fixed()?;
                zero(fixed.reserved)?;
                let entries = parts.entries::<Vma>(fixed.count)?;
                entries.iter().try_for_each(check_vma)?;
                Self::Vma(fixed, entries)
            }
            RecordType::Pages => {
                let fixed: Pages = parts.fixed()?;
                let extents = parts.entries::<Extent>(fixed.extents)?;
                let mut bytes = 0;
                for extent in &extents {
                    known(extent.flags, record::mm::extent_flags::ALL)?;
                    page_aligned(extent.address)?;
                    let length = u64::from(extent.pages) * PAGE;
                    check(length > 0, "an extent is empty")?;
                    check(extent.address.checked_add(length).is_some(), "an extent wraps around")?;
                    if extent.flags == 0 {
                        bytes += length;
                    }
                }
                check(
                    bytes == parts.header.payload,
                    "the payload is not as long as its extents",
                )?;
                Self::Pages(fixed, extents)
            }
            RecordType::VmaName => {
                const LONGEST: usize = 79;
                let fixed: VmaName = parts.fixed()?;
                range(fixed.start, fixed.end)?;
                let length = u32::try_from(parts.variable.len()).unwrap_or(u32::MAX);
                Self::VmaName(fixed, parts.text(length, LONGEST)?)
            }
            RecordType::VmaPolicy => {
                let fixed: VmaPolicy = parts.fixed()?;
                range(fixed.start, fixed.end)?;
                zero(fixed.reserved)?;
                check(fixed.words <= mempolicy::WORDS_MAX, "a node mask is too long")?;
                Self::VmaPolicy(fixed, parts.entries(fixed.words)?)
            }
            RecordType::Aio => {
                let fixed: Aio = parts.fixed()?;
                zero(fixed.reserved)?;
                page_aligned(fixed.address)?;
                check(fixed.requests > 0, "a context of asynchronous I/O is for no request")?;
                Self::Aio(fixed, parts.entries(fixed.count)?)
            }
            RecordType::Shmem => {
                let fixed: Shmem = parts.alone()?;
                objref(fixed.objref)?;
                check(fixed.noreserve <= 1, "a yes-or-no field is neither")?;
                let whole = fixed.size.trailing_zeros() >= u32::from(fixed.page_shift.max(12));
                check(whole, "an address or size is no multiple of the page size")?;
                check(fixed.size > 0, "the shared memory is empty")?;
                let free = fixed.page_shift == 0 || fixed.noreserve == 0;
                check(free, "huge pages are reserved by who maps them")?;
                Self::Shmem(fixed)
            }
            _ => parts.nothing().map(|()| Self::MmEnd)?,
        })
    }
}

fn check_layer(layer: &landlock::Layer) -> Result<()> {
    known(layer.flags, landlock::flags::ALL)?;
    check(layer.subdomains_off <= 1, "a yes-or-no field is neither")?;
    check(
        layer.handled_access_fs | layer.handled_access_net | layer.scoped != 0,
        "a Landlock layer handles nothing",
    )?;
    check(
        layer.quiet_access_fs & !layer.handled_access_fs == 0
            && layer.quiet_access_net & !layer.handled_access_net == 0
            && layer.quiet_scoped & !layer.scoped == 0,
        "a Landlock layer is quiet about what it does not handle",
    )
}

fn object_of_ipc(number: u32, perm: &Perm) -> Result<()> {
    objref(number)?;
    check(perm.id <= ipc::ID_MAX, "an identifier is out of range")?;
    known(perm.mode, ipc::MODE)?;
    zero(perm.reserved)
}

fn queue_name(parts: &Parts<'_>, length: u32) -> Result<Vec<u8>> {
    let name = parts.text(length, mqueue::NAME_MAX)?;
    check(
        !name.is_empty() && !name.contains(&b'/'),
        "the name of a queue is impossible",
    )?;
    Ok(name)
}

fn check_timer(timer: &PosixTimer) -> Result<()> {
    const CLOCK_REALTIME: i32 = 0;
    known(timer.flags, posix_timer::flags::ALL)?;
    check(i32::try_from(timer.id).is_ok(), "the number of a timer is out of range")?;
    check(
        timer.flags & posix_timer::flags::ABSOLUTE == 0 || timer.clock == CLOCK_REALTIME,
        "a time of CLOCK_REALTIME is on another clock",
    )
}

fn check_nameless(file: &Nameless) -> Result<()> {
    use nameless::{flags, seals};
    const REGULAR: u32 = 0o100_000;
    const PERMISSIONS: u32 = 0o7777;
    known(file.flags, flags::ALL)?;
    known(file.seals, seals::ALL)?;
    let memfd = file.flags & flags::MEMFD != 0;
    check(!memfd || file.flags == flags::MEMFD, "a memfd is in a directory")?;
    check(memfd || file.seals == 0, "a file that is no memfd has seals")?;
    let named = file.flags & flags::NAMED != 0;
    check(
        !named || file.flags == flags::NAMED,
        "a file with a name is one without",
    )?;
    check(file.mode & !PERMISSIONS == REGULAR, "a file is no regular one")?;
    check(i64::try_from(file.size).is_ok(), "the size of a file is out of range")?;
    let whole = file.size.trailing_zeros() >= file.page_shift;
    check(
        file.page_shift == 0 || (whole && !named),
        "the size of huge pages does not fit the file",
    )
}

/// As in `asm-generic/fcntl.h`.
const LOCK_EX: u32 = 2;

fn check_pty(pty: &Pty) -> Result<()> {
    use pty::{flags, ECHO_MAX, FLIP_MAX, INDEX_MAX, READ_MAX};
    const PERMISSIONS: u32 = 0o7777;
    known(pty.flags, flags::ALL)?;
    check(pty.index <= INDEX_MAX, "the number of a pty is out of range")?;
    check(
        pty.master_read.max(pty.slave_read) <= READ_MAX
            && pty.master_flip.max(pty.slave_flip) <= FLIP_MAX
            && pty.echo <= ECHO_MAX,
        "the content of a pty is too long",
    )?;
    check(
        pty.echo_commit.max(pty.echo_mark) <= pty.echo
            && pty.canon_head <= pty.slave_read
            && pty.lookahead <= pty.slave_flip,
        "a part of the content of a pty is longer than the whole",
    )?;
    check(pty.packet_status <= 0xff, "the packet events of a pty are out of range")?;
    check(
        pty.mode & !PERMISSIONS == 0,
        "the permissions of a pty are out of range",
    )?;
    zero(pty.reserved)
}

fn check_file(file: &File) -> Result<()> {
    use record::file::denied::{IOCTL_DEV, TRUNCATE};
    use record::file::kind::{CLOSED, DEVICE, NAMELESS, PATH, PIPE, REGULAR, REPLACED, SESSION, STDIO};
    const O_PATH: u32 = 0o10_000_000;
    const O_ACCMODE: u32 = 3;
    const O_WRONLY: u32 = 1;
    check(
        (REGULAR..=PATH).contains(&file.kind) || matches!(file.kind, CLOSED | REPLACED),
        "the kind of file is not known",
    )?;
    check(
        file.kind != STDIO || file.stdio <= 2,
        "a standard descriptor is above 2",
    )?;
    check(
        (file.flags & O_PATH != 0) == (file.kind == PATH),
        "O_PATH does not fit the kind of file",
    )?;
    known(file.advice, record::file::advice::ALL)?;
    check(
        file.advice == 0 || [REGULAR, NAMELESS].contains(&file.kind),
        "advice is for another kind of file",
    )?;
    check(file.lock <= LOCK_EX, "the kind of lock is not known")?;
    let deniable = match file.kind {
        REGULAR | NAMELESS => TRUNCATE,
        DEVICE | SESSION => IOCTL_DEV,
        _ => 0,
    };
    check(
        file.denied & !deniable == 0,
        "a right is denied that this kind of file has not",
    )?;
    check(file.outside <= 1, "a yes-or-no field is neither")?;
    if file.kind == NAMELESS {
        objref(file.nameless)?;
    } else if file.kind != REGULAR {
        check(file.nameless == 0, "a file without contents has some")?;
    }
    if file.kind == PIPE {
        check(
            file.flags & O_ACCMODE <= O_WRONLY,
            "an end of a pipe is neither for reading nor for writing",
        )?;
        objref(file.pipe)
    } else {
        check(file.pipe == 0, "a file that is no end of a pipe names one")
    }
}

fn check_vma(vma: &Vma) -> Result<()> {
    use record::mm::vma_kind::{ANON, FILE_PRIVATE, FILE_SHARED, HUGE, SHMEM, SYSV};
    known(vma.flags, record::mm::vma_flags::ALL)?;
    known(vma.prot, 7u32)?;
    range(vma.start, vma.end)?;
    check((ANON..=HUGE).contains(&vma.kind), "the kind of mapping is not known")?;
    huge_pages(vma)?;
    match vma.kind {
        FILE_PRIVATE | FILE_SHARED | SHMEM | SYSV | HUGE => {
            page_aligned(vma.offset)?;
            objref(vma.objref)
        }
        _ => check(vma.objref == 0, "a mapping without an object names one"),
    }
}

/// Memory of huge pages lies where such pages can lie; other memory has none.
fn huge_pages(vma: &Vma) -> Result<()> {
    use record::mm::vma_kind::{FILE_PRIVATE, FILE_SHARED, HUGE, SHMEM};
    let right = match vma.page_shift {
        0 => vma.kind != HUGE,
        shift => {
            let aligned = (vma.start | vma.end | vma.offset).trailing_zeros() >= shift;
            aligned && matches!(vma.kind, FILE_PRIVATE | FILE_SHARED | HUGE | SHMEM)
        }
    };
    check(right, "the size of huge pages does not fit the mapping")
}

/// Both maps of a user namespace have ids, and not too many.
fn has_ids(extents: [u32; 2]) -> Result<()> {
    check(
        extents.iter().all(|n| (1..=record::ns::EXTENTS_MAX).contains(n)),
        "a map has no ids, or too many",
    )
}

/// The maps of users and of groups of a user namespace: three words for each extent.
fn id_maps(words: &[u32], uids: u32) -> [Vec<IdExtent>; 2] {
    let extents: Vec<IdExtent> = words
        .chunks_exact(3)
        .map(|e| IdExtent {
            first: e[0],
            outside: e[1],
            count: e[2],
        })
        .collect();
    let (uids, gids) = extents.split_at(uids as usize);
    [uids.to_vec(), gids.to_vec()]
}
