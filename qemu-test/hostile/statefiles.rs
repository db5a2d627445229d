// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Mutated statefiles: more than ten thousand in all.

use super::feed::{Answer, Feeder};
use super::mutations::{changes, Change, Random};
use crate::cases::mm::huge::HugePages;
use crate::cases::ns::rootless::Container;
use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::process::{descendants, status_field, wait_until, PATIENCE};
use harness::{ensure, fail, Context, Program, Result};
use libckpt::testing::{Part, Statefile};
use libckpt::uapi::record::aio::Aio;
use libckpt::uapi::record::external::External;
use libckpt::uapi::record::mm::{extent_flags, Extent, Pages};
use libckpt::uapi::record::RecordType;
use libckpt::uapi::statefile::{record_flags, RecordHeader};
use std::fs;

fn parse(bytes: &[u8]) -> Result<Statefile> {
    match Statefile::parse(bytes) {
        Some(file) => Ok(file),
        None => fail!("the good statefile cannot be taken apart"),
    }
}

/// The good statefile restarts, now and after everything that was fed.
fn still_good(feeder: &mut Feeder) -> Result {
    let good = feeder.good().to_vec();
    let answer = feeder.restart(&good)?;
    ensure!(answer == Answer::Accepted, "the undamaged statefile: {answer:?}");
    println!("{}", feeder.summary());
    Ok(())
}

/// Kernel memory that a leak per restart would eat, in kB.
fn kernel_memory() -> u64 {
    let _ = fs::write("/proc/sys/vm/drop_caches", "3");
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let field = |name: &str| -> u64 {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok())
            .unwrap_or(0)
    };
    ["SUnreclaim", "KernelStack", "PageTables", "VmallocUsed", "Percpu"]
        .map(field)
        .iter()
        .sum()
}

/// Runs a feeding and compares the kernel's memory before and after.
fn without_leak(feeder: &mut Feeder, feed: impl FnOnce(&mut Feeder) -> Result) -> Result {
    still_good(feeder)?;
    let before = kernel_memory();
    feed(feeder)?;
    still_good(feeder)?;
    let fed = feeder.count() as u64;
    // What was freed late (RCU) and what caches hold is far less than a page per statefile.
    let limit = 4096 + fed * 2;
    let after = harness::process::wait_until(std::time::Duration::from_secs(20), || {
        let after = kernel_memory();
        (after < before + limit).then_some(after)
    });
    ensure!(
        after.is_some(),
        "the kernel uses {} kB more after {fed} statefiles",
        kernel_memory().saturating_sub(before)
    );
    Ok(())
}

/// What a newer writer may do and an older reader has to take.
pub fn good_changes(context: &Context) -> Result {
    let mut feeder = Feeder::of(context, "tiny", &[])?;
    let good = parse(feeder.good())?;
    ensure!(
        good.encode() == feeder.good(),
        "taking apart and putting together changes the statefile"
    );
    // Longer fixed parts.
    let mut longer = good.clone();
    for part in longer.records.iter_mut().filter(|part| part.fixed > 0) {
        let at = part.fixed as usize;
        part.body.splice(at..at, [0; 8]);
        part.fixed += 8;
    }
    let answer = feeder.restart(&longer.encode())?;
    ensure!(answer == Answer::Accepted, "longer records: {answer:?}");
    // Unknown records that may be skipped, with and without payload.
    let mut unknown = good.clone();
    let strange = Part {
        kind: 0x7777,
        version: 9,
        flags: record_flags::OPTIONAL,
        fixed: 4,
        body: vec![1; 12],
        payload: vec![2; 5000],
    };
    for at in (1..unknown.records.len()).rev() {
        unknown.records.insert(at, strange.clone());
    }
    let answer = feeder.restart(&unknown.encode())?;
    ensure!(answer == Answer::Accepted, "unknown optional records: {answer:?}");
    // The same without the flag, at every place.
    let plain = Part { flags: 0, ..strange };
    for at in 1..good.records.len() {
        let mut file = good.clone();
        file.records.insert(at, plain.clone());
        let answer = feeder.restart(&file.encode())?;
        ensure!(
            answer == Answer::Refused(libc::EPROTONOSUPPORT),
            "unknown record at {at}: {answer:?}"
        );
    }
    // Newer versions of known records, of the container, and older readers.
    for at in 0..good.records.len() {
        let mut file = good.clone();
        file.records[at].version += 1;
        let answer = feeder.restart(&file.encode())?;
        ensure!(
            answer == Answer::Refused(libc::EPROTONOSUPPORT),
            "version of record {at}: {answer:?}"
        );
    }
    let mut newer = good.clone();
    newer.prefix.format = 7;
    let answer = feeder.restart(&newer.encode())?;
    ensure!(answer == Answer::Accepted, "newer format for old readers: {answer:?}");
    newer.prefix.oldest = 7;
    let answer = feeder.restart(&newer.encode())?;
    ensure!(
        answer == Answer::Refused(libc::EPROTONOSUPPORT),
        "newer format: {answer:?}"
    );
    still_good(&mut feeder)
}

/// Everything before the tasks, without making a task: each byte, each value, each length.
pub fn damaged_prologues(context: &Context) -> Result {
    let mut feeder = Feeder::of(context, "tiny", &[])?;
    let good = parse(feeder.good())?;
    let prologue = Statefile {
        prefix: good.prefix,
        records: good.records[..3].to_vec(),
    }
    .encode();
    ensure!(
        good.records[2].kind == RecordType::PrologueEnd.number(),
        "the third record does not end the prologue"
    );
    without_leak(&mut feeder, |feeder| {
        let answer = feeder.begin(&prologue)?;
        ensure!(answer == Answer::Accepted, "an undamaged prologue: {answer:?}");
        for length in 0..prologue.len() {
            let answer = feeder.begin(&prologue[..length])?;
            ensure!(
                matches!(answer, Answer::Refused(libc::ENODATA | libc::EBADMSG)),
                "{length} bytes: {answer:?}"
            );
        }
        // The two format numbers have no checksum: a newer format that says that old readers understand it is read.
        let format = 8..16;
        for at in (0..prologue.len()).filter(|at| !format.contains(at)) {
            for bit in [0, 3, 7] {
                let mut bytes = prologue.clone();
                bytes[at] ^= 1 << bit;
                let answer = feeder.begin(&bytes)?;
                ensure!(answer != Answer::Accepted, "bit {bit} of byte {at} is not noticed");
            }
        }
        for record in 0..3 {
            for change in changes(&good, record) {
                feeder.begin(&change.apply(&good).encode()[..])?;
            }
        }
        let mut random = Random::new();
        for _ in 0..3000 {
            let length = random.below(8192);
            let bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
            let answer = feeder.begin(&bytes)?;
            ensure!(answer != Answer::Accepted, "random bytes were accepted");
        }
        oversized_headers(feeder, &prologue)
    })
}

