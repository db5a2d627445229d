/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The interface of /dev/ckpt for C programs (C11 and later, and C++11).
 *
 * One open file is one session: one checkpoint or one restart. Every ioctl takes a pointer to one struct whose first
 * member, `size`, is its own size. A shorter struct than the module knows is zero-extended; a longer one is accepted when
 * the unknown tail is zero and refused with E2BIG otherwise. Unknown flags and non-zero reserved members are EINVAL.
 * Closing the session thaws what it froze, and kills a half-built restart.
 *
 * Errors that mean the same everywhere (every failure also leaves messages, see struct ckpt_message):
 *
 *   ENOTTY           no such ioctl
 *   EINVAL           the struct is too short, a flag is unknown, a reserved member is not zero, or arguments contradict
 *   E2BIG            the struct has a non-zero tail that this module does not know
 *   EFAULT           the struct, or a buffer that it names, cannot be read or written
 *   EBUSY            the session is not in the stage that the ioctl needs, or a task did not stop in time
 *   ESRCH            no such task, or it has exited
 *   EPERM, EACCES    the caller may not ptrace the target, or may not have what the statefile asks for
 *   EOPNOTSUPP       something in the target cannot be saved; the messages name everything that stands in the way
 *   EBADF            the fd is not open, or not open for what is needed
 *   EBADMSG          the statefile is damaged: wrong checksum, order, value or size; the message names the offset
 *   ENODATA          the statefile ends too early
 *   EPROTONOSUPPORT  the statefile needs a record, version or machine feature that this kernel does not have
 *   EINTR            a fatal signal ended the operation
 *
 * The Rust crate ckpt-uapi is the same contract; a test holds the two together. STATEFILE.md describes the statefile.
 */
#ifndef CKPT_H
#define CKPT_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#define CKPT_ASSERT_SIZE(type, size) static_assert(sizeof(type) == (size), #type)
#else
#define CKPT_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#endif

#define CKPT_DEVICE "/dev/ckpt"
#define CKPT_ABI_VERSION 1
#define CKPT_FORMAT_VERSION 1

#define CKPT_IOC_TYPE 0xc5
#define CKPT_INFO _IO(CKPT_IOC_TYPE, 0x00)		/* struct ckpt_info */
#define CKPT_ATTACH _IO(CKPT_IOC_TYPE, 0x01)		/* struct ckpt_attach */
#define CKPT_CHECK _IO(CKPT_IOC_TYPE, 0x02)		/* struct ckpt_check */
#define CKPT_FREEZE _IO(CKPT_IOC_TYPE, 0x03)		/* struct ckpt_freeze */
#define CKPT_THAW _IO(CKPT_IOC_TYPE, 0x04)		/* struct ckpt_thaw */
#define CKPT_KILL _IO(CKPT_IOC_TYPE, 0x05)		/* struct ckpt_kill */
#define CKPT_CHECKPOINT _IO(CKPT_IOC_TYPE, 0x06)	/* struct ckpt_checkpoint */
#define CKPT_POLICIES _IO(CKPT_IOC_TYPE, 0x07)		/* struct ckpt_policies */
#define CKPT_RESTART_BEGIN _IO(CKPT_IOC_TYPE, 0x10)	/* struct ckpt_restart_begin */
#define CKPT_RESTART_PROLOGUE _IO(CKPT_IOC_TYPE, 0x11)	/* struct ckpt_restart_prologue */
#define CKPT_RESTART_TASK _IO(CKPT_IOC_TYPE, 0x12)	/* struct ckpt_restart_task */
#define CKPT_RESTART_END _IO(CKPT_IOC_TYPE, 0x13)	/* struct ckpt_restart_end */
#define CKPT_RESTART_USER_NS _IO(CKPT_IOC_TYPE, 0x14)	/* struct ckpt_restart_user_ns */

/* ckpt_info.features: what was found on the running kernel. */
#define CKPT_FEATURE_PROCESS (UINT64_C(1) << 0) /* processes with any number of threads */
#define CKPT_FEATURE_SELF (UINT64_C(1) << 1)	/* the caller can save itself */
#define CKPT_FEATURE_STREAM (UINT64_C(1) << 2)	/* statefiles through pipes and sockets */
#define CKPT_FEATURE_GUARD (UINT64_C(1) << 3)	/* guard regions (MADV_GUARD_INSTALL) are saved */
#define CKPT_FEATURE_TREE (UINT64_C(1) << 4)	/* process trees (CKPT_SCOPE_TREE) */
#define CKPT_FEATURE_CONTAINER (UINT64_C(1) << 5) /* pid namespaces (CKPT_SCOPE_CONTAINER) */
#define CKPT_FEATURE_JOB (UINT64_C(1) << 6)	/* jobs with their orphans (CKPT_SCOPE_JOB) */

