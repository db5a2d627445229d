// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Sound statefiles are read, all others are refused.

use super::*;
use crate::testing::{sample, Mutator, Part, Statefile};
use ckpt_uapi::record::aio::Aio;
use ckpt_uapi::record::file::File;
use ckpt_uapi::record::file_signals::FileSignals;
use ckpt_uapi::record::ipc::IpcEnd;
use ckpt_uapi::record::landlock::{Landlock, Layer};
use ckpt_uapi::record::lock::Locks;
use ckpt_uapi::record::mm::{Vma, Vmas};
use ckpt_uapi::record::mqueue::{MqNotify, Mqd, Mqueue, MqueueText};
use ckpt_uapi::record::msg::{Msg, MsgText};
use ckpt_uapi::record::nameless::{Nameless, NamelessData};
use ckpt_uapi::record::pipe::{Pipe, CONTENT_MAX};
use ckpt_uapi::record::pty::{Ctty, Pty, PtyFile};
use ckpt_uapi::record::regs::Regs;
use ckpt_uapi::record::seccomp::{Seccomp, SeccompFilter};
use ckpt_uapi::record::sem::{Sem, SemUndo};
use ckpt_uapi::record::shm::Shm;
use ckpt_uapi::record::shmem::Shmem;
use ckpt_uapi::record::socket::{Socket, SocketData, SocketMessage, SocketOptions, PART_MAX};
use ckpt_uapi::record::task::Task;
use ckpt_uapi::record::trailer::Trailer;
use ckpt_uapi::record::tree::{flags, Head, Tree};
use ckpt_uapi::statefile::BODY_MAX;
use std::mem::offset_of;
use zerocopy::FromBytes;

fn problem(bytes: &[u8]) -> Problem {
    verify(bytes).expect_err("a damaged statefile").problem
}

fn changed(change: impl FnOnce(&mut Vec<Part>)) -> Vec<u8> {
    let mut statefile = sample();
    change(&mut statefile.records);
    statefile.encode()
}

fn index(kind: RecordType) -> usize {
    sample()
        .records
        .iter()
        .position(|part| part.kind == kind.number())
        .expect("the sample has every type")
}

#[test]
fn reads_every_record_of_a_sound_statefile() {
    let bytes = sample().encode();
    let mut reader = Reader::new(&bytes[..]).unwrap();
    let mut kinds = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        assert_eq!(record.offset % 8, 0);
        kinds.push(record.header.kind);
    }
    assert_eq!(reader.offset(), bytes.len() as u64);
    reader.finish().unwrap();
    // What needs one is longer than a sample should be.
    for kind in RecordType::ALL.iter().filter(|kind| **kind != RecordType::SocketData) {
        assert!(kinds.contains(&kind.number()), "the sample lacks {}", kind.name());
    }
}

#[test]
fn parts_go_together_again() {
    let bytes = sample().encode();
    assert_eq!(Statefile::parse(&bytes).unwrap().encode(), bytes);
}

#[test]
fn refuses_every_truncation() {
    let bytes = sample().encode();
    for length in 0..bytes.len() {
        let error = verify(&bytes[..length]).unwrap_err();
        assert!(matches!(error.problem, Problem::Truncated), "{length}: {error}");
        assert_eq!(
            error.offset,
            if length < size_of::<Prefix>() { 0 } else { length as u64 }
        );
    }
}

#[test]
fn refuses_data_after_the_trailer() {
    let mut bytes = sample().encode();
    bytes.push(0);
    assert!(matches!(problem(&bytes), Problem::TrailingData));
}

#[test]
fn refuses_every_changed_byte() {
    let bytes = sample().encode();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x40;
        assert!(verify(&changed[..]).is_err(), "byte {at}");
    }
}

#[test]
fn refuses_ten_thousand_mutations() {
    const MUTATIONS: usize = 10_000;
    let bytes = sample().encode();
    let mut mutator = Mutator::new(2024);
    for round in 0..MUTATIONS {
        let mut mutated = bytes.clone();
        for _ in 0..=mutator.below(3) {
            mutator.damage(&mut mutated);
        }
        if mutated == bytes {
            continue;
        }
        assert!(verify(&mutated[..]).is_err(), "round {round}");
    }
}

/// Behind right checksums: a reader may accept a changed value that means something, but it may not panic.
#[test]
fn survives_hostile_values_behind_right_checksums() {
    let statefile = sample();
    let mut mutator = Mutator::new(1066);
    let mut refused = 0;
    for _ in 0..10_000 {
        let mut hostile = statefile.clone();
        for _ in 0..=mutator.below(2) {
            mutator.falsify(&mut hostile);
        }
        refused += u32::from(verify(&hostile.encode()[..]).is_err());
    }
    assert!(refused > 5_000, "{refused}");
}

