// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind policy: what becomes of what cannot be saved, and programs that put it away.

use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::{ensure, Case, Context, Program, Result, Snapshot};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        Case::new("policy/devices_come_back_as_the_caller_says", devices),
        Case::new("policy/sockets_are_closed_for_their_peers", sockets),
        Case::new("policy/the_first_that_fits_decides", first_decides),
        Case::new("policy/wrong_ones_are_told", wrong),
        Case::new("policy/a_hook_puts_a_device_away", hook),
        Case::new("policy/a_hook_says_no", hook_says_no),
    ]
}

fn checkpoint(pid: i32, file: &Path, options: &[&str]) -> Result<ckptctl::Done> {
    let mut command = ckptctl::command(&["checkpoint", &pid.to_string(), "-o"]);
    ckptctl::finish(command.arg(file).args(options))
}

/// Without policies all is refused, and they say nothing about what can be saved.
fn devices(context: &Context) -> Result {
    let (file, policies) = (context.path("devices.ckpt"), context.path("policies"));
    fs::write(
        &policies,
        "# a comment\n\n/dev/cpu_dma_latency=replace:/dev/zero\n/dev/*=close\n",
    )?;
    let mut target = Program::own(context, "policy_device").start()?;
    target.wait_ready()?;
    let pid = target.pid.to_string();
    let names = ["kmsg", "cpu_dma_latency", "/dev/mem", "/dev/vga_arbiter"];
    ckptctl::run(&["check", &pid])?.expect(exit::REFUSED)?.names(&names)?;
    let policies = policies.to_string_lossy();
    let options = ["--policy", "/dev/vga_arbiter=kill", "--policies", &policies];
    let before = Snapshot::of_target(target.pid, false)?;
    let check = ckptctl::run(&[&["check", pid.as_str()], &options[..]].concat())?.expect(exit::DONE)?;
    check.names(&names).during("check")?;
    check.names(&["closed", "another file", "killed"]).during("check")?;
    checkpoint(target.pid, &file, &options)?
        .expect(exit::DONE)?
        .names(&names)?;
    before.expect(target.pid, Default::default())?;
    target.kill()?;
    target.restart(&file)?;
    target.finish()
}

/// Some sockets that cannot be saved are closed; others that have to do with them stay, and know it.
fn sockets(context: &Context) -> Result {
    let file = context.path("sockets.ckpt");
    let mut target = Program::own(context, "policy_socket").start()?;
    target.wait_ready()?;
    let pid = target.pid.to_string();
    ckptctl::run(&["check", &pid])?.expect(exit::REFUSED)?;
    for action in ["close", "replace:/dev/null"] {
        let policy = format!("socket:*={action}");
        checkpoint(target.pid, &file, &["--policy", &policy])?.expect(exit::DONE)?;
    }
    checkpoint(target.pid, &file, &["--policy", "socket:*=close", "--kill"])?.expect(exit::DONE)?;
    target.was_killed()?;
    target.restart(&file)?;
    target.finish()
}

fn first_decides(context: &Context) -> Result {
    let file = context.path("first.ckpt");
    let mut target = Program::own(context, "refuse").args(&["device_open"]).start()?;
    target.wait_ready()?;
    let refused = ["--policy", "/dev/k*g=refuse", "--policy", "*=close"];
    checkpoint(target.pid, &file, &refused)?.expect(exit::REFUSED)?;
    ensure!(!file.exists(), "there is a statefile");
    let closed = ["--policy", "/dev/kmsg?=refuse", "--policy", "*kms*=close"];
    checkpoint(target.pid, &file, &closed)?.expect(exit::DONE)?;
    target.is_unharmed()?;
    target.finish()
}

fn wrong(context: &Context) -> Result {
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    let pid = target.pid.to_string();
    for text in ["/dev/kmsg", "=close", "x=open", "x=replace:relative"] {
        ckptctl::run(&["check", &pid, "--policy", text])?.expect(exit::USAGE)?;
    }
    let file = context.path("policies");
    fs::write(&file, "x=close\n\nnonsense\n")?;
    let arguments: [OsString; 4] = ["check".into(), pid.into(), "--policies".into(), file.into()];
    ckptctl::run(&arguments)?.expect(exit::USAGE)?.names(&["line 3"])?;
    target.kill()
}