/* CKPT_INFO: what the module is and can do on this kernel. */
struct ckpt_info {
	uint32_t size;		 /* of this struct */
	uint32_t flags;		 /* zero */
	uint32_t abi_version;	 /* out: CKPT_ABI_VERSION of the module */
	uint32_t format_version; /* out: statefile format that the module writes */
	uint32_t format_oldest;	 /* out: oldest statefile format that it reads */
	uint32_t page_size;	 /* out: in bytes */
	uint64_t features;	 /* out: CKPT_FEATURE_* */
	uint64_t xfeatures;	 /* out: XSAVE features that user space may use (XCR0 bits) */
	uint32_t xstate_size;	 /* out: size of a task's xstate in bytes */
	uint32_t reserved;	 /* zero */
	char version[32];	 /* out: of the module, NUL-terminated */
	char release[64];	 /* out: of the running kernel, NUL-terminated */
};
CKPT_ASSERT_SIZE(struct ckpt_info, 144);

/* ckpt_attach.scope, ckpt_checkpoint.scope */
#define CKPT_SCOPE_PROCESS 0   /* one process with all its threads; children are an obstacle */
#define CKPT_SCOPE_TREE 1      /* a process with all its descendants */
#define CKPT_SCOPE_CONTAINER 2 /* all processes of the pid namespace that the process is a member of */
/*
 * A process with all its descendants, and its siblings with theirs: a job below an init or subreaper of its own, which adopts orphans
 * and is not part of it.
 */
#define CKPT_SCOPE_JOB 3

/*
 * CKPT_ATTACH: choose the target of the session.
 * ESRCH; EPERM (the kernel's ptrace check, for every thread); EBUSY (attached already); EINVAL (a kernel thread, or the
 * caller itself: that is CKPT_CHECKPOINT with pid 0).
 */
struct ckpt_attach {
	uint32_t size;	   /* of this struct */
	uint32_t flags;	   /* zero */
	int32_t pidfd;	   /* of the target, or -1 when `pid` names it */
	int32_t pid;	   /* in the caller's pid namespace; used when `pidfd` is -1 */
	uint32_t scope;	   /* CKPT_SCOPE_* */
	uint32_t reserved; /* zero */
};
CKPT_ASSERT_SIZE(struct ckpt_attach, 24);

/* CKPT_CHECK: report every obstacle without touching the target. Returns 0 also when there are some. */
struct ckpt_check {
	uint32_t size;	    /* of this struct */
	uint32_t flags;	    /* zero */
	uint32_t obstacles; /* out: how many; each is a message */
	uint32_t tasks;	    /* out: tasks looked at */
};
CKPT_ASSERT_SIZE(struct ckpt_check, 16);

/* CKPT_FREEZE: stop the target. */
struct ckpt_freeze {
	uint32_t size;	     /* of this struct */
	uint32_t flags;	     /* zero */
	uint32_t timeout_ms; /* how long to wait for the tasks to stop; 0 means 10,000 */
	uint32_t tasks;	     /* out: tasks that are stopped */
};
CKPT_ASSERT_SIZE(struct ckpt_freeze, 16);

/* CKPT_THAW: let the target go on. */
struct ckpt_thaw {
	uint32_t size;	/* of this struct */
	uint32_t flags; /* zero */
};
CKPT_ASSERT_SIZE(struct ckpt_thaw, 8);

/* CKPT_KILL: kill the target with SIGKILL; a frozen one dies without running again. */
struct ckpt_kill {
	uint32_t size;	/* of this struct */
	uint32_t flags; /* zero */
};
CKPT_ASSERT_SIZE(struct ckpt_kill, 8);

/* ckpt_checkpoint.flags */
/*
 * CKPT_POLICIES: what becomes of open and mapped files that cannot be saved, from the next CKPT_CHECK or CKPT_CHECKPOINT of the session
 * on. Texts `PATTERN=ACTION`, each with its NUL; the first whose pattern fits the name of the file decides (a star stands for any
 * bytes). Actions: refuse, close, kill, replace:/PATH.
 */
