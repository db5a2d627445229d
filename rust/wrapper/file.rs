// SPDX-License-Identifier: GPL-2.0

//! Open files.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use super::{
    bindings,
    cred::Cred,
    path::{Fs, PathBuf},
    pid::PidNs,
    symbol::Operations,
    syscall::{nr, CurrentTask},
    task::Task,
    to_result, //
};
use core::ptr::NonNull;
use kernel::prelude::*;

/// An open file with a counted reference.
///
/// # Invariants
///
/// `0` points to a file on which this value owns one reference.
pub(crate) struct File(NonNull<bindings::file>);

// SAFETY: file references may be dropped anywhere; the accessors read single words or lock.
unsafe impl Send for File {}
// SAFETY: as above.
unsafe impl Sync for File {}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: owned, by the type's invariant.
        unsafe { bindings::fput(self.0.as_ptr()) }
    }
}

impl Clone for File {
    fn clone(&self) -> Self {
        // SAFETY: alive, since `self` owns a reference.
        unsafe { bindings::ckpt_get_file(self.0.as_ptr()) };
        // INVARIANT: the reference was just taken.
        Self(self.0)
    }
}

/// An entry of a descriptor table.
pub(crate) struct Fd {
    /// Its number.
    pub(crate) fd: u32,
    /// FD_CLOEXEC.
    pub(crate) cloexec: bool,
    /// What it refers to.
    pub(crate) file: File,
}

/// What stat(2) says about the inode of an open file.
#[derive(Default)]
pub(crate) struct Stat {
    /// Type and permissions.
    pub(crate) mode: u32,
    /// Size in bytes.
    pub(crate) size: u64,
    /// Modification time, nanoseconds since the epoch.
    pub(crate) mtime_ns: u64,
    /// Inode number.
    pub(crate) ino: u64,
    /// Device of the file system.
    pub(crate) dev: u64,
    /// Device that the inode stands for.
    pub(crate) rdev: u64,
}

/// [`Stat`] with owner, number of names and access time; and whether it is immutable or append-only.
pub(crate) type InodeStat = bindings::ckpt_inode_stat;

/// A regular file that cannot be opened by a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nameless {
    /// It can, or it is something else.
    Not,
    /// Its last name has been removed.
    Deleted,
    /// It was made by O_TMPFILE, and linkat(2) may give it a name.
    Linkable,
    /// The name that it was opened by has been removed, or it never had one; it has another.
    Linked,
    /// It has been deleted and so has its directory.
    Homeless,
    /// It has been deleted on NFS, which keeps it by a name of its own.
    Renamed,
    /// It has been deleted on a file system that makes no files without a name.
    Unique,
    /// memfd_create(2).
    Memfd,
    /// memfd_secret(2).
    Secret,
    /// Mapped of an overlay, where its name has been removed.
    Layer,
}

/// Longest text of [`File::info`] in bytes.
const INFO_MAX: usize = 64 << 20;

/// Text of /proc/PID/fdinfo: lines of names and values.
pub(crate) struct Info(KVVec<u8>);

impl Info {
    /// Its lines.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        core::str::from_utf8(&self.0).unwrap_or("").lines()
    }

    /// The value of the first line that begins with this name and a colon.
    pub(crate) fn text(&self, name: &str) -> Result<&str> {
        let value = |line| -> Option<&str> { str::strip_prefix(line, name)?.strip_prefix(':') };
        self.lines().find_map(value).map(str::trim).ok_or(EINVAL)
    }

    /// The same as a number.
    pub(crate) fn number(&self, name: &str, radix: u32) -> Result<u64> {
        u64::from_str_radix(self.text(name)?, radix).map_err(|_| EINVAL)
    }
}

/// File type bits of a mode.
pub(crate) mod mode {
    pub(crate) const FMT: u32 = 0o170000;
    pub(crate) const REGULAR: u32 = 0o100000;
    pub(crate) const DIRECTORY: u32 = 0o040000;
    pub(crate) const CHAR: u32 = 0o020000;
    pub(crate) const BLOCK: u32 = 0o060000;
    pub(crate) const FIFO: u32 = 0o010000;
    pub(crate) const SOCKET: u32 = 0o140000;
}

