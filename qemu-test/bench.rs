// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Benchmarks: `/ckpt/bench [PATTERN]` in the guest, side by side with CRIU in the same boot.
//!
//! A line for each: `bench NAME ckpt=VALUE criu=VALUE ratio=R unit=ms`, medians of five (large trees: three); R says how many times better ckpt
//! is. Dump and restart are the time of the whole command; frozen is how long the target stood still, as each tool says.
//! PATTERN is a name, or part of several.

use harness::case::During;
use harness::process::{alive, wait_until, PATIENCE};
use harness::{ensure, fail, Context, Program, Result, Target, CKPTCTL};
use rustix::process::{set_child_subreaper, Pid};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const PLACE: &str = "/tmp/ckpt-bench";

/// One kind of target, and the names of its three measurements ("" where one is not wanted).
struct Subject {
    program: &'static [&'static str],
    dump: &'static str,
    frozen: &'static str,
    restart: &'static str,
    /// How often it is measured, once more for the caches not counted.
    rounds: usize,
    /// Whether CRIU is measured beside it.
    criu: bool,
}

impl Subject {
    const fn new(program: &'static [&'static str], [dump, frozen, restart]: [&'static str; 3]) -> Self {
        Self {
            program,
            dump,
            frozen,
            restart,
            rounds: 5,
            criu: true,
        }
    }

    const fn names(&self) -> [&'static str; 3] {
        [self.dump, self.frozen, self.restart]
    }
}

/// `tree_family N M`: a process with N children, each of which has M. CRIU needs minutes for a thousand, and is left out there.
/// `task_threads N`: one with N threads besides the first. `ipc_many sem|shm N`: one with N sets of semaphores, or segments attached.
const SUBJECTS: &[Subject] = &[
    Subject::new(&["memory", "0", "4k"], ["dump_small", "frozen_small", "restart_small"]),
    Subject::new(&["memory", "256", "thp"], ["dump_256m_thp", "", ""]),
    Subject::new(
        &["memory", "256", "4k"],
        ["dump_256m_4k", "frozen_256m_4k", "restart_256m_4k"],
    ),
    Subject::new(
        &["tree_family", "0", "0"],
        ["tree_dump_1", "tree_frozen_1", "tree_restart_1"],
    ),
    Subject::new(
        &["tree_family", "9", "0"],
        ["tree_dump_10", "tree_frozen_10", "tree_restart_10"],
    ),
    Subject {
        rounds: 3,
        ..Subject::new(
            &["tree_family", "9", "10"],
            ["tree_dump_100", "tree_frozen_100", "tree_restart_100"],
        )
    },
    Subject {
        rounds: 3,
        criu: false,
        ..Subject::new(
            &["tree_family", "27", "36"],
            ["tree_dump_1000", "tree_frozen_1000", "tree_restart_1000"],
        )
    },
    Subject::new(
        &["ipc_many", "sem", "1000"],
        ["sem_1k_dump", "sem_1k_frozen", "sem_1k_restart"],
    ),
    Subject::new(
        &["ipc_many", "shm", "64"],
        ["shm_64_dump", "shm_64_frozen", "shm_64_restart"],
    ),
    Subject::new(&["task_threads", "0"], ["", "threads_frozen_1", ""]),
    Subject::new(&["task_threads", "9"], ["", "threads_frozen_10", ""]),
    Subject::new(&["task_threads", "99"], ["", "threads_frozen_100", ""]),
    Subject {
        rounds: 3,
        ..Subject::new(&["task_threads", "999"], ["", "threads_frozen_1000", ""])
    },
    Subject::new(&["fd_mass", "files", "100"], ["fd_dump_100", "", "fd_restart_100"]),
    Subject {
        rounds: 3,
        ..Subject::new(
            &["fd_mass", "files", "10000"],
            ["fd_dump_10000", "", "fd_restart_10000"],
        )
    },
    Subject {
        rounds: 3,
        ..Subject::new(
            &["fd_mass", "files", "100000"],
            ["fd_dump_100000", "", "fd_restart_100000"],
        )
    },
    Subject {
        rounds: 3,
        ..Subject::new(
            &["fd_mass", "epoll", "10000"],
            ["epoll_dump_10000", "", "epoll_restart_10000"],
        )
    },
];

/// What one round of one tool took, in milliseconds.
struct Times {
    dump: f64,
    frozen: f64,
    restart: f64,
}

