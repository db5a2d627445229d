// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A request of asynchronous I/O that is in flight is waited for, and refused when it does not come to its end in time.

use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::{ensure, Context, Program, Result};
use std::fs;
use std::thread;
use std::time::Duration;

pub fn is_waited_for(context: &Context) -> Result {
    let answer = context.path("answer");
    let mut device = Program::own(context, "block_held")
        .args(&[&answer])
        .out(&context.path("device"))
        .start()?;
    device.wait_ready()?;
    let mut target = Program::own(context, "aio_flight").start()?;
    target.wait_ready()?;

    let file = context.path("flight.ckpt");
    let pid = target.pid.to_string();
    let lines = target.lines();
    let names: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("expect ")).collect();
    let check = ckptctl::run(&["check", &pid])?.expect(exit::DONE).during("check")?;
    check.names(&names).during("check")?;
    let mut short = ckptctl::command(&["checkpoint", &pid, "--timeout", "1", "-o"]);
    let refused = ckptctl::finish(short.arg(&file))?.expect(exit::REFUSED)?;
    refused.names(&names).during("checkpoint")?;
    ensure!(!file.exists(), "there is a statefile");
    target.is_unharmed()?;

    let later = thread::spawn(move || {
        thread::sleep(Duration::from_secs(1));
        fs::write(answer, "")
    });
    target
        .checkpoint_kill(&file)
        .during("a request that completes in time")?;
    ensure!(later.join().is_ok_and(|written| written.is_ok()), "no answer was given");
    device.kill()?;
    target.restart(&file)?;
    target.finish()
}
