// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Everything in a pid namespace, with the first process of it.

use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::process::{self, children, descendants, wait_until, PATIENCE};
use harness::{ensure, fail, Context, Program, Result, CKPTCTL};
use rustix::process::Signal;
use rustix::pty::{openpt, ptsname, unlockpt, OpenptFlags};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const UNSHARE: &[&str] = &[
    "unshare",
    "--pid",
    "--fork",
    "--mount-proc",
    "--mount",
    "--uts",
    "--ipc",
];
const STATUS: i32 = 43;
/// The first process, three services with a child each, and an orphan; beside these there is one that has exited.
const LIVING: usize = 8;

fn save(pid: i32, file: &Path, extra: &[&str]) -> Result {
    let pid = pid.to_string();
    save_as(&[&pid, "--container"], file, extra)
}

fn save_as(who: &[&str], file: &Path, extra: &[&str]) -> Result {
    let name = file.to_string_lossy();
    let words = [&["checkpoint"], who, &["-o", &name], extra].concat();
    ckptctl::run(&words)?.expect(exit::DONE)?;
    Ok(())
}

/// The process ids inside of the namespace.
fn inner_pids(pids: &[i32]) -> Vec<i32> {
    let inner = |pid: &i32| {
        process::status_field(*pid, "NSpid")?
            .split_whitespace()
            .last()?
            .parse()
            .ok()
    };
    let mut found: Vec<i32> = pids.iter().filter_map(inner).collect();
    found.sort_unstable();
    found
}

fn living(pids: Vec<i32>) -> Vec<i32> {
    pids.into_iter().filter(|pid| process::alive(*pid)).collect()
}

/// The container below a process: its first process, and all ids inside, as soon as it is complete.
fn below(parent: i32) -> Option<(i32, Vec<i32>)> {
    let all = living(descendants(parent));
    let inner = inner_pids(&all);
    let first = *all.iter().find(|pid| inner_pids(&[**pid]) == [1])?;
    (inner.len() == LIVING).then_some((first, inner))
}

/// Saved while it goes on, by way of one that is not the first; saved, killed and brought back, twice. At last it ends by itself.
pub fn comes_back(context: &Context) -> Result {
    let file = context.path("container.ckpt");
    let host = fs::read_to_string("/proc/sys/kernel/hostname")?;
    let mut target = Program::own(context, "tree_container")
        .args(&[STATUS.to_string()])
        .through(UNSHARE)
        .start()?;
    target.wait_ready()?;
    let Some((first, inside)) = below(target.pid) else {
        fail!("the container is not complete: {:?}", descendants(target.pid))
    };
    let last = living(descendants(first)).pop().unwrap_or(first);
    save(last, &file, &[]).during("left running")?;
    target.is_unharmed()?;
    ensure!(
        below(target.pid) == Some((first, inside.clone())),
        "other processes are there: {:?}",
        descendants(target.pid)
    );

    let namespace = format!("/proc/{last}/ns/pid");
    save_as(&["--pidns", &namespace], &file, &["--kill"])?;
    target.was_killed()?;
    let back = ckptctl::restart_detached(&file).during("first restart")?;
    let members = |first: i32| {
        let mut pids = vec![first];
        pids.extend(descendants(first));
        living(pids)
    };
    ensure!(
        inner_pids(&members(back)) == inside,
        "process {back} came back with {:?}, not {inside:?}",
        inner_pids(&members(back))
    );

    save(back, &file, &["--kill"]).during("saved again")?;
    process::wait_end(back, PATIENCE)?;
    let mut restart = ckptctl::restart_foreground(&file, &["--new-pidns"])?;
    // One that has exited lives, too, until it is restored.
    let seen = wait_until(PATIENCE, || {
        below(restart.id() as i32).filter(|(_, pids)| *pids == inside)
    });
    let Some((first, _)) = seen else {
        fail!("the container is not there: {:?}", restart.try_wait()?)
    };
    target.go()?;
    let status = wait_until(PATIENCE, || restart.try_wait().ok().flatten());
    ensure!(
        status.and_then(|status| status.code()) == Some(STATUS),
        "ckptctl restart ended with {status:?}: {}",
        target.output()
    );
    ensure!(
        target.lines().last().map(String::as_str) == Some("OK"),
        "it said {}",
        target.output()
    );
    ensure!(!process::exists(first), "the container is left");
    ensure!(
        fs::read_to_string("/proc/sys/kernel/hostname")? == host,
        "the machine has another name now"
    );
    Ok(())
}

