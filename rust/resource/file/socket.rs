// SPDX-License-Identifier: GPL-2.0

//! Unix sockets both ends of which belong to the target.
//!
//! Saved: ends of socketpair(2) of all three types; sockets that listen at a path or an abstract name, both ends of connections that they
//! have accepted, and those that wait to be accepted, also of clients that have gone; datagram sockets with names and without, connected to
//! each other or one way; addresses, also automatic ones, and backlogs; messages that wait, with their boundaries, their senders'
//! addresses, credentials, out-of-band byte and open files (SCM_RIGHTS, also sockets that carry sockets); an end whose peer has been
//! closed, or will be by a policy; what shutdown(2) has shut, O_NONBLOCK, SO_SNDBUF, SO_RCVBUF, SO_RCVLOWAT, SO_RCVTIMEO, SO_SNDTIMEO,
//! SO_PEEK_OFF, SO_PASSCRED, SO_PASSPIDFD, SO_PASSSEC, SO_PASSRIGHTS, SO_INQ, SO_RIGHTS_NOTRUNC, SO_OOBINLINE; the peer's credentials
//! (SO_PEERCRED), if the same process or the root of the target has them when it is restarted: else it is a peer that nobody knows (user
//! -1), and process 0 when that process is not in the target. The file of a path is made anew with its owner and permissions, in the place
//! of one that nobody is bound to any more; where the path has been removed, replaced or belongs to a socket that is closed, the address
//! stays as a text, and what is at that path now is left alone.
//! Not saved: options that mean nothing to a Unix socket (SO_KEEPALIVE, SO_PRIORITY, ...); security labels of queued messages
//! (SCM_SECURITY) and of the peer (SO_PEERSEC), which become the restorer's; the process of credentials in a message, if it does not belong
//! to the target (process 0; user and group stay, if the restorer may speak for them); the process of a peer or of a sender that has been
//! reaped before it was saved (SO_PEERPIDFD and SCM_PIDFD give none then; one that is reaped after the restart has a pidfd as ever); where
//! out-of-band data was that has been read (SIOCATMARK).
//! Refused: other families (TCP, UDP, netlink); an end that a process outside of the target holds, or is the peer of; connections that
//! somebody outside has made and that wait to be accepted; connections that wait where the path has been removed; a path that lies outside
//! of the root directory or has more than 107 bytes; more than 16,384 messages in a socket; open files in messages that cannot be saved
//! in a descriptor either; socket filters; timestamps; sockets in BPF maps; a socket of another network namespace than its process.
//! Shown by: socket/, policy/sockets, refuse/socket, hostile/values_of_socket, hostile/values_of_long_messages,
//! hostile/pairs_of_sockets.
//!
//! Records: [`ckpt_uapi::record::socket`].  C source: `net/unix/af_unix.c`

use super::{census::is_only_of, dump_file, refuse, Dump, Restore, Target, TaskOf};
use crate::{
    error::{Context, Fault, Result},
    objects::{Keeper, Made, Object, Unfinished, Unnamed},
    wrapper::{
        cred::Cred,
        fcntl::{O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW, O_PATH, RESOLVE_NO_SYMLINKS},
        file::{in_directory, install_any, mode, open_at, take_fd, with_fd, File},
        ns::{Kind, Nsproxy},
        path::{Fs, PathBuf},
        pid::PidNs,
        socket::{send, Message, Sending, State, Unix},
        syscall::{nr, CurrentTask},
        task::Task, //
    },
};
use ckpt_uapi::record::{
    socket::{
        kind, name, options, pair, shutdown, Socket, SocketData, SocketMessage, SocketOptions, FILES_MAX, FLAGS,
        MESSAGE_MAX, NAME_MAX, PART_MAX,
    },
    RecordType,
};
use kernel::prelude::*;
use zerocopy::FromZeros;

const AF_UNIX: u64 = 1;
const SOCK_CLOEXEC: u64 = 0o2000000;
const SOL_SOCKET: u64 = 1;
const ECONNRESET: u32 = 104;
/// More messages in one queue are refused: each is looked for from the beginning.
const MESSAGES_MAX: u32 = 16384;
/// SO_PEERCRED of a socket that has no peer.
const NOBODY: u32 = u32::MAX;

/// Options as of `asm-generic/socket.h`.
mod so {
    pub(super) const SNDBUF: u64 = 7;
    pub(super) const RCVBUF: u64 = 8;
    pub(super) const OOBINLINE: u64 = 10;
    pub(super) const PASSCRED: u64 = 16;
    pub(super) const RCVLOWAT: u64 = 18;
    pub(super) const RCVTIMEO: u64 = 20;
    pub(super) const SNDTIMEO: u64 = 21;
    pub(super) const SNDBUFFORCE: u64 = 32;
    pub(super) const RCVBUFFORCE: u64 = 33;
    pub(super) const PASSSEC: u64 = 34;
    pub(super) const PEEK_OFF: u64 = 42;
    pub(super) const PASSPIDFD: u64 = 76;
    pub(super) const PASSRIGHTS: u64 = 83;
    pub(super) const INQ: u64 = 84;
    pub(super) const RIGHTS_NOTRUNC: u64 = 85;
}

/// Options that are on or off.
const SWITCHES: [(u32, u64); 7] = [
    (options::PASSCRED, so::PASSCRED),
    (options::PASSSEC, so::PASSSEC),
    (options::PASSPIDFD, so::PASSPIDFD),
    (options::PASSRIGHTS, so::PASSRIGHTS),
    (options::INQ, so::INQ),
    (options::RIGHTS_NOTRUNC, so::RIGHTS_NOTRUNC),
    (options::OOBINLINE, so::OOBINLINE),
];

/// What a socket is like, as the task names others that has it.
fn state(target: &Target<'_>, socket: &Unix) -> State {
    socket.state(&target.whole.pid_ns, &Cred::of(target.leader))
}

