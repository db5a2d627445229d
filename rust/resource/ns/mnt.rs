// SPDX-License-Identifier: GPL-2.0

//! The mount namespace.
//!
//! Saved: all mounts with their places, attributes, peer groups and masters. One whose file system the caller sees too is a path in the
//! restarter's mounts (a bind mount); tmpfs, proc, sysfs, devpts, mqueue, and cgroup2 at the root of a cgroup namespace are mounted anew
//! with their options; what is in a tmpfs is saved (ns/tmpfs.rs). Overlays: ns/overlay.rs. A mount that was a slave of the caller's becomes
//! one of the restarter's.
//! Not saved: locks on mounts, expiry, numbers of mounts, what lies below the root mount.
//! Refused: other file systems that the caller does not see; mounts with an id mapping, of a removed file, or covered by a mount that came
//! before; peers and slaves of mounts outside, masters but the caller's; peers that begin above the first of them; proc, sysfs, mqueue and
//! cgroup2 of namespaces that are not the task's own; a tmpfs of which no mount of the target shows all, but for callers with CAP_SYS_ADMIN
//! over its user namespace; more than 4096 mounts, or more than 2^20 peers and slaves of them to look at.
//! Shown by: ns/keeps_mounts, ns/keeps_a_mount, ns/mounts_are, ns/shows_a_part, refuse/mount, hostile/values_of_namespaces.

use super::{is_first, is_foreign, made, overlay, tmpfs, unshare, viewer_of};
use crate::{
    error::{Context, Fault, Result},
    objects::{Keeper, Object},
    resource::{external::External, Dump, Restore, Whole},
    wrapper::{
        cred::Cred,
        fcntl::{
            O_DIRECTORY,
            O_NOFOLLOW,
            O_PATH,
            RESOLVE_BENEATH,
            RESOLVE_NO_MAGICLINKS,
            RESOLVE_NO_SYMLINKS, //
        },
        file::{open_at, take_fd, with_fd, File},
        mount::{self, Mount, Superblock, Tree},
        ns::{Kind, Nsproxy},
        path::PathBuf,
        pid::PidNs,
        syscall::{nr, CurrentTask},
        task::{fatal_signal_pending, Task}, //
    },
};
use ckpt_uapi::{
    record::mnt::{fs_flags, mount_flags, Filesystem, MntNs, Mount as MountRecord, MOUNTS_MAX, OPTIONS_MAX},
    statefile::PATH_MAX,
};
use core::cell::RefCell;
use kernel::{prelude::*, rbtree::RBTree};
use zerocopy::FromZeros;

/// File systems that can be mounted anew: what they show comes from the kernel, or is saved.
const MOUNTABLE: [&[u8]; 7] = [TMPFS, b"proc", b"sysfs", b"devpts", b"mqueue", CGROUP2, overlay::KIND];
const TMPFS: &[u8] = b"tmpfs";
const CGROUP2: &[u8] = b"cgroup2";

/// Where a mount comes from.
enum From {
    /// A path in the caller's mounts.
    Caller(PathBuf),
    /// A file system of its own, and the path in it.
    Own(PathBuf),
}

/// A mount namespace that is to be saved.
struct Saved<'a> {
    whole: &'a Whole<'a>,
    /// The first thread that lives in it, which will make it.
    maker: &'a Task,
    ns: &'a Nsproxy,
    mounts: KVVec<Mount>,
    callers: KVVec<Mount>,
    /// Addresses of file systems that namespaces of earlier threads have.
    earlier: KVVec<usize>,
    /// See [`Self::shown_whole`], when somebody has asked.
    shown: RefCell<Option<KVVec<usize>>>,
}

impl<'a> Saved<'a> {
    /// `EOPNOTSUPP` when it has too many mounts.
    fn new(whole: &'a Whole<'a>, maker: &'a Task, ns: &'a Nsproxy) -> Result<Self> {
        let mut earlier = KVVec::new();
        let mut known = KVVec::new();
        let before = whole.processes.iter().flat_map(|p| p.threads.iter());
        for other in before.take_while(|t| *t != maker).filter_map(|t| Nsproxy::of(t).ok()) {
            let address = other.address(Kind::Mnt);
            if !is_foreign(whole, &other, Kind::Mnt) || known.contains(&address) {
                continue;
            }
            known.push(address, GFP_KERNEL_ACCOUNT)?;
            for m in &mount::collect_alone(&other)? {
                let sb = m.superblock()?;
                if sb.kind != CGROUP2 || is_foreign(whole, &other, Kind::Cgroup) {
                    earlier.push(sb.address, GFP_KERNEL_ACCOUNT)?;
                }
            }
        }
        Ok(Self {
            whole,
            maker,
            ns,
            mounts: mount::collect(ns, MOUNTS_MAX).map_err(too_many)?,
            callers: mount::collect_alone(&whole.caller_ns)?,
            earlier,
            shown: RefCell::new(None),
        })
    }

