// SPDX-License-Identifier: GPL-2.0

//! Linux AIO (io_setup(2)).
//!
//! Saved: addresses and sizes of contexts, events that have not been read, and in which slots of the ring they stand. Requests that are
//! under way when the program stops are waited for, as long as for a task to stop.
//! Not saved: the kernel's index of a context; for how many requests it counts (fs.aio-max-nr) where the kernel would make another
//! ring for as many.
//! Refused: requests that do not complete in time, requests that wait for a file to be ready (IOCB_CMD_POLL); a ring that the program has
//! written over, or that is not mapped as a whole where the context is; on restart, where each ring is larger than the saved one, since the
//! machine has more processors.
//! Shown by: mm/keeps_contexts_of_asynchronous_io, mm/request_in_flight, refuse/aio, hostile/values_of_asynchronous_io.
//!
//! Record: [`ckpt_uapi::record::aio`].  C source: `fs/aio.c`

use super::{vma, Dump, Obstacles, Restore, Target};
use crate::{
    error::{Context as _, Fault, Result},
    wrapper::{
        aio::{complete, contexts, events, first_from, start_at, Context, Event},
        mm::{prot, Mm, Vma as Area},
        syscall::{nr, CurrentTask},
        task::{fatal_signal_pending, sleep_killable},
        time::monotonic_ns, //
    },
};
use ckpt_uapi::record::{
    aio::{slots, Aio, AioEvent},
    mm::vma_kind,
    RecordType,
};
use kernel::prelude::*;

/// Events of one record.
const EVENTS: usize = 4096;

/// How often a target that runs is looked at.
const TRIES: u32 = 20;

/// Contexts of an address space, by address.
pub(super) struct Contexts(KVVec<Context>);

impl Contexts {
    pub(super) fn of(mm: &Mm) -> Result<Self> {
        Ok(Self(contexts(mm)?))
    }

    /// Whether a mapping is the ring of one.
    pub(super) fn have_ring(&self, area: &Area) -> bool {
        let at = self.0.binary_search_by_key(&area.start, |c| c.address as u64);
        at.is_ok_and(|at| is_ring(&self.0[at], area))
    }

    fn are_mapped(&self, areas: &[Area]) -> bool {
        self.0.iter().all(|c| is_mapped(c, areas))
    }

    /// Whether something of one comes to its end by itself.
    fn are_busy(&self) -> bool {
        self.0.iter().any(|c| c.under_way > 0 && !c.waits)
    }
}

fn is_mapped(c: &Context, areas: &[Area]) -> bool {
    let at = areas.binary_search_by_key(&(c.address as u64), |a| a.start);
    at.is_ok_and(|at| is_ring(c, &areas[at]))
}

fn is_ring(c: &Context, area: &Area) -> bool {
    let place = (c.address as u64, c.address.saturating_add(c.bytes) as u64);
    (area.start, area.end) == place && area.offset == 0 && area.file.as_ref().is_some_and(|f| f.address() == c.file)
}

/// Mappings and contexts as they are when nothing is under way any more, or when it has had its time.
pub(super) fn settled(target: &Target<'_>) -> Result<(KVVec<Area>, Contexts)> {
    let mut tries = 0;
    loop {
        let areas = target.mm.vmas()?;
        let contexts = Contexts::of(target.mm)?;
        tries += 1;
        let goes_on = if target.whole.stopped_ns == 0 {
            // It makes and destroys contexts meanwhile.
            tries < TRIES && !contexts.are_mapped(&areas)
        } else {
            contexts.are_busy() && monotonic_ns() < target.whole.deadline_ns
        };
        if !goes_on || fatal_signal_pending() {
            return Ok((areas, contexts));
        }
        sleep_killable(4);
    }
}

/// Names what cannot be saved. What is in flight while the target runs is no obstacle: a checkpoint waits for it.
pub(super) fn check(target: &Target<'_>, contexts: &Contexts, areas: &[Area], obstacles: &mut dyn Obstacles) {
    for c in &contexts.0 {
        let fault = |what: core::fmt::Arguments<'_>| {
            Fault::new(EOPNOTSUPP, format_args!("context of asynchronous I/O (AIO): {what}"))
                .kind(RecordType::Aio)
                .address(c.address as u64)
        };
        if c.waits {
            obstacles.add(fault(format_args!(
                "a request of it waits for a file to be ready (IOCB_CMD_POLL)"
            )));
        } else if c.under_way > 0 && target.whole.stopped_ns == 0 {
            obstacles.warn(fault(format_args!(
                "{} of its requests are in flight: a checkpoint waits for them",
                c.under_way
            )));
        } else if c.under_way > 0 {
            obstacles.add(fault(format_args!(
                "{} of its requests are in flight and have not completed in time",
                c.under_way
            )));
        }
        if !is_mapped(c, areas) {
            obstacles.add(fault(format_args!("its ring is not mapped as a whole")));
        } else if !c.intact {
            obstacles.add(fault(format_args!("the program has written over its ring")));
        }
    }
}

