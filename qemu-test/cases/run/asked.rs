// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Checkpoints that are asked for: by time, by signal, by name.

use super::job::{go, is_sound, last_number, Call, NOBODY, REQUEUE};
use harness::ckptctl::{self, exit};
use harness::process::{wait_until, Ended, PATIENCE};
use harness::{ensure, Context, Result};
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Waits until the statefile is another one.
fn new_file(file: &Path, before: Option<u64>) -> Result<u64> {
    let number = || {
        file.metadata()
            .ok()
            .map(|data| data.ino())
            .filter(|now| Some(*now) != before)
    };
    match wait_until(PATIENCE, number) {
        Some(now) => Ok(now),
        None => harness::fail!("no new statefile {}", file.display()),
    }
}

/// `--every`: one after the other, each sound; the job goes on.
pub fn every(context: &Context) -> Result {
    let file = context.path("job.ckpt");
    let mut run = Call::new(context, &["tick", "7"])
        .file(&file)
        .options(&["--every", "300ms"])
        .start()?;
    let mut last = None;
    for _ in 0..4 {
        last = Some(new_file(&file, last)?);
        is_sound(&file)?;
    }
    run.wait_more_lines(2)?;
    go(context)?;
    run.expect_exit(7)?;
    let lines = run.lines();
    ensure!(
        lines.len() as u32 == last_number(&lines) + 2,
        "the job was disturbed: {lines:?}"
    );
    ensure!(run.says().is_empty(), "ckptctl says {}", run.says());
    Ok(())
}

/// `--on`: one signal for a checkpoint, one for a checkpoint and the end, with a status of one's choice.
pub fn on(context: &Context) -> Result {
    let file = context.path("job.ckpt");
    for (options, out, status) in [
        (&[][..], "plain", REQUEUE),
        (&["--exit-code", "99"], "status", 99),
        (&["--pidns"], "pidns", REQUEUE),
    ] {
        let call = Call::new(context, &["tick"]).file(&file).out(out);
        let mut run = call
            .options(&["--on", "USR1=stop", "--on", "sigusr2"])
            .options(options)
            .start()?;
        run.wait_more_lines(3)?;
        let before = file.metadata().ok().map(|data| data.ino());
        run.signal(Signal::USR2)?;
        let first = new_file(&file, before)?;
        is_sound(&file)?;
        run.wait_more_lines(3)?;
        let job = run.job()?;
        run.signal(Signal::USR1)?;
        run.expect_exit(status)?;
        new_file(&file, Some(first))?;
        is_sound(&file)?;
        ensure!(!harness::process::exists(job), "the job is still there");
        let says = run.says();
        ensure!(
            says.lines().count() == 1 && says.contains("saved"),
            "ckptctl says {says}"
        );
    }
    Ok(())
}

/// Signals that come while the job is being saved reach it; none twice, none never.
pub fn no_signal_is_lost(context: &Context) -> Result {
    let file = context.path("job.ckpt");
    let mut run = Call::new(context, &["run_signals"])
        .file(&file)
        .options(&["--every", "1ms", "--on", "USR1"])
        .start()?;
    run.wait_line("ready")?;
    const COUNT: usize = 60;
    for number in 1..=COUNT {
        let args = ["-q", &number.to_string(), "-40", &run.pid.to_string()];
        ensure!(Command::new("kill").args(args).status()?.success(), "kill failed");
        if number % 10 == 0 {
            run.signal(Signal::USR1)?;
        }
        std::thread::sleep(Duration::from_millis(7));
    }
    run.wait_for("all signals", |run| (run.lines().len() > COUNT).then_some(()))?;
    go(context)?;
    run.expect_exit(0)?;
    let wanted: Vec<String> = (1..=COUNT).map(|number| format!("signal 40 {number}")).collect();
    ensure!(run.lines()[1..] == wanted, "signals: {:?}", run.lines());
    is_sound(&file)
}

/// `--grace`: what takes longer is given up, and SIGTERM ends the job. Here nobody reads what is written.
pub fn deadline(context: &Context) -> Result {
    let file = context.path("job.ckpt");
    ensure!(Command::new("mkfifo").arg(&file).status()?.success(), "mkfifo failed");
    let _reader = fs::File::options().read(true).write(true).open(&file)?;
    let options = ["--on", "USR1=stop", "--on", "USR2", "--grace", "700ms"];
    let mut run = Call::new(context, &["tick", "0", "8"])
        .file(&file)
        .options(&options)
        .start()?;
    run.wait_more_lines(3)?;
    run.signal(Signal::USR2)?;
    run.wait_says("within 0.7 seconds: the job goes on")?;
    run.wait_more_lines(2)?;
    run.signal(Signal::USR1)?;
    run.expect(Ended::Signaled(libc::SIGTERM))?;
    ensure!(
        run.says().contains("within 0.7 seconds: the job gets SIGTERM"),
        "{}",
        run.says()
    );
    Ok(())
}

