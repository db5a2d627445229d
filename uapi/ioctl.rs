// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The ioctls of `/dev/ckpt`.
//!
//! One open file is one *session*: one checkpoint or one restart. Every ioctl takes a pointer to one struct
//! whose first field is its own size. A shorter struct than the module knows is zero-extended; a longer one is
//! accepted when the unknown tail is zero and refused with `E2BIG` otherwise. Unknown flags and non-zero
//! reserved fields are `EINVAL`.
//!
//! Every failure also leaves messages in the session ([`crate::status`]), read with `read(2)`.
//!
//! Errors that mean the same everywhere:
//!
//! | errno | meaning |
//! | --- | --- |
//! | `ENOTTY` | no such ioctl |
//! | `EINVAL` | the struct is too short, a flag is unknown, a reserved field is not zero, or the arguments contradict |
//! | `E2BIG` | the struct has a non-zero tail that this module does not know |
//! | `EFAULT` | the struct, or a buffer that it names, cannot be read or written |
//! | `EBUSY` | the session is not in the stage that the ioctl needs, or a task did not stop in time |
//! | `ESRCH` | no such task, or it has exited |
//! | `EPERM`, `EACCES` | the caller may not ptrace the target, or may not have what the statefile asks for |
//! | `EOPNOTSUPP` | something in the target cannot be saved; the messages name everything that stands in the way |
//! | `EBADF` | the fd is not open, or not open for what is needed |
//! | `EBADMSG` | the statefile is damaged: wrong checksum, order, value or size; the message names the offset |
//! | `ENODATA` | the statefile ends too early |
//! | `EPROTONOSUPPORT` | the statefile needs a record, version or machine feature that this kernel does not have |
//! | `EINTR` | a fatal signal ended the operation |

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Path of the device node.
pub const DEVICE: &str = "/dev/ckpt";
/// The `type` byte of the ioctl numbers.
pub const IOC_TYPE: u32 = 0xc5;

const fn io(nr: u32) -> u32 {
    (IOC_TYPE << 8) | nr
}

/// What the module is and can do on this kernel: [`Info`].
pub const CKPT_INFO: u32 = io(0x00);
/// Choose the target of the session: [`Attach`].
pub const CKPT_ATTACH: u32 = io(0x01);
/// Report every obstacle without touching the target: [`Check`].
pub const CKPT_CHECK: u32 = io(0x02);
/// Stop the target: [`Freeze`].
pub const CKPT_FREEZE: u32 = io(0x03);
/// Let the target go on: [`Thaw`].
pub const CKPT_THAW: u32 = io(0x04);
/// Kill the target with SIGKILL: [`Kill`].
pub const CKPT_KILL: u32 = io(0x05);
/// Write the target into a file descriptor: [`Checkpoint`].
pub const CKPT_CHECKPOINT: u32 = io(0x06);
/// Say what becomes of files that cannot be saved: [`Policies`].
pub const CKPT_POLICIES: u32 = io(0x07);
/// Begin a restart from a file descriptor: [`RestartBegin`].
pub const CKPT_RESTART_BEGIN: u32 = io(0x10);
/// Copy out the task tree that has to be built: [`RestartPrologue`].
pub const CKPT_RESTART_PROLOGUE: u32 = io(0x11);
/// Become one of the saved tasks: [`RestartTask`].
pub const CKPT_RESTART_TASK: u32 = io(0x12);
/// Wait until every task is restored, and let them go: [`RestartEnd`].
pub const CKPT_RESTART_END: u32 = io(0x13);
/// Gives it a user namespace below that of the first task: [`RestartUserNs`].
pub const CKPT_RESTART_USER_NS: u32 = io(0x14);

/// Feature bits of [`Info::features`]: what was found on the running kernel.
pub mod feature {
    /// Processes with any number of threads.
    pub const PROCESS: u64 = 1 << 0;
    /// The caller can save itself.
    pub const SELF: u64 = 1 << 1;
    /// Streams: the statefile may be written to and read from a pipe or a socket.
    pub const STREAM: u64 = 1 << 2;
    /// Guard regions (`MADV_GUARD_INSTALL`) are saved.
    pub const GUARD: u64 = 1 << 3;
    /// Process trees ([`super::scope::TREE`]).
    pub const TREE: u64 = 1 << 4;
    /// Pid namespaces ([`super::scope::CONTAINER`]).
    pub const CONTAINER: u64 = 1 << 5;
    /// Jobs with their orphans ([`super::scope::JOB`]).
    pub const JOB: u64 = 1 << 6;
}

