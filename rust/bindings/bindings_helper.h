/* SPDX-License-Identifier: GPL-2.0 */
/* bindgen input: kernel structures and functions that the kernel's own bindings lack. Sorted. */

#include <asm/prctl.h>
#include <asm/ptrace.h>
#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/membarrier.h>
#include <linux/mm.h>
#include <linux/nsproxy.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/prctl.h>
#include <linux/ptrace.h>
#include <linux/random.h>
#include <linux/regset.h>
#include <linux/restart_block.h>
#include <linux/rseq.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/signal.h>
#include <linux/task_work.h>
#include <linux/user.h>
#include <linux/xxhash.h>
#include <uapi/asm/sigcontext.h>
#include <uapi/asm/ucontext.h>
#include <uapi/linux/aio_abi.h>
#include <uapi/linux/fib_rules.h>
#include <uapi/linux/if_link.h>
#include <uapi/linux/inotify.h>
#include <uapi/linux/io_uring.h>
#include <uapi/linux/landlock.h>
#include <uapi/linux/mount.h>
#include <uapi/linux/neighbour.h>
#include <uapi/linux/rtnetlink.h>
#include <uapi/linux/veth.h>
#include <asm/sigframe.h>

#include "rust/helpers/helpers.h"
#include "rust/helpers/symbol.h"

const unsigned int RUST_CONST_HELPER_PTRACE_MODE_ATTACH_REALCREDS = PTRACE_MODE_ATTACH_REALCREDS;
const unsigned int RUST_CONST_HELPER_TASK_KILLABLE = TASK_KILLABLE;
const unsigned int RUST_CONST_HELPER_TASK_NOLOAD = TASK_NOLOAD;
const unsigned int RUST_CONST_HELPER_TASK_FREEZABLE = TASK_FREEZABLE;
const unsigned int RUST_CONST_HELPER_TASK_STOPPED = __TASK_STOPPED;
const unsigned int RUST_CONST_HELPER_TASK_TRACED = __TASK_TRACED;
const unsigned int RUST_CONST_HELPER_PF_EXITING = PF_EXITING;
const unsigned int RUST_CONST_HELPER_PF_KTHREAD = PF_KTHREAD;
const unsigned int RUST_CONST_HELPER_PF_USER_WORKER = PF_USER_WORKER;
const unsigned int RUST_CONST_HELPER_PF_IO_WORKER = PF_IO_WORKER;
const unsigned int RUST_CONST_HELPER_SIGNAL_STOP_STOPPED = SIGNAL_STOP_STOPPED;
const unsigned long RUST_CONST_HELPER_VM_READ = VM_READ;
const unsigned long RUST_CONST_HELPER_VM_WRITE = VM_WRITE;
const unsigned long RUST_CONST_HELPER_VM_EXEC = VM_EXEC;
const unsigned long RUST_CONST_HELPER_VM_SHARED = VM_SHARED;
const unsigned long RUST_CONST_HELPER_VM_MAYREAD = VM_MAYREAD;
const unsigned long RUST_CONST_HELPER_VM_MAYWRITE = VM_MAYWRITE;
const unsigned long RUST_CONST_HELPER_VM_MAYEXEC = VM_MAYEXEC;
const unsigned long RUST_CONST_HELPER_VM_MAYSHARE = VM_MAYSHARE;
const unsigned long RUST_CONST_HELPER_VM_GROWSDOWN = VM_GROWSDOWN;
const unsigned long RUST_CONST_HELPER_VM_PFNMAP = VM_PFNMAP;
const unsigned long RUST_CONST_HELPER_VM_MAYBE_GUARD = VM_MAYBE_GUARD;
const unsigned long RUST_CONST_HELPER_VM_LOCKED = VM_LOCKED;
const unsigned long RUST_CONST_HELPER_VM_IO = VM_IO;
const unsigned long RUST_CONST_HELPER_VM_SEQ_READ = VM_SEQ_READ;
const unsigned long RUST_CONST_HELPER_VM_RAND_READ = VM_RAND_READ;
const unsigned long RUST_CONST_HELPER_VM_DONTCOPY = VM_DONTCOPY;
const unsigned long RUST_CONST_HELPER_VM_DONTEXPAND = VM_DONTEXPAND;
const unsigned long RUST_CONST_HELPER_VM_LOCKONFAULT = VM_LOCKONFAULT;
const unsigned long RUST_CONST_HELPER_VM_ACCOUNT = VM_ACCOUNT;
const unsigned long RUST_CONST_HELPER_VM_NORESERVE = VM_NORESERVE;
const unsigned long RUST_CONST_HELPER_VM_HUGETLB = VM_HUGETLB;
const unsigned long RUST_CONST_HELPER_VM_WIPEONFORK = VM_WIPEONFORK;
const unsigned long RUST_CONST_HELPER_VM_DONTDUMP = VM_DONTDUMP;
const unsigned long RUST_CONST_HELPER_VM_SOFTDIRTY = VM_SOFTDIRTY;
const unsigned long RUST_CONST_HELPER_VM_MIXEDMAP = VM_MIXEDMAP;
const unsigned long RUST_CONST_HELPER_VM_HUGEPAGE = VM_HUGEPAGE;
const unsigned long RUST_CONST_HELPER_VM_NOHUGEPAGE = VM_NOHUGEPAGE;
const unsigned long RUST_CONST_HELPER_VM_MERGEABLE = VM_MERGEABLE;
const unsigned long RUST_CONST_HELPER_VM_DROPPABLE = VM_DROPPABLE;
const unsigned long RUST_CONST_HELPER_VM_SEALED = VM_SEALED;
const unsigned int RUST_CONST_HELPER_MMF_DISABLE_THP_COMPLETELY = MMF_DISABLE_THP_COMPLETELY;
const unsigned int RUST_CONST_HELPER_MMF_DISABLE_THP_EXCEPT_ADVISED = MMF_DISABLE_THP_EXCEPT_ADVISED;
const unsigned int RUST_CONST_HELPER_MMF_HAS_MDWE = MMF_HAS_MDWE;
const unsigned int RUST_CONST_HELPER_MMF_HAS_MDWE_NO_INHERIT = MMF_HAS_MDWE_NO_INHERIT;
const unsigned int RUST_CONST_HELPER_MMF_VM_MERGE_ANY = MMF_VM_MERGE_ANY;
const unsigned int RUST_CONST_HELPER_MMF_HAS_UPROBES = MMF_HAS_UPROBES;
const unsigned int RUST_CONST_HELPER_FMODE_READ = (__force unsigned int)FMODE_READ;
const unsigned int RUST_CONST_HELPER_FMODE_WRITE = (__force unsigned int)FMODE_WRITE;
const unsigned int RUST_CONST_HELPER_FMODE_PATH = (__force unsigned int)FMODE_PATH;
const unsigned int RUST_CONST_HELPER_FASYNC = FASYNC;
