// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The job scripts of docs/HPC.md under a real Slurm: one node, daemons of this case, an ordinary user.

use harness::case::During;
use harness::ckptctl;
use harness::process::{self, wait_until, PATIENCE};
use harness::{ensure, fail, skip, Context, Result, PROGRAMS};
use rustix::process::Signal;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const USER: [&str; 4] = ["setpriv", "--reuid=user", "--regid=user", "--init-groups"];
/// Slurm wants an address that is not the loopback's; nobody else has this one.
const ADDRESS: &str = "192.0.2.1";
/// Steps of the solver, and milliseconds of each. Long enough for three signals that this case sends.
const SIGNALLED: [u32; 2] = [60, 700];
/// The same for a signal that Slurm sends.
const LIMITED: [u32; 2] = [100, 900];
/// Slurm looks at time limits twice a minute, and sends the signal half a minute early rather than late: so it comes 33 to 63 seconds after the
/// start. With a limit of one minute it could come at once, before there is somebody who hears it.
const LIMIT: [&str; 2] = ["--time=2", "--signal=B:USR1@57"];

/// The scripts of the document.
fn scripts() -> Vec<&'static str> {
    let blocks = include_str!("../../../docs/HPC.md").split("```sh\n").skip(1);
    blocks.filter_map(|block| block.split("```").next()).collect()
}

/// The signal comes before the limit, the job is requeued by its exit status or by its script, and ends with the results of
/// an undisturbed run.
pub fn requeues(context: &Context) -> Result {
    if !Path::new("/usr/sbin/slurmctld").exists() {
        skip!("there is no Slurm");
    }
    let [by_status, by_script] = scripts()[..] else {
        fail!("docs/HPC.md has other scripts")
    };
    fs::set_permissions("/dev/ckpt", fs::Permissions::from_mode(0o666))?;
    let _address = Address::add()?;
    {
        let expected = Solver::start(context, "script", SIGNALLED)?;
        let slurm = Slurm::start(context, "script", "")?;
        let job = slurm.submit(by_script, &[])?;
        slurm.run_to_the_end(&job, Some(3))?;
        slurm.stop()?;
        expected.compare(context, "script")?;
    }
    let expected = Solver::start(context, "status", LIMITED)?;
    let slurm = Slurm::start(context, "status", "RequeueExit=85\n")?;
    let job = slurm.submit(by_status, &LIMIT)?;
    slurm.run_to_the_end(&job, None)?;
    slurm.stop()?;
    expected.compare(context, "status")
}

/// An undisturbed run of the solver.
struct Solver {
    run: Child,
    output: PathBuf,
    steps: usize,
}

impl Solver {
    /// Makes the directory of a Slurm with the solver, and starts that once outside of it.
    fn start(context: &Context, name: &str, [steps, ms]: [u32; 2]) -> Result<Self> {
        let dir = context.path(name);
        let work = dir.join("work");
        fs::create_dir_all(&work)?;
        let solver = work.join("solver");
        fs::write(&solver, format!("#!/bin/sh\nexec {PROGRAMS}/run_solver {steps} {ms}\n"))?;
        fs::set_permissions(&solver, fs::Permissions::from_mode(0o755))?;
        let output = dir.join("undisturbed");
        let run = Command::new(&solver).stdout(File::create(&output)?).spawn()?;
        Ok(Self {
            run,
            output,
            steps: steps as usize,
        })
    }

    /// The job was saved and brought back at least once, and its output is that of this run.
    fn compare(mut self, context: &Context, name: &str) -> Result {
        let status = self.run.wait()?;
        ensure!(status.success(), "the solver: {status}");
        let undisturbed = ckptctl_free(&fs::read_to_string(&self.output)?);
        ensure!(
            undisturbed.len() == self.steps + 1,
            "the solver ended early: {undisturbed:?}"
        );
        let text = fs::read_to_string(context.path(name).join("work/out"))?;
        let count = |words: &str| text.lines().filter(|line| line.contains(words)).count();
        let (saved, back) = (count("has been ended (exit status 85)"), count("the job goes on"));
        ensure!(
            saved >= 1 && saved == back,
            "{name}: saved {saved} times, back {back} times:\n{text}"
        );
        ensure!(ckptctl_free(&text) == undisturbed, "{name}: other results:\n{text}");
        println!("{name}: requeued {saved} times");
        Ok(())
    }
}

