// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! What is saved and brought back: one module per kind, one file or one line of a table per behaviour.
//!
//! A line of a table is a target program (`programs/<kind>_<behaviour>.c`, which says what it checks): it is saved and
//! goes on, is saved, killed and restarted, and that once more, compared from outside each time.

mod cgroup;
mod cred;
mod fd;
pub mod file;
mod fpu;
mod freeze;
mod fs;
mod ipc;
mod itimer;
mod landlock;
mod mempolicy;
pub mod mm;
pub mod ns;
pub mod policy;
mod posix_timer;
mod prctl;
mod program;
mod pty;
mod regs;
mod restart_block;
mod rlimit;
mod run;
mod sched;
mod seccomp;
mod shmem;
mod signal;
mod silent;
mod socket;
mod task;
mod tree;

use harness::{Case, Program, Recipe};

/// Every case below this.
pub fn all() -> Vec<Case> {
    [
        regs::cases(),
        fpu::cases(),
        restart_block::cases(),
        signal::cases(),
        itimer::cases(),
        posix_timer::cases(),
        task::cases(),
        tree::cases(),
        sched::cases(),
        prctl::cases(),
        mempolicy::cases(),
        seccomp::cases(),
        rlimit::cases(),
        cgroup::cases(),
        cred::cases(),
        landlock::cases(),
        mm::cases(),
        ns::cases(),
        shmem::cases(),
        ipc::cases(),
        fs::cases(),
        fd::cases(),
        file::cases(),
        policy::cases(),
        socket::cases(),
        pty::cases(),
        freeze::cases(),
        silent::cases(),
        run::cases(),
        program::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A program of the suite that prepares its state and waits.
pub fn quiet(program: &'static str, args: &'static [&'static str]) -> Recipe {
    Recipe::quiet(move |context| Ok(Program::own(context, program).args(args)))
}

/// A program of the suite that prepares its state and computes while it waits.
pub fn busy(program: &'static str, args: &'static [&'static str]) -> Recipe {
    Recipe::busy(move |context| Ok(Program::own(context, program).args(args))).goes_on(|target| target.is_unharmed())
}
