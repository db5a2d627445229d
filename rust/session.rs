// SPDX-License-Identifier: GPL-2.0

//! One operation: one open file of `/dev/ckpt`. Dropping it undoes what is unfinished: thaws the target, or kills a
//! half-built restart.

use crate::{
    dump::{self, PostDump},
    error::{Fault, Result},
    freeze::{processes_of, tasks, FrozenTree, Process, Root, Scope},
    resource::{external::External, policy::Policies, Request},
    restore::{self, Restart},
    wrapper::{
        file::File,
        pid::PidNs,
        syscall::CurrentTask,
        task::{fatal_signal_pending, sleep_killable, Task},
        time,
    },
};
use ckpt_uapi::{
    ioctl::{checkpoint_flags, Checkpoint},
    status::{severity, stage, Message, MESSAGE_MAX},
};
use core::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering}, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{Arc, Mutex}, //
};
use zerocopy::{FromZeros, IntoBytes};

/// Messages that wait to be read; later ones are counted only.
const MESSAGES_MAX: usize = 4096;

/// How long the end of a killed target is waited for at most, in milliseconds.
const GONE_MS: u32 = 10_000;

/// How far the session is.
enum Stage {
    /// Nothing yet.
    Idle,
    /// It has a target.
    Attached(Root),
    /// The target stands still.
    Frozen(Root, FrozenTree),
    /// It is a restart.
    Restart(Unfinished),
}

