// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! `ckpt.h` says what this crate says: a C program prints its constants and layouts, and they are compared.

use ckpt_uapi::record::{header, tree};
use ckpt_uapi::{ioctl, status};
use std::mem::offset_of;
use std::path::PathBuf;
use std::process::Command;

/// An expression of C, and its value here.
type Expected = Vec<(String, u64)>;

macro_rules! constants {
    ($expected:ident: $($c:ident = $rust:expr;)*) => {
        $($expected.push((stringify!($c).into(), u64::from($rust)));)*
    };
}

/// Size, and offset of every member. The pattern does not compile when a member is missing.
macro_rules! layout {
    ($expected:ident: $c:literal = $module:ident :: $rust:ident { $($member:ident),* $(,)? }) => {
        $expected.push((format!("sizeof(struct {})", $c), size_of::<$module::$rust>() as u64));
        $($expected.push((
            format!("offsetof(struct {}, {})", $c, c_name(stringify!($member))),
            offset_of!($module::$rust, $member) as u64,
        ));)*
        let _ = |all: $module::$rust| { let $module::$rust { $($member: _),* } = all; };
    };
}

/// In C `errno` is a macro.
fn c_name(member: &str) -> &str {
    if member == "errno" {
        "error"
    } else {
        member
    }
}

fn expected() -> Expected {
    let mut e = Expected::new();
    constants! { e:
        CKPT_ABI_VERSION = ckpt_uapi::ABI_VERSION;
        CKPT_FORMAT_VERSION = ckpt_uapi::FORMAT_VERSION;
        CKPT_INFO = ioctl::CKPT_INFO;
        CKPT_ATTACH = ioctl::CKPT_ATTACH;
        CKPT_CHECK = ioctl::CKPT_CHECK;
        CKPT_FREEZE = ioctl::CKPT_FREEZE;
        CKPT_THAW = ioctl::CKPT_THAW;
        CKPT_KILL = ioctl::CKPT_KILL;
        CKPT_CHECKPOINT = ioctl::CKPT_CHECKPOINT;
        CKPT_POLICIES = ioctl::CKPT_POLICIES;
        CKPT_POLICIES_MAX = ioctl::POLICIES_MAX;
        CKPT_RESTART_BEGIN = ioctl::CKPT_RESTART_BEGIN;
        CKPT_RESTART_PROLOGUE = ioctl::CKPT_RESTART_PROLOGUE;
        CKPT_RESTART_TASK = ioctl::CKPT_RESTART_TASK;
        CKPT_RESTART_END = ioctl::CKPT_RESTART_END;
        CKPT_RESTART_USER_NS = ioctl::CKPT_RESTART_USER_NS;
        CKPT_FEATURE_PROCESS = ioctl::feature::PROCESS;
        CKPT_FEATURE_SELF = ioctl::feature::SELF;
        CKPT_FEATURE_STREAM = ioctl::feature::STREAM;
        CKPT_FEATURE_GUARD = ioctl::feature::GUARD;
        CKPT_FEATURE_TREE = ioctl::feature::TREE;
        CKPT_FEATURE_CONTAINER = ioctl::feature::CONTAINER;
        CKPT_FEATURE_JOB = ioctl::feature::JOB;
        CKPT_SCOPE_PROCESS = ioctl::scope::PROCESS;
        CKPT_SCOPE_TREE = ioctl::scope::TREE;
        CKPT_SCOPE_CONTAINER = ioctl::scope::CONTAINER;
        CKPT_SCOPE_JOB = ioctl::scope::JOB;
        CKPT_CHECKPOINT_KILL = ioctl::checkpoint_flags::KILL;
        CKPT_CHECKPOINT_STOP = ioctl::checkpoint_flags::STOP;
        CKPT_CHECKPOINT_WRITTEN_FILES = ioctl::checkpoint_flags::WRITTEN_FILES;
        CKPT_CHECKPOINT_READ_FILES = ioctl::checkpoint_flags::READ_FILES;
        CKPT_RESTART_CHANGED_FILES = ioctl::restart_flags::CHANGED_FILES;
        CKPT_RESTART_REFUSE_CHANGED_FILES = ioctl::restart_flags::REFUSE_CHANGED_FILES;
        CKPT_RESTART_DETACHED = ioctl::restart_flags::DETACHED;
        CKPT_RESTART_USER_NS_OWNS_CHILDREN = ioctl::restart_user_ns_flags::OWNS_CHILDREN;
        CKPT_RESTART_END_ABORT = ioctl::restart_end_flags::ABORT;
        CKPT_TREE_LEADER = tree::flags::LEADER;
        CKPT_TREE_STOPPED = tree::flags::STOPPED;
        CKPT_TREE_STOPPING = tree::flags::STOPPING;
        CKPT_TREE_SESSION_LEADER = tree::flags::SESSION_LEADER;
        CKPT_TREE_GROUP_LEADER = tree::flags::GROUP_LEADER;
        CKPT_TREE_ZOMBIE = tree::flags::ZOMBIE;
        CKPT_TREE_EXITED = tree::flags::EXITED;
        CKPT_TREE_SHARES_HANDLERS = tree::flags::SHARES_HANDLERS;
        CKPT_TREE_PIDNS_INIT = tree::flags::PIDNS_INIT;
        CKPT_TARGET_CONTAINER = header::flags::CONTAINER;
        CKPT_TARGET_CONTENTS = header::flags::CONTENTS;
        CKPT_STAGE_ATTACH = status::stage::ATTACH;
        CKPT_STAGE_CHECK = status::stage::CHECK;
        CKPT_STAGE_FREEZE = status::stage::FREEZE;
        CKPT_STAGE_DUMP = status::stage::DUMP;
        CKPT_STAGE_BEGIN = status::stage::BEGIN;
        CKPT_STAGE_RESTORE = status::stage::RESTORE;
        CKPT_STAGE_END = status::stage::END;
        CKPT_SEVERITY_ERROR = status::severity::ERROR;
        CKPT_SEVERITY_WARNING = status::severity::WARNING;
        CKPT_MESSAGE_MAX = status::MESSAGE_MAX as u64;
    }
    layout!(e: "ckpt_info" = ioctl::Info {
        size, flags, abi_version, format_version, format_oldest, page_size, features, xfeatures, xstate_size, reserved,
        version, release,
    });
    layout!(e: "ckpt_attach" = ioctl::Attach { size, flags, pidfd, pid, scope, reserved });
    layout!(e: "ckpt_check" = ioctl::Check { size, flags, obstacles, tasks });
    layout!(e: "ckpt_freeze" = ioctl::Freeze { size, flags, timeout_ms, tasks });
    layout!(e: "ckpt_thaw" = ioctl::Thaw { size, flags });
    layout!(e: "ckpt_kill" = ioctl::Kill { size, flags });
    layout!(e: "ckpt_policies" = ioctl::Policies { size, flags, texts_size, reserved, texts });
    layout!(e: "ckpt_checkpoint" = ioctl::Checkpoint {
        size, flags, fd, pidfd, pid, timeout_ms, bytes, records, pages, frozen_ns, dump_ns, tasks, scope,
    });
    layout!(e: "ckpt_restart_begin" = ioctl::RestartBegin {
        size, flags, fd, tasks, target, pids, user_ns, external_size, external, nested_user_ns, reserved,
    });
    layout!(e: "ckpt_restart_prologue" = ioctl::RestartPrologue {
        size, flags, tree, capacity, tasks, pids, pids_capacity, pids_count, user_ns, user_ns_capacity, user_ns_size,
        nested_user_ns, nested_user_ns_capacity, nested_user_ns_size,
    });
    layout!(e: "ckpt_restart_task" = ioctl::RestartTask { size, flags, index, reserved });
    layout!(e: "ckpt_restart_user_ns" = ioctl::RestartUserNs { size, flags, number, fd });
    layout!(e: "ckpt_restart_end" = ioctl::RestartEnd { size, flags, bytes, restart_ns });
    layout!(e: "ckpt_tree" = tree::Tree {
        pid, tgid, ppid, pgid, sid, exit_signal, flags, leader, comm, vm, level, stop_signal, owner,
    });
    layout!(e: "ckpt_message" = status::Message {
        size, stage, severity, kind, errno, pid, tid, fd, text_len, address, offset,
    });
    e
}