/// A hook that writes down what it is asked, and then does `action`.
fn script(context: &Context, name: &str, action: &str) -> Result<(PathBuf, PathBuf)> {
    let (path, log) = (context.path(name), context.path(&format!("{name}.log")));
    let text = format!(
        "#!/bin/sh\necho \"$1 $2 ${{CKPT_RESULT-}}\" >>{}\n{action}\n",
        log.display()
    );
    fs::write(&path, text)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok((path, log))
}

/// What stands in for the tool of an accelerator's driver: it has the program put the device away, and take it again.
pub fn tool(context: &Context) -> Result<(PathBuf, PathBuf, [PathBuf; 2])> {
    let told = [context.path("away"), context.path("back")];
    let [away, back] = told.each_ref().map(|path| path.display().to_string());
    let wait = |path: &str| format!("while [ ! -e {path} ]; do sleep 0.01; done; rm {path}");
    let action = format!(
        "case $1 in\npre-dump) kill -USR1 $2; {} ;;\nresume) [ \"$CKPT_RESULT\" = killed ] || {{ kill -USR2 $2; {}; }} ;;\n\
         restart) kill -USR2 $2; {} ;;\nesac",
        wait(&away),
        wait(&back),
        wait(&back),
    );
    let (path, log) = script(context, "tool", &action)?;
    Ok((path, log, told))
}

fn hook(context: &Context) -> Result {
    let file = context.path("hook.ckpt");
    let (tool, log, told) = tool(context)?;
    let mut target = Program::own(context, "policy_accelerator").args(&told).start()?;
    target.wait_ready()?;
    let pid = target.pid;
    let hook = ["--hook", &tool.to_string_lossy()];
    checkpoint(pid, &file, &[])?.expect(exit::REFUSED)?;
    checkpoint(pid, &file, &hook)?.expect(exit::DONE)?;
    checkpoint(pid, &file, &[&hook[..], &["--kill"]].concat())?.expect(exit::DONE)?;
    target.was_killed()?;
    let mut command = ckptctl::command(&["restart", "--detach"]);
    ckptctl::detached(command.args(hook).arg(&file))?;
    target.revived();
    let asked = fs::read_to_string(&log)?;
    let wanted = format!(
        "pre-dump {pid} \nfreeze {pid} \nresume {pid} running\npre-dump {pid} \nfreeze {pid} \nresume {pid} killed\n\
         restart {pid} \n"
    );
    ensure!(asked == wanted, "the hook was asked {asked:?}, not {wanted:?}");
    target.finish()
}

/// At each stage: the target goes on, no statefile is left, the hook is told, a restarted program does not run.
fn hook_says_no(context: &Context) -> Result {
    let file = context.path("no.ckpt");
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    let pid = target.pid;
    for stage in ["pre-dump", "freeze"] {
        let (no, log) = script(context, stage, &format!("[ $1 != {stage} ]"))?;
        let options = ["--kill", "--hook", &no.to_string_lossy()];
        checkpoint(pid, &file, &options)?
            .expect(exit::REFUSED)?
            .names(&[stage])?;
        ensure!(!file.exists(), "there is a statefile");
        let asked = fs::read_to_string(&log)?;
        let told = asked.ends_with(&format!("resume {pid} failed\n"));
        ensure!(told, "the hook was asked {asked:?} only");
        target.wait_more_lines(2)?;
    }
    target.checkpoint_kill(&file)?;
    let (no, _) = script(context, "restart", "[ $1 != restart ]")?;
    let mut command = ckptctl::command(&["restart", "--detach", "--hook"]);
    ckptctl::finish(command.arg(&no).arg(&file))?
        .expect(exit::REFUSED)?
        .names(&["restart"])?;
    ensure!(!harness::process::alive(pid), "the program goes on");
    harness::process::reap_zombies();
    target.restart(&file)?;
    target.wait_more_lines(2)?;
    target.finish()
}
