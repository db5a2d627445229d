/* SPDX-License-Identifier: GPL-2.0 */
/* What the helpers share with Rust: structs, and prototypes for bindgen. Sorted by file. */
#ifndef CKPT_HELPERS_H
#define CKPT_HELPERS_H

#include <linux/bvec.h>
#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/mm_types.h>
#include <linux/nsproxy.h>
#include <linux/path.h>
#include <linux/sched.h>
#include <linux/socket.h>
#include <linux/tty.h>

/* aio.c */
/* A context of asynchronous I/O. */
struct ckpt_aio {
	/* Its place in the table of the address space. */
	unsigned int index;
	/* What io_setup() returned, or where its ring was moved to. */
	unsigned long address;
	/* Of the ring. */
	unsigned long bytes;
	/* Address of the ring's file; compared only. */
	unsigned long file;
	/* As io_setup() was asked for. */
	unsigned int requests;
	/* Slots of the ring: the first that has not been read, and the one behind the last. */
	unsigned int slots;
	unsigned int head;
	unsigned int tail;
	/* Requests that have not come to their end. */
	unsigned long under_way;
	/* Some of them wait for an event: they can be cancelled. */
	bool waits;
	/* The head of the ring is as the kernel has left it. */
	bool intact;
};

struct io_event;

int ckpt_aio_next(struct mm_struct *mm, unsigned int *index, struct ckpt_aio *out);
int ckpt_aio_events(struct mm_struct *mm, unsigned int index, unsigned int first, struct io_event *out, unsigned int n);
int ckpt_aio_start_at(struct mm_struct *mm, unsigned int index, unsigned int first);
int ckpt_aio_complete(struct mm_struct *mm, unsigned int index, unsigned int first, const struct io_event *events,
		      unsigned int n);

/* completion.c */
void ckpt_init_completion(struct completion *x);

/* cred.c */
const struct cred *ckpt_current_cred(void);
const struct cred *ckpt_get_current_cred(void);
void ckpt_put_cred(const struct cred *cred);
void ckpt_revert_creds(const struct cred *cred);
const struct cred *ckpt_viewer_in(struct user_namespace *ns);
u32 ckpt_id_seen(const struct cred *viewer, u32 id, bool group);
int ckpt_share_session_keyring(struct task_struct *from);
const struct cred *ckpt_act_without(int cap);
void ckpt_act_as_before(const struct cred *old);

/* epoll.c */
struct ckpt_epoll_item {
	unsigned int fd;
	unsigned int events;
	u64 data;
	struct file *file;
};

unsigned int ckpt_epoll_items(struct file *epoll, struct ckpt_epoll_item *out, unsigned int max);
int ckpt_epoll_add(struct file *epoll, const struct ckpt_epoll_item *item);

/* notify.c */
struct ckpt_mark {
	int wd;
	unsigned int mask;
	unsigned int ignored;
	unsigned int flags;
	bool is_directory;
	struct inode *inode;
};

/* fanotify.c */
struct ckpt_fanotify {
	unsigned int flags;
	unsigned int event_flags;
	unsigned int queued;
	bool unprivileged;
	bool own_namespace;
};

void ckpt_fanotify_read(struct file *f, struct task_struct *viewer, struct ckpt_fanotify *out);
unsigned int ckpt_fanotify_marks(struct file *f, struct ckpt_mark *out, unsigned int max);
void ckpt_fanotify_unprivileged(struct file *f);
void ckpt_fanotify_begin(struct file *f);

/* file.c */
struct ckpt_fd {
	unsigned int fd;
	unsigned int cloexec;
	struct file *file;
};

struct ckpt_sharing {
	int files;
	int fs;
	int sighand;
};

char *ckpt_file_driver(const struct file *f, char *buf, int size);
size_t ckpt_fdinfo(struct file *f, char *out, size_t size);
struct file *ckpt_get_file(struct file *f);
int ckpt_collect_fds(struct task_struct *t, unsigned int from, struct ckpt_fd *out, unsigned int max,
		     unsigned int *next);
void ckpt_sharing(struct task_struct *t, struct ckpt_sharing *out);
int ckpt_get_fs(struct task_struct *t, struct path *root, struct path *pwd, int *umask);
const struct path *ckpt_file_path(const struct file *f);
unsigned int ckpt_file_flags(const struct file *f);

/* What an open file without a name is. */
enum ckpt_nameless {
	/* It has a name, or has never had one that anybody could open. */
	CKPT_NAMELESS_NOT,
	CKPT_NAMELESS_DELETED,
	/* Made by O_TMPFILE, and linkat(2) may give it a name. */
	CKPT_NAMELESS_LINKABLE,
	/* Its inode has another name. */
	CKPT_NAMELESS_LINKED,
	/* Its directory is gone, too. */
	CKPT_NAMELESS_HOMELESS,
	/* NFS has given it a name of its own, for as long as it is open. */
	CKPT_NAMELESS_RENAMED,
	/* Its file system makes no files without a name. */
	CKPT_NAMELESS_UNIQUE,
	CKPT_NAMELESS_MEMFD,
	CKPT_NAMELESS_SECRET,
	CKPT_NAMELESS_LAYER,
};

bool ckpt_other_name(struct file *f, struct path *out);
bool ckpt_lost_name(struct file *f);
/* Advice of posix_fadvise(2) that an open file keeps. */
#define CKPT_ADVICE_RANDOM 1
#define CKPT_ADVICE_SEQUENTIAL 2
#define CKPT_ADVICE_NOREUSE 4