/// What a socket is connected to.
enum Connection {
    None,
    /// The other end belongs to the target.
    Pair(File),
    /// A datagram socket of the target that is not connected to this one.
    OneWay(File),
    /// It has been closed, or will be by a policy, or another file will stand for it: so it will be closed for this one.
    Closed,
    /// It waits to be accepted by this socket of the target.
    Waiting(File),
    Outside,
}

impl Connection {
    fn of(target: &Target<'_>, state: &State, file: &File) -> Self {
        let is_ours = |file: &&File| target.whole.census.descriptors(file) > 0;
        if state.peer.is_null() {
            return Self::None;
        }
        if state.peer_closed {
            return Self::Closed;
        }
        let waits_at = state.waits_at.as_ref().filter(is_ours);
        match (state.peer_file.as_ref().filter(is_ours), waits_at) {
            (Some(other), _) | (None, Some(other)) if is_decided(target, other) => Self::Closed,
            (Some(peer), _) if state.mutual && peer.address() != file.address() => Self::Pair(peer.clone()),
            (Some(peer), _) => Self::OneWay(peer.clone()),
            (None, Some(listener)) => Self::Waiting(listener.clone()),
            (None, None) => Self::Outside,
        }
    }
}

/// Whether a policy has put something else in the place of a socket.
fn is_decided(target: &Target<'_>, file: &File) -> bool {
    target.whole.decisions.of(file).is_some()
}

/// The address of the open file that listens at an address, and will.
fn listener_at(target: &Target<'_>, state: &State) -> Option<usize> {
    let file = target.whole.census.listener(state.address as usize);
    file.filter(|file| target.whole.decisions.at(*file).is_none())
}

/// Names whatever keeps a socket from being saved. `held` is the number of references to the file that the caller has.
pub(super) fn check(target: &Target<'_>, file: &File, held: usize) -> Result {
    let Some(socket) = Unix::of(file) else {
        return Err(refuse(file, "socket of another family than AF_UNIX"));
    };
    if !is_only_of(target.whole, file, held) {
        return Err(refuse(file, "Unix socket that another process holds"));
    }
    let state = state(target, &socket);
    if state.net as usize != Nsproxy::of(target.leader)?.address(Kind::Net) {
        return Err(refuse(file, "Unix socket of another network namespace"));
    }
    if state.unusual {
        return Err(refuse(
            file,
            "Unix socket with a filter, with timestamps or in a BPF map",
        ));
    }
    if let Connection::Outside = Connection::of(target, &state, file) {
        return Err(outside(target, &socket, &state, file));
    }
    let what = match check_address(target, &state)? {
        None if state.listening => check_waiting(target, &socket, &state)?,
        None => check_messages(target, &socket, &state)?,
        what => what,
    };
    what.map_or(Ok(()), |what| Err(refuse(file, what)))
}

/// Names the peer that does not belong to the target: its address, its inode, and the process that has made the connection.
fn outside(target: &Target<'_>, socket: &Unix, its: &State, file: &File) -> Fault {
    let peer = socket.peer().map(|peer| state(target, &peer));
    let address = peer.as_ref().map_or(&[][..], |peer| peer.name());
    let inode = its.peer_file.as_ref().and_then(|peer| peer.stat().ok());
    let mut own = match PathBuf::new() {
        Ok(own) => own,
        Err(e) => return e.into(),
    };
    let _ = file.print_any(&mut own);
    let (prefix, text) = match address {
        [0, name @ ..] => ("@", name),
        name => ("", name),
    };
    // Of a pair it is who has made both ends.
    let process = if is_member(target, its.peer_pid) {
        0
    } else {
        its.peer_pid
    };
    let comm = Task::from_vpid(process as i32).map_or([0; 16], |task| task.comm());
    let comm = comm.split(|byte| *byte == 0).next().unwrap_or(&[]);
    Fault::new(
        EOPNOTSUPP,
        format_args!(
            "Unix socket whose peer is outside of the target cannot be saved: {}, connected to socket:[{}] {}{}, process {} {}",
            own.as_str(),
            inode.map_or(0, |stat| stat.ino),
            prefix,
            core::str::from_utf8(text).unwrap_or("(not UTF-8)"),
            process,
            core::str::from_utf8(comm).unwrap_or("(not UTF-8)"),
        ),
    )
    .kind(RecordType::Socket)
}

/// Whether a process, as the task knows it, belongs to the target.
fn is_member(target: &Target<'_>, pid: u32) -> bool {
    let of = |ns: PidNs| target.whole.task_in(&ns, pid);
    let task = PidNs::of(target.leader).ok().and_then(of);
    task.is_some_and(|(_, task)| task.tgid_for(target.leader) == Ok(pid))
}

/// How the address of a socket is saved ([`mod@name`]).
fn name_of(target: &Target<'_>, state: &State) -> u32 {
    if state.address.is_null() {
        name::NONE
    } else if state.own_address {
        // A path that has been removed is a text.
        if state.unlinked {
            name::TEXT
        } else {
            name::BOUND
        }
    } else if !state.listening && listener_at(target, state).is_some() {
        name::NONE
    } else {
        name::TEXT
    }
}

