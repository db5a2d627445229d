// SPDX-License-Identifier: GPL-2.0
/*
 * What Rust cannot call by itself: inline functions, macros, and the static calls to unexported functions.
 * One file per C subsystem, sorted.
 */

#include "aio.c"
#include "completion.c"
#include "epoll.c"
#include "fanotify.c"
#include "file.c"
#include "ipc.c"
#include "landlock.c"
#include "lock.c"
#include "mm.c"
#include "mount.c"
#include "inotify.c"
#include "mqueue.c"
#include "net.c"
#include "ns.c"
#include "nsfd.c"
#include "owner.c"
#include "pidfd.c"
#include "pipe.c"
#include "proc.c"
#include "seccomp.c"
#include "socket.c"
#include "symbol.c"
#include "task.c"
#include "timer.c"
#include "tree.c"
#include "tty.c"
#include "uring.c"
#include "userfaultfd.c"
