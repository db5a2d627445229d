// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! `ckptctl check`: everything that stands in the way of saving a process.

use crate::cli::Check;
use crate::exit::{Exit, Failed};
use crate::output::{comm, message_json, Output};
use crate::text::count;
use libckpt::device::pidfd_open;
use libckpt::Session;
use rustix::fd::AsFd;
use serde_json::json;

pub fn run(args: &Check, output: &Output) -> Result<Exit, Failed> {
    let pid = args.who.pid()?;
    let pidfd = pidfd_open(pid)?;
    libckpt::enter_user_namespace_of(pid, pidfd.as_fd(), args.target.scope(&args.who));
    let session = Session::open()?;
    session.attach(pidfd.as_fd(), args.target.scope(&args.who))?;
    session.set_policies(&args.policies.read()?)?;
    let result = session.check()?;
    let messages = session.messages();
    let free = result.obstacles == 0;
    if output.is_json() {
        let document = json!({
            "pid": pid,
            "comm": comm(pid),
            "tasks": result.tasks,
            "obstacles": result.obstacles,
            "messages": messages.iter().map(message_json).collect::<Vec<_>>(),
        });
        output.result(free, document)?;
    }
    output.errors(&messages);
    let (pid, comm, tasks) = (pid, comm(pid), count(result.tasks, "task"));
    if free {
        output.say(&format!("{pid} {comm}: can be saved ({tasks})"));
        return Ok(Exit::Done);
    }
    output.say(&format!(
        "{pid} {comm}: cannot be saved: {} obstacles",
        result.obstacles
    ));
    Ok(Exit::Refused)
}
