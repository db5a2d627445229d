// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kinds shm, sem, msg and mqueue: System V IPC and POSIX message queues.

use super::{ns::rootless, quiet};
use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::process::{descendants, exists, reap_orphans, wait_until, PATIENCE};
use harness::{ensure, fail, Case, Context, Program, Result, Target, CKPTCTL};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// The cases of these kinds.
pub fn cases() -> Vec<Case> {
    vec![
        quiet("shm_attached", &[]).case("ipc/keeps_attached_segments"),
        quiet("shm_attached", &["own"]).case("ipc/keeps_all_segments_of_a_namespace"),
        quiet("shm_family", &[]).case("ipc/keeps_a_segment_of_a_family"),
        quiet("sem_undo", &[]).case("ipc/keeps_semaphores_with_something_to_undo"),
        quiet("sem_undo", &["own"]).case("ipc/keeps_all_semaphores_of_a_namespace"),
        quiet("sem_empty", &[]).case("ipc/keeps_an_empty_list_shared"),
        Case::new("ipc/keeps_many_lists_and_semaphore_sets", |context| {
            made_anew(&Program::own(context, "sem_many"), context)
        })
        .limit(60),
        quiet("msg_queues", &[]).case("ipc/keeps_message_queues_of_a_namespace"),
        quiet("mqueue_open", &[]).case("ipc/keeps_open_posix_queues"),
        Case::new("ipc/keeps_all_posix_queues_of_a_namespace", |context| {
            made_anew(&Program::own(context, "mqueue_open").args(&["own"]), context)
        }),
        Case::new("ipc/keeps_queues_with_many_messages", many_messages).limit(120),
        Case::new("ipc/keeps_posix_shared_memory_of_a_container", |context| {
            made_anew(&Program::own(context, "shm_posix"), context)
        }),
        Case::new("ipc/conflicts_refuse_the_restart", conflicts),
        Case::new("ipc/leaves_a_set_that_is_in_use", set_in_use),
        Case::new("ipc/leaves_a_segment_of_another_user", of_another_user),
        Case::new("ipc/leaves_what_the_target_may_not_change", of_others),
        Case::new("ipc/what_the_caller_may_not_read_is_refused", unreadable),
        Case::new("ipc/a_queue_that_tells_another_fails_the_restart", tells_another),
        Case::new("ipc/keeps_objects_of_a_rootless_container", |context| {
            rootless::program_by_user(context, "ipc_small")
        })
        .limit(180),
        Case::new("ipc/goes_on_under_load", under_load).limit(300),
        Case::new("ipc/what_is_left_alone_is_named", left_alone),
    ]
}

/// Not by a table: seen from outside, queues and files of a tmpfs that are made anew have other inode numbers.
fn made_anew(program: &Program, context: &Context) -> Result {
    let file = context.path("posix.ckpt");
    let mut target = program.start()?;
    target.wait_ready()?;
    target.comes_back_twice(&file)?;
    target.finish()
}

/// The restarter makes the queues: its limit of POSIX queues has to allow for them.
fn many_messages(context: &Context) -> Result {
    let limit = |limit: &libc::rlimit| {
        // SAFETY: the struct lives; the call reads it only.
        let done = unsafe { libc::setrlimit(libc::RLIMIT_MSGQUEUE, limit) };
        ensure!(done == 0, "setrlimit: {}", std::io::Error::last_os_error());
        Ok(())
    };
    let mut before = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    let wide = before;
    // SAFETY: as above; the call writes the struct only.
    let got = unsafe { libc::getrlimit(libc::RLIMIT_MSGQUEUE, &mut before) };
    ensure!(got == 0, "getrlimit");
    limit(&wide)?;
    let done = made_anew(&Program::own(context, "msg_many"), context);
    limit(&before)?;
    done
}

/// A family of processes that wait for each other in all of it is saved wherever it is just then.
fn under_load(context: &Context) -> Result {
    let file = context.path("load.ckpt");
    let mut target = Program::own(context, "ipc_load").start()?;
    target.wait_ready()?;
    for _ in 0..6 {
        target.wait_more_lines_of_other_process(1)?;
        target.checkpoint(&file)?;
        target.wait_more_lines_of_other_process(1)?;
        fs::remove_file(&file)?;
        target.checkpoint_kill(&file)?;
        target.restart(&file)?;
    }
    target.wait_more_lines_of_other_process(1)?;
    target.finish()
}

/// What there is of System V IPC in this namespace, without what only tells of its use.
fn objects() -> Result<String> {
    let mut all = String::new();
    for kind in ["shm", "sem", "msg"] {
        let text = fs::read_to_string(format!("/proc/sysvipc/{kind}"))?;
        for line in text.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().take(4).collect();
            all += &format!("{kind} {}\n", words.join(" "));
        }
    }
    Ok(all)
}

