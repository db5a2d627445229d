// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The same program in the machine's root directory and in one of its own.

use harness::{Context, Program, Recipe, Result};
use std::fs;
use std::path::Path;

const PROGRAM: &str = "/ckpt/programs/fs_directories";

/// In a directory with an unusual name.
pub fn plain(context: &Context) -> Result {
    Recipe::quiet(|context| Ok(Program::command(context, &[PROGRAM])))
        .case("")
        .run(context)
}

/// All that the program uses is inside its root directory, its output and the way out too.
pub fn jailed(context: &Context) -> Result {
    let jail = context.path("jail");
    fs::create_dir_all(jail.join("work"))?;
    fs::copy(PROGRAM, jail.join("program"))?;
    fs::write(jail.join("empty"), "")?;
    let make = move |context: &Context| {
        let jail = context.path("jail");
        let enter = ["chroot", jail.to_str().unwrap_or_default()];
        Ok(Program::command(context, &["/program", "chroot"])
            .through(&enter)
            .stdin(&jail.join("empty"))
            .out(&jail.join("out"))
            .err(&jail.join("err"))
            .env("CKPT_GO", "/go"))
    };
    let jail_go = jail.join("go");
    Recipe::quiet(make)
        .ends(move |_| Ok(fs::write(Path::new(&jail_go), "")?))
        .case("")
        .run(context)
}
