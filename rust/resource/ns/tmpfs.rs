// SPDX-License-Identifier: GPL-2.0

//! What is in a tmpfs.
//!
//! Saved: files with their holes, directories, links, FIFOs, sockets, devices; owners, permissions, times, extended attributes.
//! Not saved: change and birth times, inode numbers, blocks without content, quotas of users, flags of chattr(1); trusted.* for callers
//! without CAP_SYS_ADMIN; the size, if that is the default: it is that of the restarting machine.
//! Refused: immutable and append-only files, owners without a number in the target's user namespace, names with an encoding, extended
//! attributes of more than 32 KiB; file capabilities in a user namespace that is not the caller's; more directories, or files with several
//! names, than 64 MiB have room for (96 bytes and the name for each).
//! Shown by: ns/keeps_mounts, refuse/mount, hostile/values_of_namespaces.

use super::mnt::text_at;
use crate::{
    error::{Context, Fault, Result},
    resource::{each_extent, Dump, Restore},
    wrapper::{
        fcntl::{
            O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_PATH, O_RDONLY, O_RDWR, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS,
            RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV,
        },
        file::{mode, open_at, take_fd, with_fd, File, InodeStat},
        mount::Tree,
        syscall::{nr, CurrentTask},
        task::fatal_signal_pending, //
    },
};
use ckpt_uapi::{
    record::mnt::{inode_flags, Inode, InodeData, InodeXattr, DATA_MAX, XATTR_MAX},
    statefile::PATH_MAX,
};
use kernel::{prelude::*, rbtree::RBTree};
use zerocopy::FromZeros;

const SYMLINK: u32 = 0o120000;
const PERMISSIONS: u32 = 0o7777;

type Path = KVVec<u8>;

/// Most bytes that are kept of the directories of a tmpfs, and as many again of files with several names.
const KEPT_MAX: usize = 64 << 20;
/// What is kept of one, at most, beside its name: a [`Place`], and a node of a tree.
const KEPT_EACH: usize = 96;

/// What may still be kept.
struct Room(usize);

impl Room {
    fn take(&mut self, name: &[u8], path: &[u8]) -> Result {
        match self.0.checked_sub(KEPT_EACH + name.len()) {
            Some(left) => self.0 = left,
            None => {
                return Err(refuse(
                    path,
                    "there are too many directories or files with several names",
                ))
            }
        }
        Ok(())
    }
}

/// Where a file is: a name in a directory. Whole paths would take 4 KiB of each, which is more than what the target pays for a directory.
struct Place {
    /// Index of the directory; that of the root is its own.
    parent: usize,
    name: KVec<u8>,
}

impl Place {
    /// How many there are is the target's choice: whoever saves it pays.
    fn new(parent: usize, name: &[u8]) -> Result<Self> {
        let mut kept = KVec::new();
        kept.extend_from_slice(name, GFP_KERNEL_ACCOUNT)?;
        Ok(Self { parent, name: kept })
    }
}

/// The directories of a tmpfs, each after the one that it is in.
struct Directories {
    all: KVVec<Place>,
    room: Room,
}

impl Directories {
    fn new() -> Self {
        Self {
            all: KVVec::new(),
            room: Room(KEPT_MAX),
        }
    }

    fn push(&mut self, parent: usize, name: &[u8], path: &[u8]) -> Result {
        self.room.take(name, path)?;
        Ok(self.all.push(Place::new(parent, name)?, GFP_KERNEL_ACCOUNT)?)
    }

    /// Path of a directory from the root; `None` behind the last.
    fn path(&self, index: usize) -> Result<Option<Path>> {
        self.all.get(index).map(|place| self.path_to(place)).transpose()
    }