    /// Why a file system that is mounted anew by the maker would show something else.
    fn shows_else(&self, m: &Mount, sb: &Superblock) -> Result<Option<&'static str>> {
        let made = |kind| !is_foreign(self.whole, self.ns, kind) || is_first(self.whole, self.maker, self.ns, kind);
        let own = match sb.kind {
            b"proc" => sb.shows == PidNs::of(self.maker)?.address(),
            b"mqueue" => sb.shows == self.ns.address(Kind::Ipc) && made(Kind::Ipc),
            b"sysfs" => sb.shows == self.ns.address(Kind::Net) && made(Kind::Net),
            CGROUP2 if !is_foreign(self.whole, self.ns, Kind::Cgroup) => {
                return Ok(Some("its options are those of the machine"))
            }
            CGROUP2 => m.is_cgroup_root(self.ns) && made(Kind::Cgroup),
            _ => true,
        };
        Ok((!own).then_some("it shows a namespace that is not there yet when it is mounted anew"))
    }

    /// Whether a mount of a cgroup2 begins above the cgroup namespace, at the very root: what the caller has there is the same after a
    /// restart. Below that are cgroups of now.
    fn shows_all_cgroups(&self, m: &Mount) -> Result<bool> {
        let mut path = PathBuf::new()?;
        Ok(!m.is_cgroup_root(self.ns) && m.print_root(&mut path)? && path.as_bytes() == b"/")
    }

    /// Why it cannot be that peer, slave or master.
    fn related_elsewhere(&self, m: &Mount) -> Option<&'static str> {
        let (master, outside) = m.master();
        let first_of = |group| self.mounts.iter().find(|other| other.group().0 == group);
        let too_wide = |group: u32| group != 0 && first_of(group).is_some_and(|first| !m.is_narrower(first));
        if m.group().1 {
            Some("mounts outside of its namespace are its peers")
        } else if m.has_slaves_outside() {
            Some("mounts outside of its namespace are its slaves")
        } else if outside && !m.is_slave_of_caller() {
            Some("mounts of a namespace that is neither its own nor the caller's are its masters")
        } else if too_wide(m.group().0) || (!outside && too_wide(master)) {
            Some("it begins above a peer or master that comes before")
        } else {
            None
        }
    }

    /// Where a mount comes from; why it cannot be saved.
    fn origin(&self, m: &Mount) -> Result<From> {
        let mut path = PathBuf::new()?;
        let sb = m.superblock()?;
        let refuse = |what: &str| {
            let mut name = PathBuf::new()?;
            let _ = m.print_root(&mut name);
            Err(Fault::new(
                EOPNOTSUPP,
                format_args!(
                    "a mount of type {} cannot be saved: {what} ({})",
                    sb.kind_str(),
                    name.as_str()
                ),
            ))
        };
        if m.is_idmapped() {
            return refuse("it has an id mapping");
        }
        if let Some(what) = self.related_elsewhere(m) {
            return refuse(what);
        }
        if sb.kind != CGROUP2 || !is_foreign(self.whole, self.ns, Kind::Cgroup) || self.shows_all_cgroups(m)? {
            for other in &self.callers {
                go_on()?;
                if m.print_elsewhere(other, &self.whole.caller_fs, &mut path)? {
                    return Ok(From::Caller(path));
                }
            }
        }
        if !MOUNTABLE.contains(&sb.kind) {
            return refuse("the caller does not see its file system");
        }
        if m.master().1 {
            return refuse("mounts outside of its namespace are its masters");
        }
        if sb.kind == TMPFS && sb.encoded {
            return refuse("names in it have an encoding");
        }
        if !self.earlier.contains(&sb.address) {
            if let Some(what) = self.shows_else(m, &sb)? {
                return refuse(what);
            }
        }
        if sb.kind == CGROUP2 {
            path.set(b"/");
        } else if !m.print_root(&mut path)? || sb.source.len() > PATH_MAX {
            return refuse("its root has no path");
        }
        Ok(From::Own(path))
    }

    /// Where a mount is mounted, seen from the root of its parent; nothing for the root.
    fn point(&self, i: usize, m: &Mount) -> Result<PathBuf> {
        let mut point = PathBuf::new()?;
        let refuse = |what: &str, point: &PathBuf| {
            Err(Fault::new(
                EOPNOTSUPP,
                format_args!("a mount cannot be saved: {what} ({})", point.as_str()),
            ))
        };
        let Some(parent) = self.mounts.get(m.parent()).filter(|_| m.parent() != i) else {
            return Ok(point);
        };
        if !m.print_point(parent, &mut point)? {
            return refuse("it is on a directory that has been removed", &point);
        }
        let mut siblings = self.mounts.iter().take(i).filter(|o| o.parent() == m.parent());
        if siblings.any(|other| m.is_covered(other)) {
            return refuse("one that was there before covers it", &point);
        }
        Ok(point)
    }

    /// Who will make it: root of the user namespace that it belongs to.
    fn viewer(&self) -> Result<Cred> {
        viewer_of(self.whole, self.ns, Kind::Mnt)
    }

    /// Options of the file system as they are saved.
    fn options(&self, m: &Mount, sb: &Superblock) -> Result<KVVec<u8>> {
        if sb.kind != overlay::KIND {
            return options(&self.viewer()?, m, sb);
        }
        let viewer = self.viewer()?;
        overlay::options(m, &viewer, &all_options(m, sb)?, &self.callers, &self.whole.caller_fs)
    }

    /// Addresses of the file systems of which the target sees all: a mount begins at the root, nothing is mounted on that, and no other mount
    /// covers the place where it is, or one above.
    fn shown_whole(&self) -> Result<KVVec<usize>> {
        let n = self.mounts.len();
        let mut hidden = KVVec::from_elem(false, n, GFP_KERNEL_ACCOUNT)?;
        let mut bears = KVVec::from_elem(false, n, GFP_KERNEL_ACCOUNT)?;
        // Parents come before their children.
        for (i, m) in self.mounts.iter().enumerate().skip(1) {
            go_on()?;
            let parent = m.parent();
            let mut others = self.mounts.iter().enumerate().skip(1);
            hidden[i] = hidden[parent] || others.any(|(j, o)| j != i && o.parent() == parent && m.is_covered(o));
            bears[parent] = true;
        }
        let mut shown = KVVec::new();
        for (i, m) in self.mounts.iter().enumerate() {
            if m.begins_at_root() && !bears[i] && !hidden[i] {
                shown.push(m.superblock()?.address, GFP_KERNEL_ACCOUNT)?;
            }
        }
        Ok(shown)
    }

    /// Whether the target sees all of a file system.
    fn shows_whole(&self, sb: &Superblock) -> Result<bool> {
        let mut known = self.shown.borrow_mut();
        if known.is_none() {
            *known = Some(self.shown_whole()?);
        }
        Ok(known.as_ref().is_some_and(|shown| shown.contains(&sb.address)))
    }

    /// What is in a file system, which is saved as a whole: no more than the target shows, or what the caller may see anyway.
    fn contents(&self, m: &Mount, sb: &Superblock) -> Result<Tree> {
        if !m.may_be_seen_whole() && !self.shows_whole(sb)? {
            return Err(refuse(
                sb,
                "mounts hide a part of it from the target, and the caller has no CAP_SYS_ADMIN there",
            ));
        }
        Ok(m.open_tree(self.viewer()?)?)
    }

    /// What one mount needs to be saved.
    fn check(&self, i: usize, m: &Mount, met: &mut KVVec<usize>) -> Result {
        go_on()?;
        let from = self.origin(m)?;
        self.point(i, m)?;
        let sb = m.superblock()?;
        if matches!(from, From::Caller(_)) || self.earlier.contains(&sb.address) || met.contains(&sb.address) {
            return Ok(());
        }
        met.push(sb.address, GFP_KERNEL_ACCOUNT)?;
        self.options(m, &sb)?;
        if sb.kind == TMPFS {
            tmpfs::check(&self.contents(m, &sb)?)?;
        }
        Ok(())
    }
}

