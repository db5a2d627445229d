// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Real programs, in every mode.

mod bash;
mod make;
mod sqlite;
mod terminal;
mod tmux;
mod xz;

use harness::{Case, Mode, Program, Recipe};

/// The cases of this group.
pub fn cases() -> Vec<Case> {
    let printing = |program: &'static str| Recipe::busy(move |context| Ok(Program::own(context, program)));
    let java = |work: &'static str| {
        move |context: &harness::Context| {
            // Quick to start on a slow machine: no big heap, no optimising compiler.
            let words = [
                "java",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                // No thread that ends while it is looked at.
                "-XX:-UseDynamicNumberOfCompilerThreads",
                "-Xmx64m",
                "-Xss512k",
                "-cp",
                harness::PROGRAMS,
            ];
            Ok(Program::command(context, &words).args(&["Compute", work]).patience(400))
        }
    };
    // In a directory of their own, where their sockets are.
    let serving = |program: &str| {
        let path = format!("{}/{program}", harness::PROGRAMS);
        Recipe::busy(move |context| {
            Ok(Program::command(context, &["python3", &path])
                .cwd(context.dir())
                .patience(240))
        })
        .opens()
    };
    let mut cases = vec![
        printing("avx_sums").cases("program/avx_sums", &Mode::ALL),
        printing("pthreads").cases("program/pthreads", &Mode::ALL),
        printing("openmp").cases("program/openmp", &Mode::ALL),
        Recipe::busy(|context| Ok(Program::command(context, &["python3", "/ckpt/programs/compute.py"]).patience(120)))
            .cases("program/python3", &Mode::ALL),
        Recipe::busy(|context| Ok(Program::command(context, &["python3", "/ckpt/programs/pool.py"]).patience(120)))
            .cases("program/python3_pool", &[Mode::LeftRunning, Mode::Restart, Mode::Twice]),
        sqlite::recipe().cases("program/sqlite3", &Mode::ALL),
        serving("sqlite_wal.py").cases(
            "program/sqlite3_of_two_processes",
            &[Mode::LeftRunning, Mode::Restart, Mode::Twice],
        ),
        serving("sockets.py").cases(
            "program/python3_asyncio",
            &[Mode::LeftRunning, Mode::Restart, Mode::Twice],
        ),
    ];
    let redis = serving("redis.py").cases("program/redis", &[Mode::LeftRunning, Mode::Restart, Mode::Twice]);
    // The server refuses to run for root.
    let postgresql = {
        let path = format!("{}/postgresql.py", harness::PROGRAMS);
        let user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"];
        Recipe::busy(move |context| {
            Ok(Program::command(context, &["python3", &path])
                .through(&user)
                .patience(240))
        })
        .opens()
        .case("program/postgresql")
    };
    let slow = |cases: Vec<Case>| cases.into_iter().map(|case| case.limit(900)).collect::<Vec<_>>();
    cases.push(slow(
        Recipe::busy(java("busy")).cases("program/java_busy", &[Mode::LeftRunning, Mode::Twice]),
    ));
    cases.push(slow(
        Recipe::busy(java("idle"))
            .goes_on(|target| target.is_unharmed())
            .cases("program/java_idle", &[Mode::Restart, Mode::Pipe]),
    ));
    cases.push(slow(redis));
    let services = ["nginx", "memcached", "node", "java", "timers"];
    let services = services.map(|name| serving(&format!("{name}.py")).case(&format!("program/{name}")));
    cases.push(slow(services.into_iter().chain([postgresql]).collect()));
    cases.push(slow(xz::cases()));
    cases.push(vec![
        Case::new("program/make", make::builds).limit(300),
        Case::new("program/bash", bash::goes_on).limit(240),
        Case::new("program/script_with_bash", terminal::job_control).limit(240),
        Case::new("program/tmux_with_bash_and_vim", tmux::windows).limit(300),
        Case::new("program/script_with_vim", terminal::editor).limit(240),
    ]);
    let notices = Case::new("program/targets_notice_disturbance", targets_notice).limit(300);
    cases.push(vec![notices]);
    cases.into_iter().flatten().collect()
}

/// Targets with a way to damage their own state. They have to say FAIL then, or their cases show nothing.
const DISTURBED: &[&[&str]] = &[
    &["avx_sums"],
    &["pthreads"],
    &["openmp"],
    &["regs_gprs"],
    &["regs_segment_base"],
    &["fpu_registers", "loop"],
    &["fpu_registers", "sleep"],
    &["signal_actions"],
    &["signal_mask"],
    &["signal_altstack"],
    &["signal_in_handler"],
    &["signal_pending"],
    &["itimer_kept", "armed"],
    &["posix_timer_kept", "armed"],
    &["posix_timer_kept", "pending"],
    &["posix_timer_kept", "huge"],
    &["seccomp_kept", "filters"],
    &["seccomp_kept", "tree"],
    &["prctl_kept"],
    &["mempolicy_kept"],
    &["mm_prctl"],
    &["task_unshared"],
    &["task_join"],
    &["task_rseq"],
    &["task_attributes"],
    &["task_threads", "8"],
    &["sched_attributes"],
    &["rlimit_all"],
    &["cred_all", "plain"],
    &["landlock_kept", "layers"],
    &["landlock_kept", "threads"],
    &["landlock_kept", "dropped"],
    &["aio_contexts"],
    &["mm_anon"],
    &["mm_stack_brk"],
    &["mm_file"],
    &["mm_shared_anon"],
    &["mm_sparse"],
    &["mm_advice"],
    &["mm_guard_seal", "guard"],
    &["mm_guard_seal", "seal"],
    &["mm_vdso"],
    &["mm_many", "600"],
    &["fs_directories"],
    &["fd_table"],
    &["fd_many", "100"],
    &["file_pipe"],
    &["socket_datagrams"],
    &["socket_named"],
    &["socket_names"],
    &["socket_pair"],
    &["socket_rights"],
    &["socket_tree"],
    &["socket_waiting"],
    &["file_flock"],
    &["file_locks"],
    &["file_path"],
    &["file_signals"],
    &["file_deleted"],
    &["file_memfd"],
    &["pty_kept"],
    &["pty_session"],
    &["pty_session", "own"],
    &["syscall_blocked", "sigsuspend"],
    &["syscall_timed", "nanosleep", "400"],
    &["storm"],
    &["tree_family", "3", "2"],
    &["tree_zombies"],
    &["tree_sessions"],
    &["tree_shared"],
    &["tree_vfork"],
    &["tree_stopping"],
    &["tree_pipes"],
    &["tree_storm", "4"],
    &["tree_prefork", "5", "4"],
];

/// The tests of the tests: no checkpoint is made here.
fn targets_notice(context: &harness::Context) -> harness::Result {
    for (index, words) in DISTURBED.iter().enumerate() {
        let dir = context.path(&index.to_string());
        std::fs::create_dir(&dir)?;
        let inner = harness::Context::new(context.name(), &dir);
        let program = Program::own(&inner, words[0])
            .args(&words[1..])
            .env("CKPT_DISTURB", "1");
        println!("{words:?}");
        let mut target = program.start()?;
        // Some notice before they are ready.
        let _ = target.wait_ready();
        std::thread::sleep(std::time::Duration::from_millis(150));
        target.go()?;
        harness::process::wait_end(target.pid, harness::process::PATIENCE)?;
        let lines = target.lines();
        let noticed = lines
            .iter()
            .any(|line| line.starts_with("FAIL") || line.starts_with("SKIP"));
        harness::ensure!(noticed, "{words:?} did not notice a damaged state: {lines:?}");
    }
    Ok(())
}
