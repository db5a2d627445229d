// SPDX-License-Identifier: GPL-2.0

//! Mounts, and what is in file systems that live in memory.
//!
//! C header: [`include/linux/mount.h`](srctree/include/linux/mount.h)

use super::{
    bindings,
    cred::Cred,
    file::{File, InodeStat},
    ns::Nsproxy,
    path::{Fs, PathBuf},
    to_result, //
};
use kernel::prelude::*;

/// Superblock flags, as the record has them.
pub(crate) use bindings::{CKPT_SB_DIRSYNC, CKPT_SB_LAZYTIME, CKPT_SB_RDONLY, CKPT_SB_SYNC};

/// A mount of a namespace.
///
/// # Invariants
///
/// Owns a reference to the path and to the mountpoint.
pub(crate) struct Mount(bindings::ckpt_mount);

// SAFETY: counted references to shared kernel objects.
unsafe impl Send for Mount {}

impl Drop for Mount {
    fn drop(&mut self) {
        // SAFETY: owned, by the type's invariant.
        unsafe { bindings::ckpt_put_mount(&mut self.0) }
    }
}

/// Room for options.
const OPTIONS: usize = 65_536;

/// What a directory is to an overlay.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    /// A lower layer.
    Lower,
    /// One that has only contents of files.
    Data,
    /// The one that is written.
    Upper,
    /// The work directory beside that.
    Work,
}

/// What one file system is.
pub(crate) struct Superblock {
    /// Address of the kernel object: the same for two mounts of one file system.
    pub(crate) address: usize,
    /// Type as in /proc/filesystems.
    pub(crate) kind: &'static [u8],
    /// Device or name.
    pub(crate) source: KVec<u8>,
    /// `CKPT_SB_*`
    pub(crate) flags: u32,
    /// Address of the namespace that a proc, sysfs or mqueue shows; 0 for other types.
    pub(crate) shows: usize,
    /// Whether names in it may differ in their case only by an encoding.
    pub(crate) encoded: bool,
}

impl Superblock {
    /// For messages.
    pub(crate) fn kind_str(&self) -> &str {
        core::str::from_utf8(self.kind).unwrap_or("?")
    }
}

/// All mounts of the namespace, parents before children. `E2BIG` when there are more than `most`, `EMLINK` when their peers and slaves are
/// too many to look at.
pub(crate) fn collect(ns: &Nsproxy, most: u32) -> Result<KVVec<Mount>> {
    collect_with(ns, most, true)
}

/// The same without parents, peers and masters.
pub(crate) fn collect_alone(ns: &Nsproxy) -> Result<KVVec<Mount>> {
    collect_with(ns, u32::MAX, false)
}

fn collect_with(ns: &Nsproxy, most: u32, relations: bool) -> Result<KVVec<Mount>> {
    let mut room = 64;
    loop {
        let mut raw: KVVec<bindings::ckpt_mount> = KVVec::with_capacity(room as usize, GFP_KERNEL_ACCOUNT)?;
        // SAFETY: the namespaces are alive, the array has `room` entries; the helper locks and takes references.
        let n = unsafe { bindings::ckpt_collect_mounts(ns.as_ptr(), raw.as_mut_ptr(), room, relations) };
        let n = to_result(n as isize)? as u32;
        let stored = n.min(room);
        let mut out = KVVec::new();
        let mut failed = out.reserve(stored as usize, GFP_KERNEL_ACCOUNT).is_err();
        for i in 0..stored as usize {
            // SAFETY: the helper has stored that many.
            // INVARIANT: with a reference each.
            let mount = Mount(unsafe { raw.as_ptr().add(i).read() });
            failed |= out.push(mount, GFP_KERNEL_ACCOUNT).is_err();
        }
        if failed {
            return Err(ENOMEM);
        }
        if n > most {
            return Err(E2BIG);
        }
        if n <= room {
            return Ok(out);
        }
        // Some more may come meanwhile.
        room = n.saturating_add(16);
    }
}

/// What a task of the namespace without a root directory of its own sees at "/".
pub(crate) fn namespace_root(ns: &Nsproxy) -> Result<Fs> {
    let mut path = bindings::path::default();
    // SAFETY: the namespaces are alive; the helper locks and takes a reference.
    kernel::error::to_result(unsafe { bindings::ckpt_namespace_root(ns.as_ptr(), &mut path) })?;
    // SAFETY: the reference was just taken.
    Ok(unsafe { Fs::at(path) })
}

