// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Statefiles made by hand, valid or not: for tests of readers, here and in the kernel. Not for programs.
//!
//! ```
//! use libckpt::statefile::verify;
//! use libckpt::testing::{sample, Statefile};
//!
//! let bytes = sample().encode();
//! verify(&bytes[..]).expect("the sample is valid");
//!
//! // A hostile value behind right checksums:
//! let mut hostile = Statefile::parse(&bytes).expect("the sample");
//! hostile.records[0].body[0] ^= 1;
//! verify(&hostile.encode()[..]).expect_err("another machine");
//! ```

use ckpt_uapi::record::aio::{Aio, AioEvent};
use ckpt_uapi::record::cgroup::Cgroup;
use ckpt_uapi::record::cred::Cred;
use ckpt_uapi::record::event::{self, Epoll, EpollItem, EpollItems, Eventfd, Signalfd, Timerfd};
use ckpt_uapi::record::external::External;
use ckpt_uapi::record::fanotify::{self, Fanotify};
use ckpt_uapi::record::fd::{Fd, Fds};
use ckpt_uapi::record::file::{self, File};
use ckpt_uapi::record::file_signals::{self, FileSignals};
use ckpt_uapi::record::fpu::Fpu;
use ckpt_uapi::record::fs::Fs;
use ckpt_uapi::record::header::{self, Header};
use ckpt_uapi::record::inotify::{self, Inotify};
use ckpt_uapi::record::ipc::{Ids, IpcEnd, Perm};
use ckpt_uapi::record::itimer::Itimers;
use ckpt_uapi::record::landlock::{self, Landlock};
use ckpt_uapi::record::lock::{self, Lock, Locks};
use ckpt_uapi::record::mempolicy::{Mempolicy, VmaPolicy};
use ckpt_uapi::record::mm::{vma_kind, Extent, Mm, Pages, Vma, VmaName, Vmas};
use ckpt_uapi::record::mnt::{Filesystem, Inode, InodeData, InodeXattr, MntNs, Mount};
use ckpt_uapi::record::mqueue::{self, MqNotify, Mqd, Mqueue, MqueueText};
use ckpt_uapi::record::msg::{Msg, MsgText};
use ckpt_uapi::record::nameless::{self, Nameless, NamelessData};
use ckpt_uapi::record::net::{device_kind, peer, NetAddress, NetDevice, NetNeighbour, NetNs, NetRoute, NO_INET6};
use ckpt_uapi::record::ns::{CgroupNs, IpcNs, NestedUserNs, NsOwner, Nsproxy, TimeNs, UserNs, UtsNs};
use ckpt_uapi::record::nsfd::{self, NsFd};
use ckpt_uapi::record::pidfd::{self, Pidfd};
use ckpt_uapi::record::pids::Pids;
use ckpt_uapi::record::pipe::Pipe;
use ckpt_uapi::record::posix_timer::{self, PosixTimer, PosixTimers};
use ckpt_uapi::record::prctl::Prctl;
use ckpt_uapi::record::proc::ProcFile;
use ckpt_uapi::record::pty::{self, Ctty, Pty, PtyFile};
use ckpt_uapi::record::regs::Regs;
use ckpt_uapi::record::restart_block::{self, RestartBlock};
use ckpt_uapi::record::rlimit::Rlimits;
use ckpt_uapi::record::sched::Sched;
use ckpt_uapi::record::seccomp::{self, Seccomp, SeccompFilter};
use ckpt_uapi::record::sem::{Sem, SemAdjustment, SemUndo, SemValue};
use ckpt_uapi::record::shm::{self, Shm};
use ckpt_uapi::record::shmem::Shmem;
use ckpt_uapi::record::signal::{Actions, Info, Mask, Pending};
use ckpt_uapi::record::socket::{self, Socket, SocketMessage, SocketOptions};
use ckpt_uapi::record::task::Task;
use ckpt_uapi::record::trailer::Trailer;
use ckpt_uapi::record::tree::{self, Head, Tree};
use ckpt_uapi::record::uring::{self, Uring};
use ckpt_uapi::record::userfaultfd::{self, Userfaultfd};
use ckpt_uapi::record::{Entry, Record, RecordType};
use ckpt_uapi::statefile::{padding, Prefix, RecordHeader, HASH_SEED, PAGE_ALIGN, RECORD_ALIGN};
use std::hash::Hasher;
use twox_hash::XxHash64;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// A statefile in parts that can be changed. [`Statefile::encode`] makes its checksums and counts right again.
#[derive(Clone, Debug)]
pub struct Statefile {
    /// First bytes.
    pub prefix: Prefix,
    /// All records; the trailer's counts and checksum are those of the others when it is encoded.
    pub records: Vec<Part>,
}

/// One record. Length, payload length, sequence and both checksums follow from the rest.
#[derive(Clone, Debug)]
pub struct Part {
    /// Type number.
    pub kind: u16,
    /// Version.
    pub version: u16,
    /// Flags.
    pub flags: u32,
    /// Length of the fixed part.
    pub fixed: u32,
    /// Body: the fixed and the variable part.
    pub body: Vec<u8>,
    /// Payload.
    pub payload: Vec<u8>,
}

impl Part {
    /// A record with a fixed part only.
    pub fn new<T: Record>(fixed: &T) -> Self {
        Self {
            kind: T::TYPE.number(),
            version: T::VERSION,
            flags: 0,
            fixed: size_of::<T>() as u32,
            body: fixed.as_bytes().to_vec(),
            payload: Vec::new(),
        }
    }