impl Drop for Solver {
    fn drop(&mut self) {
        let _ = self.run.kill();
        let _ = self.run.wait();
    }
}

/// Without what ckptctl says.
fn ckptctl_free(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.starts_with("ckptctl: "))
        .map(str::to_owned)
        .collect()
}

/// The address of the node, while this lives.
struct Address;

impl Address {
    fn add() -> Result<Self> {
        ip("add")?;
        Ok(Self)
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        let _ = ip("del");
    }
}

fn ip(verb: &str) -> Result {
    let status = Command::new("ip")
        .args(["address", verb, &format!("{ADDRESS}/32"), "dev", "lo"])
        .status()?;
    ensure!(status.success(), "ip address {verb}: {status}");
    Ok(())
}

/// munged, slurmctld and slurmd.
struct Slurm {
    dir: PathBuf,
    daemons: Vec<Child>,
}

impl Slurm {
    fn start(context: &Context, name: &str, extra: &str) -> Result<Self> {
        let dir = context.path(name);
        for part in ["", "state", "spool", "munge", "work"] {
            fs::create_dir_all(dir.join(part))?;
            fs::set_permissions(dir.join(part), fs::Permissions::from_mode(0o755))?;
        }
        let work = dir.join("work");
        let owned = Command::new("chown").args(["user:user"]).arg(&work).status()?;
        ensure!(owned.success(), "chown: {owned}");
        // Munge does not trust directories that others may write to.
        fs::set_permissions(context.dir(), fs::Permissions::from_mode(0o755))?;
        fs::write(dir.join("munge/key"), [7; 128])?;
        fs::set_permissions(dir.join("munge/key"), fs::Permissions::from_mode(0o600))?;
        fs::write(dir.join("cgroup.conf"), "CgroupPlugin=disabled\n")?;
        fs::write(dir.join("slurm.conf"), configuration(&dir, extra))?;
        let mut slurm = Self {
            dir,
            daemons: Vec::new(),
        };
        let munge = |name: &str| slurm.dir.join("munge").join(name).display().to_string();
        let mut options = vec!["--foreground".to_owned(), "--force".into()];
        for (option, file) in [("key", "key"), ("pid", "pid"), ("log", "log"), ("seed", "seed")] {
            options.push(format!("--{option}-file={}", munge(file)));
        }
        options.push(format!("--socket={}", munge("socket")));
        let socket = slurm.dir.join("munge/socket");
        slurm.daemon("munged", Command::new("/usr/sbin/munged").args(options))?;
        slurm.until("munged", || socket.exists().then_some(()))?;
        slurm.daemon("slurmctld", Command::new("/usr/sbin/slurmctld").args(["-D", "-i"]))?;
        slurm.until("slurmctld", || {
            slurm.ask(&["scontrol", "ping"]).ok().filter(|text| text.contains("UP"))
        })?;
        slurm.daemon("slurmd", Command::new("/usr/sbin/slurmd").args(["-D", "-N", "guest"]))?;
        slurm.until("slurmd", || {
            slurm
                .ask(&["sinfo", "-h", "-o", "%T"])
                .ok()
                .filter(|text| text.trim() == "idle")
        })?;
        Ok(slurm)
    }