impl Mount {
    /// Index of the mount that it is on; its own for the root.
    pub(crate) fn parent(&self) -> usize {
        self.0.parent as usize
    }

    /// MOUNT_ATTR_* as mount_setattr(2).
    pub(crate) fn attributes(&self) -> u32 {
        self.0.attributes
    }

    /// Peer group, 0 when it is not shared; and whether mounts of other namespaces belong to it.
    pub(crate) fn group(&self) -> (u32, bool) {
        (self.0.group as u32, self.0.shared_outside)
    }

    /// Peer group of its master, 0 without one; and whether that is in another namespace.
    pub(crate) fn master(&self) -> (u32, bool) {
        (self.0.master as u32, self.0.master_outside)
    }

    /// Whether its master, or a peer of that, is in the namespace of the calling task.
    pub(crate) fn is_slave_of_caller(&self) -> bool {
        self.0.master_callers
    }

    /// Whether it has slaves in other namespaces.
    pub(crate) fn has_slaves_outside(&self) -> bool {
        self.0.slaves_outside
    }

    /// Whether it shows other owners than its file system has.
    pub(crate) fn is_idmapped(&self) -> bool {
        self.0.idmapped
    }

    /// Whether it, a mount of a cgroup2, begins where the cgroup namespace does.
    pub(crate) fn is_cgroup_root(&self, ns: &Nsproxy) -> bool {
        // SAFETY: both are alive; addresses are compared only.
        unsafe { bindings::ckpt_is_cgroup_root(&self.0, ns.as_ptr()) }
    }

    /// Whether it begins in the same file system as another one, at the same place or below.
    pub(crate) fn is_narrower(&self, wide: &Self) -> bool {
        // SAFETY: both are alive; the helper locks.
        unsafe { bindings::ckpt_is_narrower(&self.0, &wide.0) }
    }

    /// Whether another mount on the same parent is at the same place or above, so that this one cannot be reached.
    pub(crate) fn is_covered(&self, over: &Self) -> bool {
        // SAFETY: both are alive; the helper locks.
        unsafe { bindings::ckpt_is_covered(&self.0, &over.0) }
    }

    /// Whether it cannot be bind mounted.
    pub(crate) fn unbindable(&self) -> bool {
        self.0.unbindable
    }

    /// Its file system.
    pub(crate) fn superblock(&self) -> Result<Superblock> {
        let mut out = bindings::ckpt_superblock::default();
        // SAFETY: the mount is alive; so are the strings, the type's as long as the mount, the source's too.
        unsafe {
            bindings::ckpt_superblock(&self.0, &mut out);
            let mut source = KVec::new();
            if !out.source.is_null() {
                source.extend_from_slice(CStr::from_char_ptr(out.source).to_bytes(), GFP_KERNEL_ACCOUNT)?;
            }
            Ok(Superblock {
                address: out.address as usize,
                kind: CStr::from_char_ptr(out.type_).to_bytes(),
                source,
                flags: out.flags,
                shows: out.shows as usize,
                encoded: out.encoded,
            })
        }
    }

    /// The layers of the overlay that this is: lower ones from top to bottom, then the upper one and the work directory.
    pub(crate) fn layers(&self) -> Result<KVVec<(Layer, Self)>> {
        let mut out = KVVec::new();
        let (mut raw, mut kind) = (bindings::ckpt_mount::default(), 0);
        if !self.is_overlay() {
            return Err(EINVAL);
        }
        for i in 0.. {
            out.reserve(1, GFP_KERNEL_ACCOUNT)?;
            // SAFETY: the mount is alive, and of an overlay; the helper takes references.
            if !unsafe { bindings::ckpt_overlay_layer(&self.0, i, &mut raw, &mut kind) } {
                break;
            }
            // INVARIANT: with the references that were just taken.
            let layer = Self(core::mem::take(&mut raw));
            let kind = match kind {
                bindings::ckpt_layer_CKPT_LAYER_LOWER => Layer::Lower,
                bindings::ckpt_layer_CKPT_LAYER_DATA => Layer::Data,
                bindings::ckpt_layer_CKPT_LAYER_UPPER => Layer::Upper,
                _ => Layer::Work,
            };
            out.push((kind, layer), GFP_KERNEL_ACCOUNT)?;
        }
        Ok(out)
    }

    /// Whether it is one of an overlay.
    pub(crate) fn is_overlay(&self) -> bool {
        self.superblock().is_ok_and(|sb| sb.kind == b"overlay")
    }

