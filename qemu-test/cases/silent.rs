// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Nothing is lost in silence: a rarely used attribute is kept, or the process is refused.

use harness::ckptctl::{self, exit};
use harness::process::alive;
use harness::{ensure, Case, Context, Program, Result};

/// Kinds that `programs/kept_or_refused.c` makes.
const KINDS: &[&str] = &[
    "oom_score_adj",
    "coredump_filter",
    "io_priority",
    "memory_policy",
    "mapping_policy",
    "subreaper",
    "deny_write_execute",
    "time_stamp_counter",
    "no_huge_pages",
    "memory_merge",
    "io_flusher",
    "membarrier",
    "syscall_dispatch",
    "deadline",
    "port_permission",
    "local_descriptor_table",
    "thread_local_segment",
    "session_keyring",
    "cpuid_fault",
];

/// One for each.
pub fn cases() -> Vec<Case> {
    let case = |kind: &&'static str| {
        let kind = *kind;
        Case::new(format!("silent/keeps_or_refuses_{kind}"), move |context| {
            kept_or_refused(context, kind)
        })
    };
    KINDS.iter().map(case).collect()
}

fn kept_or_refused(context: &Context, kind: &str) -> Result {
    let file = context.path("attribute.ckpt");
    let mut target = Program::own(context, "kept_or_refused").args(&[kind]).start()?;
    target.wait_ready()?;
    let pid = target.pid.to_string();
    let done = ckptctl::run(&["checkpoint", &pid, "-o", &file.display().to_string(), "--kill"])?;
    if done.code == exit::REFUSED {
        done.names(&[&pid])?;
        ensure!(alive(target.pid), "a refused target is gone");
        return target.finish();
    }
    if kind == "session_keyring" {
        // Every login has its own: a refusal would refuse nearly everything. It is lost, but not in silence.
        done.names(&["session keyring"])?;
    }
    done.expect(exit::DONE)?;
    target.was_killed()?;
    if kind == "session_keyring" {
        return Ok(());
    }
    target.restart(&file)?;
    target.finish()
}
