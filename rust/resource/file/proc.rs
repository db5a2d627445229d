// SPDX-License-Identifier: GPL-2.0

//! Files of /proc that belong to a process of the target: /proc/PID, /proc/PID/fd, /proc/PID/task/TID/stat, ...
//!
//! Saved: of which process or thread they are, whatever number that has after a restart; flags and offset. What is read from them is
//! what is so then. Other files of /proc, and those of /sys and of cgroups, are saved by path as any file.
//! Not saved: that a file of the memory of a process (mem, maps, ...) was opened before that executed another program.
//! Refused: files of a process outside of the target, or of one that has been reaped; files that stand for a descriptor or a mapping
//! (fdinfo/FD, map_files); files of the memory of a process that is restored later; files of a part of /proc that is mounted elsewhere.
//! Shown by: file/keeps_files_of_proc, refuse/proc, hostile/values_of_files_of_proc, hostile/offsets_in_files_of_proc.
//!
//! Record: [`ckpt_uapi::record::proc`].  C sources: `fs/proc/`

use super::{mode, Dump, Restore, Target, O_NONBLOCK, REOPEN_FLAGS};
use crate::{
    error::{Context, Fault, Result},
    objects::{Keeper, Object},
    resource::Whole,
    wrapper::{
        fcntl::{O_DIRECTORY, O_PATH},
        file::File,
        path::PathBuf,
        proc::Proc,
        task::Task, //
    },
};
use ckpt_uapi::{
    record::{
        proc::{ProcFile as Record, PROCESS},
        RecordType,
    },
    statefile::PATH_MAX,
};
use kernel::prelude::*;

/// Files that keep the address space that the process has when they are opened.
const OF_MEMORY: [&[u8]; 8] = [
    b"mem",
    b"maps",
    b"smaps",
    b"smaps_rollup",
    b"numa_maps",
    b"pagemap",
    b"environ",
    b"auxv",
];

/// What a path below /proc says: a number, perhaps that of a thread, and the rest, which begins with a slash.
struct Parts<'a> {
    process: u32,
    thread: Option<u32>,
    rest: &'a [u8],
}

/// A slash and a number, and what is behind them.
fn split_number(path: &[u8]) -> Option<(u32, &[u8])> {
    let path = path.strip_prefix(b"/")?;
    let end = path.iter().position(|b| *b == b'/').unwrap_or(path.len());
    let number = core::str::from_utf8(&path[..end]).ok()?.parse().ok()?;
    Some((number, &path[end..]))
}

impl<'a> Parts<'a> {
    /// Those of a file of a process.
    fn of(path: &'a [u8]) -> Option<Self> {
        let (process, rest) = split_number(path)?;
        let thread = rest.strip_prefix(b"/task").and_then(split_number);
        Some(Self {
            process,
            thread: thread.map(|(number, _)| number),
            rest: thread.map_or(rest, |(_, rest)| rest),
        })
    }

    fn is_of_memory(&self) -> bool {
        self.rest
            .strip_prefix(b"/")
            .is_some_and(|name| OF_MEMORY.contains(&name))
    }

    /// Whether it is known by a descriptor or a mapping.
    fn is_of_another_file(&self) -> bool {
        let below = |name: &[u8]| self.rest.strip_prefix(name).is_some_and(|rest| rest.len() > 1);
        below(b"/fdinfo") || below(b"/map_files") || below(b"/fd")
    }
}

/// Whether a file is one of a process.
pub(super) fn of(file: &File) -> Option<Proc<'_>> {
    let proc = Proc::of(file)?;
    let mut path = PathBuf::new().ok()?;
    let is_whole = proc.print_path(&mut path).ok()?;
    (!is_whole || Parts::of(path.as_bytes()).is_some()).then_some(proc)
}

/// A task of the target, and its index in the tree.
fn find(whole: &Whole<'_>, proc: &Proc<'_>, number: u32) -> Option<(u32, Task)> {
    let task = proc.task(number)?;
    Some((whole.places.index(&task)?, task))
}

/// What is to be written but the object's number; or why it cannot be saved.
fn record(
    target: &Target<'_>,
    file: &File,
    proc: &Proc<'_>,
    path: &mut PathBuf,
) -> Result<core::result::Result<Record, &'static str>> {
    if !proc.print_path(path)? {
        return Ok(Err("file of a part of /proc that is mounted elsewhere"));
    }
    let parts = Parts::of(path.as_bytes()).ok_or(EINVAL)?;
    let process = find(target.whole, proc, parts.process);
    let thread = parts.thread.map(|number| find(target.whole, proc, number));
    let (Some((process, leader)), true) = (process, thread.as_ref().is_none_or(Option::is_some)) else {
        return Ok(Err("file of /proc of a process outside of the target"));
    };
    let (thread, task) = thread.flatten().unwrap_or((PROCESS, leader));
    if !proc.is_of(&task) || file.is_unlinked() {
        return Ok(Err("file of /proc of a process that has been reaped"));
    }
    if parts.is_of_another_file() {
        return Ok(Err("file of /proc that stands for a descriptor or a mapping"));
    }
    let is_later = || {
        let own = target.whole.places.index(target.leader);
        own.is_none_or(|own| own < process)
    };
    if parts.is_of_memory() && task.shared().mm != target.leader.shared().mm && is_later() {
        return Ok(Err("file of /proc of the memory of a process that is restored later"));
    }
    Ok(Ok(Record {
        objref: 0,
        flags: file.flags() & REOPEN_FLAGS,
        process,
        thread,
        pos: file.pos() as u64,
        proc_len: 0,
        path_len: parts.rest.len() as u32,
    }))
}

