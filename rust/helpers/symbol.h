/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unexported kernel functions: X(return type, name, parameters, arguments).
 *
 * The static call takes its type from the kernel's own declaration (typeof), so a changed prototype breaks the
 * build. A direct call is legal under IBT also where the function's ENDBR has been sealed; a call through a
 * pointer would not be.
 */
#ifndef CKPT_SYMBOL_H
#define CKPT_SYMBOL_H

#include <asm/processor.h>
#include <asm/syscall.h>
#include <linux/dcache.h>
#include <linux/eventpoll.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs_context.h>
#include <linux/fs_struct.h>
#include <linux/fsnotify_backend.h>
#include <linux/io_uring.h>
#include <linux/ipc.h>
#include <linux/ipc_namespace.h>
#include <linux/kernfs.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/nsproxy.h>
#include <linux/pagewalk.h>
#include <linux/pid.h>
#include <linux/pidfs.h>
#include <linux/ptrace.h>
#include <linux/rmap.h>
#include <linux/sched.h>
#include <linux/sched/coredump.h>
#include <linux/sched/cputime.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/sem.h>
#include <linux/task_work.h>
#include <linux/time_namespace.h>
#include <linux/tty.h>

/*
 * Prototypes that the build cannot check: static in arch/x86/entry/syscall_64.c, and hidden from modules in asm/tlbflush.h; and
 * three further down.
 */
extern long x64_sys_call(const struct pt_regs *regs, unsigned int nr);
extern void flush_tlb_mm_range(struct mm_struct *mm, unsigned long start, unsigned long end, unsigned int shift, bool freed);
/* Static in ipc/shm.c, sem.c and msg.c: all three are what free_ipcs() takes. */
extern void do_shm_rmid(struct ipc_namespace *ns, struct kern_ipc_perm *ipcp);
extern void freeary(struct ipc_namespace *ns, struct kern_ipc_perm *ipcp);
extern void freeque(struct ipc_namespace *ns, struct kern_ipc_perm *ipcp);
/* In ipc/util.h, which symbol.c includes to check them. */
extern struct kern_ipc_perm *ipc_obtain_object_idr(struct ipc_ids *ids, int id);
extern int ipcperms(struct ipc_namespace *ns, struct kern_ipc_perm *perm, short flag);
extern void ipc_set_key_private(struct ipc_ids *ids, struct kern_ipc_perm *ipcp);
/* In io_uring/tw.h, which symbol.c includes to check them. */
struct io_ring_ctx;
struct io_uring_task;
extern int io_run_local_work(struct io_ring_ctx *ctx, int min_events, int max_events);
extern void tctx_task_work_run(struct io_uring_task *tctx, unsigned int max_entries, unsigned int *count);
/* In fs/internal.h, which symbol.c includes to check them. */
extern struct dentry *d_hash_and_lookup(struct dentry *dir, struct qstr *name);
extern struct file *open_namespace_file(struct ns_common *ns);
/* In mm/internal.h and uprobes.h, which symbol.c includes to check them. */
extern void folio_add_lru_vma(struct folio *folio, struct vm_area_struct *vma);
extern int anon_vma_fork(struct vm_area_struct *vma, struct vm_area_struct *old);
extern int dup_mmap(struct mm_struct *mm, struct mm_struct *oldmm);
extern void uprobe_start_dup_mmap(void);
extern void uprobe_end_dup_mmap(void);

/* A function that warns on misuse, or a macro. */
#ifdef CONFIG_X86_DEBUG_FPU
#define CKPT_SYMBOLS_FPU(X) X(struct fpu *, x86_task_fpu, (struct task_struct *t), (t))
#else
#define CKPT_SYMBOLS_FPU(X)
#define ckpt_x86_task_fpu x86_task_fpu
#endif

