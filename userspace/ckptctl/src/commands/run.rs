// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! `ckptctl run`: run a job for a load manager.
//!
//! This process stands between the load manager and the job: signals go on, the end comes back. It is not saved, the job is.
//! Each checkpoint is a command of its own, so that this one is there for signals meanwhile, and can give it up at any time.

mod saver;

use crate::cli::Run;
use crate::commands::restart::asked;
use crate::exit::{Exit, Failed};
use crate::jobs::Name;
use crate::output::Output;
use libckpt::device::{die_by, Inherited, Received, Signals, SIGCHLD};
use libckpt::{enter_namespace_for_pids, statefile, Ended, Error, Job, JobChange, Placement, RestartOptions};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::process::Signal;
use rustix::thread::{capabilities, CapabilitySet};
use saver::{Saved, Saver};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Instant;

/// What is added to the exit status of a failure of ckptctl, so that it is not taken for the job's.
const OWN_FAILURE: u8 = 110;

pub fn run(args: &Run, output: &Output) -> Result<Exit, Failed> {
    let failed = match supervise(args, output) {
        Ok(exit) => return Ok(exit),
        Err(failed) => failed,
    };
    output.failure(&failed);
    let pids = matches!(&failed, Failed::Library(Error::PidsInUse(_) | Error::MayNotChoosePids));
    if pids && !args.pidns {
        output.say("with --pidns from the start, a job has process ids of its own");
    }
    Ok(match failed.exit() {
        exit @ (Exit::Usage | Exit::NotExecutable | Exit::NoCommand) => exit,
        exit => Exit::Program(OWN_FAILURE + exit.number()),
    })
}

fn supervise(args: &Run, output: &Output) -> Result<Exit, Failed> {
    if args.output.as_deref() == Some(Path::new("-")) {
        return Err(Failed::Usage("a job is not saved to standard output".into()));
    }
    if args.pidns {
        enter_namespace_for_pids()?;
    } else if args.output.is_some() && !may_choose_pids() {
        output.say("warning: without CAP_CHECKPOINT_RESTORE this job can be restarted only by others: use --pidns");
    }
    let mut name = args.name.as_deref().map(Name::take).transpose()?;
    let (signals, inherited) = Signals::take_all().map_err(|error| Failed::io("cannot take over signals", error))?;
    let job = begin(args, &inherited, output)?;
    if let Some(name) = &mut name {
        name.set(job.pid())?;
    }
    leave_stdio();
    let mut supervisor = Supervisor {
        args,
        output,
        job,
        signals,
        saver: None,
        wanted: None,
        held: Vec::new(),
        due: None,
        ends: None,
        saved: false,
    };
    let exit = supervisor.run()?;
    drop(name);
    if let Exit::Program(_) = exit.0 {
        return Ok(exit.0);
    }
    if let Ended::Signaled(signal) = exit.1 {
        output.detail(&format!("the job was ended by signal {signal}"));
        die_by(signal);
    }
    Ok(Exit::Program(
        u8::try_from(exit.1.shell_status() & 0xff).unwrap_or(u8::MAX),
    ))
}

fn may_choose_pids() -> bool {
    let enough = CapabilitySet::SYS_ADMIN | CapabilitySet::CHECKPOINT_RESTORE;
    capabilities(None).is_ok_and(|sets| sets.effective.intersects(enough))
}

/// The job: restarted, or begun.
fn begin(args: &Run, inherited: &Inherited, output: &Output) -> Result<Job, Failed> {
    let start = || Ok(Job::start(&args.command, args.pidns, inherited)?);
    let Some(path) = args.output.as_deref().filter(|_| args.resume) else {
        return start();
    };
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return start(),
        Err(error) => return Err(Failed::io(format!("cannot open {}", path.display()), error)),
        Ok(file) => file,
    };
    let options = RestartOptions {
        stdio: args.stdio.clone(),
        placement: Placement::Foreground,
        changed_files: args.changed_files,
        new_pidns: args.pidns,
        new_userns: false,
        job: true,
        unverified: false,
        external: Vec::new(),
    };
    match Job::restart(&file, &options) {
        Ok((job, warnings)) => {
            output.warnings(&warnings);
            asked(&args.hook, job.pid(), path)?;
            output.say(&format!("{}: the job goes on", path.display()));
            Ok(job)
        }
        Err(error) if is_damage(&error) && is_damaged(path) => {
            output.failure(&error.into());
            output.say(&format!("{} is damaged: the job begins anew", path.display()));
            start()
        }
        // What is saved is sound, and would be lost if the job began anew.
        Err(error) => Err(error.into()),
    }
}

/// Whether the kernel says that a statefile is no good anywhere, or would, if it had been asked: one that has contents of files is read
/// before.
fn is_damage(error: &Error) -> bool {
    use rustix::io::Errno;
    let damage = [Errno::BADMSG, Errno::NODATA].map(Errno::raw_os_error);
    match error {
        Error::Begin(_) | Error::Restart(_) => error.errno().is_some_and(|errno| damage.contains(&errno)),
        Error::Statefile(error) => error.problem.is_damage(),
        _ => false,
    }
}