/// O_* flags that an open file keeps and that can be given again when it is opened by path.
pub(crate) const REOPEN_FLAGS: u32 = bindings::O_ACCMODE
    | bindings::O_APPEND
    | bindings::O_NONBLOCK
    | bindings::O_SYNC
    | bindings::O_DIRECT
    | bindings::O_LARGEFILE
    | bindings::O_DIRECTORY
    | bindings::O_NOATIME;

/// Those of a descriptor that only stands for a path.
pub(crate) const PATH_FLAGS: u32 = bindings::O_PATH | bindings::O_DIRECTORY | bindings::O_NOFOLLOW;

/// What an open file keeps of O_TMPFILE, besides O_DIRECTORY.
pub(crate) const TMPFILE: u32 = bindings::__O_TMPFILE;

impl File {
    /// The caller's descriptor `fd`.
    pub(crate) fn from_fd(fd: i32) -> Result<Self> {
        let fd = u32::try_from(fd).map_err(|_| EBADF)?;
        // SAFETY: no preconditions; the function takes a reference.
        let f = unsafe { bindings::fget(fd) };
        // INVARIANT: `fget` took the reference.
        NonNull::new(f).map(Self).ok_or(EBADF)
    }

    /// As [`Self::from_fd`], also for a descriptor that was opened with O_PATH.
    pub(crate) fn from_any_fd(fd: i32) -> Result<Self> {
        let fd = u32::try_from(fd).map_err(|_| EBADF)?;
        // SAFETY: no preconditions; the function takes a reference.
        let f = unsafe { bindings::fget_raw(fd) };
        // INVARIANT: `fget_raw` took the reference.
        NonNull::new(f).map(Self).ok_or(EBADF)
    }

    /// The file that a `kernel` wrapper lends.
    pub(crate) fn from_kernel(file: &kernel::fs::File) -> Self {
        let f = file.as_ptr().cast::<bindings::file>();
        // SAFETY: alive while borrowed; both bindings describe the same C struct.
        unsafe { bindings::ckpt_get_file(f) };
        // SAFETY: not NULL, since it comes from a reference.
        // INVARIANT: the reference was just taken.
        Self(unsafe { NonNull::new_unchecked(f) })
    }

