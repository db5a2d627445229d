// SPDX-License-Identifier: GPL-2.0

//! seccomp of a thread. Filters come back by the task's own seccomp(2), so it needs CAP_SYS_ADMIN or no_new_privs; before the
//! credentials, since those may take the right away. The calls of a restore pass by seccomp, so that no filter stands in its way.
//!
//! Saved: strict mode; filters with their programs as user space gave them, SECCOMP_FILTER_FLAG_LOG; which threads and processes share
//! which filters, so that a later SECCOMP_FILTER_FLAG_TSYNC does what it would have done.
//! Not saved: SECCOMP_FILTER_FLAG_SPEC_ALLOW (a machine that mitigates speculation for seccomp does so for the restarted program).
//! Refused: a filter with a listener (SECCOMP_RET_USER_NOTIF); filters when the caller lacks CAP_SYS_ADMIN or is under seccomp itself,
//! as ptrace(PTRACE_SECCOMP_GET_FILTER) does.
//! Shown by: seccomp/, refuse/seccomp_listener.
//!
//! Record: [`ckpt_uapi::record::seccomp`].  C header: `include/linux/seccomp.h`

use super::{Dump, FrozenTask, Obstacles, Resource, Restore, Scope, Target};
use crate::{
    error::{Context, Fault, Result},
    objects::{Keeper, Object},
    wrapper::{
        seccomp::{self, PROGRAM_MAX},
        syscall::{nr, CurrentTask},
        task::Task, //
    },
};
use ckpt_uapi::record::{
    seccomp::{filter_flags, flags, mode, Seccomp, SeccompFilter},
    Record, RecordType,
};
use kernel::prelude::*;
use zerocopy::IntoBytes;

pub(crate) struct SeccompRoom;

const SECCOMP_SET_MODE_STRICT: u64 = 0;
const SECCOMP_SET_MODE_FILTER: u64 = 1;
const SECCOMP_FILTER_FLAG_LOG: u64 = 1 << 1;
/// Where in the scratch mapping the program of a filter is put, behind `struct sock_fprog`.
const PROGRAM_AT: usize = 64;

impl Resource for SeccompRoom {
    const RECORDS: &'static [RecordType] = &[Seccomp::TYPE, SeccompFilter::TYPE];
    const SCOPE: Scope = Scope::Task;
    const REQUIRED: bool = false;
    const REPEATS: bool = true;

