// SPDX-License-Identifier: GPL-2.0

//! Regular files whose contents travel: those that have no name (deleted ones, those made by O_TMPFILE, memfds), and those that have one,
//! if the caller wants that. Without a name are also programs and libraries that an upgrade has replaced while they are mapped, and POSIX
//! shared memory and semaphores whose names have been removed.
//!
//! Saved: contents with their holes, size, permissions, times, whether linkat(2) may give it a name, name and seals of a memfd; that
//! several open files, and mappings, are of one file; of huge pages (MFD_HUGETLB, hugetlbfs) too, with their size. A deleted
//! file is made anew without a name in the directory where it was; in memory (as a memfd) where the restarter may not make files in
//! that directory, as in that of a library. Its owner is set where the restarter may. What has a name is put back at its path: the file
//! that is there gets its old contents and times, if it belongs to whom it did, even if the restart fails later (but not if the
//! statefile is damaged, unless it comes through a pipe); one that is gone is made anew, one with the same size and modification time
//! is left alone.
//! Not saved: contents of programs and libraries that have a name, since no descriptor refers to them, and of files on file systems that
//! know no write(2), as squashfs; its name in /proc/PID/fd, which becomes that of a file made by O_TMPFILE ("#123 (deleted)"); inode
//! number, extended attributes, ACLs, file capabilities, flags of chattr(1); what fallocate(2) has reserved, in holes and behind the end.
//! What has lost the name by which it was opened, but has another one (a hard link, linkat(2)), is a file of that name; of several, of
//! any one.
//! Refused: deleted files that have another name which the kernel does not remember (it forgets names that nobody uses; of network file
//! systems and FUSE it is not asked), whose directory is deleted too, whose file system knows no O_TMPFILE, or that NFS keeps by a name of
//! its own; a file of huge pages that ends within one; files that are open for writing only and that the caller may not read; memory of
//! memfd_secret(2); a memfd with F_SEAL_FUTURE_WRITE that is still mapped for writing; files that somebody outside of the target has
//! open or mapped, too: all open files of the inode, and all references to them, are counted. Of files with a name: those of other
//! mounts than the task's, and those of hugetlbfs that are open for writing. A restart does not write into one that belongs to somebody
//! else by now, that has another name too, or to which a symbolic link leads.
//! Shown by: file/keeps_deleted_files, file/keeps_files_that_have_another_name, file/keeps_memfds, file/keeps_files_of_huge_pages,
//! file/contents, refuse/deleted_file, refuse/memfd,
//! hostile/values_of_files_without_a_name, hostile/values_of_carried_files.
//!
//! Records: [`ckpt_uapi::record::nameless`].  C headers: `include/linux/fs.h`, `include/linux/memfd.h`

use super::{lacks_huge_pages, no_huge_pages, refuse, Dump, Restore, Target};
use crate::{
    error::{Context, Fault, Result},
    objects::{Keeper, Made as Objects, Nameless as Made, Object},
    statefile::Reader,
    wrapper::{
        cred::Cred,
        fcntl::{
            O_CLOEXEC, O_CREAT, O_DIRECTORY, O_EXCL, O_LARGEFILE, O_NOATIME, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR,
            O_TMPFILE, RESOLVE_NO_SYMLINKS,
        },
        file::{install_any, mode, open_at, take_fd, with_fd, File, Nameless as Kind},
        mm::{map, prot, vm_mmap},
        mount::open_below,
        path::{Fs, PathBuf},
        syscall::{nr, CurrentTask},
        task::fatal_signal_pending, //
    },
};
use ckpt_uapi::{
    record::nameless::{flags, seals, Nameless, NamelessData, DATA_MAX, MEMFD_NAME_MAX},
    statefile::PATH_MAX,
};
use kernel::prelude::*;

const MFD_CLOEXEC: u64 = 1;
const MFD_ALLOW_SEALING: u64 = 2;
const MFD_HUGETLB: u64 = 4;
const MFD_NOEXEC_SEAL: u64 = 8;
const MFD_EXEC: u64 = 16;
/// Where the size of the pages stands, with MFD_HUGETLB, and the largest that has room there.
const MFD_HUGE_SHIFT: u32 = 26;
const SHIFT_MAX: u32 = 63;
const LINKED: &str = "deleted file that has another name, which the kernel does not remember";
const F_ADD_SEALS: u64 = 1033;
const F_SEAL_FUTURE_WRITE: u32 = 1 << 4;

