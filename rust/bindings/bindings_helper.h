/* SPDX-License-Identifier: GPL-2.0 */
#include <linux/mm.h>
#include <linux/sched.h>

long ckpt_helper_hello(struct task_struct *t);
const unsigned long RUST_CONST_HELPER_TEST_PAGE = PAGE_SIZE;
