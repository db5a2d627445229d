// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! What ckptctl says: data on standard output, all else on standard error, in words or as JSON.

use crate::cli::{Cli, Command};
use crate::errno;
use crate::exit::Failed;
use libckpt::{Error, Message};
use serde_json::{json, Map, Value};
use std::fs;
use std::io::{self, Write};

/// Version of the JSON documents.
const JSON_VERSION: u32 = 1;

/// How to say it.
pub struct Output {
    json: bool,
    quiet: bool,
    verbose: bool,
    command: &'static str,
    /// Standard output is the program's or the statefile's: JSON goes to standard error.
    stdout_taken: bool,
}

impl Output {
    pub fn new(cli: &Cli) -> Self {
        let (command, stdout_taken) = match &cli.command {
            Command::Info => ("info", false),
            Command::Check(_) => ("check", false),
            Command::Checkpoint(args) => ("checkpoint", args.output.as_os_str() == "-"),
            Command::Restart(args) => ("restart", !args.detach),
            Command::Run(_) => ("run", true),
            Command::Inspect(_) => ("inspect", false),
            Command::Freeze(_) => ("freeze", false),
            Command::Thaw(_) => ("thaw", false),
            Command::Completions(_) => ("completions", false),
        };
        Self {
            json: cli.json,
            quiet: cli.quiet,
            verbose: cli.verbose,
            command,
            stdout_taken,
        }
    }

    /// Whether the result is wanted as JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether more is wanted.
    pub fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Data for standard output. A reader that has gone is no error.
    pub fn data(&self, bytes: &[u8]) -> Result<(), Failed> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failed::io("cannot write to standard output", error))
            }
            _ => Ok(()),
        }
    }

    /// A result as JSON; `result` is an object.
    pub fn result(&self, ok: bool, result: Value) -> Result<(), Failed> {
        let mut document = Map::new();
        document.insert("version".into(), JSON_VERSION.into());
        document.insert("command".into(), self.command.into());
        document.insert("ok".into(), ok.into());
        if let Value::Object(fields) = result {
            document.extend(fields);
        }
        let text = format!("{}\n", Value::Object(document));
        if self.stdout_taken {
            write_stderr(&text);
            return Ok(());
        }
        self.data(text.as_bytes())
    }

    /// A sentence about what was done, on standard error.
    pub fn say(&self, text: &str) {
        if !self.json && !self.quiet {
            write_stderr(&format!("ckptctl: {text}\n"));
        }
    }

    /// A sentence for those who asked for more.
    pub fn detail(&self, text: &str) {
        if self.verbose {
            self.say(text);
        }
    }

    /// Warnings of the kernel.
    pub fn warnings(&self, messages: &[Message]) {
        if !self.json && !self.quiet {
            messages
                .iter()
                .for_each(|message| write_stderr(&format!("{}\n", line(message))));
        }
    }

    /// Obstacles and the like: said also when quiet.
    pub fn errors(&self, messages: &[Message]) {
        if !self.json {
            let errors = messages.iter().filter(|message| !self.quiet || message.is_error());
            errors.for_each(|message| write_stderr(&format!("{}\n", line(message))));
        }
    }

    /// Why a command failed.
    pub fn failure(&self, failed: &Failed) {
        let (errno, messages) = match failed {
            Failed::Library(error) => (
                error.errno(),
                error.failure().map_or(&[][..], |failure| &failure.messages),
            ),
            Failed::Io { source, .. } => (source.raw_os_error(), &[][..]),
            _ => (None, &[][..]),
        };
        if self.json {
            let mut fields = json!({
                "exit": failed.exit().number(),
                "error": failed.to_string(),
                "errno": errno.map(errno::name),
                "messages": messages.iter().map(message_json).collect::<Vec<_>>(),
            });
            match failed {
                Failed::Library(Error::PidsInUse(taken)) => {
                    let one = |pid: &libckpt::TakenPid| json!({"pid": pid.pid, "tgid": pid.tgid, "comm": pid.comm});
                    fields["pids_in_use"] = taken.iter().map(one).collect();
                }
                Failed::Statefile { error, .. } => {
                    fields["offset"] = error.offset.into();
                    fields["record"] = error.record.into();
                }
                _ => {}
            }
            let _ = self.result(false, fields);
            return;
        }
        self.errors(messages);
        if let Failed::Library(Error::PidsInUse(taken)) = failed {
            for pid in taken {
                let hint = if pid.pid == std::process::id() {
                    ", which is this command: try again"
                } else {
                    ""
                };
                write_stderr(&format!("ckptctl: {pid}{hint} (EEXIST)\n"));
            }
        } else if !messages.iter().any(Message::is_error) {
            let errno = errno.map_or_else(String::new, |errno| format!(" ({})", errno::name(errno)));
            write_stderr(&format!("ckptctl: {}{errno}\n", plain(&failed.to_string())));
        }
    }
}

