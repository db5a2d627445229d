// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! SIGKILL at any moment of a checkpoint.

use super::job::{go, is_sound, Call, Run, REQUEUE};
use harness::process::{self, wait_until, Ended, PATIENCE};
use harness::{ensure, Context, Result};
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Memory of the job: a checkpoint takes some time.
const TICK: [&str; 3] = ["tick", "3", "24"];

/// Moments in a span of time: evenly spread, in an order that jumps.
fn moments(span: Duration, count: u32) -> impl Iterator<Item = Duration> {
    (0..count).map(move |number| span * (number * 7 % count) / count)
}

/// How long a checkpoint of the job takes, and a first statefile.
fn first(context: &Context, file: &Path) -> Result<Duration> {
    let mut run = Call::new(context, &TICK)
        .file(file)
        .options(&["--on", "USR1=stop"])
        .start()?;
    run.wait_line("ready")?;
    let start = Instant::now();
    run.signal(Signal::USR1)?;
    run.expect_exit(REQUEUE)?;
    Ok(start.elapsed())
}

/// Temporary files may be left, but not more than one: the next checkpoint removes them.
fn leftovers(context: &Context) -> Result<usize> {
    let names = fs::read_dir(context.dir())?.flatten().map(|entry| entry.file_name());
    Ok(names
        .filter(|name| name.to_string_lossy().contains(".ckptctl-"))
        .count())
}

/// Of ckptctl run: the job dies with it, whole; there is always a sound statefile, from which it goes on.
pub fn run(context: &Context) -> Result {
    let file = context.path("job.ckpt");
    let span = first(context, &file)? * 3 / 2;
    for (number, moment) in moments(span, 14).enumerate() {
        let on = if number % 2 == 0 { "USR1=stop" } else { "USR1=continue" };
        let call = Call::new(context, &TICK).file(&file).options(&["--resume", "--on", on]);
        let call = if number % 3 == 2 {
            call.options(&["--timeout", "20"])
        } else {
            call
        };
        let mut run = call.start()?;
        run.wait_more_lines(2)?;
        let job = run.job()?;
        run.signal(Signal::USR1)?;
        std::thread::sleep(moment);
        // It may have ended with a complete checkpoint.
        let _ = run.signal(Signal::KILL);
        let ended = run.end()?;
        ensure!(
            matches!(ended, Ended::Signaled(libc::SIGKILL) | Ended::Exited(REQUEUE)),
            "{ended:?}: {}",
            run.trouble()
        );
        let gone = wait_until(PATIENCE, || {
            let _ = process::ended(job);
            (!process::exists(job)).then_some(())
        });
        ensure!(gone.is_some(), "the job is left: {}", process::describe(job));
        harness::process::end_children();
        is_sound(&file)?;
        ensure!(leftovers(context)? <= 1, "temporary files pile up");
    }
    let mut run = Call::new(context, &TICK).file(&file).options(&["--resume"]).start()?;
    run.wait_more_lines(2)?;
    go(context)?;
    run.expect_exit(3)?;
    ensure!(
        run.lines().last().map(String::as_str) == Some("OK"),
        "{}",
        run.trouble()
    );
    Ok(())
}

/// Of the command that saves: the job goes on, or is saved; there is always a sound statefile.
pub fn checkpoint(context: &Context) -> Result {
    let file = context.path("job.ckpt");
    let span = first(context, &file)?;
    let call = Call::new(context, &TICK)
        .file(&file)
        .options(&["--resume", "--on", "USR1=stop", "--on", "USR2"]);
    let mut run = call.start()?;
    let saver = |pid: i32| {
        process::children(pid).into_iter().find(|child| {
            let line = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains("--tied")
        })
    };
    // Either it has been saved, or it goes on. A checkpoint that comes late ends it later: one that had not begun when it was to be
    // killed, or was complete by then.
    let settle = |run: &mut Run| -> Result {
        let lines = run.lines().len();
        let gone = run.wait_for("outcome", |run| {
            let gone = process::state(run.pid).is_none_or(|state| state == 'Z');
            (gone || run.lines().len() > lines + 1).then_some(gone)
        })?;
        if gone {
            run.expect_exit(REQUEUE)?;
            *run = call.start()?;
            run.wait_more_lines(2)?;
        }
        Ok(())
    };
    for (number, moment) in moments(span, 12).enumerate() {
        settle(&mut run)?;
        run.signal(if number % 2 == 0 { Signal::USR1 } else { Signal::USR2 })?;
        std::thread::sleep(moment);
        if let Some(saver) = saver(run.pid) {
            let _ = process::signal(saver, Signal::KILL);
        }
        settle(&mut run)?;
        is_sound(&file)?;
    }
    run.wait_more_lines(2)?;
    go(context)?;
    run.expect_exit(3)?;
    ensure!(
        run.lines().last().map(String::as_str) == Some("OK"),
        "{}",
        run.trouble()
    );
    ensure!(leftovers(context)? <= 1, "temporary files pile up");
    Ok(())
}

/// By the deadline of the job: it is saved and ended, with a statefile that says so, or gets SIGTERM; nothing in between.
pub fn deadline(context: &Context) -> Result {
    let file = context.path("job.ckpt");
    // Beyond a whole checkpoint, on a busy machine as well.
    let span = first(context, &file)? * 3;
    let mut saved = 0;
    for moment in moments(span, 12) {
        let before = fs::metadata(&file)?.ino();
        let grace = format!("{}ms", moment.as_millis().max(1));
        let options = ["--resume", "--on", "USR1=stop", "--grace", &grace];
        let mut run = Call::new(context, &TICK).file(&file).options(&options).start()?;
        run.wait_more_lines(2)?;
        run.signal(Signal::USR1)?;
        let ended = run.end()?;
        is_sound(&file)?;
        let is_new = fs::metadata(&file)?.ino() != before;
        match ended {
            Ended::Exited(REQUEUE) if is_new => saved += 1,
            Ended::Signaled(libc::SIGTERM) if !is_new => {}
            _ => harness::fail!("{ended:?} after {grace}, a new statefile: {is_new}; {}", run.trouble()),
        }
    }
    ensure!(
        (1..12).contains(&saved),
        "{saved} of 12 were saved in time, of up to {span:?}"
    );
    Ok(())
}
