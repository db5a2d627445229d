// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A program opens the device and saves itself: 0 when it is saved, 1 when it wakes up restarted.

use harness::case::During;
use harness::process::{wait_end, Ended, PATIENCE};
use harness::{ensure, Context, Program, Result};

pub fn alone(context: &Context) -> Result {
    run(context, &[])
}

pub fn threads(context: &Context) -> Result {
    run(context, &["threads"])
}

fn run(context: &Context, extra: &[&str]) -> Result {
    let file = context.path("self.ckpt");
    let mut target = Program::own(context, "self_checkpoint")
        .args(&[&file])
        .args(extra)
        .start()?;
    let ended = wait_end(target.pid, PATIENCE)?;
    let lines = target.lines();
    ensure!(
        ended == Ended::Exited(0) && lines == ["life 0", "saved"],
        "first life: {ended:?}, {lines:?}"
    );
    for life in ["second life", "third life"] {
        // Each life begins at the offset of the save: that of an empty file.
        std::fs::write(target.output_file(), "")?;
        target.restart(&file).during(life)?;
        target.wait_good_end().during(life)?;
        ensure!(target.lines() == ["life 1", "OK"], "{life}: {:?}", target.lines());
    }
    Ok(())
}
