// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Requests that are in flight when a program is saved: of asynchronous I/O they are waited for, and refused when they do not come to
//! their end in time; of io_uring they are refused.

use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::{ensure, Context, Program, Result, Target};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// A block device whose reads are held until a file exists.
struct Device {
    server: Target,
    answer: PathBuf,
}

impl Device {
    fn start(context: &Context) -> Result<Self> {
        let answer = context.path("answer");
        let mut server = Program::own(context, "block_held")
            .args(&[&answer])
            .out(&context.path("device"))
            .start()?;
        server.wait_ready()?;
        Ok(Self { server, answer })
    }
}

/// A program with a request in flight, and what it says that a refusal has to name.
fn start(context: &Context, program: &str, args: &[&str]) -> Result<(Target, Vec<String>)> {
    let mut target = Program::own(context, program).args(args).start()?;
    target.wait_ready()?;
    let lines = target.lines();
    let names = lines.iter().filter_map(|line| line.strip_prefix("expect "));
    Ok((target, names.map(str::to_owned).collect()))
}

/// A checkpoint that waits for a second is refused, and leaves the program as it was.
fn is_refused(target: &Target, names: &[String], file: &Path) -> Result {
    let pid = target.pid.to_string();
    let mut short = ckptctl::command(&["checkpoint", &pid, "--timeout", "1", "-o"]);
    let refused = ckptctl::finish(short.arg(file))?.expect(exit::REFUSED)?;
    refused.names(names).during("checkpoint")?;
    ensure!(!file.exists(), "there is a statefile");
    target.is_unharmed()
}

pub fn is_waited_for(context: &Context) -> Result {
    let mut device = Device::start(context)?;
    let (mut target, names) = start(context, "aio_flight", &[])?;
    let pid = target.pid.to_string();
    let check = ckptctl::run(&["check", &pid])?.expect(exit::DONE).during("check")?;
    check.names(&names).during("check")?;
    let file = context.path("flight.ckpt");
    is_refused(&target, &names, &file)?;

    let answer = device.answer.clone();
    let later = thread::spawn(move || {
        thread::sleep(Duration::from_secs(1));
        fs::write(answer, "")
    });
    target
        .checkpoint_kill(&file)
        .during("a request that completes in time")?;
    ensure!(later.join().is_ok_and(|written| written.is_ok()), "no answer was given");
    device.server.kill()?;
    target.restart(&file)?;
    target.finish()
}

pub fn of_io_uring(context: &Context) -> Result {
    let mut device = Device::start(context)?;
    let (mut target, names) = start(context, "uring_flight", &[])?;
    let file = context.path("flight.ckpt");
    is_refused(&target, &names, &file)?;

    fs::write(&device.answer, "")?;
    target.wait_output("\"read\"", |lines| {
        lines.iter().any(|line| line == "read").then_some(())
    })?;
    target.checkpoint_kill(&file)?;
    device.server.kill()?;
    target.restart(&file)?;
    target.finish()
}

/// A task that waits for its requests in execve does not stand still: the time is kept all the same.
pub fn of_io_uring_in_exec(context: &Context) -> Result {
    let mut device = Device::start(context)?;
    let (mut target, names) = start(context, "uring_flight", &["exec"])?;
    target.wait_system_call(&[libc::SYS_execve])?;
    let pid = target.pid.to_string();
    let file = context.path("flight.ckpt");
    let begin = Instant::now();
    let mut short = ckptctl::command(&["checkpoint", &pid, "--timeout", "1", "-o"]);
    ckptctl::finish(short.arg(&file))?.expect(exit::FAILED)?.names(&names)?;
    ensure!(
        begin.elapsed() < Duration::from_secs(20),
        "the time was over long before"
    );
    ensure!(!file.exists(), "there is a statefile");
    fs::write(&device.answer, "")?;
    target.finish()?;
    device.server.kill()
}
