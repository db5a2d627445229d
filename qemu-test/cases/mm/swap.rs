// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Pages that are in the swap when the program is saved.

use crate::cases::quiet;
use harness::{skip, Context, Result};
use std::fs::{self, File};
use std::process::Command;

const SIZE: u64 = 32 << 20;

/// Swap on a file, for as long as this lives.
struct Swap(String);

impl Swap {
    fn on(context: &Context) -> Result<Self> {
        let file = context.path("swap");
        let name = file.display().to_string();
        let data = vec![0; 1 << 20];
        let mut out = File::create(&file)?;
        for _ in 0..SIZE >> 20 {
            std::io::Write::write_all(&mut out, &data)?;
        }
        out.sync_all()?;
        let quietly = |words: &[&str]| {
            Command::new(words[0])
                .args(&words[1..])
                .output()
                .is_ok_and(|o| o.status.success())
        };
        if quietly(&["chmod", "600", &name]) && quietly(&["mkswap", &name]) && quietly(&["swapon", &name]) {
            return Ok(Self(name));
        }
        // The directory may be on a file system that cannot swap: a loop device can.
        let Ok(output) = Command::new("losetup").args(["--find", "--show", &name]).output() else {
            skip!("no losetup")
        };
        let device = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if device.is_empty() || !quietly(&["mkswap", &device]) || !quietly(&["swapon", &device]) {
            skip!(
                "swap cannot be switched on here: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(Self(device))
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        let _ = Command::new("swapoff").arg(&self.0).output();
        if self.0.starts_with("/dev/") {
            let _ = Command::new("losetup").args(["-d", &self.0]).output();
        }
    }
}

pub fn keeps_swapped_pages(context: &Context) -> Result {
    let swap = Swap::on(context)?;
    let result = quiet("mm_swapped", &[]).case("").run(context);
    drop(swap);
    let _ = fs::remove_file(context.path("swap"));
    result
}