/// Without the " (os error N)" of the standard library: the name of the number stands there.
fn plain(text: &str) -> String {
    let Some(start) = text.find(" (os error ") else {
        return text.into();
    };
    let Some(length) = text[start..].find(')') else {
        return text.into();
    };
    format!("{}{}", &text[..start], &text[start + length + 1..])
}

fn write_stderr(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// A message as one line: whom, where, what, why.
fn line(message: &Message) -> String {
    let mut text = String::from("ckptctl: ");
    if let Some(pid) = message.pid {
        let task = message.tid.unwrap_or(pid);
        text += &pid.to_string();
        if !message.is_of_restart() {
            text += &format!(" {}", comm(task));
        }
        if task != pid {
            text += &format!(" thread {task}");
        }
        if let Some(fd) = message.fd {
            text += &format!(" fd {fd}");
        }
        if let Some(address) = message.address {
            text += &format!(" at {address:#x}");
        }
        text += ": ";
    }
    if let Some(offset) = message.offset {
        text += &format!("offset {offset:#x}: ");
    }
    if !message.is_error() {
        text += "warning: ";
    }
    text += &message.text;
    if message.errno != 0 {
        text += &format!(" ({})", errno::name(message.errno));
    }
    text
}

/// A message for machines.
pub fn message_json(message: &Message) -> Value {
    json!({
        "stage": message.stage_name(),
        "severity": if message.is_error() { "error" } else { "warning" },
        "kind": message.kind.map(libckpt::uapi::record::RecordType::name),
        "errno": (message.errno != 0).then(|| errno::name(message.errno)),
        "pid": message.pid,
        "tid": message.tid,
        "fd": message.fd,
        "address": message.address,
        "offset": message.offset,
        "text": message.text,
    })
}

/// Command name of a task, or a question mark.
pub fn comm(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).map_or_else(|_| "?".into(), |comm| comm.trim_end().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use libckpt::Severity;

    #[test]
    fn a_message_says_whom_where_what_and_why() {
        let message = Message {
            stage: 2,
            severity: Severity::Error,
            kind: None,
            errno: 95,
            pid: Some(0x3fff_fff0),
            tid: None,
            fd: Some(5),
            address: None,
            offset: None,
            text: "an epoll instance cannot be saved".into(),
        };
        let pid = 0x3fff_fff0;
        let expected = format!("ckptctl: {pid} ? fd 5: an epoll instance cannot be saved (EOPNOTSUPP)");
        assert_eq!(line(&message), expected);
        // Of a restart, whoever has the pid here may be somebody else.
        let restart = Message {
            stage: libckpt::uapi::status::stage::RESTORE,
            pid: Some(std::process::id()),
            fd: None,
            ..message
        };
        let expected = format!(
            "ckptctl: {}: an epoll instance cannot be saved (EOPNOTSUPP)",
            std::process::id()
        );
        assert_eq!(line(&restart), expected);
    }

    #[test]
    fn error_numbers_are_named_once() {
        assert_eq!(plain("x: No such file (os error 2), sorry"), "x: No such file, sorry");
        assert_eq!(plain("x"), "x");
    }
}
