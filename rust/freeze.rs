// SPDX-License-Identifier: GPL-2.0

//! Stops a process and lets it go. A stopped process stays stopped exactly as long as its [`FrozenTree`] lives.

use crate::{
    error::{Fault, Result},
    wrapper::{
        completion::Waited,
        park::{Park, State},
        task::{fatal_signal_pending, sleep_killable, Task},
        time, //
    },
};
use ckpt_uapi::record::RecordType;
use kernel::{prelude::*, sync::Arc};

/// How long tasks get to stop unless the caller says otherwise, in milliseconds.
const TIMEOUT_MS: u32 = 10_000;
/// How often a task that does not park is looked at.
const SLICE_MS: u32 = 20;

/// A process all of whose threads stand still. Dropping it lets them go.
pub(crate) struct FrozenTree {
    parks: KVVec<Arc<Park>>,
    /// The threads, the leader first.
    threads: KVVec<Task>,
    /// CLOCK_MONOTONIC when the last thread stood still, in nanoseconds.
    pub(crate) since_ns: u64,
}

impl Drop for FrozenTree {
    fn drop(&mut self) {
        for park in &self.parks {
            park.release();
        }
    }
}

impl FrozenTree {
    /// Stops all threads of `leader`'s process but the caller itself.
    ///
    /// Stopped (SIGSTOP) tasks and vfork parents are taken as they are: the request stays queued, so they park when they
    /// would go on.
    pub(crate) fn freeze(leader: &Task, timeout_ms: u32) -> Result<Self> {
        let timeout_ms = if timeout_ms == 0 { TIMEOUT_MS } else { timeout_ms };
        let deadline = time::monotonic_ns() + u64::from(timeout_ms) * 1_000_000;
        let mut tree = Self {
            parks: KVVec::new(),
            threads: KVVec::new(),
            since_ns: 0,
        };
        loop {
            let known = tree.parks.len();
            let all = tree.request_new(leader)?;
            if all && tree.parks.len() == known {
                break;
            }
            for park in &tree.parks[known..] {
                wait(park, deadline)?;
            }
            if time::monotonic_ns() > deadline {
                return Err(Fault::new(
                    EBUSY,
                    format_args!("did not stop in time: it makes threads faster than they can be stopped"),
                )
                .task(leader.tgid(), leader.tgid()));
            }
        }
        tree.since_ns = time::monotonic_ns();
        tree.collect(leader)?;
        Ok(tree)
    }

    /// Asks every thread to park that has not been asked yet; false when some may not have been seen.
    fn request_new(&mut self, leader: &Task) -> Result<bool> {
        let seen = leader.for_each_thread(|t| {
            if t.is_current() || t.is_exiting() || self.parks.iter().any(|p| *p.task() == t) {
                return Ok(());
            }
            // Room first: a request without a place in the list could not be taken back.
            self.parks.reserve(1, GFP_KERNEL)?;
            match Park::request(t) {
                Ok(park) => Ok(self.parks.push(park, GFP_KERNEL)?),
                // On its way out: nothing to save.
                Err(e) if e == ESRCH => Ok(()),
                Err(e) => Err(e),
            }
        });
        match seen {
            Err(e) if e == EAGAIN && !fatal_signal_pending() => {
                sleep_killable(1);
                Ok(false)
            }
            other => Ok(other.map(|()| true)?),
        }
    }

    fn collect(&mut self, leader: &Task) -> Result {
        // Nobody is left who could make threads: the list only shrinks.
        let threads = threads_of(leader)?;
        for t in threads.iter().filter(|t| !t.is_current()) {
            let park = self.parks.iter().find(|p| p.task() == t);
            let stands = park.is_some_and(|p| p.state() != State::Queued) || t.is_stopped() || t.is_vfork_parent();
            if !stands && !t.is_exiting() {
                return Err(
                    Fault::new(EBUSY, format_args!("it was made while the process was being stopped"))
                        .task(t.tgid(), t.tid()),
                );
            }
            t.wait_inactive();
        }
        self.threads = threads;
        Ok(())
    }

    /// The threads, the leader first.
    pub(crate) fn threads(&self) -> &[Task] {
        &self.threads
    }
}

/// The live threads of a process, the leader first.
pub(crate) fn threads_of(leader: &Task) -> Result<KVVec<Task>> {
    let mut threads = KVVec::new();
    loop {
        threads.clear();
        let listed = leader.for_each_thread(|t| {
            if !t.is_exiting() {
                threads.push(t, GFP_KERNEL)?;
            }
            Ok(())
        });
        match listed {
            Err(e) if e == EAGAIN && !fatal_signal_pending() => sleep_killable(1),
            other => break other?,
        }
    }
    match threads.first() {
        None => Err(Fault::new(ESRCH, format_args!("the process has exited"))),
        Some(first) if first != leader => Err(Fault::new(
            EOPNOTSUPP,
            format_args!("its main thread has exited while others live"),
        )
        .kind(RecordType::Tree)
        .task(leader.tgid(), leader.tgid())),
        Some(_) => Ok(threads),
    }
}

fn wait(park: &Park, deadline: u64) -> Result {
    loop {
        if park.state() != State::Queued {
            return Ok(());
        }
        let task = park.task();
        if task.is_stopped() || task.is_vfork_parent() || task.is_exiting() {
            return Ok(());
        }
        if park.wait(SLICE_MS) == Waited::Killed {
            return Err(EINTR.into());
        }
        if time::monotonic_ns() > deadline && park.state() == State::Queued {
            let place = task.in_syscall();
            return Err(Fault::new(
                EBUSY,
                format_args!(
                    "did not stop in time: scheduler state {:#x}, in {}",
                    task.state(),
                    Place(place)
                ),
            )
            .task(task.tgid(), task.tid())
            .kind(RecordType::Task));
        }
    }
}

/// Where a task is, for messages.
struct Place(Option<u32>);

impl core::fmt::Display for Place {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Some(nr) => write!(f, "system call {nr}"),
            None => f.write_str("user mode"),
        }
    }
}