/// Whether a second reader finds damage as well. What only one of the two refuses may be sound, and the job is not to begin anew
/// over it.
fn is_damaged(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    match statefile::verify(BufReader::with_capacity(1 << 20, file)) {
        Ok(()) => false,
        Err(error) => !matches!(error.problem, statefile::Problem::Io(_)),
    }
}

/// The job has standard input and output: nobody is to wait for this process to close them. A terminal is kept for job
/// control.
fn leave_stdio() {
    let Ok(null) = File::options().read(true).write(true).open("/dev/null") else {
        return;
    };
    if !rustix::termios::isatty(rustix::stdio::stdin()) {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}

/// A checkpoint that a signal has asked for.
#[derive(Clone, Copy)]
struct Wanted {
    stop: bool,
    deadline: Option<Instant>,
}

/// This process, while the job runs.
struct Supervisor<'a> {
    args: &'a Run,
    output: &'a Output,
    job: Job,
    signals: Signals,
    saver: Option<Saver>,
    wanted: Option<Wanted>,
    /// Signals that came while the job was being saved to be ended.
    held: Vec<Received>,
    /// When the next checkpoint is due.
    due: Option<Instant>,
    /// When a job that was to be ended, and could not be saved, gets SIGTERM.
    ends: Option<Instant>,
    /// The job is saved, and has been killed.
    saved: bool,
}

fn late(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| deadline <= Instant::now())
}

