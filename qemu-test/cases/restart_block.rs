// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind restart_block: system calls that are interrupted by a checkpoint go on.

mod blocked;
mod timed;

use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    [blocked::cases(), timed::cases()].into_iter().flatten().collect()
}

/// Numbers of the system calls that libc may use for a name, and that of a call that goes on after an interruption.
pub fn system_call_numbers(call: &str) -> &'static [i64] {
    const RESTARTED: i64 = libc::SYS_restart_syscall;
    match call {
        "nanosleep" | "clock_nanosleep" | "clock_nanosleep_abs" => {
            &[libc::SYS_nanosleep, libc::SYS_clock_nanosleep, RESTARTED]
        }
        "poll" => &[libc::SYS_poll, RESTARTED],
        "ppoll" => &[libc::SYS_ppoll],
        "select" | "pselect" => &[libc::SYS_select, libc::SYS_pselect6],
        "futex" | "futex_abs" | "futex_bitset" => &[libc::SYS_futex, RESTARTED],
        "sigtimedwait" | "sigwaitinfo" => &[libc::SYS_rt_sigtimedwait],
        "epoll_wait" => &[libc::SYS_epoll_wait, libc::SYS_epoll_pwait],
        "epoll_pwait2" => &[libc::SYS_epoll_pwait2],
        "semtimedop" => &[libc::SYS_semtimedop],
        "pause" => &[libc::SYS_pause],
        "sigsuspend" => &[libc::SYS_rt_sigsuspend],
        _ => &[],
    }
}
