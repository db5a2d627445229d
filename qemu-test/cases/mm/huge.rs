// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Memory of huge pages, of which a machine has as many as it has been told to have.

use crate::cases::quiet;
use harness::ckptctl::{self, exit};
use harness::process::exists;
use harness::{ensure, fail, skip, Context, Program, Result};
use std::ffi::OsStr;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

const NUMBER: &str = "/proc/sys/vm/nr_hugepages";

/// Huge pages of the default size, for as long as this lives.
pub struct HugePages(String);

impl HugePages {
    /// That many.
    pub fn new(number: u32) -> Result<Self> {
        let pages = Self(fs::read_to_string(NUMBER)?);
        pages.set(number)?;
        Ok(pages)
    }

    fn set(&self, number: u32) -> Result {
        fs::write(NUMBER, number.to_string())?;
        let there = fs::read_to_string(NUMBER)?;
        if there.trim() != number.to_string() {
            skip!("{} huge pages instead of {number}", there.trim());
        }
        Ok(())
    }

    /// None is in use, or reserved. What a process had is given back soon after its end.
    pub fn all_are_free(&self) -> Result {
        let used = || -> Result<bool> { Ok(number("nr")? != number("free")? || number("resv")? != 0) };
        for _ in 0..100 {
            if !used()? {
                return Ok(());
            }
            sleep(Duration::from_millis(20));
        }
        let [all, free, reserved] = [number("nr")?, number("free")?, number("resv")?];
        fail!("of {all} huge pages {free} are free, {reserved} reserved")
    }
}

fn number(name: &str) -> Result<u32> {
    let text = fs::read_to_string(format!("/sys/kernel/mm/hugepages/hugepages-2048kB/{name}_hugepages"))?;
    let Ok(number) = text.trim().parse() else {
        fail!("{name}: {text}")
    };
    Ok(number)
}

impl Drop for HugePages {
    fn drop(&mut self) {
        let _ = fs::write(NUMBER, self.0.trim());
    }
}

/// A program that has such memory, with arguments; no page is left in use behind it.
fn keeps(context: &Context, program: &'static str, args: &'static [&'static str], number: u32) -> Result {
    let pages = HugePages::new(number)?;
    quiet(program, args).case("").run(context)?;
    pages.all_are_free()
}

pub fn private(context: &Context) -> Result {
    keeps(context, "mm_huge", &["private"], 44)
}

pub fn shared(context: &Context) -> Result {
    keeps(context, "mm_huge_shared", &[], 16)
}

pub fn of_files(context: &Context) -> Result {
    keeps(context, "file_huge", &[], 40)
}

/// Without huge pages a restart fails, and says how many are wanted; with them the same statefile restarts.
fn lacking(context: &Context, kind: &str, said: &[&str]) -> Result {
    let pages = HugePages::new(4)?;
    let file = context.path("huge.ckpt");
    let mut target = Program::own(context, "mm_huge").args(&[kind]).start()?;
    target.wait_ready()?;
    target.checkpoint_kill(&file)?;
    for few in [0, 1] {
        pages.set(few)?;
        let args = [OsStr::new("restart"), file.as_os_str(), OsStr::new("--detach")];
        let done = ckptctl::run(&args)?.expect(exit::FAILED)?;
        done.names(said)?;
        ensure!(!exists(target.pid), "a failed restart has left a process");
        pages.all_are_free()?;
    }
    pages.set(4)?;
    target.restart(&file)?;
    target.finish()
}

pub fn lacking_at_once(context: &Context) -> Result {
    lacking(context, "reserved", &["huge pages of 2048 KiB are free: 4 wanted"])
}

/// They are found missing when their contents come.
pub fn lacking_late(context: &Context) -> Result {
    lacking(context, "unreserved", &["huge pages of 2048 KiB are free: 1 wanted"])
}

pub fn lacking_in_a_file(context: &Context) -> Result {
    let said = ["huge pages of 2048 KiB are free: 1 wanted", "memfd:lacking"];
    lacking(context, "memfd", &said)
}