fn command<T: AsRef<OsStr> + std::fmt::Debug>(words: &[T]) -> Result {
    let status = Command::new(&words[0]).args(&words[1..]).status()?;
    ensure!(status.success(), "{words:?}: {status}");
    Ok(())
}

/// Another segment with the key, or with the identifier: the restart is refused, names it and leaves nothing. Without it, it works.
fn conflicts(context: &Context) -> Result {
    const KEY: &str = "0x4711c0de";
    let file = context.path("conflict.ckpt");
    let empty = objects()?;
    let mut target = Program::own(context, "shm_attached").start()?;
    target.wait_ready()?;
    target.checkpoint_kill(&file)?;
    let left = objects()?;
    ensure!(left.contains("1192345822"), "the segment is not left: {left}");
    let refused = |words: &[&str]| -> Result {
        let before = objects()?;
        let args = [OsStr::new("restart"), file.as_os_str(), OsStr::new("--detach")];
        let done = ckptctl::run(&args)?.expect(exit::FAILED)?;
        done.names(words)?;
        ensure!(!exists(target.pid), "a failed restart has left a process");
        let after = objects()?;
        ensure!(before == after, "a failed restart has changed\n{before}to\n{after}");
        let next = fs::read_to_string("/proc/sys/kernel/shm_next_id")?;
        ensure!(next.trim() == "-1", "the next segment would have the identifier {next}");
        Ok(())
    };
    // What is left is used by somebody.
    let attach = "import ctypes, time; l = ctypes.CDLL(None); l.shmat.restype = ctypes.c_void_p; \
                  l.shmat(l.shmget(0x4711c0de, 0, 0), None, 0); print('ready', flush=True); time.sleep(600)";
    let mut user = Program::command(context, &["python3", "-c", attach])
        .out(&context.path("user"))
        .start()?;
    user.wait_ready()?;
    refused(&["segment", "in use", "attached"]).during("used segment")?;
    user.kill()?;
    // Another one has its key.
    command(&["ipcrm", "-M", KEY])?;
    let make = "import ctypes; assert ctypes.CDLL(None).shmget(0x4711c0de, 4096, 0o1600) >= 0";
    command(&["python3", "-c", make])?;
    refused(&["key", KEY, "taken"]).during("another segment")?;
    command(&["ipcrm", "-M", KEY])?;
    target.restart(&file)?;
    target.finish()?;
    ensure!(objects()? == empty, "something is left: {}", objects()?);
    Ok(())
}

/// Somebody waits for a semaphore of the set that the target has left: the restart is refused, and works when he has gone.
fn set_in_use(context: &Context) -> Result {
    let file = context.path("used.ckpt");
    let mut target = Program::own(context, "ipc_small").args(&["shared"]).start()?;
    target.wait_ready()?;
    target.checkpoint_kill(&file)?;
    let left = objects()?;
    let id = left
        .lines()
        .find_map(|line| line.strip_prefix("sem ")?.split(' ').nth(1));
    let Some(id) = id else {
        fail!("the set is not left: {left}")
    };
    let wait = format!(
        "import ctypes, struct; print('ready', flush=True); \
         ctypes.CDLL(None).semop({id}, struct.pack('Hhh', 0, -100, 0), 1)"
    );
    let mut user = Program::command(context, &["python3", "-c", &wait])
        .out(&context.path("user"))
        .start()?;
    user.wait_ready()?;
    let waits = || {
        let at = fs::read_to_string(format!("/proc/{}/wchan", user.pid)).unwrap_or_default();
        at.contains("sem").then_some(())
    };
    ensure!(wait_until(PATIENCE, waits).is_some(), "nobody waits for the set");
    let args = [OsStr::new("restart"), file.as_os_str(), OsStr::new("--detach")];
    ckptctl::run(&args)?
        .expect(exit::FAILED)?
        .names(&["semaphore set", id, "in use"])?;
    ensure!(
        objects()? == left,
        "a failed restart has changed\n{left}to\n{}",
        objects()?
    );
    user.kill()?;
    target.restart(&file)?;
    target.finish()
}