bool ckpt_may_be_covered(struct file *f);
bool ckpt_find_known(const struct path *root, const char *name, struct path *found);
bool ckpt_leads_elsewhere(const struct path *root, const char *name, struct file *f);
unsigned int ckpt_file_advice(struct file *f);
u32 ckpt_file_generation(struct file *f);
enum ckpt_nameless ckpt_file_nameless(struct file *f);
unsigned long ckpt_inode_users(struct file *f);
unsigned int ckpt_file_huge_shift(struct file *f);
long ckpt_file_huge_data(struct file *f, u64 start, u64 end);
bool ckpt_file_is_anon_huge(struct file *f);
unsigned int ckpt_memfd_seals(struct file *f);
unsigned int ckpt_entered(struct pid_namespace *ns, struct task_struct **out, unsigned int max);
bool ckpt_has_child_inside(struct task_struct *t, struct pid_namespace *ns);
bool ckpt_mapped_outside(struct file *f, struct task_struct *root, bool below, struct pid_namespace *inside);
bool ckpt_file_may_read(struct file *f);
bool ckpt_path_unlinked(const struct path *p);
size_t ckpt_file_references(struct file *f);
bool ckpt_file_may_execute(struct file *f);
unsigned int ckpt_file_mode(struct file *f);
void ckpt_swap_pwd(struct path *path);
u64 ckpt_encode_dev(dev_t dev);
loff_t ckpt_file_pos(struct file *f);
void ckpt_set_file_pos(struct file *f, loff_t pos);
bool ckpt_can_have_pos(struct file *f, loff_t pos);
bool ckpt_file_has_contents(struct file *f);
bool ckpt_file_transfers(struct file *f);
bool ckpt_file_is_stream(struct file *f);
unsigned int ckpt_file_fmode(struct file *f);
ssize_t ckpt_write(struct file *f, const void *bytes, size_t len, loff_t *pos);
ssize_t ckpt_read(struct file *f, void *bytes, size_t len, loff_t *pos);
ssize_t ckpt_iter_bvec(struct file *f, bool write, struct bio_vec *bvec, unsigned long nr, size_t len, loff_t *pos);

/* inotify.c */
struct inotify_event;

unsigned int ckpt_inotify_marks(struct file *f, struct ckpt_mark *out, unsigned int max);
unsigned int ckpt_inotify_next(struct file *f);
unsigned int ckpt_inotify_queued(struct file *f);
unsigned int ckpt_inotify_events(struct file *f, unsigned int from, char *buf, unsigned int size, unsigned int *used);
int ckpt_inotify_queue(struct file *f, const struct inotify_event *from, const char *name, unsigned int length);
unsigned int ckpt_inotify_begin(struct file *f, unsigned int events, const int *oneshot, unsigned int n);
void ckpt_iput(struct inode *inode);
bool ckpt_inode_nameless(struct inode *inode);
char *ckpt_inode_path(struct inode *inode, const struct path *root, char *buf, int size);

/* landlock.c */
#define CKPT_LANDLOCK_LAYERS 16

/* The first six as struct landlock_ruleset_attr. */
struct ckpt_landlock_layer {
	u64 handled_access_fs, handled_access_net, scoped;
	u64 quiet_access_fs, quiet_access_net, quiet_scoped;
	/* Address of what two domains that share the layer have in common. */
	u64 node;
	/* As landlock_restrict_self(2). */
	u32 flags;
	/* LANDLOCK_RESTRICT_SELF_LOG_SUBDOMAINS_OFF was in force when it was enforced. */
	u32 subdomains_off;
};

int ckpt_landlock_layers(const struct cred *cred, struct ckpt_landlock_layer *out);
bool ckpt_landlock_has_rules(const struct cred *cred);
bool ckpt_landlock_subdomains_off(const struct cred *cred);
int ckpt_landlock_share(const struct cred *theirs);
u64 ckpt_landlock_denied(const struct file *f);

/* lock.c */
enum ckpt_lease {
	CKPT_LEASE_NONE,
	CKPT_LEASE_READ,
	CKPT_LEASE_WRITE,
	/* Somebody waits for the holder to give it back. */
	CKPT_LEASE_BREAKING,
	/* A delegation, or a layout of pNFS. */
	CKPT_LEASE_OTHER,
};

struct ckpt_file_locks {
	/* LOCK_SH or LOCK_EX; 0 without one. */
	unsigned int flock;
	enum ckpt_lease lease;
	/* Locks of fcntl(2): of the open file, and of the descriptor table. */
	unsigned int of_file, of_table;
};

/* As struct flock: F_RDLCK or F_WRLCK. */
struct ckpt_lock_range {
	u64 start, len;
	u32 type;
};

void ckpt_file_locks(struct file *f, struct task_struct *t, struct ckpt_file_locks *out);
unsigned int ckpt_lock_ranges(struct file *f, struct task_struct *t, struct ckpt_lock_range *out, unsigned int max);
void ckpt_take_fd_away(unsigned int fd);

/* mm.c */
#define CKPT_EXTENT_GUARD 1
#define CKPT_EXTENT_SAME 2

struct ckpt_extent {
	u64 address;
	u32 pages;
	u32 flags;
};

/* One batch of the page walk. */
struct ckpt_walk {
	struct bio_vec *bvec;
	struct ckpt_extent *extent;
	unsigned int bvecs, max_bvecs;
	unsigned int extents, max_extents;
	unsigned int pages, max_pages;
	bool fault;
	unsigned long next;
	/* The address space from whose fork this one comes, locked as well, or NULL: pages that both have are not collected. */
	struct mm_struct *parent;
};

void ckpt_mmap_read_lock(struct mm_struct *mm);
void ckpt_mmap_read_unlock(struct mm_struct *mm);
bool ckpt_mm_flag(struct mm_struct *mm, int bit);
u32 ckpt_mm_coredump_filter(struct mm_struct *mm);
void ckpt_mm_set_coredump_filter(struct mm_struct *mm, u32 filter);
unsigned long ckpt_available_pages(void);
unsigned long ckpt_mm_anon_pages(struct mm_struct *mm);
struct mm_struct *ckpt_mm_snapshot(struct mm_struct *oldmm);
void ckpt_mmput_idle(struct mm_struct *mm);
const char *ckpt_vma_anon_name(struct vm_area_struct *vma);
const char *ckpt_vma_ops_name(struct vm_area_struct *vma);
unsigned int ckpt_vma_huge_shift(struct vm_area_struct *vma);
bool ckpt_vma_has_userfaultfd(struct vm_area_struct *vma);
#define CKPT_NODE_WORDS 16

