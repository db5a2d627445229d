// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! `kill -9` of ckptctl at random moments.

use harness::case::During;
use harness::ckptctl;
use harness::process::{alive, exists, signal, wait_until, PATIENCE};
use harness::{ensure, fail, Context, Program, Result, Target};
use rustix::process::Signal;
use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const MOMENTS: u32 = 50;

/// Spreads moments over a duration, in an order that looks like chance and is the same each time.
fn moment(turn: u32, whole: Duration) -> Duration {
    whole * (turn * 37 % MOMENTS) / (MOMENTS - 1)
}

fn kill_after(mut child: Child, delay: Duration) -> Result {
    let end = Instant::now() + delay;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        std::thread::sleep(left);
    }
    signal(child.id() as i32, Signal::KILL)?;
    child.wait()?;
    Ok(())
}

/// The numbers that `tick` prints are complete and in order.
fn no_number_is_lost(target: &Target) -> Result {
    let lines = target.lines();
    let numbers: Vec<u32> = lines.iter().filter_map(|line| line.parse().ok()).collect();
    let in_order = numbers.iter().copied().eq(1..=numbers.len() as u32);
    ensure!(in_order, "numbers are lost or repeated: {lines:?}");
    Ok(())
}

/// The target goes on after each, and there is the whole statefile or none.
pub fn checkpoint(context: &Context) -> Result {
    let file = context.path("killed.ckpt");
    let mut target = Program::own(context, "tick").args(&["0", "24"]).start()?;
    target.wait_ready()?;
    let start = Instant::now();
    target.checkpoint(&file)?;
    let whole = start.elapsed() * 11 / 10;
    fs::remove_file(&file)?;
    let mut complete = 0;
    for turn in 0..MOMENTS {
        let pid = target.pid.to_string();
        let mut command = ckptctl::command(&["checkpoint", &pid, "-o", &file.display().to_string()]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        kill_after(child, moment(turn, whole))?;
        target
            .is_unharmed()
            .and_then(|()| target.wait_more_lines(1))
            .during(format!("moment {turn}"))?;
        if file.exists() {
            ckptctl::run(&["inspect", &file.display().to_string()])?
                .expect(0)
                .during(format!("moment {turn}"))?;
            fs::remove_file(&file)?;
            complete += 1;
        }
    }
    ensure!(complete < MOMENTS, "ckptctl was never killed in time");
    target.checkpoint_kill(&file)?;
    target.restart(&file)?;
    target.wait_more_lines(2)?;
    target.finish()?;
    no_number_is_lost(&target)
}

/// The program is whole and runs, or nothing of it is there.
pub fn restart(context: &Context) -> Result {
    let file = context.path("killed.ckpt");
    let mut target = Program::own(context, "pthreads").start()?;
    target.wait_ready()?;
    target.checkpoint_kill(&file)?;
    let start = Instant::now();
    target.restart(&file)?;
    let whole = start.elapsed() * 11 / 10;
    target.kill()?;
    let mut complete = 0;
    for turn in 0..MOMENTS {
        let mut command = ckptctl::command(&["restart", &file.display().to_string(), "--detach"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        kill_after(child, moment(turn, whole))?;
        // A complete program prints; an incomplete one goes away by itself. Its orphan is reaped here.
        let before = target.output();
        let gone = wait_until(PATIENCE, || {
            if !alive(target.pid) {
                return Some(true);
            }
            (target.output() != before).then_some(false)
        });
        match gone {
            Some(true) => {
                let gone = wait_until(Duration::from_secs(10), || {
                    let _ = harness::process::ended(target.pid);
                    (!exists(target.pid)).then_some(())
                });
                ensure!(gone.is_some(), "moment {turn}: something is left of the program");
            }
            Some(false) => {
                complete += 1;
                target.revived();
                target.kill()?;
            }
            None => fail!(
                "moment {turn}: a half-built program stays: {}",
                harness::process::describe(target.pid)
            ),
        }
    }
    ensure!(complete < MOMENTS, "ckptctl was never killed in time");
    target.restart(&file).during("after all of them")?;
    target.wait_more_lines(2)?;
    target.finish()
}
