// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Containers in user namespaces. Their pids differ outside, so they are no targets of the usual kind.

use harness::case::During;
use harness::ckptctl::{self, exit, Done};
use harness::process::{descendants, status_field, wait_until, PATIENCE};
use harness::{ensure, fail, Context, Result, CKPTCTL};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

pub const USER: &[&str] = &["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"];
const OTHER: &[&str] = &["setpriv", "--reuid=1001", "--regid=1001", "--clear-groups"];
const CONTAINER: &[&str] = &[
    "unshare",
    "--user",
    "--map-root-user",
    "--pid",
    "--fork",
    "--mount-proc",
    "--kill-child",
];

/// A command of ckptctl, started by another command.
pub fn by(through: &[&str], words: &[&str]) -> Command {
    let words = [through, &[CKPTCTL], words].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    command
}

/// Makes a file or the device accessible for everybody.
pub fn open_up(path: &str) -> Result {
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o666))?)
}

/// A container: its launcher, and what it says.
pub struct Container {
    launcher: Child,
    out: PathBuf,
    file: PathBuf,
    go: PathBuf,
}

impl Container {
    /// Starts one, through commands.
    pub fn start(context: &Context, through: &[&[&str]], args: &[&str]) -> Result<Self> {
        Self::of(context, "ns_user", through, args)
    }

    /// The same with another program in it.
    fn of(context: &Context, program: &str, through: &[&[&str]], args: &[&str]) -> Result<Self> {
        let mut words: Vec<String> = through.concat().iter().map(|word| (*word).to_owned()).collect();
        words.push(format!("{}/{program}", harness::PROGRAMS));
        words.extend(args.iter().map(|arg| (*arg).to_owned()));
        let [out, file, go] = ["said", "rootless.ckpt", "go"].map(|name| context.path(name));
        let said = File::create(&out)?;
        open_up(&out.to_string_lossy())?;
        fs::create_dir(context.path("mnt"))?;
        fs::set_permissions(context.dir(), fs::Permissions::from_mode(0o777))?;
        let launcher = Command::new(&words[0])
            .args(&words[1..])
            .current_dir(context.dir())
            .env("CKPT_GO", &go)
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()?;
        let mut this = Self {
            launcher,
            out,
            file,
            go,
        };
        let ready = wait_until(PATIENCE, || this.says("ready").then_some(()));
        if ready.is_none() {
            let _ = this.launcher.kill();
            fail!("it is not ready: {}", fs::read_to_string(&this.out)?);
        }
        Ok(this)
    }

    fn says(&self, word: &str) -> bool {
        fs::read_to_string(&self.out).is_ok_and(|said| said.lines().any(|line| line == word))
    }

    /// Pid of the container's init.
    pub fn init(&self) -> Result<String> {
        let is_init = |pid: &i32| {
            let pids = status_field(*pid, "NSpid").unwrap_or_default();
            let mut pids = pids.split_whitespace().rev();
            pids.next() == Some("1") && pids.next().is_some()
        };
        let found = || descendants(self.launcher.id() as i32).into_iter().find(is_init);
        match wait_until(PATIENCE, found) {
            Some(pid) => Ok(pid.to_string()),
            None => fail!("there is no container: {}", fs::read_to_string(&self.out)?),
        }
    }

    fn checkpoint(&self, through: &[&str], extra: &[&str]) -> Result<Done> {
        let (pid, file) = (self.init()?, self.file.to_string_lossy());
        let words = [&["checkpoint", "--container", &pid, "-o", &file], extra].concat();
        ckptctl::finish(&mut by(through, &words))
    }

    /// Saves it, whereupon its launcher ends. Where the statefile is.
    pub fn save_and_kill(&mut self, through: &[&str]) -> Result<PathBuf> {
        let _ = fs::remove_file(&self.file);
        self.checkpoint(through, &["--kill"])?
            .expect(exit::DONE)
            .during("checkpoint")?;
        let ended = wait_until(PATIENCE, || self.launcher.try_wait().ok().flatten());
        ensure!(ended.is_some(), "the launcher of the container does not end");
        open_up(&self.file.to_string_lossy())?;
        Ok(self.file.clone())
    }

    /// Its init is there before it goes on.
    fn restart(&mut self, through: &[&str]) -> Result {
        let said = self.file.with_extension("said");
        let mut command = by(through, &["--verbose", "restart", &self.file.to_string_lossy()]);
        self.launcher = command.stderr(File::create(&said)?).spawn()?;
        let goes_on = || {
            fs::read_to_string(&said)
                .is_ok_and(|said| said.contains("goes on"))
                .then_some(())
        };
        match wait_until(PATIENCE, goes_on) {
            Some(()) => self.init().during("restart").map(drop),
            None => fail!("it does not go on: {}", fs::read_to_string(&said)?),
        }
    }

    /// It finds everything as it was.
    fn ends_well(mut self) -> Result {
        fs::write(&self.go, "")?;
        let status = wait_until(PATIENCE, || self.launcher.try_wait().ok().flatten());
        let said = fs::read_to_string(&self.out)?;
        ensure!(
            status.is_some_and(|status| status.success()) && self.says("OK"),
            "it ended with {status:?}: {said}"
        );
        Ok(())
    }
}

