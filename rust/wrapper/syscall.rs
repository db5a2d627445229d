// SPDX-License-Identifier: GPL-2.0

//! A task asks the kernel as itself: its own system calls, made in kernel context.
//!
//! Arguments in memory go through a scratch mapping in the task's own address space, since a system call takes user
//! addresses. Every permission, LSM and resource check applies as it would to the program.

use super::{
    bindings,
    mm,
    symbol::RestartFn,
    task::{Restart, Task}, //
};
use core::{cell::Cell, marker::PhantomData};
use kernel::{
    ffi,
    prelude::*,
    uaccess::{UserPtr, UserSlice}, //
};

/// The right to change the calling task: exists only inside the task that is being restored.
///
/// # Invariants
///
/// Never leaves the task that made it (not `Send`).
pub(crate) struct CurrentTask {
    task: Task,
    scratch: Cell<u64>,
    not_send: PhantomData<*mut ()>,
}

/// Bytes of the scratch mapping.
pub(crate) const SCRATCH: usize = 256 * 1024;

/// Numbers of the system calls that the rooms make, and of what they ask for.
pub(crate) mod nr {
    pub(crate) use ckpt_bindings::{
        __NR_arch_prctl, __NR_bind, __NR_capset, __NR_chdir, __NR_chroot, __NR_clock_gettime, __NR_close,
        __NR_close_range, __NR_connect, __NR_epoll_create1, __NR_eventfd2, __NR_fadvise64, __NR_fanotify_init,
        __NR_fanotify_mark, __NR_fchdir, __NR_fchmod, __NR_fchmodat, __NR_fchmodat2, __NR_fchown, __NR_fchownat,
        __NR_fcntl, __NR_flock, __NR_fsconfig, __NR_fsmount, __NR_fsopen, __NR_fspick, __NR_ftruncate,
        __NR_inotify_add_watch, __NR_inotify_init1, __NR_io_destroy, __NR_io_setup, __NR_io_uring_register,
        __NR_io_uring_setup, __NR_ioctl, __NR_ioprio_set, __NR_keyctl, __NR_landlock_create_ruleset,
        __NR_landlock_restrict_self, __NR_linkat, __NR_listen, __NR_madvise, __NR_mbind, __NR_membarrier,
        __NR_memfd_create, __NR_mkdirat, __NR_mknodat, __NR_mlock2, __NR_mlockall, __NR_mmap, __NR_mount,
        __NR_mount_setattr, __NR_move_mount, __NR_mprotect, __NR_mq_notify, __NR_mq_open, __NR_mq_timedsend,
        __NR_mremap, __NR_mseal, __NR_msgctl, __NR_msgget, __NR_msgsnd, __NR_munmap, __NR_open, __NR_open_tree,
        __NR_openat, __NR_openat2, __NR_personality, __NR_pipe2, __NR_pivot_root, __NR_prctl, __NR_prlimit64,
        __NR_recvfrom, __NR_rseq, __NR_rt_sigaction, __NR_rt_sigprocmask, __NR_rt_sigqueueinfo, __NR_rt_sigreturn,
        __NR_rt_tgsigqueueinfo, __NR_sched_setaffinity, __NR_sched_setattr, __NR_seccomp, __NR_semctl, __NR_semget,
        __NR_semop, __NR_sendto, __NR_set_mempolicy, __NR_set_mempolicy_home_node, __NR_set_robust_list,
        __NR_set_tid_address, __NR_setdomainname, __NR_setfsgid, __NR_setfsuid, __NR_setgroups, __NR_sethostname,
        __NR_setitimer, __NR_setns, __NR_setresgid, __NR_setresuid, __NR_setsockopt, __NR_setxattrat, __NR_shmat,
        __NR_shmctl, __NR_shmget, __NR_shutdown, __NR_sigaltstack, __NR_signalfd4, __NR_socket, __NR_socketpair,
        __NR_symlinkat, __NR_timer_create, __NR_timer_settime, __NR_timerfd_create, __NR_timerfd_settime, __NR_umask,
        __NR_umount2, __NR_unlinkat, __NR_unshare, __NR_userfaultfd, __NR_utimensat, __NR_write,
        fsconfig_command_FSCONFIG_CMD_CREATE, fsconfig_command_FSCONFIG_CMD_RECONFIGURE,
        fsconfig_command_FSCONFIG_SET_FD, fsconfig_command_FSCONFIG_SET_FLAG, fsconfig_command_FSCONFIG_SET_STRING,
        ARCH_MAP_VDSO_64, ARCH_SET_FS, ARCH_SET_GS, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, FSMOUNT_CLOEXEC,
        FSOPEN_CLOEXEC, FSPICK_CLOEXEC, FSPICK_EMPTY_PATH, LANDLOCK_RESTRICT_SELF_LOG_SUBDOMAINS_OFF, MADV_DONTDUMP,
        MADV_DONTFORK, MADV_GUARD_INSTALL, MADV_HUGEPAGE, MADV_MERGEABLE, MADV_NOHUGEPAGE, MADV_RANDOM,
        MADV_SEQUENTIAL, MADV_UNMERGEABLE, MADV_WIPEONFORK, MNT_DETACH, MOUNT_ATTR_NODEV, MOUNT_ATTR_NODIRATIME,
        MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOSYMFOLLOW, MOUNT_ATTR_RDONLY, MOUNT_ATTR__ATIME,
        MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_SET_GROUP, MOVE_MOUNT_T_EMPTY_PATH, MS_PRIVATE, MS_REC, MS_SHARED,
        MS_SLAVE, MS_UNBINDABLE, OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE, PR_CAPBSET_DROP, PR_CAP_AMBIENT,
        PR_CAP_AMBIENT_CLEAR_ALL, PR_CAP_AMBIENT_RAISE, PR_MCE_KILL, PR_MCE_KILL_CLEAR, PR_MCE_KILL_DEFAULT,
        PR_MCE_KILL_SET, PR_MDWE_NO_INHERIT, PR_MDWE_REFUSE_EXEC_GAIN, PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE,
        PR_SET_IO_FLUSHER, PR_SET_KEEPCAPS, PR_SET_MDWE, PR_SET_MEMORY_MERGE, PR_SET_MM, PR_SET_MM_MAP, PR_SET_NAME,
        PR_SET_NO_NEW_PRIVS, PR_SET_SECUREBITS, PR_SET_SPECULATION_CTRL, PR_SET_SYSCALL_USER_DISPATCH,
        PR_SET_THP_DISABLE, PR_SET_TIMERSLACK, PR_SET_TSC, PR_SET_VMA, PR_SET_VMA_ANON_NAME,
        PR_SYS_DISPATCH_EXCLUSIVE_ON, PR_SYS_DISPATCH_INCLUSIVE_ON, PR_THP_DISABLE_EXCEPT_ADVISED,
        PR_TIMER_CREATE_RESTORE_IDS, PR_TSC_ENABLE, PR_TSC_SIGSEGV,
    };
}

