// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A load manager sees the job as if it had run it itself.

use super::job::{go, Call};
use harness::process::{self, descendants, wait_until, Ended, PATIENCE};
use harness::{ensure, Context, Result, CKPTCTL};
use rustix::process::{kill_process_group, waitpid, Pid, Signal, WaitOptions};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Exit statuses and deadly signals.
pub fn ends(context: &Context) -> Result {
    for options in [&[][..], &["--pidns"]] {
        for status in [0, 1, 85, 127, 255] {
            let script = format!("exit {status}");
            let mut run = Call::new(context, &["/bin/sh", "-c", &script])
                .options(options)
                .start()?;
            run.expect_exit(status)?;
        }
        for signal in [1, 2, 6, 9, 11, 15, 31, 40] {
            let script = format!("ulimit -c 0; kill -{signal} $$");
            let mut run = Call::new(context, &["/bin/sh", "-c", &script])
                .options(options)
                .start()?;
            run.expect(Ended::Signaled(signal))?;
        }
    }
    Ok(())
}

/// What a shell says of such commands.
pub fn cannot_execute(context: &Context) -> Result {
    for options in [&[][..], &["--pidns"]] {
        for (command, status) in [("/nowhere/x", 127), ("/etc/passwd", 126)] {
            Call::new(context, &[command])
                .options(options)
                .start()?
                .expect_exit(status)?;
        }
    }
    Ok(())
}

/// All that can be caught, each once, with its value.
pub fn every_signal(context: &Context) -> Result {
    for (options, out) in [(&[][..], "plain"), (&["--pidns"], "pidns")] {
        let _ = std::fs::remove_file(context.path("go"));
        let mut run = Call::new(context, &["run_signals"]).options(options).out(out).start()?;
        run.wait_line("ready")?;
        // SIGKILL, SIGCHLD, SIGSTOP; 32 and 33 are the C library's.
        let signals: Vec<i32> = (1..=64).filter(|n| ![9, 17, 19, 32, 33].contains(n)).collect();
        for signal in &signals {
            let done = Command::new("kill")
                .args([
                    "-q",
                    &(100 + signal).to_string(),
                    &format!("-{signal}"),
                    &run.pid.to_string(),
                ])
                .status()?;
            ensure!(done.success(), "kill -{signal}: {done}");
            run.wait_line(&format!("signal {signal} {}", 100 + signal))?;
        }
        go(context)?;
        run.expect_exit(0)?;
        ensure!(
            run.lines().len() == signals.len() + 1,
            "signals came twice: {:?}",
            run.lines()
        );
    }
    Ok(())
}

/// Each process of the group gets it once, as it would have without ckptctl.
pub fn group_signal(context: &Context) -> Result {
    for (options, out) in [(&[][..], "plain"), (&["--pidns"], "pidns")] {
        let _ = std::fs::remove_file(context.path("go"));
        let mut run = Call::new(context, &["run_signals", "child"])
            .options(options)
            .out(out)
            .start()?;
        run.wait_for("two processes", |run| (run.lines().len() == 2).then_some(()))?;
        let group = process::pid_of(run.pid)?;
        for signal in [Signal::TERM, Signal::HUP, Signal::USR1] {
            kill_process_group(group, signal)?;
            for who in ["signal", "child"] {
                run.wait_line(&format!("{who} {} 0", signal.as_raw()))?;
            }
        }
        // One for ckptctl alone goes to the first process only.
        run.signal(Signal::USR2)?;
        run.wait_line("signal 12 0")?;
        std::thread::sleep(Duration::from_millis(300));
        go(context)?;
        run.expect_exit(0)?;
        let lines = run.lines();
        let different: BTreeSet<&String> = lines.iter().collect();
        ensure!(lines.len() == 9 && different.len() == 8, "not each once: {lines:?}");
    }
    Ok(())
}