/// A restarter that may write to a segment that the target has left, and does not own it, may not empty it.
fn of_another_user(context: &Context) -> Result {
    const DEVICE: &str = "/dev/ckpt";
    let file = context.path("foreign.ckpt");
    let before = objects()?;
    let make = "import ctypes; assert ctypes.CDLL(None).shmget(0x4711c0df, 8192, 0o1666) >= 0";
    command(&["python3", "-c", make])?;
    let attach = "import ctypes, time; l = ctypes.CDLL(None); l.shmat.restype = ctypes.c_void_p; \
                  at = l.shmat(l.shmget(0x4711c0df, 0, 0), None, 0); ctypes.memset(at, 7, 8192); \
                  print('ready', flush=True); time.sleep(600)";
    let user = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"];
    let mut target = Program::command(context, &[&user[..], &["python3", "-c", attach]].concat()).start()?;
    target.wait_ready()?;
    target.checkpoint_kill(&file)?;
    let allowed = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    allowed(&file, 0o644)?;
    allowed(context.dir(), 0o755)?;
    allowed(Path::new(DEVICE), 0o666)?;
    let name = file.to_string_lossy();
    let caps = "+checkpoint_restore,+ipc_owner";
    let (inherited, ambient) = (format!("--inh-caps={caps}"), format!("--ambient-caps={caps}"));
    let restart = [&inherited, &ambient, CKPTCTL, "restart", &name, "--detach"];
    let done = ckptctl::finish(
        Command::new(user[0])
            .args(&user[1..])
            .args(restart)
            .stdin(Stdio::null()),
    );
    allowed(Path::new(DEVICE), 0o600)?;
    done?
        .expect(exit::REFUSED)?
        .names(&["segment", "belongs to another user"])?;
    command(&["ipcrm", "-M", "0x4711c0df"])?;
    ensure!(objects()? == before, "something is left: {}", objects()?);
    Ok(())
}

/// Somebody who is not allowed to, as programs are told.
const USER: [&str; 4] = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"];

/// Runs Python with the C library and what `struct` packs at hand.
fn python(script: &str) -> Vec<String> {
    let begin =
        "import ctypes, os, struct, time\nl = ctypes.CDLL(None, use_errno=True)\nl.shmat.restype = ctypes.c_void_p\n";
    ["python3", "-c", &format!("{begin}{script}")].map(str::to_owned).into()
}

/// A target can have a list with nothing to undo for any set, and may attach a segment that it only may read. Neither is its own: a restart
/// by root would give old contents to what others use.
fn of_others(context: &Context) -> Result {
    let make = "s = l.semget(0x4711c0d0, 1, 0o1600); assert l.semctl(s, 0, 16, 5) == 0\nassert l.shmget(0x4711c0d1, 4096, 0o1644) >= 0";
    let get = "s = l.semget(0x4711c0d0, 0, 0)\n";
    let set = format!("{get}assert l.semctl(s, 0, 16, 9) == 0");
    let look = format!("{get}assert l.semctl(s, 0, 12) == 9");
    let nothing = format!(
        "{get}assert l.semctl(s, 0, 12) == -1 and ctypes.get_errno() == 13\n\
         assert l.semop(s, struct.pack('Hhh', 65535, 1, 0o14000), 1) == -1 and ctypes.get_errno() == 27\n\
         print('ready', flush=True)\ntime.sleep(600)"
    );
    let attach =
        "assert l.shmat(l.shmget(0x4711c0d1, 0, 0), None, 0o10000)\nprint('ready', flush=True)\ntime.sleep(600)";
    let empty = objects()?;
    command(&python(make))?;
    let start = |script: &str| -> Result<Target> {
        let user = USER.map(str::to_owned);
        let mut target = Program::command(context, &[&user[..], &python(script)].concat()).start()?;
        target.wait_ready()?;
        Ok(target)
    };
    let file = context.path("nothing.ckpt");
    let mut target = start(&nothing)?;
    target.checkpoint_kill(&file)?;
    command(&python(&set))?;
    target.restart(&file)?;
    command(&python(&look)).during("the set after a restart")?;
    target.kill()?;
    let mut target = start(attach)?;
    ckptctl::run(&["check", &target.pid.to_string()])?
        .expect(exit::REFUSED)?
        .names(&["segment", "may not read and change it"])?;
    target.kill()?;
    command(&["ipcrm", "-S", "0x4711c0d0", "-M", "0x4711c0d1"])?;
    ensure!(objects()? == empty, "something is left: {}", objects()?);
    Ok(())
}

