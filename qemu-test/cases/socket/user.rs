// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A user without privilege brings back programs with sockets, also what others of the tree have sent.

use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::user::{through, CHOOSES_PIDS, NOBODY};
use harness::{Context, Program, Result, CKPTCTL};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{chown, PermissionsExt};

const PROGRAMS: &[&str] = &[
    "socket_pair",
    "socket_tree",
    "socket_named",
    "socket_waiting",
    "socket_rights",
    "socket_datagrams",
];

/// Nobody restarts them, with the one capability that choosing pids needs.
pub fn restarts(context: &Context) -> Result {
    let device = libckpt::uapi::ioctl::DEVICE;
    fs::set_permissions(device, fs::Permissions::from_mode(0o666))?;
    for name in PROGRAMS {
        restart(context, name).during(name)?;
    }
    Ok(())
}

fn restart(context: &Context, name: &str) -> Result {
    let dir = context.path(name);
    fs::create_dir(&dir)?;
    chown(&dir, Some(65534), Some(65534))?;
    let context = Context::new(name, &dir);
    let file = context.path("own.ckpt");
    let mut target = Program::own(&context, name).through(NOBODY).cwd(&dir).start()?;
    target.wait_ready()?;
    target.checkpoint_kill(&file)?;
    for name in ["out", "err", "own.ckpt"] {
        fs::set_permissions(context.path(name), fs::Permissions::from_mode(0o666))?;
    }
    let mut command = through(&[NOBODY, CHOOSES_PIDS], &[CKPTCTL]);
    let args = [OsStr::new("restart"), file.as_os_str(), OsStr::new("--detach")];
    ckptctl::finish(command.args(args))?.expect(exit::DONE)?;
    target.revived();
    target.finish()
}
