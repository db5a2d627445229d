// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Open files that are not what they were when the program is restarted.

use harness::ckptctl::{self, exit};
use harness::process::exists;
use harness::{ensure, Context, Program, Result};
use std::ffi::OsStr;
use std::fs;

/// A file has been replaced by another one of the same content: a warning that names it, an error if that is wanted, or nothing.
pub fn replaced(context: &Context) -> Result {
    let file = context.path("replaced.ckpt");
    let mut target = Program::own(context, "file_flock").start()?;
    target.wait_ready()?;
    target.checkpoint_kill(&file)?;
    fs::copy(context.path("shared"), context.path("copy"))?;
    fs::rename(context.path("copy"), context.path("shared"))?;
    let restart = |how: &str| {
        let how = format!("--changed-files={how}");
        let args = ["restart", "--detach", &how].map(OsStr::new);
        let mut command = ckptctl::command(&args);
        ckptctl::finish(command.arg(&file))
    };
    let done = restart("refuse")?.expect(exit::FAILED)?;
    done.names(&["shared", "replaced"])?;
    ensure!(!exists(target.pid), "a failed restart has left a process");
    for (how, warned) in [("ignore", false), ("warn", true)] {
        let done = restart(how)?.expect(exit::DONE)?;
        let says = done.names(&["shared", "replaced"]).is_ok();
        ensure!(says == warned, "{how}: {}", done.err);
        target.revived();
        if !warned {
            target.checkpoint_kill(&context.path("again.ckpt"))?;
        }
    }
    target.finish()
}
