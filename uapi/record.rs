// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The records of a statefile: one file per kind of kernel state.
//!
//! Values have the meaning that user space knows: what a system call would take or return. A type number is never
//! reused. Order: `STATEFILE.md`, "Order of records".

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub mod aio;
pub mod cgroup;
pub mod cred;
pub mod event;
pub mod external;
pub mod fanotify;
pub mod fd;
pub mod file;
pub mod file_signals;
pub mod fpu;
pub mod fs;
pub mod header;
pub mod inotify;
pub mod ipc;
pub mod itimer;
pub mod landlock;
pub mod lock;
pub mod mempolicy;
pub mod mm;
pub mod mnt;
pub mod mqueue;
pub mod msg;
pub mod nameless;
pub mod net;
pub mod ns;
pub mod nsfd;
pub mod pidfd;
pub mod pids;
pub mod pipe;
pub mod posix_timer;
pub mod prctl;
pub mod proc;
pub mod pty;
pub mod regs;
pub mod restart_block;
pub mod rlimit;
pub mod sched;
pub mod seccomp;
pub mod sem;
pub mod shm;
pub mod shmem;
pub mod signal;
pub mod socket;
pub mod task;
pub mod trailer;
pub mod tree;
pub mod uring;
pub mod userfaultfd;

macro_rules! record_types {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $label:literal;)*) => {
        /// Type number of a record.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        pub enum RecordType {
            $($(#[$doc])* $name = $number,)*
        }

        impl RecordType {
            /// Every known type, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The type with this number, if it is known.
            pub const fn from_number(number: u16) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// Name for people, as `ckptctl inspect` prints it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $label,)*
                }
            }

            /// The number.
            pub const fn number(self) -> u16 {
                self as u16
            }
        }
    };
}