pub(super) fn check(
    whole: &Whole<'_>,
    task: &Task,
    ns: &Nsproxy,
    refuse: &mut dyn FnMut(core::fmt::Arguments<'_>),
) -> Result {
    let mut name = |fault: Fault| match fault.errno() {
        EOPNOTSUPP => {
            let text = fault.detail().map_or("", |d| show(d.text.as_bytes()));
            refuse(format_args!("{text}"));
            Ok(())
        }
        _ => Err(fault),
    };
    let saved = match Saved::new(whole, task, ns) {
        Ok(saved) => saved,
        Err(fault) => return name(fault),
    };
    let mut met = KVVec::new();
    for (i, m) in saved.mounts.iter().enumerate() {
        saved.check(i, m, &mut met).or_else(&mut name)?;
    }
    Ok(())
}

/// What goes through mounts times mounts can be ended.
fn go_on() -> Result {
    if fatal_signal_pending() {
        return Err(EINTR.into());
    }
    Ok(())
}

fn too_many(error: Error) -> Fault {
    match error {
        E2BIG => Fault::new(
            EOPNOTSUPP,
            format_args!("its mount namespace has more than {MOUNTS_MAX} mounts"),
        ),
        EMLINK => Fault::new(
            EOPNOTSUPP,
            format_args!("mounts of its mount namespace have too many peers"),
        ),
        other => other.into(),
    }
}

pub(super) fn dump(whole: &Whole<'_>, task: &Task, ns: &Nsproxy, objref: u32, dump: &mut Dump<'_>) -> Result {
    let saved = Saved::new(whole, task, ns)?;
    dump.out.record(&MntNs {
        objref,
        mounts: saved.mounts.len() as u32,
    })?;
    for (i, m) in saved.mounts.iter().enumerate() {
        let from = saved.origin(m)?;
        let mut r = MountRecord::new_zeroed();
        r.parent = m.parent() as u32;
        r.attributes = m.attributes();
        if m.unbindable() {
            r.flags |= mount_flags::UNBINDABLE;
        }
        (r.group, _) = m.group();
        if r.group != 0 {
            r.flags |= mount_flags::SHARED;
        }
        let (master, outside) = m.master();
        if master != 0 {
            r.flags |= mount_flags::SLAVE;
            r.master = if outside { 0 } else { master };
        }
        let root = match &from {
            From::Caller(path) => path,
            From::Own(path) => {
                r.filesystem = filesystem(&saved, m, dump)?;
                path
            }
        };
        let point = saved.point(i, m)?;
        let mut paths = KVec::new();
        paths.extend_from_slice(root.as_bytes(), GFP_KERNEL_ACCOUNT)?;
        paths.extend_from_slice(point.as_bytes(), GFP_KERNEL_ACCOUNT)?;
        r.root_len = root.as_bytes().len() as u32;
        r.point_len = point.as_bytes().len() as u32;
        dump.out.record_with(&r, &paths[..])?;
    }
    Ok(())
}

fn refuse(sb: &Superblock, what: &str) -> Fault {
    Fault::new(
        EOPNOTSUPP,
        format_args!("a mount of type {} cannot be saved: {what}", sb.kind_str()),
    )
}

/// Options as in /proc/mounts.
fn all_options(m: &Mount, sb: &Superblock) -> Result<KVVec<u8>> {
    match m.options() {
        Err(E2BIG) => Err(refuse(sb, "its options are too long")),
        other => Ok(other?),
    }
}

/// Options as the one that mounts it again has to give them: user and group ids as its owner sees them, nothing that is the machine's.
fn options(viewer: &Cred, m: &Mount, sb: &Superblock) -> Result<KVVec<u8>> {
    let mut out = KVVec::new();
    if sb.kind == CGROUP2 {
        return Ok(out);
    }
    let all = all_options(m, sb)?;
    for option in all.split(|b| *b == b',').filter(|o| !o.is_empty()) {
        out.push(b',', GFP_KERNEL_ACCOUNT)?;
        let id = |key: &[u8]| {
            core::str::from_utf8(option.strip_prefix(key)?)
                .ok()?
                .parse::<u32>()
                .ok()
        };
        let (key, here) = match (id(b"uid="), id(b"gid=")) {
            (Some(uid), _) => ("uid", viewer.name_of(uid, false)),
            (_, Some(gid)) => ("gid", viewer.name_of(gid, true)),
            _ => {
                out.extend_from_slice(option, GFP_KERNEL_ACCOUNT)?;
                continue;
            }
        };
        let here = here.ok_or_else(|| refuse(sb, "its owner has no number in the user namespace of the target"))?;
        let text = kernel::str::CString::try_from_fmt(fmt!("{key}={here}"))?;
        out.extend_from_slice(text.to_bytes(), GFP_KERNEL_ACCOUNT)?;
    }
    Ok(out)
}

/// The objref of the mount's file system; it is written when first met.
fn filesystem(saved: &Saved<'_>, m: &Mount, dump: &mut Dump<'_>) -> Result<u32> {
    let sb = m.superblock()?;
    if let Some(known) = dump.seen.get(sb.address) {
        return Ok(known);
    }
    let mut r = Filesystem::new_zeroed();
    r.objref = dump.seen.add(sb.address, Keeper::Task)?;
    for (have, bit) in [
        (mount::CKPT_SB_RDONLY, fs_flags::RDONLY),
        (mount::CKPT_SB_SYNC, fs_flags::SYNC),
        (mount::CKPT_SB_DIRSYNC, fs_flags::DIRSYNC),
        (mount::CKPT_SB_LAZYTIME, fs_flags::LAZYTIME),
    ] {
        if sb.flags & have != 0 {
            r.flags |= bit;
        }
    }
    let options = saved.options(m, &sb)?;
    let mut text = KVVec::new();
    for part in [sb.kind, &sb.source[..], &options[..]] {
        text.extend_from_slice(part, GFP_KERNEL_ACCOUNT)?;
    }
    r.type_len = sb.kind.len() as u32;
    r.source_len = sb.source.len() as u32;
    r.options_len = options.len() as u32;
    dump.out.record_with(&r, &text[..])?;
    if sb.kind == TMPFS {
        tmpfs::dump(&saved.contents(m, &sb)?, dump)?;
    }
    Ok(r.objref)
}

/// A mount that has been made.
struct Made {
    /// Stands for it; O_PATH.
    file: File,
    flags: u32,
    group: u32,
    master: u32,
}

impl Made {
    fn is_shared(&self) -> bool {
        self.flags & mount_flags::SHARED != 0
    }

    /// The peer group of its master, if that is one of this namespace.
    fn master(&self) -> Option<u32> {
        (self.flags & mount_flags::SLAVE != 0 && self.master != 0).then_some(self.master)
    }
}

/// A mount namespace that is being built: the calling task lives in it, with the restarter's mounts still there.
pub(crate) struct Building {
    mounts: KVVec<Made>,
    left: u32,
    /// Some came with a mount that they could not be taken from.
    recursive: bool,
    read_only: KVVec<File>,
    /// The tmpfs whose contents may follow.
    pub(super) contents: Option<tmpfs::Contents>,
}

/// Places of strings in the scratch mapping.
const SECOND: usize = 8192;
const THIRD: usize = 16384;

/// Copies a string and its NUL to a place in the scratch mapping.
pub(super) fn text_at(me: &CurrentTask, offset: usize, text: &[u8]) -> kernel::error::Result<u64> {
    if text.len() > PATH_MAX {
        return Err(ENAMETOOLONG);
    }
    me.put_path_at(offset, text)
}

pub(super) fn begin(restore: &mut Restore<'_>) -> Result<Object> {
    let r: MntNs = restore.input.only()?;
    if r.objref != restore.made.next() || r.mounts == 0 || r.mounts > MOUNTS_MAX || restore.late.mounts.is_some() {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a mount namespace record")));
    }
    let me = restore.me;
    unshare(me, Kind::Mnt)?;
    // What happens in here stays in here.
    let root = text_at(me, 0, b"/")?;
    me.call(nr::__NR_mount, &[0, root, 0, u64::from(nr::MS_REC | nr::MS_SLAVE), 0])
        .context(format_args!("cannot make the mounts slaves of the restarter's"))?;
    restore.late.mounts = Some(Building {
        mounts: KVVec::new(),
        left: r.mounts,
        recursive: false,
        read_only: KVVec::new(),
        contents: None,
    });
    made(me, Kind::Mnt)
}

fn building<'a>(restore: &'a mut Restore<'_>) -> Result<&'a mut Building> {
    match restore.late.mounts.as_mut() {
        Some(b) if b.left > 0 => Ok(b),
        _ => Err(restore
            .input
            .bad(EBADMSG, format_args!("record is not part of a mount namespace"))),
    }
}

impl Building {
    /// Whether all of it is there.
    pub(crate) fn is_done(&self) -> bool {
        self.left == 0
    }
}

/// Mounts a file system anew, at no place.
pub(super) fn restore_filesystem(restore: &mut Restore<'_>) -> Result<Object> {
    let r: Filesystem = restore.input.fixed()?;
    let text = restore.input.variable();
    let lengths = [r.type_len, r.source_len, r.options_len];
    let total = lengths.iter().fold(0u64, |sum, n| sum + u64::from(*n));
    if r.objref != restore.made.next()
        || r.reserved != 0
        || r.flags & !fs_flags::ALL != 0
        || total != text.len() as u64
        || lengths[..2].iter().any(|n| *n as usize > PATH_MAX)
        || r.options_len > OPTIONS_MAX
        || text.contains(&0)
    {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a file system record")));
    }
    let (kind, rest) = text.split_at(r.type_len as usize);
    let (source, options) = rest.split_at(r.source_len as usize);
    if !MOUNTABLE.contains(&kind) {
        return Err(restore.input.bad(
            EBADMSG,
            format_args!("file system {} cannot be mounted anew", show(kind)),
        ));
    }
    let me = restore.me;
    let file = mount_anew(me, restore.external, kind, source, options, r.flags)?;
    let is_tmpfs = kind == TMPFS;
    let b = building(restore)?;
    b.contents = tmpfs::finish(me, b.contents.take())?;
    if is_tmpfs {
        b.contents = Some(tmpfs::Contents::new(file.clone()));
        if r.flags & fs_flags::RDONLY != 0 {
            b.read_only.push(file.clone(), GFP_KERNEL_ACCOUNT)?;
        }
    }
    Ok(Object::Filesystem(file))
}

pub(super) fn show(text: &[u8]) -> &str {
    core::str::from_utf8(text).unwrap_or("(not UTF-8)")
}

fn configure(me: &CurrentTask, fs: u64, key: &[u8], value: Option<&[u8]>) -> Result {
    let command = match value {
        Some(_) => nr::fsconfig_command_FSCONFIG_SET_STRING,
        None => nr::fsconfig_command_FSCONFIG_SET_FLAG,
    };
    let at = text_at(me, SECOND, key)?;
    let value_at = match value {
        Some(value) => text_at(me, THIRD, value)?,
        None => 0,
    };
    me.call(nr::__NR_fsconfig, &[fs, u64::from(command), at, value_at, 0])
        .context(format_args!("cannot set option {}", show(key)))?;
    Ok(())
}

/// Takes back what the kernel escapes in options: a backslash and three octal digits.
fn unescape(text: &[u8]) -> Result<KVec<u8>> {
    let mut out = KVec::new();
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let digit = |i: usize| {
            after
                .get(i)
                .filter(|d| (b'0'..=b'7').contains(*d))
                .map(|d| u32::from(*d - b'0'))
        };
        match (*first, digit(0), digit(1), digit(2)) {
            (b'\\', Some(a), Some(b), Some(c)) => {
                out.push((a * 64 + b * 8 + c) as u8, GFP_KERNEL_ACCOUNT)?;
                rest = after.get(3..).unwrap_or(&[]);
            }
            _ => {
                out.push(*first, GFP_KERNEL_ACCOUNT)?;
                rest = after;
            }
        }
    }
    Ok(out)
}

