// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A summary for machines. Addresses and masks are numbers; signal sets are lists of numbers.

use super::*;
use crate::text::{printable, until_nul, uuid};
use libckpt::uapi::record::ipc::Perm;
use libckpt::uapi::record::nameless;
use serde_json::{json, Map, Value};

impl Summary {
    /// The whole document.
    pub fn json(&self, name: &str) -> Value {
        let mut document = json!({
            "file": name,
            "format": self.prefix.format,
            "format_oldest": self.prefix.oldest,
            "bytes": self.bytes,
            "record_count": self.record_count,
            "payload_bytes": self.payload,
            "container": self.is_container(),
            "tree": (0..).zip(&self.tree).map(|(index, task)| tree_json(task, self.nested.get(&index))).collect::<Vec<_>>(),
            "tasks": self.tree.iter().zip(&self.tasks).map(|(entry, task)| task_json(entry, task)).collect::<Vec<_>>(),
            "locks": locks_json("objref", &self.locks),
            "objects": self.objects.iter().map(|(objref, object)| object_json(*objref, object)).collect::<Vec<_>>(),
        });
        let map = |map: &[IdExtent]| -> Vec<Value> {
            let each = map
                .iter()
                .map(|e| json!({"first": e.first, "outside": e.outside, "count": e.count}));
            each.collect()
        };
        if let Some((user_ns, maps)) = &self.user_ns {
            document["user_ns"] = json!({
                "owner": user_ns.owner, "group": user_ns.group, "flags": user_ns.flags,
                "users": map(&maps[0]), "groups": map(&maps[1]),
            });
        }
        if !self.nested_user_ns.is_empty() {
            let each = self.nested_user_ns.iter().map(|(user_ns, maps)| {
                json!({
                    "parent": user_ns.parent, "owner": user_ns.owner, "group": user_ns.group, "flags": user_ns.flags,
                    "users": map(&maps[0]), "groups": map(&maps[1]),
                })
            });
            document["nested_user_ns"] = each.collect();
        }
        if !self.external.is_empty() {
            document["external"] = json!(self.external.iter().map(|name| printable(name)).collect::<Vec<_>>());
        }
        if let Some(header) = &self.header {
            document["header"] = json!({
                "uuid": uuid(&header.uuid),
                "nodename": until_nul(&header.nodename),
                "release": until_nul(&header.release),
                "arch": header.arch,
                "page_size": header.page_size,
                "xfeatures": header.xfeatures,
                "realtime_ns": header.realtime_ns,
                "monotonic_ns": header.monotonic_ns,
                "boottime_ns": header.boottime_ns,
            });
        }
        if let Some(records) = &self.records {
            document["records"] = records.iter().map(record_json).collect();
        }
        document
    }
}

fn tree_json(task: &Tree, nested: Option<&Vec<u32>>) -> Value {
    json!({
        "pid": task.pid, "tgid": task.tgid, "ppid": task.ppid, "pgid": task.pgid, "sid": task.sid,
        "exit_signal": task.exit_signal, "flags": task.flags, "leader": task.leader, "comm": until_nul(&task.comm),
        "vm": task.vm, "level": task.level, "nested_pids": nested,
    })
}

fn record_json(record: &RecordLine) -> Value {
    json!({
        "number": record.number, "offset": record.offset, "type": record.kind, "version": record.version,
        "flags": record.flags, "fixed": record.fixed, "length": record.length, "payload": record.payload,
    })
}

