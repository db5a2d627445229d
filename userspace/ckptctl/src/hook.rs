// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Programs that are asked at the stages of a checkpoint and a restart: they put away what the kernel cannot save, and fetch it again.

use crate::exit::Failed;
use crate::output::Output;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// When a hook is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Before anything is stopped.
    PreDump,
    /// All stand still, nothing is written yet.
    Freeze,
    /// They go on, have been stopped, or have been killed; or the checkpoint has failed.
    Resume,
    /// The restarted program goes on.
    Restart,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::PreDump => "pre-dump",
            Self::Freeze => "freeze",
            Self::Resume => "resume",
            Self::Restart => "restart",
        }
    }
}

/// Asks each hook in its turn: `HOOK STAGE PID`, with the statefile in CKPT_FILE and, at `resume`, what has become of the program in
/// CKPT_RESULT. What a hook prints goes to standard error. The first that does not end with 0 is an error; the others are not asked.
pub fn ask(hooks: &[PathBuf], stage: Stage, pid: u32, file: &Path, result: Option<&str>) -> Result<(), Failed> {
    for hook in hooks {
        let mut command = Command::new(hook);
        command.arg(stage.name()).arg(pid.to_string()).env("CKPT_FILE", file);
        if let Some(result) = result {
            command.env("CKPT_RESULT", result);
        }
        let stderr = rustix::stdio::stderr()
            .try_clone_to_owned()
            .map_err(|error| Failed::io("cannot duplicate a descriptor", error))?;
        let status = command
            .stdin(Stdio::null())
            .stdout(stderr)
            .status()
            .map_err(|error| Failed::io(format!("cannot execute {}", hook.display()), error))?;
        if !status.success() {
            return Err(Failed::Refused(format!(
                "{} {}: {status}",
                hook.display(),
                stage.name()
            )));
        }
    }
    Ok(())
}

/// The hooks of one checkpoint. Whoever has been asked to put something away is told how it has ended, whatever happens.
pub struct Asked<'a> {
    hooks: &'a [PathBuf],
    pid: u32,
    file: &'a Path,
    output: &'a Output,
    result: &'static str,
}

impl<'a> Asked<'a> {
    /// Asks them to put away what cannot be saved.
    pub fn pre_dump(hooks: &'a [PathBuf], pid: u32, file: &'a Path, output: &'a Output) -> Result<Self, Failed> {
        let asked = Self {
            hooks,
            pid,
            file,
            output,
            result: "failed",
        };
        ask(hooks, Stage::PreDump, pid, file, None)?;
        Ok(asked)
    }

    /// Tells them that all stand still.
    pub fn frozen(&self) -> Result<(), Failed> {
        ask(self.hooks, Stage::Freeze, self.pid, self.file, None)
    }

    /// It has succeeded: what has become of the program.
    pub fn end(mut self, result: &'static str) {
        self.result = result;
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if let Err(failed) = ask(self.hooks, Stage::Resume, self.pid, self.file, Some(self.result)) {
            self.output.say(&format!("warning: {failed}"));
        }
    }
}