/// Why the address of a socket cannot be saved, if it cannot.
fn check_address(target: &Target<'_>, state: &State) -> Result<Option<&'static str>> {
    if name_of(target, state) != name::BOUND || !state.has_path() {
        return Ok(None);
    }
    let mut path = PathBuf::new()?;
    Ok(if !state.print_path(target.names, &mut path)? {
        Some("Unix socket outside of the root directory")
    } else if path.as_bytes().len() >= NAME_MAX as usize {
        Some("Unix socket whose path is that long")
    } else {
        None
    })
}

/// The same of what waits to be accepted.
fn check_waiting(target: &Target<'_>, listener: &Unix, its: &State) -> Result<Option<&'static str>> {
    for nth in 0..its.messages {
        let Some(waiting) = listener.waiting(nth) else {
            break;
        };
        if name_of(target, its) != name::BOUND {
            return Ok(Some(
                "Unix socket whose path has been removed, with connections that wait to be accepted",
            ));
        }
        let state = state(target, &waiting);
        if let Some(what) = check_client(target, &state) {
            return Ok(Some(what));
        }
        if let Some(what) = check_messages(target, &waiting, &state)? {
            return Ok(Some(what));
        }
    }
    Ok(None)
}

/// The same of who has made a connection that waits. One who has closed it since leaves only what was sent.
fn check_client(target: &Target<'_>, waiting: &State) -> Option<&'static str> {
    let is_outside = |file: &File| target.whole.census.descriptors(file) == 0;
    let is_outside = waiting.peer_file.as_ref().is_some_and(is_outside);
    is_outside.then_some("Unix socket at which somebody outside of the target waits to be accepted")
}

/// The same of how many messages wait.
fn check_number(state: &State) -> Option<&'static str> {
    (state.messages > MESSAGES_MAX).then_some("Unix socket with that many messages")
}

/// The same of the length of one.
fn check_length(message: &Message) -> Option<&'static str> {
    (message.length > MESSAGE_MAX as usize).then_some("Unix socket with a message of that size")
}

/// The same of messages.
fn check_messages(target: &Target<'_>, socket: &Unix, state: &State) -> Result<Option<&'static str>> {
    if let Some(what) = check_number(state) {
        return Ok(Some(what));
    }
    for nth in 0..state.messages {
        match socket
            .message(nth, target.leader, &mut [])
            .map(|message| check_length(&message))
        {
            Ok(Some(what)) => return Ok(Some(what)),
            Ok(None) => {}
            // While the target runs it may have been read.
            Err(e) if e == ENOENT => break,
            Err(e) => return Err(e.into()),
        }
    }
    Ok(None)
}

/// The objref of a socket; it is written with the other end, what waits to be accepted with the socket at which it waits. What is in
/// their queues follows when all descriptors of the task have been met ([`finish`]).
pub(super) fn dump(target: &Target<'_>, file: &File, dump: &mut Dump<'_>) -> Result<u32> {
    let socket = Unix::of(file).ok_or(EINVAL)?;
    let its = state(target, &socket);
    let listener = dump_listener(target, &its, dump)?;
    let place = Place::alone(file, listener);
    let other = match Connection::of(target, &its, file) {
        Connection::None | Connection::OneWay(_) => None,
        Connection::Pair(peer) => Some(Some(peer)),
        Connection::Closed => Some(None),
        Connection::Waiting(listener) => {
            dump_file(target, &listener, HELD, dump)?;
            return dump.seen.get(file.address()).ok_or_else(changed);
        }
        Connection::Outside => return Err(outside(target, &socket, &its, file)),
    };
    let Some(peer) = other else {
        let objref = place.dump(target, socket.clone(), &its, dump)?;
        if its.listening {
            dump_waiting(target, (&socket, &its), file, objref, dump)?;
        }
        return Ok(objref);
    };
    // Who has accepted the other end comes before both, too.
    let closed = socket.peer().ok_or_else(changed)?;
    let theirs = state(target, &closed);
    let place = Place {
        pair: pair::FIRST,
        ..place
    };
    match &peer {
        Some(peer) => {
            let listener = dump_listener(target, &theirs, dump)?;
            let first = place.dump(target, socket, &its, dump)?;
            let second = Place {
                pair: pair::SECOND,
                ..Place::alone(peer, listener)
            };
            second.dump(target, closed, &theirs, dump)?;
            Ok(first)
        }
        None => {
            let first = place.dump(target, socket, &its, dump)?;
            dump_ghost(closed.address(), file, [pair::SECOND, its.type_], theirs.name(), dump)?;
            Ok(first)
        }
    }
}

/// The number of references that we hold was right when it was checked.
const HELD: usize = usize::MAX / 2;

fn changed() -> Fault {
    Fault::new(
        EOPNOTSUPP,
        format_args!("a Unix socket is not what it was when it was checked"),
    )
}

/// The objref of the socket that has accepted one, or 0.
fn dump_listener(target: &Target<'_>, state: &State, dump: &mut Dump<'_>) -> Result<u32> {
    if state.address.is_null() || state.own_address || state.listening {
        return Ok(0);
    }
    let Some(address) = listener_at(target, state) else {
        return Ok(0);
    };
    if let Some(objref) = dump.seen.get(address) {
        return Ok(objref);
    }
    let census = &target.whole.census;
    let listener = census.find(target.whole.processes, address)?.ok_or_else(changed)?;
    dump_file(target, &listener, HELD, dump)
}

/// Where a socket stands in the statefile.
struct Place<'a> {
    /// Its open file; none while it waits to be accepted.
    file: Option<&'a File>,
    /// What keeps it.
    keeper: &'a File,
    pair: u32,
    listener: u32,
    client: u32,
}

impl<'a> Place<'a> {
    fn alone(file: &'a File, listener: u32) -> Self {
        Self {
            file: Some(file),
            keeper: file,
            pair: pair::ALONE,
            listener,
            client: 0,
        }
    }

    /// Writes the socket; its objref.
    fn dump(&self, target: &Target<'_>, socket: Unix, state: &State, dump: &mut Dump<'_>) -> Result<u32> {
        let mut r = Socket::new_zeroed();
        let mut path = PathBuf::new()?;
        let mut body: KVVec<u8> = KVVec::new();
        r.objref = dump.seen.add(
            self.file.map_or(socket.address(), File::address),
            Keeper::File(self.keeper.clone()),
        )?;
        r.flags = self.file.map_or(0, File::flags) & FLAGS;
        (r.kind, r.pair, r.listener, r.client) = (state.type_, self.pair, self.listener, self.client);
        r.listening = u32::from(state.listening);
        if state.listening {
            // As many as wait now, if it has been made shorter since.
            r.backlog = state.backlog.max(state.messages.saturating_sub(1));
        }
        r.name = if self.client == 0 {
            name_of(target, state)
        } else {
            name::NONE
        };
        if r.name != name::NONE {
            body.extend_from_slice(state.name(), GFP_KERNEL_ACCOUNT)?;
            r.name_len = state.name().len() as u32;
        }
        if r.name == name::BOUND && state.has_path() {
            state.print_path(target.names, &mut path)?;
            body.extend_from_slice(path.as_bytes(), GFP_KERNEL_ACCOUNT)?;
            r.path_len = path.as_bytes().len() as u32;
            (r.mode, r.uid, r.gid) = (state.mode & 0o7777, state.uid, state.gid);
        }
        dump.out.record_with(&r, &body[..])?;
        let unfinished = Unfinished {
            objref: r.objref,
            socket,
            file: self.file.cloned(),
            keeper: self.keeper.clone(),
        };
        dump.seen.sockets.push(unfinished, GFP_KERNEL_ACCOUNT)?;
        Ok(r.objref)
    }
}

/// Writes a socket that the target does not have: closed by now, or of somebody else. It only is the sender of messages, or a peer.
fn dump_ghost(address: usize, keeper: &File, [pair, kind]: [u32; 2], text: &[u8], dump: &mut Dump<'_>) -> Result<u32> {
    let mut r = Socket::new_zeroed();
    r.objref = dump.seen.add(address, Keeper::File(keeper.clone()))?;
    (r.kind, r.pair, r.name_len) = (kind, pair, text.len() as u32);
    r.name = name::CLOSED;
    dump.out.record_with(&r, text)?;
    dump.seen.closed.push(r.objref, GFP_KERNEL_ACCOUNT)?;
    Ok(r.objref)
}

/// Writes the connections that wait at a socket, with the clients. Somebody outside may have connected since it was checked.
fn dump_waiting(
    target: &Target<'_>,
    (listener, at): (&Unix, &State),
    file: &File,
    objref: u32,
    dump: &mut Dump<'_>,
) -> Result {
    for nth in 0.. {
        let Some(waiting) = listener.waiting(nth) else {
            break;
        };
        // Its backlog has been written.
        if nth >= at.messages {
            return Err(changed());
        }
        let its = state(target, &waiting);
        if let Some(what) = check_client(target, &its) {
            return Err(refuse(file, what));
        }
        let made_by = waiting.peer().ok_or_else(changed)?;
        let theirs = state(target, &made_by);
        let client = match its.peer_file.as_ref().filter(|file| !is_decided(target, file)) {
            Some(client) => Place::alone(client, 0).dump(target, made_by, &theirs, dump)?,
            None => dump_ghost(made_by.address(), file, [pair::ALONE, its.type_], theirs.name(), dump)?,
        };
        let place = Place {
            file: None,
            keeper: file,
            pair: pair::WAITING,
            listener: objref,
            client,
        };
        place.dump(target, waiting, &its, dump)?;
    }
    Ok(())
}

/// Writes what waits in the sockets that have been met, and what they are set to.
pub(crate) fn finish_sockets(target: &Target<'_>, dump: &mut Dump<'_>) -> Result {
    let mut finished: KVVec<(Unfinished, u32)> = KVVec::new();
    loop {
        let lot = core::mem::take(&mut dump.seen.sockets);
        if lot.is_empty() {
            break;
        }
        for unfinished in lot {
            let its = state(target, &unfinished.socket);
            if !its.listening {
                dump_messages(target, &unfinished, &its, dump)?;
            }
            let peer = match unfinished.file.as_ref().map(|file| Connection::of(target, &its, file)) {
                Some(Connection::OneWay(peer)) => dump_file(target, &peer, HELD, dump)?,
                _ => 0,
            };
            finished.push((unfinished, peer), GFP_KERNEL_ACCOUNT)?;
        }
    }
    for (unfinished, peer) in finished {
        let state = state(target, &unfinished.socket);
        dump.out.record(&saved_options(unfinished.objref, peer, &state))?;
    }
    for objref in core::mem::take(&mut dump.seen.closed) {
        let mut r = SocketOptions::new_zeroed();
        (r.socket, r.closed) = (objref, 1);
        dump.out.record(&r)?;
    }
    Ok(())
}

/// Writes what waits in a socket. Somebody outside may have sent more since it was checked.
fn dump_messages(target: &Target<'_>, to: &Unfinished, state: &State, dump: &mut Dump<'_>) -> Result {
    let fit = |what: Option<&'static str>| what.map_or(Ok(()), |what| Err(refuse(&to.keeper, what)));
    fit(check_number(state))?;
    for nth in 0..state.messages {
        let message = to.socket.message(nth, target.leader, &mut [])?;
        fit(check_length(&message))?;
        let length = message.length;
        let mut bytes = KVVec::from_elem(0u8, length, GFP_KERNEL_ACCOUNT)?;
        let message = to.socket.message(nth, target.leader, &mut bytes)?;
        let sender = dump_sender(target, &message, to, state, dump)?;
        let mut body: KVVec<u8> = KVVec::new();
        let mut files = 0;
        if to.socket.flying() > 0 {
            for file in to.socket.files(nth)? {
                // What is not in the census was not checked.
                let is_unknown = target.whole.census.descriptors(&file) == 0;
                fit(is_unknown.then_some("Unix socket to which a file was sent after it had been checked"))?;
                let objref = dump_file(target, &file, HELD, dump)?;
                body.extend_from_slice(&objref.to_ne_bytes(), GFP_KERNEL_ACCOUNT)?;
                files += 1;
            }
        }
        let (first, rest) = bytes.split_at(length.min(PART_MAX as usize));
        body.extend_from_slice(first, GFP_KERNEL_ACCOUNT)?;
        let fixed = SocketMessage {
            socket: to.objref,
            sender,
            length: length as u32,
            credentials: u32::from(message.has_cred),
            pid: if is_member(target, message.pid) { message.pid } else { 0 },
            uid: message.uid,
            gid: message.gid,
            files,
            oob: u32::from(message.oob),
            reserved: 0,
        };
        dump.out.record_with(&fixed, &body[..])?;
        for part in rest.chunks(PART_MAX as usize) {
            let fixed = SocketData {
                socket: to.objref,
                length: part.len() as u32,
            };
            dump.out.record_with(&fixed, part)?;
        }
    }
    Ok(())
}

/// The objref of the socket that a message was sent from.
fn dump_sender(
    target: &Target<'_>,
    message: &Message,
    to: &Unfinished,
    state: &State,
    dump: &mut Dump<'_>,
) -> Result<u32> {
    match &message.sender_file {
        Some(file) if target.whole.census.descriptors(file) > 0 && !is_decided(target, file) => {
            return dump_file(target, file, HELD, dump)
        }
        _ => {}
    }
    let address = message.sender as usize;
    if let Some(objref) = dump.seen.get(address) {
        return Ok(objref);
    }
    // What keeps the queue keeps it.
    let keeper = to.file.as_ref().ok_or_else(changed)?;
    dump_ghost(address, keeper, [pair::ALONE, state.type_], message.name(), dump)
}

fn saved_options(objref: u32, peer: u32, state: &State) -> SocketOptions {
    SocketOptions {
        socket: objref,
        closed: 0,
        shutdown: state.shutdown & shutdown::ALL,
        options: state.options & options::ALL,
        sndbuf: state.sndbuf,
        rcvbuf: state.rcvbuf,
        rcvlowat: state.rcvlowat as u32,
        peek_off: state.peek_off,
        rcvtimeo_us: state.rcvtimeo_us,
        sndtimeo_us: state.sndtimeo_us,
        error: if state.error as u32 == ECONNRESET {
            ECONNRESET
        } else {
            0
        },
        peer_pid: state.peer_pid,
        peer_uid: state.peer_uid,
        peer_gid: state.peer_gid,
        peer,
        reserved: 0,
    }
}

fn bad(restore: &Restore<'_>, what: &str) -> Fault {
    restore.input.bad(EBADMSG, format_args!("{what}"))
}

/// Makes a socket, or takes the second one of the pair that was made before.
pub(super) fn restore(restore: &mut Restore<'_>) -> Result<Object> {
    let r: Socket = restore.input.fixed()?;
    let body = restore.input.variable();
    if r.objref != restore.made.next()
        || r.flags & !FLAGS != 0
        || ![kind::STREAM, kind::DGRAM, kind::SEQPACKET].contains(&r.kind)
        || restore.made.sockets().second.is_some() != (r.pair == pair::SECOND)
        || (r.client != 0) != (r.pair == pair::WAITING)
        || (r.client != 0 && (r.listener == 0 || r.listening == 1))
        || r.name > name::CLOSED
        || (r.name != name::CLOSED && (r.name == name::NONE) != (r.name_len == 0))
        || (r.name == name::CLOSED && (r.listening == 1 || r.client != 0))
        || (r.name != name::NONE && r.listener != 0)
        || r.name_len > NAME_MAX
        || r.path_len >= NAME_MAX
        || (r.name != name::BOUND && r.path_len != 0)
        || body.len() as u64 != u64::from(r.name_len) + u64::from(r.path_len)
        || r.listening > 1
        || (r.listening == 1 && r.name_len == 0)
        || r.backlog > i32::MAX as u32
        || r.mode & !0o7777 != 0
    {
        return Err(bad(restore, "wrong values in a socket record"));
    }
    let me = restore.me;
    let how = u64::from(r.kind) | SOCK_CLOEXEC;
    let file = match r.pair {
        pair::ALONE => {
            let fd = me
                .call(nr::__NR_socket, &[AF_UNIX, how, 0])
                .context(format_args!("cannot make a Unix socket"))?;
            take_fd(me, fd)?
        }
        pair::FIRST => {
            let at = me.put_words(&[0])?;
            me.call(nr::__NR_socketpair, &[AF_UNIX, how, 0, at])
                .context(format_args!("cannot make a pair of Unix sockets"))?;
            let [first, second] = me.get_pair(at)?;
            let first = take_fd(me, first as usize)?;
            restore.made.sockets().second = Some(take_fd(me, second as usize)?);
            first
        }
        pair::WAITING => return connect(restore, &r).map(Object::Waiting),
        _ => {
            let second = restore.made.sockets().second.take();
            let second = second.ok_or_else(|| bad(restore, "unknown kind of connection"))?;
            let made = Unix::of(&second).ok_or(EINVAL)?;
            if state_now(me, &made)?.type_ != r.kind {
                return Err(bad(restore, "the ends of a pair are of two types"));
            }
            second
        }
    };
    give_address(restore, &r, &file)?;
    file.set_nonblock(r.flags != 0);
    Ok(if r.name == name::CLOSED {
        Object::Ghost(file)
    } else {
        Object::Socket(file)
    })
}

/// Has a new socket be bound, or accepted, and listen.
fn give_address(restore: &Restore<'_>, r: &Socket, file: &File) -> Result {
    let me = restore.me;
    let socket = Unix::of(file).ok_or(EINVAL)?;
    if r.listener != 0 {
        let listener = restore.made.socket(r.listener).and_then(Unix::of);
        let listener = listener.ok_or_else(|| bad(restore, "a socket was accepted by what is no socket"))?;
        let shared = socket.share_address(&listener);
        return shared.map_err(|_| bad(restore, "a socket was accepted by one that does not listen"));
    }
    let listen = |fd| {
        me.call(nr::__NR_listen, &[fd, u64::from(r.backlog)])
            .context(format_args!("a Unix socket cannot listen any more"))
            .map(|_| ())
    };
    if r.name != name::BOUND {
        let text = restore.input.variable();
        // Others know a datagram socket by an abstract name only if it is bound to it.
        if r.name == name::TEXT && (r.kind == kind::DGRAM || r.pair == pair::ALONE) && text.first() == Some(&0) {
            return Err(bad(restore, "an abstract name is only a text"));
        }
        if !text.is_empty() {
            socket.set_name(text)?;
        }
        return if r.listening == 1 {
            with_fd(me, file, listen)
        } else {
            Ok(())
        };
    }
    let (name, path) = restore.input.variable().split_at(r.name_len as usize);
    let is_abstract = name.first() == Some(&0);
    if is_abstract != path.is_empty()
        || (!is_abstract && (path.first() != Some(&b'/') || path.contains(&0) || name.contains(&0)))
    {
        return Err(bad(restore, "an address is neither abstract nor a path"));
    }
    with_fd(me, file, |fd| {
        bind(me, fd, name, path)?;
        if !is_abstract {
            own(me, &socket, r, path)?;
            // It was bound by its name in the directory.
            socket.set_name(name)?;
        }
        if r.listening == 1 {
            listen(fd)?;
        }
        Ok(())
    })
}

/// Binds to an abstract name, or to a path, which becomes a file of its own again.
fn bind(me: &CurrentTask, fd: u64, name: &[u8], path: &[u8]) -> Result {
    let text = core::str::from_utf8(if path.is_empty() { &name[1..] } else { path }).unwrap_or("(not UTF-8)");
    if path.is_empty() {
        let at = put_address(me, name)?;
        me.call(nr::__NR_bind, &[fd, at, 2 + name.len() as u64])
            .context(format_args!("cannot bind a Unix socket to the abstract name {text}"))?;
        return Ok(());
    }
    // Once, and by no symbolic link, of which a path that was saved has none: nobody can lead us to a directory that he could not put
    // there, now or by the time that the file is made.
    let slash = path.iter().rposition(|byte| *byte == b'/').ok_or(EINVAL)?;
    let (parent, name) = path.split_at(slash + 1);
    if name.is_empty() {
        return Err(Fault::new(
            EINVAL,
            format_args!("cannot bind a Unix socket to {text}, a directory"),
        ));
    }
    let parent = open_at(me, None, parent, O_PATH | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS)
        .context(format_args!("cannot bind a Unix socket to {text}"))?;
    make_way(me, &parent, name).context(format_args!("cannot bind a Unix socket to {text}, which is in use"))?;
    let bound = in_directory(me, &parent, || {
        let at = put_address(me, name)?;
        me.call(nr::__NR_bind, &[fd, at, 2 + name.len() as u64])
    });
    bound.context(format_args!("cannot bind a Unix socket to {text}"))?;
    Ok(())
}

/// Gives the file that a socket is bound to its owner and permissions: whoever may write to the directory can have put another one, or a
/// symbolic link, at the path.
fn own(me: &CurrentTask, socket: &Unix, r: &Socket, path: &[u8]) -> Result {
    let owned = |fd| -> kernel::error::Result {
        let (empty, at_empty) = (me.put(&[0])?, u64::from(nr::AT_EMPTY_PATH));
        let ids = [r.uid, r.gid].map(u64::from);
        me.call(nr::__NR_fchownat, &[fd, empty, ids[0], ids[1], at_empty])?;
        me.call(nr::__NR_fchmodat2, &[fd, empty, u64::from(r.mode), at_empty])?;
        Ok(())
    };
    let bound = state_now(me, socket).and_then(|state| state.open());
    let text = core::str::from_utf8(path).unwrap_or("(not UTF-8)");
    bound
        .and_then(|file| with_fd(me, &file, owned))
        .context(format_args!("cannot give {text} its owner and permissions"))
}

/// `struct sockaddr_un` in the scratch mapping.
fn put_address(me: &CurrentTask, name: &[u8]) -> kernel::error::Result<u64> {
    me.put_at(2, name)?;
    me.put(&(AF_UNIX as u16).to_ne_bytes())
}

/// Removes the file of a socket that nobody is bound to any more. `EADDRINUSE` when somebody is, or it is something else.
fn make_way(me: &CurrentTask, parent: &File, name: &[u8]) -> kernel::error::Result {
    let Some(there) = entry(me, parent, name)? else {
        return Ok(());
    };
    // Not EEXIST, by which ckptctl knows that a pid is in use.
    if there.mode() & mode::FMT != mode::SOCKET {
        return Err(EADDRINUSE);
    }
    has_nobody(me, parent, name)?;
    // There is no removal by inode: for a moment another one can be put there, by whom that directory lets rename.
    match entry(me, parent, name)? {
        None => Ok(()),
        Some(now) if now.inode() == there.inode() => with_fd(me, parent, |fd| {
            let at = me.put_path(name)?;
            me.call(nr::__NR_unlinkat, &[fd, at, 0]).map(|_| ())
        }),
        Some(_) => Err(EADDRINUSE),
    }
}

/// What a directory has of that name, also a symbolic link.
fn entry(me: &CurrentTask, parent: &File, name: &[u8]) -> kernel::error::Result<Option<File>> {
    match open_at(me, Some(parent), name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0, 0) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e == ENOENT => Ok(None),
        Err(e) => Err(e),
    }
}

