// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Arguments.

use crate::exit::Failed;
use crate::jobs;
use crate::text;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use libckpt::{init_of_pid_namespace, is_job, parse_policies, ChangedFiles, External, Files, Policy, Scope, Stdio};
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

/// Save running programs and bring them back.
#[derive(Debug, Parser)]
#[command(
    name = "ckptctl",
    version,
    max_term_width = 100,
    after_help = "ckptctl(8) has exit statuses and examples."
)]
pub struct Cli {
    /// Write results and errors as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing but errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more.
    #[arg(short, long, global = true)]
    pub verbose: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what the module is and can do on this kernel.
    Info,
    /// Show everything that stands in the way of saving a process and its descendants, without touching them.
    Check(Check),
    /// Save a process with all its descendants.
    Checkpoint(Checkpoint),
    /// Bring saved processes back.
    Restart(Restart),
    /// Run a job for a load manager, and save it from time to time or at a signal.
    Run(Run),
    /// Verify a statefile and show what is in it.
    Inspect(Inspect),
    /// Stop a process and its descendants until this command ends.
    Freeze(Freeze),
    /// Let a process go on that `ckptctl freeze` holds.
    Thaw(Thaw),
    /// Print a completion script for a shell.
    Completions(Completions),
}

/// The process that a command is about.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub struct Who {
    /// Process id.
    #[arg(value_parser = pid)]
    pid: Option<u32>,
    /// The job that `ckptctl run` has given this name.
    #[arg(short, long, value_parser = name)]
    name: Option<String>,
    /// All processes of the pid namespace that this file stands for, as /proc/PID/ns/pid does.
    #[arg(long, value_name = "FILE")]
    pidns: Option<PathBuf>,
}

impl Who {
    /// Its process id.
    pub fn pid(&self) -> Result<u32, Failed> {
        match (self.pid, &self.name, &self.pidns) {
            (Some(pid), ..) => Ok(pid),
            (_, Some(name), _) => jobs::find(name),
            (.., Some(path)) => {
                let file =
                    File::open(path).map_err(|error| Failed::io(format!("cannot open {}", path.display()), error))?;
                Ok(init_of_pid_namespace(file.as_fd())?)
            }
            _ => Err(Failed::Usage("no process is named".into())),
        }
    }
}

/// What belongs to the target besides the named process.
#[derive(Args, Clone, Copy, Debug)]
pub struct Target {
    /// Only this process: that it has children is an obstacle.
    #[arg(long, conflicts_with_all = ["container", "pidns", "job"])]
    process: bool,
    /// All processes of its pid namespace.
    #[arg(long)]
    container: bool,
    /// Also its orphans, which its parent has adopted: all children of that, with their descendants. A job of `ckptctl run` is saved so
    /// in any case.
    #[arg(long, conflicts_with_all = ["container", "pidns"])]
    job: bool,
}

impl Target {
    pub fn scope(self, who: &Who) -> Scope {
        match (self.process, self.container || who.pidns.is_some()) {
            (true, _) => Scope::Process,
            (_, true) => Scope::Container,
            _ if self.job || who.name.is_some() || who.pid.is_some_and(is_job) => Scope::Job,
            _ => Scope::Tree,
        }
    }
}

/// What becomes of what cannot be saved.
#[derive(Args, Clone, Debug)]
pub struct Policies {
    /// What becomes of open and mapped files that cannot be saved, and whose name fits PATTERN (`/dev/dri/*`, `socket:*`; the first that
    /// fits decides): `refuse` (the default), `close` (each use of the descriptor says EBADF, mapped memory cannot be accessed),
    /// `replace:/PATH` (that file is opened in its place), `kill` (its process is killed at restart). `tty:*` is the controlling
    /// terminal of a session whose other end is outside. May be repeated.
    #[arg(long, value_name = "PATTERN=ACTION")]
    policy: Vec<Policy>,
    /// More policies, one a line, which come after those of the command line.
    #[arg(long, value_name = "FILE")]
    policies: Option<PathBuf>,
}

