// SPDX-License-Identifier: GPL-2.0

//! Working directory, root directory, umask.
//!
//! Saved: all three, the directories by path; also those of a thread that has its own (unshare(CLONE_FS)).
//! Refused: a working directory that has been removed, or that lies outside of the root directory.
//! Shown by: fs/.
//!
//! Record: [`ckpt_uapi::record::fs`].  C header: `include/linux/fs_struct.h`

use super::{share, Dump, FrozenTask, Obstacles, Resource, Restore, Scope, Target};
use crate::{
    error::{Context, Fault, Result},
    wrapper::{
        path::{Fs, PathBuf},
        syscall::nr,
        task::Task, //
    },
};
use ckpt_uapi::record::{fs::Fs as FsRecord, Record, RecordType};
use kernel::prelude::*;
use zerocopy::FromZeros;

pub(crate) struct FsRoom;

impl Resource for FsRoom {
    const RECORDS: &'static [RecordType] = &[FsRecord::TYPE];
    const SCOPE: Scope = Scope::Task;
    const SHARE: u32 = share::FS;

    fn check(target: &Target<'_>, task: &Task, obstacles: &mut dyn Obstacles) -> Result {
        let fs = Fs::of(task)?;
        let mut buf = PathBuf::new()?;
        let mut refuse =
            |text: core::fmt::Arguments<'_>| obstacles.add(Fault::new(EOPNOTSUPP, text).kind(RecordType::Fs));
        if fs.pwd_unlinked() {
            refuse(format_args!("its working directory has been removed"));
        } else if !fs.print_pwd(&mut buf)? {
            refuse(format_args!("its working directory lies outside of its root directory"));
        }
        if !fs.print_root(target.names, &mut buf)? {
            refuse(format_args!(
                "its root directory cannot be reached from the caller's, or that of its mount namespace"
            ));
        }
        Ok(())
    }

    fn dump(target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let fs = Fs::of(task.task)?;
        let (mut cwd, mut root) = (PathBuf::new()?, PathBuf::new()?);
        if !fs.print_pwd(&mut cwd)? || !fs.print_root(target.names, &mut root)? {
            return Err(Fault::new(EOPNOTSUPP, format_args!("directory cannot be reached")));
        }
        let mut r = FsRecord::new_zeroed();
        r.umask = fs.umask;
        r.cwd_len = cwd.as_bytes().len() as u32;
        r.root_len = root.as_bytes().len() as u32;
        let mut paths = KVec::new();
        paths.extend_from_slice(cwd.as_bytes(), GFP_KERNEL_ACCOUNT)?;
        paths.extend_from_slice(root.as_bytes(), GFP_KERNEL_ACCOUNT)?;
        dump.out.record_with(&r, &paths[..])
    }

    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let r: FsRecord = restore.input.fixed()?;
        let paths = restore.input.variable();
        if paths.len() as u64 != u64::from(r.cwd_len) + u64::from(r.root_len) {
            return Err(restore
                .input
                .bad(EBADMSG, format_args!("lengths of the paths are wrong")));
        }
        let (cwd, root) = paths.split_at(r.cwd_len as usize);
        if cwd.first() != Some(&b'/') || root.first() != Some(&b'/') || paths.contains(&0) {
            return Err(restore.input.bad(EBADMSG, format_args!("not an absolute path")));
        }
        let me = restore.me;
        if root != b"/" {
            let at = me.put_path(root)?;
            me.call(nr::__NR_chroot, &[at])
                .context(format_args!("cannot change the root directory to {}", show(root)))?;
        }
        let at = me.put_path(cwd)?;
        me.call(nr::__NR_chdir, &[at])
            .context(format_args!("cannot change the working directory to {}", show(cwd)))?;
        me.call(nr::__NR_umask, &[u64::from(r.umask)])?;
        Ok(())
    }
}

fn show(path: &[u8]) -> &str {
    core::str::from_utf8(path).unwrap_or("(not UTF-8)")
}
