// SPDX-License-Identifier: GPL-2.0

//! Open files: regular files and directories by path, devices without state, inherited stdio, sessions of ckpt.
//!
//! Saved: path, O_* flags, offset (of a directory, too), sharing of one open file between descriptors; what is opened with O_PATH,
//! of any type; readahead advice (posix_fadvise); identity (device, inode, generation, size, modification time); locks
//! (file/lock.rs); owners and leases (file/owner.rs); pipes, Unix sockets and pseudoterminals inside the target (file/pipe.rs,
//! file/socket.rs, file/pty.rs); files without a name and memfds (file/nameless.rs); that Landlock denied it to be truncated, or
//! ioctls of the device, when it was opened; the statefile itself, if it has no name (O_TMPFILE) and a member of the target writes
//! it, as /dev/null.
//! Not saved: contents of files that have a name, also of those of POSIX shared memory (/dev/shm), unless the caller wants them to travel
//! (file/nameless.rs): they stay where they are, for as long as the machine runs; the hint how long data will live (F_SET_RW_HINT), which
//! is the inode's; the contents of an inherited pipe or terminal, which becomes the restarter's.
//! Refused: deleted directories, other sockets, pipes and terminals that are neither in the target nor stdio, anonymous inodes
//! (perf events, ...; for others see below), block devices, other character devices; a file whose
//! path leads elsewhere by now (a mount covers it); an inherited pipe or terminal that only a thread with descriptors of its own has.
//! Shown by: file/, refuse/device_open, refuse/fifo, refuse/deleted_directory, refuse/covered, refuse/kernel_thread,
//! hostile/values_of_files.
//!
//! At restart a file that has been replaced since (another inode on the same device), or one that is open for reading only and has
//! another size or modification time, is a warning, or an error if the restarter wants that. Nothing is compared where the mounts have
//! been made anew.
//!
//! Record: [`ckpt_uapi::record::file`].  C header: `include/linux/fs.h`

use super::{
    lacks_huge_pages, no_huge_pages, open_denied, policy::Action, share, Dump, FrozenTask, Late, Obstacles, Resource,
    Restore, Scope, Target, TaskOf, Whole, WARNINGS,
};
use crate::{
    error::{Context, Fault, Result},
    objects::{Keeper, Made, Object},
    wrapper::{
        fanotify::Fanotify,
        fcntl::{O_ACCMODE, O_APPEND, O_ASYNC, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDWR},
        file::{collect_fds, mode, with_fd, Fd, File, Nameless as Name, Stat, PATH_FLAGS, REOPEN_FLAGS, TMPFILE},
        inotify::Inotify,
        lock::Locks,
        mm::{map, prot, vm_mmap, Mm},
        mount::open_below,
        nsfd::NsFd,
        owner::Owner,
        path::PathBuf,
        pidfd::Pidfd,
        pipe::Pipe,
        proc::Proc,
        syscall::{nr, CurrentTask},
        task::{fatal_signal_pending, Task},
        tty::Tty,
        uring::Uring,
        userfaultfd::Userfaultfd, //
    },
};
use ckpt_uapi::{
    ioctl::{checkpoint_flags, restart_flags},
    record::{
        event::{Epoll, EpollItems, Eventfd, Signalfd, Timerfd},
        fanotify::{Fanotify as FanotifyRecord, Mark as FanotifyMark},
        file::{advice, denied, kind, File as FileRecord},
        inotify::{Events as InotifyEvents, Inotify as InotifyRecord, Watch as InotifyWatch},
        lock::Locks as LockRecord,
        mm::{Extent, Pages},
        mqueue::Mqd,
        nameless::{Nameless, NamelessData},
        nsfd::NsFd as NsFdRecord,
        pidfd::Pidfd as PidfdRecord,
        pipe::Pipe as PipeRecord,
        proc::ProcFile,
        pty::{Pty, PtyFile},
        shmem::Shmem,
        socket::{Socket as SocketRecord, SocketData, SocketMessage, SocketOptions},
        uring::{Data as UringData, Files as UringFiles, Overflow as UringOverflow, Uring as UringRecord},
        userfaultfd::Userfaultfd as UserfaultfdRecord,
        Record, RecordType,
    },
    statefile::PATH_MAX,
};
use kernel::{prelude::*, rbtree::RBTree};
use zerocopy::FromZeros;

mod census;
mod event;
mod fanotify;
mod holders;
mod inotify;
mod lock;
mod mqueue;
mod nameless;
mod nsfd;
mod owner;
mod pidfd;
mod pipe;
mod proc;
mod pty;
mod socket;
mod uring;
mod userfaultfd;

pub(crate) use census::Census;
pub(crate) use fanotify::Building as BuildingFanotify;
pub(crate) use holders::Holders;
pub(crate) use inotify::Building as BuildingInotify;
pub(crate) use lock::Holding;
pub(crate) use mqueue::NotifyRoom;
pub(crate) use nameless::{each_extent, is_sealed_for_writers};
pub(crate) use nsfd::Inhabited;
pub(crate) use owner::OwnerRoom;
pub(crate) use pty::{check_pair, dump_pair, finish as finish_ptys};
pub(crate) use socket::{finish_sockets, Arriving};
pub(crate) use uring::{check_mapping as check_ring_mapping, place as place_ring, UringRoom};

/// Counts a mapping of a file that only the target may have, or that it is the program's.
pub(crate) fn count_mapped(target: &Target<'_>, file: &File) -> Result {
    match Uring::of(file) {
        Some(_) => uring::count(target, file, 1),
        None => nameless::count_mapped(target, file),
    }
}

pub(crate) struct FileRoom;