/// Splits options at their commas, but for those inside of a list of numbers.
fn split_options(options: &[u8]) -> Result<KVec<&[u8]>> {
    let mut out: KVec<&[u8]> = KVec::new();
    let mut start = 0;
    let ends = options.iter().enumerate().filter(|(_, b)| **b == b',').map(|(i, _)| i);
    for end in Iterator::chain(ends, [options.len()]) {
        if options.get(end + 1).is_some_and(u8::is_ascii_digit) {
            continue;
        }
        let option = &options[start..end];
        if !matches!(option, b"" | b"rw" | b"ro") {
            out.push(option, GFP_KERNEL_ACCOUNT)?;
        }
        start = end + 1;
    }
    Ok(out)
}

fn mount_anew(
    me: &CurrentTask,
    external: &External,
    kind: &[u8],
    source: &[u8],
    options: &[u8],
    flags: u32,
) -> Result<File> {
    let at = text_at(me, 0, kind)?;
    let fd = me
        .call(nr::__NR_fsopen, &[at, u64::from(nr::FSOPEN_CLOEXEC)])
        .context(format_args!("cannot mount a file system of type {}", show(kind)))?;
    let fs = fd as u64;
    let set_all = || -> Result<File> {
        if !source.is_empty() {
            configure(me, fs, b"source", Some(source))?;
        }
        for option in split_options(options)? {
            let (key, value) = match option.iter().position(|b| *b == b'=') {
                Some(i) => (&option[..i], Some(unescape(&option[i + 1..])?)),
                None => (option, None),
            };
            match (overlay::layer_of(key).filter(|_| kind == overlay::KIND), &value) {
                // Its place among the restarter's mounts may be another one.
                (Some(layer), Some(path)) => {
                    overlay::set_layer(me, fs, layer, key, external.mount(path).unwrap_or(path))?;
                }
                _ => configure(me, fs, key, value.as_deref())?,
            }
        }
        // A tmpfs is filled first.
        let read_only = if kind == TMPFS { 0 } else { fs_flags::RDONLY };
        for (bit, key) in [
            (read_only, &b"ro"[..]),
            (fs_flags::SYNC, b"sync"),
            (fs_flags::DIRSYNC, b"dirsync"),
            (fs_flags::LAZYTIME, b"lazytime"),
        ] {
            if flags & bit != 0 {
                configure(me, fs, key, None)?;
            }
        }
        let create = u64::from(nr::fsconfig_command_FSCONFIG_CMD_CREATE);
        me.call(nr::__NR_fsconfig, &[fs, create, 0, 0, 0])
            .context(format_args!("cannot mount a file system of type {}", show(kind)))?;
        let mounted = me
            .call(nr::__NR_fsmount, &[fs, u64::from(nr::FSMOUNT_CLOEXEC), 0])
            .context(format_args!("cannot mount a file system of type {}", show(kind)))?;
        Ok(take_fd(me, mounted)?)
    };
    let file = set_all();
    me.call(nr::__NR_close, &[fs])?;
    file
}

