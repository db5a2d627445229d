// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A restart whose pid is in use is refused before anything is built, and says who has it.

use harness::ckptctl::{self, exit};
use harness::{Context, Program, Result};
use std::ffi::OsStr;

pub fn names_who_has_the_pid(context: &Context) -> Result {
    let file = context.path("running.ckpt");
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    target.checkpoint(&file)?;
    let done = ckptctl::run(&[OsStr::new("restart"), file.as_os_str()])?.expect(exit::PID_IN_USE)?;
    done.names(&[target.pid.to_string().as_str(), "tick"])?;
    target.is_unharmed()?;
    target.wait_more_lines(2)?;
    target.finish()
}