    /// A record without a body.
    pub fn empty(kind: RecordType) -> Self {
        Self {
            kind: kind.number(),
            version: 1,
            flags: 0,
            fixed: 0,
            body: Vec::new(),
            payload: Vec::new(),
        }
    }

    /// With entries as the variable part.
    #[must_use]
    pub fn entries<T: Entry>(mut self, entries: &[T]) -> Self {
        self.body.extend_from_slice(entries.as_bytes());
        self
    }

    /// With a payload.
    #[must_use]
    pub fn payload(mut self, payload: Vec<u8>) -> Self {
        self.payload = payload;
        self
    }
}

impl Statefile {
    /// A statefile with these records and a trailer.
    pub fn new(records: Vec<Part>, objects: u32, tasks: u32) -> Self {
        let mut records = records;
        records.push(Part::new(&Trailer {
            objects,
            tasks,
            ..Trailer::new_zeroed()
        }));
        Self {
            prefix: Prefix::CURRENT,
            records,
        }
    }

    /// Takes a statefile apart. Checksums, order and values are not looked at; `None` if a length leads out of it.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (prefix, _) = Prefix::read_from_prefix(bytes).ok()?;
        let mut records = Vec::new();
        let mut at = size_of::<Prefix>();
        while at < bytes.len() {
            let (header, _) = RecordHeader::read_from_prefix(&bytes[at..]).ok()?;
            at += size_of::<RecordHeader>();
            let body = bytes.get(at..at.checked_add(header.length as usize)?)?.to_vec();
            at += body.len();
            let mut payload = Vec::new();
            if header.payload != 0 {
                at += padding(at as u64, PAGE_ALIGN) as usize;
                payload = bytes
                    .get(at..at.checked_add(usize::try_from(header.payload).ok()?)?)?
                    .to_vec();
                at += payload.len();
            }
            at += padding(at as u64, RECORD_ALIGN) as usize;
            let RecordHeader {
                kind,
                version,
                flags,
                fixed,
                ..
            } = header;
            records.push(Part {
                kind,
                version,
                flags,
                fixed,
                body,
                payload,
            });
        }
        Some(Self { prefix, records })
    }

    /// The bytes, with right lengths, sequence numbers, checksums and counts of records and payload. The trailer's counts
    /// of objects and tasks stay what they are.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.prefix.as_bytes().to_vec();
        let mut hashes = XxHash64::with_seed(HASH_SEED);
        hashes.write(&bytes);
        let mut payload_total = 0;
        for (sequence, part) in (0..).zip(&self.records) {
            let mut body = part.body.clone();
            payload_total += part.payload.len() as u64;
            if part.kind == RecordType::Trailer.number() {
                if let Ok((trailer, _)) = Trailer::mut_from_prefix(&mut body) {
                    trailer.records = sequence + 1;
                    trailer.payload = payload_total;
                    trailer.hash = hashes.finish();
                }
            }
            let payload_hash = if part.payload.is_empty() {
                0
            } else {
                XxHash64::oneshot(HASH_SEED, &part.payload)
            };
            let mut header = RecordHeader {
                kind: part.kind,
                version: part.version,
                flags: part.flags,
                length: body.len() as u32,
                fixed: part.fixed,
                payload: part.payload.len() as u64,
                payload_hash,
                sequence,
                hash: 0,
            };
            let mut hash = XxHash64::with_seed(HASH_SEED);
            hash.write(header.as_bytes());
            hash.write(&body);
            header.hash = hash.finish();
            hashes.write(&header.hash.to_le_bytes());

            bytes.extend_from_slice(header.as_bytes());
            bytes.extend_from_slice(&body);
            if !part.payload.is_empty() {
                pad(&mut bytes, PAGE_ALIGN);
                bytes.extend_from_slice(&part.payload);
            }
            pad(&mut bytes, RECORD_ALIGN);
        }
        bytes
    }
}

fn pad(bytes: &mut Vec<u8>, align: u64) {
    bytes.resize(bytes.len() + padding(bytes.len() as u64, align) as usize, 0);
}

/// Changes statefiles at random; the same number to begin with gives the same changes.
#[derive(Clone, Debug)]
pub struct Mutator(u64);