/// MOUNT_ATTR_* that a record may have.
fn known_attributes() -> u32 {
    nr::MOUNT_ATTR_RDONLY
        | nr::MOUNT_ATTR_NOSUID
        | nr::MOUNT_ATTR_NODEV
        | nr::MOUNT_ATTR_NOEXEC
        | nr::MOUNT_ATTR__ATIME
        | nr::MOUNT_ATTR_NODIRATIME
        | nr::MOUNT_ATTR_NOSYMFOLLOW
}

fn set_attributes(me: &CurrentTask, fd: u64, set: u64, clear: u64, propagation: u32) -> kernel::error::Result {
    // struct mount_attr, and an empty path behind it.
    let words = [set, clear, u64::from(propagation), 0, 0];
    let at = me.put_words(&words)?;
    let size = size_of_val(&words[..4]) as u64;
    me.call(
        nr::__NR_mount_setattr,
        &[fd, at + size, u64::from(nr::AT_EMPTY_PATH), at, size],
    )
    .map(|_| ())
}

/// Below a directory, and nowhere else: whoever may write to what is mounted there must not choose where mounts come from and go to.
const INSIDE: u32 = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

/// Where a mount comes from.
struct Origin<'a> {
    /// The root of a file system; `None` for the mounts of the restarter.
    source: Option<File>,
    /// An absolute path in there.
    path: &'a [u8],
    /// RESOLVE_* that go for a path in the mounts of the restarter.
    resolve: u32,
}