/// Whoever may do everything saves and restarts what a user has made; it stays that user's.
pub fn by_root(context: &Context) -> Result {
    let mut container = Container::start(context, &[USER, CONTAINER], &[])?;
    container.checkpoint(&[], &[])?.expect(exit::DONE)?;
    for _ in 0..2 {
        container.save_and_kill(&[])?;
        container.restart(&[])?;
    }
    let device = libckpt::uapi::ioctl::DEVICE;
    open_up(device)?;
    let checked = ckptctl::finish(&mut by(USER, &["check", "--container", &container.init()?]));
    fs::set_permissions(device, fs::Permissions::from_mode(0o600))?;
    checked?.expect(exit::DONE).during("check by its owner")?;
    container.ends_well()
}

/// The user that has made it does both.
pub fn by_user(context: &Context) -> Result {
    program_by_user(context, "ns_user")
}

/// The same with another program in it.
pub fn program_by_user(context: &Context, program: &str) -> Result {
    let device = libckpt::uapi::ioctl::DEVICE;
    let mut container = Container::of(context, program, &[USER, CONTAINER], &[])?;
    open_up(device)?;
    let moved = (0..2).try_for_each(|_| {
        container.save_and_kill(USER)?;
        container.restart(USER)
    });
    fs::set_permissions(device, fs::Permissions::from_mode(0o600))?;
    moved?;
    container.ends_well()
}

/// Groups that the container has no number for are those of whoever made it. Somebody without them is told so, though inside
/// one group without a number looks like the other.
pub fn groups_without_numbers(context: &Context) -> Result {
    const MEMBER: &[&str] = &["setpriv", "--reuid=1000", "--regid=1000", "--groups=1010"];
    const OTHER_MEMBER: &[&str] = &["setpriv", "--reuid=1000", "--regid=1000", "--groups=1011"];
    let device = libckpt::uapi::ioctl::DEVICE;
    let mut container = Container::start(context, &[MEMBER, CONTAINER], &[])?;
    open_up(device)?;
    let moved = (|| {
        container.save_and_kill(MEMBER)?;
        let words = ["restart", &container.file.to_string_lossy()];
        let by_other = ckptctl::finish(&mut by(OTHER_MEMBER, &words))?;
        ensure!(by_other.code != exit::DONE, "it has been restarted with another group");
        by_other.names(&["supplementary groups"])?;
        container.restart(MEMBER)
    })();
    fs::set_permissions(device, fs::Permissions::from_mode(0o600))?;
    moved?;
    let groups = status_field(container.init()?.parse().unwrap_or_default(), "Groups");
    ensure!(
        groups.as_deref().map(str::trim) == Some("1010"),
        "its groups are {groups:?}"
    );
    container.ends_well()
}

/// Two ranges of ids, and processes of several users.
pub fn many_ids(context: &Context) -> Result {
    let mut container = Container::start(context, &[], &["many"])?;
    for _ in 0..2 {
        container.save_and_kill(&[])?;
        container.restart(&[])?;
    }
    container.ends_well()
}

/// Another user gets neither the owner nor the ids of a container, and is told so.
pub fn not_by_others(context: &Context) -> Result {
    let device = libckpt::uapi::ioctl::DEVICE;
    let mut container = Container::start(context, &[USER, CONTAINER], &[])?;
    container.save_and_kill(&[])?;
    open_up(device)?;
    let done = ckptctl::finish(&mut by(OTHER, &["restart", &container.file.to_string_lossy()]));
    fs::set_permissions(device, fs::Permissions::from_mode(0o600))?;
    let done = done?;
    ensure!(done.code != exit::DONE, "another user has restarted it");
    done.names(&["user namespace", "1000"])
}

/// Processes that enter a container of a user come back in its user namespace, by root and by the user.
pub fn entered(context: &Context) -> Result {
    let device = libckpt::uapi::ioctl::DEVICE;
    let mut container = Container::start(context, &[USER, CONTAINER], &[])?;
    open_up(device)?;
    let said = context.path("entered");
    let script = format!(
        "exec </dev/null >>{said} 2>&1; read -r _ _ _ parent _ session _ </proc/$$/stat; echo $parent $session $(id -u)
        while [ ! -e {go} ]; do sleep 0.1; done; read -r _ _ _ parent _ session _ </proc/$$/stat
        echo $parent $session $(id -u)",
        said = said.display(),
        go = context.path("leave").display()
    );
    let lines = |wanted: &str| {
        let found = wait_until(PATIENCE, || {
            fs::read_to_string(&said).ok().filter(|have| have == wanted)
        });
        ensure!(
            found.is_some(),
            "it said {:?}, not {wanted:?}",
            fs::read_to_string(&said)
        );
        Ok(())
    };
    let moved = (|| {
        let init = container.init()?;
        let nsenter = [
            "nsenter",
            "-t",
            &init,
            "--user",
            "--pid",
            "--mount",
            "--preserve-credentials",
        ];
        let words = [USER, &nsenter, &["sh", "-c", &script]].concat();
        let mut guest = Command::new(words[0]).args(&words[1..]).spawn()?;
        lines("0 0 0\n")?;
        for through in [&[][..], USER, &[]] {
            container.save_and_kill(through).during("saved")?;
            container.restart(through).during("restarted")?;
        }
        guest.wait()?;
        fs::write(context.path("leave"), "")?;
        lines("0 0 0\n0 0 0\n")
    })();
    fs::set_permissions(device, fs::Permissions::from_mode(0o600))?;
    moved?;
    container.ends_well()
}
