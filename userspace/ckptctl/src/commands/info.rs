// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! `ckptctl info`: what the module is and can do.

use crate::exit::{Exit, Failed};
use crate::output::Output;
use crate::text::until_nul;
use libckpt::uapi::ioctl::feature;
use libckpt::Session;
use serde_json::json;
use std::fmt::Write;

const FEATURES: &[(u64, &str, &str)] = &[
    (feature::PROCESS, "process", "processes with any number of threads"),
    (feature::SELF, "self", "a program can save itself"),
    (feature::STREAM, "stream", "statefiles through pipes and sockets"),
    (feature::GUARD, "guard", "guard regions (MADV_GUARD_INSTALL)"),
    (feature::TREE, "tree", "a process with all its descendants"),
    (feature::CONTAINER, "container", "all processes of a pid namespace"),
    (feature::JOB, "job", "jobs with their orphans"),
];

pub fn run(output: &Output) -> Result<Exit, Failed> {
    let info = Session::open()?.info()?;
    let (version, release) = (until_nul(&info.version), until_nul(&info.release));
    let found = || FEATURES.iter().filter(|(bit, ..)| info.features & bit != 0);
    if output.is_json() {
        output.result(
            true,
            json!({
                "module": version,
                "kernel": release,
                "abi": info.abi_version,
                "format": {"writes": info.format_version, "reads_from": info.format_oldest},
                "page_size": info.page_size,
                "xfeatures": info.xfeatures,
                "xstate_size": info.xstate_size,
                "features": found().map(|(_, name, _)| *name).collect::<Vec<_>>(),
            }),
        )?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    let _ = writeln!(text, "Module:    {version}, interface {}", info.abi_version);
    let _ = writeln!(text, "Kernel:    {release}");
    let _ = writeln!(
        text,
        "Statefile: writes format {}, reads from {} on",
        info.format_version, info.format_oldest
    );
    let _ = writeln!(
        text,
        "Machine:   pages of {}, xfeatures {:#x} ({} bytes)",
        info.page_size, info.xfeatures, info.xstate_size
    );
    let _ = writeln!(text, "Features:");
    for (_, name, meaning) in found() {
        let _ = writeln!(text, "  {name:<10} {meaning}");
    }
    output.data(text.as_bytes())?;
    Ok(Exit::Done)
}
