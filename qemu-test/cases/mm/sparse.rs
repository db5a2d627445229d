// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A mapping of 1 TiB with five pages in it makes a small statefile, and is itself afterwards.

use crate::cases::quiet;
use harness::{ensure, Context, Result};

/// More than the pages of a small dynamic program take.
const LIMIT: u64 = 4 << 20;

pub fn costs_what_is_present(context: &Context) -> Result {
    quiet("mm_sparse", &[])
        .goes_on(|target| {
            let dir = target.output_file().with_file_name("");
            for name in ["left.ckpt", "detached.ckpt"] {
                let size = dir.join(name).metadata().map_or(0, |data| data.len());
                ensure!(size < LIMIT, "{name} has {size} bytes");
            }
            target.is_unharmed()
        })
        .case("")
        .run(context)
}
