// SPDX-License-Identifier: GPL-2.0

//! Controlling terminal of a process.
//!
//! Saved: that it is a pseudoterminal of the target (see terminals), also without a descriptor for it; the foreground process group.
//! Processes in the root process's session, or in one outside of its pid namespace, get what the restarter has as controlling terminal,
//! with the session.
//! Not saved: that the foreground process group has ended (the session leader's is it then); a process group that is still to be sent a
//! SIGHUP for a terminal that was hung up.
//! Refused: the controlling terminal of a session that begins in the target, when its master is outside (`docker exec -t`): the caller
//! may have the session do without (a policy for `tty:NAME`). At a restart: to give one to the root process, unless it is restarted in a
//! session of its own.
//! Shown by: pty/, run/, tree/a_session_does_without_a_terminal, hostile/values_of_terminals.
//!
//! Record: [`ckpt_uapi::record::pty::Ctty`].  C source: `drivers/tty/tty_jobctrl.c`

use super::{check_pair, dump_pair, finish_ptys, Dump, FrozenTask, Late, Obstacles, Resource, Restore, Scope, Target};
use crate::{
    error::{Context, Fault, Result},
    objects::Object,
    wrapper::{
        file::with_fd,
        syscall::{nr, CurrentTask},
        task::Task, //
    },
};
use ckpt_uapi::record::{pty::Ctty, tree::flags, Record, RecordType};
use kernel::prelude::*;

pub(crate) struct CttyRoom;

const TIOCSCTTY: u64 = 0x540e;

impl Resource for CttyRoom {
    const RECORDS: &'static [RecordType] = &[Ctty::TYPE];
    const SCOPE: Scope = Scope::Process;
    const REQUIRED: bool = false;

    fn check(target: &Target<'_>, task: &Task, obstacles: &mut dyn Obstacles) -> Result {
        let Some(tty) = task.tty() else {
            return Ok(());
        };
        let mut refuse = |what: &str| {
            obstacles.add(Fault::new(EOPNOTSUPP, format_args!("{what} cannot be saved")).kind(RecordType::Ctty));
        };
        if target.whole.census.has_master(tty.pair) {
            match check_pair(target, tty.pair)? {
                Some(what) => refuse(what),
                None if !tty.of_session => refuse("controlling terminal of another session"),
                None => {}
            }
        } else if !becomes_restarters(target, task) {
            let name = tty.name.split(|byte| *byte == 0).next().unwrap_or_default();
            let shown = core::str::from_utf8(name).unwrap_or("tty:?");
            let why = Fault::new(
                EOPNOTSUPP,
                format_args!("controlling terminal {shown} outside of the target cannot be saved"),
            )
            .kind(RecordType::Ctty);
            match target.whole.decisions.decide_terminal(target.leader, name, why) {
                Ok(told) => obstacles.warn(told),
                Err(why) => obstacles.add(why),
            }
        }
        Ok(())
    }

    fn dump(target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let tty = task.task.tty().filter(|tty| target.whole.census.has_master(tty.pair));
        let Some(tty) = tty else {
            return Ok(());
        };
        let pty = dump_pair(target, tty.pair, dump)?;
        dump.out.record(&Ctty {
            pty,
            foreground: u32::from(tty.foreground),
        })
    }

    /// Who leads a session takes the terminal now, the others when all are there: some of them may come earlier.
    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let r: Ctty = restore.input.only()?;
        let Some(Object::Pty(master)) = restore.made.get(r.pty).filter(|_| r.foreground <= 1) else {
            return Err(restore
                .input
                .bad(EBADMSG, format_args!("object {} is no terminal", r.pty)));
        };
        let me = restore.me;
        if restore.entry.flags & flags::SESSION_LEADER != 0 {
            let what = if restore.index == 0 {
                "it had a controlling terminal: restart it in a session of its own (--detach)"
            } else {
                "cannot take a controlling terminal"
            };
            with_fd(me, master.file(), |fd| me.call(nr::__NR_ioctl, &[fd, TIOCSCTTY, 0]))
                .context(format_args!("{what}"))?;
        }
        restore.late.ctty = Some((master.clone(), r.foreground == 1));
        Ok(())
    }

    fn join(me: &CurrentTask, late: &mut Late) -> Result {
        finish_ptys(&mut late.ptys);
        let Some((master, foreground)) = late.ctty.take() else {
            return Ok(());
        };
        me.adopt_tty(&master, foreground)
            .context(format_args!("its session has another controlling terminal, or none"))
    }
}

/// Whether its session becomes the restarter's: that of the root process, or one outside of its pid namespace.
fn becomes_restarters(target: &Target<'_>, task: &Task) -> bool {
    let session = |task: &Task| task.numbers_in(&target.whole.pid_ns)[3];
    [session(&target.whole.root.leader), 0].contains(&session(task))
}
