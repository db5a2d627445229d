// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Pages that are in the swap when the program is saved.

use crate::cases::quiet;
use harness::{skip, Context, Result};
use std::fs::{self, File};
use std::io::Write;
use std::process::Command;

const SIZE: u64 = 32 << 20;

/// Swap on a file, for as long as this lives.
struct Swap(String);

impl Swap {
    /// In /var/tmp, as the case's own directory may be in memory.
    fn on() -> Result<Self> {
        let name = "/var/tmp/ckpt-swap".to_owned();
        let data = vec![0; 1 << 20];
        let mut out = File::create(&name)?;
        for _ in 0..SIZE >> 20 {
            out.write_all(&data)?;
        }
        out.sync_all()?;
        for words in [["chmod", "600"].as_slice(), &["mkswap"], &["swapon"]] {
            let output = Command::new(words[0]).args(&words[1..]).arg(&name).output()?;
            if !output.status.success() {
                skip!("{}: {}", words[0], String::from_utf8_lossy(&output.stderr).trim());
            }
        }
        Ok(Self(name))
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        let _ = Command::new("swapoff").arg(&self.0).output();
        let _ = fs::remove_file(&self.0);
    }
}

pub fn keeps_swapped_pages(context: &Context) -> Result {
    let _swap = Swap::on()?;
    quiet("mm_swapped", &[]).case("").run(context)
}
