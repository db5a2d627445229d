// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! One file per command.

pub mod check;
pub mod checkpoint;
pub mod completions;
pub mod freeze;
pub mod info;
pub mod inspect;
pub mod restart;
pub mod run;
pub mod thaw;
