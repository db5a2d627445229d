// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! `kill -9` at random moments, while a tree of ten processes is saved or brought back: of ckptctl, of the init of a pid
//! namespace, of single tasks.

use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::process::{self, alive, descendants, wait_until, PATIENCE};
use harness::suite::references;
use harness::{ensure, fail, Context, Program, Result, Target};
use rustix::process::Signal;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const TURNS: usize = 100;
/// The same moments each time; how far things have come by then is chance enough.
const SEED: u64 = 0x5eed_cafe_f00d_0001;

/// xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn moment(&mut self, span: Duration) -> Duration {
        span * (self.next() % 1000) as u32 / 1000
    }
}

fn family(context: &Context) -> Result<(Target, Vec<i32>)> {
    let mut target = Program::own(context, "tree_family").args(&["3", "2"]).start()?;
    target.wait_ready()?;
    let mut pids = vec![target.pid];
    pids.extend(descendants(target.pid));
    ensure!(pids.len() == 10, "the family is not complete");
    Ok((target, pids))
}

/// Each process runs, and says so.
fn all_answer(context: &Context, pids: &[i32]) -> Result {
    let path = |pid: i32| context.path(&format!("state.{pid}"));
    for &pid in pids {
        let _ = fs::remove_file(path(pid));
        process::signal(pid, Signal::USR1)?;
    }
    for &pid in pids {
        let answered = wait_until(PATIENCE, || path(pid).exists().then_some(()));
        ensure!(answered.is_some(), "{pid} does not answer: {}", process::describe(pid));
    }
    Ok(())
}

/// No session is open, no task is held.
fn nothing_is_held() -> Result {
    let free = wait_until(PATIENCE, || (references() == Some(0)).then_some(()));
    ensure!(free.is_some(), "references to the module: {:?}", references());
    Ok(())
}

/// Temporary files of ckptctl beside the statefile.
fn leftovers(context: &Context) -> Result<usize> {
    let names = fs::read_dir(context.dir())?.flatten().map(|entry| entry.file_name());
    Ok(names.filter(|name| name.to_string_lossy().contains("ckptctl")).count())
}

fn kill_at(child: &mut Child, start: Instant, moment: Duration) -> Result<std::process::ExitStatus> {
    std::thread::sleep(moment.saturating_sub(start.elapsed()));
    let _ = process::signal(child.id() as i32, Signal::KILL);
    Ok(child.wait()?)
}

/// The family goes on each time; there is the whole statefile or none, and a complete one restarts.
pub fn checkpoint(context: &Context) -> Result {
    let file = context.path("family.ckpt");
    let name = file.display().to_string();
    let (mut target, pids) = family(context)?;
    // The first takes longer than those that follow, which are to be killed on their way.
    let mut span = PATIENCE;
    for _ in 0..5 {
        let start = Instant::now();
        target.checkpoint(&file)?;
        span = span.min(start.elapsed() * 11 / 10);
        fs::remove_file(&file)?;
    }
    let mut random = Random(SEED);
    let (mut killed, mut complete) = (0, 0);
    for turn in 0..TURNS {
        let words = ["checkpoint", &target.pid.to_string(), "-o", &name];
        let start = Instant::now();
        let mut child = ckptctl::command(&words)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let status = kill_at(&mut child, start, random.moment(span))?;
        let during = format!("turn {turn}");
        killed += usize::from(status.code().is_none());
        all_answer(context, &pids).during(&during)?;
        nothing_is_held().during(&during)?;
        if file.exists() {
            ckptctl::run(&["inspect", &name])?.expect(exit::DONE).during(&during)?;
            fs::remove_file(&file)?;
            complete += 1;
        }
        ensure!(leftovers(context)? <= 1, "{during}: temporary files pile up");
    }
    println!("{killed} of {TURNS} killed in time, {complete} complete");
    ensure!(killed > TURNS / 2, "ckptctl was killed in time only {killed} times");
    target.checkpoint_kill(&file)?;
    ensure!(leftovers(context)? == 0, "a temporary file is left");
    target.restart(&file)?;
    all_answer(context, &pids)?;
    target.finish()
}

/// Waits until nothing of a restart is left: here its orphans are reaped.
fn all_gone(pids: &[i32]) -> Result {
    for &pid in pids {
        let gone = wait_until(PATIENCE, || {
            let _ = process::ended(pid);
            (!process::exists(pid)).then_some(())
        });
        ensure!(gone.is_some(), "{pid} is left: {}", process::describe(pid));
    }
    nothing_is_held()
}

fn end_family(pids: &[i32]) -> Result {
    for &pid in pids {
        let _ = process::signal(pid, Signal::KILL);
    }
    all_gone(pids)
}

/// Who is killed.
#[derive(Clone, Copy, Debug)]
enum Victim {
    /// ckptctl, which leads the restart.
    Coordinator,
    /// ckptctl or the init that it makes in a new pid namespace.
    InitOrCoordinator,
    /// One task of the family.
    Task,
}

