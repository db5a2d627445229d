/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's private struct mount; its header guards itself against nothing. */
#ifndef CKPT_MOUNT_H
#define CKPT_MOUNT_H

#include "fs/pnode.h"

#endif
