// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! What in a kernel log means that something is wrong.

const SIGNS: &[&str] = &[
    "WARNING:",
    "BUG:",
    "kernel BUG at",
    "Oops",
    "Kernel panic",
    "general protection fault",
    "unable to handle",
    "double fault",
    "blocked for more than",
    "rcu_preempt detected stalls",
    "rcu_tasks detected stalls",
    "self-detected stall",
    "soft lockup",
    "hard LOCKUP",
    "refcount_t:",
    "list_add corruption",
    "list_del corruption",
    "scheduling while atomic",
    "sleeping function called from invalid context",
    "Bad page state",
    "Bad rss-counter state",
    "non-zero pgtables_bytes",
    "UBSAN:",
    "KASAN:",
    "Objects remaining",
    "ckpt: leak",
];

/// Messages about a user program's own fault, not the kernel's.
fn about_user_space(line: &str) -> bool {
    line.contains("traps: ") || line.contains("segfault at")
}

/// The lines that say that the kernel is unwell, in order.
pub fn problems(log: &str) -> Vec<String> {
    log.lines()
        .filter(|line| SIGNS.iter().any(|sign| line.contains(sign)) && !about_user_space(line))
        .map(|line| line.trim_end().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_splats() {
        let log = "[    1.0] Linux version\n\
                   [    2.0] WARNING: kernel/exit.c:1 at do_exit+0x1/0x2, CPU#0: x/1\r\n\
                   [    3.0] Oops: int3: 0000 [#1]\n\
                   [    4.0] INFO: task a:1 blocked for more than 120 seconds.\n";
        assert_eq!(problems(log).len(), 3);
    }

    #[test]
    fn a_crashing_program_is_no_problem() {
        let log = "[ 1.0] traps: a[1] general protection fault ip:1 sp:2 error:0 in a\n\
                   [ 2.0] a[2]: segfault at 0 ip 0\n[ 3.0] ckpt: loading out-of-tree module taints kernel.\n";
        assert!(problems(log).is_empty());
    }
}
