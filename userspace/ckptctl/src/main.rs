// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Save running programs and bring them back.

mod cli;
mod commands;
mod errno;
mod exit;
mod hook;
mod jobs;
mod output;
mod place;
mod summary;
mod text;

use clap::Parser;
use cli::{Cli, Command};
use exit::{Exit, Failed};
use output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; neither is a reader that has gone.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.into()
            } else {
                Exit::Done.into()
            };
        }
    };
    let output = Output::new(&cli);
    match run(&cli.command, &output) {
        Ok(exit) => exit.into(),
        Err(failed) => {
            output.failure(&failed);
            failed.exit().into()
        }
    }
}

fn run(command: &Command, output: &Output) -> Result<Exit, Failed> {
    match command {
        Command::Info => commands::info::run(output),
        Command::Check(args) => commands::check::run(args, output),
        Command::Checkpoint(args) => commands::checkpoint::run(args, output),
        Command::Restart(args) => commands::restart::run(args, output),
        Command::Run(args) => commands::run::run(args, output),
        Command::Inspect(args) => commands::inspect::run(args, output),
        Command::Freeze(args) => commands::freeze::run(args, output),
        Command::Thaw(args) => commands::thaw::run(args, output),
        Command::Completions(args) => commands::completions::run(args, output),
    }
}
