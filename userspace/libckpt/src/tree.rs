// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The task tree: the half of it that user space builds. The kernel's half is the room `tree` of the module.

use crate::device::{Make, Namespace, Task};
use crate::error::{Error, Result, TakenPid};
use ckpt_uapi::record::tree::{flags, Tree};
use rustix::process::{getpriority_pgrp, getpriority_process, Pid};
use std::collections::{HashMap, HashSet};
use std::fs;

/// The tasks of a statefile, checked: what can be built is planned, what cannot is refused.
#[derive(Debug)]
pub(crate) struct TaskTree {
    entries: Vec<Tree>,
    tasks: Vec<Task>,
}

fn refuse<T>(why: String) -> Result<T> {
    Err(Error::Tree(why))
}

impl TaskTree {
    /// Takes what the kernel copied out: the entries, and the thread ids in nested pid namespaces.
    pub fn new(entries: Vec<Tree>, nested: &[u32]) -> Result<Self> {
        let mut planner = Planner {
            entries: &entries,
            tasks: Vec::with_capacity(entries.len()),
            pids: HashSet::with_capacity(entries.len()),
            processes: HashMap::new(),
            inits: HashMap::new(),
            busy: HashSet::new(),
        };
        let mut nested = nested;
        for entry in &entries {
            let level = entry.level as usize;
            let Some((own, rest)) = nested.split_at_checked(level) else {
                return refuse("it lacks thread ids of nested pid namespaces".into());
            };
            planner.add(entry, own)?;
            nested = rest;
        }
        let tasks = planner.tasks;
        if tasks.is_empty() {
            return refuse("it has no task".into());
        }
        Ok(Self { entries, tasks })
    }

    /// How each task is made, in the order of the tree.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// Whether the root process led a process group.
    pub fn leads_group(&self) -> bool {
        self.entries[0].flags & (flags::GROUP_LEADER | flags::SESSION_LEADER) != 0
    }

    /// Which of its numbers somebody has. Also those of process groups and sessions whose leader is gone: they have to be
    /// made. The root task's own need not be: it lives where its restarter wants it.
    pub fn taken(&self) -> Vec<TakenPid> {
        let mut numbers: Vec<u32> = self.entries.iter().map(|task| task.pid).collect();
        let mut known: HashSet<u32> = numbers.iter().copied().collect();
        known.extend([0, self.entries[0].pgid, self.entries[0].sid]);
        for entry in &self.entries {
            numbers.extend(
                [entry.pgid, entry.sid]
                    .into_iter()
                    .filter(|number| known.insert(*number)),
            );
        }
        taken_pids(numbers)
    }

    /// Whether a process besides the root has the root's parent.
    pub fn has_orphans(&self) -> bool {
        self.tasks.iter().any(|task| task.namespace == Namespace::Beside)
    }

    /// Thread id of a task.
    pub fn pid(&self, index: u32) -> u32 {
        self.entries.get(index as usize).map_or(0, |task| task.pid)
    }
}

/// Goes through the entries in their order.
struct Planner<'a> {
    entries: &'a [Tree],
    tasks: Vec<Task>,
    pids: HashSet<u32>,
    /// Index of each process, by pid.
    processes: HashMap<u32, u32>,
    /// First process of a nested pid namespace, by its parent: `None` when there are several.
    inits: HashMap<u32, Option<u32>>,
    /// Processes that have threads or child processes.
    busy: HashSet<u32>,
}

