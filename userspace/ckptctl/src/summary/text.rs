// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A summary for people.

use super::*;
use crate::text::{bytes, count, date, flags, printable, ranges, seconds, signal, signals, until_nul, uuid};
use libckpt::uapi::record::mqueue::notify;
use libckpt::uapi::record::nameless;
use libckpt::uapi::record::net::{device_flags, peer};
use libckpt::uapi::record::shm;
use std::fmt::{Result, Write};

const INFINITY: u64 = u64::MAX;

impl Summary {
    /// The whole text.
    pub fn text(&self, name: &str) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut out, name);
        out
    }

    fn write(&self, out: &mut String, name: &str) -> Result {
        writeln!(out, "Statefile {name}: sound")?;
        writeln!(
            out,
            "  Format:    {}, readable from {} on",
            self.prefix.format, self.prefix.oldest
        )?;
        if let Some(header) = &self.header {
            writeln!(out, "  Identity:  {}", uuid(&header.uuid))?;
            let (node, release) = (until_nul(&header.nodename), until_nul(&header.release));
            writeln!(
                out,
                "  Saved:     {} on {node}, Linux {release}",
                date(header.realtime_ns)
            )?;
            writeln!(
                out,
                "  Machine:   x86-64, pages of {}, xfeatures {:#x}",
                header.page_size, header.xfeatures
            )?;
        }
        let (payload, objects) = (bytes(self.payload), count(self.objects.len() as u64, "shared object"));
        writeln!(
            out,
            "  Size:      {} in {} records, {payload} of pages",
            bytes(self.bytes),
            self.record_count
        )?;
        writeln!(out, "  Contents:  {}, {objects}", count(self.tree.len() as u64, "task"))?;
        self.write_tree(out)?;
        self.write_ipc(out)?;
        for (entry, task) in self.tree.iter().zip(&self.tasks) {
            self.write_task(out, entry, task)?;
        }
        if let Some(records) = &self.records {
            write_records(out, records)?;
        }
        Ok(())
    }

    /// Shared memory segments, semaphores and message queues.
    fn write_ipc(&self, out: &mut String) -> Result {
        let is_ipc = |object: &Object| {
            matches!(
                object,
                Object::Shm { .. } | Object::Sem(..) | Object::Msg(_) | Object::Mqueue(..)
            )
        };
        let mut title = "\nSystem V IPC and POSIX message queues:\n";
        for (objref, _) in self.objects.iter().filter(|(_, object)| is_ipc(object)) {
            writeln!(out, "{title}  {}", self.object(*objref))?;
            title = "";
        }
        Ok(())
    }

    /// Each process below its parent, its threads first.
    fn write_tree(&self, out: &mut String) -> Result {
        let what = if self.is_container() {
            "all of a pid namespace"
        } else {
            "a process with what belongs to it"
        };
        if let Some((user_ns, maps)) = &self.user_ns {
            writeln!(out, "\nUser namespace, made by user {}:", user_ns.owner)?;
            write_ids(out, maps, user_ns.flags)?;
        }
        for (number, (user_ns, maps)) in (1..).zip(&self.nested_user_ns) {
            let parent = match user_ns.parent {
                0 => "that of the first process".to_owned(),
                above => format!("number {above}"),
            };
            writeln!(
                out,
                "\nUser namespace number {number}, made by user {} in {parent}:",
                user_ns.owner
            )?;
            write_ids(out, maps, user_ns.flags)?;
        }
        if !self.external.is_empty() {
            let names: Vec<String> = self.external.iter().map(|name| printable(name)).collect();
            writeln!(out, "\nA restart needs --external for: {}", names.join(", "))?;
        }
        writeln!(out, "\nTask tree, {what}:")?;
        writeln!(
            out,
            "  {:>7} {:>7} {:>7} {:>7} {:>7}  {:<19}  flags",
            "pid", "process", "parent", "group", "session", "name"
        )?;
        // A reader of statefiles has seen that parents and leaders come first: there is no way around in a circle.
        let processes: BTreeMap<u32, usize> = (0..)
            .zip(&self.tree)
            .filter(|(_, task)| is_leader(task))
            .map(|(index, task)| (task.pid, index))
            .collect();
        let mut below = vec![Vec::new(); self.tree.len()];
        let mut left = Vec::new();
        for (index, task) in self.tree.iter().enumerate().rev() {
            let above = if is_leader(task) {
                processes.get(&task.ppid).copied()
            } else {
                Some(task.leader as usize)
            };
            match above.filter(|above| *above < index) {
                Some(above) => below[above].push(index),
                None => left.push((index, 0)),
            }
        }
        while let Some((index, depth)) = left.pop() {
            self.write_tree_line(out, index, depth)?;
            let (children, threads): (Vec<usize>, Vec<usize>) =
                below[index].iter().partition(|at| is_leader(&self.tree[**at]));
            // Last in, first out: both are in the order of the tree, from its end.
            left.extend(children.into_iter().chain(threads).map(|at| (at, depth + 1)));
        }
        Ok(())
    }

    fn write_tree_line(&self, out: &mut String, index: usize, depth: usize) -> Result {
        let task = &self.tree[index];
        let Tree {
            pid,
            tgid,
            ppid,
            pgid,
            sid,
            ..
        } = task;
        let mut notes = flags(task.flags.into(), TREE_FLAGS);
        let comm = until_nul(&task.comm);
        let name = if is_leader(task) { comm } else { format!("{{{comm}}}") };
        if is_leader(task) && task.vm as usize != index {
            let owner = self.tree.get(task.vm as usize).map_or(0, |owner| owner.pid);
            write!(notes, ", memory of {owner}")?;
        }
        if let Some(nested) = self.nested.get(&(index as u32)) {
            let pids: Vec<_> = nested.iter().map(u32::to_string).collect();
            let where_ = if pids.len() == 1 {
                "a nested pid namespace"
            } else {
                "nested pid namespaces"
            };
            write!(notes, ", pid {} in {where_}", pids.join(", "))?;
        }
        let name = format!("{:indent$}{name}", "", indent = 2 * depth);
        writeln!(
            out,
            "  {pid:>7} {tgid:>7} {ppid:>7} {pgid:>7} {sid:>7}  {name:<19}  {notes}"
        )
    }

    /// Whose records describe what a process uses, if not its own.
    fn owner(&self, objref: u32) -> u32 {
        self.owners.get(&objref).copied().unwrap_or(0)
    }

    fn write_task(&self, out: &mut String, entry: &Tree, task: &TaskSummary) -> Result {
        writeln!(out, "\nTask {} ({}):", entry.pid, until_nul(&task.task.comm))?;
        if has_exited(entry) {
            let status = task.task.exit_status;
            let (signal_number, dumped) = (status & 0x7f, if status & 0x80 != 0 { ", core dumped" } else { "" });
            match signal_number {
                0 => writeln!(out, "  Exited with status {}", status >> 8)?,
                number => writeln!(out, "  Ended by signal {}{dumped}", signal(number))?,
            }
        }
        if let Some(regs) = &task.regs {
            write_registers(out, regs)?;
        }
        if let Some(namespaces) = &task.namespaces {
            writeln!(out, "  Namespaces:")?;
            for (kind, objref) in namespace_objects(namespaces) {
                writeln!(out, "    {kind:<9}  {}", self.object(objref))?;
                if let Some(Object::MntNs(mounts)) = self.objects.get(&objref) {
                    for (from, to) in mounts {
                        writeln!(out, "      {} on {}", printable(from), printable(to))?;
                    }
                }
            }
        }
        if let Some(first @ 1..) = task.namespaces.map(|namespaces| namespaces.pid_for_children) {
            writeln!(out, "  Children to come live in the pid namespace of task {first}")?;
        }
        if let Some((list, entries)) = &task.undo {
            writeln!(out, "  Undone at exit: list {}", list.objref)?;
            for entry in entries {
                let set = self.object(entry.set);
                writeln!(out, "    {:+} to semaphore {} of {set}", entry.adjust, entry.number)?;
            }
        }
        if let Some(block) = &task.restart_block {
            let left = if block.timed == 1 {
                format!(", {} s left", seconds(block.remaining_ns))
            } else {
                String::new()
            };
            writeln!(out, "  Interrupted call: {}{left}", call_kind(block.kind))?;
        }
        if let Some(fpu) = &task.fpu {
            writeln!(
                out,
                "  Processor state: {} bytes, xfeatures {:#x}",
                fpu.size, fpu.xfeatures
            )?;
        }
        if let Some(mask) = &task.mask {
            let pending: Vec<_> = task.pending.iter().map(|number| signal(*number)).collect();
            writeln!(
                out,
                "  Signals: blocked {}; pending {}",
                signals(mask.blocked),
                none_or(&pending)
            )?;
        }
        if let Some((cred, groups)) = &task.cred {
            write_cred(out, cred, groups)?;
        }
        if let Some(path) = &task.cgroup {
            writeln!(out, "  Cgroup: {} below that of the first process", printable(path))?;
        }
        if let Some(prctl) = &task.prctl {
            write_prctl(out, prctl)?;
        }
        if let Some((policy, nodes)) = &task.policy {
            writeln!(out, "  Memory policy: {:#x}, nodes {}", policy.mode, ranges(nodes))?;
        }
        if let Some(seccomp) = &task.seccomp {
            if seccomp.mode == seccomp::mode::STRICT {
                writeln!(out, "  seccomp: strict mode")?;
            } else {
                writeln!(out, "  seccomp: {}", self.object(seccomp.filter))?;
            }
        }
        if let Some((sched, affinity)) = &task.sched {
            let (policy, nice, priority) = (policy(sched.policy), sched.nice, sched.priority);
            let processors = ranges(affinity);
            writeln!(
                out,
                "  Scheduling: {policy}, nice {nice}, priority {priority}, processors {processors}"
            )?;
        }
        if let Some(landlock) = &task.landlock {
            self.write_landlock(out, landlock)?;
        }
        match &task.process {
            Some(process) => self.write_process(out, &task.task, process),
            None => Ok(()),
        }
    }

    fn write_landlock(&self, out: &mut String, landlock: &Landlock) -> Result {
        let mut layers = Vec::new();
        let mut next = landlock.domain;
        while let Some(Object::LandlockLayer(layer)) = self.objects.get(&next) {
            layers.push(layer);
            next = layer.below;
        }
        let off = if landlock.subdomains_off == 1 {
            ", further ones not logged"
        } else {
            ""
        };
        writeln!(out, "  Landlock: {}{off}", count(layers.len() as u64, "layer"))?;
        for layer in layers.iter().rev() {
            writeln!(
                out,
                "    layer {}: files {:#x}, network {:#x}, scopes {:#x}",
                layer.objref, layer.handled_access_fs, layer.handled_access_net, layer.scoped
            )?;
        }
        Ok(())
    }

    fn write_process(&self, out: &mut String, task: &Task, process: &Process) -> Result {
        match &process.directories {
            Some(Directories { cwd, root, umask }) => {
                let (cwd, root) = (printable(cwd), printable(root));
                writeln!(out, "  Directories: working {cwd}, root {root}, umask {umask:04o}")?;
            }
            None => writeln!(out, "  Directories: those of process {}", self.owner(task.fs))?,
        }
        let pending: Vec<_> = process.pending.iter().map(|number| signal(*number)).collect();
        if let Some(actions) = &process.actions {
            let with = |wanted: fn(u64) -> bool| {
                let mut mask = 0u64;
                for (bit, action) in actions.actions.iter().enumerate() {
                    mask |= u64::from(wanted(action.handler)) << bit;
                }
                signals(mask)
            };
            let (handled, ignored) = (with(|handler| handler > 1), with(|handler| handler == 1));
            writeln!(
                out,
                "  Signal actions: handled {handled}; ignored {ignored}; pending {}",
                none_or(&pending)
            )?;
        } else {
            writeln!(
                out,
                "  Signal actions: those of process {}; pending {}",
                self.owner(task.handlers),
                none_or(&pending)
            )?;
        }
        if let Some(terminal) = &process.terminal {
            let ground = if terminal.foreground == 1 { "fore" } else { "back" };
            writeln!(
                out,
                "  controlling terminal, in the {ground}ground: {}",
                self.object(terminal.pty)
            )?;
        }
        if let Some(itimers) = &process.itimers {
            for (name, timer) in [
                ("real", itimers.real),
                ("virtual", itimers.virt),
                ("profiling", itimers.prof),
            ] {
                if timer.value_ns != 0 {
                    let (value, interval) = (seconds(timer.value_ns), seconds(timer.interval_ns));
                    writeln!(out, "  Timer {name}: in {value} s, then every {interval} s")?;
                }
            }
        }
        for notified in &process.notified {
            let how = match notified.notify {
                notify::SIGNAL => format!("by signal {}", signal(notified.signal)),
                _ => "silently".into(),
            };
            writeln!(out, "  Told of messages: descriptor {}, {how}", notified.fd)?;
        }
        for timer in &process.timers {
            let pending = if timer.flags & posix_timer::flags::PENDING != 0 {
                ", signal pending"
            } else {
                ""
            };
            let (at, value) = if timer.flags & posix_timer::flags::ABSOLUTE != 0 {
                ("at", date(timer.value_ns))
            } else {
                ("in", format!("{} s", seconds(timer.value_ns)))
            };
            writeln!(
                out,
                "  POSIX timer {}: clock {}, signal {}, {at} {value}, then every {} s{pending}",
                timer.id,
                timer.clock,
                timer.signo,
                seconds(timer.interval_ns)
            )?;
        }
        if let Some(rlimits) = &process.rlimits {
            let amount = |limit: u64| {
                if limit == INFINITY {
                    "unlimited".into()
                } else {
                    limit.to_string()
                }
            };
            let one = |(name, limit): (&&str, &libckpt::uapi::record::rlimit::Rlimit)| {
                format!("{name} {}/{}", amount(limit.cur), amount(limit.max))
            };
            let all: Vec<_> = RLIMITS.iter().zip(&rlimits.limits).map(one).collect();
            writeln!(out, "  Limits: {}", all.join(", "))?;
        }
        self.write_memory(out, task, process)?;
        self.write_files(out, task, process)
    }

    fn write_memory(&self, out: &mut String, task: &Task, process: &Process) -> Result {
        let Some(mm) = &process.mm else {
            return writeln!(out, "  Memory: that of process {}", self.owner(task.mm));
        };
        let (exe, vmas) = (self.object(mm.exe), process.vmas.len());
        writeln!(out, "  Program: {exe}")?;
        let saved = bytes(process.pages * 4096);
        let guard = if process.guard_pages > 0 {
            format!(", {}", count(process.guard_pages, "guard page"))
        } else {
            String::new()
        };
        writeln!(
            out,
            "  Memory: {vmas} mappings, {} saved ({saved}){guard}",
            count(process.pages, "page")
        )?;
        for vma in &process.vmas {
            let what = match vma.kind {
                vma_kind::ANON => process
                    .vma_name(vma)
                    .map_or_else(String::new, |name| format!("[anon:{}]", printable(name))),
                vma_kind::SPECIAL => "[special]".into(),
                vma_kind::AIO => match process.contexts.get(&vma.start) {
                    Some((aio, unread)) => {
                        format!(
                            "[aio] for {}, {}",
                            count(aio.requests, "request"),
                            count(*unread, "unread event")
                        )
                    }
                    None => "[aio]".into(),
                },
                _ => self.object(vma.objref),
            };
            let (range, prot) = (format!("{:012x}-{:012x}", vma.start, vma.end), protection(vma));
            let extra = flags(vma.flags, VMA_FLAGS);
            let line = format!(
                "    {range} {prot} {:08x} {:<12} {extra:<12} {what}",
                vma.offset,
                mapping_kind(vma.kind)
            );
            writeln!(out, "{}", line.trim_end())?;
        }
        for (policy, nodes) in &process.policies {
            writeln!(
                out,
                "    {:012x}-{:012x} memory policy {:#x}, nodes {}, home node {}",
                policy.start,
                policy.end,
                policy.mode,
                ranges(nodes),
                policy.home_node
            )?;
        }
        Ok(())
    }

    fn write_files(&self, out: &mut String, task: &Task, process: &Process) -> Result {
        let Some(fds) = &process.fds else {
            return writeln!(out, "  Descriptors: those of process {}", self.owner(task.files));
        };
        writeln!(out, "  Descriptors: {}", fds.len())?;
        for fd in fds {
            let cloexec = if fd.flags & 1 != 0 { " close-on-exec" } else { "" };
            let (number, object) = (fd.fd, self.object(fd.objref));
            match self.objects.get(&fd.objref) {
                Some(Object::File(file, _)) => {
                    let kind = file_kind(file.kind);
                    let lock = lock_kind(file.lock).map_or_else(String::new, |lock| format!(", {lock} lock"));
                    let ranges = [process.locks.get(&fd.fd), self.locks.get(&fd.objref)];
                    let ranges = match ranges.into_iter().flatten().map(Vec::len).sum() {
                        0 => String::new(),
                        locks => format!(", {}", count(locks as u64, "range lock")),
                    };
                    let denied = denied(file).map_or_else(String::new, |right| format!(", no {right}"));
                    writeln!(
                        out,
                        "    {number:>4}  {kind:<9}  flags 0{:o}, offset {}{lock}{ranges}{denied}{cloexec}  {object}",
                        file.flags, file.pos
                    )?;
                }
                _ => writeln!(out, "    {number:>4}  {object}")?,
            }
        }
        for told in &process.signals {
            let what = match told.owner {
                owner::NONE => "signals nobody".to_owned(),
                owner::GROUP => format!("signals group {}", told.pid),
                owner::THREAD => format!("signals thread {}", told.pid),
                _ => format!("signals process {}", told.pid),
            };
            let lease = ["", ", lease for reading", ", lease for writing"];
            let lease = lease.get(told.lease as usize).unwrap_or(&"");
            writeln!(
                out,
                "    {:>4}  {what}{}{lease}",
                told.fd,
                if told.on == 1 { ", O_ASYNC" } else { "" }
            )?;
        }
        Ok(())
    }

    /// What an objref refers to.
    fn object(&self, objref: u32) -> String {
        match self.objects.get(&objref) {
            Some(Object::File(file, _)) if file.kind == file::kind::STDIO => {
                format!("standard descriptor {}", file.stdio)
            }
            Some(Object::File(file, _)) if file.kind == file::kind::SESSION => "/dev/ckpt".into(),
            Some(Object::File(file, _)) if file.kind == file::kind::PIPE => {
                format!("{} end of {}", pipe_end(file), self.object(file.pipe))
            }
            Some(Object::File(file, _)) if file.kind == file::kind::NAMELESS => self.object(file.nameless),
            Some(Object::File(_, path)) => printable(path),
            Some(Object::Nameless(file, path, content)) => {
                let memfd = file.flags & nameless::flags::MEMFD != 0;
                format!(
                    "{} {objref}: {}, {}{}, {} saved",
                    if memfd { "memfd" } else { "deleted" },
                    printable(path),
                    bytes(file.size),
                    of_huge_pages(file.page_shift),
                    bytes(*content)
                )
            }
            Some(Object::Pipe(pipe)) => {
                format!(
                    "pipe {objref}: capacity {}, {} waiting",
                    bytes(pipe.capacity.into()),
                    bytes(pipe.content.into())
                )
            }
            Some(Object::Pty(pty, path)) => {
                let (master, slave) = waiting(pty);
                format!(
                    "pty {objref}: /dev/pts/{} of {}, {} waiting for the master, {} for the slave",
                    pty.index,
                    printable(path),
                    bytes(master),
                    bytes(slave)
                )
            }
            Some(Object::PtyFile(file)) if file.pty == 0 => format!("{} of a pty", pty_end(file)),
            Some(Object::PtyFile(file)) => format!("{} of {}", pty_end(file), self.object(file.pty)),
            Some(Object::Eventfd(eventfd)) => {
                let kind = if eventfd.semaphore == 1 { "semaphore" } else { "counter" };
                format!("eventfd {objref}: {kind} {}", eventfd.count)
            }
            Some(Object::Signalfd(signalfd)) => format!("signalfd {objref}: {}", signals(signalfd.mask)),
            Some(Object::Timerfd(timerfd)) => format!(
                "timerfd {objref}: clock {}, {} s, every {} s, {} not read",
                timerfd.clock,
                seconds(timerfd.value_ns),
                seconds(timerfd.interval_ns),
                count(timerfd.ticks, "expiration")
            ),
            Some(Object::Epoll(_, items)) => format!("epoll {objref}: {}", count(items.len() as u64, "file")),
            Some(Object::Socket(socket, name, options, waiting)) => {
                let kind = socket_kind(socket.kind);
                let peer = match socket_peer(socket, options.as_ref()) {
                    Some(peer) => format!(", connected to {peer}"),
                    None => String::new(),
                };
                let at = match (socket.listener, name.as_slice()) {
                    (0, []) => String::new(),
                    (0, [0, name @ ..]) => format!(" at @{}", printable(name)),
                    (0, name) => format!(" at {}", printable(name)),
                    (listener, _) if socket.client != 0 => format!(" to be accepted by {listener}"),
                    (listener, _) => format!(" accepted by {listener}"),
                };
                let carried = match waiting.files.len() {
                    0 => String::new(),
                    files => format!(" with {}", count(files as u64, "open file")),
                };
                let listening = if socket.listening == 1 { " listening" } else { "" };
                let closed = if options.is_some_and(|o| o.closed == 1) {
                    ", closed"
                } else {
                    ""
                };
                format!(
                    "Unix socket {objref}: {kind}{listening}{at}{peer}{closed}, {} of {} waiting{carried}",
                    count(waiting.messages, "message"),
                    bytes(waiting.bytes)
                )
            }
            Some(Object::Pidfd(pidfd)) => {
                let of = match self.tree.get(pidfd.task as usize) {
                    Some(entry) => format!("task {}", entry.pid),
                    None => "a process that has been reaped".into(),
                };
                format!("pidfd {objref}: of {of}")
            }
            Some(Object::NsFd(namespace)) => {
                let of = self.tree.get(namespace.task as usize).map_or(0, |entry| entry.pid);
                format!("namespace {objref}: {:#x} of task {of}", namespace.kind)
            }
            Some(Object::Userfaultfd(userfaultfd)) => match userfaultfd.api {
                0 => format!("userfaultfd {objref}: not begun"),
                _ => format!("userfaultfd {objref}: features {:#x}", userfaultfd.features),
            },
            Some(Object::ProcFile(file, root, path)) => {
                let number = |index: u32| self.tree.get(index as usize).map_or(0, |entry| entry.pid);
                let thread = match file.thread {
                    proc::PROCESS => String::new(),
                    index => format!("/task/{}", number(index)),
                };
                format!(
                    "{objref}: {}/{}{thread}{}, offset {}",
                    printable(root),
                    number(file.process),
                    printable(path),
                    file.pos
                )
            }
            Some(Object::Inotify(_, watches, waiting)) => format!(
                "inotify {objref}: {}, {} waiting",
                count(watches.len() as u64, "file"),
                bytes(*waiting)
            ),
            Some(Object::Fanotify(_, marks)) => {
                format!("fanotify {objref}: {}", count(marks.len() as u64, "file"))
            }
            Some(Object::Uring(ring, files, buffers)) => format!(
                "io_uring {objref}: {} and {} entries, {}, {}",
                ring.sq_entries,
                ring.cq_entries,
                count(files.len() as u64, "file"),
                count(buffers.len() as u64, "buffer")
            ),
            Some(Object::LandlockLayer(_)) => format!("Landlock layer {objref}"),
            Some(Object::Shmem { shmem, pages }) => {
                format!(
                    "shared memory {objref}: {}{}, {} saved",
                    bytes(shmem.size),
                    of_huge_pages(shmem.page_shift.into()),
                    count(*pages, "page")
                )
            }
            Some(Object::Filter(filter)) => {
                let behind = if filter.prev == 0 {
                    String::new()
                } else {
                    format!(", behind {}", self.object(filter.prev))
                };
                format!("filter {objref} of {} instructions{behind}", filter.count)
            }
            Some(Object::Shm { shm, pages }) => {
                let removed = if shm.flags & shm::flags::DEST == 0 {
                    ""
                } else {
                    ", removed"
                };
                format!(
                    "segment {} ({objref}), key {:#x}: {}{removed}, {} saved",
                    shm.perm.id,
                    shm.perm.key,
                    bytes(shm.size),
                    count(*pages, "page")
                )
            }
            Some(Object::Sem(sem, values)) => {
                let number = count(values.len() as u64, "semaphore");
                format!("set {} ({objref}), key {:#x}: {number}", sem.perm.id, sem.perm.key)
            }
            Some(Object::Msg(msg)) => {
                let number = count(u64::from(msg.messages), "message");
                format!("queue {} ({objref}), key {:#x}: {number}", msg.perm.id, msg.perm.key)
            }
            Some(Object::Mqueue(queue, name)) => {
                let number = count(u64::from(queue.messages), "message");
                format!("queue /{} ({objref}): {number}", printable(name))
            }
            Some(Object::Mqd(_, name)) => format!("message queue /{}", printable(name)),
            Some(Object::UtsNs(uts)) => {
                let domain = until_nul(&uts.domainname);
                format!("{objref}: host {}, domain {domain}", until_nul(&uts.nodename))
            }
            Some(Object::IpcNs(_) | Object::CgroupNs) => format!("{objref}"),
            Some(Object::NetNs(network)) => format!("{objref}: {}", network_text(network)),
            Some(Object::MntNs(mounts)) => format!("{objref}: {}", count(mounts.len() as u64, "mount")),
            Some(Object::Filesystem(kind)) => format!("{objref}: {}", printable(kind)),
            Some(Object::TimeNs(time)) => format!(
                "{objref}: monotonic {} s, boot {} s",
                seconds(time.monotonic_ns),
                seconds(time.boottime_ns)
            ),
            None => "none".into(),
        }
    }
}

