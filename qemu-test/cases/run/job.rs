// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! `ckptctl run` as a child, with files for its output.

use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::process::{self, descendants, wait_end, wait_until, Ended, PATIENCE};
use harness::{ensure, fail, Context, Result, CKPTCTL, PROGRAMS};
use rustix::process::Signal;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Exit status of a job that is to be queued again.
pub const REQUEUE: i32 = 85;

pub use harness::user::NOBODY;

/// How `ckptctl run` is to be called.
pub struct Call<'a> {
    context: &'a Context,
    through: &'a [&'a str],
    options: Vec<String>,
    command: Vec<String>,
    out: PathBuf,
}

impl<'a> Call<'a> {
    /// For one of the suite's programs, or a command whose first word has a slash.
    pub fn new(context: &'a Context, command: &[&str]) -> Self {
        let mut command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        if !command[0].contains('/') {
            command[0] = format!("{PROGRAMS}/{}", command[0]);
        }
        Self {
            context,
            through: &[],
            options: Vec::new(),
            command,
            out: context.path("out"),
        }
    }

    #[must_use]
    pub fn options(mut self, options: &[&str]) -> Self {
        self.options.extend(options.iter().map(|word| (*word).to_owned()));
        self
    }

    /// With this statefile.
    #[must_use]
    pub fn file(self, file: &Path) -> Self {
        self.options(&["-o", &file.to_string_lossy()])
    }

    /// Started by another command.
    #[must_use]
    pub fn through(mut self, words: &'a [&'a str]) -> Self {
        self.through = words;
        self
    }

    /// With another file for its output.
    #[must_use]
    pub fn out(mut self, name: &str) -> Self {
        self.out = self.context.path(name);
        self
    }

    pub fn to_command(&self) -> Command {
        let words: Vec<&OsStr> = self
            .through
            .iter()
            .map(OsStr::new)
            .chain([OsStr::new(CKPTCTL)])
            .collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg("run").args(&self.options).arg("--");
        command.args(&self.command).current_dir(self.context.dir());
        command
            .env("CKPT_GO", self.context.path("go"))
            .env_remove("XDG_RUNTIME_DIR");
        command
    }

    /// Starts it, as the leader of a process group.
    pub fn start(&self) -> Result<Run> {
        let open = |path: &Path| -> Result<File> {
            let file = File::options().append(true).create(true).open(path)?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
            Ok(file)
        };
        let err = self.out.with_extension("err");
        let mut command = self.to_command();
        command.stdin(File::open("/dev/null")?);
        command.stdout(open(&self.out)?).stderr(open(&err)?).process_group(0);
        #[allow(clippy::zombie_processes, reason = "it is reaped by its pid")]
        let child = command.spawn().during("ckptctl run")?;
        Ok(Run {
            pid: child.id() as i32,
            out: self.out.clone(),
            err,
            gone: false,
        })
    }
}

/// A running `ckptctl run`, killed when this is dropped.
pub struct Run {
    pub pid: i32,
    out: PathBuf,
    err: PathBuf,
    gone: bool,
}

impl Run {
    /// The complete lines of the job.
    pub fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.out).unwrap_or_default();
        let end = text.rfind('\n').map_or(0, |end| end + 1);
        text[..end].lines().map(str::to_owned).collect()
    }

    /// What ckptctl says.
    pub fn says(&self) -> String {
        fs::read_to_string(&self.err).unwrap_or_default()
    }

    pub fn trouble(&self) -> String {
        let lines = self.lines();
        let tail = &lines[lines.len().saturating_sub(5)..];
        format!("{}; {tail:?}; {}", process::describe(self.pid), self.says())
    }

    pub fn wait_for<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> Result<T> {
        match wait_until(PATIENCE, || look(self)) {
            Some(value) => Ok(value),
            None => fail!("no {what}: {}", self.trouble()),
        }
    }

    /// Waits for a line of the job.
    pub fn wait_line(&self, line: &str) -> Result {
        self.wait_for(line, |run| run.lines().iter().any(|have| have == line).then_some(()))
    }

    /// Waits for some lines more than there are.
    pub fn wait_more_lines(&self, count: usize) -> Result {
        let wanted = self.lines().len() + count;
        self.wait_for("further output", |run| (run.lines().len() >= wanted).then_some(()))
    }

    /// Waits until ckptctl says something.
    pub fn wait_says(&self, text: &str) -> Result {
        self.wait_for(text, |run| run.says().contains(text).then_some(()))
    }

    pub fn signal(&self, signal: Signal) -> Result {
        process::signal(self.pid, signal)
    }

    /// The first process of the job.
    pub fn job(&self) -> Result<i32> {
        let is_helper = |pid: i32| {
            let name = process::status_field(pid, "Name").unwrap_or_default();
            name.starts_with("ckpt")
        };
        self.wait_for("job", |run| {
            descendants(run.pid).into_iter().find(|pid| !is_helper(*pid))
        })
    }

    /// Waits for its end.
    pub fn end(&mut self) -> Result<Ended> {
        let ended = wait_end(self.pid, PATIENCE).during("ckptctl run")?;
        self.gone = true;
        Ok(ended)
    }

    pub fn expect(&mut self, wanted: Ended) -> Result {
        let ended = self.end()?;
        ensure!(
            ended == wanted,
            "ckptctl run: {ended:?}, not {wanted:?}: {}",
            self.trouble()
        );
        Ok(())
    }

    pub fn expect_exit(&mut self, status: i32) -> Result {
        self.expect(Ended::Exited(status))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.gone {
            let _ = process::signal(self.pid, Signal::KILL);
            let _ = wait_end(self.pid, PATIENCE);
        }
    }
}

/// The statefile is sound, and there is nothing beside it but what is known.
pub fn is_sound(file: &Path) -> Result {
    ckptctl::run(&[OsStr::new("inspect"), file.as_os_str()])?.expect(exit::DONE)?;
    Ok(())
}

/// Tells the job to end.
pub fn go(context: &Context) -> Result {
    Ok(fs::write(context.path("go"), "")?)
}

/// The numbers that `tick` has printed follow each other, except for those printed after a checkpoint and again: then they go
/// back. Gives the last one.
pub fn last_number(lines: &[String]) -> u32 {
    lines.iter().rev().find_map(|line| line.parse().ok()).unwrap_or(0)
}