/* A NUMA policy as mbind() takes it. */
struct ckpt_policy {
	u32 mode;
	u32 words;
	s32 home_node;
	u64 nodes[CKPT_NODE_WORDS];
};

bool ckpt_vma_policy(struct vm_area_struct *vma, struct ckpt_policy *out);
bool ckpt_vma_has_shared_policy(struct vm_area_struct *vma);
bool ckpt_task_policy(struct task_struct *t, struct ckpt_policy *out);
unsigned long ckpt_task_size_max(void);
bool ckpt_mm_has_ldt(struct mm_struct *mm);
unsigned long ckpt_mm_vdso(struct mm_struct *mm);
const void *ckpt_mm_vdso_image(struct mm_struct *mm, size_t *size);
void *ckpt_page_address(struct page *page);
void ckpt_put_page(struct page *page);
int ckpt_walk_anon(struct mm_struct *mm, unsigned long start, unsigned long end, struct ckpt_walk *w);
int ckpt_walk_huge_file(struct file *f, u64 start, u64 end, struct ckpt_walk *w);
void ckpt_put_bvecs(struct bio_vec *bvec, unsigned int nr);
void ckpt_put_dirty_bvecs(struct bio_vec *bvec, unsigned int nr);
long ckpt_get_bvecs(struct mm_struct *mm, unsigned long start, unsigned long nr, struct page **pages,
		    struct bio_vec *bvec, unsigned long *mapped);
bool ckpt_is_related(struct mm_struct *mm, struct mm_struct *parent);
int ckpt_inherit_areas(struct mm_struct *mm, struct mm_struct *parent);
long ckpt_inherit(struct mm_struct *mm, struct mm_struct *parent, unsigned long start, unsigned long nr);
long ckpt_place_bvecs(struct mm_struct *mm, unsigned long start, unsigned long nr, struct bio_vec *bvec);
long ckpt_fault_in(struct mm_struct *mm, unsigned long addr);
struct page *ckpt_shmem_page(struct file *f, unsigned long index);
vma_flags_t ckpt_shmem_flags(bool noreserve);

/* mount.c */
struct ckpt_mount {
	struct path path;
	struct dentry *mountpoint;
	unsigned int parent;
	unsigned int attributes;
	int group;
	int master;
	bool unbindable;
	bool idmapped;
	bool shared_outside;
	bool slaves_outside;
	bool master_outside;
	bool master_callers;
};

int ckpt_cgroup_below(struct task_struct *t, struct task_struct *root, char *buf, int size);
bool ckpt_same_cgroup(struct task_struct *a, struct task_struct *b);
int ckpt_own_cgroup(char *buf, int size);
bool ckpt_is_own_cgroup(struct file *dir);

/* What a directory is to an overlay. */
enum ckpt_layer {
	CKPT_LAYER_LOWER,
	CKPT_LAYER_DATA,
	CKPT_LAYER_UPPER,
	CKPT_LAYER_WORK,
};
bool ckpt_overlay_layer(const struct ckpt_mount *m, unsigned int i, struct ckpt_mount *out, enum ckpt_layer *kind);
bool ckpt_is_overlay_of(const struct ckpt_mount *m, const struct cred *maker);
bool ckpt_in_use_by_overlay(struct file *dir);

#define CKPT_SB_RDONLY 1
#define CKPT_SB_SYNC 2
#define CKPT_SB_DIRSYNC 4
#define CKPT_SB_LAZYTIME 8

struct ckpt_superblock {
	const void *address;
	const char *type;
	const char *source;
	const void *shows;
	unsigned int flags;
	bool encoded;
};

struct ckpt_inode_stat {
	u32 mode;
	u32 uid;
	u32 gid;
	u32 nlink;
	u64 ino;
	u64 size;
	u64 rdev;
	s64 atime_ns;
	s64 mtime_ns;
	bool guarded;
};

unsigned int ckpt_count_own_mounts(void);
int ckpt_collect_mounts(struct nsproxy *ns, struct ckpt_mount *out, unsigned int max, bool relations);
void ckpt_put_mount(struct ckpt_mount *m);
int ckpt_namespace_root(struct nsproxy *ns, struct path *out);
void ckpt_superblock(const struct ckpt_mount *m, struct ckpt_superblock *out);
int ckpt_superblock_options(const struct ckpt_mount *m, char *buf, unsigned int size);
char *ckpt_mount_root(const struct ckpt_mount *m, char *buf, int size);
bool ckpt_is_cgroup_root(const struct ckpt_mount *m, struct nsproxy *ns);
bool ckpt_is_narrower(const struct ckpt_mount *m, const struct ckpt_mount *wide);
bool ckpt_is_covered(const struct ckpt_mount *m, const struct ckpt_mount *over);
char *ckpt_mount_point(const struct ckpt_mount *m, const struct ckpt_mount *parent, char *buf, int size);
char *ckpt_mount_elsewhere(const struct ckpt_mount *m, const struct ckpt_mount *other, const struct path *root, char *buf,
			   int size);