fn object_json(objref: u32, object: &Object) -> Value {
    match object {
        Object::File(file, path) => json!({
            "objref": objref, "type": "file", "kind": file_kind(file.kind), "path": printable(path), "flags": file.flags,
            "mode": file.mode, "pos": file.pos, "size": file.size, "mtime_ns": file.mtime_ns, "ino": file.ino,
            "dev": file.dev, "rdev": file.rdev, "stdio": (file.kind == file::kind::STDIO).then_some(file.stdio),
            "lock": lock_kind(file.lock), "pipe": (file.kind == file::kind::PIPE).then_some(file.pipe),
            "denied": denied(file), "nameless": (file.nameless != 0).then_some(file.nameless),
            "advice": file.advice, "generation": file.generation,
        }),
        Object::Nameless(file, path, content) => json!({
            "objref": objref, "type": "nameless", "memfd": file.flags & nameless::flags::MEMFD != 0,
            "linkable": file.flags & nameless::flags::LINKABLE != 0, "path": printable(path), "mode": file.mode,
            "uid": file.uid, "gid": file.gid, "size": file.size, "content": content, "seals": file.seals,
            "atime_ns": file.atime_ns, "mtime_ns": file.mtime_ns,
            "page_shift": (file.page_shift != 0).then_some(file.page_shift),
        }),
        Object::Pipe(pipe) => json!({
            "objref": objref, "type": "pipe", "capacity": pipe.capacity, "content": pipe.content,
        }),
        Object::Pty(pty, path) => json!({
            "objref": objref, "type": "pty", "index": pty.index, "path": printable(path), "flags": pty.flags,
            "winsize": pty.winsize, "iflag": pty.iflag, "oflag": pty.oflag, "cflag": pty.cflag, "lflag": pty.lflag,
            "line": pty.line, "cc": pty.cc, "ispeed": pty.ispeed, "ospeed": pty.ospeed, "mode": pty.mode,
            "uid": pty.uid, "gid": pty.gid, "open_flags": pty.open_flags, "packet_status": pty.packet_status,
            "waiting_for_master": waiting(pty).0, "waiting_for_slave": waiting(pty).1, "echo": pty.echo,
        }),
        Object::PtyFile(file) => json!({
            "objref": objref, "type": "pty-file", "end": pty_end(file), "pty": (file.pty != 0).then_some(file.pty),
            "flags": file.flags, "lock": lock_kind(file.lock),
        }),
        Object::Eventfd(eventfd) => json!({
            "objref": objref, "type": "eventfd", "flags": eventfd.flags, "count": eventfd.count,
            "semaphore": eventfd.semaphore == 1,
        }),
        Object::Signalfd(signalfd) => json!({
            "objref": objref, "type": "signalfd", "flags": signalfd.flags, "mask": signalfd.mask,
        }),
        Object::Timerfd(timerfd) => json!({
            "objref": objref, "type": "timerfd", "flags": timerfd.flags, "clock": timerfd.clock,
            "settime": timerfd.settime, "ticks": timerfd.ticks, "value_ns": timerfd.value_ns,
            "interval_ns": timerfd.interval_ns,
        }),
        Object::Epoll(epoll, items) => {
            let items: Vec<Value> = items
                .iter()
                .map(|item| json!({ "fd": item.fd, "file": item.file, "events": item.events, "data": item.data }))
                .collect();
            json!({ "objref": objref, "type": "epoll", "flags": epoll.flags, "items": items })
        }
        Object::Socket(socket, name, options, waiting) => json!({
            "objref": objref, "type": "socket", "kind": socket_kind(socket.kind), "flags": socket.flags,
            "peer": socket_peer(socket, options.as_ref()),
            "messages": waiting.messages, "bytes": waiting.bytes, "files": waiting.files,
            "name": printable(name), "bound": socket.name == socket::name::BOUND, "listening": socket.listening == 1, "backlog": socket.backlog,
            "listener": (socket.listener != 0).then_some(socket.listener),
            "closed": options.is_some_and(|o| o.closed == 1), "shutdown": options.map(|o| o.shutdown),
            "options": options.map(|o| o.options), "sndbuf": options.map(|o| o.sndbuf),
            "rcvbuf": options.map(|o| o.rcvbuf), "peer_pid": options.map(|o| o.peer_pid),
            "peer_uid": options.map(|o| o.peer_uid), "peer_gid": options.map(|o| o.peer_gid),
        }),
        Object::Pidfd(pidfd) => json!({
            "objref": objref, "type": "pidfd", "flags": pidfd.flags,
            "task": (pidfd.task != pidfd::task::REAPED).then_some(pidfd.task),
            "same": (pidfd.same != 0).then_some(pidfd.same),
            "status": (pidfd.has_status == 1).then_some(pidfd.status),
        }),
        Object::NsFd(namespace) => json!({
            "objref": objref, "type": "namespace-fd", "flags": namespace.flags, "kind": namespace.kind,
            "task": namespace.task,
        }),
        Object::Userfaultfd(userfaultfd) => json!({
            "objref": objref, "type": "userfaultfd", "flags": userfaultfd.flags, "made": userfaultfd.made,
            "features": (userfaultfd.api == 1).then_some(userfaultfd.features),
        }),
        Object::ProcFile(file, root, path) => json!({
            "objref": objref, "type": "proc-file", "flags": file.flags, "process": file.process,
            "thread": (file.thread != proc::PROCESS).then_some(file.thread), "pos": file.pos,
            "proc": printable(root), "path": printable(path),
        }),
        Object::Inotify(inotify, watches, waiting) => {
            let watches: Vec<Value> = watches
                .iter()
                .map(|(watch, path)| json!({ "wd": watch.wd, "mask": watch.mask, "path": printable(path) }))
                .collect();
            json!({
                "objref": objref, "type": "inotify", "flags": inotify.flags, "next_wd": inotify.next_wd,
                "waiting": waiting, "watches": watches,
            })
        }
        Object::Fanotify(fanotify, marks) => {
            let marks: Vec<Value> = marks
                .iter()
                .map(|(mark, path)| {
                    json!({ "mask": mark.mask, "ignored": mark.ignored, "flags": mark.flags, "path": printable(path) })
                })
                .collect();
            json!({
                "objref": objref, "type": "fanotify", "flags": fanotify.flags, "made": fanotify.made,
                "event_flags": fanotify.event_flags, "unprivileged": fanotify.unprivileged == 1, "marks": marks,
            })
        }
        Object::Uring(ring, files, buffers) => {
            let files: Vec<Value> = files
                .iter()
                .map(|slot| json!({ "slot": slot.slot, "file": slot.file, "tag": slot.tag }))
                .collect();
            let buffers: Vec<Value> = buffers
                .iter()
                .map(|b| json!({ "slot": b.slot, "address": b.address, "length": b.length, "tag": b.tag }))
                .collect();
            json!({
                "objref": objref, "type": "io-uring", "flags": ring.flags, "setup": ring.setup,
                "sq_entries": ring.sq_entries, "cq_entries": ring.cq_entries,
                "event": (ring.event != 0).then_some(ring.event), "files": files, "buffers": buffers,
            })
        }
        Object::LandlockLayer(layer) => json!({
            "objref": objref, "type": "landlock-layer", "below": (layer.below != 0).then_some(layer.below),
            "handled_access_fs": layer.handled_access_fs, "handled_access_net": layer.handled_access_net,
            "scoped": layer.scoped, "quiet_access_fs": layer.quiet_access_fs,
            "quiet_access_net": layer.quiet_access_net, "quiet_scoped": layer.quiet_scoped, "flags": layer.flags,
            "subdomains_off": layer.subdomains_off == 1,
        }),
        Object::Filter(filter) => json!({
            "objref": objref, "type": "seccomp-filter", "prev": filter.prev, "instructions": filter.count,
            "flags": filter.flags,
        }),
        Object::Shmem { shmem, pages } => json!({
            "objref": objref, "type": "shmem", "size": shmem.size, "noreserve": shmem.noreserve == 1,
            "page_shift": (shmem.page_shift != 0).then_some(shmem.page_shift), "pages": pages,
        }),
        Object::Shm { shm, pages } => json!({
            "objref": objref, "type": "shm", "flags": shm.flags, "perm": perm_json(&shm.perm), "size": shm.size,
            "atime": shm.atime, "dtime": shm.dtime, "ctime": shm.ctime, "cpid": shm.cpid, "lpid": shm.lpid,
            "creator": shm.creator.checked_sub(1), "pages": pages,
        }),
        Object::Sem(sem, values) => json!({
            "objref": objref, "type": "sem", "flags": sem.flags, "perm": perm_json(&sem.perm), "otime": sem.otime,
            "ctime": sem.ctime, "values": values.iter().map(|sem| json!([sem.value, sem.pid])).collect::<Vec<_>>(),
        }),
        Object::Msg(msg) => json!({
            "objref": objref, "type": "msg", "perm": perm_json(&msg.perm), "messages": msg.messages, "qbytes": msg.qbytes,
            "stime": msg.stime, "rtime": msg.rtime, "ctime": msg.ctime, "lspid": msg.lspid, "lrpid": msg.lrpid,
        }),
        Object::Mqueue(queue, name) => json!({
            "objref": objref, "type": "mqueue", "name": printable(name), "mode": queue.mode, "uid": queue.uid,
            "gid": queue.gid, "maxmsg": queue.maxmsg, "msgsize": queue.msgsize, "messages": queue.messages,
            "atime_ns": queue.atime_ns, "mtime_ns": queue.mtime_ns,
        }),
        Object::Mqd(mqd, name) => json!({
            "objref": objref, "type": "mqd", "name": printable(name), "flags": mqd.flags,
        }),
        Object::UtsNs(uts) => json!({
            "objref": objref, "type": "uts-ns", "nodename": until_nul(&uts.nodename),
            "domainname": until_nul(&uts.domainname),
        }),
        Object::IpcNs(ipc) => json!({
            "objref": objref, "type": "ipc-ns", "shmmax": ipc.shmmax, "shmall": ipc.shmall, "shmmni": ipc.shmmni,
            "shm_rmid_forced": ipc.shm_rmid_forced == 1, "msgmax": ipc.msgmax, "msgmnb": ipc.msgmnb, "msgmni": ipc.msgmni,
            "sem": ipc.sem, "mq_queues_max": ipc.mq_queues_max, "mq_msg_max": ipc.mq_msg_max,
            "mq_msgsize_max": ipc.mq_msgsize_max, "mq_msg_default": ipc.mq_msg_default,
            "mq_msgsize_default": ipc.mq_msgsize_default,
        }),
        Object::CgroupNs => json!({"objref": objref, "type": "cgroup-ns"}),
        Object::NetNs(network) => network_json(objref, network),
        Object::MntNs(mounts) => json!({
            "objref": objref, "type": "mnt-ns",
            "mounts": mounts.iter().map(|(from, to)| json!([printable(from), printable(to)])).collect::<Vec<_>>(),
        }),
        Object::Filesystem(kind) => json!({"objref": objref, "type": "filesystem", "kind": printable(kind)}),
        Object::TimeNs(time) => json!({
            "objref": objref, "type": "time-ns", "monotonic_ns": time.monotonic_ns, "boottime_ns": time.boottime_ns,
        }),
    }
}

