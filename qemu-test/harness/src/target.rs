// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Programs that are saved: starting them, waiting for what they say, telling them to check themselves.

use crate::case::During;
use crate::ckptctl::{self, After};
use crate::process::{self, alive, describe, ended, wait_end, wait_until, Ended, PATIENCE};
use crate::{ensure, fail, skip, Context, Result, PROGRAMS};
use rustix::process::Signal;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Exit status of a program that cannot do its work on this machine.
const SKIPPED: i32 = 77;

/// A program that is yet to be started. Its standard input is /dev/null, its output goes to files.
#[derive(Debug)]
pub struct Program {
    dir: PathBuf,
    words: Vec<OsString>,
    env: Vec<(String, String)>,
    cwd: PathBuf,
    stdin: Option<PathBuf>,
    out: PathBuf,
    err: PathBuf,
    patience: Duration,
}

impl Program {
    /// One of the suite's own programs.
    pub fn own(context: &Context, name: &str) -> Self {
        Self::command(context, &[format!("{PROGRAMS}/{name}")])
    }

    /// Any command.
    pub fn command(context: &Context, words: &[impl AsRef<OsStr>]) -> Self {
        Self {
            dir: context.dir().to_owned(),
            words: words.iter().map(|word| word.as_ref().to_owned()).collect(),
            env: Vec::new(),
            cwd: context.dir().to_owned(),
            stdin: None,
            out: context.path("out"),
            err: context.path("err"),
            patience: PATIENCE,
        }
    }