/// Runs `f` with the right to change the calling task. What it may do is what the task could do by its own system calls;
/// the borrow keeps the right inside the task.
pub(crate) fn as_current<T>(f: impl FnOnce(&CurrentTask) -> T) -> T {
    f(&CurrentTask {
        task: Task::current(),
        scratch: Cell::new(0),
        not_send: PhantomData,
    })
}

impl CurrentTask {
    /// The task.
    pub(crate) fn task(&self) -> &Task {
        &self.task
    }

    /// One system call. Pointers must be user addresses.
    pub(crate) fn call(&self, nr: u32, args: &[u64]) -> Result<usize> {
        let arg = |i: usize| args.get(i).copied().unwrap_or(0);
        let regs = bindings::pt_regs {
            orig_ax: nr as usize,
            ax: -38_isize as usize,
            di: arg(0) as usize,
            si: arg(1) as usize,
            dx: arg(2) as usize,
            r10: arg(3) as usize,
            r8: arg(4) as usize,
            r9: arg(5) as usize,
            ..Default::default()
        };
        // SAFETY: process context of the task itself, no locks held; system calls treat all arguments as hostile, and read
        // them from the registers given here.
        let ret = unsafe { bindings::ckpt_x64_sys_call(&regs, nr) };
        if (-4095..0).contains(&ret) {
            Err(Error::from_errno(ret as i32))
        } else {
            Ok(ret as usize)
        }
    }

