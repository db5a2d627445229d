// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The task tree: the half of it that user space builds. The kernel's half is the room `tree` of the module.

use crate::error::{Error, Result, TakenPid};
use ckpt_uapi::record::tree::{flags, Tree};
use std::collections::HashSet;
use std::fs;

/// The tree of one process with its threads, checked.
#[derive(Debug)]
pub(crate) struct Process {
    tasks: Vec<Tree>,
}

impl Process {
    /// Takes what the kernel copied out.
    pub fn new(tasks: Vec<Tree>) -> Result<Self> {
        let refuse = |why: String| Err(Error::Tree(why));
        let Some(leader) = tasks.first() else {
            return refuse("it has no task".into());
        };
        let mut pids = HashSet::new();
        for (index, task) in tasks.iter().enumerate() {
            let is_leader = task.flags & flags::LEADER != 0;
            if task.pid == 0 || i32::try_from(task.pid).is_err() || !pids.insert(task.pid) {
                return refuse(format!("task {index} has the impossible pid {}", task.pid));
            }
            if task.tgid != leader.pid || is_leader != (index == 0) || task.leader != 0 {
                return refuse("it has more than one process, which this version does not restart".into());
            }
        }
        Ok(Self { tasks })
    }

    /// Index and tid of each task, the leader first.
    pub fn tasks(&self) -> Vec<(u32, u32)> {
        (0..).zip(&self.tasks).map(|(index, task)| (index, task.pid)).collect()
    }

    /// Whether the process led a process group.
    pub fn leads_group(&self) -> bool {
        self.tasks[0].flags & (flags::GROUP_LEADER | flags::SESSION_LEADER) != 0
    }

    /// Which of its pids somebody has.
    pub fn taken(&self) -> Vec<TakenPid> {
        taken_pids(self.tasks.iter().map(|task| task.pid))
    }

    /// Thread id of a task.
    pub fn pid(&self, index: u32) -> u32 {
        self.tasks.get(index as usize).map_or(0, |task| task.pid)
    }
}

/// Which of these pids (or thread ids) are in use, and by whom. What only names a process group is not seen.
pub fn taken_pids(pids: impl IntoIterator<Item = u32>) -> Vec<TakenPid> {
    pids.into_iter().filter_map(taken_pid).collect()
}

fn taken_pid(pid: u32) -> Option<TakenPid> {
    let comm = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let tgid = status
        .lines()
        .find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok())
        .unwrap_or(pid);
    Some(TakenPid {
        pid,
        tgid,
        comm: comm.trim_end().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::FromZeros;

    fn task(pid: u32, tgid: u32) -> Tree {
        let leader = if pid == tgid { flags::LEADER } else { 0 };
        Tree {
            pid,
            tgid,
            flags: leader,
            ..Tree::new_zeroed()
        }
    }

    #[test]
    fn takes_a_process_with_threads() {
        let process = Process::new(vec![task(10, 10), task(12, 10), task(11, 10)]).unwrap();
        assert_eq!(process.tasks(), [(0, 10), (1, 12), (2, 11)]);
        assert!(!process.leads_group());
    }

    #[test]
    fn refuses_what_it_cannot_build() {
        assert!(Process::new(vec![]).is_err());
        assert!(Process::new(vec![task(12, 10)]).is_err());
        assert!(Process::new(vec![task(10, 10), task(11, 11)]).is_err());
        assert!(Process::new(vec![task(10, 10), task(10, 10)]).is_err());
        assert!(Process::new(vec![task(u32::MAX, u32::MAX)]).is_err());
    }

    #[test]
    fn names_who_has_a_pid() {
        let own = std::process::id();
        let taken = taken_pids([own, 0x3fff_fff0]);
        assert_eq!(taken.len(), 1);
        assert_eq!((taken[0].pid, taken[0].tgid), (own, own));
        assert!(!taken[0].comm.is_empty());
    }
}
