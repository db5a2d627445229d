// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! stress-ng makes processes as quickly as it can, and is saved all the time.

use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::process::{descendants, signal, wait_end, wait_until, Ended, PATIENCE};
use harness::{ensure, Context, Program, Result, Target};
use rustix::process::Signal;
use std::fs;

fn start(context: &Context, stressors: &[&str]) -> Result<Target> {
    let target = Program::command(context, &["stress-ng", "--timeout", "1h", "--temp-path"])
        .args(&[context.dir()])
        .args(stressors)
        .start()?;
    let wanted = stressors.len() / 2;
    let begun = wait_until(PATIENCE, || (descendants(target.pid).len() > wanted).then_some(()));
    ensure!(begun.is_some(), "stress-ng does not begin: {}", target.output());
    Ok(target)
}

/// It ends as if its time were over, with nothing to complain about.
fn ends_well(target: &mut Target) -> Result {
    signal(target.pid, Signal::ALARM)?;
    let ended = wait_end(target.pid, PATIENCE)?;
    target.ended();
    let said = target.output();
    ensure!(ended == Ended::Exited(0), "stress-ng ended with {ended:?}: {said}");
    Ok(())
}

fn save(context: &Context, target: &Target) -> Result<ckptctl::Done> {
    let file = context.path("stress.ckpt");
    let done = ckptctl::run(&["checkpoint", &target.pid.to_string(), "-o", &file.display().to_string()])?;
    ensure!(
        file.exists() == (done.code == exit::DONE),
        "exit status {}, and the wrong file",
        done.code
    );
    let _ = fs::remove_file(file);
    target.is_unharmed()?;
    Ok(done)
}

/// fork and vfork: nothing stands in the way of a checkpoint.
pub fn forks(context: &Context) -> Result {
    let mut target = start(context, &["--fork", "1", "--vfork", "1"])?;
    for turn in 0..70 {
        save(context, &target)?
            .expect(exit::DONE)
            .during(format!("checkpoint {turn}"))?;
    }
    ends_well(&mut target)
}

/// A check looks at a target that runs: who has gone meanwhile is no obstacle.
pub fn checks(context: &Context) -> Result {
    let mut target = start(context, &["--fork", "4", "--fork-max", "16"])?;
    for turn in 0..20 {
        ckptctl::run(&["check", &target.pid.to_string()])?
            .expect(exit::DONE)
            .during(format!("check {turn}"))?;
    }
    ends_well(&mut target)
}

/// clone with flags of all kinds: mostly there is something that cannot be saved, which is named, and does no harm.
pub fn clones(context: &Context) -> Result {
    let mut target = start(context, &["--clone", "1"])?;
    for turn in 0..30 {
        let done = save(context, &target)?;
        if done.code != exit::DONE {
            done.expect(exit::REFUSED)
                .during(format!("checkpoint {turn}"))?
                .names(&["stress-ng"])?;
        }
    }
    ends_well(&mut target)
}
