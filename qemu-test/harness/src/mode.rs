// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The ways in which one program is saved and brought back.

use crate::case::During;
use crate::ckptctl::{self, exit};
use crate::observe::Scope;
use crate::process::{wait_end, wait_until, Ended, PATIENCE};
use crate::{ensure, fail, Case, Context, Program, Result, Snapshot, Target, CKPTCTL};
use std::fs::File;
use std::process::{Command, Stdio};
use std::rc::Rc;

/// One way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Saved, and goes on: nothing is lost, nothing shows.
    LeftRunning,
    /// Saved and killed, and restarted in the foreground.
    Restart,
    /// Saved, killed and restarted; then all of it again with the restarted program.
    Twice,
    /// Saved into a pipe to a compressor, restarted from a pipe.
    Pipe,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::LeftRunning, Self::Restart, Self::Twice, Self::Pipe];

    /// The end of a case's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::LeftRunning => "left-running",
            Self::Restart => "restart",
            Self::Twice => "twice",
            Self::Pipe => "pipe",
        }
    }
}

type Make = Rc<dyn Fn(&Context) -> Result<Program>>;
type Step = Rc<dyn Fn(&mut Target) -> Result>;

/// A program, when it can be saved, and how to see that it goes on.
#[derive(Clone)]
pub struct Recipe {
    make: Make,
    busy: bool,
    waits: Step,
    goes_on: Step,
    ends: Step,
    says_ok: bool,
    opens: bool,
}

impl Recipe {
    /// A program that says "ready" and then waits in the same place.
    pub fn quiet(make: impl Fn(&Context) -> Result<Program> + 'static) -> Self {
        Self {
            make: Rc::new(make),
            busy: false,
            waits: Rc::new(Target::wait_ready),
            goes_on: Rc::new(|target| target.is_unharmed()),
            ends: Rc::new(|target| target.go()),
            says_ok: true,
            opens: false,
        }
    }

    /// A program that says "ready" and goes on printing lines.
    pub fn busy(make: impl Fn(&Context) -> Result<Program> + 'static) -> Self {
        Self {
            busy: true,
            goes_on: Rc::new(|target| target.wait_more_lines(2)),
            ..Self::quiet(make)
        }
    }

    /// With another condition for when it can be saved.
    #[must_use]
    pub fn waits(mut self, step: impl Fn(&mut Target) -> Result + 'static) -> Self {
        self.waits = Rc::new(step);
        self
    }

    /// With another sign that it goes on.
    #[must_use]
    pub fn goes_on(mut self, step: impl Fn(&mut Target) -> Result + 'static) -> Self {
        self.goes_on = Rc::new(step);
        self
    }

    /// With another way to make it end.
    #[must_use]
    pub fn ends(mut self, step: impl Fn(&mut Target) -> Result + 'static) -> Self {
        self.ends = Rc::new(step);
        self
    }

    /// A program that opens and closes files all the time.
    #[must_use]
    pub fn opens(mut self) -> Self {
        self.opens = true;
        self
    }

    /// A program that does not say "OK" at its end: its exit status is all that counts, besides what `ends` looks at.
    #[must_use]
    pub fn silent(mut self) -> Self {
        self.says_ok = false;
        self
    }

    /// A case for each of these modes.
    pub fn cases(self, name: &str, modes: &[Mode]) -> Vec<Case> {
        let case = |mode: &Mode| {
            let (mode, recipe) = (*mode, self.clone());
            Case::new(format!("{name}/{}", mode.name()), move |context| {
                recipe.run(context, mode)
            })
        };
        modes.iter().map(case).collect()
    }

    /// One case: the program is saved and goes on, is saved, killed and restarted, and that again, in one run.
    pub fn case(self, name: &str) -> Case {
        Case::new(name, move |context| {
            let mut run = self.begin(context)?;
            run.left_running().during("left running")?;
            run.detached().during("first restart")?;
            run.detached().during("second restart")?;
            run.end()
        })
    }

    /// Runs the program in one mode.
    pub fn run(&self, context: &Context, mode: Mode) -> Result {
        let mut run = self.begin(context)?;
        match mode {
            Mode::LeftRunning => run.left_running()?,
            Mode::Restart => return run.foreground(),
            Mode::Twice => {
                run.detached().during("first")?;
                run.detached().during("second")?;
            }
            Mode::Pipe => run.pipe()?,
        }
        run.end()
    }

    fn begin<'a>(&'a self, context: &'a Context) -> Result<Run<'a>> {
        let mut target = (self.make)(context)?.start()?;
        (self.waits)(&mut target)?;
        let before = self.settled(&target)?;
        Ok(Run {
            recipe: self,
            context,
            target,
            before,
        })
    }

