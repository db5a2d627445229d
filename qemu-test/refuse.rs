// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! What cannot be saved is refused: before the first byte, with pid, descriptor or address, kind and reason. No file
//! appears, and the target goes on as if nothing had happened.

use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::observe::Scope;
use harness::process::{self, wait_until, PATIENCE};
use harness::{ensure, Case, Context, Program, Result, Snapshot, Target};
use std::ffi::OsStr;
use std::fs;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Kinds that `programs/refuse.c` makes.
const KINDS: &[&str] = &[
    "socket_listening",
    "socket_held_by_another",
    "socket_peer_outside",
    "socket_server_outside",
    "socket_client_outside",
    "socket_datagrams_outside",
    "socket_carries_another_family",
    "socket_carries_what_another_holds",
    "fifo",
    "epoll_shared_outside",
    "eventfd_shared_outside",
    "timerfd_shared_outside",
    "signalfd_shared_outside",
    "namespace_of_a_process_outside",
    "proc_of_a_process_outside",
    "inotify_of_a_removed_file",
    "inotify_shared_outside",
    "inotify_of_own_server",
    "fanotify_with_events",
    "fanotify_of_descriptors",
    "fanotify_of_a_mount",
    "fanotify_that_forgets",
    "fanotify_of_a_removed_file",
    "fanotify_shared_outside",
    "covered_by_own_server",
    "memfd_shared_outside",
    "memfd_mapped_outside",
    "memory_mapped_outside",
    "memfd_huge_shared_outside",
    "memfd_huge_ends_within_a_page",
    "memfd_sealed_for_others",
    "memfd_secret",
    "deleted_file_shared_outside",
    "deleted_file_opened_outside",
    "deleted_file_with_another_name",
    "deleted_file_of_a_deleted_directory",
    "deleted_directory",
    "deleted_message_queue",
    "path_of_a_deleted_file",
    "covered_file",
    "covered_mapping",
    "io_uring",
    "io_uring_thread",
    "io_uring_credentials",
    "io_uring_chooses_buffers",
    "io_uring_buffer_unmapped",
    "io_uring_mapped_in_part",
    "io_uring_mapped_before_resizing",
    "io_uring_tells_nobody",
    "io_uring_shared_outside",
    "io_uring_restricted",
    "aio_poll",
    "aio_in_pieces",
    "aio_written_over",
    "posix_timer",
    "posix_timer_thread",
    "shm_attached_outside",
    "shm_huge",
    "shm_of_another_namespace",
    "shm_of_the_namespace_of_a_thread",
    "sem_undo_shared_outside",
    "sem_undo_too_much",
    "msg_too_long",
    "msg_too_many",
    "mqueue_too_long",
    "mqueue_thread",
    "shared_policy",
    "deadline",
    "huge_memory_mapped_outside",
    "device_open",
    "device_mapped",
    "pty_slave_outside",
    "pty_master_outside",
    "pty_session_outside",
    "pty_line_discipline",
    "pty_hung_up",
    "locked_pipe",
    "lease_broken",
    "notified_directory",
    "shared_table",
    "seccomp_listener",
    "landlock_path",
    "landlock_port",
    "landlock_thread",
    "pid_namespace",
    "pidfd",
    "userfaultfd_armed",
    "userfaultfd_shared_outside",
    "userfaultfd_of_a_child",
    "perf_event",
    "protection_key",
    "owner_outside",
    "owner_group_outside",
    "owner_with_other_rights",
    "network_bridge",
    "network_macvlan",
    "network_tun",
    "network_bridge_port",
    "network_queueing",
    "network_rule",
    "network_next_hops",
    "network_third",
    "network_filter_inet",
    "network_filter_arp",
    "network_filter_netdev",
    "network_filter_egress",
    "network_traffic_control",
    "network_lacks_address",
    "network_many_routes",
    "network_without_inet6",
    "network_outside_of_user_namespace",
    "time_outside_of_user_namespace",
    "mount_overlay",
    "mount_overlay_volatile",
    "mount_idmapped",
    "mount_mqueue_of_another_namespace",
    "mount_removed_file",
    "mount_with_many_peers",
    "mount_immutable_file",
    "user_namespace",
    "user_namespace_without_its_child",
    "groups_without_numbers",
];

/// Every case below this.
pub fn all() -> Vec<Case> {
    let case = |kind: &&'static str| {
        let kind = *kind;
        Case::new(format!("refuse/{kind}"), move |context| by_kind(context, kind))
    };
    let mut cases: Vec<Case> = KINDS.iter().map(case).collect();
    cases.push(Case::new("refuse/pipe_to_another_process", pipe_to_another));
    cases.push(Case::new("refuse/many_shared_outside", many_shared));
    cases.push(Case::new("refuse/traced", traced));
    cases.push(Case::new("refuse/every_obstacle_at_once", all_at_once));
    cases.push(Case::new("refuse/kernel_thread", kernel_thread));
    cases.push(Case::new("refuse/no_such_process", no_such_process));
    cases
}

/// `check` and `checkpoint` refuse the target by name, no file appears, the target does not change.
pub fn refused(target: &mut Target, file: &Path, names: &[impl AsRef<str>]) -> Result {
    let before = Snapshot::of(target.pid)?;
    let pid = target.pid.to_string();
    let check = ckptctl::run(&["check", &pid])?.expect(exit::REFUSED).during("check")?;
    check.names(&[&pid]).and_then(|()| check.names(names)).during("check")?;
    for extra in [&[][..], &["--kill"]] {
        let mut command = ckptctl::command(&["checkpoint", &pid, "-o"]);
        let done = ckptctl::finish(command.arg(file).args(extra))?
            .expect(exit::REFUSED)
            .during("checkpoint")?;
        done.names(&[&pid])
            .and_then(|()| done.names(names))
            .during("checkpoint")?;
        ensure!(!file.exists(), "there is a statefile");
        let dir = file.with_file_name("");
        let left = fs::read_dir(dir)?
            .flatten()
            .find(|entry| entry.file_name().to_string_lossy().contains("ckptctl"));
        ensure!(left.is_none(), "a temporary file was left: {left:?}");
        target.is_unharmed()?;
    }
    before.expect(
        target.pid,
        Scope {
            busy: true,
            ..Scope::default()
        },
    )
}