/// Argument of [`CKPT_INFO`]. All fields but `size` and `flags` are results.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Info {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Must be zero.
    pub flags: u32,
    /// [`crate::ABI_VERSION`] of the module.
    pub abi_version: u32,
    /// Statefile format that the module writes.
    pub format_version: u32,
    /// Oldest statefile format that the module reads.
    pub format_oldest: u32,
    /// Page size in bytes.
    pub page_size: u32,
    /// [`feature`] bits.
    pub features: u64,
    /// XSAVE features of the CPU that user space may use (XCR0 bits).
    pub xfeatures: u64,
    /// Size of the xstate of a task in bytes.
    pub xstate_size: u32,
    /// Zero.
    pub reserved: u32,
    /// Module version, NUL-terminated.
    pub version: [u8; 32],
    /// Release of the running kernel, NUL-terminated.
    pub release: [u8; 64],
}

/// Values of [`Attach::scope`] and [`Checkpoint::scope`].
pub mod scope {
    /// One process with all its threads. Children are an obstacle.
    pub const PROCESS: u32 = 0;
    /// A process with all its descendants. Orphans that were adopted by a process outside of the tree are not among them.
    pub const TREE: u32 = 1;
    /// All processes of the pid namespace that the named process is a member of.
    pub const CONTAINER: u32 = 2;
    /// A process with all its descendants, and its siblings with theirs: a job below an init or subreaper of its own, which adopts
    /// orphans and is not part of it.
    pub const JOB: u32 = 3;
}

/// Argument of [`CKPT_ATTACH`].
///
/// Errors: `ESRCH`, `EPERM` (the kernel's ptrace check, for every thread), `EBUSY` (attached already),
/// `EINVAL` (a kernel thread, or the caller itself: that is [`CKPT_CHECKPOINT`] with `pid` 0).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Attach {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Must be zero.
    pub flags: u32,
    /// A pidfd of the target, or -1 when `pid` names it.
    pub pidfd: i32,
    /// Process id in the caller's pid namespace; used when `pidfd` is -1.
    pub pid: i32,
    /// What belongs to the target: [`scope`].
    pub scope: u32,
    /// Must be zero.
    pub reserved: u32,
}

/// Argument of [`CKPT_CHECK`]. Needs an attached session.
///
/// Returns 0 also when there are obstacles: their number is in `obstacles`, each is a message.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Check {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Must be zero.
    pub flags: u32,
    /// Result: number of obstacles.
    pub obstacles: u32,
    /// Result: number of tasks looked at.
    pub tasks: u32,
}

/// Argument of [`CKPT_FREEZE`]. Needs an attached session.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Freeze {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Must be zero.
    pub flags: u32,
    /// How long to wait for the tasks to stop, in milliseconds; 0 means 10,000.
    pub timeout_ms: u32,
    /// Result: number of tasks that are stopped.
    pub tasks: u32,
}

/// Argument of [`CKPT_THAW`]. Needs a frozen session.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Thaw {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Must be zero.
    pub flags: u32,
}

/// Argument of [`CKPT_KILL`]. Needs an attached session; a frozen target dies without running again.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Kill {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Must be zero.
    pub flags: u32,
}

/// Longest texts of [`Policies`] in bytes.
pub const POLICIES_MAX: u32 = 64 * 1024;

/// Argument of [`CKPT_POLICIES`]: what becomes of open and mapped files that cannot be saved, from the next [`CKPT_CHECK`] or
/// [`CKPT_CHECKPOINT`] of the session on. Without it they are refused.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Policies {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Must be zero.
    pub flags: u32,
    /// Length of `texts` in bytes, at most [`POLICIES_MAX`].
    pub texts_size: u32,
    /// Must be zero.
    pub reserved: u32,
    /// User address of the policies, each with a NUL at its end: `PATTERN=ACTION`. The pattern is of the name that messages call
    /// the file by (`/dev/dri/*`, `socket:*`; a star stands for any bytes); the first that fits decides. The action is `refuse`, `close`
    /// (whatever is done with the descriptor says EBADF; mapped memory cannot be accessed), `replace:/PATH` (another file is opened in
    /// its place), or `kill` (the process is killed at restart, before it runs).
    pub texts: u64,
}