    /// Takes away a descriptor of the task that was there for a moment. Not by close(2), which would release the locks that the process
    /// has on the file by other descriptors.
    pub(crate) fn take_fd_away(&self, fd: u32) {
        // SAFETY: the current task's own table, which the kernel locks; nobody has the descriptor borrowed.
        unsafe { bindings::ckpt_take_fd_away(fd) };
    }

    /// Uses the descriptor table of another task from now on. `ESRCH` when that has none any more.
    pub(crate) fn adopt_files(&self, from: &Task) -> Result {
        // SAFETY: `from` is alive; the helper locks. The caller has no descriptor borrowed: the session lives by the reference
        // of the ioctl.
        kernel::error::to_result(unsafe { bindings::ckpt_adopt_files(from.as_ptr()) })
    }

    /// Uses the root, working directory and umask of another task from now on. `ESRCH` when that has none any more.
    pub(crate) fn adopt_fs(&self, from: &Task) -> Result {
        // SAFETY: `from` is alive; the helper locks.
        kernel::error::to_result(unsafe { bindings::ckpt_adopt_fs(from.as_ptr()) })
    }

    /// Address of the scratch mapping; it is made when first asked for.
    pub(crate) fn scratch(&self) -> Result<u64> {
        if self.scratch.get() == 0 {
            let prot = bindings::PROT_READ | bindings::PROT_WRITE;
            let flags = bindings::MAP_PRIVATE | bindings::MAP_ANONYMOUS;
            self.scratch.set(mm::vm_mmap(None, 0, SCRATCH as u64, prot, flags, 0)?);
        }
        Ok(self.scratch.get())
    }

    /// Removes the scratch mapping.
    pub(crate) fn drop_scratch(&self) -> Result {
        let at = self.scratch.replace(0);
        if at == 0 {
            return Ok(());
        }
        self.call(nr::__NR_munmap, &[at, SCRATCH as u64]).map(|_| ())
    }

    /// Forgets the scratch mapping: the address space it was in is gone.
    pub(crate) fn forget_scratch(&self) {
        self.scratch.set(0);
    }

    /// Copies bytes to `offset` in the scratch mapping; their address.
    pub(crate) fn put_at(&self, offset: usize, bytes: &[u8]) -> Result<u64> {
        if offset.checked_add(bytes.len()).is_none_or(|end| end > SCRATCH) {
            return Err(E2BIG);
        }
        let at = self.scratch()? as usize + offset;
        self.put_bytes(at as u64, bytes)?;
        Ok(at as u64)
    }

    /// Copies bytes to an address of the task. `EFAULT` where there is no memory for them: no signal is sent.
    pub(crate) fn put_bytes(&self, at: u64, bytes: &[u8]) -> Result {
        UserSlice::new(UserPtr::from_addr(at as usize), bytes.len())
            .writer()
            .write_slice(bytes)
    }

    /// Copies bytes to the start of the scratch mapping; their address.
    pub(crate) fn put(&self, bytes: &[u8]) -> Result<u64> {
        self.put_at(0, bytes)
    }

    /// Copies 64-bit words to the start of the scratch mapping; their address.
    pub(crate) fn put_words(&self, words: &[u64]) -> Result<u64> {
        for (i, w) in words.iter().enumerate() {
            self.put_at(i * 8, &w.to_ne_bytes())?;
        }
        self.scratch()
    }