impl Origin<'_> {
    fn open(&self, me: &CurrentTask, path: &[u8], flags: u32) -> kernel::error::Result<File> {
        match &self.source {
            Some(root) => open_inside(me, root, path, flags),
            None => open_at(me, None, path, flags, 0, self.resolve),
        }
    }

    /// The directory, and the name in it; none for the root.
    fn split(&self, me: &CurrentTask) -> kernel::error::Result<(File, &[u8])> {
        let end = self.path.iter().rposition(|b| *b == b'/').ok_or(EINVAL)?;
        let directory = if end == 0 { b"/" } else { &self.path[..end] };
        Ok((self.open(me, directory, O_PATH | O_DIRECTORY)?, &self.path[end + 1..]))
    }
}

/// Opens what is at an absolute path when `root` is the root directory.
fn open_inside(me: &CurrentTask, root: &File, path: &[u8], flags: u32) -> kernel::error::Result<File> {
    match path.get(1..) {
        None | Some(b"") => Ok(root.clone()),
        Some(below) => open_at(me, Some(root), below, flags, 0, INSIDE),
    }
}

/// A new mount of a file system, or of what is at a path in the mounts of the restarter.
///
/// In a mount namespace whose user namespace is not that of the restarter's, mounts cannot be had without those that are on them, which
/// may hide something. They come along, and are looked for by [`adopt`].
fn open_tree(me: &CurrentTask, from: &Origin<'_>, recursive: &mut bool) -> kernel::error::Result<File> {
    const AT_RECURSIVE: u64 = 0x8000;
    let (directory, name) = from.split(me)?;
    let empty = if name.is_empty() { nr::AT_EMPTY_PATH } else { 0 };
    let clone = u64::from(nr::OPEN_TREE_CLONE | nr::OPEN_TREE_CLOEXEC | nr::AT_SYMLINK_NOFOLLOW | empty);
    let fd = with_fd(me, &directory, |fd| {
        let at = text_at(me, 0, name)?;
        let open = |flags: u64| me.call(nr::__NR_open_tree, &[fd, at, clone | flags]);
        match open(0) {
            Err(EINVAL) if from.source.is_none() => {
                *recursive = true;
                open(AT_RECURSIVE)
            }
            other => other,
        }
    })?;
    take_fd(me, fd)
}