impl Policies {
    pub fn read(&self) -> Result<Vec<Policy>, Failed> {
        let mut policies = self.policy.clone();
        if let Some(path) = &self.policies {
            let name = path.display();
            let text = fs::read_to_string(path).map_err(|error| Failed::io(format!("cannot read {name}"), error))?;
            policies.extend(parse_policies(&text).map_err(|wrong| Failed::Usage(format!("{name}: {wrong}")))?);
        }
        Ok(policies)
    }

    /// The same for another command.
    pub fn arguments(&self) -> Vec<OsString> {
        let one_by_one = self
            .policy
            .iter()
            .flat_map(|policy| ["--policy".into(), policy.to_string().into()]);
        let file = self.policies.iter().flat_map(|path| ["--policies".into(), path.into()]);
        one_by_one.chain(file).collect()
    }
}

#[derive(Args, Debug)]
pub struct Check {
    #[command(flatten)]
    pub who: Who,
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub policies: Policies,
}

#[derive(Args, Debug)]
pub struct Checkpoint {
    #[command(flatten)]
    pub who: Who,
    /// Where the statefile goes; `-` is standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub policies: Policies,
    /// A program that is asked at the stages: `HOOK pre-dump PID`, `HOOK freeze PID` and `HOOK resume PID`. May be repeated.
    #[arg(long, value_name = "PROGRAM")]
    pub hook: Vec<PathBuf>,
    /// Carry the contents of regular files that are open for writing (`written`, also without a value) or open at all (`all`): a restart
    /// puts them back, whatever has become of the files since.
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "written",
          value_parser = files)]
    pub with_files: Option<Files>,
    /// Kill the processes when the statefile is safe.
    #[arg(long, conflicts_with = "stop")]
    pub kill: bool,
    /// Leave the processes stopped, as by SIGSTOP, when the statefile is safe.
    #[arg(long)]
    pub stop: bool,
    /// How long to wait for the processes to stand still.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub timeout: Duration,
    /// Give up when the parent, which has this pid, dies.
    #[arg(long, hide = true, value_name = "PID", value_parser = pid)]
    pub tied: Option<u32>,
}

#[derive(Args, Debug)]
pub struct Run {
    /// A name for the job, by which other commands find it.
    #[arg(short, long, value_parser = name)]
    pub name: Option<String>,
    /// Give the job a pid namespace of its own: its process ids are free wherever it is restarted.
    #[arg(long)]
    pub pidns: bool,
    /// Where the statefile goes. What is there stays until the next one is complete.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Restart the job from FILE, if there is a sound statefile; otherwise start the command.
    #[arg(long, requires = "output")]
    pub resume: bool,
    /// Save the job this often: 90 (seconds), 15m, 6h, 1h30m.
    #[arg(long, value_name = "DURATION", value_parser = text::duration, requires = "output")]
    pub every: Option<Duration>,
    /// Save the job when this signal comes, instead of handing it on. After `stop` the job is ended; with `continue` (the
    /// default) it goes on.
    #[arg(long, value_name = "SIGNAL[=stop|continue]", value_parser = on, requires = "output")]
    pub on: Vec<On>,
    /// Give up a checkpoint that is not complete so long after its signal. A job that was to be ended gets SIGTERM then.
    #[arg(long, value_name = "DURATION", value_parser = text::duration, requires = "on")]
    pub grace: Option<Duration>,
    /// Exit status that says: the job is saved and ended, queue it again.
    #[arg(long, value_name = "STATUS", default_value = "85")]
    pub exit_code: u8,
    /// How long to wait for the job to stand still.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub timeout: Duration,
    #[command(flatten)]
    pub policies: Policies,
    /// A program that is asked at the stages of each checkpoint, and of the restart: see `ckptctl checkpoint` and `ckptctl restart`. May
    /// be repeated.
    #[arg(long, value_name = "PROGRAM")]
    pub hook: Vec<PathBuf>,
    /// As of `ckptctl checkpoint`.
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "written",
          value_parser = files)]
    pub with_files: Option<Files>,
    /// For --resume, as of `ckptctl restart`.
    #[arg(long, value_name = "WHAT", default_value = "inherit", value_parser = stdio)]
    pub stdio: Stdio,
    /// For --resume, as of `ckptctl restart`.
    #[arg(long, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_value = "warn",
          default_missing_value = "ignore", value_parser = changed_files)]
    pub changed_files: ChangedFiles,
    /// The command with its arguments.
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// What to do at a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct On {
    /// Its number.
    pub signal: i32,
    /// End the job when it is saved.
    pub stop: bool,
}

