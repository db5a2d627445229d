// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! `ckptctl restart`: bring saved processes back.

use crate::cli::Restart;
use crate::exit::{Exit, Failed};
use crate::hook::{ask, Stage};
use crate::output::{message_json, Output};
use crate::text::{count, milliseconds};
use libckpt::device::{die_by, pidfd_open};
use libckpt::{is_job, Ended, Placement, RestartOptions, Restarted, Scope, Session, Stdio};
use rustix::fd::{AsFd, OwnedFd};
use serde_json::json;
use std::fs::File;
use std::path::{Path, PathBuf};

pub fn run(args: &Restart, output: &Output) -> Result<Exit, Failed> {
    let from_stdin = args.file.as_os_str() == "-";
    let stdio = match &args.stdio {
        // The statefile was its standard input.
        Stdio::Inherit if from_stdin => Stdio::InheritOutput,
        stdio => stdio.clone(),
    };
    let placement = if args.detach {
        Placement::Detached
    } else {
        Placement::Foreground
    };
    let options = RestartOptions {
        stdio,
        placement,
        changed_files: args.changed_files,
        new_pidns: args.new_pidns,
        new_userns: args.new_userns,
        job: false,
        unverified: false,
        external: args.external.clone(),
    };
    let file = open(&args.file, from_stdin)?;
    let mut program = libckpt::restart(&file, &options)?;
    drop(file);
    asked(&args.hook, program.pid(), &args.file)?;
    report(&program, args.detach, output)?;
    if args.detach {
        return Ok(Exit::Done);
    }
    let ended = program.wait_in_foreground()?;
    if let Ended::Signaled(signal) = ended {
        output.detail(&format!("{} was ended by signal {signal}", program.pid()));
        die_by(signal);
    }
    Ok(Exit::Program(
        u8::try_from(ended.shell_status() & 0xff).unwrap_or(u8::MAX),
    ))
}

/// Asks the hooks to fetch what the kernel has not saved. A program that has to do without is killed.
pub fn asked(hooks: &[PathBuf], pid: u32, file: &Path) -> Result<(), Failed> {
    ask(hooks, Stage::Restart, pid, file, None).map_err(|failed| {
        let killed = pidfd_open(pid).and_then(|pidfd| {
            let session = Session::open()?;
            session.attach(pidfd.as_fd(), if is_job(pid) { Scope::Job } else { Scope::Tree })?;
            session.kill()
        });
        match killed {
            Ok(()) => failed,
            Err(error) => Failed::Refused(format!("{failed}; and {pid} goes on: {error}")),
        }
    })
}

fn open(path: &Path, from_stdin: bool) -> Result<OwnedFd, Failed> {
    if !from_stdin {
        let file = File::open(path).map_err(|error| Failed::io(format!("cannot open {}", path.display()), error))?;
        return Ok(file.into());
    }
    let stdin = rustix::stdio::stdin();
    if rustix::termios::isatty(stdin) {
        return Err(Failed::Usage("will not read a statefile from a terminal".into()));
    }
    let _ = rustix::pipe::fcntl_setpipe_size(stdin, 1 << 20);
    stdin
        .try_clone_to_owned()
        .map_err(|error| Failed::io("cannot duplicate a descriptor", error))
}

fn report(program: &Restarted, detached: bool, output: &Output) -> Result<(), Failed> {
    output.warnings(&program.warnings);
    if output.is_json() {
        return output.result(
            true,
            json!({
                "pid": program.pid(),
                "tasks": program.tasks,
                "bytes": program.bytes,
                "restart_ms": milliseconds(program.duration),
                "messages": program.warnings.iter().map(message_json).collect::<Vec<_>>(),
            }),
        );
    }
    let (pid, tasks, time) = (
        program.pid(),
        count(program.tasks, "task"),
        milliseconds(program.duration),
    );
    output.detail(&format!("{pid} goes on ({tasks}, restored in {time:.3} ms)"));
    if detached {
        output.data(format!("{pid}\n").as_bytes())?;
    }
    Ok(())
}