impl Mutator {
    /// Begins with this number.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number (SplitMix64).
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number below a limit; 0 when the limit is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.number() % limit.max(1) as u64) as usize
    }

    /// Damages bytes: a bit or byte differs, goes or comes, a part moves, the end is cut off.
    pub fn damage(&mut self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let at = self.below(bytes.len());
        match self.below(8) {
            0 => bytes[at] ^= 1 << self.below(8),
            1 => bytes[at] = self.number() as u8,
            2 => bytes.truncate(at),
            3 => bytes.insert(at, self.number() as u8),
            4 => drop(bytes.remove(at)),
            5 => {
                let end = (at + self.below(64)).min(bytes.len());
                bytes[at..end].fill(0xff);
            }
            6 => {
                let length = self.below(256).min(bytes.len() - at);
                let part: Vec<_> = bytes.drain(at..at + length).collect();
                let to = self.below(bytes.len() + 1);
                bytes.splice(to..to, part);
            }
            _ => {
                let word = [0, 1, 0x7fff_ffff, u32::MAX][self.below(4)];
                let end = (at + 4).min(bytes.len());
                bytes[at..end].copy_from_slice(&word.to_le_bytes()[..end - at]);
            }
        }
    }

    /// Changes values, lengths or the order of records. [`Statefile::encode`] gives the result right checksums, so it gets
    /// deeper into a reader than damage does.
    pub fn falsify(&mut self, statefile: &mut Statefile) {
        let count = statefile.records.len();
        if count == 0 {
            return;
        }
        let at = self.below(count);
        match self.below(12) {
            0 => statefile.records.swap(at, self.below(count)),
            1 => drop(statefile.records.remove(at)),
            2 => {
                let again = statefile.records[at].clone();
                statefile.records.insert(self.below(count), again);
            }
            3 => statefile.records[at].fixed = self.below(400) as u32,
            4 => statefile.records[at].version = self.below(3) as u16,
            5 => statefile.records[at].kind = self.below(0x70) as u16,
            6 => statefile.records[at].payload.truncate(self.below(2) * 4096),
            7 => self.damage(&mut statefile.records[at].body),
            _ => self.falsify_word(&mut statefile.records[at].body),
        }
    }

    /// One aligned word becomes a value that readers forget to check, or one near to what it was.
    fn falsify_word(&mut self, body: &mut [u8]) {
        const VALUES: [u64; 12] = [
            0,
            1,
            2,
            0xfff,
            0x1000,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            0x7fff_ffff_f000,
            0x8000_0000_0000_0000,
            0xffff_ffff_ffff_f000,
            u64::MAX,
        ];
        let width = if self.below(2) == 0 { 4 } else { 8 };
        let words = body.len() / width;
        if words == 0 {
            return;
        }
        let at = self.below(words) * width;
        let word = &mut body[at..at + width];
        let mut before = [0; 8];
        before[..width].copy_from_slice(word);
        let before = u64::from_le_bytes(before);
        let value = match self.below(4) {
            0 => before.wrapping_add(1),
            1 => before.wrapping_sub(1),
            2 => before ^ (1 << self.below(width * 8)),
            _ => VALUES[self.below(VALUES.len())],
        };
        word.copy_from_slice(&value.to_le_bytes()[..width]);
    }
}

/// A small valid statefile that has every record type but socket-data, which stands behind a long message only. It restarts nowhere.
///
/// A process with two threads has four child processes: one shares its descriptors and directories, and memory of the two is
/// shared; one shares its memory and signal handlers; one is a zombie; one is the init of a pid namespace.
pub fn sample() -> Statefile {
    let mut records = vec![Part::new(&Header {
        arch: header::ARCH_X86_64,
        page_size: PAGE_ALIGN as u32,
        tasks: 6,
        xfeatures: 7,
        realtime_ns: 1_700_000_000_000_000_000,
        uuid: *b"a-sample-of-ckpt",
        release: name("7.3.4-sample"),
        nodename: name("sample"),
        ..Header::new_zeroed()
    })];
    records.extend(tree());
    records.extend(root());
    records.extend(worker());
    records.extend(child());
    records.extend(sharer());
    records.extend(zombie());
    records.extend(init());
    Statefile::new(records, 54, 6)
}

/// The child processes of [`sample`], by their index.
const CHILD: u32 = 2;
const SHARER: u32 = 3;
const ZOMBIE: u32 = 4;
const INIT: u32 = 5;

fn tree() -> Vec<Part> {
    let process = |index, pid, flags, comm| Tree {
        pid,
        tgid: pid,
        ppid: if index == 0 { 1 } else { 4000 },
        pgid: 4000,
        sid: 3900,
        exit_signal: 17,
        flags: tree::flags::LEADER | flags,
        leader: index,
        vm: index,
        comm: name(comm),
        ..Tree::new_zeroed()
    };
    vec![
        Part::new(&Head { first: 0, count: 2 }).entries(&[
            process(0, 4000, tree::flags::GROUP_LEADER, "sample"),
            Tree {
                pid: 4001,
                flags: 0,
                exit_signal: 0,
                ..process(0, 4000, 0, "worker")
            },
        ]),
        Part::new(&Head { first: CHILD, count: 4 }).entries(&[
            process(CHILD, 4100, 0, "child"),
            Tree {
                vm: 0,
                ..process(SHARER, 4200, tree::flags::SHARES_HANDLERS, "sharer")
            },
            process(ZOMBIE, 4300, tree::flags::ZOMBIE, "zombie"),
            Tree {
                level: 1,
                ..process(INIT, 4400, tree::flags::PIDNS_INIT, "init")
            },
        ]),
        Part::new(&Pids { index: INIT, count: 1 }).entries(&[1u32]),
        Part::new(&UserNs {
            owner: 1000,
            group: 1000,
            flags: 0,
            uids: 1,
            gids: 1,
            groups: 1,
        })
        .entries(&[0u32, 1000, 1, 0, 100_000, 1000, 27]),
        Part::new(&NestedUserNs {
            parent: 0,
            owner: 0,
            group: 0,
            flags: 1,
            uids: 1,
            gids: 1,
        })
        .entries(&[0u32, 0, 1, 0, 0, 1]),
        Part::new(&External {
            length: 11,
            reserved: 0,
        })
        .entries(b"veth[eth0]\0"),
        Part::empty(RecordType::PrologueEnd),
    ]
}

fn root() -> Vec<Part> {
    let mut records = vec![
        task(0, "sample", [1, 2, 3, 4]),
        Part::new(&Cgroup {
            path_len: 4,
            ..Cgroup::new_zeroed()
        })
        .entries(b"/a/b"),
    ];
    records.extend(memory());
    records.extend(descriptors());
    records.push(fs());
    records.push(Part::new(&Actions::new_zeroed()));
    records.extend(process());
    records.extend(thread(Some(signal(15)), 0, true));
    records.push(Part::new(&RestartBlock {
        kind: restart_block::kind::NANOSLEEP,
        timed: 1,
        remaining_ns: 1_500_000_000,
        ..RestartBlock::new_zeroed()
    }));
    records.push(Part::empty(RecordType::TaskEnd));
    records
}

