// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Checkpoints and the hibernation of the system: run by `cases --pm` in a guest of its own, whose devices for output do not outlive it.

use harness::ckptctl;
use harness::process::{signal, wait_until, PATIENCE};
use harness::{ensure, fail, skip, Case, Context, Program, Result, Target};
use rustix::process::Signal;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};

/// Every case below this.
pub fn all() -> Vec<Case> {
    vec![
        Case::new("pm/hibernation_with_a_frozen_program", frozen).limit(300),
        Case::new("pm/hibernation_in_a_checkpoint", in_a_checkpoint).limit(300),
        Case::new("pm/hibernation_between_checkpoint_and_restart", between).limit(300),
    ]
}

/// Where the image of the memory goes: a swap file on the root file system.
struct Swap;

impl Swap {
    const FILE: &str = "/swap";

    fn on() -> Result<Self> {
        const FIBMAP: libc::Ioctl = 1;
        if !fs::read_to_string("/sys/power/disk")?.contains("test_resume") {
            skip!("this kernel does not hibernate");
        }
        run(&["fallocate", "--length", "768M", Self::FILE])?;
        fs::set_permissions(Self::FILE, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        run(&["mkswap", "--quiet", Self::FILE])?;
        run(&["swapon", Self::FILE])?;
        let swap = Self;
        let file = File::open(Self::FILE)?;
        let mut block: libc::c_int = 0;
        // SAFETY: FIBMAP reads and writes one int.
        let done = unsafe { libc::ioctl(file.as_raw_fd(), FIBMAP, &mut block) };
        ensure!(done == 0, "FIBMAP: {}", std::io::Error::last_os_error());
        let device = file.metadata()?.dev();
        fs::write("/sys/power/resume_offset", block.to_string())?;
        fs::write(
            "/sys/power/resume",
            format!("{}:{}", libc::major(device), libc::minor(device)),
        )?;
        // Everything but switching the machine off: the image is written, and read back over all of the memory.
        fs::write("/sys/power/disk", "test_resume")?;
        Ok(swap)
    }

    fn hibernate(&self) -> Result {
        let before = hibernations();
        match fs::write("/sys/power/state", "disk") {
            Ok(()) => {}
            Err(error) => fail!("the system does not hibernate: {error}"),
        }
        ensure!(hibernations() > before, "the system has not slept");
        Ok(())
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        let _ = Command::new("swapoff").arg(Self::FILE).status();
        let _ = fs::remove_file(Self::FILE);
    }
}

/// How often the image of the memory was taken, after which the kernel says so, whatever came of it.
fn hibernations() -> usize {
    let log = Command::new("dmesg").output().map(|out| out.stdout).unwrap_or_default();
    String::from_utf8_lossy(&log)
        .matches("PM: hibernation: Normal pages needed")
        .count()
}

fn run(words: &[&str]) -> Result {
    let status = Command::new(words[0])
        .args(&words[1..])
        .stdout(Stdio::null())
        .status()?;
    ensure!(status.success(), "{words:?}: {status}");
    Ok(())
}

/// A program that `ckptctl freeze` holds stays where it is.
fn frozen(context: &Context) -> Result {
    let swap = Swap::on()?;
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    let mut freezer = ckptctl::command(&["freeze", "--json", &target.pid.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut byte = [0];
    ensure!(
        matches!(freezer.stdout.as_mut().map(|out| out.read(&mut byte)), Some(Ok(1))),
        "ckptctl freeze has ended"
    );
    let lines = target.lines().len();
    for _ in 0..2 {
        swap.hibernate()?;
        std::thread::sleep(std::time::Duration::from_millis(300));
        ensure!(target.lines().len() == lines, "the frozen program went on");
        ensure!(freezer.try_wait()?.is_none(), "ckptctl freeze has ended");
    }
    signal(freezer.id() as i32, Signal::TERM)?;
    freezer.wait()?;
    target.wait_more_lines(2)?;
    target.finish()
}

/// Who reads a statefile pauses until the system has slept: the checkpoint is complete, or has failed, and the program goes on.
fn in_a_checkpoint(context: &Context) -> Result {
    let swap = Swap::on()?;
    let mut target = Program::own(context, "tick").args(&["0", "8"]).start()?;
    target.wait_ready()?;
    let mut saver = ckptctl::command(&["checkpoint", "-o", "-", &target.pid.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let Some(mut out) = saver.stdout.take() else {
        fail!("there is no pipe")
    };
    let mut statefile = vec![0];
    out.read_exact(&mut statefile)?;
    swap.hibernate()?;
    if saver.try_wait()?.is_some() {
        ended(saver)?;
        fail!("the checkpoint was over before");
    }
    out.read_to_end(&mut statefile)?;
    drop(out);
    let file = context.path("piped.ckpt");
    fs::write(&file, &statefile)?;
    let saved = ended(saver)?;
    target.is_unharmed()?;
    target.wait_more_lines(2)?;
    ensure!(saved, "the checkpoint has failed");
    target.kill()?;
    target.restart(&file)?;
    target.wait_more_lines(2)?;
    target.finish()
}

fn ended(mut saver: Child) -> Result<bool> {
    let status = wait_until(PATIENCE, || saver.try_wait().ok().flatten());
    let Some(status) = status else {
        fail!("ckptctl checkpoint does not end")
    };
    let mut told = String::new();
    if let Some(err) = saver.stderr.as_mut() {
        err.read_to_string(&mut told)?;
    }
    println!("{status}: {told}");
    Ok(status.success())
}

/// Processes with all that they have, before and after.
fn between(context: &Context) -> Result {
    let swap = Swap::on()?;
    let programs: [(&str, &[&str]); 3] = [("socket_pair", &[]), ("ipc_small", &[]), ("fd_events", &[])];
    let mut targets = Vec::new();
    for (program, args) in programs {
        let mut target: Target = Program::own(context, program)
            .args(args)
            .out(&context.path(program))
            .start()?;
        target.wait_ready()?;
        let file = context.path(&format!("{program}.ckpt"));
        target.checkpoint_kill(&file)?;
        targets.push((target, file));
    }
    swap.hibernate()?;
    for (target, file) in &mut targets {
        target.restart(file)?;
    }
    swap.hibernate()?;
    for (target, _) in &mut targets {
        target.finish()?;
    }
    Ok(())
}