/// Lengths that a header claims, with a right checksum over the header: nothing may be allocated or read for them.
fn oversized_headers(feeder: &mut Feeder, prologue: &[u8]) -> Result {
    use std::hash::Hasher;
    const HEADER: usize = size_of::<RecordHeader>();
    // Offsets of length, fixed and payload in the header; the hash is its last field.
    for (offset, wide) in [(8, false), (12, false), (16, true)] {
        for shift in 0..64 {
            for off_by in [-1_i64, 0, 1] {
                let value = (1_u64 << shift).wrapping_add_signed(off_by);
                let mut bytes = prologue.to_vec();
                let at = 16 + offset;
                let width = if wide { 8 } else { 4 };
                bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
                let length = u32::from_le_bytes(bytes[24..28].try_into().unwrap_or_default()) as usize;
                bytes[16 + HEADER - 8..16 + HEADER].fill(0);
                let end = (16 + HEADER).saturating_add(length).min(bytes.len());
                let mut hash = libckpt_hash();
                hash.write(&bytes[16..end]);
                let hash = hash.finish().to_le_bytes();
                bytes[16 + HEADER - 8..16 + HEADER].copy_from_slice(&hash);
                feeder.begin(&bytes)?;
            }
        }
    }
    Ok(())
}

fn libckpt_hash() -> twox_hash::XxHash64 {
    twox_hash::XxHash64::with_seed(libckpt::uapi::statefile::HASH_SEED)
}

/// Where the records of the good statefile begin.
fn boundaries(bytes: &[u8]) -> Result<Vec<usize>> {
    let file = parse(bytes)?;
    Ok((0..file.records.len())
        .map(|count| {
            let front = Statefile {
                prefix: file.prefix,
                records: file.records[..count].to_vec(),
            };
            front.encode().len()
        })
        .collect())
}

/// Cut off at every record, inside every header, and at random places: always refused, whatever was restored before.
pub fn truncated(context: &Context) -> Result {
    let mut feeder = Feeder::of(context, "tiny", &[])?;
    let good = feeder.good().to_vec();
    let mut cuts = boundaries(&good)?;
    cuts.extend(cuts.clone().iter().flat_map(|at| [at + 1, at + 24, at + 48, at + 52]));
    let mut random = Random::new();
    cuts.extend((0..500).map(|_| random.below(good.len())));
    cuts.push(good.len() - 1);
    without_leak(&mut feeder, |feeder| {
        for cut in cuts.into_iter().filter(|cut| *cut < good.len()) {
            let answer = feeder.restart(&good[..cut]).during(format!("{cut} bytes"))?;
            ensure!(
                matches!(answer, Answer::Refused(libc::ENODATA | libc::EBADMSG)),
                "{cut} bytes: {answer:?}"
            );
        }
        Ok(())
    })
}

/// One bit differs: always refused.
pub fn flipped_bits(context: &Context) -> Result {
    let mut feeder = Feeder::of(context, "tiny", &[])?;
    let good = feeder.good().to_vec();
    let mut random = Random::new();
    // Headers and bodies are few bytes among many pages: half of the places are near the beginning of a record.
    let starts = boundaries(&good)?;
    without_leak(&mut feeder, |feeder| {
        for turn in 0..1200 {
            let near = starts[random.below(starts.len())] + random.below(160);
            let at = if turn % 2 == 0 {
                near.min(good.len() - 1)
            } else {
                random.below(good.len())
            };
            let mut bytes = good.clone();
            bytes[at] ^= 1 << random.below(8);
            let answer = feeder.restart(&bytes).during(format!("byte {at}"))?;
            ensure!(answer != Answer::Accepted, "a flipped bit in byte {at} is not noticed");
        }
        Ok(())
    })
}

/// Records that are missing, repeated or somewhere else, behind right checksums.
pub fn moved_records(context: &Context) -> Result {
    let mut feeder = Feeder::of(context, "tiny", &[])?;
    let good = parse(feeder.good())?;
    let count = good.records.len();
    let mut random = Random::new();
    without_leak(&mut feeder, |feeder| {
        for at in 0..count {
            let mut missing = good.clone();
            missing.records.remove(at);
            feeder
                .restart(&missing.encode())
                .during(format!("without record {at}"))?;
            let mut repeated = good.clone();
            repeated.records.insert(at, good.records[at].clone());
            let answer = feeder
                .restart(&repeated.encode())
                .during(format!("record {at} twice"))?;
            let once = good.records[at].kind;
            // What follows the trailer is not read: a stream may go on.
            let may_repeat = [
                RecordType::SignalPending,
                RecordType::PosixTimer,
                RecordType::Pages,
                RecordType::VmaName,
                RecordType::Trailer,
            ]
            .map(RecordType::number);
            ensure!(
                may_repeat.contains(&once) || answer != Answer::Accepted,
                "record {at} ({once:#x}) was accepted twice"
            );
            let mut moved = good.clone();
            let part = moved.records.remove(at);
            moved.records.insert(random.below(count), part);
            feeder.restart(&moved.encode()).during(format!("record {at} moved"))?;
        }
        // Without the sequence number being made right.
        let starts = boundaries(feeder.good())?;
        for pair in starts.windows(3) {
            let bytes = feeder.good().to_vec();
            let swapped = [
                &bytes[..pair[0]],
                &bytes[pair[1]..pair[2]],
                &bytes[pair[0]..pair[1]],
                &bytes[pair[2]..],
            ]
            .concat();
            let answer = feeder.restart(&swapped)?;
            ensure!(answer != Answer::Accepted, "swapped records are not noticed");
        }
        // Trailing data is not the statefile's: a stream may go on.
        for _ in 0..200 {
            let mut shuffled = good.clone();
            for _ in 0..1 + random.below(4) {
                let (a, b) = (random.below(count), random.below(count));
                shuffled.records.swap(a, b);
            }
            feeder.restart(&shuffled.encode())?;
        }
        Ok(())
    })
}

/// Restarts with changed values: one of each `stride` of all changes of all records, in an order that looks like chance.
fn feed_values(feeder: &mut Feeder, stride: usize) -> Result {
    let good = parse(feeder.good())?;
    let mut random = Random::new();
    for record in 0..good.records.len() {
        let kind = good.records[record].kind;
        // Sixty-four equal entries: a part of them says what all of them would.
        let stride = if kind == RecordType::SignalAction.number() {
            stride * 8
        } else {
            stride
        };
        for change in changes(&good, record).into_iter().filter(|_| random.below(stride) == 0) {
            feeder
                .restart(&change.apply(&good).encode())
                .during(format!("{change:x?} of kind {kind:#x}"))?;
        }
    }
    Ok(())
}

/// Hostile values in every field, behind right checksums: anything may come of it but harm.
pub fn values(context: &Context) -> Result {
    let mut feeder = Feeder::of(context, "tiny", &[])?;
    without_leak(&mut feeder, |feeder| feed_values(feeder, 2))
}