/// A member of a container saves it, with ckptctl, which is a member too. It comes back with the rest, has nothing to do and says
/// nothing.
pub fn from_inside(context: &Context) -> Result {
    let file = context.path("container.ckpt");
    let name = file.to_string_lossy();
    // What was open before the container had mounts of its own cannot be named from inside. What comes back appends.
    let script = format!(
        "exec </dev/null >>lines 2>>errors
        save() {{ {CKPTCTL} checkpoint --container $$ -o \"$@\"; echo status $?; }}
        save {name} --kill; save {name} --stop; save - | cat; save /dev/null; echo ready
        n=0; while [ ! -e go ]; do n=$((n+1)); echo $n; [ $n != 5 ] || save {name}; sleep 0.1; done
        echo OK; exit 7"
    );
    let words = ["unshare", "--pid", "--fork", "--mount-proc", "/bin/bash", "-c", &script];
    let mut target = Program::command(context, &words)
        .cwd(context.dir())
        .out(&context.path("out"))
        .start()?;
    let read = |name: &str| fs::read_to_string(context.path(name)).unwrap_or_default();
    let says = |from: usize, line: &str| {
        let found = wait_until(PATIENCE, || {
            read("lines")[from..].lines().any(|have| have == line).then_some(())
        });
        ensure!(
            found.is_some(),
            "no line {line}: {:?}; {}",
            read("lines"),
            read("errors")
        );
        Ok(())
    };
    says(0, "ready")?;
    let refused = ["status 2", "status 2", "status 1", "status 1", "ready"];
    ensure!(
        read("lines").lines().take(5).eq(refused),
        "{}{}",
        read("lines"),
        read("errors")
    );
    ensure!(!file.exists(), "a refused save left a statefile");
    says(0, "8")?;
    ensure!(
        read("lines").lines().any(|line| line == "status 0"),
        "it is not saved: {}{}",
        read("lines"),
        read("errors")
    );
    ckptctl::run(&[OsStr::new("inspect"), file.as_os_str()])?.expect(exit::DONE)?;
    let init = children(target.pid);
    process::signal(init[0], Signal::KILL)?;
    target.kill()?;
    let saved = fs::read(&file)?;
    let errors = read("errors");

    for life in ["second life", "third life"] {
        let before = read("lines").len();
        let mut restart = ckptctl::restart_foreground(&file, &["--new-pidns"])?;
        says(before, "8").during(life)?;
        fs::write(context.path("go"), "")?;
        let status = wait_until(PATIENCE, || restart.try_wait().ok().flatten());
        ensure!(
            status.is_some_and(|status| status.code() == Some(7)),
            "{life} ended with {status:?}"
        );
        fs::remove_file(context.path("go"))?;
        let lines = read("lines").split_off(before);
        ensure!(
            lines.starts_with("status 0\n6\n7\n8\n") && lines.ends_with("OK\n"),
            "{life}: {lines}"
        );
        ensure!(read("errors") == errors, "{life} says {}", read("errors"));
        ensure!(fs::read(&file)? == saved, "{life} changed the statefile");
    }
    let left = fs::read_dir(context.dir())?
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().contains(".ckptctl-"));
    ensure!(left.count() == 0, "temporary files are left");
    Ok(())
}

/// The first process of a container, and what enters it from outside: with and without a session of its own, with a thread and a child.
const HOST_AND_GUESTS: &str = r#"
import os, sys, threading, time

def wait_for(*names):
    while not all(os.path.exists(name) for name in names):
        time.sleep(0.02)

def say(text):
    with open("said", "a") as said:
        print(text, file=said)

def state():
    return os.getpid(), os.getppid(), os.getsid(0), os.getpgrp(), os.uname().nodename

role, directory = sys.argv[1:]
os.chdir(directory)
# What was open before the container had mounts of its own cannot be named from inside.
for number, name in enumerate(["/dev/null", "log", "log"]):
    os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND), number)