fn worker() -> Vec<Part> {
    let mut records = vec![task(1, "worker", [1, 2, 3, 4])];
    records.extend(thread(None, 0, false));
    records.push(Part::empty(RecordType::TaskEnd));
    records
}

/// New are its address space and its signal handlers.
fn child() -> Vec<Part> {
    let mut records = vec![task(CHILD, "child", [11, 2, 3, 12])];
    records.extend(small_memory(&[Vma {
        start: 0x60_4000,
        end: 0x60_6000,
        kind: vma_kind::SHMEM,
        prot: 3,
        objref: SHMEM,
        ..Vma::new_zeroed()
    }]));
    records.push(Part::new(&Actions::new_zeroed()));
    records.extend(process());
    records.extend(thread(None, 0, true));
    records.push(Part::empty(RecordType::TaskEnd));
    records
}

/// New are its descriptors and directories. Of its open files, one is another process's as well.
fn sharer() -> Vec<Part> {
    vec![
        task(SHARER, "sharer", [1, 13, 14, 4]),
        path(15, file::kind::REGULAR, "/tmp/own"),
        Part::new(&Fds { count: 2, more: 0 }).entries(&[fd(0, 0, NULL), fd(3, 0, 15)]),
        fs(),
    ]
    .into_iter()
    .chain(process())
    .chain(thread(None, 0, true))
    .chain([Part::empty(RecordType::TaskEnd)])
    .collect()
}

fn zombie() -> Vec<Part> {
    vec![
        Part::new(&Task {
            index: ZOMBIE,
            comm: name("zombie"),
            // It called exit(7).
            exit_status: 7 << 8,
            ..Task::new_zeroed()
        }),
        Part::new(&Cred::new_zeroed()),
        Part::empty(RecordType::TaskEnd),
    ]
}

fn init() -> Vec<Part> {
    let mut records = vec![task(INIT, "init", [16, 17, 18, 19])];
    records.extend(namespaces());
    records.extend(ipc());
    records.extend(small_memory(&[]));
    records.extend(events());
    records.extend(nameless_files());
    records.push(open_queue());
    records.extend(sockets());
    records.extend(terminal());
    records.push(Part::new(&Pidfd {
        objref: PIDFD,
        flags: pidfd::THREAD,
        task: pidfd::task::REAPED,
        same: 0,
        status: 9,
        has_status: 1,
    }));
    records.extend(inotify());
    records.push(file_of_proc());
    records.push(Part::new(&NsFd {
        objref: PIDFD + 3,
        flags: 0,
        kind: nsfd::PID,
        task: 0,
    }));
    records.push(Part::new(&Userfaultfd {
        objref: PIDFD + 4,
        flags: userfaultfd::FLAGS,
        made: userfaultfd::MADE,
        api: 1,
        features: 1 << 6,
    }));
    records.extend(fanotify());
    records.extend(ring());
    records.extend([
        Part::new(&Fds { count: 6, more: 0 }).entries(&[
            fd(9, 0, 35),
            fd(10, 0, 37),
            fd(11, 0, 38),
            fd(12, 0, LISTENER),
            fd(13, 0, LISTENER + 1),
            fd(14, 0, TERMINAL + 1),
        ]),
        fs(),
        Part::new(&Actions::new_zeroed()),
    ]);
    records.extend(process());
    records.extend([layer(51, 0), layer(52, 51), told()]);
    records.push(Part::new(&SemUndo { objref: 53, count: 1 }).entries(&[SemAdjustment {
        set: 29,
        number: 1,
        adjust: -3,
    }]));
    records.extend(ring_of_task());
    records.extend(thread(None, 52, true));
    records.push(Part::empty(RecordType::TaskEnd));
    records
}

/// One that listens, and a connection that it has accepted.
fn sockets() -> Vec<Part> {
    let (name, path) = (b"socket", b"/run/socket");
    let options = |socket| {
        Part::new(&SocketOptions {
            socket,
            rcvlowat: 1,
            peek_off: -1,
            ..SocketOptions::new_zeroed()
        })
    };
    let socket = |objref, pair, listener| Socket {
        objref,
        kind: socket::kind::STREAM,
        pair,
        listener,
        ..Socket::new_zeroed()
    };
    vec![
        Part::new(&Socket {
            listening: 1,
            backlog: 5,
            name_len: name.len() as u32,
            path_len: path.len() as u32,
            mode: 0o755,
            name: socket::name::BOUND,
            ..socket(LISTENER, socket::pair::ALONE, 0)
        })
        .entries(name)
        .entries(path),
        Part::new(&socket(LISTENER + 1, socket::pair::FIRST, LISTENER)),
        Part::new(&socket(LISTENER + 2, socket::pair::SECOND, 0)),
        Part::new(&SocketMessage {
            socket: LISTENER + 1,
            sender: LISTENER + 2,
            length: 4,
            files: 1,
            ..SocketMessage::new_zeroed()
        })
        .entries(&[EXE])
        .entries(b"data"),
        options(LISTENER),
        options(LISTENER + 1),
        options(LISTENER + 2),
    ]
}

/// Numbers are those of the address space, descriptors, directories and signal handlers.
fn task(index: u32, comm: &str, [mm, files, fs, handlers]: [u32; 4]) -> Part {
    Part::new(&Task {
        index,
        comm: name(comm),
        mm,
        files,
        fs,
        handlers,
        ..Task::new_zeroed()
    })
}