bool ckpt_may_see_all(const struct ckpt_mount *m);
bool ckpt_begins_at_root(const struct ckpt_mount *m);
int ckpt_private_mount(const struct ckpt_mount *m, struct path *out);
struct file *ckpt_open_unnoticed(const struct path *root, const char *name, int flags);
struct file *ckpt_open_below(const struct path *root, const char *name, int flags);
int ckpt_read_names(struct file *dir, char *buf, unsigned int size);
int ckpt_inode_stat(struct file *f, const struct cred *viewer, struct ckpt_inode_stat *out);
bool ckpt_same_place(struct file *mounted, struct file *from);
int ckpt_read_link(struct file *f, char *buf, unsigned int size);
ssize_t ckpt_list_xattrs(struct file *f, char *buf, size_t size);
ssize_t ckpt_get_xattr(struct file *f, const struct cred *viewer, const char *name, void *buf, size_t size);

/* ns.c */
enum ckpt_ns_kind {
	CKPT_NS_UTS,
	CKPT_NS_IPC,
	CKPT_NS_MNT,
	CKPT_NS_NET,
	CKPT_NS_CGROUP,
	CKPT_NS_TIME,
	CKPT_NS_TIME_FOR_CHILDREN,
	CKPT_NS_PID_FOR_CHILDREN,
	CKPT_NS_USER,
};

struct ckpt_user_ns {
	u32 owner;
	u32 group;
	u32 uids;
	u32 gids;
	bool setgroups;
	bool projids;
};

/* The files below /proc/sys that belong to an ipc namespace. */
struct ckpt_ipc_limits {
	u64 shmmax;
	u64 shmall;
	u32 shmmni;
	u32 shm_rmid_forced;
	u32 msgmax;
	u32 msgmnb;
	u32 msgmni;
	u32 sem[4];
	u32 mq_queues_max;
	u32 mq_msg_max;
	u32 mq_msgsize_max;
	u32 mq_msg_default;
	u32 mq_msgsize_default;
};

struct nsproxy *ckpt_get_nsproxy(struct task_struct *t);
void ckpt_put_nsproxy(struct nsproxy *ns);
const void *ckpt_namespace(struct nsproxy *ns, enum ckpt_ns_kind kind);
unsigned int ckpt_threads_in(const void *namespace, enum ckpt_ns_kind kind, struct pid_namespace *inside);
const void *ckpt_namespace_owner(struct nsproxy *ns, enum ckpt_ns_kind kind);
struct user_namespace *ckpt_get_user_ns(struct user_namespace *ns);
void ckpt_put_user_ns(struct user_namespace *ns);
struct user_namespace *ckpt_user_ns_of_file(struct file *f);
void ckpt_user_ns(struct user_namespace *ns, struct ckpt_user_ns *out);
void ckpt_user_ns_extent(struct user_namespace *ns, bool group, unsigned int i, u32 *first, u32 *outside, u32 *count);
int ckpt_enter_user_ns(struct user_namespace *ns);
const struct cred *ckpt_act_in_user_ns(struct user_namespace *ns);
bool ckpt_lives_below_owners(void);
bool ckpt_may_administer_own(void);
bool ckpt_shares_across_user_ns(void);
int ckpt_adopt_nsproxy(struct task_struct *from);
struct file *ckpt_open_own_namespace(enum ckpt_ns_kind kind);
bool ckpt_is_own_namespace(struct file *f, enum ckpt_ns_kind kind);
void ckpt_uts_names(struct nsproxy *ns, char *nodename, char *domainname);
void ckpt_ipc_limits(struct nsproxy *ns, struct ckpt_ipc_limits *out);
int ckpt_set_ipc_limits(const struct ckpt_ipc_limits *in);
void ckpt_time_offsets(struct nsproxy *ns, bool children, s64 *monotonic, s64 *boottime);
int ckpt_set_time_offsets(struct file *f, s64 monotonic, s64 boottime);

/* ipc.c */
/* As the kinds are numbered in ipc/util.h. */
enum ckpt_ipc_kind {
	CKPT_IPC_SEM,
	CKPT_IPC_MSG,
	CKPT_IPC_SHM,
};

/* A System V object. What is not of its kind is zero. */
struct ckpt_ipc_object {
	/* Of the kernel's structure; compared only. */
	unsigned long address;
	int id;
	u32 key;
	u32 uid, gid, cuid, cgid;
	u32 mode;
	/* Size of a segment, number of semaphores, most bytes of a queue. */
	u64 size;
	/* Attached, detached; last operation, none; sent, received: and then changed. */
	s64 times[3];
	/* Made by, used last by; none; sent by, received by. */
	u32 pids[2];
	/* Attachments of a segment; messages; whether anybody waits for semaphores or has something to undo. */
	u64 used;
	bool removed, locked, huge, noreserve, policy;
	/* Address of the task that has made a segment, if that lives. */
	unsigned long creator;
	/* Address of the file of a segment, with a reference to it. */
	unsigned long file;
};

struct ckpt_sem {
	u32 value;
	u32 pid;
};

/* What an undo list has for a semaphore; before that comes one with -1 as the number. */
struct ckpt_undo {
	unsigned long list;
	u32 users;
	s32 number;
	s32 adjust;
};

/* A message in a lot; its text follows, up to the next multiple of eight bytes. */
struct ckpt_queued {
	/* Type, or priority. */
	s64 type;
	u64 length;
};

/* As many messages of a queue as fit a buffer, behind those that are to be skipped. */
struct ckpt_lot {
	u8 *out;
	size_t size, used;
	unsigned long skip;
};

struct ipc_namespace;
struct msg_msg;
int ckpt_ipc_next(struct ipc_namespace *ns, enum ckpt_ipc_kind kind, int *index, const struct cred *viewer,
		  struct pid_namespace *pids, struct ckpt_ipc_object *out);
int ckpt_ipc_get(struct ipc_namespace *ns, enum ckpt_ipc_kind kind, int id, const struct cred *viewer,
		 struct pid_namespace *pids, struct ckpt_ipc_object *out);
