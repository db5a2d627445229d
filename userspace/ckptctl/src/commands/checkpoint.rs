// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! `ckptctl checkpoint`: save processes.

use crate::cli::Checkpoint;
use crate::exit::{Exit, Failed};
use crate::hook::Asked;
use crate::output::{comm, message_json, Output};
use crate::place::Place;
use crate::text::{bytes, count, milliseconds};
use libckpt::device::pidfd_open;
use libckpt::{
    checkpoint_frozen, checkpoint_own, checkpoint_with, enter_user_namespace_of, is_in_namespace_of, After,
    CheckpointOptions, Checkpointed, Outcome, Scope, Target,
};
use rustix::fd::AsFd;
use rustix::process::{getppid, set_parent_process_death_signal, Signal};
use serde_json::json;

pub fn run(args: &Checkpoint, output: &Output) -> Result<Exit, Failed> {
    if let Some(parent) = args.tied {
        die_with(parent)?;
    }
    let pid = args.who.pid()?;
    let pidfd = pidfd_open(pid)?;
    let comm = comm(pid);
    if args.target.scope(&args.who) == Scope::Container && is_in_namespace_of(pidfd.as_fd()) {
        drop(pidfd);
        return from_inside(args, pid, &comm, output);
    }
    let policies = args.policies.read()?;
    let place = Place::open(&args.output)?;
    enter_user_namespace_of(pid, pidfd.as_fd(), args.target.scope(&args.who));
    // The place is used up by the commit, but the kernel needs it before.
    let file = place
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| Failed::io("cannot duplicate a descriptor", error))?;
    let after = match (args.kill, args.stop) {
        (true, _) => After::Kill,
        (_, true) => After::Stop,
        _ => After::Resume,
    };
    let options = CheckpointOptions {
        scope: args.target.scope(&args.who),
        after,
        timeout: Some(args.timeout),
        files: args.with_files.unwrap_or_default(),
        policies,
    };
    let target = Target::PidFd(pidfd.as_fd());
    let done = if args.hook.is_empty() {
        checkpoint_with(target, &file, &options, |_| place.commit())?
    } else {
        let hooks = Asked::pre_dump(&args.hook, pid, &args.output, output)?;
        let done = checkpoint_frozen(target, &file, &options, Some(|| hooks.frozen()), |_| place.commit())?;
        hooks.end(state(after));
        done
    };
    report(args, pid, &comm, after, &done, output)?;
    Ok(Exit::Done)
}

/// Saves a container that this command is part of: it comes back with the container, has nothing to do then, and has neither the
/// statefile nor a pidfd open.
fn from_inside(args: &Checkpoint, pid: u32, comm: &str, output: &Output) -> Result<Exit, Failed> {
    if args.kill || args.stop || !args.hook.is_empty() {
        return Err(Failed::Usage(
            "this command is part of the container: it cannot end or stop it, nor ask hooks".into(),
        ));
    }
    let options = CheckpointOptions {
        scope: Scope::Container,
        timeout: Some(args.timeout),
        files: args.with_files.unwrap_or_default(),
        policies: args.policies.read()?,
        ..CheckpointOptions::default()
    };
    let place = Place::open(&args.output)?;
    if !place.is_nameless() {
        return Err(Failed::Refused(format!(
            "{}: from inside, a container is saved into a regular file only, where the file system has O_TMPFILE",
            args.output.display()
        )));
    }
    match checkpoint_own(&place, &options)? {
        Outcome::Saved(done) => {
            place.commit()?;
            report(args, pid, comm, After::Resume, &done, output)?;
        }
        Outcome::Restarted => {}
    }
    Ok(Exit::Done)
}

/// Whoever has started this command wants nothing from it after its own death. Its pid comes from itself: asked for here, it
/// would be that of whoever has adopted this command since. The adopter is older than this command, so that it cannot have got
/// the pid anew.
fn die_with(parent: u32) -> Result<(), Failed> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|errno| Failed::io("cannot tie this command to its parent", errno))?;
    if getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs()) != Some(parent) {
        return Err(Failed::Refused("its parent has died".into()));
    }
    Ok(())
}

/// What has become of the target, in a word.
fn state(after: After) -> &'static str {
    match after {
        After::Resume => "running",
        After::Stop => "stopped",
        After::Kill => "killed",
    }
}

fn report(
    args: &Checkpoint,
    pid: u32,
    comm: &str,
    after: After,
    done: &Checkpointed,
    output: &Output,
) -> Result<(), Failed> {
    output.warnings(&done.warnings);
    let sentence = match after {
        After::Resume => "it goes on",
        After::Stop => "it is stopped",
        After::Kill => "it is killed",
    };
    if output.is_json() {
        return output.result(
            true,
            json!({
                "pid": pid,
                "comm": comm,
                "file": args.output.to_string_lossy(),
                "bytes": done.bytes,
                "records": done.records,
                "pages": done.pages,
                "tasks": done.tasks,
                "frozen_ms": milliseconds(done.frozen),
                "dump_ms": milliseconds(done.dump),
                "target": state(after),
                "messages": done.warnings.iter().map(message_json).collect::<Vec<_>>(),
            }),
        );
    }
    output.say(&format!(
        "{} {comm}: saved {}, {}, frozen {:.3} ms, dump {:.3} ms; {sentence}",
        pid,
        bytes(done.bytes),
        count(done.pages, "page"),
        milliseconds(done.frozen),
        milliseconds(done.dump),
    ));
    output.detail(&format!(
        "{}, {} records, {} bytes",
        count(done.tasks, "task"),
        done.records,
        done.bytes
    ));
    Ok(())
}
