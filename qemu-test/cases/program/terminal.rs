// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A shell with job control, and an editor, in the terminal that script(1) has made for them: they are typed into.

use harness::process::{self, wait_until, Ended, PATIENCE};
use harness::{ensure, Context, Program, Result, Target};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// script(1), which takes what is typed from a FIFO that it holds both ends of.
struct Session {
    target: Target,
    keys: PathBuf,
    /// How many commands have been waited for.
    marks: usize,
}

impl Session {
    fn start(context: &Context) -> Result<Self> {
        let keys = context.path("keys");
        let made = Command::new("mkfifo").arg(&keys).status()?;
        ensure!(made.success(), "mkfifo: {made}");
        let shell = "exec bash --norc --noprofile -i";
        let script = format!("exec script -qfc '{shell}' /dev/null <>'{}'", keys.display());
        let target = Program::command(context, &["sh", "-c", &script])
            .cwd(context.dir())
            .env("TERM", "vt100")
            .env("PS1", "> ")
            .start()?;
        let mut session = Self { target, keys, marks: 0 };
        session.command("stty -echo")?;
        Ok(session)
    }

    fn keys(&self, text: &str) -> Result {
        Ok(fs::write(&self.keys, text)?)
    }

    /// Waits until the terminal shows a text, at the end of a line or not.
    fn shows(&self, text: &str) -> Result {
        let shown = || self.target.output().contains(text).then_some(());
        ensure!(
            wait_until(PATIENCE, shown).is_some(),
            "it does not show {text:?}, but {:?}",
            self.target.output()
        );
        Ok(())
    }

    /// Types a command, and waits until it has ended.
    fn command(&mut self, text: &str) -> Result {
        self.marks += 1;
        // What is shown is not what is typed.
        let (ten, one) = (self.marks / 10, self.marks % 10);
        self.keys(&format!("{text}; echo end-$((0+{ten}))$((0+{one}))-of\n"))?;
        self.shows(&format!("end-{ten}{one}-of"))
    }

    /// Waits until the shell has given the terminal away.
    fn wait_foreground(&self) -> Result {
        self.wait_terminal(false)
    }

    /// Waits until the terminal is the shell's, or another job's.
    fn wait_terminal(&self, shells: bool) -> Result {
        let there = wait_until(PATIENCE, || {
            let shell = *process::children(self.target.pid).first()?;
            let stat = fs::read_to_string(format!("/proc/{shell}/stat")).ok()?;
            // Behind the name: state, parent, group, session, terminal, its foreground group.
            let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
            ((fields.get(2) == fields.get(5)) == shells).then_some(())
        });
        ensure!(there.is_some(), "the terminal is still another's");
        Ok(())
    }

    fn save_and_restart(&mut self, context: &Context) -> Result {
        let file = context.path("terminal.ckpt");
        self.target.checkpoint(&file)?;
        self.target.checkpoint_kill(&file)?;
        self.target.restart(&file)
    }

    /// Ends the shell, and script(1) with its status.
    fn end(mut self) -> Result {
        self.command("jobs")?;
        self.keys("exit 0\n")?;
        let ended = process::wait_end(self.target.pid, PATIENCE)?;
        self.target.ended();
        ensure!(ended == Ended::Exited(0), "script has ended with {ended:?}");
        Ok(())
    }
}

/// A job in the background, one that is stopped, and one in the foreground that is typed into.
pub fn job_control(context: &Context) -> Result {
    let mut session = Session::start(context)?;
    session.command("tty; sleep 1000 & echo job $((20+1))")?;
    session.shows("job 21")?;
    session.keys("cat >kept\n")?;
    session.keys("before\n")?;
    session.wait_foreground()?;
    wait_file(context, "before\n")?;
    session.keys("half a ")?;
    session.save_and_restart(context)?;
    session.keys("line\n")?;
    wait_file(context, "before\nhalf a line\n")?;
    session.keys("\x1a")?;
    session.shows("Stopped")?;
    session.save_and_restart(context)?;
    session.command("jobs; tty")?;
    session.shows("Running")?;
    session.keys("fg %2\n")?;
    session.wait_foreground()?;
    session.keys("after\n\x04")?;
    session.command("echo with $?")?;
    session.shows("with 0")?;
    wait_file(context, "before\nhalf a line\nafter\n")?;
    // In the foreground, it gets what ^C sends; the one in the background does not.
    session.keys("sleep 1001\n")?;
    session.wait_foreground()?;
    session.save_and_restart(context)?;
    session.keys("\x03")?;
    session.command("echo interrupted $?; jobs")?;
    session.shows("interrupted 130")?;
    session.command("kill %1; wait %1; echo ended $?")?;
    session.shows("ended 143")?;
    session.end()
}

/// Waits until cat has written what was typed.
fn wait_file(context: &Context, text: &str) -> Result {
    let kept = || fs::read_to_string(context.path("kept")).unwrap_or_default();
    let there = wait_until(PATIENCE, || (kept() == text).then_some(()));
    ensure!(there.is_some(), "cat has written {:?}", kept());
    Ok(())
}

/// An editor in the middle of a word.
pub fn editor(context: &Context) -> Result {
    let mut session = Session::start(context)?;
    session.command("stty rows 30 cols 90")?;
    session.keys("vim.tiny -u NONE -n text\n")?;
    session.wait_foreground()?;
    session.keys("ifirst li")?;
    session.shows("first li")?;
    session.save_and_restart(context)?;
    session.keys("ne\nsecond line")?;
    session.shows("second line")?;
    session.save_and_restart(context)?;
    session.keys("\x1b:wq\n")?;
    session.wait_terminal(true)?;
    session.command("echo left with $?")?;
    session.shows("left with 0")?;
    let text = fs::read_to_string(context.path("text"))?;
    ensure!(text == "first line\nsecond line\n", "the file has {text:?}");
    session.end()
}