/// Number of events that have not been read.
fn unread(c: &Context) -> u32 {
    if c.tail >= c.head {
        c.tail - c.head
    } else {
        c.tail + c.slots.saturating_sub(c.head)
    }
}

pub(super) fn dump(mm: &Mm, contexts: &Contexts, dump: &mut Dump<'_>) -> Result {
    for c in &contexts.0 {
        let mut left = unread(c) as usize;
        let mut first = c.head;
        let mut lot: KVVec<Event> = KVVec::from_elem(Event::default(), left.min(EVENTS), GFP_KERNEL_ACCOUNT)?;
        loop {
            let n = left.min(EVENTS);
            events(mm, c.index, first, &mut lot[..n])?;
            let mut entries = KVVec::with_capacity(n, GFP_KERNEL_ACCOUNT)?;
            for e in &lot[..n] {
                let (data, obj, res, res2) = (e.data, e.obj, e.res, e.res2);
                entries.push(AioEvent { data, obj, res, res2 }, GFP_KERNEL_ACCOUNT)?;
            }
            let fixed = Aio {
                address: c.address as u64,
                requests: c.requests,
                first,
                count: n as u32,
                reserved: 0,
            };
            dump.out.record_with(&fixed, &entries[..])?;
            left -= n;
            if left == 0 {
                break;
            }
            first = ((u64::from(first) + n as u64) % u64::from(c.slots)) as u32;
        }
    }
    Ok(())
}

/// What the kernel makes a ring with.
const BORN: u32 = prot::READ | prot::WRITE;

pub(super) fn restore(restore: &mut Restore<'_>) -> Result {
    let r: Aio = restore.input.fixed()?;
    let (me, input) = (restore.me, &*restore.input);
    let bad = |what: &str| input.bad(EBADMSG, format_args!("{what}")).address(r.address);
    let Some(building) = restore.late.mm.as_mut().filter(|b| !b.done) else {
        return Err(bad("asynchronous I/O outside of an address space"));
    };
    let index = match building.context {
        Some((address, index)) if address == r.address => index,
        last => {
            let (ring, merge_any) = (building.mapping_at(r.address), building.merges_any());
            let Some(v) = ring.filter(|v| v.kind == vma_kind::AIO) else {
                return Err(bad("a context of asynchronous I/O has no ring"));
            };
            if r.requests == 0 || r.reserved != 0 || last.is_some_and(|(address, _)| address > r.address) {
                return Err(bad("wrong values in a context of asynchronous I/O"));
            }
            let index =
                make(me, &building.mm, r.requests, v.end - v.start, r.address).map_err(|f| f.address(r.address))?;
            start_at(&building.mm, index, r.first).map_err(|_| bad("a ring has no such slot"))?;
            vma::protect(me, v, BORN)?;
            vma::advise(me, v, merge_any)?;
            building.context = Some((r.address, index));
            building.contexts += 1;
            index
        }
    };
    let mut lot = KVVec::new();
    for e in input.entries::<AioEvent>(r.count)? {
        let (data, obj, res, res2) = (e.data, e.obj, e.res, e.res2);
        lot.push(Event { data, obj, res, res2 }, GFP_KERNEL_ACCOUNT)?;
    }
    complete(&building.mm, index, r.first, &lot).map_err(|_| bad("events do not fit the ring"))
}

/// Makes a context whose ring has that many bytes, and moves it to its place, where room has been kept. Its index.
fn make(me: &CurrentTask, mm: &Mm, requests: u32, bytes: u64, place: u64) -> Result<u32> {
    const MREMAP_MAYMOVE: u64 = 1;
    const MREMAP_FIXED: u64 = 2;
    // The kernel makes a ring for twice as many requests and two, but at least for eight of each possible processor.
    let fitting = u32::try_from(slots(bytes).saturating_sub(2) / 2).unwrap_or(u32::MAX);
    for requests in [requests, fitting] {
        let at = me.put_words(&[0])?;
        me.call(nr::__NR_io_setup, &[u64::from(requests), at])
            .context(format_args!(
                "cannot make a context of asynchronous I/O for {requests} requests"
            ))?;
        let address = me.get_word(at)?;
        // A ring begins with the index of its context.
        let index = me.get_word(address)? as u32;
        let made = first_from(mm, index)?
            .filter(|c| c.address as u64 == address)
            .ok_or(EINVAL)?;
        if made.bytes as u64 == bytes {
            let how = MREMAP_MAYMOVE | MREMAP_FIXED;
            me.call(nr::__NR_mremap, &[address, bytes, bytes, how, place])
                .context(format_args!("cannot move the ring of a context of asynchronous I/O"))?;
            return Ok(index);
        }
        me.call(nr::__NR_io_destroy, &[address])?;
    }
    Err(Fault::new(
        EOPNOTSUPP,
        format_args!("no ring of asynchronous I/O has {bytes} bytes here: the machine has more processors"),
    ))
}