void ckpt_shm_of_file(struct file *f, int *id, const void **ns);
int ckpt_sem_values(struct ipc_namespace *ns, int id, struct pid_namespace *pids, struct ckpt_sem *out, unsigned int n);
const void *ckpt_undo_list(struct task_struct *t);
int ckpt_ipc_may(struct ipc_namespace *ns, enum ckpt_ipc_kind kind, int id, const struct cred *as, unsigned short access);
long ckpt_sem_undos(struct ipc_namespace *ns, int id, const unsigned long *lists, unsigned int count, struct ckpt_undo *out,
		    unsigned long n, unsigned long max);
bool ckpt_lot_add(struct ckpt_lot *lot, struct msg_msg *msg, s64 type);
int ckpt_msg_lot(struct ipc_namespace *ns, int id, struct ckpt_lot *lot);
ssize_t ckpt_msg_longest(struct ipc_namespace *ns, int id, unsigned long max);
void ckpt_ipc_ids(struct ipc_namespace *ns, enum ckpt_ipc_kind kind, u32 *seq, int *last, u32 *cursor);
int ckpt_ipc_set_ids(enum ckpt_ipc_kind kind, u32 seq, int last, u32 cursor);
int ckpt_ipc_may_change(enum ckpt_ipc_kind kind, int id, unsigned long address);
int ckpt_ipc_set_next_id(enum ckpt_ipc_kind kind, int id);
int ckpt_ipc_set(enum ckpt_ipc_kind kind, const struct ckpt_ipc_object *want, bool whole, struct pid_namespace *pids);
void ckpt_shm_set_creator(int id, unsigned long address, struct task_struct *creator);
int ckpt_sem_set_pids(int id, unsigned long address, const struct ckpt_sem *values, unsigned int n, struct pid_namespace *pids);
int ckpt_sem_set_adjustment(int id, unsigned long address, unsigned int number, s16 adjust);
int ckpt_adopt_undo(struct task_struct *from);
void ckpt_ipc_remove(struct ipc_namespace *ns, enum ckpt_ipc_kind kind, int id, unsigned long address);
struct ipc_namespace *ckpt_ipc_of(struct nsproxy *ns);
struct ipc_namespace *ckpt_get_own_ipc(void);

/* mqueue.c */
/* A POSIX message queue. */
struct ckpt_mqueue {
	/* Addresses of the inode and of the ipc namespace; compared only. */
	unsigned long inode, ns;
	u64 maxmsg, msgsize, messages;
	/* Whether the process that was asked about is told of messages, and how. */
	bool tells;
	u32 notify;
	u32 signal;
	u64 value;
};

const void *ckpt_inode_ops(struct file *f);
void ckpt_mqueue_root(struct nsproxy *ns, struct path *out);
void ckpt_mqueue(struct file *f, struct task_struct *t, struct ckpt_mqueue *out);
int ckpt_mqueue_lot(struct file *f, struct ckpt_lot *lot);
size_t ckpt_mqueue_longest(struct file *f);

/* nsfd.c */
/* Kinds of namespaces. */
#define CKPT_NAMESPACES 8
unsigned int ckpt_nsfd_kind(struct file *f);
struct user_namespace *ckpt_nsfd_owner(struct file *f);
unsigned long ckpt_nsfd_namespace(struct file *f);
void ckpt_task_namespaces(struct task_struct *t, unsigned long out[CKPT_NAMESPACES]);
struct file *ckpt_nsfd_open(struct task_struct *t, unsigned int kind, unsigned int flags);

/* net.c */
struct socket;
struct socket *ckpt_rtnetlink(struct nsproxy *ns);
void ckpt_rtnetlink_close(struct socket *s);
int ckpt_rtnetlink_send(struct socket *s, const void *message, size_t size);
int ckpt_rtnetlink_receive(struct socket *s, void *buffer, size_t size);
const void *ckpt_net_peer(struct nsproxy *ns, int ifindex, int *peer);
bool ckpt_net_filter(struct nsproxy *ns, char *buf, unsigned int size);
bool ckpt_net_setting(struct nsproxy *ns, unsigned int *next, char *buf, unsigned int size);
bool ckpt_net_lacks_inet6(struct nsproxy *ns, int ifindex);

/* pidfd.c */
struct task_struct *ckpt_pidfd_task(struct file *f);
bool ckpt_pidfd_status(struct file *f, unsigned int *status);
bool ckpt_pidfd_has_xattrs(struct file *f);
struct file *ckpt_pidfd_open(struct task_struct *t, unsigned int flags);
struct file *ckpt_pidfd_again(struct file *of, unsigned int flags);
struct file *ckpt_pidfd_reaped(const unsigned int *status, unsigned int flags);
/* owner.c */
struct ckpt_file_owner {
	bool exists;
	/* Signals are armed (O_ASYNC), where that has an effect. */
	bool async;
	bool own_rights;
	enum pid_type type;
	/* As F_GETOWN and F_GETSIG. */
	unsigned int pid, signal;
};

void ckpt_file_owner(struct file *f, struct task_struct *t, struct pid_namespace *ns, struct ckpt_file_owner *out);
bool ckpt_file_is_notified(struct file *f);

/* pipe.c */
struct ckpt_pipe_state {
	unsigned int readers, writers;
	unsigned int capacity;
	bool watch_queue;
	size_t content;
};

bool ckpt_file_is_named_pipe(struct file *f);
struct pipe_inode_info *ckpt_file_pipe(struct file *f);
int ckpt_pipe_state(struct pipe_inode_info *pipe, struct ckpt_pipe_state *out);
ssize_t ckpt_pipe_copy(struct pipe_inode_info *pipe, void *out, size_t len);

/* proc.c */
bool ckpt_is_proc(struct file *f);
char *ckpt_proc_path(struct file *f, char *buf, int size);
char *ckpt_proc_root(struct file *f, const struct path *from, char *buf, int size);
struct task_struct *ckpt_proc_task(struct file *f, int number);
int ckpt_proc_number(struct file *f, struct task_struct *t);
bool ckpt_proc_is_of(struct file *f, struct task_struct *t);