#define CKPT_SYMBOLS(X)                                                                                                \
	X(spinlock_t *, __pmd_trans_huge_lock, (pmd_t *pmd, struct vm_area_struct *vma), (pmd, vma))                    \
	X(int, __mem_cgroup_charge, (struct folio *folio, struct mm_struct *mm, gfp_t gfp), (folio, mm, gfp))           \
	X(int, arch_prctl_spec_ctrl_get, (struct task_struct *t, unsigned long which), (t, which))                         \
	X(void, arch_seccomp_spec_mitigate, (struct task_struct *t), (t))                                                 \
	X(char *, __d_path, (const struct path *p, const struct path *root, char *buf, int len), (p, root, buf, len))  \
	X(struct pid *, alloc_pid, (struct pid_namespace *ns, pid_t *tids, size_t n), (ns, tids, n))                       \
	X(int, anon_vma_fork, (struct vm_area_struct *vma, struct vm_area_struct *old), (vma, old))                        \
	X(void, change_pid, (struct pid **pids, struct task_struct *t, enum pid_type type, struct pid *pid),             \
	  (pids, t, type, pid))                                                                                         \
	X(struct dentry *, d_hash_and_lookup, (struct dentry *dir, struct qstr *name), (dir, name))                        \
	X(void, deactivate_nsproxy, (struct nsproxy *ns), (ns))                                                            \
	X(int, do_epoll_ctl_file,                                                                                         \
	  (struct file *f, int op, struct epoll_key *tf, struct epoll_event *epds, bool nonblock),                       \
	  (f, op, tf, epds, nonblock))                                                                                   \
	X(void, do_exit, (long status), (status))                                                                          \
	X(struct file *, dentry_open_nonotify, (const struct path *path, int flags, const struct cred *cred),	\
	  (path, flags, cred))											\
	X(void, do_group_exit, (int status), (status))                                                                     \
	X(void, do_shm_rmid, (struct ipc_namespace *ns, struct kern_ipc_perm *ipcp), (ns, ipcp))                        \
	X(int, dup_mmap, (struct mm_struct *mm, struct mm_struct *oldmm), (mm, oldmm))                                  \
	X(int, exec_task_namespaces, (void), ())                                                                           \
	X(void, exit_sem, (struct task_struct *t), (t))                                                                    \
	X(int, f_dupfd, (unsigned int from, struct file *file, unsigned int flags), (from, file, flags))                \
	X(void, fsnotify_destroy_event, (struct fsnotify_group *group, struct fsnotify_event *event), (group, event))      \
	X(int, fsnotify_insert_event,                                                                                      \
	  (struct fsnotify_group *group, struct fsnotify_event *event,                                                  \
	   int (*merge)(struct fsnotify_group *, struct fsnotify_event *),                                              \
	   void (*insert)(struct fsnotify_group *, struct fsnotify_event *)),                                           \
	  (group, event, merge, insert))                                                                                \
	X(void, free_fs_struct, (struct fs_struct *fs), (fs))                                                              \
	X(void, freeary, (struct ipc_namespace *ns, struct kern_ipc_perm *ipcp), (ns, ipcp))                            \
	X(void, freeque, (struct ipc_namespace *ns, struct kern_ipc_perm *ipcp), (ns, ipcp))                            \
	X(struct fs_context *, fs_context_for_reconfigure,                                                                \
	  (struct dentry *dentry, unsigned int sb_flags, unsigned int sb_flags_mask), (dentry, sb_flags, sb_flags_mask)) \
	X(void, free_pids, (struct pid **pids), (pids))                                                                    \
	X(void, flush_tlb_mm_range,                                                                                     \
	  (struct mm_struct *mm, unsigned long start, unsigned long end, unsigned int shift, bool freed),               \
	  (mm, start, end, shift, freed))                                                                               \
	X(void, folio_add_lru_vma, (struct folio *folio, struct vm_area_struct *vma), (folio, vma))                     \
	X(void, folio_add_new_anon_rmap,                                                                                \
	  (struct folio *folio, struct vm_area_struct *vma, unsigned long addr, rmap_t flags),                          \
	  (folio, vma, addr, flags))                                                                                    \
	X(pte_t *, get_locked_pte, (struct mm_struct *mm, unsigned long addr, spinlock_t **ptl), (mm, addr, ptl))          \
	X(unsigned long, get_wchan, (struct task_struct *t), (t))                                                       \
	X(struct file *, get_mm_exe_file, (struct mm_struct *mm), (mm))                                                 \
	X(int, io_run_local_work, (struct io_ring_ctx *ctx, int min_events, int max_events), (ctx, min_events, max_events)) \
	X(const char *, io_uring_get_opcode, (u8 opcode), (opcode))                                                    \
	X(struct kern_ipc_perm *, ipc_obtain_object_idr, (struct ipc_ids *ids, int id), (ids, id))                         \
	X(int, ipcperms, (struct ipc_namespace *ns, struct kern_ipc_perm *perm, short flag), (ns, perm, flag))             \
	X(void, ipc_set_key_private, (struct ipc_ids *ids, struct kern_ipc_perm *ipcp), (ids, ipcp))                    \
	X(const struct ns_common *, kernfs_super_ns, (struct super_block *sb), (sb))				\
	X(struct sighand_struct *, lock_task_sighand, (struct task_struct *t, unsigned long *flags), (t, flags))        \
	X(struct mm_struct *, mm_alloc, (void), ())                                                                     \
	X(struct file *, open_namespace_file, (struct ns_common *ns), (ns))                                                \
	X(struct task_struct *, pidfd_get_task, (int pidfd, unsigned int *flags), (pidfd, flags))                       \
	X(struct pid *, pidfd_pid, (const struct file *file), (file))                                                   \
	X(struct file *, pidfs_alloc_file, (struct pid *pid, unsigned int flags), (pid, flags))                         \
	X(int, pidfs_register_pid_gfp, (struct pid *pid, gfp_t gfp), (pid, gfp))                                     \
	X(pte_t *, pte_offset_map_lock,                                                                                 \
	  (struct mm_struct *mm, pmd_t *pmd, unsigned long addr, spinlock_t **ptlp), (mm, pmd, addr, ptlp))             \
	X(void, proc_clear_tty, (struct task_struct *t), (t))                                                              \
	X(int, proc_timens_set_offset,                                                                                  \
	  (struct file *f, struct task_struct *t, struct proc_timens_offset *offsets, int n), (f, t, offsets, n))       \
	X(bool, ptrace_may_access, (struct task_struct *t, unsigned int mode), (t, mode))                               \
	X(void, put_ipc_ns, (struct ipc_namespace *ns), (ns))                                                              \
	X(void, put_files_struct, (struct files_struct *files), (files))                                                   \
	X(void, put_task_stack, (struct task_struct *t), (t))                                                           \
	X(int, replace_mm_exe_file, (struct mm_struct *mm, struct file *file), (mm, file))                              \
	X(int, set_cred_ucounts, (struct cred *c), (c))                                                                 \
	X(void, split_huge_pmd_address, (struct vm_area_struct *vma, unsigned long addr, bool freeze), (vma, addr, freeze)) \
	X(struct fs_struct *, switch_fs_struct, (struct fs_struct *fs), (fs))                                              \
	X(enum task_dumpable, task_exec_state_get_dumpable, (struct task_struct *t), (t))                               \
	X(bool, task_work_cancel, (struct task_struct *t, struct callback_head *work), (t, work))                       \
	X(void, tctx_task_work_run, (struct io_uring_task *tctx, unsigned int max_entries, unsigned int *count),       \
	  (tctx, max_entries, count))                                                                                  \
	X(void, thread_group_cputime, (struct task_struct *t, struct task_cputime *times), (t, times))                  \
	X(struct page *, vm_normal_page, (struct vm_area_struct *vma, unsigned long addr, pte_t pte), (vma, addr, pte)) \
	X(struct page *, vm_normal_page_pmd, (struct vm_area_struct *vma, unsigned long addr, pmd_t pmd),               \
	  (vma, addr, pmd))                                                                                             \
	X(bool, vma_is_shmem, (const struct vm_area_struct *vma), (vma))                                                \
	X(void, uprobe_end_dup_mmap, (void), ())                                                                        \
	X(void, uprobe_start_dup_mmap, (void), ())                                                                      \
	X(unsigned long, wait_task_inactive, (struct task_struct *t, unsigned int state), (t, state))                   \
	X(int, walk_page_range,                                                                                         \
	  (struct mm_struct *mm, unsigned long start, unsigned long end, const struct mm_walk_ops *ops, void *private), \
	  (mm, start, end, ops, private))                                                                               \
	CKPT_SYMBOLS_FPU(X)                                                                                             \
	X(long, x64_sys_call, (const struct pt_regs *regs, unsigned int nr), (regs, nr))

