// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A bash script without a terminal: background jobs, a pipeline, traps, wait.

use harness::process::{self, wait_end, wait_until, Ended, PATIENCE};
use harness::{ensure, Context, Program, Result, Target};
use rustix::process::Signal;
use std::fs;

/// Numbers that go through the pipeline.
const NUMBERS: u64 = 90;

const SCRIPT: &str = r#"
set -u
seen=0
trap 'seen=$((seen + 1)); echo "usr1 $seen"' USR1
trap 'echo "end"' EXIT
trap '' USR2

worker() {
	trap 'echo "worker $1 is told"; exit $((10 + $1))' TERM
	while :; do sleep 0.1; done
}

# Ends by its trap, by a signal that it has not trapped, and by itself.
worker 1 & first=$!
(trap - TERM; while :; do sleep 0.1; done) & second=$!
seq 1 "$NUMBERS" | while read -r number; do
	sleep 0.02
	echo $((number * number))
done | tee squares | { sum=0; while read -r square; do sum=$((sum + square)); done; echo "$sum" >sum; exit 5; } & third=$!
echo ready

# wait returns early for every trap that was run.
status_of() {
	local status
	while :; do
		wait "$1"
		status=$?
		[ $status -eq 138 ] || break
	done
	echo "$2 ended with $status"
}
status_of $third third
status_of $first first
status_of $second second
while read -r line; do total=$((${total:-0} + line)); done < <(seq 1 50)
echo "total $total, sum $(<sum)"
kill -USR2 $$
exit 7
"#;

fn children(target: &Target) -> Vec<i32> {
    process::children(target.pid)
}

/// The pipeline has come to this number.
fn wait_square(context: &Context, count: usize) -> Result {
    let lines = || fs::read_to_string(context.path("squares")).map_or(0, |text| text.lines().count());
    let come = wait_until(PATIENCE, || (lines() >= count).then_some(()));
    ensure!(come.is_some(), "the pipeline stands still at {}", lines());
    Ok(())
}

/// Saved in the middle, killed and restarted, twice; in between a trap runs each time.
pub fn goes_on(context: &Context) -> Result {
    let script = context.path("script");
    fs::write(&script, SCRIPT)?;
    let mut target = Program::command(context, &["bash", &script.to_string_lossy()])
        .env("NUMBERS", &NUMBERS.to_string())
        .start()?;
    target.wait_ready()?;
    let jobs = children(&target);
    ensure!(jobs.len() >= 3, "its jobs are {jobs:?}");
    let trapped = |target: &mut Target, count: usize| {
        process::signal(target.pid, Signal::USR1)?;
        let line = format!("usr1 {count}");
        target.wait_output(&line, |lines| lines.contains(&line).then_some(()))
    };
    trapped(&mut target, 1)?;
    for round in 0..2 {
        wait_square(context, 15 + 25 * round)?;
        let file = context.path("bash.ckpt");
        target.checkpoint(&file)?;
        target.checkpoint_kill(&file)?;
        target.restart(&file)?;
        trapped(&mut target, 2 + round)?;
    }
    ensure!(
        target.lines().len() == 4,
        "it was not in the middle: {:?}",
        target.lines()
    );
    let third = "third ended with 5".to_owned();
    target.wait_output(&third, |lines| lines.contains(&third).then_some(()))?;
    for job in &jobs[..2] {
        process::signal(*job, Signal::TERM)?;
    }
    let ended = wait_end(target.pid, PATIENCE)?;
    target.ended();

    let sum: u64 = (1..=NUMBERS).map(|number| number * number).sum();
    let total = format!("total 1275, sum {sum}");
    let expected = [
        "ready",
        "usr1 1",
        "usr1 2",
        "usr1 3",
        "third ended with 5",
        "worker 1 is told",
        "first ended with 11",
        "second ended with 143",
        &total,
        "end",
    ];
    ensure!(target.lines() == expected, "it said {:?}", target.lines());
    ensure!(ended == Ended::Exited(7), "it ended with {ended:?}");
    let errors = fs::read_to_string(context.path("err"))?;
    ensure!(
        errors.lines().all(|line| line.contains("Terminated")),
        "it complained: {errors}"
    );
    let squares: Vec<u64> = fs::read_to_string(context.path("squares"))?
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect();
    ensure!(
        squares.iter().copied().eq((1..=NUMBERS).map(|number| number * number)),
        "the pipeline has lost or repeated numbers"
    );
    Ok(())
}
