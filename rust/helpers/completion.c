// SPDX-License-Identifier: GPL-2.0

#include <linux/completion.h>

#include "helpers.h"

void ckpt_init_completion(struct completion *x)
{
	init_completion(x);
}