/// `EADDRINUSE` when somebody is bound to a file of a directory.
fn has_nobody(me: &CurrentTask, parent: &File, name: &[u8]) -> kernel::error::Result {
    // Of another type (EPROTOTYPE) or not: somebody has it.
    let fd = me.call(nr::__NR_socket, &[AF_UNIX, u64::from(kind::DGRAM) | SOCK_CLOEXEC, 0])? as u64;
    let tried = in_directory(me, parent, || {
        let at = put_address(me, name)?;
        me.call(nr::__NR_connect, &[fd, at, 2 + name.len() as u64])
    });
    me.call(nr::__NR_close, &[fd])?;
    match tried {
        Err(e) if e == ECONNREFUSED => Ok(()),
        Err(e) if e == EACCES => Err(e),
        _ => Err(EADDRINUSE),
    }
}

/// Makes a connection again that waits to be accepted: the end that waits.
fn connect(restore: &Restore<'_>, r: &Socket) -> Result<Unix> {
    let me = restore.me;
    let unknown = || bad(restore, "a connection is not from a new socket to one that listens");
    let client = restore.made.socket(r.client).ok_or_else(unknown)?;
    let listener = restore.made.socket(r.listener).and_then(Unix::of).ok_or_else(unknown)?;
    let its = state_now(me, &listener)?;
    let clients = match Unix::of(client) {
        Some(socket) => state_now(me, &socket)?,
        None => return Err(unknown()),
    };
    if !its.listening || !its.own_address || clients.type_ != its.type_ || clients.listening || !clients.peer.is_null()
    {
        return Err(unknown());
    }
    let mut path = PathBuf::new()?;
    if its.has_path() && !its.print_path(&Fs::of(me.task())?, &mut path)? {
        return Err(bad(restore, "a connection is with what cannot be reached"));
    }
    let address = if its.has_path() { path.as_bytes() } else { its.name() };
    if address.len() > NAME_MAX as usize {
        return Err(unknown());
    }
    let at = put_address(me, address)?;
    let nonblock = client.flags() & FLAGS != 0;
    // Where too many wait it would wait for ever.
    client.set_nonblock(true);
    let connected = with_fd(me, client, |fd| {
        me.call(nr::__NR_connect, &[fd, at, 2 + address.len() as u64])
    });
    client.set_nonblock(nonblock);
    let text = core::str::from_utf8(address).unwrap_or("(not UTF-8)");
    connected.context(format_args!("cannot connect to a Unix socket of the target: {text}"))?;
    let waiting = Unix::of(client).and_then(|client| client.peer()).ok_or_else(unknown)?;
    // Whoever may write to the directory can put a socket of its own there.
    if !waiting.waits_at(&listener) {
        return Err(Fault::new(
            ESTALE,
            format_args!("{text} leads to another socket than the one that the target has bound to it"),
        ));
    }
    Ok(waiting)
}