/// What is of a process alone.
fn process() -> [Part; 2] {
    [Part::new(&Itimers::new_zeroed()), Part::new(&Rlimits::new_zeroed())]
}

/// Shared objects of [`sample`].
const EXE: u32 = 5;
const SHMEM: u32 = 6;
const NULL: u32 = 7;
const PIPE: u32 = 8;
const LISTENER: u32 = 39;
const TERMINAL: u32 = 42;
const PIDFD: u32 = 44;
const URING: u32 = 50;
const FILTER: u32 = 54;

/// An address space with nothing of its own.
fn small_memory(vmas: &[Vma]) -> Vec<Part> {
    let count = vmas.len() as u32;
    vec![
        Part::new(&Mm {
            exe: EXE,
            vmas: count,
            ..Mm::new_zeroed()
        }),
        Part::new(&Vmas { count, reserved: 0 }).entries(vmas),
        Part::empty(RecordType::MmEnd),
    ]
}

/// Address of a ring with room for 126 events.
const RING: u64 = 0x70_0000;

/// Events in the ring, from this slot on.
fn context(first: u32, count: u32) -> Part {
    let event = AioEvent {
        data: 0x4711,
        obj: 0x60_0000,
        res: 4096,
        res2: 0,
    };
    Part::new(&Aio {
        address: RING,
        requests: 8,
        first,
        count,
        reserved: 0,
    })
    .entries(&vec![event; count as usize])
}

fn memory() -> Vec<Part> {
    let page = |fill: u8| vec![fill; PAGE_ALIGN as usize];
    let program = "/usr/bin/sample";
    vec![
        Part::new(&File {
            lock: LOCK_EX,
            ..file(EXE, file::kind::REGULAR, program)
        })
        .entries(program.as_bytes()),
        Part::new(&Shmem {
            objref: SHMEM,
            size: 2 * PAGE_ALIGN,
            ..Shmem::new_zeroed()
        }),
        Part::new(&Pages {
            objref: SHMEM,
            extents: 1,
        })
        .entries(&[Extent {
            address: PAGE_ALIGN,
            pages: 1,
            flags: 0,
        }])
        .payload(page(0x22)),
        Part::new(&Mm {
            exe: EXE,
            vmas: 4,
            auxv: 2,
            ..Mm::new_zeroed()
        })
        .entries(&[0u64, 0]),
        Part::new(&Vmas { count: 4, reserved: 0 }).entries(&[
            Vma {
                start: 0x40_0000,
                end: 0x40_2000,
                kind: vma_kind::FILE_PRIVATE,
                prot: 5,
                objref: EXE,
                ..Vma::new_zeroed()
            },
            Vma {
                start: 0x60_0000,
                end: 0x60_4000,
                kind: vma_kind::ANON,
                prot: 3,
                ..Vma::new_zeroed()
            },
            Vma {
                start: 0x60_4000,
                end: 0x60_6000,
                kind: vma_kind::SHMEM,
                prot: 3,
                objref: SHMEM,
                ..Vma::new_zeroed()
            },
            Vma {
                start: RING,
                end: RING + PAGE_ALIGN,
                kind: vma_kind::AIO,
                prot: 3,
                ..Vma::new_zeroed()
            },
        ]),
        context(126, 2),
        context(1, 1),
        Part::new(&VmaName {
            start: 0x60_0000,
            end: 0x60_4000,
        })
        .entries(b"heap"),
        Part::new(&VmaPolicy {
            start: 0x60_0000,
            end: 0x60_4000,
            mode: MPOL_BIND,
            words: 1,
            home_node: -1,
            ..VmaPolicy::new_zeroed()
        })
        .entries(&[1u64]),
        Part::new(&Pages { objref: 0, extents: 2 })
            .entries(&[
                Extent {
                    address: 0x60_0000,
                    pages: 1,
                    flags: 0,
                },
                Extent {
                    address: 0x60_2000,
                    pages: 2,
                    flags: 1,
                },
            ])
            .payload(page(0x11)),
        Part::empty(RecordType::MmEnd),
    ]
}