    /// # Safety
    ///
    /// `f` must be NULL, an error pointer, or a file with a reference that the caller gives away.
    pub(super) unsafe fn from_raw(f: *mut bindings::file) -> Result<Self> {
        let f = kernel::error::from_err_ptr(f)?;
        // INVARIANT: by the contract of this function.
        NonNull::new(f).map(Self).ok_or(ENOENT)
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::file {
        self.0.as_ptr()
    }

    /// Opens a path as the calling task would: with its root, its credentials, its LSM.
    pub(crate) fn open(path: &[u8], flags: u32) -> Result<Self> {
        let mut text = KVec::with_capacity(path.len() + 1, GFP_KERNEL_ACCOUNT)?;
        text.extend_from_slice(path, GFP_KERNEL_ACCOUNT)?;
        text.push(0, GFP_KERNEL_ACCOUNT)?;
        let path = CStr::from_bytes_with_nul(&text).map_err(|_| EINVAL)?;
        // SAFETY: a NUL-terminated path; the function returns a reference or an error pointer.
        unsafe { Self::from_raw(bindings::filp_open(path.as_char_ptr(), flags as i32, 0)) }
    }

    /// Opens what it is once more, as by /proc/self/fd: another open file, with the caller's credentials. The permission to
    /// open the inode at all is this file's.
    pub(crate) fn reopen(&self, flags: u32) -> Result<Self> {
        // SAFETY: the path lives in the file; the caller's credentials are alive; the function returns a reference or an
        // error pointer.
        unsafe {
            Self::from_raw(bindings::dentry_open(
                bindings::ckpt_file_path(self.as_ptr()),
                flags as i32,
                bindings::ckpt_current_cred(),
            ))
        }
    }

    /// A new shared memory object as `mmap(MAP_SHARED | MAP_ANONYMOUS)` makes it.
    pub(crate) fn new_shmem(size: u64, noreserve: bool) -> Result<Self> {
        let size = i64::try_from(size).map_err(|_| EINVAL)?;
        // SAFETY: the name is a literal; the function returns a reference or an error pointer.
        unsafe {
            let flags = bindings::ckpt_shmem_flags(noreserve);
            Self::from_raw(bindings::shmem_kernel_file_setup(
                c"dev/zero".as_char_ptr(),
                size,
                flags,
            ))
        }
    }

    /// Address of the kernel object: the same for two descriptors of one open file.
    pub(crate) fn address(&self) -> usize {
        self.0.as_ptr() as usize
    }

    /// Address of its file operations: the same for two files of one driver.
    pub(crate) fn ops(&self) -> usize {
        // SAFETY: alive; set once at open.
        unsafe { (*self.as_ptr()).f_op as usize }
    }

    /// Name of its file operations, which tell its driver.
    pub(crate) fn print_driver(&self, out: &mut PathBuf) -> Result {
        // SAFETY: alive; the buffer is as long as it says.
        out.fill(|buffer, size| unsafe { bindings::ckpt_file_driver(self.as_ptr(), buffer, size) })?;
        Ok(())
    }

    /// What /proc/PID/fdinfo says about it besides what it says about every file.
    pub(crate) fn info(&self) -> Result<Info> {
        let mut size = 4096;
        loop {
            let mut text: KVVec<u8> = KVVec::zeroed(size, GFP_KERNEL_ACCOUNT)?;
            // SAFETY: alive; the buffer has `size` bytes.
            let length = unsafe { bindings::ckpt_fdinfo(self.as_ptr(), text.as_mut_ptr().cast(), size) };
            if length < size {
                text.truncate(length);
                return Ok(Info(text));
            }
            if size >= INFO_MAX {
                return Err(E2BIG);
            }
            size *= 4;
        }
    }

    /// O_* flags as fcntl(F_GETFL).
    pub(crate) fn flags(&self) -> u32 {
        // SAFETY: alive.
        unsafe { bindings::ckpt_file_flags(self.as_ptr()) }
    }

    /// Sets O_NONBLOCK as fcntl(F_SETFL) does; for a file that nobody else has yet.
    pub(crate) fn set_nonblock(&self, on: bool) {
        // SAFETY: alive, and not shared yet, so nobody else changes the word.
        unsafe {
            if on {
                (*self.as_ptr()).f_flags |= bindings::O_NONBLOCK;
            } else {
                (*self.as_ptr()).f_flags &= !bindings::O_NONBLOCK;
            }
        }
    }

    /// Number of references to the open file.
    pub(crate) fn references(&self) -> usize {
        // SAFETY: alive.
        unsafe { bindings::ckpt_file_references(self.as_ptr()) }
    }

    /// Whether the caller may execute it: a regular file, the permission, and no noexec mount.
    pub(crate) fn may_execute(&self) -> bool {
        // SAFETY: alive.
        unsafe { bindings::ckpt_file_may_execute(self.as_ptr()) }
    }

    fn fmode(&self) -> u32 {
        // SAFETY: alive.
        unsafe { bindings::ckpt_file_fmode(self.as_ptr()) }
    }

    /// Whether it is open for reading.
    pub(crate) fn is_readable(&self) -> bool {
        self.fmode() & bindings::FMODE_READ != 0
    }

    /// Whether it is open for writing.
    pub(crate) fn is_writable(&self) -> bool {
        self.fmode() & bindings::FMODE_WRITE != 0
    }

    /// Whether it was opened with O_PATH.
    pub(crate) fn is_path(&self) -> bool {
        self.fmode() & bindings::FMODE_PATH != 0
    }

    /// Whether O_ASYNC has an effect: it sends signals.
    pub(crate) fn may_signal(&self) -> bool {
        // SAFETY: alive; its operations are set once at open, and live as long.
        unsafe { (*(*self.as_ptr()).f_op).fasync.is_some() }
    }

    /// Type and permissions of the inode.
    pub(crate) fn mode(&self) -> u32 {
        // SAFETY: alive.
        unsafe { bindings::ckpt_file_mode(self.as_ptr()) }
    }

    /// Whether it has no position: a pipe, a socket, a terminal.
    pub(crate) fn is_stream(&self) -> bool {
        // SAFETY: alive.
        unsafe { bindings::ckpt_file_is_stream(self.as_ptr()) }
    }

    /// Offset in bytes.
    pub(crate) fn pos(&self) -> i64 {
        // SAFETY: alive; one word.
        unsafe { bindings::ckpt_file_pos(self.as_ptr()) }
    }

    /// Sets the offset where a read or write that used its own offset has ended.
    pub(crate) fn set_pos(&self, pos: i64) {
        // SAFETY: alive; one word. A concurrent user of the same open file races with itself as it would by read(2).
        unsafe { bindings::ckpt_set_file_pos(self.as_ptr(), pos) }
    }

    /// Whether lseek(2) or pread(2) can get to this offset.
    pub(crate) fn can_have_pos(&self, pos: i64) -> bool {
        // SAFETY: alive; words that do not change.
        unsafe { bindings::ckpt_can_have_pos(self.as_ptr(), pos) }
    }

    /// Moves the offset as lseek(2).
    pub(crate) fn seek(&self, pos: i64, whence: i32) -> Result<i64> {
        // SAFETY: alive.
        let pos = unsafe { bindings::vfs_llseek(self.as_ptr(), pos, whence) };
        to_result(pos as isize).map(|p| p as i64)
    }

    /// As fstat(2).
    pub(crate) fn stat(&self) -> Result<Stat> {
        let mut k = bindings::kstat::default();
        // SAFETY: the file is alive, so is its path; the result is ours.
        let ret = unsafe {
            bindings::vfs_getattr(
                bindings::ckpt_file_path(self.as_ptr()),
                &mut k,
                bindings::STATX_BASIC_STATS,
                0,
            )
        };
        kernel::error::to_result(ret)?;
        // SAFETY: no preconditions.
        let (dev, rdev) = unsafe { (bindings::ckpt_encode_dev(k.dev), bindings::ckpt_encode_dev(k.rdev)) };
        Ok(Stat {
            mode: u32::from(k.mode),
            size: k.size as u64,
            mtime_ns: (k.mtime.tv_sec as u64)
                .wrapping_mul(1_000_000_000)
                .wrapping_add(k.mtime.tv_nsec as u64),
            ino: k.ino,
            dev,
            rdev,
        })
    }

    /// Its path as seen from the root of `fs`; false when it cannot be reached from there.
    pub(crate) fn print_path(&self, fs: &Fs, out: &mut PathBuf) -> Result<bool> {
        let mut other = bindings::path::default();
        // SAFETY: alive; the helper takes references, which are given up here.
        unsafe {
            if bindings::ckpt_other_name(self.as_ptr(), &mut other) {
                let printed = out.print(&other, fs.root());
                bindings::path_put(&other);
                return printed;
            }
            // The kernel has forgotten its names; the one that it had may be another file's.
            if bindings::ckpt_lost_name(self.as_ptr()) {
                return Ok(false);
            }
        }
        // SAFETY: the path lives in the file.
        out.print(unsafe { bindings::ckpt_file_path(self.as_ptr()) }, fs.root())
    }

    /// Whether that path, looked up from there, leads to something else, or to nothing, because a mount covers the file.
    pub(crate) fn is_elsewhere(&self, fs: &Fs, path: &PathBuf) -> Result<bool> {
        // SAFETY: alive, and so are its path and the mounts that that goes through.
        if !unsafe { bindings::ckpt_may_be_covered(self.as_ptr()) } {
            return Ok(false);
        }
        let mut text = KVec::with_capacity(path.as_bytes().len() + 1, GFP_KERNEL_ACCOUNT)?;
        text.extend_from_slice(path.as_bytes(), GFP_KERNEL_ACCOUNT)?;
        text.push(0, GFP_KERNEL_ACCOUNT)?;
        let path = CStr::from_bytes_with_nul(&text).map_err(|_| EINVAL)?;
        // SAFETY: all are alive, the path has its NUL.
        Ok(unsafe { bindings::ckpt_leads_elsewhere(fs.root(), path.as_char_ptr(), self.as_ptr()) })
    }

    /// What posix_fadvise(2) has said of it, in the bits of the statefile.
    pub(crate) fn advice(&self) -> u32 {
        // SAFETY: alive.
        unsafe { bindings::ckpt_file_advice(self.as_ptr()) }
    }

    /// Generation of the inode: another one, when its number is used again.
    pub(crate) fn generation(&self) -> u32 {
        // SAFETY: alive.
        unsafe { bindings::ckpt_file_generation(self.as_ptr()) }
    }

    /// Its path for messages.
    pub(crate) fn print_any(&self, out: &mut PathBuf) -> Result {
        // SAFETY: the path lives in the file.
        out.print_any(unsafe { bindings::ckpt_file_path(self.as_ptr()) })
    }

    /// Whether its name has been removed.
    pub(crate) fn is_unlinked(&self) -> bool {
        // SAFETY: the path lives in the file.
        unsafe { bindings::ckpt_path_unlinked(bindings::ckpt_file_path(self.as_ptr())) }
    }

    /// Size of its pages as a power of two if it is of hugetlbfs, or 0.
    pub(crate) fn huge_shift(&self) -> u32 {
        // SAFETY: alive.
        unsafe { bindings::ckpt_file_huge_shift(self.as_ptr()) }
    }

    /// Where the first page is that a file of hugetlbfs has from `start` on and before `end`: it knows no SEEK_DATA. `ENXIO` without one.
    pub(crate) fn huge_data(&self, start: u64, end: u64) -> Result<u64> {
        // SAFETY: alive.
        let data = unsafe { bindings::ckpt_file_huge_data(self.as_ptr(), start, end) };
        to_result(data as isize).map(|data| data as u64)
    }

    /// Whether it is what `mmap(MAP_ANONYMOUS | MAP_HUGETLB)` has made.
    pub(crate) fn is_anon_huge(&self) -> bool {
        // SAFETY: alive; its name does not change.
        unsafe { bindings::ckpt_file_is_anon_huge(self.as_ptr()) }
    }

    /// What a regular file without a name is.
    pub(crate) fn nameless(&self) -> Nameless {
        // SAFETY: alive.
        match unsafe { bindings::ckpt_file_nameless(self.as_ptr()) } {
            bindings::ckpt_nameless_CKPT_NAMELESS_DELETED => Nameless::Deleted,
            bindings::ckpt_nameless_CKPT_NAMELESS_LINKABLE => Nameless::Linkable,
            bindings::ckpt_nameless_CKPT_NAMELESS_LINKED => Nameless::Linked,
            bindings::ckpt_nameless_CKPT_NAMELESS_HOMELESS => Nameless::Homeless,
            bindings::ckpt_nameless_CKPT_NAMELESS_RENAMED => Nameless::Renamed,
            bindings::ckpt_nameless_CKPT_NAMELESS_MEMFD => Nameless::Memfd,
            bindings::ckpt_nameless_CKPT_NAMELESS_UNIQUE => Nameless::Unique,
            bindings::ckpt_nameless_CKPT_NAMELESS_SECRET => Nameless::Secret,
            bindings::ckpt_nameless_CKPT_NAMELESS_LAYER => Nameless::Layer,
            _ => Nameless::Not,
        }
    }

    /// Address of the inode: the same for two open files of one file.
    pub(crate) fn inode(&self) -> usize {
        // SAFETY: alive; set once at open.
        unsafe { (*self.as_ptr()).f_inode as usize }
    }

    /// Number of open files of the inode, when that has no name; who looks at one counts for a moment.
    pub(crate) fn inode_users(&self) -> usize {
        // SAFETY: alive; the helper locks.
        unsafe { bindings::ckpt_inode_users(self.as_ptr()) }
    }

    /// Whether a process has it mapped that does not live in the pid namespace `inside` or, without one, is neither that of `root` nor,
    /// with `below`, one of its descendants.
    pub(crate) fn is_mapped_outside(&self, root: &Task, below: bool, inside: Option<&PidNs>) -> bool {
        let inside = inside.map_or(core::ptr::null_mut(), PidNs::as_ptr);
        // SAFETY: all are alive, the namespace may be NULL; the helper locks.
        unsafe { bindings::ckpt_mapped_outside(self.as_ptr(), root.as_ptr(), below, inside) }
    }

    /// As fcntl(F_GET_SEALS), of [`Nameless::Memfd`].
    pub(crate) fn seals(&self) -> u32 {
        // SAFETY: alive, and in shared memory or of hugetlbfs; one word.
        unsafe { bindings::ckpt_memfd_seals(self.as_ptr()) }
    }

    /// How often a timerfd has expired that nobody has read, and nanoseconds until it expires, 0 when it does not. `EINVAL` for other
    /// files.
    pub(crate) fn timerfd(&self) -> Result<(u64, u64)> {
        if self.ops() != Operations::Timerfd.address() {
            return Err(EINVAL);
        }
        let (mut ticks, mut left_ns) = (0, 0);
        // SAFETY: alive, and a timerfd keeps its context; the helper locks.
        unsafe { bindings::ckpt_timerfd(self.as_ptr(), &mut ticks, &mut left_ns) };
        Ok((ticks, left_ns))
    }

    /// Whether a regular file has contents: those of proc, sysfs and their kin are made when they are read.
    pub(crate) fn has_contents(&self) -> bool {
        // SAFETY: alive.
        unsafe { bindings::ckpt_file_has_contents(self.as_ptr()) }
    }

    /// Whether read(2) and write(2) exist for it, however it is open.
    pub(crate) fn transfers(&self) -> bool {
        // SAFETY: alive; its operations do not change.
        unsafe { bindings::ckpt_file_transfers(self.as_ptr()) }
    }

    /// Whether the caller may open it for reading by /proc.
    pub(crate) fn may_read(&self) -> bool {
        // SAFETY: alive.
        unsafe { bindings::ckpt_file_may_read(self.as_ptr()) }
    }

    /// As fstat(2), with the ids that `viewer` gives them, -1 for one that it does not know.
    pub(crate) fn stat_seen_by(&self, viewer: &Cred) -> Result<InodeStat> {
        let mut out = InodeStat::default();
        // SAFETY: both are alive.
        kernel::error::to_result(unsafe { bindings::ckpt_inode_stat(self.as_ptr(), viewer.as_ptr(), &mut out) })?;
        Ok(out)
    }

    /// Writes all bytes at `*pos` (`None`: a stream).
    pub(crate) fn write_all(&self, mut bytes: &[u8], mut pos: Option<&mut i64>) -> Result {
        while !bytes.is_empty() {
            let here = pos.as_deref_mut().map_or(core::ptr::null_mut(), core::ptr::from_mut);
            // SAFETY: the file is alive, the slice readable, the position valid or NULL.
            let n = unsafe { bindings::ckpt_write(self.as_ptr(), bytes.as_ptr().cast(), bytes.len(), here) };
            let n = to_result(n)?;
            if n == 0 {
                return Err(EIO);
            }
            bytes = &bytes[n.min(bytes.len())..];
        }
        Ok(())
    }

    /// Reads up to the length of `out` at `*pos` (`None`: a stream); fewer bytes only at the end.
    pub(crate) fn read_full(&self, out: &mut [u8], mut pos: Option<&mut i64>) -> Result<usize> {
        let mut done = 0;
        while done < out.len() {
            let mut here = pos.as_deref().copied().unwrap_or(0);
            let rest = &mut out[done..];
            // SAFETY: the file is alive, the slice writable.
            let n = unsafe { bindings::ckpt_read(self.as_ptr(), rest.as_mut_ptr().cast(), rest.len(), &mut here) };
            let n = to_result(n)?;
            if n == 0 {
                break;
            }
            if let Some(p) = pos.as_deref_mut() {
                *p = here;
            }
            done += n;
        }
        Ok(done)
    }
}

/// How many descriptors are collected at once.
const FDS: usize = 128;

/// Open descriptors of `task`, in order. Each call of the result gives the next lot; empty at the end.
pub(crate) fn collect_fds(task: &Task, from: &mut Option<u32>) -> Result<KVec<Fd>> {
    let mut out = KVec::new();
    let Some(start) = *from else {
        return Ok(out);
    };
    let mut raw: KVec<bindings::ckpt_fd> = KVec::with_capacity(FDS, GFP_KERNEL_ACCOUNT)?;
    for _ in 0..FDS {
        raw.push(bindings::ckpt_fd::default(), GFP_KERNEL_ACCOUNT)?;
    }
    out.reserve(FDS, GFP_KERNEL_ACCOUNT)?;
    let mut next = 0;
    // SAFETY: the task is alive, the array has FDS entries; the helper locks and takes a reference on each file.
    let n = unsafe { bindings::ckpt_collect_fds(task.as_ptr(), start, raw.as_mut_ptr(), FDS as u32, &mut next) };
    let n = to_result(n as isize)?;
    *from = (next != 0).then_some(next);
    for r in raw.iter().take(n) {
        // SAFETY: the helper took the reference.
        let file = unsafe { File::from_raw(r.file)? };
        out.push(
            Fd {
                fd: r.fd,
                cloexec: r.cloexec != 0,
                file,
            },
            GFP_KERNEL_ACCOUNT,
        )?;
    }
    Ok(out)
}

/// Installs `file` in the caller's table at any free number, for a moment.
pub(crate) fn install_any(file: &File) -> Result<u32> {
    // SAFETY: the file is alive; the function takes its own reference.
    let got = unsafe { bindings::ckpt_f_dupfd(0, file.as_ptr(), bindings::O_CLOEXEC) };
    to_result(got as isize).map(|fd| fd as u32)
}

/// Installs `file` in the caller's table at exactly `fd`, which must be free.
pub(crate) fn install_fd(fd: u32, file: &File, cloexec: bool) -> Result {
    let flags = if cloexec { bindings::O_CLOEXEC } else { 0 };
    // SAFETY: the file is alive; the function takes its own reference.
    let got = unsafe { bindings::ckpt_f_dupfd(fd, file.as_ptr(), flags) };
    let got = to_result(got as isize)?;
    if got == fd as usize {
        Ok(())
    } else {
        Err(EBUSY)
    }
}

/// Runs `f` with a descriptor of the caller for a file, which goes afterwards. The process keeps the locks that it has on the file.
pub(crate) fn with_fd<T, E: From<Error>>(
    me: &CurrentTask,
    file: &File,
    f: impl FnOnce(u64) -> core::result::Result<T, E>,
) -> core::result::Result<T, E> {
    let fd = u64::from(install_any(file)?);
    let result = f(fd);
    me.take_fd_away(fd as u32);
    result
}

/// Opens a path by openat2(2) of the caller: from `dir` on, or as an absolute one. `mode` is that of a new file, else 0; `resolve` is of
/// RESOLVE_*, or 0.
pub(crate) fn open_at(
    me: &CurrentTask,
    dir: Option<&File>,
    path: &[u8],
    flags: u32,
    mode: u32,
    resolve: u32,
) -> Result<File> {
    const HOW: usize = size_of::<[u64; 3]>();
    let open = |dir: u64| {
        // struct open_how
        let how = me.put_words(&[flags, mode, resolve].map(u64::from))?;
        let at = me.put_path_at(HOW, path)?;
        me.call(nr::__NR_openat2, &[dir, at, how, HOW as u64])
    };
    let fd = match dir {
        Some(dir) => with_fd(me, dir, open)?,
        None if path.first() == Some(&b'/') => open(0)?,
        None => return Err(EINVAL),
    };
    take_fd(me, fd)
}

/// Does what knows no directory but by a path: that path is looked up from `dir` on. The caller's own working directory is another one
/// meanwhile, which nobody else may use.
pub(crate) fn in_directory<T>(_me: &CurrentTask, dir: &File, f: impl FnOnce() -> Result<T>) -> Result<T> {
    // SAFETY: the path lives in the file, which is alive.
    let mut pwd = unsafe { *bindings::ckpt_file_path(dir.as_ptr()) };
    // SAFETY: the current task has directories until it exits. The reference that is taken here becomes its own, and that to its old
    // directory is ours.
    unsafe {
        bindings::path_get(&pwd);
        bindings::ckpt_swap_pwd(&mut pwd);
    }
    let result = f();
    // SAFETY: as above, the other way round: what comes back is the reference that was taken here.
    unsafe {
        bindings::ckpt_swap_pwd(&mut pwd);
        bindings::path_put(&pwd);
    }
    result
}

/// The file behind a descriptor that a system call of the caller has just made, which goes, as by [`with_fd`].
pub(crate) fn take_fd(me: &CurrentTask, fd: usize) -> Result<File> {
    let file = File::from_any_fd(fd as i32);
    me.take_fd_away(fd as u32);
    file
}