fn perm_json(perm: &Perm) -> Value {
    json!({
        "id": perm.id, "key": perm.key, "uid": perm.uid, "gid": perm.gid, "cuid": perm.cuid, "cgid": perm.cgid,
        "mode": perm.mode,
    })
}

fn task_json(entry: &Tree, task: &TaskSummary) -> Value {
    let mut document = json!({
        "pid": entry.pid,
        "comm": until_nul(&task.task.comm),
        "personality": task.task.personality,
        "pdeath_signal": task.task.pdeath_signal,
        "clear_child_tid": task.task.clear_child_tid,
        "robust_list": task.task.robust_list,
        "rseq": task.task.rseq,
        "pending": task.pending,
        "mm": task.task.mm,
        "files": task.task.files,
        "fs": task.task.fs,
        "handlers": task.task.handlers,
    });
    if has_exited(entry) {
        document["exit_status"] = task.task.exit_status.into();
    }
    if let Some(regs) = &task.regs {
        let values = REGISTERS
            .iter()
            .zip(registers(regs))
            .map(|(name, value)| ((*name).to_owned(), value.into()));
        document["registers"] = Value::Object(values.collect::<Map<_, _>>());
    }
    if let Some(fpu) = &task.fpu {
        document["fpu"] = json!({"size": fpu.size, "xfeatures": fpu.xfeatures});
    }
    if let Some(mask) = &task.mask {
        document["blocked"] = mask_json(mask.blocked);
        document["altstack"] =
            json!({"sp": mask.altstack_sp, "size": mask.altstack_size, "flags": mask.altstack_flags});
    }
    if let Some((cred, groups)) = &task.cred {
        document["cred"] = json!({
            "uid": cred.uid, "euid": cred.euid, "suid": cred.suid, "fsuid": cred.fsuid,
            "gid": cred.gid, "egid": cred.egid, "sgid": cred.sgid, "fsgid": cred.fsgid,
            "groups": groups, "securebits": cred.securebits, "no_new_privs": cred.no_new_privs,
            "cap_permitted": cred.cap_permitted, "cap_effective": cred.cap_effective,
            "cap_inheritable": cred.cap_inheritable, "cap_bounding": cred.cap_bounding, "cap_ambient": cred.cap_ambient,
        });
    }
    if let Some(path) = &task.cgroup {
        document["cgroup"] = json!(printable(path));
    }
    if let Some(prctl) = &task.prctl {
        document["prctl"] = json!({
            "subreaper": prctl.flags & prctl::flags::CHILD_SUBREAPER != 0, "mce_kill": prctl.mce_kill,
            "store_bypass": prctl.store_bypass, "indirect_branch": prctl.indirect_branch,
            "l1d_flush": prctl.l1d_flush,
            "user_dispatch": (prctl.flags & prctl::flags::USER_DISPATCH != 0)
                .then_some([prctl.dispatch_selector, prctl.dispatch_offset, prctl.dispatch_len]),
        });
    }
    if let Some((policy, nodes)) = &task.policy {
        document["mempolicy"] = json!({"mode": policy.mode, "nodes": nodes});
    }
    if let Some(seccomp) = &task.seccomp {
        document["seccomp"] = json!({"mode": seccomp.mode, "filter": seccomp.filter, "flags": seccomp.flags});
    }
    if let Some((sched, affinity)) = &task.sched {
        document["sched"] = json!({
            "policy": sched.policy, "nice": sched.nice, "priority": sched.priority, "flags": sched.flags,
            "timer_slack_ns": sched.timer_slack_ns, "util_min": sched.util_min, "util_max": sched.util_max, "affinity": affinity,
        });
    }
    if let Some(landlock) = &task.landlock {
        document["landlock"] = json!({
            "domain": (landlock.domain != 0).then_some(landlock.domain), "subdomains_off": landlock.subdomains_off == 1,
            "no_new_privs": landlock.no_new_privs,
        });
    }
    if let Some(namespaces) = &task.namespaces {
        let all = namespace_objects(namespaces).map(|(kind, objref)| (kind.to_owned(), objref.into()));
        document["namespaces"] = Value::Object(all.collect::<Map<_, _>>());
        document["pid_for_children"] = (namespaces.pid_for_children != 0)
            .then_some(namespaces.pid_for_children)
            .into();
    }
    if let Some((list, entries)) = &task.undo {
        let entries: Vec<Value> = entries
            .iter()
            .map(|entry| json!({"set": entry.set, "number": entry.number, "adjust": entry.adjust}))
            .collect();
        document["sem_undo"] = json!({"objref": list.objref, "adjustments": entries});
    }
    if let Some(block) = &task.restart_block {
        document["restart_block"] = json!({
            "kind": call_kind(block.kind), "clock": block.clock, "timed": block.timed == 1,
            "remaining_ns": block.remaining_ns, "args": block.args,
        });
    }
    if let Some(process) = &task.process {
        document["process"] = process_json(process);
    }
    document
}