    /// Path of a place in one of them.
    fn path_to(&self, place: &Place) -> Result<Path> {
        let mut names: KVec<&[u8]> = KVec::new();
        let mut next = Some(place);
        while let Some(place) = next {
            names.push(&place.name, GFP_KERNEL_ACCOUNT)?;
            // The root is the only one without a name.
            next = self.all.get(place.parent).filter(|parent| !parent.name.is_empty());
        }
        let mut path = Path::new();
        for name in names.iter().rev() {
            if !path.is_empty() {
                path.push(b'/', GFP_KERNEL_ACCOUNT)?;
            }
            path.extend_from_slice(name, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(path)
    }
}

/// A file that a walk has come to.
struct Found<'a> {
    directories: &'a Directories,
    /// Index of its directory.
    parent: usize,
    name: &'a [u8],
    /// Path from the root; empty for that.
    path: &'a [u8],
}

/// Looks at each file once, directories before what is in them; what `look` takes for a directory is looked into. Returns these.
/// While the target runs, files come and go.
fn walk(tree: &Tree, mut look: impl FnMut(&Found<'_>) -> Result<bool>) -> Result<Directories> {
    let mut directories = Directories::new();
    let mut visit = |parent: usize, name: &[u8], path: &[u8], directories: &mut Directories| -> Result {
        if fatal_signal_pending() {
            return Err(EINTR.into());
        }
        if path.len() > PATH_MAX {
            return Err(Fault::new(EOPNOTSUPP, format_args!("a path in a tmpfs is too long")));
        }
        let found = Found {
            directories,
            parent,
            name,
            path,
        };
        if look(&found)? {
            directories.push(parent, name, path)?;
        }
        Ok(())
    };
    visit(0, b"", b"", &mut directories)?;
    let mut next = 0;
    while let Some(mut path) = directories.path(next)? {
        let parent = next;
        next += 1;
        let open = match tree.open(&path, O_RDONLY | O_DIRECTORY) {
            Err(ENOENT | ENOTDIR) => continue,
            other => other?,
        };
        if !path.is_empty() {
            path.push(b'/', GFP_KERNEL_ACCOUNT)?;
        }
        let prefix = path.len();
        loop {
            let lot = open.names()?;
            if lot.is_empty() {
                break;
            }
            for name in lot.split(|b| *b == 0).filter(|name| !name.is_empty()) {
                path.truncate(prefix);
                path.extend_from_slice(name, GFP_KERNEL_ACCOUNT)?;
                visit(parent, name, &path, &mut directories)?;
            }
        }
    }
    Ok(directories)
}

/// Files with several names, by their inode numbers: the name that was met first.
struct Links {
    first: RBTree<u64, Place>,
    room: Room,
}

impl Links {
    fn new() -> Self {
        Self {
            first: RBTree::new(),
            room: Room(KEPT_MAX),
        }
    }

    /// Path of the name that was met first.
    fn path(&self, inode: u64, directories: &Directories) -> Result<Option<Path>> {
        let place = self.first.get(&inode);
        place.map(|place| directories.path_to(place)).transpose()
    }

    fn add(&mut self, inode: u64, found: &Found<'_>) -> Result {
        self.room.take(found.name, found.path)?;
        let place = Place::new(found.parent, found.name)?;
        self.first.try_create_and_insert(inode, place, GFP_KERNEL_ACCOUNT)?;
        Ok(())
    }
}

fn copy(path: &[u8]) -> Result<Path> {
    let mut out = Path::new();
    out.extend_from_slice(path, GFP_KERNEL_ACCOUNT)?;
    Ok(out)
}

fn refuse(path: &[u8], what: &str) -> Fault {
    let shown = core::str::from_utf8(path).unwrap_or("(not UTF-8)");
    Fault::new(
        EOPNOTSUPP,
        format_args!("a file in a tmpfs cannot be saved: {what} (/{shown})"),
    )
}

/// What stands in the way of saving the contents.
pub(super) fn check(tree: &Tree) -> Result {
    let mut links = Links::new();
    walk(tree, |found| {
        let path = found.path;
        let file = match tree.open(path, O_PATH) {
            Err(ENOENT | ENOTDIR) => return Ok(false),
            other => other?,
        };
        let stat = stat(tree, path, &file)?;
        xattrs(tree, path, &file, |_, _| Ok(()))?;
        let is_directory = stat.mode & mode::FMT == mode::DIRECTORY;
        if !is_directory && stat.nlink > 1 && links.first.get(&stat.ino).is_none() {
            links.add(stat.ino, found)?;
        }
        Ok(is_directory)
    })?;
    Ok(())
}

pub(super) fn dump(tree: &Tree, dump: &mut Dump<'_>) -> Result {
    let mut links = Links::new();
    let directories = walk(tree, |found| one(tree, found, &mut links, dump))?;
    // What was made in them has changed their times.
    let mut next = 0;
    while let Some(path) = directories.path(next)? {
        next += 1;
        if fatal_signal_pending() {
            return Err(EINTR.into());
        }
        let mut r = record(&stat(tree, &path, &tree.open(&path, O_PATH)?)?);
        r.flags = inode_flags::TIMES;
        r.path_len = path.len() as u32;
        dump.out.record_with(&r, &path[..])?;
    }
    Ok(())
}

fn stat(tree: &Tree, path: &[u8], file: &File) -> Result<InodeStat> {
    let stat = tree.stat(file)?;
    if stat.uid == u32::MAX || stat.gid == u32::MAX {
        return Err(refuse(
            path,
            "its owner has no number in the user namespace of the target",
        ));
    }
    if stat.guarded {
        return Err(refuse(path, "it is immutable or append-only"));
    }
    Ok(stat)
}

fn record(stat: &InodeStat) -> Inode {
    let mut r = Inode::new_zeroed();
    (r.mode, r.uid, r.gid) = (stat.mode, stat.uid, stat.gid);
    (r.size, r.rdev) = (stat.size, stat.rdev);
    (r.atime_ns, r.mtime_ns) = (stat.atime_ns as u64, stat.mtime_ns as u64);
    r
}

/// Writes one file, without what is in it if it is a directory; whether it is one.
fn one(tree: &Tree, found: &Found<'_>, links: &mut Links, dump: &mut Dump<'_>) -> Result<bool> {
    let path = found.path;
    let file = tree.open(path, O_PATH)?;
    let stat = stat(tree, path, &file)?;
    let mut r = record(&stat);
    let format = r.mode & mode::FMT;
    let mut target = Path::new();
    if format != mode::DIRECTORY && stat.nlink > 1 {
        match links.path(stat.ino, found.directories)? {
            Some(first) => {
                r.flags |= inode_flags::LINK;
                target = first;
            }
            None => links.add(stat.ino, found)?,
        }
    }
    if r.flags & inode_flags::LINK == 0 && format == SYMLINK {
        target.extend_from_slice(&file.link_text()?, GFP_KERNEL_ACCOUNT)?;
    }
    r.path_len = path.len() as u32;
    r.target_len = target.len() as u32;
    let mut text = copy(path)?;
    text.extend_from_slice(&target, GFP_KERNEL_ACCOUNT)?;
    dump.out.record_with(&r, &text[..])?;
    if r.flags & inode_flags::LINK == 0 {
        if format == mode::REGULAR && r.size > 0 {
            data(&tree.open(path, O_RDONLY)?, r.size, dump)?;
        }
        xattrs(tree, path, &file, |name, value| {
            let r = InodeXattr {
                name_len: name.len() as u32,
                value_len: value.len() as u32,
            };
            let mut text = copy(name)?;
            text.extend_from_slice(value, GFP_KERNEL_ACCOUNT)?;
            dump.out.record_with(&r, &text[..])
        })?;
    }
    Ok(format == mode::DIRECTORY)
}

/// Names and values of all extended attributes.
fn xattrs(tree: &Tree, path: &[u8], file: &File, mut each: impl FnMut(&[u8], &[u8]) -> Result) -> Result {
    let all = file.xattr_names()?;
    for name in all.split_inclusive(|b| *b == 0) {
        let name = CStr::from_bytes_with_nul(name).map_err(|_| EINVAL)?;
        if name.to_bytes() == b"security.capability" && !tree.is_seen_by_caller() {
            return Err(refuse(
                path,
                "it has capabilities in another user namespace than the caller's",
            ));
        }
        let value = tree.xattr(file, name)?;
        if value.len() > XATTR_MAX as usize {
            return Err(refuse(path, "an extended attribute of it is too long"));
        }
        each(name.to_bytes(), &value)?;
    }
    Ok(())
}

/// What is between the holes.
fn data(file: &File, size: u64, dump: &mut Dump<'_>) -> Result {
    each_extent(file, size, DATA_MAX, |offset, bytes| {
        let r = InodeData {
            offset,
            length: bytes.len() as u32,
            reserved: 0,
        };
        dump.out.record_with(&r, bytes)
    })
}

/// The file that was restored last.
struct Last {
    /// Its directory; of the root, itself.
    parent: File,
    name: KVec<u8>,
    times: [u64; 2],
    /// Permissions, until they are set: a write or a new owner would take some of them away again.
    mode: Option<u32>,
    /// Open for writing, if it is a regular file, and its size.
    data: Option<(File, u64)>,
}

/// A tmpfs that is being filled.
pub(super) struct Contents {
    root: File,
    last: Option<Last>,
}

impl Contents {
    pub(super) fn new(root: File) -> Self {
        Self { root, last: None }
    }
}

/// Ends the contents: nothing may follow.
pub(super) fn finish(me: &CurrentTask, contents: Option<Contents>) -> Result<Option<Contents>> {
    if let Some(Contents {
        last: Some(mut last), ..
    }) = contents
    {
        settle(me, &mut last)?;
    }
    Ok(None)
}

/// Sets what depends on the contents.
fn settle(me: &CurrentTask, last: &mut Last) -> Result {
    set_mode(me, last)?;
    set_times(me, last)
}

fn set_mode(me: &CurrentTask, last: &mut Last) -> Result {
    let Some(mode) = last.mode.take() else {
        return Ok(());
    };
    with_fd(me, &last.parent, |fd| {
        let at = text_at(me, SECOND, &last.name)?;
        me.call(nr::__NR_fchmodat, &[fd, at, u64::from(mode)])
    })
    .context(format_args!("cannot set the permissions of a file in a tmpfs"))?;
    Ok(())
}

const SECOND: usize = 8192;
const THIRD: usize = 16384;

fn set_times(me: &CurrentTask, last: &Last) -> Result {
    let [atime, mtime] = last.times.map(|t| t as i64);
    let second = 1_000_000_000;
    let words = [
        atime.div_euclid(second),
        atime.rem_euclid(second),
        mtime.div_euclid(second),
        mtime.rem_euclid(second),
    ]
    .map(|w| w as u64);
    with_fd(me, &last.parent, |fd| {
        let times = me.put_words(&words)?;
        let name = text_at(me, SECOND, &last.name)?;
        let flags = u64::from(nr::AT_SYMLINK_NOFOLLOW);
        me.call(nr::__NR_utimensat, &[fd, name, times, flags])
    })
    .context(format_args!("cannot set the times of a file in a tmpfs"))?;
    Ok(())
}

/// Splits a path into directory and name; `None` when it leads out of the file system or is not in its plainest form.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let plain = |part: &[u8]| !part.is_empty() && part != b"." && part != b"..";
    if path.len() > PATH_MAX || path.contains(&0) || !path.split(|b| *b == b'/').all(plain) {
        return None;
    }
    match path.iter().rposition(|b| *b == b'/') {
        Some(i) => Some((&path[..i], &path[i + 1..])),
        None => Some((b".", path)),
    }
}

/// Opens a directory of the file system, and never leaves that on the way.
fn open_directory(me: &CurrentTask, root: &File, path: &[u8]) -> kernel::error::Result<File> {
    let resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH;
    open_at(me, Some(root), path, O_PATH | O_DIRECTORY, 0, resolve)
}

/// The tmpfs whose contents the current record is part of; it must be given back.
fn contents(restore: &mut Restore<'_>) -> Result<Contents> {
    let b = restore.late.mounts.as_mut().filter(|b| !b.is_done());
    match b.and_then(|b| b.contents.take()) {
        Some(contents) => Ok(contents),
        None => Err(restore
            .input
            .bad(EBADMSG, format_args!("record is not part of a tmpfs"))),
    }
}

fn give_back(restore: &mut Restore<'_>, contents: Contents) {
    if let Some(b) = restore.late.mounts.as_mut() {
        b.contents = Some(contents);
    }
}

pub(super) fn restore_inode(restore: &mut Restore<'_>) -> Result {
    let r: Inode = restore.input.fixed()?;
    let mut c = contents(restore)?;
    let me = restore.me;
    if let Some(mut last) = c.last.take() {
        settle(me, &mut last)?;
    }
    let text = restore.input.variable();
    let bad = || {
        Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in an inode record")))
    };
    if u64::from(r.path_len) + u64::from(r.target_len) != text.len() as u64
        || r.flags & !inode_flags::ALL != 0
        || r.flags == inode_flags::ALL
        || i64::try_from(r.size).is_err()
    {
        return bad();
    }
    let (path, target) = text.split_at(r.path_len as usize);
    let format = r.mode & mode::FMT;
    let is_root = path.is_empty();
    let (directory, name) = match split(path) {
        Some(parts) => parts,
        None if is_root && format == mode::DIRECTORY && r.flags & inode_flags::LINK == 0 => (&b"."[..], &b"."[..]),
        None => return bad(),
    };
    if (format == SYMLINK || r.flags & inode_flags::LINK != 0) == target.is_empty()
        || target.len() > PATH_MAX
        || target.contains(&0)
    {
        return bad();
    }
    let shown = core::str::from_utf8(path).unwrap_or("(not UTF-8)");
    let parent = open_directory(me, &c.root, directory).context(format_args!("no directory for {shown} in a tmpfs"))?;
    let mut last = Last {
        parent,
        name: KVec::new(),
        times: [r.atime_ns, r.mtime_ns],
        mode: None,
        data: None,
    };
    last.name.extend_from_slice(name, GFP_KERNEL_ACCOUNT)?;
    if r.flags & inode_flags::LINK != 0 {
        let Some((directory, name)) = split(target) else {
            return bad();
        };
        let from = open_directory(me, &c.root, directory)?;
        with_fd(me, &from, |from| {
            with_fd(me, &last.parent, |to| {
                let old = text_at(me, SECOND, name)?;
                let new = text_at(me, THIRD, &last.name)?;
                me.call(nr::__NR_linkat, &[from, old, to, new, 0])
            })
        })
        .context(format_args!("cannot link {shown} in a tmpfs"))?;
    } else if r.flags & inode_flags::TIMES == 0 {
        if !is_root {
            make(me, &r, target, &mut last).context(format_args!("cannot make {shown} in a tmpfs"))?;
        }
        own(me, &r, &last).context(format_args!("cannot set the owner of {shown} in a tmpfs"))?;
        last.mode = (format != SYMLINK).then_some(r.mode & PERMISSIONS);
    }
    c.last = Some(last);
    give_back(restore, c);
    Ok(())
}

fn make(me: &CurrentTask, r: &Inode, target: &[u8], last: &mut Last) -> kernel::error::Result {
    let format = r.mode & mode::FMT;
    let name = &last.name;
    let made = with_fd(me, &last.parent, |fd| {
        let at = text_at(me, SECOND, name)?;
        match format {
            mode::DIRECTORY => me.call(nr::__NR_mkdirat, &[fd, at, 0o700]),
            SYMLINK => {
                let target = text_at(me, THIRD, target)?;
                me.call(nr::__NR_symlinkat, &[target, fd, at])
            }
            mode::REGULAR => me.call(
                nr::__NR_openat,
                &[fd, at, u64::from(O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW), 0o600],
            ),
            mode::FIFO | mode::SOCKET | mode::CHAR | mode::BLOCK => {
                me.call(nr::__NR_mknodat, &[fd, at, u64::from(format | 0o600), r.rdev])
            }
            _ => Err(EBADMSG),
        }
    })?;
    if format == mode::REGULAR {
        let sized = me.call(nr::__NR_ftruncate, &[made as u64, r.size]);
        last.data = Some((take_fd(me, made)?, r.size));
        sized?;
    }
    Ok(())
}

fn own(me: &CurrentTask, r: &Inode, last: &Last) -> kernel::error::Result {
    with_fd(me, &last.parent, |fd| {
        let at = text_at(me, SECOND, &last.name)?;
        let ids = [r.uid, r.gid].map(u64::from);
        me.call(
            nr::__NR_fchownat,
            &[fd, at, ids[0], ids[1], u64::from(nr::AT_SYMLINK_NOFOLLOW)],
        )
    })
    .map(|_| ())
}

pub(super) fn restore_data(restore: &mut Restore<'_>) -> Result {
    let r: InodeData = restore.input.fixed()?;
    let c = contents(restore)?;
    let bytes = restore.input.variable();
    let end = r.offset.checked_add(u64::from(r.length));
    // Extended attributes come after the content, which would take some of them away.
    let unfinished = c.last.as_ref().filter(|last| last.mode.is_some());
    let file = unfinished.and_then(|last| last.data.as_ref());
    let Some((file, _)) = file.filter(|(_, size)| end.is_some_and(|end| end <= *size)) else {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("content lies outside of its file")));
    };
    if bytes.len() as u64 != u64::from(r.length) || r.reserved != 0 {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a content record")));
    }
    let mut pos = r.offset as i64;
    file.write_all(bytes, Some(&mut pos))
        .context(format_args!("cannot write a file in a tmpfs"))?;
    give_back(restore, c);
    Ok(())
}