/// What is there of the family: everything, nothing, or a part of it that stays.
fn whole_or_nothing(context: &Context, pids: &[i32]) -> Result<bool> {
    let settled = wait_until(PATIENCE, || {
        // Those whose parents were killed are this process's children now.
        process::reap_zombies();
        let there = pids.iter().filter(|pid| process::exists(**pid)).count();
        (there == 0 || (there == pids.len() && references() == Some(0))).then_some(there > 0)
    });
    match settled {
        Some(true) => all_answer(context, pids).map(|()| true),
        Some(false) => nothing_is_held().map(|()| false),
        None => fail!(
            "a part of the family stays: {:?}",
            pids.iter().map(|pid| process::describe(*pid)).collect::<Vec<_>>()
        ),
    }
}

/// One turn; whether the restart had been completed before the kill.
fn kill_restart(
    context: &Context,
    file: &Path,
    pids: &[i32],
    victim: Victim,
    at: Duration,
    pick: usize,
) -> Result<bool> {
    let name = file.display().to_string();
    let mut words = vec!["restart", &name];
    words.push(match victim {
        Victim::InitOrCoordinator => "--new-pidns",
        _ => "--detach",
    });
    let said = context.path("said");
    let start = Instant::now();
    let mut child = ckptctl::command(&words)
        .stdout(Stdio::null())
        .stderr(fs::File::create(&said)?)
        .spawn()?;
    let own = child.id() as i32;
    match victim {
        Victim::Coordinator => {
            kill_at(&mut child, start, at)?;
            whole_or_nothing(context, pids)
        }
        Victim::InitOrCoordinator => {
            std::thread::sleep(at);
            let below = descendants(own);
            let init = below.first().copied().filter(|_| pick % 2 == 0);
            let _ = process::signal(init.unwrap_or(own), Signal::KILL);
            // With its init gone, the namespace is empty: the restart has failed, or the family is dead.
            if init.is_some() {
                let ended = wait_until(PATIENCE, || child.try_wait().ok().flatten());
                ensure!(
                    ended.is_some_and(|status| !status.success()),
                    "ckptctl ended with {ended:?}"
                );
            } else {
                child.wait()?;
            }
            let mut below = below;
            below.retain(|pid| alive(*pid) || process::exists(*pid));
            // In the foreground, nobody outlives what was killed but for a complete family whose ckptctl was killed.
            let survivors = wait_until(Duration::from_secs(2), || {
                process::reap_zombies();
                below.iter().all(|pid| !process::exists(*pid)).then_some(())
            });
            let complete = survivors.is_none();
            ensure!(init.is_none() || !complete, "the namespace has outlived its init");
            process::end_children();
            all_gone(&below)?;
            Ok(complete)
        }
        Victim::Task => {
            std::thread::sleep(at);
            let there: Vec<i32> = pids.iter().copied().filter(|pid| alive(*pid)).collect();
            if let Some(pid) = there.get(pick % there.len().max(1)) {
                let _ = process::signal(*pid, Signal::KILL);
            }
            let status = child.wait()?;
            match status.code() {
                // It was over before the kill, or nobody was there yet to be killed.
                Some(exit::DONE) => end_family(pids).map(|()| true),
                Some(exit::FAILED) => all_gone(pids).map(|()| false),
                _ => fail!(
                    "ckptctl restart ended with {status}: {}",
                    fs::read_to_string(&said).unwrap_or_default()
                ),
            }
        }
    }
}

/// The family is there as a whole or not at all; its statefile restarts afterwards.
pub fn restart(context: &Context) -> Result {
    let file = context.path("family.ckpt");
    let (mut target, pids) = family(context)?;
    target.checkpoint_kill(&file)?;
    let start = Instant::now();
    target.restart(&file)?;
    let span = start.elapsed() * 11 / 10;
    ensure!(descendants(target.pid).len() == 9, "the family is not complete");
    // Each is to die with its parent; that the restarter of the first one has gone is something else.
    process::signal(target.pid, Signal::KILL)?;
    target.ended();
    all_gone(&pids).during("the death of the first one")?;
    let mut random = Random(SEED);
    let mut complete = [0; 3];
    for turn in 0..TURNS {
        let victim = [Victim::Coordinator, Victim::Task, Victim::InitOrCoordinator][turn % 3];
        let at = random.moment(span);
        let during = format!("turn {turn}, {victim:?} after {at:?}");
        if kill_restart(context, &file, &pids, victim, at, random.below(1 << 16)).during(&during)? {
            complete[turn % 3] += 1;
            end_family(&pids).during(&during)?;
        }
        nothing_is_held().during(&during)?;
    }
    println!("complete before the kill: {complete:?} of {TURNS}");
    ensure!(
        complete.iter().all(|count| count * 3 < TURNS - 10),
        "nobody was killed in time: {complete:?}"
    );
    target.restart(&file).during("after all of them")?;
    all_answer(context, &pids)?;
    target.finish()
}