fn namespaces() -> Vec<Part> {
    vec![
        Part::new(&UtsNs {
            objref: 20,
            reserved: 0,
            nodename: name("inside"),
            domainname: name("(none)"),
        }),
        Part::new(&IpcNs {
            objref: 21,
            sem: [32000, 1_024_000_000, 500, 32000],
            ..IpcNs::new_zeroed()
        }),
        Part::new(&TimeNs {
            objref: 22,
            monotonic_ns: 5_000_000_000,
            boottime_ns: 6_000_000_000,
            ..TimeNs::new_zeroed()
        }),
        Part::new(&MntNs { objref: 23, mounts: 2 }),
        Part::new(&Mount {
            root_len: 5,
            ..Mount::new_zeroed()
        })
        .entries(b"/root"),
        Part::new(&Filesystem {
            objref: 24,
            type_len: 5,
            source_len: 4,
            options_len: 8,
            ..Filesystem::new_zeroed()
        })
        .entries(b"tmpfsnone,size=8k"),
        Part::new(&Inode {
            mode: 0o100644,
            size: 5,
            path_len: 4,
            ..Inode::new_zeroed()
        })
        .entries(b"file"),
        Part::new(&InodeXattr {
            name_len: 6,
            value_len: 1,
        })
        .entries(b"user.av"),
        Part::new(&InodeData {
            offset: 0,
            length: 5,
            reserved: 0,
        })
        .entries(b"hello"),
        Part::new(&Mount {
            filesystem: 24,
            root_len: 1,
            point_len: 4,
            ..Mount::new_zeroed()
        })
        .entries(b"//tmp"),
        Part::new(&CgroupNs {
            objref: 25,
            reserved: 0,
        }),
        Part::new(&NetNs { objref: 26, devices: 2 }),
        Part::new(&NetDevice {
            kind: device_kind::LOOPBACK,
            ifindex: 1,
            flags: 1,
            mtu: 65_536,
            addr_gen_mode: NO_INET6,
            name: name("lo"),
            ..NetDevice::new_zeroed()
        }),
        Part::new(&NetDevice {
            kind: device_kind::VETH,
            ifindex: 2,
            flags: 1,
            mtu: 1500,
            peer: peer::OUTSIDE,
            name: name("eth0"),
            alias_len: 6,
            ..NetDevice::new_zeroed()
        })
        .entries(b"uplink"),
        Part::new(&NetAddress {
            family: 2,
            ifindex: 2,
            prefix_len: 24,
            valid: u32::MAX,
            preferred: u32::MAX,
            local: inet([10, 0, 0, 2]),
            peer: inet([10, 0, 0, 2]),
            label: name("eth0"),
            ..NetAddress::new_zeroed()
        }),
        Part::new(&NetRoute {
            family: 2,
            table: 254,
            protocol: 3,
            kind: 1,
            ifindex: 2,
            gateway_family: 2,
            gateway: inet([10, 0, 0, 1]),
            ..NetRoute::new_zeroed()
        }),
        Part::new(&NetNeighbour {
            family: 2,
            ifindex: 2,
            address: inet([10, 0, 0, 9]),
            hardware: [2, 0, 0, 0, 0, 9, 0, 0],
        }),
        Part::new(&NsOwner {
            user_ns: 0,
            reserved: 0,
        }),
        Part::new(&Nsproxy {
            objref: 27,
            cgroup: 25,
            net: 26,
            mnt: 23,
            uts: 20,
            ipc: 21,
            time: 22,
            time_for_children: 22,
            ..Nsproxy::new_zeroed()
        }),
    ]
}

fn perm(id: u32) -> Perm {
    Perm {
        id,
        key: 0x4711,
        mode: 0o600,
        ..Perm::new_zeroed()
    }
}

/// What is in the ipc namespace.
fn ipc() -> Vec<Part> {
    vec![
        Part::new(&Shm {
            objref: 28,
            flags: shm::flags::DEST,
            perm: perm(3),
            size: PAGE_ALIGN + 1,
            creator: 1,
            ..Shm::new_zeroed()
        }),
        Part::new(&Pages { objref: 28, extents: 1 })
            .entries(&[Extent {
                address: PAGE_ALIGN,
                pages: 1,
                flags: 0,
            }])
            .payload(vec![0x33; PAGE_ALIGN as usize]),
        Part::new(&Sem {
            objref: 29,
            perm: perm(32_768),
            count: 2,
            ..Sem::new_zeroed()
        })
        .entries(&[SemValue { value: 5, pid: 1 }, SemValue { value: 0, pid: 0 }]),
        Part::new(&Msg {
            objref: 30,
            messages: 1,
            perm: perm(0),
            qbytes: 16_384,
            ..Msg::new_zeroed()
        }),
        Part::new(&MsgText {
            queue: 30,
            length: 5,
            mtype: 7,
        })
        .entries(b"hello"),
        Part::new(&Mqueue {
            objref: 31,
            mode: 0o600,
            maxmsg: 10,
            msgsize: 8192,
            messages: 1,
            name_len: 5,
            ..Mqueue::new_zeroed()
        })
        .entries(b"queue"),
        Part::new(&MqueueText {
            queue: 31,
            length: 4,
            priority: 9,
            reserved: 0,
        })
        .entries(b"text"),
        Part::new(&IpcEnd {
            shm: Ids {
                seq: 1,
                last: 4,
                cursor: 4,
            },
            ..IpcEnd::new_zeroed()
        }),
    ]
}

fn open_queue() -> Part {
    Part::new(&Mqd {
        objref: 38,
        flags: mqueue::FLAGS & 0o4000,
        name_len: 5,
        reserved: 0,
    })
    .entries(b"queue")
}

fn told() -> Part {
    Part::new(&MqNotify {
        fd: 11,
        notify: mqueue::notify::SIGNAL,
        signal: 12,
        ..MqNotify::new_zeroed()
    })
}

fn inet(address: [u8; 4]) -> [u8; 16] {
    let mut out = [0; 16];
    out[..4].copy_from_slice(&address);
    out
}

fn fs() -> Part {
    let (cwd, root) = ("/home/user", "/");
    Part::new(&Fs {
        umask: 0o22,
        cwd_len: cwd.len() as u32,
        root_len: root.len() as u32,
        reserved: 0,
    })
    .entries(cwd.as_bytes())
    .entries(root.as_bytes())
}

fn descriptors() -> Vec<Part> {
    let content = b"unread";
    vec![
        path(NULL, file::kind::DEVICE, "/dev/null"),
        Part::new(&Pipe {
            objref: PIPE,
            capacity: 65536,
            content: content.len() as u32,
            path_len: 0,
        })
        .entries(content),
        pipe_end(9, PIPE, O_RDONLY),
        pipe_end(10, PIPE, O_WRONLY),
        Part::new(&Fds { count: 1, more: 1 }).entries(&[fd(0, 0, NULL)]),
        Part::new(&Fds { count: 3, more: 0 }).entries(&[fd(4, 0, 9), fd(5, 0, 10), fd(7, 1, EXE)]),
        locks(lock::holder::TABLE, 7),
    ]
}