/// Descriptors that may be relinked to those of the restarter.
const STDIO: u32 = 3;
/// Major number of /dev/null and its kin (`MEM_MAJOR`), of terminals (/dev/tty: 5, /dev/ttyN and ttyS: 4, Unix98 ptys: 136 to 143).
const MEM_MAJOR: u64 = 1;
/// null, zero, full, random, urandom.
const MEM_MINORS: [u64; 5] = [3, 5, 7, 8, 9];

/// What [`classify`] says of a file that has a record of its own kind.
const OWN: u32 = 0;
const SOCKET: u32 = 0;

/// What has a record of its own kind, which says all of it.
enum Own<'a> {
    Event(event::Kind),
    Pidfd(Pidfd<'a>),
    Inotify(Inotify<'a>),
    Fanotify(Fanotify<'a>),
    Proc(Proc<'a>),
    NsFd(NsFd<'a>),
    Userfaultfd(Userfaultfd<'a>),
    Uring(Uring<'a>),
}

impl<'a> Own<'a> {
    /// What an open file is, if it is one of these.
    fn of(file: &'a File) -> Option<Self> {
        let event = event::Kind::of(file).map(Self::Event);
        event
            .or_else(|| Pidfd::of(file).map(Self::Pidfd))
            .or_else(|| Inotify::of(file).map(Self::Inotify))
            .or_else(|| Fanotify::of(file).map(Self::Fanotify))
            .or_else(|| proc::of(file).map(Self::Proc))
            .or_else(|| NsFd::of(file).map(Self::NsFd))
            .or_else(|| Userfaultfd::of(file).map(Self::Userfaultfd))
            .or_else(|| Uring::of(file).map(Self::Uring))
    }

    /// Why it cannot be saved, if it cannot. `held` is the number of references to the file that the caller has.
    fn check(&self, target: &Target<'_>, file: &File, held: usize) -> Result<Option<&'static str>> {
        match self {
            Self::Event(event) => event.check(target, file, held),
            Self::Pidfd(pidfd) => Ok(pidfd::check(target, file, pidfd)),
            Self::Inotify(inotify) => inotify::check(target, file, inotify, held),
            Self::Fanotify(fanotify) => fanotify::check(target, file, fanotify, held),
            Self::Proc(proc) => proc::check(target, file, proc),
            Self::NsFd(namespace) => nsfd::check(target, namespace),
            Self::Userfaultfd(userfaultfd) => userfaultfd::check(target, file, userfaultfd, held),
            Self::Uring(ring) => uring::check(target, file, ring),
        }
    }

    /// Writes the object; its objref.
    fn dump(&self, target: &Target<'_>, file: &File, dump: &mut Dump<'_>) -> Result<u32> {
        match self {
            Self::Event(event) => event.dump(target, file, dump),
            Self::Pidfd(pidfd) => pidfd::dump(target, file, pidfd, dump),
            Self::Inotify(inotify) => inotify::dump(target, file, inotify, dump),
            Self::Fanotify(fanotify) => fanotify::dump(target, file, fanotify, dump),
            Self::Proc(proc) => proc::dump(target, file, proc, dump),
            Self::NsFd(namespace) => nsfd::dump(target, file, namespace, dump),
            Self::Userfaultfd(userfaultfd) => userfaultfd::dump(target, file, userfaultfd, dump),
            Self::Uring(ring) => uring::dump(target, file, ring, dump),
        }
    }
}

/// Device number of /dev/null.
const NULL: u64 = 0x103;

fn major(dev: u64) -> u64 {
    (dev >> 8) & 0xfff
}

fn minor(dev: u64) -> u64 {
    (dev & 0xff) | ((dev >> 12) & 0xfff00)
}

fn is_terminal(dev: u64) -> bool {
    matches!(major(dev), 4 | 5 | 136..=143)
}

/// Says that a file cannot be saved.
fn refuse(file: &File, what: &str) -> Fault {
    let mut name = match PathBuf::new() {
        Ok(n) => n,
        Err(e) => return Fault::from(e),
    };
    let _ = file.print_any(&mut name);
    Fault::new(EOPNOTSUPP, format_args!("{} cannot be saved: {}", what, name.as_str())).kind(RecordType::File)
}

/// Says that a device, or its memory, cannot be saved.
pub(crate) fn refuse_device(file: &File, what: &str) -> Fault {
    let driver = PathBuf::new().and_then(|mut driver| file.print_driver(&mut driver).map(|()| driver));
    match driver {
        Ok(driver) => refuse(file, what).and(driver.as_str()),
        Err(_) => refuse(file, what),
    }
}

/// What an open file will be in the statefile; `stdio` when it is one of the inherited descriptors.
///
/// `held` is the number of references to the file that the caller has; `path` becomes its path, empty where none is saved.
fn classify(target: &Target<'_>, file: &File, stdio: Option<u32>, held: usize, path: &mut PathBuf) -> Result<u32> {
    path.clear();
    if file.is_path() {
        return match find_path(target, file, path)? {
            None => Ok(kind::PATH),
            Some(what) => Err(refuse(file, what)),
        };
    }
    if let Some(what) = lock::check(target, file) {
        return Err(refuse(file, what));
    }
    if let Some(own) = Own::of(file) {
        return match own.check(target, file, held)? {
            None => Ok(OWN),
            Some(what) => Err(refuse(file, what)),
        };
    }
    if mqueue::is_queue(target, file)? {
        return match mqueue::check(target, file)? {
            None => Ok(OWN),
            Some(what) => Err(refuse(file, what)),
        };
    }
    if let Some(tty) = Tty::of(file) {
        if pty::end_of(target, file, &tty, held)?.is_some() {
            return match pty::check(target, file, &tty, held)? {
                None => Ok(OWN),
                Some(what) => Err(refuse(file, what)),
            };
        }
    }
    let format = file.mode() & mode::FMT;
    let rdev = match format {
        mode::CHAR => file.stat()?.rdev,
        mode::FIFO | mode::SOCKET | mode::BLOCK | mode::REGULAR | mode::DIRECTORY => 0,
        _ => return Err(refuse(file, "anonymous file")),
    };
    let kind = match format {
        mode::DIRECTORY if file.is_unlinked() => return Err(refuse(file, "deleted directory")),
        mode::DIRECTORY => kind::DIRECTORY,
        mode::REGULAR => match file.nameless() {
            Name::Not => kind::REGULAR,
            name => match nameless::check(target, file, name)? {
                None => kind::NAMELESS,
                Some(what) => return Err(refuse(file, what)),
            },
        },
        mode::FIFO => match Pipe::of(file) {
            Some(p) if pipe::is_inside(target, &p)? && census::is_only_of(target.whole, file, held) => {
                pipe::check(file, &p).map_err(|what| refuse(file, what))?;
                kind::PIPE
            }
            _ if stdio.is_some() => kind::STDIO,
            _ if Pipe::is_named(file) => return Err(refuse(file, "FIFO that another process holds")),
            _ => return Err(refuse(file, "pipe that another process holds")),
        },
        mode::SOCKET => {
            socket::check(target, file, held)?;
            return Ok(SOCKET);
        }
        mode::CHAR if file.ops() == target.whole.session_ops => kind::SESSION,
        mode::CHAR if major(rdev) == MEM_MAJOR && MEM_MINORS.contains(&minor(rdev)) => kind::DEVICE,
        mode::CHAR if is_terminal(rdev) && stdio.is_some() => kind::STDIO,
        mode::CHAR if is_terminal(rdev) => return Err(refuse(file, "terminal (other than inherited stdio)")),
        _ => return Err(refuse_device(file, "device")),
    };
    if matches!(kind, kind::REGULAR | kind::DIRECTORY | kind::DEVICE) {
        if let Some(what) = find_path(target, file, path)? {
            return Err(refuse(file, what));
        }
    }
    if kind == kind::PIPE && Pipe::is_named(file) {
        if !file.print_path(&target.whole.caller_fs, path)? {
            return Err(refuse(file, "FIFO outside of the caller's root directory"));
        }
    } else if matches!(kind, kind::STDIO | kind::PIPE | kind::NAMELESS) {
        file.print_any(path)?;
    }
    Ok(kind)
}

/// Prints the path of a file; why it cannot be opened by it, if there is no such path.
fn find_path(target: &Target<'_>, file: &File, path: &mut PathBuf) -> Result<Option<&'static str>> {
    // A regular file may still have the name of another link.
    let is_named = file.mode() & mode::FMT == mode::REGULAR && file.nameless() == Name::Not;
    if file.is_unlinked() && !is_named {
        return Ok(Some("deleted file"));
    }
    let found = file.print_path(target.names, path)? || file.print_path(&target.whole.caller_fs, path)?;
    Ok((!found).then_some("file outside of the caller's root directory"))
}

/// Whether a file is known by a path that is opened at restart.
fn has_path(kind: u32) -> bool {
    matches!(kind, kind::REGULAR | kind::DIRECTORY | kind::DEVICE | kind::PATH)
}

/// Whether the path of a file is one in the mounts of the restarter, although the task lives in others.
fn is_outside(target: &Target<'_>, file: &File, kind: u32) -> Result<bool> {
    let own = !core::ptr::eq(target.names, &target.whole.caller_fs);
    Ok(own && has_path(kind) && !file.print_path(target.names, &mut PathBuf::new()?)?)
}

/// Refuses a file whose path leads elsewhere: a mount that came later covers it, and the restart would open what it hides.
fn check_path(target: &Target<'_>, file: &File, kind: u32, path: &PathBuf) -> Result {
    if !has_path(kind) {
        return Ok(());
    }
    let from = if is_outside(target, file, kind)? {
        &target.whole.caller_fs
    } else {
        target.names
    };
    if file.is_elsewhere(from, path)? {
        return Err(refuse(file, "file whose path leads elsewhere by now"));
    }
    Ok(())
}

/// Rights that Landlock can deny to an open file of this kind, and that are saved.
fn deniable(kind: u32) -> u64 {
    match kind {
        kind::REGULAR | kind::NAMELESS => denied::TRUNCATE,
        kind::DEVICE | kind::SESSION => denied::IOCTL_DEV,
        _ => 0,
    }
}

/// Advice that an open file of this kind keeps.
fn advisable(kind: u32) -> u32 {
    match kind {
        kind::REGULAR | kind::NAMELESS => advice::ALL,
        _ => 0,
    }
}

/// Whether the caller wants the contents of a regular file that has a name to travel. Those of programs and libraries, for which nobody
/// has a descriptor, do not: a restart would write over what other processes run. Nor do those that a restart could not write.
fn travels(target: &Target<'_>, file: &File) -> bool {
    let wanted = if file.is_writable() {
        checkpoint_flags::WRITTEN_FILES
    } else if target.whole.census.descriptors(file) > 0 && file.transfers() {
        checkpoint_flags::READ_FILES
    } else {
        return false;
    };
    target.whole.flags & wanted != 0 && file.has_contents() && file.address() != target.whole.statefile
}

/// Whether the contents of an open file stand in the statefile.
fn is_carried(target: &Target<'_>, file: &File) -> bool {
    let is_regular = || file.mode() & mode::FMT == mode::REGULAR && !file.is_path();
    file.nameless() != Name::Not || (travels(target, file) && is_regular() && Own::of(file).is_none())
}

/// O_* flags that are saved.
fn known_flags(kind: u32) -> u32 {
    match kind {
        kind::NAMELESS => REOPEN_FLAGS | O_ASYNC | TMPFILE,
        kind::DIRECTORY => REOPEN_FLAGS | O_ASYNC | O_NOFOLLOW,
        // A file of O_TMPFILE keeps O_DIRECTORY when it gets a name.
        kind::REGULAR | kind::DEVICE => (REOPEN_FLAGS & !O_DIRECTORY) | O_ASYNC | O_NOFOLLOW,
        kind::PATH => PATH_FLAGS,
        _ => REOPEN_FLAGS,
    }
}

/// References to `file` in a lot of descriptors.
pub(crate) fn held(lot: &[Fd], file: &File) -> usize {
    lot.iter().filter(|fd| fd.file.address() == file.address()).count()
}

/// Whether a task has a descriptor for this open file.
fn has(task: &Task, file: &File) -> Result<bool> {
    let mut from = Some(0);
    while from.is_some() {
        if held(&collect_fds(task, &mut from)?, file) > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Says who gets the signals of an open file, when that cannot be saved.
fn check_signals(target: &Target<'_>, fd: &Fd, kind: u32, obstacles: &mut dyn Obstacles) -> Result {
    let file = &fd.file;
    if !Owner::is_any(file) {
        return Ok(());
    }
    let first = target.whole.census.is_first_checked(file)?;
    if let Some(what) = owner::check(target, file, first, kind == kind::STDIO)? {
        add_refusal(target, file, refuse(file, what).fd(fd.fd), obstacles);
    }
    Ok(())
}

/// Why a file behind a mapping cannot be saved, if it cannot.
pub(crate) fn check_mapped(target: &Target<'_>, file: &File) -> Result {
    let mut path = PathBuf::new()?;
    let kind = classify(target, file, None, 1, &mut path)?;
    check_path(target, file, kind, &path)?;
    check_contents(target, file, kind)
}

/// Refuses a file whose contents are to travel and cannot.
fn check_contents(target: &Target<'_>, file: &File, kind: u32) -> Result {
    if kind != kind::REGULAR || !travels(target, file) {
        return Ok(());
    }
    let what = nameless::check_named(file, is_outside(target, file, kind)?);
    what.map_or(Ok(()), |what| Err(refuse(file, what)))
}

/// Whether a file is the statefile that is being written, without a name: a member of the target has it, who saves itself. Nobody
/// can open it by its path, now or in the restarted program, which has no use for it either.
fn is_nameless_statefile(target: &Target<'_>, file: &File) -> bool {
    file.address() == target.whole.statefile && file.mode() & mode::FMT == mode::REGULAR && file.is_unlinked()
}

/// Whether something else stands for a file in the statefile.
fn is_left_out(target: &Target<'_>, file: &File) -> bool {
    target.whole.decisions.of(file).is_some() || is_nameless_statefile(target, file)
}

/// The objref of that file, which will be /dev/null.
fn dump_nameless_statefile(file: &File, dump: &mut Dump<'_>) -> Result<u32> {
    let path = b"/dev/null";
    let mut r = FileRecord::new_zeroed();
    r.objref = dump.seen.add(file.address(), Keeper::File(file.clone()))?;
    r.kind = kind::DEVICE;
    r.flags = file.flags() & (O_ACCMODE | O_NONBLOCK);
    r.mode = mode::CHAR | 0o666;
    r.rdev = NULL;
    r.path_len = path.len() as u32;
    dump.out.record_with(&r, path)?;
    Ok(r.objref)
}

/// The objref of what stands for a file that cannot be saved.
fn dump_decided(file: &File, action: Action<'_>, dump: &mut Dump<'_>) -> Result<u32> {
    let mut r = FileRecord::new_zeroed();
    r.objref = dump.seen.add(file.address(), Keeper::File(file.clone()))?;
    let path = match action {
        Action::Replace(path) => path,
        _ => &[],
    };
    r.kind = kind::CLOSED;
    if !path.is_empty() {
        r.kind = kind::REPLACED;
        r.flags = file.flags() & (O_ACCMODE | O_NONBLOCK | O_APPEND);
    }
    r.path_len = path.len() as u32;
    dump.out.record_with(&r, path)?;
    Ok(r.objref)
}

/// The objref of an open file; it is written when first met.
///
/// `held` is the number of references to the file that the caller has.
pub(crate) fn dump_file(target: &Target<'_>, file: &File, held: usize, dump: &mut Dump<'_>) -> Result<u32> {
    if let Some(objref) = dump.seen.get(file.address()) {
        return Ok(objref);
    }
    if let Some(action) = target.whole.decisions.of(file) {
        return dump_decided(file, action, dump);
    }
    if is_nameless_statefile(target, file) {
        return dump_nameless_statefile(file, dump);
    }
    if let Some(own) = Own::of(file) {
        return own.dump(target, file, dump);
    }
    if mqueue::is_queue(target, file)? {
        return mqueue::dump(target, file, dump);
    }
    if let Some(tty) = Tty::of(file) {
        if let Some(end) = pty::end_of(target, file, &tty, held)? {
            return pty::dump(target, file, &tty, end, dump);
        }
    }
    let mut path = PathBuf::new()?;
    if file.mode() & mode::FMT == mode::SOCKET && !file.is_path() {
        classify(target, file, None, held, &mut path)?;
        return socket::dump(target, file, dump);
    }
    let stdio = target.whole.census.standard(file)?;
    let kind = classify(target, file, stdio, held, &mut path)?;
    let stat = file.stat()?;
    let pipe_objref = match Pipe::of(file) {
        Some(p) if kind == kind::PIPE => pipe::dump(file, &p, path.as_bytes(), dump)?,
        _ => 0,
    };
    let nameless = match kind {
        kind::NAMELESS => nameless::dump(target, file, dump)?,
        kind::REGULAR if travels(target, file) => nameless::dump(target, file, dump)?,
        _ => 0,
    };
    let objref = dump.seen.add(file.address(), Keeper::File(file.clone()))?;
    let path = path.as_bytes();
    let mut r = FileRecord::new_zeroed();
    r.objref = objref;
    r.kind = kind;
    r.flags = file.flags() & known_flags(kind);
    if file.may_signal() {
        // Set when the owner is.
        r.flags &= !O_ASYNC;
    }
    r.mode = stat.mode;
    r.pos = if file.is_stream() { 0 } else { file.pos() as u64 };
    r.size = stat.size;
    r.mtime_ns = stat.mtime_ns;
    r.ino = stat.ino;
    r.dev = stat.dev;
    r.rdev = stat.rdev;
    r.stdio = stdio.unwrap_or(0);
    r.path_len = path.len() as u32;
    let locks = Locks::of(file, target.leader);
    r.lock = locks.flock;
    r.pipe = pipe_objref;
    r.nameless = nameless;
    r.denied = file.landlock_denied() & deniable(kind);
    // Opened before the task has entered its mount namespace.
    r.outside = u32::from(is_outside(target, file, kind)?);
    r.advice = file.advice() & advisable(kind);
    r.generation = file.generation();
    if r.outside == 1 && r.denied != 0 {
        return Err(Fault::new(
            EOPNOTSUPP,
            format_args!(
                "a file with rights denied by Landlock, opened in other mounts than the task's, cannot be saved"
            ),
        )
        .kind(RecordType::File));
    }
    dump.out.record_with(&r, path)?;
    lock::dump_of_file(file, objref, &locks, dump)?;
    Ok(objref)
}

/// Says that a file cannot be saved, unless a policy has it otherwise.
fn add_refusal(target: &Target<'_>, file: &File, why: Fault, obstacles: &mut dyn Obstacles) {
    match target.whole.decisions.decide(target.leader, file, why) {
        Ok(decided) => obstacles.warn(decided),
        Err(why) => obstacles.add(why),
    }
}

/// Names what keeps an open file from being saved, to which a descriptor refers; what it will be if nothing does. `leader`: that of a
/// thread with descriptors of its own. `path` is room for one.
fn check_open(
    target: &Target<'_>,
    fd: u32,
    file: &File,
    held: usize,
    leader: Option<&Task>,
    path: &mut PathBuf,
    obstacles: &mut dyn Obstacles,
) -> Result<Option<u32>> {
    let stdio = target.whole.census.standard(file)?;
    let found = classify(target, file, stdio, held, path).and_then(|kind| {
        check_path(target, file, kind, path)?;
        check_contents(target, file, kind)?;
        Ok(kind)
    });
    match found {
        // By the thread's turn its leader has its own descriptors again, and the restarter's are gone.
        Ok(kind::STDIO) if leader.is_some_and(|leader| !matches!(has(leader, file), Ok(true))) => obstacles.add(
            Fault::new(
                EOPNOTSUPP,
                format_args!("inherited file that only a thread with descriptors of its own has"),
            )
            .kind(RecordType::File)
            .fd(fd),
        ),
        Ok(kind) => {
            target.whole.holders.borrow_mut().set_fd(file, fd);
            return Ok(Some(kind));
        }
        Err(fault) if fault.errno() == EOPNOTSUPP => add_refusal(target, file, fault.fd(fd), obstacles),
        Err(fault) => return Err(fault.fd(fd)),
    }
    Ok(None)
}

/// The same of what is on its way in the messages of a Unix socket, in those of sockets that are on their way there, and so on. `met` are
/// those that have been looked at.
fn check_flying(
    target: &Target<'_>,
    fd: &Fd,
    lot: &[Fd],
    met: &mut RBTree<usize, ()>,
    leader: Option<&Task>,
    path: &mut PathBuf,
    obstacles: &mut dyn Obstacles,
) -> Result {
    let mut carriers: KVVec<File> = KVVec::new();
    carriers.push(fd.file.clone(), GFP_KERNEL_ACCOUNT)?;
    while let Some(carrier) = carriers.pop() {
        let files = census::flying(&carrier)?;
        for file in files.iter() {
            if met.get(&file.address()).is_some() {
                continue;
            }
            met.try_create_and_insert(file.address(), (), GFP_KERNEL_ACCOUNT)?;
            let is_same = |other: &&File| other.address() == file.address();
            let ours = files.iter().filter(is_same).count() + usize::from(is_same(&&carrier));
            let kind = check_open(target, fd.fd, file, ours + held(lot, file), leader, path, obstacles)?;
            if let Some(what) = kind.and_then(|_| owner::check_flying(target, file)) {
                add_refusal(target, file, refuse(file, what).fd(fd.fd), obstacles);
            }
            carriers.push(file.clone(), GFP_KERNEL_ACCOUNT)?;
        }
        if fatal_signal_pending() {
            return Err(EINTR.into());
        }
    }
    Ok(())
}

impl Resource for FileRoom {
    const RECORDS: &'static [RecordType] = &[
        FileRecord::TYPE,
        Shmem::TYPE,
        PipeRecord::TYPE,
        Pty::TYPE,
        PtyFile::TYPE,
        Eventfd::TYPE,
        Signalfd::TYPE,
        Timerfd::TYPE,
        Epoll::TYPE,
        EpollItems::TYPE,
        LockRecord::TYPE,
        Nameless::TYPE,
        NamelessData::TYPE,
        Mqd::TYPE,
        SocketRecord::TYPE,
        SocketMessage::TYPE,
        SocketData::TYPE,
        SocketOptions::TYPE,
        PidfdRecord::TYPE,
        InotifyRecord::TYPE,
        InotifyEvents::TYPE,
        InotifyWatch::TYPE,
        FanotifyRecord::TYPE,
        FanotifyMark::TYPE,
        ProcFile::TYPE,
        NsFdRecord::TYPE,
        UserfaultfdRecord::TYPE,
        UringRecord::TYPE,
        UringData::TYPE,
        UringOverflow::TYPE,
        UringFiles::TYPE,
    ];
    const SCOPE: Scope = Scope::Task;
    const REQUIRED: bool = false;
    const OBJECTS: bool = true;

    fn check(target: &Target<'_>, task: &Task, obstacles: &mut dyn Obstacles) -> Result {
        let own = task != target.leader;
        if own && task.shared().files == target.leader.shared().files {
            return Ok(());
        }
        let leader = own.then_some(target.leader);
        let seen = target.seen_by(task);
        let mut met: RBTree<usize, ()> = RBTree::new();
        let mut path = PathBuf::new()?;
        let mut from = Some(0);
        loop {
            let lot = collect_fds(task, &mut from)?;
            for fd in lot.iter().filter(|fd| !is_nameless_statefile(target, &fd.file)) {
                if let Some(kind) = check_open(
                    &seen,
                    fd.fd,
                    &fd.file,
                    held(&lot, &fd.file),
                    leader,
                    &mut path,
                    obstacles,
                )? {
                    check_signals(&seen, fd, kind, obstacles)?;
                }
                check_flying(&seen, fd, &lot, &mut met, leader, &mut path, obstacles)?;
            }
            if from.is_none() {
                return Ok(());
            }
        }
    }

    fn check_whole(whole: &Whole<'_>, obstacles: &mut dyn Obstacles) -> Result {
        uring::check_whole(whole, obstacles)?;
        whole.holders.borrow().check(whole, obstacles);
        Ok(())
    }

    /// Files are written by those who refer to them. Contents come before the memory: what comes after that may have to wait in
    /// the kernel's memory until the target goes on.
    fn dump(target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        if task.task != target.leader || *dump.new & share::MM == 0 {
            return Ok(());
        }
        for task in target.threads {
            if task != target.leader && task.shared().files == target.leader.shared().files {
                continue;
            }
            let seen = target.seen_by(task);
            let mut from = Some(0);
            while from.is_some() {
                for fd in collect_fds(task, &mut from)?.iter() {
                    if is_carried(&seen, &fd.file) && !is_left_out(target, &fd.file) {
                        nameless::dump(&seen, &fd.file, dump).map_err(|f| f.fd(fd.fd))?;
                    }
                }
            }
        }
        let flying = target.whole.census.flying().iter();
        for file in flying.filter(|file| is_carried(target, file) && !is_left_out(target, file)) {
            nameless::dump(target, file, dump)?;
        }
        Ok(())
    }

    fn restore(kind: RecordType, restore: &mut Restore<'_>) -> Result {
        if kind != RecordType::SocketData && restore.late.arriving.is_some() {
            return Err(socket::lacks_parts(restore));
        }
        let object = match kind {
            RecordType::Shmem => restore_shmem(restore)?,
            RecordType::Pipe => pipe::restore(restore)?,
            RecordType::Pty => pty::restore(restore)?,
            RecordType::PtyFile => pty::restore_file(restore)?,
            RecordType::EpollItems => return event::restore_items(restore),
            RecordType::IoUring => uring::restore(restore)?,
            RecordType::IoUringData => return uring::restore_data(restore),
            RecordType::IoUringOverflow => return uring::restore_overflow(restore),
            RecordType::IoUringFiles => return uring::restore_files(restore),
            RecordType::Pidfd => pidfd::restore(restore)?,
            RecordType::NsFd => nsfd::restore(restore)?,
            RecordType::Userfaultfd => userfaultfd::restore(restore)?,
            RecordType::ProcFile => proc::restore(restore)?,
            RecordType::Inotify => inotify::restore(restore)?,
            RecordType::InotifyEvents => return inotify::restore_events(restore),
            RecordType::InotifyWatch => return inotify::restore_watch(restore),
            RecordType::Fanotify => fanotify::restore(restore)?,
            RecordType::FanotifyMark => return fanotify::restore_mark(restore),
            RecordType::Locks => return lock::restore(restore),
            RecordType::Nameless => nameless::restore(restore)?,
            RecordType::NamelessData => return nameless::restore_data(restore),
            RecordType::Mqd => mqueue::restore(restore)?,
            RecordType::SocketMessage => return socket::restore_message(restore),
            RecordType::SocketData => return socket::restore_data(restore),
            RecordType::SocketOptions => return socket::restore_options(restore),
            RecordType::Socket => socket::restore(restore)?,
            RecordType::Eventfd | RecordType::Signalfd | RecordType::Timerfd | RecordType::Epoll => {
                event::restore(kind, restore)?
            }
            _ => restore_file(restore)?,
        };
        restore.made.add(object)
    }

    fn finish(made: &mut Made, task_of: &TaskOf<'_>, root: Option<&Task>) {
        socket::name_peers(made, task_of, root);
    }

    fn join(_me: &CurrentTask, late: &mut Late) -> Result {
        late.inotifies.iter().try_for_each(inotify::begin)?;
        late.fanotifies.iter().try_for_each(fanotify::begin)
    }

    fn start(me: &CurrentTask, late: &Late) -> Result {
        late.timerfds
            .iter()
            .try_for_each(|(file, timer)| event::arm_timerfd(me, file, timer))
    }
}

fn restore_shmem(restore: &mut Restore<'_>) -> Result<Object> {
    let r: Shmem = restore.input.only()?;
    let shift = u32::from(r.page_shift);
    let is_whole = if shift == 0 {
        r.size % 4096 == 0
    } else {
        r.size.trailing_zeros() >= shift
    };
    if r.objref != restore.made.next()
        || r.size == 0
        || !is_whole
        || r.noreserve > 1
        || (r.noreserve == 1 && shift != 0)
    {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a shared memory record")));
    }
    let file = match shift {
        0 => File::new_shmem(r.size, r.noreserve == 1)
            .context(format_args!("cannot make {} bytes of shared memory", r.size))?,
        shift => make_huge(restore.me, r.size, shift)?,
    };
    Ok(Object::Shmem(file, r.size))
}

/// What the kernel keeps behind anonymous memory of huge pages. None of them is reserved or allocated.
fn make_huge(me: &CurrentTask, size: u64, shift: u32) -> Result<File> {
    const SHIFT_MAX: u32 = 63;
    let how = map::SHARED | map::ANONYMOUS | map::NORESERVE | map::HUGETLB;
    let how = u64::from(how) | u64::from(shift.min(SHIFT_MAX)) << map::HUGE_SHIFT;
    // By the system call: nothing else makes it.
    let made = me.call(nr::__NR_mmap, &[0, size, 0, how, u64::MAX, 0]);
    let at = made.map_err(|e| match e {
        EINVAL => no_huge_pages(e, shift),
        e => Fault::new(e, format_args!("cannot make {size} bytes of huge pages")),
    })? as u64;
    let file = me.task().mm().and_then(|mm| mm.file_at(at));
    me.call(nr::__NR_munmap, &[at, size])?;
    file.ok_or_else(|| EINVAL.into())
}

fn restore_file(restore: &mut Restore<'_>) -> Result<Object> {
    let r: FileRecord = restore.input.fixed()?;
    let path = restore.input.variable();
    if r.objref != restore.made.next()
        || path.len() != r.path_len as usize
        || path.len() > PATH_MAX
        || path.contains(&0)
        || r.flags & !known_flags(r.kind) != 0
        || (r.pipe != 0) != (r.kind == kind::PIPE)
        || (r.nameless == 0 && r.kind == kind::NAMELESS)
        || (r.nameless != 0 && !matches!(r.kind, kind::NAMELESS | kind::REGULAR))
        || r.denied & !deniable(r.kind) != 0
        || (r.flags & O_PATH != 0) != (r.kind == kind::PATH)
        || r.advice & !advisable(r.kind) != 0
        || r.outside > 1
    {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a file record")));
    }
    let name = core::str::from_utf8(path).unwrap_or("(not UTF-8)");
    let bad = |errno: Error, text: core::fmt::Arguments<'_>| restore.input.bad(errno, text);
    let open = |path: &[u8], flags: u32| -> Result<File> {
        let name = core::str::from_utf8(path).unwrap_or("(not UTF-8)");
        let open = || File::open(path, flags).context(format_args!("cannot open {name}"));
        match r.denied {
            0 => open(),
            denied => open_denied(restore.me, denied, open),
        }
    };
    let file = match r.kind {
        kind::STDIO => {
            if !restore.keeps_process {
                return Err(bad(EBADMSG, format_args!("inherited file of a thread")));
            }
            if r.stdio >= STDIO {
                return Err(bad(EBADMSG, format_args!("descriptor {} is no stdio", r.stdio)));
            }
            let file = File::from_fd(r.stdio as i32)
                .context(format_args!("the restarter has no descriptor {} to give", r.stdio))?;
            if matches!(file.mode() & mode::FMT, mode::CHAR) && file.ops() == restore.session_ops {
                return Err(bad(
                    EINVAL,
                    format_args!("descriptor {} of the restarter is a session", r.stdio),
                ));
            }
            file
        }
        kind::PIPE => pipe::end(restore.made, restore.input, r.pipe, r.flags)?,
        kind::NAMELESS => {
            let (me, made, input) = (restore.me, &mut *restore.made, &*restore.input);
            let mut open = || nameless::open(me, made, input, r.nameless, r.flags);
            match r.denied {
                0 => open()?,
                denied => open_denied(me, denied, open)?,
            }
        }
        // Whatever is done with it says EBADF, and nobody else gets its number.
        kind::CLOSED => open(b"/", O_PATH)?,
        kind::REPLACED => {
            if path.first() != Some(&b'/') {
                return Err(bad(EBADMSG, format_args!("not an absolute path")));
            }
            let file = open(path, r.flags | O_NONBLOCK)?;
            file.set_nonblock(r.flags & O_NONBLOCK != 0);
            file
        }
        kind::SESSION => open(b"/dev/ckpt", O_RDWR | (r.flags & O_NONBLOCK))?,
        kind::REGULAR | kind::DIRECTORY | kind::DEVICE | kind::PATH => {
            if r.nameless != 0 {
                nameless::put_back(restore.me, restore.made, restore.input, r.nameless)?;
            }
            if path.first() != Some(&b'/') {
                return Err(bad(EBADMSG, format_args!("not an absolute path")));
            }
            // A FIFO or a device that has taken the file's place must not be waited for.
            let flags = r.flags | O_NONBLOCK;
            let file = match r.outside {
                0 => open(path, flags)?,
                _ if r.denied != 0 => {
                    return Err(bad(
                        EBADMSG,
                        format_args!("rights are denied to a file of other mounts"),
                    ))
                }
                _ => open_below(restore.restarter_fs, path, flags).context(format_args!("cannot open {name}"))?,
            };
            file.set_nonblock(r.flags & O_NONBLOCK != 0);
            file
        }
        _ => return Err(bad(EPROTONOSUPPORT, format_args!("unknown kind of file {}", r.kind))),
    };
    let (mut size, mut mtime_ns) = (r.size, r.mtime_ns);
    let is_ours = r.kind == kind::REPLACED || r.nameless != 0;
    let now = if is_ours || has_path(r.kind) {
        file.stat()?
    } else {
        Stat::default()
    };
    if is_ours {
        // A nameless one is nobody else's, so nobody has changed it; and some file systems cannot keep all of a time.
        (size, mtime_ns) = (now.size, now.mtime_ns);
    }
    if has_path(r.kind) {
        if now.mode & mode::FMT != r.mode & mode::FMT || (r.kind == kind::DEVICE && now.rdev != r.rdev) {
            return Err(bad(ESTALE, format_args!("{name} is no longer what it was")));
        }
        if r.kind == kind::DEVICE && !(major(now.rdev) == MEM_MAJOR && MEM_MINORS.contains(&minor(now.rdev))) {
            return Err(bad(EBADMSG, format_args!("{name} is not a device without state")));
        }
        if r.kind == kind::REGULAR && now.size < r.size && now.size < r.pos {
            return Err(bad(
                ESTALE,
                format_args!(
                    "{name} has shrunk to {} bytes, behind the saved offset {}",
                    now.size, r.pos
                ),
            ));
        }
    }
    if let Some(fault) = not_the_same(restore, &r, &file, &now, name)? {
        if restore.flags & restart_flags::REFUSE_CHANGED_FILES != 0 {
            return Err(fault);
        }
        if restore.warnings.len() < WARNINGS {
            restore.warnings.push(fault, GFP_KERNEL_ACCOUNT)?;
        }
    }
    if matches!(r.kind, kind::REGULAR | kind::DIRECTORY | kind::NAMELESS) && r.pos != 0 {
        let pos = i64::try_from(r.pos).map_err(|_| bad(EBADMSG, format_args!("offset is negative")))?;
        file.seek(pos, 0)
            .context(format_args!("cannot move to offset {pos} of {name}"))?;
    }
    if r.denied & !file.landlock_denied() != 0 {
        return Err(bad(EPERM, format_args!("{name} has rights that Landlock denied to it")));
    }
    if r.advice != 0 {
        advise(restore.me, &file, r.advice).context(format_args!("cannot give advice on {name}"))?;
    }
    if r.lock != 0 {
        lock::flock(restore.me, &file, r.lock).context(format_args!("cannot lock {name} again"))?;
    }
    Ok(Object::File(file, size, mtime_ns))
}

/// Says that a file is not the one that was saved, if the restarter wants to know. One that the program has open for writing may have
/// grown since: it went on after the checkpoint, or others write, too.
fn not_the_same(restore: &Restore<'_>, r: &FileRecord, file: &File, now: &Stat, name: &str) -> Result<Option<Fault>> {
    let compared = matches!(r.kind, kind::REGULAR | kind::DIRECTORY | kind::PATH);
    // What was in file systems that have been made anew has new inodes.
    let anew = restore.late.in_namespaces && r.outside == 0;
    if !compared || anew || r.nameless != 0 || restore.flags & restart_flags::CHANGED_FILES != 0 {
        return Ok(None);
    }
    let generations = [r.generation, file.generation()];
    let other = generations[0] != generations[1] && !generations.contains(&0);
    // Numbers of another device, after a reboot or on another machine, say nothing.
    let replaced = now.dev == r.dev && (now.ino != r.ino || other);
    let changed = r.kind == kind::REGULAR && !file.is_writable() && (now.size, now.mtime_ns) != (r.size, r.mtime_ns);
    let what = match (replaced, changed) {
        (true, _) => "has been replaced",
        (false, true) => "has changed",
        _ => return Ok(None),
    };
    let task = restore.me.task();
    let fault = Fault::new(ESTALE, format_args!("{name} {what} since it was saved")).kind(RecordType::File);
    Ok(Some(fault.task(task.tgid(), task.tid())))
}

/// Says by posix_fadvise(2) what was said.
fn advise(me: &CurrentTask, file: &File, said: u32) -> kernel::error::Result {
    // In this order: the second would be taken back by the first.
    const ALL: [(u32, u64); 3] = [(advice::SEQUENTIAL, 2), (advice::RANDOM, 1), (advice::NOREUSE, 5)];
    with_fd(me, file, |fd| {
        for (_, how) in ALL.iter().filter(|(bit, _)| said & bit != 0) {
            me.call(nr::__NR_fadvise64, &[fd, 0, 0, *how])?;
        }
        Ok(())
    })
}

/// Reads a page record of a shared memory object: what it tells of is mapped into the caller for that time.
pub(crate) fn restore_shmem_pages(restore: &mut Restore<'_>, mm: &Mm, pages: &Pages) -> Result {
    let (file, size) = match restore.made.get(pages.objref) {
        Some(Object::Shmem(file, size)) => (file.clone(), *size),
        Some(Object::Segment(segment)) => (segment.file.clone(), segment.bytes()),
        _ => {
            return Err(restore
                .input
                .bad(EBADMSG, format_args!("object {} is no shared memory", pages.objref)))
        }
    };
    let bad = |text: &str| restore.input.bad(EBADMSG, format_args!("{text}"));
    let (mut start, mut end) = (u64::MAX, 0);
    for e in restore.input.entries::<Extent>(pages.extents)? {
        let to = e.address.checked_add(u64::from(e.pages) << 12).filter(|to| *to <= size);
        let Some(to) = to.filter(|_| e.address % 4096 == 0) else {
            return Err(bad("pages lie outside of the shared memory object"));
        };
        if e.flags != 0 {
            return Err(bad("pages of shared memory have flags"));
        }
        (start, end) = (start.min(e.address), end.max(to));
    }
    if start >= end {
        return Err(bad("a record of pages has none"));
    }
    // Where nothing is to be put, huge pages are not reserved.
    let shift = file.huge_shift();
    let (unit, how) = match shift {
        0 => (4096, map::SHARED),
        shift => (1 << shift, map::SHARED | map::NORESERVE),
    };
    start -= start % unit;
    let len = (end - start).next_multiple_of(unit);
    let base = vm_mmap(Some(&file), 0, len, prot::READ | prot::WRITE, how, start)
        .context(format_args!("cannot map {len} bytes of shared memory"))?;
    let ret = restore
        .input
        .pages_into(mm, pages.extents, |e| Ok(base + (e.address - start)));
    restore.me.call(nr::__NR_munmap, &[base, len])?;
    ret.map_err(|fault| match fault.errno() {
        EFAULT if shift != 0 => lacks_huge_pages(end - start, shift),
        _ => fault,
    })
}