if role == "host":
    os.system("hostname box")
    say("host")
    wait_for("one.end", "two.end")
    sys.exit(7)
before = state()
assert before[1] == 0 and before[4] == "box", before
assert (before[2] == before[0]) == (role == "two"), before
child = os.fork()
if child == 0:
    wait_for("go")
    os._exit(42 if os.getppid() == before[0] else 1)
threading.Thread(target=wait_for, args=["go"]).start()
say(role)
wait_for("go")
assert state() == before, (before, state())
assert os.waitpid(child, 0) == (child, 42 << 8)
say(role + " OK")
open(role + ".end", "w").close()
"#;

/// Processes that enter a container from outside, as by `docker exec`, come back in it with a parent outside. They can save it, too.
pub fn entered(context: &Context) -> Result {
    let file = context.path("container.ckpt");
    let directory = context.dir().display().to_string();
    let role = |role: &'static str| ["python3", "-c", HOST_AND_GUESTS, role, directory.as_str()];
    let mut target = Program::command(context, &role("host")).through(UNSHARE).start()?;
    let said = |wanted: &[&str]| {
        let said = || fs::read_to_string(context.path("said")).unwrap_or_default();
        let found = wait_until(PATIENCE, || {
            let said = said();
            wanted
                .iter()
                .all(|line| said.lines().any(|have| have == *line))
                .then_some(())
        });
        ensure!(found.is_some(), "not all of {wanted:?} is said: {}", said());
        Ok(())
    };
    said(&["host"])?;
    let first = children(target.pid)[0];
    let nsenter = |first: i32, words: &[&str]| {
        let mut command = std::process::Command::new("nsenter");
        command.args(["-t", &first.to_string(), "--pid", "--mount", "--uts", "--ipc"]);
        command.args(words).stdin(std::process::Stdio::null());
        command
    };
    let setsid = [&["setsid"], &role("two")[..]].concat();
    let mut guests = [nsenter(first, &role("one")).spawn()?, nsenter(first, &setsid).spawn()?];
    said(&["one", "two"])?;
    let save_it = format!(
        "exec </dev/null >>{directory}/log 2>&1; exec {CKPTCTL} checkpoint --container 1 -o {}",
        file.display()
    );
    let inside = nsenter(first, &["sh", "-c", &save_it]).status()?;
    ensure!(
        inside.success() && file.exists(),
        "saved by one that has entered: {inside}: {:?}",
        fs::read_to_string(context.path("log"))?
    );
    for life in ["first life", "second life", "third life"] {
        let restart = match life {
            "first life" => None,
            _ => Some(ckptctl::restart_foreground(&file, &[])?),
        };
        let init = || match &restart {
            None => Some(first),
            Some(restart) => children(restart.id() as i32)
                .into_iter()
                .find(|pid| inner_pids(&[*pid]) == [1]),
        };
        let Some(init) = wait_until(PATIENCE, init) else {
            fail!("{life}: there is no container")
        };
        let complete = wait_until(PATIENCE, || save(init, &file, &["--kill"]).ok());
        ensure!(complete.is_some(), "{life} cannot be saved");
        match restart {
            None => target.was_killed()?,
            Some(mut restart) => ensure!(
                wait_until(PATIENCE, || restart.try_wait().ok().flatten()).is_some(),
                "{life}: ckptctl does not end"
            ),
        }
    }
    for guest in &mut guests {
        guest.wait()?;
    }
    let mut restart = ckptctl::restart_foreground(&file, &[])?;
    fs::write(context.path("go"), "")?;
    let status = wait_until(PATIENCE, || restart.try_wait().ok().flatten());
    said(&["one OK", "two OK"])?;
    ensure!(
        status.and_then(|status| status.code()) == Some(7),
        "it ended with {status:?}"
    );
    let keepers = || {
        let found = std::process::Command::new("pgrep")
            .args(["-x", "ckpt-keeper"])
            .output()
            .ok()?;
        let pids = String::from_utf8_lossy(&found.stdout).into_owned();
        let lives = pids.lines().any(|pid| pid.parse().is_ok_and(process::alive));
        (!lives).then_some(())
    };
    ensure!(wait_until(PATIENCE, keepers).is_some(), "a keeper is left");
    Ok(())
}

