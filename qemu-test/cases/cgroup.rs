// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind cgroup: where processes are below the cgroup of the first one.

use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::process::{children, reap_zombies, wait_until, PATIENCE};
use harness::{ensure, Case, Context, Program, Result, Target, CKPTCTL};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const MOUNT: &str = "/sys/fs/cgroup";
/// The first process enters one cgroup, its child another one.
const SCRIPT: &str = "mkdir -p $0 $1; echo 0 >$0/cgroup.procs; sleep 1000 & echo $! >$1/cgroup.procs; echo ready
    while [ ! -e $CKPT_GO ]; do sleep 0.05; done; grep -q ^0:.*/one/two$ /proc/$!/cgroup && kill $! && echo OK";

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        Case::new("cgroup/keeps_who_is_below", below).limit(120),
        Case::new("cgroup/warns_of_who_is_elsewhere", elsewhere),
    ]
}

fn start(context: &Context, own: &Path, child: &Path) -> Result<Target> {
    let [own, child] = [own, child].map(|dir| dir.display().to_string());
    let mut target = Program::command(context, &["bash", "-c", SCRIPT, &own, &child]).start()?;
    target.wait_ready()?;
    Ok(target)
}

/// Removes cgroups that have no tasks any more, innermost first.
fn remove(dirs: &[&Path]) -> Result {
    for dir in dirs {
        let removed = wait_until(PATIENCE, || {
            reap_zombies();
            (!dir.exists() || fs::remove_dir(dir).is_ok()).then_some(())
        });
        ensure!(removed.is_some(), "{} cannot be removed", dir.display());
    }
    Ok(())
}

fn cgroup_of(pid: i32) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("0::"))
        .unwrap_or_default()
        .to_owned()
}

/// In a cgroup that is still there, in the restarter's where there is no file system for them, in one that is made again.
fn below(context: &Context) -> Result {
    let file = context.path("cgroup.ckpt");
    let own = Path::new(MOUNT).join("ckpt-case");
    let [one, two] = ["one", "one/two"].map(|name| own.join(name));
    let mut target = start(context, &own, &two)?;
    target.checkpoint_kill(&file)?;

    let restart = |through: &[&str]| {
        let name = file.to_string_lossy();
        let words = [through, &[CKPTCTL, "restart", "--detach", &name]].concat();
        let mut command = Command::new(words[0]);
        ckptctl::finish(command.args(&words[1..]).stdin(Stdio::null()))?.expect(exit::DONE)
    };
    let enter = format!("echo 0 >{}/cgroup.procs; exec \"$@\"", own.display());
    let done = restart(&["bash", "-c", &enter, "bash"]).during("where they were")?;
    ensure!(!done.err.contains("cgroup"), "it warns: {}", done.err);
    let places = |target: &Target| -> Vec<String> {
        [target.pid]
            .into_iter()
            .chain(children(target.pid))
            .map(cgroup_of)
            .collect()
    };
    let found = places(&target);
    ensure!(found[0] == "/ckpt-case", "it is in {found:?}");
    ensure!(
        found.contains(&"/ckpt-case/one/two".to_owned()),
        "its child is in {found:?}"
    );

    target.revived();
    target.checkpoint_kill(&file).during("saved again")?;
    let none = ["unshare", "-m", "sh", "-c", "umount /sys/fs/cgroup; exec \"$@\"", "sh"];
    restart(&none)
        .during("without cgroups")?
        .names(&["cgroup", "/one/two"])?;
    let found = places(&target);
    ensure!(found.iter().all(|place| *place == found[0]), "they are in {found:?}");
    target.revived();
    target.kill()?;

    remove(&[&two, &one, &own])?;
    restart(&[]).during("made again")?.names(&["/one/two is made again"])?;
    target.revived();
    fs::write(context.path("go"), "")?;
    target.wait_good_end()?;
    let base = Path::new(MOUNT).join(cgroup_of(std::process::id() as i32).trim_start_matches('/'));
    remove(&[&base.join("one/two"), &base.join("one")])
}

/// Beside the first process's cgroup: it comes back in the restarter's.
fn elsewhere(context: &Context) -> Result {
    let [own, other] = ["ckpt-case", "ckpt-other"].map(|name| Path::new(MOUNT).join(name));
    let mut target = start(context, &own, &other)?;
    let check = ckptctl::run(&["check", &target.pid.to_string()]);
    target.kill()?;
    remove(&[&own, &other])?;
    check?
        .expect(exit::DONE)?
        .names(&["its cgroup is not below that of the first process"])
}