    /// Whether it is an overlay that was mounted from the user namespace of `maker`, and acts as whoever has mounted it.
    pub(crate) fn is_overlay_of(&self, maker: &Cred) -> bool {
        // SAFETY: both are alive, the mount is of an overlay; addresses are compared only.
        self.is_overlay() && unsafe { bindings::ckpt_is_overlay_of(&self.0, maker.as_ptr()) }
    }

    /// Options of its file system as in /proc/mounts, with a leading comma.
    pub(crate) fn options(&self) -> Result<KVVec<u8>> {
        let mut buf = KVVec::<u8>::zeroed(OPTIONS, GFP_KERNEL_ACCOUNT)?;
        // SAFETY: the mount is alive, the buffer has that many bytes.
        let n = unsafe { bindings::ckpt_superblock_options(&self.0, buf.as_mut_ptr().cast(), buf.len() as u32) };
        let n = to_result(n as isize)?;
        buf.truncate(n);
        Ok(buf)
    }

    /// Where it begins in its file system.
    pub(crate) fn print_root(&self, out: &mut PathBuf) -> Result<bool> {
        // SAFETY: the mount is alive, the buffer as long as it says.
        out.fill(|buf, size| unsafe { bindings::ckpt_mount_root(&self.0, buf, size) })
    }

    /// Where it is mounted, seen from the root of its parent; false when that cannot be reached.
    pub(crate) fn print_point(&self, parent: &Self, out: &mut PathBuf) -> Result<bool> {
        // SAFETY: both are alive, the buffer as long as it says.
        out.fill(|buf, size| unsafe { bindings::ckpt_mount_point(&self.0, &parent.0, buf, size) })
    }

    /// Where its root is found by way of `other`, a mount of the caller's namespace, seen from `root`; false when it is not
    /// there.
    pub(crate) fn print_elsewhere(&self, other: &Self, root: &Fs, out: &mut PathBuf) -> Result<bool> {
        // SAFETY: all are alive, the buffer as long as it says.
        out.fill(|buf, size| unsafe { bindings::ckpt_mount_elsewhere(&self.0, &other.0, root.root(), buf, size) })
    }

    /// Whether the caller may see all of its file system, whatever mounts show of it.
    pub(crate) fn may_be_seen_whole(&self) -> bool {
        // SAFETY: alive.
        unsafe { bindings::ckpt_may_see_all(&self.0) }
    }

    /// Whether it begins at the root of its file system.
    pub(crate) fn begins_at_root(&self) -> bool {
        // SAFETY: alive; addresses are compared only.
        unsafe { bindings::ckpt_begins_at_root(&self.0) }
    }

    /// Its whole file system, with nothing mounted on it, and with owners as `viewer` calls them: also what no mount shows. Whether the
    /// caller may see that is to be asked before.
    pub(crate) fn open_tree(&self, viewer: Cred) -> Result<Tree> {
        let mut path = bindings::path::default();
        // SAFETY: the mount is alive; the helper returns references.
        kernel::error::to_result(unsafe { bindings::ckpt_private_mount(&self.0, &mut path) })?;
        // SAFETY: the references were just taken.
        let root = unsafe { Fs::at(path) };
        Ok(Tree { root, viewer })
    }
}

/// The files of a file system.
pub(crate) struct Tree {
    root: Fs,
    viewer: Cred,
}

impl Tree {
    /// That with this root.
    pub(super) fn at(root: Fs, viewer: Cred) -> Self {
        Self { root, viewer }
    }

    /// Opens a file by its path from the root, without a trace; the empty path is the root. Directories and regular files can be
    /// read, all others are opened with O_PATH, as are symbolic links themselves.
    pub(crate) fn open(&self, path: &[u8], flags: u32) -> Result<File> {
        let text = with_nul(if path.is_empty() { b"." } else { path })?;
        let path = CStr::from_bytes_with_nul(&text).map_err(|_| EINVAL)?;
        let root = self.root.root();
        // SAFETY: the path is alive, so is the name; the helper checks permission, and returns a reference or an error pointer.
        unsafe { File::from_raw(bindings::ckpt_open_unnoticed(root, path.as_char_ptr(), flags as i32)) }
    }

    /// As fstat(2); ids that the viewer does not know are -1.
    pub(crate) fn stat(&self, file: &File) -> Result<InodeStat> {
        file.stat_seen_by(&self.viewer)
    }