/// Into a pid namespace below that of the container nobody is brought back from outside.
pub fn entered_below(context: &Context) -> Result {
    let words = ["unshare", "--pid", "--fork", "sh", "-c", "echo ready; sleep 1000; exit"];
    let mut target = Program::command(context, &words).through(UNSHARE).start()?;
    target.wait_ready()?;
    let below = |pid: &i32| {
        let pids = process::status_field(*pid, "NSpid").unwrap_or_default();
        pids.split_whitespace().count() == 3 && pids.trim().ends_with("\t1")
    };
    let Some(below) = descendants(target.pid).into_iter().find(below) else {
        fail!("there is no namespace below")
    };
    let mut guest = std::process::Command::new("nsenter")
        .args(["-t", &below.to_string(), "--pid", "sleep", "1000"])
        .spawn()?;
    let entered = wait_until(PATIENCE, || children(guest.id() as i32).first().copied());
    let first = children(target.pid)[0].to_string();
    let check = ckptctl::run(&["check", "--container", &first]);
    target.kill()?;
    guest.wait()?;
    let Some(entered) = entered else { fail!("nobody enters") };
    check?
        .expect(exit::REFUSED)?
        .names(&[entered.to_string().as_str(), "has entered a pid namespace below"])
}

/// As `docker exec -t` does it: who has entered leads a session, whose terminal comes from outside. By policy it has none after a restart.
pub fn terminal_from_outside(context: &Context) -> Result {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let slave = || {
        fs::File::options()
            .read(true)
            .write(true)
            .open(OsStr::from_bytes(name.as_bytes()))
    };
    let words = ["sh", "-c", "echo ready; sleep 1000; exit"];
    let mut target = Program::command(context, &words).through(UNSHARE).start()?;
    target.wait_ready()?;
    let first = children(target.pid)[0].to_string();
    let mut guest = std::process::Command::new("nsenter")
        .args(["-t", &first, "--pid", "--mount", "setsid", "--ctty", "sleep", "2000"])
        .stdin(slave()?)
        .stdout(slave()?)
        .stderr(slave()?)
        .spawn()?;
    let terminal_of = |pid: i32| -> Option<String> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let number = stat.rsplit(") ").next()?.split(' ').nth(4)?;
        (fs::read(format!("/proc/{pid}/cmdline")).ok()? == b"sleep\x002000\0").then(|| number.to_owned())
    };
    let entered = || children(guest.id() as i32).into_iter().find_map(terminal_of);
    let entered = wait_until(PATIENCE, || entered().filter(|number| number != "0"));
    ensure!(entered.is_some(), "nobody enters with a terminal");
    let file = context.path("container.ckpt");
    let save = |policy: &[&str]| {
        let words = ["checkpoint", "--container", &first, "--kill", "-o"];
        let mut command = ckptctl::command(&words);
        ckptctl::finish(command.arg(&file).args(policy))
    };
    save(&[])?
        .expect(exit::REFUSED)?
        .names(&["controlling terminal", "tty:pts"])?;
    save(&["--policy", "tty:pts*=close"])?
        .expect(exit::DONE)?
        .names(&["it will have none"])?;
    target.was_killed()?;
    guest.wait()?;
    let mut restart = ckptctl::restart_foreground(&file, &[])?;
    let find = || descendants(restart.id() as i32).into_iter().find_map(terminal_of);
    let found = wait_until(PATIENCE, find);
    let below = children(restart.id() as i32);
    for init in below.into_iter().filter(|pid| inner_pids(&[*pid]) == [1]) {
        process::signal(init, Signal::KILL)?;
    }
    let _ = restart.wait()?;
    ensure!(found.as_deref() == Some("0"), "its terminal: {found:?}");
    Ok(())
}
