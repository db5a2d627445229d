// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Files that have lost the name by which they were opened, and have another one: by that they are known after a restart. So what is seen of
//! them from outside changes, once.

use harness::{ensure, Context, Program, Result};

pub fn are_reopened(context: &Context) -> Result {
    let file = context.path("linked.ckpt");
    let mut target = Program::own(context, "file_linked").start()?;
    target.wait_ready()?;
    for _ in 0..2 {
        target.checkpoint_kill(&file)?;
        target.restart(&file)?;
        let paths = std::fs::read_dir(format!("/proc/{}/fd", target.pid))?
            .map(|entry| std::fs::read_link(entry?.path()))
            .collect::<std::io::Result<Vec<_>>>()?;
        let is_named = |name: &str| paths.iter().filter(|path| path.ends_with(name)).count() == 2;
        ensure!(
            is_named("below/second") && is_named("third"),
            "these files are open: {paths:?}"
        );
    }
    target.finish()
}
