// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The demonstration: `/ckpt/demo` in the guest. What ckpt does, on a real program, for somebody who has never heard of it.

use harness::process::{alive, exists, wait_until, PATIENCE};
use harness::{ckptctl, ensure, fail, Context, Program, Result, Target};
use rustix::process::{set_child_subreaper, Pid};
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

/// Counts primes, and remembers all it has found; nothing of it is written to a file.
const PROGRAM: &str = "
import os, time
found = []
def is_prime(n):
    return n > 1 and all(n % p for p in found if p * p <= n)
n = 0
while len(found) < 5000:
    n += 1
    if is_prime(n):
        found.append(n)
        if len(found) % 20 == 0:
            os.write(1, b'prime number %5d is %6d, the sum of all so far is %9d\\n' % (len(found), n, sum(found)))
            time.sleep(0.25)
";

fn main() -> ExitCode {
    let _ = set_child_subreaper(Some(Pid::INIT));
    match show() {
        Ok(()) => ExitCode::SUCCESS,
        Err(outcome) => {
            println!("\nThe demonstration failed: {outcome}");
            ExitCode::FAILURE
        }
    }
}

/// Prints new lines of the program, indented, until there are `count` more.
fn watch(target: &mut Target, shown: &mut usize, count: usize) -> Result {
    for _ in 0..count {
        let at = *shown;
        let line = wait_until(PATIENCE, || target.lines().get(at).cloned());
        let Some(line) = line else {
            fail!("the program prints nothing more")
        };
        println!("    | {line}");
        *shown += 1;
    }
    Ok(())
}

fn command(text: &str) {
    println!("\n$ {text}");
}

fn show() -> Result {
    let dir = Path::new("/tmp/ckpt-demo");
    let _ = fs::remove_dir_all(dir);
    fs::create_dir_all(dir)?;
    let context = Context::new("demo", dir);
    let file = context.path("primes.ckpt");

    println!("ckpt saves a running program to a file and brings it back later, in the middle of what it was doing.");
    println!("Here is an ordinary Python program. It looks for prime numbers and keeps all of them in its memory;");
    println!("it knows nothing of ckpt, and it writes nothing down but these lines:");
    command("python3 primes.py &");
    let mut target = Program::command(&context, &["python3", "-c", PROGRAM]).start()?;
    let pid = target.pid;
    let mut shown = 0;
    watch(&mut target, &mut shown, 4)?;

    println!("\nNow its process, number {pid}, is saved into a file, and killed:");
    command(&format!("ckptctl checkpoint {pid} -o primes.ckpt --kill"));
    let start = Instant::now();
    let done = ckptctl::checkpoint(pid, &file, ckptctl::After::Kill)?;
    let saving = start.elapsed();
    print!("    {}", done.err.replace('\n', "\n    ").trim_end());
    target.was_killed()?;
    println!("\n\nIt is gone. All that there is of it is the file:");
    command(&format!("ps {pid}; ls -sh primes.ckpt"));
    ensure!(!exists(pid), "process {pid} is still there");
    println!(
        "    no process {pid};  {} KiB primes.ckpt",
        file.metadata()?.len() / 1024
    );
    // What it printed after the save, before it was killed, if anything.
    while shown < target.lines().len() {
        watch(&mut target, &mut shown, 1)?;
    }
    let last = target.lines().last().cloned().unwrap_or_default();

    println!("\nNow it is brought back, under its old number:");
    command("ckptctl restart primes.ckpt --detach");
    let start = Instant::now();
    target.restart(&file)?;
    let restarting = start.elapsed();
    println!("    {pid}");
    println!("\nIt goes on with the next number, as if nothing had happened:");
    watch(&mut target, &mut shown, 4)?;
    ensure!(alive(pid), "the program has ended");
    check(&target.lines(), &last)?;
    println!(
        "\nSaving took {} ms, bringing it back {} ms (in this emulated machine, which is ten to thirty times slower than",
        saving.as_millis(),
        restarting.as_millis()
    );
    println!("a real one). Every prime number and every sum was right, and none was missing or printed twice.");
    target.kill()
}

/// Computes all that the program has printed.
fn check(lines: &[String], last_before: &str) -> Result {
    let mut primes: Vec<u64> = Vec::new();
    let mut expected = Vec::new();
    for n in 2.. {
        if expected.len() == lines.len() {
            break;
        }
        if primes.iter().take_while(|p| *p * *p <= n).all(|p| n % p != 0) {
            primes.push(n);
            if primes.len() % 20 == 0 {
                let sum: u64 = primes.iter().sum();
                let count = primes.len();
                expected.push(format!(
                    "prime number {count:5} is {n:6}, the sum of all so far is {sum:9}"
                ));
            }
        }
    }
    ensure!(lines == expected, "the program's lines are wrong: {lines:#?}");
    ensure!(lines.iter().any(|line| line == last_before), "a line was lost");
    Ok(())
}
