// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Runs the binary: what it says, where, and how it ends. Nothing here needs the device.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use libckpt::testing::sample;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn ckptctl(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ckptctl"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    ckptctl(arguments).output().unwrap()
}

fn status(output: &Output) -> i32 {
    output.status.code().expect("an exit status")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("one JSON document")
}

/// A directory of one test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ckptctl-cli-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn has_device() -> bool {
    Path::new("/dev/ckpt").exists()
}

#[test]
fn says_its_version_and_helps() {
    let output = run(&["--version"]);
    assert_eq!(status(&output), 0);
    assert!(stdout(&output).starts_with("ckptctl 0."));
    let output = run(&["--help"]);
    assert_eq!(status(&output), 0);
    for command in [
        "info",
        "check",
        "checkpoint",
        "restart",
        "inspect",
        "freeze",
        "thaw",
        "completions",
    ] {
        assert!(stdout(&output).contains(command), "{command}");
    }
}

#[test]
fn refuses_wrong_arguments() {
    let wrong: &[&[&str]] = &[
        &[],
        &["dump"],
        &["checkpoint", "1"],
        &["checkpoint", "0", "-o", "x"],
        &["checkpoint", "x", "-o", "x"],
        &["checkpoint", "1", "-o", "x", "--kill", "--stop"],
        &["checkpoint", "1", "-o", "x", "--process", "--container"],
        &["checkpoint", "1", "-o", "x", "--timeout", "-1"],
        &["restart", "x", "--stdio", "tty"],
        &["info", "--quiet", "--verbose"],
    ];
    for arguments in wrong {
        let output = run(arguments);
        assert_eq!(status(&output), 2, "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn says_when_there_is_no_device() {
    if has_device() {
        return;
    }
    let scratch = Scratch::new("device");
    let file = scratch.0.join("x.ckpt");
    let file = file.to_str().unwrap();
    let statefile = scratch.file("y.ckpt", &sample().encode());
    let own = std::process::id().to_string();
    let commands: &[&[&str]] = &[
        &["info"],
        &["check", &own],
        &["checkpoint", &own, "-o", file],
        &["checkpoint", &own, "-o", "-"],
        &["restart", &statefile],
        &["freeze", &own],
    ];
    for arguments in commands {
        let output = run(arguments);
        assert_eq!(status(&output), 4, "{arguments:?}: {}", stderr(&output));
        assert!(
            stderr(&output).contains("/dev/ckpt") && stderr(&output).ends_with("(ENOENT)\n"),
            "{}",
            stderr(&output)
        );
        assert!(output.stdout.is_empty());
        let output = run(&[arguments, &["--json"][..]].concat());
        assert_eq!(status(&output), 4);
        let taken = matches!(arguments, ["checkpoint", _, "-o", "-"] | ["restart", ..]);
        let document = json(if taken { &output.stderr } else { &output.stdout });
        assert_eq!(document["version"], 1);
        assert_eq!(document["ok"], false);
        assert_eq!(document["exit"], 4);
        assert_eq!(document["errno"], "ENOENT");
    }
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 1, "no file was left behind");
}

#[test]
fn refuses_what_is_not_there() {
    let output = run(&["check", "1073741800"]);
    assert_eq!(status(&output), 1);
    assert!(stderr(&output).contains("ESRCH"), "{}", stderr(&output));
    assert_eq!(status(&run(&["thaw", "1073741800"])), 1);
    assert_eq!(status(&run(&["restart", "/nowhere/x.ckpt"])), 3);
    assert_eq!(status(&run(&["inspect", "/nowhere/x.ckpt"])), 3);
    let own = std::process::id().to_string();
    let output = run(&["checkpoint", &own, "-o", "/nowhere/x.ckpt"]);
    assert_eq!(status(&output), 3);
    assert!(stderr(&output).contains("/nowhere/x.ckpt"), "{}", stderr(&output));
}

#[test]
fn shows_what_is_in_a_statefile() {
    let scratch = Scratch::new("inspect");
    let file = scratch.file("x.ckpt", &sample().encode());
    let output = run(&["inspect", &file]);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    for wanted in [
        "sound",
        "2023-11-14 22:13:20 UTC on sample, Linux 7.3.4-sample",
        "4001    4000",
        "leader,group-leader",
        "4001    4000       1    4000    3900    {worker}",
        "  sharer             leader,shares-handlers, memory of 4000",
        "  zombie             leader,zombie",
        "  init               leader,pidns-init, pid 1 in a nested pid namespace",
        "Exited with status 7",
        "Memory: that of process 4000",
        "Signal actions: those of process 4000; pending none",
        "Directories: those of process 4000",
        "Descriptors: those of process 4000",
        "rip 0000000000400123",
        "Interrupted call: nanosleep, 1.500000000 s left",
        "uid 1000/1000/0/0",
        "Cgroup: /a/b below that of the first process",
        "/usr/bin/sample",
        "[anon:heap]",
        "shared memory 6: 8.0 KiB, 1 page saved",
        "1 page saved (4.0 KiB), 2 guard pages",
        "/dev/null",
        "read end of pipe 8: capacity 64.0 KiB, 6 bytes waiting",
        "write end of pipe 8",
        "offset 0, exclusive lock, 2 range locks close-on-exec  /usr/bin/sample",
        "signals group 100, O_ASYNC",
        "working /home/user, root /, umask 0022",
    ] {
        assert!(text.contains(wanted), "{wanted} is missing in\n{text}");
    }
    assert!(!text.contains("Records:"));
    let text = stdout(&run(&["inspect", &file, "--records"]));
    assert!(text.contains("Records:") && text.contains("trailer"), "{text}");
}

#[test]
fn shows_it_to_machines() {
    let scratch = Scratch::new("json");
    let file = scratch.file("x.ckpt", &sample().encode());
    let output = run(&["inspect", &file, "--json", "--records"]);
    assert_eq!(status(&output), 0);
    let document = json(&output.stdout);
    assert_eq!(document["version"], 1);
    assert_eq!(document["ok"], true);
    assert_eq!(document["format"], 1);
    assert_eq!(document["bytes"], fs::metadata(&file).unwrap().len());
    assert_eq!(document["tree"][1]["pid"], 4001);
    assert_eq!(document["tasks"][0]["registers"]["rip"], 0x40_0123);
    assert_eq!(document["tasks"][0]["process"]["vmas"][1]["name"], "heap");
    assert_eq!(document["tasks"][0]["process"]["fds"][3]["cloexec"], true);
    assert!(document["tasks"][1]["process"].is_null());
    assert_eq!(document["tasks"][0]["cgroup"], "/a/b");
    assert_eq!(document["container"], false);
    assert_eq!(document["tree"][5]["nested_pids"][0], 1);
    assert_eq!(
        (&document["tree"][3]["vm"], &document["tree"][3]["level"]),
        (&0.into(), &0.into())
    );
    let (child, zombie) = (&document["tasks"][2], &document["tasks"][4]);
    assert_eq!((&child["mm"], &child["files"]), (&11.into(), &2.into()));
    assert!(child["process"]["fds"].is_null() && child["process"]["vmas"].is_array());
    assert_eq!(zombie["exit_status"], 7 << 8);
    assert!(zombie["process"].is_null() && child["exit_status"].is_null());
    let objects = &document["objects"];
    assert_eq!(objects[0]["path"], "/usr/bin/sample");
    assert_eq!(objects[0]["lock"], "exclusive");
    assert_eq!(
        (&objects[3]["type"], &objects[3]["content"]),
        (&"pipe".into(), &6.into())
    );
    assert_eq!((&objects[4]["kind"], &objects[4]["pipe"]), (&"pipe".into(), &8.into()));
    assert!(objects[2]["pipe"].is_null() && objects[2]["lock"].is_null());
    assert_eq!(
        document["records"].as_array().unwrap().len() as u64,
        document["record_count"].as_u64().unwrap()
    );
}

#[test]
fn reads_a_statefile_from_a_pipe() {
    let mut child = ckptctl(&["inspect", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&sample().encode()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(status(&output), 0);
    assert!(stdout(&output).contains("Statefile standard input: sound"));
}

#[test]
fn names_the_damage_and_shows_nothing_of_it() {
    let scratch = Scratch::new("damage");
    let sound = sample().encode();
    let flipped: Vec<u8> = sound
        .iter()
        .enumerate()
        .map(|(at, byte)| byte ^ u8::from(at == 100))
        .collect();
    let longer = [&sound[..], b"more"].concat();
    let cases: &[(&[u8], &str)] = &[
        (&sound[..sound.len() - 1], "too early"),
        (&sound[..10], "prefix"),
        (b"not a statefile at all", "not a statefile"),
        (&flipped, "record 0 (header): wrong checksum"),
        (&longer, "data after the trailer"),
    ];
    for (bytes, wanted) in cases {
        let file = scratch.file("x.ckpt", bytes);
        let output = run(&["inspect", &file]);
        assert_eq!(status(&output), 5);
        assert!(stderr(&output).contains(wanted), "{wanted}: {}", stderr(&output));
        assert!(output.stdout.is_empty());
        let document = json(&run(&["inspect", &file, "--json"]).stdout);
        assert!(document["offset"].is_u64() && document["exit"] == 5, "{document}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let scratch = Scratch::new("epipe");
    let file = scratch.file("x.ckpt", &sample().encode());
    for arguments in [
        &["inspect", &file][..],
        &["completions", "bash"],
        &["--help"],
        &["inspect", "/nowhere"],
    ] {
        // The other end of a socket pair that is closed: a write fails with EPIPE, as on a pipe.
        let (reader, writer) = UnixStream::pair().unwrap();
        drop(reader);
        let writer = OwnedFd::from(writer);
        let status = ckptctl(arguments)
            .stdout(writer.try_clone().unwrap())
            .stderr(writer)
            .status()
            .unwrap();
        assert!(matches!(status.code(), Some(0 | 3)), "{arguments:?}: {status}");
    }
}

#[test]
fn completes_for_shells() {
    for shell in ["bash", "fish", "zsh"] {
        let output = run(&["completions", shell]);
        assert_eq!(status(&output), 0);
        assert!(stdout(&output).contains("checkpoint"), "{shell}");
    }
}

#[test]
fn runs_a_job_and_ends_as_it_does() {
    let ended = |words: &[&str]| run(&[&["run"], words].concat()).status;
    assert_eq!(ended(&["sh", "-c", "exit 7"]).code(), Some(7));
    let signal = ended(&["--", "sh", "-c", "kill -TERM $$"]);
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&signal), Some(15));
    assert_eq!(ended(&["/nowhere/x"]).code(), Some(127));
    assert_eq!(ended(&["--on", "KILL", "-o", "x", "true"]).code(), Some(2));
    assert_eq!(stdout(&run(&["run", "echo", "-n", "text"])), "text");
}

/// Who has died meanwhile is not mistaken for who has adopted the command.
#[test]
fn a_tied_command_knows_its_parent() {
    let scratch = Scratch::new("tied");
    let file = scratch.file("x.ckpt", b"");
    let own = std::process::id().to_string();
    let output = run(&["checkpoint", "--tied", "1", &own, "-o", &file]);
    assert_eq!(
        (status(&output), stderr(&output).contains("parent has died")),
        (1, true)
    );
    let output = run(&["checkpoint", "--tied", &own, &own, "-o", &file]);
    assert!(!stderr(&output).contains("parent has died"), "{}", stderr(&output));
}