/// A directory of this run, removed with the value.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_c_header_says_the_same() {
    let scratch = Scratch(std::env::temp_dir().join(format!("ckpt-header-{}", std::process::id())));
    std::fs::create_dir_all(&scratch.0).unwrap();
    let (source, program) = (scratch.0.join("header.c"), scratch.0.join("header"));
    let expected = expected();
    let mut text = String::from("#include \"ckpt.h\"\n#include <stddef.h>\n#include <stdio.h>\nint main(void)\n{\n");
    for (expression, _) in &expected {
        text += &format!("\tprintf(\"%llu\\n\", (unsigned long long)({expression}));\n");
    }
    text += "\t(void)ckpt_checkpoint_self;\n\treturn 0;\n}\n";
    std::fs::write(&source, text).unwrap();

    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let mut command = Command::new(compiler);
    command.args([
        "-std=c11",
        "-D_GNU_SOURCE",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-I",
        env!("CARGO_MANIFEST_DIR"),
        "-o",
    ]);
    assert!(command
        .arg(&program)
        .arg(&source)
        .status()
        .expect("a C compiler")
        .success());

    let output = Command::new(&program).output().unwrap();
    let values: Vec<u64> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    assert_eq!(values.len(), expected.len());
    for ((expression, here), there) in expected.iter().zip(values) {
        assert_eq!(*here, there, "{expression}");
    }
}