#[test]
fn refuses_another_format() {
    let mut bytes = sample().encode();
    bytes[8..16].copy_from_slice(&[9, 0, 0, 0, 9, 0, 0, 0]);
    assert!(matches!(problem(&bytes), Problem::Format { format: 9, oldest: 9 }));
    assert!(matches!(problem(b"\x7fELF............"), Problem::NotAStatefile));
    assert!(matches!(problem(b""), Problem::Truncated));
}

#[test]
fn reads_longer_records_of_newer_writers() {
    let bytes = changed(|records| {
        let regs = &mut records[index(RecordType::Regs)];
        regs.fixed += 8;
        regs.body.extend([7; 8]);
    });
    verify(&bytes[..]).unwrap();
}

#[test]
fn refuses_shorter_records_than_the_first_version() {
    let bytes = changed(|records| {
        let regs = &mut records[index(RecordType::Regs)];
        regs.fixed -= 8;
        regs.body.truncate(regs.fixed as usize);
    });
    assert!(matches!(problem(&bytes), Problem::Short { fixed: 208, least: 216 }));
}

#[test]
fn skips_unknown_records_only_where_they_say_so() {
    let unknown = |flags| {
        changed(|records| {
            let part = Part {
                kind: 0x7777,
                version: 9,
                flags,
                fixed: 0,
                body: vec![1, 2, 3],
                payload: Vec::new(),
            };
            records.insert(4, part);
        })
    };
    verify(&unknown(record_flags::OPTIONAL)[..]).unwrap();
    assert!(matches!(problem(&unknown(0)), Problem::UnknownType(0x7777)));
    let newer = changed(|records| records[index(RecordType::Regs)].version = 2);
    assert!(matches!(problem(&newer), Problem::UnknownVersion(2)));
}

#[test]
fn refuses_lengths_beyond_the_limits() {
    let long = changed(|records| records[0].body.resize(BODY_MAX as usize + 1, 0));
    assert!(matches!(problem(&long), Problem::Header(HeaderError::Length)));
    let payload = changed(|records| records[index(RecordType::Pages)].payload.resize((4 << 20) + 4096, 0));
    assert!(matches!(problem(&payload), Problem::Header(HeaderError::Payload)));
}

#[test]
fn does_not_reserve_what_a_length_announces() {
    // A header that announces the longest payload, and nothing behind it.
    let mut bytes = changed(|records| records[index(RecordType::Pages)].payload.resize(4 << 20, 0));
    bytes.truncate(bytes.len().min(10_000));
    let mut reader = Reader::new(&bytes[..]).unwrap();
    while let Ok(Some(_)) = reader.next_record() {}
    assert!(reader.payload.capacity() < 64 << 10);
    // After an error nothing more is read.
    assert!(reader.next_record().is_err());
}

#[test]
fn names_the_place() {
    let bytes = changed(|records| drop(records.remove(index(RecordType::Cred))));
    let error = verify(&bytes[..]).unwrap_err();
    assert!(
        matches!(error.problem, Problem::Order("seccomp-filter, seccomp or cred")),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.contains("(file-signals)") && text.contains("or cred expected") && text.starts_with("offset 0x"),
        "{text}"
    );
}

