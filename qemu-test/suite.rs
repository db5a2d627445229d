// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The test suite: `/ckpt/cases` in the guest.

mod cases;
mod hostile;
mod pm;
mod refuse;
mod robust;
mod security;
mod smp;

use std::process::ExitCode;

fn main() -> ExitCode {
    harness::suite::main(
        [
            cases::all(),
            refuse::all(),
            robust::all(),
            security::all(),
            hostile::all(),
            smp::all(),
            pm::all(),
        ]
        .into_iter()
        .flatten()
        .collect(),
    )
}