/* seccomp.c */
struct ckpt_filter {
	bool log;
	bool listener;
};

unsigned int ckpt_seccomp_mode(struct task_struct *t);
bool ckpt_may_read_filters(void);
unsigned int ckpt_seccomp_chain(struct task_struct *t, const void **out, unsigned int max);
int ckpt_seccomp_copy(struct task_struct *t, const void *address, u64 *out, unsigned int max, struct ckpt_filter *info);
int ckpt_seccomp_adopt(struct task_struct *from, const void *address);

/* socket.c */
#define CKPT_UNIX_PASSCRED 1
#define CKPT_UNIX_PASSSEC 2
#define CKPT_UNIX_PASSPIDFD 4
#define CKPT_UNIX_PASSRIGHTS 8
#define CKPT_UNIX_INQ 16
#define CKPT_UNIX_RIGHTS_NOTRUNC 32
#define CKPT_UNIX_OOBINLINE 64

struct ckpt_unix {
	/* As socket(2), and SHUT_RD + 1 | SHUT_WR + 1. */
	u32 type, shutdown;
	u32 sndbuf, rcvbuf;
	s32 error, rcvlowat, peek_off;
	/* CKPT_UNIX_* */
	u32 options;
	u64 rcvtimeo_us, sndtimeo_us;
	u32 messages;
	/* As SO_PEERCRED. */
	u32 peer_pid, peer_uid, peer_gid;
	/* Its other end, to be compared only, the open file of that, and that of the socket at which it waits to be accepted. */
	const void *peer;
	struct file *peer_file, *waits_at;
	const void *net;
	bool listening, peer_closed, mutual;
	u32 backlog;
	/* Address of its address, or NULL. It is another socket's, who accepted it, when it is not its own. */
	const void *address;
	bool own_address;
	/* sun_path, and how long that is. */
	u32 name_len;
	u8 name[108];
	/* What it is called in the file system, whether that has been removed, and of whom it is. */
	struct path path;
	bool unlinked;
	u32 mode, uid, gid;
	/* A filter, a BPF map, timestamps. */
	bool unusual;
};

struct ckpt_message {
	/* The socket that it was sent from, to be compared only, and the open file of that. */
	const void *sender;
	struct file *sender_file;
	/* sun_path of the sender's address, and how long that is. */
	u32 name_len;
	u8 name[108];
	size_t length;
	u32 pid, uid, gid;
	bool has_cred, oob;
};

/* A message that is to be sent again. */
struct ckpt_sending {
	const void *bytes;
	size_t len;
	/* Credentials, or NULL; @unknown: of a process that is gone, whatever they say. */
	const struct ucred *cred;
	bool unknown, oob;
	/* Descriptors of the caller. */
	const int *fds;
	u32 files;
};

struct sock *ckpt_file_sock(struct file *f);
unsigned int ckpt_sock_family(const struct sock *sk);
void ckpt_unix_state(struct sock *sk, struct pid_namespace *pids, const struct cred *viewer, struct ckpt_unix *out);
int ckpt_unix_message(struct sock *sk, unsigned int nth, struct task_struct *viewer, void *buf, size_t size,
		      struct ckpt_message *out);
int ckpt_unix_files(struct sock *sk, unsigned int nth, struct file **out, int max);
unsigned int ckpt_unix_flying(struct sock *sk);
struct sock *ckpt_unix_waiting(struct sock *sk, unsigned int nth);
struct sock *ckpt_unix_peer(struct sock *sk);
bool ckpt_unix_waits_at(struct sock *sk, struct sock *listener);
ssize_t ckpt_unix_send(struct file *from, struct sock *to, const struct ckpt_sending *what);
int ckpt_unix_connect(struct sock *sk, struct sock *other);
void ckpt_unix_set_options(struct sock *sk, u32 options);
void ckpt_sock_hold(struct sock *sk);
void ckpt_sock_put(struct sock *sk);
void ckpt_unix_put_path(struct path *path);
const void *ckpt_unix_listens_at(struct sock *sk);
int ckpt_unix_set_name(struct sock *sk, const char *name, size_t len);
int ckpt_unix_share_address(struct sock *sk, struct sock *listener);
void ckpt_unix_set_error(struct sock *sk, int error);
void ckpt_unix_set_sender(struct sock *sk, unsigned int nth, struct task_struct *task);
void ckpt_unix_set_peer(struct sock *sk, struct task_struct *peer, struct task_struct *as);

/* task.c */
void ckpt_task_lock(struct task_struct *t);
void ckpt_task_unlock(struct task_struct *t);
void ckpt_unlock_task_sighand(struct task_struct *t, unsigned long *flags);
struct task_struct *ckpt_get_task_struct(struct task_struct *t);
void ckpt_put_task_struct(struct task_struct *t);
struct task_struct *ckpt_current(void);
struct task_struct *ckpt_next_thread(struct task_struct *leader, struct task_struct *prev);
struct task_struct *ckpt_group_leader(struct task_struct *t);
pid_t ckpt_task_tgid_of_parent(struct task_struct *t, struct pid_namespace *ns);
struct pid_namespace *ckpt_task_active_pid_ns(struct task_struct *t);
struct pt_regs *ckpt_task_pt_regs(struct task_struct *t);
bool ckpt_try_get_task_stack(struct task_struct *t);
long ckpt_task_orig_ax(struct task_struct *t);
bool ckpt_tsc_is_off(struct task_struct *t);
bool ckpt_is_io_flusher(struct task_struct *t);
unsigned int ckpt_io_priority(struct task_struct *t);
bool ckpt_has_other_session_keyring(struct task_struct *t);
bool ckpt_has_core_cookie(struct task_struct *t);