#[derive(Args, Debug)]
pub struct Restart {
    /// The statefile; `-` is standard input.
    pub file: PathBuf,
    /// Print the process id and end, instead of waiting for the program.
    #[arg(short, long)]
    pub detach: bool,
    /// What the program's inherited terminal or pipes become: `inherit` (those of this command), `null`, or
    /// `file:PATH` (appended to).
    #[arg(long, value_name = "WHAT", default_value = "inherit", value_parser = stdio)]
    pub stdio: Stdio,
    /// Files that have been replaced or changed since: `warn` of open ones and refuse mapped ones, `refuse` both, or `ignore`
    /// (also without a value).
    #[arg(long, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_value = "warn",
          default_missing_value = "ignore", value_parser = changed_files)]
    pub changed_files: ChangedFiles,
    /// Restart in a fresh pid namespace, where all the saved process ids are free.
    #[arg(long)]
    pub new_pidns: bool,
    /// Restart in a fresh user namespace with a fresh pid namespace, which takes no privilege.
    #[arg(long)]
    pub new_userns: bool,
    /// What takes the place of something outside: `veth[NAME]=NEW` names the new other end of a network device, `mnt[PATH]=NEW` says
    /// from where comes what was mounted from PATH. May be repeated.
    #[arg(long, value_name = "WHAT")]
    pub external: Vec<External>,
    /// A program that is asked when the restarted program goes on: `HOOK restart PID`. May be repeated.
    #[arg(long, value_name = "PROGRAM")]
    pub hook: Vec<PathBuf>,
}

#[derive(Args, Debug)]
pub struct Inspect {
    /// The statefile; `-` is standard input.
    pub file: PathBuf,
    /// List every record.
    #[arg(long)]
    pub records: bool,
}

#[derive(Args, Debug)]
pub struct Freeze {
    #[command(flatten)]
    pub who: Who,
    #[command(flatten)]
    pub target: Target,
    /// How long to wait for the processes to stand still.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub timeout: Duration,
    /// Thaw after this time; otherwise at SIGINT, SIGTERM, SIGHUP or `ckptctl thaw`.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub hold: Option<Duration>,
}

#[derive(Args, Debug)]
pub struct Thaw {
    #[command(flatten)]
    pub who: Who,
}

#[derive(Args, Debug)]
pub struct Completions {
    /// The shell.
    pub shell: Shell,
}