/// A restart that is killed when the session ends before it is complete.
struct Unfinished(Arc<Restart>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Messages for the reader of the session.
struct Log {
    messages: KVVec<KVec<u8>>,
    next: usize,
    lost: u32,
}

/// An open `/dev/ckpt`.
#[pin_data]
pub(crate) struct Session {
    #[pin]
    stage: Mutex<Stage>,
    #[pin]
    log: Mutex<Log>,
    /// Number of messages ever written.
    count: AtomicU64,
    /// What becomes of what cannot be saved.
    #[pin]
    policies: Mutex<Policies>,
}

impl Session {
    /// A session that has done nothing.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            stage <- new_mutex!(Stage::Idle),
            log <- new_mutex!(Log { messages: KVVec::new(), next: 0, lost: 0 }),
            count: AtomicU64::new(0),
            policies <- new_mutex!(Policies::none()),
        })
    }

    /// Says what becomes of what cannot be saved, from the next check or checkpoint on.
    pub(crate) fn set_policies(&self, policies: Policies) -> Result {
        let mut now = self.policies.try_lock().ok_or_else(busy)?;
        *now = policies;
        Ok(())
    }

    /// Keeps a fault as a message for the reader.
    pub(crate) fn report(&self, stage: u16, fault: &Fault) {
        self.note(stage, severity::ERROR, fault);
    }

    /// Keeps something that is not as it was as a message for the reader.
    pub(crate) fn warn(&self, stage: u16, fault: &Fault) {
        self.note(stage, severity::WARNING, fault);
    }

    fn note(&self, stage: u16, severity: u16, fault: &Fault) {
        let mut message = Message::new_zeroed();
        message.stage = stage;
        message.severity = severity;
        message.errno = -fault.errno().to_errno();
        message.fd = -1;
        let mut text: &[u8] = b"";
        let mut plain = Plain::default();
        match fault.detail() {
            Some(d) => {
                message.kind = d.kind.map_or(0, |k| u32::from(k.number()));
                (message.pid, message.tid, message.fd) = (d.pid, d.tid, d.fd);
                (message.address, message.offset) = (d.address, d.offset);
                text = d.text.as_bytes();
            }
            None => {
                let _ = write!(plain, "failed with {:?}", fault.errno());
                if text.is_empty() {
                    text = plain.as_bytes();
                }
            }
        }
        let size = (size_of::<Message>() + text.len()).next_multiple_of(8).min(MESSAGE_MAX);
        message.size = size as u32;
        message.text_len = text.len().min(size - size_of::<Message>()) as u32;
        let mut log = self.log.lock();
        if log.messages.len() >= MESSAGES_MAX {
            log.lost += 1;
            return;
        }
        let mut bytes = KVec::new();
        let done = bytes
            .extend_from_slice(message.as_bytes(), GFP_KERNEL_ACCOUNT)
            .and_then(|()| bytes.extend_from_slice(&text[..message.text_len as usize], GFP_KERNEL_ACCOUNT))
            .and_then(|()| bytes.resize(size, 0, GFP_KERNEL_ACCOUNT))
            .and_then(|()| log.messages.push(bytes, GFP_KERNEL_ACCOUNT));
        if done.is_err() {
            log.lost += 1;
        } else {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hands whole messages to `sink`, oldest first, while they fit in `room` bytes. `EINVAL` when the next one does not
    /// fit into an empty buffer.
    pub(crate) fn read(&self, room: usize, mut sink: impl FnMut(&[u8]) -> usize) -> kernel::error::Result<usize> {
        let mut log = self.log.lock();
        let mut done = 0;
        loop {
            let next = log.next;
            let Some(message) = log.messages.get(next) else {
                break;
            };
            if message.len() > room - done {
                if done == 0 {
                    return Err(EINVAL);
                }
                break;
            }
            if sink(message) != message.len() {
                return Err(EFAULT);
            }
            done += message.len();
            log.next += 1;
        }
        if log.next == log.messages.len() {
            log.messages.clear();
            log.next = 0;
        }
        Ok(done)
    }

    /// Runs `f` with the stage. The session does one thing at a time: `EBUSY` while it does another.
    fn with_stage<T>(&self, f: impl FnOnce(&mut Stage) -> Result<T>) -> Result<T> {
        let mut stage = self.stage.try_lock().ok_or_else(busy)?;
        f(&mut stage)
    }

    /// Chooses the target.
    pub(crate) fn attach(&self, pidfd: i32, pid: i32, scope: Scope) -> Result {
        self.with_stage(|s| match s {
            Stage::Idle => {
                *s = Stage::Attached(find(pidfd, pid, scope)?);
                Ok(())
            }
            _ => Err(wrong_stage("it has a target already")),
        })
    }

    /// Looks for obstacles: their number, and the number of tasks looked at.
    pub(crate) fn check(&self, session_ops: usize) -> Result<(u32, u32)> {
        self.with_stage(|s| {
            let (Stage::Attached(root) | Stage::Frozen(root, _)) = s else {
                return Err(wrong_stage("it has no target"));
            };
            let processes = processes_of(root)?;
            permit(&processes)?;
            let mut sink = |severity: u16, fault: Fault| self.note(stage::CHECK, severity, &fault);
            let policies = self.policies.lock();
            let request = Request {
                ops: session_ops,
                policies: &policies,
                flags: 0,
            };
            let obstacles = dump::check(root, &processes, request, &mut sink)?;
            Ok((obstacles, tasks(&processes) as u32))
        })
    }

    /// Stops the target; the number of tasks that stand still.
    pub(crate) fn freeze(&self, timeout_ms: u32) -> Result<u32> {
        self.with_stage(|s| {
            let Stage::Attached(root) = s else {
                return Err(wrong_stage("it has no target, or the target is frozen already"));
            };
            let frozen = freeze(root, timeout_ms)?;
            let tasks = frozen.tasks() as u32;
            *s = Stage::Frozen(root.clone(), frozen);
            Ok(tasks)
        })
    }

    /// Lets the target go.
    pub(crate) fn thaw(&self) -> Result {
        self.with_stage(|s| {
            let Stage::Frozen(root, _) = s else {
                return Err(wrong_stage("the target is not frozen"));
            };
            *s = Stage::Attached(root.clone());
            Ok(())
        })
    }

    /// Kills the target; a frozen one dies where it stands.
    pub(crate) fn kill(&self) -> Result {
        self.with_stage(|s| {
            let (Stage::Attached(root) | Stage::Frozen(root, _)) = s else {
                return Err(wrong_stage("it has no target"));
            };
            let root = root.clone();
            let processes = processes_of(&root)?;
            permit(&processes)?;
            kill(&processes);
            *s = Stage::Attached(root);
            Ok(())
        })
    }

    /// Writes the statefile. The result is what the ioctl returns.
    pub(crate) fn checkpoint(&self, arg: &mut Checkpoint, scope: Scope, session_ops: usize) -> Result<isize> {
        self.with_stage(|s| {
            let file = File::from_fd(arg.fd)?;
            match s {
                Stage::Frozen(root, frozen) => {
                    if arg.pidfd >= 0 || arg.pid != 0 || arg.scope != 0 || arg.flags & checkpoint_flags::STOP != 0 {
                        return Err(Fault::new(
                            EINVAL,
                            format_args!("the session has a frozen target: no other one, and no stop"),
                        ));
                    }
                    // Others than whoever has frozen it may have the session by now.
                    permit(frozen.processes())?;
                    let start = time::monotonic_ns();
                    let rest = self.dump(root, frozen, file, session_ops, arg.flags, false)?;
                    report(rest, start, arg)?;
                    arg.frozen_ns = time::monotonic_ns().saturating_sub(frozen.since_ns);
                    after(frozen.processes(), arg.flags);
                }
                Stage::Attached(root) => {
                    if arg.pidfd >= 0 || arg.pid != 0 || arg.scope != 0 {
                        return Err(Fault::new(EINVAL, format_args!("the session has a target already")));
                    }
                    self.whole(&root.clone(), file, session_ops, arg)?;
                }
                Stage::Idle if arg.pidfd < 0 && arg.pid == 0 => {
                    if arg.flags & !checkpoint_flags::FILES != 0 {
                        return Err(Fault::new(
                            EINVAL,
                            format_args!("a program that saves itself goes on afterwards"),
                        ));
                    }
                    let root = root(Task::current().leader(), scope)?;
                    permit(&processes_of(&root)?)?;
                    self.whole(&root, file, session_ops, arg)?;
                }
                Stage::Idle => {
                    let root = find(arg.pidfd, arg.pid, scope)?;
                    self.whole(&root, file, session_ops, arg)?;
                }
                Stage::Restart(_) => return Err(wrong_stage("it is a restart")),
            }
            Ok(0)
        })
    }

    /// Freeze, dump, and resume, kill or stop. A target that is to go on does so before all of its memory is written.
    fn whole(&self, root: &Root, file: File, session_ops: usize, arg: &mut Checkpoint) -> Result {
        let start = time::monotonic_ns();
        let frozen = freeze(root, arg.timeout_ms)?;
        let resume = arg.flags & !checkpoint_flags::FILES == 0;
        let rest = self.dump(root, &frozen, file, session_ops, arg.flags, resume)?;
        if resume {
            drop(frozen);
            arg.frozen_ns = time::monotonic_ns().saturating_sub(start);
            return report(rest, start, arg);
        }
        report(rest, start, arg)?;
        after(frozen.processes(), arg.flags);
        arg.frozen_ns = time::monotonic_ns().saturating_sub(start);
        Ok(())
    }

    fn dump(
        &self,
        root: &Root,
        frozen: &FrozenTree,
        file: File,
        session_ops: usize,
        flags: u32,
        may_snapshot: bool,
    ) -> Result<PostDump> {
        let mut sink = |severity: u16, fault: Fault| self.note(stage::CHECK, severity, &fault);
        let policies = self.policies.lock();
        let request = Request {
            ops: session_ops,
            policies: &policies,
            flags,
        };
        dump::dump(root, frozen, file, request, may_snapshot, &mut sink)
    }

    /// Begins a restart; the result is [`Self::restart`]'s as well.
    pub(crate) fn restart_begin(
        &self,
        fd: i32,
        flags: u32,
        external: External,
        session_ops: usize,
    ) -> Result<Arc<Restart>> {
        self.with_stage(|s| {
            let Stage::Idle = s else {
                return Err(wrong_stage("it has been used"));
            };
            let restart = restore::begin(File::from_fd(fd)?, flags, external, session_ops)?;
            *s = Stage::Restart(Unfinished(restart.clone()));
            Ok(restart)
        })
    }

    /// Turns the caller into a saved task.
    pub(crate) fn restart_task(&self, index: u32, me: &CurrentTask) -> Result {
        self.restart()?.become_task(index, me)
    }

    /// The restart that the session is; many tasks ask for it at once.
    pub(crate) fn restart(&self) -> Result<Arc<Restart>> {
        loop {
            // Another task holds it for a moment, or a checkpoint for as long as it likes: be killable.
            if let Some(stage) = self.stage.try_lock() {
                return match &*stage {
                    Stage::Restart(restart) => Ok(restart.0.clone()),
                    _ => Err(wrong_stage("no restart has begun")),
                };
            }
            if fatal_signal_pending() {
                return Err(EINTR.into());
            }
            sleep_killable(1);
        }
    }
}

/// A few words for an errno without a sentence.
#[derive(Default)]
struct Plain {
    bytes: [u8; 32],
    len: usize,
}

impl Plain {
    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Write for Plain {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        let n = s.len().min(self.bytes.len() - self.len);
        self.bytes[self.len..self.len + n].copy_from_slice(&s.as_bytes()[..n]);
        self.len += n;
        Ok(())
    }
}

fn busy() -> Fault {
    Fault::new(EBUSY, format_args!("the session is busy"))
}

fn wrong_stage(why: &str) -> Fault {
    Fault::new(EBUSY, format_args!("the session is not at this stage: {why}"))
}

/// The target that a process stands for.
fn root(leader: Task, scope: Scope) -> Result<Root> {
    let invalid = |what: &str| Err(Fault::new(EINVAL, format_args!("{what}")).task(leader.tgid(), leader.tid()));
    let above = match scope {
        Scope::Process | Scope::Tree => None,
        Scope::Job => Some(leader.parent()),
        Scope::Container => {
            let ns = PidNs::of(&leader)?;
            if ns.level() == 0 {
                return invalid("it lives in the first pid namespace: that is the whole machine");
            }
            let leader = ns.init()?.leader();
            let above = None;
            return Ok(Root { leader, scope, above });
        }
    };
    if let Some(above) = &above {
        let ns = PidNs::of(above)?;
        if ns != PidNs::of(&leader)? {
            return invalid("its parent lives in another pid namespace: it is no job");
        }
        if above.is_kernel_thread() || (ns.level() == 0 && above.tgid() == 1) {
            return invalid("its parent is that of all orphans of the machine: it is no job");
        }
    }
    Ok(Root { leader, scope, above })
}

/// The target, if the caller may touch all its tasks.
fn find(pidfd: i32, pid: i32, scope: Scope) -> Result<Root> {
    let leader = if pidfd >= 0 {
        Task::from_pidfd(pidfd)
    } else {
        Task::from_vpid(pid)
    };
    let leader = leader.map_err(|e| Fault::new(e, format_args!("no such process")).task(pid, pid))?;
    if leader.is_kernel_thread() {
        return Err(Fault::new(EINVAL, format_args!("it is a kernel thread")).task(leader.tgid(), leader.tgid()));
    }
    let root = root(leader, scope)?;
    let processes = processes_of(&root)?;
    let me = Task::current().leader();
    if let Some(caller) = processes.iter().find(|p| p.leader == me) {
        return Err(Fault::new(
            EINVAL,
            format_args!("the caller itself belongs to it: checkpoint with pid 0"),
        )
        .task(caller.leader.tgid(), caller.leader.tid()));
    }
    permit(&processes)?;
    Ok(root)
}

/// The kernel's own ptrace check, for every thread. The caller's own process is always permitted.
fn permit(processes: &[Process]) -> Result {
    let allowed = |t: &Task| {
        if t.may_attach() {
            return Ok(());
        }
        Err(Fault::new(EPERM, format_args!("the caller may not trace this process")).task(t.tgid(), t.tid()))
    };
    for p in processes {
        // A process that has exited has no threads here.
        allowed(&p.leader)?;
        for t in p.threads.iter() {
            allowed(t)?;
        }
    }
    Ok(())
}

fn freeze(root: &Root, timeout_ms: u32) -> Result<FrozenTree> {
    let leader = &root.leader;
    let frozen = FrozenTree::freeze(root, timeout_ms).map_err(|f| f.task(leader.tgid(), leader.tid()))?;
    // Credentials may have changed since the session was attached (execve of a setuid program).
    permit(frozen.processes())?;
    Ok(frozen)
}

/// Writes the rest of a dump that began at `start`, and tells the caller about it.
fn report(rest: PostDump, start: u64, arg: &mut Checkpoint) -> Result {
    let report = rest.finish()?;
    arg.bytes = report.bytes;
    arg.records = report.records;
    arg.pages = report.pages;
    arg.tasks = report.tasks;
    arg.dump_ns = time::monotonic_ns().saturating_sub(start);
    Ok(())
}

/// The children first: nobody is to see that another one has been killed, and act on it.
fn kill(processes: &[Process]) {
    for p in processes.iter().rev() {
        p.any_thread().kill();
    }
}

fn after(processes: &[Process], flags: u32) {
    if flags & checkpoint_flags::KILL != 0 {
        kill(processes);
        // Who restarts it at once needs its numbers; they are free when the parents have taken note.
        for _ in 0..GONE_MS {
            if processes.iter().all(|p| p.leader.has_exited()) || fatal_signal_pending() {
                break;
            }
            sleep_killable(1);
        }
    } else if flags & checkpoint_flags::STOP != 0 {
        for p in processes.iter().filter(|p| !p.threads.is_empty()) {
            p.any_thread().stop();
        }
    }
}