    /// Value of an extended attribute; `name` ends with a NUL.
    pub(crate) fn xattr(&self, file: &File, name: &CStr) -> Result<KVVec<u8>> {
        let mut buf = KVVec::<u8>::zeroed(64 * 1024, GFP_KERNEL_ACCOUNT)?;
        let (text, viewer) = (name.as_char_ptr(), self.viewer.as_ptr());
        // SAFETY: all are alive, the buffer has that many bytes.
        let n = unsafe { bindings::ckpt_get_xattr(file.as_ptr(), viewer, text, buf.as_mut_ptr().cast(), buf.len()) };
        let n = to_result(n)?;
        buf.truncate(n);
        Ok(buf)
    }

    /// Whether owners are shown as the caller calls them.
    pub(crate) fn is_seen_by_caller(&self) -> bool {
        self.viewer.user_ns() == Cred::current().user_ns()
    }
}

/// Number of mounts that the caller can reach in its namespace.
pub(crate) fn count_own() -> usize {
    // SAFETY: the helper locks.
    unsafe { bindings::ckpt_count_own_mounts() as usize }
}

/// Whether `mounted` is the root of a mount that a bind mount of `from` would give.
pub(crate) fn is_same_place(mounted: &File, from: &File) -> bool {
    // SAFETY: both are alive.
    unsafe { bindings::ckpt_same_place(mounted.as_ptr(), from.as_ptr()) }
}

fn with_nul(path: &[u8]) -> Result<KVec<u8>> {
    let mut text = KVec::with_capacity(path.len() + 1, GFP_KERNEL_ACCOUNT)?;
    text.extend_from_slice(path, GFP_KERNEL_ACCOUNT)?;
    text.push(0, GFP_KERNEL_ACCOUNT)?;
    Ok(text)
}

/// Opens a path as the calling task would if `root` were its root directory.
pub(crate) fn open_below(root: &Fs, path: &[u8], flags: u32) -> Result<File> {
    let text = with_nul(path)?;
    let path = CStr::from_bytes_with_nul(&text).map_err(|_| EINVAL)?;
    // SAFETY: the path is alive, so is the name; the function returns a reference or an error pointer.
    unsafe { File::from_raw(bindings::ckpt_open_below(root.root(), path.as_char_ptr(), flags as i32)) }
}

impl File {
    /// Whether it, a directory, is the upper layer or the work directory of an overlay.
    pub(crate) fn is_in_use_by_overlay(&self) -> bool {
        // SAFETY: alive; one word of the inode.
        unsafe { bindings::ckpt_in_use_by_overlay(self.as_ptr()) }
    }

    /// The next names in a directory, each with a NUL; empty at the end.
    pub(crate) fn names(&self) -> Result<KVec<u8>> {
        let mut buf = KVec::<u8>::zeroed(16 * 1024, GFP_KERNEL_ACCOUNT)?;
        // SAFETY: alive, the buffer has that many bytes; the function locks the directory.
        let n = unsafe { bindings::ckpt_read_names(self.as_ptr(), buf.as_mut_ptr().cast(), buf.len() as u32) };
        let n = to_result(n as isize)?;
        buf.truncate(n);
        Ok(buf)
    }

    /// Text of the symbolic link that this is.
    pub(crate) fn link_text(&self) -> Result<KVec<u8>> {
        let mut buf = KVec::<u8>::zeroed(4096, GFP_KERNEL_ACCOUNT)?;
        // SAFETY: alive, the buffer has that many bytes.
        let n = unsafe { bindings::ckpt_read_link(self.as_ptr(), buf.as_mut_ptr().cast(), buf.len() as u32) };
        let n = to_result(n as isize)?;
        buf.truncate(n);
        Ok(buf)
    }

    /// Names of its extended attributes, each with a NUL.
    pub(crate) fn xattr_names(&self) -> Result<KVVec<u8>> {
        // SAFETY: alive; without a buffer the length is asked for.
        let n = match to_result(unsafe { bindings::ckpt_list_xattrs(self.as_ptr(), core::ptr::null_mut(), 0) }) {
            Err(EOPNOTSUPP) => 0,
            other => other?,
        };
        let mut buf = KVVec::<u8>::zeroed(n, GFP_KERNEL_ACCOUNT)?;
        if n > 0 {
            // SAFETY: alive, the buffer has that many bytes.
            let n = unsafe { bindings::ckpt_list_xattrs(self.as_ptr(), buf.as_mut_ptr().cast(), buf.len()) };
            buf.truncate(to_result(n)?);
        }
        Ok(buf)
    }
}