fn main() -> ExitCode {
    let pattern = std::env::args().nth(1).unwrap_or_default();
    let _ = set_child_subreaper(Some(Pid::INIT));
    match prepare().and_then(|place| run(&place, &pattern)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(outcome) => {
            eprintln!("bench: {outcome}");
            ExitCode::FAILURE
        }
    }
}

/// Both tools write to memory: their own work is compared, not the disk. With huge pages, since most of either time would else be
/// that of tmpfs, which allocates page by page what the file systems of disks have large folios for.
///
/// CRIU gives MADV_NOHUGEPAGE after the contents. Were anonymous huge pages not for those only who ask, it would bring 4 KiB pages
/// back as huge ones, which the program has forbidden, and the two would not do the same.
fn prepare() -> Result<Place> {
    let _ = fs::create_dir(PLACE);
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=90%,huge=always", "tmpfs", PLACE])
        .status()?;
    ensure!(mounted.success(), "tmpfs cannot be mounted");
    let place = Place;
    fs::write("/sys/kernel/mm/transparent_hugepage/enabled", "madvise")?;
    warm_up()?;
    Ok(place)
}

/// Writes to as much memory as a round takes, and gives it back. A page of the guest that the host has not backed yet costs fifty
/// times as much as another, and it is chance which tool gets it.
fn warm_up() -> Result {
    const MEGABYTES: usize = 1280;
    let path = Path::new(PLACE).join("warm");
    let mut file = fs::File::create(&path)?;
    let megabyte = vec![1; 1 << 20];
    for _ in 0..MEGABYTES {
        file.write_all(&megabyte)?;
    }
    fs::remove_file(&path)?;
    Ok(())
}

/// The mounted directory.
struct Place;

impl Drop for Place {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l", PLACE]).status();
    }
}

fn run(_place: &Place, pattern: &str) -> Result {
    let one = !pattern.is_empty() && SUBJECTS.iter().any(|subject| subject.names().contains(&pattern));
    for subject in SUBJECTS {
        let wanted = |name: &str| !name.is_empty() && if one { name == pattern } else { name.contains(pattern) };
        if !subject.names().into_iter().any(wanted) {
            continue;
        }
        let (mut ckpt, mut criu) = (Vec::new(), Vec::new());
        // The first round of each warms caches and is not counted; the tools take turns.
        for round in 0..=subject.rounds {
            let ours = measure(subject, &Ckpt).during("ckpt")?;
            let theirs = subject
                .criu
                .then(|| measure(subject, &Criu).during("criu"))
                .transpose()?;
            if round > 0 {
                ckpt.push(ours);
                criu.extend(theirs);
            }
        }
        type Pick = fn(&Times) -> f64;
        let rows: [(&str, Pick); 3] = [
            (subject.dump, |t| t.dump),
            (subject.frozen, |t| t.frozen),
            (subject.restart, |t| t.restart),
        ];
        for (name, pick) in rows.into_iter().filter(|(name, _)| wanted(name)) {
            let ours = median(&ckpt, pick);
            if criu.is_empty() {
                println!("bench {name} ckpt={ours:.3} criu=- ratio=- unit=ms");
                continue;
            }
            let theirs = median(&criu, pick);
            println!(
                "bench {name} ckpt={ours:.3} criu={theirs:.3} ratio={:.2} unit=ms",
                theirs / ours
            );
        }
    }
    Ok(())
}