impl Planner<'_> {
    fn add(&mut self, entry: &Tree, nested: &[u32]) -> Result<()> {
        let (index, pid) = (self.tasks.len() as u32, entry.pid);
        if pid == 0 || nested.contains(&0) || !self.pids.insert(pid) {
            return refuse(format!("task {index} has the impossible pid {pid}"));
        }
        // As clone3 wants them: innermost first.
        let numbers: std::result::Result<Vec<i32>, _> =
            nested.iter().rev().chain([&pid]).map(|&pid| pid.try_into()).collect();
        let Ok(pids) = numbers else {
            return refuse(format!("task {index} has the impossible pid {pid}"));
        };
        let task = if entry.flags & flags::LEADER == 0 {
            self.thread(entry, pids)?
        } else if index == 0 {
            if entry.level != 0 {
                return refuse("its first process is in a nested pid namespace".into());
            }
            Task {
                creator: 0,
                make: Make::Process,
                namespace: Namespace::Same,
                exit_signal: libc::SIGCHLD,
                parent: 0,
                pids,
            }
        } else {
            self.process(entry, index, pids)?
        };
        if entry.flags & flags::LEADER != 0 {
            if entry.tgid != pid {
                return refuse(format!("process {pid} is a thread of {}", entry.tgid));
            }
            self.processes.insert(pid, index);
        }
        self.tasks.push(task);
        Ok(())
    }

    fn thread(&mut self, entry: &Tree, pids: Vec<i32>) -> Result<Task> {
        let leader = self.entries.get(entry.leader as usize);
        let right = |leader: &&Tree| {
            leader.flags & flags::LEADER != 0 && leader.tgid == entry.tgid && leader.level == entry.level
        };
        if (entry.leader as usize) >= self.tasks.len() || leader.filter(right).is_none() {
            return refuse(format!("thread {} does not follow its leader", entry.pid));
        }
        self.keep_busy(entry.leader)?;
        Ok(Task {
            creator: entry.leader,
            make: Make::Thread,
            namespace: Namespace::Same,
            exit_signal: 0,
            parent: 0,
            pids,
        })
    }

    fn process(&mut self, entry: &Tree, index: u32, pids: Vec<i32>) -> Result<Task> {
        let pid = entry.pid;
        if entry.ppid == 0 {
            return self.beside_root(entry, index, pids);
        }
        let Some(&parent) = self.processes.get(&entry.ppid) else {
            return refuse(format!(
                "the parent of process {pid} ({}) is not in it, which this version does not restart",
                entry.ppid
            ));
        };
        let parent_entry = &self.entries[parent as usize];
        if parent_entry.flags & flags::ZOMBIE != 0 {
            return refuse(format!("the parent of process {pid} has exited"));
        }
        let namespace = self.namespace(entry, parent)?;
        self.keep_busy(parent)?;
        if matches!(namespace, Namespace::New { .. }) {
            self.inits
                .entry(parent)
                .and_modify(|init| *init = None)
                .or_insert(Some(index));
        }
        let (creator, make) = self.memory(entry, index, parent, namespace)?;
        Ok(Task {
            creator,
            make,
            namespace,
            // The kernel sets the true one. A zombie may not be reaped before, by a parent that ignores SIGCHLD.
            exit_signal: if entry.flags & flags::ZOMBIE != 0 {
                0
            } else {
                libc::SIGCHLD
            },
            parent: if namespace == Namespace::Same {
                self.tasks[parent as usize].pids[0]
            } else {
                0
            },
            pids,
        })
    }

    /// A process whose parent is outside: it has entered the pid namespace of the root, which is its first process; or it is an orphan, and
    /// has the parent of the root.
    fn beside_root(&self, entry: &Tree, index: u32, pids: Vec<i32>) -> Result<Task> {
        let flags = entry.flags & (flags::ZOMBIE | flags::PIDNS_INIT | flags::SHARES_HANDLERS);
        if (entry.level, entry.vm, flags) != (0, index, 0) {
            return refuse(format!("process {} cannot have a parent outside", entry.pid));
        }
        let (namespace, exit_signal) = if self.entries[0].pid == 1 {
            // That of whoever makes it.
            (Namespace::Entered, 0)
        } else {
            (Namespace::Beside, libc::SIGCHLD)
        };
        Ok(Task {
            creator: index,
            make: Make::Process,
            namespace,
            exit_signal,
            parent: 0,
            pids,
        })
    }

    /// Pid namespace of a new process, as its parent sees it.
    fn namespace(&self, entry: &Tree, parent: u32) -> Result<Namespace> {
        let (pid, level) = (entry.pid, self.entries[parent as usize].level);
        let is_init = entry.flags & flags::PIDNS_INIT != 0;
        if entry.level == level && !is_init {
            return Ok(Namespace::Same);
        }
        if entry.level == level + 1 && is_init {
            return Ok(Namespace::New { owner: entry.owner });
        }
        // The parent had entered the namespace with setns(2). Which one is not said: it must be the only one.
        if entry.level == level + 1 {
            if let Some(Some(init)) = self.inits.get(&parent) {
                let pids = &self.tasks[*init as usize].pids;
                return Ok(Namespace::Of(pids[1]));
            }
        }
        refuse(format!(
            "process {pid} is in a pid namespace that its parent has entered, which this version does not restart"
        ))
    }

    /// Who creates a process, and with which memory.
    fn memory(&mut self, entry: &Tree, index: u32, parent: u32, namespace: Namespace) -> Result<(u32, Make)> {
        let pid = entry.pid;
        let handlers = entry.flags & flags::SHARES_HANDLERS != 0;
        if entry.vm == index {
            return if handlers {
                refuse(format!("process {pid} shares signal handlers, but no memory"))
            } else {
                Ok((parent, Make::Process))
            };
        }
        let owner = self.entries.get(entry.vm as usize);
        let Some(owner) = owner.filter(|owner| {
            entry.vm < index
                && owner.flags & flags::LEADER != 0
                && owner.vm == entry.vm
                && owner.flags & flags::ZOMBIE == 0
        }) else {
            return refuse(format!(
                "process {pid} does not follow the process whose memory it shares"
            ));
        };
        let sibling = if entry.vm == parent {
            false
        } else if entry.vm != 0 && owner.ppid == entry.ppid {
            true
        } else {
            return refuse(format!(
                "process {pid} shares the memory of process {}, which is neither its parent nor a child of it",
                owner.pid
            ));
        };
        let other_namespace = namespace != Namespace::Same || owner.level != entry.level;
        if entry.flags & flags::ZOMBIE != 0 || sibling && other_namespace {
            return refuse(format!(
                "process {pid} cannot share the memory of process {}",
                owner.pid
            ));
        }
        Ok((entry.vm, Make::Sharer { sibling, handlers }))
    }

    /// Notes that a process creates others. One that shares memory cannot: it has no memory of its own to do so.
    fn keep_busy(&mut self, creator: u32) -> Result<()> {
        if self.busy.insert(creator) {
            let entry = &self.entries[creator as usize];
            if entry.vm != creator {
                return refuse(format!(
                    "process {} shares its memory with another one and has threads or child processes, which this version \
                     does not restart",
                    entry.pid
                ));
            }
        }
        Ok(())
    }
}