/* Functions that are only stored and called back by the kernel itself (restart_block.fn), and data: X(name). */
#define CKPT_ADDRESSES(X)                                                                                              \
	X(hrtimer_nanosleep_restart)                                                                                    \
	X(posix_cpu_nsleep_restart)                                                                                     \
	X(do_restart_poll)                                                                                              \
	X(futex_wait_restart)                                                                                           \
	X(eventfd_fops)                                                                                                 \
	X(eventpoll_fops)                                                                                               \
	X(mqueue_file_operations)                                                                                       \
	X(shm_file_operations)                                                                                          \
	X(shm_file_operations_huge)                                                                                     \
	X(signalfd_fops)                                                                                                \
	X(fanotify_fops)                                                                                                \
	X(inotify_fops)                                                                                                 \
	X(io_uring_fops)                                                                                                \
	X(ns_file_operations)                                                                                           \
	X(timerfd_fops)                                                                                                 \
	X(console_fops)                                                                                                 \
	X(hung_up_tty_fops)                                                                                             \
	X(ptmx_fops)                                                                                                    \
	X(tty_fops)                                                                                                     \
	X(userfaultfd_fops)                                                                                             \
	X(tasklist_lock)                                                                                                \
	X(namespace_sem)                                                                                                \
	X(uts_sem)                                                                                                      \
	X(pty_limit)

/* Data that is only looked at, and that not every kernel has: X(name). */
#define CKPT_OPTIONAL(X)                                                                                               \
	X(dnotify_group)                                                                                                \
	X(landlock_blob_sizes)                                                                                          \
	X(landlock_initialized)

#define CKPT_DECLARE(ret, name, params, args) ret ckpt_##name params;
CKPT_SYMBOLS(CKPT_DECLARE)
#undef CKPT_DECLARE

/* Index into ckpt_address[]. */
enum ckpt_address_index {
#define CKPT_INDEX(name) CKPT_ADDRESS_##name,
	CKPT_ADDRESSES(CKPT_INDEX)
	CKPT_OPTIONAL(CKPT_INDEX)
#undef CKPT_INDEX
	CKPT_ADDRESS_COUNT,
};

extern unsigned long ckpt_address[CKPT_ADDRESS_COUNT];

/* Resolves everything; -ENOENT and the name in *missing when something is not there. */
int ckpt_resolve_symbols(const char **missing);

#endif