struct ckpt_policies {
	uint32_t size;
	uint32_t flags;	     /* zero */
	uint32_t texts_size; /* bytes at `texts`, at most CKPT_POLICIES_MAX */
	uint32_t reserved;   /* zero */
	uint64_t texts;	     /* user address */
};
CKPT_ASSERT_SIZE(struct ckpt_policies, 24);
#define CKPT_POLICIES_MAX (64u * 1024u)

#define CKPT_CHECKPOINT_KILL (1u << 0) /* kill the target when the statefile is complete */
#define CKPT_CHECKPOINT_STOP (1u << 1) /* leave it stopped (as by SIGSTOP) when the statefile is complete */
#define CKPT_CHECKPOINT_WRITTEN_FILES (1u << 2) /* carry the contents of regular files that are open for writing */
#define CKPT_CHECKPOINT_READ_FILES (1u << 3) /* carry those of regular files that are open for reading only */

/*
 * CKPT_CHECKPOINT: write the target into `fd`, from its current position on.
 *
 * With an attached (perhaps frozen) session it saves that target, and leaves a frozen one frozen. With an unattached
 * session it is the whole checkpoint in one call: attach to `pidfd` or `pid`, freeze, dump, and resume, stop or kill.
 * With `pidfd` -1 and `pid` 0 the caller saves itself, with all its threads: the ioctl returns 0 when the statefile is
 * complete, and 1 in the program that wakes up restarted. With CKPT_SCOPE_TREE its descendants belong to it, with
 * CKPT_SCOPE_CONTAINER all of the pid namespace that it lives in; others of these go on without noticing. A statefile
 * without a name (O_TMPFILE) is /dev/null in the program that wakes up; one with a name is open there again.
 *
 * Nothing is written when something cannot be saved (EOPNOTSUPP).
 */
struct ckpt_checkpoint {
	uint32_t size;	     /* of this struct */
	uint32_t flags;	     /* CKPT_CHECKPOINT_* */
	int32_t fd;	     /* a file, pipe or socket that is open for writing */
	int32_t pidfd;	     /* of the target, or -1 */
	int32_t pid;	     /* of the target in the caller's pid namespace, or 0 */
	uint32_t timeout_ms; /* how long to wait for the tasks to stop; 0 means 10,000 */
	uint64_t bytes;	     /* out: bytes written */
	uint64_t records;    /* out: records written */
	uint64_t pages;	     /* out: pages of memory written */
	uint64_t frozen_ns;  /* out: how long the target stood still for this call */
	uint64_t dump_ns;    /* out: how long the dump took */
	uint32_t tasks;	     /* out: tasks saved */
	uint32_t scope;	     /* CKPT_SCOPE_* when this call attaches, else 0 */
};
CKPT_ASSERT_SIZE(struct ckpt_checkpoint, 72);

/* ckpt_restart_begin.flags */
#define CKPT_RESTART_CHANGED_FILES (1u << 0) /* accept mapped files whose size or modification time differs */
#define CKPT_RESTART_DETACHED (1u << 1)      /* the restarter will not stay: no parent-death signal for the root */
#define CKPT_RESTART_REFUSE_CHANGED_FILES (1u << 2) /* refuse open files that have been replaced or changed */

/* CKPT_RESTART_BEGIN: read and verify the prologue of a statefile, from the current position of `fd` on. */
struct ckpt_restart_begin {
	uint32_t size;	/* of this struct */
	uint32_t flags; /* CKPT_RESTART_* */
	int32_t fd;	/* a file, pipe or socket that is open for reading */
	uint32_t tasks; /* out: tasks in the tree */
	uint32_t target; /* out: CKPT_TARGET_* */
	uint32_t pids;	 /* out: thread ids in nested pid namespaces */
	uint32_t user_ns; /* out: bytes of the record of the user namespace to be made, or 0 */
	uint32_t external_size; /* bytes at `external` */
	uint64_t external; /* user address of texts `veth[NAME]=NEW`, `mnt[PATH]=NEW`, each with its NUL */
	uint32_t nested_user_ns; /* out: bytes of the records of user namespaces below that of the first task */
	uint32_t reserved;	 /* zero */
};
CKPT_ASSERT_SIZE(struct ckpt_restart_begin, 48);

/* ckpt_restart_begin.target */
#define CKPT_TARGET_CONTAINER (1u << 0) /* all tasks of a pid namespace were saved; the root task was its init */
#define CKPT_TARGET_CONTENTS (1u << 1)	/* contents of files that have a name may be there, which a restart puts back */