/// Flags of [`Checkpoint::flags`].
pub mod checkpoint_flags {
    /// Kill the target when the statefile is complete.
    pub const KILL: u32 = 1 << 0;
    /// Leave the target stopped (as by SIGSTOP) when the statefile is complete.
    pub const STOP: u32 = 1 << 1;
    /// Carry the contents of regular files that are open for writing.
    pub const WRITTEN_FILES: u32 = 1 << 2;
    /// Carry those of regular files that are open for reading only.
    pub const READ_FILES: u32 = 1 << 3;
    /// Whose contents are carried.
    pub const FILES: u32 = WRITTEN_FILES | READ_FILES;
    /// All known flags.
    pub const ALL: u32 = KILL | STOP | FILES;
}

/// Argument of [`CKPT_CHECKPOINT`].
///
/// With an attached (perhaps frozen) session it saves that target, and leaves a frozen one frozen. With an
/// unattached session it is the whole checkpoint in one call: attach to `pidfd` or `pid`, freeze, dump, and
/// resume, stop or kill. With `pidfd` -1 and `pid` 0 the caller saves itself, with all its threads: the ioctl
/// returns 0 when the statefile is complete, and 1 in the program that wakes up restarted. With
/// [`scope::TREE`] its descendants belong to it, with [`scope::CONTAINER`] all of the pid namespace that it lives in;
/// others of these go on without noticing. A statefile without a name (`O_TMPFILE`) is /dev/null in the program that
/// wakes up; one with a name is open there again.
///
/// The statefile is written from the fd's current position on. Nothing is written when something cannot be
/// saved (`EOPNOTSUPP`).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Checkpoint {
    /// Size of this struct in bytes.
    pub size: u32,
    /// [`checkpoint_flags`].
    pub flags: u32,
    /// Where the statefile goes: a file, pipe or socket that is open for writing.
    pub fd: i32,
    /// A pidfd of the target, or -1.
    pub pidfd: i32,
    /// Process id of the target in the caller's pid namespace, or 0.
    pub pid: i32,
    /// How long to wait for the tasks to stop, in milliseconds; 0 means 10,000.
    pub timeout_ms: u32,
    /// Result: bytes written.
    pub bytes: u64,
    /// Result: records written.
    pub records: u64,
    /// Result: pages of memory written.
    pub pages: u64,
    /// Result: how long the target stood still for this call, in nanoseconds.
    pub frozen_ns: u64,
    /// Result: how long the dump took, in nanoseconds.
    pub dump_ns: u64,
    /// Result: number of tasks saved.
    pub tasks: u32,
    /// What belongs to the target when this call attaches to it: [`scope`]. 0 for a session that has a target.
    pub scope: u32,
}

/// Flags of [`RestartBegin::flags`].
pub mod restart_flags {
    /// Accept mapped files whose size or modification time differs from the saved one, and do not warn of open files.
    pub const CHANGED_FILES: u32 = 1 << 0;
    /// The restarter will not stay: the parent-death signal (prctl(PR_SET_PDEATHSIG)) of the root process is not armed again.
    pub const DETACHED: u32 = 1 << 1;
    /// Refuse open files that have been replaced, or changed if they are open for reading only, which else are warnings.
    pub const REFUSE_CHANGED_FILES: u32 = 1 << 2;
    /// All known flags.
    pub const ALL: u32 = CHANGED_FILES | DETACHED | REFUSE_CHANGED_FILES;
}

/// Argument of [`CKPT_RESTART_BEGIN`]: reads and verifies the prologue.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RestartBegin {
    /// Size of this struct in bytes.
    pub size: u32,
    /// [`restart_flags`].
    pub flags: u32,
    /// Where the statefile comes from: a file, pipe or socket that is open for reading.
    pub fd: i32,
    /// Result: number of tasks in the tree.
    pub tasks: u32,
    /// Result: flags of the header, [`crate::record::header::flags`].
    pub target: u32,
    /// Result: how many thread ids in nested pid namespaces the tree has.
    pub pids: u32,
    /// Result: length of the record of the user namespace that has to be made for the tree, in bytes; 0 when there is none.
    pub user_ns: u32,
    /// Length of `external` in bytes, at most [`crate::record::external::EXTERNALS_MAX`].
    pub external_size: u32,
    /// User address of what is to be found elsewhere than it was, each text with a NUL at its end: `veth[NAME]=NEW`, the name of the
    /// device that the other end of NAME becomes in the caller's network namespace; `mnt[PATH]=NEW`, from where in the caller's mounts
    /// comes what came from PATH.
    pub external: u64,
    /// Result: length of the records of user namespaces below that of the first task, in bytes.
    pub nested_user_ns: u32,
    /// Must be zero.
    pub reserved: u32,
}

