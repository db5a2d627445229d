// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! What is run in the guest, and how it is judged.

use crate::{
    klog,
    ktap::{Case, Line, Outcome as Verdict, Parser},
    qemu::{Machine, Outcome},
};
use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

/// Around the cases: memory before and after, and the module must go, which it does only if nothing holds it any more.
/// Files are released late by a closing task, hence a few tries.
const AROUND: &str = r##"
mem() { awk -v when="$1" '/^(MemAvailable|SUnreclaim|KernelStack|PageTables|VmallocUsed|Percpu):/ { s = s " " $1 $2 } END { print "runner: memory " when s }' /proc/meminfo; }
mem before
CASES
status=$?
pkill -KILL -x stress-ng 2>/dev/null
for i in 1 2 3 4 5 6 7 8 9 10; do rmmod ckpt 2>/tmp/rmmod && break; sleep 0.3; done
if [ -d /sys/module/ckpt ]; then
	echo "runner: rmmod failed: $(cat /tmp/rmmod)"
	echo "# references: $(cat /sys/module/ckpt/refcnt); who has /dev/ckpt open:"
	for fd in /proc/[0-9]*/fd/*; do [ "$(readlink "$fd")" = /dev/ckpt ] && echo "# $fd $(tr '\0' ' ' <"${fd%/fd/*}/cmdline")"; done
else
	echo "runner: rmmod ok"
fi
echo 3 >/proc/sys/vm/drop_caches
mem after
exit $status
"##;

pub fn with_pattern(program: &str, pattern: Option<&str>) -> String {
    match pattern {
        None => program.to_owned(),
        // Single quotes keep everything but themselves.
        Some(pattern) => format!("{program} '{}'", pattern.replace('\'', r"'\''")),
    }
}

/// Says loudly what the kernel complained about, and why there is no exit status. Returns the number of complaints.
fn complain(outcome: &Outcome) -> usize {
    let problems = klog::problems(&outcome.kernel_log);
    for line in &problems {
        eprintln!("!!! kernel: {line}");
    }
    if outcome.timed_out {
        eprintln!("!!! the guest was stopped: time limit reached");
    } else if outcome.status.is_none() {
        eprintln!("!!! the guest ended before the command did");
        for line in outcome.complaint.lines() {
            eprintln!("!!! qemu: {line}");
        }
    }
    if !problems.is_empty() || outcome.status.is_none() {
        eprintln!("!!! the kernel log is {}", outcome.log.display());
    }
    problems.len()
}

/// One command: its output and status are passed on.
pub fn command(machine: &Machine, cmd: &str, limit: Option<Duration>) -> Result<u8, String> {
    let outcome = machine.run(cmd, limit, |chunk| {
        let mut out = io::stdout().lock();
        // The reader may have gone; the command still runs to its end.
        let _ = out.write_all(chunk).and_then(|()| out.flush());
    })?;
    complain(&outcome);
    Ok(outcome.status.unwrap_or(124))
}

pub fn shell(machine: &Machine) -> Result<u8, String> {
    let outcome = machine.shell()?;
    complain(&outcome);
    Ok(outcome.status.unwrap_or(124))
}

#[derive(Default)]
struct Totals {
    passed: usize,
    skipped: Vec<(String, String)>,
    failed: Vec<String>,
}

impl Totals {
    fn add(&mut self, boot: &str, case: &Case) {
        match &case.outcome {
            Verdict::Pass => self.passed += 1,
            Verdict::Fail => self.failed.push(format!("{boot}: {}", case.name)),
            Verdict::Skip(reason) => self.skipped.push((case.name.clone(), reason.clone())),
        }
    }
}

/// Splits a stream of chunks into lines.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn feed(&mut self, chunk: &[u8], mut each: impl FnMut(&str)) {
        self.0.extend_from_slice(chunk);
        while let Some(end) = self.0.iter().position(|&b| b == b'\n') {
            let line: Vec<u8> = self.0.drain(..=end).collect();
            each(String::from_utf8_lossy(&line[..end]).trim_end());
        }
    }

    fn finish(self, mut each: impl FnMut(&str)) {
        if !self.0.is_empty() {
            each(&String::from_utf8_lossy(&self.0));
        }
    }
}

fn one_boot(
    boot: &str,
    machine: &Machine,
    cases: &str,
    limit: Option<Duration>,
    totals: &mut Totals,
) -> Result<(), String> {
    let start = Instant::now();
    let mut parser = Parser::default();
    let mut lines = Lines::default();
    let mut removed = false;
    let mut each = |line: &str| {
        println!("{line}");
        if line == "runner: rmmod ok" {
            removed = true;
        } else if let Line::Result(case) = parser.line(line) {
            totals.add(boot, &case);
        }
    };
    println!("# boot {boot}: {} vCPU", machine.smp);
    let outcome = machine.run(&AROUND.replace("CASES", cases), limit, |chunk| {
        lines.feed(chunk, &mut each)
    })?;
    lines.finish(&mut each);

    let (cases, errors) = parser.finish();
    for error in errors {
        totals.failed.push(format!("{boot}: results: {error}"));
    }
    let problems = complain(&outcome);
    if problems > 0 {
        totals.failed.push(format!(
            "{boot}: kernel log: {problems} complaints, {}",
            outcome.log.display()
        ));
    }
    if outcome.timed_out {
        totals.failed.push(format!("{boot}: time limit reached"));
    }
    if !removed {
        totals.failed.push(format!(
            "{boot}: rmmod ckpt did not succeed: something still holds the module"
        ));
    }
    let any_failed = cases.iter().any(|c| c.outcome == Verdict::Fail);
    match outcome.status {
        None => totals
            .failed
            .push(format!("{boot}: the guest ended early, {}", outcome.log.display())),
        Some(0) => {}
        // The harness says with its status that cases failed: counted above already.
        Some(_) if any_failed => {}
        Some(status) => totals
            .failed
            .push(format!("{boot}: the test program exited with {status}")),
    }
    println!("# boot {boot}: {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// The suite. The last line printed is `N passed, N failed, N skipped`.
pub fn test(machine: &Machine, pattern: Option<&str>, limit: Option<Duration>) -> Result<u8, String> {
    let mut totals = Totals::default();
    let smp_only = pattern.is_some_and(|p| p.starts_with("smp"));
    if !smp_only {
        one_boot("up", machine, &with_pattern("/ckpt/cases", pattern), limit, &mut totals)?;
    }
    if smp_only || pattern.is_none() {
        let four = Machine {
            smp: 4,
            build: machine.build.clone(),
            kernel: machine.kernel.clone(),
            mem: machine.mem.clone(),
            share: machine.share.clone(),
            log: machine.log.clone(),
            module: machine.module,
        };
        one_boot(
            "smp",
            &four,
            &with_pattern("/ckpt/cases --smp", pattern),
            limit,
            &mut totals,
        )?;
    }
    if totals.passed + totals.failed.len() + totals.skipped.len() == 0 {
        totals.failed.push("no case matches".into());
    }
    println!();
    for (name, reason) in &totals.skipped {
        println!("skipped: {name}: {reason}");
    }
    for failure in &totals.failed {
        println!("FAILED: {failure}");
    }
    let (passed, failed, skipped) = (totals.passed, totals.failed.len(), totals.skipped.len());
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    Ok(u8::from(failed > 0 || passed == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_quoted() {
        assert_eq!(with_pattern("/ckpt/cases", None), "/ckpt/cases");
        assert_eq!(with_pattern("/ckpt/cases", Some("a'b*")), r"/ckpt/cases 'a'\''b*'");
    }

    #[test]
    fn lines_are_put_together_from_chunks() {
        let mut got = Vec::new();
        let mut lines = Lines::default();
        lines.feed(b"ok 1", |l| got.push(l.to_owned()));
        lines.feed(b" a\r\nok 2 b\nre", |l| got.push(l.to_owned()));
        lines.finish(|l| got.push(l.to_owned()));
        assert_eq!(got, ["ok 1 a", "ok 2 b", "re"]);
    }
}