#[test]
fn refuses_values_that_contradict_each_other() {
    /// A byte of a field of a record.
    macro_rules! wrong {
        ($record:ident, $field:ident $(+ $byte:literal)?, $value:expr, $text:literal) => {
            (<$record as ckpt_uapi::record::Record>::TYPE, offset_of!($record, $field) $(+ $byte)?, $value, $text)
        };
    }
    let cases: &[(RecordType, usize, u8, &str)] = &[
        (RecordType::Header, 0, 3, "another machine"),
        (RecordType::Header, 12, 4, "unknown flag"),
        (RecordType::Tree, 8 + 64 + 24, 1, "its own leader"),
        (RecordType::Task, 0, 1, "not the next one"),
        (RecordType::Mm, 120, 2, "refers to no file"),
        (RecordType::Vma, 8, 1, "page boundary"),
        (RecordType::Fd, 8 + 8, 2, "refers to no file"),
        (RecordType::Fd, 8 + 8, 8, "refers to no file"),
        wrong!(File, kind, 9, "kind of file is not known"),
        wrong!(File, kind, 8, "O_PATH does not fit"),
        wrong!(File, advice, 8, "unknown flag"),
        wrong!(Locks, holder, 3, "unknown holder of locks"),
        wrong!(Locks, of, 8, "descriptor that is not there"),
        wrong!(FileSignals, owner, 4, "unknown kind of owner"),
        wrong!(FileSignals, fd, 8, "descriptor that is not there"),
        wrong!(File, lock, 3, "kind of lock is not known"),
        wrong!(File, pipe, 1, "no end of a pipe names one"),
        wrong!(Pipe, objref, 7, "not the next number"),
        wrong!(Pipe, capacity + 2, 0, "capacity of a pipe"),
        wrong!(Pipe, capacity + 3, 0x81, "capacity of a pipe"),
        wrong!(Pipe, content, 5, "does not match the length"),
        wrong!(Pipe, content + 3, 1, "content of a pipe is too long"),
        wrong!(Pipe, path_len, 1, "length of a text"),
        wrong!(File, denied, 1, "a right is denied that this kind of file has not"),
        wrong!(File, nameless, 1, "refers to no contents"),
        (RecordType::Nameless, 0, 8, "not the next number"),
        wrong!(Nameless, flags, 16, "unknown flag"),
        wrong!(Nameless, flags, 10, "is one without"),
        wrong!(Nameless, flags, 3, "in a directory"),
        wrong!(Nameless, seals, 1, "has seals"),
        wrong!(Nameless, mode + 1, 0x41, "no regular one"),
        wrong!(Nameless, mode + 2, 1, "no regular one"),
        wrong!(Nameless, size + 7, 0x80, "out of range"),
        wrong!(Nameless, size + 1, 0x10, "outside of its file"),
        wrong!(Nameless, path_len, 1, "length of a text"),
        wrong!(Nameless, page_shift, 21, "size of huge pages"),
        (RecordType::Nameless, size_of::<Nameless>(), b'x', "an impossible path"),
        (RecordType::NamelessData, 0, 31, "does not follow its file"),
        wrong!(NamelessData, offset + 1, 0x20, "outside of its file"),
        wrong!(NamelessData, offset + 7, 0xff, "outside of its file"),
        wrong!(NamelessData, length, 1, "number of entries"),
        wrong!(NamelessData, length + 3, 1, "too long for a record"),
        (RecordType::Shm, 0, 8, "not the next number"),
        wrong!(Shm, flags, 16, "unknown flag"),
        wrong!(Shm, perm + 3, 0x80, "identifier"),
        wrong!(Shm, perm + 25, 2, "unknown flag"),
        wrong!(Shm, perm + 28, 1, "reserved"),
        wrong!(Shm, size + 7, 0x80, "size of a segment"),
        wrong!(Shm, size + 1, 0, "outside of the shared memory"),
        wrong!(Sem, flags, 1, "unknown flag"),
        wrong!(Sem, count, 3, "number of entries"),
        wrong!(Sem, count + 1, 0x7e, "number of semaphores"),
        (RecordType::Sem, size_of::<Sem>() + 1, 0x80, "value of a semaphore"),
        (RecordType::SemUndo, 0, 40, "adjustments that are not there"),
        (RecordType::SemUndo, size_of::<SemUndo>(), 28, "no set of semaphores"),
        (
            RecordType::SemUndo,
            size_of::<SemUndo>() + 11,
            1,
            "adjustment is out of range",
        ),
        wrong!(Msg, messages, 2, "lacks messages"),
        wrong!(Msg, messages, 0, "belong to a queue"),
        (RecordType::MsgText, 0, 31, "belong to a queue"),
        wrong!(MsgText, mtype + 7, 0x80, "type of a message"),
        wrong!(MsgText, length + 2, 4, "too long"),
        wrong!(Mqueue, messages, 11, "than the queue may hold"),
        (RecordType::Mqueue, size_of::<Mqueue>(), b'/', "name of a queue"),
        (RecordType::MqueueText, 0, 30, "belong to a queue"),
        wrong!(MqueueText, priority + 1, 0x80, "priority"),
        wrong!(Mqd, flags, 4, "unknown flag"),
        wrong!(Mqd, name_len, 4, "length of a text"),
        wrong!(MqNotify, notify, 2, "told of a message"),
        wrong!(MqNotify, signal, 65, "told of a message"),
        (RecordType::IpcEnd, size_of::<IpcEnd>() - 1, 1, "reserved"),
        wrong!(Socket, objref, 1, "not the next number"),
        wrong!(Socket, flags, 1, "unknown flag"),
        wrong!(Socket, kind, 3, "kind of socket"),
        wrong!(Socket, pair, 4, "how a socket"),
        wrong!(Socket, pair, 1, "a pair"),
        wrong!(Socket, pair, 2, "a pair"),
        wrong!(Socket, listening, 2, "yes-or-no"),
        wrong!(Socket, backlog + 3, 0x80, "backlog"),
        wrong!(Socket, name_len, 109, "too long"),
        wrong!(Socket, name_len, 7, "not absolute"),
        wrong!(Socket, path_len, 1, "length of a text"),
        wrong!(Socket, mode + 1, 0x10, "unknown flag"),
        wrong!(SocketMessage, socket, 5, "to a socket"),
        wrong!(SocketMessage, sender, 5, "to a socket"),
        wrong!(SocketMessage, length, 3, "does not match"),
        wrong!(SocketMessage, length + 3, 1, "too long"),
        wrong!(SocketMessage, credentials, 2, "yes-or-no"),
        wrong!(SocketMessage, pid, 1, "has a sender"),
        wrong!(SocketMessage, reserved, 1, "reserved"),
        wrong!(SocketMessage, files, 254, "too many open files"),
        wrong!(SocketMessage, oob, 2, "yes-or-no"),
        (
            RecordType::SocketMessage,
            size_of::<SocketMessage>(),
            8,
            "carries what is no open file",
        ),
        wrong!(Socket, client, 1, "has a client"),
        wrong!(Socket, pair, 3, "has a client"),
        wrong!(Socket, name, 4, "kind of an address"),
        wrong!(Socket, name, 3, "closed listens"),
        wrong!(Socket, name, 0, "no text"),
        wrong!(Socket, name, 2, "an address is neither"),
        wrong!(Socket, listener, 1, "two addresses"),
        wrong!(SocketOptions, peer, 5, "of no socket"),
        wrong!(SocketOptions, reserved, 1, "reserved"),
        wrong!(SocketOptions, socket, 5, "of no socket"),
        wrong!(SocketOptions, closed, 2, "yes-or-no"),
        wrong!(SocketOptions, shutdown, 4, "unknown flag"),
        wrong!(SocketOptions, options, 128, "unknown flag"),
        wrong!(SocketOptions, rcvlowat + 3, 0x80, "SO_RCVLOWAT"),
        wrong!(SocketOptions, error, 1, "error of a socket"),
        (RecordType::Pty, 0, 1, "not the next number"),
        wrong!(Pty, index + 2, 0x10, "number of a pty"),
        wrong!(Pty, flags + 1, 0x20, "unknown flag"),
        wrong!(Pty, master_read, 1, "match its lengths"),
        wrong!(Pty, slave_read + 1, 0x20, "is too long"),
        wrong!(Pty, slave_flip + 2, 2, "is too long"),
        wrong!(Pty, canon_head, 0x10, "than the whole"),
        wrong!(Pty, echo_mark, 8, "than the whole"),
        wrong!(Pty, lookahead, 1, "than the whole"),
        wrong!(Pty, packet_status + 1, 1, "packet events"),
        wrong!(Pty, mode + 1, 0x10, "permissions of a pty"),
        wrong!(Pty, reserved, 1, "reserved"),
        (RecordType::Pty, size_of::<Pty>(), b'x', "an impossible path"),
        wrong!(PtyFile, end, 5, "end of a pty"),
        wrong!(PtyFile, end, 4, "a hung-up one has"),
        wrong!(PtyFile, pty, 1, "to no pty"),
        wrong!(PtyFile, lock, 4, "kind of lock"),
        wrong!(PtyFile, end, 3, "an impossible path"),
        wrong!(Ctty, pty, 1, "is no pty"),
        wrong!(Ctty, foreground, 2, "neither"),
        (RecordType::LandlockLayer, 0, 8, "not the next number"),
        wrong!(Layer, below, 7, "on no layer"),
        wrong!(Layer, below, 1, "on no layer"),
        wrong!(Layer, quiet_access_net, 1, "quiet about"),
        wrong!(Layer, flags, 4, "unknown flag"),
        wrong!(Layer, subdomains_off, 2, "yes-or-no"),
        wrong!(Landlock, domain, 1, "refers to no layer"),
        wrong!(Landlock, domain, 9, "refers to no layer"),
        wrong!(Landlock, no_new_privs, 2, "yes-or-no"),
        wrong!(Landlock, reserved, 1, "reserved"),
        (RecordType::Shmem, 0, 1, "not the next number"),
        (RecordType::Shmem, 9, 0, "empty"),
        wrong!(Shmem, page_shift, 14, "no multiple"),
        (
            RecordType::Vma,
            size_of::<Vmas>() + offset_of!(Vma, page_shift),
            21,
            "size of huge pages",
        ),
        (
            RecordType::Vma,
            size_of::<Vmas>() + offset_of!(Vma, kind),
            8,
            "size of huge pages",
        ),
        (RecordType::Pages, 9, 0x20, "outside of the shared memory"),
        (RecordType::SignalPending, 0, 2, "yes-or-no"),
        (RecordType::Cred, 46, 1, "groups outside"),
        (RecordType::NsOwner, 0, 2, "no such user namespace"),
        (RecordType::NestedUserNs, 0, 1, "does not follow its parent"),
        (RecordType::PosixTimer, 12, 1, "reserved"),
        (RecordType::PosixTimer, 16 + 3, 0x80, "out of range"),
        (RecordType::PosixTimer, 16 + 4, 1, "another clock"),
        (RecordType::Prctl, 0, 0x80, "unknown flag"),
        (RecordType::Prctl, 20, 1, "reserved"),
        (RecordType::Mempolicy, 4, 17, "node mask"),
        (RecordType::VmaPolicy, 2, 0x50, "not mapped"),
        (RecordType::VmaPolicy, 20, 17, "node mask"),
        (RecordType::VmaPolicy, 28, 1, "reserved"),
        wrong!(Aio, address + 2, 0x60, "has no ring"),
        wrong!(Aio, address, 1, "page boundary"),
        wrong!(Aio, requests, 0, "for no request"),
        wrong!(Aio, first, 127, "outside of their ring"),
        wrong!(Aio, first, 125, "do not follow"),
        wrong!(Aio, reserved, 1, "reserved"),
        (RecordType::SeccompFilter, 0, 8, "not the next number"),
        (RecordType::SeccompFilter, 4, 7, "behind none"),
        (RecordType::SeccompFilter, 9, 0x20, "out of range"),
        (RecordType::Seccomp, 0, 1, "strict mode"),
        (RecordType::Seccomp, 0, 3, "not known"),
        (RecordType::Seccomp, 4, 1, "refers to no filter"),
        (RecordType::Trailer, 16, 9, "other objects"),
    ];
    for (kind, at, value, text) in cases {
        let bytes = changed(|records| records[index(*kind)].body[*at] = *value);
        let error = verify(&bytes[..]).unwrap_err().to_string();
        assert!(error.contains(text), "{}: {error}", kind.name());
    }
}