/// Permissions, and those of them that an owner lends to others.
const PERMISSIONS: u32 = 0o7777;
const SETID: u32 = 0o6000;
const EXECUTE: u32 = 0o111;

/// Why a file cannot be saved, if it cannot. What can is counted as one of the target's.
pub(super) fn check(target: &Target<'_>, file: &File, kind: Kind) -> Result<Option<&'static str>> {
    let refused = match kind {
        Kind::Linked => Some(LINKED),
        Kind::Homeless => Some("deleted file of a deleted directory"),
        Kind::Renamed => Some("deleted file of NFS"),
        Kind::Unique => Some("deleted file of a file system that makes none without a name (O_TMPFILE)"),
        Kind::Secret => Some("secret memory (memfd_secret)"),
        Kind::Layer => Some("deleted file of an overlay"),
        Kind::Deleted | Kind::Linkable if path(target, file)?.is_none() => {
            Some("deleted file outside of the caller's root directory")
        }
        _ if !has_whole_pages(file)? => Some("file of huge pages that ends within one"),
        _ if !file.is_readable() && !file.may_read() => {
            Some("file without a name, open for writing only, that the caller may not read")
        }
        _ => None,
    };
    if refused.is_none() {
        target
            .whole
            .holders
            .borrow_mut()
            .add(file, 0, target.leader, held_by_others(kind))?;
    }
    Ok(refused)
}

/// Whether a file ends where a page does, if it is one of huge pages: only posix_fallocate(3) makes it end elsewhere.
fn has_whole_pages(file: &File) -> Result<bool> {
    let shift = file.huge_shift();
    Ok(shift == 0 || file.stat()?.size.trailing_zeros() >= shift)
}

/// What it is if another process has it, too.
fn held_by_others(kind: Kind) -> &'static str {
    match kind {
        Kind::Memfd => "memfd that another process holds",
        _ => "deleted file that another process holds",
    }
}

/// Counts a mapping of a file, or that it is the program's, if it has no name.
pub(super) fn count_mapped(target: &Target<'_>, file: &File) -> Result {
    match file.nameless() {
        Kind::Not => Ok(()),
        kind => {
            let mut holders = target.whole.holders.borrow_mut();
            holders.add(file, 1, target.leader, held_by_others(kind))
        }
    }
}

/// What keeps the contents of a file that has a name from travelling.
pub(super) fn check_named(file: &File, outside: bool) -> Option<&'static str> {
    if outside {
        Some("file of other mounts than the task's, whose contents cannot travel")
    } else if !file.transfers() {
        Some("file whose contents cannot travel, since nobody can write(2) to it")
    } else if !file.is_readable() && !file.may_read() {
        Some("file whose contents cannot travel, since the caller may not read it")
    } else {
        None
    }
}

/// Whether it is a memfd that may not be mapped for writing any more, unlike before.
pub(crate) fn is_sealed_for_writers(file: &File) -> bool {
    file.nameless() == Kind::Memfd && file.seals() & F_SEAL_FUTURE_WRITE != 0
}

/// The path that it had, and the flag for where that is seen from.
fn path(target: &Target<'_>, file: &File) -> Result<Option<(PathBuf, u32)>> {
    let mut path = PathBuf::new()?;
    if file.print_path(target.names, &mut path)? {
        return Ok(Some((path, 0)));
    }
    if file.print_path(&target.whole.caller_fs, &mut path)? {
        return Ok(Some((path, flags::OUTSIDE)));
    }
    Ok(None)
}

/// The name that memfd_create(2) was given.
fn memfd_name(file: &File) -> Result<KVVec<u8>> {
    let mut shown = PathBuf::new()?;
    file.print_any(&mut shown)?;
    let name = shown.as_bytes().strip_prefix(b"/memfd:").ok_or(EINVAL)?;
    let name = name.strip_suffix(b" (deleted)").unwrap_or(name);
    let mut out = KVVec::new();
    out.extend_from_slice(name, GFP_KERNEL_ACCOUNT)?;
    Ok(out)
}

