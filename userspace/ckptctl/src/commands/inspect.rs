// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! `ckptctl inspect`: verify a statefile and show what is in it.

use crate::cli::Inspect;
use crate::exit::{Exit, Failed};
use crate::output::Output;
use crate::summary::Summary;
use libckpt::statefile::{self, Reader};
use std::fs::File;
use std::io::{self, BufReader, Read};

pub fn run(args: &Inspect, output: &Output) -> Result<Exit, Failed> {
    let from_stdin = args.file.as_os_str() == "-";
    let name = if from_stdin {
        "standard input".into()
    } else {
        args.file.display().to_string()
    };
    let input: Box<dyn Read> = if from_stdin {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(&args.file).map_err(|error| Failed::io(format!("cannot open {name}"), error))?)
    };
    let summary = read(BufReader::with_capacity(1 << 20, input), args.records).map_err(|error| Failed::Statefile {
        name: name.clone(),
        error,
    })?;
    if output.is_json() {
        output.result(true, summary.json(&name))?;
    } else {
        output.data(summary.text(&name).as_bytes())?;
    }
    Ok(Exit::Done)
}

/// Everything is verified before anything is shown.
fn read(input: impl Read, records: bool) -> statefile::Result<Summary> {
    let mut reader = Reader::new(input)?;
    let mut summary = Summary::new(*reader.prefix(), records);
    while let Some(record) = reader.next_record()? {
        summary.add(record);
    }
    summary.bytes = reader.offset();
    reader.finish()?;
    Ok(summary)
}