record_types! {
    /// What was saved, when and where: [`header::Header`].
    Header = 0x01, "header";
    /// Part of the task tree: [`tree::Head`] and [`tree::Tree`] entries.
    Tree = 0x02, "tree";
    /// The prologue is complete; the tasks follow. No body.
    PrologueEnd = 0x03, "prologue-end";
    /// Thread ids in nested pid namespaces: [`pids::Pids`] and the ids.
    Pids = 0x04, "pids";
    /// What a restart has to be given: [`external::External`] and the names.
    External = 0x05, "external";
    /// Last record: [`trailer::Trailer`].
    Trailer = 0x0f, "trailer";
    /// What follows belongs to this task: [`task::Task`].
    Task = 0x10, "task";
    /// User registers: [`regs::Regs`].
    Regs = 0x11, "regs";
    /// Extended processor state: [`fpu::Fpu`] and the xstate.
    Fpu = 0x12, "fpu";
    /// Credentials: [`cred::Cred`] and the supplementary groups.
    Cred = 0x13, "cred";
    /// Scheduling: [`sched::Sched`] and the affinity mask.
    Sched = 0x14, "sched";
    /// Blocked signals and alternate stack: [`signal::Mask`].
    SignalMask = 0x15, "signal-mask";
    /// Pending signals of the thread or of the process: [`signal::Pending`] and [`signal::Info`] entries.
    SignalPending = 0x16, "signal-pending";
    /// How the interrupted system call goes on: [`restart_block::RestartBlock`].
    RestartBlock = 0x17, "restart-block";
    /// Resource limits: [`rlimit::Rlimits`].
    Rlimit = 0x18, "rlimit";
    /// Signal actions: [`signal::Actions`].
    SignalAction = 0x19, "signal-action";
    /// Interval timers: [`itimer::Itimers`].
    Itimer = 0x1a, "itimer";
    /// Landlock domain: [`landlock::Landlock`].
    Landlock = 0x1b, "landlock";
    /// POSIX timers: [`posix_timer::PosixTimers`] and [`posix_timer::PosixTimer`] entries.
    PosixTimer = 0x32, "posix-timer";
    /// seccomp of the thread: [`seccomp::Seccomp`].
    Seccomp = 0x1c, "seccomp";
    /// A seccomp filter: [`seccomp::SeccompFilter`] and its program.
    SeccompFilter = 0x1d, "seccomp-filter";
    /// What prctl(2) sets: [`prctl::Prctl`].
    Prctl = 0x1e, "prctl";
    /// Every record of the task has been written. No body.
    TaskEnd = 0x1f, "task-end";
    /// Address space: [`mm::Mm`] and the auxiliary vector.
    Mm = 0x20, "mm";
    /// Mappings: [`mm::Vmas`] and [`mm::Vma`] entries.
    Vma = 0x21, "vma";
    /// Contents of memory: [`mm::Pages`] and [`mm::Extent`] entries; the payload holds the pages.
    Pages = 0x22, "pages";
    /// Name of an anonymous mapping: [`mm::VmaName`] and the text.
    VmaName = 0x23, "vma-name";
    /// NUMA policy of a mapping: [`mempolicy::VmaPolicy`] and the nodes.
    VmaPolicy = 0x24, "vma-policy";
    /// NUMA policy of the thread: [`mempolicy::Mempolicy`] and the nodes.
    Mempolicy = 0x25, "mempolicy";
    /// A context of asynchronous I/O: [`aio::Aio`] and [`aio::AioEvent`] entries.
    Aio = 0x26, "aio";
    /// The address space is complete. No body.
    MmEnd = 0x2f, "mm-end";
    /// Shared anonymous memory: [`shmem::Shmem`]; [`mm::Pages`] records with its objref follow.
    Shmem = 0x28, "shmem";
    /// Working and root directory, umask: [`fs::Fs`] and the paths.
    Fs = 0x30, "fs";
    /// Descriptor table: [`fd::Fds`] and [`fd::Fd`] entries.
    Fd = 0x31, "fd";
    /// Open file: [`file::File`] and the path.
    File = 0x40, "file";
    /// Pipe: [`pipe::Pipe`] and its content.
    Pipe = 0x41, "pipe";
    /// Layer of a Landlock domain: [`landlock::Layer`].
    LandlockLayer = 0x42, "landlock-layer";
    /// An eventfd: [`event::Eventfd`].
    Eventfd = 0x43, "eventfd";
    /// A signalfd: [`event::Signalfd`].
    Signalfd = 0x44, "signalfd";
    /// A timerfd: [`event::Timerfd`].
    Timerfd = 0x45, "timerfd";
    /// An epoll: [`event::Epoll`].
    Epoll = 0x46, "epoll";
    /// What an epoll watches: [`event::EpollItems`] and [`event::EpollItem`] entries.
    EpollItems = 0x47, "epoll-items";
    /// A pseudoterminal: [`pty::Pty`], the path of its master, and what has not been read.
    Pty = 0x4b, "pty";
    /// A regular file without a name: [`nameless::Nameless`] and the path that it had.
    Nameless = 0x4c, "nameless";
    /// Content of a file without a name: [`nameless::NamelessData`] and the bytes.
    NamelessData = 0x4d, "nameless-data";
    /// An open file of a pseudoterminal: [`pty::PtyFile`] and the path of /dev/tty.
    PtyFile = 0x4e, "pty-file";
    /// Controlling terminal of a process: [`pty::Ctty`].
    Ctty = 0x4f, "ctty";
    /// A Unix socket: [`socket::Socket`].
    Socket = 0x48, "socket";
    /// A message that waits in a Unix socket: [`socket::SocketMessage`] and its bytes.
    SocketMessage = 0x49, "socket-message";
    /// Options of a Unix socket, when its messages are there: [`socket::SocketOptions`].
    SocketOptions = 0x4a, "socket-options";
    /// A segment of System V shared memory: [`shm::Shm`]; [`mm::Pages`] records with its objref follow.
    Shm = 0x50, "shm";
    /// A set of System V semaphores: [`sem::Sem`] and [`sem::SemValue`] entries.
    Sem = 0x51, "sem";
    /// What is undone at exit: [`sem::SemUndo`] and [`sem::SemAdjustment`] entries.
    SemUndo = 0x52, "sem-undo";
    /// A System V message queue: [`msg::Msg`].
    Msg = 0x53, "msg";
    /// A message of a System V queue: [`msg::MsgText`] and the bytes.
    MsgText = 0x54, "msg-text";
    /// A POSIX message queue: [`mqueue::Mqueue`] and its name.
    Mqueue = 0x55, "mqueue";
    /// A message of a POSIX queue: [`mqueue::MqueueText`] and the bytes.
    MqueueText = 0x56, "mqueue-text";
    /// An open POSIX message queue: [`mqueue::Mqd`] and its name.
    Mqd = 0x57, "mqd";
    /// Who is told of a message: [`mqueue::MqNotify`].
    MqNotify = 0x58, "mq-notify";
    /// The objects of an ipc namespace are complete: [`ipc::IpcEnd`].
    IpcEnd = 0x59, "ipc-end";
    /// Who is told by a signal what happens to an open file: [`file_signals::FileSignals`].
    FileSignals = 0x5c, "file-signals";
    /// Locks of a process or of an open file: [`lock::Locks`] and [`lock::Lock`] entries.
    Locks = 0x5d, "locks";
    /// Namespaces of a task: [`ns::Nsproxy`].
    Nsproxy = 0x60, "nsproxy";
    /// A uts namespace: [`ns::UtsNs`].
    UtsNs = 0x61, "uts-ns";
    /// An ipc namespace: [`ns::IpcNs`].
    IpcNs = 0x62, "ipc-ns";
    /// A time namespace: [`ns::TimeNs`].
    TimeNs = 0x63, "time-ns";
    /// The user namespace of all tasks: [`ns::UserNs`], its maps and groups.
    UserNs = 0x64, "user-ns";
    /// A cgroup namespace: [`ns::CgroupNs`].
    CgroupNs = 0x65, "cgroup-ns";
    /// A network namespace: [`net::NetNs`].
    NetNs = 0x66, "net-ns";
    /// A route of a network namespace: [`net::NetRoute`].
    NetRoute = 0x67, "net-route";
    /// A mount namespace: [`mnt::MntNs`].
    MntNs = 0x68, "mnt-ns";
    /// A file system: [`mnt::Filesystem`], its type, source and options.
    Filesystem = 0x69, "filesystem";
    /// A file of a file system: [`mnt::Inode`], its path, and the target of a link.
    Inode = 0x6a, "inode";
    /// Content of a file: [`mnt::InodeData`] and the bytes.
    InodeData = 0x6b, "inode-data";
    /// Extended attribute of a file: [`mnt::InodeXattr`], name and value.
    InodeXattr = 0x6c, "inode-xattr";
    /// A mount: [`mnt::Mount`], where it comes from, and where it is mounted.
    Mount = 0x6d, "mount";
    /// A network device: [`net::NetDevice`] and its alias.
    NetDevice = 0x6e, "net-device";
    /// Address of a network device: [`net::NetAddress`].
    NetAddress = 0x6f, "net-address";
    /// A permanent neighbour: [`net::NetNeighbour`].
    NetNeighbour = 0x70, "net-neighbour";
    /// The cgroup of a process: [`cgroup::Cgroup`] and its path.
    Cgroup = 0x71, "cgroup";
    /// A pidfd: [`pidfd::Pidfd`].
    Pidfd = 0x78, "pidfd";
    /// An inotify: [`inotify::Inotify`].
    Inotify = 0x79, "inotify";
    /// Events of an inotify that nobody has read: [`inotify::Events`] and the events.
    InotifyEvents = 0x7a, "inotify-events";
    /// A watch of an inotify: [`inotify::Watch`] and the path.
    InotifyWatch = 0x7b, "inotify-watch";
    /// A file of /proc of a process: [`proc::ProcFile`] and two paths.
    ProcFile = 0x7c, "proc-file";
    /// A descriptor of a namespace: [`nsfd::NsFd`].
    NsFd = 0x7d, "namespace-fd";
    /// A ring of io_uring: [`uring::Uring`].
    IoUring = 0x7e, "io-uring";
    /// Contents of a ring: [`uring::Data`] and bytes.
    IoUringData = 0x7f, "io-uring-data";
    /// Completions for which a ring had no room: [`uring::Overflow`] and entries.
    IoUringOverflow = 0x80, "io-uring-overflow";
    /// Files that a ring keeps: [`uring::Files`] and entries.
    IoUringFiles = 0x81, "io-uring-files";
    /// Memory that a ring keeps: [`uring::Buffers`] and entries.
    IoUringBuffers = 0x82, "io-uring-buffers";
    /// What a task is to a ring: [`uring::Task`].
    IoUringTask = 0x83, "io-uring-task";
    /// A user namespace below that of the first task: [`ns::NestedUserNs`] and its maps.
    NestedUserNs = 0x84, "nested-user-ns";
    /// To which user namespace the namespaces belong that follow in the section: [`ns::NsOwner`].
    NsOwner = 0x85, "ns-owner";
    /// A userfaultfd: [`userfaultfd::Userfaultfd`].
    Userfaultfd = 0x88, "userfaultfd";
    /// A fanotify: [`fanotify::Fanotify`].
    Fanotify = 0x89, "fanotify";
    /// A mark of a fanotify: [`fanotify::Mark`] and the path.
    FanotifyMark = 0x8a, "fanotify-mark";
    /// The next part of a long message in a socket: [`socket::SocketData`] and the bytes.
    SocketData = 0x8b, "socket-data";
}