/// Landlock domains that cannot be are refused; all others do no harm.
pub fn values_of_landlock(context: &Context) -> Result {
    use libckpt::uapi::record::file::File;
    use libckpt::uapi::record::landlock::{Landlock, Layer};
    use std::mem::offset_of;
    let mut feeder = Feeder::of(context, "landlock_kept", &["layers"])?;
    let good = parse(feeder.good())?;
    let records = &good.records;
    let of = |kind: RecordType| (0..records.len()).filter(move |at| records[*at].kind == kind.number());
    // The second layer, the domain, and the program, which is a regular file.
    let (Some(layer), Some(landlock), Some(file)) = (
        of(RecordType::LandlockLayer).last(),
        of(RecordType::Landlock).next(),
        of(RecordType::File).next(),
    ) else {
        fail!("a record is missing")
    };
    // Record, offset, value of four bytes.
    let wrong = [
        (layer, offset_of!(Layer, objref), 0),
        (layer, offset_of!(Layer, objref), u32::MAX),
        (layer, offset_of!(Layer, below), 1),
        (layer, offset_of!(Layer, below), u32::MAX),
        (layer, offset_of!(Layer, handled_access_fs), u32::MAX),
        (layer, offset_of!(Layer, handled_access_net) + 4, 1),
        (layer, offset_of!(Layer, scoped), 1 << 20),
        (layer, offset_of!(Layer, quiet_access_net), 1),
        (layer, offset_of!(Layer, quiet_scoped), 1),
        (layer, offset_of!(Layer, flags), 1 << 2),
        (layer, offset_of!(Layer, flags), 1 << 4),
        (layer, offset_of!(Layer, subdomains_off), 2),
        (landlock, offset_of!(Landlock, domain), 1),
        (landlock, offset_of!(Landlock, domain), u32::MAX),
        (landlock, offset_of!(Landlock, subdomains_off), 2),
        (landlock, offset_of!(Landlock, no_new_privs), 2),
        (landlock, offset_of!(Landlock, reserved), 1),
        (file, offset_of!(File, denied), 1),
        (file, offset_of!(File, denied), 0x8000),
        (file, offset_of!(File, denied) + 4, 1),
    ];
    without_leak(&mut feeder, |feeder| {
        for (record, offset, value) in wrong {
            let change = Change::of(record, offset, value);
            let answer = feeder.restart(&change.apply(&good).encode())?;
            ensure!(
                matches!(answer, Answer::Refused(libc::EBADMSG | libc::EINVAL)),
                "{change:x?}: {answer:?}"
            );
        }
        let mut random = Random::new();
        for record in of(RecordType::LandlockLayer).chain([landlock]) {
            for change in changes(&good, record).into_iter().filter(|_| random.below(2) == 0) {
                feeder
                    .restart(&change.apply(&good).encode())
                    .during(format!("{change:x?}"))?;
            }
        }
        Ok(())
    })
}

/// The same for what a task sets by its own system calls: timers, filters, policies. All changes of these records, few of none.
pub fn values_of_task_state(context: &Context) -> Result {
    let kinds = [
        RecordType::PosixTimer,
        RecordType::Seccomp,
        RecordType::SeccompFilter,
        RecordType::Prctl,
        RecordType::Mempolicy,
        RecordType::VmaPolicy,
        RecordType::Sched,
        RecordType::Task,
        RecordType::Fd,
        RecordType::Fs,
    ]
    .map(RecordType::number);
    feed_kinds(context, "task_state", &[], &kinds, 4)
}

/// The same for contexts of asynchronous I/O, and the mappings among which their rings are.
pub fn values_of_asynchronous_io(context: &Context) -> Result {
    use std::mem::offset_of;

    let mut feeder = Feeder::of(context, "aio_contexts", &[])?;
    feed_records(&mut feeder, &[RecordType::Aio.number()], 16)?;
    // Saved where rings for so few requests are larger: on a machine with more processors.
    let mut few = parse(feeder.good())?;
    let contexts = few.records.iter_mut().filter(|r| r.kind == RecordType::Aio.number());
    for context in contexts {
        context.body[offset_of!(Aio, requests)..][..4].copy_from_slice(&1u32.to_ne_bytes());
    }
    let answer = feeder.restart(&few.encode())?;
    ensure!(answer == Answer::Accepted, "rings for few requests: {answer:?}");
    Ok(())
}

/// The same for locks of processes and of open files.
pub fn values_of_locks(context: &Context) -> Result {
    feed_kinds(context, "file_locks", &["1"], &[RecordType::Locks.number()], 6)
}

/// The same for who gets the signals of open files, and for leases.
pub fn values_of_file_signals(context: &Context) -> Result {
    feed_kinds(context, "file_signals", &[], &[RecordType::FileSignals.number()], 4)
}

/// The same for open files by path, and those that only stand for one.
pub fn values_of_files(context: &Context) -> Result {
    feed_kinds(context, "file_path", &[], &[RecordType::File.number()], 24)
}

/// The same for files that stand for events.
pub fn values_of_events(context: &Context) -> Result {
    let kinds = [
        RecordType::Eventfd,
        RecordType::Signalfd,
        RecordType::Timerfd,
        RecordType::Epoll,
        RecordType::EpollItems,
    ]
    .map(RecordType::number);
    feed_kinds(context, "fd_events", &[], &kinds, 6)
}

/// The same for pidfds, of all kinds of processes.
pub fn values_of_pidfds(context: &Context) -> Result {
    feed_kinds(context, "file_pidfd", &[], &[RecordType::Pidfd.number()], 2)
}

/// The same for inotify: what is watched, and what has not been told.
pub fn values_of_inotify(context: &Context) -> Result {
    let kinds = [RecordType::Inotify, RecordType::InotifyEvents, RecordType::InotifyWatch].map(RecordType::number);
    feed_kinds(context, "file_inotify", &["few"], &kinds, 24)
}

/// The same for fanotify.
pub fn values_of_fanotify(context: &Context) -> Result {
    let kinds = [RecordType::Fanotify, RecordType::FanotifyMark].map(RecordType::number);
    feed_kinds(context, "file_fanotify", &[], &kinds, 18)
}