/// What cannot be saved or written is said, and the job goes on.
pub fn failed(context: &Context) -> Result {
    let nowhere = context.path("nowhere/job.ckpt");
    let mut run = Call::new(context, &["tick"])
        .file(&nowhere)
        .options(&["--on", "USR1=stop"])
        .start()?;
    run.wait_more_lines(2)?;
    run.signal(Signal::USR1)?;
    run.wait_says("the job goes on")?;
    run.wait_more_lines(2)?;
    go(context)?;
    run.expect_exit(0)?;

    // One that was to be ended has its deadline all the same.
    fs::remove_file(context.path("go"))?;
    let mut run = Call::new(context, &["tick", "0", "8"])
        .file(&nowhere)
        .options(&["--on", "USR1=stop", "--grace", "700ms"])
        .out("deadline")
        .start()?;
    run.wait_more_lines(2)?;
    run.signal(Signal::USR1)?;
    run.wait_says("gets SIGTERM when its time is over")?;
    run.expect(Ended::Signaled(libc::SIGTERM))?;
    ensure!(
        run.says().contains("within 0.7 seconds: the job gets SIGTERM"),
        "{}",
        run.says()
    );
    Ok(())
}

/// Other commands find the job by its name, also an ordinary user's in its namespaces.
pub fn name(context: &Context) -> Result {
    fs::set_permissions("/dev/ckpt", fs::Permissions::from_mode(0o666))?;
    let file = context.path("job.ckpt");
    let name = file.to_string_lossy().into_owned();
    for (through, options, out) in [
        (&[][..], &["-n", "one"][..], "root"),
        (NOBODY, &["-n", "one", "--pidns"], "nobody"),
    ] {
        let _ = fs::remove_file(context.path("go"));
        let _ = fs::remove_file(&file);
        let by_user = |args: &[&str]| {
            let words = [through, &[harness::CKPTCTL], args].concat();
            let mut command = Command::new(words[0]);
            ckptctl::finish(command.args(&words[1..]).env_remove("XDG_RUNTIME_DIR"))
        };
        let mut run = Call::new(context, &["tick"])
            .through(through)
            .options(options)
            .out(out)
            .start()?;
        run.wait_more_lines(2)?;
        by_user(&["check", "--name", "one"])?.expect(exit::DONE)?;
        by_user(&["checkpoint", "-n", "one", "-o", &name])?.expect(exit::DONE)?;
        is_sound(&file)?;
        by_user(&["run", "-n", "one", "--", "true"])?
            .expect(111)?
            .names(&["another job"])?;
        by_user(&["check", "-n", "two"])?
            .expect(exit::REFUSED)?
            .names(&["no job"])?;
        run.wait_more_lines(2)?;
        go(context)?;
        run.expect_exit(0)?;
        by_user(&["check", "-n", "one"])?.expect(exit::REFUSED)?;
    }
    Ok(())
}

/// The job has a device that a hook puts away before each checkpoint, and takes again afterwards.
pub fn hooks(context: &Context) -> Result {
    let file = context.path("job.ckpt");
    let (tool, log, told) = crate::cases::policy::tool(context)?;
    let [away, back] = told.each_ref().map(|path| path.to_string_lossy());
    let program = ["policy_accelerator", &away, &back];
    let hook = tool.to_string_lossy();
    let options = [
        "--hook",
        &hook,
        "--policy",
        "/dev/kms=kill",
        "--on",
        "HUP=stop",
        "--resume",
    ];
    let mut run = Call::new(context, &program).file(&file).options(&options).start()?;
    run.wait_line("ready")?;
    run.signal(Signal::HUP)?;
    run.expect_exit(REQUEUE)?;
    let mut again = Call::new(context, &program).file(&file).options(&options).start()?;
    again.wait_says("goes on")?;
    let asked = fs::read_to_string(&log)?;
    ensure!(asked.contains("restart "), "the hook was asked {asked:?} only");
    go(context)?;
    again.expect_exit(0)
}