/// A record with a fixed struct.
pub trait Record: FromBytes + IntoBytes + Immutable + KnownLayout + Copy {
    /// Its type.
    const TYPE: RecordType;
    /// Version of its meaning, written and read by this crate.
    const VERSION: u16 = 1;
    /// Shortest fixed part that a reader accepts: the size of the first version.
    const MIN_LEN: usize;
}

/// An entry of a record's variable part. Its size is part of the format and never changes.
pub trait Entry: FromBytes + IntoBytes + Immutable + KnownLayout + Copy {}

macro_rules! record {
    ($t:ty, $kind:ident, $size:literal) => {
        $crate::record::record!($t, $kind, $size, $size);
    };
    // One that has grown: the size of its first version is the last argument.
    ($t:ty, $kind:ident, $size:literal, $least:literal) => {
        const _: () = assert!(size_of::<$t>() == $size);
        impl $crate::record::Record for $t {
            const TYPE: $crate::record::RecordType = $crate::record::RecordType::$kind;
            const MIN_LEN: usize = $least;
        }
    };
}
pub(crate) use record;

macro_rules! entry {
    ($t:ty, $size:literal) => {
        const _: () = assert!(size_of::<$t>() == $size);
        impl $crate::record::Entry for $t {}
    };
}
pub(crate) use entry;

impl Entry for u8 {}
impl Entry for u32 {}
impl Entry for u64 {}
