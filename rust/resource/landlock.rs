// SPDX-License-Identifier: GPL-2.0

//! Landlock domain of a thread: each layer is enforced again by the thread's own system calls, after all files have been
//! opened.
//!
//! Saved: layers without rules (what xz and others deny to themselves), in order: handled accesses, scopes, what is logged;
//! which threads share which layers. Under a restarter with a domain of its own they come on top of that; together there may be
//! sixteen.
//! Not saved: ids of domains and counts of denials in the audit log.
//! Refused: domains with rules. User space cannot read rules back, and the kernel keeps one for a path by the inode alone.
//! Shown by: landlock/, refuse/landlock, hostile/values_of_landlock.
//!
//! Record: [`ckpt_uapi::record::landlock`].  C header: `security/landlock/domain.h`

use super::{Dump, FrozenTask, Obstacles, Resource, Restore, Scope, Target};
use crate::{
    error::{Context, Fault, Result},
    objects::{Keeper, Object},
    wrapper::{
        cred::Cred,
        file::File,
        landlock::Layer,
        syscall::{nr, CurrentTask},
        task::Task, //
    },
};
use ckpt_uapi::record::{
    landlock::{flags, Landlock, Layer as LayerRecord, LAYERS_MAX},
    Record, RecordType,
};
use kernel::prelude::*;
use zerocopy::FromZeros;

const _: () = assert!(LAYERS_MAX == crate::wrapper::landlock::LAYERS_MAX);

/// The layers of all threads: objects.
pub(crate) struct LayerRoom;

/// The domain of a thread.
pub(crate) struct LandlockRoom;

impl Resource for LayerRoom {
    const RECORDS: &'static [RecordType] = &[LayerRecord::TYPE];
    const SCOPE: Scope = Scope::Process;
    const REQUIRED: bool = false;
    const OBJECTS: bool = true;

    fn dump(target: &Target<'_>, _task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        for task in target.threads {
            let mut below = 0;
            for (address, layer) in &Cred::of(task).landlock_layers()? {
                below = match dump.seen.get(*address) {
                    Some(objref) => objref,
                    None => {
                        let objref = dump.seen.add(*address, Keeper::Cred(Cred::of(task)))?;
                        dump.out.record(&to_record(objref, below, layer))?;
                        objref
                    }
                };
            }
        }
        Ok(())
    }

    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let r: LayerRecord = restore.input.only()?;
        if r.objref != restore.made.next()
            || r.flags & !flags::ALL != 0
            || r.subdomains_off > 1
            || (r.below != 0 && restore.made.layer(r.below).is_none())
        {
            return Err(restore
                .input
                .bad(EBADMSG, format_args!("wrong values in a Landlock layer record")));
        }
        let layer = Layer {
            attr: [
                r.handled_access_fs,
                r.handled_access_net,
                r.scoped,
                r.quiet_access_fs,
                r.quiet_access_net,
                r.quiet_scoped,
            ],
            flags: r.flags,
            subdomains_off: r.subdomains_off == 1,
        };
        let layer = KBox::new(layer, GFP_KERNEL_ACCOUNT)?;
        restore.made.add(Object::Layer(layer, r.below, None))
    }
}

fn to_record(objref: u32, below: u32, layer: &Layer) -> LayerRecord {
    let [handled_access_fs, handled_access_net, scoped, quiet_access_fs, quiet_access_net, quiet_scoped] = layer.attr;
    LayerRecord {
        objref,
        below,
        handled_access_fs,
        handled_access_net,
        scoped,
        quiet_access_fs,
        quiet_access_net,
        quiet_scoped,
        flags: layer.flags,
        subdomains_off: u32::from(layer.subdomains_off),
    }
}

impl Resource for LandlockRoom {
    const RECORDS: &'static [RecordType] = &[Landlock::TYPE];
    const SCOPE: Scope = Scope::Task;
    const REQUIRED: bool = false;

    fn check(_target: &Target<'_>, task: &Task, obstacles: &mut dyn Obstacles) -> Result {
        let cred = Cred::of(task);
        let mut refuse =
            |text: core::fmt::Arguments<'_>| obstacles.add(Fault::new(EOPNOTSUPP, text).kind(RecordType::Landlock));
        if cred.landlock_has_rules() {
            refuse(format_args!(
                "it is restricted by Landlock with rules for paths or ports, which cannot be read back"
            ));
        }
        match cred.landlock_layers() {
            Err(e) if e == EUCLEAN => refuse(format_args!("its Landlock domain is not of a kind that is known")),
            layers => drop(layers?),
        }
        Ok(())
    }

