// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! tmux with a shell and an editor in its windows: the server is saved, and typed into by a client.

use harness::process::{self, wait_until, PATIENCE};
use harness::{ensure, Context, Program, Result};
use std::fs;
use std::process::Command;

/// Runs a command of the server.
fn tmux(context: &Context, words: &[&str]) -> Result<String> {
    let socket = context.path("socket").display().to_string();
    let done = Command::new("tmux").args(["-S", &socket]).args(words).output()?;
    ensure!(
        done.status.success(),
        "tmux {words:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Waits until a window shows a text.
fn shows(context: &Context, window: &str, text: &str) -> Result {
    let shown = || tmux(context, &["capture-pane", "-p", "-t", window]).unwrap_or_default();
    let there = wait_until(PATIENCE, || shown().contains(text).then_some(()));
    ensure!(
        there.is_some(),
        "window {window} does not show {text:?}, but {:?}",
        shown()
    );
    Ok(())
}

/// Saved with nobody attached, restarted, typed into, twice.
pub fn windows(context: &Context) -> Result {
    let file = context.path("tmux.ckpt");
    let (socket, shell) = (context.path("socket").display().to_string(), "bash --norc --noprofile");
    // In the foreground: its server does not become a daemon.
    let mut target = Program::command(context, &["tmux", "-f", "/dev/null", "-S", &socket, "-D"])
        .cwd(context.dir())
        .env("PS1", "> ")
        .start()?;
    // A client that came earlier would start a server of its own.
    let there = wait_until(PATIENCE, || context.path("socket").exists().then_some(()));
    ensure!(there.is_some(), "the server does not start");
    tmux(
        context,
        &["new-session", "-d", "-s", "s", "-x", "90", "-y", "30", shell],
    )?;
    // Where the window begins is the client's directory.
    let editor = format!("vim.tiny -u NONE -n {}", context.path("text").display());
    tmux(context, &["new-window", "-t", "s:1", &editor])?;
    tmux(
        context,
        &["send-keys", "-t", "s:0", "sleep 1000 &", "Enter", "tty", "Enter"],
    )?;
    shows(context, "s:0", "/dev/pts/")?;
    shows(context, "s:1", "[New File]")?;
    tmux(context, &["send-keys", "-t", "s:1", "ifirst li"])?;
    shows(context, "s:1", "first li")?;
    for round in ["one", "two"] {
        target.checkpoint(&file)?;
        target.checkpoint_kill(&file)?;
        target.restart(&file)?;
        tmux(
            context,
            &[
                "send-keys",
                "-t",
                "s:0",
                &format!("jobs; echo $(( 40+2 ))-{round}"),
                "Enter",
            ],
        )?;
        shows(context, "s:0", &format!("42-{round}"))?;
        shows(context, "s:0", "Running")?;
        tmux(context, &["send-keys", "-t", "s:1", &format!(" {round}")])?;
        shows(context, "s:1", round)?;
    }
    tmux(context, &["send-keys", "-t", "s:1", "Escape"])?;
    tmux(context, &["send-keys", "-t", "s:1", ":wq", "Enter"])?;
    let text = || fs::read_to_string(context.path("text")).unwrap_or_default();
    let written = wait_until(PATIENCE, || (text() == "first li one two\n").then_some(()));
    ensure!(written.is_some(), "the file has {:?}", text());
    let below = process::descendants(target.pid);
    tmux(context, &["kill-server"])?;
    process::wait_end(target.pid, PATIENCE)?;
    target.ended();
    // The shell hands the hangup on to its job.
    process::reap_orphans(&below)
}