fn median(times: &[Times], pick: fn(&Times) -> f64) -> f64 {
    let mut values: Vec<f64> = times.iter().map(pick).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What both tools can do.
trait Tool {
    /// The command that saves a process, which goes on.
    fn dump(&self, pid: i32, place: &Path) -> Result<Command>;
    /// How long the target stood still.
    fn frozen(&self, output: &str, place: &Path) -> Result<f64>;
    /// The command that brings it back and leaves it alone.
    fn restart(&self, place: &Path) -> Command;
}

fn measure(subject: &Subject, tool: &impl Tool) -> Result<Times> {
    let dir = PathBuf::from(PLACE).join("round");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(dir.join("state"))?;
    let state = dir.join("state");
    let context = Context::new("bench", &dir);
    // A session of its own, which CRIU wants.
    let program = Program::own(&context, subject.program[0])
        .args(&subject.program[1..])
        .through(&["setsid"]);
    let mut target = program.patience(300).start()?;
    target.wait_ready()?;

    let (dump, output) = timed(&mut tool.dump(target.pid, &state)?)?;
    let frozen = tool.frozen(&output, &state)?;
    target.is_unharmed()?;
    target.kill()?;
    let restart = if subject.restart.is_empty() {
        0.0
    } else {
        let (restart, _) = timed(&mut tool.restart(&state))?;
        ensure!(alive(target.pid), "the program is not there after the restart");
        target.revived();
        goes_on(&mut target)?;
        restart
    };
    Ok(Times { dump, frozen, restart })
}

/// The restarted program is whole: it checks itself and ends.
fn goes_on(target: &mut Target) -> Result {
    target.go()?;
    let said = wait_until(PATIENCE * 5, || target.output().ends_with("OK\n").then_some(()));
    ensure!(
        said.is_some(),
        "the restarted program does not end well: {:?}",
        target.lines().last()
    );
    target.kill()
}

fn timed(command: &mut Command) -> Result<(f64, String)> {
    let out = PathBuf::from(PLACE).join("command-output");
    let file = fs::File::create(&out)?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let start = Instant::now();
    let status = command.status()?;
    let time = start.elapsed();
    let text = fs::read_to_string(&out).unwrap_or_default();
    ensure!(status.success(), "{command:?}: {status}: {text}");
    Ok((milliseconds(time), text))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

struct Ckpt;

impl Tool for Ckpt {
    fn dump(&self, pid: i32, place: &Path) -> Result<Command> {
        let mut command = Command::new(CKPTCTL);
        command
            .args(["checkpoint", "--json", &pid.to_string(), "-o"])
            .arg(place.join("x.ckpt"));
        Ok(command)
    }

    fn frozen(&self, output: &str, _place: &Path) -> Result<f64> {
        let number = output
            .split("\"frozen_ms\":")
            .nth(1)
            .and_then(|rest| rest.split([',', '}']).next());
        match number.and_then(|number| number.trim().parse().ok()) {
            Some(time) => Ok(time),
            None => fail!("no frozen_ms in {output}"),
        }
    }

    fn restart(&self, place: &Path) -> Command {
        let mut command = Command::new(CKPTCTL);
        command.arg("restart").arg(place.join("x.ckpt")).arg("--detach");
        command
    }
}

struct Criu;

impl Tool for Criu {
    fn dump(&self, pid: i32, place: &Path) -> Result<Command> {
        let mut command = Command::new("criu");
        command.args(["dump", "-R", "-t", &pid.to_string(), "-D"]).arg(place);
        Ok(command)
    }

    /// The file stats-dump: two magic numbers, a length, and a message whose field 1 is a message whose field 2 is the
    /// time in microseconds.
    fn frozen(&self, _output: &str, place: &Path) -> Result<f64> {
        let bytes = fs::read(place.join("stats-dump"))?;
        let time = bytes
            .get(12..)
            .and_then(|entry| field(entry, 1))
            .and_then(|(_, dump)| field(dump, 2));
        match time {
            Some((micros, _)) => Ok(micros as f64 / 1000.0),
            None => fail!("criu's stats-dump has no frozen_time"),
        }
    }

    fn restart(&self, place: &Path) -> Command {
        let mut command = Command::new("criu");
        command.args(["restore", "-d", "-D"]).arg(place);
        command
    }
}

/// A field of a protobuf message: its number value, or its bytes.
fn field(mut message: &[u8], wanted: u64) -> Option<(u64, &[u8])> {
    loop {
        let key = varint(&mut message)?;
        let (mut value, mut bytes) = (0, &[][..]);
        match key & 7 {
            0 => value = varint(&mut message)?,
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                bytes = message.get(..length)?;
                message = &message[length..];
            }
            1 => message = message.get(8..)?,
            5 => message = message.get(4..)?,
            _ => return None,
        }
        if key >> 3 == wanted {
            return Some((value, bytes));
        }
    }
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn reads_nested_numbers() {
        // { 1: { 1: 5, 2: 300 } }
        let message = [0x0a, 5, 0x08, 5, 0x10, 0xac, 0x02];
        let (_, inner) = field(&message, 1).unwrap();
        assert_eq!(field(inner, 2).unwrap().0, 300);
        assert!(field(inner, 3).is_none());
    }
}