int ckpt_task_uring_requests(struct task_struct *t);
unsigned int ckpt_mce_kill(struct task_struct *t);
unsigned int ckpt_user_affinity(struct task_struct *t, u64 *out, unsigned int words);
u64 ckpt_custom_slice(struct task_struct *t);
void ckpt_util_clamp(struct task_struct *t, int *min, int *max);
pid_t ckpt_tracer(struct task_struct *t);
bool ckpt_is_subreaper(struct task_struct *t);
unsigned int ckpt_xstate_user_size(void);
bool ckpt_task_sigpending(void);
bool ckpt_signal_pending(void);
bool ckpt_fatal_signal_pending(void);
void ckpt_set_sigpending(void);
bool ckpt_test_restore_sigmask(struct task_struct *t);
bool ckpt_is_ia32(struct task_struct *t);
bool ckpt_has_shadow_stack(struct task_struct *t);
bool ckpt_has_io_bitmap(struct task_struct *t);
bool ckpt_has_breakpoints(struct task_struct *t);
bool ckpt_has_user_dispatch(struct task_struct *t);
bool ckpt_has_seccomp(struct task_struct *t);
void ckpt_let_sleep(struct task_struct *t);
void ckpt_module_get(void);
void ckpt_module_put(void);
pid_t ckpt_first_child(struct task_struct *t);
bool ckpt_has_other_label(struct task_struct *t);
unsigned int ckpt_task_state(struct task_struct *t);
int ckpt_task_nice(struct task_struct *t);
unsigned long ckpt_no_new_privs(struct task_struct *t);
bool ckpt_sched_reset_on_fork(struct task_struct *t);
u64 ckpt_ktime_get_ns(void);
u64 ckpt_ktime_get_boottime_ns(void);
u64 ckpt_ktime_get_real_ns(void);
u64 ckpt_hrtimer_remaining_ns(const struct hrtimer *timer);
u64 ckpt_xcr0(void);
size_t ckpt_siginfo_len(void);
const char *ckpt_utsname_release(void);
const char *ckpt_utsname_nodename(void);

/* timer.c */
struct ckpt_timer {
	int id, clock, notify, signo;
	u32 thread, clock_owner;
	bool pending, absolute;
	/* The thread that it notifies or whose time it counts has exited. */
	bool dead;
	/* It counts the time of another process. */
	bool foreign;
	u64 sigval;
	u64 interval_ns, value_ns;
	u64 overrun;
	u32 overrun_last;
};

unsigned int ckpt_timers(struct task_struct *t, struct pid_namespace *ns, unsigned int from, struct ckpt_timer *out,
			 unsigned int max);
unsigned int ckpt_next_timer_id(struct task_struct *t);
void ckpt_set_next_timer_id(unsigned int next);
bool ckpt_timer_restore_ids(struct task_struct *t);
bool ckpt_is_timer_signal(const struct sigqueue *q);
int ckpt_timer_finish(const struct ckpt_timer *want, u64 cpu_now);
void ckpt_timerfd(struct file *f, u64 *ticks, u64 *left_ns);

/* tree.c */
struct ckpt_shared {
	const void *mm;
	const void *files;
	const void *fs;
	const void *handlers;
};

struct task_struct *ckpt_parent(struct task_struct *t);
unsigned int ckpt_children(struct task_struct *leader, struct task_struct **out, unsigned int max);
pid_t ckpt_nr_above(struct task_struct *t, enum pid_type type, unsigned int levels);
bool ckpt_has_live_child(struct task_struct *t, pid_t number, unsigned int levels);
struct task_struct *ckpt_vfork_child(struct task_struct *t);
bool ckpt_waits_for_no_child(struct task_struct *t);
void ckpt_set_vfork_done(struct completion *x);
void ckpt_clear_vfork_done(struct task_struct *child, struct completion *x);
unsigned int ckpt_processes_in(struct pid_namespace *ns);
struct pid_namespace *ckpt_get_task_pid_ns(struct task_struct *t);
void ckpt_get_pid_ns(struct pid_namespace *ns);
struct task_struct *ckpt_child_reaper(struct pid_namespace *ns);
struct task_struct *ckpt_task_in(struct pid_namespace *ns, int number);
int ckpt_exit_status(struct task_struct *leader);
bool ckpt_is_killed(struct task_struct *t);
#define CKPT_SYMBOL_LEN 1024
void ckpt_wchan(struct task_struct *t, char *out);
int ckpt_exit_state(struct task_struct *t);
int ckpt_set_exit_signal(struct task_struct *leader, struct task_struct *parent, int signal);
void ckpt_look_for_signals(void);
void ckpt_set_group_stop(struct task_struct *t, int signal, bool tell);
int ckpt_take_child(struct task_struct *to, struct task_struct *child);
int ckpt_hand_over_children(struct task_struct *from, struct task_struct *to);
void ckpt_get_job(struct task_struct *t, struct pid **session, struct pid **group);
struct pid *ckpt_get_pid(struct pid *pid);
struct pid *ckpt_get_tgid(struct task_struct *t);
int ckpt_set_job(struct pid *session, bool session_is_new, struct pid *group, bool group_is_new, bool leader);
void ckpt_free_unused_pid(struct pid *pid);
int ckpt_adopt_files(struct task_struct *from);
int ckpt_adopt_fs(struct task_struct *from);
void ckpt_shared(struct task_struct *t, struct ckpt_shared *out);

/* tty.c */
/* What a pair is like: bits of [`ckpt_pty.flags`], as the statefile has them. */
#define CKPT_PTY_LOCKED (1 << 0)
#define CKPT_PTY_PACKET (1 << 1)
#define CKPT_PTY_MASTER_EXCLUSIVE (1 << 2)
#define CKPT_PTY_SLAVE_EXCLUSIVE (1 << 3)
#define CKPT_PTY_MASTER_STOPPED (1 << 4)
#define CKPT_PTY_MASTER_OFF (1 << 5)
#define CKPT_PTY_SLAVE_STOPPED (1 << 6)
#define CKPT_PTY_SLAVE_OFF (1 << 7)
#define CKPT_PTY_SLAVE_CLOSED (1 << 8)
#define CKPT_PTY_LITERAL_NEXT (1 << 9)
#define CKPT_PTY_ERASING (1 << 10)
#define CKPT_PTY_PUSHED (1 << 11)