/// What lies between holes: where the first of it is from `pos` on, and where it ends.
fn next_data(file: &File, pos: i64, end: i64) -> kernel::error::Result<(i64, i64)> {
    const SEEK_DATA: i32 = 3;
    const SEEK_HOLE: i32 = 4;
    match file.huge_shift() {
        0 => {
            let data = file.seek(pos, SEEK_DATA)?;
            Ok((data, file.seek(data, SEEK_HOLE)?.min(end)))
        }
        shift => {
            let data = file.huge_data(pos as u64, end as u64)?;
            let page = (data | ((1 << shift) - 1)).saturating_add(1);
            Ok((data as i64, page.min(end as u64) as i64))
        }
    }
}

/// Calls `each` with what is between the holes of a file, in parts of at most `most` bytes.
pub(crate) fn each_extent(file: &File, size: u64, most: u32, mut each: impl FnMut(u64, &[u8]) -> Result) -> Result {
    let end = i64::try_from(size).map_err(|_| EFBIG)?;
    let mut buf = KVVec::zeroed(most as usize, GFP_KERNEL_ACCOUNT)?;
    let mut pos = 0;
    while pos < end {
        let (data, hole) = match next_data(file, pos, end) {
            Ok(found) => found,
            // Nothing but a hole up to the end.
            Err(ENXIO) => break,
            Err(e) => return Err(e.into()),
        };
        pos = data;
        while pos < hole {
            let want = (hole - pos).min(i64::from(most)) as usize;
            let mut at = pos;
            let got = file.read_full(&mut buf[..want], Some(&mut at))?;
            if got == 0 {
                return Err(Fault::new(EIO, format_args!("a file has shrunk")));
            }
            each(pos as u64, &buf[..got])?;
            pos += got as i64;
            if fatal_signal_pending() {
                return Err(EINTR.into());
            }
        }
    }
    Ok(())
}

/// The objref of the file behind an open file; it is written with its contents when first met.
pub(super) fn dump(target: &Target<'_>, file: &File, dump: &mut Dump<'_>) -> Result<u32> {
    if let Some(objref) = dump.seen.get(file.inode()) {
        return Ok(objref);
    }
    let stat = file.stat_seen_by(&Cred::of(target.leader))?;
    // Another open file: to look for holes moves the offset.
    let content = file
        .reopen(O_RDONLY | O_LARGEFILE | O_NOATIME)
        .context(format_args!("cannot read a file whose contents are to travel"))?;
    let mut fixed = Nameless {
        // The open file keeps the inode, and so its address.
        objref: dump.seen.add(file.inode(), Keeper::File(file.clone()))?,
        flags: 0,
        mode: stat.mode,
        seals: 0,
        uid: stat.uid,
        gid: stat.gid,
        size: stat.size,
        atime_ns: stat.atime_ns as u64,
        mtime_ns: stat.mtime_ns as u64,
        path_len: 0,
        page_shift: file.huge_shift(),
    };
    let kind = file.nameless();
    let mut name = KVVec::new();
    if kind == Kind::Memfd {
        (fixed.flags, fixed.seals) = (flags::MEMFD, file.seals());
        name = memfd_name(file)?;
        if fixed.seals & !seals::ALL != 0 {
            return Err(refuse(file, "memfd with unknown seals"));
        }
    } else {
        let gone = || refuse(file, "file outside of the caller's root directory");
        let (path, outside) = path(target, file)?.ok_or_else(gone)?;
        fixed.flags = outside
            | match kind {
                Kind::Linkable => flags::LINKABLE,
                Kind::Not => flags::NAMED,
                Kind::Linked => return Err(refuse(file, LINKED)),
                _ => 0,
            };
        name.extend_from_slice(path.as_bytes(), GFP_KERNEL_ACCOUNT)?;
    }
    fixed.path_len = name.len() as u32;
    dump.out.record_with(&fixed, &name[..])?;
    each_extent(&content, fixed.size, DATA_MAX, |offset, bytes| {
        let r = NamelessData {
            objref: fixed.objref,
            length: bytes.len() as u32,
            offset,
        };
        dump.out.record_with(&r, bytes)
    })?;
    Ok(fixed.objref)
}