/// The same for rings of io_uring: what they are, their contents, and what they keep.
pub fn values_of_io_uring(context: &Context) -> Result {
    use libckpt::uapi::record::uring::{Buffer, Buffers, Data, Files, Slot, Task, Uring};
    use std::mem::offset_of;

    let mut feeder = Feeder::of(context, "file_io_uring", &["all"])?;
    let good = parse(feeder.good())?;
    let first = |kind: RecordType| match good.records.iter().position(|r| r.kind == kind.number()) {
        Some(at) => Ok(at),
        None => fail!("there is no record {kind:?}"),
    };
    let [ring, data, files, buffers, task] = [
        RecordType::IoUring,
        RecordType::IoUringData,
        RecordType::IoUringFiles,
        RecordType::IoUringBuffers,
        RecordType::IoUringTask,
    ]
    .map(first);
    let (ring, data, files, buffers, task) = (ring?, data?, files?, buffers?, task?);
    let (slot, buffer) = (size_of::<Files>(), size_of::<Buffers>());
    // Record, offset, value of four bytes.
    let wrong = [
        (ring, offset_of!(Uring, objref), 0),
        (ring, offset_of!(Uring, flags), 1),
        (ring, offset_of!(Uring, setup), 1),
        (ring, offset_of!(Uring, setup), 1 << 1),
        (ring, offset_of!(Uring, setup), 1 << 31),
        (ring, offset_of!(Uring, state), 1 << 5),
        (ring, offset_of!(Uring, sq_entries), 0),
        (ring, offset_of!(Uring, sq_entries), 3),
        (ring, offset_of!(Uring, sq_entries), 1 << 16),
        (ring, offset_of!(Uring, cq_entries), 1),
        (ring, offset_of!(Uring, cq_entries), 5),
        (ring, offset_of!(Uring, cq_entries), 1 << 20),
        (ring, offset_of!(Uring, ring_bytes), 1 << 20),
        (ring, offset_of!(Uring, sqe_bytes), 0),
        (ring, offset_of!(Uring, clock), 0),
        (ring, offset_of!(Uring, event), u32::MAX),
        (ring, offset_of!(Uring, workers), u32::MAX),
        (ring, offset_of!(Uring, files), u32::MAX),
        (ring, offset_of!(Uring, files), 1),
        (ring, offset_of!(Uring, file_hint), u32::MAX),
        (ring, offset_of!(Uring, file_range), u32::MAX),
        (ring, offset_of!(Uring, file_range) + 4, u32::MAX),
        (ring, offset_of!(Uring, buffers), u32::MAX),
        (ring, offset_of!(Uring, reserved), 1),
        (data, offset_of!(Data, ring), 0),
        (data, offset_of!(Data, region), 2),
        (data, offset_of!(Data, offset), u32::MAX),
        (data, offset_of!(Data, offset), 1 << 20),
        (data, offset_of!(Data, length), 1),
        (files, offset_of!(Files, ring), 1),
        (files, slot + offset_of!(Slot, slot), u32::MAX),
        (files, slot + offset_of!(Slot, slot), 9),
        (files, slot + offset_of!(Slot, file), 0),
        (buffers, offset_of!(Buffers, ring), u32::MAX),
        (buffers, buffer + offset_of!(Buffer, slot), 9),
        (buffers, buffer + offset_of!(Buffer, reserved), 1),
        (buffers, buffer + offset_of!(Buffer, length) + 4, u32::MAX),
        (task, offset_of!(Task, ring), 0),
        (task, offset_of!(Task, place), 16),
    ];
    without_leak(&mut feeder, |feeder| {
        for (record, offset, value) in wrong {
            let change = Change::of(record, offset, value);
            let answer = feeder.restart(&change.apply(&good).encode())?;
            ensure!(matches!(answer, Answer::Refused(_)), "{change:x?}: {answer:?}");
        }
        Ok(())
    })?;
    let kinds = [
        RecordType::IoUring,
        RecordType::IoUringData,
        RecordType::IoUringOverflow,
        RecordType::IoUringFiles,
        RecordType::IoUringBuffers,
        RecordType::IoUringTask,
    ];
    feed_records(&mut feeder, &kinds.map(RecordType::number), 8)
}

/// The same for files of /proc.
pub fn values_of_files_of_proc(context: &Context) -> Result {
    feed_kinds(context, "file_proc", &[], &[RecordType::ProcFile.number()], 6)
}

/// The same for descriptors of namespaces.
pub fn values_of_descriptors_of_namespaces(context: &Context) -> Result {
    feed_kinds(context, "file_namespace", &[], &[RecordType::NsFd.number()], 4)
}

/// The same for userfaultfds.
pub fn values_of_userfaultfds(context: &Context) -> Result {
    feed_kinds(context, "file_userfaultfd", &[], &[RecordType::Userfaultfd.number()], 6)
}

/// Children to come live in a pid namespace below, by its first process: no other task is taken for that.
pub fn pid_namespaces_of_children(context: &Context) -> Result {
    use libckpt::uapi::record::ns::Nsproxy;
    use libckpt::uapi::record::tree::{flags as tree_flags, Tree};
    let mut feeder = Feeder::of(context, "tree_nested", &[])?;
    let good = parse(feeder.good())?;
    let offset = std::mem::offset_of!(Nsproxy, pid_for_children);
    let index = |part: &Part| u32::from_ne_bytes(part.body[offset..offset + 4].try_into().unwrap_or_default());
    let has_children = |part: &Part| part.kind == RecordType::Nsproxy.number() && index(part) != 0;
    let Some(record) = good.records.iter().position(has_children) else {
        fail!("no task has children elsewhere")
    };
    let Some(tree) = good.records.iter().find(|part| part.kind == RecordType::Tree.number()) else {
        fail!("there is no tree")
    };
    let entries = tree.body[tree.fixed as usize..].chunks_exact(size_of::<Tree>());
    let is_first = |entry: &[u8]| {
        let flags = &entry[std::mem::offset_of!(Tree, flags)..][..4];
        u32::from_ne_bytes(flags.try_into().unwrap_or_default()) & tree_flags::PIDNS_INIT != 0
    };
    let others = entries.enumerate().skip(1).filter(|(_, entry)| !is_first(entry));
    let others: Vec<u32> = others.map(|(index, _)| index as u32).collect();
    ensure!(others.len() > 1, "the tree has {} other tasks", others.len());
    without_leak(&mut feeder, |feeder| {
        for value in others.into_iter().chain([u32::MAX]) {
            let change = Change::of(record, offset, value);
            let answer = feeder.restart(&change.apply(&good).encode())?;
            ensure!(answer == Answer::Refused(libc::EBADMSG), "task {value}: {answer:?}");
        }
        Ok(())
    })
}

/// The same for System V IPC and POSIX message queues: those of a namespace of its own, and what is in the caller's.
pub fn values_of_ipc(context: &Context) -> Result {
    let kinds = [
        RecordType::IpcNs,
        RecordType::Shm,
        RecordType::Sem,
        RecordType::SemUndo,
        RecordType::Msg,
        RecordType::MsgText,
        RecordType::Mqueue,
        RecordType::MqueueText,
        RecordType::Mqd,
        RecordType::MqNotify,
        RecordType::IpcEnd,
        RecordType::Vma,
    ]
    .map(RecordType::number);
    feed_kinds(context, "ipc_small", &[], &kinds, 16)?;
    feed_kinds(context, "ipc_small", &["shared"], &kinds[1..4], 8)
}