/// A message that is being read: it takes as much memory as there are bytes of it.
pub(crate) struct Arriving {
    message: SocketMessage,
    /// Objrefs of the open files that it carries.
    files: KVVec<u8>,
    bytes: KVVec<u8>,
}

impl Arriving {
    /// Bytes that have not come.
    fn missing(&self) -> usize {
        (self.message.length as usize).saturating_sub(self.bytes.len())
    }
}

/// Says that a message ends before its end.
pub(super) fn lacks_parts(restore: &Restore<'_>) -> Fault {
    bad(restore, "a message in a socket is longer than what there is of it")
}

/// Reads a message, and sends it again when all of it is there.
pub(super) fn restore_message(restore: &mut Restore<'_>) -> Result {
    let r: SocketMessage = restore.input.fixed()?;
    let body = restore.input.variable();
    let sender = [r.pid, r.uid, r.gid];
    if r.credentials > 1
        || r.oob > 1
        || r.reserved != 0
        || r.length > MESSAGE_MAX
        || r.files > FILES_MAX
        || body.len() as u64 != u64::from(r.length.min(PART_MAX)) + 4 * u64::from(r.files)
        || (r.credentials == 0 && sender != [0, 0, 0])
    {
        return Err(bad(restore, "wrong values in a socket-message record"));
    }
    let (objrefs, first) = body.split_at(4 * r.files as usize);
    let mut arriving = Arriving {
        message: r,
        files: KVVec::new(),
        bytes: KVVec::new(),
    };
    arriving.files.extend_from_slice(objrefs, GFP_KERNEL_ACCOUNT)?;
    arriving.bytes.extend_from_slice(first, GFP_KERNEL_ACCOUNT)?;
    arrive(restore, arriving)
}

