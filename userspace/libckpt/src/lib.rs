// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Checkpoint and restart of running programs through `/dev/ckpt`.
//!
//! Save a program and let it go on, then bring it back from the statefile:
//!
//! ```no_run
//! use libckpt::{checkpoint, restart, CheckpointOptions, RestartOptions, Target};
//! use std::fs::File;
//!
//! # fn main() -> Result<(), libckpt::Error> {
//! let file = File::create("job.ckpt").expect("a place for the statefile");
//! let done = checkpoint(Target::Pid(4711), &file, &CheckpointOptions::default())?;
//! println!("{} bytes, {} pages", done.bytes, done.pages);
//!
//! // Later, when the program is gone:
//! let file = File::open("job.ckpt").expect("the statefile");
//! let mut program = restart(&file, &RestartOptions::default())?;
//! println!("process {} ended with {:?}", program.pid(), program.wait()?);
//! # Ok(())
//! # }
//! ```
//!
//! A program saves itself with [`checkpoint_self`], which returns twice: [`Outcome::Saved`] at once and
//! [`Outcome::Restarted`] when the program wakes up from the statefile. The library prints nothing; [`Error`] carries
//! every message of the kernel. [`statefile`] reads and verifies statefiles without the kernel.

pub mod device;
pub mod error;
pub mod message;
pub mod statefile;
pub mod testing;

mod checkpoint;
mod external;
mod foreground;
mod job;
mod policy;
mod restart;
mod tree;

pub use checkpoint::{
    checkpoint, checkpoint_frozen, checkpoint_own, checkpoint_self, checkpoint_with, is_in_namespace_of, After,
    CheckpointOptions, Checkpointed, Files, Outcome, Scope, Target,
};
pub use device::{init_of_pid_namespace, Session};
pub use error::{Error, Failure, Result, TakenPid};
pub use external::External;
pub use foreground::Ended;
pub use job::{enter_namespace_for_pids, enter_user_namespace_of, is_job, Job, JobChange};
pub use message::{Message, Severity};
pub use policy::{parse_policies, Action, Policy};
pub use restart::{restart, ChangedFiles, Placement, RestartOptions, Restarted, Stdio};
pub use tree::taken_pids;

pub use ckpt_uapi as uapi;