/// A container without a user namespace of its own may have objects of root, and nothing but processes of a user.
fn unreadable(context: &Context) -> Result {
    const DEVICE: &str = "/dev/ckpt";
    let script = "assert l.unshare(0x08000000) == 0\n\
                  l.semget(1, 1, 0o1600); l.shmget(1, 4096, 0o1600); l.msgget(1, 0o1600)\n\
                  assert l.mq_open(b'/secret', 0o102, 0o600, None) >= 0\n\
                  os.setresgid(1000, 1000, 1000); os.setgroups([]); os.setresuid(1000, 1000, 1000)\n\
                  assert l.prctl(4, 1, 0, 0, 0) == 0\nprint('ready', flush=True)\ntime.sleep(600)";
    let mut target = Program::command(context, &python(script)).start()?;
    target.wait_ready()?;
    let allowed = |mode: u32| fs::set_permissions(DEVICE, fs::Permissions::from_mode(mode));
    allowed(0o666)?;
    let check = [CKPTCTL, "check", &target.pid.to_string()].map(str::to_owned);
    let done = ckptctl::finish(Command::new(USER[0]).args(&USER[1..]).args(check).stdin(Stdio::null()));
    allowed(0o600)?;
    done?.expect(exit::REFUSED)?.names(&[
        "semaphore set",
        "segment",
        "message queue",
        "/secret",
        "the caller may not read it",
    ])?;
    target.kill()
}

/// What fails when all tasks have been let go, and times begin to count: nothing is left of the restart, and it says so.
fn tells_another(context: &Context) -> Result {
    const KEY: &str = "0x4711c0de";
    const TOLD: &str = "import ctypes, os, time; l = ctypes.CDLL(None); l.shmat.restype = ctypes.c_void_p; \
                        q = l.mq_open(b'/ckpt-taken', 0o102, 0o600, None); \
                        assert l.mq_notify(q, (ctypes.c_int * 16)(0, 0, 12)) == 0; ";
    let file = context.path("taken.ckpt");
    let told = |more: &str| format!("{TOLD}{more}print('ready', flush=True); time.sleep(600)");
    let family = told("l.shmat(l.shmget(0x4711c0de, 4096, 0o1600), None, 0); os.fork() or time.sleep(600); ");
    let empty = objects()?;
    let mut target = Program::command(context, &["python3", "-c", &family]).start()?;
    target.wait_ready()?;
    let children = descendants(target.pid);
    ensure!(children.len() == 1, "the target has children {children:?}");
    target.checkpoint_kill(&file)?;
    command(&["ipcrm", "-M", KEY])?;
    ensure!(objects()? == empty, "something is left: {}", objects()?);
    let mut taker = Program::command(context, &["python3", "-c", &told("")])
        .out(&context.path("taker"))
        .start()?;
    taker.wait_ready()?;
    for _ in 0..5 {
        let args = [OsStr::new("restart"), file.as_os_str(), OsStr::new("--detach")];
        let done = ckptctl::run(&args)?.expect(exit::FAILED)?;
        done.names(&["cannot be told of messages again"])?;
        reap_orphans(&[target.pid, children[0]])?;
        let after = objects()?;
        ensure!(empty == after, "a failed restart has left {after}");
    }
    taker.kill()?;
    target.restart(&file)?;
    ensure!(objects()? != empty, "the segment is not there");
    target.kill()?;
    command(&["ipcrm", "-M", KEY])?;
    let unlink = "import ctypes; assert ctypes.CDLL(None).mq_unlink(b'/ckpt-taken') == 0";
    command(&["python3", "-c", unlink])
}

/// Objects that the target has made in the caller's namespace, and that cannot be known to be its own.
fn left_alone(context: &Context) -> Result {
    let script = [
        "import ctypes, os, time",
        "l = ctypes.CDLL(None)",
        "shm = l.shmget(0, 4096, 0o600); sem = l.semget(0, 1, 0o600); msg = l.msgget(0, 0o600)",
        "assert l.semctl(sem, 0, 16, 3) == 0",
        "assert l.msgsnd(msg, (ctypes.c_long * 2)(1, 0), 8, 0) == 0",
        "print('expect', shm, sem, msg)",
        "print('ready', flush=True)",
        "while not os.path.exists(os.environ['CKPT_GO']): time.sleep(0.02)",
        "assert l.semctl(sem, 0, 12) == 3",
        "assert l.shmctl(shm, 0, 0) == 0 and l.semctl(sem, 0, 0) == 0 and l.msgctl(msg, 0, 0) == 0",
        "print('OK', flush=True)",
    ]
    .join("\n");
    let file = context.path("left.ckpt");
    let mut target = Program::command(context, &["python3", "-c", &script]).start()?;
    target.wait_ready()?;
    let done = ckptctl::run(&["check", &target.pid.to_string()])?.expect(exit::DONE)?;
    let lines = target.lines();
    let ids: Vec<&str> = lines[0].split(' ').skip(1).collect();
    done.names(&[
        format!("segment {}", ids[0]),
        format!("set {}", ids[1]),
        format!("queue {}", ids[2]),
    ])?;
    target.checkpoint_kill(&file)?;
    target.restart(&file)?;
    target.finish()
}