/// A memfd.
fn make_memfd(me: &CurrentTask, name: &[u8], how: u64, page_shift: u32) -> kernel::error::Result<File> {
    let of_huge_pages = match page_shift {
        0 => 0,
        shift => MFD_HUGETLB | u64::from(shift.min(SHIFT_MAX)) << MFD_HUGE_SHIFT,
    };
    let at = me.put_path(name)?;
    let fd = me.call(nr::__NR_memfd_create, &[at, how | of_huge_pages | MFD_CLOEXEC])?;
    take_fd(me, fd)
}

/// A file without a name in a directory.
fn make_temporary(me: &CurrentTask, fs: &Fs, directory: &[u8], of: u32) -> kernel::error::Result<File> {
    let how = O_PATH | O_DIRECTORY;
    let directory = if of & flags::OUTSIDE != 0 {
        open_below(fs, directory, how)?
    } else {
        File::open(directory, how)?
    };
    let linkable = if of & flags::LINKABLE != 0 { 0 } else { O_EXCL };
    let how = O_TMPFILE | O_RDWR | O_LARGEFILE | linkable;
    open_at(me, Some(&directory), b".", how, 0o600, 0)
}

/// The file that has a name, or a new one, and whether it is to be written: `r` gets what the first has of attributes. What has the same
/// size and modification time is left alone. Nobody can lead us elsewhere by symbolic links, since a path that was saved has none, or by
/// a hard link.
fn make_named(restore: &Restore<'_>, r: &mut Nameless, path: &[u8]) -> Result<(File, bool)> {
    let me = restore.me;
    let name = core::str::from_utf8(path).unwrap_or("(not UTF-8)");
    let open = |flags: u32, mode: u32| {
        let flags = flags | O_LARGEFILE | O_NONBLOCK | O_CLOEXEC;
        open_at(me, None, path, flags, mode, RESOLVE_NO_SYMLINKS)
    };
    let same = |there: &File| -> kernel::error::Result<bool> {
        let now = there.stat_seen_by(&Cred::current())?;
        let its = (now.mode & mode::FMT, now.uid, now.size, now.mtime_ns as u64);
        Ok(its == (mode::REGULAR, r.uid, r.size, r.mtime_ns))
    };
    if let Ok(there) = open(O_RDONLY, 0) {
        if same(&there)? {
            return Ok((there, false));
        }
    }
    let file = match open(O_RDWR, 0) {
        Err(ENOENT) => open(O_RDWR | O_CREAT | O_EXCL, 0o600),
        there => there.and_then(|there| {
            let now = there.stat_seen_by(&Cred::current())?;
            let is_regular = now.mode & mode::FMT == mode::REGULAR && there.has_contents() && there.transfers();
            if !is_regular || now.uid != r.uid || now.nlink > 1 {
                return Err(ESTALE);
            }
            (r.mode, r.gid) = (now.mode, now.gid);
            with_fd(me, &there, |fd| me.call(nr::__NR_ftruncate, &[fd, 0]))?;
            Ok(there)
        }),
    };
    let file = file.context(format_args!("cannot put back the contents of {name}"))?;
    Ok((file, true))
}