pub(super) fn restore_xattr(restore: &mut Restore<'_>) -> Result {
    let r: InodeXattr = restore.input.fixed()?;
    let mut c = contents(restore)?;
    let me = restore.me;
    let text = restore.input.variable();
    let bad = || {
        Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in an extended attribute record")))
    };
    if u64::from(r.name_len) + u64::from(r.value_len) != text.len() as u64 || r.name_len > 255 {
        return bad();
    }
    let (name, value) = text.split_at(r.name_len as usize);
    let Some(last) = c
        .last
        .as_mut()
        .filter(|_| !name.contains(&0) && value.len() <= XATTR_MAX as usize)
    else {
        return bad();
    };
    set_mode(me, last)?;
    with_fd(me, &last.parent, |fd| {
        // struct xattr_args behind the names, the value behind that.
        let file = text_at(me, 0, &last.name)?;
        let key = text_at(me, SECOND, name)?;
        let value_at = me.put_at(THIRD + 64, value)?;
        let mut args = [0; 16];
        args[..8].copy_from_slice(&value_at.to_ne_bytes());
        args[8..12].copy_from_slice(&(value.len() as u32).to_ne_bytes());
        let at = me.put_at(THIRD, &args)?;
        let flags = u64::from(nr::AT_SYMLINK_NOFOLLOW);
        me.call(nr::__NR_setxattrat, &[fd, file, flags, key, at, args.len() as u64])
    })
    .context(format_args!(
        "cannot set the extended attribute {} in a tmpfs",
        core::str::from_utf8(name).unwrap_or("(not UTF-8)")
    ))?;
    give_back(restore, c);
    Ok(())
}
