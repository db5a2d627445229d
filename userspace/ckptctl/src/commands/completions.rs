// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! `ckptctl completions`: a completion script.

use crate::cli::{Cli, Completions};
use crate::exit::{Exit, Failed};
use crate::output::Output;
use clap::CommandFactory;

pub fn run(args: &Completions, output: &Output) -> Result<Exit, Failed> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ckptctl", &mut script);
    output.data(&script)?;
    Ok(Exit::Done)
}