    fn check(_target: &Target<'_>, task: &Task, obstacles: &mut dyn Obstacles) -> Result {
        let mut refuse = |text: core::fmt::Arguments<'_>| {
            obstacles.add(Fault::new(EOPNOTSUPP, text).kind(RecordType::Seccomp));
        };
        match seccomp::mode(task) {
            mode::NONE | mode::STRICT => return Ok(()),
            mode::FILTER if seccomp::may_read() => {}
            mode::FILTER => {
                refuse(format_args!(
                    "it has a seccomp filter, which only a caller with CAP_SYS_ADMIN and without seccomp may read"
                ));
                return Ok(());
            }
            other => {
                refuse(format_args!("seccomp mode {other} cannot be saved"));
                return Ok(());
            }
        }
        for address in seccomp::chain(task)? {
            match seccomp::filter(task, address) {
                Ok(f) if f.listener => refuse(format_args!(
                    "its seccomp filter has a listener (SECCOMP_FILTER_FLAG_NEW_LISTENER)"
                )),
                Ok(_) => {}
                Err(e) if e == EMEDIUMTYPE => refuse(format_args!("its seccomp filter is no classic BPF program")),
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    fn dump(_target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let task = task.task;
        let mode = seccomp::mode(task);
        if mode == mode::NONE {
            return Ok(());
        }
        let no_new_privs = task.no_new_privs();
        let mut newest = 0;
        for address in seccomp::chain(task)? {
            let known = dump.seen.get(address);
            newest = match known {
                Some(objref) => objref,
                None => {
                    let f = seccomp::filter(task, address)?;
                    let objref = dump.seen.add(address, Keeper::Task)?;
                    let mut r = SeccompFilter {
                        objref,
                        prev: newest,
                        count: f.program.len() as u32,
                        flags: 0,
                    };
                    if f.log {
                        r.flags |= filter_flags::LOG;
                    }
                    if no_new_privs {
                        r.flags |= filter_flags::NO_NEW_PRIVS;
                    }
                    dump.out.record_with(&r, &f.program[..])?;
                    objref
                }
            };
        }
        dump.out.record(&Seccomp {
            mode,
            filter: newest,
            flags: if no_new_privs { flags::NO_NEW_PRIVS } else { 0 },
            reserved: 0,
        })
    }

    fn restore(kind: RecordType, restore: &mut Restore<'_>) -> Result {
        if restore.late.seccomp {
            return Err(restore.input.bad(EBADMSG, format_args!("record is in the wrong place")));
        }
        if kind == RecordType::SeccompFilter {
            return install(restore);
        }
        let r: Seccomp = restore.input.only()?;
        let me = restore.me;
        let right = match r.mode {
            mode::STRICT => r.filter == 0 && restore.late.filter == 0,
            mode::FILTER => r.filter != 0,
            _ => false,
        };
        if !right || r.flags & !flags::ALL != 0 || r.reserved != 0 {
            return Err(restore
                .input
                .bad(EBADMSG, format_args!("wrong values in a seccomp record")));
        }
        if r.mode == mode::STRICT {
            me.call(nr::__NR_seccomp, &[SECCOMP_SET_MODE_STRICT, 0, 0])
                .context(format_args!("cannot enter the strict mode of seccomp"))?;
        } else {
            no_new_privs(me, r.flags & flags::NO_NEW_PRIVS != 0)?;
            follow(restore, r.filter)?;
        }
        restore.late.seccomp = true;
        if seccomp::mode(me.task()) != r.mode {
            return Err(Fault::new(
                EINVAL,
                format_args!("the kernel does not take seccomp mode {}", r.mode),
            ));
        }
        Ok(())
    }
}

/// Installing a filter needs no_new_privs or CAP_SYS_ADMIN; the credentials come later, and are compared then.
fn no_new_privs(me: &CurrentTask, set: bool) -> Result {
    if set && !me.task().no_new_privs() {
        me.call(nr::__NR_prctl, &[u64::from(nr::PR_SET_NO_NEW_PRIVS), 1, 0, 0, 0])
            .context(format_args!("cannot set no_new_privs"))?;
    }
    Ok(())
}

/// Lets the task have this filter and all before it, which some task of the restart has.
fn follow(restore: &mut Restore<'_>, objref: u32) -> Result {
    if restore.late.filter == objref {
        return Ok(());
    }
    let Some(Object::Filter(owner, address)) = restore.made.get(objref) else {
        return Err(restore
            .input
            .bad(EBADMSG, format_args!("object {objref} is no seccomp filter")));
    };
    restore
        .me
        .adopt_filter(owner, *address)
        .context(format_args!("cannot share a seccomp filter"))?;
    restore.late.filter = objref;
    Ok(())
}

/// A new filter, on top of an earlier one.
fn install(restore: &mut Restore<'_>) -> Result {
    let r: SeccompFilter = restore.input.fixed()?;
    let input = &*restore.input;
    if r.objref != restore.made.next()
        || r.count == 0
        || r.count as usize > PROGRAM_MAX
        || r.flags & !filter_flags::ALL != 0
        || (r.prev == 0 && restore.late.filter != 0)
    {
        return Err(input.bad(EBADMSG, format_args!("wrong values in a seccomp filter record")));
    }
    let mut program = KVVec::with_capacity(r.count as usize, GFP_KERNEL_ACCOUNT)?;
    for word in input.entries::<u64>(r.count)? {
        program.push(word, GFP_KERNEL_ACCOUNT)?;
    }
    let me = restore.me;
    no_new_privs(me, r.flags & filter_flags::NO_NEW_PRIVS != 0)?;
    if r.prev != 0 {
        follow(restore, r.prev)?;
    }
    let words = me.put_at(PROGRAM_AT, program[..].as_bytes())?;
    let at = me.put_words(&[u64::from(r.count), words])?;
    let log = if r.flags & filter_flags::LOG != 0 {
        SECCOMP_FILTER_FLAG_LOG
    } else {
        0
    };
    me.call(nr::__NR_seccomp, &[SECCOMP_SET_MODE_FILTER, log, at])
        .context(format_args!(
            "cannot install a seccomp filter: it takes CAP_SYS_ADMIN, or a program with no_new_privs"
        ))?;
    restore.late.filter = r.objref;
    restore
        .made
        .add(Object::Filter(me.task().clone(), seccomp::newest(me.task())))
}
