// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! What the programs in the test guest share: cases and their judgement, target programs, the view from outside.
//!
//! A case is a name and a function. The suite runs each in a process of its own, with a directory of its own, and looks
//! afterwards whether a task, a reference to the module or a complaint in the kernel log was left behind.

pub mod case;
pub mod ckptctl;
pub mod klog;
pub mod mode;
pub mod observe;
pub mod process;
pub mod suite;
pub mod target;
pub mod user;

pub use case::{Case, Context, Outcome, Result};
pub use mode::{Mode, Recipe};
pub use observe::Snapshot;
pub use target::{Program, Target};

/// Where the programs are that the cases save.
pub const PROGRAMS: &str = "/ckpt/programs";
/// The tool under test.
pub const CKPTCTL: &str = "/ckpt/ckptctl";