/// Locks of a process by a descriptor, or of an open file.
fn locks(holder: u32, of: u32) -> Part {
    let lock = |start, len, kind| Lock {
        start,
        len,
        kind,
        reserved: 0,
    };
    Part::new(&Locks {
        holder,
        of,
        count: 2,
        reserved: 0,
    })
    .entries(&[lock(5, 10, lock::kind::WRITE), lock(100, 0, lock::kind::READ)])
}

/// Open files that stand for events; an epoll watches another one by a descriptor that is closed by now.
fn events() -> Vec<Part> {
    let item = EpollItem {
        fd: 7,
        file: 32,
        events: 1,
        reserved: 0,
        data: 42,
    };
    vec![
        Part::new(&Eventfd {
            objref: 32,
            count: 3,
            ..Eventfd::new_zeroed()
        }),
        Part::new(&Signalfd {
            objref: 33,
            flags: event::FLAGS,
            mask: 1 << 9,
        }),
        Part::new(&Timerfd {
            objref: 34,
            clock: 1,
            value_ns: 5_000_000_000,
            interval_ns: 1_000_000_000,
            ..Timerfd::new_zeroed()
        }),
        Part::new(&Epoll { objref: 35, flags: 0 }),
        Part::new(&EpollItems { epoll: 35, count: 1 }).entries(&[item]),
    ]
}

/// An inotify that has something to tell.
fn inotify() -> Vec<Part> {
    let path = "/tmp";
    let event: Vec<u8> = [1, 0x100, 0, 0]
        .iter()
        .flat_map(|word: &u32| word.to_ne_bytes())
        .collect();
    vec![
        Part::new(&Inotify {
            objref: PIDFD + 1,
            flags: inotify::FLAGS,
            watches: 1,
            next_wd: 2,
        }),
        Part::new(&inotify::Events {
            inotify: PIDFD + 1,
            length: event.len() as u32,
        })
        .entries(&event[..]),
        Part::new(&inotify::Watch {
            inotify: PIDFD + 1,
            wd: 1,
            mask: 0x100,
            path_len: path.len() as u32,
        })
        .entries(path.as_bytes()),
    ]
}

/// A fanotify that watches a directory.
fn fanotify() -> Vec<Part> {
    let path = "/tmp";
    vec![
        Part::new(&Fanotify {
            objref: PIDFD + 5,
            flags: fanotify::FLAGS,
            made: fanotify::MADE,
            event_flags: 0,
            unprivileged: 1,
            marks: 1,
        }),
        Part::new(&fanotify::Mark {
            fanotify: PIDFD + 5,
            mask: 0x100,
            ignored: 0x200,
            flags: fanotify::mark::SURVIVES | fanotify::mark::EVICTABLE,
            path_len: path.len() as u32,
            reserved: 0,
        })
        .entries(path.as_bytes()),
    ]
}

/// A ring of io_uring that keeps a file.
fn ring() -> Vec<Part> {
    let contents = [1u8; 8];
    let cqe = uring::Cqe { words: [1, 0, 0, 0] };
    let file = uring::Slot {
        slot: 1,
        file: EXE,
        tag: 7,
    };
    vec![
        Part::new(&Uring {
            objref: URING,
            setup: uring::SINGLE_ISSUER,
            state: uring::state::WORKERS,
            sq_entries: 4,
            cq_entries: 8,
            sq_head: 3,
            cq_tail: 2,
            ring_bytes: 4096,
            sqe_bytes: 4096,
            clock: 1,
            workers: [1, 2],
            files: 2,
            file_range: [0, 2],
            buffers: 3,
            ..Uring::new_zeroed()
        }),
        Part::new(&uring::Data {
            ring: URING,
            region: 1,
            offset: 64,
            length: contents.len() as u32,
        })
        .entries(&contents[..]),
        Part::new(&uring::Overflow { ring: URING, count: 1 }).entries(&[cqe]),
        Part::new(&uring::Files { ring: URING, count: 1 }).entries(&[file]),
    ]
}

/// The memory that it keeps, and who submits to it.
fn ring_of_task() -> [Part; 2] {
    let buffer = uring::Buffer {
        slot: 2,
        reserved: 0,
        address: 0x1000,
        length: 100,
        tag: 0,
    };
    [
        Part::new(&uring::Buffers { ring: URING, count: 1 }).entries(&[buffer]),
        Part::new(&uring::Task {
            ring: URING,
            place: uring::SUBMITTER,
        }),
    ]
}

/// A file of the first thread.
fn file_of_proc() -> Part {
    let (proc, path) = ("/proc", "/stat");
    Part::new(&ProcFile {
        objref: PIDFD + 2,
        flags: O_RDONLY,
        process: 0,
        thread: 0,
        pos: 4,
        proc_len: proc.len() as u32,
        path_len: path.len() as u32,
    })
    .entries(proc.as_bytes())
    .entries(path.as_bytes())
}

/// A deleted file with a hole, and an open file of it.
fn nameless_files() -> Vec<Part> {
    let (path, content) = ("/tmp/deleted", b"content");
    vec![
        Part::new(&Nameless {
            objref: 36,
            flags: nameless::flags::LINKABLE,
            mode: 0o100_600,
            size: 2 * PAGE_ALIGN,
            path_len: path.len() as u32,
            ..Nameless::new_zeroed()
        })
        .entries(path.as_bytes()),
        Part::new(&NamelessData {
            objref: 36,
            length: content.len() as u32,
            offset: PAGE_ALIGN,
        })
        .entries(content),
        Part::new(&File {
            nameless: 36,
            ..file(37, file::kind::NAMELESS, "")
        }),
    ]
}