/// The mount that came along with another one, if it is what the record wants at this place.
fn adopt(me: &CurrentTask, parent: &File, point: &[u8], from: &Origin<'_>) -> Result<Option<File>> {
    let there = open_inside(me, parent, point, O_PATH | O_NOFOLLOW)
        .context(format_args!("there is no {} to mount on", show(point)))?;
    let wanted = from
        .open(me, from.path, O_PATH | O_NOFOLLOW)
        .context(format_args!("cannot mount {} anywhere", show(from.path)))?;
    Ok(mount::is_same_place(&there, &wanted).then_some(there))
}

/// Mounts what is detached on the place in its parent; on the root directory without one.
fn attach(me: &CurrentTask, file: &File, parent: Option<&File>, point: &[u8]) -> kernel::error::Result {
    let place = match parent {
        Some(parent) => open_inside(me, parent, point, O_PATH | O_NOFOLLOW)?,
        None => open_at(me, None, b"/", O_PATH, 0, 0)?,
    };
    join(me, file, &place, 0)
}

/// move_mount(2) of what is at one descriptor to what is at another one.
fn join(me: &CurrentTask, from: &File, to: &File, flags: u32) -> kernel::error::Result {
    let flags = flags | nr::MOVE_MOUNT_F_EMPTY_PATH | nr::MOVE_MOUNT_T_EMPTY_PATH;
    with_fd(me, from, |from| {
        with_fd(me, to, |to| {
            let empty = text_at(me, SECOND, b"")?;
            me.call(nr::__NR_move_mount, &[from, empty, to, empty, flags.into()])
        })
    })
    .map(|_| ())
}

/// Makes one mount, and puts it to its place.
pub(super) fn restore_mount(restore: &mut Restore<'_>) -> Result {
    let r: MountRecord = restore.input.fixed()?;
    let paths = restore.input.variable();
    let bad = |text: &str| Err(restore.input.bad(EBADMSG, format_args!("{text}")));
    if r.flags & !mount_flags::ALL != 0
        || r.attributes & !known_attributes() != 0
        || u64::from(r.root_len) + u64::from(r.point_len) != paths.len() as u64
        || r.root_len as usize > PATH_MAX
        || r.point_len as usize > PATH_MAX
        || paths.contains(&0)
    {
        return bad("wrong values in a mount record");
    }
    let (root, point) = paths.split_at(r.root_len as usize);
    if root.first() != Some(&b'/') || (!point.is_empty() && point.first() != Some(&b'/')) {
        return bad("not an absolute path");
    }
    let source = match (r.filesystem, restore.made.get(r.filesystem)) {
        (0, _) => None,
        (_, Some(Object::Filesystem(file))) => Some(file.clone()),
        _ => return bad("a mount refers to no file system"),
    };
    // Its place among the restarter's mounts may be another one.
    let elsewhere = source.is_none().then(|| restore.external.mount(root)).flatten();
    let (mut path, mut to) = (KVec::new(), KVec::new());
    path.extend_from_slice(elsewhere.unwrap_or(root), GFP_KERNEL_ACCOUNT)?;
    to.extend_from_slice(point, GFP_KERNEL_ACCOUNT)?;
    let from = Origin {
        // What is saved is a path without symbolic links; who names another one may go by them.
        resolve: if elsewhere.is_some() { 0 } else { RESOLVE_NO_SYMLINKS },
        source,
        path: &path,
    };
    let me = restore.me;
    let b = match restore.late.mounts.as_mut() {
        Some(b) if b.left > 0 => b,
        _ => {
            return Err(restore
                .input
                .bad(EBADMSG, format_args!("record is not part of a mount namespace")))
        }
    };
    b.contents = tmpfs::finish(me, b.contents.take())?;
    let index = b.mounts.len() as u32;
    if r.parent > index || (r.parent == index) != (index == 0) {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("a mount does not follow its parent")));
    }
    let parent = b.mounts.get(r.parent as usize).map(|m| &m.file);
    // A cgroup2 is one for the whole machine.
    let may_be_there = b.recursive && (from.source.is_none() || *from.path == *b"/");
    let there = match parent.filter(|_| may_be_there) {
        Some(parent) => adopt(me, parent, &to, &from)?,
        None => None,
    };
    let is_there = there.is_some();
    let file = match there {
        Some(file) => file,
        None => {
            open_tree(me, &from, &mut b.recursive).context(format_args!("cannot mount {} anywhere", show(from.path)))?
        }
    };
    let of = |group: u32| move |m: &Made| m.is_shared() && m.group == group;
    // Slaves of the restarter's mounts stay that, unless they were not. A peer gets its master with its group.
    let peer = r.flags & mount_flags::SHARED != 0 && b.mounts.iter().any(of(r.group));
    let keep = !peer && r.flags & mount_flags::SLAVE != 0 && r.master == 0 && r.filesystem == 0;
    let propagation = if keep { 0 } else { nr::MS_PRIVATE };
    with_fd(me, &file, |fd| {
        set_attributes(me, fd, r.attributes.into(), known_attributes().into(), propagation)?;
        if is_there {
            return Ok(());
        }
        attach(me, &file, b.mounts.get(r.parent as usize).map(|m| &m.file), &to)
    })
    .context(format_args!("cannot mount {} on {}", show(from.path), show(&to)))?;
    let made = Made {
        file,
        flags: r.flags,
        group: r.group,
        master: r.master,
    };
    b.mounts.push(made, GFP_KERNEL_ACCOUNT)?;
    b.left -= 1;
    if b.left == 0 {
        complete(me, b)?;
    }
    Ok(())
}