/// What the program says that a refusal has to name.
fn expectations(target: &Target) -> Vec<String> {
    target
        .lines()
        .iter()
        .filter_map(|line| Some(line.strip_prefix("expect ")?.to_owned()))
        .collect()
}

fn by_kind(context: &Context, kind: &str) -> Result {
    let huge = [
        "huge_memory_mapped_outside",
        "memfd_huge_ends_within_a_page",
        "shm_huge",
    ]
    .contains(&kind);
    if huge {
        let _ = fs::write("/proc/sys/vm/nr_hugepages", "4");
    }
    let result = refuse_kind(context, kind);
    if huge {
        let _ = fs::write("/proc/sys/vm/nr_hugepages", "0");
    }
    result
}

fn refuse_kind(context: &Context, kind: &str) -> Result {
    let program = Program::own(context, "refuse").args(&[kind]).cwd(context.dir());
    let mut target = program.start()?;
    target.wait_ready()?;
    let names = expectations(&target);
    ensure!(!names.is_empty(), "the program expects nothing");
    refused(&mut target, &context.path("refused.ckpt"), &names)?;
    target.finish()?;
    // Who was outside of the program ends soon after it.
    process::reap_orphans(&process::children(std::process::id() as i32))
}

/// Whoever looks at a file holds it for a moment, for which a checkpoint waits; but not for each of many: the target stands still.
fn many_shared(context: &Context) -> Result {
    let program = Program::own(context, "refuse").args(&["many_shared_outside"]);
    let mut target = program.cwd(context.dir()).start()?;
    target.wait_ready()?;
    let began = Instant::now();
    let file = context.path("refused.ckpt");
    let mut command = ckptctl::command(&["checkpoint", &target.pid.to_string(), "-o"]);
    ckptctl::finish(command.arg(&file))?
        .expect(exit::REFUSED)?
        .names(&["eventfd that another process holds"])?;
    let took = began.elapsed();
    // To wait for each of them would take half a minute.
    ensure!(took < Duration::from_secs(15), "it took {took:?}");
    target.finish()
}

/// A pipe whose other end somebody else has, and which is not a standard descriptor.
fn pipe_to_another(context: &Context) -> Result {
    // Inherited by the program, and held by this process.
    let (reader, writer) = rustix::pipe::pipe()?;
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    let fds = [&reader, &writer].map(|end| format!("fd {}", end.as_raw_fd()));
    refused(&mut target, &context.path("pipe.ckpt"), &["pipe", &fds[0], &fds[1]])?;
    target.wait_more_lines(2)?;
    target.finish()
}

/// A process that a debugger holds.
fn traced(context: &Context) -> Result {
    let mut target = Program::own(context, "tick").start()?;
    target.wait_ready()?;
    let mut strace = Command::new("strace")
        .args(["-qq", "-o", "/dev/null", "-p", &target.pid.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let held = || {
        harness::process::status_field(target.pid, "TracerPid")
            .filter(|tracer| tracer != "0")
            .map(drop)
    };
    ensure!(wait_until(PATIENCE, held).is_some(), "strace does not attach");
    let result = refused(
        &mut target,
        &context.path("traced.ckpt"),
        &["trace|ptrace", &strace.id().to_string()],
    );
    let _ = harness::process::signal(strace.id() as i32, rustix::process::Signal::TERM);
    let _ = strace.wait();
    result?;
    target.wait_more_lines(2)?;
    target.finish()
}

/// Three different obstacles are all named in one go.
fn all_at_once(context: &Context) -> Result {
    let script = [
        "import fcntl, os, socket, time",
        "a = socket.socket(); b = os.pidfd_open(os.getppid()); c, d = os.pipe()",
        "fcntl.lockf(d, fcntl.LOCK_EX)",
        "print('expect fd', a.fileno()); print('expect fd', b); print('expect fd', d)",
        "print('expect socket'); print('expect pidfd'); print('expect lock')",
        "print('ready', flush=True)",
        "while not os.path.exists(os.environ['CKPT_GO']): time.sleep(0.02)",
        "print('OK', flush=True)",
    ]
    .join("\n");
    let mut target = Program::command(context, &["python3", "-c", &script])
        .cwd(context.dir())
        .start()?;
    target.wait_ready()?;
    let names = expectations(&target);
    refused(&mut target, &context.path("refused.ckpt"), &names)?;
    target.finish()
}

fn kernel_thread(context: &Context) -> Result {
    not_a_target(context, "2", "kernel thread")
}

fn no_such_process(context: &Context) -> Result {
    not_a_target(context, "4194303", "ESRCH|no such process|no process")
}

/// A pid that cannot be saved whatever its state: the message says why, and no statefile appears.
fn not_a_target(context: &Context, pid: &str, why: &str) -> Result {
    let file = context.path("none.ckpt");
    let done = ckptctl::run(&[
        OsStr::new("checkpoint"),
        OsStr::new(pid),
        OsStr::new("-o"),
        file.as_os_str(),
    ])?;
    ensure!(
        done.code == exit::REFUSED || done.code == exit::FAILED,
        "exit status {}: {}",
        done.code,
        done.err
    );
    done.names(&[why])?;
    ensure!(!file.exists(), "there is a statefile");
    Ok(())
}