/// Queues do not get their owner, permissions and times before their last message: a restart has to wait for that.
pub fn queues_with_fewer_messages(context: &Context) -> Result {
    let mut feeder = Feeder::of(context, "ipc_small", &[])?;
    let good = parse(feeder.good())?;
    without_leak(&mut feeder, |feeder| {
        for kind in [RecordType::MsgText, RecordType::MqueueText] {
            let mut file = good.clone();
            file.records.retain(|part| part.kind != kind.number());
            ensure!(file.records.len() < good.records.len(), "no {}", kind.name());
            let answer = feeder.restart(&file.encode())?;
            let expected = Answer::Refused(libc::EBADMSG);
            ensure!(answer == expected, "without {}: {answer:?}", kind.name());
        }
        Ok(())
    })
}

/// The same for trees: pid namespaces in each other, processes without their main thread, stopped ones.
pub fn values_of_trees(context: &Context) -> Result {
    let kinds = [
        RecordType::Tree,
        RecordType::Pids,
        RecordType::Nsproxy,
        RecordType::Task,
    ]
    .map(RecordType::number);
    feed_kinds(context, "tree_nested", &[], &kinds, 24)?;
    feed_kinds(context, "tree_leaderless", &[], &kinds, 16)?;
    feed_kinds(context, "tree_stopped", &[], &kinds, 16)
}

/// The same for files whose contents are put back at their paths.
pub fn values_of_carried_files(context: &Context) -> Result {
    let file = context.path("carried.ckpt");
    let target = crate::cases::file::carried::save(context, "all", &file)?;
    let kinds = [RecordType::File, RecordType::Nameless, RecordType::NamelessData].map(RecordType::number);
    feed_records(&mut Feeder::from(&file, target.pid)?, &kinds, 36)
}

const SOCKET_KINDS: [RecordType; 3] = [RecordType::Socket, RecordType::SocketMessage, RecordType::SocketOptions];

/// The same for Unix sockets: every kind of pair and what waits in it, and servers with their connections.
pub fn values_of_sockets(context: &Context) -> Result {
    let kinds = SOCKET_KINDS.map(RecordType::number);
    feed_kinds(context, "socket_pair", &[], &kinds, 144)?;
    feed_kinds(context, "socket_named", &["alone"], &kinds, 48)
}

/// The same for connections that wait to be accepted, files in flight, and datagrams.
pub fn values_of_socket_queues(context: &Context) -> Result {
    let kinds = SOCKET_KINDS.map(RecordType::number);
    feed_kinds(context, "socket_waiting", &["alone"], &kinds, 96)?;
    feed_kinds(context, "socket_rights", &["alone"], &kinds, 96)?;
    feed_kinds(context, "socket_datagrams", &["alone"], &kinds, 96)
}

/// The same for messages in parts; and one of which a part is not there, or comes twice.
pub fn values_of_long_messages(context: &Context) -> Result {
    let kinds = [RecordType::SocketMessage, RecordType::SocketData].map(RecordType::number);
    feed_kinds(context, "socket_long", &["few"], &kinds, 24)?;
    let mut feeder = Feeder::of(context, "socket_long", &["few"])?;
    let good = parse(feeder.good())?;
    let is_part = |part: &Part| part.kind == RecordType::SocketData.number();
    let Some(at) = good.records.iter().position(is_part) else {
        fail!("no message has parts")
    };
    let (mut less, mut more) = (good.clone(), good.clone());
    less.records.remove(at);
    more.records.insert(at, good.records[at].clone());
    without_leak(&mut feeder, |feeder| {
        for statefile in [&less, &more] {
            let answer = feeder.restart(&statefile.encode())?;
            ensure!(answer == Answer::Refused(libc::EBADMSG), "{answer:?}");
        }
        Ok(())
    })
}

/// The second end of a pair is of no other type than the first.
pub fn types_of_pairs(context: &Context) -> Result {
    use libckpt::uapi::record::socket::{kind, pair, Socket};
    let mut feeder = Feeder::of(context, "socket_pair", &[])?;
    let good = parse(feeder.good())?;
    let word = |part: &Part, offset: usize| u32::from_ne_bytes(part.body[offset..][..4].try_into().unwrap_or_default());
    let [is_pair, offset] = [std::mem::offset_of!(Socket, pair), std::mem::offset_of!(Socket, kind)];
    let is_second = |part: &Part| part.kind == RecordType::Socket.number() && word(part, is_pair) == pair::SECOND;
    let Some(record) = good.records.iter().position(is_second) else {
        fail!("there is no pair")
    };
    let own = word(&good.records[record], offset);
    without_leak(&mut feeder, |feeder| {
        for value in [kind::STREAM, kind::DGRAM, kind::SEQPACKET]
            .into_iter()
            .filter(|value| *value != own)
        {
            let change = Change::of(record, offset, value);
            let answer = feeder.restart(&change.apply(&good).encode())?;
            ensure!(answer == Answer::Refused(libc::EBADMSG), "type {value}: {answer:?}");
        }
        Ok(())
    })
}

/// The same for namespaces, mounts, and what is in a tmpfs.
pub fn values_of_namespaces(context: &Context) -> Result {
    let kinds = [
        RecordType::Nsproxy,
        RecordType::UtsNs,
        RecordType::IpcNs,
        RecordType::TimeNs,
        RecordType::CgroupNs,
        RecordType::NetNs,
        RecordType::NetDevice,
        RecordType::NetAddress,
        RecordType::NetRoute,
        RecordType::NetNeighbour,
        RecordType::MntNs,
        RecordType::Filesystem,
        RecordType::Inode,
        RecordType::InodeData,
        RecordType::InodeXattr,
        RecordType::Mount,
    ]
    .map(RecordType::number);
    feed_kinds(context, "ns_names", &[], &kinds, 4)?;
    feed_kinds(context, "ns_loopback", &["up"], &kinds, 2)?;
    feed_kinds(context, "ns_network", &["alone"], &kinds, 24)?;
    feed_kinds(context, "ns_clocks", &[], &kinds, 4)?;
    feed_kinds(context, "ns_mounts", &[], &kinds, 24)
}