struct ckpt_pty {
	u32 index;
	u32 flags;
	u32 master_read;
	u32 master_flip;
	u32 slave_read;
	u32 slave_flip;
	u32 echo;
	u32 echo_commit;
	u32 echo_mark;
	u32 canon_head;
	u32 column;
	u32 canon_column;
	u32 lookahead;
	u32 packet_status;
	struct winsize winsize;
	struct ktermios termios;
};

struct ckpt_pty_node {
	u32 mode;
	u32 uid;
	u32 gid;
};

struct ckpt_task_tty {
	/* Address of the master of the pair, if it is one whose master is open; or 0. */
	unsigned long pair;
	/* Its process group is the foreground one. */
	bool foreground;
	/* It is the terminal of the task's session. */
	bool of_session;
	/* As policies call it: tty:pts3. NUL-terminated. */
	char name[72];
};

struct ckpt_tty {
	unsigned long address;
	/* Of a pty: address of the master. */
	unsigned long pair;
	u32 index;
	/* Open files. */
	int masters;
	int slaves;
	bool master;
	bool hung_up;
	/* With the usual line discipline, and without locked settings. */
	bool plain;
};

bool ckpt_tty(struct file *f, struct ckpt_tty *out);
int ckpt_pty_session(struct file *master, struct pid_namespace *ns);
bool ckpt_task_tty(struct task_struct *t, struct ckpt_task_tty *out);
void ckpt_pty_node(struct file *master, const struct cred *viewer, struct ckpt_pty_node *out);
int ckpt_pty_save(struct file *f, struct ckpt_pty *state, u8 *buf, size_t size);
int ckpt_pty_fill(struct file *f, const struct ckpt_pty *state, const u8 *bytes, size_t size);
void ckpt_pty_finish(struct file *f, unsigned int flags, unsigned int packet_status);
int ckpt_pty_limit(void);
int ckpt_adopt_tty(struct file *master, bool foreground);
struct file *ckpt_open_tty(struct file *master, const char *path, int flags);

/* userfaultfd.c */
unsigned long ckpt_userfaultfd_mm(struct file *f);
bool ckpt_userfaultfd_busy(struct file *f);
unsigned int ckpt_userfaultfd_flags(struct file *f);
bool ckpt_userfaultfd_features(struct file *f, unsigned int *features);
/* uring.c */
/* Setup flags of rings that are saved. */
#define CKPT_URING_SETUP 0x1d3fd8U

/* A ring of io_uring. */
struct ckpt_uring {
	/* IORING_SETUP_*, and what the kernel remembers of requests that had to wait (IO_RING_F_*). */
	unsigned int setup;
	unsigned int state;
	unsigned int sq_entries;
	unsigned int cq_entries;
	/* Next entry that is submitted, and next one that is completed. */
	unsigned int sq_head;
	unsigned int cq_tail;
	/* CLOCK_* of timeouts of waits. */
	unsigned int clock;
	/* Slots for files, which of them the kernel chooses from, and where it begins. */
	unsigned int files;
	unsigned int file_range[2];
	unsigned int file_hint;
	/* Slots for buffers. */
	unsigned int buffers;
	/* Most workers, bounded and unbounded, if that has been said. */
	unsigned int workers[2];
	bool has_workers;
	/* Completions that have got lost, of which nobody has been told. */
	bool dropped;
	/* Its memory counts for a user: whoever made it had no CAP_IPC_LOCK. */
	bool accounted;
	/* Whether the eventfd is told of those only that are not immediate. */
	bool event_async;
	/* Completions for which there was no room. */
	unsigned int overflow;
	/* Requests that have not completed; those of them that have been found, and their operations. */
	unsigned int requests;
	unsigned int named;
	u64 opcodes[4];
	/* Bytes of the rings, and of the entries of the submission queue. */
	u64 regions[2];
	/* What it has that is not saved, or NULL. */
	const char *refused;
	/* Addresses, compared only: of the eventfd, of the only task that submits, of the address space of buffers; or 0. */
	unsigned long event;
	unsigned long submitter;
	unsigned long mm;
};

/* Memory that a ring keeps. */
struct ckpt_uring_buffer {
	u64 address;
	u64 length;
	u64 tag;
	bool is_mapped;
};

int ckpt_uring_describe(struct file *f, struct ckpt_uring *out);
int ckpt_uring_copy(struct file *f, unsigned int region, u64 offset, void *buf, size_t n, bool write);
int ckpt_uring_set(struct file *f, const struct ckpt_uring *from);
int ckpt_uring_set_file_hint(struct file *f, unsigned int hint);
int ckpt_uring_next_file(struct file *f, unsigned int *slot, struct file **out, u64 *tag);
int ckpt_uring_next_buffer(struct file *f, struct mm_struct *mm, unsigned int *slot, struct ckpt_uring_buffer *out);
int ckpt_uring_overflow(struct file *f, unsigned int from, u64 *out, unsigned int max);
int ckpt_uring_add_overflow(struct file *f, const u64 *words);
void ckpt_uring_run_work(void);
bool ckpt_uring_cancels(void);
struct file *ckpt_task_ring(struct task_struct *t, unsigned int *place);
unsigned long ckpt_eventfd_context(struct file *f);
struct file *ckpt_uring_stand_in(struct file *ring);
int ckpt_uring_is_mapped(struct file *f, struct mm_struct *mm, unsigned long at, u64 offset);

#endif
