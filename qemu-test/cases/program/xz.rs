// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A file is compressed as xz -9 does it, and the program is killed in the middle: the restarted one writes the same bytes
//! as an undisturbed one. (The command xz itself is refused: it puts itself under Landlock.)

use harness::process::{wait_end, Ended};
use harness::{ensure, fail, Case, Context, Mode, Program, Recipe, Result, Target};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

const WHOLE: usize = 64 << 20;
const PART: usize = 8 << 20;
const DATA: &str = "/tmp/ckpt-xz";

/// The whole file once, a part of it in the other modes.
pub fn cases() -> Vec<Case> {
    let mut cases = recipe(WHOLE).cases("program/xz_64m", &[Mode::Restart]);
    cases.extend(recipe(PART).cases("program/xz_8m", &[Mode::LeftRunning, Mode::Twice, Mode::Pipe]));
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

fn compressor(context: &Context, data: &Path) -> Program {
    Program::command(context, &["python3", "/ckpt/programs/compress.py"]).args(&[data])
}

/// The data and what an undisturbed xz makes of it; made by the first case that needs it.
fn reference(context: &Context, size: usize) -> Result<(PathBuf, PathBuf)> {
    let data = PathBuf::from(format!("{DATA}-{}m", size >> 20));
    let packed = data.with_extension("reference");
    if !packed.exists() {
        make_data(&data, size)?;
        let temporary = context.path("reference");
        let target = compressor(context, &data).out(&temporary).start()?;
        let ended = wait_end(target.pid, Duration::from_secs(500))?;
        ensure!(ended == Ended::Exited(0), "the undisturbed xz: {ended:?}");
        fs::rename(&temporary, &packed)?;
    }
    Ok((data, packed))
}

fn recipe(size: usize) -> Recipe {
    let make = move |context: &Context| {
        let (data, _) = reference(context, size)?;
        Ok(compressor(context, &data).patience(600))
    };
    // In the middle: a part of the output is there.
    let waits = move |target: &mut Target| -> Result { target.wait_for_output_bytes(1) };
    let ends = move |target: &mut Target| -> Result {
        let whole = PathBuf::from(format!("{DATA}-{}m", size >> 20)).with_extension("reference");
        let expected = fs::read(whole)?;
        let ended = harness::process::wait_until(Duration::from_secs(500), || {
            (!harness::process::alive(target.pid)).then_some(())
        });
        if ended.is_none() {
            fail!("xz does not end");
        }
        let got = fs::read(target.output_file())?;
        let same = got.iter().zip(&expected).take_while(|(a, b)| a == b).count();
        ensure!(
            got == expected,
            "the output has {} bytes, not {}, and differs at {same}",
            got.len(),
            expected.len()
        );
        Ok(())
    };
    Recipe::busy(make).waits(waits).goes_on(|_| Ok(())).ends(ends).silent()
}