/// Devices with their addresses, and how many routes and neighbours there are.
fn network_text(network: &Network) -> String {
    let device = |device: &NetDevice| {
        let state = if device.flags & device_flags::UP == 0 {
            "down"
        } else {
            "up"
        };
        let outside = if device.peer == peer::OUTSIDE {
            " (other end outside)"
        } else {
            ""
        };
        let mut text = format!("{} {state}{outside}", until_nul(&device.name));
        let own = network.addresses.iter().filter(|a| a.ifindex == device.ifindex);
        for a in own {
            let _ = write!(text, " {}/{}", address(a.family, &a.local), a.prefix_len);
        }
        text
    };
    let devices: Vec<String> = network.devices.iter().map(device).collect();
    let mut text = devices.join(", ");
    for route in &network.routes {
        let dst = address(route.family, &route.dst);
        let _ = write!(text, "; route to {dst}/{}", route.dst_len);
        if route.gateway_family != 0 {
            let _ = write!(text, " by {}", address(route.gateway_family, &route.gateway));
        }
        if route.ifindex != 0 {
            let _ = write!(text, " on {}", network.device(route.ifindex));
        }
    }
    if !network.neighbours.is_empty() {
        let _ = write!(text, "; {}", count(network.neighbours.len() as u64, "neighbour"));
    }
    text
}