/// Why it cannot be saved, if it cannot.
pub(super) fn check(target: &Target<'_>, file: &File, proc: &Proc<'_>) -> Result<Option<&'static str>> {
    let mut path = PathBuf::new()?;
    if let Err(what) = record(target, file, proc, &mut path)? {
        return Ok(Some(what));
    }
    let reached = proc.print_root(target.names, &mut path)?;
    Ok((!reached).then_some("file of a /proc that is outside of the root directory"))
}

/// Writes the object; its objref.
pub(super) fn dump(target: &Target<'_>, file: &File, proc: &Proc<'_>, dump: &mut Dump<'_>) -> Result<u32> {
    let refused = |what: &str| Fault::new(EOPNOTSUPP, format_args!("{what}")).kind(RecordType::ProcFile);
    let (mut path, mut root) = (PathBuf::new()?, PathBuf::new()?);
    let mut r = record(target, file, proc, &mut path)?.map_err(refused)?;
    if !proc.print_root(target.names, &mut root)? {
        return Err(refused("file of a /proc that is outside of the root directory"));
    }
    let root = root.as_bytes();
    let rest = &path.as_bytes()[path.as_bytes().len() - r.path_len as usize..];
    r.proc_len = root.len() as u32;
    let mut both = KVVec::with_capacity(root.len() + rest.len(), GFP_KERNEL_ACCOUNT)?;
    both.extend_from_slice(root, GFP_KERNEL_ACCOUNT)?;
    both.extend_from_slice(rest, GFP_KERNEL_ACCOUNT)?;
    r.objref = dump.seen.add(file.address(), Keeper::File(file.clone()))?;
    dump.out.record_with(&r, &both[..])?;
    Ok(r.objref)
}

/// Adds a slash and a number.
fn push_number(path: &mut KVec<u8>, number: u32) -> Result {
    let mut digits = [0; 10];
    let mut rest = number;
    let mut at = digits.len();
    while at == digits.len() || rest != 0 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    path.push(b'/', GFP_KERNEL_ACCOUNT)?;
    Ok(path.extend_from_slice(&digits[at..], GFP_KERNEL_ACCOUNT)?)
}

/// Makes the object.
pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let r: Record = restore.input.fixed()?;
    let both = restore.input.variable();
    let bad = |errno: Error, text: core::fmt::Arguments<'_>| restore.input.bad(errno, text);
    let (root, rest) = both.split_at_checked(r.proc_len as usize).unwrap_or((b"", both));
    let is_plain = |part: &[u8]| part != b"." && part != b"..";
    if r.objref != restore.made.next()
        || root.first() != Some(&b'/')
        || root.len() + rest.len() > PATH_MAX - 64
        || rest.len() != r.path_len as usize
        || !(rest.is_empty() || rest.first() == Some(&b'/'))
        || !rest.split(|b| *b == b'/').all(is_plain)
        || both.contains(&0)
        || r.flags & !REOPEN_FLAGS != 0
    {
        return Err(bad(EBADMSG, format_args!("wrong values in a proc-file record")));
    }
    let task =
        |index: u32| (restore.task_at)(index).ok_or_else(|| bad(EBADMSG, format_args!("the tree has no task {index}")));
    let name = core::str::from_utf8(root).unwrap_or("(not UTF-8)");
    let directory = File::open(root, O_PATH | O_DIRECTORY).context(format_args!("cannot open {name}"))?;
    let proc = Proc::of(&directory).ok_or_else(|| bad(ESTALE, format_args!("{name} is no /proc any more")))?;
    let unseen = || {
        bad(
            ESTALE,
            format_args!("{name} does not show the process that it showed before"),
        )
    };
    let mut path: KVec<u8> = KVec::new();
    path.extend_from_slice(root, GFP_KERNEL_ACCOUNT)?;
    let mut of = task(r.process)?;
    push_number(&mut path, proc.number(&of).ok_or_else(unseen)?)?;
    if r.thread != PROCESS {
        of = task(r.thread)?;
        path.extend_from_slice(b"/task", GFP_KERNEL_ACCOUNT)?;
        push_number(&mut path, proc.number(&of).ok_or_else(unseen)?)?;
    }
    path.extend_from_slice(rest, GFP_KERNEL_ACCOUNT)?;
    let name = core::str::from_utf8(&path).unwrap_or("(not UTF-8)");
    let file = File::open(&path, r.flags | O_NONBLOCK).context(format_args!("cannot open {name}"))?;
    file.set_nonblock(r.flags & O_NONBLOCK != 0);
    if !matches!(file.mode() & mode::FMT, mode::REGULAR | mode::DIRECTORY)
        || Proc::of(&file).is_none_or(|proc| !proc.is_of(&of))
    {
        return Err(bad(ESTALE, format_args!("{name} is no longer what it was")));
    }
    if !file.can_have_pos(r.pos as i64) {
        return Err(bad(EBADMSG, format_args!("wrong values in a proc-file record")));
    }
    // As by pread(2): lseek(2) would have the text written down as it is now, when the task is not yet what it will be.
    file.set_pos(r.pos as i64);
    Ok(Object::File(file, 0, 0))
}