fn process_json(process: &Process) -> Value {
    let mut document = json!({
        "cwd": process.directories.as_ref().map(|directories| printable(&directories.cwd)),
        "root": process.directories.as_ref().map(|directories| printable(&directories.root)),
        "umask": process.directories.as_ref().map(|directories| directories.umask),
        "pending": process.pending,
        "pages": process.pages,
        "guard_pages": process.guard_pages,
        "vmas": process.mm.as_ref().map(|_| process.vmas.iter().map(|vma| vma_json(process, vma)).collect::<Vec<_>>()),
        "policies": process.policies.iter().map(|(policy, nodes)| json!({
            "start": policy.start, "end": policy.end, "mode": policy.mode, "nodes": nodes,
            "home_node": policy.home_node,
        })).collect::<Vec<_>>(),
        "aio": process.contexts.values().map(|(aio, unread)| json!({
            "address": aio.address, "requests": aio.requests, "first": aio.first, "unread": unread,
        })).collect::<Vec<_>>(),
        "fds": process.fds.as_ref().map(|fds| fds.iter().map(fd_json).collect::<Vec<_>>()),
        "locks": locks_json("fd", &process.locks),
        "file_signals": process.signals.iter().map(signals_json).collect::<Vec<_>>(),
    });
    if let Some(mm) = &process.mm {
        document["mm"] = json!({
            "start_code": mm.start_code, "end_code": mm.end_code, "start_data": mm.start_data, "end_data": mm.end_data,
            "start_brk": mm.start_brk, "brk": mm.brk, "start_stack": mm.start_stack,
            "arg_start": mm.arg_start, "arg_end": mm.arg_end, "env_start": mm.env_start, "env_end": mm.env_end,
            "vdso": mm.vdso, "vvar": mm.vvar, "vdso_size": mm.vdso_size, "vdso_hash": mm.vdso_hash,
            "exe": mm.exe, "dumpable": mm.dumpable, "flags": mm.flags, "membarrier": mm.membarrier,
            "auxv": process.auxv,
        });
    }
    if let Some(actions) = &process.actions {
        document["actions"] = (1..)
            .zip(&actions.actions)
            .filter(|(_, action)| action.handler != 0)
            .map(|(signal, action): (u32, _)| {
                json!({
                    "signal": signal, "handler": action.handler, "flags": action.flags, "restorer": action.restorer,
                    "mask": mask_json(action.mask),
                })
            })
            .collect();
    }
    if let Some(terminal) = &process.terminal {
        document["terminal"] = json!({"pty": terminal.pty, "foreground": terminal.foreground == 1});
    }
    if let Some(itimers) = &process.itimers {
        let one = |timer: libckpt::uapi::record::itimer::Itimer| json!({"value_ns": timer.value_ns, "interval_ns": timer.interval_ns});
        document["itimers"] =
            json!({"real": one(itimers.real), "virtual": one(itimers.virt), "prof": one(itimers.prof)});
    }
    document["mq_notify"] = process
        .notified
        .iter()
        .map(|n| json!({"fd": n.fd, "notify": n.notify, "signal": n.signal, "value": n.value}))
        .collect();
    document["posix_timers"] = process
        .timers
        .iter()
        .map(|timer| {
            json!({
                "id": timer.id, "clock": timer.clock, "notify": timer.notify, "signal": timer.signo,
                "value": timer.sigval, "thread": timer.thread, "clock_owner": timer.clock_owner,
                "pending": timer.flags & posix_timer::flags::PENDING != 0,
                "absolute": timer.flags & posix_timer::flags::ABSOLUTE != 0,
                "value_ns": timer.value_ns, "interval_ns": timer.interval_ns,
                "overrun": timer.overrun, "overrun_last": timer.overrun_last,
            })
        })
        .collect();
    if let Some(rlimits) = &process.rlimits {
        let one = |(name, limit): (&&str, &libckpt::uapi::record::rlimit::Rlimit)| {
            ((*name).to_owned(), json!([limit.cur, limit.max]))
        };
        document["rlimits"] = Value::Object(RLIMITS.iter().zip(&rlimits.limits).map(one).collect());
    }
    document
}

