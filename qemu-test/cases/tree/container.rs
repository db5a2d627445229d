// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Containers: all of a pid namespace.

use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::process::{self, children, wait_until, PATIENCE};
use harness::{ensure, Context, Program, Result, CKPTCTL};
use rustix::process::Signal;
use std::ffi::OsStr;
use std::fs;

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
