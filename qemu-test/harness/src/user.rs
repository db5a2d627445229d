// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Commands run by somebody without privilege.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// Runs a command as nobody.
pub const NOBODY: &[&str] = &["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"];
/// As an ordinary user.
pub const USER: &[&str] = &["setpriv", "--reuid=user", "--regid=user", "--clear-groups"];
/// Options of setpriv: with the one capability that choosing pids needs.
pub const CHOOSES_PIDS: &[&str] = &["--inh-caps=+checkpoint_restore", "--ambient-caps=+checkpoint_restore"];

/// A command that is started by others (setpriv with options, ...).
pub fn through(words: &[&[&str]], command: &[impl AsRef<OsStr>]) -> Command {
    let mut words = words.iter().flat_map(|words| words.iter());
    let mut built = Command::new(words.next().unwrap_or(&"env"));
    built.args(words).args(command).stdin(Stdio::null());
    built
}
