// SPDX-License-Identifier: GPL-2.0

//! Pseudoterminals whose master is open in the target: terminal emulators, tmux, script, and what runs in them.
//!
//! Saved: number and devpts instance (/dev/pts/N is the same name again), all open files of both ends, also those of /dev/tty; what has
//! not been read in either direction: half a line, whole lines, end-of-file marks, what waits for room, echo not yet written;
//! column; terminal settings, window size, packet mode with its events, lock, exclusive mode, output stopped by `^S` or tcflow(3);
//! owner and permissions of /dev/pts/N; that the slave has been closed. A slave whose master has been closed comes back as one.
//! Not saved: the times of /dev/pts/N (idle time); the number of a slave whose master has been closed; by which mount of a devpts a
//! slave was opened; redirection of the console (TIOCCONS).
//! Refused: a master whose slave somebody outside of the target has open, or as controlling terminal; a slave whose master is outside
//! (unless it is the inherited terminal); other line disciplines, locked settings (TIOCSLCKTRMIOS); an open file that was hung up by
//! vhangup(2), or whose ioctls Landlock denies. At a restart: that another pair has the number.
//! Shown by: pty/, refuse/pty, hostile/values_of_terminals, hostile/numbers_of_terminals.
//!
//! Records: [`ckpt_uapi::record::pty`].  C sources: `drivers/tty/pty.c`, `drivers/tty/n_tty.c`

use super::{census::is_only_of, lock, Dump, Restore, Target};
use crate::{
    error::{Context, Fault, Result},
    objects::{Keeper, Object},
    wrapper::{
        cred::Cred,
        fcntl::{O_NOCTTY, O_NOFOLLOW, O_PATH, O_RDWR},
        file::{install_any, take_fd, with_fd, File, REOPEN_FLAGS},
        lock::Locks,
        mount::open_below,
        path::PathBuf,
        syscall::{nr, CurrentTask},
        task::{fatal_signal_pending, sleep_killable, Task},
        tty::{self, Master, PtyState, Tty}, //
    },
};
use ckpt_uapi::{
    record::{
        file::denied,
        pty::{end, flags, mark_bytes, Pty, PtyFile, ECHO_MAX, FLIP_MAX, INDEX_MAX, READ_MAX},
    },
    statefile::PATH_MAX,
};
use kernel::prelude::*;

/// The statefile has the bits that the wrapper knows.
const _: () = assert!(tty::FLAGS == flags::ALL & !flags::OUTSIDE);

/// O_* flags that are saved; O_ASYNC is set when the owner is.
const FLAGS: u32 = REOPEN_FLAGS | O_NOFOLLOW;

/// As in `asm-generic/ioctls.h`.
const TCSETS2: u64 = 0x402c_542b;
const TIOCSWINSZ: u64 = 0x5414;
const TIOCSPTLCK: u64 = 0x4004_5431;
const TIOCGPTPEER: u64 = 0x5441;

/// Device number of /dev/tty.
const TTY: u64 = 0x500;

/// Where a pair is made of which only a hung-up slave is left.
const PTMX: &[u8] = b"/dev/ptmx";

/// The [`end`] of a pair of the target that an open file is of; `None` for a terminal outside of it. `held` is the number of references
/// to the file that the caller has.
pub(super) fn end_of(target: &Target<'_>, file: &File, tty: &Tty, held: usize) -> Result<Option<u32>> {
    let Some(pair) = tty.pair() else {
        return Ok(None);
    };
    let hung_up = tty.is_hung_up() && !tty.is_master() && tty.open_files().0 == 0;
    Ok(if hung_up {
        // Shared with others, it may be that of whoever has started the target.
        is_only_of(target.whole, file, held).then_some(end::HUNG_UP)
    } else if tty.is_master() {
        Some(end::MASTER)
    } else if !target.whole.census.has_master(pair) {
        None
    } else if file.stat()?.rdev == TTY {
        Some(end::TTY)
    } else {
        Some(end::SLAVE)
    })
}

