// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! What the target inherited as descriptors 0, 1 and 2.

use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::process::{wait_until, PATIENCE};
use harness::{ensure, fail, Context, Program, Result, Target, CKPTCTL};
use rustix::pty::{grantpt, openpt, ptsname, unlockpt, OpenptFlags};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;

/// The ends of the standard descriptors that the harness holds.
struct Ends {
    input: File,
    output: File,
    seen: String,
}

impl Ends {
    fn write(&mut self, text: &str) -> Result {
        Ok(self.input.write_all(text.as_bytes())?)
    }

    /// Reads until the text has come.
    fn expect(&mut self, text: &str) -> Result {
        let mut buffer = [0; 512];
        while !self.seen.contains(text) {
            match self.output.read(&mut buffer) {
                Ok(0) => fail!("end of the output; it was {:?}", self.seen),
                Ok(length) => self.seen += &String::from_utf8_lossy(&buffer[..length]),
                Err(error) => fail!("{error}; the output was {:?}", self.seen),
            }
        }
        Ok(())
    }
}

/// Pipes as standard descriptors: the ends of the harness, and those for a child.
fn pipes_for_child() -> Result<(Ends, [OwnedFd; 3])> {
    let (child_in, input) = pipe_cloexec()?;
    let (output, child_out) = pipe_cloexec()?;
    let child_err = child_out.try_clone()?;
    Ok((
        Ends {
            input: input.into(),
            output: output.into(),
            seen: String::new(),
        },
        [child_in, child_out, child_err],
    ))
}

fn pipe_cloexec() -> Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}

fn start(context: &Context, [stdin, stdout, stderr]: [OwnedFd; 3]) -> Result<Target> {
    Program::own(context, "stdio_echo").start_on(stdin.into(), stdout.into(), stderr.into())
}

/// `ckptctl restart` in the foreground on these descriptors.
fn restart(file: &Path, extra: &[&str], [stdin, stdout, stderr]: [OwnedFd; 3]) -> Result<std::process::Child> {
    let mut command = Command::new(CKPTCTL);
    command
        .arg("restart")
        .arg(file)
        .args(extra)
        .stdin(stdin)
        .stdout(stdout)
        .stderr(stderr);
    Ok(command.spawn()?)
}

fn exit_of(child: &mut std::process::Child) -> Result<i32> {
    match wait_until(PATIENCE, || child.try_wait().ok().flatten()) {
        Some(status) => Ok(status.code().unwrap_or(-1)),
        None => fail!("ckptctl restart does not end"),
    }
}

/// The target waits in a read of a pipe; it goes on with the pipe when it is left running, and with the restarter's
/// pipe after a restart.
pub fn pipes(context: &Context) -> Result {
    let file = context.path("echo.ckpt");
    let (mut first, child) = pipes_for_child()?;
    let mut target = start(context, child)?;
    first.write("one\n")?;
    first.expect("error 1")?;
    target.wait_system_call(&[libc::SYS_read])?;
    target.checkpoint(&file).during("left running")?;
    first.write("two\n")?;
    first.expect("line 2: two").during("left running")?;
    target.wait_system_call(&[libc::SYS_read])?;
    target.checkpoint_kill(&file)?;
    drop(first);

    let (mut second, child) = pipes_for_child()?;
    let mut restart = restart(&file, &[], child)?;
    second.write("three\n")?;
    second.expect("line 3: three").during("restarted")?;
    second.expect("error 3").during("restarted")?;
    second.write("quit\n")?;
    let code = exit_of(&mut restart)?;
    ensure!(code == 4, "exit status {code}");
    Ok(())
}

/// A new pseudo terminal: the harness's end, and three descriptors of the other.
fn terminal_for_child() -> Result<(Ends, [OwnedFd; 3])> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let slave = rustix::fs::open(
        &*name,
        rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )?;
    let output: File = master.into();
    let ends = Ends {
        input: output.try_clone()?,
        output,
        seen: String::new(),
    };
    Ok((ends, [slave.try_clone()?, slave.try_clone()?, slave]))
}

/// The same with a terminal: another one takes the place of the first.
pub fn terminal(context: &Context) -> Result {
    let file = context.path("echo.ckpt");
    let (mut first, child) = terminal_for_child()?;
    let mut target = start(context, child)?;
    first.write("one\n")?;
    first.expect("error 1")?;
    target.wait_system_call(&[libc::SYS_read])?;
    target.checkpoint_kill(&file)?;
    drop(first);

    let (mut second, child) = terminal_for_child()?;
    let mut restart = restart(&file, &[], child)?;
    second.write("two\n")?;
    second.expect("line 2: two").during("restarted")?;
    let name = fs::read_link(format!("/proc/{}/fd/0", target.pid))?;
    ensure!(name.starts_with("/dev/pts"), "descriptor 0 is {}", name.display());
    second.write("quit\n")?;
    let code = exit_of(&mut restart)?;
    ensure!(code == 3, "exit status {code}");
    Ok(())
}

/// Saved and killed, with pipes as standard descriptors.
fn saved(context: &Context) -> Result<(Target, std::path::PathBuf)> {
    let file = context.path("echo.ckpt");
    let (mut ends, child) = pipes_for_child()?;
    let mut target = start(context, child)?;
    ends.write("one\n")?;
    ends.expect("error 1")?;
    target.wait_system_call(&[libc::SYS_read])?;
    target.checkpoint_kill(&file)?;
    Ok((target, file))
}

/// --stdio null: input ends at once, output goes nowhere.
pub fn null(context: &Context) -> Result {
    let (_target, file) = saved(context)?;
    let (ends, child) = pipes_for_child()?;
    let mut restart = restart(&file, &["--stdio", "null", "-q"], child)?;
    // The program says "end of input" and fails.
    let code = exit_of(&mut restart)?;
    ensure!(code == 1, "exit status {code}");
    drop(ends.input);
    let mut text = String::new();
    let mut output = ends.output;
    output.read_to_string(&mut text)?;
    ensure!(text.is_empty(), "something was printed: {text}");
    Ok(())
}

/// --stdio file:PATH: what there is is kept, output is appended.
pub fn file(context: &Context) -> Result {
    let (_target, file) = saved(context)?;
    let log = context.path("log");
    fs::write(&log, "before\n")?;
    let mut restart = ckptctl::restart_foreground(&file, &["--stdio", &format!("file:{}", log.display())])?;
    let code = exit_of(&mut restart)?;
    ensure!(code == 1, "exit status {code}");
    let text = fs::read_to_string(&log)?;
    ensure!(
        text == "before\nFAIL end of input after 1 lines\n",
        "the log is {text:?}"
    );
    Ok(())
}

/// Descriptors that are files are those files again, whatever --stdio says.
pub fn redirected(context: &Context) -> Result {
    let file = context.path("tick.ckpt");
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    target.wait_more_lines(2)?;
    target.checkpoint_kill(&file)?;
    let mut command = ckptctl::command(&["restart", &file.display().to_string(), "--detach", "--stdio", "null"]);
    let done = ckptctl::finish(&mut command)?.expect(exit::DONE)?;
    ensure!(done.out.trim() == target.pid.to_string(), "restarted as {}", done.out);
    target.revived();
    target.wait_more_lines(2)?;
    target.finish()?;
    // Nothing is lost or repeated: the numbers are in order.
    let lines = target.lines();
    let numbers: Vec<u32> = lines.iter().filter_map(|line| line.parse().ok()).collect();
    ensure!(
        numbers.iter().copied().eq(1..=numbers.len() as u32),
        "the output is {lines:?}"
    );
    Ok(())
}