fn make(restore: &Restore<'_>, r: &Nameless, path: &[u8]) -> Result<File> {
    let me = restore.me;
    if r.flags & flags::MEMFD != 0 {
        let how = if r.seals & seals::EXEC != 0 && r.mode & EXECUTE == 0 {
            MFD_NOEXEC_SEAL
        } else {
            MFD_EXEC | MFD_ALLOW_SEALING
        };
        let made = make_memfd(me, path, how, r.page_shift);
        return made.map_err(|e| match e {
            ENODEV => no_huge_pages(e, r.page_shift),
            e => Fault::new(e, format_args!("cannot make a memfd")),
        });
    }
    let slash = path.iter().rposition(|b| *b == b'/').unwrap_or(0);
    let (directory, name) = path.split_at(slash + 1);
    let made = make_temporary(me, restore.restarter_fs, directory, r.flags).or_else(|e| {
        // Somebody else has replaced it, who may: it can be anywhere.
        let name = &name[..name.len().min(MEMFD_NAME_MAX)];
        if [EACCES, EPERM, EROFS].contains(&e) {
            make_memfd(me, name, MFD_EXEC, r.page_shift).map_err(|_| e)
        } else {
            Err(e)
        }
    });
    let shown = core::str::from_utf8(directory).unwrap_or("(not UTF-8)");
    let file = made.context(format_args!("cannot make a file without a name in {shown}"))?;
    if file.huge_shift() != r.page_shift {
        let text = "cannot make a file without a name: its huge pages are of another size than those of";
        return Err(Fault::new(ESTALE, format_args!("{text} {shown}")));
    }
    Ok(file)
}

/// Makes the file, still without content.
pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let mut r: Nameless = restore.input.fixed()?;
    let path = restore.input.variable();
    let memfd = r.flags & flags::MEMFD != 0;
    let path_is_wrong = if memfd {
        path.len() > MEMFD_NAME_MAX
    } else {
        path.len() > PATH_MAX || path.first() != Some(&b'/')
    };
    if r.objref != restore.made.next()
        || r.flags & !flags::ALL != 0
        || (memfd && r.flags != flags::MEMFD)
        || (r.flags & flags::NAMED != 0 && r.flags != flags::NAMED)
        || (!memfd && r.seals != 0)
        || r.seals & !seals::ALL != 0
        || r.mode & mode::FMT != mode::REGULAR
        || r.mode & !(mode::FMT | PERMISSIONS) != 0
        || i64::try_from(r.size).is_err()
        || r.page_shift > SHIFT_MAX
        || (r.page_shift != 0 && (r.size.trailing_zeros() < r.page_shift || r.flags & flags::NAMED != 0))
        || path.len() != r.path_len as usize
        || path_is_wrong
        || path.contains(&0)
    {
        return Err(restore.input.bad(
            EBADMSG,
            format_args!("wrong values in the record of a file without a name"),
        ));
    }
    let named = r.flags & flags::NAMED != 0;
    let (file, written) = if named {
        make_named(restore, &mut r, path)?
    } else {
        (make(restore, &r, path)?, true)
    };
    let me = restore.me;
    if written {
        with_fd(me, &file, |fd| me.call(nr::__NR_ftruncate, &[fd, r.size])).context(format_args!(
            "cannot give a file whose contents travel {} bytes",
            r.size
        ))?;
    }
    let made = Made {
        file,
        unfinished: Some(r),
        named,
        written,
    };
    Ok(Object::Nameless(KBox::new(made, GFP_KERNEL_ACCOUNT)?))
}

/// Fills the newest object.
pub(super) fn restore_data(restore: &mut Restore<'_>) -> Result {
    let r: NamelessData = restore.input.fixed()?;
    let bytes = restore.input.variable();
    let newest = r.objref == restore.made.len();
    let made = restore.made.nameless(r.objref).filter(|_| newest);
    let made = made.and_then(|m| m.unfinished.as_ref().map(|of| (&*m, of)));
    let end = r.offset.checked_add(u64::from(r.length));
    let Some((made, of)) = made.filter(|(_, of)| end.is_some_and(|end| end <= of.size)) else {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("content lies outside of its file")));
    };
    if bytes.len() as u64 != u64::from(r.length) || r.length > DATA_MAX {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a content record")));
    }
    if !made.written {
        return Ok(());
    }
    if of.page_shift != 0 {
        return write_huge(restore.me, &made.file, of.page_shift, r.offset, bytes);
    }
    let mut pos = r.offset as i64;
    made.file
        .write_all(bytes, Some(&mut pos))
        .context(format_args!("cannot fill a file whose contents travel"))
}