/// Both ends of a pair of network devices have to come, in one namespace or in two.
pub fn pairs_with_one_end(context: &Context) -> Result {
    use libckpt::uapi::record::net::{peer, NetDevice, NetNs};
    use std::mem::offset_of;
    let mut feeder = Feeder::of(context, "ns_network", &["alone"])?;
    let mut good = parse(feeder.good())?;
    let entries = [RecordType::NetAddress, RecordType::NetRoute, RecordType::NetNeighbour].map(RecordType::number);
    good.records.retain(|part| !entries.contains(&part.kind));
    let first = |kind: RecordType| good.records.iter().position(|part| part.kind == kind.number());
    let (Some(namespace), Some(loopback)) = (first(RecordType::NetNs), first(RecordType::NetDevice)) else {
        fail!("a record is missing")
    };
    let set = |file: &mut Statefile, record: usize, offset: usize, value: u32| {
        file.records[record].body[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
    };
    let mut without = good.clone();
    without.records.remove(loopback + 2);
    set(&mut without, namespace, offset_of!(NetNs, devices), 2);
    let mut later = without.clone();
    for (offset, value) in [
        (offset_of!(NetDevice, peer), peer::LATER),
        (offset_of!(NetDevice, peer_ns), 0),
        (offset_of!(NetDevice, peer_ifindex), 0),
    ] {
        set(&mut later, loopback + 1, offset, value);
    }
    without_leak(&mut feeder, |feeder| {
        for (file, expected) in [
            (good, Answer::Accepted),
            (without, Answer::Refused(libc::EBADMSG)),
            (later, Answer::Refused(libc::EBADMSG)),
        ] {
            let answer = feeder.restart(&file.encode())?;
            ensure!(answer == expected, "{answer:?} instead of {expected:?}");
        }
        Ok(())
    })
}

/// A process group is of one session: two would be more than the kernel can have.
pub fn groups_of_two_sessions(context: &Context) -> Result {
    use libckpt::uapi::record::tree::{flags as tree_flags, Tree};
    use std::mem::offset_of;
    let mut feeder = Feeder::of(context, "tree_sessions", &[])?;
    let good = parse(feeder.good())?;
    let Some(record) = good
        .records
        .iter()
        .position(|part| part.kind == RecordType::Tree.number())
    else {
        fail!("there is no tree")
    };
    let tree = &good.records[record];
    let word =
        |entry: &[u8], offset: usize| u32::from_ne_bytes(entry[offset..offset + 4].try_into().unwrap_or_default());
    let entries: Vec<&[u8]> = tree.body[tree.fixed as usize..]
        .chunks_exact(size_of::<Tree>())
        .collect();
    let job = |entry: &[u8]| (word(entry, offset_of!(Tree, pgid)), word(entry, offset_of!(Tree, sid)));
    let is_leader = |entry: &[u8]| word(entry, offset_of!(Tree, flags)) & tree_flags::SESSION_LEADER != 0;
    let roots = job(entries[0]);
    let mut changed = Vec::new();
    for (index, entry) in entries
        .iter()
        .enumerate()
        .skip(1)
        .filter(|(_, entry)| !is_leader(entry))
    {
        let (group, session) = job(entry);
        // Somebody else is in the group, and there is another session.
        let shared = entries.iter().filter(|other| job(other).0 == group).count() > 1;
        let another = entries.iter().map(|other| job(other).1).find(|other| *other != session);
        if let (true, true, Some(value)) = (shared, group != roots.0, another) {
            changed.push(Change {
                record,
                offset: tree.fixed as usize + index * size_of::<Tree>() + offset_of!(Tree, sid),
                value: value.into(),
                wide: false,
            });
        }
    }
    ensure!(!changed.is_empty(), "no group has two members");
    without_leak(&mut feeder, |feeder| {
        for change in changed {
            let answer = feeder.begin(&change.apply(&good).encode())?;
            ensure!(answer == Answer::Refused(libc::EBADMSG), "{change:x?}: {answer:?}");
        }
        Ok(())
    })
}

/// Offsets to which no call leads are refused: an address may be any, the place in a directory may not.
pub fn offsets_in_files_of_proc(context: &Context) -> Result {
    use libckpt::uapi::record::proc::ProcFile;
    let mut feeder = Feeder::of(context, "file_proc", &[])?;
    let good = parse(feeder.good())?;
    let of = |name: &[u8]| {
        let is = |part: &Part| part.kind == RecordType::ProcFile.number() && part.body.ends_with(name);
        good.records.iter().position(is)
    };
    let (Some(directory), Some(file), Some(memory)) = (of(b"/fd"), of(b"/stat"), of(b"/mem")) else {
        fail!("a file is missing")
    };
    without_leak(&mut feeder, |feeder| {
        for (record, value, expected) in [
            (directory, 1 << 40, Answer::Refused(libc::EBADMSG)),
            (directory, u64::MAX, Answer::Refused(libc::EBADMSG)),
            (directory, 1 << 20, Answer::Accepted),
            (file, 1 << 40, Answer::Accepted),
            (file, 1 << 63, Answer::Refused(libc::EBADMSG)),
            (memory, 1 << 63, Answer::Accepted),
        ] {
            let change = Change {
                record,
                offset: std::mem::offset_of!(ProcFile, pos),
                value,
                wide: true,
            };
            let answer = feeder.restart(&change.apply(&good).encode())?;
            ensure!(answer == expected, "{change:x?}: {answer:?}");
        }
        Ok(())
    })
}

/// A number that no terminal can have is refused before others are made to get at it.
pub fn numbers_of_terminals(context: &Context) -> Result {
    use libckpt::uapi::record::pty::{Pty, INDEX_MAX};
    let feeder = Feeder::of(context, "pty_kept", &[])?;
    let good = parse(feeder.good())?;
    let Some(record) = good
        .records
        .iter()
        .position(|part| part.kind == RecordType::Pty.number())
    else {
        fail!("there is no pty")
    };
    for value in [4096, INDEX_MAX] {
        let change = Change {
            record,
            offset: std::mem::offset_of!(Pty, index),
            value: value.into(),
            wide: false,
        };
        let file = context.path("changed.ckpt");
        fs::write(&file, change.apply(&good).encode())?;
        let mut command = ckptctl::command(&["restart", "--detach"]);
        ckptctl::finish(command.arg(&file))?
            .expect(exit::FAILED)?
            .names(&["kernel.pty.max is 4096"])?;
    }
    Ok(())
}

/// What a restart would have to be told, without anybody who says it; and what is no name.
pub fn external_records(context: &Context) -> Result {
    let mut feeder = Feeder::of(context, "tiny", &[])?;
    let good = parse(feeder.good())?;
    let end = RecordType::PrologueEnd.number();
    let Some(at) = good.records.iter().position(|part| part.kind == end) else {
        fail!("the prologue has no end");
    };
    let ask = |feeder: &mut Feeder, length: u32, reserved: u32, names: &[u8], errno: i32| -> Result {
        let mut file = good.clone();
        let part = Part::new(&External { length, reserved }).entries(names);
        file.records.insert(at, part);
        let answer = feeder.begin(&file.encode())?;
        ensure!(answer == Answer::Refused(errno), "{names:?}, {length}: {answer:?}");
        Ok(())
    };
    let whole = |names: &[u8]| names.len() as u32;
    without_leak(&mut feeder, |feeder| {
        for names in [
            &b"veth[a]\0"[..],
            b"veth[a]\0veth[b]\0",
            b"veth[a]b]\0",
            b"veth[\xff]\0",
        ] {
            ask(feeder, whole(names), 0, names, libc::ENOENT)?;
        }
        for names in [
            &b""[..],
            b"\0",
            b"veth[a]",
            b"veth\0",
            b"veth[a]\0\0",
            b"dev[a]\0",
            b"veth[sixteen_letters_]\0",
        ] {
            ask(feeder, whole(names), 0, names, libc::EBADMSG)?;
        }
        let names = b"veth[a]\0";
        for length in [0, 7, 9, u32::MAX] {
            ask(feeder, length, 0, names, libc::EBADMSG)?;
        }
        ask(feeder, whole(names), 1, names, libc::EBADMSG)?;
        let many = b"veth[a]\0".repeat(5000);
        ask(feeder, whole(&many), 0, &many, libc::EBADMSG)
    })
}

/// The same for files without a name.
pub fn values_of_files_without_a_name(context: &Context) -> Result {
    let kinds = [RecordType::Nameless, RecordType::NamelessData, RecordType::File].map(RecordType::number);
    feed_kinds(context, "file_nameless", &[], &kinds, 4)
}

/// The same for memory of huge pages, of which none is left in use.
pub fn values_of_huge_pages(context: &Context) -> Result {
    let pages = HugePages::new(24)?;
    let kinds = [
        RecordType::Vma,
        RecordType::Shmem,
        RecordType::Pages,
        RecordType::Nameless,
        RecordType::NamelessData,
    ]
    .map(RecordType::number);
    for (program, args) in [
        ("mm_huge", ["reserved"].as_slice()),
        ("mm_huge", &["memfd"]),
        ("mm_huge_shared", &[]),
    ] {
        feed_kinds(context, program, args, &kinds, 48)?;
        pages.all_are_free()?;
    }
    Ok(())
}

/// A page that a child is said to have in common with its parent, which has a huge page there.
pub fn child_of_huge_pages(context: &Context) -> Result {
    // As in the program.
    const SAME: u64 = 0x6000_0000_0000;
    const OTHER: u64 = 0x6100_0000_0000;
    let pages = HugePages::new(4)?;
    let mut feeder = Feeder::of(context, "huge_parent", &[])?;
    let mut file = parse(feeder.good())?;
    let answer = feeder.restart(&file.encode())?;
    ensure!(answer == Answer::Accepted, "the good statefile: {answer:?}");
    let extent = |address: u64| {
        let mut bytes = [0; size_of::<Extent>()];
        bytes[..8].copy_from_slice(&address.to_le_bytes());
        bytes[8..12].copy_from_slice(&1u32.to_le_bytes());
        bytes[12..].copy_from_slice(&extent_flags::SAME.to_le_bytes());
        bytes
    };
    let mut found = 0;
    for part in file.records.iter_mut().filter(|p| p.kind == RecordType::Pages.number()) {
        for entry in part.body[size_of::<Pages>()..].chunks_exact_mut(size_of::<Extent>()) {
            if *entry == extent(SAME) {
                entry.copy_from_slice(&extent(OTHER));
                found += 1;
            }
        }
    }
    ensure!(found == 1, "{found} pages are the parent's");
    let answer = feeder.restart(&file.encode())?;
    ensure!(answer == Answer::Refused(libc::EFAULT), "{answer:?}");
    pages.all_are_free()
}

/// The same for what stands for a file that cannot be saved.
pub fn values_of_decided_files(context: &Context) -> Result {
    let file = context.path("decided.ckpt");
    for policy in ["/dev/kmsg=close", "/dev/kmsg=replace:/dev/zero"] {
        let mut target = Program::own(context, "refuse").args(&["device_open"]).start()?;
        target.wait_ready()?;
        let pid = target.pid.to_string();
        let mut command = ckptctl::command(&["checkpoint", "--kill", &pid, "--policy", policy, "-o"]);
        ckptctl::finish(command.arg(&file))?.expect(exit::DONE)?;
        target.was_killed()?;
        let mut feeder = Feeder::from(&file, target.pid)?;
        feed_records(&mut feeder, &[RecordType::File.number()], 24)?;
    }
    Ok(())
}

/// The same for a container with a user namespace, and the credentials in it.
pub fn values_of_a_user_namespace(context: &Context) -> Result {
    let mut container = Container::start(context, &[], &["many"])?;
    let pid = container.init()?.parse().unwrap_or(0);
    let file = container.save_and_kill(&[])?;
    let mut feeder = Feeder::from(&file, pid)?;
    let kinds = [RecordType::UserNs, RecordType::Cred].map(RecordType::number);
    feed_records(&mut feeder, &kinds, 2)
}

/// The same for user namespaces below that of the first process.
pub fn values_of_nested_user_namespaces(context: &Context) -> Result {
    let kinds = [RecordType::NestedUserNs, RecordType::NsOwner, RecordType::Cred].map(RecordType::number);
    feed_kinds(context, "ns_nested", &[], &kinds, 2)
}

/// Where the record of credentials has the user namespace.
const USER_NS: usize = std::mem::offset_of!(libckpt::uapi::record::cred::Cred, user_ns);

/// A program in which somebody lives in a user namespace below, and the record of that one's credentials. It restarts.
fn with_one_below(context: &Context, words: &[&str]) -> Result<(Feeder, Statefile, usize)> {
    let file = context.path("good.ckpt");
    let mut target = Program::command(context, words).start()?;
    target.wait_ready()?;
    let is_there = |pid: &i32| status_field(*pid, "Name").as_deref() == Some("sleep");
    let below = wait_until(PATIENCE, || descendants(target.pid).iter().any(is_there).then_some(()));
    ensure!(below.is_some(), "nobody sleeps");
    target.checkpoint_kill(&file)?;
    let mut feeder = Feeder::from(&file, target.pid)?;
    let good = parse(feeder.good())?;
    let answer = feeder.restart(&good.encode())?;
    ensure!(answer == Answer::Accepted, "the good statefile: {answer:?}");
    let is_below = |part: &Part| part.kind == RecordType::Cred.number() && part.body[USER_NS] != 0;
    let Some(below) = good.records.iter().position(is_below) else {
        fail!("nobody lives in a user namespace below")
    };
    Ok((feeder, good, below))
}

/// Whose namespaces belong to a user namespace below that in which he lives.
pub fn who_lives_outside_of_his_namespaces(context: &Context) -> Result {
    let script = "unshare -Urmu sh -c 'echo ready; exec sleep 1000'; exit";
    let (mut feeder, good, below) = with_one_below(context, &["sh", "-c", script])?;
    let change = Change::of(below, USER_NS, 0);
    let answer = feeder.restart(&change.apply(&good).encode())?;
    ensure!(answer == Answer::Refused(libc::EPERM), "{answer:?}");
    Ok(())
}

/// Who has taken the root directory of a mount namespace that belongs to a user namespace below, and then the namespaces of somebody else:
/// nobody gets a set of other namespaces than those that his record names.
pub fn who_lives_outside_of_his_root_directory(context: &Context) -> Result {
    let script = "unshare -Urm sh -c 'echo ready; exec sleep 1000'; exit";
    let (mut feeder, mut file, below) = with_one_below(context, &["unshare", "-u", "sh", "-c", script])?;
    let of = |kind: RecordType| move |part: &Part| part.kind == kind.number();
    let sets: Vec<_> = (0..)
        .zip(&file.records)
        .filter(|(_, part)| of(RecordType::Nsproxy)(part))
        .collect();
    let [(_, first), (at, second)] = sets[..] else {
        fail!("{} sets of namespaces", sets.len())
    };
    let objref = |part: &Part| part.body[..size_of::<u32>()].to_vec();
    let (others, own) = (objref(first), objref(second));
    let Some(mut uts) = file.records.iter().find(|part| of(RecordType::UtsNs)(part)).cloned() else {
        fail!("no uts namespace")
    };
    file.records[at].body[..others.len()].copy_from_slice(&others);
    // In place of the set, so that all that follows has the same number.
    uts.body[..own.len()].copy_from_slice(&own);
    file.records.insert(at, uts);
    let below = below + usize::from(below > at);
    for user_ns in [file.records[below].body[USER_NS], 0] {
        let answer = feeder.restart(&Change::of(below, USER_NS, user_ns.into()).apply(&file).encode())?;
        ensure!(answer == Answer::Refused(libc::EBADMSG), "below {user_ns}: {answer:?}");
    }
    Ok(())
}

/// The same for overlays, whose layers are paths.
pub fn values_of_overlays(context: &Context) -> Result {
    let file = context.path("good.ckpt");
    let script =
        "mkdir low up work over; mount -t overlay -o lowerdir=low,upperdir=up,workdir=work over over; echo ready
        exec sleep 1000";
    let words = ["unshare", "-m", "sh", "-c", script];
    let mut target = Program::command(context, &words).cwd(context.dir()).start()?;
    target.wait_ready()?;
    std::thread::sleep(std::time::Duration::from_millis(200));
    target.checkpoint_kill(&file)?;
    let mut feeder = Feeder::from(&file, target.pid)?;
    let good = feeder.good().to_vec();
    let answer = feeder.restart(&good)?;
    ensure!(answer == Answer::Accepted, "the good statefile: {answer:?}");
    feed_records(&mut feeder, &[RecordType::Filesystem.number()], 4)
}

/// The same for cgroups: none but those below the restarter's are made or joined.
pub fn values_of_cgroups(context: &Context) -> Result {
    let file = context.path("good.ckpt");
    let script = "d=/sys/fs/cgroup/$(sed -n s/^0:://p /proc/self/cgroup)/hostile; mkdir $d; sleep 1000 & echo $! >$d/cgroup.procs
        echo ready; wait";
    let mut target = Program::command(context, &["bash", "-c", script]).start()?;
    target.wait_ready()?;
    target.checkpoint_kill(&file)?;
    let mut feeder = Feeder::from(&file, target.pid)?;
    feed_records(&mut feeder, &[RecordType::Cgroup.number()], 1)?;
    let good = parse(feeder.good())?;
    let Some(at) = good
        .records
        .iter()
        .position(|part| part.kind == RecordType::Cgroup.number())
    else {
        fail!("there is no cgroup")
    };
    for path in [
        "/../other",
        "/hostile/..",
        "hostile/x",
        "//hostile",
        "/hostile/",
        "/./x",
        "/a\0b",
    ] {
        let mut bad = good.clone();
        let part = &mut bad.records[at];
        part.body.truncate(part.fixed as usize);
        part.body[..4].copy_from_slice(&(path.len() as u32).to_le_bytes());
        part.body.extend_from_slice(path.as_bytes());
        let answer = feeder.restart(&bad.encode())?;
        ensure!(answer == Answer::Refused(libc::EBADMSG), "{path:?}: {answer:?}");
    }
    Ok(())
}

/// The same for the tree of a container that processes have entered from outside.
pub fn values_of_who_has_entered(context: &Context) -> Result {
    let mut container = Container::start(context, &[], &["many"])?;
    let init = container.init()?;
    let script = "exec <>/dev/null >&0 2>&0; sleep 1000 & sleep 1000";
    let mut command = std::process::Command::new("nsenter");
    command.args(["-t", &init, "--user", "--pid", "--mount", "setsid", "sh", "-c", script]);
    let mut guest = command.spawn()?;
    std::thread::sleep(std::time::Duration::from_millis(500));
    let file = container.save_and_kill(&[])?;
    guest.wait()?;
    let mut feeder = Feeder::from(&file, init.parse().unwrap_or(0))?;
    let good = feeder.good().to_vec();
    let answer = feeder.restart(&good)?;
    ensure!(answer == Answer::Accepted, "the good statefile: {answer:?}");
    feed_records(&mut feeder, &[RecordType::Tree.number()], 8)
}

/// Restarts a program with changed values in records of some kinds, and without or with two of each of these records.
fn feed_kinds(context: &Context, program: &str, args: &[&str], kinds: &[u16], stride: usize) -> Result {
    feed_records(&mut Feeder::of(context, program, args)?, kinds, stride)
}

fn feed_records(feeder: &mut Feeder, kinds: &[u16], stride: usize) -> Result {
    without_leak(feeder, |feeder| {
        let good = parse(feeder.good())?;
        let mut random = Random::new();
        let mut fed = 0;
        for record in 0..good.records.len() {
            let kind = good.records[record].kind;
            if !kinds.contains(&kind) {
                continue;
            }
            fed += 1;
            for change in changes(&good, record).into_iter().filter(|_| random.below(stride) == 0) {
                feeder
                    .restart(&change.apply(&good).encode())
                    .during(format!("{change:x?} of kind {kind:#x}"))?;
            }
            // Missing, and twice.
            let mut other = good.clone();
            let part = other.records.remove(record);
            feeder
                .restart(&other.encode())
                .during(format!("without a record of kind {kind:#x}"))?;
            other.records.splice(record..record, [part.clone(), part]);
            feeder
                .restart(&other.encode())
                .during(format!("a record of kind {kind:#x} twice"))?;
        }
        ensure!(fed > 0, "there is no record of these kinds");
        Ok(())
    })
}

/// Pairs, their open files, and whose terminal they are.
pub fn values_of_terminals(context: &Context) -> Result {
    let pairs = [RecordType::Pty, RecordType::PtyFile].map(RecordType::number);
    feed_kinds(context, "pty_kept", &[], &pairs, 16)?;
    let sessions = [RecordType::PtyFile, RecordType::Ctty].map(RecordType::number);
    feed_kinds(context, "pty_session", &[], &sessions, 6)
}

/// The same with threads, whose tasks restore themselves in parallel.
pub fn values_of_threads(context: &Context) -> Result {
    let mut feeder = Feeder::of(context, "task_threads", &["3"])?;
    without_leak(&mut feeder, |feeder| feed_values(feeder, 40))
}
