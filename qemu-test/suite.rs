// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The test suite: `/ckpt/cases` in the guest.

mod cases;
mod refuse;

use std::process::ExitCode;

fn main() -> ExitCode {
    harness::suite::main([cases::all(), refuse::all()].into_iter().flatten().collect())
}
