// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! CPU affinity of threads, with and without a cpuset that leaves the restarter two of four CPUs.

use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::process::{wait_until, PATIENCE};
use harness::{ensure, skip, Context, Program, Result, Target, CKPTCTL};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A cgroup with these CPUs, for as long as this lives.
struct Cpuset(PathBuf);

impl Cpuset {
    fn new(cpus: &str) -> Result<Self> {
        let root = Path::new("/sys/fs/cgroup");
        if fs::write(root.join("cgroup.subtree_control"), "+cpuset").is_err() {
            skip!("there is no cpuset controller");
        }
        let cpuset = Self(root.join("ckpt-affinity"));
        fs::create_dir(&cpuset.0)?;
        fs::write(cpuset.0.join("cpuset.cpus"), cpus)?;
        Ok(cpuset)
    }

    /// ckptctl restart by somebody who lives in it.
    fn restart(&self, file: &Path) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", "echo $$ >\"$1\" && exec \"$2\" restart \"$3\" --detach", "sh"])
            .arg(self.0.join("cgroup.procs"))
            .arg(CKPTCTL)
            .arg(file);
        command
    }
}

impl Drop for Cpuset {
    fn drop(&mut self) {
        wait_until(PATIENCE, || fs::remove_dir(&self.0).ok());
        let _ = fs::write("/sys/fs/cgroup/cgroup.subtree_control", "-cpuset");
    }
}

fn tids(target: &Target) -> Vec<i32> {
    let entries = fs::read_dir(format!("/proc/{}/task", target.pid)).into_iter().flatten();
    let mut tids: Vec<i32> = entries
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse().ok())
        .collect();
    tids.sort_unstable();
    tids
}

fn pin(tid: i32, cpus: &str) -> Result {
    let done = ckptctl::finish(Command::new("taskset").args(["-pc", cpus, &tid.to_string()]))?;
    ensure!(done.code == 0, "taskset: {}", done.err);
    Ok(())
}

/// The threads may run on these CPUs.
fn expect(target: &Target, wanted: &[&str]) -> Result {
    let field = |tid: &i32| {
        let status = fs::read_to_string(format!("/proc/{}/task/{tid}/status", target.pid)).unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
            .map(str::trim);
        line.unwrap_or("").to_owned()
    };
    let found: Vec<String> = tids(target).iter().map(field).collect();
    ensure!(found == wanted, "the threads may run on {found:?}, not {wanted:?}");
    Ok(())
}

/// What a thread has asked for is kept, also while it does not get all of it; who has not asked runs where the restarter may.
/// A thread that would get nothing of it is named.
pub fn kept(context: &Context) -> Result {
    let file = context.path("affinity.ckpt");
    let mut target = Program::own(context, "task_threads").args(&["3"]).start()?;
    target.wait_ready()?;
    let threads = tids(&target);
    ensure!(threads.len() == 4, "its threads are {threads:?}");
    for (tid, cpus) in threads.iter().zip(["0,2", "1", "1-3"]) {
        pin(*tid, cpus)?;
    }
    let free = ["0,2", "1", "1-3", "0-3"];
    expect(&target, &free).during("before")?;
    target.checkpoint_kill(&file)?;
    target.restart(&file)?;
    expect(&target, &free).during("restarted")?;
    target.checkpoint_kill(&file)?;

    let cpuset = Cpuset::new("0-1")?;
    let limited = |target: &mut Target| -> Result {
        let pid = ckptctl::detached(&mut cpuset.restart(&file))?;
        target.revived();
        ensure!(pid == target.pid, "restarted as {pid}, not as {}", target.pid);
        Ok(())
    };
    limited(&mut target).during("in a cpuset")?;
    expect(&target, &["0", "1", "1", "0-1"]).during("restarted in a cpuset")?;
    // What it does not get is not forgotten.
    target.checkpoint_kill(&file)?;
    target.restart(&file)?;
    expect(&target, &free).during("restarted outside of the cpuset again")?;

    pin(threads[1], "3")?;
    target.checkpoint_kill(&file)?;
    let done = ckptctl::finish(&mut cpuset.restart(&file))?.expect(exit::FAILED)?;
    done.names(&["CPU affinity"])?;
    ensure!(
        !harness::process::exists(target.pid),
        "a failed restart has left a process"
    );
    target.restart(&file)?;
    expect(&target, &["0,2", "3", "1-3", "0-3"]).during("restarted at last")?;
    target.finish()
}