    /// A waiting program has reached its place when two looks are equal.
    fn settled(&self, target: &Target) -> Result<Snapshot> {
        let mut before = Snapshot::of_target(target.pid, self.busy)?;
        let scope = Scope {
            busy: self.busy,
            opens: self.opens,
            ..Scope::default()
        };
        let settled = wait_until(PATIENCE, || {
            let now = Snapshot::of_target(target.pid, self.busy).ok()?;
            let equal = before.differences(&now, scope).is_empty();
            before = now;
            equal.then_some(())
        });
        match settled {
            Some(()) => Ok(before),
            None => fail!("the program does not come to rest"),
        }
    }
}

/// A program under way.
struct Run<'a> {
    recipe: &'a Recipe,
    context: &'a Context,
    target: Target,
    before: Snapshot,
}

impl Run<'_> {
    fn scope(&self, restarted: bool, detached: bool) -> Scope {
        Scope {
            busy: self.recipe.busy,
            restarted,
            detached,
            opens: self.recipe.opens,
        }
    }

    /// The program is where it was, and goes on.
    fn look(&mut self, scope: Scope) -> Result {
        self.before.expect(self.target.pid, scope)?;
        (self.recipe.goes_on)(&mut self.target)
    }

    fn left_running(&mut self) -> Result {
        self.target.checkpoint(&self.context.path("left.ckpt"))?;
        self.look(self.scope(false, false))
    }

    fn detached(&mut self) -> Result {
        let file = self.context.path("detached.ckpt");
        self.target.checkpoint_kill(&file)?;
        self.target.restart(&file)?;
        self.look(self.scope(true, true))
    }

    fn pipe(&mut self) -> Result {
        let packed = self.context.path("packed.zst");
        let mut save = Command::new(CKPTCTL)
            .args(["checkpoint", &self.target.pid.to_string(), "-o", "-", "--kill"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let pack = Command::new("zstd")
            .args(["-q", "-1", "-T1"])
            .stdin(save.stdout.take().map_or(Stdio::null(), Stdio::from))
            .stdout(File::create(&packed)?)
            .spawn()?;
        wait_good(&mut save, "ckptctl checkpoint -o -")?;
        let mut pack = pack;
        wait_good(&mut pack, "zstd")?;
        self.target.was_killed()?;

        let mut unpack = Command::new("zstd")
            .args(["-q", "-d"])
            .stdin(File::open(&packed)?)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut restart = Command::new(CKPTCTL);
        restart.args(["restart", "-", "--detach"]);
        restart.stdin(unpack.stdout.take().map_or(Stdio::null(), Stdio::from));
        let pid = ckptctl::detached(&mut restart)?;
        wait_good(&mut unpack, "zstd -d")?;
        self.target.revived();
        ensure!(pid == self.target.pid, "restarted as {pid}, not as {}", self.target.pid);
        self.look(self.scope(true, true))
    }

    /// Restarted in the foreground: ckptctl ends as the program does.
    fn foreground(mut self) -> Result {
        let file = self.context.path("foreground.ckpt");
        self.target.checkpoint_kill(&file)?;
        let mut restart = ckptctl::restart_foreground(&file, &[])?;
        let pid = self.target.pid;
        let back = wait_until(PATIENCE, || {
            let failed = matches!(restart.try_wait(), Ok(Some(_)));
            (failed || Snapshot::of(pid).is_ok_and(|now| now.get("exe") == self.before.get("exe"))).then_some(failed)
        });
        if back != Some(false) {
            fail!(
                "ckptctl restart: the program did not come back ({:?})",
                restart.try_wait()?
            );
        }
        let seen = self.look(self.scope(true, false));
        if seen.is_err() {
            let _ = restart.kill();
            let _ = restart.wait();
            return seen;
        }
        (self.recipe.ends)(&mut self.target)?;
        let status = wait_until(PATIENCE * 4, || restart.try_wait().ok().flatten());
        let Some(status) = status else {
            fail!("ckptctl restart does not end")
        };
        let ended = status.code().map_or(Ended::Signaled(0), Ended::Exited);
        ensure!(ended != Ended::Exited(exit::FAILED), "ckptctl restart failed");
        self.judge(ended)
    }

    fn judge(&mut self, ended: Ended) -> Result {
        if self.recipe.says_ok {
            return self.target.judge(ended);
        }
        self.target.ended();
        ensure!(ended == Ended::Exited(0), "the program ended with {ended:?}");
        Ok(())
    }

    fn end(mut self) -> Result {
        (self.recipe.ends)(&mut self.target)?;
        let ended = wait_end(self.target.pid, PATIENCE * 4)?;
        self.judge(ended)
    }
}

fn wait_good(child: &mut std::process::Child, name: &str) -> Result {
    let status = child.wait()?;
    ensure!(status.success(), "{name} ended with {status}");
    Ok(())
}