    fn daemon(&mut self, name: &str, command: &mut Command) -> Result {
        let log = File::create(self.dir.join(name).with_extension("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command
            .env("SLURM_CONF", self.dir.join("slurm.conf"))
            .spawn()
            .during(name)?;
        self.daemons.push(child);
        Ok(())
    }

    /// The ends of the daemons' logs.
    fn logs(&self) -> String {
        let logs = ["munged", "slurmctld", "slurmd"].map(|name| {
            let text = fs::read_to_string(self.dir.join(name).with_extension("log")).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            format!("{name}:\n{}\n", lines[lines.len().saturating_sub(15)..].join("\n"))
        });
        logs.concat()
    }

    fn until<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> Result<T> {
        match wait_until(PATIENCE * 4, look) {
            Some(value) => Ok(value),
            None => fail!("{what} does not come: {}", self.logs()),
        }
    }

    /// Output of one of Slurm's commands, called by the user.
    fn ask(&self, words: &[&str]) -> Result<String> {
        let mut command = Command::new(USER[0]);
        command.args(&USER[1..]).args(words).current_dir(self.dir.join("work"));
        command.env("SLURM_CONF", self.dir.join("slurm.conf"));
        command.env("PATH", "/ckpt:/usr/bin:/bin").env("OMP_NUM_THREADS", "4");
        Ok(ckptctl::finish(&mut command)?.expect(0).during(words[0])?.out)
    }

    fn submit(&self, script: &str, options: &[&str]) -> Result<String> {
        fs::write(self.dir.join("work/job"), script)?;
        let words = [&["sbatch", "--parsable", "--output=out"], options, &["job"]].concat();
        Ok(self.ask(&words)?.trim().to_owned())
    }

    /// Waits for the job's end. With `signals` that many signals are sent, each when the job has got on.
    fn run_to_the_end(&self, job: &str, signals: Option<usize>) -> Result {
        let lines = || {
            fs::read_to_string(self.dir.join("work/out"))
                .unwrap_or_default()
                .lines()
                .count()
        };
        for _ in 0..signals.unwrap_or(0) {
            let (wanted, mut cold) = (lines() + 6, true);
            self.until("the job", || {
                std::thread::sleep(Duration::from_millis(200));
                cold = lines() < wanted;
                (!cold).then_some(())
            })?;
            self.ask(&["scancel", "--batch", "--signal=USR1", job])?;
            self.until("requeueing", || self.state(job).filter(|state| state == "PENDING"))?;
        }
        self.until("end of the job", || {
            std::thread::sleep(Duration::from_millis(500));
            self.state(job)
                .filter(|state| !["PENDING", "RUNNING", "COMPLETING", "REQUEUED"].contains(&state.as_str()))
        })
        .and_then(|state| {
            ensure!(state == "COMPLETED", "the job is {state}: {}", self.logs());
            Ok(())
        })
    }

    fn state(&self, job: &str) -> Option<String> {
        let text = self.ask(&["scontrol", "show", "job", job]).ok()?;
        let word = text
            .split_whitespace()
            .find_map(|word| word.strip_prefix("JobState="))?;
        Some(word.to_owned())
    }

    fn stop(mut self) -> Result {
        for daemon in self.daemons.iter_mut().rev() {
            process::signal(daemon.id() as i32, Signal::TERM)?;
            let ended = wait_until(PATIENCE, || daemon.try_wait().ok().flatten());
            ensure!(
                ended.is_some(),
                "a daemon does not end: {}",
                process::describe(daemon.id() as i32)
            );
        }
        self.daemons.clear();
        Ok(())
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// One node, no accounting, no cgroups; a requeued job may start after five seconds.
fn configuration(dir: &Path, extra: &str) -> String {
    let dir = dir.display();
    format!(
        "ClusterName=guest
SlurmctldHost=guest({ADDRESS})
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={dir}/munge/socket,cred_expire=5
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=1,sched_interval=2
SlurmdParameters=config_overrides
StateSaveLocation={dir}/state
SlurmdSpoolDir={dir}/spool
SlurmctldPidFile={dir}/slurmctld.pid
SlurmdPidFile={dir}/slurmd.pid
SlurmctldDebug=info
KillWait=5
{extra}NodeName=guest NodeAddr={ADDRESS} CPUs=1 RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"
    )
}
