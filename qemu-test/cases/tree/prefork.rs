// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A server with many child processes takes no more memory after a restart than before.

use harness::process::descendants;
use harness::{ensure, Context, Program, Result, Target};
use std::fs;

const CHILDREN: usize = 50;
/// What each of them has from before fork(2); it has written to a twentieth of that.
const MIB: u64 = 8;

/// Proportional set size of all processes together, in KiB.
fn memory(target: &Target) -> Result<u64> {
    let mut pids = descendants(target.pid);
    ensure!(pids.len() == CHILDREN, "there are {} children", pids.len());
    pids.push(target.pid);
    let mut sum = 0;
    for pid in pids {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let size = text
            .lines()
            .find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB"));
        sum += size.and_then(|size| size.trim().parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(sum)
}

/// Pages in common stay in common, over two restarts; what is theirs is right at the end.
pub fn stays_small(context: &Context) -> Result {
    let file = context.path("prefork.ckpt");
    let mut target = Program::own(context, "tree_prefork")
        .args(&[CHILDREN.to_string(), MIB.to_string()])
        .patience(120)
        .start()?;
    target.wait_ready()?;
    let before = memory(&target)?;
    // The common memory once, and at least a twentieth of it for each child.
    let least = MIB * 1024 + CHILDREN as u64 * MIB * 1024 / 20;
    ensure!(
        (least..2 * least).contains(&before),
        "the program is not what it should be: {before} KiB"
    );
    for round in 1..=2 {
        target.checkpoint_kill(&file)?;
        target.restart(&file)?;
        let after = memory(&target)?;
        ensure!(
            after.abs_diff(before) <= before / 10,
            "restart {round}: {after} KiB, and {before} KiB before"
        );
    }
    target.finish()
}
