// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A file is compressed by Debian's `xz -9`, which puts itself under Landlock, and is killed in the middle: the restarted one
//! writes the same bytes as an undisturbed one.

use harness::process::{wait_end, Ended};
use harness::{ensure, fail, Case, Context, Mode, Program, Recipe, Result, Target};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

const WHOLE: usize = 64 << 20;
const PART: usize = 8 << 20;
const DATA: &str = "/tmp/ckpt-xz";

/// The whole file once, from file to file as people call it (with a thread that compresses); a part of it in the other modes,
/// to standard output, for which xz denies itself more, and in one thread, so that there is output before the end.
pub fn cases() -> Vec<Case> {
    let mut cases = file_to_file(WHOLE).cases("program/xz_64m", &[Mode::Restart]);
    cases.extend(to_output(PART).cases("program/xz_8m", &[Mode::LeftRunning, Mode::Twice, Mode::Pipe]));
    cases
}

/// Blocks of words and numbers: repeated enough to be quick, different enough to be work.
fn make_data(path: &Path, size: usize) -> Result {
    let mut out = BufWriter::new(File::create(path)?);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut block = Vec::with_capacity(1 << 20);
    while block.len() < 1 << 20 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        writeln!(
            block,
            "{} {:x} the same words again and again",
            state >> 50,
            state >> 40
        )?;
    }
    block.truncate(1 << 20);
    for turn in 0..size >> 20 {
        // Each megabyte differs from the one before in a few hundred places.
        for _ in 0..300 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(turn as u64 | 1);
            block[(state >> 30) as usize & 0xf_ffff] = (state >> 8) as u8;
        }
        out.write_all(&block)?;
    }
    out.flush()?;
    Ok(())
}

fn data(size: usize) -> PathBuf {
    PathBuf::from(format!("{DATA}-{}m", size >> 20))
}

fn reference(size: usize) -> PathBuf {
    data(size).with_extension("reference")
}

/// Makes the data and what an undisturbed program makes of it, unless an earlier case has.
fn prepare(size: usize, output: &Path, xz: impl FnOnce() -> Result<Program>) -> Result {
    if reference(size).exists() {
        return Ok(());
    }
    make_data(&data(size), size)?;
    let target = xz()?.start()?;
    let ended = wait_end(target.pid, Duration::from_secs(500))?;
    ensure!(ended == Ended::Exited(0), "the undisturbed xz: {ended:?}");
    fs::rename(output, reference(size))?;
    Ok(())
}

/// It has ended, and its output is that of the undisturbed one.
fn compare(target: &Target, output: &Path, size: usize) -> Result {
    let expected = fs::read(reference(size))?;
    let ended = harness::process::wait_until(Duration::from_secs(500), || {
        (!harness::process::alive(target.pid)).then_some(())
    });
    if ended.is_none() {
        fail!("xz does not end");
    }
    let got = fs::read(output)?;
    let same = got.iter().zip(&expected).take_while(|(a, b)| a == b).count();
    ensure!(
        got == expected,
        "the output has {} bytes, not {}, and differs at {same}",
        got.len(),
        expected.len()
    );
    Ok(())
}

/// `xz -9 -k FILE`.
fn file_to_file(size: usize) -> Recipe {
    let make = move |context: &Context| {
        let file = context.path("data");
        let xz = || -> Result<Program> {
            fs::hard_link(data(size), &file)?;
            Ok(Program::command(context, &["xz", "-9", "-k"])
                .args(&[&file])
                .patience(600))
        };
        prepare(size, &context.path("data.xz"), xz)?;
        if file.exists() {
            fs::remove_file(&file)?;
        }
        xz()
    };
    // In the middle: it has computed for three seconds of many.
    let waits = |target: &mut Target| -> Result { target.wait_for_cpu_time(300) };
    let ends = move |target: &mut Target| -> Result {
        let output = target.output_file().with_file_name("data.xz");
        compare(target, &output, size)
    };
    Recipe::busy(make).waits(waits).goes_on(|_| Ok(())).ends(ends).silent()
}

/// `xz -9 -c FILE > FILE.xz`.
fn to_output(size: usize) -> Recipe {
    let make = move |context: &Context| {
        let xz = || {
            Ok(Program::command(context, &["xz", "-9", "-T1", "-c"])
                .args(&[data(size)])
                .patience(600))
        };
        prepare(size, &context.path("out"), xz)?;
        xz()
    };
    let waits = |target: &mut Target| -> Result { target.wait_for_output_bytes(1) };
    let ends = move |target: &mut Target| -> Result { compare(target, target.output_file(), size) };
    Recipe::busy(make).waits(waits).goes_on(|_| Ok(())).ends(ends).silent()
}