/// Argument of [`CKPT_RESTART_PROLOGUE`]: copies out [`crate::record::tree::Tree`] entries.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RestartPrologue {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Must be zero.
    pub flags: u32,
    /// User address of an array of [`crate::record::tree::Tree`].
    pub tree: u64,
    /// Number of entries that the array holds; `EINVAL` when the tree has more.
    pub capacity: u32,
    /// Result: number of entries written.
    pub tasks: u32,
    /// User address of an array of u32: the thread ids in nested pid namespaces, [`crate::record::tree::Tree::level`] for each
    /// task in the order of the tree.
    pub pids: u64,
    /// Number of thread ids that the array holds; `EINVAL` when the tree has more.
    pub pids_capacity: u32,
    /// Result: number of thread ids written.
    pub pids_count: u32,
    /// User address of the body of the record [`crate::record::ns::UserNs`].
    pub user_ns: u64,
    /// Number of bytes that there is place for; `EINVAL` when the body is longer.
    pub user_ns_capacity: u32,
    /// Result: number of bytes written.
    pub user_ns_size: u32,
    /// User address of the bodies of the records [`crate::record::ns::NestedUserNs`], one after the other.
    pub nested_user_ns: u64,
    /// Number of bytes that there is place for; `EINVAL` when the bodies are longer.
    pub nested_user_ns_capacity: u32,
    /// Result: number of bytes written.
    pub nested_user_ns_size: u32,
}

/// Argument of [`CKPT_RESTART_TASK`].
///
/// The caller becomes the saved task. From the first change to the caller on, a failure kills it; the session
/// keeps the reason. On success the call does not return here: the task goes on at its saved instruction when
/// [`CKPT_RESTART_END`] lets all tasks go.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RestartTask {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Must be zero.
    pub flags: u32,
    /// Index of the task in the tree of [`CKPT_RESTART_PROLOGUE`].
    pub index: u32,
    /// Must be zero.
    pub reserved: u32,
}

/// Flags of [`RestartUserNs::flags`].
pub mod restart_user_ns_flags {
    /// The next child processes of the caller are to live in a new pid namespace, which belongs to that user namespace.
    pub const OWNS_CHILDREN: u32 = 1 << 0;
    /// All known flags.
    pub const ALL: u32 = OWNS_CHILDREN;
}

/// Argument of [`CKPT_RESTART_USER_NS`]: gives the restart a user namespace in which tasks shall live, in the order of
/// [`RestartPrologue::nested_user_ns`]; it must be like the saved one. The caller lives in the user namespace of the first task, or in
/// the parent.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RestartUserNs {
    /// Size of this struct in bytes.
    pub size: u32,
    /// [`restart_user_ns_flags`].
    pub flags: u32,
    /// Number of the user namespace, from 1 on.
    pub number: u32,
    /// A descriptor of it, as one of /proc/PID/ns/user; -1 with a flag, which waits until the restart has it.
    pub fd: i32,
}

/// Flags of [`RestartEnd::flags`].
pub mod restart_end_flags {
    /// Kill what has been built instead of waiting for it.
    pub const ABORT: u32 = 1 << 0;
    /// All known flags.
    pub const ALL: u32 = ABORT;
}

/// Argument of [`CKPT_RESTART_END`]: waits until all tasks are restored and the whole statefile has been
/// verified, then lets all of them go; or returns the first error after all of them are killed.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RestartEnd {
    /// Size of this struct in bytes.
    pub size: u32,
    /// [`restart_end_flags`].
    pub flags: u32,
    /// Result: bytes read from the statefile.
    pub bytes: u64,
    /// Result: time from [`CKPT_RESTART_BEGIN`] until the tasks were let go, in nanoseconds.
    pub restart_ns: u64,
}

const _: () = assert!(size_of::<Info>() == 48 + 32 + 64);
const _: () = assert!(size_of::<Attach>() == 24);
const _: () = assert!(size_of::<Check>() == 16);
const _: () = assert!(size_of::<Freeze>() == 16);
const _: () = assert!(size_of::<Thaw>() == 8);
const _: () = assert!(size_of::<Kill>() == 8);
const _: () = assert!(size_of::<Checkpoint>() == 72);
const _: () = assert!(size_of::<RestartUserNs>() == 16);
const _: () = assert!(size_of::<RestartBegin>() == 48);
const _: () = assert!(size_of::<RestartPrologue>() == 72);
const _: () = assert!(size_of::<RestartTask>() == 16);
const _: () = assert!(size_of::<RestartEnd>() == 24);