/* Flags of struct ckpt_tree. */
#define CKPT_TREE_LEADER (1u << 0)	   /* leads its thread group: pid and tgid are equal */
#define CKPT_TREE_STOPPED (1u << 1)	   /* was stopped by a job control signal */
#define CKPT_TREE_SESSION_LEADER (1u << 2) /* led its session */
#define CKPT_TREE_GROUP_LEADER (1u << 3)   /* led its process group */
#define CKPT_TREE_ZOMBIE (1u << 4)	   /* has exited, and waits for its parent to take its status */
#define CKPT_TREE_EXITED (1u << 5)	   /* a main thread that has exited while others of its process live */
#define CKPT_TREE_SHARES_HANDLERS (1u << 6) /* shares its signal handlers with `vm` (CLONE_SIGHAND) */
#define CKPT_TREE_PIDNS_INIT (1u << 7)	   /* is the first of a pid namespace below that of its parent (CLONE_NEWPID) */
#define CKPT_TREE_STOPPING (1u << 8)	   /* with STOPPED: its parent has not been told yet */

/*
 * One task of the tree. A leader comes before its threads, a parent before its children, and a process whose address space
 * others share before those. All pids are in the pid namespace of the root task; 0 means outside of it. A process group or
 * session that is also the root task's is the one that the restarted root task lives in; another one whose number no task
 * has lost its leader before the checkpoint.
 */
struct ckpt_tree {
	uint32_t pid;	      /* thread id */
	uint32_t tgid;	      /* process id */
	uint32_t ppid;	      /* process id of the parent; the root task's is outside of the tree */
	uint32_t pgid;	      /* process group */
	uint32_t sid;	      /* session */
	uint32_t exit_signal; /* for the parent when the task exits */
	uint32_t flags;	      /* CKPT_TREE_* */
	uint32_t leader;      /* index of the entry that leads the thread group; a leader's own */
	char comm[16];	      /* command name, NUL-terminated */
	uint32_t vm;	      /* index of the leader whose address space it shares (CLONE_VM), or of its own leader */
	uint32_t level;	      /* pid namespaces between the root task's and its own */
	uint32_t stop_signal; /* of the stop that nobody has waited for yet, or 0 */
	uint32_t owner;	      /* number of the user namespace that owns the pid namespace whose first task it is, or 0 */
};
CKPT_ASSERT_SIZE(struct ckpt_tree, 64);

/* CKPT_RESTART_PROLOGUE: copy out the task tree that has to be built. */
struct ckpt_restart_prologue {
	uint32_t size;	   /* of this struct */
	uint32_t flags;	   /* zero */
	uint64_t tree;	   /* address of an array of struct ckpt_tree */
	uint32_t capacity; /* entries that the array holds; EINVAL when the tree has more */
	uint32_t tasks;	   /* out: entries written */
	uint64_t pids;	   /* address of an array of uint32_t: `level` thread ids for each task, outermost first */
	uint32_t pids_capacity; /* thread ids that the array holds; EINVAL when the tree has more */
	uint32_t pids_count;	/* out: thread ids written */
	uint64_t user_ns;	/* address for the body of the record user-ns */
	uint32_t user_ns_capacity; /* bytes that there is place for; EINVAL when the body is longer */
	uint32_t user_ns_size;	/* out: bytes written */
	uint64_t nested_user_ns; /* address for the bodies of the records nested-user-ns, one after the other */
	uint32_t nested_user_ns_capacity; /* bytes that there is place for; EINVAL when the bodies are longer */
	uint32_t nested_user_ns_size; /* out: bytes written */
};
CKPT_ASSERT_SIZE(struct ckpt_restart_prologue, 72);

/* ckpt_restart_user_ns.flags */
#define CKPT_RESTART_USER_NS_OWNS_CHILDREN (1u << 0) /* the next children live in a new pid namespace that belongs to it */

/*
 * CKPT_RESTART_USER_NS: give the restart a user namespace in which tasks shall live, in the order of
 * ckpt_restart_prologue.nested_user_ns; it must be like the saved one.
 */
struct ckpt_restart_user_ns {
	uint32_t size;	 /* of this struct */
	uint32_t flags;	 /* CKPT_RESTART_USER_NS_* */
	uint32_t number; /* of the user namespace, from 1 on */
	int32_t fd;	 /* a descriptor of it; -1 with a flag */
};
CKPT_ASSERT_SIZE(struct ckpt_restart_user_ns, 16);