    fn dump(_target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let cred = Cred::of(task.task);
        let mut r = Landlock::new_zeroed();
        r.subdomains_off = u32::from(cred.landlock_subdomains_off());
        if let Some((address, _)) = cred.landlock_layers()?.last() {
            r.domain = dump.seen.get(*address).ok_or(EINVAL)?;
        } else if r.subdomains_off == 0 {
            return Ok(());
        }
        r.no_new_privs = u32::from(task.task.no_new_privs());
        dump.out.record(&r)
    }

    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let r: Landlock = restore.input.only()?;
        if r.subdomains_off > 1 || r.no_new_privs > 1 || r.reserved != 0 {
            return Err(restore
                .input
                .bad(EBADMSG, format_args!("wrong values in a Landlock record")));
        }
        let me = restore.me;
        let mut domain = KVec::with_capacity(LAYERS_MAX, GFP_KERNEL_ACCOUNT)?;
        let mut at = r.domain;
        while at != 0 {
            let Some((_, below, _)) = restore.made.layer(at) else {
                return Err(restore
                    .input
                    .bad(EBADMSG, format_args!("object {at} is no layer of a Landlock domain")));
            };
            if domain.len() == LAYERS_MAX {
                return Err(restore.input.bad(
                    EBADMSG,
                    format_args!("a Landlock domain has more than {LAYERS_MAX} layers"),
                ));
            }
            domain.push(at, GFP_KERNEL_ACCOUNT)?;
            at = below;
        }
        if r.no_new_privs == 1 {
            forgo_privileges(me)?;
        }
        let mut off = false;
        for objref in domain.iter().rev() {
            let (layer, _, first) = restore.made.layer(*objref).ok_or(EINVAL)?;
            if layer.subdomains_off && !off {
                subdomains_off(me)?;
                off = true;
            }
            enforce(me, &layer.attr, layer.flags)?;
            match first {
                // Threads that shared a domain share one again: scopes look at who is in the same.
                Some(theirs) => me.share_landlock(theirs)?,
                None => *first = Some(Cred::current()),
            }
        }
        if r.subdomains_off == 1 && !off {
            subdomains_off(me)?;
        }
        let now = Cred::current().landlock_layers()?;
        let own = now.len().checked_sub(domain.len()).ok_or(EPERM)?;
        for ((_, have), objref) in now.iter().skip(own).zip(domain.iter().rev()) {
            let (want, ..) = restore.made.layer(*objref).ok_or(EINVAL)?;
            if !covers(have, want) {
                return Err(Fault::new(
                    EPERM,
                    format_args!("the kernel does not enforce the saved Landlock domain"),
                ));
            }
        }
        Ok(())
    }
}

/// Whether `have` handles all that `want` does. (Whoever handles any access to files handles LANDLOCK_ACCESS_FS_REFER.)
fn covers(have: &Layer, want: &Layer) -> bool {
    have.attr[..3]
        .iter()
        .zip(&want.attr[..3])
        .all(|(have, want)| want & !have == 0)
}

/// What allows a task without CAP_SYS_ADMIN to restrict itself.
fn forgo_privileges(me: &CurrentTask) -> Result {
    me.call(nr::__NR_prctl, &[u64::from(nr::PR_SET_NO_NEW_PRIVS), 1, 0, 0, 0])
        .context(format_args!("cannot set no_new_privs"))?;
    Ok(())
}

/// No layer that comes after this is logged.
fn subdomains_off(me: &CurrentTask) -> Result {
    let off = u64::from(nr::LANDLOCK_RESTRICT_SELF_LOG_SUBDOMAINS_OFF);
    me.call(nr::__NR_landlock_restrict_self, &[-1_i64 as u64, off])
        .context(format_args!("cannot turn off the log of Landlock"))?;
    Ok(())
}

/// One more layer, as a program enforces it: `attr` is `struct landlock_ruleset_attr`.
fn enforce(me: &CurrentTask, attr: &[u64; 6], flags: u32) -> Result {
    let at = me.put_words(attr)?;
    let size = size_of_val(attr) as u64;
    let ruleset = with_room(me, || me.call(nr::__NR_landlock_create_ruleset, &[at, size, 0])).context(format_args!(
        "cannot make a Landlock ruleset of accesses {:#x}, {:#x} and scopes {:#x}",
        attr[0], attr[1], attr[2]
    ))? as u64;
    let enforced = me.call(nr::__NR_landlock_restrict_self, &[ruleset, u64::from(flags)]);
    me.call(nr::__NR_close, &[ruleset])?;
    enforced.context(format_args!(
        "cannot enforce a Landlock domain again (it takes no_new_privs or CAP_SYS_ADMIN, and there are at most {LAYERS_MAX} layers)"
    ))?;
    Ok(())
}

/// Makes a descriptor also where the program's own limit, which is in force already, leaves no number for it.
fn with_room(me: &CurrentTask, make: impl Fn() -> kernel::error::Result<usize>) -> kernel::error::Result<usize> {
    const RLIMIT_NOFILE: usize = 7;
    /// As much as `fs.nr_open` allows by default.
    const NR_OPEN: u64 = 1 << 20;
    let made = make();
    if made != Err(EMFILE) {
        return made;
    }
    /// Where in the scratch mapping the limit goes: behind what `make` reads.
    const LIMIT_AT: usize = 1024;
    let set = |(soft, hard): (u64, u64)| {
        let at = me.put_at(LIMIT_AT, &soft.to_ne_bytes())?;
        me.put_at(LIMIT_AT + 8, &hard.to_ne_bytes())?;
        me.call(nr::__NR_prlimit64, &[0, RLIMIT_NOFILE as u64, at, 0])
    };
    let (soft, hard) = me.task().rlimits()[RLIMIT_NOFILE];
    let more = hard.max(NR_OPEN);
    set((more, more))?;
    let made = make();
    set((soft, hard))?;
    made
}

/// Opens a file as the task would under a domain that denies these accesses (LANDLOCK_ACCESS_FS_*): of those that Landlock
/// remembers in an open file, this one is denied them for good.
pub(crate) fn open_denied(me: &CurrentTask, denied: u64, open: impl FnOnce() -> Result<File>) -> Result<File> {
    me.keeping_credentials(|| {
        if !Cred::current().is_admin() {
            forgo_privileges(me)?;
        }
        enforce(me, &[denied, 0, 0, 0, 0, 0], 0)?;
        open()
    })
}