fn fd_json(fd: &Fd) -> Value {
    json!({"fd": fd.fd, "cloexec": fd.flags & 1 != 0, "objref": fd.objref})
}

/// Who is told by a signal what happens to an open file.
fn signals_json(signals: &FileSignals) -> Value {
    let owner = match signals.owner {
        owner::NONE => None,
        owner::THREAD => Some("thread"),
        owner::PROCESS => Some("process"),
        _ => Some("group"),
    };
    let lease = match signals.lease {
        lease::NONE => None,
        lease::READ => Some("read"),
        _ => Some("write"),
    };
    json!({
        "fd": signals.fd, "owner": owner, "pid": signals.pid, "signal": signals.signal, "async": signals.on == 1, "lease": lease,
    })
}

/// Locks of fcntl(2), by what holds them.
fn locks_json(by: &str, locks: &BTreeMap<u32, Vec<Lock>>) -> Value {
    let each = locks
        .iter()
        .flat_map(|(of, ranges)| ranges.iter().map(move |range| (of, range)));
    each.map(
        |(of, range)| json!({by: of, "start": range.start, "len": range.len, "write": range.kind == lock::kind::WRITE}),
    )
    .collect()
}

fn vma_json(process: &Process, vma: &Vma) -> Value {
    json!({
        "start": vma.start, "end": vma.end, "kind": mapping_kind(vma.kind), "prot": vma.prot, "flags": vma.flags,
        "offset": vma.offset, "objref": vma.objref, "name": process.vma_name(vma).map(printable),
        "page_shift": (vma.page_shift != 0).then_some(vma.page_shift),
    })
}