/*
 * CKPT_RESTART_TASK: become one of the saved tasks. From the first change to the caller on, a failure kills it; the
 * session keeps the reason. On success the call does not return here: the task goes on at its saved instruction when
 * CKPT_RESTART_END lets all tasks go.
 */
struct ckpt_restart_task {
	uint32_t size;	   /* of this struct */
	uint32_t flags;	   /* zero */
	uint32_t index;	   /* of the task in the tree of CKPT_RESTART_PROLOGUE */
	uint32_t reserved; /* zero */
};
CKPT_ASSERT_SIZE(struct ckpt_restart_task, 16);

/* ckpt_restart_end.flags */
#define CKPT_RESTART_END_ABORT (1u << 0) /* kill what has been built instead of waiting for it */

/*
 * CKPT_RESTART_END: wait until all tasks are restored and the whole statefile has been verified, then let all of them go;
 * or return the first error after all of them are killed.
 */
struct ckpt_restart_end {
	uint32_t size;	     /* of this struct */
	uint32_t flags;	     /* CKPT_RESTART_END_* */
	uint64_t bytes;	     /* out: bytes read from the statefile */
	uint64_t restart_ns; /* out: time from CKPT_RESTART_BEGIN until the tasks were let go */
};
CKPT_ASSERT_SIZE(struct ckpt_restart_end, 24);

/* ckpt_message.stage */
#define CKPT_STAGE_ATTACH 1
#define CKPT_STAGE_CHECK 2
#define CKPT_STAGE_FREEZE 3
#define CKPT_STAGE_DUMP 4
#define CKPT_STAGE_BEGIN 5
#define CKPT_STAGE_RESTORE 6
#define CKPT_STAGE_END 7

/* ckpt_message.severity */
#define CKPT_SEVERITY_ERROR 1	/* the operation failed, or will fail, because of this */
#define CKPT_SEVERITY_WARNING 2 /* the operation goes on */

/* Largest size of one message in bytes, text included. */
#define CKPT_MESSAGE_MAX 512

/*
 * What a session has to say. read(2) on the session returns whole messages, oldest first, and 0 when there are none;
 * EINVAL when the buffer is too short for the next one. `text_len` bytes of UTF-8 follow, without a terminating NUL and
 * padded with zeroes to `size`.
 */
struct ckpt_message {
	uint32_t size;	   /* of the whole message with text and padding, a multiple of 8 */
	uint16_t stage;	   /* CKPT_STAGE_* */
	uint16_t severity; /* CKPT_SEVERITY_* */
	uint32_t kind;	   /* record type (STATEFILE.md) of the kind that is concerned, or 0 */
	int32_t error;	   /* positive errno */
	int32_t pid;	   /* process id in the reader's pid namespace, or 0 */
	int32_t tid;	   /* thread id in the reader's pid namespace, or 0 */
	int32_t fd;	   /* descriptor number, or -1 */
	uint32_t text_len; /* in bytes */
	uint64_t address;  /* user address, or 0 */
	uint64_t offset;   /* in the statefile, or 0 */
};
CKPT_ASSERT_SIZE(struct ckpt_message, 48);

#define CKPT_SAVED 0	 /* the statefile is complete, the program goes on */
#define CKPT_RESTARTED 1 /* the program has come back from the statefile */

/*
 * Saves the calling process, with all its threads, into `fd`. Returns CKPT_SAVED at once, CKPT_RESTARTED in the process
 * that a restart brings back, or -1 with errno set.
 *
 *	int fd = open("me.ckpt", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
 *	switch (ckpt_checkpoint_self(fd)) {
 *	case CKPT_SAVED: puts("saved"); break;
 *	case CKPT_RESTARTED: puts("back again"); break;
 *	default: perror("ckpt");
 *	}
 */
static inline int ckpt_checkpoint_self(int fd)
{
	struct ckpt_checkpoint arg = {
		sizeof(arg), 0, fd, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	};
	int session = open(CKPT_DEVICE, O_RDWR | O_CLOEXEC);
	int result, error;

	if (session < 0)
		return -1;
	result = ioctl(session, CKPT_CHECKPOINT, &arg);
	error = errno;
	close(session);
	errno = error;
	return result;
}

#ifdef __cplusplus
}
#endif

#endif /* CKPT_H */
