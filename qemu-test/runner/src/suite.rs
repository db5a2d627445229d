// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! What is run in the guest, and how it is judged.

use crate::{
    klog,
    ktap::{Case, Line, Outcome as Verdict, Parser},
    qemu::{Machine, Outcome},
};
use std::{
    io::{self, Write},
    path::PathBuf,
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

/// Lines of a failed case that the summary repeats.
const SUMMARY_LINES: usize = 60;

#[derive(Default)]
struct Totals {
    passed: usize,
    skipped: Vec<(String, String)>,
    failed: Vec<String>,
}

impl Totals {
    /// `said` is what the case printed: the end of it goes into the summary, which is all that some loggers keep of a run.
    fn add(&mut self, boot: &str, case: &Case, said: &[String]) {
        match &case.outcome {
            Verdict::Pass => self.passed += 1,
            Verdict::Fail => {
                let end = &said[said.len().saturating_sub(SUMMARY_LINES)..];
                let lines = end.iter().map(|line| format!("\n    {line}"));
                let failure = format!("{boot}: {}{}", case.name, lines.collect::<String>());
                self.failed.push(failure);
            }
            Verdict::Skip(reason) => self.skipped.push((case.name.clone(), reason.clone())),
        }
    }

    fn join(&mut self, other: Totals) {
        self.passed += other.passed;
        self.skipped.extend(other.skipped);
        self.failed.extend(other.failed);
    }
}

/// Prints what a boot says, a case at a time, when another one speaks meanwhile.
struct Voice {
    /// Before each line.
    prefix: String,
    block: String,
}

impl Voice {
    fn say(&mut self, line: &str, ends_block: bool) {
        self.block += &format!("{}{line}\n", self.prefix);
        if ends_block || self.prefix.is_empty() {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let mut out = io::stdout().lock();
        // The reader may have gone; the suite still runs to its end.
        let _ = out.write_all(self.block.as_bytes()).and_then(|()| out.flush());
        self.block.clear();
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

/// A boot of the suite: its name, its machine, what runs in it.
struct Boot {
    name: String,
    machine: Machine,
    cases: String,
    /// Whether its results come by the serial line, among the kernel's log: the ports of virtio are not connected again after a
    /// hibernation.
    serial: bool,
}

/// The same around the commands of a boot, and the machine is switched off without init.
const SERIAL: &str = r"
( COMMANDS ) >/dev/ttyS0 2>&1
echo runner: exit $? >/dev/ttyS0
echo o >/proc/sysrq-trigger
sleep 60
";

impl Boot {
    /// Runs it and says what came of it; with `together`, its lines bear its name.
    fn run(&self, limit: Option<Duration>, together: bool) -> Result<Totals, String> {
        let name = &self.name;
        let start = Instant::now();
        let mut totals = Totals::default();
        let mut voice = Voice {
            prefix: if together { format!("{name}: ") } else { String::new() },
            block: String::new(),
        };
        let mut parser = Parser::default();
        let mut lines = Lines::default();
        let mut removed = false;
        let mut said = Vec::new();
        voice.say(&format!("# boot {name}: {} vCPU", self.machine.smp), true);
        let mut each = |line: &str| {
            let result = parser.line(line);
            voice.say(line, matches!(result, Line::Result(_)));
            if line == "runner: rmmod ok" {
                removed = true;
            } else if let Line::Result(case) = result {
                totals.add(name, &case, &said);
                said.clear();
            } else {
                said.push(line.to_owned());
            }
        };
        let around = AROUND.replace("CASES", &self.cases);
        let outcome = if self.serial {
            let mut outcome = self.machine.run(&SERIAL.replace("COMMANDS", &around), limit, |_| {})?;
            let said = outcome.kernel_log.lines().filter(|line| !line.starts_with('['));
            said.for_each(&mut each);
            outcome.status = outcome
                .kernel_log
                .lines()
                .find_map(|line| line.trim_end().strip_prefix("runner: exit ")?.parse().ok());
            outcome
        } else {
            let outcome = self.machine.run(&around, limit, |chunk| lines.feed(chunk, &mut each))?;
            lines.finish(&mut each);
            outcome
        };
        voice.say(&format!("# boot {name}: {:.0} s", start.elapsed().as_secs_f64()), true);

        let (cases, errors) = parser.finish();
        let mut failed: Vec<String> = errors.iter().map(|error| format!("results: {error}")).collect();
        let problems = complain(&outcome);
        let log = outcome.log.display();
        if problems > 0 {
            failed.push(format!("kernel log: {problems} complaints, {log}"));
        }
        if outcome.timed_out {
            failed.push("time limit reached".into());
        }
        if !removed {
            failed.push("rmmod ckpt did not succeed: something still holds the module".into());
        }
        let any_failed = cases.iter().any(|c| c.outcome == Verdict::Fail);
        match outcome.status {
            None => failed.push(format!("the guest ended early, {log}")),
            Some(0) => {}
            // The harness says with its status that cases failed: counted above already.
            Some(_) if any_failed => {}
            Some(status) => failed.push(format!("the test program exited with {status}")),
        }
        totals
            .failed
            .extend(failed.iter().map(|failure| format!("{name}: {failure}")));
        Ok(totals)
    }
}

/// The boots of the suite, in groups that run at the same time. An emulated guest keeps one CPU busy, so a machine with two has the cases
/// with one vCPU in half the time.
fn boots(machine: &Machine, pattern: Option<&str>) -> Vec<Vec<Boot>> {
    let boot = |name: String, smp, cases: &str| Boot {
        machine: Machine {
            smp,
            log: machine
                .log
                .as_ref()
                .map(|log| PathBuf::from(format!("{}.{name}", log.display()))),
            ..machine.clone()
        },
        name,
        cases: with_pattern(cases, pattern),
        serial: false,
    };
    let smp = || vec![boot("smp".into(), 4, "/ckpt/cases --smp")];
    let pm = || Boot {
        serial: true,
        ..boot("pm".into(), 1, "/ckpt/cases --pm")
    };
    match pattern {
        Some(group) if group.starts_with("smp") => vec![smp()],
        Some(group) if group.starts_with("pm") => vec![vec![pm()]],
        Some(_) => vec![vec![boot("up".into(), 1, "/ckpt/cases")]],
        None => {
            let parts = std::thread::available_parallelism().map_or(1, |cpus| cpus.get().min(2));
            let part = |k| boot(format!("up-{k}"), 1, &format!("/ckpt/cases --part {k}/{parts}"));
            let mut alone = smp();
            alone.push(pm());
            vec![(1..=parts).map(part).collect(), alone]
        }
    }
}

/// The suite. The last line printed is `N passed, N failed, N skipped`.
pub fn test(machine: &Machine, pattern: Option<&str>, limit: Option<Duration>) -> Result<u8, String> {
    let mut totals = Totals::default();
    for group in boots(machine, pattern) {
        let together = group.len() > 1;
        let results: Vec<_> = std::thread::scope(|scope| {
            let run = |boot| scope.spawn(move || Boot::run(boot, limit, together));
            let running: Vec<_> = group.iter().map(run).collect();
            let end = |thread: std::thread::ScopedJoinHandle<'_, _>| thread.join().expect("a boot does not panic");
            running.into_iter().map(end).collect()
        });
        for result in results {
            totals.join(result?);
        }
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