#[test]
fn takes_messages_in_parts() {
    let with_parts = |missing: u32, parts: &[u32]| {
        says(&changed(|records| {
            let at = index(RecordType::SocketMessage);
            let (mut message, _) = SocketMessage::read_from_prefix(&records[at].body).unwrap();
            (message.length, message.files) = (PART_MAX + missing, 0);
            records[at] = Part::new(&message).entries(&vec![0u8; PART_MAX as usize]);
            for length in parts.iter().rev().copied() {
                let socket = message.socket;
                let part = Part::new(&SocketData { socket, length }).entries(&vec![0u8; length as usize]);
                records.insert(at + 1, part);
            }
        }))
    };
    assert_eq!(with_parts(0, &[]), "sound");
    assert_eq!(with_parts(4, &[4]), "sound");
    assert_eq!(with_parts(PART_MAX + 1, &[PART_MAX, 1]), "sound");
    assert!(with_parts(4, &[]).contains("longer than what there is of it"));
    for wrong in [
        with_parts(0, &[4]),
        with_parts(4, &[5]),
        with_parts(4, &[2, 2]),
        with_parts(4, &[4, 4]),
    ] {
        assert!(wrong.contains("behind no message that lacks it"), "{wrong}");
    }
    assert!(with_parts(4, &[PART_MAX + 1]).contains("too long"));
}