fn write_registers(out: &mut String, regs: &Regs) -> Result {
    writeln!(out, "  Registers:")?;
    let values = registers(regs);
    for (names, values) in REGISTERS.chunks(4).zip(values.chunks(4)) {
        write!(out, "   ")?;
        for (name, value) in names.iter().zip(values) {
            write!(out, " {name:>8} {value:016x}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_prctl(out: &mut String, prctl: &Prctl) -> Result {
    if prctl.flags & prctl::flags::CHILD_SUBREAPER != 0 {
        writeln!(out, "  Adopts orphans (PR_SET_CHILD_SUBREAPER)")?;
    }
    if prctl.flags & prctl::flags::USER_DISPATCH != 0 {
        writeln!(
            out,
            "  System call user dispatch: selector {:x}, not from {:x} on for {:x}",
            prctl.dispatch_selector, prctl.dispatch_offset, prctl.dispatch_len
        )?;
    }
    Ok(())
}

fn write_cred(out: &mut String, cred: &Cred, groups: &[u32]) -> Result {
    let groups: Vec<_> = groups.iter().map(u32::to_string).collect();
    let Cred {
        uid,
        euid,
        suid,
        fsuid,
        gid,
        egid,
        sgid,
        fsgid,
        ..
    } = cred;
    writeln!(
        out,
        "  Credentials: uid {uid}/{euid}/{suid}/{fsuid}, gid {gid}/{egid}/{sgid}/{fsgid}, groups {}",
        none_or(&groups)
    )?;
    let Cred {
        cap_permitted,
        cap_effective,
        cap_inheritable,
        cap_bounding,
        cap_ambient,
        ..
    } = cred;
    writeln!(
        out,
        "  Capabilities: permitted {cap_permitted:x}, effective {cap_effective:x}, inheritable {cap_inheritable:x}, \
         bounding {cap_bounding:x}, ambient {cap_ambient:x}"
    )?;
    if cred.securebits != 0 || cred.no_new_privs != 0 {
        writeln!(
            out,
            "  Security: securebits {:#x}, no_new_privs {}",
            cred.securebits, cred.no_new_privs
        )?;
    }
    Ok(())
}

fn write_records(out: &mut String, records: &[RecordLine]) -> Result {
    writeln!(out, "\nRecords:")?;
    writeln!(
        out,
        "  {:>6}  {:>12}  {:<16} {:>7} {:>6} {:>8} {:>10}",
        "number", "offset", "type", "version", "fixed", "body", "payload"
    )?;
    for record in records {
        let RecordLine {
            number,
            offset,
            kind,
            version,
            fixed,
            length,
            payload,
            ..
        } = record;
        let optional = if record.flags & 1 != 0 { "  optional" } else { "" };
        writeln!(
            out,
            "  {number:>6}  {offset:>#12x}  {kind:<16} {version:>7} {fixed:>6} {length:>8} {payload:>10}{optional}"
        )?;
    }
    Ok(())
}

/// What kind of pages shared memory has.
fn of_huge_pages(shift: u32) -> String {
    match 1u64.checked_shl(shift) {
        Some(size) if shift != 0 => format!(" in huge pages of {}", bytes(size)),
        _ => String::new(),
    }
}

fn none_or(items: &[String]) -> String {
    if items.is_empty() {
        "none".into()
    } else {
        items.join(" ")
    }
}

fn policy(number: u32) -> String {
    match number {
        0 => "other".into(),
        1 => "fifo".into(),
        2 => "rr".into(),
        3 => "batch".into(),
        5 => "idle".into(),
        6 => "deadline".into(),
        7 => "ext".into(),
        other => format!("policy {other}"),
    }
}

/// What a user namespace calls users and groups.
fn write_ids(out: &mut String, maps: &[Vec<IdExtent>; 2], flags: u32) -> Result {
    let show = |map: &[IdExtent]| -> String {
        let each = map.iter().map(|e| format!(" {}+{} as {}", e.outside, e.count, e.first));
        each.collect::<Vec<_>>().join(",")
    };
    writeln!(out, "  Users: {}\n  Groups:{}", show(&maps[0]), show(&maps[1]))?;
    if flags & user_flags::NO_SETGROUPS != 0 {
        writeln!(out, "  setgroups is denied")?;
    }
    Ok(())
}
