// SPDX-License-Identifier: GPL-2.0

//! `/dev/ckpt`: open, read, ioctl, release. The only place that copies ioctl arguments.

use crate::{
    error::{Fault, Result},
    freeze::Scope,
    resource::{external::External, policy::Policies},
    session::Session,
    wrapper::{self, file::File as OpenFile, regset, time}, //
};
use ckpt_uapi::{
    ioctl::{
        self, checkpoint_flags, feature, restart_end_flags, restart_flags, restart_user_ns_flags, scope, POLICIES_MAX,
    },
    record::external::EXTERNALS_MAX,
    status::stage,
    ABI_VERSION, FORMAT_OLDEST, FORMAT_VERSION,
};
use kernel::{
    fs::{File, Kiocb},
    iov::IovIterDest,
    miscdevice::{MiscDevice, MiscDeviceRegistration},
    prelude::*,
    uaccess::{UserPtr, UserSlice}, //
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Longest ioctl struct that is looked at, known part and unknown tail.
const ARG_MAX: usize = 4096;

/// An open `/dev/ckpt`.
pub(crate) struct Device;

#[vtable]
impl MiscDevice for Device {
    type Ptr = Pin<KBox<Session>>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> kernel::error::Result<Self::Ptr> {
        KBox::pin_init(Session::new(), GFP_KERNEL_ACCOUNT)
    }

    fn read_iter(kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterDest<'_>) -> kernel::error::Result<usize> {
        let room = iov.len();
        kiocb.file().read(room, |message| iov.copy_to_iter(message))
    }

    fn ioctl(session: Pin<&Session>, file: &File, cmd: u32, arg: usize) -> kernel::error::Result<isize> {
        let call = Call {
            session: &session,
            file: OpenFile::from_kernel(file),
            arg,
        };
        let (stage, result) = match cmd {
            ioctl::CKPT_INFO => (stage::ATTACH, call.info()),
            ioctl::CKPT_ATTACH => (stage::ATTACH, call.attach()),
            ioctl::CKPT_CHECK => (stage::CHECK, call.check()),
            ioctl::CKPT_FREEZE => (stage::FREEZE, call.freeze()),
            ioctl::CKPT_THAW => (stage::FREEZE, call.thaw()),
            ioctl::CKPT_KILL => (stage::FREEZE, call.kill()),
            ioctl::CKPT_CHECKPOINT => (stage::DUMP, call.checkpoint()),
            ioctl::CKPT_POLICIES => (stage::CHECK, call.policies()),
            ioctl::CKPT_RESTART_BEGIN => (stage::BEGIN, call.restart_begin()),
            ioctl::CKPT_RESTART_PROLOGUE => (stage::BEGIN, call.restart_prologue()),
            ioctl::CKPT_RESTART_TASK => (stage::RESTORE, call.restart_task()),
            ioctl::CKPT_RESTART_USER_NS => (stage::BEGIN, call.restart_user_ns()),
            ioctl::CKPT_RESTART_END => (stage::END, call.restart_end()),
            _ => return Err(ENOTTY),
        };
        result.map_err(|fault| {
            // A wait that may be resumed has nothing to say, and obstacles have been named one by one.
            if fault.detail().is_some() || (fault.errno() != EINTR && fault.errno() != EOPNOTSUPP) {
                session.report(stage, &fault);
            }
            fault.errno()
        })
    }
}

/// Copies texts in, whose length has been looked at.
fn texts(address: u64, length: u32) -> Result<KVVec<u8>> {
    let mut texts = KVVec::zeroed(length as usize, GFP_KERNEL_ACCOUNT)?;
    if !texts.is_empty() {
        UserSlice::new(UserPtr::from_addr(address as usize), texts.len())
            .reader()
            .read_slice(&mut texts)?;
    }
    Ok(texts)
}

/// One ioctl.
struct Call<'a> {
    session: &'a Session,
    /// Held so that the session outlives a task that closes its own descriptor of it.
    file: OpenFile,
    arg: usize,
}

/// What belongs to a target, by its number in the ABI.
fn scope_of(number: u32) -> Result<Scope> {
    match number {
        scope::PROCESS => Ok(Scope::Process),
        scope::TREE => Ok(Scope::Tree),
        scope::CONTAINER => Ok(Scope::Container),
        scope::JOB => Ok(Scope::Job),
        _ => Err(invalid("scope")),
    }
}

fn invalid(what: &str) -> Fault {
    Fault::new(EINVAL, format_args!("invalid argument: {what}"))
}