    /// Reads two 32-bit words that a system call left at a user address.
    pub(crate) fn get_pair(&self, at: u64) -> Result<[u32; 2]> {
        let mut bytes = [0; 8];
        UserSlice::new(UserPtr::from_addr(at as usize), bytes.len())
            .reader()
            .read_slice(&mut bytes)?;
        let [a, b, c, d, e, f, g, h] = bytes;
        Ok([u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h])])
    }

    /// Reads a 64-bit word at a user address.
    pub(crate) fn get_word(&self, at: u64) -> Result<u64> {
        let mut bytes = [0; 8];
        UserSlice::new(UserPtr::from_addr(at as usize), bytes.len())
            .reader()
            .read_slice(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    /// Writes a 64-bit word at a user address.
    pub(crate) fn set_word(&self, at: u64, word: u64) -> Result {
        UserSlice::new(UserPtr::from_addr(at as usize), 8)
            .writer()
            .write_slice(&word.to_ne_bytes())
    }

    /// Copies a path with a terminating NUL to the start of the scratch mapping; its address.
    pub(crate) fn put_path(&self, path: &[u8]) -> Result<u64> {
        self.put_path_at(0, path)
    }

    /// The same to `offset` in the scratch mapping.
    pub(crate) fn put_path_at(&self, offset: usize, path: &[u8]) -> Result<u64> {
        let end = offset.checked_add(path.len()).ok_or(E2BIG)?;
        self.put_at(end, &[0])?;
        self.put_at(offset, path)
    }

    /// Sets the FPU, the signal mask, the alternate stack and the general registers by the task's own rt_sigreturn(2).
    ///
    /// `regs` is `struct user_regs_struct`. The scratch mapping stays. On `EFAULT` a SIGSEGV is pending too.
    pub(crate) fn sigreturn(
        &self,
        regs: &[u64; 27],
        xstate: &[u8],
        xfeatures: u64,
        blocked: u64,
        altstack: (u64, u64, u32),
    ) -> Result {
        /// Where in the scratch mapping the xstate goes: aligned to 64 bytes, behind the frame.
        const XSTATE_AT: usize = 4096;
        /// Offset of the software-reserved bytes in the legacy area (`struct fxregs_state`).
        const SW_RESERVED: usize = 464;
        // Features that a task has to ask for (AMX) enlarge the state on ptrace's side only.
        let xstate = &xstate[..xstate.len().min(super::regset::sigframe_size())];
        let xsize = xstate.len();
        let sw = bindings::_fpx_sw_bytes {
            magic1: bindings::FP_XSTATE_MAGIC1,
            extended_size: xsize as u32 + 4,
            xfeatures,
            xstate_size: xsize as u32,
            ..Default::default()
        };
        // SAFETY: a plain C struct without padding (`uapi/asm/sigcontext.h`), seen as bytes.
        let sw =
            unsafe { core::slice::from_raw_parts((&raw const sw).cast::<u8>(), size_of::<bindings::_fpx_sw_bytes>()) };

        let fp = self.put_at(XSTATE_AT, xstate)?;
        self.put_at(XSTATE_AT + SW_RESERVED, sw)?;
        self.put_at(XSTATE_AT + xsize, &bindings::FP_XSTATE_MAGIC2.to_ne_bytes())?;

        let mut frame = bindings::rt_sigframe::default();
        let uc = &mut frame.uc;
        uc.uc_flags = (bindings::UC_FP_XSTATE | bindings::UC_SIGCONTEXT_SS | bindings::UC_STRICT_RESTORE_SS) as usize;
        uc.uc_stack.ss_sp = altstack.0 as *mut ffi::c_void;
        uc.uc_stack.ss_size = altstack.1 as usize;
        uc.uc_stack.ss_flags = altstack.2 as i32;
        uc.uc_sigmask.sig[0] = blocked as usize;
        let sc = &mut uc.uc_mcontext;
        let [r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, _ax, cx, dx, si, di, _orig, ip, cs, flags, sp, ss, ..] =
            *regs;
        (sc.r8, sc.r9, sc.r10, sc.r11) = (r8, r9, r10, r11);
        (sc.r12, sc.r13, sc.r14, sc.r15) = (r12, r13, r14, r15);
        (sc.di, sc.si, sc.bp, sc.bx) = (di, si, bp, bx);
        // ax becomes the result of the call, which must not look like an error; the task gets its own at the end.
        (sc.dx, sc.ax, sc.cx, sc.sp) = (dx, 0, cx, sp);
        (sc.ip, sc.flags, sc.cs, sc.ss) = (ip, flags, cs as u16, ss as u16);
        sc.fpstate = fp;
        // SAFETY: a plain C struct, every byte of which `Default` has set, seen as bytes.
        let bytes =
            unsafe { core::slice::from_raw_parts((&raw const frame).cast::<u8>(), size_of::<bindings::rt_sigframe>()) };
        const _: () = assert!(size_of::<bindings::rt_sigframe>() <= XSTATE_AT);
        let at = self.put(bytes)?;

        // SAFETY: the current task's own saved registers; the task is in a system call that gets all of them anew.
        let user = unsafe { &mut *bindings::ckpt_task_pt_regs(self.task.as_ptr()) };
        user.sp = (at + 8) as usize;
        self.call(nr::__NR_rt_sigreturn, &[])?;
        if user.ip as u64 != ip || user.sp as u64 != sp {
            return Err(EFAULT);
        }
        Ok(())
    }

    /// Sets the result register, and with `orig_ax` the interrupted system call that goes on, at the return to user mode:
    /// what an ioctl returns is cut to 32 bits. Nothing is set when the task is on its way out.
    pub(crate) fn resume_with(&self, orig_ax: Option<u64>, ax: u64) -> Result {
        let mut resume = KBox::new(
            Resume {
                work: bindings::callback_head::default(),
                orig_ax,
                ax,
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        resume.work.func = Some(resume_callback);
        self.queue(resume);
        Ok(())
    }

    /// Looks again whether there is a signal, or a stop of the process, to be taken before user mode.
    pub(crate) fn look_for_signals(&self) {
        // SAFETY: the current task; the helper locks.
        unsafe { bindings::ckpt_look_for_signals() };
    }

    fn queue(&self, resume: KBox<Resume>) {
        let resume = KBox::into_raw(resume);
        // SAFETY: the current task; the work lives until its callback frees it, and the module until its callback puts it:
        // the ioctl and its reference to the module are over by then.
        let ret = unsafe {
            bindings::ckpt_module_get();
            bindings::task_work_add(
                self.task.as_ptr(),
                &raw mut (*resume).work,
                bindings::task_work_notify_mode_TWA_SIGNAL,
            )
        };
        if ret != 0 {
            // SAFETY: the work was not queued, so it and the reference to the module are still ours.
            unsafe {
                drop(KBox::from_raw(resume));
                bindings::ckpt_module_put();
            }
        }
    }

    /// Lets the task, or its whole process, exit with a status as wait(2) returns it, at its return to user mode.
    pub(crate) fn exit_with(&self, status: u32, who: Exit) -> Result {
        let mut exit = KBox::new(
            Resume {
                work: bindings::callback_head::default(),
                orig_ax: None,
                ax: u64::from(status),
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        exit.work.func = Some(match who {
            Exit::Process => exit_process_callback,
            Exit::Thread => exit_thread_callback,
        });
        self.queue(exit);
        Ok(())
    }

    /// Sets the task's restart block.
    pub(crate) fn set_restart(&self, restart: &Restart) {
        // SAFETY: the current task's own block; the functions are the ones that the kernel itself stores there, and
        // every value is checked again by them as it was by the system call.
        unsafe {
            let block = &mut (*self.task.as_ptr()).restart_block;
            let set = |f: RestartFn| {
                core::mem::transmute::<usize, Option<unsafe extern "C" fn(*mut bindings::restart_block) -> isize>>(
                    f.address(),
                )
            };
            match *restart {
                Restart::Sleep(kind, clock, layout, rmtp, expires) => {
                    block.fn_ = set(kind);
                    let n = &mut block.__bindgen_anon_1.nanosleep;
                    n.clockid = clock;
                    n.type_ = layout;
                    n.__bindgen_anon_1.rmtp = rmtp as *mut _;
                    n.expires = expires as i64;
                }
                Restart::Poll(ufds, nfds, end) => {
                    block.fn_ = set(RestartFn::Poll);
                    let p = &mut block.__bindgen_anon_1.poll;
                    p.ufds = ufds as *mut _;
                    p.nfds = nfds as i32;
                    p.has_timeout = i32::from(end.is_some());
                    let end = end.unwrap_or(0);
                    p.end_time.tv_sec = (end / 1_000_000_000) as i64;
                    p.end_time.tv_nsec = (end % 1_000_000_000) as isize;
                }
                Restart::Futex(uaddr, val, flags, bitset, time) => {
                    block.fn_ = set(RestartFn::Futex);
                    let f = &mut block.__bindgen_anon_1.futex;
                    f.uaddr = uaddr as *mut _;
                    f.val = val;
                    f.flags = flags;
                    f.bitset = bitset;
                    f.time = time as i64;
                    f.uaddr2 = core::ptr::null_mut();
                }
            }
        }
    }
}

/// What a restored task finds in its registers; the kernel looks at a restartable result after the callback has run.
#[repr(C)]
struct Resume {
    work: bindings::callback_head,
    orig_ax: Option<u64>,
    ax: u64,
}

/// Runs in the restored task, before signals are delivered and system calls restarted.
///
/// # Safety
///
/// Called by `task_work_run` with the first field of a leaked [`Resume`].
unsafe extern "C" fn resume_callback(work: *mut bindings::callback_head) {
    // SAFETY: the work is the first field of a `Resume` that this call takes over.
    let resume = unsafe { KBox::from_raw(work.cast::<Resume>()) };
    // SAFETY: the current task's own saved registers.
    let user = unsafe { &mut *bindings::ckpt_task_pt_regs(bindings::ckpt_current()) };
    user.ax = resume.ax as usize;
    if let Some(orig_ax) = resume.orig_ax {
        user.orig_ax = orig_ax as usize;
    }
    drop(resume);
    // SAFETY: the reference that `resume_with` took. Unloading waits for tasks that are still in these last instructions.
    unsafe { bindings::ckpt_module_put() };
}

/// Who exits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All threads, as by exit_group(2).
    Process,
    /// The task alone, as by `SYS_exit`.
    Thread,
}

/// Ends the process.
///
/// # Safety
///
/// As [`exit_callback`].
unsafe extern "C" fn exit_process_callback(work: *mut bindings::callback_head) {
    // SAFETY: as the caller argues.
    unsafe { exit_callback(work, Exit::Process) }
}

/// Ends the task alone.
///
/// # Safety
///
/// As [`exit_callback`].
unsafe extern "C" fn exit_thread_callback(work: *mut bindings::callback_head) {
    // SAFETY: as the caller argues.
    unsafe { exit_callback(work, Exit::Thread) }
}

/// Runs in the task that is to exit.
///
/// # Safety
///
/// Called by `task_work_run` with the work of a [`Resume`] that [`CurrentTask::exit_with`] has queued.
unsafe fn exit_callback(work: *mut bindings::callback_head, who: Exit) {
    // Older works come after this one and would be lost, since the exit does not return: queue up behind them.
    // SAFETY: `task_work_run` has read `next` before it calls, so the work is ours; the task is the current one.
    let again = unsafe {
        !(*work).next.is_null()
            && bindings::task_work_add(bindings::ckpt_current(), work, bindings::task_work_notify_mode_TWA_NONE) == 0
    };
    if again {
        return;
    }
    let offset = core::mem::offset_of!(Resume, work);
    // SAFETY: `work` is the field of the `Resume` that the queue gave back.
    let resume = unsafe { KBox::from_raw(work.cast::<u8>().sub(offset).cast::<Resume>()) };
    let status = resume.ax;
    drop(resume);
    // SAFETY: nothing is held here. The reference to the module goes before the task does: unloading waits for tasks that are
    // still in these last instructions, and the call does not return.
    unsafe {
        bindings::ckpt_module_put();
        match who {
            Exit::Process => bindings::ckpt_do_group_exit(status as i32),
            Exit::Thread => bindings::ckpt_do_exit(status as isize),
        }
    }
}