/// Reads the next part of a message.
pub(super) fn restore_data(restore: &mut Restore<'_>) -> Result {
    let r: SocketData = restore.input.fixed()?;
    let part = restore.input.variable();
    let Some(mut arriving) = restore.late.arriving.take() else {
        return Err(bad(restore, "a part stands behind no message that lacks it"));
    };
    if r.socket != arriving.message.socket
        || part.len() != r.length as usize
        || part.len() != arriving.missing().min(PART_MAX as usize)
    {
        return Err(bad(restore, "wrong values in a socket-data record"));
    }
    arriving.bytes.extend_from_slice(part, GFP_KERNEL_ACCOUNT)?;
    arrive(restore, arriving)
}

/// Sends a message of which all is there, or waits for the rest.
fn arrive(restore: &mut Restore<'_>, arriving: Arriving) -> Result {
    if arriving.missing() != 0 {
        restore.late.arriving = Some(arriving);
        return Ok(());
    }
    let (r, bytes) = (arriving.message, &arriving.bytes[..]);
    let sender = [r.pid, r.uid, r.gid];
    let sockets = (restore.made.socket(r.sender), restore.made.unix(r.socket));
    let (Some(from), Some(to)) = sockets else {
        return Err(bad(restore, "a message is not from a socket to a socket"));
    };
    let mut fds = Lent::new(restore.me);
    for objref in arriving.files.chunks_exact(4) {
        let objref = u32::from_ne_bytes(objref.try_into().unwrap_or([0; 4]));
        let file = restore.made.file(objref);
        fds.lend(file.ok_or_else(|| bad(restore, "a message carries what is no open file"))?)?;
    }
    let mut sending = Sending {
        bytes,
        sender: (r.credentials == 1).then_some(sender),
        fds: &fds.fds,
        oob: r.oob == 1,
    };
    let mut sent = send(from, &to, &sending);
    let unnamed = r.credentials == 1 && sent == Err(EPERM);
    if unnamed {
        // Whoever has sent it cannot be named before it has its credentials.
        let own = Cred::current();
        sending.sender = Some([0, own.uids()[0], own.gids()[0]]);
        sent = send(from, &to, &sending);
    }
    let sent = sent.context(format_args!("cannot send a message of {} bytes again", r.length))?;
    if sent != bytes.len() {
        return Err(bad(restore, "more data in a socket than it may hold"));
    }
    drop(fds);
    if unnamed {
        let messages = state_now(restore.me, &to)?.messages;
        let message = Unnamed {
            nth: messages.checked_sub(1).ok_or(EINVAL)?,
            socket: to,
            sender: Task::from_vpid(r.pid as i32).ok(),
            uid: r.uid,
            gid: r.gid,
        };
        restore.made.sockets().unnamed.push(message, GFP_KERNEL_ACCOUNT)?;
    }
    Ok(())
}