/// Leaves the restarter's mounts, and sets what could not be set before.
fn complete(me: &CurrentTask, b: &mut Building) -> Result {
    let Some(root) = b.mounts.first() else {
        return Err(EINVAL.into());
    };
    with_fd(me, &root.file, |fd| me.call(nr::__NR_fchdir, &[fd]))?;
    let here = text_at(me, 0, b".")?;
    me.call(nr::__NR_pivot_root, &[here, here])
        .context(format_args!("cannot change the root mount"))?;
    me.call(nr::__NR_umount2, &[here, u64::from(nr::MNT_DETACH)])
        .context(format_args!("cannot leave the mounts of the restarter"))?;
    let slash = text_at(me, 0, b"/")?;
    me.call(nr::__NR_chdir, &[slash])?;
    let mounted = mount::count_own();
    if mounted < b.mounts.len() {
        return Err(Fault::new(
            EBUSY,
            format_args!("a mount is not where it has been put: something changes what is mounted"),
        ));
    }
    // Others may come by themselves: from the restarter's, or by autofs.
    if b.recursive && mounted > b.mounts.len() {
        return Err(Fault::new(
            EPERM,
            format_args!("the restarter has mounts that the program had not, and that cannot be left out"),
        ));
    }
    for file in &b.read_only {
        make_read_only(me, file).context(format_args!("cannot make a tmpfs read-only"))?;
    }
    propagate(me, &b.mounts)?;
    b.mounts = KVVec::new();
    b.read_only = KVVec::new();
    Ok(())
}

fn make_read_only(me: &CurrentTask, file: &File) -> kernel::error::Result {
    let empty = text_at(me, 0, b"")?;
    let flags = u64::from(nr::FSPICK_EMPTY_PATH | nr::FSPICK_CLOEXEC);
    let fs = with_fd(me, file, |fd| me.call(nr::__NR_fspick, &[fd, empty, flags]))? as u64;
    let key = text_at(me, SECOND, b"ro")?;
    let flag = u64::from(nr::fsconfig_command_FSCONFIG_SET_FLAG);
    let reconfigure = u64::from(nr::fsconfig_command_FSCONFIG_CMD_RECONFIGURE);
    let done = me
        .call(nr::__NR_fsconfig, &[fs, flag, key, 0, 0])
        .and_then(|_| me.call(nr::__NR_fsconfig, &[fs, reconfigure, 0, 0, 0]));
    me.call(nr::__NR_close, &[fs])?;
    done.map(|_| ())
}

/// Gives a mount its propagation, when those that it has that from are there: peers, or a master.
fn set_propagation(me: &CurrentTask, m: &Made, peer: Option<&Made>, master: Option<&Made>) -> kernel::error::Result {
    let set = |how: u32| with_fd(me, &m.file, |fd| set_attributes(me, fd, 0, 0, how));
    let follow = |other: &Made| join(me, &other.file, &m.file, nr::MOVE_MOUNT_SET_GROUP);
    if let Some(peer) = peer {
        return follow(peer);
    }
    if let Some(master) = master {
        follow(master)?;
        set(nr::MS_SLAVE)?;
    }
    if m.is_shared() {
        set(nr::MS_SHARED)
    } else if master.is_none() && m.flags & mount_flags::UNBINDABLE != 0 {
        set(nr::MS_UNBINDABLE)
    } else {
        Ok(())
    }
}

/// Peer groups and masters: now that everything is in its place, nothing is propagated any more.
fn propagate(me: &CurrentTask, mounts: &[Made]) -> Result {
    // A master may be a slave itself, and come later. Who waits is found by the groups that could end that, in the order of the mounts.
    let mut waiting: KVVec<(u32, usize)> = KVVec::new();
    let mut ready: KVVec<usize> = KVVec::new();
    for (i, m) in mounts.iter().enumerate() {
        let Some(master) = m.master() else {
            ready.push(i, GFP_KERNEL_ACCOUNT)?;
            continue;
        };
        waiting.push((master, i), GFP_KERNEL_ACCOUNT)?;
        if m.is_shared() {
            waiting.push((m.group, i), GFP_KERNEL_ACCOUNT)?;
        }
    }
    waiting.sort_unstable();
    let mut first_of: RBTree<u32, usize> = RBTree::new();
    let mut done = KVVec::from_elem(false, mounts.len(), GFP_KERNEL_ACCOUNT)?;
    let mut next = 0;
    while let Some(&i) = ready.get(next) {
        next += 1;
        if core::mem::replace(&mut done[i], true) {
            continue;
        }
        go_on()?;
        let m = &mounts[i];
        let first = |group: u32| first_of.get(&group).map(|first| &mounts[*first]);
        let peer = m.is_shared().then(|| first(m.group)).flatten();
        let master = m.master().and_then(first);
        set_propagation(me, m, peer, master).context(format_args!("cannot set the propagation of mount {i}"))?;
        if m.is_shared() && peer.is_none() {
            first_of.try_create_and_insert(m.group, i, GFP_KERNEL_ACCOUNT)?;
            let start = waiting.partition_point(|(group, _)| *group < m.group);
            for (_, i) in waiting[start..].iter().take_while(|(group, _)| *group == m.group) {
                ready.push(*i, GFP_KERNEL_ACCOUNT)?;
            }
        }
    }
    if done.contains(&false) {
        return Err(Fault::new(EBADMSG, format_args!("a mount is a slave of none")));
    }
    Ok(())
}
