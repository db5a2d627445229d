// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Boots the test guest: for one command, a shell, the suite, the benchmarks or the demonstration.

mod initramfs;
mod klog;
mod ktap;
mod qemu;
mod suite;

use qemu::Machine;
use std::{path::PathBuf, process::ExitCode, time::Duration};

const USAGE: &str = "\
usage: runner --build DIR --kernel DIR [options] COMMAND
commands:
  guest CMD         run a shell command in the guest, exit with its status
  shell             an interactive shell in the guest
  test [PATTERN]    the suite: /ckpt/cases with one vCPU, in two guests at a time where there are two CPUs, then the group smp/ with
                    four vCPUs and the group pm/ in a guest that hibernates
  bench [PATTERN]   /ckpt/bench
  demo              /ckpt/demo
options:
  --share DIR       the host's directory at /host in the guest
  --smp N           vCPUs (1)
  --mem SIZE        memory (4G)
  --log FILE        where the kernel log goes (build/guest/console.log); FILE.BOOT of each boot of the suite
  --timeout SECONDS the whole boot's limit (none; test and bench: 2700)
  --no-module       do not load ckpt.ko";

struct Options {
    machine: Machine,
    timeout: Option<Duration>,
    command: String,
    argument: Option<String>,
}

fn parse(args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut machine = Machine::default();
    let mut timeout = None;
    let mut words = Vec::new();
    let mut args = args.peekable();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} wants a value"));
        match arg.as_str() {
            "--build" => machine.build = PathBuf::from(value()?),
            "--kernel" => machine.kernel = PathBuf::from(value()?),
            "--share" => machine.share = Some(PathBuf::from(value()?)),
            "--smp" => machine.smp = value()?.parse().map_err(|_| "--smp wants a number")?,
            "--mem" => machine.mem = value()?,
            "--log" => machine.log = Some(PathBuf::from(value()?)),
            "--timeout" => {
                let seconds = value()?.parse().map_err(|_| "--timeout wants seconds")?;
                timeout = Some(Duration::from_secs(seconds));
            }
            "--no-module" => machine.module = false,
            option if option.starts_with("--") => return Err(format!("unknown option {option}")),
            _ => words.push(arg),
        }
    }
    let mut words = words.into_iter();
    let command = words.next().ok_or("no command")?;
    let argument = words.next().filter(|a| !a.is_empty());
    if words.next().is_some() {
        return Err("too many arguments (quote the command)".into());
    }
    if machine.build.as_os_str().is_empty() || machine.kernel.as_os_str().is_empty() {
        return Err("--build and --kernel are needed".into());
    }
    Ok(Options {
        machine,
        timeout,
        command,
        argument,
    })
}

fn run(options: &Options) -> Result<u8, String> {
    let machine = &options.machine;
    let long = options.timeout.or(Some(Duration::from_secs(2700)));
    let pattern = options.argument.as_deref();
    match options.command.as_str() {
        "guest" => {
            let cmd = pattern.ok_or("guest wants a command")?;
            suite::command(machine, cmd, options.timeout)
        }
        "shell" => suite::shell(machine),
        "test" => suite::test(machine, pattern, long),
        "bench" => {
            let cmd = suite::with_pattern("/ckpt/bench", pattern);
            suite::command(machine, &cmd, long)
        }
        "demo" => suite::command(machine, "/ckpt/demo", long),
        other => Err(format!("unknown command {other}\n{USAGE}")),
    }
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("runner: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("runner: {error}");
            ExitCode::from(125)
        }
    }
}