/// What a socket is like, as the restoring task names others.
fn state_now(me: &CurrentTask, socket: &Unix) -> kernel::error::Result<State> {
    Ok(socket.state(&PidNs::of(me.task())?, &Cred::current()))
}

/// Descriptors that the task has for a moment.
struct Lent<'a> {
    me: &'a CurrentTask,
    fds: KVec<i32>,
}

impl<'a> Lent<'a> {
    fn new(me: &'a CurrentTask) -> Self {
        Self { me, fds: KVec::new() }
    }

    fn lend(&mut self, file: &File) -> Result {
        self.fds.reserve(1, GFP_KERNEL_ACCOUNT)?;
        Ok(self.fds.push(install_any(file)? as i32, GFP_KERNEL_ACCOUNT)?)
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        for fd in &self.fds {
            let _ = self.me.call(nr::__NR_close, &[*fd as u64]);
        }
    }
}

/// Sets the options of a socket, or closes it, when its messages have been sent.
pub(super) fn restore_options(restore: &mut Restore<'_>) -> Result {
    let r: SocketOptions = restore.input.only()?;
    let me = restore.me;
    if r.closed > 1
        || r.shutdown & !shutdown::ALL != 0
        || r.options & !options::ALL != 0
        || ![0, ECONNRESET].contains(&r.error)
        || r.rcvlowat > i32::MAX as u32
        || r.reserved != 0
    {
        return Err(bad(restore, "wrong values in a socket-options record"));
    }
    if r.closed == 1 {
        let file = restore.made.close_socket(r.socket);
        let file = file.ok_or_else(|| bad(restore, "what is closed is no socket"))?;
        let fd = u64::from(install_any(&file)?);
        // The last reference: it is closed by the call, not some time later.
        drop(file);
        me.call(nr::__NR_close, &[fd])?;
        return Ok(());
    }
    let Some(socket) = restore.made.unix(r.socket) else {
        return Err(bad(restore, "options of what is no socket"));
    };
    if r.peer != 0 {
        let peer = restore.made.unix(r.peer);
        let peer = peer.ok_or_else(|| bad(restore, "a socket is connected to what is no socket"))?;
        socket
            .connect(&peer)
            .context(format_args!("cannot connect a Unix socket to another one"))?;
    }
    match restore.made.socket(r.socket) {
        Some(file) => with_fd(me, file, |fd| apply(me, fd, &socket, &r))
            .context(format_args!("cannot set the options of a Unix socket"))?,
        // The others are those of a new one.
        None => {
            socket.set_options(r.options);
            socket.set_error(r.error);
        }
    }
    if [r.peer_pid, r.peer_uid] != [0, NOBODY] {
        let peer = (socket, [r.peer_pid, r.peer_uid, r.peer_gid]);
        restore.made.sockets().peers.push(peer, GFP_KERNEL_ACCOUNT)?;
    }
    Ok(())
}