/// Which of these pids (or thread ids) are in use, and by whom: as a task, or as a process group that has members.
pub fn taken_pids(pids: impl IntoIterator<Item = u32>) -> Vec<TakenPid> {
    pids.into_iter().filter_map(taken_pid).collect()
}

fn taken_pid(number: u32) -> Option<TakenPid> {
    let pid = i32::try_from(number).ok().and_then(Pid::from_raw)?;
    // Asking for a priority takes no privilege and no file: free numbers, the usual case, cost next to nothing.
    if getpriority_process(Some(pid)).is_err() {
        return getpriority_pgrp(Some(pid)).is_ok().then(|| TakenPid {
            pid: number,
            tgid: 0,
            comm: String::new(),
        });
    }
    let comm = fs::read_to_string(format!("/proc/{number}/comm")).unwrap_or_else(|_| "a process out of sight".into());
    let status = fs::read_to_string(format!("/proc/{number}/status")).unwrap_or_default();
    let tgid = status
        .lines()
        .find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok())
        .unwrap_or(number);
    Some(TakenPid {
        pid: number,
        tgid,
        comm: comm.trim_end().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::FromZeros;

    /// A tree whose entries know their index.
    fn tree(entries: Vec<Tree>) -> Result<TaskTree> {
        tree_with(entries, &[])
    }

    fn tree_with(mut entries: Vec<Tree>, nested: &[u32]) -> Result<TaskTree> {
        for (index, entry) in (0..).zip(&mut entries) {
            if entry.flags & flags::LEADER != 0 {
                entry.leader = index;
                if entry.vm == 0 {
                    entry.vm = index;
                }
            }
        }
        TaskTree::new(entries, nested)
    }

    fn process(pid: u32, ppid: u32) -> Tree {
        Tree {
            pid,
            tgid: pid,
            ppid,
            pgid: 10,
            sid: 10,
            flags: flags::LEADER,
            ..Tree::new_zeroed()
        }
    }

    fn thread(pid: u32, tgid: u32, leader: u32) -> Tree {
        Tree {
            pid,
            tgid,
            leader,
            ..Tree::new_zeroed()
        }
    }

    fn why(result: Result<TaskTree>) -> String {
        result.expect_err("a tree that cannot be built").to_string()
    }

    #[test]
    fn plans_a_tree() {
        let zombie = Tree {
            flags: flags::LEADER | flags::ZOMBIE,
            ..process(13, 10)
        };
        let tree = tree(vec![
            process(10, 1),
            thread(12, 10, 0),
            process(11, 10),
            thread(15, 11, 2),
            process(14, 11),
            zombie,
        ])
        .unwrap();
        let made: Vec<_> = tree
            .tasks()
            .iter()
            .map(|task| (task.creator, task.make, task.parent))
            .collect();
        assert_eq!(
            made,
            [
                (0, Make::Process, 0),
                (0, Make::Thread, 0),
                (0, Make::Process, 10),
                (2, Make::Thread, 0),
                (2, Make::Process, 11),
                (0, Make::Process, 10),
            ]
        );
        let signals: Vec<_> = tree.tasks().iter().map(|task| task.exit_signal).collect();
        assert_eq!(signals, [libc::SIGCHLD, 0, libc::SIGCHLD, 0, libc::SIGCHLD, 0]);
        assert!(!tree.leads_group());
    }

    #[test]
    fn refuses_what_it_cannot_build() {
        let exited = Tree {
            flags: flags::LEADER | flags::ZOMBIE,
            ..process(11, 10)
        };
        let cases = [
            (vec![], "no task"),
            (vec![thread(12, 10, 0)], "does not follow its leader"),
            (vec![process(10, 1), thread(11, 11, 0)], "does not follow its leader"),
            (vec![process(10, 1), thread(10, 10, 0)], "impossible pid"),
            (vec![process(u32::MAX, 1)], "impossible pid"),
            (
                vec![process(10, 1), process(11, 12), process(12, 10)],
                "parent of process 11 (12) is not in it",
            ),
            (vec![process(10, 1), exited, process(12, 11)], "has exited"),
        ];
        for (entries, text) in cases {
            let error = why(tree(entries));
            assert!(error.contains(text), "{text}: {error}");
        }
    }

    fn sharer(pid: u32, ppid: u32, vm: u32) -> Tree {
        Tree {
            vm,
            flags: flags::LEADER | flags::SHARES_HANDLERS,
            ..process(pid, ppid)
        }
    }

    fn root_sharer(pid: u32) -> TaskTree {
        let mut entries = vec![process(10, 1), sharer(pid, 10, 0)];
        entries[1].leader = 1;
        TaskTree::new(entries, &[]).unwrap()
    }

    #[test]
    fn shares_memory_with_a_parent_or_a_sibling() {
        let (child, sibling) = (
            Make::Sharer {
                sibling: false,
                handlers: true,
            },
            Make::Sharer {
                sibling: true,
                handlers: true,
            },
        );
        assert_eq!(
            (root_sharer(11).tasks()[1].creator, root_sharer(11).tasks()[1].make),
            (0, child)
        );
        let tree_of = |entry| tree(vec![process(10, 1), process(11, 10), entry]);
        let made = |entry| {
            tree_of(entry)
                .map(|tree| (tree.tasks()[2].creator, tree.tasks()[2].make))
                .unwrap()
        };
        assert_eq!(made(sharer(12, 11, 1)), (1, child));
        assert_eq!(made(sharer(12, 10, 1)), (1, sibling));
        assert!(why(tree_of(sharer(12, 10, 7))).contains("does not follow"));
        let far = tree(vec![
            process(10, 1),
            process(11, 10),
            process(12, 11),
            process(13, 12),
            sharer(14, 12, 1),
        ]);
        assert!(why(far).contains("neither its parent"));
        let parent = tree(vec![
            process(10, 1),
            process(11, 10),
            sharer(12, 11, 1),
            process(13, 12),
        ]);
        assert!(why(parent).contains("has threads or child processes"));
        let threads = tree(vec![
            process(10, 1),
            process(11, 10),
            sharer(12, 11, 1),
            thread(13, 12, 2),
        ]);
        assert!(why(threads).contains("has threads or child processes"));
    }

    #[test]
    fn names_all_levels_of_nested_pid_namespaces() {
        let init = Tree {
            level: 1,
            flags: flags::LEADER | flags::PIDNS_INIT,
            ..process(11, 10)
        };
        let inside = |pid, ppid| Tree {
            level: 1,
            ..process(pid, ppid)
        };
        let built = tree_with(vec![process(10, 1), init, inside(12, 11), inside(13, 10)], &[1, 2, 3]).unwrap();
        let tasks = built.tasks();
        assert_eq!(
            (tasks[1].namespace, &tasks[1].pids[..], tasks[1].parent),
            (Namespace::New { owner: 0 }, &[1, 11][..], 0)
        );
        assert_eq!(
            (tasks[2].namespace, &tasks[2].pids[..], tasks[2].parent),
            (Namespace::Same, &[2, 12][..], 1)
        );
        // Its parent had entered the namespace.
        assert_eq!(
            (tasks[3].namespace, &tasks[3].pids[..]),
            (Namespace::Of(11), &[3, 13][..])
        );
        assert!(why(tree_with(vec![process(10, 1), init], &[])).contains("lacks thread ids"));
        assert!(why(tree_with(vec![process(10, 1), inside(11, 10)], &[5])).contains("has entered"));
        let several = vec![
            process(10, 1),
            init,
            Tree {
                pid: 12,
                tgid: 12,
                ..init
            },
            inside(13, 10),
        ];
        assert!(why(tree_with(several, &[1, 1, 2])).contains("has entered"));
    }

    #[test]
    fn has_processes_enter_a_container() {
        let family = || vec![process(1, 0), process(7, 0), process(8, 7)];
        let built = tree(family()).unwrap();
        let made = |index: usize| (built.tasks()[index].creator, built.tasks()[index].namespace);
        assert_eq!(made(1), (1, Namespace::Entered));
        assert_eq!(made(2), (1, Namespace::Same));
        let changes: [fn(&mut Tree); 4] = [
            |entry| entry.flags |= flags::ZOMBIE,
            |entry| entry.flags |= flags::PIDNS_INIT,
            |entry| entry.flags |= flags::SHARES_HANDLERS,
            |entry| entry.vm = 9,
        ];
        for change in changes {
            let mut entries = family();
            change(&mut entries[1]);
            assert!(why(tree(entries)).contains("cannot have a parent outside"));
        }
    }

    #[test]
    fn has_orphans_stand_beside_the_root() {
        let family = |root| vec![process(root, 3), process(7, 0), process(8, 7)];
        let built = tree(family(5)).unwrap();
        let orphan = &built.tasks()[1];
        assert_eq!(
            (orphan.creator, orphan.namespace, orphan.exit_signal),
            (1, Namespace::Beside, libc::SIGCHLD)
        );
        assert!(built.has_orphans() && !tree(family(1)).unwrap().has_orphans());
        let mut entries = family(5);
        entries[1].level = 1;
        assert!(why(tree_with(entries, &[7])).contains("cannot have a parent outside"));
    }

    #[test]
    fn names_who_has_a_pid() {
        let own = std::process::id();
        let taken = taken_pids([own, 0x3fff_fff0, 0]);
        assert_eq!(taken.len(), 1);
        assert_eq!((taken[0].pid, taken[0].tgid), (own, own));
        assert!(!taken[0].comm.is_empty());
    }

    #[test]
    fn wants_numbers_of_sessions_without_a_leader() {
        let own = std::process::id();
        let member = Tree {
            pgid: own,
            sid: own,
            ..process(0x3fff_fff1, 0x3fff_fff0)
        };
        let tree = tree(vec![process(0x3fff_fff0, 1), member]).unwrap();
        // The root's own, 10, is nobody's business.
        assert_eq!(tree.taken().iter().map(|taken| taken.pid).collect::<Vec<_>>(), [own]);
    }
}