fn pid(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(pid) if i32::try_from(pid).is_ok_and(|pid| pid > 0) => Ok(pid),
        _ => Err("a process id is a number above 0".into()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || "not a number of seconds".to_owned();
    let seconds: f64 = text.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

fn on(text: &str) -> Result<On, String> {
    let (signal, then) = text.split_once('=').unwrap_or((text, "continue"));
    let stop = match then {
        "stop" => true,
        "continue" => false,
        _ => return Err("after the signal comes =stop or =continue".into()),
    };
    match text::signal_number(signal) {
        Some(9 | 17 | 19) => Err("this signal cannot be waited for".into()),
        Some(signal) => Ok(On { signal, stop }),
        None => Err("not a signal".into()),
    }
}

fn name(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.+@".contains(c);
    match text {
        "" => Err("a name has a character".into()),
        _ if text.len() > 200 => Err("a name has no more than 200 characters".into()),
        _ if text.starts_with('.') || !text.chars().all(allowed) => {
            Err("a name is made of letters, digits and -_.+@, and does not begin with a dot".into())
        }
        _ => Ok(text.into()),
    }
}

fn files(text: &str) -> Result<Files, String> {
    match text {
        "written" => Ok(Files::Written),
        "all" => Ok(Files::All),
        _ => Err("it is neither written nor all".to_owned()),
    }
}

fn changed_files(text: &str) -> Result<ChangedFiles, String> {
    match text {
        "warn" => Ok(ChangedFiles::Warn),
        "refuse" => Ok(ChangedFiles::Refuse),
        "ignore" => Ok(ChangedFiles::Ignore),
        _ => Err("it is neither warn, refuse nor ignore".to_owned()),
    }
}

fn stdio(text: &str) -> Result<Stdio, String> {
    match (text, text.strip_prefix("file:")) {
        ("inherit", _) => Ok(Stdio::Inherit),
        ("null", _) => Ok(Stdio::Null),
        (_, Some(path)) if !path.is_empty() => Ok(Stdio::File(path.into())),
        _ => Err("one of inherit, null, file:PATH".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn reads_what_belongs_to_the_target() {
        let scope = |options: &[&str]| {
            let arguments = [&["ckptctl", "check", "1"], options].concat();
            match Cli::try_parse_from(arguments).unwrap().command {
                Command::Check(check) => check.target.scope(&check.who),
                _ => unreachable!(),
            }
        };
        assert_eq!(scope(&[]), Scope::Tree);
        assert_eq!(scope(&["--process"]), Scope::Process);
        assert_eq!(scope(&["--container"]), Scope::Container);
        assert_eq!(scope(&["--job"]), Scope::Job);
    }

    #[test]
    fn reads_values() {
        assert_eq!(pid("1"), Ok(1));
        assert!(pid("0").is_err() && pid("-1").is_err() && pid("4294967295").is_err());
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert!(seconds("-1").is_err() && seconds("nan").is_err());
        assert_eq!(stdio("file:/tmp/log"), Ok(Stdio::File("/tmp/log".into())));
        assert!(stdio("file:").is_err());
    }

    #[test]
    fn reads_a_job() {
        let words = "ckptctl run -n a -o f --on USR1=stop --on 12 --every 1h30m --grace 50 cmd -x -- y";
        let Command::Run(run) = Cli::try_parse_from(words.split(' ')).unwrap().command else {
            unreachable!()
        };
        let wanted = [(10, true), (12, false)].map(|(signal, stop)| On { signal, stop });
        assert_eq!(run.on, wanted);
        assert_eq!(run.every, Some(Duration::from_secs(5400)));
        assert_eq!(run.command, ["cmd", "-x", "--", "y"]);
        assert!(on("KILL").is_err() && on("USR1=end").is_err() && on("x").is_err());
        assert!(name("../x").is_err() && name("").is_err() && name("a.b-1").is_ok());
        for wrong in ["ckptctl run", "ckptctl run --every 5 x", "ckptctl run --resume x"] {
            assert!(Cli::try_parse_from(wrong.split(' ')).is_err(), "{wrong}");
        }
    }

    /// The man page is written by hand: it may not fall behind.
    #[test]
    fn the_man_page_has_every_command_and_option() {
        let page = include_str!("../man/ckptctl.8").replace("\\-", "-");
        for command in Cli::command().get_subcommands() {
            assert!(
                page.contains(&format!(".SS {}", command.get_name())),
                "{}",
                command.get_name()
            );
            for argument in command
                .get_arguments()
                .filter(|argument| !argument.is_hide_set())
                .filter_map(clap::Arg::get_long)
            {
                assert!(
                    page.contains(&format!("--{argument}")),
                    "{} --{argument}",
                    command.get_name()
                );
            }
        }
    }
}
