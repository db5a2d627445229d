// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Bad calls of the device, made by a program in C (`programs/hostile_ioctls.c`) with a target and a statefile.

use harness::{Context, Program, Result};

pub fn bad_ioctls(context: &Context) -> Result {
    let inner = |name: &str| -> Result<Context> {
        let dir = context.path(name);
        std::fs::create_dir(&dir)?;
        Ok(Context::new(context.name(), &dir))
    };
    let file = context.path("tiny.ckpt");
    let mut tiny = Program::own(&inner("tiny")?, "tiny").start()?;
    tiny.wait_ready()?;
    tiny.checkpoint_kill(&file)?;
    let mut victim = Program::own(&inner("victim")?, "tick").start()?;
    victim.wait_ready()?;
    let words = [victim.pid.to_string(), file.display().to_string()];
    let mut caller = Program::own(&inner("caller")?, "hostile_ioctls")
        .args(&words)
        .patience(200)
        .start()?;
    let ended = caller.wait_good_end();
    // Every line names a call and its answer.
    if ended.is_err() {
        println!("{}", caller.output());
    }
    ended?;
    victim.is_unharmed()?;
    victim.wait_more_lines(2)?;
    victim.finish()
}
