// SPDX-License-Identifier: GPL-2.0

//! Descriptor table: numbers, FD_CLOEXEC, which open file; gaps stay gaps.
//!
//! Saved: all of it, also that of a thread that has one of its own (unshare(CLONE_FILES)). What the files are is the file room's business.
//! Not saved: the size of the table (FDSize in /proc/PID/status).
//! Shown by: fd/, refuse/shared_table.
//!
//! Record: [`ckpt_uapi::record::fd`].  C header: `include/linux/fdtable.h`

use super::{
    allow_descriptor, dump_file, finish_sockets, held, share, Dump, FrozenTask, Holding, Resource, Restore, Scope,
    Target,
};
use crate::{
    error::{Context, Result},
    wrapper::{file as open, syscall::nr}, //
};
use ckpt_uapi::record::{
    fd::{flags, Fd, Fds},
    Record, RecordType,
};
use kernel::prelude::*;

pub(crate) struct FdRoom;

/// Entries of one record.
const ENTRIES: usize = 8192;

impl Resource for FdRoom {
    const RECORDS: &'static [RecordType] = &[Fds::TYPE];
    const SCOPE: Scope = Scope::Task;
    const REPEATS: bool = true;
    const SHARE: u32 = share::FILES;

    fn dump(target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let target = &target.seen_by(task.task);
        let mut table: KVVec<Fd> = KVVec::new();
        let mut holding = Holding::by(target);
        let mut from = Some(0);
        loop {
            let lot = open::collect_fds(target.leader, &mut from)?;
            for fd in lot.iter() {
                let objref = dump_file(target, &fd.file, held(&lot, &fd.file), dump).map_err(|f| f.fd(fd.fd))?;
                holding.look_at(fd.fd, &fd.file)?;
                let entry = Fd {
                    fd: fd.fd,
                    flags: if fd.cloexec { flags::CLOEXEC } else { 0 },
                    objref,
                    reserved: 0,
                };
                table.push(entry, GFP_KERNEL_ACCOUNT)?;
            }
            if from.is_none() {
                break;
            }
        }
        finish_sockets(target, dump)?;
        let mut rest = &table[..];
        loop {
            let (now, later) = rest.split_at(rest.len().min(ENTRIES));
            let fixed = Fds {
                count: now.len() as u32,
                more: u32::from(!later.is_empty()),
            };
            dump.out.record_with(&fixed, now)?;
            rest = later;
            if rest.is_empty() {
                return holding.dump(dump);
            }
        }
    }

    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let fds: Fds = restore.input.fixed()?;
        if fds.more > 1 || restore.late.fds == Some(true) {
            return Err(restore
                .input
                .bad(EBADMSG, format_args!("descriptor table goes on after its end")));
        }
        if restore.late.fds.replace(fds.more == 0).is_none() {
            // The restarter's own descriptors go; the session and the statefile live on by their references.
            restore.me.call(nr::__NR_close_range, &[0, u64::from(u32::MAX), 0])?;
        }
        let highest = restore.input.entries::<Fd>(fds.count)?.map(|e| e.fd).max();
        allow_descriptor(restore.me, highest.unwrap_or(0))?;
        for e in restore.input.entries::<Fd>(fds.count)? {
            if e.flags & !flags::ALL != 0 {
                return Err(restore
                    .input
                    .bad(EBADMSG, format_args!("unknown descriptor flags"))
                    .fd(e.fd));
            }
            let Some(f) = restore.made.file(e.objref) else {
                return Err(restore
                    .input
                    .bad(
                        EBADMSG,
                        format_args!("descriptor refers to object {}, which is no file", e.objref),
                    )
                    .fd(e.fd));
            };
            open::install_fd(e.fd, f, e.flags & flags::CLOEXEC != 0)
                .context(format_args!("cannot install descriptor {}", e.fd))
                .map_err(|f| f.fd(e.fd))?;
        }
        Ok(())
    }
}
