// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Contents of files that have names, which the caller wants to travel.

use harness::ckptctl::{self, exit};
use harness::process::exists;
use harness::{ensure, Context, Program, Result, Target};
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{chown, symlink, MetadataExt};
use std::path::Path;

const JUNK: &str = "what came later";

/// Saves a program with the contents of its files, and kills it.
pub fn save(context: &Context, which: &str, file: &Path) -> Result<Target> {
    let mut target = Program::own(context, "file_carried").args(&[which]).start()?;
    target.wait_ready()?;
    let (pid, how) = (target.pid.to_string(), format!("--with-files={which}"));
    let mut command = ckptctl::command(&["checkpoint", "--kill", &pid, &how, "-o"]);
    ckptctl::finish(command.arg(file))?.expect(exit::DONE)?;
    target.was_killed()?;
    ckptctl::run(&[OsStr::new("inspect"), file.as_os_str()])?.expect(exit::DONE)?;
    Ok(target)
}

fn append(path: &Path) -> Result {
    fs::File::options()
        .append(true)
        .open(path)?
        .write_all(JUNK.as_bytes())?;
    Ok(())
}

/// Files that have grown, are shorter, or have gone are again what they were.
pub fn put_back(context: &Context) -> Result {
    let file = context.path("carried.ckpt");
    let [journal, input] = ["journal", "input"].map(|name| context.path(name));
    let mut target = save(context, "all", &file)?;
    append(&journal)?;
    append(&input)?;
    target.restart(&file)?;
    target.kill()?;
    fs::write(&journal, "")?;
    fs::remove_file(&input)?;
    target.restart(&file)?;
    target.kill()?;
    for path in [&journal, &input] {
        let _ = fs::remove_file(path);
    }
    target.restart(&file)?;
    target.checkpoint_kill(&context.path("without.ckpt"))?;
    target.restart(&context.path("without.ckpt"))?;
    target.finish()
}

/// A damaged statefile costs nothing of what is there now.
pub fn damaged(context: &Context) -> Result {
    let file = context.path("carried.ckpt");
    let journal = context.path("journal");
    let mut target = save(context, "all", &file)?;
    append(&journal)?;
    let (sound, now) = (fs::read(&file)?, fs::read(&journal)?);
    let mut flipped = sound.clone();
    let last = flipped.len() - 9;
    flipped[last] ^= 1;
    for bytes in [&sound[..sound.len() - 1], &flipped] {
        fs::write(&file, bytes)?;
        let args = [OsStr::new("restart"), OsStr::new("--detach"), file.as_os_str()];
        ckptctl::run(&args)?.expect(exit::BAD_STATEFILE)?;
        ensure!(!exists(target.pid), "a failed restart has left a process");
        ensure!(fs::read(&journal)? == now, "a failed restart has written to a file");
    }
    fs::write(&file, &sound)?;
    target.restart(&file)?;
    target.finish()
}

/// A restart leaves alone what has not changed, and the program, which is only mapped.
pub fn not_of_programs(context: &Context) -> Result {
    let file = context.path("carried.ckpt");
    let mut target = save(context, "all", &file)?;
    target.restart(&file)?;
    let program = fs::read_link(format!("/proc/{}/exe", target.pid))?;
    let input = context.path("input");
    for path in [&program, &input] {
        let changed = || fs::metadata(path).map(|now| (now.ino(), now.ctime(), now.ctime_nsec()));
        let before = changed()?;
        target.kill()?;
        target.restart(&file)?;
        ensure!(changed()? == before, "a restart has written to {path:?}");
    }
    target.finish()
}

/// Only what is open for writing travels: the other file stays as it is by now, which is said.
pub fn only_written(context: &Context) -> Result {
    let file = context.path("carried.ckpt");
    let [journal, input] = ["journal", "input"].map(|name| context.path(name));
    let mut target = save(context, "written", &file)?;
    append(&journal)?;
    append(&input)?;
    let mut command = ckptctl::command(&["restart", "--detach"]);
    let done = ckptctl::finish(command.arg(&file))?.expect(exit::DONE)?;
    done.names(&["input", "has changed"])?;
    ensure!(done.names(&["journal"]).is_err(), "{}", done.err);
    target.revived();
    let there = fs::read(&input)?;
    ensure!(
        there.ends_with(JUNK.as_bytes()),
        "a file that is only read was put back"
    );
    target.finish()
}

/// Neither a file of somebody else nor one that a symbolic link leads to gets contents.
pub fn foreign(context: &Context) -> Result {
    let file = context.path("carried.ckpt");
    let (journal, other) = (context.path("journal"), context.path("other"));
    let mut target = save(context, "all", &file)?;
    fs::rename(&journal, context.path("kept"))?;
    let refused = |what: &str| -> Result {
        let args = [OsStr::new("restart"), OsStr::new("--detach"), file.as_os_str()];
        ckptctl::run(&args)?
            .expect(exit::FAILED)?
            .names(&["cannot put back the contents of", "journal"])?;
        ensure!(!exists(target.pid), "a failed restart has left a process");
        let there = fs::read_to_string(&other)?;
        ensure!(there == JUNK, "{what}: it holds {there:?}");
        Ok(())
    };
    fs::write(&other, JUNK)?;
    symlink(&other, &journal)?;
    refused("a symbolic link")?;
    fs::remove_file(&journal)?;
    chown(&other, Some(1000), Some(1000))?;
    fs::hard_link(&other, &journal)?;
    refused("a file of somebody else")?;
    chown(&other, Some(0), Some(0))?;
    refused("a file with another name")?;
    fs::remove_file(&journal)?;
    fs::create_dir(&journal)?;
    refused("a directory")?;
    fs::remove_dir(&journal)?;
    fs::rename(context.path("kept"), &journal)?;
    target.restart(&file)?;
    target.finish()
}
