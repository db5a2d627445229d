// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Bad calls of the device, made by a program in C (`programs/hostile_ioctls.c`) with a target and a statefile.

use harness::process::{self, status_field, wait_until, PATIENCE};
use harness::{ensure, Context, Program, Result};
use rustix::process::Signal;

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

/// Whoever has let a restarted program go can do nothing more to it: it may have executed a setuid program since.
pub fn end_again(context: &Context) -> Result {
    let file = context.path("stopped.ckpt");
    let script = "import signal, time; signal.signal(signal.SIGUSR1, lambda *_: None); print('ready', flush=True)\n\
                  while True: time.sleep(1000)";
    let mut target = Program::command(context, &["python3", "-c", script]).start()?;
    target.wait_ready()?;
    process::signal(target.pid, Signal::STOP)?;
    let is_stopped = || status_field(target.pid, "State")?.starts_with('T').then_some(());
    ensure!(wait_until(PATIENCE, is_stopped).is_some(), "it does not stop");
    target.checkpoint_kill(&file)?;
    Program::own(context, "restart_end_again")
        .args(&[&file])
        .out(&context.path("again"))
        .start()?
        .wait_good_end()
}
