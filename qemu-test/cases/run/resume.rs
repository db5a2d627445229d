// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! `ckptctl run --resume`.

use super::job::{go, is_sound, last_number, Call, Run, NOBODY, REQUEUE};
use harness::case::During;
use harness::ckptctl::{self, exit, After};
use harness::process::{exists, status_field};
use harness::{ensure, Context, Program, Result};
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Begun without a statefile, saved and ended, brought back twice: one and the same call each time.
pub fn resumes(context: &Context) -> Result {
    rounds(context, &[], &[], &["tick", "3"], 3)
}

/// As an ordinary user.
pub fn nobody(context: &Context) -> Result {
    fs::set_permissions("/dev/ckpt", fs::Permissions::from_mode(0o666))?;
    rounds(context, NOBODY, &["--pidns"], &["tick", "3"], 3)
}

fn rounds(context: &Context, through: &[&str], options: &[&str], command: &[&str], status: i32) -> Result {
    let file = context.path("job.ckpt");
    let call = Call::new(context, command)
        .through(through)
        .file(&file)
        .options(options);
    let call = call.options(&["--on", "USR1=stop", "--resume"]);
    for _ in 0..2 {
        let mut run = call.start()?;
        run.wait_more_lines(4)?;
        run.signal(Signal::USR1)?;
        run.expect_exit(REQUEUE)?;
        is_sound(&file)?;
    }
    let mut run = call.start()?;
    run.wait_more_lines(4)?;
    go(context)?;
    run.expect_exit(status)?;
    let lines = run.lines();
    ensure!(
        lines.last().map(String::as_str) == Some("OK") && lines.iter().filter(|line| *line == "ready").count() == 1,
        "it began anew: {lines:?}"
    );
    ensure!(
        lines.len() as u32 == last_number(&lines) + 2,
        "steps are missing or repeated: {lines:?}"
    );
    Ok(())
}

/// Of a damaged statefile nothing can come back, also if it is read as a whole before, as one that has contents of files.
pub fn damaged(context: &Context) -> Result {
    damaged_with(context, "none", &[]).during("without files")?;
    damaged_with(context, "files", &["--with-files"]).during("with files")
}

fn damaged_with(context: &Context, name: &str, options: &[&str]) -> Result {
    let file = context.path("job.ckpt");
    let _ = fs::remove_file(context.path("go"));
    let call = Call::new(context, &["tick", "3"]).file(&file).out(name);
    let mut run = call.options(&["--on", "USR1=stop"]).options(options).start()?;
    run.wait_more_lines(3)?;
    run.signal(Signal::USR1)?;
    run.expect_exit(REQUEUE)?;
    let sound = fs::read(&file)?;
    let mut flipped = sound.clone();
    flipped[sound.len() / 2] ^= 1;
    let bad: [&[u8]; 5] = [
        b"",
        b"not a statefile, but long enough for a prefix of one",
        &sound[..10],
        &sound[..sound.len() - 1],
        &flipped,
    ];
    for (number, bytes) in bad.iter().enumerate() {
        fs::write(&file, bytes)?;
        let _ = fs::remove_file(context.path("go"));
        let call = Call::new(context, &["tick", "3"]).file(&file).options(&["--resume"]);
        let mut run = call.out(&format!("{name}{number}")).start()?;
        run.wait_line("ready")?;
        ensure!(run.says().contains("begins anew"), "it says {}", run.says());
        go(context)?;
        run.expect_exit(3)?;
        ensure!(fs::read(&file)? == *bytes, "the statefile was changed");
    }
    Ok(())
}

/// A sound statefile whose pid is taken: nothing is started, nothing lost.
pub fn pid_in_use(context: &Context) -> Result {
    let file = context.path("job.ckpt");
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    target.checkpoint(&file)?;
    let sound = fs::read(&file)?;
    let mut run = Call::new(context, &["tick"])
        .file(&file)
        .options(&["--resume"])
        .out("second")
        .start()?;
    run.expect_exit(116)?;
    ensure!(run.says().contains("--pidns"), "no hint: {}", run.says());
    ensure!(
        run.lines().is_empty() && fs::read(&file)? == sound,
        "something was started or changed"
    );
    target.finish()
}

/// In a pid namespace of its own a job comes back wherever it is, beside a second one.
pub fn pidns(context: &Context) -> Result {
    let second = context.path("second.ckpt");
    let call = |out: &'static str, file: &std::path::Path| {
        let call = Call::new(context, &["tick", "3"]).file(file).out(out);
        call.options(&["--pidns", "--on", "USR1=stop", "--resume"])
    };
    let mut other = call("other", &second).start()?;
    other.wait_more_lines(3)?;
    let go_later = context.path("go");
    ensure!(!go_later.exists(), "too early");
    rounds(context, &[], &["--pidns"], &["tick", "3"], 3)?;
    other.expect_exit(3)
}

/// Counts to standard output until it may go, then says so by a file: process groups of the shell's, with a `sleep` below them.
const COUNTER: &str = "n=0; while [ ! -e $CKPT_GO ]; do n=$((n+1)); echo $0 $n; sleep 0.05; done; touch $0.end";