impl Supervisor<'_> {
    /// To the end of the job: how that was, and what it means.
    fn run(&mut self) -> Result<(Exit, Ended), Failed> {
        self.schedule();
        loop {
            match self.job.change()? {
                Some(JobChange::Ended(ended)) => return Ok((self.finish(ended), ended)),
                Some(JobChange::Stopped(signal)) => self.job.follow_stop(signal),
                None => {}
            }
            self.look_at_saver();
            if late(self.ends) && !self.saved {
                self.terminate();
            }
            self.begin_checkpoint();
            self.wait();
            while let Some(received) = self.signals.next_signal() {
                self.receive(received);
            }
        }
    }

    fn schedule(&mut self) {
        self.due = self.args.every.and_then(|every| Instant::now().checked_add(every));
    }

    /// Until something happens or is due.
    fn wait(&mut self) {
        let deadline = match (&self.saver, self.wanted) {
            (Some(saver), wanted) => saver.wanted.deadline.or(wanted.and_then(|wanted| wanted.deadline)),
            (None, _) => self.due,
        };
        let deadline = deadline.into_iter().chain(self.ends.filter(|_| !self.saved)).min();
        let limit = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        let mut fds = vec![
            PollFd::new(&self.signals, PollFlags::IN),
            PollFd::from_borrowed_fd(self.job.news(), PollFlags::IN),
        ];
        if let Some(saver) = &self.saver {
            fds.push(PollFd::from_borrowed_fd(saver.pidfd(), PollFlags::IN));
        }
        let _ = poll(&mut fds, limit.as_ref());
    }

    fn receive(&mut self, received: Received) {
        if received.signal == SIGCHLD {
            return;
        }
        if let Some(on) = self.args.on.iter().find(|on| on.signal == received.signal) {
            let grace = || self.args.grace.and_then(|grace| Instant::now().checked_add(grace));
            let being_stopped = self.saved || self.saver.as_ref().is_some_and(|saver| saver.wanted.stop);
            self.wanted = match self.wanted {
                _ if being_stopped => None,
                // Who wants it stopped wants more than who does not.
                Some(wanted) if wanted.stop || !on.stop => Some(wanted),
                // Another attempt gets what is left of the time of the first.
                _ if on.stop => Some(Wanted {
                    stop: true,
                    deadline: self.ends.take().or_else(grace),
                }),
                _ => Some(Wanted {
                    stop: false,
                    deadline: grace(),
                }),
            };
            return;
        }
        if !self.job.lacks(received) {
            return;
        }
        if self.saver.as_ref().is_some_and(|saver| saver.wanted.stop) {
            self.held.push(received);
        } else {
            self.job.pass_on(received);
        }
    }

    fn begin_checkpoint(&mut self) {
        let Some(file) = self
            .args
            .output
            .as_deref()
            .filter(|_| self.saver.is_none() && !self.saved)
        else {
            return;
        };
        let is_due = self.due.is_some_and(|due| due <= Instant::now());
        let wanted = match self.wanted.take() {
            Some(wanted) => wanted,
            None if is_due => Wanted {
                stop: false,
                deadline: None,
            },
            None => return,
        };
        match Saver::start(self.job.pid(), file, wanted, self.args, self.output) {
            Ok(saver) => self.saver = Some(saver),
            Err(error) => self.failed(&error.to_string(), wanted),
        }
    }

    /// The job goes on; one that was to be ended, until its deadline.
    fn failed(&mut self, why: &str, wanted: Wanted) {
        let mut then = "";
        if wanted.stop && wanted.deadline.is_some() {
            self.ends = wanted.deadline;
            then = ", and gets SIGTERM when its time is over";
        }
        self.output.say(&format!("no checkpoint: {why}; the job goes on{then}"));
        self.schedule();
    }

    fn look_at_saver(&mut self) {
        let Some(saver) = &mut self.saver else { return };
        match saver.ended() {
            Some(Saved::Yes) => {
                let wanted = saver.wanted;
                self.saver = None;
                self.done(wanted);
            }
            Some(Saved::No) => {
                let (wanted, safe) = (saver.wanted, saver.make_safe());
                self.saver = None;
                if safe {
                    self.done_but_for_the_end(wanted);
                } else {
                    self.failed("it failed", wanted);
                    self.deliver_held();
                }
            }
            None if late(saver.wanted.deadline) && saver.is_safe() => saver.wanted.deadline = None,
            None if late(saver.wanted.deadline) => {
                let stop = saver.wanted.stop;
                self.give_up(stop);
            }
            // The one that was asked for has not even begun.
            None if late(self.wanted.and_then(|wanted| wanted.deadline)) => {
                let stop = saver.wanted.stop || self.wanted.take().is_some_and(|wanted| wanted.stop);
                self.give_up(stop);
            }
            None => {}
        }
    }

    fn done(&mut self, wanted: Wanted) {
        self.schedule();
        if wanted.stop {
            self.saved = true;
        } else {
            self.output.detail("the job is saved, and goes on");
        }
    }

    /// The statefile is complete and safe under its name, but who was to kill the job then has died: nobody knows whether it
    /// has done so.
    fn done_but_for_the_end(&mut self, wanted: Wanted) {
        if wanted.stop && self.job.kill().is_err() {
            // It is dying, or ends by its first process.
            self.job.signal(Signal::KILL);
        }
        self.done(wanted);
    }

    /// The checkpoint takes too long. With `stop` the job was to be ended, by this one or by one that was to follow.
    fn give_up(&mut self, stop: bool) {
        let Some(saver) = self.saver.take() else { return };
        let wanted = saver.wanted;
        // It may have got so far before the signal came.
        if saver.kill() {
            self.done_but_for_the_end(wanted);
            if wanted.stop == stop {
                return;
            }
        }
        self.schedule();
        if stop {
            self.terminate();
        } else {
            self.say_too_late("goes on");
        }
        self.deliver_held();
    }

    /// The job was to be ended, and its time is over.
    fn terminate(&mut self) {
        self.ends = None;
        self.say_too_late("gets SIGTERM");
        self.job.signal(Signal::TERM);
    }

    fn say_too_late(&self, then: &str) {
        let grace = self.args.grace.unwrap_or_default().as_secs_f64();
        self.output
            .say(&format!("no checkpoint within {grace} seconds: the job {then}"));
    }

    fn deliver_held(&mut self) {
        for received in self.held.drain(..) {
            self.job.pass_on(received);
        }
    }

    /// The job has ended.
    fn finish(&mut self, ended: Ended) -> Exit {
        if let Some(saver) = self.saver.take() {
            if saver.wanted.stop {
                // It has killed the job, or looks for it in vain.
                self.saved = saver.wait();
            } else {
                saver.kill();
            }
        }
        if !self.saved || ended != Ended::Signaled(libckpt::device::SIGKILL) {
            return Exit::Done;
        }
        self.job.take_leave();
        let file = self.args.output.as_deref().unwrap_or(Path::new(""));
        let status = self.args.exit_code;
        self.output.say(&format!(
            "the job is saved in {} and has been ended (exit status {status})",
            file.display()
        ));
        Exit::Program(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use libckpt::testing::sample;

    /// What the kernel alone refuses is no reason to begin anew over it, nor is what cannot be read.
    #[test]
    fn a_sound_statefile_is_not_damaged() {
        let path = std::env::temp_dir().join(format!("ckptctl-damage-{}", std::process::id()));
        let mut bytes = sample().encode();
        let judge = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            is_damaged(&path)
        };
        assert!(!judge(&bytes));
        assert!(judge(&bytes[..bytes.len() - 1]) && judge(b""));
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        assert!(judge(&bytes));
        std::fs::remove_file(&path).unwrap();
        assert!(!is_damaged(&path));
    }

    #[test]
    fn own_failures_are_no_exit_statuses_of_commands() {
        let own = [
            Exit::Refused,
            Exit::Failed,
            Exit::NoDevice,
            Exit::BadStatefile,
            Exit::PidInUse,
        ];
        let numbers = own.map(|exit| OWN_FAILURE + exit.number());
        assert_eq!(numbers, [111, 113, 114, 115, 116]);
    }
}