/// SIGTSTP and SIGCONT to ckptctl, and SIGSTOP and SIGCONT to the group.
pub fn stops(context: &Context) -> Result {
    for (options, out) in [(&[][..], "plain"), (&["--pidns"], "pidns")] {
        let _ = std::fs::remove_file(context.path("go"));
        let mut run = Call::new(context, &["tick"]).options(options).out(out).start()?;
        run.wait_more_lines(3)?;
        let (job, pid) = (run.job()?, process::pid_of(run.pid)?);
        let stopped = || {
            let seen = waitpid(Some(pid), WaitOptions::UNTRACED | WaitOptions::NOHANG);
            matches!(seen, Ok(Some((_, status))) if status.stopped()).then_some(())
        };
        let in_state = |state| wait_until(PATIENCE, || (process::state(job) == Some(state)).then_some(()));
        run.signal(Signal::TSTP)?;
        ensure!(wait_until(PATIENCE, stopped).is_some(), "SIGTSTP: ckptctl did not stop");
        ensure!(in_state('T').is_some(), "SIGTSTP: the job did not stop");
        run.signal(Signal::CONT)?;
        run.wait_more_lines(2)?;

        kill_process_group(pid, Signal::STOP)?;
        ensure!(wait_until(PATIENCE, stopped).is_some(), "SIGSTOP: ckptctl did not stop");
        ensure!(in_state('T').is_some(), "SIGSTOP: the job did not stop");
        kill_process_group(pid, Signal::CONT)?;
        run.wait_more_lines(2)?;
        go(context)?;
        run.expect_exit(0)?;
    }
    Ok(())
}

/// Pipes end when the job closes them, not when ckptctl ends.
pub fn stdio(context: &Context) -> Result {
    for options in [&[][..], &["--pidns"]] {
        let script =
            "read line; echo \"got $line\"; echo error >&2; exec >&- <&-; while [ ! -e go ]; do sleep 0.1; done";
        let _ = std::fs::remove_file(context.path("go"));
        let mut command = Call::new(context, &["/bin/sh", "-c", script])
            .options(options)
            .to_command();
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (Some(mut stdin), Some(mut stdout)) = (stdin, stdout) else {
            harness::fail!("no pipes")
        };
        stdin.write_all(b"line\nmore")?;
        let mut text = String::new();
        stdout.read_to_string(&mut text)?;
        ensure!(text == "got line\n", "the job wrote {text:?}");
        ensure!(child.try_wait()?.is_none(), "the output has ended with ckptctl");
        let closed = wait_until(PATIENCE, || stdin.write_all(b"x").is_err().then_some(()));
        ensure!(closed.is_some(), "somebody holds the standard input");
        go(context)?;
        let done = child.wait_with_output()?;
        ensure!(done.status.success(), "{}", done.status);
        ensure!(done.stderr == b"error\n", "{:?}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(())
}

/// What the load manager ignores or blocks, the job does too. Nobody else is a child of it, and of ckptctl only a witness.
pub fn ignored(context: &Context) -> Result {
    let script = format!("trap '' HUP USR1; exec {CKPTCTL} run -- \"$@\"");
    let mut child = Command::new("/bin/sh")
        .args(["-c", &script, "sh", "/bin/sleep", "1000"])
        .current_dir(context.dir())
        .stdin(Stdio::null())
        .spawn()?;
    let pid = child.id() as i32;
    let job = wait_until(PATIENCE, || {
        let below = descendants(pid);
        let name = |pid: &&i32| process::status_field(**pid, "Name").as_deref() == Some("sleep");
        below.iter().find(name).copied().filter(|_| below.len() == 3)
    });
    let Some(job) = job else {
        harness::fail!("no init, job and witness: {:?}", descendants(pid))
    };
    let masks = ["SigIgn", "SigBlk"].map(|field| process::status_field(job, field).unwrap_or_default());
    ensure!(
        masks == ["0000000000000201", "0000000000000000"],
        "ignored, blocked: {masks:?}"
    );
    // To it, though, they can be sent.
    process::signal(pid, Signal::TERM)?;
    let status = child.wait()?;
    ensure!(
        std::os::unix::process::ExitStatusExt::signal(&status) == Some(libc::SIGTERM),
        "{status}"
    );
    ensure!(
        Pid::from_raw(job).is_none() || !process::exists(job),
        "the job is there"
    );
    Ok(())
}