/// Daemons of the job, which have lost their parents: one in the job's session, one in its own. They come back, and can be saved again.
pub fn orphans(context: &Context) -> Result {
    fs::set_permissions("/dev/ckpt", fs::Permissions::from_mode(0o666))?;
    fs::set_permissions(context.dir(), fs::Permissions::from_mode(0o777))?;
    let script = format!(
        "count='{COUNTER}'; (bash -c \"$count\" near &); (setsid bash -c \"$count\" far &); bash -c \"$count\" root; \
         until [ -e near.end -a -e far.end ]; do sleep 0.05; done; exit 5"
    );
    for (through, options, name) in [
        (&[][..], &[][..], "plain"),
        (&[], &["--pidns"], "pidns"),
        (NOBODY, &["--pidns"], "nobody"),
    ] {
        let file = context.path(&format!("{name}.ckpt"));
        for left in ["go", "near.end", "far.end", "root.end"] {
            let _ = fs::remove_file(context.path(left));
        }
        let call = Call::new(context, &["/bin/bash", "-c", &script]);
        let call = call.through(through).file(&file).out(name).options(options);
        let call = call.options(&["--on", "USR1=stop", "--resume"]);
        let mut so_far = 0;
        for _ in 0..2 {
            let mut run = call.start()?;
            all_count(&run, so_far + 3)?;
            run.signal(Signal::USR1)?;
            run.expect_exit(REQUEUE)?;
            is_sound(&file)?;
            so_far = run.lines().len();
        }
        let mut run = call.start()?;
        all_count(&run, so_far + 3)?;
        if name == "plain" {
            run.signal(Signal::USR1)?;
            run.expect_exit(REQUEUE)?;
            so_far = run.lines().len();
            let mut restart = ckptctl::restart_foreground(&file, &[])?;
            all_count(&run, so_far + 3)?;
            go(context)?;
            ensure!(restart.wait()?.code() == Some(5), "ckptctl restart ends otherwise");
        } else {
            go(context)?;
            run.expect_exit(5)?;
        }
        for who in WHO {
            let numbers: Vec<_> = numbers_of(&run, who).collect();
            let wanted: Vec<_> = (1..=numbers.len()).collect();
            ensure!(numbers == wanted, "{name}: {who} has counted {numbers:?}");
        }
    }
    Ok(())
}

/// Who names an orphan means that, not the job: only the first process stands for all.
pub fn one_orphan(context: &Context) -> Result {
    let file = context.path("orphan.ckpt");
    let script = "(sleep 1000 & echo $!); echo ready; until [ -e $CKPT_GO ]; do sleep 0.05; done; exit 5";
    let mut run = Call::new(context, &["/bin/bash", "-c", script]).start()?;
    run.wait_line("ready")?;
    let orphan = run.wait_for("pid", |run| run.lines()[0].parse().ok())?;
    let parent = || status_field(orphan, "PPid").and_then(|parent| status_field(parent.parse().ok()?, "Name"));
    run.wait_for("orphan", |_| parent().filter(|name| name == "ckpt-init"))?;
    ckptctl::checkpoint(orphan, &file, After::Kill)?;
    let gone = run.wait_for("end of the orphan", |_| (!exists(orphan)).then_some(()));
    go(context)?;
    run.expect_exit(5)?;
    gone
}

/// What has no job's init above it is no job.
pub fn no_job(context: &Context) -> Result {
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    let check = |pid: i32| ckptctl::run(&["check", "--job", &pid.to_string()]);
    // This case is its parent, and that of the command.
    check(target.pid)?
        .expect(exit::REFUSED)?
        .names(&["the caller itself"])?;
    check(1)?.expect(exit::REFUSED)?.names(&["it is no job"])?;
    target.finish()
}

const WHO: [&str; 3] = ["root", "near", "far"];

/// What one of them has said.
fn numbers_of(run: &Run, who: &'static str) -> impl Iterator<Item = usize> {
    let lines = run.lines().into_iter();
    lines.filter_map(move |line| line.strip_prefix(who)?.trim().parse().ok())
}

/// Waits until all have begun, and there are more lines.
fn all_count(run: &Run, beyond: usize) -> Result {
    run.wait_for("counting", |run| {
        let have_begun = WHO.iter().all(|who| numbers_of(run, who).next().is_some());
        (have_begun && run.lines().len() > beyond).then_some(())
    })
}

/// Four threads of OpenMP on one processor: the output is that of an undisturbed run.
pub fn openmp(context: &Context) -> Result {
    let file = context.path("job.ckpt");
    let command = [
        "/usr/bin/env",
        "OMP_NUM_THREADS=4",
        "/ckpt/programs/run_solver",
        "60",
        "30",
    ];
    let mut undisturbed = Call::new(context, &command).out("undisturbed").start()?;
    undisturbed.expect_exit(0)?;
    let call = Call::new(context, &command)
        .file(&file)
        .options(&["--on", "USR1=stop", "--on", "USR2", "--resume"]);
    let mut status = REQUEUE;
    let mut rounds = 0;
    while status == REQUEUE {
        let mut run = call.start()?;
        run.wait_more_lines(4)?;
        run.signal(Signal::USR2)?;
        run.wait_more_lines(4)?;
        let ends = rounds == 3;
        if !ends {
            run.signal(Signal::USR1)?;
        }
        let ended = run.end()?;
        let harness::process::Ended::Exited(code) = ended else {
            harness::fail!("{ended:?}: {}", run.trouble())
        };
        status = code;
        rounds += 1;
        if status != REQUEUE {
            ensure!(
                status == 0 && rounds == 4,
                "status {status} after {rounds} rounds: {}",
                run.trouble()
            );
            ensure!(run.lines() == undisturbed.lines(), "other results: {:?}", run.lines());
        }
    }
    Ok(())
}