/// Writes to a file of hugetlbfs, which knows no write(2), within its size. It is mapped into the caller for that time.
fn write_huge(me: &CurrentTask, file: &File, page_shift: u32, offset: u64, bytes: &[u8]) -> Result {
    let page = 1 << page_shift;
    let inside = offset % page;
    let len = (inside + bytes.len() as u64).next_multiple_of(page);
    // Without a reservation, which would be for holes, too.
    let how = map::SHARED | map::NORESERVE;
    let base = vm_mmap(Some(file), 0, len, prot::READ | prot::WRITE, how, offset - inside)
        .context(format_args!("cannot map a file of huge pages"))?;
    let put = me.put_bytes(base + inside, bytes);
    me.call(nr::__NR_munmap, &[base, len])?;
    if put.is_err() {
        let mut name = PathBuf::new()?;
        file.print_any(&mut name)?;
        return Err(lacks_huge_pages(len, page_shift).and(name.as_str()));
    }
    Ok(())
}

/// Sets what depends on the contents, and lets nobody have it open for writing: what is cannot be executed.
fn finish(me: &CurrentTask, made: &mut Made, r: &Nameless) -> kernel::error::Result {
    let now = made.file.stat_seen_by(&Cred::current())?;
    let reader = made.file.reopen(O_RDONLY | O_LARGEFILE)?;
    let writer = core::mem::replace(&mut made.file, reader);
    // Not by with_fd(): the close of the descriptor must be that of the file, at once.
    let fd = u64::from(install_any(&writer)?);
    drop(writer);
    let set = || -> kernel::error::Result {
        let mut mode = r.mode & PERMISSIONS;
        let owner = |id: u32, now: u32| if id == now { u32::MAX } else { id };
        let ids = [owner(r.uid, now.uid), owner(r.gid, now.gid)].map(u64::from);
        if ids != [u64::from(u32::MAX); 2] && me.call(nr::__NR_fchown, &[fd, ids[0], ids[1]]).is_err() {
            // Nobody may run as another owner than the one who said so.
            mode &= !SETID;
        }
        me.call(nr::__NR_fchmod, &[fd, u64::from(mode)])?;
        let second = 1_000_000_000;
        let [atime, mtime] = [r.atime_ns as i64, r.mtime_ns as i64];
        let times = [
            atime.div_euclid(second),
            atime.rem_euclid(second),
            mtime.div_euclid(second),
            mtime.rem_euclid(second),
        ];
        let at = me.put_words(&times.map(|t| t as u64))?;
        me.call(nr::__NR_utimensat, &[fd, 0, at, 0])?;
        if r.seals != 0 {
            me.call(nr::__NR_fcntl, &[fd, F_ADD_SEALS, u64::from(r.seals)])?;
        }
        Ok(())
    };
    let done = set();
    me.call(nr::__NR_close, &[fd])?;
    match done {
        // Who may write to it need not be the owner.
        Err(e) if e == EPERM && r.flags & flags::NAMED != 0 => Ok(()),
        done => done,
    }
}

/// A file that has been made, which gets no more content.
fn complete<'a>(me: &CurrentTask, made: &'a mut Objects, input: &Reader, objref: u32, named: bool) -> Result<&'a File> {
    let wrong = || {
        input.bad(
            EBADMSG,
            format_args!("object {objref} is no file whose contents travel"),
        )
    };
    let made = made.nameless(objref).ok_or_else(wrong)?;
    if let Some(r) = made.unfinished.take().filter(|_| made.written) {
        finish(me, made, &r).context(format_args!(
            "cannot set the attributes of a file whose contents travel"
        ))?;
    }
    if made.named != named {
        return Err(wrong());
    }
    Ok(&made.file)
}

/// Lets a file that has a name have all of its old contents.
pub(super) fn put_back(me: &CurrentTask, made: &mut Objects, input: &Reader, objref: u32) -> Result {
    complete(me, made, input, objref, true).map(|_| ())
}

/// An open file of a file that has been made, which gets no more content.
pub(super) fn open(me: &CurrentTask, made: &mut Objects, input: &Reader, objref: u32, flags: u32) -> Result<File> {
    complete(me, made, input, objref, false)?
        .reopen(flags)
        .context(format_args!("cannot open a file without a name once more"))
}