/// Why an open file of a pair of the target cannot be saved, if it cannot.
pub(super) fn check(target: &Target<'_>, file: &File, tty: &Tty, held: usize) -> Result<Option<&'static str>> {
    let whole = target.whole;
    let pair = tty.pair().unwrap_or(0);
    if tty.is_hung_up() {
        let gone = !tty.is_master() && tty.open_files().0 == 0;
        return Ok((!gone).then_some("terminal that was hung up while its master is open"));
    }
    if !whole.census.has_all_of(pair, tty.open_files()) || !is_only_of(whole, file, held) {
        return Ok(Some("pty that another process holds"));
    }
    if file.landlock_denied() & denied::IOCTL_DEV != 0 {
        return Ok(Some("pty of which Landlock denies ioctls"));
    }
    if !tty.is_plain() {
        return Ok(Some(
            "pty with another line discipline than N_TTY, or with locked settings",
        ));
    }
    check_pair(target, pair)
}

/// Why a pair that is the target's cannot be saved, if it cannot.
pub(crate) fn check_pair(target: &Target<'_>, pair: usize) -> Result<Option<&'static str>> {
    let whole = target.whole;
    let Some(master) = whole.census.master(whole.processes, pair)? else {
        return Ok(Some("pty that another process holds"));
    };
    if !leads_session(target, &master) {
        return Ok(Some("pty that is the controlling terminal of another session"));
    }
    Ok(match path(target, &master)? {
        None => Some("pty outside of the caller's root directory"),
        Some(_) => None,
    })
}

/// Whether the session that has the slave as controlling terminal, if there is one, is that of a process of the target.
fn leads_session(target: &Target<'_>, master: &Master) -> bool {
    let whole = target.whole;
    let Some(session) = master.session(&whole.pid_ns) else {
        return true;
    };
    let leads = |(_, task): (u32, Task)| task.is_session_leader() && task.numbers_in(&whole.pid_ns)[3] == session;
    whole.task_in(&whole.pid_ns, session).is_some_and(leads)
}

/// The path by which the master was opened, and the flag for where that is seen from.
fn path(target: &Target<'_>, master: &Master) -> Result<Option<(PathBuf, u32)>> {
    let mut path = PathBuf::new()?;
    if master.file().print_path(target.names, &mut path)? {
        return Ok(Some((path, 0)));
    }
    if master.file().print_path(&target.whole.caller_fs, &mut path)? {
        return Ok(Some((path, flags::OUTSIDE)));
    }
    Ok(None)
}

/// The objref of a pair; it is written when first met.
pub(crate) fn dump_pair(target: &Target<'_>, pair: usize, dump: &mut Dump<'_>) -> Result<u32> {
    if let Some(objref) = dump.seen.get(pair) {
        return Ok(objref);
    }
    let whole = target.whole;
    let gone = || Fault::new(EOPNOTSUPP, format_args!("a pty has lost its master"));
    let master = whole.census.master(whole.processes, pair)?.ok_or_else(gone)?;
    let (path, outside) = path(target, &master)?.ok_or_else(gone)?;
    let (state, content) = master.save().context(format_args!("cannot read a pty"))?;
    let node = master.node(&Cred::of(target.leader));
    let (t, w) = (&state.termios, &state.winsize);
    let fixed = Pty {
        // The open file keeps the pair, and so its address.
        objref: dump.seen.add(pair, Keeper::File(master.file().clone()))?,
        index: state.index,
        flags: state.flags | outside,
        path_len: path.as_bytes().len() as u32,
        master_read: state.master_read,
        master_flip: state.master_flip,
        slave_read: state.slave_read,
        slave_flip: state.slave_flip,
        echo: state.echo,
        echo_commit: state.echo_commit,
        echo_mark: state.echo_mark,
        canon_head: state.canon_head,
        column: state.column,
        canon_column: state.canon_column,
        lookahead: state.lookahead,
        packet_status: state.packet_status,
        winsize: [w.ws_row, w.ws_col, w.ws_xpixel, w.ws_ypixel],
        iflag: t.c_iflag,
        oflag: t.c_oflag,
        cflag: t.c_cflag,
        lflag: t.c_lflag,
        line: t.c_line,
        cc: t.c_cc,
        ispeed: t.c_ispeed,
        ospeed: t.c_ospeed,
        mode: node.mode,
        uid: node.uid,
        gid: node.gid,
        open_flags: master.file().flags() & FLAGS,
        reserved: 0,
    };
    let mut body = KVVec::new();
    body.extend_from_slice(path.as_bytes(), GFP_KERNEL_ACCOUNT)?;
    body.extend_from_slice(&content, GFP_KERNEL_ACCOUNT)?;
    dump.out.record_with(&fixed, &body[..])?;
    Ok(fixed.objref)
}

/// The objref of an open file of a pair of the target; it is written now.
pub(super) fn dump(target: &Target<'_>, file: &File, tty: &Tty, end: u32, dump: &mut Dump<'_>) -> Result<u32> {
    let pty = match (end, tty.pair()) {
        (end::HUNG_UP, _) | (_, None) => 0,
        (_, Some(pair)) => dump_pair(target, pair, dump)?,
    };
    let mut path = PathBuf::new()?;
    if end == end::TTY {
        file.print_any(&mut path)?;
    }
    let lock = Locks::of(file, target.leader).flock;
    let fixed = PtyFile {
        objref: dump.seen.add(file.address(), Keeper::File(file.clone()))?,
        end,
        pty,
        flags: if end == end::MASTER { 0 } else { file.flags() & FLAGS },
        lock,
        path_len: path.as_bytes().len() as u32,
    };
    dump.out.record_with(&fixed, path.as_bytes())?;
    Ok(fixed.objref)
}

/// Closes a file that has no descriptor, and waits until it is closed: later would be too late for who comes next.
fn close(me: &CurrentTask, file: File) -> kernel::error::Result {
    let fd = u64::from(install_any(&file)?);
    drop(file);
    me.call(nr::__NR_close, &[fd]).map(|_| ())
}

/// Opens a multiplexer.
fn open_master(restore: &Restore<'_>, path: &[u8], how: u32, outside: bool) -> Result<Master> {
    let name = core::str::from_utf8(path).unwrap_or("(not UTF-8)");
    let file = if outside {
        open_below(restore.restarter_fs, path, how | O_NOCTTY)
    } else {
        File::open(path, how | O_NOCTTY)
    }
    .context(format_args!("cannot make a pty: cannot open {name}"))?;
    match Master::of(&file) {
        Some(master) => Ok(master),
        None => Err(Fault::new(ESTALE, format_args!("{name} makes no pty any more"))),
    }
}

/// Makes a pair with this number; `None` when another one has it. The kernel gives away the lowest that is free, so those below are
/// taken for a moment.
fn make_at(restore: &Restore<'_>, path: &[u8], how: u32, outside: bool, index: u32) -> Result<Option<Master>> {
    let mut below: KVVec<Master> = KVVec::new();
    let made = loop {
        if fatal_signal_pending() {
            break Err(EINTR.into());
        }
        let master = match open_master(restore, path, how, outside) {
            Ok(master) => master,
            Err(fault) => break Err(fault),
        };
        let got = Tty::of(master.file()).map_or(u32::MAX, |tty| tty.index());
        if got == index {
            break Ok(Some(master));
        }
        let failed = below.push(master, GFP_KERNEL_ACCOUNT).err();
        if let Some(e) = failed {
            break Err(Error::from(e).into());
        }
        if got > index {
            break Ok(None);
        }
    };
    for master in below {
        close(restore.me, master.into_file())?;
    }
    made
}

/// The same, with patience: another restart may have taken the number for a moment.
fn make(restore: &Restore<'_>, path: &[u8], how: u32, outside: bool, index: u32) -> Result<Master> {
    let limit = tty::limit();
    if index >= limit {
        return Err(Fault::new(
            ENOSPC,
            format_args!("terminal /dev/pts/{index} cannot be made: kernel.pty.max is {limit}"),
        ));
    }
    for _ in 0..5 {
        if let Some(master) = make_at(restore, path, how, outside, index)? {
            return Ok(master);
        }
        sleep_killable(20);
    }
    let name = core::str::from_utf8(path).unwrap_or("(not UTF-8)");
    Err(Fault::new(
        EBUSY,
        format_args!("terminal /dev/pts/{index} (of {name}) is in use by others"),
    ))
}

/// The descriptor of a new open file of the slave.
fn open_peer(me: &CurrentTask, master: &Master, how: u32) -> kernel::error::Result<usize> {
    with_fd(me, master.file(), |fd| {
        me.call(nr::__NR_ioctl, &[fd, TIOCGPTPEER, u64::from(how | O_NOCTTY)])
    })
}

fn unlock(me: &CurrentTask, master: &Master) -> kernel::error::Result {
    let at = me.put(&0u32.to_ne_bytes())?;
    with_fd(me, master.file(), |fd| me.call(nr::__NR_ioctl, &[fd, TIOCSPTLCK, at])).map(|_| ())
}

/// Owner and permissions of /dev/pts/N, where they are not right already.
fn set_node(me: &CurrentTask, master: &Master, r: &Pty) -> Result {
    let now = master.node(&Cred::current());
    if (now.uid, now.gid, now.mode) == (r.uid, r.gid, r.mode) {
        return Ok(());
    }
    // Opened in this way, the slave does not count as open.
    let fd = open_peer(me, master, O_PATH)? as u64;
    let empty = me.put(&[0])?;
    let at_empty = u64::from(nr::AT_EMPTY_PATH);
    let mut done = Ok(0);
    if (now.uid, now.gid) != (r.uid, r.gid) {
        done = me.call(
            nr::__NR_fchownat,
            &[fd, empty, u64::from(r.uid), u64::from(r.gid), at_empty],
        );
    }
    if done.is_ok() && now.mode != r.mode {
        done = me.call(nr::__NR_fchmodat2, &[fd, empty, u64::from(r.mode), at_empty]);
    }
    me.call(nr::__NR_close, &[fd])?;
    done.map(|_| ()).context(format_args!(
        "cannot give /dev/pts/{} its owner {}:{} and mode {:o}",
        r.index, r.uid, r.gid, r.mode
    ))
}

/// Settings of the terminal, by the ioctls that set them.
fn set_settings(me: &CurrentTask, master: &Master, r: &Pty) -> kernel::error::Result {
    let mut termios = [0u8; 44];
    for (at, word) in [
        (0, r.iflag),
        (4, r.oflag),
        (8, r.cflag),
        (12, r.lflag),
        (36, r.ispeed),
        (40, r.ospeed),
    ] {
        termios[at..at + 4].copy_from_slice(&word.to_ne_bytes());
    }
    termios[16] = r.line;
    termios[17..36].copy_from_slice(&r.cc);
    let mut window = [0u8; 8];
    for (bytes, size) in window.chunks_exact_mut(2).zip(r.winsize) {
        bytes.copy_from_slice(&size.to_ne_bytes());
    }
    with_fd(me, master.file(), |fd| {
        let at = me.put(&termios)?;
        me.call(nr::__NR_ioctl, &[fd, TCSETS2, at])?;
        let at = me.put(&window)?;
        me.call(nr::__NR_ioctl, &[fd, TIOCSWINSZ, at])
    })
    .map(|_| ())
}

/// As the wrapper takes it.
fn state(r: &Pty) -> PtyState {
    PtyState {
        index: r.index,
        flags: r.flags & tty::FLAGS,
        master_read: r.master_read,
        master_flip: r.master_flip,
        slave_read: r.slave_read,
        slave_flip: r.slave_flip,
        echo: r.echo,
        echo_commit: r.echo_commit,
        echo_mark: r.echo_mark,
        canon_head: r.canon_head,
        column: r.column,
        canon_column: r.canon_column,
        lookahead: r.lookahead,
        packet_status: r.packet_status,
        ..PtyState::default()
    }
}

/// Makes a pair, filled and set, but for what would be in the way of those who open it.
pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let r: Pty = restore.input.fixed()?;
    let body = restore.input.variable();
    let sizes = [
        (r.path_len, PATH_MAX as u32),
        (r.master_read, READ_MAX),
        (r.master_flip, FLIP_MAX),
        (r.slave_read, READ_MAX),
        (r.slave_flip, FLIP_MAX),
        (r.echo, ECHO_MAX),
    ];
    let length: u64 = sizes.iter().map(|(n, _)| u64::from(*n)).sum();
    if r.objref != restore.made.next()
        || r.index > INDEX_MAX
        || r.flags & !flags::ALL != 0
        || sizes.iter().any(|(n, most)| n > most)
        || body.len() as u64 != length + u64::from(mark_bytes(r.slave_read))
        || r.echo_commit > r.echo
        || r.echo_mark > r.echo
        || r.canon_head > r.slave_read
        || r.lookahead > r.slave_flip
        || r.packet_status > 0xff
        || r.mode & !0o7777 != 0
        || r.open_flags & !FLAGS != 0
        || r.reserved != 0
    {
        return Err(restore.input.bad(EBADMSG, format_args!("wrong values in a pty record")));
    }
    let (path, content) = body.split_at(r.path_len as usize);
    if path.first() != Some(&b'/') || path.contains(&0) {
        return Err(restore.input.bad(EBADMSG, format_args!("not an absolute path")));
    }
    let me = restore.me;
    let master = make(restore, path, r.open_flags, r.flags & flags::OUTSIDE != 0, r.index)?;
    set_node(me, &master, &r)?;
    unlock(me, &master).context(format_args!("cannot unlock a pty"))?;
    set_settings(me, &master, &r).context(format_args!("cannot set a terminal"))?;
    if r.flags & flags::SLAVE_CLOSED != 0 {
        let fd = open_peer(me, &master, O_RDWR).context(format_args!("cannot open a pty"))?;
        me.call(nr::__NR_close, &[fd as u64])?;
    }
    master
        .fill(&state(&r), content)
        .context(format_args!("cannot fill a pty"))?;
    let late = (master.clone(), r.flags & tty::FLAGS, r.packet_status);
    restore.late.ptys.push(late, GFP_KERNEL_ACCOUNT)?;
    Ok(Object::Pty(master))
}

/// A slave whose master is closed: nothing is left of its pair.
fn make_hung_up(restore: &Restore<'_>, how: u32) -> Result<File> {
    let me = restore.me;
    let master = open_master(restore, PTMX, O_RDWR, false)?;
    let slave = unlock(me, &master)
        .and_then(|()| open_peer(me, &master, how))
        .and_then(|fd| take_fd(me, fd));
    close(me, master.into_file())?;
    slave.context(format_args!("cannot open a pty"))
}

/// Makes an open file of a pair.
pub(super) fn restore_file(restore: &mut Restore<'_>) -> Result<Object> {
    let r: PtyFile = restore.input.fixed()?;
    let path = restore.input.variable();
    let is_tty = r.end == end::TTY;
    if r.objref != restore.made.next()
        || !(end::MASTER..=end::HUNG_UP).contains(&r.end)
        || (r.pty == 0) != (r.end == end::HUNG_UP)
        || r.flags & !(if r.end == end::MASTER { 0 } else { FLAGS }) != 0
        || path.len() != r.path_len as usize
        || path.len() > if is_tty { PATH_MAX } else { 0 }
        || (is_tty && path.first() != Some(&b'/'))
        || path.contains(&0)
    {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("wrong values in a pty file record")));
    }
    let me = restore.me;
    let file = if r.end == end::HUNG_UP {
        make_hung_up(restore, r.flags)?
    } else {
        let Some(Object::Pty(master)) = restore.made.get(r.pty) else {
            return Err(restore.input.bad(EBADMSG, format_args!("object {} is no pty", r.pty)));
        };
        let opened = match r.end {
            end::MASTER => Ok(master.file().clone()),
            end::SLAVE => open_peer(me, master, r.flags).and_then(|fd| take_fd(me, fd)),
            _ => master.open_tty(me, path, r.flags),
        };
        let file = opened.context(format_args!("cannot open a pty"))?;
        if is_tty && Tty::of(&file).and_then(|tty| tty.pair()) != Tty::of(master.file()).and_then(|tty| tty.pair()) {
            let name = core::str::from_utf8(path).unwrap_or("(not UTF-8)");
            return Err(Fault::new(
                ESTALE,
                format_args!("{name} is not the controlling terminal any more"),
            ));
        }
        file
    };
    if r.lock != 0 {
        lock::flock(me, &file, r.lock).context(format_args!("cannot lock a terminal again"))?;
    }
    Ok(Object::File(file, 0, 0))
}

/// What refuses a pair to those who open it, or changes when they do.
pub(crate) fn finish(ptys: &mut KVVec<(Master, u32, u32)>) {
    for (master, flags, packet_status) in core::mem::take(ptys) {
        master.finish(flags, packet_status);
    }
}
