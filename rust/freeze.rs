// SPDX-License-Identifier: GPL-2.0

//! Stops a process and lets it go. A stopped process stays stopped exactly as long as its [`FrozenTree`] lives.

use crate::{
    error::{Fault, Result},
    wrapper::{
        completion::Waited,
        park::{Park, State},
        task::Task,
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
            tree.request_new(leader)?;
            if tree.parks.len() == known {
                break;
            }
            for park in &tree.parks[known..] {
                wait(park, deadline)?;
            }
        }
        tree.since_ns = time::monotonic_ns();
        tree.collect(leader)?;
        Ok(tree)
    }

    /// Asks every thread to park that has not been asked yet.
    fn request_new(&mut self, leader: &Task) -> Result {
        leader.for_each_thread(|t| {
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
        })?;
        Ok(())
    }

    fn collect(&mut self, leader: &Task) -> Result {
        let mut threads = KVVec::new();
        leader.for_each_thread(|t| {
            if !t.is_exiting() {
                t.wait_inactive();
                threads.push(t, GFP_KERNEL)?;
            }
            Ok(())
        })?;
        match threads.first() {
            None => return Err(Fault::new(ESRCH, format_args!("the process has exited"))),
            Some(first) if first != leader => return Err(leader_exited(leader)),
            Some(_) => {}
        }
        self.threads = threads;
        Ok(())
    }

    /// The threads, the leader first.
    pub(crate) fn threads(&self) -> &[Task] {
        &self.threads
    }
}

/// What to say of a process whose main thread is a zombie.
pub(crate) fn leader_exited(leader: &Task) -> Fault {
    Fault::new(EOPNOTSUPP, format_args!("its main thread has exited while others live"))
        .kind(RecordType::Tree)
        .task(leader.tgid(), leader.tgid())
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