impl Call<'_> {
    /// Copies the argument in: as long as the caller says, at least all of the first version; a tail that is not known
    /// here must be zero.
    fn get<T: FromBytes + IntoBytes + KnownLayout + Immutable>(&self) -> Result<(T, usize)> {
        let mut size = [0u8; 4];
        self.slice(4).reader().read_slice(&mut size)?;
        let size = u32::from_ne_bytes(size) as usize;
        let known = size_of::<T>();
        if size < known {
            return Err(invalid("the struct is too short"));
        }
        if size > ARG_MAX {
            return Err(Fault::new(E2BIG, format_args!("the ioctl struct is too long")));
        }
        let mut reader = self.slice(size).reader();
        let mut value = T::new_zeroed();
        reader.read_slice(value.as_mut_bytes())?;
        let mut left = size - known;
        let mut tail = [0u8; 64];
        while left > 0 {
            let n = left.min(tail.len());
            reader.read_slice(&mut tail[..n])?;
            if tail[..n].iter().any(|b| *b != 0) {
                return Err(Fault::new(
                    E2BIG,
                    format_args!("the ioctl struct has fields that are not known here"),
                ));
            }
            left -= n;
        }
        Ok((value, known))
    }

    fn put<T: IntoBytes + Immutable>(&self, value: &T, known: usize) -> Result {
        Ok(self.slice(known).writer().write_slice(value.as_bytes())?)
    }

    fn slice(&self, len: usize) -> UserSlice {
        UserSlice::new(UserPtr::from_addr(self.arg), len)
    }

    fn info(&self) -> Result<isize> {
        let (mut a, known): (ioctl::Info, _) = self.get()?;
        if a.flags != 0 {
            return Err(invalid("flags"));
        }
        a.abi_version = ABI_VERSION;
        a.format_version = FORMAT_VERSION;
        a.format_oldest = FORMAT_OLDEST;
        a.page_size = wrapper::mm::PAGE_SIZE as u32;
        a.features = feature::PROCESS
            | feature::SELF
            | feature::STREAM
            | feature::GUARD
            | feature::TREE
            | feature::CONTAINER
            | feature::JOB;
        a.xfeatures = regset::xcr0();
        a.xstate_size = regset::xstate_size();
        a.reserved = 0;
        a.version = [0; 32];
        let version = crate::VERSION.as_bytes();
        a.version[..version.len()].copy_from_slice(version);
        a.release = [0; 64];
        time::kernel_release(&mut a.release);
        self.put(&a, known)?;
        Ok(0)
    }

    fn attach(&self) -> Result<isize> {
        let (a, _): (ioctl::Attach, _) = self.get()?;
        if a.flags != 0 || a.reserved != 0 {
            return Err(invalid("flags"));
        }
        if a.pidfd < 0 && a.pid <= 0 {
            return Err(invalid("neither a pidfd nor a pid"));
        }
        self.session.attach(a.pidfd, a.pid, scope_of(a.scope)?)?;
        Ok(0)
    }

    fn check(&self) -> Result<isize> {
        let (mut a, known): (ioctl::Check, _) = self.get()?;
        if a.flags != 0 {
            return Err(invalid("flags"));
        }
        (a.obstacles, a.tasks) = self.session.check(self.file.ops())?;
        self.put(&a, known)?;
        Ok(0)
    }

    fn freeze(&self) -> Result<isize> {
        let (mut a, known): (ioctl::Freeze, _) = self.get()?;
        if a.flags != 0 {
            return Err(invalid("flags"));
        }
        a.tasks = self.session.freeze(a.timeout_ms)?;
        self.put(&a, known)?;
        Ok(0)
    }

    fn thaw(&self) -> Result<isize> {
        let (a, _): (ioctl::Thaw, _) = self.get()?;
        if a.flags != 0 {
            return Err(invalid("flags"));
        }
        self.session.thaw()?;
        Ok(0)
    }

    fn kill(&self) -> Result<isize> {
        let (a, _): (ioctl::Kill, _) = self.get()?;
        if a.flags != 0 {
            return Err(invalid("flags"));
        }
        self.session.kill()?;
        Ok(0)
    }

    fn policies(&self) -> Result<isize> {
        let (a, _): (ioctl::Policies, _) = self.get()?;
        if a.flags != 0 || a.reserved != 0 || a.texts_size > POLICIES_MAX {
            return Err(invalid("flags"));
        }
        self.session
            .set_policies(Policies::new(texts(a.texts, a.texts_size)?)?)?;
        Ok(0)
    }

    fn checkpoint(&self) -> Result<isize> {
        let (mut a, known): (ioctl::Checkpoint, _) = self.get()?;
        let both = checkpoint_flags::KILL | checkpoint_flags::STOP;
        if a.flags & !checkpoint_flags::ALL != 0 || a.flags & both == both || a.pid < 0 {
            return Err(invalid("flags"));
        }
        let scope = scope_of(a.scope)?;
        let ret = self.session.checkpoint(&mut a, scope, self.file.ops())?;
        self.put(&a, known)?;
        Ok(ret)
    }

    fn restart_begin(&self) -> Result<isize> {
        let (mut a, known): (ioctl::RestartBegin, _) = self.get()?;
        if a.flags & !restart_flags::ALL != 0 || a.reserved != 0 || a.external_size > EXTERNALS_MAX {
            return Err(invalid("flags"));
        }
        let external = External::new(texts(a.external, a.external_size)?)?;
        let restart = self.session.restart_begin(a.fd, a.flags, external, self.file.ops())?;
        let prologue = restart.prologue();
        a.tasks = prologue.tree.len() as u32;
        a.pids = prologue.nested().len() as u32;
        a.target = restart.target();
        a.user_ns = prologue.user_ns().len() as u32;
        a.nested_user_ns = prologue.nested_user_ns().bodies().len() as u32;
        self.put(&a, known)?;
        Ok(0)
    }

    fn restart_prologue(&self) -> Result<isize> {
        let (mut a, known): (ioctl::RestartPrologue, _) = self.get()?;
        if a.flags != 0 {
            return Err(invalid("flags"));
        }
        let restart = self.session.restart()?;
        let prologue = restart.prologue();
        let (tree, nested) = (&prologue.tree[..], prologue.nested());
        if (a.capacity as usize) < tree.len() || (a.pids_capacity as usize) < nested.len() {
            return Err(invalid("the array is too short for the tree"));
        }
        UserSlice::new(UserPtr::from_addr(a.tree as usize), size_of_val(tree))
            .writer()
            .write_slice(tree.as_bytes())?;
        if !nested.is_empty() {
            UserSlice::new(UserPtr::from_addr(a.pids as usize), size_of_val(nested))
                .writer()
                .write_slice(nested.as_bytes())?;
        }
        a.tasks = tree.len() as u32;
        a.pids_count = nested.len() as u32;
        for (body, to, capacity, size) in [
            (prologue.user_ns(), a.user_ns, a.user_ns_capacity, &mut a.user_ns_size),
            (
                prologue.nested_user_ns().bodies(),
                a.nested_user_ns,
                a.nested_user_ns_capacity,
                &mut a.nested_user_ns_size,
            ),
        ] {
            if (capacity as usize) < body.len() {
                return Err(invalid("there is no place for a user namespace"));
            }
            if !body.is_empty() {
                UserSlice::new(UserPtr::from_addr(to as usize), body.len())
                    .writer()
                    .write_slice(body)?;
            }
            *size = body.len() as u32;
        }
        self.put(&a, known)?;
        Ok(0)
    }

    fn restart_user_ns(&self) -> Result<isize> {
        let (a, _): (ioctl::RestartUserNs, _) = self.get()?;
        if a.flags & !restart_user_ns_flags::ALL != 0 {
            return Err(invalid("flags"));
        }
        let restart = self.session.restart()?;
        if a.flags & restart_user_ns_flags::OWNS_CHILDREN != 0 {
            if a.fd != -1 {
                return Err(invalid("a descriptor that is not wanted"));
            }
            wrapper::syscall::as_current(|me| restart.own_children(a.number, me))?;
        } else {
            restart.take_user_ns(a.number, &OpenFile::from_fd(a.fd)?)?;
        }
        Ok(0)
    }

    fn restart_task(&self) -> Result<isize> {
        let (a, _): (ioctl::RestartTask, _) = self.get()?;
        if a.flags != 0 || a.reserved != 0 {
            return Err(invalid("flags"));
        }
        wrapper::syscall::as_current(|me| self.session.restart_task(a.index, me))?;
        Ok(0)
    }

    fn restart_end(&self) -> Result<isize> {
        let (mut a, known): (ioctl::RestartEnd, _) = self.get()?;
        if a.flags & !restart_end_flags::ALL != 0 {
            return Err(invalid("flags"));
        }
        let restart = self.session.restart()?;
        if a.flags & restart_end_flags::ABORT != 0 {
            restart.abort();
            return Ok(0);
        }
        (a.bytes, a.restart_ns) = restart.end()?;
        for warning in restart.take_warnings() {
            self.session.warn(stage::END, &warning);
        }
        self.put(&a, known)?;
        Ok(0)
    }
}
