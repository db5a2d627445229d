// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! `ckptctl`, run as a user would.

use crate::{ensure, fail, Result, CKPTCTL};
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Exit statuses of ckptctl.
pub mod exit {
    /// What was asked for has been done.
    pub const DONE: i32 = 0;
    /// The target holds something that cannot be saved.
    pub const REFUSED: i32 = 1;
    /// Wrong arguments.
    pub const USAGE: i32 = 2;
    /// It did not work.
    pub const FAILED: i32 = 3;
    /// The module is not there.
    pub const NO_DEVICE: i32 = 4;
    /// The statefile is damaged or not for this machine.
    pub const BAD_STATEFILE: i32 = 5;
    /// A pid of the statefile is in use.
    pub const PID_IN_USE: i32 = 6;
}

/// What a run of ckptctl left.
#[derive(Debug)]
pub struct Done {
    /// Exit status; -1 after a signal.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Done {
    /// The run had this exit status.
    pub fn expect(self, code: i32) -> Result<Self> {
        ensure!(
            self.code == code,
            "ckptctl exited with {}, not {code}: {}{}",
            self.code,
            self.out,
            self.err
        );
        Ok(self)
    }

    /// The message names each of these: "a|b" is one of them, in any case.
    pub fn names(&self, words: &[impl AsRef<str>]) -> Result {
        let text = format!("{}{}", self.out, self.err).to_lowercase();
        for words in words {
            let found = words
                .as_ref()
                .split('|')
                .any(|word| contains_word(&text, &word.to_lowercase()));
            ensure!(
                found,
                "the message does not name {:?}: {}{}",
                words.as_ref(),
                self.out,
                self.err
            );
        }
        Ok(())
    }
}

/// Whether `text` has `word`, and no further digit behind it ("fd 3" is not in "fd 33").
fn contains_word(text: &str, word: &str) -> bool {
    let ends_in_digit = word.ends_with(|c: char| c.is_ascii_digit());
    text.match_indices(word).any(|(at, _)| {
        let next = text[at + word.len()..].chars().next();
        !(ends_in_digit && next.is_some_and(|c| c.is_ascii_digit()))
    })
}

/// A command that is yet to be started.
pub fn command(args: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(CKPTCTL);
    command.args(args).stdin(Stdio::null());
    command
}

/// Runs ckptctl to its end.
pub fn run(args: &[impl AsRef<OsStr>]) -> Result<Done> {
    finish(&mut command(args))
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Result<Done> {
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output()?;
    Ok(Done {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// What happens to the target afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It goes on.
    Run,
    /// It is killed.
    Kill,
    /// It is stopped.
    Stop,
}

/// Saves a process into a file. The file has to be there afterwards, and nothing else.
pub fn checkpoint(pid: i32, file: &Path, after: After) -> Result<Done> {
    let pid = pid.to_string();
    let mut args = vec![
        OsStr::new("checkpoint"),
        OsStr::new(&pid),
        OsStr::new("-o"),
        file.as_os_str(),
    ];
    match after {
        After::Run => {}
        After::Kill => args.push(OsStr::new("--kill")),
        After::Stop => args.push(OsStr::new("--stop")),
    }
    let done = run(&args)?.expect(exit::DONE)?;
    ensure!(file.metadata()?.len() > 0, "the statefile is empty");
    Ok(done)
}

/// Restarts without waiting for the program; gives its pid.
pub fn restart_detached(file: &Path) -> Result<i32> {
    let mut command = command(&[OsStr::new("restart"), file.as_os_str(), OsStr::new("--detach")]);
    detached(&mut command)
}

/// Runs a command that restarts and prints the pid.
pub fn detached(command: &mut Command) -> Result<i32> {
    let done = finish(command)?.expect(exit::DONE)?;
    match done.out.trim().parse() {
        Ok(pid) => Ok(pid),
        Err(_) => fail!("ckptctl restart --detach printed {:?}", done.out),
    }
}

/// Begins a restart in the foreground; the caller waits for the child.
pub fn restart_foreground(file: &Path, extra: &[&str]) -> Result<Child> {
    let mut command = command(&[OsStr::new("restart"), file.as_os_str()]);
    Ok(command.args(extra).spawn()?)
}

#[cfg(test)]
mod tests {
    use super::contains_word;

    #[test]
    fn a_number_is_a_whole_number() {
        assert!(contains_word("pid 12: fd 3: epoll", "fd 3"));
        assert!(!contains_word("pid 12: fd 33: epoll", "fd 3"));
        assert!(contains_word("fd 33 and fd 3", "fd 3"));
    }
}