/// A pty with half a line typed, its slave, and that it is the controlling terminal.
fn terminal() -> Vec<Part> {
    let (path, out, line, marks, echo) = ("/dev/ptmx", "out", "line\nhalf", [0x10u8, 0], "half");
    let body = [
        path.as_bytes(),
        out.as_bytes(),
        line.as_bytes(),
        &marks,
        echo.as_bytes(),
    ]
    .concat();
    vec![
        Part::new(&Pty {
            objref: TERMINAL,
            index: 3,
            path_len: path.len() as u32,
            master_read: out.len() as u32,
            slave_read: line.len() as u32,
            canon_head: 5,
            echo: echo.len() as u32,
            echo_commit: 2,
            echo_mark: 4,
            mode: 0o620,
            ..Pty::new_zeroed()
        })
        .entries(&body),
        Part::new(&Ctty {
            pty: TERMINAL,
            foreground: 1,
        }),
        Part::new(&PtyFile {
            objref: TERMINAL + 1,
            end: pty::end::SLAVE,
            pty: TERMINAL,
            ..PtyFile::new_zeroed()
        }),
    ]
}

fn fd(fd: u32, flags: u32, objref: u32) -> Fd {
    Fd {
        fd,
        flags,
        objref,
        reserved: 0,
    }
}

const MPOL_BIND: u32 = 2;
const O_RDONLY: u32 = 0;
const O_WRONLY: u32 = 1;
const LOCK_EX: u32 = 2;

fn pipe_end(objref: u32, pipe: u32, flags: u32) -> Part {
    let name = "pipe:[4711]";
    Part::new(&File {
        flags,
        pipe,
        ..file(objref, file::kind::PIPE, name)
    })
    .entries(name.as_bytes())
}

fn layer(objref: u32, below: u32) -> Part {
    Part::new(&landlock::Layer {
        objref,
        below,
        handled_access_fs: 0x2000,
        scoped: 2,
        quiet_scoped: 2,
        ..landlock::Layer::new_zeroed()
    })
}

fn thread(shared: Option<Info>, domain: u32, leads: bool) -> Vec<Part> {
    let mut records = vec![
        Part::new(&Sched {
            affinity: 1,
            ..Sched::new_zeroed()
        })
        .entries(&[3u64]),
        Part::new(&Prctl::new_zeroed()),
        Part::new(&Mempolicy {
            mode: MPOL_BIND,
            words: 1,
        })
        .entries(&[1u64]),
        Part::new(&Landlock {
            domain,
            no_new_privs: 1,
            ..Landlock::new_zeroed()
        }),
    ];
    if domain != 0 {
        // A filter that allows everything.
        records.push(
            Part::new(&SeccompFilter {
                objref: FILTER,
                count: 1,
                ..SeccompFilter::new_zeroed()
            })
            .entries(&[0x7fff_0000_0000_0006u64]),
        );
        records.push(Part::new(&Seccomp {
            mode: seccomp::mode::FILTER,
            filter: FILTER,
            ..Seccomp::new_zeroed()
        }));
    }
    records.extend([Part::new(&Cred {
        uid: 1000,
        euid: 1000,
        groups: 2,
        ..Cred::new_zeroed()
    })
    .entries(&[4u32, 1000])]);
    // The root has a descriptor table of its own.
    if shared.is_some() {
        records.push(Part::new(&FileSignals {
            fd: 4,
            owner: file_signals::owner::GROUP,
            pid: 100,
            signal: 34,
            on: 1,
            lease: file_signals::lease::NONE,
        }));
    }
    if leads {
        records.push(timers());
    }
    records.push(Part::new(&Mask {
        blocked: 1 << 14,
        ..Mask::new_zeroed()
    }));
    records.extend(shared.map(|info| Part::new(&Pending { shared: 1, count: 1 }).entries(&[info])));
    records.extend([
        Part::new(&Pending { shared: 0, count: 2 }).entries(&[signal(10), signal(34)]),
        Part::new(&Fpu {
            xfeatures: 3,
            size: 100,
            reserved: 0,
        })
        .entries(&[0u8; 100]),
        Part::new(&Regs {
            ip: 0x40_0123,
            sp: 0x60_1000,
            orig_ax: 35,
            ax: (-516i64) as u64,
            ..Regs::new_zeroed()
        }),
    ]);
    records
}

fn timers() -> Part {
    Part::new(&PosixTimers {
        count: 1,
        next_id: 4,
        ..PosixTimers::new_zeroed()
    })
    .entries(&[PosixTimer {
        id: 3,
        signo: 34,
        flags: posix_timer::flags::ABSOLUTE,
        value_ns: 1_800_000_000_000_000_000,
        ..PosixTimer::new_zeroed()
    }])
}

fn signal(number: u32) -> Info {
    let mut info = Info::new_zeroed();
    info.siginfo[..4].copy_from_slice(&number.to_le_bytes());
    info
}

fn path(objref: u32, kind: u32, path: &str) -> Part {
    Part::new(&file(objref, kind, path)).entries(path.as_bytes())
}

fn file(objref: u32, kind: u32, path: &str) -> File {
    File {
        objref,
        kind,
        path_len: path.len() as u32,
        ..File::new_zeroed()
    }
}

/// NUL-padded text.
fn name<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    bytes
}
