// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! What others do while a target with sockets is being saved.

use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::process::{wait_until, PATIENCE};
use harness::{ensure, Context, Program, Result, CKPTCTL};
use std::fs;
use std::io::{self, Read};
use std::process::{Command, Stdio};

/// What has come after the check is refused, as it would have been then; the target goes on.
pub fn refused(context: &Context) -> Result {
    refuse(context, "connect", "outside of the target waits").during("connect")?;
    refuse(context, "file", "a file was sent").during("file")
}

fn refuse(context: &Context, deed: &str, why: &str) -> Result {
    let dir = context.path(deed);
    fs::create_dir(&dir)?;
    let context = &Context::new(deed, &dir);
    let mut target = Program::own(context, "socket_open").start()?;
    target.wait_ready()?;
    let pid = target.pid.to_string();
    ckptctl::run(&["check", &pid])?.expect(exit::DONE)?;
    let mut writer = Command::new(CKPTCTL)
        .args(["checkpoint", &pid, "-o", "-", "--kill"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(context.path("said"))?)
        .spawn()?;
    let mut statefile = writer
        .stdout
        .take()
        .ok_or(io::ErrorKind::BrokenPipe)
        .map_err(io::Error::from)?;
    // It is written when all has been checked; the rest does not fit into the pipe.
    statefile.read_exact(&mut [0])?;
    let mut outsider = Program::own(context, "socket_open").args(&[deed]);
    outsider = outsider.out(&context.path("outsider"));
    let mut outsider = outsider.start()?;
    outsider.wait_ready()?;
    io::copy(&mut statefile, &mut io::sink())?;
    let status = wait_until(PATIENCE, || writer.try_wait().ok().flatten());
    let code = status.and_then(|status| status.code());
    let said = fs::read_to_string(context.path("said"))?;
    ensure!(code == Some(exit::REFUSED), "it ended with {code:?}: {said}");
    ensure!(said.contains(why), "it said {said:?}");
    target.is_unharmed()?;
    target.wait_more_lines(2)?;
    outsider.kill()?;
    target.finish()
}