#[test]
fn refuses_what_is_left_in_the_middle() {
    for (kind, why) in [
        (RecordType::InotifyWatch, "an inotify lacks watches"),
        (RecordType::FanotifyMark, "a fanotify lacks marks"),
    ] {
        let says = says(&changed(|records| {
            records.remove(index(kind));
        }));
        assert!(says.contains(why), "{says}");
    }
    // Whatever kind comes instead.
    let says = says(&changed(|records| {
        let at = index(RecordType::SocketMessage);
        let (mut message, _) = SocketMessage::read_from_prefix(&records[at].body).unwrap();
        (message.length, message.files) = (PART_MAX + 1, 0);
        records[at] = Part::new(&message).entries(&vec![0u8; PART_MAX as usize]);
        // The next that is not of a socket.
        let next = records[at..]
            .iter()
            .position(|part| part.kind == RecordType::Fd.number());
        records.drain(at + 1..at + next.unwrap());
    }));
    assert!(says.contains("longer than what there is of it"), "{says}");
}

#[test]
fn refuses_ends_of_pipes_that_there_are_not() {
    let end = index(RecordType::Pipe) + 1;
    let cases: &[(usize, u8, &str)] = &[
        (offset_of!(File, pipe), 0, "out of range"),
        (offset_of!(File, pipe), 7, "refers to no pipe"),
        (offset_of!(File, pipe), 9, "refers to no pipe"),
        (offset_of!(File, flags), 2, "neither for reading nor for writing"),
    ];
    for (at, value, text) in cases {
        let bytes = changed(|records| records[end].body[*at] = *value);
        let error = verify(&bytes[..]).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    let late = changed(|records| records.swap(end - 1, end));
    assert!(verify(&late[..]).unwrap_err().to_string().contains("refers to no pipe"));
}

#[test]
fn wants_both_ends_of_a_pair() {
    use ckpt_uapi::record::net::{peer, NetDevice};
    let device = index(RecordType::NetDevice) + 1;
    let cases: &[(u32, u8, u8, &str)] = &[
        (peer::LATER, 0, 0, "the other end of a pair has not come"),
        (peer::KNOWN, 26, 3, "the other end of a pair has not come"),
        (peer::KNOWN, 26, 1, "has not come before it"),
        (peer::KNOWN, 25, 3, "in no network namespace"),
    ];
    for (how, namespace, ifindex, text) in cases {
        let bytes = changed(|records| {
            let body = &mut records[device].body;
            body[offset_of!(NetDevice, peer)] = *how as u8;
            body[offset_of!(NetDevice, peer_ns)] = *namespace;
            body[offset_of!(NetDevice, peer_ifindex)] = *ifindex;
        });
        let error = verify(&bytes[..]).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn counts_the_layers_of_landlock_domains() {
    let layers = |count: u32| {
        changed(|records| {
            let at = index(RecordType::LandlockLayer) + 2;
            let template = records[at - 1].clone();
            let last = Layer::read_from_prefix(&template.body).unwrap().0.objref;
            for objref in last + 1..last - 1 + count {
                let mut part = template.clone();
                let (layer, _) = Layer::mut_from_prefix(&mut part.body).unwrap();
                (layer.objref, layer.below) = (objref, objref - 1);
                records.insert(at + (objref - last) as usize - 1, part);
            }
            // What comes after them is numbered after them.
            let (undo, filter) = (last - 1 + count, last + count);
            let part = &mut records[index(RecordType::SemUndo) + count as usize - 2];
            SemUndo::mut_from_prefix(&mut part.body).unwrap().0.objref = undo;
            let part = &mut records[index(RecordType::SeccompFilter) + count as usize - 2];
            SeccompFilter::mut_from_prefix(&mut part.body).unwrap().0.objref = filter;
            let part = &mut records[index(RecordType::Seccomp) + count as usize - 2];
            Seccomp::mut_from_prefix(&mut part.body).unwrap().0.filter = filter;
            let trailer = records.last_mut().unwrap();
            trailer.body[offset_of!(Trailer, objects)] = filter as u8;
        })
    };
    verify(&layers(16)[..]).unwrap();
    let error = verify(&layers(17)[..]).unwrap_err().to_string();
    assert!(error.contains("too many layers"), "{error}");
}

#[test]
fn takes_threads_without_landlock() {
    verify(&changed(|records| drop(records.remove(index(RecordType::Landlock))))[..]).unwrap();
}

#[test]
fn reads_files_from_before_they_had_denied_rights() {
    let bytes = changed(|records| {
        let part = &mut records[index(RecordType::File)];
        let denied = offset_of!(File, denied);
        part.body.drain(denied..size_of::<File>());
        part.fixed = denied as u32;
    });
    verify(&bytes[..]).unwrap();
}

#[test]
fn takes_pipes_with_as_much_content_as_a_record_holds() {
    let bytes = changed(|records| {
        let part = &mut records[index(RecordType::Pipe)];
        part.body.resize(size_of::<Pipe>() + CONTENT_MAX as usize, 0);
        let (pipe, _) = Pipe::mut_from_prefix(&mut part.body).unwrap();
        (pipe.capacity, pipe.content) = (256 << 10, CONTENT_MAX);
    });
    verify(&bytes[..]).unwrap();
}

#[test]
fn takes_pipes_among_the_objects_of_the_address_space() {
    let bytes = changed(|records| {
        let (mm, at) = (index(RecordType::Mm), index(RecordType::Pipe));
        // The pipe and the device, which stood before it, change numbers.
        let mut pipe = records.remove(at);
        pipe.body[offset_of!(Pipe, objref)] = 7;
        records.insert(mm, pipe);
        records[at].body[offset_of!(File, objref)] = 8;
        records[at + 1].body[offset_of!(File, pipe)] = 7;
        records[at + 2].body[offset_of!(File, pipe)] = 7;
        for part in records.iter_mut().filter(|part| part.kind == RecordType::Fd.number()) {
            for fd in part.body[8..].chunks_exact_mut(16).filter(|fd| fd[8] == 7) {
                fd[8] = 8;
            }
        }
    });
    verify(&bytes[..]).unwrap();
}

#[test]
fn fixed_parts_are_as_long_as_their_structs() {
    let sample = sample();
    let regs = &sample.records[index(RecordType::Regs)];
    assert_eq!(regs.body.len(), size_of::<Regs>());
}

/// Position of a task's record.
fn task_at(statefile: &Statefile, index: u32) -> usize {
    let is_task = |part: &&Part| part.kind == RecordType::Task.number();
    let task = statefile.records.iter().filter(is_task).nth(index as usize).unwrap();
    statefile
        .records
        .iter()
        .position(|part| std::ptr::eq(part, task))
        .unwrap()
}

fn with_task(index: u32, change: impl FnOnce(&mut Task)) -> Vec<u8> {
    let mut statefile = sample();
    let at = task_at(&statefile, index);
    change(Task::mut_from_bytes(&mut statefile.records[at].body).unwrap());
    statefile.encode()
}

fn with_tree(change: impl FnOnce(&mut [Tree])) -> Vec<u8> {
    changed(|records| {
        let mut entries: Vec<Tree> = Vec::new();
        let parts: Vec<_> = (0..records.len())
            .filter(|at| records[*at].kind == RecordType::Tree.number())
            .collect();
        for at in &parts {
            entries.extend(<[Tree]>::ref_from_bytes(&records[*at].body[8..]).unwrap());
        }
        change(&mut entries);
        records[parts[0]] = Part::new(&Head {
            first: 0,
            count: entries.len() as u32,
        })
        .entries(&entries);
        for at in &parts[1..] {
            records.remove(*at);
        }
    })
}

fn says(bytes: &[u8]) -> String {
    verify(bytes).map_or_else(|error| error.to_string(), |()| "sound".into())
}

#[test]
fn refuses_trees_that_cannot_be() {
    type Change = fn(&mut [Tree]);
    assert_eq!(says(&with_tree(|_| {})), "sound");
    let cases: &[(Change, &str)] = &[
        (|tree| tree[2].ppid = 4200, "does not follow its parent"),
        (|tree| tree[2].ppid = 77, "does not follow its parent"),
        (|tree| tree[5].ppid = 4300, "does not follow its parent"),
        (|tree| tree[2].pid = 4001, "there twice"),
        (|tree| tree[1].level = 1, "not where its process is"),
        (|tree| tree[1].vm = 2, "not where its process is"),
        (|tree| tree[0].level = 1, "above that of its parent"),
        (|tree| tree[5].level = 2, "not just below"),
        (|tree| tree[5].level = 40, "too many pid namespaces"),
        (|tree| tree[5].level = 0, "not just below"),
        (|tree| tree[2].level = 1, "pids are not those of the next task"),
        (|tree| tree[1].flags = flags::ZOMBIE, "only a leader has exited"),
        (|tree| tree[4].flags |= flags::EXITED, "only a leader has exited"),
        (|tree| tree[0].flags |= flags::ZOMBIE, "not where its process is"),
        (|tree| tree[3].vm = 4, "does not follow the one whose memory"),
        (|tree| tree[3].vm = 5, "does not follow the one whose memory"),
        (|tree| tree[2].flags |= flags::SHARES_HANDLERS, "but no memory"),
        (|tree| tree[2].flags |= flags::ZOMBIE, "uses something"),
        (|tree| tree[4].flags = flags::LEADER, "status of one that has exited"),
        (
            |tree| (tree[3].vm, tree[3].flags) = (3, flags::LEADER),
            "another one than the tree says",
        ),
        (|tree| tree[2].vm = 0, "another one than the tree says"),
    ];
    for (number, (change, text)) in cases.iter().enumerate() {
        let answer = says(&with_tree(change));
        assert!(answer.contains(text), "case {number}: {text}: {answer}");
    }
}

#[test]
fn takes_a_process_whose_parent_is_outside_of_its_pid_namespace() {
    assert_eq!(says(&with_tree(|tree| tree[2].ppid = 0)), "sound");
}

#[test]
fn refuses_numbers_of_what_is_shared_that_contradict_each_other() {
    type Change = fn(&mut Task);
    let cases: &[(u32, Change, &str)] = &[
        (0, |task| task.mm = 2, "shares what is not there"),
        (0, |task| task.mm = 0, "shares what is not there"),
        (1, |task| task.files = 3, "shares what is not there"),
        (1, |task| task.handlers = 11, "something else than its process"),
        (
            2,
            |task| (task.mm, task.handlers) = (1, 11),
            "another one than the tree says",
        ),
        (2, |task| task.files = 3, "shares what is not there"),
        (2, |task| task.files = 7, "shares what is not there"),
        (2, |task| task.handlers = 4, "itimer expected"),
        (3, |task| task.fs = 3, "has not the next number"),
        (3, |task| task.handlers = 12, "signal handlers with another one"),
        (3, |task| task.vfork_child = u32::MAX, "task index"),
        (4, |task| task.mm = 1, "has exited uses something"),
        (4, |task| task.exit_status = 0x1_0000, "status of an exited task"),
        (0, |task| task.exit_status = 1, "status of one that has exited"),
    ];
    for (number, (index, change, text)) in cases.iter().enumerate() {
        let answer = says(&with_task(*index, change));
        assert!(answer.contains(text), "case {number}: {text}: {answer}");
    }
}

#[test]
fn a_zombie_has_credentials_and_nothing_else() {
    let sample = sample();
    let at = task_at(&sample, 4);
    let without = changed(|records| drop(records.remove(at + 1)));
    assert!(says(&without).contains("cred expected"));
    let more = changed(|records| {
        let regs = records[index(RecordType::Regs)].clone();
        records.insert(at + 2, regs);
    });
    assert!(says(&more).contains("task-end expected"));
}

#[test]
fn a_main_thread_may_have_exited_before_others() {
    // The first thread that lives has the records of the process.
    let mut statefile = sample();
    let (leader, thread) = (task_at(&statefile, 0), task_at(&statefile, 1));
    let mut process: Vec<_> = statefile.records.drain(leader + 1..thread).collect();
    let end = process.pop().unwrap();
    let cred = process
        .iter()
        .find(|part| part.kind == RecordType::Cred.number())
        .unwrap()
        .clone();
    let task = Task::mut_from_bytes(&mut statefile.records[leader].body).unwrap();
    (task.mm, task.files, task.fs, task.handlers) = (0, 0, 0, 0);
    let sched = process
        .iter()
        .position(|part| part.kind == RecordType::Sched.number())
        .unwrap();
    let timers = process
        .iter()
        .find(|part| part.kind == RecordType::PosixTimer.number())
        .unwrap()
        .clone();
    process.truncate(sched);
    // Behind the record of the thread, which now follows that of the leader.
    let count = process.len();
    statefile.records.splice(leader + 2..leader + 2, process);
    let thread = &statefile.records[leader + 2 + count..];
    let mask = thread
        .iter()
        .position(|part| part.kind == RecordType::SignalMask.number())
        .unwrap();
    statefile.records.insert(leader + 2 + count + mask, timers);
    statefile.records.splice(leader + 1..leader + 1, [cred, end]);
    for part in statefile
        .records
        .iter_mut()
        .filter(|part| part.kind == RecordType::Tree.number())
        .take(1)
    {
        let tree = <[Tree]>::mut_from_bytes(&mut part.body[8..]).unwrap();
        tree[0].flags |= flags::EXITED;
    }
    assert_eq!(says(&statefile.encode()), "sound");
}

#[test]
fn wants_the_pids_of_every_task_in_a_nested_namespace() {
    let at = index(RecordType::Pids);
    assert!(says(&changed(|records| drop(records.remove(at)))).contains("lacks its pids"));
    let twice = changed(|records| records.insert(at, records[at].clone()));
    assert!(says(&twice).contains("pids are not those of the next task"));
    let early = changed(|records| records.swap(at, at - 1));
    assert!(says(&early).contains("too few tasks"));
    let zero = changed(|records| records[at].body[8] = 0);
    assert!(says(&zero).contains("pid is out of range"));
    let more = changed(|records| {
        records[at].body[4] = 2;
        records[at].body.extend([1, 0, 0, 0]);
    });
    assert!(says(&more).contains("other namespaces than it is in"));
}

#[test]
fn takes_whole_pid_namespaces() {
    assert_eq!(says(&changed(|records| records[0].body[12] = 1)), "sound");
}
