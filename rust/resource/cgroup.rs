// SPDX-License-Identifier: GPL-2.0

//! The cgroup of a process, of the second version.
//!
//! Saved: where it is below the cgroup of the root process. That becomes the restarter's. A cgroup that is not there any more is made
//! again, and stays; where the restarter may not, or has no cgroup file system at /sys/fs/cgroup, the process stays in the restarter's,
//! with a warning.
//! Not saved: limits and other settings, with a warning when a cgroup is made again; cgroups without processes; that a process lives
//! in a cgroup that is not below that of the root process, or a thread in another one than its process, with a warning; cgroups of the
//! first version.
//! Shown by: cgroup/, hostile/values_of_cgroups.
//!
//! Record: [`ckpt_uapi::record::cgroup`].  C header: `include/linux/cgroup.h`

use super::{Dump, FrozenTask, Obstacles, Resource, Restore, Scope, Target, WARNINGS};
use crate::{
    error::{Context, Fault, Result},
    wrapper::{
        fcntl::{O_PATH, O_WRONLY},
        file::{open_at, with_fd, File},
        syscall::{nr, CurrentTask},
        task::Task, //
    },
};
use ckpt_uapi::{
    record::{cgroup::Cgroup, Record, RecordType},
    statefile::PATH_MAX, //
};
use kernel::prelude::*;

pub(crate) struct CgroupRoom;

/// Where user space has it.
const MOUNT: &[u8] = b"/sys/fs/cgroup";

impl Resource for CgroupRoom {
    const RECORDS: &'static [RecordType] = &[Cgroup::TYPE];
    const SCOPE: Scope = Scope::Process;
    const REQUIRED: bool = false;

    fn check(target: &Target<'_>, _task: &Task, obstacles: &mut dyn Obstacles) -> Result {
        let mut warn =
            |text: core::fmt::Arguments<'_>| obstacles.warn(Fault::new(EXDEV, text).kind(RecordType::Cgroup));
        if target.leader.cgroup_below(&target.whole.root.leader)?.is_none() {
            warn(format_args!(
                "its cgroup is not below that of the first process: it will come back in the restarter's"
            ));
        }
        if target.threads.iter().any(|t| !t.shares_cgroup(target.leader)) {
            warn(format_args!(
                "a thread of it lives in another cgroup, and will come back in its process's"
            ));
        }
        Ok(())
    }

    fn dump(target: &Target<'_>, _task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let below = target.leader.cgroup_below(&target.whole.root.leader)?;
        let Some(path) = below.filter(|path| !path.is_empty()) else {
            return Ok(());
        };
        let r = Cgroup {
            path_len: path.len() as u32,
            reserved: 0,
        };
        dump.out.record_with(&r, &path[..])
    }

    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let r: Cgroup = restore.input.fixed()?;
        let path = restore.input.variable();
        if r.reserved != 0
            || path.len() != r.path_len as usize
            || path.len() > PATH_MAX
            || path.contains(&0)
            || !Cgroup::may_have(path)
        {
            return Err(restore
                .input
                .bad(EBADMSG, format_args!("wrong values in a cgroup record")));
        }
        let fault = match join(restore.me, path) {
            Ok(false) => return Ok(()),
            Ok(true) => Fault::new(
                EXDEV,
                format_args!("cgroup {} is made again, without its settings", show(path)),
            ),
            Err(fault) => {
                let why = fault.detail().map_or("", |d| show(d.text.as_bytes()));
                Fault::new(
                    fault.errno(),
                    format_args!(
                        "it is not in cgroup {}, but in that of the restarter: {why}",
                        show(path)
                    ),
                )
            }
        };
        if restore.warnings.len() < WARNINGS {
            let ids = restore.me.task();
            let fault = fault.kind(RecordType::Cgroup).task(ids.tgid(), ids.tid());
            restore.warnings.push(fault, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(())
    }
}

fn show(text: &[u8]) -> &str {
    core::str::from_utf8(text).unwrap_or("(not UTF-8)")
}

/// Moves the caller's process to the cgroup at a path below its own, by the files that there are for that. Whether it has been made.
fn join(me: &CurrentTask, path: &[u8]) -> Result<bool> {
    let own = me.cgroup()?;
    let mut text = KVec::new();
    for part in [MOUNT, &own[..]] {
        text.extend_from_slice(part, GFP_KERNEL_ACCOUNT)?;
    }
    let base = File::open(&text, O_PATH).context(format_args!("there is no cgroup file system"))?;
    if !base.is_own_cgroup() {
        return Err(Fault::new(ENOENT, format_args!("there is no cgroup file system")));
    }
    let below = path.get(1..).unwrap_or(&[]);
    let mut made = false;
    with_fd(me, &base, |base| -> Result {
        let ends = below.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(i, _)| i);
        for end in Iterator::chain(ends, [below.len()]) {
            let at = me.put_path(&below[..end])?;
            match me.call(nr::__NR_mkdirat, &[base, at, 0o755]) {
                Err(EEXIST) => {}
                other => {
                    other.context(format_args!("cannot make it"))?;
                    made = true;
                }
            }
        }
        Ok(())
    })?;
    let mut file = KVec::new();
    for part in [below, b"/cgroup.procs"] {
        file.extend_from_slice(part, GFP_KERNEL_ACCOUNT)?;
    }
    let procs = open_at(me, Some(&base), &file, O_WRONLY, 0, 0).context(format_args!("cannot open it"))?;
    // The caller itself.
    let at = me.put(b"0")?;
    with_fd(me, &procs, |fd| me.call(nr::__NR_write, &[fd, at, 1])).context(format_args!("cannot join it"))?;
    Ok(made)
}