    /// With further arguments.
    #[must_use]
    pub fn args(mut self, args: &[impl AsRef<OsStr>]) -> Self {
        self.words.extend(args.iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Started by another command (setpriv, unshare, strace, ...), given with its arguments.
    #[must_use]
    pub fn through(mut self, words: &[impl AsRef<OsStr>]) -> Self {
        self.words
            .splice(0..0, words.iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// With an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// In another working directory.
    #[must_use]
    pub fn cwd(mut self, dir: &Path) -> Self {
        self.cwd = dir.to_owned();
        self
    }

    /// With a file as standard input.
    #[must_use]
    pub fn stdin(mut self, file: &Path) -> Self {
        self.stdin = Some(file.to_owned());
        self
    }

    /// With another file for its output.
    #[must_use]
    pub fn out(mut self, file: &Path) -> Self {
        self.out = file.to_owned();
        self
    }

    /// With another file for its errors.
    #[must_use]
    pub fn err(mut self, file: &Path) -> Self {
        self.err = file.to_owned();
        self
    }

    /// For a program that takes long until it says something.
    #[must_use]
    pub fn patience(mut self, seconds: u64) -> Self {
        self.patience = Duration::from_secs(seconds);
        self
    }

    /// The command as it would be started, with the standard descriptors still to be chosen.
    pub fn to_command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).current_dir(&self.cwd).env_clear();
        command
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("LANG", "C.UTF-8");
        command
            .env("CKPT_GO", self.dir.join("go"))
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts it.
    pub fn start(&self) -> Result<Target> {
        let create = |path: &Path| -> Result<File> {
            File::options()
                .write(true)
                .create(true)
                .truncate(true)
                .open(path)
                .during(path.display())
        };
        let stdin = self.stdin.as_deref().unwrap_or(Path::new("/dev/null"));
        let mut command = self.to_command();
        command
            .stdin(File::open(stdin)?)
            .stdout(create(&self.out)?)
            .stderr(create(&self.err)?);
        self.start_with(&mut command)
    }

    /// Starts a command made by [`Program::to_command`]; its output is looked for in this program's output file.
    pub fn start_with(&self, command: &mut Command) -> Result<Target> {
        // The child is reaped by its pid, as the restarted programs are.
        #[allow(clippy::zombie_processes)]
        let child = command.spawn().during(format!("{:?}", self.words))?;
        Ok(Target {
            pid: child.id() as i32,
            out: self.out.clone(),
            err: self.err.clone(),
            go: self.dir.join("go"),
            patience: self.patience,
            gone: false,
        })
    }

    /// Starts it without output files: standard descriptors as given.
    pub fn start_on(&self, stdin: Stdio, stdout: Stdio, stderr: Stdio) -> Result<Target> {
        self.start_with(self.to_command().stdin(stdin).stdout(stdout).stderr(stderr))
    }
}

/// A running program, before or after a restart. It is killed when this is dropped.
#[derive(Debug)]
pub struct Target {
    /// Its process id, which a restart keeps.
    pub pid: i32,
    out: PathBuf,
    err: PathBuf,
    go: PathBuf,
    patience: Duration,
    gone: bool,
}

impl Target {
    /// What it has printed.
    pub fn output(&self) -> String {
        fs::read(&self.out)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The file with what it has printed.
    pub fn output_file(&self) -> &Path {
        &self.out
    }

    /// The lines that it has printed completely.
    pub fn lines(&self) -> Vec<String> {
        let output = self.output();
        let end = output.rfind('\n').map_or(0, |end| end + 1);
        output[..end].lines().map(str::to_owned).collect()
    }

    /// What went wrong with it, for messages.
    fn trouble(&self) -> String {
        let lines = self.lines();
        let tail = lines[lines.len().saturating_sub(5)..].join("\n");
        let errors = fs::read_to_string(&self.err).unwrap_or_default();
        format!(
            "process {}: {}; its last lines: {tail}\n{errors}",
            self.pid,
            describe(self.pid)
        )
    }

    /// Waits until its output gives something. Its end, or FAIL or SKIP in its output, end the wait.
    pub fn wait_output<T>(&mut self, what: &str, mut look: impl FnMut(&[String]) -> Option<T>) -> Result<T> {
        let mut last = None;
        let found = wait_until(self.patience, || {
            let over = !alive(self.pid);
            let lines = self.lines();
            if let Some(value) = look(&lines) {
                return Some(Ok(value));
            }
            let verdict = lines
                .iter()
                .find(|line| line.starts_with("FAIL") || line.starts_with("SKIP"))
                .cloned();
            last = verdict;
            (over || last.is_some()).then_some(Err(()))
        });
        match (found, last) {
            (Some(Ok(value)), _) => Ok(value),
            (_, Some(line)) => match line.strip_prefix("SKIP ") {
                Some(reason) => skip!("{reason}"),
                None => fail!("the program said: {line}"),
            },
            (Some(Err(())), None) => fail!("ended before {what}: {}", self.trouble()),
            (None, None) => fail!("no {what} after {:?}: {}", self.patience, self.trouble()),
        }
    }

    /// Waits until it has prepared its state.
    pub fn wait_ready(&mut self) -> Result {
        self.wait_output("\"ready\"", |lines| {
            lines.iter().any(|line| line == "ready").then_some(())
        })
    }

    /// Waits until it has printed `count` more lines than now.
    pub fn wait_more_lines(&mut self, count: usize) -> Result {
        let wanted = self.lines().len() + count;
        self.wait_output("further output", |lines| (lines.len() >= wanted).then_some(()))
    }

    /// Waits until its output has some bytes, whatever they are.
    pub fn wait_for_output_bytes(&self, count: u64) -> Result {
        let written = || self.out.metadata().is_ok_and(|data| data.len() >= count).then_some(());
        match wait_until(self.patience, written) {
            Some(()) => Ok(()),
            None => fail!("no {count} bytes of output: {}", self.trouble()),
        }
    }

    /// Waits until it has computed for so many ticks (hundredths of a second).
    pub fn wait_for_cpu_time(&self, ticks: u64) -> Result {
        match wait_until(self.patience, || (process::cpu_time(self.pid)? >= ticks).then_some(())) {
            Some(()) => Ok(()),
            None => fail!("it does not compute: {}", self.trouble()),
        }
    }

    /// Waits until what a process that is not this one's child prints (the restarter's child) has more lines.
    pub fn wait_more_lines_of_other_process(&self, count: usize) -> Result {
        let wanted = self.lines().len() + count;
        match wait_until(self.patience, || (self.lines().len() >= wanted).then_some(())) {
            Some(()) => Ok(()),
            None => fail!("no further output: {}", self.trouble()),
        }
    }

    /// Waits until its first thread is in one of these system calls.
    pub fn wait_system_call(&self, numbers: &[i64]) -> Result {
        let inside = || process::system_call(self.pid, self.pid).filter(|number| numbers.contains(number));
        match wait_until(self.patience, inside) {
            Some(_) => Ok(()),
            None => fail!("not in system call {numbers:?}: {}", self.trouble()),
        }
    }

    /// Tells it to check itself and end.
    pub fn go(&self) -> Result {
        fs::write(&self.go, "")?;
        Ok(())
    }

    /// Waits for its end as this process's child, and for a good one.
    pub fn wait_good_end(&mut self) -> Result {
        let ended = wait_end(self.pid, self.patience)?;
        self.gone = true;
        self.judge(ended)
    }

    /// Judges its end and its last line.
    pub fn judge(&mut self, ended: Ended) -> Result {
        self.gone = true;
        let lines = self.lines();
        let last = lines.last().map_or("", String::as_str);
        if let (Ended::Exited(SKIPPED), Some(reason)) = (ended, last.strip_prefix("SKIP ")) {
            skip!("{reason}");
        }
        ensure!(
            last == "OK" && ended == Ended::Exited(0),
            "the program ended with {ended:?}: {}",
            self.trouble()
        );
        Ok(())
    }

    /// Tells it to check itself, and waits for a good end.
    pub fn finish(&mut self) -> Result {
        self.go()?;
        self.wait_good_end()
    }

    /// It is still the same living process, and no longer stopped or parked.
    pub fn is_unharmed(&self) -> Result {
        ensure!(
            ended(self.pid).is_none() && (alive(self.pid) || process::threads(self.pid) > 1),
            "the target is gone: {}",
            self.trouble()
        );
        Ok(())
    }

    /// Saves it; it goes on.
    pub fn checkpoint(&self, file: &Path) -> Result {
        ckptctl::checkpoint(self.pid, file, After::Run)
            .map(drop)
            .during("checkpoint")?;
        self.is_unharmed()
    }

    /// Saves it and kills it; what is left of it is reaped.
    pub fn checkpoint_kill(&mut self, file: &Path) -> Result {
        let own = std::process::id() as i32;
        let others: Vec<i32> = process::children(own);
        let below = process::descendants(self.pid);
        ckptctl::checkpoint(self.pid, file, After::Kill).during("checkpoint --kill")?;
        self.was_killed()?;
        process::reap_orphans(&below)?;
        // Who was made between the look and the freeze is our orphan, too.
        let new = process::children(own);
        let late: Vec<i32> = new.into_iter().filter(|pid| !others.contains(pid)).collect();
        process::reap_orphans(&late)
    }

    /// Saves it and lets it go on; then, twice, saves, kills and restarts it. For what cannot be compared from outside.
    pub fn comes_back_twice(&mut self, file: &Path) -> Result {
        self.checkpoint(file)?;
        for _ in 0..2 {
            fs::remove_file(file)?;
            self.checkpoint_kill(file)?;
            self.restart(file)?;
        }
        Ok(())
    }

    /// It has been killed, and is reaped.
    pub fn was_killed(&mut self) -> Result {
        let ended = wait_end(self.pid, PATIENCE)?;
        self.gone = true;
        ensure!(
            ended == Ended::Signaled(libc::SIGKILL),
            "--kill: the target ended with {ended:?}"
        );
        Ok(())
    }

    /// It has ended, and somebody has reaped it.
    pub fn ended(&mut self) {
        self.gone = true;
    }

    /// The target is back, under its old pid.
    pub fn revived(&mut self) {
        self.gone = false;
    }

    /// Brings it back.
    pub fn restart(&mut self, file: &Path) -> Result {
        let pid = ckptctl::restart_detached(file).during("restart")?;
        self.gone = false;
        ensure!(pid == self.pid, "restarted as {pid}, not as {}", self.pid);
        Ok(())
    }

    /// Kills and reaps it.
    pub fn kill(&mut self) -> Result {
        if !self.gone {
            let below = process::descendants(self.pid);
            let _ = process::signal(self.pid, Signal::KILL);
            wait_end(self.pid, PATIENCE)?;
            self.gone = true;
            kill_all(&below);
            process::reap_orphans(&below)?;
        }
        Ok(())
    }
}

/// Kills processes, of which some may have ended.
fn kill_all(pids: &[i32]) {
    for &pid in pids {
        let _ = process::signal(pid, Signal::KILL);
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if !self.gone {
            let below = process::descendants(self.pid);
            let _ = process::signal(self.pid, Signal::KILL);
            kill_all(&below);
            // Somebody else may have reaped it.
            wait_until(Duration::from_secs(10), || {
                (ended(self.pid).is_some() || !process::exists(self.pid)).then_some(())
            });
            let _ = process::reap_orphans(&below);
        }
    }
}