fn set(me: &CurrentTask, fd: u64, option: u64, value: i32) -> kernel::error::Result {
    let at = me.put(&value.to_ne_bytes())?;
    me.call(nr::__NR_setsockopt, &[fd, SOL_SOCKET, option, at, 4])
        .map(|_| ())
}

fn apply(me: &CurrentTask, fd: u64, socket: &Unix, r: &SocketOptions) -> kernel::error::Result {
    let is = state_now(me, socket)?;
    for (bit, option) in SWITCHES {
        if (r.options ^ is.options) & bit != 0 {
            set(me, fd, option, i32::from(r.options & bit != 0))?;
        }
    }
    if is.rcvlowat as u32 != r.rcvlowat {
        set(me, fd, so::RCVLOWAT, r.rcvlowat as i32)?;
    }
    if is.peek_off != r.peek_off {
        set(me, fd, so::PEEK_OFF, r.peek_off)?;
    }
    for (option, us) in [(so::RCVTIMEO, r.rcvtimeo_us), (so::SNDTIMEO, r.sndtimeo_us)] {
        if us != 0 {
            let time = if us == u64::MAX {
                [u64::MAX, 0]
            } else {
                [us / 1_000_000, us % 1_000_000]
            };
            let at = me.put_words(&time)?;
            me.call(nr::__NR_setsockopt, &[fd, SOL_SOCKET, option, at, 16])?;
        }
    }
    // The kernel doubles what it is given, and cuts it to a limit that the administrator may pass.
    let half = |size: u32| i32::try_from(size / 2).unwrap_or(i32::MAX);
    set(me, fd, so::SNDBUF, half(r.sndbuf))?;
    if is.rcvbuf != r.rcvbuf {
        set(me, fd, so::RCVBUF, half(r.rcvbuf))?;
    }
    let is = state_now(me, socket)?;
    if is.sndbuf < r.sndbuf & !1 {
        set(me, fd, so::SNDBUFFORCE, half(r.sndbuf))?;
    }
    if is.rcvbuf < r.rcvbuf & !1 {
        set(me, fd, so::RCVBUFFORCE, half(r.rcvbuf))?;
    }
    if r.shutdown != 0 {
        me.call(nr::__NR_shutdown, &[fd, u64::from(r.shutdown) - 1])?;
    }
    socket.set_error(r.error);
    Ok(())
}

/// Gives sockets the credentials of their peers: of the task that is the peer, or of the root of the tree, if they are the same as those
/// that are saved; else nobody's. Likewise messages, of the task that has sent them. `task_of` knows a task by its number.
pub(super) fn name_peers(made: &mut Made, task_of: &TaskOf<'_>, root: Option<&Task>) {
    let sockets = core::mem::take(made.sockets());
    for (socket, [pid, uid, gid]) in sockets.peers {
        let peer = task_of(pid);
        let like = [peer.as_ref(), root].into_iter().flatten().find(|task| {
            let cred = Cred::of(task);
            (cred.uids()[1], cred.gids()[1]) == (uid, gid)
        });
        socket.set_peer(peer.as_ref(), like);
    }
    for message in sockets.unnamed {
        let sender = message.sender.filter(|task| {
            let number = root.and_then(|root| task.tgid_for(root).ok());
            let cred = Cred::of(task);
            number.and_then(task_of).as_ref() == Some(task)
                && (cred.uids()[0], cred.gids()[0]) == (message.uid, message.gid)
        });
        message.socket.set_sender(message.nth, sender.as_ref());
    }
}