/// Numbers of the signals of a mask.
fn mask_json(mask: u64) -> Value {
    (1..=64u32).filter(|signal| (mask >> (signal - 1)) & 1 != 0).collect()
}

fn network_json(objref: u32, network: &Network) -> Value {
    let device = |device: &NetDevice| {
        json!({
            "name": until_nul(&device.name), "ifindex": device.ifindex, "kind": device.kind, "flags": device.flags,
            "mtu": device.mtu, "txqlen": device.txqlen, "group": device.group, "mac": device.address[..6],
            "peer": device.peer, "peer_ns": device.peer_ns, "peer_ifindex": device.peer_ifindex,
        })
    };
    let net_address = |a: &NetAddress| {
        json!({
            "device": network.device(a.ifindex), "address": address(a.family, &a.local),
            "peer": address(a.family, &a.peer), "prefix": a.prefix_len, "scope": a.scope, "flags": a.flags,
            "label": until_nul(&a.label), "valid": a.valid, "preferred": a.preferred,
        })
    };
    let route = |r: &NetRoute| {
        json!({
            "table": r.table, "type": r.kind, "protocol": r.protocol, "scope": r.scope, "metric": r.priority,
            "destination": address(r.family, &r.dst), "prefix": r.dst_len,
            "gateway": (r.gateway_family != 0).then(|| address(r.gateway_family, &r.gateway)),
            "device": (r.ifindex != 0).then(|| network.device(r.ifindex)),
        })
    };
    let neighbour = |n: &NetNeighbour| json!({"device": network.device(n.ifindex), "address": address(n.family, &n.address), "mac": n.hardware[..6]});
    json!({
        "objref": objref, "type": "net-ns",
        "devices": network.devices.iter().map(device).collect::<Vec<_>>(),
        "addresses": network.addresses.iter().map(net_address).collect::<Vec<_>>(),
        "routes": network.routes.iter().map(route).collect::<Vec<_>>(),
        "neighbours": network.neighbours.iter().map(neighbour).collect::<Vec<_>>(),
    })
}
