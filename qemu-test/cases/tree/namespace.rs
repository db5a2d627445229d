// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Restarts in a fresh pid namespace.

use harness::case::During;
use harness::ckptctl;
use harness::process::{self, descendants, wait_until, PATIENCE};
use harness::{ensure, Context, Program, Result};
use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt;

/// Beside the living family there is a copy of it, with the same pids in a namespace of its own. Both end well.
pub fn copy(context: &Context) -> Result {
    let file = context.path("family.ckpt");
    let mut target = Program::own(context, "tree_family").args(&["3", "2"]).start()?;
    target.wait_ready()?;
    target.checkpoint(&file)?;
    let mut restart = ckptctl::restart_foreground(&file, &["--new-pidns"])?;
    let seen = wait_until(PATIENCE, || {
        // Below ckptctl: init, the root, and its nine descendants.
        (descendants(restart.id() as i32).len() == 11).then(|| descendants(restart.id() as i32))
    });
    let Some(below) = seen else {
        harness::fail!("the copy is not there: {:?}", restart.try_wait()?)
    };
    let inner = process::status_field(below[1], "NSpid").unwrap_or_default();
    ensure!(
        inner.split_whitespace().last() == Some(&target.pid.to_string()),
        "the root of the copy has the pids {inner}"
    );
    target.finish().during("the original")?;
    let status = wait_until(PATIENCE, || restart.try_wait().ok().flatten());
    ensure!(
        status.is_some_and(|status| status.success()),
        "the copy ended with {status:?}"
    );
    let gone = wait_until(PATIENCE, || {
        below.iter().all(|pid| !process::exists(*pid)).then_some(())
    });
    ensure!(gone.is_some(), "somebody of the copy is left");
    Ok(())
}

/// Whoever has no privilege gets the pids in a user namespace. The device and the statefile are made accessible before.
pub fn ordinary_user(context: &Context) -> Result {
    const USER: &[&str] = &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let file = context.path("tick.ckpt");
    let mut target = Program::own(context, "tick").args(&["0"]).through(USER).start()?;
    target.wait_ready()?;
    target.checkpoint(&file)?;
    let device = libckpt::uapi::ioctl::DEVICE;
    // What the harness has opened for it.
    let [out, err] = ["out", "err"].map(|name| context.path(name));
    for (path, mode) in [
        (device.as_ref(), 0o666),
        (file.as_path(), 0o644),
        (out.as_path(), 0o666),
        (err.as_path(), 0o666),
    ] {
        rustix::fs::chmod(path, rustix::fs::Mode::from_raw_mode(mode))?;
    }
    let mut words: Vec<&str> = USER.to_vec();
    let name = file.to_string_lossy();
    words.extend([harness::CKPTCTL, "restart", "--new-pidns", &name]);
    let mut restart = std::process::Command::new(words[0]).args(&words[1..]).spawn()?;
    let result = target.wait_more_lines_of_other_process(4);
    target.finish().during("the original")?;
    let status = wait_until(PATIENCE, || restart.try_wait().ok().flatten());
    rustix::fs::chmod(device, rustix::fs::Mode::from_raw_mode(0o600))?;
    result?;
    ensure!(
        status.is_some_and(|status| status.success()),
        "the copy ended with {status:?}"
    );
    Ok(())
}

/// A signal to init goes to the program, and ckptctl ends by what ended that.
pub fn signals_and_status(context: &Context) -> Result {
    let file = context.path("tick.ckpt");
    let mut target = Program::own(context, "tick").args(&["43"]).start()?;
    target.wait_ready()?;
    target.checkpoint_kill(&file)?;
    for signal in [None, Some(Signal::TERM)] {
        let mut restart = ckptctl::restart_foreground(&file, &["--new-pidns"])?;
        target.wait_more_lines_of_other_process(2)?;
        let below = descendants(restart.id() as i32);
        ensure!(
            below.len() == 2,
            "there are other processes than init and the program: {below:?}"
        );
        match signal {
            Some(signal) => process::signal(below[0], signal)?,
            None => target.go()?,
        }
        let status = wait_until(PATIENCE, || restart.try_wait().ok().flatten());
        let seen = status.map(|status| (status.code(), status.signal()));
        let wanted = match signal {
            Some(_) => (None, Some(libc::SIGTERM)),
            None => (Some(43), None),
        };
        ensure!(seen == Some(wanted), "ckptctl restart ended with {status:?}");
        let _ = std::fs::remove_file(context.path("go"));
    }
    Ok(())
}
